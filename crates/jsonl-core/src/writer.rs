//! Appends: one, many, and from many threads at once.
//!
//! Every append is **one** `write`, whatever its size, under the lock. Before it, the writer looks at the last
//! byte of the file: if that is not a newline, a writer died (or a foreign one is still at it), and the new
//! record goes out as newline + record + newline. Nothing is glued, nothing is cut off. The look is skipped
//! when the file is exactly as long as this writer left it.
//!
//! A failed write or sync poisons the handle. After a failed `fsync` the kernel forgets the error, and the
//! next one reports success for bytes that never reached the disk; so nothing more is acknowledged until the
//! log has been reopened and looked at again.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::batch::{Batch, Failure};
use crate::checksum::{self, Seal};
use crate::cursor::Identity;
use crate::durability::{Durability, sync_folder_of};
use crate::encode::{Pieces, write_json};
use crate::error::{Error, Result};
use crate::group::GroupCommit;
use crate::lock::{self, Gate, Note};
use crate::mutex::Mutex;
use crate::reader::{Log, refuse_others};
use crate::replace::{self, Replacement};
use crate::report::{DamageKind, Span};
use crate::scan;
use crate::source::Buffer;
use crate::verdict::{self, Rules, Verdict};

/// The most that Linux takes in one `write`; other systems take about as much.
const WRITE_MAX: usize = 0x7FFF_F000;

/// A name that is made and removed faster than it can be opened is given up after so many tries.
const OPEN_TRIES: usize = 100;

/// A handle that holds the lock looks so seldom, between syncs, whether the path still leads to its file:
/// looking costs as much as writing a small record. Only a program that respects no lock can change that.
const LOOK_EVERY: u32 = 64;

/// Bytes that are copied at a time.
const COPY_LEN: u64 = 1 << 20;

/// For how long a writer keeps the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Locking {
    /// From opening to closing: nobody else writes. The fastest, and what a store with state in memory needs.
    /// Should a program that respects no lock replace the file all the same, that is noticed at the next sync or
    /// close, or after 64 buffered appends. The default.
    #[default]
    Held,
    /// For each append: many processes share the log, and each finds it again if one of them replaces it.
    PerAppend,
}

