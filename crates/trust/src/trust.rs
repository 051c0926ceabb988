//! Asking, and deciding.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use jsonl_core::{Durability, Locking, ReadOptions, Span, Transaction, WriteOptions, Writer};
use parking_lot::Mutex;

use crate::digest::{Digest, Digests};
use crate::error::{Error, Reason, Result};
use crate::file::{self, Found, Stamp};
use crate::options::TrustOptions;
use crate::record::{self, Decision, Subject, Written};
use crate::set::{self, FILES_MAX};
use crate::state::{Report, Standing, State};

/// The longest store that is read.
const STORE_LEN_MAX: u64 = 256 << 20;

/// Which files a person has approved.
///
/// Every call looks at the store again, and at who could have changed it; what was read is used as long as the file is
/// the same to the nanosecond of its last change. All methods take `&self`: share it between threads.
#[derive(Debug)]
pub struct Trust {
    path: PathBuf,
    options: TrustOptions,
    known: Mutex<Option<(Stamp, Arc<State>)>>,
}

/// What stands about a file. There is no yes without the bytes that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Verdict {
    /// A person has approved just this. Use the bytes that are given, and don't read the file again.
    Allowed(Approved),
    /// A person has approved it, but it was another then.
    Changed {
        /// The file.
        path: PathBuf,
        /// What was approved.
        approved: Digest,
        /// What it is now.
        found: Digest,
        /// When it was approved.
        since: Option<SystemTime>,
    },
    /// A person has denied it, whatever is in it.
    Denied {
        /// The file.
        path: PathBuf,
        /// When.
        since: Option<SystemTime>,
    },
    /// Nobody has said anything about it that still holds.
    Unknown {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: Digest,
        /// It was approved, but a damaged line behind that may have been the revocation.
        is_doubtful: bool,
    },
}

/// A file that was approved, as it was read: once, and the digest is that of these bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved(Found);

impl Approved {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What was approved.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// What to use.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// What to use, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.bytes
    }
}

/// What stands about several files together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum SetVerdict {
    /// A person has approved just these. In the order of their paths.
    Allowed(Vec<Approved>),
    /// A person has approved them, but some were others then.
    Changed {
        /// Those that are others now.
        files: Vec<ChangedFile>,
        /// The digest of all of them now.
        found: Digest,
        /// When they were approved.
        since: Option<SystemTime>,
    },
    /// A person has denied the set, or a file in it.
    Denied {
        /// The file, or the first of the set.
        path: PathBuf,
    },
    /// Nobody has said anything about them, together, that still holds.
    Unknown {
        /// The digest of all of them.
        found: Digest,
        /// They were approved, but a damaged line behind that may have been the revocation.
        is_doubtful: bool,
    },
}

/// A file of a set that is another than when the set was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedFile {
    /// The file.
    pub path: PathBuf,
    /// What was approved.
    pub approved: Digest,
    /// What it is now.
    pub found: Digest,
}

/// Several files, as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundSet {
    /// In the order of their paths, each once.
    pub files: Vec<Found>,
    /// The digest of all of them.
    pub digest: Digest,
}

impl FoundSet {
    fn new(files: Vec<Found>) -> Self {
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
        let digests: Vec<Digest> = files.iter().map(|file| file.digest).collect();
        Self { digest: set::manifest(&paths, &digests), files }
    }
}

/// Something that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The file, or the files of a set.
    pub paths: Vec<PathBuf>,
    /// Whether it is about a set.
    pub is_set: bool,
    /// What stands.
    pub decision: Decided,
    /// When it was decided.
    pub time: Option<SystemTime>,
    /// A damaged line behind it may have been its revocation: it counts for nothing.
    pub is_doubtful: bool,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decided {
    /// This was approved: the digest of a file, or of a set.
    Allow(Digest),
    /// It was denied.
    Deny,
    /// What was decided before is undone.
    Revoke,
}

impl Trust {
    /// A store at a path with the default options; see [`TrustOptions`].
    #[must_use]
    pub fn open(path: impl Into<PathBuf>) -> Self {
        TrustOptions::new().open(path)
    }

    pub(crate) fn new(path: PathBuf, options: TrustOptions) -> Self {
        Self { path, options, known: Mutex::new(None) }
    }

