//! Says what a line is. The only place that does.
//!
//! | line | verdict |
//! |---|---|
//! | one JSON value of RFC 8259, white space around it | record |
//! | the same behind a byte order mark, at the start of the file only | record |
//! | CRLF at its end | record; CR is white space in JSON |
//! | U+2028, U+2029, U+0085 in a string | record; only 0x0A ends a line |
//! | escaped surrogate without its partner (`"\ud83d"`) | record; becomes U+FFFD in Rust text |
//! | number out of every type's range (`1e999`) | record; a mismatch for a type that can't hold it |
//! | one name twice in an object | record; what the type makes of it is the type's business |
//! | nothing but space, tab, CR, VT, FF | blank |
//! | nested deeper than the limit | damage: nested too deep |
//! | longer than the limit | damage: too long; not looked into |
//! | a seal that doesn't fit its bytes | damage: checksum |
//! | a beginning of JSON that never ends, also cut within a character | torn |
//! | NULs at its beginning or end, or nothing else | damage: NUL run |
//! | bytes that are not UTF-8 | damage: invalid UTF-8 |
//! | anything else | damage: malformed |
//!
//! The order is: too long, blank, checksum, then the text itself. Typed loads take a shorter way through the
//! same verdict: `serde_json` accepting a line proves it a record once UTF-8, control bytes and nesting, which
//! `serde_json` leaves open in some places, have been looked at; whenever it refuses, [`judge`] decides.

use std::str;

use crate::checksum::{self, Seal};
use crate::line;
use crate::report::DamageKind;
use crate::scan::{self, FaultKind, Visit};

/// What seals a reader asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seals {
    /// A seal is checked where there is one; lines without are accepted, and counted. The default.
    #[default]
    Check,
    /// A line without a seal is damage.
    Require,
    /// Seals are not looked at. For a foreign log whose own last member happens to look like one.
    Ignore,
}

/// The limits and rules that a line is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) max_line_len: usize,
    pub(crate) max_nesting: usize,
    pub(crate) seals: Seals,
}

