//! Accounts: set-up, registration, signing in, and what a person may change about themselves. What concerns the
//! household (who joined, under what name, who is disabled) goes through the ledger; what only signs a person in
//! (address, password, sessions) does not.

use std::net::IpAddr;

use jiff::tz::TimeZone;

use super::household;
use super::proof::prove;
pub use super::proof::{NOT_RECOGNISED, PASSWORD_WRONG, check};
use super::tries::{Caller, by_account, by_address, digest, take};
use crate::app::App;
use crate::domain::Refusal;
use crate::domain::access::{Actor, Role, Via, Visibility};
use crate::domain::event::MemberJoined;
use crate::domain::ids::{AccountId, HouseholdId, MemberId};
use crate::domain::instant::Instant;
use crate::domain::membership::{self, Wish};
use crate::domain::person::{Email, Zone};
use crate::domain::text::{HouseholdName, MemberName};
use crate::domain::when::Occurred;
use crate::error::{Error, Result};
use crate::passwords::Password;
use crate::store::accounts::{self as rows, Membership};
use crate::store::attempts::{self, Scope};
use crate::store::db::{DbError, Tx};
use crate::store::installation;
use crate::store::ledger::{self, Origin};
use crate::store::members;
use crate::store::resets;

/// What a changed or new address says when somebody has it.
pub const ADDRESS_TAKEN: &str = "This address already has an account. Enter another, or sign in with it";

/// A household that begins, with its first owner.
#[derive(Clone, Debug)]
pub struct NewHousehold {
    /// The household's name.
    pub household: HouseholdName,
    /// The owner's name.
    pub name: MemberName,
    /// The owner's address.
    pub email: Email,
    /// The owner's password.
    pub password: Password,
    /// The owner's time zone.
    pub zone: Zone,
}

/// A person who is to be added to a household.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// The member's name.
    pub name: MemberName,
    /// The address to sign in with.
    pub email: Email,
    /// The first password.
    pub password: Password,
    /// What the member may do.
    pub role: Role,
    /// The member's time zone.
    pub zone: Zone,
}

/// What came of a set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// The household stands; this is its owner's account.
    Done(AccountId),
    /// Somebody had begun this installation before; nothing was done.
    Closed,
}

/// The one-time set-up code: always the same for one master key, so that restarts and replicas print the same. It is
/// worth nothing once anybody has an account.
pub fn set_up_code(app: &App) -> String {
    crate::keys::typeable(&app.key.subkey("set-up code"), 4)
}

/// The path that begins this installation, while nobody has an account.
pub async fn set_up_path(app: &App) -> Result<Option<String>> {
    Ok(if rows::any(&app.db).await? { None } else { Some(format!("/setup?code={}", set_up_code(app))) })
}

/// Whether this is the set-up code; spaces, hyphens and capitals do not matter.
pub fn is_set_up_code(app: &App, typed: &str) -> bool {
    let bare = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // Digests under a secret key are compared, so that how long it takes says nothing about the code.
    digest(app, bare(typed).as_bytes()) == digest(app, bare(&set_up_code(app)).as_bytes())
}

/// Begins the installation: one household with its owner, however often this is called at once.
///
/// # Errors
/// [`Error::Forbidden`] if the code is not right.
pub async fn set_up(app: &App, code: &str, new: NewHousehold) -> Result<SetUp> {
    if rows::any(&app.db).await? {
        return Ok(SetUp::Closed);
    }
    if !is_set_up_code(app, code) {
        return Err(Error::Forbidden(
            "The set-up code is not right. Open the whole address that LifeOps printed when it started.".to_owned(),
        ));
    }
    let hash = app.passwords.hash(&new.password).await?;
    let app = app.clone();
    finish(async move {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        if !installation::claim(&mut tx, now).await? {
            return Ok(SetUp::Closed);
        }
        let account = found(&mut tx, now, Via::Page, &new, &hash).await?;
        tx.commit().await?;
        Ok(SetUp::Done(account))
    })
    .await
}

