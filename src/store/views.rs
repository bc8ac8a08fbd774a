//! What pages read of records: one record, the list, suggestions. Every function begins with who asks; what is not
//! theirs is not found.

use std::sync::Arc;

use serde::Deserialize;

use crate::domain::access::{Actor, Visibility};
use crate::domain::ids::{MemberId, RecordId};
use crate::domain::instant::Instant;
use crate::domain::person::Called;
use crate::domain::record::Record;
use crate::domain::summary::Summary;
use crate::domain::text::{Tag, fold};
use crate::domain::when::Occurred;
use crate::error::{Error, Result};

use super::db::{On, Row, Sql, bad, sql};
use super::filter;
use super::people::{PEOPLE, People};
use super::projection::{View, labels};
use super::surroundings::Surroundings;

/// The condition under which a member sees a row of `record_view`: `$1` is the household, `$2` the member.
pub(super) const VISIBLE: &str = "(v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $2))";

/// A record as its page shows it.
#[derive(Clone, Debug)]
pub struct RecordView {
    /// The record.
    pub id: RecordId,
    /// Its state.
    pub state: Record,
    /// The position of its latest event.
    pub position: i64,
    /// When it was entered.
    pub created_at: Instant,
    /// When its latest event was entered.
    pub changed_at: Instant,
    /// The latest event in words.
    pub summary: Summary,
    /// Whether it has files.
    has_files: bool,
    /// When something happened in it last, as lists are ordered by it.
    happened: String,
    /// What the member who keeps it is called.
    pub owner_name: String,
    /// What the member who deleted it was called, if it is deleted.
    pub deleted_by_name: String,
    /// Who did the latest event, as the member was called. Only in lists.
    pub last_by: Option<Called>,
    /// What the household is called. Only where the record was asked for by itself.
    pub household_name: String,
    /// Everybody in the household. Only where the record was asked for by itself.
    pub people: Arc<People>,
}

impl RecordView {
    /// Whether it has files.
    pub fn has_files(&self) -> bool {
        self.has_files
    }

    /// Whether this member keeps the record.
    pub fn is_kept_by(&self, member: MemberId) -> bool {
        self.state.owner == Some(member)
    }

    fn read(row: &Row, people: &People) -> Result<Self> {
        let view = View::read(row)?;
        Ok(Self {
            owner_name: people.name(view.state.owner).to_owned(),
            id: view.record,
            state: view.state,
            position: view.position,
            created_at: view.created_at,
            changed_at: view.changed_at,
            summary: view.summary,
            has_files: view.has_files,
            happened: view.happened,
            deleted_by_name: String::new(),
            last_by: None,
            household_name: String::new(),
            people: Arc::default(),
        })
    }

    /// The row behind it, for the projector.
    pub fn into_view(self) -> View {
        View {
            record: self.id,
            state: self.state,
            position: self.position,
            summary: self.summary,
            created_at: self.created_at,
            changed_at: self.changed_at,
            has_files: self.has_files,
            happened: self.happened,
        }
    }
}

/// A record, if the member may see it.
///
/// # Errors
/// [`Error::NotFound`] if there is none, or it is not theirs to see.
pub async fn record<'a>(on: impl Into<On<'a>>, actor: &Actor, id: RecordId) -> Result<RecordView> {
    read_record(record_statement(actor, id).optional(on).await?.as_ref())
}

/// What [`record`] asks.
pub(super) fn record_statement(actor: &Actor, id: RecordId) -> Sql {
    // The names in its sentences come from the same query: the state's own JSON names the members.
    let household = "(select h.name from household as h where h.id = $1) as household_name";
    statement(actor, id, &format!(", {household}, {PEOPLE}"))
}

/// The same where it is known who belongs to the household.
pub(super) fn alone_statement(actor: &Actor, id: RecordId) -> Sql {
    statement(actor, id, "").single()
}

