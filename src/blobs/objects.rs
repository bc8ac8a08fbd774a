//! The store of objects: a directory, or a bucket of a service that speaks S3. An object's name is random, written once and
//! never used again, so that a listing tells nothing and no write depends on conditions that some services ignore.

use std::collections::HashMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt,
    PutPayload, RetryConfig,
};

use crate::config::{BlobPlace, S3Place};
use crate::error::{Error, Result};
use crate::keys::random;

/// The size of every part of an object that S3 gets in parts, but the last: the smallest that the protocol allows, and the
/// same for each, as some services want it.
pub const PART: usize = 5 * 1024 * 1024;

/// Something is wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("the object is missing")]
    Missing,
    /// The object is not as long as it must be.
    #[error("the object has {found} bytes instead of {wanted}")]
    Length {
        /// Bytes that are there.
        found: u64,
        /// Bytes that should be.
        wanted: u64,
    },
    /// Anything else.
    #[error("{0}")]
    Other(object_store::Error),
    /// The file could not be read.
    #[error("{0}")]
    File(#[from] std::io::Error),
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            other => Self::Other(other),
        }
    }
}

/// Where the sealed objects lie. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Objects(Arc<Place>);

#[derive(Debug)]
enum Place {
    Directory { store: LocalFileSystem, root: PathBuf },
    S3 { store: AmazonS3, prefix: String, ending: Ending },
}

impl Objects {
    /// Opens the store; a directory is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with a sentence if it cannot be opened as it is set.
    pub fn open(place: &BlobPlace) -> Result<Self> {
        match place {
            BlobPlace::Directory(root) => {
                let cannot = |e: &dyn std::fmt::Display| {
                    Error::Unavailable(format!("The directory for files {} cannot be used: {e}.", root.display()))
                };
                make_private(root).map_err(|e| cannot(&e))?;
                let store = LocalFileSystem::new_with_prefix(root).map_err(|e| cannot(&e))?.with_fsync(true);
                Ok(Self(Arc::new(Place::Directory { store, root: root.clone() })))
            }
            BlobPlace::S3(place) => {
                let store = s3(place).map_err(|e| {
                    Error::Unavailable(format!("The bucket {} cannot be used: {e}. Check LIFEOPS_BLOBS.", place.bucket))
                })?;
                Ok(Self(Arc::new(Place::S3 { store, prefix: place.prefix.clone(), ending: Ending::default() })))
            }
        }
    }