    /// The path that it was opened with.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says what stands about a file, and hands over its bytes if it was approved.
    ///
    /// # Errors
    ///
    /// [`Error::Unsafe`] where somebody else could change the file, a folder on the way to it, or the store, with the
    /// reason; [`Error::Io`], also for a file that isn't there; [`Error::Log`]. Run nothing then.
    pub fn check(&self, file: &Path) -> Result<Verdict> {
        let state = self.state()?;
        let path = file::canonical(file)?;
        let standing = state.file(&path);
        if let Some((Standing { is_denied: true, time, .. }, _)) = standing {
            return Ok(Verdict::Denied { path, since: *time });
        }
        let found = file::read(&path, self.options.max_file_len)?;
        let Some((Standing { approved: Some(approved), time, .. }, is_doubtful)) = standing else {
            return Ok(Verdict::Unknown { path, found: found.digest, is_doubtful: false });
        };
        if is_doubtful {
            return Ok(Verdict::Unknown { path, found: found.digest, is_doubtful });
        }
        Ok(match approved[..] {
            [approved] if approved == found.digest => Verdict::Allowed(Approved(found)),
            [approved] => Verdict::Changed { path, approved, found: found.digest, since: *time },
            _ => Verdict::Unknown { path, found: found.digest, is_doubtful: false },
        })
    }

