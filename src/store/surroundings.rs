//! What every page of a household shows beside what it is about: its people, what filters and forms suggest, and how much
//! happened in each year.
//!
//! All of it comes from events and from the members' time zones alone, so that it is what it was as long as what counts them
//! does not move: it is remembered with the number that it was read after. A page that asks for its session again
//! ([`claim`]) is told that number with the same answer, and asks for the rest only if something was written since.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::access::Actor;
use crate::domain::ids::{AccountId, HouseholdId, MemberId};
use crate::error::{Error, Result};

use super::db::{Db, Row, Sql, claim, sql};
use super::people::{self, People};
use super::timeline::{self, Year};
use super::views::{self, Suggestions};

/// How many members' surroundings are remembered at most.
const MOST: usize = 128;

/// How many events and other changes there were in a household: what is remembered of it holds as long as this does not
/// move.
pub(super) const MOVED: &str = "household.position + household.quiet_changes";

/// Counts a change that is no event, but that pages show: a time zone, a saved view. It comes first in its transaction, as
/// the household does in every other that writes more than it.
pub(super) fn quiet_change(household: HouseholdId) -> Sql {
    sql("update household set quiet_changes = quiet_changes + 1 where id = $1").bind(household)
}

/// The same for a change of an account's own.
pub(super) fn quiet_change_of(account: AccountId) -> Sql {
    sql("update household set quiet_changes = quiet_changes + 1
          where id in (select household_id from member where account_id = $1)")
    .bind(account)
}

/// The surroundings of a member's pages.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// [`MOVED`], before they were read.
    moved: i64,
    /// What the household is called.
    pub household: Arc<str>,
    /// Everybody in the household.
    pub people: Arc<People>,
    /// What filters and forms suggest, of what the member may see.
    pub known: Arc<Suggestions>,
    /// How much happened in each year, the oldest first.
    pub years: Arc<Vec<Year>>,
}

/// The surroundings that are remembered.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<HashMap<(HouseholdId, MemberId), Surroundings>>);

impl Remembered {
    fn of(&self, actor: &Actor) -> Option<Surroundings> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(&(actor.household, actor.member)).cloned()
    }

    fn keep(&self, actor: &Actor, surroundings: &Surroundings) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST {
            remembered.clear();
        }
        remembered.insert((actor.household, actor.member), surroundings.clone());
    }
}

/// What is remembered of a member's surroundings, for a guess at what may have changed since.
pub(super) fn remembered(db: &Db, actor: &Actor) -> Option<Surroundings> {
    db.remembered().of(actor)
}

/// Whether this is a page that is told whether they are what they were.
pub(super) fn may_be_known() -> bool {
    claim::is_open() || claim::told().is_some()
}

/// The answers to what a page asks, in its order, and its surroundings.
///
/// # Errors
/// If the database refuses.
pub(super) async fn with(db: &Db, actor: &Actor, asked: Vec<Sql>) -> Result<(Vec<Vec<Row>>, Surroundings)> {
    let remembered = remembered(db, actor).filter(|_| may_be_known());
    let Some(remembered) = remembered else {
        let mut all = statements(actor);
        let own = all.len();
        all.extend(asked);
        let mut answers = db.one_by_one(all).await?;
        let asked = answers.split_off(own);
        return Ok((asked, read(db, actor, &answers)?));
    };
    let answers = db.one_by_one(asked).await?;
    if claim::told() == Some(remembered.moved) {
        return Ok((answers, remembered));
    }
    Ok((answers, read(db, actor, &db.one_by_one(statements(actor)).await?)?))
}

/// A member's surroundings.
///
/// # Errors
/// If the database refuses.
pub async fn of(db: &Db, actor: &Actor) -> Result<Surroundings> {
    Ok(with(db, actor, Vec::new()).await?.1)
}

/// The number is asked for first: what is read after it is no older.
fn statements(actor: &Actor) -> Vec<Sql> {
    vec![
        sql(format!("select {MOVED} as moved, household.name from household where id = $1")).bind(actor.household),
        people::statement(actor),
        views::suggestions_statement(actor),
        timeline::years_statement(actor),
    ]
}

fn read(db: &Db, actor: &Actor, answers: &[Vec<Row>]) -> Result<Surroundings> {
    let [household, people, known, years] = answers else { return Err(Error::NotFound) };
    let household = household.first().ok_or(Error::NotFound)?;
    let surroundings = Surroundings {
        moved: household.int("moved")?,
        household: household.text("name")?.into(),
        people: Arc::new(people::read(people)?),
        known: Arc::new(views::read_suggestions(known)?),
        years: Arc::new(timeline::read_years(years)?),
    };
    db.remembered().keep(actor, &surroundings);
    Ok(surroundings)
}
