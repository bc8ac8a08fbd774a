//! How text is made into terms for the search: one analysis for both engines, so that they find the same.
//!
//! Text is folded (case, width, diacritics), cut into words at everything that is no letter, digit or symbol and at each
//! change between letters and digits, and stemmed by the installation's language. Where a script has no word spaces
//! each character is a word, and two neighbours are a term of their own. Word forms and accents never decide whether
//! something is found, and "ZEN-17", "zen17" and "Zen 17" are the same two words.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::{GeneralCategory, Script};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed};
use rust_stemmers::{Algorithm, Stemmer};

/// The version of the analysis. Search entries written by another one are rebuilt at start.
pub const VERSION: i64 = 1;

/// How many letters of a word count: what is longer is cut.
const LONGEST: usize = 64;

/// The language whose word forms are one (`LIFEOPS_SEARCH_LANGUAGE`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// Every form is a word of its own.
    None,
    /// Arabic.
    Arabic,
    /// Danish.
    Danish,
    /// Dutch.
    Dutch,
    /// English.
    #[default]
    English,
    /// Finnish.
    Finnish,
    /// French.
    French,
    /// German.
    German,
    /// Greek.
    Greek,
    /// Hungarian.
    Hungarian,
    /// Italian.
    Italian,
    /// Norwegian.
    Norwegian,
    /// Portuguese.
    Portuguese,
    /// Romanian.
    Romanian,
    /// Russian.
    Russian,
    /// Spanish.
    Spanish,
    /// Swedish.
    Swedish,
    /// Tamil.
    Tamil,
    /// Turkish.
    Turkish,
}

impl Language {
    /// Every language, by name.
    pub const ALL: [Self; 19] = [
        Self::None,
        Self::Arabic,
        Self::Danish,
        Self::Dutch,
        Self::English,
        Self::Finnish,
        Self::French,
        Self::German,
        Self::Greek,
        Self::Hungarian,
        Self::Italian,
        Self::Norwegian,
        Self::Portuguese,
        Self::Romanian,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Tamil,
        Self::Turkish,
    ];

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Arabic => "arabic",
            Self::Danish => "danish",
            Self::Dutch => "dutch",
            Self::English => "english",
            Self::Finnish => "finnish",
            Self::French => "french",
            Self::German => "german",
            Self::Greek => "greek",
            Self::Hungarian => "hungarian",
            Self::Italian => "italian",
            Self::Norwegian => "norwegian",
            Self::Portuguese => "portuguese",
            Self::Romanian => "romanian",
            Self::Russian => "russian",
            Self::Spanish => "spanish",
            Self::Swedish => "swedish",
            Self::Tamil => "tamil",
            Self::Turkish => "turkish",
        }
    }

    fn stemmer(self) -> Option<Stemmer> {
        let algorithm = match self {
            Self::None => return None,
            Self::Arabic => Algorithm::Arabic,
            Self::Danish => Algorithm::Danish,
            Self::Dutch => Algorithm::Dutch,
            Self::English => Algorithm::English,
            Self::Finnish => Algorithm::Finnish,
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Greek => Algorithm::Greek,
            Self::Hungarian => Algorithm::Hungarian,
            Self::Italian => Algorithm::Italian,
            Self::Norwegian => Algorithm::Norwegian,
            Self::Portuguese => Algorithm::Portuguese,
            Self::Romanian => Algorithm::Romanian,
            Self::Russian => Algorithm::Russian,
            Self::Spanish => Algorithm::Spanish,
            Self::Swedish => Algorithm::Swedish,
            Self::Tamil => Algorithm::Tamil,
            Self::Turkish => Algorithm::Turkish,
        };
        Some(Stemmer::create(algorithm))
    }

    /// Whether a stem begins with the letter that its word begins with. Snowball cuts words at their ends; only of Arabic and
    /// Tamil it takes what stands in front as well.
    fn keeps_first_letters(self) -> bool {
        !matches!(self, Self::Arabic | Self::Tamil)
    }

    /// The stem of a folded word: the same for all its forms.
    pub fn stem(self, word: &str) -> String {
        let is_word = word.chars().count() > 2 && word.chars().all(char::is_alphabetic);
        match self.stemmer().filter(|_| is_word) {
            // A stem is folded like any word: some stemmers give accents back.
            Some(stemmer) => Some(fold(&stemmer.stem(word))).filter(|stem| !stem.is_empty()).unwrap_or(word.to_owned()),
            None => word.to_owned(),
        }
    }
}

