//! Dates and instants as pages write them: what happened as it was entered, what was recorded in the member's zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::instant::Instant;
use crate::domain::when::{Occurred, Precision, month_name};

/// A date in words, and as machines read it in `<time datetime>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// ISO 8601.
    pub iso: String,
    /// In words.
    pub words: String,
}

impl Moment {
    /// When something happened, as far as it is known; no zone shifts it.
    pub fn occurred(occurred: Occurred) -> Self {
        Self { iso: occurred.to_string(), words: occurred.words() }
    }

    /// When something happened, beneath a heading that says the year.
    pub fn in_year(occurred: Occurred) -> Self {
        let mut words = occurred.words_in_year();
        if occurred.precision() == Precision::Minute {
            let moment = occurred.first_moment();
            words = format!("{words} {:02}:{:02}", moment.hour(), moment.minute());
        }
        Self { iso: occurred.to_string(), words }
    }

    /// When something happened, without the year if it is this one.
    pub fn brief(occurred: Occurred, this_year: i16) -> Self {
        let mut words = occurred.words();
        if occurred.year() == this_year && occurred.precision() >= Precision::Day {
            let day = occurred.first_moment();
            words = format!("{} {}", day.day(), month_name(day.month()));
        }
        Self { iso: occurred.to_string(), words }
    }

    /// The day on which something was recorded, where the member lives. The year is said unless it is `known`.
    pub fn day(at: Instant, zone: &TimeZone, known: Option<i16>) -> Self {
        let local = at.local(zone);
        let mut words = format!("{} {}", local.day(), month_name(local.month()));
        if known != Some(local.year()) {
            words = format!("{words} {}", local.year());
        }
        Self { iso: iso(at), words }
    }

    /// The day on which something was recorded, if that says more than when it happened. It does not where it was the same
    /// day for whoever wrote it, in the zone `written_in`, or is for whoever reads it.
    pub fn written_down(at: Instant, occurred: Occurred, zone: &TimeZone, written_in: Option<&str>) -> Option<Self> {
        let same = |zone: &TimeZone| occurred.first_moment().date() == at.local(zone).date();
        let there = || written_in.and_then(|name| TimeZone::get(name).ok());
        let told = occurred.precision() >= Precision::Day && (same(zone) || there().as_ref().is_some_and(same));
        (!told).then(|| Self::day(at, zone, Some(occurred.year())))
    }

    /// Day and time at which something was recorded, where the member lives.
    pub fn recorded(at: Instant, zone: &TimeZone) -> Self {
        let local = at.local(zone);
        let day = Self::day(at, zone, None);
        Self { words: format!("{} at {:02}:{:02}", day.words, local.hour(), local.minute()), ..day }
    }
}

/// The English name of a day's weekday.
pub fn weekday(day: Date) -> &'static str {
    use jiff::civil::Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    match day.weekday() {
        Monday => "Monday",
        Tuesday => "Tuesday",
        Wednesday => "Wednesday",
        Thursday => "Thursday",
        Friday => "Friday",
        Saturday => "Saturday",
        Sunday => "Sunday",
    }
}

/// An instant for `<time datetime>`, to the second; browsers do not need more.
pub fn iso(at: Instant) -> String {
    format!("{:.0}", at.timestamp())
}

/// The member's time zone; UTC if the name is not known on this machine.
pub fn zone(actor: &Actor) -> TimeZone {
    TimeZone::get(&actor.zone).unwrap_or(TimeZone::UTC)
}

/// The wall clock where the member lives, now.
pub fn now(app: &App, actor: &Actor) -> DateTime {
    app.clock.now().local(&zone(actor))
}

/// A currency to begin with, by where the member lives. Every form lets it be changed.
pub fn likely_currency(zone: &str) -> &'static str {
    const BY_ZONE: [(&str, &str); 27] = [
        ("Europe/London", "GBP"),
        ("Europe/Belfast", "GBP"),
        ("Europe/Zurich", "CHF"),
        ("Europe/Stockholm", "SEK"),
        ("Europe/Oslo", "NOK"),
        ("Europe/Copenhagen", "DKK"),
        ("Europe/Warsaw", "PLN"),
        ("Europe/Prague", "CZK"),
        ("Europe/Budapest", "HUF"),
        ("Europe/Bucharest", "RON"),
        ("Europe/Istanbul", "TRY"),
        ("Europe/Kyiv", "UAH"),
        ("America/Toronto", "CAD"),
        ("America/Vancouver", "CAD"),
        ("America/Mexico_City", "MXN"),
        ("America/Sao_Paulo", "BRL"),
        ("America/New_York", "USD"),
        ("America/Chicago", "USD"),
        ("America/Denver", "USD"),
        ("America/Los_Angeles", "USD"),
        ("Asia/Tokyo", "JPY"),
        ("Asia/Shanghai", "CNY"),
        ("Asia/Kolkata", "INR"),
        ("Asia/Singapore", "SGD"),
        ("Australia/Sydney", "AUD"),
        ("Australia/Melbourne", "AUD"),
        ("Pacific/Auckland", "NZD"),
    ];
    BY_ZONE.iter().find(|(name, _)| *name == zone).map_or("EUR", |(_, code)| code)
}

/// Currencies that forms offer; any other ISO 4217 code may be typed.
pub const CURRENCIES: [(&str, &str); 24] = [
    ("EUR", "Euro"),
    ("USD", "US dollar"),
    ("GBP", "Pound sterling"),
    ("CHF", "Swiss franc"),
    ("JPY", "Yen"),
    ("CAD", "Canadian dollar"),
    ("AUD", "Australian dollar"),
    ("NZD", "New Zealand dollar"),
    ("SEK", "Swedish krona"),
    ("NOK", "Norwegian krone"),
    ("DKK", "Danish krone"),
    ("PLN", "Złoty"),
    ("CZK", "Czech koruna"),
    ("HUF", "Forint"),
    ("RON", "Romanian leu"),
    ("BGN", "Bulgarian lev"),
    ("TRY", "Turkish lira"),
    ("UAH", "Hryvnia"),
    ("INR", "Indian rupee"),
    ("CNY", "Yuan"),
    ("SGD", "Singapore dollar"),
    ("BRL", "Brazilian real"),
    ("MXN", "Mexican peso"),
    ("ZAR", "Rand"),
];
