//! Tries that are counted: known devices, replicas, right passwords at once, floods, and what the log says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use lifeops::app::{App, Clock};
use lifeops::commands::accounts;
use lifeops::commands::proof::{self, Caller};
use lifeops::domain::instant::Instant;
use lifeops::error::Error;
use lifeops::store::db::sql;

use crate::accounts::{household, household_with, try_sign_in};
use crate::support::{Engine, PASSWORD, Visitor};

const ANA: &str = "ana@home.example";
const BEN: &str = "ben@home.example";
const WRONG: &str = "a wrong password";

fn standing() -> Clock {
    Clock::fixed(Instant::from_micros(1_790_000_000_000_000))
}

/// The same browser, signed out.
fn signed_out(visitor: &Visitor) -> Visitor {
    let again = visitor.clone();
    again.set_cookie("lifeops", "gone");
    again
}

both_engines! {
    async fn nobody_locks_a_member_out_of_a_known_device(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        let known = ana.cookies()["lifeops-device"].clone();
        // From elsewhere, and at the same network address, somebody tries and tries.
        for _ in 0..3 {
            for _ in 0..5 {
                try_sign_in(&server.visitor(), ANA, WRONG).await;
            }
            clock.advance(20);
        }
        for n in 0..20 {
            try_sign_in(&server.visitor(), &format!("nobody{n}@home.example"), WRONG).await;
        }
        try_sign_in(&server.visitor(), ANA, PASSWORD).await.expect(429);
        let here = signed_out(&ana);
        assert_eq!(try_sign_in(&here, ANA, PASSWORD).await.expect_redirect(), "/");
        // Somebody else's device is a stranger to the account, and a device that nobody knows is one to all.
        let forged = server.visitor();
        for device in [known.as_str(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""] {
            forged.set_cookie("lifeops-device", device);
            try_sign_in(&forged, BEN, PASSWORD).await.expect(429);
            try_sign_in(&forged, ANA, PASSWORD).await.expect(429);
        }
        // A known device has a count of its own, with waits that grow.
        for _ in 0..5 {
            try_sign_in(&here, ANA, WRONG).await.expect(422);
        }
        let wait: i64 = try_sign_in(&here, ANA, PASSWORD).await.expect(429).header("retry-after").parse().unwrap();
        clock.advance(wait);
        try_sign_in(&here, ANA, WRONG).await.expect(422);
        let longer: i64 = try_sign_in(&here, ANA, PASSWORD).await.expect(429).header("retry-after").parse().unwrap();
        assert!(longer > wait, "{longer} after {wait}");
        clock.advance(longer);
        assert_eq!(try_sign_in(&here, ANA, PASSWORD).await.expect_redirect(), "/");
        // After a while without a sign-in it is a stranger again.
        clock.advance(lifeops::commands::devices::KNOWN);
        for _ in 0..5 {
            try_sign_in(&server.visitor(), ANA, WRONG).await;
        }
        try_sign_in(&signed_out(&ana), ANA, PASSWORD).await.expect(429);
    }

    async fn a_device_is_known_under_a_value_that_nobody_knew(engine: Engine) {
        let clock = standing();
        let (server, ana) = household(engine, clock.clone()).await;
        // A planted value is not taken over.
        let victim = server.visitor();
        victim.set_cookie("lifeops-device", "planted");
        try_sign_in(&victim, BEN, PASSWORD).await.expect(303);
        assert_ne!(victim.cookies()["lifeops-device"], "planted");
        // Two people share a tablet: it is known for both, under one new value.
        let first = ana.cookies()["lifeops-device"].clone();
        let tablet = signed_out(&ana);
        try_sign_in(&tablet, BEN, PASSWORD).await.expect(303);
        assert_ne!(tablet.cookies()["lifeops-device"], first);
        for _ in 0..5 {
            try_sign_in(&server.visitor(), ANA, WRONG).await;
            try_sign_in(&server.visitor(), BEN, WRONG).await;
        }
        try_sign_in(&signed_out(&tablet), ANA, PASSWORD).await.expect(303);
        try_sign_in(&signed_out(&tablet), BEN, PASSWORD).await.expect(303);
        let old = server.visitor();
        old.set_cookie("lifeops-device", &first);
        try_sign_in(&old, ANA, PASSWORD).await.expect(429);
        // What is kept is a digest.
        let kept = sql("select digest from known_device").all(&server.app.db).await.unwrap();
        assert!(kept.iter().all(|row| row.bytes("digest").unwrap().len() == 32));
        // Signing out everywhere forgets the other devices.
        let other = server.visitor();
        clock.advance(3600);
        try_sign_in(&other, BEN, PASSWORD).await.expect(303);
        other.post("/account/sessions/sign-out-others", &[]).await.expect(303);
        for _ in 0..5 {
            try_sign_in(&server.visitor(), BEN, WRONG).await;
        }
        try_sign_in(&signed_out(&tablet), BEN, PASSWORD).await.expect(429);
        try_sign_in(&signed_out(&other), BEN, PASSWORD).await.expect(303);
    }

    async fn right_passwords_at_once_do_not_throttle_each_other(engine: Engine) {
        let (server, ana) = household(engine, standing()).await;
        let known = signed_out(&ana);
        let tries: Vec<_> = (0..12).map(|n| {
            let (visitor, email) = if n % 2 == 0 { (server.visitor(), BEN) } else { (known.with_header("x-tab", "1"), ANA) };
            tokio::spawn(async move { try_sign_in(&visitor, email, PASSWORD).await.status })
        }).collect();
        for one in tries {
            assert_eq!(one.await.unwrap(), 303);
        }
    }

    async fn counts_are_shared_by_replicas(engine: Engine) {
        let clock = standing();
        let (server, _) = household(engine, clock.clone()).await;
        let here = &server.app;
        let there = App::open((*here.settings).clone(), clock.clone()).await.unwrap();
        let caller = |n: u8| Caller { network: [198, 51, 100, n].into(), device: None };
        for n in 0..5 {
            let app = if n % 2 == 0 { here } else { &there };
            let refused = proof::check_from(app, &caller(n), BEN, WRONG).await;
            assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        }
        for app in [here, &there] {
            let refused = proof::check_from(app, &caller(9), BEN, PASSWORD).await;
            assert!(matches!(refused, Err(Error::Throttled { .. })), "{refused:?}");
        }
        there.db.close().await;
    }

    async fn the_log_says_what_happened_and_to_nobody(engine: Engine) {
        // One at a time: what is listened for is the process's, not the thread's.
        static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _alone = ALONE.lock().await;
        let (server, _) = household(engine, standing()).await;
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(move || writer.clone()).finish();
        let app = server.app.clone();
        // On a thread of its own, so that it hears this alone.
        std::thread::spawn(move || {
            let _heard = tracing::subscriber::set_default(subscriber);
            tracing::callsite::rebuild_interest_cache();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let caller = Caller { network: [198, 51, 100, 7].into(), device: None };
                for _ in 0..6 {
                    // Another test may have been the first to come by, and asked for nothing to be heard.
                    tracing::callsite::rebuild_interest_cache();
                    let _ = proof::check_from(&app, &caller, BEN, WRONG).await;
                }
            });
        }).join().unwrap();
        let said = log.text();
        assert_eq!(said.matches("an address or a password was not right").count(), 5, "{said}");
        assert!(said.contains("too many tries: this one was not looked at scope=\"account\" seconds="), "{said}");
        for personal in [BEN, "ben", WRONG, "198.51.100.7"] {
            assert!(!said.contains(personal), "{personal}: {said}");
        }
    }
}

