//! Changes to a session under its lock.

use std::sync::Arc;
use std::time::SystemTime;

use jsonl_core::{Log, Transaction};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::calls;
use crate::error::{Error, Result};
use crate::message::{self, Json, Message};
use crate::read::{self, End};
use crate::record::{Body, FORMAT, Header, Kind, NUMBER_MAX, Parent, State, Written};
use crate::rewrite::event;
use crate::store::Inner;

/// How far back a tool's call is looked for from its result, in messages.
const CALL_AWAY_MAX: usize = 4096;

/// What is to be hidden from the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncate {
    what: What,
    part_calls: bool,
    summary: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    KeepLast(usize),
    Before(u64),
}

impl Truncate {
    /// All but the last `count` messages, as they are when the lock has been taken. Messages that came since the
    /// caller looked move that window; after summarising, [`before`](Self::before) is the safe way.
    ///
    /// If the first of them is a tool's result, more stay: its call, and what is between.
    #[must_use]
    pub fn keep_last(count: usize) -> Self {
        Self { what: What::KeepLast(count), part_calls: false, summary: None }
    }

    /// All messages with a smaller sequence number than `seq`, whatever arrives meanwhile.
    #[must_use]
    pub fn before(seq: u64) -> Self {
        Self { what: What::Before(seq), part_calls: true, summary: None }
    }

    /// Whether a tool's call may be hidden while its result stays. By default not for [`keep_last`](Self::keep_last),
    /// and so for [`before`](Self::before), where less than asked would be hidden.
    #[must_use]
    pub fn part_calls(mut self, part: bool) -> Self {
        self.part_calls = part;
        self
    }

    /// Sets the summary in the same record, so that there is never one without the other.
    #[must_use]
    pub fn summary(mut self, text: impl Into<String>) -> Self {
        self.summary = Some(text.into());
        self
    }
}

/// A session under its lock; see [`Session::edit`](crate::Session::edit). What is appended goes out in one write
/// when the edit ends; what is read does not have it yet.
#[derive(Debug)]
pub struct Edit<'a, 'b> {
    inner: &'a Inner,
    key: &'a str,
    transaction: &'a mut Transaction<'b>,
    /// What the log's end will be like.
    end: End,
    /// There is no record in the log, not even a damaged one.
    is_new: bool,
    log: Option<Log>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl<'a, 'b> Edit<'a, 'b> {
    pub(crate) fn new(
        inner: &'a Inner,
        key: &'a str,
        transaction: &'a mut Transaction<'b>,
        known: Option<End>,
    ) -> Result<Self> {
        let mut log = None;
        let found = match known.filter(|_| transaction.is_as_left()) {
            Some(end) => Some(end),
            None if transaction.is_empty() => None,
            None => {
                let opened = transaction.log(&inner.read_options())?;
                check_header(key, &opened)?;
                read::end(log.insert(opened))?
            }
        };
        let is_new = found.is_none();
        let end = found.unwrap_or(End { seq: 0, n: 0, state: None, time: String::new() });
        Ok(Self { inner, key, transaction, end, is_new, log })
    }

    pub(crate) fn into_end(self) -> End {
        self.end
    }

    /// Whether nothing has been written to the session yet.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// The sequence number of the last record, 0 if there is only a header.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.end.seq
    }

    /// The summary in force; empty if there is none.
    #[must_use]
    pub fn summary(&self) -> String {
        self.end.state().summary.clone()
    }

    /// The metadata as JSON text; `None` if there is none.
    #[must_use]
    pub fn metadata(&self) -> Option<Box<RawValue>> {
        self.end.state().metadata.clone()
    }

    /// The visible messages, without those of this edit.
    ///
    /// # Errors
    ///
    /// As [`Session::history`](crate::Session::history).
    pub fn history(&mut self) -> Result<Vec<Message>> {
        let Some(log) = self.log()? else { return Ok(Vec::new()) };
        Ok(crate::view::history(log)?.messages)
    }

    /// Appends a message. Returns its sequence number.
    ///
    /// # Errors
    ///
    /// [`Error::NotAMessage`], [`Error::Log`] for one that is too long or nested too deep.
    pub fn append<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<u64> {
        let raw = message::encode(message)?;
        self.message(&raw, None)
    }

