//! The read model: each event's effect on the projections, by one function for appends, restores and rebuilds.
//!
//! Projection = fold of the events, always: [`Projector::apply`] is called in the transaction that writes the event, and
//! a rebuild calls it for every event in order.

use std::collections::{BTreeMap, HashMap};

use crate::domain::access::Actor;
use crate::domain::analysis::{self, Language};
use crate::domain::event::{Event, Fact, Payload};
use crate::domain::fold::{fold_again, happenings, marks};
use crate::domain::ids::{HouseholdId, RecordId};
use crate::domain::instant::Instant;
use crate::domain::record::{self, FieldChange, Record};
use crate::domain::summary::Summary;
use crate::error::{Error, Result};

use super::db::{Db, Row, Tx, sql};
use super::streams;

mod attachments;
pub mod labels;
mod rows;
mod search;
mod timeline;

pub use search::{Order, put_in_order};

use rows::{write_changes, write_view};
use timeline::Standing;

/// The name under which the projections' version is kept.
pub const NAME: &str = "records";

/// Every projection table, children first: what a rebuild empties and `verify` compares.
pub const TABLES: &[&str] = &[
    "timeline_year",
    "timeline_entry",
    "label_count",
    "record_change",
    "record_label",
    "external_ref",
    "attachment",
    "search_note",
    "search_record",
    "record_view",
    "member_name",
];

/// A record's row in `record_view`.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    /// The record.
    pub record: RecordId,
    /// Its state.
    pub state: Record,
    /// The position of its latest event.
    pub position: i64,
    /// That event in words.
    pub summary: Summary,
    /// When it was entered.
    pub created_at: Instant,
    /// When its latest event was entered.
    pub changed_at: Instant,
    /// Whether it has files.
    pub has_files: bool,
    /// When something happened in it last, as lists are ordered by it.
    pub happened: String,
}

impl View {
    /// The columns that [`View::read`] takes.
    pub const COLUMNS: &str = "id, state, position, summary, created_at, changed_at, has_files, happened";

    /// A view from its row.
    ///
    /// # Errors
    /// If the row was written by another fold.
    pub fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            record: RecordId(row.uuid("id")?),
            state: row.json("state")?,
            position: row.int("position")?,
            summary: row.json("summary")?,
            created_at: row.instant("created_at")?,
            changed_at: row.instant("changed_at")?,
            has_files: row.bool("has_files")?,
            happened: row.text("happened")?,
        })
    }
}

/// Brings the projections up to date, event by event.
#[derive(Debug, Default)]
pub struct Projector {
    views: HashMap<RecordId, View>,
    /// What the search looks in, of records whose entry is not written yet.
    entries: HashMap<(HouseholdId, RecordId), search::Entry>,
}

impl Projector {
    /// A projector that knows a record's view already, so that it is not read again.
    pub fn knowing(view: Option<View>) -> Self {
        Self { views: view.into_iter().map(|view| (view.record, view)).collect(), ..Self::default() }
    }

    /// Writes the effect of the last events of a transaction, or of a page of many, on the projections, and says what each
    /// changed.
    ///
    /// # Errors
    /// If an event cannot be read, or the stream does not begin with a record.
    pub async fn project(&mut self, tx: &mut Tx, events: &[Event]) -> Result<Vec<Vec<FieldChange>>> {
        let mut changes = Vec::with_capacity(events.len());
        for event in events {
            changes.push(self.apply(tx, event).await?);
        }
        self.finish(tx).await?;
        Ok(changes)
    }

