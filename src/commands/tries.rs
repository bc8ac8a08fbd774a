//! Tries that are counted, as commands see them: take one first, then look at the password.

use std::net::IpAddr;

use ring::hmac;

use crate::app::App;
use crate::error::{Error, Result};
use crate::store::attempts::{self, Scope, Subject};

/// Counts a try, before anything is looked at.
pub(super) async fn take(app: &App, subjects: &[Subject]) -> Result<()> {
    match attempts::take(&app.db, app.clock.now(), subjects).await? {
        None => Ok(()),
        Some(seconds) => Err(Error::Throttled {
            seconds,
            sentence: format!("Too many tries. Wait {} and try again.", in_words(seconds)),
        }),
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
