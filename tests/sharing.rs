//! Who keeps a record and who sees it: handing over, sentences with names, and names as they were.

use lifeops::app::Clock;
use lifeops::commands::accounts;
use lifeops::commands::household;
use lifeops::commands::records;
use lifeops::domain::access::Visibility;
use lifeops::domain::ids::{MemberId, RecordId, SubmissionKey};
use lifeops::domain::instant::Instant;
use lifeops::domain::membership::Wish;
use lifeops::domain::person::Email;
use lifeops::error::Error;
use lifeops::store::db::sql;
use uuid::Uuid;

use crate::properties::house;
use crate::support::{Home, Page, Place, Visitor, audit, count_events, email, words};

async fn press(visitor: &Visitor, path: &str) -> Page {
    let form = visitor.open(path).await.form_to(path);
    let button = form.button_words()[0].clone();
    visitor.submit(&form, &button).await
}

async fn id(home: &Home, name: &str) -> String {
    let row = sql("select id from member where name = $1").bind(name).one(&home.server.app.db).await.unwrap();
    row.uuid("id").unwrap().to_string()
}

async fn hand_over(home: &Home, visitor: &Visitor, record: &str, to: &str) -> Page {
    let path = format!("{record}/hand-over");
    let form = visitor.open(&path).await.form_to(&path).fill("to", &id(home, to).await);
    visitor.submit(&form, words::HAND_OVER).await
}

async fn rename(visitor: &Visitor, name: &str) {
    let form = visitor.open("/account").await.form_to("/account/name").fill("name", name);
    visitor.submit(&form, "Save").await;
}

