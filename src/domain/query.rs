//! What people type into the search box, understood: words, `"phrases"`, `-exclusions`, `tag:`, `category:`, `after:`
//! and `before:`. Whatever is typed means something; nothing is an error.

use jiff::civil::Date;

use super::analysis::{self, APART, Cut, Language, STEM, Word};
use super::text::fold;
use super::when::Occurred;

/// How many words of a query count.
const MOST: usize = 16;

/// How many bytes of what is typed are looked at.
pub const LONGEST: usize = 1000;

/// One thing to look for: a word, or words that follow each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clause {
    /// The words, folded.
    pub words: Vec<String>,
    /// The stem, if other forms of the word count too.
    pub stem: Option<String>,
    /// Whether the last word may go on.
    pub prefix: bool,
}

impl Clause {
    fn of(language: Language, found: &[Word], quoted: bool, last: bool) -> Self {
        let mut words: Vec<String> = Vec::with_capacity(found.len());
        for word in found {
            if word.is_apart {
                words.push(APART.to_owned());
            }
            words.push(word.folded.clone());
        }
        let stem = match &words[..] {
            [word] if !quoted => Some(language.stem(word)),
            _ => None,
        };
        // A character of a script without word spaces is whole as it is.
        let prefix = last && !quoted && found.last().is_some_and(|word| !word.is_character);
        Self { words, stem, prefix }
    }

    /// Whether terms alone cannot tell whether the words follow each other.
    pub fn wants_order(&self) -> bool {
        match &self.words[..] {
            [_] => false,
            [one, two] => !(analysis::is_character(one) && analysis::is_character(two)),
            _ => true,
        }
    }

    /// What a [`analysis::sequence`] holds if it matches: any of these, after a space.
    pub fn patterns(&self) -> Vec<String> {
        let end = if self.prefix { "" } else { " " };
        let mut patterns = vec![format!(" {}{end}", self.words.join(" "))];
        if let Some(stem) = &self.stem {
            patterns.push(format!(" {STEM}{stem} "));
            if self.words.first() != Some(stem) {
                patterns.push(format!(" {stem} "));
            }
        }
        patterns
    }

    /// Whether a sequence matches.
    pub fn is_in(&self, sequence: &str) -> bool {
        self.patterns().iter().any(|pattern| sequence.contains(pattern.as_str()))
    }

    /// Where the clause stands in a text: byte ranges of the words that match.
    pub fn places(&self, text: &Cut) -> Vec<(usize, usize)> {
        let wanted: Vec<&str> = self.words.iter().map(String::as_str).filter(|word| *word != APART).collect();
        let length = wanted.len();
        let fits = |nth: usize, wanted: &str, at: usize, found: &str| {
            let goes_on = self.prefix && nth + 1 == length && found.starts_with(wanted);
            found == wanted || goes_on || self.stem.as_ref().is_some_and(|stem| text.has_stem(at, stem))
        };
        text.words()
            .windows(length.max(1))
            .enumerate()
            .filter(|(begin, window)| {
                let mut pairs = window.iter().zip(&wanted).enumerate();
                pairs.all(|(nth, (word, wanted))| fits(nth, wanted, begin + nth, &word.folded))
            })
            .filter_map(|(_, window)| Some((window.first()?.start, window.last()?.end)))
            .collect()
    }
}

/// A query, understood.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// What must be there.
    pub with: Vec<Clause>,
    /// What must not be there.
    pub without: Vec<Clause>,
    /// `tag:…`, as it was typed.
    pub tags: Vec<String>,
    /// `category:…`, as it was typed.
    pub categories: Vec<String>,
    /// `-tag:…`.
    pub without_tags: Vec<String>,
    /// `-category:…`.
    pub without_categories: Vec<String>,
    /// `after:…` and `before:…` that name no date, or have a minus: they are taken for words.
    pub no_dates: Vec<String>,
    /// `after:…`: something happened from its beginning on.
    pub after: Option<Occurred>,
    /// `before:…`: something happened up to its end.
    pub before: Option<Occurred>,
    /// Whether there were more words than count.
    pub cut: bool,
}

