//! Which items there are, where they stand, and what became of them: a fold over the records, by pure functions.
//!
//! Of each item the index keeps 32 bytes; what it says stays in the file. Records are applied in the order of the
//! file, and what kills an item (a tombstone, a successor) kills only what stands before it: a tombstone for an id
//! that was not given out yet does nothing to the item that gets it later.

use crate::ids::Ids;
use crate::record::{Accepted, Glance, Kind, What};
use crate::report::{IdRange, Loss, OddKind, Oddity, Report};

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// It is remembered, unless it has expired by now.
    Active,
    /// A tombstone stands behind it.
    Forgotten,
    /// Another item took its place.
    Superseded,
    /// Another item was given the same id, and is shown instead.
    Repeated,
}

/// An item, as far as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) id: u64,
    pub(crate) offset: u64,
    /// Milliseconds since 1970, or [`NO_TIME`](crate::record::NO_TIME).
    pub(crate) ts: i64,
    /// Of its content, for duplicates.
    pub(crate) hash: u32,
    pub(crate) kind: Kind,
    pub(crate) fate: Fate,
    /// Whether `expiries` has it.
    pub(crate) expires: bool,
}

/// A record that kills an item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    target: u64,
    by: Fate,
    id: Option<u64>,
    offset: u64,
}

/// What a part of a log holds, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Part {
    slots: Vec<Slot>,
    kills: Vec<Kill>,
    expiries: Vec<(u64, i64)>,
    /// Ids of records that are no items, with their offsets.
    others: Vec<(u64, u64)>,
    /// All ids, in runs as they came.
    runs: Vec<(u64, u64)>,
    compacted: Option<(u64, u64)>,
    accepted: Option<Accepted>,
    has_header: bool,
    has_own: bool,
    pub(crate) report: Report,
}

impl Part {
    /// Takes a record whose text begins at `offset`.
    pub(crate) fn take(&mut self, offset: u64, glance: Glance) {
        self.report.records += 1;
        let Glance { id, what, ts, odd } = glance;
        for kind in odd {
            self.report.add_odd(Oddity { offset, id, kind });
        }
        if let Some(id) = id {
            match self.runs.last_mut() {
                Some((_, last)) if *last + 1 == id => *last = id,
                _ => self.runs.push((id, id)),
            }
        }
        self.has_own |= !matches!(what, What::Other);
        match (id, what) {
            (_, What::Header) => self.has_header = true,
            (Some(id), What::Item { kind, hash, supersedes, expires }) => {
                if let Some(target) = supersedes {
                    self.kills.push(Kill { target, by: Fate::Superseded, id: Some(id), offset });
                }
                self.expiries.extend(expires.map(|expires| (offset, expires)));
                let expires = expires.is_some();
                self.slots.push(Slot { id, offset, ts, hash, kind, fate: Fate::Active, expires });
                return;
            }
            // A tombstone without an id still says that something is to be forgotten.
            (id, What::Forget { target }) => match target {
                Some(target) => self.kills.push(Kill { target, by: Fate::Forgotten, id, offset }),
                None => self.report.add_odd(Oddity { offset, id, kind: OddKind::NoTarget }),
            },
            (Some(id), What::Compacted { kept }) => self.compacted = Some((id, kept)),
            (Some(_), What::Accepted(accepted)) => self.accepted = Some(accepted),
            _ => {}
        }
        if let Some(id) = id {
            self.others.push((id, offset));
        }
    }

    /// A record that is JSON but no object.
    pub(crate) fn take_other_json(&mut self, offset: u64) {
        self.report.records += 1;
        self.report.add_odd(Oddity { offset, id: None, kind: OddKind::NotAnObject });
    }
}

