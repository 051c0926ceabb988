//! What can go wrong, and what to do next.

use std::io;
use std::path::{Path, PathBuf};

use crate::key::KEY_LEN_MAX;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log's own error: it has the path, and the holder of a lock that was not to be had.
    #[error(transparent)]
    Log(#[from] jsonl_core::Error),
    /// The system refused something that is not reading or writing a log.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such session, neither active nor archived.
    #[error("there is no session {key:?}")]
    NotFound {
        /// Its key.
        key: String,
    },
    /// The session does not have this archive.
    #[error("session {key:?} has no archive {number}; there is {}", listed(there))]
    NoSuchArchive {
        /// Its key.
        key: String,
        /// The archive's number that was asked for.
        number: u64,
        /// The numbers that there are.
        there: Vec<u64>,
    },
    /// The session is archived, so it can be read only.
    #[error("session {key:?} is archived; restore it, or begin anew under its key")]
    Archived {
        /// Its key.
        key: String,
    },
    /// There is an active session under this key already.
    #[error("there is an active session {key:?} already")]
    Exists {
        /// Its key.
        key: String,
    },
    /// A key has to be at least one byte long and at most [`KEY_LEN_MAX`].
    #[error("a key of {len} bytes; it has to have 1 to {KEY_LEN_MAX}")]
    KeyLen {
        /// Its length in bytes.
        len: usize,
    },
    /// A file in the store says that it belongs to another key than its name.
    #[error("{} holds the session {found:?}; it has been renamed or copied", path.display())]
    KeyMismatch {
        /// The file.
        path: PathBuf,
        /// The key in its header.
        found: String,
    },
    /// A message has to be a JSON object with a `role` that is a string.
    #[error("not a message: {reason}")]
    NotAMessage {
        /// What is wrong with it.
        reason: String,
    },
    /// Metadata has to be a JSON object.
    #[error("not metadata: {reason}")]
    NotMetadata {
        /// What is wrong with it.
        reason: String,
    },
    /// This handle, or one that it was cloned from, was closed.
    #[error("the handle of session {key:?} was closed; take another from the store")]
    Closed {
        /// Its key.
        key: String,
    },
    /// A session has room for 2^53 records. Only a line that was not written by us can use them up.
    #[error("session {key:?} has no more sequence numbers")]
    Full {
        /// Its key.
        key: String,
    },
    /// The session does not have this record.
    #[error("session {key:?} has no record {seq}; its last one is {last}")]
    NoSuchRecord {
        /// Its key.
        key: String,
        /// The sequence number that was asked for.
        seq: u64,
        /// The last one that was given out.
        last: u64,
    },
    /// A cursor of another session, or of one that was deleted and begun again.
    #[error("the cursor {cursor} does not belong to session {key:?}")]
    StaleCursor {
        /// The session's key.
        key: String,
        /// The cursor.
        cursor: String,
    },
    /// An alias can't be a session's own key.
    #[error("{alias:?} can't be an alias of itself")]
    OwnAlias {
        /// The alias.
        alias: String,
    },
    /// The store was written by a newer version of this crate.
    #[error("{} is a store of version {found}; this program knows version {known}", path.display())]
    NewerVersion {
        /// The store or the session's log.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
}

fn listed(numbers: &[u64]) -> String {
    if numbers.is_empty() {
        return String::from("none");
    }
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// The kind of error that the system gave, if it was the system.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Log(error) => error.io_kind(),
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// Nothing is at the path.
    pub(crate) fn is_not_found(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::NotFound)
    }
}
