//! Statements with their values: written to a file for the bare server, or taped from the program and run again
//! without it.

use std::collections::HashMap;

use lifeops::domain::instant::Instant;
use lifeops::store::db::{Sql, Value};
use serde::{Deserialize, Serialize};
use sqlx::Arguments as _;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Outcome;

/// A value as it is bound.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Bound {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
    Uuid(Option<Uuid>),
    /// Microseconds since the Unix epoch.
    Instant(Option<i64>),
}

impl From<&Value> for Bound {
    fn from(value: &Value) -> Self {
        match value {
            Value::Text(v) => Self::Text(v.clone()),
            Value::Int(v) => Self::Int(*v),
            Value::Bool(v) => Self::Bool(*v),
            Value::Bytes(v) => Self::Bytes(v.clone()),
            Value::Uuid(v) => Self::Uuid(*v),
            Value::Instant(v) => Self::Instant(v.map(Instant::micros)),
        }
    }
}

/// A statement and its values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Taped {
    pub text: String,
    pub values: Vec<Bound>,
}

impl From<&Sql> for Taped {
    fn from(sql: &Sql) -> Self {
        Self { text: sql.text().to_owned(), values: sql.values().iter().map(Bound::from).collect() }
    }
}

impl Taped {
    pub fn new(text: &str, ids: &[Uuid]) -> Self {
        Self { text: text.to_owned(), values: ids.iter().map(|id| Bound::Uuid(Some(*id))).collect() }
    }

    pub fn sqlite(&self) -> Outcome<sqlx::query::Query<'_, Sqlite, SqliteArguments<'_>>> {
        let mut arguments = SqliteArguments::default();
        for value in &self.values {
            match value {
                Bound::Text(v) => arguments.add(v.as_deref()),
                Bound::Int(v) | Bound::Instant(v) => arguments.add(*v),
                Bound::Bool(v) => arguments.add(v.map(i64::from)),
                Bound::Bytes(v) => arguments.add(v.as_deref()),
                Bound::Uuid(v) => arguments.add(v.map(|id| id.to_string())),
            }?;
        }
        Ok(sqlx::query_with(&self.text, arguments))
    }

    pub fn postgres(&self) -> Outcome<sqlx::query::Query<'_, Postgres, PgArguments>> {
        let mut arguments = PgArguments::default();
        for value in &self.values {
            match value {
                Bound::Text(v) => arguments.add(v.as_deref()),
                Bound::Int(v) => arguments.add(*v),
                Bound::Bool(v) => arguments.add(*v),
                Bound::Bytes(v) => arguments.add(v.as_deref()),
                Bound::Uuid(v) => arguments.add(*v),
                Bound::Instant(v) => arguments.add(match v {
                    Some(micros) => Some(OffsetDateTime::from_unix_timestamp_nanos(i128::from(*micros) * 1000)?),
                    None => None,
                }),
            }?;
        }
        Ok(sqlx::query_with(&self.text, arguments))
    }
}

/// What the bare server's pages ask.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pages {
    pub household: Uuid,
    pub member: Uuid,
    /// The program's own statement with the rows of the timeline, if it has one.
    pub timeline: Option<Taped>,
    /// What the program asks for each address, where finding things is measured.
    #[serde(default)]
    pub taped: HashMap<String, Vec<Taped>>,
}
