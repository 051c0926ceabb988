//! Memories to test with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use annals_memory::{Durability, Filter, Memory, MemoryOptions, View};
use tempfile::TempDir;

/// A folder with a memory, and a clock that moves by a second with each look.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
    seconds: Arc<AtomicU64>,
}

/// The first time that the clock tells: 2026-11-20T08:00:00Z.
pub(crate) fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_161_600)
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.jsonl");
        Self { folder, path, seconds: Arc::default() }
    }

    pub(crate) fn holding(bytes: &[u8]) -> Self {
        let place = Self::new();
        fs::write(&place.path, bytes).unwrap();
        place
    }

    pub(crate) fn options(&self) -> MemoryOptions {
        let seconds = Arc::clone(&self.seconds);
        MemoryOptions::new()
            .durability(Durability::Buffer)
            .clock(move || start() + Duration::from_secs(seconds.fetch_add(1, Ordering::Relaxed)))
    }

    /// Moves the clock.
    pub(crate) fn wait(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) -> Memory {
        self.options().open(&self.path).unwrap()
    }

    pub(crate) fn view(&self) -> View {
        self.options().view(&self.path).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }
}

/// Where the files are that the originals wrote.
pub(crate) fn testdata(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata").join(name)).unwrap()
}

/// The ids of the active items, newest first.
pub(crate) fn newest(memory: &Memory) -> Vec<u64> {
    memory.active(&Filter::new()).unwrap().iter().map(|item| item.id).collect()
}

pub(crate) fn ids_of(view: &View) -> Vec<u64> {
    view.active(&Filter::new()).unwrap().iter().map(|item| item.id).collect()
}

/// What aish's rules make of a file: the active items by id, and the next id. Everything is read, nothing is kept from
/// before: the slow twin of everything here.
pub(crate) fn by_aishs_rules(text: &str) -> (Vec<(u64, String)>, u64) {
    let mut items = std::collections::BTreeMap::new();
    let mut killed = Vec::new();
    let mut last = 0;
    for line in text.lines() {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let Some(id) = value["id"].as_u64() else { continue };
        last = last.max(id);
        match value["kind"].as_str() {
            Some("fact" | "pref" | "context") => {
                items.insert(id, value["content"].as_str().unwrap_or_default().to_owned());
            }
            Some("forget") => killed.extend(value["target"].as_u64()),
            _ => {}
        }
    }
    items.retain(|id, _| !killed.contains(id));
    (items.into_iter().collect(), last + 1)
}
