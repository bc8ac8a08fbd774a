//! The record pages through the front door: what each says, what a refused form keeps, what htmx gets instead of a page,
//! and that nothing typed becomes markup.

use crate::support::{Form, Home, Page, words};

/// A form's fact in row `n`, from 0.
fn fact(form: Form, n: usize, name: &str, ty: &str, value: &str) -> Form {
    form.fill_nth("field_name", n, name).fill_nth("field_type", n, ty).fill_nth("field_value", n, value)
}

/// The texts of the story's headings, without the date that is only heard.
fn story(page: &Page) -> Vec<String> {
    undated(page.all(".story h4"))
}

fn undated(headings: Vec<String>) -> Vec<String> {
    headings
        .into_iter()
        .map(|words| words.rsplit_once(", ").map_or(words.clone(), |(words, _)| words.to_owned()))
        .collect()
}

const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'";

/// Insists that nothing typed became an element or an attribute.
#[track_caller]
fn harmless(page: &Page) {
    assert_eq!(page.all("script").len(), page.attributes("script[src^='/assets/']", "src").len(), "{}", page.path);
    assert!(page.all("img").is_empty() && !page.body.contains("<img"), "{}", page.path);
    for attribute in ["onerror", "onfocus", "onclick", "style"] {
        assert!(page.attributes(&format!("[{attribute}]"), attribute).is_empty(), "{} has {attribute}", page.path);
    }
    assert!(!page.body.contains("javascript:alert"), "{}", page.path);
}

