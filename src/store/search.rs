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

use super::db::{Db, Row, Sql};
use super::filter::{Entered, Filter};
use super::history::Place;
use super::people::{self, People};
use super::views::{self, Listed, Suggestions};

mod asking;
mod spots;

use asking::Asking;

/// How many records a page shows.
pub const PAGE: usize = 20;

/// How many records are read at a time to find those whose words follow each other, or whose time fits.
pub const READ: i64 = 5000;

/// How far matches are counted.
pub const COUNTED: i64 = 1000;

/// Which of the two parts of an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Records with every word in their title.
    Title,
    /// The others.
    Rest,
}

/// Where a page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// At the beginning.
    First,
    /// After the record at this position.
    Before(Part, i64),
    /// In front of it.
    After(Part, i64),
}

/// A record that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// As lists show it.
    pub listed: Listed,
    /// All that it says.
    pub state: Record,
    /// The notes and files in which words were found that stand nowhere else in it.
    pub spots: Vec<Spot>,
}

/// Where words were found that a record itself does not say.
#[derive(Clone, Debug)]
pub enum Spot {
    /// In a note.
    Note {
        /// The version of the event that tells it.
        version: i64,
        /// Its place in the story.
        place: Place,
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
    /// How many match: beyond [`COUNTED`] it is [`COUNTED`] + 1; none if that is not known.
    pub count: Option<i64>,
    /// Where nothing was found for several words: which of them stand nowhere in what the member may see.
    pub nowhere: Vec<usize>,
    /// What the filter suggests.
    pub known: Suggestions,
    /// Everybody in the household.
    pub people: People,
}

/// What the search of a member looks for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What was typed.
    pub query: &'a Query,
    /// What else was chosen. Its order means nothing here.
    pub filter: &'a Filter,
    /// What its range means in instants.
    pub entered: Entered,
}

/// A page of the records that match, of those that the member may see.
///
/// # Errors
/// If the database refuses.
pub async fn search(db: &Db, actor: &Actor, wanted: &Wanted<'_>, cursor: Cursor) -> Result<Found> {
    let asking = Asking::of(db.engine(), actor, wanted);
    let backward = matches!(cursor, Cursor::After(..));
    let mut parts = if wanted.query.with.is_empty() { vec![Part::Rest] } else { vec![Part::Title, Part::Rest] };
    let edge = match cursor {
        Cursor::First => None,
        Cursor::Before(part, position) => {
            parts.retain(|known| *known >= part);
            Some((part, position))
        }
        Cursor::After(part, position) => {
            parts.retain(|known| *known <= part);
            parts.reverse();
            Some((part, position))
        }
    };
    let edge_of = |part: Part| edge.filter(|(known, _)| *known == part).map(|(_, position)| position);
    let mut asked: Vec<Sql> = parts.iter().map(|part| asking.page(*part, edge_of(*part), backward, PAGE + 1)).collect();
    let counts = cursor == Cursor::First && !asking.reads();
    if counts {
        asked.push(asking.count());
    }
    asked.extend([views::suggestions_statement(actor), people::statement(actor)]);
    let mut answers = db.one_by_one(asked).await?;
    let people = people::read(&answers.pop().unwrap_or_default())?;
    let known = views::read_suggestions(&answers.pop().unwrap_or_default())?;
    let mut found: Vec<(Part, &Row)> = Vec::new();
    let mut stopped = None;
    for (part, rows) in parts.iter().zip(&answers) {
        found.extend(rows.iter().map(|row| (*part, row)));
        if asking.reads() && rows.len() <= PAGE && found.len() <= PAGE {
            stopped = asking.last_read(db, *part, edge_of(*part), backward).await?.map(|position| (*part, position));
            if stopped.is_some() {
                break;
            }
        }
    }
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    if backward {
        found.reverse();
    }
    let mut hits = Vec::with_capacity(found.len());
    for (_, row) in &found {
        hits.push(Hit { listed: Listed::read(row)?, state: row.json("state")?, spots: Vec::new() });
    }
    spots::find(db, actor, wanted.query, &mut hits).await?;
    let place =
        |at: Option<&(Part, &Row)>| at.map(|(part, row)| Ok::<_, Error>((*part, row.int("position")?))).transpose();
    let (first, last) = (place(found.first())?, place(found.last())?);
    let stop = stopped.filter(|_| !more);
    let (newer, older) = match (cursor, backward) {
        (Cursor::First, _) => (None, last.filter(|_| more).or(stop)),
        (_, false) => (first, last.filter(|_| more).or(stop)),
        (_, true) => (first.filter(|_| more).or(stop), last),
    };
    let count = match answers.get(parts.len()) {
        Some(counted) if counts => counted.first().map(|row| row.int("records")).transpose()?,
        _ if cursor == Cursor::First && !more && stop.is_none() => i64::try_from(hits.len()).ok(),
        _ => None,
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
        count,
        nowhere,
        known,
        people,
    })
}