/// Two hundred people at once, from everywhere: few hashes at a time, a bounded queue, and the pages go on. It counts
/// and does not measure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_sign_ins_is_bounded_and_pages_go_on() {
    let (server, ana) = household_with(Engine::Sqlite, Clock::System, |settings| {
        settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let ben = server.visitor();
    try_sign_in(&ben, BEN, PASSWORD).await.expect(303);
    let before = server.app.passwords.calls();
    let flood: Vec<_> = (0..200)
        .map(|n| {
            let visitor = server.visitor().with_header("x-forwarded-for", &format!("198.51.100.{n}"));
            tokio::spawn(async move { try_sign_in(&visitor, &format!("n{n}@home.example"), WRONG).await.status })
        })
        .collect();
    let over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let over = Arc::clone(&over);
        async move {
            let mut read = 0;
            while !over.load(Ordering::SeqCst) {
                ana.open("/records").await;
                read += 1;
            }
            read
        }
    });
    // Whoever is known on a device is not sent away meanwhile.
    const KNOWN: u64 = 3;
    for _ in 0..KNOWN {
        try_sign_in(&signed_out(&ben), BEN, PASSWORD).await.expect(303);
    }
    let mut statuses = Vec::new();
    for one in flood {
        statuses.push(one.await.unwrap());
    }
    over.store(true, Ordering::SeqCst);
    let read = reader.await.unwrap();
    assert!(read > 10, "{read} pages were read meanwhile");
    let refused = statuses.iter().filter(|status| **status == 422).count();
    assert!(statuses.iter().all(|status| matches!(status, 422 | 503)), "{statuses:?}");
    assert_eq!(server.app.passwords.calls() - before - KNOWN, refused as u64, "whoever is sent away costs no hash");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = server.app.passwords.most_at_once();
    assert!((1..=cores.min(4)).contains(&most), "{most} hashes at once");
    try_sign_in(&server.visitor(), BEN, PASSWORD).await.expect(303);
}

#[tokio::test]
async fn a_password_without_an_account_costs_one_hash_too() {
    let (server, _) = household(Engine::Sqlite, standing()).await;
    let before = server.app.passwords.calls();
    for email in [ANA, "nobody@home.example", "", "not an address"] {
        let _ = accounts::check(&server.app, [198, 51, 100, 1].into(), email, WRONG).await;
    }
    assert_eq!(server.app.passwords.calls() - before, 4);
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap().clone();
        // Colours are for terminals.
        let mut text = String::new();
        let mut rest = String::from_utf8_lossy(&bytes).into_owned();
        while let Some(at) = rest.find('\u{1b}') {
            text.push_str(&rest[..at]);
            rest = rest[at..].split_once('m').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        }
        text + &rest
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
