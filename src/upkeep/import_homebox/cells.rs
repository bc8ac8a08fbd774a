//! What a cell says: dates, truth values, numbers, prices, lists. Each refusal is a whole sentence.

use jiff::civil::{Date, DateTime};

use crate::domain::field::{FieldType, FieldValue};
use crate::domain::money::{Amount, Currency, Decimal};
use crate::domain::text::{Tag, fold};
use crate::domain::when::Occurred;

/// Years that a household's thing can have to do with. Others are slips of the pen (0202 for 2020).
const YEARS: std::ops::RangeInclusive<i16> = 1800..=2200;

/// A day: `2021-05-03`, `05/03/2021` (month first), `2021/05/03`, or RFC 3339, whose date counts as it is written. Nothing,
/// or the other program's way of saying nothing (1 January of the year 1), is none.
pub(super) fn date(text: &str) -> Result<Option<Date>, String> {
    if text.is_empty() || text.starts_with("0001-01-01") {
        return Ok(None);
    }
    let (year, month, day) = parts(text).ok_or_else(|| {
        format!("\u{201c}{text}\u{201d} is no date: write it as 2021-05-03, 05/03/2021 (month first) or 2021/05/03.")
    })?;
    if !YEARS.contains(&year) {
        return Err(format!("\u{201c}{text}\u{201d} has the year {year:04}, which cannot be right."));
    }
    let date = Date::new(year, month, day);
    date.map(Some).map_err(|_| format!("\u{201c}{text}\u{201d} is a day that does not exist."))
}

fn parts(text: &str) -> Option<(i16, i8, i8)> {
    let head = match text.find(['T', 't', ' ']) {
        Some(at) => {
            text.replacen(' ', "T", 1).parse::<jiff::Timestamp>().ok()?;
            &text[..at]
        }
        None => text,
    };
    let separator = if head.contains('-') { '-' } else { '/' };
    let pieces: Vec<&str> = head.split(separator).collect();
    let number = |at: usize, widths: std::ops::RangeInclusive<usize>| -> Option<i16> {
        let piece = pieces.get(at)?;
        (widths.contains(&piece.len()) && piece.bytes().all(|b| b.is_ascii_digit())).then(|| piece.parse().ok())?
    };
    let small = |at: usize| number(at, 1..=2).and_then(|n| i8::try_from(n).ok());
    match pieces.len() {
        3 if pieces[0].len() == 4 => Some((number(0, 4..=4)?, small(1)?, small(2)?)),
        3 if separator == '/' => Some((number(2, 4..=4)?, small(0)?, small(1)?)),
        _ => None,
    }
}

/// A day that has been: a purchase, a sale.
pub(super) fn past(text: &str, now: DateTime) -> Result<Option<Occurred>, String> {
    let Some(date) = date(text)? else { return Ok(None) };
    let occurred = Occurred::day(date);
    occurred.not_after(now).map_err(|refusal| sentence(&refusal.0))?;
    Ok(Some(occurred))
}

/// Yes or no; an empty cell is no.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "t" | "1" => Ok(true),
        "" | "false" | "no" | "n" | "f" | "0" => Ok(false),
        _ => Err(format!("\u{201c}{text}\u{201d} is neither true nor false.")),
    }
}

/// A number without grouping.
pub(super) fn number(text: &str) -> Result<Option<FieldValue>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.contains(',') {
        return Err(format!("\u{201c}{text}\u{201d} has a comma: write the number without one."));
    }
    let number = Decimal::parse(text).map_err(|refusal| sentence(&refusal.0))?;
    Ok(Some(FieldValue { ty: FieldType::Number, value: number.to_string() }))
}

/// A price; nothing and nought are none, for the other program writes 0 where there is no price.
pub(super) fn price(text: &str, currency: Option<Currency>) -> Result<Option<Amount>, String> {
    if text.is_empty() || Decimal::parse(text).is_ok_and(|number| number.as_str() == "0") {
        return Ok(None);
    }
    let currency = currency.ok_or("The file does not say in which currency: give it with --currency, such as EUR.")?;
    let amount = Amount::parse(text, currency).map_err(|refusal| sentence(&refusal.0))?;
    if amount.minor < 0 {
        return Err(format!("\u{201c}{text}\u{201d} is less than nothing."));
    }
    Ok(Some(amount))
}

