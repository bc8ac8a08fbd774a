//! Many records at once, for imports: checked whole first, then written in transactions of at most 200 events under one
//! batch id. It can be run again: what is there already, by its external identity, is left alone.

use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::event::{Draft, Payload};
use crate::domain::ids::{BatchId, RecordId};
use crate::domain::verbs::{self, NewNote, NewRecord};
use crate::domain::when::Occurred;
use crate::error::Result;
use crate::store::ledger::{self, Origin};
use crate::store::projection;

use super::door;

/// A record to begin, with what happened to it since.
#[derive(Clone, Debug)]
pub struct BatchItem {
    /// The record.
    pub new: NewRecord,
    /// Its notes.
    pub notes: Vec<NewNote>,
}

/// What came of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BatchReport {
    /// The records that were made, in the order of the items.
    pub created: Vec<RecordId>,
    /// How many items were there already.
    pub present: usize,
    /// How many events were written.
    pub events: usize,
}

/// How many events a transaction holds at most, unless a single record has more.
const CHUNK: usize = 200;

/// Writes a batch. `progress` is told how many items are done.
///
/// # Errors
/// [`crate::error::Error::Refused`] before anything is written, if any item is refused; otherwise as every write.
/// Transactions that were committed before a failure stay, and running the batch again goes on after them.
pub async fn create_records(
    app: &App,
    actor: &Actor,
    batch: BatchId,
    items: Vec<BatchItem>,
    progress: &(dyn Fn(usize) + Send + Sync),
) -> Result<BatchReport> {
    let local = app.clock.now().local(&door::zone(actor));
    let mut drafts = Vec::with_capacity(items.len());
    for item in &items {
        let mut events: Vec<(Occurred, Payload)> = vec![(item.new.occurred, verbs::create(&item.new)?)];
        events.extend(item.notes.iter().map(|note| (note.occurred, verbs::add_note(note))));
        for (occurred, _) in &events {
            occurred.not_after(local)?;
        }
        drafts.push(events);
    }
    let mut report = BatchReport::default();
    let mut done = 0;
    let mut rest = items.iter().zip(drafts).peekable();
    while rest.peek().is_some() {
        let mut chunk = Vec::new();
        let mut events = 0;
        while let Some((_, next)) = rest.peek() {
            if events > 0 && events + next.len() > CHUNK {
                break;
            }
            events += next.len();
            chunk.extend(rest.next());
        }
        done += chunk.len();
        write_chunk(app, actor, batch, chunk, &mut report).await?;
        progress(done);
    }
    Ok(report)
}

async fn write_chunk(
    app: &App,
    actor: &Actor,
    batch: BatchId,
    chunk: Vec<(&BatchItem, Vec<(Occurred, Payload)>)>,
    report: &mut BatchReport,
) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let mut hold = ledger::hold(&mut tx, actor.household).await?;
    door::may_write(&mut tx, actor).await?;
    let origin = Origin { batch: Some(batch), ..door::origin(actor) };
    for (item, drafts) in chunk {
        if let Some(external) = &item.new.external
            && projection::external(&mut tx, actor, external).await?.is_some()
        {
            report.present += 1;
            continue;
        }
        let record = RecordId::new();
        let written = door::record_events(
            &mut tx,
            &mut hold,
            now,
            &origin,
            record,
            None,
            drafts.into_iter().map(Draft::from).collect(),
        )
        .await?;
        report.created.push(record);
        report.events += written.events.len();
    }
    tx.commit().await?;
    Ok(())
}
