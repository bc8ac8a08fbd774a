//! The only place that knows which engine it talks to: one SQL text, a short list of bound values, and the two
//! `match`es that carry them to SQLite or PostgreSQL.
//!
//! A statement is written once, lower-case, with `$1`, `$2` … for its values; both engines read that form. The number
//! of values is checked against the text, because SQLite takes a missing one for NULL without a word.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::domain::analysis::Language;

use super::surroundings::Remembered;

pub mod claim;
mod direct;
mod error;
mod meter;
mod postgres;
mod row;
mod sqlite;
mod statement;
mod tls;
mod value;

pub use direct::Cells;
pub use error::DbError;
pub use meter::Meter;
pub use row::{Print, Row, bad};
pub use statement::{Sql, sql};
pub use value::Value;

use direct::Readers;
use postgres::{Connections, PgTx};
use sqlite::SqliteTx;

/// How long a statement waits for a connection.
const WAITING: Duration = Duration::from_secs(30);

/// The target under which the driver logs statements.
pub const STATEMENTS: &str = "sqlx";

/// Which engine a database runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The embedded default.
    Sqlite,
    /// The server engine.
    Postgres,
}

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Pools,
    meter: Meter,
    /// Whether whatever writes is refused.
    looks_only: bool,
    /// How text is made into words for the search.
    language: Language,
    /// How long what is asked outside a transaction may take; for ever if none.
    patience: Option<Duration>,
    remembered: Arc<Remembered>,
}

/// A database's connections.
#[derive(Clone, Debug)]
pub(super) enum Pools {
    /// SQLite: one connection that writes, some that read; reads never wait for writes.
    Sqlite {
        /// The one writer.
        writer: SqlitePool,
        /// Connections that may only read, for transactions that see one state throughout.
        readers: SqlitePool,
        /// And for everything else that is read.
        direct: Readers,
    },
    /// PostgreSQL.
    Postgres {
        /// Everything that the program itself asks.
        direct: Connections,
        /// For the libraries that bring statements of their own: the migrator, and the session store where it writes.
        driver: PgPool,
    },
}

/// How a statement runs.
impl Sql {
    /// Runs it and returns every row.
    pub async fn all<'a>(self, on: impl Into<On<'a>>) -> Result<Vec<Row>, DbError> {
        let found = match on.into() {
            On::Db(db) => db.one_by_one(vec![self]).await?,
            On::Tx(tx) => tx.together(vec![self]).await?,
            On::Writing(db) => {
                self.check()?;
                db.may_write().await?;
                let found = match &db.pools {
                    Pools::Sqlite { writer, .. } => vec![sqlite::all(writer, vec![self.clone()]).await?],
                    Pools::Postgres { direct, .. } => direct.all(std::slice::from_ref(&self), None).await?,
                };
                db.meter.count(&self, found.iter().map(Vec::len).sum());
                found
            }
        };
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// Runs it and returns the first row, if there is one.
    pub async fn optional<'a>(self, on: impl Into<On<'a>>) -> Result<Option<Row>, DbError> {
        Ok(self.all(on).await?.into_iter().next())
    }

    /// Runs it and returns the one row; none is an error.
    pub async fn one<'a>(self, on: impl Into<On<'a>>) -> Result<Row, DbError> {
        self.optional(on).await?.ok_or(DbError::Engine(sqlx::Error::RowNotFound))
    }

    /// Runs it and returns how many rows it touched. On a database (not in a transaction) SQLite's writer runs it.
    pub async fn run<'a>(self, on: impl Into<On<'a>>) -> Result<u64, DbError> {
        self.check()?;
        match on.into() {
            On::Db(db) | On::Writing(db) => {
                db.may_write().await?;
                db.meter.count(&self, 0);
                match &db.pools {
                    Pools::Sqlite { writer, .. } => sqlite::run(writer, vec![self]).await,
                    Pools::Postgres { direct, .. } => direct.run(&self).await,
                }
            }
            On::Tx(tx) => {
                tx.meter.count(&self, 0);
                match &mut tx.open {
                    Open::Sqlite(open) => open.run(self).await,
                    Open::Postgres(open) => open.run(self).await,
                }
            }
        }
    }

    /// Runs it in a transaction some time before its next statement that answers, or its end: it travels with
    /// others. If it fails, that shows there.
    pub async fn later(self, tx: &mut Tx) -> Result<(), DbError> {
        self.check()?;
        tx.meter.count(&self, 0);
        match &mut tx.open {
            Open::Sqlite(open) => open.later(self).await,
            Open::Postgres(open) => open.later(self).await,
        }
    }
}

