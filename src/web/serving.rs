//! The rules of HTTP for handing out a file: what it is called (RFC 6266), what of it is wanted (RFC 9110, sections 13
//! and 14) and how a part is announced. Nothing here reads the file.

use std::fmt::Write;

use axum::http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The `Content-Disposition` of a file: shown in the browser or saved, and under which name. Whatever the name is, this
/// is one valid header (RFC 6266): `filename` in ASCII for old browsers, and where that says less, `filename*` too.
pub fn disposition(inline: bool, name: &str) -> HeaderValue {
    let kind = if inline { "inline" } else { "attachment" };
    let ascii = ascii_name(name);
    let mut text = format!("{kind}; filename=\"{ascii}\"");
    if ascii != name {
        let _ = write!(text, "; filename*=UTF-8''{}", utf8_percent_encode(name, ATTRIBUTE));
    }
    header(text, if inline { "inline" } else { "attachment" })
}

/// `attr-char` of RFC 8187, section 3.2.1.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// RFC 6266, appendix D: no quotes, no backslashes, and no `%`, which some browsers decode.
fn ascii_name(name: &str) -> String {
    let kept = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%');
    name.chars().map(|c| if kept(&c) { c } else { '_' }).collect()
}

/// What a request wants of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// Some of it.
    Part {
        /// The first byte, counted from 0.
        from: u64,
        /// The last byte, itself included; never beyond the file's end.
        until: u64,
    },
    /// Nothing: the browser has it already.
    NotModified,
    /// A part that the file does not have.
    Unsatisfiable,
    /// Nothing: it is no longer the file that the request is about.
    FailedPrecondition,
}

impl Wanted {
    /// The status that answers it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Whole => StatusCode::OK,
            Self::Part { .. } => StatusCode::PARTIAL_CONTENT,
            Self::NotModified => StatusCode::NOT_MODIFIED,
            Self::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::FailedPrecondition => StatusCode::PRECONDITION_FAILED,
        }
    }

    /// The same for a `HEAD` request: only `GET` knows parts (RFC 9110, section 14.2).
    pub fn of_head(self) -> Self {
        match self {
            Self::Part { .. } | Self::Unsatisfiable => Self::Whole,
            other => other,
        }
    }

    /// Whether no byte is wanted, whatever there is.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::NotModified | Self::FailedPrecondition)
    }
}

/// What the headers of a `GET` want of a file that has this entity tag (strong, with its quotes) and size in bytes. The
/// order is that of RFC 9110, section 13.2.2. A file here has no date of modification, so headers with dates say nothing
/// (sections 13.1.3 to 13.1.5).
pub fn wanted(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    if headers.contains_key(IF_MATCH) && !names(headers, &IF_MATCH, |tag| tag.is_strongly(etag)) {
        return Wanted::FailedPrecondition;
    }
    if names(headers, &IF_NONE_MATCH, |tag| tag.is_weakly(etag)) {
        return Wanted::NotModified;
    }
    if headers.contains_key(IF_RANGE) && only(headers, &IF_RANGE) != Some(etag) {
        return Wanted::Whole;
    }
    only(headers, &RANGE).and_then(Span::read).map_or(Wanted::Whole, |span| span.of(size))
}

/// Whether a header names the file: with `*`, or in its list of entity tags.
fn names(headers: &HeaderMap, name: &HeaderName, same: impl Fn(Tag) -> bool) -> bool {
    headers.get_all(name).iter().any(|value| value.as_bytes().trim_ascii() == b"*" || tags(value.as_bytes()).any(&same))
}

/// The value of a header that stands there once, as text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok().map(str::trim_ascii) }
}

/// An entity tag: RFC 9110, section 8.8.3.
#[derive(Clone, Copy)]
struct Tag<'a> {
    weak: bool,
    /// With its quotes.
    opaque: &'a [u8],
}

impl Tag<'_> {
    fn is_strongly(self, etag: &str) -> bool {
        !self.weak && self.is_weakly(etag)
    }

    fn is_weakly(self, etag: &str) -> bool {
        self.opaque == etag.as_bytes()
    }
}

/// The entity tags of a list. A comma may stand inside a tag; what is no tag is passed over.
fn tags(list: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (tag, after) = element(rest.trim_ascii_start());
            rest = after;
            if tag.is_some() {
                return tag;
            }
        }
        None
    })
}

