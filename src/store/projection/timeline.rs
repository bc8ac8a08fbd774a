//! The rows of the story and the timeline: every event with what became of it, whose timeline shows it, and how much
//! happened in each month.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::event::{Event, Fact, Payload};
use crate::domain::fold::Marks;
use crate::domain::ids::{EventId, HouseholdId, RecordId};
use crate::domain::record::FieldChange;
use crate::domain::when::{Occurred, Precision};
use crate::error::Result;
use crate::store::changes;
use crate::store::db::{Sql, Tx, sql};

use super::View;
use super::labels::kept_in;

/// How many happenings by year; of unknown month first, then January to December.
#[derive(Debug, Default)]
struct Years(BTreeMap<i64, [i64; 13]>);

impl Years {
    fn one(occurred: Occurred, change: i64) -> Self {
        let mut years = Self::default();
        years.add(i64::from(occurred.year()), i64::from(occurred.month().unwrap_or(0)), change);
        years
    }

    fn add(&mut self, year: i64, month: i64, change: i64) {
        let months = self.0.entry(year).or_default();
        if let Some(count) = usize::try_from(month).ok().and_then(|month| months.get_mut(month)) {
            *count += change;
        }
    }

    fn less(self) -> Self {
        Self(self.0.into_iter().map(|(year, months)| (year, months.map(|count| -count))).collect())
    }
}

/// In whose timeline a record's happenings stand: the household's, one member's, or nobody's. Those of a deleted record are
/// kept apart, and a timeline shows them only if it is asked for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    scope: Option<Uuid>,
    deleted_scope: Option<Uuid>,
}

impl Standing {
    /// Where a record stands.
    pub(super) fn of(household: HouseholdId, view: &View) -> Self {
        let kept_in = kept_in(household, view);
        match view.state.deleted {
            None => Self { scope: kept_in, deleted_scope: None },
            Some(_) => Self { scope: None, deleted_scope: kept_in },
        }
    }

    /// The same for an entry that is one of a happening, or is not.
    fn if_so(self, happening: bool) -> Self {
        if happening { self } else { Self::default() }
    }
}