    /// Reads a file that nobody else can change, to show it to a person before they approve it.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn look(&self, file: &Path) -> Result<Found> {
        file::read(&file::canonical(file)?, self.options.max_file_len)
    }

    /// Approves a file as a person has seen it. On return that is on the device. What was approved before under this path is not
    /// any more.
    ///
    /// # Errors
    ///
    /// [`Error::NotAsSeen`] where it is another by now; [`Error::Denied`]; else as [`check`](Self::check). Nothing was written then.
    pub fn allow(&self, file: &Path, seen: Digest) -> Result<Approved> {
        let found = self.look(file)?;
        if found.digest != seen {
            return Err(Error::NotAsSeen { path: found.path, seen, found: found.digest });
        }
        self.keep_copy(&found)?;
        let path = found.path.clone();
        self.decide(Subject::File(path.clone()), Decision::Allow(Digests::One(seen)), |state| {
            match state.file(&path) {
                Some((Standing { is_denied: true, .. }, _)) => Err(Error::Denied { path: path.clone() }),
                _ => Ok(true),
            }
        })?;
        Ok(Approved(found))
    }

    /// Denies a file, whatever is in it, and whether or not it is there. On return that is on the device. Only [`revoke`](Self::revoke) undoes
    /// it.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn deny(&self, file: &Path) -> Result<()> {
        let subject = Subject::File(file::canonical_or_gone(file)?);
        self.decide(subject, Decision::Deny, |_| Ok(true)).map(drop)
    }

    /// Undoes what was decided about a file: it is unknown from there on, also after a power cut. Returns whether there was something to
    /// undo; if not, nothing was written.
    ///
    /// # Errors
    ///
    /// [`Error::Log`], [`Error::Io`], and [`Error::Unsafe`] about the store.
    pub fn revoke(&self, file: &Path) -> Result<bool> {
        // A path that has become a link since it was approved is the first that one wants to be rid of.
        let path = match file::canonical_or_gone(file) {
            Err(Error::Unsafe { path, reason: Reason::Link { .. } })
                if self.state()?.files.contains_key(path.as_os_str()) =>
            {
                path
            }
            path => path?,
        };
        let subject = Subject::File(path.clone());
        self.decide(subject, Decision::Revoke, |state| Ok(stands(state.file(&path))))
    }

    /// Says what stands about several files together.
    ///
    /// A set is its paths: with a file more or less it is another one. A deny of one of the files holds for the set.
    ///
    /// # Errors
    ///
    /// [`Error::SetLen`]; else as [`check`](Self::check).
    pub fn check_set(&self, files: &[PathBuf]) -> Result<SetVerdict> {
        let state = self.state()?;
        let paths = paths_of(files)?;
        for path in &paths {
            if let Some((Standing { is_denied: true, .. }, _)) = state.file(path) {
                return Ok(SetVerdict::Denied { path: path.clone() });
            }
        }
        let standing = state.set(&paths);
        if let (Some((Standing { is_denied: true, .. }, _)), [first, ..]) = (standing, &paths[..]) {
            return Ok(SetVerdict::Denied { path: first.clone() });
        }
        let found = self.read_set(&paths)?;
        let Some((Standing { approved: Some(approved), time, .. }, is_doubtful)) = standing else {
            return Ok(SetVerdict::Unknown { found: found.digest, is_doubtful: false });
        };
        if is_doubtful {
            return Ok(SetVerdict::Unknown { found: found.digest, is_doubtful });
        }
        if set::manifest(&paths, approved) == found.digest {
            return Ok(SetVerdict::Allowed(found.files.into_iter().map(Approved).collect()));
        }
        let files =
            found.files.iter().zip(approved.iter()).filter(|(file, approved)| file.digest != **approved);
        let files = files.map(|(file, approved)| ChangedFile {
            path: file.path.clone(),
            approved: *approved,
            found: file.digest,
        });
        Ok(SetVerdict::Changed { files: files.collect(), found: found.digest, since: *time })
    }

    /// Reads several files that nobody else can change, to show them to a person before they approve them.
    ///
    /// # Errors
    ///
    /// As [`check_set`](Self::check_set).
    pub fn look_set(&self, files: &[PathBuf]) -> Result<FoundSet> {
        self.read_set(&paths_of(files)?)
    }

    /// Approves several files together, as a person has seen them: `seen` is the digest of the set.
    ///
    /// # Errors
    ///
    /// [`Error::NotAsSeen`], [`Error::Denied`]; else as [`check_set`](Self::check_set). Nothing was written then.
    pub fn allow_set(&self, files: &[PathBuf], seen: Digest) -> Result<Vec<Approved>> {
        let found = self.look_set(files)?;
        let paths: Vec<PathBuf> = found.files.iter().map(|file| file.path.clone()).collect();
        if found.digest != seen {
            let path = paths.first().cloned().unwrap_or_default();
            return Err(Error::NotAsSeen { path, seen, found: found.digest });
        }
        found.files.iter().try_for_each(|file| self.keep_copy(file))?;
        let digests = Digests::Many(found.files.iter().map(|file| file.digest).collect());
        self.decide(Subject::Set(paths.clone()), Decision::Allow(digests), |state| {
            let is_denied = |standing: Option<(&Standing, bool)>| {
                standing.is_some_and(|(standing, _)| standing.is_denied)
            };
            let denied = paths.iter().find(|path| is_denied(state.file(path)));
            match denied.or(paths.first().filter(|_| is_denied(state.set(&paths)))) {
                Some(path) => Err(Error::Denied { path: path.clone() }),
                None => Ok(true),
            }
        })?;
        Ok(found.files.into_iter().map(Approved).collect())
    }

    /// Undoes what was decided about several files together. As [`revoke`](Self::revoke).
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    pub fn revoke_set(&self, files: &[PathBuf]) -> Result<bool> {
        let mut paths = files.iter().map(|file| file::canonical_or_gone(file)).collect::<Result<Vec<_>>>()?;
        sort(&mut paths)?;
        self.decide(Subject::Set(paths.clone()), Decision::Revoke, |state| Ok(stands(state.set(&paths))))
    }

    /// What stands, by path.
    ///
    /// # Errors
    ///
    /// [`Error::Log`], [`Error::Io`], and [`Error::Unsafe`] about the store.
    pub fn list(&self) -> Result<Vec<Entry>> {
        let state = self.state()?;
        let entry = |paths: Vec<PathBuf>, is_set, standing: &Standing| {
            let decision = match (&standing.approved, standing.is_denied) {
                (_, true) => Decided::Deny,
                (Some(digests), _) => decided(&paths, is_set, digests),
                (None, false) => return None,
            };
            let is_doubtful = state.is_doubtful(standing);
            Some(Entry { paths, is_set, decision, time: standing.time, is_doubtful })
        };
        let files = state
            .files
            .iter()
            .filter_map(|(path, standing)| entry(vec![PathBuf::from(path)], false, standing));
        let sets = state.sets.iter().filter_map(|(paths, standing)| entry(paths.clone(), true, standing));
        let mut entries: Vec<Entry> = files.chain(sets).collect();
        entries.sort_by(|a, b| (&a.paths, a.is_set).cmp(&(&b.paths, b.is_set)));
        Ok(entries)
    }

    /// Everything that was decided, oldest first; about one file and the sets it is in, where one is given.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn history(&self, file: Option<&Path>) -> Result<Vec<Entry>> {
        let path = file.map(|file| match file::canonical_or_gone(file) {
            Err(Error::Unsafe { path, reason: Reason::Link { .. } }) => Ok(path),
            path => path,
        });
        let path = path.transpose()?;
        let (store, stamp) = self.store()?;
        if stamp.is_none() {
            return Ok(Vec::new());
        }
        let log = ReadOptions::new().open(&store)?;
        let entries = State::events(&log)?.into_iter().map(|event| {
            let (paths, is_set) = match event.subject {
                Subject::File(path) => (vec![path], false),
                Subject::Set(paths) => (paths, true),
            };
            let decision = match event.decision {
                Decision::Allow(digests) => decided(&paths, is_set, &digests),
                Decision::Deny => Decided::Deny,
                Decision::Revoke => Decided::Revoke,
            };
            Entry { paths, is_set, decision, time: event.time, is_doubtful: false }
        });
        Ok(entries.filter(|entry| path.as_ref().is_none_or(|path| entry.paths.contains(path))).collect())
    }

    /// Revokes the approvals of files that are no longer there, and of sets with such a file; then removes copies that nothing
    /// refers to. Denies stay: the file may come back. With `dry_run`, only says which.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn prune(&self, dry_run: bool) -> Result<Vec<Entry>> {
        let is_gone = |path: &PathBuf| match fs::symlink_metadata(path) {
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
            Ok(_) => false,
        };
        let mut gone = self.list()?;
        gone.retain(|entry| matches!(entry.decision, Decided::Allow(_)) && entry.paths.iter().any(is_gone));
        if dry_run {
            return Ok(gone);
        }
        for entry in &gone {
            let subject = match (entry.is_set, &entry.paths[..]) {
                (false, [path]) => Subject::File(path.clone()),
                (_, paths) => Subject::Set(paths.to_vec()),
            };
            self.decide(subject, Decision::Revoke, |_| Ok(true))?;
        }
        self.remove_copies()?;
        Ok(gone)
    }

    /// What is odd or damaged in the store.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn report(&self) -> Result<Report> {
        Ok(self.state()?.report.clone())
    }

    /// The copy of something that was approved, to show what has changed since; `None` where none was kept.
    ///
    /// # Errors
    ///
    /// [`Error::Unsafe`] and [`Error::Io`].
    pub fn copy_of(&self, digest: Digest) -> Result<Option<Vec<u8>>> {
        let path = file::canonical_or_gone(&self.copies().join(digest.to_string()))?;
        match file::read(&path, self.options.max_file_len) {
            // A copy that is another one by now is none.
            Ok(found) => Ok(Some(found.bytes).filter(|_| found.digest == digest)),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The store's path, and what it is now, if it is there: nobody else could have changed it.
    fn store(&self) -> Result<(PathBuf, Option<Stamp>)> {
        let path = file::canonical_or_gone(&self.path)?;
        match file::look_at(&path, STORE_LEN_MAX) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok((path, None)),
            stamp => Ok((path, Some(stamp?))),
        }
    }

    /// What stands now.
    fn state(&self) -> Result<Arc<State>> {
        let (path, stamp) = self.store()?;
        let Some(stamp) = stamp else { return Ok(Arc::default()) };
        let mut known = self.known.lock();
        if let Some((_, state)) = known.as_ref().filter(|(before, _)| *before == stamp) {
            return Ok(Arc::clone(state));
        }
        // By name: whoever could exchange it now is the owner of the folder that was just looked at.
        let state = Arc::new(State::of(&ReadOptions::new().open(&path)?)?);
        // What was written while it was read may or may not be in it.
        let is_settled = file::look_at(&path, STORE_LEN_MAX)? == stamp;
        *known = is_settled.then(|| (stamp, Arc::clone(&state)));
        Ok(state)
    }

    /// Writes a decision, unless `is_due` finds in what stands at that moment that there is nothing to decide.
    fn decide(
        &self,
        subject: Subject,
        decision: Decision,
        is_due: impl Fn(&State) -> Result<bool>,
    ) -> Result<bool> {
        // Not through a link, and not into what others can change.
        let (path, _) = self.store()?;
        if let Some(folder) = path.parent() {
            jsonl_core::create_folder(folder)?;
            file::check_folder(folder)?;
        }
        let mut options = WriteOptions::new()
            .create(true)
            .checksum(true)
            .durability(Durability::SyncData)
            .locking(Locking::PerAppend)
            .wait(self.options.wait);
        if let Some(program) = &self.options.program {
            options = options.program(program);
        }
        let writer = options.open(&path)?;
        let now = record::time_text((self.options.clock)());
        let written = loop {
            let done = writer.transact(Durability::SyncData, |transaction: &mut Transaction<'_>| {
                let state = State::of(&transaction.log(&ReadOptions::new())?)?;
                if !is_due(&state)? {
                    return Ok::<_, Error>(Some(false));
                }
                if state.has_unfinished() {
                    return Ok(None);
                }
                transaction.append(&Written::new(&subject, &decision, &now))?;
                Ok(Some(true))
            })?;
            match done {
                Some(done) => break done,
                None => take_out_unfinished(&writer)?,
            }
        };
        writer.close()?;
        *self.known.lock() = None;
        Ok(written)
    }

    fn read_set(&self, paths: &[PathBuf]) -> Result<FoundSet> {
        let mut files = Vec::new();
        let mut len = 0;
        for path in paths {
            let found = file::read(path, self.options.max_file_len)?;
            len += found.bytes.len() as u64;
            if len > self.options.max_set_len {
                let reason = Reason::TooLarge { len, max: self.options.max_set_len };
                return Err(Error::Unsafe { path: path.clone(), reason });
            }
            files.push(found);
        }
        Ok(FoundSet::new(files))
    }

    fn copies(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".annals-approved");
        self.path.with_file_name(name)
    }

    fn keep_copy(&self, found: &Found) -> Result<()> {
        if !self.options.copies || self.copy_of(found.digest)?.is_some() {
            return Ok(());
        }
        let folder = file::canonical_or_gone(&self.copies())?;
        jsonl_core::create_folder(&folder)?;
        file::check_folder(&folder)?;
        let path = folder.join(found.digest.to_string());
        Ok(jsonl_core::replace(&path, |out| {
            let cannot = |source| jsonl_core::Error::Io { path: path.clone(), action: "write", source };
            out.write_all(&found.bytes).map_err(cannot)
        })?)
    }

    /// Removes copies of what nobody has approved any more.
    fn remove_copies(&self) -> Result<()> {
        let state = self.state()?;
        let standings = state.files.values().chain(state.sets.values());
        let needed: Vec<Digest> =
            standings.filter_map(|standing| standing.approved.as_deref()).flatten().copied().collect();
        let folder = self.copies();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|source| Error::Io { action: "list", path: folder, source })?,
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let digest = name.to_str().and_then(|name| Digest::parse(name.as_bytes()));
            if digest.is_some_and(|digest| !needed.contains(&digest)) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|source| Error::Io { action: "remove", path, source })?;
            }
        }
        Ok(())
    }
}

