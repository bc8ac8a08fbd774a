//! The list of records: its filters, its orders and its pages. The one place where list statements are put together, from
//! clauses that each have an index.
//!
//! A list walks the rows of one label in the order that was asked for, from an edge on: of the label that fewest records
//! have. Every other filter is looked up for each row, and after [`READ`] rows the walk stops, says so, and can be gone on
//! with: so a page costs about the same in a household of a thousand records and of a million.

use std::fmt::Write as _;

use crate::domain::access::Actor;
use crate::domain::ids::{MemberId, RecordId};
use crate::domain::instant::Instant;
use crate::domain::text::fold;
use crate::domain::when::Occurred;
use crate::error::Result;

use super::conditions::{Binds, happened};
use super::count::Count;
use super::db::{Db, Row, Sql};
use super::projection::labels;
use super::surroundings::{self, Surroundings};
use super::views::{LISTED, Listed, Suggestions};

mod walk;

use walk::Walk;
pub(super) use walk::{beyond, order};

/// How many records a page of the list has.
pub const PAGE: usize = 50;

/// How many records are read at most for a page whose filters no index answers together.
pub const READ: i64 = 5000;

/// How many tags a filter takes.
pub const MOST_TAGS: usize = 10;

/// What records are ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sort {
    /// The latest change first.
    #[default]
    Activity,
    /// What happened last first.
    Happened,
    /// By title, from A to Z.
    Title,
}

/// Which time a range means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Time {
    /// When things happened.
    #[default]
    Happened,
    /// When they were entered.
    Recorded,
}

/// What a list shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only this category.
    pub category: Option<String>,
    /// Only records with these tags, at most [`MOST_TAGS`].
    pub tags: Vec<String>,
    /// Any one of the tags is enough.
    pub any_tag: bool,
    /// Only where something happened, or was entered, from the beginning of this on.
    pub from: Option<Occurred>,
    /// Only where it did so up to the end of this.
    pub until: Option<Occurred>,
    /// Which time that means.
    pub time: Time,
    /// Only where this member wrote something.
    pub by: Option<MemberId>,
    /// Only records with files.
    pub files: bool,
    /// Deleted records instead of the others.
    pub deleted: bool,
    /// In which order.
    pub sort: Sort,
}

/// What a range means in instants, for the time of entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entered {
    /// From this instant on.
    pub from: Option<Instant>,
    /// Before this one.
    pub until: Option<Instant>,
}

impl Entered {
    /// That something, `alias`, was entered in the range.
    pub(super) fn range(&self, alias: &str, asked: &mut Binds) -> String {
        let mut range = String::new();
        if let Some(from) = self.from {
            let _ = write!(range, " and {alias}.recorded_at >= {}", asked.add(from));
        }
        if let Some(until) = self.until {
            let _ = write!(range, " and {alias}.recorded_at < {}", asked.add(until));
        }
        range
    }
}

/// Where a record stands in an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Key {
    /// Its latest event's position.
    Activity(i64),
    /// When something happened in it last, and its latest event's position.
    Happened(String, i64),
    /// What its title is ordered by, and its identity.
    Title(Vec<u8>, RecordId),
}

/// Where a page of a list begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// The first page.
    Newest,
    /// What comes after this in the order.
    Before(Key),
    /// What comes in front of it.
    After(Key),
}

/// A page of the list.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// The records.
    pub rows: Vec<Listed>,
    /// Where the page in front of this one is.
    pub newer: Option<Cursor>,
    /// Where the page after this one is.
    pub older: Option<Cursor>,
    /// Whether the page ends, towards where it was walking, because enough was read.
    pub stopped: bool,
    /// How many records match.
    pub count: Count,
    /// What stands around it.
    pub surroundings: Surroundings,
}

/// A label that records are to have.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wanted {
    kind: &'static str,
    key: String,
}

impl Wanted {
    /// That a record has it. The limit within keeps PostgreSQL from reading everything there is first.
    fn is_of(&self, alias: &str, asked: &mut Binds) -> String {
        format!(
            "(select 1 from record_label as x
              where x.household_id = $1 and x.record_id = {alias}.record_id and x.kind = '{}' and x.label_key = {}
              limit 1) is not null",
            self.kind,
            asked.add(&self.key)
        )
    }
}

