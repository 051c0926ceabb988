//! Runs work over a file's chunks on several threads, and hands the results over in the order of the file.
//!
//! Threads take chunks one after the other. The caller's thread is one of them: it hands over the next result
//! if that is there, and otherwise works on a chunk itself. Nobody runs further ahead of the hand-over than a
//! window of chunks, so what is in memory stays bounded: a helper that would leaves, and another is called when
//! there is room. Only the caller ever waits, and only for a chunk that another thread is working on; so it
//! makes no difference whether there are helpers at all.

use std::any::Any;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, OnceLock, PoisonError};
use std::thread;

use crate::error::Result;
use crate::mutex::Mutex;
use crate::reader::Log;
use crate::report::Report;
use crate::source::{Buffer, Bytes, Chunk, Ranges};
use crate::spare::Reused;

/// Below this many bytes, starting a thread costs more than it saves.
const PARALLEL_MIN: u64 = 1 << 20;

/// How many chunks the threads may be ahead of the hand-over, for each of them.
const CHUNKS_AHEAD: u64 = 8;

impl Log {
    /// `work` on every chunk, `consume` in the order of the file, on the caller's thread.
    ///
    /// `consume` is told of the report up to, not including, the chunk.
    pub(crate) fn run<R: Send>(
        &self,
        bytes: &Bytes,
        work: impl Fn(&Chunk<'_>, &mut Report) -> R + Sync,
        mut consume: impl FnMut(R, &Report) -> ControlFlow<()>,
    ) -> Result<Report> {
        let start = self.start;
        let ranges = Ranges::new(bytes, start, self.rules().max_line_len);
        let count = ranges.count();
        let mut total = Report::new(start, self.options.damages);
        let one = |index, buffer: &mut Buffer| -> Result<(R, Report)> {
            let chunk = ranges.chunk(index, buffer).map_err(self.io("read"))?;
            let mut report = Report::new(chunk.offset, self.options.damages);
            let result = work(&chunk, &mut report);
            self.add_progress(&report, &chunk);
            Ok((result, report))
        };
        let mut take = |done: Result<(R, Report)>| -> Result<ControlFlow<()>> {
            let (result, report) = done?;
            let flow = consume(result, &total);
            total.append(report);
            Ok(flow)
        };
        let threads = self.thread_count(bytes.len().saturating_sub(start));
        let mut buffer = Reused::take();
        if threads == 1 {
            for index in 0..count {
                if take(one(index, &mut buffer))?.is_break() {
                    break;
                }
            }
            return Ok(total);
        }
        let crew = Crew::new(count, threads as u64 * CHUNKS_AHEAD);
        let helpers = threads - 1;
        let buffers: Vec<_> = (0..helpers).map(|_| Mutex::new(Reused::take())).collect();
        let ended = thread::scope(|scope| -> Result<()> {
            let _stop = StopOnDrop(&crew);
            for index in 0..count {
                // Called at the beginning, and again when there is room for all of them to do something.
                if crew.helping.load(Ordering::Relaxed) == 0 && crew.has_room() {
                    for buffer in &buffers {
                        let (crew, one) = (&crew, &one);
                        let Some(seat) = Seat::take(self.options.threads) else { break };
                        crew.helping.fetch_add(1, Ordering::Relaxed);
                        let help = move || {
                            let _seat = seat;
                            // Nobody else has it: all helpers had left.
                            let mut buffer = buffer.lock();
                            let worked = catch_unwind(AssertUnwindSafe(|| {
                                while let Some(index) = crew.next() {
                                    crew.put(index, one(index, &mut buffer));
                                }
                            }));
                            drop(buffer);
                            crew.leave(worked.err());
                        };
                        // Where no more threads can be had, there are fewer.
                        if thread::Builder::new().spawn_scoped(scope, help).is_err() {
                            crew.leave(None);
                            break;
                        }
                    }
                }
                let done = loop {
                    if let Some(done) = crew.get(index) {
                        break done;
                    }
                    match crew.next() {
                        Some(next) if next == index => break one(index, &mut buffer),
                        Some(next) => crew.put(next, one(next, &mut buffer)),
                        // Somebody is at it.
                        None => {
                            if !crew.wait_for(index) {
                                return Ok(());
                            }
                        }
                    }
                };
                crew.handed_over.store(index + 1, Ordering::Release);
                if take(done)?.is_break() {
                    break;
                }
            }
            Ok(())
        });
        // What went wrong on a helper's thread goes on on the caller's.
        let panic = crew.done.lock().panic.take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        ended.map(|()| total)
    }

    fn thread_count(&self, len: u64) -> usize {
        match self.options.threads {
            _ if len < PARALLEL_MIN => 1,
            0 => processors(),
            threads => threads,
        }
    }
}

/// How many processors this process may use; asked once, for that takes system calls.
fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

/// The right to help. Those who asked for no number of their own share as many as there are processors, however many read at the
/// same time.
struct Seat {
    is_shared: bool,
}

/// Seats that are taken of those that are shared.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

impl Seat {
    fn take(threads: usize) -> Option<Self> {
        let is_shared = threads == 0;
        let one_more = |taken| (taken < processors()).then_some(taken + 1);
        if is_shared {
            TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        }
        Some(Self { is_shared })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.is_shared {
            TAKEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Which chunks are taken, done and handed over.
struct Crew<R> {
    /// Chunks in all.
    count: u64,
    /// The next one that nobody has taken.
    untaken: AtomicU64,
    /// All before it have been handed over.
    handed_over: AtomicU64,
    /// Helpers that have been called and have not left.
    helping: AtomicUsize,
    window: u64,
    done: Mutex<Done<R>>,
    one_more: Condvar,
}

struct Done<R> {
    /// A window of results: that of chunk `n` is in slot `n % window`.
    slots: Vec<Option<Result<(R, Report)>>>,
    /// What a helper panicked with; what it worked on will never be done.
    panic: Option<Box<dyn Any + Send>>,
}

impl<R> Crew<R> {
    fn new(count: u64, window: u64) -> Self {
        Self {
            count,
            untaken: AtomicU64::new(0),
            handed_over: AtomicU64::new(0),
            helping: AtomicUsize::new(0),
            window,
            done: Mutex::new(Done { slots: (0..window).map(|_| None).collect(), panic: None }),
            one_more: Condvar::new(),
        }
    }

    /// A chunk to work on, if there is one within the window.
    fn next(&self) -> Option<u64> {
        let end = self.count.min(self.handed_over.load(Ordering::Acquire) + self.window);
        let take = |index| (index < end).then_some(index + 1);
        self.untaken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()
    }

    /// Half of the window is free, and there is something to do.
    fn has_room(&self) -> bool {
        let untaken = self.untaken.load(Ordering::Relaxed);
        let ahead = untaken - self.handed_over.load(Ordering::Acquire).min(untaken);
        untaken < self.count && 2 * ahead <= self.window
    }

    fn slot(&self, index: u64) -> usize {
        (index % self.window) as usize
    }

    fn put(&self, index: u64, result: Result<(R, Report)>) {
        self.done.lock().slots[self.slot(index)] = Some(result);
        self.one_more.notify_one();
    }

    fn get(&self, index: u64) -> Option<Result<(R, Report)>> {
        self.done.lock().slots[self.slot(index)].take()
    }

    /// Returns `false` where a helper panicked.
    fn wait_for(&self, index: u64) -> bool {
        let mut done = self.done.lock();
        while done.slots[self.slot(index)].is_none() {
            if done.panic.is_some() {
                return false;
            }
            done = self.one_more.wait(done).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// A helper leaves, and may have panicked.
    fn leave(&self, panic: Option<Box<dyn Any + Send>>) {
        if panic.is_some() {
            self.done.lock().panic = panic;
            self.one_more.notify_one();
        }
        self.helping.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends the helpers home, also when the caller's code panics or has had enough.
struct StopOnDrop<'a, R>(&'a Crew<R>);

impl<R> Drop for StopOnDrop<'_, R> {
    fn drop(&mut self) {
        self.0.untaken.store(self.0.count, Ordering::Relaxed);
    }
}
