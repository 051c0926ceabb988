//! Lines as they are appended, also across the replacement of the log.
//!
//! Following looks at the file now and then; it needs nothing from the operating system but the file's length
//! and identity, so it works on every file system. Complete lines only: what a writer is in the middle of comes
//! when its newline is there.
//!
//! When the log has been replaced, by `compact` or `repair`, most of its lines are those that came before. The
//! last few lines that were seen are looked for in the new file, and following goes on behind them, so that no
//! line comes twice. Where they are not there, it is another log, and it begins from the start: either way
//! [`Followed::Replaced`] says so.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::cursor::{Cursor, Identity};
use crate::error::{Error, Result};
use crate::lines::{Line, Lines};
use crate::read_options::ReadOptions;
use crate::reader::{Log, open_regular};
use crate::source::{Buffer, HEAD_LEN};
use crate::verdict::Verdict;

/// How many of the last lines are remembered, to be found again in a replaced log.
const MEMORY_LEN: usize = 16;

/// That many of them in a row are enough, where the new log has others before them.
const MATCH_MIN: usize = 4;

/// How many bytes in front of the place are compared, to notice a file that was rewritten under the same name.
const WITNESS_LEN: u64 = 64;

/// A log that is replaced faster than it can be opened is given up after so many tries.
const OPEN_TRIES: usize = 100;

/// Bytes that are read at a time.
const STEP_LEN: usize = 256 << 10;

/// Where following begins.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum From {
    /// With the first line.
    Beginning,
    /// With what is appended from now on. The default.
    #[default]
    End,
    /// Where a cursor is.
    Cursor(Cursor),
}

/// What following finds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Followed {
    /// The next line, whatever it holds; its [`verdict`](Line::verdict) says what it is.
    Line(Line),
    /// The log was replaced.
    Replaced {
        /// The lines that were seen are in the new log too, and what follows comes behind them. If not, what
        /// follows begins at the start of another log.
        resumed: bool,
    },
}

/// A log that is being followed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log.jsonl");
/// use std::time::Duration;
/// use jsonl_core::{Follow, Followed, From, WriteOptions};
///
/// let log = WriteOptions::new().create(true).open(&path)?;
/// let mut follow = Follow::new(&path, From::Beginning)?;
/// log.append(&1)?;
/// let found = follow.next_within(Duration::from_secs(5))?;
/// assert!(matches!(found, Some(Followed::Line(line)) if line.bytes == b"1"));
/// assert!(follow.next_within(Duration::ZERO)?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    options: ReadOptions,
    poll_every: Duration,
    file: File,
    identity: Identity,
    /// Everything before it has been handed out or is ready.
    offset: u64,
    /// Bytes from `offset` on that have no newline yet; of a line that is too long, the first few.
    pending: Vec<u8>,
    /// How much of a line that is too long has been passed over.
    passed: Option<u64>,
    ready: VecDeque<Followed>,
    seen: VecDeque<Fingerprint>,
    witness: Vec<u8>,
}

/// Enough of a line to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint {
    len: u64,
    checksum: u32,
}

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        Self { len: bytes.len() as u64, checksum: crc32fast::hash(bytes) }
    }
}

/// A log that is not there will be there again.
fn waiting_while_gone(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => Ok(()),
        other => other,
    }
}

/// The same file as a log and as a file to read on from, even if it is being replaced just now.
fn open_twice(path: &Path, options: &ReadOptions) -> Result<(Log, File)> {
    for _ in 0..OPEN_TRIES {
        let log = options.open(path)?;
        let (file, metadata) = open_regular(path)?;
        if Identity::of(&metadata) == log.identity {
            return Ok((log, file));
        }
    }
    Err(Error::Replaced { path: path.to_owned() })
}

impl Follow {
    /// Begins to follow the log at `path`, which has to be there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::NotAFile`]; [`Error::StaleCursor`] for a cursor of another log.
    pub fn new(path: impl AsRef<Path>, from: From) -> Result<Self> {
        Self::with(&ReadOptions::new(), path.as_ref(), from)
    }

