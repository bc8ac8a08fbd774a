//! What a member has seen of what the others wrote. It is nobody else's business, and no event: it changes no record.

use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::ids::RecordId;
use crate::error::Result;
use crate::store::{news, views};

/// Notes that a member has seen what is in one record, or in all of them, up to a position of the ledger. Doing it again
/// changes nothing.
///
/// # Errors
/// [`crate::error::Error::NotFound`] if the record is not the member's to see.
pub async fn seen(app: &App, actor: &Actor, record: Option<RecordId>, upto: i64) -> Result<()> {
    let mut tx = app.db.begin().await?;
    if let Some(record) = record {
        views::record(&mut tx, actor, record).await?;
    }
    news::mark(&mut tx, actor, record, upto).await?;
    Ok(tx.commit().await?)
}
