//! SQL. One text per query, lower-case, run on both engines through [`db`]; a second dialect needs a line here that
//! says why.
//!
//! Dialects: the migrations (types differ), and [`db::Db::begin`] (SQLite takes its write lock when it begins).

pub mod accounts; // people who sign in
pub mod attachments; // the files of records
pub mod attempts; // throttling
pub mod blobs; // contents, uploads, thumbnails
mod changes; // what an event changed, in its entry
pub mod compare; // projections of two databases, row by row
mod conditions; // what statements that are put together share
pub mod copying; // primary data beside the events, as it is
pub mod count; // how many there are, as far as lists count
pub mod db; // the only match on the engine
pub mod devices; // browsers that accounts were signed in with
pub mod fields; // a field's own history, and what fields were
pub mod filter; // lists: filters, orders, pages
pub mod history; // a record's story and its fields' own histories
pub mod installation; // its key, and whether it was begun
pub mod invitations; // links into a household
pub mod labels; // records that have a tag or a category
pub mod ledger; // the two doors: append and replay
pub mod members; // who belongs to a household
pub mod news; // what the others wrote, since a member last said "seen"
pub mod own; // what a member takes along
pub mod people; // who belongs to the household, and what they were called when
pub mod projection; // the read model's rows, from the fold
pub mod resets; // links to set a new password, and what people must be told
pub mod saved_views; // filters that members gave a name
pub mod search; // records that hold the words that were typed
pub mod second_factors; // sealed secrets and recovery codes
pub mod sessions; // signed-in browsers
pub mod streams; // a stream's facts
pub mod submissions; // accepted forms, by idempotency key
pub mod surroundings; // what every page shows of a household
pub mod timeline; // what happened in the household
pub mod views; // what pages read
pub mod wordings; // how notes read, now and before
