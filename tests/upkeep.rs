//! Verify, rebuild, export and restore.

use lifeops::app::{App, Clock};
use lifeops::commands::accounts;
use lifeops::commands::notes::{self, NewNote};
use lifeops::commands::records::{self, EditRecord, Meaning, NewRecord};
use lifeops::domain::access::{Actor, Visibility};
use lifeops::domain::field::{Field, FieldType, FieldValue};
use lifeops::domain::ids::{RecordId, SubmissionKey};
use lifeops::domain::person::Email;
use lifeops::domain::text::{Category, FieldName, NoteText, Tag, Title};
use lifeops::domain::when::Occurred;
use lifeops::error::Error;
use lifeops::store::compare::TABLES;
use lifeops::store::db::{Db, sql};
use lifeops::upkeep::lines::{Line, Sums};
use lifeops::upkeep::verify::Findings;
use lifeops::upkeep::{export, rebuild, restore, verify};
use uuid::Uuid;

use crate::homebox::{clock, household, import, installation};
use crate::support::{Engine, PASSWORD, Place, settings};

/// What the frozen sample holds, and the head that it had when it was written.
const EVENTS_OF_SAMPLE: u64 = 24;
const HEAD_OF_SAMPLE: &str = "be9e5275-6df05a41-94b54a3f-f30646b5-9e953072-f338f8b2-002c50ad-7c5396fa";

fn day(text: &str) -> Occurred {
    Occurred::parse_iso(text).unwrap()
}

fn record(title: &str, visibility: Visibility) -> NewRecord {
    let field = |name: &str, value: &str| Field {
        name: FieldName::parse(name).unwrap(),
        value: FieldValue { ty: FieldType::Text, value: value.to_owned() },
    };
    NewRecord {
        title: Title::parse(title).unwrap(),
        category: Category::parse("Appliance").ok(),
        description: None,
        tags: vec![Tag::parse("heating").unwrap(), Tag::parse("Cellar").unwrap()],
        fields: vec![field("Serial number", "VT-1200"), field("Colour", "white")],
        visibility,
        occurred: day("2019-05"),
        external: None,
    }
}

fn note(text: &str, occurred: &str) -> NewNote {
    NewNote { text: NoteText::parse(text).unwrap(), occurred: day(occurred), amount: None, reading: None }
}

/// A household that lived: every verb once. Returns a record, and the key it was created with.
async fn live(app: &App, actor: &Actor) -> (RecordId, SubmissionKey) {
    let first = SubmissionKey::new();
    let created = records::create(app, actor, first, record("Water heater", Visibility::Household)).await.unwrap();
    let id = created.record;
    let edit = |version: i64, title: &str, meaning: Meaning| {
        let new = record(title, Visibility::Household);
        EditRecord {
            version,
            title: new.title,
            category: None,
            description: None,
            tags: vec![Tag::parse("Heating").unwrap(), Tag::parse("Ümlaut").unwrap()],
            fields: vec![new.fields[1].clone()],
            meaning,
            occurred: day("2024-02-29"),
        }
    };
    let key = SubmissionKey::new;
    let edited = records::edit(app, actor, key(), id, edit(1, "Water heater \u{201c}new\u{201d}", Meaning::Changed))
        .await
        .unwrap();
    records::edit(app, actor, key(), id, edit(edited.version, "Boiler", Meaning::Wrong)).await.unwrap();
    let noted = notes::add(app, actor, key(), id, note("Serviced\n\n*anode* \"changed\" \\ / \u{1F525}", "2024-03"))
        .await
        .unwrap();
    let noted = noted.event.unwrap();
    notes::correct(app, actor, key(), id, noted, 99, note("Serviced twice", "2024-03-02")).await.unwrap();
    let wrong = notes::add(app, actor, key(), id, note("Never happened", "2025")).await.unwrap();
    records::retract(app, actor, key(), id, wrong.event.unwrap(), None).await.unwrap();
    let private = records::create(app, actor, key(), record("Diary", Visibility::Private)).await.unwrap();
    records::share(app, actor, key(), private.record).await.unwrap();
    records::unshare(app, actor, key(), private.record).await.unwrap();
    records::delete(app, actor, key(), private.record, None).await.unwrap();
    import(app, "household.csv").await;
    (id, first)
}

async fn verified(app: &App) -> Findings {
    verify::all(app, &[], &|_, _| {}).await.unwrap()
}