    /// A name that no object has had.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn new_name() -> Result<String> {
        let name = crate::domain::chain::hex(&random::<16>()?);
        Ok(format!("{}/{name}", name.get(..2).unwrap_or_default()))
    }

    /// Whether this is a name such as [`Self::new_name`] makes.
    pub fn is_name(text: &str) -> bool {
        let digits = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        text.split_once('/').is_some_and(|(folder, name)| digits(folder, 2) && digits(name, 32))
    }

    /// Whether objects lie in a directory of this machine.
    pub fn is_directory(&self) -> bool {
        matches!(*self.0, Place::Directory { .. })
    }

    fn path(&self, name: &str) -> Path {
        match &*self.0 {
            Place::Directory { .. } => Path::from(name),
            Place::S3 { prefix, .. } if prefix.is_empty() => Path::from(name),
            Place::S3 { prefix, .. } => Path::from(format!("{prefix}/{name}")),
        }
    }

    /// Begins an object. It is there, whole and durable, once [`Writing::finish`] has returned, and not before.
    pub async fn write(&self, name: &str) -> Result<Writing, StoreError> {
        let path = self.path(name);
        Ok(match &*self.0 {
            Place::Directory { store, .. } => Writing::Directory(store.put_multipart(&path).await?),
            Place::S3 { store, ending, .. } => Writing::S3(Box::new(Parts {
                store: store.clone(),
                ending: ending.clone(),
                path,
                multipart: None,
                done: Vec::new(),
                filling: Vec::new(),
                sending: None,
            })),
        })
    }

    /// Reads part of an object that must have so many bytes in all.
    pub async fn read(&self, name: &str, whole: u64, from: u64, until: u64) -> Result<Source, StoreError> {
        let path = self.path(name);
        let range = Some(GetRange::Bounded(from..until));
        let options = GetOptions { range, ..GetOptions::default() };
        let found = match &*self.0 {
            Place::Directory { store, .. } => store.get_opts(&path, options).await,
            Place::S3 { store, .. } => store.get_opts(&path, options).await,
        };
        let found = match found {
            Ok(found) => found,
            // A range beyond the end of an object that was cut short.
            Err(error) => match self.size(name).await {
                Ok(size) if size != whole => return Err(StoreError::Length { found: size, wanted: whole }),
                _ => return Err(error.into()),
            },
        };
        if found.meta.size != whole {
            return Err(StoreError::Length { found: found.meta.size, wanted: whole });
        }
        Ok(match found.payload {
            GetResultPayload::File(file, _) => Source::File { file, at: from },
            GetResultPayload::Stream(stream) => Source::Stream { stream, left: Bytes::new() },
        })
    }

    /// How many bytes an object has.
    pub async fn size(&self, name: &str) -> Result<u64, StoreError> {
        let path = self.path(name);
        Ok(match &*self.0 {
            Place::Directory { store, .. } => store.head(&path).await?.size,
            Place::S3 { store, .. } => store.head(&path).await?.size,
        })
    }

    /// Deletes an object, also one that was never finished. One that is not there is fine.
    pub async fn delete(&self, name: &str, multipart: Option<&str>) -> Result<(), StoreError> {
        let path = self.path(name);
        match &*self.0 {
            Place::Directory { store, root } => {
                unfinished(root, name).await?;
                settled(store.delete(&path).await)
            }
            Place::S3 { store, ending, .. } => {
                // A part that is still under way would stay behind.
                let part = ending.lock().unwrap_or_else(PoisonError::into_inner).remove(&path);
                if let Some(part) = part {
                    let _ = tokio::time::timeout(Duration::from_secs(60), part).await;
                }
                if let Some(id) = multipart {
                    match store.abort_multipart(&path, &id.to_owned()).await {
                        // Of parts that are gone some services say that nobody may abort them.
                        Err(object_store::Error::PermissionDenied { source, .. }) => {
                            tracing::warn!(error = %source, "parts of a file that was given up may be left in the bucket");
                        }
                        aborted => settled(aborted)?,
                    }
                }
                settled(store.delete(&path).await)
            }
        }
    }

    /// Asks the store for something that is not there, to learn whether it answers and lets us in.
    pub async fn check(&self) -> Result<(), StoreError> {
        match self.size("00/00000000000000000000000000000000").await {
            Ok(_) | Err(StoreError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn settled(deleted: object_store::Result<()>) -> Result<(), StoreError> {
    match deleted {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn s3(place: &S3Place) -> object_store::Result<AmazonS3> {
    // The client takes the process's own cryptography.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(Duration::from_secs(5))
        .with_read_timeout(Duration::from_secs(60))
        .with_pool_idle_timeout(Duration::from_secs(60))
        .with_http1_only()
        .with_allow_http(place.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://")));
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(20),
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&place.bucket)
        .with_region(&place.region)
        .with_virtual_hosted_style_request(!place.path_style)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &place.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let (Some(id), Some(secret)) = (&place.access_key, &place.secret_key) {
        builder = builder.with_access_key_id(id.expose()).with_secret_access_key(secret.expose());
    }
    builder.build()
}

/// Removes what was written of an object that was never finished: the library puts it beside its final place, under the
/// same name with `#` and a number.
async fn unfinished(root: &FilePath, name: &str) -> std::io::Result<()> {
    let Some((shard, file)) = name.split_once('/') else { return Ok(()) };
    let (folder, begins) = (root.join(shard), format!("{file}#"));
    let removed = tokio::task::spawn_blocking(move || {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&begins) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    });
    removed.await.map_err(std::io::Error::other)?
}

fn make_private(path: &FilePath) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// An object that is being written.
pub enum Writing {
    /// Into a file beside its final place.
    Directory(Box<dyn MultipartUpload>),
    /// In parts, unless it is smaller than one.
    S3(Box<Parts>),
}

impl std::fmt::Debug for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writing(…)")
    }
}

impl Writing {
    /// Whether so many more bytes begin a part, for which the upload wants an id first.
    pub fn wants_id(&self, more: usize) -> bool {
        matches!(self, Self::S3(parts) if parts.multipart.is_none() && parts.filling.len() + more > PART)
    }

    /// Begins an upload in parts; returns the id under which the service knows it.
    pub async fn begin_parts(&mut self) -> Result<String, StoreError> {
        let Self::S3(parts) = self else { return Ok(String::new()) };
        let id = parts.store.create_multipart(&parts.path).await?;
        parts.multipart = Some(id.clone());
        Ok(id)
    }

    /// Writes the next piece. Returns its buffer, empty, when there is room for another one.
    pub async fn write(&mut self, piece: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Directory(upload) => {
                let bytes = Bytes::from(piece);
                upload.put_part(bytes.clone().into()).await?;
                Ok(emptied(bytes))
            }
            Self::S3(parts) => {
                let mut rest = piece.as_slice();
                while parts.filling.len() + rest.len() > PART {
                    let (mine, after) = rest.split_at(PART - parts.filling.len());
                    parts.filling.extend_from_slice(mine);
                    parts.send().await?;
                    rest = after;
                }
                parts.filling.extend_from_slice(rest);
                let mut piece = piece;
                piece.clear();
                Ok(piece)
            }
        }
    }

    /// Makes the object whole and durable.
    pub async fn finish(self) -> Result<(), StoreError> {
        match self {
            Self::Directory(mut upload) => {
                upload.complete().await?;
            }
            Self::S3(mut parts) => parts.finish().await?,
        }
        Ok(())
    }
}

/// A buffer that was written, empty, to be filled again: the same few serve a whole upload, however large. The allocator
/// would not soon give back what one thread takes and another returns.
fn emptied(bytes: Bytes) -> Vec<u8> {
    let mut buffer = Vec::from(bytes);
    buffer.clear();
    buffer
}

/// What was under way when nobody wanted its object any more, by the object's path.
type Ending = Arc<Mutex<HashMap<Path, Sending>>>;

/// A part that is under way, or the end of an object, which is no part.
type Sending = tokio::task::JoinHandle<object_store::Result<Option<PartId>>>;

/// An object on its way to S3.
pub struct Parts {
    store: AmazonS3,
    ending: Ending,
    path: Path,
    multipart: Option<String>,
    done: Vec<PartId>,
    /// The part that is filled.
    filling: Vec<u8>,
    /// What is under way.
    sending: Option<(Bytes, Sending)>,
}

impl Drop for Parts {
    /// Whoever deletes the object waits for what is under way: what arrives after that would stay for ever.
    fn drop(&mut self) {
        if let Some((_, sending)) = self.sending.take() {
            self.ending.lock().unwrap_or_else(PoisonError::into_inner).insert(self.path.clone(), sending);
        }
    }
}

impl Parts {
    /// Sends the part that is full, once the one before it is there.
    async fn send(&mut self) -> Result<(), StoreError> {
        let empty = self.sent().await?;
        let part = Bytes::from(std::mem::replace(&mut self.filling, empty));
        let (store, path, payload) = (self.store.clone(), self.path.clone(), PutPayload::from(part.clone()));
        let (id, number) = (self.multipart.clone().unwrap_or_default(), self.done.len());
        let task = tokio::spawn(async move { store.put_part(&path, &id, number, payload).await.map(Some) });
        self.sending = Some((part, task));
        Ok(())
    }

    /// Sends what is left, and makes the object of it.
    async fn finish(&mut self) -> Result<(), StoreError> {
        let (store, path) = (self.store.clone(), self.path.clone());
        let task = match self.multipart.clone() {
            None => {
                let whole = PutPayload::from(std::mem::take(&mut self.filling));
                tokio::spawn(async move { store.put(&path, whole).await.map(|_| None) })
            }
            Some(id) => {
                self.send().await?;
                self.sent().await?;
                let done = std::mem::take(&mut self.done);
                tokio::spawn(async move { store.complete_multipart(&path, &id, done).await.map(|_| None) })
            }
        };
        self.sending = Some((Bytes::new(), task));
        self.sent().await?;
        Ok(())
    }

    /// Waits for what is under way; returns its buffer, empty. It stays under way if nobody waits to the end.
    async fn sent(&mut self) -> Result<Vec<u8>, StoreError> {
        let Some((_, task)) = &mut self.sending else { return Ok(Vec::new()) };
        let sent = task.await;
        let part = self.sending.take().map(|(part, _)| part).unwrap_or_default();
        self.done.extend(sent.map_err(|error| object_store::Error::JoinError { source: error })??);
        Ok(emptied(part))
    }
}

/// An object that is being read.
#[allow(missing_debug_implementations)]
pub enum Source {
    /// From a file.
    File {
        /// The file.
        file: std::fs::File,
        /// Where the next bytes are.
        at: u64,
    },
    /// Over the network.
    Stream {
        /// What comes.
        stream: BoxStream<'static, object_store::Result<Bytes>>,
        /// What came and was not taken yet.
        left: Bytes,
    },
}

impl Source {
    /// Puts the next bytes into `buffer`, so many of them. Over the network this waits; of a file nothing is read, which
    /// [`Self::fill`] does on a thread that may wait.
    pub async fn gather(&mut self, wanted: usize, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let Self::Stream { stream, left } = self else { return Ok(()) };
        buffer.clear();
        while buffer.len() < wanted {
            if left.is_empty() {
                match stream.next().await {
                    Some(bytes) => *left = bytes?,
                    None => return Err(StoreError::Length { found: buffer.len() as u64, wanted: wanted as u64 }),
                }
            }
            let take = left.len().min(wanted - buffer.len());
            buffer.extend_from_slice(&left.split_to(take));
        }
        Ok(())
    }

    /// Reads the next bytes of a file into `buffer`, so many of them. For a thread that may wait.
    pub fn fill(&mut self, wanted: usize, buffer: &mut Vec<u8>) -> std::io::Result<()> {
        use std::io::{Read as _, Seek as _, SeekFrom};
        let Self::File { file, at } = self else { return Ok(()) };
        buffer.resize(wanted, 0);
        file.seek(SeekFrom::Start(*at))?;
        file.read_exact(buffer)?;
        *at += wanted as u64;
        Ok(())
    }
}
