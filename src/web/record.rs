//! A record's page: its front, its story, the form that adds to it; and the record as it was on an earlier day.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::access::{Actor, Visibility};
use crate::domain::fold;
use crate::domain::ids::{EventId, RecordId, SubmissionKey};
use crate::domain::when::{Occurred, Precision};
use crate::store::attachments::SHOWN;
use crate::store::history::{self, HistoryPage, Place};
use crate::store::streams;
use crate::store::views::{self, RecordView};

use super::error::HtmlError;
use super::files::{FilesShown, StoryFiles};
use super::forms::Errors;
use super::guards::Me;
use super::head::Head;
use super::moments::{self, Moment};
use super::notes::NoteForm;
use super::page::{Flash, Frame, Tab, Who};
use super::paths::{Asked, RecordPath, with_query};
use super::reply::{page, page_with};
use super::story::{Story, Teller};

/// How many events a record's page shows.
pub const FIRST_EVENTS: usize = 25;

/// `GET /records/{record}`
pub async fn show(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    Asked(asked): Asked,
) -> Result<Response, HtmlError> {
    let mut errors = Errors::none();
    if !asked.get("at").is_blank() {
        let now = moments::now(&app, &me.actor);
        let day = errors.take("at", asked.get("at").parse(|at| Occurred::parse_entry(at, "", now)));
        if let Some(day) = day {
            let view = views::record(&app.db, &me.actor, id).await?;
            return as_it_was(&app, Who::of(&me), &me.actor, &view, day, asked.text("at")).await;
        }
    }
    let note = NoteForm::new(&app, id, &me.actor);
    let new = asked.text("new").parse().ok();
    let shown = Shown { at: asked.text("at"), new, done: asked.text("done"), note, errors };
    shown.reply(&app, Who::of(&me), &me.actor, id).await
}

/// A record's page and what is special about showing it this time.
#[derive(Debug)]
pub struct Shown {
    /// What was typed into "as it was".
    pub at: String,
    /// The event that was added just now.
    pub new: Option<EventId>,
    /// What was done just now.
    pub done: String,
    /// The note form.
    pub note: NoteForm,
    /// What is wrong with either.
    pub errors: Errors,
}

impl Shown {
    /// The page; its status says whether a form was refused.
    pub async fn reply(self, app: &App, who: Who, actor: &Actor, id: RecordId) -> Result<Response, HtmlError> {
        let found = history::history(&app.db, actor, id, &history::Cursor::Newest, FIRST_EVENTS, SHOWN).await?;
        let view = &found.view;
        // Here the message above says where a new event stands; only a swapped fragment moves focus to the story.
        let wrong = !self.errors.is_empty();
        let new = self.new.filter(|_| !wrong);
        let story = Story { focus: false, ..story(actor, &found, new) };
        let status = self.errors.status();
        let head = Head::of(app, view, actor);
        let is_leaving = who.leaving.is_some();
        let flash = match (wrong, new) {
            (true, _) => None,
            (false, Some(new)) => match flash(&self.done, view) {
                Some(flash) => Some(flash),
                None => far_note(app, actor, view, &found, new).await,
            },
            (false, None) => flash(&self.done, view),
        };
        Ok(page_with(
            status,
            &ShowTemplate {
                frame: Frame::member(&head.title, Tab::Records, who).wrong(wrong).flash(flash),
                crumbs: crumbs(view, None),
                deleted: deleted(actor, view),
                fresh: !wrong && self.done == "deleted",
                restore_key: SubmissionKey::new(),
                rare: rare_acts(view, actor, is_leaving),
                // Words that were typed come back, also where the record was deleted meanwhile.
                may_add: head.may_add || (wrong && self.at.is_empty() && actor.role.may_write()),
                shown: files(&found),
                story,
                note: self.note,
                errors: self.errors,
                at: self.at,
                head,
            },
        ))
    }
}

/// A record's files, as many as its page shows.
fn files(found: &HistoryPage) -> FilesShown {
    let more = found.more_files.then(|| format!("/records/{}/attachments", found.view.id));
    FilesShown::of(found.view.id, &found.files, more)
}

/// The first page of a record's story.
pub fn story(actor: &Actor, found: &HistoryPage, new: Option<EventId>) -> Story {
    let view = &found.view;
    let zone = moments::zone(actor);
    let is_here = |event: EventId| found.entries.iter().any(|entry| entry.event == event);
    let files = StoryFiles::of(view.id, &found.files);
    let teller = Teller { new, files, folded: true, ..Teller::of(view, actor, &zone) };
    Story {
        words: super::history::words(found),
        older: found.older.as_ref().map(|cursor| super::history::address(view.id, cursor)),
        focus: new.is_some_and(|event| !is_here(event)),
        years: teller.years(&found.entries),
    }
}

/// The breadcrumb of a record and, below it, of one of its pages.
pub fn crumbs(view: &RecordView, below: Option<(String, &str)>) -> Vec<(String, String)> {
    let mut crumbs = vec![
        ("/records".to_owned(), "Records".to_owned()),
        (format!("/records/{}", view.id), view.state.title().to_owned()),
    ];
    crumbs.extend(below.map(|(href, words)| (href, words.to_owned())));
    crumbs
}

