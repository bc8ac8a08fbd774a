//! What is new since a member last looked: who wrote what in what the member may see, "seen", and what it costs.

use lifeops::app::App;
use lifeops::commands::{accounts, notes, records};
use lifeops::domain::access::{Role, Visibility};
use lifeops::domain::ids::SubmissionKey;
use lifeops::domain::person::{Email, Zone};
use lifeops::domain::text::MemberName;
use lifeops::passwords::Password;
use lifeops::store::db::sql;
use lifeops::store::{news, views};
use lifeops::upkeep;
use uuid::Uuid;

use crate::properties::house;
use crate::support::{Home, PASSWORD, Page, Place, Visitor, audit, settings, words};

/// What stands under "New since you last looked": a title with its latest words and small print each.
fn new(page: &Page) -> Vec<String> {
    let (titles, last, meta) = (page.all("#new h3"), page.all("#new .last"), page.all("#new .meta.dots"));
    titles.iter().zip(last.iter().zip(&meta)).map(|(title, (last, meta))| format!("{title}: {last}. {meta}")).collect()
}

async fn news(visitor: &Visitor) -> Vec<String> {
    new(&visitor.open("/").await)
}

async fn press(visitor: &Visitor, path: &str) -> Page {
    let form = visitor.open(path).await.form_to(path);
    let button = form.button_words()[0].clone();
    visitor.submit(&form, &button).await
}

/// The events of the members themselves, without today's date that ends each line.
#[track_caller]
fn expect(found: &[String], wanted: &[&str]) {
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found} instead of {wanted}");
    }
}

