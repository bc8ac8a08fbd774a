//! How much memory the codes of a lossless WebP take (RFC 9649, section 3). A few bytes of the file stand for some
//! kilobytes of tables, so that a picture of one pixel can ask for a gigabyte, and the decoder has no limit of its own.
//! Hence the codes are walked over first; the picture itself comes after them and is not read.

/// As long a code is at most, in bits.
const LONGEST: usize = 15;

/// As many bits of a code the decoder looks up in a table; for longer ones it has a tree.
const LOOKED_UP: usize = 10;

/// The order in which the lengths of the code for lengths are written.
const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// As many bytes the decoder takes for the codes of a stream, nearly. Nothing if the stream ends before its codes do, or
/// is not one of a picture of this size. The size may be written at its beginning.
pub(super) fn memory(stream: &[u8], (width, height): (u32, u32), sized: bool) -> Option<u64> {
    let mut walk = Walk { bytes: stream, at: 0, memory: 0 };
    if sized {
        let head = (walk.bits(8)?, walk.bits(14)? + 1, walk.bits(14)? + 1, walk.bits(4)?);
        if (head.0, head.1, head.2) != (0x2f, width, height) {
            return None;
        }
    }
    walk.picture(width, height)?;
    Some(walk.memory)
}

struct Walk<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
    memory: u64,
}

impl Walk<'_> {
    fn picture(&mut self, mut width: u32, height: u32) -> Option<()> {
        let mut transformed = [false; 4];
        while self.bits(1)? == 1 {
            let transform = self.bits(2)?;
            if std::mem::replace(&mut transformed[transform as usize], true) {
                return None;
            }
            match transform {
                0 | 1 => {
                    self.blocks(width, height)?;
                }
                2 => {}
                _ => {
                    let colours = self.bits(8)? + 1;
                    self.plain(colours, 1)?;
                    width = width.div_ceil(match colours {
                        0..=2 => 8,
                        3..=4 => 4,
                        5..=16 => 2,
                        _ => 1,
                    });
                }
            }
        }
        let cache = self.cache()?;
        let groups = if self.bits(1)? == 1 { self.blocks(width, height)? + 1 } else { 1 };
        (0..groups).try_for_each(|_| self.group(cache).map(drop))
    }

    /// A picture that has a pixel for each block of another's.
    fn blocks(&mut self, width: u32, height: u32) -> Option<u32> {
        let block = 4 << self.bits(3)?;
        self.plain(width.div_ceil(block), height.div_ceil(block))
    }

    /// A picture without transforms, whose pixels all have the same codes; gives the highest number that is made of the
    /// red and the green of one.
    fn plain(&mut self, width: u32, height: u32) -> Option<u32> {
        let cache = self.cache()?;
        let [green, red, blue, opacity, distance] = self.group(cache)?;
        let (mut left, mut highest) = (width * height, 0);
        while left > 0 {
            let symbol = self.symbol(&green)?;
            let run = match symbol {
                0..256 => {
                    highest = highest.max(self.symbol(&red)? << 8 | symbol);
                    self.symbol(&blue)?;
                    self.symbol(&opacity)?;
                    1
                }
                256..280 => {
                    let run = self.number(symbol - 256)?;
                    let distance = self.symbol(&distance)?;
                    self.number(distance)?;
                    run
                }
                _ => 1,
            };
            left = left.saturating_sub(run);
        }
        Some(highest)
    }

    /// How many colours are kept to be referred to.
    fn cache(&mut self) -> Option<usize> {
        if self.bits(1)? == 0 {
            return Some(0);
        }
        let bits = self.bits(4)?;
        (1..=11).contains(&bits).then_some(1 << bits)
    }

    /// The codes of green, red, blue, opacity and distance.
    fn group(&mut self, cache: usize) -> Option<[Code; 5]> {
        // The decoder's own record of a code, three times for the list of them growing.
        self.memory += 5 * 56 * 3;
        let mut code = |symbols| {
            let code = self.code(symbols)?;
            self.memory += code.memory();
            Some(code)
        };
        Some([code(280 + cache)?, code(256)?, code(256)?, code(256)?, code(40)?])
    }

    fn code(&mut self, symbols: usize) -> Option<Code> {
        if self.bits(1)? == 1 {
            let two = self.bits(1)? == 1;
            let wide = if self.bits(1)? == 1 { 8 } else { 1 };
            let mut either = vec![self.bits(wide)?];
            if two {
                either.push(self.bits(8)?);
            }
            return Some(Code::of_either(either));
        }
        let mut lengths = [0; ORDER.len()];
        let count = 4 + self.bits(4)? as usize;
        for at in ORDER.get(..count)? {
            lengths[*at] = self.bits(3)? as usize;
        }
        let lengths = self.lengths(&Code::new(&lengths)?, symbols)?;
        Code::new(&lengths)
    }

    /// The lengths of a code, which are themselves coded.
    fn lengths(&mut self, code: &Code, symbols: usize) -> Option<Vec<usize>> {
        let mut written = symbols;
        if self.bits(1)? == 1 {
            let bits = 2 + 2 * self.bits(3)?;
            written = 2 + self.bits(bits)? as usize;
        }
        let (mut lengths, mut last) = (Vec::with_capacity(symbols), 8);
        while lengths.len() < symbols && written > 0 {
            written -= 1;
            let (length, run) = match self.symbol(code)? as usize {
                16 => (last, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                length => (length, 1),
            };
            if length > 0 {
                last = length;
            }
            lengths.resize(lengths.len() + run as usize, length);
        }
        (lengths.len() <= symbols).then_some(lengths)
    }

    /// A length or a distance, of which the symbol says how large it is.
    fn number(&mut self, symbol: u32) -> Option<u32> {
        if symbol < 4 {
            return Some(symbol + 1);
        }
        let extra = (symbol - 2) >> 1;
        Some(((2 + (symbol & 1)) << extra) + self.bits(extra)? + 1)
    }

    fn symbol(&mut self, code: &Code) -> Option<u32> {
        if let [only] = code.symbols[..] {
            return Some(only);
        }
        let (mut value, mut first, mut before) = (0, 0, 0);
        for count in &code.counts[1..] {
            value |= self.bits(1)? as usize;
            if value < first + count {
                return code.symbols.get(before + value - first).copied();
            }
            before += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        None
    }

    fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for place in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value |= u32::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }
}

