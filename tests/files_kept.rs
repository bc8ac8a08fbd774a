//! Nothing is lost: killed in the middle of uploads, moved to another engine, read in little memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lifeops::upkeep::{export, restore};
use reqwest::Method;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::files::{PDF, add, address, picture};
use crate::kill::{again, begin};
use crate::support::{Dice, Home, Place, Program, Server, Store, Visitor, audit, run, settings};

/// A form with one file, written by hand so that a broken line is no surprise.
fn form(key: &str, name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"submission\"\r\n\r\n{key}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"occurred\"\r\n\r\n2020\r\n\
         --b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n"
    );
    [head.as_bytes(), bytes, b"\r\n--b--\r\n"].concat()
}

const KIND: &str = "multipart/form-data; boundary=b";

/// Uploads until the program is gone; notes what was acknowledged.
async fn upload_until_killed(
    program: Program,
    ana: &Visitor,
    records: &[String],
    round: u64,
    dice: &mut Dice,
    kept: &Kept,
) {
    let mut writers = tokio::task::JoinSet::new();
    for (writer, record) in records.iter().enumerate() {
        let (visitor, record, kept) = (again(&program, ana), record.clone(), Arc::clone(kept));
        let sizes: Vec<u64> = (0..20).map(|_| 1 + dice.below(700_000)).collect();
        writers.spawn(async move {
            for (n, size) in sizes.into_iter().enumerate() {
                // Every third one has a content that others have too.
                let seed = if n % 3 == 0 { n as u8 } else { (writer * 31 + n * 7 + round as usize) as u8 };
                let bytes: Vec<u8> =
                    (0..size).map(|at| (at as u8).wrapping_mul(seed).wrapping_add(at.to_le_bytes()[1])).collect();
                let name = format!("r{round}w{writer}n{n}.bin");
                let body = form(&uuid::Uuid::now_v7().to_string(), &name, &bytes);
                let path = format!("{record}/attachments");
                match visitor.try_ask(Method::POST, &path, Some(KIND), body).await {
                    Ok(page) if page.status == 303 => {
                        kept.lock().await.insert(name, Sha256::digest(&bytes).into());
                    }
                    Ok(page) => panic!("{name}: {} {}", page.status, page.text()),
                    Err(_) => return,
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(30 + dice.below(500))).await; // chance, not synchronisation
    program.kill();
    writers.join_all().await;
}

type Kept = Arc<Mutex<BTreeMap<String, [u8; 32]>>>;

all_stores! {
    async fn uploads_survive_kills(engine: Engine, store: Store) {
        let mut dice = Dice::new("files_kept::kills");
        let place = Place::durable(engine).await.with(store);
        let program = Program::serve(&place).await;
        let (ana, records) = begin(&program, &place).await;
        let kept = Kept::default();
        upload_until_killed(program, &ana, &records, 0, &mut dice, &kept).await;
        for round in 1..10 {
            let (well, said) = run(&place, &["verify"], "");
            assert!(well, "round {round}: {said}");
            let program = Program::serve(&place).await;
            upload_until_killed(program, &ana, &records, round, &mut dice, &kept).await;
        }
        let (well, said) = run(&place, &["verify"], "");
        assert!(well, "{said}");
        // Every acknowledged file is there, as it was.
        let db = place.open().await;
        let found = lifeops::store::db::sql("select file_name, blob from attachment").all(&db).await.unwrap();
        let found: BTreeMap<String, [u8; 32]> =
            found.iter().map(|row| (row.text("file_name").unwrap(), row.digest("blob").unwrap())).collect();
        for (name, digest) in kept.lock().await.iter() {
            assert_eq!(found.get(name), Some(digest), "{name} was acknowledged");
        }
        // What the kills left behind is swept out a day later, and nothing else.
        let waiting = lifeops::store::db::sql("select count(*) as n from upload").one(&db).await.unwrap().int("n").unwrap();
        lifeops::store::db::sql("update upload set expires_at = (select min(created_at) from blob)").run(&db).await.unwrap();
        let blobs = lifeops::store::db::sql("select count(*) as n from blob").one(&db).await.unwrap().int("n").unwrap();
        db.close().await;
        let (well, said) = run(&place, &["sweep"], "");
        assert!(well && said.contains(&format!("{waiting} upload")), "{waiting} waited: {said}");
        let mut objects = Vec::new();
        for shard in std::fs::read_dir(folder(&place)).unwrap().flatten() {
            objects.extend(std::fs::read_dir(shard.path()).unwrap().flatten().map(|file| file.file_name()));
        }
        assert_eq!(objects.len() as i64, blobs, "{objects:?}");
        assert!(run(&place, &["verify"], "").0);
        println!("{} files kept, {waiting} uploads swept out", kept.lock().await.len());
    }
}

/// The folder of the shards.
fn folder(place: &Place) -> std::path::PathBuf {
    match place.bucket() {
        Some(_) => place.objects().join("papers"),
        None => place.objects(),
    }
}

both_engines! {
    async fn files_move_with_an_export_and_the_directory(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Papers", &[]).await;
        add(&home.ana, &record, "a.pdf", PDF).await;
        let page = add(&home.ana, &record, "b.png", picture(30, 20)).await;
        let small = page.attributes("img", "src")[0].clone();
        home.ana.get(&small).await.expect(200);
        let mut file = Vec::new();
        let exported = export::to_writer(&home.server.app, &mut file, &|_, _| ()).await.unwrap();
        assert_eq!(exported.counts.blobs, 2);
        // Into the other engine, with the same key and the same directory.
        let place = Place::empty(engine.other()).await;
        let mut other = settings(&place);
        other.blobs = home.server.place().blobs();
        std::fs::copy(home.server.place().directory().join("master.key"), place.directory().join("master.key")).unwrap();
        let server = Server::start_with(place, other, lifeops::app::Clock::System).await;
        restore::from_reader(&server.app, file.as_slice(), &|_| ()).await.unwrap();
        audit(&server.app).await;
        let visitor = server.visitor();
        crate::support::sign_in(&visitor, "Ana").await;
        let page = visitor.open(&record).await;
        assert!(visitor.get(&address(&page, "a.pdf")).await.expect(200).raw == PDF);
        assert_eq!(visitor.get(&small).await.expect(200).header("content-type"), "image/jpeg", "made again");
        let mut again = Vec::new();
        export::to_writer(&server.app, &mut again, &|_, _| ()).await.unwrap();
        let lines = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        let (one, two) = (lines(&file), lines(&again));
        assert!(one[..one.len() - 1] == two[..two.len() - 1], "export, restore, export: the same but for its date");
    }
}

/// Sixteen transfers at once, each far larger than the memory they may take.
async fn in_little_memory(engine: crate::support::Engine, store: Store, allowed: u64) {
    const EACH: usize = 96 * 1024 * 1024;
    let place = Place::durable(engine).await.with(store);
    let program = Program::serve(&place).await;
    let (ana, records) = begin(&program, &place).await;
    // What it takes by itself, caches and threads included.
    for record in &records {
        upload(&again(&program, &ana), record, "warm.bin", 3 * 1024 * 1024, 1).await;
    }
    let before = program.most_memory();
    let mut sending = tokio::task::JoinSet::new();
    for n in 0..16_u8 {
        let (visitor, record) = (again(&program, &ana), records[usize::from(n) % records.len()].clone());
        sending.spawn(async move { upload(&visitor, &record, &format!("{n}.bin"), EACH, n).await });
    }
    sending.join_all().await;
    let uploaded = program.most_memory();
    assert!(uploaded - before < allowed, "16 uploads of {EACH} bytes took {} KiB", (uploaded - before) / 1024);
    // And out again.
    let mut getting = tokio::task::JoinSet::new();
    for n in 0..16_u8 {
        let (visitor, record) = (again(&program, &ana), records[usize::from(n) % records.len()].clone());
        getting.spawn(async move {
            let page = visitor.open(&format!("{record}/attachments")).await;
            assert_eq!(visitor.drain(&address(&page, &format!("{n}.bin"))).await, EACH);
        });
    }
    getting.join_all().await;
    let downloaded = program.most_memory();
    assert!(downloaded - before < allowed, "16 downloads took {} KiB", (downloaded - before) / 1024);
    println!("{} KiB for uploads, {} KiB with downloads", (uploaded - before) / 1024, (downloaded - before) / 1024);
}

async fn upload(visitor: &Visitor, record: &str, name: &str, size: usize, seed: u8) {
    let key = uuid::Uuid::now_v7().to_string();
    let whole = form(&key, name, b"");
    let end = b"\r\n--b--\r\n".len();
    let (head, tail) = (whole[..whole.len() - end].to_vec(), whole[whole.len() - end..].to_vec());
    let piece: Vec<u8> = (0..64 * 1024_u32).map(|at| (at as u8).wrapping_add(seed)).collect();
    let page = visitor.pour(&format!("{record}/attachments"), KIND, head, piece, size, tail).await;
    assert_eq!(page, 303, "{name}");
}

all_stores! {
    async fn memory_stays_small_however_large_files_are(engine: Engine, store: Store) {
        // Eight uploads at once go to S3, in parts of at least 5 MiB: 12 MiB each.
        let allowed = match store {
            Store::Directory => 32 * 1024 * 1024,
            Store::S3 => 8 * 12 * 1024 * 1024,
        };
        in_little_memory(engine, store, allowed).await;
    }
}
