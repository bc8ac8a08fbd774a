//! One household's chain, from its first event to its head, and what is wrong at the first place that does not fit.

use std::collections::HashMap;

use crate::domain::chain::{self, Hash};
use crate::domain::event::Event;
use crate::domain::ids::RecordId;
use crate::error::{Error, Result};
use crate::store::db::Tx;
use crate::store::ledger::Head;
use crate::store::streams;

/// How many events are in memory at once.
const PAGE: i64 = 1000;

/// Walks a household's chain. Returns the first thing that is wrong, as a sentence; none if all is well. `seen` is told
/// every event that fits.
pub(super) async fn walk(
    tx: &mut Tx,
    household: &Head,
    seen: &mut (dyn FnMut(&Event) + Send),
) -> Result<Option<String>> {
    let mut walk = Walk { head: chain::genesis(household.id), position: 0, recorded: None, versions: HashMap::new() };
    loop {
        let page = match streams::after(&mut *tx, household.id, walk.position, PAGE).await {
            Ok(page) => page,
            Err(Error::Internal(_)) => match first_unreadable(tx, household, walk.position).await? {
                Some(problem) => return Ok(Some(problem)),
                None => continue,
            },
            Err(other) => return Err(other),
        };
        if page.is_empty() {
            break;
        }
        for event in &page {
            if let Some(problem) = walk.step(tx, household, event).await? {
                return Ok(Some(problem));
            }
            seen(event);
        }
    }
    Ok(walk.end(household))
}

struct Walk {
    head: Hash,
    position: i64,
    recorded: Option<crate::domain::instant::Instant>,
    versions: HashMap<RecordId, i64>,
}

impl Walk {
    async fn step(&mut self, tx: &mut Tx, household: &Head, event: &Event) -> Result<Option<String>> {
        let position = self.position + 1;
        if event.position > household.position {
            return Ok(Some(format!(
                "Event {} was added: the household ends at event {}.",
                event.position, household.position
            )));
        }
        if event.position != position {
            return Ok(Some(match event.position - position {
                1 => format!("Event {position} is missing."),
                _ => format!("Events {position} to {} are missing.", event.position - 1),
            }));
        }
        if chain::link(&self.head, &chain::leaf(event)) != event.hash {
            return self.explain(tx, household, event).await.map(Some);
        }
        let version = self.versions.entry(event.record).or_insert(0);
        if event.version != *version + 1 {
            return Ok(Some(format!(
                "Event {position} has version {} in its stream, where {} comes next.",
                event.version,
                *version + 1
            )));
        }
        *version = event.version;
        if self.recorded.is_some_and(|before| event.recorded < before) {
            return Ok(Some(format!("Event {position} was recorded before the one in front of it.")));
        }
        (self.position, self.head, self.recorded) = (position, event.hash, Some(event.recorded));
        Ok(None)
    }

    fn end(&self, household: &Head) -> Option<String> {
        if self.position < household.position {
            let (from, to) = (self.position + 1, household.position);
            return Some(match to - from {
                0 => format!("Event {from} is missing: the end was cut off."),
                _ => format!("Events {from} to {to} are missing: the end was cut off."),
            });
        }
        (self.head != household.head).then(|| {
            format!("The household\u{2019}s head was changed: it is not the hash of its last event, {}.", self.position)
        })
    }

    /// Why the event does not fit. The events after it tell what was done.
    async fn explain(&self, tx: &mut Tx, household: &Head, event: &Event) -> Result<String> {
        let n = event.position;
        let fits = |event: &Event, position: i64| {
            let moved = Event { position, ..event.clone() };
            chain::link(&self.head, &chain::leaf(&moved)) == event.hash
        };
        let mut after = n;
        let mut next: Option<Event> = None;
        loop {
            // What cannot be read cannot explain anything either.
            let Ok(page) = streams::after(&mut *tx, household.id, after, PAGE).await else { break };
            let Some(last) = page.last() else { break };
            after = last.position;
            for other in &page {
                if fits(other, n) {
                    return Ok(match other.position - n {
                        1 if !self.swapped(event, other) => {
                            format!("Event {n} was added: what was event {n} is now event {}.", other.position)
                        }
                        _ => format!("Events {n} and {} were swapped.", other.position),
                    });
                }
            }
            if next.is_none() {
                next = page.into_iter().next();
            }
        }
        let Some(next) = next else {
            return Ok(format!("Event {n} was altered: its columns do not fit its hash."));
        };
        // Everything after a removed event may have been moved up to close the gap.
        let moved = |event: &Event| chain::leaf(&Event { position: event.position + 1, ..event.clone() });
        if chain::link(&event.hash, &moved(&next)) == next.hash {
            return Ok(format!("Event {n} is missing: those after it were moved up."));
        }
        let computed = chain::link(&self.head, &chain::leaf(event));
        if chain::link(&computed, &chain::leaf(&next)) == next.hash {
            return Ok(format!("Event {n} was altered: its hash was changed, and nothing else of it."));
        }
        Ok(format!("Event {n} was altered: its columns do not fit its hash."))
    }

    /// Whether `event` follows at `other`'s place once `other` is put back in front.
    fn swapped(&self, event: &Event, other: &Event) -> bool {
        let put_back = Event { position: other.position, ..event.clone() };
        chain::link(&other.hash, &chain::leaf(&put_back)) == event.hash
    }
}

/// The first event after a position with a column that cannot be read at all.
async fn first_unreadable(tx: &mut Tx, household: &Head, mut after: i64) -> Result<Option<String>> {
    loop {
        match streams::after(&mut *tx, household.id, after, 1).await {
            Ok(page) => match page.last() {
                Some(event) => after = event.position,
                None => return Ok(None),
            },
            Err(Error::Internal(problem)) => {
                let next = streams::next_position(&mut *tx, household.id, after).await?.unwrap_or(after + 1);
                return Ok(Some(format!("Event {next} was altered: {problem}.")));
            }
            Err(other) => return Err(other),
        }
    }
}