impl FromStr for Language {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|language| language.name() == name.trim().to_lowercase()).ok_or(())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word where it stands in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// The word, folded.
    pub folded: String,
    /// Whether it is one character of a script without word spaces.
    pub is_character: bool,
    /// Whether it is, the word before it is too, and there is a gap between them.
    pub is_apart: bool,
    /// Its first byte in the text.
    pub start: usize,
    /// The byte after its last one.
    pub end: usize,
}

/// A text cut into its words, so that many things can be looked for in it. Stems take most of the time, so each is made when
/// it is asked for first.
#[derive(Clone, Debug)]
pub struct Cut {
    language: Language,
    words: Vec<Word>,
    stems: Vec<OnceCell<String>>,
}

impl Cut {
    /// Cuts a text.
    pub fn of(language: Language, text: &str) -> Self {
        let words = words(text);
        let stems = vec![OnceCell::new(); words.len()];
        Self { language, words, stems }
    }

    /// The words, in order.
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// Whether the word at a place has this stem, or is it.
    pub fn has_stem(&self, at: usize, stem: &str) -> bool {
        let (Some(word), Some(known)) = (self.words.get(at), self.stems.get(at)) else { return false };
        let may_have = !self.language.keeps_first_letters() || word.folded.chars().next() == stem.chars().next();
        word.folded == stem || (may_have && known.get_or_init(|| self.language.stem(&word.folded)) == stem)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    /// One character of a script without word spaces.
    Character,
    /// A symbol, such as an emoji: a word of its own.
    Symbol,
    /// A combining mark: belongs to whatever is before it.
    Mark,
    Gap,
}

const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::<GeneralCategory>::new();
const SCRIPT: CodePointMapDataBorrowed<'static, Script> = CodePointMapData::<Script>::new();

fn class(c: char) -> Class {
    use GeneralCategory as G;
    if c.is_ascii() {
        return match c {
            'a'..='z' | 'A'..='Z' => Class::Letter,
            '0'..='9' => Class::Digit,
            _ => Class::Gap,
        };
    }
    match CATEGORY.get(c) {
        // Joiners between emoji, and what chooses their look.
        G::NonspacingMark if ('\u{FE00}'..='\u{FE0F}').contains(&c) => Class::Gap,
        G::NonspacingMark | G::SpacingMark | G::EnclosingMark => Class::Mark,
        G::DecimalNumber | G::OtherNumber => Class::Digit,
        G::OtherSymbol => Class::Symbol,
        G::UppercaseLetter
        | G::LowercaseLetter
        | G::TitlecaseLetter
        | G::ModifierLetter
        | G::OtherLetter
        | G::LetterNumber => {
            let spaceless = matches!(
                SCRIPT.get(c),
                Script::Han
                    | Script::Hiragana
                    | Script::Katakana
                    | Script::Bopomofo
                    | Script::Hangul
                    | Script::Thai
                    | Script::Lao
                    | Script::Khmer
                    | Script::Myanmar
                    | Script::Tibetan
            );
            // The mark that prolongs a vowel belongs to both kana.
            if spaceless || matches!(c, '\u{30FC}' | '\u{FF70}') { Class::Character } else { Class::Letter }
        }
        _ => Class::Gap,
    }
}

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut open: Option<(Class, usize, usize)> = None;
    let close = |open: &mut Option<(Class, usize, usize)>, words: &mut Vec<Word>| {
        let Some((class, start, end)) = open.take() else { return };
        let folded: String = fold(&text[start..end]).chars().filter(|c| is_kept(*c)).take(LONGEST).collect();
        if !folded.is_empty() {
            let is_character = class == Class::Character;
            let is_apart = is_character && words.last().is_some_and(|last| last.is_character && last.end < start);
            words.push(Word { folded, is_character, is_apart, start, end });
        }
    };
    let mut left_out = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if at < left_out {
            continue;
        }
        // "Ana's" is Ana's word for "Ana".
        if matches!(c, '\'' | '\u{2019}') && matches!(open, Some((Class::Letter, ..))) {
            let mut after = text[end..].chars();
            let is_s = after.next().is_some_and(|s| matches!(s, 's' | 'S'));
            if is_s
                && after.next().is_none_or(|next| !matches!(class(next), Class::Letter | Class::Digit | Class::Mark))
            {
                left_out = end + 1;
            }
        }
        match (class(c), &mut open) {
            (Class::Gap, _) => close(&mut open, &mut words),
            (Class::Mark, Some(word)) => word.2 = end,
            (Class::Mark, None) => {}
            (Class::Letter, Some((Class::Letter, _, last))) | (Class::Digit, Some((Class::Digit, _, last))) => {
                *last = end
            }
            (class, _) => {
                close(&mut open, &mut words);
                open = Some((class, at, end));
            }
        }
    }
    close(&mut open, &mut words);
    // Width and compatibility forms may make several words of one character (㎏, ½): they stay one.
    words
}

