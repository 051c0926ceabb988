//! `annals search` as a whole process over one log: a word that is rare, one that stands in some of the lines, one that is in none.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use annals_benches::corpus::{Corpora, Turn};
use annals_benches::measure::{Table, Target, Work, side};

use crate::agents::annals;

/// Of the turns, of which each has the time of a second of the day: one in a day, the first hour's, and none.
const WORDS: [(&str, &str); 3] = [("rare", "T00:01:15"), ("frequent", "T00:"), ("absent", "zyzzyva")];

pub(crate) fn run(corpora: &Corpora, folder: &Path, table: &mut Table) {
    let program = program();
    let home = tempfile::tempdir_in(folder).unwrap();
    for (corpus, target) in [(&corpora.chat, 8.0), (&corpora.small, 16.0)] {
        let path = &corpus.plain;
        let work = Work::Bytes(fs::metadata(path).unwrap().len());
        for (name, word) in WORDS {
            let job = format!("log search {name}, {}", corpus.name);
            let beside_rg = format!("log search {name} beside rg, {}", corpus.name);
            if !table.wants(&job) && !table.wants(&beside_rg) {
                continue;
            }
            if !program.exists() {
                table.skip(&job, &format!("there is no {}", program.display()));
                continue;
            }
            let ours = || {
                let found = annals(&program, home.path()).args(["search", word]).arg(path).output().unwrap();
                assert!(matches!(found.status.code(), Some(0 | 1)), "{found:?}");
                found.stdout.iter().filter(|byte| **byte == b'\n').count()
            };
            table.compare(
                &job,
                work,
                side("ours", ours),
                side("naive typed", || naive(path, word)),
                Target::AtLeast(target),
            );
            if !table.wants(&beside_rg) {
                continue;
            }
            if !has_rg() {
                table.skip(&beside_rg, "there is no rg");
                continue;
            }
            table.compare(
                &beside_rg,
                work,
                side("ours", ours),
                side("rg -c", || {
                    let counted = Command::new("rg").args(["-cF", word]).arg(path).output().unwrap();
                    assert!(matches!(counted.status.code(), Some(0 | 1)), "{counted:?}");
                    // Of none it says nothing.
                    String::from_utf8(counted.stdout).unwrap().trim().parse().unwrap_or(0)
                }),
                Target::AtLeast(1.2),
            );
        }
    }
}

/// Built beside the benchmarks.
pub(crate) fn program() -> PathBuf {
    let name = format!("annals{}", std::env::consts::EXE_SUFFIX);
    std::env::current_exe().unwrap().with_file_name(name)
}

pub(crate) fn has_rg() -> bool {
    Command::new("rg").arg("--version").output().is_ok()
}

/// How many turns have the word in one of their strings.
fn naive(path: &Path, word: &str) -> usize {
    let turns = BufReader::new(File::open(path).unwrap()).lines();
    let turns = turns.map(|line| serde_json::from_str::<Turn>(&line.unwrap()).unwrap());
    turns.filter(|turn| [&turn.role, &turn.ts, &turn.content].iter().any(|text| text.contains(word))).count()
}
