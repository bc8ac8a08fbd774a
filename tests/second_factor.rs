//! The second step of signing in: turning it on, codes and recovery codes, and getting rid of it.

use lifeops::app::Clock;
use lifeops::commands::second_factor;
use lifeops::domain::instant::Instant;
use lifeops::domain::person::Email;
use lifeops::store::db::sql;
use lifeops::totp::{TotpSecret, step_at};

use crate::accounts::{household, try_sign_in};
use crate::support::{Form, PASSWORD, Page, Server, Visitor};

const ANA: &str = "ana@home.example";
const BEN: &str = "ben@home.example";

fn standing() -> Clock {
    Clock::fixed(Instant::from_micros(1_790_000_000_000_000))
}

/// The secret as the page writes it: base32 (RFC 4648) in groups.
pub fn secret_on(page: &Page) -> TotpSecret {
    let text = page.all("b.code").remove(0).replace(' ', "");
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            other => panic!("{} is no base32", char::from(other)),
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 255) as u8);
        }
    }
    assert_eq!(bytes.len(), 20, "160 bits: {text}");
    TotpSecret::from_bytes(bytes)
}

/// The code that the app shows now, `steps` later or earlier.
pub fn code(secret: &TotpSecret, clock: &Clock, steps: i64) -> String {
    format!("{:06}", secret.code(step_at(clock.now()) + steps, 6))
}

/// Turns the second step on through its page; gives the secret and the recovery codes.
pub async fn turn_on(visitor: &Visitor, clock: &Clock) -> (TotpSecret, Vec<String>) {
    let page = visitor.open("/account/second-factor").await;
    let secret = secret_on(&page);
    let form = page.form("Turn it on").fill("password", PASSWORD).fill("code", &code(&secret, clock, 0));
    let page = visitor.press(&form, "Turn it on").await.expect(200);
    (secret, page.all("ol b.code"))
}

/// The page that asks for the code, after the right password.
async fn asked(visitor: &Visitor, email: &str) -> Form {
    let page = try_sign_in(visitor, email, PASSWORD).await.expect(200);
    assert_eq!(page.heading(), "Enter your code");
    page.form_to("/sign-in/code")
}

async fn enter(visitor: &Visitor, form: &Form, code: &str) -> Page {
    visitor.press(&form.clone().fill("code", code), "Go on").await
}

/// Enters a code after the right password.
async fn with_code(server: &Server, code: &str) -> Page {
    let visitor = server.visitor();
    let form = asked(&visitor, ANA).await;
    enter(&visitor, &form, code).await
}

