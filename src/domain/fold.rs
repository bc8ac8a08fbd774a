//! The fold of a whole stream: [`Record::apply`], step by step, and what a retraction takes away.

use super::event::{Fact, Payload};
use super::ids::EventId;
use super::record::{FieldChange, Record, TITLE, tag_change, visibility_change};
use super::when::Occurred;

/// Which facts of a stream still hold: a retraction that holds drops what it names, retractions included, so that the
/// latest word wins.
pub fn holding(facts: &[Fact]) -> Vec<bool> {
    let mut holds = vec![true; facts.len()];
    for at in (0..facts.len()).rev() {
        let Payload::EventRetracted(retraction) = &facts[at].payload else { continue };
        if !holds[at] {
            continue;
        }
        if let Some(target) = facts[..at].iter().position(|fact| fact.event == retraction.event_id) {
            holds[target] = false;
        }
    }
    holds
}

/// The state after a retraction, and what it changed: the stream without what is dropped, folded again and compared
/// with the state before. `facts` is the stream up to and including the retraction.
pub fn fold_again(before: &Record, facts: &[Fact]) -> Option<(Record, Vec<FieldChange>)> {
    let retraction = facts.last()?;
    let holds = holding(facts);
    let mut live = facts.iter().zip(&holds).filter(|(_, holds)| **holds).map(|(fact, _)| fact);
    let (mut after, _) = Record::begin(live.next()?)?;
    for fact in live {
        after.apply(fact);
    }
    after.version = retraction.version;
    let mut changes = Vec::new();
    for held in &mut after.held {
        let known = before.held(&held.key);
        if known.is_some_and(|known| known.value == held.value) {
            // Nobody's form is stale because of a value that stayed.
            if let Some(known) = known {
                held.touched = known.touched;
                held.touched_at = known.touched_at;
                held.touched_by = known.touched_by;
            }
            continue;
        }
        held.touched = retraction.version;
        held.touched_at = retraction.recorded.micros();
        held.touched_by = retraction.actor;
        changes.push(FieldChange {
            key: held.key.clone(),
            label: held.label.clone(),
            old: known.and_then(|known| known.value.clone()),
            new: held.value.clone(),
            effective: Some(held.effective),
            in_force: true,
        });
    }
    for gone in before.held.iter().filter(|held| after.held(&held.key).is_none() && held.value.is_some()) {
        changes.push(FieldChange {
            key: gone.key.clone(),
            label: gone.label.clone(),
            old: gone.value.clone(),
            new: None,
            effective: None,
            in_force: true,
        });
    }
    for tag in before.tags.iter().filter(|tag| !after.tags.iter().any(|t| t.folded() == tag.folded())) {
        changes.push(tag_change(tag, true));
    }
    for tag in after.tags.iter().filter(|tag| !before.tags.iter().any(|t| t.folded() == tag.folded())) {
        changes.push(tag_change(tag, false));
    }
    changes.extend(visibility_change(before.visibility, after.visibility));
    Some((after, changes))
}

/// The state after a whole stream, retractions included; none if it does not begin a record.
pub fn fold(facts: &[Fact]) -> Option<Record> {
    let mut record = Record::begin(facts.first()?)?.0;
    for at in 1..facts.len() {
        if matches!(facts[at].payload, Payload::EventRetracted(_)) {
            record = fold_again(&record, &facts[..=at])?.0;
        } else {
            record.apply(&facts[at]);
        }
    }
    Some(record)
}

/// The record as it was on a day, as far as is known today: what holds of the stream, without what took effect after
/// the end of `until`. What was told about the time before the record began counts too; none if there is nothing.
pub fn as_it_was(facts: &[Fact], until: Occurred) -> Option<Record> {
    let end = until.until_key();
    let holds = holding(facts);
    let live: Vec<&Fact> = facts.iter().zip(&holds).filter(|(_, holds)| **holds).map(|(fact, _)| fact).collect();
    let mut seen = live.iter().filter(|fact| corrects(fact).is_some() || fact.occurred.from_key() <= end);
    let begin = live.first()?;
    let (mut record, _) = Record::begin(begin)?;
    if begin.occurred.from_key() > end {
        // It had not begun, but something may be known of that time. What it is called stays.
        record.held.retain(|held| held.key == TITLE);
        record.tags.clear();
    } else {
        seen.next();
    }
    let mut known = begin.occurred.from_key() <= end;
    for fact in seen {
        known |= corrects(fact).is_none();
        record.apply(fact);
    }
    known.then_some(record)
}

fn corrects(fact: &Fact) -> Option<EventId> {
    match &fact.payload {
        Payload::RecordUpdated(updated) => updated.corrects,
        _ => None,
    }
}

/// What has become of an event since: undone by the retraction, or reworded by the correction, at these positions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// The latest retraction that holds and names it.
    pub retracted_by: Option<i64>,
    /// The latest correction that holds and names it.
    pub corrected_by: Option<i64>,
}

/// Which events of a stream tell of something that happened and still holds, given their marks: a record's beginning, a
/// change of its facts, a note in its latest wording, a file. What was undone is none, nor is what only says who sees the record
/// or whether it is put away.
pub fn happenings(facts: &[Fact], marks: &[Marks]) -> Vec<bool> {
    let stands = |at: usize| marks.get(at).is_some_and(|marks| marks.retracted_by.is_none());
    let is_happening = |(at, fact): (usize, &Fact)| match &fact.payload {
        Payload::RecordCreated(_) | Payload::RecordUpdated(_) => stands(at),
        // The file of a note comes with it.
        Payload::AttachmentAdded(added) => added.note.is_none() && stands(at),
        Payload::NoteAdded(_) => marks.get(at) == Some(&Marks::default()),
        Payload::NoteCorrected(correction) => {
            let note = facts.iter().position(|fact| fact.event == correction.note);
            stands(at)
                && note.is_some_and(|note| {
                    stands(note) && marks.get(note).is_some_and(|marks| marks.corrected_by == Some(fact.position))
                })
        }
        _ => false,
    };
    facts.iter().enumerate().map(is_happening).collect()
}

/// The marks of every event of a stream, in its order.
pub fn marks(facts: &[Fact]) -> Vec<Marks> {
    let holds = holding(facts);
    let mut marks = vec![Marks::default(); facts.len()];
    for (at, fact) in facts.iter().enumerate().filter(|(at, _)| holds[*at]) {
        let (target, retracts) = match &fact.payload {
            Payload::EventRetracted(retraction) => (retraction.event_id, true),
            Payload::NoteCorrected(correction) => (correction.note, false),
            _ => continue,
        };
        if let Some(target) = facts[..at].iter().position(|fact| fact.event == target) {
            let mark = &mut marks[target];
            *(if retracts { &mut mark.retracted_by } else { &mut mark.corrected_by }) = Some(fact.position);
        }
    }
    marks
}
