//! Cuts the power at every step of a store's work, and tries what a disk may have made of it.
//!
//! A run is recorded call by call. At each step, everything that no sync has carried to the device may be there or not: writes by the
//! sector (new, old, NUL or garbage), lengths with or without the bytes, names one folder at a time in their order. Where there are
//! few such states all are tried, of many a sample. Some are tried once more, with the power cut again while the next writer
//! mends what it finds.
//!
//! The model is stricter than ext4 or XFS: a sync of a file carries no name, and a sync of a folder no other folder's.

mod disk;
mod record;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use jsonl_core::Durability;

use crate::after::look;
use crate::ledger::Ledger;
use crate::place::quick_folder;
use crate::subject::{Result, Setting, Subject, said};
use crate::tally::Tally;
use disk::Disk;
use record::{Event, record};

/// One state out of so many is tried again with a cut during recovery.
const AGAIN_EVERY: u64 = 199;

/// States of a disk that are tried at one step, at most.
const STATES_MAX: usize = 512;

/// What it came to.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// State by state of the disk, no two alike at one step; acknowledged is what was so at the last step.
    pub tally: Tally,
    /// States that came from a second cut.
    pub again: u64,
}

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Operations of the recorded run.
    pub operations: u64,
    /// Bytes of a record.
    pub len: usize,
    /// States at one step, at most 512.
    pub states: usize,
    /// What is acknowledged is on the device; if not, this is a negative control.
    pub durability: Durability,
}

/// Records a run of a store and cuts the power at each of its steps.
pub fn cut(program: &Path, subject: &'static dyn Subject, effort: Effort) -> Result<Cut> {
    let folder = quick_folder()?;
    // Every state stands in the same place: a store may know things by their paths.
    let place = folder.path().join("disk");
    fs::create_dir(&place).map_err(said)?;
    subject.prepare(&place, 3)?;
    let setting = Setting { len: effort.len, durability: effort.durability };
    let mut explorer = Explorer { program, subject, place: &place, setting, effort, found: Cut::default() };
    explorer.explore(&Ledger::default(), 0)?;
    Ok(explorer.found)
}

struct Explorer<'a> {
    program: &'a Path,
    subject: &'static dyn Subject,
    place: &'a Path,
    setting: Setting,
    effort: Effort,
    found: Cut,
}

impl Explorer<'_> {
    /// Lets a writer work on what is in the place, and cuts the power at each step.
    fn explore(&mut self, before: &Ledger, writer: usize) -> Result<()> {
        let (operations, states) = match writer {
            0 => (self.effort.operations, self.effort.states.min(STATES_MAX)),
            _ => (1, self.effort.states.min(32)),
        };
        let mut disk = Disk::of(self.place)?;
        let events = record(self.program, self.subject, self.place, writer, self.setting, operations)?;
        let mut ledger = before.clone();
        for (step, event) in events.iter().enumerate() {
            match event {
                Event::Begins(n) => ledger.begin(self.subject.step(writer, *n)),
                Event::Acknowledged(n) => ledger.acknowledge(self.subject.step(writer, *n)),
                Event::Disk(change) => disk.apply(change),
            }
            let mut seen = HashSet::new();
            for choice in disk.choices(states, step as u64) {
                let image = disk.image(&choice);
                if !seen.insert(image.digest()) {
                    continue;
                }
                self.found.tally.times += 1;
                if writer > 0 {
                    self.found.again += 1;
                } else if self.found.tally.times.is_multiple_of(AGAIN_EVERY) {
                    image.write(self.place)?;
                    self.explore(&ledger, 1)?;
                }
                image.write(self.place)?;
                let after = look(self.subject, self.place, self.setting, &ledger, writer + 1);
                let name = self.subject.name();
                let at = format_args!("{name}, writer {writer}, step {step} {event}, {choice:?}");
                self.found.tally.take(after, at);
            }
        }
        if writer == 0 {
            self.found.tally.acknowledged = ledger.acknowledged();
        }
        Ok(())
    }
}

/// Numbers that look random and are the same in each run.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides.max(1)
    }
}
