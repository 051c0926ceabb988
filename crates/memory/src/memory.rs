//! A memory, open for writing.

use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

use jsonl_core::{Locking, Transaction, WriteOptions, Writer};
use parking_lot::{Mutex, MutexGuard};

use crate::checkpoint;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::fold::{self, Writers};
use crate::index::{Fate, Slot};
use crate::options::MemoryOptions;
use crate::record::{self, Accepted, Header, Item, Kind, Meta, What, Written};
use crate::render::{Render, Rendered};
use crate::report::{IdRange, Report};
use crate::time;
use crate::view::{Step, Verified, View};

/// A memory that this handle alone writes, for as long as it lives. All methods take `&self`: share it between threads.
///
/// What a method returns is as durable as the options say.
#[derive(Debug)]
pub struct Memory {
    pub(crate) writer: Writer,
    pub(crate) held: Mutex<Held>,
    options: MemoryOptions,
}

/// What is known of the memory.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) view: View,
    /// Ids of items by the checksum of what they say, once somebody asked for duplicates.
    known: Option<HashMap<u32, Vec<u64>>>,
    /// Something went wrong: what is known may not be what is in the file.
    is_stale: bool,
    /// So many bytes of the log stand in its checkpoint.
    reach: u64,
}

/// What is to be remembered.
#[derive(Clone, Debug)]
pub struct NewItem {
    kind: Kind,
    content: String,
    tags: Vec<String>,
    source: Option<String>,
    expires: Option<SystemTime>,
    time: Option<SystemTime>,
    unless_known: bool,
}

impl NewItem {
    /// An item without tags and source, that does not expire.
    #[must_use]
    pub fn new(kind: Kind, content: impl Into<String>) -> Self {
        Self {
            kind,
            content: content.into(),
            tags: Vec::new(),
            source: None,
            expires: None,
            time: None,
            unless_known: false,
        }
    }

    /// Something that is so.
    #[must_use]
    pub fn fact(content: impl Into<String>) -> Self {
        Self::new(Kind::Fact, content)
    }

    /// Something that somebody likes to be so.
    #[must_use]
    pub fn pref(content: impl Into<String>) -> Self {
        Self::new(Kind::Pref, content)
    }

    /// Something that is good to know for a while.
    #[must_use]
    pub fn context(content: impl Into<String>) -> Self {
        Self::new(Kind::Context, content)
    }

    /// A word to find it by, beside those before.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// From when on it is no longer active. Whole seconds are kept. By default never; aish doesn't know of it.
    #[must_use]
    pub fn expires(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires);
        self
    }

    /// When it was remembered. By default when it is added.
    #[must_use]
    pub fn time(mut self, time: SystemTime) -> Self {
        self.time = Some(time);
        self
    }

    /// Don't add it if an active item of its kind says the same, apart from white space around it. By default it
    /// is added all the same.
    #[must_use]
    pub fn unless_known(mut self) -> Self {
        self.unless_known = true;
        self
    }
}

impl From<&Item> for NewItem {
    /// The same again, for another memory. Members that annals doesn't know stay behind.
    fn from(item: &Item) -> Self {
        Self {
            kind: item.kind,
            content: item.content.clone(),
            tags: item.tags.clone(),
            source: item.source.clone(),
            expires: item.expires,
            time: item.time,
            unless_known: false,
        }
    }
}

/// What became of an item that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was added under this id.
    New(u64),
    /// An active item says the same: this one. Nothing was written.
    Known(u64),
}

impl Added {
    /// The id of the item that says it.
    #[must_use]
    pub fn id(self) -> u64 {
        match self {
            Self::New(id) | Self::Known(id) => id,
        }
    }
}

