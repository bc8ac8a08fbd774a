//! The files of a record: adding, relabelling, replacing, removing.

use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::attachment::{Label, NewFile};
use crate::domain::ids::{AttachmentId, EventId, RecordId, SubmissionKey};
use crate::domain::text::FileName;
use crate::domain::when::Occurred;
use crate::error::Result;

use super::door::{Verb, Written, write};

/// What a form says about the files that it brings.
#[derive(Clone, Debug, Default)]
pub struct NewFiles {
    /// The files, as they arrived.
    pub files: Vec<NewFile>,
    /// What they are.
    pub label: Option<Label>,
}

/// Adds files to a record, or to one of its notes. Files never conflict.
///
/// # Errors
/// [`crate::error::Error::Refused`] if the record is deleted, has no such note, or the household may keep no more.
pub async fn add(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    note: Option<EventId>,
    new: NewFiles,
    occurred: Occurred,
) -> Result<Written> {
    let NewFiles { files, label } = new;
    write(app, actor, key, Verb::AddFiles { record, to: note, files, label, occurred }).await
}

/// Gives a file another label or name.
///
/// # Errors
/// [`crate::error::Error::Refused`] if it was removed or replaced.
pub async fn change(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    file: AttachmentId,
    label: Option<Label>,
    name: FileName,
) -> Result<Written> {
    write(app, actor, key, Verb::ChangeFile { record, file, label, name }).await
}

/// Puts another file in the place of one, which stays in the history.
///
/// # Errors
/// [`crate::error::Error::Refused`] if it was removed or replaced.
pub async fn replace(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    file: AttachmentId,
    by: NewFile,
) -> Result<Written> {
    write(app, actor, key, Verb::ReplaceFile { record, file, by: vec![by] }).await
}

/// Takes a file off its record. It stays in the history, and can be brought back there.
///
/// # Errors
/// [`crate::error::Error::Refused`] if it was removed or replaced already.
pub async fn remove(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    file: AttachmentId,
) -> Result<Written> {
    write(app, actor, key, Verb::RemoveFile { record, file }).await
}
