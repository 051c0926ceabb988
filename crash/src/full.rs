//! Lets the system take only a part of what is written: a limit on the length of files at every byte, a file system that is full, and a
//! disk that fails when it is synced.

use std::path::Path;
use std::process::Command;
use std::{fmt, fs};

use jsonl_core::Durability;

use crate::after::look;
use crate::ledger::{Ledger, Step};
use crate::mount::{Kind, Mount};
use crate::place::quick_folder;
use crate::subject::{Result, Setting, Subject, said};
use crate::tally::{LANES, Tally, side_by_side};
use crate::worker::{Job, LIMIT, Mode, Said};
use crate::writers::{Told, Writer};

/// What a writer said until its error, and what is there now that there is room again.
fn enter(
    tally: &mut Tally,
    subject: &dyn Subject,
    folder: &Path,
    setting: Setting,
    told: &Told,
    at: fmt::Arguments<'_>,
) {
    let mut ledger = Ledger::default();
    told.enter(subject, &mut ledger, usize::MAX);
    let mut after = look(subject, folder, setting, &ledger, 1);
    // The operation behind a failed one is on the same handle.
    let words: Vec<Said> = told.words().collect();
    let again = words.windows(3).any(|said| match said {
        // Upkeep that fails has changed nothing.
        [Said::Failed(n), Said::Begins(_), Said::Acknowledged(_)] => subject.step(0, *n) != Step::Upkeep,
        _ => false,
    });
    if again && subject.poisons() {
        after.texts.push(String::from("acknowledged after an error"));
    }
    tally.times += 1;
    tally.refused += u64::from(told.failure().is_some());
    tally.acknowledged += ledger.acknowledged();
    tally.take(after, format_args!("{}, {at}", subject.name()));
}

fn job(subject: &'static dyn Subject, folder: &Path, setting: Setting) -> Job {
    Job::new(subject, folder, 0, setting, Mode::UntilFull)
}

/// With every length as the longest that a file may have, from `0` to `limits`, in steps.
pub fn limits(program: &Path, subject: &'static dyn Subject, limits: u64, step: usize) -> Result<Tally> {
    let lane = |lane: usize| -> Result<Tally> {
        let mut tally = Tally::default();
        let place = quick_folder()?;
        for limit in ((lane * step) as u64..=limits).step_by(LANES * step) {
            let folder = place.path().join(limit.to_string());
            fs::create_dir(&folder).map_err(said)?;
            subject.prepare(&folder, 2)?;
            let setting = Setting { len: 100, durability: Durability::SyncData };
            // The signal that comes with the limit would end the process.
            let mut limited = Command::new("/bin/sh");
            limited.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(program);
            limited.args(job(subject, &folder, setting).args()).env(LIMIT, limit.to_string());
            let mut writer = Writer::spawn(&mut limited, 0)?;
            writer.wait()?;
            let at = format_args!("files of {limit} bytes");
            enter(&mut tally, subject, &folder, setting, &writer.told(), at);
            fs::remove_dir_all(&folder).map_err(said)?;
        }
        Ok(tally)
    };
    side_by_side(lane)
}

/// On a file system in memory that becomes full, at so many sizes.
pub fn full(program: &Path, subject: &'static dyn Subject, runs: u64) -> Result<Tally> {
    let folder = tempfile::tempdir().map_err(said)?;
    let mut tally = Tally::default();
    for run in 0..runs {
        let place = folder.path().join(run.to_string());
        fs::create_dir(&place).map_err(said)?;
        let mount = Mount::memory(&place, (64 << 10) + (run << 12))?;
        subject.prepare(&mount.place, 2)?;
        let setting = Setting { len: [100, 3_000][run as usize % 2], durability: Durability::SyncData };
        let mut writer = Writer::start(program, &job(subject, &mount.place, setting))?;
        writer.wait()?;
        // What is there can be read while it is full; the next writer needs room.
        subject.read(&mount.place, setting)?;
        mount.resize(16 << 20)?;
        let at = format_args!("full, run {run}");
        enter(&mut tally, subject, &mount.place, setting, &writer.told(), at);
    }
    Ok(tally)
}

/// On a disk that takes everything and fails when it is synced: ext4 in a file for which there is no more memory.
pub fn failing_sync(program: &Path, subject: &'static dyn Subject, runs: u64) -> Result<Tally> {
    let folder = tempfile::tempdir().map_err(said)?;
    let mut tally = Tally::default();
    for run in 0..runs {
        let place = folder.path().join(run.to_string());
        fs::create_dir(&place).map_err(said)?;
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
        let at = format_args!("failing sync, run {run}");
        enter(&mut tally, subject, &disk.place, setting, &writer.told(), at);
        disk.unmount()?;
    }
    Ok(tally)
}
