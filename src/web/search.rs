//! The search: one box, and what was found with the words that were looked for marked where they stand.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::analysis::{self, Language};
use crate::domain::query::{self, Query};
use crate::domain::searchable::{self, Spot as Text};
use crate::store::search::{self, COUNTED, Cursor, Found, Hit, Part, READ, Spot, Wanted};

use super::error::HtmlError;
use super::forms::RawForm;
use super::guards::Me;
use super::history::place_words;
use super::markdown;
use super::moments::{self, Moment};
use super::page::{Frame, Tab, Who};
use super::paths::{Asked, with_query};
use super::records::{Pages, Row};
use super::reply::page;

/// How many letters of a text are shown around a word, in front and after.
const AROUND: (usize, usize) = (70, 150);

/// `GET /search`
pub async fn show(State(app): State<App>, Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    let typed = asked.text("q").trim().to_owned();
    let deleted = asked.text("deleted") == "yes";
    let now = moments::now(&app, &me.actor);
    let query = Query::parse(&typed, app.db.language(), now.date());
    let who = Who::of(&me);
    let found = match query.is_empty() && !deleted {
        true => None,
        false => Some(search::search(&app.db, &me.actor, &Wanted { query: &query, deleted }, cursor(&asked)).await?),
    };
    let (words, filters) = query::split(&typed, now.date());
    let shown = Shown { typed: &typed, deleted };
    let marker = Marker { query: &query, language: app.db.language() };
    let count_words = found.as_ref().map(|found| count_words(found, deleted)).unwrap_or_default();
    let title = match (typed.is_empty(), found.as_ref().is_some_and(|found| found.newer.is_some())) {
        (true, _) => "Search".to_owned(),
        (false, false) => format!("\u{201c}{}\u{201d} – search", short(&typed)),
        (false, true) => format!("\u{201c}{}\u{201d} – search, further on", short(&typed)),
    };
    Ok(page(&SearchTemplate {
        frame: Frame::member(title, Tab::Search, who).status(count_words.clone()),
        chips: chips(&words, &filters, deleted),
        rows: found.iter().flat_map(|found| &found.hits).map(|hit| HitView::of(hit, &marker, now.year())).collect(),
        pages: found.as_ref().map(|found| shown.pages(found)).unwrap_or_default(),
        stopped: found.as_ref().is_some_and(|found| found.stopped).then(|| grouped(READ)),
        instead: (!deleted && !query.is_empty()).then(|| with_query("/search", &[("q", &typed), ("deleted", "yes")])),
        asked: found.is_some(),
        further_on: asked.has("before") || asked.has("after"),
        cut: query.cut,
        typed,
        deleted,
        count_words,
    }))
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

fn cursor(asked: &RawForm) -> Cursor {
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
    deleted: bool,
}

impl Shown<'_> {
    fn address(&self, before: &str, after: &str) -> String {
        let deleted = if self.deleted { "yes" } else { "" };
        with_query("/search", &[("q", self.typed), ("deleted", deleted), ("before", before), ("after", after)])
    }

    fn pages(&self, found: &Found) -> Pages {
        let words = |part: Part, position: i64| format!("{}~{position}", if part == Part::Title { "t" } else { "r" });
        let link = |cursor: &Cursor| match *cursor {
            Cursor::First => self.address("", ""),
            Cursor::Before(part, position) => self.address(&words(part, position), ""),
            Cursor::After(part, position) => self.address("", &words(part, position)),
        };
        Pages { newer: found.newer.as_ref().map(link), older: found.older.as_ref().map(link), what: "matches" }
    }
}

