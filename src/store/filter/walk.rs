//! The walk of a list: which rows it reads, from where and in which order.

use std::fmt::Write as _;

use crate::domain::access::Actor;
use crate::domain::ids::RecordId;
use crate::domain::text::fold;
use crate::error::Result;
use crate::store::conditions::Binds;
use crate::store::count::{COUNTED, Count};
use crate::store::db::{Db, Row, Sql};
use crate::store::projection::labels;
use crate::store::views::{Suggestions, VISIBLE};

use super::{Cursor, Entered, Filter, Key, READ, Sort, Wanted};

impl Key {
    /// The key of a row that has what it takes.
    pub(in crate::store) fn read(sort: Sort, row: &Row) -> Result<Self> {
        Ok(match sort {
            Sort::Activity => Self::Activity(row.int("position")?),
            Sort::Happened => Self::Happened(row.text("happened")?, row.int("position")?),
            Sort::Title => Self::Title(row.bytes("title_key")?, RecordId(row.uuid("id")?)),
        })
    }
}

/// What rows of `record_label` are ordered by.
pub(in crate::store) fn order(sort: Sort, alias: &str, descends: bool) -> String {
    let order = if descends { "desc" } else { "asc" };
    match sort {
        Sort::Activity => format!("{alias}.position {order}"),
        Sort::Happened => format!("{alias}.happened {order}, {alias}.position {order}"),
        Sort::Title => format!("{alias}.title_key {order}, {alias}.record_id {order}"),
    }
}

/// That a row of `record_label` stands beyond a key.
pub(in crate::store) fn beyond(key: &Key, alias: &str, descends: bool, asked: &mut Binds) -> String {
    let side = if descends { "<" } else { ">" };
    match key {
        Key::Activity(position) => format!("{alias}.position {side} {}", asked.add(*position)),
        Key::Happened(happened, position) => {
            let (happened, position) = (asked.add(happened), asked.add(*position));
            format!("({alias}.happened, {alias}.position) {side} ({happened}, {position})")
        }
        Key::Title(key, record) => {
            let (key, record) = (asked.add(key.as_slice()), asked.add(*record));
            format!("({alias}.title_key, {alias}.record_id) {side} ({key}, {record})")
        }
    }
}

