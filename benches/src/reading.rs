//! Scan, verify, load, tail.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jsonl_core::scan::{Candidates, Prefilter};
use jsonl_core::{Log, ReadOptions, Source};
use serde::de::DeserializeOwned;
use serde_json::Value;

use annals_benches::corpus::{Corpora, Corpus, Turn};
use annals_benches::measure::{Table, Target, Work, side};

const THREADS: usize = 2;

pub(crate) fn run(corpora: &Corpora, table: &mut Table) {
    for (corpus, targets) in [(&corpora.chat, CHAT), (&corpora.small, SMALL)] {
        scan(corpus, table);
        verify(corpus, &targets, table);
        load(corpus, &targets, table);
        tail(corpus, table);
    }
}

/// What depends on the length of the lines.
struct Targets {
    seals: f64,
    folded: f64,
    kept: f64,
}

const CHAT: Targets = Targets { seals: 0.6, folded: 2.1, kept: 2.0 };
const SMALL: Targets = Targets { seals: 0.4, folded: 1.7, kept: 1.2 };

fn open(path: &Path) -> Log {
    ReadOptions::new().threads(THREADS).open(path).unwrap()
}

fn len(path: &Path) -> Work {
    Work::Bytes(fs::metadata(path).unwrap().len())
}

fn count_lines(path: &Path) -> u64 {
    open(path).chunks(|_| (), |(), _| ControlFlow::Continue(())).unwrap().lines
}

/// The sum of all bytes through a map on two threads, eight at a time: what the machine gives. The number of
/// lines is added so that both sides have an answer to compare.
fn sum_through_map(path: &Path) -> u64 {
    let log = ReadOptions::new().threads(THREADS).source(Source::Map).open(path).unwrap();
    let mut sum = 0_u64;
    log.chunks(
        |chunk| {
            let words = chunk.bytes.chunks_exact(8);
            words.map(|word| u64::from_le_bytes(word.try_into().unwrap())).fold(0, u64::wrapping_add)
        },
        |part, _| {
            sum = sum.wrapping_add(part);
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    std::hint::black_box(sum);
    log.len()
}

fn scan(corpus: &Corpus, table: &mut Table) {
    let path = &corpus.plain;
    let lines = BufReader::new(File::open(path).unwrap()).split(b'\n').count() as u64;
    let ours = || {
        assert_eq!(count_lines(path), lines);
        fs::metadata(path).unwrap().len()
    };
    table.compare(
        &format!("scan, count lines, 2 threads, {}", corpus.name),
        len(path),
        side("ours", ours),
        side("two-thread sum through a map", || sum_through_map(path)),
        Target::AtLeast(0.9),
    );
    // What is left of reading when something is done with the bytes.
    table.compare(
        &format!("scan, count lines, 2 threads, {}", corpus.name),
        len(path),
        side("ours", ours),
        side("two threads that only read", || read_only(path)),
        Target::Shown,
    );
    let absent = Prefilter::new("zyzzyva");
    table.compare(
        &format!("candidates of an absent word, 2 threads, {}", corpus.name),
        len(path),
        side("ours", || {
            let mut found = 0;
            let count = |candidates: &mut Candidates<'_>| candidates.count();
            let add = |count, _| {
                found += count;
                ControlFlow::Continue(())
            };
            assert_eq!(open(path).candidates(&absent, count, add).unwrap().lines, lines);
            assert_eq!(found, 0);
            fs::metadata(path).unwrap().len()
        }),
        side("two threads that only read", || read_only(path)),
        Target::Shown,
    );
}

/// How many bytes two threads read, each a part of the file at a time, into the same memory.
fn read_only(path: &Path) -> u64 {
    const PART_LEN: usize = 512 << 10;
    let (file, next, read) = (File::open(path).unwrap(), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut buffer = vec![0; PART_LEN];
                loop {
                    let at = next.fetch_add(PART_LEN as u64, Ordering::Relaxed);
                    match read_at(&file, &mut buffer, at) {
                        0 => break,
                        got => read.fetch_add(got as u64, Ordering::Relaxed),
                    };
                }
            });
        }
    });
    read.into_inner()
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> usize {
    std::os::unix::fs::FileExt::read_at(file, buffer, at).unwrap()
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> usize {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at).unwrap()
}

