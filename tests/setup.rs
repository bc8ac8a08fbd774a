//! The first visit: set-up with its one-time code, and the master key behind it.

use lifeops::app::{App, Clock};
use lifeops::commands::accounts;
use lifeops::config::Secret;
use lifeops::error::Error;
use lifeops::store::db::{Db, sql};

use crate::support::{Engine, PASSWORD, Page, Place, Server, Visitor};

async fn empty(engine: Engine) -> Server {
    Server::start(Place::empty(engine).await, Clock::System).await
}

fn set_up_address(server: &Server) -> String {
    format!("/setup?code={}", lifeops::web::setup::code(&server.app))
}

async fn send(visitor: &Visitor, code: &str, email: &str) -> Page {
    let pairs = [
        ("code", code),
        ("household", "The Lindens"),
        ("name", "Ana"),
        ("email", email),
        ("password", PASSWORD),
        ("zone", "Europe/Lisbon"),
    ];
    visitor.post("/setup", &pairs.map(|(n, v)| (n.to_owned(), v.to_owned()))).await
}

async fn count(db: &Db, table: &str) -> i64 {
    sql(format!("select count(*) as n from {table}")).one(db).await.unwrap().int("n").unwrap()
}

both_engines! {
    async fn an_empty_installation_leads_everybody_to_set_up(engine: Engine) {
        let server = empty(engine).await;
        let visitor = server.visitor();
        for path in ["/account", "/sign-in", "/register"] {
            let page = visitor.open(path).await;
            assert!(page.path.starts_with("/setup"), "{path} leads to {}", page.path);
        }
        visitor.get("/health/live").await.expect(200);
        visitor.get("/health/ready").await.expect(200);
        let pairs = [("email".to_owned(), "a@b.example".to_owned())];
        assert_eq!(visitor.post("/register", &pairs).await.expect_redirect(), "/setup");
    }

    async fn set_up_makes_an_owner_and_signs_in(engine: Engine) {
        let server = empty(engine).await;
        let visitor = server.visitor();
        let form = visitor.open(&set_up_address(&server)).await.form("Set up");
        let form = form.fill("household", "The Lindens").fill("name", "Ana").fill("email", "ana@home.example");
        let answer = visitor.press(&form.fill("password", PASSWORD), "Set up").await;
        assert_eq!(answer.expect_redirect(), "/");
        visitor.open("/account").await.expect_words("Your account");
        let members = accounts::list(&server.app).await.unwrap();
        assert_eq!(members.len(), 1);
        assert_eq!((members[0].name.as_str(), members[0].role.as_str()), ("Ana", "owner"));
        assert_eq!(members[0].household_name, "The Lindens");
        let kinds = sql("select kind from record_events order by position").all(&server.app.db).await.unwrap();
        let kinds: Vec<String> = kinds.iter().map(|row| row.text("kind").unwrap()).collect();
        assert_eq!(kinds, ["household_created", "member_joined"]);
    }

    async fn without_the_code_nothing_is_made(engine: Engine) {
        let server = empty(engine).await;
        let visitor = server.visitor();
        let page = send(&visitor, "wrong", "ana@home.example").await.expect(422).expect_words("not the set-up code");
        assert!(page.body.contains("The Lindens") && !page.body.contains(PASSWORD));
        assert_eq!(count(&server.app.db, "account").await, 0);
        visitor.open("/setup").await.expect_words("Set-up code");
        let code = lifeops::web::setup::code(&server.app).to_uppercase().replace('-', " ");
        assert_eq!(send(&visitor, &code, "ana@home.example").await.expect_redirect(), "/");
    }

    async fn a_refused_set_up_keeps_the_words_and_not_the_password(engine: Engine) {
        let server = empty(engine).await;
        let visitor = server.visitor();
        let form = visitor.open(&set_up_address(&server)).await.form("Set up");
        let form = form.fill("household", "").fill("name", "Ana <b>").fill("email", "no address").fill("password", "too short");
        let page = visitor.press(&form, "Set up").await.expect(422);
        assert!(page.title().starts_with("Error: "));
        let links: Vec<String> = page.summary().into_iter().map(|(_, href)| href).collect();
        assert_eq!(links, ["#household", "#email", "#password"]);
        assert_eq!(page.attributes("#name", "value"), ["Ana <b>"]);
        assert_eq!(page.attributes("#email", "value"), ["no address"]);
        assert!(page.attributes("#password", "value").iter().all(String::is_empty));
        assert!(!page.body.contains("too short"));
    }

    async fn however_often_it_is_clicked_there_is_one_household(engine: Engine) {
        let server = empty(engine).await;
        let code = lifeops::web::setup::code(&server.app);
        let clicks = (0..4).map(|_| {
            let (visitor, code) = (server.visitor(), code.clone());
            tokio::spawn(async move {
                let to = send(&visitor, &code, "ana@home.example").await.expect_redirect();
                (visitor, to)
            })
        });
        for click in clicks.collect::<Vec<_>>() {
            let (visitor, to) = click.await.unwrap();
            assert_eq!(to, "/");
            visitor.get("/account").await.expect(200).expect_words("Your account");
        }
        for table in ["household", "account", "member"] {
            assert_eq!(count(&server.app.db, table).await, 1, "{table}");
        }
    }

    async fn afterwards_the_code_is_worth_nothing(engine: Engine) {
        let server = empty(engine).await;
        let code = lifeops::web::setup::code(&server.app);
        send(&server.visitor(), &code, "ana@home.example").await.expect_redirect();
        let stranger = server.visitor();
        assert_eq!(stranger.get(&set_up_address(&server)).await.expect_redirect(), "/");
        assert_eq!(send(&stranger, &code, "eve@evil.example").await.expect_redirect(), "/sign-in");
        assert_eq!(stranger.get("/account").await.expect_redirect(), "/sign-in?next=/account");
        assert_eq!(count(&server.app.db, "account").await, 1);
        assert_eq!(accounts::set_up_path(&server.app).await.unwrap(), None);
    }

    async fn the_code_stays_the_same_over_a_restart(engine: Engine) {
        let server = empty(engine).await;
        let code = lifeops::web::setup::code(&server.app);
        let server = Server::start(server.stop().await, Clock::System).await;
        assert_eq!(lifeops::web::setup::code(&server.app), code);
        let path = accounts::set_up_path(&server.app).await.unwrap().unwrap();
        server.visitor().open(&path).await.expect_no_words("Set-up code");
    }

    async fn another_master_key_stops_the_start(engine: Engine) {
        let server = empty(engine).await;
        let mut settings = (*server.app.settings).clone();
        let place = server.stop().await;
        settings.master_key = Some(Secret::new("ab".repeat(32)));
        let error = App::open(settings.clone(), Clock::System).await.unwrap_err();
        assert!(matches!(&error, Error::Unavailable(said) if said.contains("not the one")), "{error}");
        settings.master_key = None;
        let key = place.directory().join("master.key");
        let kept = std::fs::read(&key).unwrap();
        std::fs::remove_file(&key).unwrap();
        let error = App::open(settings.clone(), Clock::System).await.unwrap_err();
        assert!(matches!(&error, Error::Unavailable(said) if said.contains("missing")), "{error}");
        assert!(!key.exists(), "a key that protects nothing is not left lying about");
        write_private(&key, &kept);
        App::open(settings, Clock::System).await.unwrap().db.close().await;
    }
}

