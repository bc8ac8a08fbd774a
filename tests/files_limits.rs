//! Limits: of a file, a form, a household; broken, hostile and slow uploads; a store that fails.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use lifeops::commands::uploads;
use lifeops::config::BlobPlace;
use lifeops::store::db::sql;

use crate::files::{PDF, add, address, objects, picture, rows};
use crate::support::{Home, Store, Visitor, audit, count_events, eventually, words};

/// A request written by hand, and the beginning of its answer.
fn by_hand(visitor: &Visitor, path: &str, kind: &str, length: u64, body: &[u8]) -> String {
    let mut line = TcpStream::connect(visitor.base().trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n",
        visitor.base().trim_start_matches("http://"),
        visitor.cookie_header()
    );
    line.write_all(head.as_bytes()).unwrap();
    let _ = line.write_all(body);
    // Not closed for writing: a server may take that for hanging up.
    let mut answer = Vec::new();
    let _ = line.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Ana, as commands know her.
pub async fn ana_of(home: &Home) -> lifeops::domain::access::Actor {
    let email = lifeops::domain::person::Email::parse("ana@home.example").unwrap();
    let found = lifeops::commands::accounts::find(&home.server.app, &email).await.unwrap();
    lifeops::domain::access::Actor {
        household: found.household,
        member: found.member,
        role: found.role,
        zone: found.zone,
        via: lifeops::domain::access::Via::Page,
        via_ref: None,
    }
}

fn nothing_is_left(home: &Home) {
    eventually("nothing to be left behind", || objects(home).is_empty());
}

all_stores! {
    async fn what_is_too_much_is_refused_and_what_was_typed_comes_back(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |settings| {
            settings.file_limit = 1_000_000;
            settings.form_limit = 1_500_000;
        })
        .await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let before = count_events(&home.server.app.db).await;
        let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Serviced").fill("amount", "12.50");
        let large = form.clone().choose("files", "film.mp4", vec![1; 1_000_001]);
        let page = home.ana.press(&large, words::NOTE).await.expect(413);
        assert!(page.says("“film.mp4” is too large: a file may have 1\u{a0}MB. Choose a smaller one."), "{}", page.text());
        assert_eq!(page.summary()[0].1, "#files");
        assert_eq!((page.form(words::NOTE).value("text"), page.form(words::NOTE).value("amount")), ("Serviced".into(), "12.50".into()));
        nothing_is_left(&home);
        // Exactly as large as it may be.
        let fits = form.clone().choose("files", "fits.bin", vec![2; 1_000_000]);
        home.ana.submit(&fits, words::NOTE).await;
        // Two that fit, but not together: the first waits.
        let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Two");
        let both = form.choose("files", "one.bin", vec![3; 900_000]).choose("files", "two.bin", vec![4; 900_000]);
        let page = home.ana.press(&both, words::NOTE).await.expect(413);
        assert!(page.says("one.bin") && page.says("“two.bin” is too much: a form takes 1.5\u{a0}MB of files in all"), "{}", page.text());
        let page = home.ana.submit(&page.form(words::NOTE), words::NOTE).await;
        assert!(page.says("one.bin") && !page.says("two.bin"));
        assert_eq!(count_events(&home.server.app.db).await, before + 4);
        audit(&home.server.app).await;
    }

    async fn a_household_keeps_no_more_than_its_quota(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |settings| settings.quota = Some(1_000_000)).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        add(&home.ana, &record, "a.bin", vec![1; 600_000]).await;
        let form = home.ben.open(&format!("{record}/attachments")).await.form("Add files");
        let page = home.ben.press(&form.clone().choose("files", "b.bin", vec![2; 600_000]), "Add files").await.expect(413);
        assert!(page.says("This household may keep 1\u{a0}MB of files, and there is not enough room left"), "{}", page.text());
        // Several at once do not slip through together.
        let mut sent = Vec::new();
        for n in 0..4_u8 {
            let form = home.ana.open(&format!("{record}/attachments")).await.form("Add files");
            let (visitor, form) = (home.ana.clone(), form.choose("files", "c.bin", vec![10 + n; 300_000]));
            sent.push(tokio::spawn(async move { visitor.press(&form, "Add files").await.status }));
        }
        let mut taken = 0;
        for one in sent {
            taken += usize::from(one.await.unwrap() == 303);
        }
        assert!(taken <= 1, "{taken} were taken");
        assert!(home.ana.open("/household").await.says("of 1\u{a0}MB"));
        // What a server was killed with takes no room once nobody can be sending it any more.
        sql("insert into upload (household_id, id, member_id, object, expires_at, doomed, size)
             select household_id, $1, id, 'ab/00000000000000000000000000000000', $2, false, 400000 from member where name = 'Ana'")
        .bind(uuid::Uuid::now_v7())
        .bind(home.server.app.clock.now().plus_seconds(-1))
        .run(&home.server.app.db)
        .await
        .unwrap();
        add(&home.ana, &record, "small.bin", vec![5; 50_000]).await.expect_words("small.bin");
        // Another household has its own.
        let theirs = home.create(&home.cleo, "Boiler", &[]).await;
        add(&home.cleo, &theirs, "d.bin", vec![3; 900_000]).await;
        audit(&home.server.app).await;
    }
}

