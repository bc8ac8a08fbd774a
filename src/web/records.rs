//! The list of records.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::access::Visibility;
use crate::domain::ids::RecordId;
use crate::domain::text::fold;
use crate::domain::when::Occurred;
use crate::store::filter::{self, Cursor, Filter, Sort};
use crate::store::surroundings::Surroundings;
use crate::store::views::{Listed, RecordView, Suggestions};

use super::counting::{self, CountLink, Counting};
use super::error::HtmlError;
use super::filters::{self, Chip, FilterForm};
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::look::Look;
use super::moments::{self, Moment};
use super::page::{Flash, Frame, Tab, Who};
use super::paths::Asked;
use super::reply::page_with;
use super::story::Words;
use super::telling::{last_words, name};

/// `GET /records`
pub async fn list(State(app): State<App>, Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    let now = moments::now(&app, &me.actor);
    let mut errors = Errors::none();
    let filter = filters::read(&asked, now.date(), &mut errors);
    let entered = filters::entered(&filter, &moments::zone(&me.actor));
    let cursor = cursor(&asked, &filter);
    let mut found = filter::list(&app.db, &me.actor, &filter, entered, &cursor).await?;
    let counting = Counting::of(&asked, found.count);
    if counting.is_wanted() {
        found.count = counting.done(filter::count_all(&app.db, &me.actor, &filter, entered).await)?;
    }
    let Surroundings { people, known, .. } = &found.surroundings;
    let chips = filters::chips(PATH, &filter, people, &[]);
    let who = Who::of(&me);
    let count_words = counting::words(found.count, filter.deleted);
    let all_here = found.newer.is_none() && found.older.is_none();
    let status = match all_here {
        true => format!("{count_words} shown"),
        false => format!("{count_words}, {} on this page", found.rows.len()),
    };
    let further = match cursor {
        Cursor::After(_) => found.newer.as_ref(),
        _ => found.older.as_ref(),
    };
    Ok(page_with(
        errors.status(),
        &ListTemplate {
            lead: format!("The things and matters of {}", who.household),
            may_write: who.may_write,
            frame: Frame::member(title(&cursor, &filter, &chips), Tab::Records, who)
                .wrong(!errors.is_empty())
                .status(status)
                .flash(flash(&asked)),
            rows: found.rows.iter().map(|row| Row::listed(row, now.year())).collect(),
            paged: cursor != Cursor::Newest,
            pages: Pages {
                newer: found.newer.as_ref().map(|cursor| address(&filter, cursor)),
                older: found.older.as_ref().map(|cursor| address(&filter, cursor)),
                what: "records",
                by_title: filter.sort == Sort::Title,
            },
            order: filters::sort_words(filter.sort),
            further: further.map(|cursor| address(&filter, cursor)),
            stopped: found.stopped,
            filter: FilterForm::of(PATH, &filter, &asked, known, people),
            counting: counting.shown(found.count, |more| filters::address(PATH, &filter, more)),
            count_words,
            chips,
            errors,
        },
    ))
}

const PATH: &str = "/records";

/// The message after a record went out of the member's sight, by the word that the redirect carried.
fn flash(asked: &RawForm) -> Option<Flash> {
    let handed = asked.text("done") == "handed";
    handed
        .then(|| Flash::new("Handed over", "The record belongs to somebody else now, and you do not see it any more."))
}

fn cursor(asked: &RawForm, filter: &Filter) -> Cursor {
    let place = |name: &str| filter::key(filter.sort, &asked.text(name));
    match (place("before"), place("after")) {
        (Some(key), _) => Cursor::Before(key),
        (None, Some(key)) => Cursor::After(key),
        (None, None) => Cursor::Newest,
    }
}

