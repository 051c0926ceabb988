//! Runs two sides alternately and compares their medians.

use std::fmt::Debug;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What a comparison has to reach, as ours ÷ other.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// So many times the throughput, or more.
    AtLeast(f64),
    /// So many times the time, or less.
    TimeAtMost(f64),
    /// Nothing; the ratio is for the record.
    Shown,
}

/// What the times are for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// So many bytes are gone through.
    Bytes(u64),
    /// So many records, messages, items or calls.
    Records(u64),
}

/// One comparison, measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// What was done.
    pub job: String,
    /// How much of it.
    pub work: Work,
    /// The median of our times, in nanoseconds.
    pub ours_ns: u64,
    /// The other side's, and the ratio; `None` where ours was measured alone.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
}

/// What a job is compared with, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Beside {
    /// What the other side is.
    pub against: String,
    /// The median of its times, in nanoseconds.
    pub other_ns: u64,
    /// Of throughputs, or of times where the target is one of times.
    pub ratio: f64,
    /// `≥ 2`; empty where there is none.
    pub target: String,
    /// Whether it was reached; `None` where there is none.
    pub met: Option<bool>,
}

/// How the rows are shown while they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// As lines of a table.
    Table,
    /// As JSON lines.
    Json,
}

/// Which jobs are run, how, and what came of them.
#[derive(Debug)]
pub struct Table {
    words: Vec<String>,
    output: Output,
    /// None where answers are compared and nothing is measured.
    rounds: usize,
    /// Ours is run without the other side, for whoever compares with another build.
    is_alone: bool,
    rows: Vec<Row>,
}

/// One side of a comparison, which gives an answer.
pub struct Side<'a, A> {
    name: &'a str,
    run: Box<dyn FnMut() -> A + 'a>,
}

/// A side with its name.
pub fn side<'a, A>(name: &'a str, run: impl FnMut() -> A + 'a) -> Side<'a, A> {
    Side { name, run: Box::new(run) }
}

impl Table {
    /// Of the jobs whose names hold one of the words, or are one after `=`; of all where there are no words.
    pub fn new(words: Vec<String>, output: Output, rounds: usize, is_alone: bool) -> Self {
        if output == Output::Table && rounds > 0 {
            println!("{}", head());
        }
        Self { words, output, rounds, is_alone, rows: Vec::new() }
    }

    /// Whether the job is among those that are run.
    pub fn wants(&self, job: &str) -> bool {
        let is_wanted = |word: &String| match word.strip_prefix('=') {
            Some(name) => job == name,
            None => job.contains(word.as_str()),
        };
        self.words.is_empty() || self.words.iter().any(is_wanted)
    }

    /// Runs both sides alternately; they have to give the same answer.
    ///
    /// # Panics
    ///
    /// Where they don't.
    pub fn compare<'a, A: PartialEq + Debug>(
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
        let answer = (ours.run)();
        let beside = if self.is_alone { None } else { Some(&mut other) };
        let mut times = [Vec::new(), Vec::new()];
        // What counts instructions runs it once.
        let least = if self.rounds > 1 { TURN_MIN } else { Duration::ZERO };
        let timed = |side: &mut Side<'a, A>| timed(side, least);
        let beside = if let Some(other) = beside {
            assert_eq!(answer, (other.run)(), "{job}: the answers differ");
            if self.rounds == 0 {
                println!("{job}: the same as {}", other.name);
                return;
            }
            for round in 0..self.rounds {
                for turn in 0..2 {
                    // Who begins changes, too.
                    let which = (round + turn) % 2;
                    times[which].push(timed(if which == 0 { &mut ours } else { other }));
                }
            }
            let [ours, other_ns] = times.each_ref().map(|times| nanoseconds(times));
            let (ratio, target, met) = judge(ours, other_ns, target);
            Some(Beside { against: other.name.to_owned(), other_ns, ratio, target, met })
        } else {
            times[0].extend((0..self.rounds).map(|_| timed(&mut ours)));
            None
        };
        let row = Row { job: job.to_owned(), work, ours_ns: nanoseconds(&times[0]), beside };
        match self.output {
            Output::Table => println!("{}", line(&row)),
            Output::Json => println!("{}", serde_json::to_string(&row).unwrap()),
        }
        self.rows.push(row);
    }

    /// Says that a job is not run, and why.
    pub fn skip(&self, job: &str, reason: &str) {
        match self.output {
            Output::Table => println!("{job:<48} skipped: {reason}"),
            Output::Json => println!("{}", serde_json::json!({"job": job, "skipped": reason})),
        }
    }

    /// What was measured.
    pub fn finish(self) -> Vec<Row> {
        if self.output == Output::Table {
            println!("\n{}, medians of {} rounds", summary(&self.rows), self.rounds);
        }
        self.rows
    }
}

