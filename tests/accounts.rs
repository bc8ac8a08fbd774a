//! Signing in and out, the account page, throttling, members.

use std::time::Duration;

use lifeops::app::Clock;
use lifeops::commands::accounts::{self, NewMember};
use lifeops::config::Registration;
use lifeops::domain::access::Role;
use lifeops::domain::instant::Instant;
use lifeops::domain::person::{Email, Zone};
use lifeops::domain::text::MemberName;
use lifeops::error::Error;
use lifeops::passwords::Password;
use lifeops::store::db::sql;

use crate::support::{Engine, Home, PASSWORD, Page, Place, Server, Visitor};

const ANA: &str = "ana@home.example";
const BEN: &str = "ben@home.example";

/// A household with Ana, its owner, who is signed in, and Ben, an editor.
pub async fn household(engine: Engine, clock: Clock) -> (Server, Visitor) {
    household_with(engine, clock, |_| {}).await
}

/// The same, under settings of one's own.
pub async fn household_with(
    engine: Engine,
    clock: Clock,
    change: impl FnOnce(&mut lifeops::config::Settings),
) -> (Server, Visitor) {
    let place = Place::empty(engine).await;
    let mut settings = crate::support::settings(&place);
    change(&mut settings);
    let server = Server::start_with(place, settings, clock).await;
    let ana = server.visitor();
    let form = ana.open(&format!("/setup?code={}", lifeops::web::setup::code(&server.app))).await.form("Set up");
    let form = form.fill("household", "The Lindens").fill("name", "Ana").fill("email", ANA).fill("password", PASSWORD);
    assert_eq!(ana.press(&form, "Set up").await.expect_redirect(), "/");
    let household = accounts::list(&server.app).await.unwrap()[0].household;
    let ben = NewMember {
        name: MemberName::parse("Ben").unwrap(),
        email: email(BEN),
        password: password(PASSWORD),
        role: Role::Editor,
        zone: Zone::parse("Europe/Lisbon").unwrap(),
    };
    accounts::add_member(&server.app, household, ben).await.unwrap();
    (server, ana)
}

/// Tries to sign in.
pub async fn try_sign_in(visitor: &Visitor, email: &str, password: &str) -> Page {
    let pairs = [("email", email), ("password", password)];
    visitor.post("/sign-in", &pairs.map(|(n, v)| (n.to_owned(), v.to_owned()))).await
}

async fn signed_in(server: &Server, email: &str) -> Visitor {
    let visitor = server.visitor();
    assert_eq!(try_sign_in(&visitor, email, PASSWORD).await.expect_redirect(), "/");
    visitor
}

async fn is_in(visitor: &Visitor) -> bool {
    visitor.get("/account").await.status == 200
}

