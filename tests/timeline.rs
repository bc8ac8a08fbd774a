//! The household's timeline and the start page: order, scope, months, pages, and how they are read at a million entries.

use lifeops::app::Clock;
use lifeops::commands::{notes, records};
use lifeops::domain::access::Visibility;
use lifeops::domain::ids::SubmissionKey;
use lifeops::domain::instant::Instant;
use lifeops::domain::when::Occurred;
use lifeops::store::db::sql;
use lifeops::store::filter::Filter;
use lifeops::store::timeline::{self, Cursor, Narrow, Order, Place as At};
use lifeops::store::{history, views};
use uuid::Uuid;

use crate::properties::house;
use crate::support::{Engine, Home, Page, Place, Visitor, audit, encode, words};

/// What stands on a timeline, top to bottom: "== May 2019" for a month, else an event's heading.
fn told(page: &Page) -> Vec<String> {
    let all = page.all(".story.tl h2, .story.tl h3");
    let months = page.all(".story.tl h2");
    let mut at = 0;
    all.into_iter()
        .map(|words| {
            if months.get(at) == Some(&words) {
                at += 1;
                return format!("== {words}");
            }
            words.split(", ").next().unwrap_or_default().to_owned()
        })
        .collect()
}

async fn note(visitor: &Visitor, record: &str, text: &str, date: &str, time: &str) {
    let form = visitor.open(record).await.form(words::NOTE).fill("text", text);
    let form = form.fill("occurred", date).fill("occurred_time", time);
    visitor.press(&form, words::NOTE).await.expect(303);
}

async fn press(visitor: &Visitor, path: &str) -> Page {
    let form = visitor.open(path).await.form_to(path);
    let button = form.button_words()[0].clone();
    visitor.submit(&form, &button).await
}

/// Presses "Undo" or "Bring back" of the entry with these words.
async fn undo(visitor: &Visitor, record: &str, words: &str, act: &str) -> Page {
    let page = visitor.open(record).await;
    let links = page.links();
    let (_, path) =
        links.iter().find(|(said, _)| said.starts_with(act) && said.contains(words)).expect("a link to undo");
    press(visitor, path).await
}

async fn sees(visitor: &Visitor, words: &str) -> bool {
    let happened = visitor.open("/timeline").await;
    let recorded = visitor.open("/timeline?by=recorded").await;
    let start = told(&happened).iter().any(|heading| heading.contains(words));
    assert_eq!(told(&recorded).iter().any(|heading| heading.contains(words)), start, "both orders tell the same");
    start
}

/// The years of the strip with their words: "2019, 2 events".
fn strip(page: &Page) -> Vec<String> {
    page.all(".years li")
}

async fn scene(engine: Engine) -> (Home, Clock) {
    let clock = Clock::fixed(Instant::parse("2026-11-22T10:00:00.000000Z").unwrap());
    (Home::set_up(Place::empty(engine).await, clock.clone()).await, clock)
}

/// "Written down …" is said where it was another day for whoever wrote it, and is for whoever reads it.
#[test]
fn a_day_is_the_same_for_writer_or_reader() {
    use jiff::tz::TimeZone;
    use lifeops::web::moments::Moment;
    let zone = |name: &str| TimeZone::get(name).unwrap();
    let at = Instant::parse("2026-11-22T16:00:00.000000Z").unwrap();
    let said = |occurred: &str, reader: &str, writer: Option<&str>| {
        let occurred = Occurred::parse_iso(occurred).unwrap();
        Moment::written_down(at, occurred, &zone(reader), writer).map(|day| day.words)
    };
    let tokyo = Some("Asia/Tokyo");
    // In Tokyo it is the 23rd already: "today" there is no other day, wherever it is read.
    assert_eq!(said("2026-11-23", "Europe/Dublin", tokyo), None);
    assert_eq!(said("2026-11-22", "Europe/Dublin", tokyo), None, "read on the day it happened");
    assert_eq!(said("2026-11-22T23:30", "Asia/Tokyo", Some("Europe/Dublin")), None);
    assert_eq!(said("2026-11-21", "Europe/Dublin", tokyo).as_deref(), Some("22 November"));
    assert_eq!(said("2025-11-23", "Asia/Tokyo", Some("nowhere")).as_deref(), Some("23 November 2026"));
    assert_eq!(said("2026-11", "Europe/Dublin", tokyo).as_deref(), Some("22 November"), "a month is no day");
    assert_eq!(said("2026-11-23", "Europe/Dublin", None).as_deref(), Some("22 November"));
}

