//! Links with which whoever runs the server lets somebody set a new password.

use lifeops::app::Clock;
use lifeops::commands::{accounts, resets};
use lifeops::config::BaseUrl;
use lifeops::domain::instant::Instant;
use lifeops::domain::person::Email;
use lifeops::passwords::Password;
use lifeops::store::db::sql;
use lifeops::web::routes::table;

use crate::accounts::{household, try_sign_in};
use crate::support::{PASSWORD, Page, Server, Visitor, run};

const ANA: &str = "ana@home.example";
const BEN: &str = "ben@home.example";
const NEW: &str = "quite another long sentence";

fn standing() -> Clock {
    Clock::fixed(Instant::from_micros(1_790_000_000_000_000))
}

async fn link(server: &Server, email: &str) -> String {
    resets::make_link(&server.app, &Email::parse(email).unwrap()).await.unwrap()
}

/// What a browser sees of a link: the answer that moves it, the page, and what sending the form says.
async fn seen(server: &Server, token: &str) -> [Page; 3] {
    let visitor = server.visitor();
    let moved = visitor.get(&format!("/reset/{token}")).await;
    let page = visitor.get("/reset").await;
    let sent = visitor.post("/reset", &[("new".to_owned(), NEW.to_owned())]).await;
    [moved, page, sent]
}

fn set_cookie_without_value(page: &Page) -> String {
    let line = page.header("set-cookie");
    let (name, rest) = line.split_once('=').unwrap_or_default();
    format!("{name} {}", rest.split_once(';').unwrap_or_default().1)
}

