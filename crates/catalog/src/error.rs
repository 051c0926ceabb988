//! What can go wrong, and what to do next.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done. Whatever it is, nothing was written, unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log's own error: it has the path, and the holder of a lock that was not to be had.
    #[error(transparent)]
    Log(#[from] jsonl_core::Error),
    /// There is no catalog in the folder.
    #[error("{}: there is no catalog here", root.display())]
    NoCatalog {
        /// The folder.
        root: PathBuf,
    },
    /// No session has this id, an id that begins so, or this alias.
    #[error("stable_id not found: {id}")]
    NotFound {
        /// What was asked for.
        id: String,
    },
    /// Several sessions have ids that begin so, or this alias.
    #[error("{id} is not clear: it may be {}; give more of the id", candidates.join(" or "))]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// The first ids that it may be.
        candidates: Vec<String>,
    },
    /// A session can't be its own parent.
    #[error("parent and child cannot be the same stable_id")]
    OwnParent,
    /// A session can't be its own ancestor.
    #[error(
        "link-parent would create a cycle: proposed parent {parent} reaches child {child} after {hops} hop(s)"
    )]
    Cycle {
        /// The session.
        child: String,
        /// What was to be its parent.
        parent: String,
        /// How many steps up from the parent the child is.
        hops: usize,
    },
    /// No outcome is called so.
    #[error("{text:?} is no outcome; there are open, done, blocked, abandoned, merged and superseded")]
    UnknownOutcome {
        /// What was given.
        text: String,
    },
    /// No state is called so.
    #[error("{text:?} is no state; there are active, idle and archived")]
    UnknownState {
        /// What was given.
        text: String,
    },
    /// A value that is needed is empty.
    #[error("{what} is empty")]
    Empty {
        /// What.
        what: &'static str,
    },
    /// Thresholds are more than nothing, and a session is idle before it is archived.
    #[error("{message}")]
    Thresholds {
        /// What is wrong with them.
        message: String,
    },
    /// sessions-db holds its lock file.
    #[error("{}: sessions-db holds this lock{}; waited {waited:?}", path.display(), holder(*pid))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, by its own word.
        pid: Option<u32>,
        /// How long was waited.
        waited: Duration,
    },
    /// A file beside the log.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was to be done.
        action: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }

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
