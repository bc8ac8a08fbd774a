//! Filters that a member gave a name: the member's own, in the menu of every page.

use crate::domain::access::Actor;
use crate::domain::instant::Instant;
use crate::domain::text::{ViewName, fold};
use crate::error::Result;

use super::db::{Db, DbError, Row, sql};
use super::surroundings::quiet_change;

/// How many a member keeps.
pub const MOST: i64 = 30;

/// A filter with a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SavedView {
    /// What it is called.
    pub name: String,
    /// The page and its filters: a path of this program with a query.
    pub address: String,
}

/// The views of the member in one column of a statement about `member`, a line each, by name.
pub(super) const VIEWS: &str = "(select string_agg(saved.address || ' ' || saved.name, '\n' order by saved.name_key)
     from saved_view as saved
     where saved.household_id = member.household_id and saved.member_id = member.id) as views";

/// Reads the column of [`VIEWS`].
pub(super) fn read(row: &Row) -> Result<Vec<SavedView>, DbError> {
    let lines = row.opt_text("views")?.unwrap_or_default();
    let view = |line: &str| line.split_once(' ').map(|(address, name)| (address.to_owned(), name.to_owned()));
    Ok(lines.lines().filter_map(view).map(|(address, name)| SavedView { name, address }).collect())
}

/// Keeps a view; one of the same name is replaced. False if the member keeps [`MOST`] others already.
///
/// # Errors
/// If the database refuses.
pub async fn keep(db: &Db, actor: &Actor, name: &ViewName, address: &str, at: Instant) -> Result<bool> {
    let mut tx = db.begin().await?;
    quiet_change(actor.household).later(&mut tx).await?;
    let kept = sql(format!(
        "insert into saved_view (household_id, member_id, name_key, name, address, created_at)
         select $1, $2, $3, $4, $5, $6
         where (select count(*) from saved_view
                where household_id = $1 and member_id = $2 and name_key <> $3) < {MOST}
         on conflict (household_id, member_id, name_key)
         do update set name = excluded.name, address = excluded.address"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(name.folded())
    .bind(name.as_str())
    .bind(address)
    .bind(at)
    .run(&mut tx)
    .await?;
    tx.commit().await?;
    Ok(kept > 0)
}

/// Forgets a view.
///
/// # Errors
/// If the database refuses.
pub async fn forget(db: &Db, actor: &Actor, name: &str) -> Result<()> {
    let mut tx = db.begin().await?;
    quiet_change(actor.household).later(&mut tx).await?;
    sql("delete from saved_view where household_id = $1 and member_id = $2 and name_key = $3")
        .bind(actor.household)
        .bind(actor.member)
        .bind(fold(name))
        .later(&mut tx)
        .await?;
    Ok(tx.commit().await?)
}
