//! How a transcript is read, whoever's it is: all of it, its end, or only its head and its end.

use std::path::Path;
use std::time::SystemTime;

use jsonl_core::{Log, Span, scan};

use crate::error::Result;
use crate::foreign::Remark;
use crate::lines::{self, Indexed};
use crate::packed;
use crate::transcript::{Glance, Overview, is_late};

/// What a reader makes of a file's records, which come to it in the order of the file.
pub(crate) trait Reading: Default {
    /// What is seen of a record.
    type Seen: Send;

    /// What is seen of a line, on whatever thread; `None` if it is no JSON object.
    fn see(span: Span, raw: &[u8]) -> Option<Self::Seen>;

    /// Whether an object that was found inside a damaged line is a record, and not a part of one.
    fn is_record(raw: &[u8]) -> bool;

    /// Takes a record in. Lines are counted from 1; those of an end are not counted, and are 0.
    fn take(&mut self, line: u64, seen: Self::Seen);

    fn overview(&mut self) -> &mut Overview;

    /// All records have come.
    fn finish(&mut self, log: &Log) -> Result<()>;

    /// Keeps only what is counted of the records to come, which saves the memory for an index of them.
    fn count_only(&mut self);

    /// One record, or what is none.
    fn put(&mut self, line: u64, found: Indexed<Self::Seen>) {
        let Overview { odd, remarks, .. } = self.overview();
        if let Some(seen) = found.record(odd, remarks) {
            self.take(line, seen);
        }
    }
}

/// Reads all of an open file, on all processors. What opening it had to say is among the remarks.
pub(crate) fn read<R: Reading>((log, remark): (Log, Option<Remark>)) -> Result<(Log, R)> {
    let mut reading: R = read_all(&log)?;
    reading.overview().remarks.extend(remark);
    Ok((log, reading))
}

fn read_all<R: Reading>(log: &Log) -> Result<R> {
    let mut reading = R::default();
    lines::index(log, R::see, R::is_record, |line, found| reading.put(line, found))?;
    reading.finish(log)?;
    Ok(reading)
}

/// Counts what is in a file, on all processors. `see` gets every record's text on whatever thread, and what it makes of that
/// comes to `each` in the order of the file.
pub(crate) fn tally<R: Reading, T: Send>(
    log: &Log,
    see: impl Fn(&[u8]) -> T + Sync,
    mut each: impl FnMut(T),
) -> Result<R> {
    let mut reading = R::default();
    reading.count_only();
    lines::index(
        log,
        |span, raw| Some((R::see(span, raw)?, see(raw))),
        R::is_record,
        |line, found| {
            let found = match found {
                Indexed::Record((seen, more)) => {
                    each(more);
                    Indexed::Record(seen)
                }
                Indexed::Odd => Indexed::Odd,
                Indexed::Remark(remark) => Indexed::Remark(remark),
            };
            reading.put(line, found);
        },
    )?;
    reading.finish(log)?;
    Ok(reading)
}

/// The end of a file, of which more and more is read: each step only reads what is in front of the last.
pub(crate) struct End<R: Reading> {
    log: Log,
    remark: Option<Remark>,
    /// Where what was read so far begins, which is with a line.
    start: u64,
    /// What was seen in each step.
    parts: Vec<Part<R::Seen>>,
    /// What a step reads is read into the end of this.
    space: Vec<u8>,
}

/// What was seen in one piece of a file.
struct Part<S> {
    records: Vec<S>,
    odd: u64,
    remarks: Vec<Remark>,
}

