//! The lines of a log one by one, from either end.

use std::ops::Range;
use std::sync::Arc;

use memchr::memrchr;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::line::{self, RawLine};
use crate::parse::{Parser, Typed};
use crate::reader::Log;
use crate::report::{Damage, Report};
use crate::source::{Buffer, Bytes, HEAD_LEN, LongLine, Ranges, head_of};
use crate::verdict::{self, Rules, Verdict};

/// A line as it is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Its number, from 1; `None` when it was reached from the end.
    pub number: Option<u64>,
    /// Where it begins.
    pub offset: u64,
    /// Bytes that it takes in the file, with its newline.
    pub len: u64,
    /// The bytes without the newline. Of a line above the limit, only the first few.
    pub bytes: Vec<u8>,
    /// Whether a newline follows.
    pub terminated: bool,
    is_cut: bool,
    rules: Rules,
}

impl Line {
    /// Where the next line begins.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.len
    }

    /// Whether the line is above the limit, and [`bytes`](Self::bytes) only its beginning.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What the line is; see the table in [`crate::verdict`].
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.is_cut() {
            return Verdict::Damaged { kind: crate::DamageKind::TooLong, at: 0 };
        }
        verdict::judge_by(&self.bytes, self.offset == 0, &self.rules)
    }

    /// The record as a `T`, without its seal; `None` for a blank line.
    ///
    /// # Errors
    ///
    /// What is wrong with the line, or why it is no `T` ([`DamageKind::Mismatch`](crate::DamageKind::Mismatch)).
    pub fn parse<T: DeserializeOwned>(&self) -> std::result::Result<Option<T>, Box<Damage>> {
        let mut report = Report::new(self.offset, 1);
        let mut parser = Parser::new(self.rules);
        let mut value = None;
        let number = self.number.unwrap_or(0);
        if self.is_cut() {
            parser.long_line(&self.as_long(), number, &mut report);
        } else {
            let raw = RawLine { offset: 0, bytes: &self.bytes, terminated: self.terminated };
            parser.owned(raw, self.offset, number, &mut report, |typed| {
                if let Typed::Record(record) = typed {
                    value = Some(record.value);
                }
            });
        }
        match report.damages.pop() {
            None => Ok(value),
            Some(damage) => Err(Box::new(Damage { line: self.number, ..damage })),
        }
    }

    /// A line with its newline, just read.
    pub(crate) fn complete(offset: u64, bytes: Vec<u8>, rules: Rules) -> Self {
        let len = bytes.len() as u64 + 1;
        Self { number: None, offset, len, bytes, terminated: true, is_cut: false, rules }
    }

    /// A line with its newline that was too long to keep: `len` bytes with it, of which `head` are the first.
    pub(crate) fn cut(offset: u64, len: u64, head: Vec<u8>, rules: Rules) -> Self {
        Self { number: None, offset, len, bytes: head, terminated: true, is_cut: true, rules }
    }

    pub(crate) fn as_long(&self) -> LongLine {
        let len = self.len - u64::from(self.terminated);
        LongLine { offset: self.offset, len, terminated: self.terminated, head: head_of(&self.bytes) }
    }
}

/// Iterator over the lines of a log; see [`Log::lines`]. Ends after the first error.
#[derive(Debug)]
pub struct Lines<'a> {
    log: &'a Log,
    rules: Rules,
    front: Front,
    back: Back,
    failed: bool,
}

/// Chunk by chunk: one of them, in memory, of which the lines before `left` have been yielded.
#[derive(Debug, Default)]
struct Front {
    /// Where the first line of all begins.
    start: u64,
    chunk: Arc<Vec<u8>>,
    left: Range<usize>,
    /// Where in the file `left` ends.
    end: u64,
    /// A line behind the chunk that was too long for it.
    long: Option<LongLine>,
    next_chunk: u64,
    /// Lines that were yielded, where they were counted from the beginning of the file.
    number: Option<u64>,
    // Everything before it has been yielded.
    offset: u64,
    buffer: Buffer,
}

