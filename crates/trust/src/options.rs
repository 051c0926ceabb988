//! How to open a trust store.

use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::trust::Trust;

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How to open a trust store.
#[derive(Clone)]
pub struct TrustOptions {
    pub(crate) max_file_len: u64,
    pub(crate) max_set_len: u64,
    pub(crate) copies: bool,
    pub(crate) wait: Duration,
    pub(crate) program: Option<String>,
    pub(crate) clock: Clock,
}

impl Debug for TrustOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustOptions")
            .field("max_file_len", &self.max_file_len)
            .field("copies", &self.copies)
            .finish_non_exhaustive()
    }
}

impl Default for TrustOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl TrustOptions {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        Self {
            max_file_len: 1 << 20,
            max_set_len: 16 << 20,
            copies: true,
            wait: Duration::from_secs(10),
            program: None,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// The longest file that can be approved, in bytes: what is longer, nobody reads before they approve it. By default 1 MiB.
    #[must_use]
    pub fn max_file_len(mut self, len: u64) -> Self {
        self.max_file_len = len;
        self
    }

    /// The most bytes that the files of a set may have together. By default 16 MiB.
    #[must_use]
    pub fn max_set_len(mut self, len: u64) -> Self {
        self.max_set_len = len;
        self
    }

    /// Whether a copy of what was approved is kept beside the store, in `STORE.annals-approved`, so that what has
    /// changed since can be shown. By default it is.
    #[must_use]
    pub fn copies(mut self, copies: bool) -> Self {
        self.copies = copies;
        self
    }

    /// How long to wait for somebody else who writes. By default 10 seconds.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The name by which others are told who writes. By default that of the process.
    #[must_use]
    pub fn program(mut self, name: impl Into<String>) -> Self {
        self.program = Some(name.into());
        self
    }

    /// Tells the time of decisions. By default the system does.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A store at a path. Nothing is opened or made yet: each look looks again, and the first decision makes it.
    #[must_use]
    pub fn open(&self, path: impl Into<PathBuf>) -> Trust {
        Trust::new(path.into(), self.clone())
    }
}
