//! Runs what has to be run on this workspace. `cargo xtask` lists the tasks.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod coverage;
mod crash;
mod fuzz;
mod sanitize;
mod screens;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask TASK

  ci                    everything that CI runs: format, lints, docs, tests, harnesses
  bench [--quick] …     throughput and latency beside the naive way; --help lists the options
  bench --engines …     the same beside other engines, which take minutes to build
  bench --gate [REV]    this tree beside an earlier revision; fails where it is slower
  crash [--quick] [--report] …
                        kills, fills, cuts and breaks the stores, and counts what is lost; --report puts the
                        table into README.md
  fuzz [TARGET] [--seconds N]
                        fuzz targets, all or one; needs nightly and cargo-fuzz, and says so
  sanitize [miri] [address] [thread]
                        tests under Miri, AddressSanitizer and ThreadSanitizer; needs nightly, and says so
  coverage              lines and branches that the tests go through; needs nightly and LLVM's tools, and says so
  screens               the pictures of the program in README.md, from the shipped examples
  tidy                  house rules that a program can check";

/// What a task comes to; an error has been said already.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("ci") => run(Command::new("bash").arg(".ci/run")),
        Some("bench") => bench::bench(rest),
        Some("crash") => crash::run(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("sanitize") => sanitize::run(rest),
        Some("coverage") => coverage::run(),
        Some("screens") => screens::save(),
        Some("tidy") => tidy::run(),
        _ => Err(String::from(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// Where the programs and examples lie that `cargo test --workspace` builds. Other sets of packages have other features, and would be built anew.
fn built() -> Result<PathBuf, String> {
    run(&mut cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
    Ok(target().join("debug"))
}

/// The program, as the tests build it.
fn annals() -> Result<PathBuf, String> {
    Ok(built()?.join(format!("annals{}", std::env::consts::EXE_SUFFIX)))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn run(command: &mut Command) -> Outcome {
    command.current_dir(root());
    let shown = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}
