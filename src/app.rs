//! All that a request may touch: the database, the clock, the keys and the settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use crate::blobs::Blobs;
use crate::config::{Database, Settings};
use crate::domain::instant::Instant;
use crate::error::{Error, Result};
use crate::keys::{Keyring, MasterKey};
use crate::passwords::Passwords;
use crate::store::db::Db;

/// The injected clock: the machine's, or one that a test moves by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is moved; microseconds since the Unix epoch.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at an instant.
    pub fn fixed(at: Instant) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.micros())))
    }

    /// Now.
    pub fn now(&self) -> Instant {
        match self {
            Self::System => Timestamp::now().into(),
            Self::Fixed(micros) => Instant::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock by some seconds; the machine's clock is left alone.
    pub fn advance(&self, seconds: i64) {
        if let Self::Fixed(micros) = self {
            micros.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
        }
    }
}

/// All that a request may touch. One reference to clone, because every layer that a request passes does.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl From<Parts> for App {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// What an [`App`] holds.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The open database, migrated and with current projections.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// The settings, checked whole.
    pub settings: Arc<Settings>,
    /// The master key, from which subkeys are derived, and those that it took over from.
    pub key: Keyring,
    /// Where files lie.
    pub blobs: Blobs,
    /// The bounded workshop where passwords are hashed.
    pub passwords: Passwords,
}

impl App {
    /// Opens an installation: makes the data directory, the database and the key where they are missing, migrates, and
    /// rebuilds the projections if an older fold wrote them.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self> {
        let app = Self::open_unchecked(settings, clock).await?;
        crate::upkeep::rebuild::if_outdated(&app).await?;
        Ok(app)
    }

    /// The same installation for somebody who only looks: whatever would write fails.
    pub fn looking(&self) -> Self {
        Parts { db: self.db.looking(), ..(**self).clone() }.into()
    }

    /// Opens an installation and leaves its projections as they are, for `verify` and `rebuild`.
    pub async fn open_unchecked(settings: Settings, clock: Clock) -> Result<Self> {
        make_private_directory(&settings.data).map_err(|e| {
            Error::Unavailable(format!(
                "The data directory {} cannot be made: {e}. Set LIFEOPS_DATA to a directory that this user may write.",
                settings.data.display()
            ))
        })?;
        let key = Keyring::from(MasterKey::open(&settings)?);
        let db = open_database(&settings).await?.in_language(settings.search_language);
        crate::keys::check(&key, &db).await?;
        let blobs = Blobs::open(&settings.blobs)?;
        let passwords = Passwords::new(&settings);
        Ok(Parts { db, clock, settings: Arc::new(settings), key, blobs, passwords }.into())
    }

    /// What a person opens, without a path: the base URL, or the address that is listened on. Never what a request says.
    pub fn origin(&self) -> String {
        match &self.settings.base_url {
            Some(url) => url.origin(),
            None => format!("http://{}", reachable(self.settings.listen)),
        }
    }
}

/// The address under which this machine reaches a server that listens everywhere.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

/// Makes a directory, its parents included, that nobody else on the machine may look into. One that is there stays as
/// it is.
fn make_private_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// How files are opened that nobody else on the machine may read.
fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the database's file before SQLite does, and takes other people's rights from one that is there: SQLite gives
/// the files beside it the same rights.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file = private().open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let mode = file.metadata()?.mode();
        if mode & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(mode & 0o700))?;
            for beside in ["-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(beside);
                if std::path::Path::new(&name).exists() {
                    std::fs::set_permissions(&name, std::fs::Permissions::from_mode(mode & 0o700))?;
                }
            }
        }
    }
    Ok(())
}

async fn open_database(settings: &Settings) -> Result<Db> {
    match &settings.database {
        Database::Sqlite(path) => {
            let lock = lock_file(&settings.data)?;
            make_private(path)
                .map_err(|e| Error::Unavailable(format!("The database {} cannot be made: {e}", path.display())))?;
            let db = Db::open_sqlite(path)
                .await
                .map_err(|e| Error::Unavailable(format!("The database {} cannot be opened: {e}", path.display())))?;
            db.migrate().await?;
            drop(lock);
            Ok(db)
        }
        Database::Postgres(url) => {
            let db = Db::open_postgres(url.expose(), settings.database_connections).await.map_err(|e| {
                Error::Unavailable(format!("PostgreSQL cannot be reached: {e}. Check LIFEOPS_DATABASE_URL."))
            })?;
            db.migrate().await?;
            Ok(db)
        }
    }
}

/// Holds the data directory's lock file until it is dropped: on SQLite the migrator takes no lock of its own.
fn lock_file(data: &Path) -> Result<std::fs::File> {
    let path = data.join("migrate.lock");
    let file =
        private().open(&path).map_err(|e| Error::Unavailable(format!("{} cannot be written: {e}.", path.display())))?;
    file.lock().map_err(|e| Error::Unavailable(format!("{} cannot be locked: {e}.", path.display())))?;
    Ok(file)
}
