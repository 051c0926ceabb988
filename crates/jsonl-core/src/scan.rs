//! Walks the structure of one JSON text without building it.
//!
//! The grammar is RFC 8259's, nothing more and nothing less, with one limit: nesting. Bytes above 0x7F are
//! passed over inside strings and refused outside; whether they are UTF-8 is asked once for a whole chunk,
//! by the caller, which is several times faster than asking it of every string.
//!
//! The walk is a loop, not a recursion: the kinds of the open brackets are the bits of one `u128`, which is
//! why [`NESTING_MAX`] is 128.

use std::borrow::Cow;
use std::ops::Range;

use vector::{BLOCK_LEN, first_special};
pub use walker::Walker;

#[expect(unsafe_code, reason = "calling vector instructions that every x86-64 has is not yet safe by itself")]
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

struct Nothing;

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

/// The members of the object that is the whole of `text`, in order, as they are written.
///
/// Stops silently at the first fault, and yields nothing where `text` is not an object: call it on text that
/// passed [`check`], or take what comes.
#[must_use]
pub fn members(text: &[u8]) -> Members<'_> {
    let at = skip_space(text, 0);
    let at = if text.get(at) == Some(&b'{') { skip_space(text, at + 1) } else { text.len() };
    let is_whole = text.get(at) == Some(&b'}') && only_space_from(text, at + 1).is_ok();
    Members { text, at, is_whole }
}

/// Iterator over the members of an object; see [`members`].
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
    is_whole: bool,
}

impl Members<'_> {
    /// Whether the text has turned out to be one object and nothing else, as [`check`] finds: known when the
    /// iterator is at its end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

/// One member of an object, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name without its quotes, escapes as written.
    pub key: &'a [u8],
    /// The text of the value; a string has its quotes.
    pub value: &'a [u8],
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let text = self.text;
        let quote = self.at;
        self.at = text.len();
        if text.get(quote) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(text, quote + 1).ok()?;
        let colon = skip_space(text, key_end);
        if text.get(colon) != Some(&b':') {
            return None;
        }
        let value = skip_space(text, colon + 1);
        // The object itself is one level.
        let value_end = value_end(text, value, NESTING_MAX - 1).ok()?;
        let comma = skip_space(text, value_end);
        match text.get(comma) {
            Some(b',') => self.at = skip_space(text, comma + 1),
            Some(b'}') => self.is_whole = only_space_from(text, comma + 1).is_ok(),
            _ => {}
        }
        Some(Member { key: &text[quote + 1..key_end - 1], value: &text[value..value_end] })
    }
}

/// The value of an object's member as it is written; of several with the name, the last, as parsers have it.
///
/// What [`members`] yields up to the first fault is looked at. `None` where there is none of the name, or `object` is no object.
#[must_use]
pub fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (mut found, mut is_searched) = (None, false);
    let mut members = members(object);
    while let Some(Member { key, value }) = members.next() {
        if *self::name(key) != *name.as_bytes() {
            continue;
        }
        found = Some(value);
        let rest = object.get(members.at..).unwrap_or_default();
        if !is_searched && rest.len() > FAR {
            if !may_hold_name(rest, name) {
                break;
            }
            // Whoever asked at each of a million would be at it for minutes.
            is_searched = true;
        }
    }
    found
}

/// What is shorter is looked at byte by byte sooner than by what looks at many.
const SHORT: usize = 64;

/// In what is longer, a name is searched for before it is walked through.
const FAR: usize = 512;

/// Whether a member of this name may be in a text: as it is, or with escapes.
fn may_hold_name(text: &[u8], name: &str) -> bool {
    // Other characters can be escaped in other ways.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    !is_plain
        || memchr::memmem::find(text, name.as_bytes()).is_some()
        || memchr::memmem::find(text, b"\\u00").is_some()
}

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

/// The items of the array that is the whole of `text`, in order, as they are written. As [`members`] for what is
/// no array, or wrong.
#[must_use]
pub fn items(text: &[u8]) -> Items<'_> {
    let at = skip_space(text, 0);
    let at = if text.get(at) == Some(&b'[') { at + 1 } else { text.len() };
    Items { text, at }
}

/// Iterator over the items of an array; see [`items`].
#[derive(Clone, Debug)]
pub struct Items<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.text;
        let start = skip_space(text, self.at);
        self.at = text.len();
        let end = value_end(text, start, NESTING_MAX).ok()?;
        let comma = skip_space(text, end);
        if text.get(comma) == Some(&b',') {
            self.at = comma + 1;
        }
        Some(&text[start..end])
    }
}

/// The text of a JSON string, escapes resolved. `content` is what stands between the quotes.
///
/// Never fails: a surrogate without its partner, an escape that JSON doesn't know and bytes that are not
/// UTF-8 become U+FFFD. Borrows where nothing had to be changed.
#[must_use]
pub fn unescape(content: &[u8]) -> Cow<'_, str> {
    let Ok(text) = simdutf8::basic::from_utf8(content) else { return unescape_lossy(content) };
    let Some(mut at) = memchr::memchr(b'\\', content) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(content.len());
    let mut start = 0;
    loop {
        push_between(&mut out, text, start..at);
        match content.get(at + 1).map_or(0, |byte| SIMPLE[usize::from(*byte)]) {
            0 => {
                let (decoded, len) = escape(&content[at..]);
                out.push(decoded);
                start = at + len;
            }
            simple => {
                out.push(char::from(simple));
                start = at + 2;
            }
        }
        match next_backslash(content, start) {
            Some(found) => at = found,
            None => break,
        }
    }
    push_between(&mut out, text, start..text.len());
    Cow::Owned(out)
}

/// The ASCII characters that escapes of two bytes stand for, by their second byte; 0 where it begins none.
const SIMPLE: [u8; 256] = {
    let mut simple = [0; 256];
    let escapes = *b"\"\"\\\\//b\x08f\x0Cn\nr\rt\t";
    let mut at = 0;
    while at < escapes.len() {
        simple[escapes[at] as usize] = escapes[at + 1];
        at += 2;
    }
    simple
};

/// What is between escapes: whole characters, unless a backslash stood in front of one that it can't escape.
#[inline]
fn push_between(out: &mut String, text: &str, range: Range<usize>) {
    match text.get(range.clone()) {
        Some(between) => out.push_str(between),
        None => push_lossy(out, text, range),
    }
}

#[cold]
fn push_lossy(out: &mut String, text: &str, range: Range<usize>) {
    out.push_str(&String::from_utf8_lossy(text.as_bytes().get(range).unwrap_or_default()));
}

/// Escapes are near each other where there are any, so calling a vectorised search for each costs more than it finds.
#[inline]
fn next_backslash(content: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = skip_plain(content, at);
        match content.get(at)? {
            b'\\' => return Some(at),
            // No string of JSON has these, but whoever asks may have something else.
            _ => at += 1,
        }
    }
}

/// Piece by piece, for text that is not UTF-8; also the slow twin.
fn unescape_lossy(content: &[u8]) -> Cow<'_, str> {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.push_str(&String::from_utf8_lossy(&rest[..at]));
        let (decoded, len) = escape(&rest[at..]);
        out.push(decoded);
        rest = &rest[at + len..];
    }
    out.push_str(&String::from_utf8_lossy(rest));
    Cow::Owned(out)
}

/// The character that the escape at the beginning of `text` stands for, and the length of the escape.
fn escape(text: &[u8]) -> (char, usize) {
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

pub(crate) fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
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

/// The offset behind the closing quote of a string whose content begins at `at`.
#[inline]
fn string_end(text: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        at = skip_plain(text, at);
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape_end(text, at)?,
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
