//! The ledger's own promises: it cannot be changed, its positions have no gaps, what it costs does not grow, and how each
//! list is read.

use lifeops::app::App;
use lifeops::commands::notes::{self, NewNote};
use lifeops::commands::records::{self, NewRecord};
use lifeops::domain::access::{Actor, Via, Visibility};
use lifeops::domain::chain;
use lifeops::domain::event::{Event, NoteAdded, Payload};
use lifeops::domain::ids::{EventId, RecordId, SubmissionKey};
use lifeops::domain::instant::Instant;
use lifeops::domain::text::{Category, NoteText, Tag, Title};
use lifeops::domain::when::Occurred;
use lifeops::error::Error;
use lifeops::store::db::{Db, DbError, Engine as Kind, Sql, rows_of, sql};
use lifeops::store::filter::{self, Cursor, Entered, Filter, Key, Sort, Time};
use lifeops::store::history::{self, Cursor as StoryCursor};
use lifeops::store::ledger::{self, Origin};
use lifeops::store::projection::Projector;
use lifeops::store::streams;
use lifeops::store::surroundings;
use lifeops::store::views;
use uuid::Uuid;

use crate::properties::{House, house};
use crate::support::Engine;

fn today() -> Occurred {
    Occurred::parse_iso("2026-11-22").unwrap()
}

pub async fn record(app: &App, actor: &Actor, title: &str, visibility: Visibility) -> RecordId {
    let new = NewRecord {
        title: Title::parse(title).unwrap(),
        category: Category::parse("Car").ok(),
        description: None,
        tags: vec![Tag::parse("garden").unwrap()],
        fields: Vec::new(),
        visibility,
        occurred: today(),
        external: None,
    };
    records::create(app, actor, SubmissionKey::new(), new).await.unwrap().record
}

pub fn note(text: &str) -> NewNote {
    NewNote { text: NoteText::parse(text).unwrap(), occurred: today(), amount: None, reading: None }
}

