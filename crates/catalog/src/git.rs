//! What git says about a folder, read from its files: no git has to be there.
//!
//! Formats: gitrepository-layout(5), gitglossary(7), git-worktree(1). Where references are in a reftable, which is a format
//! of its own, git itself is asked, if it is there and time is left; no other process is started.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Files that have one short line are read up to here, in bytes.
const LINE_LEN_MAX: u64 = 64 << 10;

/// Packed references are read up to here, in bytes.
const PACKED_LEN_MAX: u64 = 256 << 20;

/// A symbolic reference leads to another; git follows five.
const HOPS_MAX: usize = 5;

const PAUSE: Duration = Duration::from_millis(1);

/// What git says about a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GitContext {
    /// How much of it is known.
    pub status: GitStatus,
    /// The folder, as it was given.
    pub worktree_path: Option<String>,
    /// The top of its worktree, without links.
    pub worktree_realpath: Option<String>,
    /// What git calls the worktree, if it is a linked one.
    pub worktree_registry_name: Option<String>,
    /// The repository that all its worktrees share, without links.
    pub common_dir: Option<String>,
    /// The branch; none where HEAD is detached.
    pub branch: Option<String>,
    /// The commit; none on a branch without one.
    pub head: Option<String>,
}

/// How much is known of what git says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum GitStatus {
    /// Everything.
    Ok,
    /// Something is missing: there is no commit yet, or a file can't be read.
    Partial,
    /// The folder is in no repository.
    #[default]
    NotARepo,
    /// The folder is not there, or there was no time.
    Error,
}

impl GitContext {
    /// What git says about a folder, as far as it is known `within` that time. Environment variables of git count for
    /// nothing.
    #[must_use]
    pub fn read(folder: &Path, within: Duration) -> Self {
        let deadline = Instant::now() + within;
        let failed = Self { status: GitStatus::Error, ..Self::default() };
        let Ok(real) = folder.canonicalize() else { return failed };
        for top in real.ancestors() {
            if Instant::now() >= deadline {
                return failed;
            }
            let Some(git_dir) = git_dir(top) else { continue };
            return Self::of(folder, top, &git_dir, deadline);
        }
        Self::default()
    }

    fn of(folder: &Path, top: &Path, git_dir: &Path, deadline: Instant) -> Self {
        let common = common_dir(git_dir);
        let mut context = Self {
            status: GitStatus::Ok,
            worktree_path: Some(text(folder)),
            worktree_realpath: Some(text(top)),
            worktree_registry_name: registry_name(git_dir, &common),
            common_dir: Some(text(&common)),
            branch: None,
            head: None,
        };
        match line_of(&git_dir.join("HEAD")) {
            Some(head) if head == "ref: refs/heads/.invalid" => context.ask(top, deadline),
            Some(head) => {
                let reference = head.strip_prefix("ref:").map(str::trim);
                context.branch =
                    reference.and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned);
                context.head = match reference {
                    Some(name) => commit_of(git_dir, &common, name),
                    None => Some(head).filter(|head| is_commit(head)),
                };
            }
            None => {}
        }
        if context.head.is_none() {
            context.status = GitStatus::Partial;
        }
        context
    }

    /// Asks git for branch and commit.
    fn ask(&mut self, top: &Path, deadline: Instant) {
        self.branch = run(top, &["symbolic-ref", "--quiet", "--short", "HEAD"], deadline);
        self.head =
            run(top, &["rev-parse", "--verify", "--quiet", "HEAD"], deadline).filter(|head| is_commit(head));
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The folder of git's own files for the worktree whose top this is.
fn git_dir(top: &Path) -> Option<PathBuf> {
    let entry = top.join(".git");
    let metadata = fs::metadata(&entry).ok()?;
    if metadata.is_dir() {
        return entry.join("HEAD").symlink_metadata().is_ok().then_some(entry);
    }
    let line = line_of(&entry)?;
    let path = top.join(line.strip_prefix("gitdir:")?.trim());
    path.join("HEAD").symlink_metadata().is_ok().then(|| path.canonicalize().unwrap_or(path))
}

/// The folder that all worktrees share.
fn common_dir(git_dir: &Path) -> PathBuf {
    let path =
        line_of(&git_dir.join("commondir")).map_or_else(|| git_dir.to_owned(), |line| git_dir.join(line));
    path.canonicalize().unwrap_or(path)
}

fn registry_name(git_dir: &Path, common: &Path) -> Option<String> {
    let is_linked = git_dir.parent()? == common.join("worktrees");
    is_linked.then(|| git_dir.file_name().map(|name| name.to_string_lossy().into_owned())).flatten()
}

/// The commit that a reference leads to.
fn commit_of(git_dir: &Path, common: &Path, name: &str) -> Option<String> {
    let mut name = name.to_owned();
    for _ in 0..HOPS_MAX {
        if name.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return None;
        }
        let found = [git_dir, common].iter().find_map(|folder| line_of(&folder.join(&name)));
        match found {
            Some(line) => match line.strip_prefix("ref:") {
                Some(next) => next.trim().clone_into(&mut name),
                None => return Some(line).filter(|line| is_commit(line)),
            },
            None => return packed(common, &name),
        }
    }
    None
}

fn packed(common: &Path, name: &str) -> Option<String> {
    let file = File::open(common.join("packed-refs")).ok()?.take(PACKED_LEN_MAX);
    BufReader::new(file).split(b'\n').map_while(Result::ok).find_map(|line| {
        let (commit, found) = std::str::from_utf8(&line).ok()?.split_once(' ')?;
        (found.trim_end() == name && is_commit(commit)).then(|| commit.to_owned())
    })
}

/// A SHA-1 or a SHA-256.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The first line of a file, if it is one.
fn line_of(path: &Path) -> Option<String> {
    // A FIFO would not end.
    let is_file = fs::metadata(path).ok()?.is_file();
    let mut text = String::new();
    File::open(path).ok().filter(|_| is_file)?.take(LINE_LEN_MAX).read_to_string(&mut text).ok()?;
    text.lines().next().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty())
}

/// What git prints, if it does before the deadline.
fn run(folder: &Path, args: &[&str], deadline: Instant) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = git.spawn().ok()?;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            _ => {
                // It may have ended by now, which is all that is wanted.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let mut text = String::new();
    child.stdout.take()?.take(LINE_LEN_MAX).read_to_string(&mut text).ok()?;
    Some(text.trim_end().to_owned()).filter(|text| status.success() && !text.is_empty())
}
