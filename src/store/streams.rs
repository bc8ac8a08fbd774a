//! A stream's events, read for the fold, for verification and for whoever follows the ledger.

use crate::domain::event::{Event, Fact};
use crate::domain::ids::{EventId, HouseholdId, RecordId};
use crate::error::{Error, Result};

use super::db::{On, Tx, sql};
use super::ledger::{COLUMNS, read};

/// A stream's number of events.
///
/// # Errors
/// If the database refuses.
pub async fn version(tx: &mut Tx, household: HouseholdId, stream: RecordId) -> Result<i64> {
    let row = sql("
        select coalesce(max(version), 0) as version from record_events
        where household_id = $1 and record_id = $2")
    .bind(household)
    .bind(stream)
    .one(&mut *tx)
    .await?;
    Ok(row.int("version")?)
}

/// A whole stream, decoded, in order.
///
/// # Errors
/// If an event cannot be read, or the database refuses.
pub async fn facts<'a>(on: impl Into<On<'a>>, household: HouseholdId, stream: RecordId) -> Result<Vec<Fact>> {
    let rows = sql(format!(
        "select {COLUMNS} from record_events
         where household_id = $1 and record_id = $2
         order by version"
    ))
    .bind(household)
    .bind(stream)
    .all(on)
    .await?;
    rows.iter().map(|row| read(row)?.fact().map_err(Error::internal)).collect()
}

/// One event of a stream.
///
/// # Errors
/// [`Error::NotFound`] if the stream has no such event.
pub async fn event<'a>(
    on: impl Into<On<'a>>,
    household: HouseholdId,
    stream: RecordId,
    event: EventId,
) -> Result<Event> {
    let row = sql(format!(
        "select {COLUMNS} from record_events
         where household_id = $1 and event_id = $2 and record_id = $3"
    ))
    .bind(household)
    .bind(event)
    .bind(stream)
    .optional(on)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(read(&row)?)
}

/// At most `limit` events of a household after a position, in order: what a reader follows the ledger with.
///
/// # Errors
/// If the database refuses.
pub async fn after<'a>(on: impl Into<On<'a>>, household: HouseholdId, position: i64, limit: i64) -> Result<Vec<Event>> {
    let rows = sql(format!(
        "select {COLUMNS} from record_events
         where household_id = $1 and position > $2
         order by position
         limit $3"
    ))
    .bind(household)
    .bind(position)
    .bind(limit)
    .all(on)
    .await?;
    rows.iter().map(|row| Ok(read(row)?)).collect()
}

/// The event at a version of a stream.
///
/// # Errors
/// [`Error::NotFound`] if the stream is shorter.
pub async fn at_version<'a>(
    on: impl Into<On<'a>>,
    household: HouseholdId,
    stream: RecordId,
    version: i64,
) -> Result<Event> {
    let row = sql(format!(
        "select {COLUMNS} from record_events
         where household_id = $1 and record_id = $2 and version = $3"
    ))
    .bind(household)
    .bind(stream)
    .bind(version)
    .optional(on)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(read(&row)?)
}

/// The position of the first event after another, whatever its other columns hold.
///
/// # Errors
/// If the database refuses.
pub async fn next_position<'a>(on: impl Into<On<'a>>, household: HouseholdId, after: i64) -> Result<Option<i64>> {
    let row = sql("
        select position from record_events
        where household_id = $1 and position > $2
        order by position
        limit 1")
    .bind(household)
    .bind(after)
    .optional(on)
    .await?;
    Ok(row.map(|row| row.int("position")).transpose()?)
}

/// A record's first event and those of the same batch, in order: what an import said of it.
///
/// # Errors
/// If an event cannot be read, or the database refuses.
pub async fn begun_with<'a>(on: impl Into<On<'a>>, household: HouseholdId, record: RecordId) -> Result<Vec<Event>> {
    let rows = sql(format!(
        "select {COLUMNS} from record_events
         where household_id = $1 and record_id = $2
           and (version = 1 or batch_id = (
               select batch_id from record_events where household_id = $1 and record_id = $2 and version = 1))
         order by version"
    ))
    .bind(household)
    .bind(record)
    .all(on)
    .await?;
    rows.iter().map(|row| Ok(read(row)?)).collect()
}
