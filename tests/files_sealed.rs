//! Sealing, seen from outside: no plain byte anywhere, nothing changed goes out, keys that wrap and are changed.

use std::path::{Path, PathBuf};

use lifeops::app::{App, Clock};
use lifeops::commands::second_factor;
use lifeops::config::Secret;
use lifeops::domain::Refusal;
use lifeops::error::Error;
use lifeops::keys;
use lifeops::store::db::sql;
use lifeops::upkeep::{key_change, verify};
use reqwest::Method;

use crate::files::{PDF, add, address, objects, picture, rows};
use crate::kill::{again, begin};
use crate::support::{Dice, Engine, Home, Place, Program, audit, command, run, settings, words};

/// Every file below a folder that holds these bytes.
fn holding(folder: &Path, marker: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, marker));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(marker.len()).any(|window| window == marker)
        {
            found.push(path);
        }
    }
    found
}

/// Something that nobody else writes.
fn marker(dice: &mut Dice) -> Vec<u8> {
    format!("recognisable-{:016x}{:016x}", dice.next(), dice.next()).into_bytes()
}

/// Where plain bytes could lie: the data directory, temporary files, whatever the S3 server keeps.
fn places(place: &Place) -> Vec<PathBuf> {
    let mut all = vec![place.directory().to_owned(), std::env::temp_dir()];
    all.extend(place.bucket().map(|_| place.objects().parent().unwrap().to_owned()));
    all
}

async fn nowhere(place: &Place, marker: &[u8], when: &str) {
    for folder in places(place) {
        assert_eq!(holding(&folder, marker), Vec::<PathBuf>::new(), "{when}");
    }
    // In PostgreSQL too: every column that could hold bytes or text.
    if place.url().is_some() {
        let db = place.open().await;
        for table in ["upload", "blob", "thumbnail", "attachment", "record_events"] {
            let text = format!(
                "select count(*) as n from {table} as t where position(convert_from($1, 'UTF8') in t::text) > 0 \
                                or position(encode($1, 'hex') in t::text) > 0"
            );
            let found = sql(text).bind(marker).one(&db).await.unwrap().int("n").unwrap();
            assert_eq!(found, 0, "{table} {when}");
        }
        db.close().await;
    }
}

all_stores! {
    async fn no_plain_byte_is_ever_on_disk(engine: Engine, store: Store) {
        let mut dice = Dice::new("files_sealed::no_plain_byte");
        let place = Place::durable(engine).await.with(store);
        let program = Program::serve(&place).await;
        let (ana, records) = begin(&program, &place).await;
        let mark = marker(&mut dice);
        let content = mark.repeat(400_000 / mark.len());
        let form = ana.open(&records[0]).await.form(words::NOTE).fill("text", "x").choose("files", "a.txt", content.clone());
        let page = ana.submit(&form, words::NOTE).await;
        assert!(ana.get(&address(&page, "a.txt")).await.expect(200).raw == content);
        nowhere(&place, &mark, "at rest").await;
        // A refused form whose file waits.
        let waiting = marker(&mut dice);
        let form = ana.open(&records[0]).await.form(words::NOTE).choose("files", "b.txt", waiting.repeat(1000));
        ana.press(&form, words::NOTE).await.expect(422);
        nowhere(&place, &waiting, "while it waits").await;
        // And killed in the middle of an upload, more than once.
        let mut program = program;
        for round in 0..3_u64 {
            let cut = marker(&mut dice);
            let visitor = again(&program, &ana);
            let (path, body) = (format!("{}/notes", records[0]), half(&cut, 9_000_000 + round * 3_000_000));
            let sending = tokio::spawn(async move {
                let kind = "multipart/form-data; boundary=b";
                visitor.try_ask(Method::POST, &path, Some(kind), body).await.is_err()
            });
            let before = std::time::Instant::now();
            // Something of it is in the store before the program dies.
            while before.elapsed().as_secs() < 20 && !sending.is_finished() {
                tokio::time::sleep(std::time::Duration::from_millis(3 + dice.below(20))).await;
                if before.elapsed().as_millis() > 30 {
                    break;
                }
            }
            program.kill();
            let _ = sending.await;
            nowhere(&place, &cut, "killed in the middle").await;
            program = Program::serve(&place).await;
        }
        let (well, said) = run(&place, &["verify"], "");
        assert!(well && said.contains("opened, all as they were sealed"), "{said}");
    }
}

