//! Kills one of several writers, lets the others go on, and counts.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jsonl_core::Log;

use crate::writer::Record;

const WRITERS: usize = 8;

/// From far below a page to many of them; 200 bytes straddle one now and then.
const LENS: [usize; 5] = [80, 200, 6_000, 70_000, 1 << 20];

/// Rounds for each length, unless the environment asks for more: `cargo xtask crash`.
const ROUNDS: usize = 21;

struct Writer {
    process: Child,
    /// How many records it acknowledged, when its output has ended.
    acknowledged: JoinHandle<u64>,
}

impl Writer {
    fn kill(&mut self) {
        self.process.kill().unwrap();
        let end = self.process.wait().unwrap();
        assert_eq!(end.signal(), Some(9), "a writer ended by itself: {end}");
    }
}

fn start(kind: &str, path: &Path, writer: usize, len: usize) -> Writer {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["writer", kind])
        .arg(path)
        .args([writer.to_string(), len.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    let acknowledged = thread::spawn(move || {
        let mut count = 0;
        for line in output.split(b'\n') {
            assert_eq!(line.unwrap(), count.to_string().as_bytes());
            count += 1;
        }
        count
    });
    Writer { process, acknowledged }
}

struct Outcome {
    acknowledged: u64,
    lost: u64,
}

/// One round: all write, one is killed, the others go on for a while, then all are killed, and one more comes
/// and writes behind whatever they left.
fn round(kind: &str, len: usize, seed: usize) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let mut writers: Vec<Writer> = (0..WRITERS).map(|writer| start(kind, &path, writer, len)).collect();
    thread::sleep(Duration::from_millis(15 + (seed as u64 * 7) % 13));
    let mut victims: Vec<usize> = (0..WRITERS).collect();
    victims.rotate_left(seed % WRITERS);
    for (nth, &victim) in victims.iter().enumerate() {
        writers[victim].kill();
        if nth < 2 {
            thread::sleep(Duration::from_millis(8));
        }
    }
    let mut acknowledged: Vec<u64> =
        writers.into_iter().map(|writer| writer.acknowledged.join().unwrap()).collect();
    let mut last = start(kind, &path, WRITERS, len);
    thread::sleep(Duration::from_millis(8));
    last.kill();
    acknowledged.push(last.acknowledged.join().unwrap());

    let log = Log::open(&path).unwrap();
    let loaded = log.load::<Record>().unwrap();
    assert_eq!(loaded.report.bytes.sum(), log.len(), "every byte is accounted for");
    let mut next: HashMap<usize, u64> = HashMap::new();
    let mut found = vec![0_u64; acknowledged.len()];
    for record in loaded.records {
        // Nothing that was never written, in each writer's order, at most once.
        assert_eq!(record, Record::new(record.writer, record.n, len));
        let next = next.entry(record.writer).or_default();
        assert!(record.n >= *next, "writer {}: {} after {next}", record.writer, record.n);
        *next = record.n + 1;
        found[record.writer] += u64::from(record.n < acknowledged[record.writer]);
    }
    let lost = acknowledged.iter().zip(&found).map(|(acknowledged, found)| acknowledged - found).sum();
    Outcome { acknowledged: acknowledged.iter().sum(), lost }
}

fn rounds() -> Option<usize> {
    std::env::var("ANNALS_CRASH_ROUNDS").ok().map(|rounds| rounds.parse().unwrap())
}

pub(crate) fn acknowledged_records_survive() {
    let wanted = rounds().unwrap_or(ROUNDS);
    let mut total = 0;
    for len in LENS {
        let mut acknowledged = 0;
        for seed in 0..wanted {
            let outcome = round("locked", len, seed);
            assert_eq!(
                outcome.lost, 0,
                "{len} bytes, round {seed}: of {} acknowledged",
                outcome.acknowledged
            );
            acknowledged += outcome.acknowledged;
        }
        if rounds().is_some() {
            println!("{wanted} rounds, {len} bytes a record: {acknowledged} acknowledged, 0 lost");
        }
        total += acknowledged;
    }
    assert!(total > 1000, "the writers hardly wrote: {total}");
}

pub(crate) fn the_control_is_caught() {
    let begun = Instant::now();
    let (mut seed, mut caught, mut lost, mut acknowledged) = (0, 0, 0, 0);
    // A writer is torn apart in a third of the rounds, and what the next one writes is glued to it.
    while begun.elapsed() < Duration::from_secs(120) {
        let outcome = round("plain", [70_000, 1 << 20][seed % 2], seed);
        seed += 1;
        caught += usize::from(outcome.lost > 0);
        lost += outcome.lost;
        acknowledged += outcome.acknowledged;
        if caught > 0 && rounds().is_none_or(|wanted| seed >= wanted) {
            if rounds().is_some() {
                println!(
                    "control (append without lock): {seed} rounds, {acknowledged} acknowledged, {lost} lost in {caught} rounds"
                );
            }
            return;
        }
    }
    assert!(caught > 0, "{seed} rounds, and the harness has not seen the broken writer lose a record");
}
