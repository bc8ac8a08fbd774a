//! One scenario, two engines.

/// Which engine a test runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The embedded default.
    Sqlite,
    /// The server engine.
    Postgres,
}

impl Engine {
    /// The other one; the same one in a run that was narrowed to SQLite (`tests/run` says so), where there is no other.
    pub fn other(self) -> Self {
        match self {
            Self::Sqlite if std::env::var("TEST_DATABASE").is_ok_and(|only| only == "sqlite") => Self::Sqlite,
            Self::Sqlite => Self::Postgres,
            Self::Postgres => Self::Sqlite,
        }
    }
}

/// Makes of each scenario one test per engine and kind of store.
macro_rules! all_stores {
    ($($(#[$attribute:meta])* async fn $name:ident($engine:ident: Engine, $store:ident: Store) $body:block)*) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn scenario($engine: $crate::support::Engine, $store: $crate::support::Store) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_directory() {
                scenario($crate::support::Engine::Sqlite, $crate::support::Store::Directory).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_s3() {
                scenario($crate::support::Engine::Sqlite, $crate::support::Store::S3).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_directory() {
                scenario($crate::support::Engine::Postgres, $crate::support::Store::Directory).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_s3() {
                scenario($crate::support::Engine::Postgres, $crate::support::Store::S3).await;
            }
        }
    )*};
}

/// Makes of each scenario one test per engine, `NAME::sqlite` and `NAME::postgres`:
///
/// ```ignore
/// both_engines! {
///     async fn a_note_is_kept(engine: Engine) { … }
/// }
/// ```
macro_rules! both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($engine:ident: Engine) $body:block)*) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn scenario($engine: $crate::support::Engine) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                scenario($crate::support::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                scenario($crate::support::Engine::Postgres).await;
            }
        }
    )*};
}
