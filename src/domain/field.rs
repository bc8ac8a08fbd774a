//! Custom fields: a name, a type and a value in one canonical text.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::Refusal;
use super::money::{Amount, Decimal};
use super::text::{FieldName, FieldText};
use super::when::Occurred;

/// What a custom field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// One line of text.
    Text,
    /// An exact decimal number.
    Number,
    /// A date as far as it is known; it may lie ahead.
    Date,
    /// An amount with its currency.
    Money,
    /// A web address, `http` or `https`.
    Link,
}

impl FieldType {
    /// Every type, in the order in which a form offers them.
    pub const ALL: [Self; 5] = [Self::Text, Self::Number, Self::Date, Self::Money, Self::Link];

    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Date => "date",
            Self::Money => "money",
            Self::Link => "link",
        }
    }

    /// The word that is shown.
    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Number => "Number",
            Self::Date => "Date",
            Self::Money => "Money",
            Self::Link => "Link",
        }
    }
}

impl FromStr for FieldType {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::ALL
            .into_iter()
            .find(|ty| ty.as_str() == text)
            .ok_or_else(|| Refusal::new("Choose text, number, date, money or link"))
    }
}

/// A value with its type. The value's text is canonical: the same value always has the same text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldValue {
    /// What kind of value it is.
    #[serde(rename = "type")]
    pub ty: FieldType,
    /// The canonical text: a decimal, an ISO date with reduced precision, `436.00 EUR`, an address, or the text itself.
    pub value: String,
}

impl FieldValue {
    /// A text value that is known to be well formed, such as a title.
    pub fn text(value: impl Into<String>) -> Self {
        Self { ty: FieldType::Text, value: value.into() }
    }

    /// Reads what a person typed; money with its currency, such as `436 EUR`. `now` is the person's wall clock.
    ///
    /// # Errors
    /// A sentence that says what this type takes.
    pub fn parse(ty: FieldType, typed: &str, now: DateTime) -> Result<Self, Refusal> {
        let value = match ty {
            FieldType::Text => FieldText::parse(typed)?.to_string(),
            FieldType::Number => Decimal::parse(typed)?.to_string(),
            FieldType::Date => Occurred::parse_any_date(typed, now.date())?.to_string(),
            FieldType::Money => Amount::parse_whole(typed)?.to_string(),
            FieldType::Link => link(typed)?,
        };
        Ok(Self { ty, value })
    }

    /// Whether the canonical text is what its type says: for values that come from outside a form.
    pub fn is_canonical(&self) -> bool {
        match self.ty {
            FieldType::Text => FieldText::parse(&self.value).is_ok_and(|text| text.as_str() == self.value),
            FieldType::Number => Decimal::parse(&self.value).is_ok_and(|number| number.as_str() == self.value),
            FieldType::Date => Occurred::parse_iso(&self.value).is_ok(),
            FieldType::Money => Amount::parse_stored(&self.value).is_some(),
            FieldType::Link => link(&self.value).is_ok_and(|link| link == self.value),
        }
    }

    /// In words, for a page.
    pub fn words(&self) -> String {
        match self.ty {
            FieldType::Text | FieldType::Link => self.value.clone(),
            FieldType::Number => {
                Decimal::parse(&self.value).map_or_else(|_| self.value.clone(), |number| number.words())
            }
            FieldType::Date => Occurred::parse_iso(&self.value).map_or_else(|_| self.value.clone(), Occurred::words),
            FieldType::Money => Amount::parse_stored(&self.value).map_or_else(|| self.value.clone(), Amount::words),
        }
    }

    /// As it is filled into a form again.
    pub fn entry(&self) -> String {
        match self.ty {
            FieldType::Date => {
                Occurred::parse_iso(&self.value).map_or_else(|_| self.value.clone(), |date| date.entry().0)
            }
            _ => self.value.clone(),
        }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}

fn link(typed: &str) -> Result<String, Refusal> {
    let refuse = || Refusal::new("Enter a web address that begins with https:// or http://");
    let text = FieldText::parse(typed)?.to_string();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(refuse)?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let no_blanks = !text.chars().any(|c| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\' | '`' | '{' | '}'));
    if host.is_empty() || host.contains('@') || !no_blanks {
        return Err(refuse());
    }
    Ok(text)
}

/// A custom field in a payload or a form.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "FieldWire", into = "FieldWire")]
pub struct Field {
    /// Its name; [`FieldName::folded`] is its identity within the record.
    pub name: FieldName,
    /// Its value.
    pub value: FieldValue,
}

/// The flat form of a payload: `{name, type, value}`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldWire {
    name: FieldName,
    #[serde(rename = "type")]
    ty: FieldType,
    value: String,
}

impl From<FieldWire> for Field {
    fn from(wire: FieldWire) -> Self {
        Self { name: wire.name, value: FieldValue { ty: wire.ty, value: wire.value } }
    }
}

impl From<Field> for FieldWire {
    fn from(field: Field) -> Self {
        Self { name: field.name, ty: field.value.ty, value: field.value.value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(ty: FieldType, typed: &str) -> Result<String, String> {
        let now = "2026-11-22T10:00:00".parse().unwrap();
        FieldValue::parse(ty, typed, now).map(|v| v.value).map_err(|r| r.0)
    }

    #[test]
    fn values_are_canonical_and_come_back_as_entered() {
        let now = "2026-11-22T10:00:00".parse().unwrap();
        for (ty, typed, canonical) in [
            (FieldType::Text, " KE 418 D ", "KE 418 D"),
            (FieldType::Number, "142 380", "142380"),
            (FieldType::Date, "March 2031", "2031-03"),
            (FieldType::Money, "€1,240.50", "1240.50 EUR"),
            (FieldType::Link, "https://example.org/a?b#c", "https://example.org/a?b#c"),
        ] {
            let value = FieldValue::parse(ty, typed, now).unwrap();
            assert_eq!(value.value, canonical);
            assert!(value.is_canonical());
            let again = FieldValue::parse(ty, &value.entry(), now).unwrap();
            assert_eq!(again, value);
        }
    }

    #[test]
    fn only_web_addresses_are_links() {
        for typed in
            ["javascript:alert(1)", "https://", "http://a b", "https://u@h", "//x", "https://x\"><script>", "ftp://x"]
        {
            assert!(parse(FieldType::Link, typed).is_err(), "{typed}");
        }
    }
}
