//! A memory: items that are added and forgotten, and compaction.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use annals_memory::{Error, Filter, Kind, MemoryOptions, NewItem};

use super::{Handle, Result, Setting, Subject, said, text, token, token_of};
use crate::ledger::{DOUBT, Found, STORE, Step};

/// A memory.
#[derive(Clone, Copy, Debug)]
pub struct Memory;

struct Open {
    memory: annals_memory::Memory,
    writer: usize,
    len: usize,
    /// The ids of what this writer has added.
    ids: BTreeMap<String, u64>,
}

fn options() -> MemoryOptions {
    MemoryOptions::new().threads(1).wait(Duration::from_secs(60))
}

/// What is forgotten by the `n`th operation.
fn forgotten(writer: usize, n: u64) -> String {
    token(writer, n - 2)
}

impl Subject for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn step(&self, writer: usize, n: u64) -> Step {
        match n % 8 {
            3 | 6 => Step::Take(forgotten(writer, n)),
            7 => Step::Upkeep,
            _ => Step::Set(token(writer, n), String::from("there")),
        }
    }

    fn poisons(&self) -> bool {
        true
    }

    fn open(&self, folder: &Path, writer: usize, setting: Setting) -> Result<Box<dyn Handle>> {
        let options = options().durability(setting.durability).checksum(true);
        let memory = options.open(folder.join("memory.jsonl")).map_err(said)?;
        let items = memory.active(&Filter::new()).map_err(said)?;
        let ids = items.into_iter().map(|item| Ok((token_of(&item.content, setting.len)?, item.id)));
        let ids = ids.collect::<Result<_>>()?;
        Ok(Box::new(Open { memory, writer, len: setting.len, ids }))
    }

    fn read(&self, folder: &Path, setting: Setting) -> Result<Found> {
        let path = folder.join("memory.jsonl");
        if !path.try_exists().map_err(said)? {
            return Ok(Found::new());
        }
        let mut found = Found::new();
        let view = match options().view(&path) {
            Err(Error::Incomplete { .. }) => {
                found.insert(String::from(STORE), String::from(DOUBT));
                options().accept_loss(true).view(&path)
            }
            view => view,
        };
        let view = view.map_err(said)?;
        for item in view.active(&Filter::new()).map_err(said)? {
            let token = token_of(&item.content, setting.len)?;
            if found.insert(token.clone(), String::from("there")).is_some() {
                return Err(format!("{token} is there twice"));
            }
        }
        Ok(found)
    }

    fn accept(&self, folder: &Path) -> Result<()> {
        let memory = options().accept_loss(true).open(folder.join("memory.jsonl")).map_err(said)?;
        memory.close().map_err(said)
    }

    fn turn_len(&self) -> Option<u64> {
        Some(8)
    }
}

impl Handle for Open {
    fn apply(&mut self, n: u64) -> Result<()> {
        match n % 8 {
            3 | 6 => {
                let token = forgotten(self.writer, n);
                let id = *self.ids.get(&token).ok_or_else(|| format!("{token} was not added"))?;
                self.memory.forget(id).map(drop).map_err(said)
            }
            7 => self.memory.compact().map(drop).map_err(said),
            _ => {
                let token = token(self.writer, n);
                let item = NewItem::new(Kind::Fact, text(&token, self.len));
                let added = self.memory.add(&item).map_err(said)?;
                self.ids.insert(token, added.id());
                Ok(())
            }
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.memory.close().map_err(said)
    }
}
