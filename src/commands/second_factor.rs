//! The second factor: a code of an authenticator app, or a recovery code, asked for after the password.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::accounts;
use super::proof::{self, Caller};
use super::tries::{Proof, Tries};
use crate::app::App;
use crate::domain::Refusal;
use crate::domain::ids::AccountId;
use crate::domain::person::Email;
use crate::domain::text::fold;
use crate::error::{Error, Result};
use crate::keys::random_words;
use crate::store::db::Tx;
use crate::store::installation;
use crate::store::second_factors::{self as rows, SecondFactor};
use crate::store::{accounts as account_rows, resets};
use crate::totp::TotpSecret;
use crate::{keys, seal};

/// What a code says that is not right.
pub const CODE_WRONG: &str = "This code is not right, or it was used before. Wait for the app\u{2019}s next one, or use another \
    of your recovery codes";

/// What a code says that is not right where only the app's count: there are no recovery codes yet.
pub const FIRST_CODE_WRONG: &str =
    "This code is not right, or it was used before. Wait for the app\u{2019}s next one and enter that";

/// What is said to somebody who wants to turn on what is on.
pub const ALREADY_ON: &str = "The second step is on already, with other codes than this page has";

/// Under which purpose secrets are sealed.
const SECRET: &str = "second factor";

/// Under which purpose offers are sealed.
const OFFER: &str = "second factor's offer";

/// How many recovery codes there are.
const CODES: usize = 10;

/// Groups of five letters in a recovery code, five bits in each letter: 100 bits.
const GROUPS: usize = 4;

/// For how long an offer stands, in seconds.
const STANDS: i64 = 60 * 60;

/// For how long after an offer was taken the same form shows its recovery codes again, in seconds: long enough for a second
/// click.
const SHOWN_AGAIN: i64 = 60;

/// What somebody may choose to have from now on: a secret and recovery codes. It travels sealed in the form, so that
/// nothing is kept before a code proves it, and so that the same form sent twice gives the same codes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Offer {
    account: AccountId,
    secret: Vec<u8>,
    codes: Vec<String>,
    until: i64,
}

impl Offer {
    /// A new one for an account.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn new(app: &App, account: AccountId) -> Result<Self> {
        let codes = (0..CODES).map(|_| random_words(GROUPS)).collect::<Result<_>>()?;
        let until = app.clock.now().plus_seconds(STANDS).micros();
        Ok(Self { account, secret: TotpSecret::new()?.as_bytes().to_vec(), codes, until })
    }

    /// The one that a form brought back, if it is the account's own and still stands.
    pub fn open(app: &App, account: AccountId, sealed: &str) -> Option<Self> {
        let offer: Self = seal::open_text(&app.key, OFFER, sealed)?;
        (offer.account == account && offer.until > app.clock.now().micros()).then_some(offer)
    }

    /// The text that a form's hidden field carries.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn sealed(&self, app: &App) -> Result<String> {
        seal::seal_text(&app.key, OFFER, self)
    }

    /// The secret.
    pub fn secret(&self) -> TotpSecret {
        TotpSecret::from_bytes(self.secret.clone())
    }

    /// The recovery codes.
    pub fn codes(&self) -> &[String] {
        &self.codes
    }

    fn digests(&self) -> Vec<[u8; 32]> {
        self.codes.iter().map(|code| digest(self.account, &bare(code))).collect()
    }
}

/// An account's second factor, if it has one.
pub async fn of(app: &App, account: AccountId) -> Result<Option<SecondFactor>> {
    Ok(rows::of(&app.db, account).await?)
}

/// Turns the second factor on, once a code shows that the person's app has the secret. Every other session of the account
/// ends (`this` is the one that goes on), and its devices are strangers again. The same offer taken again within a minute
/// changes nothing.
///
/// # Errors
/// [`Error::Refused`] with [`proof::PASSWORD_WRONG`], [`FIRST_CODE_WRONG`], [`CODE_WRONG`] or [`ALREADY_ON`];
/// [`Error::Throttled`].
pub async fn turn_on(
    app: &App,
    from: &Caller,
    offer: &Offer,
    password: &str,
    code: &str,
    this: Option<&str>,
) -> Result<()> {
    let account = offer.account;
    proof::prove(app, from, account, password).await?;
    let now = app.clock.now();
    if rows::of(&app.db, account).await?.is_some() {
        return again(app, from, offer, code).await;
    }
    let steps = six_digits(code).map(|code| offer.secret().steps_of(code, now)).unwrap_or_default();
    let Some(step) = steps.last() else { return refuse(FIRST_CODE_WRONG) };
    let mut tx = app.db.begin().await?;
    // The master key stays what it is until this is kept.
    installation::hold_key(&mut tx).await?;
    if keys::learn_within(&app.key, &mut tx).await?.is_none() {
        return Err(Error::Unavailable(
            "This server does not know the new master key yet. Try again in a minute.".to_owned(),
        ));
    }
    let secret = seal::seal(&app.key, SECRET, account.0.as_bytes(), &offer.secret)?;
    if !rows::insert(&mut tx, now, account, secret, *step).await? {
        tx.rollback().await?;
        return again(app, from, offer, code).await;
    }
    rows::put_codes(&mut tx, now, now, account, &offer.digests()).await?;
    account_rows::end_other_sessions(&mut tx, account, this).await?;
    Ok(tx.commit().await?)
}