/// The items of a memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    // Invariant, after `settle`: sorted by id, then by offset.
    pub(crate) slots: Vec<Slot>,
    /// Offset of an item, and the millisecond from which on it is no longer active. Sorted by offset.
    pub(crate) expiries: Vec<(u64, i64)>,
    pub(crate) ids: Ids,
    /// The last compaction: its id, and how many records it kept.
    pub(crate) compacted: Option<(u64, u64)>,
    pub(crate) accepted: Accepted,
    pub(crate) has_header: bool,
    /// Whether there is any record of a kind that only a memory has.
    pub(crate) has_own: bool,
    pub(crate) report: Report,
    /// Everything before has been looked at.
    pub(crate) end: u64,
    /// The last record lacks its newline, so it may still be growing.
    pub(crate) is_provisional: bool,
    /// What is to be applied when the records are in order: empty after `settle`.
    pub(crate) kills: Vec<Kill>,
    pub(crate) is_unsorted: bool,
}

impl Index {
    /// Applies what stands behind everything that was applied so far.
    pub(crate) fn absorb(&mut self, part: Part) {
        self.report.append(part.report);
        let is_new = part.runs.first().is_none_or(|(first, _)| *first > self.ids.max())
            && part.runs.windows(2).all(|pair| pair[0].1 < pair[1].0);
        if is_new {
            for (first, last) in &part.runs {
                self.ids.add(*first, *last);
            }
        } else {
            // One by one, to say which of them were given out before.
            let items = part.slots.iter().map(|slot| (slot.id, slot.offset));
            let mut all: Vec<(u64, u64)> = items.chain(part.others.iter().copied()).collect();
            all.sort_unstable_by_key(|(_, offset)| *offset);
            for (id, offset) in all {
                if !self.ids.add(id, id) {
                    self.report.add_odd(Oddity { offset, id: Some(id), kind: OddKind::RepeatedId });
                }
            }
        }
        let ordered = part.slots.is_sorted_by(|a, b| a.id < b.id);
        let follows = match (self.slots.last(), part.slots.first()) {
            (Some(last), Some(first)) => last.id < first.id,
            _ => true,
        };
        self.is_unsorted |= !ordered || !follows;
        if self.slots.is_empty() {
            self.slots = part.slots;
        } else {
            self.slots.extend(part.slots);
        }
        self.kills.extend(part.kills);
        self.expiries.extend(part.expiries);
        self.compacted = part.compacted.or(self.compacted);
        self.accepted = part.accepted.unwrap_or_else(|| std::mem::take(&mut self.accepted));
        self.has_header |= part.has_header;
        self.has_own |= part.has_own;
    }

    /// Lets the tombstones and successors among what was absorbed do their work.
    pub(crate) fn settle(&mut self) {
        if std::mem::take(&mut self.is_unsorted) {
            // Stable: those with the same id stay in the order of the file.
            self.slots.sort_by_key(|slot| slot.id);
            for index in 1..self.slots.len() {
                if self.slots[index - 1].id == self.slots[index].id
                    && self.slots[index - 1].fate == Fate::Active
                {
                    // Whether a tombstone stood between the two, it says below.
                    self.slots[index - 1].fate = Fate::Repeated;
                }
            }
        }
        for kill in std::mem::take(&mut self.kills) {
            let first = self.slots.partition_point(|slot| slot.id < kill.target);
            let mut found = false;
            for slot in self.slots[first..].iter_mut().take_while(|slot| slot.id == kill.target) {
                if slot.offset < kill.offset {
                    found = true;
                    if slot.fate == Fate::Active {
                        slot.fate = kill.by;
                    }
                }
            }
            // What compaction has taken out is gone for a reason.
            let was_compacted = self.compacted.is_some_and(|(id, _)| kill.target < id);
            if !found && !was_compacted {
                self.report.add_odd(Oddity { offset: kill.offset, id: kill.id, kind: OddKind::NoTarget });
            }
        }
    }

    /// One record that was just appended at `offset`, before `end`.
    pub(crate) fn push(&mut self, offset: u64, end: u64, glance: Glance) {
        let mut part = Part::default();
        part.take(offset, glance);
        self.absorb(part);
        self.settle();
        self.end = end;
    }

