//! Runs work over a file's chunks on several threads, and hands the results over in the order of the file.
//!
//! Threads take chunks one after the other, in *turns* of a few chunks each, so that what is in memory stays
//! bounded. While they work on a turn, the caller's thread takes the results of the turn before; nobody waits
//! for a lock that somebody else holds while running the caller's code.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rayon::ThreadPoolBuilder;

use crate::error::Result;
use crate::reader::Log;
use crate::report::Report;
use crate::source::{Buffer, Bytes, Chunk, Ranges};

/// Below this many bytes, starting a thread costs more than it saves.
const PARALLEL_MIN: u64 = 1 << 20;

/// Chunks that each thread takes before the results are handed over. More would keep more of them in memory,
/// fewer would let threads wait for the slowest more often.
const CHUNKS_PER_TURN: u64 = 8;

impl Log {
    /// The engine: `work` on every chunk from `start` on, `consume` in the order of the file.
    ///
    /// `consume` is told of the report up to, not including, the chunk.
    pub(crate) fn run<R: Send>(
        &self,
        bytes: &Bytes,
        start: u64,
        work: impl Fn(&Chunk<'_>, &mut Report) -> R + Sync,
        mut consume: impl FnMut(R, &Report) -> ControlFlow<()>,
    ) -> Result<Report> {
        let ranges = Ranges::new(bytes, start, self.rules().max_line_len);
        let count = ranges.count();
        let mut total = Report::new(start, self.options.damages);
        let one = |index, buffer: &mut Buffer| -> Result<(R, Report)> {
            let chunk = ranges.chunk(index, buffer).map_err(self.io("read"))?;
            let mut report = Report::new(chunk.offset, self.options.damages);
            let result = work(&chunk, &mut report);
            if let Some(progress) = &self.options.progress {
                progress.fetch_add(report.bytes.sum().max(chunk.bytes.len() as u64), Ordering::Relaxed);
            }
            Ok((result, report))
        };
        let mut take = |done: Result<(R, Report)>| -> Result<ControlFlow<()>> {
            let (result, report) = done?;
            let flow = consume(result, &total);
            total.append(report);
            Ok(flow)
        };
        let threads = self.thread_count(bytes.len().saturating_sub(start))?;
        if threads == 1 {
            let mut buffer = Buffer::default();
            for index in 0..count {
                if take(one(index, &mut buffer))?.is_break() {
                    break;
                }
            }
            return Ok(total);
        }
        let per_turn = threads as u64 * CHUNKS_PER_TURN;
        let buffers: Vec<_> = (0..threads).map(|_| Mutex::new(Buffer::default())).collect();
        let turn = |from: u64| -> Turn<R> {
            let to = count.min(from + per_turn);
            Turn {
                next: AtomicU64::new(from),
                to,
                done: (from..to).map(|_| Mutex::new(None)).collect(),
                from,
            }
        };
        let drain = |turn: Turn<R>, take: &mut dyn FnMut(Result<(R, Report)>) -> Result<ControlFlow<()>>| {
            for done in turn.done {
                let Some(done) = done.into_inner() else { continue };
                if take(done)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        };
        // While the threads work on one turn, this one hands over the results of the turn before.
        let mut before: Option<Turn<R>> = None;
        let mut from = 0;
        while from < count {
            let turn = turn(from);
            let flow = self.in_pool(|scope| {
                for buffer in &buffers {
                    let (turn, one) = (&turn, &one);
                    scope.spawn(move |_| {
                        let mut buffer = buffer.lock();
                        while let Some((slot, index)) = turn.take() {
                            *slot.lock() = Some(one(index, &mut buffer));
                        }
                    });
                }
                before.take().map_or(Ok(ControlFlow::Continue(())), |before| drain(before, &mut take))
            })?;
            if flow.is_break() {
                return Ok(total);
            }
            from = turn.to;
            before = Some(turn);
        }
        if let Some(before) = before {
            drain(before, &mut take)?.is_break();
        }
        Ok(total)
    }

    fn thread_count(&self, len: u64) -> Result<usize> {
        if len < PARALLEL_MIN {
            return Ok(1);
        }
        match self.options.threads {
            0 => Ok(rayon::current_num_threads()),
            1 => Ok(1),
            threads => {
                if self.pool.get().is_none() {
                    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
                    let pool = pool.map_err(std::io::Error::other).map_err(self.io("start threads for"))?;
                    // Somebody else may have been faster; either pool is good.
                    let _ = self.pool.set(pool);
                }
                Ok(threads)
            }
        }
    }

    fn in_pool<'scope, R>(&self, work: impl FnOnce(&rayon::Scope<'scope>) -> R) -> R {
        match self.pool.get() {
            Some(pool) => pool.in_place_scope(work),
            None => rayon::in_place_scope(work),
        }
    }
}

/// Where the result of one chunk goes.
type Slot<R> = Mutex<Option<Result<(R, Report)>>>;

/// A part of the chunks, which threads take one after the other.
struct Turn<R> {
    from: u64,
    to: u64,
    next: AtomicU64,
    done: Vec<Slot<R>>,
}

impl<R> Turn<R> {
    fn take(&self) -> Option<(&Slot<R>, u64)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index >= self.to {
            return None;
        }
        self.done.get((index - self.from) as usize).map(|slot| (slot, index))
    }
}
