//! Accounts and members. Account rows are written here; a member's name, role and standing are a projection of the
//! household's stream and are written by the ledger.

use super::db::{Db, DbError, On, Row, Tx, bad, sql};
use super::devices;
use super::saved_views::{self, SavedView, VIEWS};
use super::surroundings::quiet_change_of;
use crate::domain::access::{Role, Visibility};
use crate::domain::ids::{AccountId, HouseholdId, MemberId};
use crate::domain::instant::Instant;
use crate::domain::person::{Email, Zone};
use crate::domain::text::MemberName;

/// What signing in needs to know of an account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The address, as it was typed.
    pub email: String,
    /// The password's digest, in PHC form.
    pub password_hash: String,
    /// Rises when every session must end.
    pub session_epoch: i64,
}

/// An account's place in its household.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The account.
    pub account: AccountId,
    /// The household.
    pub household: HouseholdId,
    /// The member.
    pub member: MemberId,
    /// The address, as it was typed.
    pub email: String,
    /// The member's name.
    pub name: String,
    /// What the member may do.
    pub role: Role,
    /// An IANA time zone name.
    pub zone: String,
    /// The household's name.
    pub household_name: String,
    /// The filters that the member gave a name.
    pub views: Vec<SavedView>,
    /// Rises when every session must end.
    pub session_epoch: i64,
    /// Whether the member may not sign in.
    pub disabled: bool,
    /// From when on the member is removed, if at all.
    pub removed_from: Option<Instant>,
    /// When the member joined.
    pub joined_at: Instant,
}

/// Whether anybody has an account.
pub async fn any(db: &Db) -> Result<bool, DbError> {
    Ok(sql("select 1 as found from account limit 1").optional(db).await?.is_some())
}

/// The account with an address.
pub async fn by_email<'a>(on: impl Into<On<'a>>, email_key: &str) -> Result<Option<Account>, DbError> {
    let row = sql("select id, email, password_hash, session_epoch from account where email_key = $1")
        .bind(email_key)
        .optional(on)
        .await?;
    row.as_ref().map(account).transpose()
}

/// The account with an id.
pub async fn by_id<'a>(on: impl Into<On<'a>>, id: AccountId) -> Result<Option<Account>, DbError> {
    let row =
        sql("select id, email, password_hash, session_epoch from account where id = $1").bind(id).optional(on).await?;
    row.as_ref().map(account).transpose()
}

fn account(row: &Row) -> Result<Account, DbError> {
    Ok(Account {
        id: AccountId(row.uuid("id")?),
        email: row.text("email")?,
        password_hash: row.text("password_hash")?,
        session_epoch: row.int("session_epoch")?,
    })
}

/// The household that an account acts in, unless it is disabled there, or removed by now.
pub async fn membership(db: &Db, id: AccountId, now: Instant) -> Result<Option<Membership>, DbError> {
    let row = sql(format!(
        "select account.id as account_id, account.email, account.zone, account.session_epoch,
                member.household_id, member.id as member_id, member.name, member.role, member.disabled,
                member.removed_at, member.joined_at, household.name as household_name, {VIEWS}
           from account
           join member on member.account_id = account.id
           join household on household.id = member.household_id
          where account.id = $1 and not member.disabled and (member.removed_at is null or member.removed_at > $2)
          order by member.joined_at, member.household_id
          limit 1"
    ))
    .bind(id)
    .bind(now)
    .optional(db)
    .await?;
    row.as_ref().map(member).transpose()
}

/// Every member of every household, for whoever runs the installation.
pub async fn list(db: &Db) -> Result<Vec<Membership>, DbError> {
    let rows = sql(format!(
        "select account.id as account_id, account.email, account.zone, account.session_epoch,
                member.household_id, member.id as member_id, member.name, member.role, member.disabled,
                member.removed_at, member.joined_at, household.name as household_name, {VIEWS}
           from member
           join account on account.id = member.account_id
           join household on household.id = member.household_id
          order by household.name, member.household_id, member.joined_at, member.id"
    ))
    .all(db)
    .await?;
    rows.iter().map(member).collect()
}

/// A membership from its row.
pub(super) fn member(row: &Row) -> Result<Membership, DbError> {
    Ok(Membership {
        account: AccountId(row.uuid("account_id")?),
        household: HouseholdId(row.uuid("household_id")?),
        member: MemberId(row.uuid("member_id")?),
        email: row.text("email")?,
        name: row.text("name")?,
        role: row.text("role")?.parse().map_err(|_| bad("role", "it is no role"))?,
        zone: row.text("zone")?,
        household_name: row.text("household_name")?,
        views: saved_views::read(row)?,
        session_epoch: row.int("session_epoch")?,
        disabled: row.bool("disabled")?,
        removed_from: row.opt_instant("removed_at")?,
        joined_at: row.instant("joined_at")?,
    })
}

