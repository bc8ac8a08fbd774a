//! The real program, killed (SIGKILL) at random moments under write load and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use uuid::Uuid;

use crate::support::{Dice, Engine, PASSWORD, Place, Program, Visitor, email, notes, run, words};

/// How often the program is killed.
const KILLS: usize = 20;

/// How many write at once.
const WRITERS: usize = 6;

/// What became of every note that was ever sent: its key, and whether the server acknowledged it.
type Sent = Arc<Mutex<BTreeMap<String, (String, bool)>>>;

/// Sends a note and remembers what was said about it. False when the server went away.
async fn send(visitor: &Visitor, record: &str, text: &str, key: &str, sent: &Sent) -> bool {
    sent.lock().await.entry(text.to_owned()).or_insert_with(|| (key.to_owned(), false));
    let pairs = [("submission", key), ("text", text), ("occurred", "2020")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    let body = crate::support::encode(&pairs).into_bytes();
    let path = format!("{record}/notes");
    match visitor.try_ask(reqwest::Method::POST, &path, Some(crate::support::FORM), body).await {
        Ok(answer) => {
            assert_eq!(answer.status, 303, "{}", answer.text());
            sent.lock().await.insert(text.to_owned(), (key.to_owned(), true));
            true
        }
        Err(_) => false,
    }
}

/// Sets the household up with the address that the program printed, and makes a record for each writer.
pub async fn begin(program: &Program, place: &Place) -> (Visitor, Vec<String>) {
    let said = std::fs::read_to_string(place.directory().join("server.log")).unwrap();
    let at = said.find("/setup?code=").unwrap_or_else(|| panic!("no set-up address: {said}"));
    let path = said[at..].split(|c: char| c.is_whitespace() || c == '"').next().unwrap().to_owned();
    let ana = program.visitor();
    let form = ana.open(&path).await.form("Set up");
    let form = form
        .fill("household", "The Lindens")
        .fill("name", "Ana")
        .fill("email", &email("Ana"))
        .fill("password", PASSWORD);
    ana.submit(&form, "Set up").await;
    let mut records = Vec::new();
    for n in 0..WRITERS {
        let form = ana.open("/records/new").await.form(words::NEW).fill("title", &format!("Record {n}"));
        let to = ana.press(&form, words::NEW).await.expect_redirect();
        records.push(to.split('?').next().unwrap().to_owned());
    }
    (ana, records)
}

pub fn again(program: &Program, ana: &Visitor) -> Visitor {
    let visitor = program.visitor();
    ana.cookies().iter().for_each(|(name, value)| visitor.set_cookie(name, value));
    visitor
}

/// Writes until the program is gone, which happens after a random number of acknowledged notes and a random moment more.
async fn write_until_killed(
    program: Program,
    ana: &Visitor,
    records: &[String],
    sent: &Sent,
    round: usize,
    dice: &mut Dice,
) {
    let enough = 1 + dice.below(30) as usize;
    let moment = Duration::from_micros(dice.below(4_000));
    let (acknowledged, reached) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut writers = tokio::task::JoinSet::new();
    for (writer, record) in records.iter().enumerate() {
        let (visitor, record, sent) = (again(&program, ana), record.clone(), Arc::clone(sent));
        let (acknowledged, reached) = (Arc::clone(&acknowledged), Arc::clone(&reached));
        writers.spawn(async move {
            for n in 0.. {
                let text = format!("round {round} writer {writer} note {n}");
                if !send(&visitor, &record, &text, &Uuid::now_v7().to_string(), &sent).await {
                    return;
                }
                if acknowledged.fetch_add(1, Ordering::SeqCst) + 1 == enough {
                    reached.notify_one();
                }
            }
        });
    }
    reached.notified().await;
    tokio::time::sleep(moment).await; // somewhere inside a request: chance, not synchronisation
    program.kill();
    writers.join_all().await;
}

/// Every acknowledged note is in the ledger, none is there twice, and none that nobody sent.
async fn check(place: &Place, sent: &Sent) {
    let (clean, said) = run(place, &["verify"], "");
    assert!(clean, "verify: {said}");
    let db = place.open().await;
    let found = notes(&db).await;
    db.close().await;
    let sent = sent.lock().await;
    let lost: BTreeSet<_> = sent.iter().filter(|(text, (_, ok))| *ok && !found.contains_key(*text)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    for (text, times) in &found {
        assert_eq!(*times, 1, "{text}");
        assert!(sent.contains_key(text), "nobody sent {text}");
    }
}

async fn survives(engine: Engine) {
    let mut dice = Dice::new("kill");
    let place = Place::durable(engine).await;
    let program = Program::serve(&place).await;
    let (ana, records) = begin(&program, &place).await;
    let sent = Sent::default();
    write_until_killed(program, &ana, &records, &sent, 0, &mut dice).await;
    for round in 1..KILLS {
        check(&place, &sent).await;
        let program = Program::serve(&place).await;
        write_until_killed(program, &ana, &records, &sent, round, &mut dice).await;
    }
    check(&place, &sent).await;

    // Whoever got no answer sends the same form again and is answered as if nothing had happened.
    let program = Program::serve(&place).await;
    let visitor = again(&program, &ana);
    let unanswered: Vec<(String, String)> = {
        let sent = sent.lock().await;
        sent.iter().filter(|(_, (_, ok))| !ok).map(|(text, (key, _))| (text.clone(), key.clone())).collect()
    };
    for (text, key) in &unanswered {
        let writer: usize = text.split(' ').nth(3).unwrap().parse().unwrap();
        assert!(send(&visitor, &records[writer], text, key, &sent).await);
    }
    program.kill();
    check(&place, &sent).await;
    let db = place.open().await;
    assert_eq!(notes(&db).await.len(), sent.lock().await.len(), "everything that was sent is there, once");
    db.close().await;
    println!("{KILLS} kills, {} notes, {} without an answer", sent.lock().await.len(), unanswered.len());
}

both_engines! {
    async fn what_was_acknowledged_survives_twenty_kills(engine: Engine) {
        survives(engine).await;
    }
}