/// What a term may be made of: nothing that either engine reads as more than a letter.
fn is_kept(c: char) -> bool {
    !matches!(class(c), Class::Gap) && !c.is_ascii_uppercase()
}

/// Folds case, width and the diacritics of Latin, Greek, Cyrillic, Hebrew and Arabic letters.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed = DecomposingNormalizer::new_nfkd().normalize(text);
    let cased = CaseMapper::new().fold_string(&decomposed);
    let again = DecomposingNormalizer::new_nfkd().normalize(&cased);
    let mut plain = String::with_capacity(again.len());
    for c in again.chars() {
        match c {
            // й is no и.
            '\u{306}' if plain.ends_with('и') => plain.push(c),
            _ if is_diacritic(c) => {}
            'ı' => plain.push('i'),
            'ø' => plain.push('o'),
            'ł' => plain.push('l'),
            'đ' | 'ð' => plain.push('d'),
            'ħ' => plain.push('h'),
            'ŧ' => plain.push('t'),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'þ' => plain.push_str("th"),
            c => plain.push(c),
        }
    }
    ComposingNormalizer::new_nfc().normalize(&plain).into_owned()
}

fn is_diacritic(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
        | '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}' | '\u{5C7}'
        | '\u{640}' | '\u{64B}'..='\u{65F}' | '\u{670}')
}

/// Texts as the search keeps them: the folded words of each in their order, a bar after each text, and then the stems that
/// are no words themselves, each with a [`STEM`] in front. Everything has a space before and after it, so that a word,
/// the beginning of one and a phrase are found by looking for it with a space in front.
pub fn sequence<'a>(language: Language, texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut kept = String::new();
    let mut stems = BTreeSet::new();
    for text in texts {
        let found = words(&normal(text));
        if found.is_empty() {
            continue;
        }
        for word in found {
            if word.is_apart {
                kept.push(' ');
                kept.push_str(APART);
            }
            kept.push(' ');
            kept.push_str(&word.folded);
            let stem = language.stem(&word.folded);
            if stem != word.folded {
                stems.insert(stem);
            }
        }
        kept.push_str(" |");
    }
    for stem in stems {
        kept.push(' ');
        kept.push(STEM);
        kept.push_str(&stem);
    }
    if !kept.is_empty() {
        kept.push(' ');
    }
    kept
}

/// A text in its usual form: composed, and of the usual width. Half-width kana have their marks beside them.
pub fn normal(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { text.into() } else { ComposingNormalizer::new_nfkc().normalize(text) }
}

/// What stands between two characters of a script without word spaces where there is a gap all the same.
pub const APART: &str = "-";

/// What stands before a stem in a sequence, and among its terms.
pub const STEM: char = '~';

