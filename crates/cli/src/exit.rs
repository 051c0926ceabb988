//! How the program can end.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::process::ExitCode;

use jsonl_core::Error;

use crate::human::name;

/// The exit codes, worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, or yes.
    #[default]
    Done = 0,
    /// No, or something was found.
    Findings = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// There is no such file or record.
    NotFound = 3,
    /// A log is damaged, or input is not JSON.
    Damaged = 4,
    /// A person has not approved it, or not this, or others can change it.
    Denied = 5,
    /// The system does not allow it.
    Permission = 6,
    /// Somebody else writes.
    Busy = 7,
    /// Anything else that should not happen.
    Internal = 70,
    /// Somebody interrupted it, and it said how far it came.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read the output has gone. That is no error.
    Pipe,
    /// The output could not be written.
    Output(io::Error),
    /// Something about a log.
    Log(Error),
    /// Something about a session.
    Session(annals_session::Error),
    /// Something about a memory.
    Memory(annals_memory::Error),
    /// Something about an approval.
    Trust(annals_trust::Error),
    /// Something about the catalog.
    Catalog(annals_catalog::Error),
    /// Anything else, with what to say about it.
    Told(Exit, String),
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Pipe => Exit::Done,
            Self::Output(_) => Exit::Internal,
            Self::Told(exit, _) => *exit,
            Self::Log(error) => exit_of_log(error),
            Self::Session(error) => exit_of_session(error),
            Self::Memory(error) => exit_of_memory(error),
            Self::Trust(error) => exit_of_trust(error),
            Self::Catalog(error) => exit_of_catalog(error),
        }
    }
}

fn exit_of_log(error: &Error) -> Exit {
    match error {
        Error::Busy { .. } => Exit::Busy,
        Error::Damaged { .. } | Error::NotJson { .. } | Error::NotAnObject { .. } | Error::TooLong { .. } => {
            Exit::Damaged
        }
        Error::NotAFile { .. } | Error::NotALog { .. } => Exit::Usage,
        _ => exit_of_io(error.io_kind()),
    }
}

fn exit_of_session(error: &annals_session::Error) -> Exit {
    use annals_session::Error as Session;
    match error {
        Session::Log(error) => exit_of_log(error),
        Session::NotFound { .. } | Session::NoSuchArchive { .. } | Session::NoSuchRecord { .. } => {
            Exit::NotFound
        }
        Session::Archived { .. } | Session::Exists { .. } => Exit::Findings,
        Session::KeyLen { .. } | Session::NotMetadata { .. } | Session::OwnAlias { .. } => Exit::Usage,
        Session::NotAMessage { .. } | Session::KeyMismatch { .. } => Exit::Damaged,
        _ => exit_of_io(error.io_kind()),
    }
}

fn exit_of_memory(error: &annals_memory::Error) -> Exit {
    use annals_memory::Error as Memory;
    match error {
        Memory::Log(error) => exit_of_log(error),
        Memory::Incomplete { .. } => Exit::Damaged,
        Memory::NotAMemory { .. } => Exit::Usage,
        Memory::NotActive { .. } => Exit::Findings,
        Memory::NoContent | Memory::UnknownKind { .. } => Exit::Usage,
        _ => exit_of_io(error.io_kind()),
    }
}

fn exit_of_trust(error: &annals_trust::Error) -> Exit {
    use annals_trust::Error as Trust;
    match error {
        Trust::Log(error) => exit_of_log(error),
        Trust::Unsafe { .. } | Trust::NotAsSeen { .. } | Trust::Denied { .. } => Exit::Denied,
        Trust::NotADigest { .. } | Trust::NotAName { .. } | Trust::SetLen { .. } => Exit::Usage,
        _ => exit_of_io(error.io_kind()),
    }
}

