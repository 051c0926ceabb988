//! One session.

use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jsonl_core::{Durability, Holder, Log};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::chat::ChatMessage;
use crate::edit::{Edit, Truncate, check_header, encode_metadata};
use crate::error::{Error, Result};
use crate::fold::fold;
use crate::message::{self, Json, Message};
use crate::read::{self, ReadReport};
use crate::record::Parent;
use crate::rewrite::remove_if_empty;
use crate::store::{Inner, Place, found_at, name_of, sync_folder};
use crate::view::{self, Cursor, Entry, History, Page, Scope, Transcript};

/// A file that is taken away between two looks is looked for so often.
const TRIES: usize = 20;

/// Where a session is written that is to be there whole or not at all. No key has a name with a dot in front.
const NEW_FOLDER: &str = ".annals-new";

/// A session of a store, whether it is there yet or not. Cheap to make, to clone and to keep: it holds no file.
/// Clones share being [closed](Self::close).
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<Inner>,
    pub(crate) key: Arc<str>,
    pub(crate) name: Arc<str>,
    /// An archive that was asked for.
    archive: Option<u64>,
    durability: Durability,
    is_closed: Arc<AtomicBool>,
}

impl Debug for Session {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("key", &self.key)
            .field("archive", &self.archive)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(inner: Arc<Inner>, key: &str, archive: Option<u64>) -> Self {
        let durability = inner.durability();
        let is_closed = Arc::default();
        Self { inner, key: key.into(), name: name_of(key), archive, durability, is_closed }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same session with another durability than the store's.
    ///
    /// ```
    /// # fn main() -> annals_session::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// use annals_session::{ChatMessage, Durability, Store};
    ///
    /// let session = Store::open(folder.path())?.session("main")?;
    /// // A token of a stream may be lost by a power cut, the whole answer may not.
    /// session.with_durability(Durability::Buffer).append(&ChatMessage::new("assistant", "Hel"))?;
    /// session.append(&ChatMessage::new("assistant", "Hello."))?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_durability(&self, durability: Durability) -> Self {
        Self { durability, ..self.clone() }
    }

    /// The path of its log, where there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the store can't be looked into.
    pub fn path(&self) -> Result<Option<PathBuf>> {
        Ok(self.exists()?.map(|place| self.path_in(place)))
    }

    fn path_in(&self, place: Place) -> PathBuf {
        match place {
            Place::Active => self.inner.active_path(&self.name),
            Place::Archived(number) => self.inner.archive_dir(&self.name).join(format!("{number}.jsonl")),
        }
    }

    /// Where it is, if it is anywhere: among the active ones, or else the newest in the archive.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the store can't be looked into.
    pub fn exists(&self) -> Result<Option<Place>> {
        let place = self.archive.map_or(Place::Active, Place::Archived);
        if found_at(&self.path_in(place))?.is_some_and(|found| found.is_file()) {
            return Ok(Some(place));
        }
        if self.archive.is_some() {
            return Ok(None);
        }
        Ok(self.inner.archives(&self.name)?.last().map(|number| Place::Archived(*number)))
    }

    /// The numbers of its archives, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the store can't be looked into.
    pub fn archives(&self) -> Result<Vec<u64>> {
        self.inner.archives(&self.name)
    }

    /// One of its archives, for reading.
    #[must_use]
    pub fn archived(&self, number: u64) -> Self {
        Self { archive: Some(number), ..self.clone() }
    }

    pub(crate) fn archive_number(&self) -> Option<u64> {
        self.archive
    }

    // Writing.

    /// Begins the session with metadata, a JSON object or `()` for none, unless it is there already. Returns whether
    /// it was begun; metadata is not changed where it wasn't.
    ///
    /// Nothing has to be begun: appending does, without metadata.
    ///
    /// # Errors
    ///
    /// [`Error::NotMetadata`]; as [`append`](Self::append).
    pub fn begin<M: Serialize + ?Sized>(&self, metadata: &M) -> Result<bool> {
        self.begin_with(metadata, false)
    }

