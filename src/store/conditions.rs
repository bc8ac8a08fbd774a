//! What statements that are put together share: their values, and conditions on when something happened.

use std::fmt::Write as _;

use crate::domain::access::Actor;
use crate::domain::when::{Occurred, Precision};

use super::db::{Sql, Value, sql};

/// The values of a statement that is put together: `$1` is the household, `$2` the member, `$3` whether deleted records
/// are meant.
pub(super) struct Binds(Vec<Value>);

impl Binds {
    pub(super) fn of(actor: &Actor, deleted: bool) -> Self {
        Self(vec![actor.household.into(), actor.member.into(), deleted.into()])
    }

    /// The same without the third.
    pub(super) fn two(actor: &Actor) -> Self {
        Self(vec![actor.household.into(), actor.member.into()])
    }

    /// Adds a value and gives its place.
    pub(super) fn add(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    pub(super) fn into_sql(self, text: String) -> Sql {
        sql(text).bind_all(self.0)
    }
}

/// That something happened in a record from the beginning of one date to the end of another.
pub(super) fn happened(record: &str, from: Option<Occurred>, until: Option<Occurred>, asked: &mut Binds) -> String {
    let range = in_range("t", from, until, asked);
    format!(
        "(select 1 from timeline_entry as t
          where t.household_id = $1 and t.record_id = {record} and t.happening {range}
          limit 1) is not null"
    )
}

/// That an entry of a story lies between two dates; a coarser date counts if any of it can be meant.
pub(super) fn in_range(alias: &str, from: Option<Occurred>, until: Option<Occurred>, asked: &mut Binds) -> String {
    let mut range = String::new();
    if let Some(until) = until {
        let _ = write!(range, " and {alias}.occurred_from <= {}", asked.add(until.until_key()));
    }
    if let Some(from) = from {
        let (year, month, first) =
            (asked.add(from.year_key()), asked.add(from.month_key()), asked.add(from.from_key()));
        let (of_year, of_month) = (asked.add(Precision::Year.rank()), asked.add(Precision::Month.rank()));
        let _ = write!(
            range,
            " and {alias}.occurred_from >= {year}
              and ({alias}.occurred_from >= {first} or {alias}.occurred_precision = {of_year}
                   or ({alias}.occurred_precision = {of_month} and {alias}.occurred_from >= {month}))"
        );
    }
    range
}

/// The places of a list of values from `$first` on, and the values; none of an empty list. They are a power of two, the last
/// one said again: few different texts, so that each stays prepared. A page never has more than fit.
pub(super) fn places<T: Copy + Into<Value>>(first: usize, values: &[T]) -> Option<(String, Vec<Value>)> {
    let last = values.last()?;
    let count = values.len().next_power_of_two();
    let padded = values.iter().chain(std::iter::repeat(last)).take(count).map(|value| (*value).into()).collect();
    let places = (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    Some((places, padded))
}
