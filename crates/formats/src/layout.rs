//! Which program's folder it is.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::folder::{Entry, OutFile};
use crate::foreign::{ForeignSession, Remark};
use crate::lines;
use crate::{aish, orca, picoclaw};

/// How a program lays out its sessions in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// [`picoclaw`].
    Picoclaw,
    /// [`orca`].
    Orca,
    /// [`aish`].
    Aish,
}

/// How many files are looked into to tell what a folder is.
const LOOK_MAX: usize = 64;

impl Layout {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Picoclaw, Self::Orca, Self::Aish];

    /// The layout that the files of a folder have, by what is in them; `None` where nothing tells.
    ///
    /// A side file is picoclaw's; an archived file, or a message with a `timestamp`, is orca's; a header is aish's.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if it can't be listed, or a side file beside a session can't be looked at; that of a file if nothing tells and
    /// one can't be read.
    pub fn detect(dir: &Path) -> Result<Option<Self>> {
        let sessions = orca::list(dir)?;
        let picoclaws = picoclaw::list(dir)?;
        let mut unseen = None;
        for entry in picoclaws.iter().take(LOOK_MAX) {
            match picoclaw::has_side_file(&entry.path) {
                Ok(true) => return Ok(Some(Self::Picoclaw)),
                Ok(false) => {}
                Err(error) => _ = unseen.get_or_insert(error),
            }
        }
        // It could be picoclaw's: whatever the sessions look like, nothing else is guessed.
        if let Some(error) = unseen {
            return Err(error);
        }
        let mut unread = None;
        let is_legacy = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
        for entry in picoclaws.iter().filter(|entry| is_legacy(&entry.path)).take(LOOK_MAX) {
            match picoclaw::read(&entry.path) {
                Ok(_) => return Ok(Some(Self::Picoclaw)),
                Err(Error::NotASession { .. }) => {}
                Err(error) => _ = unread.get_or_insert(error),
            }
        }
        if sessions.iter().any(|entry| entry.archived) {
            return Ok(Some(Self::Orca));
        }
        let mut has_messages = false;
        for entry in sessions.iter().take(LOOK_MAX) {
            let log = match lines::open(&entry.path) {
                Ok(log) => log,
                Err(error) => {
                    unread.get_or_insert(error);
                    continue;
                }
            };
            for found in lines::lines(&log).take(4) {
                let records = match found {
                    Ok(found) => found.records,
                    Err(error) => {
                        unread.get_or_insert(error);
                        break;
                    }
                };
                for (_, raw) in records {
                    if jsonl_core::scan::member(&raw, "meta").is_some_and(|meta| meta.first() == Some(&b'{'))
                    {
                        return Ok(Some(Self::Aish));
                    }
                    if lines::is_message(&raw) && lines::time(&raw, "timestamp").is_some() {
                        return Ok(Some(Self::Orca));
                    }
                    has_messages |= lines::is_message(&raw);
                }
            }
        }
        // aish begins no header where it was given nothing to put in it.
        match unread {
            _ if has_messages => Ok(Some(Self::Aish)),
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    /// The sessions in a folder.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) when it can't be listed. One that isn't there is empty.
    pub fn list(self, dir: &Path) -> Result<Vec<Entry>> {
        match self {
            Self::Picoclaw => picoclaw::list(dir),
            Self::Orca => orca::list(dir),
            Self::Aish => aish::list(dir),
        }
    }

    /// Reads a session.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) when it can't be read. Damage is no error.
    pub fn read(self, path: &Path) -> Result<ForeignSession> {
        match self {
            Self::Picoclaw => picoclaw::read(path),
            Self::Orca => orca::read(path),
            Self::Aish => aish::read(path),
        }
    }

    /// A session's files in this layout, and what of it does not fit; [`write_files`](crate::write_files) writes them.
    ///
    /// # Errors
    ///
    /// [`Error::Key`](crate::Error::Key) for a key that can't be a file name there.
    pub fn write(self, session: &ForeignSession) -> Result<(Vec<OutFile>, Vec<Remark>)> {
        match self {
            Self::Picoclaw => picoclaw::write(session),
            Self::Orca => orca::write(session),
            Self::Aish => aish::write(session),
        }
    }
}

impl Display for Layout {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Picoclaw => "picoclaw",
            Self::Orca => "orca",
            Self::Aish => "aish",
        })
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|layout| layout.to_string() == text);
        found.ok_or_else(|| "it has to be picoclaw, orca or aish".to_owned())
    }
}
