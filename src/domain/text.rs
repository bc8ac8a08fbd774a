//! Words that people type: normalised, bounded, and impossible to build wrong.
//!
//! All text is Unicode NFC, without NUL and control characters (a newline stays where several lines are allowed).
//! Names that must be recognised again (tags, categories, field names, email addresses) are compared by [`fold`].

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::DefaultIgnorableCodePoint;
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};
use serde::{Deserialize, Serialize};

use super::Refusal;

/// The identity of a name: compatibility decomposition, case folding and composition (close to Unicode's
/// `NFKC_Casefold`), without invisible and control characters, with single spaces. "Garden", "GARDEN " and "ｇａｒｄｅｎ" are one.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        let seen = |c: &char| c.is_whitespace() || !c.is_control();
        return spaced(&text.chars().filter(seen).map(|c| c.to_ascii_lowercase()).collect::<String>());
    }
    fold_any(text)
}

fn fold_any(text: &str) -> String {
    let decomposed = DecomposingNormalizer::new_nfkd().normalize(text).into_owned();
    let folded = CaseMapper::new().fold_string(&decomposed).into_owned();
    let seen = |c: &char| c.is_whitespace() || !(c.is_control() || INVISIBLE.contains(*c));
    let visible: String = folded.chars().filter(seen).collect();
    let composed = ComposingNormalizer::new_nfkc().normalize(&visible).into_owned();
    spaced(&composed)
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const INVISIBLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();

/// How long a text may be and what it is called when it is refused.
struct Shape {
    /// As in "The title is too long".
    name: &'static str,
    /// What to do when it is missing.
    missing: &'static str,
    /// Unicode scalar values at most; for texts of many lines, bytes at most.
    most: usize,
    lines: bool,
}

impl Shape {
    fn parse(&self, typed: &str) -> Result<String, Refusal> {
        let name = self.name;
        if let Some(problem) = typed.chars().find_map(|c| self.trouble(c)) {
            return Err(Refusal(format!("The {name} contains {problem}, which cannot be kept. Remove it.")));
        }
        let unix = if self.lines { typed.replace("\r\n", "\n").replace('\r', "\n") } else { typed.to_owned() };
        let spaced = unix.replace('\t', " ");
        let text = ComposingNormalizer::new_nfc().normalize(&spaced).into_owned();
        let text = text.trim_matches(|c: char| c.is_whitespace() || INVISIBLE.contains(c)).to_owned();
        if text.is_empty() {
            return Err(Refusal::new(self.missing));
        }
        let length = if self.lines { text.len() } else { text.chars().count() };
        if length > self.most {
            return Err(Refusal(if self.lines {
                format!("The {name} is too long: at most {} KB. Shorten it.", self.most / 1024)
            } else {
                format!("The {name} is too long: {length} characters, at most {}. Shorten it.", self.most)
            }));
        }
        Ok(text)
    }

    fn trouble(&self, c: char) -> Option<&'static str> {
        match c {
            '\t' => None,
            '\n' | '\r' if self.lines => None,
            '\n' | '\r' | '\u{2028}' | '\u{2029}' if !self.lines => Some("a line break"),
            '\0' => Some("a NUL character"),
            '\u{FFFD}' => Some("a broken character (�)"),
            '\u{FFFE}' | '\u{FFFF}' => Some("a character that is no text"),
            c if c.is_control() => Some("a control character"),
            _ => None,
        }
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $type:ident, $name:literal, $missing:literal, $most:expr, lines: $lines:literal) => {
        kept!($(#[$doc])* $type);

        impl $type {
            /// Reads what was typed.
            ///
            /// # Errors
            /// A sentence that says what is wrong: nothing there, too long, or a character that cannot be kept.
            pub fn parse(typed: &str) -> Result<Self, Refusal> {
                Shape { name: $name, missing: $missing, most: $most, lines: $lines }.parse(typed).map(Self)
            }
        }
    };
}

macro_rules! kept {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        ///
        /// What is stored is read back as it is: old events stay readable when a limit changes.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Its identity, for names that must be recognised again.
            pub fn folded(&self) -> String {
                fold(&self.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(
    /// What a record is called: one line, at most 200 characters.
    Title, "title", "Enter a title", 200, lines: false
);
text!(
    /// The kind of thing a record is about: one label, at most 60 characters.
    Category, "category", "Enter a category", 60, lines: false
);
text!(
    /// A label on a record, at most 60 characters.
    Tag, "tag", "Enter a tag", 60, lines: false
);
text!(
    /// The name of a custom field, at most 80 characters.
    FieldName, "name of the fact", "Enter a name for this fact", 80, lines: false
);
text!(
    /// A record's description: at most 64 KiB.
    Description, "description", "Enter a description", 64 * 1024, lines: true
);
text!(
    /// A note's text in Markdown: at most 64 KiB.
    NoteText, "text", "Write what happened", 64 * 1024, lines: true
);
text!(
    /// Why something was deleted or undone: at most 500 characters.
    Reason, "reason", "Enter a reason", 500, lines: false
);
text!(
    /// A member's name, at most 80 characters.
    MemberName, "name", "Enter a name", 80, lines: false
);
text!(
    /// What a member calls a filter, at most 60 characters.
    ViewName, "name", "Enter a name for the view", 60, lines: false
);
text!(
    /// A household's name, at most 80 characters.
    HouseholdName, "household’s name", "Enter a name for the household", 80, lines: false
);
text!(
    /// The unit of a reading, such as km or kWh: at most 20 characters.
    Unit, "unit", "Enter the unit, such as km or kWh", 20, lines: false
);
text!(
    /// The text of a custom field: one line, at most 2,000 characters.
    FieldText, "value", "Enter a value", 2000, lines: false
);

kept!(
    /// What a file is called: one path component, at most 255 bytes of UTF-8 (what file systems allow), nothing invisible.
    FileName
);

/// What a file is called whose name says nothing.
const NAMELESS: &str = "file";

/// Bytes at most in the name of a file.
const LONGEST_FILE_NAME: usize = 255;

impl FileName {
    /// The name that a browser sent, made fit to keep. It never fails: what is wrong with it is no fault of the person
    /// who chose the file. A path loses its folders, a name that is too long its middle, never its extension.
    pub fn of(text: &str) -> Self {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let seen: String = last.chars().filter(|c| !INVISIBLE.contains(*c)).map(plain).collect();
        let composed = ComposingNormalizer::new_nfc().normalize(&seen).into_owned();
        let name = composed.trim();
        Self(if is_only_dots(name) { NAMELESS.to_owned() } else { cut(name) })
    }

    /// Reads a new name that a person typed.
    ///
    /// # Errors
    /// A sentence that says what is wrong: nothing there, a slash, only dots, too long, or a character that cannot be kept.
    pub fn parse(typed: &str) -> Result<Self, Refusal> {
        let (name, missing) = ("file name", "Enter a name for the file");
        let text = Shape { name, missing, most: LONGEST_FILE_NAME, lines: false }.parse(typed)?;
        if text.contains(['/', '\\']) {
            return Err(Refusal::new("A file name cannot contain / or \\. Use a hyphen instead."));
        }
        if is_only_dots(&text) {
            return Err(Refusal::new("A file name needs more than dots. Enter a name for the file."));
        }
        let bytes = text.len();
        if bytes > LONGEST_FILE_NAME {
            return Err(Refusal(format!(
                "The file name is too long: {bytes} bytes, at most {LONGEST_FILE_NAME} (most characters beyond a to z \
                 take two or more). Shorten it."
            )));
        }
        Ok(Self::of(&text))
    }

    /// The name with the extension of another one, if it has none of its own: what it opens with stays known.
    pub fn with_extension_of(self, other: &Self) -> Self {
        match (self.extension(), other.extension()) {
            (None, Some(extension)) => Self::of(&format!("{self}.{extension}")),
            _ => self,
        }
    }

    /// What stands after the last dot, in lower case: see [`extension_of`].
    pub fn extension(&self) -> Option<String> {
        extension_of(&self.0)
    }
}

/// The extension of a file name in lower case: up to 16 letters and digits after the last dot, with a letter among them
/// and something before the dot. "Offer No. 5", ".profile" and "report.2024" have none.
pub fn extension_of(name: &str) -> Option<String> {
    split_extension(name).map(|(_, extension)| extension.to_lowercase())
}

fn split_extension(name: &str) -> Option<(&str, &str)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let fits = extension.chars().count() <= 16
        && extension.chars().all(char::is_alphanumeric)
        && extension.chars().any(char::is_alphabetic);
    (fits && !stem.is_empty()).then_some((stem, extension))
}

/// A character as it may stand in a file name: one in place of one, so that nothing grows together.
fn plain(c: char) -> char {
    match c {
        '\u{2028}' | '\u{2029}' => ' ',
        '\u{FFFD}' | '\u{FFFE}' | '\u{FFFF}' => '_',
        c if c.is_control() => ' ',
        c => c,
    }
}

fn is_only_dots(name: &str) -> bool {
    name.chars().all(|c| c == '.' || c.is_whitespace())
}

fn cut(name: &str) -> String {
    if name.len() <= LONGEST_FILE_NAME {
        return name.to_owned();
    }
    match split_extension(name) {
        Some((stem, extension)) => format!("{}.{extension}", begin(stem, LONGEST_FILE_NAME - 1 - extension.len())),
        None => begin(name, LONGEST_FILE_NAME).to_owned(),
    }
}

fn begin(text: &str, bytes: usize) -> &str {
    text[..text.floor_char_boundary(bytes)].trim_end()
}

impl NoteText {
    /// A note's first line without Markdown's marks: its heading in histories and lists.
    pub fn heading(text: &str) -> String {
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let line = line.trim().trim_start_matches(['#', '>', '-', '*', '+', ' ']).trim();
        let plain = match line.contains(['*', '`']) {
            true => Cow::Owned(line.replace(['*', '`'], "")),
            false => Cow::Borrowed(line),
        };
        let plain = plain.trim();
        if plain.len() <= 140 || plain.chars().count() <= 140 {
            return plain.to_owned();
        }
        let cut: String = plain.chars().take(139).collect();
        format!("{}…", cut.trim_end())
    }
}

/// The most tags that a record has.
const MOST_TAGS: usize = 50;

/// Splits what was typed into a list of tags: commas, semicolons and line breaks between them, `#` in front allowed,
/// repeats dropped. However long the text is, it is looked at once.
///
/// # Errors
/// The first tag's own refusal, or a sentence when there are more than 50.
pub fn parse_tags(typed: &str) -> Result<Vec<Tag>, Refusal> {
    let mut tags: Vec<Tag> = Vec::new();
    let mut known = HashSet::new();
    for part in typed.split([',', ';', '\n']) {
        let part = part.trim().trim_start_matches('#');
        if part.trim().is_empty() {
            continue;
        }
        let tag = Tag::parse(part)?;
        if known.insert(tag.folded()) {
            tags.push(tag);
        }
        if tags.len() > MOST_TAGS {
            return Err(Refusal(format!("A record has at most {MOST_TAGS} tags; these are more. Remove some.")));
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_for_ascii_folds_as_the_long_way_does() {
        let every: Vec<char> = (0..128_u8).map(char::from).collect();
        for first in &every {
            for second in &every {
                let text = format!("{first}a{second} B{first}{second}");
                assert_eq!(fold(&text), fold_any(&text), "{text:?}");
            }
        }
    }

    #[test]
    fn titles_are_trimmed_and_composed() {
        assert_eq!(Title::parse("  Cafe\u{301} \u{200B}").unwrap().as_str(), "Café");
        assert_eq!(Title::parse("a\tb").unwrap().as_str(), "a b");
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_a_sentence() {
        for typed in ["", "  ", "\u{200B}\u{202E}", "a\0b", "a\u{7}b", "a\nb", "a\u{FFFD}"] {
            let refusal = Title::parse(typed).unwrap_err();
            assert!(refusal.0.len() > 8, "{typed:?}: {refusal}");
        }
        assert!(Title::parse(&"x".repeat(201)).unwrap_err().0.contains("201 characters, at most 200"));
        assert!(NoteText::parse(&"x".repeat(64 * 1024)).is_ok());
        assert!(NoteText::parse(&"x".repeat(64 * 1024 + 1)).is_err());
    }

    #[test]
    fn names_fold_to_one_identity() {
        for (a, b) in
            [("Garden", " GARDEN"), ("Straße", "STRASSE"), ("ｇａｒｄｅｎ", "garden"), ("Cafe\u{301}", "CAFÉ")]
        {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        assert_eq!(fold("a\u{200D}b\u{AD}"), "ab");
        assert_eq!(fold("a\0b\tc"), "ab c");
        assert_ne!(fold("car"), fold("cars"));
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in ["İstanbul", "ΐ", "ﬃ", "ẞ", "Å", "ꭰ", "Ω", "e\u{301}\u{323}"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }

    #[test]
    fn tags_are_split_and_unique() {
        let tags = parse_tags("#Garden, garden; tools\n ,").unwrap();
        assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["Garden", "tools"]);
        let many = (0..100_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert!(parse_tags(&many).unwrap_err().0.contains("at most 50 tags"));
    }

    #[test]
    fn a_browsers_file_name_is_made_fit() {
        for (sent, kept) in [
            ("scan.pdf", "scan.pdf"),
            (r"C:\fakepath\Scan 1.PDF", "Scan 1.PDF"),
            ("../../etc/passwd", "passwd"),
            (r"a/b\c.txt", "c.txt"),
            ("Mu\u{308}ll.pdf", "Müll.pdf"),
            ("u\u{34F}\u{308}.pdf", "ü.pdf"),
            ("invoice\u{202E}fdp.exe", "invoicefdp.exe"),
            ("a\u{200B}\u{FEFF}\u{AD}b", "ab"),
            ("a\tb\nc\0d\u{2028}e", "a b c d e"),
            ("\u{FFFD}.pdf", "_.pdf"),
            ("  a b .pdf \n", "a b .pdf"),
            (".profile", ".profile"),
            ("", "file"),
            (".", "file"),
            ("..", "file"),
            (". ..", "file"),
            ("folder/", "file"),
            ("\u{200B}..\u{200B}", "file"),
            ("\n", "file"),
        ] {
            assert_eq!(FileName::of(sent).as_str(), kept, "{sent:?}");
        }
    }

    #[test]
    fn a_long_file_name_keeps_its_extension() {
        assert_eq!(FileName::of(&"x".repeat(255)).as_str(), "x".repeat(255));
        assert_eq!(FileName::of(&"x".repeat(256)).as_str(), "x".repeat(255));
        assert_eq!(FileName::of(&format!("{}.JPEG", "ü".repeat(255))).as_str(), format!("{}.JPEG", "ü".repeat(125)));
        assert_eq!(FileName::of(&format!("{} {}.pdf", "x".repeat(250), "y")).as_str().len(), 254);
        assert_eq!(FileName::of(&format!("a.{}", "x".repeat(300))).as_str().len(), 255);
        let wide = FileName::of(&format!("{}.{}", "😀".repeat(100), "\u{10400}".repeat(16)));
        assert!(wide.as_str().len() <= 255 && wide.extension().is_some(), "{wide}");
    }

    #[test]
    fn a_typed_file_name_is_refused_with_a_sentence() {
        for (typed, said) in [
            ("", "Enter a name"),
            (" \u{200B}", "Enter a name"),
            ("..", "more than dots"),
            ("a/b.pdf", "cannot contain /"),
            (r"a\b.pdf", "cannot contain /"),
            ("a\nb", "line break"),
            (&"x".repeat(256), "256 characters, at most 255"),
            (&"ü".repeat(128), "256 bytes, at most 255"),
        ] {
            assert!(FileName::parse(typed).unwrap_err().0.contains(said), "{typed:?}");
        }
        assert_eq!(FileName::parse(" Cafe\u{301}\u{202E}.pdf ").unwrap().as_str(), "Café.pdf");
    }

    #[test]
    fn an_extension_is_a_short_word_after_the_last_dot() {
        for (name, extension) in [
            ("a.PDF", Some("pdf")),
            ("a.tar.gz", Some("gz")),
            ("a.7z", Some("7z")),
            ("a.ДОК", Some("док")),
            ("a", None),
            ("a.", None),
            (".profile", None),
            ("Offer No. 5", None),
            ("report.2024", None),
            ("a.pdf (1)", None),
            ("a.abcdefghijklmnopq", None),
        ] {
            assert_eq!(FileName::of(name).extension().as_deref(), extension, "{name}");
        }
    }

    #[test]
    fn a_file_name_is_read_back_as_it_was_stored() {
        for name in ["Müll.pdf", "file", "a\"b.txt"] {
            let stored = serde_json::to_string(&FileName::of(name)).unwrap();
            assert_eq!(stored, serde_json::to_string(name).unwrap());
            assert_eq!(serde_json::from_str::<FileName>(&stored).unwrap(), FileName::of(name));
        }
    }

    proptest::proptest! {
        #[test]
        fn every_file_name_is_fit(text in r"[\PC\pC./\\ ]{0,300}") {
            let name = FileName::of(&text);
            let kept = name.as_str();
            assert!(!kept.is_empty() && kept.len() <= 255 && kept == kept.trim() && !is_only_dots(kept), "{kept:?}");
            assert!(!kept.contains(|c: char| c.is_control() || c == '/' || c == '\\' || INVISIBLE.contains(c)), "{kept:?}");
            assert!(ComposingNormalizer::new_nfc().is_normalized(kept), "{kept:?}");
            assert_eq!(FileName::of(kept), name);
            assert_eq!(FileName::parse(kept), Ok(name.clone()));
        }
    }

    #[test]
    fn a_heading_is_the_first_line_without_marks() {
        assert_eq!(NoteText::heading("\n## **Oil** change\nmore"), "Oil change");
        assert_eq!(NoteText::heading("- first"), "first");
    }
}
