//! A memory as it is at a moment, for reading. Takes no lock.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

use jsonl_core::{Log, ReadOptions, Span, scan};

use crate::checkpoint;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::fold::{self, Writers};
use crate::index::{Fate, Index, Slot};
use crate::options::MemoryOptions;
use crate::record::{self, Item, What};
use crate::render::{Render, Rendered};
use crate::report::Report;
use crate::time;

/// First read of a record at an offset; longer ones are read further.
const RECORD_LEN: u64 = 1 << 10;

/// More damaged lines, and nothing else, are something else than what is left of a memory.
const DAMAGED_MAX: u64 = 10;

/// Up to so many items are read one by one; more, in one pass over the log.
const FEW: usize = 512;

/// A memory as it was when it was opened or last refreshed.
#[derive(Debug)]
pub struct View {
    pub(crate) log: Log,
    pub(crate) index: Index,
    pub(crate) options: MemoryOptions,
    /// Items from here on are not acknowledged yet.
    pub(crate) visible: u64,
}

/// Something that happened to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// It was remembered; and what has become of it since.
    Remembered(Box<Item>, Fate),
    /// It was forgotten.
    Forgotten {
        /// The tombstone's own id.
        id: Option<u64>,
        /// When.
        time: Option<SystemTime>,
    },
    /// Another item took its place.
    Superseded {
        /// The item that did.
        by: Box<Item>,
    },
}

