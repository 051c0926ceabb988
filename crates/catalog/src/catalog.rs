//! A catalog: the log of events, what it says, and everything that can be done to it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use jsonl_core::{Cursor, Durability, Log, Span, Transaction, WriteOptions, Writer};
use parking_lot::{Mutex, MutexGuard};

use crate::cache;
use crate::change::{Change, find_one, new_event};
use crate::error::{Error, Result};
use crate::event::{Event, Links};
use crate::find::{self, Find};
use crate::fold::{self, Report};
use crate::foreign;
use crate::options::CatalogOptions;
use crate::projection::Projection;
use crate::reduce::Rules;
use crate::session::{Outcome, Session};
use crate::sweep::{self, Thresholds, Transition};
use crate::tree::{self, Tree};

/// The log of events.
pub const EVENTS: &str = "sessions-db-events.jsonl";

/// A cache is written when so much of the log is not in it, a fourth of it being enough.
const UNCACHED_PART: u64 = 4;

/// The catalog in a folder. Can be shared between threads; any number of processes may have the same folder open.
///
/// Whatever is asked for is up to date with the log at that moment, whoever wrote to it.
#[derive(Debug)]
pub struct Catalog {
    options: CatalogOptions,
    root: PathBuf,
    log: PathBuf,
    writer: Mutex<Option<Arc<Writer>>>,
    held: Mutex<Held>,
}

/// What is known of the log.
#[derive(Debug)]
struct Held {
    projection: Projection,
    report: Report,
    /// Everything before this is in the projection, in bytes.
    end: u64,
    /// How much of it a cache has, in bytes.
    cached: u64,
    /// A place in the file that was read, by which it is known again.
    cursor: Option<Cursor>,
    /// What the file was when it was read to its end.
    stamp: Option<Stamp>,
    /// Something is in the projection that may not stay: it is made anew before it is used again.
    is_stale: bool,
}

impl Held {
    fn new(rules: Rules) -> Self {
        Self {
            projection: Projection::new(rules),
            report: Report::default(),
            end: 0,
            cached: 0,
            cursor: None,
            stamp: None,
            is_stale: false,
        }
    }
}

/// By what a file that was changed is known at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    created: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { len: metadata.len(), modified: metadata.modified().ok(), created: metadata.created().ok() }
    }
}

/// What `init` has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Made {
    /// The folder.
    pub folder: bool,
    /// The log.
    pub events: bool,
    /// An empty projection, by which sessions-db, and whoever looks upwards from a folder, finds the catalog.
    pub projection: bool,
}

impl Catalog {
    /// The catalog in a folder, with the defaults of [`CatalogOptions`].
    #[must_use]
    pub fn open(root: impl AsRef<Path>) -> Self {
        CatalogOptions::new().open(root)
    }

    pub(crate) fn with(options: CatalogOptions, root: &Path) -> Self {
        let (log, held) = (root.join(EVENTS), Mutex::new(Held::new(options.rules)));
        Self { options, root: root.to_owned(), log, writer: Mutex::new(None), held }
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The log of its events.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Whether there is a log.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if that can't be found out.
    pub fn exists(&self) -> Result<bool> {
        is_log(&self.log)
    }

    pub(crate) fn options(&self) -> &CatalogOptions {
        &self.options
    }

    /// Makes what a catalog consists of, where it isn't there: the folder (0700), the log and an empty projection (0600).
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Log`].
    pub fn init(&self) -> Result<Made> {
        let is_there = |path: &Path| path.try_exists().map_err(Error::io("look at", path));
        let mut made =
            Made { folder: !is_there(&self.root)?, events: !is_there(&self.log)?, projection: false };
        jsonl_core::create_folder(&self.root)?;
        self.writer()?;
        let path = self.root.join(foreign::PROJECTION);
        // Two who make one at the same time make the same.
        if !is_there(&path)? {
            made.projection = true;
            self.export(&path)?;
        }
        made.events &= is_there(&self.log)?;
        Ok(made)
    }

    /// What all events say by now.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn projection(&self) -> Result<Projection> {
        Ok(self.look()?.projection.clone())
    }

    /// Calls `work` with what all events say by now. Other uses of this handle wait.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn with_projection<R>(&self, work: impl FnOnce(&Projection) -> R) -> Result<R> {
        Ok(work(&self.look()?.projection))
    }

    /// What is in the log that is no event. Of what was read with the help of a cache, the numbers only.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn report(&self) -> Result<Report> {
        Ok(self.look()?.report.clone())
    }

    /// Reads the whole log, cache or not, and says what is in it.
    ///
    /// # Errors
    ///
    /// [`Error::NoCatalog`]; [`Error::Log`] when reading fails.
    pub fn verify(&self) -> Result<(Projection, Report)> {
        if !self.exists()? {
            return Err(Error::NoCatalog { root: self.root.clone() });
        }
        let log = self.options.read_options().open(&self.log)?;
        let mut projection = Projection::new(self.options.rules);
        let read = fold::read(&log, |event| projection.apply(event))?;
        Ok((projection, read.report))
    }

    /// Reads the whole log and writes the cache anew.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn rebuild(&self) -> Result<(Projection, Report)> {
        if !self.exists()? {
            return Err(Error::NoCatalog { root: self.root.clone() });
        }
        self.writer()?.transact(Durability::Buffer, |transaction| {
            let log = transaction.log(&self.options.read_options())?;
            let mut held = self.held.lock();
            *held = self.read_whole(&log, false)?;
            self.write_cache(&mut held, &log);
            Ok((held.projection.clone(), held.report.clone()))
        })
    }

    /// The session that is meant: by its id, by the beginning of an id that only one has, or by an alias that only one has.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Ambiguous`]; [`Error::Log`] when reading fails.
    pub fn session(&self, id: &str) -> Result<Session> {
        let held = self.look()?;
        find_one(&held.projection, id)
    }

