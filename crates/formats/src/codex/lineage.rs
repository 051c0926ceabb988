//! A thread that goes on from another file: forks, reverts, and threads that were cut into segments.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Base, Codex};
use crate::error::{Error, Result};
use crate::homes::list_transcripts_with;
use crate::transcript::{Conversation, Role};

/// A transcript and those that it goes on from.
#[derive(Debug)]
#[non_exhaustive]
pub struct Lineage {
    /// The transcripts, the oldest first; the last one is the one that was asked for.
    pub segments: Vec<Segment>,
    /// What should have come before the first, and isn't there or leads back.
    pub missing: Option<Missing>,
    /// Where a file wasn't found: what couldn't be looked at in the folder, where it may be.
    pub unlisted: Vec<Error>,
}

/// What of a transcript counts in a lineage.
#[derive(Debug)]
#[non_exhaustive]
pub struct Segment {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub transcript: Codex,
    /// What of it was said before the next one goes on.
    pub conversation: Conversation,
    /// Every record of that, tools and reasoning, too.
    pub records: Vec<usize>,
}

/// Why a lineage doesn't go back to its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// No file in the folder is the one that is named.
    NotFound(Base),
    /// It is in the lineage already.
    Cycle(PathBuf),
}

/// Follows a thread to its beginning. Files are looked for in `home`, Codex's own folder, and nowhere else, whatever path
/// stands in a transcript. What is packed is unpacked into `spool`.
///
/// # Errors
///
/// [`Error`] if one of the files can't be read.
pub fn lineage(path: &Path, home: &Path, spool: &Path) -> Result<Lineage> {
    let mut segments = Vec::new();
    let mut seen = HashSet::new();
    let (mut candidates, mut unlisted) = (None, Vec::new());
    let mut next = (path.to_owned(), None::<Base>);
    let missing = loop {
        let (path, base) = next;
        if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            break Some(Missing::Cycle(path));
        }
        let transcript = Codex::open_in(&path, spool)?;
        let end = end_of(&transcript, base.as_ref())?;
        let mut conversation = transcript.conversation();
        conversation.messages.retain(|index| *index < end);
        let mut records = transcript.records();
        records.retain(|index| *index < end);
        let before = transcript.base().cloned();
        segments.push(Segment { path, transcript, conversation, records });
        let Some(base) = before else { break None };
        if candidates.is_none() {
            candidates = Some(list_transcripts_with(home, &mut unlisted).unwrap_or_else(|error| {
                unlisted.push(error);
                Vec::new()
            }));
        }
        let found = candidates.iter().flatten().map(|entry| &entry.path).find(|path| is_base(path, &base));
        match found {
            Some(path) => next = (path.clone(), Some(base)),
            None => break Some(Missing::NotFound(base)),
        }
    };
    segments.reverse();
    if !matches!(missing, Some(Missing::NotFound(_))) {
        unlisted.clear();
    }
    Ok(Lineage { segments, missing, unlisted })
}

/// Whether a file is the one that is meant: by the name that it was written under, or by the id in its name.
fn is_base(path: &Path, base: &Base) -> bool {
    let plain = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.strip_suffix(".zst").map(str::to_owned).unwrap_or(name)
    };
    let name = plain(path);
    if let Some(written) = &base.path {
        return plain(written) == name;
    }
    let stem = name.strip_suffix(".jsonl").unwrap_or(&name);
    base.id.as_ref().is_some_and(|id| {
        let rest = stem.strip_suffix(id.as_str());
        !id.is_empty() && rest.is_some_and(|rest| rest.ends_with(['-', '_']))
    })
}

/// The first record that doesn't count for whoever goes on from a transcript.
fn end_of(transcript: &Codex, base: Option<&Base>) -> Result<usize> {
    let Some(base) = base else { return Ok(usize::MAX) };
    let mut users = 0;
    for index in transcript.records() {
        let message = transcript.message(index)?;
        let is_said = message.role == Role::User && transcript.is_message(index);
        let is_end = base.len.is_some_and(|len| message.span.offset >= len)
            || (is_said && base.before_user_message == Some(users));
        if is_end {
            return Ok(index);
        }
        users += u64::from(is_said);
    }
    Ok(usize::MAX)
}
