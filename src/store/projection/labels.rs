//! What lists are filtered and ordered by: the labels of each record, and how many records have each.

use uuid::Uuid;

use crate::domain::access::Visibility;
use crate::domain::event::{Event, Fact, Payload};
use crate::domain::ids::HouseholdId;
use crate::domain::order::title_key;
use crate::domain::record::Record;
use crate::domain::text::fold;
use crate::domain::when::Occurred;
use crate::error::Result;
use crate::store::db::{Tx, rows_of, sql};

use super::View;

/// Everything that is there.
pub const ALL: &str = "all";
/// A category, by its folded name.
pub const CATEGORY: &str = "category";
/// A tag, by its folded name.
pub const TAG: &str = "tag";
/// That there are files.
pub const FILES: &str = "files";
/// A member who wrote something, by identity. Nobody counts these.
pub const BY: &str = "by";
/// Deleted records, in counts alone.
pub const DELETED: &str = "deleted";

/// Who has a record, or had it before it was deleted.
pub(super) fn kept_in(household: HouseholdId, view: &View) -> Option<Uuid> {
    match view.state.visibility {
        Visibility::Household => Some(household.0),
        Visibility::Private => view.state.owner.map(|owner| owner.0),
    }
}

/// A label: its kind, its key and its spelling.
type Label = (&'static str, String, String);

fn labels(state: &Record, has_files: bool) -> Vec<Label> {
    let mut labels = vec![(ALL, String::new(), String::new())];
    labels.extend(state.category().map(|category| (CATEGORY, fold(category), category.to_owned())));
    labels.extend(state.tags.iter().map(|tag| (TAG, tag.folded(), tag.to_string())));
    labels.extend(has_files.then(|| (FILES, String::new(), String::new())));
    labels
}

/// When something happened, as lists are ordered by it: finer dates before coarser ones, latest first.
pub(super) fn happened_key(occurred: Occurred) -> String {
    format!("{}~{}", occurred.from_key(), occurred.precision().rank())
}

/// When something happened in a record last, after an event that may be one. `again` if earlier happenings may be gone.
pub(super) async fn happened(
    tx: &mut Tx,
    event: &Event,
    before: Option<&View>,
    is_one: bool,
    again: bool,
) -> Result<String> {
    if again {
        let row = sql("
            select occurred_from, occurred_precision from timeline_entry
            where household_id = $1 and record_id = $2 and happening
            order by occurred_from desc, occurred_precision desc
            limit 1")
        .bind(event.household)
        .bind(event.record)
        .optional(&mut *tx)
        .await?;
        return Ok(match row {
            Some(row) => format!("{}~{}", row.text("occurred_from")?, row.int("occurred_precision")?),
            None => String::new(),
        });
    }
    let known = before.map(|before| before.happened.clone()).unwrap_or_default();
    Ok(if is_one { known.max(happened_key(event.occurred)) } else { known })
}

/// Whether a record has files after an event.
pub(super) async fn has_files(tx: &mut Tx, event: &Event, fact: &Fact, before: Option<&View>) -> Result<bool> {
    match fact.payload {
        Payload::AttachmentAdded(_) => Ok(true),
        Payload::AttachmentRemoved(_) | Payload::EventRetracted(_) => {
            let present = sql("
                select 1 as one from attachment
                where household_id = $1 and record_id = $2 and standing = 'present'
                limit 1")
            .bind(event.household)
            .bind(event.record)
            .optional(&mut *tx)
            .await?;
            Ok(present.is_some())
        }
        _ => Ok(before.is_some_and(|before| before.has_files)),
    }
}

/// Writes a record's labels after an event.
pub(super) async fn write(tx: &mut Tx, event: &Event, before: Option<&View>, view: &View) -> Result<()> {
    let household = event.household;
    let old = before.map_or_else(Vec::new, |before| labels(&before.state, before.has_files));
    let new = labels(&view.state, view.has_files);
    let scope = kept_in(household, view);
    let title = title_key(view.state.title());
    if before.is_some() {
        sql("
            update record_label set scope = $3, deleted = $4, position = $5, happened = $6, title_key = $7
            where household_id = $1 and record_id = $2")
        .bind(household)
        .bind(view.record)
        .bind(scope)
        .bind(view.state.deleted.is_some())
        .bind(view.position)
        .bind(&view.happened)
        .bind(title.as_slice())
        .later(&mut *tx)
        .await?;
    }
    let gone = old.iter().filter(|label| !new.contains(label));
    for (kind, key, _) in gone {
        sql("delete from record_label where household_id = $1 and record_id = $2 and kind = $3 and label_key = $4")
            .bind(household)
            .bind(view.record)
            .bind(*kind)
            .bind(key)
            .later(&mut *tx)
            .await?;
    }
    let mut added: Vec<Label> = new.into_iter().filter(|label| !old.contains(label)).collect();
    added.extend(event.actor.map(|actor| (BY, actor.0.to_string(), String::new())));
    for chunk in added.chunks(60) {
        let mut statement = sql(format!(
            "insert into record_label
                 (household_id, record_id, kind, label_key, label, scope, deleted, position, happened, title_key)
             values {}
             on conflict (household_id, record_id, kind, label_key) do nothing",
            rows_of(chunk.len(), 10)
        ));
        for (kind, key, label) in chunk {
            statement = statement
                .bind(household)
                .bind(view.record)
                .bind(*kind)
                .bind(key)
                .bind(label)
                .bind(scope)
                .bind(view.state.deleted.is_some())
                .bind(view.position)
                .bind(&view.happened)
                .bind(title.as_slice());
        }
        statement.later(&mut *tx).await?;
    }
    count(tx, household, before, view).await
}

/// A label in a scope: which members' counts and suggestions it appears in.
fn counted(household: HouseholdId, view: &View) -> Vec<(Uuid, Label)> {
    let Some(scope) = kept_in(household, view) else { return Vec::new() };
    if view.state.deleted.is_some() {
        return vec![(scope, (DELETED, String::new(), String::new()))];
    }
    labels(&view.state, view.has_files).into_iter().map(|label| (scope, label)).collect()
}

async fn count(tx: &mut Tx, household: HouseholdId, before: Option<&View>, view: &View) -> Result<()> {
    let old = before.map_or_else(Vec::new, |before| counted(household, before));
    let new = counted(household, view);
    let same = |a: &(Uuid, Label), b: &(Uuid, Label)| (a.0, a.1.0, &a.1.1) == (b.0, b.1.0, &b.1.1);
    let of = |text: &'static str, (scope, (kind, key, _)): &(Uuid, Label)| {
        sql(text).bind(household).bind(*scope).bind(*kind).bind(key)
    };
    for gone in old.iter().filter(|label| !new.iter().any(|other| same(label, other))) {
        let less = "
            update label_count set records = records - 1
            where household_id = $1 and scope = $2 and kind = $3 and label_key = $4";
        let none = "
            delete from label_count
            where household_id = $1 and scope = $2 and kind = $3 and label_key = $4 and records = 0";
        of(less, gone).later(&mut *tx).await?;
        of(none, gone).later(&mut *tx).await?;
    }
    // One of the same that is spelt otherwise is called as it was spelt last.
    for label in new.iter().filter(|label| !old.contains(label)) {
        let more = "
            insert into label_count (household_id, scope, kind, label_key, label, records)
            values ($1, $2, $3, $4, $5, 1)
            on conflict (household_id, scope, kind, label_key)
            do update set records = label_count.records + 1";
        let respelt = "
            update label_count set label = $5
            where household_id = $1 and scope = $2 and kind = $3 and label_key = $4";
        let text = if old.iter().any(|other| same(label, other)) { respelt } else { more };
        of(text, label).bind(&label.1.2).later(&mut *tx).await?;
    }
    Ok(())
}
