//! How files go out: headers, ranges, names, and that nothing in them runs here.

use reqwest::Method;
use sha2::{Digest as _, Sha256};

use crate::files::{PDF, add, address, details, picture};
use crate::support::{Browser, Engine, Home, Page, Visitor};

async fn asked(visitor: &Visitor, path: &str, headers: &[(&str, &str)]) -> Page {
    headers.iter().fold(visitor.clone(), |visitor, (name, value)| visitor.with_header(name, value)).get(path).await
}

all_stores! {
    async fn ranges_and_conditions(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |_| ()).await;
        let record = home.create(&home.ana, "Film", &[]).await;
        // Several chunks and a bit.
        let bytes: Vec<u8> = (0..300_001_u32).map(|n| (n * 7 / 3) as u8).collect();
        let page = add(&home.ana, &record, "film.bin", bytes.clone()).await;
        let path = address(&page, "film.bin");
        let whole = home.ana.get(&path).await.expect(200);
        let etag = whole.header("etag").to_owned();
        assert_eq!(etag, format!("\"{}\"", Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()));
        assert_eq!((whole.header("content-length"), whole.header("accept-ranges")), ("300001", "bytes"));
        for (range, from, until) in [
            ("bytes=0-0", 0, 0),
            ("bytes=0-65535", 0, 65_535),
            ("bytes=65535-65536", 65_535, 65_536),
            ("bytes=65536-131071", 65_536, 131_071),
            ("bytes=100000-250000", 100_000, 250_000),
            ("bytes=299999-", 299_999, 300_000),
            ("bytes=300000-999999", 300_000, 300_000),
            ("bytes=-1", 300_000, 300_000),
            ("bytes=-70000", 230_001, 300_000),
            ("bytes=0-", 0, 300_000),
        ] {
            let part = asked(&home.ana, &path, &[("range", range)]).await.expect(206);
            assert_eq!(part.header("content-range"), format!("bytes {from}-{until}/300001"), "{range}");
            assert_eq!(part.header("content-length"), (until + 1 - from).to_string());
            assert!(part.raw == bytes[from..=until], "{range}");
        }
        for range in ["bytes=300001-", "bytes=-0"] {
            let none = asked(&home.ana, &path, &[("range", range)]).await.expect(416);
            assert_eq!(none.header("content-range"), "bytes */300001");
        }
        // What is no range, or several, is the whole.
        for range in ["bytes=5-2", "items=0-5", "bytes=0-1,5-6", "bytes=a-b"] {
            assert_eq!(asked(&home.ana, &path, &[("range", range)]).await.expect(200).bytes, bytes.len(), "{range}");
        }
        // A range of another version is the whole.
        let part = asked(&home.ana, &path, &[("range", "bytes=5-9"), ("if-range", &etag)]).await.expect(206);
        assert!(part.raw == bytes[5..10]);
        asked(&home.ana, &path, &[("range", "bytes=5-9"), ("if-range", "\"other\"")]).await.expect(200);
        for tags in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let same = asked(&home.ana, &path, &[("if-none-match", &tags)]).await.expect(304);
            assert!(same.raw.is_empty() && same.header("etag") == etag && same.header("content-type").is_empty());
        }
        asked(&home.ana, &path, &[("if-none-match", "\"x\"")]).await.expect(200);
        let head = home.ana.ask(Method::HEAD, &path, None, Vec::new()).await.expect(200);
        assert_eq!((head.header("content-length"), head.header("etag"), head.bytes), ("300001", etag.as_str(), 0));
        // Nothing is compressed on the way: lengths and ranges hold.
        let plain = asked(&home.ana, &path, &[("accept-encoding", "gzip, br")]).await.expect(200);
        assert!(plain.header("content-encoding").is_empty() && plain.raw == bytes);
        let empty = add(&home.ana, &record, "empty.txt", "").await;
        let path = address(&empty, "empty.txt");
        assert!(home.ana.get(&path).await.expect(200).raw.is_empty());
        asked(&home.ana, &path, &[("range", "bytes=0-")]).await.expect(416);
    }
}