    /// The sessions that are meant, the one with the latest progress first.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn find(&self, wanted: &Find) -> Result<Vec<Session>> {
        Ok(find::find(&self.look()?.projection, wanted))
    }

    /// A session, given as in [`session`](Self::session), and all that go on from it.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session).
    pub fn descendants(&self, id: &str) -> Result<Tree> {
        let held = self.look()?;
        let session = find_one(&held.projection, id)?;
        tree::descendants(&held.projection, &session.stable_id).ok_or(Error::NotFound { id: id.to_owned() })
    }

    /// The sessions that a session, given as in [`session`](Self::session), goes on from, its parent first.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session).
    pub fn ancestors(&self, id: &str) -> Result<Vec<Session>> {
        let held = self.look()?;
        let session = find_one(&held.projection, id)?;
        Ok(tree::ancestors(&held.projection, &session.stable_id))
    }

    /// Gives a session a name, or takes it away. The event, which is on the device when this returns; as with all
    /// changes below.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session); [`Error::Empty`]; [`Error::Locked`] and [`Error::Log`] when writing fails.
    pub fn set_alias(&self, id: &str, alias: Option<&str>) -> Result<Event<'static>> {
        self.change(id, Change::alias(alias)?)
    }

    /// Notes that a session belongs to tasks and projects.
    ///
    /// # Errors
    ///
    /// As [`set_alias`](Self::set_alias).
    pub fn link(&self, id: &str, links: Links<'_>) -> Result<Event<'static>> {
        self.change(id, Change::link(links)?)
    }

    /// Notes that a session doesn't belong to them.
    ///
    /// # Errors
    ///
    /// As [`set_alias`](Self::set_alias).
    pub fn unlink(&self, id: &str, links: Links<'_>) -> Result<Event<'static>> {
        self.change(id, Change::unlink(links)?)
    }

    /// Notes which session a session goes on from, or that it does from none.
    ///
    /// # Errors
    ///
    /// As [`set_alias`](Self::set_alias); [`Error::OwnParent`], [`Error::Cycle`].
    pub fn set_parent(&self, id: &str, parent: Option<&str>) -> Result<Event<'static>> {
        self.change(id, Change::parent(parent)?)
    }

    /// Notes how a session ended, and why.
    ///
    /// # Errors
    ///
    /// As [`set_alias`](Self::set_alias).
    pub fn close(&self, id: &str, outcome: Outcome, reason: Option<&str>) -> Result<Event<'static>> {
        self.change(id, Change::close(outcome, reason))
    }

    /// Makes a change to a session, given as in [`session`](Self::session).
    ///
    /// # Errors
    ///
    /// As those of what made the change.
    pub fn change(&self, id: &str, change: Change) -> Result<Event<'static>> {
        self.commit(|batch| {
            let event = batch.event(id, change)?;
            batch.push(event)
        })
    }

    /// The event that [`change`](Self::change) would write.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn dry_run(&self, id: &str, change: Change) -> Result<Event<'static>> {
        change.event(&self.look()?.projection, id, (self.options.clock)())
    }

    /// Which sessions are to be in another state by now; see [`sweep`](crate::sweep()).
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn sweep_dry_run(
        &self,
        thresholds: Thresholds,
        changed: impl Fn(&str) -> Option<SystemTime>,
    ) -> Result<Vec<Transition>> {
        Ok(sweep::sweep(&self.look()?.projection, thresholds, (self.options.clock)(), changed))
    }

    /// Notes of all sessions which are to be in another state by now, in one write.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] and [`Error::Log`] when writing fails.
    pub fn sweep(
        &self,
        thresholds: Thresholds,
        changed: impl Fn(&str) -> Option<SystemTime>,
    ) -> Result<Vec<Transition>> {
        if !self.exists()? {
            return Ok(Vec::new());
        }
        self.commit(|batch| {
            let now = batch.now();
            let transitions = sweep::sweep(&batch.held.projection, thresholds, now, changed);
            for transition in &transitions {
                let event = new_event(transition.stable_id.clone(), transition.op(), now);
                batch.push(event)?;
            }
            Ok(transitions)
        })
    }

    /// Writes sessions-db's projection.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading or writing fails.
    pub fn export(&self, path: &Path) -> Result<()> {
        let held = self.look()?;
        foreign::write_projection(path, |out| {
            serde_json::to_writer_pretty(&mut *out, &held.projection.export())?;
            out.write_all(b"\n")
        })
    }

    /// sessions-db's projection, as it would be written.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn export_text(&self) -> Result<String> {
        let held = self.look()?;
        let text = serde_json::to_string_pretty(&held.projection.export());
        text.map_err(|error| Error::io("export", &self.log)(error.into()))
    }

    /// Runs `work` while nobody else writes, and writes what it has pushed.
    pub(crate) fn commit<R>(&self, work: impl FnOnce(&mut Batch<'_, '_, '_>) -> Result<R>) -> Result<R> {
        let writer = self.writer()?;
        // Held until everything is written.
        let mut foreign = None;
        let mut has_pushed = false;
        let done = writer.transact(self.options.durability, |transaction| {
            foreign = Some(foreign::lock(&self.root, self.options.wait)?);
            let mut held = self.held.lock();
            self.catch_up(&mut held, transaction)?;
            let mut batch = Batch { catalog: self, held: &mut held, transaction, has_pushed: false };
            let result = work(&mut batch);
            has_pushed = batch.has_pushed;
            if has_pushed {
                held.stamp = None;
            }
            result
        });
        let result = match done {
            Ok(result) => result,
            Err(error) => {
                // What was taken into account may not have been written, and the writer may be of no use any longer.
                self.held.lock().is_stale |= has_pushed;
                *self.writer.lock() = None;
                return Err(error);
            }
        };
        if has_pushed {
            foreign::invalidate(&self.root)?;
            drop(foreign);
            if self.cache_is_due(&self.held.lock()) {
                writer.transact(Durability::Buffer, |transaction| {
                    let mut held = self.held.lock();
                    self.catch_up(&mut held, transaction)?;
                    self.write_cache(&mut held, &transaction.log(&self.options.read_options())?);
                    Ok::<_, Error>(())
                })?;
            }
        }
        Ok(result)
    }

    fn writer(&self) -> Result<Arc<Writer>> {
        let mut slot = self.writer.lock();
        if let Some(writer) = &*slot {
            return Ok(Arc::clone(writer));
        }
        jsonl_core::create_folder(&self.root)?;
        let mut options = WriteOptions::new()
            .create(true)
            .checksum(self.options.checksum)
            .durability(self.options.durability)
            .locking(jsonl_core::Locking::PerAppend)
            .wait(self.options.wait);
        if let Some(program) = &self.options.program {
            options = options.program(program);
        }
        Ok(Arc::clone(slot.insert(Arc::new(options.open(&self.log)?))))
    }

    /// What all events say by now, for reading.
    fn look(&self) -> Result<MutexGuard<'_, Held>> {
        let mut held = self.held.lock();
        let stamp = match fs::metadata(&self.log) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                *held = Held::new(self.options.rules);
                return Ok(held);
            }
            Err(error) => return Err(Error::io("look at", &self.log)(error)),
        };
        if held.is_stale || held.stamp.as_ref() != Some(&stamp) {
            let log = self.options.read_options().open(&self.log)?;
            self.read_on(&mut held, &log)?;
            // If it has changed since, this is not what it is now.
            held.stamp = Some(stamp);
        }
        Ok(held)
    }

    /// What all events say by now, under the lock.
    fn catch_up(&self, held: &mut Held, transaction: &Transaction<'_>) -> Result<()> {
        let is_known = !held.is_stale && transaction.is_as_left() && transaction.len() == held.end;
        if is_known {
            return Ok(());
        }
        self.read_on(held, &transaction.log(&self.options.read_options())?)
    }

    /// Reads what is new in a log, or all of it if it isn't the one that is known.
    fn read_on(&self, held: &mut Held, log: &Log) -> Result<()> {
        let is_same = held
            .cursor
            .as_ref()
            .is_some_and(|cursor| log.cursor_at(cursor.offset()).is_ok_and(|found| found == *cursor));
        let new = Span { offset: held.end, len: log.len().saturating_sub(held.end) };
        let part = (is_same && !held.is_stale && held.end <= log.len()).then(|| log.part(new).ok()).flatten();
        let Some(part) = part else {
            *held = self.read_whole(log, true)?;
            return Ok(());
        };
        // Should it fail half-way, all is read again.
        held.is_stale = true;
        held.is_stale = extend(held, &part)?;
        held.cursor = log.cursor_at(held.end).ok();
        Ok(())
    }

    fn read_whole(&self, log: &Log, with_cache: bool) -> Result<Held> {
        let with_cache = with_cache && self.has_cache(log.len());
        let mut held = Held::new(self.options.rules);
        if let Some(cached) = with_cache.then(|| cache::load(log, self.options.rules)).flatten() {
            held.projection = cached.projection;
            held.report = cached.report;
            held.end = cached.end;
            held.cached = cached.end;
        }
        let part = log.part(Span { offset: held.end, len: log.len() - held.end })?;
        held.is_stale = extend(&mut held, &part)?;
        held.cursor = log.cursor_at(held.end).ok();
        Ok(held)
    }

    fn has_cache(&self, len: u64) -> bool {
        self.options.cache_above.is_some_and(|least| len > least)
    }

    /// Whether enough of the log is not in the cache.
    fn cache_is_due(&self, held: &Held) -> bool {
        let uncached = held.end.saturating_sub(held.cached);
        self.has_cache(held.end) && uncached.saturating_mul(UNCACHED_PART) >= held.end
    }

    /// Where that doesn't work out, there is none.
    fn write_cache(&self, held: &mut Held, log: &Log) {
        let is_wanted = self.has_cache(held.end) && !held.is_stale;
        if is_wanted && cache::store(log, held.end, &held.projection, &held.report).is_some() {
            held.cached = held.end;
        }
    }
}

