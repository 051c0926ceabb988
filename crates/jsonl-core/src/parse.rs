//! One line to one record, and to its entry in the report.

use std::cell::OnceCell;
use std::str;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::checksum::{self, Seal};
use crate::line::RawLine;
use crate::reader::Record;
use crate::report::{Damage, DamageKind, Report, Span, excerpt};
use crate::salvage;
use crate::scan;
use crate::source::LongLine;
use crate::verdict::{self, Frame, Rules, Seals};

/// What a line gave.
pub(crate) enum Typed<'a, T> {
    Record(Record<'a, T>),
    Salvaged(Span, T),
}

/// Judges and parses lines, and keeps what is used from one to the next.
pub(crate) struct Parser<'a> {
    rules: Rules,
    trusts_seals: bool,
    chunk: &'a [u8],
    /// The chunk as text, if all of it is UTF-8: asked once, it costs a third of asking for each line. Not
    /// asked before somebody wants to know.
    text: OnceCell<Option<&'a str>>,
    /// Whether the chunk has no control bytes but newlines. Asked in the same way.
    is_tame: OnceCell<bool>,
    /// A sealed record without its seal.
    scratch: String,
}

enum Outcome<T> {
    Value { value: T, lone_surrogates: bool },
    Mismatch(String),
    Damaged(DamageKind, usize),
}

