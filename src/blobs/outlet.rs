//! From a sealed object to a stream of plain bytes: only the chunks that a range touches are read and opened.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::Stream;
use sha2::{Digest, Sha256};

use super::Kept;
use super::objects::{Objects, Source, StoreError};
use super::seal::{CHUNK, HEADER, MAGIC, Opener, TAG, chunks, sealed_size};
use crate::domain::attachment::BlobId;
use crate::error::Error;

/// How many chunks are read and opened at a time.
const AT_ONCE: usize = 4;

/// A content cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The store does not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not what was sealed.
    #[error("the object was changed: chunk {0} does not open")]
    Changed(u64),
    /// It opens, but is another content than its name says.
    #[error("the object holds another content")]
    Other,
    /// Something inside.
    #[error("{0}")]
    Inside(String),
}

impl From<Unreadable> for Error {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Store(StoreError::Other(error)) => {
                tracing::warn!(%error, "the store of files does not answer");
                Self::Unavailable(
                    "The store that keeps the files does not answer just now. Nothing is lost. Try again in a minute."
                        .to_owned(),
                )
            }
            Unreadable::Inside(problem) => Self::Internal(problem),
            other => {
                tracing::error!(error = %other, "a file cannot be read");
                Self::Unavailable(
                    "This file is damaged or missing in the store. Tell whoever runs this LifeOps: `lifeops verify` names \
                     what is wrong, and a backup may have it."
                        .to_owned(),
                )
            }
        }
    }
}

/// A content on its way out.
struct Outlet {
    source: Source,
    opener: Opener,
    /// The next chunk.
    number: u64,
    /// The chunk after the last one wanted.
    until: u64,
    size: u64,
    header: bool,
    spare: Spare,
}

/// Buffers that were sent and can be filled again: the same few serve a whole download, however large.
#[derive(Clone, Default)]
struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Lends a buffer to whoever sends it; it comes back when it was sent.
    fn lend(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, home: self.clone() })
    }
}

struct Lent {
    buffer: Vec<u8>,
    home: Spare,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.home.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

impl Outlet {
    async fn open(objects: &Objects, kept: &Kept, range: &Range<u64>) -> Result<Self, Unreadable> {
        let chunk = CHUNK as u64;
        let (first, until) = match range.is_empty() {
            true => (0, 1),
            false => (range.start / chunk, (range.end - 1) / chunk + 1),
        };
        let whole = sealed_size(kept.size);
        let place = |number: u64| HEADER as u64 + number * (chunk + TAG as u64);
        // The header is looked at wherever the first chunk is.
        let header = first == 0;
        let from = if header { 0 } else { place(first) };
        let end = if until == chunks(kept.size) { whole } else { place(until) };
        let source = objects.read(&kept.object, whole, from, end).await?;
        let opener = Opener::new(&kept.key.0, kept.size, first).map_err(|e| Unreadable::Inside(e.to_string()))?;
        Ok(Self { source, opener, number: first, until, size: kept.size, header, spare: Spare::default() })
    }

    /// The next chunks, opened; none after the last.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Unreadable> {
        if self.number == self.until {
            return Ok(None);
        }
        let number = self.until.min(self.number + AT_ONCE as u64);
        let end = self.size.min(number * CHUNK as u64);
        let plain = usize::try_from(end - (self.number * CHUNK as u64).min(end)).map_err(|e| inside(&e))?;
        let count = usize::try_from(number - self.number).map_err(|e| inside(&e))?;
        let header = if std::mem::take(&mut self.header) { HEADER } else { 0 };
        let wanted = header + plain + count * TAG;
        let mut buffer = self.spare.take();
        buffer.reserve(wanted);
        self.source.gather(wanted, &mut buffer).await?;
        let opened = tokio::task::spawn_blocking(move || {
            self.source.fill(wanted, &mut buffer).map_err(StoreError::from)?;
            self.unseal(header, &mut buffer)?;
            self.number = number;
            Ok::<_, Unreadable>((self.spare.lend(buffer), self))
        });
        opened.await.map_err(|e| inside(&e))?.map(Some)
    }

    /// Opens the chunks in a buffer and moves them together.
    fn unseal(&mut self, header: usize, buffer: &mut Vec<u8>) -> Result<(), Unreadable> {
        if header > 0 && buffer.get(..header) != Some(MAGIC.as_slice()) {
            return Err(Unreadable::Changed(0));
        }
        let (mut from, mut to, mut number) = (header, 0, self.number);
        while from < buffer.len() {
            let until = buffer.len().min(from + CHUNK + TAG);
            let sealed = buffer.get_mut(from..until).unwrap_or_default();
            let plain = self.opener.open(sealed).ok_or(Unreadable::Changed(number))?.len();
            buffer.copy_within(from..from + plain, to);
            (from, to, number) = (until, to + plain, number + 1);
        }
        buffer.truncate(to);
        Ok(())
    }
}

fn inside(error: &dyn std::fmt::Display) -> Unreadable {
    Unreadable::Inside(error.to_string())
}

/// A range of a content's plain bytes. The first chunks are opened before this returns, so that what is missing or broken
/// shows before anything was promised.
///
/// # Errors
/// [`Unreadable`]; later, the stream ends with one.
pub async fn stream(
    objects: &Objects,
    kept: &Kept,
    range: Range<u64>,
) -> Result<impl Stream<Item = Result<Bytes, Unreadable>> + Send + use<>, Unreadable> {
    let outlet = Outlet::open(objects, kept, &range).await?;
    let at = outlet.number * CHUNK as u64;
    let first = outlet.next().await?;
    // The bytes in front of the range, and those in it.
    let (skip, left) = (range.start.saturating_sub(at), range.end.saturating_sub(range.start));
    Ok(futures_util::stream::try_unfold((first, skip, left, true), |(ready, skip, left, is_first)| async move {
        let Some((bytes, outlet)) = ready else { return Ok(None) };
        let (mut piece, outlet) = if is_first {
            (bytes, outlet)
        } else {
            match outlet.next().await? {
                Some(next) => next,
                None => return Ok(None),
            }
        };
        let cut = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
        let mut piece = piece.split_off(cut);
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - piece.len() as u64;
        Ok(Some((piece, (Some((Bytes::new(), outlet)), 0, left, false))))
    }))
}

/// A whole content in memory: for small ones.
///
/// # Errors
/// [`Unreadable`].
pub async fn content(objects: &Objects, kept: &Kept) -> Result<Vec<u8>, Unreadable> {
    let mut outlet = Outlet::open(objects, kept, &(0..kept.size)).await?;
    let mut whole = Vec::with_capacity(usize::try_from(kept.size).unwrap_or(0));
    while let Some((bytes, rest)) = outlet.next().await? {
        whole.extend_from_slice(&bytes);
        outlet = rest;
    }
    Ok(whole)
}

/// Opens a whole content and looks whether it is the one that its name says. `progress` is told the bytes as they go by.
///
/// # Errors
/// [`Unreadable`] if it is not.
pub async fn whole(
    objects: &Objects,
    kept: &Kept,
    blob: BlobId,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), Unreadable> {
    let mut outlet = Outlet::open(objects, kept, &(0..kept.size)).await?;
    let mut digest = Sha256::new();
    while let Some((bytes, rest)) = outlet.next().await? {
        outlet = rest;
        progress(bytes.len() as u64);
        digest = tokio::task::spawn_blocking(move || digest.chain_update(&bytes)).await.map_err(|e| inside(&e))?;
    }
    if <[u8; 32]>::from(digest.finalize()) == blob.0 { Ok(()) } else { Err(Unreadable::Other) }
}
