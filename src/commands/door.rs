//! The one door for writes: hold the household, answer a repeated submission, load what the member may see, let the
//! domain decide, append, project, commit.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::Refusal;
use crate::domain::access::{Actor, Role};
use crate::domain::conflict::{Conflict, ConflictField};
use crate::domain::event::Payload;
use crate::domain::field::FieldValue;
use crate::domain::ids::{EventId, MemberId, RecordId, SubmissionKey};
use crate::domain::instant::Instant;
use crate::domain::membership::LEAVING;
use crate::domain::record::NOTE;
use crate::domain::text::Reason;
use crate::domain::verbs::{self, Edit, EditRecord, NewNote, NewRecord, Wording};
use crate::domain::when::Occurred;
use crate::error::{Error, Result};
use crate::store::db::Tx;
use crate::store::ledger::{self, Hold, Origin};
use crate::store::projection::Projector;
use crate::store::submissions::{self, Opening};
use crate::store::views::RecordView;
use crate::store::{fields, streams, wordings};

use super::keeping;

/// What a member wants done, with all that was said. Its digest is what a repeated submission is recognised by.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub(super) enum Verb {
    /// Begin a record.
    Create { new: NewRecord },
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
    AddNote { record: RecordId, note: NewNote },
    /// Reword a note.
    CorrectNote { record: RecordId, note: EventId, version: i64, form: NewNote },
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
            | Self::CorrectNote { record, .. } => Some(*record),
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
    for (occurred, _) in &decided {
        occurred.not_after(local)?;
    }
    let written = record_events(&mut tx, &mut hold, now, &origin(actor), record, view, decided).await?;
    submissions::accept(&mut tx, actor, key, digest, &written.events).await?;
    tx.commit().await?;
    let first = written.events.first();
    Ok(Written {
        record,
        event: first.map(|event| event.event),
        version: version + i64::try_from(written.events.len()).unwrap_or(0),
        repeated: false,
        in_force: written.in_force,
    })
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
    drafts: Vec<(Occurred, Payload)>,
) -> Result<Recorded> {
    let version = view.as_ref().map_or(0, |view| view.state.version);
    let said: Vec<(Occurred, Payload)> = drafts.clone();
    let events = ledger::append(tx, hold, now, origin, record, version, drafts).await?;
    let mut projector = Projector::knowing(view.map(RecordView::into_view));
    let mut in_force = true;
    for event in &events {
        let changes = projector.apply(tx, event).await?;
        if said.iter().any(|(_, payload)| matches!(payload, Payload::RecordUpdated(_))) {
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
) -> Result<Vec<(Occurred, Payload)>> {
    let Some(view) = view else {
        return match verb {
            Verb::Create { new } => Ok(vec![(new.occurred, verbs::create(new)?)]),
            _ => Err(Error::NotFound),
        };
    };
    let state = &view.state;
    Ok(match verb {
        Verb::Create { .. } => return Err(Error::NotFound),
        Verb::Edit { form, .. } => {
            living(view, zone)?;
            edit(tx, actor, view, form, today).await?
        }
        Verb::Delete { reason, .. } => vec![(today, verbs::delete(state, reason.clone())?)],
        Verb::Restore { reason, .. } => vec![(today, verbs::restore(state, reason.clone())?)],
        Verb::Share { .. } => {
            living(view, zone)?;
            keeping::kept_by(view, actor)?;
            vec![(today, verbs::share(state)?)]
        }
        Verb::Unshare { .. } => {
            living(view, zone)?;
            keeping::kept_by(view, actor)?;
            vec![(today, verbs::unshare(state)?)]
        }
        Verb::HandOver { to, .. } => {
            living(view, zone)?;
            vec![(today, keeping::hand_over(tx, actor, view, *to).await?)]
        }
        Verb::Retract { event, reason, .. } => {
            vec![(today, keeping::retract(tx, actor, view, *event, reason, zone).await?)]
        }
        Verb::AddNote { note, .. } => {
            living(view, zone)?;
            vec![(note.occurred, verbs::add_note(note))]
        }
        Verb::CorrectNote { note, version, form, .. } => {
            living(view, zone)?;
            correct(tx, actor, view, *note, *version, form).await?
        }
    })
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
