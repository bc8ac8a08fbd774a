//! The texts of a record and its notes in which the search looks, and the terms under which a record is found.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::analysis::{STEM, terms};
use super::event::Payload;
use super::money::{Amount, Reading};
use super::record::Record;
use super::text::fold;

/// Where in a record a text stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Spot {
    /// Its title.
    Title,
    /// Its category.
    Category,
    /// One of its tags.
    Tag,
    /// Its description.
    Description,
    /// A custom field's name or value, with the name.
    Field(String),
}

/// The texts of a record's state, the title first.
pub fn record_texts(state: &Record) -> Vec<(Spot, String)> {
    let mut texts = vec![(Spot::Title, state.title().to_owned())];
    texts.extend(state.category().map(|category| (Spot::Category, category.to_owned())));
    texts.extend(state.tags.iter().map(|tag| (Spot::Tag, tag.to_string())));
    texts.extend(state.description().map(|description| (Spot::Description, description.to_owned())));
    for (held, value) in state.fields() {
        let spot = || Spot::Field(held.label.clone());
        texts.push((spot(), held.label.clone()));
        texts.push((spot(), value.words()));
        if value.words() != value.value {
            texts.push((spot(), value.value.clone()));
        }
    }
    texts
}

/// The texts of a note.
pub fn note_texts(text: &str, amount: Option<Amount>, reading: Option<&Reading>) -> Vec<String> {
    let mut texts = vec![text.to_owned()];
    if let Some(amount) = amount {
        texts.extend([amount.words(), amount.to_string()]);
    }
    if let Some(reading) = reading {
        texts.extend([reading.words(), format!("{} {}", reading.value, reading.unit)]);
    }
    texts
}

/// The texts of a note's event, if the payload is one.
pub fn texts_of(payload: &Payload) -> Option<Vec<String>> {
    match payload {
        Payload::NoteAdded(note) => Some(note_texts(note.text.as_str(), note.amount, note.reading.as_ref())),
        Payload::NoteCorrected(note) => Some(note_texts(note.text.as_str(), note.amount, note.reading.as_ref())),
        _ => None,
    }
}

/// What a term is a term of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A word, or a stem, of the title.
    Title,
    /// A word, or a stem, of anything.
    Anything,
    /// The first letters of a word of the title, at most [`FIRST`]; see [`spelt_out`].
    TitleBegins,
    /// The first letters of a word of anything.
    AnythingBegins,
    /// A whole tag.
    Tag,
    /// A whole category.
    Category,
    /// That it is there at all.
    Present,
}

/// How many letters of a word its beginnings have at most: what begins with more is looked for among whole words.
pub const FIRST: usize = 12;

/// How many letters a mark has.
const MARK: usize = 12;

/// Whose records a term finds: those in one scope, deleted or not, in letters of sixty bits, which no two scopes share. It
/// narrows what is looked at, and is enough to count; who may see a record is decided by the record itself.
pub fn mark(scope: Uuid, deleted: bool) -> String {
    let digest = Sha256::new()
        .chain_update(b"lifeops.search.1\0")
        .chain_update(scope.as_bytes())
        .chain_update([u8::from(deleted)]);
    letters(&digest.finalize(), MARK)
}

/// The term of a word, stem (with a [`STEM`] in front), tag or category in a scope.
pub fn term(kind: Kind, mark: &str, word: &str) -> String {
    match (kind, word.strip_prefix(STEM)) {
        (Kind::Title, None) => format!("t{mark}{word}"),
        (Kind::Title, Some(stem)) => format!("u{mark}{stem}"),
        (Kind::Anything, None) => format!("b{mark}{word}"),
        (Kind::Anything, Some(stem)) => format!("s{mark}{stem}"),
        (Kind::TitleBegins, _) => format!("q{mark}{word}"),
        (Kind::AnythingBegins, _) => format!("p{mark}{word}"),
        (Kind::Tag, _) => format!("g{mark}{}", letters(&Sha256::digest(word.as_bytes()), 13)),
        (Kind::Category, _) => format!("c{mark}{}", letters(&Sha256::digest(word.as_bytes()), 13)),
        (Kind::Present, _) => format!("z{mark}"),
    }
}

/// The terms under which a record is found, in the scope of those who see it, or saw it before it was deleted: of the words
/// of its title, of all its words, and of the words of its notes.
pub fn found_by<'a>(
    state: &Record,
    scope: Uuid,
    title_words: &str,
    words: &str,
    notes: impl Iterator<Item = &'a str>,
) -> BTreeSet<String> {
    let mark = mark(scope, state.deleted.is_some());
    let mut found_by = BTreeSet::from([term(Kind::Present, &mark, "")]);
    found_by.extend(terms(title_words).iter().map(|word| term(Kind::Title, &mark, word)));
    found_by.extend(terms(words).iter().map(|word| term(Kind::Anything, &mark, word)));
    found_by.extend(notes.map(|word| term(Kind::Anything, &mark, word)));
    found_by.extend(state.tags.iter().map(|tag| term(Kind::Tag, &mark, &tag.folded())));
    found_by.extend(state.category().map(|category| term(Kind::Category, &mark, &fold(category))));
    found_by
}

/// Terms for an index that reads the records of one whole term in their order, and of no others: beside each word stand
/// all its beginnings, and the word as a stem, so that forms of a word are found by their stem alone.
pub fn spelt_out(found_by: BTreeSet<String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for term in &found_by {
        let (kind, rest) = term.split_at(1);
        let (begins, stem) = match kind {
            "t" => ("q", "u"),
            "b" => ("p", "s"),
            _ => continue,
        };
        all.insert(format!("{stem}{rest}"));
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).skip(MARK).take(FIRST);
        all.extend(ends.map(|end| format!("{begins}{}", &rest[..end])));
    }
    all.extend(found_by);
    all
}

fn letters(bytes: &[u8], count: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    bytes.iter().take(count).map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_told_apart_and_plain() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let marks = [mark(one, false), mark(one, true), mark(two, false)];
        assert!(marks.iter().all(|mark| mark.len() == MARK && mark.bytes().all(|b| b.is_ascii_alphanumeric())));
        assert!(marks[0] != marks[1] && marks[0] != marks[2]);
        assert_eq!(term(Kind::Anything, &marks[0], "~anod"), format!("s{}anod", marks[0]));
    }

    #[test]
    fn beginnings_stand_beside_each_word() {
        let mark = mark(Uuid::from_u128(1), false);
        let terms = |kind, words: &[&str]| words.iter().map(|word| term(kind, &mark, word)).collect::<Vec<_>>();
        let told = [terms(Kind::Anything, &["bär", "~bar"]), terms(Kind::Title, &["versicherungsnummer"])].concat();
        let mut wanted = told.clone();
        wanted.extend(terms(Kind::AnythingBegins, &["b", "bä", "bär"]));
        wanted.extend(terms(Kind::Anything, &["~bär"]));
        wanted.extend((1..=FIRST).flat_map(|n| terms(Kind::TitleBegins, &[&"versicherungsnummer"[..n]])));
        wanted.extend(terms(Kind::Title, &["~versicherungsnummer"]));
        assert_eq!(spelt_out(told.into_iter().collect()), wanted.into_iter().collect());
    }
}
