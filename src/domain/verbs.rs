//! The verbs of a record: state and values give events, or a refusal with a sentence.

use serde::Serialize;

use super::Refusal;
use super::access::Visibility;
use super::conflict::ConflictField;
use super::event::{
    EventRetracted, External, NoteAdded, NoteCorrected, Payload, RecordCreated, RecordDeleted, RecordHandedOver,
    RecordRestored, RecordShared, RecordUnshared, RecordUpdated,
};
use super::field::{Field, FieldValue};
use super::ids::{EventId, MemberId};
use super::instant::Instant;
use super::money::{Amount, Reading};
use super::record::{CATEGORY, DESCRIPTION, FieldChange, Record, TITLE, field_key};
use super::text::{Category, Description, FieldName, NoteText, Reason, Tag, Title};
use super::when::Occurred;

/// What a new record says.
#[derive(Clone, Debug, Serialize)]
pub struct NewRecord {
    /// What it is called.
    pub title: Title,
    /// What kind of thing it is.
    pub category: Option<Category>,
    /// A few words.
    pub description: Option<Description>,
    /// Its labels.
    pub tags: Vec<Tag>,
    /// Its custom fields.
    pub fields: Vec<Field>,
    /// Who sees it.
    pub visibility: Visibility,
    /// When it began.
    pub occurred: Occurred,
    /// Its identity in another program.
    pub external: Option<External>,
}

/// What a changed value means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// It was right and is different now.
    Changed,
    /// It was wrong.
    Wrong,
}

/// A whole edit form. What is missing in it is meant to be missing.
#[derive(Clone, Debug, Serialize)]
pub struct EditRecord {
    /// The record's version when the form was opened.
    pub version: i64,
    /// What it is called.
    pub title: Title,
    /// What kind of thing it is.
    pub category: Option<Category>,
    /// A few words.
    pub description: Option<Description>,
    /// Its labels.
    pub tags: Vec<Tag>,
    /// Its custom fields.
    pub fields: Vec<Field>,
    /// What changed values mean.
    pub meaning: Meaning,
    /// Since when they hold, if they changed.
    pub occurred: Occurred,
}

/// What a note says.
#[derive(Clone, Debug, Serialize)]
pub struct NewNote {
    /// Markdown.
    pub text: NoteText,
    /// When it happened.
    pub occurred: Occurred,
    /// What it cost.
    pub amount: Option<Amount>,
    /// What a meter showed.
    pub reading: Option<Reading>,
}

/// Begins a record.
///
/// # Errors
/// If two fields have one name, or there are more than 100.
pub fn create(new: &NewRecord) -> Result<Payload, Refusal> {
    check_fields(&new.fields)?;
    Ok(RecordCreated {
        title: new.title.clone(),
        visibility: new.visibility,
        category: new.category.clone(),
        description: new.description.clone(),
        tags: new.tags.clone(),
        fields: new.fields.clone(),
        external: new.external.clone(),
    }
    .into())
}

/// What the fields were when a form was opened: for every field that was touched since, its value then.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// By key. A field that is not here is as it was.
    pub fields: Vec<(String, Option<FieldValue>)>,
    /// Tags that were put on since the form was opened.
    pub tags_added: Vec<Tag>,
    /// Tags that were taken off since.
    pub tags_removed: Vec<Tag>,
}

impl Base {
    /// What was before these changes, given in the order in which they were recorded: the first change of a field tells
    /// what it was.
    pub fn before(changes: &[FieldChange]) -> Self {
        let mut base = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for change in changes {
            if seen.contains(&change.key.as_str()) {
                continue;
            }
            seen.push(&change.key);
            if change.key.starts_with("tag:") {
                let tag = |value: &Option<FieldValue>| Tag::parse(&value.as_ref()?.value).ok();
                base.tags_added.extend(tag(&change.new));
                base.tags_removed.extend(tag(&change.old));
            } else {
                base.fields.push((change.key.clone(), change.old.clone()));
            }
        }
        base
    }
}

/// What an edit comes to.
#[derive(Debug)]
pub enum Edit {
    /// Events to append, each with when it happened; none if the form changes nothing.
    Events(Vec<(Occurred, Payload)>),
    /// Both sides changed these fields.
    Conflict(Vec<ConflictField>),
}

