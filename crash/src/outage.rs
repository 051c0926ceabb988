//! Takes the device away under a mounted file system while processes write and sync, mounts it again, and counts.
//!
//! `FS_IOC_SHUTDOWN` without a flush of the journal is what the test suites of Linux's file systems call "godown": from one moment to
//! the next nothing reaches the disk any more. What was acknowledged is noted before that moment.

use std::path::Path;
use std::thread;
use std::time::Duration;

use jsonl_core::Durability;

use crate::after::look;
use crate::ledger::Ledger;
use crate::mount::{self, Kind, Mount};
use crate::subject::{Result, Setting, Subject, said};
use crate::tally::Tally;
use crate::worker::{Job, Mode};
use crate::writers::Writer;

const WRITERS: usize = 4;

const LENS: [usize; 3] = [200, 6_000, 70_000];

const IMAGE_LEN: u64 = 512 << 20;

/// The one call for which safe Rust has no function: flag 2 is "without the log".
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// Why this can't be done here, if so.
pub fn can_cut(kind: Kind) -> Result<()> {
    let folder = tempfile::tempdir().map_err(said)?;
    let mount = Mount::image(kind, folder.path(), IMAGE_LEN)
        .map_err(|error| mount::first_line("no such file system", &error))?;
    shut_down(&mount).map_err(|error| mount::first_line("no shutdown", &error))
}

fn shut_down(mount: &Mount) -> Result<()> {
    mount::run("python3", &["-c", SHUTDOWN, &mount.place.to_string_lossy()])
}

/// Cuts so many times. With `Durability::Buffer` this is a negative control: nothing was synced that was acknowledged.
pub fn cut(
    program: &Path,
    subject: &'static dyn Subject,
    kind: Kind,
    cuts: u64,
    durability: Durability,
) -> Result<Tally> {
    let folder = tempfile::tempdir().map_err(said)?;
    let mut mount = Mount::image(kind, folder.path(), IMAGE_LEN)?;
    let mut tally = Tally::default();
    for number in 0..cuts {
        let place = mount.place.join(number.to_string());
        std::fs::create_dir(&place).map_err(said)?;
        subject.prepare(&place, WRITERS + 1)?;
        // What was there before is on the disk.
        mount::run("sync", &["-f", &place.to_string_lossy()])?;
        let setting = Setting { len: LENS[number as usize % LENS.len()], durability };
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            writers.push(Writer::start(program, &Job::new(subject, &place, writer, setting, Mode::Endless))?);
        }
        thread::sleep(Duration::from_millis(30 + number * 13 % 50));
        let before: Vec<usize> = writers.iter().map(|writer| writer.so_far().acknowledged()).collect();
        shut_down(&mount)?;
        let mut ledger = Ledger::default();
        for (mut writer, acknowledged) in writers.into_iter().zip(before) {
            // Writes fail from now on, so some have ended by themselves.
            let _ = writer.kill();
            writer.told().enter(subject, &mut ledger, acknowledged);
        }
        mount.unmount()?;
        mount.mount()?;
        let after = look(subject, &place, setting, &ledger, WRITERS);
        tally.times += 1;
        tally.acknowledged += ledger.acknowledged();
        let (name, on) = (subject.name(), kind.name());
        tally.take(after, format_args!("{name} on {on}, cut {number}, {setting:?}"));
        let _ = std::fs::remove_dir_all(&place);
    }
    Ok(tally)
}
