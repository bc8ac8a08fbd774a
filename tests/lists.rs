//! Lists and their filters, in every order; all tags and all categories, renamed and merged.

use std::collections::{BTreeMap, BTreeSet};

use lifeops::commands::labels::{self, NewName};
use lifeops::commands::notes;
use lifeops::domain::ids::{RecordId, SubmissionKey};
use lifeops::domain::text::Tag;
use lifeops::store::db::sql;
use lifeops::store::filter::{self, Cursor, Entered, Filter, Sort};

use crate::files::add;
use crate::files_limits::ana_of;
use crate::search::begin;
use crate::support::{Home, Page, audit, count_events, words};

fn titles(page: &Page) -> Vec<String> {
    page.all("main .rows h3")
}

both_engines! {
    async fn every_filter_narrows_and_can_be_taken_away(engine: Engine) {
        let home = Home::start(engine).await;
        let car = home.create(&home.ana, "Car", &[("category", "Car"), ("tags", "garage, winter"), ("occurred", "2015")]).await;
        let bike = home.create(&home.ben, "Bike", &[("category", "Bicycle"), ("tags", "garage"), ("occurred", "May 2019")]).await;
        home.create(&home.ana, "Diary", &[("visibility", "private"), ("tags", "garage"), ("occurred", "2 2 2020")]).await;
        let gone = home.create(&home.ana, "Wreck", &[("category", "Car"), ("tags", "garage"), ("occurred", "2001")]).await;
        let ask = home.ana.open(&format!("{gone}/delete")).await;
        home.ana.submit(&ask.form("Delete record"), "Delete record").await;
        add(&home.ben, &bike, "receipt.pdf", *b"%PDF-1.4").await;
        let form = home.ben.open(&car).await.form(crate::support::words::NOTE).fill("text", "New tyres").fill("occurred", "3 3 2021");
        home.ben.submit(&form, crate::support::words::NOTE).await;
        let ben = crate::household::member(&home.server.app, "Ben").await.member;
        for (query, found) in [
            ("", "Car, Bike, Diary"),
            ("category=car", "Car"),
            ("tag=garage", "Car, Bike, Diary"),
            ("tag=garage&tag=WINTER", "Car"),
            ("tag=garage,winter", "Car"),
            ("tag=winter,nothing", ""),
            ("tag=winter,nothing&any=yes", "Car"),
            ("tag=garage,winter&any=yes", "Car, Bike, Diary"),
            ("tag=garage,winter&any=yes&category=bicycle", "Bike"),
            ("files=yes", "Bike"),
            ("files=yes&tag=garage", "Bike"),
            ("from=2021&until=2021", "Car"),
            ("from=June+2019", "Car, Bike, Diary"),
            ("from=2019&until=April+2019", ""),
            ("until=2016", "Car"),
            ("from=5+5+2019&until=5+5+2019", "Bike"),
            ("time=recorded&from=2001&until=2002", ""),
            ("time=recorded&from=2001", "Car, Bike, Diary"),
            ("deleted=yes", "Wreck"),
            ("deleted=yes&tag=garage", "Wreck"),
            ("sort=title", "Bike, Car, Diary"),
            ("sort=title&tag=garage&files=yes", "Bike"),
        ] {
            let page = home.ana.open(&format!("/records?{query}")).await;
            assert_eq!(titles(&page).join(", "), found, "{query}");
        }
        // The search takes the same.
        for (query, found) in [
            ("files=yes", "Bike"),
            ("q=garage&files=yes", "Bike"),
            ("q=garage&from=2021&until=2021", "Car"),
            ("q=garage&time=recorded&until=2002", ""),
            ("q=garage+-tag:winter", "Bike, Diary"),
            ("q=-category:car+garage", "Bike, Diary"),
            ("q=tag:garage,winter", "Car"),
            ("q=garage&tag=winter,nothing&any=yes", "Car"),
            (&format!("q=garage&who={ben}"), "Car, Bike"),
            ("q=car&deleted=yes", "Wreck"),
            ("q=after:2021+before:2021", "Car"),
        ] {
            assert_eq!(titles(&home.ana.open(&format!("/search?{query}")).await).join(", "), found, "{query}");
        }
        // Which words stand nowhere is said, of what the member may see.
        let page = home.ben.open("/search?q=where+did+we+put+the+garage+diary").await;
        assert!(page.says("These words stand nowhere in what records say now: where, did, we, put, the, diary"), "{}", page.text());
        assert_eq!(titles(&home.ben.open(&page.link("Search without them")).await).join(", "), "Car, Bike");
        home.ana.get("/search?q=garage&from=lunch").await.expect(422);
        assert!(home.ana.get("/records?from=2020&until=2019").await.expect(422).says("The end lies before the beginning"));
        assert!(home.ana.open("/search?q=after:lunch").await.says("that is not understood as a date"));
        assert_eq!(titles(&home.ana.open("/records?sort=happened&tag=garage").await)[1..], ["Car", "Diary"], "a file was added to the bicycle today");
        assert_eq!(titles(&home.ana.open(&format!("/records?who={ben}")).await), ["Car", "Bike"]);
        // Taken away one by one.
        let page = home.ana.open("/records?category=Car&tag=garage&tag=winter&from=2021&files=yes").await;
        assert!(page.says("No record"), "{}", page.text());
        let page = home.ana.open(&page.link("Remove filter: with files")).await;
        assert_eq!((titles(&page).join(""), page.title()), ("Car".to_owned(), "Records: Car, #garage, #winter, from 2021 – LifeOps".to_owned()));
        let page = home.ana.open(&page.link("Remove filter: #winter")).await;
        let page = home.ana.open(&page.link("Remove filter: Car")).await;
        let page = home.ana.open(&page.link("Remove filter: from 2021")).await;
        assert_eq!(titles(&page), ["Car", "Bike", "Diary"]);
        // The form brings back what was chosen, and a date that is none comes back with a sentence.
        let form = home.ana.open("/records?tag=garage,winter&any=yes&until=2021&sort=title").await.form("Apply filters");
        assert_eq!((form.value("tag"), form.value("until"), form.value("sort")), ("garage, winter".into(), "2021".into(), "title".into()));
        let refused = home.ana.get("/records?from=lunch&tag=garage").await.expect(422);
        assert_eq!((refused.form("Apply filters").value("from"), titles(&refused).len()), ("lunch".to_owned(), 3));
        // Counts are of what the member sees.
        let ben_sees = home.ben.open("/tags").await;
        assert!(ben_sees.says("#garage 2 records") && home.ana.open("/tags").await.says("#garage 3 records"));
        assert!(home.ben.open("/records?tag=garage").await.says("2 records") && home.cleo.open("/tags").await.says("No record has a tag yet"));
    }

    async fn the_timeline_has_the_same_filters_and_kinds(engine: Engine) {
        let home = Home::start(engine).await;
        let car = home.create(&home.ana, "Car", &[("category", "Car"), ("tags", "garage"), ("occurred", "2015")]).await;
        let diary = home.create(&home.ana, "Diary", &[("visibility", "private"), ("tags", "garage"), ("occurred", "2016")]).await;
        for (record, who, text, on) in [(&car, &home.ben, "Tyres", "3 3 2021"), (&car, &home.ana, "Oil", "2021"), (&diary, &home.ana, "Secret", "4 4 2021")] {
            let form = who.open(record).await.form(crate::support::words::NOTE).fill("text", text).fill("occurred", on);
            who.submit(&form, crate::support::words::NOTE).await;
        }
        let ben = crate::household::member(&home.server.app, "Ben").await.member;
        let told = |page: &Page| page.all("main article h3").iter().map(|words| words.split(',').next().unwrap().to_owned()).collect::<Vec<_>>().join(", ");
        for (query, found) in [
            ("kind=notes", "Secret, Tyres, Oil"),
            ("kind=notes&category=car", "Tyres, Oil"),
            ("kind=beginnings", "Record begun, Record begun"),
            ("kind=files", ""),
            ("tag=garage&from=2021&until=2021", "Secret, Tyres, Oil"),
            ("from=February+2021&until=March+2021", "Tyres, Oil"),
            (&format!("who={ben}"), "Tyres"),
            ("by=recorded&kind=notes", "Secret, Oil, Tyres"),
        ] {
            let page = home.ana.open(&format!("/timeline?{query}")).await;
            let shown = told(&page);
            if found.starts_with("Record") {
                assert_eq!(shown.split(", ").count(), 2, "{query}: {shown}");
            } else {
                assert_eq!(shown, found, "{query}");
            }
        }
        let page = home.ben.open("/timeline?kind=notes").await;
        assert_eq!(told(&page), "Tyres, Oil");
        assert_eq!(told(&home.ben.open(&page.link("Remove filter: notes")).await).split(", ").count(), 3);

        // Deleted records tell their story apart, to whoever saw them, until they are restored.
        let deleted = async |who: &crate::support::Visitor, more: &str| told(&who.open(&format!("/timeline?deleted=yes{more}")).await);
        for record in [&car, &diary] {
            assert_eq!(deleted(&home.ana, "&kind=notes").await, if record == &car { "" } else { "Tyres, Oil" });
            let ask = home.ana.open(&format!("{record}/delete")).await;
            home.ana.submit(&ask.form("Delete record"), "Delete record").await;
        }
        for (query, found) in [("", "Secret, Tyres, Oil"), ("&category=car", "Tyres, Oil"), ("&from=April+2021", "Secret, Oil"), ("&by=recorded", "Secret, Oil, Tyres"), ("&files=yes", "")] {
            assert_eq!(deleted(&home.ana, &format!("&kind=notes{query}")).await, found, "{query}");
        }
        assert_eq!(deleted(&home.ben, "&kind=notes").await, "Tyres, Oil");
        assert_eq!(deleted(&home.cleo, "").await, "");
        let page = home.ana.open("/timeline?deleted=yes&at=2015").await;
        assert!(page.says("What deleted records tell, by the day it happened") && page.all(".years li").is_empty());
        assert_eq!(told(&home.ana.open(&page.link("Later events")).await).split(", ").count(), 4);
        assert_eq!(told(&home.ana.open(&page.link("Remove filter: deleted")).await), "");
        let ask = home.ana.open(&car).await;
        home.ana.submit(&ask.form(crate::support::words::RESTORE), crate::support::words::RESTORE).await;
        assert_eq!(deleted(&home.ana, "&kind=notes").await, "Secret");
        assert_eq!(told(&home.ana.open("/timeline?kind=notes").await), "Tyres, Oil");
    }

    /// Walking every page in each order, both ways, while others write: who was not touched is visited once.
    async fn pages_visit_every_untouched_record_once(engine: Engine) {
        let home = Home::start(engine).await;
        let (app, ana) = (home.server.app.clone(), ana_of(&home).await);
        // Many titles alike, and days alike, so that ties are everywhere.
        for n in 0..260 {
            begin(&app, &ana, ["Box", "Crate", "Shelf"][n % 3], "on a pile", &["pile"]).await;
        }
        let ids: Vec<RecordId> = sql("select id from record_view order by id").all(&app.db).await.unwrap().iter().map(|row| RecordId(row.uuid("id").unwrap())).collect();
        let (untouched, touched) = ids.split_at(200);
        for filter in [Filter::default(), Filter { tags: vec!["pile".into()], ..Filter::default() }, Filter { category: None, by: Some(ana.member), tags: vec!["pile".into()], ..Filter::default() }] {
            for sort in [Sort::Activity, Sort::Happened, Sort::Title] {
                let filter = Filter { sort, ..filter.clone() };
                for backward in [false, true] {
                    let mut seen: BTreeMap<RecordId, usize> = BTreeMap::new();
                    let mut cursor = Cursor::Newest;
                    if backward {
                        while let Some(next) = filter::list(&app.db, &ana, &filter, Entered::default(), &cursor).await.unwrap().older {
                            cursor = next;
                        }
                    }
                    for round in 0.. {
                        let page = filter::list(&app.db, &ana, &filter, Entered::default(), &cursor).await.unwrap();
                        for row in &page.rows {
                            *seen.entry(row.id).or_default() += 1;
                        }
                        // Somebody writes in between.
                        let note = lifeops::commands::notes::NewNote {
                            text: lifeops::domain::text::NoteText::parse("moved").unwrap(),
                            occurred: lifeops::domain::when::Occurred::parse_iso("2021").unwrap(),
                            amount: None,
                            reading: None,
                        };
                        notes::add(&app, &ana, SubmissionKey::new(), touched[round % touched.len()], note).await.unwrap();
                        match if backward { page.newer } else { page.older } {
                            Some(next) => cursor = next,
                            None => break,
                        }
                    }
                    let once: BTreeSet<RecordId> = seen.iter().filter(|(_, times)| **times == 1).map(|(id, _)| *id).collect();
                    let missed: Vec<_> = untouched.iter().filter(|id| !once.contains(id)).collect();
                    assert!(missed.is_empty(), "{filter:?} backward {backward}: {} of {}", missed.len(), untouched.len());
                }
            }
        }
    }

    async fn tags_and_categories_are_renamed_and_merged(engine: Engine) {
        let home = Home::start(engine).await;
        let hose = home.create(&home.ana, "Hose", &[("tags", "gardn, water"), ("category", "Tols")]).await;
        home.create(&home.ben, "Mower", &[("tags", "Garden"), ("category", "Tools")]).await;
        let diary = home.create(&home.ben, "Diary", &[("tags", "gardn"), ("visibility", "private")]).await;
        let before = count_events(&home.server.app.db).await;
        let page = home.ana.open("/tags").await;
        assert!(page.says("#Garden 1 record") && page.says("#gardn 1 record"), "{}", page.text());
        let form = home.ana.open(&page.link("Rename #gardn")).await.form("Go on");
        assert!(home.ana.press(&form.clone().fill("to", "gardn"), "Go on").await.expect(422).says("That is its name already"));
        assert!(home.ana.press(&form.clone().fill("to", ""), "Go on").await.expect(422).says("Enter a tag"));
        let view = home.ana.open("/records?tag=gardn&sort=title").await;
        let keep = home.ana.open(&view.link("Keep this view under a name")).await.form("Keep it");
        home.ana.submit(&keep.fill("name", "Green"), "Keep it").await;
        let confirm = home.ana.submit(&form.fill("to", "garden"), "Go on").await;
        assert!(confirm.says("Your view “Green” goes on looking for #gardn"), "{}", confirm.text());
        assert!(confirm.says("Merge #gardn into #Garden?") && confirm.says("in 1 record"), "{}", confirm.text());
        assert_eq!(count_events(&home.server.app.db).await, before, "nothing yet");
        let page = home.ana.submit(&confirm.form("Merge in 1 record"), "Merge in 1 record").await;
        assert!(page.says("What was #gardn is #Garden now. #Garden stands in 2 records that you see."), "{}", page.text());
        assert_eq!(count_events(&home.server.app.db).await, before + 1, "one event a record");
        assert_eq!(titles(&home.ana.open("/records?tag=garden").await), ["Hose", "Mower"]);
        assert!(home.ben.open("/tags").await.says("#gardn 1 record"), "what he keeps private stays");
        assert!(home.ana.open(&hose).await.says("#Garden"));
        // Sent twice, it is done already.
        let page = home.ana.submit(&confirm.form("Merge in 1 record"), "Merge in 1 record").await;
        assert!(page.says("Renamed") && count_events(&home.server.app.db).await == before + 1);
        home.ana.get("/tags/rename?label=garden&to=a,b").await.expect(422);
        // Another spelling of the same; and a category.
        let ask = home.ana.open("/tags/rename?label=garden&to=GARDEN").await;
        let page = home.ana.submit(&ask.form("Rename in 2 records"), "Rename in 2 records").await;
        assert!(page.says("#GARDEN 2 records"), "{}", page.text());
        let ask = home.ana.open("/categories/rename?label=Tols&to=Tools").await;
        home.ana.submit(&ask.form("Merge in 1 record"), "Merge in 1 record").await;
        assert_eq!(titles(&home.ana.open("/records?category=Tools").await), ["Hose", "Mower"]);
        assert_eq!(titles(&home.ana.open("/search?q=category:tools+tag:garden").await), ["Hose", "Mower"]);
        // Who may only read, and what is not theirs.
        home.mila.get("/tags/rename?label=garden").await.expect(403);
        assert!(home.mila.open("/tags").await.find_link("Rename").is_none());
        home.ana.get(&diary).await.expect(404);
        home.ana.get("/tags/rename?label=unknown").await.expect_redirect();
        audit(&home.server.app).await;
        // Many: in several transactions, one batch; a page says how far it is.
        let (app, ana) = (home.server.app.clone(), ana_of(&home).await);
        for n in 0..230 {
            begin(&app, &ana, &format!("Pot {n}"), "of clay", &["pots"]).await;
        }
        let page = home.ana.open("/tags/progress?label=pots&to=Pot&of=400").await;
        assert!(page.says("170 of 400 records done"), "{}", page.text());
        let to = NewName::Tag(Tag::parse("Pot").unwrap());
        assert_eq!(labels::rename(&app, &ana, "pots", to).await.unwrap(), 230);
        let batches = sql("select count(distinct batch_id) as batches, count(batch_id) as events from record_events where batch_id is not null and payload_version = 1 and position > 3")
            .one(&app.db).await.unwrap();
        assert!(batches.int("events").unwrap() >= 230);
        assert!(home.ana.open("/tags/progress?label=pots&to=Pot&of=400").await.says("What was #pots is #Pot now. #Pot stands in 230 records that you see."));
        audit(&app).await;
    }

    async fn a_view_is_kept_in_the_menu_of_who_named_it(engine: Engine) {
        let home = Home::start(engine).await;
        home.create(&home.ana, "Skis", &[("tags", "winter")]).await;
        home.create(&home.ana, "Kayak", &[("tags", "summer")]).await;
        let page = home.ana.open("/records?tag=winter&sort=title&before=7").await;
        let form = home.ana.open(&page.link("Keep this view under a name")).await.form("Keep it");
        assert!(home.ana.press(&form, "Keep it").await.expect(422).says("Enter a name for the view"));
        let page = home.ana.submit(&form.fill("name", "Winter things"), "Keep it").await;
        assert!(page.says("The view stands in the menu"));
        let menu = home.ana.open("/household").await;
        let view = home.ana.open(&menu.link("Winter things")).await;
        assert_eq!((titles(&view).join(""), view.form("Apply filters").value("sort")), ("Skis".to_owned(), "title".to_owned()));
        assert!(home.ben.open("/household").await.find_link("Winter things").is_none(), "it is her own");
        // The timeline and a search can be kept too; the same name takes the place of the old one.
        for (path, name) in [("/timeline?kind=notes&by=recorded", "Notes"), ("/search?q=%22red+skis%22&files=yes", "winter THINGS")] {
            let page = home.ana.open(path).await;
            let form = home.ana.open(&page.link("Keep this view under a name")).await.form("Keep it");
            home.ana.submit(&form.fill("name", name), "Keep it").await;
        }
        let menu = home.ana.open("/").await;
        assert!(menu.find_link("Winter things").is_none() && menu.link("winter THINGS") == "/search?files=yes&q=%22red%20skis%22");
        assert_eq!(menu.link("Notes"), "/timeline?kind=notes&by=recorded");
        // Nothing else is kept: no other page, no other host.
        for elsewhere in ["/sign-out", "https://evil.example/records", "//evil.example/records?x=y", "/records/../sign-out", "javascript:alert(1)"] {
            let path = format!("/views/new?address={}", percent_encoding::utf8_percent_encode(elsewhere, percent_encoding::NON_ALPHANUMERIC));
            home.ana.get(&path).await.expect_redirect();
        }
        let page = home.ana.open("/views").await;
        home.ana.submit(&page.form("Forget Notes"), "Forget Notes").await;
        assert!(home.ana.open("/").await.find_link("Notes").is_none());
        // It comes out with everything else, and goes in again.
        let app = &home.server.app;
        let mut file = Vec::new();
        lifeops::upkeep::export::to_writer(app, &mut file, &|_, _| {}).await.unwrap();
        assert!(String::from_utf8(file).unwrap().contains("\"name\":\"winter THINGS\",\"address\":\"/search?files=yes&q=%22red%20skis%22\""));
    }
}

