//! From a stream of bytes to a sealed object. While one piece is hashed and sealed on a thread that may wait, the next one
//! is read and the one before it written: memory stays at a few pieces, however large the file is.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest, Sha256};

use super::DataKey;
use super::objects::{Objects, StoreError, Writing};
use super::seal::{CHUNK, Sealer};
use crate::domain::attachment::BlobId;
use crate::error::{Error, Result};

/// How much is read, sealed and written at a time, in bytes.
pub const PIECE: usize = 128 * 1024;

/// A piece that has not arrived within this time is waited for no longer: some 4 KB a second are enough.
const PIECE_WITHIN: Duration = Duration::from_secs(30);

/// How much of a file's beginning is kept, to see what it is.
const HEAD: usize = 8 * 1024;

/// A content that has arrived: sealed, whole and durable.
#[derive(Debug)]
pub struct Arrived {
    /// The digest of its plain bytes.
    pub blob: BlobId,
    /// How many there are.
    pub size: u64,
    /// Its first bytes.
    pub head: Vec<u8>,
}

/// A content did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It has more bytes than it may have.
    #[error("the file is too large")]
    TooLarge,
    /// The sender broke off.
    #[error("the upload broke off")]
    BrokeOff,
    /// The sender is too slow.
    #[error("the upload is too slow")]
    TooSlow,
    /// The store does not take it.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Something inside.
    #[error("{0}")]
    Inside(#[from] Error),
}

/// Hashes and seals.
struct Mill {
    digest: Sha256,
    sealer: Sealer,
    size: u64,
    head: Vec<u8>,
}

impl Mill {
    fn grind(&mut self, piece: &[u8], sealed: &mut Vec<u8>) -> Result<()> {
        self.size += piece.len() as u64;
        let room = HEAD.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(piece.get(..room).unwrap_or_default());
        // By chunks, so that what was hashed is still at hand when it is sealed.
        for part in piece.chunks(CHUNK) {
            self.digest.update(part);
            self.sealer.update(part, sealed)?;
        }
        Ok(())
    }
}

impl Objects {
    /// Takes a content in: at most so many bytes, into the object of that name. `begins` is told the id of an upload in
    /// parts before there is a part.
    pub async fn take<S, E, B>(
        &self,
        name: &str,
        key: &DataKey,
        most: u64,
        source: S,
        mut begins: impl FnMut(String) -> B,
    ) -> Result<Arrived, Failed>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        B: Future<Output = Result<()>>,
    {
        let mut source = Reading { source, left: most, ended: false };
        let mut writing = self.write(name).await?;
        let mut mill =
            Box::new(Mill { digest: Sha256::new(), sealer: Sealer::new(&key.0)?, size: 0, head: Vec::new() });
        // Two buffers go round on either side of the mill.
        let [mut piece, mut next] = [(); 2].map(|()| Vec::with_capacity(2 * PIECE));
        let [mut sealed, mut ready] = [(); 2].map(|()| Vec::with_capacity(2 * PIECE + CHUNK));
        source.fill(&mut piece).await?;
        while !piece.is_empty() {
            let milled = tokio::task::spawn_blocking(move || {
                let ground = mill.grind(&piece, &mut sealed);
                piece.clear();
                (mill, piece, sealed, ground)
            });
            let write = put(&mut writing, std::mem::take(&mut ready), &mut begins);
            let (filled, milled, written) = tokio::join!(source.fill(&mut next), milled, write);
            let (same, emptied, full, ground) = milled.map_err(Error::internal)?;
            (mill, ready, sealed) = (same, full, written?);
            piece = std::mem::replace(&mut next, emptied);
            ground?;
            filled?;
        }
        let Mill { digest, sealer, size, head } = *mill;
        sealed = put(&mut writing, ready, &mut begins).await?;
        sealer.finish(&mut sealed)?;
        put(&mut writing, sealed, &mut begins).await?;
        writing.finish().await?;
        Ok(Arrived { blob: BlobId(digest.finalize().into()), size, head })
    }
}

/// Writes a piece, and returns its buffer, empty.
async fn put<B>(writing: &mut Writing, piece: Vec<u8>, begins: &mut impl FnMut(String) -> B) -> Result<Vec<u8>, Failed>
where
    B: Future<Output = Result<()>>,
{
    if piece.is_empty() {
        return Ok(piece);
    }
    if writing.wants_id(piece.len()) {
        let id = writing.begin_parts().await?;
        begins(id).await?;
    }
    Ok(writing.write(piece).await?)
}

struct Reading<S> {
    source: S,
    left: u64,
    ended: bool,
}

impl<S, E> Reading<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Fills an empty buffer with the next piece; it stays empty at the end.
    async fn fill(&mut self, piece: &mut Vec<u8>) -> Result<(), Failed> {
        tokio::time::timeout(PIECE_WITHIN, self.gather(piece)).await.map_err(|_| Failed::TooSlow)?
    }

    async fn gather(&mut self, piece: &mut Vec<u8>) -> Result<(), Failed> {
        while piece.len() < PIECE && !self.ended {
            match self.source.next().await {
                Some(Ok(bytes)) => {
                    self.left = self.left.checked_sub(bytes.len() as u64).ok_or(Failed::TooLarge)?;
                    piece.extend_from_slice(&bytes);
                }
                Some(Err(_)) => return Err(Failed::BrokeOff),
                None => self.ended = true,
            }
        }
        Ok(())
    }
}
