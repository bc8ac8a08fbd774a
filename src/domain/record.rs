//! A record: the fold of its stream.
//!
//! ```text
//! fold(events) = drop what is retracted (transitively, the latest word wins) → apply each
//! ```
//!
//! [`Record::apply`] is pure. For every kind but retraction the state alone is enough to apply the next event, so an
//! append costs the same in a stream of ten events and of a hundred thousand. [`super::fold`] takes the same
//! step over a whole stream; a retraction folds what is left of it again.

use serde::{Deserialize, Serialize};

use super::access::Visibility;
use super::event::{External, Fact, Payload, RecordUpdated};
use super::field::FieldValue;
use super::ids::{EventId, MemberId};
use super::instant::Instant;
use super::text::{FieldName, Tag};
use super::when::Occurred;

/// The version of this fold. Projections written by another one are rebuilt at start.
pub const FOLD_VERSION: i64 = 7;

/// The key of the title in changes and conflicts.
pub const TITLE: &str = "title";
/// The key of the category.
pub const CATEGORY: &str = "category";
/// The key of the description.
pub const DESCRIPTION: &str = "description";
/// The key of the visibility in changes.
pub const VISIBILITY: &str = "visibility";
/// The key of a note's wording in conflicts.
pub const NOTE: &str = "note";

/// The key of a note's wording in changes.
pub fn note_key(note: EventId) -> String {
    format!("{NOTE}:{note}")
}

/// The key of a custom field.
pub fn field_key(name: &FieldName) -> String {
    format!("field:{}", name.folded())
}

/// The key of a tag.
pub fn tag_key(tag: &Tag) -> String {
    format!("tag:{}", tag.folded())
}

/// A field's value in force, and the assertion behind it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Held {
    /// `title`, `category`, `description` or `field:<folded name>`.
    pub key: String,
    /// The name as it was last spelt.
    pub label: String,
    /// The value; none if the assertion in force says that there is none.
    pub value: Option<FieldValue>,
    /// Since when it holds.
    #[serde(with = "iso")]
    pub effective: Occurred,
    /// The position of the event that asserted it.
    pub position: i64,
    /// That event. A correction replaces the value and leaves this.
    pub event: EventId,
    /// The stream's version at which what is in force last changed: what a stale form is compared with.
    pub touched: i64,
    /// When that was.
    pub touched_at: i64,
    /// Who did it.
    pub touched_by: Option<MemberId>,
}

/// A deleted record's last word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Deleted {
    /// When it was entered, in microseconds since the Unix epoch.
    pub at: i64,
    /// Who did it.
    pub by: Option<MemberId>,
    /// The event.
    pub event: EventId,
}

impl Deleted {
    /// When it was entered.
    pub fn instant(&self) -> Instant {
        Instant::from_micros(self.at)
    }
}

/// A record as it stands: what its page shows, and all that the next event needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The stream's number of events.
    pub version: i64,
    /// The member who keeps it.
    pub owner: Option<MemberId>,
    /// Who sees it.
    pub visibility: Visibility,
    /// When it began.
    #[serde(with = "iso")]
    pub begun: Occurred,
    /// Every field that was ever asserted, in the order in which they first appeared.
    pub held: Vec<Held>,
    /// Tags by their folded name.
    pub tags: Vec<Tag>,
    /// How and when it was deleted, if it is.
    pub deleted: Option<Deleted>,
    /// Its identity in another program.
    pub external: Option<External>,
}

mod iso {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::when::Occurred;

