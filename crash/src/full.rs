//! Lets the system take only a part of what is written: a limit on the length of files at every byte, a file system that is full, and a
//! disk that fails when it is synced.

use std::path::Path;
use std::process::Command;
use std::thread;

use jsonl_core::Durability;

use crate::after::look;
use crate::ledger::{Ledger, Step};
use crate::mount::{Kind, Mount};
use crate::place::quick_folder;
use crate::subject::{Result, Setting, Subject};
use crate::worker::{Job, LIMIT, Mode, Said};
use crate::writers::{Told, Writer};

/// Faults that are kept in words.
const TEXTS_MAX: usize = 10;

/// What it came to.
#[derive(Clone, Debug, Default)]
pub struct Filled {
    /// Runs, each until an error.
    pub runs: u64,
    /// Runs in which an error was told.
    pub refused: u64,
    /// Operations that were acknowledged.
    pub acknowledged: u64,
    /// Those that left no trace.
    pub lost: u64,
    /// Runs after which a store asked what it can't know.
    pub asked: u64,
    /// Runs after which something was wrong.
    pub bad: u64,
    /// The first of them, in words.
    pub texts: Vec<String>,
}

impl Filled {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.refused += other.refused;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.asked += other.asked;
        self.bad += other.bad;
        self.texts.extend(other.texts);
        self.texts.truncate(TEXTS_MAX);
    }

    /// What a writer said until its error, and what is there now that there is room again.
    fn take(&mut self, subject: &dyn Subject, folder: &Path, setting: Setting, told: &Told, at: &str) {
        let mut ledger = Ledger::default();
        told.enter(subject, &mut ledger, usize::MAX);
        let after = look(subject, folder, setting, &ledger, 1);
        self.runs += 1;
        self.refused += u64::from(told.failure().is_some());
        self.acknowledged += ledger.acknowledged();
        self.lost += after.lost;
        self.asked += after.asked;
        let mut texts = after.texts;
        // The operation behind a failed one is on the same handle.
        let words: Vec<Said> = told.words().collect();
        let again = words.windows(3).any(|said| match said {
            // Upkeep that fails has changed nothing.
            [Said::Failed(n), Said::Begins(_), Said::Acknowledged(_)] => subject.step(0, *n) != Step::Upkeep,
            _ => false,
        });
        if again && subject.poisons() {
            texts.push(String::from("acknowledged after an error"));
        }
        if !texts.is_empty() {
            self.bad += 1;
            if self.texts.len() < TEXTS_MAX {
                self.texts.push(format!("{}, {at}: {}", subject.name(), texts.join("; ")));
            }
        }
    }
}

fn job(subject: &'static dyn Subject, folder: &Path, setting: Setting) -> Job {
    Job {
        subject: subject.name(),
        folder: folder.to_owned(),
        writer: 0,
        setting,
        from: 0,
        mode: Mode::UntilFull,
    }
}

/// With every length as the longest that a file may have, from `0` to `limits`, in steps.
pub fn limits(program: &Path, subject: &'static dyn Subject, limits: u64, step: usize) -> Result<Filled> {
    let lanes: Vec<Result<Filled>> = thread::scope(|scope| {
        let lane = |lane: u64| {
            move || -> Result<Filled> {
                let mut filled = Filled::default();
                let place = quick_folder()?;
                for limit in (lane * step as u64..=limits).step_by(2 * step) {
                    let folder = place.path().join(limit.to_string());
                    std::fs::create_dir(&folder).map_err(|error| error.to_string())?;
                    subject.prepare(&folder, 2)?;
                    let setting = Setting { len: 100, durability: Durability::SyncData };
                    // The signal that comes with the limit would end the process.
                    let mut limited = Command::new("/bin/sh");
                    limited.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(program);
                    limited.args(job(subject, &folder, setting).args()).env(LIMIT, limit.to_string());
                    let mut writer = Writer::spawn(&mut limited, 0)?;
                    writer.wait()?;
                    filled.take(
                        subject,
                        &folder,
                        setting,
                        &writer.told(),
                        &format!("files of {limit} bytes"),
                    );
                    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
                }
                Ok(filled)
            }
        };
        let lanes = [scope.spawn(lane(0)), scope.spawn(lane(1))];
        lanes.map(|lane| lane.join().unwrap_or_else(|_| Err(String::from("a panic")))).into()
    });
    let mut filled = Filled::default();
    for lane in lanes {
        filled.add(lane?);
    }
    Ok(filled)
}

/// On a file system in memory that becomes full, at so many sizes.
pub fn full(program: &Path, subject: &'static dyn Subject, runs: u64) -> Result<Filled> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut filled = Filled::default();
    for run in 0..runs {
        let place = folder.path().join(run.to_string());
        std::fs::create_dir(&place).map_err(|error| error.to_string())?;
        let mount = Mount::memory(&place, (64 << 10) + (run << 12))?;
        subject.prepare(&mount.place, 2)?;
        let setting = Setting { len: [100, 3_000][run as usize % 2], durability: Durability::SyncData };
        let mut writer = Writer::start(program, &job(subject, &mount.place, setting))?;
        writer.wait()?;
        // What is there can be read while it is full; the next writer needs room.
        subject.read(&mount.place, setting)?;
        mount.resize(16 << 20)?;
        filled.take(subject, &mount.place, setting, &writer.told(), &format!("full, run {run}"));
    }
    Ok(filled)
}

/// On a disk that takes everything and fails when it is synced: ext4 in a file for which there is no more memory.
pub fn failing_sync(program: &Path, subject: &'static dyn Subject, runs: u64) -> Result<Filled> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut filled = Filled::default();
    for run in 0..runs {
        let place = folder.path().join(run.to_string());
        std::fs::create_dir(&place).map_err(|error| error.to_string())?;
        let memory = Mount::memory(&place, 512 << 20)?;
        let mut disk = Mount::image(Kind::Ext4, &memory.place, 256 << 20)?;
        subject.prepare(&disk.place, 2)?;
        let setting =
            Setting { len: [100, 6_000, 100_000][run as usize % 3], durability: Durability::SyncData };
        // The journal has blocks that have never been written, so there has to be some room.
        memory.resize(memory.used()? + (1 << 20) + (run << 18))?;
        let mut writer = Writer::start(program, &job(subject, &disk.place, setting))?;
        writer.wait()?;
        memory.resize(512 << 20)?;
        // What only the page cache has is gone.
        disk.unmount()?;
        disk.mount()?;
        filled.take(subject, &disk.place, setting, &writer.told(), &format!("failing sync, run {run}"));
        disk.unmount()?;
    }
    Ok(filled)
}
