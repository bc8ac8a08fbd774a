//! Many at once: nothing is lost, nothing comes twice, and everybody is told the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lifeops::store::db::{Db, sql};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{Dice, Home, Page, Visitor, audit, notes, words};

/// How many write at once.
const WRITERS: usize = 32;

/// How many notes each of them writes.
const EACH: usize = 4;

/// Adds a note the way a second tab would: the form's pairs with this text and a key of its own.
async fn add(visitor: &Visitor, record: &str, text: &str) -> Page {
    visitor.post(&format!("{record}/notes"), &note_pairs(text, &Uuid::now_v7().to_string())).await
}

fn note_pairs(text: &str, key: &str) -> Vec<(String, String)> {
    [("submission", key), ("text", text), ("occurred", "2 3 2020")].map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec()
}

/// Writers on the given records, each in turn Ana or Ben; returns the texts that were acknowledged.
async fn write_all(home: &Home, records: &[String]) -> BTreeSet<String> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let visitor = if writer % 2 == 0 { home.ana.clone() } else { home.ben.clone() };
        let record = records[writer % records.len()].clone();
        writers.spawn(async move {
            let mut told = Vec::new();
            for n in 0..EACH {
                let text = format!("writer {writer} note {n}");
                let answer = add(&visitor, &record, &text).await;
                assert_eq!(answer.status, 303, "{}", answer.text());
                told.push(text);
            }
            told
        });
    }
    writers.join_all().await.into_iter().flatten().collect()
}

both_engines! {
    async fn thirty_two_writers_on_one_record(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Water heater", &[]).await;
        let told = write_all(&home, &[record]).await;
        assert_eq!(told.len(), WRITERS * EACH);
        assert_eq!(notes(&home.server.app.db).await, each_once(&told));
        audit(&home.server.app).await;
    }

    async fn thirty_two_writers_on_many_records(engine: Engine) {
        let home = Home::start(engine).await;
        let mut records = Vec::new();
        for n in 0..8 {
            records.push(home.create(&home.ana, &format!("Record {n}"), &[]).await);
        }
        let told = write_all(&home, &records).await;
        assert_eq!(notes(&home.server.app.db).await, each_once(&told));
        audit(&home.server.app).await;
    }

    async fn of_many_who_change_one_value_at_once_one_wins_and_the_others_are_told(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let form = home.ana.open(&format!("{record}/edit")).await.form(words::SAVE);
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let visitor = if writer % 2 == 0 { home.ana.clone() } else { home.ben.clone() };
            let title = format!("Boiler {writer}");
            let form = form.clone().fill("title", &title).fill("meaning", "wrong").force("submission", &Uuid::now_v7().to_string());
            writers.spawn(async move { (title, visitor.press(&form, words::SAVE).await) });
        }
        let mut won = Vec::new();
        for (title, answer) in writers.join_all().await {
            match answer.status {
                303 => won.push(title),
                409 => assert!(answer.says(&title), "a loser still sees what was typed: {}", answer.text()),
                other => panic!("{other}: {}", answer.text()),
            }
        }
        assert_eq!(won.len(), 1, "exactly one was told that it was saved: {won:?}");
        assert_eq!(home.ana.open(&record).await.heading(), won[0]);
        audit(&home.server.app).await;
    }

    async fn one_submission_sent_by_many_at_once_is_one_event_and_one_answer(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Car", &[]).await;
        let pairs = note_pairs("Winter tyres on", &Uuid::now_v7().to_string());
        let mut senders = JoinSet::new();
        for _ in 0..WRITERS {
            let (visitor, path, pairs) = (home.ana.clone(), format!("{record}/notes"), pairs.clone());
            senders.spawn(async move { visitor.post(&path, &pairs).await });
        }
        let answers: BTreeSet<String> = senders.join_all().await.iter().map(Page::expect_redirect).collect();
        assert_eq!(answers.len(), 1, "all are answered alike: {answers:?}");
        assert_eq!(notes(&home.server.app.db).await, BTreeMap::from([("Winter tyres on".to_owned(), 1)]));
        audit(&home.server.app).await;
    }

    async fn a_reader_that_follows_positions_sees_every_event_once(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Meter", &[]).await;
        let stop = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (db, stop) = (home.server.app.db.clone(), Arc::clone(&stop));
                tokio::spawn(async move { follow(&db, &stop).await })
            })
            .collect();
        let told = write_all(&home, &[record]).await;
        stop.store(true, Ordering::SeqCst);
        let all = home_events(&home.server.app.db, "The Lindens", 0).await;
        assert!(all.len() > told.len());
        for reader in readers {
            assert_eq!(reader.await.unwrap(), all, "every event once, in order");
        }
    }

    async fn who_hangs_up_changes_nothing_of_that_and_empties_no_pool(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Lease", &[]).await;
        let mut dice = Dice::new("hang up");
        let mut whole = BTreeSet::new();
        for n in 0..150 {
            let text = format!("hung up {n}");
            let body = crate::support::encode(&note_pairs(&text, &Uuid::now_v7().to_string()));
            let head = format!(
                "POST {record}/notes HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
                home.server.address,
                home.ana.cookie_header(),
                crate::support::FORM,
                body.len(),
            );
            let request = [head, body].concat().into_bytes();
            // Half of them break off in the middle of the request, half after it and before the answer.
            let sent = if n % 2 == 0 { request.len() } else { dice.below(request.len() as u64) as usize };
            if sent == request.len() {
                whole.insert(text);
            }
            let mut stream = TcpStream::connect(home.server.address).await.unwrap();
            stream.write_all(&request[..sent]).await.unwrap();
            drop(stream);
        }
        // Everything still answers, readers and writers alike.
        for n in 0..WRITERS {
            assert_eq!(add(&home.ben, &record, &format!("after it {n}")).await.status, 303);
            home.mila.open(&record).await;
        }
        let app = home.server.app.clone();
        let place = home.server.stop().await; // waits until no connection is in use any more
        drop(app);
        let server = crate::support::Server::start(place, lifeops::app::Clock::System).await;
        let found = notes(&server.app.db).await;
        for (text, times) in &found {
            assert_eq!(*times, 1, "{text}");
            assert!(text.starts_with("after it") || whole.contains(text), "half a request wrote {text}");
        }
        assert_eq!(found.keys().filter(|text| text.starts_with("after it")).count(), WRITERS);
        audit(&server.app).await;
    }
}

fn each_once(texts: &BTreeSet<String>) -> BTreeMap<String, usize> {
    texts.iter().map(|text| (text.clone(), 1)).collect()
}

/// Reads on from the last position until it has been told to stop and there is nothing more.
async fn follow(db: &Db, stop: &AtomicBool) -> Vec<(i64, Uuid)> {
    let mut seen: Vec<(i64, Uuid)> = Vec::new();
    loop {
        let last = stop.load(Ordering::SeqCst);
        let after = seen.last().map_or(0, |(position, _)| *position);
        let new = home_events(db, "The Lindens", after).await;
        if new.is_empty() && last {
            return seen;
        }
        seen.extend(new);
        tokio::task::yield_now().await;
    }
}

async fn home_events(db: &Db, household: &str, after: i64) -> Vec<(i64, Uuid)> {
    let rows = sql("select e.position, e.event_id from record_events e join household h on h.id = e.household_id
          where h.name = $1 and e.position > $2 order by e.position")
    .bind(household)
    .bind(after)
    .all(db)
    .await
    .unwrap();
    rows.iter().map(|row| (row.int("position").unwrap(), row.uuid("event_id").unwrap())).collect()
}
