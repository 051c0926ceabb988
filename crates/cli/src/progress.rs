//! A bar on standard error for work that takes long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Below this a bar would be gone before it is seen.
const WORTH_A_BAR: u64 = 256 << 20;

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// Counts the bytes that are done with; shows them where standard error is a terminal and there are many.
pub(crate) struct Progress {
    pub(crate) bytes_done: Arc<AtomicU64>,
    bar: Option<(ProgressBar, Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Progress {
    pub(crate) fn of(total: u64) -> Self {
        let bytes_done = Arc::new(AtomicU64::new(0));
        if total < WORTH_A_BAR {
            return Self { bytes_done, bar: None };
        }
        // Draws nothing where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let ended = Arc::new(AtomicBool::new(false));
        let drawn = {
            let (bar, ended, bytes_done) = (bar.clone(), Arc::clone(&ended), Arc::clone(&bytes_done));
            thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    bar.set_position(bytes_done.load(Ordering::Relaxed));
                    thread::park_timeout(EVERY);
                }
            })
        };
        Self { bytes_done, bar: Some((bar, ended, drawn)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let Some((bar, ended, drawn)) = self.bar.take() else { return };
        ended.store(true, Ordering::Relaxed);
        drawn.thread().unpark();
        let _ = drawn.join();
        bar.finish_and_clear();
    }
}
