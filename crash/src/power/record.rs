//! Records what a run of a store does to the disk, call by call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;

use super::disk::{Change, Name, Node, ROOT, node_at};
use crate::calls::number;
use crate::subject::{Result, Setting, Subject, said};
use crate::trace::{Action, Call, Ended, Traced};
use crate::worker::{Job, Mode, Said};

const O_APPEND: u64 = 0o2000;
const O_TRUNC: u64 = 0o1000;

/// A step of a run.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Begins(u64),
    Acknowledged(u64),
    Disk(Change),
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begins(n) => write!(f, "begins {n}"),
            Self::Acknowledged(n) => write!(f, "acknowledged {n}"),
            Self::Disk(Change::Write { node, offset, bytes }) => {
                write!(f, "writes {} bytes at {offset} of {node}", bytes.len())
            }
            Self::Disk(change) => write!(f, "{change:?}"),
        }
    }
}

/// An open file.
#[derive(Clone, Copy, Debug)]
struct Open {
    node: Node,
    appends: bool,
    position: usize,
}

#[derive(Default)]
struct Recorder {
    root: PathBuf,
    events: Vec<Event>,
    names: BTreeMap<PathBuf, Node>,
    lens: BTreeMap<Node, usize>,
    open: BTreeMap<u64, Open>,
    /// What a write that is being made will have written.
    bytes: Vec<u8>,
    /// Whether a file was there before a call that may make it.
    was_there: bool,
}

/// The steps of a writer's first few operations. Its folder is what it is afterwards.
pub(super) fn record(
    program: &Path,
    subject: &'static dyn Subject,
    folder: &Path,
    writer: usize,
    setting: Setting,
    operations: u64,
) -> Result<Vec<Event>> {
    let root = folder.canonicalize().map_err(said)?;
    let mut recorder = Recorder { root: root.clone(), ..Recorder::default() };
    recorder.know(&root)?;
    let job = Job::new(subject, &root, writer, setting, Mode::Few(operations));
    let mut worker = Traced::start(Command::new(program).args(job.args())).map_err(said)?;
    let recorder = RefCell::new(recorder);
    let ended = worker.run(
        |traced, call| recorder.borrow_mut().before(traced, call),
        |traced, call, result| recorder.borrow_mut().made(traced, call, result),
    );
    match ended {
        Ok(Ended::Exited(0)) => {}
        // Only a store that asks is let off: its answer is looked for elsewhere.
        Ok(Ended::Exited(_)) if writer > 0 => {}
        other => return Err(format!("{}: the recorded run ended with {other:?}", subject.name())),
    }
    Ok(recorder.into_inner().events)
}

