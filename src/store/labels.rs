//! The records that have a tag or a category.

use crate::domain::access::Actor;
use crate::domain::ids::RecordId;
use crate::error::Result;

use super::db::{Tx, sql};

pub use super::projection::labels::{CATEGORY, TAG};

/// Records that the member may see, that are not deleted, and that have a label whose key is `key` and that is not spelt
/// `spelling`; at most `limit`.
///
/// # Errors
/// If the database refuses.
pub async fn carriers(
    tx: &mut Tx,
    actor: &Actor,
    kind: &str,
    key: &str,
    spelling: &str,
    limit: usize,
) -> Result<Vec<RecordId>> {
    let rows = sql(format!(
        "select record_id from record_label
         where household_id = $1 and scope in ($1, $2) and deleted = $3 and kind = $4 and label_key = $5 and label <> $6
         order by record_id
         limit {limit}"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(false)
    .bind(kind)
    .bind(key)
    .bind(spelling)
    .all(&mut *tx)
    .await?;
    rows.iter().map(|row| Ok(RecordId(row.uuid("record_id")?))).collect()
}
