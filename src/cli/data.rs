//! Verify, rebuild, export, restore.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use lifeops::app::{App, Clock};
use lifeops::commands::{second_factor, uploads};
use lifeops::config::Settings;
use lifeops::domain::media::size_words;
use lifeops::keys;
use lifeops::upkeep::export::Exported;
use lifeops::upkeep::{export, rebuild, restore, verify};

use super::progress::Progress;
use super::{Failure, Outcome, complain, must_exist, say, with_app};

/// Checks everything, and ends with 1 if anything is wrong.
pub async fn verify(settings: Settings, heads: &[String]) -> Outcome {
    must_exist(&settings)?;
    // Projections are looked at as they are: opening the installation must not repair what is to be found.
    let app = App::open_unchecked(settings, Clock::System).await?;
    let progress = Progress::of("events and megabytes of files");
    let findings = verify::all(&app, heads, &|done, total| progress.at(done, total)).await;
    drop(progress);
    app.db.close().await;
    let findings = findings?;
    for household in &findings.households {
        let (name, events) = (&household.name, counted(household.events, "event"));
        if household.problems.is_empty() {
            say(&format!("\u{201c}{name}\u{201d}: {events}, all as they were written. Head code:"))?;
        } else {
            say(&format!("\u{201c}{name}\u{201d}: {events}. Something is wrong. Head code:"))?;
        }
        say(&format!("  {}", household.head))?;
        for problem in &household.problems {
            say(&format!("  - {problem}"))?;
        }
    }
    if let (files @ 1.., bytes) = findings.files
        && findings.is_well()
    {
        let files = counted(i64::try_from(files).unwrap_or(i64::MAX), "file");
        say(&format!("{files} of {} opened, all as they were sealed.", size_words(bytes)))?;
    }
    for sentence in findings.found.iter().chain(&findings.problems) {
        say(sentence)?;
    }
    if findings.households.is_empty() {
        say("There is no household yet.")?;
    }
    if findings.is_well() { Ok(()) } else { Err(Failure::Silent) }
}

/// Computes the projections again.
pub async fn rebuild(settings: Settings) -> Outcome {
    must_exist(&settings)?;
    let app = App::open_unchecked(settings, Clock::System).await?;
    let progress = Progress::of("events");
    let share = |n: i64| u64::try_from(n).unwrap_or(0);
    let rebuilt = rebuild::all(&app, &|done, total| progress.at(share(done), share(total))).await;
    drop(progress);
    app.db.close().await;
    rebuilt?;
    say("Every projection was computed again from the events.")
}

/// Sweeps out what nobody needs.
pub async fn sweep(settings: Settings) -> Outcome {
    with_app(settings, async |app| {
        let swept = uploads::sweep(app).await?;
        keys::forget_change(&app.db, app.clock.now()).await?;
        say(&format!("{} swept out.", counted(i64::try_from(swept).unwrap_or(i64::MAX), "upload")))
    })
    .await
}

/// Writes an export.
pub async fn export(settings: Settings, file: &Path) -> Outcome {
    with_app(settings, async |app| {
        let progress = Progress::of("events");
        if file == Path::new("-") {
            let exported =
                export::to_writer(app, &mut BufWriter::new(std::io::stdout()), &|done, total| progress.at(done, total))
                    .await?;
            drop(progress);
            told(&exported).iter().for_each(complain);
            complain(&export::LEFT_OUT);
            return Ok(());
        }
        let exported = export::to_file(app, file, &|done, total| progress.at(done, total)).await?;
        drop(progress);
        say(&format!("Everything is in {}. It holds passwords\u{2019} digests: keep it to yourself.", file.display()))?;
        told(&exported).iter().try_for_each(|line| say(line))?;
        say(export::LEFT_OUT)
    })
    .await
}

/// Reads an export into an empty installation.
pub async fn restore(settings: Settings, file: &Path) -> Outcome {
    let open = File::open(file).map_err(|e| Failure::Told(format!("{} cannot be read: {e}.", file.display())))?;
    let app = App::open(settings, Clock::System).await?;
    let progress = Progress::of("events");
    let restored = restore::from_reader(&app, BufReader::new(open), &|done| progress.so_far(done)).await;
    drop(progress);
    let locked = second_factor::locked(&app).await;
    app.db.close().await;
    let restored = restored?;
    say("Everything is back. Sign in with the same passwords.")?;
    told(&restored).iter().try_for_each(|line| say(line))?;
    for email in locked? {
        say(&format!(
            "{email}: the second step was sealed under another master key. A recovery code signs in, or remove it with \
             `lifeops user reset-second-factor {email}`."
        ))?;
    }
    Ok(())
}

/// What a file holds, and the head codes that are worth keeping elsewhere.
fn told(exported: &Exported) -> Vec<String> {
    let counts = &exported.counts;
    let count = |n: u64, what: &str| counted(i64::try_from(n).unwrap_or(i64::MAX), what);
    let mut lines = vec![format!(
        "{}, {}, {}. Head codes, to be kept somewhere else:",
        count(counts.households, "household"),
        count(counts.accounts, "account"),
        count(counts.events, "event")
    )];
    lines.extend(exported.heads.iter().map(|(name, code)| format!("  {code}  {name}")));
    lines
}

/// `1 event`, `2 events`.
pub fn counted(n: i64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
