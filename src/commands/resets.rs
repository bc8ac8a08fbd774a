//! Forgotten passwords: whoever runs the installation makes a link, and the person sets a new password with it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::accounts::{find, finish};
use super::tries::by_account;
use crate::app::App;
use crate::domain::ids::AccountId;
use crate::domain::instant::Instant;
use crate::domain::person::Email;
use crate::domain::text::fold;
use crate::error::{Error, Result};
use crate::keys::random;
use crate::passwords::Password;
use crate::store::{accounts as rows, attempts, resets};

/// For how long a link works, in seconds.
pub const WORKS: i64 = 24 * 60 * 60;

/// Makes a link's secret part for somebody. It works once and for a day; the one before it is worth nothing any more.
///
/// # Errors
/// [`Error::Refused`] if nobody has that address.
pub async fn make_link(app: &App, email: &Email) -> Result<String> {
    let account = find(app, email).await?.account;
    let token = URL_SAFE_NO_PAD.encode(random::<32>()?);
    let expires = app.clock.now().plus_seconds(WORKS);
    resets::put_link(&app.db, account, digest(&token), expires).await?;
    Ok(token)
}

/// Whether a link works. Looking does not use it up.
pub async fn works(app: &App, token: &str) -> Result<bool> {
    Ok(resets::is_link(&app.db, app.clock.now(), digest(token)).await?)
}

/// Sets a new password with a link, uses the link up and signs the person out everywhere. At the next sign-in the person
/// is told.
///
/// # Errors
/// [`Error::NotFound`] if the link does not work (any more).
pub async fn use_link(app: &App, token: &str, new: &Password) -> Result<()> {
    if !works(app, token).await? {
        return Err(Error::NotFound);
    }
    let hash = app.passwords.hash(new).await?;
    let (app, digest) = (app.clone(), digest(token));
    finish(async move {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let account = resets::take_link(&mut tx, now, digest).await?.ok_or(Error::NotFound)?;
        let email = rows::by_id(&mut tx, account).await?.ok_or(Error::NotFound)?.email;
        rows::set_password(&mut tx, account, &hash).await?;
        resets::note_password(&mut tx, now, account).await?;
        rows::end_sessions(&mut tx, account).await?;
        attempts::forget(&mut tx, by_account(&app, &fold(&email))).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// The person has read what was done to the account up to an instant.
pub async fn told(app: &App, account: AccountId, seen: Instant) -> Result<()> {
    Ok(resets::told(&app.db, account, seen).await?)
}

fn digest(token: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"lifeops.reset-link.1\0");
    hash.update(token.as_bytes());
    hash.finalize().into()
}
