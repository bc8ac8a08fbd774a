//! The household's timeline: what happened in all its records, month by month.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::app::App;
use crate::domain::event::Payload;
use crate::domain::instant::Instant;
use crate::domain::summary::Summary;
use crate::domain::when::{Occurred, Precision, month_name};
use crate::error::Result;
use crate::store::filter::{Filter, Sort};
use crate::store::history;
use crate::store::surroundings::Surroundings;
use crate::store::timeline::{self, Cursor, Happening, Narrow, Order, Place, TimelinePage, Year};

use super::error::HtmlError;
use super::filters::{self, Chip, FilterForm};
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::look::Look;
use super::markdown;
use super::moments::{self, Moment};
use super::page::{Frame, Tab, Who};
use super::paths::Asked;
use super::reply::page_with;
use super::story::{ChangeView, Words};
use super::telling::{change_since, figures, heading_and_body, is_long, last_words, name};

/// How many of an event's changes are listed below its heading.
const LISTED: usize = 6;

/// `GET /timeline`
pub async fn show(State(app): State<App>, Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    let zone = moments::zone(&me.actor);
    let order = if asked.text("by") == "recorded" { Order::Recorded } else { Order::Happened };
    let mut errors = Errors::none();
    let today = moments::now(&app, &me.actor).date();
    let filter = Filter { sort: Sort::default(), ..filters::read(&asked, today, &mut errors) };
    let kind = KINDS.iter().find(|(word, _, _)| *word == asked.text("kind")).unwrap_or(&KINDS[0]);
    let narrow = Narrow { entered: filters::entered(&filter, &zone), filter, kinds: kind.2 };
    let at = wanted(&asked, today, &mut errors);
    let cursor = at.map_or_else(|| cursor(&asked, order), |at| Cursor::Before(end_of(at, order, &zone)));
    let mut found = timeline::timeline(&app.db, &me.actor, &cursor, &narrow).await?;
    let Surroundings { people, known, years, .. } = found.surroundings.clone();
    if let Some(at) = at {
        let end = end_of(at, order, &zone);
        let after = timeline::anything_after(&app.db, &me.actor, &end, &narrow).await?;
        found.newer = after.then_some(Cursor::After(end));
    }
    // What is counted is what is there, by when it happened.
    let counted = order == Order::Happened && !narrow.filter.deleted;
    let years = if counted { years.as_slice() } else { &[] };
    let months = months(&found, order, &zone);
    let current = found.happenings.first().map(|first| i64::from(first.occurred.year()));
    let who = Who::of(&me);
    let by = if order == Order::Recorded { "recorded" } else { "" };
    let extra = vec![("kind", kind.0.to_owned()), ("by", by.to_owned())];
    let address = |cursor: &Cursor| address(cursor, &narrow.filter, kind.0);
    let to = |at: &str, by: &str| filters::address(PATH, &narrow.filter, &[("kind", kind.0), ("by", by), ("at", at)]);
    let is_narrow = !narrow.is_nothing();
    let mut chips = filters::chips(PATH, &narrow.filter, &people, &[("kind", kind.0), ("by", by)]);
    if !kind.0.is_empty() {
        chips.push(Chip { href: filters::address(PATH, &narrow.filter, &[("by", by)]), words: kind.1.to_lowercase() });
    }
    let mut form =
        FilterForm::of(PATH, &narrow.filter, &asked, &known, &people).in_one_order().with(vec![("by", by.to_owned())]);
    form.is_set = !narrow.is_nothing() || order == Order::Recorded;
    form.keep = filters::keep(&filters::address(PATH, &narrow.filter, &[("kind", kind.0), ("by", by)]));
    form.kinds = KINDS.iter().map(|(word, name, _)| (*word, *name, *word == kind.0)).collect();
    Ok(page_with(
        errors.status(),
        &TimelineTemplate {
            lead: lead(&cursor, narrow.filter.deleted, at),
            empty: (months.is_empty() && narrow.is_nothing() && matches!(cursor, Cursor::Newest(_)))
                .then_some(who.may_write),
            frame: Frame::member(with_filters(title(&cursor, at), &chips), Tab::Timeline, who)
                .wrong(!errors.is_empty())
                .status(status(&found, at, order, is_narrow, &zone)),
            strip: strip(years, current, &|at| to(at, by), is_narrow),
            year: at
                .and_then(|at| years.iter().find(|year| year.year == i64::from(at.year())))
                .map(|year| YearView::of(year, &|at| to(at, by), is_narrow)),
            by_happened_href: to("", ""),
            by_recorded_href: to("", "recorded"),
            further: if matches!(cursor, Cursor::After(_)) { found.newer.as_ref() } else { found.older.as_ref() }
                .map(address),
            newer: found.newer.as_ref().map(address),
            older: found.older.as_ref().map(address),
            stopped: found.stopped,
            chips,
            hidden: filters::pairs(&narrow.filter)
                .into_iter()
                .chain(extra.clone())
                .filter(|(name, _)| *name != "by")
                .collect(),
            filter: form,
            next: found.next.as_ref().map(|next| heading(next, order, &zone)).unwrap_or_default(),
            by_recorded: order == Order::Recorded,
            newest: !matches!(cursor, Cursor::Newest(_)),
            at: asked.text("at"),
            months,
            errors,
        },
    ))
}