/// A form whose file is long enough to be cut.
fn half(marker: &[u8], length: u64) -> Vec<u8> {
    let head = "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"cut.txt\"\r\n\r\n";
    let content = marker.repeat(usize::try_from(length).unwrap() / marker.len());
    [head.as_bytes(), &content, b"\r\n--b--\r\n"].concat()
}

/// Everything that comes for a request, to the end of the line.
fn raw(visitor: &crate::support::Visitor, path: &str) -> Vec<u8> {
    use std::io::{Read as _, Write as _};
    let host = visitor.base().trim_start_matches("http://").to_owned();
    let mut line = std::net::TcpStream::connect(&host).unwrap();
    let cookie = visitor.cookie_header();
    write!(line, "GET {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = line.read_to_end(&mut answer);
    answer
}

/// What verify finds wrong with files.
async fn found(app: &App) -> Vec<String> {
    verify::all(app, &[], &|_, _| {}).await.unwrap().problems().cloned().collect()
}

all_stores! {
    /// What is changed behind what was looked at before the answer began: the download ends there, short of what it promised.
    async fn what_is_changed_far_behind_breaks_the_download_off(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |_| ()).await;
        let record = home.create(&home.ana, "Film", &[]).await;
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n / 5) as u8).collect();
        let page = add(&home.ana, &record, "film.bin", bytes.clone()).await;
        let object = objects(&home).remove(0);
        let mut sealed = std::fs::read(&object).unwrap();
        sealed[700_000] ^= 1;
        std::fs::write(&object, sealed).unwrap();
        for path in [address(&page, "film.bin"), format!("{record}/attachments.zip")] {
            let (visitor, asked) = (home.ana.clone(), path.clone());
            let answer = tokio::task::spawn_blocking(move || raw(&visitor, &asked)).await.unwrap();
            let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}");
            let body = &answer[head + 4..];
            assert!(body.len() < bytes.len(), "{path}: {} bytes", body.len());
            match path.ends_with(".zip") {
                // No end of chunks, no table of contents.
                true => assert!(!body.ends_with(b"0\r\n\r\n") && !body.windows(4).any(|four| four == b"PK\x05\x06")),
                false => assert!(bytes.starts_with(body), "what came is not what went in"),
            }
        }
        assert_eq!(found(&home.server.app).await.len(), 1);
    }

    /// Small pictures are sealed like the files that they are of.
    async fn small_pictures_are_sealed_too(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |_| ()).await;
        let record = home.create(&home.ana, "House", &[]).await;
        let page = add(&home.ana, &record, "house.png", picture(900, 600)).await;
        let small = home.ana.get(&page.attributes("img", "src")[0]).await.expect(200).raw;
        assert_eq!(objects(&home).len(), 2);
        for folder in places(home.server.place()) {
            assert_eq!(holding(&folder, &small[small.len() / 2..][..32]), Vec::<PathBuf>::new());
        }
    }

    /// A content whose object is lost or cut short is whole again once somebody sends the same file.
    async fn what_is_lost_in_the_store_is_mended_by_sending_it_again(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |_| ()).await;
        let record = home.create(&home.ana, "Papers", &[]).await;
        for lose in ["gone", "cut", "flipped"] {
            let text = format!("a deed that is lost: {lose}");
            let name = format!("deed {lose}.txt");
            let known = objects(&home);
            let page = add(&home.ana, &record, &name, text.clone()).await;
            let deed = address(&page, &name);
            let object = objects(&home).into_iter().find(|path| !known.contains(path)).unwrap();
            let mut sealed = std::fs::read(&object).unwrap();
            match lose {
                "gone" => std::fs::remove_file(&object).unwrap(),
                "cut" => std::fs::write(&object, &sealed[..20]).unwrap(),
                _ => {
                    sealed[30] ^= 1;
                    std::fs::write(&object, sealed).unwrap();
                }
            }
            assert_eq!(home.ben.get(&deed).await.status, 503);
            let page = add(&home.ben, &record, &format!("copy {lose}.txt"), text.clone()).await;
            for path in [deed, address(&page, &format!("copy {lose}.txt"))] {
                assert_eq!(home.ana.get(&path).await.expect(200).body, text);
            }
            crate::support::eventually("what is left of the lost one to go", || !object.exists());
        }
        assert_eq!((rows(&home, "blob").await, rows(&home, "attachment").await), (3, 6));
        audit(&home.server.app).await;
    }

    async fn what_was_changed_in_the_store_never_goes_out(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |_| ()).await;
        let app = &home.server.app;
        let record = home.create(&home.ana, "Papers", &[]).await;
        let [one, two] = [1_u8, 2].map(|n| vec![n; 200_000]);
        add(&home.ana, &record, "one.bin", one.clone()).await;
        let page = add(&home.ana, &record, "two.bin", two.clone()).await;
        let paths = ["one.bin", "two.bin"].map(|name| address(&page, name));
        let files = objects(&home);
        assert_eq!(files.len(), 2);
        let sealed: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        assert_eq!(found(app).await, Vec::<String>::new());
        let mut changed: Vec<(&str, Vec<Vec<u8>>)> = vec![
            ("swapped", vec![sealed[1].clone(), sealed[0].clone()]),
            ("cut at a border of chunks", sealed.iter().map(|s| s[..16 + 2 * (65_536 + 16)].to_vec()).collect()),
            ("cut off it", sealed.iter().map(|s| s[..100_000].to_vec()).collect()),
            ("longer", sealed.iter().map(|s| [s.as_slice(), b"more"].concat()).collect()),
            ("empty", vec![Vec::new(); 2]),
        ];
        for at in [0, 15, 16, 70_000, sealed[0].len() - 1] {
            let flip = |s: &Vec<u8>| {
                let mut s = s.clone();
                s[at] ^= 4;
                s
            };
            changed.push(("a flipped bit", sealed.iter().map(flip).collect()));
        }
        let step = 65_536 + 16;
        changed.push(("chunks swapped", sealed.iter().map(|s| [&s[..16], &s[16 + step..16 + 2 * step], &s[16..16 + step], &s[16 + 2 * step..]].concat()).collect()));
        for (what, contents) in changed {
            files.iter().zip(&contents).for_each(|(file, bytes)| std::fs::write(file, bytes).unwrap());
            for (path, good) in paths.iter().zip([&one, &two]) {
                // Or it breaks off: what had gone out before was right, and the length was not reached.
                if let Ok(page) = home.ana.try_ask(Method::GET, path, None, Vec::new()).await {
                    assert!(page.status >= 500 && page.raw != *good, "{what}: {}", page.status);
                }
            }
            assert_eq!(found(app).await.len(), 2, "{what}");
        }
        files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
        home.ana.get(&paths[0]).await.expect(503).expect_words("damaged or missing");
        assert_eq!(found(app).await.len(), 2);
        files.iter().zip(&sealed).for_each(|(file, bytes)| std::fs::write(file, bytes).unwrap());
        assert_eq!(found(app).await, Vec::<String>::new());
        // A row that is gone is a file without content; a wrapped key of another row opens nothing.
        sql("update blob set wrapped_key = (select b.wrapped_key from blob as b where b.digest > blob.digest)
             where exists (select 1 from blob as b where b.digest > blob.digest)").run(&app.db).await.unwrap();
        let problems = found(app).await;
        assert!(problems.len() == 1 && problems[0].contains("wrapped key"), "{problems:?}");
        sql("delete from blob").run(&app.db).await.unwrap();
        let problems = found(app).await;
        assert!(problems.len() == 2 && problems.iter().all(|problem| problem.contains("has no content")), "{problems:?}");
    }
}

