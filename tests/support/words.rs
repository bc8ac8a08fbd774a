//! The words on the buttons that tests press, in one place.

/// Begins a new record.
pub const NEW: &str = "Begin the record";
/// Saves a changed record.
pub const SAVE: &str = "Save";
/// Adds a note.
pub const NOTE: &str = "Add to the story";
/// Saves a corrected note.
pub const CORRECT: &str = "Save the new words";
/// Deletes, on the page that asks.
pub const DELETE: &str = "Delete";
/// Brings a deleted record back.
pub const RESTORE: &str = "Restore";
/// Hands a record to somebody else, on the page that asks to whom.
pub const HAND_OVER: &str = "Hand it over";
