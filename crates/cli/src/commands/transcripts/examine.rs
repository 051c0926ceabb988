//! What a whole look at one file finds: its bytes, and what its agent or our own store stumbles over.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use annals_formats::transcript::{Effect, Problem};
use annals_formats::{Remark, Transcript, open_log};
use annals_session::{Listed, Place, Scope, Session, Store};
use jsonl_core::{ReadOptions, Report};

use crate::agents::{Found, spool};
use crate::commands::sessions::oddities;
use crate::exit::{Exit, Failure};
use crate::parallel::{BATCH, SMALL, batches, in_parallel};

/// A file to look at.
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) of: Of,
}

/// Whose file it is.
pub(crate) enum Of {
    /// Anybody's.
    Nobody,
    /// An agent's.
    Agent(Found),
    /// The store's.
    Store(Session),
}

/// What was found.
pub(crate) struct Examined {
    pub(crate) report: Report,
    /// Why a packed file could not be unpacked to its end.
    pub(crate) packed: Option<Remark>,
    /// What its agent's format forbids; `None` where it is nobody's transcript.
    pub(crate) problems: Option<Vec<Problem>>,
    /// What is missing or out of order among the records of a session of the store.
    pub(crate) oddities: Vec<String>,
    /// Whether records are missing.
    pub(crate) has_gaps: bool,
}

/// Looks at all of them, in their order, several at once.
pub(crate) fn examine_all<'a>(
    targets: &'a [Target],
    options: &'a ReadOptions,
) -> impl Iterator<Item = (&'a Target, Result<Examined, Failure>)> {
    batches(targets, BATCH, SMALL, |target| target.len)
        .flat_map(|batch| batch.iter().zip(in_parallel(batch, |target| target.examine(options))))
}

impl Target {
    /// A file of which nothing more is known.
    pub(crate) fn of_file(path: &Path, len: u64) -> Self {
        Self { path: path.to_owned(), len, of: Of::Nobody }
    }

    /// The transcript of an agent.
    pub(crate) fn of_agent(found: Found) -> Self {
        Self { path: found.path().to_owned(), len: found.entry.len, of: Of::Agent(found) }
    }

    /// The log of one of the store's sessions.
    pub(crate) fn of_store(store: &Store, listed: &Listed) -> Self {
        let session = store.session(&listed.key).ok().map(|session| match listed.place {
            Place::Archived(number) => session.archived(number),
            _ => session,
        });
        // The key of a session whose header is damaged may not be known: then it is a file like any other.
        let is_it = |session: &Session| session.path().is_ok_and(|path| path.as_ref() == Some(&listed.path));
        let of = session.filter(is_it).map_or(Of::Nobody, Of::Store);
        Self { path: listed.path.clone(), len: listed.len, of }
    }

    /// Reads all of it. The options' progress counts each byte once.
    pub(crate) fn examine(&self, options: &ReadOptions) -> Result<Examined, Failure> {
        let (log, packed) = match &self.of {
            Of::Agent(_) => open_log(&self.path, options, &spool())?,
            _ => (options.open(&self.path)?, None),
        };
        let report = log.verify()?;
        let problems = match &self.of {
            Of::Agent(_) => {
                Transcript::open_in(&self.path, &spool())?.map(|transcript| transcript.problems())
            }
            _ => None,
        };
        let (oddities, has_gaps) = match &self.of {
            Of::Store(session) => {
                let read = session.for_each(Scope::Transcript, |_| ControlFlow::Continue(()))?;
                (oddities(&read), !read.gaps.is_empty())
            }
            _ => (Vec::new(), false),
        };
        Ok(Examined { report, packed, problems, oddities, has_gaps })
    }

    /// The agent whose it is.
    pub(crate) fn agent(&self) -> Option<&'static str> {
        match &self.of {
            Of::Agent(found) => Some(found.agent.name()),
            _ => None,
        }
    }
}

impl Examined {
    /// In one word, and how a program ends that was asked about it.
    pub(crate) fn verdict(&self) -> (&'static str, Exit) {
        match () {
            () if self.packed.is_some() || self.has_gaps => ("damaged", Exit::Damaged),
            () if self.report.is_clean()
                && (self.effect() > Effect::Nothing || !self.oddities.is_empty()) =>
            {
                ("problems", Exit::Findings)
            }
            () if self.report.is_clean() => ("ok", Exit::Done),
            () if self.report.is_in_flight() => ("unfinished", Exit::Findings),
            () => ("damaged", Exit::Damaged),
        }
    }

    /// The worst that its problems do to the agent that goes on.
    pub(crate) fn effect(&self) -> Effect {
        self.problems.iter().flatten().map(|problem| problem.effect).max().unwrap_or(Effect::Nothing)
    }
}
