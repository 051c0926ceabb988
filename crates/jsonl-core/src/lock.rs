//! One writer, and who it is.
//!
//! The lock belongs to the kernel (`flock` on the log itself on Unix, `LockFileEx` on a file beside it on
//! Windows, where a lock would keep readers out), so a process that dies leaves nothing to clean up. It
//! belongs to a *file*, not to a name: a writer that got it looks whether the name still leads to the file it
//! locked, and starts again where it doesn't.
//!
//! Who holds a lock is told by a note beside the log, `LOG.annals-lock`, written by writers that keep it for long.
//! The note is information only. It is believed when the kernel says that the lock is held, and, where the
//! kernel also says by whom (`/proc/locks`), only about that process. Its time of change is since when.

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::cursor::Identity;
use crate::error::{Error, Result};
use crate::reader::open_regular;
use crate::replace::short_name;

/// First and longest pause between two tries.
const PAUSE_MIN: Duration = Duration::from_micros(50);
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// Who holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its process.
    pub pid: Option<u32>,
    /// The name of its program.
    pub program: Option<String>,
    /// Since when, if it keeps the lock for long. A writer that locks for each append leaves no time.
    pub since: Option<SystemTime>,
}

impl Display for Holder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => write!(f, "another process")?,
        }
        if let Some(program) = &self.program {
            write!(f, " ({program})")?;
        }
        match self.since.and_then(|since| since.duration_since(UNIX_EPOCH).ok()) {
            Some(since) => write!(f, " since {}", utc(since.as_secs())),
            None => Ok(()),
        }
    }
}

/// Seconds since 1970 as `2026-11-20T08:15:00Z`. Days to a date by Howard Hinnant's `civil_from_days`.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Who holds the lock of the log at `path` now; `None` if nobody does.
///
/// Takes the lock for a moment to find out, so it can make a writer that does not wait fail.
///
/// # Errors
///
/// [`Error::Io`] when the log can't be opened.
pub fn holder(path: &Path) -> Result<Option<Holder>> {
    let path = &fs::canonicalize(path).map_err(Error::io("open", path))?;
    let gate = Gate::open(path)?;
    let (file, _) = open_regular(path)?;
    match gate.file(&file).try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(find_holder(path, &file))),
        Err(TryLockError::Error(source)) => Err(Error::io("lock", path)(source)),
    }
}

/// The file whose lock stands for the log's.
#[derive(Debug)]
pub(crate) struct Gate {
    /// `None` where it is the log itself.
    beside: Option<File>,
}

impl Gate {
    #[cfg(unix)]
    pub(crate) fn open(_log: &Path) -> Result<Self> {
        Ok(Self { beside: None })
    }

    #[cfg(not(unix))]
    pub(crate) fn open(log: &Path) -> Result<Self> {
        let path = beside(log, ".annals-gate");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        Ok(Self { beside: Some(file.map_err(Error::io("open", &path))?) })
    }

    pub(crate) fn file<'a>(&'a self, log: &'a File) -> &'a File {
        self.beside.as_ref().unwrap_or(log)
    }
}

