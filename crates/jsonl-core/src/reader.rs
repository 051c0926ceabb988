//! Lines to records: on several threads, in the order of the file.

use std::fs::{self, File, Metadata};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::line::{self, RawLine};
use crate::lines::Lines;
use crate::parse::{Parser, Typed};
use crate::read_options::{ReadOptions, RecoveryMode};
use crate::report::{DamageKind, Report, Span};
use crate::scan::{Candidates, Prefilter};
use crate::source::{Buffer, Bytes, Chunk, Ranges, Tail, read_all_at};
use crate::spare::Reused;
use crate::verdict::Rules;

/// Opens a regular file for reading, and nothing else: a FIFO would wait for a writer that never comes.
pub(crate) fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    let before = fs::metadata(path).map_err(Error::io("open", path))?;
    refuse_others(path, &before)?;
    let file = File::open(path).map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    refuse_others(path, &metadata)?;
    Ok((file, metadata))
}

pub(crate) fn refuse_others(path: &Path, metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = if metadata.is_dir() { "a folder" } else { "a FIFO, socket or device" };
    Err(Error::NotAFile { path: path.to_owned(), found })
}

/// A log, open for reading: its contents at the moment when it was opened.
#[derive(Debug)]
pub struct Log {
    pub(crate) path: PathBuf,
    pub(crate) identity: crate::cursor::Identity,
    pub(crate) bytes: Bytes,
    /// Where reading begins.
    pub(crate) start: u64,
    pub(crate) options: ReadOptions,
    pub(crate) memory: OnceLock<Bytes>,
}

/// What a load gives: the good and the bad side by side.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded<T> {
    /// The records, in the order of the file.
    pub records: Vec<T>,
    /// Records out of fused lines. They are not among `records`: whether they were ever whole is for the
    /// caller to say.
    pub salvaged: Vec<Salvaged<T>>,
    /// What was not a record.
    pub report: Report,
}

/// A record that was found inside a damaged line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salvaged<T> {
    /// Where its bytes are.
    pub span: Span,
    /// How many of `records` stand before it in the file.
    pub index: usize,
    /// The record.
    pub record: T,
}

/// A record and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a, T> {
    /// Offset of its line in the file.
    pub offset: u64,
    /// The line as it is in the file, without its newline.
    pub raw: &'a [u8],
    /// Whether a newline follows.
    pub terminated: bool,
    /// The record.
    pub value: T,
}

/// So many bytes that were read are copied rather than left where they are: with room around them.
const COPIED_MAX: usize = 64 << 10;