/// A walk down the rows of a label, or of several, in an order.
pub(super) struct Walk<'a> {
    actor: &'a Actor,
    filter: &'a Filter,
    entered: Entered,
    driver: Vec<Wanted>,
    edge: Option<&'a Key>,
    backward: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn of(
        actor: &'a Actor,
        filter: &'a Filter,
        entered: Entered,
        driver: Vec<Wanted>,
        cursor: &'a Cursor,
    ) -> Self {
        let (edge, backward) = match cursor {
            Cursor::Newest => (None, false),
            Cursor::Before(key) => (Some(key), false),
            Cursor::After(key) => (Some(key), true),
        };
        Self { actor, filter, entered, driver, edge, backward }
    }

    /// Whether anything has to be looked up for each row.
    pub(super) fn reads(&self) -> bool {
        self.filter.has_range() || self.others().next().is_some() || self.wants_any()
    }

    fn others(&self) -> impl Iterator<Item = Wanted> + '_ {
        self.filter.labels().into_iter().filter(|label| !self.driver.contains(label))
    }

    fn wants_any(&self) -> bool {
        self.filter.any_of().first().is_some_and(|tag| !self.driver.iter().any(|label| label.key == fold(tag)))
    }

    /// Whether the order, as it is walked, goes down.
    fn descends(&self) -> bool {
        (self.filter.sort != Sort::Title) != self.backward
    }

    fn order(&self, alias: &str) -> String {
        order(self.filter.sort, alias, self.descends())
    }

    pub(super) fn key(&self, row: &Row) -> Result<Key> {
        Key::read(self.filter.sort, row)
    }

    /// Whether a place is not beyond another one, the way the walk goes.
    pub(super) fn is_within(&self, key: &Key, stop: &Key) -> bool {
        let ordering = match (key, stop) {
            (Key::Activity(key), Key::Activity(stop)) => key.cmp(stop),
            (Key::Happened(a, b), Key::Happened(c, d)) => (a, b).cmp(&(c, d)),
            (Key::Title(a, b), Key::Title(c, d)) => (a, b.0).cmp(&(c, d.0)),
            _ => std::cmp::Ordering::Equal,
        };
        if self.descends() { ordering.is_ge() } else { ordering.is_le() }
    }

    /// The rows of one label in one scope, from the edge on.
    fn rows(&self, scope: &str, label: &Wanted, limit: i64, asked: &mut Binds) -> String {
        let edge =
            self.edge.map_or_else(String::new, |key| format!("and {}", beyond(key, "l", self.descends(), asked)));
        format!(
            "select l.record_id, l.position, l.happened, l.title_key
             from record_label as l
             where l.household_id = $1 and l.scope = {scope} and l.deleted = $3 and l.kind = '{kind}'
               and l.label_key = {key} {edge}
             order by {order}
             limit {limit}",
            kind = label.kind,
            key = asked.add(&label.key),
            order = self.order("l"),
        )
    }

    /// What has to be looked up for a row, `r`.
    fn conditions(&self, asked: &mut Binds) -> String {
        let mut conditions = String::new();
        for label in self.others() {
            let _ = write!(conditions, " and {}", label.is_of("r", asked));
        }
        if self.wants_any() {
            let _ = write!(conditions, " and {}", self.filter.has_any_of("r", asked));
        }
        conditions.push_str(&self.filter.when("r", self.entered, asked));
        conditions
    }

    /// Walks over what the household shares and over what the member keeps to herself, merged; one for each label that is
    /// walked. Each stops after a page, and carries no more than the order needs: what a row shows is fetched for the rows
    /// that are shown. The limit stands in the text, so that the planner knows of it; a cross join keeps SQLite, which does
    /// not, from beginning with the larger table.
    pub(super) fn page(&self, columns: &str, limit: usize) -> Sql {
        let mut asked = Binds::of(self.actor, self.filter.deleted);
        let mut walks = Vec::new();
        for (nth, label) in self.driver.iter().enumerate() {
            for (scope, name) in [("$1", "shared"), ("$2", "own")] {
                let walk = if self.reads() {
                    let rows = self.rows(scope, label, READ, &mut asked);
                    // They come in their order. To ask for it again would make SQLite read them all first.
                    format!(
                        "select r.record_id, r.position, r.happened, r.title_key
                         from ({rows}) as r
                         where 1 = 1 {conditions}
                         limit {limit}",
                        conditions = self.conditions(&mut asked),
                    )
                } else {
                    self.rows(scope, label, i64::try_from(limit).unwrap_or(i64::MAX), &mut asked)
                };
                walks.push(format!("select * from ({walk}) as {name}_{nth}"));
            }
        }
        // A record with several of the labels comes once.
        let together = if self.driver.len() > 1 { " union " } else { " union all " };
        asked.into_sql(format!(
            "select {columns}, p.happened as happened, p.title_key as title_key
             from (select * from ({walks}) as w order by {inner} limit {limit}) as p
             cross join record_view as v
             where v.household_id = $1 and v.id = p.record_id and v.deleted = $3 and {VISIBLE}
             order by {outer}",
            walks = walks.join(together),
            inner = self.order("w"),
            outer = self.order("p"),
        ))
    }

    /// The place up to which the walk has read everything, if it stopped before its end.
    pub(super) async fn stop(&self, db: &Db) -> Result<Option<Key>> {
        let mut stops: Vec<Key> = Vec::new();
        let mut statements = Vec::new();
        for label in &self.driver {
            for scope in ["$1", "$2"] {
                let mut asked = Binds::of(self.actor, self.filter.deleted);
                let rows = self.rows(scope, label, READ, &mut asked);
                statements.push(asked.into_sql(format!(
                    "select r.record_id as id, r.position, r.happened, r.title_key
                     from ({rows}) as r
                     where $2 = $2
                     order by {order}
                     limit 1 offset {last}",
                    order = self.order("r"),
                    last = READ - 1,
                )));
            }
        }
        for rows in db.one_by_one(statements).await? {
            stops.extend(rows.first().map(|row| self.key(row)).transpose()?);
        }
        // The first to stop: beyond it, what the others found is not all there is.
        let mut first: Option<Key> = None;
        for stop in stops {
            first = match first {
                Some(known) if self.is_within(&known, &stop) => Some(known),
                _ => Some(stop),
            };
        }
        Ok(first)
    }

    /// Whether it is kept how many there are.
    pub(super) fn is_counted(&self) -> bool {
        let filter = self.filter;
        match &filter.labels()[..] {
            _ if filter.has_range() || !filter.any_of().is_empty() => false,
            [] => true,
            [one] => !filter.deleted && one.kind != labels::BY,
            _ => false,
        }
    }

    /// How many there are, if that is kept.
    pub(super) fn count_known(&self, known: &Suggestions) -> Option<i64> {
        let filter = self.filter;
        match (&filter.labels()[..], filter.deleted) {
            _ if filter.has_range() || !filter.any_of().is_empty() => None,
            ([], true) => Some(known.deleted),
            ([], false) => Some(known.records),
            ([one], false) => match one.kind {
                labels::CATEGORY => known.of_category(&one.key),
                labels::TAG => known.of_tag(&one.key),
                labels::FILES => Some(known.with_files),
                _ => None,
            },
            _ => None,
        }
    }

    /// How many rows that match the labels that are walked have in the two scopes, as far as lists count: of so many that
    /// are read in each, where something has to be looked up.
    pub(super) fn count(&self, read: i64) -> Sql {
        let mut asked = Binds::of(self.actor, self.filter.deleted);
        let mut walks = Vec::new();
        for (nth, label) in self.driver.iter().enumerate() {
            for (scope, name) in [("$1", "shared"), ("$2", "own")] {
                let walk = if self.reads() {
                    let rows = self.rows(scope, label, read, &mut asked);
                    let conditions = self.conditions(&mut asked);
                    format!("select r.record_id from ({rows}) as r where 1 = 1 {conditions} limit {}", COUNTED + 1)
                } else {
                    self.rows(scope, label, COUNTED + 1, &mut asked)
                };
                walks.push(format!("select {name}_{nth}.record_id from ({walk}) as {name}_{nth}"));
            }
        }
        let together = if self.driver.len() > 1 { " union " } else { " union all " };
        asked.into_sql(format!("select count(*) as records from ({}) as w where $2 = $2", walks.join(together)))
    }

    /// The same walk from the beginning of the list.
    pub(super) fn whole(&self) -> Self {
        Self { edge: None, backward: false, driver: self.driver.clone(), ..*self }
    }

    /// How many match of as many as are read for a page, from the beginning of the list.
    pub(super) async fn count_read(&self, db: &Db, known: &Suggestions) -> Result<Count> {
        let whole = self.whole();
        let count = whole.count(READ).one(db).await?.int("records")?;
        let all = if self.filter.deleted { known.deleted } else { known.records };
        Ok(Count::of_read(count, count > COUNTED || all < READ || whole.stop(db).await?.is_none()))
    }
}
