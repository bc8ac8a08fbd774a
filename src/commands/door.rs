//! The one door for writes: hold the household, answer a repeated submission, load what the member may see, let the
//! domain decide, append, project, commit.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::Refusal;
use crate::domain::access::{Actor, Role};
use crate::domain::attachment::{self, Label, NewFile};
use crate::domain::conflict::{Conflict, ConflictField};
use crate::domain::event::{Draft, Payload};
use crate::domain::field::FieldValue;
use crate::domain::ids::{AttachmentId, EventId, MemberId, RecordId, SubmissionKey};
use crate::domain::instant::Instant;
use crate::domain::media::size_words;
use crate::domain::membership::LEAVING;
use crate::domain::record::NOTE;
use crate::domain::text::{FileName, Reason};
use crate::domain::verbs::{self, Edit, EditRecord, NewNote, NewRecord, Wording};
use crate::domain::when::Occurred;
use crate::error::{Error, Result};
use crate::store::db::Tx;
use crate::store::ledger::{self, Hold, Origin};
use crate::store::projection::Projector;
use crate::store::submissions::{self, Opening};
use crate::store::views::RecordView;
use crate::store::{attachments, blobs, fields, streams, wordings};

use super::{keeping, uploads};

/// What a member wants done, with all that was said. Its digest is what a repeated submission is recognised by.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub(super) enum Verb {
    /// Begin a record.
    Create {
        new: NewRecord,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        files: Vec<NewFile>,
        #[serde(skip_serializing_if = "Option::is_none")]
        label: Option<Label>,
    },
    /// Change what it says.
    Edit { record: RecordId, form: EditRecord },
    /// Put it away.
    Delete { record: RecordId, reason: Option<Reason> },
    /// Bring it back.
    Restore { record: RecordId, reason: Option<Reason> },
    /// Show it to the household.
    Share { record: RecordId },
    /// Keep it to its owner.
    Unshare { record: RecordId },
    /// Give it to another member to keep.
    HandOver { record: RecordId, to: MemberId },
    /// Undo an event.
    Retract { record: RecordId, event: EventId, reason: Option<Reason> },
    /// Add a note.
    AddNote {
        record: RecordId,
        note: NewNote,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        files: Vec<NewFile>,
        #[serde(skip_serializing_if = "Option::is_none")]
        label: Option<Label>,
    },
    /// Reword a note.
    CorrectNote { record: RecordId, note: EventId, version: i64, form: NewNote },
    /// Add files, to a note if one is named.
    AddFiles { record: RecordId, to: Option<EventId>, files: Vec<NewFile>, label: Option<Label>, occurred: Occurred },
    /// Give a file another label or name.
    ChangeFile { record: RecordId, file: AttachmentId, label: Option<Label>, name: FileName },
    /// Put another file in the place of one.
    ReplaceFile { record: RecordId, file: AttachmentId, by: Vec<NewFile> },
    /// Take a file off.
    RemoveFile { record: RecordId, file: AttachmentId },
}

impl Verb {
    fn record(&self) -> Option<RecordId> {
        match self {
            Self::Create { .. } => None,
            Self::Edit { record, .. }
            | Self::Delete { record, .. }
            | Self::Restore { record, .. }
            | Self::Share { record }
            | Self::Unshare { record }
            | Self::HandOver { record, .. }
            | Self::Retract { record, .. }
            | Self::AddNote { record, .. }
            | Self::CorrectNote { record, .. }
            | Self::AddFiles { record, .. }
            | Self::ChangeFile { record, .. }
            | Self::ReplaceFile { record, .. }
            | Self::RemoveFile { record, .. } => Some(*record),
        }
    }

    /// The files that it brings.
    fn files(&self) -> &[NewFile] {
        match self {
            Self::Create { files, .. } | Self::AddNote { files, .. } | Self::AddFiles { files, .. } => files,
            Self::ReplaceFile { by, .. } => by,
            _ => &[],
        }
    }
}

/// What a repeated submission is recognised by: a digest of all that was said.
pub(super) fn digest(said: &impl Serialize) -> Result<[u8; 32]> {
    let said = serde_json::to_vec(said).map_err(Error::internal)?;
    Ok(Sha256::new().chain_update(b"lifeops.submission.1\0").chain_update(&said).finalize().into())
}

/// What came of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The record.
    pub record: RecordId,
    /// The first event; none if there was nothing to change.
    pub event: Option<EventId>,
    /// The record's version now.
    pub version: i64,
    /// Whether this submission had been accepted before: nothing was written this time.
    pub repeated: bool,
    /// Whether what was said holds today. Not so for what was told late about an earlier time.
    pub in_force: bool,
}

