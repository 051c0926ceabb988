//! The records in a file of JSON lines of another program, damage and all.

use std::borrow::Cow;
use std::path::Path;
use std::time::SystemTime;

use crate::error::Result;
use crate::foreign::{ForeignRecord, Remark};
use jsonl_core::{Chunk, DamageKind, Line, Log, ReadOptions, Seals, Span, Verdict, scan};

/// A line of a file, and what is in it.
pub(crate) struct Found {
    /// Whether anything is left of the line when one carriage return is taken away.
    pub(crate) is_empty: bool,
    /// Its records: none in a blank or damaged line, several in a fused one.
    pub(crate) records: Vec<(u64, Vec<u8>)>,
    pub(crate) remark: Option<Remark>,
}

/// Opens another program's file. It is never mapped, for its owner may shorten it; and what looks like a seal is
/// none.
pub(crate) fn open(path: &Path) -> Result<Log> {
    Ok(ReadOptions::new().seals(Seals::Ignore).open(path)?)
}

/// The lines of a file, one by one.
pub(crate) fn lines(log: &Log) -> impl Iterator<Item = Result<Found>> + '_ {
    log.lines().map(|line| found(log, &line?, is_message))
}

/// What an index is made of.
pub(crate) enum Indexed<T> {
    Record(T),
    /// JSON that is no object.
    Odd,
    Remark(Remark),
}

/// So many remarks on a file are kept.
const REMARKS_KEPT: usize = 1000;

impl<T> Indexed<T> {
    /// The record, if it is one; what is none is noted.
    pub(crate) fn record(self, odd: &mut u64, remarks: &mut Vec<Remark>) -> Option<T> {
        match self {
            Self::Record(record) => return Some(record),
            Self::Odd => *odd += 1,
            Self::Remark(remark) => add_remarks(remarks, [&remark]),
        }
        None
    }
}

/// Adds remarks, as far as they are kept.
pub(crate) fn add_remarks<'a>(remarks: &mut Vec<Remark>, more: impl IntoIterator<Item = &'a Remark>) {
    let room = REMARKS_KEPT.saturating_sub(remarks.len());
    remarks.extend(more.into_iter().take(room).cloned());
}

/// Makes an index of a file's records: `of` sees each of them on whatever thread, with where it stands and its text, and gives
/// nothing for what is no JSON object; `each` gets the results with the number of their line (from 1), in the order of
/// the file. `is_record` tells a record inside a damaged line from a part of one.
pub(crate) fn index<T: Send>(
    log: &Log,
    of: impl Fn(Span, &[u8]) -> Option<T> + Sync,
    is_record: impl Fn(&[u8]) -> bool + Copy + Sync,
    mut each: impl FnMut(u64, Indexed<T>),
) -> Result<()> {
    let report = log.try_chunks(
        |chunk| clean(chunk.bytes, chunk.offset, &of).map_or_else(|| any(log, &chunk, &of, is_record), Ok),
        |found, first| found.into_iter().for_each(|(line, found)| each(first + line, found)),
    )?;
    for damage in report.damages {
        let (offset, len, kind) = (damage.offset, damage.len, damage.kind);
        each(damage.line.unwrap_or(0), Indexed::Remark(Remark::Damaged { offset, len, kind, salvaged: 0 }));
    }
    Ok(())
}

/// Makes an index of a file's lines that are in memory already, on this thread; `offset` is where the first of them begins. What is
/// not in order is read again.
pub(crate) fn index_in_memory<T: Send>(
    log: &Log,
    (lines, offset): (&[u8], u64),
    of: impl Fn(Span, &[u8]) -> Option<T> + Sync,
    is_record: impl Fn(&[u8]) -> bool + Copy + Sync,
    mut each: impl FnMut(u64, Indexed<T>),
) -> Result<()> {
    if let Some(found) = clean(lines, offset, &of) {
        found.into_iter().for_each(|(line, found)| each(1 + line, found));
        return Ok(());
    }
    index(&log.part(Span { offset, len: lines.len() as u64 })?, of, is_record, each)
}

/// The lines of a chunk in which there is nothing but objects, with their numbers in it.
fn clean<T>(
    bytes: &[u8],
    offset: u64,
    of: impl Fn(Span, &[u8]) -> Option<T>,
) -> Option<Vec<(u64, Indexed<T>)>> {
    scan::utf8(bytes)?;
    let mut found = Vec::new();
    for (number, line) in (0..).zip(jsonl_core::line::lines(bytes)) {
        let raw = line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes);
        // White space around it is for the other way.
        if raw.first() != Some(&b'{') || line.bytes.len() > jsonl_core::MAX_LINE_LEN {
            return None;
        }
        let span = Span { offset: offset + line.offset as u64, len: raw.len() as u64 };
        found.push((number, Indexed::Record(of(span, raw)?)));
    }
    Some(found)
}

