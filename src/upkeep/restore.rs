//! An export comes back: into an empty installation only, through the ledger's second door, in one transaction. What
//! does not fit is refused with the number of its line, and nothing stays behind.

use std::io::BufRead;

use super::lines::{Counts, Footer, Line, Sums, VERSION};
use super::{lines, rebuild};
use crate::app::App;
use crate::domain::Refusal;
use crate::domain::chain::head_code;
use crate::domain::event::Event;
use crate::domain::ids::HouseholdId;
use crate::error::{Error, Result};
use crate::store::blobs;
use crate::store::copying::{self, Submission};
use crate::store::db::Tx;
use crate::store::installation;
use crate::store::ledger::{self, Head};

use super::export::Exported;

/// How many rows are in memory at once.
const PAGE: usize = 1000;
/// The longest line that is read. The largest payload (a long description and a hundred long fields) stays far below it.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Restores an export.
///
/// # Errors
/// [`Error::Refused`] with a sentence that names the line, or says that somebody lives here already.
pub async fn from_reader(app: &App, mut file: impl BufRead, progress: &(dyn Fn(u64) + Sync)) -> Result<Exported> {
    let mut tx = app.db.begin().await?;
    if !copying::is_empty(&mut tx).await? || !installation::claim(&mut tx, app.clock.now()).await? {
        return Err(refuse(
            "This installation is not empty, and a restore never overwrites. Restore into a new data directory or database.",
        ));
    }
    let mut restoring = Restoring::default();
    let mut number = 0;
    while let Some(text) = next(&mut file, number + 1)? {
        number += 1;
        let at = |problem: String| refuse(format!("Line {number} {problem}. Nothing was restored."));
        if restoring.finished {
            return Err(at("comes after the end".to_owned()));
        }
        let line = restoring.sums.read(&text).map_err(at)?;
        restoring.take(&mut tx, line, number).await.map_err(|error| match error {
            Error::Refused(Refusal(sentence)) if sentence.starts_with("Line ") => refuse(sentence),
            Error::Refused(Refusal(problem)) => at(problem),
            Error::Internal(problem) => at(format!("cannot be kept: {problem}")),
            other => other,
        })?;
        progress(restoring.counts.events);
    }
    if !restoring.finished {
        return Err(refuse(format!(
            "The file ends after line {number} without its last line: it was cut off. Nothing was restored."
        )));
    }
    rebuild::within(&mut tx).await?;
    tx.commit().await?;
    Ok(Exported { counts: restoring.counts, heads: restoring.heads })
}

#[derive(Default)]
struct Restoring {
    sums: Sums,
    counts: Counts,
    heads: Vec<(String, String)>,
    household: Option<Restored>,
    begun: bool,
    finished: bool,
}

/// The household whose lines are being read.
struct Restored {
    wanted: Head,
    hold: ledger::Hold,
    events: Vec<Event>,
    /// The number of the first waiting event's line.
    first: u64,
    submissions: Vec<Submission>,
}

impl Restoring {
    async fn take(&mut self, tx: &mut Tx, line: Line, number: u64) -> Result<()> {
        if self.begun == matches!(line, Line::Header { .. }) {
            return Err(refuse(if self.begun {
                "is a second header"
            } else {
                "should be the header of a LifeOps export"
            }));
        }
        match line {
            Line::Header { format, version, .. } => self.header(&format, version),
            Line::Account(account) => {
                self.counts.accounts += 1;
                Ok(copying::put_account(tx, &account.account().map_err(refuse)?).await?)
            }
            Line::Household(household) => self.begin_household(tx, household.head().map_err(refuse)?).await,
            Line::Member(member) => {
                let member = member.member().map_err(refuse)?;
                self.of(member.household)?;
                self.counts.members += 1;
                Ok(copying::put_member(tx, &member).await?)
            }
            Line::Event(event) => self.event(tx, event.event().map_err(refuse)?, number).await,
            Line::Submission(line) => self.submission(tx, line.submission().map_err(refuse)?).await,
            Line::View(view) => {
                let view = view.view().map_err(refuse)?;
                self.of(view.household)?;
                self.counts.views += 1;
                Ok(copying::put_view(tx, &view).await?)
            }
            Line::Seen(seen) => {
                let seen = seen.seen();
                self.of(seen.household)?;
                self.counts.seen += 1;
                Ok(copying::put_seen(tx, &seen).await?)
            }
            Line::Blob(blob) => {
                let blob = blob.blob().map_err(refuse)?;
                self.of(blob.household)?;
                self.counts.blobs += 1;
                blobs::put(tx, &blob).await
            }
            Line::Footer(footer) => self.finish(tx, &footer).await,
        }
    }