/// Compares a form with what its person saw, and says what it changes.
///
/// A field counts as changed by the form where the form differs from what the form's person saw (`base`). If somebody
/// else changed it too, to something else, that is a conflict. Everything else merges.
///
/// # Errors
/// If two fields have one name, or there are more than 100.
pub fn edit(record: &Record, base: &Base, form: &EditRecord, today: Occurred) -> Result<Edit, Refusal> {
    check_fields(&form.fields)?;
    let mut conflicts = Vec::new();
    let mut changed: Vec<Wanted> = Vec::new();
    for wanted in wanted(record, form) {
        let now = record.held(&wanted.key).and_then(|held| held.value.clone());
        let was = base.fields.iter().find(|(key, _)| *key == wanted.key).map_or(&now, |(_, value)| value);
        let respelt = was == &now && record.held(&wanted.key).is_some_and(|held| held.label != wanted.label);
        if (wanted.value == *was && !(respelt && wanted.value.is_some())) || (wanted.value == now && !respelt) {
            continue;
        }
        if was != &now {
            let held = record.held(&wanted.key);
            conflicts.push(ConflictField {
                key: wanted.key.clone(),
                label: wanted.label.clone(),
                was: was.clone(),
                mine: wanted.value.clone(),
                theirs: now,
                by: held.and_then(|held| held.touched_by),
                by_name: String::new(),
                at: Instant::from_micros(held.map_or(0, |held| held.touched_at)),
            });
            continue;
        }
        changed.push(wanted);
    }
    if !conflicts.is_empty() {
        return Ok(Edit::Conflict(conflicts));
    }
    let (tags_added, tags_removed) = changed_tags(record, base, form);
    Ok(Edit::Events(events(record, form, changed, tags_added, tags_removed, today)))
}

/// What the form wants a field to be.
struct Wanted {
    key: String,
    label: String,
    value: Option<FieldValue>,
    name: Option<FieldName>,
}

fn wanted(record: &Record, form: &EditRecord) -> Vec<Wanted> {
    let built_in = |key: &str, label: &str, value: Option<&str>| Wanted {
        key: key.to_owned(),
        label: label.to_owned(),
        value: value.map(FieldValue::text),
        name: None,
    };
    let mut all = vec![
        built_in(TITLE, "Title", Some(form.title.as_str())),
        built_in(CATEGORY, "Category", form.category.as_ref().map(|c| c.as_str())),
        built_in(DESCRIPTION, "Description", form.description.as_ref().map(|d| d.as_str())),
    ];
    for field in &form.fields {
        all.push(Wanted {
            key: field_key(&field.name),
            label: field.name.to_string(),
            value: Some(field.value.clone()),
            name: Some(field.name.clone()),
        });
    }
    for held in record.held.iter().filter(|held| held.key.starts_with("field:")) {
        if !all.iter().any(|wanted| wanted.key == held.key) {
            all.push(Wanted {
                key: held.key.clone(),
                label: held.label.clone(),
                value: None,
                name: FieldName::parse(&held.label).ok(),
            });
        }
    }
    all
}

fn changed_tags(record: &Record, base: &Base, form: &EditRecord) -> (Vec<Tag>, Vec<Tag>) {
    let has = |tags: &[Tag], tag: &Tag| tags.iter().any(|known| known.folded() == tag.folded());
    let mut seen: Vec<Tag> = record.tags.iter().filter(|tag| !has(&base.tags_added, tag)).cloned().collect();
    for tag in &base.tags_removed {
        if !has(&seen, tag) {
            seen.push(tag.clone());
        }
    }
    let added = form.tags.iter().filter(|tag| !has(&seen, tag) && !has(&record.tags, tag)).cloned().collect();
    let removed = seen.iter().filter(|tag| !has(&form.tags, tag) && has(&record.tags, tag)).cloned().collect();
    (added, removed)
}

fn events(
    record: &Record,
    form: &EditRecord,
    changed: Vec<Wanted>,
    tags_added: Vec<Tag>,
    tags_removed: Vec<Tag>,
    today: Occurred,
) -> Vec<(Occurred, Payload)> {
    // One event for what is asserted anew, and one for each event whose values were wrong.
    let mut updates: Vec<(Option<EventId>, RecordUpdated)> = Vec::new();
    for wanted in changed {
        let corrects = match form.meaning {
            Meaning::Changed => None,
            Meaning::Wrong => record.held(&wanted.key).map(|held| held.event),
        };
        let at = match updates.iter().position(|(known, _)| *known == corrects) {
            Some(at) => at,
            None => {
                updates.push((corrects, RecordUpdated { corrects, ..RecordUpdated::nothing() }));
                updates.len() - 1
            }
        };
        put(&mut updates[at].1, form, wanted);
    }
    if !tags_added.is_empty() || !tags_removed.is_empty() {
        if updates.is_empty() {
            updates.push((None, RecordUpdated::nothing()));
        }
        updates[0].1.tags_added = tags_added;
        updates[0].1.tags_removed = tags_removed;
    }
    updates
        .into_iter()
        .map(|(corrects, update)| {
            let occurred = match (form.meaning, corrects) {
                (Meaning::Changed, _) => form.occurred,
                // A correction is told today; it takes over the date of what it corrects.
                (Meaning::Wrong, Some(_)) => today,
                // What was missing all along holds from the record's beginning.
                (Meaning::Wrong, None) if update.fields_set.is_empty() && update.set == Default::default() => today,
                (Meaning::Wrong, None) => record.begun,
            };
            (occurred, Payload::from(update))
        })
        .collect()
}

