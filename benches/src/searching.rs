//! `annals search` as a whole process over one log: a word that is rare, one that stands in some of the lines, one that is in none.

use std::fs;
use std::path::Path;
use std::process::Command;

use annals_benches::corpus::{Corpora, Turn};
use annals_benches::measure::{Table, Target, Work, side};

use crate::agents::{counts, counts_of_rg, is_beside_rg, lines, lines_of, program};
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
            let counted = format!("log search --count {name} beside rg, {}", corpus.name);
            let shown = format!("log search {name} beside rg -o, {}", corpus.name);
            if ![&job, &counted, &shown].iter().any(|job| table.wants(job)) {
                continue;
            }
            if !program.exists() {
                table.skip(&job, &format!("there is no {}", program.display()));
                continue;
            }
            let file = path.to_str().unwrap();
            let ours = || lines(&program, home.path(), &["search", word, file]);
            table.compare(
                &job,
                work,
                side("ours", ours),
                side("naive typed", || naive(path, word)),
                Target::AtLeast(target),
            );
            if is_beside_rg(&counted, table) {
                table.compare(
                    &counted,
                    work,
                    side("ours", || counts(&program, home.path(), &["search", "--count", word, file])),
                    side("rg -c", || counts_of_rg(Command::new("rg").args(["-cF", word]).arg(path))),
                    Target::AtLeast(1.2),
                );
            }
            // One find of a line is shown here, and all of them there: these words stand once in a line.
            if name == "frequent" && is_beside_rg(&shown, table) {
                table.compare(
                    &shown,
                    work,
                    side("ours", ours),
                    side("rg -o", || {
                        let around = format!(".{{0,40}}{word}.{{0,40}}");
                        lines_of(&Command::new("rg").args(["-o", &around]).arg(path).output().unwrap().stdout)
                    }),
                    Target::AtLeast(1.2),
                );
            }
        }
    }
}

/// How many turns have the word in one of their strings.
fn naive(path: &Path, word: &str) -> u64 {
    reading::naive::<Turn, u64>(path, 0, |count, turn| {
        *count += u64::from([&turn.role, &turn.ts, &turn.content].iter().any(|text| text.contains(word)));
    })
}