/// The terms of a [`sequence`]: its words, its stems with a [`STEM`] in front, and each two neighbours of a script without
/// word spaces.
pub fn terms(sequence: &str) -> BTreeSet<String> {
    let mut terms = BTreeSet::new();
    let mut last: Option<&str> = None;
    for word in sequence.split(' ').filter(|word| !word.is_empty()) {
        if word == "|" || word == APART {
            last = None;
            continue;
        }
        if is_character(word) {
            if let Some(last) = last {
                terms.insert(format!("{last}{word}"));
            }
            last = Some(word);
        } else {
            last = None;
        }
        terms.insert(word.to_owned());
    }
    terms
}

/// Whether a folded word is one character of a script without word spaces.
pub fn is_character(word: &str) -> bool {
    word.chars().next().is_some_and(|c| class(c) == Class::Character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.folded).collect()
    }

    #[test]
    fn words_are_cut_at_gaps_and_between_letters_and_digits() {
        assert_eq!(
            cut("Don't replace ZEN-17 (YRD226ZW2619)!"),
            ["don", "t", "replace", "zen", "17", "yrd", "226", "zw", "2619"]
        );
        assert_eq!(cut("€129.00 for 🐕\u{FE0F}👩\u{200D}🚒"), ["129", "00", "for", "🐕", "👩", "🚒"]);
        assert_eq!(cut("a\u{0}b|c %_"), ["a", "b", "c"]);
        assert_eq!(cut("Ana's boiler’s l'eau 'so' it's"), ["ana", "boiler", "l", "eau", "so", "it"]);
        assert_eq!(cut("全自動 ガス"), ["全", "自", "動", "ガ", "ス"]);
    }

    #[test]
    fn case_width_and_accents_fold_and_letters_of_their_own_stay() {
        for (text, folded) in [
            ("Müller", "muller"),
            ("STRASSE Straße", "strasse strasse"),
            ("İSTANBUL ısı", "istanbul isi"),
            ("Ärzte", "arzte"),
            ("smørrebrød", "smorrebrod"),
            ("ＡＢＣ", "abc"),
            ("Σίσυφος", "σισυφοσ"),
            ("ёлка йод", "елка йод"),
            ("が か", "が か"),
            ("ﾊﾞ", "バ"),
            ("한국", "한국"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn a_sequence_holds_words_in_order_and_stems_apart() {
        let kept = sequence(Language::English, ["Repaired the anodes", "", "water"]);
        assert_eq!(kept, " repaired the anodes | water | ~anod ~repair ");
        assert!(terms(&kept).contains("~repair") && terms(&kept).contains("repaired") && !terms(&kept).contains("|"));
        assert_eq!(sequence(Language::None, ["자동차 보험"]), " 자 동 차 - 보 험 | ");
        assert!(!terms(" 차 - 보 ").contains("차보"));
        assert_eq!(sequence(Language::None, ["ｶﾞｽ ZEN"]), " ガ ス zen | ");
        assert_eq!(
            terms(" 洗 濯 機 | 水 | ").into_iter().collect::<Vec<_>>(),
            ["機", "水", "洗", "洗濯", "濯", "濯機"]
        );
    }

    proptest::proptest! {
        #[test]
        fn stems_begin_as_their_words_do(word in "[a-z]{3,14}|[α-ω]{3,12}|[а-яё]{3,12}|[a-zäöüßçğışéèñåæø]{3,12}") {
            for language in Language::ALL.into_iter().filter(|language| language.keeps_first_letters()) {
                for word in words(&word) {
                    let stem = language.stem(&word.folded);
                    proptest::prop_assert_eq!(word.folded.chars().next(), stem.chars().next(), "{} {}", language, word.folded);
                }
            }
        }
    }

    #[test]
    fn places_are_those_of_the_text_as_it_was_written() {
        let text = "Der Müll-Eimer";
        let places: Vec<&str> = words(text).iter().map(|word| &text[word.start..word.end]).collect();
        assert_eq!(places, ["Der", "Müll", "Eimer"]);
    }
}
