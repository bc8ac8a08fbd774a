//! What pages read of records: one record, the list, suggestions. Every function begins with who asks; what is not
//! theirs is not found.

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

use super::db::{Db, On, Row, Sql, bad, sql};
use super::people::{self, LAST_BY, PEOPLE, People};
use super::projection::View;

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
    /// What the member who keeps it is called.
    pub owner_name: String,
    /// What the member who deleted it was called, if it is deleted.
    pub deleted_by_name: String,
    /// Who did the latest event, as the member was called. Only in lists.
    pub last_by: Option<Called>,
    /// What the household is called. Only where the record was asked for by itself.
    pub household_name: String,
    /// Everybody in the household. Only where the record was asked for by itself.
    pub people: People,
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
            last_by: None,
            household_name: String::new(),
            people: People::default(),
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
    read_record(record_statement(actor, id).optional(on).await?.as_ref())
}

/// What [`record`] asks.
pub(super) fn record_statement(actor: &Actor, id: RecordId) -> Sql {
    // The names in its sentences come from the same query: the state's own JSON names the members.
    sql(format!(
        "select v.id, v.state, v.position, v.summary, v.created_at, v.changed_at, o.name as owner_name,
                h.name as household_name, {PEOPLE}
         from record_view as v
         join household as h on h.id = v.household_id
         left join member as o on o.household_id = v.household_id and o.id = v.owner_id
         where v.household_id = $1 and v.id = $3 and {VISIBLE}"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(id)
}

/// What [`record`] makes of the answer.
pub(super) fn read_record(row: Option<&Row>) -> Result<RecordView> {
    let row = row.ok_or(Error::NotFound)?;
    let mut view = RecordView::read(row)?;
    view.household_name = row.text("household_name")?;
    view.people = People::read(row)?;
    // Nothing follows a deletion but the restoring: its event is the record's latest.
    let deleted_by = view.state.deleted.as_ref().and_then(|deleted| deleted.by);
    let called = deleted_by.and_then(|by| view.people.called(by, view.position));
    view.deleted_by_name = called.map(|called| called.to_string()).unwrap_or_default();
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

impl ListFilter {
    /// Whether no count that is kept says how many there are.
    fn wants_counting(&self) -> bool {
        self.deleted || (self.category.is_some() && self.tag.is_some())
    }
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
    pub(super) fn read(row: &Row) -> Result<Self> {
        let Glance { begun, tags } = row.json("state")?;
        Ok(Self {
            id: RecordId(row.uuid("id")?),
            position: row.int("position")?,
            title: row.text("title")?,
            category: row.opt_text("category")?,
            visibility: row.text("visibility")?.parse()?,
            begun: Occurred::parse_iso(&begun).map_err(|e| bad("state", &e.0))?,
            tags,
            summary: row.json("summary")?,
            owner_name: row.opt_text("owner_name")?.unwrap_or_default(),
            last_by: people::actor(row)?,
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

/// A page of the list, newest activity first.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// The records.
    pub rows: Vec<Listed>,
    /// Where the page in front of this one is.
    pub newer: Option<Cursor>,
    /// Where the page after this one is.
    pub older: Option<Cursor>,
    /// How many records match; beyond [`COUNTED`] it is [`COUNTED`] + 1.
    pub count: i64,
    /// What the filter suggests.
    pub known: Suggestions,
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
    let mut asked = vec![list_statement(actor, LISTED, filter, edge, forward, wanted), suggestions_statement(actor)];
    if filter.wants_counting() {
        asked.push(count_statement(actor, filter));
    }
    let mut answers = db.one_by_one(asked).await?.into_iter();
    let found = answers.next().unwrap_or_default();
    let known = read_suggestions(&answers.next().unwrap_or_default())?;
    let count = match (answers.next(), known.count(filter)) {
        (Some(counted), _) => counted.first().map_or(Ok(0), |row| row.int("records"))?,
        (None, Some(known)) => known,
        (None, None) => count_statement(actor, filter).one(db).await?.int("records")?,
    };
    let mut rows = found.iter().map(Listed::read).collect::<Result<Vec<_>>>()?;
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
    Ok(ListPage {
        newer: newer.map(Cursor::After),
        older: last.filter(|_| older).map(Cursor::Before),
        rows,
        count: count.min(COUNTED + 1),
        known,
    })
}

/// What [`lately_statement`] found.
pub(super) fn read_lately(rows: &[Row]) -> Result<Vec<RecordView>> {
    rows.iter().map(|row| Ok(RecordView { last_by: people::actor(row)?, ..RecordView::read(row)? })).collect()
}

/// The records that changed last, of those that the member may see.
pub(super) fn lately_statement(actor: &Actor, limit: usize) -> Sql {
    list_statement(actor, WHOLE, &ListFilter::default(), i64::MAX, true, limit)
}

/// What [`Listed`] reads.
pub(super) const LISTED: &str = "v.id, v.position, v.title, v.category, v.visibility, v.state, v.summary";

/// What [`RecordView`] reads.
const WHOLE: &str = "v.id, v.state, v.position, v.summary, v.created_at, v.changed_at";

/// Two walks down an index in order of activity, one over what the household shares and one over what the member keeps
/// to herself, merged. Each stops after a page, and carries no more than the order needs: what a row shows is fetched
/// for the rows that are shown. The limit stands in the text, so that the planner knows of it; a cross join keeps SQLite,
/// which does not, from beginning with the larger table.
fn list_statement(actor: &Actor, columns: &str, filter: &ListFilter, edge: i64, forward: bool, limit: usize) -> Sql {
    let (side, order) = if forward { ("<", "desc") } else { (">", "asc") };
    let walk = |(scope, name): (String, &str)| {
        format!(
            "select * from (
                 select {id}, {position}
                 from {source}
                 where {scope} and {position} {side} $4 {narrow}
                 order by {position} {order}
                 limit {limit}) as {name}",
            id = if filter.tag.is_some() { "t.record_id as id" } else { "v.id" },
            source = source(filter),
            position = if filter.tag.is_some() { "t.position" } else { "v.position" },
            narrow = narrow(filter, 5),
        )
    };
    let [shared, own] = scopes(filter).map(walk);
    let statement = sql(format!(
        "select {columns}, o.name as owner_name, {LAST_BY}
         from (select * from ({shared} union all {own}) as both_scopes order by position {order} limit {limit}) as p
         cross join record_view as v
         left join member as o on o.household_id = $1 and o.id = v.owner_id
         left join member as m on m.household_id = $1 and m.id = v.last_by
         where v.household_id = $1 and v.id = p.id
         order by p.position {order}"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(filter.deleted)
    .bind(edge);
    bind_filter(statement, filter)
}

/// What the household shares, and what the member keeps to herself.
fn scopes(filter: &ListFilter) -> [(String, &'static str); 2] {
    let alias = if filter.tag.is_some() { "t" } else { "v" };
    let scope = |condition: &str| format!("{alias}.household_id = $1 and {condition} and {alias}.deleted = $3");
    [
        (scope(&format!("{alias}.visibility = 'household'")), "shared"),
        (scope(&format!("{alias}.owner_id = $2 and {alias}.visibility = 'private'")), "own"),
    ]
}

/// How many there are in each of the two scopes, as far as lists count. They are counted in the order of the index, so
/// that PostgreSQL does not look for them among every household's records.
fn count_statement(actor: &Actor, filter: &ListFilter) -> Sql {
    let count = |(scope, name): (String, &str)| {
        format!(
            "(select count(*)
              from (select 1 as one from {source} where {scope} {narrow} order by {position} desc limit {most}) as {name})",
            source = source(filter),
            position = if filter.tag.is_some() { "t.position" } else { "v.position" },
            narrow = narrow(filter, 4),
            most = COUNTED + 1,
        )
    };
    let [shared, own] = scopes(filter).map(count);
    let statement = sql(format!("select {shared} + {own} as records"))
        .bind(actor.household)
        .bind(actor.member)
        .bind(filter.deleted);
    bind_filter(statement, filter)
}

fn source(filter: &ListFilter) -> &'static str {
    match (&filter.tag, &filter.category) {
        (None, _) => "record_view as v",
        (Some(_), None) => "record_tag as t",
        (Some(_), Some(_)) => {
            "record_tag as t join record_view as v on v.household_id = t.household_id and v.id = t.record_id"
        }
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
    /// How many records the member may see.
    pub records: i64,
    /// Whether there are more labels than these.
    more: bool,
}

/// How many labels are suggested.
const SUGGESTED: usize = 1000;

impl Suggestions {
    /// How many records a filter by one label, or by none, finds; none if that is not known.
    fn count(&self, filter: &ListFilter) -> Option<i64> {
        let of = |labels: &[Label], wanted: &str| {
            let key = fold(wanted);
            let known = labels.iter().find(|label| label.key == key).map(|label| label.records);
            known.or((!self.more).then_some(0))
        };
        match (&filter.category, &filter.tag) {
            _ if filter.wants_counting() => None,
            (None, None) => Some(self.records),
            (Some(category), _) => of(&self.categories, category),
            (None, Some(tag)) => of(&self.tags, tag),
        }
    }
}

/// Categories and tags in use in records that the member may see.
///
/// # Errors
/// If the database refuses.
pub async fn suggestions(db: &Db, actor: &Actor) -> Result<Suggestions> {
    read_suggestions(&suggestions_statement(actor).all(db).await?)
}

fn suggestions_statement(actor: &Actor) -> Sql {
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

fn read_suggestions(rows: &[Row]) -> Result<Suggestions> {
    let mut suggestions = Suggestions { more: rows.len() == SUGGESTED, ..Suggestions::default() };
    for row in rows {
        let label = Label { key: row.text("label_key")?, label: row.text("label")?, records: row.int("records")? };
        match row.text("kind")?.as_str() {
            "all" => suggestions.records = label.records,
            "category" => suggestions.categories.push(label),
            _ => suggestions.tags.push(label),
        }
    }
    Ok(suggestions)
}
