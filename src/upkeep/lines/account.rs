//! The lines of accounts.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Line, instant};
use crate::domain::access::Visibility;
use crate::domain::chain::{hex, unhex};
use crate::domain::ids::AccountId;
use crate::domain::instant::Instant;
use crate::store::copying::{Account, SecondFactor};
use crate::store::resets::Untold;

/// An account with its password's digest.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountLine {
    id: Uuid,
    email: String,
    email_key: String,
    password_hash: String,
    zone: String,
    session_epoch: i64,
    created_at: String,
    // What came later is left out where it says nothing: older exports do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_visibility: Option<Visibility>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_reset_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    second_factor_reset_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    second_factor: Option<SecondFactorLine>,
}

/// An account's second factor. The secret stays sealed under the master key, which is in no export; recovery codes are
/// digests that need no key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorLine {
    secret: String,
    last_step: i64,
    turned_on_at: String,
    codes: Vec<RecoveryCodeLine>,
}

/// A recovery code's digest, and when it was used.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryCodeLine {
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
}

impl From<Account> for Line {
    fn from(a: Account) -> Self {
        Self::Account(AccountLine {
            id: a.id.0,
            email: a.email,
            email_key: a.email_key,
            password_hash: a.password_hash,
            zone: a.zone,
            session_epoch: a.session_epoch,
            created_at: a.created_at.to_string(),
            default_visibility: Some(a.default_visibility).filter(|v| *v != Visibility::Household),
            password_reset_at: a.untold.password.map(|at| at.to_string()),
            second_factor_reset_at: a.untold.second_factor.map(|at| at.to_string()),
            second_factor: a.second_factor.map(SecondFactorLine::from),
        })
    }
}

impl From<SecondFactor> for SecondFactorLine {
    fn from(factor: SecondFactor) -> Self {
        let code = |(digest, used_at): ([u8; 32], Option<Instant>)| RecoveryCodeLine {
            digest: hex(&digest),
            used_at: used_at.map(|at| at.to_string()),
        };
        Self {
            secret: hex(&factor.secret),
            last_step: factor.last_step,
            turned_on_at: factor.turned_on_at.to_string(),
            codes: factor.codes.into_iter().map(code).collect(),
        }
    }
}

impl SecondFactorLine {
    fn second_factor(self) -> Result<SecondFactor, String> {
        let code = |code: RecoveryCodeLine| {
            let digest = unhex(&code.digest).ok_or("has a recovery code that is no digest")?;
            Ok((digest, maybe("used_at", code.used_at.as_deref())?))
        };
        Ok(SecondFactor {
            secret: bytes(&self.secret).ok_or("has a secret that is not hexadecimal")?,
            last_step: self.last_step,
            turned_on_at: instant("turned_on_at", &self.turned_on_at)?,
            codes: self.codes.into_iter().map(code).collect::<Result<_, String>>()?,
        })
    }
}

impl AccountLine {
    /// As the database keeps it.
    pub fn account(self) -> Result<Account, String> {
        Ok(Account {
            id: AccountId(self.id),
            email: self.email,
            email_key: self.email_key,
            password_hash: self.password_hash,
            zone: self.zone,
            session_epoch: self.session_epoch,
            created_at: instant("created_at", &self.created_at)?,
            default_visibility: self.default_visibility.unwrap_or(Visibility::Household),
            untold: Untold {
                password: maybe("password_reset_at", self.password_reset_at.as_deref())?,
                second_factor: maybe("second_factor_reset_at", self.second_factor_reset_at.as_deref())?,
            },
            second_factor: self.second_factor.map(SecondFactorLine::second_factor).transpose()?,
        })
    }
}

fn maybe(name: &str, text: Option<&str>) -> Result<Option<Instant>, String> {
    text.map(|text| instant(name, text)).transpose()
}

/// Bytes from their hexadecimal digits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok())
        .collect()
}
