//! However a log grows and is replaced: whoever follows gets its complete lines, each once and in order, and is told when it is another.
#![no_main]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use annals_fuzz::Decisions;
use jsonl_core::{Follow, Followed, From, Log, RepairOptions};
use libfuzzer_sys::fuzz_target;

/// What is expected to come, and what came.
struct Reader {
    follow: Follow,
    got: Vec<Vec<u8>>,
}

impl Reader {
    /// Takes in what there is; on a log that isn't the old one, forgets what came before.
    fn take(&mut self) -> bool {
        let mut is_other = false;
        while let Some(found) = self.follow.next_within(Duration::ZERO).expect("follow") {
            match found {
                Followed::Line(line) => self.got.push(line.bytes),
                Followed::Replaced { resumed } => {
                    is_other |= !resumed;
                    if !resumed {
                        self.got.clear();
                    }
                }
                _ => {}
            }
        }
        is_other
    }
}

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.jsonl");
    fs::write(&path, b"").expect("a file");
    let mut reader = Reader { follow: Follow::new(&path, From::Beginning).expect("follow"), got: Vec::new() };
    let mut next = Decisions(bytes);
    let mut number = 0_u64;
    while next.are_left() {
        match next.byte() % 8 {
            // Bytes as they come, in pieces.
            0..=3 => {
                let len = next.below(40);
                let piece: Vec<u8> = (0..len).map(|_| next.byte()).collect();
                append(&path, &piece);
            }
            // A record that no other is like, so that it is known again.
            4 | 5 => {
                number += 1;
                append(&path, format!("{{\"n\":{number}}}\n").as_bytes());
            }
            6 => {
                reader.take();
            }
            // Everything that isn't a record is taken out; the file is another one.
            _ => {
                reader.take();
                let report = RepairOptions::new().mostly_damaged(true).repair(&path).expect("repair");
                let is_other = reader.take();
                assert!(report.changes() || !is_other, "the same lines are taken for another log");
                // What was seen of the old log has served; from here on it is the new one.
                reader =
                    Reader { follow: Follow::new(&path, From::Beginning).expect("follow"), got: Vec::new() };
            }
        }
    }
    reader.take();
    let log = Log::open(&path).expect("open");
    let complete = log.lines().map(|line| line.expect("line")).filter(|line| line.terminated);
    let complete: Vec<Vec<u8>> = complete.map(|line| line.bytes).collect();
    assert_eq!(reader.got, complete);
    let mut from_end = Follow::new(&path, From::End).expect("follow");
    append(&path, b"\nnew\n");
    let mut lines = Vec::new();
    while let Some(Followed::Line(line)) = from_end.next_within(Duration::ZERO).expect("follow") {
        lines.push(line.bytes);
    }
    // What was unfinished, or an empty line, and the new one.
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1], b"new");
});

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).expect("open").write_all(bytes).expect("write");
}
