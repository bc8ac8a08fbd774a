//! A statement and its values. How it runs is [`super`]'s.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use super::{DbError, Engine, Value};

/// A statement and its values, ready to run on either engine.
#[must_use = "a statement does nothing until it is run"]
#[derive(Clone, Debug)]
pub struct Sql {
    text: Cow<'static, str>,
    values: Vec<Value>,
    is_single: bool,
}

/// Begins a statement from its text.
pub fn sql(text: impl Into<Cow<'static, str>>) -> Sql {
    Sql { text: text.into(), values: Vec::new(), is_single: false }
}

impl Sql {
    /// Binds the next value: the first call fills `$1`.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Binds a list of values.
    pub fn bind_all<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// Says that it finds a row at most, and no row that is all null.
    pub fn single(mut self) -> Self {
        self.is_single = true;
        self
    }

    pub(super) fn is_single(&self) -> bool {
        self.is_single
    }

    /// This and another statement that is [single](Self::single) as one: the columns of the other one last, and null where
    /// it finds nothing.
    pub(super) fn beside(&self, other: &Self) -> Self {
        let mut text = format!("select q.*, f.* from ({}) as q left join (", self.text);
        other.add_to(&mut text, self.values.len());
        text.push_str(") as f on true");
        let values = self.values.iter().chain(&other.values).cloned();
        sql(text).bind_all(values)
    }

    /// Adds its text to others', with its values numbered on after so many of theirs.
    pub(super) fn add_to(&self, all: &mut String, before: usize) {
        let mut copied = 0;
        each_parameter(&self.text, |place, number| {
            let _ = write!(all, "{}${}", &self.text[copied..place.start], number + before);
            copied = place.end;
        });
        all.push_str(&self.text[copied..]);
    }

    /// Its values alone.
    pub(super) fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// The statement's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The values bound so far, in order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The same statement under `explain`: how the engine means to run it. Both engines answer in lines.
    pub fn explained(mut self, engine: Engine) -> Self {
        let prefix = match engine {
            Engine::Sqlite => "explain query plan ",
            Engine::Postgres => "explain ",
        };
        self.text = Cow::Owned(format!("{prefix}{}", self.text));
        self
    }

    pub(super) fn check(&self) -> Result<(), DbError> {
        let mut wanted = 0;
        each_parameter(&self.text, |_, number| wanted = wanted.max(number));
        if wanted == self.values.len() {
            return Ok(());
        }
        Err(DbError::Binds { wanted, given: self.values.len(), text: self.text.to_string() })
    }
}

/// Each `$n` of a statement, in order: where it stands, and its number. Text in quotes does not count.
fn each_parameter(text: &str, mut found: impl FnMut(Range<usize>, usize)) {
    let mut quoted = false;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((start, byte)) = bytes.next() {
        match byte {
            b'\'' => quoted = !quoted,
            b'$' if !quoted => {
                let (mut number, mut end) = (0, start + 1);
                while let Some((at, digit)) = bytes.next_if(|(_, byte)| byte.is_ascii_digit()) {
                    number = number * 10 + usize::from(digit - b'0');
                    end = at + 1;
                }
                if end > start + 1 {
                    found(start..end, number);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_parameters_outside_quotes() {
        let parameters = |text: &'static str| {
            let mut highest = 0;
            each_parameter(text, |_, number| highest = highest.max(number));
            highest
        };
        assert_eq!(parameters("select 1"), 0);
        assert_eq!(parameters("select $1, $2 where a = '$9' and b = $2"), 2);
        assert_eq!(parameters("select $12"), 12);
    }

    #[test]
    fn values_are_numbered_on_outside_quotes() {
        let added = |text: &'static str, before| {
            let mut all = "x; ".to_owned();
            sql(text).add_to(&mut all, before);
            all
        };
        assert_eq!(
            added("a = $1 and b = '$9''$2' and c in ($2,$10)", 3),
            "x; a = $4 and b = '$9''$2' and c in ($5,$13)"
        );
        assert_eq!(added("a = $1", 0), "x; a = $1");
        assert_eq!(added("a like '%ü$' or b = $3$", 1), "x; a like '%ü$' or b = $4$");
    }

    #[test]
    fn stands_beside_another_with_its_own_parameters() {
        let both = sql("select $1 + $2 as n").bind(1_i64).bind(2_i64).beside(&sql("select '$1', $1, $12").bind(3_i64));
        let text = "select q.*, f.* from (select $1 + $2 as n) as q left join (select '$1', $3, $14) as f on true";
        assert_eq!((both.text(), both.values().len()), (text, 3));
    }

    #[test]
    fn a_missing_value_is_an_error_and_not_null() {
        assert!(matches!(sql("select $1").check(), Err(DbError::Binds { wanted: 1, given: 0, .. })));
        assert!(matches!(
            sql("select $1").bind(1_i64).bind(2_i64).check(),
            Err(DbError::Binds { wanted: 1, given: 2, .. })
        ));
    }
}
