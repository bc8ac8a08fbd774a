//! A place to live: a data directory and a database of one's own, empty or copied from another place.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use lifeops::config::{BlobPlace, Database, Secret};
use lifeops::store::db::{Db, sql};
use tempfile::TempDir;

use super::Engine;
use super::bucket::{Bucket, Store};

/// A data directory and a database. Dropping it removes both.
#[derive(Debug)]
pub struct Place {
    pub engine: Engine,
    directory: TempDir,
    /// The PostgreSQL database's name and the server's URL.
    postgres: Option<(String, String)>,
    /// The bucket for files, if they do not lie in the data directory.
    bucket: Option<Bucket>,
}

impl Place {
    /// An empty place: no tables yet.
    pub async fn empty(engine: Engine) -> Self {
        Self::make(engine, "TEST_POSTGRES", "template0").await
    }

    /// An empty place on a server that keeps every promise about durability.
    pub async fn durable(engine: Engine) -> Self {
        Self::make(engine, "TEST_POSTGRES_DURABLE", "template0").await
    }

    /// A copy of a place that nobody uses at the moment.
    pub async fn copy_of(other: &Self) -> Self {
        let template = other.postgres.as_ref().map_or("", |(name, _)| name);
        let copy = Self::make(other.engine, "TEST_POSTGRES", template).await;
        copy_files(other.directory(), copy.directory());
        copy
    }

    async fn make(engine: Engine, variable: &str, template: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                let server = server_url(variable);
                let name = unused_name();
                // Creating a database from a template that another test is copying too is allowed.
                let text = format!("create database {name} template {template} strategy file_copy");
                on_server(&server, text).await;
                Some((name, server))
            }
        };
        Self { engine, directory, postgres, bucket: None }
    }

    /// The same place, its files in a store of this kind.
    pub fn with(mut self, store: Store) -> Self {
        self.bucket = (store == Store::S3).then(Bucket::make);
        self
    }

    /// Where files lie.
    pub fn blobs(&self) -> BlobPlace {
        match &self.bucket {
            Some(bucket) => BlobPlace::S3(bucket.place()),
            None => BlobPlace::Directory(self.directory().join("blobs")),
        }
    }

    /// The bucket, if files lie in one.
    pub fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    /// The folder of this machine in which sealed objects lie, also those of a bucket.
    pub fn objects(&self) -> PathBuf {
        match &self.bucket {
            Some(bucket) => bucket.folder(),
            None => self.directory().join("blobs"),
        }
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What a person would set as `LIFEOPS_DATABASE_URL`; for SQLite nothing.
    pub fn url(&self) -> Option<String> {
        let (name, server) = self.postgres.as_ref()?;
        let (base, _) = server.rsplit_once('/').expect("a database in TEST_POSTGRES");
        Some(format!("{base}/{name}"))
    }

    /// The setting that leads to this database.
    pub fn database(&self) -> Database {
        match self.url() {
            Some(url) => Database::Postgres(Secret::new(url)),
            None => Database::Sqlite(self.directory().join("lifeops.db")),
        }
    }

    /// A connection of one's own to the database, past the program.
    pub async fn open(&self) -> Db {
        match self.url() {
            Some(url) => Db::open_postgres(&url, 2).await.expect("PostgreSQL answers"),
            None => Db::open_sqlite(&self.directory().join("lifeops.db")).await.expect("the database file opens"),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((name, server)) = self.postgres.take() {
            let _ = SWEEPER.send((server, name));
        }
    }
}

/// The server's URL, which `tests/run` exports.
#[track_caller]
pub fn server_url(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run the tests with tests/run, which starts PostgreSQL"))
}

/// Drops databases behind the tests' backs, so that a long run does not fill the disk.
static SWEEPER: LazyLock<mpsc::Sender<(String, String)>> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel::<(String, String)>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for (server, name) in receiver {
            runtime.block_on(async {
                if let Ok(db) = Db::open_postgres(&server, 1).await {
                    let _ = sql(format!("drop database if exists {name} with (force)")).run(&db).await;
                    db.close().await;
                }
            });
        }
    });
    sender
});

async fn on_server(server: &str, text: String) {
    let db = Db::open_postgres(server, 1).await.expect("the private PostgreSQL answers");
    // A database is copied only when nobody is in it; on a busy machine, its last session may take a while to leave.
    let patience = Instant::now() + Duration::from_secs(60);
    while let Err(error) = sql(text.clone()).run(&db).await {
        let in_use = format!("{error:?}").contains("is being accessed by other users");
        if !in_use || Instant::now() >= patience {
            panic!("the private PostgreSQL does not obey {text}: {error:?}\n{}", sessions(&db).await);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    db.close().await;
}

/// Who is connected to what, and since when, for whoever asks why a database is in use.
async fn sessions(db: &Db) -> String {
    let rows = sql("select concat_ws(' | ', datname, pid, backend_type, state, backend_start, state_change, left(query, 200)) as is
                    from pg_stat_activity order by datname");
    let rows = rows.all(db).await.unwrap_or_default();
    rows.iter().map(|row| row.text("is").unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn unused_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the directory is there") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            std::fs::create_dir_all(&target).expect("a directory");
            copy_files(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
