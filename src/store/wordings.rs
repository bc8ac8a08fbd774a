//! How notes read: now, and before a correction.

use crate::domain::access::Actor;
use crate::domain::event::Payload;
use crate::domain::ids::{EventId, RecordId};
use crate::domain::record::note_key;
use crate::domain::verbs::Wording;
use crate::domain::when::Occurred;
use crate::error::{Error, Result};

use super::db::{Db, On, Row, sql};

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
    // The note's latest correction that holds, or the note itself.
    let row = sql("
        select e.kind, e.payload_version, e.payload, e.occurred, e.version
        from timeline_entry as s
        join record_events as e
            on e.household_id = s.household_id and e.position = coalesce(s.corrected_by, s.position)
        where s.household_id = $1 and s.record_id = $2
          and s.version = (select version from record_events
                           where household_id = $1 and event_id = $3 and record_id = $2 and kind = 'note_added')
          and s.retracted_by is null
          and exists (select 1 from record_view as v
                      where v.household_id = $1 and v.id = $2
                        and (v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $4)))")
    .bind(actor.household)
    .bind(record)
    .bind(note)
    .bind(actor.member)
    .optional(on)
    .await?
    .ok_or(Error::NotFound)?;
    let wording = read_wording(&row)?.ok_or(Error::NotFound)?;
    Ok((wording, row.int("version")?))
}

/// How notes read before corrections: for each, the note and the version of the correction.
pub(super) async fn wordings_before(
    db: &Db,
    actor: &Actor,
    record: RecordId,
    corrections: &[(EventId, i64)],
) -> Result<Vec<Option<Wording>>> {
    // The last correction before it that holds, and the note itself.
    let earlier = |(note, version): &(EventId, i64)| {
        let corrected = sql("
            select e.kind, e.payload_version, e.payload, e.occurred
            from record_change as c
            join record_events as e on e.household_id = c.household_id and e.position = c.position
            join timeline_entry as s
                on s.household_id = c.household_id and s.record_id = c.record_id and s.version = c.version
            where c.household_id = $1 and c.record_id = $2 and c.field = $3 and c.version < $4
              and s.retracted_by is null
            order by c.position desc
            limit 1")
        .bind(actor.household)
        .bind(record)
        .bind(note_key(*note))
        .bind(*version);
        let begun = sql("
            select kind, payload_version, payload, occurred
            from record_events
            where household_id = $1 and event_id = $3 and record_id = $2")
        .bind(actor.household)
        .bind(record)
        .bind(*note);
        [corrected, begun]
    };
    let found = db.one_by_one(corrections.iter().flat_map(earlier).collect()).await?;
    let first = |pair: &[Vec<Row>]| pair.iter().flatten().next().map(read_wording).transpose();
    found.chunks(2).map(|pair| Ok(first(pair)?.flatten())).collect()
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
