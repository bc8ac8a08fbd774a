//! Where a run works: a copy of the seeded installation on either engine, so that the seed stays as it was made; what only
//! reads works in the seed itself.

use std::fs::File;
use std::path::{Path, PathBuf};

use lifeops::app::{App, Clock};
use lifeops::config::{Database, Secret};
use sqlx::{Connection as _, PgConnection};

use crate::{Outcome, copy, seed};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A private PostgreSQL server.
#[derive(Clone, Debug)]
pub struct Server {
    /// The address of its databases, without a database's name.
    base: String,
    /// The process whose children serve the connections.
    pub pid: u32,
}

impl Server {
    /// The server that `benches/run` started.
    pub fn of_environment() -> Outcome<Self> {
        let read = |name| std::env::var(name).map_err(|_| format!("{name} is not set: start this with benches/run"));
        let url = read("BENCH_POSTGRES")?;
        let base = url.rsplit_once('/').ok_or("BENCH_POSTGRES names no database")?.0.to_owned();
        Ok(Self { base, pid: read("BENCH_POSTGRES_PID")?.parse()? })
    }

    fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    async fn tell(&self, text: &str) -> Outcome<()> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        sqlx::raw_sql(text).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    async fn has(&self, database: &str) -> Outcome<bool> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        let found = sqlx::query("select 1 from pg_database where datname = $1")
            .bind(database)
            .fetch_optional(&mut connection)
            .await?;
        connection.close().await?;
        Ok(found.is_some())
    }
}

/// A copy of a seeded installation. Dropping it removes its files; its database goes with the server's next run.
#[derive(Debug)]
pub struct Place {
    pub engine: Engine,
    pub directory: PathBuf,
    /// The database's address on PostgreSQL.
    pub url: Option<String>,
    server: Option<Server>,
    /// Whether it is the seed itself.
    stays: bool,
}

impl Place {
    /// The seed itself, for what only reads: it gets a session more, and nothing else.
    pub async fn seed(engine: Engine, seed: &Path) -> Outcome<Self> {
        let mut place = Self { engine, directory: seed.to_owned(), url: None, server: None, stays: true };
        if engine == Engine::Postgres {
            let server = Server::of_environment()?;
            place.url = Some(server.url(&template(&server, seed).await?));
            place.server = Some(server);
        }
        Ok(place)
    }

    /// Copies the seed: files for SQLite, a database made from a template for PostgreSQL.
    pub async fn copy(engine: Engine, seed: &Path, work: &Path, name: &str) -> Outcome<Self> {
        let directory = work.join(format!("{name}-{}", engine.name().to_lowercase()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory)?;
        let mut files = vec!["master.key"];
        files.extend((engine == Engine::Sqlite).then_some("lifeops.db"));
        for file in files {
            std::fs::copy(seed.join(file), directory.join(file))?;
            // Its write-back would otherwise be measured with the first appends.
            File::open(directory.join(file))?.sync_all()?;
        }
        let mut place = Self { engine, directory, url: None, server: None, stays: false };
        if engine == Engine::Postgres {
            let server = Server::of_environment()?;
            let template = template(&server, seed).await?;
            let database = format!("work_{name}");
            server.tell(&format!("drop database if exists {database} with (force)")).await?;
            server.tell(&format!("create database {database} template {template} strategy file_copy")).await?;
            server.tell("checkpoint").await?;
            place.url = Some(server.url(&database));
            place.server = Some(server);
        }
        Ok(place)
    }

    pub fn database(&self) -> Database {
        match &self.url {
            Some(url) => Database::Postgres(Secret::new(url.clone())),
            None => Database::Sqlite(self.directory.join("lifeops.db")),
        }
    }

    /// The installation opened inside the bench itself.
    pub async fn open(&self) -> Outcome<App> {
        Ok(App::open(seed::settings(&self.directory, self.database()), Clock::System).await?)
    }

    /// The process of the PostgreSQL server, whose work counts too.
    pub fn server_pid(&self) -> Option<u32> {
        self.server.as_ref().map(|server| server.pid)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.stays {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// The seeded database on the server; it is filled from SQLite's if it is not there.
async fn template(server: &Server, seed: &Path) -> Outcome<String> {
    let name = seed.file_name().and_then(|name| name.to_str()).ok_or("the seed has no name")?.replace('-', "_");
    if server.has(&name).await? {
        return Ok(name);
    }
    let making = format!("making_{name}");
    server.tell(&format!("drop database if exists {making} with (force)")).await?;
    server.tell(&format!("create database {making} template template0")).await?;
    let directory = std::env::temp_dir().join(format!("lifeops-copy-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    std::fs::copy(seed.join("master.key"), directory.join("master.key"))?;
    let database = Database::Postgres(Secret::new(server.url(&making)));
    let migrated = App::open(seed::settings(&directory, database), Clock::System).await?;
    migrated.db.close().await;
    std::fs::remove_dir_all(&directory)?;
    copy::into_postgres(&seed.join("lifeops.db"), &server.url(&making)).await?;
    // The server's own housekeeping may look at the new rows at this moment.
    server.tell(&format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{making}'")).await?;
    server.tell(&format!("alter database {making} rename to {name}")).await?;
    Ok(name)
}
