//! Adding a note to a record, and correcting one.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use jiff::civil::DateTime;

use crate::app::App;
use crate::commands::notes::{self as commands, NewNote};
use crate::domain::Refusal;
use crate::domain::access::Actor;
use crate::domain::ids::{EventId, RecordId, SubmissionKey};
use crate::domain::money::{Amount, Decimal, Reading};
use crate::domain::text::{NoteText, Unit};
use crate::domain::verbs::Wording;
use crate::domain::when::Occurred;
use crate::error::Error;
use crate::store::attachments::SHOWN;
use crate::store::history::{self, Cursor};
use crate::store::views::{self, RecordView};
use crate::store::wordings;

use super::conflict;
use super::editing::may_write;
use super::error::HtmlError;
use super::files_in::{FilesView, Incoming};
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::moments::{self, CURRENCIES, likely_currency};
use super::page::{Frame, Tab, Who};
use super::paths::{EventPath, RecordPath};
use super::record::{FIRST_EVENTS, Shown, crumbs, story};
use super::record_form::{occurred_at, read_currency};
use super::reply::{Hx, page_with, part, see_other};
use super::session::Member;
use super::story::Story;

/// `POST /records/{record}/notes`
pub async fn add(
    State(app): State<App>,
    Me(me): Me,
    hx: Hx,
    RecordPath(id): RecordPath,
    incoming: Incoming,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let view = views::record(&app.db, &me.actor, id).await?;
    let received = incoming.receive(&app, &me.actor).await?;
    let mut errors = received.errors();
    let form = &received.form;
    let note = understand(form, moments::now(&app, &me.actor), &mut errors);
    let files = received.new_files(&mut errors);
    let key = errors.key(form);
    let shown = NoteForm { files: received.view(&app), ..NoteForm::typed(form, &view, None) };
    let (Some(note), Some(files), true) = (note, files, errors.is_empty()) else {
        return show_refused(&app, &me, hx, &view, shown, errors).await;
    };
    let added = match commands::add_with_files(&app, &me.actor, key, id, note, files).await {
        Err(Error::SubmissionReused) => {
            let shown = NoteForm { submission: SubmissionKey::new(), ..shown };
            return show_refused(&app, &me, hx, &view, shown, Errors::reused()).await;
        }
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("", sentence);
            return show_refused(&app, &me, hx, &view, shown, errors).await;
        }
        other => other?,
    };
    if hx.wants_part() {
        return added_part(&app, &me, id, added.event).await;
    }
    Ok(see_other(&match added.event {
        Some(event) => format!("/records/{id}?new={event}"),
        None => format!("/records/{id}"),
    }))
}

/// `GET /records/{record}/notes/{event}/edit`
pub async fn correction(
    State(app): State<App>,
    Me(me): Me,
    EventPath(id, note): EventPath,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let view = views::record(&app.db, &me.actor, id).await?;
    let (wording, _) = wordings::wording(&app.db, &me.actor, id, note).await?;
    let form = NoteForm::of(&view, note, &wording, &me.actor.zone);
    Ok(show_correction(&me, &view, form, Errors::none()))
}

/// `POST /records/{record}/notes/{event}/edit`
pub async fn correct(
    State(app): State<App>,
    Me(me): Me,
    EventPath(id, note): EventPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let view = views::record(&app.db, &me.actor, id).await?;
    wordings::wording(&app.db, &me.actor, id, note).await?;
    if form.text("keep-1") == "theirs" {
        return Ok(see_other(&format!("/records/{id}")));
    }
    let mut errors = Errors::of_form(&form);
    let version = form.text("version").parse::<i64>().ok().filter(|v| (1..=view.state.version).contains(v));
    if version.is_none() && errors.is_empty() {
        errors.add("", "The form lost track of the record’s version. Look through it and save it once more.");
    }
    let wanted = understand(&form, moments::now(&app, &me.actor), &mut errors);
    let key = errors.key(&form);
    let shown =
        NoteForm { version: Some(version.unwrap_or(view.state.version)), ..NoteForm::typed(&form, &view, Some(note)) };
    let (Some(wanted), Some(version), true) = (wanted, version, errors.is_empty()) else {
        return Ok(show_correction(&me, &view, NoteForm { submission: key, ..shown }, errors));
    };
    match commands::correct(&app, &me.actor, key, id, note, version, wanted).await {
        Ok(written) => {
            let done = if written.event.is_some() { "corrected" } else { "unchanged" };
            Ok(see_other(&format!("/records/{id}?done={done}")))
        }
        Err(Error::SubmissionReused) => {
            Ok(show_correction(&me, &view, NoteForm { submission: SubmissionKey::new(), ..shown }, Errors::reused()))
        }
        Err(Error::Conflict(found)) => Ok(conflict::show_note(&me, &view, note, &form, &found)),
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("", sentence);
            Ok(show_correction(&me, &view, shown, errors))
        }
        Err(other) => Err(other.into()),
    }
}

