//! Durable appends: notes sent as forms, beside the bare transaction of the same statements in the same order, with the
//! same promises of durability.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use lifeops::commands::notes::{self, NewNote};
use lifeops::domain::access::Actor;
use lifeops::domain::ids::{EventId, RecordId, SubmissionKey};
use lifeops::domain::text::NoteText;
use lifeops::domain::when::Occurred;
use lifeops::store::db::sql;
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use uuid::Uuid;

use crate::load::{self, Ask, Script, Took};
use crate::place::Place;
use crate::process;
use crate::report::{Growth, Report, median, number, range};
use crate::seed::NEIGHBOURS;
use crate::taped::{Bound, Taped};
use crate::words::{Dice, Words};
use crate::{Outcome, Plan, say, visitor};

/// How many records of the big household are written to.
const RECORDS: usize = 200;

/// Where writers write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// Each in a small household of its own.
    Small,
    /// All in the big one, on records of some ten events.
    Big,
    /// On the record with the longest story.
    Long,
}

impl Where {
    /// The household of a writer: the big one is the first, the small ones follow, and then the big one once more.
    fn house(self, writer: usize) -> usize {
        match self {
            Self::Small => writer + 1,
            Self::Big => 0,
            Self::Long => NEIGHBOURS + 1,
        }
    }
}

/// A household that is written to.
struct House {
    actor: Actor,
    records: Vec<RecordId>,
    cookie: String,
}

pub async fn measure(
    plan: &Plan,
    place: &Place,
    yardstick: &Place,
    size: usize,
    report: &mut Report,
    growth: &mut Growth,
) -> Outcome<()> {
    let first = Ask { status: 303, ..Ask::page("/records") };
    let program = process::program(&plan.program, place, &first).await?;
    let app = place.open().await?;
    let mut houses = Vec::new();
    for n in 0..=NEIGHBOURS {
        let name = if n == 0 { "ana".to_owned() } else { format!("n{}", n - 1) };
        let actor = visitor::actor(&app, &name).await?;
        let events = if n == 0 { (10, 14) } else { (4, 4) };
        let records = visitor::records(&app, &actor, events, RECORDS).await?;
        houses.push(House { actor, records, cookie: visitor::sign_in(program.address, &name).await? });
    }
    let (longest, events) = visitor::longest(&app, &houses[0].actor).await?;
    let big = &houses[0];
    houses.push(House { actor: big.actor.clone(), records: vec![longest], cookie: big.cookie.clone() });
    app.db.close().await;
    let bare = Bare::new(yardstick, &houses).await?;
    let houses = Arc::new(houses);
    report.heading("Durable appends");
    report.line(
        "Each note's words are found by the search when the answer is there: its record's entry is written anew.\n",
    );
    report.columns(&[
        "writers",
        "appends/s",
        "p50 ms",
        "p99 ms",
        "CPU µs/append",
        "bare appends/s",
        "bare p50 ms",
        "bare p99 ms",
        "**ratio** (range)",
    ]);
    let probe = (process::load_average(), process::disk(&place.directory)?);
    for at in [Where::Small, Where::Big, Where::Long] {
        let alone = [1];
        let all = if at == Where::Long { &alone[..] } else { &plan.writers[..] };
        for &writers in all {
            if writers > NEIGHBOURS {
                return Err(format!("there are {NEIGHBOURS} households to write to, not {writers}").into());
            }
            let script = script(&houses, at);
            let mut rounds = Vec::new();
            let warm = plan.time / 6;
            load::run(program.address, writers, warm, Arc::clone(&script)).await?;
            bare.run(writers, at, warm).await?;
            for round in 0..plan.rounds {
                let mut theirs = None;
                if round % 2 == 1 {
                    theirs = Some(bare.run(writers, at, plan.time).await?);
                }
                let before = program.cpu();
                let ours = load::run(program.address, writers, plan.time, Arc::clone(&script)).await?;
                let cpu = (program.cpu() - before) as f64 / ours.answers.max(1) as f64;
                let theirs = match theirs {
                    Some(theirs) => theirs,
                    None => bare.run(writers, at, plan.time).await?,
                };
                rounds.push((ours, theirs, cpu));
            }
            let words = match (writers, at) {
                (1, Where::Small) => "1 in a small household".to_owned(),
                (n, Where::Small) => format!("{n} in as many households"),
                (n, Where::Big) => format!("{n} in the big household"),
                (n, Where::Long) => format!("{n} on a record of {} events", number(events as f64)),
            };
            row(report, &words, &rounds);
            if at == Where::Big {
                let p50: Vec<f64> = rounds.iter().map(|(a, _, _)| a.within(0.5)).collect();
                growth.note(place.engine.name(), &format!("append, {writers} at once"), size, median(&p50));
            }
        }
    }
    report.line(&format!(
        "\nLoad average {:.1} before, {:.1} after; a durable write of 4 KiB takes {:.2} and {:.2} ms.",
        probe.0,
        process::load_average(),
        probe.1,
        process::disk(&place.directory)?
    ));
    bare.close().await;
    Ok(())
}