async fn as_it_was(
    app: &App,
    who: Who,
    actor: &Actor,
    view: &RecordView,
    day: Occurred,
    at: String,
) -> Result<Response, HtmlError> {
    let facts = streams::facts(&app.db, actor.household, view.id).await?;
    let past = fold::as_it_was(&facts, day);
    let existed = past.is_some();
    let head = match &past {
        Some(past) => Head::of_past(app, view, past, actor),
        None => Head::of(app, view, actor),
    };
    let day_word = if day.precision() >= Precision::Day { "on" } else { "at the end of" };
    let title = format!("{} as it was {day_word} {}", head.today_title, day.words());
    let sentence = match existed {
        true => "This is what is known today about that time: later changes are left out, later corrections are not.",
        false => "The record had not begun by then.",
    };
    Ok(page(&PastTemplate {
        frame: Frame::member(&title, Tab::Records, who),
        crumbs: crumbs(view, Some((with_query(&format!("/records/{}", view.id), &[("at", &at)]), "As it was"))),
        day: Moment::occurred(day),
        day_word,
        sentence,
        existed,
        at,
        head,
    }))
}

/// The message after an action, by the word that the redirect carried.
fn flash(done: &str, view: &RecordView) -> Option<Flash> {
    let title = view.state.title();
    let words = match done {
        "created" => ("Begun", format!("{title} has its record. Everything else can come on another day.")),
        "saved" => ("Saved", format!("{title} was updated. What stood there before is in the story.")),
        "unchanged" => ("Nothing to save", "The form said what the record says already.".to_owned()),
        "past" => ("Saved", "You told something about an earlier time. What holds today stayed as it was.".to_owned()),
        "restored" => ("Restored", format!("{title} is back, with its whole story.")),
        "shared" => ("Shared", format!("Everyone in the household sees {title} from now on.")),
        "kept" => ("Kept private", format!("Only you see {title} from now on.")),
        "handed" => ("Handed over", format!("{} keeps {title} from now on.", view.owner_name)),
        "files" => ("Added", format!("{title} has its new files.")),
        "replaced" => ("Replaced", "The new file is in its place. The one before stays in the story.".to_owned()),
        "removed" => ("Removed", "The file stays in the story, where it can be brought back.".to_owned()),
        "undone" => ("Undone", "The entry no longer holds. It stays in the story, and can be brought back.".to_owned()),
        "back" => ("Brought back", "The entry holds again.".to_owned()),
        "corrected" => ("Corrected", "The new words are in the story, and so are the old ones.".to_owned()),
        _ => return None,
    };
    Some(Flash::new(words.0, words.1))
}

/// Says where a note went that happened too long ago to stand on the first page.
async fn far_note(app: &App, actor: &Actor, view: &RecordView, found: &HistoryPage, new: EventId) -> Option<Flash> {
    if found.entries.iter().any(|entry| entry.event == new) {
        return None;
    }
    let entry = history::entry(&app.db, actor, view.id, new).await.ok()?;
    let above = Place {
        from: entry.occurred.from_key(),
        precision: entry.occurred.precision().rank(),
        position: entry.position + 1,
    };
    let address = super::history::address(view.id, &history::Cursor::Before(above));
    let words = format!("It happened in {}, so it stands further down the story.", entry.occurred.year());
    Some(Flash::new("Note added", words).with_link(address, "Show it"))
}

fn deleted(actor: &Actor, view: &RecordView) -> Option<DeletedView> {
    let deleted = view.state.deleted.as_ref()?;
    let by = if view.deleted_by_name.is_empty() { "Someone" } else { &view.deleted_by_name };
    Some(DeletedView { by: by.to_owned(), at: Moment::recorded(deleted.instant(), &moments::zone(actor)) })
}

/// What is seldom done, below everything else.
fn rare_acts(view: &RecordView, actor: &Actor, is_leaving: bool) -> Vec<(String, String)> {
    let mut acts = Vec::new();
    if view.state.deleted.is_some() {
        return acts;
    }
    let base = format!("/records/{}", view.id);
    let to_others = view.people.present().any(|person| person.member != actor.member);
    let hand_over = (format!("{base}/hand-over"), "Hand it to someone else".to_owned());
    if !actor.role.may_write() {
        // Who is leaving gives away what they keep, and does nothing else.
        acts.extend((is_leaving && to_others && view.is_kept_by(actor.member)).then_some(hand_over));
        return acts;
    }
    if view.is_kept_by(actor.member) {
        acts.push(match view.state.visibility {
            Visibility::Private => (format!("{base}/share"), "Share it with the household".to_owned()),
            Visibility::Household => (format!("{base}/keep-private"), "Keep it to yourself".to_owned()),
        });
        acts.extend(to_others.then_some(hand_over));
    }
    acts.push((format!("{base}/delete"), "Delete this record".to_owned()));
    acts
}

#[derive(Debug)]
struct DeletedView {
    by: String,
    at: Moment,
}

#[derive(Template)]
#[template(path = "records/show.html")]
struct ShowTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    head: Head,
    deleted: Option<DeletedView>,
    fresh: bool,
    restore_key: SubmissionKey,
    may_add: bool,
    shown: FilesShown,
    story: Story,
    note: NoteForm,
    errors: Errors,
    at: String,
    rare: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "records/as_it_was.html")]
struct PastTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    head: Head,
    day: Moment,
    day_word: &'static str,
    sentence: &'static str,
    existed: bool,
    at: String,
}
