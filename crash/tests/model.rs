//! Does each store do what its ledger says, through whatever order of operations, reopening, and writers that die in a write?

#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use annals_crash::ledger::Ledger;
use annals_crash::subject::{Catalog, Handle, Log, Memory, Session, Setting, Subject, Trust};
use jsonl_core::Durability;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// One of two writers does its next operation.
    Apply { second: bool },
    /// It closes the store and opens it again.
    Reopen { second: bool },
    /// It dies in the middle of its next operation: so much of what that appends is there, in 255ths.
    Die { second: bool, part: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any::<bool>().prop_map(|second| Step::Apply { second }),
        1 => any::<bool>().prop_map(|second| Step::Reopen { second }),
        3 => (any::<bool>(), any::<u8>()).prop_map(|(second, part)| Step::Die { second, part }),
    ];
    proptest::collection::vec(step, 1..50)
}

const SETTING: Setting = Setting { len: 90, durability: Durability::Buffer };

/// Two writers, of which one at a time has the store open where only one can.
struct Writers<'a> {
    subject: &'a dyn Subject,
    folder: &'a Path,
    open: [Option<Box<dyn Handle>>; 2],
    next: [u64; 2],
}

impl Writers<'_> {
    fn handle(&mut self, writer: usize) -> &mut Box<dyn Handle> {
        if self.subject.turn_len().is_some() {
            self.open[1 - writer] = None;
        }
        self.open[writer].get_or_insert_with(|| {
            self.subject
                .open(self.folder, writer, SETTING)
                // The dead may have left only the newline that closes what another dead one left: then it has to be asked.
                .or_else(|error| {
                    self.subject.accept(self.folder).map_err(|_| error)?;
                    self.subject.open(self.folder, writer, SETTING)
                })
                .unwrap()
        })
    }

    fn number(&mut self, writer: usize) -> u64 {
        self.next[writer] += 1;
        self.next[writer] - 1
    }
}

/// All files below a folder, with what is in them.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Cuts the one log that has grown, if it is one, inside of what was appended.
fn cut(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>, part: u8) {
    let grown: Vec<_> = after
        .iter()
        .filter_map(|(path, now)| Some((path, before.get(path)?.len(), now)))
        .filter(|(path, len, now)| now.len() > *len && now.starts_with(&before[*path]))
        .collect();
    let [(path, len, now)] = grown[..] else { return };
    let kept = len + (now.len() - len) * usize::from(part) / 256;
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(kept as u64).unwrap();
}

fn run(subject: &dyn Subject, steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    subject.prepare(&root, 2).unwrap();
    let mut ledger = Ledger::default();
    let mut writers = Writers { subject, folder: &root, open: [None, None], next: [0, 0] };
    for step in steps {
        match step {
            Step::Apply { second } => {
                let writer = usize::from(second);
                let n = writers.number(writer);
                ledger.begin(subject.step(writer, n));
                // Only what was never begun, or has just been lost with its writer, is refused.
                if writers.handle(writer).apply(n).is_ok() {
                    ledger.acknowledge(subject.step(writer, n));
                }
            }
            Step::Reopen { second } => {
                if let Some(handle) = writers.open[usize::from(second)].take() {
                    handle.close().unwrap();
                }
            }
            Step::Die { second, part } => {
                let writer = usize::from(second);
                let n = writers.number(writer);
                writers.handle(writer);
                let before = files(&root);
                ledger.begin(subject.step(writer, n));
                let _ = writers.handle(writer).apply(n);
                // Bytes that a living writer has seen don't go away under it.
                writers.open = [None, None];
                cut(&before, &files(&root), part);
            }
        }
        let faults = ledger.faults(&subject.read(&root, SETTING).unwrap());
        assert!(faults.texts.is_empty(), "{}: {:#?}", subject.name(), faults.texts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log(steps in steps()) {
        run(&Log, steps);
    }

    #[test]
    fn sessions(steps in steps()) {
        run(&Session, steps);
    }

    #[test]
    fn a_memory(steps in steps()) {
        run(&Memory, steps);
    }

    #[test]
    fn trust(steps in steps()) {
        run(&Trust, steps);
    }

    #[test]
    fn a_catalog(steps in steps()) {
        run(&Catalog, steps);
    }
}
