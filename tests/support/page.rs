//! An answer, read as a person reads it: title, headings, words, links, forms.

use std::collections::BTreeMap;

use scraper::{ElementRef, Html, Node, Selector};

use super::Form;

/// An answer of the server.
#[derive(Clone, Debug)]
pub struct Page {
    /// The path and query that were asked for.
    pub path: String,
    /// The status code.
    pub status: u16,
    /// The header fields, names in lower case; repeated ones joined by a newline.
    pub headers: BTreeMap<String, String>,
    /// The body, decoded as UTF-8.
    pub body: String,
    /// How many bytes the body had on the way.
    pub bytes: usize,
    /// The body as it came.
    pub raw: Vec<u8>,
}

impl Page {
    /// Insists on a status code.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered {}: {}", self.path, self.status, self.text());
        self
    }

    /// Insists on a redirect and returns where it leads.
    #[track_caller]
    pub fn expect_redirect(&self) -> String {
        assert_eq!(self.status, 303, "{} answered {} and no redirect: {}", self.path, self.status, self.text());
        self.header("location").to_owned()
    }

    /// A header field, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Insists on words being on the page.
    #[track_caller]
    pub fn expect_words(self, words: &str) -> Self {
        assert!(self.says(words), "{} does not say “{words}”: {}", self.path, self.text());
        self
    }

    /// Insists on words not being on the page.
    #[track_caller]
    pub fn expect_no_words(self, words: &str) -> Self {
        assert!(!self.says(words), "{} says “{words}”: {}", self.path, self.text());
        self
    }

    /// Whether the page says something (white space and the kind of it do not matter).
    pub fn says(&self, words: &str) -> bool {
        self.text().contains(&squeeze(words))
    }

    /// The words of the page in reading order, white space squeezed.
    pub fn text(&self) -> String {
        let html = self.html();
        let mut text = String::new();
        words_of(html.root_element(), &mut text);
        squeeze(&text)
    }

    /// The document's title.
    pub fn title(&self) -> String {
        self.first_text("title").unwrap_or_default()
    }

    /// The one main heading.
    #[track_caller]
    pub fn heading(&self) -> String {
        self.first_text("h1").unwrap_or_else(|| panic!("{} has no main heading: {}", self.path, self.text()))
    }

    /// All headings with their level.
    pub fn headings(&self) -> Vec<(u8, String)> {
        let html = self.html();
        let all = selector("h1, h2, h3, h4, h5, h6");
        html.select(&all).map(|h| (h.value().name().as_bytes()[1] - b'0', element_text(h))).collect()
    }

    /// What the status line says.
    pub fn status_line(&self) -> String {
        self.first_text("[role=status]").unwrap_or_default()
    }

    /// The error summary: what each entry says and where its link leads.
    pub fn summary(&self) -> Vec<(String, String)> {
        let html = self.html();
        let entries = selector("[role=alert] li");
        let link = selector("a");
        html.select(&entries)
            .map(|entry| {
                let href = entry.select(&link).next().and_then(|a| a.attr("href")).unwrap_or_default();
                (element_text(entry), href.to_owned())
            })
            .collect()
    }

    /// Every link: its words and where it leads.
    pub fn links(&self) -> Vec<(String, String)> {
        let html = self.html();
        let all = selector("a[href]");
        html.select(&all).map(|a| (element_text(a), a.attr("href").unwrap_or_default().to_owned())).collect()
    }

    /// Where the first link with these words leads.
    #[track_caller]
    pub fn link(&self, words: &str) -> String {
        self.find_link(words).unwrap_or_else(|| panic!("{} has no link “{words}”: {:?}", self.path, self.links()))
    }

    /// Where the first link with these words leads, if there is one.
    pub fn find_link(&self, words: &str) -> Option<String> {
        let links = self.links();
        let exact = links.iter().find(|(text, _)| text == words);
        exact.or_else(|| links.iter().find(|(text, _)| text.contains(words))).map(|(_, href)| href.clone())
    }

    /// The forms in document order.
    pub fn forms(&self) -> Vec<Form> {
        Form::all(&self.html(), &self.path)
    }

    /// The form with a button that says this.
    #[track_caller]
    pub fn form(&self, button: &str) -> Form {
        self.find_form(button).unwrap_or_else(|| {
            let buttons: Vec<_> = self.forms().iter().map(|f| (f.action.clone(), f.button_words())).collect();
            panic!("{} ({}) has no form with a button “{button}”: {buttons:?}", self.path, self.title())
        })
    }

    /// The form with a button that says this, if there is one.
    pub fn find_form(&self, button: &str) -> Option<Form> {
        let forms = self.forms();
        let exact = forms.iter().find(|f| f.button_words().iter().any(|b| b == button));
        exact.or_else(|| forms.iter().find(|f| f.button_words().iter().any(|b| b.contains(button)))).cloned()
    }

    /// The form that leads to a path.
    #[track_caller]
    pub fn form_to(&self, action: &str) -> Form {
        self.forms().into_iter().find(|f| f.action == action).unwrap_or_else(|| {
            let actions: Vec<_> = self.forms().iter().map(|f| f.action.clone()).collect();
            panic!("{} has no form to {action}: {actions:?}", self.path)
        })
    }

    /// The words of everything that a CSS selector finds.
    pub fn all(&self, css: &str) -> Vec<String> {
        let html = self.html();
        let all = selector(css);
        html.select(&all).map(element_text).collect()
    }

    /// An attribute of everything that a CSS selector finds.
    pub fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        let html = self.html();
        let all = selector(css);
        html.select(&all).filter_map(|e| e.attr(name).map(str::to_owned)).collect()
    }

    fn first_text(&self, css: &str) -> Option<String> {
        self.all(css).into_iter().next()
    }

    fn html(&self) -> Html {
        Html::parse_document(&self.body)
    }
}

/// A CSS selector; the test's own text, so a wrong one is the test's mistake.
pub fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap_or_else(|e| panic!("{css}: {e:?}"))
}

/// The words inside an element, white space squeezed.
pub fn element_text(element: ElementRef<'_>) -> String {
    let mut text = String::new();
    words_of(element, &mut text);
    squeeze(&text)
}

fn words_of(element: ElementRef<'_>, into: &mut String) {
    if matches!(element.value().name(), "script" | "style" | "template") {
        return;
    }
    let inline = matches!(
        element.value().name(),
        "a" | "span"
            | "strong"
            | "em"
            | "b"
            | "i"
            | "mark"
            | "time"
            | "code"
            | "small"
            | "abbr"
            | "bdi"
            | "sup"
            | "sub"
    );
    if !inline {
        into.push(' ');
    }
    for child in element.children() {
        match child.value() {
            Node::Text(text) => into.push_str(text),
            Node::Element(_) => {
                if let Some(child) = ElementRef::wrap(child) {
                    words_of(child, into);
                }
            }
            _ => {}
        }
    }
    if !inline {
        into.push(' ');
    }
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