    /// Writes what the search looks in, of every record that events were applied to since.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn finish(&mut self, tx: &mut Tx) -> Result<()> {
        // In the order of their latest events: the order in which SQLite's index holds them is that of activity.
        let mut entries: Vec<_> = std::mem::take(&mut self.entries).into_iter().collect();
        entries.sort_by_key(|((_, record), _)| self.views.get(record).map(|view| view.position));
        for ((household, record), entry) in entries {
            if let Some(view) = self.views.get(&record) {
                search::write(tx, household, view, labels::kept_in(household, view), &entry).await?;
            }
        }
        Ok(())
    }

    /// Writes one event's effect on the projections and says what it changed. Events of the household's own stream have
    /// none here. [`Self::finish`] writes the rest.
    ///
    /// # Errors
    /// If the event cannot be read, or the stream does not begin with a record.
    pub async fn apply(&mut self, tx: &mut Tx, event: &Event) -> Result<Vec<FieldChange>> {
        if event.record == RecordId::household_stream(event.household) {
            return Ok(Vec::new());
        }
        let fact = event.fact().map_err(Error::internal)?;
        let before = self.view(tx, event, &fact).await?;
        let (state, changes, stream) = self.step(tx, event, &fact, before.as_ref()).await?;
        let summary = Summary::after(before.as_ref().map(|view| &view.summary), &fact.payload, fact.occurred, &changes);
        let mut view = View {
            record: event.record,
            state,
            position: event.position,
            summary,
            created_at: before.as_ref().map_or(event.recorded, |view| view.created_at),
            changed_at: event.recorded,
            has_files: false,
            happened: String::new(),
        };
        let standing = Standing::of(event.household, &view);
        if let Some(before) = &before {
            let moved = (Standing::of(event.household, before), standing);
            timeline::move_to(tx, event.household, event.record, moved).await?;
        }
        let happening = timeline::enter(tx, event, &fact, &changes, standing).await?;
        attachments::apply(tx, event, &fact).await?;
        view.has_files = labels::has_files(tx, event, &fact, before.as_ref()).await?;
        let again = stream.is_some() || matches!(fact.payload, Payload::NoteCorrected(_));
        view.happened = labels::happened(tx, event, before.as_ref(), happening, again).await?;
        write_view(tx, event.household, &view, event.actor, before.is_none()).await?;
        write_changes(tx, event, &changes).await?;
        labels::write(tx, event, before.as_ref(), &view).await?;
        let key = (event.household, event.record);
        let entry = search::take_in(tx, self.entries.remove(&key), event, &fact, &view, stream.as_deref()).await?;
        self.entries.insert(key, entry);
        self.views.insert(event.record, view);
        Ok(changes)
    }

    async fn view(&self, tx: &mut Tx, event: &Event, fact: &Fact) -> Result<Option<View>> {
        if matches!(fact.payload, Payload::RecordCreated(_)) {
            return Ok(None);
        }
        match self.views.get(&event.record) {
            Some(view) => Ok(Some(view.clone())),
            None => load(tx, event.household, event.record).await,
        }
    }

    async fn step(
        &self,
        tx: &mut Tx,
        event: &Event,
        fact: &Fact,
        before: Option<&View>,
    ) -> Result<(Record, Vec<FieldChange>, Option<Vec<Fact>>)> {
        let no_record = || Error::internal(format!("the stream of event {} begins with no record", event.position));
        let Some(view) = before else {
            let (state, changes) = Record::begin(fact).ok_or_else(no_record)?;
            return Ok((state, changes, None));
        };
        if !matches!(fact.payload, Payload::EventRetracted(_)) {
            let mut state = view.state.clone();
            let changes = state.apply(fact);
            return Ok((state, changes, None));
        }
        let mut facts = streams::facts(&mut *tx, event.household, event.record).await?;
        facts.retain(|known| known.version <= fact.version);
        let earlier = facts.get(..facts.len() - 1).unwrap_or_default();
        let marked = (marks(earlier), marks(&facts));
        let happened = (happenings(earlier, &marked.0), happenings(&facts, &marked.1));
        attachments::fold_again(tx, event, earlier, &facts).await?;
        // The retraction's own entry is written after this, and bears no mark yet.
        for (at, known) in earlier.iter().enumerate() {
            let old = (marked.0.get(at).copied().unwrap_or_default(), happened.0.get(at) == Some(&true));
            let new = (marked.1.get(at).copied().unwrap_or_default(), happened.1.get(at) == Some(&true));
            if old != new {
                let standing = Standing::of(event.household, view);
                timeline::mark(tx, event, known, new.0, (old.1, new.1), standing).await?;
            }
        }
        let (state, changes) = fold_again(&view.state, &facts).ok_or_else(no_record)?;
        Ok((state, changes, Some(facts)))
    }
}

/// A record's view as it stands, whoever asks: for the write path, after its own check.
pub(super) async fn load(tx: &mut Tx, household: HouseholdId, record: RecordId) -> Result<Option<View>> {
    sql(format!("select {} from record_view where household_id = $1 and id = $2", View::COLUMNS))
        .bind(household)
        .bind(record)
        .optional(&mut *tx)
        .await?
        .map(|row| View::read(&row))
        .transpose()
}

/// Empties a household's projections, for a rebuild.
///
/// # Errors
/// If the database refuses.
pub async fn clear(tx: &mut Tx, household: HouseholdId) -> Result<()> {
    search::clear(tx, household).await?;
    for table in TABLES {
        sql(format!("delete from {table} where household_id = $1")).bind(household).later(&mut *tx).await?;
    }
    Ok(())
}

/// What wrote the projections: the fold's version, and how text was made into words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written(BTreeMap<String, i64>);

impl Written {
    /// Whether this program would write them as they are.
    pub fn is_current(&self, db: &Db) -> bool {
        *self == Self::by(db.language())
    }

    fn by(language: Language) -> Self {
        Self(BTreeMap::from([
            (NAME.to_owned(), record::FOLD_VERSION),
            (format!("search: {language}"), analysis::VERSION),
        ]))
    }
}

/// What wrote the projections; none in a new installation.
///
/// # Errors
/// If the database refuses.
pub async fn written(db: &Db) -> Result<Option<Written>> {
    let rows = sql("select name, version from projection_version").all(db).await?;
    let read = |row: &Row| Ok::<_, Error>((row.text("name")?, row.int("version")?));
    let known = rows.iter().map(read).collect::<Result<BTreeMap<_, _>>>()?;
    Ok((!known.is_empty()).then_some(Written(known)))
}

/// Notes that the projections are as this program writes them, and brings what the search looks in into its best shape.
///
/// # Errors
/// If the database refuses.
pub async fn settle(tx: &mut Tx) -> Result<()> {
    sql("delete from projection_version").later(&mut *tx).await?;
    for (name, version) in Written::by(tx.language()).0 {
        sql("insert into projection_version (name, version) values ($1, $2)")
            .bind(name)
            .bind(version)
            .later(&mut *tx)
            .await?;
    }
    search::settle(tx).await
}

/// The record that an imported thing became, if the member may see it.
///
/// # Errors
/// If the database refuses.
pub async fn external<'a>(
    on: impl Into<super::db::On<'a>>,
    actor: &Actor,
    external: &crate::domain::event::External,
) -> Result<Option<RecordId>> {
    let row = sql("
        select x.record_id
        from external_ref as x
        join record_view as v on v.household_id = x.household_id and v.id = x.record_id
        where x.household_id = $1 and x.source = $3 and x.reference = $4
          and (v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $2))
        order by v.created_at, v.id
        limit 1")
    .bind(actor.household)
    .bind(actor.member)
    .bind(&external.source)
    .bind(&external.reference)
    .optional(on)
    .await?;
    Ok(row.map(|row| row.uuid("record_id")).transpose()?.map(RecordId))
}
