//! Where agents keep their transcripts on this machine.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::transcript::Agent;

/// Folders in folders are looked into so deep.
const DEPTH_MAX: usize = 8;

/// What a transcript's name ends with, the last of these when it is packed. What is in it says whose it is.
const ENDINGS: [&str; 3] = [".jsonl", ".jsonl.archived", ".jsonl.zst"];

/// A folder in which an agent keeps what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Home {
    /// What is in it.
    pub keeps: Keeps,
    /// The folder, which is there, or can't be looked at.
    pub path: PathBuf,
}

/// What is in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keeps {
    /// Transcripts of an agent, in folders of its own making.
    Transcripts(Agent),
    /// A session store.
    Sessions(Layout),
    /// A catalog of sessions-db: which sessions there are, without what was said in them.
    Catalog,
}

/// A file that may be a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TranscriptEntry {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub len: u64,
    /// When it was last changed.
    pub modified: Option<SystemTime>,
}

impl TranscriptEntry {
    /// A file that is there, whatever its name.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it can't be looked at.
    pub fn of(path: &Path) -> Result<Self> {
        let found = fs::metadata(path).map_err(Error::io("look at", path))?;
        Ok(Self { path: path.to_owned(), len: found.len(), modified: found.modified().ok() })
    }

    /// The id of its session, as far as its name tells: agents put it at the end.
    #[must_use]
    pub fn id(&self, agent: Agent) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let stem = ENDINGS.iter().rev().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        // `rollout-2026-08-21T10-15-02-<thread>`, and behind that `_<rollout>`.
        let codex = || {
            let rest = stem.strip_prefix("rollout-")?.get("2026-08-21T10-15-02-".len()..)?;
            Some(rest.split_once('_').map_or(rest, |(thread, _)| thread))
        };
        let id = match agent {
            Agent::Codex => codex(),
            Agent::Pi => stem.rsplit_once('_').map(|(_, id)| id),
            Agent::Gemini => stem.rsplit_once('-').map(|(_, id)| id),
            _ => None,
        };
        id.filter(|id| !id.is_empty()).unwrap_or(stem).to_owned()
    }

    /// Whether it is the transcript of a sub-agent, by where it lies.
    #[must_use]
    pub fn is_subagent(&self, agent: Agent) -> bool {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let folder = self.path.parent().and_then(Path::file_name).unwrap_or_default();
        match agent {
            Agent::ClaudeCode => folder == "subagents" || name.starts_with("agent-"),
            Agent::Gemini => folder != "chats",
            _ => false,
        }
    }
}

/// The folders in which agents keep what was said, of those that are there, or of which that can't be told: listing them says why. `environment` gives the value of a variable:
/// `HOME` (on Windows `USERPROFILE`), and those by which programs are told of another folder: `CLAUDE_CONFIG_DIR`, `CODEX_HOME`,
/// `GEMINI_CLI_HOME` and `DRUUMEN_SESSIONS_DB_ROOT`. sessions-db keeps its catalog in the project: it is looked for in `PWD` and above.
/// A variable that is empty counts as not set.
///
/// ```
/// let found = annals_formats::homes(|name| std::env::var_os(name));
/// for home in &found {
///     println!("{:?} in {}", home.keeps, home.path.display());
/// }
/// ```
pub fn homes(environment: impl Fn(&str) -> Option<OsString>) -> Vec<Home> {
    let folder = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = folder("HOME").or_else(|| folder("USERPROFILE"));
    let under = |rest: &str| user.as_ref().map(|user| user.join(rest));
    let inside = |folder: Option<PathBuf>, name: &str| folder.map(|folder| folder.join(name));
    let claudes = match folder("CLAUDE_CONFIG_DIR") {
        Some(folder) => vec![Some(folder)],
        None => vec![under(".claude"), under(".config/claude")],
    };
    let codex = folder("CODEX_HOME").or_else(|| under(".codex"));
    let gemini = folder("GEMINI_CLI_HOME").or_else(|| user.clone());
    let of = Keeps::Transcripts;
    let mut all: Vec<(Keeps, Option<PathBuf>)> =
        claudes.into_iter().map(|folder| (of(Agent::ClaudeCode), inside(folder, "projects"))).collect();
    all.push((of(Agent::Codex), inside(codex.clone(), "sessions")));
    all.push((of(Agent::Codex), inside(codex, "archived_sessions")));
    all.push((of(Agent::Pi), under(".pi/agent/sessions")));
    all.push((of(Agent::Gemini), inside(gemini, ".gemini/tmp")));
    all.push((Keeps::Sessions(Layout::Picoclaw), under(".picoclaw/workspace/sessions")));
    all.push((Keeps::Sessions(Layout::Aish), under(".aish/history/sessions")));
    all.push((Keeps::Catalog, folder("DRUUMEN_SESSIONS_DB_ROOT").or_else(|| catalog(&folder("PWD")?))));
    let mut homes: Vec<Home> = all
        .into_iter()
        .filter_map(|(keeps, path)| Some(Home { keeps, path: path.filter(|path| may_be_folder(path))? }))
        .collect();
    // Two variables may name one folder.
    let mut seen = HashSet::new();
    homes.retain(|home| seen.insert(home.path.canonicalize().unwrap_or_else(|_| home.path.clone())));
    homes
}

