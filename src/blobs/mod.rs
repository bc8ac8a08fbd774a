//! Files: sealed on their way to the store and opened on their way back. No plain byte is ever written anywhere.
//!
//! What a file's content is called and which object holds it, the database knows; here are only bytes.

mod intake; // from a stream to an object
mod objects; // a directory or S3
mod outlet; // from an object to a stream
mod places; // how many at once
pub mod seal; // the chunks

pub use intake::{Arrived, Failed, PIECE};
pub use objects::{Objects, StoreError};
pub use outlet::{Unreadable, content, stream, whole};
pub use places::{Place, Places};

use std::fmt;

use crate::domain::attachment::BlobId;
use crate::domain::ids::HouseholdId;
use crate::error::{Error, Result};
use crate::keys::{Keyring, MasterKey, random};
use crate::seal as small;

/// The purpose under which data keys are wrapped.
const PURPOSE: &str = "blob key";

/// The key of one content. It shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey(pub(crate) [u8; 32]);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// A data key as it is kept: wrapped under a master key, for one content of one household.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrapped {
    /// The master key's id.
    pub key_id: String,
    /// The sealed bytes.
    pub bytes: Vec<u8>,
}

impl DataKey {
    /// A new key.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn new() -> Result<Self> {
        Ok(Self(random()?))
    }

    /// Wraps it under a master key. `role` tells a content's own key from that of its thumbnail.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn wrap(&self, key: &MasterKey, household: HouseholdId, blob: BlobId, role: Role) -> Result<Wrapped> {
        let key_id = key.id();
        let bytes = small::seal_under(key, PURPOSE, &about(household, blob, role, &key_id), &self.0)?;
        Ok(Wrapped { key_id, bytes })
    }
}

/// What a wrapped key is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A content.
    Content,
    /// Its thumbnail.
    Thumbnail,
}

impl Wrapped {
    /// The key, if one of the master keys wrapped it, for this content of this household.
    ///
    /// # Errors
    /// [`Error::Internal`] if none of them did, or it was changed.
    pub fn unwrap(&self, keys: &Keyring, household: HouseholdId, blob: BlobId, role: Role) -> Result<DataKey> {
        let key = keys.named(&self.key_id).ok_or_else(|| {
            Error::internal(format!("a file is sealed under the master key {}, which is not here", self.key_id))
        })?;
        let opened = small::open_under(&key, PURPOSE, &about(household, blob, role, &self.key_id), &self.bytes);
        let bytes: Option<[u8; 32]> = opened.and_then(|bytes| bytes.try_into().ok());
        bytes.map(DataKey).ok_or_else(|| Error::internal("a file's wrapped key was changed"))
    }
}

/// What is bound to a wrapped key: household, digest, role and the master key's id.
fn about(household: HouseholdId, blob: BlobId, role: Role, key_id: &str) -> Vec<u8> {
    let role: &[u8] = match role {
        Role::Content => b"content",
        Role::Thumbnail => b"thumbnail",
    };
    [household.0.as_bytes().as_slice(), &blob.0, role, b"\0", key_id.as_bytes()].concat()
}

/// A content as the database knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The object that holds it.
    pub object: String,
    /// Its plain bytes.
    pub size: u64,
    /// Its key.
    pub key: DataKey,
}

/// The store and the places at it.
#[derive(Clone, Debug)]
pub struct Blobs {
    /// The objects.
    pub objects: Objects,
    /// Uploads at once.
    pub places: Places,
    /// Thumbnails that are made at once.
    pub pictures: std::sync::Arc<tokio::sync::Semaphore>,
}

impl Blobs {
    /// Opens the store.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with a sentence.
    pub fn open(place: &crate::config::BlobPlace) -> Result<Self> {
        let objects = Objects::open(place)?;
        let places = Places::new(if objects.is_directory() { 32 } else { 8 });
        Ok(Self { objects, places, pictures: std::sync::Arc::new(tokio::sync::Semaphore::new(1)) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_is_for_one_content_of_one_household_under_one_key() {
        let (mine, other) = (MasterKey::from_bytes([1; 32]), MasterKey::from_bytes([2; 32]));
        let (home, away) = (HouseholdId::new(), HouseholdId::new());
        let (blob, elsewhere) = (BlobId([3; 32]), BlobId([4; 32]));
        let key = DataKey::new().unwrap();
        let wrapped = key.wrap(&mine, home, blob, Role::Content).unwrap();
        let ring = Keyring::from(mine.clone());
        assert_eq!(wrapped.unwrap(&ring, home, blob, Role::Content).unwrap(), key);
        for (ring, home, blob, role) in [
            (Keyring::from(other.clone()), home, blob, Role::Content),
            (ring.clone(), away, blob, Role::Content),
            (ring.clone(), home, elsewhere, Role::Content),
            (ring.clone(), home, blob, Role::Thumbnail),
        ] {
            assert!(wrapped.unwrap(&ring, home, blob, role).is_err());
        }
        let renamed = Wrapped { key_id: other.id(), ..wrapped.clone() };
        assert!(renamed.unwrap(&Keyring::from(other), home, blob, Role::Content).is_err());
        let mut changed = wrapped.clone();
        changed.bytes[40] ^= 1;
        assert!(changed.unwrap(&ring, home, blob, Role::Content).is_err());
        assert!(!format!("{key:?} {wrapped:?}").contains(&crate::domain::chain::hex(&key.0)));
    }
}
