//! `annals search` as a whole process over one log: a word that is rare, one that stands in some of the lines, one that is in none.

use std::fs;
use std::path::Path;
use std::process::Command;

use annals_benches::corpus::{Corpora, Turn};
use annals_benches::measure::{Table, Target, Work, side};

use crate::agents::{is_beside_rg, lines, program};
use crate::reading;

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
            let ours = || lines(&program, home.path(), &["search", word, path.to_str().unwrap()]);
            table.compare(
                &job,
                work,
                side("ours", ours),
                side("naive typed", || naive(path, word)),
                Target::AtLeast(target),
            );
            if !is_beside_rg(&beside_rg, table) {
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

/// How many turns have the word in one of their strings.
fn naive(path: &Path, word: &str) -> u64 {
    reading::naive::<Turn, u64>(path, 0, |count, turn| {
        *count += u64::from([&turn.role, &turn.ts, &turn.content].iter().any(|text| text.contains(word)));
    })
}
