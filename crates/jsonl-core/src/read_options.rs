//! How to open a log for reading.

use std::fs::{File, Metadata};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use crate::cursor::Identity;
use crate::error::{Error, Result};
use crate::follow::{Follow, From};
use crate::map::Map;
use crate::reader::{Log, open_regular, refuse_others};
use crate::report::DAMAGES_KEPT;
use crate::source::{self, Buffer, Bytes, Tail};
use crate::verdict::{Rules, Seals};

/// Where a log's bytes are read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Positioned reads into buffers that are used again: a few megabytes of memory whatever the size, and a
    /// file that somebody shortens meanwhile gives short data and a report. The default.
    #[default]
    Chunks,
    /// A map of the complete lines. As fast, and slices can be borrowed without a copy.
    ///
    /// **Whoever asks for it promises that nobody shortens the file or changes its complete lines while the
    /// log is open.** annals's own writers never do. Where a foreign program does, the process is ended by
    /// SIGBUS or reads bytes that changed after they were checked. Don't ask for it on such files.
    Map,
}

/// What damage a load puts up with. The names are RocksDB's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoveryMode {
    /// Anything that is not a record is an error: torn, damaged, oversize, missing. For logs that a person
    /// restored and wants to trust.
    AbsoluteConsistency,
    /// What a crash leaves behind is accepted: records that were never completed, and NULs in their place, at the
    /// end or closed by a later writer. They were never acknowledged. Any other damage is an error.
    TolerateCorruptTail,
    /// Everything that is a record is returned and the rest is reported. For looking at what there is. The default.
    #[default]
    SkipCorrupt,
}

/// How to open a log for reading.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log.jsonl");
/// std::fs::write(&path, "{\"n\":1}\n{\"n\":2}\n{\"n\"")?;
/// let log = jsonl_core::ReadOptions::new().threads(1).open(&path)?;
/// let loaded = log.load::<serde_json::Value>()?;
/// assert_eq!(loaded.records.len(), 2);
/// assert_eq!(loaded.report.bytes.torn, 4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ReadOptions {
    pub(crate) threads: usize,
    pub(crate) rules: Rules,
    pub(crate) source: Source,
    pub(crate) mode: RecoveryMode,
    pub(crate) damages: usize,
    pub(crate) progress: Option<Arc<AtomicU64>>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ReadOptions {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        Self {
            threads: 0,
            rules: Rules::default(),
            source: Source::default(),
            mode: RecoveryMode::default(),
            damages: DAMAGES_KEPT,
            progress: None,
        }
    }

    /// How many threads parse, the caller's being one of them. The number never changes the result, and files below 1 MiB are
    /// read by the caller's thread alone. With 0 there are as many as the machine has processors, and all that read like this
    /// at the same time share these. By default 0.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The longest line that is looked into, in bytes without its newline. Longer ones are passed over in
    /// constant memory and reported. By default [`MAX_LINE_LEN`](crate::MAX_LINE_LEN), 16 MiB.
    #[must_use]
    pub fn max_line_len(mut self, len: usize) -> Self {
        self.rules.max_line_len = len;
        self
    }

    /// The deepest nesting that counts as a record; more than [`NESTING_MAX`](crate::scan::NESTING_MAX) is
    /// taken for that. By default 128.
    #[must_use]
    pub fn max_nesting(mut self, levels: usize) -> Self {
        self.rules.max_nesting = levels.min(crate::scan::NESTING_MAX);
        self
    }

    /// Where the bytes come from. By default [`Source::Chunks`].
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    /// What is asked of checksums. By default [`Seals::Check`].
    #[must_use]
    pub fn seals(mut self, seals: Seals) -> Self {
        self.rules.seals = seals;
        self
    }

    /// What damage is put up with. By default [`RecoveryMode::SkipCorrupt`].
    #[must_use]
    pub fn recovery_mode(mut self, mode: RecoveryMode) -> Self {
        self.mode = mode;
        self
    }

    /// How many damages a report describes; further ones are only counted. By default 1000.
    #[must_use]
    pub fn damages_kept(mut self, count: usize) -> Self {
        self.damages = count;
        self
    }

    /// A counter to which the bytes that are done with are added, for somebody to watch. By default none.
    #[must_use]
    pub fn progress(mut self, bytes_done: Arc<AtomicU64>) -> Self {
        self.progress = Some(bytes_done);
        self
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    /// Begins to follow a log with these limits; see [`Follow`].
    ///
    /// # Errors
    ///
    /// As [`Follow::new`].
    pub fn follow(&self, path: impl AsRef<Path>, from: From) -> Result<Follow> {
        Follow::with(self, path.as_ref(), from)
    }

    /// Opens the log as it is now: what is appended later is not seen. Takes no lock, and creates nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it can't be opened, [`Error::NotAFile`] for folders, FIFOs and devices.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Log> {
        let path = path.as_ref();
        let (file, metadata) = open_regular(path)?;
        self.open_with(file, &metadata, path)
    }

    /// Reads a file that is open already, as it is now, such as a temporary one that has no name. `name` is the path that
    /// the log goes by, in errors too; nothing is opened there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it can't be looked at, [`Error::NotAFile`] for folders, FIFOs and devices.
    pub fn open_file(&self, file: File, name: impl AsRef<Path>) -> Result<Log> {
        let name = name.as_ref();
        let metadata = file.metadata().map_err(Error::io("look at", name))?;
        refuse_others(name, &metadata)?;
        self.open_with(file, &metadata, name)
    }

    fn open_with(&self, file: File, metadata: &Metadata, path: &Path) -> Result<Log> {
        let len = metadata.len();
        let cut = || -> std::io::Result<(u64, Tail)> {
            let complete = source::complete_len(&file, len)?;
            let mut buffer = Buffer::default();
            // One byte more than a line may have is enough to see that it is too long, and a few to show.
            let enough = self.rules.max_line_len.saturating_add(1).max(source::HEAD_LEN);
            let most = (len - complete).min(enough as u64) as usize;
            let got = buffer.fill(&file, complete, most)?;
            // Shortened just now: then that is where the log ends.
            let len = if got < most { got as u64 } else { len - complete };
            Ok((complete, Tail { bytes: buffer.to_vec(), len }))
        };
        let bytes = match self.source {
            Source::Chunks => Bytes::File { file, len },
            Source::Map => {
                let (complete, tail) = cut().map_err(Error::io("read", path))?;
                let map = Map::new(&file, complete).map_err(Error::io("map", path))?;
                Bytes::Map { map, tail }
            }
        };
        Ok(Log {
            path: path.to_owned(),
            identity: Identity::of(metadata),
            bytes,
            start: 0,
            options: self.clone(),
            memory: OnceLock::new(),
        })
    }
}
