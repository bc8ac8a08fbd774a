//! The search: one box, and what was found with the words that were looked for marked where they stand.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::query::{self, Query};
use crate::store::filter::{self, Filter, Sort};
use crate::store::search::{self, Cursor, Found, Part, Place, READ, Wanted};
use crate::store::surroundings::{self, Surroundings};

use super::counting::{self, CountLink, Counting};
use super::error::HtmlError;
use super::filters::{self, Chip, FilterForm};
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::hits::{HitView, Marker};
use super::moments;
use super::page::{Frame, Tab, Who};
use super::paths::{Asked, with_query};
use super::records::Pages;
use super::reply::page_with;

const PATH: &str = "/search";

/// `GET /search`
pub async fn show(State(app): State<App>, Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    let typed = asked.text("q").trim().to_owned();
    let now = moments::now(&app, &me.actor);
    let mut errors = Errors::none();
    let filter = filters::read(&asked, now.date(), &mut errors);
    let entered = filters::entered(&filter, &moments::zone(&me.actor));
    let query = Query::parse(&typed, app.db.language(), now.date());
    let cursor = cursor(&asked, filter.sort);
    let begins =
        matches!(&cursor, Cursor::First) || matches!(&cursor, Cursor::Sorted(place) if *place == Place::default());
    let backward = matches!(&cursor, Cursor::After(..)) || matches!(&cursor, Cursor::Sorted(place) if place.backward);
    let is_default = Filter { sort: Sort::default(), ..filter.clone() } == Filter::default();
    let looked = match query.is_empty() && is_default {
        true => None,
        false => {
            let wanted = Wanted { query: &query, filter: &filter, entered };
            let mut found = search::search(&app.db, &me.actor, &wanted, cursor).await?;
            let counting = Counting::of(&asked, found.count);
            if counting.is_wanted() {
                found.count = counting.done(search::count_all(&app.db, &me.actor, &wanted).await)?;
            }
            Some((found, counting))
        }
    };
    let found = looked.as_ref().map(|(found, _)| found);
    let Surroundings { people, known, .. } = match found {
        Some(found) => found.surroundings.clone(),
        None => surroundings::of(&app.db, &me.actor).await?,
    };
    let (words, typed_filters) = query::split(&typed, now.date());
    let shown = Shown { typed: &typed, filter: &filter };
    let marker = Marker { query: &query, language: app.db.language() };
    let count_words = found.map(|found| counting::words(found.count, filter.deleted)).unwrap_or_default();
    let title = match (typed.is_empty(), begins) {
        (true, _) => "Search".to_owned(),
        (false, true) => format!("\u{201c}{}\u{201d} – search", short(&typed)),
        (false, false) => format!("\u{201c}{}\u{201d} – search, further on", short(&typed)),
    };
    let mut chips = shown.typed_chips(&words, &typed_filters);
    chips.extend(filters::chips(PATH, &filter, &people, &[("q", &typed)]));
    let deleted = Filter { deleted: true, ..filter.clone() };
    let stopped = found.is_some_and(|found| found.stopped);
    let pages = found.map(|found| shown.pages(found)).unwrap_or_default();
    Ok(page_with(
        errors.status(),
        &SearchTemplate {
            frame: Frame::member(title, Tab::Search, Who::of(&me))
                .wrong(!errors.is_empty())
                .status(count_words.clone()),
            rows: found
                .iter()
                .flat_map(|found| &found.hits)
                .map(|hit| HitView::of(hit, &marker, now.year()))
                .collect::<crate::error::Result<_>>()?,
            further: if backward { pages.newer.clone() } else { pages.older.clone() },
            apart: found
                .and_then(|found| found.apart.as_ref())
                .map(|apart| (counting::grouped(READ), shown.link(apart))),
            order: search_order(filter.sort),
            stopped: stopped.then(|| counting::grouped(READ)),
            instead: (!filter.deleted && !query.is_empty()).then(|| filters::address(PATH, &deleted, &[("q", &typed)])),
            asked: found.is_some(),
            further_on: !begins,
            begin: filters::address(PATH, &filter, &[("q", &typed)]),
            nowhere: found.map(|found| nowhere(found, &query, &shown)).unwrap_or_default(),
            cut: query.cut,
            no_dates: query.no_dates.join(", "),
            hidden: filters::pairs(&filter),
            filter: FilterForm {
                is_set: found.is_some(),
                cleared: Some(with_query(PATH, &[("q", &words)])),
                keep: filters::keep(&filters::address(PATH, &filter, &[("q", &typed)])),
                ..FilterForm::of(PATH, &filter, &asked, &known, &people).of_search().with(vec![("q", typed.clone())])
            },
            counting: looked.as_ref().and_then(|(found, counting)| {
                counting.shown(found.count, |more| {
                    filters::address(PATH, &filter, &[&[("q", typed.as_str())], more].concat())
                })
            }),
            typed,
            chips,
            pages,
            count_words,
            errors,
        },
    ))
}

