//! Several files at once, on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Files up to here are read several at once, by one thread each: the core reads them so in any case.
pub(crate) const SMALL: u64 = 1 << 20;

/// So many of them before the first is told.
pub(crate) const BATCH: usize = 64;

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

/// Does the same with several things on all processors, and keeps their order.
pub(crate) fn in_parallel<T: Sync, R: Send>(things: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(things.len());
    if threads <= 1 {
        return things.iter().map(each).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((index, thing)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            things.get(index).map(|thing| (index, thing))
        } {
            done.push((index, each(thing)));
        }
        done
    };
    let mut all: Vec<(usize, R)> = thread::scope(|scope| {
        let handles: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for handle in handles {
            match handle.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
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
    }
}