/// Writes an event's own entry, and takes those out of the timeline whose words it replaces. `standing` is the record's.
/// True if the event is a happening.
pub(super) async fn enter(
    tx: &mut Tx,
    event: &Event,
    fact: &Fact,
    changes: &[FieldChange],
    standing: Standing,
) -> Result<bool> {
    let happening = match &fact.payload {
        Payload::RecordCreated(_) | Payload::RecordUpdated(_) | Payload::NoteAdded(_) => true,
        Payload::AttachmentAdded(added) => added.note.is_none(),
        Payload::NoteCorrected(correction) => replace(tx, event, correction.note, standing.scope).await?,
        _ => false,
    };
    let Standing { scope, deleted_scope } = standing.if_so(happening);
    sql("
        insert into timeline_entry
            (household_id, record_id, version, position, event_id, kind, occurred_from, occurred_precision,
             recorded_at, happening, scope, deleted_scope, changes)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
    .bind(event.household)
    .bind(event.record)
    .bind(event.version)
    .bind(event.position)
    .bind(event.event)
    .bind(&event.kind)
    .bind(event.occurred.from_key())
    .bind(event.occurred.precision().rank())
    .bind(event.recorded)
    .bind(happening)
    .bind(scope)
    .bind(deleted_scope)
    .bind(changes::write(changes)?)
    .later(&mut *tx)
    .await?;
    count(tx, event.household, scope, Years::one(event.occurred, 1)).await?;
    Ok(happening)
}

/// A correction takes the place of the note and of any correction before it; false if the note itself is undone.
async fn replace(tx: &mut Tx, event: &Event, note: EventId, scope: Option<Uuid>) -> Result<bool> {
    let found = sql("
        select t.version, t.position, t.retracted_by, t.corrected_by
        from record_events as e
        join timeline_entry as t
            on t.household_id = e.household_id and t.record_id = e.record_id and t.version = e.version
        where e.household_id = $1 and e.event_id = $3 and e.record_id = $2")
    .bind(event.household)
    .bind(event.record)
    .bind(note)
    .optional(&mut *tx)
    .await?;
    let Some(found) = found else { return Ok(false) };
    // The earlier correction's version is that of the event at its position.
    let replaced = sql("
        update timeline_entry set happening = false, scope = null, deleted_scope = null
        where household_id = $1 and record_id = $2 and happening
          and version in ($3, (select version from record_events where household_id = $1 and position = $4))
        returning occurred_from, occurred_precision")
    .bind(event.household)
    .bind(event.record)
    .bind(found.int("version")?)
    .bind(found.opt_int("corrected_by")?)
    .all(&mut *tx)
    .await?;
    let mut years = Years::default();
    for row in &replaced {
        let (year, month) = year_and_month(&row.text("occurred_from")?, row.int("occurred_precision")?);
        years.add(year, month, -1);
    }
    count(tx, event.household, scope, years).await?;
    sql("update timeline_entry set corrected_by = $4 where household_id = $1 and record_id = $2 and version = $3")
        .bind(event.household)
        .bind(event.record)
        .bind(found.int("version")?)
        .bind(event.position)
        .later(&mut *tx)
        .await?;
    Ok(found.opt_int("retracted_by")?.is_none())
}

/// What a retraction made of an earlier event: its marks, and whether it is a happening still. `standing` is the record's
/// before the retraction.
pub(super) async fn mark(
    tx: &mut Tx,
    event: &Event,
    marked: &Fact,
    marks: Marks,
    (before, after): (bool, bool),
    standing: Standing,
) -> Result<()> {
    let shown = standing.if_so(after);
    sql("
        update timeline_entry
        set retracted_by = $4, corrected_by = $5, happening = $6, scope = $7, deleted_scope = $8
        where household_id = $1 and record_id = $2 and version = $3")
    .bind(event.household)
    .bind(event.record)
    .bind(marked.version)
    .bind(marks.retracted_by)
    .bind(marks.corrected_by)
    .bind(after)
    .bind(shown.scope)
    .bind(shown.deleted_scope)
    .later(&mut *tx)
    .await?;
    let change = i64::from(after) - i64::from(before);
    if change == 0 {
        return Ok(());
    }
    count(tx, event.household, standing.scope, Years::one(marked.occurred, change)).await
}

/// Moves a record's happenings to another timeline: it was shared, kept private, put away or brought back.
pub(super) async fn move_to(
    tx: &mut Tx,
    household: HouseholdId,
    record: RecordId,
    (before, after): (Standing, Standing),
) -> Result<()> {
    if before == after {
        return Ok(());
    }
    for (scope, gains) in [(before.scope, false), (after.scope, true)].into_iter().filter(|(scope, _)| scope.is_some())
    {
        let years = happened(tx, household, record).await?;
        count(tx, household, scope, if gains { years } else { years.less() }).await?;
    }
    sql("
        update timeline_entry set scope = $3, deleted_scope = $4
        where household_id = $1 and record_id = $2 and happening")
    .bind(household)
    .bind(record)
    .bind(after.scope)
    .bind(after.deleted_scope)
    .later(&mut *tx)
    .await?;
    Ok(())
}

async fn happened(tx: &mut Tx, household: HouseholdId, record: RecordId) -> Result<Years> {
    let rows = sql("
        select substr(occurred_from, 1, 7) as month, occurred_precision, count(*) as happenings
        from timeline_entry
        where household_id = $1 and record_id = $2 and happening
        group by 1, 2")
    .bind(household)
    .bind(record)
    .all(&mut *tx)
    .await?;
    let mut years = Years::default();
    for row in &rows {
        let (year, month) = year_and_month(&row.text("month")?, row.int("occurred_precision")?);
        years.add(year, month, row.int("happenings")?);
    }
    Ok(years)
}

fn year_and_month(from: &str, precision: i64) -> (i64, i64) {
    let number = |range| from.get(range).and_then(|digits: &str| digits.parse().ok()).unwrap_or(0);
    (number(0..4), if precision == Precision::Year.rank() { 0 } else { number(5..7) })
}

async fn count(tx: &mut Tx, household: HouseholdId, scope: Option<Uuid>, years: Years) -> Result<()> {
    let Some(scope) = scope else { return Ok(()) };
    for (year, months) in years.0 {
        if months.iter().all(|change| *change == 0) {
            continue;
        }
        let statement = |text: &'static str| -> Sql { sql(text).bind(household).bind(scope).bind(year) };
        statement(
            "
            insert into timeline_year
                (household_id, scope, year, m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
            on conflict (household_id, scope, year) do update set
                m0 = timeline_year.m0 + excluded.m0, m1 = timeline_year.m1 + excluded.m1,
                m2 = timeline_year.m2 + excluded.m2, m3 = timeline_year.m3 + excluded.m3,
                m4 = timeline_year.m4 + excluded.m4, m5 = timeline_year.m5 + excluded.m5,
                m6 = timeline_year.m6 + excluded.m6, m7 = timeline_year.m7 + excluded.m7,
                m8 = timeline_year.m8 + excluded.m8, m9 = timeline_year.m9 + excluded.m9,
                m10 = timeline_year.m10 + excluded.m10, m11 = timeline_year.m11 + excluded.m11,
                m12 = timeline_year.m12 + excluded.m12",
        )
        .bind_all(months)
        .later(&mut *tx)
        .await?;
        if months.iter().any(|change| *change < 0) {
            statement(
                "
                delete from timeline_year
                where household_id = $1 and scope = $2 and year = $3 and m0 = 0 and m1 = 0 and m2 = 0 and m3 = 0
                  and m4 = 0 and m5 = 0 and m6 = 0 and m7 = 0 and m8 = 0 and m9 = 0 and m10 = 0 and m11 = 0 and m12 = 0",
            )
            .later(&mut *tx)
            .await?;
        }
    }
    Ok(())
}