/// Whether there is a folder. One that can't be looked at is not taken for none.
fn may_be_folder(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) => found.is_dir(),
        // Where this user may not go nobody keeps anything of theirs: their home may be another's in a service.
        Err(error) if is_gone(&error) || error.kind() == ErrorKind::PermissionDenied => false,
        // Some errors pass.
        Err(_) => fs::read_dir(path).map_or_else(|error| !is_gone(&error), |_| true),
    }
}

/// Whether an error says that there is nothing of a name.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
}

/// sessions-db looks so many folders up.
const CATALOG_LEVELS: usize = 12;

/// The nearest catalog of sessions-db, in the order in which it looks itself.
fn catalog(from: &Path) -> Option<PathBuf> {
    let levels = from.ancestors().take(CATALOG_LEVELS);
    levels.flat_map(|level| [level.join("tickets/_logs"), level.join(".dru-code")]).find(|folder| {
        match fs::metadata(folder.join("sessions-db.json")) {
            Ok(found) => found.is_file(),
            // What is nobody's business here is no project of this user's.
            Err(error) => !is_gone(&error) && error.kind() != ErrorKind::PermissionDenied,
        }
    })
}

/// The files below a folder that may be transcripts, by their names alone; the one that was changed last first. Links to
/// folders are not followed.
///
/// # Errors
///
/// [`Error::Io`] if the folder can't be listed. What can't be looked at in it is passed over; [`list_transcripts_with`] says what.
pub fn list_transcripts(folder: &Path) -> Result<Vec<TranscriptEntry>> {
    list_transcripts_with(folder, &mut Vec::new())
}

/// The same, and adds an error to `unlisted` for each folder in it that can't be listed, and each file that can't be looked at.
///
/// # Errors
///
/// [`Error::Io`] if the folder itself can't be listed.
pub fn list_transcripts_with(folder: &Path, unlisted: &mut Vec<Error>) -> Result<Vec<TranscriptEntry>> {
    let mut found = Vec::new();
    let mut left = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = left.pop() {
        let folders = match list_into(&folder, "", &mut found, unlisted) {
            Ok(folders) => folders,
            Err(error) if depth == 0 => return Err(error),
            Err(Error::Io { source, .. }) if is_gone(&source) => continue,
            Err(error) => {
                unlisted.push(error);
                continue;
            }
        };
        if depth < DEPTH_MAX {
            left.extend(folders.into_iter().map(|folder| (folder, depth + 1)));
        }
    }
    Ok(sorted(found))
}

/// The same of all that is there, or an error. A folder that isn't there has none.
pub(crate) fn list_whole(folder: &Path) -> Result<Vec<TranscriptEntry>> {
    let mut unlisted = Vec::new();
    let found =
        if may_be_folder(folder) { list_transcripts_with(folder, &mut unlisted)? } else { Vec::new() };
    unlisted.into_iter().next().map_or(Ok(found), Err)
}

/// The same without the folders in it, of the names that begin so.
pub(crate) fn list_folder(folder: &Path, prefix: &str) -> Result<Vec<TranscriptEntry>> {
    let (mut found, mut unlisted) = (Vec::new(), Vec::new());
    list_into(folder, prefix, &mut found, &mut unlisted)?;
    unlisted.into_iter().next().map_or_else(|| Ok(sorted(found)), Err)
}

/// Adds the files in a folder whose names begin so, and returns the folders in it. What is gone when it is looked at is gone.
fn list_into(
    folder: &Path,
    prefix: &str,
    found: &mut Vec<TranscriptEntry>,
    unlisted: &mut Vec<Error>,
) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(prefix.as_bytes()) {
            continue;
        }
        let mut tell = |error: io::Error| {
            if !is_gone(&error) {
                unlisted.push(Error::io("look at", &entry.path())(error));
            }
        };
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => {
                tell(error);
                continue;
            }
        };
        if kind.is_dir() {
            folders.push(entry.path());
            continue;
        }
        let is_named_so = name.to_str().is_some_and(|name| ENDINGS.iter().any(|end| name.ends_with(end)));
        // Behind a link there may be a file, too.
        let metadata = match (is_named_so, kind.is_symlink()) {
            (false, _) => continue,
            (true, true) => fs::metadata(entry.path()),
            (true, false) => entry.metadata(),
        };
        match metadata {
            Ok(metadata) if metadata.is_file() => {
                let (len, modified) = (metadata.len(), metadata.modified().ok());
                found.push(TranscriptEntry { path: entry.path(), len, modified });
            }
            Ok(_) => {}
            Err(error) => tell(error),
        }
    }
    Ok(folders)
}

fn sorted(mut found: Vec<TranscriptEntry>) -> Vec<TranscriptEntry> {
    // The plain one of both counts: Codex unpacks what it goes on with, and removes what is packed later.
    let is_packed = |entry: &TranscriptEntry| entry.path.extension().is_some_and(|end| end == "zst");
    if found.iter().any(is_packed) {
        let plain: HashSet<PathBuf> = found.iter().map(|entry| entry.path.clone()).collect();
        found.retain(|entry| !is_packed(entry) || !plain.contains(&entry.path.with_extension("")));
    }
    found.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.path.cmp(&b.path)));
    found
}
