//! Walks the structure of one JSON text without building it.
//!
//! The grammar is RFC 8259's, nothing more and nothing less, with one limit: nesting. Bytes above 0x7F are
//! passed over inside strings and refused outside; whether they are UTF-8 is asked once for a whole chunk,
//! by the caller, which is several times faster than asking it of every string.
//!
//! The walk is a loop, not a recursion: the kinds of the open brackets are the bits of one `u128`, which is
//! why [`NESTING_MAX`] is 128.

use std::ops::Range;

pub use members::{Items, Member, Members, Value, items, member, members, string_member, values};
pub use prefilter::{Candidate, Candidates, Prefilter, Signs};
pub(crate) use strings::hex4;
pub use strings::{escape, name, string, string_from, unescape};
pub use vector::utf8;
use vector::{BLOCK_LEN, first_special, pass_content};
pub use walker::Walker;

mod members;
mod prefilter;
mod strings;
#[expect(
    unsafe_code,
    reason = "vector instructions that the processor has, and strings that another check found to be UTF-8"
)]
mod vector;
mod walker;

/// The deepest nesting that is accepted: `[[1]]` is nested 2 deep. Readers and writers share it, so that
/// nothing can be written that can't be read back.
pub const NESTING_MAX: usize = 128;

/// Where and why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset of the byte that could not stand there, or the length of the text where it ended too soon.
    pub at: usize,
    /// What was wrong there.
    pub kind: FaultKind,
}

/// Why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The text ended inside a value: it is a prefix of something longer.
    End,
    /// This byte can't stand here.
    Byte,
    /// This bracket opens one level more than is allowed.
    Deep,
}

/// Is told of the strings of a text, in order. Every method has an empty default.
pub trait Visit {
    /// A string whose content (without its quotes, escapes as written) lies at `content`. `depth` is the
    /// number of brackets around it; `is_key` tells a member's name from a value.
    fn string(&mut self, content: Range<usize>, depth: usize, is_key: bool) {
        let _ = (content, depth, is_key);
    }
}

/// Is told, and does nothing.
pub(crate) struct Nothing;

impl Visit for Nothing {}

/// Checks that `text` is one JSON value with nothing but white space around it, nested at most
/// `max_nesting` deep (never more than [`NESTING_MAX`]).
///
/// # Errors
///
/// The first [`Fault`]. [`FaultKind::End`] means that `text` could still become JSON by appending to it.
pub fn check(text: &[u8], max_nesting: usize) -> Result<(), Fault> {
    visit(text, max_nesting, &mut Nothing)
}

/// [`check`], and `visitor` is told of what is passed on the way. On an error it has been told of what came
/// before the fault.
///
/// # Errors
///
/// As [`check`].
pub fn visit(text: &[u8], max_nesting: usize, visitor: &mut impl Visit) -> Result<(), Fault> {
    let end = walk(text, 0, max_nesting, visitor)?;
    only_space_from(text, end)
}

fn only_space_from(text: &[u8], end: usize) -> Result<(), Fault> {
    let end = skip_space(text, end);
    if end < text.len() { Err(Fault { at: end, kind: FaultKind::Byte }) } else { Ok(()) }
}

/// The offset just behind the JSON value that begins at `start` (white space before it is skipped).
///
/// # Errors
///
/// As [`check`], offsets counted from the beginning of `text`.
pub fn value_end(text: &[u8], start: usize, max_nesting: usize) -> Result<usize, Fault> {
    let start = skip_space(text, start);
    // Most values are strings, and what a walk has to prepare is for others.
    if text.get(start) == Some(&b'"') {
        return string_end(text, start + 1);
    }
    walk(text, start, max_nesting, &mut Nothing)
}

