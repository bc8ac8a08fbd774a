//! What a member takes along who leaves: every event of the records that they keep private.

use crate::domain::access::Actor;
use crate::domain::chain::{self, Hash};
use crate::domain::event::Event;
use crate::domain::ids::RecordId;
use crate::error::Result;

use super::db::{Db, sql};
use super::ledger;

/// An event of a private record, with what is needed to check it.
#[derive(Clone, Debug)]
pub struct OwnEvent {
    /// The event.
    pub event: Event,
    /// What its record is called today.
    pub title: String,
    /// The hash of the household's event before it: with it, the event's own hash can be computed again.
    pub before: Hash,
}

/// How much a member keeps private.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Much {
    /// Records, deleted ones included.
    pub records: i64,
    /// Their events.
    pub events: i64,
}

/// How much a member keeps private.
///
/// # Errors
/// If the database refuses.
pub async fn much(db: &Db, actor: &Actor) -> Result<Much> {
    let row = sql("
        select count(*) as records, coalesce(cast(sum(version) as bigint), 0) as events from record_view
        where household_id = $1 and owner_id = $2 and visibility = 'private'")
    .bind(actor.household)
    .bind(actor.member)
    .one(db)
    .await?;
    Ok(Much { records: row.int("records")?, events: row.int("events")? })
}

/// A record that somebody keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The record.
    pub id: RecordId,
    /// What it is called.
    pub title: String,
    /// Whether only its keeper sees it.
    pub private: bool,
}

/// The records that a member keeps and that are not deleted, private ones first, then latest activity first, at most
/// `limit`.
///
/// # Errors
/// If the database refuses.
pub async fn records(db: &Db, actor: &Actor, limit: i64) -> Result<Vec<Kept>> {
    let rows = sql("
        select id, title, visibility from record_view
        where household_id = $1 and owner_id = $2 and not deleted
        order by visibility desc, position desc
        limit $3")
    .bind(actor.household)
    .bind(actor.member)
    .bind(limit)
    .all(db)
    .await?;
    rows.iter()
        .map(|row| {
            let private = row.text("visibility")? == "private";
            Ok(Kept { id: RecordId(row.uuid("id")?), title: row.text("title")?, private })
        })
        .collect()
}

/// At most `limit` events of a member's private records after a position, in order.
///
/// # Errors
/// If the database refuses.
pub async fn events(db: &Db, actor: &Actor, after: i64, limit: i64) -> Result<Vec<OwnEvent>> {
    let columns: Vec<String> = ledger::COLUMNS.split(", ").map(|column| format!("e.{column}")).collect();
    let rows = sql(format!(
        "select {}, v.title, p.hash as before_hash
           from record_events as e
           join record_view as v on v.household_id = e.household_id and v.id = e.record_id
           left join record_events as p on p.household_id = e.household_id and p.position = e.position - 1
          where e.household_id = $1 and e.position > $3
            and v.owner_id = $2 and v.visibility = 'private'
          order by e.position
          limit $4",
        columns.join(", ")
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(after)
    .bind(limit)
    .all(db)
    .await?;
    rows.iter()
        .map(|row| {
            let before = match row.opt_bytes("before_hash")? {
                Some(_) => row.digest("before_hash")?,
                None => chain::genesis(actor.household),
            };
            Ok(OwnEvent { event: ledger::read(row)?, title: row.text("title")?, before })
        })
        .collect()
}