/// The year, month or day to go to; what is wrong with it goes to `errors`.
fn wanted(asked: &RawForm, today: Date, errors: &mut Errors) -> Option<Occurred> {
    let at = asked.get("at");
    if at.is_blank() {
        return None;
    }
    errors.take("at", at.parse(|at| Occurred::parse_any_date(at, today)))
}

/// The place just after everything of a year, month or day.
fn end_of(at: Occurred, order: Order, zone: &TimeZone) -> Place {
    match order {
        Order::Happened => Place::Happened(history::Place { from: at.until_key(), precision: 9, position: 0 }),
        Order::Recorded => {
            let last: Option<DateTime> = at.until_key().parse().ok();
            let next = last.and_then(|last| zone.to_ambiguous_zoned(last).compatible().ok());
            let end = next.map_or(Instant::from_micros(i64::MAX), |next| Instant::from(next.timestamp()));
            Place::Recorded(end.plus_seconds(60), 0)
        }
    }
}

fn cursor(asked: &RawForm, order: Order) -> Cursor {
    let place = |name: &str| place(&asked.text(name), order);
    match (place("before"), place("after")) {
        (Some(place), _) => Cursor::Before(place),
        (None, Some(place)) => Cursor::After(place),
        (None, None) => Cursor::Newest(order),
    }
}

fn place(text: &str, order: Order) -> Option<Place> {
    match order {
        Order::Happened => super::history::place(text).map(Place::Happened),
        Order::Recorded => {
            let (at, position) = text.split_once('~')?;
            Some(Place::Recorded(Instant::from_micros(at.parse().ok()?), position.parse().ok()?))
        }
    }
}

fn address(cursor: &Cursor, filter: &Filter, kind: &str) -> String {
    let by = if cursor.order() == Order::Recorded { "recorded" } else { "" };
    let words = |place: &Place| match place {
        Place::Happened(place) => super::history::place_words(place),
        Place::Recorded(at, position) => format!("{}~{position}", at.micros()),
    };
    let (name, place) = match cursor {
        Cursor::Newest(_) => ("before", String::new()),
        Cursor::Before(place) => ("before", words(place)),
        Cursor::After(place) => ("after", words(place)),
    };
    filters::address(PATH, filter, &[("kind", kind), ("by", by), (name, &place)])
}

const PATH: &str = "/timeline";