impl<R: Reading> End<R>
where
    R::Seen: Clone,
{
    /// Nothing is read yet.
    pub(crate) fn of((log, remark): (Log, Option<Remark>)) -> Self {
        Self { start: log.len(), log, remark, parts: Vec::new(), space: Vec::new() }
    }

    /// Reads on until nearly `len` bytes have been read, but at least another line, from the beginning of a line on. Also returns where that
    /// is; at 0, all of the file was read at once, and lines have numbers.
    pub(crate) fn reach(&mut self, len: u64) -> Result<(Log, R, u64)> {
        let mut seen = Part { records: Vec::new(), odd: 0, remarks: Vec::new() };
        let each = |found: Indexed<R::Seen>| {
            seen.records.extend(found.record(&mut seen.odd, &mut seen.remarks));
        };
        let is_begun = self.read_on(len, each)?;
        let log = self.log.part(Span { offset: 0, len: self.log.len() })?;
        if !is_begun {
            let (log, reading) = read((log, self.remark.take()))?;
            return Ok((log, reading, 0));
        }
        self.parts.push(seen);
        let mut reading = R::default();
        for part in self.parts.iter().rev() {
            for seen in &part.records {
                reading.take(0, seen.clone());
            }
            let overview = reading.overview();
            overview.odd += part.odd;
            lines::add_remarks(&mut overview.remarks, &part.remarks);
        }
        reading.finish(&log)?;
        Ok((log, reading, self.start))
    }

    /// The lines in front of what was read so far, no more than are `len` bytes in front of the end, but at least one. Returns whether that is
    /// not the file's first: then there is nothing to do but to read all.
    fn read_on(&mut self, len: u64, mut each: impl FnMut(Indexed<R::Seen>)) -> Result<bool> {
        let from = self.log.len().saturating_sub(len).min(self.start.saturating_sub(STEP_MIN));
        if from == 0 {
            return Ok(false);
        }
        let start = match lines_before(&self.log, from, self.start, &mut self.space)? {
            Some((0, _)) => return Ok(false),
            Some((start, lines)) => {
                let each = |_, found| each(found);
                lines::index_in_memory(&self.log, (lines, start), R::see, R::is_record, each)?;
                start
            }
            None => {
                let start = line_start(&self.log, from)?;
                if start == 0 {
                    return Ok(false);
                }
                let part = self.log.part(Span { offset: start, len: self.start - start })?;
                lines::index(&part, R::see, R::is_record, |_, found| each(found))?;
                start
            }
        };
        self.start = start;
        Ok(true)
    }

    /// Whether a record in front of what was read was written later than one behind it, the first of which was written at `time`: a sign
    /// that the end was written again.
    ///
    /// Looks at a record here and there, each twice as far from the end of the file as the one before it. That suffices: let the
    /// file's first `n` bytes stand again at its end, and `x <= n` be how far from the end a record is. It is the copy of the one that
    /// ends `n - x` bytes from the file's beginning; the record at `2x` is at least `2(n - x)` from there if it is not in the copy, too,
    /// and so the later one.
    pub(crate) fn is_younger_in_front(&mut self, mut time: SystemTime) -> Result<bool> {
        let len = self.log.len();
        let mut back = 2 * (len - self.start);
        while back < len {
            if let Some(found) = time_behind(&self.log, len - back, self.start)? {
                if is_late(found, time) {
                    return Ok(true);
                }
                time = time.min(found);
            }
            back = back.saturating_mul(2);
        }
        Ok(false)
    }
}

/// When the first record was written of those that begin behind an offset, and not far from it; `None` if that is not said.
fn time_behind(log: &Log, offset: u64, end: u64) -> Result<Option<SystemTime>> {
    let Some(start) = next_line(log, offset, end)? else { return Ok(None) };
    let mut len = GLIMPSE;
    loop {
        let window = log.read(Span { offset: start, len: len.min(end - start) })?;
        // The beginning of a record will do.
        let lines = window.split(|byte| *byte == b'\n').map(lines::bare);
        let mut times = lines
            .filter(|raw| raw.first() == Some(&b'{'))
            .filter_map(|raw| scan::string_member(raw, "timestamp"))
            .filter_map(|text| lines::parse_time(&text));
        let time = times.next();
        if time.is_some() || window.contains(&b'\n') || len >= WINDOW_MAX.min(end - start) {
            return Ok(time);
        }
        len *= 4;
    }
}

/// Where the first line begins behind an offset.
fn next_line(log: &Log, mut offset: u64, end: u64) -> Result<Option<u64>> {
    while offset < end {
        let window = log.read(Span { offset, len: WINDOW.min(end - offset) })?;
        if let Some(newline) = memchr::memchr(b'\n', &window) {
            return Ok(Some(offset + newline as u64 + 1).filter(|start| *start < end));
        }
        offset += window.len() as u64;
    }
    Ok(None)
}

