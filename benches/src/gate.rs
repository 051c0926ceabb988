//! Holds this build against that of an earlier revision: both run alternately on this machine, and the gate closes where this one is slower.
//!
//! Time is compared pair by pair, and the median of the ratios counts, so that a machine whose speed drifts slows down both sides of most
//! pairs. What is over its threshold is measured again, for longer. Where time is too noisy to tell, instructions are counted (callgrind), which
//! come out the same within a fraction of a per cent, whatever else the machine does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use annals_benches::measure::{Row, median};

/// A job, and how many times as long, and as many instructions, it may take as before.
struct Gated {
    job: &'static str,
    time: Option<f64>,
    instructions: Option<f64>,
}

const fn gated(job: &'static str, time: Option<f64>, instructions: Option<f64>) -> Gated {
    Gated { job, time, instructions }
}

impl Gated {
    /// How many times as long it may take. What the kernel does is in no count of instructions, so reading is timed in a quick gate, too.
    fn time(&self, is_quick: bool) -> Option<f64> {
        self.time.filter(|_| !is_quick || self.job.starts_with("scan"))
    }
}

/// What waits for the disk is not here: its time is the disk's.
const GATED: [Gated; 16] = [
    gated("scan, count lines, 2 threads, chat", Some(1.25), Some(1.05)),
    gated("verify seals, 2 threads, small", Some(1.25), Some(1.05)),
    gated("verify JSON in full, 2 threads, chat", Some(1.25), Some(1.05)),
    gated("verify JSON in full, 2 threads, small", Some(1.25), Some(1.05)),
    gated("load typed, folded, 1 thread, small", Some(1.25), Some(1.05)),
    gated("load typed, kept, 2 threads, chat", Some(1.3), None),
    gated("tail 100 of the large file, small", Some(1.3), Some(1.05)),
    gated("append Buffer, lock held, checksum, small", Some(1.3), Some(1.05)),
    gated("append Buffer, lock per append, small", None, Some(1.05)),
    gated("session add buffered, small", None, Some(1.05)),
    gated("session history, small", Some(1.3), None),
    gated("session history, text decoded, chat", Some(1.3), Some(1.05)),
    gated("memory open, 20,000 items, cold", Some(1.3), Some(1.05)),
    gated("trust check, 10,000 approvals", Some(1.3), None),
    gated("catalog rebuild, 10000 events", Some(1.3), None),
    gated("transcripts search frequent, claude-code", Some(1.3), None),
];

/// Pairs of runs; and how many more for what seems slower.
const PAIRS: usize = 5;
const MORE_PAIRS: usize = 10;

/// The times of this build and of the other, pair by pair.
type Pairs = BTreeMap<String, Vec<(f64, f64)>>;

/// Compares the program at `base` with this one, in the jobs whose names hold one of the words.
///
/// Quickly means: instructions, and of times only those of reading.
pub(crate) fn run(base: &Path, words: &[String], is_quick: bool) -> ExitCode {
    let this = std::env::current_exe().unwrap();
    let is_wanted = |job: &str| words.is_empty() || words.iter().any(|word| job.contains(word.as_str()));
    let wanted: Vec<&Gated> = GATED.iter().filter(|gated| is_wanted(gated.job)).collect();
    println!("{:<48} {:>14} {:>14} {:>7} {:>9}", "job", "before", "now", "ratio", "at most");
    let mut closed = 0;
    let timed: Vec<&&Gated> = wanted.iter().filter(|gated| gated.time(is_quick).is_some()).collect();
    if is_quick {
        println!("other times than those of reading are skipped: --quick compares instructions");
    }
    let mut pairs = Pairs::new();
    measure(&this, base, &timed.iter().map(|gated| gated.job).collect::<Vec<_>>(), PAIRS, &mut pairs);
    let slower: Vec<&str> = timed
        .iter()
        .filter(|gated| pairs.get(gated.job).is_some_and(|pairs| Some(ratio(pairs)) > gated.time(is_quick)))
        .map(|gated| gated.job)
        .collect();
    if !slower.is_empty() {
        measure(&this, base, &slower, MORE_PAIRS, &mut pairs);
    }
    for gated in timed {
        let Some(pairs) = pairs.get(gated.job) else {
            println!("{:<48} skipped: the other revision has no such job, or this one has none", gated.job);
            continue;
        };
        let show = |ns: f64| format!("{:.3} ms", ns / 1e6);
        let (before, now) =
            (median(pairs.iter().map(|pair| pair.1)), median(pairs.iter().map(|pair| pair.0)));
        let at_most = gated.time(is_quick);
        closed += u32::from(!verdict(gated.job, &show(before), &show(now), ratio(pairs), at_most));
    }
    let counted = wanted.iter().filter(|gated| gated.instructions.is_some());
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions skipped: there is no valgrind");
    } else {
        for gated in counted {
            match (instructions(base, gated.job), instructions(&this, gated.job)) {
                (Ok(before), Ok(now)) => {
                    let show = |count: u64| format!("{:.1} M instr", count as f64 / 1e6);
                    let ratio = now as f64 / before as f64;
                    closed +=
                        u32::from(!verdict(gated.job, &show(before), &show(now), ratio, gated.instructions));
                }
                (Err(why), _) | (_, Err(why)) => println!("{:<48} skipped: {why}", gated.job),
            }
        }
    }
    if closed > 0 {
        println!("\n{closed} slower than before");
        return ExitCode::FAILURE;
    }
    println!("\nnone slower than before");
    ExitCode::SUCCESS
}

