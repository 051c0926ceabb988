//! What can go wrong, and what to do next.

use std::io;
use std::path::PathBuf;

use crate::report::Loss;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log's own error: it has the path, and the holder of a lock that was not to be had.
    #[error(transparent)]
    Log(#[from] jsonl_core::Error),
    /// Records are missing, or damaged beyond reading. One of them may have been the one that forgot a fact.
    #[error("{}: {loss}; restore the file, or accept the loss", path.display())]
    Incomplete {
        /// The memory.
        path: PathBuf,
        /// What is missing.
        loss: Box<Loss>,
    },
    /// No line of a file is a record of a kind that a memory has, so it is something else. Nothing was written.
    #[error("{}: none of its {lines} lines is a record of a memory, so it is something else; nothing was changed", path.display())]
    NotAMemory {
        /// The file.
        path: PathBuf,
        /// How many lines there are.
        lines: u64,
    },
    /// There is no active item with this id: it was forgotten, replaced, or never there. Nothing was written.
    #[error("item {id} is not active: already forgotten, or never there")]
    NotActive {
        /// The id that was asked for.
        id: u64,
    },
    /// An item has to say something. Nothing was written.
    #[error("an item without content; nothing was written")]
    NoContent,
    /// A memory has room for 2^53 ids. Only a line that was not written by us can use them up.
    #[error("{}: there are no more ids", path.display())]
    Full {
        /// The memory.
        path: PathBuf,
    },
    /// The text is no kind of item.
    #[error("{text:?} is no kind of item; there are fact, pref and context")]
    UnknownKind {
        /// What was given.
        text: String,
    },
}

impl Error {
    /// The operating system's error, where there is one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Log(error) => error.io_kind(),
            _ => None,
        }
    }
}