fn row(report: &mut Report, words: &str, rounds: &[(Took, Took, f64)]) {
    let of = |read: &dyn Fn(&(Took, Took, f64)) -> f64| number(median(&rounds.iter().map(read).collect::<Vec<_>>()));
    let ratios: Vec<f64> = rounds.iter().map(|(a, b, _)| a.per_second() / b.per_second()).collect();
    let (least, most) = range(&ratios);
    report.row(&[
        words.to_owned(),
        of(&|(a, _, _)| a.per_second()),
        of(&|(a, _, _)| a.within(0.5)),
        of(&|(a, _, _)| a.within(0.99)),
        of(&|(_, _, cpu)| *cpu),
        of(&|(_, b, _)| b.per_second()),
        of(&|(_, b, _)| b.within(0.5)),
        of(&|(_, b, _)| b.within(0.99)),
        format!("**{:.2}** ({least:.2}–{most:.2})", median(&ratios)),
    ]);
}

/// Each form is a new note on a record picked at random, under a key of its own.
fn script(houses: &Arc<Vec<House>>, place: Where) -> Script {
    let (words, mut dice) = (Words::new(), Dice::new(7));
    let texts: Vec<String> = (0..500).map(|_| words.note(&mut dice)).collect();
    let houses = Arc::clone(houses);
    Arc::new(move |writer, n| {
        let house = &houses[place.house(writer)];
        let mut dice = Dice::new((writer * 1_000_003 + n) as u64);
        let key = SubmissionKey::new().to_string();
        let form = visitor::encode(&[
            ("submission", &key),
            ("text", &texts[dice.below(texts.len())]),
            ("occurred", "today"),
            ("occurred_time", ""),
            ("amount", "12.50"),
            ("currency", "EUR"),
            ("reading", ""),
            ("unit", ""),
        ]);
        Ask::form(format!("/records/{}/notes", dice.pick(&house.records)), form).by(&house.cookie)
    })
}

/// The bare transactions.
#[derive(Clone)]
struct Bare {
    pool: Pool,
    houses: Arc<Vec<Replay>>,
}

#[derive(Clone)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// One real append, taped, and what in it must be new each time.
struct Replay {
    statements: Vec<Taped>,
    record: Uuid,
    event: Uuid,
    key: Uuid,
    position: i64,
    version: i64,
    /// The records that are written to, with their versions.
    records: Vec<(Uuid, AtomicI64)>,
}

impl Bare {
    async fn new(place: &Place, houses: &[House]) -> Outcome<Self> {
        let app = place.open().await?;
        let mut replays = Vec::new();
        for house in houses {
            replays.push(Replay::tape(&app, house).await?);
        }
        app.db.close().await;
        let pool = match &place.url {
            Some(url) => Pool::Postgres(PgPoolOptions::new().max_connections(10).connect(url).await?),
            None => {
                // As the program opens its one writer.
                let options = SqliteConnectOptions::new()
                    .filename(place.directory.join("lifeops.db"))
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .pragma("recursive_triggers", "on");
                Pool::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?)
            }
        };
        Ok(Self { pool, houses: Arc::new(replays) })
    }

    async fn run(&self, writers: usize, place: Where, time: std::time::Duration) -> Outcome<Took> {
        let started = Instant::now();
        let mut tasks = Vec::new();
        for writer in 0..writers {
            let bare = self.clone();
            tasks.push(tokio::spawn(async move {
                let mut times = Vec::new();
                let mut dice = Dice::new(writer as u64);
                while started.elapsed() < time {
                    let begun = Instant::now();
                    let done = bare.append(&bare.houses[place.house(writer)], &mut dice).await;
                    done.map_err(|e| e.to_string())?;
                    times.push(begun.elapsed().as_secs_f64() * 1000.0);
                }
                Ok::<_, String>(times)
            }));
        }
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await??);
        }
        Ok(Took::of(times, started.elapsed().as_secs_f64()))
    }

    async fn append(&self, replay: &Replay, dice: &mut Dice) -> Outcome<()> {
        let (first, rest) = replay.statements.split_first().ok_or("nothing was taped")?;
        match &self.pool {
            Pool::Sqlite(pool) => {
                let mut tx = pool.begin_with("begin immediate").await?;
                let held = first.sqlite()?.fetch_one(&mut *tx).await?;
                for statement in replay.again(rest, held.try_get("position")?, dice) {
                    if returns(&statement) {
                        statement.sqlite()?.fetch_all(&mut *tx).await?;
                    } else {
                        statement.sqlite()?.execute(&mut *tx).await?;
                    }
                }
                tx.commit().await?;
            }
            Pool::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                let held = first.postgres()?.fetch_one(&mut *tx).await?;
                for statement in replay.again(rest, held.try_get("position")?, dice) {
                    if returns(&statement) {
                        statement.postgres()?.fetch_all(&mut *tx).await?;
                    } else {
                        statement.postgres()?.execute(&mut *tx).await?;
                    }
                }
                tx.commit().await?;
            }
        }
        Ok(())
    }

    async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

