//! Group commit: threads that wait for the disk at the same time share one write and one sync.
//!
//! Work gathers in a batch. The first thread to join one leads it: it waits until the batch before is done, and then for those of the
//! batch before, where that is worth it ([`Patience`]); where it isn't, the disk is busy while they run. Whoever is the last of them closes the
//! batch, commits it, lets the next one go on, and wakes those who joined it. The others wait for the result and for nothing else: one call of
//! the kernel wakes all of them, and none has to take a lock again.

use std::fmt::{self, Debug, Formatter};
use std::mem;
use std::sync::{Arc, Condvar, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::mutex::Mutex;
use crate::patience::Patience;

/// Lets threads share what is slow, such as a sync: [`Writer::append`](crate::Writer::append) does so, and so can whoever has more to do for a record
/// than to append it. `B` is what gathers, `R` how a batch ended, for all who joined it.
///
/// A batch is committed by one of those who joined it, while others gather in the next one. Of threads that come one time after the
/// other, half would be in each batch, and wait for two of them; so who closes a batch waits for those who have just been told of
/// theirs. That takes half as long as the batch before took, at most, and at most 10 ms, counted from its end: who comes now
/// and then never waits, and neither does a thread that is alone. Where few come, nobody waits the next times, which are more each
/// time.
///
/// ```
/// use std::thread;
/// use jsonl_core::GroupCommit;
///
/// let group: GroupCommit<Vec<usize>, usize> = GroupCommit::default();
/// thread::scope(|scope| {
///     for number in 0..8 {
///         let group = &group;
///         scope.spawn(move || {
///             let join = |batch: &mut Vec<usize>| batch.push(number);
///             let commit = |batch: &mut Vec<usize>| batch.drain(..).count();
///             let shared = group.submit(|batch| batch.len() < 100, join, commit, |done, ()| done.copied());
///             assert!(shared.is_some_and(|count| count >= 1));
///         });
///     }
/// });
/// ```
pub struct GroupCommit<B, R> {
    gathering: Mutex<Gathering<B, R>>,
    /// Something has changed for who leads, or wants to be alone.
    changed: Condvar,
}

struct Gathering<B, R> {
    batch: B,
    /// One that has been committed, and is empty.
    spare: Option<B>,
    done: Arc<Done<R>>,
    /// How many are in it.
    joined: usize,
    /// How many there were when its leader began to wait for more, if it does.
    waited_from: Option<usize>,
    /// It had no room for somebody.
    is_full: bool,
    /// A batch is being committed, or somebody is alone.
    is_under_way: bool,
    /// How many wait to be told of a change.
    waiting: usize,
    patience: Patience,
}

/// How a batch ended; `None` if whoever committed it panicked.
type Done<R> = OnceLock<Option<R>>;

impl<B: Default, R> Default for GroupCommit<B, R> {
    fn default() -> Self {
        Self {
            gathering: Mutex::new(Gathering {
                batch: B::default(),
                spare: None,
                done: Arc::default(),
                joined: 0,
                waited_from: None,
                is_full: false,
                is_under_way: false,
                waiting: 0,
                patience: Patience::default(),
            }),
            changed: Condvar::new(),
        }
    }
}

impl<B, R> Debug for GroupCommit<B, R> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupCommit").field("joined", &self.gathering.lock().joined).finish_non_exhaustive()
    }
}

