//! A form whose session ended while somebody typed comes back filled after signing in, and is never sent by itself.

use std::collections::BTreeSet;

use lifeops::app::Clock;
use lifeops::domain::instant::Instant;
use lifeops::store::db::sql;
use lifeops::web::guards::Access;
use lifeops::web::routes;

use crate::accounts::{household, try_sign_in};
use crate::second_factor::{code, turn_on};
use crate::support::{Home, PASSWORD, Page, Visitor, audit, count_events, email, words};

/// The same browser after its session ended.
fn expired(visitor: &Visitor) -> Visitor {
    let again = visitor.clone();
    again.set_cookie("lifeops", &tower_sessions::session::Id(7).to_string());
    again
}

/// Signs somebody in on the page that took a form along.
async fn sign_in_on(visitor: &Visitor, page: &Page, name: &str) -> Page {
    let form = page.form("Sign in").fill("email", &email(name)).fill("password", PASSWORD);
    visitor.press(&form, "Sign in").await
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a page carries along, opened.
fn carried(home: &Home, page: &Page) -> String {
    let sealed = page.form_to("/sign-in").value("parked");
    let value: serde_json::Value = lifeops::seal::open_text(&home.server.app.key, "parked form", &sealed).unwrap();
    value.to_string()
}

/// Everything that must not change: how much there is in every table of accounts and records.
async fn state(home: &Home) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in [
        "record_events",
        "submission",
        "account",
        "member",
        "household",
        "second_factor",
        "recovery_code",
        "record_view",
    ] {
        let row = sql(format!("select count(*) as n from {table}")).one(&home.server.app.db).await.unwrap();
        counts.push(row.int("n").unwrap());
    }
    let row = sql("select sum(session_epoch) as n from account").one(&home.server.app.db).await;
    counts.extend(row.and_then(|row| row.int("n")).ok());
    counts
}

