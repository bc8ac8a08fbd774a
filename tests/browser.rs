//! Real Chromium: the journey with scripts on and off, the keyboard alone, narrow screens, and an audit of every kind of
//! page. What the pages say in detail is tested in plain HTTP; here it is whether a browser can live with them.

use lifeops::app::Clock;

use crate::support::{Browser, Engine, Home, PASSWORD, Place, Server, Tab, Visitor, audit, email, words};

async fn empty(engine: Engine) -> Server {
    Server::start(Place::empty(engine).await, Clock::System).await
}

/// Insists that no focus was lost to the page as a whole.
#[track_caller]
fn focused_in_main(tab: &mut Tab, what: &str) {
    println!("{what}: the focus is on {}", tab.focus());
    tab.wait("document.activeElement !== document.body && !!document.activeElement.closest('main')");
}

/// Set up, sign out and in, create (wrong, then right), note (wrong, then right), edit, conflict, delete, restore, sign
/// out. With and without scripts it is the same text, which is the point.
async fn journey(engine: Engine, scripts: bool) {
    let server = empty(engine).await;
    let base = format!("http://{}", server.address);
    let path = lifeops::commands::accounts::set_up_path(&server.app).await.unwrap().unwrap();
    let mut tab = Browser::shared().tab();
    if !scripts {
        tab.scripts_off();
    }

    tab.open(&format!("{base}{path}"));
    tab.fill("household", "The Lindens");
    tab.fill("name", "Ana");
    tab.fill("email", &email("Ana"));
    tab.fill("password", "short");
    tab.go("Set up");
    assert!(tab.eval("document.title").as_str().unwrap().starts_with("Error: "));
    tab.wait("document.activeElement.className.includes('summary')");
    tab.fill("password", PASSWORD);
    tab.go("Set up");

    tab.go("Sign out");
    tab.open(&format!("{base}/records"));
    assert!(tab.path().starts_with("/sign-in"), "{}", tab.path());
    tab.fill("email", &email("Ana"));
    tab.fill("password", PASSWORD);
    tab.go("Sign in");
    assert_eq!(tab.path(), "/records");

    tab.go("Begin the first record");
    tab.go(words::NEW);
    tab.wait("document.activeElement.className.includes('summary')");
    // The summary's link leads into the field.
    let link = summary_link(&mut tab);
    tab.click(&link);
    tab.wait("document.activeElement.name === 'title'");
    tab.fill("title", "Boiler");
    tab.fill("category", "Appliance");
    tab.choose("visibility", "household");
    tab.go(words::NEW);
    tab.says("Boiler");
    let record = tab.path().split('?').next().unwrap().to_owned();

    // A note, wrong and then right. With scripts the page stays; without, it comes anew: what is said is the same.
    tab.open(&format!("{base}{record}"));
    tab.fill("text", "Chimney swept");
    tab.fill("occurred", "31 2 2020");
    if scripts {
        tab.eval("window.__same_page = true");
        tab.click("^Add to the story$");
        tab.wait("document.title.startsWith('Error: ')");
        assert_eq!(tab.eval("window.__same_page"), true, "the fragment was swapped in");
    } else {
        tab.go("^Add to the story$");
    }
    tab.wait("document.activeElement.className.includes('summary')");
    assert!(tab.eval("document.title").as_str().unwrap().starts_with("Error: "));
    assert_eq!(tab.eval("document.querySelector('main [name=text]').value"), "Chimney swept");
    tab.fill("occurred", "27 3 2020");
    if scripts {
        tab.click("^Add to the story$");
        tab.wait("document.querySelector('#history').innerText.includes('Chimney swept')");
        assert_eq!(tab.eval("window.__same_page"), true, "the fragment was swapped in");
        tab.wait("document.querySelector('#status').textContent.includes('Note added')");
        tab.wait("document.querySelector('main [name=text]').value === ''");
        tab.wait("!document.title.startsWith('Error: ')");
    } else {
        tab.go("^Add to the story$");
    }
    tab.says("Chimney swept");
    tab.wait("document.activeElement.innerText.includes('Chimney swept')");

    // Two tabs of one person change the same title.
    tab.open(&format!("{base}{record}/edit"));
    change_title_elsewhere(&server, &record).await;
    tab.fill("title", "Gas boiler");
    tab.choose("meaning", "changed");
    tab.go("^Save$");
    tab.says("What differs");
    focused_in_main(&mut tab, "a conflict");
    tab.says("Old boiler");
    tab.says("Gas boiler");
    tab.leave(|tab| tab.submit_main());
    tab.says("Gas boiler");
    assert_eq!(tab.eval("document.querySelector('h1').innerText"), "Gas boiler");

    tab.go("Delete");
    tab.says("Gas boiler");
    tab.leave(|tab| tab.submit_main());
    tab.says("deleted");
    tab.open(&format!("{base}{record}"));
    tab.go(words::RESTORE);
    tab.says("Restored");
    focused_in_main(&mut tab, "a restore");

    tab.go("Sign out");
    tab.open(&format!("{base}{record}"));
    assert!(tab.path().starts_with("/sign-in"), "{}", tab.path());
    tab.no_complaints();
    audit(&server.app).await;
}

