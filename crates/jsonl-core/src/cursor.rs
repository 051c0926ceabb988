//! A place in a log that can be kept and come back to.

use std::fs::Metadata;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::reader::Log;
use crate::report::Span;

/// How many bytes in front of a cursor have to be the same. A replaced log that is the same up to here is
/// the same log for all that the cursor is concerned with.
const WITNESS_LEN: u64 = 4096;

/// A place between two lines of one particular log.
///
/// It stays good while the log grows, and says so when the log was replaced or its bytes were changed: it
/// knows the file's number and the checksum of the bytes in front of it. Keep it wherever you like; it is
/// `Serialize` and `Deserialize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    offset: u64,
    /// The file's number. Not its device, which may have another one after the next start.
    file: u64,
    /// CRC-32 of the bytes in front of `offset`, at most [`WITNESS_LEN`].
    witness: u32,
}

/// What tells a file from one that was put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    file: u64,
}

impl Identity {
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), file: metadata.ino() }
    }

    /// Windows tells no identity through std; a file put in the place of another was made at another time.
    #[cfg(windows)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::windows::fs::MetadataExt;
        Self { device: 0, file: metadata.creation_time() }
    }
}

impl Cursor {
    /// Where in the file it is, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// A cursor at `offset`, or behind the last complete line.
    pub(crate) fn behind(log: &Log, offset: Option<u64>) -> Result<Self> {
        let offset = match offset {
            Some(offset) => offset,
            None => match log.lines().next_back().transpose()? {
                Some(line) if line.terminated => line.end(),
                Some(line) => line.offset,
                None => log.start,
            },
        };
        let stale = || Error::StaleCursor { path: log.path().to_owned(), offset };
        if offset > 0 {
            let before = log.read(Span { offset: offset - 1, len: 1 }).map_err(|_| stale())?;
            if before != b"\n" {
                return Err(stale());
            }
        }
        Ok(Self { offset, file: log.identity.file, witness: witness(log, offset)? })
    }

    /// The cursor's offset, if it belongs to this log.
    pub(crate) fn start_in(&self, log: &Log) -> Result<u64> {
        let same = self.file == log.identity.file
            && self.offset <= log.len()
            && witness(log, self.offset)? == self.witness;
        if same {
            Ok(self.offset)
        } else {
            Err(Error::StaleCursor { path: log.path().to_owned(), offset: self.offset })
        }
    }
}

fn witness(log: &Log, offset: u64) -> Result<u32> {
    let len = offset.min(WITNESS_LEN);
    Ok(crc32fast::hash(&log.read(Span { offset: offset - len, len })?))
}
