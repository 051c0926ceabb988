//! Seals a line, and checks a seal.
//!
//! A seal is the last member of an object, always 20 bytes long, and covers every byte before it:
//!
//! ```text
//! {"role":"user","content":"hi","crc32":"9a71bb4c"}
//! └──────── covered ──────────┘└───── seal ───────┘
//! ```
//!
//! The value is the CRC-32 of IEEE 802.3 (as in zlib and PNG) in lower-case hexadecimal. The line stays JSON for
//! every other reader, and the seal is checked by position, without parsing. Where the object has no other
//! member there is no comma: `{"crc32":"…"}`, and only the opening brace is covered.
//!
//! CRC-32 finds every burst of up to 32 damaged bits and misses one random damage in four thousand million. It
//! is no defence against somebody who wants to deceive: anyone can compute it.

use std::sync::LazyLock;

use crc32fast::Hasher;

/// Length in bytes of a seal behind other members: `,"crc32":"9a71bb4c"}`.
pub const SEAL_LEN: usize = 20;

const HEAD: &[u8] = br#","crc32":""#;
const TAIL: &[u8] = br#""}"#;

/// What the end of a line says about its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// There is no seal.
    Absent,
    /// There is one, and the bytes are those that were sealed.
    Good,
    /// There is one, and the bytes are not those that were sealed.
    Bad,
}

/// Looks for a seal at the end of `line` (without its newline) and checks it.
///
/// Lower-case digits only: accepting `A` for `a` would let a flipped bit through.
#[must_use]
#[inline]
pub fn check(line: &[u8]) -> Seal {
    let Some((covered, digits)) = split(line) else { return Seal::Absent };
    if *digits == hex(sum(covered)) {
        return Seal::Good;
    }
    // A member that a person called "crc32" may hold anything; only eight digits make it a seal.
    if digits.iter().all(u8::is_ascii_hexdigit) { Seal::Bad } else { Seal::Absent }
}

/// The part of a line that its seal covers, without the object's closing brace, or `None` where there is no
/// seal. `{"a":1,"crc32":"…"}` gives `{"a":1`.
#[must_use]
pub fn covered(line: &[u8]) -> Option<&[u8]> {
    split(line).filter(|(_, digits)| digits.iter().all(u8::is_ascii_hexdigit)).map(|(covered, _)| covered)
}

/// Turns the object at the end of `buffer` into a sealed one. `start` is the offset of its opening brace.
///
/// Returns `false`, and changes nothing, where there is no object from `start` to the end of `buffer`.
pub fn seal(buffer: &mut Vec<u8>, start: usize) -> bool {
    let object = buffer.get(start..).unwrap_or_default();
    if object.first() != Some(&b'{') || object.last() != Some(&b'}') {
        return false;
    }
    buffer.pop();
    let digits = hex(sum(&buffer[start..]));
    let is_empty = buffer[start + 1..].iter().all(u8::is_ascii_whitespace);
    buffer.extend_from_slice(&HEAD[usize::from(is_empty)..]);
    buffer.extend_from_slice(&digits);
    buffer.extend_from_slice(TAIL);
    true
}

#[inline]
fn sum(bytes: &[u8]) -> u32 {
    // What the processor can do is asked once, and not for every line.
    static EMPTY: LazyLock<Hasher> = LazyLock::new(Hasher::new);
    let mut hasher = EMPTY.clone();
    hasher.update(bytes);
    hasher.finalize()
}

/// The covered bytes, and the eight bytes where the digits of a seal are.
#[inline]
fn split(line: &[u8]) -> Option<(&[u8], &[u8; 8])> {
    let (covered, seal) = line.split_last_chunk::<SEAL_LEN>()?;
    // Compared word by word: this is asked of every line.
    let (head, rest) = seal.split_first_chunk::<10>()?;
    let (digits, tail) = rest.split_first_chunk::<8>()?;
    if tail != TAIL || head[1..] != HEAD[1..] {
        return None;
    }
    if head[0] == b',' {
        // Behind a comma there has to be a member: an object is longer than its brace.
        let is_member = covered.len() > 1 && !covered[1..].iter().all(u8::is_ascii_whitespace);
        return is_member.then_some((covered, digits));
    }
    // An object without other members: only its brace, and perhaps white space, stand before.
    let before = &line[..line.len() - SEAL_LEN + 1];
    match before {
        [b'{', space @ ..] if space.iter().all(u8::is_ascii_whitespace) => Some((before, digits)),
        _ => None,
    }
}

