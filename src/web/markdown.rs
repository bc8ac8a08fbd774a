//! Markdown as people write it in notes and descriptions, made into HTML that is safe to show.
//!
//! The text is untrusted twice over: raw HTML in it is shown as text, and what comes out of the Markdown parser passes a
//! sanitiser that only knows words, lists, quotes, code and links (unless there was nothing in it but words, emphasis and
//! lists). Pictures from elsewhere become links, so that opening a record tells no other server about it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

use askama::filters::HtmlSafe;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// HTML that is safe to show: made by [`render`] alone, so that a template that shows it without escaping
/// shows nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SafeHtml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for SafeHtml {}

/// Quotes and lists nested deeper than this are shown flat.
const DEEPEST: usize = 12;

/// Renders Markdown. `level` is the rank that its headings take, one below the heading that the text stands under.
pub fn render(text: &str, level: u8) -> SafeHtml {
    let mut shaper = Shaper { level: rank(level), kept: Vec::new(), depth: 0, plain: true };
    let events = Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH).filter_map(|event| shaper.shape(event));
    let mut rendered = String::with_capacity(text.len() + text.len() / 4);
    html::push_html(&mut rendered, events);
    if shaper.plain {
        // Escaped words between tags without attributes, all of the parser's own making: there is nothing to clean.
        return SafeHtml(rendered.replace("<br />", "<br>").trim_end().to_owned());
    }
    SafeHtml(SANITISER.clean(&rendered).to_string().trim_end().to_owned())
}

/// The first words of a text without its marks, at most some 240 letters.
pub fn excerpt(text: &str) -> String {
    const LONGEST: usize = 240;
    if text.is_empty() {
        return String::new();
    }
    let words = lines(text, 4 * LONGEST).join(" · ");
    if words.chars().count() <= LONGEST {
        return words;
    }
    let cut: String = words.chars().take(LONGEST).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole);
    format!("{}…", whole.trim_end_matches([',', ';', ':', '.', ' ']))
}

/// A whole text without its marks, in one line.
pub fn plain(text: &str) -> String {
    lines(text, usize::MAX).join(" · ")
}

/// The lines of a text without its marks, as far as some bytes. Lines and points of a list stay apart.
fn lines(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(part) | Event::Code(part) | Event::Html(part) | Event::InlineHtml(part) => {
                length += part.len();
                lines.last_mut().map(|line| line.push_str(&part)).unwrap_or_default();
            }
            Event::SoftBreak | Event::HardBreak | Event::Rule => lines.push(String::new()),
            Event::End(TagEnd::Item | TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::CodeBlock) => {
                lines.push(String::new());
            }
            _ => {}
        }
        if length > most {
            break;
        }
    }
    let squeezed = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    squeezed.filter(|line| !line.is_empty()).collect()
}

fn rank(level: u8) -> HeadingLevel {
    match level {
        ..=3 => HeadingLevel::H3,
        4 => HeadingLevel::H4,
        5 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

/// Bends the parser's events to the house: one rank of headings, no pictures, no raw HTML, bounded nesting.
struct Shaper {
    level: HeadingLevel,
    /// For every open element, whether it was let through.
    kept: Vec<bool>,
    depth: usize,
    /// Whether there was nothing so far but words, breaks, paragraphs, emphasis and lists.
    plain: bool,
}

impl Shaper {
    fn shape<'a>(&mut self, event: Event<'a>) -> Option<Event<'a>> {
        self.plain &= match &event {
            Event::Start(tag) => {
                matches!(tag, Tag::Paragraph | Tag::Emphasis | Tag::Strong | Tag::List(None) | Tag::Item)
            }
            Event::End(_) | Event::Text(_) | Event::SoftBreak | Event::HardBreak => true,
            _ => false,
        };
        match event {
            Event::Start(tag) => self.open(tag),
            Event::End(end) => self.close(end),
            Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
            // People who write a note expect a new line where they began one.
            Event::SoftBreak => Some(Event::HardBreak),
            other => Some(other),
        }
    }

    fn open<'a>(&mut self, tag: Tag<'a>) -> Option<Event<'a>> {
        let keep = self.depth < DEEPEST && !matches!(tag, Tag::HtmlBlock);
        self.kept.push(keep);
        if !keep {
            return None;
        }
        self.depth += 1;
        Some(Event::Start(match tag {
            Tag::Heading { .. } => Tag::Heading { level: self.level, id: None, classes: Vec::new(), attrs: Vec::new() },
            Tag::Image { link_type, dest_url, title, id } => Tag::Link { link_type, dest_url, title, id },
            other => other,
        }))
    }

    fn close(&mut self, end: TagEnd) -> Option<Event<'static>> {
        if !self.kept.pop().unwrap_or(false) {
            return None;
        }
        self.depth -= 1;
        Some(Event::End(match end {
            TagEnd::Heading(_) => TagEnd::Heading(self.level),
            TagEnd::Image => TagEnd::Link,
            other => other,
        }))
    }
}

