//! Threads that append to one session at the same time share one look, one write and one sync; see [`GroupCommit`].

use std::cell::Cell;
use std::io;
use std::path::PathBuf;

use jsonl_core::{Durability, GroupCommit, Holder};

use crate::error::{Error, Result};
use crate::message::Json;

/// A batch grows no further by messages that would take it beyond so many bytes.
const BATCH_MAX: usize = 64 << 20;

/// Messages on their way to the device.
#[derive(Default)]
pub(crate) struct Batches {
    group: GroupCommit<Batch, Vec<Done>>,
}

/// Messages that go out together, in the order in which they came.
#[derive(Default)]
struct Batch {
    messages: Vec<Json>,
    len: usize,
    durability: Durability,
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
    /// Appends a message that is to be synced, together with those of other threads. `commit` appends messages and says for each what became of it; one of the threads
    /// calls its own.
    pub(crate) fn submit(
        &self,
        key: &str,
        message: Json,
        durability: Durability,
        commit: impl FnOnce(&[Json], Durability) -> Result<Vec<Result<u64>>>,
    ) -> Result<u64> {
        let len = message.as_bytes().len();
        let index = Cell::new(0);
        // Who commits has the error itself.
        let exact = Cell::new(None);
        let join = |batch: &mut Batch| {
            index.set(batch.messages.len());
            batch.messages.push(message);
            batch.len += len;
            batch.durability = batch.durability.max(durability);
        };
        let commit = |batch: &mut Batch| {
            let committed = commit(&batch.messages, batch.durability);
            let done = match &committed {
                Ok(results) => {
                    results.iter().map(|result| result.as_ref().map_err(Failure::of).copied()).collect()
                }
                Err(error) => vec![Err(Failure::of(error)); batch.messages.len()],
            };
            exact.set(
                committed.and_then(|results| results.into_iter().nth(index.get()).transpose()).transpose(),
            );
            batch.messages.clear();
            (batch.len, batch.durability) = (0, Durability::default());
            done
        };
        let read = |done: Option<&Vec<Done>>, ()| {
            done.and_then(|done| done.get(index.get())).cloned().unwrap_or(Err(Failure::Poisoned))
        };
        let done = self.group.submit(|batch| batch.len + len <= BATCH_MAX, join, commit, read);
        exact.into_inner().unwrap_or_else(|| done.map_err(|failure| failure.into_error(key)))
    }
}
