//! What is remembered of an earlier answer, and asked again together with the next statement instead of before it: it saves
//! the way to the database and back. Whoever works on such a claim finds out at the latest when the work ends whether it
//! still holds, and then nothing that was made of it may leave the house.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::row::Print;
use super::{Db, DbError, Row, Sql};

/// The column of an answer that counts what was changed: it moves with everything that the claim rests on and that its
/// question does not look at.
pub const TOLD: &str = "told";

/// A question with the answer that it had.
#[derive(Debug)]
pub struct Claim {
    /// What is asked again each time. Its last column is what it [`TOLD`].
    pub question: Sql,
    /// What its answer holds in all columns but [`TOLD`].
    pub answer: Print,
    /// What it [`TOLD`] when the claim held last.
    pub told: Arc<AtomicI64>,
    /// What is asked as well if that has moved.
    pub whole: Sql,
    /// What its answer holds in all columns but [`TOLD`].
    pub whole_answer: Print,
}

/// Everything but what is told.
pub fn lasting(column: &str) -> bool {
    column != TOLD
}

#[derive(Default)]
struct State {
    /// What was not asked again yet.
    open: Option<Claim>,
    is_refuted: bool,
    /// What the latest answer told.
    told: Option<i64>,
}

tokio::task_local! {
    static STATE: RefCell<State>;
}

/// Does work that may rest on a claim. None if the claim did not hold, or nobody knows: then what was done counts for
/// nothing, and has to be done again without.
pub async fn trusting<T>(db: &Db, work: impl Future<Output = T>) -> Option<T> {
    STATE
        .scope(RefCell::default(), async {
            let done = work.await;
            let proved = prove(db).await.is_ok();
            (proved && !STATE.with(|state| state.borrow().is_refuted)).then_some(done)
        })
        .await
}

/// Takes an answer for granted that will be asked for again. False where nobody would wait for that: then it has to be
/// asked for at once.
pub fn claim(claim: Claim) -> bool {
    STATE.try_with(|state| state.borrow_mut().open = Some(claim)).is_ok()
}

/// Whether something is taken for granted that is asked for with the next statements.
pub fn is_open() -> bool {
    STATE.try_with(|state| state.borrow().open.is_some()).unwrap_or(false)
}

/// What the latest answer to a claim [`TOLD`].
pub fn told() -> Option<i64> {
    STATE.try_with(|state| state.borrow().told).ok().flatten()
}

/// Asks what was taken for granted, if it was not asked yet.
pub(super) async fn prove(db: &Db) -> Result<(), DbError> {
    if STATE.try_with(|state| state.borrow().open.is_none()).unwrap_or(true) {
        return Ok(());
    }
    db.one_by_one(Vec::new()).await.map(drop)
}

/// A claim on its way to the database. Unless its answers come back as they were, it is refuted.
pub(super) struct Asked(Option<Claim>);

impl Asked {
    /// The claim that is open, if there is one.
    pub(super) fn take() -> Self {
        Self(STATE.try_with(|state| state.borrow_mut().open.take()).ok().flatten())
    }

    pub(super) fn question(&self) -> Option<&Sql> {
        self.0.as_ref().map(|claim| &claim.question)
    }

    /// Compares the answer, and where that told of a change asks for the whole.
    pub(super) async fn settle(mut self, db: &Db, answer: Option<&Row>) -> Result<(), DbError> {
        let Some(claim) = &self.0 else { return Ok(()) };
        let row = answer.filter(|row| row.print(lasting).is_some_and(|print| print == claim.answer));
        let told = row.ok_or(DbError::Refuted)?.int(TOLD)?;
        if claim.told.load(Ordering::Relaxed) != told {
            let whole = db.ask(vec![claim.whole.clone()]).await?;
            let row = whole.first().and_then(|rows| rows.first()).ok_or(DbError::Refuted)?;
            if row.print(lasting).is_none_or(|print| print != claim.whole_answer) {
                return Err(DbError::Refuted);
            }
            claim.told.store(told, Ordering::Relaxed);
        }
        self.0 = None;
        let _ = STATE.try_with(|state| state.borrow_mut().told = Some(told));
        Ok(())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.0.is_some() {
            let _ = STATE.try_with(|state| state.borrow_mut().is_refuted = true);
        }
    }
}
