//! Stores to test with.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use annals_session::{Durability, History, Session, Store, StoreOptions};
use tempfile::TempDir;

/// A store in a folder of its own, with a clock that moves by a second with each look.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
}

/// The first time that the clock tells.
pub(crate) fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_161_600)
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path().join("sessions"), 128);
        Self { folder, store }
    }

    /// Another handle on the same store, as another process would have.
    pub(crate) fn again(&self) -> Store {
        open(self.store.dir().to_owned(), 1)
    }

    pub(crate) fn session(&self, key: &str) -> Session {
        self.store.session(key).unwrap()
    }
}

fn open(dir: PathBuf, handles: usize) -> Store {
    let seconds = Arc::new(AtomicU64::new(0));
    StoreOptions::new()
        .durability(Durability::Buffer)
        .handles(handles)
        .clock(move || start() + Duration::from_secs(seconds.fetch_add(1, Ordering::Relaxed)))
        .open(dir)
        .unwrap()
}

/// The texts of a history.
pub(crate) fn texts(history: &History) -> Vec<String> {
    history.messages.iter().map(|message| message.text().into_owned()).collect()
}
