//! A record's story: its events in the order in which they happened, with what each changed; and a field's own history.

use std::collections::HashMap;

use crate::domain::access::Actor;
use crate::domain::attachment::Attachment;
use crate::domain::event::{EventRetracted, Payload};
use crate::domain::field::FieldValue;
use crate::domain::ids::{AttachmentId, BatchId, EventId, RecordId};
use crate::domain::instant::Instant;
use crate::domain::person::Called;
use crate::domain::record::FieldChange;
use crate::domain::verbs::Wording;
use crate::domain::when::Occurred;
use crate::error::{Error, Result};

use super::attachments;
use super::changes;
use super::conditions::places;
use super::db::{Db, Row, Sql, Value, sql};
use super::people::{self, People};
use super::surroundings;
use super::views::{self, RecordView};
use super::wordings;

/// How many events a page of the story has.
pub const PAGE: usize = 25;

/// Where a page of the story begins: the place of an entry in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its earliest minute.
    pub from: String,
    /// Its precision's rank.
    pub precision: i64,
    /// Its position.
    pub position: i64,
}

/// Which page of the story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// The newest.
    Newest,
    /// What happened before this place.
    Before(Place),
    /// What happened after it: the page in front.
    After(Place),
}

/// What became of an event: who did it and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The event that did it.
    pub event: EventId,
    /// What the member was called; none for the program itself.
    pub by_name: Option<Called>,
    /// When it was entered.
    pub at: Instant,
    /// Why, if it was said.
    pub reason: Option<String>,
}

/// One event of the story.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// The event.
    pub event: EventId,
    /// Its place in the stream.
    pub version: i64,
    /// Its place in the household.
    pub position: i64,
    /// What happened.
    pub payload: Payload,
    /// When.
    pub occurred: Occurred,
    /// When it was entered.
    pub recorded: Instant,
    /// Who did it, as the member was called; none for the program itself.
    pub actor_name: Option<Called>,
    /// The time zone in which that member lives.
    pub actor_zone: Option<String>,
    /// How it came in.
    pub via: String,
    /// The batch it belongs to.
    pub batch: Option<BatchId>,
    /// What it changed.
    pub changes: Vec<FieldChange>,
    /// Who undid it, if it is undone.
    pub retracted: Option<Mark>,
    /// Who reworded it, if it was corrected.
    pub corrected: Option<Mark>,
    /// For a correction: the wording before it.
    pub reworded: Option<Wording>,
    /// For what concerns a file: the file, as it stands today.
    pub file: Option<Attachment>,
    /// For a file in the place of another: that one.
    pub instead_of: Option<Attachment>,
}

/// A page of the story.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// The record, as it was found with its story.
    pub view: RecordView,
    /// Its present files, latest first, as many as its page shows.
    pub files: Vec<Attachment>,
    /// Whether there are more.
    pub more_files: bool,
    /// The events, latest happening first.
    pub entries: Vec<HistoryEntry>,
    /// The page in front.
    pub newer: Option<Cursor>,
    /// The page after.
    pub older: Option<Cursor>,
    /// How many events the record has.
    pub total: i64,
}

/// A record with a page of its story, and so many of its files.
///
/// # Errors
/// [`Error::NotFound`] if the record is not the member's to see.
pub async fn history(
    db: &Db,
    actor: &Actor,
    record: RecordId,
    cursor: &Cursor,
    page: usize,
    files: usize,
) -> Result<HistoryPage> {
    let (edge, forward) = match cursor {
        Cursor::Newest => (Place { from: "9999-99".into(), precision: 0, position: 0 }, true),
        Cursor::Before(place) => (place.clone(), true),
        Cursor::After(place) => (place.clone(), false),
    };
    let (side, order) = if forward { ("<", "desc") } else { (">", "asc") };
    let entries = format!(
        "select s.* from timeline_entry as s
         where s.household_id = $1 and s.record_id = $3 and {SEEN}
           and (s.occurred_from, s.occurred_precision, s.position) {side} ($4, $5, $6)
         order by s.occurred_from {order}, s.occurred_precision {order}, s.position {order}
         limit {}",
        page.saturating_add(1)
    );
    let values: [Value; 3] = [edge.from.into(), edge.precision.into(), edge.position.into()];
    let story = statement(actor, record, &entries, order, &values);
    let (view, mut rows) = if surroundings::may_be_known() {
        let asked = vec![views::alone_statement(actor, record), story];
        let (mut answers, surroundings) = surroundings::with(db, actor, asked).await?;
        let rows = answers.pop().unwrap_or_default();
        (views::read_alone(answers.first().and_then(|rows| rows.first()), &surroundings)?, rows)
    } else {
        let [view, rows] = db.together([views::record_statement(actor, record), story]).await?;
        (views::read_record(view.first())?, rows)
    };
    let more = rows.len() > page;
    rows.truncate(page);
    if !forward {
        rows.reverse();
    }
    let place = |row: &Row| -> Result<Place> {
        Ok(Place {
            from: row.text("occurred_from")?,
            precision: row.int("occurred_precision")?,
            position: row.int("position")?,
        })
    };
    let first = rows.first().map(place).transpose()?;
    let last = rows.last().map(place).transpose()?;
    let (has_newer, has_older) = match (forward, cursor) {
        (true, Cursor::Newest) => (false, more),
        (true, _) => (true, more),
        (false, _) => (more, true),
    };
    let whole = usize::try_from(view.state.version) == Ok(rows.len());
    let shown = view.has_files().then(|| attachments::shown_statement(actor, record, None, files));
    let (entries, shown) = read(db, actor, record, &rows, &view.people, whole, shown).await?;
    let (files, more_files) = attachments::read_shown(&shown, files)?;
    Ok(HistoryPage {
        files,
        more_files,
        entries,
        newer: first.filter(|_| has_newer).map(Cursor::After),
        older: last.filter(|_| has_older).map(Cursor::Before),
        total: view.state.version,
        view,
    })
}