both_engines! {
    async fn a_private_record_goes_out_of_sight_with_its_whole_past(engine: Engine) {
        let home = Home::start(engine).await;
        let diary = home.create(&home.ana, "Diary", &[("visibility", "private"), ("category", "Zine"), ("tags", "quokka")]).await;
        home.note(&home.ana, &diary, "First secret").await;
        home.ana.open(&diary).await.expect_words("Only you see it");
        let page = home.ana.open(&format!("{diary}/hand-over")).await;
        let page = page.expect_words("you will not see it any more").expect_words("its whole past: 2 events");
        assert_eq!(page.all("main label"), ["Ben", "Mila May only read: cannot add to it, share it or hand it back"]);

        // Nobody chosen, or nobody who is there: the form again, and nothing happened.
        let path = format!("{diary}/hand-over");
        let events = count_events(&home.server.app.db).await;
        let form = page.form_to(&path);
        let refused = home.ana.press(&form, words::HAND_OVER).await.expect(422);
        assert_eq!(refused.summary()[0].0, "Choose who is to keep it");
        let (_, pairs) = form.entries(words::HAND_OVER);
        for to in [id(&home, "Cleo").await, Uuid::now_v7().to_string(), id(&home, "Ana").await] {
            let mut pairs = pairs.clone();
            pairs.push(("to".to_owned(), to));
            home.ana.post(&path, &pairs).await.expect(422);
        }
        assert_eq!(count_events(&home.server.app.db).await, events);

        // Handed over: an answer that Ana may read, also when the form comes twice.
        let form = form.fill("to", &id(&home, "Ben").await);
        for _ in 0..2 {
            assert_eq!(home.ana.press(&form, words::HAND_OVER).await.expect_redirect(), "/records?done=handed");
        }
        assert_eq!(count_events(&home.server.app.db).await, events + 1);
        home.ana.open("/records?done=handed").await.expect_words("Handed over").expect_no_words("Diary");
        assert_eq!(home.ana.get(&diary).await.status, 404);
        for path in ["/", "/records", "/timeline", "/records?tag=quokka", "/records?category=Zine", "/records/new"] {
            let page = home.ana.open(path).await;
            let asked = path.contains("quokka") || path.contains("Zine");
            assert!(!page.body.contains("Diary") && !page.body.contains("First secret"), "{path}");
            assert!(asked || !(page.body.contains("quokka") || page.body.contains("Zine")), "{path}");
        }
        let page = home.ben.open(&diary).await;
        let page = page.expect_words("First secret").expect_words("Handed over to Ben").expect_words("Handed over by Ana");
        assert!(page.says("Only you see it"));
        home.ben.open("/records").await.expect_words("Handed over to Ben").expect_words("quokka");
        home.ben.open("/timeline").await.expect_words("First secret");
        for stranger in [&home.mila, &home.cleo] {
            assert_eq!(stranger.get(&diary).await.status, 404);
        }

        // Undone by who has it now: it goes back, out of sight again.
        let (_, undo) = page.links().into_iter().find(|(words, _)| words.starts_with("Undo") && words.contains("Handed")).unwrap();
        home.ben.open(&undo).await.expect_words("you will not see it any more");
        press(&home.ben, &undo).await.expect_words("you do not see it any more");
        assert_eq!(home.ben.get(&diary).await.status, 404);
        let page = home.ana.open(&diary).await.expect_words("“Handed over to Ben” was undone");
        assert!(page.find_link("Bring back").is_some(), "who keeps it may hand it over again");
        audit(&home.server.app).await;
    }

    async fn a_shared_record_is_kept_by_another_and_seen_as_before(engine: Engine) {
        let home = Home::start(engine).await;
        let car = home.create(&home.ana, "Corolla", &[("visibility", "household"), ("occurred", "2019")]).await;
        home.ana.open(&car).await.expect_words("You keep it. Everyone in The Lindens sees it: Ana, Ben and Mila");
        home.ben.open(&car).await.expect_words("Ana keeps it. Everyone in The Lindens sees it: Ana, Ben and Mila");
        home.ben.open(&format!("{car}/edit")).await.expect_words("Everyone in The Lindens sees it: Ana, Ben and Mila");
        // Only who keeps it hands it over, whatever the form says.
        assert!(home.ben.open(&car).await.find_link("Hand it to someone else").is_none());
        home.ben.get(&format!("{car}/hand-over")).await.expect(403).expect_words("Ana keeps this record");
        let pairs = [("submission", Uuid::now_v7().to_string()), ("to", id(&home, "Ben").await)];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        home.ben.post(&format!("{car}/hand-over"), &pairs).await.expect(403);
        home.mila.post(&format!("{car}/hand-over"), &pairs).await.expect(403);

        // Ben edits from a form that he opened before; nobody's words are in each other's way.
        let stale = home.ben.open(&format!("{car}/edit")).await.form(words::SAVE).fill("title", "Old Corolla").fill("meaning", "changed");
        hand_over(&home, &home.ana, &car, "Ben").await.expect_words("Ben keeps Corolla from now on");
        home.ben.submit(&stale, words::SAVE).await.expect_words("Saved");
        let page = home.ana.open(&car).await.expect_words("Ben keeps it. Everyone in The Lindens sees it");
        assert!(page.find_link("Undo “Handed").is_none() && page.find_link("Keep it to yourself").is_none());
        home.ana.open(&format!("{car}?at=2020")).await.expect_words("Ana kept it then");
        // Who gave it away cannot take it back, nor decide who sees it.
        let event = sql("select event_id from record_events where kind = 'record_handed_over'");
        let event = event.one(&home.server.app.db).await.unwrap().uuid("event_id").unwrap();
        let undo = format!("{car}/events/{event}/undo");
        let form = home.ana.open(&undo).await.form_to(&undo);
        home.ana.press(&form, "Undo it").await.expect(403);
        home.ana.get(&format!("{car}/keep-private")).await.expect(403);
        press(&home.ben, &format!("{car}/keep-private")).await.expect_words("Only you see Old Corolla");
        assert_eq!(home.ana.get(&car).await.status, 404);
        press(&home.ben, &format!("{car}/share")).await;
        press(&home.ben, &undo).await.expect_words("Undone").expect_words("Ana keeps it");
        audit(&home.server.app).await;
    }

    async fn nothing_is_left_with_somebody_who_is_not_here(engine: Engine) {
        let house = house(engine).await;
        let (app, [ana, ben, mila]) = (&house.app, [0, 1, 2].map(|n| house.actors[n].clone()));
        let record = crate::ledger::record(app, &ben, "Diary", Visibility::Private).await;
        records::hand_over(app, &ben, SubmissionKey::new(), record, ana.member).await.unwrap();
        accounts::disable(app, &Email::parse(&email("Ben")).unwrap()).await.unwrap();
        let event = sql("select event_id from record_events where kind = 'record_handed_over'");
        let event = event.one(&app.db).await.unwrap().uuid("event_id").map(lifeops::domain::ids::EventId).unwrap();
        // Undoing would leave it with Ben, who cannot get at it.
        let refused = records::retract(app, &ana, SubmissionKey::new(), record, event, None).await;
        assert!(matches!(&refused, Err(Error::Refused(words)) if words.0.contains("not in the household any more")), "{refused:?}");
        let refused = records::hand_over(app, &ana, SubmissionKey::new(), record, ben.member).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        // A disabled member hands nothing over either, and a viewer may not; nor is a member of nowhere given anything.
        let refused = records::hand_over(app, &ben, SubmissionKey::new(), record, mila.member).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
        for nobody in [MemberId::new(), MemberId(ana.household.0)] {
            let refused = records::hand_over(app, &ana, SubmissionKey::new(), record, nobody).await;
            assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        }
        records::hand_over(app, &ana, SubmissionKey::new(), record, mila.member).await.unwrap();
        let refused = records::hand_over(app, &mila, SubmissionKey::new(), record, ana.member).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        audit(app).await;
    }

    /// Handing over and sending somebody away at once: the household's row is the lock of both.
    async fn who_leaves_at_the_same_moment_gets_nothing(engine: Engine) {
        let house = house(engine).await;
        let (app, ana, ben) = (&house.app, &house.actors[0], &house.actors[1]);
        for round in 0..6 {
            let record: RecordId = crate::ledger::record(app, ana, &format!("Diary {round}"), Visibility::Private).await;
            let address = Email::parse(&email("Ben")).unwrap();
            let (gone, handed) = tokio::join!(
                accounts::disable(app, &address),
                records::hand_over(app, ana, SubmissionKey::new(), record, ben.member)
            );
            gone.unwrap();
            let events = sql("select kind, position from record_events where household_id = $1 order by position desc limit 1");
            let last = events.bind(ana.household).one(&app.db).await.unwrap().text("kind").unwrap();
            match handed {
                Ok(_) => assert_eq!(last, "member_disabled", "he was here when it was handed over"),
                Err(Error::Refused(_)) => assert_eq!(last, "member_disabled"),
                Err(other) => panic!("{other:?}"),
            }
            accounts::enable(app, &address).await.unwrap();
        }
        audit(app).await;
    }

    async fn sharing_says_who_will_see_it(engine: Engine) {
        let home = Home::start(engine).await;
        let new = home.ben.open("/records/new").await;
        assert!(new.says("Everyone in The Lindens Ana, Ben and Mila"), "{}", new.text());
        let diary = home.create(&home.ben, "Diary", &[("visibility", "private")]).await;
        let page = home.ben.open(&format!("{diary}/share")).await;
        page.expect_words("Everyone in The Lindens will see it: Ana, Ben and Mila").expect_words("its whole past too");
        let alone = home.create(&home.cleo, "Own", &[("visibility", "household")]).await;
        let page = home.cleo.open(&alone).await.expect_words("Everyone in The Elms sees it; so far that is nobody else");
        assert!(page.find_link("Hand it to someone else").is_none());
        home.cleo.open(&format!("{alone}/hand-over")).await.expect_words("There is nobody else in The Elms yet");
        // Who cannot sign in any more sees nothing any more, and is not named.
        accounts::disable(&home.server.app, &Email::parse(&email("Mila")).unwrap()).await.unwrap();
        home.ben.open(&format!("{diary}/share")).await.expect_words("will see it: Ana and Ben.");
    }

    async fn who_is_leaving_is_named_until_the_day(engine: Engine) {
        let clock = Clock::fixed(Instant::from_micros(1_790_000_000_000_000));
        let home = Home::set_up(Place::empty(engine).await, clock.clone()).await;
        let diary = home.create(&home.ana, "Diary", &[("visibility", "private")]).await;
        let car = home.create(&home.ana, "Corolla", &[]).await;
        let ben = crate::household::member(&home.server.app, "Ben").await;
        household::change_for_operator(&home.server.app, ben.household, Wish::Remove { member: ben.member }).await.unwrap();
        let pages = [car.clone(), "/records/new".to_owned(), format!("{diary}/share"), format!("{car}/hand-over"), format!("{car}?at=2026")];
        for path in &pages {
            home.ana.open(path).await.expect_words("Ana, Ben (until 5 October 2026) and Mila");
        }
        home.ben.open(&car).await.expect_words("Ana, Ben (until 5 October 2026) and Mila");
        assert_eq!(home.ana.open(&format!("{car}/hand-over")).await.all("main label").len(), 1, "nobody gives him anything");
        // To the second: he reads until then, and is named until then.
        let moment = sql("select removed_at from member where id = $1").bind(ben.member);
        let moment = moment.one(&home.server.app.db).await.unwrap().opt_instant("removed_at").unwrap().unwrap();
        let left = moment.seconds_since(clock.now());
        clock.advance(left - 1);
        home.ana.open(&car).await.expect_words("Ben (until");
        home.ben.open(&car).await;
        clock.advance(1);
        for path in &pages {
            home.ana.open(path).await.expect_words("Ana and Mila").expect_no_words("Ben (");
        }
        home.ben.get(&car).await.expect(303);
    }

    async fn histories_show_names_as_they_were(engine: Engine) {
        let home = Home::start(engine).await;
        let (ana, ben) = (&home.ana, &home.ben);
        let car = home.create(ben, "Corolla", &[("visibility", "household"), ("occurred", "2019")]).await;
        home.note(ben, &car, "Oil changed").await;
        let now = ["/timeline", "/timeline?by=recorded"];
        for path in now.iter().map(|path| (*path).to_owned()).chain([car.clone(), format!("{car}/history")]) {
            ana.open(&path).await.expect_no_words("(now");
        }
        let edit = async |visitor: &Visitor, title: &str| {
            let form = visitor.open(&format!("{car}/edit")).await.form(words::SAVE).fill("title", title).fill("meaning", "changed");
            visitor.submit(&form, words::SAVE).await;
        };
        edit(ben, "Old Corolla").await;
        rename(ben, "Benjamin").await;
        home.note(ben, &car, "Tyres changed").await;
        for path in now {
            let page = ana.open(path).await;
            assert!(page.says("Ben (now Benjamin)") && page.says("Benjamin"), "{path}: {}", page.text());
        }
        let page = ana.open(&car).await;
        assert!(page.says("Note by Ben (now Benjamin)") && page.says("Note by Benjamin"), "{}", page.text());
        assert!(page.says("Benjamin keeps it"), "who keeps it now has today's name");
        ana.open(&format!("{car}/history")).await.expect_words("Begun by Ben (now Benjamin)");
        ana.open(&format!("{car}/history/field?key=title")).await.expect_words("Change by Ben (now Benjamin)");

        // What was undone, corrected, handed over and deleted names them as they were called then.
        let undo = page.links().into_iter().find(|(words, _)| words.starts_with("Undo") && words.contains("Tyres")).unwrap().1;
        press(ben, &undo).await;
        hand_over(&home, ben, &car, "Ana").await;
        rename(ana, "Annika").await;
        rename(ben, "Benno").await;
        press(ana, &format!("{car}/delete")).await;
        rename(ana, "Anna").await;
        let page = home.mila.open(&car).await;
        for said in ["Annika (now Anna) deleted it", "undone by Benjamin (now Benno)", "Handed over to Ana (now Anna)",
                     "Handed over by Benjamin (now Benno)", "Note by Ben (now Benno)"] {
            assert!(page.says(said), "{said}: {}", page.text());
        }
        // A name taken back is no change; somebody who is gone keeps theirs.
        rename(ben, "Ben").await;
        accounts::disable(&home.server.app, &Email::parse(&email("Ben")).unwrap()).await.unwrap();
        let page = home.mila.open(&car).await;
        assert!(page.says("Note by Ben written") || page.says("Note by Ben"), "{}", page.text());
        assert!(!page.says("Ben (now") && page.says("Benjamin (now Ben)"), "{}", page.text());
        // Kept by the fold: a rebuild tells the same.
        lifeops::upkeep::rebuild::all(&home.server.app, &|_, _| ()).await.unwrap();
        assert_eq!(home.mila.open(&car).await.text(), page.text());
        audit(&home.server.app).await;
    }
}
