//! The projections against the events: the events are replayed into a scratch database, and both sides compared row by
//! row. The installation's own database is only read.

use std::path::PathBuf;

use uuid::Uuid;

use crate::app::App;
use crate::domain::access::Visibility;
use crate::domain::chain::hex;
use crate::domain::instant::Instant;
use crate::error::{Error, Result};
use crate::store::copying::{self, Account};
use crate::store::db::{Db, Tx};
use crate::store::ledger::{self, Head};
use crate::store::resets::Untold;
use crate::store::{compare, streams};
use crate::upkeep::rebuild;

/// How many events or records are in memory at once.
const PAGE: usize = 500;
/// How many differences are told before it is enough.
const MOST: usize = 20;

/// Compares a household's projections with its events. Returns what differs, in sentences.
pub(super) async fn compare(app: &App, tx: &mut Tx, household: &Head) -> Result<Vec<String>> {
    let scratch = Scratch::make(app).await?;
    let compared = against(&scratch, tx, household).await;
    scratch.remove().await;
    match compared {
        // An event that cannot be read is a finding, not a failure of verify.
        Err(Error::Internal(problem)) => Ok(vec![format!("The events cannot be folded: {problem}.")]),
        other => other,
    }
}

async fn against(scratch: &Scratch, tx: &mut Tx, household: &Head) -> Result<Vec<String>> {
    let mut there = scratch.db.begin().await?;
    copy(tx, &mut there, household).await?;
    let mut differences = Vec::new();
    for table in compare::TABLES {
        let (mine, fresh) = (table.keys(&mut *tx, household.id).await?, table.keys(&mut there, household.id).await?);
        let mut keys: Vec<Uuid> = mine.into_iter().chain(fresh).collect();
        keys.sort_unstable();
        keys.dedup();
        for chunk in keys.chunks(PAGE) {
            let (Some(from), Some(to)) = (chunk.first(), chunk.last()) else { continue };
            let stored = table.rows(&mut *tx, household.id, *from, *to).await?;
            let told = table.rows(&mut there, household.id, *from, *to).await?;
            differences.extend(table.differences(&stored, &told));
            if differences.len() >= MOST {
                differences.truncate(MOST);
                differences.push("There are more differences. lifeops rebuild makes the projections anew.".to_owned());
                there.rollback().await?;
                return Ok(differences);
            }
        }
    }
    there.rollback().await?;
    Ok(differences)
}

/// The household's events and members in the scratch database, and the projections that follow from them.
async fn copy(tx: &mut Tx, there: &mut Tx, household: &Head) -> Result<()> {
    ledger::make_household(there, household.created_at, household.id, "").await?;
    for member in copying::members(&mut *tx, household.id).await? {
        let account = Account {
            id: member.account,
            email: String::new(),
            email_key: hex(member.account.0.as_bytes()),
            password_hash: String::new(),
            zone: String::new(),
            session_epoch: 0,
            created_at: Instant::from_micros(0),
            default_visibility: Visibility::Household,
            untold: Untold::default(),
            second_factor: None,
        };
        copying::put_account(there, &account).await?;
        copying::put_member(there, &member).await?;
    }
    let mut hold = ledger::hold(there, household.id).await?;
    loop {
        let events = streams::after(&mut *tx, household.id, hold.position(), PAGE as i64).await?;
        if events.is_empty() {
            break;
        }
        ledger::replay(there, &mut hold, &events).await?;
    }
    rebuild::one(there, household.id, &|_| {}).await
}

/// An SQLite database of its own in the data directory, removed afterwards.
struct Scratch {
    db: Db,
    directory: PathBuf,
}

impl Scratch {
    async fn make(app: &App) -> Result<Self> {
        let directory = app.settings.data.join(format!("verify-{}", Uuid::new_v4().simple()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        builder.create(&directory).map_err(|e| {
            Error::Unavailable(format!("The scratch directory {} cannot be made: {e}.", directory.display()))
        })?;
        let open = async {
            let db = Db::open_sqlite(&directory.join("scratch.db")).await?.in_language(app.db.language());
            db.migrate().await?;
            Ok::<Db, Error>(db)
        };
        match open.await {
            Ok(db) => Ok(Self { db, directory }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&directory);
                Err(error)
            }
        }
    }

    async fn remove(self) {
        self.db.close().await;
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, directory = %self.directory.display(), "the scratch database stays behind");
        }
    }
}
