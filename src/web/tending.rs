//! What a server does by itself now and then: it learns of a changed master key, puts the index of the search in order, and
//! sweeps out uploads that nobody needs.

use std::time::Duration;

use crate::app::App;
use crate::commands::uploads;
use crate::error::Result;
use crate::keys;
use crate::store::projection::{self, Order};

/// How often it looks whether the master key changed.
const LEARN_EVERY: Duration = Duration::from_secs(30);

/// Every how many looks it sweeps: once an hour, and the first time soon after the start.
const SWEEP_EVERY: u64 = 120;

/// Tends until it is aborted.
pub async fn tend(app: App) {
    let mut order = Order::default();
    for turn in 1.. {
        tokio::time::sleep(LEARN_EVERY).await;
        if let Err(error) = keys::learn(&app.key, &app.db).await {
            tracing::warn!(%error, "it is not known whether the master key changed");
        }
        if let Err(error) = projection::put_in_order(&app.db, &mut order).await {
            tracing::warn!(%error, "the index of the search was not put in order");
        }
        if turn % SWEEP_EVERY == 1
            && let Err(error) = sweep(&app).await
        {
            tracing::warn!(%error, "uploads that nobody needs were not swept out");
        }
    }
}

async fn sweep(app: &App) -> Result<()> {
    let swept = uploads::sweep(app).await?;
    if swept > 0 {
        tracing::info!(swept, "uploads that nobody needs were swept out");
    }
    keys::forget_change(&app.db, app.clock.now()).await
}
