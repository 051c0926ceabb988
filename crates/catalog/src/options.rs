//! How to open a catalog.

use std::fmt::{self, Debug, Formatter};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jsonl_core::Durability;

use crate::cache;
use crate::catalog::Catalog;
use crate::reduce::Rules;

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How to open a catalog.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// use annals_catalog::{CatalogOptions, Rules};
///
/// let catalog = CatalogOptions::new().rules(Rules::SessionsDb).open(folder.path());
/// assert_eq!(catalog.projection()?.len(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CatalogOptions {
    pub(crate) rules: Rules,
    pub(crate) durability: Durability,
    pub(crate) checksum: bool,
    pub(crate) wait: Duration,
    pub(crate) program: Option<String>,
    pub(crate) threads: usize,
    pub(crate) cache_above: Option<u64>,
    pub(crate) clock: Clock,
}

impl Debug for CatalogOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogOptions")
            .field("rules", &self.rules)
            .field("durability", &self.durability)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

impl Default for CatalogOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl CatalogOptions {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rules: Rules::Annals,
            durability: Durability::SyncData,
            checksum: true,
            wait: Duration::from_secs(5),
            program: None,
            threads: 0,
            cache_above: Some(cache::LOG_LEN_MIN),
            clock: Arc::new(SystemTime::now),
        }
    }

    /// By whose rules events are understood. By default [`Rules::Annals`].
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// How far an event has travelled when it is acknowledged. By default [`Durability::SyncData`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether events carry a [checksum](jsonl_core::checksum). sessions-db reads them all the same. By default they do.
    #[must_use]
    pub fn checksum(mut self, checksum: bool) -> Self {
        self.checksum = checksum;
        self
    }

    /// How long to wait for other writers, sessions-db's among them. By default 5 seconds.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The name by which other writers are told who holds the lock. By default that of the process.
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

    /// Logs above so many bytes have a cache beside them, `LOG.annals-index`, by which opening costs only what is new
    /// since; with `None`, none has. It can be deleted at any time. By default 256 KiB, which are folded as quickly.
    #[must_use]
    pub fn cache_above(mut self, len: Option<u64>) -> Self {
        self.cache_above = len;
        self
    }

    /// Tells the time of new events. By default the system does.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The catalog in a folder. Nothing is read or made yet; whoever writes makes what is missing.
    #[must_use]
    pub fn open(&self, root: impl AsRef<Path>) -> Catalog {
        Catalog::with(self.clone(), root.as_ref())
    }

    pub(crate) fn read_options(&self) -> jsonl_core::ReadOptions {
        jsonl_core::ReadOptions::new().threads(self.threads)
    }
}
