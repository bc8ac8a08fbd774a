//! What a person wrote meets what somebody else saved in the meantime. Nothing is lost: both words are kept.

use super::field::FieldValue;
use super::ids::{MemberId, RecordId};
use super::instant::Instant;

/// A stale form whose fields somebody else changed too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// The record.
    pub record: RecordId,
    /// Its version now: what the merged form is compared with.
    pub version: i64,
    /// What the record is called now.
    pub title: String,
    /// The fields that both changed.
    pub fields: Vec<ConflictField>,
}

/// A field that both changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConflictField {
    /// Its key: `title`, `category`, `description`, `field:<folded name>`, or `note`.
    pub key: String,
    /// Its name.
    pub label: String,
    /// What it was when the form was opened.
    pub was: Option<FieldValue>,
    /// What the form says.
    pub mine: Option<FieldValue>,
    /// What the record says now.
    pub theirs: Option<FieldValue>,
    /// Who changed it last.
    pub by: Option<MemberId>,
    /// That member's name, filled in where the household's names are known.
    pub by_name: String,
    /// When.
    pub at: Instant,
}
