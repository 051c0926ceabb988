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

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// As it stands in the file: exactly 64 lower-case digits, and nothing else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; 64] = text.try_into().ok()?;
        // Without tables and branches, so that several are taken at once.
        let mut digits = [0; 64];
        let mut are_digits = true;
        for (digit, byte) in digits.iter_mut().zip(text) {
            let (number, letter) = (byte.wrapping_sub(b'0'), byte.wrapping_sub(b'a'));
            are_digits &= (number < 10) | (letter < 6);
            *digit = if number < 10 { number } else { letter.wrapping_add(10) };
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            *byte = high << 4 | low & 15;
        }
        are_digits.then_some(Self(bytes))
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