fn verify(corpus: &Corpus, targets: &Targets, table: &mut Table) {
    let sealed = &corpus.sealed;
    table.compare(
        &format!("verify seals, 2 threads, {}", corpus.name),
        len(sealed),
        side("ours", || {
            let report = open(sealed).verify_seals().unwrap();
            assert_eq!(report.sealed, report.records);
            report.records
        }),
        side("two-thread scan", || count_lines(sealed)),
        Target::AtLeast(targets.seals),
    );
    let path = &corpus.plain;
    table.compare(
        &format!("verify JSON in full, 2 threads, {}", corpus.name),
        len(path),
        side("ours", || open(path).verify().unwrap().records),
        side("naive to Value", || naive::<Value, _>(path, 0, |count, _| *count += 1)),
        Target::AtLeast(6.0),
    );
}

/// What people write.
pub(crate) fn naive<T: DeserializeOwned, A>(path: &Path, start: A, mut step: impl FnMut(&mut A, T)) -> A {
    let mut folded = start;
    for line in BufReader::new(File::open(path).unwrap()).lines() {
        step(&mut folded, serde_json::from_str(&line.unwrap()).unwrap());
    }
    folded
}

fn add_turn(sum: &mut u64, turn: &Turn) {
    *sum += turn.n + (turn.role.len() + turn.ts.len() + turn.content.len()) as u64;
}

fn ours<T: DeserializeOwned>(path: &Path, threads: usize, step: impl Fn(&mut u64, &T) + Sync) -> u64 {
    let log = ReadOptions::new().threads(threads).open(path).unwrap();
    let (sum, report) = log.fold(|| 0, |sum, record| step(sum, &record.value), |a, b| a + b).unwrap();
    assert!(report.is_clean());
    sum
}

fn load(corpus: &Corpus, targets: &Targets, table: &mut Table) {
    let path = &corpus.plain;
    let naive_sum = || naive::<Turn, u64>(path, 0, |sum, turn| add_turn(sum, &turn));
    table.compare(
        &format!("load typed, folded, 2 threads, {}", corpus.name),
        len(path),
        side("ours", || ours(path, THREADS, add_turn)),
        side("naive typed, folded", naive_sum),
        Target::AtLeast(targets.folded),
    );
    table.compare(
        &format!("load typed, folded, 1 thread, {}", corpus.name),
        len(path),
        side("ours", || ours(path, 1, add_turn)),
        side("naive typed, folded", naive_sum),
        Target::AtLeast(1.0),
    );
    table.compare(
        &format!("load typed, kept, 2 threads, {}", corpus.name),
        len(path),
        side("ours", || open(path).load::<Turn>().unwrap().records.len()),
        side("naive typed, kept", || naive::<Turn, Vec<Turn>>(path, Vec::new(), Vec::push).len()),
        Target::AtLeast(targets.kept),
    );
    let members = |value: &Value| value.as_object().map_or(0, |members| members.len() as u64);
    table.compare(
        &format!("load Value, folded, 2 threads, {}", corpus.name),
        len(path),
        side("ours", || ours(path, THREADS, |sum, value| *sum += members(value))),
        side("naive to Value, folded", || naive::<Value, u64>(path, 0, |sum, value| *sum += members(&value))),
        Target::AtLeast(targets.folded),
    );
}

fn tail(corpus: &Corpus, table: &mut Table) {
    const REPEAT: u64 = 20;
    let tail = |path: &Path| {
        (0..REPEAT).map(|_| Log::open(path).unwrap().tail::<Turn>(100).unwrap().records.len()).sum::<usize>()
    };
    table.compare(
        &format!("tail 100 of the large file, {}", corpus.name),
        Work::Records(REPEAT),
        side("ours", || tail(&corpus.large)),
        side("tail 100 of 4 MB", || tail(&corpus.short)),
        Target::TimeAtMost(1.3),
    );
}
