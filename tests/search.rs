//! The search, through its page: what it finds, who finds it, and that whatever is typed is no error.

use std::collections::BTreeMap;

use lifeops::app::App;
use lifeops::commands::records::{self, NewRecord};
use lifeops::domain::access::{Actor, Visibility};
use lifeops::domain::ids::{RecordId, SubmissionKey};
use lifeops::domain::text::{Description, Tag, Title};
use lifeops::domain::when::Occurred;
use serde::Deserialize;

use crate::files::add;
use crate::support::{Engine, Home, Page, Store, Visitor, words};

#[derive(Deserialize)]
struct Suite {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    language: String,
    /// In the order of their keys.
    records: BTreeMap<String, Told>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Told {
    title: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    occurred: String,
    #[serde(default)]
    notes: Vec<Note>,
    #[serde(default)]
    files: Vec<String>,
}

#[derive(Deserialize)]
struct Note {
    text: String,
    #[serde(default)]
    occurred: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    currency: String,
}

#[derive(Deserialize)]
struct Case {
    query: String,
    /// All of them.
    finds: Vec<String>,
    /// Some of the others.
    #[serde(default)]
    misses: Vec<String>,
    #[serde(default)]
    first: Option<String>,
    why: String,
}

/// Begins a record of the household.
pub async fn begin(app: &App, actor: &Actor, title: &str, description: &str, tags: &[&str]) -> RecordId {
    let new = NewRecord {
        title: Title::parse(title).unwrap(),
        category: None,
        description: Some(Description::parse(description).unwrap()),
        tags: tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect(),
        fields: Vec::new(),
        visibility: Visibility::Household,
        occurred: Occurred::parse_iso("2020").unwrap(),
        external: None,
    };
    records::create(app, actor, SubmissionKey::new(), new).await.unwrap().record
}

/// Asks for words and returns the page.
pub async fn look_for(visitor: &Visitor, query: &str) -> Page {
    visitor.open(&format!("/search?q={}", encoded(query))).await
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The titles that a page of the search lists.
pub fn titles(page: &Page) -> Vec<String> {
    page.all("main .rows h3")
}

async fn tell(home: &Home, told: &Told) {
    let form = home.ana.open("/records/new").await.form(words::NEW);
    let form = form.fill("title", &told.title).fill("category", &told.category).fill("tags", &told.tags.join(", "));
    let form = form.fill("description", &told.description).fill("occurred", &told.occurred);
    let form = told.fields.iter().enumerate().fold(form, |form, (nth, (name, value))| {
        form.fill_nth("field_name", nth, name).fill_nth("field_value", nth, value)
    });
    let answer = home.ana.press(&form, words::NEW).await;
    let record = answer.expect_redirect().split('?').next().unwrap_or_default().to_owned();
    for note in &told.notes {
        let form =
            home.ana.open(&record).await.form(words::NOTE).fill("text", &note.text).fill("occurred", &note.occurred);
        let form = form.fill("amount", &note.amount).fill("currency", &note.currency);
        home.ana.press(&form, words::NOTE).await.expect_redirect();
    }
    for file in &told.files {
        add(&home.ana, &record, file, *b"words").await;
    }
}

/// Runs the cases of some groups, and names every one that fails.
async fn conforms(engine: Engine, names: &[&str]) {
    let suite: Suite = serde_json::from_str(include_str!("samples/search.json")).unwrap();
    assert!(suite.groups.iter().map(|group| group.cases.len()).sum::<usize>() >= 120);
    let mut failures = Vec::new();
    for group in suite.groups.iter().filter(|group| names.contains(&group.name.as_str())) {
        let language = group.language.parse().unwrap();
        let home = Home::start_in(engine, Store::Directory, |settings| settings.search_language = language).await;
        let mut keys = BTreeMap::new();
        for (key, told) in &group.records {
            tell(&home, told).await;
            assert!(keys.insert(told.title.clone(), key.clone()).is_none(), "{} twice", told.title);
        }
        for case in &group.cases {
            let page = look_for(&home.ana, &case.query).await;
            let found: Vec<&String> = titles(&page).iter().map(|title| &keys[title]).collect();
            let (mut all, mut wanted) = (found.clone(), case.finds.iter().collect::<Vec<_>>());
            all.sort();
            wanted.sort();
            let first = case.first.as_ref().is_none_or(|first| found.first() == Some(&first));
            if all != wanted || !first || case.misses.iter().any(|miss| found.contains(&miss)) {
                let (name, Case { query, why, first, .. }) = (&group.name, case);
                failures.push(format!("{name} [{query}] ({why}): found {found:?}, not {wanted:?}, first {first:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} cases:\n{}", failures.len(), failures.join("\n"));
}

both_engines! {
    async fn english(engine: Engine) {
        conforms(engine, &["english"]).await;
    }

    async fn western(engine: Engine) {
        conforms(engine, &["german", "french", "spanish", "turkish"]).await;
    }

    async fn greek_and_cyrillic(engine: Engine) {
        conforms(engine, &["greek", "russian"]).await;
    }

    async fn without_word_spaces(engine: Engine) {
        conforms(engine, &["japanese", "chinese", "korean", "thai"]).await;
    }

    async fn numbers_signs_and_operators(engine: Engine) {
        conforms(engine, &["mixed"]).await;
    }
}

/// Marked words and places of a page of the search.
fn places(page: &Page) -> Vec<String> {
    page.all("main .hits > li")
}

both_engines! {
    async fn what_is_found_is_what_the_member_may_see(engine: Engine) {
        let home = Home::start(engine).await;
        let diary = [("visibility", "private"), ("tags", "quokka"), ("category", "Zine"), ("description", "kept under the xylophone")];
        let diary = home.create(&home.ana, "Diary", &diary).await;
        home.note(&home.ana, &diary, "The vexillology club meets").await;
        add(&home.ana, &diary, "jabberwock.txt", *b"words").await;
        let words = ["diary", "quokka", "zine", "xylophone", "vexillology", "jabberwock", "tag:quokka", "category:zine", "-nothing"];
        for word in words {
            let page = look_for(&home.ana, word).await;
            assert_eq!(titles(&page), ["Diary"], "{word}");
            for other in [&home.ben, &home.mila, &home.cleo] {
                let page = look_for(other, word).await;
                assert!(page.says("No record that you may see has all of this"), "{word}: {}", page.text());
                let main = page.all("main").join(" ");
                assert!(!main.contains("Diary") && !main.contains("Zine ("), "{word}: {main}");
            }
        }
        // Shared, it is everybody's in the household; kept private again, nobody else's.
        let ask = home.ana.open(&format!("{diary}/share")).await;
        home.ana.submit(&ask.form("Share it"), "Share it").await;
        assert_eq!(titles(&look_for(&home.mila, "vexillology").await), ["Diary"]);
        assert_eq!(titles(&look_for(&home.ben, "tag:quokka xylophone").await), ["Diary"]);
        assert!(titles(&look_for(&home.cleo, "diary").await).is_empty());
        let ask = home.ana.open(&format!("{diary}/keep-private")).await;
        let button = ask.forms().into_iter().find(|form| form.action.ends_with("keep-private")).unwrap().button_words();
        home.ana.submit(&ask.form(&button[0]), &button[0]).await;
        assert!(titles(&look_for(&home.ben, "diary").await).is_empty());
        assert_eq!(titles(&look_for(&home.ana, "diary").await), ["Diary"]);
        // Handed over, it is the other one's alone.
        let form = home.ana.open(&format!("{diary}/hand-over")).await;
        let form = form.forms().into_iter().find(|form| form.action.ends_with("hand-over")).unwrap();
        let ben = crate::household::member(&home.server.app, "Ben").await.member.to_string();
        let button = form.button_words()[0].clone();
        home.ana.press(&form.fill("to", &ben), &button).await.expect_redirect();
        assert!(titles(&look_for(&home.ana, "vexillology").await).is_empty());
        assert_eq!(titles(&look_for(&home.ben, "vexillology").await), ["Diary"]);
        crate::support::audit(&home.server.app).await;
    }

    async fn what_is_written_is_found_at_once_and_what_is_undone_is_not(engine: Engine) {
        let home = Home::start(engine).await;
        let boiler = home.create(&home.ana, "Boiler", &[("tags", "heating")]).await;
        let page = home.note(&home.ana, &boiler, "Anode rod replaced\n\nby the **plumber**").await;
        let found = look_for(&home.ben, "anodes boiler").await;
        assert_eq!(titles(&found), ["Boiler"]);
        assert_eq!(found.all("main mark"), ["Boiler", "Anode"]);
        assert!(places(&found)[0].contains("Anode rod replaced · by the plumber"), "{:?}", places(&found));
        // The hit opens the record at the note.
        let (_, href) = found.links().into_iter().find(|(words, _)| words.starts_with("Note,")).unwrap();
        let story = home.ben.open(&href).await;
        let anchor = href.split_once('#').unwrap().1;
        assert!(story.all(&format!("#{anchor}"))[0].contains("Anode rod replaced"));
        // A new wording takes the place of the old one, and back.
        let form = home.ana.open(&page.link("Correct")).await;
        let button = form.forms().into_iter().find(|form| form.action.contains("/notes/")).unwrap().button_words()[0].clone();
        let page = home.ana.submit(&form.form(&button).fill("text", "Thermostat replaced"), &button).await;
        assert!(titles(&look_for(&home.ana, "anode").await).is_empty());
        assert_eq!(titles(&look_for(&home.ana, "thermostat").await), ["Boiler"]);
        let undo = home.ana.open(&page.link("Undo")).await;
        home.ana.submit(&undo.form("Undo it"), "Undo it").await;
        assert_eq!(titles(&look_for(&home.ana, "anode plumber").await), ["Boiler"]);
        assert!(titles(&look_for(&home.ana, "thermostat").await).is_empty());
        // A file's name, as long as it is there.
        add(&home.ana, &boiler, "Invoice Kovacs.pdf", *b"%PDF-1.4").await;
        let found = look_for(&home.ana, "kovacs").await;
        assert!(places(&found)[0].contains("Invoice Kovacs.pdf"));
        // Deleted, it is found among what is deleted.
        let ask = home.ana.open(&format!("{boiler}/delete")).await;
        home.ana.submit(&ask.form("Delete record"), "Delete record").await;
        assert!(titles(&look_for(&home.ana, "anode").await).is_empty());
        let deleted = home.ana.open("/search?q=anode&deleted=yes").await;
        assert_eq!(titles(&deleted), ["Boiler"]);
        assert!(deleted.says("1 deleted record"));
        // Computed again, it answers the same, in another language too.
        lifeops::upkeep::rebuild::all(&home.server.app, &|_, _| {}).await.unwrap();
        assert_eq!(titles(&home.ana.open("/search?q=anode&deleted=yes").await), ["Boiler"]);
        crate::support::audit(&home.server.app).await;
    }

    async fn titles_come_first_then_the_latest_and_pages_join(engine: Engine) {
        let home = Home::start(engine).await;
        let app = home.server.app.clone();
        let actor = crate::files_limits::ana_of(&home).await;
        for n in 0..130 {
            let title = if n % 10 == 3 { format!("Valve {n}") } else { format!("Thing {n}") };
            begin(&app, &actor, &title, "with a valve", &[]).await;
        }
        let mut path = "/search?q=valve".to_owned();
        let (mut seen, mut pages) = (Vec::new(), Vec::new());
        loop {
            let page = home.ana.open(&path).await;
            seen.extend(titles(&page));
            pages.push(titles(&page));
            match page.find_link("Older matches") {
                Some(next) => path = next,
                None => break,
            }
        }
        let number = |title: &String| title.rsplit(' ').next().unwrap().parse::<i64>().unwrap();
        let wanted: Vec<i64> = (0..130).rev().filter(|n| n % 10 == 3).chain((0..130).rev().filter(|n| n % 10 != 3)).collect();
        assert_eq!(seen.iter().map(number).collect::<Vec<_>>(), wanted);
        // And back.
        let mut back = Vec::new();
        while let Some(newer) = home.ana.open(&path).await.find_link("Newer matches") {
            path = newer;
            back.push(titles(&home.ana.open(&path).await));
        }
        back.reverse();
        let flat = |pages: &[Vec<String>]| pages.concat();
        assert_eq!(flat(&back), flat(&pages)[..flat(&back).len()]);
        assert!(home.ana.open("/search?q=valve").await.says("130 records"));
        // Words that follow each other are read off the records.
        let page = home.ana.open("/search?q=%22a+valve%22").await;
        assert_eq!(titles(&page).len(), 20);
        assert!(titles(&home.ana.open("/search?q=%22valve+a%22").await).is_empty());
    }

    async fn whatever_is_typed_is_no_error(engine: Engine) {
        let home = Home::start(engine).await;
        home.create(&home.ana, "Water heater (NEAR) \"x\" AND y*", &[("tags", "OR"), ("description", "a:b ^c {d} -e")]).await;
        let mut dice = crate::support::Dice::new("search");
        let pieces = [
            "AND", "OR", "NOT", "NEAR(", ")", "(", "\"", "'", "*", ":*", "^", "-", "--", "+", "{", "}", ":", "tag:", "category:\"",
            "after:", "before:2020", "before:9999999", "%", "_", "\\", "\0", "\u{FFFD}", "\u{202E}", "<->", "!", "&", "|", "heater", "wat",
            "water", "z-1", "🐕", "洗濯", "\u{301}", "a\u{0}b", "search_index", "rowid", "terms:", "$1", "?1", ";", "/*", "*/", "~", "|| '",
        ];
        for round in 0..2000 {
            let mut query = String::new();
            for _ in 0..=dice.below(8) {
                query.push_str(pieces[dice.below(pieces.len() as u64) as usize]);
                query.push_str(["", " ", "  ", "\t", "\u{3000}"][dice.below(5) as usize]);
            }
            if round % 100 == 7 {
                query = query.repeat(10_000 / query.len().max(1) + 1);
                query.truncate(query.floor_char_boundary(10_000));
            }
            let page = home.ana.get(&format!("/search?q={}", encoded(&query))).await;
            assert_eq!(page.status, 200, "{query:?}: {}", page.text());
            if round % 10 == 0 {
                let filtered = format!("/search?q={}&tag=or&from=2019&who={}&before=r~{round}", encoded(&query), dice.below(9));
                assert_eq!(home.ana.get(&filtered).await.status, 200, "{query:?}");
            }
        }
        for broken in ["/search?q=%", "/search?q=%ff%fe&before=t~x", "/search?before=r~-1&after=~", "/search?q=a&from=lunch"] {
            assert!(home.ana.get(broken).await.status < 500, "{broken}");
        }
    }

    async fn every_search_goes_by_an_index(engine: Engine) {
        let home = Home::start(engine).await;
        let (app, ana) = (home.server.app.clone(), crate::files_limits::ana_of(&home).await);
        for n in 0..40 {
            let record = begin(&app, &ana, &format!("Valve {n}"), "beside the water tank", &["pipes"]).await;
            let note = lifeops::commands::notes::NewNote {
                text: lifeops::domain::text::NoteText::parse("A new washer").unwrap(),
                occurred: Occurred::parse_iso("2021").unwrap(),
                amount: None,
                reading: None,
            };
            lifeops::commands::notes::add(&app, &ana, SubmissionKey::new(), record, note).await.unwrap();
        }
        crate::ledger::settle(&app.db).await;
        for query in [
            "q=valve", "q=valve+washer", "q=%22water+tank%22", "q=was", "q=-nothing", "q=valve+-washer", "q=tag:pipes",
            "q=valve&tag=pipes&category=none", "q=valve&from=2021&files=yes", "q=washer&before=r~30", "q=washer&after=t~3", "deleted=yes",
        ] {
            let meter = app.db.meter();
            meter.record(true);
            home.ana.open(&format!("/search?{query}")).await;
            let tape = meter.record(false);
            let searches: Vec<_> = tape.into_iter().filter(|statement| statement.text().contains("search_")).collect();
            assert!(!searches.is_empty());
            for statement in searches {
                let plan = crate::ledger::plan_when_large(&app.db, statement.clone()).await;
                crate::ledger::expect_no_walk(statement.text(), &plan);
                if statement.text().contains("search_index") || statement.text().contains("@@") {
                    let index = ["search_index VIRTUAL TABLE INDEX", "search_record_terms", "search_record_position", "search_record_pkey"];
                    assert!(index.iter().any(|index| plan.contains(index)), "{query}:\n{plan}");
                }
            }
        }
    }
}

/// In how many pieces SQLite's index lies.
async fn pieces(app: &App) -> i64 {
    let row =
        lifeops::store::db::sql("select count(distinct segid) as pieces from search_index_idx").one(&app.db).await;
    row.unwrap().int("pieces").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_is_put_in_order_by_and_by() {
    use lifeops::store::projection::{Order, put_in_order};
    let home = Home::start(Engine::Sqlite).await;
    let (app, ana) = (home.server.app.clone(), crate::files_limits::ana_of(&home).await);
    let mut order = Order::default();
    let mut made = 0;
    for (more, most) in [(1, 1), (230, 4), (40, 12), (800, 2)] {
        for _ in 0..more {
            begin(&app, &ana, &format!("Valve {made}"), "beside the water tank", &[]).await;
            made += 1;
        }
        put_in_order(&app.db, &mut order).await.unwrap();
        assert!(pieces(&app).await <= most, "{made}: {} pieces", pieces(&app).await);
        let found = look_for(&home.ana, &format!("valve {}", made - 1)).await;
        assert_eq!(titles(&found), [format!("Valve {}", made - 1)], "{}", found.body);
    }
}

both_engines! {
    async fn words_that_most_records_have_are_found_and_counted(engine: Engine) {
        let home = Home::start(engine).await;
        let (app, ana) = (home.server.app.clone(), crate::files_limits::ana_of(&home).await);
        for n in 0..1060 {
            let title = if n % 100 == 7 { format!("Tank {n}") } else { format!("Thing {n}") };
            let says = if n % 50 == 0 { "seldom water" } else { "often water" };
            begin(&app, &ana, &title, says, &[]).await;
        }
        for (query, count, first) in [
            ("water", "More than 1,000 records", "Thing 1059"),
            ("wat", "More than 1,000 records", "Thing 1059"),
            ("water -seldom", "More than 1,000 records", "Thing 1059"),
            ("\"often water\"", "More than 1,000 records", "Thing 1059"),
            ("\"seldom water\"", "22 records", "Thing 1050"),
            ("seldom", "22 records", "Thing 1050"),
            ("seldom water", "22 records", "Thing 1050"),
            ("seldom often", "No records", ""),
            ("water tank", "11 records", "Tank 1007"),
            ("tank water often", "11 records", "Tank 1007"),
            ("often", "More than 1,000 records", "Thing 1059"),
            ("thing often", "More than 1,000 records", "Thing 1059"),
            ("thing -often", "22 records", "Thing 1050"),
        ] {
            let page = look_for(&home.ana, query).await;
            assert!(page.body.contains(count), "{query}: {}", page.body);
            assert_eq!(titles(&page).first().map_or("", String::as_str), first, "{query}");
        }
    }
}

both_engines! {
    async fn what_takes_too_long_is_given_up(engine: Engine) {
        use lifeops::store::db::{DbError, sql};
        let home = Home::start(engine).await;
        let db = home.server.app.db.clone();
        let hurried = db.clone().within(std::time::Duration::from_millis(200));
        let (slow, slower) = match engine {
            Engine::Sqlite => {
                let count = |to: &str| format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {to}) select count(*) as n from n");
                (count("100000"), count("1000000000000"))
            }
            Engine::Postgres => ("select cast(1 as bigint) as n from pg_sleep(0.4)".to_owned(), "select cast(1 as bigint) as n from pg_sleep(60)".to_owned()),
        };
        for _ in 0..3 {
            let given_up = sql(slower.clone()).one(&hurried).await;
            assert!(matches!(given_up, Err(DbError::TooLong)));
            assert_eq!(sql("select cast(7 as bigint) as n").one(&hurried).await.unwrap().int("n").unwrap(), 7);
            // Who does not hurry, and what is part of a transaction, has time.
            sql(slow.clone()).one(&db).await.unwrap();
            let mut tx = hurried.begin().await.unwrap();
            sql(slow.clone()).one(&mut tx).await.unwrap();
            tx.rollback().await.unwrap();
            let mut tx = hurried.snapshot().await.unwrap();
            sql(slow.clone()).one(&mut tx).await.unwrap();
        }
        assert!(matches!(lifeops::error::Error::from(DbError::TooLong), lifeops::error::Error::Unavailable(_)));
    }

    async fn hits_come_in_other_orders_too(engine: Engine) {
        let home = Home::start(engine).await;
        for (title, says, occurred) in [
            ("Zeppelin", "with a valve", "2011"), ("Älg", "valve", "2019-05"), ("bike", "valve", "2015-01-02"),
            ("Valve of the tank", "", "2003"), ("Car", "a VALVE", "2020"), ("Dog", "nothing", "2022"),
        ] {
            home.create(&home.ana, title, &[("description", says), ("occurred", occurred)]).await;
        }
        for (order, wanted) in [
            ("", ["Valve of the tank", "Car", "bike", "Älg", "Zeppelin"]),
            ("title", ["Älg", "bike", "Car", "Valve of the tank", "Zeppelin"]),
            ("happened", ["Car", "Älg", "bike", "Zeppelin", "Valve of the tank"]),
        ] {
            let page = home.ana.open(&format!("/search?q=valve&sort={order}")).await;
            assert_eq!(titles(&page), wanted, "{order}");
            assert!(page.says("5 records"));
        }
        let page = home.ana.open("/search?q=valve&sort=title").await;
        assert!(page.says("by title"));
        let form = page.form("Apply filters").fill("sort", "happened");
        assert_eq!(titles(&home.ana.press(&form, "Apply filters").await)[0], "Car");
        // A place of another order, or none at all, is the beginning.
        for odd in ["before=r~3", "before=zz", "within=x", "after=2019~x", "within=-5&before="] {
            let page = home.ana.open(&format!("/search?q=valve&sort=title&{odd}")).await;
            assert_eq!(titles(&page).len(), 5, "{odd}");
        }
    }
}