/// The form again, as it was typed: alone for htmx, else with its page around it.
async fn show_refused(
    app: &App,
    me: &Member,
    hx: Hx,
    view: &RecordView,
    note: NoteForm,
    errors: Errors,
) -> Result<Response, HtmlError> {
    if hx.wants_part() {
        let note = NoteForm { alone: true, ..note };
        let frame = Frame::member(view.state.title(), Tab::Records, Who::of(me)).wrong(true);
        return Ok(part(errors.status(), &RefusedPart { frame, note, errors }));
    }
    let shown = Shown { at: String::new(), new: None, done: String::new(), note, errors };
    shown.reply(app, Who::of(me), &me.actor, view.id).await
}

/// The story with the new event, a fresh form, and a word for the status line. The form was the request's target; the
/// story takes its place as that, so that the new event's heading gets focus.
async fn added_part(app: &App, me: &Member, id: RecordId, event: Option<EventId>) -> Result<Response, HtmlError> {
    let found = history::history(&app.db, &me.actor, id, &Cursor::Newest, FIRST_EVENTS, SHOWN).await?;
    let view = &found.view;
    let told = story(&me.actor, &found, event);
    let status = if told.focus { "Note added. It stands further down" } else { "Note added" };
    let mut response = part(
        StatusCode::OK,
        &AddedPart {
            frame: Frame::member(view.state.title(), Tab::Records, Who::of(me)).status(status),
            story: told,
            note: NoteForm::new(app, id, &me.actor),
            errors: Errors::none(),
        },
    );
    let headers = response.headers_mut();
    headers.insert("hx-retarget", HeaderValue::from_static("#history"));
    headers.insert("hx-reswap", HeaderValue::from_static("outerHTML"));
    Ok(response)
}

fn show_correction(me: &Member, view: &RecordView, note: NoteForm, errors: Errors) -> Response {
    let title = format!("Correct a note on {}", view.state.title());
    page_with(
        errors.status(),
        &CorrectionTemplate {
            frame: Frame::member(&title, Tab::Records, Who::of(me)).wrong(!errors.is_empty()),
            crumbs: crumbs(view, Some((note.action.clone(), "Correct a note"))),
            note,
            errors,
        },
    )
}

/// Reads the form; what is wrong goes to `errors`.
pub(super) fn understand(form: &RawForm, now: DateTime, errors: &mut Errors) -> Option<NewNote> {
    let text = errors.take("note-text", form.get("text").parse(NoteText::parse));
    let occurred: Option<Occurred> = occurred_at(form, now, errors, "note-on", "note-at");
    let amount = amount(form, errors);
    let reading = reading(form, errors);
    Some(NewNote { text: text?, occurred: occurred?, amount: amount?, reading: reading? })
}

/// `Some(None)` if no amount was typed; the currency alone means nothing.
fn amount(form: &RawForm, errors: &mut Errors) -> Option<Option<Amount>> {
    let typed = form.get("amount");
    if typed.is_blank() {
        return Some(None);
    }
    let currency = errors.take("note-currency", form.get("currency").parse(read_currency))?;
    errors.take("note-cost", typed.parse(|text| Amount::parse(text, currency))).map(Some)
}

