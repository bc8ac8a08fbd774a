//! What whoever runs the server does for people who are locked out: links to set a new password, and the note that tells
//! them at their next sign-in.

use super::db::{Db, DbError, Row, Tx, sql};
use crate::domain::ids::AccountId;
use crate::domain::instant::Instant;

/// Makes an account's link; one that it had before is worth nothing from now on.
pub async fn put_link(db: &Db, account: AccountId, digest: [u8; 32], expires_at: Instant) -> Result<(), DbError> {
    sql("insert into reset_link (account_id, digest, expires_at) values ($1, $2, $3)
         on conflict (account_id) do update set digest = excluded.digest, expires_at = excluded.expires_at")
    .bind(account)
    .bind(digest)
    .bind(expires_at)
    .run(db)
    .await?;
    Ok(())
}

/// Whether a link works; looking does not use it up.
pub async fn is_link(db: &Db, now: Instant, digest: [u8; 32]) -> Result<bool, DbError> {
    let found = sql("select 1 as found from reset_link where digest = $1 and expires_at > $2")
        .bind(digest)
        .bind(now)
        .optional(db)
        .await?;
    Ok(found.is_some())
}

/// Uses a link up, and says whose it was. Of two at once one wins.
pub async fn take_link(tx: &mut Tx, now: Instant, digest: [u8; 32]) -> Result<Option<AccountId>, DbError> {
    let taken = sql("delete from reset_link where digest = $1 and expires_at > $2 returning account_id")
        .bind(digest)
        .bind(now)
        .optional(tx)
        .await?;
    taken.map(|row| Ok(AccountId(row.uuid("account_id")?))).transpose()
}

/// An account's link, if it has one, is worth nothing from now on.
pub async fn drop_link(tx: &mut Tx, account: AccountId) -> Result<(), DbError> {
    sql("delete from reset_link where account_id = $1").bind(account).run(tx).await?;
    Ok(())
}

/// What was done to an account, and its person was not told yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// When the password was reset.
    pub password: Option<Instant>,
    /// When the second factor was taken away.
    pub second_factor: Option<Instant>,
}

impl Untold {
    /// What an account's row says.
    pub(super) fn of(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            password: row.opt_instant("password_reset_at")?,
            second_factor: row.opt_instant("second_factor_reset_at")?,
        })
    }
}

/// What an account's person must be told.
pub async fn untold(db: &Db, account: AccountId) -> Result<Untold, DbError> {
    let row = sql("select password_reset_at, second_factor_reset_at from account where id = $1")
        .bind(account)
        .optional(db)
        .await?;
    row.as_ref().map_or(Ok(Untold::default()), Untold::of)
}

/// Notes that the password was reset.
pub async fn note_password(tx: &mut Tx, now: Instant, account: AccountId) -> Result<(), DbError> {
    sql("update account set password_reset_at = $1 where id = $2").bind(now).bind(account).run(tx).await?;
    Ok(())
}

/// Notes that the second factor was taken away.
pub async fn note_second_factor(tx: &mut Tx, now: Instant, account: AccountId) -> Result<(), DbError> {
    sql("update account set second_factor_reset_at = $1 where id = $2").bind(now).bind(account).run(tx).await?;
    Ok(())
}

/// The person has read it. What was done after `seen` is still to be told.
pub async fn told(db: &Db, account: AccountId, seen: Instant) -> Result<(), DbError> {
    for text in [
        "update account set password_reset_at = null where id = $1 and password_reset_at <= $2",
        "update account set second_factor_reset_at = null where id = $1 and second_factor_reset_at <= $2",
    ] {
        sql(text).bind(account).bind(seen).run(db).await?;
    }
    Ok(())
}
