//! A field's own history, and what the fields of a record were at an earlier version.

use crate::domain::access::Actor;
use crate::domain::event::Payload;
use crate::domain::ids::{EventId, MemberId, RecordId};
use crate::domain::instant::Instant;
use crate::domain::person::Called;
use crate::domain::record::FieldChange;
use crate::domain::verbs::Base;
use crate::error::{Error, Result};

use super::changes::shown;
use super::db::{Db, On, Tx, sql};
use super::history::change;
use super::people::{self, ACTOR};
use super::views;

/// One line of a field's own history.
#[derive(Clone, Debug)]
pub struct FieldLine {
    /// The event.
    pub event: EventId,
    /// Its place in the household.
    pub position: i64,
    /// The event's kind.
    pub kind: String,
    /// Whether it corrected an earlier value.
    pub correction: bool,
    /// What it changed.
    pub change: FieldChange,
    /// Who did it, as the member was called.
    pub actor_name: Option<Called>,
    /// When it was entered.
    pub recorded: Instant,
    /// Whether it is undone.
    pub retracted: bool,
}

/// A field's own history, latest told first, at most `limit` lines before a position, and whether there are more.
///
/// # Errors
/// [`Error::NotFound`] if the record is not the member's to see, or never had such a field.
pub async fn field_history(
    db: &Db,
    actor: &Actor,
    record: RecordId,
    key: &str,
    before: Option<i64>,
    limit: usize,
) -> Result<(Vec<FieldLine>, bool)> {
    views::record(db, actor, record).await?;
    let rows = sql(format!(
        "select c.position, c.field, c.label, c.old_value, c.new_value, c.effective, c.in_force,
                e.event_id, e.kind, e.payload_version, e.payload, e.recorded_at, s.retracted_by, {ACTOR}
         from record_change as c
         join record_events as e on e.household_id = c.household_id and e.position = c.position
         join timeline_entry as s
             on s.household_id = c.household_id and s.record_id = c.record_id and s.version = c.version
         left join member as m on m.household_id = e.household_id and m.id = e.actor_id
         where c.household_id = $1 and c.record_id = $2 and c.field = $3 and c.position < $4
         order by c.position desc
         limit $5"
    ))
    .bind(actor.household)
    .bind(record)
    .bind(key)
    .bind(before.unwrap_or(i64::MAX))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
    .all(db)
    .await?;
    if rows.is_empty() && before.is_none() {
        return Err(Error::NotFound);
    }
    let more = rows.len() > limit;
    let mut lines = Vec::with_capacity(limit.min(rows.len()));
    for row in rows.iter().take(limit) {
        let kind = row.text("kind")?;
        let payload = Payload::decode(&kind, row.int("payload_version")?, &row.bytes("payload")?);
        let correction = matches!(payload, Ok(Payload::RecordUpdated(updated)) if updated.corrects.is_some());
        lines.push(FieldLine {
            event: EventId(row.uuid("event_id")?),
            position: row.int("position")?,
            kind,
            correction,
            change: shown(change(row)?),
            actor_name: people::actor(row)?,
            recorded: row.instant("recorded_at")?,
            retracted: row.opt_int("retracted_by")?.is_some(),
        });
    }
    Ok((lines, more))
}

/// What the fields of a record were at an earlier version: for every field touched since, its value then.
///
/// # Errors
/// If the database refuses.
pub async fn base(tx: &mut Tx, actor: &Actor, record: RecordId, version: i64) -> Result<Base> {
    let rows = sql("
        select field, label, old_value, new_value, effective, in_force from record_change
        where household_id = $1 and record_id = $2 and version > $3
          and exists (select 1 from record_view as v
                      where v.household_id = $1 and v.id = $2
                        and (v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $4)))
        order by position")
    .bind(actor.household)
    .bind(record)
    .bind(version)
    .bind(actor.member)
    .all(&mut *tx)
    .await?;
    let changes = rows.iter().map(change).collect::<Result<Vec<_>>>()?;
    Ok(Base::before(&changes))
}

/// The member behind a name in a sentence.
///
/// # Errors
/// If the database refuses.
pub async fn member_name<'a>(on: impl Into<On<'a>>, actor: &Actor, member: Option<MemberId>) -> Result<String> {
    let Some(member) = member else { return Ok("LifeOps".to_owned()) };
    let row = sql("select name from member where household_id = $1 and id = $2")
        .bind(actor.household)
        .bind(member)
        .optional(on)
        .await?;
    row.map(|row| row.text("name"))
        .transpose()
        .map(|name| name.unwrap_or_else(|| "Someone".to_owned()))
        .map_err(Into::into)
}