fn exit_of_catalog(error: &annals_catalog::Error) -> Exit {
    use annals_catalog::Error as Catalog;
    match error {
        Catalog::Log(error) => exit_of_log(error),
        Catalog::NoCatalog { .. } | Catalog::NotFound { .. } => Exit::NotFound,
        Catalog::OwnParent | Catalog::Cycle { .. } | Catalog::Ambiguous { .. } => Exit::Findings,
        Catalog::Locked { .. } => Exit::Busy,
        Catalog::UnknownOutcome { .. }
        | Catalog::UnknownState { .. }
        | Catalog::Empty { .. }
        | Catalog::Thresholds { .. } => Exit::Usage,
        _ => exit_of_io(error.io_kind()),
    }
}

fn exit_of_io(kind: Option<io::ErrorKind>) -> Exit {
    match kind {
        Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Exit::NotFound,
        // A link where none may be, a file where a folder has to be.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::AlreadyExists) => Exit::Usage,
        Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => Exit::Permission,
        _ => Exit::Internal,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Log(error)
    }
}

impl From<annals_session::Error> for Failure {
    fn from(error: annals_session::Error) -> Self {
        match error {
            annals_session::Error::Log(error) => Self::Log(error),
            other => Self::Session(other),
        }
    }
}

impl From<annals_memory::Error> for Failure {
    fn from(error: annals_memory::Error) -> Self {
        match error {
            annals_memory::Error::Log(error) => Self::Log(error),
            other => Self::Memory(other),
        }
    }
}

impl From<annals_trust::Error> for Failure {
    fn from(error: annals_trust::Error) -> Self {
        match error {
            annals_trust::Error::Log(error) => Self::Log(error),
            other => Self::Trust(other),
        }
    }
}

impl From<annals_catalog::Error> for Failure {
    fn from(error: annals_catalog::Error) -> Self {
        match error {
            annals_catalog::Error::Log(error) => Self::Log(error),
            other => Self::Catalog(other),
        }
    }
}

impl From<annals_formats::Error> for Failure {
    fn from(error: annals_formats::Error) -> Self {
        match error {
            annals_formats::Error::Log(error) => Self::Log(error),
            annals_formats::Error::Io { path, action, source } => {
                Self::Session(annals_session::Error::Io { path, action, source })
            }
            other @ annals_formats::Error::NotASession { .. } => {
                Self::Told(Exit::Damaged, name(&other.to_string()))
            }
            other => Self::Told(Exit::Findings, name(&other.to_string())),
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipe => Ok(()),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
            Self::Told(_, text) => f.write_str(text),
            Self::Log(error) => {
                f.write_str(&name(&error.to_string()))?;
                f.write_str(match error {
                    Error::NotALog { .. } => " (--force)",
                    _ => what_next(error.io_kind()),
                })
            }
            Self::Session(error) => {
                f.write_str(&name(&error.to_string()))?;
                f.write_str(match error {
                    annals_session::Error::Archived { .. } => " (annals restore, or annals begin --anew)",
                    annals_session::Error::NotFound { .. } => "; annals ls lists them",
                    _ => what_next(error.io_kind()),
                })
            }
            Self::Memory(error) => {
                f.write_str(&name(&error.to_string()))?;
                f.write_str(match error {
                    annals_memory::Error::Incomplete { .. } => " (--accept-loss)",
                    annals_memory::Error::NotAMemory { .. } => "; check the path",
                    _ => what_next(error.io_kind()),
                })
            }
            Self::Trust(error) => {
                f.write_str(&name(&error.to_string()))?;
                f.write_str(what_next(error.io_kind()))
            }
            Self::Catalog(error) => {
                f.write_str(&name(&error.to_string()))?;
                f.write_str(what_next(error.io_kind()))
            }
        }
    }
}

fn what_next(kind: Option<io::ErrorKind>) -> &'static str {
    match kind {
        Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => "; check the path",
        Some(io::ErrorKind::PermissionDenied) => "; check the permissions of the file and its folder",
        Some(
            io::ErrorKind::StorageFull
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::WriteZero,
        ) => "; make room and try again, what was acknowledged is safe",
        _ => "",
    }
}
