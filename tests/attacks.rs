//! What somebody who means ill would try, beyond the matrix of routes.

use std::time::Duration;

use lifeops::app::{App, Clock};
use lifeops::commands::accounts;
use lifeops::commands::records::{self, NewRecord};
use lifeops::domain::access::Visibility;
use lifeops::domain::ids::{EventId, RecordId, SubmissionKey};
use lifeops::domain::record::Record;
use lifeops::domain::text::{MemberName, Title};
use lifeops::domain::when::Occurred;
use lifeops::error::Error;
use lifeops::store::{people, streams, views};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::properties::{House, house};
use crate::support::{Engine, FORM, Home, Place, Program, settings};

fn name(text: &str) -> MemberName {
    MemberName::parse(text).unwrap()
}

async fn events(house: &House, record: RecordId) -> Vec<(String, EventId)> {
    let facts = streams::facts(&house.app.db, house.actors[0].household, record).await.unwrap();
    facts.into_iter().map(|fact| (fact.payload.kind().to_owned(), fact.event)).collect()
}

async fn state(house: &House, record: RecordId) -> Record {
    views::record(&house.app.db, &house.actors[0], record).await.unwrap().state
}

both_engines! {
    /// Who sees a record is its owner's to say, also by undoing what said so.
    async fn an_editor_undoes_nothing_about_who_sees_a_record(engine: Engine) {
        let house = house(engine).await;
        let (app, ana, ben) = (&house.app, &house.actors[0], &house.actors[1]);
        let new = NewRecord {
            title: Title::parse("Diary").unwrap(),
            category: None,
            description: None,
            tags: Vec::new(),
            fields: Vec::new(),
            visibility: Visibility::Private,
            occurred: Occurred::parse_iso("2020").unwrap(),
            external: None,
        };
        let diary = records::create(app, ana, SubmissionKey::new(), new).await.unwrap().record;
        records::share(app, ana, SubmissionKey::new(), diary).await.unwrap();
        records::unshare(app, ana, SubmissionKey::new(), diary).await.unwrap();
        let shared = records::share(app, ana, SubmissionKey::new(), diary).await.unwrap();
        for (kind, event) in events(&house, diary).await.into_iter().skip(1) {
            let refused = records::retract(app, ben, SubmissionKey::new(), diary, event, None).await;
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{kind}: {refused:?}");
        }
        let undone = records::retract(app, ana, SubmissionKey::new(), diary, shared.event.unwrap(), None).await.unwrap();
        assert_eq!(state(&house, diary).await.visibility, Visibility::Private);
        let brought_back = records::retract(app, ben, SubmissionKey::new(), diary, undone.event.unwrap(), None).await;
        assert!(matches!(brought_back, Err(Error::NotFound)), "{brought_back:?}");
    }

    /// Everybody renames herself at once: nobody waits for somebody who waits for her.
    async fn members_change_their_names_at_once(engine: Engine) {
        let house = house(engine).await;
        for round in 0..8 {
            let renamed = house.actors.iter().enumerate().map(|(n, actor)| {
                let (app, actor) = (house.app.clone(), actor.clone());
                tokio::spawn(async move { accounts::rename(&app, &actor, name(&format!("Member {n} {round}"))).await })
            });
            for renamed in renamed.collect::<Vec<_>>() {
                renamed.await.unwrap().unwrap();
            }
        }
        let people = people::of_household(&house.app.db, &house.actors[0]).await.unwrap();
        let mut names: Vec<String> = people.present().map(|person| person.name.clone()).collect();
        names.sort();
        assert_eq!(names, ["Member 0 7", "Member 1 7", "Member 2 7"]);
    }

    async fn nobody_takes_another_members_name(engine: Engine) {
        let house = house(engine).await;
        for taken in ["Ana", "ANA", " a\u{200B}na "] {
            let refused = accounts::rename(&house.app, &house.actors[1], name(taken)).await;
            assert!(matches!(refused, Err(Error::Refused(_))), "{taken:?}: {refused:?}");
        }
        accounts::rename(&house.app, &house.actors[0], name("ANA")).await.unwrap();
        let home = Home::start(engine).await;
        let form = home.ben.open("/account").await.form_to("/account/name").fill("name", "Ana");
        let page = home.ben.press(&form, "Save").await.expect(422).expect_words("is called Ana already");
        assert_eq!(page.form_to("/account/name").value("name"), "Ana", "what was typed stays");
    }

    async fn a_stranger_sends_no_large_forms(engine: Engine) {
        let home = Home::start(engine).await;
        let stranger = home.server.visitor();
        let body = format!("email={}&password=x", "\"".repeat(100_000)).into_bytes();
        let page = stranger.ask(axum::http::Method::POST, "/sign-in", Some(FORM), body).await;
        assert_eq!(page.status, 413);
        page.expect_words("more text than this form takes");
    }

    async fn a_session_that_is_no_key_is_not_there(engine: Engine) {
        let home = Home::start(engine).await;
        for session in ["a%00", "", "%FF", &"x".repeat(5000)] {
            let body = format!("session={session}").into_bytes();
            let page = home.ana.ask(axum::http::Method::POST, "/account/sessions/sign-out", Some(FORM), body).await;
            assert!(page.status < 500, "{session}: {}", page.status);
        }
        home.ana.open("/account").await;
    }
}

