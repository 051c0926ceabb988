//! Kills one of several processes that write to the same store, lets the others go on, and counts.

use std::path::Path;
use std::thread;
use std::time::Duration;

use jsonl_core::Durability;

use crate::after::look;
use crate::ledger::Ledger;
use crate::subject::{Result, Setting, Subject};
use crate::worker::{Job, Mode};
use crate::writers::Writer;

/// How many write at the same time.
const WRITERS: [usize; 3] = [2, 4, 8];

/// From far below a page to many of them; 200 bytes straddle one now and then.
const LENS: [usize; 5] = [80, 200, 6_000, 70_000, 4 << 20];

/// Faults that are kept in words.
const TEXTS_MAX: usize = 10;

/// What killing came to.
#[derive(Clone, Debug, Default)]
pub struct Killed {
    /// Rounds, each of which kills all of its writers, one before the others.
    pub rounds: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// Operations that were acknowledged.
    pub acknowledged: u64,
    /// Those that left no trace.
    pub lost: u64,
    /// Rounds in which a store asked what it can't know.
    pub asked: u64,
    /// Rounds after which something was wrong.
    pub bad: u64,
    /// The first of them, in words.
    pub texts: Vec<String>,
}

/// So many rounds in a folder of the file system that is to be tried, in which every number of writers and every size of
/// records has its turn.
pub fn kill(program: &Path, subject: &'static dyn Subject, place: &Path, rounds: u64) -> Result<Killed> {
    let mut killed = Killed::default();
    for number in 0..rounds {
        let writers = WRITERS[number as usize % WRITERS.len()];
        // Every size with every number of writers, for 3 and 5 have no divisor in common.
        let len = LENS[number as usize % LENS.len()];
        // Half of the rounds wait for the device.
        let durability = if number / 15 % 2 == 0 { Durability::Buffer } else { Durability::SyncData };
        let setting = Setting { len, durability };
        let folder = tempfile::tempdir_in(place).map_err(|error| error.to_string())?;
        let texts = round(program, subject, folder.path(), setting, writers, number, &mut killed)?;
        killed.rounds += 1;
        if !texts.is_empty() {
            killed.bad += 1;
            if killed.texts.len() < TEXTS_MAX {
                let name = subject.name();
                killed.texts.push(format!(
                    "{name}, round {number}, {writers} writers, {setting:?}: {}",
                    texts.join("; ")
                ));
            }
        }
    }
    Ok(killed)
}

fn round(
    program: &Path,
    subject: &'static dyn Subject,
    folder: &Path,
    setting: Setting,
    writers: usize,
    number: u64,
    killed: &mut Killed,
) -> Result<Vec<String>> {
    subject.prepare(folder, writers + 1)?;
    let job = |writer| Job {
        subject: subject.name(),
        folder: folder.to_owned(),
        writer,
        setting,
        from: 0,
        mode: Mode::Endless,
    };
    let mut started = Vec::new();
    for writer in 0..writers {
        started.push(Writer::start(program, &job(writer))?);
    }
    thread::sleep(Duration::from_millis(12 + number * 7 % 17));
    let mut texts = Vec::new();
    let first = number as usize % writers;
    for nth in 0..writers {
        if let Err(text) = started[(first + nth) % writers].kill() {
            texts.push(text);
        }
        killed.kills += 1;
        if nth == 0 {
            thread::sleep(Duration::from_millis(8));
        }
    }
    let mut ledger = Ledger::default();
    for writer in started {
        let told = writer.told();
        told.enter(subject, &mut ledger, usize::MAX);
        texts.extend(told.failure().map(str::to_owned));
    }
    let after = look(subject, folder, setting, &ledger, writers);
    killed.acknowledged += ledger.acknowledged();
    killed.lost += after.lost;
    killed.asked += after.asked;
    texts.extend(after.texts);
    Ok(texts)
}