/// Does what a verb says, in a task of its own: a client that hangs up neither undoes nor doubles anything.
pub(super) async fn write(app: &App, actor: &Actor, key: SubmissionKey, verb: Verb) -> Result<Written> {
    let (app, actor) = (app.clone(), actor.clone());
    let task = tokio::spawn(async move { in_one_transaction(&app, &actor, key, verb).await });
    task.await.map_err(Error::internal)?
}

async fn in_one_transaction(app: &App, actor: &Actor, key: SubmissionKey, verb: Verb) -> Result<Written> {
    let digest = digest(&verb)?;
    let zone = zone(actor);
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let Opening { mut hold, view, earlier, role, removed_from } =
        submissions::open(&mut tx, actor, key, verb.record()).await?;
    // A repeated form is answered as the first time, also where that took the record out of its sender's sight.
    if let Some(earlier) = earlier {
        if earlier.digest != digest {
            return Err(Error::SubmissionReused);
        }
        let version = view.ok().flatten().map_or(1, |view| view.state.version);
        tx.rollback().await?;
        // Its files came a second time.
        uploads::discard_later(app, actor.household, verb.files().iter().map(|file| file.upload).collect());
        return Ok(Written {
            record: earlier.record,
            event: Some(earlier.event),
            version,
            repeated: true,
            in_force: true,
        });
    }
    let view = view?;
    may(role, removed_from.is_some_and(|from| now < from), &verb)?;
    let today = Occurred::day(now.local(&zone).date());
    let decided = decide(&mut tx, actor, view.as_ref(), &verb, today, &zone).await?;
    let (record, version) = match &view {
        Some(view) => (view.id, view.state.version),
        None => (RecordId::new(), 0),
    };
    if decided.is_empty() {
        tx.rollback().await?;
        return Ok(Written { record, event: None, version, repeated: false, in_force: true });
    }
    let local = now.local(&zone);
    for draft in &decided {
        draft.occurred.not_after(local)?;
    }
    let spare = claim(app, &mut tx, actor, verb.files(), now).await?;
    let written = record_events(&mut tx, &mut hold, now, &origin(actor), record, view, decided).await?;
    submissions::accept(&mut tx, actor, key, digest, &written.events).await?;
    tx.commit().await?;
    uploads::delete_later(app, spare);
    let first = written.events.first();
    Ok(Written {
        record,
        event: first.map(|event| event.event),
        version: version + i64::try_from(written.events.len()).unwrap_or(0),
        repeated: false,
        in_force: written.in_force,
    })
}

/// Takes the contents of files for the household, in the transaction of the events that mention them. Returns the uploads
/// whose content is there already.
async fn claim(app: &App, tx: &mut Tx, actor: &Actor, files: &[NewFile], now: Instant) -> Result<Vec<blobs::Doomed>> {
    let mut spare = Vec::new();
    for file in files {
        match blobs::claim(tx, actor, &app.key, file, now).await? {
            Some(doomed) => spare.extend(doomed),
            None => {
                return Err(Refusal(format!(
                    "\u{201c}{}\u{201d} is not here any more: files wait for a day only. Choose it again.",
                    file.file_name
                ))
                .into());
            }
        }
    }
    match app.settings.quota {
        Some(quota) if !files.is_empty() => {
            let used = blobs::used(&mut *tx, actor.household, now).await?;
            if used.kept > quota { Err(Refusal(no_room(quota, 0)).into()) } else { Ok(spare) }
        }
        _ => Ok(spare),
    }
}

/// What is said when a household may keep no more files. `waiting` is what forms hold that nobody has finished, in bytes.
pub fn no_room(quota: u64, waiting: u64) -> String {
    let quota = size_words(quota);
    match waiting {
        0 => format!(
            "This household may keep {quota} of files, and there is not enough room left. Ask whoever runs this LifeOps for \
             more."
        ),
        waiting => format!(
            "This household may keep {quota} of files, and there is not enough room left: {} of it wait in forms that were \
             not finished. Finish those, or try again tomorrow, when they are gone.",
            size_words(waiting)
        ),
    }
}

/// Events that were just written.
pub(super) struct Recorded {
    /// The events.
    pub(super) events: Vec<crate::domain::event::Event>,
    /// Whether all that they say holds today.
    pub(super) in_force: bool,
}

