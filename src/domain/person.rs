//! What a person signs in with and lives by: an email address and a time zone; and what a member was called when.

use std::fmt;

use jiff::tz::TimeZone;

use super::Refusal;
use super::text::fold;

/// An email address. Nothing is ever sent to it; it only has to be recognised again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Email(String);

impl Email {
    /// Reads what was typed.
    ///
    /// # Errors
    /// A sentence, if it is missing or cannot be an address.
    pub fn parse(typed: &str) -> Result<Self, Refusal> {
        let text = typed.trim();
        if text.is_empty() {
            return Err(Refusal::new("Enter an email address"));
        }
        let whole = text.len() <= 254 && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        match text.rsplit_once('@') {
            Some((name, domain))
                if whole && !name.is_empty() && is_domain(domain) && !Self(text.to_owned()).key().is_empty() =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Refusal::new("Enter an email address, like ana@example.org")),
        }
    }

    /// The address as it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its identity: two spellings of one address have the same key.
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

fn is_domain(domain: &str) -> bool {
    !domain.is_empty()
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !domain.contains(['@', ',', ';', '<', '>'])
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A time zone: a name of the IANA time zone database, in its own spelling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone(String);

impl Zone {
    /// Reads a zone's name; case does not matter.
    ///
    /// # Errors
    /// A sentence, if there is no such zone.
    pub fn parse(typed: &str) -> Result<Self, Refusal> {
        let name = typed.trim();
        if name.is_empty() {
            return Err(Refusal::new("Choose a time zone"));
        }
        let zone =
            TimeZone::get(name).map_err(|_| Refusal::new("Choose a time zone from the list, like Europe/Lisbon"))?;
        match zone.iana_name() {
            Some("UTC" | "Etc/UTC") => Ok(Self::utc()),
            // "posixrules" and "localtime" are whatever a machine says they are.
            Some(name) if name.contains('/') => Ok(Self(name.to_owned())),
            _ => Err(Refusal::new("Choose a time zone from the list, like Europe/Lisbon")),
        }
    }

    /// The zone of Greenwich without daylight saving.
    pub fn utc() -> Self {
        Self("UTC".to_owned())
    }

    /// The machine's own zone, or UTC.
    pub fn of_machine() -> Self {
        TimeZone::system().iana_name().and_then(|name| Self::parse(name).ok()).unwrap_or_else(Self::utc)
    }

    /// The zone's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Every zone that a person may live in, by name, with UTC last.
    pub fn all() -> Vec<String> {
        let mut names: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.as_str().to_owned())
            .filter(|name| name.split_once('/').is_some_and(|(region, _)| REGIONS.contains(&region)))
            .collect();
        names.sort();
        names.dedup();
        names.push("UTC".to_owned());
        names
    }
}

const REGIONS: [&str; 10] =
    ["Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"];

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a member was called at some moment, and what the member is called today if that is something else. In sentences:
/// "Ana", or "Ana (now Annika)".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Called {
    then: String,
    now: Option<String>,
}

impl Called {
    /// The name then and the name today.
    pub fn new(then: impl Into<String>, now: &str) -> Self {
        let then = then.into();
        let now = (then != now).then(|| now.to_owned());
        Self { then, now }
    }
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.now {
            None => f.write_str(&self.then),
            Some(now) => write!(f, "{} (now {now})", self.then),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_recognised_in_any_spelling() {
        let email = Email::parse(" Ana@Example.org ").unwrap();
        assert_eq!(email.as_str(), "Ana@Example.org");
        assert_eq!(email.key(), Email::parse("ana@example.ORG").unwrap().key());
        for typed in ["", "ana", "@example.org", "ana@", "a na@example.org", "ana@example.org\0", "ana@.org"] {
            assert!(Email::parse(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn a_zone_is_one_of_the_database() {
        assert_eq!(Zone::parse("europe/lisbon").unwrap().as_str(), "Europe/Lisbon");
        assert_eq!(Zone::parse("UTC").unwrap().as_str(), "UTC");
        assert_eq!(Zone::parse("Etc/UTC").unwrap().as_str(), "UTC");
        for typed in ["", "Mars/Olympus", "../../etc/passwd", "+02:00", "Europe/Lisbon\0"] {
            assert!(Zone::parse(typed).is_err(), "{typed:?}");
        }
        let all = Zone::all();
        assert!(
            all.iter().any(|name| name == "Pacific/Kiritimati") && all.iter().any(|name| name == "Pacific/Pago_Pago")
        );
        assert!(all.len() > 300 && all.iter().all(|name| Zone::parse(name).is_ok()));
    }
}
