//! Takes out of a log what is not a record, and keeps it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::durability::{Durability, sync_folder_of};
use crate::error::{Error, Result};
use crate::line::RawLine;
use crate::lock::{self, beside, owner_only};
use crate::parse::Parser;
use crate::read_options::ReadOptions;
use crate::reader::Log;
use crate::report::{DamageKind, Report, Span};
use crate::salvage;
use crate::source::{Buffer, Bytes, Ranges};
use crate::verdict::{self, Rules, Seals, Verdict};
use crate::writer::WriteOptions;

/// An object or a list that is a record shows that a file is a log, whatever becomes of so many lines.
const RECORDS_WORTH: u64 = 10;

/// How to repair a log.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log.jsonl");
/// std::fs::write(&path, "{\"n\":1}\nnonsense\n{\"n\":2}\n")?;
/// let repaired = jsonl_core::RepairOptions::new().repair(&path)?;
/// assert_eq!(repaired.removed_len, 9);
/// assert_eq!(std::fs::read_to_string(&path)?, "{\"n\":1}\n{\"n\":2}\n");
/// let kept = repaired.kept_in.ok_or("something was removed")?;
/// assert_eq!(std::fs::read_to_string(kept)?, "nonsense\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RepairOptions {
    dry_run: bool,
    salvage: bool,
    mostly_damaged: bool,
    wait: Duration,
    /// The limits by which lines are judged, and who watches.
    read: ReadOptions,
}

/// What a repair did, or would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Repaired {
    /// What was found before.
    pub report: Report,
    /// Bytes that were taken out.
    pub removed_len: u64,
    /// The file beside the log that has them, in the order of the log; `None` if nothing was taken out, or in
    /// a dry run.
    pub kept_in: Option<PathBuf>,
    /// Records out of damaged lines that were put in their place.
    pub salvaged: u64,
    /// The last record got the newline that it lacked.
    pub terminated: bool,
}

impl Repaired {
    /// Whether there was anything to do.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.removed_len > 0 || self.terminated
    }
}

