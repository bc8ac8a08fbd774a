//! The front of a record: title, who keeps and sees it, facts, description.

use crate::app::App;
use crate::domain::access::{Actor, Visibility};
use crate::domain::field::FieldType;
use crate::domain::ids::RecordId;
use crate::domain::record::Record;
use crate::store::views::RecordView;

use super::look::Look;
use super::markdown::{self, SafeHtml};
use super::sight;

/// The front of a record.
#[derive(Clone, Debug)]
pub struct Head {
    /// The record.
    pub id: RecordId,
    /// What it is called.
    pub title: String,
    /// What it is called today, where the page shows an earlier day.
    pub today_title: String,
    /// The category's tint.
    pub tint: &'static str,
    /// The category's icon.
    pub icon: &'static str,
    /// The category in words.
    pub category_words: String,
    /// The icon of who sees it.
    pub seen_icon: &'static str,
    /// Who keeps it and who sees it.
    pub seen_by: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its custom fields.
    pub facts: Vec<Fact>,
    /// Its description.
    pub description: SafeHtml,
    /// Whether the member may write.
    pub may_write: bool,
    /// Whether notes and changes may be added here.
    pub may_add: bool,
}

/// A custom field in words.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its name.
    pub label: String,
    /// Its value.
    pub value: String,
    /// Where it leads, if it is a link.
    pub link: Option<String>,
}

impl Head {
    /// The record as it stands.
    pub fn of(app: &App, view: &RecordView, actor: &Actor) -> Self {
        Self::of_state(app, view, &view.state, actor)
    }

    /// The record as it was; who may see it is decided by today.
    pub fn of_past(app: &App, view: &RecordView, past: &Record, actor: &Actor) -> Self {
        let seen_by = sight::seen_by_then(app, view, past, actor);
        Self { may_add: false, seen_by, ..Self::of_state(app, view, past, actor) }
    }

    fn of_state(app: &App, view: &RecordView, state: &Record, actor: &Actor) -> Self {
        let look = Look::of(state.category());
        let may_write = actor.role.may_write();
        Self {
            id: view.id,
            title: state.title().to_owned(),
            today_title: view.state.title().to_owned(),
            tint: look.tint,
            icon: look.icon,
            category_words: state.category().unwrap_or("No category").to_owned(),
            seen_icon: if view.state.visibility == Visibility::Private { "lock" } else { "people" },
            seen_by: sight::seen_by(app, view, actor),
            tags: state.tags.iter().map(ToString::to_string).collect(),
            facts: facts(state),
            description: state.description().map(|text| markdown::render(text, 3)).unwrap_or_default(),
            may_write,
            may_add: may_write && view.state.deleted.is_none(),
        }
    }
}

fn facts(state: &Record) -> Vec<Fact> {
    let fields = state.fields().map(|(held, value)| Fact {
        label: held.label.clone(),
        value: if value.ty == FieldType::Link { link_words(&value.value) } else { value.words() },
        link: (value.ty == FieldType::Link).then(|| value.value.clone()),
    });
    let begun = Fact { label: "Begun".to_owned(), value: state.begun.words(), link: None };
    fields.chain(std::iter::once(begun)).collect()
}

/// A link's address in words: the whole of a short one, the place of a long one.
fn link_words(address: &str) -> String {
    let plain = address.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
    let plain = plain.trim_end_matches('/');
    match plain.split_once('/') {
        Some((place, _)) if plain.chars().count() > 40 => format!("{place}/…"),
        _ => plain.to_owned(),
    }
}