/// A turn takes so long at least: what is quicker is run again and again. Once alone, it would be measured how cold the side before has left the
/// processor's caches and the kernel, which makes 180 µs of 12, and of a whole process that takes 4.4 ms 5.8.
const TURN_MIN: Duration = Duration::from_millis(20);

/// The time of one run, of as many as take `least` together.
fn timed<A>(side: &mut Side<'_, A>, least: Duration) -> Duration {
    settle();
    let begun = Instant::now();
    let mut runs = 0;
    loop {
        std::hint::black_box((side.run)());
        runs += 1;
        let time = begun.elapsed();
        if time >= least {
            return time / runs;
        }
    }
}

/// Lets nobody pay for what the side before has left behind: bytes on their way to the disk, which a sync would have to wait for, and memory that
/// was given back in small pieces, which the allocator puts together (glibc's when somebody wants a large piece: 250 ms after a large projection).
fn settle() {
    // Where there is no such program, both sides bear it alike.
    let _ = Command::new("sync").status();
    std::hint::black_box(vec![0_u8; 100 << 10]);
}

fn judge(ours: u64, other: u64, target: Target) -> (f64, String, Option<bool>) {
    let speedup = other as f64 / ours as f64;
    match target {
        Target::AtLeast(wanted) => (speedup, format!("≥ {wanted}"), Some(speedup >= wanted)),
        Target::TimeAtMost(wanted) => (1.0 / speedup, format!("≤ {wanted}"), Some(1.0 / speedup <= wanted)),
        Target::Shown => (speedup, String::new(), None),
    }
}

/// The first line of a table.
pub fn head() -> String {
    format!("{:<48} {:>12}  {:>12}  {:>8}  {:>8}         against", "job", "ours", "other", "ratio", "target")
}

/// A row as a line of a table.
pub fn line(row: &Row) -> String {
    let ours = rate(row.work, row.ours_ns);
    let Some(Beside { against, other_ns, ratio, target, met }) = &row.beside else {
        return format!("{:<48} {ours:>12}", row.job);
    };
    let met = met.map_or("", |met| if met { "met" } else { "MISSED" });
    let other = rate(row.work, *other_ns);
    format!("{:<48} {ours:>12}  {other:>12}  {ratio:>8.2}  {target:>8}  {met:<6} {against}", row.job)
}

/// `32 jobs, 2 targets missed`.
pub fn summary(rows: &[Row]) -> String {
    let is_missed = |row: &&Row| row.beside.as_ref().is_some_and(|beside| beside.met == Some(false));
    format!("{} jobs, {} targets missed", rows.len(), rows.iter().filter(is_missed).count())
}

fn nanoseconds(times: &[Duration]) -> u64 {
    median(times.iter().map(|time| time.as_nanos() as f64)) as u64
}

/// The one in the middle; not a number where there is none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `1.23 GB/s`, or `4.56 µs` for each.
pub fn rate(work: Work, ns: u64) -> String {
    match work {
        Work::Bytes(bytes) => format!("{:.2} GB/s", bytes as f64 / ns as f64),
        Work::Records(count) => format!("{:.2} µs", ns as f64 / 1e3 / count as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quick_runs_until_its_turn_is_over_and_what_is_not_runs_once() {
        let mut count = 0;
        let each = timed(&mut side("quick", || count += 1), Duration::from_millis(2));
        assert!(count > 1 && each * count >= Duration::from_micros(1900), "{count} times {each:?}");
        let mut count = 0;
        timed(&mut side("slow", || count += 1), Duration::ZERO);
        assert_eq!(count, 1);
    }

    #[test]
    #[should_panic(expected = "the answers differ")]
    fn a_wrong_answer_is_noticed_where_nothing_is_measured() {
        let mut table = Table::new(Vec::new(), Output::Table, 0, false);
        table.compare("a sum", Work::Records(1), side("ours", || 2), side("other", || 3), Target::Shown);
    }
}
