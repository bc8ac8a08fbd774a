//! A household's members as records and histories speak of them: what each was called when, and who sees what the
//! household shares.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::domain::access::{Actor, Role};
use crate::domain::event::Fact;
use crate::domain::household::names;
use crate::domain::ids::{HouseholdId, MemberId};
use crate::domain::instant::Instant;
use crate::domain::person::Called;
use crate::error::Result;

use super::db::{DbError, On, Row, Sql, Tx, bad, rows_of, sql};

/// Two columns for whoever did the event `e`, where `m` is that member's row: the name today, and the name at the time.
/// [`actor`] reads them. Only events from before the latest name ask the table of names, for one row of its key. A page
/// that knows the household's people asks [`People::called`] instead, which costs no look-up for each row.
pub(super) const ACTOR: &str = "m.name as actor_name,
    case when m.named_at <= e.position then m.name
         else (select named.name from member_name as named
               where named.household_id = m.household_id and named.member_id = m.id and named.position <= e.position
               order by named.position desc
               limit 1) end as actor_then";

/// Who did an event, from the columns of [`ACTOR`]; none for the program itself.
pub(super) fn actor(row: &Row) -> Result<Option<Called>, DbError> {
    let Some(now) = row.opt_text("actor_name")? else { return Ok(None) };
    let then = row.opt_text("actor_then")?.unwrap_or_else(|| now.clone());
    Ok(Some(Called::new(then, &now)))
}

/// Writes the names that the household's stream tells. Rows are only ever added, as events are; a rebuild empties the
/// table first.
pub(super) async fn project_names(tx: &mut Tx, household: HouseholdId, facts: &[Fact]) -> Result<()> {
    let named = names(facts);
    // The latest is the last.
    let latest: HashMap<MemberId, i64> = named.iter().map(|named| (named.member, named.position)).collect();
    for (member, position) in latest {
        sql("update member set named_at = $3 where household_id = $1 and id = $2 and named_at <> $3")
            .bind(household)
            .bind(member)
            .bind(position)
            .later(&mut *tx)
            .await?;
    }
    for chunk in named.chunks(200) {
        let mut statement = sql(format!(
            "insert into member_name (household_id, member_id, position, name) values {}
             on conflict (household_id, member_id, position) do nothing",
            rows_of(chunk.len(), 4)
        ));
        for named in chunk {
            statement = statement.bind(household).bind(named.member).bind(named.position).bind(&named.name);
        }
        statement.later(&mut *tx).await?;
    }
    Ok(())
}

/// A member of the household.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Who.
    pub member: MemberId,
    /// What the member is called.
    pub name: String,
    /// What the member may do.
    pub role: Role,
    /// Whether the member may sign in, and is not leaving.
    pub present: bool,
    /// Until when the member still sees what the household shares, if they are leaving.
    pub until: Option<Instant>,
    /// The time zone in which the member lives.
    zone: Option<String>,
    /// Earlier names and today's, each from a position on, in order.
    names: Vec<(i64, String)>,
}

/// Everybody who belongs to a household or once did, in the order in which they joined.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct People(Vec<Person>);

/// Everybody of the household `$1` in one column, a line for each name: member, whether present (`+`), disabled (`-`) or
/// until when, role, time zone, since which position, name. One column of a statement that is asked anyway costs less than
/// a statement of its own.
pub(super) const PEOPLE: &str = "(select string_agg(
        cast(known.id as text) || ' ' || case when known.disabled then '-' when known.removed_at is null then '+'
            else replace(cast(known.removed_at as text), ' ', 'T') end || ' ' || known.role || ' ' || coalesce(account.zone, '-') || ' '
            || cast(coalesce(named.position, 0) as text) || ' ' || coalesce(named.name, known.name),
        '\n' order by known.joined_at, known.id, named.position)
     from member as known
     left join account on account.id = known.account_id
     left join member_name as named on named.household_id = known.household_id and named.member_id = known.id
     where known.household_id = $1) as people";

impl People {
    /// From the column of [`PEOPLE`].
    pub(super) fn read(row: &Row) -> Result<Self, DbError> {
        let mut people: Vec<Person> = Vec::new();
        for line in row.opt_text("people")?.unwrap_or_default().lines() {
            let (member, place, role, zone, position, name) =
                parts(line).ok_or_else(|| bad("people", "it is no line of a member"))?;
            match people.last_mut().filter(|person| person.member == member) {
                Some(person) => person.name.clone_from(&name),
                None => {
                    let (present, until) = (place == Place::Present, place.until());
                    people.push(Person { member, name: name.clone(), role, present, until, zone, names: Vec::new() });
                }
            }
            if let Some(person) = people.last_mut() {
                person.names.push((position, name));
            }
        }
        Ok(Self(people))
    }

