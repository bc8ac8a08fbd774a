//! Pure: no I/O, no clock, nothing of the other layers. Values that cannot be built wrong, events, the fold, the
//! verbs, and the hash chain.

pub mod access;
pub mod analysis;
pub mod attachment;
pub mod chain;
pub mod conflict;
pub mod event;
pub mod field;
pub mod fold;
pub mod household;
pub mod ids;
pub mod instant;
pub mod media;
pub mod membership;
pub mod money;
pub mod order;
pub mod person;
pub mod query;
pub mod record;
pub mod searchable;
pub mod summary;
pub mod text;
pub mod verbs;
pub mod when;

/// The domain said no: a sentence that a person understands and that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}
