//! Accepted submissions: one idempotency key each, answered as the first time for ever.

use crate::domain::access::{Actor, Role};
use crate::domain::event::Event;
use crate::domain::ids::{EventId, RecordId, SubmissionKey};
use crate::domain::instant::Instant;
use crate::error::{Error, Result};

use super::db::{Row, Sql, Tx, sql};
use super::ledger::{self, Hold};
use super::views::{self, RecordView};

/// A submission that was accepted before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Earlier {
    /// What it said, as a digest.
    pub digest: [u8; 32],
    /// The record it wrote to.
    pub record: RecordId,
    /// Its first event.
    pub event: EventId,
}

/// What every write of a member begins with, asked in one go once the household is held.
#[derive(Debug)]
pub struct Opening {
    /// The household, held.
    pub hold: Hold,
    /// The record that is written to, if one is; [`Error::NotFound`] if it is not the member's to see.
    pub view: Result<Option<RecordView>>,
    /// The submission that the member's key was accepted for, if it was.
    pub earlier: Option<Earlier>,
    /// What the member may do at this moment; none for one who is disabled, leaving or gone.
    pub role: Option<Role>,
    /// From when on the member is removed, if at all, unless they are disabled.
    pub removed_from: Option<Instant>,
}

/// Holds the household and asks what a write begins with.
///
/// # Errors
/// [`Error::NotFound`] if there is no such household.
pub async fn open(tx: &mut Tx, actor: &Actor, key: SubmissionKey, record: Option<RecordId>) -> Result<Opening> {
    let mut asked = vec![ledger::hold_statement(actor.household), find_statement(actor, key), role_statement(actor)];
    asked.extend(record.map(|record| views::record_statement(actor, record)));
    let answers = tx.together(asked).await?;
    let first = |at: usize| answers.get(at).and_then(|rows| rows.first());
    let hold = ledger::read_hold(actor.household, first(0))?;
    let view = record.map(|_| views::read_record(first(3))).transpose();
    let role = first(2).map(read_role).transpose()?.flatten();
    let removed_from = first(2).map(|row| row.opt_instant("removed_at")).transpose()?.flatten();
    Ok(Opening { hold, view, earlier: first(1).map(earlier).transpose()?, role, removed_from })
}

fn find_statement(actor: &Actor, key: SubmissionKey) -> Sql {
    sql("
        select s.digest, s.record_id, e.event_id
        from submission as s
        join record_events as e on e.household_id = s.household_id and e.position = s.first_position
        where s.household_id = $1 and s.member_id = $2 and s.key = $3")
    .bind(actor.household)
    .bind(actor.member)
    .bind(key)
}

fn earlier(row: &Row) -> Result<Earlier> {
    Ok(Earlier {
        digest: row.digest("digest")?,
        record: RecordId(row.uuid("record_id")?),
        event: EventId(row.uuid("event_id")?),
    })
}

/// Notes that a submission was accepted with these events.
///
/// # Errors
/// If the database refuses.
pub async fn accept(tx: &mut Tx, actor: &Actor, key: SubmissionKey, digest: [u8; 32], events: &[Event]) -> Result<()> {
    let first = events.first().ok_or_else(|| Error::internal("a submission without events"))?;
    sql("
        insert into submission (household_id, member_id, key, digest, record_id, first_position, events)
        values ($1, $2, $3, $4, $5, $6, $7)")
    .bind(actor.household)
    .bind(actor.member)
    .bind(key)
    .bind(digest)
    .bind(first.record)
    .bind(first.position)
    .bind(i64::try_from(events.len()).unwrap_or(i64::MAX))
    .later(&mut *tx)
    .await?;
    Ok(())
}

/// What a member may do at this moment; none for one who is disabled, leaving or gone.
///
/// # Errors
/// If the database refuses.
pub async fn role(tx: &mut Tx, actor: &Actor) -> Result<Option<Role>> {
    let row = role_statement(actor).optional(&mut *tx).await?;
    Ok(row.as_ref().map(read_role).transpose()?.flatten())
}

/// The role of whoever is not leaving.
fn read_role(row: &Row) -> Result<Option<Role>> {
    match row.opt_instant("removed_at")? {
        Some(_) => Ok(None),
        None => Ok(Some(row.text("role")?.parse()?)),
    }
}

fn role_statement(actor: &Actor) -> Sql {
    sql("select role, removed_at from member where household_id = $1 and id = $2 and not disabled")
        .bind(actor.household)
        .bind(actor.member)
}