all_stores! {
    /// A line that stays open, and brings a byte now and then: less than any telephone.
    async fn an_upload_that_drips_is_given_up(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |_| ()).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let before = count_events(&home.server.app.db).await;
        let (visitor, path) = (home.ana.clone(), format!("{record}/notes"));
        let dripping = tokio::task::spawn_blocking(move || {
            let host = visitor.base().trim_start_matches("http://").to_owned();
            let mut line = TcpStream::connect(&host).unwrap();
            let text = "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nServiced by Meier\r\n";
            let file = "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.bin\"\r\n\r\n";
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\ncontent-type: multipart/form-data; boundary=b\r\n\
                 content-length: 9000000\r\n\r\n{text}{file}{}",
                visitor.cookie_header(),
                "x".repeat(400_000)
            );
            line.write_all(request.as_bytes()).unwrap();
            line.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
            let (mut answer, mut some) = (Vec::new(), [0; 65_536]);
            for _ in 0..240 {
                match line.read(&mut some) {
                    Ok(0) => break,
                    Ok(count) => answer.extend_from_slice(&some[..count]),
                    Err(wait) if wait.kind() == std::io::ErrorKind::WouldBlock => drop(line.write_all(b"x")),
                    Err(_) => break,
                }
            }
            String::from_utf8_lossy(&answer).into_owned()
        });
        let answer = dripping.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{}", answer.lines().next().unwrap_or("nothing"));
        assert!(answer.contains("arrived too slowly") && answer.contains("Serviced by Meier"), "{answer}");
        nothing_is_left(&home);
        let gone = async || rows(&home, "upload").await == 0;
        for _ in 0..100 {
            if gone().await {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(gone().await && count_events(&home.server.app.db).await == before);
    }
}

