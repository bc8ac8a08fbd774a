//! When something happened, honest about what is known of it.
//!
//! One text in ISO 8601 with reduced precision: `2019`, `2019-05`, `2019-05-03` or `2019-05-03T14:30`. Its length is its
//! precision. It is a wall-clock date of the place where it happened and is never shifted by a time zone.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};

use serde::{Serialize, Serializer};

use super::Refusal;

mod entry;

use entry::{checked_date, read_date, read_time};

/// How much of a date is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Precision {
    /// The year alone.
    Year,
    /// Year and month.
    Month,
    /// The day.
    Day,
    /// The day, the hour and the minute.
    Minute,
}

impl Precision {
    /// 1 for a year, 2 for a month, 3 for a day, 4 for a minute: finer is greater, as projections sort it.
    pub fn rank(self) -> i64 {
        match self {
            Self::Year => 1,
            Self::Month => 2,
            Self::Day => 3,
            Self::Minute => 4,
        }
    }
}

/// When something happened in real life. Years 0001 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Occurred {
    precision: Precision,
    from: DateTime,
}

/// The order of assertions in time: lower bound, then finer precision later.
impl PartialOrd for Occurred {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Occurred {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.from.cmp(&other.from).then(self.precision.cmp(&other.precision))
    }
}

impl Occurred {
    /// A whole day.
    pub fn day(date: Date) -> Self {
        Self { precision: Precision::Day, from: date.to_datetime(Time::midnight()) }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// A sentence, if the text is no date in one of the four forms.
    pub fn parse_iso(text: &str) -> Result<Self, Refusal> {
        let refuse =
            || Refusal(format!("“{text}” is no date in the form 2019, 2019-05, 2019-05-03 or 2019-05-03T14:30."));
        let number = |range: std::ops::Range<usize>| -> Option<i16> {
            let digits = text.get(range)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let dash = |at: usize| text.as_bytes().get(at) == Some(&b'-');
        let precision = match text.len() {
            4 => Precision::Year,
            7 if dash(4) => Precision::Month,
            10 if dash(4) && dash(7) => Precision::Day,
            16 if dash(4) && dash(7) && text.as_bytes()[10] == b'T' && text.as_bytes()[13] == b':' => Precision::Minute,
            _ => return Err(refuse()),
        };
        let part = |wanted: Precision, range: std::ops::Range<usize>, otherwise: i16| {
            if precision >= wanted { number(range).ok_or_else(refuse) } else { Ok(otherwise) }
        };
        let year = number(0..4).ok_or_else(refuse)?;
        let month = part(Precision::Month, 5..7, 1)?;
        let day = part(Precision::Day, 8..10, 1)?;
        let hour = part(Precision::Minute, 11..13, 0)?;
        let minute = part(Precision::Minute, 14..16, 0)?;
        if year == 0 {
            return Err(refuse());
        }
        let from = DateTime::new(year, month as i8, day as i8, hour as i8, minute as i8, 0, 0).map_err(|_| refuse())?;
        Ok(Self { precision, from })
    }

    /// Reads what a person typed: a date as far as it is known, and a time if that is known too.
    ///
    /// Understood: `2019`, `5 2019`, `05/2019`, `2019-05`, `May 2019`, `27 3 2027`, `27.3.2027`, `27/3/2027`, `27 March 2027`,
    /// `March 27, 2027`, `2027-03-27`, `today` and `yesterday`; times `14:30`, `14.30`, `2:30 pm`, `1430`. Where a
    /// day and a month could be swapped, the day comes first. `now` is the wall clock where the person is.
    ///
    /// # Errors
    /// A sentence that says what is wrong: not a date, no such day, or in the future.
    pub fn parse_entry(date: &str, time: &str, now: DateTime) -> Result<Self, Refusal> {
        let (year, month, day) = read_date(date.trim(), now.date())?;
        let time = time.trim();
        if !(1..=9999).contains(&year) {
            return Err(Refusal::new("Enter a year from 1 to 9999"));
        }
        let (precision, from) = match (month, day) {
            (None, _) => (Precision::Year, checked_date(year, 1, 1)?),
            (Some(month), None) => (Precision::Month, checked_date(year, month, 1)?),
            (Some(month), Some(day)) => (Precision::Day, checked_date(year, month, day)?),
        };
        let mut occurred = Self { precision, from: from.to_datetime(Time::midnight()) };
        if !time.is_empty() {
            if precision != Precision::Day {
                return Err(Refusal::new("A time needs the day as well. Enter the day, or leave the time empty"));
            }
            let (hour, minute) = read_time(time)?;
            occurred = Self { precision: Precision::Minute, from: from.at(hour, minute, 0, 0) };
        }
        occurred.not_after(now)?;
        Ok(occurred)
    }

    /// Like [`Self::parse_entry`] for a date that may lie ahead, such as when a passport expires.
    ///
    /// # Errors
    /// A sentence, if it is not a date or there is no such day.
    pub fn parse_any_date(date: &str, today: Date) -> Result<Self, Refusal> {
        let (year, month, day) = read_date(date.trim(), today)?;
        if !(1..=9999).contains(&year) {
            return Err(Refusal::new("Enter a year from 1 to 9999"));
        }
        let precision = match (month, day) {
            (None, _) => Precision::Year,
            (_, None) => Precision::Month,
            _ => Precision::Day,
        };
        let from = checked_date(year, month.unwrap_or(1), day.unwrap_or(1))?;
        Ok(Self { precision, from: from.to_datetime(Time::midnight()) })
    }

    /// Refuses what has not happened yet on the wall clock `now`.
    ///
    /// # Errors
    /// A sentence, if it begins after `now`.
    pub fn not_after(self, now: DateTime) -> Result<(), Refusal> {
        if self.from <= now {
            return Ok(());
        }
        Err(Refusal(format!("{} is still to come. Record it when it happens", self.words())))
    }

    /// How much is known.
    pub fn precision(self) -> Precision {
        self.precision
    }

    /// The first moment it can have been, on the wall clock.
    pub fn first_moment(self) -> DateTime {
        self.from
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.from.year()
    }

    /// The month, 1 to 12; none if only the year is known.
    pub fn month(self) -> Option<i8> {
        (self.precision > Precision::Year).then(|| self.from.month())
    }

    /// The first minute it can have been, as `YYYY-MM-DDThh:mm`: sorts as text.
    pub fn from_key(self) -> String {
        minute(self.from)
    }

    /// The first minute of its year, as `YYYY-MM-DDThh:mm`.
    pub fn year_key(self) -> String {
        minute(self.from.date().first_of_year().at(0, 0, 0, 0))
    }

    /// The first minute of its month.
    pub fn month_key(self) -> String {
        minute(self.from.date().first_of_month().at(0, 0, 0, 0))
    }

    /// The last minute it can have been, as `YYYY-MM-DDThh:mm`.
    pub fn until_key(self) -> String {
        let date = self.from.date();
        let last = match self.precision {
            Precision::Year => date.last_of_year().at(23, 59, 0, 0),
            Precision::Month => date.last_of_month().at(23, 59, 0, 0),
            Precision::Day => date.at(23, 59, 0, 0),
            Precision::Minute => self.from,
        };
        minute(last)
    }

    /// In words: `2019`, `May 2019`, `3 May 2019`, `3 May 2019 at 14:30`.
    pub fn words(self) -> String {
        let (year, month, day) = (self.from.year(), month_name(self.from.month()), self.from.day());
        match self.precision {
            Precision::Year => format!("{year}"),
            Precision::Month => format!("{month} {year}"),
            Precision::Day => format!("{day} {month} {year}"),
            Precision::Minute => {
                format!("{day} {month} {year} at {:02}:{:02}", self.from.hour(), self.from.minute())
            }
        }
    }

    /// In few words where the year is already known: ``, `May`, `3 May`.
    pub fn words_in_year(self) -> String {
        let month: String = month_name(self.from.month()).chars().take(3).collect();
        match self.precision {
            Precision::Year => String::new(),
            Precision::Month => month,
            Precision::Day | Precision::Minute => format!("{} {month}", self.from.day()),
        }
    }

    /// As it is filled into a form again: the date (`3 5 2019`) and the time (`14:30` or nothing).
    pub fn entry(self) -> (String, String) {
        let (year, month, day) = (self.from.year(), self.from.month(), self.from.day());
        match self.precision {
            Precision::Year => (format!("{year:04}"), String::new()),
            Precision::Month => (format!("{month} {year:04}"), String::new()),
            Precision::Day => (format!("{day} {month} {year:04}"), String::new()),
            Precision::Minute => {
                (format!("{day} {month} {year:04}"), format!("{:02}:{:02}", self.from.hour(), self.from.minute()))
            }
        }
    }
}

impl Serialize for Occurred {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Occurred {
    /// The stored form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = match self.precision {
            Precision::Year => 4,
            Precision::Month => 7,
            Precision::Day => 10,
            Precision::Minute => 16,
        };
        f.write_str(minute(self.from).get(..length).unwrap_or_default())
    }
}

fn minute(at: DateTime) -> String {
    format!("{:04}-{:02}-{:02}T{:02}:{:02}", at.year(), at.month(), at.day(), at.hour(), at.minute())
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The English name of a month, 1 to 12.
pub fn month_name(month: i8) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime {
        "2026-11-22T10:00:00".parse().unwrap()
    }

    fn entry(date: &str, time: &str) -> Result<String, String> {
        Occurred::parse_entry(date, time, now()).map(|o| o.to_string()).map_err(|r| r.0)
    }

    #[test]
    fn reads_what_people_type() {
        for (typed, iso) in [
            ("2019", "2019"),
            ("0001", "0001"),
            ("5 2019", "2019-05"),
            ("05/2019", "2019-05"),
            ("2019-05", "2019-05"),
            ("May 2019", "2019-05"),
            ("sept 2019", "2019-09"),
            ("2019 may", "2019-05"),
            ("27 3 2025", "2025-03-27"),
            ("27.3.2025", "2025-03-27"),
            ("3/5/2019", "2019-05-03"),
            ("27 March 2025", "2025-03-27"),
            ("March 27th, 2025", "2025-03-27"),
            ("2025-03-27", "2025-03-27"),
            ("2025/03/27", "2025-03-27"),
            ("today", "2026-11-22"),
            ("Yesterday", "2026-11-21"),
            ("29 2 2024", "2024-02-29"),
        ] {
            assert_eq!(entry(typed, "").as_deref(), Ok(iso), "{typed}");
        }
    }

    #[test]
    fn reads_times() {
        for (typed, iso) in
            [("14:30", "T14:30"), ("2:30 pm", "T14:30"), ("12 am", "T00:00"), ("0905", "T09:05"), ("9.05", "T09:05")]
        {
            assert_eq!(entry("3 5 2019", typed), Ok(format!("2019-05-03{iso}")), "{typed}");
        }
        for typed in ["25:00", "1:60", "noon", "1", "13 pm", "٣:٣٠", "1:2:3", "-1:00"] {
            assert!(entry("3 5 2019", typed).unwrap_err().contains("14:30"), "{typed}");
        }
        assert!(entry("2019", "10:00").unwrap_err().contains("needs the day"));
    }

    #[test]
    fn refuses_with_a_sentence() {
        assert_eq!(entry("31 11 2025", "").unwrap_err(), "There is no 31 November. The month has 30 days");
        assert_eq!(entry("29 2 2023", "").unwrap_err(), "There is no 29 February in 2023. The month has 28 days");
        assert!(entry("23 11 2026", "").unwrap_err().contains("still to come"));
        assert!(entry("2027", "").unwrap_err().contains("still to come"));
        assert!(entry("22 11 2026", "10:01").unwrap_err().contains("still to come"));
        assert!(entry("3.5.19", "").unwrap_err().contains("four digits"));
        for typed in
            ["0000", "soon", "32", "1 2 3 4", "13 13 2020", "99999", "-5", "1;2", "２０１９", "a\0b", "0 5 2019"]
        {
            assert!(entry(typed, "").is_err(), "{typed}");
        }
    }

    #[test]
    fn the_stored_form_survives() {
        for iso in ["2019", "2019-05", "2019-05-03", "2019-05-03T14:30", "0001", "9999-12-31"] {
            let occurred = Occurred::parse_iso(iso).unwrap();
            assert_eq!(occurred.to_string(), iso);
            if occurred.year() < 2026 {
                let (date, time) = occurred.entry();
                assert_eq!(entry(&date, &time).as_deref(), Ok(iso));
            }
        }
        for iso in ["0000", "2019-13", "2019-02-30", "2019-05-03 14:30", "2019-5", "+019", "2019-05-03T24:00", "201é"]
        {
            assert!(Occurred::parse_iso(iso).is_err(), "{iso}");
        }
    }

    #[test]
    fn bounds_cover_what_is_unknown() {
        let keys = |iso: &str| {
            let o = Occurred::parse_iso(iso).unwrap();
            (o.from_key(), o.until_key())
        };
        assert_eq!(keys("2019"), ("2019-01-01T00:00".into(), "2019-12-31T23:59".into()));
        assert_eq!(keys("2024-02"), ("2024-02-01T00:00".into(), "2024-02-29T23:59".into()));
        assert_eq!(keys("2019-05-03T14:30"), ("2019-05-03T14:30".into(), "2019-05-03T14:30".into()));
        assert!(Occurred::parse_iso("2019").unwrap() < Occurred::parse_iso("2019-01").unwrap());
    }
}
