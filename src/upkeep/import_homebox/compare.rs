//! A row against what was imported of it before. What a person changed here since does not count: the question is
//! whether the file says something else.

use super::item::{Item, Terms};
use crate::domain::event::{Event, Payload, RecordCreated};
use crate::domain::field::Field;
use crate::domain::when::Occurred;

/// What differs, by name; nothing if the file says the same. `imported` are the record's first event and those of its
/// batch.
pub(super) fn differences(item: &Item, imported: &[Event], terms: &Terms) -> Vec<String> {
    let facts: Vec<_> = imported.iter().filter_map(|event| event.fact().ok()).collect();
    let Some(Payload::RecordCreated(created)) = facts.first().map(|fact| &fact.payload) else {
        return vec!["everything".to_owned()];
    };
    let mut what = of_record(item, created);
    let today = Occurred::day(terms.now.date());
    let mut told: Vec<_> = facts
        .iter()
        .filter_map(|fact| match &fact.payload {
            Payload::NoteAdded(note) => Some((fact.occurred, note)),
            _ => None,
        })
        .collect();
    let mut same = told.len() == item.notes.len();
    for note in &item.notes {
        // A note without a day of its own took the day of its import.
        let found = told.iter().position(|(occurred, known)| {
            known.text == note.text
                && known.amount == note.amount
                && (note.occurred == today || note.occurred == *occurred)
        });
        match found {
            Some(at) => drop(told.swap_remove(at)),
            None => same = false,
        }
    }
    if !same {
        what.push("purchase, sale or notes".to_owned());
    }
    what
}

fn of_record(item: &Item, created: &RecordCreated) -> Vec<String> {
    let new = &item.new;
    let mut what = Vec::new();
    if new.title != created.title {
        what.push("name".to_owned());
    }
    if new.description != created.description {
        what.push("description".to_owned());
    }
    let folded = |tags: &[crate::domain::text::Tag]| {
        let mut keys: Vec<String> = tags.iter().map(|tag| tag.folded()).collect();
        keys.sort();
        keys
    };
    if folded(&new.tags) != folded(&created.tags) {
        what.push("tags".to_owned());
    }
    let other = |field: &Field, fields: &[Field]| {
        !fields.iter().any(|known| known.name.folded() == field.name.folded() && known.value == field.value)
    };
    for field in new.fields.iter().filter(|field| other(field, &created.fields)) {
        what.push(field.name.to_string());
    }
    for field in created.fields.iter().filter(|field| other(field, &new.fields)) {
        if !what.contains(&field.name.to_string()) {
            what.push(field.name.to_string());
        }
    }
    what
}
