//! How a file's content is sealed: in chunks of 64 KiB with AES-256-GCM, in the STREAM construction (Hoang, Reyhanitabar,
//! Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015).
//!
//! ```text
//! object = header (16 bytes) || chunk 0 || chunk 1 || … ; each chunk with its tag of 16 bytes
//! header = "LIFEOPS\0" || format (1) || cipher (1: AES-256-GCM) || log2 of the chunk (16) || five bytes of 0
//! nonce  = seven bytes of 0 || number of the chunk (4 bytes, big-endian) || 1 for the last chunk, else 0
//! ```
//!
//! Every chunk is full but the last; only an empty file has an empty one. The header is bound to every chunk as associated
//! data. Each content has a random key of its own, so nonces need nothing random. A chunk that is changed, moved, repeated
//! or missing fails to open, and so does a cut at a border of chunks: the last one says that it is the last.

use ring::aead::{AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, Tag, UnboundKey};

use crate::error::{Error, Result};

/// Plain bytes in a chunk.
pub const CHUNK: usize = 64 * 1024;

/// Bytes that sealing adds to a chunk.
pub const TAG: usize = 16;

/// Bytes in front of the first chunk.
pub const HEADER: usize = 16;

/// The header of every object.
pub const MAGIC: [u8; HEADER] = *b"LIFEOPS\0\x01\x01\x10\0\0\0\0\0";

/// The size in bytes of the object that holds a content of so many bytes.
pub fn sealed_size(plain: u64) -> u64 {
    HEADER as u64 + plain + TAG as u64 * chunks(plain)
}

/// In how many chunks a content of so many bytes is sealed.
pub fn chunks(plain: u64) -> u64 {
    plain.div_ceil(CHUNK as u64).max(1)
}

/// A content's key with its construction.
#[derive(Debug)]
struct Stream {
    key: LessSafeKey,
    header: Vec<u8>,
}

impl Stream {
    fn new(algorithm: &'static Algorithm, key: &[u8; 32], header: &[u8]) -> Result<Self> {
        let key = UnboundKey::new(algorithm, key).map_err(Error::internal)?;
        Ok(Self { key: LessSafeKey::new(key), header: header.to_vec() })
    }

    fn nonce(number: u32, last: bool) -> Nonce {
        let [a, b, c, d] = number.to_be_bytes();
        Nonce::assume_unique_for_key([0, 0, 0, 0, 0, 0, 0, a, b, c, d, u8::from(last)])
    }

    fn seal(&self, number: u32, last: bool, chunk: &mut [u8]) -> Result<Tag> {
        let aad = Aad::from(self.header.as_slice());
        self.key.seal_in_place_separate_tag(Self::nonce(number, last), aad, chunk).map_err(Error::internal)
    }

    fn open<'a>(&self, number: u32, last: bool, sealed: &'a mut [u8]) -> Option<&'a mut [u8]> {
        self.key.open_in_place(Self::nonce(number, last), Aad::from(self.header.as_slice()), sealed).ok()
    }
}

/// Seals a content as it comes.
#[derive(Debug)]
pub struct Sealer {
    stream: Stream,
    number: u32,
    /// The bytes that may be the last chunk.
    held: Vec<u8>,
    begun: bool,
}

impl Sealer {
    /// A sealer under a key that no other content has.
    ///
    /// # Errors
    /// Never with a key of 32 bytes.
    pub fn new(key: &[u8; 32]) -> Result<Self> {
        Self::of(&AES_256_GCM, key, &MAGIC)
    }

    fn of(algorithm: &'static Algorithm, key: &[u8; 32], header: &[u8]) -> Result<Self> {
        let stream = Stream::new(algorithm, key, header)?;
        Ok(Self { stream, number: 0, held: Vec::with_capacity(CHUNK), begun: false })
    }

