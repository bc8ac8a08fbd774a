//! Invitations: a link that works once, is seen once, and says nothing when it does not work.

use std::collections::BTreeMap;

use lifeops::app::Clock;
use lifeops::commands::household;
use lifeops::config::BaseUrl;
use lifeops::domain::instant::Instant;
use lifeops::domain::membership::Wish;
use lifeops::store::db::sql;
use tokio::task::JoinSet;

use crate::accounts::{household as lindens, household_with};
use crate::household::{member, path_of};
use crate::support::{Home, PASSWORD, Page, Server, Visitor, audit, count_events, email, words};

const NEW: &str = "/household/invitations/new";

/// Makes an invitation through the form and returns its link's path.
pub async fn invite(owner: &Visitor, role: &str) -> String {
    let form = owner.open(NEW).await.form("Make the link").fill("role", role);
    link_of(&owner.submit(&form, "Make the link").await).1
}

/// The link on the page that shows it: where it leads, and its path.
fn link_of(page: &Page) -> (String, String) {
    let link = page.attributes("#link", "value").remove(0);
    assert_eq!(page.all("#link-words").concat(), link, "also as text that wraps");
    let at = link.find("/invitations/").unwrap();
    (link[..at].to_owned(), link[at..].to_owned())
}

/// Opens a link and joins as somebody.
async fn join(visitor: &Visitor, link: &str, name: &str) -> Page {
    let form = visitor.open(link).await.form("Join");
    visitor.press(&filled(form, name), "Join").await
}

fn filled(form: crate::support::Form, name: &str) -> crate::support::Form {
    form.fill("name", name).fill("email", &email(name)).fill("password", PASSWORD)
}

fn pairs(name: &str) -> Vec<(String, String)> {
    [("name", name), ("email", &email(name)), ("password", PASSWORD), ("zone", "Europe/Lisbon")]
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .to_vec()
}

/// An answer without what differs from one request to the next.
fn alike(page: &Page) -> (u16, BTreeMap<String, String>, String) {
    let mut headers = page.headers.clone();
    for name in ["x-request-id", "date"] {
        headers.remove(name);
    }
    (page.status, headers, page.body.clone())
}

