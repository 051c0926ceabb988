//! aish: `history/sessions/<UTC>.jsonl`.
//!
//! The first line that isn't empty may be a header, `{"meta":{…}}` and nothing else; every other object with a role
//! is a turn. A turn's own `meta` is a tag.

use std::path::Path;

use jsonl_core::scan;
use serde_json::value::RawValue;

use crate::error::Result;
use crate::folder::{self, Entry};
use crate::foreign::{ForeignRecord, ForeignSession, Remark};
use crate::lines::{self, record};

/// Reads a session file.
///
/// # Errors
///
/// [`Error::Log`](crate::Error::Log) when it can't be read. Damage is no error.
pub fn read(path: &Path) -> Result<ForeignSession> {
    let log = lines::open(path)?;
    let mut session = ForeignSession {
        key: folder::stem(path, ".jsonl"),
        path: Some(path.to_owned()),
        ..Default::default()
    };
    let mut is_first = true;
    for found in lines::lines(&log) {
        let found = found?;
        let is_blank = found.records.is_empty() && found.remark.is_none();
        session.remarks.extend(found.remark);
        for (offset, raw) in found.records {
            let meta = meta_alone(&raw);
            match meta {
                Some(meta) if is_first => {
                    session.created = lines::time(meta, "started");
                    session.metadata = serde_json::from_slice::<Box<RawValue>>(meta).ok();
                }
                Some(_) => {
                    session.remarks.push(Remark::NotAMessage { offset, what: "a second header" });
                    session.records.push(ForeignRecord { raw, offset, is_message: false, time: None });
                }
                None => session.records.push(record((offset, raw), None, &mut session.remarks)),
            }
            is_first = false;
        }
        is_first &= is_blank;
    }
    session.report = log.verify()?;
    Ok(session)
}

/// The header's object, where a record is a header.
fn meta_alone(raw: &[u8]) -> Option<&[u8]> {
    let mut members = scan::members(raw);
    let meta = members.next().filter(|member| member.key == b"meta")?;
    (members.next().is_none() && meta.value.first() == Some(&b'{')).then_some(meta.value)
}

/// The sessions that aish lists: files that end in `.jsonl` and are not hidden, in the order of their names.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) when the folder can't be listed. One that isn't there is empty.
pub fn list(dir: &Path) -> Result<Vec<Entry>> {
    folder::list(dir, |name| {
        let is_session = name.ends_with(".jsonl") && !name.starts_with('.');
        is_session.then_some(false)
    })
}

/// A session's file in this layout.
///
/// # Errors
///
/// [`Error::Key`](crate::Error::Key) for a key that can't be a file name.
pub fn write(session: &ForeignSession) -> Result<(Vec<crate::OutFile>, Vec<Remark>)> {
    let name = folder::plain_name(&session.key, ".jsonl")?;
    let mut bytes = Vec::new();
    if let Some(metadata) = &session.metadata {
        bytes.extend_from_slice(b"{\"meta\":");
        bytes.extend_from_slice(metadata.get().as_bytes());
        bytes.extend_from_slice(b"}\n");
    }
    let mut remarks = folder::no_place(session, false);
    folder::write_messages(session, &mut bytes, &mut remarks, |_| false);
    Ok((vec![crate::OutFile { name, bytes }], remarks))
}