/// Whether there is a log of events.
pub(crate) fn is_log(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.is_file()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

/// Adds the events of a log's part; whether something is in the projection now that has no newline yet.
fn extend(held: &mut Held, part: &Log) -> Result<bool> {
    let projection = &mut held.projection;
    let read = fold::read(part, |event| projection.apply(event))?;
    let (all, new) = (&mut held.report, read.report);
    all.events += new.events;
    all.odd += new.odd;
    all.torn += new.torn;
    all.fused += new.fused;
    all.damaged += new.damaged;
    all.odd_at.extend(new.odd_at);
    all.odd_at.truncate(fold::DAMAGES_KEPT);
    all.damages.extend(new.damages);
    all.damages.truncate(fold::DAMAGES_KEPT);
    held.end = read.end;
    Ok(read.has_tail)
}

/// What is written together, under the lock.
pub(crate) struct Batch<'a, 'b, 'c> {
    catalog: &'a Catalog,
    held: &'a mut Held,
    transaction: &'b mut Transaction<'c>,
    has_pushed: bool,
}

impl Batch<'_, '_, '_> {
    pub(crate) fn sessions(&self) -> &Projection {
        &self.held.projection
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.catalog.options.clock)()
    }

    fn event(&self, id: &str, change: Change) -> Result<Event<'static>> {
        change.event(&self.held.projection, id, self.now())
    }

    /// Writes an event when the transaction ends, and takes it into account at once.
    pub(crate) fn push(&mut self, event: Event<'static>) -> Result<Event<'static>> {
        let appended = self.transaction.append(&event)?;
        self.has_pushed = true;
        self.held.projection.apply(&event);
        self.held.report.events += 1;
        self.held.end = appended.offset + appended.len;
        Ok(event)
    }
}
