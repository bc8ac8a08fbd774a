//! A record's files: all of them, one of them, adding, relabelling, replacing, removing.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::commands::{files as commands, notes};
use crate::domain::Refusal;
use crate::domain::attachment::{Attachment, Label, Standing};
use crate::domain::ids::{AttachmentId, EventId, RecordId, SubmissionKey};
use crate::domain::media::is_shown_inline;
use crate::domain::text::{FileName, NoteText};
use crate::domain::verbs::{NewNote, Wording};
use crate::domain::when::Occurred;
use crate::error::Error;
use crate::store::attachments::{self, PAGE, PutAway};
use crate::store::views::{self, RecordView};
use crate::store::wordings;

use super::editing::may_write;
use super::error::HtmlError;
use super::files::{FileView, FilesShown};
use super::files_in::{FilesView, Incoming, Received};
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::moments;
use super::page::{Flash, Frame, Tab, Who};
use super::paths::{Asked, AttachmentPath, RecordPath, with_query};
use super::record::crumbs;
use super::record_form::occurred_at;
use super::records::Pages;
use super::reply::{page_with, see_other};
use super::session::Member;

/// `GET /records/{record}/attachments`
pub async fn all(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    Asked(asked): Asked,
) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    let before = asked.text("before").parse().ok();
    let note = asked.text("note").parse().ok();
    let form = match note {
        // What belongs to a note happened when the note did.
        Some(note) => AddForm::of_note(&app, note, &wordings::wording(&app.db, &me.actor, id, note).await?.0),
        None => AddForm::new(&app, &me),
    };
    show_all(&app, &me, &view, before, form, Errors::none()).await
}