/// Adds an account. An address that is taken is [`DbError::Unique`].
pub async fn insert(
    tx: &mut Tx,
    now: Instant,
    id: AccountId,
    email: &Email,
    password_hash: &str,
    zone: &Zone,
) -> Result<(), DbError> {
    sql("insert into account (id, email, email_key, password_hash, zone, session_epoch, created_at)
         values ($1, $2, $3, $4, $5, 0, $6)")
    .bind(id)
    .bind(email.as_str())
    .bind(email.key())
    .bind(password_hash)
    .bind(zone.as_str())
    .bind(now)
    .run(tx)
    .await?;
    Ok(())
}

/// Changes an account's address. An address that is taken is [`DbError::Unique`].
pub async fn set_email(db: &Db, id: AccountId, email: &Email) -> Result<(), DbError> {
    sql("update account set email = $1, email_key = $2 where id = $3")
        .bind(email.as_str())
        .bind(email.key())
        .bind(id)
        .run(db)
        .await?;
    Ok(())
}

/// Changes an account's time zone, and tells the household of it.
pub async fn set_zone(db: &Db, id: AccountId, zone: &Zone) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    // The household first, as everything does that writes both.
    quiet_change_of(id).later(&mut tx).await?;
    sql("update account set zone = $1 where id = $2").bind(zone.as_str()).bind(id).later(&mut tx).await?;
    tx.commit().await
}

/// Who sees an account's new records unless their form says otherwise.
pub async fn default_visibility(db: &Db, id: AccountId) -> Result<Visibility, DbError> {
    let row = sql("select default_visibility from account where id = $1").bind(id).one(db).await?;
    visibility(&row)
}

/// Who sees an account's new records, from its row.
pub(super) fn visibility(row: &Row) -> Result<Visibility, DbError> {
    row.text("default_visibility")?.parse().map_err(|_| bad("default_visibility", "it is no visibility"))
}

/// Chooses who sees an account's new records.
pub async fn set_default_visibility(db: &Db, id: AccountId, visibility: Visibility) -> Result<(), DbError> {
    sql("update account set default_visibility = $1 where id = $2").bind(visibility.as_str()).bind(id).run(db).await?;
    Ok(())
}

/// Keeps the same password under newer parameters, unless it was changed meanwhile.
pub async fn rehash(db: &Db, id: AccountId, old: &str, new: &str) -> Result<(), DbError> {
    sql("update account set password_hash = $1 where id = $2 and password_hash = $3")
        .bind(new)
        .bind(id)
        .bind(old)
        .run(db)
        .await?;
    Ok(())
}

/// Sets a new password.
pub async fn set_password(tx: &mut Tx, id: AccountId, hash: &str) -> Result<(), DbError> {
    sql("update account set password_hash = $1 where id = $2").bind(hash).bind(id).run(tx).await?;
    Ok(())
}

/// Ends every session of an account, for good: those that are kept, and any that a running request might bring back.
/// Its devices are strangers again.
pub async fn end_sessions(tx: &mut Tx, id: AccountId) -> Result<(), DbError> {
    void_sessions(&mut *tx, id).await?;
    sql("delete from member_session where account_id = $1").bind(id).run(&mut *tx).await?;
    devices::forget(tx, id).await?;
    Ok(())
}

/// Ends every session of an account but one, for good, and makes its devices strangers again. The epoch stays, so that the
/// one goes on; a session whose row is gone is refused by the database, whatever a running request wants to save.
pub async fn end_other_sessions(tx: &mut Tx, id: AccountId, this: Option<&str>) -> Result<(), DbError> {
    sql("delete from member_session where account_id = $1 and id <> $2")
        .bind(id)
        .bind(this.unwrap_or_default())
        .run(&mut *tx)
        .await?;
    devices::forget(tx, id).await
}

/// Makes every session of an account void. They stay on file, so that the next request of each can be told why it is
/// signed out.
pub async fn void_sessions(tx: &mut Tx, id: AccountId) -> Result<(), DbError> {
    sql("update account set session_epoch = session_epoch + 1 where id = $1").bind(id).run(tx).await?;
    Ok(())
}

/// Adds a member's row, which ties the account to the household. The event that tells of it follows at once, and from
/// then on the ledger keeps name, role and standing.
pub async fn insert_member(
    tx: &mut Tx,
    now: Instant,
    household: HouseholdId,
    member: MemberId,
    account: AccountId,
    name: &MemberName,
    role: Role,
) -> Result<(), DbError> {
    sql("insert into member (household_id, id, account_id, name, role, disabled, joined_at)
         values ($1, $2, $3, $4, $5, $6, $7)")
    .bind(household)
    .bind(member)
    .bind(account)
    .bind(name.as_str())
    .bind(role.as_str())
    .bind(false)
    .bind(now)
    .run(tx)
    .await?;
    Ok(())
}
