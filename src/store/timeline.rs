//! The household's timeline: what happened in all the records that a member may see, by when it happened or by when it
//! was entered; and how much happened in each month.

use std::fmt::Write as _;

use crate::domain::access::{Actor, Visibility};
use crate::domain::event::Payload;
use crate::domain::ids::RecordId;
use crate::domain::instant::Instant;
use crate::domain::person::Called;
use crate::domain::record::FieldChange;
use crate::domain::when::{Occurred, Precision};
use crate::error::Result;

use super::conditions::{Binds, in_range};
use super::db::{Db, Row, Sql, Value, sql};
use super::filter::{Entered, Filter, READ, Time};
use super::people::People;
use super::surroundings::{self, Surroundings};
use super::{changes, history};

/// How many happenings a page of the timeline has.
pub const PAGE: usize = 50;

/// How many years the strip shows at most, newest first.
const YEARS: i64 = 120;

/// A place in the timeline, in one of its two orders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// By when it happened.
    Happened(history::Place),
    /// By when it was entered, and its position.
    Recorded(Instant, i64),
}

/// In which order the timeline is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// By when it happened.
    Happened,
    /// By when it was entered.
    Recorded,
}

/// Which page of the timeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// The newest.
    Newest(Order),
    /// What lies before this place.
    Before(Place),
    /// What lies after it: the page in front.
    After(Place),
}

impl Cursor {
    /// The order of the page.
    pub fn order(&self) -> Order {
        match self {
            Self::Newest(order) => *order,
            Self::Before(Place::Happened(_)) | Self::After(Place::Happened(_)) => Order::Happened,
            Self::Before(Place::Recorded(..)) | Self::After(Place::Recorded(..)) => Order::Recorded,
        }
    }
}

/// Something that happened, in the timeline.
#[derive(Clone, Debug)]
pub struct Happening {
    /// The record it belongs to.
    pub record: RecordId,
    /// What the record is called.
    pub title: String,
    /// The record's category.
    pub category: Option<String>,
    /// Whether only the member sees the record.
    pub private: bool,
    /// Its place in the record's stream.
    pub version: i64,
    /// Its place in the household.
    pub position: i64,
    /// What happened.
    pub payload: Payload,
    /// When.
    pub occurred: Occurred,
    /// When it was entered.
    pub recorded: Instant,
    /// Who entered it, as the member was called; none for the program itself.
    pub actor_name: Option<Called>,
    /// The time zone in which that member lives.
    pub actor_zone: Option<String>,
    /// What it changed, if it is a change of facts.
    pub changes: Vec<FieldChange>,
}

impl Happening {
    fn place(&self, order: Order) -> Place {
        match order {
            Order::Recorded => Place::Recorded(self.recorded, self.position),
            Order::Happened => Place::Happened(history::Place {
                from: self.occurred.from_key(),
                precision: self.occurred.precision().rank(),
                position: self.position,
            }),
        }
    }
}

/// What of the timeline is shown: everything, unless something is said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Narrow {
    /// In which records, by whom and when. Its order means nothing here.
    pub filter: Filter,
    /// What its range means in instants.
    pub entered: Entered,
    /// Only events of these kinds.
    pub kinds: &'static [&'static str],
}

impl Narrow {
    /// Whether it shows everything of the records that are there.
    pub fn is_nothing(&self) -> bool {
        !self.filter.deleted && !self.reads()
    }

    /// Whether something has to be looked up for each entry.
    fn reads(&self) -> bool {
        let filter = &self.filter;
        let plain = Filter {
            sort: filter.sort,
            deleted: filter.deleted,
            any_tag: filter.any_tag,
            time: filter.time,
            ..Filter::default()
        };
        *filter != plain || !self.kinds.is_empty()
    }

    /// What holds for an entry `r` and its record.
    fn conditions(&self, asked: &mut Binds) -> String {
        let filter = &self.filter;
        let mut conditions = String::new();
        if !self.kinds.is_empty() {
            let _ = write!(conditions, " and r.kind in ('{}')", self.kinds.join("', '"));
        }
        match filter.time {
            Time::Happened => conditions.push_str(&in_range("r", filter.from, filter.until, asked)),
            Time::Recorded => conditions.push_str(&self.entered.range("r", asked)),
        }
        conditions.push_str(&filter.in_record("r", asked));
        if let Some(by) = filter.by {
            let _ = write!(
                conditions,
                " and (select x.actor_id from record_events as x
                       where x.household_id = $1 and x.position = r.position) = {}",
                asked.add(by)
            );
        }
        conditions
    }
}

