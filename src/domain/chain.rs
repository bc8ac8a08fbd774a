//! The hash chain: any changed column, missing, added or swapped event shows.
//!
//! Every step is fixed for ever, with frozen vectors in the tests and in `docs/architecture.md`:
//!
//! ```text
//! payload_digest = SHA-256("lifeops.payload.1\0" || salt || payload bytes)
//! envelope       = RFC 8785 JSON of the columns
//! leaf(n)        = SHA-256("lifeops.event.1\0" || envelope)
//! hash(0)        = SHA-256("lifeops.genesis.1\0" || household id, 16 bytes)
//! hash(n)        = SHA-256("lifeops.chain.1\0" || hash(n-1) || leaf(n))
//! ```

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::event::Event;
use super::ids::HouseholdId;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The only algorithm there is so far; it is in every envelope.
pub const ALGORITHM: u8 = 1;

/// An event's columns under their names in the envelope, in the order of RFC 8785 (by UTF-16 code unit).
#[derive(Serialize)]
struct Envelope<'a> {
    actor: Option<String>,
    alg: u8,
    batch: Option<String>,
    event: String,
    household: String,
    kind: &'a str,
    occurred: String,
    payload_digest: String,
    payload_version: i64,
    position: i64,
    record: String,
    recorded: String,
    version: i64,
    via: &'a str,
    via_ref: Option<&'a str>,
}

/// The digest of a payload with its salt.
pub fn payload_digest(salt: &[u8; 16], payload: &[u8]) -> Hash {
    digest(&[b"lifeops.payload.1\0", salt, payload])
}

/// The envelope: the columns as canonical JSON. It is recomputed whenever it is needed, never stored.
pub fn envelope(event: &Event) -> Vec<u8> {
    let envelope = Envelope {
        actor: event.actor.map(|id| id.to_string()),
        alg: ALGORITHM,
        batch: event.batch.map(|id| id.to_string()),
        event: event.event.to_string(),
        household: event.household.to_string(),
        kind: &event.kind,
        occurred: event.occurred.to_string(),
        payload_digest: hex(&payload_digest(&event.salt, &event.payload)),
        payload_version: event.payload_version,
        position: event.position,
        record: event.record.to_string(),
        recorded: event.recorded.to_string(),
        version: event.version,
        via: &event.via,
        via_ref: event.via_ref.as_deref(),
    };
    // Strings and whole numbers: serialising to memory cannot fail. serde_json escapes strings as RFC 8785 asks.
    serde_json::to_vec(&envelope).unwrap_or_default()
}

/// An event's leaf.
pub fn leaf(event: &Event) -> Hash {
    digest(&[b"lifeops.event.1\0", &envelope(event)])
}

/// The hash before a household's first event.
pub fn genesis(household: HouseholdId) -> Hash {
    digest(&[b"lifeops.genesis.1\0", household.0.as_bytes()])
}

/// The hash of an event from the one before it and its leaf.
pub fn link(before: &Hash, leaf: &Hash) -> Hash {
    digest(&[b"lifeops.chain.1\0", before, leaf])
}

fn digest(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Reads what [`hex`] writes.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(out)
}

/// The head code that a person keeps elsewhere: the last hash in hexadecimal, in eight groups of eight, so that two
/// of them are easy to compare by eye.
pub fn head_code(hash: &Hash) -> String {
    let text = hex(hash);
    let groups: Vec<&str> = (0..8).filter_map(|at| text.get(at * 8..at * 8 + 8)).collect();
    groups.join("-")
}
