//! Which items are meant.

use std::time::SystemTime;

use crate::index::Slot;
use crate::record::{Item, Kind, NO_TIME};
use crate::time;

/// Which items are meant: those to which everything applies that was asked for. All, without anything.
///
/// ```
/// use annals_memory::{Filter, Kind};
///
/// let filter = Filter::new().kind(Kind::Pref).text("tabs").limit(10);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Filter {
    kinds: Vec<Kind>,
    tags: Vec<String>,
    /// In lower case.
    text: Option<String>,
    source: Option<String>,
    since: Option<i64>,
    until: Option<i64>,
    pub(crate) limit: Option<usize>,
}

impl Filter {
    /// All items.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this kind, or another one that was named. By default of any.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// With this tag, and all others that were named.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// With this text in their content; upper and lower case are the same.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.text = Some(text.to_lowercase());
        self
    }

    /// From this source, or from a part of it: `summarize` means `summarize:2026-05-09T23-16-07Z.jsonl`, too.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Remembered at this time or later. Items without a time are then not meant.
    #[must_use]
    pub fn since(mut self, since: SystemTime) -> Self {
        self.since = Some(time::millis(since));
        self
    }

    /// Remembered before this time. Items without a time are then not meant.
    #[must_use]
    pub fn until(mut self, until: SystemTime) -> Self {
        self.until = Some(time::millis(until));
        self
    }

    /// At most so many, the newest.
    #[must_use]
    pub fn limit(mut self, count: usize) -> Self {
        self.limit = Some(count);
        self
    }

    /// What can be said without reading the item.
    pub(crate) fn may_be(&self, slot: &Slot) -> bool {
        let in_time = self.since.is_none_or(|since| slot.ts >= since)
            && self.until.is_none_or(|until| slot.ts < until)
            && (slot.ts != NO_TIME || (self.since.is_none() && self.until.is_none()));
        in_time && (self.kinds.is_empty() || self.kinds.contains(&slot.kind))
    }

    /// Whether the item has to be read to say.
    pub(crate) fn looks_inside(&self) -> bool {
        !self.tags.is_empty() || self.text.is_some() || self.source.is_some()
    }

    /// Whether an item is meant, of those that may be.
    pub(crate) fn is(&self, item: &Item) -> bool {
        let source_is = |wanted: &String| {
            let source = item.source.as_deref().unwrap_or_default();
            source.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        self.tags.iter().all(|tag| item.tags.contains(tag))
            && self.text.as_ref().is_none_or(|text| item.content.to_lowercase().contains(text.as_str()))
            && self.source.as_ref().is_none_or(source_is)
    }
}
