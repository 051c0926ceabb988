//! What can go wrong with a log, and what to do next.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};

use crate::lock::Holder;
use crate::report::{Damage, DamageKind};

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a log did not succeed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done, as in "cannot *open*".
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The path leads to something other than a regular file.
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// Another writer holds the lock, and did so until the deadline.
    Busy {
        /// The log.
        path: PathBuf,
        /// Who holds it, as far as the system tells.
        holder: Option<Holder>,
    },
    /// An earlier write or sync of this handle failed. What it left on the disk is not known here: reopen the
    /// log, which looks.
    Poisoned {
        /// The log.
        path: PathBuf,
    },
    /// The path now leads to another file than the one that is open: somebody replaced or removed it.
    Replaced {
        /// The log.
        path: PathBuf,
    },
    /// The log has damage that the chosen recovery mode does not accept.
    Damaged {
        /// The log.
        path: PathBuf,
        /// The first such damage.
        damage: Box<Damage>,
    },
    /// Hardly a line of a file that was to be repaired is a record, or what is left of one; nothing was changed.
    NotALog {
        /// The file.
        path: PathBuf,
        /// Lines that are records, or have some inside.
        records: u64,
        /// Lines that never were.
        others: u64,
    },
    /// The file got shorter while it was being read.
    Shrunk {
        /// The log.
        path: PathBuf,
        /// Bytes that are gone.
        missing: u64,
    },
    /// The record is longer than the limit, or a batch than one write can take; nothing was written.
    TooLong {
        /// The log.
        path: PathBuf,
        /// Its length in bytes, with seal, without newline.
        len: usize,
        /// The most that is accepted.
        max: usize,
    },
    /// What was to be appended is not one JSON value; nothing was written.
    NotJson {
        /// The log.
        path: PathBuf,
        /// What is wrong.
        kind: DamageKind,
        /// Where, in bytes from the beginning of what was given.
        at: usize,
    },
    /// Only an object can carry a checksum; nothing was written.
    NotAnObject {
        /// The log.
        path: PathBuf,
    },
    /// The record could not be turned into JSON; nothing was written.
    Encode {
        /// The log.
        path: PathBuf,
        /// What `serde_json` said.
        source: serde_json::Error,
    },
    /// The cursor belongs to other contents: the log was replaced, or is not the one the cursor was made for.
    StaleCursor {
        /// The log.
        path: PathBuf,
        /// Where the cursor pointed.
        offset: u64,
    },
}

impl Error {
    /// The file that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::NotAFile { path, .. }
            | Self::Busy { path, .. }
            | Self::Poisoned { path }
            | Self::Replaced { path }
            | Self::Damaged { path, .. }
            | Self::NotALog { path, .. }
            | Self::Shrunk { path, .. }
            | Self::TooLong { path, .. }
            | Self::NotJson { path, .. }
            | Self::NotAnObject { path }
            | Self::Encode { path, .. }
            | Self::StaleCursor { path, .. } => path,
        }
    }

    /// The operating system's error, where there is one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// For `map_err`: names the file and the action.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Self + 'a {
        move |source| Self::Io { path: path.to_owned(), action, source }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let path = self.path().display();
        match self {
            Self::Io { action, source, .. } => write!(f, "{path}: cannot {action}: {source}"),
            Self::NotAFile { found, .. } => write!(f, "{path}: is {found}; give a regular file"),
            Self::Busy { holder: Some(holder), .. } => {
                write!(f, "{path}: held by {holder}; wait for it, or end it")
            }
            Self::Busy { holder: None, .. } => {
                write!(f, "{path}: held by another process; wait for it, or end it")
            }
            Self::Poisoned { .. } => write!(f, "{path}: an earlier write failed; reopen the log"),
            Self::Replaced { .. } => write!(f, "{path}: the file was replaced meanwhile; reopen the log"),
            Self::Damaged { damage, .. } => {
                write!(f, "{path}: {damage}; read it in a more lenient mode, or repair it")
            }
            Self::NotALog { records, others, .. } => write!(
                f,
                "{path}: {others} of its lines are no records and {records} are, so it may not be a log at all; nothing was changed"
            ),
            Self::Shrunk { missing, .. } => {
                write!(f, "{path}: {missing} bytes went missing while reading; read it again")
            }
            Self::TooLong { len, max, .. } => write!(
                f,
                "{path}: {len} bytes are more than the {max} that one line may have; nothing was written, split it \
                 or allow longer lines"
            ),
            Self::NotJson { kind, at, .. } => {
                write!(f, "{path}: not a record ({kind}, at byte {at}); nothing was written")
            }
            Self::NotAnObject { .. } => {
                write!(
                    f,
                    "{path}: only an object can carry a checksum; nothing was written, put the value into one"
                )
            }
            Self::Encode { source, .. } => {
                write!(f, "{path}: cannot turn the record into JSON: {source}; nothing was written")
            }
            Self::StaleCursor { offset, .. } => {
                write!(
                    f,
                    "{path}: no line begins at offset {offset}, or the log was replaced since; start from the beginning"
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Encode { source, .. } => Some(source),
            _ => None,
        }
    }
}