impl Log {
    /// Opens with the default options; see [`ReadOptions`].
    ///
    /// # Errors
    ///
    /// As [`ReadOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        ReadOptions::new().open(path)
    }

    /// The path it was opened with.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes in the file when it was opened.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.bytes.len()
    }

    /// Whether there was nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lines as they are, damaged ones too, from either end. Memory for half a mebibyte or one line.
    #[must_use]
    pub fn lines(&self) -> Lines<'_> {
        Lines::new(self, self.rules(), self.start, self.len())
    }

    /// The log from a cursor on: whatever is read of it begins there, and reports account for the bytes from
    /// there on. Nobody has counted the lines before, so lines have no numbers.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("log.jsonl");
    /// use jsonl_core::{Log, WriteOptions};
    ///
    /// let writer = WriteOptions::new().create(true).open(&path)?;
    /// writer.append(&1)?;
    /// let seen = Log::open(&path)?.end()?;
    /// writer.append(&2)?;
    /// let new = Log::open(&path)?.since(&seen)?.load::<u32>()?;
    /// assert_eq!(new.records, [2]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::StaleCursor`] when the log was replaced since the cursor was made.
    pub fn since(mut self, cursor: &Cursor) -> Result<Self> {
        self.start = cursor.start_in(&self)?;
        Ok(self)
    }

    /// A part of this log: the lines of `span`, which has to begin where a line does, and to end where one does or
    /// where the log does. Offsets stay those in the file. Of a mapped log, it is a copy.
    ///
    /// # Errors
    ///
    /// [`Error::StaleCursor`] where no line begins; [`Error::Shrunk`] when the log doesn't reach that far;
    /// [`Error::Io`].
    pub fn part(&self, span: Span) -> Result<Self> {
        let end = span.offset.saturating_add(span.len);
        for offset in [span.offset, end].into_iter().filter(|offset| *offset > 0) {
            if offset != self.len() && self.read(Span { offset: offset - 1, len: 1 })? != b"\n" {
                return Err(Error::StaleCursor { path: self.path.clone(), offset });
            }
        }
        if end > self.len() {
            return Err(Error::Shrunk { path: self.path.clone(), missing: end - self.len() });
        }
        let bytes = match &self.bytes {
            Bytes::File { file, .. } => {
                Bytes::File { file: file.try_clone().map_err(self.io("open"))?, len: end }
            }
            _ => {
                let mut lines = self.read(Span { offset: 0, len: end })?;
                let complete = memchr::memrchr(b'\n', &lines).map_or(0, |at| at + 1);
                let tail = lines.split_off(complete);
                Bytes::Memory { lines, tail: Tail { len: tail.len() as u64, bytes: tail } }
            }
        };
        Ok(Self {
            path: self.path.clone(),
            identity: self.identity,
            bytes,
            start: span.offset,
            options: self.options.clone(),
            memory: OnceLock::new(),
        })
    }

    /// Every record as a `T`, in the order of the file, parsed on several threads.
    ///
    /// A seal is taken off before `T` sees the record.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when reading fails; [`Error::Damaged`] or [`Error::Shrunk`] where the recovery mode
    /// doesn't accept what was found.
    pub fn load<T: DeserializeOwned + Send>(&self) -> Result<Loaded<T>> {
        let mut records = Vec::new();
        let mut salvaged: Vec<Salvaged<T>> = Vec::new();
        let report = self.run(
            &self.bytes,
            |chunk, report| {
                let mut found = Vec::new();
                let mut offered = Vec::new();
                self.parse_chunk(chunk, report, |typed| match typed {
                    Typed::Record(record) => found.push(record.value),
                    Typed::Salvaged(span, record) => {
                        offered.push(Salvaged { span, index: found.len(), record });
                    }
                });
                (found, offered)
            },
            |(found, offered), _| {
                let before = records.len();
                salvaged.extend(offered.into_iter().map(|mut salvaged| {
                    salvaged.index += before;
                    salvaged
                }));
                gather(&mut records, found);
                ControlFlow::Continue(())
            },
        )?;
        Ok(Loaded { records, salvaged, report: self.accept(report)? })
    }

    /// Every record as a `T` that may borrow from the log's bytes: `&'a str`, `&'a RawValue`, `Cow<'a, str>`.
    ///
    /// With [`Source::Map`](crate::Source::Map) the bytes are those of the map; otherwise the complete lines are read into memory
    /// once and kept as long as the log. In contrast to [`load`](Self::load), `T` sees a seal as a member
    /// `crc32`, an unpaired surrogate is a mismatch, and an unterminated last record is not returned.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_borrowed<'a, T: Deserialize<'a> + Send>(&'a self) -> Result<Loaded<T>> {
        let bytes = self.in_memory()?;
        let lines = bytes.as_slice().unwrap_or_default();
        let mut records = Vec::new();
        let mut report = self.run(
            bytes,
            |chunk, report| {
                let from = chunk.offset as usize;
                // The same bytes, but with the life of the log instead of the chunk's.
                let kept = lines.get(from..from + chunk.bytes.len()).unwrap_or_default();
                let mut parser = Parser::new(self.rules()).for_chunk(chunk.bytes);
                let mut found = Vec::new();
                let tail_only = kept.is_empty();
                self.each_line(chunk, report, |raw, line_number, report| {
                    if tail_only {
                        // Behind the complete lines: judged, but there is nothing to borrow from.
                        parser.judge(raw, chunk.offset, line_number, report);
                        return;
                    }
                    let line = &kept[raw.offset..raw.offset + raw.bytes.len()];
                    let raw = RawLine { bytes: line, ..raw };
                    found.extend(parser.borrowed(raw, chunk.offset, line_number, report));
                });
                found
            },
            |found, _| {
                gather(&mut records, found);
                ControlFlow::Continue(())
            },
        )?;
        // What was gone before it could be read into memory.
        report.bytes.missing += self.len() - bytes.len();
        Ok(Loaded { records, salvaged: Vec::new(), report: self.accept(report)? })
    }

    /// Folds the records without keeping them: `step` on several threads, each from a fresh `init`, and
    /// `combine` puts the parts together in the order of the file.
    ///
    /// `combine(a, b)` has to be to `step` what `+` is to adding one: folding a part and then another must give
    /// the same as folding both in one go. How the file is divided is not promised. Memory: one chunk and one
    /// line per thread, and the parts. Records inside fused lines are not handed to `step`; the report says where
    /// they are.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn fold<T, A>(
        &self,
        init: impl Fn() -> A + Sync,
        step: impl Fn(&mut A, Record<'_, T>) + Sync,
        mut combine: impl FnMut(A, A) -> A,
    ) -> Result<(A, Report)>
    where
        T: DeserializeOwned,
        A: Send,
    {
        let mut total = Some(init());
        let report = self.run(
            &self.bytes,
            |chunk, report| {
                let mut part = init();
                self.parse_chunk(chunk, report, |typed| {
                    if let Typed::Record(record) = typed {
                        step(&mut part, record);
                    }
                });
                part
            },
            |part, _| {
                total = total.take().map(|total| combine(total, part));
                ControlFlow::Continue(())
            },
        )?;
        Ok((total.unwrap_or_else(init), self.accept(report)?))
    }

    /// Hands the records to `each` one by one, in the order of the file, as they are parsed, on the caller's
    /// thread. Memory: one chunk, one line, one record. Stops when told to; the report then ends with that record.
    /// Records inside fused lines are not handed over; the report says where they are.
    ///
    /// Other threads would only be in the way: what they allocate and this one frees costs more than parsing.
    /// [`fold`](Self::fold) and [`chunks`](Self::chunks) use all of them.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load). What came before the error was handed over already.
    pub fn for_each<T: DeserializeOwned>(
        &self,
        mut each: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<Report> {
        let ranges = Ranges::new(&self.bytes, self.start, self.rules().max_line_len);
        let mut total = Report::new(self.start, self.options.damages);
        let mut buffer = Reused::take();
        for index in 0..ranges.count() {
            let chunk = ranges.chunk(index, &mut buffer).map_err(self.io("read"))?;
            let mut report = Report::new(chunk.offset, self.options.damages);
            let mut parser = Parser::new(self.rules()).for_chunk(chunk.bytes);
            for raw in chunk.lines() {
                report.lines += 1;
                let mut flow = ControlFlow::Continue(());
                parser.owned(raw, chunk.offset, report.lines, &mut report, |typed| {
                    if let Typed::Record(record) = typed {
                        flow = each(record.value);
                    }
                });
                if flow.is_break() {
                    total.append(report);
                    return self.accept(total);
                }
            }
            self.account_for_the_rest(&chunk, &mut report);
            self.add_progress(&report, &chunk);
            total.append(report);
        }
        self.accept(total)
    }

    /// Judges every line: JSON, UTF-8, seals, limits. Bounded memory, any size.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn verify(&self) -> Result<Report> {
        let report = self.run(
            &self.bytes,
            |chunk, report| {
                let mut parser = Parser::new(self.rules()).for_chunk(chunk.bytes);
                self.each_line(chunk, report, |raw, number, report| {
                    parser.judge(raw, chunk.offset, number, report);
                });
            },
            |(), _| ControlFlow::Continue(()),
        )?;
        self.accept(report)
    }

    /// [`verify`](Self::verify) that believes a good seal and doesn't look at the JSON behind it: several
    /// times as fast on a sealed log. Lines without a seal are judged in full.
    ///
    /// Only this crate's writers make sure that what they seal is JSON; for a log that somebody else sealed use
    /// `verify`.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn verify_seals(&self) -> Result<Report> {
        let report = self.run(
            &self.bytes,
            |chunk, report| {
                let mut parser = Parser::new(self.rules()).for_chunk(chunk.bytes).trusting_seals();
                self.each_line(chunk, report, |raw, number, report| {
                    parser.judge(raw, chunk.offset, number, report);
                });
            },
            |(), _| ControlFlow::Continue(()),
        )?;
        self.accept(report)
    }

    /// Calls `work` with each chunk of whole lines, on several threads, and `consume` with the results, on the
    /// caller's thread and in the order of the file, together with the number of the chunk's first line (from
    /// 1). For anything that looks at lines before, or instead of, parsing them.
    ///
    /// A line above the limit of which the end isn't in the 512 KiB that are read at once is in no chunk; the report has it. A shorter one, where
    /// the limit is below that, is in its chunk like any line. Nothing else is judged: the report holds only the former, the number of
    /// lines and missing bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when reading fails.
    pub fn chunks<R: Send>(
        &self,
        work: impl Fn(Chunk<'_>) -> R + Sync,
        mut consume: impl FnMut(R, u64) -> ControlFlow<()>,
    ) -> Result<Report> {
        self.run(
            &self.bytes,
            |chunk, report| {
                report.lines += line::count_lines(chunk.bytes);
                self.account_for_the_rest(chunk, report);
                work(*chunk)
            },
            |result, report| consume(result, report.lines + 1),
        )
    }

    /// [`chunks`](Self::chunks) for a search: `work` is called with the lines of a chunk that could hold a text in one of their
    /// strings. About as fast as a search for bytes, and nothing is missed that a writer has escaped.
    ///
    /// Not all candidates hold the text; [`scan::visit`](crate::scan::visit) goes through the strings of one, and
    /// [`scan::unescape`](crate::scan::unescape) says what they say.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use jsonl_core::ReadOptions;
    /// use jsonl_core::scan::{self, Prefilter};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("log.jsonl");
    /// std::fs::write(&path, "{\"text\":\"a/b\"}\n{\"text\":\"a\\/b\"}\n{\"text\":\"ab\"}\n")?;
    /// let mut lines = Vec::new();
    /// ReadOptions::new().open(&path)?.candidates(
    ///     &Prefilter::new("a/b"),
    ///     |candidates| {
    ///         let says = |line| scan::string_member(line, "text").is_some_and(|text| text == "a/b");
    ///         candidates.filter(|candidate| says(candidate.bytes)).map(|candidate| candidate.line).collect()
    ///     },
    ///     |found: Vec<u64>, first| {
    ///         lines.extend(found.iter().map(|line| first + line));
    ///         ControlFlow::Continue(())
    ///     },
    /// )?;
    /// assert_eq!(lines, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`chunks`](Self::chunks).
    pub fn candidates<R: Send>(
        &self,
        prefilter: &Prefilter,
        work: impl Fn(&mut Candidates<'_>) -> R + Sync,
        mut consume: impl FnMut(R, u64) -> ControlFlow<()>,
    ) -> Result<Report> {
        self.run(
            &self.bytes,
            |chunk, report| {
                let mut candidates = prefilter.candidates(chunk.bytes, chunk.offset);
                let result = work(&mut candidates);
                report.lines += candidates.count_lines();
                self.account_for_the_rest(chunk, report);
                result
            },
            |result, report| consume(result, report.lines + 1),
        )
    }

    /// [`chunks`](Self::chunks) for work that can fail: the first failure, in the order of the file, ends it, and is returned.
    ///
    /// # Errors
    ///
    /// As [`chunks`](Self::chunks), and what `work` returns.
    pub fn try_chunks<R: Send, E: From<Error> + Send>(
        &self,
        work: impl Fn(Chunk<'_>) -> Result<R, E> + Sync,
        mut consume: impl FnMut(R, u64),
    ) -> Result<Report, E> {
        let mut failure = None;
        let report = self.chunks(work, |result, line| match result {
            Ok(result) => {
                consume(result, line);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failure.map_or(Ok(report), Err)
    }

    /// Whether all bytes were there that a report is about: for whoever can't go on without them.
    ///
    /// # Errors
    ///
    /// [`Error::Shrunk`] where somebody shortened the file meanwhile.
    pub fn require_whole(&self, report: &Report) -> Result<()> {
        match report.bytes.missing {
            0 => Ok(()),
            missing => Err(Error::Shrunk { path: self.path.clone(), missing }),
        }
    }

    /// The last `count` records, in the order of the file, without reading what is before them.
    ///
    /// The report covers what was read: from the first of these records to the end. Line numbers are not known.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn tail<T: DeserializeOwned>(&self, count: usize) -> Result<Loaded<T>> {
        let mut len = self.len();
        loop {
            match (self.tail_of(len, count), self.options.mode) {
                // Somebody shortened the file: what is left of it has an end, too.
                (Err(Error::Shrunk { missing, .. }), RecoveryMode::SkipCorrupt) => {
                    len = len.saturating_sub(missing.max(1)).max(self.start);
                }
                (tail, _) => return tail,
            }
        }
    }

    fn tail_of<T: DeserializeOwned>(&self, len: u64, count: usize) -> Result<Loaded<T>> {
        let mut report = Report::new(0, self.options.damages);
        let mut parser = Parser::new(self.rules());
        let mut records = Vec::new();
        let mut salvaged = Vec::new();
        let mut start = len;
        let mut lines = Lines::new(self, self.rules(), self.start, len);
        while records.len() < count {
            let Some(line) = lines.next_back().transpose()? else { break };
            start = line.offset;
            report.lines += 1;
            if line.is_cut() {
                parser.long_line(&line.as_long(), 0, &mut report);
                continue;
            }
            let raw = RawLine { offset: 0, bytes: &line.bytes, terminated: line.terminated };
            parser.owned(raw, line.offset, 0, &mut report, |typed| match typed {
                Typed::Record(record) => records.push(record.value),
                Typed::Salvaged(span, record) => {
                    salvaged.push(Salvaged { span, index: records.len(), record });
                }
            });
        }
        report.start = start;
        report.bytes.missing = self.len() - len;
        report.reverse();
        records.reverse();
        salvaged.reverse();
        for salvaged in &mut salvaged {
            salvaged.index = records.len() - salvaged.index;
        }
        Ok(Loaded { records, salvaged, report: self.accept(report)? })
    }

    /// A cursor behind the last complete line: what is appended later begins there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the end of the file can't be read.
    pub fn end(&self) -> Result<Cursor> {
        Cursor::behind(self, None)
    }

    /// A cursor at `offset`, which has to be the beginning of a line: what a [`Line`](crate::Line)'s `end` says.
    ///
    /// # Errors
    ///
    /// [`Error::StaleCursor`] where no line begins at `offset`; [`Error::Io`] when it can't be read.
    pub fn cursor_at(&self, offset: u64) -> Result<Cursor> {
        Cursor::behind(self, Some(offset))
    }

    /// Reads the bytes of a span, such as a salvaged record.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when reading fails, [`Error::Shrunk`] when the file doesn't reach that far (any more).
    pub fn read(&self, span: Span) -> Result<Vec<u8>> {
        let shrunk = |missing| Error::Shrunk { path: self.path.clone(), missing };
        let end = span.offset.saturating_add(span.len);
        if end > self.len() {
            return Err(shrunk(end - self.len()));
        }
        let (from, len) = (span.offset, span.len as usize);
        match &self.bytes {
            Bytes::File { file, .. } => {
                let mut buffer = Buffer::default();
                let got = buffer.fill(file, from, len).map_err(Error::io("read", &self.path))?;
                match got {
                    _ if got < len => Err(shrunk((len - got) as u64)),
                    // What is copied needs as much memory again, which takes longer than copying.
                    COPIED_MAX.. => {
                        let mut bytes = buffer.into_vec();
                        bytes.shrink_to_fit();
                        Ok(bytes)
                    }
                    _ => Ok(buffer.to_vec()),
                }
            }
            bytes => {
                let lines = bytes.as_slice().unwrap_or_default();
                let tail = bytes.tail().map_or(&[][..], |tail| &tail.bytes);
                let all = lines.iter().chain(tail).copied();
                let found: Vec<u8> = all.skip(from as usize).take(len).collect();
                if found.len() < len { Err(shrunk((len - found.len()) as u64)) } else { Ok(found) }
            }
        }
    }

    /// Reads as many bytes from an offset on as there is room for: for reading one piece after the other into the same memory. After an error,
    /// `bytes` may hold anything.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_exact_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let Bytes::File { file, .. } = &self.bytes else {
            bytes.copy_from_slice(&self.read(Span { offset, len: bytes.len() as u64 })?);
            return Ok(());
        };
        let shrunk = |missing| Error::Shrunk { path: self.path.clone(), missing };
        let end = offset.saturating_add(bytes.len() as u64);
        if end > self.len() {
            return Err(shrunk(end - self.len()));
        }
        let (got, outcome) = read_all_at(file, bytes, offset);
        outcome.map_err(self.io("read"))?;
        if got < bytes.len() { Err(shrunk((bytes.len() - got) as u64)) } else { Ok(()) }
    }

    pub(crate) fn rules(&self) -> Rules {
        self.options.rules
    }

    pub(crate) fn io<'a>(&'a self, action: &'static str) -> impl Fn(std::io::Error) -> Error + 'a {
        Error::io(action, &self.path)
    }

    /// The complete lines as one slice: the map, or a copy made now.
    fn in_memory(&self) -> Result<&Bytes> {
        let Bytes::File { file, len } = &self.bytes else { return Ok(&self.bytes) };
        if let Some(memory) = self.memory.get() {
            return Ok(memory);
        }
        let mut buffer = Buffer::default();
        let len = usize::try_from(*len).map_err(io::Error::other).map_err(self.io("keep in memory"))?;
        buffer.fill(file, 0, len).map_err(self.io("read"))?;
        let mut lines = buffer.into_vec();
        let complete = memchr::memrchr(b'\n', &lines).map_or(0, |at| at + 1);
        let tail = lines.split_off(complete);
        let tail = Tail { len: tail.len() as u64, bytes: tail };
        Ok(self.memory.get_or_init(|| Bytes::Memory { lines, tail }))
    }

    /// Applies the recovery mode.
    fn accept(&self, report: Report) -> Result<Report> {
        // A mismatch is no damage, and a caller who asks for a type sees it in the report.
        let accepted = |kind, terminated: bool| match (self.options.mode, kind) {
            (RecoveryMode::SkipCorrupt, _) | (_, DamageKind::Mismatch) => true,
            (RecoveryMode::TolerateCorruptTail, DamageKind::Torn | DamageKind::NulRun) => true,
            (RecoveryMode::TolerateCorruptTail, _) => !terminated,
            (RecoveryMode::AbsoluteConsistency, _) => false,
        };
        if self.options.mode != RecoveryMode::SkipCorrupt {
            self.require_whole(&report)?;
        }
        match report.first_damage(accepted) {
            None => Ok(report),
            Some(damage) => Err(Error::Damaged { path: self.path.clone(), damage: Box::new(damage) }),
        }
    }

    fn parse_chunk<T: DeserializeOwned>(
        &self,
        chunk: &Chunk<'_>,
        report: &mut Report,
        mut each: impl FnMut(Typed<'_, T>),
    ) {
        let mut parser = Parser::new(self.rules()).for_chunk(chunk.bytes);
        self.each_line(chunk, report, |raw, number, report| {
            parser.owned(raw, chunk.offset, number, report, &mut each);
        });
    }

    /// Calls `each` for the lines of a chunk with their number in it, from 1, and accounts for the rest.
    fn each_line<'a>(
        &self,
        chunk: &Chunk<'a>,
        report: &mut Report,
        mut each: impl FnMut(RawLine<'a>, u64, &mut Report),
    ) {
        for raw in line::lines(chunk.bytes) {
            report.lines += 1;
            let number = report.lines;
            each(raw, number, report);
        }
        self.account_for_the_rest(chunk, report);
    }

    pub(crate) fn add_progress(&self, report: &Report, chunk: &Chunk<'_>) {
        if let Some(progress) = &self.options.progress {
            progress.fetch_add(report.bytes.sum().max(chunk.bytes.len() as u64), Ordering::Relaxed);
        }
    }

    fn account_for_the_rest(&self, chunk: &Chunk<'_>, report: &mut Report) {
        if let Some(long) = &chunk.long {
            report.lines += 1;
            let number = report.lines;
            Parser::new(self.rules()).long_line(long, number, report);
        }
        report.bytes.missing += chunk.missing;
    }
}

/// Appends without copying what comes first: of a small log that is all.
fn gather<T>(records: &mut Vec<T>, found: Vec<T>) {
    if records.is_empty() {
        *records = found;
    } else {
        records.extend(found);
    }
}

impl<'a> Chunk<'a> {
    /// The lines of the chunk; offsets count from [`Chunk::offset`].
    #[must_use]
    pub fn lines(&self) -> line::RawLines<'a> {
        line::lines(self.bytes)
    }
}