/// Appends events to a record and brings the projections up to date.
pub(super) async fn record_events(
    tx: &mut Tx,
    hold: &mut Hold,
    now: Instant,
    origin: &Origin,
    record: RecordId,
    view: Option<RecordView>,
    drafts: Vec<Draft>,
) -> Result<Recorded> {
    let version = view.as_ref().map_or(0, |view| view.state.version);
    let updates = drafts.iter().any(|draft| matches!(draft.payload, Payload::RecordUpdated(_)));
    let events = ledger::append(tx, hold, now, origin, record, version, drafts).await?;
    let mut projector = Projector::knowing(view.map(RecordView::into_view));
    let mut in_force = true;
    for changes in projector.project(tx, &events).await? {
        if updates {
            in_force &= changes.iter().all(|change| change.in_force);
        }
    }
    Ok(Recorded { events, in_force })
}

pub(super) fn origin(actor: &Actor) -> Origin {
    Origin {
        household: actor.household,
        actor: Some(actor.member),
        via: actor.via,
        via_ref: actor.via_ref.clone(),
        batch: None,
    }
}

/// The member's time zone; UTC if the machine does not know it any more.
pub(super) fn zone(actor: &Actor) -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get(&actor.zone).unwrap_or(jiff::tz::TimeZone::UTC)
}

/// Whether the member may do this: the one place that decides it for every verb.
fn may(role: Option<Role>, is_leaving: bool, verb: &Verb) -> Result<()> {
    match verb {
        // Who is leaving gives away what they keep, and does nothing else.
        Verb::HandOver { .. } if is_leaving => Ok(()),
        Verb::HandOver { .. } => role_allows(role, Role::may_hand_over, "hand them over"),
        _ if is_leaving => Err(Error::Forbidden(LEAVING.to_owned())),
        _ => role_allows(role, Role::may_write, "change them"),
    }
}

/// Whether the member may write records.
pub(super) async fn may_write(tx: &mut Tx, actor: &Actor) -> Result<()> {
    role_allows(submissions::role(tx, actor).await?, Role::may_write, "change them")
}

/// Today's role decides, not the one that the request began with.
fn role_allows(role: Option<Role>, allows: fn(Role) -> bool, what: &str) -> Result<()> {
    match role {
        Some(role) if allows(role) => Ok(()),
        Some(_) => Err(Error::Forbidden(format!(
            "You may read this household’s records, but not {what}. Ask an owner to make you an editor."
        ))),
        None => Err(Error::Forbidden(
            "You are no longer a full member of this household, so you may not change its records.".into(),
        )),
    }
}

async fn decide(
    tx: &mut Tx,
    actor: &Actor,
    view: Option<&RecordView>,
    verb: &Verb,
    today: Occurred,
    zone: &jiff::tz::TimeZone,
) -> Result<Vec<Draft>> {
    let Some(view) = view else {
        let Verb::Create { new, files, label } = verb else { return Err(Error::NotFound) };
        let mut drafts = vec![(new.occurred, verbs::create(new)?).into()];
        drafts.extend(attached(files, *label, None, new.occurred));
        return Ok(drafts);
    };
    let state = &view.state;
    let one = |occurred: Occurred, payload: Payload| vec![(occurred, payload).into()];
    if !matches!(verb, Verb::Delete { .. } | Verb::Restore { .. } | Verb::Retract { .. }) {
        living(view, zone)?;
    }
    Ok(match verb {
        Verb::Create { .. } => return Err(Error::NotFound),
        Verb::Edit { form, .. } => edit(tx, actor, view, form, today).await?.into_iter().map(Draft::from).collect(),
        Verb::Delete { reason, .. } => one(today, verbs::delete(state, reason.clone())?),
        Verb::Restore { reason, .. } => one(today, verbs::restore(state, reason.clone())?),
        Verb::Share { .. } => {
            keeping::kept_by(view, actor)?;
            one(today, verbs::share(state)?)
        }
        Verb::Unshare { .. } => {
            keeping::kept_by(view, actor)?;
            one(today, verbs::unshare(state)?)
        }
        Verb::HandOver { to, .. } => one(today, keeping::hand_over(tx, actor, view, *to).await?),
        Verb::Retract { event, reason, .. } => {
            one(today, keeping::retract(tx, actor, view, *event, reason, zone).await?)
        }
        Verb::AddNote { note, files, label, .. } => {
            let mut drafts = vec![Draft::from((note.occurred, verbs::add_note(note)))];
            let event = drafts.first().map(|draft| draft.event);
            drafts.extend(attached(files, *label, event, note.occurred));
            drafts
        }
        Verb::CorrectNote { note, version, form, .. } => {
            correct(tx, actor, view, *note, *version, form).await?.into_iter().map(Draft::from).collect()
        }
        Verb::AddFiles { to, files, label, occurred, .. } => {
            if let Some(note) = to {
                match wordings::wording(&mut *tx, actor, view.id, *note).await {
                    Err(Error::NotFound) => {
                        let sentence = "This note is not here any more. Send the form once more, and the files come \
                                        with the record alone.";
                        return Err(Refusal::new(sentence).into());
                    }
                    found => found?,
                };
            }
            attached(files, *label, *to, *occurred).collect()
        }
        Verb::ChangeFile { file, label, name, .. } => {
            let now = attachments::one(&mut *tx, actor, view.id, *file).await?;
            let changed = attachment::change(&now, *label, name)?;
            changed.map(|payload| (today, payload).into()).into_iter().collect()
        }
        Verb::ReplaceFile { file, by, .. } => {
            let now = attachments::one(&mut *tx, actor, view.id, *file).await?;
            by.iter().map(|by| Ok((now.occurred, attachment::replace(&now, by)?).into())).collect::<Result<_>>()?
        }
        Verb::RemoveFile { file, .. } => {
            one(today, attachment::remove(&attachments::one(&mut *tx, actor, view.id, *file).await?)?)
        }
    })
}