    /// Takes more of the content; what is ready of the object is put at the end of `sealed`.
    ///
    /// # Errors
    /// If the content has more than 2³² chunks.
    pub fn update(&mut self, mut plain: &[u8], sealed: &mut Vec<u8>) -> Result<()> {
        self.begin(sealed);
        while self.held.len() + plain.len() > CHUNK {
            let (mine, rest) = plain.split_at(CHUNK - self.held.len());
            self.chunk(mine, false, sealed)?;
            plain = rest;
        }
        self.held.extend_from_slice(plain);
        Ok(())
    }

    /// Ends the object with its last chunk.
    ///
    /// # Errors
    /// If the content has more than 2³² chunks.
    pub fn finish(mut self, sealed: &mut Vec<u8>) -> Result<()> {
        self.begin(sealed);
        self.chunk(&[], true, sealed)
    }

    fn begin(&mut self, sealed: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            sealed.extend_from_slice(&self.stream.header);
        }
    }

    /// Seals what is held with what completes it.
    fn chunk(&mut self, rest: &[u8], last: bool, sealed: &mut Vec<u8>) -> Result<()> {
        let from = sealed.len();
        sealed.extend_from_slice(&self.held);
        sealed.extend_from_slice(rest);
        self.held.clear();
        let tag = self.stream.seal(self.number, last, sealed.get_mut(from..).unwrap_or_default())?;
        sealed.extend_from_slice(tag.as_ref());
        if !last {
            self.number = self.number.checked_add(1).ok_or_else(|| Error::internal("a content of too many chunks"))?;
        }
        Ok(())
    }
}

/// Opens a content's chunks, in order, from any one on.
#[derive(Debug)]
pub struct Opener {
    stream: Stream,
    number: u64,
    last: u64,
}

impl Opener {
    /// An opener of a content of so many plain bytes, from a chunk on.
    ///
    /// # Errors
    /// Never with a key of 32 bytes.
    pub fn new(key: &[u8; 32], plain: u64, first: u64) -> Result<Self> {
        Self::of(&AES_256_GCM, key, &MAGIC, plain, first)
    }

    fn of(algorithm: &'static Algorithm, key: &[u8; 32], header: &[u8], plain: u64, first: u64) -> Result<Self> {
        Ok(Self { stream: Stream::new(algorithm, key, header)?, number: first, last: chunks(plain) - 1 })
    }