    fn header(&mut self, format: &str, version: u32) -> Result<()> {
        if format != lines::FORMAT {
            return Err(refuse("should be the header of a LifeOps export"));
        }
        if version != VERSION {
            return Err(refuse(format!(
                "says that the export has version {version}; this LifeOps reads version {VERSION}"
            )));
        }
        self.begun = true;
        Ok(())
    }

    async fn begin_household(&mut self, tx: &mut Tx, household: Head) -> Result<()> {
        self.end_household(tx).await?;
        self.counts.households += 1;
        self.heads.push((household.name.clone(), head_code(&household.head)));
        ledger::make_household(tx, household.created_at, household.id, &household.name).await?;
        let hold = ledger::hold(tx, household.id).await?;
        self.household =
            Some(Restored { wanted: household, hold, events: Vec::new(), first: 0, submissions: Vec::new() });
        Ok(())
    }

    async fn event(&mut self, tx: &mut Tx, event: Event, number: u64) -> Result<()> {
        self.counts.events += 1;
        let household = self.of(event.household)?;
        if household.events.is_empty() {
            household.first = number;
        }
        household.events.push(event);
        if household.events.len() >= PAGE { household.replay(tx).await } else { Ok(()) }
    }

    async fn submission(&mut self, tx: &mut Tx, submission: Submission) -> Result<()> {
        self.counts.submissions += 1;
        let household = self.of(submission.household)?;
        household.submissions.push(submission);
        if household.submissions.len() >= PAGE {
            copying::put_submissions(tx, &std::mem::take(&mut household.submissions)).await?;
        }
        Ok(())
    }

    async fn end_household(&mut self, tx: &mut Tx) -> Result<()> {
        let Some(mut household) = self.household.take() else { return Ok(()) };
        household.replay(tx).await?;
        copying::put_submissions(tx, &household.submissions).await?;
        let Restored { wanted, hold, .. } = household;
        if hold.position() != wanted.position || *hold.head() != wanted.head {
            return Err(refuse(format!(
                "comes too early: the household \u{201c}{}\u{201d} should end at event {} with its head, but ends at {}",
                wanted.name,
                wanted.position,
                hold.position()
            )));
        }
        Ok(())
    }

    async fn finish(&mut self, tx: &mut Tx, footer: &Footer) -> Result<()> {
        self.end_household(tx).await?;
        if footer.counts != self.counts {
            return Err(refuse("counts other things than the lines before it"));
        }
        if footer.sha256 != self.sums.before() {
            return Err(refuse("has a SHA-256 that does not fit the lines before it"));
        }
        self.finished = true;
        Ok(())
    }

    fn of(&mut self, id: HouseholdId) -> Result<&mut Restored> {
        self.household
            .as_mut()
            .filter(|household| household.wanted.id == id)
            .ok_or_else(|| refuse("belongs to another household than the one before it"))
    }
}

impl Restored {
    /// Takes the waiting events through the ledger's second door, which checks each against the one before it.
    async fn replay(&mut self, tx: &mut Tx) -> Result<()> {
        let events = std::mem::take(&mut self.events);
        match ledger::replay(tx, &mut self.hold, &events).await {
            Err(Error::Refused(_)) => {}
            other => return other,
        }
        // Which one was it? The whole page was refused before anything of it was written.
        for (event, line) in events.iter().zip(self.first..) {
            ledger::replay(tx, &mut self.hold, std::slice::from_ref(event)).await.map_err(|error| match error {
                Error::Refused(Refusal(sentence)) => refuse(format!("Line {line}: {sentence}")),
                other => other,
            })?;
        }
        Ok(())
    }
}

fn refuse(sentence: impl Into<String>) -> Error {
    Error::Refused(Refusal::new(sentence))
}

/// The next line without its end; none at the end of the file.
fn next(file: &mut impl BufRead, number: u64) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    let failed = |e: std::io::Error| Error::Unavailable(format!("The file cannot be read at line {number}: {e}."));
    std::io::Read::take(&mut *file, LONGEST).read_until(b'\n', &mut bytes).map_err(failed)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(refuse(format!("Line {number} is cut off. Nothing was restored.")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(refuse(format!("Line {number} is not text. Nothing was restored."))),
    }
}
