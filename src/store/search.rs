//! The search: records that hold all the words that were typed, those with them in the title first, then the latest.
//!
//! The index is asked for terms that begin with whose records they find; it narrows, and the record itself decides who
//! sees it. Nothing is ranked: an order by activity is the one that stays as fast at a million records. What terms cannot
//! tell (whether words follow each other, when something happened) is read off the records in that order, of at most
//! [`READ`] of them at a time.

use crate::domain::access::Actor;
use crate::domain::ids::AttachmentId;
use crate::domain::query::Query;
use crate::domain::record::Record;
use crate::domain::when::Occurred;
use crate::error::{Error, Result};

use super::count::{COUNTED, Count};
use super::db::{Db, Row, bad};
use super::filter::{Entered, Filter, Key};
use super::history;
use super::people::People;
use super::surroundings::{self, Surroundings};
use super::views::{Listed, Suggestions};

mod asking;
mod finding;
mod frequency;
mod sorted;
mod spots;
mod terms;

use asking::Asking;
use finding::{From, Rows};

pub use sorted::Place;

/// How many records a page shows.
pub const PAGE: usize = 20;

/// How many records are read at a time to find those whose words follow each other, or whose time fits.
pub const READ: i64 = 5000;

/// Which of the two parts of an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Records with every word in their title.
    Title,
    /// The others.
    Rest,
}

impl Part {
    fn number(self) -> i64 {
        match self {
            Self::Title => 0,
            Self::Rest => 1,
        }
    }
}

/// Where a page begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// At the beginning.
    First,
    /// After the record at this position.
    Before(Part, i64),
    /// In front of it.
    After(Part, i64),
    /// In another order than the usual.
    Sorted(Place),
}

/// A record that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// As lists show it.
    pub listed: Listed,
    /// All that it says, unread: where its title says everything that was looked for, nobody wants to know.
    state: String,
    /// Its words and those in the names of its files, as the search keeps them.
    words: String,
    has_files: bool,
    /// The notes and files in which words were found that stand nowhere else in it.
    pub spots: Vec<Spot>,
}

impl Hit {
    /// All that the record says.
    ///
    /// # Errors
    /// If what is stored cannot be read.
    pub fn state(&self) -> Result<Record> {
        serde_json::from_str(&self.state).map_err(|error| bad("state", &error.to_string()).into())
    }

    fn read(row: &Row, people: &People) -> Result<Self> {
        Ok(Self {
            listed: Listed::read(row, people)?,
            state: row.text("state")?,
            words: row.text("words")?,
            has_files: row.bool("has_files")?,
            spots: Vec::new(),
        })
    }
}

/// Where words were found that a record itself does not say.
#[derive(Clone, Debug)]
pub enum Spot {
    /// In a note.
    Note {
        /// The version of the event that tells it.
        version: i64,
        /// Its place in the story.
        place: history::Place,
        /// When it happened.
        occurred: Occurred,
        /// What it says: its words, and its figures.
        texts: Vec<String>,
    },
    /// In the name of a file.
    File {
        /// The file.
        id: AttachmentId,
        /// Its name.
        name: String,
    },
}

/// A page of what was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The records.
    pub hits: Vec<Hit>,
    /// The page in front.
    pub newer: Option<Cursor>,
    /// The page after.
    pub older: Option<Cursor>,
    /// Whether `older` goes on because enough was read, not because the page is full.
    pub stopped: bool,
    /// In another order than the usual: where the records begin that were not put in order with these, if there are any.
    pub apart: Option<Cursor>,
    /// How many match.
    pub count: Count,
    /// Where nothing was found for several words: which of them stand nowhere in what the member may see.
    pub nowhere: Vec<usize>,
    /// What stands around it.
    pub surroundings: Surroundings,
}

/// What the search of a member looks for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What was typed.
    pub query: &'a Query,
    /// What else was chosen.
    pub filter: &'a Filter,
    /// What its range means in instants.
    pub entered: Entered,
}