/// A page of the timeline.
#[derive(Clone, Debug)]
pub struct TimelinePage {
    /// What happened, latest first.
    pub happenings: Vec<Happening>,
    /// The page in front.
    pub newer: Option<Cursor>,
    /// The page after.
    pub older: Option<Cursor>,
    /// With what the page after begins.
    pub next: Option<Happening>,
    /// Whether the page ends, towards where it was walking, because enough was read.
    pub stopped: bool,
    /// What stands around it.
    pub surroundings: Surroundings,
}

/// A page of what happened in the records that the member may see.
///
/// # Errors
/// If the database refuses.
pub async fn timeline(db: &Db, actor: &Actor, cursor: &Cursor, narrow: &Narrow) -> Result<TimelinePage> {
    let order = cursor.order();
    let forward = !matches!(cursor, Cursor::After(_));
    let asked = vec![page_statement(actor, cursor, narrow, PAGE + 1)];
    let (answers, surroundings) = surroundings::with(db, actor, asked).await?;
    let mut happenings = answers.first().map(|rows| told(rows, &surroundings.people)).transpose()?.unwrap_or_default();
    let mut stop = None;
    if narrow.reads() && happenings.len() <= PAGE {
        stop = stop_of(db, actor, cursor, narrow.filter.deleted).await?;
        if let Some(stop) = &stop {
            happenings.retain(|happening| is_within(&happening.place(order), stop, forward));
        }
    }
    let beyond = (happenings.len() > PAGE).then(|| happenings.pop()).flatten();
    if !forward {
        happenings.reverse();
    }
    let stop = stop.filter(|_| beyond.is_none());
    let (newer, older) = match cursor {
        Cursor::Newest(_) => (false, beyond.is_some()),
        Cursor::Before(_) => (true, beyond.is_some()),
        Cursor::After(_) => (beyond.is_some(), true),
    };
    // A page without anything leads back to where it began.
    let edge = match cursor {
        Cursor::Newest(_) => None,
        Cursor::Before(edge) | Cursor::After(edge) => Some(edge.clone()),
    };
    let place = |at: Option<&Happening>| at.map(|at| at.place(order)).or(edge.clone());
    let first = place(happenings.first()).filter(|_| newer).map(Cursor::After);
    let last = place(happenings.last()).filter(|_| older).map(Cursor::Before);
    let stopped = stop.is_some();
    let (first, last) = match (stop, forward) {
        (Some(stop), true) => (first, Some(Cursor::Before(stop))),
        (Some(stop), false) => (Some(Cursor::After(stop)), last),
        (None, _) => (first, last),
    };
    Ok(TimelinePage { happenings, newer: first, older: last, next: beyond.filter(|_| forward), stopped, surroundings })
}

/// Whether a place is not beyond another one, the way a page goes.
fn is_within(place: &Place, stop: &Place, forward: bool) -> bool {
    let ordering = match (place, stop) {
        (Place::Happened(a), Place::Happened(b)) => {
            (&a.from, a.precision, a.position).cmp(&(&b.from, b.precision, b.position))
        }
        (Place::Recorded(a, b), Place::Recorded(c, d)) => (a, b).cmp(&(c, d)),
        _ => std::cmp::Ordering::Equal,
    };
    if forward { ordering.is_ge() } else { ordering.is_le() }
}

/// The place up to which a page with a filter has read everything, if it stopped before the end.
async fn stop_of(db: &Db, actor: &Actor, cursor: &Cursor, deleted: bool) -> Result<Option<Place>> {
    let order = cursor.order();
    let forward = !matches!(cursor, Cursor::After(_));
    let mut statements = Vec::new();
    for scope in ["$1", "$2"] {
        let mut asked = Binds::two(actor);
        let walk = entries(scope, cursor, READ, deleted, &mut asked);
        let (columns, direction) = direction(cursor);
        let ordered = ordered("r.", columns, direction);
        statements.push(asked.into_sql(format!(
            "select r.position, r.occurred_from, r.occurred_precision, r.recorded_at
             from ({walk}) as r
             where $2 = $2
             order by {ordered}
             limit 1 offset {}",
            READ - 1
        )));
    }
    let mut stop: Option<Place> = None;
    for row in db.one_by_one(statements).await?.iter().filter_map(|rows| rows.first()) {
        let position = row.int("position")?;
        let place = match order {
            Order::Happened => Place::Happened(history::Place {
                from: row.text("occurred_from")?,
                precision: row.int("occurred_precision")?,
                position,
            }),
            Order::Recorded => Place::Recorded(row.instant("recorded_at")?, position),
        };
        stop = match stop {
            Some(known) if is_within(&known, &place, forward) => Some(known),
            _ => Some(place),
        };
    }
    Ok(stop)
}

