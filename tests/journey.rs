//! The whole journey without a browser: forms read from the pages and sent as a text browser sends them, and the main
//! pages read with lynx.

use std::io::Write as _;
use std::process::{Command, Stdio};

use lifeops::app::Clock;

use crate::support::{Form, Home, PASSWORD, Page, Place, Server, Visitor, audit, email, sign_in, words};

/// A page as somebody with lynx reads it.
async fn lynx(visitor: &Visitor, path: &str) -> String {
    let page = visitor.open(path).await;
    let mut child = Command::new("lynx")
        .args(["-dump", "-stdin", "-force_html", "-width=100", "-assume_charset=utf-8", "-display_charset=utf-8"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("lynx is installed (tests/run does that)");
    child.stdin.take().unwrap().write_all(page.body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "lynx {path}");
    String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Insists that these words are on a page in this order.
#[track_caller]
fn in_order(text: &str, all: &[&str]) {
    let mut rest = text;
    for words in all {
        let at = rest.find(words).unwrap_or_else(|| panic!("“{words}” does not come next in: {text}"));
        rest = &rest[at + words.len()..];
    }
}

async fn set_up(server: &Server, visitor: &Visitor) {
    // An empty installation leads every visitor to set-up, which asks for the code.
    let door = visitor.open("/").await;
    assert!(door.path.starts_with("/setup"), "{}", door.path);
    let path = lifeops::commands::accounts::set_up_path(&server.app).await.unwrap().unwrap();
    let form = visitor.open(&path).await.form("Set up");
    // Once wrong: nothing but the passwords has to be typed again.
    let wrong =
        form.fill("household", "The Lindens").fill("name", "Ana").fill("email", "ana").fill("password", PASSWORD);
    let refused = visitor.press(&wrong, "Set up").await.expect(422);
    assert!(refused.title().starts_with("Error: "), "{}", refused.title());
    assert_eq!(refused.summary().len(), 1, "{:?}", refused.summary());
    let form = refused.form("Set up");
    assert_eq!((form.value("household"), form.value("name")), ("The Lindens".to_owned(), "Ana".to_owned()));
    assert_eq!(form.value("password"), "", "a password is never sent back");
    visitor.submit(&form.fill("email", &email("Ana")).fill("password", PASSWORD), "Set up").await;
}

/// The form that a conflict shows, with one choice made for every field.
fn choose(form: Form, which: &str) -> Form {
    let names: Vec<String> = form.controls.iter().filter(|c| c.kind == "radio").map(|c| c.name.clone()).collect();
    assert!(!names.is_empty(), "a choice");
    names.iter().fold(form, |form, name| form.fill(name, which))
}

both_engines! {
    async fn the_whole_journey_in_plain_http(engine: Engine) {
        let server = Server::start(Place::empty(engine).await, Clock::System).await;
        let ana = server.visitor();
        set_up(&server, &ana).await;
        // A second set-up is closed.
        let late = server.visitor().follow(server.visitor().get("/setup").await).await;
        assert!(late.find_form("Set up").is_none());

        // Sign out; what was personal is gone; sign in again and be where one wanted to go.
        let home = ana.open("/").await;
        ana.submit(&home.form("Sign out"), "Sign out").await;
        let door = ana.open("/records").await;
        assert!(door.path.starts_with("/sign-in"), "{}", door.path);
        let form = door.form("Sign in").fill("email", &email("Ana")).fill("password", "wrong wrong wrong");
        let refused = ana.press(&form, "Sign in").await.expect(422);
        let form = refused.form("Sign in");
        assert_eq!(form.value("email"), email("Ana"));
        let back = ana.submit(&form.fill("password", PASSWORD), "Sign in").await;
        assert_eq!(back.path, "/records");

        // A new record: wrong, then right, with a fact more.
        let form = ana.open("/records").await;
        let form = ana.open(&form.link("New record")).await.form(words::NEW);
        let refused = ana.press(&form.fill("title", "").fill("category", "Appliance").fill("tags", "cellar, warm"), words::NEW).await;
        let refused = refused.expect(422);
        assert_eq!(refused.summary()[0].1, "#title");
        let form = refused.form(words::NEW);
        assert_eq!((form.value("category"), form.value("tags")), ("Appliance".to_owned(), "cellar, warm".to_owned()));
        let form = form.fill("title", "Boiler").fill("field_name", "Serial number").fill("field_value", "B-17").fill("occurred", "May 2019");
        let more = ana.press(&form, "Add another fact").await.expect(200).form(words::NEW);
        let rows = more.values("field_name").len();
        let more = more.fill_nth("field_name", rows - 1, "Price").fill_nth("field_type", rows - 1, "money");
        let more = more.fill_nth("field_value", rows - 1, "1250 EUR");
        let page = ana.submit(&more, words::NEW).await;
        assert_eq!(page.heading(), "Boiler");
        let page = page.expect_words("B-17").expect_words("1,250.00").expect_words("May 2019").expect_words("cellar");
        let record = page.path.split('?').next().unwrap().to_owned();

        // The list shows and filters it.
        ana.open("/records").await.expect_words("Boiler").expect_words("1 record");
        let found = ana.open("/records?category=Appliance").await.expect_words("Boiler");
        assert_eq!(found.status_line(), "1 record shown");
        ana.open("/records?category=Car").await.expect_no_words("B-17");

        // A note: wrong, then right; then corrected, and both wordings stay.
        let form = ana.open(&record).await.form(words::NOTE);
        let refused = ana.press(&form.fill("occurred", "31 2 2020").fill("text", "Chimney swept"), words::NOTE).await.expect(422);
        let form = refused.form(words::NOTE);
        assert_eq!((form.value("text"), form.value("occurred")), ("Chimney swept".to_owned(), "31 2 2020".to_owned()));
        let form = form.fill("occurred", "27 3 2020").fill("amount", "85").fill("currency", "EUR");
        let page = ana.submit(&form, words::NOTE).await.expect_words("Chimney swept").expect_words("27 Mar").expect_words("€85.00");
        assert!(page.attributes("time", "datetime").contains(&"2020-03-27".to_owned()));
        assert!(page.attributes("[autofocus]", "id").len() + page.attributes("[autofocus]", "tabindex").len() >= 1, "focus on the new event");
        let correct = page.links().into_iter().map(|(_, to)| to).find(|to| to.contains("/notes/")).expect("a way to correct it");
        let form = ana.open(&correct).await.form(words::CORRECT);
        assert_eq!(form.value("text"), "Chimney swept");
        ana.submit(&form.fill("text", "Chimney swept by Novak"), words::CORRECT).await.expect_words("Chimney swept by Novak");
        let story = ana.open(&ana.open(&record).await.link("The whole story")).await;
        assert!(story.text().matches("Chimney swept").count() >= 2, "both wordings: {}", story.text());

        // Change a value: the page asks why; an unchanged form says so.
        let form = ana.open(&format!("{record}/edit")).await.form(words::SAVE);
        ana.submit(&form, words::SAVE).await.expect_words("Nothing to save");
        let refused = ana.press(&form.clone().fill("title", "Gas boiler"), words::SAVE).await.expect(422);
        assert!(refused.summary()[0].0.contains("changed"), "{:?}", refused.summary());
        let form = refused.form(words::SAVE).fill("meaning", "changed").fill("occurred", "2021");
        let page = ana.submit(&form, words::SAVE).await;
        assert_eq!(page.heading(), "Gas boiler");
        let page = page.expect_words("Saved");
        // As it was before.
        let past = ana.submit(&page.form("Show").fill("at", "2020"), "Show").await;
        past.expect_words("Boiler");

        // Delete, with a reason, and restore.
        let page = ana.open(&record).await;
        let ask = ana.open(&page.link("Delete")).await;
        assert!(ask.heading().contains("Gas boiler"), "{}", ask.heading());
        let deleted = ana.submit(&ask.form(words::DELETE).fill("reason", "Sold with the house"), words::DELETE).await;
        deleted.expect_words("deleted");
        ana.open("/records").await.expect_no_words("Gas boiler");
        ana.open("/records?deleted=yes").await.expect_words("Gas boiler");
        let gone = ana.open(&record).await;
        assert!(gone.find_form(words::NOTE).is_none(), "nothing is added to a deleted record");
        ana.submit(&gone.form(words::RESTORE), words::RESTORE).await.expect_words("Restored");
        ana.open("/records").await.expect_words("Gas boiler");

        // Sign out for good: the session's old cookie opens nothing.
        let thief = server.visitor();
        ana.cookies().iter().for_each(|(name, value)| thief.set_cookie(name, value));
        let page = ana.open("/account").await;
        ana.submit(&page.form("Sign out"), "Sign out").await;
        assert!(thief.open(&record).await.path.starts_with("/sign-in"));
        audit(&server.app).await;
    }

    async fn two_people_who_change_the_same_are_both_heard(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Car", &[("category", "Car"), ("description", "Blue")]).await;
        let edit = format!("{record}/edit");
        let (ana, ben) = (home.ana.open(&edit).await.form(words::SAVE), home.ben.open(&edit).await.form(words::SAVE));
        let ana_says = ana.fill("title", "Ana's car").fill("meaning", "changed").fill("description", "Blue and old");
        home.ana.submit(&ana_says, words::SAVE).await;

        // Ben's form is older. He changed the title too: the page shows both and nothing is lost.
        let ben_says = ben.fill("title", "Ben's car").fill("meaning", "wrong").fill("tags", "garage");
        let conflict = home.ben.press(&ben_says, words::SAVE).await.expect(409);
        let conflict = conflict.expect_words("Ana's car").expect_words("Ben's car").expect_words("Ana saved");
        assert_eq!(conflict.heading(), "Someone else changed this record");
        let form = conflict.forms().into_iter().find(|f| f.controls.iter().any(|c| c.kind == "radio")).unwrap();
        let button = form.button_words().pop().unwrap();
        let page = home.ben.submit(&choose(form.clone(), "mine"), &button).await;
        assert_eq!(page.heading(), "Ben's car");
        let page = page.expect_words("Blue and old").expect_words("garage");
        drop(page);
        // Both people's words are in the story.
        let story = home.mila.open(&format!("{record}/history")).await;
        story.expect_words("Ana's car").expect_words("Ben's car");

        // Whoever takes theirs changes nothing of it.
        let (stale, fresh) = (home.ana.open(&edit).await.form(words::SAVE), home.ben.open(&edit).await.form(words::SAVE));
        home.ben.submit(&fresh.fill("title", "The car").fill("meaning", "wrong"), words::SAVE).await;
        let conflict = home.ana.press(&stale.fill("title", "My car").fill("meaning", "wrong"), words::SAVE).await.expect(409);
        let form = conflict.forms().into_iter().find(|f| f.controls.iter().any(|c| c.kind == "radio")).unwrap();
        let button = form.button_words().pop().unwrap();
        home.ana.submit(&choose(form, "theirs"), &button).await;
        assert_eq!(home.ana.open(&record).await.heading(), "The car");
        audit(&home.server.app).await;
    }

    async fn a_stale_form_that_touches_something_else_merges(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Lease", &[("category", "Home")]).await;
        let edit = format!("{record}/edit");
        let (ana, ben) = (home.ana.open(&edit).await.form(words::SAVE), home.ben.open(&edit).await.form(words::SAVE));
        home.ana.submit(&ana.fill("title", "Lease of the flat").fill("meaning", "changed"), words::SAVE).await;
        home.note(&home.ana, &record, "Signed").await;
        let page = home.ben.press(&ben.fill("description", "Two years, then monthly"), words::SAVE).await;
        let page = home.ben.follow(page).await.expect(200);
        assert_eq!(page.heading(), "Lease of the flat");
        page.expect_words("Two years, then monthly").expect_words("Signed");
        audit(&home.server.app).await;
    }

    async fn the_main_pages_read_well_in_a_text_browser(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home
            .create(&home.ana, "Boiler", &[("category", "Appliance"), ("description", "In the cellar"), ("field_name", "Maker"), ("field_value", "Vaillant")])
            .await;
        home.note(&home.ben, &record, "Anode replaced").await;
        let nobody = home.server.visitor();
        in_order(&lynx(&nobody, "/sign-in").await, &["Skip to main content", "LifeOps", "Email", "Password", "Sign in"]);
        in_order(&lynx(&home.ana, "/").await, &["Skip to main content", "LifeOps", "Sign out", "Records"]);
        in_order(&lynx(&home.ana, "/records").await, &["Records", "1 record", "Boiler", "Apply filters"]);
        let page = lynx(&home.mila, &record).await;
        in_order(&page, &["Records", "Boiler", "Maker", "Vaillant", "In the cellar", "Anode replaced", "Ben"]);
        in_order(&lynx(&home.ana, &format!("{record}/edit")).await, &["Edit Boiler", "What is it", "Category", "Tags", "why", "It changed", "It was wrong", "Save"]);
        in_order(&lynx(&home.ana, &format!("{record}/delete")).await, &["Delete", "Boiler", "Why (optional)"]);
        in_order(&lynx(&home.ana, &format!("{record}/history")).await, &["Boiler", "Anode replaced", "Ben"]);
        in_order(&lynx(&home.ana, "/account").await, &["Your account", "Ana", "Time zone", "New records", "Current password"]);
        in_order(&lynx(&home.ana, "/account/security").await, &["Security", "Password", "Second step", "Off.", "Turn on", "Where you are signed in"]);
        in_order(&lynx(&home.ana, "/account/second-factor").await, &["Turn on the second step", "Secret:", "Code", "Current password", "Leave it off"]);
        for path in ["/records", record.as_str(), "/account", "/records/new"] {
            well_formed(&home.ana.open(path).await);
        }
    }

    async fn every_get_page_keeps_the_common_rules(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        home.note(&home.ana, &record, "Serviced").await;
        for path in ["/", "/records", "/records/new", "/account", "/account/security", "/account/second-factor", "/help", "/accessibility", "/nothing-here", "/records?deleted=yes", "/records?tag=none"] {
            well_formed(&home.ana.follow(home.ana.get(path).await).await);
        }
        for below in ["", "/edit", "/delete", "/history", "?at=2020"] {
            well_formed(&home.ana.follow(home.ana.get(&format!("{record}{below}")).await).await);
        }
        let nobody = home.server.visitor();
        for path in ["/sign-in", "/register", "/nothing-here"] {
            well_formed(&nobody.follow(nobody.get(path).await).await);
        }
        sign_in(&nobody, "Mila").await;
    }
}

/// What every page keeps: a title of its own, one main heading, no gap in the levels, one status line, one focus at
/// most, every control with a label, every button with a type, ids that are unique, and headers that protect it.
#[track_caller]
fn well_formed(page: &Page) {
    let path = &page.path;
    assert!(page.title().ends_with(" – LifeOps"), "{path}: {}", page.title());
    assert_eq!(page.attributes("html", "lang"), ["en-GB"], "{path}");
    let headings = page.headings();
    assert_eq!(headings.iter().filter(|(level, _)| *level == 1).count(), 1, "{path}: {headings:?}");
    let mut above = 1;
    for (level, words) in &headings {
        assert!(*level <= above + 1, "{path}: {words} skips a level: {headings:?}");
        above = *level;
    }
    assert_eq!(page.all("main").len(), 1, "{path}");
    assert_eq!(page.all("[role=status]").len(), 1, "{path}");
    assert!(page.attributes("[autofocus]", "autofocus").len() <= 1, "{path} has more than one focus");
    assert!(page.attributes("button:not([type])", "class").is_empty(), "{path} has a button without a type");
    let mut ids = page.attributes("[id]", "id");
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "{path} has an id twice");
    let labels = page.attributes("label", "for");
    for id in page.attributes("input:not([type=hidden]), select, textarea", "id") {
        assert!(labels.contains(&id), "{path}: no label for {id}");
    }
    let controls = page.all("input:not([type=hidden]), select, textarea").len();
    assert_eq!(
        page.attributes("input:not([type=hidden]), select, textarea", "id").len(),
        controls,
        "{path}: a control without an id"
    );
    for (attribute, css) in [("aria-describedby", "[aria-describedby]"), ("aria-labelledby", "[aria-labelledby]")] {
        for names in page.attributes(css, attribute) {
            for id in names.split_whitespace() {
                assert!(ids.iter().any(|known| known == id), "{path}: {attribute} leads to {id}, which is not there");
            }
        }
    }
    let links = page.links();
    for (words, to) in &links {
        assert!(!words.is_empty(), "{path}: a link to {to} without words");
    }
    let csp = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(csp.contains(part), "{path}: {csp}");
    }
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(page.header("referrer-policy"), "same-origin", "{path}");
}