both_engines! {
    async fn it_counts_only_once_a_code_has_shown_that_it_works(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        ana.open("/account/security").await.expect_words("Off. With a second step");
        let page = ana.open("/account/second-factor").await;
        let secret = secret_on(&page);
        assert_eq!(page.all("svg.qr").len(), 1, "a drawing for the camera");
        let form = page.form("Turn it on").fill("password", PASSWORD);
        // Wrong in each way: the secret on the page stays, nothing is kept.
        for (code, password, id) in [
            ("", PASSWORD, "#code"), ("000000", PASSWORD, "#code"), ("12345", PASSWORD, "#code"), ("nonsense", PASSWORD, "#code"),
            (code(&secret, &clock, 0).as_str(), "", "#password"), (code(&secret, &clock, 0).as_str(), "not my password", "#password"),
        ] {
            let page = ana.press(&form.clone().fill("code", code).fill("password", password), "Turn it on").await.expect(422);
            assert_eq!(page.summary()[0].1, id, "{code} {password}");
            assert!(secret_on(&page) == secret && !page.body.contains("not my password"));
        }
        assert!(try_sign_in(&server.visitor(), ANA, PASSWORD).await.status == 303, "nothing changed yet");
        // Another account's offer is worth nothing.
        let ben = server.visitor();
        try_sign_in(&ben, BEN, PASSWORD).await.expect(303);
        let stolen = form.clone().fill("code", &code(&secret, &clock, 0));
        let page = ben.press(&stolen, "Turn it on").await.expect(422);
        assert!(secret_on(&page) != secret);
        // And right. Sent twice, it shows the same codes.
        let right = form.fill("code", &code(&secret, &clock, 0));
        let page = ana.press(&right, "Turn it on").await.expect(200);
        assert_eq!(page.header("cache-control"), "no-store");
        let codes = page.all("ol b.code");
        assert_eq!(codes.len(), 10);
        for code in &codes {
            // Five bits in each letter of 32: 100 bits.
            assert_eq!(code.chars().filter(char::is_ascii_alphanumeric).count(), 20, "{code}");
        }
        assert_eq!(ana.press(&right, "Turn it on").await.expect(200).all("ol b.code"), codes);
        // The same proofs are asked for, and a minute later nothing is shown at all.
        for wrong in [right.clone().fill("code", "1"), right.clone().fill("code", &codes[0]), right.clone().fill("password", "wrong")] {
            assert_eq!(ana.press(&wrong, "Turn it on").await.expect_redirect(), "/account/security");
        }
        clock.advance(59);
        let later = right.clone().fill("code", &code(&secret, &clock, 0));
        assert_eq!(ana.press(&later, "Turn it on").await.expect(200).all("ol b.code"), codes);
        clock.advance(1);
        for late in [right, later] {
            assert_eq!(ana.press(&late, "Turn it on").await.expect_redirect(), "/account/security");
        }
        let page = ana.open("/account/security").await.expect_words("10 recovery codes are left");
        assert!(codes.iter().all(|code| !page.body.contains(code.as_str())), "shown once");
        assert_eq!(ana.get("/account/second-factor").await.expect_redirect(), "/account/security");
        // Neither the secret nor the codes lie in the database in clear.
        let row = sql("select secret from second_factor").one(&server.app.db).await.unwrap();
        let kept = row.bytes("secret").unwrap();
        assert!(!kept.windows(20).any(|part| part == secret.as_bytes()));
        let rows = sql("select digest from recovery_code").all(&server.app.db).await.unwrap();
        assert!(rows.len() == 10 && rows.iter().all(|row| row.bytes("digest").unwrap().len() == 32));
    }

    async fn a_code_is_asked_after_the_password_and_before_the_session(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let (secret, _) = turn_on(&ana, &clock).await;
        clock.advance(30);
        let visitor = server.visitor();
        let planted = tower_sessions::session::Id(42).to_string();
        visitor.set_cookie("lifeops", &planted);
        let page = visitor.open("/sign-in?next=/records").await;
        let form = page.form("Sign in").fill("email", ANA).fill("password", PASSWORD);
        let page = visitor.press(&form, "Sign in").await.expect(200);
        assert_eq!(page.heading(), "Enter your code");
        assert_eq!(page.header("set-cookie").lines().filter(|line| !line.contains("Max-Age=0")).count(), 0, "no session yet");
        assert!(visitor.get("/account").await.status == 303, "and none under the planted id");
        assert!(!page.body.contains("nobody guesses"));
        // A wrong code leaves nobody in, and the form leads on all the same.
        let form = page.form_to("/sign-in/code");
        let wrong = enter(&visitor, &form, "000000").await.expect(422);
        wrong.clone().expect_words("or use another of your recovery codes");
        assert_eq!(wrong.summary(), [(second_factor::CODE_WRONG.to_owned(), "#code".to_owned())]);
        assert!(visitor.get("/account").await.status == 303);
        enter(&visitor, &form, " ").await.expect(422).expect_words("Enter the code");
        visitor.set_cookie("lifeops", &planted);
        let shown = code(&secret, &clock, 0);
        let spaced = format!(" {} {} ", &shown[..3], &shown[3..]);
        assert_eq!(enter(&visitor, &wrong.form_to("/sign-in/code"), &spaced).await.expect_redirect(), "/records");
        assert_ne!(visitor.cookies()["lifeops"], planted, "the session's id is new");
        visitor.open("/account").await;
        let thief = server.visitor();
        thief.set_cookie("lifeops", &planted);
        thief.get("/account").await.expect(303);
        // The second click on an old set-up page is no way around it.
        let pairs = [("household", "X"), ("name", "Ana"), ("email", ANA), ("password", PASSWORD), ("zone", "UTC"), ("code", "x")];
        let page = thief.post("/setup", &pairs.map(|(n, v)| (n.to_owned(), v.to_owned()))).await.expect(200);
        assert_eq!(page.heading(), "Enter your code");
        thief.get("/account").await.expect(303);
        assert_eq!(thief.get("/sign-in/code").await.expect_redirect(), "/sign-in");
    }

    async fn a_used_code_and_every_earlier_one_is_refused(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let (secret, _) = turn_on(&ana, &clock).await;
        // The code that turned it on is used up.
        with_code(&server, &code(&secret, &clock, 0)).await.expect(422);
        with_code(&server, &code(&secret, &clock, 2)).await.expect(422).expect_words(second_factor::CODE_WRONG);
        // One step early is fine, and uses up the ones before it.
        let early = code(&secret, &clock, 1);
        with_code(&server, &early).await.expect(303);
        with_code(&server, &early).await.expect(422);
        clock.advance(30);
        with_code(&server, &code(&secret, &clock, 0)).await.expect(422);
        // One step late is fine, two are too late.
        clock.advance(90);
        with_code(&server, &code(&secret, &clock, -2)).await.expect(422);
        with_code(&server, &code(&secret, &clock, -1)).await.expect(303);
        with_code(&server, &code(&secret, &clock, -1)).await.expect(422);
        with_code(&server, &code(&secret, &clock, 0)).await.expect(303);
    }

    async fn turning_it_on_signs_other_devices_out_and_makes_them_strangers(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let (other, ben) = (server.visitor(), server.visitor());
        try_sign_in(&other, ANA, PASSWORD).await.expect(303);
        try_sign_in(&ben, BEN, PASSWORD).await.expect(303);
        let known = async |who: &str| {
            let rows = sql("select 1 as found from known_device as d join account as a on a.id = d.account_id where a.email = $1");
            rows.bind(who).all(&server.app.db).await.unwrap().len()
        };
        assert_eq!(known(ANA).await, 2);
        let page = ana.open("/account/second-factor").await;
        page.clone().expect_words("all your other devices are signed out");
        let form = page.form("Turn it on").fill("password", PASSWORD).fill("code", &code(&secret_on(&page), &clock, 0));
        ana.press(&form, "Turn it on").await.expect(200).expect_words("All your other devices are signed out");
        other.get("/account").await.expect(303);
        assert_eq!(known(ANA).await, 1, "this device alone is known");
        let page = ana.open("/account/security").await;
        assert!(!page.says("Sign out all other devices"), "this device alone is signed in");
        ben.open("/account").await;
        assert_eq!(known(BEN).await, 1);
    }

    async fn a_double_click_shows_the_same_codes_twice(engine: Engine) {
        let clock = standing();
        let (_server, ana) = household(engine, clock.clone()).await;
        let page = ana.open("/account/second-factor").await;
        let secret = secret_on(&page);
        let twice = async |form: Form, button: &'static str| {
            let clicks: Vec<_> = (0..3).map(|_| {
                let (ana, form) = (ana.clone(), form.clone());
                tokio::spawn(async move { ana.press(&form, button).await.expect(200).all("ol b.code") })
            }).collect();
            let mut shown = Vec::new();
            for click in clicks {
                shown.push(click.await.unwrap());
            }
            assert!(shown[0].len() == 10 && shown.iter().all(|codes| *codes == shown[0]));
            shown.remove(0)
        };
        let form = page.form("Turn it on").fill("password", PASSWORD).fill("code", &code(&secret, &clock, 0));
        let codes = twice(form, "Turn it on").await;
        for n in 0..2 {
            clock.advance(60);
            let form = ana.open("/account/second-factor/codes").await.form("Make new codes").fill("password", PASSWORD);
            let proof = if n == 0 { codes[0].clone() } else { code(&secret, &clock, 0) };
            let new = twice(form.fill("code", &proof), "Make new codes").await;
            assert!(new.iter().all(|code| !codes.contains(code)));
        }
    }

    async fn of_two_with_one_code_at_once_one_gets_in(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let (secret, recovery) = turn_on(&ana, &clock).await;
        clock.advance(60);
        for shown in [code(&secret, &clock, 0), recovery[0].clone()] {
            let form = asked(&server.visitor(), ANA).await;
            let tries: Vec<_> = (0..4).map(|_| {
                let (visitor, form, shown) = (server.visitor(), form.clone(), shown.clone());
                tokio::spawn(async move { enter(&visitor, &form, &shown).await.status })
            }).collect();
            let mut got = Vec::new();
            for one in tries {
                got.push(one.await.unwrap());
            }
            assert_eq!(got.iter().filter(|status| **status == 303).count(), 1, "{got:?}");
            assert!(got.iter().all(|status| matches!(status, 303 | 422 | 429)), "{got:?}");
        }
    }

    async fn codes_are_throttled_but_not_where_the_person_is_known(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let (secret, _) = turn_on(&ana, &clock).await;
        clock.advance(60);
        let guesser = server.visitor();
        let form = asked(&guesser, ANA).await;
        for n in 0..5 {
            enter(&guesser, &form, &format!("00000{n}")).await.expect(422);
        }
        let page = enter(&guesser, &form, &code(&secret, &clock, 0)).await.expect(429);
        assert!(page.header("retry-after").parse::<i64>().unwrap() >= 1 && page.says("Too many tries"));
        // Ana's own browser was known before.
        ana.post("/sign-out", &[]).await.expect(303);
        let form = asked(&ana, ANA).await;
        assert_eq!(enter(&ana, &form, &code(&secret, &clock, 0)).await.expect_redirect(), "/");
        clock.advance(60);
        let stranger = server.visitor();
        let form = asked(&stranger, ANA).await;
        assert_eq!(enter(&stranger, &form, &code(&secret, &clock, 0)).await.expect_redirect(), "/", "the wait is over");
    }

    async fn a_recovery_code_works_once_and_new_ones_replace_the_old(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let (secret, codes) = turn_on(&ana, &clock).await;
        let typed = codes[3].replace('-', " ").to_uppercase();
        assert_eq!(with_code(&server, &typed).await.expect_redirect(), "/");
        with_code(&server, &codes[3]).await.expect(422);
        ana.open("/account/security").await.expect_words("9 recovery codes are left");
        clock.advance(60);
        let form = ana.open("/account/second-factor/codes").await.form("Make new codes").fill("password", PASSWORD);
        ana.press(&form.clone().fill("code", &codes[3]), "Make new codes").await.expect(422);
        ana.press(&form.clone().fill("code", &codes[4]).fill("password", "wrong"), "Make new codes").await.expect(422);
        let right = form.fill("code", &code(&secret, &clock, 0));
        let new = ana.press(&right, "Make new codes").await.expect(200).all("ol b.code");
        assert_eq!(new.len(), 10);
        assert!(new.iter().all(|code| !codes.contains(code)));
        assert_eq!(ana.press(&right, "Make new codes").await.expect(200).all("ol b.code"), new, "sent twice, shown twice");
        let wrong = right.clone().fill("code", "1");
        assert_eq!(ana.press(&wrong, "Make new codes").await.expect_redirect(), "/account/security");
        clock.advance(60);
        for form in [right.clone(), right.clone().fill("code", &code(&secret, &clock, 0)), right.fill("code", &new[1])] {
            assert_eq!(ana.press(&form, "Make new codes").await.expect_redirect(), "/account/security");
        }
        // With a recovery code as proof it is the same.
        let form = ana.open("/account/second-factor/codes").await.form("Make new codes").fill("password", PASSWORD);
        let old = new;
        let right = form.fill("code", &old[2]);
        let new = ana.press(&right, "Make new codes").await.expect(200).all("ol b.code");
        assert_eq!(ana.press(&right, "Make new codes").await.expect(200).all("ol b.code"), new, "sent twice, shown twice");
        assert_eq!(ana.press(&right.clone().fill("code", &new[1]), "Make new codes").await.expect_redirect(), "/account/security");
        ana.open("/account/security").await.expect_words("10 recovery codes are left");
        with_code(&server, &old[2]).await.expect(422);
        clock.advance(60);
        assert_eq!(ana.press(&right, "Make new codes").await.expect_redirect(), "/account/security");
        with_code(&server, &codes[4]).await.expect(422);
        assert_eq!(with_code(&server, &new[0]).await.expect_redirect(), "/");
        // Turning it off asks for both; the codes are worth nothing afterwards.
        clock.advance(60);
        let form = ana.open("/account/second-factor/turn-off").await.form("Turn it off");
        let page = ana.press(&form, "Turn it off").await.expect(422);
        assert_eq!(page.summary().iter().map(|(_, to)| to.as_str()).collect::<Vec<_>>(), ["#code", "#password"]);
        ana.press(&form.clone().fill("password", PASSWORD).fill("code", "000000"), "Turn it off").await.expect(422);
        let right = form.fill("password", PASSWORD).fill("code", &code(&secret, &clock, 0));
        ana.submit(&right, "Turn it off").await.expect_words("The second step is off.");
        try_sign_in(&server.visitor(), ANA, PASSWORD).await.expect(303);
        let left = sql("select count(*) as n from recovery_code").one(&server.app.db).await.unwrap();
        assert_eq!(left.int("n").unwrap(), 0);
    }

    async fn the_first_step_counts_ten_minutes_and_no_longer_than_the_account_wants(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let (secret, _) = turn_on(&ana, &clock).await;
        clock.advance(60);
        let visitor = server.visitor();
        let form = asked(&visitor, ANA).await;
        clock.advance(601);
        let page = enter(&visitor, &form, &code(&secret, &clock, 0)).await.expect(422);
        assert_eq!(page.heading(), "Welcome home");
        assert!(page.says("Too much time has passed"));
        // Signed out everywhere meanwhile, or changed on the way.
        let form = asked(&visitor, ANA).await;
        for broken in ["", "nonsense", &format!("{}A", form.value("first_step")), &form.value("first_step").to_uppercase()] {
            let form = form.clone().force("first_step", broken);
            enter(&visitor, &form, &code(&secret, &clock, 0)).await.expect(422);
        }
        ana.post("/account/sessions/sign-out-others", &[]).await.expect(303);
        enter(&visitor, &form, &code(&secret, &clock, 0)).await.expect(422).expect_words("Sign in again");
        visitor.get("/account").await.expect(303);
    }

    async fn whoever_runs_the_server_removes_a_lost_one_and_its_person_is_told(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        turn_on(&ana, &clock).await;
        let email = Email::parse(ANA).unwrap();
        second_factor::reset(&server.app, &email).await.unwrap();
        ana.get("/account").await.expect(303);
        let again = second_factor::reset(&server.app, &email).await.unwrap_err().to_string();
        assert!(again.contains("has no second step"), "{again}");
        let visitor = server.visitor();
        let page = try_sign_in(&visitor, ANA, PASSWORD).await.expect(200);
        page.expect_words("Whoever runs this server removed your second step on");
    }
}

