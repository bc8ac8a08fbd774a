//! How many there are, as lists and searches say it; and, where not everything was read for it, the way to count to the end.

use crate::error::{Error, Result};
use crate::store::count::{COUNTED, Count};

use super::forms::RawForm;

/// "57 records", "More than 1,000 records": how many there are.
pub fn words(count: Count, deleted: bool) -> String {
    let of = |count: i64| match (deleted, count) {
        (false, 1) => "record",
        (false, _) => "records",
        (true, 1) => "deleted record",
        (true, _) => "deleted records",
    };
    match count {
        Count::Exactly(0) => format!("No {}", of(0)),
        Count::Exactly(count) => format!("{} {}", grouped(count), of(count)),
        Count::Many => format!("More than {} {}", grouped(COUNTED), of(COUNTED)),
        Count::AtLeast(0) => format!("No {} so far", of(0)),
        Count::AtLeast(count) => format!("At least {} {}", grouped(count), of(count)),
    }
}

/// A number with a comma after its thousands.
pub fn grouped(number: i64) -> String {
    let digits = number.to_string();
    match digits.len() {
        4.. => format!("{},{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..]),
        _ => digits,
    }
}

/// Whether somebody asked to have everything counted, and what came of it.
#[derive(Debug)]
pub struct Counting {
    is_wanted: bool,
    known: Count,
}

impl Counting {
    /// What an address asks for, and what is known without.
    pub fn of(asked: &RawForm, known: Count) -> Self {
        Self { is_wanted: asked.text("count") == "all" && matches!(known, Count::AtLeast(_)), known }
    }

    /// Whether there is something to count to the end.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// What was counted; what was known before, if it took too long.
    ///
    /// # Errors
    /// Whatever else happened.
    pub fn done(&self, counted: Result<Count>) -> Result<Count> {
        match counted {
            Ok(count) => Ok(count),
            Err(Error::Unavailable(_)) => Ok(self.known),
            Err(error) => Err(error),
        }
    }

    /// What stands beside the number, where not everything was counted: the way to it, or that it took too long.
    pub fn shown(&self, count: Count, address: impl FnOnce(&[(&str, &str)]) -> String) -> Option<CountLink> {
        matches!(count, Count::AtLeast(_)).then(|| match self.is_wanted {
            true => CountLink::TookTooLong,
            false => CountLink::To(address(&[("count", "all")])),
        })
    }
}

/// What stands beside a number that is not known to the end.
#[derive(Debug)]
pub enum CountLink {
    /// The address that counts it.
    To(String),
    /// It was tried.
    TookTooLong,
}
