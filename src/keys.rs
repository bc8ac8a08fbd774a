//! The master key, and what is derived from it. It comes from the settings, or from `master.key` in the data directory,
//! which the first start makes.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use crate::config::{Secret, Settings};
use crate::domain::chain::hex;
use crate::domain::instant::Instant;
use crate::error::{Error, Result};
use crate::store::db::{Db, Tx};
use crate::store::installation::{self, KeyChange};

/// The file's name in the data directory.
pub const FILE: &str = "master.key";

/// 32 secret bytes, from which subkeys are derived by HKDF-SHA-256 (RFC 5869). Cheap to clone; shows nothing.
#[derive(Clone)]
pub struct MasterKey {
    bytes: Arc<[u8; 32]>,
    made: Option<Arc<Path>>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// Takes the key from the settings, or reads its file, or makes one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with a sentence: the text or file is no key, others may read the file, or it cannot be
    /// written.
    pub fn open(settings: &Settings) -> Result<Self> {
        if let Some(text) = &settings.master_key {
            let bytes = decode(text.expose()).ok_or_else(|| {
                unavailable(
                    "LIFEOPS_MASTER_KEY is not a key. It must be 32 random bytes, written as 64 hexadecimal digits or in \
                     base64; `openssl rand -hex 32` makes one.",
                )
            })?;
            return Ok(Self::from_bytes(bytes));
        }
        let path = settings.data.join(FILE);
        match read(&path)? {
            Some(bytes) => Ok(Self::from_bytes(bytes)),
            None => make(&path),
        }
    }

    /// A key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes: Arc::new(bytes), made: None }
    }

    /// The file that this start has made, if it has: say so loudly, once.
    pub fn made(&self) -> Option<&Path> {
        self.made.as_deref()
    }

    /// What names the key without telling anything about it: 16 hexadecimal digits.
    pub fn id(&self) -> String {
        hex(&self.subkey("key id")).chars().take(16).collect()
    }

    /// The bytes, for the change from one key to another alone.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The subkey for a purpose: the same for the same key and purpose, and telling nothing about either.
    pub fn subkey(&self, purpose: &str) -> [u8; 32] {
        let mut out = [0; 32];
        let info = [purpose.as_bytes()];
        let derived = Salt::new(HKDF_SHA256, b"lifeops.hkdf.1")
            .extract(&*self.bytes)
            .expand(&info, Len)
            .map(|key| key.fill(&mut out));
        debug_assert!(matches!(derived, Ok(Ok(()))), "32 bytes are never too many for HKDF-SHA-256");
        out
    }
}

/// The master keys that this program has: the current one, and others that a change of the key taught it. Cheap to clone;
/// every clone is the same ring.
#[derive(Clone, Debug)]
pub struct Keyring(Arc<RwLock<Vec<MasterKey>>>);

impl From<MasterKey> for Keyring {
    fn from(key: MasterKey) -> Self {
        Self(Arc::new(RwLock::new(vec![key])))
    }
}

impl Keyring {
    /// The key under which everything new is sealed.
    pub fn current(&self) -> MasterKey {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // A ring is made of a key, and none is ever taken off.
        keys.first().cloned().unwrap_or_else(|| MasterKey::from_bytes([0; 32]))
    }

    /// Every key, the current one first.
    pub fn all(&self) -> Vec<MasterKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key of that id.
    pub fn named(&self, id: &str) -> Option<MasterKey> {
        self.all().into_iter().find(|key| key.id() == id)
    }

    /// The current key's subkey for a purpose.
    pub fn subkey(&self, purpose: &str) -> [u8; 32] {
        self.current().subkey(purpose)
    }

    /// Puts a key on the ring, in front if it is the current one from now on.
    pub fn add(&self, key: MasterKey, is_current: bool) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let id = key.id();
        if is_current {
            keys.retain(|known| known.id() != id);
            keys.insert(0, key);
        } else if !keys.iter().any(|known| known.id() == id) {
            keys.push(key);
        }
    }
}

