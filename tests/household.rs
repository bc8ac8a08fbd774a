//! The household: its page, roles, shutting out and letting in, removal and what a leaving member may do, the log.

use std::sync::Arc;

use lifeops::app::{App, Clock, Parts};
use lifeops::commands::{accounts, household};
use lifeops::domain::chain;
use lifeops::domain::instant::Instant;
use lifeops::domain::membership::Wish;
use lifeops::domain::person::Email;
use lifeops::store::accounts::Membership;
use lifeops::store::db::sql;
use lifeops::upkeep::lines::Line;
use lifeops::upkeep::{export, restore};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{Home, PASSWORD, Page, Place, Visitor, audit, count_events, email, sign_in, words};

/// Two weeks and a minute, in seconds: longer than the grace period.
const LATER: i64 = 14 * 86_400 + 60;

/// Somebody of a household.
pub async fn member(app: &App, name: &str) -> Membership {
    accounts::find(app, &Email::parse(&email(name)).unwrap()).await.unwrap()
}

/// The address of a member's page.
pub async fn path_of(home: &Home, name: &str) -> String {
    format!("/household/members/{}", member(&home.server.app, name).await.member)
}

/// Does what the button on a page that asks does.
async fn act(owner: &Visitor, path: &str, button: &str) -> Page {
    let page = owner.open(path).await;
    owner.press(&page.form(button), button).await
}

async fn give_role(home: &Home, name: &str, role: &str) -> Page {
    let page = home.ana.open(&path_of(home, name).await).await;
    home.ana.press(&page.form("Save role").fill("role", role), "Save role").await
}

async fn kinds(app: &App) -> Vec<String> {
    let rows = sql("select kind from record_events where household_id = record_id order by recorded_at, position");
    rows.all(&app.db).await.unwrap().iter().map(|row| row.text("kind").unwrap()).collect()
}

async fn try_sign_in(home: &Home, name: &str) -> Page {
    let pairs = [("email", email(name)), ("password", PASSWORD.to_owned())];
    home.server.visitor().post("/sign-in", &pairs.map(|(n, v)| (n.to_owned(), v))).await
}

fn standing_clock() -> Clock {
    Clock::fixed(Instant::from_micros(1_790_000_000_000_000))
}