    /// Appends a message as it is, byte for byte, with the time that it has, or else that of the clock.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn append_raw(&mut self, message: &[u8], time: Option<SystemTime>) -> Result<u64> {
        let raw = message::encode_raw(message)?;
        self.message(&raw, time)
    }

    /// Appends any JSON value as a [`Note`](crate::Note).
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn append_note(&mut self, value: &[u8], time: Option<SystemTime>) -> Result<u64> {
        self.note(&message::note_raw(value)?, time)
    }

    pub(crate) fn note(&mut self, json: &Json, time: Option<SystemTime>) -> Result<u64> {
        self.body(false, json, time)
    }

    pub(crate) fn message(&mut self, json: &Json, time: Option<SystemTime>) -> Result<u64> {
        let is_note = self.inner.thoughts_as_notes() && message::is_thought(json.as_bytes());
        self.body(!is_note, json, time)
    }

    fn body(&mut self, is_message: bool, json: &Json, time: Option<SystemTime>) -> Result<u64> {
        self.ensure_header(None, None)?;
        let time = time.map_or_else(|| self.inner.now(), crate::time::to_text);
        let (state_at, state_seq) =
            self.end.state.as_ref().map_or((0, 0), |(offset, seq, _)| (*offset, *seq));
        let (seq, n) = (self.end.seq + 1, self.end.n + u64::from(is_message));
        let body = Body { seq, n, state_at, state_seq, time: &time, is_message, json: json.as_bytes() };
        self.transaction.append_made(|record| body.write(record))?;
        (self.end.seq, self.end.n, self.end.time) = (seq, n, time);
        Ok(seq)
    }

    /// Sets the summary.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] for one that is too long.
    pub fn set_summary(&mut self, text: &str) -> Result<u64> {
        self.event("summary", |state| state.summary = text.to_owned())
    }

    /// Sets the metadata, which has to be a JSON object, or takes it away.
    ///
    /// # Errors
    ///
    /// [`Error::NotMetadata`]; [`Error::Log`] for one that is too long.
    pub fn set_metadata<M: Serialize + ?Sized>(&mut self, metadata: &M) -> Result<u64> {
        let metadata = encode_metadata(metadata)?;
        self.event("metadata", |state| state.metadata = metadata)
    }

    /// Hides messages from the history. Returns the sequence number below which all are hidden now. Nothing is
    /// removed, and nothing that was hidden comes back.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRecord`] for a number behind the next one; [`Error::Log`].
    pub fn truncate(&mut self, truncate: &Truncate) -> Result<u64> {
        let state = self.end.state();
        let (before, hidden) = match self.log()? {
            None => (state.before, state.hidden),
            Some(_) => self.cut(truncate, &state)?,
        };
        let summary = truncate.summary.clone();
        if before > state.before || summary.is_some() {
            self.event("truncate", |state| {
                (state.before, state.hidden) = (before, hidden);
                state.summary = summary.unwrap_or_else(|| std::mem::take(&mut state.summary));
            })?;
        }
        Ok(before)
    }

    /// Shows again what was hidden and has not been removed by compaction.
    ///
    /// # Errors
    ///
    /// [`Error::Log`].
    pub fn reveal(&mut self) -> Result<u64> {
        let removed = match self.log()? {
            Some(log) => read::header(log)?.map(|header| header.removed),
            None => None,
        };
        self.event("reveal", |state| (state.before, state.hidden) = (0, removed.unwrap_or(0)))
    }

    /// Where a truncation cuts: the first sequence number that stays visible, and how many messages are before it.
    fn cut(&mut self, truncate: &Truncate, state: &State) -> Result<(u64, u64)> {
        let (last, n, key) = (self.end.seq, self.end.n, self.key);
        let Some(log) = self.log()? else { return Ok((state.before, state.hidden)) };
        let mut wanted = match truncate.what {
            What::KeepLast(count) => count,
            What::Before(seq) if seq > last + 1 => {
                return Err(Error::NoSuchRecord { key: key.to_owned(), seq: seq - 1, last });
            }
            What::Before(seq) => {
                let hidden = read::messages_before(log, seq, n)?.max(state.hidden);
                if truncate.part_calls {
                    return Ok((seq.max(state.before), hidden));
                }
                n.saturating_sub(hidden) as usize
            }
        };
        wanted = wanted.min(n.saturating_sub(state.hidden) as usize);
        if wanted == 0 {
            return Ok(((last + 1).max(state.before), n));
        }
        // The messages that stay, and some before them to look for calls in.
        let mut more = if truncate.part_calls { 0 } else { 16 };
        loop {
            let messages = crate::view::tail(log, wanted + more)?.messages;
            let is_whole = messages.len() < wanted + more || more >= CALL_AWAY_MAX;
            let first = messages.len().saturating_sub(wanted);
            let raw: Vec<&[u8]> = messages.iter().map(Message::raw).collect();
            let first = if truncate.part_calls { Some(first) } else { calls::cut_at(&raw, first, is_whole) };
            if let Some(first) = first {
                let Some(message) = messages.get(first) else { return Ok((state.before, state.hidden)) };
                let hidden = read::messages_before(log, message.seq(), n)?;
                // Where everything stays visible, nothing changes.
                let is_all = hidden <= state.hidden;
                return Ok(if is_all { (state.before, state.hidden) } else { (message.seq(), hidden) });
            }
            more *= 4;
        }
    }

    /// Appends an event: `change` is what it does to the state.
    fn event(&mut self, name: &str, change: impl FnOnce(&mut State)) -> Result<u64> {
        self.ensure_header(None, None)?;
        let mut state = State::clone(&self.end.state());
        change(&mut state);
        let time = self.inner.now();
        let (seq, n) = (self.end.seq + 1, self.end.n);
        let appended = self.transaction.append(&event(seq, n, &time, name, &state))?;
        self.end = End { seq, n, state: Some((appended.offset, seq, Arc::new(state))), time };
        Ok(seq)
    }

    /// Writes the header where the log has no state: it is new, or what it began with is damaged.
    pub(crate) fn ensure_header(
        &mut self,
        metadata: Option<Box<RawValue>>,
        parent: Option<Parent>,
    ) -> Result<()> {
        // Of what follows, there is one record at most, and the header.
        if self.end.seq.max(self.end.n) + 2 > NUMBER_MAX {
            return Err(Error::Full { key: self.key.to_owned() });
        }
        if self.end.state.is_some() {
            return Ok(());
        }
        let time = self.inner.now();
        let header = Header {
            session: FORMAT,
            key: self.key.to_owned(),
            created: time.clone(),
            parent,
            removed: 0,
            title: None,
        };
        let state = State { metadata, ..State::default() };
        let seq = if self.is_new { 0 } else { self.end.seq + 1 };
        let n = self.end.n;
        let offset = self.transaction.append(&header_record(&header, seq, n, &time, &state))?.offset;
        self.end = End { seq, n, state: Some((offset, seq, Arc::new(state))), time };
        Ok(())
    }

    fn log(&mut self) -> Result<Option<&Log>> {
        if self.log.is_none() && !self.transaction.is_empty() {
            self.log = Some(self.transaction.log(&self.inner.read_options())?);
        }
        Ok(self.log.as_ref())
    }
}