/// Stops a start with a key that is not this database's own. The first key that opens a database becomes its own.
///
/// # Errors
/// [`Error::Unavailable`] with a sentence if the key is another one.
pub async fn check(keys: &Keyring, db: &Db) -> Result<()> {
    let key = &keys.current();
    let ours = key.subkey("key check");
    let kept = installation::key_check(db, ours).await?;
    learn(keys, db).await?;
    if ours == kept || keys.current().subkey("key check") == kept {
        if let Some(path) = key.made() {
            tracing::warn!(
                "A new master key was made: {}. Keep a copy of it somewhere else. Key and data side by side protect \
                 against a stolen copy of the stored files, not against a stolen data directory: use disk encryption \
                 for that.",
                path.display()
            );
        }
        return Ok(());
    }
    if let Some(path) = key.made() {
        // Made a moment ago for a database that has another: it protects nothing and would only mislead.
        let _ = fs::remove_file(path);
        return Err(unavailable(format!(
            "The master key is missing. This database was begun with another key: put it back as {} or into \
             LIFEOPS_MASTER_KEY. Nothing was changed.",
            path.display()
        )));
    }
    Err(unavailable(
        "The master key is not the one that this database was begun with. Put the right one into LIFEOPS_MASTER_KEY or \
         into master.key in the data directory. Nothing was changed.",
    ))
}

/// How long a change of the master key is remembered after it was done, in seconds: by then every server knows of it.
const REMEMBERED: i64 = 10 * 60;

/// Forgets a change that was done long enough ago, and with it the two keys that were sealed for each other.
///
/// # Errors
/// If the database refuses.
pub async fn forget_change(db: &Db, now: Instant) -> Result<()> {
    installation::forget_key_change(db, now.plus_seconds(-REMEMBERED)).await?;
    Ok(())
}

/// Learns of a change of the master key that is under way, or was made a moment ago: each of the two keys is kept sealed
/// under the other, so that a program that has either has both. The one that the database calls its own is the current one.
///
/// # Errors
/// If the database refuses.
pub async fn learn(keys: &Keyring, db: &Db) -> Result<()> {
    let (kept, change) = installation::keys(db).await?;
    learn_from(keys, kept, change.as_ref());
    Ok(())
}

/// [`learn`], if the key of that id is not on the ring.
///
/// # Errors
/// If the database refuses.
pub async fn learn_of(keys: &Keyring, db: &Db, id: &str) -> Result<()> {
    if keys.named(id).is_none() { learn(keys, db).await } else { Ok(()) }
}

/// [`learn`], inside a transaction. Returns the id of the key that the installation calls its own, if it is on the ring.
///
/// # Errors
/// If the database refuses.
pub async fn learn_within(keys: &Keyring, tx: &mut Tx) -> Result<Option<String>> {
    let (kept, change) = installation::keys(tx).await?;
    learn_from(keys, kept, change.as_ref());
    let current = keys.current();
    Ok((kept == Some(current.subkey("key check"))).then(|| current.id()))
}

fn learn_from(keys: &Keyring, kept: Option<[u8; 32]>, change: Option<&KeyChange>) {
    if let Some(change) = change {
        for (mine, other, sealed) in [
            (&change.old_id, &change.new_id, &change.new_under_old),
            (&change.new_id, &change.old_id, &change.old_under_new),
        ] {
            let Some(key) = keys.named(mine).filter(|_| keys.named(other).is_none()) else { continue };
            let about = [mine.as_bytes(), b" ", other.as_bytes()].concat();
            let bytes = crate::seal::open_under(&key, CHANGE, &about, sealed);
            let Some(bytes) = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) else { continue };
            keys.add(MasterKey::from_bytes(bytes), false);
        }
    }
    let own = keys.all().into_iter().find(|key| Some(key.subkey("key check")) == kept);
    if let Some(own) = own.filter(|own| own.id() != keys.current().id()) {
        keys.add(own, true);
    }
}

/// One master key sealed under another.
///
/// # Errors
/// If the system gives no random bytes.
pub(crate) fn sealed_under(under: &MasterKey, key: &MasterKey) -> Result<Vec<u8>> {
    let about = [under.id().as_bytes(), b" ", key.id().as_bytes()].concat();
    crate::seal::seal_under(under, CHANGE, &about, key.bytes())
}

/// The purpose under which one master key is sealed under another.
const CHANGE: &str = "change of the master key";

/// The name of the file in which the next master key waits while the change to it begins.
const NEXT: &str = "master.key.next";