both_engines! {
    async fn the_list_shows_each_record_in_words(engine: Engine) {
        let home = Home::start(engine).await;
        home.ana.open("/records").await.expect_words("No records").expect_words("Begin the first record");
        home.mila.open("/records").await.expect_no_words("Begin the first record");
        home.create(&home.ana, "Passport", &[("category", "Passport"), ("visibility", "private")]).await;
        let car = home.create(&home.ana, "Corolla", &[("category", "Car"), ("tags", "winter, family")]).await;
        let form = home.ana.open(&car).await.form(words::NOTE);
        let form = form.fill("text", "Tyres fitted\nfour of them").fill("amount", "436").fill("currency", "EUR");
        home.ana.submit(&form, words::NOTE).await;

        let list = home.ana.open("/records").await.expect_words("2 records");
        assert_eq!(list.all(".row h3"), ["Corolla", "Passport"], "latest first");
        assert_eq!(list.all(".row .last")[0], "Tyres fitted");
        assert_eq!(list.all(".row .amt"), ["€436.00"]);
        let meta = &list.all(".row .meta")[0];
        assert!(meta.contains("Car") && meta.contains("Ana") && meta.contains("#winter"), "{meta}");
        assert!(list.all(".row .meta")[1].contains("only you"));
        assert_eq!(list.attributes(".rows", "role"), ["list"]);
        // Ben sees what is shared, and counts only that.
        home.ben.open("/records").await.expect_words("1 record").expect_no_words("Passport");

        // Filters are a form and links; each can be taken away by itself.
        let form = list.form("Apply filters").fill("category", "Car").fill("tag", "#Winter");
        let found = home.ana.submit(&form, "Apply filters").await.expect_words("1 record");
        assert_eq!(found.all(".chips a"), ["Remove filter: Car", "Remove filter: #Winter"]);
        let wider = home.ana.open(&found.link("Remove filter: Car")).await;
        assert_eq!(wider.all(".chips a"), ["Remove filter: #Winter"]);
        let gap = home.ana.open("/records?category=Boat").await.expect_words("No records");
        assert_eq!(gap.all(".chips a"), ["Remove filter: Boat"]);
        assert_eq!(gap.status_line(), "No records shown");
    }

    async fn a_long_list_is_paged_by_its_ends(engine: Engine) {
        let home = Home::start(engine).await;
        for n in 1..=53 {
            home.create(&home.ana, &format!("Box {n}"), &[]).await;
        }
        let first = home.ana.open("/records").await.expect_words("53 records").expect_words("Box 53");
        assert_eq!(first.all(".row h3").len(), 50);
        assert_eq!(first.status_line(), "53 records, 50 on this page");
        assert!(first.find_link("Newer records").is_none());
        let second = home.ana.open(&first.link("Older records")).await;
        assert_eq!(second.title(), "Records, older – LifeOps");
        assert_eq!(second.all(".row h3"), ["Box 3", "Box 2", "Box 1"]);
        assert!(second.find_link("Older records").is_none());
        let back = home.ana.open(&second.link("Newer records")).await;
        assert_eq!(back.all(".row h3"), first.all(".row h3"));
    }

    async fn a_refused_record_keeps_everything_that_was_typed(engine: Engine) {
        let home = Home::start(engine).await;
        let form = home.ana.open("/records/new").await.form(words::NEW);
        let key = form.value("submission");
        let form = fact(form, 0, "Price", "money", "ten EUR");
        let form = fact(form, 1, "Seats", "number", "5");
        let form = form
            .fill("title", "")
            .fill("category", "Car")
            .fill("description", "Two\n\nlines")
            .fill("tags", "a, b")
            .fill("occurred", "31 11 2020")
            .fill("visibility", "private");
        let refused = home.ana.press(&form, words::NEW).await.expect(422);
        assert!(refused.title().starts_with("Error: "));
        let ids: Vec<String> = refused.summary().into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, ["#title", "#occurred", "#value-1"]);
        for id in ids {
            let error = format!("{}-e", id.trim_start_matches('#'));
            assert!(refused.attributes(&format!("{id}[aria-invalid=true]"), "aria-describedby")[0].contains(&error));
            assert!(refused.all(&format!("#{error}"))[0].starts_with("Error: "));
        }
        let again = refused.form(words::NEW);
        assert_eq!(again.value("submission"), key, "the same try");
        for name in ["category", "description", "tags", "occurred", "visibility"] {
            assert_eq!(again.value(name), form.value(name), "{name}");
        }
        assert_eq!(again.values("field_value")[..2], ["ten EUR", "5"]);
        assert_eq!(again.values("field_type")[..2], ["money", "number"]);
        let page = home.ana.submit(&again.fill("title", "Car").fill("occurred", "2020").fill("field_value", "10 EUR"), words::NEW).await;
        assert_eq!(page.heading(), "Car");
        page.expect_words("€10.00").expect_words("Only you see it").expect_words("Two");
    }

    async fn rows_for_facts_come_and_go_without_writing(engine: Engine) {
        let home = Home::start(engine).await;
        let form = fact(home.ana.open("/records/new").await.form(words::NEW), 0, "Plate", "text", "KE 1");
        let form = form.fill("description", "kept").fill("title", "Car");
        let rows = form.values("field_name").len();
        let more = home.ana.press(&form, "Add another fact").await.expect(200);
        assert_eq!(more.attributes("[autofocus]", "id"), [format!("fact-{}", rows + 1)], "focus goes to the new row");
        let more = more.form(words::NEW);
        assert_eq!(more.values("field_name").len(), rows + 1);
        assert_eq!((more.value("field_name"), more.value("description")), ("Plate".to_owned(), "kept".to_owned()));
        let fewer = home.ana.press(&more, "Remove fact 1, Plate").await.expect(200).form(words::NEW);
        assert_eq!(fewer.values("field_name").len(), rows);
        assert_eq!(fewer.value("field_name"), "");
        home.ana.open("/records").await.expect_words("No records");
        let page = home.ana.submit(&fewer, words::NEW).await;
        assert_eq!(page.heading(), "Car");
    }

    async fn a_record_tells_its_story(engine: Engine) {
        let home = Home::start(engine).await;
        let form = home.ana.open("/records/new").await.form(words::NEW).fill("title", "Corolla").fill("occurred", "26 11 2016");
        let form = fact(form, 0, "Colour", "text", "silver").fill("description", "**Good** car\n\n- key in the bowl");
        let page = home.ana.submit(&form, words::NEW).await;
        let record = page.path.split('?').next().unwrap().to_owned();
        assert_eq!(page.all(".flash h2"), ["Begun"]);
        assert_eq!(page.all(".hero strong"), ["Good"]);
        assert_eq!(page.all(".hero .words li"), ["key in the bowl"]);
        assert!(page.all(".facts dt").contains(&"Colour".to_owned()));

        // It changed: old and new in words, and as it was before.
        let edit = format!("{record}/edit");
        let form = home.ben.open(&edit).await.form(words::SAVE);
        let form = form.fill("field_value", "grey").fill("meaning", "changed").fill("occurred", "May 2020");
        let page = home.ben.submit(&form, words::SAVE).await;
        assert_eq!(story(&page)[0], "Colour: from silver to grey");
        assert_eq!(page.all(".year"), ["2020", "2016"]);
        assert!(page.attributes(".ev > time", "datetime").contains(&"2020-05".to_owned()));
        assert!(page.all(".ev .by")[0].contains("Change by Ben, written down"), "{:?}", page.all(".ev .by"));
        home.ana.open(&format!("{record}?at=2019")).await.expect_words("at the end of 2019").expect_words("silver").expect_no_words("grey");
        home.ana.open(&format!("{record}?at=2010")).await.expect_words("had not begun");
        let wrong = home.ana.get(&format!("{record}?at=32+1+2020")).await.expect(422);
        assert_eq!(wrong.attributes("#at", "value"), ["32 1 2020"]);

        // It was wrong: the new value holds all along.
        let form = home.ana.open(&edit).await.form(words::SAVE).fill("field_value", "titanium").fill("meaning", "wrong");
        let dated = home.ana.press(&form.clone().fill("occurred", "2019"), words::SAVE).await.expect(422);
        assert_eq!(dated.summary()[0].1, "#occurred");
        let page = home.ana.submit(&form, words::SAVE).await;
        assert!(page.text().contains("Correction by Ana"));
        home.ana.open(&format!("{record}?at=2021")).await.expect_words("titanium");

        // The field's own history, by its name.
        let whole = home.mila.open(&format!("{record}/history")).await;
        let form = whole.form_to(&format!("{record}/history/field")).fill("key", "field:colour");
        let field = home.mila.submit(&form, "Show").await;
        assert_eq!(field.heading(), "Colour over time");
        assert_eq!(field.all(".turn h2"), ["Colour: from grey to titanium", "Colour: from silver to grey", "Colour: silver"]);
        home.mila.get(&format!("{record}/history/field?key=nothing")).await.expect(404);
    }

    async fn a_reason_is_asked_only_when_a_value_is_replaced(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Corolla", &[]).await;
        let edit = format!("{record}/edit");
        // A new fact and a tag replace nothing.
        let form = fact(home.ana.open(&edit).await.form(words::SAVE), 0, "Plate", "text", "KE 1").fill("tags", "winter");
        let page = home.ana.submit(&form, words::SAVE).await;
        assert_eq!(page.all(".flash h2"), ["Saved"]);
        // Taking it away does.
        let form = home.ana.open(&edit).await.form(words::SAVE);
        let without = home.ana.press(&form, "Remove fact 1, Plate").await.expect(200).form(words::SAVE);
        let refused = home.ana.press(&without, words::SAVE).await.expect(422);
        assert_eq!(refused.summary()[0].1, "#m-changed");
        let page = home.ana.submit(&refused.form(words::SAVE).fill("meaning", "wrong"), words::SAVE).await;
        assert!(!page.all(".facts dt").contains(&"Plate".to_owned()));
    }

    async fn htmx_gets_the_story_and_everyone_else_a_page(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Corolla", &[]).await;
        let htmx = home.ana.htmx();
        let page = home.ana.open(&record).await;
        let form = page.form(words::NOTE);

        // Wrong: the form alone, with its title; without htmx the same form in its page.
        let part = htmx.press(&form.clone().fill("text", ""), words::NOTE).await.expect(422);
        assert!(part.all("main").is_empty() && part.all("header").is_empty());
        assert_eq!(part.title(), "Error: Corolla – LifeOps");
        assert_eq!(part.attributes(".summary[autofocus]", "tabindex"), ["-1"]);
        let whole = home.ana.press(&form.clone().fill("text", ""), words::NOTE).await.expect(422);
        assert_eq!(whole.title(), part.title());
        assert_eq!(whole.all("main").len(), 1);
        assert_eq!(whole.summary(), part.summary());
        assert_eq!(whole.all("#problem .summary").len(), 1, "right after the breadcrumb");
        assert_eq!(whole.attributes("[autofocus]", "class").len(), 1);

        // Right: the story with the new event in focus, a fresh form, a word for the status line.
        let part = htmx.press(&form.clone().fill("text", "Washed"), words::NOTE).await.expect(200);
        assert_eq!((part.header("hx-retarget"), part.header("hx-reswap")), ("#history", "outerHTML"));
        assert_eq!(story(&part)[0], "Washed");
        assert_eq!(undated(part.all("h4[autofocus]")), ["Washed"]);
        assert!(part.body.contains("innerHTML:#status\">Note added<"));
        let fresh = part.form(words::NOTE);
        assert_ne!(fresh.value("submission"), form.value("submission"));
        assert_eq!(fresh.value("text"), "");

        // Sent twice is told once; a boost or a history restore gets the page.
        let again = htmx.press(&form.clone().fill("text", "Washed"), words::NOTE).await.expect(200);
        assert_eq!(story(&again).iter().filter(|words| *words == "Washed").count(), 1);
        let boosted = htmx.with_header("hx-boosted", "true");
        let to = boosted.press(&fresh.fill("text", "Waxed"), words::NOTE).await.expect_redirect();
        assert!(to.starts_with(&format!("{record}?new=")), "{to}");
        assert_eq!(undated(home.ana.open(&to).await.all("h4[autofocus]")), ["Waxed"]);
        // A GET does not branch.
        assert_eq!(htmx.get("/records").await.all("main").len(), 1);
    }

    async fn a_form_that_was_sent_before_keeps_its_other_words(engine: Engine) {
        let home = Home::start(engine).await;
        let new = home.ana.open("/records/new").await.form(words::NEW).fill("title", "Corolla");
        let record = home.ana.submit(&new, words::NEW).await.path.split('?').next().unwrap().to_owned();
        let form = home.ana.open(&record).await.form(words::NOTE);
        let page = home.ana.submit(&form.clone().fill("text", "Washed"), words::NOTE).await;
        let correct = page.link("Correct “Washed”");
        let edit = format!("{record}/edit");
        let saved = home.ana.open(&edit).await.form(words::SAVE);
        home.ana.submit(&saved.clone().fill("tags", "a"), words::SAVE).await;
        let corrected = home.ana.open(&correct).await.form(words::CORRECT);
        home.ana.submit(&corrected.clone().fill("text", "Washed well"), words::CORRECT).await;
        let cases = [
            (new, words::NEW, "title", "Yaris"),
            (form.clone(), words::NOTE, "text", "Waxed"),
            (saved, words::SAVE, "tags", "b"),
            (corrected, words::CORRECT, "text", "Washed badly"),
        ];
        for (sent, button, name, typed) in cases {
            let again = home.ana.press(&sent.clone().fill(name, typed), button).await.expect(409);
            assert_eq!(again.all("main").len(), 1, "{button}");
            assert!(again.summary()[0].0.contains("press once more"), "{button}: {:?}", again.summary());
            let fresh = again.form(button);
            assert_eq!(fresh.value(name), typed, "{button}");
            assert_ne!(fresh.value("submission"), sent.value("submission"), "{button}");
        }
        let part = home.ana.htmx().press(&form.clone().fill("text", "Waxed"), words::NOTE).await.expect(409);
        assert!(part.all("main").is_empty());
        assert_eq!(part.all(".summary").len(), 1);
        let page = home.ana.submit(&part.form(words::NOTE), words::NOTE).await;
        assert_eq!(story(&page).iter().filter(|words| *words == "Waxed").count(), 1);
    }

    async fn a_note_of_long_ago_is_found_where_it_stands(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "House", &[("occurred", "1950")]).await;
        for n in 1..=26 {
            home.note(&home.ana, &record, &format!("Entry {n}")).await;
        }
        let page = home.ana.open(&record).await.expect_words("25 of 27 events");
        let form = page.form(words::NOTE).fill("text", "Roof laid").fill("occurred", "1951");
        let page = home.ana.submit(&form, words::NOTE).await;
        assert_eq!(page.all(".flash h2"), ["Note added"]);
        let there = home.ana.open(&page.link("Show it")).await;
        assert_eq!(story(&there)[0], "Roof laid");
        let earlier = home.ana.open(&page.link("Show earlier events")).await;
        assert!(story(&earlier).contains(&"Roof laid".to_owned()));
    }

    async fn an_entry_is_undone_and_brought_back(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Corolla", &[]).await;
        let page = home.note(&home.ben, &record, "Roof box bought").await;
        let ask = home.ana.open(&page.link("Undo “Roof box bought”")).await.expect_words("Roof box bought");
        assert_eq!(ask.heading(), "Undo this entry?");
        let page = home.ana.submit(&ask.form("Undo it").fill("reason", "Not ours"), "Undo it").await;
        assert_eq!(page.all(".ev del"), ["Roof box bought"]);
        assert_eq!(story(&page)[0], "“Roof box bought” was undone");
        let page = page.expect_words("undone by Ana on").expect_words("Reason: “Not ours”");
        // Undone twice is refused with a sentence; the way back is beside the entry.
        let twice = home.ana.open(&ask.path).await.form("Undo it");
        let refused = home.ana.press(&twice, "Undo it").await.expect(422);
        assert!(refused.summary()[0].0.contains("undone already"), "{:?}", refused.summary());
        let back = home.ben.open(&page.link("Bring back")).await;
        let page = home.ben.submit(&back.form("Bring it back"), "Bring it back").await;
        assert!(page.all(".ev del").iter().all(|words| words != "Roof box bought"));
    }

    async fn sharing_says_what_it_means_and_is_for_the_keeper(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Diary", &[("visibility", "private")]).await;
        home.ben.get(&record).await.expect(404);
        let ask = home.ana.open(&home.ana.open(&record).await.link("Share it with the household")).await;
        let ask = ask.expect_words("whole past");
        home.ana.submit(&ask.form("Share it"), "Share it").await.expect_words("Everyone in the household sees Diary");
        let page = home.ben.open(&record).await.expect_words("Ana keeps it");
        assert!(page.find_link("Keep it to yourself").is_none());
        home.ben.get(&format!("{record}/keep-private")).await.expect(403);
        let ask = home.ana.open(&format!("{record}/keep-private")).await;
        home.ana.submit(&ask.form("Keep it private"), "Keep it private").await.expect_words("Only you see Diary");
        home.ben.get(&record).await.expect(404);
    }

    async fn a_viewer_finds_no_way_to_write(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Corolla", &[]).await;
        home.note(&home.ana, &record, "Washed").await;
        let page = home.mila.open(&record).await;
        for words in ["Edit", "Undo", "Correct", "Delete", "Share", "Add to the story", "New record"] {
            assert!(page.find_link(words).is_none(), "{words}");
        }
        assert!(page.find_form(words::NOTE).is_none());
        home.mila.get(&format!("{record}/edit")).await.expect(403).expect_words("Ask an owner");
    }

    async fn nothing_typed_becomes_markup(engine: Engine) {
        let home = Home::start(engine).await;
        let form = home.ana.open("/records/new").await.form(words::NEW);
        let form = fact(form, 0, MARKUP, "text", MARKUP);
        let form = ["title", "category", "description", "tags"].iter().fold(form, |form, name| form.fill(name, MARKUP));
        let refused = home.ana.press(&form.clone().fill("occurred", MARKUP), words::NEW).await.expect(422);
        harmless(&refused);
        assert_eq!(refused.form(words::NEW).value("title"), MARKUP);
        let page = home.ana.submit(&form.fill("occurred", ""), words::NEW).await;
        assert_eq!(page.heading(), MARKUP);
        let record = page.path.split('?').next().unwrap().to_owned();
        harmless(&page);
        let note = format!("{MARKUP}\n[x](javascript:alert(1)) ![y](https://elsewhere.example/pixel.png) <svg onload=alert(1)>");
        let page = home.note(&home.ana, &record, &note).await;
        harmless(&page);
        let elsewhere = page.links().into_iter().find(|(_, to)| to.contains("elsewhere.example")).expect("the picture is a link");
        assert_eq!(elsewhere.0, "y");
        assert_eq!(page.attributes("a[href*='elsewhere']", "rel"), ["nofollow noopener"]);
        for path in ["/", "/records", &format!("{record}/edit"), &format!("{record}/history"), &format!("{record}/delete"), &format!("{record}?at=2030%3Cscript%3E")] {
            harmless(&home.ana.get(path).await);
        }
        harmless(&home.ana.get("/records?category=%3Cscript%3Ealert(1)%3C/script%3E&tag=%22%3E%3Cimg%20src=x%3E").await);
    }

    async fn assets_are_kept_for_ever_and_sent_small(engine: Engine) {
        let home = Home::start(engine).await;
        let nobody = home.server.visitor();
        let page = nobody.open("/sign-in").await;
        let paths = [page.attributes("link[rel=stylesheet]", "href"), page.attributes("script", "src")].concat();
        assert_eq!(paths.len(), 3, "{paths:?}");
        for path in paths {
            let plain = nobody.get(&path).await.expect(200);
            assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(plain.header("vary"), "accept-encoding", "{path}");
            assert_eq!(plain.header("content-encoding"), "");
            for encoding in ["gzip", "br"] {
                let packed = nobody.with_header("accept-encoding", encoding).get(&path).await.expect(200);
                assert_eq!(packed.header("content-encoding"), encoding);
                assert!(packed.bytes < plain.bytes, "{path} {encoding}");
                assert_eq!(packed.header("content-type"), plain.header("content-type"));
                assert_ne!(packed.header("etag"), plain.header("etag"));
                let known = nobody.with_header("if-none-match", packed.header("etag")).get(&path).await;
                assert_eq!(known.status, 304);
            }
        }
        nobody.get("/assets/app.css").await.expect(404);
    }
}
