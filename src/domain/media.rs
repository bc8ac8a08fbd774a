//! What a file is: decided here from its first bytes, never taken from the browser's word, and by the name only where
//! bytes cannot tell (a table is text like any other). What could carry a script (HTML, SVG) is called that, whatever
//! its name says.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::domain::text::extension_of;

/// As many bytes of a file are looked at.
pub const HEAD: usize = 8 * 1024;

const UNKNOWN: &str = "application/octet-stream";
const SVG: &str = "image/svg+xml";
const HTML: &str = "text/html";
const XML: &str = "application/xml";
const PDF: &str = "application/pdf";
const ZIP: &str = "application/zip";
const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const PPTX: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
const ODT: &str = "application/vnd.oasis.opendocument.text";
const ODS: &str = "application/vnd.oasis.opendocument.spreadsheet";
const ODP: &str = "application/vnd.oasis.opendocument.presentation";
const ODG: &str = "application/vnd.oasis.opendocument.graphics";
const DOC: &str = "application/msword";
const XLS: &str = "application/vnd.ms-excel";
const PPT: &str = "application/vnd.ms-powerpoint";
const EPUB: &str = "application/epub+zip";

/// The media type of a file from its beginning ([`HEAD`] bytes, or all of it when it is shorter) and its name.
pub fn sniff(head: &[u8], name: &str) -> String {
    let head = &head[..head.len().min(HEAD)];
    let extension = extension_of(name).unwrap_or_default();
    let found = binary(head, &extension).or_else(|| written(head, &extension));
    found.unwrap_or(UNKNOWN).to_owned()
}

/// Whether a browser may show it in its window: only what cannot carry a script.
pub fn is_shown_inline(media_type: &str) -> bool {
    is_photo(media_type) || media_type == PDF
}

/// Whether it is a picture that every browser shows.
pub fn is_photo(media_type: &str) -> bool {
    matches!(media_type, "image/jpeg" | "image/png" | "image/gif" | "image/webp")
}

/// What a person calls such a file; where nobody knows, its extension does.
pub fn words(media_type: &str, name: &str) -> String {
    if let Some((_, words)) = WORDS.iter().find(|(known, _)| *known == media_type) {
        return (*words).to_owned();
    }
    extension_of(name).map_or_else(|| "File".to_owned(), |extension| format!("{} file", extension.to_uppercase()))
}

const WORDS: &[(&str, &str)] = &[
    ("image/jpeg", "JPEG photo"),
    ("image/png", "PNG image"),
    ("image/gif", "GIF image"),
    ("image/webp", "WebP image"),
    ("image/avif", "AVIF image"),
    ("image/heic", "HEIC photo"),
    ("image/heif", "HEIF photo"),
    ("image/tiff", "TIFF image"),
    ("image/bmp", "BMP image"),
    ("image/jxl", "JPEG XL image"),
    ("image/vnd.microsoft.icon", "Icon"),
    ("image/vnd.adobe.photoshop", "Photoshop image"),
    (SVG, "SVG drawing"),
    (PDF, "PDF"),
    (DOCX, "Word document"),
    (DOC, "Word document"),
    (XLSX, "Spreadsheet"),
    (XLS, "Spreadsheet"),
    (PPTX, "Presentation"),
    (PPT, "Presentation"),
    (ODT, "Text document"),
    (ODS, "Spreadsheet"),
    (ODP, "Presentation"),
    (ODG, "Drawing"),
    ("application/vnd.apple.pages", "Pages document"),
    ("application/vnd.apple.numbers", "Spreadsheet"),
    ("application/vnd.apple.keynote", "Presentation"),
    ("application/vnd.ms-outlook", "Outlook message"),
    ("application/rtf", "RTF document"),
    (EPUB, "E-book"),
    ("video/mp4", "Video (MP4)"),
    ("video/quicktime", "Video (MOV)"),
    ("video/webm", "Video (WebM)"),
    ("video/x-matroska", "Video (MKV)"),
    ("video/x-msvideo", "Video (AVI)"),
    ("video/3gpp", "Video (3GP)"),
    ("audio/mpeg", "Audio (MP3)"),
    ("audio/wav", "Audio (WAV)"),
    ("audio/ogg", "Audio (OGG)"),
    ("audio/flac", "Audio (FLAC)"),
    ("audio/mp4", "Audio (M4A)"),
    ("audio/aac", "Audio (AAC)"),
    ("audio/aiff", "Audio (AIFF)"),
    ("audio/amr", "Audio (AMR)"),
    (ZIP, "ZIP archive"),
    ("application/x-7z-compressed", "7z archive"),
    ("application/gzip", "GZIP archive"),
    ("application/vnd.rar", "RAR archive"),
    ("application/x-tar", "TAR archive"),
    ("application/x-xz", "XZ archive"),
    ("application/x-bzip2", "BZ2 archive"),
    ("application/zstd", "ZST archive"),
    ("application/vnd.sqlite3", "SQLite database"),
    (HTML, "Web page"),
    (XML, "XML"),
    ("application/json", "JSON"),
    ("text/csv", "Table (CSV)"),
    ("text/tab-separated-values", "Table (TSV)"),
    ("text/markdown", "Text (Markdown)"),
    ("text/plain", "Text"),
    ("text/calendar", "Calendar"),
    ("text/vcard", "Contacts"),
    ("message/rfc822", "Email"),
];