/// A piece of what was typed.
struct Piece<'a> {
    excluded: bool,
    quoted: bool,
    key: Option<&'static str>,
    text: &'a str,
}

const KEYS: [&str; 4] = ["tag:", "category:", "after:", "before:"];

impl Query {
    /// Reads what was typed on a day.
    pub fn parse(typed: &str, language: Language, today: Date) -> Self {
        let mut query = Self { cut: typed.len() > LONGEST, ..Self::default() };
        let typed = analysis::normal(&typed[..typed.floor_char_boundary(LONGEST)]);
        let pieces = pieces(&typed);
        let mut count = 0;
        // What is typed last may be half a word; filters stand behind the words where they are shown back.
        let last = pieces.iter().rposition(|piece| !piece.excluded && piece.key.is_none());
        for (at, piece) in pieces.iter().enumerate() {
            let last = Some(at) == last;
            if query.takes(piece, today) {
                continue;
            }
            if matches!(piece.key, Some("after:" | "before:")) && !piece.text.is_empty() {
                query.no_dates.push(spell(piece));
            }
            let mut found = analysis::words(piece.text);
            if let (Some(key), false) = (piece.key, found.is_empty()) {
                found.splice(0..0, analysis::words(key));
            }
            found.truncate(MOST.saturating_sub(count));
            query.cut |= count >= MOST;
            if found.is_empty() {
                continue;
            }
            count += found.len();
            let clause = Clause::of(language, &found, piece.quoted, last);
            let list = if piece.excluded { &mut query.without } else { &mut query.with };
            if !list.contains(&clause) {
                list.push(clause);
            }
        }
        query
    }

    /// Whether the piece was a filter that could be understood.
    fn takes(&mut self, piece: &Piece<'_>, today: Date) -> bool {
        let text = piece.text.trim();
        let date = || Occurred::parse_any_date(text, today).ok();
        let add = |list: &mut Vec<String>, names: &mut dyn Iterator<Item = &str>| {
            let before = list.len();
            for name in names.map(str::trim).filter(|name| !name.is_empty()) {
                if !list.iter().any(|known| fold(known) == fold(name)) {
                    list.push(name.to_owned());
                }
            }
            list.len() > before || before > 0
        };
        // Commas part tags everywhere else, too.
        let mut tags = text.split([',', ';']).map(|tag| tag.trim().trim_start_matches('#'));
        match (piece.key, piece.excluded) {
            _ if text.is_empty() => false,
            (Some("tag:"), false) => add(&mut self.tags, &mut tags),
            (Some("tag:"), true) => add(&mut self.without_tags, &mut tags),
            (Some("category:"), false) => add(&mut self.categories, &mut std::iter::once(text)),
            (Some("category:"), true) => add(&mut self.without_categories, &mut std::iter::once(text)),
            (Some("after:"), false) => date().map(|date| self.after = Some(date)).is_some(),
            (Some("before:"), false) => date().map(|date| self.before = Some(date)).is_some(),
            _ => false,
        }
    }

    /// Whether there is nothing in it that could narrow anything.
    pub fn is_empty(&self) -> bool {
        self.with.is_empty()
            && self.without.is_empty()
            && self.tags.is_empty()
            && self.categories.is_empty()
            && self.without_tags.is_empty()
            && self.without_categories.is_empty()
            && self.after.is_none()
            && self.before.is_none()
    }
}

/// What was typed without its filters (`tag:` and its like that were understood), and those filters one by one.
pub fn split(typed: &str, today: Date) -> (String, Vec<String>) {
    let mut words = Vec::new();
    let mut filters = Vec::new();
    let typed = analysis::normal(&typed[..typed.floor_char_boundary(LONGEST)]);
    for piece in pieces(&typed) {
        let spelt = spell(&piece);
        if Query::default().takes(&piece, today) { filters.push(spelt) } else { words.push(spelt) }
    }
    (words.join(" "), filters)
}

fn spell(piece: &Piece<'_>) -> String {
    let quote = if piece.quoted { "\"" } else { "" };
    let minus = if piece.excluded { "-" } else { "" };
    format!("{minus}{}{quote}{}{quote}", piece.key.unwrap_or_default(), piece.text)
}

