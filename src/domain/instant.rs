//! When something was recorded: a UTC instant with microsecond precision.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A UTC instant, in microseconds since 1970-01-01T00:00:00Z. Both engines keep exactly this precision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Instant(i64);

impl Instant {
    /// An instant from microseconds since the Unix epoch. Values outside the years 1 to 9999 become the nearest one.
    pub fn from_micros(micros: i64) -> Self {
        const FIRST: i64 = -62_135_596_800_000_000;
        const LAST: i64 = 253_402_207_200_000_000;
        Self(micros.clamp(FIRST, LAST))
    }

    /// Microseconds since the Unix epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved by some seconds, forward or back.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Whole seconds from `earlier` to this instant; negative if it lies before.
    pub fn seconds_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0) / 1_000_000
    }

    /// The same instant as a timestamp of the date library.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The wall clock of a time zone at this instant.
    pub fn local(self, zone: &TimeZone) -> DateTime {
        zone.to_datetime(self.timestamp())
    }

    /// Reads the form that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let timestamp: Timestamp = text.parse().ok()?;
        let instant = Self::from_micros(timestamp.as_microsecond());
        (instant.to_string() == text).then_some(instant)
    }
}

impl From<Timestamp> for Instant {
    fn from(timestamp: Timestamp) -> Self {
        Self::from_micros(timestamp.as_microsecond())
    }
}

impl fmt::Display for Instant {
    /// `YYYY-MM-DDThh:mm:ss.ffffffZ`: always six digits, as the hash chain needs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.timestamp())
    }
}

impl Serialize for Instant {
    /// As it is shown.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    /// The form that is shown, and no other.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("an instant has the form YYYY-MM-DDThh:mm:ss.ffffffZ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_writes_six_digits() {
        assert_eq!(Instant::from_micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Instant::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
        assert_eq!(Instant::parse("1970-01-01T00:00:01.500000Z"), Some(Instant::from_micros(1_500_000)));
        assert_eq!(Instant::parse("1970-01-01T00:00:01.5Z"), None);
    }
}