/// `POST /records/{record}/attachments`
pub async fn add(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    incoming: Incoming,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let view = views::record(&app.db, &me.actor, id).await?;
    let received = incoming.receive(&app, &me.actor).await?;
    let mut errors = received.errors();
    let new = received.new_files(&mut errors);
    let occurred = occurred_at(&received.form, moments::now(&app, &me.actor), &mut errors, "files-on", "files-at");
    let words = errors.take("files-words", received.form.get("text").parse_some(NoteText::parse));
    if received.files.is_empty() {
        errors.add("files", "Choose a file");
    }
    errors.order(&["files-on", "files-at", "files-words", "label", "files"]);
    let key = errors.key(&received.form);
    let form = AddForm { key, ..AddForm::typed(&app, &received) };
    let (Some(new), Some(words), Some(occurred), true) = (new, words, occurred, errors.is_empty()) else {
        return show_all(&app, &me, &view, None, form, errors).await;
    };
    let added = match words.filter(|_| form.note.is_none()) {
        // Words that come with files are a note, and the files belong to it.
        Some(text) => {
            let note = NewNote { text, occurred, amount: None, reading: None };
            notes::add_with_files(&app, &me.actor, key, id, note, new).await
        }
        None => commands::add(&app, &me.actor, key, id, form.note, new, occurred).await,
    };
    match added {
        Ok(added) => Ok(see_other(&match added.event {
            Some(event) => format!("/records/{id}?new={event}&done=files"),
            None => format!("/records/{id}"),
        })),
        Err(Error::SubmissionReused) => {
            let form = AddForm { key: SubmissionKey::new(), ..form };
            show_all(&app, &me, &view, None, form, Errors::reused()).await
        }
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("files", sentence);
            show_all(&app, &me, &view, None, form, errors).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `GET /records/{record}/attachments/{attachment}`
pub async fn one(
    State(app): State<App>,
    Me(me): Me,
    AttachmentPath(id, file): AttachmentPath,
    Asked(asked): Asked,
) -> Result<Response, HtmlError> {
    let mut found = Found::of(&app, &me, id, file).await?;
    if found.file.standing != Standing::Present {
        found.put_away = attachments::put_away_by(&app.db, &me.actor, id, &found.file).await?;
    }
    if let Some(note) = found.file.note {
        found.note = note_heading(&app, &me, id, note).await?;
    }
    let form = ChangeForm::of(&found.file);
    Ok(show_one(&me, &found, form, Errors::none(), &asked.text("done")))
}

/// `POST /records/{record}/attachments/{attachment}`: another label or name.
pub async fn change(
    State(app): State<App>,
    Me(me): Me,
    AttachmentPath(id, file): AttachmentPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let found = Found::of(&app, &me, id, file).await?;
    let mut errors = Errors::of_form(&form);
    let name = errors.take("file-name", form.get("file_name").parse(FileName::parse));
    let name = name.map(|name| name.with_extension_of(&found.file.file_name));
    let label = errors.take("label", form.get("label").parse_some(|text| text.parse::<Label>()));
    let key = errors.key(&form);
    let shown = ChangeForm { key, name: form.text("file_name"), label: form.text("label") };
    let (Some(name), Some(label), true) = (name, label, errors.is_empty()) else {
        return Ok(show_one(&me, &found, shown, errors, ""));
    };
    match commands::change(&app, &me.actor, key, id, file, label, name).await {
        Ok(written) => {
            let done = if written.event.is_some() { "changed" } else { "unchanged" };
            Ok(see_other(&format!("/records/{id}/attachments/{file}?done={done}")))
        }
        Err(Error::SubmissionReused) => {
            let shown = ChangeForm { key: SubmissionKey::new(), ..shown };
            Ok(show_one(&me, &found, shown, Errors::reused(), ""))
        }
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("", sentence);
            Ok(show_one(&me, &found, shown, errors, ""))
        }
        Err(other) => Err(other.into()),
    }
}

/// `GET /records/{record}/attachments/{attachment}/replace`
pub async fn ask_replace(
    State(app): State<App>,
    Me(me): Me,
    AttachmentPath(id, file): AttachmentPath,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let found = Found::of(&app, &me, id, file).await?;
    if !found.may_act(&me) {
        return Ok(see_other(&found.path()));
    }
    Ok(show_replace(&me, &found, FilesView::new(&app), SubmissionKey::new(), Errors::none()))
}

/// `POST /records/{record}/attachments/{attachment}/replace`
pub async fn replace(
    State(app): State<App>,
    Me(me): Me,
    AttachmentPath(id, file): AttachmentPath,
    incoming: Incoming,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let found = Found::of(&app, &me, id, file).await?;
    let received = incoming.receive(&app, &me.actor).await?;
    let mut errors = received.errors();
    if received.files.is_empty() {
        errors.add("files", "Choose the file that takes its place");
    } else if received.files.len() > 1 {
        errors.add("files", "One file takes the place of another. Keep one of these");
    }
    let key = errors.key(&received.form);
    let (Some(by), true) = (received.files.first(), errors.is_empty()) else {
        return Ok(show_replace(&me, &found, received.view(&app), key, errors));
    };
    match commands::replace(&app, &me.actor, key, id, file, by.clone()).await {
        Ok(written) => Ok(see_other(&match written.event {
            Some(event) => format!("/records/{id}?new={event}&done=replaced"),
            None => format!("/records/{id}"),
        })),
        Err(Error::SubmissionReused) => {
            Ok(show_replace(&me, &found, received.view(&app), SubmissionKey::new(), Errors::reused()))
        }
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("files", sentence);
            Ok(show_replace(&me, &found, received.view(&app), key, errors))
        }
        Err(other) => Err(other.into()),
    }
}

/// `GET /records/{record}/attachments/{attachment}/remove`
pub async fn ask_remove(
    State(app): State<App>,
    Me(me): Me,
    AttachmentPath(id, file): AttachmentPath,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let found = Found::of(&app, &me, id, file).await?;
    if !found.may_act(&me) {
        return Ok(see_other(&found.path()));
    }
    Ok(show_remove(&me, &found, SubmissionKey::new(), Errors::none()))
}

/// `POST /records/{record}/attachments/{attachment}/remove`
pub async fn remove(
    State(app): State<App>,
    Me(me): Me,
    AttachmentPath(id, file): AttachmentPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let found = Found::of(&app, &me, id, file).await?;
    let mut errors = Errors::of_form(&form);
    let key = errors.key(&form);
    if !errors.is_empty() {
        return Ok(show_remove(&me, &found, key, errors));
    }
    match commands::remove(&app, &me.actor, key, id, file).await {
        Ok(_) => Ok(see_other(&format!("/records/{id}?done=removed"))),
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("", sentence);
            Ok(show_remove(&me, &found, key, errors))
        }
        Err(other) => Err(other.into()),
    }
}

/// A file with its record.
struct Found {
    view: RecordView,
    file: Attachment,
    /// What put it away.
    put_away: Option<PutAway>,
    /// The heading of the note that it belongs to.
    note: Option<String>,
}

