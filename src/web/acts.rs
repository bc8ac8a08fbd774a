//! Acts that ask first: delete, share, keep private, undo. Each has a page that says what will happen; restoring needs
//! none, because it takes nothing away.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::commands::records as commands;
use crate::domain::Refusal;
use crate::domain::access::Visibility;
use crate::domain::event::Payload;
use crate::domain::ids::{EventId, RecordId, SubmissionKey};
use crate::domain::text::Reason;
use crate::error::Error;
use crate::store::history::{self, HistoryEntry};
use crate::store::views::{self, RecordView};

use super::editing::may_write;
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::hand_over;
use super::moments;
use super::page::{Frame, Tab, Who};
use super::paths::{EventPath, RecordPath};
use super::record::crumbs;
use super::reply::{page_with, see_other};
use super::session::Member;
use super::sight;
use super::story::{Ev, Teller};

/// What is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Delete,
    Share,
    KeepPrivate,
}

/// `GET /records/{record}/delete`
pub async fn ask_delete(state: State<App>, me: Me, path: RecordPath) -> Result<Response, HtmlError> {
    ask(state, me, path, Act::Delete).await
}

/// `GET /records/{record}/share`
pub async fn ask_share(state: State<App>, me: Me, path: RecordPath) -> Result<Response, HtmlError> {
    ask(state, me, path, Act::Share).await
}

/// `GET /records/{record}/keep-private`
pub async fn ask_keep_private(state: State<App>, me: Me, path: RecordPath) -> Result<Response, HtmlError> {
    ask(state, me, path, Act::KeepPrivate).await
}

/// `POST /records/{record}/delete`
pub async fn delete(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    may_write(&me)?;
    let mut errors = Errors::of_form(&form);
    let reason = errors.take("reason", form.get("reason").parse_some(Reason::parse));
    let key = errors.key(&form);
    let (Some(reason), true) = (reason, errors.is_empty()) else {
        return Ok(show(&app, &me, &view, Act::Delete, key, form.text("reason"), errors));
    };
    match commands::delete(&app, &me.actor, key, id, reason).await {
        Ok(_) => Ok(see_other(&format!("/records/{id}?done=deleted"))),
        Err(Error::Refused(refusal)) => Ok(refused(&app, &me, &view, Act::Delete, key, &form, refusal)),
        Err(other) => Err(other.into()),
    }
}

/// `POST /records/{record}/restore`
pub async fn restore(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    views::record(&app.db, &me.actor, id).await?;
    may_write(&me)?;
    let key = whole(&form)?;
    commands::restore(&app, &me.actor, key, id, None).await?;
    Ok(see_other(&format!("/records/{id}?done=restored")))
}

/// `POST /records/{record}/share`
pub async fn share(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    keeps(&me, &view)?;
    let key = whole(&form)?;
    let done = commands::share(&app, &me.actor, key, id).await;
    answer(&app, &me, &view, Act::Share, key, &form, done.map(|_| "shared"))
}

/// `POST /records/{record}/keep-private`
pub async fn keep_private(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    keeps(&me, &view)?;
    let key = whole(&form)?;
    let done = commands::unshare(&app, &me.actor, key, id).await;
    answer(&app, &me, &view, Act::KeepPrivate, key, &form, done.map(|_| "kept"))
}

/// `GET /records/{record}/events/{event}/undo`
pub async fn ask_undo(
    State(app): State<App>,
    Me(me): Me,
    EventPath(id, event): EventPath,
) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    may_write(&me)?;
    let entry = history::entry(&app.db, &me.actor, id, event).await?;
    Ok(show_undo(&me, &view, &entry, SubmissionKey::new(), String::new(), Errors::none()))
}