fn put(update: &mut RecordUpdated, form: &EditRecord, wanted: Wanted) {
    match (wanted.key.as_str(), wanted.value, wanted.name) {
        (TITLE, _, _) => update.set.title = Some(form.title.clone()),
        (CATEGORY, Some(_), _) => update.set.category.clone_from(&form.category),
        (DESCRIPTION, Some(_), _) => update.set.description.clone_from(&form.description),
        (CATEGORY | DESCRIPTION, None, _) => update.clear.push(wanted.key),
        (_, Some(value), Some(name)) => update.fields_set.push(Field { name, value }),
        (_, None, Some(name)) => update.fields_cleared.push(name),
        (_, _, None) => {}
    }
}

fn check_fields(fields: &[Field]) -> Result<(), Refusal> {
    if fields.len() > 100 {
        return Err(Refusal(format!("A record has at most 100 facts; these are {}. Remove some.", fields.len())));
    }
    for (at, field) in fields.iter().enumerate() {
        if fields[..at].iter().any(|other| other.name.folded() == field.name.folded()) {
            return Err(Refusal(format!("Two facts are called “{}”. Give each its own name.", field.name)));
        }
    }
    Ok(())
}

/// Adds a note.
pub fn add_note(note: &NewNote) -> Payload {
    NoteAdded { text: note.text.clone(), amount: note.amount, reading: note.reading.clone() }.into()
}

/// A note as it reads now: as it was added, or as it was last corrected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wording {
    /// When it happened.
    pub occurred: Occurred,
    /// Markdown.
    pub text: NoteText,
    /// What it cost.
    pub amount: Option<Amount>,
    /// What a meter showed.
    pub reading: Option<Reading>,
}

/// Corrects a note; none if the form says what the note says already.
pub fn correct_note(note: EventId, now: &Wording, form: &NewNote) -> Option<Payload> {
    let same = now.text == form.text
        && now.amount == form.amount
        && now.reading == form.reading
        && now.occurred == form.occurred;
    (!same).then(|| {
        NoteCorrected { note, text: form.text.clone(), amount: form.amount, reading: form.reading.clone() }.into()
    })
}

/// Puts a record away.
///
/// # Errors
/// If it is deleted already.
pub fn delete(record: &Record, reason: Option<Reason>) -> Result<Payload, Refusal> {
    match record.deleted {
        Some(_) => Err(Refusal::new("This record is deleted already.")),
        None => Ok(RecordDeleted { reason }.into()),
    }
}

/// Brings a deleted record back.
///
/// # Errors
/// If it is not deleted.
pub fn restore(record: &Record, reason: Option<Reason>) -> Result<Payload, Refusal> {
    match record.deleted {
        Some(_) => Ok(RecordRestored { reason }.into()),
        None => Err(Refusal::new("This record is not deleted; there is nothing to restore.")),
    }
}

/// Shows a record to the household.
///
/// # Errors
/// If everyone sees it already.
pub fn share(record: &Record) -> Result<Payload, Refusal> {
    match record.visibility {
        Visibility::Private => Ok(RecordShared {}.into()),
        Visibility::Household => Err(Refusal::new("Everyone in the household sees this record already.")),
    }
}

/// Keeps a record to its owner.
///
/// # Errors
/// If it is private already.
pub fn unshare(record: &Record) -> Result<Payload, Refusal> {
    match record.visibility {
        Visibility::Household => Ok(RecordUnshared {}.into()),
        Visibility::Private => Err(Refusal::new("Only its owner sees this record already.")),
    }
}

/// Hands a record to another member, who keeps it from then on.
///
/// # Errors
/// If that member keeps it already.
pub fn hand_over(record: &Record, to: MemberId) -> Result<Payload, Refusal> {
    if record.owner == Some(to) {
        return Err(Refusal::new("This member keeps the record already. Choose somebody else."));
    }
    Ok(RecordHandedOver { to }.into())
}

/// Undoes an earlier event of the stream. `target` is that event's kind; `dropped` says whether it is undone already.
///
/// # Errors
/// If it cannot be undone: the record's beginning, or what is undone already.
pub fn retract(event_id: EventId, target: &Payload, dropped: bool, reason: Option<Reason>) -> Result<Payload, Refusal> {
    if dropped {
        return Err(Refusal::new("This is undone already. Undo the undoing to bring it back."));
    }
    if matches!(target, Payload::RecordCreated(_)) {
        return Err(Refusal::new("A record’s beginning cannot be undone. Delete the record instead."));
    }
    Ok(EventRetracted { event_id, reason }.into())
}
