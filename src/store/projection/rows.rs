//! The rows of each projection.

use crate::domain::event::Event;
use crate::domain::field::FieldValue;
use crate::domain::ids::{HouseholdId, MemberId};
use crate::domain::record::FieldChange;
use crate::domain::text::fold;
use crate::error::{Error, Result};
use crate::store::db::{Tx, rows_of, sql};

use super::View;

/// Writes a record's row. `by` is who did its latest event.
pub(super) async fn write_view(
    tx: &mut Tx,
    household: HouseholdId,
    view: &View,
    by: Option<MemberId>,
    new: bool,
) -> Result<()> {
    let state = serde_json::to_string(&view.state).map_err(Error::internal)?;
    let summary = serde_json::to_string(&view.summary).map_err(Error::internal)?;
    if new {
        sql("
            insert into record (household_id, id, created_at) values ($1, $2, $3)
            on conflict (household_id, id) do nothing")
        .bind(household)
        .bind(view.record)
        .bind(view.created_at)
        .later(&mut *tx)
        .await?;
        if let Some(external) = &view.state.external {
            sql("
                insert into external_ref (household_id, source, reference, record_id)
                values ($1, $2, $3, $4)")
            .bind(household)
            .bind(&external.source)
            .bind(&external.reference)
            .bind(view.record)
            .later(&mut *tx)
            .await?;
        }
    }
    let text = if new {
        "insert into record_view
             (household_id, id, version, position, owner_id, visibility, deleted, title, category, category_key, state,
              summary, created_at, changed_at, last_by, has_files, happened)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
    } else {
        "update record_view
         set version = $3, position = $4, owner_id = $5, visibility = $6, deleted = $7, title = $8, category = $9,
             category_key = $10, state = $11, summary = $12, created_at = $13, changed_at = $14,
             last_by = $15, has_files = $16, happened = $17
         where household_id = $1 and id = $2"
    };
    sql(text)
        .bind(household)
        .bind(view.record)
        .bind(view.state.version)
        .bind(view.position)
        .bind(view.state.owner)
        .bind(view.state.visibility.as_str())
        .bind(view.state.deleted.is_some())
        .bind(view.state.title())
        .bind(view.state.category())
        .bind(view.state.category().map(fold))
        .bind(state)
        .bind(summary)
        .bind(view.created_at)
        .bind(view.changed_at)
        .bind(by)
        .bind(view.has_files)
        .bind(&view.happened)
        .later(&mut *tx)
        .await?;
    Ok(())
}

pub(super) async fn write_changes(tx: &mut Tx, event: &Event, changes: &[FieldChange]) -> Result<()> {
    let json =
        |value: &Option<FieldValue>| value.as_ref().map(serde_json::to_string).transpose().map_err(Error::internal);
    for chunk in changes.chunks(100) {
        let mut statement = sql(format!(
            "insert into record_change
                 (household_id, record_id, field, position, version, label, old_value, new_value, effective, in_force)
             values {}",
            rows_of(chunk.len(), 10)
        ));
        for change in chunk {
            statement = statement
                .bind(event.household)
                .bind(event.record)
                .bind(&change.key)
                .bind(event.position)
                .bind(event.version)
                .bind(&change.label)
                .bind(json(&change.old)?)
                .bind(json(&change.new)?)
                .bind(change.effective.map(|effective| effective.to_string()))
                .bind(change.in_force);
        }
        statement.later(&mut *tx).await?;
    }
    Ok(())
}
