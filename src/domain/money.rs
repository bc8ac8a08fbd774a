//! Amounts of money and readings of meters. No floats: minor units and decimals are exact.

use std::fmt;

use iso_currency::Currency as Iso;
use serde::{Deserialize, Serialize};

use super::Refusal;
use super::text::Unit;

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Currency(Iso);

impl Currency {
    /// Reads a code such as `EUR`.
    ///
    /// # Errors
    /// A sentence, if ISO 4217 has no such code or money is not counted in it (`XAU`, `XXX`).
    pub fn parse(code: &str) -> Result<Self, Refusal> {
        let upper = code.trim().to_ascii_uppercase();
        Iso::from_code(&upper)
            .filter(|iso| iso.exponent().is_some())
            .map(Self)
            .ok_or_else(|| Refusal::new("Choose a currency by its three letters, such as EUR or CHF"))
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The English name.
    pub fn name(self) -> String {
        self.0.name().to_owned()
    }

    /// How many decimals its minor unit has (2 for EUR, 0 for JPY, 3 for KWD), by ISO 4217.
    pub fn decimals(self) -> usize {
        usize::from(self.0.exponent().unwrap_or(0))
    }

    /// Every currency in which money is counted, by code.
    pub fn all() -> Vec<Self> {
        use iso_currency::IntoEnumIterator;
        let mut all: Vec<Self> = Iso::iter().filter(|iso| iso.exponent().is_some()).map(Self).collect();
        all.sort_by_key(|currency| currency.code());
        all
    }
}

/// The most minor units an amount may have: far above any household's, far below overflow.
const MOST_MINOR: i64 = 1_000_000_000_000_000;

/// An exact amount of money in minor units of its currency. Negative for a refund.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Amount {
    /// Minor units: cents for EUR, yen for JPY.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Amount {
    /// Reads what a person typed: `436`, `436.00`, `1,240.50`, `1.240,50`, `1 240`, `-20`, `€436`.
    ///
    /// # Errors
    /// A sentence: no number, too many decimals for the currency, ambiguous, or too large.
    pub fn parse(typed: &str, currency: Currency) -> Result<Self, Refusal> {
        let text = strip_currency(typed.trim(), currency);
        let decimals = currency.decimals();
        let number = Digits::read(&text, Some(decimals))?;
        if number.fraction.len() > decimals {
            let (code, n) = (currency.code(), decimals);
            return Err(Refusal(match n {
                0 => format!("{code} has no decimals. Enter a whole number"),
                n => format!("{code} has {n} decimals. Enter an amount such as 12.{}", "5".repeat(n)),
            }));
        }
        let padded = format!("{}{:0<decimals$}", number.whole, number.fraction);
        let minor = padded.parse::<i64>().ok().filter(|minor| *minor <= MOST_MINOR);
        let minor = minor.ok_or_else(|| Refusal::new("The amount is too large. Check the number"))?;
        Ok(Self { minor: if number.negative { -minor } else { minor }, currency })
    }

    /// Reads an amount with its currency in one text: `436 EUR`, `€1,240.50`, `CHF 12`.
    ///
    /// # Errors
    /// A sentence: no currency, no number, or one that [`Self::parse`] refuses.
    pub fn parse_whole(typed: &str) -> Result<Self, Refusal> {
        let code: String = typed.chars().filter(char::is_ascii_alphabetic).collect();
        let symbols = [('€', "EUR"), ('£', "GBP"), ('$', "USD"), ('¥', "JPY")];
        let by_symbol = symbols.iter().find(|(symbol, _)| typed.contains(*symbol)).map(|(_, code)| *code);
        let code = if code.is_empty() { by_symbol.unwrap_or_default() } else { &code };
        let missing = || Refusal::new("Enter the amount with its currency, such as 436 EUR or 12.50 CHF");
        Self::parse(typed, Currency::parse(code).map_err(|_| missing())?)
    }

    /// Reads the stored form of a money field: `436.00 EUR`.
    pub fn parse_stored(text: &str) -> Option<Self> {
        let (number, code) = text.split_once(' ')?;
        let amount = Self::parse(number, Currency::parse(code).ok()?).ok()?;
        (amount.to_string() == text).then_some(amount)
    }

