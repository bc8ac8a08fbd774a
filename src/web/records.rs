//! The list of records.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::access::Visibility;
use crate::domain::ids::RecordId;
use crate::domain::text::{Tag, fold};
use crate::domain::when::Occurred;
use crate::store::views::{self, COUNTED, Cursor, ListFilter, ListPage, Listed, RecordView, Suggestions};

use super::error::HtmlError;
use super::forms::RawForm;
use super::guards::Me;
use super::look::Look;
use super::moments::{self, Moment};
use super::page::{Flash, Frame, Tab, Who};
use super::paths::{Asked, with_query};
use super::reply::page;
use super::story::Words;
use super::telling::{last_words, name};

/// `GET /records`
pub async fn list(State(app): State<App>, Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    let filter = filter(&asked);
    let found = views::list(&app.db, &me.actor, &filter, cursor(&asked)).await?;
    let known = &found.known;
    let who = Who::of(&me);
    let year = moments::now(&app, &me.actor).year();
    let count_words = count_words(&found, &filter);
    let all_here = found.newer.is_none() && found.older.is_none();
    let status = match all_here {
        true => format!("{count_words} shown"),
        false => format!("{count_words}, {} on this page", found.rows.len()),
    };
    Ok(page(&ListTemplate {
        lead: format!("The things and matters of {}", who.household),
        may_write: who.may_write,
        frame: Frame::member(title(&asked, &filter), Tab::Records, who).status(status).flash(flash(&asked)),
        chips: chips(&filter),
        rows: found.rows.iter().map(|row| Row::listed(row, year)).collect(),
        paged: asked.has("before") || asked.has("after"),
        pages: pages(&found, &filter),
        categories: category_choices(known, &filter),
        known_tags: known.tags.iter().map(|label| label.label.clone()).collect(),
        any_category: filter.category.is_none(),
        tag: filter.tag.clone().unwrap_or_default(),
        deleted: filter.deleted,
        count_words,
    }))
}

/// The message after a record went out of the member's sight, by the word that the redirect carried.
fn flash(asked: &RawForm) -> Option<Flash> {
    let handed = asked.text("done") == "handed";
    handed
        .then(|| Flash::new("Handed over", "The record belongs to somebody else now, and you do not see it any more."))
}

fn filter(asked: &RawForm) -> ListFilter {
    let word =
        |name: &str| Some(asked.text(name).trim().to_owned()).filter(|word| !word.is_empty() && word.len() <= 400);
    ListFilter {
        category: word("category"),
        tag: word("tag").map(|tag| tag.trim_start_matches('#').to_owned()).filter(|tag| Tag::parse(tag).is_ok()),
        deleted: asked.text("deleted") == "yes",
    }
}

fn cursor(asked: &RawForm) -> Cursor {
    let position = |name: &str| asked.text(name).parse::<i64>().ok().filter(|position| *position > 0);
    match (position("before"), position("after")) {
        (Some(position), _) => Cursor::Before(position),
        (None, Some(position)) => Cursor::After(position),
        (None, None) => Cursor::Newest,
    }
}

/// "Deleted records: Car, #winter, older".
fn title(asked: &RawForm, filter: &ListFilter) -> String {
    let mut title = if filter.deleted { "Deleted records" } else { "Records" }.to_owned();
    let tag = filter.tag.as_ref().map(|tag| format!("#{tag}"));
    let filters: Vec<&str> = filter.category.as_deref().into_iter().chain(tag.as_deref()).collect();
    if !filters.is_empty() {
        title = format!("{title}: {}", filters.join(", "));
    }
    match cursor(asked) {
        Cursor::Newest => title,
        Cursor::Before(_) => format!("{title}, older"),
        Cursor::After(_) => format!("{title}, newer"),
    }
}

fn address(filter: &ListFilter, before: &str, after: &str) -> String {
    with_query(
        "/records",
        &[
            ("category", filter.category.as_deref().unwrap_or("")),
            ("tag", filter.tag.as_deref().unwrap_or("")),
            ("deleted", if filter.deleted { "yes" } else { "" }),
            ("before", before),
            ("after", after),
        ],
    )
}

fn pages(found: &ListPage, filter: &ListFilter) -> Pages {
    let link = |cursor: &Cursor| match cursor {
        Cursor::Newest => address(filter, "", ""),
        Cursor::Before(position) => address(filter, &position.to_string(), ""),
        Cursor::After(position) => address(filter, "", &position.to_string()),
    };
    Pages { newer: found.newer.as_ref().map(link), older: found.older.as_ref().map(link), what: "records" }
}

fn chips(filter: &ListFilter) -> Vec<Chip> {
    let mut chips = Vec::new();
    if let Some(category) = &filter.category {
        let without = ListFilter { category: None, ..filter.clone() };
        chips.push(Chip { href: address(&without, "", ""), words: category.clone() });
    }
    if let Some(tag) = &filter.tag {
        let without = ListFilter { tag: None, ..filter.clone() };
        chips.push(Chip { href: address(&without, "", ""), words: format!("#{tag}") });
    }
    if filter.deleted {
        let without = ListFilter { deleted: false, ..filter.clone() };
        chips.push(Chip { href: address(&without, "", ""), words: "deleted".to_owned() });
    }
    chips
}

fn count_words(found: &ListPage, filter: &ListFilter) -> String {
    let what = match (filter.deleted, found.count == 1) {
        (false, true) => "record",
        (false, false) => "records",
        (true, true) => "deleted record",
        (true, false) => "deleted records",
    };
    match found.count {
        0 => format!("No {what}"),
        count if count > COUNTED => format!("More than 1,000 {what}"),
        1000 => format!("1,000 {what}"),
        count => format!("{count} {what}"),
    }
}

/// The categories in use, and the chosen one even if nothing is in it.
fn category_choices(known: &Suggestions, filter: &ListFilter) -> Vec<CategoryChoice> {
    let chosen = filter.category.as_deref().map(fold);
    let mut choices: Vec<CategoryChoice> = known
        .categories
        .iter()
        .map(|label| CategoryChoice::of(&label.label, chosen.as_ref() == Some(&label.key), Some(label.records)))
        .collect();
    if let Some(category) = filter.category.as_deref().filter(|_| !choices.iter().any(|choice| choice.chosen)) {
        choices.push(CategoryChoice::of(category, true, None));
    }
    choices
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

#[derive(Debug)]
struct Chip {
    href: String,
    words: String,
}

#[derive(Debug)]
struct CategoryChoice {
    name: String,
    icon: &'static str,
    tint: &'static str,
    chosen: bool,
    count: Option<i64>,
}

impl CategoryChoice {
    fn of(name: &str, chosen: bool, count: Option<i64>) -> Self {
        let look = Look::of(Some(name));
        Self { name: name.to_owned(), icon: look.icon, tint: look.tint, chosen, count }
    }
}

#[derive(Template)]
#[template(path = "records/list.html")]
struct ListTemplate {
    frame: Frame,
    lead: String,
    count_words: String,
    chips: Vec<Chip>,
    rows: Vec<Row>,
    paged: bool,
    may_write: bool,
    pages: Pages,
    categories: Vec<CategoryChoice>,
    any_category: bool,
    known_tags: Vec<String>,
    tag: String,
    deleted: bool,
}
