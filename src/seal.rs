//! Small things sealed under the master key (AES-256-GCM): what must lie in the database or travel through a browser and
//! come back unread and unchanged.
//!
//! A sealed thing is 16 bytes of salt, 12 bytes of nonce, the cipher text and its tag. Each sealing has a key of its own,
//! derived from the purpose and the salt, so that it does not matter how many there are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::chain::hex;
use crate::error::{Error, Result};
use crate::keys::{Keyring, MasterKey, random};

const SALT: usize = 16;
const NONCE: usize = 12;

/// Seals bytes for a purpose under the current master key. `about` is not sealed in, but must be the same when it is
/// opened.
///
/// # Errors
/// If the system gives no random bytes.
pub fn seal(keys: &Keyring, purpose: &str, about: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    seal_under(&keys.current(), purpose, about, plain)
}

/// [`seal`], under a key that is named.
///
/// # Errors
/// If the system gives no random bytes.
pub fn seal_under(key: &MasterKey, purpose: &str, about: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let head = random::<{ SALT + NONCE }>()?;
    let (key, nonce) = opener(key, purpose, &head)?;
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(about), &mut sealed).map_err(Error::internal)?;
    Ok([head.as_slice(), &sealed].concat())
}

/// Opens what [`seal`] made; nothing if it was made under a key that is not on the ring, for another purpose or about
/// something else, or was changed.
pub fn open(keys: &Keyring, purpose: &str, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    keys.all().iter().find_map(|key| open_under(key, purpose, about, sealed))
}

/// [`open`], under a key that is named.
pub fn open_under(key: &MasterKey, purpose: &str, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = sealed.split_first_chunk::<{ SALT + NONCE }>()?;
    let (key, nonce) = opener(key, purpose, head).ok()?;
    let mut rest = rest.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(about), &mut rest).ok()?.len();
    rest.truncate(plain);
    Some(rest)
}

/// Seals a value as text that a form's hidden field can carry.
///
/// # Errors
/// If the system gives no random bytes.
pub fn seal_text(keys: &Keyring, purpose: &str, value: &impl Serialize) -> Result<String> {
    let plain = serde_json::to_vec(value).map_err(Error::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(seal(keys, purpose, b"", &plain)?))
}

/// Opens what [`seal_text`] made.
pub fn open_text<T: DeserializeOwned>(keys: &Keyring, purpose: &str, text: &str) -> Option<T> {
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&open(keys, purpose, b"", &sealed)?).ok()
}

fn opener(key: &MasterKey, purpose: &str, head: &[u8; SALT + NONCE]) -> Result<(LessSafeKey, Nonce)> {
    let subkey = key.subkey(&format!("{purpose} {}", hex(&head[..SALT])));
    let key = UnboundKey::new(&AES_256_GCM, &subkey).map_err(Error::internal)?;
    let nonce = Nonce::try_assume_unique_for_key(&head[SALT..]).map_err(Error::internal)?;
    Ok((LessSafeKey::new(key), nonce))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_purpose_and_thing_open_it() {
        let [key, other] = [[1; 32], [2; 32]].map(|bytes| Keyring::from(MasterKey::from_bytes(bytes)));
        let sealed = seal(&key, "a", b"ana", b"words").unwrap();
        assert_eq!(open(&key, "a", b"ana", &sealed).unwrap(), b"words");
        assert_ne!(sealed, seal(&key, "a", b"ana", b"words").unwrap(), "twice is not the same");
        assert!(open(&other, "a", b"ana", &sealed).is_none());
        assert!(open(&key, "b", b"ana", &sealed).is_none());
        assert!(open(&key, "a", b"ben", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, "a", b"ana", &changed).is_none(), "byte {at}");
            assert!(open(&key, "a", b"ana", &sealed[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn text_comes_back_as_the_value() {
        let key = Keyring::from(MasterKey::from_bytes([1; 32]));
        let text = seal_text(&key, "form", &("Träume".to_owned(), 7)).unwrap();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
        assert_eq!(open_text::<(String, i64)>(&key, "form", &text).unwrap(), ("Träume".to_owned(), 7));
        assert!(open_text::<(String, i64)>(&key, "form", "nonsense").is_none());
        assert!(open_text::<i64>(&key, "form", &text).is_none());
    }
}
