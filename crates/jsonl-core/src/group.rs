//! Group commit: threads that wait for the disk at the same time share one write and one sync.
//!
//! The first thread to come leads: it takes what has gathered, writes and syncs it, and wakes those whose
//! records were in it. Records that arrive meanwhile gather for the next batch, and when the leader is done it
//! hands the lead to one of their threads *before* it wakes its own followers, so that the disk is busy while
//! they run. Nobody waits on purpose for more records to arrive.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::durability::Durability;
use crate::error::Error;

/// Records on their way to the disk.
#[derive(Debug, Default)]
pub(crate) struct Queue(Mutex<Gathering>);

#[derive(Debug, Default)]
struct Gathering {
    /// A newline, which healing may need, and whole lines.
    bytes: Vec<u8>,
    durability: Durability,
    batch: Arc<Batch>,
    /// Somebody leads, or has been told to.
    is_led: bool,
}

/// Those whose records go out together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Waiting,
    /// One of those who wait is to lead.
    Lead,
    Done(Result<u64, Failure>),
}

/// A place in a batch.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Of the record, from the beginning of the batch's first one.
    pub(crate) offset: u64,
    pub(crate) batch: Arc<Batch>,
}

/// Why a batch failed, for each of those who wait for it.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Io {
        action: &'static str,
        code: Option<i32>,
        kind: io::ErrorKind,
        text: String,
    },
    /// Only the first to see another error gets it; nothing of the others' was written either.
    Poisoned,
    Replaced,
    Busy(Option<crate::lock::Holder>),
}

impl Failure {
    pub(crate) fn io(action: &'static str, error: io::Error) -> Self {
        Self::Io { action, code: error.raw_os_error(), kind: error.kind(), text: error.to_string() }
    }

    pub(crate) fn of(error: Error) -> Self {
        match error {
            Error::Io { action, source, .. } => Self::io(action, source),
            Error::Busy { holder, .. } => Self::Busy(holder),
            Error::Replaced { .. } => Self::Replaced,
            _ => Self::Poisoned,
        }
    }

    pub(crate) fn into_error(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Self::Io { action, code, kind, text } => {
                let source = match code {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::new(kind, text),
                };
                Error::Io { path, action, source }
            }
            Self::Poisoned => Error::Poisoned { path },
            Self::Replaced => Error::Replaced { path },
            Self::Busy(holder) => Error::Busy { path, holder },
        }
    }
}

impl Queue {
    /// Adds lines to the batch that is gathering.
    pub(crate) fn join(&self, lines: &[u8], durability: Durability) -> Ticket {
        let mut gathering = self.0.lock();
        if gathering.bytes.is_empty() {
            gathering.bytes.push(b'\n');
        }
        let offset = gathering.bytes.len() as u64 - 1;
        gathering.bytes.extend_from_slice(lines);
        gathering.durability = gathering.durability.max(durability);
        if !gathering.is_led {
            gathering.is_led = true;
            *gathering.batch.state.lock() = State::Lead;
        }
        Ticket { offset, batch: Arc::clone(&gathering.batch) }
    }
}

impl Batch {
    /// Returns when the batch is done: where its first record stands. `commit` carries bytes to the disk; it is
    /// called by whoever leads.
    pub(crate) fn wait(
        self: &Arc<Self>,
        queue: &Queue,
        commit: impl Fn(&[u8], Durability) -> Result<u64, Failure>,
    ) -> Result<u64, Failure> {
        let mut state = self.state.lock();
        loop {
            match &*state {
                State::Done(result) => return result.clone(),
                State::Lead => break,
                State::Waiting => self.changed.wait(&mut state),
            }
        }
        *state = State::Waiting;
        drop(state);
        // Whatever happens in `commit`, those who wait are woken and the lead is handed on.
        let mut handover = Handover { queue, batch: self, result: Err(Failure::Poisoned) };
        let (mut bytes, durability) = {
            let mut gathering = queue.0.lock();
            gathering.batch = Arc::default();
            let durability = mem::take(&mut gathering.durability);
            (mem::take(&mut gathering.bytes), durability)
        };
        handover.result = commit(&bytes, durability);
        let result = handover.result.clone();
        bytes.clear();
        let mut gathering = queue.0.lock();
        if gathering.bytes.is_empty() {
            gathering.bytes = bytes;
        }
        drop(gathering);
        drop(handover);
        result
    }
}

struct Handover<'a> {
    queue: &'a Queue,
    batch: &'a Batch,
    result: Result<u64, Failure>,
}

impl Drop for Handover<'_> {
    fn drop(&mut self) {
        let mut gathering = self.queue.0.lock();
        if gathering.bytes.is_empty() {
            gathering.is_led = false;
        } else {
            *gathering.batch.state.lock() = State::Lead;
            gathering.batch.changed.notify_one();
        }
        drop(gathering);
        *self.batch.state.lock() = State::Done(self.result.clone());
        self.batch.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn every_line_goes_out_once_and_threads_share_commits() {
        let queue = Queue::default();
        let disk = Mutex::new(Vec::new());
        let commits = AtomicUsize::new(0);
        let commit = |bytes: &[u8], _| {
            commits.fetch_add(1, Ordering::Relaxed);
            let mut disk = disk.lock();
            let start = disk.len() as u64;
            disk.extend_from_slice(&bytes[1..]);
            drop(disk);
            thread::sleep(std::time::Duration::from_millis(1));
            Ok(start)
        };
        thread::scope(|scope| {
            for thread in 0..8 {
                let (queue, disk, commit) = (&queue, &disk, &commit);
                scope.spawn(move || {
                    for number in 0..50 {
                        let line = format!("{thread}:{number}\n");
                        let ticket = queue.join(line.as_bytes(), Durability::SyncData);
                        let start = ticket.batch.wait(queue, commit).unwrap() + ticket.offset;
                        let start = start as usize;
                        assert_eq!(&disk.lock()[start..start + line.len()], line.as_bytes());
                    }
                });
            }
        });
        let disk = String::from_utf8(disk.into_inner()).unwrap();
        assert_eq!(disk.lines().count(), 400);
        assert!(commits.into_inner() < 400, "no commit was shared");
    }

    #[test]
    fn a_failure_reaches_all_of_the_batch_and_not_the_next() {
        let queue = Queue::default();
        let failing = queue.join(b"a\n", Durability::SyncData);
        let failed = failing.batch.wait(&queue, |_, _| Err(Failure::Replaced));
        assert!(matches!(failed, Err(Failure::Replaced)));
        let good = queue.join(b"b\n", Durability::SyncData);
        assert_eq!(good.batch.wait(&queue, |bytes, _| Ok(bytes.len() as u64)).unwrap(), 3);
    }
}
