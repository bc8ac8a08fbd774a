//! What an installation knows of itself: which master key it belongs to, and whether somebody has begun it.

use super::db::{Db, DbError, On, Tx, sql};
use crate::domain::instant::Instant;

/// Keeps the check value of the first key that opens this database, and returns the one that is kept.
pub async fn key_check(db: &Db, ours: [u8; 32]) -> Result<[u8; 32], DbError> {
    sql("update installation set key_check = $1 where one = 1 and key_check is null").bind(ours).run(db).await?;
    sql("select key_check from installation where one = 1").one(db).await?.digest("key_check")
}

/// A change of the master key that is under way, or was made a moment ago.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyChange {
    /// The id of the key before.
    pub old_id: String,
    /// The id of the key after.
    pub new_id: String,
    /// The new key, sealed under the old one.
    pub new_under_old: Vec<u8>,
    /// The old key, sealed under the new one.
    pub old_under_new: Vec<u8>,
    /// When everything was under the new key; none while that is not so.
    pub done_at: Option<Instant>,
}

/// The check value of the installation's own key, and the change that is under way.
pub async fn keys<'a>(on: impl Into<On<'a>>) -> Result<(Option<[u8; 32]>, Option<KeyChange>), DbError> {
    let row = sql("select i.key_check, c.old_id, c.new_id, c.new_under_old, c.old_under_new, c.done_at
           from installation as i
           left join key_change as c on c.one = i.one
          where i.one = 1")
    .one(on)
    .await?;
    let kept = row.opt_bytes("key_check")?.map(|_| row.digest("key_check")).transpose()?;
    let Some(old_id) = row.opt_text("old_id")? else { return Ok((kept, None)) };
    let change = KeyChange {
        old_id,
        new_id: row.text("new_id")?,
        new_under_old: row.bytes("new_under_old")?,
        old_under_new: row.bytes("old_under_new")?,
        done_at: row.opt_instant("done_at")?,
    };
    Ok((kept, Some(change)))
}

/// Locks the installation's row until the transaction ends, so that its key stays the one that it is.
pub async fn hold_key(tx: &mut Tx) -> Result<(), DbError> {
    sql("update installation set key_check = key_check where one = 1").run(&mut *tx).await?;
    Ok(())
}

/// Makes another key the installation's own, and notes the change.
pub async fn begin_key_change(tx: &mut Tx, check: [u8; 32], change: &KeyChange) -> Result<(), DbError> {
    sql("update installation set key_check = $1 where one = 1").bind(check).run(&mut *tx).await?;
    sql("delete from key_change").run(&mut *tx).await?;
    sql("
        insert into key_change (one, old_id, new_id, new_under_old, old_under_new, done_at)
        values (1, $1, $2, $3, $4, null)")
    .bind(&change.old_id)
    .bind(&change.new_id)
    .bind(change.new_under_old.as_slice())
    .bind(change.old_under_new.as_slice())
    .run(&mut *tx)
    .await?;
    Ok(())
}

/// Notes that everything is under the new key.
pub async fn end_key_change(db: &Db, now: Instant) -> Result<(), DbError> {
    sql("update key_change set done_at = $1 where done_at is null").bind(now).run(db).await?;
    Ok(())
}

/// Forgets a change that was done before an instant: every server that runs has learnt of it. SQLite overwrites what is
/// deleted, and the log that was written ahead is emptied, so that a later copy of the file tells nothing of it.
pub async fn forget_key_change(db: &Db, before: Instant) -> Result<(), DbError> {
    sql("delete from key_change where done_at < $1").bind(before).run(db).await?;
    // Also when nothing was deleted: the last time, somebody may have been reading from the log.
    db.settle().await
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