both_engines! {
    /// What stands around a page is remembered; what another server writes shows on the next page nevertheless.
    async fn what_is_remembered_of_a_household_lasts_until_something_is_written(engine: Engine) {
        let home = Home::start(engine).await;
        let db = &home.server.app.db;
        let (ana, ben) = (ana_of(&home).await, crate::household::member(&home.server.app, "Ben").await);
        let car = home.create(&home.ana, "Car", &[("category", "Car"), ("tags", "garage"), ("occurred", "2015")]).await;
        // As another server on the same database, which remembers nothing of this one.
        let other: lifeops::app::App =
            lifeops::app::Parts { db: home.server.place().open().await, ..(*home.server.app).clone() }.into();
        let filter = async || home.ben.open("/records").await.body;
        let pages = ["/records", "/timeline", car.as_str(), "/search?q=car"];
        for path in pages {
            home.ben.open(path).await;
        }
        for path in pages {
            db.meter().record(true);
            home.ben.open(path).await;
            let tape = db.meter().record(false);
            let asked = |table: &str| tape.iter().any(|statement| statement.text().contains(table));
            assert!(asked("member_session") && !asked("label_count") && !asked("timeline_year"), "{path}");
            assert!(!tape.iter().any(|statement| statement.text().contains("string_agg(\n        cast(known.id")), "{path}");
        }
        // A record with a new category and a new tag, which make filters; one year more in the strip.
        assert!(!filter().await.contains("#attic") && !filter().await.contains("value=\"Pet\""));
        begin(&other, &ana, "Attic", "Old things", &["attic"]).await;
        assert!(filter().await.contains("value=\"attic\" label=\"attic (1)\""));
        assert_eq!(home.ben.open("/timeline").await.all(".years li"), ["2015, 1 event", "2016, nothing", "2017, nothing", "2018, nothing", "2019, nothing", "2020, 1 event"]);
        begin(&other, &ana, "Loft", "Older things", &["attic"]).await;
        assert!(filter().await.contains("label=\"attic (2)\""));
        assert!(home.ben.open("/records?tag=attic").await.says("2 records"));
        // Names, roles and who is here.
        lifeops::commands::accounts::rename(&other, &ana, lifeops::domain::text::MemberName::parse("Anastasia").unwrap()).await.unwrap();
        assert!(filter().await.contains(">Anastasia</option>") && home.ben.open(&car).await.says("Anastasia"));
        lifeops::commands::accounts::disable(&other, &lifeops::domain::person::Email::parse(&crate::support::email("Mila")).unwrap()).await.unwrap();
        assert!(!filter().await.contains(">Mila</option>"));
        lifeops::commands::accounts::enable(&other, &lifeops::domain::person::Email::parse(&crate::support::email("Mila")).unwrap()).await.unwrap();
        assert!(filter().await.contains(">Mila</option>"));
        // What is kept private leaves the counts of the others at once.
        let attic = home.ana.open("/records").await.link("Attic");
        let ask = home.ana.open(&format!("{attic}/keep-private")).await;
        let button = ask.form_to(&format!("{attic}/keep-private")).button_words()[0].clone();
        home.ana.submit(&ask.form_to(&format!("{attic}/keep-private")), &button).await;
        assert!(filter().await.contains("label=\"attic (1)\"") && home.ana.open("/records").await.body.contains("label=\"attic (2)\""));
        assert_ne!(ana.member, ben.member);
        audit(&home.server.app).await;
    }

    async fn where_somebody_lives_shows_at_once(engine: Engine) {
        use lifeops::domain::{instant::Instant, person::{Email, Zone}};
        // In London it is the 10th, in Pago Pago still the 9th.
        let noon = lifeops::app::Clock::fixed(Instant::parse("2026-03-10T10:30:00.000000Z").unwrap());
        let home = Home::set_up(crate::support::Place::empty(engine).await, noon).await;
        let ana = lifeops::commands::accounts::find(&home.server.app, &Email::parse("ana@home.example").unwrap()).await.unwrap();
        let other: lifeops::app::App =
            lifeops::app::Parts { db: home.server.place().open().await, ..(*home.server.app).clone() }.into();
        let car = home.create(&home.ana, "Car", &[]).await;
        let form = home.ana.open(&car).await.form(words::NOTE).fill("text", "Washed").fill("occurred", "2026-03-09");
        home.ana.submit(&form, words::NOTE).await;
        let told = async |path: &str| home.ben.open(path).await.says("written down 10 March");
        for path in [car.as_str(), "/timeline"] {
            assert!(told(path).await && told(path).await, "{path}: for Ben it was the day after");
        }
        let lives = async |zone: &str| {
            lifeops::commands::accounts::set_zone(&other, ana.account, &Zone::parse(zone).unwrap()).await.unwrap();
        };
        lives("Pacific/Pago_Pago").await;
        for path in [car.as_str(), "/timeline"] {
            assert!(!told(path).await, "{path}: for Ana it was the 9th still");
        }
        lives("Europe/London").await;
        for path in ["/timeline", car.as_str()] {
            assert!(told(path).await, "{path}");
        }
        audit(&home.server.app).await;
    }
}