/// Could a text with these bytes be nested deeper than `max_nesting`? Counts brackets without looking where
/// they stand, so it may say yes to a flat text; a no is certain.
pub(crate) fn may_be_deep(text: &[u8], max_nesting: usize) -> bool {
    // Each level takes an opening and a closing byte.
    if text.len() < 2 * (max_nesting + 1) {
        return false;
    }
    // '[' is 0x5B and '{' is 0x7B. Sums of 128 bytes fit a `u8`, and blocks of fixed size let the compiler
    // count 16 or 32 at once.
    let count = |bytes: &[u8]| bytes.iter().map(|&byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    let (blocks, rest) = text.as_chunks::<128>();
    let total: usize = blocks.iter().map(|block| usize::from(count(block))).sum();
    total + usize::from(count(rest)) > max_nesting
}

/// Is there a byte below 0x20 other than a newline? For a whole chunk.
pub(crate) fn is_tame(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<64>();
    let wild =
        |bytes: &[u8]| bytes.iter().fold(false, |found, &byte| found | ((byte < 0x20) & (byte != b'\n')));
    !blocks.iter().any(|block| wild(block)) && !wild(rest)
}

/// Is there a byte below 0x20?
pub(crate) fn has_control(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<64>();
    let any = |bytes: &[u8]| bytes.iter().fold(false, |found, &byte| found | (byte < 0x20));
    blocks.iter().any(|block| any(block)) || any(rest)
}

/// The brackets that are open: one bit each, 1 for an object, the innermost lowest.
struct Open {
    kinds: u128,
    depth: usize,
}

impl Open {
    fn push(&mut self, is_object: bool) {
        self.kinds = self.kinds << 1 | u128::from(is_object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.kinds >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

fn walk(text: &[u8], start: usize, max_nesting: usize, visitor: &mut impl Visit) -> Result<usize, Fault> {
    let max_nesting = max_nesting.min(NESTING_MAX);
    let mut open = Open { kinds: 0, depth: 0 };
    let mut at = start;
    'value: loop {
        at = skip_space(text, at);
        let Some(&byte) = text.get(at) else { return Err(Fault { at, kind: FaultKind::End }) };
        at = match byte {
            b'"' => {
                let end = string_end(text, at + 1)?;
                visitor.string(at + 1..end - 1, open.depth, false);
                end
            }
            b'{' | b'[' => {
                if open.depth == max_nesting {
                    return Err(Fault { at, kind: FaultKind::Deep });
                }
                let is_object = byte == b'{';
                open.push(is_object);
                at = skip_space(text, at + 1);
                if text.get(at) == Some(&(byte + 2)) {
                    // '}' is '{' + 2, and ']' is '[' + 2.
                    open.pop();
                    at + 1
                } else {
                    if is_object {
                        at = key_and_colon(text, at, open.depth, visitor)?;
                    }
                    continue 'value;
                }
            }
            b'-' | b'0'..=b'9' => number_end(text, at)?,
            b't' => literal_end(text, at, b"true")?,
            b'f' => literal_end(text, at, b"false")?,
            b'n' => literal_end(text, at, b"null")?,
            _ => return Err(Fault { at, kind: FaultKind::Byte }),
        };
        loop {
            if open.depth == 0 {
                return Ok(at);
            }
            at = skip_space(text, at);
            match text.get(at) {
                Some(b',') => {
                    at = skip_space(text, at + 1);
                    if open.in_object() {
                        at = key_and_colon(text, at, open.depth, visitor)?;
                    }
                    continue 'value;
                }
                Some(b'}') if open.in_object() => open.pop(),
                Some(b']') if !open.in_object() => open.pop(),
                Some(_) => return Err(Fault { at, kind: FaultKind::Byte }),
                None => return Err(Fault { at, kind: FaultKind::End }),
            }
            at += 1;
        }
    }
}

#[inline]
fn key_and_colon(text: &[u8], at: usize, depth: usize, visitor: &mut impl Visit) -> Result<usize, Fault> {
    expect(text, at, b'"')?;
    let end = string_end(text, at + 1)?;
    visitor.string(at + 1..end - 1, depth, true);
    let colon = skip_space(text, end);
    expect(text, colon, b':')?;
    Ok(colon + 1)
}

#[inline]
fn expect(text: &[u8], at: usize, wanted: u8) -> Result<(), Fault> {
    match text.get(at) {
        Some(&found) if found == wanted => Ok(()),
        Some(_) => Err(Fault { at, kind: FaultKind::Byte }),
        None => Err(Fault { at, kind: FaultKind::End }),
    }
}

#[inline]
fn skip_space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = text.get(at) {
        at += 1;
    }
    at
}

/// Bytes of a string that are passed before more is made ready for passing the rest: most strings end soon.
const NEAR: usize = 8 * BLOCK_LEN;

/// The offset behind the closing quote of a string whose content begins at `at`.
#[inline]
fn string_end(text: &[u8], at: usize) -> Result<usize, Fault> {
    let (mut at, far) = (at, at.saturating_add(NEAR));
    loop {
        let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<BLOCK_LEN>()) else {
            at = skip_plain_bytes(text, at);
            break;
        };
        if let Some(found) = first_special(block) {
            at += found;
            break;
        }
        at += BLOCK_LEN;
        if at == far {
            at = pass_far(text, at);
        }
    }
    match text.get(at) {
        Some(b'"') => Ok(at + 1),
        _ => string_end_from_special(text, at),
    }
}

/// [`pass_content`], out of the way of short strings.
#[cold]
fn pass_far(text: &[u8], at: usize) -> usize {
    pass_content(text, at)
}

/// [`string_end`] from an escape on, or from what can't stand in a string.
fn string_end_from_special(text: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            // Where one is there are more.
            Some(b'\\') => at = skip_plain(text, pass_content(text, escape_end(text, at)?)),
            Some(_) => return Err(Fault { at, kind: FaultKind::Byte }),
            None => return Err(Fault { at, kind: FaultKind::End }),
        }
    }
}

