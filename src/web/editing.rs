//! Beginning a record and changing one.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::commands::records::{self as commands, EditRecord, Meaning, NewRecord, Written};
use crate::domain::Refusal;
use crate::domain::access::Visibility;
use crate::domain::ids::SubmissionKey;
use crate::domain::membership::LEAVING;
use crate::error::Error;
use crate::store::surroundings::{self, Surroundings};
use crate::store::views::{self, RecordView};
use crate::store::{accounts, fields};

use super::conflict;
use super::error::HtmlError;
use super::files_in::{FilesView, Incoming};
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::head::Head;
use super::moments;
use super::page::{Frame, Tab, Who};
use super::paths::RecordPath;
use super::record::crumbs;
use super::record_form::{FormView, TYPES, Understood, replaces_a_value, understand};
use super::records::category_names;
use super::reply::{page_with, see_other};
use super::session::Member;
use super::sight;

/// `GET /records/new`
pub async fn new(State(app): State<App>, Me(me): Me) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let private = accounts::default_visibility(&app.db, me.account).await? == Visibility::Private;
    let form = FormView { private, files: FilesView::new(&app), ..FormView::empty() };
    show_new(&app, &me, form, Errors::none()).await
}

/// `POST /records/new`: begins the record, or adds and removes rows of the form.
pub async fn create(State(app): State<App>, Me(me): Me, incoming: Incoming) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let received = incoming.receive(&app, &me.actor).await?;
    let form = &received.form;
    let mut view = FormView { files: received.view(&app), ..FormView::typed(form, None) };
    let mut errors = received.errors();
    if view.rearrange(&form.text("action")) {
        return show_new(&app, &me, view, errors).await;
    }
    let understood = understand(form, moments::now(&app, &me.actor), &mut errors);
    let files = received.new_files(&mut errors);
    let key = errors.key(form);
    let (Some(understood), Some(files), true) = (understood, files, errors.is_empty()) else {
        return show_new(&app, &me, FormView { submission: key, ..view }, errors).await;
    };
    match commands::create_with_files(&app, &me.actor, key, new_record(understood), files).await {
        Ok(created) => Ok(see_other(&format!("/records/{}?done=created", created.record))),
        Err(Error::SubmissionReused) => {
            show_new(&app, &me, FormView { submission: SubmissionKey::new(), ..view }, Errors::reused()).await
        }
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("", sentence);
            show_new(&app, &me, view, errors).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `GET /records/{record}/edit`
pub async fn edit(State(app): State<App>, Me(me): Me, RecordPath(id): RecordPath) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let view = views::record(&app.db, &me.actor, id).await?;
    if view.state.deleted.is_some() {
        return Ok(see_other(&format!("/records/{id}")));
    }
    let form = FormView::of(&view.state);
    show_edit(&app, &me, &view, form, Errors::none()).await
}

/// `POST /records/{record}/edit`: saves the record, or adds and removes rows of the form.
pub async fn save(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let view = views::record(&app.db, &me.actor, id).await?;
    let form = conflict::settled(form);
    let mut errors = Errors::of_form(&form);
    let version = form.text("version").parse::<i64>().ok().filter(|v| (1..=view.state.version).contains(v));
    let mut shown = FormView::typed(&form, Some(version.unwrap_or(view.state.version)));
    if shown.rearrange(&form.text("action")) {
        return show_edit(&app, &me, &view, shown, errors).await;
    }
    if version.is_none() && errors.is_empty() {
        errors.add("", "The form lost track of the record’s version. Look through it and save it once more.");
    }
    let understood = understand(&form, moments::now(&app, &me.actor), &mut errors);
    let key = errors.key(&form);
    shown.submission = key;
    if let (Some(form), Some(version)) = (understood.as_ref().filter(|form| form.meaning.is_none()), version) {
        // What somebody else changed meanwhile is not for this form's person to explain.
        let seen = fields::base(&mut app.db.snapshot().await?, &me.actor, id, version).await?;
        if replaces_a_value(&view.state, &seen, form) {
            errors.add("m-changed", "Say why a value is different: it changed, or it was wrong");
        }
    }
    let (Some(understood), Some(version), true) = (understood, version, errors.is_empty()) else {
        return show_edit(&app, &me, &view, shown, errors).await;
    };
    match commands::edit(&app, &me.actor, key, id, edit_record(understood, version)).await {
        Ok(saved) => Ok(see_other(&format!("/records/{id}?done={}", outcome(&saved)))),
        Err(Error::SubmissionReused) => {
            shown.submission = SubmissionKey::new();
            show_edit(&app, &me, &view, shown, Errors::reused()).await
        }
        Err(Error::Conflict(conflict)) => conflict::show_record(&app, &me, &view, &form, version, &conflict).await,
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("", sentence);
            show_edit(&app, &me, &view, shown, errors).await
        }
        Err(other) => Err(other.into()),
    }
}