both_engines! {
    /// The master key changes while people upload and download, is interrupted, and goes on.
    async fn the_master_key_changes_while_the_server_runs(engine: Engine) {
        let home = Home::start(engine).await;
        let app = &home.server.app;
        let record = home.create(&home.ana, "Papers", &[]).await;
        for n in 0..5 {
            add(&home.ana, &record, &format!("{n}.txt"), format!("number {n}")).await;
        }
        let page = add(&home.ana, &record, "photo.png", picture(50, 40)).await;
        let small = page.attributes("img", "src")[0].clone();
        let before = home.ana.get(&small).await.expect(200).raw;
        // A form whose file waits under the old key.
        let waiting = home.ana.open(&record).await.form(words::NOTE).choose("files", "waits.pdf", PDF);
        let waiting = home.ana.press(&waiting, words::NOTE).await.expect(422);
        let old = app.key.current().id();
        // Another program changes the key: this server is not told.
        let elsewhere = App::open((*app.settings).clone(), app.clock.clone()).await.unwrap();
        let changed = key_change::change(&elsewhere, None, &|_| ()).await.unwrap();
        assert_eq!((changed.old_id.as_str(), changed.files), (old.as_str(), 8));
        assert!(changed.new_id != old && !changed.resumed);
        let left = sql("select count(*) as n from blob where key_id = $1").bind(&old).one(&app.db).await.unwrap();
        assert_eq!(left.int("n").unwrap(), 0);
        // It learns of it where it needs it.
        assert_eq!(home.ana.get(&address(&page, "3.txt")).await.expect(200).body, "number 3");
        assert!(home.ana.get(&small).await.expect(200).raw == before);
        let done = home.ana.submit(&waiting.form(words::NOTE).fill("text", "At last"), words::NOTE).await;
        assert!(home.ana.get(&address(&done, "waits.pdf")).await.expect(200).raw == PDF);
        add(&home.ana, &record, "after.txt", "under the new key").await;
        let left = sql("select count(*) as n from blob where key_id <> $1").bind(&changed.new_id).one(&app.db).await.unwrap();
        assert_eq!(left.int("n").unwrap(), 0, "everything is under the new key");
        audit(app).await;
        // Before every server has learnt of it there is no other change.
        let again = key_change::change(&elsewhere, None, &|_| ()).await;
        assert!(matches!(again, Err(Error::Refused(Refusal(sentence))) if sentence.contains("a moment ago")));
        // Later the change is forgotten, and no copy of the database tells of it any more.
        let sealed = sql("select new_under_old, old_under_new from key_change").one(&app.db).await.unwrap();
        let sealed = ["new_under_old", "old_under_new"].map(|column| sealed.bytes(column).unwrap());
        let long_ago = app.clock.now().plus_seconds(-3600);
        sql("update key_change set done_at = $1").bind(long_ago).run(&app.db).await.unwrap();
        elsewhere.db.close().await;
        let (well, said) = run(home.server.place(), &["sweep"], "");
        assert!(well && rows(&home, "key_change").await == 0, "{said}");
        let place = home.server.stop().await;
        for file in std::fs::read_dir(place.directory()).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
            let bytes = std::fs::read(&file).unwrap();
            for key in &sealed {
                assert!(!bytes.windows(key.len()).any(|some| some == key), "{} has a key in it", file.display());
            }
        }
        // The next start has the new key, and only that.
        let (well, said) = run(&place, &["keys", "list"], "");
        assert!(well && said.contains(&changed.new_id) && !said.contains(&old), "{said}");
        assert!(run(&place, &["verify"], "").0);
        // The file from before still opens what was kept before: it is not thrown away.
        assert!(place.directory().join(format!("master.key.{old}")).exists());
        let key = std::fs::read_to_string(place.directory().join("master.key")).unwrap();
        assert!(!said.contains(key.trim()));
        // With the old one back in its place nothing starts.
        std::fs::copy(place.directory().join(format!("master.key.{old}")), place.directory().join("master.key")).unwrap();
        let (well, said) = run(&place, &["verify"], "");
        assert!(!well && said.contains("not the one that this database was begun with"), "{said}");
    }

    /// Stopped by force at any moment, a change of the key is taken up again, and until then everything works.
    async fn an_interrupted_change_of_the_key_is_finished_later(engine: Engine) {
        let mut dice = Dice::new("files_sealed::interrupted");
        let place = Place::durable(engine).await;
        let program = Program::serve(&place).await;
        let (ana, records) = begin(&program, &place).await;
        for n in 0..30 {
            let form = ana.open(&format!("{}/attachments", records[0])).await.form("Add files");
            ana.submit(&form.choose("files", &format!("{n}.txt"), format!("number {n}")), "Add files").await;
        }
        for round in 0..8_u64 {
            // As if the last one was long ago.
            let db = place.open().await;
            sql("delete from key_change where done_at is not null").run(&db).await.unwrap();
            db.close().await;
            let mut change = command(&place, &["keys", "rotate"]).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20 + dice.below(140)));
            let _ = change.kill();
            let _ = change.wait();
            // Whatever happened: the server that runs serves on, and another start works.
            let page = ana.open(&records[0]).await;
            let n = (round * 3) % 30;
            assert_eq!(ana.get(&address(&page, &format!("{n}.txt"))).await.expect(200).body, format!("number {n}"));
            let form = ana.open(&format!("{}/attachments", records[0])).await.form("Add files");
            ana.submit(&form.choose("files", &format!("r{round}.txt"), format!("round {round}")), "Add files").await;
            let (well, said) = run(&place, &["verify"], "");
            assert!(well, "round {round}: {said}");
        }
        // Several at once: one does it, the others are told so; then it is done.
        let mut crowd: Vec<_> = (0..4).map(|_| command(&place, &["keys", "rotate"]).spawn().unwrap()).collect();
        crowd.iter_mut().for_each(|change| drop(change.wait()));
        let (_, said) = run(&place, &["keys", "rotate"], "");
        assert!(said.contains("a moment ago") || said.contains("The master key is"), "{said}");
        let (_, listed) = run(&place, &["keys", "list"], "");
        assert_eq!(listed.lines().filter(|line| line.contains("wrapped key")).count(), 1, "{listed}");
        program.kill();
        assert!(run(&place, &["verify"], "").0);
    }

    /// A change that was begun to one key is not finished with another, and a key that is broken does not stop it.
    async fn a_change_that_was_begun_goes_on_to_its_own_key(engine: Engine) {
        let place = Place::empty(engine).await;
        let key = "5a".repeat(32);
        let with_key = |word: &str| keys::MasterKey::from_bytes([word.as_bytes()[0]; 32]);
        let mut settings = settings(&place);
        settings.master_key = Some(Secret::new(&key));
        let app = App::open(settings.clone(), Clock::System).await.unwrap();
        let server = crate::support::Server::start_with(place, settings.clone(), Clock::System).await;
        let ana = server.visitor();
        crate::support::set_up(&server, &ana).await;
        let form = ana.open("/records/new").await.form(words::NEW).fill("title", "Papers").choose("files", "a.txt", "first");
        let page = ana.submit(&form.choose("files", "b.txt", "second"), words::NEW).await;
        // One of two wrapped keys is broken.
        let lost = sql("select digest from blob order by digest limit 1").one(&app.db).await.unwrap().digest("digest").unwrap();
        sql("update blob set wrapped_key = $2 where digest = $1").bind(lost).bind([7_u8; 76].as_slice()).run(&app.db).await.unwrap();
        let changed = key_change::change(&app, Some(with_key("a")), &|_| ()).await.unwrap();
        assert_eq!((changed.files, changed.broken, changed.resumed), (1, 1, false));
        // As if it had been interrupted before its end.
        sql("update key_change set done_at = null").run(&app.db).await.unwrap();
        let fresh = App::open(settings.clone(), Clock::System).await.unwrap();
        for named in [Some(with_key("b")), None] {
            let refused = key_change::change(&fresh, named, &|_| ()).await;
            assert!(matches!(refused, Err(Error::Refused(Refusal(said))) if said.contains("begun and not finished")));
        }
        let changed = key_change::change(&fresh, Some(with_key("a")), &|_| ()).await.unwrap();
        assert!(changed.resumed && changed.new_id == with_key("a").id());
        // What is whole opens; what is broken is mended by sending it again.
        let open = [("a.txt", "first"), ("b.txt", "second")].map(|(name, words)| (address(&page, name), name, words));
        let mut well = 0;
        for (path, ..) in &open {
            well += usize::from(ana.get(path).await.status == 200);
        }
        assert_eq!(well, 1);
        let record = page.path.split('?').next().unwrap().to_owned();
        for (path, name, words) in open {
            add(&ana, &record, name, words).await;
            assert_eq!(ana.get(&path).await.expect(200).body, words);
        }
        app.db.close().await;
        fresh.db.close().await;
    }

    async fn a_second_step_outlives_a_change_of_the_key(engine: Engine) {
        let home = Home::start(engine).await;
        let app = &home.server.app;
        crate::second_factor::turn_on(&home.ana, &app.clock).await;
        let changed = key_change::change(app, None, &|_| ()).await.unwrap();
        assert_eq!(changed.second_steps, 1);
        // For a program that knows the new key alone.
        let settings = (*app.settings).clone();
        sql("delete from key_change").run(&app.db).await.unwrap();
        let fresh = App::open(settings, app.clock.clone()).await.unwrap();
        assert!(second_factor::locked(&fresh).await.unwrap().is_empty());
    }

    /// Two contents of two households never open under each other's names.
    async fn a_content_belongs_to_its_household(engine: Engine) {
        let home = Home::start(engine).await;
        let (mine, theirs) = (home.create(&home.ana, "A", &[]).await, home.create(&home.cleo, "C", &[]).await);
        add(&home.ana, &mine, "x.txt", "the same words").await;
        let page = add(&home.cleo, &theirs, "x.txt", "the same words").await;
        let app = &home.server.app;
        assert_eq!(rows(&home, "blob").await, 2);
        // The rows are exchanged: keys are bound to their household.
        let keys = sql("select household_id, wrapped_key from blob order by household_id").all(&app.db).await.unwrap();
        for (one, other) in [(0, 1), (1, 0)] {
            sql("update blob set wrapped_key = $2 where household_id = $1")
                .bind(keys[one].uuid("household_id").unwrap())
                .bind(keys[other].bytes("wrapped_key").unwrap())
                .run(&app.db)
                .await
                .unwrap();
        }
        home.cleo.get(&address(&page, "x.txt")).await.expect(500);
        assert_eq!(found(app).await.len(), 2);
    }
}