    /// With other limits: [`ReadOptions::follow`].
    pub(crate) fn with(options: &ReadOptions, path: &Path, from: From) -> Result<Self> {
        let options = options.clone().threads(1);
        let (log, file) = open_twice(path, &options)?;
        let offset = match from {
            From::Beginning => 0,
            From::End => log.end()?.offset(),
            From::Cursor(cursor) => cursor.start_in(&log)?,
        };
        let mut follow = Self {
            path: path.to_owned(),
            options,
            poll_every: Duration::from_millis(100),
            file,
            identity: log.identity,
            offset,
            pending: Vec::new(),
            passed: None,
            ready: VecDeque::new(),
            seen: VecDeque::new(),
            witness: Vec::new(),
        };
        follow.remember_before(&log)?;
        follow.take_witness()?;
        Ok(follow)
    }

    /// How often the file is looked at while waiting. By default every 100 ms.
    #[must_use]
    pub fn poll_every(mut self, pause: Duration) -> Self {
        self.poll_every = pause;
        self
    }

    /// The next line or replacement, waiting at most `wait` for it; `None` if there was none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file can't be read. A log that is gone is waited for.
    pub fn next_within(&mut self, wait: Duration) -> Result<Option<Followed>> {
        let mut deadline = None;
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Ok(Some(found));
            }
            self.look()?;
            if !self.ready.is_empty() {
                continue;
            }
            let now = Instant::now();
            let deadline = *deadline.get_or_insert_with(|| now.checked_add(wait));
            let left = deadline.map_or(self.poll_every, |deadline| deadline.saturating_duration_since(now));
            if left.is_zero() {
                return Ok(None);
            }
            thread::sleep(left.min(self.poll_every));
        }
    }

    /// Reads what is new, and looks whether the file is still the one at the path.
    fn look(&mut self) -> Result<()> {
        self.read_on()?;
        if !self.ready.is_empty() {
            return Ok(());
        }
        match open_regular(&self.path) {
            Ok((_, metadata)) => {
                let is_same = Identity::of(&metadata) == self.identity && self.is_untouched(&metadata)?;
                if is_same {
                    return Ok(());
                }
                // Nobody writes to the old file any more; what was written since it was read comes first.
                loop {
                    let before = self.ready.len();
                    self.read_on()?;
                    if self.ready.len() == before {
                        break;
                    }
                }
                waiting_while_gone(self.move_to_new())
            }
            Err(error) => waiting_while_gone(Err(error)),
        }
    }

    /// Takes the complete lines behind `offset`, at most a step's worth.
    fn read_on(&mut self) -> Result<()> {
        let failed = Error::io("read", &self.path);
        let metadata = self.file.metadata().map_err(&failed)?;
        drop(failed);
        if !self.is_untouched(&metadata)? {
            return Ok(());
        }
        self.check_pending(metadata.len())?;
        loop {
            let mut window = Buffer::default();
            let from = self.offset + self.passed.unwrap_or(self.pending.len() as u64);
            let got = window.fill(&self.file, from, STEP_LEN).map_err(Error::io("read", &self.path))?;
            self.take(&window);
            self.take_witness()?;
            if got < STEP_LEN || !self.ready.is_empty() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        let rules = self.options.rules();
        while let Some(newline) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(newline);
            bytes = &rest[1..];
            let line = match self.passed.take() {
                Some(passed) => {
                    let len = passed + line.len() as u64 + 1;
                    Line::cut(self.offset, len, mem::take(&mut self.pending), rules)
                }
                None => {
                    self.pending.extend_from_slice(line);
                    let mut line = mem::take(&mut self.pending);
                    let len = line.len();
                    if len > rules.max_line_len {
                        line.truncate(HEAD_LEN);
                        Line::cut(self.offset, len as u64 + 1, line, rules)
                    } else {
                        Line::complete(self.offset, line, rules)
                    }
                }
            };
            self.hand_out(line);
        }
        match &mut self.passed {
            Some(passed) => *passed += bytes.len() as u64,
            None => {
                self.pending.extend_from_slice(bytes);
                if self.pending.len() > rules.max_line_len {
                    self.passed = Some(self.pending.len() as u64);
                    self.pending.truncate(HEAD_LEN);
                }
            }
        }
    }

    fn hand_out(&mut self, line: Line) {
        self.offset = line.end();
        self.remember(&line);
        self.ready.push_back(Followed::Line(line));
    }

    /// Only records: a repair takes everything else out.
    fn remember(&mut self, line: &Line) {
        if let Verdict::Record { .. } = line.verdict() {
            if self.seen.len() == MEMORY_LEN {
                self.seen.pop_front();
            }
            self.seen.push_back(Fingerprint::of(&line.bytes));
        }
    }

    /// Fills the memory with the records in front of `offset`.
    fn remember_before(&mut self, log: &Log) -> Result<()> {
        let mut lines = Lines::new(log, self.options.rules(), 0, self.offset);
        while self.seen.len() < MEMORY_LEN {
            let Some(line) = lines.next_back().transpose()? else { break };
            if matches!(line.verdict(), Verdict::Record { .. }) {
                self.seen.push_front(Fingerprint::of(&line.bytes));
            }
        }
        Ok(())
    }

    fn take_witness(&mut self) -> Result<()> {
        self.witness = self.read_witness()?;
        Ok(())
    }

    fn read_witness(&self) -> Result<Vec<u8>> {
        let len = self.offset.min(WITNESS_LEN);
        let mut bytes = Buffer::default();
        bytes.fill(&self.file, self.offset - len, len as usize).map_err(Error::io("read", &self.path))?;
        Ok(bytes.to_vec())
    }

    /// Whether the file still has, in front of the place, what it had.
    fn is_untouched(&self, metadata: &Metadata) -> Result<bool> {
        Ok(metadata.len() >= self.offset && self.read_witness()? == self.witness)
    }

    /// A writer that died may have been cleaned up after: forgets what was read of an unfinished line, if it is
    /// not there any more.
    fn check_pending(&mut self, len: u64) -> Result<()> {
        let seen = self.passed.unwrap_or(self.pending.len() as u64);
        let compared = if self.passed.is_some() { 0 } else { self.pending.len().min(WITNESS_LEN as usize) };
        let mut end = Buffer::default();
        end.fill(&self.file, self.offset + seen - compared as u64, compared)
            .map_err(Error::io("read", &self.path))?;
        if len < self.offset + seen || !self.pending.ends_with(&end) || end.len() < compared {
            self.pending.clear();
            self.passed = None;
        }
        Ok(())
    }

    fn move_to_new(&mut self) -> Result<()> {
        let (log, file) = open_twice(&self.path, &self.options)?;
        let place = self.find_place(&log)?;
        self.file = file;
        self.identity = log.identity;
        self.offset = place.unwrap_or(0);
        self.pending.clear();
        self.passed = None;
        if place.is_none() {
            self.seen.clear();
        }
        self.take_witness()?;
        self.ready.push_back(Followed::Replaced { resumed: place.is_some() });
        Ok(())
    }

    /// The offset in `log` behind the lines that were seen last.
    fn find_place(&self, log: &Log) -> Result<Option<u64>> {
        let Some(last) = self.seen.back() else { return Ok(None) };
        let mut window: VecDeque<Fingerprint> = VecDeque::new();
        let mut records = 0_usize;
        let mut place = None;
        // A repair or a compaction takes bytes out, so the place is where it was or before. Of several that look
        // alike, the last up to there: behind it may already be what is new.
        for line in log.lines() {
            let line = line?;
            if !line.terminated || !matches!(line.verdict(), Verdict::Record { .. }) {
                continue;
            }
            records += 1;
            if window.len() == MEMORY_LEN {
                window.pop_front();
            }
            window.push_back(Fingerprint::of(&line.bytes));
            if window.back() != Some(last) {
                continue;
            }
            let both = window.iter().rev().zip(self.seen.iter().rev());
            let same = both.take_while(|(found, seen)| found == seen).count();
            let is_known = same == self.seen.len() || same == records || same >= MATCH_MIN;
            if is_known && (place.is_none() || line.end() <= self.offset) {
                place = Some(line.end());
            }
        }
        Ok(place)
    }
}
