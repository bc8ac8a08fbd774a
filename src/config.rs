//! Settings, checked whole: every mistake is named before anything starts.
//!
//! [`read`] takes what the command line and the environment say and gives the settings with the place each came from,
//! or every mistake in one list.

mod blobs;
mod read;
mod settings;
mod values;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::analysis::Language;

pub use blobs::{BlobPlace, S3Place};
pub use read::{Effective, Given, Mistakes, Source, Told, read};
pub use settings::{SETTINGS, Setting};

/// Text that must not reach a log: its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where the ledger lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL connection URL (it may carry a password).
    Postgres(Secret),
}

/// Who may make a new household on this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Nobody, after set-up.
    Closed,
    /// Anybody who can open the address.
    Open,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
}

/// The address that people type, when it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// `http` or `https`.
    pub scheme: String,
    /// Host and, unless it is the scheme's default, port: what a browser sends as `Host`.
    pub authority: String,
}

impl BaseUrl {
    /// Scheme and authority: what a browser sends as `Origin`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Whether cookies may be `Secure`.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

/// Everything an installation can be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory (`LIFEOPS_DATA`).
    pub data: PathBuf,
    /// The socket to listen on (`LIFEOPS_LISTEN`).
    pub listen: SocketAddr,
    /// The address that people type (`LIFEOPS_BASE_URL`); unset means plain HTTP on whatever host is asked for.
    pub base_url: Option<BaseUrl>,
    /// The database (`LIFEOPS_DATABASE_URL`).
    pub database: Database,
    /// How many PostgreSQL connections to keep (`LIFEOPS_DATABASE_CONNECTIONS`).
    pub database_connections: u32,
    /// The master key as text, if it does not come from the data directory (`LIFEOPS_MASTER_KEY`).
    pub master_key: Option<Secret>,
    /// Where files lie (`LIFEOPS_BLOBS`, and `LIFEOPS_S3_…`).
    pub blobs: BlobPlace,
    /// The largest file, in bytes (`LIFEOPS_FILE_LIMIT`).
    pub file_limit: u64,
    /// The most that one form may send, in bytes (`LIFEOPS_FORM_LIMIT`).
    pub form_limit: u64,
    /// How many bytes of files a household may keep; none for no limit (`LIFEOPS_QUOTA`).
    pub quota: Option<u64>,
    /// Who may make a household (`LIFEOPS_REGISTRATION`).
    pub registration: Registration,
    /// Proxies whose `X-Forwarded-For` counts (`LIFEOPS_TRUSTED_PROXIES`).
    pub trusted_proxies: Vec<IpNet>,
    /// A session ends after this long without use (`LIFEOPS_SESSION_IDLE`).
    pub session_idle: Duration,
    /// A session ends after this long in any case (`LIFEOPS_SESSION_MAX`).
    pub session_max: Duration,
    /// How long a removed member still reads and takes private records along (`LIFEOPS_REMOVAL_GRACE`).
    pub removal_grace: Duration,
    /// The language whose word forms the search takes for one (`LIFEOPS_SEARCH_LANGUAGE`).
    pub search_language: Language,
    /// How log lines are written (`LIFEOPS_LOG_FORMAT`).
    pub log_format: LogFormat,
}
