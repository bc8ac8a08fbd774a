//! Passwords looked at: at the door, and once more before something that must not be done by whoever finds a browser
//! open.

use std::net::IpAddr;

pub use super::tries::Caller;
use super::tries::{Proof, Tries};
use crate::app::App;
use crate::domain::Refusal;
use crate::domain::ids::AccountId;
use crate::domain::text::fold;
use crate::error::{Error, Result};
use crate::passwords::{Password, Verdict};
use crate::store::accounts as rows;

/// An account whose password was right, and the epoch that its sessions had when that was looked at: a password that was
/// changed meanwhile signs nobody in any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The account.
    pub account: AccountId,
    /// Its epoch then.
    pub epoch: i64,
}

/// What every refused sign-in says, whatever was wrong.
pub const NOT_RECOGNISED: &str = "The email address or the password is not right";

/// What a wrong current password says.
pub const PASSWORD_WRONG: &str = "This is not your current password";

/// [`check_from`], for somebody who comes without a browser that could be known.
///
/// # Errors
/// As there.
pub async fn check(app: &App, address: IpAddr, email: &str, password: &str) -> Result<AccountId> {
    Ok(check_from(app, &Caller { network: address, device: None }, email, password).await?.account)
}

/// Checks an address and a password. Wrong password, unknown address and disabled member look the same and cost the
/// same; failures are counted before anything is looked at. An account with a second factor is not in yet:
/// [`super::second_factor::check_code`] comes next.
///
/// # Errors
/// [`Error::Refused`] with [`NOT_RECOGNISED`]; [`Error::Throttled`] with how long to wait.
pub async fn check_from(app: &App, from: &Caller, email: &str, password: &str) -> Result<Proven> {
    let key = fold(email.trim());
    let tries = Tries::of(app, from, &key, Proof::Password).await?;
    let _seat = seat(app, from, &tries)?;
    let _turn = app.passwords.turn(tries.turn()).await;
    tries.take(app).await?;
    let account = rows::by_email(&app.db, &key).await?;
    let verdict = app
        .passwords
        .verify(tries.is_known(), password, account.as_ref().map(|account| account.password_hash.as_str()))
        .await?;
    let (Some(account), true) = (account, verdict != Verdict::Wrong) else { return Err(not_recognised(&tries)) };
    if rows::membership(&app.db, account.id, app.clock.now()).await?.is_none() {
        return Err(not_recognised(&tries));
    }
    tries.give_back(app).await?;
    if verdict == Verdict::RightButOld {
        rehash(app, &account, password).await?;
    }
    Ok(Proven { account: account.id, epoch: account.session_epoch })
}

/// A known device's tries wait for each other alone; everybody else also shares the seats of their address.
fn seat(app: &App, from: &Caller, tries: &Tries) -> Result<Option<crate::passwords::Seat>> {
    if tries.is_known() { Ok(None) } else { app.passwords.seat(from.network).map(Some) }
}

fn not_recognised(tries: &Tries) -> Error {
    tries.failed("an address or a password");
    Error::Refused(Refusal::new(NOT_RECOGNISED))
}

async fn rehash(app: &App, account: &rows::Account, password: &str) -> Result<()> {
    // An old password may be shorter than new ones must be; it then stays as it is.
    let Ok(password) = Password::parse(password) else { return Ok(()) };
    let hash = app.passwords.hash(&password).await?;
    Ok(rows::rehash(&app.db, account.id, &account.password_hash, &hash).await?)
}

/// Has a signed-in person type the current password once more; counted like signing in.
///
/// # Errors
/// [`Error::Refused`] with [`PASSWORD_WRONG`]; [`Error::Throttled`].
pub(super) async fn prove(app: &App, from: &Caller, account: AccountId, current: &str) -> Result<()> {
    let account = rows::by_id(&app.db, account).await?.ok_or(Error::NotFound)?;
    let tries = Tries::of(app, from, &fold(&account.email), Proof::Password).await?;
    let _seat = seat(app, from, &tries)?;
    let _turn = app.passwords.turn(tries.turn()).await;
    tries.take(app).await?;
    if app.passwords.verify(tries.is_known(), current, Some(&account.password_hash)).await? == Verdict::Wrong {
        tries.failed("a current password");
        return Err(Error::Refused(Refusal::new(PASSWORD_WRONG)));
    }
    tries.give_back(app).await
}
