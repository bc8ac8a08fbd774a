//! A transaction on SQLite. Each statement is a way to the driver's own thread and back, which takes longer than most
//! statements do: those whose answers nobody waits for go along with the next one, in one text.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, SqliteExecutor};

use super::{DbError, Row, Sql, Value};
use crate::domain::instant::Instant;

/// How many statements, and how many values, wait at most.
const TOGETHER: (usize, usize) = (16, 4000);

/// A transaction. Dropped before its end, it is undone.
#[derive(Debug)]
pub(super) struct SqliteTx {
    open: sqlx::Transaction<'static, sqlx::Sqlite>,
    /// Statements whose answers nobody waits for yet.
    waiting: Vec<Sql>,
    failed: bool,
}

impl SqliteTx {
    pub(super) fn new(open: sqlx::Transaction<'static, sqlx::Sqlite>) -> Self {
        Self { open, waiting: Vec::new(), failed: false }
    }

    /// Runs a statement, after those that wait, and returns its rows.
    pub(super) async fn all(&mut self, statement: Sql) -> Result<Vec<Row>, DbError> {
        // Those before it only write: all the rows are its own.
        self.waiting.push(statement);
        let found = all(&mut *self.open, std::mem::take(&mut self.waiting)).await;
        self.failed |= found.is_err();
        found
    }

    /// Runs a statement, after those that wait, and returns how many rows it touched.
    pub(super) async fn run(&mut self, statement: Sql) -> Result<u64, DbError> {
        self.flush().await?;
        self.waiting.push(statement);
        self.flush().await
    }

    /// Takes a statement that is run with a later one: what it touches is of no interest, and if it fails, that shows then,
    /// at the latest at the end.
    pub(super) async fn later(&mut self, statement: Sql) -> Result<(), DbError> {
        self.waiting.push(statement);
        let values: usize = self.waiting.iter().map(|sql| sql.values().len()).sum();
        if self.waiting.len() >= TOGETHER.0 || values >= TOGETHER.1 {
            self.flush().await?;
        }
        Ok(())
    }

    /// Makes everything in it durable.
    pub(super) async fn commit(mut self) -> Result<(), DbError> {
        self.flush().await?;
        if self.failed {
            return Err(DbError::Aborted);
        }
        Ok(self.open.commit().await?)
    }

    /// Undoes everything in it.
    pub(super) async fn rollback(self) -> Result<(), DbError> {
        Ok(self.open.rollback().await?)
    }

    /// Runs what waits, and returns how many rows it touched.
    async fn flush(&mut self) -> Result<u64, DbError> {
        if self.waiting.is_empty() {
            return Ok(0);
        }
        let done = run(&mut *self.open, std::mem::take(&mut self.waiting)).await;
        self.failed |= done.is_err();
        done
    }
}

/// Runs statements, and returns their rows.
pub(super) async fn all<'e>(on: impl SqliteExecutor<'e>, statements: Vec<Sql>) -> Result<Vec<Row>, DbError> {
    let (text, arguments) = together(statements)?;
    Ok(on.fetch_all(sqlx::query_with(&text, arguments)).await?.into_iter().map(Row::Sqlite).collect())
}

/// Runs statements, and returns how many rows they touched.
pub(super) async fn run<'e>(on: impl SqliteExecutor<'e>, statements: Vec<Sql>) -> Result<u64, DbError> {
    let (text, arguments) = together(statements)?;
    Ok(on.execute(sqlx::query_with(&text, arguments)).await?.rows_affected())
}

/// Statements as one text: the driver runs one after the other, and their values are numbered on.
fn together(all: Vec<Sql>) -> Result<(String, SqliteArguments<'static>), DbError> {
    let mut text = String::new();
    let mut arguments = SqliteArguments::default();
    let mut before = 0;
    for sql in all {
        if !text.is_empty() {
            text.push_str(";\n");
        }
        sql.add_to(&mut text, before);
        before += sql.values().len();
        for value in sql.into_values() {
            let added = match value {
                Value::Text(v) => arguments.add(v),
                Value::Int(v) => arguments.add(v),
                Value::Bool(v) => arguments.add(v.map(i64::from)),
                Value::Bytes(v) => arguments.add(v),
                Value::Uuid(v) => arguments.add(v.map(|id| id.to_string())),
                Value::Instant(v) => arguments.add(v.map(Instant::micros)),
            };
            added.map_err(|e| DbError::Engine(sqlx::Error::Encode(e)))?;
        }
    }
    Ok((text, arguments))
}
