//! Rows, read by column name.

use std::ops::Range;
use std::sync::Arc;

use rusqlite::types::Value as Cell;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use crate::domain::instant::Instant;

use super::DbError;
use super::direct::Cells;
use super::postgres::EPOCH;

/// A row of either engine, read by column name.
#[allow(missing_debug_implementations)]
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From SQLite, read to its end.
    Direct(Cells),
    /// From PostgreSQL.
    Postgres(tokio_postgres::Row),
    /// From PostgreSQL: some columns of a row that answers two statements.
    PostgresPart(Arc<tokio_postgres::Row>, Range<usize>),
}

/// What some columns of a row hold, so that two rows can be compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Print(Arc<[u8]>);

impl Row {
    /// What the row holds in some columns, in its own order; none where that cannot be told.
    pub fn print(&self, of: impl Fn(&str) -> bool) -> Option<Print> {
        match self {
            Self::Sqlite(_) => None,
            Self::Direct(cells) => Some(Print(cells.print(of).into())),
            Self::Postgres(row) => print(row, 0..row.len(), of),
            Self::PostgresPart(row, part) => print(row, part.clone(), of),
        }
    }

    /// Takes the row of two statements that stand beside each other apart after a column of the first. None for the second
    /// if it found nothing.
    pub(super) fn apart(self, after: &str) -> Result<(Self, Option<Self>), DbError> {
        let Self::Postgres(row) = self else { return Err(bad(after, "it is not PostgreSQL's")) };
        let (at, all) = (find(&row, 0..row.len(), after)? + 1, row.len());
        let row = Arc::new(row);
        let found = (at..all).any(|at| matches!(row.try_get::<_, Option<Raw<'_>>>(at), Ok(Some(_))));
        let second = found.then(|| Self::PostgresPart(Arc::clone(&row), at..all));
        Ok((Self::PostgresPart(row, 0..at), second))
    }
}

fn print(row: &tokio_postgres::Row, part: Range<usize>, of: impl Fn(&str) -> bool) -> Option<Print> {
    let mut print = Vec::new();
    for at in part.filter(|at| of(row.columns()[*at].name())) {
        let bytes = row.try_get::<_, Option<Raw<'_>>>(at).ok()?;
        print.push(u8::from(bytes.is_some()));
        let bytes = bytes.map_or(&[][..], |Raw(bytes)| bytes);
        print.extend(bytes.len().to_le_bytes());
        print.extend(bytes);
    }
    Some(Print(print.into()))
}

/// A value as PostgreSQL sends it.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Cells {
    fn text(&self, column: &str) -> Result<Option<String>, DbError> {
        match self.find(column)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text.clone())),
            _ => Err(bad(column, "it is no text")),
        }
    }

    fn int(&self, column: &str) -> Result<Option<i64>, DbError> {
        match self.find(column)? {
            Cell::Null => Ok(None),
            Cell::Integer(n) => Ok(Some(*n)),
            _ => Err(bad(column, "it is no number")),
        }
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, DbError> {
        match self.find(column)? {
            Cell::Null => Ok(None),
            Cell::Blob(bytes) => Ok(Some(bytes.clone())),
            _ => Err(bad(column, "it holds no bytes")),
        }
    }

    fn find(&self, column: &str) -> Result<&Cell, DbError> {
        self.get(column).ok_or_else(|| bad(column, "there is no such column"))
    }
}

