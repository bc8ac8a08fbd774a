//! LifeOps keeps a household's life records as append-only event streams that nobody can silently overwrite.

pub mod domain; // pure: what an event means, what a record is, what is refused