/// A size in decimal units, as shops and file managers count: one decimal at most, and only below 10. The space between
/// number and unit does not break.
pub fn size_words(bytes: u64) -> String {
    match bytes {
        1 => return "1\u{A0}byte".to_owned(),
        0..1000 => return format!("{bytes}\u{A0}bytes"),
        _ => {}
    }
    let mut scale: u128 = 1000;
    let units = ["KB", "MB", "GB", "TB", "PB"];
    for unit in units {
        if let Some(number) = in_unit(bytes, scale) {
            return format!("{number}\u{A0}{unit}");
        }
        scale *= 1000;
    }
    format!("{}\u{A0}EB", in_unit(bytes, scale).unwrap_or_default())
}

/// The number in front of the unit, rounded; nothing where it would be 1000, which is the next unit's 1.
fn in_unit(bytes: u64, scale: u128) -> Option<String> {
    let tenths = (u128::from(bytes) * 10 + scale / 2) / scale;
    let whole = (u128::from(bytes) + scale / 2) / scale;
    match (tenths / 10, tenths % 10) {
        (number, tenth) if number < 10 && tenth > 0 => Some(format!("{number}.{tenth}")),
        (number, _) if number < 10 => Some(number.to_string()),
        _ => (whole < 1000).then(|| whole.to_string()),
    }
}

fn binary(head: &[u8], extension: &str) -> Option<&'static str> {
    signed(head)
        .or_else(|| chunked(head))
        .or_else(|| film(head, extension))
        .or_else(|| matroska(head))
        .or_else(|| zip(head, extension))
        .or_else(|| old_office(head, extension))
        .or_else(|| bitmap(head))
        .or_else(|| sound(head))
}

fn signed(head: &[u8]) -> Option<&'static str> {
    let found = SIGNATURES.iter().find(|(at, signature, _)| has(head, *at, signature));
    found.map(|(_, _, media_type)| *media_type)
}

/// Where, which bytes, what. Only signatures that no text begins with by chance.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (0, b"\xFF\xD8\xFF", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1A\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (0, b"\0\0\0\x0CJXL \r\n\x87\n", "image/jxl"),
    (0, b"\0\0\x01\0", "image/vnd.microsoft.icon"),
    (0, b"8BPS\0\x01", "image/vnd.adobe.photoshop"),
    (0, b"%PDF-", PDF),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"OggS\0", "audio/ogg"),
    (0, b"fLaC\0\0\0\x22", "audio/flac"),
    (0, b"fLaC\x80\0\0\x22", "audio/flac"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"7z\xBC\xAF\x27\x1C", "application/x-7z-compressed"),
    (0, b"\x1F\x8B\x08", "application/gzip"),
    (0, b"Rar!\x1A\x07", "application/vnd.rar"),
    (0, b"\xFD7zXZ\0", "application/x-xz"),
    (0, b"BZh91AY&SY", "application/x-bzip2"),
    (0, b"\x28\xB5\x2F\xFD", "application/zstd"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (257, b"ustar\0", "application/x-tar"),
    (257, b"ustar  \0", "application/x-tar"),
];

fn has(head: &[u8], at: usize, bytes: &[u8]) -> bool {
    head.get(at..).is_some_and(|rest| rest.starts_with(bytes))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// RIFF and its elder, IFF: the kind stands after the length.
fn chunked(head: &[u8]) -> Option<&'static str> {
    match (head.get(..4)?, head.get(8..12)?) {
        (b"RIFF", b"WEBP") => Some("image/webp"),
        (b"RIFF", b"WAVE") => Some("audio/wav"),
        (b"RIFF", b"AVI ") => Some("video/x-msvideo"),
        (b"FORM", b"AIFF" | b"AIFC") => Some("audio/aiff"),
        _ => None,
    }
}