fn attached(
    files: &[NewFile],
    label: Option<Label>,
    note: Option<EventId>,
    occurred: Occurred,
) -> impl Iterator<Item = Draft> {
    // Latest first is how they are shown: so the first of a form is the last that is added.
    files.iter().rev().map(move |file| (occurred, attachment::attach(file, label, note, None)).into())
}

/// Refuses to change a deleted record, saying who deleted it and when.
pub(super) fn living(view: &RecordView, zone: &jiff::tz::TimeZone) -> Result<()> {
    let Some(deleted) = &view.state.deleted else { return Ok(()) };
    let day = Occurred::day(deleted.instant().local(zone).date()).words();
    let by = if view.deleted_by_name.is_empty() { "LifeOps" } else { &view.deleted_by_name };
    Err(Refusal(format!("This record was deleted on {day} by {by}. Restore it first.")).into())
}

async fn edit(
    tx: &mut Tx,
    actor: &Actor,
    view: &RecordView,
    form: &EditRecord,
    today: Occurred,
) -> Result<Vec<(Occurred, Payload)>> {
    let now = view.state.version;
    if form.version < 1 || form.version > now {
        return Err(Refusal::new("This form belongs to no version of the record. Open it again.").into());
    }
    let base = match form.version == now {
        true => verbs::Base::default(),
        false => fields::base(tx, actor, view.id, form.version).await?,
    };
    match verbs::edit(&view.state, &base, form, today)? {
        Edit::Events(events) => Ok(events),
        Edit::Conflict(fields) => Err(conflict(tx, actor, view, fields).await?),
    }
}

async fn conflict(tx: &mut Tx, actor: &Actor, view: &RecordView, mut fields: Vec<ConflictField>) -> Result<Error> {
    for field in &mut fields {
        field.by_name = fields::member_name(&mut *tx, actor, field.by).await?;
    }
    Ok(Error::Conflict(Box::new(Conflict {
        record: view.id,
        version: view.state.version,
        title: view.state.title().to_owned(),
        fields,
    })))
}

async fn correct(
    tx: &mut Tx,
    actor: &Actor,
    view: &RecordView,
    note: EventId,
    version: i64,
    form: &NewNote,
) -> Result<Vec<(Occurred, Payload)>> {
    let (now, reworded_at) = wordings::wording(&mut *tx, actor, view.id, note).await?;
    let Some(payload) = verbs::correct_note(note, &now, form) else { return Ok(Vec::new()) };
    if reworded_at <= version {
        return Ok(vec![(form.occurred, payload)]);
    }
    let last = streams::at_version(&mut *tx, actor.household, view.id, reworded_at).await?;
    let theirs = Some(words(&now));
    let mine = Wording {
        occurred: form.occurred,
        text: form.text.clone(),
        amount: form.amount,
        reading: form.reading.clone(),
    };
    let field = ConflictField {
        key: NOTE.to_owned(),
        label: "Note".to_owned(),
        was: None,
        mine: Some(words(&mine)),
        theirs,
        by: last.actor,
        by_name: String::new(),
        at: last.recorded,
    };
    Err(conflict(tx, actor, view, vec![field]).await?)
}

/// A wording on one page: when, what, and what it cost or showed.
fn words(wording: &Wording) -> FieldValue {
    let mut text = format!("{}: {}", wording.occurred.words(), wording.text);
    if let Some(amount) = wording.amount {
        text.push_str(&format!("\n{}", amount.words()));
    }
    if let Some(reading) = &wording.reading {
        text.push_str(&format!("\n{}", reading.words()));
    }
    FieldValue::text(text)
}