/// A viewer reads, and so does whoever is leaving; only editors and owners get to the forms.
///
/// # Errors
/// [`Error::Forbidden`] for everybody else.
pub fn may_write(me: &Member) -> Result<(), Error> {
    if me.actor.role.may_write() {
        return Ok(());
    }
    Err(Error::Forbidden(match me.leaving {
        Some(_) => LEAVING.to_owned(),
        None => "You may read here, but not write. Ask an owner of the household to make you an editor.".to_owned(),
    }))
}

fn outcome(saved: &Written) -> &'static str {
    match (saved.event, saved.in_force) {
        (None, _) => "unchanged",
        (Some(_), true) => "saved",
        (Some(_), false) => "past",
    }
}

fn new_record(form: Understood) -> NewRecord {
    NewRecord {
        title: form.title,
        category: form.category,
        description: form.description,
        tags: form.tags,
        fields: form.fields,
        visibility: form.visibility,
        occurred: form.occurred,
        external: None,
    }
}

fn edit_record(form: Understood, version: i64) -> EditRecord {
    EditRecord {
        version,
        title: form.title,
        category: form.category,
        description: form.description,
        tags: form.tags,
        fields: form.fields,
        meaning: form.meaning.unwrap_or(Meaning::Changed),
        occurred: form.occurred,
    }
}

async fn show_new(app: &App, me: &Member, mut form: FormView, errors: Errors) -> Result<Response, HtmlError> {
    let Surroundings { known, people, .. } = surroundings::of(&app.db, &me.actor).await?;
    let tags: Vec<String> = known.tags.iter().map(|label| label.label.clone()).collect();
    form.suggest_tags(&tags);
    Ok(page_with(
        errors.status(),
        &NewTemplate {
            everyone: sight::names(app, &me.actor, &people),
            frame: Frame::member("New record", Tab::Records, Who::of(me)).wrong(!errors.is_empty()),
            crumbs: vec![
                ("/records".to_owned(), "Records".to_owned()),
                ("/records/new".to_owned(), "New record".to_owned()),
            ],
            categories: category_names(&known),
            known_tags: tags.into_iter().take(12).collect(),
            types: TYPES,
            form,
            errors,
        },
    ))
}

async fn show_edit(
    app: &App,
    me: &Member,
    view: &RecordView,
    mut form: FormView,
    errors: Errors,
) -> Result<Response, HtmlError> {
    let known = surroundings::of(&app.db, &me.actor).await?.known;
    let tags: Vec<String> = known.tags.iter().map(|label| label.label.clone()).collect();
    form.suggest_tags(&tags);
    let title = format!("Edit {}", view.state.title());
    let status: StatusCode = errors.status();
    Ok(page_with(
        status,
        &EditTemplate {
            frame: Frame::member(&title, Tab::Records, Who::of(me)).wrong(!errors.is_empty()),
            crumbs: crumbs(view, Some((format!("/records/{}/edit", view.id), "Edit"))),
            head: Head::of(app, view, &me.actor),
            categories: category_names(&known),
            known_tags: tags.into_iter().take(12).collect(),
            types: TYPES,
            form,
            errors,
        },
    ))
}

#[derive(Template)]
#[template(path = "records/new.html")]
struct NewTemplate {
    frame: Frame,
    everyone: String,
    crumbs: Vec<(String, String)>,
    form: FormView,
    errors: Errors,
    categories: Vec<String>,
    known_tags: Vec<String>,
    types: [(&'static str, &'static str); 5],
}

#[derive(Template)]
#[template(path = "records/edit.html")]
struct EditTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    head: Head,
    form: FormView,
    errors: Errors,
    categories: Vec<String>,
    known_tags: Vec<String>,
    types: [(&'static str, &'static str); 5],
}
