//! Computes every projection again from the events.

use crate::app::App;
use crate::domain::ids::HouseholdId;
use crate::error::Result;
use crate::store::db::Tx;
use crate::store::projection::{self, Projector};
use crate::store::{ledger, streams};

/// How many events are read at a time.
const PAGE: i64 = 500;

/// Rebuilds the projections if a fold of another version wrote them, or text was made into words otherwise. A new installation is only marked.
///
/// # Errors
/// If an event cannot be read, or the database refuses.
pub async fn if_outdated(app: &App) -> Result<()> {
    let written = projection::written(&app.db).await?;
    if written.as_ref().is_some_and(|written| written.is_current(&app.db)) {
        return Ok(());
    }
    if let Some(written) = written {
        tracing::info!(?written, "the projections are of another fold, or of another language: rebuilding");
    }
    all(app, &|_, _| {}).await
}

/// Rebuilds every household's projections. `progress` is told how many events of how many are done.
///
/// # Errors
/// If an event cannot be read, or the database refuses. Households that are done stay done.
pub async fn all(app: &App, progress: &(dyn Fn(i64, i64) + Send + Sync)) -> Result<()> {
    let households = ledger::households(&app.db).await?;
    let total: i64 = households.iter().map(|household| household.position).sum();
    let mut before = 0;
    for household in &households {
        let mut tx = app.db.begin().await?;
        ledger::hold(&mut tx, household.id).await?;
        one(&mut tx, household.id, &|done| progress(before + done, total)).await?;
        tx.commit().await?;
        before += household.position;
    }
    let mut tx = app.db.begin().await?;
    projection::settle(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Rebuilds every household's projections inside a transaction, for a restore.
///
/// # Errors
/// If an event cannot be read, or the database refuses.
pub async fn within(tx: &mut Tx) -> Result<()> {
    for household in ledger::households(&mut *tx).await? {
        one(tx, household.id, &|_| {}).await?;
    }
    projection::settle(tx).await
}

/// Rebuilds one household's projections in a transaction that holds it.
///
/// # Errors
/// If an event cannot be read, or the database refuses.
pub async fn one(tx: &mut Tx, household: HouseholdId, progress: &(dyn Fn(i64) + Send + Sync)) -> Result<()> {
    projection::clear(tx, household).await?;
    let mut position = 0;
    loop {
        let events = streams::after(&mut *tx, household, position, PAGE).await?;
        let Some(last) = events.last() else { break };
        position = last.position;
        // A new projector for each page, so that memory does not grow with the household.
        Projector::default().project(tx, &events).await?;
        progress(position);
    }
    ledger::project_household(tx, household).await
}