/// Where a statement runs: on the database, or inside a transaction.
#[derive(Debug)]
pub enum On<'a> {
    /// On the database: any reader, or the writer for what answers with nothing.
    Db(&'a Db),
    /// On the database's writer, for what writes and answers.
    Writing(&'a Db),
    /// Inside a transaction.
    Tx(&'a mut Tx),
}

impl<'a> From<&'a Db> for On<'a> {
    fn from(db: &'a Db) -> Self {
        Self::Db(db)
    }
}

impl<'a> From<&'a mut Tx> for On<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        Self::Tx(tx)
    }
}

/// A transaction. Dropping it undoes it.
#[derive(Debug)]
pub struct Tx {
    open: Open,
    meter: Meter,
    language: Language,
}

#[derive(Debug)]
enum Open {
    Sqlite(Box<SqliteTx>),
    Postgres(Box<PgTx>),
}

impl Tx {
    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match self.open {
            Open::Sqlite(_) => Engine::Sqlite,
            Open::Postgres(_) => Engine::Postgres,
        }
    }

    /// How text is made into words for the search.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Runs statements that answer, in this order, and returns the rows of each. On PostgreSQL all are sent before the
    /// first answer is there.
    pub async fn together(&mut self, statements: Vec<Sql>) -> Result<Vec<Vec<Row>>, DbError> {
        statements.iter().try_for_each(Sql::check)?;
        let found = match &mut self.open {
            Open::Sqlite(open) => {
                let mut found = Vec::with_capacity(statements.len());
                for statement in &statements {
                    found.push(open.all(statement.clone()).await?);
                }
                found
            }
            Open::Postgres(open) => open.all(&statements).await?,
        };
        for (statement, rows) in statements.iter().zip(&found) {
            self.meter.count(statement, rows.len());
        }
        Ok(found)
    }

    /// Makes everything in it durable.
    pub async fn commit(self) -> Result<(), DbError> {
        match self.open {
            Open::Sqlite(tx) => tx.commit().await?,
            Open::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Undoes everything in it.
    pub async fn rollback(self) -> Result<(), DbError> {
        match self.open {
            Open::Sqlite(tx) => tx.rollback().await?,
            Open::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}

impl Db {
    /// Opens (and creates, if need be) an SQLite database file.
    pub async fn open_sqlite(path: &Path) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("recursive_triggers", "on")
            .pragma("secure_delete", "on")
            .pragma("trusted_schema", "off")
            .optimize_on_close(true, None);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(WAITING)
            .connect_with(options.clone())
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(WAITING)
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        let direct = Readers::new(path);
        Ok(Self {
            pools: Pools::Sqlite { writer, readers, direct },
            meter: Meter::default(),
            looks_only: false,
            language: Language::default(),
            patience: None,
            remembered: Arc::default(),
        })
    }

    /// Connects to a PostgreSQL database.
    pub async fn open_postgres(url: &str, connections: u32) -> Result<Self, DbError> {
        let options: PgConnectOptions = url.parse()?;
        let target = tls::Target::of(&options)?;
        // One is for the driver's pool.
        let direct = Connections::open(target, connections.max(3) - 1).await?;
        let driver = PgPoolOptions::new().max_connections(1).acquire_timeout(WAITING).connect_lazy_with(options);
        Ok(Self {
            pools: Pools::Postgres { direct, driver },
            meter: Meter::default(),
            looks_only: false,
            language: Language::default(),
            patience: None,
            remembered: Arc::default(),
        })
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match &self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres { .. } => Engine::Postgres,
        }
    }

    /// Its connections, for the session store that brings its own statements.
    pub(super) fn pools(&self) -> &Pools {
        &self.pools
    }

    /// The same database for somebody who only looks: whatever would write fails.
    pub fn looking(&self) -> Self {
        Self { looks_only: true, ..self.clone() }
    }

    /// The same database, with text made into words by the rules of a language.
    pub fn in_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// The same database for somebody who does not wait for ever: what is asked outside a transaction is given up after
    /// so long.
    pub fn within(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// How text is made into words for the search.
    pub fn language(&self) -> Language {
        self.language
    }

    /// What is remembered of the surroundings of pages.
    pub(super) fn remembered(&self) -> &Remembered {
        &self.remembered
    }

    /// What it has been asked so far.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Brings the schema up to date. Safe to call from many processes at once: PostgreSQL takes an advisory lock;
    /// for SQLite the caller holds the data directory's lock file.
    pub async fn migrate(&self) -> Result<(), DbError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => sqlx::migrate!("migrations/sqlite").run(writer).await?,
            Pools::Postgres { direct, driver } => {
                let migrations = sqlx::migrate!("migrations/postgres");
                if !is_current(&migrations, direct).await {
                    migrations.run(driver).await?;
                }
            }
        }
        Ok(())
    }

    /// Runs several statements that read, one after the other on one connection, and returns the rows of each. What is
    /// committed between them shows in the later ones. On PostgreSQL all are sent before the first answer is there.
    ///
    /// # Errors
    /// If one of them fails.
    pub async fn together<const N: usize>(&self, statements: [Sql; N]) -> Result<[Vec<Row>; N], DbError> {
        let found = self.one_by_one(statements.into()).await?;
        found.try_into().map_err(|_| DbError::Engine(sqlx::Error::RowNotFound))
    }

    /// [`Self::together`], for as many statements as it takes.
    ///
    /// # Errors
    /// If one of them fails.
    pub async fn one_by_one(&self, mut statements: Vec<Sql>) -> Result<Vec<Vec<Row>>, DbError> {
        statements.iter().try_for_each(Sql::check)?;
        let claimed = claim::Asked::take();
        let Some(question) = claimed.question() else { return self.ask(statements).await };
        // PostgreSQL answers one statement sooner than two, however little each asks.
        if self.engine() == Engine::Postgres && statements.first().is_some_and(Sql::is_single) {
            statements[0] = question.beside(&statements[0]);
            let mut found = self.ask(statements).await?;
            let both = found[0].pop().map(|row| row.apart(claim::TOLD)).transpose()?;
            let (answer, first) = both.map_or((None, None), |(answer, first)| (Some(answer), first));
            claimed.settle(self, answer.as_ref()).await?;
            found[0] = first.into_iter().collect();
            return Ok(found);
        }
        statements.insert(0, question.clone());
        let mut found = self.ask(statements).await?;
        claimed.settle(self, found.remove(0).first()).await?;
        Ok(found)
    }

    /// Asks and waits for the rows of each.
    async fn ask(&self, statements: Vec<Sql>) -> Result<Vec<Vec<Row>>, DbError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let statements = Arc::new(statements);
        self.meter.trip();
        let found = match &self.pools {
            Pools::Sqlite { direct, .. } => direct.all(Arc::clone(&statements), self.patience).await?,
            Pools::Postgres { direct, .. } => direct.all(&statements, self.patience).await?,
        };
        for (statement, rows) in statements.iter().zip(&found) {
            self.meter.count(statement, rows.len());
        }
        Ok(found)
    }

    /// Insists that this may write, and that nothing is written on the strength of what is only remembered.
    async fn may_write(&self) -> Result<(), DbError> {
        if self.looks_only {
            return Err(DbError::LooksOnly);
        }
        claim::prove(self).await
    }

    /// Begins a transaction that writes. On SQLite it takes the write lock at once (`begin immediate`).
    pub async fn begin(&self) -> Result<Tx, DbError> {
        self.may_write().await?;
        let open = match &self.pools {
            Pools::Sqlite { writer, .. } => Open::Sqlite(Box::new(SqliteTx::new(begin_writing(writer.clone()).await?))),
            Pools::Postgres { direct, .. } => {
                Open::Postgres(Box::new(direct.begin("begin; set local statement_timeout = 0").await?))
            }
        };
        Ok(Tx { open, meter: self.meter.clone(), language: self.language })
    }

    /// Begins a transaction that only reads, and sees one state of the database throughout.
    pub async fn snapshot(&self) -> Result<Tx, DbError> {
        claim::prove(self).await?;
        let open = match &self.pools {
            Pools::Sqlite { readers, .. } => Open::Sqlite(Box::new(SqliteTx::new(readers.begin().await?))),
            Pools::Postgres { direct, .. } => Open::Postgres(Box::new(
                direct
                    .begin("begin isolation level repeatable read read only; set local statement_timeout = 0")
                    .await?,
            )),
        };
        Ok(Tx { open, meter: self.meter.clone(), language: self.language })
    }

    /// Brings what SQLite wrote ahead into the database file and empties the log, unless somebody reads from it just now.
    /// On PostgreSQL the server sees to that by itself.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn settle(&self) -> Result<(), DbError> {
        if let Pools::Sqlite { writer, .. } = &self.pools {
            sqlx::query("pragma wal_checkpoint(truncate)").execute(writer).await?;
        }
        Ok(())
    }

    /// Closes every connection and waits until they are gone.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers, direct } => {
                direct.close().await;
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres { direct, driver } => {
                direct.close().await;
                driver.close().await;
            }
        }
    }
}

