//! Where the catalog is: given, or found from a folder upwards.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::catalog::EVENTS;
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
#[must_use]
pub fn resolve(argument: Option<&Path>, variable: Option<&OsStr>, cwd: &Path) -> Place {
    let given = |path: &Path, source| Place { root: cwd.join(path), source };
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
            if is_catalog(&root) {
                return Place { root, source };
            }
        }
    }
    Place { root: cwd.join(DOT_FOLDER), source: PlaceSource::Default }
}

/// The folder of a workspace's catalog: `tickets/_logs` in it.
#[must_use]
pub fn of_workspace(workspace: &Path) -> PathBuf {
    workspace.join(TICKETS[0]).join(TICKETS[1])
}

/// The folder of a worktree's catalog: `.dru-code` in it if that is there, else that of a workspace.
#[must_use]
pub fn of_worktree(worktree: &Path) -> PathBuf {
    let dot_folder = worktree.join(DOT_FOLDER);
    if dot_folder.is_dir() { dot_folder } else { of_workspace(worktree) }
}

/// Whether a folder has a catalog: sessions-db's projection tells, and so does the log of events.
#[must_use]
pub fn is_catalog(root: &Path) -> bool {
    root.join(PROJECTION).is_file() || root.join(EVENTS).is_file()
}