both_engines! {
    async fn the_others_events_are_new_until_they_are_seen(engine: Engine) {
        let home = Home::start(engine).await;
        let (ana, ben, mila) = (&home.ana, &home.ben, &home.mila);
        for visitor in [ana, ben, mila, &home.cleo] {
            expect(&news(visitor).await, &[]);
        }
        let car = home.create(ana, "Corolla", &[]).await;
        let dog = home.create(ben, "Biscuit", &[]).await;
        home.note(ben, &car, "Oil changed").await;
        home.note(ben, &car, "Tyres changed").await;
        // My own words are not new to me, and do not hide what the others wrote before them.
        home.note(ana, &car, "Washed").await;
        expect(&news(ana).await, &["Corolla: Tyres changed. 2 new entries Ben", "Biscuit: The record begins. 1 new entry Ben"]);
        expect(&news(ben).await, &["Corolla: Washed. 2 new entries Ana"]);
        expect(&news(mila).await, &["Corolla: Washed. 4 new entries Ana and Ben", "Biscuit: The record begins. 1 new entry Ben"]);
        expect(&news(&home.cleo).await, &[]);

        // One record is seen; a viewer may say so too, and it concerns nobody else.
        let start = mila.open("/").await;
        let seen = mila.submit(&start.form("Seen: Corolla"), "Seen").await;
        expect(&new(&seen), &["Biscuit: The record begins. 1 new entry Ben"]);
        assert!(seen.says("stands here again when somebody else writes in it"));
        assert_eq!(news(ana).await.len(), 2);
        // What is written after the page was shown is not seen by its form; pressing again takes nothing back.
        home.note(ben, &dog, "Walked").await;
        for form in [start.form("Seen: Biscuit"), start.form("Seen: Biscuit"), start.form("All seen"), start.form("Seen: Corolla")] {
            let button = form.button_words()[0].clone();
            expect(&new(&mila.submit(&form, &button).await), &["Biscuit: Walked. 1 new entry Ben"]);
        }
        let all = mila.submit(&mila.open("/").await.form("All seen"), "All seen").await;
        expect(&new(&all), &[]);
        assert!(all.find_form("All seen").is_none(), "nothing is new, and nothing says so");
        let marks = sql("select s.record_id from seen as s join member as m on m.id = s.member_id where m.name = 'Mila'");
        assert_eq!(marks.all(&home.server.app.db).await.unwrap().len(), 1, "what the mark for everything covers is forgotten");

        // Changed facts, deletions and undoing are told in words too.
        let form = ben.open(&format!("{dog}/edit")).await.form(words::SAVE).fill("title", "Biscuit II").fill("meaning", "changed");
        ben.submit(&form, words::SAVE).await;
        expect(&news(mila).await, &["Biscuit II: Title: from Biscuit to Biscuit II. 1 new entry Ben"]);
        press(ben, &format!("{dog}/delete")).await;
        expect(&news(mila).await, &["Biscuit II: Deleted. 2 new entries Ben"]);

        // Who was renamed since is named as of the latest of the entries.
        let form = ben.open("/account").await.form_to("/account/name").fill("name", "Benno");
        ben.submit(&form, "Save").await;
        expect(&news(mila).await, &["Biscuit II: Deleted. 2 new entries Ben (now Benno)"]);
        audit(&home.server.app).await;
    }

    async fn what_came_into_sight_is_new_with_its_whole_past(engine: Engine) {
        let home = Home::start(engine).await;
        let (ana, ben) = (&home.ana, &home.ben);
        let diary = home.create(ben, "Zylophone", &[("visibility", "private"), ("category", "Quagga")]).await;
        home.note(ben, &diary, "Umbrella").await;
        let page = ana.open("/").await;
        assert!(!page.body.contains("Zylophone") && page.all("#new").is_empty());
        // Ana has seen everything, and then it is shared: what lies before her mark is new to her all the same.
        let car = home.create(ben, "Corolla", &[]).await;
        ana.submit(&ana.open("/").await.form("All seen"), "All seen").await;
        press(ben, &format!("{diary}/share")).await;
        expect(&news(ana).await, &["Zylophone: Shared with the household. its whole story, 3 entries Ben"]);
        home.note(ben, &car, "Washed").await;
        home.note(ben, &diary, "Read aloud").await;
        let found = news(ana).await;
        expect(&found, &["Zylophone: Read aloud. its whole story, 4 entries Ben", "Corolla: Washed. 1 new entry Ben"]);
        // Kept private again, it is gone, however much of it was new.
        press(ben, &format!("{diary}/keep-private")).await;
        expect(&news(ana).await, &["Corolla: Washed. 1 new entry Ben"]);

        // Handed over, it is new to who has it now, and to nobody else.
        let path = format!("{diary}/hand-over");
        let form = ben.open(&path).await.form_to(&path);
        let to = sql("select id from member where name = 'Ana'").one(&home.server.app.db).await.unwrap();
        ben.submit(&form.fill("to", &to.uuid("id").unwrap().to_string()), words::HAND_OVER).await;
        let found = news(ana).await;
        expect(&found, &["Zylophone: Handed over to you. its whole story, 6 entries Ben", "Corolla: Washed. 1 new entry Ben"]);
        assert!(found[0].ends_with("only you"));
        for other in [ben, &home.mila, &home.cleo] {
            assert!(!other.open("/").await.body.contains("Zylophone"));
        }
    }

    async fn seen_says_nothing_of_what_is_not_mine(engine: Engine) {
        let home = Home::start(engine).await;
        let diary = home.create(&home.ana, "Diary", &[("visibility", "private")]).await;
        let seen = async |visitor: &Visitor, record: &str, upto: &str| {
            let pairs = [("record", record), ("upto", upto)].map(|(name, value)| (name.to_owned(), value.to_owned()));
            visitor.post("/seen", &pairs).await
        };
        let id = diary.rsplit('/').next().unwrap();
        for stranger in [&home.ben, &home.mila, &home.cleo] {
            let (foreign, unknown) = (seen(stranger, id, "5").await, seen(stranger, &Uuid::now_v7().to_string(), "5").await);
            assert_eq!((foreign.status, foreign.heading()), (404, unknown.heading()));
            assert_eq!(unknown.status, 404);
        }
        assert_eq!(seen(&home.ana, id, "5").await.status, 303);
        for (record, upto) in [("x", "5"), ("", ""), ("", "x"), ("", "0"), ("", "-7"), ("", "99999999999999999999"), (id, "")] {
            let page = seen(&home.ana, record, upto).await;
            assert_eq!(page.status, 422, "{record} {upto}");
            assert!(page.says("The form lost its place"));
        }
        // Nobody sees what is yet to come.
        assert_eq!(seen(&home.ana, "", "9000000000000000000").await.status, 303);
        let car = home.create(&home.ben, "Corolla", &[]).await;
        home.note(&home.ben, &car, "Washed").await;
        expect(&news(&home.ana).await, &["Corolla: Washed. 2 new entries Ben"]);
    }

    async fn new_members_begin_with_nothing_new_and_marks_survive_a_move(engine: Engine) {
        let house = house(engine).await;
        let (app, ana, ben) = (&house.app, &house.actors[0], &house.actors[1]);
        let record = crate::ledger::record(app, ana, "Corolla", Visibility::Household).await;
        let other = crate::ledger::record(app, ana, "Biscuit", Visibility::Household).await;
        let new = accounts::NewMember {
            name: MemberName::parse("Zoe").unwrap(),
            email: Email::parse("zoe@home.example").unwrap(),
            password: Password::parse(PASSWORD).unwrap(),
            role: Role::Editor,
            zone: Zone::utc(),
        };
        let zoe = accounts::add_member(app, ana.household, new).await.unwrap();
        let zoe = lifeops::domain::access::Actor { member: zoe, ..ben.clone() };
        assert!(news::lately(&app.db, &zoe, 5).await.unwrap().1.records.is_empty());
        for record in [record, other] {
            notes::add(app, ana, SubmissionKey::new(), record, crate::ledger::note("Washed")).await.unwrap();
        }
        let found = news::lately(&app.db, &zoe, 5).await.unwrap().1.records;
        assert_eq!(found.iter().map(|new| (new.record, new.events)).collect::<Vec<_>>(), [(other, 1), (record, 1)]);
        lifeops::commands::news::seen(app, &zoe, Some(other), found[0].upto).await.unwrap();
        lifeops::commands::news::seen(app, ben, None, found[0].upto - 1).await.unwrap();

        let mut export = Vec::new();
        let told = upkeep::export::to_writer(app, &mut export, &|_, _| {}).await.unwrap();
        assert_eq!(told.counts.seen, 2);
        let place = Place::empty(engine).await;
        let elsewhere = App::open(settings(&place), app.clock.clone()).await.unwrap();
        upkeep::restore::from_reader(&elsewhere, export.as_slice(), &|_| {}).await.unwrap();
        for app in [app, &elsewhere] {
            let records = async |actor| {
                let found = news::lately(&app.db, actor, 5).await.unwrap().1.records;
                found.iter().map(|new| (new.record, new.events)).collect::<Vec<_>>()
            };
            assert_eq!(records(&zoe).await, [(record, 1)]);
            assert_eq!(records(ben).await, [(other, 1)]);
        }
        audit(&elsewhere).await;
    }

    /// Four thousand records, and one of five thousand events: the walks stop, and only a few events are counted.
    async fn news_are_found_down_indexes_and_within_bounds(engine: Engine) {
        let house = house(engine).await;
        let (app, ana, ben) = (&house.app, &house.actors[0], &house.actors[1]);
        let long = crate::ledger::record(app, ana, "Long", Visibility::Household).await;
        crate::ledger::fill(&app.db, ana, 4_000).await;
        crate::ledger::lengthen(app, ana, long, 5_000).await;
        let edit = crate::ledger::renamed(&views::record(&app.db, ana, long).await.unwrap(), 1);
        records::edit(app, ana, SubmissionKey::new(), long, edit).await.unwrap();
        crate::ledger::settle(&app.db).await;
        let meter = app.db.meter();
        meter.record(true);
        let rows = meter.rows();
        let (_, found) = news::lately(&app.db, ben, 7).await.unwrap();
        let tape = meter.record(false);
        let told: Vec<(String, i64)> = found.records.iter().map(|new| (new.title.clone(), new.events)).collect();
        assert_eq!(told, [("Another name".to_owned(), news::COUNTED)]);
        assert!(meter.rows() - rows < 60, "{}", meter.rows() - rows);
        assert_eq!(tape.len(), 8, "what stands around, what changed lately, what is new, how much, and the latest of it");
        for (at, statement) in tape.into_iter().skip(4).enumerate() {
            let plan = crate::ledger::plan_when_large(&app.db, statement.clone()).await;
            crate::ledger::expect_no_walk(statement.text(), &plan);
            if at == 1 {
                assert_eq!(plan.matches("record_label_activity").count(), 4, "shared and own, there and deleted:\n{plan}");
            }
            if at == 1 || at == 2 {
                let events = plan.lines().filter(|line| line.contains("SEARCH e ") || line.contains(" on record_events e"));
                let by_version = if engine == crate::support::Engine::Sqlite { "version>" } else { "record_events_version" };
                for line in events {
                    assert!(line.contains(by_version), "the last events of a record alone: {line}\n{plan}");
                }
            }
        }
    }
}
