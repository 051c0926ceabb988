//! Gives the program files that are too long, too deep, too many or too damaged, and measures what that takes.
//!
//! The control is a reader that takes a line into memory as it comes.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::subject::{Result, said};
use crate::trace::{Ended, Traced};

/// Memory that the program may take: 64 MiB, and a line of the longest that it reads.
pub const PEAK_MAX: u64 = (64 + 16) << 20;

/// Twice as much may take so many times as long. Linear is two; starting and noise come on top.
const GROWTH_MAX: f64 = 3.0;

/// Below this, time says nothing.
const TIME_MIN: Duration = Duration::from_millis(300);

/// What is put before the program.
struct Case {
    name: &'static str,
    /// Makes it with so many of whatever it is.
    make: fn(&Path, u64) -> std::io::Result<()>,
    count: u64,
    commands: &'static [&'static str],
}

const CASES: [Case; 6] = [
    Case {
        name: "a line of bytes",
        make: |path, count| {
            lines(path, &[b"{\"a\":1}\n{\"a\":\"", &b"x".repeat(count as usize), b"\"}\n{\"b\":2}\n"])
        },
        count: 1 << 30,
        commands: &["verify F", "tail F", "search needle F", "stats F", "log repair --force --dry-run F"],
    },
    Case {
        name: "lines",
        make: |path, count| repeated(path, b"{\"a\":1}\n", count),
        count: 50_000_000,
        commands: &["verify F", "tail F", "search needle F", "stats F"],
    },
    Case {
        name: "levels of brackets",
        make: |path, count| lines(path, &[&b"[".repeat(count as usize), b"\n{\"b\":2}\n"]),
        count: 1_000_000,
        commands: &["verify F", "tail F", "search needle F", "log repair --force --dry-run F"],
    },
    Case {
        name: "names of one object, all alike",
        make: |path, count| {
            lines(path, &[b"{\"b\":2}\n{", &b"\"a\":1,".repeat(count as usize), b"\"a\":1}\n"])
        },
        count: 1_000_000,
        commands: &["verify F", "tail F", "search needle F", "stats F"],
    },
    Case {
        name: "damaged lines",
        make: |path, count| repeated(path, b"{\"a\":1,}\n", count),
        count: 1_000_000,
        commands: &["verify F", "tail F", "search needle F", "stats F", "log repair --force --dry-run F"],
    },
    Case {
        name: "files in a folder",
        make: |path, count| {
            fs::create_dir(path)?;
            (0..count).try_for_each(|number| fs::write(path.join(format!("{number}.jsonl")), b"{\"a\":1}\n"))
        },
        count: 100_000,
        commands: &["ls F", "verify F", "search needle F"],
    },
];

fn lines(path: &Path, pieces: &[&[u8]]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    pieces.iter().try_for_each(|piece| file.write_all(piece))?;
    file.flush()
}

fn repeated(path: &Path, line: &[u8], count: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    (0..count).try_for_each(|_| file.write_all(line))?;
    file.flush()
}

/// What it came to.
#[derive(Clone, Debug, Default)]
pub struct Bounded {
    /// Commands that were run, each on half and on all.
    pub runs: u64,
    /// The most memory that any of them took, in bytes.
    pub peak: u64,
    /// Runs that took too much or too long, or ended in disorder.
    pub bad: u64,
    /// Every run in words: memory, and how many times as long all took as half.
    pub texts: Vec<String>,
    /// Memory that the control took, in bytes.
    pub control: u64,
}

/// Runs every command on every case, at a `part`th of its size.
pub fn measure(program: &Path, annals: &Path, part: u64) -> Result<Bounded> {
    let folder = tempfile::tempdir().map_err(said)?;
    let mut bounded = Bounded::default();
    for case in &CASES {
        let [half, whole] = ["half", "whole"].map(|name| folder.path().join(name));
        (case.make)(&half, case.count / part / 2).map_err(said)?;
        (case.make)(&whole, case.count / part).map_err(said)?;
        for command in case.commands {
            let small = run(annals, folder.path(), command, &half)?;
            let large = run(annals, folder.path(), command, &whole)?;
            let growth = large.time.as_secs_f64() / small.time.as_secs_f64();
            let is_slow = growth > GROWTH_MAX && large.time > TIME_MIN;
            let is_bad = is_slow || large.peak > PEAK_MAX || large.is_disorder || small.is_disorder;
            bounded.runs += 1;
            bounded.bad += u64::from(is_bad);
            bounded.peak = bounded.peak.max(large.peak);
            bounded.texts.push(format!(
                "{}{} {}, {command}: {} MiB, {:.2} s, {growth:.1} times as long as half",
                if is_bad { "BAD: " } else { "" },
                case.count / part,
                case.name,
                large.peak >> 20,
                large.time.as_secs_f64()
            ));
        }
        if case.name == "a line of bytes" {
            bounded.control = run(program, folder.path(), "naive-read F", &whole)?.peak;
        }
        for path in [half, whole] {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(said)?;
        }
    }
    Ok(bounded)
}

struct Run {
    peak: u64,
    time: Duration,
    is_disorder: bool,
}

fn run(program: &Path, home: &Path, command: &str, path: &Path) -> Result<Run> {
    let mut process = Command::new(program);
    let path_of = |word: &str| if word == "F" { path.to_owned() } else { PathBuf::from(word) };
    process.args(command.split(' ').map(path_of)).env("HOME", home).env("ANNALS_HOME", home.join("annals"));
    let begun = Instant::now();
    let mut traced = Traced::start(&mut process).map_err(said)?;
    let (ended, peak) = traced.peak_memory().map_err(said)?;
    // 4 is "damaged", 1 is "nothing found".
    let is_disorder = !matches!(ended, Ended::Exited(0 | 1 | 4));
    Ok(Run { peak, time: begun.elapsed(), is_disorder })
}

/// The control: reads a file line by line, as most programs do.
pub fn naive_read(path: &Path) -> Result<()> {
    use std::io::BufRead;
    let file = std::io::BufReader::new(File::open(path).map_err(said)?);
    let longest = file.lines().map_while(std::result::Result::ok).map(|line| line.len()).max();
    longest.map(drop).ok_or_else(|| String::from("there are no lines"))
}
