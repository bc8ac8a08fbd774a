//! Is everything as it was written? The chain of every household, link by link; and every projection against the fold
//! of the events, taken anew in a scratch database.

mod chain;
mod files;
mod projections;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::app::App;
use crate::domain::chain::{Hash, head_code, unhex};
use crate::domain::ids::HouseholdId;
use crate::error::Result;
use crate::store::{blobs, ledger, projection};

/// The unit in which progress counts files, in bytes.
const MEGABYTE: u64 = 1_000_000;

/// What `verify` found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Each household.
    pub households: Vec<Checked>,
    /// What concerns the installation as a whole.
    pub problems: Vec<String>,
    /// The head codes that were to be found and were, each with a sentence.
    pub found: Vec<String>,
    /// How many contents of files there are, and their bytes.
    pub files: (u64, u64),
}

/// One household, checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The household.
    pub id: HouseholdId,
    /// Its name.
    pub name: String,
    /// How many events it has.
    pub events: i64,
    /// Its head code.
    pub head: String,
    /// What is wrong, in sentences; nothing if all is well.
    pub problems: Vec<String>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.problems.is_empty() && self.households.iter().all(|household| household.problems.is_empty())
    }

    /// Every problem.
    pub fn problems(&self) -> impl Iterator<Item = &String> {
        self.problems.iter().chain(self.households.iter().flat_map(|household| &household.problems))
    }
}

/// Verifies every household. `kept` are head codes from earlier exports or prints: each must be the hash of some event,
/// or what came before it was altered since. Every file is opened. `progress` is told how many of how many events and
/// megabytes of files are checked.
pub async fn all(app: &App, kept: &[String], progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut wanted = Vec::new();
    for code in kept {
        match read_code(code) {
            Some(hash) => wanted.push((code, hash, None)),
            None => {
                findings.problems.push(format!("\u{201c}{code}\u{201d} is no head code: it has 64 hexadecimal digits."))
            }
        }
    }
    if projection::written(&app.db).await?.is_some_and(|written| !written.is_current(&app.db)) {
        findings.problems.push(
            "The projections were written by another version of LifeOps, or for another LIFEOPS_SEARCH_LANGUAGE. lifeops rebuild \
             makes them anew."
                .to_owned(),
        );
    }
    // One snapshot, so that what is written meanwhile does not look wrong.
    let mut tx = app.db.snapshot().await?;
    let households = ledger::households(&mut tx).await?;
    let (_, bytes) = blobs::in_all(&mut tx).await?;
    let events: u64 = households.iter().map(|household| u64::try_from(household.position).unwrap_or(0)).sum();
    let total = events + bytes / MEGABYTE;
    let mut done = 0;
    for household in households {
        let mut problems = Vec::new();
        let walked = chain::walk(&mut tx, &household, &mut |event| {
            done += 1;
            progress(done, total);
            for (_, hash, at) in &mut wanted {
                if *hash == event.hash {
                    *at = Some((household.name.clone(), event.position));
                }
            }
        })
        .await?;
        match walked {
            Some(problem) => problems.push(format!("{problem} (The projections were not compared.)")),
            None => problems.extend(projections::compare(app, &mut tx, &household).await?),
        }
        findings.households.push(Checked {
            id: household.id,
            name: household.name,
            events: household.position,
            head: head_code(&household.head),
            problems,
        });
    }
    tx.rollback().await?;
    // Contents are never taken away: what is opened here belongs to what was looked at there, and perhaps more.
    let opened = AtomicU64::new(0);
    let told = |more: u64| {
        let bytes = opened.fetch_add(more, Ordering::Relaxed) + more;
        progress((done + bytes / MEGABYTE).min(total), total);
    };
    for checked in &mut findings.households {
        checked.problems.extend(files::open_all(app, checked.id, &told).await?);
    }
    findings.files = blobs::in_all(&app.db).await?;
    for (code, _, at) in wanted {
        match at {
            Some((name, position)) => {
                findings.found.push(format!("{code} is the head of \u{201c}{name}\u{201d} after event {position}."));
            }
            None => findings.problems.push(format!(
                "{code} is the head of no household at any time: something in front of it was altered, or it belongs to \
                 another installation."
            )),
        }
    }
    Ok(findings)
}

/// Reads a head code with or without its hyphens.
fn read_code(code: &str) -> Option<Hash> {
    unhex(&code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase())
}
