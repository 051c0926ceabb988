//! picoclaw: `<key>.jsonl` and beside it `<key>.meta.json`, with `:`, `/` and `\` of the key as `_`.
//!
//! The side file has the key, the summary and `skip`: how many lines at the beginning are hidden. It counts raw
//! lines, corrupt ones and lines of blanks, too, but not empty ones. Files of the time before, `<key>.json`, are read
//! where they have not been migrated.

mod legacy;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jsonl_core::scan;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::folder::{self, Entry};
use crate::foreign::{ForeignSession, Remark};
use crate::homes::is_gone;
use crate::lines::{self, record};

/// A side file bigger than this is none.
const SIDE_LEN_MAX: u64 = 64 << 20;

/// The file beside the messages.
#[derive(Serialize, Deserialize)]
struct Side {
    #[serde(default)]
    key: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    skip: i64,
    #[serde(default)]
    count: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
}

/// What of a side file a session keeps as metadata, under the name `picoclaw`.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Box<RawValue>>,
}

/// Reads a session by the path of its messages; these, or the side file, may be missing.
///
/// Assistant records that hold reasoning and nothing else are not messages, because picoclaw never shows them.
///
/// # Errors
///
/// [`Error::Log`] when the messages can't be read; [`Error::NotASession`] for a `.json` without any. Damage is no
/// error, in neither file.
pub fn read(path: &Path) -> Result<ForeignSession> {
    if path.to_str().is_some_and(legacy::is_name) {
        return legacy::read(path);
    }
    let stem = folder::stem(path, ".jsonl");
    let mut session = ForeignSession { key: stem.clone(), ..Default::default() };
    let side_path = side_path(path);
    let side = match read_side(&side_path) {
        Ok(side) => side,
        Err(reason) => {
            session.remarks.push(Remark::SideFile { path: side_path, reason });
            None
        }
    };
    let mut skip = 0;
    if let Some(side) = side {
        if sanitized(&side.key) == stem {
            session.key = side.key;
        }
        session.created = side.created_at.as_deref().and_then(lines::parse_time);
        session.updated = side.updated_at.as_deref().and_then(lines::parse_time);
        let kept = Kept { created_at: side.created_at, updated_at: side.updated_at, scope: side.scope };
        let metadata = BTreeMap::from([("picoclaw", kept)]);
        session.metadata = serde_json::value::to_raw_value(&metadata).ok();
        session.summary = side.summary;
        session.aliases = side.aliases;
        skip = u64::try_from(side.skip).unwrap_or(0);
    }
    let log = match lines::open(path) {
        Ok(log) => log,
        Err(Error::Log(error)) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => {
            return Ok(session);
        }
        Err(error) => return Err(error),
    };
    session.path = Some(path.to_owned());
    let mut count = 0;
    for found in lines::lines(&log) {
        let found = found?;
        session.remarks.extend(found.remark);
        for raw in found.records {
            let mut record = record(raw, Some("created_at"), &mut session.remarks);
            if record.is_message && is_thought(&record.raw) {
                record.is_message = false;
                session.remarks.push(thought_remark(record.offset));
            }
            session.records.push(record);
        }
        count += u64::from(!found.is_empty);
        if count <= skip {
            session.hidden = session.records.len();
        }
    }
    if skip > count {
        session.remarks.push(Remark::HiddenBeyondEnd { skip, lines: count });
    }
    session.report = log.verify()?;
    Ok(session)
}

/// How many lines at the beginning are hidden, as the side file says.
pub(crate) fn hidden(path: &Path) -> Option<u64> {
    u64::try_from(side_of(path)?.skip).ok()
}

/// The key, as the side file says, if it is this file's.
pub(crate) fn key(path: &Path) -> Option<String> {
    let side = side_of(path)?;
    (sanitized(&side.key) == folder::stem(path, ".jsonl")).then_some(side.key)
}

fn side_of(path: &Path) -> Option<Side> {
    read_side(&side_path(path)).ok()?
}

/// Where the side file of a log lies.
fn side_path(log: &Path) -> PathBuf {
    log.with_file_name(format!("{}.meta.json", folder::stem(log, ".jsonl")))
}

/// Whether a log has a side file, which makes it picoclaw's.
pub(crate) fn has_side_file(log: &Path) -> Result<bool> {
    let path = side_path(log);
    match fs::metadata(&path) {
        Ok(found) => Ok(found.is_file()),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(Error::io("look at", &path)(error)),
    }
}

fn read_side(path: &Path) -> std::result::Result<Option<Side>, String> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
        Ok(found) if !found.is_file() => return Err("it is no file".to_owned()),
        Ok(found) if found.len() > SIDE_LEN_MAX => return Err(format!("it has {} bytes", found.len())),
        Ok(_) => {}
    }
    let text = fs::read(path).map_err(|error| error.to_string())?;
    jsonl_core::parse_json(&text).map(Some).map_err(|error| error.to_string())
}

