//! Kills one of several processes that write to the same store, lets the others go on, and counts.

use std::path::Path;
use std::thread;
use std::time::Duration;

use jsonl_core::Durability;

use crate::after::{After, look};
use crate::ledger::Ledger;
use crate::subject::{Result, Setting, Subject, said};
use crate::tally::Tally;
use crate::worker::{Job, Mode};
use crate::writers::Writer;

/// How many write at the same time.
const WRITERS: [usize; 3] = [2, 4, 8];

/// From far below a page to many of them; 200 bytes straddle one now and then.
const LENS: [usize; 5] = [80, 200, 6_000, 70_000, 4 << 20];

/// What killing came to.
#[derive(Clone, Debug, Default)]
pub struct Killed {
    /// Round by round; each kills all of its writers, one before the others.
    pub tally: Tally,
    /// Processes that were killed.
    pub kills: u64,
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
        let folder = tempfile::tempdir_in(place).map_err(said)?;
        let after = round(program, subject, folder.path(), setting, writers, number, &mut killed)?;
        let name = subject.name();
        killed.tally.times += 1;
        killed.tally.take(after, format_args!("{name}, round {number}, {writers} writers, {setting:?}"));
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
) -> Result<After> {
    subject.prepare(folder, writers + 1)?;
    let mut started = Vec::new();
    for writer in 0..writers {
        started.push(Writer::start(program, &Job::new(subject, folder, writer, setting, Mode::Endless))?);
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
    killed.tally.acknowledged += ledger.acknowledged();
    let mut after = look(subject, folder, setting, &ledger, writers);
    after.texts.extend(texts);
    Ok(after)
}