/// Takes the exclusive lock, waiting at most `wait`.
pub(crate) fn acquire(gate: &Gate, log: &File, path: &Path, wait: Duration) -> Result<()> {
    let file = gate.file(log);
    let mut deadline = None;
    let mut pause = PAUSE_MIN;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Interrupted => continue,
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
        }
        // The clock is looked at only by those who have to wait.
        let now = Instant::now();
        // A wait too long for the clock to add is a wait for ever.
        let deadline = deadline.get_or_insert_with(|| now.checked_add(wait));
        let left = deadline.map_or(PAUSE_MAX, |deadline| deadline.saturating_duration_since(now));
        if left.is_zero() {
            return Err(Error::Busy { path: path.to_owned(), holder: Some(find_holder(path, log)) });
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

pub(crate) fn release(gate: &Gate, log: &File) -> io::Result<()> {
    gate.file(log).unlock()
}

/// What `path` leads to, if that is the file of this identity.
pub(crate) fn found_at(path: &Path, identity: Identity) -> Option<Metadata> {
    fs::metadata(path).ok().filter(|found| Identity::of(found) == identity)
}

/// The note beside a log, for as long as a writer keeps the lock.
#[derive(Debug)]
pub(crate) struct Note(PathBuf);

#[derive(Serialize, Deserialize)]
struct NoteText {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    program: Option<String>,
}

impl Note {
    /// Leaves a note. The caller holds the lock. A folder that takes no note is no reason not to write.
    pub(crate) fn leave(log: &Path, program: Option<&str>) -> Option<Self> {
        let path = beside(log, ".annals-lock");
        // What a killed writer left. Made anew, so that nothing is written through a link.
        let _ = fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        owner_only(&mut options);
        let text = NoteText { pid: std::process::id(), program: program.map(str::to_owned) };
        let mut line = serde_json::to_vec(&text).ok()?;
        line.push(b'\n');
        let mut file = options.open(&path).ok()?;
        // Dropping it takes it away again, also where there was no room for what it says.
        let note = Self(path);
        file.write_all(&line).is_ok().then_some(note)
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// 0600, whatever the umask leaves of it.
pub(crate) fn owner_only(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let _ = options;
}

pub(crate) fn beside(log: &Path, suffix: &str) -> PathBuf {
    log.with_file_name(short_name(log) + suffix)
}

fn find_holder(path: &Path, log: &File) -> Holder {
    let in_kernel = log.metadata().ok().map(|metadata| pids_in_kernel(&metadata)).unwrap_or_default();
    let note = read_note(path).filter(|(text, _)| in_kernel.is_empty() || in_kernel.contains(&text.pid));
    let (pid, program, since) = match (note, &in_kernel[..]) {
        (Some((text, since)), _) => (Some(text.pid), text.program, since),
        (None, [only]) => (Some(*only), None, None),
        // Better nobody than an innocent.
        (None, _) => (None, None, None),
    };
    let program = program.or_else(|| {
        let name = fs::read_to_string(format!("/proc/{}/comm", pid?)).ok()?;
        Some(name.trim_end().to_owned())
    });
    Holder { pid, program, since }
}

fn read_note(log: &Path) -> Option<(NoteText, Option<SystemTime>)> {
    let path = beside(log, ".annals-lock");
    let metadata = fs::symlink_metadata(&path).ok()?;
    // Ours are a few dozen bytes; whatever else has that name is not.
    if !metadata.is_file() || metadata.len() > 4096 {
        return None;
    }
    let text = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    Some((text, metadata.modified().ok()))
}

/// So often the kernel is asked who holds what is held.
#[cfg(target_os = "linux")]
const LOOKS: usize = 10;

/// Who may hold a `flock` on a file, from `/proc/locks`:
/// `1: FLOCK  ADVISORY  WRITE 4711 fe:00:12345 0 EOF`, the device as major and minor number in hexadecimal.
///
/// Some file systems show another device here than in `stat`, and numbers of files repeat from one to the next:
/// those on the same device if there are any, else all with the number.
#[cfg(target_os = "linux")]
fn pids_in_kernel(log: &Metadata) -> Vec<u32> {
    use std::os::linux::fs::MetadataExt;
    let (device, inode) = (device_text(log.st_dev()), log.st_ino().to_string());
    let look = || pids_in(&fs::read_to_string("/proc/locks").unwrap_or_default(), &device, &inode);
    // The list comes in pieces, and locks that come and go between two of them can hide one that stays.
    std::iter::repeat_with(look).take(LOOKS).find(|pids| !pids.is_empty()).unwrap_or_default()
}

/// The device of a file as `/proc/locks` has it.
#[cfg(target_os = "linux")]
fn device_text(device: u64) -> String {
    let major = (device >> 8 & 0xFFF) | (device >> 32 & 0xFFFF_F000);
    let minor = (device & 0xFF) | (device >> 12 & 0xFFFF_FF00);
    format!("{major:02x}:{minor:02x}")
}

#[cfg(target_os = "linux")]
fn pids_in(locks: &str, same_device: &str, inode: &str) -> Vec<u32> {
    let held: Vec<(&str, u32)> = locks
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace().skip(1);
            // A waiting lock has "->" here.
            let pid = words.next().filter(|kind| *kind == "FLOCK").and_then(|_| words.nth(2))?;
            let (device, found) = words.next()?.rsplit_once(':')?;
            (found == inode).then(|| Some((device, pid.parse().ok()?)))?
        })
        .collect();
    let here: Vec<u32> =
        held.iter().filter(|(device, _)| *device == same_device).map(|(_, pid)| *pid).collect();
    if here.is_empty() { held.into_iter().map(|(_, pid)| pid).collect() } else { here }
}

#[cfg(not(target_os = "linux"))]
fn pids_in_kernel(_log: &Metadata) -> Vec<u32> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_a_date() {
        // Computed by `date -u -d @…`.
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_795_161_600, "2026-11-20T08:00:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(seconds), date);
        }
    }

    #[test]
    fn a_holder_is_said_as_far_as_it_is_known() {
        let mut holder = Holder { pid: None, program: None, since: None };
        assert_eq!(holder.to_string(), "another process");
        holder.pid = Some(47);
        holder.program = Some(String::from("annals"));
        assert_eq!(holder.to_string(), "process 47 (annals)");
        holder.since = Some(UNIX_EPOCH + Duration::from_secs(1_795_161_600));
        assert_eq!(holder.to_string(), "process 47 (annals) since 2026-11-20T08:00:00Z");
    }

    #[test]
    fn a_note_that_is_too_long_to_be_ours_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        let note = |len: usize| format!("{{\"pid\":47,\"program\":\"{}\"}}", "x".repeat(len - 23));
        for (len, is_read) in [(4095, true), (4096, true), (4097, false)] {
            fs::write(beside(&log, ".annals-lock"), note(len)).unwrap();
            assert_eq!(fs::metadata(beside(&log, ".annals-lock")).unwrap().len(), len as u64);
            assert_eq!(read_note(&log).is_some(), is_read, "{len} bytes");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernels_list_tells_who_holds_a_file() {
        let locks = "1: FLOCK  ADVISORY  WRITE 11 fe:00:77 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 13 fe:00:77 0 EOF\n\
                     3: FLOCK  ADVISORY  READ 14 fe:01:77 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 15 fe:00:78 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE nobody fe:00:77 0 EOF\n";
        assert_eq!(pids_in(locks, "fe:00", "77"), [11]);
        assert_eq!(pids_in(locks, "fe:01", "77"), [14]);
        // Some file systems show another device here: then all with this number.
        assert_eq!(pids_in(locks, "00:2a", "77"), [11, 14]);
        assert!(pids_in(locks, "fe:00", "79").is_empty());
        for device in [0xFE00, 0x0801, 0xF_FF12_3456, u64::MAX, 0x1234_5678_9ABC_DEF0] {
            let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
            assert_eq!(device_text(device), format!("{major:02x}:{minor:02x}"), "{device:x}");
        }
    }

    /// The slow way: one day after the other.
    #[test]
    fn every_day_of_five_hundred_years_has_its_date() {
        let (mut year, mut month, mut day) = (1970_u64, 1, 1);
        for number in 0..500 * 365 {
            let seconds = number * 86_400 + number % 86_400;
            let rest = number % 86_400;
            let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
            let expected = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
            assert_eq!(utc(seconds), expected, "day {number}");
            let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            let days = match month {
                2 => 28 + u64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > days {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
