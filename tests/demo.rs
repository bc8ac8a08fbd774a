//! The demo household: what stands in it, who sees what of it, and that a throw-away one is gone afterwards.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lifeops::app::{App, Clock};
use lifeops::domain::event::Payload;
use lifeops::domain::ids::HouseholdId;
use lifeops::domain::instant::Instant;
use lifeops::passwords::Password;
use lifeops::store::compare::TABLES;
use lifeops::store::db::{Db, sql};
use lifeops::upkeep::demo::{self, Filled};
use lifeops::upkeep::rebuild;
use lifeops::web::look::BUILT_IN;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Engine, PASSWORD, Place, Program, Visitor, audit, command, eventually, run, settings};

/// An evening on which the whole of most stories has happened.
const TODAY: &str = "2026-11-23T21:00:00.000000Z";

async fn filled_at(place: &Place, clock: Clock) -> (App, Filled) {
    let app = App::open(settings(place), clock).await.unwrap();
    let filled = demo::fill(&app, &Password::parse(PASSWORD).unwrap(), &|_, _| ()).await.unwrap();
    (app, filled)
}

fn at(instant: &str) -> Clock {
    Clock::fixed(Instant::parse(instant).unwrap())
}

/// An event as the ledger has it.
struct Entry {
    kind: String,
    payload: Value,
    occurred: String,
    recorded: String,
    actor: Option<Uuid>,
    event: Uuid,
}

async fn entries(db: &Db) -> Vec<Entry> {
    let rows =
        sql("select kind, payload, occurred, recorded_at, actor_id, event_id from record_events order by position");
    let rows = rows.all(db).await.unwrap();
    let entry = |row: &lifeops::store::db::Row| Entry {
        kind: row.text("kind").unwrap(),
        payload: serde_json::from_slice(&row.bytes("payload").unwrap()).unwrap(),
        occurred: row.text("occurred").unwrap(),
        recorded: row.instant("recorded_at").unwrap().to_string(),
        actor: row.uuid("actor_id").ok(),
        event: row.uuid("event_id").unwrap(),
    };
    rows.iter().map(entry).collect()
}

/// How often each of some words occurs.
fn counted<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

async fn projections(app: &App, household: Uuid) -> Vec<String> {
    let mut all = Vec::new();
    for table in TABLES {
        let rows = table.rows(&app.db, HouseholdId(household), Uuid::nil(), Uuid::max()).await.unwrap();
        all.extend(rows.into_iter().map(|(key, row)| format!("{} {key} {row:?}", table.name())));
    }
    all
}

