//! Browsers that accounts were signed in with. Nothing is opened by being known; a known device only has a count of its
//! own when tries are counted.

use super::db::{Db, DbError, Tx, sql};
use crate::domain::ids::AccountId;
use crate::domain::instant::Instant;

/// Whether the account with an address was signed in with a device.
pub async fn is_known(db: &Db, now: Instant, email_key: &str, digest: [u8; 32]) -> Result<bool, DbError> {
    let found = sql("select 1 as found
           from known_device
           join account on account.id = known_device.account_id
          where known_device.digest = $1 and account.email_key = $2 and known_device.expires_at > $3")
    .bind(digest)
    .bind(email_key)
    .bind(now)
    .optional(db)
    .await?;
    Ok(found.is_some())
}

/// Notes that an account was signed in with a device, under a digest that nobody knew before. What else was known of the
/// device under its former digest goes with it.
pub async fn remember(
    tx: &mut Tx,
    account: AccountId,
    former: Option<[u8; 32]>,
    digest: [u8; 32],
    expires_at: Instant,
) -> Result<(), DbError> {
    if let Some(former) = former {
        sql("delete from known_device where account_id = $1 and digest = $2")
            .bind(account)
            .bind(former)
            .run(&mut *tx)
            .await?;
        sql("update known_device set digest = $1 where digest = $2").bind(digest).bind(former).run(&mut *tx).await?;
    }
    sql("insert into known_device (account_id, digest, expires_at) values ($1, $2, $3)")
        .bind(account)
        .bind(digest)
        .bind(expires_at)
        .run(tx)
        .await?;
    Ok(())
}

/// Forgets every device of an account.
pub async fn forget(tx: &mut Tx, account: AccountId) -> Result<(), DbError> {
    sql("delete from known_device where account_id = $1").bind(account).run(tx).await?;
    Ok(())
}

/// Removes what is known no longer.
pub async fn sweep(db: &Db, now: Instant) -> Result<(), DbError> {
    sql("delete from known_device where expires_at <= $1").bind(now).run(db).await?;
    sql("delete from reset_link where expires_at <= $1").bind(now).run(db).await?;
    Ok(())
}
