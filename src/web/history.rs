//! A record's whole history, and the history of one of its fields.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::ids::RecordId;
use crate::domain::record::{FieldChange, Held};
use crate::error::Error;
use crate::store::fields::{self, FieldLine};
use crate::store::history::{self, Cursor, HistoryPage, Place};
use crate::store::views::{self, RecordView};

use super::error::HtmlError;
use super::forms::RawForm;
use super::guards::Me;
use super::moments::{self, Moment};
use super::page::{Frame, Tab, Who};
use super::paths::{Asked, RecordPath, with_query};
use super::record::crumbs;
use super::records::Pages;
use super::reply::page;
use super::story::{ChangeView, Story, Teller};
use super::telling::{change_words, name};

/// How many events a page of a history shows.
const PAGE: usize = 100;

/// `GET /records/{record}/history`
pub async fn whole(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    Asked(asked): Asked,
) -> Result<Response, HtmlError> {
    let found = history::history(&app.db, &me.actor, id, &cursor(&asked), PAGE, 0).await?;
    let view = &found.view;
    let zone = moments::zone(&me.actor);
    let teller = Teller::of(view, &me.actor, &zone);
    let heading = format!("The whole story of {}", view.state.title());
    let title = match cursor(&asked) {
        Cursor::Newest => heading.clone(),
        Cursor::Before(_) => format!("{heading}, older events"),
        Cursor::After(_) => format!("{heading}, newer events"),
    };
    Ok(page(&HistoryTemplate {
        frame: Frame::member(title, Tab::Records, Who::of(&me)),
        crumbs: crumbs(view, Some((format!("/records/{id}/history"), "The whole story"))),
        heading,
        head_id: id,
        fields: choices(view, ""),
        pages: Pages {
            newer: found.newer.as_ref().map(|cursor| address(id, cursor)),
            older: found.older.as_ref().map(|cursor| address(id, cursor)),
            what: "events",
            by_title: false,
        },
        story: Story { words: words(&found), years: teller.years(&found.entries), ..Story::default() },
    }))
}

/// `GET /records/{record}/history/field?key=…`
pub async fn field(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    Asked(asked): Asked,
) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    let key = asked.text("key");
    let label = view.state.held(&key).map(|held| held.label.clone()).ok_or(Error::NotFound)?;
    let before = asked.text("before").parse().ok();
    let (lines, more) = fields::field_history(&app.db, &me.actor, id, &key, before, PAGE).await?;
    let zone = moments::zone(&me.actor);
    let path = format!("/records/{id}/history/field");
    let older = lines.last().filter(|_| more).map(|last| last.position.to_string());
    let heading = format!("{label} over time");
    let further = if before.is_some() { ", older changes" } else { "" };
    Ok(page(&FieldTemplate {
        frame: Frame::member(format!("{heading}{further} – {}", view.state.title()), Tab::Records, Who::of(&me)),
        crumbs: crumbs(&view, Some((with_query(&path, &[("key", &key)]), "One field"))),
        head_id: id,
        heading,
        fields: choices(&view, &key),
        pages: Pages {
            newer: before.map(|_: i64| with_query(&path, &[("key", &key)])),
            older: older.map(|older| with_query(&path, &[("key", &key), ("before", &older)])),
            what: "changes",
            by_title: false,
        },
        lines: lines.iter().map(|line| LineView::of(line, &zone)).collect(),
        label,
    }))
}

/// The address of a page of a history.
pub fn address(record: RecordId, cursor: &Cursor) -> String {
    let path = format!("/records/{record}/history");
    match cursor {
        Cursor::Newest => path,
        Cursor::Before(at) => with_query(&path, &[("before", &place_words(at))]),
        Cursor::After(at) => with_query(&path, &[("after", &place_words(at))]),
    }
}

/// How many events a page shows of how many.
pub fn words(found: &HistoryPage) -> String {
    let shown = found.entries.len();
    let events = if found.total == 1 { "event" } else { "events" };
    if i64::try_from(shown).is_ok_and(|shown| shown == found.total) {
        match shown {
            1 => "1 event".to_owned(),
            _ => format!("{shown} events, latest first"),
        }
    } else {
        format!("{shown} of {} {events}, latest first", found.total)
    }
}

fn cursor(asked: &RawForm) -> Cursor {
    match (place(&asked.text("before")), place(&asked.text("after"))) {
        (Some(place), _) => Cursor::Before(place),
        (None, Some(place)) => Cursor::After(place),
        (None, None) => Cursor::Newest,
    }
}

/// A place as addresses carry it.
pub(super) fn place_words(place: &Place) -> String {
    format!("{}~{}~{}", place.from, place.precision, place.position)
}

/// Reads what [`place_words`] wrote.
pub(super) fn place(text: &str) -> Option<Place> {
    let mut parts = text.splitn(3, '~');
    let from =
        parts.next().filter(|from| !from.is_empty() && from.len() <= 32 && from.is_ascii() && !from.contains('\0'))?;
    Some(Place { from: from.to_owned(), precision: parts.next()?.parse().ok()?, position: parts.next()?.parse().ok()? })
}

fn choices(view: &RecordView, chosen: &str) -> Vec<FieldChoice> {
    let choice =
        |held: &Held| FieldChoice { key: held.key.clone(), label: held.label.clone(), chosen: held.key == chosen };
    view.state.held.iter().map(choice).collect()
}

#[derive(Debug)]
struct FieldChoice {
    key: String,
    label: String,
    chosen: bool,
}

/// One change of a field.
#[derive(Debug)]
struct LineView {
    change: ChangeView,
    /// Since when the new value holds.
    since: Option<Moment>,
    by: String,
    recorded: Moment,
    remark: Option<&'static str>,
}

impl LineView {
    fn of(line: &FieldLine, zone: &jiff::tz::TimeZone) -> Self {
        let FieldChange { effective, in_force, .. } = &line.change;
        let did = match (line.kind.as_str(), line.correction) {
            ("record_created", _) => "Begun",
            ("event_retracted", _) => "Undone",
            (_, true) => "Correction",
            (_, false) => "Change",
        };
        Self {
            change: change_words(&line.change),
            since: effective.map(Moment::occurred),
            by: format!("{did} by {}", name(line.actor_name.as_ref())),
            recorded: Moment::recorded(line.recorded, zone),
            remark: match (line.retracted, in_force) {
                (true, _) => Some("This was undone later."),
                (false, false) => Some("Told about an earlier time. What held then already stayed."),
                (false, true) => None,
            },
        }
    }
}

#[derive(Template)]
#[template(path = "records/history.html")]
struct HistoryTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: String,
    head_id: RecordId,
    fields: Vec<FieldChoice>,
    story: Story,
    pages: Pages,
}

#[derive(Template)]
#[template(path = "records/field.html")]
struct FieldTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: String,
    label: String,
    head_id: RecordId,
    fields: Vec<FieldChoice>,
    lines: Vec<LineView>,
    pages: Pages,
}
