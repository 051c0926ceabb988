//! Where the catalog is: given, or found from a folder upwards.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::catalog::EVENTS;
use crate::error::{Error, Result};
use crate::foreign::PROJECTION;

/// Folders above the one that is begun with are looked at up to here, that one included.
pub const ASCENT_MAX: usize = 12;

/// The environment variable by which sessions-db is told its folder.
pub const ROOT_VARIABLE: &str = "DRUUMEN_SESSIONS_DB_ROOT";

/// In a workspace that keeps tickets.
const TICKETS: [&str; 2] = ["tickets", "_logs"];

/// The folder of a catalog, in the folder whose it is.
pub const DOT_FOLDER: &str = ".dru-code";

/// Where the catalog is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its folder.
    pub root: PathBuf,
    /// How it was found.
    pub source: PlaceSource,
}

/// How a catalog was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaceSource {
    /// It was given.
    Argument,
    /// The environment says so.
    Environment,
    /// Upwards, at `tickets/_logs`.
    TicketsLogs,
    /// Upwards, at `.dru-code`.
    DruCode,
    /// Nothing was found: `.dru-code` where it began.
    Default,
}

impl PlaceSource {
    /// sessions-db's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Argument => "arg",
            Self::Environment => "env",
            Self::TicketsLogs => "tickets-logs",
            Self::DruCode => "dru-code",
            Self::Default => "default",
        }
    }
}

/// Where the catalog is: `argument`, else `variable` (the value of [`ROOT_VARIABLE`]), else the first folder upwards from `cwd` that
/// has one, else `.dru-code` in `cwd`. What is empty counts as not given, and what is relative begins at `cwd`.
///
/// `cwd` is absolute. Folders are looked at, nothing is made.
///
/// # Errors
///
/// [`Error::Io`] if it can't be told whether a folder has one, so that nobody writes into another catalog for an error that passes. Folders
/// that this user may not enter have none.
pub fn resolve(argument: Option<&Path>, variable: Option<&OsStr>, cwd: &Path) -> Result<Place> {
    let given = |path: &Path, source| Ok(Place { root: cwd.join(path), source });
    if let Some(path) = argument.filter(|path| !path.as_os_str().is_empty()) {
        return given(path, PlaceSource::Argument);
    }
    if let Some(path) = variable.filter(|path| !path.is_empty()) {
        return given(Path::new(path), PlaceSource::Environment);
    }
    for folder in cwd.ancestors().take(ASCENT_MAX) {
        for (root, source) in [
            (of_workspace(folder), PlaceSource::TicketsLogs),
            (folder.join(DOT_FOLDER), PlaceSource::DruCode),
        ] {
            if is_catalog(&root)? {
                return Ok(Place { root, source });
            }
        }
    }
    Ok(Place { root: cwd.join(DOT_FOLDER), source: PlaceSource::Default })
}

/// The folder of a workspace's catalog: `tickets/_logs` in it.
#[must_use]
pub fn of_workspace(workspace: &Path) -> PathBuf {
    workspace.join(TICKETS[0]).join(TICKETS[1])
}

/// The folder of a worktree's catalog: `.dru-code` in it if that is there, else that of a workspace.
///
/// # Errors
///
/// [`Error::Io`] if that can't be told.
pub fn of_worktree(worktree: &Path) -> Result<PathBuf> {
    let dot_folder = worktree.join(DOT_FOLDER);
    let has_one = look(&dot_folder)?.is_some_and(|found| found.is_dir());
    Ok(if has_one { dot_folder } else { of_workspace(worktree) })
}

/// Whether a folder has a catalog: sessions-db's projection tells, and so does the log of events.
///
/// # Errors
///
/// [`Error::Io`] if that can't be told. A folder that this user may not enter has none.
pub fn is_catalog(root: &Path) -> Result<bool> {
    for name in [PROJECTION, EVENTS] {
        if look(&root.join(name))?.is_some_and(|found| found.is_file()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is there, for this user.
pub(crate) fn look(path: &Path) -> Result<Option<fs::Metadata>> {
    use ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error)
            if matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | PermissionDenied) =>
        {
            Ok(None)
        }
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}
