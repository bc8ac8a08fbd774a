//! Sessions in the database. The library's own store keeps ids in clear, knows no member, reads and writes through one
//! pool, and its upsert brings a session back that was just signed out. This wrapper keeps a digest of the id instead
//! of the id; reads a session together with the member behind it; writes through the writer; and gives every session a
//! `member_session` row that the library's row refers to, so that the database itself refuses a session whose row is
//! gone.
//!
//! Whether a session still counts is judged here, by the application's clock: the library's own date only cleans up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error as StoreError, Result as StoreResult};
use tower_sessions_sqlx_store::{PostgresStore, SqliteStore};

use super::accounts::{self, Membership};
use super::db::claim::{self, Claim};
use super::db::{Db, DbError, Pools, Print, Row, Sql, sql};
use super::saved_views::VIEWS;
use super::surroundings::MOVED;
use crate::app::Clock;
use crate::domain::ids::{AccountId, HouseholdId, MemberId};
use crate::domain::instant::Instant;

/// Under which key a new session says whose it is; it leaves with the first save.
pub const OPENED: &str = "opened";

/// Under which key a loaded session says when it was last used, in microseconds; it is never saved.
pub const SEEN: &str = "seen";

tokio::task_local! {
    /// The membership behind the session that this request loaded: read together with it, so that the session layer need
    /// not ask again.
    static BEHIND: RefCell<Option<Membership>>;
}

/// Runs a request in such a way that [`behind`] remembers the membership of the session that it loads.
pub async fn remembering<F: Future>(request: F) -> F::Output {
    BEHIND.scope(RefCell::default(), request).await
}

/// The membership that was read with this request's session, if it is the account's. It is given once: whoever asks again,
/// perhaps after having changed it, reads it again.
pub fn behind(account: AccountId) -> Option<Membership> {
    let membership = BEHIND.try_with(RefCell::take).ok().flatten()?;
    (membership.account == account).then_some(membership)
}

/// Whose session it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// The household.
    pub household: HouseholdId,
    /// The member.
    pub member: MemberId,
    /// The account.
    pub account: AccountId,
    /// The device in words.
    pub device: String,
    /// Its address.
    pub address: String,
}

/// A session as its own member sees it.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// The digest of its id: names it in a form, opens nothing.
    pub key: String,
    /// The device in words.
    pub device: String,
    /// The address that it was last used from.
    pub address: String,
    /// When it was signed in.
    pub created_at: Instant,
    /// When it was last used, to some five minutes.
    pub last_seen: Instant,
}

/// The digest under which a session is kept, as the text that both tables use.
pub fn key(id: &Id) -> String {
    digest(id).to_string()
}

