//! A folder of sessions.
//!
//! ```text
//! STORE/<name>.jsonl              a session; the name stands for its key
//! STORE/archive/<name>/<n>.jsonl  an archived one
//! STORE/removed/<name>/<n>.jsonl  what compaction took out of it
//! STORE/.annals-store.jsonl       the store's version and aliases; its lock guards all names
//! STORE/.annals-new/              a session that is being forked or imported
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug, Formatter};
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use jsonl_core::{Durability, Locking, Log, ReadOptions, Transaction, WriteOptions, Writer, create_folder};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::batch::Batches;
use crate::error::{Error, Result};
use crate::key::{self, SUFFIX, encode_key};
use crate::read::End;
use crate::record::FORMAT;
use crate::session::Session;

/// Holds the store's version and aliases. No key's name begins with a dot.
const STORE_LOG: &str = ".annals-store.jsonl";

/// Open logs are kept in so many parts, each with a lock of its own.
const SHARDS: usize = 16;

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How to open a store.
#[derive(Clone)]
pub struct StoreOptions {
    durability: Durability,
    handles: usize,
    wait: Duration,
    threads: usize,
    max_line_len: usize,
    program: Option<String>,
    thoughts_as_notes: bool,
    clock: Clock,
}

impl Debug for StoreOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("durability", &self.durability)
            .field("handles", &self.handles)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl StoreOptions {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        Self {
            durability: Durability::SyncData,
            handles: 128,
            wait: Duration::from_secs(10),
            threads: 0,
            max_line_len: jsonl_core::MAX_LINE_LEN,
            program: None,
            thoughts_as_notes: false,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// How far an append has travelled when it returns; [`Session::with_durability`] has another for single
    /// calls. By default [`Durability::SyncData`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// About how many logs are kept open for appending; the least recently used are closed. Each takes a file
    /// descriptor. By default 128.
    #[must_use]
    pub fn handles(mut self, count: usize) -> Self {
        self.handles = count;
        self
    }

    /// How long to wait for a lock that somebody else has. By default 10 seconds.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// On how many threads a history is read; 0 stands for the machine's processors. By default 0.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The longest line that is written and read, in bytes: a message, and about 120 bytes around it. By default
    /// 16 MiB.
    #[must_use]
    pub fn max_line_len(mut self, len: usize) -> Self {
        self.max_line_len = len;
        self
    }

    /// The name by which others are told who holds a lock. By default that of the process.
    #[must_use]
    pub fn program(mut self, name: impl Into<String>) -> Self {
        self.program = Some(name.into());
        self
    }

    /// Whether an assistant's message that holds reasoning (`reasoning_content`) and nothing else is kept as a
    /// [`Note`](crate::Note): part of the transcript and not of the history, because providers refuse messages without
    /// content. By default it is a message like any other.
    #[must_use]
    pub fn thoughts_as_notes(mut self, as_notes: bool) -> Self {
        self.thoughts_as_notes = as_notes;
        self
    }

    /// Where the time of records comes from. By default the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens the store in `dir`. Nothing is written: the folder is made with the first session.
    ///
    /// # Errors
    ///
    /// [`Error::NewerVersion`]; [`Error::Log`] when the store's own log can't be read.
    pub fn open(self, dir: impl Into<PathBuf>) -> Result<Store> {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let hasher = RandomState::new();
        let inner = Inner {
            dir: dir.into(),
            options: self,
            shards,
            hasher,
            names: OnceLock::new(),
            aliases: Mutex::default(),
        };
        let store = Store { inner: Arc::new(inner) };
        store.inner.with_aliases(|_| ())?;
        Ok(store)
    }
}

/// A folder of sessions. Clones share everything, so share it between threads.
///
/// ```
/// # fn main() -> annals_session::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let dir = folder.path();
/// use annals_session::{ChatMessage, Store};
///
/// let store = Store::open(dir)?;
/// let session = store.session("telegram:42")?;
/// session.append(&ChatMessage::new("user", "hi"))?; // on the device when it returns
///
/// let history = store.session("telegram:42")?.history()?;
/// assert_eq!(history.messages[0].text(), "hi");
/// assert!(store.session("never seen")?.history()?.messages.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

impl Debug for Store {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) options: StoreOptions,
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    names: OnceLock<Writer>,
    aliases: Mutex<Aliases>,
}

