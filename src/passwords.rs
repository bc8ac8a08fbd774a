//! Passwords: Argon2id (RFC 9106) with OWASP's parameters, on the blocking pool, with a bound on how many at once.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use icu_normalizer::ComposingNormalizer;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

use crate::config::Settings;
use crate::domain::Refusal;
use crate::error::{Error, Result};
use crate::turns::{Turn, Turns};

/// Memory in KiB, passes, lanes.
const PARAMETERS: (u32, u32, u32) = (19_456, 2, 1);

/// Hashes that wait for their turn, at most; more are sent away at once.
const QUEUE: usize = 128;

/// And as many of devices that an account is known on: they have a queue of their own, so that a flood from elsewhere sends
/// none of them away.
const QUEUE_OF_KNOWN: usize = 32;

/// Requests of one address that may be at it or waiting, at most.
const PER_ADDRESS: usize = 32;

/// A new password: at least 12 characters, at most 1,024 bytes, normalised (NFC) so that every keyboard types it alike.
#[derive(Clone)]
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// Reads what was typed.
    ///
    /// # Errors
    /// A sentence, if it is missing, too short or too long.
    pub fn parse(typed: &str) -> Result<Self, Refusal> {
        if typed.is_empty() {
            return Err(Refusal::new("Enter a password"));
        }
        let password = normal(typed);
        if password.chars().count() < 12 {
            return Err(Refusal::new("Enter a password of 12 characters or more. Four plain words make a good one"));
        }
        if password.len() > 1024 {
            return Err(Refusal::new("Enter a shorter password: at most 1,024 characters"));
        }
        Ok(Self(password))
    }
}

fn normal(typed: &str) -> String {
    ComposingNormalizer::new_nfc().normalize(typed).into_owned()
}

/// What a look at a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another one.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, but it was hashed with other parameters than today's: hash it again.
    RightButOld,
}

/// The bounded workshop where passwords are hashed. Cheap to clone.
#[derive(Clone)]
pub struct Passwords(Arc<Workshop>);

struct Workshop {
    argon: Argon2<'static>,
    hands: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    queue_of_known: Arc<Semaphore>,
    calls: AtomicU64,
    busy: AtomicUsize,
    most: AtomicUsize,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    turns: Turns,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passwords({} calls)", self.calls())
    }
}

impl Passwords {
    /// A workshop for this machine: as many hashes at once as it has cores, at most four.
    pub fn new(_: &Settings) -> Self {
        let (memory, passes, lanes) = PARAMETERS;
        let parameters = Params::new(memory, passes, lanes, None).unwrap_or(Params::DEFAULT);
        let hands = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
        Self(Arc::new(Workshop {
            argon: Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters),
            hands: Arc::new(Semaphore::new(hands)),
            queue: Arc::new(Semaphore::new(QUEUE)),
            queue_of_known: Arc::new(Semaphore::new(QUEUE_OF_KNOWN)),
            calls: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            addresses: Mutex::default(),
            turns: Turns::default(),
        }))
    }

    /// Hashes a new password with fresh salt, as a PHC string.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if too many wait already.
    pub async fn hash(&self, password: &Password) -> Result<String> {
        let password = password.0.clone();
        self.work(&self.0.queue, move |argon| {
            let mut salt = [0; 16];
            SystemRandom::new().fill(&mut salt).map_err(|_| Error::internal("the system gives no random bytes"))?;
            let salt = SaltString::encode_b64(&salt).map_err(Error::internal)?;
            Ok(argon.hash_password(password.as_bytes(), &salt).map_err(Error::internal)?.to_string())
        })
        .await
    }

    /// Compares what was typed with a stored hash. Without one (nobody has that address) the same work is done, and the
    /// answer is [`Verdict::Wrong`]. Whoever comes from a `known` device waits in a queue of its own.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if too many wait already; [`Error::Internal`] if the stored hash cannot be read.
    pub async fn verify(&self, known: bool, typed: &str, stored: Option<&str>) -> Result<Verdict> {
        let queue = if known { &self.0.queue_of_known } else { &self.0.queue };
        let typed = normal(typed.get(..4096).unwrap_or(typed));
        let stored = stored.map(str::to_owned);
        self.work(queue, move |argon| match stored {
            None => {
                let mut out = [0; 32];
                argon.hash_password_into(typed.as_bytes(), b"nobody's own salt", &mut out).map_err(Error::internal)?;
                Ok(Verdict::Wrong)
            }
            Some(stored) => {
                let hash = PasswordHash::new(&stored).map_err(Error::internal)?;
                Ok(match argon.verify_password(typed.as_bytes(), &hash) {
                    Err(_) => Verdict::Wrong,
                    Ok(()) if is_current(argon, &hash) => Verdict::Right,
                    Ok(()) => Verdict::RightButOld,
                })
            }
        })
        .await
    }

    /// How many hashes were made or compared so far.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// How many hashes were in the making at once so far, at most.
    pub fn most_at_once(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    /// A seat for one address while it has passwords looked at; one address gets only a few at a time.
    ///
    /// # Errors
    /// [`Error::Throttled`] if the address holds as many as it may.
    pub fn seat(&self, address: IpAddr) -> Result<Seat> {
        let mut taken = self.0.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let seats = taken.entry(address).or_insert(0);
        if *seats >= PER_ADDRESS {
            return Err(Error::Throttled {
                seconds: 5,
                sentence: "Too many tries at once from your address. Wait 5 seconds and try again.".to_owned(),
            });
        }
        *seats += 1;
        Ok(Seat { passwords: self.clone(), address })
    }

    /// Waits until nobody else has a password of the same subject looked at. So right passwords that come at once do not
    /// use up each other's tries: each gives its own back before the next one takes one.
    pub(crate) async fn turn(&self, subject: [u8; 32]) -> Turn {
        self.0.turns.wait(subject).await
    }

    async fn work<T: Send + 'static>(
        &self,
        queue: &Arc<Semaphore>,
        job: impl FnOnce(&Argon2<'static>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Ok(place) = Arc::clone(queue).try_acquire_owned() else {
            return Err(Error::Unavailable(
                "Too many people are signing in at once. Try again in a moment.".to_owned(),
            ));
        };
        let hand = Arc::clone(&self.0.hands).acquire_owned().await.map_err(Error::internal)?;
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        let workshop = Arc::clone(&self.0);
        // The job keeps its place until it is done: whoever hangs up meanwhile does not make room for more.
        let job = move || {
            let _held = (place, hand);
            let busy = workshop.busy.fetch_add(1, Ordering::SeqCst) + 1;
            workshop.most.fetch_max(busy, Ordering::SeqCst);
            let done = job(&workshop.argon);
            workshop.busy.fetch_sub(1, Ordering::SeqCst);
            done
        };
        tokio::task::spawn_blocking(job).await.map_err(Error::internal)?
    }
}

fn is_current(argon: &Argon2<'_>, hash: &PasswordHash<'_>) -> bool {
    let same = |params: Params| {
        (params.m_cost(), params.t_cost(), params.p_cost())
            == (argon.params().m_cost(), argon.params().t_cost(), argon.params().p_cost())
    };
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(0x13)
        && Params::try_from(hash).is_ok_and(same)
}

/// A seat in the workshop; leaving it frees it.
#[derive(Debug)]
pub struct Seat {
    passwords: Passwords,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.passwords.0.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seats) = taken.get_mut(&self.address) {
            *seats -= 1;
            if *seats == 0 {
                taken.remove(&self.address);
            }
        }
    }
}