fn hex(code: u32) -> [u8; 8] {
    let mut digits = [0; 8];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(code.to_be_bytes()) {
        pair.copy_from_slice(&HEX[usize::from(byte)]);
    }
    digits
}

/// The two digits of each byte.
const HEX: [[u8; 2]; 256] = {
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        let digit = *b"0123456789abcdef";
        table[byte] = [digit[byte >> 4], digit[byte & 15]];
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(object: &str) -> Vec<u8> {
        let mut line = object.as_bytes().to_vec();
        assert!(seal(&mut line, 0));
        line
    }

    #[test]
    fn a_seal_is_the_documented_bytes() {
        // zlib's crc32 of `{"role":"user","content":"hi"` and of `{`, computed by Python's zlib.
        assert_eq!(
            sealed(r#"{"role":"user","content":"hi"}"#),
            br#"{"role":"user","content":"hi","crc32":"20425a7b"}"#
        );
        assert_eq!(sealed("{}"), br#"{"crc32":"15d54739"}"#);
    }

    #[test]
    fn sealed_lines_are_json_and_check() {
        for object in ["{}", "{ }", r#"{"a":1}"#, r#"{"a":{"b":[]}}"#, r#"{"crc32":"00000000","b":1}"#] {
            let line = sealed(object);
            assert_eq!(check(&line), Seal::Good, "{object}");
            assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok(), "{object}");
        }
    }

    /// The slow twin: bit by bit, as the standard defines it.
    fn slow(bytes: &[u8]) -> u32 {
        let sum = bytes.iter().fold(!0_u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ ((sum & 1) * 0xEDB8_8320))
        });
        !sum
    }

    /// What computes it takes other ways for other lengths, and for what else the processor can do.
    #[test]
    #[cfg_attr(miri, ignore = "tens of millions of steps")]
    fn the_sum_is_the_standards_whatever_the_length() {
        let mut seed = 1_u32;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(0x0019_660D).wrapping_add(0x3C6E_F35F);
            (seed >> 24) as u8
        })
        .take(5000)
        .collect();
        for len in (0..=600).chain(2000..=2400).chain([4096, 4990]) {
            let part = &bytes[len % 7..][..len];
            assert_eq!(sum(part), slow(part), "{len} bytes");
        }
    }

    #[test]
    fn only_objects_are_sealed() {
        for text in ["", "1", "[1]", "{", "}", "\"{}\""] {
            let mut line = text.as_bytes().to_vec();
            assert!(!seal(&mut line, 0), "{text}");
            assert_eq!(line, text.as_bytes());
        }
    }

    #[test]
    fn what_only_looks_like_a_seal_is_none() {
        for line in [
            r#"{"crc32":"deadbeef"#,
            r#"{"a":{"b":1,"crc32":"deadbeef"}}"#,
            r#"{"a":1,"crc32":"deadbee"}"#,
            r#"{"a":1,"crc32":"not hex!"}"#,
            r#"{"a":1,"crc32": "deadbeef"}"#,
            r#"x"crc32":"deadbeef"}"#,
            r#","crc32":"deadbeef"}"#,
            r#"{,"crc32":"15d54739"}"#,
            r#"{ ,"crc32":"deadbeef"}"#,
        ] {
            assert_eq!(check(line.as_bytes()), Seal::Absent, "{line}");
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let line = sealed(r#"{"role":"user","content":"größer"}"#);
        for bit in 0..line.len() * 8 {
            let mut damaged = line.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(check(&damaged), Seal::Good, "bit {bit}");
        }
    }
}
