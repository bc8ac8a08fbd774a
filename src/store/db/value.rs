//! Values bound to statements.

use uuid::Uuid;

use crate::domain::attachment::BlobId;
use crate::domain::ids::{
    AccountId, AttachmentId, BatchId, EventId, HouseholdId, InvitationId, MemberId, RecordId, SubmissionKey, UploadId,
};
use crate::domain::instant::Instant;

/// A value bound to a statement.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text; `text` on both.
    Text(Option<String>),
    /// A whole number; `bigint` and `integer`.
    Int(Option<i64>),
    /// A truth value; `boolean` and `integer`.
    Bool(Option<bool>),
    /// Bytes; `bytea` and `blob`.
    Bytes(Option<Vec<u8>>),
    /// An identity; `uuid` and `text`.
    Uuid(Option<Uuid>),
    /// An instant; `timestamptz` and `integer` (microseconds).
    Instant(Option<Instant>),
}

macro_rules! value_from {
    ($($from:ty => |$v:ident| $variant:ident($make:expr);)*) => {$(
        impl From<$from> for Value {
            fn from($v: $from) -> Self {
                Self::$variant(Some($make))
            }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map(|$v| $make))
            }
        }
    )*};
}

value_from! {
    &str => |v| Text(v.to_owned());
    String => |v| Text(v);
    &String => |v| Text(v.clone());
    i64 => |v| Int(v);
    bool => |v| Bool(v);
    Vec<u8> => |v| Bytes(v);
    &[u8] => |v| Bytes(v.to_vec());
    [u8; 32] => |v| Bytes(v.to_vec());
    [u8; 16] => |v| Bytes(v.to_vec());
    Uuid => |v| Uuid(v);
    Instant => |v| Instant(v);
    HouseholdId => |v| Uuid(v.0);
    AccountId => |v| Uuid(v.0);
    MemberId => |v| Uuid(v.0);
    RecordId => |v| Uuid(v.0);
    EventId => |v| Uuid(v.0);
    BatchId => |v| Uuid(v.0);
    AttachmentId => |v| Uuid(v.0);
    UploadId => |v| Uuid(v.0);
    BlobId => |v| Bytes(v.0.to_vec());
    InvitationId => |v| Uuid(v.0);
    SubmissionKey => |v| Uuid(v.0);
}