both_engines! {
    async fn somebody_joins_by_a_link(engine: Engine) {
        let home = Home::start(engine).await;
        let app = &home.server.app;
        let form = home.ana.open(NEW).await.form("Make the link");
        assert_eq!(form.value("days"), "7");
        let made = home.ana.submit(&form.fill("role", "viewer"), "Make the link").await;
        made.clone().expect_words("join as a viewer").expect_words("Copy it now");
        assert_eq!(made.header("cache-control"), "no-store");
        assert_eq!(made.attributes("svg.qr", "aria-label"), ["QR code of the invitation’s link"]);
        let (origin, link) = link_of(&made);
        assert_eq!(origin, home.ana.base(), "without a base URL, the address that is listened on");
        home.ana.open("/household").await.expect_words("Invitation 1, as a viewer").expect_words("works until").expect_no_words("Nobody is invited");
        let kept = sql("select token_digest from invitation").one(&app.db).await.unwrap().digest("token_digest").unwrap();
        assert_ne!(kept.to_vec(), link.rsplit('/').next().unwrap().as_bytes(), "only a digest is kept");

        // The token leaves the address at once, into a cookie of these pages alone.
        let rosa = home.server.visitor();
        let opened = rosa.get(&link).await;
        assert_eq!(opened.expect_redirect(), "/invitations/accept");
        let cookie = opened.header("set-cookie").to_owned();
        for part in ["lifeops-invitation=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=3600"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let page = rosa.open("/invitations/accept").await;
        page.clone().expect_words("Ana invites you to The Lindens as a viewer: you may read");
        assert!(!page.body.contains(link.rsplit('/').next().unwrap()));
        // Looking does not use it up.
        rosa.open(&link).await;
        let before = count_events(&app.db).await;
        let refused = rosa.press(&page.form("Join").fill("name", "Rosa"), "Join").await.expect(422);
        assert_eq!(refused.summary().iter().map(|(_, to)| to.as_str()).collect::<Vec<_>>(), ["#email", "#password"]);
        assert_eq!(refused.form("Join").value("name"), "Rosa");
        let joined = rosa.press(&filled(page.form("Join"), "Rosa"), "Join").await;
        assert_eq!(joined.expect_redirect(), "/");
        assert!(!rosa.cookies().contains_key("lifeops-invitation"), "the cookie is gone");
        rosa.open("/household").await.expect_words("Rosa (you)").expect_words("4 members");
        rosa.get("/records/new").await.expect(403);
        assert_eq!(count_events(&app.db).await, before + 1);
        let event = sql("select via, actor_id, via_ref from record_events where kind = 'member_joined' order by position desc");
        let event = event.all(&app.db).await.unwrap().remove(0);
        assert_eq!(event.text("via").unwrap(), "page");
        assert_eq!(event.uuid("actor_id").unwrap(), member(app, "Rosa").await.member.0);
        home.ana.open("/household").await.expect_words("used by Rosa on");
        home.ana.open("/household/log").await.expect_words("Rosa joined as viewer");
        audit(app).await;
    }

    async fn two_browsers_at_once_accept_one_invitation(engine: Engine) {
        let home = Home::start(engine).await;
        let link = invite(&home.ana, "editor").await;
        let mut both = JoinSet::new();
        for name in ["Rosa", "Otto"] {
            let visitor = home.server.visitor();
            visitor.open(&link).await;
            both.spawn(async move { visitor.post("/invitations/accept", &pairs(name)).await });
        }
        let mut answers = both.join_all().await;
        answers.sort_by_key(|page| page.status);
        assert_eq!([answers[0].status, answers[1].status], [303, 404]);
        answers[1].clone().expect_words("This invitation does not work").expect_words("may have been used");
        let members = lifeops::commands::accounts::list(&home.server.app).await.unwrap();
        assert_eq!(members.iter().filter(|m| ["Rosa", "Otto"].contains(&m.name.as_str())).count(), 1);
        audit(&home.server.app).await;
    }

    async fn whatever_is_wrong_with_a_link_looks_and_costs_the_same(engine: Engine) {
        let clock = Clock::fixed(Instant::from_micros(1_790_000_000_000_000));
        let (server, ana) = lindens(engine, clock.clone()).await;
        let [expired, used, revoked] = [invite(&ana, "viewer").await, invite(&ana, "viewer").await, invite(&ana, "viewer").await];
        clock.advance(6 * 86_400);
        let used_up = join(&server.visitor(), &used, "Rosa").await;
        assert_eq!(used_up.expect_redirect(), "/");
        let page = ana.open("/household").await;
        // The newest stands first, and is still open.
        let ask = ana.open(&page.link("Take back invitation 1")).await;
        ask.clone().expect_words("Its link stops working at once");
        let taken_back = [&expired, &revoked];
        ana.submit(&ask.form("Take it back"), "Take it back").await.expect_words("does not work any more");
        clock.advance(86_400);
        let fresh = invite(&ana, "viewer").await;
        let stranger = server.visitor();
        stranger.open(&fresh).await.expect_words("Join The Lindens");
        let mut answers = Vec::new();
        let calls = server.app.passwords.calls();
        for link in taken_back.into_iter().chain([&used, &format!("{}x", &fresh[..fresh.len() - 1]), &"/invitations/%00%ff'".to_owned(), &"/invitations/x".to_owned()]) {
            let visitor = server.visitor();
            let opened = visitor.get(link).await;
            assert_eq!(opened.expect_redirect(), "/invitations/accept", "{link}");
            let shown = visitor.get("/invitations/accept").await;
            let sent = visitor.post("/invitations/accept", &pairs("Otto")).await;
            answers.push((alike(&shown), alike(&sent)));
        }
        // And somebody who brings no link at all.
        let nothing = server.visitor();
        answers.push((alike(&nothing.get("/invitations/accept").await), alike(&nothing.post("/invitations/accept", &pairs("Otto")).await)));
        assert_eq!(server.app.passwords.calls(), calls, "no password is hashed for any of them");
        assert_eq!(answers[0].0.0, 404);
        assert!(answers[0].0.2.contains("This invitation does not work"));
        for answer in &answers[1..] {
            assert_eq!(answer, &answers[0]);
        }
        assert_eq!(answers[0].0, answers[0].1, "sending looks like opening");
        audit(&server.app).await;
    }

    async fn a_form_that_is_sent_twice_shows_the_same_link(engine: Engine) {
        let clock = Clock::fixed(Instant::from_micros(1_790_000_000_000_000));
        let (server, ana) = lindens(engine, clock.clone()).await;
        let form = ana.open(NEW).await.form("Make the link").fill("role", "editor").fill("days", "30");
        let first = ana.press(&form, "Make the link").await.expect_redirect();
        let second = ana.press(&form, "Make the link").await.expect_redirect();
        assert_eq!(first, second);
        assert_eq!(link_of(&ana.open(&first).await), link_of(&ana.open(&second).await));
        let count = sql("select count(*) as n from invitation").one(&server.app.db).await.unwrap().int("n").unwrap();
        assert_eq!(count, 1);
        let other = ana.press(&form.clone().fill("role", "owner"), "Make the link").await.expect(409);
        assert_ne!(other.form("Make the link").value("submission"), form.value("submission"));
        for (name, value) in [("days", "365"), ("days", ""), ("role", "king")] {
            ana.press(&form.clone().force(name, value), "Make the link").await.expect(422);
        }
        // The link is seen for an hour by whoever made it, and by nobody else.
        clock.advance(3_601);
        let late = ana.open(&first).await;
        late.clone().expect_words("The link is not shown again");
        assert!(late.attributes("#link", "value").is_empty());
    }

    async fn only_owners_invite(engine: Engine) {
        let home = Home::start(engine).await;
        let form = home.ana.open(NEW).await.form("Make the link").fill("role", "owner");
        let made = home.ana.press(&form, "Make the link").await.expect_redirect();
        for visitor in [&home.ben, &home.mila] {
            for path in [NEW, made.as_str()] {
                visitor.get(path).await.expect(403).expect_words("Only an owner");
            }
            visitor.press(&form, "Make the link").await.expect(403);
            visitor.open("/household").await.expect_no_words("Invitation 1");
        }
        home.cleo.open(&made).await.expect_words("The link is not shown again");
        let revoke = home.ana.open("/household").await.link("Take back invitation 1");
        home.cleo.get(&revoke).await.expect(404);
        home.cleo.post(&revoke, &[]).await.expect(404);
        home.ben.post(&revoke, &[]).await.expect(403);
        home.ana.open(&revoke).await;
    }

    async fn an_invitation_falls_with_the_owner_who_made_it(engine: Engine) {
        let home = Home::start(engine).await;
        let app = &home.server.app;
        let ben = member(app, "Ben").await;
        let wish = |role| Wish::ChangeRole { member: ben.member, role };
        household::change_for_operator(app, ben.household, wish(lifeops::domain::access::Role::Owner)).await.unwrap();
        let link = invite(&home.ben, "owner").await;
        home.server.visitor().open(&link).await.expect_words("Ben invites you");
        household::change_for_operator(app, ben.household, wish(lifeops::domain::access::Role::Editor)).await.unwrap();
        let dead = async |link: &str| {
            let visitor = home.server.visitor();
            visitor.get(link).await;
            visitor.get("/invitations/accept").await.expect(404);
        };
        dead(&link).await;
        home.ana.open("/household").await.expect_words("taken back on");
        // An owner again, he finds none of his links alive: neither that one nor those of before he was disabled or removed.
        let change = async |wish: Wish| {
            household::change_for_operator(app, ben.household, wish).await.unwrap();
        };
        change(wish(lifeops::domain::access::Role::Owner)).await;
        dead(&link).await;
        let made = invite(&home.ben, "editor").await;
        change(Wish::Remove { member: ben.member }).await;
        change(Wish::Reinstate { member: ben.member }).await;
        dead(&made).await;
        let made = invite(&home.ben, "editor").await;
        let page = path_of(&home, "Ben").await;
        let ask = home.ana.open(&format!("{page}/disable")).await.form("Disable Ben");
        home.ana.press(&ask, "Disable Ben").await.expect(303);
        change(Wish::Enable { member: ben.member }).await;
        dead(&made).await;
        // What others made stays.
        let hers = invite(&home.ana, "editor").await;
        change(wish(lifeops::domain::access::Role::Viewer)).await;
        home.server.visitor().open(&hers).await.expect_words("Ana invites you");
    }

    async fn names_and_addresses_stay_ones_own(engine: Engine) {
        let home = Home::start(engine).await;
        let link = invite(&home.ana, "viewer").await;
        let rosa = home.server.visitor();
        let form = filled(rosa.open(&link).await.form("Join"), "Rosa");
        let refused = rosa.press(&form.clone().fill("name", "BEN"), "Join").await.expect(422);
        assert_eq!(refused.summary()[0].1, "#name");
        // Also the address of somebody in another household: there is one account for each.
        let refused = rosa.press(&form.clone().fill("email", &email("Cleo")), "Join").await.expect(422);
        assert_eq!(refused.summary()[0].1, "#email");
        assert!(refused.summary()[0].0.starts_with("This address already has an account here"));
        // Neither has used it up.
        assert_eq!(rosa.press(&form, "Join").await.expect_redirect(), "/");
        // Somebody who is signed in does not use a link up by opening it.
        let link = invite(&home.ana, "viewer").await;
        home.ben.open(&link).await.expect_words("You are signed in as Ben").expect_no_words("still good");
        home.ben.post("/invitations/accept", &pairs("Otto")).await.expect(303);
        home.server.visitor().open(&link).await.expect_words("Join The Lindens");
        audit(&home.server.app).await;
    }

    async fn links_come_from_the_base_url_and_never_from_the_host(engine: Engine) {
        let (server, ana) = household_with(engine, Clock::System, |settings| {
            settings.base_url = Some(BaseUrl { scheme: "https".to_owned(), authority: "home.example".to_owned() });
        })
        .await;
        for host in ["home.example", "127.0.0.1:1", "localhost"] {
            let ana = ana.with_header("host", host).with_header("sec-fetch-site", "same-origin");
            let form = ana.open(NEW).await.form("Make the link").fill("role", "viewer");
            let to = ana.press(&form, "Make the link").await.expect_redirect();
            let page = ana.open(&to).await;
            assert_eq!(link_of(&page).0, "https://home.example", "asked as {host}");
            let visitor = server.visitor().with_header("host", host);
            let cookie = visitor.get(&link_of(&page).1).await.header("set-cookie").to_owned();
            for part in ["__Host-lifeops-invitation=", "Secure", "HttpOnly", "SameSite=Lax"] {
                assert!(cookie.contains(part), "{cookie}");
            }
        }
    }

    async fn guessing_is_throttled_by_address(engine: Engine) {
        let clock = Clock::fixed(Instant::from_micros(1_790_000_000_000_000));
        let (server, ana) = household_with(engine, clock.clone(), |settings| {
            settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        })
        .await;
        let link = invite(&ana, "viewer").await;
        let guesser = server.visitor().with_header("x-forwarded-for", "198.51.100.1");
        let mut statuses = Vec::new();
        for n in 0..25 {
            guesser.get(&format!("/invitations/guess{n}")).await;
            statuses.push(guesser.get("/invitations/accept").await.status);
        }
        assert_eq!(statuses[..20], [404; 20]);
        assert!(statuses[21..].iter().all(|status| *status == 429), "{statuses:?}");
        let page = guesser.get("/invitations/accept").await.expect(429);
        assert!(page.header("retry-after").parse::<i64>().unwrap() > 0);
        // Somebody else joins meanwhile.
        let rosa = server.visitor().with_header("x-forwarded-for", "203.0.113.7");
        assert_eq!(join(&rosa, &link, "Rosa").await.expect_redirect(), "/");
    }

    async fn whoever_joins_may_do_what_the_link_says(engine: Engine) {
        let home = Home::start(engine).await;
        let link = invite(&home.ana, "owner").await;
        let rosa = home.server.visitor();
        join(&rosa, &link, "Rosa").await.expect(303);
        let record = home.create(&rosa, "Kettle", &[]).await;
        home.ben.open(&record).await.expect_words("Rosa").form(words::NOTE);
        let page = rosa.open(&path_of(&home, "Ana").await).await;
        rosa.submit(&page.form("Save role").fill("role", "editor"), "Save role").await;
        home.ana.get(NEW).await.expect(403);
        let server: &Server = &home.server;
        audit(&server.app).await;
    }
}
