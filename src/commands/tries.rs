//! Tries that are counted, as commands see them: take one first, then look at the password.

use std::net::IpAddr;

use ring::hmac;

use crate::app::App;
use crate::error::{Error, Result};
use crate::store::attempts::{self, Scope, Subject};
use crate::store::devices;

/// Who has a password or a code looked at: as far as the network tells, and with which browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The network address that tries are counted for.
    pub network: IpAddr,
    /// The digest of what the browser's device cookie holds, if it has one.
    pub device: Option<[u8; 32]>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Password,
    Code,
}

/// For whom a try counts.
#[derive(Debug)]
pub(super) struct Tries {
    subjects: Vec<Subject>,
    known: bool,
}

impl Tries {
    /// A device that the account was signed in with before has a count of its own, so that nobody who tries from
    /// elsewhere can lock its person out. Everybody else counts for the account and for the network address.
    pub async fn of(app: &App, from: &Caller, email_key: &str, proof: Proof) -> Result<Self> {
        if let Some(device) = from.device
            && devices::is_known(&app.db, app.clock.now(), email_key, device).await?
        {
            let what = match proof {
                Proof::Password => b"password".as_slice(),
                Proof::Code => b"code",
            };
            let subject = digest(app, &[what, &device, email_key.as_bytes()].concat());
            return Ok(Self { subjects: vec![(Scope::Device, subject)], known: true });
        }
        let account = match proof {
            Proof::Password => by_account(app, email_key),
            Proof::Code => (Scope::Code, digest(app, email_key.as_bytes())),
        };
        Ok(Self { subjects: vec![account, by_address(app, Scope::Address, from.network)], known: false })
    }

    /// Whether it is a known device of the account.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Whose turn it is: one subject's passwords are looked at one after the other.
    pub fn turn(&self) -> [u8; 32] {
        self.subjects.first().map_or([0; 32], |(_, digest)| *digest)
    }

    /// Counts a try, before anything is looked at.
    pub async fn take(&self, app: &App) -> Result<()> {
        take(app, &self.subjects).await
    }

    /// It went well.
    pub async fn give_back(&self, app: &App) -> Result<()> {
        Ok(attempts::give_back(&app.db, app.clock.now(), &self.subjects).await?)
    }

    /// What was looked at was not right: the log says so, and of nobody.
    pub fn failed(&self, what: &'static str) {
        tracing::info!(known_device = self.known, "{what} was not right");
    }
}

/// Counts a try, before anything is looked at.
pub(super) async fn take(app: &App, subjects: &[Subject]) -> Result<()> {
    match attempts::take(&app.db, app.clock.now(), subjects).await? {
        None => Ok(()),
        Some((scope, seconds)) => {
            tracing::warn!(scope = scope.as_str(), seconds, "too many tries: this one was not looked at");
            Err(Error::Throttled {
                seconds,
                sentence: format!("Too many tries. Wait {} and try again.", in_words(seconds)),
            })
        }
    }
}

fn in_words(seconds: i64) -> String {
    match seconds {
        1 => "1 second".to_owned(),
        2..=119 => format!("{seconds} seconds"),
        _ => format!("{} minutes", (seconds + 59) / 60),
    }
}

/// An email address as the subject of tries.
pub(super) fn by_account(app: &App, email_key: &str) -> Subject {
    (Scope::Account, digest(app, email_key.as_bytes()))
}

/// A network address as the subject of tries.
pub(super) fn by_address(app: &App, scope: Scope, network: IpAddr) -> Subject {
    (scope, digest(app, network.to_string().as_bytes()))
}

/// A keyed digest, so that the table of tries names nobody.
pub(super) fn digest(app: &App, of: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &app.key.subkey("tries"));
    let mut digest = [0; 32];
    digest.copy_from_slice(hmac::sign(&key, of).as_ref());
    digest
}