both_engines! {
    async fn what_a_file_is_called_and_shown_as(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Papers", &[]).await;
        let long = format!("{}.pdf", "ü".repeat(200));
        for (sent, kept, disposition) in [
            ("plain.pdf", "plain.pdf", "inline; filename=\"plain.pdf\""),
            ("Rechnung März.pdf", "Rechnung März.pdf", "inline; filename=\"Rechnung M_rz.pdf\"; filename*=UTF-8''Rechnung%20M%C3%A4rz.pdf"),
            ("say \"hi\".pdf", "say \"hi\".pdf", "inline; filename=\"say _hi_.pdf\"; filename*=UTF-8''say%20%22hi%22.pdf"),
            ("C:\\Users\\ana\\scan.pdf", "scan.pdf", "inline; filename=\"scan.pdf\""),
            ("../../etc/passwd.pdf", "passwd.pdf", "inline; filename=\"passwd.pdf\""),
        ] {
            add(&home.ana, &record, sent, [PDF, sent.as_bytes()].concat()).await;
            let page = details(&home.ana, &record, kept).await;
            let file = home.ana.get(&address(&page, kept)).await.expect(200);
            assert_eq!(file.header("content-disposition"), disposition);
            let kept = home.ana.get(&format!("{}?download=yes", address(&page, kept))).await.expect(200);
            assert_eq!(kept.header("content-disposition"), disposition.replacen("inline", "attachment", 1));
        }
        add(&home.ana, &record, &long, PDF).await;
        let all = home.ana.open(&format!("{record}/attachments")).await;
        let cut = all.links().into_iter().map(|(_, to)| to).find(|to| to.contains("%C3%BC%C3%BC")).unwrap();
        let file = home.ana.get(&cut).await.expect(200);
        assert!(file.header("content-disposition").ends_with(".pdf") && file.header("content-disposition").len() < 1200);
        // A line break in a name cannot add a header.
        let page = add(&home.ana, &record, "a\r\nset-cookie: x=1.pdf", PDF).await;
        for (_, to) in page.links().into_iter().filter(|(_, to)| to.starts_with("/attachments/")) {
            assert!(home.ana.get(&to).await.expect(200).header("set-cookie").is_empty());
        }
    }

    async fn nothing_in_a_file_runs_here(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Traps", &[]).await;
        let script = "<script>document.title='taken';fetch('/account')</script>";
        let svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"document.title='taken'\">{script}</svg>");
        let html = format!("<!doctype html><title>trap</title>{script}");
        for (name, bytes, kind, inline) in [
            ("trap.svg", svg.as_bytes(), "image/svg+xml", false),
            ("trap.png", svg.as_bytes(), "image/svg+xml", false),
            ("trap.html", html.as_bytes(), "text/html", false),
            ("trap.txt", html.as_bytes(), "text/html", false),
            ("trap.js", b"alert(1)".as_slice(), "", false),
            ("words.txt", b"plain words".as_slice(), "text/plain", false),
            ("real.png", &picture(4, 4), "image/png", true),
            ("real.pdf", PDF, "application/pdf", true),
            ("really.exe", &picture(5, 5), "image/png", true),
        ] {
            let page = add(&home.ana, &record, name, [bytes, b"\n"].concat()).await;
            let file = home.ana.get(&address(&page, name)).await.expect(200);
            let policy = file.header("content-security-policy");
            assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{name}: {policy}");
            assert!(policy.starts_with("sandbox;") || kind == "application/pdf", "{name}: {policy}");
            assert_eq!(file.header("x-content-type-options"), "nosniff");
            assert_eq!(file.header("cache-control"), "private, no-cache");
            assert_eq!(file.header("content-disposition").starts_with("inline"), inline, "{name}");
            assert!(kind.is_empty() || file.header("content-type") == kind, "{name}: {}", file.header("content-type"));
        }
    }
}

/// Real Chromium: a file that is shown in it is of no origin, and a PDF is shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_shows_what_is_safe_and_runs_nothing() {
    let home = Home::start(Engine::Sqlite).await;
    let record = home.create(&home.ana, "Traps", &[]).await;
    let page = add(&home.ana, &record, "real.png", picture(64, 64)).await;
    let mut tab = Browser::shared().tab();
    tab.borrow_cookies(&home.ana);
    tab.open(&format!("{}{}", home.ana.base(), address(&page, "real.png")));
    assert_eq!(tab.eval("document.images.length + ' ' + document.images[0].naturalWidth"), "1 64");
    assert_eq!(tab.eval("String(window.origin)"), "null", "a file is of no origin");
    let page = add(&home.ana, &record, "real.pdf", PDF).await;
    tab.open(&format!("{}{}", home.ana.base(), address(&page, "real.pdf")));
    assert_eq!(tab.eval("document.contentType"), "application/pdf");
    // A gallery whose pictures are there.
    tab.open(&format!("{}{record}", home.ana.base()));
    tab.wait(
        "document.querySelector('.prints img').complete && document.querySelector('.prints img').naturalWidth > 0",
    );
    tab.no_complaints();
}