/// The name of the file whose lock says that somebody changes the key.
const LOCK: &str = "master.key.lock";

/// Makes sure that nobody else on this machine changes the key of a data directory, until the file is dropped.
///
/// # Errors
/// [`Error::Refused`] if somebody does.
pub(crate) fn alone(data: &Path) -> Result<File> {
    let path = data.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| unavailable(format!("{} cannot be written: {error}.", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(Error::Refused(crate::domain::Refusal::new(
            "Somebody is changing the master key at this moment. Wait until that is done.",
        ))),
    }
}

/// The key that the data directory's file is to hold next: made and kept before anything is sealed under it, and the same
/// one again if the change was interrupted before it began.
///
/// # Errors
/// [`Error::Unavailable`] with a sentence if it cannot be written.
pub(crate) fn next_in(data: &Path, now: &str) -> Result<MasterKey> {
    // What a change that was interrupted even earlier left behind.
    for entry in fs::read_dir(data).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("master.key.") && name.ends_with(".new") {
            let _ = fs::remove_file(entry.path());
        }
    }
    let path = data.join(NEXT);
    match read(&path)?.map(MasterKey::from_bytes) {
        Some(key) if key.id() != now => Ok(key),
        Some(_) => {
            fs::remove_file(&path)
                .map_err(|error| unavailable(format!("{} is in the way: {error}.", path.display())))?;
            make(&path)
        }
        None => make(&path),
    }
}

/// Puts the new key into the place of the old one, which stays beside it under its id: backups made before may need it.
/// Returns where the old one lies.
///
/// # Errors
/// [`Error::Unavailable`] with a sentence if the files cannot be moved, or the new key is not here.
pub(crate) fn put_in_place(data: &Path, old_id: &str, new_id: &str) -> Result<Option<PathBuf>> {
    let cannot =
        |error: std::io::Error| unavailable(format!("The key files in {} cannot be moved: {error}.", data.display()));
    let is =
        |path: &Path, id: &str| Ok::<_, Error>(read(path)?.map(MasterKey::from_bytes).is_some_and(|k| k.id() == id));
    let (next, place) = (data.join(NEXT), data.join(FILE));
    let before = data.join(format!("{FILE}.{old_id}"));
    if !is(&place, new_id)? {
        if !is(&next, new_id)? {
            return Err(unavailable(format!(
                "The master key {new_id}, to which this installation is changing, is not in {}. Put it there as {FILE}.",
                data.display()
            )));
        }
        if !before.exists() {
            fs::hard_link(&place, &before).or_else(|_| fs::copy(&place, &before).map(|_| ())).map_err(cannot)?;
        }
        fs::rename(&next, &place).map_err(cannot)?;
        File::open(data).and_then(|folder| folder.sync_all()).map_err(cannot)?;
    }
    Ok(before.exists().then_some(before))
}

/// Reads a key from a file that somebody names.
///
/// # Errors
/// [`Error::Unavailable`] with a sentence if there is none, or others may read it.
pub fn from_file(path: &Path) -> Result<MasterKey> {
    match read(path)? {
        Some(bytes) => Ok(MasterKey::from_bytes(bytes)),
        None => Err(unavailable(format!("There is no file {}. `openssl rand -hex 32` makes a key.", path.display()))),
    }
}

/// A new key as text, for an installation that keeps none.
///
/// # Errors
/// [`Error::Unavailable`] if the system gives no random bytes.
pub fn new_key() -> Result<Secret> {
    Ok(Secret::new(hex(&random::<32>()?)))
}

/// A secret that a person can type: groups of five letters and digits that nobody mistakes for each other, five bits in
/// each. At most eight groups.
///
/// # Errors
/// [`Error::Unavailable`] if the system gives no random bytes.
pub fn random_words(groups: usize) -> Result<String> {
    Ok(typeable(&random::<40>()?, groups))
}

/// The first bytes in groups of five letters and digits that nobody mistakes for each other; five bits of each byte count.
pub fn typeable(bytes: &[u8], groups: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters: Vec<char> =
        bytes.iter().take(5 * groups).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// Random bytes for secrets.
///
/// # Errors
/// [`Error::Unavailable`] if the system gives none.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| unavailable("The system gives no random bytes."))?;
    Ok(bytes)
}

struct Len;