/// "Deleted records: Car, #winter, older".
fn title(cursor: &Cursor, filter: &Filter, chips: &[Chip]) -> String {
    let mut title = if filter.deleted { "Deleted records" } else { "Records" }.to_owned();
    let filters: Vec<&str> = chips.iter().map(|chip| chip.words.as_str()).filter(|words| *words != "deleted").collect();
    if !filters.is_empty() {
        title = format!("{title}: {}", filters.join(", "));
    }
    match (cursor, filter.sort) {
        (Cursor::Newest, _) => title,
        (Cursor::Before(_), Sort::Title) => format!("{title}, further on"),
        (Cursor::After(_), Sort::Title) => format!("{title}, further up"),
        (Cursor::Before(_), _) => format!("{title}, older"),
        (Cursor::After(_), _) => format!("{title}, newer"),
    }
}

fn address(filter: &Filter, cursor: &Cursor) -> String {
    match cursor {
        Cursor::Newest => filters::address(PATH, filter, &[]),
        Cursor::Before(key) => filters::address(PATH, filter, &[("before", &filter::key_words(key))]),
        Cursor::After(key) => filters::address(PATH, filter, &[("after", &filter::key_words(key))]),
    }
}

/// The names that a form suggests as categories: those built in and those in use.
pub fn category_names(known: &Suggestions) -> Vec<String> {
    let mut names: Vec<String> = known.categories.iter().map(|label| label.label.clone()).collect();
    let in_use: BTreeSet<String> = known.categories.iter().map(|label| label.key.clone()).collect();
    names.extend(
        super::look::BUILT_IN.iter().map(|(name, _, _)| (*name).to_owned()).filter(|n| !in_use.contains(&fold(n))),
    );
    names
}

/// Links to the pages before and after.
#[derive(Debug, Default)]
pub struct Pages {
    /// To newer things.
    pub newer: Option<String>,
    /// To older things.
    pub older: Option<String>,
    /// What is paged through, in the plural.
    pub what: &'static str,
    /// Whether it is in the order of titles: nothing is older then.
    pub by_title: bool,
}

/// A record in a list.
#[derive(Debug)]
pub struct Row {
    /// The record.
    pub id: RecordId,
    /// What it is called.
    pub title: String,
    /// The category's tint.
    pub tint: &'static str,
    /// The category's icon.
    pub icon: &'static str,
    /// Its latest happening.
    pub last: Words,
    /// Its category.
    pub category: Option<String>,
    /// When the latest happening was.
    pub when: Moment,
    /// Who did it.
    pub by: String,
    /// Whether only its keeper sees it.
    pub private: bool,
    /// Its tags.
    pub tags: Vec<String>,
    /// Cost or reading of the latest happening.
    pub amount: Option<String>,
}

impl Row {
    /// A record as lists show it.
    pub fn of(view: &RecordView, this_year: i16) -> Self {
        Self::listed(&Listed::from(view), this_year)
    }

    /// The same, of what a list read.
    pub fn listed(record: &Listed, this_year: i16) -> Self {
        let look = Look::of(record.category.as_deref());
        let summary = &record.summary;
        let occurred = Occurred::parse_iso(&summary.occurred).unwrap_or(record.begun);
        let amount = summary.amount.map(|amount| amount.words());
        let last = match summary.kind.as_str() {
            // It was the latest: whoever keeps the record now is who got it.
            "record_handed_over" => Words::Plain(format!("Handed over to {}", record.owner_name)),
            _ => last_words(summary),
        };
        Self {
            id: record.id,
            title: record.title.clone(),
            tint: look.tint,
            icon: look.icon,
            last,
            category: record.category.clone(),
            when: Moment::brief(occurred, this_year),
            by: name(record.last_by.as_ref()),
            private: record.visibility == Visibility::Private,
            tags: record.tags.iter().map(ToString::to_string).collect(),
            amount: amount.or_else(|| summary.reading.as_ref().map(|reading| reading.words())),
        }
    }
}

#[derive(Template)]
#[template(path = "records/list.html")]
struct ListTemplate {
    frame: Frame,
    lead: String,
    count_words: String,
    counting: Option<CountLink>,
    chips: Vec<Chip>,
    rows: Vec<Row>,
    paged: bool,
    may_write: bool,
    pages: Pages,
    filter: FilterForm,
    order: &'static str,
    further: Option<String>,
    stopped: bool,
    errors: Errors,
}