impl Default for RepairOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RepairOptions {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        let read = ReadOptions::new().threads(1);
        Self { dry_run: false, salvage: false, mostly_damaged: false, wait: Duration::from_secs(10), read }
    }

    /// Only say what would be done. Takes no lock. By default it is done.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Whether complete records found inside damaged lines (the first 64 of each) take the lines'
    /// place. By default they are only reported: whether they were ever whole is for somebody who knows the
    /// records to say.
    #[must_use]
    pub fn salvage(mut self, salvage: bool) -> Self {
        self.salvage = salvage;
        self
    }

    /// Whether to repair a file of which hardly a line (one in eleven) is a record, or what a crash or an accident leaves of one.
    /// By default it is taken for something else than a log, and left alone: [`Error::NotALog`].
    #[must_use]
    pub fn mostly_damaged(mut self, mostly_damaged: bool) -> Self {
        self.mostly_damaged = mostly_damaged;
        self
    }

    /// How long to wait for a lock that somebody else has. By default 10 seconds.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The longest line that counts as a record, in bytes. By default 16 MiB.
    #[must_use]
    pub fn max_line_len(mut self, len: usize) -> Self {
        self.read = self.read.max_line_len(len);
        self
    }

    /// The deepest nesting that counts as a record; never more than
    /// [`NESTING_MAX`](crate::scan::NESTING_MAX). By default 128.
    #[must_use]
    pub fn max_nesting(mut self, levels: usize) -> Self {
        self.read = self.read.max_nesting(levels);
        self
    }

    /// What is asked of checksums. [`Seals::Ignore`] for a foreign log whose own last member happens to look like
    /// one. By default [`Seals::Check`].
    #[must_use]
    pub fn seals(mut self, seals: Seals) -> Self {
        self.read = self.read.seals(seals);
        self
    }

    /// A counter to which the bytes that are done with are added, for somebody to watch; a repair goes over the
    /// log twice, a dry run once. By default none.
    #[must_use]
    pub fn progress(mut self, bytes_done: Arc<AtomicU64>) -> Self {
        self.read = self.read.progress(bytes_done);
        self
    }

    /// Repairs the log at `path`: lines that are not records, blank ones too, are taken out, and records stay
    /// as they are, byte for byte.
    ///
    /// What is taken out is in a file beside the log (0600), on the device before the log is replaced. A log that
    /// needs nothing is not touched. A crash leaves the old log or the new one, and at worst a file with
    /// bytes that were not taken out after all.
    ///
    /// Programs that respect no lock have to be stopped first: what they go on writing, they write into the file
    /// that was replaced.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if somebody writes; [`Error::NotALog`]; [`Error::Io`], [`Error::NotAFile`]. The log is then as it was. Only when
    /// the folder can't be synced after the replacement, the log is repaired, the file beside it is there, and a
    /// power cut may undo the first of the two.
    pub fn repair(&self, path: impl AsRef<Path>) -> Result<Repaired> {
        let path = path.as_ref();
        if self.dry_run {
            let log = self.read.open(path)?;
            let mut found = Found::default();
            let report = self.sort_out(&log, &mut found, &mut |_| Ok(()))?;
            self.check_is_log(path, &report, found.containers)?;
            return Ok(found.into_repaired(report));
        }
        let writer =
            WriteOptions::new().wait(self.wait).max_line_len(self.rules().max_line_len).program("repair");
        let writer = writer.open(path)?;
        let path = writer.path();
        // Looked at under the lock: what was in flight before is complete now, or never will be.
        let log = self.read.open(path)?;
        let mut found = Found::default();
        let report = self.sort_out(&log, &mut found, &mut |_| Ok(()))?;
        self.check_is_log(path, &report, found.containers)?;
        if found.removed_len == 0 {
            if found.terminated {
                // A log grows at its end: a newline is all that it lacks.
                writer.terminate()?;
            }
            writer.close()?;
            return Ok(found.into_repaired(report));
        }
        let (kept_in, removed) = new_beside(path)?;
        let kept = Some(Kept { path: kept_in.clone(), file: BufWriter::new(removed) });
        let mut done = Found { kept, ..Found::default() };
        let mut report = Report::default();
        let replaced = writer.rewrite(|new| {
            report = self.sort_out(&log, &mut done, &mut |line| new.verbatim(line))?;
            done.sync_kept()
        });
        if let Err(error) = replaced {
            // If the new log is in its place already, this is the only copy of what was taken out.
            if lock::found_at(path, log.identity).is_some() {
                let _ = fs::remove_file(&kept_in);
            }
            return Err(error);
        }
        writer.close()?;
        let mut repaired = done.into_repaired(report);
        repaired.kept_in = Some(kept_in);
        Ok(repaired)
    }

    /// Somebody may have named another file by mistake, of which nothing would stay.
    fn check_is_log(&self, path: &Path, report: &Report, containers: u64) -> Result<()> {
        // What can't be the remains of a record that was written into the file once.
        let foreign =
            [DamageKind::Malformed, DamageKind::InvalidUtf8, DamageKind::TooLong, DamageKind::TooDeep];
        let others: u64 = foreign.iter().map(|kind| report.count(*kind)).sum();
        // Nobody else writes a line with whole records inside. Of those that are not described, as many are.
        let fused = report.damages.iter().filter(|damage| !damage.salvage.is_empty()).count() as u64;
        let described = report.damages.len().max(1) as u64;
        let fused = fused * report.damaged().max(described) / described;
        let records = report.records + fused;
        // A document that was written over several lines has lines that are a number or a string.
        let scalars = report.records - containers;
        if self.mostly_damaged || others <= RECORDS_WORTH * (containers + fused) + scalars {
            return Ok(());
        }
        Err(Error::NotALog { path: path.to_owned(), records, others })
    }

    fn rules(&self) -> Rules {
        self.read.rules()
    }

    /// Puts every line where it belongs.
    fn sort_out(&self, log: &Log, found: &mut Found, keep: Keep<'_>) -> Result<Report> {
        let mut total = Report::default();
        let mut buffer = Buffer::default();
        let ranges = Ranges::new(&log.bytes, 0, self.rules().max_line_len);
        for index in 0..ranges.count() {
            let chunk = ranges.chunk(index, &mut buffer).map_err(log.io("read"))?;
            if chunk.missing > 0 {
                return Err(Error::Shrunk { path: log.path().to_owned(), missing: chunk.missing });
            }
            let mut parser = Parser::new(self.rules()).for_chunk(chunk.bytes);
            let mut report = Report::default();
            for raw in chunk.lines() {
                report.lines += 1;
                parser.judge(raw, chunk.offset, report.lines, &mut report);
                self.place(raw, chunk.offset, found, keep)?;
            }
            if let Some(long) = &chunk.long {
                report.lines += 1;
                parser.long_line(long, report.lines, &mut report);
                let len = long.len + u64::from(long.terminated);
                found.remove_span(log, Span { offset: long.offset, len })?;
            }
            log.add_progress(&report, &chunk);
            total.append(report);
        }
        Ok(total)
    }

    fn place(&self, raw: RawLine<'_>, base: u64, found: &mut Found, keep: Keep<'_>) -> Result<()> {
        let at_start = base == 0 && raw.offset == 0;
        if let Verdict::Record { .. } = verdict::judge_by(raw.bytes, at_start, &self.rules()) {
            found.terminated |= !raw.terminated;
            let text = verdict::text_of(raw.bytes, at_start);
            found.containers += u64::from(matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')));
            // A byte order mark is no part of the record, and strict readers stumble over it.
            let mark = &raw.bytes[..raw.bytes.len() - text.len()];
            found.removed_len += mark.len() as u64;
            found.store(mark)?;
            return keep(text);
        }
        found.remove(raw)?;
        if self.salvage {
            for range in salvage::find(raw.bytes, self.rules().max_nesting, self.rules().seals) {
                found.salvaged += 1;
                keep(&raw.bytes[range])?;
            }
        }
        Ok(())
    }
}

