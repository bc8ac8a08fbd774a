//! A record's latest happening in words, for lists.

use serde::{Deserialize, Serialize};

use super::attachment::Label;
use super::event::Payload;
use super::field::{FieldType, FieldValue};
use super::money::{Amount, Reading};
use super::record::FieldChange;
use super::text::NoteText;
use super::when::Occurred;

/// A stream's latest happening in words, for lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The event's kind.
    pub kind: String,
    /// When it happened, ISO 8601.
    pub occurred: String,
    /// The words: a note's heading, or a field's name for a change.
    pub text: String,
    /// The old value of the first changed field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<FieldValue>,
    /// Its new value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<FieldValue>,
    /// How many more fields changed.
    #[serde(default)]
    pub more: usize,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// What a meter showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

impl Summary {
    /// The summary of one event.
    pub fn of(payload: &Payload, occurred: Occurred, changes: &[FieldChange]) -> Self {
        let mut summary = Self {
            kind: payload.kind().to_owned(),
            occurred: occurred.to_string(),
            text: String::new(),
            old: None,
            new: None,
            more: 0,
            amount: None,
            reading: None,
        };
        match payload {
            Payload::NoteAdded(note) => {
                summary.text = NoteText::heading(note.text.as_str());
                summary.amount = note.amount;
                summary.reading.clone_from(&note.reading);
            }
            Payload::NoteCorrected(note) => {
                summary.text = NoteText::heading(note.text.as_str());
                summary.amount = note.amount;
                summary.reading.clone_from(&note.reading);
            }
            Payload::RecordUpdated(_) => {
                if let Some(first) = changes.first() {
                    summary.text.clone_from(&first.label);
                    // What was told late replaced nothing: what stood there then is not what stands there now.
                    summary.old = first.old.as_ref().filter(|_| first.in_force).map(short);
                    summary.new = first.new.as_ref().map(short);
                    summary.more = changes.len() - 1;
                }
            }
            Payload::AttachmentAdded(added) => {
                summary.text = format!("{}: {}", Label::noun(added.label), added.file_name);
            }
            _ => {}
        }
        summary
    }

    /// The words for a record whose latest event says nothing new beside the one before it: the file of a note.
    pub fn after(before: Option<&Self>, payload: &Payload, occurred: Occurred, changes: &[FieldChange]) -> Self {
        match (before, payload) {
            (Some(before), Payload::AttachmentAdded(added)) if added.note.is_some() => before.clone(),
            _ => Self::of(payload, occurred, changes),
        }
    }
}

/// A value short enough for one line of a list.
fn short(value: &FieldValue) -> FieldValue {
    if value.ty != FieldType::Text || value.value.chars().count() <= 80 {
        return value.clone();
    }
    FieldValue::text(format!("{}…", value.value.chars().take(79).collect::<String>().trim_end()))
}
