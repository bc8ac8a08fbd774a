//! What can be said on the command line, and who answers.

mod ask;
mod data;
mod demo;
mod healthcheck;
mod import;
mod keys;
mod logs;
mod members;
mod progress;
mod serve;
mod user;

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lifeops::app::{App, Clock};
use lifeops::config::{self, Database, Effective, Given, Settings};
use lifeops::error::Error;

/// Keeps the papers and the history of a household's life. Nothing is silently overwritten.
#[derive(Parser)]
#[command(name = "lifeops", version, about, max_term_width = 110, subcommand_value_name = "COMMAND")]
struct Line {
    #[command(flatten)]
    settings: Given,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the pages (what `lifeops` alone does too)
    Serve,
    /// Looks after people: add, invite, list, role, rename, reset-password, reset-link, reset-second-factor, disable, enable,
    /// remove, reinstate
    #[command(subcommand)]
    User(user::Command),
    /// Checks that nothing was altered: the chain of events, and every projection against it
    Verify {
        /// A head code from an earlier export or verify: shows that nothing before it was altered since
        #[arg(long = "head", value_name = "CODE")]
        heads: Vec<String>,
    },
    /// Computes every projection again from the events
    Rebuild,
    /// Writes everything but the files themselves into one file, passwords included: a backup
    Export {
        /// The file to write, or - for standard output
        file: PathBuf,
    },
    /// Reads an export into an empty installation
    Restore {
        /// The file that `lifeops export` wrote
        file: PathBuf,
    },
    /// Takes in what another program kept
    #[command(subcommand)]
    Import(import::Command),
    /// The master key: list, rotate
    #[command(subcommand)]
    Keys(keys::Command),
    /// Sweeps out uploads that were attached to nothing for a day; a server does so every hour
    Sweep,
    /// Serves a believable household to look around in: throw-away, unless a data directory or database is named
    Demo(demo::Args),
    /// Asks a running server whether it is ready; ends with 0 if it is
    Healthcheck,
    /// Shows the settings as they hold, and where each came from
    Config,
}

/// Why a command did not do what it should.
pub enum Failure {
    /// Something to say, and nothing more.
    Told(String),
    /// It was said already.
    Silent,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Told(match error {
            Error::Internal(problem) => format!("Something inside failed: {problem}"),
            Error::NotFound => "There is no such thing here.".to_owned(),
            other => other.to_string(),
        })
    }
}

impl From<lifeops::domain::Refusal> for Failure {
    fn from(refusal: lifeops::domain::Refusal) -> Self {
        Self::Told(refusal.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            // Whoever read our output has had enough, as `head` does.
            std::io::ErrorKind::BrokenPipe => Self::Silent,
            _ => Self::Told(format!("Something could not be read or written: {error}.")),
        }
    }
}

type Outcome = Result<(), Failure>;

/// How many threads at most do what blocks: reading, sealing and writing of files, page reads on SQLite, digests of
/// passwords. None of it waits for another. Tokio makes a new one whenever none is idle at that instant; without a bound
/// sixteen files under way brought it to 270, whose stacks are memory.
const BLOCKING: usize = 96;

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let line = Line::parse();
    let effective = match config::read(&line.settings, std::env::vars_os()) {
        Ok(effective) => effective,
        Err(mistakes) => {
            complain(&mistakes);
            return ExitCode::from(2);
        }
    };
    let command = line.command.unwrap_or(Command::Serve);
    logs::begin(effective.settings.log_format, matches!(command, Command::Serve));
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.max_blocking_threads(BLOCKING).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("The program cannot start its threads: {error}."));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(answer(command, effective)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Silent) => ExitCode::FAILURE,
        Err(Failure::Told(sentence)) => {
            complain(&sentence);
            ExitCode::FAILURE
        }
    }
}

async fn answer(command: Command, effective: Effective) -> Outcome {
    let settings = effective.settings.clone();
    match command {
        Command::Serve => serve::serve(settings).await,
        Command::User(command) => user::run(command, settings).await,
        Command::Verify { heads } => data::verify(settings, &heads).await,
        Command::Rebuild => data::rebuild(settings).await,
        Command::Export { file } => data::export(settings, &file).await,
        Command::Restore { file } => data::restore(settings, &file).await,
        Command::Import(command) => import::run(command, settings).await,
        Command::Keys(command) => keys::run(command, settings).await,
        Command::Sweep => data::sweep(settings).await,
        Command::Demo(args) => demo::run(args, &effective).await,
        Command::Healthcheck => healthcheck::ask(settings.listen),
        Command::Config => show(&effective),
    }
}

fn show(effective: &Effective) -> Outcome {
    let width = effective.told.iter().map(|told| told.name.len()).max().unwrap_or(0);
    let shown = effective.told.iter().map(|told| told.shown.chars().count()).max().unwrap_or(0);
    for told in &effective.told {
        say(&format!("{:width$}  {:shown$}  {}", told.name, told.shown, told.source))?;
    }
    Ok(())
}

/// An installation that is there already: a slip in `LIFEOPS_DATA` must not make a new one.
fn must_exist(settings: &Settings) -> Outcome {
    match &settings.database {
        Database::Sqlite(path) if !path.exists() => Err(Failure::Told(format!(
            "There is no installation in {}: {} is missing. Name the data directory with LIFEOPS_DATA or --data.",
            settings.data.display(),
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Opens an installation that is there already, does something with it, and closes it.
async fn with_app<T>(settings: Settings, work: impl AsyncFnOnce(&App) -> Result<T, Failure>) -> Result<T, Failure> {
    must_exist(&settings)?;
    let app = App::open(settings, Clock::System).await?;
    let outcome = work(&app).await;
    app.db.close().await;
    outcome
}

/// One line on standard output.
fn say(line: &str) -> Outcome {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

/// One line on standard error; if nobody reads that, nobody can be told.
fn complain(line: &impl fmt::Display) {
    let text = line.to_string();
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
}