fn digest(id: &Id) -> Id {
    let mut hash = Sha256::new();
    hash.update(b"lifeops.session-id.1\0");
    hash.update(id.0.to_le_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Id(i128::from_le_bytes(half))
}

/// An account's sessions that still count, the last used first.
pub async fn of_account(
    db: &Db,
    account: AccountId,
    now: Instant,
    idle: Duration,
    max: Duration,
) -> Result<Vec<OwnSession>, DbError> {
    let rows = sql("select id, device, address, created_at, last_seen
           from member_session
          where account_id = $1 and last_seen > $2 and created_at > $3
          order by last_seen desc, id
          limit 200")
    .bind(account)
    .bind(now.plus_seconds(-seconds(idle)))
    .bind(now.plus_seconds(-seconds(max)))
    .all(db)
    .await?;
    rows.iter().map(own_session).collect()
}

fn own_session(row: &Row) -> Result<OwnSession, DbError> {
    Ok(OwnSession {
        key: row.text("id")?,
        device: row.text("device")?,
        address: row.text("address")?,
        created_at: row.instant("created_at")?,
        last_seen: row.instant("last_seen")?,
    })
}

/// Ends one of an account's own sessions; another account's is not found. Returns whether there was one.
pub async fn end(db: &Db, account: AccountId, key: &str) -> Result<bool, DbError> {
    let ended =
        sql("delete from member_session where account_id = $1 and id = $2").bind(account).bind(key).run(db).await?;
    Ok(ended > 0)
}

/// Notes that a session was used, unless that was noted after `before` already.
pub async fn touch(db: &Db, key: &str, now: Instant, before: Instant, address: &str) -> Result<(), DbError> {
    sql("update member_session set last_seen = $1, address = $2 where id = $3 and last_seen <= $4")
        .bind(now)
        .bind(address)
        .bind(key)
        .bind(before)
        .run(db)
        .await?;
    seen(db, key, now).await
}

/// Notes that the member of a session is here.
async fn seen(db: &Db, key: &str, now: Instant) -> Result<(), DbError> {
    sql("update member set seen_at = $1
          where (household_id, id) in (select household_id, member_id from member_session where id = $2)")
    .bind(now)
    .bind(key)
    .run(db)
    .await?;
    Ok(())
}

/// For how long an ended session is remembered, in seconds.
const REMEMBERED: i64 = 30 * 24 * 60 * 60;

/// Whose session it is or was, whether or not it still counts; none if it was signed out or is forgotten.
pub async fn owner(db: &Db, id: &Id) -> Result<Option<AccountId>, DbError> {
    let row = sql("select account_id from member_session where id = $1").bind(key(id)).optional(db).await?;
    row.map(|row| Ok(AccountId(row.uuid("account_id")?))).transpose()
}

/// The store that the session layer uses.
#[derive(Clone, Debug)]
pub struct Sessions {
    db: Db,
    clock: Clock,
    idle: Duration,
    max: Duration,
    remembered: Arc<Mutex<HashMap<String, Known>>>,
}

/// How many sessions are remembered at most.
const MOST: usize = 4096;

/// What a session said when it was read last.
#[derive(Clone)]
struct Known {
    print: Print,
    /// Of the columns of [`AGAIN`] alone.
    again: Print,
    told: Arc<AtomicI64>,
    record: Record,
    membership: Option<Membership>,
}

/// What pages ask of a session that is known, in the order in which [`Sessions::find`] has it: whatever lets somebody in, and
/// what may change without the household telling of it.
const AGAIN: [&str; 9] =
    ["last_seen", "data", "account_id", "email", "zone", "session_epoch", "role", "disabled", "removed_at"];

impl Known {
    /// What is remembered of a row; nothing if the session was opened in another household than the one that tells.
    fn of(row: &Row, record: &Record, membership: Option<&Membership>) -> Option<Self> {
        let membership = membership?;
        if row.opt_uuid("of_household").ok()? != Some(membership.household.0) {
            return None;
        }
        Some(Self {
            print: row.print(claim::lasting)?,
            again: row.print(|column| AGAIN.contains(&column))?,
            told: Arc::new(row.int(claim::TOLD).ok()?.into()),
            record: record.clone(),
            membership: Some(membership.clone()),
        })
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known")
    }
}

fn read(row: &Row) -> StoreResult<(Record, Option<Membership>)> {
    let seen = row.instant("last_seen").map_err(failed)?;
    let membership = match row.opt_uuid("member_id").map_err(failed)? {
        Some(_) => Some(accounts::member(row).map_err(failed)?),
        None => None,
    };
    let data = row.bytes("data").map_err(failed)?;
    let mut record: Record = rmp_serde::from_slice(&data).map_err(|e| StoreError::Decode(e.to_string()))?;
    record.data.insert(SEEN.to_owned(), seen.micros().into());
    Ok((record, membership))
}

impl Sessions {
    /// The store on a database; sessions end after `idle` without use and after `max` in any case.
    pub fn new(db: Db, clock: Clock, idle: Duration, max: Duration) -> Self {
        Self { db, clock, idle, max, remembered: Arc::default() }
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, key: String, known: Known) {
        let mut remembered = self.remembered();
        if remembered.len() >= MOST {
            remembered.clear();
        }
        remembered.insert(key, known);
    }

    /// Removes sessions that no longer count. For a while longer they say whose browser it was, to whom alone a form that
    /// was typed there is shown again.
    pub async fn sweep(&self) -> Result<(), DbError> {
        let now = self.clock.now().plus_seconds(-REMEMBERED);
        sql("delete from member_session where last_seen <= $1 or created_at <= $2")
            .bind(now.plus_seconds(-seconds(self.idle)))
            .bind(now.plus_seconds(-seconds(self.max)))
            .run(&self.db)
            .await?;
        Ok(())
    }

    /// A session that still counts, with the member behind it, in one statement: every page of a member begins here.
    fn find(&self, key: &str) -> Sql {
        let now = self.clock.now();
        sql(format!(
            "select s.last_seen, t.data,
                    account.id as account_id, account.email, account.zone, account.session_epoch,
                    member.household_id, member.id as member_id, member.name, member.role, member.disabled,
                    member.removed_at, member.joined_at, household.name as household_name,
                    s.household_id as of_household, {MOVED} as {told}, {VIEWS}
               from member_session as s
               join tower_sessions as t on t.id = s.id
               join account on account.id = s.account_id
               left join member on member.account_id = account.id and not member.disabled
                    and (member.removed_at is null or member.removed_at > $4)
               left join household on household.id = member.household_id
              where s.id = $1 and s.last_seen > $2 and s.created_at > $3
              order by member.joined_at, member.household_id
              limit 1",
            told = claim::TOLD,
        ))
        .bind(key)
        .bind(now.plus_seconds(-seconds(self.idle)))
        .bind(now.plus_seconds(-seconds(self.max)))
        .bind(now)
    }

    /// A session that is known, by its keys alone: [`AGAIN`], and what the household tells.
    fn again(&self, key: &str) -> Sql {
        let now = self.clock.now();
        sql(format!(
            "select s.last_seen, t.data, account.id as account_id, account.email, account.zone, account.session_epoch,
                    member.role, member.disabled, member.removed_at, {MOVED} as {told}
               from member_session as s
               join tower_sessions as t on t.id = s.id
               join account on account.id = s.account_id
               join member on member.household_id = s.household_id and member.id = s.member_id
               join household on household.id = s.household_id
              where s.id = $1 and s.last_seen > $2 and s.created_at > $3
                and (member.removed_at is null or member.removed_at > $4)",
            told = claim::TOLD,
        ))
        .bind(key)
        .bind(now.plus_seconds(-seconds(self.idle)))
        .bind(now.plus_seconds(-seconds(self.max)))
        .bind(now)
    }

    async fn exists(&self, key: &str) -> Result<bool, DbError> {
        Ok(sql("select 1 as found from member_session where id = $1").bind(key).optional(&self.db).await?.is_some())
    }

    /// Makes the row that says whose session it is; false if the id is taken.
    async fn open(&self, key: &str, opened: &Opened) -> Result<bool, DbError> {
        let now = self.clock.now();
        let made = sql("insert into member_session
                (id, household_id, member_id, account_id, created_at, last_seen, device, address)
             values ($1, $2, $3, $4, $5, $5, $6, $7)
             on conflict (id) do nothing")
        .bind(key)
        .bind(opened.household)
        .bind(opened.member)
        .bind(opened.account)
        .bind(now)
        .bind(&opened.device)
        .bind(&opened.address)
        .run(&self.db)
        .await?;
        if made > 0 {
            seen(&self.db, key, now).await?;
        }
        Ok(made > 0)
    }

    async fn close(&self, key: &str) -> Result<(), DbError> {
        sql("delete from member_session where id = $1").bind(key).run(&self.db).await?;
        Ok(())
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> StoreResult<()> {
        let opened = record.data.get(OPENED).cloned().unwrap_or_default();
        let opened: Opened =
            serde_json::from_value(opened).map_err(|_| StoreError::Encode("a session that is nobody's".to_owned()))?;
        while !self.open(&key(&record.id), &opened).await.map_err(failed)? {
            record.id = Id::default();
        }
        let mut kept = kept(record);
        let created = match Inner::new(&self.db)? {
            Inner::Sqlite(store) => store.create(&mut kept).await,
            Inner::Postgres(store) => store.create(&mut kept).await,
        };
        match created {
            // Every session was ended meanwhile: this one never began.
            Err(_) if !self.exists(&key(&record.id)).await.map_err(failed)? => Ok(()),
            Err(error) => {
                self.close(&key(&record.id)).await.map_err(failed)?;
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    async fn save(&self, record: &Record) -> StoreResult<()> {
        let kept = kept(record);
        let saved = match Inner::new(&self.db)? {
            Inner::Sqlite(store) => store.save(&kept).await,
            Inner::Postgres(store) => store.save(&kept).await,
        };
        match saved {
            // Signed out meanwhile: the foreign key refused it, and signed out it stays.
            Err(_) if !self.exists(&key(&record.id)).await.map_err(failed)? => Ok(()),
            saved => saved,
        }
    }

    async fn load(&self, id: &Id) -> StoreResult<Option<Record>> {
        let key = key(id);
        let question = self.find(&key);
        let known = self.remembered().get(&key).cloned();
        // It is asked for again with the first thing that the page asks for.
        let known = known.filter(|known| {
            claim::claim(Claim {
                question: self.again(&key),
                answer: known.again.clone(),
                told: Arc::clone(&known.told),
                whole: question.clone(),
                whole_answer: known.print.clone(),
            })
        });
        let (mut record, membership) = match known {
            Some(known) => (known.record, known.membership),
            None => {
                let Some(row) = question.optional(&self.db).await.map_err(failed)? else {
                    self.remembered().remove(&key);
                    return Ok(None);
                };
                let (record, membership) = read(&row)?;
                match Known::of(&row, &record, membership.as_ref()) {
                    Some(known) => self.remember(key, known),
                    None => drop(self.remembered().remove(&key)),
                }
                (record, membership)
            }
        };
        if let Some(membership) = membership {
            // Outside of a request there is nobody to tell.
            let _ = BEHIND.try_with(|behind| behind.replace(Some(membership)));
        }
        record.id = *id;
        Ok(Some(record))
    }

    async fn delete(&self, id: &Id) -> StoreResult<()> {
        self.remembered().remove(&key(id));
        self.close(&key(id)).await.map_err(failed)
    }
}

/// The record as it is kept: under the digest of its id, without what only travels with a request.
fn kept(record: &Record) -> Record {
    let mut data: HashMap<_, _> = record.data.clone();
    data.remove(OPENED);
    data.remove(SEEN);
    Record { id: digest(&record.id), data, expiry_date: record.expiry_date }
}

fn failed(error: DbError) -> StoreError {
    StoreError::Backend(error.to_string())
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The library's store, where it writes.
enum Inner {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

impl Inner {
    fn new(db: &Db) -> StoreResult<Self> {
        match db.pools() {
            Pools::Sqlite { writer, .. } => Ok(Self::Sqlite(SqliteStore::new(writer.clone()))),
            Pools::Postgres { driver, .. } => PostgresStore::new(driver.clone())
                .with_schema_name("public")
                .and_then(|store| store.with_table_name("tower_sessions"))
                .map(Self::Postgres)
                .map_err(StoreError::Backend),
        }
    }
}