/// Begins on SQLite's one writer, in a task of its own: whoever hangs up while it begins would leave the connection in the
/// middle of a transaction that nobody ends. Should one be found like that, it is closed, and another one opened.
async fn begin_writing(writer: SqlitePool) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, DbError> {
    let task = tokio::spawn(async move {
        loop {
            match writer.begin_with("begin immediate").await {
                Err(sqlx::Error::InvalidSavePointStatement) => {
                    let _ = writer.acquire().await?.close().await;
                }
                begun => return begun,
            }
        }
    });
    Ok(task.await.map_err(|_| DbError::Engine(sqlx::Error::WorkerCrashed))??)
}

/// Whether all migrations were made, as they are written here: then there is nothing to lock and nothing to do.
async fn is_current(migrations: &sqlx::migrate::Migrator, direct: &Connections) -> bool {
    let made = sql("select version, checksum from _sqlx_migrations where success order by version");
    // There is no such table yet: the migrator makes it.
    let Ok(mut made) = direct.all(&[made], None).await else { return false };
    let made: Vec<_> =
        made.pop().unwrap_or_default().iter().map(|row| (row.int("version"), row.bytes("checksum"))).collect();
    made.len() == migrations.iter().count()
        && made.iter().zip(migrations.iter()).all(|(made, wanted)| {
            matches!(made, (Ok(version), Ok(checksum)) if *version == wanted.version && **checksum == *wanted.checksum)
        })
}

/// The placeholders of an `insert` of many rows: `($1, $2), ($3, $4)` for two rows of two columns.
pub fn rows_of(rows: usize, columns: usize) -> String {
    let row = |at: usize| {
        let names: Vec<String> = (1..=columns).map(|column| format!("${}", at * columns + column)).collect();
        format!("({})", names.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