/// `POST /records/{record}/events/{event}/undo`
pub async fn undo(
    State(app): State<App>,
    Me(me): Me,
    EventPath(id, event): EventPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    may_write(&me)?;
    let entry = history::entry(&app.db, &me.actor, id, event).await?;
    let mut errors = Errors::of_form(&form);
    let reason = errors.take("reason", form.get("reason").parse_some(Reason::parse));
    let key = errors.key(&form);
    let (Some(reason), true) = (reason, errors.is_empty()) else {
        return Ok(show_undo(&me, &view, &entry, key, form.text("reason"), errors));
    };
    match commands::retract(&app, &me.actor, key, id, event, reason).await {
        Ok(_) => hand_over::left(&app, &me, id, if is_undoing(&entry) { "back" } else { "undone" }).await,
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("", sentence);
            Ok(show_undo(&me, &view, &entry, key, form.text("reason"), errors))
        }
        Err(other) => Err(other.into()),
    }
}

async fn ask(State(app): State<App>, Me(me): Me, RecordPath(id): RecordPath, act: Act) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    match act {
        Act::Delete => may_write(&me)?,
        Act::Share | Act::KeepPrivate => keeps(&me, &view)?,
    }
    Ok(show(&app, &me, &view, act, SubmissionKey::new(), String::new(), Errors::none()))
}

/// Who sees a record is for the member who keeps it to decide.
pub(super) fn keeps(me: &Member, view: &RecordView) -> Result<(), Error> {
    may_write(me)?;
    kept_by(me, view)
}

/// Refuses whoever does not keep the record.
pub(super) fn kept_by(me: &Member, view: &RecordView) -> Result<(), Error> {
    if view.is_kept_by(me.actor.member) {
        return Ok(());
    }
    Err(Error::Forbidden(format!("{} keeps this record, and decides who sees and keeps it.", view.owner_name)))
}

/// A form that holds nothing but its key: it cannot be shown again with better words.
fn whole(form: &RawForm) -> Result<SubmissionKey, Error> {
    let mut errors = Errors::of_form(form);
    let key = errors.key(form);
    match errors.list().first() {
        None => Ok(key),
        Some(error) => Err(Error::Refused(Refusal::new(error.text.clone()))),
    }
}

fn answer(
    app: &App,
    me: &Member,
    view: &RecordView,
    act: Act,
    key: SubmissionKey,
    form: &RawForm,
    done: Result<&str, Error>,
) -> Result<Response, HtmlError> {
    match done {
        Ok(word) => Ok(see_other(&format!("/records/{}?done={word}", view.id))),
        Err(Error::Refused(refusal)) => Ok(refused(app, me, view, act, key, form, refusal)),
        Err(other) => Err(other.into()),
    }
}

fn refused(
    app: &App,
    me: &Member,
    view: &RecordView,
    act: Act,
    key: SubmissionKey,
    form: &RawForm,
    refusal: Refusal,
) -> Response {
    let mut errors = Errors::none();
    errors.add("", refusal.0);
    show(app, me, view, act, key, form.text("reason"), errors)
}

/// "12 events": how much a record's story holds.
pub(super) fn events_in_words(view: &RecordView) -> String {
    match view.state.version {
        1 => "one event".to_owned(),
        events => format!("{events} events"),
    }
}

fn show(
    app: &App,
    me: &Member,
    view: &RecordView,
    act: Act,
    key: SubmissionKey,
    reason: String,
    errors: Errors,
) -> Response {
    let (title, events) = (view.state.title(), events_in_words(view));
    let (question, sentences, button, keep, path) = match act {
        Act::Delete => (
            format!("Delete “{title}”?"),
            vec![
                "It leaves the list of records. It can be restored at any time.".to_owned(),
                format!("Its story of {events} stays as it is, and this deletion becomes part of it."),
            ],
            "Delete record",
            "Keep it",
            "delete",
        ),
        Act::Share => (
            format!("Share “{title}” with the household?"),
            vec![
                format!("{}. Those who may write can add to it.", sight::everyone(app, &me.actor, view, "will see it")),
                format!("They will see its whole past too: {events}, with every word that was ever written in it."),
            ],
            "Share it",
            "Keep it private",
            "share",
        ),
        Act::KeepPrivate => (
            format!("Keep “{title}” to yourself?"),
            vec![
                format!("Nobody else in {} will find it any more, whatever they added to it.", view.household_name),
                "What they have read, they have read. You can share it again at any time.".to_owned(),
            ],
            "Keep it private",
            "Leave it shared",
            "keep-private",
        ),
    };
    let action = format!("/records/{}/{path}", view.id);
    page_with(
        errors.status(),
        &ConfirmTemplate {
            frame: Frame::member(&question, Tab::Records, Who::of(me)).wrong(!errors.is_empty()),
            crumbs: crumbs(view, Some((action.clone(), button))),
            question,
            sentences,
            event: None,
            submission: key,
            with_reason: act == Act::Delete,
            reason,
            button,
            keep,
            back: format!("/records/{}", view.id),
            action,
            errors,
        },
    )
}

