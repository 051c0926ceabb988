//! What threads that share a sync send on its way together, and how that failed for each of them.

use std::io;
use std::path::Path;

use crate::durability::Durability;
use crate::error::Error;

/// A batch grows no further by records that would take it beyond this.
const BATCH_MAX: usize = 64 << 20;

/// Space above this is given back.
const SPARE_MAX: usize = 4 << 20;

/// Lines that go out in one write, and how far.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// A newline, which healing may need, and whole lines. Empty before the first are added.
    bytes: Vec<u8>,
    pub(crate) durability: Durability,
}

impl Batch {
    pub(crate) fn has_room(&self, lines: &[u8]) -> bool {
        self.bytes.len() + lines.len() <= BATCH_MAX
    }

    /// Adds whole lines; returns how far they are behind the first.
    pub(crate) fn add(&mut self, lines: &[u8], durability: Durability) -> u64 {
        if self.bytes.is_empty() {
            self.bytes.push(b'\n');
        }
        let offset = self.bytes.len() as u64 - 1;
        self.bytes.extend_from_slice(lines);
        self.durability = self.durability.max(durability);
        offset
    }

    /// The newline and the lines.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As new, with its space for others.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(SPARE_MAX);
        self.durability = Durability::default();
    }
}

/// Why a batch failed, for each of those who wait for it.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Io {
        action: &'static str,
        code: Option<i32>,
        kind: io::ErrorKind,
        text: String,
    },
    /// Only the first to see another error gets it; nothing of the others' was written either.
    Poisoned,
    Replaced,
    Busy(Option<crate::lock::Holder>),
}

impl Failure {
    pub(crate) fn io(action: &'static str, error: io::Error) -> Self {
        Self::Io { action, code: error.raw_os_error(), kind: error.kind(), text: error.to_string() }
    }

    pub(crate) fn of(error: Error) -> Self {
        match error {
            Error::Io { action, source, .. } => Self::io(action, source),
            Error::Busy { holder, .. } => Self::Busy(holder),
            Error::Replaced { .. } => Self::Replaced,
            _ => Self::Poisoned,
        }
    }

    pub(crate) fn into_error(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Self::Io { action, code, kind, text } => {
                let source = match code {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::new(kind, text),
                };
                Error::Io { path, action, source }
            }
            Self::Poisoned => Error::Poisoned { path },
            Self::Replaced => Error::Replaced { path },
            Self::Busy(holder) => Error::Busy { path, holder },
        }
    }
}