/// One event of the story, for the fragment that shows a new note.
///
/// # Errors
/// [`Error::NotFound`] if the record is not the member's to see or has no such event.
pub async fn entry(db: &Db, actor: &Actor, record: RecordId, event: EventId) -> Result<HistoryEntry> {
    let entries = format!(
        "select s.* from record_events as e
         join timeline_entry as s
             on s.household_id = e.household_id and s.record_id = e.record_id and s.version = e.version
         where e.household_id = $1 and e.event_id = $4 and e.record_id = $3 and {SEEN}"
    );
    let story = statement(actor, record, &entries, "desc", &[event.into()]);
    let [people, story] = db.together([people::statement(actor), story]).await?;
    let (mut entries, _) = read(db, actor, record, &story, &people::read(&people)?, false, None).await?;
    entries.pop().ok_or(Error::NotFound)
}

/// The condition under which the member (`$2`) sees the record (`$3`) of the household (`$1`).
const SEEN: &str = "exists (select 1 from record_view as v
                            where v.household_id = $1 and v.id = $3
                              and (v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $2)))";

/// Of some entries: the events, and what each changed.
fn statement(actor: &Actor, record: RecordId, entries: &str, order: &str, values: &[Value]) -> Sql {
    sql(format!(
        "select page.version, page.occurred_from, page.occurred_precision, page.retracted_by, page.corrected_by,
                page.changes, e.position, e.event_id, e.kind, e.payload_version, e.payload, e.via, e.batch_id, e.occurred,
                e.recorded_at, e.actor_id
         from ({entries}) as page
         cross join record_events as e
         where e.household_id = page.household_id and e.position = page.position
         order by page.occurred_from {order}, page.occurred_precision {order}, page.position {order}"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(record)
    .bind_all(values.iter().cloned())
}

/// Tells entries, and asks together for what they need that does not stand among them, and for `more`. `whole` says that
/// they are all of the record's.
async fn read(
    db: &Db,
    actor: &Actor,
    record: RecordId,
    rows: &[Row],
    people: &People,
    whole: bool,
    more: Option<Sql>,
) -> Result<(Vec<HistoryEntry>, Vec<Row>)> {
    let mut told = Vec::with_capacity(rows.len());
    for row in rows {
        told.push(Told::read(row)?);
    }
    let mut marks = HashMap::new();
    let mut marking = Vec::new();
    for position in told.iter().flat_map(|told| [told.retracted_by, told.corrected_by]).flatten() {
        match told.iter().zip(rows).find(|(told, _)| told.position == position) {
            Some((_, row)) => drop(marks.insert(position, mark(row, people)?)),
            None => marking.push(position),
        }
    }
    let corrections: Vec<(EventId, i64)> = told.iter().filter_map(Told::corrects).collect();
    let mut reworded = Vec::new();
    if whole {
        for (note, version) in &corrections {
            reworded.push(before(&told, *note, *version)?);
        }
    }
    let unknown = if whole { &[][..] } else { &corrections[..] };
    let mut asked: Vec<Sql> = more.into_iter().collect();
    let of_more = asked.len();
    asked.extend(wordings::before_statement(actor, record, unknown));
    let of_wordings = asked.len();
    asked.extend(marks_statement(actor, &marking));
    let of_marks = asked.len();
    asked.extend(attachments::named_statement(actor, record, &files_of(&told)));
    let mut found = db.one_by_one(asked).await?;
    reworded.extend(wordings::read_before(&found[of_more..of_wordings], unknown.len())?);
    marks.extend(read_marks(&found[of_wordings..of_marks], people)?);
    let files = attachments::read_named(&found[of_marks..])?;
    let file = |id: Option<AttachmentId>| id.and_then(|id| files.iter().find(|file| file.id == id).cloned());
    let mut reworded = reworded.into_iter();
    let mut entries = Vec::with_capacity(rows.len());
    for (row, told) in rows.iter().zip(told) {
        let reworded = told.corrects().and_then(|_| reworded.next().flatten());
        let (of, instead_of) = about(&told.payload);
        entries.push(HistoryEntry {
            file: file(of),
            instead_of: file(instead_of),
            event: told.event,
            version: told.version,
            position: told.position,
            payload: told.payload,
            occurred: told.occurred,
            recorded: row.instant("recorded_at")?,
            actor_name: people.called_in(row, "actor_id")?,
            actor_zone: people.zone_in(row, "actor_id")?,
            via: row.text("via")?,
            batch: row.opt_uuid("batch_id")?.map(BatchId),
            changes: changes::read(row)?,
            retracted: told.retracted_by.and_then(|by| marks.get(&by).cloned()),
            corrected: told.corrected_by.and_then(|by| marks.get(&by).cloned()),
            reworded,
        });
    }
    found.truncate(of_more);
    Ok((entries, found.pop().unwrap_or_default()))
}

/// What entries have to do with each other.
struct Told {
    event: EventId,
    version: i64,
    position: i64,
    payload: Payload,
    occurred: Occurred,
    retracted_by: Option<i64>,
    corrected_by: Option<i64>,
}

impl Told {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            event: EventId(row.uuid("event_id")?),
            version: row.int("version")?,
            position: row.int("position")?,
            payload: changes::payload(row)?,
            occurred: Occurred::parse_iso(row.str("occurred")?).map_err(|e| super::db::bad("occurred", &e.0))?,
            retracted_by: row.opt_int("retracted_by")?,
            corrected_by: row.opt_int("corrected_by")?,
        })
    }

    /// For a correction: of which note, and its place in the stream.
    fn corrects(&self) -> Option<(EventId, i64)> {
        match &self.payload {
            Payload::NoteCorrected(correction) => Some((correction.note, self.version)),
            _ => None,
        }
    }
}

