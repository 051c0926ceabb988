//! Several files at once, on all processors.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Files up to here are read several at once, by one thread each: the core reads them so in any case.
pub(crate) const SMALL: u64 = 1 << 20;

/// So many of them before the first is told, where nothing is told before all are done.
pub(crate) const BATCH: usize = 64;

/// Files above are read by themselves, in parts, by those who want results of many files: files side by side are quicker than parts of
/// a file side by side, but nobody should have to wait for the end of one that is larger.
pub(crate) const LARGE: u64 = 64 << 20;

/// How far the results of things may be ahead of those that have been handed over.
const AHEAD: usize = 64;

/// Cuts a list of files into parts: small ones, at most so many, to be read side by side; or one that is longer than `small` bytes, to be
/// read by itself.
pub(crate) fn batches<T>(
    all: &[T],
    most: usize,
    small: u64,
    len: impl Fn(&T) -> u64,
) -> impl Iterator<Item = &[T]> {
    let mut left = all;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let few = left.iter().take(most).take_while(|thing| len(thing) <= small).count();
        let (batch, rest) = left.split_at(few.max(1));
        left = rest;
        Some(batch)
    })
}

/// How many processors this process may use.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does the same with several things on all processors, and keeps their order.
pub(crate) fn in_parallel<T: Sync, R: Send>(things: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut all = Vec::with_capacity(things.len());
    in_order(things, each, |_, result| {
        all.push(result);
        ControlFlow::Continue(())
    });
    all
}

/// Does the same with several things on all processors, and hands each result over on the caller's thread, in the order of the things,
/// until it doesn't want more.
pub(crate) fn in_order<T: Sync, R: Send>(
    things: &[T],
    each: impl Fn(&T) -> R + Sync,
    mut consume: impl FnMut(&T, R) -> ControlFlow<()>,
) {
    let threads = processors().min(things.len());
    let row = Row::<R> { state: Mutex::default(), is_done: Condvar::new(), has_room: Condvar::new() };
    let work = || {
        while let Some(index) = row.take(things.len()) {
            let result = catch_unwind(AssertUnwindSafe(|| each(&things[index])));
            row.lock().done.insert(index, result);
            row.is_done.notify_one();
        }
    };
    thread::scope(|scope| {
        let _stop = StopOnDrop(&row);
        let spawned =
            (0..threads).filter(|_| threads > 1 && thread::Builder::new().spawn_scoped(scope, work).is_ok());
        let is_alone = spawned.count() == 0;
        for (index, thing) in things.iter().enumerate() {
            let result = if is_alone { Ok(each(thing)) } else { row.wait_for(index) };
            let result = result.unwrap_or_else(|panic| resume_unwind(panic));
            if consume(thing, result).is_break() {
                break;
            }
        }
    });
}

/// Results that wait for their turn.
struct Row<R> {
    state: Mutex<State<R>>,
    is_done: Condvar,
    has_room: Condvar,
}

struct State<R> {
    done: BTreeMap<usize, thread::Result<R>>,
    /// The next thing that somebody takes, and the next whose result is handed over.
    next: usize,
    awaited: usize,
    is_over: bool,
}

impl<R> Default for State<R> {
    fn default() -> Self {
        Self { done: BTreeMap::new(), next: 0, awaited: 0, is_over: false }
    }
}

impl<R> Row<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        // Nobody panics who has it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing to do, as soon as there is room for its result.
    fn take(&self, count: usize) -> Option<usize> {
        let is_full = |state: &mut State<R>| {
            !state.is_over && state.next < count && state.next >= state.awaited + AHEAD
        };
        let state = self.has_room.wait_while(self.lock(), is_full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.is_over || state.next == count {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }

    fn wait_for(&self, index: usize) -> thread::Result<R> {
        let mut state = self.lock();
        state.awaited = index;
        self.has_room.notify_all();
        loop {
            if let Some(result) = state.done.remove(&index) {
                return result;
            }
            state = self.is_done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// However it ends, nobody goes on waiting for room.
struct StopOnDrop<'a, R>(&'a Row<R>);

impl<R> Drop for StopOnDrop<'_, R> {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.has_room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn large_ones_stand_alone_and_none_is_left_out() {
        let cut = |lens: &[u64]| -> Vec<Vec<u64>> {
            batches(lens, 3, 10, |len| *len).map(<[u64]>::to_vec).collect()
        };
        assert_eq!(cut(&[]), Vec::<Vec<u64>>::new());
        assert_eq!(cut(&[1, 10, 11, 12, 3]), [vec![1, 10], vec![11], vec![12], vec![3]]);
        assert_eq!(cut(&[1, 2, 3, 4]), [vec![1, 2, 3], vec![4]]);
    }

    #[test]
    fn results_stand_in_the_order_of_the_things() {
        let things: Vec<u64> = (0..1000).collect();
        let squares: Vec<u64> = things.iter().map(|n| n * n).collect();
        assert_eq!(in_parallel(&things, |n| n * n), squares);
        assert_eq!(in_parallel(&things[..1], |n| n * n), [0]);
        assert!(in_parallel(&things[..0], |n| n * n).is_empty());
    }

    #[test]
    fn nobody_runs_far_ahead_or_on_after_the_end() {
        let things: Vec<usize> = (0..10_000).collect();
        let handed_over = AtomicUsize::new(0);
        let begun = AtomicUsize::new(0);
        let work = |index: &usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            assert!(*index <= handed_over.load(Ordering::Relaxed) + AHEAD);
            *index
        };
        let mut all = Vec::new();
        in_order(&things, work, |thing, result| {
            assert_eq!(*thing, result);
            all.push(result);
            handed_over.store(result + 1, Ordering::Relaxed);
            if all.len() == 500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(all.into_iter().eq(0..500));
        assert!(begun.into_inner() <= 500 + AHEAD);
    }

    #[test]
    fn a_panic_is_the_callers() {
        let things: Vec<usize> = (0..1000).collect();
        let panicking = |n: &usize| if *n == 100 { resume_unwind(Box::new("the hundredth")) } else { *n };
        let panic = catch_unwind(|| in_parallel(&things, panicking)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"the hundredth"));
        let of_the_caller = catch_unwind(|| {
            in_order(
                &things,
                |n| *n,
                |_, n| if n == 700 { resume_unwind(Box::new(n)) } else { ControlFlow::Continue(()) },
            );
        });
        assert_eq!(of_the_caller.unwrap_err().downcast_ref(), Some(&700_usize));
    }
}