fn reading(form: &RawForm, errors: &mut Errors) -> Option<Option<Reading>> {
    let (typed, unit) = (form.get("reading"), form.get("unit"));
    if typed.is_blank() && unit.is_blank() {
        return Some(None);
    }
    if typed.is_blank() {
        errors.add("note-reading", "Enter what the meter showed, or empty the unit");
        return None;
    }
    let value = errors.take("note-reading", typed.parse(Decimal::parse));
    let unit = errors.take("note-unit", unit.parse(Unit::parse));
    Some(Some(Reading { value: value?, unit: unit? }))
}

/// The note form as it is shown.
#[derive(Clone, Debug, Default)]
pub struct NoteForm {
    /// Where it is sent.
    pub action: String,
    /// Whether htmx may send it and swap the answer in.
    pub live: bool,
    /// Whether it goes out without its page, and so has the summary of what is wrong inside.
    pub alone: bool,
    /// The idempotency key.
    pub submission: SubmissionKey,
    /// For a correction: the record's version when the form was opened.
    pub version: Option<i64>,
    /// Markdown.
    pub text: String,
    /// The date.
    pub occurred: String,
    /// The time.
    pub time: String,
    /// What it cost.
    pub amount: String,
    /// In which currency.
    pub currency: String,
    /// What a meter showed.
    pub reading: String,
    /// Its unit.
    pub unit: String,
    /// What the currency field suggests.
    pub currencies: Vec<(&'static str, &'static str)>,
    /// The files; only with a new note.
    pub files: FilesView,
    /// The button.
    pub submit: &'static str,
    /// Where "Cancel" leads.
    pub cancel: Option<String>,
}

impl NoteForm {
    /// An empty form; the date is today.
    pub fn new(app: &App, record: RecordId, actor: &Actor) -> Self {
        Self {
            occurred: Occurred::day(moments::now(app, actor).date()).entry().0,
            currency: likely_currency(&actor.zone).to_owned(),
            files: FilesView::new(app),
            ..Self::bare(record, None)
        }
    }

    /// The form that corrects a note, filled with how it reads now.
    fn of(view: &RecordView, note: EventId, wording: &Wording, zone: &str) -> Self {
        let (occurred, time) = wording.occurred.entry();
        let currency = wording.amount.map_or_else(|| likely_currency(zone), |amount| amount.currency.code());
        Self {
            version: Some(view.state.version),
            text: wording.text.to_string(),
            occurred,
            time,
            amount: wording.amount.map(Amount::number).unwrap_or_default(),
            currency: currency.to_owned(),
            reading: wording.reading.as_ref().map(|reading| reading.value.to_string()).unwrap_or_default(),
            unit: wording.reading.as_ref().map(|reading| reading.unit.to_string()).unwrap_or_default(),
            ..Self::bare(view.id, Some(note))
        }
    }

    /// The form as it was typed, to be shown again.
    fn typed(form: &RawForm, view: &RecordView, note: Option<EventId>) -> Self {
        Self {
            submission: form.submission().unwrap_or_default(),
            text: form.text("text"),
            occurred: form.text("occurred"),
            time: form.text("occurred_time"),
            amount: form.text("amount"),
            currency: form.text("currency"),
            reading: form.text("reading"),
            unit: form.text("unit"),
            ..Self::bare(view.id, note)
        }
    }

    fn bare(record: RecordId, note: Option<EventId>) -> Self {
        let base = Self { currencies: CURRENCIES.to_vec(), ..Self::default() };
        match note {
            None => Self { action: format!("/records/{record}/notes"), live: true, submit: "Add to the story", ..base },
            Some(note) => Self {
                action: format!("/records/{record}/notes/{note}/edit"),
                submit: "Save the new words",
                cancel: Some(format!("/records/{record}")),
                ..base
            },
        }
    }
}

#[derive(Template)]
#[template(path = "records/_note_added.html")]
struct AddedPart {
    frame: Frame,
    story: Story,
    note: NoteForm,
    errors: Errors,
}

#[derive(Template)]
#[template(path = "records/_note_refused.html")]
struct RefusedPart {
    frame: Frame,
    note: NoteForm,
    errors: Errors,
}

#[derive(Template)]
#[template(path = "records/note.html")]
struct CorrectionTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    note: NoteForm,
    errors: Errors,
}