impl Found {
    async fn of(app: &App, me: &Member, record: RecordId, file: AttachmentId) -> Result<Self, Error> {
        Ok(Self {
            view: views::record(&app.db, &me.actor, record).await?,
            file: attachments::one(&app.db, &me.actor, record, file).await?,
            put_away: None,
            note: None,
        })
    }

    fn path(&self) -> String {
        format!("/records/{}/attachments/{}", self.view.id, self.file.id)
    }

    fn crumbs(&self) -> Vec<(String, String)> {
        let mut crumbs = crumbs(&self.view, Some((format!("/records/{}/attachments", self.view.id), "Files")));
        crumbs.push((self.path(), self.file.file_name.to_string()));
        crumbs
    }

    /// Whether something may be done with it here.
    fn may_act(&self, me: &Member) -> bool {
        me.actor.role.may_write() && self.view.state.deleted.is_none() && self.file.standing == Standing::Present
    }
}

async fn show_all(
    app: &App,
    me: &Member,
    view: &RecordView,
    before: Option<i64>,
    form: AddForm,
    errors: Errors,
) -> Result<Response, HtmlError> {
    let (files, more) = attachments::of_record(&app.db, &me.actor, view.id, before, PAGE).await?;
    let path = format!("/records/{}/attachments", view.id);
    let older = files.last().filter(|_| more).map(|last| with_query(&path, &[("before", &last.position.to_string())]));
    let note = match form.note {
        Some(note) => note_heading(app, me, view.id, note).await?,
        None => None,
    };
    // A note that was undone meanwhile takes no files, but the record does.
    let form = AddForm { note: form.note.filter(|_| note.is_some()), ..form };
    let put_away = match before {
        None => attachments::put_away(&app.db, &me.actor, view.id).await?,
        Some(_) => Vec::new(),
    };
    let heading = format!("Files of {}", view.state.title());
    let further = if before.is_some() { ", older ones" } else { "" };
    Ok(page_with(
        errors.status(),
        &AllTemplate {
            frame: Frame::member(format!("{heading}{further}"), Tab::Records, Who::of(me)).wrong(!errors.is_empty()),
            crumbs: crumbs(view, Some((path.clone(), "Files"))),
            heading,
            // What was typed comes back, also where the record was deleted meanwhile.
            may_add: me.actor.role.may_write() && (view.state.deleted.is_none() || !errors.is_empty()),
            shown: FilesShown::of(view.id, &files, None),
            put_away: put_away.iter().map(|file| FileView::of(view.id, file)).collect(),
            pages: Pages { newer: before.map(|_| path.clone()), older, what: "files", by_title: false },
            of_note: note,
            bundle: format!("{path}.zip"),
            action: path,
            form,
            errors,
        },
    ))
}

fn show_one(me: &Member, found: &Found, form: ChangeForm, errors: Errors, done: &str) -> Response {
    let Found { view, file, put_away, note } = found;
    let may_bring_back = me.actor.role.may_write() && view.state.deleted.is_none();
    let shown = FileView::of(view.id, file);
    let title = format!("{} of {}", shown.title, view.state.title());
    let flash = match done {
        _ if !errors.is_empty() => None,
        "changed" => Some(Flash::new("Saved", "The file has its new name and kind.")),
        "unchanged" => Some(Flash::new("Nothing to save", "The form said what is there already.")),
        _ => None,
    };
    let standing = match file.standing {
        Standing::Present => "",
        Standing::Superseded => "Another file has taken its place. This one opens as before.",
        Standing::Removed => "It was removed from the record, and opens as before.",
        Standing::Undone => "Its adding was undone. It opens as before.",
    };
    page_with(
        errors.status(),
        &OneTemplate {
            frame: Frame::member(title, Tab::Records, Who::of(me)).wrong(!errors.is_empty()).flash(flash),
            crumbs: found.crumbs(),
            back: put_away
                .filter(|_| may_bring_back)
                .map(|away| format!("/records/{}/events/{}/undo", view.id, away.event)),
            instead: put_away.and_then(|away| away.by).map(|by| format!("/records/{}/attachments/{by}", view.id)),
            note: note.clone(),
            // What was typed comes back, also where the file was removed meanwhile.
            may_act: found.may_act(me) || !errors.is_empty(),
            opens: is_shown_inline(&file.media_type),
            standing,
            labels: Label::choices(),
            path: found.path(),
            file: shown,
            form,
            errors,
        },
    )
}