#[tokio::test]
async fn the_key_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let server = empty(Engine::Sqlite).await;
    let settings = (*server.app.settings).clone();
    let place = server.stop().await;
    let key = place.directory().join("master.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = App::open(settings.clone(), Clock::System).await.unwrap_err();
    assert!(matches!(&error, Error::Unavailable(said) if said.contains("chmod 600")), "{error}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&key, "not a key").unwrap();
    let error = App::open(settings, Clock::System).await.unwrap_err();
    assert!(matches!(&error, Error::Unavailable(said) if said.contains("does not hold a key")), "{error}");
}

#[tokio::test]
async fn of_many_first_starts_at_once_one_makes_the_key() {
    let place = Place::empty(Engine::Sqlite).await;
    let settings = crate::support::settings(&place);
    let keys: Vec<_> = (0..8)
        .map(|_| {
            let settings = settings.clone();
            std::thread::spawn(move || lifeops::keys::MasterKey::open(&settings).unwrap().subkey("same"))
        })
        .collect();
    let keys: Vec<_> = keys.into_iter().map(|key| key.join().unwrap()).collect();
    assert!(keys.windows(2).all(|two| two[0] == two[1]));
    let left = std::fs::read_dir(place.directory()).unwrap().count();
    assert_eq!(left, 1, "no drafts are left");
}

pub fn write_private(path: &std::path::Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
