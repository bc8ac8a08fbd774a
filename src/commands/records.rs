//! The verbs of a record, for whoever speaks for a member: a page, the API, the command line.

use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::ids::{EventId, MemberId, RecordId, SubmissionKey};
use crate::domain::text::Reason;
use crate::error::Result;

use super::door::{Verb, write};
use super::files::NewFiles;

pub use super::door::Written;
pub use crate::domain::verbs::{EditRecord, Meaning, NewRecord};

/// Begins a record.
///
/// # Errors
/// [`crate::error::Error::Forbidden`] for a viewer, [`crate::error::Error::Refused`] if two fields have one name.
pub async fn create(app: &App, actor: &Actor, key: SubmissionKey, new: NewRecord) -> Result<Written> {
    create_with_files(app, actor, key, new, NewFiles::default()).await
}

/// [`create`], with its first files.
///
/// # Errors
/// The same, and [`crate::error::Error::Refused`] if the household may keep no more files.
pub async fn create_with_files(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    new: NewRecord,
    files: NewFiles,
) -> Result<Written> {
    let NewFiles { files, label } = files;
    write(app, actor, key, Verb::Create { new, files, label }).await
}

/// Changes what a record says. A form that changes nothing appends nothing.
///
/// # Errors
/// [`crate::error::Error::Conflict`] if somebody else changed the same fields since the form was opened.
pub async fn edit(app: &App, actor: &Actor, key: SubmissionKey, record: RecordId, form: EditRecord) -> Result<Written> {
    write(app, actor, key, Verb::Edit { record, form }).await
}

/// Puts a record away. It can be restored at any time.
///
/// # Errors
/// [`crate::error::Error::Refused`] if it is deleted already.
pub async fn delete(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    reason: Option<Reason>,
) -> Result<Written> {
    write(app, actor, key, Verb::Delete { record, reason }).await
}

/// Brings a deleted record back.
///
/// # Errors
/// [`crate::error::Error::Refused`] if it is not deleted.
pub async fn restore(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    reason: Option<Reason>,
) -> Result<Written> {
    write(app, actor, key, Verb::Restore { record, reason }).await
}

/// Shows a record, its whole past included, to the household.
///
/// # Errors
/// [`crate::error::Error::Forbidden`] if the member does not keep it.
pub async fn share(app: &App, actor: &Actor, key: SubmissionKey, record: RecordId) -> Result<Written> {
    write(app, actor, key, Verb::Share { record }).await
}

/// Keeps a record to its owner from now on.
///
/// # Errors
/// [`crate::error::Error::Forbidden`] if the member does not keep it.
pub async fn unshare(app: &App, actor: &Actor, key: SubmissionKey, record: RecordId) -> Result<Written> {
    write(app, actor, key, Verb::Unshare { record }).await
}

/// Gives a record to another member, who alone decides about it from then on. A private one leaves the sight of whoever
/// gave it.
///
/// # Errors
/// [`crate::error::Error::Forbidden`] if the member does not keep it, [`crate::error::Error::Refused`] if the other one is
/// not in the household.
pub async fn hand_over(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    to: MemberId,
) -> Result<Written> {
    write(app, actor, key, Verb::HandOver { record, to }).await
}

/// Undoes an event of a record: what it said no longer holds, and the history says who undid it and why.
///
/// # Errors
/// [`crate::error::Error::Refused`] if it is undone already or is the record's beginning.
pub async fn retract(
    app: &App,
    actor: &Actor,
    key: SubmissionKey,
    record: RecordId,
    event: EventId,
    reason: Option<Reason>,
) -> Result<Written> {
    write(app, actor, key, Verb::Retract { record, event, reason }).await
}
