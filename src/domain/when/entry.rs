//! Dates and times as people type them.

use jiff::civil::Date;

use crate::domain::Refusal;

use super::{MONTHS, month_name};

pub(super) type Parts = (i32, Option<i32>, Option<i32>);

pub(super) fn read_date(typed: &str, today: Date) -> Result<Parts, Refusal> {
    let refuse = || Refusal::new("Enter a date such as 27 3 2019, March 2019 or 2016");
    let whole = |date: Date| (i32::from(date.year()), Some(i32::from(date.month())), Some(i32::from(date.day())));
    match typed.to_lowercase().as_str() {
        "" => return Err(Refusal::new("Enter when it happened, such as 27 3 2019, March 2019 or 2016")),
        "today" => return Ok(whole(today)),
        "yesterday" => return today.yesterday().map(whole).map_err(|_| refuse()),
        _ => {}
    }
    if typed.chars().count() > 40 {
        return Err(refuse());
    }
    let mut month_by_name = None;
    let mut numbers: Vec<&str> = Vec::new();
    for part in typed.split(|c: char| c.is_whitespace() || matches!(c, '.' | '/' | '-' | ',')) {
        if part.is_empty() {
            continue;
        }
        if part.bytes().all(|b| b.is_ascii_digit()) && part.len() <= 4 {
            numbers.push(part);
        } else if let (Some(month), None) = (month_from_name(part), month_by_name) {
            month_by_name = Some(month);
        } else if let Some(day) = ordinal(part) {
            numbers.push(day);
        } else {
            return Err(refuse());
        }
    }
    let value = |text: &str| text.parse::<i32>().map_err(|_| refuse());
    let is_year = |text: &str| text.len() == 4;
    match (month_by_name, numbers.as_slice()) {
        (None, [year]) if is_year(year) => Ok((value(year)?, None, None)),
        (None, [month, year]) if is_year(year) => Ok((value(year)?, Some(value(month)?), None)),
        (None, [year, month]) if is_year(year) => Ok((value(year)?, Some(value(month)?), None)),
        (None, [day, month, year]) if is_year(year) => Ok((value(year)?, Some(value(month)?), Some(value(day)?))),
        (None, [year, month, day]) if is_year(year) => Ok((value(year)?, Some(value(month)?), Some(value(day)?))),
        (Some(month), [year]) if is_year(year) => Ok((value(year)?, Some(month), None)),
        (Some(month), [day, year]) if is_year(year) => Ok((value(year)?, Some(month), Some(value(day)?))),
        (Some(month), [year, day]) if is_year(year) => Ok((value(year)?, Some(month), Some(value(day)?))),
        (_, [.., last]) if !numbers.iter().any(|n| is_year(n)) && last.len() <= 2 => {
            Err(Refusal::new("Enter the year with four digits, such as 2019"))
        }
        _ => Err(refuse()),
    }
}

fn ordinal(part: &str) -> Option<&str> {
    let digits =
        part.strip_suffix("st").or(part.strip_suffix("nd")).or(part.strip_suffix("rd")).or(part.strip_suffix("th"))?;
    (matches!(digits.len(), 1 | 2) && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

fn month_from_name(part: &str) -> Option<i32> {
    let part = part.to_lowercase();
    if part.chars().count() < 3 {
        return None;
    }
    let at = MONTHS
        .iter()
        .position(|name| name.to_lowercase().starts_with(&part) || (part == "sept" && *name == "September"))?;
    i32::try_from(at + 1).ok()
}

pub(super) fn checked_date(year: i32, month: i32, day: i32) -> Result<Date, Refusal> {
    if !(1..=12).contains(&month) {
        return Err(Refusal(format!("There is no month {month}. Enter a month from 1 to 12")));
    }
    let (year, month) = (year as i16, month as i8);
    let first = Date::new(year, month, 1).map_err(|_| Refusal::new("Enter a year from 1 to 9999"))?;
    let days = i32::from(first.days_in_month());
    if !(1..=days).contains(&day) {
        let (name, year_words) = (month_name(month), if month == 2 { format!(" in {year}") } else { String::new() });
        return Err(Refusal(format!("There is no {day} {name}{year_words}. The month has {days} days")));
    }
    Date::new(year, month, day as i8).map_err(|_| Refusal::new("Enter a date such as 27 3 2019"))
}

pub(super) fn read_time(typed: &str) -> Result<(i8, i8), Refusal> {
    let refuse = || Refusal::new("Enter a time such as 14:30, or leave it empty");
    let lower = typed.to_lowercase().replace(' ', "");
    let (clock, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (_, Some(clock)) => (clock, Some(12)),
        _ => (lower.as_str(), None),
    };
    let (hour, minute) = match clock.split_once([':', '.', 'h']) {
        Some((hour, minute)) => (hour, minute),
        None if clock.len() == 4 && clock.is_ascii() => clock.split_at(2),
        None if half.is_some() => (clock, "00"),
        None => return Err(refuse()),
    };
    let number = |text: &str| -> Result<i8, Refusal> {
        if text.is_empty() || text.len() > 2 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        text.parse().map_err(|_| refuse())
    };
    let (mut hour, minute) = (number(hour)?, number(minute)?);
    if let Some(half) = half {
        if !(1..=12).contains(&hour) {
            return Err(refuse());
        }
        hour = hour % 12 + half;
    }
    if hour > 23 || minute > 59 {
        return Err(refuse());
    }
    Ok((hour, minute))
}