impl Recorder {
    fn know(&mut self, folder: &Path) -> Result<()> {
        self.names.insert(folder.to_owned(), if folder == self.root { ROOT } else { node_at(folder)? });
        let entries = std::fs::read_dir(folder).map_err(said)?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                self.know(&path)?;
                continue;
            }
            let node = node_at(&path)?;
            let len = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
            self.lens.insert(node, usize::try_from(len).unwrap_or(0));
            self.names.insert(path, node);
        }
        Ok(())
    }

    fn before(&mut self, traced: &Traced, call: &Call) -> Action {
        match call.number {
            number::WRITE if call.args[0] == 1 => {
                let line = traced.bytes(call.args[1], call.args[2]);
                match Said::parse(String::from_utf8_lossy(&line).trim_end()) {
                    Some(Said::Begins(n)) => self.events.push(Event::Begins(n)),
                    Some(Said::Acknowledged(n)) => self.events.push(Event::Acknowledged(n)),
                    _ => {}
                }
            }
            number::WRITE | number::PWRITE if self.open.contains_key(&call.args[0]) => {
                self.bytes = traced.bytes(call.args[1], call.args[2]);
            }
            number::OPEN | number::OPENAT => {
                let path = self.path(traced, call);
                self.was_there = path.is_some_and(|path| self.names.contains_key(&path));
            }
            // Whoever copies so falls back to reading and writing.
            number::COPY_FILE_RANGE => return Action::Fail(Errno::ENOSYS),
            // What reaches the disk is this module's to say.
            number::FSYNC | number::FDATASYNC => return Action::Pretend(0),
            _ => {}
        }
        Action::Let
    }

    fn made(&mut self, traced: &Traced, call: &Call, result: i64) {
        if result < 0 {
            return;
        }
        let descriptor = call.args[0];
        match call.number {
            number::OPEN | number::OPENAT => self.opened(traced, call, result.cast_unsigned()),
            number::READ => {
                if let Some(open) = self.open.get_mut(&descriptor) {
                    open.position += usize::try_from(result).unwrap_or(0);
                }
            }
            number::WRITE | number::PWRITE => self.wrote(call, usize::try_from(result).unwrap_or(0)),
            number::CLOSE => drop(self.open.remove(&descriptor)),
            // Both share a position; nobody here writes through both.
            number::DUP => self.copy(descriptor, result),
            // F_DUPFD, F_DUPFD_CLOEXEC
            number::FCNTL if matches!(call.args[1], 0 | 1030) => self.copy(descriptor, result),
            number::FSYNC | number::FDATASYNC => {
                // A folder's descriptor isn't among those of files.
                let path =
                    || traced.path_of(descriptor).and_then(|path| self.names.get(Path::new(&path)).copied());
                if let Some(node) = self.open.get(&descriptor).map(|open| open.node).or_else(path) {
                    self.events.push(Event::Disk(Change::Sync { node }));
                }
            }
            number::FTRUNCATE => {
                if let Some(open) = self.open.get(&descriptor) {
                    let (node, len) = (open.node, usize::try_from(call.args[1]).unwrap_or(0));
                    self.lens.insert(node, len);
                    self.events.push(Event::Disk(Change::Truncate { node, len }));
                }
            }
            number::MKDIR | number::MKDIRAT => {
                if let Some((path, name)) = self.path(traced, call).and_then(|path| self.name(path)) {
                    let node = node_at(&path).unwrap_or(0);
                    self.names.insert(path, node);
                    self.events.push(Event::Disk(Change::Make { name, node, is_folder: true }));
                }
            }
            number::RMDIR | number::UNLINK | number::UNLINKAT => {
                if let Some((path, name)) = self.path(traced, call).and_then(|path| self.name(path)) {
                    self.names.remove(&path);
                    self.events.push(Event::Disk(Change::Remove { name }));
                }
            }
            number::RENAME | number::RENAMEAT | number::RENAMEAT2 => self.renamed(traced, call),
            _ => {}
        }
    }

    fn opened(&mut self, traced: &Traced, call: &Call, descriptor: u64) {
        let Some((path, name)) = self.path(traced, call).and_then(|path| self.name(path)) else { return };
        if path.is_dir() {
            return;
        }
        let flags = if call.number == number::OPEN { call.args[1] } else { call.args[2] };
        if !self.was_there {
            let node = node_at(&path).unwrap_or(0);
            self.names.insert(path.clone(), node);
            // A number that a file had which is gone.
            self.lens.insert(node, 0);
            self.events.push(Event::Disk(Change::Make { name, node, is_folder: false }));
        }
        let Some(&node) = self.names.get(&path) else { return };
        if self.was_there && flags & O_TRUNC != 0 {
            self.lens.insert(node, 0);
            self.events.push(Event::Disk(Change::Truncate { node, len: 0 }));
        }
        self.open.insert(descriptor, Open { node, appends: flags & O_APPEND != 0, position: 0 });
    }

    fn wrote(&mut self, call: &Call, count: usize) {
        let Some(open) = self.open.get_mut(&call.args[0]) else { return };
        let len = self.lens.entry(open.node).or_default();
        let offset = match call.number {
            number::PWRITE => usize::try_from(call.args[3]).unwrap_or(0),
            _ if open.appends => *len,
            _ => open.position,
        };
        if call.number == number::WRITE {
            open.position = offset + count;
        }
        *len = (*len).max(offset + count);
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.truncate(count);
        self.events.push(Event::Disk(Change::Write { node: open.node, offset, bytes }));
    }

    fn copy(&mut self, descriptor: u64, result: i64) {
        if let Some(open) = self.open.get(&descriptor).copied() {
            self.open.insert(result.cast_unsigned(), open);
        }
    }

    fn renamed(&mut self, traced: &Traced, call: &Call) {
        let at = |folder: Option<u64>, text: u64| {
            self.resolve(traced, folder, text).and_then(|path| self.name(path))
        };
        let ends = match call.number {
            number::RENAME => (at(None, call.args[0]), at(None, call.args[1])),
            _ => (at(Some(call.args[0]), call.args[1]), at(Some(call.args[2]), call.args[3])),
        };
        let (Some((from_path, from)), Some((to_path, to))) = ends else { return };
        // Whatever is below it moves along.
        let moved: Vec<(PathBuf, Node)> = self
            .names
            .iter()
            .filter(|(path, _)| path.starts_with(&from_path))
            .map(|(path, node)| (path.clone(), *node))
            .collect();
        for (path, node) in moved {
            self.names.remove(&path);
            let below = path.strip_prefix(&from_path).map_or_else(|_| PathBuf::new(), Path::to_owned);
            let path = if below.as_os_str().is_empty() { to_path.clone() } else { to_path.join(below) };
            self.names.insert(path, node);
        }
        self.events.push(Event::Disk(Change::Rename { from, to }));
    }

    /// The path of a call that has one, if it is in the folder.
    fn path(&self, traced: &Traced, call: &Call) -> Option<PathBuf> {
        match call.number {
            number::OPENAT | number::MKDIRAT | number::UNLINKAT => {
                self.resolve(traced, Some(call.args[0]), call.args[1])
            }
            _ => self.resolve(traced, None, call.args[0]),
        }
    }

    fn resolve(&self, traced: &Traced, folder: Option<u64>, text: u64) -> Option<PathBuf> {
        let path = PathBuf::from(traced.text(text));
        let path = match folder {
            // AT_FDCWD is negative, and a path from there on is never relative here.
            Some(folder) if path.is_relative() => PathBuf::from(traced.path_of(folder)?).join(path),
            _ => path,
        };
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => drop(plain.pop()),
                Component::CurDir => {}
                part => plain.push(part),
            }
        }
        plain.starts_with(&self.root).then_some(plain)
    }

    fn name(&self, path: PathBuf) -> Option<(PathBuf, Name)> {
        let folder = *self.names.get(path.parent()?)?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((path, (folder, name)))
    }
}
