//! Which ids have been given out, as ranges.

use std::collections::BTreeMap;

use crate::report::IdRange;

/// A set of ids. Nearly always one range; never more ranges than records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    // Invariant: first → last, not empty, with at least one id between two ranges.
    ranges: BTreeMap<u64, u64>,
}

impl Ids {
    /// Adds the ids from `first` to `last`. Returns whether none of them was there.
    pub(crate) fn add(&mut self, first: u64, last: u64) -> bool {
        let (mut low, mut high) = (first, last);
        let mut is_new = true;
        // All ranges that overlap or touch, from the one that begins last.
        while let Some((&start, &end)) = self.ranges.range(..=high.saturating_add(1)).next_back() {
            if end.saturating_add(1) < low {
                break;
            }
            is_new &= end < first || start > last;
            low = low.min(start);
            high = high.max(end);
            self.ranges.remove(&start);
        }
        self.ranges.insert(low, high);
        is_new
    }

    /// The greatest id, or 0.
    pub(crate) fn max(&self) -> u64 {
        self.ranges.last_key_value().map_or(0, |(_, last)| *last)
    }

    /// How many there are up to and with `last`.
    pub(crate) fn count_to(&self, last: u64) -> u64 {
        self.ranges.range(..=last).map(|(first, end)| (*end).min(last) - first + 1).sum()
    }

    /// The ranges between `after` and the greatest id in which there are none.
    pub(crate) fn gaps_after(&self, after: u64) -> Vec<IdRange> {
        let mut gaps = Vec::new();
        let mut next = after + 1;
        for (&first, &last) in &self.ranges {
            if first > next {
                gaps.push(IdRange::new(next, first - 1));
            }
            next = next.max(last + 1);
        }
        gaps
    }

    pub(crate) fn ranges(&self) -> impl Iterator<Item = IdRange> {
        self.ranges.iter().map(|(first, last)| IdRange::new(*first, *last))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn ranges_are_what_a_plain_set_is(added in proptest::collection::vec((1_u64..40, 0_u64..4), 0..30), after in 0_u64..45) {
            let mut ids = Ids::default();
            let mut plain = BTreeSet::new();
            for (first, more) in added {
                let range = first..=first + more;
                prop_assert_eq!(ids.add(first, first + more), range.clone().all(|id| !plain.contains(&id)));
                plain.extend(range);
            }
            prop_assert_eq!(ids.max(), plain.last().copied().unwrap_or(0));
            prop_assert_eq!(ids.count_to(after), plain.range(..=after).count() as u64);
            let gaps: BTreeSet<u64> = ids.gaps_after(after).iter().flat_map(|gap| gap.first..=gap.last).collect();
            let expected: BTreeSet<u64> =
                (after + 1..=ids.max()).filter(|id| !plain.contains(id)).collect();
            prop_assert_eq!(gaps, expected);
            // As few ranges as there can be.
            let ranges: Vec<_> = ids.ranges().collect();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
        }
    }
}
