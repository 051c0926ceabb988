//! Where agents keep their transcripts on this machine.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::transcript::Agent;

/// Folders in folders are looked into so deep.
const DEPTH_MAX: usize = 8;

/// What a transcript's name ends with. What is in it says whose it is.
const ENDING: &str = "jsonl";

/// A folder in which an agent keeps what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Home {
    /// What is in it.
    pub keeps: Keeps,
    /// The folder, which is there.
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

/// The folders in which agents keep what was said, of those that are there. `environment` gives the value of a variable:
/// `HOME` (on Windows `USERPROFILE`), and those by which agents are told of another folder, `CLAUDE_CONFIG_DIR` and
/// `CODEX_HOME`. A variable that is empty counts as not set.
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
    let (claude, codex) = (Keeps::Transcripts(Agent::ClaudeCode), Keeps::Transcripts(Agent::Codex));
    let claudes = match folder("CLAUDE_CONFIG_DIR") {
        Some(folder) => vec![Some(folder)],
        None => vec![under(".claude"), under(".config/claude")],
    };
    let codex_home = folder("CODEX_HOME").or_else(|| under(".codex"));
    let inside = |folder: Option<PathBuf>, name: &str| folder.map(|folder| folder.join(name));
    let mut all: Vec<(Keeps, Option<PathBuf>)> =
        claudes.into_iter().map(|folder| (claude, inside(folder, "projects"))).collect();
    all.push((codex, inside(codex_home.clone(), "sessions")));
    all.push((codex, inside(codex_home, "archived_sessions")));
    all.push((Keeps::Transcripts(Agent::Pi), under(".pi/agent/sessions")));
    all.push((Keeps::Sessions(Layout::Picoclaw), under(".picoclaw/workspace/sessions")));
    all.into_iter()
        .filter_map(|(keeps, path)| Some(Home { keeps, path: path.filter(|path| path.is_dir())? }))
        .collect()
}

/// The files below a folder that may be transcripts, by their names alone; the one that was changed last first. Links to
/// folders are not followed.
///
/// # Errors
///
/// [`Error::Io`] if the folder can't be listed. Folders in it that can't be are passed over.
pub fn list_transcripts(folder: &Path) -> Result<Vec<TranscriptEntry>> {
    let mut found = Vec::new();
    let mut left = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = left.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(Error::io("list", &folder)(error)),
            Err(_) => continue,
        };
        for entry in entries.filter_map(std::result::Result::ok) {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if kind.is_dir() {
                if depth < DEPTH_MAX {
                    left.push((path, depth + 1));
                }
                continue;
            }
            let is_named_so = path.extension().is_some_and(|extension| extension == ENDING);
            // Behind a link there may be a file, too.
            if let Some(metadata) =
                fs::metadata(&path).ok().filter(|metadata| is_named_so && metadata.is_file())
            {
                found.push(TranscriptEntry { path, len: metadata.len(), modified: metadata.modified().ok() });
            }
        }
    }
    found.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}
