//! The files of records, for whoever may see the record: every query says so itself.

use std::collections::HashSet;

use crate::domain::access::Actor;
use crate::domain::attachment::{Attachment, BlobId, NewFile, Standing};
use crate::domain::event::Payload;
use crate::domain::ids::{AttachmentId, EventId, HouseholdId, RecordId, SubmissionKey, UploadId};
use crate::domain::text::FileName;
use crate::domain::when::Occurred;
use crate::error::{Error, Result};

use super::conditions::places;
use super::db::{Db, On, Row, Sql, bad, sql};
use super::views::VISIBLE;

/// How many files a record's page shows.
pub const SHOWN: usize = 60;

/// How many files a page of all of them shows.
pub const PAGE: usize = 100;

const COLUMNS: &str = "a.id, a.event_id, a.position, a.blob, a.file_name, a.media_type, a.size, a.label, a.note_id, \
                       a.supersedes_id, a.occurred, a.standing";

fn read(row: &Row) -> Result<Attachment> {
    Ok(Attachment {
        id: AttachmentId(row.uuid("id")?),
        event: EventId(row.uuid("event_id")?),
        position: row.int("position")?,
        blob: BlobId(row.digest("blob")?),
        file_name: FileName::of(&row.text("file_name")?),
        media_type: row.text("media_type")?,
        size: u64::try_from(row.int("size")?).map_err(|_| bad("size", "it is negative"))?,
        label: row.opt_text("label")?.map(|label| label.parse()).transpose()?,
        note: row.opt_uuid("note_id")?.map(EventId),
        supersedes: row.opt_uuid("supersedes_id")?.map(AttachmentId),
        occurred: Occurred::parse_iso(&row.text("occurred")?).map_err(|e| bad("occurred", &e.0))?,
        standing: row.text("standing")?.parse()?,
    })
}

