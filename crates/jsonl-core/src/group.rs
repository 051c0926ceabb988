//! Group commit: threads that wait for the disk at the same time share one write and one sync.
//!
//! Records gather in a batch. The first thread to join one leads it: it waits until the batch before is on the
//! disk, closes its own, writes and syncs it, lets the next leader go on, and wakes those whose
//! records were in it. The others wait for the result and for nothing
//! else: one call of the kernel wakes all of them, and none has to take a lock again.
//!
//! Records arrive while the batch before is under way, and who closes a batch waits for those of the batch before, where that is worth it
//! ([`Patience`]); where it isn't, the disk is busy while they run.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::{Arc, Condvar, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::durability::Durability;
use crate::error::Error;
use crate::mutex::Mutex;
use crate::patience::Patience;

/// A batch grows no further by records that would take it beyond this.
const BATCH_MAX: usize = 64 << 20;

/// Space above this is given back.
const SPARE_MAX: usize = 4 << 20;

/// Records on their way to the disk.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    gathering: Mutex<Gathering>,
    /// Who leads needn't wait any more.
    is_enough: Condvar,
    /// Whose batch goes to the disk.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Gathering {
    /// A newline, which healing may need, and whole lines. Empty before the first has joined.
    bytes: Vec<u8>,
    /// The space of a batch that is done.
    spare: Vec<u8>,
    durability: Durability,
    batch: Arc<Batch>,
    /// How many are in it.
    joined: usize,
    /// Whether its leader waits for more.
    is_waiting: bool,
    patience: Patience,
}

/// Those whose records go out together.
#[derive(Debug, Default)]
struct Batch {
    /// Where the first record stands.
    result: OnceLock<Result<u64, Failure>>,
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
    /// Adds whole lines to the batch that is gathering, and returns when it is done: the offset of the first of
    /// them in the file. `commit` carries bytes to the disk; it is called by whoever leads.
    pub(crate) fn submit(
        &self,
        lines: &[u8],
        durability: Durability,
        commit: impl FnOnce(&[u8], Durability) -> Result<u64, Failure>,
    ) -> Result<u64, Failure> {
        let mut gathering = self.gathering.lock();
        // One write takes so much at most. What doesn't fit waits until the batch is closed and done.
        while !gathering.bytes.is_empty() && gathering.bytes.len() + lines.len() > BATCH_MAX {
            let full = Arc::clone(&gathering.batch);
            drop(gathering);
            full.result.wait();
            gathering = self.gathering.lock();
        }
        let leads = gathering.bytes.is_empty();
        if leads {
            gathering.bytes.push(b'\n');
        }
        let offset = gathering.bytes.len() as u64 - 1;
        gathering.bytes.extend_from_slice(lines);
        gathering.durability = gathering.durability.max(durability);
        gathering.joined += 1;
        if gathering.is_waiting && gathering.patience.is_enough(gathering.joined) {
            self.is_enough.notify_one();
        }
        let batch = Arc::clone(&gathering.batch);
        drop(gathering);
        let start = if leads { self.lead(&batch, commit) } else { batch.result.wait().clone() };
        start.map(|start| start + offset)
    }

    /// Runs `work` while no batch is on its way to the disk.
    pub(crate) fn alone<R>(&self, work: impl FnOnce() -> R) -> R {
        let _turn = self.turn.lock();
        work()
    }

    fn lead(
        &self,
        batch: &Batch,
        commit: impl FnOnce(&[u8], Durability) -> Result<u64, Failure>,
    ) -> Result<u64, Failure> {
        // If `commit` panics, those who wait hear of a failure.
        let mut settle = Settle { batch, result: Err(Failure::Poisoned) };
        let turn = self.turn.lock();
        let (mut bytes, durability, joined) = {
            let mut gathering = self.wait_for_those_before(self.gathering.lock());
            gathering.batch = Arc::default();
            let spare = mem::take(&mut gathering.spare);
            let joined = mem::take(&mut gathering.joined);
            (mem::replace(&mut gathering.bytes, spare), mem::take(&mut gathering.durability), joined)
        };
        let begun = Instant::now();
        settle.result = commit(&bytes, durability);
        let mut gathering = self.gathering.lock();
        let next_joined = gathering.joined;
        gathering.patience.after_batch(joined, begun.elapsed(), next_joined);
        if bytes.capacity() <= SPARE_MAX {
            bytes.clear();
            gathering.spare = bytes;
        }
        drop(gathering);
        drop(turn);
        settle.result.clone()
    }

