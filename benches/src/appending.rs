//! Append, per durability and number of threads.

use std::path::Path;
use std::thread;

use jsonl_core::{Durability, Locking, WriteOptions, Writer, checksum};

use annals_benches::corpus::{Size, Turn};
use annals_benches::measure::{Table, Target, Work, side};
use annals_benches::messages::{Lazily, a_sync_for, turns, write_bare};

pub(crate) fn run(folder: &Path, size: Size, table: &mut Table) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let (buffered, synced) = match size {
        Size::Least => (200, 64),
        Size::Quick => (5_000, 200),
        Size::Full => (50_000, 1_000),
    };
    for (name, content_len) in [("small", 60), ("chat", 10_000)] {
        let turns = turns(content_len);
        let buffered = if name == "chat" { buffered / 10 } else { buffered };
        append_buffered(folder.path(), name, &turns, buffered, table);
        append_synced(folder.path(), name, &turns, synced, size, table);
    }
}

fn fresh(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("log.jsonl");
    let _ = std::fs::remove_file(&path);
    path
}

fn writer(path: &Path, durability: Durability, locking: Locking, checksum: bool) -> Writer {
    let options = WriteOptions::new().create(true).checksum(checksum);
    options.durability(durability).locking(locking).open(path).unwrap()
}

/// What both sides' logs come to, without their seals (which each replace a brace): enough to see that the same was written, and no work.
fn written(path: &Path, seals: u64) -> u64 {
    std::fs::metadata(path).unwrap().len() - seals * (checksum::SEAL_LEN as u64 - 1)
}

/// The same bytes, so many records in a `write`.
fn bare(folder: &Path, turns: &[Turn], count: usize, together: usize, durability: Durability) -> u64 {
    let path = fresh(folder);
    write_bare(&path, turns, count, together, durability);
    written(&path, 0)
}

fn append_buffered(folder: &Path, name: &str, turns: &Lazily<Turn>, count: usize, table: &mut Table) {
    let cases = [
        ("append Buffer, lock held", Locking::Held, false, 1.5),
        ("append Buffer, lock held, checksum", Locking::Held, true, 2.0),
        ("append Buffer, lock per append", Locking::PerAppend, false, 3.5),
    ];
    for (job, locking, sealed, target) in cases {
        table.compare(
            &format!("{job}, {name}"),
            Work::Records(count as u64),
            side("ours", || {
                let path = fresh(folder);
                let log = writer(&path, Durability::Buffer, locking, sealed);
                for n in 0..count {
                    log.append(&turns[n % turns.len()]).unwrap();
                }
                log.close().unwrap();
                written(&path, if sealed { count as u64 } else { 0 })
            }),
            side("bare write", || bare(folder, turns, count, 1, Durability::Buffer)),
            Target::TimeAtMost(target),
        );
    }
}

fn append_synced(
    folder: &Path,
    name: &str,
    turns: &Lazily<Turn>,
    count: usize,
    size: Size,
    table: &mut Table,
) {
    for durability in [Durability::SyncData, Durability::SyncAll] {
        table.compare(
            &format!("append {durability:?}, 1 thread, {name}"),
            Work::Records(count as u64),
            side("ours", || threads_append(folder, turns, count, 1, durability)),
            side("write + sync each", || bare(folder, turns, count, 1, durability)),
            Target::TimeAtMost(1.1),
        );
    }
    for (threads, target) in [(2, 0.8), (16, 6.0), (64, 12.0)] {
        // Starting the threads is no part of it.
        let count = count * if size == Size::Full { 4 } else { 1 };
        let (job, work) =
            (format!("append SyncData, {threads} threads, {name}"), Work::Records(count as u64));
        let ours = || threads_append(folder, turns, count, threads, Durability::SyncData);
        table.compare(
            &job,
            work,
            side("ours", ours),
            side("one thread, one at a time", || bare(folder, turns, count, 1, Durability::SyncData)),
            Target::AtLeast(target),
        );
        // What could be had if nobody had to wait for anybody.
        table.compare(
            &job,
            work,
            side("ours", ours),
            side(&a_sync_for(threads), || bare(folder, turns, count, threads, Durability::SyncData)),
            Target::Shown,
        );
    }
}

fn threads_append(
    folder: &Path,
    turns: &[Turn],
    count: usize,
    threads: usize,
    durability: Durability,
) -> u64 {
    let path = fresh(folder);
    let log = writer(&path, durability, Locking::Held, false);
    thread::scope(|scope| {
        for thread in 0..threads {
            let log = &log;
            scope.spawn(move || {
                // The same records in all, whatever the number of threads.
                for n in (thread..count).step_by(threads) {
                    log.append(&turns[n % turns.len()]).unwrap();
                }
            });
        }
    });
    log.close().unwrap();
    written(&path, 0)
}