/// A window that grows towards the beginning, and loses the lines that were yielded at its end.
#[derive(Debug)]
struct Back {
    // The window is the file's bytes from `start` to `end`; everything behind `end` has been yielded.
    start: u64,
    end: u64,
    window: Vec<u8>,
    step: u64,
}

/// First read from the end: enough for a hundred small records.
const STEP_MIN: u64 = 16 << 10;
const STEP_MAX: u64 = 1 << 20;

impl<'a> Lines<'a> {
    /// The lines from `start` to `end`, which are beginnings of lines or the end of the file.
    pub(crate) fn new(log: &'a Log, rules: Rules, start: u64, end: u64) -> Self {
        let back = Back { start: end, end, window: Vec::new(), step: STEP_MIN };
        let number = (start == 0).then_some(0);
        let front = Front { start, offset: start, number, ..Front::default() };
        Self { log, rules, front, back, failed: false }
    }

    fn line(&self, offset: u64, bytes: &[u8], terminated: bool) -> Line {
        let len = bytes.len() as u64 + u64::from(terminated);
        let is_cut = bytes.len() > self.rules.max_line_len;
        let kept = if is_cut { head_of(bytes).bytes().to_vec() } else { bytes.to_vec() };
        Line { number: None, offset, len, bytes: kept, terminated, is_cut, rules: self.rules }
    }

    fn long(&self, long: &LongLine) -> Line {
        let len = long.len + u64::from(long.terminated);
        Line {
            number: None,
            offset: long.offset,
            len,
            bytes: long.head.bytes().to_vec(),
            terminated: long.terminated,
            is_cut: true,
            rules: self.rules,
        }
    }

    fn pull_front(&mut self) -> Result<Option<Line>> {
        let ranges = Ranges::new(&self.log.bytes, self.front.start, self.rules.max_line_len);
        let mut line = loop {
            let front = &mut self.front;
            let rest = front.chunk.get(front.left.clone()).unwrap_or_default();
            if let Some(raw) = line::lines(rest).next() {
                let offset = front.end - front.left.len() as u64;
                let found = front.left.start..front.left.start + raw.bytes.len();
                let terminated = raw.terminated;
                front.left.start += raw.len();
                break self.line(offset, &self.front.chunk[found], terminated);
            }
            if let Some(long) = front.long.take() {
                break self.long(&long);
            }
            if front.next_chunk >= ranges.count() {
                return Ok(None);
            }
            // What nobody keeps is read into again.
            front.chunk = Arc::default();
            let chunk = ranges.chunk(front.next_chunk, &mut front.buffer).map_err(self.log.io("read"))?;
            if chunk.missing > 0 {
                return Err(Error::Shrunk { path: self.log.path().to_owned(), missing: chunk.missing });
            }
            (front.chunk, front.left) = chunk.share();
            (front.end, front.long) = (chunk.offset + chunk.bytes.len() as u64, chunk.long);
            front.next_chunk += 1;
        };
        if line.offset >= self.back.end {
            return Ok(None);
        }
        self.front.number = self.front.number.map(|number| number + 1);
        line.number = self.front.number;
        self.front.offset = line.end();
        Ok(Some(line))
    }

