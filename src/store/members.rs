//! A household's members: its state folded inside a transaction, for whoever decides; and what the household's pages
//! read. Everything begins with who asks.

use crate::domain::access::{Actor, Role};
use crate::domain::event::Fact;
use crate::domain::household::{self, Household, Standing};
use crate::domain::ids::{AccountId, HouseholdId, MemberId, RecordId};
use crate::domain::instant::Instant;
use crate::error::{Error, Result};

use super::db::{Db, On, Tx, bad, sql};
use super::{ledger, streams};

/// The household as its stream tells it, inside the transaction that holds it.
///
/// # Errors
/// If an event cannot be read, or the database refuses.
pub async fn state<'a>(on: impl Into<On<'a>>, household: HouseholdId) -> Result<Household> {
    Ok(household::fold(&streams::facts(on, household, RecordId::household_stream(household)).await?))
}

/// A member as the household's page shows them.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who.
    pub member: MemberId,
    /// What the member is called.
    pub name: String,
    /// What the member may do.
    pub role: Role,
    /// Whether the member may not sign in.
    pub disabled: bool,
    /// From when on the member is removed, if at all.
    pub removed_from: Option<Instant>,
    /// When the member joined.
    pub joined_at: Instant,
    /// When the member was last here, to some five minutes; none if never.
    pub last_seen: Option<Instant>,
}

impl Line {
    /// How the member stands at a moment.
    pub fn standing(&self, now: Instant) -> Standing {
        Standing::of(self.disabled, self.removed_from, now)
    }
}

/// Every member of the household of a member, in the order in which they joined.
///
/// # Errors
/// If the database refuses.
pub async fn lines(db: &Db, actor: &Actor) -> Result<Vec<Line>> {
    let rows = sql("
        select m.id, m.name, m.role, m.disabled, m.removed_at, m.joined_at, m.seen_at
        from member as m
        where m.household_id = $1
          and exists (select 1 from member as me where me.household_id = $1 and me.id = $2 and not me.disabled)
        order by m.joined_at, m.id")
    .bind(actor.household)
    .bind(actor.member)
    .all(db)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Line {
                member: MemberId(row.uuid("id")?),
                name: row.text("name")?,
                role: row.text("role")?.parse().map_err(|_| bad("role", "it is no role"))?,
                disabled: row.bool("disabled")?,
                removed_from: row.opt_instant("removed_at")?,
                joined_at: row.instant("joined_at")?,
                last_seen: row.opt_instant("seen_at")?,
            })
        })
        .collect()
}

/// The account of a member.
///
/// # Errors
/// [`Error::NotFound`] if the household has no such member.
pub async fn account(tx: &mut Tx, household: HouseholdId, member: MemberId) -> Result<AccountId> {
    let row = sql("select account_id from member where household_id = $1 and id = $2")
        .bind(household)
        .bind(member)
        .optional(tx)
        .await?
        .ok_or(Error::NotFound)?;
    Ok(AccountId(row.uuid("account_id")?))
}

/// The household's own stream, in order, for an owner; nothing for anybody else. What a page of the log says follows from
/// all that came before it, and a household tells of its members some dozen times in its life: so it is read whole.
///
/// # Errors
/// If an event cannot be read, or the database refuses.
pub async fn log(db: &Db, actor: &Actor) -> Result<Vec<Fact>> {
    let rows = sql(format!(
        "select {} from record_events
         where household_id = $1 and record_id = $2
           and exists (select 1 from member as me
                        where me.household_id = $1 and me.id = $3 and me.role = 'owner' and not me.disabled
                          and me.removed_at is null)
         order by version",
        ledger::COLUMNS
    ))
    .bind(actor.household)
    .bind(RecordId::household_stream(actor.household))
    .bind(actor.member)
    .all(db)
    .await?;
    rows.iter().map(|row| ledger::read(row)?.fact().map_err(Error::internal)).collect()
}