/// The lines that begin behind `from` and end in front of `end`, where one does, or the last of those that begin earlier; and where the first of them begins. They are
/// read into the end of `space`, each byte once. `None` where that is too small.
fn lines_before<'a>(
    log: &Log,
    from: u64,
    end: u64,
    space: &'a mut Vec<u8>,
) -> Result<Option<(u64, &'a [u8])>> {
    // Zeros that nobody has touched yet take up no memory.
    if space.is_empty() {
        *space = vec![0; STEP_MAX];
    }
    // A line that begins there can be told by the newline in front of it.
    let (mut from, mut read, mut at) = (from.saturating_sub(1), end, STEP_MAX);
    loop {
        let step = usize::try_from(read - from).unwrap_or(usize::MAX);
        let Some(start) = at.checked_sub(step) else { return Ok(None) };
        log.read_exact_at(from, &mut space[start..at])?;
        let newline = if at == STEP_MAX {
            // What ends the last line is in front of nothing.
            memchr::memchr(b'\n', &space[start..at - 1])
        } else {
            memchr::memrchr(b'\n', &space[start..at])
        };
        if let Some(newline) = newline {
            return Ok(Some((from + newline as u64 + 1, &space[start + newline + 1..])));
        }
        if from == 0 {
            return Ok(Some((0, &space[start..])));
        }
        (read, at) = (from, start);
        from = from.saturating_sub(2 * WINDOW);
    }
}

/// Where the line begins that an offset lies in.
fn line_start(log: &Log, offset: u64) -> Result<u64> {
    let mut end = offset;
    while end > 0 {
        let step = WINDOW.min(end);
        let window = log.read(Span { offset: end - step, len: step })?;
        if let Some(newline) = memchr::memrchr(b'\n', &window) {
            return Ok(end - step + newline as u64 + 1);
        }
        end -= step;
    }
    Ok(0)
}

/// So much is read first where a record's time is looked for.
const GLIMPSE: u64 = 16 << 10;

/// So much is read at least when more of a file's end is wanted.
const STEP_MIN: u64 = 64 << 10;

/// So much is read at once and on one thread: starting others, and giving them memory, takes longer than they save.
const STEP_MAX: usize = 4 << 20;

/// So much of a file's head and of its end is looked at.
const WINDOW: u64 = 64 << 10;

/// More of the head is looked at where there is no whole line in it.
const WINDOW_MAX: u64 = jsonl_core::MAX_LINE_LEN as u64 + WINDOW;

/// Looks at the head and the end of a file: two reads, however large it is. A file that is no larger than both is read whole.
pub(crate) fn glance<R: Reading>(log: &Log) -> Result<Glance> {
    let len = log.len();
    if len <= 2 * WINDOW {
        let mut reading = R::default();
        reading.count_only();
        let bytes = log.read(Span { offset: 0, len })?;
        each_line(&bytes, 0, |line, span, raw| put_raw(&mut reading, line, span, raw));
        reading.finish(log)?;
        return Ok(Glance { overview: std::mem::take(reading.overview()), seen: len, len: Some(len) });
    }
    let mut window = WINDOW;
    let head = loop {
        let mut head = log.read(Span { offset: 0, len: window })?;
        head.truncate(memchr::memrchr(b'\n', &head).map_or(0, |at| at + 1));
        if !head.is_empty() || window >= WINDOW_MAX.min(len) {
            break head;
        }
        window = (4 * window).min(WINDOW_MAX).min(len);
    };
    let mut reading = R::default();
    reading.count_only();
    each_line(&head, 0, |line, span, raw| put_raw(&mut reading, line, span, raw));
    // Where a line begins in it, if one does: one that is longer than this says less of the session than the head.
    let from = (len - WINDOW).max(head.len() as u64);
    let end = log.read(Span { offset: from, len: len - from })?;
    let is_start = from == head.len() as u64;
    let first = if is_start { Some(0) } else { memchr::memchr(b'\n', &end).map(|at| at + 1) };
    let first = first.unwrap_or(end.len());
    each_line(&end[first..], from + first as u64, |_, span, raw| put_raw(&mut reading, 0, span, raw));
    reading.finish(log)?;
    let seen = (head.len() + end.len() - first) as u64;
    Ok(Glance { overview: std::mem::take(reading.overview()), seen, len: Some(len) })
}

