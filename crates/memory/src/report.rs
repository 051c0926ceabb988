//! What in a memory is not as it should be.

use std::fmt::{self, Display, Formatter};

use jsonl_core::Damage;
use serde::{Deserialize, Serialize};

/// Details of so many oddities and damages are kept. Counting goes on after it.
pub const DETAILS_KEPT: usize = 1000;

/// Everything that was found in a memory beside good items and tombstones.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Lines that are records, whatever they say.
    pub records: u64,
    /// Records with something odd about them: nothing is lost, but somebody should know.
    pub odd: u64,
    /// The first oddities that were read. Those in front of a checkpoint are counted, not described: reading the
    /// whole memory describes them ([`View::verify`](crate::View::verify)).
    pub oddities: Vec<Oddity>,
    /// Beginnings of records that were never completed, or NULs in their place: nobody was told that they were
    /// kept.
    pub torn: u64,
    /// Lines that may have been records once.
    pub damaged: u64,
    /// Lines in which two records were glued together, and could be told apart.
    pub fused: u64,
    /// The first torn, damaged and fused lines that were read.
    pub damages: Vec<Damage>,
}

impl Report {
    /// Whether there was nothing to say.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.odd + self.torn + self.damaged + self.fused == 0
    }

    pub(crate) fn add_odd(&mut self, oddity: Oddity) {
        self.odd += 1;
        if self.oddities.len() < DETAILS_KEPT {
            self.oddities.push(oddity);
        }
    }

    pub(crate) fn add_damage(&mut self, damage: Damage) {
        if self.damages.len() < DETAILS_KEPT {
            self.damages.push(damage);
        }
    }

    /// Adds what was found behind this.
    pub(crate) fn append(&mut self, next: Self) {
        self.records += next.records;
        self.odd += next.odd;
        self.torn += next.torn;
        self.damaged += next.damaged;
        self.fused += next.fused;
        self.oddities.extend(next.oddities);
        self.oddities.truncate(DETAILS_KEPT);
        self.damages.extend(next.damages);
        self.damages.truncate(DETAILS_KEPT);
    }
}

/// A record with something odd about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Oddity {
    /// Where its line begins.
    pub offset: u64,
    /// Its id, where it has one.
    pub id: Option<u64>,
    /// What is odd.
    pub kind: OddKind,
}

/// What is odd about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OddKind {
    /// A number, string, array or literal instead of an object.
    NotAnObject,
    /// No id, so it is not an item.
    NoId,
    /// The id is no whole number from 1 to 2^53, so it is not an item.
    BadId,
    /// The id is a number in quotes, or written as a fraction. It is taken for the number.
    LooseId,
    /// The id was given out before. Of items, the last one is shown.
    RepeatedId,
    /// A kind that nobody knows, so it is not an item.
    UnknownKind,
    /// No time, or no time that can be read. Such items are listed last.
    NoTime,
    /// No content, or content that is not text.
    NoContent,
    /// Tags or a source that are not text.
    BadLabel,
    /// A tombstone, or a successor, for an item that was not there when it was written. It kills nothing.
    NoTarget,
    /// An expiry that is no time. The item does not expire.
    BadExpiry,
}

impl Display for OddKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "not an object",
            Self::NoId => "no id",
            Self::BadId => "an id that is no whole number from 1 on",
            Self::LooseId => "an id in quotes, or written as a fraction",
            Self::RepeatedId => "an id that was given out before",
            Self::UnknownKind => "an unknown kind",
            Self::NoTime => "no time",
            Self::NoContent => "no text for content",
            Self::BadLabel => "tags or a source that are no text",
            Self::NoTarget => "a target that was not there",
            Self::BadExpiry => "an expiry that is no time",
        })
    }
}

impl Display for Oddity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "offset {}, id {id}: {}", self.offset, self.kind),
            None => write!(f, "offset {}: {}", self.offset, self.kind),
        }
    }
}

/// Ids from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
#[non_exhaustive]
pub struct IdRange {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

impl IdRange {
    pub(crate) fn new(first: u64, last: u64) -> Self {
        Self { first, last }
    }
}

impl From<(u64, u64)> for IdRange {
    fn from((first, last): (u64, u64)) -> Self {
        Self { first, last }
    }
}

impl From<IdRange> for (u64, u64) {
    fn from(range: IdRange) -> Self {
        (range.first, range.last)
    }
}

/// Records that were there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// Ids that were given out and that no record has.
    pub missing: Vec<IdRange>,
    /// Records that the last compaction kept and that are gone; nobody knows which.
    pub missing_of_compacted: u64,
    /// Damaged lines that may have been records.
    pub damaged: u64,
    /// The first of those that was read.
    pub damage: Option<Box<Damage>>,
}

impl Loss {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.missing_of_compacted == 0 && self.damaged == 0
    }
}

/// So many ranges are named in a message.
const RANGES_NAMED: usize = 8;

impl Display for Loss {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            let named = self.missing.iter().take(RANGES_NAMED).map(|range| match range {
                IdRange { first, last } if first == last => first.to_string(),
                IdRange { first, last } => format!("{first}-{last}"),
            });
            let mut text = format!("no record has the ids {}", named.collect::<Vec<_>>().join(", "));
            if self.missing.len() > RANGES_NAMED {
                text += &format!(" and {} more ranges", self.missing.len() - RANGES_NAMED);
            }
            parts.push(text);
        }
        if self.missing_of_compacted > 0 {
            parts.push(format!("{} of the compacted records are gone", self.missing_of_compacted));
        }
        if self.damaged > 0 {
            let mut text = match self.damaged {
                1 => String::from("1 damaged line may have been a record"),
                count => format!("{count} damaged lines may have been records"),
            };
            if let Some(damage) = &self.damage {
                text += &format!(" ({damage})");
            }
            parts.push(text);
        }
        f.write_str(&parts.join("; "))
    }
}