both_engines! {
    async fn it_has_something_of_everything_and_is_whole(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, filled) = filled_at(&place, at(TODAY)).await;
        let entries = entries(&app.db).await;
        assert_eq!(filled.events, entries.len() as i64);
        assert!((400..=550).contains(&entries.len()), "{} events", entries.len());
        assert!((40..=50).contains(&filled.records), "{} records", filled.records);

        // Every kind that a member's own doing can bring about; people are looked after elsewhere.
        let kinds = counted(entries.iter().map(|entry| entry.kind.as_str()));
        let elsewhere = ["household_renamed", "record_handed_over"];
        let of_people = |kind: &str| kind.starts_with("member_") || elsewhere.contains(&kind);
        let mut missing = Payload::KINDS.iter().filter(|kind| !kinds.contains_key(**kind));
        assert_eq!(missing.find(|kind| !of_people(kind)), None);
        assert!(kinds["note_added"] * 2 > entries.len(), "most events are notes: {kinds:?}");

        let precision = |length| entries.iter().filter(|entry| entry.occurred.len() == length).count();
        let precisions = [4, 7, 10, 16].map(precision);
        assert!(precisions.iter().all(|n| *n >= 3), "years, months, days and minutes: {precisions:?}");
        let currencies = counted(entries.iter().filter_map(|entry| entry.payload["amount"]["currency"].as_str()));
        assert!(["EUR", "CHF", "GBP", "JPY", "USD"].iter().all(|code| currencies.contains_key(*code)), "{currencies:?}");
        let refunds = entries.iter().filter_map(|entry| entry.payload["amount"]["minor"].as_str());
        assert!(refunds.filter(|minor| minor.starts_with('-')).count() >= 3);
        let units = counted(entries.iter().filter_map(|entry| entry.payload["reading"]["unit"].as_str()));
        assert!(["km", "kWh", "kg"].iter().all(|unit| units.contains_key(*unit)), "{units:?}");
        let facts = entries.iter().flat_map(|entry| [&entry.payload["fields"], &entry.payload["fields_set"]]);
        let types = counted(facts.filter_map(Value::as_array).flatten().filter_map(|fact| fact["type"].as_str()));
        assert_eq!(types.keys().collect::<Vec<_>>(), ["date", "link", "money", "number", "text"]);
        let categories = counted(entries.iter().filter_map(|entry| entry.payload["category"].as_str()));
        assert!(BUILT_IN.iter().all(|(name, ..)| categories.contains_key(*name)), "{categories:?}");
        assert!(categories.len() >= BUILT_IN.len() + 5, "{categories:?}");

        let of_kind = |kind: &'static str| entries.iter().filter(move |entry| entry.kind == kind);
        assert!(of_kind("record_updated").any(|entry| entry.payload["corrects"].is_string()), "a value that was wrong");
        let undoings: Vec<Uuid> = of_kind("event_retracted").map(|entry| entry.event).collect();
        let brings_back = |entry: &Entry| {
            entry.payload["event_id"].as_str().is_some_and(|id| undoings.contains(&id.parse().unwrap()))
        };
        assert!(of_kind("event_retracted").any(brings_back), "an undoing that was undone");
        let late = |entry: &&Entry| {
            let year = |text: &str| text[..4].parse::<i32>().unwrap();
            year(&entry.recorded) - year(&entry.occurred) >= 5
        };
        assert!(entries.iter().filter(late).count() >= 5, "told long afterwards");
        let writers = counted(entries.iter().filter_map(|entry| entry.actor).map(|id| id.to_string()).collect::<Vec<_>>().iter().map(String::as_str));
        assert_eq!(writers.len(), 2, "the viewer writes nothing: {writers:?}");
        assert!(writers.values().all(|n| *n > 150), "{writers:?}");
        let views = sql("select deleted, visibility from record_view").all(&app.db).await.unwrap();
        assert_eq!(views.iter().filter(|row| row.bool("deleted").unwrap()).count(), 1);
        assert_eq!(views.iter().filter(|row| row.text("visibility").unwrap() == "private").count(), 4);

        // Its papers are there, open, and have their small pictures.
        let papers = sql("select media_type, standing from attachment").all(&app.db).await.unwrap();
        let (there, away): (Vec<_>, Vec<_>) = papers.iter().partition(|row| row.text("standing").unwrap() == "present");
        assert!(there.len() >= 8 && away.len() >= 2, "{} and {}", there.len(), away.len());
        let types = counted(there.iter().map(|row| row.text("media_type").unwrap()).collect::<Vec<_>>().iter().map(String::as_str));
        for known in ["application/pdf", "image/jpeg", "image/png", "image/webp", "text/plain"] {
            assert!(types.contains_key(known), "{types:?}");
        }

        audit(&app).await;
        let household = sql("select id from household").one(&app.db).await.unwrap().uuid("id").unwrap();
        let before = projections(&app, household).await;
        rebuild::all(&app, &|_, _| ()).await.unwrap();
        assert_eq!(projections(&app, household).await, before);
    }

    async fn it_moves_only_into_an_empty_installation(engine: Engine) {
        let place = Place::empty(engine).await;
        let add = ["user", "add", "ana@home.example", "--name", "Ana", "--new-household", "The Lindens"];
        assert!(run(&place, &add, PASSWORD).0);
        for arguments in [&[][..], &["--no-serve"]] {
            let (went_well, said) = fill(&place, arguments);
            assert!(!went_well && said.contains("This installation is not empty"), "{said}");
            assert!(!said.contains("inside failed"), "{said}");
        }
        let (_, list) = run(&place, &["user", "list"], "");
        assert_eq!(list.lines().count(), 1, "{list}");
        let other = Place::empty(engine).await;
        let (went_well, said) = fill(&other, &["--no-serve", "--password", "short"]);
        assert!(!went_well && said.contains("12 characters"), "{said}");
        assert!(fill(&other, &["--no-serve"]).0);
        assert!(!fill(&other, &["--no-serve"]).0, "nor into itself");
    }

    async fn each_sees_what_each_may(engine: Engine) {
        let place = Place::empty(engine).await;
        let (went_well, said) = fill(&place, &["--no-serve"]);
        assert!(went_well && said.contains("has moved in, with 4"), "{said}");
        assert!(run(&place, &["verify"], "").1.contains("all as they were written"));
        let db = place.open().await;
        let private = sql("select v.id, v.title, m.name from record_view as v
                           join member as m on m.household_id = v.household_id and m.id = v.owner_id
                           where v.visibility = 'private'");
        let private: Vec<(Uuid, String, String)> = private.all(&db).await.unwrap().iter()
            .map(|row| (row.uuid("id").unwrap(), row.text("title").unwrap(), row.text("name").unwrap()))
            .collect();
        db.close().await;
        assert!(["Helen", "Owen", "Nell"].iter().all(|name| private.iter().any(|(.., owner)| owner == name)), "{private:?}");

        let program = Program::serve(&place).await;
        for (name, may_write) in [("Helen", true), ("Owen", true), ("Nell", false)] {
            let visitor = program.visitor();
            sign_in(&visitor, name, &password_in(&said)).await;
            let list = visitor.open("/records").await;
            assert_eq!(list.find_link("New record").is_some(), may_write, "{name}");
            let record = visitor.open(&list.link("Home insurance")).await;
            assert_eq!(record.find_form("Add to the story").is_some(), may_write, "{name}");
            let (mut shown, mut next) = (String::new(), Some("/records".to_owned()));
            while let Some(path) = next {
                let page = visitor.open(&path).await;
                shown += &page.text();
                next = page.find_link("Older records");
            }
            assert!(shown.contains("Christmas cake") && shown.contains("Whin Cottage"), "{name}: {shown}");
            for (id, title, owner) in &private {
                let expected = if owner == name { 200 } else { 404 };
                for path in [format!("/records/{id}"), format!("/records/{id}/history")] {
                    visitor.get(&path).await.expect(expected);
                }
                assert_eq!(shown.contains(title.as_str()), owner == name, "{title} of {owner}, seen by {name}");
            }
        }
    }

    async fn it_is_fresh_on_any_day(engine: Engine) {
        for today in ["2027-01-01T00:30:00.000000Z", "2028-02-29T12:00:00.000000Z", "2026-12-31T23:59:00.000000Z"] {
            holds_on(engine, at(today)).await;
        }
        holds_on(engine, Clock::System).await;
    }
}

