//! What an event says; and what it changed, as its entry in the story keeps it: a page of a story or of the timeline reads
//! one row an event. The same changes stand in `record_change` too, where a field finds its own history.

use serde::{Deserialize, Serialize};

use crate::domain::event::Payload;
use crate::domain::field::FieldValue;
use crate::domain::record::{FieldChange, NOTE};
use crate::domain::when::Occurred;
use crate::error::{Error, Result};

use super::db::{Row, bad};

#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old: Option<FieldValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new: Option<FieldValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effective: Option<String>,
    in_force: bool,
}

/// What an event says, from its columns.
pub(super) fn payload(row: &Row) -> Result<Payload> {
    let payload = Payload::decode(row.str("kind")?, row.int("payload_version")?, row.slice("payload")?);
    let position = row.int("position")?;
    payload.map_err(|problem| Error::internal(format!("event {position}: {problem}")))
}

/// A change as it is shown: what was told late about an earlier time replaced nothing that was there to be seen.
pub(super) fn shown(change: FieldChange) -> FieldChange {
    let old = change.old.filter(|_| change.in_force);
    FieldChange { old, ..change }
}

/// The changes as JSON, by field; none if there is nothing to show. How a note read before is told by the events.
pub(super) fn write(changes: &[FieldChange]) -> Result<Option<String>> {
    let told = changes.iter().filter(|change| change.key.split(':').next() != Some(NOTE));
    let mut kept: Vec<Kept> = told
        .map(|change| {
            let FieldChange { key, label, old, new, effective, in_force } = shown(change.clone());
            Kept { key, label, old, new, effective: effective.map(|effective| effective.to_string()), in_force }
        })
        .collect();
    if kept.is_empty() {
        return Ok(None);
    }
    kept.sort_by(|a, b| a.key.cmp(&b.key));
    serde_json::to_string(&kept).map(Some).map_err(Error::internal)
}

/// The changes of an entry, from its column `changes`.
pub(super) fn read(row: &Row) -> Result<Vec<FieldChange>> {
    let Some(json) = row.opt_text("changes")? else { return Ok(Vec::new()) };
    let kept: Vec<Kept> = serde_json::from_str(&json).map_err(|e| bad("changes", &e.to_string()))?;
    kept.into_iter()
        .map(|Kept { key, label, old, new, effective, in_force }| {
            let effective = effective.map(|iso| Occurred::parse_iso(&iso)).transpose();
            let effective = effective.map_err(|e| bad("changes", &e.0))?;
            Ok(FieldChange { key, label, old, new, effective, in_force })
        })
        .collect()
}
