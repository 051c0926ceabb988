//! Getting along with sessions-db in one folder: its lock files, and its projection.
//!
//! sessions-db locks by making a file, `sessions-db.json.lock` or `sessions-db.lock` depending on who asks, holding
//! `<pid>\t<time>\n`, and never takes one away that its maker left behind. We wait for both, take away those of the
//! dead, and hold both ourselves where a projection shows that sessions-db is in use. It believes its projection without looking
//! at the log, so behind an event of ours the projection is replaced by one that it will make anew.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Result};
use crate::time;

/// sessions-db's projection.
pub(crate) const PROJECTION: &str = "sessions-db.json";

/// The lock files of its two ways to ask for a store.
const LOCKS: [&str; 2] = ["sessions-db.json.lock", "sessions-db.lock"];

/// What stands in place of a projection that is out of date: JSON of another shape, which sessions-db makes anew.
const OUT_OF_DATE: &str = "{\"out_of_date\":\"made anew from sessions-db-events.jsonl\"}\n";

/// A lock file so young is respected whoever holds it: its pid may not be in it yet, or be of another system's process, which
/// looks dead from here.
const YOUNG: Duration = Duration::from_secs(2);

/// sessions-db holds a lock for milliseconds. A process id that has been there for so long is another process's by now.
const OLD: Duration = Duration::from_secs(600);

const PAUSE: Duration = Duration::from_millis(10);

/// The lock files that are held, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct ForeignLock {
    held: Vec<PathBuf>,
}

impl Drop for ForeignLock {
    fn drop(&mut self) {
        for path in &self.held {
            // If it can't be taken away, it is found to be of a dead process.
            let _ = fs::remove_file(path);
        }
    }
}

/// Waits until sessions-db holds no lock, and holds them itself where that is in use. The log's own lock is held.
pub(crate) fn lock(root: &Path, wait: Duration) -> Result<ForeignLock> {
    let begun = Instant::now();
    let is_there = |path: &Path| path.try_exists().map_err(Error::io("look at", path));
    let is_shared = is_there(&root.join(PROJECTION))?;
    let mut lock = ForeignLock::default();
    for name in LOCKS {
        let path = root.join(name);
        loop {
            if is_shared {
                match OpenOptions::new().write(true).create_new(true).open(&path) {
                    Ok(mut file) => {
                        lock.held.push(path.clone());
                        let stamp = format!("{}\t{}\n", std::process::id(), time::to_text(SystemTime::now()));
                        file.write_all(stamp.as_bytes()).map_err(Error::io("write", &path))?;
                        break;
                    }
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(Error::io("make", &path)(error)),
                }
            } else if !is_there(&path)? {
                break;
            }
            let Some(holder) = holder(&path)? else { continue };
            if !holder.is_alive {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(Error::io("remove", &path)(error));
                    }
                    _ => continue,
                }
            }
            if begun.elapsed() >= wait {
                return Err(Error::Locked { path, pid: holder.pid, waited: wait });
            }
            std::thread::sleep(PAUSE);
        }
    }
    Ok(lock)
}

struct Holder {
    pid: Option<u32>,
    is_alive: bool,
}

/// Who holds a lock file; `None` if it is gone.
fn holder(path: &Path) -> Result<Option<Holder>> {
    let read = || -> std::io::Result<(String, SystemTime)> {
        let file = fs::File::open(path)?;
        let modified = file.metadata()?.modified()?;
        let mut text = String::new();
        file.take(200).read_to_string(&mut text)?;
        Ok((text, modified))
    };
    let (text, modified) = match read() {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let mut fields = text.split(['\t', '\n']);
    let pid = fields.next().and_then(|pid| pid.parse::<u32>().ok());
    // A file that was copied is younger than what it says.
    let said = fields
        .next()
        .and_then(time::parse)
        .and_then(|said| time::millis(SystemTime::now()).checked_sub(said));
    let said = said.and_then(|age| u64::try_from(age).ok()).map_or(Duration::ZERO, Duration::from_millis);
    let age = modified.elapsed().unwrap_or_default().max(said);
    let runs = pid.is_some_and(is_running);
    Ok(Some(Holder { pid, is_alive: age < YOUNG || runs && age < OLD }))
}

#[cfg(unix)]
fn is_running(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // Without permission to signal it, it is there all the same.
    pid.is_some_and(|pid| !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH)))
}

/// Nothing tells, so only the age of a lock does.
#[cfg(not(unix))]
fn is_running(_: u32) -> bool {
    true
}

/// Sees to it that sessions-db doesn't believe a projection that lacks what was appended just now.
pub(crate) fn invalidate(root: &Path) -> Result<()> {
    let path = root.join(PROJECTION);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if !metadata.is_file() => return Ok(()),
        Ok(metadata) if metadata.len() == OUT_OF_DATE.len() as u64 => {
            if fs::read(&path).is_ok_and(|bytes| bytes == OUT_OF_DATE.as_bytes()) {
                return Ok(());
            }
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("look at", path)(error)),
    }
    write_projection(&path, |out| out.write_all(OUT_OF_DATE.as_bytes()))
}

/// Replaces a projection whole.
pub(crate) fn write_projection(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    let cannot = |source| jsonl_core::Error::Io { path: path.to_owned(), action: "write", source };
    Ok(jsonl_core::replace(path, |out| write(out).map_err(cannot))?)
}
