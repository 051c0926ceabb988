//! Sessions that come whole from somewhere else.

use std::borrow::Cow;
use std::time::SystemTime;

use jsonl_core::scan;
use serde_json::value::RawValue;

use crate::edit::header_record;
use crate::error::{Error, Result};
use crate::message::{self, Json};
use crate::record::{Body, FORMAT, Header, State};
use crate::rewrite::event;
use crate::session::Session;
use crate::time;

/// How much of a line, and how many levels of nesting, are ours and not the message's.
const ENVELOPE_LEN: usize = 256;
const ENVELOPE_NESTING: usize = 1;

/// A session that was kept elsewhere.
#[derive(Clone, Debug, Default)]
pub struct ImportedSession<'a> {
    /// Its records, oldest first.
    pub entries: Vec<ImportedEntry<'a>>,
    /// So many of the first entries are hidden from the history.
    pub hidden: usize,
    /// The summary of what is hidden.
    pub summary: Cow<'a, str>,
    /// Its metadata, a JSON object.
    pub metadata: Option<Box<RawValue>>,
    /// When it began; by default now.
    pub created: Option<SystemTime>,
}

/// A record that was kept elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct ImportedEntry<'a> {
    /// Its JSON text, stored byte for byte.
    pub raw: &'a [u8],
    /// Whether it is a message; if not, it becomes a [`Note`](crate::Note).
    pub is_message: bool,
    /// When it was written; by default when the session began.
    pub time: Option<SystemTime>,
}

/// What became of an import.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ImportReport {
    /// Messages that were stored.
    pub messages: u64,
    /// Notes that were stored.
    pub notes: u64,
    /// Entries that can't be stored: their index, and why.
    pub refused: Vec<(usize, String)>,
}

impl Session {
    /// Begins the session with what was kept elsewhere: all of it, or nothing after a crash.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`]; [`Error::Archived`] if there is an archive of the key and not `anew`;
    /// [`Error::NotMetadata`]; [`Error::Log`], [`Error::Io`]. An entry that can't be stored is none: it is
    /// reported.
    pub fn import(&self, imported: &ImportedSession<'_>, anew: bool) -> Result<ImportReport> {
        self.check_writable()?;
        if !anew && !self.archives()?.is_empty() {
            return Err(Error::Archived { key: self.key().to_owned() });
        }
        let metadata = match &imported.metadata {
            Some(metadata) => crate::edit::encode_metadata(metadata)?,
            None => None,
        };
        let mut report = ImportReport::default();
        self.make_whole(|new| {
            let now = self.inner.now();
            let created = imported.created.map_or_else(|| now.clone(), time::to_text);
            let header = Header {
                session: FORMAT,
                key: self.key().to_owned(),
                created: created.clone(),
                parent: None,
                removed: 0,
                title: None,
            };
            let mut state = State { metadata, ..State::default() };
            new.record(&header_record(&header, 0, 0, &created, &state))?;
            let (mut seq, mut n) = (0, 0);
            for (index, entry) in imported.entries.iter().enumerate() {
                let json = match self.fitting(entry) {
                    Ok(json) => json,
                    Err(reason) => {
                        report.refused.push((index, reason));
                        continue;
                    }
                };
                let (is_message, json) = (entry.is_message, json.as_bytes());
                let time = entry.time.map_or_else(|| created.clone(), time::to_text);
                (seq, n) = (seq + 1, n + u64::from(is_message));
                let body = Body { seq, n, state_at: 0, state_seq: 0, time: &time, is_message, json };
                new.made(|record| body.write(record))?;
                if index < imported.hidden {
                    (state.before, state.hidden) = (seq + 1, n);
                }
            }
            if state.before > 0 || !imported.summary.is_empty() {
                state.summary = imported.summary.clone().into_owned();
                new.record(&event(seq + 1, n, &now, "import", &state))?;
            }
            (report.messages, report.notes) = (n, seq - n);
            Ok(())
        })?;
        Ok(report)
    }

    /// An entry as it will be stored, if a reader will take it.
    fn fitting(&self, entry: &ImportedEntry<'_>) -> std::result::Result<Json, String> {
        let max = self.inner.max_line_len();
        if entry.raw.len() + ENVELOPE_LEN > max {
            return Err(format!("it has {} bytes; a line may have {max}", entry.raw.len()));
        }
        if scan::check(entry.raw, scan::NESTING_MAX - ENVELOPE_NESTING).is_err()
            && scan::check(entry.raw, scan::NESTING_MAX).is_ok()
        {
            return Err("it is nested too deep".to_owned());
        }
        let encode = if entry.is_message { message::encode_raw } else { message::note_raw };
        encode(entry.raw).map_err(|error| error.to_string())
    }
}
