//! What keeps strangers out: hosts, other sites, proxies, cookies, sessions, headers.

use lifeops::app::Clock;
use lifeops::config::BaseUrl;
use lifeops::store::db::sql;
use lifeops::store::sessions::{self, Sessions};
use lifeops::web::routes::{Access, Route, table};
use reqwest::Method;
use tower_sessions::SessionStore;
use tower_sessions::session::Id;

use crate::accounts::{household, household_with, try_sign_in};
use crate::support::{PASSWORD, Page, Server, Visitor};

const ANA: &str = "ana@home.example";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn https() -> BaseUrl {
    BaseUrl { scheme: "https".to_owned(), authority: "home.example".to_owned() }
}

async fn ask(visitor: &Visitor, route: &Route) -> Page {
    let path = path_of(route);
    match route.method {
        "GET" => visitor.get(&path).await,
        _ => visitor.post(&path, &[]).await,
    }
}

/// A path with something in every varying part.
fn path_of(route: &Route) -> String {
    let parts = route
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "01900000-0000-7000-8000-000000000000" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn session_of(visitor: &Visitor) -> Id {
    visitor.cookies().into_values().next().unwrap().parse().unwrap()
}

fn store_of(server: &Server) -> Sessions {
    let settings = &server.app.settings;
    Sessions::new(server.app.db.clone(), server.app.clock.clone(), settings.session_idle, settings.session_max)
}

both_engines! {
    async fn members_routes_are_closed_to_strangers(engine: Engine) {
        let (server, _) = household(engine, Clock::System).await;
        let stranger = server.visitor();
        for route in table().into_iter().filter(|route| route.access == Access::Member) {
            let to = ask(&stranger, &route).await.expect_redirect();
            assert!(to == "/sign-in" || to.starts_with("/sign-in?"), "{route:?} leads to {to}");
            // A form that was turned away is said so; leaving is no form that anybody typed.
            let says = route.method == "POST" && route.path != "/sign-out";
            assert_eq!(to.contains("unsaved=1"), says, "{route:?} leads to {to}");
            let part = ask(&stranger.htmx(), &route).await.expect(401);
            assert!(part.header("hx-redirect").starts_with("/sign-in"), "{route:?}");
        }
    }

    async fn another_site_sends_no_forms(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        for route in table().into_iter().filter(|route| route.method == "POST") {
            for (name, value) in [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("origin", "https://evil.example"),
                ("origin", "null"),
                ("origin", "http://127.0.0.1:1"),
            ] {
                let page = ask(&ana.with_header(name, value), &route).await.expect(403);
                assert!(page.says("This came from another site"), "{route:?}");
            }
        }
        ana.get("/account").await.expect(200);
        let origin = server.visitor().base().to_owned();
        for visitor in [
            server.visitor(),
            server.visitor().with_header("origin", &origin),
            server.visitor().with_header("sec-fetch-site", "same-origin"),
            server.visitor().with_header("sec-fetch-site", "none").with_header("origin", "https://odd.example"),
        ] {
            assert_eq!(try_sign_in(&visitor, ANA, PASSWORD).await.expect_redirect(), "/");
        }
        ana.with_header("sec-fetch-site", "cross-site").get("/account").await.expect(200);
    }

    async fn with_a_base_url_forms_come_from_there(engine: Engine) {
        let (server, _) = household_with(engine, Clock::System, |settings| settings.base_url = Some(https())).await;
        let home = server.visitor().with_header("host", "home.example");
        assert_eq!(try_sign_in(&home.with_header("origin", "https://home.example"), ANA, PASSWORD).await.expect_redirect(), "/");
        for origin in [
            "http://home.example", "https://home.example:444", "https://home.example.evil.example", "https://evil.example",
            "https://shop.home.example", "https://example", "null", "",
        ] {
            try_sign_in(&home.with_header("origin", origin), ANA, PASSWORD).await.expect(403);
        }
        // A sibling subdomain is the same site to a browser, and still another origin to us.
        let sibling = home.with_header("sec-fetch-site", "same-site").with_header("origin", "https://home.example");
        try_sign_in(&sibling, ANA, PASSWORD).await.expect(403);
        try_sign_in(&home.with_header("sec-fetch-site", "cross-site"), ANA, PASSWORD).await.expect(403);
        // A text browser sends neither: the cookie's SameSite covers it.
        try_sign_in(&home, ANA, PASSWORD).await.expect(303);
    }

    async fn on_a_home_network_forms_come_from_the_address_that_was_typed(engine: Engine) {
        let (server, _) = household(engine, Clock::System).await;
        let home = server.visitor().with_header("host", "192.168.1.20:8080");
        for origin in [
            "http://192.168.1.21:8080", "http://192.168.1.20", "http://192.168.1.20:8081", "http://evil.example",
            "http://192.168.1.20:8080.evil.example", "null", "",
        ] {
            try_sign_in(&home.with_header("origin", origin), ANA, PASSWORD).await.expect(403);
        }
        for site in ["same-site", "cross-site", "nonsense"] {
            try_sign_in(&home.with_header("sec-fetch-site", site), ANA, PASSWORD).await.expect(403);
        }
        try_sign_in(&home.with_header("origin", "http://192.168.1.20:8080"), ANA, PASSWORD).await.expect(303);
        let cookies = try_sign_in(&home, ANA, PASSWORD).await.expect(303).header("set-cookie").to_owned();
        assert!(cookies.lines().all(|line| line.contains("SameSite=Lax") && !line.contains("Secure")), "{cookies}");
    }

    /// Everywhere is everywhere: other sessions, the one at hand, a first step that waits for its code, known devices.
    async fn signing_out_everywhere_leaves_nothing_that_opens(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let phone = server.visitor();
        try_sign_in(&phone, ANA, PASSWORD).await.expect(303);
        let before = ana.cookies();
        ana.post("/account/sessions/sign-out-others", &[]).await.expect(303);
        phone.get("/account").await.expect(303);
        assert_ne!(ana.cookies()["lifeops"], before["lifeops"], "the session at hand has a new id");
        let old = server.visitor();
        old.set_cookie("lifeops", &before["lifeops"]);
        old.get("/account").await.expect(303);
        for (table, left) in [("member_session", 1), ("tower_sessions", 1), ("known_device", 1)] {
            let row = sql(format!("select count(*) as n from {table}")).one(&server.app.db).await.unwrap();
            assert_eq!(row.int("n").unwrap(), left, "{table}");
        }
    }

    async fn only_our_own_names_are_answered(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        for route in table() {
            ask(&ana.with_header("host", "evil.example"), &route).await.expect(421).expect_words("LIFEOPS_BASE_URL");
        }
        for host in ["localhost", "localhost:8080", "192.168.1.20:8080", "[::1]:8080"] {
            server.visitor().with_header("host", host).get("/sign-in").await.expect(200);
        }
        let (named, _) = household_with(engine, Clock::System, |settings| settings.base_url = Some(https())).await;
        named.visitor().with_header("host", "home.example").get("/sign-in").await.expect(200);
        let page = named.visitor().with_header("host", "home.example.evil.example").get("/sign-in").await.expect(421);
        assert!(page.says("https://home.example") && !page.body.contains("evil"));
    }

    async fn every_answer_carries_the_headers(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let mut pages = vec![
            ana.get("/nowhere").await.expect(404),
            ana.ask(Method::DELETE, "/account", None, Vec::new()).await.expect(405),
            ana.with_header("host", "evil.example").get("/").await.expect(421),
            server.visitor().get("/account").await.expect(303),
        ];
        for route in table() {
            if route.path != "/sign-out" && !route.path.starts_with("/assets") {
                pages.push(ask(&ana, &route).await);
            }
        }
        for page in pages {
            assert_eq!(page.header("content-security-policy"), POLICY, "{}", page.path);
            // What shows a secret once is not even kept by the browser that it was shown to.
            let kept = page.header("cache-control");
            assert!(["private, no-cache", "no-store"].contains(&kept), "{}: {kept}", page.path);
            assert_eq!(page.header("referrer-policy"), "same-origin", "{}", page.path);
            assert_eq!(page.header("x-content-type-options"), "nosniff", "{}", page.path);
            assert_eq!(page.header("x-frame-options"), "DENY", "no other site frames {}", page.path);
            assert_eq!(page.header("x-request-id").len(), 16, "{}", page.path);
            assert!(page.status < 500, "{} answered {}: {}", page.path, page.status, page.text());
        }
    }

    async fn failures_have_two_voices_and_a_number(engine: Engine) {
        let (_server, ana) = household(engine, Clock::System).await;
        let page = ana.get("/nowhere").await.expect(404);
        assert_eq!(page.heading(), "There is nothing here");
        assert!(page.says(&format!("Number of this request: {}", page.header("x-request-id"))));
        let wrong = ana.ask(Method::DELETE, "/account", None, Vec::new()).await.expect(405);
        assert!(wrong.header("allow").contains("GET"), "{:?}", wrong.headers);
        let part = ana.htmx().get("/nowhere").await.expect(404);
        assert!(!part.body.contains("<html") && part.says("There is nothing here"));
        assert_eq!((part.header("hx-retarget"), part.header("hx-reswap")), ("#failure", "innerHTML"));
        let much = ana.ask(Method::POST, "/account/name", Some("application/x-www-form-urlencoded"), vec![b'a'; 9 << 20]).await;
        much.expect(413).expect_words("too much");
    }

    async fn pages_are_compressed(engine: Engine) {
        let (server, _) = household(engine, Clock::System).await;
        for encoding in ["gzip", "br"] {
            let page = server.visitor().with_header("accept-encoding", encoding).get("/sign-in").await;
            assert_eq!(page.header("content-encoding"), encoding);
        }
    }

    async fn the_cookie_is_as_strict_as_its_address_allows(engine: Engine) {
        let (plain, _) = household(engine, Clock::System).await;
        let cookies = try_sign_in(&plain.visitor(), ANA, PASSWORD).await.header("set-cookie").to_owned();
        assert_eq!(cookies.lines().count(), 2, "the session's and the device's: {cookies}");
        for (cookie, name) in cookies.lines().zip(["lifeops=", "lifeops-device="]) {
            let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
            assert!(cookie.starts_with(name), "{cookie}");
            assert!(attributes.contains(&"HttpOnly") && attributes.contains(&"SameSite=Lax") && attributes.contains(&"Path=/"));
            assert!(!attributes.contains(&"Secure") && !cookie.contains("Domain"), "{cookie}");
            assert!(attributes.contains(&"Max-Age=15552000"), "{cookie}");
        }
        let (safe, _) = household_with(engine, Clock::System, |settings| settings.base_url = Some(https())).await;
        let visitor = safe.visitor().with_header("host", "home.example");
        let cookies = try_sign_in(&visitor, ANA, PASSWORD).await.header("set-cookie").to_owned();
        for (cookie, name) in cookies.lines().zip(["__Host-lifeops=", "__Host-lifeops-device="]) {
            let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
            assert!(cookie.starts_with(name), "{cookie}");
            for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(attributes.contains(&attribute), "{cookie}");
            }
            assert!(!cookie.contains("Domain"), "a `__Host-` cookie names no domain: {cookie}");
        }
        let gone = visitor.post("/sign-out", &[]).await.header("set-cookie").to_owned();
        assert!(gone.starts_with("__Host-lifeops=;") && gone.contains("Max-Age=0"), "{gone}");
        assert!(gone.contains("Secure") && gone.contains("Path=/"), "a browser obeys only then: {gone}");
    }

    async fn no_session_id_lies_in_the_database(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let (id, cookie) = (session_of(&ana), ana.cookies().into_values().next().unwrap());
        let rows = sql("select member_session.id, tower_sessions.data from member_session
             join tower_sessions on tower_sessions.id = member_session.id").all(&server.app.db).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text("id").unwrap(), sessions::key(&id));
        assert_ne!(rows[0].text("id").unwrap(), cookie);
        let data = rows[0].bytes("data").unwrap();
        let bytes = id.0.to_be_bytes();
        assert!(!data.windows(16).any(|part| part == bytes || part == id.0.to_le_bytes()));
        assert!(!data.windows(cookie.len()).any(|part| part == cookie.as_bytes()));
        let stolen = server.visitor();
        stolen.set_cookie("lifeops", &rows[0].text("id").unwrap());
        stolen.get("/account").await.expect(303);
    }

    async fn a_planted_session_id_is_not_taken(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let planted = Id(42).to_string();
        let victim = server.visitor();
        victim.set_cookie("lifeops", &planted);
        try_sign_in(&victim, ANA, PASSWORD).await.expect_redirect();
        assert_ne!(victim.cookies()["lifeops"], planted);
        let thief = server.visitor();
        thief.set_cookie("lifeops", &planted);
        thief.get("/account").await.expect(303);
        // Signed in once more over a living session: a new id, and the old one is dead.
        let before = ana.cookies()["lifeops"].clone();
        server.app.clock.advance(1);
        let pairs = [("email", ANA), ("password", PASSWORD)].map(|(n, v)| (n.to_owned(), v.to_owned()));
        ana.post("/sign-in", &pairs).await.expect_redirect();
        assert_ne!(ana.cookies()["lifeops"], before);
        thief.set_cookie("lifeops", &before);
        thief.get("/account").await.expect(303);
        ana.get("/account").await.expect(200);
    }

    async fn a_session_signed_out_is_never_brought_back(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        let (store, id) = (store_of(&server), session_of(&ana));
        let mut record = store.load(&id).await.unwrap().unwrap();
        ana.post("/sign-out", &[]).await.expect_redirect();
        record.data.insert("late".to_owned(), true.into());
        store.save(&record).await.unwrap();
        assert!(store.load(&id).await.unwrap().is_none());
        let left = sql("select count(*) as n from tower_sessions").one(&server.app.db).await.unwrap();
        assert_eq!(left.int("n").unwrap(), 0);
    }

    async fn raising_the_epoch_ends_even_a_session_that_is_still_kept(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        sql("update account set session_epoch = session_epoch + 1").run(&server.app.db).await.unwrap();
        ana.get("/account").await.expect(303);
        let left = sql("select count(*) as n from member_session").one(&server.app.db).await.unwrap();
        assert_eq!(left.int("n").unwrap(), 0, "and it is swept out");
    }

    async fn a_claimed_address_counts_only_behind_our_proxy(engine: Engine) {
        let (server, _) = household(engine, Clock::System).await;
        let liar = server.visitor().with_header("x-forwarded-for", "203.0.113.9");
        try_sign_in(&liar, ANA, PASSWORD).await.expect_redirect();
        liar.open("/account/security").await.expect_words("from 127.0.0.1").expect_no_words("203.0.113.9");
        let (server, _) = household_with(engine, Clock::System, |settings| {
            settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        })
        .await;
        let guest = server.visitor().with_header("x-forwarded-for", "6.6.6.6, 203.0.113.9");
        try_sign_in(&guest, ANA, PASSWORD).await.expect_redirect();
        guest.open("/account/security").await.expect_words("from 203.0.113.9").expect_no_words("6.6.6.6");
        let scheme = server.visitor().with_header("x-forwarded-proto", "https").with_header("x-forwarded-host", "evil.example");
        let page = try_sign_in(&scheme, ANA, PASSWORD).await;
        assert!(page.header("set-cookie").starts_with("lifeops="), "the scheme comes from the base URL alone");
    }

    async fn after_signing_in_one_stays_here(engine: Engine) {
        let (server, ana) = household(engine, Clock::System).await;
        for next in ["//evil.example", "https://evil.example", "/\\evil.example", "\\evil.example", "/%0d%0aSet-Cookie:a=b\r\nx", "javascript:alert(1)"] {
            let visitor = server.visitor();
            let pairs = [("email", ANA), ("password", PASSWORD), ("next", next)].map(|(n, v)| (n.to_owned(), v.to_owned()));
            assert_eq!(visitor.post("/sign-in", &pairs).await.expect_redirect(), "/", "{next:?}");
        }
        let to = ana.get("/sign-in?next=%2F%2Fevil.example").await.expect_redirect();
        assert_eq!(to, "/");
        assert_eq!(ana.get("/sign-in?next=/account%3Fdone%3Dname").await.expect_redirect(), "/account?done=name");
        let page = server.visitor().open("/sign-in?next=//evil.example").await;
        assert!(!page.body.contains("evil"));
    }
}