    fn wait_for_those_before<'a>(
        &self,
        mut gathering: MutexGuard<'a, Gathering>,
    ) -> MutexGuard<'a, Gathering> {
        let before = gathering.joined;
        let Some(until) = gathering.patience.until(before) else { return gathering };
        gathering.is_waiting = true;
        while !gathering.patience.is_enough(gathering.joined) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            gathering =
                self.is_enough.wait_timeout(gathering, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        gathering.is_waiting = false;
        let joined = gathering.joined;
        gathering.patience.after_waiting(before, joined);
        gathering
    }
}

/// Tells all of a batch how it ended.
struct Settle<'a> {
    batch: &'a Batch,
    result: Result<u64, Failure>,
}

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        // Nobody else settles it.
        let _ = self.batch.result.set(self.result.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

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
                        let start =
                            queue.submit(line.as_bytes(), Durability::SyncData, commit).unwrap() as usize;
                        assert_eq!(&disk.lock()[start..start + line.len()], line.as_bytes());
                    }
                });
            }
        });
        let disk = String::from_utf8(disk.lock().clone()).unwrap();
        assert_eq!(disk.lines().count(), 400);
        assert!(commits.into_inner() < 400, "no commit was shared");
    }

    #[test]
    fn those_of_the_batch_before_are_waited_for_and_no_longer_than_until_all_are_there() {
        let queue = Queue::default();
        queue.gathering.lock().patience.expect(3);
        let commits = AtomicUsize::new(0);
        let commit = |bytes: &[u8], _| {
            commits.fetch_add(1, Ordering::Relaxed);
            Ok(bytes.len() as u64)
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| queue.submit(b"a\n", Durability::SyncData, commit).unwrap());
            }
        });
        assert_eq!(commits.into_inner(), 1);
        assert_eq!(queue.gathering.lock().joined, 0);
    }

    #[test]
    fn who_waits_in_vain_goes_on() {
        let queue = Queue::default();
        queue.gathering.lock().patience.after_batch(2, Duration::from_millis(10), 0);
        assert_eq!(queue.submit(b"a\n", Durability::SyncData, |_, _| Ok(7)).unwrap(), 7);
    }

    #[test]
    fn a_failure_reaches_all_of_the_batch_and_not_the_next() {
        let queue = Queue::default();
        let failed = queue.submit(b"a\n", Durability::SyncData, |_, _| Err(Failure::Replaced));
        assert!(matches!(failed, Err(Failure::Replaced)));
        let good = queue.submit(b"b\n", Durability::SyncData, |bytes, _| Ok(bytes.len() as u64));
        assert_eq!(good.unwrap(), 3);
    }

    #[test]
    fn a_panic_in_a_commit_reaches_those_who_wait_as_a_failure() {
        let queue = Queue::default();
        let turn = queue.turn.lock();
        thread::scope(|scope| {
            let leader =
                scope.spawn(|| queue.submit(b"a\n", Durability::SyncData, |_, _| panic!("on purpose")));
            while queue.gathering.lock().bytes.is_empty() {
                thread::yield_now();
            }
            let follower = scope.spawn(|| queue.submit(b"b\n", Durability::SyncData, |_, _| Ok(0)));
            while queue.gathering.lock().bytes.len() < 5 {
                thread::yield_now();
            }
            drop(turn);
            assert!(leader.join().is_err());
            assert!(matches!(follower.join().unwrap(), Err(Failure::Poisoned)));
        });
        assert!(queue.submit(b"c\n", Durability::SyncData, |_, _| Ok(0)).is_ok());
    }
}
