//! The search: one box, and what was found with the words that were looked for marked where they stand.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::analysis::{Cut, Language};
use crate::domain::query::{self, Query};
use crate::domain::searchable::{self, Spot as Text};
use crate::store::filter::{self, Filter, Sort};
use crate::store::search::{self, COUNTED, Cursor, Found, Hit, Part, Place, READ, Spot, Wanted};
use crate::store::{people, views};

use super::error::HtmlError;
use super::filters::{self, Chip, FilterForm};
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::history::place_words;
use super::markdown;
use super::moments::{self, Moment};
use super::page::{Frame, Tab, Who};
use super::paths::{Asked, with_query};
use super::records::{Pages, Row};
use super::reply::page_with;

/// How many letters of a text are shown around a word, in front and after.
const AROUND: (usize, usize) = (70, 150);

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
    let found = match query.is_empty() && is_default {
        true => None,
        false => {
            let wanted = Wanted { query: &query, filter: &filter, entered };
            Some(search::search(&app.db, &me.actor, &wanted, cursor).await?)
        }
    };
    let (people, known) = match &found {
        Some(found) => (found.people.clone(), found.known.clone()),
        None => (people::of_household(&app.db, &me.actor).await?, views::suggestions(&app.db, &me.actor).await?),
    };
    let (words, typed_filters) = query::split(&typed, now.date());
    let shown = Shown { typed: &typed, filter: &filter };
    let marker = Marker { query: &query, language: app.db.language() };
    let count_words = found.as_ref().map(|found| count_words(found, filter.deleted)).unwrap_or_default();
    let title = match (typed.is_empty(), begins) {
        (true, _) => "Search".to_owned(),
        (false, true) => format!("\u{201c}{}\u{201d} – search", short(&typed)),
        (false, false) => format!("\u{201c}{}\u{201d} – search, further on", short(&typed)),
    };
    let mut chips = shown.typed_chips(&words, &typed_filters);
    chips.extend(filters::chips(PATH, &filter, &people, &[("q", &typed)]));
    let deleted = Filter { deleted: true, ..filter.clone() };
    let stopped = found.as_ref().is_some_and(|found| found.stopped);
    let pages = found.as_ref().map(|found| shown.pages(found)).unwrap_or_default();
    Ok(page_with(
        errors.status(),
        &SearchTemplate {
            frame: Frame::member(title, Tab::Search, Who::of(&me))
                .wrong(!errors.is_empty())
                .status(count_words.clone()),
            rows: found.iter().flat_map(|found| &found.hits).map(|hit| HitView::of(hit, &marker, now.year())).collect(),
            further: if backward { pages.newer.clone() } else { pages.older.clone() },
            apart: found
                .as_ref()
                .and_then(|found| found.apart.as_ref())
                .map(|apart| (grouped(READ), shown.link(apart))),
            order: search_order(filter.sort),
            stopped: stopped.then(|| grouped(READ)),
            instead: (!filter.deleted && !query.is_empty()).then(|| filters::address(PATH, &deleted, &[("q", &typed)])),
            asked: found.is_some(),
            further_on: !begins,
            begin: filters::address(PATH, &filter, &[("q", &typed)]),
            nowhere: found.as_ref().map(|found| nowhere(found, &query, &shown)).unwrap_or_default(),
            cut: query.cut,
            no_dates: query.no_dates.join(", "),
            hidden: filters::pairs(&filter),
            filter: FilterForm {
                is_set: found.is_some(),
                cleared: Some(with_query(PATH, &[("q", &words)])),
                keep: filters::keep(&filters::address(PATH, &filter, &[("q", &typed)])),
                ..FilterForm::of(PATH, &filter, &asked, &known, &people).of_search().with(vec![("q", typed.clone())])
            },
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

fn grouped(number: i64) -> String {
    let digits = number.to_string();
    match digits.len() {
        4.. => format!("{},{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..]),
        _ => digits,
    }
}

/// What hits are ordered by, in words.
fn search_order(sort: Sort) -> &'static str {
    match sort {
        Sort::Activity => "titles first, then latest change first",
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

fn count_words(found: &Found, deleted: bool) -> String {
    let what = |many: bool| match (deleted, many) {
        (false, false) => "record",
        (false, true) => "records",
        (true, false) => "deleted record",
        (true, true) => "deleted records",
    };
    match found.count {
        Some(0) => format!("No {}", what(true)),
        Some(1) => format!("1 {}", what(false)),
        Some(count) if count > COUNTED => format!("More than {} {}", grouped(COUNTED), what(true)),
        Some(count) => format!("{} {}", grouped(count), what(true)),
        None => match found.hits.len() {
            1 => format!("1 {} on this page", what(false)),
            shown => format!("{shown} {} on this page", what(true)),
        },
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
            Chip {
                href: filters::address(PATH, self.filter, &[("q", &rest.join(" "))]),
                words: chip_words(filter),
            }
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

/// A piece of text, and whether it was looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Piece {
    text: String,
    is_match: bool,
}

/// What marks words.
struct Marker<'a> {
    query: &'a Query,
    language: Language,
}

impl Marker<'_> {
    /// A text cut into its words: once, since their stems take time.
    fn cut(&self, text: &str) -> Cut {
        Cut::of(self.language, text)
    }

    /// Where words that were looked for stand in a text, in order and apart.
    fn places(&self, cut: &Cut) -> Vec<(usize, usize)> {
        let mut places: Vec<_> = self.query.with.iter().flat_map(|clause| clause.places(cut)).collect();
        places.sort_unstable();
        let mut apart: Vec<(usize, usize)> = Vec::new();
        for (start, end) in places {
            match apart.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => apart.push((start, end)),
            }
        }
        apart
    }

    /// A whole text with its marks.
    fn marked(&self, text: &str, cut: &Cut) -> Vec<Piece> {
        pieces(text, 0, text.len(), &self.places(cut))
    }

    /// The words around the first mark of a text; none if it has no mark.
    fn around(&self, text: &str, cut: &Cut) -> Option<Vec<Piece>> {
        let places = self.places(cut);
        let (first, end) = *places.first()?;
        let from = begin(text, first);
        let until = finish(text, end);
        let mut pieces = pieces(text, from, until, &places);
        if from > 0 {
            pieces.insert(0, Piece { text: "… ".to_owned(), is_match: false });
        }
        if until < text.trim_end().len() {
            pieces.push(Piece { text: " …".to_owned(), is_match: false });
        }
        Some(pieces)
    }
}

/// Whether a sentence may end here.
fn ends(text: &str, at: usize) -> bool {
    text[at..].starts_with(['·', '。']) || (text[at..].starts_with(['.', '!', '?']) && text[at + 1..].starts_with(' '))
}

/// Where to begin to read in front of a word: at its sentence, or some words before.
fn begin(text: &str, at: usize) -> usize {
    let far = text.floor_char_boundary(at.saturating_sub(AROUND.0));
    let before = &text[far..at];
    let sentence = before.char_indices().rev().map(|(stop, _)| far + stop).find(|stop| ends(text, *stop));
    let from = match sentence {
        Some(stop) => stop + text[stop..].chars().next().map_or(0, char::len_utf8),
        None if far == 0 => 0,
        None => before.find(' ').map_or(far, |gap| far + gap),
    };
    from + (text[from..at].len() - text[from..at].trim_start().len())
}

fn finish(text: &str, at: usize) -> usize {
    let far = text.ceil_char_boundary((at + AROUND.1).min(text.len()));
    let after = &text[at..far];
    let until = if far == text.len() { far } else { after.rfind(' ').map_or(far, |gap| at + gap) };
    at + text[at..until].trim_end().len()
}

fn pieces(text: &str, from: usize, until: usize, places: &[(usize, usize)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = from;
    let mut push = |text: &str, is_match: bool| {
        if !text.is_empty() {
            pieces.push(Piece { text: text.to_owned(), is_match });
        }
    };
    for (start, end) in places.iter().filter(|(start, end)| *start >= from && *end <= until) {
        push(&text[at..*start], false);
        push(&text[*start..*end], true);
        at = *end;
    }
    push(&text[at..until], false);
    pieces
}

/// Where in a record words were found.
#[derive(Debug)]
struct PlaceView {
    /// "Note" or "Serial number".
    what: String,
    /// When, of a note.
    when: Option<Moment>,
    /// To the place, if it is not the record's own page.
    href: Option<String>,
    words: Vec<Piece>,
}

/// A record that was found.
#[derive(Debug)]
struct HitView {
    row: Row,
    title: Vec<Piece>,
    places: Vec<PlaceView>,
}

impl HitView {
    fn of(hit: &Hit, marker: &Marker<'_>, this_year: i16) -> Self {
        let row = Row::listed(&hit.listed, this_year);
        let mut places = Vec::new();
        let texts = searchable::record_texts(&hit.state);
        let mut open: Vec<_> = marker.query.with.iter().collect();
        let close = |open: &mut Vec<&query::Clause>, cut: &Cut| {
            let before = open.len();
            open.retain(|clause| clause.places(cut).is_empty());
            open.len() < before
        };
        let title = marker.cut(&row.title);
        close(&mut open, &title);
        for (spot, text) in &texts {
            if open.is_empty() || places.len() >= 3 {
                break;
            }
            let text = if *spot == Text::Description { markdown::plain(text) } else { text.clone() };
            let cut = marker.cut(&text);
            if !close(&mut open, &cut) {
                continue;
            }
            let what = match spot {
                Text::Title => continue,
                Text::Category => "Category".to_owned(),
                Text::Tag => "Tag".to_owned(),
                Text::Description => "Description".to_owned(),
                Text::Field(name) => name.clone(),
            };
            // A fact whose name was found says its value too.
            let words = match spot {
                Text::Field(name) if *name == text => {
                    let value =
                        hit.state.fields().find(|(held, _)| held.label == *name).map(|(_, value)| value.words());
                    let whole = format!("{name}: {}", value.unwrap_or_default());
                    marker.around(&whole, &marker.cut(&whole))
                }
                _ => marker.around(&text, &cut),
            };
            if let Some(words) = words {
                places.push(PlaceView { what, when: None, href: None, words });
            }
        }
        for spot in &hit.spots {
            places.extend(Self::spot(hit, spot, marker, this_year));
        }
        Self { title: marker.marked(&row.title, &title), row, places }
    }

    fn spot(hit: &Hit, spot: &Spot, marker: &Marker<'_>, this_year: i16) -> Option<PlaceView> {
        let record = hit.listed.id;
        match spot {
            Spot::Note { version, place, occurred, texts } => {
                let (note, figures) = texts.split_first()?;
                let plain = markdown::plain(note);
                // Its words with the marks, or else the figure that was found, behind its first words.
                let words = marker.around(&plain, &marker.cut(&plain)).or_else(|| {
                    let cuts = figures.iter().map(|figure| (figure, marker.cut(figure)));
                    let (figure, cut) = cuts.into_iter().find(|(_, cut)| !marker.places(cut).is_empty())?;
                    let mut words = marker.marked(figure, &cut);
                    let heading = crate::domain::text::NoteText::heading(note);
                    words.push(Piece { text: format!(" · {heading}"), is_match: false });
                    Some(words)
                });
                let begins = crate::store::history::Place { position: place.position + 1, ..place.clone() };
                let href = with_query(&format!("/records/{record}/history"), &[("before", &place_words(&begins))]);
                Some(PlaceView {
                    what: "Note".to_owned(),
                    when: Some(Moment::brief(*occurred, this_year)),
                    href: Some(format!("{href}#e{version}")),
                    words: words.unwrap_or_else(|| {
                        vec![Piece { text: plain.chars().take(AROUND.1).collect(), is_match: false }]
                    }),
                })
            }
            Spot::File { id, name } => Some(PlaceView {
                what: "File".to_owned(),
                when: None,
                href: Some(format!("/records/{record}/attachments/{id}")),
                words: marker.marked(name, &marker.cut(name)),
            }),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_around_a_match_begin_at_its_sentence() {
        let query = Query::parse("anode x", Language::English, jiff::civil::date(2026, 11, 26));
        let marker = Marker { query: &query, language: Language::English };
        let shown = |text: &str| {
            let pieces = marker.around(text, &marker.cut(text)).unwrap_or_default();
            pieces.iter().map(|p| if p.is_match { format!("[{}]", p.text) } else { p.text.clone() }).collect::<String>()
        };
        assert_eq!(shown("The tank is fine. The anodes were changed."), "… The [anodes] were changed.");
        assert_eq!(shown("Anode"), "[Anode]");
        let long = format!("{}anode{}", "word ".repeat(100), " and on".repeat(100));
        assert!(shown(&long).starts_with("… word") && shown(&long).ends_with(" …") && shown(&long).len() < 260);
        assert_eq!(shown("nothing"), "");
    }
}
