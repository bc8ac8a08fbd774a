//! Second factors: the sealed secret of an account, the last step that was used, and the digests of recovery codes.

use super::db::{Db, DbError, On, Tx, sql};
use crate::domain::ids::AccountId;
use crate::domain::instant::Instant;

/// An account's second factor.
#[derive(Clone)]
pub struct SecondFactor {
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// When it was turned on.
    pub turned_on_at: Instant,
    /// When its recovery codes were made; nothing of codes that came with a restore.
    pub codes_made_at: Option<Instant>,
    /// How many recovery codes were not used yet.
    pub codes_left: i64,
}

/// The second factor of an account, if it has one.
pub async fn of<'a>(on: impl Into<On<'a>>, account: AccountId) -> Result<Option<SecondFactor>, DbError> {
    let row = sql("select secret, turned_on_at, codes_made_at,
                (select count(*) from recovery_code where account_id = $1 and used_at is null) as codes_left
           from second_factor
          where account_id = $1")
    .bind(account)
    .optional(on)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(SecondFactor {
        secret: row.bytes("secret")?,
        turned_on_at: row.instant("turned_on_at")?,
        codes_made_at: row.opt_instant("codes_made_at")?,
        codes_left: row.int("codes_left")?,
    }))
}

/// Every sealed secret.
pub async fn all(db: &Db) -> Result<Vec<(AccountId, Vec<u8>)>, DbError> {
    let rows = sql("select account_id, secret from second_factor order by account_id").all(db).await?;
    rows.iter().map(|row| Ok((AccountId(row.uuid("account_id")?), row.bytes("secret")?))).collect()
}

/// Puts another sealing of the same secret in place of one.
pub async fn replace_secret(db: &Db, account: AccountId, before: &[u8], after: &[u8]) -> Result<u64, DbError> {
    sql("update second_factor set secret = $3 where account_id = $1 and secret = $2")
        .bind(account)
        .bind(before)
        .bind(after)
        .run(db)
        .await
}

/// Gives an account a second factor, unless it has one. `step` is the one whose code proved it.
pub async fn insert(
    tx: &mut Tx,
    now: Instant,
    account: AccountId,
    secret: Vec<u8>,
    step: i64,
) -> Result<bool, DbError> {
    let made = sql("insert into second_factor (account_id, secret, last_step, turned_on_at) values ($1, $2, $3, $4)
         on conflict (account_id) do nothing")
    .bind(account)
    .bind(secret)
    .bind(step)
    .bind(now)
    .run(tx)
    .await?;
    Ok(made > 0)
}

/// Uses a step up, with every earlier one; false if it was used before. Of two at once one wins.
pub async fn use_step(tx: &mut Tx, account: AccountId, step: i64) -> Result<bool, DbError> {
    let used = sql("update second_factor set last_step = $1 where account_id = $2 and last_step < $1")
        .bind(step)
        .bind(account)
        .run(tx)
        .await?;
    Ok(used > 0)
}

/// Uses a recovery code up; false if there is none of this digest, or it was used before. Of two at once one wins.
pub async fn use_code(tx: &mut Tx, now: Instant, account: AccountId, digest: [u8; 32]) -> Result<bool, DbError> {
    let used = sql("update recovery_code set used_at = $1 where account_id = $2 and digest = $3 and used_at is null")
        .bind(now)
        .bind(account)
        .bind(digest)
        .run(tx)
        .await?;
    Ok(used > 0)
}

/// Gives an account new recovery codes in place of the ones it has. What was used since `just_used` stays on file as used, so
/// that it can prove the same form once more.
pub async fn put_codes(
    tx: &mut Tx,
    now: Instant,
    just_used: Instant,
    account: AccountId,
    digests: &[[u8; 32]],
) -> Result<(), DbError> {
    sql("delete from recovery_code where account_id = $1 and (used_at is null or used_at < $2)")
        .bind(account)
        .bind(just_used)
        .run(&mut *tx)
        .await?;
    sql("update second_factor set codes_made_at = $1 where account_id = $2")
        .bind(now)
        .bind(account)
        .run(&mut *tx)
        .await?;
    for digest in digests {
        sql("insert into recovery_code (account_id, digest) values ($1, $2)")
            .bind(account)
            .bind(*digest)
            .run(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Whether an account has a recovery code of this digest, used or not.
pub async fn has_code<'a>(on: impl Into<On<'a>>, account: AccountId, digest: [u8; 32]) -> Result<bool, DbError> {
    let found = sql("select 1 as found from recovery_code where account_id = $1 and digest = $2")
        .bind(account)
        .bind(digest)
        .optional(on)
        .await?;
    Ok(found.is_some())
}

/// Whether a recovery code of this digest was used at `since` or later.
pub async fn code_used_since(db: &Db, since: Instant, account: AccountId, digest: [u8; 32]) -> Result<bool, DbError> {
    let found = sql("select 1 as found from recovery_code where account_id = $1 and digest = $2 and used_at >= $3")
        .bind(account)
        .bind(digest)
        .bind(since)
        .optional(db)
        .await?;
    Ok(found.is_some())
}

/// Takes an account's second factor away, recovery codes included; false if it had none.
pub async fn remove(tx: &mut Tx, account: AccountId) -> Result<bool, DbError> {
    sql("delete from recovery_code where account_id = $1").bind(account).run(&mut *tx).await?;
    Ok(sql("delete from second_factor where account_id = $1").bind(account).run(tx).await? > 0)
}