both_engines! {
    async fn a_link_sets_a_new_password_once(engine: Engine) {
        let clock = standing();
        let (server, _) = household(engine, clock.clone()).await;
        let ben = server.visitor();
        try_sign_in(&ben, BEN, PASSWORD).await.expect(303);
        for _ in 0..5 {
            try_sign_in(&server.visitor(), BEN, "forgotten").await.expect(422);
        }
        let token = link(&server, BEN).await;
        let kept = sql("select digest from reset_link").one(&server.app.db).await.unwrap().bytes("digest").unwrap();
        assert!(kept.len() == 32 && kept != token.as_bytes(), "kept as a digest");
        // Opening it, as chats and scanners do, does not use it up.
        for _ in 0..3 {
            seen_only(&server.visitor(), &token).await;
        }
        let visitor = server.visitor();
        let page = seen_only(&visitor, &token).await;
        let before = server.app.passwords.calls();
        let short = visitor.press(&page.form("Set password").fill("new", "short"), "Set password").await.expect(422);
        assert!(short.summary()[0].1 == "#new" && !short.body.contains("value=\"short\""));
        let form = page.form("Set password").fill("new", NEW);
        let after = visitor.press(&form, "Set password").await;
        assert_eq!(after.expect_redirect(), "/sign-in?done=password");
        assert_eq!(server.app.passwords.calls() - before, 1);
        assert!(!visitor.cookies().contains_key("lifeops-reset"), "the cookie is taken back");
        visitor.open("/sign-in?done=password").await.expect_words("Your new password is set");
        assert!(!visitor.cookies().contains_key("lifeops"), "nobody is signed in by it");
        ben.get("/account").await.expect(303);
        try_sign_in(&server.visitor(), BEN, PASSWORD).await.expect(422);
        // The next sign-in tells, once.
        let page = try_sign_in(&visitor, BEN, NEW).await.expect(200);
        let page = page.expect_words("Whoever runs this server reset your password on 21 September 2026 at");
        visitor.submit(&page.form("I have read this"), "I have read this").await;
        try_sign_in(&server.visitor(), BEN, NEW).await.expect(303);
        // And the link is used up.
        let [_, page, sent] = seen(&server, &token).await;
        assert_eq!((page.status, sent.status), (404, 404));
    }

    async fn a_link_falls_with_a_new_password_and_with_signing_out_everywhere(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        for (path, fields) in [
            ("/account/password", &[("current", PASSWORD), ("new", NEW)][..]),
            ("/account/sessions/sign-out-others", &[]),
        ] {
            let token = link(&server, ANA).await;
            let fields: Vec<_> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            ana.post(path, &fields).await.expect(303);
            let [_, page, _] = seen(&server, &token).await;
            assert_eq!(page.status, 404, "{path}: {}", page.text());
        }
    }

    async fn links_that_do_not_work_look_and_cost_the_same(engine: Engine) {
        let clock = standing();
        let (server, _) = household(engine, clock.clone()).await;
        let replaced = link(&server, BEN).await;
        let used = link(&server, BEN).await;
        resets::use_link(&server.app, &used, &Password::parse(NEW).unwrap()).await.unwrap();
        let expired = link(&server, BEN).await;
        clock.advance(resets::WORKS);
        let of_another = link(&server, ANA).await;
        let calls = server.app.passwords.calls();
        let model = seen(&server, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await;
        assert!(model[1].says("This link does not work") && model[1].says("ask whoever runs this server"));
        for token in [&replaced, &used, &expired, "nonsense", "%00", "a%0d%0aSet-Cookie:x=y"] {
            let pages = seen(&server, token).await;
            for (page, model) in pages.iter().zip(&model) {
                assert_eq!(page.status, model.status, "{token} at {}", page.path);
                assert_eq!(page.body, model.body, "{token} at {}", page.path);
                assert_eq!(set_cookie_without_value(page), set_cookie_without_value(model), "{token} at {}", page.path);
                let names = |page: &Page| page.headers.keys().cloned().collect::<Vec<_>>();
                assert_eq!(names(page), names(model), "{token} at {}", page.path);
            }
            assert!(!pages[0].header("set-cookie").contains('\n'), "{token}");
        }
        assert_eq!(server.app.passwords.calls(), calls, "nothing is hashed for them");
        try_sign_in(&server.visitor(), BEN, NEW).await.expect(200);
        // A link that works moves on in just the same way.
        let moved = server.visitor().get(&format!("/reset/{of_another}")).await;
        assert_eq!((moved.status, moved.header("location")), (model[0].status, model[0].header("location")));
        assert_eq!(set_cookie_without_value(&moved), set_cookie_without_value(&model[0]));
    }

    async fn of_two_who_use_one_link_at_once_one_wins(engine: Engine) {
        let (server, _) = household(engine, standing()).await;
        let token = link(&server, BEN).await;
        let uses = [NEW, "a third long sentence"].map(|new| {
            let (app, token) = (server.app.clone(), token.clone());
            tokio::spawn(async move { resets::use_link(&app, &token, &Password::parse(new).unwrap()).await.is_ok() })
        });
        let mut won = 0;
        for one in uses {
            won += usize::from(one.await.unwrap());
        }
        assert_eq!(won, 1);
    }

    async fn whoever_runs_the_server_is_the_only_one_who_resets(engine: Engine) {
        let (server, ana) = household(engine, standing()).await;
        // There is no route by which a member, an owner included, could reset somebody else.
        let routes: Vec<_> = table().into_iter().filter(|r| r.path.contains("reset")).map(|r| (r.method, r.path)).collect();
        assert_eq!(routes, [("GET", "/reset"), ("POST", "/reset"), ("GET", "/reset/{token}")]);
        ana.post("/reset", &[("new".to_owned(), NEW.to_owned()), ("email".to_owned(), BEN.to_owned())]).await.expect(404);
        try_sign_in(&server.visitor(), BEN, PASSWORD).await.expect(303);
        // What an operator sets is told as well.
        let email = Email::parse(BEN).unwrap();
        accounts::reset_password(&server.app, &email, &Password::parse(NEW).unwrap()).await.unwrap();
        let visitor = server.visitor();
        let page = try_sign_in(&visitor, BEN, NEW).await.expect(200).expect_words("Whoever runs this server reset your password on");
        // It is told again until it was read, and only then no more.
        let again = server.visitor();
        try_sign_in(&again, BEN, NEW).await.expect(200);
        let form = page.form("I have read this");
        for seen in ["9999999999999999", "nonsense", "-1"] {
            visitor.press(&form.clone().force("seen", seen), "I have read this").await.expect(303);
        }
        try_sign_in(&server.visitor(), BEN, NEW).await.expect(200);
        visitor.press(&form, "I have read this").await.expect(303);
        try_sign_in(&server.visitor(), BEN, NEW).await.expect(303);
    }

    async fn the_command_line_makes_links_under_our_own_address(engine: Engine) {
        let (server, _) = household(engine, Clock::System).await;
        let place = server.stop().await;
        let (well, said) = run(&place, &["user", "reset-link", BEN], "");
        assert!(well && said.contains("    http://127.0.0.1:8080/reset/") && said.contains("does not know the address"), "{said}");
        let (well, said) = run(&place, &["user", "reset-link", BEN, "--base-url", "https://life.example.org"], "");
        assert!(well && said.contains("    https://life.example.org/reset/"), "{said}");
        let token = said.split("/reset/").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let (well, said) = run(&place, &["user", "reset-link", "eve@home.example"], "");
        assert!(!well && said.contains("Nobody has the address"), "{said}");
        let (well, said) = run(&place, &["user", "reset-second-factor", BEN], "");
        assert!(!well && said.contains("has no second step"), "{said}");
        // Behind HTTPS the cookie is as strict as the session's.
        let mut settings = crate::support::settings(&place);
        settings.base_url = Some(BaseUrl { scheme: "https".to_owned(), authority: "life.example.org".to_owned() });
        let server = Server::start_with(place, settings, Clock::System).await;
        let visitor = server.visitor().with_header("host", "life.example.org");
        let cookie = visitor.get(&format!("/reset/{token}")).await.expect(303).header("set-cookie").to_owned();
        assert!(cookie.starts_with("__Host-lifeops-reset=") && cookie.contains("; Secure; Path=/"), "{cookie}");
        visitor.open("/reset").await.form("Set password");
    }
}

/// Opens a link: its secret leaves the address at once, and stands in no page.
async fn seen_only(visitor: &Visitor, token: &str) -> Page {
    let moved = visitor.get(&format!("/reset/{token}")).await;
    assert_eq!(moved.expect_redirect(), "/reset");
    let cookie = moved.header("set-cookie");
    assert!(
        cookie.starts_with("lifeops-reset=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let page = visitor.open("/reset").await;
    assert!(!page.body.contains(token));
    page
}
