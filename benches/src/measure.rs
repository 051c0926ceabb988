//! Runs two sides alternately and compares their medians.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What a comparison has to reach, as ours ÷ other.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// So many times the throughput, or more.
    AtLeast(f64),
    /// So many times the time, or less.
    TimeAtMost(f64),
}

pub(crate) struct Table {
    words: Vec<String>,
    json: bool,
    rounds: usize,
    missed: usize,
    shown: usize,
}

/// One side of a comparison: gives an answer, and how much it worked through.
pub(crate) struct Side<'a, A> {
    pub(crate) name: &'a str,
    pub(crate) run: Box<dyn FnMut() -> A + 'a>,
}

pub(crate) fn side<'a, A>(name: &'a str, run: impl FnMut() -> A + 'a) -> Side<'a, A> {
    Side { name, run: Box::new(run) }
}

/// What the times are for.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    Bytes(u64),
    Records(u64),
}

impl Table {
    pub(crate) fn new(words: Vec<String>, json: bool, rounds: usize) -> Self {
        if !json {
            println!(
                "{:<44} {:>12}  {:>12}  {:>7}  {:>8}   against",
                "job", "ours", "other", "ratio", "target"
            );
        }
        Self { words, json, rounds, missed: 0, shown: 0 }
    }

    pub(crate) fn wants(&self, job: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| job.contains(word.as_str()))
    }

    /// Runs both sides alternately; they have to give the same answer. Returns the ratio of throughputs.
    pub(crate) fn compare<'a, A: PartialEq + Debug>(
        &mut self,
        job: &str,
        work: Work,
        mut ours: Side<'a, A>,
        mut other: Side<'a, A>,
        target: Target,
    ) {
        if !self.wants(job) {
            return;
        }
        // Once without looking at the clock: pages come into the cache, memory from the system.
        assert_eq!((ours.run)(), (other.run)(), "{job}: the answers differ");
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..self.rounds {
            for turn in 0..2 {
                // Who begins changes, too.
                let which = (round + turn) % 2;
                let side = if which == 0 { &mut ours } else { &mut other };
                let begun = Instant::now();
                std::hint::black_box((side.run)());
                times[which].push(begun.elapsed());
            }
        }
        let [ours_time, other_time] = times.map(median);
        let speedup = other_time.as_secs_f64() / ours_time.as_secs_f64();
        let (ratio, wanted, met) = match target {
            Target::AtLeast(wanted) => (speedup, format!("≥ {wanted}"), speedup >= wanted),
            Target::TimeAtMost(wanted) => (1.0 / speedup, format!("≤ {wanted}"), 1.0 / speedup <= wanted),
        };
        self.missed += usize::from(!met);
        self.shown += 1;
        let met = if met { "met" } else { "MISSED" };
        let [ours_rate, other_rate] = [ours_time, other_time].map(|time| rate(work, time));
        if self.json {
            println!(
                "{{\"job\":\"{job}\",\"ours_ns\":{},\"other_ns\":{},\"ratio\":{ratio:.3},\"target\":\"{wanted}\",\"met\":{},\"against\":\"{}\"}}",
                ours_time.as_nanos(),
                other_time.as_nanos(),
                met == "met",
                other.name
            );
        } else {
            println!(
                "{job:<44} {ours_rate:>12}  {other_rate:>12}  {ratio:>7.2}  {wanted:>8}  {met:<6} {}",
                other.name
            );
        }
    }

    /// Says that a job is not run, and why.
    pub(crate) fn skip(&self, job: &str, reason: &str) {
        if self.json {
            println!("{{\"job\":\"{job}\",\"skipped\":\"{reason}\"}}");
        } else {
            println!("{job:<44} skipped: {reason}");
        }
    }

    pub(crate) fn finish(self) {
        if !self.json {
            println!(
                "\n{} jobs, {} targets missed, medians of {} rounds",
                self.shown, self.missed, self.rounds
            );
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn rate(work: Work, time: Duration) -> String {
    match work {
        Work::Bytes(bytes) => format!("{:.2} GB/s", bytes as f64 / time.as_secs_f64() / 1e9),
        Work::Records(count) => format!("{:.2} µs", time.as_secs_f64() * 1e6 / count as f64),
    }
}