both_engines! {
    async fn filters_say_what_they_do_and_keep_what_they_were_given(engine: Engine) {
        let home = Home::start(engine).await;
        let (app, ana) = (home.server.app.clone(), ana_of(&home).await);
        for n in 0..23 {
            begin(&app, &ana, &format!("Thing {n}"), "of the house", &["garage"]).await;
        }
        let car = home.create(&home.ana, "Car", &[("category", "Car"), ("occurred", "2015")]).await;
        let heading = |page: &Page| page.all("#results h2").remove(0);

        // Which time is meant, without a range, narrows nothing.
        let page = home.ana.open("/search?time=recorded").await;
        assert!(page.all("#results h2").is_empty() && page.says("Everything that is written down is looked through"));
        assert!(page.body.contains("id=\"time-1\" name=\"time\" value=\"recorded\" checked"), "it comes back as it was chosen");
        // A beginning after all time finds nothing.
        for path in ["/records?from=9999-12-31&time=recorded", "/search?from=9999-12-31&time=recorded", "/records?from=9999-12-31"] {
            assert_eq!(heading(&home.ana.open(path).await), "No records", "{path}");
        }
        assert!(home.ana.open("/timeline?from=9999-12-31&time=recorded").await.says("Nothing that fits is written down."));

        // Each page of a search says how much there is in all.
        for sort in ["", "&sort=title", "&sort=happened"] {
            let first = home.ana.open(&format!("/search?q=house{sort}")).await;
            let (_, next) = first.links().into_iter().rev().find(|(_, href)| href.contains("before=")).expect("a page after it");
            let second = home.ana.open(&next).await;
            assert_eq!((heading(&first), heading(&second)), ("23 records".to_owned(), "23 records".to_owned()), "{sort}");
            assert_eq!(titles(&second).len(), 3);
        }

        // Going to a year knows of the filters: what is later than it, and what fits.
        let page = home.ana.open("/timeline?category=Car&at=2010&kind=beginnings").await;
        assert_eq!(page.status_line(), "Nothing that fits in 2010 or before");
        assert!(page.says("Nothing that fits is written down from that time or before."));
        assert!(page.link("Show the newest").contains("category=Car"));
        let later = home.ana.open(&page.link("Later events")).await;
        assert_eq!(later.all("main article h3").len(), 1, "{}", later.body);
        let page = home.ana.open("/timeline?category=Car&at=2016").await;
        assert!(page.find_link("Later events").is_none(), "what happened in 2020 is no car");

        // Beside deleted records stands nobody's number but theirs.
        let ask = home.ana.open(&format!("{car}/delete")).await;
        home.ana.submit(&ask.form("Delete record"), "Delete record").await;
        assert!(home.ana.open("/records").await.body.contains("label=\"garage (23)\""));
        for path in ["/records?deleted=yes", "/timeline?deleted=yes", "/search?q=car&deleted=yes"] {
            let page = home.ana.open(path).await;
            assert!(!page.body.contains("(23)") && page.body.contains("<option value=\"garage\">"), "{path}");
        }

        // Whoever was chosen stays chosen, also when kept out.
        let mila = crate::household::member(&app, "Mila").await;
        lifeops::commands::accounts::disable(&app, &lifeops::domain::person::Email::parse(&mila.email).unwrap()).await.unwrap();
        let page = home.ana.open(&format!("/records?who={}", mila.member)).await;
        assert!(page.says("by Mila") && page.body.contains(&format!("<option value=\"{}\" selected>Mila</option>", mila.member)));
        assert!(!home.ana.open("/records").await.body.contains(">Mila</option>"));

        // What does not count is told, and nothing that was typed is lost.
        assert!(home.ana.open("/search?q=-after:2019").await.says("-after:2019: that is not understood as a date"));
        let tags = (0..12).map(|n| format!("t{n}")).collect::<Vec<_>>().join(", ");
        let page = home.ana.get(&format!("/records?tag={}", tags.replace(", ", "%2C+"))).await;
        assert_eq!(page.status, 422);
        assert_eq!(page.summary(), [("Only the first 10 tags count. Take some of them away".to_owned(), "#tag".to_owned())]);
        assert!(page.body.contains(&format!("value=\"{tags}\"")));
    }
}