/// Makes a household of its own for somebody who registers, where registration is open.
///
/// # Errors
/// [`Error::Refused`] with [`ADDRESS_TAKEN`]; [`Error::Throttled`] if an address makes too many.
pub async fn register(app: &App, address: IpAddr, new: NewHousehold) -> Result<AccountId> {
    let _seat = app.passwords.seat(address)?;
    take(app, &[by_address(app, Scope::Register, address)]).await?;
    let hash = app.passwords.hash(&new.password).await?;
    let app = app.clone();
    finish(async move {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let account = found(&mut tx, now, Via::Page, &new, &hash).await?;
        tx.commit().await?;
        Ok(account)
    })
    .await
}

async fn found(tx: &mut Tx, now: Instant, via: Via, new: &NewHousehold, hash: &str) -> Result<AccountId> {
    let (account, household, member) = (AccountId::new(), HouseholdId::new(), MemberId::new());
    rows::insert(tx, now, account, &new.email, hash, &new.zone).await.map_err(taken)?;
    let origin = Origin { household, actor: Some(member), via, via_ref: None, batch: None };
    let occurred = today(now, &new.zone);
    ledger::found_household(tx, now, &origin, occurred, &new.household).await?;
    rows::insert_member(tx, now, household, member, account, &new.name, Role::Owner).await?;
    let joined = MemberJoined { member_id: member, name: new.name.clone(), role: Role::Owner };
    ledger::append_household(tx, now, &origin, occurred, vec![joined.into()]).await?;
    Ok(account)
}

