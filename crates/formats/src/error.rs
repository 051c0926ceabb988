//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of JSON lines could not be read.
    #[error(transparent)]
    Log(#[from] jsonl_core::Error),
    /// The system refused something else.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that has the name of a session holds none.
    #[error("{} is no session: {reason}", path.display())]
    NotASession {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is packed, and no folder was named for what is unpacked.
    #[error("{} is packed, and there is no folder to unpack it into", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
    },
    /// There is something else under the name already.
    #[error("{} is there already, and holds something else", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The key can't be the name of a file in this layout.
    #[error("the key {key:?} can't be a file name in this layout: {reason}")]
    Key {
        /// The key.
        key: String,
        /// Why.
        reason: &'static str,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