both_engines! {
    async fn an_export_carries_it_sealed_and_recovery_codes_need_no_key(engine: Engine) {
        use crate::support::{Place, run, settings};
        use lifeops::app::App;
        use lifeops::commands::{accounts, proof::Caller};
        use lifeops::domain::access::Visibility;
        use lifeops::upkeep::{export, restore};
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let (secret, codes) = turn_on(&ana, &clock).await;
        with_code(&server, &codes[0]).await.expect(303);
        let account = accounts::find(&server.app, &Email::parse(ANA).unwrap()).await.unwrap().account;
        accounts::set_default_visibility(&server.app, account, Visibility::Private).await.unwrap();
        let ben = Email::parse(BEN).unwrap();
        accounts::reset_password(&server.app, &ben, &lifeops::passwords::Password::parse(PASSWORD).unwrap()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup.jsonl");
        export::to_file(&server.app, &file, &|_, _| {}).await.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(&secret.base32()) && !text.contains(&codes[1]), "sealed and digested");
        clock.advance(60);
        // Under the same key, on the other engine: the app goes on, and the file comes out the same.
        let key = std::fs::read_to_string(server.app.settings.data.join("master.key")).unwrap();
        let place = Place::empty(engine.other()).await;
        let mut same = settings(&place);
        same.master_key = Some(lifeops::config::Secret::new(key.trim()));
        let there = App::open(same, clock.clone()).await.unwrap();
        restore::from_reader(&there, text.as_bytes(), &|_| {}).await.unwrap();
        let mut again = Vec::new();
        export::to_writer(&there, &mut again, &|_, _| {}).await.unwrap();
        let accounts_of = |text: &str| text.lines().filter(|l| l.contains("\"line\":\"account\"")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(accounts_of(&String::from_utf8(again).unwrap()), accounts_of(&text));
        let caller = Caller { network: [127, 0, 0, 1].into(), device: None };
        let enter = |app: &App, code: &str| {
            let (app, code) = (app.clone(), code.to_owned());
            async move { second_factor::check_code(&app, &caller, account, &code).await.is_ok() }
        };
        assert!(enter(&there, &code(&secret, &clock, 0)).await);
        assert!(!enter(&there, &codes[0]).await, "used before the export");
        assert!(second_factor::locked(&there).await.unwrap().is_empty());
        there.db.close().await;
        // Under another key the app's codes are worth nothing; recovery codes still are, and the restore says so.
        let place = Place::empty(engine).await;
        let (well, said) = run(&place, &["restore", file.to_str().unwrap()], "");
        assert!(well && said.contains(&format!("{ANA}: the second step was sealed under another master key")), "{said}");
        let there = App::open(settings(&place), clock.clone()).await.unwrap();
        assert!(!enter(&there, &code(&secret, &clock, 1)).await);
        assert!(!enter(&there, &codes[0]).await && enter(&there, &codes[1]).await && !enter(&there, &codes[1]).await);
        there.db.close().await;
        let (well, said) = run(&place, &["export", folder.path().join("again.jsonl").to_str().unwrap()], "");
        assert!(well && said.contains("Left out are") && said.contains("the master key"), "{said}");
    }
}