fn returns(statement: &Taped) -> bool {
    statement.text.trim_start().starts_with("select") || statement.text.contains("returning")
}

impl Replay {
    async fn tape(app: &lifeops::app::App, house: &House) -> Outcome<Self> {
        let (actor, record) = (&house.actor, house.records[0]);
        let key = SubmissionKey::new();
        let note = NewNote {
            text: NoteText::parse("Filter replaced by hand. The old one was dirty and the new one is tight.")?,
            occurred: Occurred::day(app.clock.now().local(&jiff::tz::TimeZone::UTC).date().yesterday()?),
            amount: None,
            reading: None,
        };
        app.db.meter().record(true);
        let written = notes::add(app, actor, key, record, note).await;
        let taped = app.db.meter().record(false);
        let written = written?;
        let position = sql("select position from household where id = $1").bind(actor.household).one(&app.db).await?;
        let versions: HashMap<Uuid, i64> = sql("select id, version from record_view where household_id = $1")
            .bind(actor.household)
            .all(&app.db)
            .await?
            .iter()
            .map(|row| Ok((row.uuid("id")?, row.int("version")?)))
            .collect::<Outcome<_>>()?;
        let replay = Self {
            statements: taped.iter().map(Taped::from).collect(),
            record: record.0,
            event: written.event.ok_or("nothing was written")?.0,
            key: key.0,
            position: position.int("position")?,
            version: written.version,
            records: house.records.iter().map(|id| (id.0, AtomicI64::new(versions[&id.0]))).collect(),
        };
        if house.records.len() > 20 {
            say(&format!("an append is {} statements", replay.statements.len()));
        }
        replay.check()?;
        Ok(replay)
    }

    /// Fails if the tape is not what [`Self::again`] takes it for.
    fn check(&self) -> Outcome<()> {
        let held = self.statements.first().is_some_and(|first| first.text.contains("update household"));
        let count = |wanted: &Bound| self.statements.iter().flat_map(|s| &s.values).filter(|v| *v == wanted).count();
        let position = count(&Bound::Int(Some(self.position)));
        let version = count(&Bound::Int(Some(self.version)));
        match held && position >= 4 && version >= 3 && self.version > 4 && self.position != self.version {
            true => Ok(()),
            false => Err("an append is not what the yardstick takes it for: look at benches/appends.rs".into()),
        }
    }

    /// The statements after the first, for the next event of a record picked at random.
    fn again(&self, rest: &[Taped], last: i64, dice: &mut Dice) -> Vec<Taped> {
        let (record, version) = &self.records[dice.below(self.records.len())];
        let version = version.fetch_add(1, Ordering::Relaxed) + 1;
        let (event, key) = (EventId::new().0, SubmissionKey::new().0);
        let fresh = |value: &Bound| match value {
            Bound::Uuid(Some(id)) if *id == self.record => Bound::Uuid(Some(*record)),
            Bound::Uuid(Some(id)) if *id == self.event => Bound::Uuid(Some(event)),
            Bound::Uuid(Some(id)) if *id == self.key => Bound::Uuid(Some(key)),
            Bound::Int(Some(n)) if *n == self.position => Bound::Int(Some(last + 1)),
            Bound::Int(Some(n)) if *n == self.version => Bound::Int(Some(version)),
            other => other.clone(),
        };
        let renewed = |s: &Taped| Taped { text: s.text.clone(), values: s.values.iter().map(fresh).collect() };
        rest.iter().map(renewed).collect()
    }
}