/// The offset of the next quote, backslash or control byte, or the length of `text`.
#[inline]
fn skip_plain(text: &[u8], mut at: usize) -> usize {
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<BLOCK_LEN>()) {
        if let Some(found) = first_special(block) {
            return at + found;
        }
        at += BLOCK_LEN;
    }
    skip_plain_bytes(text, at)
}

fn skip_plain_bytes(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// The offset behind the escape whose backslash is at `at`.
#[inline]
fn escape_end(text: &[u8], at: usize) -> Result<usize, Fault> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            for digit in at + 2..at + 6 {
                match text.get(digit) {
                    Some(byte) if byte.is_ascii_hexdigit() => {}
                    Some(_) => return Err(Fault { at: digit, kind: FaultKind::Byte }),
                    None => return Err(Fault { at: digit, kind: FaultKind::End }),
                }
            }
            Ok(at + 6)
        }
        Some(_) => Err(Fault { at: at + 1, kind: FaultKind::Byte }),
        None => Err(Fault { at: at + 1, kind: FaultKind::End }),
    }
}

#[inline]
fn number_end(text: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start + usize::from(text.get(start) == Some(&b'-'));
    at = match text.get(at) {
        Some(b'0') => at + 1,
        _ => digits_end(text, at)?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits_end(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        at = digits_end(text, at)?;
    }
    Ok(at)
}

/// At least one digit.
#[inline]
fn digits_end(text: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start;
    while let Some(b'0'..=b'9') = text.get(at) {
        at += 1;
    }
    if at > start {
        return Ok(at);
    }
    let kind = if at < text.len() { FaultKind::Byte } else { FaultKind::End };
    Err(Fault { at, kind })
}

#[inline]
fn literal_end(text: &[u8], start: usize, literal: &[u8]) -> Result<usize, Fault> {
    let rest = &text[start..];
    if rest.starts_with(literal) {
        return Ok(start + literal.len());
    }
    let same = rest.iter().zip(literal).take_while(|(found, wanted)| found == wanted).count();
    let kind = if same == rest.len() { FaultKind::End } else { FaultKind::Byte };
    Err(Fault { at: start + same, kind })
}

#[cfg(test)]
mod tests;