/// Whether an offer was taken, or others were since it was made: its codes are not shown any more.
///
/// # Errors
/// If the database refuses.
pub async fn is_past(app: &App, offer: &Offer) -> Result<bool> {
    let made_at = offer.until - STANDS * 1_000_000;
    let kept = rows::of(&app.db, offer.account).await?;
    let renewed = kept.and_then(|kept| kept.codes_made_at).is_some_and(|at| at.micros() > made_at);
    Ok(renewed || is_taken(app, offer).await?)
}

/// Whether an offer's recovery codes are the account's.
async fn is_taken(app: &App, offer: &Offer) -> Result<bool> {
    match offer.digests().first() {
        Some(first) => Ok(rows::has_code(&app.db, offer.account, *first).await?),
        None => Ok(false),
    }
}

/// The same form once more, for somebody who clicked twice: its proofs are asked for as at first, but the code may be used
/// by now.
async fn again(app: &App, from: &Caller, offer: &Offer, code: &str) -> Result<()> {
    if !is_taken(app, offer).await? {
        return refuse(ALREADY_ON);
    }
    counted(app, from, offer.account, was_right(app, offer.account, code)).await
}

/// Whether a code was right for the recovery codes that were made within the last minute, used or not.
async fn was_right(app: &App, account: AccountId, typed: &str) -> Result<bool> {
    let Some(kept) = rows::of(&app.db, account).await? else { return Ok(false) };
    let now = app.clock.now();
    let since = now.plus_seconds(-SHOWN_AGAIN);
    if kept.codes_made_at.is_none_or(|made| made <= since) {
        return Ok(false);
    }
    match six_digits(typed) {
        Some(code) => Ok(open_secret(app, account, &kept).is_some_and(|secret| !secret.steps_of(code, now).is_empty())),
        None => Ok(rows::code_used_since(&app.db, since, account, digest(account, &bare(typed))).await?),
    }
}

/// Gives the account the offer's recovery codes in place of its old ones. The same offer taken again within a minute changes
/// nothing.
///
/// # Errors
/// As [`turn_off`]; [`Error::Refused`] with [`ALREADY_ON`].
pub async fn renew_codes(app: &App, from: &Caller, offer: &Offer, password: &str, code: &str) -> Result<()> {
    proof::prove(app, from, offer.account, password).await?;
    if is_past(app, offer).await? {
        return again(app, from, offer, code).await;
    }
    let take = async {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        if use_up(app, &mut tx, offer.account, code).await? {
            let just_used = now.plus_seconds(-SHOWN_AGAIN);
            rows::put_codes(&mut tx, now, just_used, offer.account, &offer.digests()).await?;
            tx.commit().await?;
            return Ok(true);
        }
        tx.rollback().await?;
        // A second click may have been first.
        Ok(is_taken(app, offer).await? && was_right(app, offer.account, code).await?)
    };
    counted(app, from, offer.account, take).await
}

/// Turns the second factor off.
///
/// # Errors
/// [`Error::Refused`] with [`proof::PASSWORD_WRONG`] or [`CODE_WRONG`]; [`Error::Throttled`].
pub async fn turn_off(app: &App, from: &Caller, account: AccountId, password: &str, code: &str) -> Result<()> {
    proof::prove(app, from, account, password).await?;
    check_code(app, from, account, code).await?;
    let mut tx = app.db.begin().await?;
    rows::remove(&mut tx, account).await?;
    Ok(tx.commit().await?)
}