    /// Opens the next chunk where it lies; none if it is not what was sealed there.
    pub fn open<'a>(&mut self, sealed: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let number = u32::try_from(self.number).ok().filter(|_| self.number <= self.last)?;
        let is_last = self.number == self.last;
        self.number += 1;
        self.stream.open(number, is_last, sealed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::chain::{hex, unhex};
    use proptest::prelude::*;
    use ring::aead::CHACHA20_POLY1305;
    use sha2::{Digest, Sha256};

    const KEY: [u8; 32] = [7; 32];

    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|at| (at / 251 + at) as u8).collect()
    }

    fn sealed(plain: &[u8], steps: usize) -> Vec<u8> {
        let mut sealer = Sealer::new(&KEY).unwrap();
        let mut out = Vec::new();
        plain.chunks(steps.max(1)).for_each(|part| sealer.update(part, &mut out).unwrap());
        sealer.finish(&mut out).unwrap();
        out
    }

    /// Opens a whole object; none if anything is wrong with it.
    fn opened(key: &[u8; 32], size: u64, object: &[u8]) -> Option<Vec<u8>> {
        let (header, rest) = object.split_at_checked(HEADER)?;
        if header != MAGIC || object.len() as u64 != sealed_size(size) {
            return None;
        }
        let mut opener = Opener::new(key, size, 0).unwrap();
        let mut plain = Vec::new();
        for chunk in rest.chunks(CHUNK + TAG) {
            plain.extend_from_slice(opener.open(&mut chunk.to_vec())?);
        }
        Some(plain)
    }

    #[test]
    fn every_size_around_a_border_comes_back() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let plain = content(size);
            for steps in [1 << 20, 1000, CHUNK] {
                let object = sealed(&plain, steps);
                assert_eq!(object.len() as u64, sealed_size(size as u64));
                assert_eq!(opened(&KEY, size as u64, &object).unwrap(), plain, "{size} in steps of {steps}");
            }
        }
    }

    /// Frozen, and worked out by another program: what was sealed by an older version must open for ever.
    #[test]
    fn the_format_is_frozen() {
        let empty = sealed(b"", 1);
        assert_eq!(hex(&empty), "4c4946454f50530001011000000000005e4d7ea3beb30ff102a1f88c86c03ddc");
        let words = sealed(b"the anode rod was changed", 7);
        assert_eq!(
            hex(&words),
            "4c4946454f50530001011000000000004420dc40552e8d63489b072d3ad9031fe723930eb02b5a96a0fba7d5cec6df2994da6060bb43\
             043df7"
        );
        let long = sealed(&content(2 * CHUNK + 3), 9999);
        assert_eq!(hex(&Sha256::digest(&long)), "715bb835ca896c3923d87f78fdfaffa79dfb8585b8fe6bb07c3c236cfa2cf905");
    }

    /// age (https://age-encryption.org/v1) seals its payload in the same construction, with ChaCha20-Poly1305, nothing
    /// associated and a counter of 11 bytes. These are from its published test vectors (C2SP, CCTV: x25519,
    /// stream_empty_payload, stream_last_chunk_full, stream_last_chunk_empty, stream_two_final_chunks), with the payload key that
    /// file key and nonce give by HKDF-SHA-256.
    #[test]
    fn the_construction_is_the_published_one() {
        let key = unhex("6b6c189a7af0e7b1dba932c87080d8926b2de53fbf9eac516394701223669022").unwrap();
        let opened = |size: usize, object: &[u8]| {
            let mut opener = Opener::of(&CHACHA20_POLY1305, &key, b"", size as u64, 0).unwrap();
            let chunks = object.chunks(CHUNK + TAG).map(|chunk| Some(opener.open(&mut chunk.to_vec())?.to_vec()));
            Some(chunks.collect::<Option<Vec<_>>>()?.concat())
        };
        let sealed = |plain: &[u8]| {
            let mut sealer = Sealer::of(&CHACHA20_POLY1305, &key, b"").unwrap();
            let mut out = Vec::new();
            sealer.update(plain, &mut out).unwrap();
            sealer.finish(&mut out).unwrap();
            out
        };
        let bytes = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let zeros_and = |tag: &str| [vec![0; CHUNK], bytes(tag)].concat();
        let first = zeros_and("e2ec971462be227b4c162156ce7e821d");
        let only = zeros_and("a5770c90198815ddedd1327e1d2de018");
        for (object, size, digest) in [
            (
                bytes("b74c5bfef7beaa52c8f0bc0e992c1e8331fb66"),
                3,
                "013f54400c82da08037759ada907a8b864e97de81c088a182062c4b5622fd2ab",
            ),
            (
                bytes("ad2e4fcf3e528a4130deabef4336e555"),
                0,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (only.clone(), CHUNK, "ef179a156754d0f05daeef54ee027d6ac1cd29bb319b438f795c66dc28703603"),
        ] {
            let plain = opened(size, &object).unwrap();
            assert_eq!(hex(&Sha256::digest(&plain)), digest);
            assert!(sealed(&plain) == object, "{size}");
        }
        // The first of two chunks says that it is not the last; another one after the last is refused.
        let mut opener = Opener::of(&CHACHA20_POLY1305, &key, b"", 2 * CHUNK as u64, 0).unwrap();
        let digest = Sha256::digest(opener.open(&mut first.clone()).unwrap());
        assert_eq!(hex(&digest), "a68cb6fa0b2e2a8d1abd54fcb26ff31fe16166ed38688bffa681e617813b781a");
        assert!(opened(CHUNK, &first).is_none());
        assert!(opened(CHUNK + 1, &[only, bytes("00052a72cd9750a6e2dfcbcef15226fe64")].concat()).is_none());
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let size = 2 * CHUNK + 100;
        let object = sealed(&content(size), CHUNK);
        let around = [0, 7, 8, 15, 16, 17, HEADER + CHUNK, HEADER + CHUNK + TAG, object.len() - 17, object.len() - 1];
        for at in around.into_iter().chain((0..object.len()).step_by(4099)) {
            for bit in 0..8 {
                let mut changed = object.clone();
                changed[at] ^= 1 << bit;
                assert!(opened(&KEY, size as u64, &changed).is_none(), "bit {bit} of byte {at}");
            }
        }
        assert!(opened(&[8; 32], size as u64, &object).is_none(), "another key");
    }

    #[test]
    fn a_cut_is_noticed_at_a_border_and_off_it() {
        let size = 3 * CHUNK;
        let object = sealed(&content(size), CHUNK);
        let step = CHUNK + TAG;
        for cut in
            [0, 10, HEADER, HEADER + 1, HEADER + step, HEADER + 2 * step, HEADER + 2 * step + 7, object.len() - 1]
        {
            let cut_off = &object[..cut];
            // Whatever size is claimed: the last chunk says that it is the last.
            for claimed in [0, 1, CHUNK, 2 * CHUNK, 2 * CHUNK - 9, size] {
                assert!(opened(&KEY, claimed as u64, cut_off).is_none(), "cut at {cut}, claimed {claimed}");
            }
        }
        let mut longer = object.clone();
        longer.extend_from_slice(&object[HEADER..HEADER + step]);
        assert!(opened(&KEY, size as u64, &longer).is_none() && opened(&KEY, 4 * CHUNK as u64, &longer).is_none());
    }

    #[test]
    fn chunks_cannot_be_swapped_repeated_or_dropped() {
        let size = 4 * CHUNK;
        let object = sealed(&content(size), CHUNK);
        let (header, rest) = object.split_at(HEADER);
        let parts: Vec<&[u8]> = rest.chunks(CHUNK + TAG).collect();
        for order in [[1, 0, 2, 3], [0, 2, 1, 3], [0, 0, 2, 3], [0, 1, 1, 3], [0, 1, 3, 3], [3, 1, 2, 0]] {
            let mixed: Vec<u8> =
                header.iter().copied().chain(order.into_iter().flat_map(|n: usize| parts[n].to_vec())).collect();
            assert!(opened(&KEY, size as u64, &mixed).is_none(), "{order:?}");
        }
        for dropped in 0..4 {
            let left: Vec<u8> = header
                .iter()
                .copied()
                .chain((0..4).filter(|n| *n != dropped).flat_map(|n| parts[n].to_vec()))
                .collect();
            assert!(opened(&KEY, 3 * CHUNK as u64, &left).is_none(), "without {dropped}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_size_in_any_steps_comes_back(size in 0usize..400_000, steps in 1usize..200_000) {
            let plain = content(size);
            let object = sealed(&plain, steps);
            prop_assert_eq!(object.len() as u64, sealed_size(size as u64));
            prop_assert_eq!(opened(&KEY, size as u64, &object).unwrap(), plain);
        }

        #[test]
        fn any_chunk_opens_by_itself(size in 0usize..400_000, from in 0u64..7) {
            let plain = content(size);
            let object = sealed(&plain, CHUNK);
            prop_assume!(from < chunks(size as u64));
            let at = HEADER + from as usize * (CHUNK + TAG);
            let until = object.len().min(at + CHUNK + TAG);
            let mut opener = Opener::new(&KEY, size as u64, from).unwrap();
            let chunk = opener.open(&mut object[at..until].to_vec()).unwrap().to_vec();
            let from = from as usize * CHUNK;
            prop_assert_eq!(&chunk[..], &plain[from..plain.len().min(from + CHUNK)]);
        }
    }
}
