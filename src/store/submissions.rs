//! Accepted submissions: one idempotency key each, answered as the first time for ever.

use crate::domain::access::{Actor, Role};
use crate::domain::event::Event;
use crate::domain::ids::{EventId, RecordId, SubmissionKey};
use crate::error::{Error, Result};

use super::db::{Tx, sql};

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

/// The submission that a member's key was accepted for, if it was.
///
/// # Errors
/// If the database refuses.
pub async fn find(tx: &mut Tx, actor: &Actor, key: SubmissionKey) -> Result<Option<Earlier>> {
    let row = sql("
        select s.digest, s.record_id, e.event_id
        from submission as s
        join record_events as e on e.household_id = s.household_id and e.position = s.first_position
        where s.household_id = $1 and s.member_id = $2 and s.key = $3")
    .bind(actor.household)
    .bind(actor.member)
    .bind(key)
    .optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Earlier {
        digest: row.digest("digest")?,
        record: RecordId(row.uuid("record_id")?),
        event: EventId(row.uuid("event_id")?),
    }))
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
    .run(&mut *tx)
    .await?;
    Ok(())
}

/// What a member may do at this moment; none for one who is disabled, leaving or gone.
///
/// # Errors
/// If the database refuses.
pub async fn role(tx: &mut Tx, actor: &Actor) -> Result<Option<Role>> {
    let row =
        sql("select role from member where household_id = $1 and id = $2 and not disabled and removed_at is null")
            .bind(actor.household)
            .bind(actor.member)
            .optional(&mut *tx)
            .await?;
    row.map(|row| row.text("role")?.parse().map_err(Error::Refused)).transpose()
}
