//! Throughput and latency, with the naive way beside ours, in one run.
//!
//! Machines differ and are noisy, so only ratios count: both sides run alternately, several times, and medians
//! are compared. Every job gives an answer, and the answers of both sides have to be the same.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod agents;
mod agents_corpus;
mod appending;
mod catalogs;
mod corpus;
mod measure;
#[cfg(unix)]
mod memories;
mod originals;
mod reading;
mod sessions;

use std::path::PathBuf;

use corpus::{Corpora, Size};
use measure::Table;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--help") {
        println!(
            "usage: cargo xtask bench [--quick] [--json] [WORD…]\n\nRuns the jobs whose names hold one of the words; all without. --quick uses small corpora."
        );
        return;
    }
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let words: Vec<String> = args.iter().filter(|arg| !arg.starts_with("--")).cloned().collect();
    let size = if has("--quick") { Size::Quick } else { Size::Full };
    let corpora = Corpora::in_folder(&folder(), size);
    let mut table = Table::new(words, has("--json"), if has("--quick") { 3 } else { 7 });
    reading::run(&corpora, &mut table);
    appending::run(&folder(), size, &mut table);
    sessions::run(&folder(), size, &mut table);
    catalogs::run(&folder(), size, &mut table);
    #[cfg(unix)]
    memories::run(&folder(), size, &mut table);
    agents::run(&folder(), size, &mut table);
    table.finish();
}

/// Beside the build, so that corpora are made once and `cargo clean` takes them away.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(2).unwrap();
    let folder = target.join("annals-bench");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