/// Prints a line, and says whether it is within the threshold.
fn verdict(job: &str, before: &str, now: &str, ratio: f64, at_most: Option<f64>) -> bool {
    let at_most = at_most.unwrap_or(f64::INFINITY);
    let is_good = ratio <= at_most;
    let word = if is_good { "" } else { "SLOWER" };
    println!("{job:<48} {before:>14} {now:>14} {ratio:>7.3} {at_most:>9} {word}");
    is_good
}

fn ratio(pairs: &[(f64, f64)]) -> f64 {
    median(pairs.iter().map(|(now, before)| now / before))
}

/// Runs both programs so many times, in turns.
fn measure(this: &Path, base: &Path, jobs: &[&str], count: usize, pairs: &mut Pairs) {
    for number in 0..count {
        let mut times = [BTreeMap::new(), BTreeMap::new()];
        for turn in 0..2 {
            let which = (number + turn) % 2;
            times[which] = alone(if which == 0 { this } else { base }, jobs);
        }
        let [now, before] = times;
        for (job, now) in now {
            if let Some(before) = before.get(&job) {
                pairs.entry(job).or_default().push((now, *before));
            }
        }
    }
}

fn command(program: &Path, jobs: &[&str]) -> Vec<PathBuf> {
    let mut command = vec![program.to_owned()];
    command.extend(["--quick", "--json", "--alone"].map(PathBuf::from));
    command.extend(jobs.iter().map(|job| PathBuf::from(format!("={job}"))));
    command
}

/// The times of jobs, measured without the other side of their comparisons.
fn alone(program: &Path, jobs: &[&str]) -> BTreeMap<String, f64> {
    let mut times = BTreeMap::new();
    if jobs.is_empty() {
        return times;
    }
    let words = command(program, jobs);
    let output = Command::new(&words[0]).args(&words[1..]).output().unwrap();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        // Of jobs with several other sides the first is taken.
        if let Ok(row) = serde_json::from_slice::<Row>(line) {
            times.entry(row.job).or_insert(row.ours_ns as f64);
        }
    }
    times
}

/// How many instructions the program takes for a job, its start included.
fn instructions(program: &Path, job: &str) -> Result<u64, String> {
    // Corpora that aren't there yet are made here, and not counted.
    alone(program, &[job]);
    let words = command(program, &[job]);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(&words)
        .arg("--once")
        .output()
        .map_err(|error| error.to_string())?;
    let mut rows = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Row>(line).ok());
    match rows.next_back() {
        None => return Err(format!("{} has no such job", program.display())),
        Some(row) if row.beside.is_some() => {
            return Err(String::from("the other revision can't measure alone"));
        }
        Some(_) => {}
    }
    // `==123== Collected : 4567`
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = talk.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.ok_or_else(|| format!("callgrind counted nothing: {}", talk.lines().last().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_pair_changes_nothing_and_most_do() {
        assert!(ratio(&[(1.0, 1.0), (1.1, 1.0), (9.0, 1.0), (0.9, 1.0), (1.0, 1.0)]) < 1.2);
        assert!(ratio(&[(2.0, 1.0), (2.1, 1.0), (1.0, 1.0), (1.9, 1.0), (2.0, 1.0)]) > 1.8);
    }
}
