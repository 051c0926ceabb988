//! The SHA-256 by which contents are known.

use std::fmt::{self, Debug, Display, Formatter};
use std::ops::Deref;
use std::slice;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// A SHA-256. Shown, and stored, as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// What is no hexadecimal digit has this bit.
const NO_DIGIT: u8 = 0x80;

/// The values of lower-case hexadecimal digits.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// As it stands in the file: exactly 64 lower-case digits, and nothing else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (pairs, rest) = text.as_chunks::<2>();
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        let mut all = 0;
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
            all |= high | low;
            *byte = high << 4 | low & 15;
        }
        (all & NO_DIGIT == 0).then_some(Self(bytes))
    }
}

/// The digests of one file or of several, in the order of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Digests {
    One(Digest),
    Many(Vec<Digest>),
}

impl Deref for Digests {
    type Target = [Digest];

    fn deref(&self) -> &[Digest] {
        match self {
            Self::One(digest) => slice::from_ref(digest),
            Self::Many(digests) => digests,
        }
    }
}

impl FromStr for Digest {
    type Err = Error;

    /// Of what a person typed, upper case is accepted, too.
    fn from_str(text: &str) -> Result<Self, Error> {
        let lower = text.trim().to_ascii_lowercase();
        Self::parse(lower.as_bytes()).ok_or_else(|| Error::NotADigest { text: text.to_owned() })
    }
}

impl Display for Digest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Debug for Digest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sha256sum() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert_eq!(empty.parse::<Digest>().unwrap(), Digest::of(b""));
        assert_eq!(empty.to_uppercase().parse::<Digest>().unwrap(), Digest::of(b""));
        assert_eq!(Digest::parse(empty.to_uppercase().as_bytes()), None);
        for wrong in ["", &empty[1..], &format!("{empty}0"), &empty.replace('e', "g")] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