fn statement(actor: &Actor, id: RecordId, more: &str) -> Sql {
    sql(format!(
        "select {WHOLE}{more}
         from record_view as v
         where v.household_id = $1 and v.id = $3 and {VISIBLE}"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(id)
}

/// What [`record`] makes of the answer.
pub(super) fn read_record(row: Option<&Row>) -> Result<RecordView> {
    let row = row.ok_or(Error::NotFound)?;
    read_among(row, row.text("household_name")?, Arc::new(People::read(row)?))
}

/// The same of a record alone.
pub(super) fn read_alone(row: Option<&Row>, around: &Surroundings) -> Result<RecordView> {
    read_among(row.ok_or(Error::NotFound)?, around.household.to_string(), Arc::clone(&around.people))
}

fn read_among(row: &Row, household_name: String, people: Arc<People>) -> Result<RecordView> {
    let mut view = RecordView::read(row, &people)?;
    view.household_name = household_name;
    view.people = people;
    // Nothing follows a deletion but the restoring: its event is the record's latest.
    let deleted_by = view.state.deleted.as_ref().and_then(|deleted| deleted.by);
    let called = deleted_by.and_then(|by| view.people.called(by, view.position));
    view.deleted_by_name = called.map(|called| called.to_string()).unwrap_or_default();
    Ok(view)
}

/// A record as lists show it: what the row of a list needs, and no more.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The record.
    pub id: RecordId,
    /// The position of its latest event.
    pub position: i64,
    /// What it is called.
    pub title: String,
    /// What kind of thing it is.
    pub category: Option<String>,
    /// Who sees it.
    pub visibility: Visibility,
    /// When it began.
    pub begun: Occurred,
    /// Its labels.
    pub tags: Vec<Tag>,
    /// The latest event in words.
    pub summary: Summary,
    /// What the member who keeps it is called.
    pub owner_name: String,
    /// Who did the latest event, as the member was called; none for the program itself.
    pub last_by: Option<Called>,
}

/// What a list reads of a record's state; the rest, its fields above all, is passed over.
#[derive(Deserialize)]
struct Glance {
    begun: String,
    tags: Vec<Tag>,
}

impl Listed {
    pub(super) fn read(row: &Row, people: &People) -> Result<Self> {
        let Glance { begun, tags } = row.json("state")?;
        Ok(Self {
            id: RecordId(row.uuid("id")?),
            position: row.int("position")?,
            title: row.text("title")?,
            category: row.opt_text("category")?,
            visibility: row.str("visibility")?.parse()?,
            begun: Occurred::parse_iso(&begun).map_err(|e| bad("state", &e.0))?,
            tags,
            summary: row.json("summary")?,
            owner_name: people.name(row.opt_uuid("owner_id")?.map(MemberId)).to_owned(),
            last_by: people.called_in(row, "last_by")?,
        })
    }
}

impl From<&RecordView> for Listed {
    fn from(view: &RecordView) -> Self {
        Self {
            id: view.id,
            position: view.position,
            title: view.state.title().to_owned(),
            category: view.state.category().map(str::to_owned),
            visibility: view.state.visibility,
            begun: view.state.begun,
            tags: view.state.tags.clone(),
            summary: view.summary.clone(),
            owner_name: view.owner_name.clone(),
            last_by: view.last_by.clone(),
        }
    }
}

/// What [`lately_statement`] found.
pub(super) fn read_lately(rows: &[Row], people: &People) -> Result<Vec<RecordView>> {
    let view = |row| Ok(RecordView { last_by: people.called_in(row, "last_by")?, ..RecordView::read(row, people)? });
    rows.iter().map(view).collect()
}

/// The records that changed last, of those that the member may see.
pub(super) fn lately_statement(actor: &Actor, limit: usize) -> Sql {
    filter::plain_statement(actor, &format!("{WHOLE}, v.last_by"), limit)
}

/// What [`Listed`] reads.
pub(super) const LISTED: &str =
    "v.id, v.position, v.title, v.category, v.visibility, v.state, v.summary, v.owner_id, v.last_by";

/// What [`RecordView`] reads.
const WHOLE: &str = "v.id, v.state, v.position, v.summary, v.created_at, v.changed_at, v.has_files, v.happened";

/// A label in use with its number of records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Its identity.
    pub key: String,
    /// As it is spelt.
    pub label: String,
    /// In how many records that the member may see.
    pub records: i64,
}

/// What forms suggest, from what the member may see.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Suggestions {
    /// Categories in use, by name.
    pub categories: Vec<Label>,
    /// Tags in use, by name.
    pub tags: Vec<Label>,
    /// How many records the member may see.
    pub records: i64,
    /// How many of them have files.
    pub with_files: i64,
    /// How many deleted ones.
    pub deleted: i64,
    /// Whether there are more labels than these.
    more: bool,
}

/// How many labels are suggested.
const SUGGESTED: usize = 1000;

impl Suggestions {
    /// How many records have a category; none if that is not known.
    pub fn of_category(&self, category: &str) -> Option<i64> {
        self.of(&self.categories, category)
    }

    /// How many records have a tag; none if that is not known.
    pub fn of_tag(&self, tag: &str) -> Option<i64> {
        self.of(&self.tags, tag)
    }

    fn of(&self, labels: &[Label], wanted: &str) -> Option<i64> {
        let key = fold(wanted);
        let known = labels.iter().find(|label| label.key == key).map(|label| label.records);
        known.or((!self.more).then_some(0))
    }
}

/// Categories and tags in use in records that the member may see.
pub(super) fn suggestions_statement(actor: &Actor) -> Sql {
    // In this order what counts all records is first.
    sql(format!(
        "select kind, label_key, min(label) as label, cast(sum(records) as bigint) as records
         from label_count
         where household_id = $1 and scope in ($1, $2)
         group by kind, label_key
         order by kind, label_key
         limit {SUGGESTED}"
    ))
    .bind(actor.household)
    .bind(actor.member)
}

pub(super) fn read_suggestions(rows: &[Row]) -> Result<Suggestions> {
    let mut suggestions = Suggestions { more: rows.len() == SUGGESTED, ..Suggestions::default() };
    for row in rows {
        let label = Label { key: row.text("label_key")?, label: row.text("label")?, records: row.int("records")? };
        match row.text("kind")?.as_str() {
            labels::ALL => suggestions.records = label.records,
            labels::FILES => suggestions.with_files = label.records,
            labels::DELETED => suggestions.deleted = label.records,
            labels::CATEGORY => suggestions.categories.push(label),
            _ => suggestions.tags.push(label),
        }
    }
    Ok(suggestions)
}
