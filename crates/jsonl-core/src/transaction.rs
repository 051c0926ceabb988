//! Looking and appending under one lock.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use serde::Serialize;

use crate::cursor::Identity;
use crate::durability::Durability;
use crate::encode::Pieces;
use crate::error::{Error, Result};
use crate::lock;
use crate::read_options::ReadOptions;
use crate::reader::Log;
use crate::writer::{Appended, Disk, Locking, Writer, with_scratch};

impl Writer {
    /// Runs `work` while nobody else writes. What it looks at stays true until it returns, and what it appends
    /// goes out in one write behind that; with a sync, threads share one, outside of the lock.
    ///
    /// While `work` runs, other uses of this handle wait; so `work` must not use it itself.
    ///
    /// # Errors
    ///
    /// What `work` returns, and nothing has been written then. Else as [`append`](Self::append).
    pub fn transact<R, E: From<Error>>(
        &self,
        durability: Durability,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let (result, has_written) = {
            let mut disk = self.disk.lock();
            self.check(&disk)?;
            let per_append = self.options.locking == Locking::PerAppend;
            let len = if per_append { disk.lock(&self.path, &self.options)? } else { disk.len(&self.path)? };
            let done = self.transact_locked(&mut disk, len, work);
            if per_append {
                disk.unlock(&self.path)?;
            }
            done?
        };
        if has_written && durability != Durability::Buffer {
            self.sync_shared(durability)?;
        }
        Ok(result)
    }

    fn transact_locked<R, E: From<Error>>(
        &self,
        disk: &mut Disk,
        len: u64,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<(R, bool), E> {
        let is_as_left = disk.known_end == Some(len);
        let heals = !is_as_left && !disk.ends_with_newline(len, &self.path)?;
        let start = len + u64::from(heals);
        let identity = disk.identity;
        with_scratch(|lines| {
            let result = work(&mut Transaction { writer: self, identity, len, start, is_as_left, lines })?;
            let has_written = lines.len() > 1;
            if has_written {
                disk.write(lines, len, &self.path)?;
            }
            Ok((result, has_written))
        })
    }

    /// Carries what has been written by now to the device, with whoever else wants that.
    fn sync_shared(&self, durability: Durability) -> Result<()> {
        self.submit_synced(&[], durability).map(drop)
    }
}

/// A log under its lock; see [`Writer::transact`].
pub struct Transaction<'a> {
    writer: &'a Writer,
    identity: Identity,
    len: u64,
    start: u64,
    is_as_left: bool,
    /// A newline, which healing may need, and whole lines.
    lines: &'a mut Vec<u8>,
}

impl Debug for Transaction<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("path", &self.writer.path).field("len", &self.len).finish()
    }
}

impl Transaction<'_> {
    /// Bytes in the file, without what has been appended in this transaction.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the file is exactly as this handle's last append left it: what was known then is still true.
    #[must_use]
    pub fn is_as_left(&self) -> bool {
        self.is_as_left
    }

    /// Where the next appended line will stand.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.start + self.lines.len() as u64 - 1
    }

    /// The log as it is, without what has been appended in this transaction.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Replaced`] if a program that respects no lock did that just now.
    pub fn log(&self, options: &ReadOptions) -> Result<Log> {
        let path = &self.writer.path;
        let log = options.open(path)?;
        if log.identity == self.identity { Ok(log) } else { Err(Error::Replaced { path: path.clone() }) }
    }

    /// Appends a record when the transaction ends; sealed if the log is.
    ///
    /// # Errors
    ///
    /// As [`Writer::append`] before anything is written.
    pub fn append<T: Serialize + ?Sized>(&mut self, record: &T) -> Result<Appended> {
        self.take(|writer, bytes| writer.encode(record, bytes))
    }

    /// [`append`](Self::append) for a record that is made by hand: one JSON object, for which whoever makes it answers. A seal and all limits
    /// are as there.
    ///
    /// ```
    /// # fn main() -> Result<(), jsonl_core::Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("log.jsonl");
    /// use jsonl_core::{Durability, Error, WriteOptions};
    ///
    /// let log = WriteOptions::new().create(true).open(&path)?;
    /// let known_to_be_json = r#"{"role":"user"}"#;
    /// log.transact(Durability::Buffer, |log| {
    ///     log.append_made(|record| {
    ///         record.push(r#"{"seq":"#).number(7).push(r#","message":"#).push(known_to_be_json).push("}");
    ///     })?;
    ///     Ok::<_, Error>(())
    /// })?;
    /// # assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"seq\":7,\"message\":{\"role\":\"user\"}}\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    ///
    /// # Panics
    ///
    /// For what is no JSON object, where debug assertions are on.
    pub fn append_made(&mut self, make: impl FnOnce(&mut Pieces<'_>)) -> Result<Appended> {
        self.take(|writer, bytes| writer.encode_made(make, bytes))
    }

    /// Appends a line as it is when the transaction ends; see [`Writer::append_raw`].
    ///
    /// # Errors
    ///
    /// As [`Writer::append_raw`] before anything is written.
    pub fn append_raw(&mut self, line: &[u8]) -> Result<Appended> {
        self.take(|writer, bytes| writer.encode_raw(line, bytes))
    }

    fn take(&mut self, encode: impl FnOnce(&Writer, &mut Vec<u8>) -> Result<u64>) -> Result<Appended> {
        let offset = self.next_offset();
        let before = self.lines.len();
        match encode(self.writer, self.lines).and_then(|len| self.writer.fits(self.lines).map(|()| len)) {
            Ok(len) => Ok(Appended { offset, len }),
            Err(error) => {
                self.lines.truncate(before);
                Err(error)
            }
        }
    }
}

impl Disk {
    fn unlock(&mut self, path: &std::path::Path) -> Result<()> {
        lock::release(&self.gate, &Arc::clone(&self.file)).map_err(|source| {
            self.is_poisoned = true;
            Error::io("unlock", path)(source)
        })
    }
}