both_engines! {
    async fn the_database_refuses_to_change_an_event(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        record(&app, &actors[0], "Corolla", Visibility::Household).await;
        let before = events(&app, &actors[0]).await;
        let mut attempts = vec![
            "update record_events set kind = 'x' where position = 1",
            "update record_events set payload = payload",
            "delete from record_events where position = 1",
            "delete from record_events",
        ];
        match engine {
            Engine::Postgres => attempts.extend(["truncate record_events", "truncate record_events cascade"]),
            Engine::Sqlite => attempts.extend([
                "insert or replace into record_events select * from record_events where position = 1",
                "replace into record_events select * from record_events",
                "update or replace record_events set position = 1 where position = 2",
            ]),
        }
        for attempt in attempts {
            let refused = sql(attempt).run(&app.db).await;
            assert!(matches!(refused, Err(DbError::Guarded(_))), "{attempt}: {refused:?}");
        }
        assert_eq!(events(&app, &actors[0]).await, before);
    }

    async fn a_foreign_key_in_the_wrong_place_is_refused(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        record(&app, &actors[0], "Corolla", Visibility::Household).await;
        let event = events(&app, &actors[0]).await.pop().unwrap();
        // The same position, the same version of a stream, the same event: the database has the last word.
        for change in [0, 1, 2] {
            let mut copy = event.clone();
            copy.position += i64::from(change != 0) * 10;
            copy.version += i64::from(change != 1) * 10;
            copy.event = if change == 2 { copy.event } else { EventId::new() };
            let refused = insert_raw(&app.db, &copy).await;
            assert!(matches!(refused, Err(DbError::Unique(_) | DbError::Guarded(_))), "{change}: {refused:?}");
        }
    }

    async fn replay_takes_only_what_follows(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        let last = events(&app, &actors[0]).await.pop().unwrap();
        let follow = |change: fn(&mut Event)| {
            let mut next = Event { position: last.position + 1, version: last.version + 1, event: EventId::new(), ..last.clone() };
            next.hash = chain::link(&last.hash, &chain::leaf(&next));
            change(&mut next);
            next
        };
        let broken: [fn(&mut Event); 5] = [
            |event| event.position += 1,
            |event| event.payload.push(b' '),
            |event| event.hash[0] ^= 1,
            |event| event.recorded = event.recorded.plus_seconds(-3600),
            |event| event.household = lifeops::domain::ids::HouseholdId::new(),
        ];
        for (n, change) in broken.into_iter().enumerate() {
            let mut tx = app.db.begin().await.unwrap();
            let mut hold = ledger::hold(&mut tx, actors[0].household).await.unwrap();
            let refused = ledger::replay(&mut tx, &mut hold, &[follow(change)]).await;
            assert!(matches!(refused, Err(Error::Refused(_))), "{n}: {refused:?}");
        }
        let mut tx = app.db.begin().await.unwrap();
        let mut hold = ledger::hold(&mut tx, actors[0].household).await.unwrap();
        ledger::replay(&mut tx, &mut hold, &[follow(|_| {})]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn a_clock_far_behind_the_ledger_stops_appends(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        let car = record(&app, &actors[0], "Corolla", Visibility::Household).await;
        app.clock.advance(-200);
        notes::add(&app, &actors[0], SubmissionKey::new(), car, note("a little behind")).await.unwrap();
        let all = events(&app, &actors[0]).await;
        assert!(all.windows(2).all(|pair| pair[0].recorded <= pair[1].recorded), "recorded never goes backwards");
        app.clock.advance(-200);
        let refused = notes::add(&app, &actors[0], SubmissionKey::new(), car, note("far behind")).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        app.clock.advance(400);
        notes::add(&app, &actors[0], SubmissionKey::new(), car, note("right again")).await.unwrap();
    }

    /// A payload of an older version, from the ledger to the story.
    async fn an_older_payload_is_read_as_if_it_were_new(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        let actor = &actors[0];
        let car = record(&app, actor, "Corolla", Visibility::Household).await;
        let last = events(&app, actor).await.pop().unwrap();
        let bytes = br#"{"note":"As it was written once"}"#.to_vec();
        let mut old = Event {
            position: last.position + 1,
            version: last.version + 1,
            event: EventId::new(),
            kind: "note_added".into(),
            payload_version: 0,
            payload: bytes.clone(),
            ..last.clone()
        };
        old.hash = chain::link(&last.hash, &chain::leaf(&old));
        let mut tx = app.db.begin().await.unwrap();
        let mut hold = ledger::hold(&mut tx, actor.household).await.unwrap();
        ledger::replay(&mut tx, &mut hold, std::slice::from_ref(&old)).await.unwrap();
        Projector::default().project(&mut tx, std::slice::from_ref(&old)).await.unwrap();
        tx.commit().await.unwrap();
        let story = history::history(&app.db, actor, car, &StoryCursor::Newest, 25, 0).await.unwrap();
        let told = story.entries.iter().find(|entry| entry.event == old.event).unwrap();
        assert!(matches!(&told.payload, Payload::NoteAdded(note) if note.text.as_str() == "As it was written once"));
        let view = views::record(&app.db, actor, car).await.unwrap();
        assert_eq!(view.summary.text, "As it was written once");
        let kept = streams::event(&app.db, actor.household, car, old.event).await.unwrap();
        assert_eq!(kept.payload, bytes, "what is stored stays as it was hashed");
        let found = lifeops::upkeep::verify::all(&app, &[], &|_, _| {}).await.unwrap();
        assert!(found.is_well(), "{found:?}");
    }

    /// Statements and rows, not time: the same in a stream of ten events and in one of a hundred thousand.
    async fn an_append_costs_the_same_in_a_long_stream(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        let actor = &actors[1];
        let short = record(&app, actor, "Short", Visibility::Household).await;
        let long = record(&app, actor, "Long", Visibility::Household).await;
        for n in 0..9 {
            notes::add(&app, actor, SubmissionKey::new(), short, note(&n.to_string())).await.unwrap();
        }
        fill(&app.db, actor, 5_000).await;
        lengthen(&app, actor, long, 100_000).await;
        let mut costs = Vec::new();
        for record in [short, long] {
            let meter = app.db.meter();
            let (statements, rows) = (meter.statements(), meter.rows());
            meter.record(true);
            notes::add(&app, actor, SubmissionKey::new(), record, note("one more")).await.unwrap();
            let version = views::record(&app.db, actor, record).await.unwrap().state.version;
            let seen = views::record(&app.db, actor, record).await.unwrap();
            records::edit(&app, actor, SubmissionKey::new(), record, renamed(&seen, version)).await.unwrap();
            history::history(&app.db, actor, record, &StoryCursor::Newest, 9, 0).await.unwrap();
            let tape = meter.record(false);
            costs.push((meter.statements() - statements, meter.rows() - rows));
            for statement in tape.iter().filter(|s| !s.text().trim_start().starts_with("insert")) {
                expect_no_walk(statement.text(), &plan_when_large(&app.db, statement.clone()).await);
            }
        }
        assert_eq!(costs[0], costs[1], "statements and rows in a stream of 10 and of 100,000");
        assert!(costs[0].0 <= 44, "{costs:?}");
    }

    async fn each_list_is_read_down_its_index(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        let actor = &actors[0];
        // Events as well, because a list names who did the latest.
        let long = record(&app, actor, "Long", Visibility::Household).await;
        lengthen(&app, actor, long, 5_000).await;
        fill(&app.db, actor, 20_000).await;
        let filters = [
            ("nothing", Filter::default()),
            ("category", Filter { category: Some("car".into()), ..Filter::default() }),
            ("tag", Filter { tags: vec!["Garden".into()], ..Filter::default() }),
            ("any tag", Filter { tags: vec!["Garden".into(), "Kitchen".into()], any_tag: true, ..Filter::default() }),
            ("both", Filter { tags: vec!["Garden".into()], category: Some("Car".into()), ..Filter::default() }),
            ("files", Filter { files: true, ..Filter::default() }),
            ("by", Filter { by: Some(actor.member), ..Filter::default() }),
            ("range", Filter { from: Occurred::parse_iso("2020").ok(), until: Occurred::parse_iso("2020-06").ok(), ..Filter::default() }),
            ("entered", Filter { from: Occurred::parse_iso("1969").ok(), time: Time::Recorded, ..Filter::default() }),
            ("deleted", Filter { deleted: true, ..Filter::default() }),
        ];
        let entered = Entered { from: Some(Instant::from_micros(-1)), until: None };
        for ((name, filter), sort) in filters.iter().flat_map(|f| [Sort::Activity, Sort::Happened, Sort::Title].map(|sort| (f, sort))) {
            let filter = Filter { sort, ..filter.clone() };
            let edge = match sort {
                Sort::Activity => Key::Activity(15_000),
                Sort::Happened => Key::Happened("2020-01-01T00:00~0".into(), 15_000),
                Sort::Title => Key::Title(b"15000".into(), RecordId(Uuid::nil())),
            };
            for cursor in [Cursor::Newest, Cursor::Before(edge.clone()), Cursor::After(edge)] {
                let meter = app.db.meter();
                meter.record(true);
                filter::list(&app.db, actor, &filter, entered, &cursor).await.unwrap();
                let tape = meter.record(false);
                for statement in tape.into_iter().filter(|statement| !statement.text().contains("label_count")) {
                    let plan = plan(&app.db, statement.clone()).await;
                    expect_no_walk(statement.text(), &plan);
                    if !statement.text().contains("count(*)") {
                        expect_no_sort_of_everything(engine, &plan, name);
                    }
                }
            }
        }
        let meter = app.db.meter();
        meter.record(true);
        surroundings::of(&app.db, actor).await.unwrap();
        for statement in meter.record(false).into_iter().filter(|statement| statement.text().contains("label_count")) {
            let plan = plan(&app.db, statement).await;
            assert!(plan.contains("label_count"), "{plan}");
        }
    }
}

pub fn renamed(seen: &views::RecordView, version: i64) -> records::EditRecord {
    records::EditRecord {
        version,
        title: Title::parse("Another name").unwrap(),
        category: Category::parse("Car").ok(),
        description: None,
        tags: seen.state.tags.clone(),
        fields: Vec::new(),
        meaning: records::Meaning::Changed,
        occurred: today(),
    }
}

async fn events(app: &App, actor: &Actor) -> Vec<Event> {
    streams::after(&app.db, actor.household, 0, 10_000).await.unwrap()
}

async fn insert_raw(db: &Db, event: &Event) -> Result<u64, DbError> {
    sql("insert into record_events
            (household_id, position, event_id, record_id, version, kind, payload_version, payload, salt, via, occurred,
             recorded_at, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
    .bind(event.household)
    .bind(event.position)
    .bind(event.event)
    .bind(event.record)
    .bind(event.version)
    .bind(&event.kind)
    .bind(event.payload_version)
    .bind(event.payload.as_slice())
    .bind(event.salt)
    .bind(&event.via)
    .bind(event.occurred.to_string())
    .bind(event.recorded)
    .bind(event.hash)
    .run(db)
    .await
}

/// A stream of very many notes, through the ledger's own door; their entries in the story follow by one statement.
pub async fn lengthen(app: &App, actor: &Actor, record: RecordId, events: usize) {
    let mut tx = app.db.begin().await.unwrap();
    let mut hold = ledger::hold(&mut tx, actor.household).await.unwrap();
    let origin =
        Origin { household: actor.household, actor: Some(actor.member), via: Via::Page, via_ref: None, batch: None };
    let mut version = streams::version(&mut tx, actor.household, record).await.unwrap();
    let payload: Payload = NoteAdded { text: NoteText::parse("x").unwrap(), amount: None, reading: None }.into();
    let mut written = 0;
    let mut last = None;
    while written < events {
        let drafts = (0..1000).map(|_| (today(), payload.clone()).into()).collect();
        let done = ledger::append(&mut tx, &mut hold, app.clock.now(), &origin, record, version, drafts).await.unwrap();
        version += done.len() as i64;
        written += done.len();
        last = done.into_iter().last();
    }
    let last = last.unwrap();
    sql("
        insert into timeline_entry
            (household_id, record_id, version, position, event_id, kind, occurred_from, occurred_precision, recorded_at,
             happening, scope)
        select household_id, record_id, version, position, event_id, kind, '2026-11-22T00:00', 3, recorded_at,
               $4, household_id
        from record_events
        where household_id = $1 and record_id = $2 and version > 1 and version < $3")
    .bind(actor.household)
    .bind(record)
    .bind(last.version)
    .bind(true)
    .run(&mut tx)
    .await
    .unwrap();
    Projector::default().project(&mut tx, std::slice::from_ref(&last)).await.unwrap();
    tx.commit().await.unwrap();
    settle(&app.db).await;
}

/// Records enough that a plan is chosen as in a real household's tenth year: only their rows, not their events.
pub async fn fill(db: &Db, actor: &Actor, records: i64) {
    let state = serde_json::json!({
        "version": 1, "owner": actor.member.to_string(), "visibility": "household", "begun": "2020", "held": [],
        "tags": [], "deleted": null, "external": null
    });
    let summary = r#"{"kind":"record_created","occurred":"2020","text":""}"#;
    let now = lifeops::domain::instant::Instant::from_micros(0);
    let numbers: Vec<i64> = (1..=records).collect();
    for chunk in numbers.chunks(500) {
        let mut views = sql(format!(
            "insert into record_view
                (household_id, id, version, position, owner_id, visibility, deleted, title, category, category_key, state,
                 summary, created_at, changed_at)
             values {}",
            rows_of(chunk.len(), 14)
        ));
        let mut tags = sql(format!(
            "insert into record_label
                 (household_id, record_id, kind, label_key, label, scope, deleted, position, happened, title_key)
             values {}",
            rows_of(chunk.len() * 5, 10)
        ));
        let mut entries = sql(format!(
            "insert into timeline_entry
                 (household_id, record_id, version, position, event_id, kind, occurred_from, occurred_precision,
                  recorded_at, happening)
             values {}",
            rows_of(chunk.len(), 10)
        ));
        for n in chunk {
            let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + *n as u128);
            let visibility = if n % 10 == 0 { "private" } else { "household" };
            let category = if n % 4 == 0 { "Car" } else { "Pet" };
            let tag = if n % 5 == 0 { "garden" } else { "kitchen" };
            let deleted = n % 50 == 0;
            views = views
                .bind(actor.household)
                .bind(id)
                .bind(1_i64)
                .bind(*n)
                .bind(actor.member)
                .bind(visibility)
                .bind(deleted)
                .bind("Filler")
                .bind(category)
                .bind(category.to_lowercase())
                .bind(state.to_string())
                .bind(summary)
                .bind(now)
                .bind(now);
            // In nobody's timeline.
            entries = entries
                .bind(actor.household)
                .bind(id)
                .bind(1_i64)
                .bind(*n)
                .bind(id)
                .bind("record_created")
                .bind(format!("20{:02}-01-01T00:00", n % 25))
                .bind(0_i64)
                .bind(now)
                .bind(true);
            let scope = if visibility == "private" { actor.member.0 } else { actor.household.0 };
            let by = actor.member.0.to_string();
            let files = if n % 7 == 0 { "files" } else { "more files" };
            let labels = [("all", ""), ("category", &category.to_lowercase()), ("tag", tag), (files, ""), ("by", &by)];
            for (kind, key) in labels {
                tags = tags
                    .bind(actor.household)
                    .bind(id)
                    .bind(kind)
                    .bind(key)
                    .bind(key)
                    .bind(scope)
                    .bind(deleted)
                    .bind(*n)
                    .bind(format!("20{:02}-01-01T00:00~0", n % 25))
                    .bind(format!("{n:05}").into_bytes());
            }
        }
        views.run(db).await.unwrap();
        tags.run(db).await.unwrap();
        entries.run(db).await.unwrap();
    }
    settle(db).await;
}

/// Lets the engine learn its statistics, as it does by itself in time.
pub async fn settle(db: &Db) {
    sql("analyze").run(db).await.unwrap();
}

async fn plan(db: &Db, statement: Sql) -> String {
    let kind = db.engine();
    let column = if kind == Kind::Sqlite { "detail" } else { "QUERY PLAN" };
    let rows = statement.explained(kind).all(db).await.unwrap();
    rows.iter().map(|row| row.text(column).unwrap()).collect::<Vec<_>>().join("\n")
}

/// The plan when tables are as large as they will be: PostgreSQL is told not to walk a table if it has another way.
pub async fn plan_when_large(db: &Db, statement: Sql) -> String {
    if db.engine() == Kind::Sqlite {
        return plan(db, statement).await;
    }
    let mut tx = db.begin().await.unwrap();
    sql("set local enable_seqscan = off").run(&mut tx).await.unwrap();
    let rows = statement.explained(Kind::Postgres).all(&mut tx).await.unwrap();
    rows.iter().map(|row| row.text("QUERY PLAN").unwrap()).collect::<Vec<_>>().join("\n")
}

/// Insists that a plan walks no table that grows with the household. In this program's statements such tables go by
/// their names or by one letter; sub-selects and the few members have other names.
pub fn expect_no_walk(text: &str, plan: &str) {
    const GROWING: [&str; 16] = [
        "record_events",
        "record_view",
        "record_label",
        "search_record",
        "search_note",
        "timeline_entry",
        "record_change",
        "submission",
        "external_ref",
        "v",
        "t",
        "e",
        "c",
        "s",
        "x",
        "l",
    ];
    for line in plan.lines() {
        let walked = line
            .trim_start()
            .strip_prefix("SCAN ")
            .or_else(|| line.split_once("Seq Scan on ").map(|(_, rest)| rest))
            .and_then(|rest| rest.split(' ').next());
        assert!(!walked.is_some_and(|name| GROWING.contains(&name)), "{line}\nin the plan of\n{text}\n{plan}");
    }
}

/// A page's walk stops after a page: nothing sorts a whole household.
pub fn expect_no_sort_of_everything(engine: Engine, plan: &str, name: &str) {
    match engine {
        // The two scopes' pages, at most 102 rows, are merged by a sort; the walks themselves come in order.
        Engine::Sqlite => {
            let sorts = plan.lines().filter(|line| line.contains("USE TEMP B-TREE")).count();
            assert!(sorts <= 9, "{name}:\n{plan}");
        }
        Engine::Postgres => {
            for line in plan.lines().filter(|line| line.contains("Sort ")) {
                let rows: i64 = line
                    .split("rows=")
                    .nth(1)
                    .and_then(|rest| rest.split(' ').next())
                    .and_then(|rows| rows.parse().ok())
                    .unwrap_or(0);
                assert!(rows <= 400, "{name}: {line}\n{plan}");
            }
        }
    }
}