    pub fn serialize<S: Serializer>(occurred: &Occurred, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(occurred)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Occurred, D::Error> {
        Occurred::parse_iso(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// What an event changed in one field, as histories show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldChange {
    /// The field's key.
    pub key: String,
    /// The field's name.
    pub label: String,
    /// What the record said before.
    pub old: Option<FieldValue>,
    /// What the event says.
    pub new: Option<FieldValue>,
    /// Since when that holds; none for what has no date of its own (tags, visibility).
    pub effective: Option<Occurred>,
    /// Whether the record says so now. Not so for what was told late about an earlier time.
    pub in_force: bool,
}

/// One value asserted by one event.
struct Assertion<'a> {
    key: String,
    label: &'a str,
    value: Option<FieldValue>,
}

impl Record {
    /// The state after the first event of a stream; none if that does not begin a record.
    pub fn begin(fact: &Fact) -> Option<(Self, Vec<FieldChange>)> {
        let Payload::RecordCreated(created) = &fact.payload else { return None };
        let mut record = Self {
            version: 0,
            owner: fact.actor,
            visibility: created.visibility,
            begun: fact.occurred,
            held: Vec::new(),
            tags: Vec::new(),
            deleted: None,
            external: created.external.clone(),
        };
        let changes = record.apply(fact);
        Some((record, changes))
    }

    /// The state after one more event that is no retraction, and what that changed. A retraction changes nothing here:
    /// [`super::fold::fold_again`] folds the stream again.
    pub fn apply(&mut self, fact: &Fact) -> Vec<FieldChange> {
        self.version = fact.version;
        match &fact.payload {
            Payload::RecordCreated(created) => {
                let text = |value: &str| Some(FieldValue::text(value));
                let mut said =
                    vec![Assertion { key: TITLE.into(), label: "Title", value: text(created.title.as_str()) }];
                if let Some(category) = &created.category {
                    said.push(Assertion { key: CATEGORY.into(), label: "Category", value: text(category.as_str()) });
                }
                if let Some(words) = &created.description {
                    said.push(Assertion { key: DESCRIPTION.into(), label: "Description", value: text(words.as_str()) });
                }
                for field in &created.fields {
                    said.push(Assertion {
                        key: field_key(&field.name),
                        label: field.name.as_str(),
                        value: Some(field.value.clone()),
                    });
                }
                let mut changes: Vec<_> = said.into_iter().map(|a| self.assert(fact, a)).collect();
                changes.extend(self.change_tags(&created.tags, &[]));
                changes
            }
            Payload::RecordUpdated(updated) => {
                let said = assertions(updated);
                let mut changes: Vec<_> = match updated.corrects {
                    Some(wrong) => said.into_iter().map(|a| self.correct(fact, wrong, a)).collect(),
                    None => said.into_iter().map(|a| self.assert(fact, a)).collect(),
                };
                changes.extend(self.change_tags(&updated.tags_added, &updated.tags_removed));
                changes
            }
            Payload::RecordDeleted(_) => {
                self.deleted = Some(Deleted { at: fact.recorded.micros(), by: fact.actor, event: fact.event });
                Vec::new()
            }
            Payload::RecordRestored(_) => {
                self.deleted = None;
                Vec::new()
            }
            // The wordings themselves are in the events; this only says which correction came after which.
            Payload::NoteCorrected(correction) => vec![FieldChange {
                key: note_key(correction.note),
                label: "Note".into(),
                old: None,
                new: None,
                effective: None,
                in_force: false,
            }],
            Payload::RecordShared(_) => self.see(Visibility::Household),
            Payload::RecordUnshared(_) => self.see(Visibility::Private),
            // Who keeps it is no field of a form, so that nobody's form is stale because of it.
            Payload::RecordHandedOver(handed) => {
                self.owner = Some(handed.to);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The assertion in force is the one with the greatest (effective, precision, position).
    fn assert(&mut self, fact: &Fact, said: Assertion<'_>) -> FieldChange {
        let held = Held {
            key: said.key.clone(),
            label: said.label.to_owned(),
            value: said.value.clone(),
            effective: fact.occurred,
            position: fact.position,
            event: fact.event,
            touched: fact.version,
            touched_at: fact.recorded.micros(),
            touched_by: fact.actor,
        };
        let (old, in_force) = match self.held.iter_mut().find(|known| known.key == said.key) {
            Some(known) => {
                let old = known.value.clone();
                let in_force = (held.effective, held.position) > (known.effective, known.position);
                if in_force {
                    *known = held;
                }
                (old, in_force)
            }
            None => {
                self.held.push(held);
                (None, true)
            }
        };
        FieldChange { old, in_force, ..change(said, Some(fact.occurred)) }
    }

    /// A correction replaces the value of the assertion it names and takes over its effective date, nothing else.
    fn correct(&mut self, fact: &Fact, wrong: EventId, said: Assertion<'_>) -> FieldChange {
        let Some(known) = self.held.iter_mut().find(|known| known.key == said.key && known.event == wrong) else {
            let old = self.value(&said.key).cloned();
            return FieldChange { old, in_force: false, ..change(said, None) };
        };
        let old = known.value.take();
        known.label = said.label.to_owned();
        known.value = said.value.clone();
        known.touched = fact.version;
        known.touched_at = fact.recorded.micros();
        known.touched_by = fact.actor;
        let effective = known.effective;
        FieldChange { old, in_force: true, ..change(said, Some(effective)) }
    }

    fn change_tags(&mut self, added: &[Tag], removed: &[Tag]) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        for tag in removed {
            let folded = tag.folded();
            // Taken off and put on again it is only spelt otherwise.
            if let Some(anew) = added.iter().find(|anew| anew.folded() == folded) {
                if let Some(known) = self.tags.iter_mut().find(|known| known.folded() == folded && *known != anew) {
                    let new = tag_change(anew, false).new;
                    changes.push(FieldChange { new, ..tag_change(known, true) });
                    known.clone_from(anew);
                }
                continue;
            }
            if let Some(at) = self.tags.iter().position(|known| known.folded() == folded) {
                let gone = self.tags.remove(at);
                changes.push(tag_change(&gone, true));
            }
        }
        for tag in added {
            let folded = tag.folded();
            if !self.tags.iter().any(|known| known.folded() == folded) {
                changes.push(tag_change(tag, false));
                self.tags.push(tag.clone());
            }
        }
        self.tags.sort_by_key(Tag::folded);
        changes
    }

    fn see(&mut self, visibility: Visibility) -> Vec<FieldChange> {
        let old = std::mem::replace(&mut self.visibility, visibility);
        visibility_change(old, visibility).into_iter().collect()
    }

    /// A field's value in force.
    pub fn value(&self, key: &str) -> Option<&FieldValue> {
        self.held.iter().find(|held| held.key == key)?.value.as_ref()
    }

    /// A field with its assertion.
    pub fn held(&self, key: &str) -> Option<&Held> {
        self.held.iter().find(|held| held.key == key)
    }

    /// What the record is called.
    pub fn title(&self) -> &str {
        self.value(TITLE).map_or("Untitled", |title| title.value.as_str())
    }

    /// What kind of thing it is.
    pub fn category(&self) -> Option<&str> {
        self.value(CATEGORY).map(|category| category.value.as_str())
    }

    /// A few words.
    pub fn description(&self) -> Option<&str> {
        self.value(DESCRIPTION).map(|description| description.value.as_str())
    }

    /// The custom fields that have a value, in the order in which they first appeared.
    pub fn fields(&self) -> impl Iterator<Item = (&Held, &FieldValue)> {
        self.held
            .iter()
            .filter(|held| held.key.starts_with("field:"))
            .filter_map(|held| held.value.as_ref().map(|value| (held, value)))
    }
}

fn change(said: Assertion<'_>, effective: Option<Occurred>) -> FieldChange {
    FieldChange { key: said.key, label: said.label.to_owned(), old: None, new: said.value, effective, in_force: false }
}

pub(super) fn tag_change(tag: &Tag, removed: bool) -> FieldChange {
    let value = Some(FieldValue::text(tag.as_str()));
    let (old, new) = if removed { (value, None) } else { (None, value) };
    FieldChange { key: tag_key(tag), label: "Tag".into(), old, new, effective: None, in_force: true }
}

pub(super) fn visibility_change(old: Visibility, new: Visibility) -> Option<FieldChange> {
    (old != new).then(|| FieldChange {
        key: VISIBILITY.into(),
        label: "Seen by".into(),
        old: Some(FieldValue::text(old.as_str())),
        new: Some(FieldValue::text(new.as_str())),
        effective: None,
        in_force: true,
    })
}

fn assertions(updated: &RecordUpdated) -> Vec<Assertion<'_>> {
    let mut said = Vec::new();
    let mut set = |key: &str, label: &'static str, value: Option<&str>| {
        let cleared = updated.clear.iter().any(|cleared| cleared == key);
        if value.is_some() || cleared {
            said.push(Assertion { key: key.to_owned(), label, value: value.map(FieldValue::text) });
        }
    };
    set(TITLE, "Title", updated.set.title.as_ref().map(|title| title.as_str()));
    set(CATEGORY, "Category", updated.set.category.as_ref().map(|category| category.as_str()));
    set(DESCRIPTION, "Description", updated.set.description.as_ref().map(|words| words.as_str()));
    for field in &updated.fields_set {
        said.push(Assertion {
            key: field_key(&field.name),
            label: field.name.as_str(),
            value: Some(field.value.clone()),
        });
    }
    for name in &updated.fields_cleared {
        said.push(Assertion { key: field_key(name), label: name.as_str(), value: None });
    }
    said
}