/// Changes a password, and ends every session of the account.
///
/// # Errors
/// [`Error::Refused`] with [`PASSWORD_WRONG`]; [`Error::Throttled`].
pub async fn change_password(
    app: &App,
    from: &Caller,
    account: AccountId,
    current: &str,
    new: &Password,
) -> Result<()> {
    prove(app, from, account, current).await?;
    let hash = app.passwords.hash(new).await?;
    let app = app.clone();
    finish(async move {
        let mut tx = app.db.begin().await?;
        rows::set_password(&mut tx, account, &hash).await?;
        rows::end_sessions(&mut tx, account).await?;
        resets::drop_link(&mut tx, account).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Changes the address that an account signs in with.
///
/// # Errors
/// [`Error::Refused`] with [`PASSWORD_WRONG`] or [`ADDRESS_TAKEN`]; [`Error::Throttled`].
pub async fn change_email(app: &App, from: &Caller, account: AccountId, current: &str, new: &Email) -> Result<()> {
    prove(app, from, account, current).await?;
    // Whether an address is taken is told, so it may not be asked without end.
    take(app, &[by_address(app, Scope::Register, from.network)]).await?;
    rows::set_email(&app.db, account, new).await.map_err(taken)
}

/// Changes the time zone in which a person's dates are read.
pub async fn set_zone(app: &App, account: AccountId, zone: &Zone) -> Result<()> {
    Ok(rows::set_zone(&app.db, account, zone).await?)
}

/// Changes a member's own name: an event in the household's stream. The same name again appends nothing.
pub async fn rename(app: &App, actor: &Actor, name: MemberName) -> Result<()> {
    household::change_self(app, actor, Wish::RenameMember { member: actor.member, name }).await
}

/// Ends every session of an account; the caller signs its own device in again.
pub async fn end_sessions(app: &App, account: AccountId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    rows::end_sessions(&mut tx, account).await?;
    resets::drop_link(&mut tx, account).await?;
    Ok(tx.commit().await?)
}

/// Adds a member to a household, on behalf of whoever runs the installation.
///
/// # Errors
/// [`Error::Refused`] with [`ADDRESS_TAKEN`]; [`Error::NotFound`] if there is no such household.
pub async fn add_member(app: &App, household: HouseholdId, new: NewMember) -> Result<MemberId> {
    let hash = app.passwords.hash(&new.password).await?;
    let app = app.clone();
    finish(async move {
        let now = app.clock.now();
        let (account, member) = (AccountId::new(), MemberId::new());
        let mut tx = app.db.begin().await?;
        ledger::hold(&mut tx, household).await?;
        rows::insert(&mut tx, now, account, &new.email, &hash, &new.zone).await.map_err(taken)?;
        let joined = membership::join(&members::state(&mut tx, household).await?, member, new.name.clone(), new.role)?;
        rows::insert_member(&mut tx, now, household, member, account, &new.name, new.role).await?;
        let origin = household::by_operator(household);
        ledger::append_household(&mut tx, now, &origin, today(now, &new.zone), vec![joined]).await?;
        tx.commit().await?;
        Ok(member)
    })
    .await
}

/// Makes a household with its owner, on behalf of whoever runs the installation.
///
/// # Errors
/// [`Error::Refused`] with [`ADDRESS_TAKEN`].
pub async fn add_household(app: &App, new: NewHousehold) -> Result<AccountId> {
    let hash = app.passwords.hash(&new.password).await?;
    let app = app.clone();
    finish(async move {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let account = found(&mut tx, now, Via::Cli, &new, &hash).await?;
        tx.commit().await?;
        Ok(account)
    })
    .await
}

/// Chooses who sees a person's new records unless their form says otherwise.
pub async fn set_default_visibility(app: &App, account: AccountId, visibility: Visibility) -> Result<()> {
    Ok(rows::set_default_visibility(&app.db, account, visibility).await?)
}

/// Sets a new password for somebody who forgot theirs, and signs them out everywhere. At the next sign-in the person is
/// told.
///
/// # Errors
/// [`Error::Refused`] if nobody has that address.
pub async fn reset_password(app: &App, email: &Email, new: &Password) -> Result<()> {
    let account = rows::by_email(&app.db, &email.key()).await?.ok_or_else(|| nobody(email))?;
    let hash = app.passwords.hash(new).await?;
    let mut tx = app.db.begin().await?;
    rows::set_password(&mut tx, account.id, &hash).await?;
    resets::note_password(&mut tx, app.clock.now(), account.id).await?;
    resets::drop_link(&mut tx, account.id).await?;
    rows::end_sessions(&mut tx, account.id).await?;
    attempts::forget(&mut tx, by_account(app, &email.key())).await?;
    Ok(tx.commit().await?)
}

/// Keeps a member from signing in, and signs them out everywhere. Doing it again changes nothing.
///
/// # Errors
/// [`Error::Refused`] if nobody has that address, or if it is the household's only owner.
pub async fn disable(app: &App, email: &Email) -> Result<()> {
    let found = find(app, email).await?;
    household::change_for_operator(app, found.household, Wish::Disable { member: found.member }).await?;
    Ok(())
}

/// Lets a disabled member sign in again. Doing it again changes nothing.
///
/// # Errors
/// [`Error::Refused`] if nobody has that address.
pub async fn enable(app: &App, email: &Email) -> Result<()> {
    let found = find(app, email).await?;
    household::change_for_operator(app, found.household, Wish::Enable { member: found.member }).await?;
    Ok(())
}

/// Every member of every household.
pub async fn list(app: &App) -> Result<Vec<Membership>> {
    Ok(rows::list(&app.db).await?)
}

/// The member with an address, disabled or not.
///
/// # Errors
/// [`Error::Refused`] if nobody has that address.
pub async fn find(app: &App, email: &Email) -> Result<Membership> {
    let account = rows::by_email(&app.db, &email.key()).await?.ok_or_else(|| nobody(email))?;
    let members = rows::list(&app.db).await?;
    members.into_iter().find(|member| member.account == account.id).ok_or_else(|| nobody(email))
}

fn nobody(email: &Email) -> Error {
    Error::Refused(Refusal::new(format!("Nobody has the address {email}. `lifeops user list` shows who is here.")))
}

/// The day where somebody lives.
pub(super) fn today(now: Instant, zone: &Zone) -> Occurred {
    let zone = TimeZone::get(zone.as_str()).unwrap_or(TimeZone::UTC);
    Occurred::day(now.local(&zone).date())
}

/// An address that somebody has, as a refusal.
pub(super) fn taken(error: DbError) -> Error {
    match error {
        DbError::Unique(_) => Error::Refused(Refusal::new(ADDRESS_TAKEN)),
        other => other.into(),
    }
}

/// Finishes what was begun, even if the one who asked hangs up.
pub(super) async fn finish<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.map_err(Error::internal)?
}
