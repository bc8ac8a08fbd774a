//! How many there are: counted exactly as far as lists count, and beyond what was read not guessed.

/// How far lists count: beyond it is "more than 1,000".
pub const COUNTED: i64 = 1000;

/// How many there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// So many, at most [`COUNTED`].
    Exactly(i64),
    /// More than [`COUNTED`].
    Many,
    /// So many of what was read, and perhaps others in what was not.
    AtLeast(i64),
}

impl Count {
    /// What was counted to its end, or up to one more than [`COUNTED`].
    pub fn of(count: i64) -> Self {
        if count > COUNTED { Self::Many } else { Self::Exactly(count) }
    }

    /// What was counted of everything that was read; `is_all` if that was all there is.
    pub fn of_read(count: i64, is_all: bool) -> Self {
        match Self::of(count) {
            Self::Exactly(count) if !is_all => Self::AtLeast(count),
            known => known,
        }
    }
}