/// The key in the settings: the new one comes from a file, and is asked for at the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_the_settings_is_changed_to_one_in_a_file() {
    let place = Place::empty(Engine::Sqlite).await;
    let (old, new) = ("11".repeat(32), "22".repeat(32));
    let with = |key: &str, arguments: &[&str]| {
        let output = command(&place, arguments).env("LIFEOPS_MASTER_KEY", key).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let mut settings = settings(&place);
    settings.master_key = Some(Secret::new(old.clone()));
    App::open(settings, Clock::System).await.unwrap().db.close().await;
    let file = place.directory().join("new.key");
    std::fs::write(&file, &new).unwrap();
    let path = file.to_str().unwrap().to_owned();
    let (well, said) = with(&old, &["keys", "rotate"]);
    assert!(!well && said.contains("--new-key-file"), "{said}");
    let (well, said) = with(&old, &["keys", "rotate", "--new-key-file", &path]);
    assert!(!well && said.contains("chmod 600"), "{said}");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (well, said) = with(&old, &["keys", "rotate", "--new-key-file", &path]);
    assert!(well && said.contains("before the next start") && !said.contains(&new) && !said.contains(&old), "{said}");
    assert!(with(&new, &["verify"]).0);
    assert!(!place.directory().join("master.key").exists());
}