impl Memory {
    /// Opens a memory with the default options; see [`MemoryOptions::open`].
    ///
    /// # Errors
    ///
    /// As [`MemoryOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        MemoryOptions::new().open(path)
    }

    pub(crate) fn open_with(options: &MemoryOptions, path: &Path) -> Result<Self> {
        if options.create
            && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        {
            jsonl_core::create_folder(folder)?;
        }
        let mut write = WriteOptions::new()
            .create(options.create)
            .checksum(options.checksum)
            .durability(options.durability)
            .locking(Locking::Held)
            .wait(options.wait)
            .max_line_len(options.max_line_len);
        if let Some(program) = &options.program {
            write = write.program(program);
        }
        let writer = write.open(path)?;
        let log = options.read_options().open(writer.path())?;
        let mut view = View::build(log, options, Writers::Locked)?;
        let loss = view.index.loss();
        view.require_memory()?;
        if !loss.is_empty() && !options.accept_loss {
            return Err(Error::Incomplete { path: path.to_owned(), loss: Box::new(loss) });
        }
        view.index.end = view.log.len();
        view.visible = view.log.len();
        let is_empty = view.log.is_empty();
        let reach = checkpoint::reach(writer.path());
        let held = Held { view, known: None, is_stale: false, reach };
        let memory = Self { writer, held: Mutex::new(held), options: options.clone() };
        if is_empty {
            memory.begin()?;
        }
        if !loss.is_empty() {
            memory.accept()?;
        }
        memory.keep_checkpoint();
        Ok(memory)
    }

    /// The path of the log, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.writer.path()
    }

    /// Remembers something.
    ///
    /// # Errors
    ///
    /// [`Error::NoContent`], [`Error::Full`], and [`Error::Log`] with `TooLong` before anything is written;
    /// [`Error::Log`] when writing failed: the item may or may not be there, and nothing more is written by this handle.
    pub fn add(&self, item: &NewItem) -> Result<Added> {
        let added = self.add_all(std::slice::from_ref(item))?;
        added.into_iter().next().ok_or(Error::NoContent)
    }

    /// [`add`](Self::add) for many items, with one write and one sync. A crash can leave the first few.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add). An item that can't be written leaves all of them unwritten.
    pub fn add_all(&self, items: &[NewItem]) -> Result<Vec<Added>> {
        if items.iter().any(|item| item.content.trim().is_empty()) {
            return Err(Error::NoContent);
        }
        self.commit(|batch| {
            let mut done: Vec<Added> = Vec::new();
            // The first of this batch are not in the file yet.
            let mut batched: HashMap<(Kind, &str), u64> = HashMap::new();
            for item in items {
                let says = (item.kind, item.content.trim());
                if item.unless_known {
                    let known = batched.get(&says).copied();
                    if let Some(id) = known.map_or_else(|| batch.find(item), |id| Ok(Some(id)))? {
                        done.push(Added::Known(id));
                        continue;
                    }
                }
                let id = batch.add(item, None)?;
                batched.insert(says, id);
                done.push(Added::New(id));
            }
            Ok(done)
        })
    }

    /// Forgets an item. Returns it if it was active (or had expired), else `None`, and nothing was written.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn forget(&self, id: u64) -> Result<Option<Item>> {
        self.commit(|batch| {
            let Some(item) = batch.living(id)? else { return Ok(None) };
            batch.forget(id)?;
            Ok(Some(item))
        })
    }

    /// Puts an item in the place of another. Returns its id.
    ///
    /// The new one names the old one, and a tombstone for the old one goes with it, so that aish shows only the new one,
    /// too.
    ///
    /// # Errors
    ///
    /// [`Error::NotActive`]; else as [`add`](Self::add).
    pub fn supersede(&self, id: u64, item: &NewItem) -> Result<u64> {
        if item.content.trim().is_empty() {
            return Err(Error::NoContent);
        }
        self.commit(|batch| {
            if batch.living(id)?.is_none() {
                return Err(Error::NotActive { id });
            }
            let new = batch.add(item, Some(id))?;
            batch.forget(id)?;
            Ok(new)
        })
    }

    /// Forgets all active items that a filter means, with one write. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn clear(&self, filter: &Filter) -> Result<usize> {
        self.commit(|batch| {
            batch.reach()?;
            let ids: Vec<u64> = batch.held.view.active(filter)?.iter().map(|item| item.id).collect();
            for id in &ids {
                batch.forget(*id)?;
            }
            Ok(ids.len())
        })
    }

    /// The active item with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn get(&self, id: u64) -> Result<Option<Item>> {
        self.look()?.view.get(id)
    }

    /// The active items that a filter means; see [`View::active`].
    ///
    /// # Errors
    ///
    /// As [`View::active`].
    pub fn active(&self, filter: &Filter) -> Result<Vec<Item>> {
        self.look()?.view.active(filter)
    }

    /// How many items are active.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn count(&self) -> Result<usize> {
        Ok(self.look()?.view.count())
    }

    /// The active items as text for a prompt; see [`View::render`].
    ///
    /// # Errors
    ///
    /// As [`View::render`].
    pub fn render(&self, render: &Render) -> Result<Rendered> {
        self.look()?.view.render(render)
    }

    /// Everything that happened to an item; see [`View::history`].
    ///
    /// # Errors
    ///
    /// As [`View::history`].
    pub fn history(&self, id: u64) -> Result<Vec<Step>> {
        self.look()?.view.history(id)
    }

    /// What is odd or damaged, as far as opening had to read.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn report(&self) -> Result<Report> {
        Ok(self.look()?.view.report().clone())
    }

    /// Reads the whole memory again; see [`View::verify`].
    ///
    /// # Errors
    ///
    /// As [`View::verify`].
    pub fn verify(&self) -> Result<Verified> {
        self.look()?.view.verify()
    }

    /// Gives up the memory, with a checkpoint if enough is new, and says whether all went well, which dropping can't.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] if an earlier write failed, or the file was replaced.
    pub fn close(self) -> Result<()> {
        self.keep_checkpoint();
        Ok(self.writer.close()?)
    }

    /// Writes the first line of a new memory.
    fn begin(&self) -> Result<()> {
        let created = time::to_text((self.options.clock)());
        let meta = Meta { created: &created, annals_version: env!("CARGO_PKG_VERSION") };
        self.commit(|batch| {
            let appended = batch.transaction.append(&Header { meta })?;
            let index = &mut batch.held.view.index;
            (index.has_header, index.has_own) = (true, true);
            index.report.records += 1;
            index.end = appended.offset + appended.len;
            Ok(())
        })
    }

    /// Notes that what is missing is known.
    fn accept(&self) -> Result<()> {
        self.commit(|batch| {
            let index = &batch.held.view.index;
            let damaged = index.report.damaged;
            let mut missing = index.gaps();
            // A damaged line behind the last record may have been one with the next id.
            let first = index.next_id().ok_or_else(|| self.full())?;
            let skipped = damaged - index.accepted.damaged.min(damaged);
            if skipped > 0 {
                missing.push(IdRange::new(first, first + skipped - 1));
            }
            let missing_of_compacted = index.missing_of_compacted();
            let accepted = Accepted { missing, missing_of_compacted, damaged };
            let now = time::to_text((self.options.clock)());
            let record =
                Written { accepted: Some(&accepted), ..Written::new(first + skipped, &now, "accepted") };
            batch.append(&record)
        })
    }

    /// Looks, decides and writes while nobody else does.
    fn commit<R>(&self, work: impl FnOnce(&mut Batch<'_, '_, '_>) -> Result<R>) -> Result<R> {
        let mut end = 0;
        let mut has_pushed = false;
        let done = self.writer.transact(self.options.durability, |transaction| {
            let mut held = self.held.lock();
            self.catch_up(&mut held, transaction)?;
            let before = held.view.index.end;
            let mut batch = Batch { memory: self, held, transaction };
            let result = work(&mut batch);
            end = batch.held.view.index.end;
            has_pushed = end != before;
            result
        });
        let mut held = self.held.lock();
        match &done {
            Ok(_) => held.view.visible = held.view.visible.max(end),
            // What was taken into the index may not have been written.
            Err(_) => held.is_stale |= has_pushed,
        }
        done
    }

    /// Takes in what there is now; returns how many bytes that is.
    pub(crate) fn catch_up_now(&self) -> Result<u64> {
        self.commit(|batch| Ok(batch.transaction.len()))
    }

    /// Takes in what somebody wrote who respects no lock, or everything where something went wrong before.
    fn catch_up(&self, held: &mut Held, transaction: &Transaction<'_>) -> Result<()> {
        let len = transaction.len();
        let is_known = !held.is_stale && (transaction.is_as_left() || len == held.view.index.end);
        if !is_known {
            let log = transaction.log(&self.options.read_options())?;
            let end = held.view.index.end;
            let starts_there = end <= len && !held.is_stale && log.cursor_at(end).is_ok();
            held.is_stale = true;
            if starts_there {
                fold::extend(&mut held.view.index, &log, &self.options, Writers::Locked)?;
                held.view.log = log;
            } else {
                held.view = View::build(log, &self.options, Writers::Locked)?;
            }
            held.known = None;
            held.view.index.end = len;
            held.view.visible = len;
            let loss = held.view.index.loss();
            if !loss.is_empty() {
                return Err(Error::Incomplete { path: self.path().to_owned(), loss: Box::new(loss) });
            }
            held.is_stale = false;
        }
        Ok(())
    }

    /// What is known, with a log that has all of it.
    fn look(&self) -> Result<MutexGuard<'_, Held>> {
        let mut held = self.held.lock();
        if held.is_stale || held.view.log.len() < held.view.visible {
            let log = self.options.read_options().open(self.path())?;
            if held.is_stale {
                held.view = View::build(log, &self.options, Writers::Possible)?;
                held.known = None;
                // Whoever writes next looks again, under the lock.
            } else {
                held.view.log = log;
            }
        }
        Ok(held)
    }

    pub(crate) fn full(&self) -> Error {
        Error::Full { path: self.path().to_owned() }
    }

    pub(crate) fn options(&self) -> &MemoryOptions {
        &self.options
    }

    /// Writes a checkpoint where a good part of the memory stands in none.
    pub(crate) fn keep_checkpoint(&self) {
        let mut held = self.held.lock();
        let end = held.view.index.end;
        let is_due = end >= checkpoint::LOG_LEN_MIN && end.saturating_sub(held.reach) >= end / 4;
        if !self.options.checkpoint || !is_due || held.is_stale {
            return;
        }
        let Ok(log) = self.options.read_options().open(self.path()) else { return };
        if log.len() == end && checkpoint::store(&log, &held.view.index).is_some() {
            held.reach = end;
        }
    }
}