/// ISO base media (ISO/IEC 14496-12): MP4 and its many relatives, photos among them, are told apart by their brands.
/// QuickTime's films of old begin without any.
fn film(head: &[u8], extension: &str) -> Option<&'static str> {
    let length: [u8; 4] = head.get(..4)?.try_into().ok()?;
    match head.get(4..8)? {
        b"ftyp" => {}
        b"moov" | b"mdat" | b"wide" if length[0] == 0 => return Some("video/quicktime"),
        _ => return None,
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX).min(head.len());
    let major = head.get(8..12)?;
    let others = head.get(16..length).unwrap_or_default();
    let any = |brands: &[&[u8]]| others.chunks_exact(4).any(|brand| brands.contains(&brand));
    Some(match major {
        b"avif" | b"avis" => "image/avif",
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => "image/heic",
        b"mif1" | b"msf1" | b"miaf" if any(&[b"avif", b"avis"]) => "image/avif",
        b"mif1" | b"msf1" | b"miaf" if any(&[b"heic", b"heix", b"hevc"]) => "image/heic",
        b"mif1" | b"msf1" | b"miaf" => "image/heif",
        b"qt  " => "video/quicktime",
        b"M4A " | b"M4B " | b"M4P " => "audio/mp4",
        [b'3', b'g', ..] => "video/3gpp",
        _ if matches!(extension, "m4a" | "m4b") => "audio/mp4",
        _ => "video/mp4",
    })
}

fn matroska(head: &[u8]) -> Option<&'static str> {
    if !head.starts_with(b"\x1A\x45\xDF\xA3") {
        return None;
    }
    let beginning = &head[..head.len().min(128)];
    Some(if contains(beginning, b"webm") { "video/webm" } else { "video/x-matroska" })
}

/// ZIP: many documents are one. OpenDocument and EPUB say so in their first entry; Microsoft's are known by their
/// folders.
fn zip(head: &[u8], extension: &str) -> Option<&'static str> {
    if !head.starts_with(b"PK\x03\x04") && !head.starts_with(b"PK\x05\x06") {
        return None;
    }
    Some(declared(head).or_else(|| office(head)).or_else(|| by_zip_extension(extension)).unwrap_or(ZIP))
}

/// The content of an uncompressed first entry called `mimetype` (OpenDocument 1.3, part 2, section 3.3).
fn declared(head: &[u8]) -> Option<&'static str> {
    if !has(head, 30, b"mimetype") {
        return None;
    }
    let extra = usize::from(*head.get(28)?) + 256 * usize::from(*head.get(29)?);
    [ODT, ODS, ODP, ODG, EPUB].into_iter().find(|known| has(head, 38 + extra, known.as_bytes()))
}

fn office(head: &[u8]) -> Option<&'static str> {
    let within = |folders: &[&[u8]]| entries(head).any(|name| folders.iter().any(|folder| name.starts_with(folder)));
    if !within(&[b"[Content_Types].xml", b"_rels/", b"docProps/"]) {
        return None;
    }
    let known: [(&[u8], _); 3] = [(b"word/", DOCX), (b"xl/", XLSX), (b"ppt/", PPTX)];
    known.into_iter().find(|(folder, _)| within(&[folder])).map(|(_, media_type)| media_type)
}

/// What follows the fixed part of each local header: the names of the entries, as far as the head reaches.
fn entries(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = head.windows(4).enumerate().filter(|(_, window)| *window == b"PK\x03\x04");
    starts.filter_map(|(at, _)| head.get(at + 30..))
}

fn by_zip_extension(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "docx" => DOCX,
        "xlsx" => XLSX,
        "pptx" => PPTX,
        "odt" => ODT,
        "ods" => ODS,
        "odp" => ODP,
        "odg" => ODG,
        "epub" => EPUB,
        "pages" => "application/vnd.apple.pages",
        "numbers" => "application/vnd.apple.numbers",
        "key" => "application/vnd.apple.keynote",
        _ => return None,
    })
}

