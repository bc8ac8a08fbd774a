//! What pages read of records: one record, the list, suggestions. Every function begins with who asks; what is not
//! theirs is not found.

use crate::domain::access::{Actor, Visibility};
use crate::domain::ids::{MemberId, RecordId};
use crate::domain::instant::Instant;
use crate::domain::record::Record;
use crate::domain::summary::Summary;
use crate::domain::text::fold;
use crate::error::{Error, Result};

use super::db::{Db, On, Row, Sql, sql};
use super::projection::View;

/// The condition under which a member sees a row of `record_view`: `$1` is the household, `$2` the member.
const VISIBLE: &str = "(v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $2))";

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
    /// What the member who keeps it is called.
    pub owner_name: String,
    /// What the member who deleted it is called, if it is deleted.
    pub deleted_by_name: String,
}

impl RecordView {
    /// Whether this member keeps the record.
    pub fn is_kept_by(&self, member: MemberId) -> bool {
        self.state.owner == Some(member)
    }

    pub(super) fn read(row: &Row) -> Result<Self> {
        let view = View::read(row)?;
        Ok(Self {
            id: view.record,
            state: view.state,
            position: view.position,
            created_at: view.created_at,
            changed_at: view.changed_at,
            summary: view.summary,
            owner_name: row.opt_text("owner_name")?.unwrap_or_default(),
            deleted_by_name: String::new(),
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
        }
    }
}

/// A record, if the member may see it.
///
/// # Errors
/// [`Error::NotFound`] if there is none, or it is not theirs to see.
pub async fn record<'a>(on: impl Into<On<'a>>, actor: &Actor, id: RecordId) -> Result<RecordView> {
    // The name of who deleted it comes from the same query: the state's own JSON names the member.
    let row = sql(format!(
        "select v.id, v.state, v.position, v.summary, v.created_at, v.changed_at, o.name as owner_name,
                d.name as deleted_by_name
         from record_view as v
         left join member as o on o.household_id = v.household_id and o.id = v.owner_id
         left join record_events as e
             on e.household_id = v.household_id and e.position = v.position and v.deleted
         left join member as d on d.household_id = e.household_id and d.id = e.actor_id
         where v.household_id = $1 and v.id = $3 and {VISIBLE}"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(id)
    .optional(on)
    .await?
    .ok_or(Error::NotFound)?;
    let mut view = RecordView::read(&row)?;
    view.deleted_by_name = row.opt_text("deleted_by_name")?.unwrap_or_default();
    Ok(view)
}

/// What a list shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListFilter {
    /// Only this category.
    pub category: Option<String>,
    /// Only records with this tag.
    pub tag: Option<String>,
    /// Deleted records instead of the others.
    pub deleted: bool,
}

/// Where a page of a list begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// The newest page.
    Newest,
    /// What lies below this position, newest first.
    Before(i64),
    /// What lies above this position: the page in front of it.
    After(i64),
}

/// How many records a page of the list has.
pub const PAGE: usize = 50;

/// How far lists count: beyond it is "more than 1,000".
pub const COUNTED: i64 = 1000;

/// A page of the list, newest activity first.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// The records.
    pub rows: Vec<RecordView>,
    /// Where the page in front of this one is.
    pub newer: Option<Cursor>,
    /// Where the page after this one is.
    pub older: Option<Cursor>,
    /// How many records match; beyond [`COUNTED`] it is [`COUNTED`] + 1.
    pub count: i64,
}

/// A page of the records that the member may see.
///
/// # Errors
/// If the database refuses.
pub async fn list(db: &Db, actor: &Actor, filter: &ListFilter, cursor: Cursor) -> Result<ListPage> {
    let (edge, forward) = match cursor {
        Cursor::Newest => (i64::MAX, true),
        Cursor::Before(position) => (position, true),
        Cursor::After(position) => (position, false),
    };
    let wanted = PAGE + 1;
    let found = list_statement(actor, filter, edge, forward, wanted).all(db).await?;
    let mut rows = found.iter().map(RecordView::read).collect::<Result<Vec<_>>>()?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    if !forward {
        rows.reverse();
    }
    let first = rows.first().map(|row| row.position);
    let last = rows.last().map(|row| row.position);
    let (newer, older) = match (forward, cursor) {
        (true, Cursor::Newest) => (None, more),
        (true, _) => (first, more),
        (false, _) => (first.filter(|_| more), true),
    };
    let count = count_statement(actor, filter).one(db).await?.int("records")?;
    Ok(ListPage { newer: newer.map(Cursor::After), older: last.filter(|_| older).map(Cursor::Before), rows, count })
}