/// The first element of a list, if it is a tag, and what follows its comma.
fn element(list: &[u8]) -> (Option<Tag<'_>>, &[u8]) {
    let (weak, text) = list.strip_prefix(b"W/").map_or((false, list), |text| (true, text));
    if let Some(inside) = text.strip_prefix(b"\"")
        && let Some(end) = inside.iter().position(|byte| *byte == b'"')
    {
        let (between, after) = to_comma(&inside[end + 1..]);
        let tag = Tag { weak, opaque: &text[..end + 2] };
        return (between.trim_ascii().is_empty().then_some(tag), after);
    }
    (None, to_comma(list).1)
}

fn to_comma(list: &[u8]) -> (&[u8], &[u8]) {
    list.iter().position(|byte| *byte == b',').map_or((list, &[]), |at| (&list[..at], &list[at + 1..]))
}

/// One range of bytes as it is asked for: RFC 9110, section 14.1.
#[derive(Clone, Copy)]
enum Span {
    /// `a-b` or `a-`
    From(u64, Option<u64>),
    /// `-n`
    Last(u64),
}

impl Span {
    /// Reads `bytes=…` with one range. Several ranges, other units and nonsense are ignored, as section 14.2 allows.
    fn read(value: &str) -> Option<Self> {
        let (unit, set) = value.split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let mut ranges = set.split(',').map(str::trim_ascii).filter(|range| !range.is_empty());
        let (first, last) = ranges.next()?.split_once('-')?;
        if ranges.next().is_some() {
            return None;
        }
        match (first, last) {
            ("", last) => number(last).map(Self::Last),
            (first, "") => Some(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    fn of(self, size: u64) -> Wanted {
        let Some(end) = size.checked_sub(1) else { return Wanted::Unsatisfiable };
        match self {
            Self::Last(0) => Wanted::Unsatisfiable,
            Self::Last(count) => Wanted::Part { from: size.saturating_sub(count), until: end },
            Self::From(first, _) if first > end => Wanted::Unsatisfiable,
            Self::From(first, last) => Wanted::Part { from: first, until: last.unwrap_or(end).min(end) },
        }
    }
}

/// Digits only; a number beyond every file's size stays one.
fn number(digits: &str) -> Option<u64> {
    let fits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The `Content-Range` of a part; `until` is its last byte.
pub fn content_range(from: u64, until: u64, size: u64) -> HeaderValue {
    header(format!("bytes {from}-{until}/{size}"), "bytes */*")
}

/// The `Content-Range` of an answer 416: how large the file really is.
pub fn unsatisfied(size: u64) -> HeaderValue {
    header(format!("bytes */{size}"), "bytes */*")
}

/// Every text that is made here is a valid header; if one were not, the other stands in.
fn header(text: String, otherwise: &'static str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(otherwise))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ETAG: &str = "\"abc,d\"";

    #[test]
    fn a_file_is_named_in_ascii_and_where_needed_in_full() {
        for (name, rest) in [
            ("scan.pdf", r#"filename="scan.pdf""#),
            ("Scan (1), old; new.pdf", r#"filename="Scan (1), old; new.pdf""#),
            ("Müll.pdf", r#"filename="M_ll.pdf"; filename*=UTF-8''M%C3%BCll.pdf"#),
            ("€ rates.pdf", r#"filename="_ rates.pdf"; filename*=UTF-8''%E2%82%AC%20rates.pdf"#),
            ("100%.txt", r#"filename="100_.txt"; filename*=UTF-8''100%25.txt"#),
            (r#"a"b\c.txt"#, r#"filename="a_b_c.txt"; filename*=UTF-8''a%22b%5Cc.txt"#),
            ("a\r\nSet-Cookie: x=1", r#"filename="a__Set-Cookie: x=1"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x%3D1"#),
            ("\0\u{7F}\t", r#"filename="___"; filename*=UTF-8''%00%7F%09"#),
            ("😀'*().pdf", r#"filename="_'*().pdf"; filename*=UTF-8''%F0%9F%98%80%27%2A%28%29.pdf"#),
            ("ä!#$&+-.^_`|~", r#"filename="_!#$&+-.^_`|~"; filename*=UTF-8''%C3%A4!#$&+-.^_`|~"#),
            ("", r#"filename="""#),
        ] {
            assert_eq!(disposition(false, name).to_str().unwrap(), format!("attachment; {rest}"), "{name:?}");
            assert_eq!(disposition(true, name).to_str().unwrap(), format!("inline; {rest}"), "{name:?}");
        }
    }

    #[test]
    fn every_name_makes_one_readable_header() {
        let every: String = (0..0x3000_u32).filter_map(char::from_u32).collect();
        for name in [every, "ü".repeat(127), "😀".repeat(63), "\"".repeat(255), "\r\n".repeat(1000)] {
            let value = disposition(false, &name);
            let text = value.to_str().unwrap();
            assert!(text.starts_with("attachment; filename=\"") && text.contains("filename*=UTF-8''"), "{text}");
            assert_eq!(text.matches('"').count(), 2, "{text}");
        }
    }

    fn wants(headers: &[(&str, &str)], size: u64) -> Wanted {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        wanted(&map, ETAG, size)
    }

    fn part(from: u64, until: u64) -> Wanted {
        Wanted::Part { from, until }
    }

    #[test]
    fn ranges_are_read() {
        let (whole, none) = (Wanted::Whole, Wanted::Unsatisfiable);
        for (range, of_ten, of_nothing) in [
            ("bytes=0-0", part(0, 0), none),
            ("bytes=2-5", part(2, 5), none),
            ("bytes=0-9", part(0, 9), none),
            ("bytes=0-", part(0, 9), none),
            ("bytes=9-", part(9, 9), none),
            ("bytes=5-10", part(5, 9), none),
            ("bytes=5-99999999999999999999999999", part(5, 9), none),
            ("bytes=10-", none, none),
            ("bytes=10-20", none, none),
            ("bytes=99999999999999999999999999-", none, none),
            ("bytes=18446744073709551615-18446744073709551615", none, none),
            ("bytes=-1", part(9, 9), none),
            ("bytes=-10", part(0, 9), none),
            ("bytes=-11", part(0, 9), none),
            ("bytes=-99999999999999999999999999", part(0, 9), none),
            ("bytes=-0", none, none),
            ("bytes=-000", none, none),
            ("bytes=002-05", part(2, 5), none),
            ("Bytes=2-5", part(2, 5), none),
            (" bytes= 2-5 ", part(2, 5), none),
            ("bytes=,2-5,", part(2, 5), none),
            ("bytes=0-1,3-4", whole, whole),
            ("bytes=0-1, -1", whole, whole),
            ("bytes=5-2", whole, whole),
            ("bytes=-", whole, whole),
            ("bytes=", whole, whole),
            ("bytes=,", whole, whole),
            ("bytes=5", whole, whole),
            ("bytes=+1-5", whole, whole),
            ("bytes=1-+5", whole, whole),
            ("bytes=1--5", whole, whole),
            ("bytes=--5", whole, whole),
            ("bytes=1 - 5", whole, whole),
            ("bytes=0x1-5", whole, whole),
            ("bytes=a-b", whole, whole),
            ("bytes=１-５", whole, whole),
            ("bytes 1-5", whole, whole),
            ("bytes =1-5", whole, whole),
            ("items=1-5", whole, whole),
            ("1-5", whole, whole),
            ("", whole, whole),
        ] {
            assert_eq!(wants(&[("range", range)], 10), of_ten, "{range:?}");
            assert_eq!(wants(&[("range", range)], 0), of_nothing, "{range:?} of nothing");
        }
        assert_eq!(wants(&[], 10), Wanted::Whole);
        assert_eq!(wants(&[], 0), Wanted::Whole);
        assert_eq!(wants(&[("range", "bytes=0-1"), ("range", "bytes=2-3")], 10), Wanted::Whole);
        assert_eq!(wants(&[("range", "bytes=0-")], u64::MAX), part(0, u64::MAX - 1));
    }

    #[test]
    fn entity_tags_are_compared() {
        // The last two: whether the tag matches strongly and weakly.
        for (list, strongly, weakly) in [
            (ETAG, true, true),
            ("*", true, true),
            (" * ", true, true),
            ("W/\"abc,d\"", false, true),
            ("\"x\", \"abc,d\"", true, true),
            ("\"x\",,W/\"y\" , \"abc,d\" ,\"z\"", true, true),
            ("\"x\", W/\"abc,d\"", false, true),
            ("nonsense, \"abc,d\"", true, true),
            ("\"x", false, false),
            ("\"x\", *", false, false),
            ("\"\"", false, false),
            ("", false, false),
            (",", false, false),
            ("abc,d", false, false),
            ("\"abc", false, false),
            ("\"abc,d\"x", false, false),
            ("\"abc,d\" \"x\"", false, false),
            ("w/\"abc,d\"", false, false),
            ("\"ABC,d\"", false, false),
            ("\"x\"abc,d\"", false, false),
            ("\"ü\", \"abc,d\"", true, true),
            ("Sat, 29 Oct 1994 19:43:31 GMT", false, false),
        ] {
            let matched = if strongly { Wanted::Whole } else { Wanted::FailedPrecondition };
            assert_eq!(wants(&[("if-match", list)], 10), matched, "If-Match: {list}");
            let unmatched = if weakly { Wanted::NotModified } else { Wanted::Whole };
            assert_eq!(wants(&[("if-none-match", list)], 10), unmatched, "If-None-Match: {list}");
        }
        assert_eq!(wants(&[("if-match", "\"x\""), ("if-match", ETAG)], 10), Wanted::Whole);
        assert_eq!(wants(&[("if-none-match", "\"x\""), ("if-none-match", ETAG)], 10), Wanted::NotModified);
    }

    #[test]
    fn a_range_is_served_only_of_the_same_file() {
        let range = ("range", "bytes=2-5");
        for (condition, outcome) in [
            (ETAG, part(2, 5)),
            ("W/\"abc,d\"", Wanted::Whole),
            ("\"x\"", Wanted::Whole),
            ("*", Wanted::Whole),
            ("\"x\", \"abc,d\"", Wanted::Whole),
            ("Sat, 29 Oct 1994 19:43:31 GMT", Wanted::Whole),
            ("", Wanted::Whole),
            ("ü", Wanted::Whole),
        ] {
            assert_eq!(wants(&[range, ("if-range", condition)], 10), outcome, "If-Range: {condition}");
        }
        assert_eq!(wants(&[("if-range", ETAG)], 10), Wanted::Whole);
        assert_eq!(wants(&[range, ("if-range", ETAG), ("if-range", ETAG)], 10), Wanted::Whole);
        assert_eq!(wants(&[("range", "bytes=10-"), ("if-range", ETAG)], 10), Wanted::Unsatisfiable);
        assert_eq!(wants(&[("range", "bytes=10-"), ("if-range", "\"x\"")], 10), Wanted::Whole);
    }

    #[test]
    fn conditions_go_before_ranges_and_in_their_order() {
        let (range, beyond) = (("range", "bytes=2-5"), ("range", "bytes=10-"));
        let (same, other) = (ETAG, "\"x\"");
        for (headers, outcome) in [
            (vec![("if-match", other), ("if-none-match", same), range], Wanted::FailedPrecondition),
            (vec![("if-match", same), ("if-none-match", same), range], Wanted::NotModified),
            (vec![("if-match", same), ("if-none-match", other), range], part(2, 5)),
            (vec![("if-match", same), ("if-none-match", other), ("if-range", other), range], Wanted::Whole),
            (vec![("if-match", other), beyond], Wanted::FailedPrecondition),
            (vec![("if-none-match", same), beyond], Wanted::NotModified),
            (vec![("if-none-match", other), beyond], Wanted::Unsatisfiable),
            (vec![("if-modified-since", "Sat, 29 Oct 2094 19:43:31 GMT")], Wanted::Whole),
            (vec![("if-unmodified-since", "Sat, 29 Oct 1994 19:43:31 GMT"), range], part(2, 5)),
        ] {
            assert_eq!(wants(&headers, 10), outcome, "{headers:?}");
        }
    }

    #[test]
    fn only_get_knows_parts() {
        for (wanted, status, of_head) in [
            (Wanted::Whole, 200, 200),
            (part(2, 5), 206, 200),
            (Wanted::NotModified, 304, 304),
            (Wanted::Unsatisfiable, 416, 200),
            (Wanted::FailedPrecondition, 412, 412),
        ] {
            assert_eq!(wanted.status().as_u16(), status);
            assert_eq!(wanted.of_head().status().as_u16(), of_head);
        }
    }

    #[test]
    fn parts_are_announced() {
        assert_eq!(content_range(0, 499, 1234), "bytes 0-499/1234");
        assert_eq!(content_range(0, u64::MAX - 1, u64::MAX), format!("bytes 0-{}/{}", u64::MAX - 1, u64::MAX));
        assert_eq!(unsatisfied(0), "bytes */0");
        assert_eq!(unsatisfied(1234), "bytes */1234");
    }
}