impl View {
    /// Opens a memory for reading with the default options; see [`MemoryOptions::view`].
    ///
    /// # Errors
    ///
    /// As [`MemoryOptions::view`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        MemoryOptions::new().view(path)
    }

    /// The index of a whole log, by its checkpoint if that fits.
    pub(crate) fn build(log: Log, options: &MemoryOptions, writers: Writers) -> Result<Self> {
        let known = if options.checkpoint { checkpoint::load(&log) } else { None };
        let is_known = known.is_some();
        let mut index = known.unwrap_or_default();
        match fold::extend(&mut index, &log, options, writers) {
            // It didn't fit after all.
            Err(_) if is_known => {
                index = Index::default();
                fold::extend(&mut index, &log, options, writers)?;
            }
            extended => extended?,
        }
        Ok(Self { log, index, options: options.clone(), visible: u64::MAX })
    }

    /// An error where something is missing.
    pub(crate) fn complete(self) -> Result<Self> {
        let loss = self.index.loss();
        if loss.is_empty() || self.options.accept_loss {
            return Ok(self);
        }
        Err(Error::Incomplete { path: self.log.path().to_owned(), loss: Box::new(loss) })
    }

    /// Looks whether this may be a memory at all, as everybody does who is about to write to it: somebody may have mistyped a path.
    ///
    /// # Errors
    ///
    /// [`Error::NotAMemory`] if there are records or more than ten damaged lines, and not one record of a kind that a memory has.
    pub fn require_memory(&self) -> Result<()> {
        let Report { records, damaged, .. } = self.index.report;
        // Of a memory that has just begun, a power cut may have left a line of anything.
        if self.index.has_own || (records == 0 && damaged <= DAMAGED_MAX) {
            return Ok(());
        }
        Err(Error::NotAMemory { path: self.log.path().to_owned(), lines: records + damaged })
    }

    /// The path it was opened with.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.log.path()
    }

    /// Looks at what has been appended since. Costs what is new, unless the log was replaced.
    ///
    /// # Errors
    ///
    /// As [`MemoryOptions::view`]. The view is then as it was.
    pub fn refresh(&mut self) -> Result<()> {
        let log = self.options.read_options().open(self.log.path())?;
        let same = log.cursor_at(self.index.end).ok() == self.log.cursor_at(self.index.end).ok();
        let known = same && !self.index.is_provisional && log.len() >= self.index.end;
        let next = if known {
            let mut index = self.index.clone();
            match fold::extend(&mut index, &log, &self.options, Writers::Possible) {
                Ok(()) => Self { log, index, options: self.options.clone(), visible: u64::MAX },
                Err(_) => Self::build(log, &self.options, Writers::Possible)?,
            }
        } else {
            Self::build(log, &self.options, Writers::Possible)?
        };
        *self = next.complete()?;
        Ok(())
    }

    /// What is odd or damaged, as far as opening had to read.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.index.report
    }

    /// Reads the whole log again, believing no checkpoint, and says everything that is odd, damaged or missing.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails; [`Error::Incomplete`] is not among them: see [`Verified::loss`].
    pub fn verify(&self) -> Result<Verified> {
        let mut index = Index::default();
        fold::extend(&mut index, &self.log, &self.options, Writers::Possible)?;
        let loss = index.loss();
        let active = index.slots.iter().filter(|slot| slot.fate == Fate::Active).count();
        Ok(Verified {
            items: index.slots.len(),
            active,
            next_id: index.next_id(),
            loss,
            report: index.report,
        })
    }

    /// How many items are active.
    #[must_use]
    pub fn count(&self) -> usize {
        let now = self.now();
        self.index.slots.iter().filter(|slot| self.is_active(slot, now)).count()
    }

    /// The active item with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn get(&self, id: u64) -> Result<Option<Item>> {
        match self.index.slot(id).filter(|slot| self.is_active(slot, self.now())) {
            Some(slot) => self.item_at(slot).map(Some),
            None => Ok(None),
        }
    }

    /// The active items that a filter means, newest first; those of one second by their ids, the greatest first;
    /// those without a time last.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn active(&self, filter: &Filter) -> Result<Vec<Item>> {
        let now = self.now();
        let is_meant = |slot: &&Slot| self.is_active(slot, now) && filter.may_be(slot);
        // From the greatest id, which is nearly always the order already.
        let mut slots: Vec<&Slot> = self.index.slots.iter().rev().filter(is_meant).collect();
        slots.sort_by_key(|slot| Reverse(slot.ts));
        let limit = filter.limit.unwrap_or(usize::MAX);
        if !filter.looks_inside() {
            slots.truncate(limit);
        }
        let mut items = self.items(&slots, filter)?;
        items.truncate(limit);
        Ok(items)
    }

    /// The active items as a block of text for a prompt, newest first.
    ///
    /// # Errors
    ///
    /// As [`active`](Self::active).
    pub fn render(&self, render: &Render) -> Result<Rendered> {
        Ok(render.text(self.active(&render.filter)?))
    }

    /// Everything that happened to the items of an id, in the order of the file. Reads the whole log.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn history(&self, id: u64) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        let fates: Vec<(u64, Fate)> = self
            .index
            .slots
            .iter()
            .filter(|slot| slot.id == id)
            .map(|slot| (slot.offset, slot.fate))
            .collect();
        self.log.try_chunks(
            |chunk| {
                let mut found = Vec::new();
                for line in chunk.lines() {
                    let offset = chunk.offset + line.offset as u64;
                    if offset >= self.visible {
                        break;
                    }
                    found.extend(texts(&self.log, offset, line.bytes)?.into_iter().filter_map(
                        |(at, text)| {
                            let step = step_of(id, at, &text, &fates)?;
                            Some(step)
                        },
                    ));
                }
                Ok::<_, Error>(found)
            },
            |found, _| steps.extend(found),
        )?;
        Ok(steps)
    }

    fn is_active(&self, slot: &Slot, now: i64) -> bool {
        slot.offset < self.visible && self.index.is_active(slot, now)
    }

    pub(crate) fn now(&self) -> i64 {
        time::millis((self.options.clock)())
    }

    /// The items of slots, in their order, as far as a filter means them.
    fn items(&self, slots: &[&Slot], filter: &Filter) -> Result<Vec<Item>> {
        if slots.len() <= FEW {
            let items = slots.iter().map(|slot| self.item_at(slot)).filter(|item| match item {
                Ok(item) => filter.is(item),
                Err(_) => true,
            });
            return items.collect();
        }
        // By offset, each with its place in the result.
        let mut wanted: Vec<(u64, usize)> =
            (0..).zip(slots).map(|(place, slot)| (slot.offset, place)).collect();
        wanted.sort_unstable();
        let mut found: Vec<(usize, Item)> = Vec::new();
        let mut read = 0;
        self.log.chunks(
            |chunk| {
                let end = chunk.offset + chunk.bytes.len() as u64;
                let from = wanted.partition_point(|(offset, _)| *offset < chunk.offset);
                let here = wanted[from..].iter().take_while(|(offset, _)| *offset < end);
                let mut count = 0;
                let mut items = Vec::new();
                for (offset, place) in here {
                    let rest = chunk.bytes.get((offset - chunk.offset) as usize..).unwrap_or_default();
                    if let Some(item) = text_at(rest).and_then(record::item) {
                        count += usize::from(item.id == slots[*place].id);
                        if filter.is(&item) {
                            items.push((*place, item));
                        }
                    }
                }
                (count, items)
            },
            |(count, items), _| {
                read += count;
                found.extend(items);
                ControlFlow::Continue(())
            },
        )?;
        if read != slots.len() {
            return Err(self.stale(self.index.end));
        }
        found.sort_unstable_by_key(|(place, _)| *place);
        Ok(found.into_iter().map(|(_, item)| item).collect())
    }

    pub(crate) fn item_at(&self, slot: &Slot) -> Result<Item> {
        let item = record::item(&self.text_at(slot.offset)?);
        item.filter(|item| item.id == slot.id).ok_or_else(|| self.stale(slot.offset))
    }

    /// The record whose text begins at an offset.
    pub(crate) fn text_at(&self, offset: u64) -> Result<Vec<u8>> {
        let left = self.log.len().saturating_sub(offset);
        let mut len = RECORD_LEN.min(left);
        loop {
            let mut bytes = self.log.read(Span { offset, len })?;
            if let Some(text) = text_at(&bytes).map(<[u8]>::len) {
                bytes.truncate(text);
                return Ok(bytes);
            }
            if len == left {
                return Err(self.stale(offset));
            }
            len = (len * 8).min(left);
        }
    }

    fn stale(&self, offset: u64) -> Error {
        jsonl_core::Error::StaleCursor { path: self.log.path().to_owned(), offset }.into()
    }
}