/// Two walks down an index in order of activity, one over what the household shares and one over what the member keeps
/// to herself, merged. Each stops after a page.
fn list_statement(actor: &Actor, filter: &ListFilter, edge: i64, forward: bool, limit: usize) -> Sql {
    let (side, order) = if forward { ("<", "desc") } else { (">", "asc") };
    let walk = |scope: &str| {
        format!(
            "select * from (
                 select {columns}
                 from {source}
                 where {scope} and {position} {side} $4 {narrow}
                 order by {position} {order}
                 limit $5) as {name}",
            columns = "v.id, v.state, v.position, v.summary, v.created_at, v.changed_at, v.owner_id",
            source = source(filter),
            position = if filter.tag.is_some() { "t.position" } else { "v.position" },
            narrow = narrow(filter, 6),
            name = if scope.contains("owner_id") { "own" } else { "shared" },
        )
    };
    let alias = if filter.tag.is_some() { "t" } else { "v" };
    let shared = format!("{alias}.household_id = $1 and {alias}.visibility = 'household' and {alias}.deleted = $3");
    let own = format!(
        "{alias}.household_id = $1 and {alias}.owner_id = $2 and {alias}.visibility = 'private' and {alias}.deleted = $3"
    );
    let statement = sql(format!(
        "select p.*, o.name as owner_name
         from (select * from ({} union all {}) as both_scopes order by position {order} limit $5) as p
         left join member as o on o.household_id = $1 and o.id = p.owner_id
         order by p.position {order}",
        walk(&shared),
        walk(&own)
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(filter.deleted)
    .bind(edge)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    bind_filter(statement, filter)
}

fn count_statement(actor: &Actor, filter: &ListFilter) -> Sql {
    let alias = if filter.tag.is_some() { "t" } else { "v" };
    let walk = |scope: &str, name: &str| {
        format!(
            "select * from (select 1 as one from {source}
             where {alias}.household_id = $1 and {scope} and {alias}.deleted = $3 {narrow}
             order by {alias}.position desc
             limit $4) as {name}",
            source = if filter.tag.is_some() && filter.category.is_none() { "record_tag as t" } else { source(filter) },
            narrow = narrow(filter, 5),
        )
    };
    let statement = sql(format!(
        "select count(*) as records
         from (select * from ({} union all {}) as both_scopes limit $4) as counted",
        walk(&format!("{alias}.visibility = 'household'"), "shared"),
        walk(&format!("{alias}.owner_id = $2 and {alias}.visibility = 'private'"), "own"),
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(filter.deleted)
    .bind(COUNTED + 1);
    bind_filter(statement, filter)
}

fn source(filter: &ListFilter) -> &'static str {
    if filter.tag.is_some() {
        "record_tag as t join record_view as v on v.household_id = t.household_id and v.id = t.record_id"
    } else {
        "record_view as v"
    }
}

/// The reviewed clauses of a list's filters; `next` is the number of the first free parameter.
fn narrow(filter: &ListFilter, next: usize) -> String {
    let mut clauses = String::new();
    let mut parameter = next;
    if filter.tag.is_some() {
        clauses.push_str(&format!("and t.tag_key = ${parameter} "));
        parameter += 1;
    }
    if filter.category.is_some() {
        clauses.push_str(&format!("and v.category_key = ${parameter} "));
    }
    clauses
}

fn bind_filter(mut statement: Sql, filter: &ListFilter) -> Sql {
    if let Some(tag) = &filter.tag {
        statement = statement.bind(fold(tag));
    }
    if let Some(category) = &filter.category {
        statement = statement.bind(fold(category));
    }
    statement
}

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
}

/// Categories and tags in use in records that the member may see.
///
/// # Errors
/// If the database refuses.
pub async fn suggestions(db: &Db, actor: &Actor) -> Result<Suggestions> {
    let rows = sql("
        select kind, label_key, min(label) as label, cast(sum(records) as bigint) as records
        from label_count
        where household_id = $1 and scope in ($1, $2)
        group by kind, label_key
        order by kind, label_key
        limit 1000")
    .bind(actor.household)
    .bind(actor.member)
    .all(db)
    .await?;
    let mut suggestions = Suggestions::default();
    for row in &rows {
        let label = Label { key: row.text("label_key")?, label: row.text("label")?, records: row.int("records")? };
        if row.text("kind")? == "category" { &mut suggestions.categories } else { &mut suggestions.tags }.push(label);
    }
    Ok(suggestions)
}

/// The names of a household's members, for sentences about who sees a record.
///
/// # Errors
/// If the database refuses.
pub async fn member_names(db: &Db, actor: &Actor) -> Result<Vec<(MemberId, String)>> {
    let rows = sql("select id, name from member where household_id = $1 and not disabled order by joined_at, id")
        .bind(actor.household)
        .all(db)
        .await?;
    rows.iter().map(|row| Ok((MemberId(row.uuid("id")?), row.text("name")?))).collect()
}

/// Who sees a record, as a word.
pub fn is_private(view: &RecordView) -> bool {
    view.state.visibility == Visibility::Private
}
