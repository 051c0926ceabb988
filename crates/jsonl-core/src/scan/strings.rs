//! What strings say: their texts, escapes resolved.
//!
//! Escapes are resolved while the plain bytes between them are copied, a block at a time: what is behind a backslash or the
//! quote at the end is copied in vain, and taken back. That the whole is UTF-8 is asked once, of the text.

use std::borrow::Cow;

use super::vector::{BLOCK_LEN, copy_content, first_special, into_string, utf8};
use super::{Fault, FaultKind, escape_end, skip_plain};

/// What is shorter is looked at byte by byte sooner than by what looks at many.
const SHORT: usize = 64;

/// The room for a text with escapes whose length is not known yet; more is taken when it is needed.
const ROOM: usize = 16 << 10;

/// A member's name, escapes resolved: `key` is what stands between its quotes.
#[must_use]
pub fn name(key: &[u8]) -> Cow<'_, [u8]> {
    // Keys are short, and have no escapes nearly always: all bytes at once are looked at sooner than one after the other.
    if key.iter().fold(false, |has, byte| has | (*byte == b'\\')) {
        return Cow::Owned(unescape(key).into_owned().into_bytes());
    }
    Cow::Borrowed(key)
}

/// The text of a value that is a string, with its quotes, as it is written; `None` for any other.
#[must_use]
pub fn string(value: &[u8]) -> Option<Cow<'_, str>> {
    let content = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    // As in a name.
    let is_plain = content.len() <= SHORT && !content.iter().fold(false, |has, byte| has | (*byte == b'\\'));
    let plain = if is_plain { std::str::from_utf8(content).ok() } else { None };
    Some(plain.map_or_else(|| unescape(content), Cow::Borrowed))
}

/// The text of the string that `text` begins with, escapes resolved as [`unescape`] does it, and the length of the string with its
/// quotes; `None` for what begins with none, and for one that isn't finished or isn't JSON.
///
/// ```
/// let (text, len) = jsonl_core::scan::string_from(br#""two\nlines","id":7"#).unwrap();
/// assert_eq!((&*text, len), ("two\nlines", 12));
/// ```
#[must_use]
pub fn string_from(text: &[u8]) -> Option<(Cow<'_, str>, usize)> {
    if text.first() == Some(&b'"') { decode(text, 1).ok() } else { None }
}

/// The text of a JSON string, escapes resolved. `content` is what stands between the quotes.
///
/// Never fails: a surrogate without its partner, an escape that JSON doesn't know and bytes that are not
/// UTF-8 become U+FFFD. Borrows where nothing had to be changed.
#[must_use]
pub fn unescape(content: &[u8]) -> Cow<'_, str> {
    let Some(mut at) = memchr::memchr(b'\\', content) else { return plain(content) };
    let mut out = Vec::with_capacity(content.len());
    out.extend_from_slice(&content[..at]);
    while let Some(&byte) = content.get(at) {
        if byte == b'\\' {
            at += resolve(content, at, &mut out);
        } else {
            // No string of JSON has quotes or control bytes, but whoever asks may have something else.
            out.push(byte);
            at += 1;
        }
        at = copy_plain(content, copy_content(content, at, &mut out), &mut out);
    }
    into_string(out).map_or_else(|| unescape_lossy(content), Cow::Owned)
}

/// The text of the string whose content begins at `start`, as [`unescape`] has it, and the offset behind its closing quote: in one
/// pass what [`string_end`](super::string_end) and [`unescape`] find in two.
pub(super) fn decode(text: &[u8], start: usize) -> Result<(Cow<'_, str>, usize), Fault> {
    let mut at = skip_plain(text, start);
    if text.get(at) == Some(&b'"') {
        return Ok((plain(&text[start..at]), at + 1));
    }
    let mut out = Vec::with_capacity(text.len().saturating_sub(start).min(at - start + ROOM));
    out.extend_from_slice(text.get(start..at).unwrap_or_default());
    loop {
        match text.get(at) {
            Some(b'"') => break,
            Some(b'\\') => {
                if let Some(simple) = simple(text, at) {
                    out.push(simple);
                    at += 2;
                } else {
                    escape_end(text, at)?;
                    at += resolve(text, at, &mut out);
                }
            }
            Some(_) => return Err(Fault { at, kind: FaultKind::Byte }),
            None => return Err(Fault { at, kind: FaultKind::End }),
        }
        at = copy_plain(text, copy_content(text, at, &mut out), &mut out);
    }
    // Whoever keeps a text needn't keep room for a longer one.
    if out.capacity() - out.len() > out.len() / 8 {
        out.shrink_to_fit();
    }
    let text = into_string(out).map_or_else(|| unescape_lossy(&text[start..at]), Cow::Owned);
    Ok((text, at + 1))
}