impl<B: Default, R> GroupCommit<B, R> {
    /// Joins the batch that is gathering, and returns when it is done.
    ///
    /// Who finds a batch without `has_room` waits for the next one; an empty batch has room for everybody. `join` adds to the batch, and says what
    /// `read` needs in order to find its part of the result, which is `None` if another thread panicked in `commit`. One of those who joined calls its `commit`, which
    /// leaves the batch empty for others to use.
    ///
    /// # Panics
    ///
    /// As the functions that it is given. A panic in `join` leaves the batch as `join` left it.
    pub fn submit<I, O>(
        &self,
        has_room: impl Fn(&B) -> bool,
        join: impl FnOnce(&mut B) -> I,
        commit: impl FnOnce(&mut B) -> R,
        read: impl FnOnce(Option<&R>, I) -> O,
    ) -> O {
        let mut gathering = self.gathering.lock();
        while gathering.joined > 0 && !has_room(&gathering.batch) {
            gathering.is_full = true;
            self.tell(&gathering);
            let full = Arc::clone(&gathering.done);
            drop(gathering);
            full.wait();
            gathering = self.gathering.lock();
        }
        let part = join(&mut gathering.batch);
        gathering.joined += 1;
        let done = Arc::clone(&gathering.done);
        let closes = if gathering.joined == 1 {
            let closes;
            (gathering, closes) = self.lead(gathering, &done);
            closes
        } else {
            // Who leads need not be woken for that.
            gathering.waited_from.is_some() && gathering.is_ready()
        };
        if closes {
            self.commit(gathering, commit);
        } else {
            drop(gathering);
        }
        read(done.wait().as_ref(), part)
    }

    /// Runs `work` while no batch is being committed.
    ///
    /// # Panics
    ///
    /// As `work`.
    pub fn alone<O>(&self, work: impl FnOnce() -> O) -> O {
        let mut gathering = self.gathering.lock();
        while gathering.is_under_way {
            gathering = self.wait(gathering, None);
        }
        gathering.is_under_way = true;
        drop(gathering);
        let _under_way = UnderWay { group: self, ended: None };
        work()
    }

    /// Waits until the batch is to be closed, or somebody else has; whether it is.
    fn lead<'a>(
        &self,
        mut gathering: MutexGuard<'a, Gathering<B, R>>,
        done: &Arc<Done<R>>,
    ) -> (MutexGuard<'a, Gathering<B, R>>, bool) {
        while gathering.is_under_way {
            gathering = self.wait(gathering, None);
        }
        let joined = gathering.joined;
        let Some(until) = gathering.patience.until(joined) else { return (gathering, true) };
        gathering.waited_from = Some(joined);
        while Arc::ptr_eq(&gathering.done, done) {
            let left = until.saturating_duration_since(Instant::now());
            if gathering.is_ready() || left.is_zero() && !gathering.is_under_way {
                return (gathering, true);
            }
            // Whoever is alone tells when that is over.
            let at_most = (!gathering.is_under_way).then_some(left);
            gathering = self.wait(gathering, at_most);
        }
        (gathering, false)
    }

    /// Until something changes, and no longer than for a while.
    fn wait<'a>(
        &self,
        mut gathering: MutexGuard<'a, Gathering<B, R>>,
        at_most: Option<Duration>,
    ) -> MutexGuard<'a, Gathering<B, R>> {
        gathering.waiting += 1;
        gathering = match at_most {
            Some(time) => {
                self.changed.wait_timeout(gathering, time).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(gathering).unwrap_or_else(PoisonError::into_inner),
        };
        gathering.waiting -= 1;
        gathering
    }

    fn tell(&self, gathering: &Gathering<B, R>) {
        if gathering.waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn commit(&self, mut gathering: MutexGuard<'_, Gathering<B, R>>, commit: impl FnOnce(&mut B) -> R) {
        let joined = mem::take(&mut gathering.joined);
        if let Some(before) = gathering.waited_from.take() {
            gathering.patience.after_waiting(before, joined);
        }
        gathering.is_full = false;
        gathering.is_under_way = true;
        let done = mem::take(&mut gathering.done);
        let empty = gathering.spare.take().unwrap_or_default();
        let mut batch = mem::replace(&mut gathering.batch, empty);
        drop(gathering);
        // If `commit` panics, those who wait hear of it, and the next batch goes on. The one who leads that first, and then those of this one.
        let mut settle = Settle { done: &done, result: None };
        let mut under_way = UnderWay { group: self, ended: None };
        let begun = Instant::now();
        settle.result = Some(commit(&mut batch));
        under_way.ended = Some(Ended { joined, took: begun.elapsed(), batch });
    }
}