pub(crate) fn header_record<'a>(
    header: &'a Header,
    seq: u64,
    n: u64,
    time: &'a str,
    state: &'a State,
) -> Written<'a> {
    Written { header: Some(header), seq, n, state_at: None, time, event: None, state: Some(state) }
}

/// Refuses a log that says that it is another session's, or of a version to come. One that says nothing is taken.
pub(crate) fn check_header(key: &str, log: &Log) -> Result<()> {
    let Some(header) = read::header(log)? else { return Ok(()) };
    if header.session > FORMAT {
        let path = log.path().to_owned();
        return Err(Error::NewerVersion { path, found: header.session, known: FORMAT });
    }
    if header.key != key {
        return Err(Error::KeyMismatch { path: log.path().to_owned(), found: header.key.clone() });
    }
    Ok(())
}

/// Metadata as JSON text; `None` for `null` and `()`.
pub(crate) fn encode_metadata<M: Serialize + ?Sized>(metadata: &M) -> Result<Option<Box<RawValue>>> {
    let not = |reason: String| Error::NotMetadata { reason };
    let raw = serde_json::value::to_raw_value(metadata).map_err(|error| not(error.to_string()))?;
    match raw.get().trim_ascii_start().as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'{') => Ok(Some(raw)),
        _ => Err(not("it is no JSON object".to_owned())),
    }
}

/// Whether a record is a message.
pub(crate) fn is_message(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(_))
}