/// What a record's page asks: its present files, latest first, one more than it shows.
pub(super) fn shown_statement(actor: &Actor, record: RecordId, before: Option<i64>, page: usize) -> Sql {
    sql(format!(
        "select {COLUMNS} from attachment as a
         where a.household_id = $1 and a.record_id = $3 and a.standing = 'present' and a.position < $4
           and exists (select 1 from record_view as v where v.household_id = $1 and v.id = $3 and {VISIBLE})
         order by a.position desc
         limit {}",
        page + 1
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(record)
    .bind(before.unwrap_or(i64::MAX))
}

/// What it makes of the answer: the files, and whether there are more.
pub(super) fn read_shown(rows: &[Row], page: usize) -> Result<(Vec<Attachment>, bool)> {
    let files = rows.iter().take(page).map(read).collect::<Result<_>>()?;
    Ok((files, rows.len() > page))
}

/// A page of a record's present files, latest first: those added before a position. And whether there are more.
///
/// # Errors
/// If the database refuses. Of a record that is not the member's to see there are none.
pub async fn of_record(
    db: &Db,
    actor: &Actor,
    record: RecordId,
    before: Option<i64>,
    page: usize,
) -> Result<(Vec<Attachment>, bool)> {
    read_shown(&shown_statement(actor, record, before, page).all(db).await?, page)
}

/// Asks for files of a record by their identities, whatever has become of them. Of a record that is not the member's to see
/// there are none.
pub(super) fn named_statement(actor: &Actor, record: RecordId, ids: &[AttachmentId]) -> Option<Sql> {
    let places = places(4, ids)?;
    let statement = sql(format!(
        "select {COLUMNS} from attachment as a
         where a.household_id = $1 and a.record_id = $3 and a.id in ({})
           and exists (select 1 from record_view as v where v.household_id = $1 and v.id = $3 and {VISIBLE})",
        places.0
    ));
    Some(statement.bind(actor.household).bind(actor.member).bind(record).bind_all(places.1))
}

/// What it found.
pub(super) fn read_named(answers: &[Vec<Row>]) -> Result<Vec<Attachment>> {
    answers.iter().flatten().map(read).collect()
}

/// The files that a form of the member's own brought, by its key and in its order, as they are called now; none if it
/// was never accepted.
///
/// # Errors
/// If the database refuses.
pub async fn of_submission(db: &Db, actor: &Actor, key: SubmissionKey) -> Result<Vec<NewFile>> {
    let rows = sql(format!(
        "select {COLUMNS} from submission as s
         join attachment as a on a.household_id = s.household_id and a.record_id = s.record_id
          and a.position >= s.first_position and a.position < s.first_position + s.events
         join record_view as v on v.household_id = a.household_id and v.id = a.record_id
         where s.household_id = $1 and s.member_id = $2 and s.key = $3 and {VISIBLE}
         order by a.position desc"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(key)
    .all(db)
    .await?;
    let brought = |row: &Row| {
        let Attachment { blob, file_name, media_type, size, .. } = read(row)?;
        Ok(NewFile { upload: UploadId::new(), blob, file_name, media_type, size })
    };
    rows.iter().map(brought).collect()
}

/// A record's files that are not among its present ones, latest first, at most a page.
///
/// # Errors
/// If the database refuses. Of a record that is not the member's to see there are none.
pub async fn put_away(db: &Db, actor: &Actor, record: RecordId) -> Result<Vec<Attachment>> {
    let rows = sql(format!(
        "select {COLUMNS} from attachment as a
         where a.household_id = $1 and a.record_id = $3 and a.standing in ('removed', 'superseded', 'undone')
           and exists (select 1 from record_view as v where v.household_id = $1 and v.id = $3 and {VISIBLE})
         order by a.position desc
         limit {PAGE}"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(record)
    .all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// What put a file away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PutAway {
    /// The event. To undo it is to bring the file back.
    pub event: EventId,
    /// The file that took its place, if one did.
    pub by: Option<AttachmentId>,
}

/// What put a file away: its removal, the adding of the file that took its place, or what undid its own adding. What is
/// undone itself does not count.
///
/// # Errors
/// If the database refuses, or an event cannot be read.
pub async fn put_away_by(db: &Db, actor: &Actor, record: RecordId, file: &Attachment) -> Result<Option<PutAway>> {
    let rows = sql(format!(
        "select e.event_id, e.kind, e.payload_version, e.payload from record_events as e
         where e.household_id = $1 and e.record_id = $3
           and e.kind in ('attachment_added', 'attachment_removed', 'event_retracted')
           and exists (select 1 from record_view as v where v.household_id = $1 and v.id = $3 and {VISIBLE})
         order by e.position desc"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(record)
    .all(db)
    .await?;
    let mut undone = HashSet::new();
    for row in &rows {
        let event = EventId(row.uuid("event_id")?);
        if undone.contains(&event) {
            continue;
        }
        let payload = Payload::decode(&row.text("kind")?, row.int("payload_version")?, &row.bytes("payload")?);
        let payload = payload.map_err(Error::internal)?;
        let (puts_away, by) = match (file.standing, &payload) {
            (Standing::Removed, Payload::AttachmentRemoved(removed)) => (removed.attachment_id == file.id, None),
            (Standing::Superseded, Payload::AttachmentAdded(added)) => {
                (added.supersedes == Some(file.id), Some(added.attachment_id))
            }
            (Standing::Undone, Payload::EventRetracted(retracted)) => (retracted.event_id == file.event, None),
            _ => (false, None),
        };
        if puts_away {
            return Ok(Some(PutAway { event, by }));
        }
        if let Payload::EventRetracted(retracted) = payload {
            undone.insert(retracted.event_id);
        }
    }
    Ok(None)
}

/// A file of a record that the member may see, whatever has become of the file.
///
/// # Errors
/// [`Error::NotFound`] if there is none.
pub async fn one<'a>(on: impl Into<On<'a>>, actor: &Actor, record: RecordId, id: AttachmentId) -> Result<Attachment> {
    let (found, of) = anywhere(on, actor, id).await?;
    if of == record { Ok(found) } else { Err(Error::NotFound) }
}

/// A file of any record that the member may see, and the record.
///
/// # Errors
/// [`Error::NotFound`] if there is none.
pub async fn anywhere<'a>(on: impl Into<On<'a>>, actor: &Actor, id: AttachmentId) -> Result<(Attachment, RecordId)> {
    let row = sql(format!(
        "select {COLUMNS}, a.record_id
         from attachment as a
         join record_view as v on v.household_id = a.household_id and v.id = a.record_id
         where a.household_id = $1 and a.id = $3 and {VISIBLE}"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(id)
    .optional(on)
    .await?
    .ok_or(Error::NotFound)?;
    Ok((read(&row)?, RecordId(row.uuid("record_id")?)))
}

/// How much a household keeps in files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Storage {
    /// The plain bytes of contents, each counted once.
    pub bytes: i64,
    /// Files on records, removed and replaced ones included.
    pub files: i64,
    /// Bytes that would be kept if every file had its content to itself.
    pub told: i64,
}

/// How much a household keeps in files.
///
/// # Errors
/// If the database refuses.
pub async fn storage(db: &Db, household: HouseholdId) -> Result<Storage> {
    let row = sql("
        select (select coalesce(cast(sum(size) as bigint), 0) from blob where household_id = $1) as bytes,
               (select count(*) from attachment where household_id = $1) as files,
               (select coalesce(cast(sum(size) as bigint), 0) from attachment where household_id = $1) as told")
    .bind(household)
    .one(db)
    .await?;
    Ok(Storage { bytes: row.int("bytes")?, files: row.int("files")?, told: row.int("told")? })
}
