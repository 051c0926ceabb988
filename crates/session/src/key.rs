//! Keys, and the file names that stand for them.
//!
//! Lower-case ASCII letters, digits, `-`, `_` and inner dots stand for themselves, every other byte becomes
//! `%` and two lower-case hexadecimal digits. So two keys never share a name, not even where the file system
//! folds case or normalises Unicode; nothing in a name is a separator, a device of Windows or hidden; and the
//! key is read back from the name. A key whose name would be too long keeps its beginning, `~` and the SHA-256
//! of the whole; what it is in full stands in the session's header.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The longest key, in bytes.
pub const KEY_LEN_MAX: usize = 4096;

/// The longest name that is written out, and the most of one that isn't. A file name has 255 bytes on most
/// systems, and 143 on some that encrypt; what is put beside a log needs room, too.
const NAME_LEN_MAX: usize = 120;
const HEAD_LEN_MAX: usize = 48;

/// Between the beginning of a long key and its digest.
pub(crate) const DIGEST_MARK: char = '~';

/// A session's log ends in this.
pub(crate) const SUFFIX: &str = ".jsonl";

/// Refuses what can't be a key.
pub(crate) fn check(key: &str) -> Result<()> {
    if (1..=KEY_LEN_MAX).contains(&key.len()) { Ok(()) } else { Err(Error::KeyLen { len: key.len() }) }
}

/// The name that stands for a key, without the ending `.jsonl`: at most 120 bytes of lower-case letters, digits,
/// `-`, `_`, `.`, `%` and `~`.
///
/// ```
/// assert_eq!(annals_session::encode_key("telegram:42/topic"), "telegram%3a42%2ftopic");
/// assert_eq!(annals_session::encode_key("../escape"), "%2e.%2fescape");
/// ```
#[must_use]
pub fn encode_key(key: &str) -> String {
    let name = escaped(key);
    if name.len() <= NAME_LEN_MAX {
        return name;
    }
    let mut head = &name[..HEAD_LEN_MAX];
    // An escape is kept whole.
    if let Some(at) = head.rfind('%')
        && at + 3 > HEAD_LEN_MAX
    {
        head = &head[..at];
    }
    let mut long = format!("{head}{DIGEST_MARK}");
    for byte in Sha256::digest(key) {
        // Writing to a `String` can't fail.
        let _ = write!(long, "{byte:02x}");
    }
    long
}

/// The key that a name stands for; `None` for a name that [`encode_key`] never gives, and for that of a long
/// key, which its name does not tell.
///
/// ```
/// assert_eq!(annals_session::decode_key("telegram%3a42").as_deref(), Some("telegram:42"));
/// assert_eq!(annals_session::decode_key("Telegram"), None);
/// ```
#[must_use]
pub fn decode_key(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &behind[2..];
    }
    // Each key has one name only, so a name that isn't its key's is no name.
    String::from_utf8(bytes).ok().filter(|key| check(key).is_ok() && encode_key(key) == name)
}

/// Whether a name is one that [`encode_key`] gives for a long key.
pub(crate) fn is_long_name(name: &str) -> bool {
    name.split_once(DIGEST_MARK).is_some_and(|(head, digest)| {
        head.len() <= HEAD_LEN_MAX
            && digest.len() == 64
            && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn escaped(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    let is_device = is_device(key);
    for (at, byte) in key.bytes().enumerate() {
        let is_plain = match byte {
            b'a'..=b'z' => !(at == 0 && is_device),
            b'0'..=b'9' | b'-' | b'_' => true,
            b'.' => at > 0 && at + 1 < key.len(),
            _ => false,
        };
        if is_plain {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02x}");
        }
    }
    name
}

/// Names that Windows keeps for devices, whatever follows behind a dot.
fn is_device(key: &str) -> bool {
    let stem = key.split('.').next().unwrap_or_default();
    match stem {
        "con" | "prn" | "aux" | "nul" | "conin$" | "conout$" => true,
        _ => stem
            .strip_prefix("com")
            .or_else(|| stem.strip_prefix("lpt"))
            .is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9'])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_documented_ones() {
        for (key, name) in [
            ("main", "main"),
            ("a.b", "a.b"),
            (".hidden", "%2ehidden"),
            ("dot.", "dot%2e"),
            ("..", "%2e%2e"),
            ("con", "%63on"),
            ("com7.txt", "%63om7.txt"),
            ("console", "console"),
            ("A", "%41"),
            ("é", "%c3%a9"),
            ("a b%", "a%20b%25"),
            ("\0", "%00"),
        ] {
            assert_eq!(encode_key(key), name);
            assert_eq!(decode_key(name).as_deref(), Some(key));
        }
    }

    #[test]
    fn long_keys_have_short_names_that_differ() {
        let a = encode_key(&"é".repeat(2048));
        let b = encode_key(&("é".repeat(2047) + "ê"));
        assert!(a.len() <= NAME_LEN_MAX && is_long_name(&a) && is_long_name(&b));
        assert_ne!(a, b);
        assert_eq!(decode_key(&a), None);
        assert_eq!(decode_key(&"x".repeat(NAME_LEN_MAX + 1)), None);
        assert!(decode_key(&"x".repeat(NAME_LEN_MAX)).is_some());
    }

    #[test]
    fn the_head_of_a_long_name_is_as_long_as_whole_escapes_allow() {
        for plain in HEAD_LEN_MAX - 7..=HEAD_LEN_MAX {
            let name = encode_key(&("x".repeat(plain) + &":".repeat(100)));
            let head = "x".repeat(plain) + &"%3a".repeat((HEAD_LEN_MAX - plain) / 3);
            assert_eq!(name.split_once(DIGEST_MARK).unwrap().0, head);
            assert!(is_long_name(&name));
        }
    }

    #[test]
    fn only_a_short_head_and_a_whole_digest_are_a_long_name() {
        let digest = "0".repeat(64);
        let name = |head: usize, digest: &str| format!("{}{DIGEST_MARK}{digest}", "x".repeat(head));
        assert!(is_long_name(&name(HEAD_LEN_MAX, &digest)) && is_long_name(&name(0, &digest)));
        assert!(!is_long_name(&name(HEAD_LEN_MAX + 1, &digest)));
        assert!(!is_long_name(&name(9, &digest[1..])) && !is_long_name(&name(9, &(digest.clone() + "0"))));
        assert!(!is_long_name(&name(9, &digest.replace('0', "A"))));
        assert!(!is_long_name(&digest));
    }

    #[test]
    fn what_is_no_name_is_not_taken_for_one() {
        for name in ["", "%", "%4", "%zz", "%61", "%3A", "%+1", "a/b", "A", ".a", "con", "a~b"] {
            assert_eq!(decode_key(name), None, "{name}");
        }
    }
}