async fn holds_on(engine: Engine, clock: Clock) {
    let place = Place::empty(engine).await;
    let (app, filled) = filled_at(&place, clock).await;
    let now = app.clock.now();
    let entries = entries(&app.db).await;
    let last = entries.last().unwrap();
    let age = now.seconds_since(Instant::parse(&last.recorded).unwrap());
    assert!((0..16 * 86_400).contains(&age), "the last event of {now} is of {}", last.recorded);
    let year = now.to_string()[..4].parse::<i32>().unwrap();
    assert!(entries[0].recorded.starts_with(&(year - 10).to_string()), "{now}: {}", entries[0].recorded);
    assert!((360..=550).contains(&entries.len()) && filled.records >= 40, "{now}: {filled:?}");
    // At home the clock may be an hour ahead of UTC.
    let here = now.plus_seconds(3600).to_string();
    assert!(entries.iter().all(|entry| entry.occurred.as_str() <= here.as_str()), "{now}");
    assert_eq!(filled.people.len(), 3);
    audit(&app).await;
}

async fn sign_in(visitor: &Visitor, name: &str, password: &str) {
    let email = format!("{}@example.org", name.to_lowercase());
    let form = visitor.open("/sign-in").await.form("Sign in").fill("email", &email).fill("password", password);
    visitor.submit(&form, "Sign in").await.expect_words("Sign out");
}

/// Fills a place that the command line names.
fn fill(place: &Place, arguments: &[&str]) -> (bool, String) {
    let directory = place.directory().to_str().unwrap().to_owned();
    let mut line = vec!["demo", "--data", &directory];
    let url = place.url();
    if let Some(url) = &url {
        line.extend(["--database-url", url.as_str()]);
    }
    line.extend(arguments);
    run(place, &line, "")
}