fn is_undoing(entry: &HistoryEntry) -> bool {
    matches!(entry.payload, Payload::EventRetracted(_))
}

fn show_undo(
    me: &Member,
    view: &RecordView,
    entry: &HistoryEntry,
    key: SubmissionKey,
    reason: String,
    errors: Errors,
) -> Response {
    let zone = moments::zone(&me.actor);
    let teller = Teller { level: 3, may_act: false, ..Teller::of(view, &me.actor, &zone) };
    let (question, sentence, button) = if is_undoing(entry) {
        ("Bring the entry back?", "What was undone then holds again from now on.", "Bring it back")
    } else if matches!(entry.payload, Payload::RecordRestored(_)) {
        ("Undo this entry?", "The record will be deleted again. It can be restored at any time.", "Undo it")
    } else if matches!(entry.payload, Payload::AttachmentRemoved(_)) {
        ("Bring the file back?", "It is on the record again then.", "Bring it back")
    } else if matches!(&entry.payload, Payload::AttachmentAdded(added) if added.supersedes.is_some()) {
        (
            "Undo this entry?",
            "The file whose place this one took is on the record again then, and this one is not.",
            "Undo it",
        )
    } else if matches!(entry.payload, Payload::AttachmentAdded(_)) {
        ("Undo this entry?", "The file is not on the record any more then. It stays readable in the story.", "Undo it")
    } else if matches!(entry.payload, Payload::NoteAdded(_)) {
        (
            "Undo this entry?",
            "What it says no longer holds, as if it had never been said. Files that came with it stay on the record.",
            "Undo it",
        )
    } else if matches!(entry.payload, Payload::RecordHandedOver(_)) {
        ("Undo this entry?", goes_back(view), "Undo it")
    } else {
        ("Undo this entry?", "What it says no longer holds, as if it had never been said.", "Undo it")
    };
    let action = undo_path(view.id, entry.event);
    let mut event = teller.event(entry);
    // Beneath an h1 there is no year to say it.
    event.when = moments::Moment::occurred(entry.occurred);
    page_with(
        errors.status(),
        &ConfirmTemplate {
            frame: Frame::member(format!("{question} – {}", view.state.title()), Tab::Records, Who::of(me))
                .wrong(!errors.is_empty()),
            crumbs: crumbs(view, Some((action.clone(), "Undo"))),
            question: question.to_owned(),
            sentences: vec![
                sentence.to_owned(),
                "The entry stays readable in the story, with your name and reason, and you can take this back."
                    .to_owned(),
            ],
            event: Some(event),
            submission: key,
            with_reason: true,
            reason,
            button,
            keep: "Leave it",
            back: format!("/records/{}", view.id),
            action,
            errors,
        },
    )
}

fn goes_back(view: &RecordView) -> &'static str {
    match view.state.visibility {
        Visibility::Private => "The record goes back to whoever kept it before, and you will not see it any more.",
        Visibility::Household => "The record goes back to whoever kept it before, who then decides who sees it.",
    }
}

fn undo_path(record: RecordId, event: EventId) -> String {
    format!("/records/{record}/events/{event}/undo")
}

#[derive(Template)]
#[template(path = "records/confirm.html")]
struct ConfirmTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    question: String,
    sentences: Vec<String>,
    event: Option<Ev>,
    action: String,
    submission: SubmissionKey,
    with_reason: bool,
    reason: String,
    button: &'static str,
    keep: &'static str,
    back: String,
    errors: Errors,
}