/// A canonical prefix code.
struct Code {
    /// How many symbols there are of each length, of which none is of length 0.
    counts: [usize; LONGEST + 1],
    /// The symbols, the shortest first.
    symbols: Vec<u32>,
}

impl Code {
    /// The code with these lengths, 0 for a symbol that it does not have; nothing if they do not fill it.
    fn new(lengths: &[usize]) -> Option<Self> {
        let mut counts = [0; LONGEST + 1];
        let mut symbols = Vec::new();
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            let before = symbols.len();
            symbols.extend((0..).zip(lengths).filter(|(_, is)| **is == length).map(|(symbol, _)| symbol));
            *count = symbols.len() - before;
        }
        let room: usize = counts.iter().enumerate().map(|(length, count)| count << (LONGEST - length)).sum();
        (symbols.len() == 1 || room == 1 << LONGEST).then_some(Self { counts, symbols })
    }

    fn of_either(symbols: Vec<u32>) -> Self {
        let mut counts = [0; LONGEST + 1];
        counts[1] = symbols.len();
        Self { counts, symbols }
    }

    /// How many bytes the decoder takes for it: four for each entry of its table, and two nodes of sixteen for each
    /// symbol that the table does not hold.
    fn memory(&self) -> u64 {
        let longest = self.counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        let in_tree: usize = self.counts[LOOKED_UP + 1..].iter().sum();
        let table = if self.symbols.len() > 1 { 4 << longest.min(LOOKED_UP) } else { 0 };
        table + 64 + 32 * in_tree as u64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use image::codecs::webp::WebPEncoder;
    use image::{DynamicImage, Rgb, RgbImage};

    use super::*;

    #[test]
    fn a_usual_picture_takes_little() {
        let picture = RgbImage::from_fn(200, 100, |x, y| Rgb([x, y, x * y].map(|part| part.to_le_bytes()[0])));
        let mut file = Vec::new();
        DynamicImage::from(picture).write_with_encoder(WebPEncoder::new_lossless(&mut file)).unwrap();
        let taken = memory(&file[20..], (200, 100), true).unwrap();
        assert!((1_000..100_000).contains(&taken), "{taken}");
        assert_eq!(memory(&file[20..], (200, 101), true), None, "another size");
        assert_eq!(memory(&file[20..60], (200, 100), true), None, "cut");
        assert_eq!(memory(&[], (200, 100), false), None);
    }

    #[test]
    fn many_codes_take_much() {
        let stream = greedy(1_000);
        let taken = memory(&stream, (1, 1), true).unwrap();
        assert!((20_000_000..30_000_000).contains(&taken), "{taken}");
        assert_eq!(memory(&stream[..stream.len() - 100], (1, 1), true), None, "cut");
    }

    /// A picture of one pixel with this many groups of codes, each of which has a table of 1024 entries.
    pub(crate) fn greedy(groups: u32) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.put(0x2f, 8);
        bits.put(0, 14 + 14 + 4);
        // No transforms, no cache, but blocks, the only one of which has the last group.
        bits.put(0b100, 3 + 3 + 1);
        for symbol in [(groups - 1) & 255, (groups - 1) >> 8, 0, 0, 0] {
            bits.put(0b101, 3);
            bits.put(symbol, 8);
        }
        for _ in 0..groups * 5 {
            // The lengths 1 to 6 are written with three bits, 7 to 10 with four.
            bits.put(10 << 1, 5);
            for length in &ORDER[..14] {
                bits.put([0, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4].get(*length).copied().unwrap_or(0), 3);
            }
            // Eleven symbols, of the lengths 1 to 10 and once more 10.
            bits.put(9 << 4 | 0b0011, 8);
            for length in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10_u32] {
                let (code, count) = if length < 7 { (length - 1, 3) } else { (length + 5, 4) };
                (0..count).rev().for_each(|place| bits.put(code >> place, 1));
            }
        }
        bits.put(0, 64);
        bits.0.chunks(8).map(|bits| (0..).zip(bits).map(|(place, bit)| u8::from(*bit) << place).sum()).collect()
    }

    #[derive(Default)]
    struct Bits(Vec<bool>);

    impl Bits {
        fn put(&mut self, value: u32, count: u32) {
            self.0.extend((0..count).map(|place| value.checked_shr(place).unwrap_or(0) & 1 == 1));
        }
    }
}
