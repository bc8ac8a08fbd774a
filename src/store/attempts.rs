//! Tries that are counted: signing in, by account, by address, and by known device. A try is taken before the password
//! is looked at, in one statement, so that a hundred at once are a hundred tries. What is stored names nobody: subjects
//! come in as digests.

use super::db::{Db, DbError, Tx, sql};
use crate::domain::instant::Instant;

/// What tries are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// An email address, whether or not it has an account.
    Account,
    /// A network address.
    Address,
    /// A network address that makes households.
    Register,
    /// A network address that opens invitations.
    Invitation,
    /// A device that an account was signed in with before, for that account.
    Device,
    /// An account whose password was right and whose code is asked for.
    Code,
}

impl Scope {
    /// The word that is stored and logged.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Address => "address",
            Self::Register => "register",
            Self::Invitation => "invitation",
            Self::Device => "device",
            Self::Code => "code",
        }
    }

    /// Failures that cost nothing: people mistype, and a household shares an address.
    fn free(self) -> i64 {
        match self {
            Self::Account | Self::Register | Self::Device | Self::Code => 5,
            Self::Address | Self::Invitation => 20,
        }
    }

    /// The longest wait, in seconds.
    fn longest(self) -> i64 {
        match self {
            Self::Account | Self::Device | Self::Code => 15 * 60,
            Self::Address | Self::Register | Self::Invitation => 60 * 60,
        }
    }

    /// How long to wait after so many failures, in seconds: nothing at first, then 10, 20, 40 …
    pub fn wait(self, failures: i64) -> i64 {
        match failures - self.free() {
            ..0 => 0,
            over => (10_i64 << over.min(20)).min(self.longest()),
        }
    }
}

/// After a day without a try, all is forgotten.
const FORGOTTEN_AFTER: i64 = 24 * 60 * 60;

/// What is counted: the scope and the digest of whom.
pub type Subject = (Scope, [u8; 32]);

/// Takes a try for every subject, or none at all and says for whose sake to wait, and how many seconds.
pub async fn take(db: &Db, now: Instant, subjects: &[Subject]) -> Result<Option<(Scope, i64)>, DbError> {
    let mut tx = db.begin().await?;
    for subject in subjects {
        if let Some(wait) = take_one(&mut tx, now, *subject).await? {
            tx.rollback().await?;
            return Ok(Some((subject.0, wait)));
        }
    }
    tx.commit().await?;
    Ok(None)
}

/// From when on another try is looked at. Without a wait that is some time ago: of tries at once, the one that comes
/// first may have looked at the clock last.
fn free_at(now: Instant, wait: i64) -> Instant {
    now.plus_seconds(if wait == 0 { -60 } else { wait })
}

async fn take_one(tx: &mut Tx, now: Instant, (scope, subject): Subject) -> Result<Option<i64>, DbError> {
    let taken = sql("insert into sign_in_attempt (scope, subject, failures, last_at, next_at)
         values ($1, $2, 1, $3, $3)
         on conflict (scope, subject) do update
            set failures = case when sign_in_attempt.last_at < $4 then 1 else sign_in_attempt.failures + 1 end,
                last_at = $3
          where sign_in_attempt.next_at <= $3
         returning failures")
    .bind(scope.as_str())
    .bind(subject)
    .bind(now)
    .bind(now.plus_seconds(-FORGOTTEN_AFTER))
    .optional(&mut *tx)
    .await?;
    let Some(taken) = taken else {
        let row = sql("select next_at from sign_in_attempt where scope = $1 and subject = $2")
            .bind(scope.as_str())
            .bind(subject)
            .one(&mut *tx)
            .await?;
        let micros = row.instant("next_at")?.micros() - now.micros();
        return Ok(Some((micros / 1_000_000 + 1).max(1)));
    };
    sql("update sign_in_attempt set next_at = $1 where scope = $2 and subject = $3")
        .bind(free_at(now, scope.wait(taken.int("failures")?)))
        .bind(scope.as_str())
        .bind(subject)
        .run(&mut *tx)
        .await?;
    Ok(None)
}

/// It went well: the account starts afresh, the address gets this one try back.
pub async fn give_back(db: &Db, now: Instant, subjects: &[Subject]) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    for (scope, subject) in subjects {
        let (text, at) = match scope {
            Scope::Account | Scope::Device | Scope::Code => {
                ("delete from sign_in_attempt where scope = $1 and subject = $2 and last_at <= $3", now)
            }
            Scope::Address | Scope::Register | Scope::Invitation => (
                "update sign_in_attempt set failures = failures - 1, next_at = $3
                  where scope = $1 and subject = $2 and failures > 0",
                free_at(now, 0),
            ),
        };
        sql(text).bind(scope.as_str()).bind(*subject).bind(at).run(&mut tx).await?;
    }
    tx.commit().await
}

/// Forgets what was counted for a subject: a new password starts afresh.
pub async fn forget(tx: &mut Tx, (scope, subject): Subject) -> Result<(), DbError> {
    sql("delete from sign_in_attempt where scope = $1 and subject = $2")
        .bind(scope.as_str())
        .bind(subject)
        .run(tx)
        .await?;
    Ok(())
}

/// Removes what is forgotten anyway.
pub async fn sweep(db: &Db, now: Instant) -> Result<(), DbError> {
    sql("delete from sign_in_attempt where last_at < $1").bind(now.plus_seconds(-FORGOTTEN_AFTER)).run(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end_somewhere() {
        assert_eq!(Scope::Account.wait(4), 0);
        assert_eq!([5, 6, 7, 8].map(|n| Scope::Account.wait(n)), [10, 20, 40, 80]);
        assert_eq!(Scope::Account.wait(1_000_000), 900);
        assert_eq!(Scope::Address.wait(19), 0);
        assert_eq!(Scope::Address.wait(20), 10);
        assert_eq!(Scope::Address.wait(i64::MAX), 3600);
    }
}