/// A page of the records that match, of those that the member may see. The cursor has to fit the order.
///
/// # Errors
/// If the database refuses.
pub async fn search(db: &Db, actor: &Actor, wanted: &Wanted<'_>, cursor: Cursor) -> Result<Found> {
    if let Cursor::Sorted(place) = &cursor {
        return sorted(db, actor, wanted, place).await;
    }
    let mut asking = Asking::of(db.engine(), actor, wanted);
    let mut parts = if wanted.query.with.is_empty() { vec![Part::Rest] } else { vec![Part::Title, Part::Rest] };
    let from = match cursor {
        Cursor::First | Cursor::Sorted(_) => From { at: None, backward: false },
        Cursor::Before(part, position) => {
            parts.retain(|known| *known >= part);
            From { at: Some((part, position)), backward: false }
        }
        Cursor::After(part, position) => {
            parts.retain(|known| *known <= part);
            parts.reverse();
            From { at: Some((part, position)), backward: true }
        }
    };
    let first = asking.first(&parts, &from, PAGE + 1);
    let (first, surroundings) = surroundings::with(db, actor, first).await?;
    let records = records(wanted, &surroundings.known);
    let Rows { rows, counted } = asking.find(db, &parts, &from, PAGE + 1, first, records).await?;
    let mut found: Vec<(Part, &Row)> = Vec::new();
    let mut stopped = None;
    for part in &parts {
        found.extend(rows.iter().filter(|(of, _)| of == part).map(|(of, row)| (*of, row)));
        if asking.reads() && found.len() <= PAGE {
            stopped = asking.last_read(db, Some(*part), &from).await?.map(|position| (*part, position));
            if stopped.is_some() {
                break;
            }
        }
    }
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    if from.backward {
        found.reverse();
    }
    let mut hits = Vec::with_capacity(found.len());
    for (_, row) in &found {
        hits.push(Hit::read(row, &surroundings.people)?);
    }
    spots::find(db, actor, wanted.query, &mut hits).await?;
    let place =
        |at: Option<&(Part, &Row)>| at.map(|(part, row)| Ok::<_, Error>((*part, row.int("position")?))).transpose();
    let (first, last) = (place(found.first())?, place(found.last())?);
    let stop = stopped.filter(|_| !more);
    let (newer, older) = match (&cursor, from.backward) {
        (Cursor::First, _) => (None, last.filter(|_| more).or(stop)),
        (_, false) => (first, last.filter(|_| more).or(stop)),
        (_, true) => (first.filter(|_| more).or(stop), last),
    };
    let count = match (cursor == Cursor::First && !more, counted) {
        (true, _) => Count::of_read(many(&hits), stop.is_none()),
        (false, _) if asking.reads() => count_read(&asking, db, records).await?,
        (false, Some(counted)) => Count::of(counted),
        (false, None) => Count::of(asking.count(db).await?),
    };
    let nowhere = match hits.is_empty() && cursor == Cursor::First && wanted.query.with.len() > 1 {
        true => asking.nowhere(db).await?,
        false => Vec::new(),
    };
    Ok(Found {
        hits,
        newer: newer.map(|(part, position)| Cursor::After(part, position)),
        older: older.map(|(part, position)| Cursor::Before(part, position)),
        stopped: stop.is_some(),
        apart: None,
        count,
        nowhere,
        surroundings,
    })
}

/// Among how many records it looks.
fn records(wanted: &Wanted<'_>, known: &Suggestions) -> i64 {
    if wanted.filter.deleted { known.deleted } else { known.records }
}

/// How many match of as many as are read for a page, among so many records.
async fn count_read(asking: &Asking<'_>, db: &Db, records: i64) -> Result<Count> {
    let counted = asking.count_read(db, READ).await?;
    let begin = From { at: None, backward: false };
    let is_all = counted > COUNTED || records < READ || asking.last_read(db, None, &begin).await?.is_none();
    Ok(Count::of_read(counted, is_all))
}

fn many(hits: &[Hit]) -> i64 {
    i64::try_from(hits.len()).unwrap_or(i64::MAX)
}

/// How many records match, however many have to be read for it.
///
/// # Errors
/// If the database refuses, or it takes too long.
pub async fn count_all(db: &Db, actor: &Actor, wanted: &Wanted<'_>) -> Result<Count> {
    let mut asking = Asking::of(db.engine(), actor, wanted);
    let surroundings = surroundings::of(db, actor).await?;
    asking.learn(db, records(wanted, &surroundings.known)).await?;
    let counted = if asking.reads() { asking.count_read(db, i64::MAX).await? } else { asking.count(db).await? };
    Ok(Count::of(counted))
}

/// The same in the order that the filter names.
async fn sorted(db: &Db, actor: &Actor, wanted: &Wanted<'_>, place: &Place) -> Result<Found> {
    let mut asking = Asking::of(db.engine(), actor, wanted);
    let first = asking.first_sorted(place, PAGE + 1);
    let (answers, surroundings) = surroundings::with(db, actor, vec![first]).await?;
    let first = answers.into_iter().next().unwrap_or_default();
    let records = records(wanted, &surroundings.known);
    let mut rows = asking.find_sorted(db, place, PAGE + 1, first, records).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    if place.backward {
        rows.reverse();
    }
    let mut hits = Vec::with_capacity(rows.len());
    for row in &rows {
        hits.push(Hit::read(row, &surroundings.people)?);
    }
    spots::find(db, actor, wanted.query, &mut hits).await?;
    let window = From { at: place.window.map(|position| (Part::Rest, position)), backward: false };
    let apart = asking.last_read(db, None, &window).await?;
    let key = |row: Option<&Row>| row.map(|row| Key::read(wanted.filter.sort, row)).transpose();
    let (begin, end) = (key(rows.first())?, key(rows.last())?);
    let to = |key: Option<Key>, backward: bool| {
        key.map(|key| Cursor::Sorted(Place { window: place.window, key: Some(key), backward }))
    };
    let (before, after) = match (&place.key, place.backward) {
        (None, _) => (false, more),
        (Some(_), false) => (true, more),
        (Some(_), true) => (more, true),
    };
    let count = match *place == Place::default() && !more {
        true => Count::of_read(many(&hits), apart.is_none()),
        false if asking.reads() => count_read(&asking, db, records).await?,
        false => Count::of(asking.count(db).await?),
    };
    Ok(Found {
        hits,
        newer: to(begin.filter(|_| before), true),
        older: to(end.filter(|_| after), false),
        stopped: false,
        apart: apart.map(|window| Cursor::Sorted(Place { window: Some(window), ..Place::default() })),
        count,
        nowhere: Vec::new(),
        surroundings,
    })
}