impl Filter {
    /// That something belongs to a record with the category, the tags and the files that are wanted.
    pub(super) fn in_record(&self, alias: &str, asked: &mut Binds) -> String {
        let mut conditions = String::new();
        for label in self.labels().iter().filter(|label| label.kind != labels::BY) {
            let _ = write!(conditions, " and {}", label.is_of(alias, asked));
        }
        if !self.any_of().is_empty() {
            let _ = write!(conditions, " and {}", self.has_any_of(alias, asked));
        }
        conditions
    }

    /// That the member that is wanted wrote in a record, and that something happened in it, or was entered, in the range.
    pub(super) fn by_and_when(&self, alias: &str, entered: Entered, asked: &mut Binds) -> String {
        let mut conditions = String::new();
        for label in self.labels().iter().filter(|label| label.kind == labels::BY) {
            let _ = write!(conditions, " and {}", label.is_of(alias, asked));
        }
        conditions.push_str(&self.when(alias, entered, asked));
        conditions
    }

    fn has_any_of(&self, alias: &str, asked: &mut Binds) -> String {
        let tags = self.any_of().iter().map(|tag| Wanted { kind: labels::TAG, key: fold(tag) });
        let any: Vec<String> = tags.map(|label| label.is_of(alias, asked)).collect();
        format!("({})", any.join(" or "))
    }

    fn when(&self, alias: &str, entered: Entered, asked: &mut Binds) -> String {
        if !self.has_range() {
            return String::new();
        }
        let record = format!("{alias}.record_id");
        match self.time {
            Time::Happened => format!(" and {}", happened(&record, self.from, self.until, asked)),
            Time::Recorded => format!(
                " and (select 1 from timeline_entry as t
                       where t.household_id = $1 and t.record_id = {record} {}
                       limit 1) is not null",
                entered.range("t", asked)
            ),
        }
    }

    fn labels(&self) -> Vec<Wanted> {
        let mut labels = Vec::new();
        let mut want = |kind, key| labels.push(Wanted { kind, key });
        if let Some(category) = &self.category {
            want(labels::CATEGORY, fold(category));
        }
        if !self.any_tag || self.tags.len() == 1 {
            self.tags.iter().for_each(|tag| want(labels::TAG, fold(tag)));
        }
        if self.files {
            want(labels::FILES, String::new());
        }
        if let Some(by) = self.by {
            want(labels::BY, by.0.to_string());
        }
        labels
    }

    fn any_of(&self) -> &[String] {
        if self.any_tag && self.tags.len() > 1 { &self.tags } else { &[] }
    }

    fn has_range(&self) -> bool {
        self.from.is_some() || self.until.is_some()
    }
}

/// A page of the records that the member may see. `entered` is what the range means in instants.
///
/// # Errors
/// If the database refuses.
pub async fn list(db: &Db, actor: &Actor, filter: &Filter, entered: Entered, cursor: &Cursor) -> Result<ListPage> {
    let wanted = filter.labels();
    // Which label fewest records have has to be known before, where there are several; it need not be up to date.
    let guess = match wanted.len() + usize::from(!filter.any_of().is_empty()) {
        0 | 1 => None,
        _ => match surroundings::remembered(db, actor) {
            Some(remembered) => Some(remembered),
            None => Some(surroundings::of(db, actor).await?),
        },
    };
    let guess = guess.as_ref().map(|guess| &*guess.known);
    let walk = Walk::of(actor, filter, entered, driver(&wanted, filter, guess), cursor);
    let mut asked = vec![walk.page(LISTED, PAGE + 1)];
    let counting = !walk.reads() && !walk.is_counted();
    asked.extend(counting.then(|| walk.whole().count(READ)));
    let (answers, surroundings) = surroundings::with(db, actor, asked).await?;
    let mut answers = answers.into_iter();
    let found = answers.next().unwrap_or_default();
    let counted = answers.next();
    let known = &surroundings.known;
    let backward = matches!(cursor, Cursor::After(_));
    let mut found: Vec<(Key, &Row)> = found.iter().map(|row| Ok((walk.key(row)?, row))).collect::<Result<_>>()?;
    let mut stop = None;
    if walk.reads() && found.len() <= PAGE {
        stop = walk.stop(db).await?;
        if let Some(stop) = &stop {
            found.retain(|(key, _)| walk.is_within(key, stop));
        }
    }
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    if backward {
        found.reverse();
    }
    let stop = stop.filter(|_| !more);
    let (first, last) = (found.first().map(|(key, _)| key.clone()), found.last().map(|(key, _)| key.clone()));
    let stopped = stop.is_some();
    let (newer, older) = match cursor {
        Cursor::Newest => (None, last.filter(|_| more).or(stop)),
        Cursor::Before(edge) => (first.or(Some(edge.clone())), last.filter(|_| more).or(stop)),
        Cursor::After(edge) => (first.filter(|_| more).or(stop), last.or(Some(edge.clone()))),
    };
    let count = match counted {
        Some(counted) => Count::of(counted.first().map(|row| row.int("records")).transpose()?.unwrap_or_default()),
        None if walk.reads() && *cursor == Cursor::Newest && !more => {
            Count::of_read(i64::try_from(found.len()).unwrap_or(i64::MAX), !stopped)
        }
        None if walk.reads() => walk.count_read(db, known).await?,
        None => match walk.count_known(known) {
            Some(count) => Count::of(count),
            // There are more labels than are known.
            None => Count::of(walk.whole().count(READ).one(db).await?.int("records")?),
        },
    };
    Ok(ListPage {
        rows: found.iter().map(|(_, row)| Listed::read(row, &surroundings.people)).collect::<Result<_>>()?,
        newer: newer.map(Cursor::After),
        older: older.map(Cursor::Before),
        stopped,
        count,
        surroundings,
    })
}

