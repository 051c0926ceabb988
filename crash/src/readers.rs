//! Follows a log while others write to it as fast as they can: does every reader see every record, once, whole, in order?
//!
//! The control is a reader that takes what is in the file for lines: it has to see halves of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jsonl_core::{Durability, Follow, Followed, From, Verdict};
use serde::Deserialize;

use crate::subject::{Log, Result, Setting, Subject, said};
use crate::worker::{Job, Mode};
use crate::writers::Writer;

const WRITERS: usize = 2;
const READERS: usize = 3;
const LEN: usize = 6_000;

/// What following came to.
#[derive(Clone, Debug, Default)]
pub struct Readers {
    /// Seconds that it went on for.
    pub seconds: u64,
    /// Records that were written.
    pub written: u64,
    /// Records that the readers got, all together.
    pub got: u64,
    /// Records that a reader did not get, over all readers.
    pub missed: u64,
    /// Lines that a reader took for damaged, got twice or out of order.
    pub wrong: u64,
    /// How often the control saw a log that ends in the middle of a record.
    pub torn_seen: u64,
}

#[derive(Deserialize)]
struct Record {
    writer: usize,
    n: u64,
}

/// Lets writers write and readers follow for so many seconds.
pub fn follow(program: &Path, seconds: u64) -> Result<Readers> {
    let folder = tempfile::tempdir().map_err(said)?;
    let path = folder.path().join("log.jsonl");
    fs::write(&path, b"").map_err(said)?;
    let setting = Setting { len: LEN, durability: Durability::Buffer };
    let (is_over, path) = (&AtomicBool::new(false), &path);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(move || read(path, is_over))).collect();
        let control = scope.spawn(move || torn_seen(path, is_over));
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            writers.push(Writer::start(
                program,
                &Job::new(&Log, folder.path(), writer, setting, Mode::Endless),
            )?);
        }
        thread::sleep(Duration::from_secs(seconds));
        for writer in &mut writers {
            writer.kill()?;
        }
        // What the dead left unfinished is closed by the next one.
        let mut next = Log.open(folder.path(), WRITERS, setting)?;
        next.apply(0)?;
        let found = Log.read(folder.path(), setting)?;
        is_over.store(true, Ordering::Release);
        let mut followed = Readers { seconds, written: found.len() as u64, ..Readers::default() };
        for reader in readers {
            let (got, wrong) = reader.join().map_err(|_| String::from("a reader panicked"))??;
            followed.got += got;
            followed.wrong += wrong;
            followed.missed += followed.written.saturating_sub(got);
        }
        followed.torn_seen = control.join().map_err(|_| String::from("the control panicked"))?;
        Ok(followed)
    })
}

/// How many records came, and how much was wrong with what came.
fn read(path: &Path, is_over: &AtomicBool) -> Result<(u64, u64)> {
    let mut follow = Follow::new(path, From::Beginning).map_err(said)?.poll_every(Duration::from_millis(1));
    let (mut got, mut wrong, mut unfinished) = (0, 0, 0_u64);
    let mut next: BTreeMap<usize, u64> = BTreeMap::new();
    let mut last_turn = None;
    loop {
        match follow.next_within(Duration::from_millis(20)).map_err(said)? {
            Some(Followed::Line(line)) => {
                let is_record = matches!(line.verdict(), Verdict::Record { .. });
                let record = serde_json::from_slice::<Record>(&line.bytes).ok().filter(|_| is_record);
                let Some(record) = record else {
                    unfinished += 1;
                    continue;
                };
                let next = next.entry(record.writer).or_default();
                wrong += u64::from(record.n < *next);
                *next = record.n + 1;
                got += 1;
            }
            Some(_) => wrong += 1,
            // Once more, for what came between the look and the end.
            None if is_over.load(Ordering::Acquire) && last_turn.replace(()).is_some() => {
                // The killed writers can have left one record unfinished, which the next writer has closed.
                return Ok((got, wrong + unfinished.saturating_sub(1)));
            }
            None => {}
        }
    }
}

/// How often a look at the file finds an end that is no end of a line.
fn torn_seen(path: &Path, is_over: &AtomicBool) -> u64 {
    use std::io::{Read, Seek, SeekFrom};
    let mut seen = 0;
    let begun = Instant::now();
    while !is_over.load(Ordering::Acquire) && begun.elapsed() < Duration::from_secs(3600) {
        let Ok(mut file) = fs::File::open(path) else { continue };
        let mut last = [0];
        if file.seek(SeekFrom::End(-1)).is_ok() && file.read_exact(&mut last).is_ok() {
            seen += u64::from(last != *b"\n");
        }
    }
    seen
}