impl Default for Rules {
    fn default() -> Self {
        Self { max_line_len: crate::MAX_LINE_LEN, max_nesting: scan::NESTING_MAX, seals: Seals::Check }
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One JSON value.
    Record {
        /// Whether a seal vouches for its bytes.
        sealed: bool,
    },
    /// Nothing but white space.
    Blank,
    /// Not a record.
    Damaged {
        /// What is wrong.
        kind: DamageKind,
        /// Where in the line it shows, in bytes from the line's beginning.
        at: usize,
    },
}

pub(crate) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The bytes of a line that are to be JSON: without a byte order mark, where the line is the first of its file.
#[must_use]
pub fn text_of(line: &[u8], at_file_start: bool) -> &[u8] {
    if at_file_start { line.strip_prefix(BOM).unwrap_or(line) } else { line }
}

/// What every way of reading asks before it looks at the JSON itself.
pub(crate) enum Frame {
    Blank,
    Damaged(DamageKind, usize),
    Text(Seal),
}

/// Judges everything about a line but its JSON. `text` comes from [`text_of`].
///
/// `skipped` bytes of the line stand before it; they count towards its length.
pub(crate) fn frame(text: &[u8], skipped: usize, rules: &Rules) -> Frame {
    if text.len() + skipped > rules.max_line_len {
        return Frame::Damaged(DamageKind::TooLong, 0);
    }
    // A record begins with a bracket far more often than not; only what may be blank is looked through.
    let may_be_blank = text.first().is_none_or(|byte| *byte <= b' ');
    if may_be_blank && line::is_blank(text) {
        return Frame::Blank;
    }
    if rules.seals == Seals::Ignore {
        return Frame::Text(Seal::Absent);
    }
    match checksum::check(text.strip_suffix(b"\r").unwrap_or(text)) {
        Seal::Bad => Frame::Damaged(DamageKind::Checksum, text.len().saturating_sub(checksum::SEAL_LEN)),
        Seal::Absent if rules.seals == Seals::Require => {
            // A torn or malformed line is that first, and only then a line without a seal.
            match json(text, rules) {
                Ok(()) => Frame::Damaged(DamageKind::SealMissing, text.len()),
                Err((kind, at)) => Frame::Damaged(kind, at),
            }
        }
        seal => Frame::Text(seal),
    }
}

/// Judges whether `text` is one JSON value, and if not, what it is.
pub(crate) fn json(text: &[u8], rules: &Rules) -> Result<(), (DamageKind, usize)> {
    json_visiting(text, rules, &mut scan::Nothing)
}

/// [`json`], and `visitor` is told of what is passed on the way.
fn json_visiting(text: &[u8], rules: &Rules, visitor: &mut impl Visit) -> Result<(), (DamageKind, usize)> {
    // The quick check doesn't say where.
    let utf8 = scan::utf8(text).map_or_else(|| str::from_utf8(text), Ok);
    let walked = scan::visit(text, rules.max_nesting, visitor);
    let fault = match (utf8, walked) {
        (Ok(_), Ok(())) => return Ok(()),
        (Ok(_), Err(fault)) => fault,
        (Err(error), walked) => {
            // Cut within a character: torn, if what stands before it is a beginning of JSON.
            let cut = error.error_len().is_none();
            let before = &text[..error.valid_up_to()];
            match scan::check(before, rules.max_nesting) {
                Err(fault) if cut && fault.kind == FaultKind::End => fault,
                Err(fault) if fault.kind == FaultKind::Deep => fault,
                _ if has_nul_run(text) => return Err((DamageKind::NulRun, nul_at(text))),
                _ => {
                    let at = match walked {
                        Err(fault) => fault.at.min(error.valid_up_to()),
                        Ok(()) => error.valid_up_to(),
                    };
                    return Err((DamageKind::InvalidUtf8, at));
                }
            }
        }
    };
    Err(match fault.kind {
        FaultKind::Deep => (DamageKind::TooDeep, fault.at),
        FaultKind::End => (DamageKind::Torn, fault.at),
        FaultKind::Byte if has_nul_run(text) => (DamageKind::NulRun, nul_at(text)),
        FaultKind::Byte => (DamageKind::Malformed, fault.at),
    })
}

/// NULs at either end: what a file system leaves where a length reached the disk and the bytes did not.
fn has_nul_run(text: &[u8]) -> bool {
    text.first() == Some(&0) || text.last() == Some(&0)
}

fn nul_at(text: &[u8]) -> usize {
    memchr::memchr(0, text).unwrap_or(0)
}

/// A line that is too long is so as a whole; anything else shows at a place in its text.
pub(crate) fn shown_at(kind: DamageKind, at: usize, skipped: usize) -> usize {
    if kind == DamageKind::TooLong { 0 } else { at + skipped }
}

/// Judges a line (without its newline) by the default limits: 16 MiB long, 128 deep.
/// `at_file_start` allows a byte order mark.
#[must_use]
pub fn judge(line: &[u8], at_file_start: bool) -> Verdict {
    judge_by(line, at_file_start, &Rules::default())
}

/// [`judge`], and `visitor` is told of the strings in what [`text_of`] gives, as far as that is JSON: in one walk what
/// [`scan::visit`] does in another. Of a line whose seal is false it is told nothing, nor of one that is too long.
#[must_use]
pub fn judge_visiting(line: &[u8], at_file_start: bool, visitor: &mut impl Visit) -> Verdict {
    judge_by_visiting(line, at_file_start, &Rules::default(), visitor)
}

pub(crate) fn judge_by(line: &[u8], at_file_start: bool, rules: &Rules) -> Verdict {
    judge_by_visiting(line, at_file_start, rules, &mut scan::Nothing)
}

fn judge_by_visiting(line: &[u8], at_file_start: bool, rules: &Rules, visitor: &mut impl Visit) -> Verdict {
    let text = text_of(line, at_file_start);
    let skipped = line.len() - text.len();
    let damaged = |kind, at| Verdict::Damaged { kind, at: shown_at(kind, at, skipped) };
    match frame(text, skipped, rules) {
        Frame::Blank => Verdict::Blank,
        Frame::Damaged(kind, at) => damaged(kind, at),
        Frame::Text(seal) => match json_visiting(text, rules, visitor) {
            Ok(()) => Verdict::Record { sealed: seal == Seal::Good },
            Err((kind, at)) => damaged(kind, at),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8], expected: Option<DamageKind>) {
        let verdict = judge(line, true);
        let kind = match verdict {
            Verdict::Damaged { kind, .. } => Some(kind),
            Verdict::Record { .. } => None,
            Verdict::Blank => panic!("{:?} is no blank line", line.escape_ascii().to_string()),
        };
        assert_eq!(kind, expected, "{}", line.escape_ascii());
    }

    #[test]
    fn the_table() {
        let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        check(b"{\"a\":1}", None);
        check(b" 5 \r", None);
        check(b"\xEF\xBB\xBF{}", None);
        check("\"\u{2028}\u{2029}\u{85}\"".as_bytes(), None);
        check(br#""\ud83d""#, None);
        check(b"1e999", None);
        check(br#"{"a":1,"a":2}"#, None);
        check(&deep(128), None);
        check(&deep(129), Some(DamageKind::TooDeep));
        check(br#"{"a":1,"crc32":"00000000"}"#, Some(DamageKind::Checksum));
        check(br#"{"a":1,"b"#, Some(DamageKind::Torn));
        check(b"{\"a\":\"h\xF0\x9F", Some(DamageKind::Torn));
        check(b"{\"a\":\"\0\0\0", Some(DamageKind::NulRun));
        check(b"\0\0\0\0", Some(DamageKind::NulRun));
        check(b"\0\0{\"a\":1}", Some(DamageKind::NulRun));
        check(b"{\"a\":\"h\xFF\"}", Some(DamageKind::InvalidUtf8));
        check(b"{\"a\":\"raw\ttab\"}", Some(DamageKind::Malformed));
        check(b"{\"a\":1}{\"b\":2}", Some(DamageKind::Malformed));
        check(b"nul", Some(DamageKind::Torn));
        check(b"nil", Some(DamageKind::Malformed));
    }

    #[test]
    fn blank_is_white_space_only() {
        for line in [&b""[..], b" ", b"\t\r", b"\x0B\x0C", b"\xEF\xBB\xBF"] {
            assert_eq!(judge(line, true), Verdict::Blank);
        }
        assert_ne!(judge(b"\xEF\xBB\xBF", false), Verdict::Blank);
    }

    #[test]
    fn offsets_count_from_the_line_and_its_mark() {
        let verdict = judge(b"\xEF\xBB\xBF{\"a\" 1}", true);
        assert_eq!(verdict, Verdict::Damaged { kind: DamageKind::Malformed, at: 8 });
    }

    #[test]
    fn a_limit_holds_to_the_byte() {
        let rules = Rules { max_line_len: 8, ..Rules::default() };
        assert_eq!(judge_by(b"{\"a\":12}", false, &rules), Verdict::Record { sealed: false });
        let long = judge_by(b"{\"a\":123}", false, &rules);
        assert_eq!(long, Verdict::Damaged { kind: DamageKind::TooLong, at: 0 });
    }
}
