//! Time-based one-time passwords as authenticator apps make them (RFC 6238 with SHA-1, 6 digits, 30 seconds). Written
//! down here rather than taken from a library because what counts is *which* step a code belongs to: a used one is never
//! taken again.

use ring::hmac;

use crate::domain::instant::Instant;
use crate::keys::random;

/// How long a code is shown, in seconds.
const STEP: i64 = 30;

/// The bytes of a secret: as many as the hash has (RFC 4226, section 4).
const LENGTH: usize = 20;

/// The secret that the server and the person's app share.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// A new one.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn new() -> crate::error::Result<Self> {
        Ok(Self(random::<LENGTH>()?.to_vec()))
    }

    /// One that was kept.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Its bytes, to be sealed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret as apps and people read it: base32 (RFC 4648, section 6) without padding.
    pub fn base32(&self) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let (mut text, mut bits, mut held) = (String::new(), 0_u32, 0);
        for byte in &self.0 {
            bits = (bits << 8) | u32::from(*byte);
            held += 8;
            while held >= 5 {
                held -= 5;
                text.push(char::from(LETTERS[(bits >> held) as usize & 31]));
            }
            bits &= 31;
        }
        if held > 0 {
            text.push(char::from(LETTERS[(bits << (5 - held)) as usize & 31]));
        }
        text
    }

    /// The code of a step (RFC 4226, section 5.3).
    pub fn code(&self, step: i64, digits: u32) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let mac = tag.as_ref();
        let at = usize::from(mac[mac.len() - 1] & 15);
        let four = [mac[at] & 0x7f, mac[at + 1], mac[at + 2], mac[at + 3]];
        u32::from_be_bytes(four) % 10_u32.pow(digits)
    }

    /// The steps that a code of six digits belongs to, the one before and the one after now's included: clocks differ.
    pub fn steps_of(&self, code: u32, now: Instant) -> Vec<i64> {
        let here = step_at(now);
        (here - 1..=here + 1).filter(|step| self.code(*step, 6) == code).collect()
    }
}

/// The step of an instant.
pub fn step_at(now: Instant) -> i64 {
    now.micros().div_euclid(1_000_000).div_euclid(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the rows of SHA-1.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = TotpSecret::from_bytes(*b"12345678901234567890");
        for (seconds, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            let now = Instant::from_micros(seconds * 1_000_000);
            assert_eq!(secret.code(step_at(now), 8), code, "at {seconds}");
            assert_eq!(secret.steps_of(code % 1_000_000, now), [step_at(now)], "at {seconds}");
        }
    }

    #[test]
    fn a_code_counts_one_step_early_and_one_late() {
        let secret = TotpSecret::from_bytes(*b"12345678901234567890");
        let code = secret.code(100, 6);
        let at = |seconds: i64| secret.steps_of(code, Instant::from_micros(seconds * 1_000_000));
        assert_eq!(at(98 * 30 + 29), [0_i64; 0]);
        assert_eq!(at(99 * 30), [100]);
        assert_eq!(at(101 * 30 + 29), [100]);
        assert_eq!(at(102 * 30), [0_i64; 0]);
    }

    /// RFC 4648, section 10.
    #[test]
    fn a_secret_is_written_in_base32() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(TotpSecret::from_bytes(bytes.as_bytes()).base32(), text);
        }
    }
}