both_engines! {
    async fn everyone_reads_the_page_and_owners_change_it(engine: Engine) {
        let home = Home::start(engine).await;
        for visitor in [&home.ana, &home.ben, &home.mila] {
            let page = visitor.open("/household").await;
            assert_eq!(page.heading(), "The Lindens");
            page.clone().expect_words("3 members since").expect_words("Who may do what").expect_words("here now");
            assert_eq!(page.all("#h-members, .rows h3").iter().filter(|h| h.contains("(you)")).count(), 1);
            assert!(page.all("table th[scope=col]").len() == 3 && page.all("table th[scope=row]").len() > 4);
            assert!(!page.says("Cleo") && !page.says("The Elms"));
            let owns = page.find_link("Change Ben").is_some();
            assert_eq!(owns, page.find_link("Household log").is_some());
            assert_eq!(owns, page.forms().iter().any(|form| form.action == "/household/name"));
        }
        assert!(home.ana.open("/household").await.find_link("Change Ben").is_some());
        assert!(home.ben.open("/household").await.find_link("Change Ben").is_none());
        // Who only reads is neither asked who sees what they begin nor told to begin something.
        assert!(home.ben.open("/account").await.find_form("Save choice").is_some());
        assert!(home.mila.open("/account").await.find_form("Save choice").is_none());
        home.ben.open("/").await.expect_words("A good first record");
        home.mila.open("/").await.expect_words("Nothing is written down yet").expect_no_words("A good first record");

        let form = home.ana.open("/household").await.form("Save name");
        let refused = home.ana.press(&form.clone().fill("name", " "), "Save name").await.expect(422);
        assert_eq!(refused.summary()[0].1, "#name");
        let page = home.ana.submit(&form.fill("name", "The Lindens & Sons"), "Save name").await;
        page.clone().expect_words("The household has a new name");
        assert_eq!(page.heading(), "The Lindens & Sons");
        assert!(home.mila.open("/records").await.says("The Lindens & Sons"));
        // The same name again is no event.
        let before = count_events(&home.server.app.db).await;
        home.ana.submit(&page.form("Save name"), "Save name").await;
        assert_eq!(count_events(&home.server.app.db).await, before);
        audit(&home.server.app).await;
    }

    async fn a_role_holds_at_once(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        let note = home.ben.open(&record).await.form(words::NOTE).fill("text", "Descaled");
        assert!(give_role(&home, "Ben", "viewer").await.expect_redirect().starts_with("/household?done=role&member="));
        home.ben.press(&note, words::NOTE).await.expect(403).expect_words("You may read");
        home.ben.open("/").await;
        give_role(&home, "Mila", "owner").await;
        home.mila.open("/household/log").await.expect_words("Mila became owner instead of viewer");
        // With a second owner the first may step down, and then cannot undo it.
        give_role(&home, "Ana", "editor").await;
        home.ana.get("/household/log").await.expect(403);
        let own = path_of(&home, "Mila").await;
        let page = home.mila.open(&own).await;
        let refused = home.mila.press(&page.form("Save role").fill("role", "viewer"), "Save role").await.expect(422);
        assert!(refused.summary()[0].0.starts_with("Mila is the only owner of The Lindens who can sign in"), "{:?}", refused.summary());
        assert_eq!(refused.form("Save role").value("role"), "viewer", "what was chosen is kept");
        audit(&home.server.app).await;
    }

    async fn the_last_owner_stays_whatever_the_way(engine: Engine) {
        let home = Home::start(engine).await;
        let ana = path_of(&home, "Ana").await;
        let before = count_events(&home.server.app.db).await;
        for (path, button) in [("disable", "Disable yourself"), ("remove", "Remove yourself")] {
            let refused = act(&home.ana, &format!("{ana}/{path}"), button).await.expect(422);
            assert!(refused.summary()[0].0.starts_with("Ana is the only owner"), "{:?}", refused.summary());
            assert!(refused.title().starts_with("Error: "));
        }
        assert_eq!(count_events(&home.server.app.db).await, before);
        // Two owners who throw each other out at once: one of them stays.
        give_role(&home, "Ben", "owner").await;
        let ben = path_of(&home, "Ben").await;
        let forms = [
            (home.ana.clone(), home.ana.open(&format!("{ben}/remove")).await.form("Remove Ben"), "Remove Ben"),
            (home.ben.clone(), home.ben.open(&format!("{ana}/remove")).await.form("Remove Ana"), "Remove Ana"),
        ];
        let mut both = JoinSet::new();
        for (visitor, form, button) in forms {
            both.spawn(async move { visitor.press(&form, button).await.status });
        }
        let mut statuses = both.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 403], "whoever came second was no owner any more");
        audit(&home.server.app).await;
    }

    async fn demoted_while_writing(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        let mut writers = JoinSet::new();
        for n in 0..12 {
            let (ben, record) = (home.ben.clone(), record.clone());
            writers.spawn(async move {
                let pairs = [("submission", Uuid::now_v7().to_string()), ("text", format!("note {n}")), ("occurred", "2020".to_owned())];
                ben.post(&format!("{record}/notes"), &pairs.map(|(name, v)| (name.to_owned(), v))).await.status
            });
            if n == 5 {
                give_role(&home, "Ben", "viewer").await.expect(303);
            }
        }
        let statuses = writers.join_all().await;
        assert!(statuses.iter().all(|status| [303, 403].contains(status)), "{statuses:?}");
        assert!(statuses.contains(&403), "{statuses:?}");
        let late = sql("
            select count(*) as n from record_events as e
            join record_events as c on c.household_id = e.household_id and c.kind = 'member_role_changed'
            where e.kind = 'note_added' and e.position > c.position");
        assert_eq!(late.one(&home.server.app.db).await.unwrap().int("n").unwrap(), 0, "today's role decides");
        let written = crate::support::notes(&home.server.app.db).await.len();
        assert_eq!(written, statuses.iter().filter(|status| **status == 303).count());
        audit(&home.server.app).await;
    }

    async fn disabled_while_signed_in(engine: Engine) {
        let home = Home::start(engine).await;
        let ben = path_of(&home, "Ben").await;
        let page = act(&home.ana, &format!("{ben}/disable"), "Disable Ben").await;
        assert!(page.expect_redirect().starts_with("/household?done=disabled&member="));
        home.ana.open(&page.expect_redirect()).await.expect_words("Ben cannot sign in any more");
        // An open public page is no reason to lose the sentence.
        home.ben.open("/help").await;
        let part = home.ben.htmx().get("/records").await.expect(401);
        assert_eq!(part.header("hx-redirect"), "/signed-out");
        assert!(!home.ben.cookies().contains_key("lifeops"), "the session's cookie is taken back");
        home.ben.open("/signed-out").await.expect_words("You have been signed out").expect_words("Ask an owner");
        let refused = try_sign_in(&home, "Ben").await.expect(422);
        assert_eq!(refused.summary()[0].0, accounts::NOT_RECOGNISED);
        home.ana.open("/household").await.expect_words("disabled: cannot sign in");
        let again = home.ana.open(&ben).await;
        home.ana.submit(&again.form("Enable Ben"), "Enable Ben").await.expect_words("Ben can sign in again");
        sign_in(&home.ben, "Ben").await;
        home.ben.open("/records").await;
        assert_eq!(kinds(&home.server.app).await.iter().filter(|kind| kind.ends_with("abled")).count(), 2);
        audit(&home.server.app).await;
    }

    async fn a_session_from_before_does_not_come_back(engine: Engine) {
        let home = Home::start(engine).await;
        let (app, ben) = (&home.server.app, member(&home.server.app, "Ben").await);
        for wish in [Wish::Disable { member: ben.member }, Wish::Enable { member: ben.member }] {
            assert!(household::change_for_operator(app, ben.household, wish).await.unwrap());
        }
        assert!(home.ben.get("/records").await.expect_redirect().starts_with("/sign-in"));
        let left = sql("select count(*) as n from member_session where member_id = $1").bind(ben.member);
        assert_eq!(left.one(&app.db).await.unwrap().int("n").unwrap(), 0, "nor is it listed");
    }

    async fn a_removal_takes_its_time_and_then_holds(engine: Engine) {
        let clock = standing_clock();
        let home = Home::set_up(Place::empty(engine).await, clock.clone()).await;
        let app = &home.server.app;
        let diary = home.create(&home.ben, "Ben’s diary", &[("visibility", "private")]).await;
        let shared = home.create(&home.ben, "Kettle", &[]).await;
        let ben = path_of(&home, "Ben").await;
        let name = home.ben.open("/account").await.form("Save name").fill("name", "Benjamin");
        let ask = home.ana.open(&format!("{ben}/remove")).await;
        ask.clone().expect_words("hand over the records that they keep");
        ask.clone().expect_words("Until 5 October 2026").expect_words("can still sign in and read").expect_words("sealed");
        home.ana.submit(&ask.form("Remove Ben"), "Remove Ben").await.expect_words("Removal begun").expect_words("leaves on");

        // Ben reads, and changes nothing.
        home.ben.open("/").await.expect_words("You are leaving this household");
        home.ben.open(&diary).await.expect_words("Ben’s diary");
        for (path, pairs) in [
            ("/records/new".to_owned(), vec![("title", "New"), ("visibility", "private"), ("occurred", "2020")]),
            (format!("{diary}/notes"), vec![("text", "x"), ("occurred", "2020")]),
            (format!("{diary}/share"), vec![]),
            (format!("{shared}/delete"), vec![]),
        ] {
            let mut pairs: Vec<_> = pairs.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            pairs.push(("submission".to_owned(), Uuid::now_v7().to_string()));
            let refused = home.ben.post(&path, &pairs).await.expect(403);
            refused.expect_words("An owner can take the removal back").expect_no_words("make you an editor");
        }
        assert!(home.ben.open("/account").await.find_form("Save name").is_none());
        home.ben.press(&name, "Save name").await.expect(422).expect_words("An owner can take the removal back");
        home.mila.get("/household/leaving").await.expect(404);
        home.mila.get("/household/leaving/records").await.expect(404);

        // Nobody changes who is leaving; an owner takes it back, with the role as before.
        let page = home.ana.open(&ben).await;
        assert!(page.find_form("Save role").is_none() && page.find_link("Remove Ben").is_none());
        home.ana.submit(&page.form("Keep Ben"), "Keep Ben").await.expect_words("Ben stays a member");
        home.note(&home.ben, &shared, "Still here").await;
        home.ben.open("/").await.expect_no_words("You are leaving");

        // The second time it holds: whatever the grace period is set to by then.
        act(&home.ana, &format!("{ben}/remove"), "Remove Ben").await.expect(303);
        clock.advance(LATER);
        assert_eq!(home.ben.get("/records").await.expect_redirect(), "/signed-out");
        let calls = app.passwords.calls();
        let (refused, unknown) = (try_sign_in(&home, "Ben").await.expect(422), try_sign_in(&home, "Bea").await);
        assert_eq!(refused.summary()[0].0, accounts::NOT_RECOGNISED);
        assert_eq!(refused.body.replace(&email("Ben"), &email("Bea")), unknown.body, "like somebody unknown");
        assert_eq!(app.passwords.calls() - calls, 2);
        home.ana.open("/household").await.expect_words("Former members").expect_words("2 members");
        home.ana.open(&shared).await.expect_words("Ben");
        home.ana.get(&diary).await.expect(404);
        for button in ["disable", "enable", "remove", "keep", "role"] {
            let pairs = [("submission", Uuid::now_v7().to_string()), ("role", "owner".to_owned())];
            let refused = home.ana.post(&format!("{ben}/{button}"), &pairs.map(|(n, v)| (n.to_owned(), v))).await.expect(422);
            refused.expect_words("Only whoever runs this LifeOps can bring them back");
        }
        // Whoever runs it brings him back, and nobody else's session with him.
        let found = member(app, "Ben").await;
        household::change_for_operator(app, found.household, Wish::Reinstate { member: found.member }).await.unwrap();
        home.ben.get("/records").await.expect(303);
        sign_in(&home.ben, "Ben").await;
        home.ben.open(&diary).await.expect_words("Ben’s diary");
        home.note(&home.ben, &diary, "Back again").await;
        home.ana.open("/household/log").await.expect_words("The removal of Ben was taken back").expect_words("Whoever runs this LifeOps");
        audit(app).await;
    }

    async fn a_form_that_is_sent_twice_is_one_event(engine: Engine) {
        let home = Home::start(engine).await;
        let ben = path_of(&home, "Ben").await;
        let form = home.ana.open(&ben).await.form("Save role").fill("role", "viewer");
        let before = count_events(&home.server.app.db).await;
        for _ in 0..2 {
            let to = home.ana.press(&form, "Save role").await.expect_redirect();
            home.ana.open(&to).await.expect_words("Ben’s new role holds from now on");
        }
        assert_eq!(count_events(&home.server.app.db).await, before + 1);
        let other = home.ana.press(&form.clone().fill("role", "owner"), "Save role").await.expect(409);
        assert_ne!(other.form("Save role").value("submission"), form.value("submission"), "a fresh key");
        // Somebody else's key of the same value is their own.
        let mut many = JoinSet::new();
        let form = home.ana.open(&format!("{ben}/disable")).await.form("Disable Ben");
        for _ in 0..8 {
            let (ana, form) = (home.ana.clone(), form.clone());
            many.spawn(async move { ana.press(&form, "Disable Ben").await.status });
        }
        assert_eq!(many.join_all().await, [303; 8]);
        assert_eq!(count_events(&home.server.app.db).await, before + 2);
        audit(&home.server.app).await;
    }

    async fn the_log_says_who_was_called_what_then(engine: Engine) {
        let home = Home::start(engine).await;
        let (app, ben) = (&home.server.app, member(&home.server.app, "Ben").await);
        let form = home.ben.open("/account").await.form("Save name").fill("name", "Benjamin");
        home.ben.submit(&form, "Save name").await;
        give_role(&home, "Ben", "owner").await;
        let page = home.ana.open("/household/log").await;
        let told = page.all("ol h2");
        assert_eq!(told[0], "Benjamin became owner instead of editor");
        assert_eq!(told[1], "Ben is called Benjamin from now on");
        assert!(page.all("ol .meta")[1].starts_with("Ben (now Benjamin)"), "{:?}", page.all("ol .meta"));
        assert_eq!(told.last().unwrap(), "The household began as “The Lindens”");
        assert!(page.all("ol .meta").first().unwrap().starts_with("Ana"), "{:?}", page.all(".meta"));
        assert!(page.all("ol .meta").last().unwrap().starts_with("Ana"), "whoever began it is named too");
        // Pages by their ends.
        for n in 0..60 {
            let wish = if n % 2 == 0 { Wish::Disable { member: ben.member } } else { Wish::Enable { member: ben.member } };
            household::change_for_operator(app, ben.household, wish).await.unwrap();
        }
        let first = home.ana.open("/household/log").await;
        assert_eq!(first.all("ol h2").len(), 50);
        let second = home.ana.open(&first.link("Older entries")).await;
        assert_eq!(second.all("ol h2").last(), told.last());
        assert_eq!(home.ana.open(&second.link("Newer entries")).await.all("ol h2"), first.all("ol h2"));
        home.mila.get("/household/log").await.expect(403).expect_no_words("Benjamin");
    }

    async fn who_is_leaving_gives_away_what_they_keep(engine: Engine) {
        let home = Home::start(engine).await;
        let app = &home.server.app;
        let diary = home.create(&home.ben, "The dog’s diary", &[("visibility", "private")]).await;
        let kettle = home.create(&home.ana, "Kettle", &[]).await;
        let bicycle = home.create(&home.ben, "Bicycle", &[]).await;
        let (ana, ben) = (member(app, "Ana").await, member(app, "Ben").await);
        household::change_for_operator(app, ben.household, Wish::Remove { member: ben.member }).await.unwrap();
        let page = home.ben.open("/household/leaving").await;
        let ask = home.ben.open(&page.link("Hand over The dog’s diary")).await;
        let form = ask.form_to(&format!("{diary}/hand-over")).fill("to", &ana.member.to_string());
        home.ben.submit(&form, &form.button_words()[0]).await;
        home.ana.open(&diary).await.expect_words("The dog’s diary");
        home.ben.get(&diary).await.expect(404);
        // What they share is theirs to give too: from the list, and from the record itself.
        let page = home.ben.open("/household/leaving").await;
        page.link("Hand over Bicycle");
        assert!(page.find_link("Hand over Kettle").is_none());
        assert!(home.ben.open(&kettle).await.find_link("Hand it to someone else").is_none());
        let record = home.ben.open(&bicycle).await;
        assert!(record.find_link("Delete this record").is_none() && record.find_link("Keep it to yourself").is_none());
        let ask = home.ben.open(&record.link("Hand it to someone else")).await;
        let form = ask.form_to(&format!("{bicycle}/hand-over")).fill("to", &ana.member.to_string());
        home.ben.submit(&form, &form.button_words()[0]).await.expect_words("Ana keeps Bicycle from now on");
        // Nobody gives anything to somebody who is leaving.
        let ask = home.ana.open(&format!("{kettle}/hand-over")).await;
        assert!(ask.all("main label").iter().all(|label| label.starts_with("Mila")), "{:?}", ask.all("main label"));
        let form = ask.form_to(&format!("{kettle}/hand-over")).force("to", &ben.member.to_string());
        home.ana.press(&form, &form.button_words()[0]).await.expect(422);
        audit(app).await;
    }

    async fn whoever_removes_themself_reads_words_for_it(engine: Engine) {
        let home = Home::start(engine).await;
        let (ana, ben) = (path_of(&home, "Ana").await, path_of(&home, "Ben").await);
        give_role(&home, "Ben", "owner").await;
        let ask = home.ana.open(&home.ana.open(&ana).await.link("Remove yourself from the household")).await;
        let ask = ask.expect_words("you can still sign in and read").expect_words("Another owner can take the removal back");
        let page = home.ana.submit(&ask.form("Remove yourself"), "Remove yourself").await;
        page.expect_words("Another owner can take it back").expect_no_words("removed you");
        home.ana.open("/household/leaving").await.expect_words("an owner who stays can take that back");
        home.ana.get(&format!("{ben}/disable")).await.expect(403);

        // Somebody who is disabled does not read until the day either.
        let mila = path_of(&home, "Mila").await;
        act(&home.ben, &format!("{mila}/disable"), "Disable Mila").await.expect(303);
        let ask = home.ben.open(&format!("{mila}/remove")).await.expect_words("Mila is disabled");
        let page = home.ben.submit(&ask.expect_no_words("can still sign in").form("Remove Mila"), "Remove Mila").await;
        page.expect_words("Until Mila has left you can take it back");
        let page = home.ben.open(&mila).await.expect_no_words("reads until");
        let page = page.expect_words("disabled, and cannot sign in until then either");
        home.ben.submit(&page.form("Keep Mila"), "Keep Mila").await.expect_words("Mila stays a member, and is disabled");
        audit(&home.server.app).await;
    }

    async fn what_the_household_decided_comes_out_of_an_export_again(engine: Engine) {
        let home = Home::start(engine).await;
        let app = &home.server.app;
        give_role(&home, "Mila", "owner").await;
        let form = home.ana.open("/household").await.form("Save name").fill("name", "The Lindens & Sons");
        home.ana.submit(&form, "Save name").await;
        let (ben, mila) = (member(app, "Ben").await, member(app, "Mila").await);
        for (wish, app) in [
            (Wish::Remove { member: ben.member }, app.clone()),
            (Wish::Reinstate { member: ben.member }, app.clone()),
            (Wish::Remove { member: ben.member }, with_grace(app, 1)),
            (Wish::Remove { member: mila.member }, app.clone()),
        ] {
            assert!(household::change_for_operator(&app, ben.household, wish).await.unwrap());
        }
        crate::invitations::invite(&home.ana, "viewer").await;
        let mut file = Vec::new();
        export::to_writer(app, &mut file, &|_, _| {}).await.unwrap();
        let place = Place::empty(engine.other()).await;
        let there = App::open(crate::support::settings(&place), Clock::System).await.unwrap();
        restore::from_reader(&there, file.as_slice(), &|_| {}).await.unwrap();
        let people = async |app: &App| {
            let told = |m: Membership| (m.name, m.role, m.disabled, m.removed_from, m.household_name);
            accounts::list(app).await.unwrap().into_iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(people(&there).await, people(app).await);
        assert_eq!(people(&there).await.iter().filter(|(.., removed, _)| removed.is_some()).count(), 2);
        audit(&there).await;
        there.db.close().await;
    }

    async fn private_records_are_taken_along_and_can_be_checked(engine: Engine) {
        let home = Home::start(engine).await;
        let app = &home.server.app;
        let mut expected = 0;
        for n in 0..3 {
            let record = home.create(&home.ben, &format!("Secret {n}"), &[("visibility", "private")]).await;
            home.note(&home.ben, &record, "A private note").await;
            home.note(&home.ana, &home.create(&home.ana, "Kettle", &[]).await, "A shared note").await;
            expected += 2;
        }
        let gone = home.create(&home.ben, "Deleted secret", &[("visibility", "private")]).await;
        let ask = home.ben.open(&format!("{gone}/delete")).await;
        home.ben.submit(&ask.form(words::DELETE), words::DELETE).await;
        expected += 2;
        home.create(&home.ana, "Ana’s secret", &[("visibility", "private")]).await;
        home.ben.get("/household/leaving/records").await.expect(404);
        let ben = member(app, "Ben").await;
        household::change_for_operator(app, ben.household, Wish::Remove { member: ben.member }).await.unwrap();
        let page = home.ben.open("/household/leaving").await.expect_words("4 private records");
        let file = home.ben.get(&page.link("Download your private records")).await.expect(200);
        assert!(file.header("content-disposition").starts_with("attachment; filename=\"private-records-"));
        assert!(!file.body.contains("Kettle") && !file.body.contains("Ana’s secret"));
        let lines: Vec<serde_json::Value> = file.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines[0]["format"].as_str(), lines[0]["member_name"].as_str()), (Some("lifeops.private-records"), Some("Ben")));
        assert_eq!(lines.last().unwrap()["events"], expected);
        assert_eq!(lines.len(), expected + 2);
        for line in &lines[1..=expected] {
            let mut line = line.clone();
            let mut take = |name: &str| line.as_object_mut().unwrap().remove(name).unwrap().as_str().unwrap().to_owned();
            let (title, before) = (take("title"), chain::unhex(&take("before")).unwrap());
            assert!(title.to_lowercase().contains("secret"), "{title}");
            let Line::Event(event) = serde_json::from_value(line).unwrap() else { panic!("an event") };
            let event = event.event().unwrap();
            assert_eq!(chain::link(&before, &chain::leaf(&event)), event.hash, "its hash follows from what is in the file");
        }
        audit(app).await;
    }
}

/// The same installation under another grace period.
pub fn with_grace(app: &App, seconds: u64) -> App {
    let settings =
        lifeops::config::Settings { removal_grace: std::time::Duration::from_secs(seconds), ..(*app.settings).clone() };
    Parts { settings: Arc::new(settings), ..(**app).clone() }.into()
}