impl KeyType for Len {
    fn len(&self) -> usize {
        32
    }
}

/// What is said of a key that is none.
pub const NO_KEY: &str =
    "It must be 32 random bytes, written as 64 hexadecimal digits or in base64; `openssl rand -hex 32` makes one.";

/// Whether a text can be a master key.
pub fn is_key(text: &str) -> bool {
    decode(text).is_some()
}

fn decode(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    if text.len() == 64 && text.is_ascii() {
        let digits: Option<Vec<u8>> =
            (0..32).map(|n| text.get(2 * n..2 * n + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect();
        return digits?.try_into().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()?;
    bytes.try_into().ok()
}

fn read(path: &Path) -> Result<Option<[u8; 32]>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unavailable(format!("The master key {} cannot be read: {error}.", path.display()))),
    };
    refuse_if_open(path)?;
    match decode(&text) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(unavailable(format!(
            "{} does not hold a key (64 hexadecimal digits). Put your copy of it back.",
            path.display()
        ))),
    }
}

/// Refuses a key file that others on the machine may read. Below `/run` container engines and systemd put secrets with
/// rights of their own making, for one container or unit alone.
#[cfg(unix)]
pub(crate) fn refuse_if_open(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if path.starts_with("/run") || !path.exists() {
        return Ok(());
    }
    let about = fs::metadata(path)
        .map_err(|error| unavailable(format!("The master key {} cannot be read: {error}.", path.display())))?;
    if about.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(unavailable(format!(
        "Others on this machine may read the master key. Make it yours alone: chmod 600 {}",
        path.display()
    )))
}

#[cfg(not(unix))]
pub(crate) fn refuse_if_open(_: &Path) -> Result<()> {
    Ok(())
}

/// Makes a key file whole or not at all. Of two starts at once, one makes it and the other reads it.
fn make(path: &Path) -> Result<MasterKey> {
    let cannot =
        |error: std::io::Error| unavailable(format!("The master key {} cannot be written: {error}.", path.display()));
    let bytes: [u8; 32] = random()?;
    let text = format!("{}\n", hex(&bytes));
    let draft = draft_path(path);
    write_private(&draft, &text).map_err(cannot)?;
    let linked = fs::hard_link(&draft, path);
    let removed = fs::remove_file(&draft);
    match linked {
        Ok(()) => removed.map_err(cannot)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return read(path)?
                .map(MasterKey::from_bytes)
                .ok_or_else(|| unavailable("The master key went away again."));
        }
        // A file system without hard links: the last step is then not atomic, but still never overwrites.
        Err(_) => write_private(path, &text).map_err(cannot)?,
    }
    if let Some(folder) = path.parent() {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)?;
    }
    Ok(MasterKey { bytes: Arc::new(bytes), made: Some(path.into()) })
}

fn draft_path(path: &Path) -> PathBuf {
    path.with_extension(format!("key.{}.new", uuid::Uuid::new_v4().simple()))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn unavailable(sentence: impl Into<String>) -> Error {
    Error::Unavailable(sentence.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_in_hexadecimal_or_base64() {
        assert_eq!(decode(&"0a".repeat(32)), Some([10; 32]));
        assert_eq!(decode(&format!(" {}\n", "FF".repeat(32))), Some([255; 32]));
        assert_eq!(decode(&STANDARD.encode([7; 32])), Some([7; 32]));
        assert_eq!(decode(&URL_SAFE_NO_PAD.encode([251; 32])), Some([251; 32]));
        for text in ["", "correct horse battery staple", &"zz".repeat(32), &"+a".repeat(32), &STANDARD.encode([7; 31])]
        {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_subkey_is_frozen_by_key_and_purpose() {
        let key = MasterKey::from_bytes([1; 32]);
        // RFC 5869 with SHA-256, worked out by another program: check values are kept in databases.
        let check: String = key.subkey("key check").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(check, "eaa3c2615fc9ef6d92c6515604cc0cf0ff6ef0d415ad05432c10b2a4729b0e06");
        assert_eq!(key.subkey("a"), key.subkey("a"));
        assert_ne!(key.subkey("a"), key.subkey("b"));
        assert_ne!(key.subkey("a"), MasterKey::from_bytes([2; 32]).subkey("a"));
    }
}