/// Appends a text as a JSON string, with its quotes: what [`unescape`] undoes. What has to be escaped is, in the shortest way, and nothing else.
///
/// ```
/// let mut out = Vec::new();
/// jsonl_core::scan::escape("a \"b\"\n\u{1}é", &mut out);
/// assert_eq!(out, r#""a \"b\"\n\u0001é""#.as_bytes());
/// ```
pub fn escape(text: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let text = text.as_bytes();
    out.reserve(text.len() + text.len() / 16 + 2);
    out.push(b'"');
    let mut at = copy_plain(text, 0, out);
    while let Some(&byte) = text.get(at) {
        match SHORT_ESCAPES[usize::from(byte)] {
            0 => {
                let digits = [byte >> 4, byte & 0xF].map(|digit| DIGITS[usize::from(digit)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digits[0], digits[1]]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        at = copy_plain(text, at + 1, out);
    }
    out.push(b'"');
}

/// What stands behind the backslash of an escape of two bytes, by the byte that it stands for; 0 where there is none. `/` needs none.
const SHORT_ESCAPES: [u8; 256] = {
    let mut letters = [0; 256];
    let mut letter = 0;
    while letter < SIMPLE.len() {
        if SIMPLE[letter] != 0 && SIMPLE[letter] != b'/' {
            letters[SIMPLE[letter] as usize] = letter as u8;
        }
        letter += 1;
    }
    letters
};

/// Of content without escapes.
fn plain(content: &[u8]) -> Cow<'_, str> {
    utf8(content).map_or_else(|| String::from_utf8_lossy(content), Cow::Borrowed)
}

/// Copies what is before the next quote, backslash or control byte, and gives its offset, or the length of `text`.
#[inline]
fn copy_plain(text: &[u8], mut at: usize, out: &mut Vec<u8>) -> usize {
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<BLOCK_LEN>()) {
        out.extend_from_slice(block);
        if let Some(found) = first_special(block) {
            out.truncate(out.len() - BLOCK_LEN + found);
            return at + found;
        }
        at += BLOCK_LEN;
    }
    let end = skip_plain(text, at);
    out.extend_from_slice(text.get(at..end).unwrap_or_default());
    end
}

/// The ASCII characters that escapes of two bytes stand for, by their second byte; 0 where it begins none.
pub(super) const SIMPLE: [u8; 256] = {
    let mut simple = [0; 256];
    let escapes = *b"\"\"\\\\//b\x08f\x0Cn\nr\rt\t";
    let mut at = 0;
    while at < escapes.len() {
        simple[escapes[at] as usize] = escapes[at + 1];
        at += 2;
    }
    simple
};

/// What the escape at `at` stands for, if it is one of two bytes.
#[inline]
fn simple(text: &[u8], at: usize) -> Option<u8> {
    text.get(at + 1).map(|byte| SIMPLE[usize::from(*byte)]).filter(|byte| *byte != 0)
}

/// Appends what the escape at `at` stands for; its length.
#[inline]
fn resolve(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    if let Some(simple) = simple(text, at) {
        out.push(simple);
        return 2;
    }
    let (decoded, len) = decode_escape(&text[at..]);
    // As with blocks: so many bytes that their number is known, and those in vain are taken back.
    let mut bytes = [0; 4];
    let in_vain = 4 - decoded.encode_utf8(&mut bytes).len();
    out.extend_from_slice(&bytes);
    out.truncate(out.len() - in_vain);
    len
}

/// Piece by piece, for text that is not UTF-8; also the slow twin.
pub(super) fn unescape_lossy(content: &[u8]) -> Cow<'_, str> {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.push_str(&String::from_utf8_lossy(&rest[..at]));
        let (decoded, len) = decode_escape(&rest[at..]);
        out.push(decoded);
        rest = &rest[at + len..];
    }
    out.push_str(&String::from_utf8_lossy(rest));
    Cow::Owned(out)
}

/// The character that the escape at the beginning of `text` stands for, and the length of the escape.
fn decode_escape(text: &[u8]) -> (char, usize) {
    match text.get(1) {
        Some(&byte) if SIMPLE[usize::from(byte)] != 0 => (char::from(SIMPLE[usize::from(byte)]), 2),
        Some(b'u') => {
            let Some(first) = hex4(text.get(2..6)) else { return (char::REPLACEMENT_CHARACTER, 2) };
            if let Some(found) = char::from_u32(first) {
                return (found, 6);
            }
            let low = if text.get(6..8) == Some(b"\\u") { hex4(text.get(8..12)) } else { None };
            match low {
                Some(low @ 0xDC00..=0xDFFF) if first < 0xDC00 => {
                    let code = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
                    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
                }
                _ => (char::REPLACEMENT_CHARACTER, 6),
            }
        }
        Some(_) => (char::REPLACEMENT_CHARACTER, 2),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// What four hexadecimal digits stand for.
pub(crate) fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    let digits: [u8; 4] = digits?.try_into().ok()?;
    let [a, b, c, d] = digits.map(|digit| HEX[usize::from(digit)]);
    (a | b | c | d < 16).then(|| u32::from(a) << 12 | u32::from(b) << 8 | u32::from(c) << 4 | u32::from(d))
}

/// The values of hexadecimal digits; 0xFF for what is none.
const HEX: [u8; 256] = {
    let mut values = [0xFF; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};
