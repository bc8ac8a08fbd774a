//! What tests share: a database per test, a server per test, a household to live in, visitors who read and fill in
//! pages as a person would, and a real browser.

#[macro_use]
mod engine;
mod browser;
mod bucket;
mod database;
mod forms;
mod home;
mod ledger;
mod page;
mod program;
mod server;
mod visitor;
pub mod words;

pub use browser::{Browser, Tab};
pub use bucket::Store;
pub use database::{Place, server_url};
pub use engine::Engine;
pub use forms::Form;
pub use home::{Home, PASSWORD, email, set_up, sign_in};
pub use ledger::{audit, count_events, notes};
pub use page::Page;
pub use program::{Program, command, run};
pub use server::{Server, settings};
pub use visitor::{FORM, Visitor, encode};

/// Small random numbers for tests, repeatable by their seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice for one test: seeded by `TEST_SEED` (which `tests/run` prints) and the test's name.
    pub fn new(test: &str) -> Self {
        static SEED: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
            std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() % 1_000_000_000
            })
        });
        println!("{test}: seed {} (repeat with TEST_SEED={})", *SEED, *SEED);
        Self(test.bytes().fold(*SEED, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))))
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Waits until a condition holds; fails after a generous time, so that a broken test ends. Time decides nothing else.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !holds() {
        assert!(std::time::Instant::now() < until, "waited a minute in vain for: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