async fn exported(app: &App) -> Vec<u8> {
    let mut bytes = Vec::new();
    export::to_writer(app, &mut bytes, &|_, _| {}).await.unwrap();
    bytes
}

/// Everything that the projections say, as text.
async fn projections(app: &App, actor: &Actor) -> Vec<String> {
    let mut all = Vec::new();
    for table in TABLES {
        let rows = table.rows(&app.db, actor.household, Uuid::nil(), Uuid::max()).await.unwrap();
        all.extend(rows.into_iter().map(|(key, row)| format!("{} {key} {row:?}", table.name())));
    }
    all
}

/// Takes the ledger's guards away, as somebody could who holds the database.
async fn without_guards(place: &Place) -> Db {
    let db = place.open().await;
    match place.engine {
        Engine::Sqlite => {
            let triggers = sql("select name from sqlite_master where type = 'trigger'").all(&db).await.unwrap();
            for trigger in triggers {
                sql(format!("drop trigger {}", trigger.text("name").unwrap())).run(&db).await.unwrap();
            }
        }
        Engine::Postgres => {
            sql("alter table record_events disable trigger all").run(&db).await.unwrap();
        }
    }
    db
}

both_engines! {
    async fn a_household_that_lived_is_well(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        live(&app, &actor).await;
        let findings = verified(&app).await;
        assert!(findings.is_well(), "{findings:#?}");
        let head = findings.households[0].head.clone();
        records::create(&app, &actor, SubmissionKey::new(), record("Later", Visibility::Household)).await.unwrap();
        // The code of then is still a link of the chain; a made-up one is not.
        let kept = [head.clone(), "0123456789abcdef".repeat(4), "short".to_owned()];
        let findings = verify::all(&app, &kept, &|_, _| {}).await.unwrap();
        assert_eq!((findings.found.len(), findings.problems.len()), (1, 2), "{findings:#?}");
        assert!(findings.found[0].starts_with(&head));
        // Nothing stays behind in the data directory.
        let left = std::fs::read_dir(place.directory()).unwrap().filter(|entry| {
            entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("verify")
        });
        assert_eq!(left.count(), 0);
    }

    async fn verify_names_the_first_wrong_event_and_what_was_done(engine: Engine) {
        // Each case: what is done, as statements about household $1, and what verify says. Event 5 is a note.
        const CASES: &[(&str, &[&str], &str)] = &[
            ("column", &["update record_events set via = 'api' where household_id = $1 and position = 5"],
                "Event 5 was altered: its columns do not fit its hash."),
            ("actor", &["update record_events set actor_id = null where household_id = $1 and position = 5"],
                "Event 5 was altered: its columns do not fit its hash."),
            ("occurred", &["update record_events set occurred = '2023' where household_id = $1 and position = 5"],
                "Event 5 was altered: its columns do not fit its hash."),
            ("salt", &["update record_events set salt = (select salt from record_events where household_id = $1
                        and position = 4) where household_id = $1 and position = 5"],
                "Event 5 was altered: its columns do not fit its hash."),
            ("payload", &["update record_events set payload = (select payload from record_events where household_id = $1
                           and position = 4) where household_id = $1 and position = 5"],
                "Event 5 was altered: its columns do not fit its hash."),
            ("hash", &["update record_events set hash = (select hash from record_events where household_id = $1
                        and position = 4) where household_id = $1 and position = 5"],
                "Event 5 was altered: its hash was changed, and nothing else of it."),
            ("unreadable", &["update record_events set occurred = 'never' where household_id = $1 and position = 5"],
                "Event 5 was altered: column occurred"),
            ("missing", &["delete from record_events where household_id = $1 and position = 5"],
                "Event 5 is missing."),
            ("missing two", &["delete from record_events where household_id = $1 and position in (5, 6)"],
                "Events 5 to 6 are missing."),
            ("closed up", &[
                "delete from record_events where household_id = $1 and position = 5",
                "update record_events set position = 5 where household_id = $1 and position = 6",
                "update record_events set position = 6 where household_id = $1 and position = 7",
                "update record_events set position = 7 where household_id = $1 and position = 8",
                "update household set position = 7 where id = $1"],
                "Event 5 is missing: those after it were moved up."),
            ("added", &[
                "update record_events set position = 9 where household_id = $1 and position = 8",
                "update record_events set position = 8 where household_id = $1 and position = 7",
                "update record_events set position = 7 where household_id = $1 and position = 6",
                "update record_events set position = 6 where household_id = $1 and position = 5",
                "insert into record_events select household_id, 5, household_id, record_id, 1000, kind, payload_version,
                     payload, salt, actor_id, via, via_ref, batch_id, occurred, recorded_at, hash
                 from record_events where household_id = $1 and position = 4",
                "update household set position = 9 where id = $1"],
                "Event 5 was added: what was event 5 is now event 6."),
            ("swapped", &[
                "update record_events set position = 1000 where household_id = $1 and position = 5",
                "update record_events set position = 5 where household_id = $1 and position = 6",
                "update record_events set position = 6 where household_id = $1 and position = 1000"],
                "Events 5 and 6 were swapped."),
            ("swapped afar", &[
                "update record_events set position = 1000 where household_id = $1 and position = 5",
                "update record_events set position = 5 where household_id = $1 and position = 8",
                "update record_events set position = 8 where household_id = $1 and position = 1000"],
                "Events 5 and 8 were swapped."),
            ("cut", &["delete from record_events where household_id = $1 and position > 6"],
                "Events 7 to 8 are missing: the end was cut off."),
            ("cut by one", &["delete from record_events where household_id = $1 and position > 7"],
                "Event 8 is missing: the end was cut off."),
            ("position", &["update household set position = 7 where id = $1"],
                "Event 8 was added: the household ends at event 7."),
            ("head", &["update household set head = (select hash from record_events where household_id = $1
                        and position = 7) where id = $1"],
                "The household\u{2019}s head was changed: it is not the hash of its last event, 8."),
            ("cut with its head", &[
                "delete from record_events where household_id = $1 and position > 6",
                "update household set position = 6, head = (select hash from record_events where household_id = $1
                     and position = 6) where id = $1"],
                "record_view"),
            ("nothing", &[], ""),
        ];
        let place = Place::empty(engine).await;
        let app = App::open(settings(&place), clock()).await.unwrap();
        let db = without_guards(&place).await;
        for (n, (name, statements, _)) in CASES.iter().enumerate() {
            let actor = household(&app, name, &format!("{n}@home.example")).await;
            let made = records::create(&app, &actor, SubmissionKey::new(), record("Car", Visibility::Household)).await.unwrap();
            for n in 4..=8 {
                notes::add(&app, &actor, SubmissionKey::new(), made.record, note(&format!("Event {n}"), "2024")).await.unwrap();
            }
            for statement in *statements {
                let statement = sql(*statement).bind(actor.household);
                statement.run(&db).await.unwrap();
            }
        }
        let findings = verified(&app).await;
        for (name, _, says) in CASES {
            let checked = findings.households.iter().find(|household| household.name == *name).unwrap();
            match (checked.problems.first(), says.is_empty()) {
                (None, true) => {}
                (Some(problem), false) => assert!(problem.contains(says), "{name}: {problem}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
        db.close().await;
    }

    async fn verify_compares_every_projection_and_rebuild_restores_it(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        live(&app, &actor).await;
        let before = projections(&app, &actor).await;
        for (table, statement) in [
            ("household", "update household set name = 'Others' where id = $1"),
            ("member", "update member set name = 'Somebody' where household_id = $1"),
            ("record_view", "update record_view set title = 'Forged' where household_id = $1 and title = 'Boiler'"),
            ("record_view", "update record_view set state = replace(state, 'Boiler', 'Forged') where household_id = $1"),
            ("record_view", "delete from record_view where household_id = $1 and title = 'Boiler'"),
            ("record_label", "update record_label set label = 'forged' where household_id = $1 and kind = 'tag'"),
            ("record_label", "delete from record_label where household_id = $1 and label_key = 'heating'"),
            ("search_record", "update search_record set words = ' forged | ' where household_id = $1"),
            ("search_note", "delete from search_note where household_id = $1"),
            ("timeline_entry", "update timeline_entry set retracted_by = null where household_id = $1"),
            ("timeline_entry", "update timeline_entry set scope = null where household_id = $1 and version = 1"),
            ("timeline_year", "update timeline_year set m0 = 99 where household_id = $1"),
            ("timeline_year", "delete from timeline_year where household_id = $1"),
            ("record_change", "update record_change set new_value = null where household_id = $1 and field = 'title'"),
            ("record_change", "delete from record_change where household_id = $1 and position = 4"),
            ("external_ref", "update external_ref set reference = 'forged' where household_id = $1 and reference = 'boiler'"),
            ("external_ref", "delete from external_ref where household_id = $1"),
            ("label_count", "update label_count set records = 99 where household_id = $1"),
            ("label_count", "insert into label_count select household_id, scope, kind, 'forged', 'forged', 1 from
                             label_count where household_id = $1 and label_key = 'heating'"),
        ] {
            let touched = sql(statement).bind(actor.household).run(&app.db).await.unwrap();
            assert!(touched > 0, "{statement}");
            let findings = verified(&app).await;
            let told = findings.problems().any(|problem| problem.starts_with(table));
            assert!(told, "{statement}: {findings:#?}");
            rebuild::all(&app, &|_, _| {}).await.unwrap();
            assert_eq!(projections(&app, &actor).await, before, "{statement}");
        }
        let findings = verified(&app).await;
        assert!(findings.is_well(), "{findings:#?}");
    }

    async fn projections_of_another_fold_are_rebuilt_at_start(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        live(&app, &actor).await;
        let before = projections(&app, &actor).await;
        sql("update projection_version set version = 0").run(&app.db).await.unwrap();
        sql("update record_view set title = 'Old fold' where household_id = $1").bind(actor.household).run(&app.db).await.unwrap();
        let findings = verified(&app).await;
        assert!(findings.problems.iter().any(|problem| problem.contains("another version")), "{findings:#?}");
        app.db.close().await;
        let app = App::open(settings(&place), clock()).await.unwrap();
        assert_eq!(projections(&app, &actor).await, before);
    }

    // The format must be read for ever: this file was written by its first version.
    async fn a_frozen_export_of_version_1_comes_back(engine: Engine) {
        let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/export-1.jsonl")).unwrap();
        let place = Place::empty(engine).await;
        let app = App::open(settings(&place), clock()).await.unwrap();
        let restored = restore::from_reader(&app, file.as_slice(), &|_| {}).await.unwrap();
        assert_eq!(restored.counts.events, EVENTS_OF_SAMPLE);
        let findings = verify::all(&app, &[HEAD_OF_SAMPLE.to_owned()], &|_, _| {}).await.unwrap();
        assert!(findings.is_well(), "{findings:#?}");
        accounts::check(&app, [127, 0, 0, 1].into(), "ana@home.example", PASSWORD).await.unwrap();
    }

    async fn an_export_comes_back_on_the_other_engine_to_the_byte(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        let (id, key) = live(&app, &actor).await;
        household(&app, "The Elms", "cleo@home.example").await;
        let before = projections(&app, &actor).await;
        let file = exported(&app).await;
        let other = Place::empty(engine.other()).await;
        let there = App::open(settings(&other), clock()).await.unwrap();
        let restored = restore::from_reader(&there, file.as_slice(), &|_| {}).await.unwrap();
        assert_eq!(restored.heads.len(), 2);
        assert_eq!(String::from_utf8(exported(&there).await).unwrap(), String::from_utf8(file).unwrap());
        assert_eq!(projections(&there, &actor).await, before);
        let findings = verified(&there).await;
        assert!(findings.is_well(), "{findings:#?}");
        // It is a backup: the same password signs in, the same form is answered as the first time, the same file adds
        // nothing, and what is new follows what is old.
        let ana = Email::parse("ana@home.example").unwrap();
        accounts::check(&there, [127, 0, 0, 1].into(), ana.as_str(), PASSWORD).await.unwrap();
        let again = records::create(&there, &actor, key, record("Water heater", Visibility::Household)).await.unwrap();
        assert!(again.repeated && again.record == id, "{again:?}");
        assert_eq!(import(&there, "household.csv").await.present, 5);
        records::delete(&there, &actor, SubmissionKey::new(), id, None).await.unwrap();
        assert!(verified(&there).await.is_well());
        // Somebody lives here now.
        let refused = restore::from_reader(&there, exported(&app).await.as_slice(), &|_| {}).await.unwrap_err();
        assert!(refused.to_string().contains("is not empty"), "{refused}");
        let set_up = accounts::set_up_path(&there).await.unwrap();
        assert_eq!(set_up, None);
    }

    async fn an_altered_or_shortened_file_is_refused_by_its_line(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        live(&app, &actor).await;
        let file = String::from_utf8(exported(&app).await).unwrap();
        let lines: Vec<&str> = file.lines().collect();
        let other = Place::empty(engine).await;
        let there = App::open(settings(&other), clock()).await.unwrap();
        let refused = async |text: String| match restore::from_reader(&there, text.as_bytes(), &|_| {}).await {
            Err(Error::Refused(refusal)) => refusal.0,
            other => panic!("{other:?}"),
        };
        for at in 0..lines.len() {
            let n = at + 1;
            let mut changed = lines.clone();
            // One character of the line's own values.
            let altered = lines[at].replacen("-", "+", 1).replacen("sha256\":\"", "sha256\":\"0", 1);
            assert_ne!(altered, lines[at]);
            changed[at] = &altered;
            let sentence = refused(changed.join("\n") + "\n").await;
            assert!(sentence.starts_with(&format!("Line {n} ")), "line {n}: {sentence}");
            // Cut off after the line, and in it.
            if n < lines.len() {
                let sentence = refused(lines[..n].join("\n") + "\n").await;
                assert!(sentence.contains(&format!("after line {n} ")), "line {n}: {sentence}");
            }
            let sentence = refused(lines[..n].join("\n")).await;
            assert!(sentence.starts_with(&format!("Line {n} is cut off")), "line {n}: {sentence}");
            // Without the line; the last one's absence is a file that was cut off.
            if n < lines.len() {
                let mut without = lines.clone();
                without.remove(at);
                let sentence = refused(without.join("\n") + "\n").await;
                assert!(sentence.starts_with(&format!("Line {n} ")), "line {n}: {sentence}");
            }
        }
        for (text, word) in [
            (String::new(), "after line 0"),
            ("hello\n".to_owned(), "Line 1 is not a line of a LifeOps export"),
            (format!("{file}{}\n", lines[1]), "comes after the end"),
            (resummed(&file, |line| line.replace("\"version\":1,\"made_at", "\"version\":2,\"made_at")), "version 2"),
            (resummed(&file, |line| line.replace("lifeops.export", "other.export")), "header of a LifeOps export"),
            (resummed(&file, |line| line.replace("\"events\":", "\"events\":1")), "counts other things"),
        ] {
            let sentence = refused(text).await;
            assert!(sentence.contains(word), "{sentence}");
        }
        // Nothing stayed behind of all that.
        for table in ["account", "household", "member", "record_events", "record_view", "submission"] {
            let row = sql(format!("select count(*) as n from {table}")).one(&there.db).await.unwrap();
            assert_eq!(row.int("n").unwrap(), 0, "{table}");
        }
        restore::from_reader(&there, file.as_bytes(), &|_| {}).await.unwrap();
    }

    async fn a_forger_who_knows_the_sums_is_caught_by_the_chain(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        live(&app, &actor).await;
        let file = String::from_utf8(exported(&app).await).unwrap();
        let line = file.lines().position(|line| line.contains("Never happened")).unwrap() + 1;
        let forged = resummed(&file, |line| line.replace("Never happened", "Always happened"));
        let other = Place::empty(engine).await;
        let there = App::open(settings(&other), clock()).await.unwrap();
        let refused = restore::from_reader(&there, forged.as_bytes(), &|_| {}).await.unwrap_err().to_string();
        assert!(refused.starts_with(&format!("Line {line}: Event ")) && refused.contains("altered"), "{refused}");
    }
}

/// The file with its lines changed and every sum made to fit again.
fn resummed(file: &str, change: impl Fn(&str) -> String) -> String {
    let mut sums = Sums::default();
    let mut out = String::new();
    for text in file.lines() {
        let changed = change(text);
        let (_, rest) = changed.split_once("\",").unwrap();
        let mut line: Line = serde_json::from_str(&format!("{{{rest}")).unwrap();
        if let Line::Footer(footer) = &mut line {
            footer.sha256 = sums.whole();
        }
        out += &sums.write(&line).unwrap();
    }
    out
}

#[tokio::test]
async fn an_export_file_is_private_and_appears_whole() {
    let place = Place::empty(Engine::Sqlite).await;
    let (app, _) = installation(&place).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup.jsonl");
    std::fs::write(&path, "an older one").unwrap();
    export::to_file(&app, &path, &|_, _| {}).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"sum\":\"") && text.ends_with("}\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no half file beside it");
    let nowhere = folder.path().join("missing").join("backup.jsonl");
    assert!(export::to_file(&app, &nowhere, &|_, _| {}).await.is_err());
    // Two exports of one state differ in their date, and so in their first and last lines, alone.
    if let Clock::Fixed(_) = app.clock {
        app.clock.advance(60);
    }
    export::to_file(&app, &path, &|_, _| {}).await.unwrap();
    let later = std::fs::read_to_string(&path).unwrap();
    let differing = text.lines().zip(later.lines()).filter(|(one, other)| one != other).count();
    assert_eq!((differing, text.lines().count()), (2, later.lines().count()));
}
