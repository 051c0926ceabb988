//! Threads that append to one session at the same time share one look, one write and one sync.
//!
//! Messages gather in a batch. The first thread to join one leads it: it waits until the batch before is on the
//! device, closes its own and appends it whole, and wakes the others. Messages arrive while the batch before is under way, and who
//! closes a batch waits for those of the batch before, where that is worth it ([`Patience`]).

use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use jsonl_core::{Durability, Holder, Patience};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::message::Json;

/// A batch grows no further by messages that would take it beyond so many bytes.
const BATCH_MAX: usize = 64 << 20;

/// Messages on their way to the device.
#[derive(Default)]
pub(crate) struct Batches {
    gathering: Mutex<Gathering>,
    /// Who leads needn't wait any more.
    is_enough: Condvar,
    /// Whose batch is under way.
    turn: Mutex<()>,
}

#[derive(Default)]
struct Gathering {
    messages: Vec<Json>,
    len: usize,
    durability: Durability,
    batch: Arc<Batch>,
    /// Whether its leader waits for more.
    is_waiting: bool,
    patience: Patience,
}

/// Those whose messages go out together, in the order in which they came.
#[derive(Default)]
struct Batch {
    done: OnceLock<Vec<Done>>,
}

/// What became of a message: its sequence number, or why it was not appended.
type Done = std::result::Result<u64, Failure>;

/// An error for each of those who wait for a batch.
#[derive(Clone)]
enum Failure {
    Io {
        path: PathBuf,
        action: &'static str,
        code: Option<i32>,
        kind: io::ErrorKind,
        text: String,
    },
    Busy {
        path: PathBuf,
        holder: Option<Holder>,
    },
    NotAMessage {
        reason: String,
    },
    TooLong {
        path: PathBuf,
        len: usize,
        max: usize,
    },
    Archived {
        key: String,
    },
    KeyMismatch {
        path: PathBuf,
        found: String,
    },
    /// Only the first to see another error gets it; nothing of the others' was acknowledged either.
    Poisoned,
}

impl Failure {
    fn of(error: &Error) -> Self {
        use jsonl_core::Error as Log;
        match error {
            Error::Log(Log::Io { path, action, source }) | Error::Io { path, action, source } => Self::Io {
                path: path.clone(),
                action,
                code: source.raw_os_error(),
                kind: source.kind(),
                text: source.to_string(),
            },
            Error::Log(Log::Busy { path, holder }) => {
                Self::Busy { path: path.clone(), holder: holder.clone() }
            }
            Error::Log(Log::TooLong { path, len, max }) => {
                Self::TooLong { path: path.clone(), len: *len, max: *max }
            }
            Error::NotAMessage { .. } | Error::Log(Log::NotJson { .. }) => {
                Self::NotAMessage { reason: error.to_string() }
            }
            Error::Archived { key } => Self::Archived { key: key.clone() },
            Error::KeyMismatch { path, found } => {
                Self::KeyMismatch { path: path.clone(), found: found.clone() }
            }
            _ => Self::Poisoned,
        }
    }

    fn into_error(self, key: &str) -> Error {
        use jsonl_core::Error as Log;
        Error::Log(match self {
            Self::Io { path, action, code, kind, text } => {
                let source = match code {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::new(kind, text),
                };
                Log::Io { path, action, source }
            }
            Self::Busy { path, holder } => Log::Busy { path, holder },
            Self::TooLong { path, len, max } => Log::TooLong { path, len, max },
            Self::NotAMessage { reason } => return Error::NotAMessage { reason },
            Self::Archived { key } => return Error::Archived { key },
            Self::KeyMismatch { path, found } => return Error::KeyMismatch { path, found },
            Self::Poisoned => Log::Poisoned { path: PathBuf::from(key) },
        })
    }
}

impl Batches {
    /// Adds a message that is to be synced to the batch that is gathering, and returns when that is done. `commit` appends messages and
    /// says for each what became of it; it is called by whoever leads.
    pub(crate) fn submit(
        &self,
        key: &str,
        message: Json,
        durability: Durability,
        commit: impl FnOnce(&[Json], Durability) -> Result<Vec<Result<u64>>>,
    ) -> Result<u64> {
        let mut gathering = self.gathering.lock();
        let len = message.as_bytes().len();
        // What doesn't fit waits until the batch is closed and done.
        while !gathering.messages.is_empty() && gathering.len + len > BATCH_MAX {
            let full = Arc::clone(&gathering.batch);
            drop(gathering);
            full.done.wait();
            gathering = self.gathering.lock();
        }
        let index = gathering.messages.len();
        gathering.messages.push(message);
        gathering.len += len;
        gathering.durability = gathering.durability.max(durability);
        if gathering.is_waiting && gathering.patience.is_enough(index + 1) {
            self.is_enough.notify_one();
        }
        let batch = Arc::clone(&gathering.batch);
        drop(gathering);
        if index == 0 {
            return self.lead(&batch, commit);
        }
        let done = batch.done.wait().get(index).cloned();
        done.unwrap_or(Err(Failure::Poisoned)).map_err(|failure| failure.into_error(key))
    }

    /// The leader's message is the first of its batch.
    fn lead(
        &self,
        batch: &Batch,
        commit: impl FnOnce(&[Json], Durability) -> Result<Vec<Result<u64>>>,
    ) -> Result<u64> {
        // If `commit` panics, those who wait hear of a failure.
        let mut settle = Settle { batch, done: Vec::new() };
        let turn = self.turn.lock();
        let (messages, durability) = {
            let mut gathering = self.wait_for_those_before(self.gathering.lock());
            gathering.batch = Arc::default();
            gathering.len = 0;
            (mem::take(&mut gathering.messages), mem::take(&mut gathering.durability))
        };
        let begun = Instant::now();
        let committed = commit(&messages, durability);
        let mut gathering = self.gathering.lock();
        let next_joined = gathering.messages.len();
        gathering.patience.after_batch(messages.len(), begun.elapsed(), next_joined);
        drop(gathering);
        drop(turn);
        match committed {
            Ok(results) => {
                settle.done =
                    results.iter().map(|result| result.as_ref().map_err(Failure::of).copied()).collect();
                let poisoned = || jsonl_core::Error::Poisoned { path: PathBuf::new() }.into();
                results.into_iter().next().unwrap_or_else(|| Err(poisoned()))
            }
            Err(error) => {
                settle.done = vec![Err(Failure::of(&error)); messages.len()];
                Err(error)
            }
        }
    }

    /// Waits until those of the batch before have come again, or for as long as is worth it.
    fn wait_for_those_before<'a>(
        &self,
        mut gathering: MutexGuard<'a, Gathering>,
    ) -> MutexGuard<'a, Gathering> {
        let before = gathering.messages.len();
        let Some(until) = gathering.patience.until(before) else { return gathering };
        gathering.is_waiting = true;
        while !gathering.patience.is_enough(gathering.messages.len())
            && !self.is_enough.wait_until(&mut gathering, until).timed_out()
        {}
        gathering.is_waiting = false;
        let joined = gathering.messages.len();
        gathering.patience.after_waiting(before, joined);
        gathering
    }
}

/// Tells all of a batch how it ended.
struct Settle<'a> {
    batch: &'a Batch,
    done: Vec<Done>,
}

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        // Nobody else settles it.
        let _ = self.batch.done.set(mem::take(&mut self.done));
    }
}