/// Files that hold what people wrote are their owner's alone, also in a directory that is open to others.
#[cfg(unix)]
#[tokio::test]
async fn the_database_is_private_wherever_it_lies() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::empty(Engine::Sqlite).await;
    std::fs::set_permissions(place.directory(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for round in 0..2 {
        let app = App::open(settings(&place), Clock::System).await.unwrap();
        for file in std::fs::read_dir(place.directory()).unwrap() {
            let file = file.unwrap();
            let is = file.metadata().unwrap();
            let (mode, private) = (is.permissions().mode() & 0o777, if is.is_dir() { 0o700 } else { 0o600 });
            assert_eq!(mode, private, "{} in round {round}", file.path().display());
        }
        app.db.close().await;
        let database = place.directory().join("lifeops.db");
        std::fs::set_permissions(database, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
}

/// A line that never says what it wants is closed, while others are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_line_is_closed() {
    let home = Home::start(Engine::Sqlite).await;
    let address = home.server.address;
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
    silent.write_all(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ").await.unwrap();
    home.ana.open("/records").await;
    let mut answer = Vec::new();
    // However long the server waits for the rest: it ends, and not with an answer to a request that was never whole.
    let ended = tokio::time::timeout(Duration::from_secs(120), silent.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the line is still open after two minutes");
    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
}

/// Sixty texts that are far too long, all at once: each comes back to be shortened, and there is room for the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_long_forms_at_once_stay_within_bounds() {
    let home = Home::start(Engine::Sqlite).await;
    let record = home.create(&home.ana, "Diary", &[]).await;
    let cookies = home.ana.cookies();
    let place = home.server.stop().await;
    let program = Program::serve(&place).await;
    let ana = program.visitor();
    cookies.iter().for_each(|(name, value)| ana.set_cookie(name, value));
    let text = "endless ".repeat(700_000);
    let body = format!("submission={}&occurred=today&text={text}", SubmissionKey::new()).into_bytes();
    let forms = (0..60).map(|_| {
        let (ana, path, body) = (ana.clone(), format!("{record}/notes"), body.clone());
        tokio::spawn(async move { ana.ask(reqwest::Method::POST, &path, Some(FORM), body).await })
    });
    for form in forms.collect::<Vec<_>>() {
        let page = form.await.unwrap();
        let kept = page.status == 422 && page.bytes > text.len();
        assert!(kept || page.status == 503, "{} with {} bytes", page.status, page.bytes);
    }
    let most = program.most_memory();
    assert!(most < 400 * 1024 * 1024, "the server took {} MiB", most / 1024 / 1024);
}

/// Sends a request, for at most so many seconds, without ever reading the answer, from another address of this machine.
async fn deaf(to: std::net::SocketAddr, request: &[u8], seconds: u64) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    let _ = tokio::time::timeout(Duration::from_secs(seconds), stream.write_all(request)).await;
    stream
}

/// Whoever keeps every line busy and reads nothing keeps nobody else out, and is let go in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_cannot_take_every_line() {
    let home = Home::start(Engine::Sqlite).await;
    let asset = home.ana.open("/").await.attributes("script", "src").remove(0);
    let request = format!("GET {asset} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").repeat(160);
    let mut lines = Vec::new();
    for _ in 0..260 {
        lines.push(deaf(home.server.address, request.as_bytes(), 2));
    }
    let mut lines = futures_util::future::join_all(lines).await;
    home.ana.open("/records").await;
    let mut first = lines.swap_remove(0);
    let let_go = async {
        while first.write_all(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(150), let_go).await.is_ok(), "it still has its line");
}

/// Long forms whose answers nobody reads stay within bounds too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_hold_their_room() {
    let home = Home::start(Engine::Sqlite).await;
    let record = home.create(&home.ana, "Diary", &[]).await;
    let cookie = home.ana.cookie_header();
    let place = home.server.stop().await;
    let program = Program::serve(&place).await;
    let body = format!("submission={}&occurred=today&text={}", SubmissionKey::new(), "endless ".repeat(700_000));
    let request = format!(
        "POST {record}/notes HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let lines = (0..90).map(|_| deaf(program.address, request.as_bytes(), 25));
    let lines = futures_util::future::join_all(lines).await;
    let most = program.most_memory();
    assert!(most < 250 * 1024 * 1024, "the server took {} MiB", most / 1024 / 1024);
    drop(lines);
}
