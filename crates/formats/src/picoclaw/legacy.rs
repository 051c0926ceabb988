//! The session files of picoclaw before it had logs: `<key>.json`, one object with all messages.
//!
//! ```text
//! {"key":"telegram:123","messages":[{"role":"user","content":"hi"}, …],"summary":"…"}
//! ```

use std::fs;
use std::path::Path;

use jsonl_core::{DamageKind, scan, verdict};

use super::{is_thought, thought_remark};
use crate::error::{Error, Result};
use crate::folder;
use crate::foreign::ForeignSession;
use crate::lines::{self, record};

/// A file bigger than this is none of these.
const LEN_MAX: u64 = 1 << 30;

/// Whether a name is that of such a file.
pub(super) fn is_name(name: &str) -> bool {
    name.ends_with(".json") && !name.ends_with(".meta.json")
}

/// Reads such a file.
///
/// # Errors
///
/// [`Error::NotASession`] where it is no object with messages; [`Error::Io`].
pub(super) fn read(path: &Path) -> Result<ForeignSession> {
    let not = |reason: &str| Error::NotASession { path: path.to_owned(), reason: reason.to_owned() };
    let found = fs::symlink_metadata(path).map_err(Error::io("open", path))?;
    if !found.is_file() || found.len() > LEN_MAX {
        return Err(not("it is no file of a usual size"));
    }
    let text = fs::read(path).map_err(Error::io("read", path))?;
    match verdict::judge(&text, true) {
        verdict::Verdict::Record { .. } => {}
        // A limit of lines, which this is none of.
        verdict::Verdict::Damaged { kind: DamageKind::TooLong, .. }
            if std::str::from_utf8(&text).is_ok() && scan::check(&text, scan::NESTING_MAX).is_ok() => {}
        _ => return Err(not("it is not JSON")),
    }
    let Some(messages) = scan::member(&text, "messages").filter(|list| matches!(list, [b'[', ..])) else {
        return Err(not("it has no messages"));
    };
    let mut session = ForeignSession { key: folder::stem(path, ".json"), ..Default::default() };
    session.path = Some(path.to_owned());
    session.key = lines::string(&text, "key").filter(|key| !key.is_empty()).unwrap_or(session.key);
    session.summary = lines::string(&text, "summary").unwrap_or_default();
    session.created = lines::time(&text, "created");
    session.updated = lines::time(&text, "updated");
    for item in scan::items(messages) {
        let offset = item.as_ptr().addr().saturating_sub(text.as_ptr().addr()) as u64;
        // Outside of strings, where JSON allows them, line breaks are white space like any other.
        let one_line =
            item.iter().map(|byte| if byte.is_ascii_whitespace() { b' ' } else { *byte }).collect();
        let mut record = record((offset, one_line), Some("created_at"), &mut session.remarks);
        if record.is_message && is_thought(&record.raw) {
            record.is_message = false;
            session.remarks.push(thought_remark(record.offset));
        }
        session.records.push(record);
    }
    Ok(session)
}
