//! Everything that an installation knows, as JSON Lines ([`super::lines`]): the same installation gives the same file,
//! byte for byte, on either engine. It is a backup: whoever holds it can sign in with the same passwords after a
//! restore.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::lines::{Counts, EventLine, Footer, Line, Sums};
use crate::app::App;
use crate::domain::chain::head_code;
use crate::domain::instant::Instant;
use crate::error::{Error, Result};
use crate::store::db::Tx;
use crate::store::ledger::{self, Head};
use crate::store::{blobs, copying, streams};

/// What no export holds, for the person who made one.
pub const LEFT_OUT: &str = "Left out are the files themselves (copy the directory or bucket that LIFEOPS_BLOBS names; they are sealed), the \
                            master key (without it the apps of second steps do not count after a restore; recovery \
                            codes do; and files stay closed), who is signed in where, links to set a new password, and counted tries.";

/// How many rows are in memory at once.
const PAGE: i64 = 1000;

/// What an export holds, for the person who made it.
#[derive(Clone, Debug)]
pub struct Exported {
    /// How much there is of everything.
    pub counts: Counts,
    /// Each household's name and head code, to be kept elsewhere.
    pub heads: Vec<(String, String)>,
}

/// Exports to a file that only its owner may read. It appears whole or not at all: a file of the same name is replaced
/// when the new one is on the disk.
pub async fn to_file(app: &App, path: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Exported> {
    let failed = |e: std::io::Error| Error::Unavailable(format!("{} cannot be written: {e}.", path.display()));
    let part = Part::create(path).map_err(failed)?;
    let mut out = BufWriter::new(&part.file);
    let exported = to_writer(app, &mut out, progress).await?;
    out.flush().map_err(failed)?;
    drop(out);
    part.keep(path).map_err(failed)?;
    Ok(exported)
}

/// Exports to a writer, such as standard output.
pub async fn to_writer(
    app: &App,
    out: &mut (dyn Write + Send),
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Exported> {
    // One snapshot: what is written meanwhile is not half in it.
    let mut tx = app.db.snapshot().await?;
    let mut writing = Writing { out, sums: Sums::default(), counts: Counts::default() };
    let households = ledger::households(&mut tx).await?;
    let total = households.iter().map(|h| u64::try_from(h.position).unwrap_or(0)).sum();
    writing.header(app.clock.now())?;
    for account in copying::accounts(&mut tx).await? {
        writing.counts.accounts += 1;
        writing.line(&account.into())?;
    }
    let mut heads = Vec::new();
    for household in households {
        heads.push((household.name.clone(), head_code(&household.head)));
        writing.household(&mut tx, household, &|done| progress(done, total)).await?;
    }
    let counts = writing.footer()?;
    tx.rollback().await?;
    Ok(Exported { counts, heads })
}

struct Writing<'a> {
    out: &'a mut (dyn Write + Send),
    sums: Sums,
    counts: Counts,
}

impl Writing<'_> {
    fn header(&mut self, made_at: Instant) -> Result<()> {
        self.line(&Line::header(made_at))
    }

    async fn household(&mut self, tx: &mut Tx, household: Head, done: &(dyn Fn(u64) + Sync)) -> Result<()> {
        let (id, position) = (household.id, household.position);
        self.counts.households += 1;
        self.line(&household.into())?;
        for member in copying::members(&mut *tx, id).await? {
            self.counts.members += 1;
            self.line(&member.into())?;
        }
        let mut after = 0;
        loop {
            let events = streams::after(&mut *tx, id, after, PAGE).await?;
            let Some(last) = events.last() else { break };
            after = last.position;
            for event in events {
                self.counts.events += 1;
                self.line(&EventLine::of(event).map_err(Error::Unavailable)?)?;
            }
            done(self.counts.events);
        }
        if after != position {
            return Err(Error::Unavailable(format!(
                "The ledger ends at event {after}, but should end at {position}. Nothing was exported. Run lifeops verify."
            )));
        }
        let mut after = None;
        loop {
            let submissions = copying::submissions(&mut *tx, id, after, PAGE).await?;
            let Some(last) = submissions.last() else { break };
            after = Some((last.member, last.key));
            for submission in submissions {
                self.counts.submissions += 1;
                self.line(&submission.into())?;
            }
        }
        let mut after = None;
        loop {
            let page = blobs::blobs(&mut *tx, id, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for blob in page {
                self.counts.blobs += 1;
                self.line(&blob.into())?;
            }
        }
        for view in copying::views(&mut *tx, id).await? {
            self.counts.views += 1;
            self.line(&view.into())?;
        }
        for seen in copying::seen(&mut *tx, id).await? {
            self.counts.seen += 1;
            self.line(&seen.into())?;
        }
        Ok(())
    }

    fn footer(&mut self) -> Result<Counts> {
        let footer = Footer { counts: self.counts, sha256: self.sums.whole() };
        self.line(&Line::Footer(footer))?;
        self.out.flush().map_err(cannot_write)?;
        Ok(self.counts)
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        let text = self.sums.write(line).map_err(Error::Internal)?;
        self.out.write_all(text.as_bytes()).map_err(cannot_write)
    }
}

fn cannot_write(e: std::io::Error) -> Error {
    Error::Unavailable(format!("The export cannot be written: {e}."))
}

/// A file beside the one that is wanted; it is removed unless it is kept.
struct Part {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl Part {
    fn create(wanted: &Path) -> std::io::Result<Self> {
        let name = wanted.file_name().ok_or_else(|| std::io::Error::other("that is no name of a file"))?;
        let mut part = std::ffi::OsString::from(".");
        part.push(name);
        part.push(format!(".{}.part", std::process::id()));
        let path = wanted.with_file_name(part);
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        Ok(Self { file: options.open(&path)?, path, kept: false })
    }

    fn keep(mut self, wanted: &Path) -> std::io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, wanted)?;
        self.kept = true;
        let directory = wanted.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