/// Logs that are open for appending.
#[derive(Default)]
struct Shard {
    handles: HashMap<Arc<str>, (Arc<Handle>, u64)>,
    /// Counts uses, to know the least recent.
    clock: u64,
}

/// A log that is open for appending, and what its end is like.
pub(crate) struct Handle {
    pub(crate) writer: Writer,
    /// As of this handle's last append: good as long as nobody else has appended.
    pub(crate) end: Mutex<Option<End>>,
    /// Messages that are to be synced.
    pub(crate) batches: Batches,
}

/// What the store's log says, and how much of it has been read.
#[derive(Default)]
struct Aliases {
    len: u64,
    keys: BTreeMap<String, String>,
}

/// A line of the store's log.
#[derive(Serialize, Deserialize)]
struct NameRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// Where a session's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Place {
    /// Among the active ones: it can be appended to.
    Active,
    /// In the archive, under this number: it can be read only.
    Archived(u64),
}

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolved {
    /// The session with this key.
    Key(String),
    /// It is an alias of the session with this key.
    Alias(String),
    /// No session and no alias.
    Nothing,
}

impl Store {
    /// Opens the store in `dir` with the default [`StoreOptions`].
    ///
    /// # Errors
    ///
    /// As [`StoreOptions::open`].
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        StoreOptions::new().open(dir)
    }

    /// The store's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The log of the store's version and aliases, whose lock guards all names. It is there once there has been a session.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.inner.log_path()
    }

    /// The session with this key, whether there is one yet or not. Takes no file descriptor.
    ///
    /// # Errors
    ///
    /// [`Error::KeyLen`].
    pub fn session(&self, key: &str) -> Result<Session> {
        key::check(key)?;
        Ok(Session::new(Arc::clone(&self.inner), key, None))
    }

    /// Begins a session under a key that nobody has: the time, such as `2026-11-21t08-15-00.250z`, with a number
    /// behind it if another begins in the same instant. Keys of this kind sort by time.
    ///
    /// # Errors
    ///
    /// As [`Session::begin`].
    pub fn begin_unnamed<M: Serialize + ?Sized>(&self, metadata: &M) -> Result<Session> {
        let time = crate::time::to_text((self.inner.options.clock)());
        let stem = time.to_ascii_lowercase().replace(':', "-");
        let mut key = stem.clone();
        let mut number = 1_u64;
        loop {
            let session = self.session(&key)?;
            match session.begin(metadata) {
                Ok(true) => return Ok(session),
                Ok(false) | Err(Error::Archived { .. }) => {}
                Err(error) => return Err(error),
            }
            number += 1;
            key = format!("{stem}-{number}");
        }
    }

    /// What a name leads to. A key without `:`, `/` and `\` that has a session is itself; else an alias goes
    /// before a session whose key is the same, because keys with separators are made up from where a message
    /// came from, and an alias says where such messages belong now.
    ///
    /// # Errors
    ///
    /// [`Error::KeyLen`]; [`Error::Log`] when the store's log can't be read.
    pub fn resolve(&self, name: &str) -> Result<Resolved> {
        let session = self.session(name)?;
        let exists = session.exists()?.is_some();
        if exists && !name.contains([':', '/', '\\']) {
            return Ok(Resolved::Key(name.to_owned()));
        }
        Ok(match self.inner.with_aliases(|aliases| aliases.get(name).cloned())? {
            Some(key) => Resolved::Alias(key),
            None if exists => Resolved::Key(name.to_owned()),
            None => Resolved::Nothing,
        })
    }

    /// Makes `alias` another name of the session `key`, for [`resolve`](Self::resolve). It may have led
    /// elsewhere before, and the session need not be there yet.
    ///
    /// # Errors
    ///
    /// [`Error::OwnAlias`], [`Error::KeyLen`], [`Error::Log`].
    pub fn set_alias(&self, alias: &str, key: &str) -> Result<()> {
        key::check(alias)?;
        key::check(key)?;
        if alias == key {
            return Err(Error::OwnAlias { alias: alias.to_owned() });
        }
        self.inner.append_name(alias, Some(key))
    }

    /// Takes an alias away. Returns whether it was there.
    ///
    /// # Errors
    ///
    /// [`Error::Log`].
    pub fn remove_alias(&self, alias: &str) -> Result<bool> {
        let was_there = self.inner.with_aliases(|aliases| aliases.contains_key(alias))?;
        if was_there {
            self.inner.append_name(alias, None)?;
        }
        Ok(was_there)
    }

    /// All aliases with the keys that they lead to, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when the store's log can't be read.
    pub fn aliases(&self) -> Result<Vec<(String, String)>> {
        self.inner.with_aliases(|aliases| aliases.iter().map(|(a, k)| (a.clone(), k.clone())).collect())
    }
}