/// How to open a log for writing.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log.jsonl");
/// use jsonl_core::{Durability, WriteOptions};
///
/// let log = WriteOptions::new().create(true).checksum(true).durability(Durability::SyncData).open(&path)?;
/// let first = log.append(&serde_json::json!({"role": "user", "content": "hi"}))?;
/// assert_eq!(first.offset, 0);
/// log.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WriteOptions {
    create: bool,
    checksum: bool,
    durability: Durability,
    pub(crate) locking: Locking,
    wait: Duration,
    max_line_len: usize,
    program: Option<String>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl WriteOptions {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        Self {
            create: false,
            checksum: false,
            durability: Durability::default(),
            locking: Locking::default(),
            wait: Duration::from_secs(10),
            max_line_len: crate::MAX_LINE_LEN,
            program: None,
        }
    }

    /// Whether a log that isn't there is made, readable by its owner only. By default it is an error.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether records are sealed with a [checksum](crate::checksum). By default not.
    #[must_use]
    pub fn checksum(mut self, checksum: bool) -> Self {
        self.checksum = checksum;
        self
    }

    /// How far an append has travelled when it returns. By default [`Durability::SyncData`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// For how long the lock is kept. By default [`Locking::Held`].
    #[must_use]
    pub fn locking(mut self, locking: Locking) -> Self {
        self.locking = locking;
        self
    }

    /// How long to wait for a lock that somebody else has. Zero tries once; `Duration::MAX` waits for ever.
    /// By default 10 seconds.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The longest line that is written, in bytes without its newline, with its seal. Give readers the same
    /// limit. By default [`MAX_LINE_LEN`](crate::MAX_LINE_LEN), 16 MiB.
    #[must_use]
    pub fn max_line_len(mut self, len: usize) -> Self {
        self.max_line_len = len;
        self
    }

    /// The name by which others are told who holds the lock. By default that of the process, where the system
    /// tells it.
    #[must_use]
    pub fn program(mut self, name: impl Into<String>) -> Self {
        self.program = Some(name.into());
        self
    }

    /// Opens the log for appending. With [`Locking::Held`], the lock is taken now.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if somebody else kept the lock all the time, with who it is; [`Error::NotAFile`];
    /// [`Error::Io`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Writer> {
        let path = resolve(path.as_ref())?;
        let gate = Gate::open(&path)?;
        let (file, is_new) = self.open_file(&path)?;
        let mut disk = Disk::new(file, gate, is_new, &path)?;
        if is_new && self.durability != Durability::Buffer {
            // Now, when nothing has been written yet that would be left behind by a failure.
            disk.sync_name(&path).map_err(|failure| failure.into_error(&path))?;
        }
        if self.locking == Locking::Held {
            disk.lock(&path, self)?;
            disk.note = Note::leave(&path, self.program.as_deref());
        }
        Ok(Writer { path, options: self.clone(), disk: Mutex::new(disk), group: GroupCommit::default() })
    }

    /// The file, and whether it was made just now.
    fn open_file(&self, path: &Path) -> Result<(File, bool)> {
        for _ in 0..OPEN_TRIES {
            let mut options = OpenOptions::new();
            options.read(true).append(true);
            let is_new = match fs::metadata(path) {
                Ok(metadata) => {
                    refuse_others(path, &metadata)?;
                    false
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.create => {
                    // `create_new` follows no link, and tells a new file from one that somebody just made.
                    options.create_new(true);
                    lock::owner_only(&mut options);
                    true
                }
                Err(error) => return Err(Error::io("open", path)(error)),
            };
            match options.open(path) {
                Ok(file) => {
                    let metadata = file.metadata().map_err(Error::io("look at", path))?;
                    refuse_others(path, &metadata)?;
                    if is_new {
                        give_to_owner(&file).map_err(Error::io("set the mode of", path))?;
                    }
                    return Ok((file, is_new));
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {}
                Err(error) => return Err(Error::io("open", path)(error)),
            }
        }
        let source = io::Error::new(io::ErrorKind::NotFound, "the name leads to nothing that stays");
        Err(Error::io("open", path)(source))
    }
}

/// By our hand, because a umask may have taken even the owner's bits.
#[cfg(unix)]
fn give_to_owner(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn give_to_owner(_file: &File) -> io::Result<()> {
    Ok(())
}

/// The path without links, so that a rename replaces the log and not a link to it.
fn resolve(path: &Path) -> Result<PathBuf> {
    for _ in 0..OPEN_TRIES {
        match fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            resolved => return resolved.map_err(Error::io("open", path)),
        }
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => break,
            // Somebody has made it just now.
            Ok(_) => continue,
            Err(_) => {}
        }
        // There is no such file yet, but its folder has to be there.
        let Some(name) = path.file_name() else { break };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return Ok(fs::canonicalize(folder).map_err(Error::io("open", path))?.join(name));
    }
    let source = io::Error::new(io::ErrorKind::NotFound, "there is nothing where the link leads");
    Err(Error::io("open", path)(source))
}

/// Where an appended record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// Offset of its line in the file.
    pub offset: u64,
    /// Bytes of the line, with its newline.
    pub len: u64,
}

/// A log, open for appending. All methods take `&self`: share it between threads.
#[derive(Debug)]
pub struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) options: WriteOptions,
    pub(crate) disk: Mutex<Disk>,
    group: GroupCommit<Batch, Result<u64, Failure>>,
}

/// The file, and what is known about it.
#[derive(Debug)]
pub(crate) struct Disk {
    // Before the file: when both are dropped, the note has to go while the lock is still held.
    note: Option<Note>,
    pub(crate) file: Arc<File>,
    pub(crate) identity: Identity,
    pub(crate) gate: Gate,
    /// The file ends here, with a newline, unless somebody else has written.
    pub(crate) known_end: Option<u64>,
    pub(crate) is_poisoned: bool,
    name_is_synced: bool,
    /// This handle made the file.
    is_new: bool,
    /// Buffered appends since it was looked whether the path still leads to the file.
    unlooked: u32,
}

thread_local! {
    /// Space for a line, taken while it is made. A `Serialize` that appends in turn finds an empty one.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Space above this is given back.
const SCRATCH_MAX: usize = 1 << 20;

/// Space for lines. Its first byte is a newline, which is written only where the file's last byte is none.
pub(crate) fn with_scratch<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut bytes = SCRATCH.take();
    bytes.clear();
    bytes.push(b'\n');
    let result = work(&mut bytes);
    if bytes.capacity() <= SCRATCH_MAX {
        SCRATCH.set(bytes);
    }
    result
}

