//! How notes read: now, and before a correction.

use crate::domain::access::Actor;
use crate::domain::event::Payload;
use crate::domain::ids::{EventId, RecordId};
use crate::domain::record::note_key;
use crate::domain::verbs::Wording;
use crate::domain::when::Occurred;
use crate::error::{Error, Result};

use super::db::{On, Row, Sql, Value, sql};

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

/// Asks how notes read before corrections, each given as the note and the version of the correction: as the last correction
/// before it that holds put it, or as the note itself did.
pub(super) fn before_statement(actor: &Actor, record: RecordId, corrections: &[(EventId, i64)]) -> Option<Sql> {
    let last = corrections.last()?;
    // A power of two, the last one said again: few different texts, so that each stays prepared.
    let count = corrections.len().next_power_of_two();
    let mut values: Vec<Value> = vec![actor.household.into(), record.into()];
    let mut walks = Vec::with_capacity(count);
    for (nth, (note, version)) in corrections.iter().chain(std::iter::repeat(last)).take(count).enumerate() {
        let (event, field, before) = (3 * nth + 3, 3 * nth + 4, 3 * nth + 5);
        values.extend([(*note).into(), note_key(*note).into(), (*version).into()]);
        walks.push(format!(
            "select {nth} as nth, e{nth}.kind, e{nth}.payload_version, e{nth}.payload, e{nth}.occurred
             from record_events as e{nth}
             where e{nth}.household_id = $1 and e{nth}.position = coalesce(
                 (select c.position
                  from record_change as c
                  join timeline_entry as s
                      on s.household_id = c.household_id and s.record_id = c.record_id and s.version = c.version
                  where c.household_id = $1 and c.record_id = $2 and c.field = ${field} and c.version < ${before}
                    and s.retracted_by is null
                  order by c.position desc
                  limit 1),
                 (select position from record_events
                  where household_id = $1 and event_id = ${event} and record_id = $2))"
        ));
    }
    let statement = sql(format!(
        "select cast(w.nth as bigint) as nth, w.kind, w.payload_version, w.payload, w.occurred from ({}) as w",
        walks.join(" union all ")
    ));
    Some(statement.bind_all(values))
}

/// What it found, for each of so many corrections.
pub(super) fn read_before(answers: &[Vec<Row>], corrections: usize) -> Result<Vec<Option<Wording>>> {
    let mut wordings = vec![None; corrections];
    for row in answers.iter().flatten() {
        if let Some(wording) = usize::try_from(row.int("nth")?).ok().and_then(|nth| wordings.get_mut(nth)) {
            *wording = read_wording(row)?;
        }
    }
    Ok(wordings)
}

fn read_wording(row: &Row) -> Result<Option<Wording>> {
    let payload = Payload::decode(row.str("kind")?, row.int("payload_version")?, row.slice("payload")?);
    let occurred = Occurred::parse_iso(row.str("occurred")?).map_err(|e| super::db::bad("occurred", &e.0))?;
    wording_of(&payload.map_err(Error::internal)?, occurred)
}

pub(super) fn wording_of(payload: &Payload, occurred: Occurred) -> Result<Option<Wording>> {
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