async fn send(visitor: &Visitor, path: &str, pairs: &[(&str, &str)]) -> Page {
    let pairs: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    visitor.post(path, &pairs).await
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

fn standing() -> Clock {
    Clock::fixed(Instant::from_micros(1_790_000_000_000_000))
}

async fn events(server: &Server, kind: &str) -> i64 {
    let row = sql("select count(*) as n from record_events where kind = $1").bind(kind).one(&server.app.db).await;
    row.unwrap().int("n").unwrap()
}

both_engines! {
    async fn people_sign_in_and_out(engine: Engine) {
        let (server, _) = household(engine, Clock::System).await;
        let ben = server.visitor();
        assert_eq!(ben.get("/account").await.expect_redirect(), "/sign-in?next=/account");
        let form = ben.open("/sign-in?next=/account").await.form("Sign in");
        let form = form.fill("email", " Ben@HOME.example ").fill("password", PASSWORD);
        assert_eq!(ben.press(&form, "Sign in").await.expect_redirect(), "/account");
        let kept = ben.cookies();
        let page = ben.open("/account").await;
        assert_eq!(page.attributes("#name", "value"), ["Ben"]);
        let out = ben.press(&page.form_to("/sign-out"), "Sign out").await;
        assert_eq!(out.expect_redirect(), "/sign-in");
        assert_eq!(out.header("clear-site-data"), "\"cache\"");
        assert!(!ben.cookies().contains_key("lifeops"), "the cookie is taken back");
        for (name, value) in kept {
            ben.set_cookie(&name, &value);
        }
        assert!(!is_in(&ben).await, "the session itself is gone");
    }

    async fn whatever_is_wrong_looks_and_costs_the_same(engine: Engine) {
        let (server, _) = household(engine, Clock::System).await;
        let visitor = server.visitor();
        let before = server.app.passwords.calls();
        let wrong = try_sign_in(&visitor, BEN, "not the password").await.expect(422);
        let unknown = try_sign_in(&visitor, "bea@home.example", "not the password").await.expect(422);
        accounts::disable(&server.app, &email(BEN)).await.unwrap();
        let disabled = try_sign_in(&visitor, BEN, PASSWORD).await.expect(422);
        assert_eq!(server.app.passwords.calls() - before, 3);
        assert_eq!(wrong.summary(), [(accounts::NOT_RECOGNISED.to_owned(), "#email".to_owned())]);
        assert_eq!(wrong.body.replace(BEN, "bea@home.example"), unknown.body);
        assert_eq!(wrong.body, disabled.body);
        assert!(!wrong.body.contains("not the password"));
        try_sign_in(&visitor, "", "").await.expect(422).expect_words("Enter your email address");
    }

    async fn an_account_is_throttled_wherever_the_tries_come_from(engine: Engine) {
        let clock = standing();
        let (server, _) = household_with(engine, clock.clone(), |settings| {
            settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        })
        .await;
        let from = |address: &str| server.visitor().with_header("x-forwarded-for", address);
        for n in 0..5 {
            try_sign_in(&from(&format!("198.51.100.{n}")), BEN, "a wrong password").await.expect(422);
        }
        let before = server.app.passwords.calls();
        let page = try_sign_in(&from("203.0.113.1"), BEN, PASSWORD).await.expect(429);
        let seconds: i64 = page.header("retry-after").parse().unwrap();
        assert!((1..=11).contains(&seconds), "{seconds}");
        assert!(page.says("Too many tries. Wait") && page.attributes("#email", "value") == [BEN]);
        assert_eq!(server.app.passwords.calls(), before, "nothing is looked at meanwhile");
        assert_eq!(try_sign_in(&from("203.0.113.1"), ANA, PASSWORD).await.expect_redirect(), "/");
        clock.advance(seconds);
        try_sign_in(&from("203.0.113.1"), BEN, "wrong once more").await.expect(422);
        let longer: i64 = try_sign_in(&from("203.0.113.1"), BEN, PASSWORD).await.expect(429).header("retry-after").parse().unwrap();
        assert!(longer > seconds, "{longer} after {seconds}");
        clock.advance(longer);
        assert_eq!(try_sign_in(&from("203.0.113.1"), BEN, PASSWORD).await.expect_redirect(), "/");
        try_sign_in(&from("203.0.113.1"), BEN, "wrong, but afresh").await.expect(422);
        assert_eq!(try_sign_in(&from("203.0.113.1"), BEN, PASSWORD).await.expect_redirect(), "/");
    }

    async fn an_address_is_throttled_whatever_it_tries(engine: Engine) {
        let clock = standing();
        let (server, _) = household_with(engine, clock.clone(), |settings| {
            settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        })
        .await;
        let from = |address: &str| server.visitor().with_header("x-forwarded-for", address);
        for n in 0..20 {
            let address = format!("2001:db8:1:2::{n:x}");
            try_sign_in(&from(&address), &format!("nobody{n}@home.example"), "a wrong password").await.expect(422);
        }
        try_sign_in(&from("2001:db8:1:2:ffff::1"), BEN, PASSWORD).await.expect(429);
        assert_eq!(try_sign_in(&from("2001:db8:1:3::1"), BEN, PASSWORD).await.expect_redirect(), "/");
        let kept = sql("select subject from sign_in_attempt").all(&server.app.db).await.unwrap();
        assert!(kept.iter().all(|row| row.bytes("subject").unwrap().len() == 32), "names nobody");
        clock.advance(2 * 86_400);
        assert_eq!(try_sign_in(&from("2001:db8:1:2::1"), BEN, PASSWORD).await.expect_redirect(), "/");
    }

    async fn a_hundred_guesses_at_once_are_a_hundred_tries(engine: Engine) {
        let (server, _) = household(engine, standing()).await;
        let before = server.app.passwords.calls();
        let tries: Vec<_> = (0..40)
            .map(|n| {
                let visitor = server.visitor();
                tokio::spawn(async move { try_sign_in(&visitor, BEN, &format!("guess number {n}")).await.status })
            })
            .collect();
        for one in tries {
            assert!(matches!(one.await.unwrap(), 422 | 429));
        }
        assert!(server.app.passwords.calls() - before <= 5);
    }

    async fn a_new_name_is_an_event_and_the_same_is_none(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let form = ana.open("/account").await.form("Save name");
        ana.submit(&form.fill("name", "Ana Duarte"), "Save name").await.expect_words("Your name was changed.");
        let form = ana.open("/account").await.form("Save name");
        ana.submit(&form, "Save name").await;
        assert_eq!(events(&server, "member_renamed").await, 1);
        assert_eq!(ana.open("/account").await.attributes("#name", "value"), ["Ana Duarte"]);
        let page = send(&ana, "/account/name", &[("name", "")]).await.expect(422);
        assert_eq!(page.summary()[0].1, "#name");
        let page = send(&ana, "/account/name", &[("name", &"x".repeat(81))]).await.expect(422);
        assert_eq!(page.attributes("#name", "value"), ["x".repeat(81)]);
    }

    async fn new_records_begin_as_their_person_prefers(engine: Engine) {
        let (_server, ana) = household(engine, Clock::System).await;
        let chosen = |page: Page| page.form(crate::support::words::NEW).value("visibility");
        let offered = ana.open("/account").await.form("Save choice");
        assert_eq!((offered.value("visibility"), chosen(ana.open("/records/new").await)), ("household".into(), "household".into()));
        ana.submit(&offered.fill("visibility", "private"), "Save choice").await.expect_words("Your choice was saved.");
        let page = ana.open("/account").await;
        assert_eq!((page.form("Save choice").value("visibility"), chosen(ana.open("/records/new").await)), ("private".into(), "private".into()));
        // It is where the form begins, not what it decides.
        let form = ana.open("/records/new").await.form(crate::support::words::NEW).fill("title", "Kettle").fill("visibility", "household");
        ana.submit(&form, crate::support::words::NEW).await.expect_no_words("Only you see it");
        for wrong in ["", "everybody", "Private"] {
            let page = send(&ana, "/account/visibility", &[("visibility", wrong)]).await.expect(422);
            assert_eq!(page.summary()[0].1, "#v-h");
        }
    }

    async fn a_time_zone_is_one_that_exists(engine: Engine) {
        let (_server, ana) = household(engine, Clock::System).await;
        let form = ana.open("/account").await.form("Save time zone");
        let page = ana.submit(&form.fill("zone", "Pacific/Kiritimati"), "Save time zone").await;
        assert_eq!(page.attributes("#zone option[selected]", "value"), ["Pacific/Kiritimati"]);
        for wrong in ["", "Mars/Olympus", "../../etc/passwd", "+02:00"] {
            send(&ana, "/account/zone", &[("zone", wrong)]).await.expect(422);
        }
        let page = ana.open("/account").await;
        assert_eq!(page.attributes("#zone option[selected]", "value"), ["Pacific/Kiritimati"]);
    }

    async fn a_new_address_needs_the_password_and_must_be_free(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let change = |to: &'static str, password: &'static str| {
            let ana = ana.clone();
            async move { send(&ana, "/account/email", &[("email", to), ("password", password)]).await }
        };
        let page = change("new@home.example", "").await.expect(422);
        assert_eq!(page.summary()[0].1, "#email-password");
        let page = change("new@home.example", "not my password").await.expect(422);
        assert_eq!(page.attributes("#email", "value"), ["new@home.example"]);
        assert!(page.says(accounts::PASSWORD_WRONG) && !page.body.contains("not my password"));
        change("BEN@home.example", PASSWORD).await.expect(422).expect_words(accounts::ADDRESS_TAKEN);
        assert_eq!(change("new@home.example", PASSWORD).await.expect_redirect(), "/account?done=email");
        try_sign_in(&server.visitor(), ANA, PASSWORD).await.expect(422);
        signed_in(&server, "new@home.example").await;
    }

    async fn a_new_password_signs_the_others_out(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let other = signed_in(&server, ANA).await;
        let ben = signed_in(&server, BEN).await;
        let before = ana.cookies();
        let new = "quite another long sentence";
        let wrong = send(&ana, "/account/password", &[("current", "wrong"), ("new", new)]).await.expect(422);
        assert_eq!(wrong.summary(), [(accounts::PASSWORD_WRONG.to_owned(), "#current".to_owned())]);
        let short = send(&ana, "/account/password", &[("current", PASSWORD), ("new", "short")]).await.expect(422);
        assert_eq!(short.summary()[0].1, "#new");
        assert!(is_in(&other).await);
        let form = ana.open("/account/security").await.form("Change password").fill("current", PASSWORD).fill("new", new);
        ana.submit(&form, "Change password").await.expect_words("Your other devices are signed out.");
        assert_ne!(ana.cookies(), before, "the session's id is renewed");
        assert!(!is_in(&other).await && is_in(&ben).await);
        try_sign_in(&server.visitor(), ANA, PASSWORD).await.expect(422);
        assert_eq!(try_sign_in(&server.visitor(), ANA, new).await.expect_redirect(), "/");
    }

    /// Whoever knows the old password and signs in at the very moment at which it loses its worth stays outside.
    async fn a_password_that_was_looked_at_before_the_sessions_ended_signs_nobody_in(engine: Engine) {
        let (server, _) = household(engine, Clock::System).await;
        let ana = accounts::find(&server.app, &email(ANA)).await.unwrap();
        let (thief, before) = (server.visitor(), server.app.passwords.calls());
        let signing_in = tokio::spawn({
            let thief = thief.clone();
            async move { try_sign_in(&thief, ANA, PASSWORD).await }
        });
        while server.app.passwords.calls() == before {
            tokio::task::yield_now().await;
        }
        accounts::end_sessions(&server.app, ana.account).await.unwrap();
        let answer = signing_in.await.unwrap().expect(403);
        assert!(answer.says("The password was changed, or every device signed out, while you signed in."));
        assert!(!is_in(&thief).await);
        try_sign_in(&thief, ANA, PASSWORD).await.expect(303);
    }

    async fn whether_an_address_is_taken_is_not_told_without_end(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let ask = [("email", BEN), ("password", PASSWORD)];
        let mut told = 0;
        while send(&ana, "/account/email", &ask).await.status == 422 {
            told += 1;
            assert!(told < 20, "still told");
        }
        assert_eq!(send(&ana, "/account/email", &ask).await.status, 429);
        drop(server);
    }

    async fn people_see_and_end_their_own_sessions(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";
        let phone = server.visitor().with_header("user-agent", agent);
        assert_eq!(try_sign_in(&phone, ANA, PASSWORD).await.expect_redirect(), "/");
        let ben = signed_in(&server, BEN).await;
        let page = ana.open("/account/security").await.expect_words("Firefox on Linux").expect_words("this device");
        assert!(page.says("from 127.0.0.1"));
        let key = page.attributes("input[name=session]", "value");
        assert_eq!(key.len(), 1);
        send(&ben, "/account/sessions/sign-out", &[("session", &key[0])]).await.expect_redirect();
        assert!(is_in(&phone).await, "another member's session is out of reach");
        ana.submit(&page.form_to("/account/sessions/sign-out"), "Sign out").await.expect_words("That device is signed out.");
        assert!(!is_in(&phone).await && is_in(&ana).await);
        let (second, third) = (signed_in(&server, ANA).await, signed_in(&server, ANA).await);
        let form = ana.open("/account/security").await.form_to("/account/sessions/sign-out-others");
        ana.submit(&form, "Sign out all other devices").await.expect_words("All your other devices");
        assert!(!is_in(&second).await && !is_in(&third).await && is_in(&ana).await && is_in(&ben).await);
    }

    async fn a_disabled_member_is_out_at_the_next_request(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let ben = signed_in(&server, BEN).await;
        accounts::disable(&server.app, &email(BEN)).await.unwrap();
        accounts::disable(&server.app, &email(BEN)).await.unwrap();
        assert!(!is_in(&ben).await && is_in(&ana).await);
        try_sign_in(&ben, BEN, PASSWORD).await.expect(422);
        assert_eq!(events(&server, "member_disabled").await, 1);
        let only = accounts::disable(&server.app, &email(ANA)).await.unwrap_err();
        assert!(matches!(&only, Error::Refused(said) if said.0.contains("only owner")), "{only}");
        accounts::enable(&server.app, &email(BEN)).await.unwrap();
        assert_eq!(events(&server, "member_enabled").await, 1);
        signed_in(&server, BEN).await;
    }

    async fn whoever_runs_the_installation_resets_a_password(engine: Engine) {
        let (server, _) = household(engine, standing()).await;
        let ben = signed_in(&server, BEN).await;
        for _ in 0..6 {
            try_sign_in(&server.visitor(), BEN, "a wrong password").await;
        }
        accounts::reset_password(&server.app, &email("BEN@home.example"), &password("a fresh long sentence")).await.unwrap();
        assert!(!is_in(&ben).await);
        try_sign_in(&ben, BEN, "a fresh long sentence").await.expect(200).expect_words("reset your password on");
        assert!(is_in(&ben).await);
        let nobody = accounts::reset_password(&server.app, &email("eve@home.example"), &password(PASSWORD)).await;
        assert!(matches!(nobody, Err(Error::Refused(_))));
    }

    async fn an_old_hash_is_made_anew_at_sign_in(engine: Engine) {
        use argon2::password_hash::{PasswordHasher, SaltString};
        let (server, _) = household(engine, Clock::System).await;
        let weak = argon2::Argon2::new(
            argon2::Algorithm::Argon2id,
            argon2::Version::V0x13,
            argon2::Params::new(8_192, 1, 1, None).unwrap(),
        );
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let old = weak.hash_password(PASSWORD.as_bytes(), &salt).unwrap().to_string();
        sql("update account set password_hash = $1 where email = $2").bind(&old).bind(BEN).run(&server.app.db).await.unwrap();
        signed_in(&server, BEN).await;
        let row = sql("select password_hash from account where email = $1").bind(BEN).one(&server.app.db).await.unwrap();
        assert!(row.text("password_hash").unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        signed_in(&server, BEN).await;
    }

    async fn registration_makes_a_household_of_its_own(engine: Engine) {
        let (server, _) = household(engine, standing()).await;
        let cleo = server.visitor();
        let form = cleo.open("/register").await.form("Register");
        let form = form.fill("household", "The Elms").fill("name", "Cleo").fill("email", "cleo@elms.example");
        assert_eq!(cleo.press(&form.fill("password", PASSWORD), "Register").await.expect_redirect(), "/");
        let members = accounts::list(&server.app).await.unwrap();
        let cleos = members.iter().find(|member| member.name == "Cleo").unwrap();
        assert_eq!((cleos.household_name.as_str(), cleos.role), ("The Elms", Role::Owner));
        assert!(members.iter().all(|member| member.name == "Cleo" || member.household != cleos.household));
        let taken = [("household", "X"), ("name", "Y"), ("email", BEN), ("password", PASSWORD), ("zone", "UTC")];
        for _ in 0..4 {
            send(&server.visitor(), "/register", &taken).await.expect(422).expect_words(accounts::ADDRESS_TAKEN);
        }
        let page = send(&server.visitor(), "/register", &taken).await.expect(429);
        assert!(!page.header("retry-after").is_empty() && page.says("Too many tries"));
    }

    async fn closed_registration_is_not_there(engine: Engine) {
        let (server, _) = household_with(engine, Clock::System, |settings| settings.registration = Registration::Closed).await;
        server.visitor().get("/register").await.expect(404);
        send(&server.visitor(), "/register", &[("email", "eve@evil.example")]).await.expect(404);
        server.visitor().open("/sign-in").await.expect_no_words("Register");
    }

    async fn a_session_ends_unused_and_at_last_in_any_case(engine: Engine) {
        let clock = standing();
        let (server, ana) = household_with(engine, clock.clone(), |settings| {
            settings.session_idle = Duration::from_secs(3 * 86_400);
            settings.session_max = Duration::from_secs(7 * 86_400);
        })
        .await;
        let ben = signed_in(&server, BEN).await;
        for _ in 0..3 {
            clock.advance(2 * 86_400);
            assert!(is_in(&ana).await);
            used_at(&server, &clock).await;
        }
        assert!(!is_in(&ben).await, "unused for more than three days");
        clock.advance(86_400 + 1);
        assert!(!is_in(&ana).await, "seven days are the end");
    }

    async fn a_session_in_use_does_not_end_however_soon_an_unused_one_does(engine: Engine) {
        let clock = standing();
        let (server, ana) = household_with(engine, clock.clone(), |settings| settings.session_idle = Duration::from_secs(60)).await;
        for _ in 0..5 {
            clock.advance(20);
            assert!(is_in(&ana).await);
            used_at(&server, &clock).await;
        }
        clock.advance(61);
        assert!(!is_in(&ana).await);
    }

    async fn last_used_is_written_every_five_minutes_at_most(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let began = last_seen(&server).await;
        clock.advance(299);
        assert!(is_in(&ana).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(last_seen(&server).await, began);
        clock.advance(1);
        assert!(is_in(&ana).await);
        used_at(&server, &clock).await;
    }

    async fn somebody_who_hangs_up_is_registered_or_not(engine: Engine) {
        let (server, _) = household(engine, Clock::System).await;
        for n in 0..6 {
            let visitor = server.visitor();
            let task = tokio::spawn(async move {
                let email = format!("n{n}@elms.example");
                let pairs = [("household", "H"), ("name", "N"), ("email", &email), ("password", PASSWORD), ("zone", "UTC")];
                send(&visitor, "/register", &pairs).await.status
            });
            tokio::time::sleep(Duration::from_millis(15 * n)).await;
            task.abort();
        }
        let row = sql("select (select count(*) from household) as households, (select count(*) from account) as accounts,
                (select count(*) from member) as members").one(&server.app.db).await.unwrap();
        let [households, accounts, members] = ["households", "accounts", "members"].map(|name| row.int(name).unwrap());
        assert_eq!((households + 1, members), (accounts, accounts), "one household each, and Ben");
        signed_in(&server, BEN).await;
    }
}

#[tokio::test]
async fn one_address_gets_only_so_many_seats() {
    let place = Place::empty(Engine::Sqlite).await;
    let passwords = lifeops::passwords::Passwords::new(&crate::support::settings(&place));
    let (here, there) = ("203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap());
    let mut seats: Vec<_> = std::iter::from_fn(|| passwords.seat(here).ok()).take(1000).collect();
    assert!(seats.len() < 1000);
    assert!(matches!(passwords.seat(here), Err(Error::Throttled { .. })));
    passwords.seat(there).unwrap();
    seats.pop();
    passwords.seat(here).unwrap();
}

async fn last_seen(server: &Server) -> Instant {
    let row = sql("select max(last_seen) as last_seen from member_session").one(&server.app.db).await.unwrap();
    row.instant("last_seen").unwrap()
}

/// Waits until the use just made is written; it is written beside the request.
async fn used_at(server: &Server, clock: &Clock) {
    for _ in 0..500 {
        if last_seen(server).await == clock.now() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the last use is not written");
}

both_engines! {
    async fn what_changed_elsewhere_counts_at_once(engine: Engine) {
        let home = Home::start(engine).await;
        let db = &home.server.app.db;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let warm = async || {
            for path in [record.as_str(), "/records", "/records/new", "/"] {
                home.ana.open(path).await;
            }
        };
        warm().await;
        // What is remembered of a session is asked for again, but not by itself.
        let before = db.meter().trips();
        home.ana.open(&record).await;
        assert_eq!(db.meter().trips() - before, 1);
        let before = db.meter().trips();
        home.ana.open("/records").await;
        assert_eq!(db.meter().trips() - before, 1);
        // As another server would.
        let account = sql("select id from account where email = $1").bind(crate::support::email("Ana")).one(db).await.unwrap().uuid("id").unwrap();
        let change = async |text: &str| {
            let touched = sql(text.to_owned()).bind(account).run(db).await.unwrap();
            assert_eq!(touched, 1, "{text}");
        };
        change("update member set role = 'viewer' where account_id = $1").await;
        home.ana.get("/records/new").await.expect(403);
        warm_viewer(&home.ana, &record).await;
        change("update member set role = 'owner' where account_id = $1").await;
        home.ana.get("/records/new").await.expect(200);
        warm().await;
        change("update account set zone = 'Asia/Tokyo' where id = $1").await;
        assert!(home.ana.open("/account").await.says("Tokyo"));
        // What is not looked at again is told of: a view that was kept, the household's name.
        warm().await;
        let ana = crate::files_limits::ana_of(&home).await;
        let kept = lifeops::domain::text::ViewName::parse("Papers of the boiler").unwrap();
        lifeops::store::saved_views::keep(db, &ana, &kept, "/records?files=yes", home.server.app.clock.now()).await.unwrap();
        assert!(home.ana.open(&record).await.says("Papers of the boiler"));
        home.ana.open(&record).await;
        let before = db.meter().trips();
        home.ana.open(&record).await;
        assert_eq!(db.meter().trips() - before, 1, "what stands around was asked for once");
        lifeops::store::saved_views::forget(db, &ana, "Papers of the boiler").await.unwrap();
        assert!(!home.ana.open(&record).await.says("Papers of the boiler"));
        warm().await;
        let wish = lifeops::domain::membership::Wish::Rename { name: lifeops::domain::text::HouseholdName::parse("The Elms").unwrap() };
        lifeops::commands::household::change_for_operator(&home.server.app, ana.household, wish).await.unwrap();
        assert!(home.ana.open("/household").await.says("The Elms") && home.ana.open(&record).await.says("The Elms"));
        warm().await;
        let data = "update member set disabled = true where account_id = $1";
        change(data).await;
        for path in [record.as_str(), "/", "/search?q=boiler", "/records/new", "/about"] {
            let page = home.ana.get(path).await;
            assert!(!page.body.contains("Boiler") && (path == "/about" || page.status != 200), "{path}: {}", page.status);
        }
        change("update member set disabled = false where account_id = $1").await;
        warm().await;
        change("update account set session_epoch = session_epoch + 1 where id = $1").await;
        for path in [record.as_str(), "/", "/search?q=boiler", "/records/new"] {
            let page = home.ana.get(path).await;
            assert!(page.expect_redirect().starts_with("/sign-in"), "{path}");
            assert!(!page.body.contains("Boiler"));
        }
        change("update account set session_epoch = session_epoch - 1 where id = $1").await;
        sql("delete from member_session where account_id = $1").bind(account).run(db).await.unwrap();
        assert!(home.ana.get(&record).await.expect_redirect().starts_with("/sign-in"));
        home.ana.htmx().get(&record).await.expect(401);
    }
}

async fn warm_viewer(visitor: &Visitor, record: &str) {
    for _ in 0..2 {
        visitor.open(record).await;
        visitor.get("/records/new").await.expect(403);
    }
}
