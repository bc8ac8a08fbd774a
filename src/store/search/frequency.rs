//! How many records the terms of a search find. PostgreSQL's own estimate would have to be asked for with every search, by
//! planning it anew, and is far off for a household among others; so it is kept, and the way is chosen here.

use std::collections::HashMap;

use crate::domain::access::Actor;
use crate::error::Result;
use crate::store::conditions::Binds;
use crate::store::db::{Row, Sql};

use super::terms::Terms;

/// How many terms with the same beginning are added up.
const ADDED: usize = 200;

/// What it costs to look at a record on the walk down the latest, next to an entry of the index (0.08 µs where it was
/// measured).
const LOOKED_AT: f64 = 7.0;

/// What it costs to fetch a record that the index named, and to put it in order.
const FETCHED: f64 = 5.0;

/// What an entry of a term costs that is read with all that begin alike.
const BEGUN: f64 = 2.5;

/// How many records something finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Estimate {
    /// At least so many.
    pub(super) least: i64,
    /// At most so many, but for terms with the same short beginning, of which not all are added up.
    pub(super) most: i64,
    /// Probably so many.
    likely: i64,
}

/// How many records each term of a search finds, and how many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Frequencies {
    of: HashMap<(String, bool), Estimate>,
    records: i64,
}

impl Frequencies {
    /// The statement that tells it.
    pub(super) fn statement(actor: &Actor, leaves: &[(String, bool)]) -> Sql {
        let mut asked = Binds::two(actor);
        let found: Vec<String> = leaves
            .iter()
            .enumerate()
            .map(|(nth, (term, begins))| {
                let from = asked.add(term);
                let terms = match begins {
                    true => format!("f.term >= {from} and f.term < {}", asked.add(format!("{term}\u{10FFFF}"))),
                    false => format!("f.term = {from}"),
                };
                format!(
                    "select {nth} as nth, max(f{nth}.records) as least, cast(sum(f{nth}.records) as bigint) as most
                     from (select f.records from search_frequency as f
                           where f.household_id = $1 and {terms}
                           limit {ADDED}) as f{nth}"
                )
            })
            .collect();
        asked.into_sql(format!(
            "select cast(f.nth as bigint) as nth, f.least, f.most from ({}) as f where $2 = $2",
            found.join(" union all ")
        ))
    }

    /// What the statement told, of so many records in all.
    pub(super) fn read(rows: &[Row], leaves: Vec<(String, bool)>, records: i64) -> Result<Self> {
        let mut of = HashMap::new();
        for row in rows {
            let leaf = usize::try_from(row.int("nth")?).ok().and_then(|nth| leaves.get(nth));
            let (least, most) = (row.opt_int("least")?.unwrap_or(0), row.opt_int("most")?.unwrap_or(0));
            of.extend(leaf.map(|leaf| (leaf.clone(), Estimate { least, most, likely: most.min(records) })));
        }
        Ok(Self { of, records })
    }

    /// How many records there are.
    pub(super) fn records(&self) -> i64 {
        self.records
    }

    /// How many records terms find.
    pub(super) fn of(&self, terms: &Terms) -> Estimate {
        match terms {
            Terms::One(term, begins) => {
                let unknown = Estimate { least: 0, most: self.records, likely: self.records };
                self.of.get(&(term.clone(), *begins)).copied().unwrap_or(unknown)
            }
            // Forms of one word, mostly: they stand in the same records.
            Terms::Any(list) => list.iter().map(|one| self.of(one)).fold(Estimate::default(), |all, one| Estimate {
                least: all.least.max(one.least),
                most: all.most.saturating_add(one.most).min(self.records),
                likely: all.likely.max(one.likely),
            }),
            Terms::All(list) => match &list[..] {
                [one] => self.of(one),
                list => {
                    let each = || list.iter().map(|one| self.of(one));
                    let least_of = |of: fn(Estimate) -> i64| each().map(of).min().unwrap_or(self.records);
                    Estimate { least: 0, most: least_of(|one| one.most), likely: least_of(|one| one.likely) }
                }
            },
            Terms::Less(one, _) => Estimate { least: 0, ..self.of(one) },
        }
    }

    /// Whether walking down the latest records until so many were found is likely to be less work than reading off the
    /// index which there are.
    pub(super) fn walks(&self, terms: &Terms, wanted: i64) -> bool {
        let records = self.records.max(1) as f64;
        let share = self.share(terms);
        let walked = (wanted as f64 / share.max(1.0 / records)).min(records);
        walked * LOOKED_AT < self.work(terms) + records * share * FETCHED
    }

    /// The share of all records that terms find, if each were independent of the others.
    fn share(&self, terms: &Terms) -> f64 {
        match terms {
            Terms::All(list) => list.iter().map(|one| self.share(one)).product(),
            Terms::Less(one, other) => self.share(one) * (1.0 - self.share(other)),
            terms => (self.of(terms).likely as f64 / self.records.max(1) as f64).min(1.0),
        }
    }

    /// How many entries of the index are read for terms: of whole terms together the rarest decide, and every one of those
    /// that begin alike is read.
    fn work(&self, terms: &Terms) -> f64 {
        match terms {
            Terms::One(_, begins) => self.of(terms).most as f64 * if *begins { BEGUN } else { 1.0 },
            Terms::Any(list) => list.iter().map(|one| self.work(one)).sum(),
            Terms::All(list) => {
                let (begun, whole): (Vec<_>, Vec<_>) = list.iter().partition(|one| one.has_beginnings());
                let whole = whole.iter().map(|one| self.work(one)).min_by(f64::total_cmp).unwrap_or(0.0);
                whole + begun.iter().map(|one| self.work(one)).sum::<f64>()
            }
            Terms::Less(one, other) => self.work(one) + if other.has_beginnings() { self.work(other) } else { 0.0 },
        }
    }
}
