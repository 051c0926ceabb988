//! The harnesses, small enough for every day: every store holds, and every control is caught.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::path::Path;

use annals_crash::errors::sweep;
use annals_crash::full::limits;
use annals_crash::kill::{Killed, kill};
use annals_crash::power::{Cut, Effort, cut};
use annals_crash::subject::{Catalog, Log, Memory, Naive, STORES, Session, Subject, Trust};
use annals_crash::tally::Tally;
use annals_crash::trace::can_trace;
use jsonl_core::Durability;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_annals-crash"))
}

/// Where a process may not trace its children there is nothing to be done from outside.
fn is_traceable() -> bool {
    can_trace().inspect_err(|why| eprintln!("skipped: processes can't be traced here: {why}")).is_ok()
}

#[test]
fn ten_thousand_faults_of_the_system_lose_nothing() {
    if !is_traceable() {
        return;
    }
    // As many operations of each as make about as many points, for calls differ in number.
    let efforts: [(&'static dyn Subject, u64); 5] =
        [(&Log, 36), (&Session, 5), (&Memory, 15), (&Trust, 3), (&Catalog, 6)];
    let mut points = 0;
    for (subject, operations) in efforts {
        let Tally { times, refused, lost, bad, texts, .. } = sweep(program(), subject, operations).unwrap();
        assert!(refused > 0, "{}: no fault was told", subject.name());
        assert_eq!((lost, bad), (0, 0), "{texts:#?}");
        points += times;
    }
    assert!(points >= 10_000, "{points} points");
}

#[test]
fn a_writer_that_retries_syncs_and_writes_on_is_caught() {
    if !is_traceable() {
        return;
    }
    let swept = sweep(program(), &Naive, 8).unwrap();
    assert!(swept.bad > 10, "{swept:?}");
    // So is a reader that sees nothing where it can't look.
    let swept = sweep(program(), &Naive, 1).unwrap();
    assert!(swept.texts.iter().any(|text| text.contains("tells of no error")), "{swept:?}");
}

fn effort(durability: Durability) -> Effort {
    Effort { operations: 20, len: 700, states: 64, durability }
}

#[test]
fn whatever_a_power_cut_leaves_nothing_acknowledged_is_lost() {
    if !is_traceable() {
        return;
    }
    for subject in STORES {
        let Cut { tally, again } = cut(program(), subject, effort(Durability::SyncData)).unwrap();
        assert_eq!((tally.lost, tally.bad), (0, 0), "{:#?}", tally.texts);
        assert!(tally.times > 500 && again > 0 && tally.acknowledged > 0, "{tally:?}");
    }
}

#[test]
fn a_power_cut_catches_who_does_not_sync_or_writes_in_place() {
    if !is_traceable() {
        return;
    }
    assert!(cut(program(), &Log, effort(Durability::Buffer)).unwrap().tally.lost > 0);
    assert!(cut(program(), &Naive, effort(Durability::SyncData)).unwrap().tally.bad > 0);
}

#[test]
fn whoever_is_killed_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    for subject in STORES {
        let Killed { tally, .. } = kill(program(), subject, folder.path(), 8).unwrap();
        assert_eq!((tally.lost, tally.bad), (0, 0), "{:#?}", tally.texts);
        assert!(tally.acknowledged > 0);
    }
    // Whether a round hits the moment is chance: most do.
    assert!(kill(program(), &Naive, folder.path(), 12).unwrap().tally.bad > 0);
}

#[test]
fn files_that_may_not_become_longer_lose_nothing() {
    for subject in STORES {
        let filled = limits(program(), subject, 4096, 331).unwrap();
        assert_eq!((filled.lost, filled.bad), (0, 0), "{:#?}", filled.texts);
        assert!(filled.refused > 0);
    }
    assert!(limits(program(), &Naive, 4096, 331).unwrap().bad > 0);
}
