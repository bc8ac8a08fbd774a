//! Known devices: browsers that an account was signed in with have a count of their own when tries are counted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::ids::AccountId;
use crate::error::Result;
use crate::keys::random;
use crate::store::devices as rows;

/// For how long a device is known after a sign-in, in seconds.
pub const KNOWN: i64 = 180 * 24 * 60 * 60;

/// Notes that an account was signed in with a device, and gives what its cookie holds from now on. It is always new, so
/// that a value that somebody planted in the browser is worth nothing afterwards.
pub async fn remember(app: &App, former: Option<[u8; 32]>, account: AccountId) -> Result<String> {
    let value = URL_SAFE_NO_PAD.encode(random::<32>()?);
    let mut tx = app.db.begin().await?;
    rows::remember(&mut tx, account, former, digest(&value), app.clock.now().plus_seconds(KNOWN)).await?;
    tx.commit().await?;
    Ok(value)
}

/// What is kept of a device's cookie.
pub fn digest(value: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"lifeops.device.1\0");
    hash.update(value.as_bytes());
    hash.finalize().into()
}