impl<B, R> Gathering<B, R> {
    /// Whether nobody has to wait for more.
    fn is_ready(&self) -> bool {
        !self.is_under_way && (self.is_full || self.patience.is_enough(self.joined))
    }
}

/// A batch has been committed.
struct Ended<B> {
    joined: usize,
    took: Duration,
    batch: B,
}

/// Lets the next batch go on.
struct UnderWay<'a, B: Default, R> {
    group: &'a GroupCommit<B, R>,
    ended: Option<Ended<B>>,
}

impl<B: Default, R> Drop for UnderWay<'_, B, R> {
    fn drop(&mut self) {
        let mut gathering = self.group.gathering.lock();
        gathering.is_under_way = false;
        if let Some(Ended { joined, took, batch }) = self.ended.take() {
            let next_joined = gathering.joined;
            gathering.patience.after_batch(joined, took, next_joined);
            gathering.spare = Some(batch);
        }
        self.group.tell(&gathering);
    }
}

/// Tells all of a batch how it ended.
struct Settle<'a, R> {
    done: &'a Done<R>,
    result: Option<R>,
}

impl<R> Drop for Settle<'_, R> {
    fn drop(&mut self) {
        // Nobody else settles it.
        let _ = self.done.set(self.result.take());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread::{self, ThreadId};

    use super::*;

    type Group = GroupCommit<Vec<usize>, usize>;

    impl<B, R> GroupCommit<B, R> {
        fn joined(&self) -> usize {
            self.gathering.lock().joined
        }

        /// So many are expected in the next batch, and there is all the time in the world.
        fn expect(&self, count: usize) {
            self.gathering.lock().patience.expect(count);
        }

        fn until(&self, is_so: impl Fn(&Gathering<B, R>) -> bool) {
            while !is_so(&self.gathering.lock()) {
                thread::yield_now();
            }
        }
    }

    /// How many were in the batch; `None` if it was not committed to its end.
    fn submit(group: &Group, room: usize, commit: impl FnOnce(&mut Vec<usize>) -> usize) -> Option<usize> {
        group.submit(|batch| batch.len() < room, |batch| batch.push(0), commit, |done, ()| done.copied())
    }

    fn count(batch: &mut Vec<usize>) -> usize {
        batch.drain(..).count()
    }

    #[test]
    fn each_is_committed_once_in_the_order_in_which_they_joined_and_threads_share() {
        let group: GroupCommit<Vec<usize>, usize> = GroupCommit::default();
        let (disk, commits) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..8 {
                let (group, disk, commits) = (&group, &disk, &commits);
                scope.spawn(move || {
                    for number in 0..50 {
                        let join = |batch: &mut Vec<usize>| {
                            batch.push(thread * 100 + number);
                            batch.len() - 1
                        };
                        let commit = |batch: &mut Vec<usize>| {
                            commits.fetch_add(1, Ordering::Relaxed);
                            let mut disk = disk.lock();
                            let start = disk.len();
                            disk.append(batch);
                            drop(disk);
                            thread::sleep(Duration::from_millis(1));
                            start
                        };
                        let at = group.submit(|_| true, join, commit, |start, index| start.unwrap() + index);
                        assert_eq!(disk.lock()[at], thread * 100 + number);
                    }
                });
            }
        });
        assert_eq!(disk.lock().len(), 400);
        assert!(commits.into_inner() < 400, "no commit was shared");
    }

    #[test]
    fn those_of_the_batch_before_are_waited_for_and_the_last_of_them_goes_on() {
        let group = Group::default();
        group.expect(3);
        let committed_by: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());
        let commit = |batch: &mut Vec<usize>| {
            committed_by.lock().push(thread::current().id());
            count(batch)
        };
        thread::scope(|scope| {
            for before in 0..2 {
                scope.spawn(|| assert_eq!(submit(&group, 9, commit), Some(3)));
                group.until(|gathering| gathering.joined > before && gathering.waited_from.is_some());
            }
            assert_eq!(submit(&group, 9, commit), Some(3));
        });
        assert_eq!(*committed_by.lock(), [thread::current().id()]);
        assert_eq!(group.joined(), 0);
    }

    #[test]
    fn who_waits_in_vain_goes_on_and_the_next_does_not_wait() {
        let group = Group::default();
        group.gathering.lock().patience.expect_for(2, Duration::from_millis(100));
        assert_eq!(submit(&group, 9, count), Some(1));
        let mut gathering = group.gathering.lock();
        assert_eq!((gathering.joined, gathering.waited_from, gathering.waiting), (0, None, 0));
        gathering.patience.expect(2);
        assert_eq!(gathering.patience.until(1), None);
    }

    #[test]
    fn who_finds_no_room_is_in_the_next_batch_and_nobody_waits_for_more_in_the_full_one() {
        let group = Group::default();
        group.expect(3);
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(submit(&group, 1, count), Some(1)));
            group.until(|gathering| gathering.waited_from.is_some());
            assert_eq!(submit(&group, 1, count), Some(1));
        });
        assert!(!group.gathering.lock().is_full);
    }

    #[test]
    fn nothing_is_committed_while_somebody_is_alone() {
        let group = Group::default();
        let is_alone = AtomicBool::new(false);
        let commit = |batch: &mut Vec<usize>| {
            assert!(!is_alone.load(Ordering::Relaxed));
            count(batch)
        };
        // One leads before that, and is ready meanwhile; another one leads meanwhile.
        for expected in [2, 1] {
            group.expect(expected);
            thread::scope(|scope| {
                if expected == 2 {
                    scope.spawn(|| assert_eq!(submit(&group, 9, commit), Some(2)));
                    group.until(|gathering| gathering.waited_from.is_some());
                }
                group.alone(|| {
                    is_alone.store(true, Ordering::Relaxed);
                    scope.spawn(|| assert_eq!(submit(&group, 9, commit), Some(expected)));
                    group.until(|gathering| gathering.joined == expected);
                    thread::sleep(Duration::from_millis(5));
                    is_alone.store(false, Ordering::Relaxed);
                });
            });
            assert_eq!(group.joined(), 0);
        }
    }

    #[test]
    fn who_wants_to_be_alone_waits_for_a_batch_that_is_under_way() {
        let group = Group::default();
        let is_done = AtomicBool::new(false);
        let commit = |batch: &mut Vec<usize>| {
            group.until(|gathering| gathering.waiting == 1);
            is_done.store(true, Ordering::Relaxed);
            count(batch)
        };
        thread::scope(|scope| {
            scope.spawn(|| submit(&group, 9, commit));
            group.until(|gathering| gathering.is_under_way);
            group.alone(|| assert!(is_done.load(Ordering::Relaxed)));
        });
    }

    #[test]
    fn a_panic_in_a_commit_is_told_to_those_who_wait_and_the_next_batch_goes_on() {
        let group = Group::default();
        group.expect(2);
        thread::scope(|scope| {
            let waits = scope.spawn(|| submit(&group, 9, count));
            group.until(|gathering| gathering.waited_from.is_some());
            let commits = scope.spawn(|| submit(&group, 9, |_| panic!("on purpose")));
            assert!(commits.join().is_err());
            assert_eq!(waits.join().unwrap(), None);
        });
        group.expect(1);
        assert_eq!(submit(&group, 9, count), Some(1));
    }

    #[test]
    fn a_panic_of_who_is_alone_lets_others_go_on() {
        let group = Group::default();
        thread::scope(|scope| {
            let panics = scope.spawn(|| group.alone(|| panic!("on purpose")));
            assert!(panics.join().is_err());
        });
        assert_eq!(submit(&group, 9, count), Some(1));
    }
}
