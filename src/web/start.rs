//! The start page: what changed lately, this month in other years, and the short way to write something down.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::civil::DateTime;

use crate::app::App;
use crate::commands::notes;
use crate::domain::Refusal;
use crate::domain::event::Payload;
use crate::domain::ids::{RecordId, SubmissionKey};
use crate::domain::when::{Occurred, month_name};
use crate::error::Error;
use crate::store::news;
use crate::store::surroundings;
use crate::store::timeline::{self, Happening, Order};
use crate::store::views::RecordView;

use super::editing::may_write;
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::moments::{self, Moment};
use super::news::NewsView;
use super::notes::understand;
use super::page::{Flash, Frame, Tab, Who};
use super::paths::Asked;
use super::records::Row;
use super::reply::{page_with, see_other};
use super::session::Member;
use super::timeline::Told;

/// How many records the start page shows.
const LATELY: usize = 6;
/// How many records the short form offers.
const OFFERED: usize = 50;
/// How many of the years before this one have a word on the start page.
const OTHER_YEARS: usize = 6;
/// How many happenings of each of those years are looked at for the one that is told.
const LOOKED_AT: usize = 4;

/// `GET /`
pub async fn show(State(app): State<App>, Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    let now = moments::now(&app, &me.actor);
    let form = QuickNote { occurred: Occurred::day(now.date()).entry().0, ..QuickNote::default() };
    start_page(&app, &me, form, Errors::none(), flash(&asked.text("done"))).await
}

/// The message after an action, by the word that the redirect carried.
fn flash(done: &str) -> Option<Flash> {
    match done {
        "seen" => Some(Flash::new("Seen", "The record stands here again when somebody else writes in it.")),
        "all-seen" => Some(Flash::new("Seen", "What somebody else writes from now on will stand here.")),
        _ => None,
    }
}

/// `POST /notes`: a note for a record that the form names.
pub async fn add_note(State(app): State<App>, Me(me): Me, form: RawForm) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let mut errors = Errors::of_form(&form);
    let note = understand(&form, moments::now(&app, &me.actor), &mut errors);
    let record = form.text("record").parse::<RecordId>().ok();
    if record.is_none() {
        errors.add("note-record", "Choose the record that it belongs to");
    }
    errors.order(&["note-text", "note-record", "note-on"]);
    let key = errors.key(&form);
    let (Some(note), Some(record), true) = (note, record, errors.is_empty()) else {
        return start_page(&app, &me, QuickNote::typed(&form, key), errors, None).await;
    };
    match notes::add(&app, &me.actor, key, record, note).await {
        Ok(added) => Ok(see_other(&match added.event {
            Some(event) => format!("/records/{record}?new={event}"),
            None => format!("/records/{record}"),
        })),
        Err(Error::SubmissionReused) => {
            start_page(&app, &me, QuickNote::typed(&form, SubmissionKey::new()), Errors::reused(), None).await
        }
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("note-record", sentence);
            start_page(&app, &me, QuickNote::typed(&form, key), errors, None).await
        }
        Err(Error::NotFound) => {
            errors.add("note-record", "This record is not here any more. Choose another one");
            start_page(&app, &me, QuickNote::typed(&form, key), errors, None).await
        }
        Err(other) => Err(other.into()),
    }
}

async fn start_page(
    app: &App,
    me: &Member,
    mut quick: QuickNote,
    errors: Errors,
    flash: Option<Flash>,
) -> Result<Response, HtmlError> {
    let now = moments::now(app, &me.actor);
    let who = Who::of(me);
    let wanted = if who.may_write { OFFERED + 1 } else { LATELY + 1 };
    let (records, news) = news::lately(&app.db, &me.actor, wanted).await?;
    quick.offer(&records);
    let past = if records.is_empty() { Vec::new() } else { other_years(app, me, now).await? };
    Ok(page_with(
        errors.status(),
        &StartTemplate {
            greeting: format!("{}, {}", greeting(now), who.name),
            today: Moment::occurred(Occurred::day(now.date())),
            weekday: moments::weekday(now.date()),
            month: month_name(now.month()),
            more: records.len() > LATELY,
            rows: records.iter().take(LATELY).map(|view| Row::of(view, now.year())).collect(),
            past,
            quick: (who.may_write && !records.is_empty()).then_some(quick),
            may_write: who.may_write,
            frame: Frame::member("Start", Tab::Start, who).wrong(!errors.is_empty()).flash(flash),
            news: NewsView::of(&news, now.year()),
            errors,
        },
    ))
}

/// One happening of this month from each of the latest other years.
async fn other_years(app: &App, me: &Member, now: DateTime) -> Result<Vec<(i16, Told)>, HtmlError> {
    let month = usize::try_from(now.month()).unwrap_or(1);
    let around = surroundings::of(&app.db, &me.actor).await?;
    let years: Vec<i64> = around
        .years
        .iter()
        .rev()
        .filter(|known| known.year < i64::from(now.year()) && known.months.get(month).is_some_and(|count| *count > 0))
        .map(|known| known.year)
        .take(OTHER_YEARS)
        .collect();
    let found = timeline::in_month(&app.db, &me.actor, &around.people, now.month(), &years, LOOKED_AT).await?;
    let zone = moments::zone(&me.actor);
    let mut told: Vec<(i16, Told)> = Vec::new();
    for year in years {
        let of_year = found.iter().filter(|happening| i64::from(happening.occurred.year()) == year);
        // Words say more than changed facts do; of several, the longest tells most.
        if let Some(best) = of_year.max_by_key(|happening| telling(happening)) {
            told.push((best.occurred.year(), Told::of(best, Order::Happened, &zone, told.len())));
        }
    }
    Ok(told)
}

fn telling(happening: &Happening) -> usize {
    match &happening.payload {
        Payload::NoteAdded(note) => 2 + note.text.as_str().len(),
        Payload::NoteCorrected(note) => 2 + note.text.as_str().len(),
        Payload::RecordCreated(_) => 1,
        _ => 0,
    }
}

fn greeting(now: DateTime) -> &'static str {
    match now.hour() {
        5..=11 => "Good morning",
        12..=17 => "Good afternoon",
        _ => "Good evening",
    }
}

/// The short form for a note.
#[derive(Debug, Default)]
struct QuickNote {
    submission: SubmissionKey,
    text: String,
    occurred: String,
    record: String,
    /// Identity and words of the records to choose from.
    records: Vec<(String, String)>,
    /// Whether there are others.
    more: bool,
}

impl QuickNote {
    fn typed(form: &RawForm, submission: SubmissionKey) -> Self {
        Self {
            submission,
            text: form.text("text"),
            occurred: form.text("occurred"),
            record: form.text("record"),
            ..Self::default()
        }
    }

    fn offer(&mut self, records: &[RecordView]) {
        let words = |view: &RecordView| match view.state.category() {
            Some(category) => format!("{} ({category})", view.state.title()),
            None => view.state.title().to_owned(),
        };
        self.records = records.iter().take(OFFERED).map(|view| (view.id.to_string(), words(view))).collect();
        self.more = records.len() > OFFERED;
    }
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartTemplate {
    frame: Frame,
    greeting: String,
    weekday: &'static str,
    today: Moment,
    month: &'static str,
    news: Option<NewsView>,
    rows: Vec<Row>,
    more: bool,
    past: Vec<(i16, Told)>,
    quick: Option<QuickNote>,
    may_write: bool,
    errors: Errors,
}