fn show_replace(me: &Member, found: &Found, files: FilesView, key: SubmissionKey, errors: Errors) -> Response {
    let shown = FileView::of(found.view.id, &found.file);
    page_with(
        errors.status(),
        &ReplaceTemplate {
            frame: Frame::member(format!("Replace {}", shown.name), Tab::Records, Who::of(me))
                .wrong(!errors.is_empty()),
            crumbs: found.crumbs(),
            path: found.path(),
            files: FilesView { required: true, single: true, labels: Vec::new(), ..files },
            file: shown,
            key,
            errors,
        },
    )
}

fn show_remove(me: &Member, found: &Found, key: SubmissionKey, errors: Errors) -> Response {
    let shown = FileView::of(found.view.id, &found.file);
    page_with(
        errors.status(),
        &RemoveTemplate {
            frame: Frame::member(format!("Remove {}?", shown.name), Tab::Records, Who::of(me))
                .wrong(!errors.is_empty()),
            crumbs: found.crumbs(),
            path: found.path(),
            title: found.view.state.title().to_owned(),
            file: shown,
            key,
            errors,
        },
    )
}

/// The heading of a note; none if the note was undone.
async fn note_heading(app: &App, me: &Member, record: RecordId, note: EventId) -> Result<Option<String>, Error> {
    match wordings::wording(&app.db, &me.actor, record, note).await {
        Ok((note, _)) => Ok(Some(NoteText::heading(note.text.as_str()))),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The form that adds files.
#[derive(Clone, Debug, Default)]
struct AddForm {
    key: SubmissionKey,
    /// The note that they belong to.
    note: Option<EventId>,
    files: FilesView,
    occurred: String,
    time: String,
    /// A few words about them: a note of their own.
    words: String,
}

impl AddForm {
    fn new(app: &App, me: &Member) -> Self {
        let occurred = Occurred::day(moments::now(app, &me.actor).date()).entry().0;
        Self { occurred, files: FilesView { required: true, ..FilesView::new(app) }, ..Self::default() }
    }

    fn of_note(app: &App, note: EventId, wording: &Wording) -> Self {
        let (occurred, time) = wording.occurred.entry();
        let files = FilesView { required: true, ..FilesView::new(app) };
        Self { note: Some(note), occurred, time, files, ..Self::default() }
    }

    fn typed(app: &App, received: &Received) -> Self {
        let form = &received.form;
        Self {
            key: SubmissionKey::new(),
            note: form.text("note").parse().ok(),
            files: FilesView { required: true, ..received.view(app) },
            occurred: form.text("occurred"),
            time: form.text("occurred_time"),
            words: form.text("text"),
        }
    }
}

/// The form that relabels a file.
#[derive(Clone, Debug)]
struct ChangeForm {
    key: SubmissionKey,
    name: String,
    label: String,
}

impl ChangeForm {
    fn of(file: &Attachment) -> Self {
        Self {
            key: SubmissionKey::new(),
            name: file.file_name.to_string(),
            label: file.label.map(Label::as_str).unwrap_or_default().to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "attachments/all.html")]
struct AllTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: String,
    may_add: bool,
    shown: FilesShown,
    put_away: Vec<FileView>,
    pages: Pages,
    of_note: Option<String>,
    bundle: String,
    action: String,
    form: AddForm,
    errors: Errors,
}

#[derive(Template)]
#[template(path = "attachments/one.html")]
struct OneTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    may_act: bool,
    opens: bool,
    /// The file that took its place.
    instead: Option<String>,
    note: Option<String>,
    standing: &'static str,
    back: Option<String>,
    labels: Vec<(&'static str, &'static str)>,
    path: String,
    file: FileView,
    form: ChangeForm,
    errors: Errors,
}

#[derive(Template)]
#[template(path = "attachments/replace.html")]
struct ReplaceTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    path: String,
    files: FilesView,
    file: FileView,
    key: SubmissionKey,
    errors: Errors,
}

#[derive(Template)]
#[template(path = "attachments/remove.html")]
struct RemoveTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    path: String,
    title: String,
    file: FileView,
    key: SubmissionKey,
    errors: Errors,
}