/// How a note read before a correction, where all of the record's entries are at hand: as the last correction before it that
/// holds put it, or as the note itself did. The same as [`wordings::before_statement`] finds.
fn before(told: &[Told], note: EventId, version: i64) -> Result<Option<Wording>> {
    let holds = |told: &&Told| {
        told.retracted_by.is_none() && told.corrects().is_some_and(|(of, at)| of == note && at < version)
    };
    let earlier = told.iter().filter(holds).max_by_key(|told| told.version);
    let source = earlier.or_else(|| told.iter().find(|told| told.event == note));
    source.map(|told| wordings::wording_of(&told.payload, told.occurred)).transpose().map(Option::flatten)
}

/// The file that an event is about, and the one whose place it takes.
fn about(payload: &Payload) -> (Option<AttachmentId>, Option<AttachmentId>) {
    match payload {
        Payload::AttachmentAdded(added) => (Some(added.attachment_id), added.supersedes),
        Payload::AttachmentChanged(changed) => (Some(changed.attachment_id), None),
        Payload::AttachmentRemoved(removed) => (Some(removed.attachment_id), None),
        _ => (None, None),
    }
}

fn files_of(told: &[Told]) -> Vec<AttachmentId> {
    told.iter().map(|told| about(&told.payload)).flat_map(|(of, instead_of)| of.into_iter().chain(instead_of)).collect()
}

pub(super) fn change(row: &Row) -> Result<FieldChange> {
    let value = |column: &str| -> Result<Option<FieldValue>> {
        row.opt_text(column)?.map(|json| serde_json::from_str(&json)).transpose().map_err(Error::internal)
    };
    let effective = row.opt_text("effective")?.map(|iso| Occurred::parse_iso(&iso)).transpose();
    Ok(FieldChange {
        key: row.text("field")?,
        label: row.text("label")?,
        old: value("old_value")?,
        new: value("new_value")?,
        effective: effective.map_err(|e| super::db::bad("effective", &e.0))?,
        in_force: row.bool("in_force")?,
    })
}

/// What undid or corrected entries. Few entries have such a mark.
fn marks_statement(actor: &Actor, positions: &[i64]) -> Option<Sql> {
    let places = places(2, positions)?;
    let statement = sql(format!(
        "select e.position, e.event_id, e.kind, e.payload_version, e.payload, e.recorded_at, e.actor_id
         from record_events as e
         where e.household_id = $1 and e.position in ({})",
        places.0
    ));
    Some(statement.bind(actor.household).bind_all(places.1))
}

/// What it found, by position.
fn read_marks(answers: &[Vec<Row>], people: &People) -> Result<HashMap<i64, Mark>> {
    answers.iter().flatten().map(|row| Ok((row.int("position")?, mark(row, people)?))).collect()
}

fn mark(row: &Row, people: &People) -> Result<Mark> {
    let reason = match changes::payload(row) {
        Ok(Payload::EventRetracted(EventRetracted { reason, .. })) => reason.map(|reason| reason.to_string()),
        _ => None,
    };
    Ok(Mark {
        event: EventId(row.uuid("event_id")?),
        by_name: people.called_in(row, "actor_id")?,
        at: row.instant("recorded_at")?,
        reason,
    })
}