/// Kinds of events to choose from: the word of the address, the name, and the kinds in the ledger.
const KINDS: [(&str, &str, &[&str]); 5] = [
    ("", "Everything", &[]),
    ("notes", "Notes", &["note_added", "note_corrected"]),
    ("changes", "Changed facts", &["record_updated"]),
    ("beginnings", "New records", &["record_created"]),
    ("files", "Files", &["attachment_added"]),
];

fn title(cursor: &Cursor, at: Option<Occurred>) -> String {
    let by = if cursor.order() == Order::Recorded { ", as it was written down" } else { "" };
    match (at, cursor) {
        (Some(at), _) => format!("Timeline{by}: {} and before", at.words()),
        (None, Cursor::Newest(_)) => format!("Timeline{by}"),
        (None, Cursor::Before(_)) => format!("Timeline{by}, earlier"),
        (None, Cursor::After(_)) => format!("Timeline{by}, later"),
    }
}

fn with_filters(title: String, chips: &[Chip]) -> String {
    if chips.is_empty() { title } else { format!("{title}: {}", filters::words(chips)) }
}

fn lead(cursor: &Cursor, deleted: bool, at: Option<Occurred>) -> String {
    let what = if deleted { "What deleted records tell" } else { "Everything that happened at home" };
    let by = match cursor.order() {
        Order::Happened => "by the day it happened",
        Order::Recorded => "by the day it was written down",
    };
    at.map_or_else(|| format!("{what}, {by}"), |at| format!("{what}, {by}: {} and before", at.words()))
}

fn status(found: &TimelinePage, at: Option<Occurred>, order: Order, is_narrow: bool, zone: &TimeZone) -> String {
    let Some(at) = at else { return String::new() };
    let is_in = |happening: &&Happening| match order {
        Order::Happened => happening.occurred.from_key().starts_with(&at.to_string()),
        Order::Recorded => {
            Occurred::day(happening.recorded.local(zone).date()).to_string().starts_with(&at.to_string())
        }
    };
    let when = if at.precision() >= Precision::Day { "on" } else { "in" };
    match found.happenings.iter().find(is_in) {
        Some(_) => format!("{} and before", at.words()),
        None if found.happenings.is_empty() && is_narrow => {
            format!("Nothing that fits {when} {} or before", at.words())
        }
        None if found.happenings.is_empty() => format!("Nothing happened {when} {} or before", at.words()),
        None => format!("Nothing {when} {}. What came before follows", at.words()),
    }
}

/// Happenings under their months, in the order of the page.
fn months(found: &TimelinePage, order: Order, zone: &TimeZone) -> Vec<Month> {
    let mut months: Vec<Month> = Vec::new();
    for (at, happening) in found.happenings.iter().enumerate() {
        let told = Told::of(happening, order, zone, at);
        let heading = heading(happening, order, zone);
        match months.last_mut() {
            Some(month) if month.heading == heading => month.events.push(told),
            _ => months.push(Month { anchor: format!("m{}", months.len()), heading, events: vec![told] }),
        }
    }
    months
}

/// "May 2019", or "2019, month unknown".
fn heading(happening: &Happening, order: Order, zone: &TimeZone) -> String {
    let day = match order {
        Order::Recorded => happening.recorded.local(zone).date(),
        Order::Happened if happening.occurred.month().is_none() => {
            return format!("{}, month unknown", happening.occurred.year());
        }
        Order::Happened => happening.occurred.first_moment().date(),
    };
    format!("{} {}", month_name(day.month()), day.year())
}

/// The bars of the years, one by month, of one height for one number; years without any stand between them, unless they
/// are many.
fn strip(years: &[Year], current: Option<i64>, to: &dyn Fn(&str) -> String, is_narrow: bool) -> Vec<StripYear> {
    let (Some(first), Some(last)) = (years.first(), years.last()) else { return Vec::new() };
    let most = years.iter().flat_map(|year| year.months.iter().skip(1)).copied().max().unwrap_or(0).max(1);
    let all: Vec<Year> = match last.year - first.year {
        0..=40 => (first.year..=last.year)
            .map(|year| {
                years.iter().find(|known| known.year == year).copied().unwrap_or(Year { year, months: [0; 13] })
            })
            .collect(),
        _ => years.to_vec(),
    };
    all.iter().map(|year| StripYear::of(year, most, current == Some(year.year), to, is_narrow)).collect()
}