    /// The number alone, with the currency's decimals: `436.00`.
    pub fn number(self) -> String {
        let decimals = self.currency.decimals();
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let sign = if self.minor < 0 { "-" } else { "" };
        if decimals == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// In words: `€1,436.00`, `CHF 12.50`, `−£20.00`.
    pub fn words(self) -> String {
        let number = self.number();
        let (whole, fraction) = number.trim_start_matches('-').split_once('.').map_or_else(
            || (number.trim_start_matches('-').to_owned(), String::new()),
            |(whole, fraction)| (whole.to_owned(), format!(".{fraction}")),
        );
        let sign = if self.minor < 0 { "−" } else { "" };
        let code = self.currency.code();
        let symbol = match code {
            "EUR" => "€".to_owned(),
            "GBP" => "£".to_owned(),
            "USD" => "$".to_owned(),
            "JPY" => "¥".to_owned(),
            _ => format!("{code}\u{a0}"),
        };
        format!("{sign}{symbol}{}{fraction}", grouped(&whole))
    }
}

impl fmt::Display for Amount {
    /// The stored form of a money field: `436.00 EUR`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.currency.code())
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire { minor: self.minor.to_string(), currency: self.currency.code().to_owned() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let currency = Currency::parse(&wire.currency).map_err(serde::de::Error::custom)?;
        let minor = wire.minor.parse().map_err(serde::de::Error::custom)?;
        Ok(Self { minor, currency })
    }
}

/// An amount in a payload: the minor units are a string, so that no reader of JSON makes a float of them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    minor: String,
    currency: String,
}

/// An exact decimal number in its shortest form: `142380`, `1.4`, `-3`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decimal(String);

