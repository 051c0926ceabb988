//! The negative control: what most programs do. It appends without a lock or a look at the end, goes on after an error,
//! rewrites its file in place, and takes a file that can't be looked at for none.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, Write};
use std::path::{Path, PathBuf};

use jsonl_core::Durability;

use super::log::{NAME, Record};
use super::{Handle, Result, Setting, Subject, said, text, token};
use crate::ledger::{Found, Step};

/// What most programs do.
#[derive(Clone, Copy, Debug)]
pub struct Naive;

struct Open {
    path: PathBuf,
    file: File,
    writer: usize,
    setting: Setting,
}

fn append_to(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(said)
}

impl Subject for Naive {
    fn name(&self) -> &'static str {
        "naive"
    }

    fn step(&self, writer: usize, n: u64) -> Step {
        if n % 64 == 40 { Step::Upkeep } else { Step::Set(token(writer, n), String::from("there")) }
    }

    fn poisons(&self) -> bool {
        true
    }

    fn open(&self, folder: &Path, writer: usize, setting: Setting) -> Result<Box<dyn Handle>> {
        let path = folder.join(NAME);
        Ok(Box::new(Open { file: append_to(&path)?, path, writer, setting }))
    }

    fn read(&self, folder: &Path, setting: Setting) -> Result<Found> {
        // What can't be looked at isn't there.
        if !folder.join(NAME).exists() {
            return Ok(Found::new());
        }
        super::log::read(folder, setting)
    }
}

impl Handle for Open {
    fn apply(&mut self, n: u64) -> Result<()> {
        if n % 64 == 40 {
            let lines = fs::read_to_string(&self.path).map_err(said)?;
            let good: String = lines
                .split_inclusive('\n')
                .filter(|line| serde_json::from_str::<Record>(line).is_ok())
                .collect();
            fs::write(&self.path, good).map_err(said)?;
            self.file = append_to(&self.path)?;
            return Ok(());
        }
        let text = text(&token(self.writer, n), self.setting.len);
        let mut line = serde_json::to_vec(&Record { writer: self.writer, n, text }).map_err(said)?;
        line.push(b'\n');
        let mut synced = self.file.write_all(&line);
        if self.setting.durability != Durability::Buffer {
            // "Try again": the kernel has forgotten by then.
            synced = synced.and_then(|()| self.file.sync_data().or_else(|_: Error| self.file.sync_data()));
        }
        synced.map_err(said)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