/// The words that stand nowhere, and the search without them, if there is anything left of it.
fn nowhere(found: &Found, query: &Query, shown: &Shown<'_>) -> Option<(String, Option<String>)> {
    let spelt = |clause: &query::Clause| match &clause.words[..] {
        [word] => word.clone(),
        words => format!("\"{}\"", words.join(" ")),
    };
    let (gone, left): (Vec<_>, Vec<_>) = query.with.iter().enumerate().partition(|(at, _)| found.nowhere.contains(at));
    let words = |list: &[(usize, &query::Clause)], with: &str| {
        list.iter().map(|(_, clause)| spelt(clause)).collect::<Vec<_>>().join(with)
    };
    let rest = words(&left, " ");
    let without = filters::address(PATH, shown.filter, &[("q", &rest)]);
    (!gone.is_empty()).then(|| (words(&gone, ", "), (!rest.is_empty()).then_some(without)))
}

fn short(typed: &str) -> String {
    if typed.chars().count() <= 60 {
        return typed.to_owned();
    }
    format!("{}…", typed.chars().take(59).collect::<String>())
}

/// What hits are ordered by, in words.
fn search_order(sort: Sort) -> &'static str {
    match sort {
        Sort::Activity => filters::SEARCH_ORDER,
        other => filters::sort_words(other),
    }
}

fn cursor(asked: &RawForm, sort: Sort) -> Cursor {
    if sort != Sort::Activity {
        let (before, after) = (asked.text("before"), asked.text("after"));
        let (words, backward) = if before.is_empty() { (after, true) } else { (before, false) };
        let key = filter::key(sort, &words);
        let window = asked.text("within").parse().ok().filter(|position: &i64| *position > 0);
        return Cursor::Sorted(Place { window, backward: backward && key.is_some(), key });
    }
    let place = |name: &str| {
        let text = asked.text(name);
        let (part, position) = text.split_once('~')?;
        let part = match part {
            "t" => Part::Title,
            "r" => Part::Rest,
            _ => return None,
        };
        position.parse::<i64>().ok().filter(|position| *position > 0).map(|position| (part, position))
    };
    match (place("before"), place("after")) {
        (Some((part, position)), _) => Cursor::Before(part, position),
        (None, Some((part, position))) => Cursor::After(part, position),
        (None, None) => Cursor::First,
    }
}

/// What the addresses of this search carry.
struct Shown<'a> {
    typed: &'a str,
    filter: &'a Filter,
}

impl Shown<'_> {
    fn pages(&self, found: &Found) -> Pages {
        let link = |cursor: &Cursor| self.link(cursor);
        Pages {
            newer: found.newer.as_ref().map(link),
            older: found.older.as_ref().map(link),
            what: "matches",
            by_title: self.filter.sort == Sort::Title,
        }
    }

    fn link(&self, cursor: &Cursor) -> String {
        let words = |part: Part, position: i64| format!("{}~{position}", if part == Part::Title { "t" } else { "r" });
        let address = |name: &str, place: &str, within: &str| {
            filters::address(PATH, self.filter, &[("q", self.typed), (name, place), ("within", within)])
        };
        match cursor {
            Cursor::First => address("before", "", ""),
            Cursor::Before(part, position) => address("before", &words(*part, *position), ""),
            Cursor::After(part, position) => address("after", &words(*part, *position), ""),
            Cursor::Sorted(place) => {
                let within = place.window.map(|position| position.to_string()).unwrap_or_default();
                let key = place.key.as_ref().map(filter::key_words).unwrap_or_default();
                address(if place.backward { "after" } else { "before" }, &key, &within)
            }
        }
    }

    /// The filters that were typed into the box, each as a link that removes it.
    fn typed_chips(&self, words: &str, typed: &[String]) -> Vec<Chip> {
        let chip = |(at, filter): (usize, &String)| {
            let kept = typed.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, filter)| filter.as_str());
            let rest: Vec<&str> = Some(words).filter(|words| !words.is_empty()).into_iter().chain(kept).collect();
            Chip { href: filters::address(PATH, self.filter, &[("q", &rest.join(" "))]), words: chip_words(filter) }
        };
        typed.iter().enumerate().map(chip).collect()
    }
}

/// A filter that was typed, in words. What it narrows is the records: those in which something happened then.
fn chip_words(filter: &str) -> String {
    let plain = filter.replace('"', "");
    match plain.trim_start_matches('-').split_once(':') {
        Some((key, date)) if key.eq_ignore_ascii_case("after") => format!("something from {date} on"),
        Some((key, date)) if key.eq_ignore_ascii_case("before") => format!("something up to {date}"),
        Some((key, name)) if plain.starts_with('-') => format!("not {key} {name}"),
        Some((key, name)) => format!("{key} {name}"),
        None => plain,
    }
}

#[derive(Template)]
#[template(path = "search/search.html")]
struct SearchTemplate {
    frame: Frame,
    typed: String,
    hidden: Vec<(&'static str, String)>,
    filter: FilterForm,
    asked: bool,
    further_on: bool,
    begin: String,
    nowhere: Option<(String, Option<String>)>,
    cut: bool,
    no_dates: String,
    count_words: String,
    counting: Option<CountLink>,
    chips: Vec<Chip>,
    rows: Vec<HitView>,
    pages: Pages,
    further: Option<String>,
    apart: Option<(String, String)>,
    order: &'static str,
    stopped: Option<String>,
    instead: Option<String>,
    errors: Errors,
}