impl Held {
    /// Whoever looks next has to look at the whole file.
    pub(crate) fn forget(&mut self) {
        self.known = None;
        self.is_stale = true;
        self.reach = 0;
    }
}

/// Records that are written together.
struct Batch<'a, 'w, 't> {
    memory: &'a Memory,
    held: MutexGuard<'a, Held>,
    transaction: &'t mut Transaction<'w>,
}

impl Batch<'_, '_, '_> {
    fn append(&mut self, record: &Written<'_>) -> Result<()> {
        let appended = self.transaction.append(record)?;
        let text = serde_json::to_vec(record).unwrap_or_default();
        if let Some(glance) = record::glance(&text) {
            if let (Some(known), Some(id), What::Item { hash, .. }) =
                (&mut self.held.known, glance.id, &glance.what)
            {
                known.entry(*hash).or_default().push(id);
            }
            self.held.view.index.push(appended.offset, appended.offset + appended.len, glance);
        }
        Ok(())
    }

    /// Makes all that was written readable. Who only adds can do without.
    fn reach(&mut self) -> Result<()> {
        let view = &mut self.held.view;
        if view.log.len() < view.index.end {
            view.log = self.transaction.log(&self.memory.options.read_options())?;
        }
        Ok(())
    }

    fn next_id(&self) -> Result<u64> {
        self.held.view.index.next_id().ok_or_else(|| self.memory.full())
    }

    fn now(&self) -> String {
        time::to_text((self.memory.options.clock)())
    }

    fn add(&mut self, item: &NewItem, supersedes: Option<u64>) -> Result<u64> {
        let id = self.next_id()?;
        let ts = item.time.map_or_else(|| self.now(), time::to_text);
        let expires = item.expires.map(time::to_text);
        self.append(&Written {
            supersedes,
            expires: expires.as_deref(),
            content: Some(&item.content),
            tags: &item.tags,
            source: item.source.as_deref(),
            ..Written::new(id, &ts, item.kind.name())
        })?;
        Ok(id)
    }

    fn forget(&mut self, target: u64) -> Result<()> {
        let (id, now) = (self.next_id()?, self.now());
        self.append(&Written { target: Some(target), ..Written::new(id, &now, "forget") })
    }

    /// The item that nobody has forgotten or replaced, expired or not.
    fn living(&mut self, id: u64) -> Result<Option<Item>> {
        self.reach()?;
        let view = &self.held.view;
        let slot = view.index.slot(id).filter(|slot| slot.fate == Fate::Active);
        slot.map(|slot| view.item_at(slot)).transpose()
    }

    /// An active item that says the same.
    fn find(&mut self, item: &NewItem) -> Result<Option<u64>> {
        self.reach()?;
        let held = &mut *self.held;
        let view = &held.view;
        let is_in_file = |slot: &&Slot| slot.offset < view.log.len();
        let known = held.known.get_or_insert_with(|| {
            let mut known: HashMap<u32, Vec<u64>> = HashMap::new();
            for slot in view.index.slots.iter().filter(|slot| slot.fate == Fate::Active) {
                known.entry(slot.hash).or_default().push(slot.id);
            }
            known
        });
        let now = view.now();
        for &id in known.get(&record::hash(&item.content)).into_iter().flatten() {
            let slot = view.index.slot(id).filter(is_in_file);
            if let Some(slot) = slot.filter(|slot| view.index.is_active(slot, now) && slot.kind == item.kind)
                && view.item_at(slot)?.content.trim() == item.content.trim()
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}
