//! Messages, made when the first job wants them, and sessions of ours that they are in.

use std::cell::LazyCell;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use annals_session::{Durability, Session, Store, StoreOptions};
use serde::Serialize;

use crate::corpus::{Random, Turn, turn};
use crate::originals::Message;

/// What isn't made before somebody asks for it, for instructions are counted, too.
pub type Lazily<T> = LazyCell<Vec<T>, Box<dyn FnOnce() -> Vec<T>>>;

/// So many differ; then they come again.
const COUNT: u64 = 1000;

/// Turns with texts of about so many bytes.
pub fn turns(content_len: usize) -> Lazily<Turn> {
    LazyCell::new(Box::new(move || made(3, content_len).collect()))
}

/// Messages with texts of about so many bytes.
pub fn messages(content_len: usize) -> Lazily<Message> {
    let message = |turn: Turn| Message { role: turn.role, content: turn.content };
    LazyCell::new(Box::new(move || made(5, content_len).map(message).collect()))
}

fn made(seed: u64, content_len: usize) -> impl Iterator<Item = Turn> {
    let mut random = Random(seed);
    (0..COUNT).map(move |n| turn(&mut random, n, content_len))
}

/// A folder that is empty again.
pub fn fresh(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A store of ours.
pub fn store(folder: &Path, durability: Durability) -> Store {
    StoreOptions::new().durability(durability).open(folder).unwrap()
}

/// Appends so many messages to a new session, each durable when the call returns, from several threads; returns how many there are.
pub fn append_durably(folder: &Path, messages: &[Message], count: usize, threads: usize) -> usize {
    let store = store(&fresh(folder, "ours"), Durability::SyncData);
    let session = store.session("s").unwrap();
    thread::scope(|scope| {
        for thread in 0..threads {
            let session = &session;
            scope.spawn(move || {
                for n in (thread..count).step_by(threads) {
                    session.append(&messages[n % messages.len()]).unwrap();
                }
            });
        }
    });
    session.tail(1).unwrap().messages[0].seq() as usize
}

/// What the disk gives: writes so many messages together, and syncs, on one thread.
pub fn write_and_sync(folder: &Path, messages: &[Message], count: usize, together: usize) -> usize {
    let path = fresh(folder, "other").join("s.jsonl");
    write_bare(&path, messages, count, together, Durability::SyncData);
    count
}

/// `write` of so many records together, serialised into one buffer that is used again, and a sync behind each, on one thread.
pub fn write_bare<T: Serialize>(
    path: &Path,
    records: &[T],
    count: usize,
    together: usize,
    durability: Durability,
) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let mut lines = Vec::new();
    for first in (0..count).step_by(together) {
        lines.clear();
        for n in first..count.min(first + together) {
            serde_json::to_writer(&mut lines, &records[n % records.len()]).unwrap();
            lines.push(b'\n');
        }
        file.write_all(&lines).unwrap();
        match durability {
            Durability::Buffer => {}
            Durability::SyncAll => file.sync_all().unwrap(),
            _ => file.sync_data().unwrap(),
        }
    }
}

/// What that is called.
pub fn a_sync_for(together: usize) -> String {
    match together {
        1 => String::from("write + fdatasync each"),
        _ => format!("one thread, a sync for {together}"),
    }
}

/// What the system takes for a message of ours: writes so many lines that have been made before, each under a lock, when the path has been
/// found to be still that of the file.
pub fn write_locked(path: &Path, lines: &[Vec<u8>], count: usize) -> usize {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let inode = file.metadata().unwrap().ino();
    for n in 0..count {
        file.lock().unwrap();
        assert_eq!(fs::metadata(path).unwrap().ino(), inode);
        file.write_all(&lines[n % lines.len()]).unwrap();
        file.unlock().unwrap();
    }
    count
}

/// A new session of so many messages.
pub fn filled(folder: &Path, messages: &[Message], count: usize) -> Session {
    let session = store(&fresh(folder, "ours"), Durability::Buffer).session("s").unwrap();
    for first in (0..count).step_by(1000) {
        let part = (first..count.min(first + 1000)).map(|n| &messages[n % messages.len()]);
        session.append_all(part).unwrap();
    }
    session
}
