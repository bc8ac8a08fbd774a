//! A Homebox export comes in: every row becomes a record with its purchase, sale and notes as dated events. The same
//! file twice adds nothing; a row that says something else by now is told and left alone.

mod cells;
mod compare;
pub mod item;
mod plan;
pub mod sheet;

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::commands::accounts;
use crate::commands::batch::{self, BatchItem};
use crate::domain::Refusal;
use crate::domain::access::{Actor, Via};
use crate::domain::event::External;
use crate::domain::ids::BatchId;
use crate::domain::money::Currency;
use crate::domain::person::Email;
use crate::error::{Error, Result};
use crate::store::db::Tx;
use crate::store::{projection, streams, views};
use item::{Item, SOURCE, Terms};
use plan::Plan;
pub use sheet::BadRow;

/// How an import is to go.
#[derive(Clone, Debug)]
pub struct Options {
    /// The member for whom it is done: the records are theirs.
    pub member: Email,
    /// The currency of every price in the file.
    pub currency: Option<Currency>,
    /// Whether only to say what would happen.
    pub dry_run: bool,
    /// Whether to go on without the rows that are wrong.
    pub skip_bad_rows: bool,
}

/// What came of an import, or would.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many rows the file has.
    pub rows: usize,
    /// How many records were added, or would be.
    pub added: usize,
    /// How many events that took, or would.
    pub events: usize,
    /// How many rows are here already, as they are.
    pub present: usize,
    /// Rows that are here already and say something else in the file.
    pub differing: Vec<Differing>,
    /// Rows that are wrong.
    pub bad: Vec<BadRow>,
    /// Columns that are not read.
    pub unknown: Vec<String>,
    /// What else the person should know, in sentences.
    pub remarks: Vec<String>,
    /// The batch, if anything was written.
    pub batch: Option<BatchId>,
    /// Whether nothing was written because of the bad rows.
    pub refused: bool,
}

/// A row that is here already, and differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Differing {
    /// The row as a spreadsheet counts it.
    pub row: u64,
    /// The record's name in the file.
    pub title: String,
    /// What is different: "description", "Location" …
    pub what: Vec<String>,
}

/// Imports a file. `progress` is told how many records of how many are written.
///
/// # Errors
/// [`Error::Refused`] if the file is none that can be imported; [`Error::Forbidden`] if the member may not write.
pub async fn run(
    app: &App,
    options: &Options,
    file: &[u8],
    progress: &(dyn Fn(usize, usize) + Send + Sync),
) -> Result<Report> {
    let actor = actor(app, &options.member).await?;
    let zone = TimeZone::get(&actor.zone).unwrap_or(TimeZone::UTC);
    let terms = Terms { currency: options.currency, now: app.clock.now().local(&zone) };
    let plan = Plan::of(file, &terms).map_err(|sentence| Error::Refused(Refusal(sentence)))?;
    let mut report = Report { rows: plan.rows, bad: plan.bad, unknown: plan.unknown, ..Report::default() };
    let mut tx = app.db.snapshot().await?;
    let mut new = Vec::new();
    for mut item in plan.items {
        if let Some(reference) = item.parent.clone() {
            let name = match plan.names.get(&reference) {
                Some(name) => Some(name.clone()),
                None => title_of(&mut tx, &actor, &reference).await?,
            };
            if name.is_none() {
                report.remarks.push(format!(
                    "Row {}: HB.parent_import_ref names \u{201c}{reference}\u{201d}, which is neither in the file nor here. The reference \
                     itself is kept.",
                    item.row
                ));
            }
            if let Err(bad) = item::part_of(&mut item, name.as_deref().unwrap_or(&reference)) {
                report.bad.push(bad);
                continue;
            }
        }
        match differences(&mut tx, &actor, &item, &terms).await? {
            None => new.push(item),
            Some(what) if what.is_empty() => report.present += 1,
            Some(what) => {
                report.differing.push(Differing { row: item.row, title: item.new.title.to_string(), what });
            }
        }
    }
    tx.rollback().await?;
    report.bad.sort_by_key(|bad| bad.row);
    report.added = new.len();
    report.events = new.iter().map(|item| 1 + item.notes.len()).sum();
    report.refused = !report.bad.is_empty() && !options.skip_bad_rows;
    if options.dry_run || report.refused || new.is_empty() {
        return Ok(report);
    }
    write(app, &actor, file, new, report, progress).await
}

async fn write(
    app: &App,
    actor: &Actor,
    file: &[u8],
    new: Vec<Item>,
    mut report: Report,
    progress: &(dyn Fn(usize, usize) + Send + Sync),
) -> Result<Report> {
    let total = new.len();
    let batch = batch_of(actor, file);
    let items = new.into_iter().map(|item| BatchItem { new: item.new, notes: item.notes }).collect();
    let written = batch::create_records(app, actor, batch, items, &|done| progress(done, total)).await?;
    report.added = written.created.len();
    report.events = written.events;
    // Somebody else may have imported the same file at the same time.
    report.present += written.present;
    report.batch = (report.added > 0).then_some(batch);
    Ok(report)
}

/// The batch of a file in a household: always the same, so that an import that was interrupted goes on in its own batch
/// when it is run again.
fn batch_of(actor: &Actor, file: &[u8]) -> BatchId {
    let digest = Sha256::new()
        .chain_update(b"lifeops.homebox.batch.1\0")
        .chain_update(actor.household.0.as_bytes())
        .chain_update(Sha256::digest(file))
        .finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, digest)| *byte = digest);
    BatchId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

async fn actor(app: &App, email: &Email) -> Result<Actor> {
    let member = accounts::find(app, email).await?;
    if member.disabled || !member.role.may_write() {
        return Err(Error::Forbidden(format!(
            "{email} may not write in {}. Name an owner or an editor with --member.",
            member.household_name
        )));
    }
    Ok(Actor {
        household: member.household,
        member: member.member,
        role: member.role,
        zone: member.zone,
        via: Via::Import,
        via_ref: Some(SOURCE.to_owned()),
    })
}

/// What of a row differs from what was imported; none if the row is not here yet.
async fn differences(tx: &mut Tx, actor: &Actor, item: &Item, terms: &Terms) -> Result<Option<Vec<String>>> {
    let Some(external) = &item.new.external else { return Ok(None) };
    let Some(record) = projection::external(&mut *tx, actor, external).await? else { return Ok(None) };
    let imported = streams::begun_with(&mut *tx, actor.household, record).await?;
    Ok(Some(compare::differences(item, &imported, terms)))
}

/// What the record of a reference is called, if it is here and the member may see it.
async fn title_of(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Option<String>> {
    let external = External { source: SOURCE.to_owned(), reference: item::bounded(reference) };
    let Some(record) = projection::external(&mut *tx, actor, &external).await? else { return Ok(None) };
    match views::record(&mut *tx, actor, record).await {
        Ok(view) => Ok(Some(view.state.title().to_owned())),
        Err(Error::NotFound) => Ok(None),
        Err(other) => Err(other),
    }
}
