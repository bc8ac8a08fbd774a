//! Every way an action can fail, in a household's words. The edge (page, fragment, JSON) gives each its status; what
//! happened inside goes to the log under the request's id, never to the person.

use crate::domain::Refusal;
use crate::domain::conflict::Conflict;
use crate::store::db::DbError;

/// An action failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it is not this member's to see. Status 404.
    #[error("not found")]
    NotFound,
    /// The member may see it but not do this. Carries a sentence that says who may. Status 403.
    #[error("{0}")]
    Forbidden(String),
    /// The domain said no, with a sentence that says what to do. Status 422.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Somebody else changed the same fields since the form was shown. Status 409.
    #[error("somebody else changed the same fields")]
    Conflict(Box<Conflict>),
    /// The same submission key came with another body. Status 409.
    #[error("This form was sent before with other words. Open it again and send it once more.")]
    SubmissionReused,
    /// Too many tries. Status 429 with `Retry-After`.
    #[error("{sentence}")]
    Throttled {
        /// How long to wait, in seconds.
        seconds: i64,
        /// What to tell the person.
        sentence: String,
    },
    /// Not now, but later. Status 503.
    #[error("{0}")]
    Unavailable(String),
    /// Something inside broke. Status 500; the text is for the log alone.
    #[error("{0}")]
    Internal(String),
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Busy => Self::Unavailable("There is too much to do just now. Try again in a minute.".into()),
            // Nobody sees it: the work is done again.
            DbError::Refuted => Self::Unavailable("Something changed just now. Try again.".into()),
            DbError::TooLong => Self::Unavailable(
                "This took too long and was given up. Ask for less at once: write another word, or choose a filter."
                    .into(),
            ),
            error => Self::Internal(error.to_string()),
        }
    }
}

impl Error {
    /// An inner failure with the words for the log.
    pub fn internal(words: impl std::fmt::Display) -> Self {
        Self::Internal(words.to_string())
    }
}

/// What an action returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