    /// The next id that nobody has had, or `None` where there are no more. That of a torn record was told to nobody.
    pub(crate) fn next_id(&self) -> Option<u64> {
        let last = self.ids.max();
        (last < crate::record::ID_MAX).then_some(last + 1)
    }

    /// The item that is shown under an id, active or not.
    pub(crate) fn slot(&self, id: u64) -> Option<&Slot> {
        let behind = self.slots.partition_point(|slot| slot.id <= id);
        self.slots[..behind].last().filter(|slot| slot.id == id)
    }

    /// Whether the item has expired at a time.
    pub(crate) fn is_expired(&self, slot: &Slot, now: i64) -> bool {
        self.expiry(slot).is_some_and(|expires| expires <= now)
    }

    fn expiry(&self, slot: &Slot) -> Option<i64> {
        if !slot.expires {
            return None;
        }
        let at = self.expiries.binary_search_by_key(&slot.offset, |(offset, _)| *offset).ok()?;
        Some(self.expiries[at].1)
    }

    pub(crate) fn is_active(&self, slot: &Slot, now: i64) -> bool {
        slot.fate == Fate::Active && !self.is_expired(slot, now)
    }

    /// The ids that are not there, whether or not somebody has accepted that.
    pub(crate) fn gaps(&self) -> Vec<IdRange> {
        self.ids.gaps_after(self.compacted.map_or(0, |(id, _)| id))
    }

    /// What is missing, beside what somebody has accepted.
    pub(crate) fn loss(&self) -> Loss {
        let mut accepted: Vec<IdRange> = self.accepted.missing.clone();
        accepted.sort_unstable_by_key(|range| range.first);
        let missing = self.gaps().into_iter().flat_map(|gap| without(gap, &accepted)).collect();
        let damaged = self.report.damaged.saturating_sub(self.accepted.damaged);
        let is_lost = |damage: &&jsonl_core::Damage| {
            use jsonl_core::DamageKind::{NulRun, Torn};
            damage.salvage.is_empty() && !matches!(damage.kind, Torn | NulRun)
        };
        let damage = self.report.damages.iter().find(is_lost).filter(|_| damaged > 0);
        Loss {
            missing,
            missing_of_compacted: self
                .missing_of_compacted()
                .saturating_sub(self.accepted.missing_of_compacted),
            damaged,
            damage: damage.cloned().map(Box::new),
        }
    }

    /// Records that the last compaction kept and that are gone.
    pub(crate) fn missing_of_compacted(&self) -> u64 {
        // The record that says so is one more.
        self.compacted.map_or(0, |(id, kept)| kept.saturating_add(1).saturating_sub(self.ids.count_to(id)))
    }
}

/// What of a range is in none of the others, which are sorted by where they begin.
fn without(range: IdRange, others: &[IdRange]) -> Vec<IdRange> {
    let mut rest = Vec::new();
    let mut next = range.first;
    for other in others.iter().filter(|other| other.last >= range.first) {
        if other.first > range.last {
            break;
        }
        if other.first > next {
            rest.push(IdRange::new(next, other.first - 1));
        }
        next = next.max(other.last.saturating_add(1));
    }
    if next <= range.last {
        rest.push(IdRange::new(next, range.last));
    }
    rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_was_accepted_is_taken_out(first in 1_u64..20, more in 0_u64..20, others in proptest::collection::vec((1_u64..40, 0_u64..6), 0..6)) {
            let range = IdRange::new(first, first + more);
            let mut others: Vec<IdRange> = others.into_iter().map(|(first, more)| IdRange::new(first, first + more)).collect();
            others.sort_unstable_by_key(|range| range.first);
            let rest: Vec<u64> = without(range, &others).iter().flat_map(|range| range.first..=range.last).collect();
            let taken: BTreeSet<u64> = others.iter().flat_map(|range| range.first..=range.last).collect();
            let expected: Vec<u64> = (first..=first + more).filter(|id| !taken.contains(id)).collect();
            prop_assert_eq!(rest, expected);
        }
    }
}
