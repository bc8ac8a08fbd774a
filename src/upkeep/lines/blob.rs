//! A content's line.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Line, instant};
use crate::blobs::{Objects, Wrapped};
use crate::domain::attachment::BlobId;
use crate::domain::chain::{hex, unhex};
use crate::domain::ids::HouseholdId;
use crate::store::blobs::Blob;

/// A content: what it is called, which object holds it, and its key, wrapped under the master key that is named.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobLine {
    household: Uuid,
    digest: String,
    size: u64,
    object: String,
    key_id: String,
    wrapped_key: String,
    created_at: String,
}

impl From<Blob> for Line {
    fn from(blob: Blob) -> Self {
        Self::Blob(BlobLine {
            household: blob.household.0,
            digest: blob.id.to_string(),
            size: blob.size,
            object: blob.object,
            key_id: blob.wrapped.key_id,
            wrapped_key: hex(&blob.wrapped.bytes),
            created_at: blob.created_at.to_string(),
        })
    }
}

impl BlobLine {
    /// As the database keeps it.
    pub fn blob(self) -> Result<Blob, String> {
        if !Objects::is_name(&self.object) {
            return Err("names an object as no object is named".to_owned());
        }
        let bytes: [u8; 76] = unhex(&self.wrapped_key).ok_or("has a wrapped key that is none")?;
        Ok(Blob {
            household: HouseholdId(self.household),
            id: BlobId(unhex(&self.digest).ok_or("has a digest that is none")?),
            size: self.size,
            object: self.object,
            wrapped: Wrapped { key_id: self.key_id, bytes: bytes.to_vec() },
            created_at: instant("created_at", &self.created_at)?,
        })
    }
}