/// The compound files of Microsoft's old programs. Their directory often lies beyond the head; then the name decides.
fn old_office(head: &[u8], extension: &str) -> Option<&'static str> {
    if !head.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        return None;
    }
    let streams = [("WordDocument", DOC), ("Workbook", XLS), ("PowerPoint Document", PPT)];
    let inside = streams.into_iter().find(|(name, _)| {
        let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        contains(head, &wide)
    });
    Some(match (inside, extension) {
        (Some((_, media_type)), _) => media_type,
        (_, "doc" | "dot") => DOC,
        (_, "xls" | "xlt") => XLS,
        (_, "ppt" | "pps" | "pot") => PPT,
        (_, "msg") => "application/vnd.ms-outlook",
        _ => "application/x-ole-storage",
    })
}

/// "BM" begins many a text; a bitmap also has zeros and one of the known header lengths at their places.
fn bitmap(head: &[u8]) -> Option<&'static str> {
    let known = |length: &u8| matches!(length, 12 | 40 | 52 | 56 | 64 | 108 | 124);
    let is =
        head.starts_with(b"BM") && has(head, 6, &[0; 4]) && head.get(14).is_some_and(known) && has(head, 15, &[0; 3]);
    is.then_some("image/bmp")
}

/// MP3 with its tag or from its first frame, and AAC: both begin with eleven or twelve bits set.
fn sound(head: &[u8]) -> Option<&'static str> {
    let first: [u8; 4] = head.get(..4)?.try_into().ok()?;
    match first {
        [b'I', b'D', b'3', 2..=4] => Some("audio/mpeg"),
        [0xFF, 0xFA | 0xFB | 0xF2 | 0xF3 | 0xE2 | 0xE3, rates, _] => {
            (!matches!(rates >> 4, 0 | 15) && rates & 0b1100 != 0b1100).then_some("audio/mpeg")
        }
        [0xFF, 0xF0 | 0xF1 | 0xF8 | 0xF9, ..] => Some("audio/aac"),
        _ => None,
    }
}

/// What consists of characters: markup by its first element whatever else is there, then text, if it can be read.
fn written(head: &[u8], extension: &str) -> Option<&'static str> {
    let characters = Characters::of(head);
    let text = characters.text.trim_start();
    markup(text, extension).or_else(|| late_pdf(head, extension)).or_else(|| {
        if text.chars().any(|c| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{C}')) {
            return None;
        }
        let plain = (characters.certain && !head.is_empty()).then_some("text/plain");
        told(text, is_cut(head)).or_else(|| by_text_extension(extension)).or(plain)
    })
}

/// Whether the file is, or may be, longer than its head.
fn is_cut(head: &[u8]) -> bool {
    head.len() >= HEAD
}

/// A head as characters.
struct Characters<'a> {
    text: Cow<'a, str>,
    /// It is UTF-8, or UTF-16 that says so. Everything else is read as Latin-1, for the ASCII in it.
    certain: bool,
}

impl<'a> Characters<'a> {
    fn of(head: &'a [u8]) -> Self {
        match head {
            [0xFF, 0xFE, rest @ ..] => Self::wide(rest, u16::from_le_bytes),
            [0xFE, 0xFF, rest @ ..] => Self::wide(rest, u16::from_be_bytes),
            [0xEF, 0xBB, 0xBF, rest @ ..] => Self::narrow(rest, is_cut(head)),
            _ => Self::narrow(head, is_cut(head)),
        }
    }

    fn narrow(bytes: &'a [u8], is_cut: bool) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text: text.into(), certain: true },
            // Then the last character may be half of one.
            Err(error) if is_cut && error.error_len().is_none() => {
                Self { text: String::from_utf8_lossy(&bytes[..error.valid_up_to()]), certain: true }
            }
            Err(_) => Self { text: bytes.iter().copied().map(char::from).collect::<String>().into(), certain: false },
        }
    }

    fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Self {
        let (pairs, _) = bytes.as_chunks::<2>();
        let mut units: Vec<u16> = pairs.iter().copied().map(unit).collect();
        // The last character may be half of one.
        units.pop_if(|last| matches!(last, 0xD800..0xDC00));
        let certain = char::decode_utf16(units.iter().copied()).all(|c| c.is_ok());
        Self { text: String::from_utf16_lossy(&units).into(), certain }
    }
}

/// HTML, SVG and XML by their root element (close to WHATWG's MIME Sniffing, section 7.1), behind declarations and
/// comments. A comment alone makes it HTML, as it does for browsers.
fn markup(text: &str, extension: &str) -> Option<&'static str> {
    let is_xml = begins(text, "<?xml");
    match root(text).map(|name| local(&name)).as_deref() {
        Some("svg") => return Some(SVG),
        Some("html") => return Some(HTML),
        Some(name) if !is_xml && ELEMENTS.contains(&name) => return Some(HTML),
        Some(_) if is_xml => return Some(XML),
        _ => {}
    }
    if !is_xml && !begins(text, "<!--") && !begins(text, "<!doctype") {
        return None;
    }
    // The root lies beyond the head, or there is none.
    Some(match extension {
        "svg" => SVG,
        "html" | "htm" | "xhtml" => HTML,
        "xml" => XML,
        _ if is_xml => XML,
        _ => HTML,
    })
}