/// Replaces the store by one without an approval at its end that lacks its newline. To append behind it would close it, and a writer
/// that died after the first byte of that would have approved what nobody has approved.
fn take_out_unfinished(writer: &Writer) -> Result<()> {
    writer.rewrite_with(|new| {
        // Looked at under the lock: somebody else may have been here before.
        let log = ReadOptions::new().open(writer.path())?;
        let len = if State::of(&log)?.has_unfinished() { log.end()?.offset() } else { log.len() };
        Ok(new.copy(&log, Span { offset: 0, len })?)
    })
}

fn stands(standing: Option<(&Standing, bool)>) -> bool {
    standing.is_some_and(|(standing, _)| standing.approved.is_some() || standing.is_denied)
}

fn decided(paths: &[PathBuf], is_set: bool, digests: &[Digest]) -> Decided {
    match digests {
        [digest] if !is_set => Decided::Allow(*digest),
        digests => Decided::Allow(set::manifest(paths, digests)),
    }
}

/// The canonical paths of a set, sorted, each once.
fn paths_of(files: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut paths = files.iter().map(|file| file::canonical(file)).collect::<Result<Vec<_>>>()?;
    sort(&mut paths)?;
    Ok(paths)
}

fn sort(paths: &mut Vec<PathBuf>) -> Result<()> {
    if paths.is_empty() || paths.len() > FILES_MAX {
        return Err(Error::SetLen { count: paths.len() });
    }
    let bytes = |path: &PathBuf| -> Box<OsStr> { path.as_os_str().into() };
    paths.sort_by_key(bytes);
    paths.dedup();
    Ok(())
}