impl<'a> Parser<'a> {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            trusts_seals: false,
            chunk: &[],
            text: OnceCell::new(),
            is_tame: OnceCell::new(),
            scratch: String::new(),
        }
    }

    /// Lines will come out of `chunk`, with offsets into it.
    pub(crate) fn for_chunk(self, chunk: &'a [u8]) -> Self {
        Self { chunk, ..self }
    }

    pub(crate) fn trusting_seals(self) -> Self {
        Self { trusts_seals: true, ..self }
    }

    /// Judges a line without making a value of it.
    pub(crate) fn judge(&mut self, raw: RawLine<'_>, base: u64, number: u64, report: &mut Report) {
        let (skipped, text) = at_start(raw, base);
        match verdict::frame(text, skipped, &self.rules) {
            Frame::Blank => blank(raw, report),
            Frame::Damaged(kind, at) => {
                self.damage(raw, base, number, kind, verdict::shown_at(kind, at, skipped), report)
            }
            Frame::Text(Seal::Good) if self.trusts_seals && text.first() == Some(&b'{') => {
                self.record(raw, Seal::Good, report);
            }
            Frame::Text(seal) => match self.json(raw, skipped, text) {
                Ok(()) => self.record(raw, seal, report),
                Err((kind, at)) => {
                    self.damage(raw, base, number, kind, verdict::shown_at(kind, at, skipped), report)
                }
            },
        }
    }

    /// Parses a line into an owned value, or into those that can be salvaged from it.
    pub(crate) fn owned<'b, T: DeserializeOwned>(
        &mut self,
        raw: RawLine<'b>,
        base: u64,
        number: u64,
        report: &mut Report,
        mut each: impl FnMut(Typed<'b, T>),
    ) {
        let (skipped, text) = at_start(raw, base);
        let (kind, at) = match verdict::frame(text, skipped, &self.rules) {
            Frame::Blank => return blank(raw, report),
            Frame::Damaged(kind, at) => (kind, at),
            Frame::Text(seal) => match self.typed(raw, skipped, text, seal) {
                Outcome::Value { value, lone_surrogates } => {
                    self.record(raw, seal, report);
                    report.lone_surrogates += u64::from(lone_surrogates);
                    each(Typed::Record(Record {
                        offset: base + raw.offset as u64,
                        raw: raw.bytes,
                        terminated: raw.terminated,
                        value,
                    }));
                    return;
                }
                Outcome::Mismatch(detail) => return self.mismatch(raw, base, number, seal, detail, report),
                Outcome::Damaged(kind, at) => (kind, at),
            },
        };
        let spans =
            self.damage_with_salvage(raw, base, number, kind, verdict::shown_at(kind, at, skipped), report);
        for span in spans {
            let from = (span.offset - base) as usize - raw.offset;
            let object = &raw.bytes[from..from + span.len as usize];
            let seal = match self.rules.seals {
                Seals::Ignore => Seal::Absent,
                _ => checksum::check(object),
            };
            // Its place in the chunk is not that of a line, so the chunk's text is of no use here.
            let whole = RawLine { offset: usize::MAX, bytes: object, terminated: true };
            if let Outcome::Value { value, .. } = self.typed(whole, 0, object, seal) {
                each(Typed::Salvaged(span, value));
            }
        }
    }

    /// Parses a line into a value that borrows from it.
    pub(crate) fn borrowed<'b, T: Deserialize<'b>>(
        &mut self,
        raw: RawLine<'b>,
        base: u64,
        number: u64,
        report: &mut Report,
    ) -> Option<T> {
        let (skipped, text) = at_start(raw, base);
        match verdict::frame(text, skipped, &self.rules) {
            Frame::Blank => blank(raw, report),
            Frame::Damaged(kind, at) => {
                self.damage(raw, base, number, kind, verdict::shown_at(kind, at, skipped), report)
            }
            Frame::Text(seal) => {
                let parsed = match scan::utf8(text) {
                    Some(utf8) if !self.needs_walk(raw, text) => parse(utf8),
                    Some(utf8) => match scan::check(text, self.rules.max_nesting) {
                        Ok(()) => parse(utf8),
                        Err(_) => Err(String::new()),
                    },
                    None => Err(String::new()),
                };
                match parsed {
                    Ok(value) => {
                        self.record(raw, seal, report);
                        return Some(value);
                    }
                    Err(detail) => match verdict::json(text, &self.rules) {
                        Ok(()) => self.mismatch(raw, base, number, seal, detail, report),
                        Err((kind, at)) => {
                            self.damage(raw, base, number, kind, verdict::shown_at(kind, at, skipped), report)
                        }
                    },
                }
            }
        }
        None
    }

    /// A line that was too long to be kept.
    pub(crate) fn long_line(&self, long: &LongLine, number: u64, report: &mut Report) {
        report.count_damage(DamageKind::TooLong, long.len + u64::from(long.terminated), long.terminated);
        if report.has_room() {
            report.damages.push(Damage {
                kind: DamageKind::TooLong,
                line: Some(number),
                offset: long.offset,
                len: long.len,
                at: 0,
                terminated: long.terminated,
                excerpt: excerpt(long.head.bytes(), 0),
                detail: None,
                salvage: Vec::new(),
            });
        }
    }

    fn json(&self, raw: RawLine<'_>, skipped: usize, text: &[u8]) -> Result<(), (DamageKind, usize)> {
        if self.text_of(raw, skipped).is_some() && scan::check(text, self.rules.max_nesting).is_ok() {
            return Ok(());
        }
        verdict::json(text, &self.rules)
    }

    /// `serde_json` leaves two things open, and only for lines with such bytes: it nests without limit in
    /// members that a type ignores, and lets control bytes pass in strings that are taken as bytes.
    fn needs_walk(&self, raw: RawLine<'_>, text: &[u8]) -> bool {
        let body = text.strip_suffix(b"\r").unwrap_or(text);
        scan::may_be_deep(body, self.rules.max_nesting)
            || (!self.in_tame_chunk(raw) && scan::has_control(body))
    }

    fn in_tame_chunk(&self, raw: RawLine<'_>) -> bool {
        raw.offset.checked_add(raw.bytes.len()).is_some_and(|end| end <= self.chunk.len())
            && *self.is_tame.get_or_init(|| scan::is_tame(self.chunk))
    }

    fn typed<T: DeserializeOwned>(
        &mut self,
        raw: RawLine<'_>,
        skipped: usize,
        text: &[u8],
        seal: Seal,
    ) -> Outcome<T> {
        let utf8 = self.text_of(raw, skipped).or_else(|| scan::utf8(text));
        let Some(utf8) = utf8 else { return self.refused(text, seal, String::new()) };
        if self.needs_walk(raw, text) && scan::check(text, self.rules.max_nesting).is_err() {
            return self.refused(text, seal, String::new());
        }
        let parsed = match covered(text, seal) {
            None => parse(utf8),
            Some(covered) => {
                self.scratch.clear();
                self.scratch.push_str(utf8.get(..covered.len()).unwrap_or_default());
                self.scratch.push('}');
                parse(&self.scratch)
            }
        };
        match parsed {
            Ok(value) => Outcome::Value { value, lone_surrogates: false },
            Err(detail) => self.refused(text, seal, detail),
        }
    }

    /// `serde_json` didn't take it. Is that the line's fault, a surrogate's, or the type's?
    fn refused<T: DeserializeOwned>(&self, text: &[u8], seal: Seal, detail: String) -> Outcome<T> {
        if let Err((kind, at)) = verdict::json(text, &self.rules) {
            return Outcome::Damaged(kind, at);
        }
        let without_seal: Vec<u8>;
        let text = match covered(text, seal) {
            Some(covered) => {
                without_seal = [covered, b"}"].concat();
                &without_seal
            }
            None => text,
        };
        let mended = mend_surrogates(text).and_then(|mended| parse(scan::utf8(&mended)?).ok());
        match mended {
            Some(value) => Outcome::Value { value, lone_surrogates: true },
            None => Outcome::Mismatch(detail),
        }
    }

    fn text_of(&self, raw: RawLine<'_>, skipped: usize) -> Option<&'a str> {
        let start = raw.offset.checked_add(skipped)?;
        let end = raw.offset.checked_add(raw.bytes.len())?;
        let text = *self.text.get_or_init(|| scan::utf8(self.chunk));
        text?.get(start..end)
    }

    fn record(&self, raw: RawLine<'_>, seal: Seal, report: &mut Report) {
        report.records += 1;
        report.sealed += u64::from(seal == Seal::Good);
        report.unterminated |= !raw.terminated;
        report.bytes.records += raw.len() as u64;
    }

    fn mismatch(
        &self,
        raw: RawLine<'_>,
        base: u64,
        number: u64,
        seal: Seal,
        detail: String,
        report: &mut Report,
    ) {
        self.record(raw, seal, report);
        report.mismatched += 1;
        report.count_damage(DamageKind::Mismatch, raw.len() as u64, raw.terminated);
        if report.has_room() {
            let mut damage = describe(raw, base, number, DamageKind::Mismatch, 0);
            // "… at line 1 column 9": the line is always the first.
            damage.detail = Some(detail.replace(" at line 1 column ", " at byte "));
            report.damages.push(damage);
        }
    }

    fn damage(
        &self,
        raw: RawLine<'_>,
        base: u64,
        number: u64,
        kind: DamageKind,
        at: usize,
        report: &mut Report,
    ) {
        if report.has_room() {
            self.damage_with_salvage(raw, base, number, kind, at, report);
        } else {
            report.count_damage(kind, raw.len() as u64, raw.terminated);
        }
    }

    fn damage_with_salvage(
        &self,
        raw: RawLine<'_>,
        base: u64,
        number: u64,
        kind: DamageKind,
        at: usize,
        report: &mut Report,
    ) -> Vec<Span> {
        report.count_damage(kind, raw.len() as u64, raw.terminated);
        let found = match kind {
            DamageKind::TooLong => Vec::new(),
            _ => salvage::find(raw.bytes, self.rules.max_nesting, self.rules.seals),
        };
        let span = |range: std::ops::Range<usize>| Span {
            offset: base + (raw.offset + range.start) as u64,
            len: range.len() as u64,
        };
        let spans: Vec<_> = found.into_iter().map(span).collect();
        if report.has_room() {
            let mut damage = describe(raw, base, number, kind, at);
            damage.salvage.clone_from(&spans);
            report.damages.push(damage);
        }
        spans
    }
}

