//! What an installation knows of itself: which master key it belongs to, and whether somebody has begun it.

use super::db::{Db, DbError, Tx, sql};
use crate::domain::instant::Instant;

/// Keeps the check value of the first key that opens this database, and returns the one that is kept.
pub async fn key_check(db: &Db, ours: [u8; 32]) -> Result<[u8; 32], DbError> {
    sql("update installation set key_check = $1 where one = 1 and key_check is null").bind(ours).run(db).await?;
    sql("select key_check from installation where one = 1").one(db).await?.digest("key_check")
}

/// Claims an installation that nobody has begun; false if somebody has. Of two at once, one claims.
pub async fn claim(tx: &mut Tx, now: Instant) -> Result<bool, DbError> {
    let claimed = sql("update installation set claimed_at = $1
          where one = 1 and claimed_at is null and not exists (select 1 from account)")
    .bind(now)
    .run(tx)
    .await?;
    Ok(claimed > 0)
}
