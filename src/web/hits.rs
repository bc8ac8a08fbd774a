//! What the search found, with the words that were looked for marked where they stand.

use crate::domain::analysis::{Cut, Language};
use crate::domain::query::{self, Query};
use crate::domain::record::Record;
use crate::domain::searchable::{self, Spot as Text};
use crate::error::Result;
use crate::store::search::{Hit, Spot};

use super::history::place_words;
use super::markdown;
use super::moments::Moment;
use super::paths::with_query;
use super::records::Row;

/// How many letters of a text are shown around a word, in front and after.
const AROUND: (usize, usize) = (70, 150);

/// A piece of text, and whether it was looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) is_match: bool,
}

/// What marks words.
pub(super) struct Marker<'a> {
    pub(super) query: &'a Query,
    pub(super) language: Language,
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
pub(super) struct PlaceView {
    /// "Note" or "Serial number".
    pub(super) what: String,
    /// When, of a note.
    pub(super) when: Option<Moment>,
    /// To the place, if it is not the record's own page.
    pub(super) href: Option<String>,
    pub(super) words: Vec<Piece>,
}

/// A record that was found.
#[derive(Debug)]
pub(super) struct HitView {
    pub(super) row: Row,
    pub(super) title: Vec<Piece>,
    pub(super) places: Vec<PlaceView>,
}

impl HitView {
    pub(super) fn of(hit: &Hit, marker: &Marker<'_>, this_year: i16) -> Result<Self> {
        let row = Row::listed(&hit.listed, this_year);
        let mut places = Vec::new();
        let mut open: Vec<_> = marker.query.with.iter().collect();
        let close = |open: &mut Vec<&query::Clause>, cut: &Cut| {
            let before = open.len();
            open.retain(|clause| clause.places(cut).is_empty());
            open.len() < before
        };
        let title = marker.cut(&row.title);
        close(&mut open, &title);
        let state = if open.is_empty() { None } else { Some(hit.state()?) };
        for (spot, text) in &state.as_ref().map(searchable::record_texts).unwrap_or_default() {
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
                    let fields = state.iter().flat_map(Record::fields);
                    let value =
                        fields.into_iter().find(|(held, _)| held.label == *name).map(|(_, value)| value.words());
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
        Ok(Self { title: marker.marked(&row.title, &title), row, places })
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