/// Whether anything that is shown lies after a place that no page begins at: above the months that were asked for. Also if
/// not everything after it was read.
///
/// # Errors
/// If the database refuses.
pub async fn anything_after(db: &Db, actor: &Actor, place: &Place, narrow: &Narrow) -> Result<bool> {
    let cursor = Cursor::After(place.clone());
    let found = page_statement(actor, &cursor, narrow, 1).all(db).await?;
    Ok(!found.is_empty() || (narrow.reads() && stop_of(db, actor, &cursor, narrow.filter.deleted).await?.is_some()))
}

/// What happened in one month of each of these years, told of these people: at most `each` of a year, latest first.
///
/// # Errors
/// If the database refuses.
pub async fn in_month(
    db: &Db,
    actor: &Actor,
    people: &People,
    month: i8,
    years: &[i64],
    each: usize,
) -> Result<Vec<Happening>> {
    if years.is_empty() {
        return Ok(Vec::new());
    }
    let mut walks = Vec::new();
    let mut edges: Vec<Value> = vec![Precision::Year.rank().into()];
    for year in years {
        let first = edges.len() + 3;
        edges.push(format!("{year:04}-{month:02}").into());
        edges.push(format!("{year:04}-{month:02}-99").into());
        let range =
            format!("t.occurred_from >= ${first} and t.occurred_from < ${} and t.occurred_precision > $3", first + 1);
        for scope in ["$1", "$2"] {
            walks.push(walk(scope, &range, HAPPENED, "desc", each, &format!("w{}", walks.len())));
        }
    }
    let statement = sql(telling(&walks.join(" union all "), false, "", HAPPENED, "desc"))
        .bind(actor.household)
        .bind(actor.member)
        .bind_all(edges);
    told(&statement.all(db).await?, people)
}

/// How much happened in a year: of unknown month first, then January to December.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Year {
    /// The year.
    pub year: i64,
    /// Happenings by month.
    pub months: [i64; 13],
}

impl Year {
    /// Happenings of the whole year.
    pub fn total(&self) -> i64 {
        self.months.iter().sum()
    }
}

/// How much happened in each year, in the records that the member may see.
pub(super) fn years_statement(actor: &Actor) -> Sql {
    let sums: Vec<String> = (0..13).map(|month| format!("cast(sum(m{month}) as bigint) as m{month}")).collect();
    sql(format!(
        "select year, {sums}
         from timeline_year
         where household_id = $1 and scope in ($1, $2)
         group by year
         order by year desc
         limit {YEARS}",
        sums = sums.join(", ")
    ))
    .bind(actor.household)
    .bind(actor.member)
}

pub(super) fn read_years(rows: &[Row]) -> Result<Vec<Year>> {
    let mut years = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        let mut months = [0; 13];
        for (month, count) in months.iter_mut().enumerate() {
            *count = row.int(&format!("m{month}"))?;
        }
        years.push(Year { year: row.int("year")?, months });
    }
    Ok(years)
}

const HAPPENED: &[&str] = &["occurred_from", "occurred_precision", "position"];
const RECORDED: &[&str] = &["recorded_at", "position"];

fn direction(cursor: &Cursor) -> (&'static [&'static str], &'static str) {
    let columns = if cursor.order() == Order::Happened { HAPPENED } else { RECORDED };
    (columns, if matches!(cursor, Cursor::After(_)) { "asc" } else { "desc" })
}