/// What a whole look at a memory found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// Items that were ever remembered and are still in the file.
    pub items: usize,
    /// Those that nobody has forgotten or replaced, whether or not they have expired.
    pub active: usize,
    /// The id that the next record gets; `None` where there are no more.
    pub next_id: Option<u64>,
    /// What is missing.
    pub loss: crate::report::Loss,
    /// What is odd or damaged.
    pub report: Report,
}

/// The record at the beginning of some bytes, where it is whole.
fn text_at(bytes: &[u8]) -> Option<&[u8]> {
    // The record may stand behind a fragment, but never goes on behind its line.
    let line = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes, |at| &bytes[..at]);
    let end = scan::value_end(line, 0, scan::NESTING_MAX).ok()?;
    bytes.get(..end)
}

/// The records of a line with their offsets; of a fused one, those that can be told apart.
fn texts(log: &Log, offset: u64, line: &[u8]) -> Result<Vec<(u64, Vec<u8>)>> {
    let (at, text) = record::of_line(offset, line);
    if jsonl_core::verdict::judge(text, false) == (jsonl_core::Verdict::Record { sealed: false })
        || jsonl_core::checksum::check(text.strip_suffix(b"\r").unwrap_or(text))
            == jsonl_core::checksum::Seal::Good
    {
        return Ok(vec![(at, text.to_vec())]);
    }
    let mut found = Vec::new();
    let alone = log.part(Span { offset, len: (line.len() as u64 + 1).min(log.len() - offset) })?;
    for line in alone.lines() {
        if let Err(damage) = line?.parse::<serde::de::IgnoredAny>() {
            for span in &damage.salvage {
                found.push((span.offset, log.read(*span)?));
            }
        }
    }
    Ok(found)
}

/// What a record says about an id, if anything.
fn step_of(id: u64, offset: u64, text: &[u8], fates: &[(u64, Fate)]) -> Option<Step> {
    let glance = record::glance(text)?;
    match glance.what {
        What::Forget { target: Some(target) } if target == id => {
            Some(Step::Forgotten { id: glance.id, time: time::from_millis(glance.ts) })
        }
        What::Item { .. } if glance.id == Some(id) => {
            let (_, fate) = fates.iter().find(|(at, _)| *at == offset)?;
            Some(Step::Remembered(Box::new(record::item(text)?), *fate))
        }
        What::Item { supersedes: Some(target), .. } if target == id => {
            Some(Step::Superseded { by: Box::new(record::item(text)?) })
        }
        _ => None,
    }
}

impl MemoryOptions {
    /// How the log is read.
    pub(crate) fn read_options(&self) -> ReadOptions {
        ReadOptions::new().threads(self.threads).max_line_len(self.max_line_len)
    }
}