    fn pull_back(&mut self) -> Result<Option<Line>> {
        if self.back.end <= self.front.offset {
            return Ok(None);
        }
        if let Some(tail) = self.log.bytes.tail()
            && self.back.end == self.log.len()
            && tail.len > self.rules.max_line_len as u64
        {
            let offset = self.back.end - tail.len;
            let head = head_of(&tail.bytes);
            self.back.start = offset;
            self.back.end = offset;
            return Ok(Some(self.long(&LongLine { offset, len: tail.len, terminated: false, head })));
        }
        // Where a search for the newline in front of the line may stop: what is behind has been looked at.
        let mut seen = 0;
        loop {
            let body = self.back.window.strip_suffix(b"\n").unwrap_or(&self.back.window);
            let terminated = body.len() < self.back.window.len();
            if let Some(at) = memrchr(b'\n', &body[..body.len() - seen.min(body.len())]) {
                return Ok(Some(self.cut_back(at + 1, terminated)));
            }
            if self.back.start <= self.front.start {
                return Ok(Some(self.cut_back(0, terminated)));
            }
            if body.len() > self.rules.max_line_len {
                return self.pass_over_back(terminated).map(Some);
            }
            seen = body.len();
            let from = self.back.start.saturating_sub(self.back.step).max(self.front.start);
            let mut window = self.bytes_between(from, self.back.start)?;
            window.extend_from_slice(&self.back.window);
            self.back.window = window;
            self.back.start = from;
            self.back.step = (self.back.step * 2).min(STEP_MAX.max(self.back.window.len() as u64));
            // A line above the limit is known for one as soon as one more byte of it is there.
            let room = self.rules.max_line_len.saturating_sub(self.back.window.len()) as u64;
            self.back.step = self.back.step.min(room.max(STEP_MIN));
        }
    }

    /// The line that begins at `first` in the window and ends where it ends.
    fn cut_back(&mut self, first: usize, terminated: bool) -> Line {
        let offset = self.back.start + first as u64;
        let bytes = &self.back.window[first..];
        let line = self.line(offset, bytes.strip_suffix(b"\n").unwrap_or(bytes), terminated);
        self.back.window.truncate(first);
        self.back.end = offset;
        line
    }

    /// The window is the end of a line above the limit: finds its beginning without keeping it.
    fn pass_over_back(&mut self, terminated: bool) -> Result<Line> {
        let end = self.back.end - u64::from(terminated);
        let mut offset = self.back.start;
        while offset > 0 {
            let from = offset.saturating_sub(STEP_MAX);
            let window = self.bytes_between(from, offset)?;
            if let Some(at) = memrchr(b'\n', &window) {
                offset = from + at as u64 + 1;
                break;
            }
            offset = from;
        }
        let head = head_of(&self.bytes_between(offset, end.min(offset + HEAD_LEN as u64))?);
        self.back.window = Vec::new();
        self.back.start = offset;
        self.back.end = offset;
        self.back.step = STEP_MIN;
        Ok(self.long(&LongLine { offset, len: end - offset, terminated, head }))
    }

    fn bytes_between(&self, from: u64, to: u64) -> Result<Vec<u8>> {
        let wanted = (to - from) as usize;
        let (lines, tail) = match &self.log.bytes {
            Bytes::File { file, .. } => {
                let mut buffer = Buffer::default();
                let got = buffer.fill(file, from, wanted).map_err(self.log.io("read"))?;
                if got < wanted {
                    let missing = (wanted - got) as u64;
                    return Err(Error::Shrunk { path: self.log.path().to_owned(), missing });
                }
                return Ok(buffer.into_vec());
            }
            Bytes::Map { map, tail } => (&map[..], tail),
            Bytes::Memory { lines, tail } => (&lines[..], tail),
        };
        let part = |bytes: &[u8], start: u64| {
            let clip = |offset: u64| (offset.saturating_sub(start) as usize).min(bytes.len());
            bytes[clip(from)..clip(to)].to_vec()
        };
        Ok([part(lines, 0), part(&tail.bytes, lines.len() as u64)].concat())
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Result<Line>> {
        if self.failed {
            return None;
        }
        let found = self.pull_front().transpose();
        self.failed = matches!(found, Some(Err(_)));
        found
    }
}

impl DoubleEndedIterator for Lines<'_> {
    fn next_back(&mut self) -> Option<Result<Line>> {
        if self.failed {
            return None;
        }
        let found = self.pull_back().transpose();
        self.failed = matches!(found, Some(Err(_)));
        found
    }
}