/// The words of the first link in the error summary, to be clicked as they stand.
fn summary_link(tab: &mut Tab) -> String {
    let words = tab.eval("document.querySelector('[role=alert] a').innerText");
    format!("^{}$", words.as_str().expect("a link in the summary"))
}

/// Somebody else signs in and renames the record.
async fn change_title_elsewhere(server: &Server, record: &str) {
    let other = server.visitor();
    crate::support::sign_in(&other, "Ana").await;
    let form = other.open(&format!("{record}/edit")).await.form(words::SAVE);
    let form = form.fill("title", "Old boiler").fill("meaning", "wrong");
    other.submit(&form, words::SAVE).await;
}

both_engines! {
    async fn the_journey_with_scripts(engine: Engine) {
        journey(engine, true).await;
    }

    async fn the_journey_without_scripts(engine: Engine) {
        journey(engine, false).await;
    }
}

/// A household with something in it, and the pages of every kind: what it is, its path, who looks.
async fn furnished() -> (Home, Vec<(&'static str, String)>) {
    let home = Home::start(Engine::Sqlite).await;
    let mut record = String::new();
    for (title, category) in [("Passport", "Passport"), ("Car", "Car"), ("Boiler", "Appliance")] {
        record = home
            .create(
                &home.ana,
                title,
                &[
                    ("category", category),
                    ("tags", "cellar, warm"),
                    ("description", "Some **words** and a [link](https://example.org/)"),
                    ("field_name", "Maker"),
                    ("field_value", "Vaillant"),
                ],
            )
            .await;
        home.note(&home.ben, &record, "Anode replaced\n\nWith a list:\n\n- one\n- two").await;
    }
    let edit = home.ana.open(&format!("{record}/edit")).await.form(words::SAVE);
    home.ana
        .submit(&edit.fill("title", "Gas boiler").fill("meaning", "changed").fill("occurred", "2024"), words::SAVE)
        .await;
    let gone = home.create(&home.ana, "Old lamp", &[]).await;
    let ask = home.ana.open(&format!("{gone}/delete")).await;
    home.ana.submit(&ask.form(words::DELETE), words::DELETE).await;
    let page = home.ana.open(&record).await;
    let links: Vec<String> = page.links().into_iter().map(|(_, to)| to).collect();
    let first = |part: &str| links.iter().find(|to| to.contains(part)).cloned();
    let mut pages = vec![
        ("start", "/".to_owned()),
        ("timeline", "/timeline".to_owned()),
        ("timeline-year", "/timeline?at=2024".to_owned()),
        ("timeline-recorded", "/timeline?by=recorded".to_owned()),
        ("timeline-wrong", "/timeline?at=soon".to_owned()),
        ("list", "/records".to_owned()),
        ("filtered", "/records?category=Car".to_owned()),
        ("empty", "/records?tag=nothing".to_owned()),
        ("deleted", "/records?deleted=yes".to_owned()),
        ("new", "/records/new".to_owned()),
        ("record", record.clone()),
        ("past", format!("{record}?at=2023")),
        ("saved", format!("{record}?done=saved")),
        ("gone", gone),
        ("edit", format!("{record}/edit")),
        ("delete", format!("{record}/delete")),
        ("history", format!("{record}/history")),
        ("account", "/account".to_owned()),
        ("household", "/household".to_owned()),
        ("household-log", "/household/log".to_owned()),
        ("invite", "/household/invitations/new".to_owned()),
        ("link-again", "/household/invitations/made".to_owned()),
        ("signed-out", "/signed-out".to_owned()),
        ("security", "/account/security".to_owned()),
        ("second-step", "/account/second-factor".to_owned()),
        ("help", "/help".to_owned()),
        ("statement", "/accessibility".to_owned()),
        ("missing", "/nothing-here".to_owned()),
    ];
    let ben = crate::household::path_of(&home, "Ben").await;
    let form = home.ana.open("/household/invitations/new").await.form("Make the link");
    pages.push(("link", home.ana.press(&form, "Make the link").await.expect_redirect()));
    pages.extend([("remove", format!("{ben}/remove")), ("disable", format!("{ben}/disable")), ("member", ben)]);
    for (name, part) in [("correct", "/notes/"), ("undo", "/undo"), ("field", "/field")] {
        pages.extend(first(part).map(|path| (name, path)));
    }
    (home, pages)
}

const LIGHT: &[(&str, &str)] = &[("prefers-color-scheme", "light"), ("prefers-reduced-motion", "reduce")];
const DARK: &[(&str, &str)] = &[("prefers-color-scheme", "dark"), ("prefers-reduced-motion", "reduce")];

/// Audits what the tab shows in both schemes and widths.
pub fn inspect(tab: &mut Tab, name: &str, problems: &mut Vec<String>) {
    // What is shown for some choices only is looked at too.
    tab.eval("document.querySelectorAll('select[name=field_type]').forEach((s) => { s.value = 'money'; })");
    // And what is shown for fingers only.
    tab.eval("document.querySelectorAll('.camera').forEach((e) => { e.style.display = 'grid'; })");
    for (scheme, features) in [("light", LIGHT), ("dark", DARK)] {
        tab.media(features);
        tab.size(1280, 900);
        problems.extend(tab.axe().into_iter().map(|found| format!("{name}, {scheme}: {found}")));
    }
    for width in [320, 640] {
        tab.size(width, 640);
        let over = tab.overflow();
        if over > 0 {
            problems.push(format!("{name}: {over} px wider than {width}: {}", tab.eval(WIDE)));
        }
        if width == 320 {
            problems.extend(tab.axe().into_iter().map(|found| format!("{name}, 320 px: {found}")));
            let small = tab.eval(SMALL);
            for target in small.as_array().into_iter().flatten() {
                problems.push(format!("{name}: a target of less than 44 px: {target}"));
            }
        }
    }
    // Text of double size, as the browser's own settings make it.
    tab.text_size(32);
    let over = tab.overflow();
    if over > 0 {
        problems.push(format!("{name}: {over} px too wide with text of double size: {}", tab.eval(WIDE)));
    }
    tab.text_size(16);
    tab.size(1280, 900);
    tab.media(LIGHT);
    problems.extend(outline(tab).into_iter().map(|found| format!("{name}: {found}")));
}

/// What sticks out on the right.
const WIDE: &str = "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1) \
    .slice(0, 5).map((e) => e.tagName + '.' + e.className + ' ' + Math.round(e.getBoundingClientRect().right)).join('; ')";

/// Controls smaller than 44 px, label and control together; links inside a sentence are exempt (WCAG 2.5.5).
const SMALL: &str = "[...document.querySelectorAll('button, summary, input:not([type=hidden]), select, textarea, a[href]')].filter((e) => { \
    if (e.closest('[aria-hidden=true]') || !e.checkVisibility() || e.matches('.skip, .vh')) return false; \
    const style = getComputedStyle(e); \
    if (e.tagName === 'A' && style.display === 'inline') return false; \
    let b = e.getBoundingClientRect(); let [l, r, t, u] = [b.left, b.right, b.top, b.bottom]; \
    for (const label of e.labels || []) { const c = label.getBoundingClientRect(); l = Math.min(l, c.left); r = Math.max(r, c.right); \
        t = Math.min(t, c.top); u = Math.max(u, c.bottom); } \
    return r - l < 43.5 || u - t < 43.5; }).map((e) => e.outerHTML.slice(0, 120) + ' ' + \
    Math.round(e.getBoundingClientRect().width) + 'x' + Math.round(e.getBoundingClientRect().height))";

/// The accessibility tree in a few rules: one main, one status, one heading of level 1, no control without a name.
fn outline(tab: &mut Tab) -> Vec<String> {
    let tree = tab.tree();
    let count = |role: &str| tree.iter().filter(|(r, ..)| r == role).count();
    let mut problems = Vec::new();
    for role in ["main", "status", "banner", "contentinfo"] {
        if count(role) != 1 {
            problems.push(format!("{} of role {role}", count(role)));
        }
    }
    let level = |properties: &serde_json::Value| {
        let all = properties.as_array()?;
        all.iter().find(|p| p["name"] == "level").and_then(|p| p["value"]["value"].as_u64())
    };
    let first = tree.iter().filter(|(role, _, properties)| role == "heading" && level(properties) == Some(1)).count();
    if first != 1 {
        problems.push(format!("{first} headings of level 1"));
    }
    for (role, name, _) in &tree {
        let needs = [
            "button",
            "link",
            "textbox",
            "combobox",
            "checkbox",
            "radio",
            "navigation",
            "heading",
            "search",
            "article",
        ];
        if needs.contains(&role.as_str()) && name.trim().is_empty() {
            problems.push(format!("a {role} without a name"));
        }
    }
    problems
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_page_passes_the_audit() {
    let (home, pages) = furnished().await;
    let mut tab = Browser::shared().tab();
    tab.borrow_cookies(&home.ana);
    let mut problems = Vec::new();
    for (name, path) in &pages {
        tab.open(&format!("{}{path}", home.ana.base()));
        inspect(&mut tab, name, &mut problems);
    }
    tab.no_complaints();

    // What a viewer sees, and somebody who is not signed in.
    let mut viewer = Browser::shared().tab();
    viewer.borrow_cookies(&home.mila);
    for (name, path) in pages.iter().filter(|(name, _)| ["list", "record", "edit"].contains(name)) {
        viewer.open(&format!("{}{path}", home.mila.base()));
        inspect(&mut viewer, &format!("{name} for a viewer"), &mut problems);
    }
    let mut nobody = Browser::shared().tab();
    for (name, path) in [("sign-in", "/sign-in"), ("register", "/register")] {
        nobody.open(&format!("{}{path}", home.ana.base()));
        inspect(&mut nobody, name, &mut problems);
        nobody.leave(|tab| tab.submit_main());
        inspect(&mut nobody, &format!("{name} refused"), &mut problems);
    }
    // Opening an invitation, a good one and a bad one, and what somebody sees who is leaving.
    let link = crate::invitations::invite(&home.ana, "viewer").await;
    for (name, path) in [("join", link.as_str()), ("dead-link", "/invitations/nothing")] {
        nobody.open(&format!("{}{path}", home.ana.base()));
        inspect(&mut nobody, name, &mut problems);
    }
    nobody.open(&format!("{}{link}", home.ana.base()));
    nobody.leave(|tab| tab.submit_main());
    inspect(&mut nobody, "join refused", &mut problems);
    home.create(&home.ben, "Diary", &[("visibility", "private")]).await;
    let ask = home.ana.open(pages.iter().find(|(name, _)| *name == "remove").map(|(_, path)| path).unwrap()).await;
    home.ana.submit(&ask.form("Remove Ben"), "Remove Ben").await;
    let mut leaving = Browser::shared().tab();
    leaving.borrow_cookies(&home.ben);
    for (name, path) in [("leaving", "/household/leaving"), ("start for a leaver", "/")] {
        leaving.open(&format!("{}{path}", home.ben.base()));
        inspect(&mut leaving, name, &mut problems);
    }
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_forms_conflicts_and_swapped_parts_pass_the_audit() {
    let (home, pages) = furnished().await;
    let record = pages.iter().find(|(name, _)| *name == "record").map(|(_, path)| path.clone()).unwrap();
    let base = home.ana.base().to_owned();
    let mut problems = Vec::new();
    let mut tab = Browser::shared().tab();
    tab.borrow_cookies(&home.ana);

    tab.open(&format!("{base}/records/new"));
    tab.leave(|tab| tab.submit_main());
    inspect(&mut tab, "new, refused", &mut problems);

    tab.open(&format!("{base}{record}"));
    tab.fill("occurred", "soon");
    tab.click("^Add to the story$");
    tab.wait("document.title.startsWith('Error: ')");
    inspect(&mut tab, "note, refused and swapped in", &mut problems);
    tab.fill("text", "Serviced");
    tab.fill("occurred", "2020");
    tab.click("^Add to the story$");
    tab.wait("document.querySelector('#history').innerText.includes('Serviced')");
    tab.wait("document.activeElement.innerText.includes('Serviced')");
    inspect(&mut tab, "note, added and swapped in", &mut problems);

    tab.open(&format!("{base}{record}/edit"));
    let form = home.ben.open(&format!("{record}/edit")).await.form(words::SAVE);
    home.ben
        .submit(
            &form.fill("title", "Ben's boiler").fill("description", "His words").fill("meaning", "wrong"),
            words::SAVE,
        )
        .await;
    tab.fill("title", "Ana's boiler");
    tab.fill("description", "Her words");
    tab.choose("meaning", "wrong");
    tab.go("^Save$");
    tab.says("Someone else changed this record");
    inspect(&mut tab, "conflict", &mut problems);

    // Filtering leads to an address of its own, in whose form everything stands as it was chosen.
    tab.open(&format!("{base}/records"));
    tab.fill("tag", "cellar");
    tab.fill("from", "lunch");
    tab.go("^Apply filters$");
    inspect(&mut tab, "list, a date that is none", &mut problems);
    tab.wait("document.activeElement.className.includes('summary')");
    tab.fill("from", "2019");
    tab.go("^Apply filters$");
    tab.wait("location.search.includes('tag=cellar')");
    assert_eq!(tab.eval("document.querySelector('[name=from]').value"), "2019");
    tab.go("Keep this view");
    inspect(&mut tab, "keep a view", &mut problems);
    tab.fill("name", "Cellar things");
    tab.go("^Keep it$");
    tab.eval("document.querySelector('.views summary').click()");
    tab.go("^Cellar things$");
    tab.wait("location.search.includes('from=2019')");
    for page in [
        "/search?q=cellar",
        "/search?q=nothing+like+it",
        "/tags",
        "/categories",
        "/tags/rename?label=cellar",
        "/tags/rename?label=cellar&to=Cellar",
        "/timeline?kind=notes&from=2019",
    ] {
        tab.open(&format!("{base}{page}"));
        inspect(&mut tab, page, &mut problems);
    }
    tab.no_complaints();
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forced_colours_stillness_and_print_keep_everything() {
    let (home, pages) = furnished().await;
    let mut tab = Browser::shared().tab();
    tab.borrow_cookies(&home.ana);
    for (name, path) in pages.iter().filter(|(name, _)| {
        ["list", "record", "edit", "saved", "household", "household-log", "member", "invite", "link", "remove"]
            .contains(name)
    }) {
        tab.open(&format!("{}{path}", home.ana.base()));
        tab.media(&[("forced-colors", "active")]);
        assert_eq!(tab.eval("matchMedia('(forced-colors: active)').matches"), true);
        let bare = "[...document.querySelectorAll('main .btn')].filter((e) => e.checkVisibility() && !e.closest('.vh, [aria-hidden=true]') && !e.matches('.vh, .bare') \
             && parseFloat(getComputedStyle(e).borderTopWidth) < 1).map((e) => e.outerHTML.slice(0, 100))";
        assert_eq!(tab.eval(bare), serde_json::json!([]), "{name}: buttons keep a border in forced colours");
        tab.media(&[("prefers-reduced-motion", "reduce")]);
        assert_eq!(tab.eval("document.getAnimations().length"), 0, "{name}: nothing moves");
        tab.picture(&format!("{name}-1280"));
        tab.size(320, 640);
        tab.picture(&format!("{name}-320"));
        tab.size(1280, 900);
        tab.media(DARK);
        tab.picture(&format!("{name}-dark"));
    }
}

/// Presses Tab until the focus is where a script says, and insists that each stop on the way can be seen.
fn tab_to(tab: &mut Tab, there: &str) -> Vec<String> {
    let mut stops = Vec::new();
    for _ in 0..80 {
        if tab.eval(there) == true {
            return stops;
        }
        tab.key("Tab");
        let seen = tab.eval(RING);
        assert_eq!(seen, "seen", "the focus on {}", tab.focus());
        stops.push(tab.focus());
    }
    panic!("the keyboard does not get to {there}: {stops:?}");
}

/// Whether what has the focus shows a ring of at least 3 px and is not covered by anything.
const RING: &str = "(() => { const e = document.activeElement; if (e === document.body) return 'nothing has the focus'; \
    e.scrollIntoView({block: 'nearest', behavior: 'instant'}); \
    const shown = (n) => { const s = getComputedStyle(n); return parseFloat(s.outlineWidth) >= 3 && s.outlineStyle !== 'none'; }; \
    const b = e.getBoundingClientRect(); \
    const l = (e.labels && e.labels[0]) || e; \
    if (!shown(e) && !shown(l)) return 'no ring: ' + getComputedStyle(e).outline; \
    const at = document.elementFromPoint(b.x + b.width / 2, b.y + Math.min(b.height / 2, 20)); \
    const rects = [...e.getClientRects()]; const c = rects[0]; \
    const at2 = document.elementFromPoint(c.x + c.width / 2, c.y + c.height / 2); \
    const mine = (n) => n && (e.contains(n) || n.contains(e) || (e.labels && [...e.labels].some((k) => k.contains(n)))); \
    return mine(at) || mine(at2) ? 'seen' : 'covered by ' + (at ? at.outerHTML.slice(0, 120) : 'nothing'); })()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keyboard_alone_is_enough() {
    let home = Home::start(Engine::Sqlite).await;
    for scripts in [true, false] {
        let mut tab = Browser::shared().tab();
        if !scripts {
            tab.scripts_off();
        }
        let base = home.ana.base().to_owned();

        // The first stop is the skip link, and it leads past the header.
        tab.open(&format!("{base}/sign-in"));
        tab.eval("document.activeElement.blur()");
        let stops = tab_to(&mut tab, "document.activeElement.classList.contains('skip')");
        assert_eq!(stops.len(), 1, "{stops:?}");
        tab.key("Enter");
        tab.wait("location.hash === '#main'");
        tab_to(&mut tab, "document.activeElement.name === 'email'");
        tab.type_text(&email("Ben"));
        tab.key("Tab");
        assert_eq!(tab.focus(), "input password");
        tab.type_text(PASSWORD);
        tab.leave(|tab| tab.key("Enter"));

        // A new record, to its last field and sent from there.
        tab.open(&format!("{base}/records/new"));
        tab_to(&mut tab, "document.activeElement.name === 'title'");
        tab.type_text(if scripts { "Bicycle" } else { "Tricycle" });
        let stops = tab_to(&mut tab, "document.activeElement.name === 'visibility'");
        let order = ["category", "occurred", "description", "field_name", "field_value", "tags"];
        let at: Vec<_> = order.iter().map(|name| stops.iter().position(|stop| stop.contains(name))).collect();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "the order of the stops: {stops:?}");
        tab.key("ArrowDown");
        assert_eq!(tab.eval("document.activeElement.value"), "private", "arrows choose among radio buttons");
        tab.key("ArrowUp");
        tab_to(
            &mut tab,
            "document.activeElement.matches('button.btn:not(.bare):not(.alt)') && !!document.activeElement.closest('main')",
        );
        tab.leave(|tab| tab.key("Enter"));
        assert!(tab.path().starts_with("/records/"), "{}", tab.path());
        focused_in_main(&mut tab, "a new record");
        let record = tab.path().split('?').next().unwrap().to_owned();

        // A note.
        tab.open(&format!("{base}{record}"));
        tab_to(&mut tab, "document.activeElement.name === 'text'");
        tab.type_text("New chain");
        tab_to(&mut tab, "document.activeElement.matches('#note-form button.btn')");
        if scripts {
            tab.key("Space");
            tab.wait("document.activeElement.innerText.includes('New chain')");
        } else {
            tab.leave(|tab| tab.key("Space"));
            tab.says("New chain");
        }
        focused_in_main(&mut tab, "a note");

        // Delete and restore.
        tab_to(&mut tab, "document.activeElement.href && document.activeElement.href.endsWith('/delete')");
        tab.leave(|tab| tab.key("Enter"));
        tab_to(&mut tab, "document.activeElement.matches('main form button.btn')");
        tab.leave(|tab| tab.key("Enter"));
        tab.open(&format!("{base}{record}"));
        tab_to(
            &mut tab,
            "document.activeElement.matches('main form button') && document.activeElement.innerText.includes('Restore')",
        );
        tab.leave(|tab| tab.key("Enter"));
        tab.says("Restored");

        // There is a way round the whole page and no trap on it.
        tab.open(&format!("{base}{record}"));
        tab.eval("document.activeElement.blur()");
        tab_to(&mut tab, "!!document.activeElement.closest('footer')");
        tab.key("Shift+Tab");
        assert_eq!(tab.eval(RING), "seen");
        tab.no_complaints();
    }
}

/// The same journey with the htmx file missing: nothing depends on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_htmx_file_everything_still_works() {
    let home = Home::start(Engine::Sqlite).await;
    let record = home.create(&home.ana, "Boiler", &[]).await;
    let mut tab = Browser::shared().tab();
    tab.borrow_cookies(&home.ana);
    tab.call("Network.setBlockedURLs", serde_json::json!({ "urls": ["*htmx*"] }));
    tab.open(&format!("{}{record}", home.ana.base()));
    assert_eq!(tab.eval("typeof window.htmx"), "undefined");
    tab.fill("text", "Serviced");
    tab.go("^Add to the story$");
    tab.says("Serviced");
    tab.wait("document.activeElement.innerText.includes('Serviced')");
}

/// A page and its parts weigh little, come from here alone, and are kept by the browser.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_light_and_ask_nobody_else() {
    let (home, pages) = furnished().await;
    let zipped = |visitor: &Visitor| visitor.with_header("accept-encoding", "gzip");
    for (name, path) in &pages {
        let page = home.ana.get(path).await;
        for css in ["script", "link", "img", "form", "use"] {
            for attribute in ["src", "href", "action"] {
                for address in page.attributes(css, attribute) {
                    let here = (address.starts_with('/') && !address.starts_with("//"))
                        || address.starts_with("data:")
                        || address.starts_with('#');
                    assert!(here, "{name} asks {address}");
                }
            }
        }
        let raw = zipped(&home.ana).get(path).await;
        assert_eq!(raw.header("content-encoding"), "gzip", "{name}");
        let weight = raw.bytes;
        assert!(weight <= 10 * 1024, "{name} weighs {weight} bytes gzipped");
        assert!(
            page.header("cache-control").contains("private") || page.header("cache-control").contains("no-"),
            "{name}: {}",
            page.header("cache-control")
        );
    }
    let page = home.ana.open("/records").await;
    let mut assets = page.attributes("link[rel=stylesheet]", "href");
    assets.extend(page.attributes("script", "src"));
    assert!((2..=3).contains(&assets.len()), "a page, a style sheet and at most two scripts: {assets:?}");
    for asset in assets {
        let file = zipped(&home.ana).get(&asset).await.expect(200);
        assert!(file.header("cache-control").contains("immutable"), "{asset}: {}", file.header("cache-control"));
        assert_eq!(file.header("content-encoding"), "gzip", "{asset}");
        assert!(file.bytes <= 14 * 1024, "{asset} weighs {}", file.bytes);
    }
}

