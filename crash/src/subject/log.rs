//! A bare log: each operation appends a record.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jsonl_core::{Error, Locking, RepairOptions, WriteOptions, Writer};
use serde::{Deserialize, Serialize};

use super::{Handle, Result, Setting, Subject, said, text, token, token_of};
use crate::ledger::{Found, Step};

/// A bare log.
#[derive(Clone, Copy, Debug)]
pub struct Log;

/// What it is called in its folder.
pub(super) const NAME: &str = "log.jsonl";

#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) writer: usize,
    pub(super) n: u64,
    pub(super) text: String,
}

struct Open {
    log: Writer,
    writer: usize,
    len: usize,
}

impl Subject for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn step(&self, writer: usize, n: u64) -> Step {
        // Now and then all that is no record is taken out, while others append.
        if n % 64 == 40 { Step::Upkeep } else { Step::Set(token(writer, n), String::from("there")) }
    }

    fn poisons(&self) -> bool {
        true
    }

    fn open(&self, folder: &Path, writer: usize, setting: Setting) -> Result<Box<dyn Handle>> {
        let options = WriteOptions::new().create(true).checksum(true).locking(Locking::PerAppend);
        let log = options.durability(setting.durability).open(folder.join(NAME)).map_err(said)?;
        Ok(Box::new(Open { log, writer, len: setting.len }))
    }

    fn read(&self, folder: &Path, setting: Setting) -> Result<Found> {
        read(folder, setting)
    }
}

/// All records, in each writer's order, and every byte accounted for.
pub(super) fn read(folder: &Path, setting: Setting) -> Result<Found> {
    let path = folder.join(NAME);
    if !path.try_exists().map_err(said)? {
        return Ok(Found::new());
    }
    let log = jsonl_core::ReadOptions::new().threads(1).open(path).map_err(said)?;
    let loaded = log.load::<Record>().map_err(said)?;
    if loaded.report.bytes.sum() != log.len() {
        return Err(format!("{:?} of {} bytes", loaded.report.bytes, log.len()));
    }
    let mut found = Found::new();
    let mut last = BTreeMap::new();
    for record in loaded.records {
        let token = token_of(&record.text, setting.len)?;
        if token != super::token(record.writer, record.n) {
            return Err(format!("{token} stands in the record {}.{}", record.writer, record.n));
        }
        if last.insert(record.writer, record.n).is_some_and(|last| last >= record.n) {
            return Err(format!("{token} is there twice or out of order"));
        }
        found.insert(token, String::from("there"));
    }
    Ok(found)
}

impl Handle for Open {
    fn apply(&mut self, n: u64) -> Result<()> {
        if n % 64 == 40 {
            // Its own handle, as an operator's would be; if others keep the lock, another time will do.
            let options = RepairOptions::new().wait(Duration::from_millis(100));
            // A power cut may have left garbage and no record yet.
            let repaired = options.mostly_damaged(true).repair(self.log.path());
            return match repaired {
                Ok(_) | Err(Error::Busy { .. }) => Ok(()),
                Err(error) => Err(said(error)),
            };
        }
        let text = text(&token(self.writer, n), self.len);
        self.log.append(&Record { writer: self.writer, n, text }).map(drop).map_err(said)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.log.close().map_err(said)
    }
}
