//! Archives, restores and deletes sessions. All of it under the lock of the store's names.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use jsonl_core::Durability;

use crate::error::{Error, Result};
use crate::rewrite::remove_if_empty;
use crate::session::Session;
use crate::store::{Inner, found_at, sync_folder};

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deleted {
    /// Whether there was an active session.
    pub active: bool,
    /// How many archived ones there were.
    pub archived: usize,
    /// How many files there were with what compactions and repairs had taken out.
    pub removed: usize,
}

impl Session {
    /// Puts the session aside: it stays readable, and nothing can be appended. Returns its number in the archive, which
    /// no other archive of the key has: nothing is ever overwritten.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Archived`] if it is there already and only there; [`Error::Log`] when somebody
    /// keeps its lock; [`Error::Io`].
    pub fn archive(&self) -> Result<u64> {
        self.check_writable()?;
        let from = self.inner.active_path(&self.name);
        let dir = self.inner.archive_dir(&self.name);
        self.inner.with_names(|_| {
            if found_at(&from)?.is_none() {
                let is_archived = !self.archives()?.is_empty();
                let key = self.key.to_string();
                return Err(if is_archived { Error::Archived { key } } else { Error::NotFound { key } });
            }
            jsonl_core::create_folder(&self.inner.dir.join("archive"))?;
            jsonl_core::create_folder(&dir)?;
            let number = self.archives()?.last().map_or(1, |last| last + 1);
            let to = dir.join(format!("{number}.jsonl"));
            self.alone(|| {
                // Whoever appended may be waiting for the device, and would look for it under its old name.
                let file = File::open(&from).map_err(Error::io("open", &from))?;
                file.sync_all().map_err(Error::io("sync", &from))?;
                fs::rename(&from, &to).map_err(Error::io("archive", &from))
            })?;
            sync_folder(&dir)?;
            sync_folder(&self.inner.dir.join("archive"))?;
            sync_folder(&self.inner.dir)?;
            Ok(number)
        })
    }

    /// Makes an archived session active again: the one with this number, or the newest.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] if there is an active one; [`Error::NotFound`] if there is no archive, [`Error::NoSuchArchive`] if there is none
    /// with this number; [`Error::Io`].
    pub fn restore(&self, number: Option<u64>) -> Result<u64> {
        let to = self.inner.active_path(&self.name);
        let dir = self.inner.archive_dir(&self.name);
        self.inner.with_names(|_| {
            if found_at(&to)?.is_some() {
                return Err(Error::Exists { key: self.key.to_string() });
            }
            let numbers = self.archives()?;
            let newest = numbers.last().copied().ok_or_else(|| self.not_found())?;
            let number = number.unwrap_or(newest);
            if !numbers.contains(&number) {
                return Err(Error::NoSuchArchive { key: self.key.to_string(), number, there: numbers });
            }
            let from = dir.join(format!("{number}.jsonl"));
            fs::rename(&from, &to).map_err(Error::io("restore", &from))?;
            sync_folder(&self.inner.dir)?;
            sync_folder(&dir)?;
            remove_if_empty(&dir);
            Ok(number)
        })
    }

    /// Deletes the session, its archives, what compactions took out of it, and its aliases. What isn't there is no
    /// error. Durable on return.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when somebody keeps its lock; [`Error::Io`] when something could not be removed.
    pub fn delete(&self) -> Result<Deleted> {
        if self.archive_number().is_none() {
            self.check_writable()?;
        }
        let path = self.inner.active_path(&self.name);
        self.inner.with_names(|names| {
            let mut deleted = Deleted::default();
            if let Some(number) = self.archive_number() {
                let dir = self.inner.archive_dir(&self.name);
                deleted.archived = usize::from(remove(&dir.join(format!("{number}.jsonl")))?);
                sync_if_there(&dir)?;
                remove_if_empty(&dir);
                return Ok(deleted);
            }
            if found_at(&path)?.is_some() {
                deleted.active = self.alone(|| remove(&path))?;
            }
            deleted.archived = self.remove_numbered(&self.inner.archive_dir(&self.name))?;
            deleted.removed = self.remove_numbered(&self.inner.removed_dir(&self.name))?;
            // What repairs took out.
            let mut number = 1_u64;
            while remove(&self.inner.dir.join(format!("{}.jsonl.removed-{number}", self.name)))? {
                number += 1;
                deleted.removed += 1;
            }
            self.inner.forget_aliases_of(names, &self.key)?;
            sync_if_there(&self.inner.dir)?;
            Ok(deleted)
        })
    }

    fn remove_numbered(&self, dir: &Path) -> Result<usize> {
        let numbers = crate::store::numbered(dir)?;
        for number in &numbers {
            remove(&dir.join(format!("{number}.jsonl")))?;
        }
        if !numbers.is_empty() {
            sync_if_there(dir)?;
            remove_if_empty(dir);
            dir.parent().map_or(Ok(()), sync_if_there)?;
        }
        Ok(numbers.len())
    }

    /// Runs `work` while nobody writes to the active log, and forgets what was known of it.
    fn alone<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        let handle = self.inner.handle(&self.name)?;
        let done = handle.writer.transact(Durability::Buffer, |_| work());
        self.inner.forget(&self.name);
        done
    }
}

fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("remove", path)(error)),
    }
}

fn sync_if_there(dir: &Path) -> Result<()> {
    match sync_folder(dir) {
        Err(error) if error.is_not_found() => Ok(()),
        done => done,
    }
}

impl Inner {
    /// The error for what can't be: a file that this call made and that is not there.
    pub(crate) fn gone(&self) -> Error {
        Error::io("write to", &self.dir)(io::ErrorKind::NotFound.into())
    }
}