/// An assistant's record with reasoning, and without text, calls, media, attachments and the id of a call.
fn is_thought(raw: &[u8]) -> bool {
    let is_filled = |name| {
        let value = scan::member(raw, name).unwrap_or_default();
        match value.first() {
            Some(b'"') => {
                value.len() > 2 && lines::string(raw, name).is_some_and(|text| !text.trim().is_empty())
            }
            Some(b'[') => scan::items(value).next().is_some(),
            Some(b'{') => true,
            _ => false,
        }
    };
    lines::string(raw, "role").is_some_and(|role| role == "assistant")
        && is_filled("reasoning_content")
        && !["content", "tool_calls", "media", "attachments", "tool_call_id"].into_iter().any(is_filled)
}

fn thought_remark(offset: u64) -> Remark {
    Remark::NotAMessage { offset, what: "a record of reasoning only, which picoclaw never shows," }
}

/// The sessions in a folder: each with a file of messages, a side file, or both. The path is that of the messages.
///
/// # Errors
///
/// [`Error::Io`] when the folder can't be listed. One that isn't there is empty.
pub fn list(dir: &Path) -> Result<Vec<Entry>> {
    let mut entries = folder::list(dir, |name| name.ends_with(".jsonl").then_some(false))?;
    let sides = folder::list(dir, |name| name.ends_with(".meta.json").then_some(false))?;
    for Entry { path, .. } in sides {
        let stem = folder::stem(&path, ".meta.json");
        let path = path.with_file_name(format!("{stem}.jsonl"));
        if !entries.iter().any(|entry| entry.path == path) {
            entries.push(Entry { path, archived: false });
        }
    }
    for Entry { path, .. } in folder::list(dir, |name| legacy::is_name(name).then_some(false))? {
        // One that was migrated, but not yet put aside, is there twice.
        if !entries.iter().any(|entry| entry.path == path.with_extension("jsonl")) {
            entries.push(Entry { path, archived: false });
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// The name of a key's files, which other keys may have, too.
#[must_use]
pub fn sanitized(key: &str) -> String {
    key.replace([':', '/', '\\'], "_")
}

/// A session's files in this layout.
///
/// # Errors
///
/// [`Error::Key`] for a key that can't be a file name.
pub fn write(session: &ForeignSession) -> Result<(Vec<crate::OutFile>, Vec<Remark>)> {
    let stem = sanitized(&session.key);
    let name = folder::plain_name(&stem, ".jsonl").map_err(|error| match error {
        Error::Key { reason, .. } => Error::Key { key: session.key.clone(), reason },
        other => other,
    })?;
    folder::plain_name(&stem, ".meta.json")?;
    let mut bytes = Vec::new();
    let mut remarks = Vec::new();
    if session.archived {
        remarks.push(Remark::NoPlace { what: "that it is archived has no place here".to_owned() });
    }
    let written = folder::write_messages(session, &mut bytes, &mut remarks, is_thought);
    let own: Option<BTreeMap<String, Box<RawValue>>> =
        session.metadata.as_ref().and_then(|metadata| serde_json::from_str(metadata.get()).ok());
    let mut own = own.unwrap_or_default();
    let kept: Option<Kept> = own.remove("picoclaw").and_then(|kept| serde_json::from_str(kept.get()).ok());
    if !own.is_empty() {
        let names: Vec<&str> = own.keys().map(String::as_str).collect();
        remarks.push(Remark::NoPlace { what: format!("metadata has no place here: {}", names.join(", ")) });
    }
    let text = |time: Option<std::time::SystemTime>| {
        time.and_then(|time| jiff::Timestamp::try_from(time).ok()).map(|time| time.to_string())
    };
    let (created_at, updated_at, scope) = match kept {
        Some(kept) => (kept.created_at, kept.updated_at, kept.scope),
        None => (None, None, None),
    };
    let side = Side {
        key: session.key.clone(),
        summary: session.summary.clone(),
        skip: i64::try_from(written.hidden).unwrap_or(i64::MAX),
        count: i64::try_from(written.total).unwrap_or(i64::MAX),
        created_at: created_at.or_else(|| text(session.created)),
        updated_at: updated_at.or_else(|| text(session.updated)),
        scope,
        aliases: session.aliases.clone(),
    };
    let side_name = PathBuf::from(format!("{stem}.meta.json"));
    let side = serde_json::to_vec_pretty(&side)
        .map_err(|error| Error::io("write", &side_name)(std::io::Error::other(error)))?;
    let mut files = vec![crate::OutFile { name: format!("{stem}.meta.json"), bytes: side }];
    if session.path.is_some() || !bytes.is_empty() {
        files.insert(0, crate::OutFile { name, bytes });
    }
    Ok((files, remarks))
}