/// The record without its seal and its closing brace, if it has a good seal.
fn covered(text: &[u8], seal: Seal) -> Option<&[u8]> {
    match seal {
        Seal::Good => checksum::covered(text.strip_suffix(b"\r").unwrap_or(text)),
        _ => None,
    }
}

fn describe(raw: RawLine<'_>, base: u64, number: u64, kind: DamageKind, at: usize) -> Damage {
    Damage {
        kind,
        line: Some(number),
        offset: base + raw.offset as u64,
        len: raw.bytes.len() as u64,
        at: at as u64,
        terminated: raw.terminated,
        excerpt: excerpt(raw.bytes, at),
        detail: None,
        salvage: Vec::new(),
    }
}

fn blank(raw: RawLine<'_>, report: &mut Report) {
    report.blank += 1;
    report.bytes.blank += raw.len() as u64;
}

fn at_start<'b>(raw: RawLine<'b>, base: u64) -> (usize, &'b [u8]) {
    // A line out of a fused one has no place of its own, and no mark.
    let is_start = base == 0 && raw.offset == 0;
    let text = verdict::text_of(raw.bytes, is_start);
    (raw.bytes.len() - text.len(), text)
}

/// The line's nesting is known to be within the limit, so the recursion has a bottom, and `serde_json`'s own
/// limit (which is one level lower, and not applied to members that a type ignores) would only give another verdict.
fn parse<'b, T: Deserialize<'b>>(text: &'b str) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    let value = T::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Parses one JSON text as every reader here does: a surrogate escape without its partner becomes U+FFFD where
/// `serde_json` alone would give up.
///
/// # Errors
///
/// `serde_json`'s, for a text that is no JSON or no `T`.
pub fn parse_json<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(text).or_else(|error| {
        let mended = mend_surrogates(text).and_then(|mended| serde_json::from_slice(&mended).ok());
        mended.ok_or(error)
    })
}

/// `text` with every surrogate escape that has no partner exchanged for `\ufffd`, which is as long; `None`
/// where there is none. `text` is JSON.
fn mend_surrogates(text: &[u8]) -> Option<Vec<u8>> {
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', text.get(at..)?) {
        let escape = at + found;
        at = escape + 2;
        if text.get(escape + 1) != Some(&b'u') {
            continue;
        }
        at = escape + 6;
        let is_low = |code| (0xDC00..0xE000).contains(&code);
        let code = scan::hex4(text.get(escape + 2..escape + 6))?;
        let next = text.get(at..at + 2) == Some(b"\\u");
        let partner = if next { scan::hex4(text.get(at + 2..at + 6)) } else { None };
        if (0xD800..0xDC00).contains(&code) && partner.is_some_and(is_low) {
            at += 6;
        } else if (0xD800..0xE000).contains(&code) {
            let mended = mended.get_or_insert_with(|| text.to_vec());
            mended[escape + 2..escape + 6].copy_from_slice(b"fffd");
        }
    }
    mended
}
