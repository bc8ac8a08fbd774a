//! LifeOps keeps a household's life records as append-only event streams that nobody can silently overwrite.
//!
//! The map, in reading order; `docs/architecture.md` walks a write and a read through it.

pub mod app; // App: all that a request may touch
pub mod blobs; // files: sealed content, the object store
pub mod commands; // the write side: every change goes through here
pub mod config; // settings, checked whole
pub mod domain; // pure: what an event means, what a record is, what is refused
pub mod error; // every way an action can fail
pub mod keys; // the master key and what is derived from it
pub mod passwords; // Argon2id, bounded
pub mod seal; // small things sealed under the master key
pub mod store; // SQL: the ledger, its projections, accounts, sessions
mod thumbnail; // small pictures
pub mod totp; // codes of authenticator apps
mod turns; // one after the other
pub mod upkeep; // verify, rebuild, export, restore, import, demo
pub mod web; // HTML: routes, guards, replies
