//! How much of the crates the tests go through: lines, and branches, each way counted by itself. Installs nothing; says what to install.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::sanitize::{host, is_there, nightly};
use crate::{Outcome, root, run as run_command, target};

/// What isn't a crate that people depend on. Tests that kill are left out, too: what is killed can't write down where it has been.
const EXCLUDED: [&str; 3] = ["annals-crash", "annals-benches", "xtask"];

/// Versions of LLVM's tools that read what nightly writes, the newest first.
const VERSIONS: std::ops::RangeInclusive<u32> = 19..=24;

/// Lines or branches: how many, and how many of them no test reaches.
#[derive(Clone, Copy, Default)]
struct Count {
    all: u64,
    missed: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.missed += other.missed;
    }

    fn percent(self) -> f64 {
        100.0 * (self.all - self.missed) as f64 / self.all.max(1) as f64
    }
}

pub(crate) fn run() -> Outcome {
    let Some(host) = host().filter(|_| is_there(&["--version"])) else {
        println!("skipped: rustup toolchain install nightly");
        return Ok(());
    };
    let (Some(profdata), Some(cov)) = (tool("llvm-profdata", &host), tool("llvm-cov", &host)) else {
        println!(
            "skipped: rustup component add llvm-tools --toolchain nightly, or Debian's llvm-{}",
            VERSIONS.start()
        );
        return Ok(());
    };
    let folder = target().join("coverage");
    let profiles = folder.join("profiles");
    let _ = fs::remove_dir_all(&profiles);
    let programs = programs(&host, &folder)?;
    // A few files for all processes of a program, which add what they have seen.
    let mut test = tests(&host, &folder);
    run_command(test.arg("--quiet").env("LLVM_PROFILE_FILE", profiles.join("%4m.profraw")))?;
    let merged = folder.join("merged.profdata");
    run_command(Command::new(profdata).args(["merge", "--sparse", "-o"]).args([&merged, &profiles]))?;
    let mut report = Command::new(cov);
    report.args([
        "report",
        "--show-branch-summary",
        "--ignore-filename-regex",
        "/(registry|rustc|tests)/|/tests\\.rs$",
    ]);
    report.arg("--instr-profile").arg(&merged).arg(&programs[0]);
    programs[1..].iter().for_each(|program| {
        report.arg("--object").arg(program);
    });
    let output = report.stderr(Stdio::inherit()).output().map_err(|error| format!("llvm-cov: {error}"))?;
    print(&String::from_utf8_lossy(&output.stdout))
}

fn tests(host: &str, folder: &Path) -> Command {
    let mut test =
        nightly(&["test", "--workspace", "--lib", "--bins", "--test=it", "--target", host, "--target-dir"]);
    test.arg(folder).env("RUSTFLAGS", "-Cinstrument-coverage -Zcoverage-options=branch");
    EXCLUDED.iter().for_each(|package| {
        test.args(["--exclude", package]);
    });
    test
}

/// The programs that tests consist of, and those that they run.
fn programs(host: &str, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut build = tests(host, folder);
    build.args(["--no-run", "--message-format=json"]).stderr(Stdio::inherit());
    let output = build.output().map_err(|error| format!("cargo +nightly: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let paths = text.lines().filter_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next());
    let programs: Vec<PathBuf> = paths.map(PathBuf::from).collect();
    if output.status.success() && !programs.is_empty() {
        Ok(programs)
    } else {
        Err(String::from("the tests can't be built"))
    }
}

/// One of LLVM's tools: nightly's own, or the system's.
fn tool(name: &str, host: &str) -> Option<PathBuf> {
    let output = Command::new("rustc").args(["+nightly", "--print", "sysroot"]).output().ok()?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let own = sysroot.join("lib/rustlib").join(host).join("bin").join(name);
    let of_system =
        VERSIONS.rev().map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}/bin/{name}")));
    std::iter::once(own).chain(of_system).find(|path| path.is_file())
}

/// Sums up a table with a row for each file, by the crates that these belong to.
fn print(table: &str) -> Outcome {
    let mut crates: BTreeMap<&str, (Count, Count)> = BTreeMap::new();
    let root = root().canonicalize().map_err(|error| error.to_string())?;
    for row in table.lines() {
        let cells: Vec<&str> = row.split_whitespace().collect();
        // File; regions, missed, percent; functions, missed, percent; lines, missed, percent; branches, missed, percent.
        let [file, .., lines, lines_missed, _, branches, branches_missed, _] = cells[..] else { continue };
        let count =
            |all: &str, missed: &str| Some(Count { all: all.parse().ok()?, missed: missed.parse().ok()? });
        let counts = count(lines, lines_missed).zip(count(branches, branches_missed));
        let below = file.strip_prefix(&*root.join("crates").to_string_lossy()).unwrap_or(file);
        let Some((name, _)) = below.trim_start_matches('/').split_once("/src/") else { continue };
        let Some((lines, branches)) = counts else { continue };
        let sums = crates.entry(name).or_default();
        sums.0.add(lines);
        sums.1.add(branches);
    }
    if crates.is_empty() {
        return Err(format!("llvm-cov says nothing of our crates:\n{table}"));
    }
    println!("{:<14}{:>10}{:>10}{:>10}{:>10}", "crate", "lines", "run", "branches", "taken");
    let mut all = (Count::default(), Count::default());
    for (name, (lines, branches)) in crates {
        all.0.add(lines);
        all.1.add(branches);
        print_row(name, lines, branches);
    }
    print_row("all", all.0, all.1);
    Ok(())
}

fn print_row(name: &str, lines: Count, branches: Count) {
    println!(
        "{name:<14}{:>10}{:>8.1} %{:>10}{:>8.1} %",
        lines.all,
        lines.percent(),
        branches.all,
        branches.percent()
    );
}
