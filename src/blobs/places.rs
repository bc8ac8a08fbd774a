//! How many uploads may run at once, and how many of one household: memory is bounded, and nobody shuts the others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::ids::HouseholdId;
use crate::error::{Error, Result};

/// How long an upload waits for a place.
const WAITING: Duration = Duration::from_secs(20);

/// The places at the store.
#[derive(Clone, Debug)]
pub struct Places {
    all: Arc<Semaphore>,
    of_one: usize,
    households: Arc<Mutex<HashMap<HouseholdId, Arc<Semaphore>>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _one: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Places {
    /// So many places; one household may have half of them.
    pub fn new(all: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_one: (all / 2).max(1), households: Arc::default() }
    }

    /// A place, once there is one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with a sentence after a while.
    pub async fn take(&self, household: HouseholdId) -> Result<Place> {
        let waited = tokio::time::timeout(WAITING, async {
            let one = self.of(household).acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Place { _one: one, _all: all })
        });
        waited.await.ok().flatten().ok_or_else(|| {
            Error::Unavailable(
                "Too many files arrive at once. Nothing was saved. Send them again in a minute.".to_owned(),
            )
        })
    }

    fn of(&self, household: HouseholdId) -> Arc<Semaphore> {
        let mut households = self.households.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever uploads nothing just now is forgotten.
        households.retain(|_, places| Arc::strong_count(places) > 1);
        Arc::clone(households.entry(household).or_insert_with(|| Arc::new(Semaphore::new(self.of_one))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_household_leaves_room_for_another() {
        let places = Places::new(4);
        let [one, other] = [HouseholdId(Uuid::from_u128(1)), HouseholdId(Uuid::from_u128(2))];
        let mut held = [places.take(one).await.unwrap(), places.take(one).await.unwrap()].into_iter();
        assert!(matches!(places.take(one).await, Err(Error::Unavailable(said)) if said.contains("at once")));
        let theirs = [places.take(other).await.unwrap(), places.take(other).await.unwrap()];
        drop(held.next());
        assert!(places.take(one).await.is_ok());
        drop(theirs);
    }
}