/// The same of a packed file: its head is unpacked, or all of it if that is little.
pub(crate) fn glance_packed<R: Reading>(log: &Log, path: &Path) -> Result<Glance> {
    let (mut head, is_whole) = packed::head(path, 2 * WINDOW)?;
    if !is_whole {
        head.truncate(memchr::memrchr(b'\n', &head).map_or(0, |at| at + 1));
    }
    let mut reading = R::default();
    // Nothing is read again: nothing is in the log where it was unpacked.
    reading.count_only();
    each_line(&head, 0, |_, span, raw| put_raw(&mut reading, 0, span, raw));
    reading.finish(log)?;
    let seen = head.len() as u64;
    Ok(Glance { overview: std::mem::take(reading.overview()), seen, len: is_whole.then_some(seen) })
}

/// A record that is whole is taken; nothing is said of anything else, for only reading all of it tells what is damaged.
fn put_raw<R: Reading>(reading: &mut R, line: u64, span: Span, raw: &[u8]) {
    let bare = lines::bare(raw);
    let lead = (bare.as_ptr().addr() - raw.as_ptr().addr()) as u64;
    let (raw, span) = (bare, Span { offset: span.offset + lead, len: bare.len() as u64 });
    let is_whole = || scan::check(raw, scan::NESTING_MAX).is_ok();
    if raw.first() == Some(&b'{')
        && std::str::from_utf8(raw).is_ok()
        && is_whole()
        && let Some(seen) = R::see(span, raw)
    {
        reading.take(line, seen);
    }
}

fn each_line(bytes: &[u8], offset: u64, mut each: impl FnMut(u64, Span, &[u8])) {
    let mut number = 0;
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        number += 1;
        let raw = line.strip_suffix(b"\n").unwrap_or(line);
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        each(number, Span { offset: offset + at, len: raw.len() as u64 }, raw);
        at += line.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(bytes: &[u8]) -> Log {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        Log::open(file.path()).unwrap()
    }

    #[test]
    fn lines_before_an_offset_are_read_from_the_first_that_is_wanted_or_are_the_one_that_is_in_the_way() {
        let lens = [1, 2, 100, 70_000, 1, 140_000, 300_000, 5, 1, 1, 600_000, 3, 65_536, 131_071, 131_073, 7];
        let line = |(number, len): (u8, &usize)| [vec![b'a' + number; len - 1], vec![b'\n']].concat();
        let bytes: Vec<u8> = (0..).zip(&lens).flat_map(line).collect();
        let starts: Vec<usize> =
            lens.iter().scan(0, |at, len| Some(std::mem::replace(at, *at + len))).collect();
        let log = log_of(&bytes);
        let mut space = Vec::new();
        for end in starts[1..].iter().copied().chain([bytes.len(), bytes.len() - 3]) {
            let near = starts.iter().flat_map(|start| [start.saturating_sub(1), *start, start + 1]);
            for from in near.chain((1..bytes.len()).step_by(30_011)).filter(|from| (1..end).contains(from)) {
                let found = lines_before(&log, from as u64, end as u64, &mut space).unwrap();
                let before_end = || starts.iter().copied().filter(|start| *start < end);
                let expected =
                    before_end().find(|start| *start >= from).or_else(|| before_end().next_back()).unwrap();
                let (start, lines) = found.unwrap();
                assert_eq!(start, expected as u64, "{from} {end}");
                assert!(lines == &bytes[expected..end], "{from} {end}");
            }
        }
    }

    #[test]
    fn a_line_that_does_not_fit_is_left_to_others() {
        let bytes = [b"short\n".to_vec(), vec![b'x'; STEP_MAX], b"\nlast\n".to_vec()].concat();
        let (log, end) = (log_of(&bytes), bytes.len() as u64);
        let mut space = Vec::new();
        let last = lines_before(&log, end - 5, end, &mut space).unwrap();
        assert_eq!(last, Some((end - 5, &b"last\n"[..])));
        assert_eq!(lines_before(&log, 100, end - 5, &mut space).unwrap(), None);
        assert_eq!(line_start(&log, 100).unwrap(), 6);
    }
}
