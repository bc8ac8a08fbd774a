//! Counting and taping statements.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Sql;

/// Counts what a database is asked, for those who watch that a page asks little and an append costs the same in a long
/// stream as in a short one. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    statements: AtomicU64,
    rows: AtomicU64,
    trips: AtomicU64,
    taping: AtomicBool,
    tape: Mutex<Option<Vec<Sql>>>,
}

impl Meter {
    /// How many statements were run so far.
    pub fn statements(&self) -> u64 {
        self.0.statements.load(Ordering::Relaxed)
    }

    /// How many rows were returned so far.
    pub fn rows(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }

    /// How often it was gone to, outside of transactions, to read: several statements may go together.
    pub fn trips(&self) -> u64 {
        self.0.trips.load(Ordering::Relaxed)
    }

    pub(super) fn trip(&self) {
        self.0.trips.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins to keep every statement with its values, or stops and hands over what was kept.
    pub fn record(&self, on: bool) -> Vec<Sql> {
        let mut tape = self.0.tape.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.taping.store(on, Ordering::Relaxed);
        std::mem::replace(&mut *tape, on.then(Vec::new)).unwrap_or_default()
    }

    pub(super) fn count(&self, statement: &Sql, rows: usize) {
        self.0.statements.fetch_add(1, Ordering::Relaxed);
        self.0.rows.fetch_add(rows as u64, Ordering::Relaxed);
        if !self.0.taping.load(Ordering::Relaxed) {
            return;
        }
        let mut tape = self.0.tape.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tape) = tape.as_mut() {
            tape.push(statement.clone());
        }
    }
}
