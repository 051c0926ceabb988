//! The logs that are meant by paths and keys: files themselves, folders by what is in them, sessions by their
//! logs.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use jsonl_core::{Log, ReadOptions, Result};

use crate::agents::{self, Agents};
use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;
use crate::progress::Progress;
use crate::store::Home;

/// Folders in folders, so deep. Links to folders are not followed, so there are no circles; this is for paths
/// that somebody made to be endless.
const DEPTH_MAX: usize = 64;

/// A log and its length, as far as it was found.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    /// The key, where a session of the store was named.
    pub(crate) session: Option<String>,
    /// Where a session of an agent was named.
    pub(crate) transcript: Option<agents::Found>,
}

impl Found {
    fn file(path: PathBuf, len: u64) -> Self {
        Self { path, len, session: None, transcript: None }
    }
}

/// All logs that `paths` mean, in the order of the paths and of their names. What can't be looked at is said,
/// and the rest goes on.
pub(crate) fn find(paths: &[PathBuf], home: &Home, agents: &Agents, out: &mut Out) -> Vec<Found> {
    let mut found = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let before = found.len();
                search_folder(path, 0, &mut found, out);
                if found.len() == before {
                    out.note(format_args!(
                        "{}: no .jsonl, .ndjson or .jsonl.archived files in it",
                        human::path(path)
                    ));
                }
            }
            Ok(metadata) => found.push(Found::file(path.clone(), metadata.len())),
            Err(source) => match named(path, home, agents, out) {
                Ok(Some(log)) => found.push(log),
                Ok(None) => out.complain(&cannot("open", path, source)),
                Err(failure) => out.complain(&failure),
            },
        }
    }
    // Somebody may name a folder and a file in it.
    let mut seen = HashSet::new();
    found.retain(|found| fs::canonicalize(&found.path).map_or(true, |path| seen.insert(path)));
    found
}

/// The log of a session of the store, or else of an agent, where no file has the name.
fn named(name: &Path, home: &Home, agents: &Agents, out: &mut Out) -> Result<Option<Found>, Failure> {
    let Some(name) = name.to_str() else { return Ok(None) };
    let own = || -> Result<Option<Found>, Failure> {
        let Ok(store) = home.store() else { return Ok(None) };
        let session = match home.session(&store, name) {
            Ok(session) => session,
            Err(failure @ (Failure::Session(annals_session::Error::Io { .. }) | Failure::Log(_))) => {
                return Err(failure);
            }
            // No key can be so.
            Err(_) => return Ok(None),
        };
        let Some(path) = session.path()? else { return Ok(None) };
        let len = fs::metadata(&path).map_err(|source| cannot("look at", &path, source))?.len();
        Ok(Some(Found { path, len, session: Some(session.key().to_owned()), transcript: None }))
    };
    if let Some(own) = own()? {
        return Ok(Some(own));
    }
    Ok(agents.resolve(name, out)?.map(|transcript| Found {
        path: transcript.path().to_owned(),
        len: transcript.entry.len,
        session: None,
        transcript: Some(transcript),
    }))
}

fn search_folder(folder: &Path, depth: usize, found: &mut Vec<Found>, out: &mut Out) {
    if depth == DEPTH_MAX {
        let text =
            format!("{}: more than {DEPTH_MAX} folders deep; name it to look into it", human::path(folder));
        return out.complain(&Failure::Told(Exit::Usage, text));
    }
    let entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(source) => return out.complain(&cannot("list", folder, source)),
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        // Not through links to folders, but through links to files: a transcript may have been put elsewhere.
        let looked = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                search_folder(&path, depth + 1, found, out);
                continue;
            }
            Ok(_) if !is_log_name(&path) => continue,
            Ok(metadata) if metadata.is_symlink() => fs::metadata(&path),
            looked => looked,
        };
        match looked {
            Ok(metadata) if metadata.is_file() => found.push(Found::file(path, metadata.len())),
            Ok(_) => {}
            // Gone meanwhile, or a link to nothing.
            Err(source) if is_gone(&source) => {}
            Err(source) => out.complain(&cannot("look at", &path, source)),
        }
    }
}

fn is_log_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = [".archived", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    plain.ends_with(".jsonl") || name.ends_with(".ndjson")
}

/// Calls `each`, which reads it so many times, with every log that `paths` mean, opened by `options`. Errors of one are said, and the rest
/// goes on; a broken pipe ends it.
pub(crate) fn for_each(
    paths: &[PathBuf],
    home: &Home,
    options: &ReadOptions,
    passes: u64,
    out: &mut Out,
    mut each: impl FnMut(Log, &mut Out) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let found = find(paths, home, &Agents::of_environment(), out);
    let progress = Progress::of(passes * found.iter().map(|found| found.len).sum::<u64>());
    let options = options.clone().progress(progress.bytes_done.clone());
    for found in found {
        let done = options.open(&found.path).map_err(Failure::from).and_then(|log| each(log, out));
        match done {
            Ok(()) => {}
            Err(failure @ (Failure::Pipe | Failure::Output(_))) => return Err(failure),
            Err(failure) => out.complain(&failure),
        }
    }
    Ok(())
}

/// Whether an error says that nothing has the name, or can have it.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
}

pub(crate) fn cannot(action: &'static str, path: &Path, source: io::Error) -> Failure {
    Failure::Log(jsonl_core::Error::Io { path: path.to_owned(), action, source })
}
