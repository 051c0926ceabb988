//! Runs the fuzz targets. Installs nothing; says what to install.

use std::fs;
use std::process::{Command, Stdio};

use crate::{Outcome, root};

pub(crate) fn run(args: &[String]) -> Outcome {
    let seconds = match args.iter().position(|arg| arg == "--seconds") {
        Some(at) => args.get(at + 1).and_then(|arg| arg.parse().ok()).ok_or("--seconds needs a number")?,
        None => 60_u32,
    };
    let wanted = args.first().filter(|arg| !arg.starts_with("--"));
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
    for target in targets()? {
        if wanted.is_some_and(|wanted| *wanted != target) {
            continue;
        }
        let mut fuzz = Command::new("cargo");
        fuzz.args(["+nightly", "fuzz", "run", &target, "--"]).current_dir(root());
        fuzz.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
        let output = fuzz.output().map_err(|error| format!("cargo fuzz: {error}"))?;
        let talk = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("{talk}\n{target}: a finding, or it doesn't compile; see above"));
        }
        println!("{target}: {seconds} s, {} runs, {}, no findings", runs(&talk), reached(&talk));
    }
    Ok(())
}

/// `stat::number_of_executed_units: 34426`.
fn runs(talk: &str) -> &str {
    let line = talk.lines().find(|line| line.starts_with("stat::number_of_executed_units"));
    line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("unknown")
}

/// `cov: 93 ft: 207` of the last line that has it: edges and features of the program that were reached.
fn reached(talk: &str) -> String {
    let line = talk.lines().rev().find(|line| line.contains(" cov: ")).unwrap_or_default();
    let number =
        |name: &str| line.split(name).nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or("?");
    format!("{} edges, {} features", number(" cov: "), number(" ft: "))
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
