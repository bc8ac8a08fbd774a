//! The write side. Every change of a record goes through [`door::write`]: hold, load, decide, append, project, commit,
//! in one function and one transaction. Nothing here knows HTTP.

pub mod accounts; // people who sign in
pub mod batch; // many records at once, for imports
pub mod devices; // known devices
pub mod door; // the one door for writes
pub mod files; // the files of a record
pub mod household; // its name and its members
pub mod invitations;
mod keeping; // who keeps and sees a record
pub mod labels; // how people join
pub mod news; // what a member has seen
pub mod notes; // what happened, in words
pub mod pictures; // contents as they are kept, and thumbnails
pub mod proof; // passwords looked at
pub mod records; // the verbs of a record
pub mod resets; // forgotten passwords
pub mod second_factor; // codes asked for after the password
mod tries; // counted before a password is looked at
pub mod uploads; // bytes that arrive
