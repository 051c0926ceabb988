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
    /// The system does not allow it.
    Permission = 6,
    /// Somebody else writes.
    Busy = 7,
    /// Anything else that should not happen.
    Internal = 70,
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
    /// Anything else, with what to say about it.
    Told(Exit, String),
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Pipe => Exit::Done,
            Self::Output(_) => Exit::Internal,
            Self::Told(exit, _) => *exit,
            Self::Log(error) => match error {
                Error::Busy { .. } => Exit::Busy,
                Error::Damaged { .. }
                | Error::NotJson { .. }
                | Error::NotAnObject { .. }
                | Error::TooLong { .. } => Exit::Damaged,
                Error::NotAFile { .. } => Exit::Usage,
                _ => match error.io_kind() {
                    Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Exit::NotFound,
                    Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
                        Exit::Permission
                    }
                    _ => Exit::Internal,
                },
            },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Log(error)
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
                match error.io_kind() {
                    Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                        write!(f, "; check the path")
                    }
                    Some(io::ErrorKind::PermissionDenied) => {
                        write!(f, "; check the permissions of the file and its folder")
                    }
                    Some(
                        io::ErrorKind::StorageFull
                        | io::ErrorKind::FileTooLarge
                        | io::ErrorKind::QuotaExceeded
                        | io::ErrorKind::WriteZero,
                    ) => write!(f, "; make room and try again, what was acknowledged is safe"),
                    _ => Ok(()),
                }
            }
        }
    }
}