/// Takes what belongs in the new log.
type Keep<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// What does not belong there, and the file that gets it, if any.
#[derive(Default)]
struct Found {
    kept: Option<Kept>,
    removed_len: u64,
    salvaged: u64,
    terminated: bool,
    /// Records that are objects or lists.
    containers: u64,
}

/// Where it is kept.
struct Kept {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Found {
    fn remove(&mut self, raw: RawLine<'_>) -> Result<()> {
        self.removed_len += raw.len() as u64;
        let newline = if raw.terminated { &b"\n"[..] } else { b"" };
        self.store(raw.bytes)?;
        self.store(newline)
    }

    fn remove_span(&mut self, log: &Log, span: Span) -> Result<()> {
        self.removed_len += span.len;
        let Bytes::File { file, .. } = &log.bytes else { return Ok(()) };
        if self.kept.is_none() {
            return Ok(());
        }
        let mut window = Buffer::default();
        let mut done = 0;
        while done < span.len {
            window.clear();
            let got = window.fill(file, span.offset + done, (span.len - done).min(1 << 20) as usize);
            match got.map_err(log.io("read"))? {
                0 => return Err(Error::Shrunk { path: log.path().to_owned(), missing: span.len - done }),
                got => done += got as u64,
            }
            self.store(&window)?;
        }
        Ok(())
    }

    fn store(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        kept.file.write_all(bytes).map_err(Error::io("write", &kept.path))
    }

    fn sync_kept(&mut self) -> Result<()> {
        let Some(Kept { path, file }) = &mut self.kept else { return Ok(()) };
        file.flush()
            .and_then(|()| Durability::SyncAll.apply(file.get_ref()))
            .map_err(Error::io("write", path))?;
        sync_folder_of(path).map_err(Error::io("sync the folder of", path))
    }

    fn into_repaired(self, report: Report) -> Repaired {
        Repaired {
            report,
            removed_len: self.removed_len,
            kept_in: None,
            salvaged: self.salvaged,
            terminated: self.terminated,
        }
    }
}

/// A new file beside the log: `log.jsonl.removed-1`, or the next number that is free.
fn new_beside(log: &Path) -> Result<(PathBuf, File)> {
    let mut number = 1_u64;
    loop {
        let path = beside(log, &format!(".removed-{number}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        owner_only(&mut options);
        match options.open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(Error::io("create", &path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_has_to_be_on_the_device_before_the_log_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        File::create(&path).unwrap();
        // It can't be written to.
        let kept = Kept { path: path.clone(), file: BufWriter::new(File::open(&path).unwrap()) };
        let mut found = Found { kept: Some(kept), ..Found::default() };
        found.store(b"x\n").unwrap();
        assert!(found.sync_kept().is_err());
        assert!(new_beside(&folder.path().join("missing/log.jsonl")).is_err());
        assert_eq!(new_beside(&path).unwrap().0, folder.path().join("kept.removed-1"));
        assert_eq!(new_beside(&path).unwrap().0, folder.path().join("kept.removed-2"));
    }

    #[test]
    fn a_log_that_becomes_shorter_while_it_is_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        fs::write(&path, b"1\n2\n3\n").unwrap();
        let options = RepairOptions::new();
        let log = options.read.open(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(2).unwrap();
        let sorted = options.sort_out(&log, &mut Found::default(), &mut |_| Ok(()));
        assert!(matches!(sorted, Err(Error::Shrunk { missing: 4, .. })), "{sorted:?}");
        // Also in the middle of a line that is too long to be in a chunk.
        let kept = Kept {
            path: path.clone(),
            file: BufWriter::new(File::create(folder.path().join("kept")).unwrap()),
        };
        let mut found = Found { kept: Some(kept), ..Found::default() };
        let removed = found.remove_span(&log, Span { offset: 1, len: 5 });
        assert!(matches!(removed, Err(Error::Shrunk { missing: 4, .. })), "{removed:?}");
    }
}
