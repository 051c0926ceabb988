//! How long who closes a batch waits for more.

use std::time::{Duration, Instant};

/// Waiting for less than this costs more than it saves: falling asleep and waking up take as long.
const WAIT_MIN: Duration = Duration::from_micros(20);

/// Nobody waits for longer than this, however long a disk that hung for a while took: those who are waited for may be gone.
const WAIT_MAX: Duration = Duration::from_millis(10);

/// Waiting in vain is followed by so many batches at most for which nobody waits.
const HASTE_MAX: u32 = 63;

/// How long who closes a batch waits for those of the batch before to come again; see [`GroupCommit`](crate::GroupCommit).
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// So many will be in this batch if all come.
    expected: usize,
    /// How long they are waited for; none before the first batch.
    until: Option<Instant>,
    /// For so many batches nobody waits.
    haste: u32,
    /// For so many it was when somebody last waited: more each time in vain, and fewer otherwise.
    last_haste: u32,
}

impl Patience {
    /// Of a batch of so many, which took so long; so many have joined the next one already.
    pub(crate) fn after_batch(&mut self, joined: usize, took: Duration, next_joined: usize) {
        let wait = (took / 2).min(WAIT_MAX);
        self.expected = next_joined.saturating_add(joined);
        self.until = Instant::now().checked_add(wait).filter(|_| wait >= WAIT_MIN);
    }

    /// Until when who closes a batch of so many waits; `None` where that is not worth it. Whoever has waited says so with
    /// [`after_waiting`](Self::after_waiting).
    pub(crate) fn until(&mut self, joined: usize) -> Option<Instant> {
        let until = self.until.filter(|until| *until > Instant::now())?;
        if self.is_enough(joined) {
            return None;
        }
        if self.haste > 0 {
            self.haste -= 1;
            return None;
        }
        Some(until)
    }

    /// Whether nobody else is waited for in a batch of so many.
    pub(crate) fn is_enough(&self, joined: usize) -> bool {
        joined >= self.expected
    }

    /// In a batch of so many, somebody has waited, and it has become so many.
    pub(crate) fn after_waiting(&mut self, before: usize, joined: usize) {
        let (came, missing) = (joined.saturating_sub(before), self.expected.saturating_sub(before));
        let was_in_vain = came.saturating_mul(2) < missing;
        let next = if was_in_vain { 2 * self.last_haste + 1 } else { self.last_haste / 2 };
        self.last_haste = next.min(HASTE_MAX);
        self.haste = self.last_haste;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    impl Patience {
        /// So many are expected, and there is all the time in the world.
        pub(crate) fn expect(&mut self, count: usize) {
            self.expect_for(count, LONG);
        }

        pub(crate) fn expect_for(&mut self, count: usize, time: Duration) {
            (self.expected, self.until) = (count, Some(Instant::now() + time));
        }
    }

    #[test]
    fn nobody_waits_for_long_after_a_disk_hung() {
        let mut patience = Patience::default();
        patience.after_batch(2, LONG, 0);
        // If it is over already, so much the better.
        assert!(patience.until(1).is_none_or(|until| until <= Instant::now() + WAIT_MAX));
        assert!(patience.until.unwrap() <= Instant::now() + WAIT_MAX);
    }

    #[test]
    fn nobody_waits_who_is_alone_or_comes_late_or_where_it_is_quick() {
        let mut patience = Patience::default();
        patience.expect(1);
        assert_eq!(patience.until(1), None);
        patience.after_batch(100, Duration::from_micros(39), 0);
        assert_eq!(patience.until(1), None);
        patience.after_batch(100, Duration::from_millis(2), 0);
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(patience.until(1), None);
        patience.expect(2);
        assert!(patience.until(1).is_some());
    }

    #[test]
    fn waiting_in_vain_is_followed_by_haste_which_grows_and_shrinks() {
        let mut patience = Patience::default();
        // How often nobody waits from now on.
        let haste = |patience: &mut Patience| {
            patience.expect(5);
            (0..).take_while(|_| patience.until(1).is_none()).count()
        };
        for (joined, expected) in
            [(5, 0), (2, 1), (1, 3), (2, 7), (3, 3), (1, 7), (1, 15), (1, 31), (1, 63), (1, 63), (4, 31)]
        {
            patience.expect(5);
            patience.after_waiting(1, joined);
            assert_eq!(haste(&mut patience), expected, "{joined}");
        }
    }
}