/// Any chunk, line by line.
fn any<T>(
    log: &Log,
    chunk: &Chunk<'_>,
    of: &impl Fn(Span, &[u8]) -> Option<T>,
    is_record: impl Fn(&[u8]) -> bool + Copy,
) -> Result<Vec<(u64, Indexed<T>)>> {
    let part = log.part(Span { offset: chunk.offset, len: chunk.bytes.len() as u64 })?;
    let mut all = Vec::new();
    for (number, line) in (0..).zip(part.lines()) {
        let line = line?;
        let Found { records, remark, .. } = found(log, &line, is_record)?;
        let is_replaced = matches!(remark, Some(Remark::NotUtf8 { .. }));
        all.extend(remark.map(|remark| (number, Indexed::Remark(remark))));
        for (offset, raw) in records {
            let span = match is_replaced {
                false => Span { offset, len: raw.len() as u64 },
                // As it stands there, which are other bytes.
                true => Span { offset: line.offset, len: line.bytes.len() as u64 },
            };
            all.push((number, of(span, &raw).map_or(Indexed::Odd, Indexed::Record)));
        }
    }
    Ok(all)
}

/// A record without what may stand around it.
pub(crate) fn bare(raw: &[u8]) -> &[u8] {
    raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw).trim_ascii()
}

/// The records of one line.
pub(crate) fn found(log: &Log, line: &Line, is_record: impl Fn(&[u8]) -> bool) -> Result<Found> {
    let bare = line.bytes.strip_suffix(b"\r").unwrap_or(&line.bytes);
    let mut found = Found { is_empty: bare.is_empty() && !line.is_cut(), records: Vec::new(), remark: None };
    let kind = match line.verdict() {
        Verdict::Blank => return Ok(found),
        Verdict::Record { .. } => {
            found.records.push(trimmed(line.offset, &line.bytes));
            return Ok(found);
        }
        Verdict::Damaged { kind, .. } => kind,
    };
    if kind == DamageKind::InvalidUtf8 {
        let text = String::from_utf8_lossy(&line.bytes).into_owned();
        if scan::check(text.as_bytes(), scan::NESTING_MAX).is_ok() {
            found.records.push((line.offset, trimmed(0, text.as_bytes()).1));
            found.remark = Some(Remark::NotUtf8 { offset: line.offset });
            return Ok(found);
        }
    }
    if let Err(damage) = line.parse::<serde::de::IgnoredAny>() {
        for span in &damage.salvage {
            let raw = log.read(Span { offset: span.offset, len: span.len })?;
            // Inside of a fragment there may be whole objects that are no records.
            if is_record(&raw) {
                found.records.push(trimmed(span.offset, &raw));
            }
        }
    }
    let salvaged = found.records.len();
    found.remark = Some(Remark::Damaged { offset: line.offset, len: line.len, kind, salvaged });
    Ok(found)
}

/// What stands there without what may stand around it, and where it begins.
fn trimmed(offset: u64, raw: &[u8]) -> (u64, Vec<u8>) {
    let bare = bare(raw);
    (offset + (bare.as_ptr().addr() - raw.as_ptr().addr()) as u64, bare.to_vec())
}

/// A message: a JSON object with a role that is a string.
pub(crate) fn is_message(raw: &[u8]) -> bool {
    scan::member(raw, "role").is_some_and(|role| role.first() == Some(&b'"'))
}

/// What JSON that is no message is.
pub(crate) fn what(raw: &[u8]) -> &'static str {
    match raw.first() {
        Some(b'{') => "an object without a role",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "a null",
        _ => "a number",
    }
}

/// The text of a value that is a string with something in it.
pub(crate) fn text(value: &[u8]) -> Option<String> {
    scan::string(value).map(Cow::into_owned).filter(|text| !text.is_empty())
}

/// The text of a member that is a string.
pub(crate) fn string(object: &[u8], name: &str) -> Option<String> {
    scan::string_member(object, name).map(Cow::into_owned)
}

/// The value of a member that is a whole number.
pub(crate) fn number(object: &[u8], name: &str) -> Option<u64> {
    whole(scan::member(object, name)?)
}

/// A value that is a whole number.
pub(crate) fn whole(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The time that a member says.
pub(crate) fn time(object: &[u8], name: &str) -> Option<SystemTime> {
    parse_time(&string(object, name)?)
}

pub(crate) fn parse_time(text: &str) -> Option<SystemTime> {
    text.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
}

/// A record that is a message, or else a note with a remark.
pub(crate) fn record(
    (offset, raw): (u64, Vec<u8>),
    time_member: Option<&str>,
    remarks: &mut Vec<Remark>,
) -> ForeignRecord {
    let is_message = is_message(&raw);
    if !is_message {
        remarks.push(Remark::NotAMessage { offset, what: what(&raw) });
    }
    let time = time_member.and_then(|name| time(&raw, name));
    ForeignRecord { raw, offset, is_message, time }
}