/// The name of the first element, or of the document's type if that is HTML's or SVG's.
fn root(text: &str) -> Option<String> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1;
        } else if let Some(instruction) = rest.strip_prefix("<?") {
            rest = instruction.split_once("?>")?.1;
        } else if begins(rest, "<!doctype") {
            let declared = rest["<!doctype".len()..].trim_start();
            if let Some(name @ ("html" | "svg")) = tag_name(declared).as_deref() {
                return Some(name.to_owned());
            }
            rest = after_declaration(declared)?;
        } else {
            return tag_name(rest.strip_prefix('<')?);
        }
    }
}

/// The name of a tag in lower case, if a tag it is: not the mail address in "<a@example.org>".
fn tag_name(text: &str) -> Option<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, ':' | '-' | '_' | '.'))).unwrap_or(text.len());
    let ends = text[end..].chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '>' | '/' | '['));
    (end > 0 && ends).then(|| text[..end].to_lowercase())
}

fn after_declaration(text: &str) -> Option<&str> {
    let end = text.find(['[', '>'])?;
    let close = if text[end..].starts_with('[') { end + text[end..].find(']')? } else { end };
    text[close..].split_once('>').map(|(_, rest)| rest)
}

/// The name without its namespace's prefix.
fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap_or(name).to_owned()
}

/// With ASCII letters of either case.
fn begins(text: &str, with: &str) -> bool {
    text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

/// Elements of HTML that a page or a piece of one begins with.
const ELEMENTS: &[&str] = &[
    "a",
    "address",
    "article",
    "aside",
    "audio",
    "b",
    "base",
    "blockquote",
    "body",
    "br",
    "button",
    "center",
    "code",
    "details",
    "dialog",
    "div",
    "dl",
    "em",
    "embed",
    "figure",
    "font",
    "footer",
    "form",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "i",
    "iframe",
    "img",
    "input",
    "label",
    "li",
    "link",
    "main",
    "marquee",
    "math",
    "meta",
    "nav",
    "noscript",
    "object",
    "ol",
    "p",
    "picture",
    "pre",
    "script",
    "section",
    "select",
    "small",
    "span",
    "strong",
    "style",
    "summary",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "title",
    "tr",
    "u",
    "ul",
    "video",
];

/// Some programs put a few lines before a PDF; its readers look for the beginning in the first 1024 bytes.
fn late_pdf(head: &[u8], extension: &str) -> Option<&'static str> {
    let late = extension == "pdf" && contains(&head[..head.len().min(1024)], b"%PDF-");
    late.then_some(PDF)
}

/// What a text says about itself.
fn told(text: &str, is_cut: bool) -> Option<&'static str> {
    if begins(text, "BEGIN:VCALENDAR") {
        return Some("text/calendar");
    }
    if begins(text, "BEGIN:VCARD") {
        return Some("text/vcard");
    }
    if is_json(text, is_cut) {
        return Some("application/json");
    }
    is_mail(text).then_some("message/rfc822")
}

fn is_json(text: &str, is_cut: bool) -> bool {
    text.starts_with(['{', '['])
        && serde_json::from_str::<IgnoredAny>(text).map_or_else(|error| is_cut && error.is_eof(), |_| true)
}

/// A mail (RFC 5322) begins with a header: who sent it, and something that only programs write.
fn is_mail(text: &str) -> bool {
    let lines = text.lines().filter(|line| !line.starts_with([' ', '\t']));
    let names: Vec<String> = lines.map_while(field_name).collect();
    let any = |known: &[&str]| names.iter().any(|name| known.contains(&name.as_str()));
    any(&["from"]) && any(&["date", "subject", "to"]) && any(&["message-id", "received", "mime-version", "return-path"])
}

fn field_name(line: &str) -> Option<String> {
    let (name, _) = line.split_once(':')?;
    let fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    fits.then(|| name.to_ascii_lowercase())
}