    /// Those who see what the household shares at a moment: who is leaving does, until the day.
    pub fn seeing(&self, now: Instant) -> impl Iterator<Item = &Person> {
        self.0.iter().filter(move |person| person.present || person.until.is_some_and(|until| now < until))
    }

    /// Everybody, also those who left.
    pub fn all(&self) -> impl Iterator<Item = &Person> {
        self.0.iter()
    }

    /// Those who may sign in and stay.
    pub fn present(&self) -> impl Iterator<Item = &Person> {
        self.0.iter().filter(|person| person.present)
    }

    /// Somebody who belongs to the household or once did.
    fn find(&self, member: MemberId) -> Option<&Person> {
        self.0.iter().find(|person| person.member == member)
    }

    /// What a member is called today; nothing if there is no such member.
    pub fn name(&self, member: Option<MemberId>) -> &str {
        member.and_then(|member| self.find(member)).map_or("", |person| &person.name)
    }

    /// The time zone of whoever a column names: "today" was theirs when they wrote something down.
    pub(super) fn zone_in(&self, row: &Row, column: &str) -> Result<Option<String>, DbError> {
        let person = row.opt_uuid(column)?.and_then(|member| self.find(MemberId(member)));
        Ok(person.and_then(|person| person.zone.clone()))
    }

    /// Whoever a column names, as they were called at the row's `position`; none for the program itself.
    pub(super) fn called_in(&self, row: &Row, column: &str) -> Result<Option<Called>, DbError> {
        let Some(member) = row.opt_uuid(column)? else { return Ok(None) };
        Ok(self.called(MemberId(member), row.int("position")?))
    }

    /// What a member was called at a position of the ledger; none if there is no such member.
    pub fn called(&self, member: MemberId, position: i64) -> Option<Called> {
        let person = self.find(member)?;
        let then = person.names.iter().rev().find(|(since, _)| *since <= position);
        Some(Called::new(then.map_or(&person.name, |(_, name)| name), &person.name))
    }
}

/// How somebody stands in a line of [`PEOPLE`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Present,
    Disabled,
    Until(Instant),
}

impl Place {
    fn until(self) -> Option<Instant> {
        match self {
            Self::Until(until) => Some(until),
            Self::Present | Self::Disabled => None,
        }
    }

    /// One engine keeps an instant as microseconds, the other writes it down.
    fn read(text: &str) -> Option<Self> {
        match text {
            "+" => Some(Self::Present),
            "-" => Some(Self::Disabled),
            _ => match text.parse() {
                Ok(micros) => Some(Self::Until(Instant::from_micros(micros))),
                Err(_) => text.parse::<Timestamp>().ok().map(|at| Self::Until(at.into())),
            },
        }
    }
}

fn parts(line: &str) -> Option<(MemberId, Place, Role, Option<String>, i64, String)> {
    let mut parts = line.splitn(6, ' ');
    let member = parts.next()?.parse().ok()?;
    let place = Place::read(parts.next()?)?;
    let role = parts.next()?.parse().ok()?;
    let zone = Some(parts.next()?).filter(|zone| *zone != "-").map(str::to_owned);
    let position = parts.next()?.parse().ok()?;
    Some((member, place, role, zone, position, parts.next()?.to_owned()))
}

/// The household of who asks: its name, and everybody in it.
///
/// # Errors
/// If the database refuses.
pub async fn of_household<'a>(on: impl Into<On<'a>>, actor: &Actor) -> Result<People> {
    Ok(People::read(&statement(actor).one(on).await?)?)
}

/// What [`of_household`] asks, to be asked with others.
pub(super) fn statement(actor: &Actor) -> Sql {
    sql(format!("select {PEOPLE}")).bind(actor.household)
}

/// What [`statement`] found.
pub(super) fn read(rows: &[Row]) -> Result<People> {
    Ok(rows.first().map(People::read).transpose()?.unwrap_or_default())
}

/// Whether somebody belongs to the same household, may sign in and is not leaving.
///
/// # Errors
/// If the database refuses.
pub async fn is_present(tx: &mut Tx, actor: &Actor, member: MemberId) -> Result<bool> {
    let row = sql(
        "select 1 as found from member where household_id = $1 and id = $2 and not disabled and removed_at is null",
    )
    .bind(actor.household)
    .bind(member)
    .optional(&mut *tx)
    .await?;
    Ok(row.is_some())
}
