//! What can go wrong, and what to do next.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;

use crate::digest::Digest;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no answer. Whoever gets one of these runs nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log's own error.
    #[error(transparent)]
    Log(#[from] jsonl_core::Error),
    /// The system refused something that is not reading or writing a log.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file, the store, or a folder on the way to it can be changed by others, or is none that can be approved.
    #[error("{}: {reason}", path.display())]
    Unsafe {
        /// What is not safe.
        path: PathBuf,
        /// Why.
        reason: Reason,
    },
    /// The file is not what the person has seen. Nothing was written.
    #[error("{}: is {found} by now, and {seen} was seen; look at it again", path.display())]
    NotAsSeen {
        /// The file.
        path: PathBuf,
        /// What was seen.
        seen: Digest,
        /// What it is.
        found: Digest,
    },
    /// A deny stands, and allowing does not undo it. Nothing was written.
    #[error("{}: is denied; revoke that first", path.display())]
    Denied {
        /// The file.
        path: PathBuf,
    },
    /// The text is no digest.
    #[error("{text:?} is no SHA-256 of 64 hexadecimal digits")]
    NotADigest {
        /// What was given.
        text: String,
    },
    /// What is looked for upwards has to be the plain name of a file.
    #[error("{} is no plain file name", name.display())]
    NotAName {
        /// What was given.
        name: PathBuf,
    },
    /// A set has at least one file, and at most so many that their record fits into a line.
    #[error("a set of {count} files; it has to have 1 to {}", crate::set::FILES_MAX)]
    SetLen {
        /// How many were given.
        count: usize,
    },
}

/// Why something is not safe to believe or to run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is a symbolic link, or one is on the way to it: what it leads to can change.
    Link {
        /// What it leads to now.
        leads_to: Option<PathBuf>,
    },
    /// It has other names, by which it can be changed.
    HardLink,
    /// A folder, FIFO, socket or device.
    NotAFile {
        /// Which of them.
        found: &'static str,
    },
    /// It is not where folders were expected to be.
    NotAFolder,
    /// It belongs to somebody else, who can change it.
    Owner {
        /// Whose it is.
        uid: u32,
    },
    /// Its group, or everybody, can change it.
    Writable {
        /// Its mode.
        mode: u32,
    },
    /// It is larger than what anybody would read before approving it.
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// The most that is accepted.
        max: u64,
    },
    /// This system does not tell who can change a file.
    Unsupported,
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { leads_to: Some(path) } => {
                write!(f, "leads over a symbolic link; give {} itself", path.display())
            }
            Self::Link { leads_to: None } => f.write_str("is a symbolic link"),
            Self::HardLink => {
                f.write_str("has another name (a hard link), by which it can be changed; copy it")
            }
            Self::NotAFile { found } => write!(f, "is {found}, not a regular file"),
            Self::NotAFolder => f.write_str("is not a folder"),
            Self::Owner { uid } => write!(f, "belongs to user {uid}, who can change it"),
            Self::Writable { mode } => write!(f, "others can change it (mode {mode:04o}); chmod go-w"),
            Self::TooLarge { len, max } => write!(f, "{len} bytes are more than the {max} that are accepted"),
            Self::Unsupported => f.write_str("this system does not tell who can change it"),
        }
    }
}

impl Error {
    /// The operating system's error, where there is one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Log(error) => error.io_kind(),
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}