impl Inner {
    pub(crate) fn active_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{SUFFIX}"))
    }

    pub(crate) fn archive_dir(&self, name: &str) -> PathBuf {
        self.dir.join("archive").join(name)
    }

    pub(crate) fn removed_dir(&self, name: &str) -> PathBuf {
        self.dir.join("removed").join(name)
    }

    pub(crate) fn read_options(&self) -> ReadOptions {
        ReadOptions::new().threads(self.options.threads).max_line_len(self.options.max_line_len)
    }

    pub(crate) fn durability(&self) -> Durability {
        self.options.durability
    }

    pub(crate) fn thoughts_as_notes(&self) -> bool {
        self.options.thoughts_as_notes
    }

    pub(crate) fn max_line_len(&self) -> usize {
        self.options.max_line_len
    }

    pub(crate) fn now(&self) -> String {
        crate::time::to_text((self.options.clock)())
    }

    /// A log of this store for reading, and nothing that only looks like one.
    pub(crate) fn open_log(&self, path: &Path) -> Result<Log> {
        refuse_link(path)?;
        Ok(self.read_options().open(path)?)
    }

    fn write_options(&self) -> WriteOptions {
        let options = WriteOptions::new()
            .checksum(true)
            .locking(Locking::PerAppend)
            .durability(self.options.durability)
            .wait(self.options.wait)
            .max_line_len(self.options.max_line_len);
        match &self.options.program {
            Some(program) => options.program(program),
            None => options,
        }
    }

    /// The open log of a session, from those that are kept or anew.
    pub(crate) fn handle(&self, name: &Arc<str>) -> Result<Arc<Handle>> {
        let mut shard = self.shard(name).lock();
        shard.clock += 1;
        let now = shard.clock;
        if let Some((handle, used)) = shard.handles.get_mut(name) {
            *used = now;
            return Ok(Arc::clone(handle));
        }
        let writer = self.open_writer(&self.active_path(name))?;
        let handle = Arc::new(Handle { writer, end: Mutex::new(None), batches: Batches::default() });
        let most = (self.options.handles / SHARDS).max(1);
        while shard.handles.len() >= most {
            let oldest = shard.handles.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(name, _)| Arc::clone(name)) else { break };
            shard.handles.remove(&oldest);
        }
        shard.handles.insert(Arc::clone(name), (Arc::clone(&handle), now));
        Ok(handle)
    }

    pub(crate) fn open_writer(&self, path: &Path) -> Result<Writer> {
        refuse_link(path)?;
        Ok(self.write_options().open(path)?)
    }

    /// Forgets an open log: it failed, or its file is no more.
    pub(crate) fn forget(&self, name: &str) {
        self.shard(name).lock().handles.remove(name);
    }

    fn shard(&self, name: &str) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(name) as usize % SHARDS]
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join(STORE_LOG)
    }

    /// Runs `work` while nobody else makes, moves or deletes sessions of this store.
    pub(crate) fn with_names<R>(&self, work: impl FnOnce(&mut Transaction<'_>) -> Result<R>) -> Result<R> {
        let names = match self.names.get() {
            Some(names) => names,
            None => {
                create_folder(&self.dir)?;
                let path = self.log_path();
                refuse_link(&path)?;
                let names = self.write_options().create(true).open(path)?;
                // Somebody else may have been faster; either is good.
                let _ = self.names.set(names);
                self.names.get().ok_or(jsonl_core::Error::Poisoned { path: self.dir.clone() })?
            }
        };
        names.transact(self.options.durability, |transaction| {
            if transaction.is_empty() {
                transaction.append(&NameRecord { store: Some(FORMAT), alias: None, key: None })?;
            }
            work(transaction)
        })
    }

    fn append_name(&self, alias: &str, key: Option<&str>) -> Result<()> {
        let record = NameRecord { store: None, alias: Some(alias.to_owned()), key: key.map(str::to_owned) };
        self.with_names(|names| Ok(names.append(&record).map(drop)?))
    }

    /// Takes away the aliases of a session that is deleted. The caller has the names' lock.
    pub(crate) fn forget_aliases_of(&self, names: &mut Transaction<'_>, key: &str) -> Result<()> {
        let of_key = |aliases: &BTreeMap<String, String>| -> Vec<String> {
            aliases.iter().filter(|(_, found)| *found == key).map(|(alias, _)| alias.clone()).collect()
        };
        for alias in self.with_aliases(of_key)? {
            names.append(&NameRecord { store: None, alias: Some(alias), key: None })?;
        }
        Ok(())
    }

    /// Looks at the aliases as they are now.
    pub(crate) fn with_aliases<R>(&self, look: impl FnOnce(&BTreeMap<String, String>) -> R) -> Result<R> {
        let mut aliases = self.aliases.lock();
        let path = self.log_path();
        let log = match self.open_log(&path) {
            Ok(log) => log,
            Err(error) if error.is_not_found() => return Ok(look(&aliases.keys)),
            Err(error) => return Err(error),
        };
        if log.len() != aliases.len {
            // A damaged line is an alias that leads nowhere; a session is found by its key all the same.
            let loaded = log.load::<NameRecord>()?;
            aliases.keys.clear();
            for record in loaded.records {
                if let Some(found) = record.store.filter(|found| *found > FORMAT) {
                    return Err(Error::NewerVersion { path, found, known: FORMAT });
                }
                match (record.alias, record.key) {
                    (Some(alias), Some(key)) => drop(aliases.keys.insert(alias, key)),
                    (Some(alias), None) => drop(aliases.keys.remove(&alias)),
                    (None, _) => {}
                }
            }
            aliases.len = log.len();
        }
        Ok(look(&aliases.keys))
    }

    /// Makes the empty file of a session. The caller has the names' lock.
    pub(crate) fn make_file(path: &Path) -> Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(Error::io("create", path))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // By our hand, because a umask may have taken even the owner's bits.
            file.set_permissions(fs::Permissions::from_mode(0o600))
                .map_err(Error::io("set the mode of", path))?;
        }
        drop(file);
        Ok(())
    }

    /// The numbers of a session's archives, in order.
    pub(crate) fn archives(&self, name: &str) -> Result<Vec<u64>> {
        numbered(&self.archive_dir(name))
    }
}

/// The numbers `n` of the files `<n>.jsonl` in a folder, in order; none where there is no such folder.
pub(crate) fn numbered(dir: &Path) -> Result<Vec<u64>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", dir)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", dir))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse::<u64>().ok());
        if let Some(number) = number
            && found_at(&entry.path())?.is_some_and(|found| found.is_file())
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(dir: &Path) -> Result<()> {
    // Other systems carry names to the device by themselves, and don't open folders.
    if cfg!(unix) {
        let folder = fs::File::open(dir).map_err(Error::io("open", dir))?;
        folder.sync_all().map_err(Error::io("sync", dir))?;
    }
    Ok(())
}

/// What is at a path, if anything is. What can't be looked at is not taken for gone.
pub(crate) fn found_at(path: &Path) -> Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

/// A store makes no links, and follows none: they may lead out of it.
fn refuse_link(path: &Path) -> Result<()> {
    if found_at(path)?.is_some_and(|found| found.is_symlink()) {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link");
        return Err(Error::Io { action: "open", path: path.to_owned(), source });
    }
    Ok(())
}

/// The name under which a key's files are.
pub(crate) fn name_of(key: &str) -> Arc<str> {
    encode_key(key).into()
}
