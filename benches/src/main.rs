//! Measures annals beside what people would use instead; `cargo xtask bench` builds and runs it.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

mod agents;
mod agents_corpus;
mod appending;
mod approvals;
mod catalogs;
mod gate;
mod growth;
#[cfg(unix)]
mod memories;
mod processes;
mod reading;
mod searching;
mod sessions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use annals_benches::command::Command;
use annals_benches::corpus::{Corpora, Size};
use annals_benches::measure::Table;
use annals_benches::saved;

const USAGE: &str = "\
usage: cargo xtask bench [--quick] [--json | --save] [WORD…]
       cargo xtask bench --answers [WORD…]
       cargo xtask bench --growth | --processes  [--save]
       cargo xtask bench --engines [--quick] [--json | --save] [WORD…]
       cargo xtask bench --gate [REV] [WORD…]

Runs the jobs whose names hold one of the words (or are one, after `=`); all without.

  --quick      small corpora and three rounds; for whether it works, not for how fast it is
  --once       one round
  --answers    whether both sides give the same, on the least of everything; nothing is measured
  --json       rows as JSON lines
  --save       keeps the rows in benches/results.json, benches/RESULTS.md and the chart
  --growth     time for a byte, a session, an item as there are more of them
  --processes  the program: memory of every command, time of a start
  --engines    beside SQLite, redb, fjall, simd-json, sonic-rs and arrow-json, which take minutes to build
  --gate       this tree beside an earlier revision; fails where this one is slower";

fn main() -> ExitCode {
    let command = Command::of_this_process();
    let has = |flag| command.has(flag);
    if has("--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let size = command.size();
    if has("--gate") {
        let words = command.words();
        let Some((base, words)) = words.split_first() else {
            eprintln!("--gate needs the program of the other revision");
            return ExitCode::FAILURE;
        };
        return gate::run(&PathBuf::from(base), words, size == Size::Quick);
    }
    if has("--growth") {
        growth::run(&folder(), size, has("--save"));
        return ExitCode::SUCCESS;
    }
    if has("--processes") {
        processes::run(&folder(), size, has("--save"));
        return ExitCode::SUCCESS;
    }
    if size == Size::Least {
        if has("--json") || has("--save") || has("--alone") {
            eprintln!("--answers measures nothing");
            return ExitCode::FAILURE;
        }
        jobs(tempfile::tempdir().unwrap().path(), size, &mut command.table(0));
        return ExitCode::SUCCESS;
    }
    let mut table = command.table(7);
    jobs(&folder(), size, &mut table);
    let rows = table.finish();
    if has("--save") {
        saved::save(rows);
    }
    ExitCode::SUCCESS
}

fn jobs(folder: &Path, size: Size, table: &mut Table) {
    let corpora = Corpora::in_folder(folder, size);
    reading::run(&corpora, table);
    searching::run(&corpora, folder, table);
    appending::run(folder, size, table);
    sessions::run(folder, size, table);
    catalogs::run(folder, size, table);
    #[cfg(unix)]
    memories::run(folder, size, table);
    agents::run(folder, size, table);
}

/// Beside the build, so that corpora are made once and `cargo clean` takes them away.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(2).unwrap();
    let folder = target.join("annals-bench");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
