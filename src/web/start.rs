//! The start page: what happened lately, and the way to a new record.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::civil::DateTime;

use crate::app::App;
use crate::domain::when::Occurred;
use crate::error::Result;
use crate::store::views::{self, Cursor, ListFilter};

use super::error::HtmlError;
use super::guards::Me;
use super::moments;
use super::page::{Frame, Tab, Who};
use super::paths::Asked;
use super::records::Row;
use super::reply::page;

/// How many records the start page shows.
const LATELY: usize = 8;

/// `GET /`
pub async fn show(State(app): State<App>, Me(me): Me, Asked(_): Asked) -> Result<Response, HtmlError> {
    let now = moments::now(&app, &me.actor);
    let found = views::list(&app.db, &me.actor, &ListFilter::default(), Cursor::Newest).await?;
    let who = Who::of(&me);
    Ok(page(&StartTemplate {
        greeting: format!("{}, {}", greeting(now), who.name),
        today: moments::Moment::occurred(Occurred::day(now.date())),
        weekday: weekday(now),
        more: found.rows.len() > LATELY || found.older.is_some(),
        rows: found.rows.iter().take(LATELY).map(|view| Row::of(view, now.year())).collect(),
        may_write: who.may_write,
        frame: Frame::member("Start", Tab::Start, who),
    }))
}

fn greeting(now: DateTime) -> &'static str {
    match now.hour() {
        5..=11 => "Good morning",
        12..=17 => "Good afternoon",
        _ => "Good evening",
    }
}

fn weekday(now: DateTime) -> &'static str {
    use jiff::civil::Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    match now.weekday() {
        Monday => "Monday",
        Tuesday => "Tuesday",
        Wednesday => "Wednesday",
        Thursday => "Thursday",
        Friday => "Friday",
        Saturday => "Saturday",
        Sunday => "Sunday",
    }
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartTemplate {
    frame: Frame,
    greeting: String,
    weekday: &'static str,
    today: moments::Moment,
    rows: Vec<Row>,
    more: bool,
    may_write: bool,
}