static SANITISER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut builder = ammonia::Builder::empty();
    builder
        .tags(HashSet::from([
            "p",
            "br",
            "hr",
            "em",
            "strong",
            "del",
            "ul",
            "ol",
            "li",
            "blockquote",
            "code",
            "pre",
            "a",
            "h3",
            "h4",
            "h5",
            "h6",
        ]))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("nofollow noopener"));
    builder
});

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        render(text, 5).to_string()
    }

    #[test]
    fn words_lists_and_links_come_through() {
        assert_eq!(shown("one\ntwo *three*"), "<p>one<br>\ntwo <em>three</em></p>");
        assert_eq!(shown("# A\n\n#### B"), "<h5>A</h5>\n<h5>B</h5>");
        assert_eq!(
            shown("[x](https://example.org/)"),
            "<p><a href=\"https://example.org/\" rel=\"nofollow noopener\">x</a></p>"
        );
        assert!(shown("3. three").contains("<ol start=\"3\">"));
    }

    #[test]
    fn plain_words_need_no_cleaning() {
        for text in [
            "one\ntwo *three* **four**",
            "- a\n- b <script>\n\n  more\n- c & \"d\" 'e'",
            "a\n\nb &lt; &#60;script> \\<b> > x",
            "* * *",
            "<img src=x onerror=alert(1)>",
            "*<b>*",
            "[a](javascript:alert(1))",
            "`code`",
            "5. five",
        ] {
            let html = shown(text);
            let cleaned = SANITISER.clean(&html).to_string();
            assert_eq!(cleaned, html.replace("&quot;", "\""), "{text}");
        }
    }

    #[test]
    fn nothing_dangerous_comes_through() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,hi)",
            "<a href=\"x\" onclick=\"y\">z</a>",
            "![alt](https://tracker.example/pixel.png)",
            "<svg/onload=alert(1)>",
            "<!--icons paw-->",
            "[x](https://e.example \"onmouseover=alert(1)\")",
            "<div style=\"position:fixed\">",
            "[a]: javascript:alert(1)\n\n[a]",
        ] {
            let html = shown(text);
            for bad in ["<script", "<img", "<svg", "<div", "href=\"javascript", "href=\"data", "<!--"] {
                assert!(!html.to_lowercase().contains(bad), "{text} gave {html}");
            }
            assert!(html.split('<').skip(1).all(|tag| !tag.split('>').next().unwrap_or("").contains(" on")), "{html}");
        }
        assert!(shown("![alt](https://tracker.example/pixel.png)").contains(">alt</a>"));
        assert!(shown("<b>kept as text</b>").contains("&lt;b&gt;kept as text"));
    }

    #[test]
    fn deep_nesting_stays_quick_and_flat() {
        for text in
            [">".repeat(60_000), "- ".repeat(30_000), "[".repeat(60_000), "*a ".repeat(20_000), "`".repeat(60_000)]
        {
            let html = shown(&text);
            assert!(html.matches("<blockquote>").count() <= DEEPEST && html.matches("<ul>").count() <= DEEPEST);
        }
    }
}
