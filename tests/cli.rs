//! The real program, from the command line.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use lifeops::store::db::sql;

use crate::setup::write_private;
use crate::support::{Engine, PASSWORD, Place, Visitor, command, eventually, run};

/// A running server: what it printed first, and where it listens.
struct Serving {
    child: Child,
    printed: String,
    address: SocketAddr,
}

impl Serving {
    /// Starts it on a free port and waits for the address that it prints.
    fn start(place: &Place, variables: &[(&str, &str)]) -> Self {
        let log = std::fs::File::create(place.directory().join("server.log")).unwrap();
        let mut child = command(place, &[])
            .env("LIFEOPS_LISTEN", "127.0.0.1:0")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut printed = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !printed.contains("http://") {
            assert!(out.read_line(&mut printed).unwrap() > 0, "{printed}{}", log_of(place));
        }
        let (_, rest) = printed.split_once("http://").unwrap();
        let address = rest.split('/').next().unwrap().parse().unwrap();
        Self { child, printed, address }
    }

    fn terminate(&self) {
        let done = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(place: &Place) -> String {
    std::fs::read_to_string(place.directory().join("server.log")).unwrap()
}

fn sample(name: &str) -> String {
    format!("{}/tests/samples/homebox/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn well(place: &Place, arguments: &[&str], input: &str) -> String {
    let (went_well, said) = run(place, arguments, input);
    assert!(went_well, "{arguments:?}: {said}");
    said
}

#[track_caller]
fn ill(place: &Place, arguments: &[&str], input: &str, words: &str) {
    let (went_well, said) = run(place, arguments, input);
    assert!(!went_well && said.contains(words), "{arguments:?}: {said}");
}

/// A household with Ana, without a browser.
fn settle(place: &Place) {
    let add = ["user", "add", "ana@home.example", "--name", "Ana", "--new-household", "The Lindens"];
    well(place, &add, PASSWORD);
}

/// The head code in what a command said.
fn head(said: &str) -> String {
    let code = said.split_whitespace().find(|word| word.len() == 71 && word.matches('-').count() == 7);
    code.unwrap_or_else(|| panic!("no head code: {said}")).to_owned()
}

both_engines! {
    async fn from_nothing_to_an_address_and_to_a_quiet_end(engine: Engine) {
        let place = Place::empty(engine).await;
        let mut serving = Serving::start(&place, &[]);
        let path = serving.printed.split_once("/setup?code=").map(|(_, code)| format!("/setup?code={}", code.trim()));
        let page = Visitor::new(serving.address).open(&path.unwrap()).await;
        assert_eq!(page.status, 200);
        assert!(place.directory().join("master.key").is_file());
        let address = serving.address.to_string();
        well(&place, &["healthcheck", "--listen", &address], "");
        ill(&place, &["--listen", &address], "", "Another program listens on");
        serving.terminate();
        assert!(serving.child.wait().unwrap().success(), "{}", log_of(&place));
        ill(&place, &["healthcheck", "--listen", &address], "", "does not answer");
        // Once somebody lives here, there is no code any more.
        settle(&place);
        let again = Serving::start(&place, &[]);
        assert!(!again.printed.contains("code="), "{}", again.printed);
    }

    async fn a_running_request_is_finished_before_the_end(engine: Engine) {
        let place = Place::empty(engine).await;
        settle(&place);
        let mut serving = Serving::start(&place, &[]);
        let mut stream = TcpStream::connect(serving.address).unwrap();
        let body = format!("email=ana%40home.example&password={}", PASSWORD.replace(' ', "+"));
        write!(
            stream,
            "POST /sign-in HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
            serving.address,
            body.len()
        )
        .unwrap();
        // The server says that it has begun, by asking for the body.
        let mut answer = [0; 25];
        stream.read_exact(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&answer));
        serving.terminate();
        crate::support::eventually("the server stops listening", || log_of(&place).contains("stopping"));
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        assert!(serving.child.wait().unwrap().success());
    }

    async fn people_are_looked_after(engine: Engine) {
        let place = Place::empty(engine).await;
        if engine == Engine::Sqlite {
            ill(&place, &["user", "list"], "", "There is no installation");
        }
        settle(&place);
        let ben = ["user", "add", "ben@home.example", "--name", "Ben"];
        ill(&place, &ben, "short", "12 characters");
        ill(&place, &["user", "add", "ben", "--name", "Ben"], PASSWORD, "email address");
        ill(&place, &["user", "add", "b@home.example", "--name", "B", "--role", "king"], PASSWORD, "owner, editor or viewer");
        // A password is never an argument.
        ill(&place, &[&ben[..], &["--password", PASSWORD]].concat(), "", "unexpected argument");
        well(&place, &ben, PASSWORD);
        ill(&place, &ben, PASSWORD, "already has an account");
        let list = well(&place, &["user", "list"], "");
        assert!(list.contains("ana@home.example") && list.contains("editor  The Lindens"), "{list}");
        assert!(!list.contains("argon2"));
        ill(&place, &["user", "disable", "ana@home.example"], "", "only owner");
        well(&place, &["user", "disable", "ben@home.example"], "");
        assert!(well(&place, &["user", "list"], "").contains("disabled"));
        well(&place, &["user", "enable", "ben@home.example"], "");
        well(&place, &["user", "reset-password", "ben@home.example"], "another long sentence of his\n");
        ill(&place, &["user", "reset-password", "nobody@home.example"], PASSWORD, "Nobody has the address");
        settle_another(&place);
        ill(&place, &["user", "add", "mila@home.example", "--name", "Mila"], PASSWORD, "several households");
        let mila = ["user", "add", "mila@home.example", "--name", "Mila", "--household", "the elms", "--role", "viewer"];
        assert!(well(&place, &mila, PASSWORD).contains("a viewer of \u{201c}The Elms\u{201d}"));
        assert!(well(&place, &["verify"], "").contains("all as they were written"));
    }

    async fn members_are_looked_after(engine: Engine) {
        let place = Place::empty(engine).await;
        settle(&place);
        well(&place, &["user", "add", "ben@home.example", "--name", "Ben"], PASSWORD);
        ill(&place, &["user", "role", "ana@home.example", "viewer"], "", "only owner");
        ill(&place, &["user", "role", "ben@home.example", "king"], "", "owner, editor or viewer");
        ill(&place, &["user", "role", "nobody@home.example", "owner"], "", "Nobody has the address");
        assert!(well(&place, &["user", "role", "ben@home.example", "owner"], "").contains("now an owner of"));
        ill(&place, &["user", "rename", "ben@home.example", "ANA"], "", "called ANA already");
        assert!(well(&place, &["user", "rename", "ben@home.example", "Benjamin"], "").contains("called Benjamin from now on"));
        // Removed: at first there is the grace period, then only the command line brings them back.
        assert!(well(&place, &["user", "remove", "ben@home.example"], "").contains("reads until"));
        ill(&place, &["user", "remove", "ana@home.example"], "", "only owner");
        assert!(well(&place, &["user", "list"], "").contains("leaving on"));
        well(&place, &["user", "disable", "ben@home.example"], "");
        assert!(well(&place, &["user", "list"], "").contains("disabled, leaving on"));
        well(&place, &["user", "reinstate", "ben@home.example"], "");
        let said = well(&place, &["user", "remove", "ben@home.example"], "");
        assert!(said.contains("they are disabled") && !said.contains("reads"), "{said}");
        well(&place, &["user", "enable", "ben@home.example"], "");
        well(&place, &["user", "reinstate", "ben@home.example"], "");
        well(&place, &["user", "remove", "ben@home.example", "--removal-grace", "1s"], "");
        eventually("the removal to hold", || well(&place, &["user", "list"], "").contains("removed since"));
        ill(&place, &["user", "enable", "ben@home.example"], "", "no longer a member");
        well(&place, &["user", "reinstate", "ben@home.example"], "");
        assert!(!well(&place, &["user", "list"], "").contains("removed"));
        // An invitation's link begins with the address that people type, where it is known.
        let link = well(&place, &["user", "invite", "--role", "viewer", "--base-url", "https://life.example.org"], "");
        assert!(link.contains("https://life.example.org/invitations/") && link.contains("as a viewer"), "{link}");
        assert!(!link.contains("does not know the address"), "{link}");
        let link = well(&place, &["user", "invite", "--days", "1"], "");
        assert!(link.contains("http://127.0.0.1:8080/invitations/") && link.contains("does not know the address"), "{link}");
        ill(&place, &["user", "invite", "--days", "365"], "", "1, 7 or 30 days");
        assert!(well(&place, &["verify"], "").contains("all as they were written"));
    }

    async fn what_was_imported_is_exported_restored_and_verified(engine: Engine) {
        let place = Place::empty(engine).await;
        settle(&place);
        let import = |file: &str, more: &[&str]| {
            let path = sample(file);
            let arguments = ["import", "homebox", &path, "--member", "ana@home.example", "--currency", "EUR"];
            run(&place, &[&arguments[..], more].concat(), "")
        };
        let (went_well, said) = import("household.csv", &["--dry-run"]);
        assert!(went_well && said.contains("5 records would be added (9 events)"), "{said}");
        let (went_well, said) = import("household.csv", &[]);
        assert!(went_well && said.contains("5 records were added (9 events, batch "), "{said}");
        assert!(said.contains("5 of 5 records") && said.contains("Not read, because they are not known: Warehouse."), "{said}");
        let (went_well, said) = import("changed.csv", &[]);
        assert!(went_well && said.contains("Row 2: \u{201c}Water heater\u{201d} is already here, differs: Colour"), "{said}");
        let (went_well, said) = import("bad-rows.csv", &[]);
        assert!(!went_well && said.contains("Row 4, HB.purchase_date: \u{201c}0202-01-05\u{201d}"), "{said}");
        assert!(said.contains("8 rows of 10 cannot be imported, so nothing was."), "{said}");

        let file = place.directory().join("backup.jsonl");
        let file = file.to_str().unwrap();
        let kept = head(&well(&place, &["export", file], ""));
        assert_eq!(head(&well(&place, &["verify", "--head", &kept], "")), kept);
        let other = Place::empty(engine.other()).await;
        assert_eq!(head(&well(&other, &["restore", file], "")), kept);
        ill(&other, &["restore", file], "", "is not empty");
        assert!(well(&other, &["verify", "--head", &kept], "").contains("is the head of \u{201c}The Lindens\u{201d}"));
        ill(&other, &["verify", "--head", &kept.replace(['0', '1'], "2")], "", "is the head of no household");
        let to_stdout = well(&other, &["export", "-"], "");
        let lines = |text: &str| text.lines().filter(|line| line.contains("\"line\":\"event\"")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(&to_stdout), lines(&std::fs::read_to_string(file).unwrap()));
    }

    async fn what_is_wrong_ends_with_one_and_a_rebuild_repairs_it(engine: Engine) {
        let place = Place::empty(engine).await;
        settle(&place);
        let path = sample("household.csv");
        well(&place, &["import", "homebox", &path, "--member", "ana@home.example", "--currency", "EUR"], "");
        let db = place.open().await;
        sql("update record_view set title = 'Forged' where title = 'Skis'").run(&db).await.unwrap();
        db.close().await;
        ill(&place, &["verify"], "", "title is \u{201c}Forged\u{201d}, but by the events it is \u{201c}Skis\u{201d}");
        well(&place, &["rebuild"], "");
        well(&place, &["verify"], "");
    }

    async fn log_lines_name_nobody(engine: Engine) {
        let place = Place::empty(engine).await;
        settle(&place);
        let mut serving = Serving::start(&place, &[("LIFEOPS_LOG_FORMAT", "json")]);
        let visitor = Visitor::new(serving.address);
        let form = visitor.open("/sign-in").await.form("Sign in").fill("email", "ana@home.example");
        visitor.press(&form.fill("password", PASSWORD), "Sign in").await;
        visitor.open("/records?tag=confidential").await;
        serving.terminate();
        assert!(serving.child.wait().unwrap().success());
        let log = log_of(&place);
        for line in log.lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
        }
        assert!(log.lines().count() > 3);
        for word in ["ana@", "Ana", "Lindens", "confidential", PASSWORD, "code="] {
            assert!(!log.contains(word), "{word}: {log}");
        }
    }
}

fn settle_another(place: &Place) {
    let add = ["user", "add", "cleo@home.example", "--name", "Cleo", "--new-household", "The Elms"];
    well(place, &add, PASSWORD);
}

#[tokio::test]
async fn settings_are_checked_whole_and_secrets_not_shown() {
    let place = Place::empty(Engine::Sqlite).await;
    let output = command(&place, &["config", "--session-max", "soon"])
        .env("LIFEOPS_BASE_URL", "https://life.example.org/lifeops")
        .env("LIFEOPS_LISTENS", "127.0.0.1:1")
        .env("LIFEOPS_MASTER_KEY", "swordfish")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("There are 4 mistakes"), "{said}");
    for word in [
        "--session-max must be",
        "LIFEOPS_BASE_URL must end after the host",
        "Did you mean LIFEOPS_LISTEN?",
        "is not a key",
    ] {
        assert!(said.contains(word), "{said}");
    }
    let secret = place.directory().join("secret");
    let key = "5a".repeat(32);
    write_private(&secret, format!("{key}\n").as_bytes());
    let output = command(&place, &["config"])
        .env("LIFEOPS_DATABASE_URL", "postgres://life:hunter2@db.example.org/life")
        .env("LIFEOPS_MASTER_KEY_FILE", &secret)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("postgres://(hidden)@db.example.org/life"), "{said}");
    assert!(said.contains("(hidden)") && said.contains(&format!("file {}", secret.display())), "{said}");
    assert!(!said.contains("hunter2") && !said.contains(&key), "{said}");
}

#[tokio::test]
async fn a_slip_in_the_data_directory_makes_no_installation() {
    let place = Place::empty(Engine::Sqlite).await;
    for arguments in [&["verify"][..], &["rebuild"], &["export", "-"], &["user", "list"]] {
        let missing = place.directory().join("missing");
        let (went_well, said) = run(&place, &[arguments, &["--data", missing.to_str().unwrap()]].concat(), "");
        assert!(!went_well && said.contains("There is no installation in"), "{said}");
        assert!(!missing.exists());
    }
}