fn chips(words: &str, filters: &[String], deleted: bool) -> Vec<Chip> {
    let address = |left_out: Option<usize>, deleted: bool| {
        let kept =
            filters.iter().enumerate().filter(|(at, _)| Some(*at) != left_out).map(|(_, filter)| filter.as_str());
        let typed: Vec<&str> = Some(words).filter(|words| !words.is_empty()).into_iter().chain(kept).collect();
        with_query("/search", &[("q", &typed.join(" ")), ("deleted", if deleted { "yes" } else { "" })])
    };
    let mut chips: Vec<Chip> = filters
        .iter()
        .enumerate()
        .map(|(at, filter)| Chip {
            href: address(Some(at), deleted),
            words: filter.replace('"', "").replacen(':', " ", 1),
        })
        .collect();
    if deleted {
        chips.push(Chip { href: address(None, false), words: "deleted".to_owned() });
    }
    chips
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
    /// Where words that were looked for stand in a text, in order and apart.
    fn places(&self, text: &str) -> Vec<(usize, usize)> {
        let words = analysis::words(text);
        let mut places: Vec<_> =
            self.query.with.iter().flat_map(|clause| clause.places(self.language, &words)).collect();
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
    fn marked(&self, text: &str) -> Vec<Piece> {
        pieces(text, 0, text.len(), &self.places(text))
    }

    /// The words around the first mark of a text; none if it has no mark.
    fn around(&self, text: &str) -> Option<Vec<Piece>> {
        let places = self.places(text);
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

/// Where to begin to read in front of a word: at its sentence, or some words before.
fn begin(text: &str, at: usize) -> usize {
    let far = text.floor_char_boundary(at.saturating_sub(AROUND.0));
    let before = &text[far..at];
    let sentence = before.rfind(['\n', '.', '!', '?', '。']).map(|stop| far + stop);
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
    let until = match after.find('\n') {
        Some(line) => at + line,
        None if far == text.len() => far,
        None => after.rfind(' ').map_or(far, |gap| at + gap),
    };
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
        let close = |open: &mut Vec<&query::Clause>, text: &str| {
            let words = analysis::words(text);
            let before = open.len();
            open.retain(|clause| clause.places(marker.language, &words).is_empty());
            open.len() < before
        };
        close(&mut open, &row.title);
        for (spot, text) in &texts {
            let text = if *spot == Text::Description { markdown::plain(text) } else { text.clone() };
            if places.len() >= 3 || !close(&mut open, &text) {
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
            let whole = match spot {
                Text::Field(name) if *name == text => {
                    let value =
                        hit.state.fields().find(|(held, _)| held.label == *name).map(|(_, value)| value.words());
                    format!("{name}: {}", value.unwrap_or_default())
                }
                _ => text,
            };
            if let Some(words) = marker.around(&whole) {
                places.push(PlaceView { what, when: None, href: None, words });
            }
        }
        for spot in &hit.spots {
            places.extend(Self::spot(hit, spot, marker, this_year));
        }
        Self { title: marker.marked(&row.title), row, places }
    }

    fn spot(hit: &Hit, spot: &Spot, marker: &Marker<'_>, this_year: i16) -> Option<PlaceView> {
        let record = hit.listed.id;
        match spot {
            Spot::Note { version, place, occurred, texts } => {
                let (note, figures) = texts.split_first()?;
                let plain = markdown::plain(note);
                // Its words with the marks, or else the figure that was found, behind its first words.
                let words = marker.around(&plain).or_else(|| {
                    let figure = figures.iter().find(|figure| !marker.places(figure).is_empty())?;
                    let mut words = marker.marked(figure);
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
                words: marker.marked(name),
            }),
        }
    }
}

#[derive(Debug)]
struct Chip {
    href: String,
    words: String,
}

#[derive(Template)]
#[template(path = "search/search.html")]
struct SearchTemplate {
    frame: Frame,
    typed: String,
    deleted: bool,
    asked: bool,
    further_on: bool,
    cut: bool,
    count_words: String,
    chips: Vec<Chip>,
    rows: Vec<HitView>,
    pages: Pages,
    stopped: Option<String>,
    instead: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_around_a_match_begin_at_its_sentence() {
        let query = Query::parse("anode x", Language::English, jiff::civil::date(2026, 11, 26));
        let marker = Marker { query: &query, language: Language::English };
        let shown = |text: &str| {
            let pieces = marker.around(text).unwrap_or_default();
            pieces.iter().map(|p| if p.is_match { format!("[{}]", p.text) } else { p.text.clone() }).collect::<String>()
        };
        assert_eq!(shown("The tank is fine. The anodes were changed."), "… The [anodes] were changed.");
        assert_eq!(shown("Anode"), "[Anode]");
        let long = format!("{}anode{}", "word ".repeat(100), " and on".repeat(100));
        assert!(shown(&long).starts_with("… word") && shown(&long).ends_with(" …") && shown(&long).len() < 260);
        assert_eq!(shown("nothing"), "");
    }
}
