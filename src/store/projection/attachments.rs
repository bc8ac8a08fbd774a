//! The rows of the files that records have.

use crate::domain::attachment::{Attachment, Standing, fold};
use crate::domain::event::{Event, Fact, Payload};
use crate::domain::ids::AttachmentId;
use crate::error::{Error, Result};
use crate::store::db::{Tx, sql};

/// Writes what an event that is no retraction does to the record's files.
pub(super) async fn apply(tx: &mut Tx, event: &Event, fact: &Fact) -> Result<()> {
    match &fact.payload {
        Payload::AttachmentAdded(added) => {
            if let Some(old) = added.supersedes {
                settle(tx, event, old, Standing::Superseded).await?;
            }
            insert(tx, event, &Attachment::added(fact.event, fact.position, fact.occurred, added)).await
        }
        Payload::AttachmentChanged(changed) => {
            sql("
                update attachment set label = coalesce($4, label), file_name = coalesce($5, file_name)
                where household_id = $1 and record_id = $2 and id = $3")
            .bind(event.household)
            .bind(event.record)
            .bind(changed.attachment_id)
            .bind(changed.label.map(|label| label.as_str()))
            .bind(changed.file_name.as_ref().map(|name| name.as_str()))
            .later(&mut *tx)
            .await?;
            Ok(())
        }
        Payload::AttachmentRemoved(removed) => settle(tx, event, removed.attachment_id, Standing::Removed).await,
        _ => Ok(()),
    }
}

/// Writes what a retraction does to them: `earlier` is the stream before it, `facts` the stream with it.
pub(super) async fn fold_again(tx: &mut Tx, event: &Event, earlier: &[Fact], facts: &[Fact]) -> Result<()> {
    let before = fold(earlier);
    for (old, new) in before.iter().zip(fold(facts)).filter(|(old, new)| *old != new) {
        debug_assert_eq!(old.id, new.id);
        sql("
            update attachment set label = $4, file_name = $5, standing = $6
            where household_id = $1 and record_id = $2 and id = $3")
        .bind(event.household)
        .bind(event.record)
        .bind(new.id)
        .bind(new.label.map(|label| label.as_str()))
        .bind(new.file_name.as_str())
        .bind(new.standing.as_str())
        .later(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn settle(tx: &mut Tx, event: &Event, id: AttachmentId, standing: Standing) -> Result<()> {
    sql("
        update attachment set standing = $4
        where household_id = $1 and record_id = $2 and id = $3 and standing = 'present'")
    .bind(event.household)
    .bind(event.record)
    .bind(id)
    .bind(standing.as_str())
    .later(&mut *tx)
    .await?;
    Ok(())
}

async fn insert(tx: &mut Tx, event: &Event, one: &Attachment) -> Result<()> {
    sql("
        insert into attachment
            (household_id, id, record_id, event_id, position, blob, file_name, media_type, size, label, note_id,
             supersedes_id, occurred, standing)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)")
    .bind(event.household)
    .bind(one.id)
    .bind(event.record)
    .bind(one.event)
    .bind(one.position)
    .bind(one.blob)
    .bind(one.file_name.as_str())
    .bind(&one.media_type)
    .bind(i64::try_from(one.size).map_err(Error::internal)?)
    .bind(one.label.map(|label| label.as_str()))
    .bind(one.note)
    .bind(one.supersedes)
    .bind(one.occurred.to_string())
    .bind(one.standing.as_str())
    .later(&mut *tx)
    .await?;
    Ok(())
}
