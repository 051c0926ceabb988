//! How to open a memory.

use std::fmt::{self, Debug, Formatter};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jsonl_core::Durability;

use crate::error::Result;
use crate::fold::Writers;
use crate::memory::Memory;
use crate::view::View;

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How to open a memory, for writing or for reading.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("memory.jsonl");
/// use annals_memory::{MemoryOptions, NewItem};
///
/// let memory = MemoryOptions::new().program("my-agent").open(&path)?;
/// assert_eq!(memory.add(&NewItem::fact("uses LuaJIT"))?.id(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryOptions {
    pub(crate) create: bool,
    pub(crate) checksum: bool,
    pub(crate) durability: Durability,
    pub(crate) wait: Duration,
    pub(crate) program: Option<String>,
    pub(crate) threads: usize,
    pub(crate) max_line_len: usize,
    pub(crate) checkpoint: bool,
    pub(crate) accept_loss: bool,
    pub(crate) clock: Clock,
}

impl Debug for MemoryOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOptions")
            .field("durability", &self.durability)
            .field("wait", &self.wait)
            .field("accept_loss", &self.accept_loss)
            .finish_non_exhaustive()
    }
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryOptions {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        Self {
            create: true,
            checksum: true,
            durability: Durability::SyncData,
            wait: Duration::ZERO,
            program: None,
            threads: 0,
            max_line_len: jsonl_core::MAX_LINE_LEN,
            checkpoint: true,
            accept_loss: false,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// Whether [`open`](Self::open) makes a memory that isn't there, and its folder. By default it does.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether what is written carries a [checksum](jsonl_core::checksum). aish reads it all the same. By default it does.
    #[must_use]
    pub fn checksum(mut self, checksum: bool) -> Self {
        self.checksum = checksum;
        self
    }

    /// How far a record has travelled when it is acknowledged. By default [`Durability::SyncData`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long to wait for another writer. Writers keep a memory for as long as they run, so by default not at all.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The name by which other writers are told who holds the memory. By default that of the process.
    #[must_use]
    pub fn program(mut self, name: impl Into<String>) -> Self {
        self.program = Some(name.into());
        self
    }

    /// How many threads read; 0 stands for the machine's processors, 1 for the caller's thread alone. The number never changes the
    /// result. By default 0.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The longest line, in bytes. By default [`jsonl_core::MAX_LINE_LEN`], 16 MiB.
    #[must_use]
    pub fn max_line_len(mut self, len: usize) -> Self {
        self.max_line_len = len;
        self
    }

    /// Whether a memory above 1 MiB keeps a checkpoint beside it, `MEMORY.annals-index`, by which opening costs only
    /// what is new since. It can be deleted at any time. By default it does.
    #[must_use]
    pub fn checkpoint(mut self, checkpoint: bool) -> Self {
        self.checkpoint = checkpoint;
        self
    }

    /// Whether missing ids and damaged lines are put up with. A memory opened for writing then notes that they are
    /// known, and opens without this from there on. A lost record may have been a tombstone: look at what is
    /// active afterwards. By default they are an [`Error::Incomplete`](crate::Error::Incomplete).
    #[must_use]
    pub fn accept_loss(mut self, accept: bool) -> Self {
        self.accept_loss = accept;
        self
    }

    /// Tells the time of new records, and whether an item has expired. By default the system does.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens a memory for writing: nobody else writes until the handle is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) with [`jsonl_core::Error::Busy`] and who it is, if somebody else holds it (aish, too);
    /// [`Error::Incomplete`](crate::Error::Incomplete) where records are missing; [`Error::NotAMemory`](crate::Error::NotAMemory) where
    /// no line is a memory's, whatever loss is accepted ([`View::require_memory`](crate::View::require_memory)); else `Error::Log`.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Memory> {
        Memory::open_with(self, path.as_ref())
    }

    /// Opens a memory for reading, as it is now. Takes no lock, and makes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Incomplete`](crate::Error::Incomplete) where records are missing; [`Error::Log`](crate::Error::Log).
    pub fn view(&self, path: impl AsRef<Path>) -> Result<View> {
        let log = self.read_options().open(path)?;
        View::build(log, self, Writers::Possible)?.complete()
    }
}