both_engines! {
    async fn a_long_note_comes_back_as_it_was_typed(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let form = home.ana.open(&record).await.form(words::NOTE);
        let text = "Größe & <b>\n".to_owned() + &"ж \"y\"\n".repeat(9_000);
        assert!((60_000..=65_536).contains(&text.len()));
        let form = form.fill("text", &text).fill("occurred", "27 3 2019").fill("amount", "5").fill("currency", "EUR");
        let (before, events) = (state(&home).await, count_events(&home.server.app.db).await);
        let visitor = expired(&home.ana).with_header("referer", &format!("{}{record}", home.ana.base()));
        let page = visitor.press(&form, words::NOTE).await.expect(403);
        assert!(page.says("You are signed out") && page.says("the form comes back as you filled it in"));
        // A wrong password in between loses nothing.
        let wrong = page.form("Sign in").fill("email", &email("Ana")).fill("password", "not it");
        let page = visitor.press(&wrong, "Sign in").await.expect(422);
        assert!(page.says("the form comes back as you filled it in"));
        let again = sign_in_on(&visitor, &page, "Ana").await.expect(200);
        assert_eq!((again.heading(), again.title()), ("Boiler".to_owned(), "Boiler – LifeOps".to_owned()));
        assert!(again.says("You were signed out. Nothing is saved yet; here is what you typed."));
        assert!(again.summary().is_empty(), "nothing is wrong with it");
        assert_eq!(again.link("Go to the form"), "#note-text");
        assert_eq!(again.all("#note-text").len(), 1);
        let filled = again.form(words::NOTE);
        for name in ["text", "occurred", "amount", "currency", "submission"] {
            assert_eq!(filled.value(name).trim_end(), form.value(name).trim_end(), "{name}");
        }
        assert_eq!((state(&home).await, count_events(&home.server.app.db).await), (before, events), "not sent by itself");
        // Pressed, it is saved, once.
        for _ in 0..2 {
            visitor.press(&filled, words::NOTE).await.expect(303);
        }
        assert_eq!(count_events(&home.server.app.db).await, events + 1);
        audit(&home.server.app).await;
    }

    /// On a device of several people: what one of them typed is not shown to another.
    async fn only_whoever_typed_it_gets_it_back(engine: Engine) {
        let home = Home::start(engine).await;
        sql("update member_session set last_seen = $1, created_at = $1")
            .bind(Instant::from_micros(1_700_000_000_000_000))
            .run(&home.server.app.db)
            .await
            .unwrap();
        let typed = [("title", "Xylographic diary"), ("visibility", "private")];
        let page = home.ana.post("/records/new", &pairs(&typed)).await.expect(403);
        let shown = sign_in_on(&home.ana, &page, "Ben").await.expect(200);
        assert!(shown.says("Somebody else’s text is not shown") && !shown.body.contains("Xylographic"), "{}", shown.text());
        let shown = sign_in_on(&home.ana, &page, "Ana").await.expect(200);
        assert_eq!(shown.form(words::NEW).value("title"), "Xylographic diary");
    }

    async fn forms_of_many_fields_come_back_too(engine: Engine) {
        let home = Home::start(engine).await;
        let form = home.ana.open("/records/new").await.form(words::NEW).fill("title", "Passport").fill("tags", "travel, papers");
        let form = form.fill("field_name", "Number").fill("field_value", "X 1234").fill("visibility", "private");
        let visitor = expired(&home.ana);
        let page = visitor.press(&form, words::NEW).await.expect(403);
        let filled = sign_in_on(&visitor, &page, "Ana").await.expect(200).form(words::NEW);
        for name in ["title", "tags", "field_name", "field_value", "visibility", "submission"] {
            assert_eq!(filled.value(name), form.value(name), "{name}");
        }
        // What is wrong with a field is said when it is sent, not before.
        let wrong = filled.fill("occurred", "31 2 2020");
        let page = expired(&visitor).press(&wrong, words::NEW).await.expect(403);
        let again = sign_in_on(&visitor, &page, "Ana").await.expect(200);
        assert!(again.summary().is_empty() && again.form(words::NEW).value("occurred") == "31 2 2020");
        visitor.press(&again.form(words::NEW), words::NEW).await.expect(422);
        // A stale edit that settles a conflict, a rearranged form, the short form of the start page.
        let record = home.create(&home.ana, "Kettle", &[]).await;
        let edit = home.ana.open(&format!("{record}/edit")).await.form(words::SAVE).fill("title", "Copper kettle");
        let page = expired(&home.ana).press(&edit, words::SAVE).await.expect(403);
        let again = sign_in_on(&visitor, &page, "Ana").await.expect(200);
        assert_eq!(again.form(words::SAVE).value("title"), "Copper kettle");
        assert_eq!(again.form(words::SAVE).value("version"), edit.value("version"));
        let conflict = pairs(&[("title", "Mine"), ("keep-1", "theirs"), ("conflict-1", "title"), ("theirs-value-1", "Theirs"), ("version", "1")]);
        let page = expired(&home.ana).post(&format!("{record}/edit"), &conflict).await.expect(403);
        sign_in_on(&visitor, &page, "Ana").await.expect(200).form(words::SAVE);
        let quick = home.ana.open("/").await.form_to("/notes").fill("text", "Descaled");
        let button = quick.button_words().pop().unwrap();
        let page = expired(&home.ana).press(&quick, &button).await.expect(403);
        assert_eq!(sign_in_on(&visitor, &page, "Ana").await.expect(200).form_to("/notes").value("text"), "Descaled");
        // A form without words leads to its page.
        let page = expired(&home.ana).post(&format!("{record}/share"), &pairs(&[("submission", "x")])).await.expect(403);
        assert_eq!(sign_in_on(&visitor, &page, "Ana").await.expect_redirect(), format!("{record}/share"));
        audit(&home.server.app).await;
    }

    async fn the_second_step_carries_it_on(engine: Engine) {
        let clock = Clock::fixed(Instant::from_micros(1_790_000_000_000_000));
        let (_server, ana) = household(engine, clock.clone()).await;
        let (secret, _) = turn_on(&ana, &clock).await;
        clock.advance(60);
        let form = ana.open("/records/new").await.form(words::NEW).fill("title", "Passport");
        let visitor = expired(&ana);
        let page = visitor.press(&form, words::NEW).await.expect(403);
        let page = sign_in_on(&visitor, &page, "Ana").await.expect(200);
        let code_form = page.form("Go on");
        let wrong = visitor.press(&code_form.fill("code", "000000"), "Go on").await.expect(422);
        let right = wrong.form("Go on").fill("code", &code(&secret, &clock, 0));
        let again = visitor.press(&right, "Go on").await.expect(200);
        assert_eq!(again.form(words::NEW).value("title"), "Passport");
        // Too late for the code: the form still waits on the sign-in page.
        let page = expired(&ana).press(&form, words::NEW).await.expect(403);
        let page = sign_in_on(&visitor, &page, "Ana").await.expect(200);
        clock.advance(601);
        let page = visitor.press(&page.form("Go on").fill("code", "000000"), "Go on").await.expect(422);
        assert!(page.form("Sign in").has("parked"));
        // And when it waited for half a day, it is forgotten.
        clock.advance(12 * 3600);
        let page = sign_in_on(&visitor, &page, "Ana").await.expect(200);
        let right = page.form("Go on").fill("code", &code(&secret, &clock, 0));
        assert_eq!(visitor.press(&right, "Go on").await.expect_redirect(), "/");
    }

    async fn who_may_not_use_the_page_gets_nothing_of_it(engine: Engine) {
        let home = Home::start(engine).await;
        let private = home.create(&home.ana, "Diary", &[("visibility", "private")]).await;
        let form = home.ana.open(&private).await.form(words::NOTE).fill("text", "Quixotic words");
        let visitor = expired(&home.ana);
        let page = visitor.press(&form, words::NOTE).await.expect(403);
        for (name, status) in [("Ben", 404), ("Cleo", 404), ("Mila", 403)] {
            let other = home.server.visitor();
            let answer = sign_in_on(&other, &page, name).await.expect(status);
            assert!(!answer.body.contains("Quixotic") && !answer.body.contains("Diary"), "{name}: {}", answer.text());
            other.open("/records").await;
        }
        // Signing in over somebody else's living session shows it as the new one sees it.
        let answer = sign_in_on(&home.ben, &page, "Ana").await.expect(200);
        assert_eq!(answer.form(words::NOTE).value("text"), "Quixotic words");
        let answer = sign_in_on(&home.ana, &page, "Ben").await.expect(404);
        assert!(!answer.body.contains("Quixotic"));
        // What was changed on the way, or sealed for something else, is nothing.
        let sealed = page.form("Sign in").value("parked");
        for broken in ["x".to_owned(), sealed.to_uppercase(), sealed[..sealed.len() - 4].to_owned(), format!("{sealed}AAAA")] {
            let form = page.form("Sign in").force("parked", &broken).fill("email", &email("Ana")).fill("password", PASSWORD);
            assert_eq!(home.server.visitor().press(&form, "Sign in").await.expect_redirect(), "/");
        }
    }

    /// Whatever a handler makes of it: nothing is done, nothing fails, and no password is carried.
    async fn no_form_of_the_table_is_ever_sent_by_itself(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        home.note(&home.ana, &record, "Swept").await;
        let id = record.rsplit('/').next().unwrap();
        let before = state(&home).await;
        let secret = "Zylophone-secret-9";
        let list = pairs(&[
            ("submission", &uuid::Uuid::now_v7().to_string()), ("version", "1"), ("title", "T"), ("text", "W"), ("occurred", "2020"),
            ("visibility", "household"), ("name", "New name"), ("zone", "Europe/Lisbon"), ("email", "new@home.example"), ("reason", "R"),
            ("password", secret), ("current", secret), ("new", secret), ("code", secret), ("session", "x"), ("meaning", "changed"),
            ("record", id), ("offer", "x"), ("seen", "0"),
        ]);
        let mut forms = 0;
        for route in routes::table().iter().filter(|r| r.method == "POST" && r.access == Access::Member && r.path != "/sign-out") {
            let path = route.path.replace("{record}", id);
            let path = path.split('/').map(|p| if p.starts_with('{') { "01900000-0000-7000-8000-000000000000" } else { p }).collect::<Vec<_>>().join("/");
            let page = home.server.visitor().post(&path, &list).await.expect(403);
            assert!(!carried(&home, &page).contains(secret), "{path} carries a password");
            let sealed = page.form_to("/sign-in").value("parked");
            // A signed-in member's way into the same mechanism, which costs no hash.
            let answer = home.ana.post("/account/told", &pairs(&[("parked", &sealed)])).await;
            assert!(matches!(answer.status, 200 | 303 | 403 | 404), "{path}: {} {}", answer.status, answer.text());
            assert!(!answer.body.contains(secret) && !answer.title().starts_with("Error"), "{path}");
            if answer.status == 200 {
                assert!(answer.says("Nothing is saved yet"), "{path}: {}", answer.text());
                forms += 1;
            }
            assert_eq!(state(&home).await, before, "{path} did something");
        }
        assert!(forms >= 10, "{forms} forms came back");
        home.ana.open("/account").await.form("Save name");
        audit(&home.server.app).await;
    }

    async fn passwords_are_carried_by_no_form_there_is(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let id = record.rsplit('/').next().unwrap();
        let mut seen = BTreeSet::new();
        for route in routes::table().iter().filter(|r| r.method == "GET" && r.access == Access::Member && !r.path.contains("{event}")) {
            let page = home.ana.get(&route.path.replace("{record}", id)).await;
            for form in page.forms().iter().filter(|form| form.method == "post") {
                for control in form.controls.iter().filter(|c| c.kind == "password" || c.name == "code") {
                    seen.insert(control.name.clone());
                }
            }
        }
        assert!(seen.contains("password") && seen.contains("current") && seen.contains("code"), "{seen:?}");
        let mut list = pairs(&[("text", "kept")]);
        list.extend(seen.iter().map(|name| (name.clone(), "Zylophone".to_owned())));
        let page = home.server.visitor().post("/account/email", &list).await.expect(403);
        let carried = carried(&home, &page);
        assert!(carried.contains("kept") && !carried.contains("Zylophone"), "{carried}");
    }

    async fn what_is_too_large_or_strange_is_said_to_be_lost(engine: Engine) {
        let home = Home::start(engine).await;
        let nobody = home.server.visitor();
        let large = pairs(&[("text", &"x".repeat(300_000))]);
        let to = nobody.post("/records/new", &large).await.expect_redirect();
        assert_eq!(to, "/sign-in?unsaved=1");
        nobody.open(&to).await.expect_words("What you sent was not saved. Sign in, then go back in your browser");
        let huge = vec![b'a'; 3 << 20];
        let page = nobody.ask(reqwest::Method::POST, "/records/new", Some(crate::support::FORM), huge).await;
        assert_eq!(page.expect_redirect(), "/sign-in?unsaved=1");
        for media in ["application/json", "multipart/form-data; boundary=x"] {
            let page = nobody.ask(reqwest::Method::POST, "/records/new", Some(media), b"{\"a\":1}".to_vec()).await;
            assert_eq!(page.expect_redirect(), "/sign-in?unsaved=1", "{media}");
        }
        // The largest that is taken along fits through signing in.
        let whole = pairs(&[("title", "T"), ("description", &"ж".repeat(120_000))]);
        let page = nobody.post("/records/new", &whole).await.expect(403);
        let again = sign_in_on(&nobody, &page, "Ana").await.expect(200);
        assert_eq!(again.form(words::NEW).value("description").trim_end().chars().count(), 120_000);
        try_sign_in(&home.server.visitor(), &"x".repeat(70_000), PASSWORD).await.expect(413);
    }

    async fn htmx_is_led_there_too(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Swept");
        let nobody = home.server.visitor().htmx().with_header("hx-current-url", &format!("{}{record}", home.ana.base()));
        let page = nobody.press(&form, words::NOTE).await.expect(403);
        assert_eq!((page.header("hx-retarget"), page.header("hx-reswap")), ("body", "innerHTML"));
        let sign_in = page.form("Sign in");
        assert!(sign_in.has("parked") && sign_in.value("next") == record);
    }
}
