//! What a transcript of Claude Code says about its session: read from its beginning and its end, wherever it lies.
//!
//! sessions-db reads it from one end to the other, above 50 MB not at all, and takes what the agent put in for itself
//! (`isMeta`) for a prompt.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jsonl_core::Log;
use jsonl_core::scan::{self, Value, member};
use serde::Serialize;

use crate::error::Result;
use crate::paths::look;
use crate::raw::string_in;
use crate::sanitize;
use crate::time;

/// So many bytes from the beginning are looked at for what is not in the first records.
const HEAD_LEN_MAX: u64 = 16 << 20;

/// So many lines from the end are looked at for one with an id.
const TAIL_LINES_MAX: usize = 10_000;

/// What a transcript says about its session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TranscriptMeta {
    /// Where it lies.
    pub path: String,
    /// What came of reading it.
    pub status: TranscriptStatus,
    /// Bytes.
    pub size: u64,
    /// When it was last changed.
    pub mtime: Option<SystemTime>,
    /// The agent's own id of the session.
    pub session_id: Option<String>,
    /// The folder that it runs in.
    pub cwd: Option<String>,
    /// The branch.
    pub git_branch: Option<String>,
    /// The id of the first record that has one.
    pub first_uuid: Option<String>,
    /// The id of the last record that has one.
    pub last_uuid: Option<String>,
    /// The record that the first one follows.
    pub first_parent_uuid: Option<String>,
    /// The first prompt, [sanitised](crate::sanitize()).
    pub first_prompt: Option<String>,
}

/// What came of reading a transcript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TranscriptStatus {
    /// There is a record in it, or nothing at all.
    #[default]
    Ok,
    /// There is something in it, and no record.
    Corrupted,
}

/// What of it stands in the events.
#[derive(Serialize)]
pub(crate) struct File<'a> {
    path: &'a str,
    first_uuid: Option<&'a str>,
    last_uuid: Option<&'a str>,
    size: u64,
    mtime: Option<String>,
    status: TranscriptStatus,
}

impl TranscriptMeta {
    /// What a transcript says. Records that are damaged are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn read(path: &Path) -> Result<Self> {
        let log = Log::open(path)?;
        let mut meta = Self {
            path: path.to_string_lossy().into_owned(),
            size: log.len(),
            mtime: fs::metadata(path).ok().and_then(|metadata| metadata.modified().ok()),
            ..Self::default()
        };
        let (mut records, mut damaged) = (0_u64, 0_u64);
        for line in log.lines() {
            let line = line?;
            let Ok(Some(())) = line.parse::<serde::de::IgnoredAny>().map(|found| found.map(drop)) else {
                damaged += u64::from(!line.bytes.trim_ascii().is_empty());
                continue;
            };
            records += 1;
            meta.take(line.bytes.trim_ascii());
            if meta.is_complete() || line.offset > HEAD_LEN_MAX {
                break;
            }
        }
        if records == 0 && damaged > 0 {
            meta.status = TranscriptStatus::Corrupted;
        }
        for line in log.lines().rev().take(TAIL_LINES_MAX) {
            let line = line?;
            let is_record = matches!(line.parse::<serde::de::IgnoredAny>(), Ok(Some(_)));
            let uuid = is_record.then(|| text_of(line.bytes.trim_ascii(), "uuid")).flatten();
            if uuid.is_some() {
                meta.last_uuid = uuid;
                break;
            }
        }
        Ok(meta)
    }

    fn is_complete(&self) -> bool {
        self.session_id.is_some()
            && self.cwd.is_some()
            && self.git_branch.is_some()
            && self.first_uuid.is_some()
            && self.first_prompt.is_some()
    }

    /// Takes what a record has and was not there before.
    fn take(&mut self, record: &[u8]) {
        for (slot, name) in
            [(&mut self.session_id, "sessionId"), (&mut self.cwd, "cwd"), (&mut self.git_branch, "gitBranch")]
        {
            if slot.is_none() {
                *slot = text_of(record, name);
            }
        }
        if self.first_uuid.is_none() {
            self.first_uuid = text_of(record, "uuid");
            if self.first_uuid.is_some() {
                self.first_parent_uuid = text_of(record, "parentUuid");
            }
        }
        if self.first_prompt.is_none() {
            self.first_prompt =
                prompt(record).map(|text| sanitize::prompt(&text)).filter(|text| !text.is_empty());
        }
    }

    pub(crate) fn file(&self) -> File<'_> {
        File {
            path: &self.path,
            first_uuid: self.first_uuid.as_deref(),
            last_uuid: self.last_uuid.as_deref(),
            size: self.size,
            mtime: self.mtime.map(time::to_text),
            status: self.status,
        }
    }
}

/// The text of a member that is a string with something in it.
fn text_of(object: &[u8], name: &str) -> Option<String> {
    string_in(object, name).map(Cow::into_owned)
}

/// What a person said in a record; not what the agent put in for itself.
fn prompt(record: &[u8]) -> Option<String> {
    let is = |object, name: &str, values: &[&str]| {
        let text = scan::string_member(object, name);
        text.is_some_and(|text| values.contains(&&*text))
    };
    let message = member(record, "message").filter(|message| message.starts_with(b"{"))?;
    let is_human = is(record, "userType", &["external", "human"]) || is(message, "role", &["user"]);
    let is_meta = member(record, "isMeta") == Some(b"true");
    if !is(record, "type", &["user"]) || !is_human || is_meta {
        return None;
    }
    let [content] = scan::values(message, ["content"]);
    let content = match content? {
        Value::Text(text) => return Some(text.into_owned()).filter(|text| !text.is_empty()),
        Value::Other(content) => content,
    };
    let parts: Vec<String> = scan::items(Some(content).filter(|content| content.starts_with(b"["))?)
        .filter(|part| part.starts_with(b"{") && is(part, "type", &["text"]))
        .filter_map(|part| text_of(part, "text"))
        .collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// Where the transcript of a session is, in the folder of all projects (`~/.claude/projects`). Never another session's.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) if it can't be told whether there is one.
pub fn find_transcript(projects: &Path, cwd: &Path, session_id: &str) -> Result<Option<PathBuf>> {
    let is_name =
        !session_id.is_empty() && session_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_name {
        return Ok(None);
    }
    let name = format!("{session_id}.jsonl");
    for folder in [project_folder(cwd), sessions_db_folder(cwd)] {
        let path = projects.join(folder).join(&name);
        if look(&path)?.is_some_and(|found| found.is_file()) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// What Claude Code calls the folder of a project's transcripts: every character but ASCII letters and digits is a dash.
#[must_use]
pub fn project_folder(cwd: &Path) -> String {
    let text = cwd.to_string_lossy();
    text.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect()
}

/// What sessions-db takes for it.
fn sessions_db_folder(cwd: &Path) -> String {
    cwd.to_string_lossy().replace(['/', '.'], "-")
}

/// The transcripts in a folder, the one that was changed last first.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) if the folder can't be read, or a file in it can't be looked at. One that isn't there has none.
pub fn list_transcripts(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(crate::Error::io("read", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(crate::Error::io("read", folder))?;
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => found.push((metadata.modified().ok(), path)),
            // Gone meanwhile, or a link to nothing.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(crate::Error::io("look at", &path)(error));
            }
            _ => {}
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}
