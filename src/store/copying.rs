//! Primary data beside the events, read and written as it is, for export and restore: accounts, members, submissions,
//! how far members have read.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::accounts;
use super::db::{DbError, On, Row, Tx, rows_of, sql};
use super::resets::Untold;
use crate::domain::access::Visibility;
use crate::domain::ids::{AccountId, HouseholdId, MemberId, RecordId};
use crate::domain::instant::Instant;
use crate::domain::text::fold;

/// An account's row.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The address as it was typed.
    pub email: String,
    /// The address as it is compared.
    pub email_key: String,
    /// The password's digest, in PHC form.
    pub password_hash: String,
    /// An IANA time zone name.
    pub zone: String,
    /// Rises when every session must end.
    pub session_epoch: i64,
    /// When it was made.
    pub created_at: Instant,
    /// Who sees its new records unless their form says otherwise.
    pub default_visibility: Visibility,
    /// What its person was not told yet.
    pub untold: Untold,
    /// Its second factor, if it has one.
    pub second_factor: Option<SecondFactor>,
}

/// An account's second factor, as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The secret, sealed under the master key.
    pub secret: Vec<u8>,
    /// The last step that was used.
    pub last_step: i64,
    /// When it was turned on.
    pub turned_on_at: Instant,
    /// Digests of the recovery codes, and when each was used.
    pub codes: Vec<([u8; 32], Option<Instant>)>,
}

/// What a member's row has that no event tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The household.
    pub household: HouseholdId,
    /// The member.
    pub id: MemberId,
    /// The account.
    pub account: AccountId,
    /// When the member joined.
    pub joined_at: Instant,
}

/// A submission's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submission {
    /// The household.
    pub household: HouseholdId,
    /// Who sent it.
    pub member: MemberId,
    /// Its key.
    pub key: Uuid,
    /// The request's digest.
    pub digest: [u8; 32],
    /// The record it was about.
    pub record: RecordId,
    /// The position of its first event.
    pub first_position: i64,
    /// How many events it made.
    pub events: i64,
}

/// How far a member has read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The household.
    pub household: HouseholdId,
    /// The member.
    pub member: MemberId,
    /// The record, or the household's own stream for all of them.
    pub record: RecordId,
    /// Up to which event.
    pub position: i64,
}