fn pieces(typed: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = typed.trim_start();
    while !rest.is_empty() {
        let (excluded, after) = match rest.strip_prefix('-') {
            Some(after) => (true, after),
            None => (false, rest),
        };
        let key =
            KEYS.into_iter().find(|key| after.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key)));
        let after = &after[key.map_or(0, str::len)..];
        let (quoted, text, next) = match after.strip_prefix(['"', '\u{201c}', '\u{201d}', '\u{201e}']) {
            Some(inner) => match inner.find(['"', '\u{201c}', '\u{201d}']) {
                Some(end) => (true, &inner[..end], inner[end..].trim_start_matches(['"', '\u{201c}', '\u{201d}'])),
                None => (true, inner, ""),
            },
            None => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                (false, &after[..end], &after[end..])
            }
        };
        pieces.push(Piece { excluded, quoted, key, text });
        rest = next.trim_start();
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str) -> Query {
        Query::parse(typed, Language::English, jiff::civil::date(2026, 11, 26))
    }

    fn words(clauses: &[Clause]) -> Vec<String> {
        clauses
            .iter()
            .map(|clause| format!("{}{}", clause.words.join(" "), if clause.prefix { "*" } else { "" }))
            .collect()
    }

    #[test]
    fn words_phrases_and_exclusions() {
        let query = read("Anode -Heater \"hot water\" -\"cold tap\" ZEN-17");
        assert_eq!(words(&query.with), ["anode", "hot water", "zen 17*"]);
        assert_eq!(words(&query.without), ["heater", "cold tap"]);
        assert_eq!(query.with[0].stem.as_deref(), Some("anod"));
        assert_eq!(words(&read("dish \"wash").with), ["dish", "wash"]);
        assert_eq!(words(&read("洗濯機").with), ["洗 濯 機"]);
    }

    #[test]
    fn filters_are_understood_and_what_is_none_is_words() {
        let query = read("tag:\"winter tyres\" Category:Car after:2019 before:2020-06 oil");
        assert_eq!((query.tags[0].as_str(), query.categories[0].as_str()), ("winter tyres", "Car"));
        assert_eq!(query.after.unwrap().to_string(), "2019");
        assert_eq!(query.before.unwrap().to_string(), "2020-06");
        assert_eq!(words(&query.with), ["oil*"]);
        for (typed, read_as) in
            [("win tag:garden", "win*"), ("win -bike", "win*"), ("tag:a win", "win*"), ("\"win\" tag:a", "win")]
        {
            assert_eq!(words(&read(typed).with), [read_as], "{typed}");
        }
        assert_eq!(words(&read("win \"hot water\" after:2019").with), ["win", "hot water"]);
        assert_eq!(words(&read("after:lunch").with), ["after lunch"]);
        assert_eq!(
            split("tag:a oil after:x -b", jiff::civil::date(2026, 11, 26)),
            ("oil after:x -b".into(), vec!["tag:a".into()])
        );
    }

    #[test]
    fn whatever_is_typed_is_no_error() {
        for typed in [
            "",
            "-",
            "\"",
            "- -",
            "tag:",
            "tag:\"\"",
            "\"\"\"",
            "-\"",
            "AND OR NOT",
            "a:b:c",
            "* % _ \\",
            "\0",
            "(((",
            "after:",
            "-tag:x",
        ] {
            let _ = read(typed);
        }
        let long = read(&"word ".repeat(5000));
        assert!(long.cut);
        assert_eq!(read(&(0..40).map(|n| format!("w{n}x ")).collect::<String>()).with.len(), 6);
    }

    #[test]
    fn a_clause_knows_its_places() {
        let text = "Repaired the water heater; repairs cost 40";
        let found = Cut::of(Language::English, text);
        let places = |typed: &str| -> Vec<&str> {
            read(typed).with[0].places(&found).into_iter().map(|(from, to)| &text[from..to]).collect()
        };
        assert_eq!(places("repairing x"), ["Repaired", "repairs"]);
        assert_eq!(places("\"water heater\""), ["water heater"]);
        assert_eq!(places("heat"), ["heater"]);
        assert!(places("\"repair\"").is_empty());
    }
}
