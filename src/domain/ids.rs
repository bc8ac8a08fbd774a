//! Identities: one type per thing, so that a record is never mistaken for a member.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identity, ordered by the time it was made (UUID version 7, RFC 9562).
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    };
}

id!(
    /// A household: the people who share a home and its ledger.
    HouseholdId
);
id!(
    /// An account: a person who can sign in.
    AccountId
);
id!(
    /// A member: an account in a household.
    MemberId
);
id!(
    /// A record: the stable identity of a real-life thing or matter.
    RecordId
);
id!(
    /// An event in a stream.
    EventId
);
id!(
    /// Events that belong together and are undone together.
    BatchId
);
id!(
    /// An attachment: the fact that a record has a file.
    AttachmentId
);
id!(
    /// An upload: bytes that arrived and that no event mentions yet.
    UploadId
);
id!(
    /// An invitation to a household.
    InvitationId
);
id!(
    /// The idempotency key of one submitted form or request.
    SubmissionKey
);

impl RecordId {
    /// The stream of the household itself: its id is the household's id.
    pub fn household_stream(household: HouseholdId) -> Self {
        Self(household.0)
    }
}
