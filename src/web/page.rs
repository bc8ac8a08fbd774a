//! What every page has around its content: title, member, tabs, the message after an action.

use askama::Template;

use crate::store::saved_views::SavedView;

use super::moments::{self, Moment};
use super::session::Member;

pub use super::icons::with_sprite;

/// The main divisions, as tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// `/`
    Start,
    /// `/records` and what lies below.
    Records,
    /// `/timeline`
    Timeline,
    /// `/household` and what lies below.
    Household,
    /// `/search`: it has no tab, but a box on every other page.
    Search,
    /// No tab: account, help, sign-in.
    None,
}

/// The signed-in member, as pages show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The member's name.
    pub name: String,
    /// The household's name.
    pub household: String,
    /// Whether the member may write records (owners and editors).
    pub may_write: bool,
    /// Until when the member still reads, if an owner removed them.
    pub leaving: Option<Moment>,
    /// The filters that the member gave a name: for the menu.
    pub views: Vec<SavedView>,
}

impl Who {
    /// A signed-in member.
    pub fn of(member: &Member) -> Self {
        Self {
            name: member.name.clone(),
            household: member.household_name.clone(),
            may_write: member.actor.role.may_write(),
            leaving: member.leaving.map(|until| Moment::day(until, &moments::zone(&member.actor), None)),
            views: member.views.clone(),
        }
    }

    /// The letter on the member's round mark.
    pub fn initial(&self) -> String {
        self.name.chars().next().map(|c| c.to_uppercase().collect()).unwrap_or_default()
    }

    /// The tint of the member's mark.
    pub fn tint(&self) -> &'static str {
        super::look::tint_of(&self.name)
    }
}

/// The message that a page shows once after an action. It gets focus, so that it is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flash {
    /// A few words: "Saved".
    pub heading: String,
    /// A sentence that says what was done.
    pub text: String,
    /// A link to what may come next (address, words).
    pub link: Option<(String, String)>,
}

impl Flash {
    /// A message of a heading and a sentence.
    pub fn new(heading: impl Into<String>, text: impl Into<String>) -> Self {
        Self { heading: heading.into(), text: text.into(), link: None }
    }

    /// Adds a link to what may come next.
    pub fn with_link(mut self, href: impl Into<String>, words: impl Into<String>) -> Self {
        self.link = Some((href.into(), words.into()));
        self
    }
}

/// What every page has around its content.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The part of the title that only this page has; " – LifeOps" follows.
    pub title: String,
    /// Whether a form was refused: the title begins with "Error: ".
    pub wrong: bool,
    /// The signed-in member, if there is one.
    pub who: Option<Who>,
    /// The current tab.
    pub tab: Tab,
    /// The message after an action.
    pub flash: Option<Flash>,
    /// One short sentence for the status line, or nothing.
    pub status: String,
}

impl Frame {
    /// The frame of a page that needs no sign-in.
    pub fn public(title: impl Into<String>) -> Self {
        Self { title: title.into(), wrong: false, who: None, tab: Tab::None, flash: None, status: String::new() }
    }

    /// The frame of a member's page.
    pub fn member(title: impl Into<String>, tab: Tab, who: Who) -> Self {
        Self { who: Some(who), tab, ..Self::public(title) }
    }

    /// Says in the title that a form was refused.
    pub fn wrong(mut self, wrong: bool) -> Self {
        self.wrong = wrong;
        self
    }

    /// Adds the message after an action.
    pub fn flash(mut self, flash: Option<Flash>) -> Self {
        self.flash = flash;
        self
    }

    /// Fills the status line.
    pub fn status(mut self, sentence: impl Into<String>) -> Self {
        self.status = sentence.into();
        self
    }

    /// The household's name; nothing before sign-in.
    pub fn household(&self) -> &str {
        self.who.as_ref().map(|who| who.household.as_str()).unwrap_or_default()
    }

    /// The whole title.
    pub fn full_title(&self) -> String {
        format!("{}{} – LifeOps", if self.wrong { "Error: " } else { "" }, self.title)
    }
}

/// A page whose whole content is a heading and a few paragraphs: errors and other dead ends with a way on.
#[derive(Template)]
#[template(path = "plain.html")]
pub struct PlainPage {
    /// The frame.
    pub frame: Frame,
    /// The heading.
    pub heading: String,
    /// What happened and what to do, a paragraph each.
    pub sentences: Vec<String>,
    /// Ways on: address and words. The first is a button.
    pub ways: Vec<(String, String)>,
    /// Small print, such as the request's id.
    pub note: Option<String>,
}