/// How many records match, however many have to be read for it.
///
/// # Errors
/// If the database refuses, or it takes too long.
pub async fn count_all(db: &Db, actor: &Actor, filter: &Filter, entered: Entered) -> Result<Count> {
    let known = surroundings::of(db, actor).await?.known;
    let driver = driver(&filter.labels(), filter, Some(&known));
    let counted = Walk::of(actor, filter, entered, driver, &Cursor::Newest).count(i64::MAX).one(db).await?;
    Ok(Count::of(counted.int("records")?))
}

/// The label to walk: of those that are wanted the one that fewest records have.
fn driver(wanted: &[Wanted], filter: &Filter, known: Option<&Suggestions>) -> Vec<Wanted> {
    let all = || vec![Wanted { kind: labels::ALL, key: String::new() }];
    let any_of: Vec<Wanted> = filter.any_of().iter().map(|tag| Wanted { kind: labels::TAG, key: fold(tag) }).collect();
    let count = |label: &Wanted| match (label.kind, known) {
        (labels::CATEGORY, Some(known)) => known.of_category(&label.key).unwrap_or(i64::MAX),
        (labels::TAG, Some(known)) => known.of_tag(&label.key).unwrap_or(i64::MAX),
        (labels::FILES, Some(known)) => known.with_files,
        _ => i64::MAX,
    };
    let rarest = wanted.iter().min_by_key(|label| count(label));
    match (rarest, any_of.is_empty()) {
        (None, true) => all(),
        (None, false) => any_of,
        (Some(rarest), true) => vec![rarest.clone()],
        (Some(rarest), false) => {
            let together = any_of.iter().map(count).fold(0_i64, i64::saturating_add);
            if together < count(rarest) { any_of } else { vec![rarest.clone()] }
        }
    }
}

/// The records that changed last, without any filter: `columns` of them.
pub(super) fn plain_statement(actor: &Actor, columns: &str, limit: usize) -> Sql {
    let filter = Filter::default();
    let driver = driver(&[], &filter, None);
    Walk::of(actor, &filter, Entered { from: None, until: None }, driver, &Cursor::Newest).page(columns, limit)
}

/// Reads a key from the words of an address, as [`key_words`] wrote them.
pub fn key(sort: Sort, words: &str) -> Option<Key> {
    let position = |text: &str| text.parse::<i64>().ok().filter(|position| *position > 0);
    match sort {
        Sort::Activity => position(words).map(Key::Activity),
        Sort::Happened => {
            let (happened, at) = words.rsplit_once('~')?;
            let is_one = happened.len() <= 24 && happened.bytes().all(|b| b.is_ascii_digit() || b"-T:~".contains(&b));
            is_one.then_some(())?;
            Some(Key::Happened(happened.to_owned(), position(at)?))
        }
        Sort::Title => {
            let (key, record) = words.split_once('~')?;
            if key.len() > 400 || key.len() % 2 != 0 {
                return None;
            }
            let byte = |at: usize| u8::from_str_radix(key.get(at..at + 2)?, 16).ok();
            let bytes = (0..key.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>()?;
            Some(Key::Title(bytes, record.parse().ok()?))
        }
    }
}

/// A key in the words of an address.
pub fn key_words(key: &Key) -> String {
    match key {
        Key::Activity(position) => position.to_string(),
        Key::Happened(happened, position) => format!("{happened}~{position}"),
        Key::Title(key, record) => format!("{}~{record}", crate::domain::chain::hex(key)),
    }
}