/// Entries of one scope from the cursor on: of the records that are there, or of deleted ones.
fn entries(scope: &str, cursor: &Cursor, limit: i64, deleted: bool, asked: &mut Binds) -> String {
    let of = if deleted { "deleted_scope" } else { "scope" };
    let (columns, direction) = direction(cursor);
    let side = if direction == "asc" { ">" } else { "<" };
    let edge = match cursor {
        Cursor::Newest(_) => String::new(),
        Cursor::Before(Place::Happened(place)) | Cursor::After(Place::Happened(place)) => {
            let values = [asked.add(&place.from), asked.add(place.precision), asked.add(place.position)];
            format!("and (t.occurred_from, t.occurred_precision, t.position) {side} ({})", values.join(", "))
        }
        Cursor::Before(Place::Recorded(at, position)) | Cursor::After(Place::Recorded(at, position)) => {
            format!("and (t.recorded_at, t.position) {side} ({}, {})", asked.add(*at), asked.add(*position))
        }
    };
    format!(
        "select t.record_id, t.version, t.position, t.kind, t.occurred_from, t.occurred_precision, t.recorded_at,
                case when t.kind = 'record_updated' then t.changes end as changes
         from timeline_entry as t
         where t.household_id = $1 and t.{of} = {scope} {edge}
         order by {}
         limit {limit}",
        ordered("t.", columns, direction)
    )
}

/// Two walks down an index, one over what the household shares and one over what the member keeps to herself, merged.
/// Each stops after a page, or, where something has to be looked up for each entry, after so many that were read. The scope
/// narrows; the join to the record decides.
fn page_statement(actor: &Actor, cursor: &Cursor, narrow: &Narrow, limit: usize) -> Sql {
    let (columns, direction) = direction(cursor);
    let mut asked = Binds::two(actor);
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut walks = Vec::new();
    for (scope, name) in [("$1", "shared"), ("$2", "own")] {
        let deleted = narrow.filter.deleted;
        walks.push(if !narrow.reads() {
            format!("select * from ({}) as {name}", entries(scope, cursor, most, deleted, &mut asked))
        } else {
            let read = entries(scope, cursor, READ, deleted, &mut asked);
            // They come in their order. To ask for it again would make SQLite read them all first.
            let conditions = narrow.conditions(&mut asked);
            format!("select * from (select * from ({read}) as r where 1 = 1 {conditions} limit {limit}) as {name}")
        });
    }
    let limit = format!("limit {limit}");
    asked.into_sql(telling(&walks.join(" union all "), narrow.filter.deleted, &limit, columns, direction))
}

fn ordered(alias: &str, columns: &[&str], direction: &str) -> String {
    columns.iter().map(|column| format!("{alias}{column} {direction}")).collect::<Vec<_>>().join(", ")
}

/// The limit stands in the text, so that the planner knows how few rows come.
fn walk(scope: &str, range: &str, columns: &[&str], direction: &str, limit: usize, name: &str) -> String {
    format!(
        "select * from (
             select t.record_id, t.version, t.position, t.occurred_from, t.occurred_precision, t.recorded_at,
                    case when t.kind = 'record_updated' then t.changes end as changes
             from timeline_entry as t
             where t.household_id = $1 and t.scope = {scope} and {range}
             order by {}
             limit {limit}) as {name}",
        ordered("t.", columns, direction)
    )
}

/// A cross join keeps SQLite from beginning with the larger table: it does not know how few rows the page has.
fn telling(walks: &str, deleted: bool, limit: &str, columns: &[&str], direction: &str) -> String {
    format!(
        "select p.record_id, p.version, p.position, p.recorded_at, p.changes, v.title, v.category, v.visibility, e.kind,
                e.payload_version, e.payload, e.occurred, e.actor_id
         from (select * from ({walks}) as both_scopes order by {inner} {limit}) as p
         cross join record_view as v
         cross join record_events as e
         where v.household_id = $1 and v.id = p.record_id and {is_deleted}
           and (v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $2))
           and e.household_id = $1 and e.position = p.position
         order by {outer}",
        is_deleted = if deleted { "v.deleted" } else { "not v.deleted" },
        inner = ordered("", columns, direction),
        outer = ordered("p.", columns, direction),
    )
}

fn told(rows: &[Row], people: &People) -> Result<Vec<Happening>> {
    rows.iter().map(|row| happening(row, people)).collect()
}

fn happening(row: &Row, people: &People) -> Result<Happening> {
    Ok(Happening {
        record: RecordId(row.uuid("record_id")?),
        title: row.text("title")?,
        category: row.opt_text("category")?,
        private: row.str("visibility")? == Visibility::Private.as_str(),
        version: row.int("version")?,
        position: row.int("position")?,
        payload: changes::payload(row)?,
        occurred: Occurred::parse_iso(row.str("occurred")?).map_err(|e| super::db::bad("occurred", &e.0))?,
        recorded: row.instant("recorded_at")?,
        actor_name: people.called_in(row, "actor_id")?,
        actor_zone: people.zone_in(row, "actor_id")?,
        changes: changes::read(row)?,
    })
}
