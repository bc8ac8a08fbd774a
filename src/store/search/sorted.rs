//! Searches in another order than the usual: by title, or by what happened last.

use std::fmt::Write as _;

use crate::error::Result;
use crate::store::conditions::Binds;
use crate::store::db::{Db, Engine, Row, Sql};
use crate::store::filter::{Key, Sort, beyond, order};
use crate::store::projection::labels;
use crate::store::views::{LISTED, VISIBLE};

use super::READ;
use super::asking::Asking;
use super::finding::Edge;
use super::frequency::Frequencies;

/// Where a page in another order begins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Below which position records are read and put in order.
    pub window: Option<i64>,
    /// Beyond which key, in that order.
    pub key: Option<Key>,
    /// In front of it.
    pub backward: bool,
}

impl Place {
    fn descends(&self, sort: Sort) -> bool {
        (sort != Sort::Title) != self.backward
    }

    fn order(&self, sort: Sort, alias: &str) -> String {
        order(sort, alias, self.descends(sort))
    }
}

impl Asking<'_> {
    /// A page in another order than that of activity: of the records that hold the terms, as many of the latest as are
    /// read at a time, put in order.
    fn sorted(&self, place: &Place, limit: usize) -> Sql {
        let mut asked = Binds::of(self.actor, self.deleted);
        let terms = self.terms(None);
        let window = Edge { edge: place.window, backward: false };
        let candidates = self.candidates(&terms, self.way(&terms, READ), &window, READ, &mut asked);
        let mut conditions = self.conditions(None, &mut asked);
        if let Some(key) = &place.key {
            let _ = write!(conditions, " and {}", beyond(key, "l", place.descends(self.filter.sort), &mut asked));
        }
        asked.into_sql(format!(
            "select p.happened, p.title_key, p.words, v.has_files, {LISTED}
             from (
                 select r.record_id, r.words, l.position, l.happened, l.title_key
                 from ({candidates}) as r
                 cross join record_label as l
                 where l.household_id = $1 and l.record_id = r.record_id and l.kind = '{kind}' and l.label_key = ''
                   and l.deleted = $3 {conditions}
                 order by {inner}
                 limit {limit}
             ) as p
             cross join record_view as v
             where v.household_id = $1 and v.id = p.record_id and v.deleted = $3 and {VISIBLE}
             order by {outer}",
            kind = labels::ALL,
            inner = place.order(self.filter.sort, "l"),
            outer = place.order(self.filter.sort, "p"),
        ))
    }

    /// The first statement of a search in another order.
    pub(super) fn first_sorted(&self, place: &Place, limit: usize) -> Sql {
        match self.engine {
            Engine::Postgres => Frequencies::statement(self.actor, &self.leaves()),
            Engine::Sqlite => self.sorted(place, limit),
        }
    }

    /// What is found, from its answer on.
    pub(super) async fn find_sorted(
        &mut self,
        db: &Db,
        place: &Place,
        limit: usize,
        first: Vec<Row>,
        records: i64,
    ) -> Result<Vec<Row>> {
        if self.engine == Engine::Sqlite {
            return Ok(first);
        }
        self.frequencies = Frequencies::read(&first, self.leaves(), records)?;
        Ok(self.sorted(place, limit).all(db).await?)
    }
}
