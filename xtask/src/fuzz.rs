//! Runs the fuzz targets, and keeps what they find. Installs nothing; says what to install.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::{Outcome, root};

/// Where what a target has found before is kept: not in the repository, for it grows.
const CORPUS: &str = "fuzz/corpus";

/// What every target begins with.
const SEEDS: &str = "fuzz/seeds";

/// From so many seconds on, targets are optimised, and what was found is merged with what is there.
const MERGE_FROM: u32 = 30;

/// What came of running a target.
struct Run {
    executions: String,
    edges: String,
    features: String,
    /// What the fuzzer said, if it ended in a finding.
    finding: Option<String>,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let mut seconds = 60_u32;
    let mut wanted = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => {
                seconds =
                    args.next().and_then(|count| count.parse().ok()).ok_or("--seconds needs a number")?;
            }
            flag if flag.starts_with('-') => return Err(format!("fuzz has no option {flag}")),
            target => wanted = Some(target),
        }
    }
    can_run()?;
    let targets: Vec<String> =
        targets()?.into_iter().filter(|target| wanted.is_none_or(|wanted| wanted == target)).collect();
    if targets.is_empty() {
        return Err(format!("there is no fuzz target {}", wanted.unwrap_or_default()));
    }
    println!(
        "{:<22}{:>9}{:>14}{:>9}{:>11}  findings",
        "target", "seconds", "executions", "edges", "features"
    );
    // A target uses one processor.
    let lanes = thread::available_parallelism().map_or(1, NonZero::get);
    let (next, findings) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let lane = || -> Outcome {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let run = fuzz(target, seconds)?;
            let found = usize::from(run.finding.is_some());
            println!(
                "{target:<22}{seconds:>9}{:>14}{:>9}{:>11}  {found}",
                run.executions, run.edges, run.features
            );
            if let Some(talk) = run.finding {
                eprintln!("{talk}");
            }
            findings.fetch_add(found, Ordering::Relaxed);
            // A look of a few seconds finds less than merging takes.
            if seconds >= MERGE_FROM {
                merge(target)?;
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().unwrap_or_else(|_| Err(String::from("a panic"))))
    })?;
    match findings.into_inner() {
        0 => Ok(()),
        findings => Err(format!("{findings} targets ended in a finding; see above")),
    }
}

fn can_run() -> Outcome {
    let is_there = |args: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !is_there(&["+nightly", "--version"]) {
        return Err(String::from("fuzzing needs a nightly toolchain: rustup toolchain install nightly"));
    }
    if !is_there(&["+nightly", "fuzz", "--version"]) {
        return Err(String::from("fuzzing needs cargo-fuzz: cargo install cargo-fuzz"));
    }
    Ok(())
}

/// `cargo fuzz run`, on what was found before and on the seeds. What runs for a moment only isn't worth the minutes that optimising takes.
fn cargo_fuzz(target: &str, folders: &[&Path], seconds: u32) -> Command {
    let mut fuzz = Command::new("cargo");
    fuzz.args(["+nightly", "fuzz", "run"]);
    if seconds < MERGE_FROM {
        fuzz.arg("--dev");
    }
    fuzz.arg(target).args(folders).arg("--").current_dir(root());
    // Most targets write files, and wait for the disk if they may.
    if Path::new("/dev/shm").is_dir() {
        fuzz.env("TMPDIR", "/dev/shm");
    }
    fuzz
}

fn folder(place: &str, target: &str) -> Result<PathBuf, String> {
    let path = root().join(place).join(target);
    fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

fn fuzz(target: &str, seconds: u32) -> Result<Run, String> {
    let (corpus, seeds) = (folder(CORPUS, target)?, folder(SEEDS, target)?);
    let mut fuzz = cargo_fuzz(target, &[&corpus, &seeds], seconds);
    fuzz.arg(format!("-max_total_time={seconds}")).args(["-print_final_stats=1", "-timeout=30"]);
    let output = fuzz.output().map_err(|error| format!("cargo fuzz: {error}"))?;
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() && !talk.contains("Test unit written to") {
        return Err(format!("{talk}\n{target} doesn't compile or run; see above"));
    }
    // `cov: 93 ft: 207`: edges and features of the program that were reached.
    let line = talk.lines().rev().find(|line| line.contains(" cov: ")).unwrap_or_default();
    let after = |name: &str| {
        line.split(name).nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or("?").to_owned()
    };
    Ok(Run {
        executions: executions(&talk),
        edges: after(" cov: "),
        features: after(" ft: "),
        finding: (!output.status.success()).then_some(talk),
    })
}

/// `stat::number_of_executed_units: 34426`; where it ended early, the number of the last line: `#34426 …`.
fn executions(talk: &str) -> String {
    let stat = talk.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let last = || talk.lines().rev().find_map(|line| line.strip_prefix('#')?.split_whitespace().next());
    stat.or_else(last).unwrap_or("?").trim().to_owned()
}

/// Keeps of what was found the smallest inputs that reach as much.
fn merge(target: &str) -> Outcome {
    let corpus = folder(CORPUS, target)?;
    let merged = folder(CORPUS, &format!(".{target}"))?;
    let mut fuzz = cargo_fuzz(target, &[&merged, &corpus], MERGE_FROM);
    let output = fuzz.arg("-merge=1").output().map_err(|error| format!("cargo fuzz: {error}"))?;
    if !output.status.success() {
        return Err(format!("{}\n{target}: can't merge", String::from_utf8_lossy(&output.stderr)));
    }
    fs::remove_dir_all(&corpus)
        .and_then(|()| fs::rename(&merged, &corpus))
        .map_err(|error| format!("{}: {error}", corpus.display()))
}

/// The names of the targets: one file each.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}