both_engines! {
    async fn months_stand_in_order_and_what_is_imprecise_stands_where_it_belongs(engine: Engine) {
        let (home, clock) = scene(engine).await;
        let ana = &home.ana;
        assert!(ana.open("/timeline").await.says("Nothing happened yet"));
        let car = home.create(ana, "Corolla", &[("occurred", "2016"), ("category", "Car")]).await;
        let flat = home.create(ana, "Flat", &[("occurred", "1 1 2019"), ("category", "Home")]).await;
        // Years, orders and the way back keep what the timeline is narrowed to, and say that their numbers know nothing of it.
        let narrow = ana.open("/timeline?category=Car&kind=beginnings&at=2016").await;
        for link in ["2016, 1 event in all", "By when it was written down", "By when it happened"] {
            let href = narrow.link(link);
            assert!(href.contains("category=Car") && href.contains("kind=beginnings"), "{link}: {href}");
        }
        for (record, text, date, time) in [
            (&car, "Year only", "2019", ""),
            (&car, "Month only", "May 2019", ""),
            (&flat, "First of May", "1 5 2019", ""),
            (&flat, "Third of May", "3 5 2019", ""),
            (&car, "Third of May at noon", "3 5 2019", "12:00"),
            (&car, "Third of May in the morning", "3 5 2019", "08:30"),
            (&car, "January only", "January 2019", ""),
            (&flat, "New Year", "31 12 2018", "23:59"),
        ] {
            clock.advance(60);
            note(ana, record, text, date, time).await;
        }
        let page = ana.open("/timeline").await;
        assert_eq!(
            told(&page),
            [
                "== May 2019", "Third of May at noon", "Third of May in the morning", "Third of May", "First of May",
                "Month only", "== January 2019", "The record begins", "January only", "== 2019, month unknown",
                "Year only", "== December 2018", "New Year", "== 2016, month unknown", "The record begins",
            ]
        );
        assert!(page.says("day unknown, in May 2019") && page.says("at 12:00") && page.says("written down 22 November 2026"));
        assert_eq!(strip(&page), ["2016, 1 event", "2017, nothing", "2018, 1 event", "2019, 8 events"]);
        // The months of a year that was asked for, each with its number.
        let page = ana.open("/timeline?at=2019").await;
        assert_eq!(page.all(".chips a"), ["January 2019, 2 events", "May 2019, 5 events", "Month unknown 2019, 1 event"]);

        // By when it was written down, latest first; what happened another day says when.
        let page = ana.open("/timeline?by=recorded").await;
        assert_eq!(
            told(&page),
            [
                "== November 2026", "New Year", "January only", "Third of May in the morning", "Third of May at noon",
                "Third of May", "First of May", "Month only", "Year only", "The record begins", "The record begins",
            ]
        );
        assert!(page.says("happened 31 December 2018 at 23:59") && page.says("happened 2019"));
    }

    async fn the_timeline_shows_what_each_may_see(engine: Engine) {
        let (home, _) = scene(engine).await;
        let shared = home.create(&home.ana, "Boiler", &[("occurred", "2019"), ("visibility", "household")]).await;
        let private = home.create(&home.ana, "Diary", &[("occurred", "2020"), ("visibility", "private")]).await;
        note(&home.ana, &private, "Secret thing", "3 5 2020", "").await;
        note(&home.ben, &shared, "Serviced", "4 5 2020", "").await;
        let everybody = [(&home.ana, true), (&home.ben, false), (&home.mila, false), (&home.cleo, false)];
        for (visitor, owner) in everybody {
            assert_eq!(sees(visitor, "Secret thing").await, owner);
        }
        assert!(sees(&home.mila, "Serviced").await && !sees(&home.cleo, "Serviced").await);
        assert_eq!(strip(&home.ana.open("/timeline").await), ["2019, 1 event", "2020, 3 events"]);
        assert_eq!(strip(&home.ben.open("/timeline").await), ["2019, 1 event", "2020, 1 event"]);
        assert!(strip(&home.cleo.open("/timeline").await).is_empty());

        // Sharing shows the whole past, in timeline and counts; keeping it private takes it away again.
        press(&home.ana, &format!("{private}/share")).await;
        assert!(sees(&home.ben, "Secret thing").await && sees(&home.ana, "Secret thing").await);
        assert!(!sees(&home.cleo, "Secret thing").await);
        assert_eq!(strip(&home.ben.open("/timeline").await), ["2019, 1 event", "2020, 3 events"]);
        press(&home.ana, &format!("{private}/keep-private")).await;
        assert!(!sees(&home.ben, "Secret thing").await && sees(&home.ana, "Secret thing").await);
        assert_eq!(strip(&home.ben.open("/timeline").await), ["2019, 1 event", "2020, 1 event"]);
        assert_eq!(strip(&home.ana.open("/timeline").await), ["2019, 1 event", "2020, 3 events"]);

        // A deleted record is on nobody's timeline until it is restored.
        press(&home.ana, &format!("{private}/delete")).await;
        assert!(!sees(&home.ana, "Secret thing").await);
        assert_eq!(strip(&home.ana.open("/timeline").await), ["2019, 1 event", "2020, 1 event"]);
        let restore = home.ana.open(&private).await.form(words::RESTORE);
        home.ana.submit(&restore, words::RESTORE).await;
        assert!(sees(&home.ana, "Secret thing").await && !sees(&home.ben, "Secret thing").await);
        audit(&home.server.app).await;
    }

    async fn what_was_undone_or_reworded_stands_once_or_not_at_all(engine: Engine) {
        let (home, _) = scene(engine).await;
        let ben = &home.ben;
        let record = home.create(ben, "Boiler", &[("occurred", "2018")]).await;
        note(ben, &record, "Anode replaced", "3 5 2019", "").await;
        assert_eq!(strip(&ben.open("/timeline").await), ["2018, 1 event", "2019, 1 event"]);
        undo(ben, &record, "Anode", "Undo").await;
        assert!(!sees(ben, "Anode").await);
        assert_eq!(strip(&ben.open("/timeline").await), ["2018, 1 event"]);
        undo(ben, &record, "Anode", "Bring back").await;
        assert!(sees(ben, "Anode").await);

        // A correction takes the note's place, where its own date puts it; the latest wording is the one that stands.
        let correct = async |date: &str, text: &str| {
            let page = ben.open(&record).await;
            let (_, path) = page.links().into_iter().find(|(said, _)| said.starts_with("Correct")).expect("a link");
            let form = ben.open(&path).await.form(words::CORRECT).fill("text", text).fill("occurred", date);
            ben.submit(&form, words::CORRECT).await;
        };
        correct("4 6 2020", "Anode rod replaced").await;
        let heads = ["== June 2020", "Anode rod replaced", "== 2018, month unknown", "The record begins"];
        assert_eq!(told(&ben.open("/timeline").await), heads);
        correct("5 7 2021", "Magnesium rod replaced").await;
        let heads = ["== July 2021", "Magnesium rod replaced", "== 2018, month unknown", "The record begins"];
        assert_eq!(told(&ben.open("/timeline").await), heads);
        assert_eq!(strip(&ben.open("/timeline").await), ["2018, 1 event", "2019, nothing", "2020, nothing", "2021, 1 event"]);
        // Undoing the last wording brings the one before it back.
        undo(ben, &record, "Magnesium", "Undo").await;
        let heads = ["== June 2020", "Anode rod replaced", "== 2018, month unknown", "The record begins"];
        assert_eq!(told(&ben.open("/timeline").await), heads);

        // A change of facts tells old and new.
        let form = ben.open(&format!("{record}/edit")).await.form(words::SAVE);
        let form = form.fill("title", "Gas boiler").fill("meaning", "changed").fill("occurred", "2024");
        ben.submit(&form, words::SAVE).await;
        let page = ben.open("/timeline").await;
        assert!(page.says("Title: from Boiler to Gas boiler"), "{}", page.text());
        audit(&home.server.app).await;
    }

    async fn pages_tell_everything_once_in_either_order(engine: Engine) {
        let house = house(engine).await;
        let (app, actor) = (&house.app, &house.actors[0]);
        let record = crate::ledger::record(app, actor, "Long", Visibility::Household).await;
        let secret = crate::ledger::record(app, actor, "Own", Visibility::Private).await;
        for n in 0..120 {
            app.clock.advance(3601);
            // Eleven share a day, so that pages begin and end within one.
            let date = format!("{}-0{}-{:02}", 2010 + n % 4, 1 + n % 3, 1 + n / 60);
            let mut note = crate::ledger::note(&format!("Note {n}"));
            note.occurred = Occurred::parse_iso(&date).unwrap();
            let to = if n % 3 == 0 { secret } else { record };
            notes::add(app, actor, SubmissionKey::new(), to, note).await.unwrap();
        }
        for order in [Order::Happened, Order::Recorded] {
            let mut pages = vec![timeline::timeline(&app.db, actor, &Cursor::Newest(order), &Narrow::default()).await.unwrap()];
            assert!(pages[0].newer.is_none());
            while let Some(older) = pages.last().unwrap().older.clone() {
                let next = pages.last().unwrap().next.as_ref().map(|next| next.position);
                pages.push(timeline::timeline(&app.db, actor, &older, &Narrow::default()).await.unwrap());
                assert_eq!(pages.last().unwrap().happenings.first().map(|first| first.position), next);
            }
            assert_eq!(pages.len(), 3);
            let key = |happening: &timeline::Happening| match order {
                Order::Happened => {
                    (happening.occurred.from_key(), happening.occurred.precision().rank(), happening.position)
                }
                Order::Recorded => (happening.recorded.to_string(), 0, happening.position),
            };
            let all: Vec<_> = pages.iter().flat_map(|page| page.happenings.iter().map(key)).collect();
            assert_eq!(all.len(), 122, "two beginnings and 120 notes, each once");
            assert!(all.is_sorted_by(|a, b| a > b), "{order:?}: latest first");
            // And back again.
            let positions = |page: &timeline::TimelinePage| page.happenings.iter().map(|h| h.position).collect::<Vec<_>>();
            for at in (1..pages.len()).rev() {
                let back = timeline::timeline(&app.db, actor, pages[at].newer.as_ref().unwrap(), &Narrow::default()).await.unwrap();
                assert_eq!(positions(&back), positions(&pages[at - 1]));
                assert_eq!(back.newer.is_some(), at > 1);
            }
            let ben = timeline::timeline(&app.db, &house.actors[1], &Cursor::Newest(order), &Narrow::default()).await.unwrap();
            assert!(ben.happenings.iter().all(|happening| happening.record == record));
        }
    }

    async fn one_goes_to_a_year_or_month(engine: Engine) {
        let (home, _) = scene(engine).await;
        let ana = &home.ana;
        let record = home.create(ana, "Boiler", &[("occurred", "2015")]).await;
        for (text, date) in [("In 2017", "2017"), ("In May", "31 5 2018"), ("In June", "1 6 2018"), ("Last year", "2025")] {
            note(ana, &record, text, date, "").await;
        }
        let go = async |at: &str| {
            let form = ana.open("/timeline").await.form("Go").fill("at", at);
            ana.press(&form, "Go").await
        };
        let page = go("May 2018").await;
        assert_eq!(told(&page)[..2], ["== May 2018", "In May"]);
        assert!(page.title().contains("May 2018 and before"));
        let later = ana.open(&page.link("Later events")).await;
        assert_eq!(told(&later), ["== 2025, month unknown", "Last year", "== June 2018", "In June"]);
        assert_eq!(told(&go("2017").await)[..2], ["== 2017, month unknown", "In 2017"]);
        let page = go("2016").await;
        assert_eq!(told(&page), ["== 2015, month unknown", "The record begins"]);
        assert_eq!(page.status_line(), "Nothing in 2016. What came before follows");
        let page = go("2031").await;
        assert!(page.find_link("Later events").is_none(), "nothing lies after 2031");
        let page = go("1999").await;
        assert!(page.says("Nothing is written down from that time"));
        // Nonsense is told so, comes back as it was typed, and the newest is shown.
        let page = go("soon <b>").await;
        assert_eq!(page.status, 422);
        assert_eq!(page.form("Go").value("at"), "soon <b>");
        assert!(!page.summary().is_empty() && told(&page).contains(&"Last year".to_owned()));
        // By when it was written down: everything was, today.
        let page = ana.open("/timeline?by=recorded&at=2026").await;
        assert_eq!(told(&page).len(), 6);
        assert!(page.find_link("Later events").is_none());
        assert!(ana.open("/timeline?by=recorded&at=2025").await.says("Nothing is written down from that time"));
        for broken in ["before=x", "before=~~", "after=2019~x~1", "before=%00~1~1", "by=recorded&before=9~9~9", "by=%F0%9F%98%80",
                       "before=2019-05~1~99999999999999999999", "by=recorded&after=99999999999999999~1", "at=9999", "at=0001"] {
            ana.get(&format!("/timeline?{broken}")).await.expect(200);
        }
    }

    async fn the_start_page_tells_of_other_years_and_takes_a_note(engine: Engine) {
        let (home, _) = scene(engine).await;
        let record = home.create(&home.ana, "Biscuit", &[("occurred", "3 11 2021"), ("category", "Pet")]).await;
        let diary = home.create(&home.ana, "Diary", &[("occurred", "2020"), ("visibility", "private")]).await;
        note(&home.ana, &record, "Asleep on the shoes", "5 11 2021", "").await;
        note(&home.ana, &record, "In another month", "5 10 2020", "").await;
        note(&home.ana, &diary, "Private November", "5 11 2020", "").await;
        let page = home.ana.open("/").await;
        let past = page.all(".years-ago h3");
        assert_eq!(past, ["2021 Asleep on the shoes", "2020 Private November"]);
        assert!(page.says("November in other years"));
        assert_eq!(home.mila.open("/").await.all(".years-ago h3"), ["2021 Asleep on the shoes"]);
        assert!(home.mila.open("/").await.find_form("Add note").is_none(), "a viewer writes nothing");

        let form = page.form("Add note").fill("text", "Weighs 14 kg");
        let all_wrong = form.clone().fill("text", "").fill("occurred", "soon");
        let summary = home.ana.press(&all_wrong, "Add note").await.summary();
        let led: Vec<&str> = summary.iter().map(|(_, to)| to.as_str()).collect();
        assert_eq!(led, ["#note-text", "#note-record", "#note-on"], "in the order of the form");
        let refused = home.ana.press(&form, "Add note").await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.form("Add note").value("text"), "Weighs 14 kg");
        let id = record.rsplit('/').next().unwrap();
        let done = home.ana.submit(&refused.form("Add note").fill("record", id), "Add note").await;
        assert!(done.says("Weighs 14 kg") && done.heading().contains("Biscuit"));
        // A second press of the same form changes nothing.
        let again = home.ana.submit(&refused.form("Add note").fill("record", id), "Add note").await;
        assert_eq!(again.all(".story h4").iter().filter(|heading| heading.contains("Weighs")).count(), 1);

        // Nobody writes into what is not theirs, and cannot tell it from what is not there.
        let before = crate::support::count_events(&home.server.app.db).await;
        let own = home.create(&home.cleo, "Own", &[]).await;
        for visitor in [&home.ben, &home.cleo] {
            let form = visitor.open("/").await.form("Add note").fill("text", "I was here");
            let foreign = diary.rsplit('/').next().unwrap().to_owned();
            let mut answers = Vec::new();
            for id in [foreign, Uuid::now_v7().to_string()] {
                let (_, mut pairs) = form.entries("Add note");
                pairs.iter_mut().filter(|(name, _)| name == "record").for_each(|(_, value)| value.clone_from(&id));
                let page = visitor.post("/notes", &pairs).await;
                assert_eq!(page.status, 422);
                answers.push(page.summary());
                assert!(!page.body.contains("Diary"));
            }
            assert_eq!(answers[0], answers[1]);
        }
        let (_, pairs) = page.form("Add note").fill("text", "Mila").fill("record", id).entries("Add note");
        home.mila.post("/notes", &pairs).await.expect(403);
        home.server.visitor().ask(reqwest::Method::POST, "/notes", Some(crate::support::FORM), encode(&pairs).into_bytes()).await.expect(403);
        assert_eq!(crate::support::count_events(&home.server.app.db).await, before + 1, "only {own} was begun");
    }

    async fn a_million_entries_are_read_down_their_indexes(engine: Engine) {
        let house = house(engine).await;
        let (app, actor) = (&house.app, &house.actors[0]);
        let record = crate::ledger::record(app, actor, "Long", Visibility::Household).await;
        // As many records and events as there would be beside them, so that the engine plans as it would then.
        let other = crate::ledger::record(app, actor, "Other", Visibility::Household).await;
        crate::ledger::fill(&app.db, actor, 20_000).await;
        crate::ledger::lengthen(app, actor, other, 5_000).await;
        // A change of facts, so that pages also look up what was changed.
        let edit = crate::ledger::renamed(&views::record(&app.db, actor, record).await.unwrap(), 1);
        records::edit(app, actor, SubmissionKey::new(), record, edit).await.unwrap();
        sql("
            insert into timeline_entry
                (household_id, record_id, version, position, event_id, kind, occurred_from, occurred_precision,
                 recorded_at, happening, scope)
            with recursive n(i) as (select 3 union all select i + 1 from n where i < 1000000)
            select $1, $2, i, i + 10, $2, 'note_added',
                   cast(1900 + i % 120 as text) || '-' || substr(cast(101 + i % 12 as text), 2) || '-'
                       || substr(cast(101 + i % 28 as text), 2) || 'T00:00',
                   3, $3, $4, case when i % 10 = 0 then $5 else $1 end
            from n")
        .bind(actor.household)
        .bind(record)
        .bind(app.clock.now().plus_seconds(-86_400))
        .bind(true)
        .bind(actor.member)
        .run(&app.db)
        .await
        .unwrap();
        crate::ledger::settle(&app.db).await;
        let middle = history::Place { from: "1960-05-03T00:00".into(), precision: 3, position: 500_000 };
        let at = app.clock.now().plus_seconds(-86_400);
        let meter = app.db.meter();
        for cursor in [
            Cursor::Newest(Order::Happened),
            Cursor::Before(At::Happened(middle.clone())),
            Cursor::After(At::Happened(middle)),
            Cursor::Newest(Order::Recorded),
            Cursor::Before(At::Recorded(at, 500_000)),
            Cursor::After(At::Recorded(at, 500_000)),
        ] {
            meter.record(true);
            let page = timeline::timeline(&app.db, actor, &cursor, &Narrow::default()).await.unwrap();
            let newest = matches!(cursor, Cursor::Newest(_));
            assert_eq!(page.happenings.iter().any(|happening| !happening.changes.is_empty()), newest);
            let index = if cursor.order() == Order::Happened { "timeline_entry_occurred" } else { "timeline_entry_recorded" };
            let tape = meter.record(false);
            assert_eq!(tape.len(), 5, "after what, who is who, what the filter suggests, how much each year has, and a page");
            for (at, statement) in tape.into_iter().enumerate() {
                let plan = crate::ledger::plan_when_large(&app.db, statement.clone()).await;
                if at == 4 {
                    assert_eq!(plan.matches(index).count(), 2, "both scopes go down the index: {cursor:?}\n{plan}");
                }
                crate::ledger::expect_no_walk(statement.text(), &plan);
                crate::ledger::expect_no_sort_of_everything(engine, &plan, "timeline");
            }
        }
        let people = lifeops::store::people::of_household(&app.db, actor).await.unwrap();
        meter.record(true);
        timeline::in_month(&app.db, actor, &people, 5, &[1950, 1961, 2000], 4).await.unwrap();
        for statement in meter.record(false) {
            let plan = crate::ledger::plan_when_large(&app.db, statement.clone()).await;
            assert_eq!(plan.matches("timeline_entry_occurred").count(), 6, "{plan}");
            crate::ledger::expect_no_walk(statement.text(), &plan);
        }
        // The same of deleted records, which stand apart.
        sql("update timeline_entry set deleted_scope = scope, scope = null where household_id = $1 and record_id = $2")
            .bind(actor.household)
            .bind(record)
            .run(&app.db)
            .await
            .unwrap();
        crate::ledger::settle(&app.db).await;
        let deleted = Narrow { filter: Filter { deleted: true, ..Filter::default() }, ..Narrow::default() };
        for order in [Order::Happened, Order::Recorded] {
            meter.record(true);
            timeline::timeline(&app.db, actor, &Cursor::Newest(order), &deleted).await.unwrap();
            let tape = meter.record(false);
            let plan = crate::ledger::plan_when_large(&app.db, tape[4].clone()).await;
            let index = if order == Order::Happened { "timeline_entry_deleted_occurred" } else { "timeline_entry_deleted_recorded" };
            assert_eq!(plan.matches(index).count(), 2, "{plan}");
            crate::ledger::expect_no_walk(tape[4].text(), &plan);
            crate::ledger::expect_no_sort_of_everything(engine, &plan, "timeline");
        }
    }
}
