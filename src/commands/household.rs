//! The household and its members: every change is an event of the household's own stream, decided under the household's
//! lock against the state as it is then.

use super::accounts::{finish, today};
use super::door::{digest, origin};
use crate::app::App;
use crate::domain::access::{Actor, Via};
use crate::domain::event::Event;
use crate::domain::household::{Household, Member, Standing};
use crate::domain::ids::{HouseholdId, MemberId, SubmissionKey};
use crate::domain::instant::Instant;
use crate::domain::membership::{self, By, Wish};
use crate::domain::person::Zone;
use crate::error::{Error, Result};
use crate::store::db::Tx;
use crate::store::ledger::{self, Origin};
use crate::store::{accounts, invitations, members, submissions};

/// What somebody hears who is no owner.
pub const OWNERS_ONLY: &str = "Only an owner of the household may do this.";

/// Does what an owner wants. Returns whether anything changed; a repeated submission is answered as the first time.
///
/// # Errors
/// [`Error::Forbidden`] if the member is no owner at this moment, [`Error::NotFound`] if the wish is about a stranger,
/// [`Error::Refused`] with a sentence, [`Error::SubmissionReused`].
pub async fn change(app: &App, actor: &Actor, key: SubmissionKey, wish: Wish) -> Result<bool> {
    let (app, actor) = (app.clone(), actor.clone());
    finish(async move {
        let digest = digest(&wish)?;
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        if let Some(earlier) = submissions::open(&mut tx, &actor, key, None).await?.earlier {
            return if earlier.digest == digest { Ok(true) } else { Err(Error::SubmissionReused) };
        }
        let state = members::state(&mut tx, actor.household).await?;
        owners_only(&state, &actor)?;
        let asking = Asking { by: By::Member, origin: origin(&actor), zone: zone(&actor), now };
        let Some(events) = write(&mut tx, &app, asking, &state, &wish).await? else { return Ok(false) };
        submissions::accept(&mut tx, &actor, key, digest, &events).await?;
        tx.commit().await?;
        Ok(true)
    })
    .await
}

/// Does what a member wants for themself: another name.
pub(super) async fn change_self(app: &App, actor: &Actor, wish: Wish) -> Result<()> {
    let (app, actor) = (app.clone(), actor.clone());
    finish(async move {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        ledger::hold(&mut tx, actor.household).await?;
        let state = members::state(&mut tx, actor.household).await?;
        let me = state.member(actor.member).ok_or(Error::NotFound)?;
        if matches!(me.standing(now), Standing::Disabled | Standing::Removed(_)) {
            return Err(Error::Forbidden("You are no longer a member of this household.".to_owned()));
        }
        let asking = Asking { by: By::Member, origin: origin(&actor), zone: zone(&actor), now };
        match write(&mut tx, &app, asking, &state, &wish).await? {
            Some(_) => Ok(tx.commit().await?),
            None => Ok(()),
        }
    })
    .await
}

/// Does what whoever runs the installation wants. Returns whether anything changed.
///
/// # Errors
/// [`Error::Refused`] with a sentence.
pub async fn change_for_operator(app: &App, household: HouseholdId, wish: Wish) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    ledger::hold(&mut tx, household).await?;
    let state = members::state(&mut tx, household).await?;
    let asking = Asking { by: By::Operator, origin: by_operator(household), zone: Zone::utc(), now };
    if write(&mut tx, app, asking, &state, &wish).await?.is_none() {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// Who asks, from where, and when.
struct Asking {
    by: By,
    origin: Origin,
    zone: Zone,
    now: Instant,
}

/// Lets the domain decide, appends, and ends sessions and invitations that may not go on. Nothing if it is so already.
async fn write(tx: &mut Tx, app: &App, asking: Asking, state: &Household, wish: &Wish) -> Result<Option<Vec<Event>>> {
    let Asking { by, origin, zone, now } = asking;
    if wish.member().is_some_and(|member| state.member(member).is_none()) {
        return Err(Error::NotFound);
    }
    let grace = i64::try_from(app.settings.removal_grace.as_secs()).unwrap_or(i64::MAX);
    let Some(payload) = membership::decide(state, wish, by, now, grace)? else { return Ok(None) };
    let mut after = state.clone();
    after.take(&payload);
    let events = ledger::append_household(tx, now, &origin, today(now, &zone), vec![payload]).await?;
    if let Some(member) = wish.member()
        && state.member(member).is_some_and(Member::is_acting_owner)
        && !after.member(member).is_some_and(Member::is_acting_owner)
    {
        // Also if they look after the household again one day.
        invitations::revoke_of(tx, origin.household, member, now).await?;
    }
    match wish {
        // The next request of each device is told why.
        Wish::Disable { member } => {
            let account = members::account(tx, origin.household, *member).await?;
            accounts::void_sessions(tx, account).await?;
        }
        // Nothing of before comes back.
        Wish::Enable { member } | Wish::Reinstate { member } if !may_sign_in(state, *member, now) => {
            let account = members::account(tx, origin.household, *member).await?;
            accounts::end_sessions(tx, account).await?;
        }
        _ => {}
    }
    Ok(Some(events))
}

fn may_sign_in(state: &Household, member: MemberId, now: Instant) -> bool {
    let standing = state.member(member).map(|member| member.standing(now));
    matches!(standing, Some(Standing::Here | Standing::Leaving(_)))
}

/// Where events come from that whoever runs the installation caused.
pub(super) fn by_operator(household: HouseholdId) -> Origin {
    Origin { household, actor: None, via: Via::Cli, via_ref: None, batch: None }
}

/// Refuses whoever does not look after the household at this moment.
pub(super) fn owners_only(state: &Household, actor: &Actor) -> Result<()> {
    match state.member(actor.member) {
        Some(me) if me.is_acting_owner() => Ok(()),
        _ => Err(Error::Forbidden(OWNERS_ONLY.to_owned())),
    }
}

fn zone(actor: &Actor) -> Zone {
    Zone::parse(&actor.zone).unwrap_or_else(|_| Zone::utc())
}
