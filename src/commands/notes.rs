//! Notes: what happened, in words.

use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::ids::{EventId, RecordId, SubmissionKey};
use crate::error::Result;

use super::door::{Verb, Written, write};
use super::files::NewFiles;

pub use crate::domain::verbs::NewNote;

/// Adds a note to a record. Notes never conflict.
///
/// # Errors
/// [`crate::error::Error::Refused`] if the record is deleted.
pub async fn add(app: &App, actor: &Actor, key: SubmissionKey, record: RecordId, note: NewNote) -> Result<Written> {
    add_with_files(app, actor, key, record, note, NewFiles::default()).await
}

/// [`add`], with the files that belong to the note.
///
/// # Errors
/// [`crate::error::Error::Refused`] if the record is deleted, or the household may keep no more files.
pub async fn add_with_files(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    note: NewNote,
    files: NewFiles,
) -> Result<Written> {
    let NewFiles { files, label } = files;
    write(app, actor, key, Verb::AddNote { record, note, files, label }).await
}

/// Rewords a note. Both wordings stay in the history.
///
/// # Errors
/// [`crate::error::Error::Conflict`] if somebody else reworded it since the form was opened at `version`.
pub async fn correct(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    note: EventId,
    version: i64,
    form: NewNote,
) -> Result<Written> {
    write(app, actor, key, Verb::CorrectNote { record, note, version, form }).await
}