impl Writer {
    /// The path of the log, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a record. On return it is as durable as the options say.
    ///
    /// Threads that append with a sync at the same time share one. Where several do so one record after the other, who is first waits a little for those
    /// who have just been told of theirs: half as long as their batch took at most, and 10 ms ([`GroupCommit`]).
    ///
    /// # Errors
    ///
    /// [`Error::Encode`], [`Error::TooLong`] and [`Error::NotAnObject`] (for a sealed log) before anything is
    /// written; [`Error::Busy`], [`Error::Replaced`]; [`Error::Io`] when writing or syncing failed: the record may
    /// or may not be there, and every later call returns [`Error::Poisoned`].
    pub fn append<T: Serialize + ?Sized>(&self, record: &T) -> Result<Appended> {
        self.append_with(record, self.options.durability)
    }

    /// [`append`](Self::append) with another durability than the options'.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn append_with<T: Serialize + ?Sized>(&self, record: &T, durability: Durability) -> Result<Appended> {
        self.submit_one(durability, |bytes| self.encode(record, bytes))
    }

    /// Appends records with one write and one sync, next to each other. A crash can leave the first few of
    /// them, each whole.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append). A record that can't be written leaves all of them unwritten.
    pub fn append_all<T: Serialize>(&self, records: impl IntoIterator<Item = T>) -> Result<Vec<Appended>> {
        self.submit_all(records, |record, bytes| self.encode(&record, bytes))
    }

    /// Appends a line as it is, byte for byte, if it is one JSON value without a newline. In a sealed log it gets a
    /// seal, unless it has a good one; white space around it is then left out.
    ///
    /// # Errors
    ///
    /// [`Error::NotJson`] where it isn't; else as [`append`](Self::append).
    pub fn append_raw(&self, line: &[u8]) -> Result<Appended> {
        self.submit_one(self.options.durability, |bytes| self.encode_raw(line, bytes))
    }

    /// [`append_raw`](Self::append_raw) for many lines, with one write and one sync.
    ///
    /// # Errors
    ///
    /// As [`append_raw`](Self::append_raw). A line that can't be written leaves all of them unwritten.
    pub fn append_raw_all<'a>(&self, lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Appended>> {
        self.submit_all(lines, |line, bytes| self.encode_raw(line, bytes))
    }

    /// Carries everything that was appended so far to the device, whatever durability it was appended with. Waits for a batch that is under way.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and the handle is poisoned; [`Error::Poisoned`]; [`Error::Replaced`].
    pub fn sync(&self) -> Result<()> {
        let file = {
            let disk = self.disk.lock();
            self.check(&disk)?;
            Arc::clone(&disk.file)
        };
        // One sync at a time: the kernel tells of a failure once, and whoever hears of it has to be the one who
        // poisons the handle before anybody else's sync succeeds.
        let synced = self.group.alone(|| self.sync_file(&file, Durability::SyncData));
        synced.map_err(|failure| failure.into_error(&self.path))
    }

    /// Gives the last record the newline that it lacks, if it does, and syncs.
    pub(crate) fn terminate(&self) -> Result<()> {
        self.write(b"\n", true)?;
        self.sync()
    }

    /// Gives up the lock and says whether all went well, which dropping can't.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`] if an earlier write or sync failed; [`Error::Replaced`] if the path no longer leads to
    /// what was written.
    pub fn close(self) -> Result<()> {
        let mut disk = self.disk.lock();
        self.check(&disk)?;
        disk.note = None;
        if self.options.locking == Locking::Held {
            lock::release(&disk.gate, &disk.file).map_err(Error::io("unlock", &self.path))?;
        }
        Ok(())
    }

    /// Replaces the log whole: `write` gives the new lines, and on return they are the log, synced, under the
    /// old mode and owner. After a crash there is either the old log or the new.
    ///
    /// The lock goes over to the new file without a gap, and this handle goes on with it. Left-over temporary
    /// files of killed replacements are removed. While `write` runs, other uses of this handle wait; so `write`
    /// must not use it itself.
    ///
    /// # Errors
    ///
    /// What `write` returns; [`Error::Io`], [`Error::Busy`]. The old log is then as it was. Only when the folder
    /// can't be synced is the new one in its place already, a power cut may undo that, and the handle is
    /// poisoned.
    pub fn rewrite(&self, write: impl FnOnce(&mut Rewrite<'_>) -> Result<()>) -> Result<()> {
        self.rewrite_with(write)
    }

    /// [`rewrite`](Self::rewrite) with a result and an error of the caller's.
    ///
    /// # Errors
    ///
    /// As [`rewrite`](Self::rewrite).
    pub fn rewrite_with<R, E: From<Error>>(
        &self,
        write: impl FnOnce(&mut Rewrite<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut disk = self.disk.lock();
        self.check(&disk)?;
        let per_append = self.options.locking == Locking::PerAppend;
        if per_append {
            disk.lock(&self.path, &self.options)?;
        }
        let replaced = self.rewrite_locked(&mut disk, write);
        if per_append {
            lock::release(&disk.gate, &disk.file).map_err(Error::io("unlock", &self.path))?;
        }
        replaced
    }

    fn rewrite_locked<R, E: From<Error>>(
        &self,
        disk: &mut Disk,
        write: impl FnOnce(&mut Rewrite<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        replace::remove_leftovers(&self.path)?;
        let old = disk.file.metadata().map_err(Error::io("look at", &self.path))?;
        let mut new = Replacement::begin(&self.path, Some(&old))?;
        // Locked before it has the name: nobody can come between. On Windows the lock is on another file.
        if cfg!(unix) {
            lock::acquire(&disk.gate, new.file(), &self.path, Duration::ZERO)?;
        }
        let result = write(&mut Rewrite { writer: self, new: &mut new, line: Vec::new(), offset: 0 })?;
        let replaced = new.commit()?;
        disk.move_to(replaced.file, false, &self.path)?;
        disk.name_is_synced = true;
        disk.is_poisoned = replaced.folder_synced.is_err();
        replaced.folder_synced?;
        Ok(result)
    }

    /// Whether the handle may still be used. One that locks for each append finds a replaced log again, and
    /// whoever replaced it has synced what was in it.
    pub(crate) fn check(&self, disk: &Disk) -> Result<()> {
        if disk.is_poisoned {
            return Err(Error::Poisoned { path: self.path.clone() });
        }
        if self.options.locking == Locking::Held && lock::found_at(&self.path, disk.identity).is_none() {
            return Err(Error::Replaced { path: self.path.clone() });
        }
        Ok(())
    }

    fn submit_one(
        &self,
        durability: Durability,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<u64>,
    ) -> Result<Appended> {
        let mut len = 0;
        let offset = self.submit(durability, |bytes| {
            len = encode(bytes)?;
            Ok(())
        })?;
        Ok(Appended { offset, len })
    }

    fn submit_all<T>(
        &self,
        records: impl IntoIterator<Item = T>,
        encode: impl Fn(T, &mut Vec<u8>) -> Result<u64>,
    ) -> Result<Vec<Appended>> {
        let mut lens = Vec::new();
        let mut next = self.submit(self.options.durability, |bytes| {
            records.into_iter().try_for_each(|record| {
                lens.push(encode(record, bytes)?);
                Ok(())
            })
        })?;
        let place = |len| {
            let offset = next;
            next += len;
            Appended { offset, len }
        };
        Ok(lens.into_iter().map(place).collect())
    }

    /// Makes lines and sends them on their way; returns where the first of them stands.
    fn submit(&self, durability: Durability, encode: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<u64> {
        with_scratch(|bytes| {
            encode(bytes)?;
            match durability {
                _ if bytes.len() == 1 => Ok(0),
                Durability::Buffer => {
                    self.fits(bytes).and_then(|()| self.write(bytes, false)).map(|(offset, _)| offset)
                }
                _ => self.fits(bytes).and_then(|()| self.submit_synced(&bytes[1..], durability)),
            }
        })
    }

    /// Whether one write can take it.
    pub(crate) fn fits(&self, bytes: &[u8]) -> Result<()> {
        if bytes.len() <= WRITE_MAX {
            return Ok(());
        }
        Err(Error::TooLong { path: self.path.clone(), len: bytes.len(), max: WRITE_MAX })
    }

    /// Without lines, what has been written before is synced.
    pub(crate) fn submit_synced(&self, lines: &[u8], durability: Durability) -> Result<u64> {
        let carry = |batch: &Batch| {
            let (start, file) = match batch.bytes() {
                [_] => (0, Arc::clone(&self.disk.lock().file)),
                bytes => self.write(bytes, true).map_err(Failure::of)?,
            };
            self.sync_file(&file, batch.durability)?;
            Ok(start)
        };
        let commit = |batch: &mut Batch| {
            let start = carry(batch);
            batch.clear();
            start
        };
        let read = |start: Option<&Result<u64, Failure>>, offset| match start {
            Some(Ok(start)) => Ok(start + offset),
            Some(Err(failure)) => Err(failure.clone()),
            None => Err(Failure::Poisoned),
        };
        let has_room = |batch: &Batch| batch.has_room(lines);
        let offset = self.group.submit(has_room, |batch| batch.add(lines, durability), commit, read);
        offset.map_err(|failure| failure.into_error(&self.path))
    }

    /// One write. `bytes` begins with the newline that is written only where the file needs it. Returns the
    /// offset of the byte behind that newline, and the file.
    fn write(&self, bytes: &[u8], look_at_path: bool) -> Result<(u64, Arc<File>)> {
        let mut disk = self.disk.lock();
        if disk.is_poisoned {
            return Err(Error::Poisoned { path: self.path.clone() });
        }
        if self.options.locking == Locking::Held {
            disk.unlooked += 1;
            if look_at_path || disk.unlooked == LOOK_EVERY {
                disk.unlooked = 0;
                if lock::found_at(&self.path, disk.identity).is_none() {
                    disk.is_poisoned = true;
                    return Err(Error::Replaced { path: self.path.clone() });
                }
            }
            let len = disk.len(&self.path)?;
            return disk.write(bytes, len, &self.path);
        }
        let len = disk.lock(&self.path, &self.options)?;
        let written = disk.write(bytes, len, &self.path);
        if let Err(source) = lock::release(&disk.gate, &disk.file) {
            disk.is_poisoned = true;
            return Err(Error::io("unlock", &self.path)(source));
        }
        written
    }

    /// On the device, with the name, or the handle is poisoned.
    fn sync_file(&self, file: &File, durability: Durability) -> Result<(), Failure> {
        let synced = durability.apply(file).map_err(|error| Failure::io("sync", error));
        let mut disk = self.disk.lock();
        if disk.is_poisoned {
            return Err(Failure::Poisoned);
        }
        // Whoever made the file may have died before its name was on the device.
        let synced = synced.and_then(|()| disk.sync_name(&self.path));
        disk.is_poisoned |= synced.is_err();
        synced
    }

    /// Appends a record's line to `bytes`; returns its length.
    pub(crate) fn encode<T: Serialize + ?Sized>(&self, record: &T, bytes: &mut Vec<u8>) -> Result<u64> {
        let start = bytes.len();
        if let Err(source) = write_json(record, bytes) {
            return Err(Error::Encode { path: self.path.clone(), source });
        }
        self.encoded(bytes, start)
    }

    /// Appends the line of a record that is made by hand to `bytes`; returns its length.
    pub(crate) fn encode_made(&self, make: impl FnOnce(&mut Pieces<'_>), bytes: &mut Vec<u8>) -> Result<u64> {
        let start = bytes.len();
        make(&mut Pieces::new(bytes));
        debug_assert!(may_be_object(&bytes[start..]), "no JSON object: {}", bytes[start..].escape_ascii());
        self.encoded(bytes, start)
    }

    /// Makes a line of the JSON text that begins at `start`.
    fn encoded(&self, bytes: &mut Vec<u8>, start: usize) -> Result<u64> {
        // Only a `RawValue` can bring a newline, and only as white space: inside strings it is escaped.
        if memchr::memchr2(b'\n', b'\r', &bytes[start..]).is_some() {
            let breaks = bytes[start..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r'));
            breaks.for_each(|byte| *byte = b' ');
        }
        let line = &bytes[start..];
        if scan::may_be_deep(line, scan::NESTING_MAX)
            && let Err(fault) = scan::check(line, scan::NESTING_MAX)
        {
            return Err(Error::NotJson { path: self.path.clone(), kind: DamageKind::TooDeep, at: fault.at });
        }
        // A record whose own last member looks like a seal would be judged by it, so it gets a real one.
        if self.options.checksum || checksum::check(line) != Seal::Absent {
            self.seal(bytes, start)?;
        }
        self.finish(bytes, start)
    }

    pub(crate) fn encode_raw(&self, line: &[u8], bytes: &mut Vec<u8>) -> Result<u64> {
        let not_json = |kind, at| Err(Error::NotJson { path: self.path.clone(), kind, at });
        if let Some(at) = memchr::memchr(b'\n', line) {
            return not_json(DamageKind::Malformed, at);
        }
        let rules = Rules { max_line_len: self.options.max_line_len, ..Rules::default() };
        let sealed = match verdict::judge_by(line, false, &rules) {
            Verdict::Record { sealed } => sealed,
            Verdict::Blank => return not_json(DamageKind::Malformed, 0),
            Verdict::Damaged { kind: DamageKind::TooLong, .. } => return self.too_long(line.len()),
            Verdict::Damaged { kind, at } => return not_json(kind, at),
        };
        let start = bytes.len();
        if self.options.checksum && !sealed {
            bytes.extend_from_slice(line.trim_ascii());
            self.seal(bytes, start)?;
        } else {
            bytes.extend_from_slice(line);
        }
        self.finish(bytes, start)
    }

    fn seal(&self, bytes: &mut Vec<u8>, start: usize) -> Result<()> {
        if checksum::seal(bytes, start) {
            Ok(())
        } else {
            Err(Error::NotAnObject { path: self.path.clone() })
        }
    }

    fn finish(&self, bytes: &mut Vec<u8>, start: usize) -> Result<u64> {
        let len = bytes.len() - start;
        if len > self.options.max_line_len {
            return self.too_long(len);
        }
        bytes.push(b'\n');
        Ok(len as u64 + 1)
    }

    fn too_long<R>(&self, len: usize) -> Result<R> {
        Err(Error::TooLong { path: self.path.clone(), len, max: self.options.max_line_len })
    }
}

/// Whether a text is a JSON object, as far as its nesting lets it be looked at.
fn may_be_object(text: &[u8]) -> bool {
    let checked = scan::check(text, scan::NESTING_MAX);
    text.starts_with(b"{") && checked.err().is_none_or(|fault| fault.kind == scan::FaultKind::Deep)
}

/// Whether a name that can't be carried to the device may be left to others: whoever made a file in a folder that can't be read or
/// synced has answered for its name.
fn is_answered_for(is_new: bool, kind: io::ErrorKind) -> bool {
    let is_refused = matches!(
        kind,
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    );
    is_refused && !is_new
}

impl Disk {
    fn new(file: File, gate: Gate, is_new: bool, path: &Path) -> Result<Self> {
        let identity = Identity::of(&file.metadata().map_err(Error::io("look at", path))?);
        let file = Arc::new(file);
        Ok(Self {
            note: None,
            file,
            identity,
            gate,
            known_end: None,
            is_poisoned: false,
            name_is_synced: false,
            is_new,
            unlooked: 0,
        })
    }

    /// Makes the file's name durable, once.
    fn sync_name(&mut self, path: &Path) -> Result<(), Failure> {
        if self.name_is_synced {
            return Ok(());
        }
        match sync_folder_of(path) {
            Err(error) if is_answered_for(self.is_new, error.kind()) => {}
            synced => synced.map_err(|error| Failure::io("sync the folder of", error))?,
        }
        self.name_is_synced = true;
        Ok(())
    }

    /// Goes on with another file.
    fn move_to(&mut self, file: File, is_new: bool, path: &Path) -> Result<()> {
        self.identity = Identity::of(&file.metadata().map_err(Error::io("look at", path))?);
        self.file = Arc::new(file);
        self.known_end = None;
        self.name_is_synced = false;
        self.is_new = is_new;
        Ok(())
    }

    /// Takes the lock of the file that `path` leads to, opening it again if it is another one by now. Returns
    /// its length.
    pub(crate) fn lock(&mut self, path: &Path, options: &WriteOptions) -> Result<u64> {
        loop {
            lock::acquire(&self.gate, &self.file, path, options.wait)?;
            if let Some(metadata) = lock::found_at(path, self.identity) {
                return Ok(metadata.len());
            }
            lock::release(&self.gate, &self.file).map_err(Error::io("unlock", path))?;
            let (file, is_new) = options.open_file(path)?;
            self.move_to(file, is_new, path)?;
        }
    }

    pub(crate) fn len(&self, path: &Path) -> Result<u64> {
        (&*self.file).seek(SeekFrom::End(0)).map_err(Error::io("look at", path))
    }

    /// Appends to the file, which is `len` bytes long and locked.
    pub(crate) fn write(&mut self, bytes: &[u8], len: u64, path: &Path) -> Result<(u64, Arc<File>)> {
        let heals = self.known_end != Some(len) && !self.ends_with_newline(len, path)?;
        let bytes = &bytes[usize::from(!heals)..];
        self.known_end = None;
        loop {
            match (&*self.file).write(bytes) {
                Ok(written) if written == bytes.len() => break,
                Ok(written) => {
                    self.is_poisoned = true;
                    let text = format!(
                        "the system took {written} of {} bytes: the disk is full, or a limit was reached",
                        bytes.len()
                    );
                    return Err(Error::io("append to", path)(io::Error::new(io::ErrorKind::WriteZero, text)));
                }
                // Nothing was written, or the call would have said how much.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.is_poisoned = true;
                    return Err(Error::io("append to", path)(error));
                }
            }
        }
        self.known_end = Some(len + bytes.len() as u64);
        Ok((len + u64::from(heals), Arc::clone(&self.file)))
    }

    pub(crate) fn ends_with_newline(&self, len: u64, path: &Path) -> Result<bool> {
        if len == 0 {
            return Ok(true);
        }
        let mut last = Buffer::default();
        last.fill(&self.file, len - 1, 1).map_err(Error::io("read the end of", path))?;
        Ok(last.last() == Some(&b'\n'))
    }
}

/// Takes the lines of a log that is being replaced.
#[derive(Debug)]
pub struct Rewrite<'a> {
    writer: &'a Writer,
    new: &'a mut Replacement,
    line: Vec<u8>,
    offset: u64,
}

impl Rewrite<'_> {
    /// Where the next line will stand in the new log.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.offset
    }

    /// Writes a record, sealed if the log is.
    ///
    /// # Errors
    ///
    /// As [`Writer::append`].
    pub fn record<T: Serialize + ?Sized>(&mut self, record: &T) -> Result<()> {
        self.take(|writer, bytes| writer.encode(record, bytes))
    }

    /// [`record`](Self::record) for one that is made by hand; see [`Transaction::append_made`](crate::Transaction::append_made).
    ///
    /// # Errors
    ///
    /// As [`Writer::append`].
    ///
    /// # Panics
    ///
    /// As [`Transaction::append_made`](crate::Transaction::append_made).
    pub fn made(&mut self, make: impl FnOnce(&mut Pieces<'_>)) -> Result<()> {
        self.take(|writer, bytes| writer.encode_made(make, bytes))
    }

    /// Writes a line that has been judged already.
    pub(crate) fn verbatim(&mut self, line: &[u8]) -> Result<()> {
        self.offset += line.len() as u64 + 1;
        let out = &mut self.new.out;
        out.write_all(line)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(Error::io("write anew", &self.writer.path))
    }

    /// Writes a line as it is: what a reader gave as raw bytes.
    ///
    /// # Errors
    ///
    /// As [`Writer::append_raw`].
    pub fn raw(&mut self, line: &[u8]) -> Result<()> {
        self.take(|writer, bytes| writer.encode_raw(line, bytes))
    }

    /// Copies a part of the log as it is, damage and all. Where its last line has no newline, it gets one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Shrunk`] when the log doesn't reach that far.
    pub fn copy(&mut self, log: &Log, span: Span) -> Result<()> {
        let end = span.offset.saturating_add(span.len);
        let mut at = span.offset;
        while at < end {
            let len = (end - at).min(COPY_LEN);
            let bytes = log.read(Span { offset: at, len })?;
            self.new.out.write_all(&bytes).map_err(Error::io("write anew", &self.writer.path))?;
            at += len;
            self.offset += len;
            if at == end && bytes.last() != Some(&b'\n') {
                self.new.out.write_all(b"\n").map_err(Error::io("write anew", &self.writer.path))?;
                self.offset += 1;
            }
        }
        Ok(())
    }

    fn take(&mut self, encode: impl FnOnce(&Writer, &mut Vec<u8>) -> Result<u64>) -> Result<()> {
        self.line.clear();
        self.offset += encode(self.writer, &mut self.line)?;
        self.new.out.write_all(&self.line).map_err(Error::io("write anew", &self.writer.path))
    }
}

#[cfg(test)]
mod tests;