/// Tags between semicolons, repeats dropped.
pub(super) fn tags(text: &str) -> Result<Vec<Tag>, String> {
    let mut tags: Vec<Tag> = Vec::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let tag = Tag::parse(part).map_err(|refusal| sentence(&refusal.0))?;
        if !tags.iter().any(|known| known.folded() == tag.folded()) {
            tags.push(tag);
        }
    }
    if tags.len() > 50 {
        return Err(format!("A record has at most 50 tags; these are {}.", tags.len()));
    }
    Ok(tags)
}

/// A path by `/`, with one form: `House / Cellar`.
pub(super) fn path(text: &str) -> String {
    text.split('/').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" / ")
}

/// Whether two names are one.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    fold(one) == fold(other)
}

/// A refusal as a whole sentence.
pub(super) fn sentence(text: &str) -> String {
    if text.ends_with(['.', '?', '!']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn dates_in_the_named_forms() {
        for (text, iso) in [
            ("2021-05-03", "2021-05-03"),
            ("05/03/2021", "2021-05-03"),
            ("5/3/2021", "2021-05-03"),
            ("2021/05/03", "2021-05-03"),
            ("2021-05-03T00:00:00Z", "2021-05-03"),
            ("2021-05-03T23:30:00-08:00", "2021-05-03"),
            ("2021-05-03 00:00:00+00:00", "2021-05-03"),
            ("2024-02-29", "2024-02-29"),
        ] {
            assert_eq!(date(text).unwrap().unwrap().to_string(), iso, "{text}");
        }
        for nothing in ["", "0001-01-01", "0001-01-01T00:00:00Z"] {
            assert_eq!(date(nothing), Ok(None));
        }
    }

    #[test]
    fn impossible_and_absurd_dates_are_refused() {
        for (text, word) in [
            ("0202-01-01", "0202"),
            ("9999-01-01", "9999"),
            ("2021-02-29", "does not exist"),
            ("13/01/2021", "does not exist"),
            ("2021-13-01", "does not exist"),
            ("03.05.2021", "no date"),
            ("2021-05", "no date"),
            ("5/3/21", "no date"),
            ("yesterday", "no date"),
            ("2021-05-03Tnoon", "no date"),
            ("２０２１-05-03", "no date"),
            ("-2021-05-03", "no date"),
        ] {
            let reason = date(text).unwrap_err();
            assert!(reason.contains(word), "{text}: {reason}");
        }
        let now = "2026-11-22T10:00:00".parse().unwrap();
        assert!(past("2026-11-23", now).is_err());
        assert!(past("2026-11-22", now).is_ok());
    }

    #[test]
    fn prices_need_a_currency_unless_there_is_none() {
        let eur = Currency::parse("EUR").ok();
        assert_eq!(price("1299.5", eur).unwrap().unwrap().to_string(), "1299.50 EUR");
        for nothing in ["", "0", "0.00"] {
            assert_eq!(price(nothing, None), Ok(None));
        }
        assert!(price("5", None).unwrap_err().contains("--currency"));
        for wrong in ["-5", "five", "1.2345"] {
            assert!(price(wrong, eur).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_and_paths_have_one_form() {
        let words = |text: &str| tags(text).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(words("  L1 ;L2;; l1 ; "), ["L1", "L2"]);
        assert_eq!(path("Path /To/ Location 2 "), "Path / To / Location 2");
        assert_eq!(path(" / "), "");
    }

    #[test]
    fn yes_and_no() {
        assert_eq!((truth("TRUE"), truth("0"), truth("")), (Ok(true), Ok(false), Ok(false)));
        assert!(truth("perhaps").is_err());
    }
}