/// The password in what the program printed.
fn password_in(said: &str) -> String {
    let (_, rest) = said.split_once("Password: ").unwrap_or_else(|| panic!("no password: {said}"));
    rest.lines().next().unwrap().to_owned()
}

/// A throw-away household that is being served.
struct ThrowAway {
    child: Child,
    /// Where the system keeps temporary files, for this one.
    temporary: tempfile::TempDir,
}

impl ThrowAway {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let child = command(place, &[&["demo"], arguments].concat())
            // As in the image: where the real household lives is no place for a demo.
            .env("LIFEOPS_DATA", place.directory().join("real"))
            .env("LIFEOPS_DATABASE_URL", format!("sqlite:{}", place.directory().join("real.db").display()))
            .env("LIFEOPS_LISTEN", "127.0.0.1:0")
            .env("TMPDIR", temporary.path())
            .current_dir(place.directory())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(place.directory().join("demo.log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, temporary }
    }

    /// What it prints, up to the password, and the address in it.
    fn printed(&mut self) -> (String, SocketAddr) {
        let mut said = String::new();
        let mut out = BufReader::new(self.child.stdout.take().unwrap());
        while !said.contains("Password: ") {
            assert!(out.read_line(&mut said).unwrap() > 0, "{said}");
        }
        let (_, rest) = said.split_once("http://").unwrap();
        let address = rest.split('/').next().unwrap().parse().unwrap();
        (said, address)
    }

    fn directories(&self) -> Vec<PathBuf> {
        list(self.temporary.path())
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn list(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_throw_away_household_is_gone_afterwards() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::empty(Engine::Sqlite).await;
    for (signal, arguments) in [("-TERM", &[][..]), ("-INT", &["--password", PASSWORD])] {
        let mut demo = ThrowAway::start(&place, arguments);
        let (said, address) = demo.printed();
        let home = demo.directories();
        assert_eq!(home.len(), 1, "{home:?}");
        assert_eq!(std::fs::metadata(&home[0]).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(said.contains("throw-away") && said.contains(home[0].to_str().unwrap()), "{said}");
        assert!(!home[0].join("master.key").exists(), "its key is in memory alone");
        let visitor = Visitor::new(address);
        sign_in(&visitor, "Nell", &password_in(&said)).await;
        if !arguments.is_empty() {
            assert_eq!(password_in(&said), PASSWORD);
        }
        demo.signal(signal);
        assert!(demo.child.wait().unwrap().success());
        assert_eq!(demo.directories(), Vec::<PathBuf>::new());
    }
    // It left nothing where it was started.
    let beside = list(place.directory());
    assert_eq!(beside, [place.directory().join("demo.log")]);
}

#[tokio::test]
async fn a_throw_away_household_is_gone_also_after_a_hurried_end() {
    let place = Place::empty(Engine::Sqlite).await;
    // While it is still being filled.
    let mut demo = ThrowAway::start(&place, &[]);
    eventually("the directory is made", || !demo.directories().is_empty());
    demo.signal("-TERM");
    assert!(demo.child.wait().unwrap().success());
    let mut said = String::new();
    demo.child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("Password"), "{said}");
    assert_eq!(demo.directories(), Vec::<PathBuf>::new());
    // With a second signal, because somebody's request does not end.
    let mut demo = ThrowAway::start(&place, &[]);
    let (_, address) = demo.printed();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /sign-in HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: 9\r\nexpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    stream.read_exact(&mut [0; 25]).unwrap();
    demo.signal("-INT");
    eventually("it does not listen any more", || TcpStream::connect(address).is_err());
    demo.signal("-INT");
    assert_eq!(demo.child.wait().unwrap().code(), Some(1));
    assert_eq!(demo.directories(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_throw_away_household_that_nobody_serves_is_refused() {
    let place = Place::empty(Engine::Sqlite).await;
    let mut demo = ThrowAway::start(&place, &["--no-serve"]);
    assert_eq!(demo.child.wait().unwrap().code(), Some(1));
    let said = std::fs::read_to_string(place.directory().join("demo.log")).unwrap();
    assert!(said.contains("Name a place to fill") && demo.directories().is_empty(), "{said}");
}
