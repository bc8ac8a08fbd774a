//! Measures LifeOps beside bare yardsticks on a seeded household. Start it with `benches/run`; docs/benchmarks.md says
//! what is measured and why.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod appends;
mod bare;
mod bare_files;
mod copy;
mod files;
mod finding;
mod load;
mod pages;
mod place;
mod process;
mod report;
mod seed;
mod start;
mod taped;
mod visitor;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use place::{Engine, Place};
use report::Report;

/// What went wrong, for whoever reads the output of a run.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome<T> = Result<T, Failure>;

/// Measures LifeOps beside bare yardsticks.
#[derive(Parser, Debug)]
#[command(name = "benches/run")]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// A small run: 10,000 events, 8 connections, 3 rounds of one second
    #[arg(long)]
    quick: bool,
    /// How many events the big household has, one run for each number
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000")]
    sizes: Vec<usize>,
    /// On which engine
    #[arg(long, value_enum, default_value = "both")]
    engine: Choice,
    /// How often each thing is measured, the program and its yardstick in turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each time, in seconds
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How many connections read pages at once, one run for each number
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    connections: Vec<usize>,
    /// How many writers append at once, one run for each number
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    writers: Vec<usize>,
    /// How many records the household of the part finding has, one run for each number
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    records: Vec<usize>,
    /// Only some parts
    #[arg(long, value_delimiter = ',', value_enum, default_value = "pages,appends,start,files,finding")]
    only: Vec<Measure>,
    /// Only these pages: list, record, story, timeline
    #[arg(long, value_delimiter = ',')]
    pages: Vec<String>,
    /// How large a file is that goes in and out, in MiB; by default 1024 with `--only files`, and 64 beside the other parts
    /// or with --quick
    #[arg(long)]
    file_size: Option<u64>,
    /// Makes the seeded installations and measures nothing
    #[arg(long)]
    seed_only: bool,
    /// What the random choices begin with
    #[arg(long, default_value_t = 20_151)]
    seed: u64,
    /// The program that is measured
    #[arg(long, env = "BENCH_PROGRAM", default_value = "target/release/lifeops")]
    program: PathBuf,
    /// Where seeds and reports are kept
    #[arg(long, default_value = "target/benchmarks")]
    folder: PathBuf,
    /// What cargo tells every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand, Debug)]