macro_rules! column {
    ($(#[$doc:meta])* $name:ident, $optional:ident -> $out:ty,
     sqlite $cell:ident $sqlite:ty => |$s:ident| $from_sqlite:expr, postgres $pg:ty => |$p:ident| $from_pg:expr) => {
        $(#[$doc])*
        pub fn $name(&self, column: &str) -> Result<$out, DbError> {
            self.$optional(column)?.ok_or_else(|| bad(column, "it is null"))
        }

        $(#[$doc])*
        /// May be null.
        pub fn $optional(&self, column: &str) -> Result<Option<$out>, DbError> {
            match self {
                Self::Sqlite(row) => match row.try_get::<Option<$sqlite>, _>(column)? {
                    Some($s) => $from_sqlite.map(Some).ok_or_else(|| bad(column, "its value is not of its type")),
                    None => Ok(None),
                },
                Self::Direct(cells) => match cells.$cell(column)? {
                    Some($s) => $from_sqlite.map(Some).ok_or_else(|| bad(column, "its value is not of its type")),
                    None => Ok(None),
                },
                Self::Postgres(row) => Ok(pg::<Option<$pg>>(row, 0..row.len(), column)?.map(|$p| $from_pg)),
                Self::PostgresPart(row, part) => {
                    Ok(pg::<Option<$pg>>(row, part.clone(), column)?.map(|$p| $from_pg))
                }
            }
        }
    };
}

impl Row {
    column!(
        /// Text.
        text, opt_text -> String, sqlite text String => |v| Some(v), postgres String => |v| v
    );
    column!(
        /// A whole number.
        int, opt_int -> i64, sqlite int i64 => |v| Some(v), postgres i64 => |v| v
    );
    column!(
        /// A truth value.
        bool, opt_bool -> bool, sqlite int i64 => |v| Some(v != 0), postgres bool => |v| v
    );
    column!(
        /// Bytes.
        bytes, opt_bytes -> Vec<u8>, sqlite bytes Vec<u8> => |v| Some(v), postgres Vec<u8> => |v| v
    );
    column!(
        /// An identity.
        uuid, opt_uuid -> Uuid, sqlite text String => |v| v.parse().ok(), postgres Uuid => |v| v
    );
    column!(
        /// An instant.
        instant, opt_instant -> Instant,
        sqlite int i64 => |v| Some(Instant::from_micros(v)),
        postgres Micros => |v| Instant::from_micros(v.0.saturating_add(EPOCH))
    );

    /// Text as it lies in the row.
    pub fn str(&self, column: &str) -> Result<&str, DbError> {
        match self {
            Self::Sqlite(row) => Ok(row.try_get::<&str, _>(column)?),
            Self::Direct(cells) => match cells.find(column)? {
                Cell::Text(text) => Ok(text),
                _ => Err(bad(column, "it is no text")),
            },
            Self::Postgres(row) => pg::<&str>(row, 0..row.len(), column),
            Self::PostgresPart(row, part) => pg::<&str>(row, part.clone(), column),
        }
    }

    /// Bytes as they lie in the row.
    pub fn slice(&self, column: &str) -> Result<&[u8], DbError> {
        match self {
            Self::Sqlite(row) => Ok(row.try_get::<&[u8], _>(column)?),
            Self::Direct(cells) => match cells.find(column)? {
                Cell::Blob(bytes) => Ok(bytes),
                _ => Err(bad(column, "it holds no bytes")),
            },
            Self::Postgres(row) => pg::<&[u8]>(row, 0..row.len(), column),
            Self::PostgresPart(row, part) => pg::<&[u8]>(row, part.clone(), column),
        }
    }

    /// What a column's JSON says.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, DbError> {
        serde_json::from_str(self.str(column)?).map_err(|e| bad(column, &e.to_string()))
    }

    /// Exactly 32 bytes: a SHA-256 digest.
    pub fn digest(&self, column: &str) -> Result<[u8; 32], DbError> {
        self.bytes(column)?.try_into().map_err(|_| bad(column, "it is not 32 bytes long"))
    }

    /// Exactly 16 bytes: a salt.
    pub fn salt(&self, column: &str) -> Result<[u8; 16], DbError> {
        self.bytes(column)?.try_into().map_err(|_| bad(column, "it is not 16 bytes long"))
    }
}

fn pg<'a, T: FromSql<'a>>(row: &'a tokio_postgres::Row, part: Range<usize>, column: &str) -> Result<T, DbError> {
    row.try_get(find(row, part, column)?).map_err(|error| bad(column, &error.to_string()))
}

/// Which column it is.
fn find(row: &tokio_postgres::Row, part: Range<usize>, column: &str) -> Result<usize, DbError> {
    let mut columns = part.filter(|at| row.columns().get(*at).is_some_and(|known| known.name() == column));
    columns.next().ok_or_else(|| bad(column, "there is no such column"))
}

/// An instant as PostgreSQL sends it: microseconds since its epoch.
struct Micros(i64);

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        i64::from_sql(&Type::INT8, raw).map(Self)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

/// An error for a column whose value cannot be understood.
pub fn bad(column: &str, problem: &str) -> DbError {
    DbError::Column { column: column.to_owned(), problem: problem.to_owned() }
}