/// The happenings of a month.
#[derive(Debug)]
struct Month {
    anchor: String,
    heading: String,
    events: Vec<Told>,
}

/// A happening, as timelines tell it.
#[derive(Debug)]
pub struct Told {
    /// The element's id.
    pub anchor: String,
    /// The day's weekday and number, beneath a month; none if the day is not known.
    pub day: Option<(&'static str, i8)>,
    /// When it happened, in full.
    pub full: Moment,
    /// The tint of the record's category.
    pub tint: &'static str,
    /// Its icon.
    pub icon: &'static str,
    /// What happened.
    pub heading: Words,
    /// Since when a new value holds, where that is another day.
    pub since: Option<String>,
    /// Cost and reading.
    pub amount: Option<String>,
    /// The record's page, at this event.
    pub href: String,
    /// What the record is called.
    pub title: String,
    /// Who entered it.
    pub by: String,
    /// Whether only the member sees it.
    pub private: bool,
    /// At what time it happened, or when it was written down or happened, in words.
    pub beside: Vec<(&'static str, Moment)>,
    /// Each of several changes.
    pub changes: Vec<ChangeView>,
    /// The first words of a long note.
    pub excerpt: String,
}

impl Told {
    /// A happening as the timeline's page tells it; `nth` tells it apart on its page.
    pub fn of(happening: &Happening, order: Order, zone: &TimeZone, nth: usize) -> Self {
        let (occurred, changes) = (happening.occurred, &happening.changes);
        let look = Look::of(happening.category.as_deref());
        let (heading, amount, excerpt) = match &happening.payload {
            Payload::NoteAdded(note) => note_words(note.text.as_str(), note.amount, note.reading.as_ref()),
            Payload::NoteCorrected(note) => note_words(note.text.as_str(), note.amount, note.reading.as_ref()),
            payload => (last_words(&Summary::of(payload, occurred, changes)), None, String::new()),
        };
        let several = changes.len() > 1;
        let shown = changes.iter().filter(|change| several && !is_long(change)).take(LISTED);
        Self {
            anchor: format!("t{nth}"),
            day: day(happening, order, zone),
            full: Moment::occurred(occurred),
            tint: look.tint,
            icon: look.icon,
            heading,
            since: changes.first().filter(|_| !several).and_then(|change| change_since(change, occurred).since),
            amount,
            href: format!("/records/{}#e{}", happening.record, happening.version),
            title: happening.title.clone(),
            by: name(happening.actor_name.as_ref()),
            private: happening.private,
            beside: beside(happening, order, zone),
            changes: shown.map(|change| change_since(change, occurred)).collect(),
            excerpt,
        }
    }
}

fn note_words(
    text: &str,
    amount: Option<crate::domain::money::Amount>,
    reading: Option<&crate::domain::money::Reading>,
) -> (Words, Option<String>, String) {
    let (heading, body) = heading_and_body(text);
    let (amount, excerpt) = (figures(amount, reading, &heading), markdown::excerpt(body));
    (Words::Plain(if heading.is_empty() { "A note".to_owned() } else { heading }), amount, excerpt)
}

fn day(happening: &Happening, order: Order, zone: &TimeZone) -> Option<(&'static str, i8)> {
    let day = match order {
        Order::Recorded => happening.recorded.local(zone).date(),
        Order::Happened => happening.occurred.first_moment().date(),
    };
    let known = order == Order::Recorded || happening.occurred.precision() >= Precision::Day;
    known.then(|| (moments::weekday(day).get(..3).unwrap_or_default(), day.day()))
}

fn beside(happening: &Happening, order: Order, zone: &TimeZone) -> Vec<(&'static str, Moment)> {
    let occurred = happening.occurred;
    let other_day = Moment::written_down(happening.recorded, occurred, zone, happening.actor_zone.as_deref());
    let mut beside = Vec::new();
    match order {
        Order::Happened => {
            if occurred.precision() == Precision::Minute {
                beside.push(("at ", Moment { words: occurred.entry().1, iso: occurred.to_string() }));
            }
            if occurred.precision() == Precision::Month {
                beside.push(("day unknown, in ", Moment::occurred(occurred)));
            }
            beside.extend(other_day.map(|day| ("written down ", day)));
        }
        Order::Recorded => beside.extend(other_day.map(|_| ("happened ", Moment::occurred(occurred)))),
    }
    beside
}

/// A year in the strip.
#[derive(Debug)]
struct StripYear {
    year: i64,
    href: String,
    /// The bars, as the path of an SVG of 32 by 46.
    path: String,
    words: String,
    current: bool,
}

/// Where the bar of each month stands in the drawing of a year.
const BARS: [&str; 12] = ["2", "4.5", "7", "9.5", "12", "14.5", "17", "19.5", "22", "24.5", "27", "29.5"];

impl StripYear {
    fn of(year: &Year, most: i64, current: bool, to: &dyn Fn(&str) -> String, is_narrow: bool) -> Self {
        // What happened in an unknown month lies flat along the year.
        let mut path = if year.months[0] > 0 { "M2 43.5H30".to_owned() } else { String::new() };
        for (bar, count) in BARS.iter().zip(&year.months[1..]).filter(|(_, count)| **count > 0) {
            let height = (3 + 38 * count / most).min(41);
            let _ = write!(path, "M{bar} 46V{}", 46 - height);
        }
        let (href, words) = (to(&year.year.to_string()), things(year.total(), is_narrow));
        Self { year: year.year, href, path, words, current }
    }
}

/// How much happened; counts know no filter, and say so where there is one.
fn things(count: i64, is_narrow: bool) -> String {
    let all = if is_narrow { " in all" } else { "" };
    match count {
        0 => "nothing".to_owned(),
        1 => format!("1 event{all}"),
        count => format!("{count} events{all}"),
    }
}

/// The months of the year that was asked for.
#[derive(Debug)]
struct YearView {
    year: i64,
    /// Address, name and number of events.
    months: Vec<(String, String, String)>,
}

impl YearView {
    fn of(year: &Year, to: &dyn Fn(&str) -> String, is_narrow: bool) -> Self {
        let month = |(month, count): (usize, &i64)| {
            let name = i8::try_from(month).map(month_name).unwrap_or_default();
            let at = if month == 0 { format!("{:04}", year.year) } else { format!("{:04}-{month:02}", year.year) };
            let name = if month == 0 { "Month unknown" } else { name };
            (to(&at), name.to_owned(), things(*count, is_narrow))
        };
        let (unknown, known) = year.months.split_at(1);
        let known = known.iter().enumerate().map(|(at, count)| (at + 1, count));
        let with_any = known.chain(unknown.iter().map(|count| (0, count))).filter(|(_, count)| **count > 0);
        Self { year: year.year, months: with_any.map(month).collect() }
    }
}

#[derive(Template)]
#[template(path = "timeline/timeline.html")]
struct TimelineTemplate {
    frame: Frame,
    lead: String,
    /// Nothing happened yet: whether the member may begin a record.
    empty: Option<bool>,
    strip: Vec<StripYear>,
    year: Option<YearView>,
    months: Vec<Month>,
    newer: Option<String>,
    older: Option<String>,
    further: Option<String>,
    stopped: bool,
    chips: Vec<Chip>,
    hidden: Vec<(&'static str, String)>,
    filter: FilterForm,
    next: String,
    by_recorded: bool,
    by_happened_href: String,
    by_recorded_href: String,
    newest: bool,
    at: String,
    errors: Errors,
}