enum Part {
    /// The bare server, as a process of its own
    #[command(hide = true)]
    Bare(bare::Arguments),
    /// The bare server of files, as a process of its own
    #[command(hide = true)]
    BareFiles(bare_files::Arguments),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Choice {
    Sqlite,
    Postgres,
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Measure {
    /// List, record and timeline
    Pages,
    /// Durable appends
    Appends,
    /// Cold start, memory and size
    Start,
    /// Files in and out, on SQLite and a directory
    Files,
    /// Filters, the timeline and the search
    Finding,
}

/// How a run is done, the same for all of its parts.
#[derive(Clone, Debug)]
struct Plan {
    pub rounds: usize,
    pub time: Duration,
    pub connections: Vec<usize>,
    pub writers: Vec<usize>,
    pub pages: Vec<String>,
    pub program: PathBuf,
    /// In bytes.
    pub file_size: u64,
}

fn say(words: &str) {
    eprintln!("benches: {words}");
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(run(arguments)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("failed: {failure}"));
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(mut arguments: Arguments) -> Outcome<()> {
    match arguments.part {
        Some(Part::Bare(bare)) => return bare::serve(bare).await,
        Some(Part::BareFiles(bare)) => return bare_files::serve(bare).await,
        None => {}
    }
    let only_files = arguments.only == [Measure::Files];
    if only_files {
        // Neither the engine nor the household's size has to do with a file's bytes.
        (arguments.engine, arguments.sizes) = (Choice::Sqlite, vec![10_000]);
    }
    let file_size = arguments.file_size.unwrap_or(if only_files && !arguments.quick { 1024 } else { 64 });
    if arguments.quick {
        (arguments.sizes, arguments.rounds, arguments.seconds) = (vec![10_000], 3, 1.0);
        arguments.records = vec![10_000];
        (arguments.connections, arguments.writers) = (vec![8], vec![1, 8]);
    }
    let engines = match arguments.engine {
        Choice::Sqlite => vec![Engine::Sqlite],
        Choice::Postgres => vec![Engine::Postgres],
        Choice::Both => vec![Engine::Sqlite, Engine::Postgres],
    };
    if arguments.only.contains(&Measure::Files) && !engines.contains(&Engine::Sqlite) {
        say("files are measured on SQLite, and left out here: their bytes never go near the database");
    }
    std::fs::create_dir_all(&arguments.folder)?;
    let plan = Plan {
        rounds: arguments.rounds,
        time: Duration::from_secs_f64(arguments.seconds),
        connections: arguments.connections.clone(),
        writers: arguments.writers.clone(),
        pages: arguments.pages.clone(),
        program: arguments.program.clone(),
        file_size: file_size << 20,
    };
    let work = arguments.folder.join(format!("work-{}", std::process::id()));
    std::fs::create_dir_all(&work)?;
    let done = measure(&arguments, &plan, &engines, &work).await;
    let _ = std::fs::remove_dir_all(&work);
    done
}

async fn measure(arguments: &Arguments, plan: &Plan, engines: &[Engine], work: &Path) -> Outcome<()> {
    let mut report = Report::default();
    let mut growth = report::Growth::default();
    about(&mut report, arguments);
    let only_finding = arguments.only == [Measure::Finding];
    for &size in arguments.sizes.iter().filter(|_| !only_finding) {
        let seed = seed::sqlite(&arguments.folder, seed::Much::Events(size), arguments.seed).await?;
        for &engine in engines {
            let place = Place::copy(engine, &seed, work, "program").await?;
            if arguments.seed_only {
                continue;
            }
            report.line(&format!("\n## {} events, {}\n", report::number(size as f64), engine.name()));
            if size <= 20_000 {
                verify(&arguments.program, &place)?;
                report.line("`lifeops verify` finds the seeded installation whole.");
            }
            if arguments.only.contains(&Measure::Start) {
                start::measure(plan, &place, &mut report).await?;
            }
            if arguments.only.contains(&Measure::Pages) {
                pages::measure(plan, &place, size, &mut report, &mut growth).await?;
            }
            if arguments.only.contains(&Measure::Appends) {
                let yardstick = Place::copy(engine, &seed, work, "bare").await?;
                appends::measure(plan, &place, &yardstick, size, &mut report, &mut growth).await?;
            }
            let first = engine == Engine::Sqlite && arguments.sizes.first() == Some(&size);
            if arguments.only.contains(&Measure::Files) && first {
                files::measure(plan, &place, &mut report).await?;
            }
        }
    }
    if arguments.only.contains(&Measure::Finding) {
        for &records in &arguments.records {
            let seed = seed::sqlite(&arguments.folder, seed::Much::Records(records), arguments.seed).await?;
            for &engine in engines {
                let place = Place::seed(engine, &seed).await?;
                if arguments.seed_only {
                    continue;
                }
                report.line(&format!("\n## {} records, {}\n", report::number(records as f64), engine.name()));
                finding::measure(plan, &place, records, &mut report, &mut growth).await?;
            }
        }
    }
    if arguments.seed_only {
        return Ok(());
    }
    growth.write(&mut report);
    let path = arguments.folder.join(format!("report-{}.md", jiff::Zoned::now().strftime("%Y-%m-%d-%H%M%S")));
    std::fs::write(&path, &report.text)?;
    say(&format!("kept as {}", path.display()));
    Ok(())
}

fn about(report: &mut Report, arguments: &Arguments) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    report.line(&format!(
        "{}: {count} × {}, {} rounds of {} s in turns; load average {:.1} at the start; seed {}.",
        jiff::Zoned::now().strftime("%-d %B %Y, %H:%M"),
        model.trim_start_matches([' ', '\t', ':']),
        arguments.rounds,
        arguments.seconds,
        process::load_average(),
        arguments.seed,
    ));
}

fn verify(program: &Path, place: &Place) -> Outcome<()> {
    let mut command = std::process::Command::new(program);
    command.arg("verify").env("LIFEOPS_DATA", &place.directory);
    if let Some(url) = &place.url {
        command.env("LIFEOPS_DATABASE_URL", url);
    }
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("the seeded installation is not whole: {}", String::from_utf8_lossy(&said)).into())
}
