//! The notes and files behind words that a record itself does not say.

use std::collections::HashMap;

use crate::domain::access::Actor;
use crate::domain::analysis::Language;
use crate::domain::ids::{AttachmentId, RecordId};
use crate::domain::query::{Clause, Query};
use crate::domain::record::Record;
use crate::domain::when::Occurred;
use crate::domain::{analysis, searchable};
use crate::error::Result;
use crate::store::changes;
use crate::store::conditions::Binds;
use crate::store::db::{Db, bad};
use crate::store::history::Place;
use crate::store::views::VISIBLE;

use super::asking::like;
use super::{Hit, READ, Spot};

/// Finds the notes and files behind words that a record itself does not say: at most two a record.
pub(super) async fn find(db: &Db, actor: &Actor, query: &Query, hits: &mut [Hit]) -> Result<()> {
    let language = db.language();
    // The words of files stand among those of the record.
    let mut missing: Vec<Vec<usize>> = Vec::with_capacity(hits.len());
    for hit in hits.iter() {
        let state = if hit.has_files { Some(hit.state()?) } else { None };
        let is_missing = |clause: &Clause| {
            !clause.is_in(&hit.words) || state.as_ref().is_some_and(|state| !is_said(state, clause, language))
        };
        missing.push((0..query.with.len()).filter(|at| is_missing(&query.with[*at])).collect());
    }
    let mut clauses: Vec<usize> = missing.iter().flatten().copied().collect();
    clauses.sort_unstable();
    clauses.dedup();
    if clauses.is_empty() {
        return Ok(());
    }
    let wanted: Vec<RecordId> =
        hits.iter().zip(&missing).filter(|(_, missing)| !missing.is_empty()).map(|(hit, _)| hit.listed.id).collect();
    let notes = notes(db, actor, query, &clauses, &wanted).await?;
    let mut told = Vec::new();
    for (hit, missing) in hits.iter().zip(&mut missing) {
        let mut shown: Vec<i64> = Vec::new();
        missing.retain(|at| match notes.get(&(hit.listed.id, *at)) {
            Some(version) => {
                if !shown.contains(version) && shown.len() < 2 {
                    shown.push(*version);
                }
                false
            }
            None => true,
        });
        told.extend(shown.into_iter().map(|version| (hit.listed.id, version)));
    }
    let mut told = tell(db, actor, &told).await?;
    let in_files: Vec<RecordId> =
        hits.iter().zip(&missing).filter(|(_, missing)| !missing.is_empty()).map(|(hit, _)| hit.listed.id).collect();
    let files = files(db, actor, &in_files).await?;
    for (hit, missing) in hits.iter_mut().zip(&missing) {
        hit.spots = told.remove(&hit.listed.id).unwrap_or_default();
        for (id, name) in files.get(&hit.listed.id).into_iter().flatten() {
            let sequence = analysis::sequence(language, [name.as_str()]);
            if missing.iter().any(|at| query.with[*at].is_in(&sequence)) && hit.spots.len() < 2 {
                hit.spots.push(Spot::File { id: *id, name: name.clone() });
            }
        }
    }
    Ok(())
}

/// Whether a record itself says what is looked for.
fn is_said(state: &Record, clause: &Clause, language: Language) -> bool {
    searchable::record_texts(state).iter().any(|(_, text)| clause.is_in(&analysis::sequence(language, [text.as_str()])))
}

/// For each record and clause the latest note that matches, as the version of the event that tells it.
async fn notes(
    db: &Db,
    actor: &Actor,
    query: &Query,
    clauses: &[usize],
    records: &[RecordId],
) -> Result<HashMap<(RecordId, usize), i64>> {
    let mut asked = Binds::two(actor);
    let columns: Vec<String> = clauses
        .iter()
        .map(|at| {
            format!(
                "(select n.shown from search_note as n
                  where n.household_id = $1 and n.record_id = s.record_id and {}
                  order by n.version desc
                  limit 1) as note_{at}",
                like("n.words", &query.with[*at], &mut asked)
            )
        })
        .collect();
    let ids: Vec<String> = records.iter().map(|record| asked.add(*record)).collect();
    let rows = asked
        .into_sql(format!(
            "select s.record_id, {}
             from search_record as s
             cross join record_view as v
             where s.household_id = $1 and s.record_id in ({}) and v.household_id = $1 and v.id = s.record_id
               and {VISIBLE}",
            columns.join(", "),
            ids.join(", ")
        ))
        .all(db)
        .await?;
    let mut notes = HashMap::new();
    for row in &rows {
        let record = RecordId(row.uuid("record_id")?);
        for at in clauses {
            if let Some(version) = row.opt_int(&format!("note_{at}"))? {
                notes.insert((record, *at), version);
            }
        }
    }
    Ok(notes)
}

/// The notes that these events tell.
async fn tell(db: &Db, actor: &Actor, events: &[(RecordId, i64)]) -> Result<HashMap<RecordId, Vec<Spot>>> {
    let mut told: HashMap<RecordId, Vec<Spot>> = HashMap::new();
    if events.is_empty() {
        return Ok(told);
    }
    let mut asked = Binds::two(actor);
    let wanted: Vec<String> = events
        .iter()
        .enumerate()
        .map(|(nth, (record, version))| {
            format!("select {nth} as nth, {} as record_id, {} as version", asked.add(*record), asked.add(*version))
        })
        .collect();
    let rows = asked
        .into_sql(format!(
            "select w.record_id, w.version, e.position, e.kind, e.payload_version, e.payload, e.occurred
             from ({}) as w
             cross join record_events as e
             cross join record_view as v
             where e.household_id = $1 and e.record_id = w.record_id and e.version = w.version
               and v.household_id = $1 and v.id = w.record_id and {VISIBLE}
             order by w.nth",
            wanted.join(" union all ")
        ))
        .all(db)
        .await?;
    for row in &rows {
        let position = row.int("position")?;
        let payload = changes::payload(row)?;
        let occurred = Occurred::parse_iso(row.str("occurred")?).map_err(|e| bad("occurred", &e.0))?;
        told.entry(RecordId(row.uuid("record_id")?)).or_default().push(Spot::Note {
            version: row.int("version")?,
            place: Place { from: occurred.from_key(), precision: occurred.precision().rank(), position },
            occurred,
            texts: searchable::texts_of(&payload).unwrap_or_default(),
        });
    }
    Ok(told)
}

/// The names of files of records, the latest first.
async fn files(db: &Db, actor: &Actor, records: &[RecordId]) -> Result<HashMap<RecordId, Vec<(AttachmentId, String)>>> {
    let mut files: HashMap<RecordId, Vec<(AttachmentId, String)>> = HashMap::new();
    if records.is_empty() {
        return Ok(files);
    }
    let mut asked = Binds::two(actor);
    let ids: Vec<String> = records.iter().map(|record| asked.add(*record)).collect();
    let rows = asked
        .into_sql(format!(
            "select a.record_id, a.id, a.file_name
             from attachment as a
             cross join record_view as v
             where a.household_id = $1 and a.record_id in ({}) and a.standing = 'present'
               and v.household_id = $1 and v.id = a.record_id and {VISIBLE}
             order by a.position desc
             limit {READ}",
            ids.join(", ")
        ))
        .all(db)
        .await?;
    for row in &rows {
        let file = (AttachmentId(row.uuid("id")?), row.text("file_name")?);
        files.entry(RecordId(row.uuid("record_id")?)).or_default().push(file);
    }
    Ok(files)
}
