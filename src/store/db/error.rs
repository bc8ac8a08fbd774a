//! What may go wrong with a statement, on either engine.

/// A statement failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A unique or primary key already holds these values. Carries the engine's own words.
    #[error("a unique key already holds these values: {0}")]
    Unique(String),
    /// The ledger's own guard refused a change of recorded events.
    #[error("the ledger refuses to be changed: {0}")]
    Guarded(String),
    /// The text and its bound values do not fit together.
    #[error("the statement has {wanted} parameters and {given} bound values: {text}")]
    Binds {
        /// Parameters in the text.
        wanted: usize,
        /// Values given.
        given: usize,
        /// The statement.
        text: String,
    },
    /// A column holds what it never should.
    #[error("column {column} is not readable: {problem}")]
    Column {
        /// The column's name.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something was to be written through a handle that only looks.
    #[error("this only looks and must not write")]
    LooksOnly,
    /// Every connection was taken for too long.
    #[error("every connection to the database is taken")]
    Busy,
    /// What was taken for granted is not so any more.
    #[error("what was remembered does not hold any more")]
    Refuted,
    /// What was asked took longer than it may.
    #[error("the statement took too long and was given up")]
    TooLong,
    /// Anything else the engine said.
    #[error("database: {0}")]
    Engine(#[source] sqlx::Error),
    /// Anything that SQLite said to a direct reader.
    #[error("database: {0}")]
    Reading(#[source] rusqlite::Error),
    /// Anything that PostgreSQL said.
    #[error("database: {}", with_causes(.0))]
    Postgres(#[source] tokio_postgres::Error),
    /// The address of the database cannot be used.
    #[error("{0}")]
    Address(String),
    /// A transaction in which a statement failed was to be kept.
    #[error("a transaction in which a statement failed cannot be kept")]
    Aborted,
    /// A migration failed.
    #[error("migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy;
        }
        if let sqlx::Error::Database(inner) = &error {
            if inner.is_unique_violation() {
                return Self::Unique(inner.message().to_owned());
            }
            if inner.message().contains("append-only") {
                return Self::Guarded(inner.message().to_owned());
            }
        }
        Self::Engine(error)
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::OperationInterrupted) => Self::TooLong,
            _ => Self::Reading(error),
        }
    }
}

/// An error with everything that is behind it: the driver's own words name the kind alone.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(behind) = cause {
        words.push_str(": ");
        words.push_str(&behind.to_string());
        cause = behind.source();
    }
    words
}