    /// [`begin`](Self::begin), also if there is an archive of this key: a new session, which leaves that alone.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub fn begin_anew<M: Serialize + ?Sized>(&self, metadata: &M) -> Result<bool> {
        self.begin_with(metadata, true)
    }

    fn begin_with<M: Serialize + ?Sized>(&self, metadata: &M, anew: bool) -> Result<bool> {
        let metadata = encode_metadata(metadata)?;
        self.write_to(Make::Yes { anew }, |edit| {
            let is_new = edit.is_new();
            if is_new {
                edit.ensure_header(metadata, None)?;
            }
            Ok(is_new)
        })
    }

    /// Appends a message: anything that serialises to a JSON object with a `role`. Begins the session if it isn't
    /// there. Returns the message's sequence number.
    ///
    /// On return the message is as durable as the store's options say, whoever else is killed meanwhile. Threads
    /// that append at the same time share a sync, as those of a [`jsonl_core::Writer::append`] do.
    ///
    /// # Errors
    ///
    /// [`Error::NotAMessage`] before anything is written; [`Error::Archived`], [`Error::Closed`];
    /// [`Error::Log`] when the lock was not to be had, or writing or syncing failed. In the latter case the
    /// message may or may not be there.
    pub fn append<T: Serialize + ?Sized>(&self, message: &T) -> Result<u64> {
        self.append_one(message::encode(message)?)
    }

    /// Appends a message of text.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn say(&self, role: &str, text: &str) -> Result<u64> {
        self.append(&ChatMessage::new(role, text))
    }

    /// Appends a message as it is, byte for byte.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn append_raw(&self, message: &[u8]) -> Result<u64> {
        self.append_one(message::encode_raw(message)?)
    }

    fn append_one(&self, message: Json) -> Result<u64> {
        self.check_writable()?;
        if self.durability != Durability::Buffer
            && let Ok(handle) = self.inner.handle(&self.name)
        {
            return handle.batches.submit(&self.key, message, self.durability, |messages, durability| {
                let make = Make::Yes { anew: false };
                self.write_at(durability, make, |edit| {
                    Ok(messages.iter().map(|message| edit.message(message, None)).collect())
                })
            });
        }
        self.write(|edit| edit.message(&message, None))
    }

    /// Appends a [`Note`](crate::Note): any JSON value that is to stand at this place of the transcript and is no message.
    /// Returns its sequence number.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn append_note<T: Serialize + ?Sized>(&self, value: &T) -> Result<u64> {
        let note = message::note(value)?;
        self.write(|edit| edit.note(&note, None))
    }

    /// Appends messages with one write and one sync, next to each other. Returns their sequence numbers. A crash can
    /// leave the first few of them, each whole.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append). A message that can't be written leaves all of them unwritten.
    pub fn append_all<T: Serialize>(&self, messages: impl IntoIterator<Item = T>) -> Result<Vec<u64>> {
        let raw =
            messages.into_iter().map(|message| message::encode(&message)).collect::<Result<Vec<_>>>()?;
        if raw.is_empty() {
            self.check_writable()?;
            return Ok(Vec::new());
        }
        self.write(|edit| raw.iter().map(|raw| edit.message(raw, None)).collect())
    }

    /// Looks and changes under one lock: nobody else writes to the session until `work` returns. If it fails, nothing
    /// is changed. `work` must not use the store to change this session, which would wait for itself.
    ///
    /// ```
    /// # fn main() -> annals_session::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let store = annals_session::Store::open(folder.path())?;
    /// let session = store.session("counter")?;
    /// let count = session.edit(|session| {
    ///     let count = session.history()?.len();
    ///     session.append(&serde_json::json!({"role": "user", "content": format!("number {count}")}))?;
    ///     Ok(count)
    /// })?;
    /// assert_eq!(count, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What `work` returns; as [`append`](Self::append).
    pub fn edit<R>(&self, work: impl FnOnce(&mut Edit<'_, '_>) -> Result<R>) -> Result<R> {
        self.write(work)
    }

    /// Sets the summary; an empty one takes it away. Works on a session that isn't there yet.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn set_summary(&self, text: &str) -> Result<u64> {
        self.write(|edit| edit.set_summary(text))
    }

    /// Sets the metadata, a JSON object, or takes it away with `()`.
    ///
    /// # Errors
    ///
    /// [`Error::NotMetadata`]; as [`append`](Self::append).
    pub fn set_metadata<M: Serialize + ?Sized>(&self, metadata: &M) -> Result<u64> {
        self.write(|edit| edit.set_metadata(metadata))
    }

    /// Hides old messages from the history: a view, in which nothing is removed. Returns the sequence number below
    /// which all are hidden.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRecord`]; [`Error::NotFound`] if there is no session; as [`append`](Self::append).
    pub fn truncate(&self, truncate: &Truncate) -> Result<u64> {
        self.write_to(Make::No, |edit| edit.truncate(truncate))
    }

    /// Shows again what was hidden and has not been removed.
    ///
    /// # Errors
    ///
    /// As [`truncate`](Self::truncate).
    pub fn reveal(&self) -> Result<()> {
        self.write_to(Make::No, |edit| edit.reveal().map(drop))
    }

    /// Hides all messages and appends others in their place: after a crash the history is either the old one or the
    /// new. The summary stays, and so does the transcript.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn set_history<T: Serialize>(&self, messages: impl IntoIterator<Item = T>) -> Result<()> {
        let raw =
            messages.into_iter().map(|message| message::encode(&message)).collect::<Result<Vec<_>>>()?;
        self.replace_history(|_| Ok(raw))
    }

    /// [`set_history`](Self::set_history) with what `change` makes of the history, under one lock.
    ///
    /// # Errors
    ///
    /// What `change` returns; as [`append`](Self::append).
    pub fn change_history<T: Serialize>(
        &self,
        change: impl FnOnce(Vec<Message>) -> Result<Vec<T>>,
    ) -> Result<()> {
        self.replace_history(|messages| {
            change(messages)?.iter().map(|message| message::encode(message)).collect()
        })
    }

    fn replace_history(&self, make: impl FnOnce(Vec<Message>) -> Result<Vec<Json>>) -> Result<()> {
        // The log is there and has a header, and the rest is done to a copy of it.
        self.write(|edit| edit.ensure_header(None, None))?;
        self.rewrite(|log, new| crate::rewrite::replace_history(&self.inner, log, new, make))
    }

    /// Takes the visible messages and the summary of the first of `sources` that has any, if this session has neither:
    /// when messages that came under another key belong here from now on. Returns the key that they came from.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append), [`history`](Self::history).
    pub fn adopt(&self, sources: &[&str]) -> Result<Option<String>> {
        for key in sources.iter().filter(|key| **key != &*self.key) {
            let source = Self::new(Arc::clone(&self.inner), key, None).history()?;
            if source.messages.is_empty() {
                continue;
            }
            let adopted = self.write(|edit| {
                if !edit.history()?.is_empty() || !edit.summary().is_empty() {
                    return Ok(false);
                }
                for message in &source.messages {
                    edit.append_raw(message.raw(), message.time())?;
                }
                if !source.summary.is_empty() {
                    edit.set_summary(&source.summary)?;
                }
                Ok(true)
            })?;
            return Ok(adopted.then(|| (*key).to_owned()));
        }
        Ok(None)
    }

    /// Refuses every later use of this handle and its clones for writing, after carrying what was written with
    /// [`Durability::Buffer`] to the device. Closing again does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when that failed; the handle is closed all the same.
    pub fn close(&self) -> Result<()> {
        if self.is_closed.swap(true, Ordering::AcqRel) || self.exists()? != Some(Place::Active) {
            return Ok(());
        }
        let handle = self.inner.handle(&self.name)?;
        handle.writer.sync().inspect_err(|_| self.inner.forget(&self.name))?;
        Ok(())
    }

    // Reading. Takes no lock.

    /// The visible messages, the summary and the metadata. A session that isn't there has none.
    ///
    /// Costs what is visible, not what the log holds. A damaged line hides nothing but itself; the report says where
    /// it is.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails; [`Error::KeyMismatch`], [`Error::NewerVersion`].
    pub fn history(&self) -> Result<History> {
        self.read(view::history)
    }

    /// Everything that the log holds, hidden messages, notes and events, too.
    ///
    /// # Errors
    ///
    /// As [`history`](Self::history).
    pub fn transcript(&self) -> Result<Transcript> {
        self.read(view::transcript)
    }

    /// Hands over records one by one, oldest first, in bounded memory whatever the size of the log: of the history, the
    /// visible messages; of the transcript, everything. Stops when told to; the report ends there, too.
    ///
    /// # Errors
    ///
    /// As [`history`](Self::history).
    pub fn for_each(&self, scope: Scope, look: impl FnMut(Entry) -> ControlFlow<()>) -> Result<ReadReport> {
        self.read(|log| view::each(log, scope, look))
    }

    /// Folds the records without keeping them, on several threads: `step` with each record of a part, from a fresh
    /// `init`, and `combine` with the parts, in order. Whoever wants to keep a record clones it, which copies no text.
    /// [`for_each`](Self::for_each) for work that is worth more than one processor: searching, counting, decoding every text.
    ///
    /// `combine(a, b)` has to be to `step` what `+` is to adding one: folding a part and then another must give the same as
    /// folding both in one go. How the log is divided is not promised. In bounded memory, whatever the size of the log.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let store = annals_session::Store::open(folder.path()).unwrap();
    /// # let session = store.session("k").unwrap();
    /// use annals_session::{Entry, Scope};
    ///
    /// session.say("user", "how late is the ferry?")?;
    /// session.say("assistant", "Six minutes.")?;
    /// let count = |words: &mut usize, entry: &Entry| {
    ///     if let Entry::Message(message) = entry {
    ///         *words += message.text().split_whitespace().count();
    ///     }
    /// };
    /// let (words, _) = session.fold(Scope::Transcript, || 0, count, |a, b| a + b)?;
    /// assert_eq!(words, 7);
    /// # Ok::<(), annals_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`history`](Self::history).
    pub fn fold<A: Send>(
        &self,
        scope: Scope,
        init: impl Fn() -> A + Sync,
        step: impl Fn(&mut A, &Entry) + Sync,
        combine: impl FnMut(A, A) -> A,
    ) -> Result<(A, ReadReport)> {
        match self.log()? {
            Some(log) => fold(&log, scope, init, step, combine),
            None => Ok((init(), ReadReport::default())),
        }
    }

    /// The last `count` visible messages, without reading what is before them.
    ///
    /// # Errors
    ///
    /// As [`history`](Self::history).
    pub fn tail(&self, count: usize) -> Result<History> {
        self.read(|log| view::tail(log, count))
    }

    /// The last `limit` messages before a cursor, or before the end. [`Page::older`] is the cursor for the next
    /// page; it stays good while the session grows, is truncated and is compacted.
    ///
    /// # Errors
    ///
    /// [`Error::StaleCursor`] for a cursor of another session; as [`history`](Self::history).
    pub fn page(&self, scope: Scope, before: Option<&Cursor>, limit: usize) -> Result<Page> {
        self.read(|log| {
            let born = read::header(log)?.map_or_else(String::new, |header| header.created.clone());
            if let Some(cursor) = before
                && !cursor.born.is_empty()
                && !born.is_empty()
                && cursor.born != born
            {
                return Err(Error::StaleCursor { key: self.key.to_string(), cursor: cursor.to_string() });
            }
            view::page(log, scope, before.map_or(u64::MAX, |cursor| cursor.seq), limit, &born)
        })
    }

    /// The summary; empty if there is none.
    ///
    /// # Errors
    ///
    /// As [`history`](Self::history).
    pub fn summary(&self) -> Result<String> {
        self.read(|log| Ok(read::end(log)?.map(|end| end.state().summary.clone()).unwrap_or_default()))
    }

    /// The metadata as an `M`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::NotMetadata`] for metadata that is no `M`; as [`history`](Self::history).
    pub fn metadata<M: DeserializeOwned>(&self) -> Result<Option<M>> {
        let raw = self.read(|log| Ok(read::end(log)?.and_then(|end| end.state().metadata.clone())))?;
        let parse = |raw: Box<RawValue>| {
            serde_json::from_str(raw.get()).map_err(|error| Error::NotMetadata { reason: error.to_string() })
        };
        raw.map(parse).transpose()
    }

    /// Where the session was forked from.
    ///
    /// # Errors
    ///
    /// As [`history`](Self::history).
    pub fn parent(&self) -> Result<Option<Parent>> {
        self.read(|log| Ok(read::header(log)?.and_then(|header| header.parent.clone())))
    }

    /// Who holds the session's lock now; `None` if nobody does.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Log`].
    pub fn holder(&self) -> Result<Option<Holder>> {
        match self.path()? {
            Some(path) => Ok(jsonl_core::holder(&path)?),
            None => Err(self.not_found()),
        }
    }

    pub(crate) fn not_found(&self) -> Error {
        Error::NotFound { key: self.key.to_string() }
    }

    /// `R::default()` where there is no session.
    fn read<R: Default>(&self, look: impl FnOnce(&Log) -> Result<R>) -> Result<R> {
        match self.log()? {
            Some(log) => look(&log),
            None => Ok(R::default()),
        }
    }

    /// Its log, open for reading; `None` where there is none.
    pub(crate) fn log(&self) -> Result<Option<Log>> {
        // It may be moved between a look and the next.
        for _ in 0..TRIES {
            let place = match self.archive {
                Some(number) => Place::Archived(number),
                None => Place::Active,
            };
            let log = match self.inner.open_log(&self.path_in(place)) {
                Err(error) if error.is_not_found() && self.archive.is_none() => match self.exists()? {
                    Some(place) => self.inner.open_log(&self.path_in(place)),
                    None => return Ok(None),
                },
                found => found,
            };
            match log {
                Ok(log) => {
                    check_header(&self.key, &log)?;
                    return Ok(Some(log));
                }
                Err(error) if error.is_not_found() => {
                    if self.archive.is_some() {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn write<R>(&self, work: impl FnOnce(&mut Edit<'_, '_>) -> Result<R>) -> Result<R> {
        self.write_to(Make::Yes { anew: false }, work)
    }

    fn write_to<R>(&self, make: Make, work: impl FnOnce(&mut Edit<'_, '_>) -> Result<R>) -> Result<R> {
        self.check_writable()?;
        self.write_at(self.durability, make, work)
    }

    fn write_at<R>(
        &self,
        durability: Durability,
        make: Make,
        work: impl FnOnce(&mut Edit<'_, '_>) -> Result<R>,
    ) -> Result<R> {
        let mut work = Some(work);
        let mut last = self.not_found();
        for _ in 0..TRIES {
            let done = self.inner.handle(&self.name).and_then(|handle| {
                handle.writer.transact(durability, |transaction| {
                    let mut end = handle.end.lock();
                    let mut edit = Edit::new(&self.inner, &self.key, transaction, end.take())?;
                    // Only what fails before it is tried again.
                    let work = work.take().ok_or_else(|| self.not_found())?;
                    let result = work(&mut edit)?;
                    *end = Some(edit.into_end());
                    Ok(result)
                })
            });
            let error = match done {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            if let Error::Log(_) | Error::Io { .. } = error {
                self.inner.forget(&self.name);
            }
            let is_stale = matches!(error, Error::Log(jsonl_core::Error::Poisoned { .. }));
            if work.is_none() || !(is_stale || error.is_not_found()) {
                return Err(error);
            }
            if error.is_not_found() {
                match make {
                    Make::Yes { anew } => self.make(anew)?,
                    Make::No if self.exists()?.is_some() => {
                        return Err(Error::Archived { key: self.key.to_string() });
                    }
                    Make::No => return Err(self.not_found()),
                }
            }
            last = error;
        }
        Err(last)
    }

    /// Replaces the log by what `write` makes of it.
    pub(crate) fn rewrite<R>(
        &self,
        write: impl FnOnce(&Log, &mut jsonl_core::Rewrite<'_>) -> Result<R>,
    ) -> Result<R> {
        self.check_writable()?;
        let handle = match self.inner.handle(&self.name) {
            Err(error) if error.is_not_found() => {
                let is_archived = self.exists()?.is_some();
                let key = self.key.to_string();
                return Err(if is_archived { Error::Archived { key } } else { Error::NotFound { key } });
            }
            handle => handle?,
        };
        let path = self.inner.active_path(&self.name);
        let result = handle.writer.rewrite_with(|new| {
            let log = self.inner.open_log(&path)?;
            check_header(&self.key, &log)?;
            write(&log, new)
        });
        // What was known is known of the old log.
        *handle.end.lock() = None;
        if result.is_err() {
            self.inner.forget(&self.name);
        }
        result
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        let key = || self.key.to_string();
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Error::Closed { key: key() });
        }
        if self.archive.is_some() {
            return Err(Error::Archived { key: key() });
        }
        Ok(())
    }

    /// Makes the empty log, unless it is there by now.
    fn make(&self, anew: bool) -> Result<()> {
        self.inner.with_names(|_| {
            let path = self.inner.active_path(&self.name);
            if found_at(&path)?.is_some() {
                return Ok(());
            }
            if !anew && !self.archives()?.is_empty() {
                return Err(Error::Archived { key: self.key.to_string() });
            }
            jsonl_core::create_folder(&self.inner.dir)?;
            Inner::make_file(&path)
        })
    }

    /// Begins this session, which must not be there, with what `write` writes: whole, or not at all.
    pub(crate) fn make_whole(
        &self,
        write: impl FnOnce(&mut jsonl_core::Rewrite<'_>) -> Result<()>,
    ) -> Result<()> {
        self.inner.with_names(|_| {
            let path = self.inner.active_path(&self.name);
            if found_at(&path)?.is_some() {
                return Err(Error::Exists { key: self.key.to_string() });
            }
            let folder = self.inner.dir.join(NEW_FOLDER);
            jsonl_core::create_folder(&folder)?;
            // Whoever left something here was killed: the lock of names is ours.
            let entries = fs::read_dir(&folder).map_err(Error::io("list", &folder))?;
            for entry in entries.flatten() {
                fs::remove_file(entry.path()).map_err(Error::io("remove", &entry.path()))?;
            }
            let new = folder.join("session.jsonl");
            Inner::make_file(&new)?;
            let written = self.inner.open_writer(&new).and_then(|writer| writer.rewrite_with(write));
            let moved = written.and_then(|()| fs::rename(&new, &path).map_err(Error::io("name", &path)));
            if moved.is_err() {
                let _ = fs::remove_file(&new);
            }
            remove_if_empty(&folder);
            moved?;
            sync_folder(&self.inner.dir)
        })
    }
}

/// Whether a session that isn't there is made.
#[derive(Clone, Copy)]
enum Make {
    No,
    Yes { anew: bool },
}

impl Session {
    /// Copies the session, as it is after record `seq` or at its end, to a new session `key`, which knows where it
    /// comes from. Sequence numbers and times stay.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`]; [`Error::NoSuchRecord`]; [`Error::NotFound`]; [`Error::KeyLen`]; as
    /// [`history`](Self::history) and [`append`](Self::append).
    pub fn fork(&self, key: &str, seq: Option<u64>) -> Result<Self> {
        crate::key::check(key)?;
        let log = self.log()?.ok_or_else(|| self.not_found())?;
        let end = read::end(&log)?;
        let last = end.map_or(0, |end| end.seq);
        let seq = seq.unwrap_or(last);
        if seq > last {
            return Err(Error::NoSuchRecord { key: self.key.to_string(), seq, last });
        }
        let fork = Self::new(Arc::clone(&self.inner), key, None).with_durability(self.durability);
        let parent = Parent { key: self.key.to_string(), seq };
        fork.make_whole(|new| crate::rewrite::fork(&self.inner, &log, new, key, parent))?;
        Ok(fork)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_can_be_shared_between_threads() {
        fn check<T: Send + Sync>() {}
        check::<Session>();
        check::<Truncate>();
    }
}
