//! Turns: things of one key are done one after the other, things of different keys side by side.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Gate, OwnedMutexGuard};

type Key = [u8; 32];

/// Who waits for whom. Cheap to clone.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<Key, Arc<Gate<()>>>>>);

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turns({} keys)", self.0.lock().unwrap_or_else(PoisonError::into_inner).len())
    }
}

impl Turns {
    /// Waits until nobody else of this key is at it.
    pub async fn wait(&self, key: Key) -> Turn {
        let gate = {
            let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry(key).or_default())
        };
        // Made before the waiting, so that a key is tidied away also when whoever waits gives up.
        let mut turn = Turn { turns: self.clone(), key, held: None };
        turn.held = Some(gate.lock_owned().await);
        turn
    }
}

/// A turn; the next one begins when it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    key: Key,
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut gates = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.get(&self.key).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            gates.remove(&self.key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_key_waits_another_does_not_and_nothing_stays_behind() {
        let turns = Turns::default();
        let first = turns.wait([1; 32]).await;
        drop(turns.wait([2; 32]).await);
        let second = tokio::spawn({
            let turns = turns.clone();
            async move { drop(turns.wait([1; 32]).await) }
        });
        let impatient = tokio::spawn({
            let turns = turns.clone();
            async move { drop(turns.wait([1; 32]).await) }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        impatient.abort();
        let _ = impatient.await;
        drop(first);
        second.await.unwrap();
        assert_eq!(format!("{turns:?}"), "Turns(0 keys)");
    }
}