both_engines! {
    /// A line that says at once that it brings too much is told so at once, with what was typed.
    async fn what_is_announced_as_too_much_is_not_taken_in(engine: Engine) {
        let home = Home::start_in(engine, Store::Directory, |settings| settings.form_limit = 20_000_000).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let text = "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nServiced by Meier\r\n";
        let file = "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.bin\"\r\n\r\nbegin";
        let (visitor, path) = (home.ana.clone(), format!("{record}/notes"));
        let body = format!("{text}{file}{}", "x".repeat(200_000));
        let kind = "multipart/form-data; boundary=b";
        let answer = tokio::task::spawn_blocking(move || by_hand(&visitor, &path, kind, 5_000_000_000, body.as_bytes()));
        let answer = tokio::time::timeout(std::time::Duration::from_secs(25), answer).await.expect("in time").unwrap();
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("Serviced by Meier"), "{answer}");
        assert!(answer.contains("20\u{a0}MB of files in all"), "{answer}");
        assert_eq!((objects(&home).len(), rows(&home, "upload").await), (0, 0));
    }

    /// Parts that are at S3 already go too, whether the file was refused, its sender hung up, or its server was killed.
    async fn no_parts_stay_behind_at_s3(engine: Engine) {
        let home = Home::start_in(engine, Store::S3, |settings| settings.file_limit = 14_000_000).await;
        let record = home.create(&home.ana, "Film", &[]).await;
        for hangs_up in [false, true] {
            let form = home.ana.open(&format!("{record}/attachments")).await.form("Add files");
            let visitor = home.ana.clone();
            let form = form.choose("files", "film.bin", vec![u8::from(hangs_up); 40_000_000]);
            let sending = tokio::spawn(async move { visitor.press(&form, "Add files").await.status });
            let mut id = None;
            while id.is_none() && !sending.is_finished() {
                let row = sql("select multipart_id from upload where multipart_id is not null");
                let row = row.optional(&home.server.app.db).await.unwrap();
                id = row.map(|row| row.text("multipart_id").unwrap());
            }
            let id = id.expect("it is sent in parts");
            match hangs_up {
                true => sending.abort(),
                false => assert_eq!(sending.await.unwrap(), 413),
            }
            let root = home.server.place().bucket().unwrap().folder().parent().unwrap().to_owned();
            let of_it = || {
                let entries = std::fs::read_dir(&root).unwrap().flatten();
                entries.filter(|entry| entry.file_name().to_string_lossy().contains(&id)).count()
            };
            eventually("the parts to go", || of_it() == 0);
            eventually("the object not to be there", || objects(&home).is_empty());
            for _ in 0..200 {
                if rows(&home, "upload").await == 0 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            assert_eq!(rows(&home, "upload").await, 0);
        }
    }

    /// A sweep, and an upload that is under way: it is left alone as long as it gives signs of life, and what was swept out
    /// all the same leaves nothing behind.
    async fn a_sweep_leaves_alone_what_is_under_way(engine: Engine) {
        let home = Home::start(engine).await;
        let app = home.server.app.clone();
        let ana = ana_of(&home).await;
        for swept in [false, true] {
            let (sender, receiver) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, std::io::Error>>(1);
            let source = futures_util::stream::unfold(receiver, |mut from| async { from.recv().await.map(|some| (some, from)) });
            let (taker, actor) = (app.clone(), ana.clone());
            let taking = tokio::spawn(async move { uploads::take(&taker, &actor, "a.bin", u64::MAX, Box::pin(source)).await });
            sender.send(Ok(vec![u8::from(swept); 400_000].into())).await.unwrap();
            // The first one's line waits to be attached, and says nothing of the second.
            while rows(&home, "upload where digest is null").await == 0 {
                tokio::task::yield_now().await;
            }
            if swept {
                let past = app.clock.now().plus_seconds(-1);
                sql("update upload set expires_at = $1 where digest is null").bind(past).run(&app.db).await.unwrap();
            }
            assert_eq!(uploads::sweep(&app).await.unwrap(), u64::from(swept));
            // Of what was swept out the line may be gone already.
            let _ = sender.send(Ok(vec![9; 400_000].into())).await;
            drop(sender);
            assert_eq!(taking.await.unwrap().is_ok(), !swept);
            eventually("nothing but the first to be there", || objects(&home).len() == 1);
        }
    }

    async fn broken_and_hostile_forms_leave_nothing(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let path = format!("{record}/notes");
        let before = count_events(&home.server.app.db).await;
        let kind = "multipart/form-data; boundary=b";
        let file = "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.txt\"\r\n\r\n";
        let text = |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        let endless = format!("--b\r\n{}", "X-Long: y\r\n".repeat(100_000));
        let many = text("tag", "x").repeat(3_000);
        for (what, kind, body, status) in [
            ("no boundary", "multipart/form-data", text("text", "x"), "400"),
            ("a boundary that never comes", kind, "x".repeat(2_000_000), "400"),
            ("a head without an end", kind, endless, "400"),
            ("cut off in a text", kind, text("text", "Serv").trim_end().to_owned(), "400"),
            ("cut off in a file", kind, format!("{}{file}half of it", text("text", "Serviced")), "400"),
            ("too many texts", kind, format!("{many}--b--\r\n"), "400"),
            ("text without an end", kind, text("text", &"x".repeat(7_000_000)), "413"),
            ("nothing at all", kind, String::new(), "400"),
            ("another shape", "application/json", "{}".to_owned(), "415"),
        ] {
            let (visitor, path) = (home.ana.clone(), path.clone());
            let (kind, length) = (kind.to_owned(), body.len() as u64);
            let answer = tokio::task::spawn_blocking(move || by_hand(&visitor, &path, &kind, length, body.as_bytes())).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {}", answer.lines().next().unwrap_or("nothing"));
            assert!(!answer.contains("panic"), "{what}");
        }
        // What was typed before the file broke off comes back.
        let body = format!("{}{file}half of it", text("text", "Serviced by Meier"));
        let (visitor, again) = (home.ana.clone(), path.clone());
        let answer = tokio::task::spawn_blocking(move || by_hand(&visitor, &again, kind, body.len() as u64, body.as_bytes())).await.unwrap();
        assert!(answer.contains("Serviced by Meier") && answer.contains("broke off"), "{answer}");
        // Somebody who hangs up in the middle.
        let (visitor, again) = (home.ana.clone(), path.clone());
        let body = format!("{file}{}", "z".repeat(900_000));
        tokio::task::spawn_blocking(move || {
            let mut line = TcpStream::connect(visitor.base().trim_start_matches("http://")).unwrap();
            let head = format!(
                "POST {again} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\ncontent-type: {kind}\r\ncontent-length: 5000000000\r\n\r\n{body}",
                visitor.base().trim_start_matches("http://"),
                visitor.cookie_header()
            );
            line.write_all(head.as_bytes()).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(200));
        })
        .await
        .unwrap();
        nothing_is_left(&home);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while rows(&home, "upload").await > 0 && std::time::Instant::now() < until {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(rows(&home, "upload").await, 0);
        assert_eq!(count_events(&home.server.app.db).await, before);
        // Too many files: the first ones are here, the others can follow.
        let mut form = home.ana.open(&format!("{record}/attachments")).await.form("Add files");
        for n in 0..32 {
            form = form.choose("files", &format!("{n}.txt"), format!("number {n}"));
        }
        let page = home.ana.press(&form, "Add files").await.expect(422);
        assert!(page.says("A form takes 30 files at once") && page.says("29.txt") && !page.says("30.txt"));
        audit(&home.server.app).await;
    }

    async fn only_what_is_old_enough_is_swept_out(engine: Engine) {
        let home = Home::set_up(crate::support::Place::empty(engine).await, lifeops::app::Clock::fixed("2026-11-26T10:00:00Z".parse::<jiff::Timestamp>().unwrap().into())).await;
        let app = &home.server.app;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let bad = |name: &'static str| {
            let (visitor, record) = (home.ana.clone(), record.clone());
            async move {
                let form = visitor.open(&record).await.form(words::NOTE).choose("files", name, name.repeat(1000));
                visitor.press(&form, words::NOTE).await.expect(422)
            }
        };
        let old = bad("old").await;
        app.clock.advance(uploads::WAITS - 60);
        bad("young").await;
        assert_eq!((uploads::sweep(app).await.unwrap(), objects(&home).len()), (0, 2));
        app.clock.advance(120);
        // The same content arrives again while the old one is swept out: nothing is lost.
        let form = home.ana.open(&format!("{record}/attachments")).await.form("Add files");
        let form = form.choose("files", "again", "old".repeat(1000));
        let (page, swept) = tokio::join!(home.ana.submit(&form, "Add files"), uploads::sweep(app));
        assert_eq!((swept.unwrap(), objects(&home).len()), (1, 2));
        assert!(home.ana.get(&address(&page, "again")).await.expect(200).raw == "old".repeat(1000).as_bytes());
        // Whoever still has the old form open is told.
        let form = old.form(words::NOTE).fill("text", "Late");
        let page = home.ana.press(&form, words::NOTE).await.expect(422);
        assert!(page.says("files wait for a day only. Choose it again"), "{}", page.text());
        assert_eq!(page.form(words::NOTE).value("text"), "Late");
        audit(app).await;
    }

    async fn a_store_that_fails_is_said_and_loses_nothing(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let page = add(&home.ana, &record, "a.pdf", PDF).await;
        let before = count_events(&home.server.app.db).await;
        // The directory becomes a file: nothing can be written into it, or read from it.
        let (there, aside) = (home.server.place().objects(), home.server.place().directory().join("aside"));
        std::fs::rename(&there, &aside).unwrap();
        std::fs::write(&there, "in the way").unwrap();
        let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Serviced").choose("files", "b.pdf", PDF);
        let refused = home.ana.press(&form, words::NOTE).await.expect(503);
        assert!(refused.says("does not take this one just now"), "{}", refused.text());
        assert_eq!(refused.form(words::NOTE).value("text"), "Serviced");
        assert_eq!(count_events(&home.server.app.db).await, before);
        let lost = home.ana.get(&address(&page, "a.pdf")).await;
        assert!(lost.status >= 500 && lost.says("Nothing"), "{} {}", lost.status, lost.text());
        std::fs::remove_file(&there).unwrap();
        std::fs::rename(&aside, &there).unwrap();
        home.ana.submit(&refused.form(words::NOTE).choose("files", "b.pdf", PDF), words::NOTE).await;
        assert!(home.ana.get(&address(&page, "a.pdf")).await.expect(200).raw == PDF);
        audit(&home.server.app).await;
    }

    /// A service that answers 500 to everything, one that never answers, and one that is not there.
    async fn s3_that_fails_is_said_and_loses_nothing(engine: Engine) {
        for manner in ["500", "silence", "nobody"] {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let address = listener.local_addr().unwrap();
            if manner == "nobody" {
                drop(listener);
            } else {
                std::thread::spawn(move || {
                    let mut held = Vec::new();
                    for stream in listener.incoming() {
                        let Ok(mut stream) = stream else { return };
                        if manner == "silence" {
                            held.push(stream);
                            continue;
                        }
                        std::thread::spawn(move || {
                            let mut buffer = [0; 65_536];
                            if stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                                let answer = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                                let _ = stream.write_all(answer);
                            }
                        });
                    }
                });
            }
            let home = Home::start_in(engine, Store::S3, |settings| {
                if let BlobPlace::S3(place) = &mut settings.blobs {
                    place.endpoint = Some(format!("http://{address}"));
                }
            })
            .await;
            let record = home.create(&home.ana, "Boiler", &[]).await;
            let before = count_events(&home.server.app.db).await;
            let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Serviced").choose("files", "b.pdf", PDF);
            let refused = home.ana.press(&form, words::NOTE).await.expect(503);
            assert!(refused.says("does not take this one just now"), "{manner}: {}", refused.text());
            assert_eq!(refused.form(words::NOTE).value("text"), "Serviced");
            assert_eq!(count_events(&home.server.app.db).await, before);
            // A note without files needs no store.
            home.note(&home.ana, &record, "By hand").await;
        }
    }

    async fn pictures_that_would_take_the_memory_get_no_thumbnail(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Bombs", &[]).await;
        let whole = {
            let mut jpeg = Vec::new();
            let image = image::DynamicImage::ImageRgb8(image::RgbImage::from_fn(900, 700, |x, y| image::Rgb([x as u8, y as u8, 90])));
            image.write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).unwrap();
            jpeg
        };
        for (name, bytes) in [("bomb.png", bomb()), ("cut.jpg", whole[..whole.len() / 2].to_vec()), ("head.jpg", whole[..300].to_vec())] {
            let page = add(&home.ana, &record, name, bytes.clone()).await;
            let small = home.ana.get(&page.attributes("img", "src")[0]).await.expect(200);
            let is_picture = small.header("content-type") == "image/jpeg" && image::load_from_memory(&small.raw).is_ok();
            assert!(is_picture || small.header("content-type") == "image/svg+xml", "{name}");
            assert!(name != "bomb.png" || !is_picture);
            assert!(home.ana.get(&address(&page, name)).await.expect(200).raw == bytes, "{name} itself is kept as it came");
        }
        // And one that was lost is made again.
        let page = add(&home.ana, &record, "fine.png", picture(600, 500)).await;
        let src = page.attributes("img", "src")[0].clone();
        let first = home.ana.get(&src).await.expect(200);
        let row = lifeops::store::db::sql("select object from thumbnail where size is not null order by size desc");
        for row in row.all(&home.server.app.db).await.unwrap() {
            std::fs::remove_file(home.server.place().objects().join(row.text("object").unwrap())).unwrap();
        }
        assert!(home.ana.get(&src).await.expect(200).raw == first.raw);
        audit(&home.server.app).await;
    }
}

/// A PNG that says it has 30,000 by 30,000 pixels.
fn bomb() -> Vec<u8> {
    let mut png = picture(2, 2);
    png[16..20].copy_from_slice(&30_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&30_000_u32.to_be_bytes());
    let sum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    png
}

/// CRC-32 as PNG has it (ISO/IEC 15948, annex D).
fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}
