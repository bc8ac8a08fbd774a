//! How notes read: now, and before a correction.

use crate::domain::access::Actor;
use crate::domain::event::Payload;
use crate::domain::ids::{EventId, RecordId};
use crate::domain::record::note_key;
use crate::domain::verbs::Wording;
use crate::domain::when::Occurred;
use crate::error::{Error, Result};

use super::db::{Db, On, Row, sql};
use super::streams;

/// A note as it reads now, and the version of the stream at which it took this wording.
///
/// # Errors
/// [`Error::NotFound`] if the record has no such note, or the note is undone.
pub async fn wording<'a>(
    on: impl Into<On<'a>>,
    actor: &Actor,
    record: RecordId,
    note: EventId,
) -> Result<(Wording, i64)> {
    // The note's own entry and its latest correction that holds, newest last.
    let rows = sql("
        select e.kind, e.payload_version, e.payload, e.occurred, e.version
        from record_entry as s
        join record_events as e
            on e.household_id = s.household_id
           and (e.position = s.position or e.position = s.corrected_by)
        where s.household_id = $1 and s.record_id = $2
          and s.version = (select version from record_events
                           where household_id = $1 and event_id = $3 and record_id = $2 and kind = 'note_added')
          and s.retracted_by is null
          and exists (select 1 from record_view as v
                      where v.household_id = $1 and v.id = $2
                        and (v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $4)))
        order by e.version")
    .bind(actor.household)
    .bind(record)
    .bind(note)
    .bind(actor.member)
    .all(on)
    .await?;
    let row = rows.last().ok_or(Error::NotFound)?;
    let wording = read_wording(row)?.ok_or(Error::NotFound)?;
    Ok((wording, row.int("version")?))
}

/// A note as it read before the correction at `version`.
pub(super) async fn wording_before(
    db: &Db,
    actor: &Actor,
    record: RecordId,
    note: EventId,
    version: i64,
) -> Result<Option<Wording>> {
    let row = sql("
        select e.kind, e.payload_version, e.payload, e.occurred
        from record_change as c
        join record_events as e on e.household_id = c.household_id and e.position = c.position
        join record_entry as s
            on s.household_id = c.household_id and s.record_id = c.record_id and s.version = c.version
        where c.household_id = $1 and c.record_id = $2 and c.field = $3 and c.version < $4
          and s.retracted_by is null
        order by c.position desc
        limit 1")
    .bind(actor.household)
    .bind(record)
    .bind(note_key(note))
    .bind(version)
    .optional(db)
    .await?;
    match row {
        Some(row) => read_wording(&row),
        None => {
            let event = streams::event(db, actor.household, record, note).await?;
            wording_of(&event.fact().map_err(Error::internal)?.payload, event.occurred)
        }
    }
}

fn read_wording(row: &Row) -> Result<Option<Wording>> {
    let payload = Payload::decode(&row.text("kind")?, row.int("payload_version")?, &row.bytes("payload")?);
    let occurred = Occurred::parse_iso(&row.text("occurred")?).map_err(|e| super::db::bad("occurred", &e.0))?;
    wording_of(&payload.map_err(Error::internal)?, occurred)
}

fn wording_of(payload: &Payload, occurred: Occurred) -> Result<Option<Wording>> {
    Ok(match payload {
        Payload::NoteAdded(note) => {
            Some(Wording { occurred, text: note.text.clone(), amount: note.amount, reading: note.reading.clone() })
        }
        Payload::NoteCorrected(note) => {
            Some(Wording { occurred, text: note.text.clone(), amount: note.amount, reading: note.reading.clone() })
        }
        _ => None,
    })
}