/// Checks a code of the app or a recovery code, and uses it up. Tries are counted like those of passwords.
///
/// # Errors
/// [`Error::Refused`] with [`CODE_WRONG`]; [`Error::Throttled`]; [`Error::NotFound`] if there is no such account.
pub async fn check_code(app: &App, from: &Caller, account: AccountId, typed: &str) -> Result<()> {
    let look = async {
        let mut tx = app.db.begin().await?;
        let is_right = use_up(app, &mut tx, account, typed).await?;
        tx.commit().await?;
        Ok(is_right)
    };
    counted(app, from, account, look).await
}

/// Counts a try of a code before it is looked at.
async fn counted(
    app: &App,
    from: &Caller,
    account: AccountId,
    is_right: impl Future<Output = Result<bool>>,
) -> Result<()> {
    let email = account_rows::by_id(&app.db, account).await?.ok_or(Error::NotFound)?.email;
    let tries = Tries::of(app, from, &fold(&email), Proof::Code).await?;
    tries.take(app).await?;
    if is_right.await? {
        return tries.give_back(app).await;
    }
    tries.failed("a code");
    refuse(CODE_WRONG)
}

/// Uses a code of the app or a recovery code up; false if it is not right.
async fn use_up(app: &App, tx: &mut Tx, account: AccountId, typed: &str) -> Result<bool> {
    let Some(kept) = rows::of(&mut *tx, account).await? else { return Ok(false) };
    let now = app.clock.now();
    let Some(code) = six_digits(typed) else {
        return Ok(rows::use_code(tx, now, account, digest(account, &bare(typed))).await?);
    };
    let Some(secret) = open_secret(app, account, &kept) else {
        tracing::error!(%account, "a second factor's secret was sealed under another master key: recovery codes work");
        return Ok(false);
    };
    for step in secret.steps_of(code, now) {
        if rows::use_step(&mut *tx, account, step).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes a lost second factor away, on behalf of whoever runs the installation, and signs the person out everywhere.
///
/// # Errors
/// [`Error::Refused`] if nobody has that address, or there is no second factor.
pub async fn reset(app: &App, email: &Email) -> Result<()> {
    let account = accounts::find(app, email).await?.account;
    let mut tx = app.db.begin().await?;
    if !rows::remove(&mut tx, account).await? {
        return refuse(&format!("{email} has no second step. Nothing was changed."));
    }
    resets::note_second_factor(&mut tx, app.clock.now(), account).await?;
    end_sessions(&mut tx, account).await?;
    Ok(tx.commit().await?)
}

/// The addresses of those whose secret was sealed under another master key: only recovery codes work for them.
pub async fn locked(app: &App) -> Result<Vec<String>> {
    let mut locked = Vec::new();
    for member in accounts::list(app).await? {
        if let Some(kept) = rows::of(&app.db, member.account).await?
            && open_secret(app, member.account, &kept).is_none()
        {
            locked.push(member.email);
        }
    }
    Ok(locked)
}

async fn end_sessions(tx: &mut Tx, account: AccountId) -> Result<()> {
    Ok(account_rows::end_sessions(tx, account).await?)
}

/// Seals every secret under the current master key that is sealed under another one. Returns how many.
///
/// # Errors
/// If the database refuses.
pub async fn seal_again(app: &App) -> Result<u64> {
    let mut sealed = 0;
    for (account, secret) in rows::all(&app.db).await? {
        let about = account.0.as_bytes();
        if seal::open_under(&app.key.current(), SECRET, about, &secret).is_some() {
            continue;
        }
        // One that no key here opens is said to be locked elsewhere.
        let Some(plain) = seal::open(&app.key, SECRET, about, &secret) else { continue };
        let again = seal::seal(&app.key, SECRET, about, &plain)?;
        sealed += rows::replace_secret(&app.db, account, &secret, &again).await?;
    }
    Ok(sealed)
}

fn open_secret(app: &App, account: AccountId, kept: &SecondFactor) -> Option<TotpSecret> {
    seal::open(&app.key, SECRET, account.0.as_bytes(), &kept.secret).map(TotpSecret::from_bytes)
}

fn refuse<T>(sentence: &str) -> Result<T> {
    Err(Error::Refused(Refusal::new(sentence)))
}

/// A code of an app, spaces left out.
fn six_digits(typed: &str) -> Option<u32> {
    let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// A recovery code's letters and digits: hyphens, spaces and capitals do not matter.
fn bare(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// What is kept of a recovery code. It is long enough that nobody finds it by trying, so a plain digest will do; and it
/// does not depend on the master key, so that it works after a restore under another one.
fn digest(account: AccountId, bare: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"lifeops.recovery-code.1\0");
    hash.update(account.0.as_bytes());
    hash.update(bare.as_bytes());
    hash.finalize().into()
}
