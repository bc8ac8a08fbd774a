//! What another program kept.

use std::path::PathBuf;

use clap::Subcommand;
use lifeops::config::Settings;
use lifeops::domain::money::Currency;
use lifeops::domain::person::Email;
use lifeops::upkeep::import_homebox::{self, Options, Report};

use super::data::counted;
use super::progress::Progress;
use super::{Failure, Outcome, complain, say, with_app};

/// Programs whose files are understood.
#[derive(Subcommand)]
pub enum Command {
    /// Reads a CSV export of Homebox: a record for every row
    Homebox {
        /// The CSV file, with commas or tabs
        file: PathBuf,
        /// The address of the member for whom it is done
        #[arg(long, value_name = "EMAIL")]
        member: String,
        /// The currency of every price, such as EUR: the file does not say
        #[arg(long)]
        currency: Option<String>,
        /// Only says what would happen
        #[arg(long)]
        dry_run: bool,
        /// Goes on without the rows that are wrong
        #[arg(long)]
        skip_bad_rows: bool,
    },
}

/// Does it.
pub async fn run(command: Command, settings: Settings) -> Outcome {
    let Command::Homebox { file, member, currency, dry_run, skip_bad_rows } = command;
    let member = Email::parse(&member)?;
    let currency = currency.as_deref().map(Currency::parse).transpose()?;
    let bytes = std::fs::read(&file).map_err(|e| Failure::Told(format!("{} cannot be read: {e}.", file.display())))?;
    let options = Options { member, currency, dry_run, skip_bad_rows };
    with_app(settings, async |app| {
        let progress = Progress::of("records");
        let report =
            import_homebox::run(app, &options, &bytes, &|done, total| progress.at(done as u64, total as u64)).await?;
        drop(progress);
        tell(&report, dry_run)
    })
    .await
}

fn tell(report: &Report, dry_run: bool) -> Outcome {
    let n = |n: usize, what: &str| counted(i64::try_from(n).unwrap_or(i64::MAX), what);
    for bad in &report.bad {
        let place = if bad.column.is_empty() { String::new() } else { format!(", {}", bad.column) };
        complain(&format!("Row {}{place}: {}", bad.row, bad.reason));
    }
    for differing in &report.differing {
        say(&format!(
            "Row {}: \u{201c}{}\u{201d} is already here, differs: {}. It was left as it is.",
            differing.row,
            differing.title,
            differing.what.join(", ")
        ))?;
    }
    for remark in &report.remarks {
        say(remark)?;
    }
    if !report.unknown.is_empty() {
        say(&format!("Not read, because they are not known: {}.", report.unknown.join(", ")))?;
    }
    let mut bad_rows: Vec<u64> = report.bad.iter().map(|bad| bad.row).collect();
    bad_rows.dedup();
    if report.refused {
        return Err(Failure::Told(format!(
            "{} of {} cannot be imported, so nothing was. Correct the file, or leave those rows out with --skip-bad-rows.",
            n(bad_rows.len(), "row"),
            report.rows
        )));
    }
    let added = match (dry_run, report.added) {
        (true, added) => format!("{} would be added ({})", n(added, "record"), n(report.events, "event")),
        (false, 0) => "Nothing was added".to_owned(),
        (false, added) => format!(
            "{} {} added ({}{})",
            n(added, "record"),
            if added == 1 { "was" } else { "were" },
            n(report.events, "event"),
            report.batch.map(|batch| format!(", batch {batch}")).unwrap_or_default()
        ),
    };
    say(&format!(
        "{}: {added}; {} already here, {} already here but different, {} left out.",
        n(report.rows, "row"),
        report.present,
        report.differing.len(),
        bad_rows.len()
    ))
}
