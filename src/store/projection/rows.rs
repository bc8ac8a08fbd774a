//! The rows of each projection.

use crate::domain::access::Visibility;
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
              summary, created_at, changed_at, last_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    } else {
        "update record_view
         set version = $3, position = $4, owner_id = $5, visibility = $6, deleted = $7, title = $8, category = $9,
             category_key = $10, state = $11, summary = $12, created_at = $13, changed_at = $14,
             last_by = $15
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

pub(super) async fn write_tags(tx: &mut Tx, household: HouseholdId, before: Option<&View>, view: &View) -> Result<()> {
    let state = &view.state;
    let same = before.is_some_and(|before| {
        let old = &before.state;
        (&old.tags, old.owner, old.visibility, old.deleted.is_some())
            == (&state.tags, state.owner, state.visibility, state.deleted.is_some())
    });
    if same {
        if !state.tags.is_empty() {
            sql("update record_tag set position = $3 where household_id = $1 and record_id = $2")
                .bind(household)
                .bind(view.record)
                .bind(view.position)
                .later(&mut *tx)
                .await?;
        }
        return Ok(());
    }
    if before.is_some_and(|before| !before.state.tags.is_empty()) {
        sql("delete from record_tag where household_id = $1 and record_id = $2")
            .bind(household)
            .bind(view.record)
            .later(&mut *tx)
            .await?;
    }
    for chunk in state.tags.chunks(100) {
        let mut statement = sql(format!(
            "insert into record_tag
                 (household_id, record_id, tag_key, tag, owner_id, visibility, deleted, position)
             values {}",
            rows_of(chunk.len(), 8)
        ));
        for tag in chunk {
            statement = statement
                .bind(household)
                .bind(view.record)
                .bind(tag.folded())
                .bind(tag.as_str())
                .bind(state.owner)
                .bind(state.visibility.as_str())
                .bind(state.deleted.is_some())
                .bind(view.position);
        }
        statement.later(&mut *tx).await?;
    }
    Ok(())
}

/// Who has a record in lists, counts and the timeline: the household, one member, or, once it is deleted, nobody.
pub(super) fn scope(household: HouseholdId, view: &View) -> Option<uuid::Uuid> {
    kept_in(household, view).filter(|_| view.state.deleted.is_none())
}

/// Who has a record, or had it before it was deleted.
pub(super) fn kept_in(household: HouseholdId, view: &View) -> Option<uuid::Uuid> {
    match view.state.visibility {
        Visibility::Household => Some(household.0),
        Visibility::Private => view.state.owner.map(|owner| owner.0),
    }
}

/// A label in a scope: which members' suggestions it appears in.
type Label = (uuid::Uuid, &'static str, String, String);

fn labels(household: HouseholdId, view: &View) -> Vec<Label> {
    let Some(scope) = scope(household, view) else { return Vec::new() };
    let state = &view.state;
    // How many records there are at all is counted too, so that no list has to.
    let all = (scope, "all", String::new(), String::new());
    let category = state.category().map(|category| (scope, "category", fold(category), category.to_owned()));
    let tags = state.tags.iter().map(|tag| (scope, "tag", tag.folded(), tag.to_string()));
    std::iter::once(all).chain(category).chain(tags).collect()
}

pub(super) async fn count_labels(
    tx: &mut Tx,
    household: HouseholdId,
    before: Option<&View>,
    view: &View,
) -> Result<()> {
    let old = before.map_or_else(Vec::new, |before| labels(household, before));
    let new = labels(household, view);
    let same = |a: &Label, b: &Label| (a.0, a.1, &a.2) == (b.0, b.1, &b.2);
    for (scope, kind, key, _) in old.iter().filter(|label| !new.iter().any(|other| same(label, other))) {
        sql("
            update label_count set records = records - 1
            where household_id = $1 and scope = $2 and kind = $3 and label_key = $4")
        .bind(household)
        .bind(*scope)
        .bind(*kind)
        .bind(key)
        .later(&mut *tx)
        .await?;
        sql("
            delete from label_count
            where household_id = $1 and scope = $2 and kind = $3 and label_key = $4 and records = 0")
        .bind(household)
        .bind(*scope)
        .bind(*kind)
        .bind(key)
        .later(&mut *tx)
        .await?;
    }
    for (scope, kind, key, label) in new.iter().filter(|label| !old.iter().any(|other| same(label, other))) {
        sql("
            insert into label_count (household_id, scope, kind, label_key, label, records)
            values ($1, $2, $3, $4, $5, 1)
            on conflict (household_id, scope, kind, label_key)
            do update set records = label_count.records + 1")
        .bind(household)
        .bind(*scope)
        .bind(*kind)
        .bind(key)
        .bind(label)
        .later(&mut *tx)
        .await?;
    }
    Ok(())
}
