//! What a session of another program is, whoever wrote it.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::time::SystemTime;

use jsonl_core::{DamageKind, Report};
use serde_json::value::RawValue;

/// A session as another program left it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ForeignSession {
    /// What the program calls it.
    pub key: String,
    /// The file with its messages, where it has one.
    pub path: Option<PathBuf>,
    /// Whether the program had put it aside.
    pub archived: bool,
    /// Its records, oldest first.
    pub records: Vec<ForeignRecord>,
    /// How many of the first records the program doesn't show any more.
    pub hidden: usize,
    /// The summary of what is hidden; empty if there is none.
    pub summary: String,
    /// What else the program keeps about it, as a JSON object.
    pub metadata: Option<Box<RawValue>>,
    /// Other names that lead to it.
    pub aliases: Vec<String>,
    /// When it began and when it was changed last, where the program says so.
    pub created: Option<SystemTime>,
    /// See [`created`](Self::created).
    pub updated: Option<SystemTime>,
    /// What became of every byte of its file.
    pub report: Report,
    /// What is not as it was, or could not be taken along.
    pub remarks: Vec<Remark>,
}

impl ForeignSession {
    /// The messages that the program shows.
    pub fn history(&self) -> impl Iterator<Item = &ForeignRecord> {
        self.records.iter().skip(self.hidden).filter(|record| record.is_message)
    }

    /// Everything that is no message.
    pub fn notes(&self) -> impl Iterator<Item = &ForeignRecord> {
        self.records.iter().filter(|record| !record.is_message)
    }

    /// All messages, also hidden ones.
    pub fn messages(&self) -> impl Iterator<Item = &ForeignRecord> {
        self.records.iter().filter(|record| record.is_message)
    }
}

/// A record of another program's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignRecord {
    /// Its JSON text, byte for byte, without the white space around it.
    pub raw: Vec<u8>,
    /// Where that stands in the file.
    pub offset: u64,
    /// Whether it is a message: a JSON object with a role, and one that its program would show.
    pub is_message: bool,
    /// When it was written, where the record says so.
    pub time: Option<SystemTime>,
}

impl ForeignRecord {
    /// A record that is to be written.
    #[must_use]
    pub fn new(raw: Vec<u8>, is_message: bool, time: Option<SystemTime>) -> Self {
        Self { raw, offset: 0, is_message, time }
    }
}

/// Something to know about a session that was read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// Bytes of the file that are no record.
    Damaged {
        /// Where they begin.
        offset: u64,
        /// How many they are.
        len: u64,
        /// What is wrong with them.
        kind: DamageKind,
        /// How many whole records were found among them.
        salvaged: usize,
    },
    /// The file is packed, and what is packed ends before it should, or is damaged from somewhere on. What was unpacked
    /// until there was read.
    Packed {
        /// How many bytes were unpacked.
        len: u64,
        /// Why there are no more.
        reason: String,
    },
    /// A message had bytes that are not UTF-8; each became U+FFFD.
    NotUtf8 {
        /// Where its line begins.
        offset: u64,
    },
    /// JSON that is no message; it is kept as a note.
    NotAMessage {
        /// Where its line begins.
        offset: u64,
        /// What it is.
        what: &'static str,
    },
    /// The file beside the messages can't be read.
    SideFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The number of hidden lines is more than there are; all are hidden.
    HiddenBeyondEnd {
        /// How many lines should have been hidden.
        skip: u64,
        /// How many there are.
        lines: u64,
    },
    /// The format has no place for something.
    NoPlace {
        /// What was left out or changed.
        what: String,
    },
}

impl Display for Remark {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { offset, len, kind, salvaged } => {
                write!(f, "{len} bytes at {offset} are no record ({kind})")?;
                match salvaged {
                    0 => Ok(()),
                    1 => write!(f, "; one whole record among them was taken"),
                    count => write!(f, "; {count} whole records among them were taken"),
                }
            }
            Self::Packed { len, reason } => {
                write!(f, "what is packed is damaged behind {len} unpacked bytes: {reason}")
            }
            Self::NotUtf8 { offset } => {
                write!(f, "the message at {offset} has bytes that are not UTF-8; each became U+FFFD")
            }
            Self::NotAMessage { offset, what } => write!(f, "{what} at {offset} is kept as a note"),
            Self::SideFile { path, reason } => write!(f, "{} can't be read: {reason}", path.display()),
            Self::HiddenBeyondEnd { skip, lines } => {
                write!(f, "{skip} lines were to be hidden and there are {lines}; all are")
            }
            Self::NoPlace { what } => f.write_str(what),
        }
    }
}