/// What only the name can tell of a text.
fn by_text_extension(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "txt" | "text" | "log" => "text/plain",
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "md" | "markdown" => "text/markdown",
        "json" => "application/json",
        "ics" => "text/calendar",
        "vcf" => "text/vcard",
        "eml" => "message/rfc822",
        "html" | "htm" | "xhtml" => HTML,
        "svg" => SVG,
        "xml" => XML,
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(cases: &[(&[u8], &str, &str)]) {
        for (head, name, media_type) in cases {
            assert_eq!(sniff(head, name), *media_type, "{name}: {:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn pictures_are_known_by_their_bytes() {
        check(&[
            (b"\xFF\xD8\xFF\xE0\0\x10JFIF", "a.png", "image/jpeg"),
            (b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", "a", "image/png"),
            (b"GIF89a\x01\0\x01\0", "a.html", "image/gif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "", "image/webp"),
            (b"II*\0\x08\0\0\0", "", "image/tiff"),
            (b"MM\0*\0\0\0\x08", "", "image/tiff"),
            (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "", "image/bmp"),
            (b"\0\0\0\x1CftypavifABCDmif1miaf", "", "image/avif"),
            (b"\0\0\0\x1Cftypmif1\0\0\0\0mif1avifmiaf", "", "image/avif"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "", "image/heic"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "", "image/heic"),
            (b"\0\0\0\x14ftypmif1\0\0\0\0mif1heic", "", "image/heif"),
        ]);
    }

    #[test]
    fn sounds_and_films_are_known_by_their_bytes() {
        check(&[
            (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2", "a.mov", "video/mp4"),
            (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2", "a.m4a", "audio/mp4"),
            (b"\0\0\0\x20ftypM4A \0\0\x02\0isomiso2", "a.mp4", "audio/mp4"),
            (b"\0\0\0\x14ftypqt  \0\0\x02\0qt  ", "a.mp4", "video/quicktime"),
            (b"\0\0\0\x08wide\0\0\0\0mdat", "", "video/quicktime"),
            (b"\0\0\0\x14ftyp3gp4\0\0\x02\0isom", "", "video/3gpp"),
            (b"\xFF\xFF\xFF\xFFftypisom", "", "video/mp4"),
            (b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\x82\x84webm", "", "video/webm"),
            (b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\x82\x88matroska", "", "video/x-matroska"),
            (b"ID3\x04\0\0", "", "audio/mpeg"),
            (b"\xFF\xFB\x90\x44", "", "audio/mpeg"),
            (b"\xFF\xFB\xFF\x44", "a.mp3", "application/octet-stream"),
            (b"\xFF\xF1\x50\x80", "", "audio/aac"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "", "audio/wav"),
            (b"OggS\0\x02", "", "audio/ogg"),
            (b"fLaC\0\0\0\x22", "", "audio/flac"),
        ]);
    }

    /// A ZIP's local header with its name and content, uncompressed.
    fn entry(name: &str, content: &str) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend([0; 12]);
        bytes.extend([u8::try_from(name.len()).unwrap(), 0, 0, 0]);
        bytes.extend(name.bytes().chain(content.bytes()));
        bytes
    }

    #[test]
    fn documents_in_a_zip_are_known_by_what_is_in_it_and_then_by_name() {
        for (names, name, media_type) in [
            (&["[Content_Types].xml", "_rels/.rels", "word/document.xml"][..], "a.zip", DOCX),
            (&["_rels/.rels", "docProps/app.xml", "xl/workbook.xml"], "", XLSX),
            (&["ppt/presentation.xml", "[Content_Types].xml"], "a.docx", PPTX),
            (&["[Content_Types].xml"], "a.xlsx", XLSX),
            (&["content.xml"], "a.odt", ODT),
            (&["content.xml"], "a.pages", "application/vnd.apple.pages"),
            (&["word/letter.txt"], "a.zip", ZIP),
            (&["notes.txt"], "a.html", ZIP),
        ] {
            let head: Vec<u8> = names.iter().flat_map(|inside| entry(inside, "…")).collect();
            assert_eq!(sniff(&head, name), media_type, "{names:?} {name}");
        }
        for media_type in [ODT, ODS, ODP, EPUB] {
            assert_eq!(sniff(&entry("mimetype", media_type), "a.zip"), media_type);
        }
        check(&[
            (b"PK\x05\x06\0\0", "", ZIP),
            (b"PK\x03\x04", "", ZIP),
            (b"PKW: a text", "a.zip", "text/plain"),
            (b"7z\xBC\xAF\x27\x1C", "", "application/x-7z-compressed"),
            (b"\x1F\x8B\x08\0", "a.svgz", "application/gzip"),
            (b"Rar!\x1A\x07\x01\0", "", "application/vnd.rar"),
        ]);
    }

    #[test]
    fn old_documents_are_known_by_their_streams_and_then_by_name() {
        let ole = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";
        for (name, media_type) in [
            ("a.doc", DOC),
            ("a.xls", XLS),
            ("a.ppt", PPT),
            ("a.msg", "application/vnd.ms-outlook"),
            ("a", "application/x-ole-storage"),
        ] {
            assert_eq!(sniff(ole, name), media_type);
        }
        let stream: Vec<u8> = "Workbook".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(sniff(&[&ole[..], &stream].concat(), "a.doc"), XLS);
        check(&[(b"{\\rtf1\\ansi", "a.doc", "application/rtf"), (b"%PDF-1.7\n", "a.txt", PDF)]);
    }

    #[test]
    fn what_can_carry_a_script_is_called_that_whatever_its_name() {
        for name in ["a.png", "a.txt", "a.md", "a.csv", "a.pdf", "a.eml", "a"] {
            for html in [
                "<!DOCTYPE html><p>",
                "\u{FEFF} \n<HTML>",
                "<script>alert(1)</script>",
                "<a href='x'>x</a>",
                "<img/src=x onerror=alert(1)>",
                "<body\nonload=x>",
                "<!-- -->hello",
                "<!-- <b> --> <!doctype html>",
                "<?xml version='1.0'?><html xmlns='x'>",
                "<h:html xmlns:h='x'>",
                "<html>\0\u{1}",
                "<b>%PDF-1.4",
            ] {
                assert_eq!(sniff(html.as_bytes(), name), HTML, "{name}: {html}");
            }
            for svg in [
                "<svg xmlns='http://www.w3.org/2000/svg'>",
                "<?xml version='1.0'?>\n<!-- x --><svg>",
                "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' [<!ENTITY a 'b>'>]><svg>",
                "<!DOCTYPE x [<!ENTITY a '>'>]><svg>",
                "<?xml version='1.0'?><?xml-stylesheet href='x'?><s:svg xmlns:s='x'>",
            ] {
                assert_eq!(sniff(svg.as_bytes(), name), SVG, "{name}: {svg}");
            }
        }
        let wide: Vec<u8> = "\u{FEFF}<html>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(sniff(&wide, "a.txt"), HTML);
        assert_eq!(sniff(b"<html>Gr\xFC\xDFe", "a.txt"), HTML);
        assert_eq!(sniff(format!("<?xml version='1.0'?><!--{}", "x".repeat(9000)).as_bytes(), "a.svg"), SVG);
        assert_eq!(sniff(format!("<!--{}", "x".repeat(9000)).as_bytes(), "a.txt"), HTML);
    }

    #[test]
    fn texts_are_known_by_what_they_say_and_then_by_name() {
        check(&[
            (b"Hello", "a", "text/plain"),
            (b"Hello", "photo.jpg", "text/plain"),
            ("Grüße\r\n\t€".as_bytes(), "", "text/plain"),
            (&"Grü".as_bytes()[..3], "", "application/octet-stream"),
            (&[&b"a"[..], "ü".repeat(5000).as_bytes()].concat(), "", "text/plain"),
            (b"BMW invoice", "", "text/plain"),
            (b"GIF or PNG?", "", "text/plain"),
            (b"<3 you", "", "text/plain"),
            (b"<a@example.org> wrote", "", "text/plain"),
            (b"<b.smith@example.org>", "", "text/plain"),
            (b"\xFF\xFEH\0i\0", "", "text/plain"),
            (b"\xFE\xFF\0H\0i", "a.csv", "text/csv"),
            (b"a;b\n1;2", "a.CSV", "text/csv"),
            (b"caf\xE9;1", "bank.csv", "text/csv"),
            (b"caf\xE9", "a.txt", "text/plain"),
            (b"caf\xE9", "a", "application/octet-stream"),
            (b"# Hello", "a.md", "text/markdown"),
            (b"{\"a\": [1, 2]}\n", "a.txt", "application/json"),
            (b"[ ] milk\n[x] bread", "a.txt", "text/plain"),
            (b"{ a note }", "", "text/plain"),
            (b"{\"a\": ", "", "text/plain"),
            (b"begin:vcalendar\r\nVERSION:2.0", "", "text/calendar"),
            (b"\xEF\xBB\xBFBEGIN:VCARD\r\n", "", "text/vcard"),
            (b"Received: from a\r\n\tby b\r\nFrom: a@b\r\nSubject: x\r\n\r\n<html>", "a.txt", "message/rfc822"),
            (b"From: me\nTo: you\nSubject: milk\n\nbuy some", "", "text/plain"),
            (b"From: me\nTo: you\n\nbuy some", "a.eml", "message/rfc822"),
            (b"<?xml version='1.0'?><gpx/>", "a.gpx", XML),
            (b"<?xml version='1.0'?><table/>", "", XML),
            (b"<gpx/>", "a.xml", XML),
            (b"only words", "a.html", HTML),
            (b"only words", "a.svg", SVG),
            (b"junk\n%PDF-1.4", "a.pdf", PDF),
            (b"junk\n%PDF-1.4", "a.txt", "text/plain"),
        ]);
        let long = format!("[{}", "{\"a\": \"ü\"},".repeat(1000));
        assert_eq!(sniff(&long.as_bytes()[..HEAD], ""), "application/json");
    }

    #[test]
    fn the_rest_is_unknown() {
        check(&[
            (b"", "", UNKNOWN),
            (b"", "a.jpg", UNKNOWN),
            (b"", "a.txt", "text/plain"),
            (b"a\0b", "a.txt", UNKNOWN),
            (b"a\x1Bb", "a.csv", UNKNOWN),
            (b"MZ\x90\0", "a.pdf", UNKNOWN),
            (b"AC1032\0\0", "plan.dwg", UNKNOWN),
        ]);
    }

    #[test]
    fn no_head_is_too_short_or_too_odd() {
        let starts: Vec<&[u8]> = SIGNATURES.iter().map(|(_, signature, _)| *signature).collect();
        let more: [&[u8]; 8] =
            [b"RIFF", b"\0\0\0\x20ftyp", b"PK\x03\x04", b"BM", b"ID3", b"\xFF", b"<!doctype x [", b"\xFF\xFE<\0\0\xD8"];
        for start in starts.into_iter().chain(more) {
            for length in 0..=start.len() {
                sniff(&start[..length], "a.pdf");
            }
            for byte in [0, b'<', 0xFF] {
                sniff(&[start, &[byte; 64]].concat(), "");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn every_head_has_a_type(start in 0..SIGNATURES.len(), rest: Vec<u8>, text in r"[<!?\-\[\]>\PC]{0,60}", name: String) {
            let signature = SIGNATURES[start].1;
            for head in [&[signature, &rest].concat(), &rest, text.as_bytes()] {
                assert!(sniff(head, &name).contains('/'));
            }
        }
    }

    #[test]
    fn files_have_words() {
        for (media_type, name, said) in [
            (PDF, "a.bin", "PDF"),
            ("image/jpeg", "", "JPEG photo"),
            (DOCX, "", "Word document"),
            (XLS, "", "Spreadsheet"),
            ("video/mp4", "", "Video (MP4)"),
            ("text/plain", "a.xyz", "Text"),
            (ZIP, "", "ZIP archive"),
            (UNKNOWN, "plan.dwg", "DWG file"),
            (UNKNOWN, "plan", "File"),
            (UNKNOWN, "Offer No. 5", "File"),
            ("model/stl", "part.stl", "STL file"),
        ] {
            assert_eq!(words(media_type, name), said);
        }
    }

    #[test]
    fn only_four_pictures_and_pdf_are_shown() {
        for shown in ["image/jpeg", "image/png", "image/gif", "image/webp"] {
            assert!(is_shown_inline(shown) && is_photo(shown));
        }
        assert!(is_shown_inline(PDF) && !is_photo(PDF));
        for other in [SVG, HTML, XML, "text/plain", "image/heic", "image/jpeg; x", "IMAGE/PNG", UNKNOWN, ""] {
            assert!(!is_shown_inline(other) && !is_photo(other), "{other}");
        }
    }

    #[test]
    fn sizes_have_words() {
        for (bytes, said) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (512, "512 bytes"),
            (999, "999 bytes"),
            (1000, "1 KB"),
            (1049, "1 KB"),
            (1050, "1.1 KB"),
            (1400, "1.4 KB"),
            (9949, "9.9 KB"),
            (9950, "10 KB"),
            (14_400, "14 KB"),
            (999_499, "999 KB"),
            (999_500, "1 MB"),
            (1_400_000, "1.4 MB"),
            (2_100_000_000, "2.1 GB"),
            (999_999_999_999, "1 TB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(size_words(bytes), said.replace(' ', "\u{A0}"), "{bytes}");
        }
    }
}