impl Decimal {
    /// Reads what a person typed, with grouping and either decimal mark. At most 15 digits before and 9 after the mark.
    ///
    /// # Errors
    /// A sentence, if it is no number, ambiguous or too long.
    pub fn parse(typed: &str) -> Result<Self, Refusal> {
        let number = Digits::read(typed.trim(), None)?;
        if number.whole.len() > 15 || number.fraction.len() > 9 {
            return Err(Refusal::new("The number is too long: at most 15 digits and 9 decimals"));
        }
        let fraction = number.fraction.trim_end_matches('0');
        let whole = number.whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let text = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
        Ok(Self(if number.negative && text != "0" { format!("-{text}") } else { text }))
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With groups of three: `142,380`.
    pub fn words(&self) -> String {
        let (sign, digits) = self.0.strip_prefix('-').map_or(("", self.0.as_str()), |rest| ("−", rest));
        match digits.split_once('.') {
            Some((whole, fraction)) => format!("{sign}{}.{fraction}", grouped(whole)),
            None => format!("{sign}{}", grouped(digits)),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a meter or an odometer showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The number.
    pub value: Decimal,
    /// What it counts, such as km or kWh.
    pub unit: Unit,
}

impl Reading {
    /// In words: `142,380 km`.
    pub fn words(&self) -> String {
        format!("{}\u{a0}{}", self.value.words(), self.unit)
    }
}

impl Serialize for Reading {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ReadingWire { value: self.value.0.clone(), unit: self.unit.to_string() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reading {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = ReadingWire::deserialize(deserializer)?;
        let value = Decimal::parse(&wire.value).map_err(serde::de::Error::custom)?;
        let unit = Unit::parse(&wire.unit).map_err(serde::de::Error::custom)?;
        Ok(Self { value, unit })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingWire {
    value: String,
    unit: String,
}

/// A number as typed, taken apart.
struct Digits {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Digits {
    /// `decimals`: how many are expected after the mark; helps to tell `1.234` (a thousand) from three decimals.
    fn read(typed: &str, decimals: Option<usize>) -> Result<Self, Refusal> {
        let refuse = || Refusal::new("Enter a number such as 436 or 12.50");
        if typed.chars().count() > 60 {
            return Err(refuse());
        }
        let (negative, rest) = match typed.strip_prefix(['-', '−']) {
            Some(rest) => (true, rest.trim_start()),
            None => (false, typed.strip_prefix('+').unwrap_or(typed)),
        };
        let text: String = rest.chars().filter(|c| !matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '’' | '\'')).collect();
        let marks: Vec<(usize, char)> = text.char_indices().filter(|(_, c)| matches!(c, '.' | ',')).collect();
        let decimal_at = match marks.as_slice() {
            [] => None,
            [(at, mark)] => {
                let after = text.len() - at - 1;
                let groups_of_three = after == 3 && *at <= 3 && !text.starts_with('0');
                if groups_of_three && decimals.is_some_and(|n| n != 3) {
                    if decimals == Some(0) {
                        None
                    } else {
                        let whole = text.replace(*mark, "");
                        return Err(Refusal(format!("Is “{typed}” meant as {whole}? Write it without the {mark}")));
                    }
                } else {
                    Some(*at)
                }
            }
            [.., (before, a), (last, b)] if a == b => {
                // One kind of mark, several times: groups of three, such as 1,234,567.
                let _ = (before, last);
                None
            }
            [.., (last, _)] => Some(*last),
        };
        let (whole, fraction) = match decimal_at {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text.as_str(), ""),
        };
        let whole = ungroup(whole).ok_or_else(refuse)?;
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(&whole) || !all_digits(fraction) {
            return Err(refuse());
        }
        Ok(Self { negative, whole: if whole.is_empty() { "0".into() } else { whole }, fraction: fraction.to_owned() })
    }
}

/// Removes marks between groups of three; `None` if the groups are not of three.
fn ungroup(whole: &str) -> Option<String> {
    let parts: Vec<&str> = whole.split(['.', ',']).collect();
    let well_formed =
        parts.len() == 1 || (!parts[0].is_empty() && parts[0].len() <= 3 && parts[1..].iter().all(|p| p.len() == 3));
    well_formed.then(|| parts.concat())
}

fn strip_currency(typed: &str, currency: Currency) -> String {
    let code = currency.code();
    let mut text = typed.to_owned();
    let upper = text.to_ascii_uppercase();
    if let Some(at) = upper.find(code) {
        text.replace_range(at..at + code.len(), "");
    }
    text.trim().trim_matches(['€', '£', '$', '¥']).trim().to_owned()
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(typed: &str, code: &str) -> Result<String, String> {
        Amount::parse(typed, Currency::parse(code).unwrap()).map(|a| a.to_string()).map_err(|r| r.0)
    }

    #[test]
    fn reads_amounts_as_people_write_them() {
        for (typed, code, stored) in [
            ("436", "EUR", "436.00 EUR"),
            ("€1,240.50", "EUR", "1240.50 EUR"),
            ("1.240,50", "EUR", "1240.50 EUR"),
            ("1 240,5", "EUR", "1240.50 EUR"),
            ("12.50 CHF", "CHF", "12.50 CHF"),
            ("1,234,567", "USD", "1234567.00 USD"),
            ("-20", "GBP", "-20.00 GBP"),
            ("−0.05", "GBP", "-0.05 GBP"),
            ("1,240", "JPY", "1240 JPY"),
            ("1.234", "KWD", "1.234 KWD"),
            (".5", "EUR", "0.50 EUR"),
            ("0", "EUR", "0.00 EUR"),
        ] {
            assert_eq!(amount(typed, code).as_deref(), Ok(stored), "{typed}");
            assert_eq!(Amount::parse_stored(stored).unwrap().to_string(), stored);
        }
    }

    #[test]
    fn reads_an_amount_with_its_currency() {
        for (typed, stored) in [
            ("436 EUR", "436.00 EUR"),
            ("chf 12.50", "12.50 CHF"),
            ("€1,240.50", "1240.50 EUR"),
            ("-20 £", "-20.00 GBP"),
            ("1.234 KWD", "1.234 KWD"),
        ] {
            assert_eq!(Amount::parse_whole(typed).unwrap().to_string(), stored, "{typed}");
        }
        for typed in ["436", "", "436 EURO", "EUR", "12 EUR CHF", "436 XXX"] {
            assert!(Amount::parse_whole(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for typed in [
            "",
            "abc",
            "1.2.3",
            "12,34,56",
            "1e5",
            "NaN",
            "0x10",
            "--1",
            "1.234",
            "99999999999999999999",
            "10000000000001",
            "١٢",
        ] {
            assert!(amount(typed, "EUR").is_err(), "{typed}");
        }
        assert!(amount("1.5", "JPY").unwrap_err().contains("no decimals"));
        assert!(amount("1.555", "EUR").unwrap_err().contains("Is “1.555” meant as 1555"));
        assert!(Currency::parse("XXX").is_err());
        assert!(Currency::parse("EURO").is_err());
    }

    #[test]
    fn speaks_in_words() {
        let words = |stored: &str| Amount::parse_stored(stored).unwrap().words();
        assert_eq!(words("21486.35 EUR"), "€21,486.35");
        assert_eq!(words("-20.00 GBP"), "−£20.00");
        assert_eq!(words("12.50 CHF"), "CHF\u{a0}12.50");
        assert_eq!(words("1240 JPY"), "¥1,240");
    }

    #[test]
    fn decimals_have_one_form() {
        for (typed, stored) in [
            ("142,380", "142.38"),
            ("142 380", "142380"),
            ("1.40", "1.4"),
            ("-0", "0"),
            ("007", "7"),
            ("1,234.5", "1234.5"),
        ] {
            assert_eq!(Decimal::parse(typed).unwrap().as_str(), stored, "{typed}");
        }
        assert_eq!(Decimal::parse("142380").unwrap().words(), "142,380");
        assert!(Decimal::parse("1.2345678901").is_err());
    }

    #[test]
    fn payloads_carry_strings() {
        let amount = Amount::parse_stored("436.00 EUR").unwrap();
        assert_eq!(serde_json::to_string(&amount).unwrap(), r#"{"minor":"43600","currency":"EUR"}"#);
        assert!(serde_json::from_str::<Amount>(r#"{"minor":43600,"currency":"EUR"}"#).is_err());
    }
}