/// Pages as full as a family fills them in ten years: the demo household.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_household_passes_the_audit() {
    let server = empty(Engine::Sqlite).await;
    let password = lifeops::passwords::Password::parse(PASSWORD).unwrap();
    lifeops::upkeep::demo::fill(&server.app, &password, &|_, _| ()).await.unwrap();
    let mut problems = Vec::new();
    for (name, titles) in [
        ("Helen", &["Mustard", "7 Tanner’s Yard", "Christmas cake", "Headaches"][..]),
        ("Nell", &["Grandfather’s watch"]),
    ] {
        let visitor = server.visitor();
        let form = visitor.open("/sign-in").await.form("Sign in");
        let form = form.fill("email", &format!("{}@example.org", name.to_lowercase())).fill("password", PASSWORD);
        visitor.submit(&form, "Sign in").await;
        let list = visitor.open("/records").await;
        let mut pages: Vec<String> =
            ["/", "/records", "/records?deleted=yes", "/timeline", "/timeline?at=2019", "/timeline?by=recorded"]
                .map(str::to_owned)
                .to_vec();
        for title in titles {
            let path = list.link(title);
            pages.extend([path.clone(), format!("{path}/history"), format!("{path}?at=2020")]);
            let links: Vec<String> = visitor.open(&path).await.links().into_iter().map(|(_, to)| to).collect();
            pages.extend(
                ["/edit", "/notes/", "/undo"]
                    .iter()
                    .filter_map(|part| links.iter().find(|to| to.starts_with(&path) && to.contains(part)).cloned()),
            );
        }
        let mut tab = Browser::shared().tab();
        tab.borrow_cookies(&visitor);
        for path in &pages {
            tab.open(&format!("{}{path}", visitor.base()));
            inspect(&mut tab, &format!("{name}, {path}"), &mut problems);
        }
        tab.no_complaints();
    }
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}