/// Every account, by id.
pub async fn accounts(tx: &mut Tx) -> Result<Vec<Account>, DbError> {
    let rows = sql("
        select id, email, email_key, password_hash, zone, session_epoch, created_at, default_visibility,
               password_reset_at, second_factor_reset_at
          from account
         order by id")
    .all(&mut *tx)
    .await?;
    let mut factors = second_factors(tx).await?;
    let read = |row: &Row| {
        let id = AccountId(row.uuid("id")?);
        Ok(Account {
            id,
            email: row.text("email")?,
            email_key: row.text("email_key")?,
            password_hash: row.text("password_hash")?,
            zone: row.text("zone")?,
            session_epoch: row.int("session_epoch")?,
            created_at: row.instant("created_at")?,
            default_visibility: accounts::visibility(row)?,
            untold: Untold::of(row)?,
            second_factor: factors.remove(&id),
        })
    };
    rows.iter().map(read).collect()
}

async fn second_factors(tx: &mut Tx) -> Result<BTreeMap<AccountId, SecondFactor>, DbError> {
    let rows = sql("select account_id, secret, last_step, turned_on_at from second_factor").all(&mut *tx).await?;
    let mut factors = BTreeMap::new();
    for row in rows {
        let factor = SecondFactor {
            secret: row.bytes("secret")?,
            last_step: row.int("last_step")?,
            turned_on_at: row.instant("turned_on_at")?,
            codes: Vec::new(),
        };
        factors.insert(AccountId(row.uuid("account_id")?), factor);
    }
    let codes =
        sql("select account_id, digest, used_at from recovery_code order by account_id, digest").all(tx).await?;
    for row in codes {
        if let Some(factor) = factors.get_mut(&AccountId(row.uuid("account_id")?)) {
            factor.codes.push((row.digest("digest")?, row.opt_instant("used_at")?));
        }
    }
    Ok(factors)
}

/// A household's members, by id.
pub async fn members<'a>(on: impl Into<On<'a>>, household: HouseholdId) -> Result<Vec<Member>, DbError> {
    let rows = sql("select household_id, id, account_id, joined_at from member where household_id = $1 order by id")
        .bind(household)
        .all(on)
        .await?;
    let read = |row: &Row| {
        Ok(Member {
            household: HouseholdId(row.uuid("household_id")?),
            id: MemberId(row.uuid("id")?),
            account: AccountId(row.uuid("account_id")?),
            joined_at: row.instant("joined_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// At most `limit` of a household's submissions after one of them, by member and key.
pub async fn submissions<'a>(
    on: impl Into<On<'a>>,
    household: HouseholdId,
    after: Option<(MemberId, Uuid)>,
    limit: i64,
) -> Result<Vec<Submission>, DbError> {
    let (member, key) = after.unwrap_or((MemberId(Uuid::nil()), Uuid::nil()));
    let rows = sql("
        select household_id, member_id, key, digest, record_id, first_position, events from submission
        where household_id = $1 and (member_id, key) > ($2, $3)
        order by member_id, key
        limit $4")
    .bind(household)
    .bind(member)
    .bind(key)
    .bind(limit)
    .all(on)
    .await?;
    let read = |row: &Row| {
        Ok(Submission {
            household: HouseholdId(row.uuid("household_id")?),
            member: MemberId(row.uuid("member_id")?),
            key: row.uuid("key")?,
            digest: row.digest("digest")?,
            record: RecordId(row.uuid("record_id")?),
            first_position: row.int("first_position")?,
            events: row.int("events")?,
        })
    };
    rows.iter().map(read).collect()
}

/// How far a household's members have read, by member and record.
pub async fn seen<'a>(on: impl Into<On<'a>>, household: HouseholdId) -> Result<Vec<Seen>, DbError> {
    let rows = sql("
        select household_id, member_id, record_id, position from seen
        where household_id = $1
        order by member_id, record_id")
    .bind(household)
    .all(on)
    .await?;
    let read = |row: &Row| {
        Ok(Seen {
            household: HouseholdId(row.uuid("household_id")?),
            member: MemberId(row.uuid("member_id")?),
            record: RecordId(row.uuid("record_id")?),
            position: row.int("position")?,
        })
    };
    rows.iter().map(read).collect()
}

/// A filter that a member gave a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedView {
    /// The household.
    pub household: HouseholdId,
    /// The member.
    pub member: MemberId,
    /// What it is called.
    pub name: String,
    /// The page and its filters.
    pub address: String,
    /// When it was kept.
    pub created_at: Instant,
}

/// The views of a household's members, by member and name.
pub async fn views<'a>(on: impl Into<On<'a>>, household: HouseholdId) -> Result<Vec<NamedView>, DbError> {
    let rows = sql("
        select household_id, member_id, name, address, created_at from saved_view
        where household_id = $1
        order by member_id, name_key")
    .bind(household)
    .all(on)
    .await?;
    let read = |row: &Row| {
        Ok(NamedView {
            household: HouseholdId(row.uuid("household_id")?),
            member: MemberId(row.uuid("member_id")?),
            name: row.text("name")?,
            address: row.text("address")?,
            created_at: row.instant("created_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Writes a view as it is.
pub async fn put_view(tx: &mut Tx, view: &NamedView) -> Result<(), DbError> {
    sql("
        insert into saved_view (household_id, member_id, name_key, name, address, created_at)
        values ($1, $2, $3, $4, $5, $6)")
    .bind(view.household)
    .bind(view.member)
    .bind(fold(&view.name))
    .bind(&view.name)
    .bind(&view.address)
    .bind(view.created_at)
    .later(&mut *tx)
    .await
}

/// Whether nobody lives here yet: no household and no account.
pub async fn is_empty(tx: &mut Tx) -> Result<bool, DbError> {
    let household = sql("select id from household limit 1").optional(&mut *tx).await?;
    let account = sql("select id from account limit 1").optional(&mut *tx).await?;
    Ok(household.is_none() && account.is_none())
}

/// Writes an account as it is.
pub async fn put_account(tx: &mut Tx, account: &Account) -> Result<(), DbError> {
    sql("
        insert into account (id, email, email_key, password_hash, zone, session_epoch, created_at, default_visibility,
                             password_reset_at, second_factor_reset_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
    .bind(account.id)
    .bind(&account.email)
    .bind(&account.email_key)
    .bind(&account.password_hash)
    .bind(&account.zone)
    .bind(account.session_epoch)
    .bind(account.created_at)
    .bind(account.default_visibility.as_str())
    .bind(account.untold.password)
    .bind(account.untold.second_factor)
    .run(&mut *tx)
    .await?;
    let Some(factor) = &account.second_factor else { return Ok(()) };
    sql("insert into second_factor (account_id, secret, last_step, turned_on_at) values ($1, $2, $3, $4)")
        .bind(account.id)
        .bind(factor.secret.clone())
        .bind(factor.last_step)
        .bind(factor.turned_on_at)
        .run(&mut *tx)
        .await?;
    for (digest, used_at) in &factor.codes {
        sql("insert into recovery_code (account_id, digest, used_at) values ($1, $2, $3)")
            .bind(account.id)
            .bind(*digest)
            .bind(*used_at)
            .run(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Writes a member's row; name, role and standing follow from the household's events.
pub async fn put_member(tx: &mut Tx, member: &Member) -> Result<(), DbError> {
    sql("
        insert into member (household_id, id, account_id, name, role, disabled, joined_at)
        values ($1, $2, $3, '', 'viewer', $4, $5)")
    .bind(member.household)
    .bind(member.id)
    .bind(member.account)
    .bind(true)
    .bind(member.joined_at)
    .run(tx)
    .await?;
    Ok(())
}

/// Writes submissions as they are.
pub async fn put_submissions(tx: &mut Tx, submissions: &[Submission]) -> Result<(), DbError> {
    for chunk in submissions.chunks(200) {
        let mut statement = sql(format!(
            "insert into submission (household_id, member_id, key, digest, record_id, first_position, events) values {}",
            rows_of(chunk.len(), 7)
        ));
        for submission in chunk {
            statement = statement
                .bind(submission.household)
                .bind(submission.member)
                .bind(submission.key)
                .bind(submission.digest)
                .bind(submission.record)
                .bind(submission.first_position)
                .bind(submission.events);
        }
        statement.run(&mut *tx).await?;
    }
    Ok(())
}

/// Writes how far a member has read.
pub async fn put_seen(tx: &mut Tx, seen: &Seen) -> Result<(), DbError> {
    sql("insert into seen (household_id, member_id, record_id, position) values ($1, $2, $3, $4)")
        .bind(seen.household)
        .bind(seen.member)
        .bind(seen.record)
        .bind(seen.position)
        .run(tx)
        .await?;
    Ok(())
}
