//! orca: `<id>.jsonl`, and archived `<id>.jsonl.archived`. One message a line.

use std::path::Path;

use crate::error::Result;
use crate::folder::{self, Entry};
use crate::foreign::{ForeignSession, Remark};
use crate::lines::{self, record};

/// The ending of an archived session's file.
const ARCHIVED: &str = ".jsonl.archived";

/// Reads a session file.
///
/// # Errors
///
/// [`Error::Log`](crate::Error::Log) when it can't be read. Damage is no error.
pub fn read(path: &Path) -> Result<ForeignSession> {
    let log = lines::open(path)?;
    let archived = path.to_string_lossy().ends_with(ARCHIVED);
    let key = folder::stem(path, if archived { ARCHIVED } else { ".jsonl" });
    let mut session = ForeignSession { key, archived, path: Some(path.to_owned()), ..Default::default() };
    for found in lines::lines(&log) {
        let found = found?;
        session.remarks.extend(found.remark);
        for raw in found.records {
            session.records.push(record(raw, Some("timestamp"), &mut session.remarks));
        }
    }
    let times: Vec<_> = session.messages().filter_map(|message| message.time).collect();
    session.created = times.first().copied();
    session.updated = times.last().copied();
    session.report = log.verify()?;
    Ok(session)
}

/// The session files in a folder, active and archived. A folder is none, whatever its name.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) when the folder can't be listed. One that isn't there is empty.
pub fn list(dir: &Path) -> Result<Vec<Entry>> {
    folder::list(dir, |name| match name {
        _ if name.ends_with(ARCHIVED) => Some(true),
        _ if name.ends_with(".jsonl") => Some(false),
        _ => None,
    })
}

/// A session's file in this layout.
///
/// # Errors
///
/// [`Error::Key`](crate::Error::Key) for a key that can't be a file name.
pub fn write(session: &ForeignSession) -> Result<(Vec<crate::OutFile>, Vec<Remark>)> {
    let name = folder::plain_name(&session.key, if session.archived { ARCHIVED } else { ".jsonl" })?;
    let mut bytes = Vec::new();
    let mut remarks = folder::no_place(session, true);
    folder::write_messages(session, &mut bytes, &mut remarks, |_| false);
    Ok((vec![crate::OutFile { name, bytes }], remarks))
}
