//! Writes a session's log anew: compaction, a replaced history, a fork.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonl_core::{Line, Log, Rewrite, Span};
use serde_json::value::RawValue;

use crate::edit::{self, header_record};
use crate::error::{Error, Result};
use crate::list::title;
use crate::message::{Json, Message, is_thought};
use crate::read;
use crate::record::{self, Body, FORMAT, Header, Kind, Parent, Record, State, Written};
use crate::session::Session;
use crate::store::{Inner, Place, numbered, sync_folder};
use crate::view;

/// How to compact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactOptions {
    keep: bool,
    dry_run: bool,
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl CompactOptions {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        Self { keep: true, dry_run: false }
    }

    /// Whether what is taken out of the log is kept in the store's `removed` folder. By default it is; if not, it is
    /// gone for good. Damaged lines are kept either way.
    #[must_use]
    pub fn keep_removed(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }

    /// Whether to say only what would be removed. By default not.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// What a compaction did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Hidden messages that were taken out of the log.
    pub removed: u64,
    /// Bytes of the log before and after; of a dry run, after is not known exactly.
    pub len_before: u64,
    /// Bytes of the log afterwards.
    pub len_after: u64,
    /// Where what was taken out is kept.
    pub kept_in: Option<PathBuf>,
}

impl Session {
    /// Takes hidden messages out of the log. What is visible stays, with its sequence numbers; so do cursors. After a
    /// crash there is either the old log or the new.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Archived`], [`Error::Closed`]; [`Error::Log`], [`Error::Io`], and the log is as
    /// it was.
    pub fn compact(&self, options: &CompactOptions) -> Result<Compacted> {
        self.check_writable()?;
        if let Some(Place::Archived(_)) = self.exists()? {
            return Err(Error::Archived { key: self.key.to_string() });
        }
        let log = self.log()?.ok_or_else(|| self.not_found())?;
        let nothing = Compacted { len_before: log.len(), len_after: log.len(), ..Compacted::default() };
        let Some(plan) = Plan::of(&log)? else { return Ok(nothing) };
        if options.dry_run {
            return Ok(Compacted { removed: plan.removed, len_after: log.len() - plan.cut, ..nothing });
        }
        drop(log);
        self.rewrite(|log, new| {
            let Some(plan) = Plan::of(log)? else {
                new.copy(log, Span { offset: 0, len: log.len() })?;
                return Ok(nothing);
            };
            let mut part = Part::new(&self.inner, &self.name);
            compact(log, new, &plan, &mut part, options.keep, &self.key)?;
            let kept_in = part.finish()?;
            let (len_before, len_after) = (log.len(), new.next_offset());
            Ok(Compacted { removed: plan.removed, len_before, len_after, kept_in })
        })
    }

    /// The files with what compactions have taken out of the log, oldest first. Each is a log of the session, too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the store can't be looked into.
    pub fn removed(&self) -> Result<Vec<PathBuf>> {
        let dir = self.inner.removed_dir(&self.name);
        Ok(numbered(&dir)?.into_iter().map(|number| dir.join(format!("{number}.jsonl"))).collect())
    }

    /// The messages that compactions have taken out of the log and kept, oldest first.
    ///
    /// # Errors
    ///
    /// As [`history`](Self::history).
    pub fn removed_messages(&self) -> Result<Vec<Message>> {
        let mut messages: Vec<Message> = Vec::new();
        for path in self.removed()? {
            let log = self.inner.open_log(&path)?;
            let (records, _) = read::records(&log, 0, log.len())?;
            for record in records {
                // A compaction that was killed may have left the same once more.
                let is_new = messages.last().is_none_or(|last| record.seq > last.seq());
                if let (Kind::Message(text), true) = (record.kind, is_new) {
                    messages.push(Message::new(record.seq, text));
                }
            }
        }
        Ok(messages)
    }
}

/// What a compaction would do.
struct Plan {
    /// Everything before this offset goes.
    cut: u64,
    /// Messages that go.
    removed: u64,
    /// Of all messages that the session ever had, those that are gone afterwards.
    hidden: u64,
    state: Arc<State>,
    first: Option<Record>,
    last_seq: u64,
}

impl Plan {
    fn of(log: &Log) -> Result<Option<Self>> {
        let Some(end) = read::end(log)? else { return Ok(None) };
        let state = end.state();
        let gone = read::header(log)?.map_or(0, |header| header.removed);
        if state.hidden <= gone {
            return Ok(None);
        }
        let cut = read::seek_seq(log, state.before)?;
        let first = read::record_from(log, cut, log.len())?.map(|found| found.record);
        let (removed, hidden, last_seq) = (state.hidden - gone, state.hidden, end.seq);
        Ok(Some(Self { cut, removed, hidden, state, first, last_seq }))
    }
}

/// Looks at every line, wherever it stands: somebody may have moved it.
fn compact(
    log: &Log,
    new: &mut Rewrite<'_>,
    plan: &Plan,
    part: &mut Part<'_>,
    keep: bool,
    key: &str,
) -> Result<()> {
    let old = read::header(log)?;
    let created = old.as_ref().map(|header| header.created.clone());
    let header = Header {
        session: FORMAT,
        key: key.to_owned(),
        created: created.unwrap_or_default(),
        parent: old.as_ref().and_then(|header| header.parent.clone()),
        removed: plan.hidden,
        title: title(log)?,
    };
    let seq = plan.first.as_ref().map_or(plan.last_seq, |first| first.seq.saturating_sub(1));
    let time = header.created.clone();
    new.record(&header_record(&header, seq, plan.hidden, &time, &plan.state))?;
    let mut state_at = (0, seq);
    for line in log.lines() {
        let line = line?;
        let (records, is_whole) = read::records_in(log, &line)?;
        let mut is_hidden = false;
        for record in &records {
            if record.seq >= plan.state.before {
                copy(record, new, &mut state_at)?;
            } else {
                is_hidden = true;
            }
        }
        let is_blank = !line.is_cut() && line.bytes.trim_ascii().is_empty();
        let is_damaged = !is_whole && !is_blank;
        if is_damaged || (is_hidden && keep) {
            part.take(log, &line)?;
        }
    }
    Ok(())
}

fn readable(line: &Line) -> Option<Record> {
    if line.is_cut() { None } else { record::parse(&line.bytes) }
}

/// Writes a record to a new log. `state_at` is where the last event stands there, and its number.
fn copy(record: &Record, new: &mut Rewrite<'_>, state_at: &mut (u64, u64)) -> Result<()> {
    let (seq, n) = (record.seq, record.n);
    let offset = new.next_offset();
    let (text, is_message) = match &record.kind {
        Kind::Message(text) => (text, true),
        Kind::Note(text) => (text, false),
        Kind::Event { time, name, state } => {
            *state_at = (offset, seq);
            return Ok(new.record(&event(seq, n, time, name, state))?);
        }
        Kind::Header { time, state, .. } => {
            *state_at = (offset, seq);
            return Ok(new.record(&event(seq, n, time, "begin", state))?);
        }
    };
    let raw: &RawValue = serde_json::from_slice(text.body())
        .map_err(|error| Error::NotAMessage { reason: error.to_string() })?;
    let body = Body {
        seq,
        n,
        state_at: state_at.0,
        state_seq: state_at.1,
        time: text.time_text(),
        is_message,
        json: raw.get().as_bytes(),
    };
    Ok(new.made(|record| body.write(record))?)
}

pub(crate) fn event<'a>(seq: u64, n: u64, time: &'a str, name: &'a str, state: &'a State) -> Written<'a> {
    Written { header: None, seq, n, state_at: None, time, event: Some(name), state: Some(state) }
}

/// Copies a log up to a record to that of a fork.
pub(crate) fn fork(inner: &Inner, log: &Log, new: &mut Rewrite<'_>, key: &str, parent: Parent) -> Result<()> {
    let last = parent.seq;
    let mut lines = log.lines();
    let first = lines.next().transpose()?;
    let first = first.as_ref().and_then(readable);
    let (seq, n, state, old) = match first.clone() {
        Some(Record { seq, n, kind: Kind::Header { header, state, .. }, .. }) => {
            (seq, n, state, Some(header))
        }
        Some(record) => (
            record.seq.saturating_sub(1),
            record.n.saturating_sub(u64::from(edit::is_message(&record.kind))),
            Arc::default(),
            None,
        ),
        None => (0, 0, Arc::default(), None),
    };
    let time = inner.now();
    let header = Header {
        session: FORMAT,
        key: key.to_owned(),
        created: time.clone(),
        parent: Some(parent),
        removed: old.as_ref().map_or(0, |header| header.removed),
        title: old.as_ref().and_then(|header| header.title.clone()),
    };
    new.record(&header_record(&header, seq, n, &time, &state))?;
    let mut state_at = (0, seq);
    if let Some(record) =
        first.filter(|record| !matches!(record.kind, Kind::Header { .. }) && record.seq <= last)
    {
        copy(&record, new, &mut state_at)?;
    }
    for line in lines {
        // The damage stays where it is.
        for record in read::records_in(log, &line?)?.0.iter().filter(|record| record.seq <= last) {
            copy(record, new, &mut state_at)?;
        }
    }
    Ok(())
}

/// The log as it is, and behind it the new history in place of the old.
pub(crate) fn replace_history(
    inner: &Inner,
    log: &Log,
    new: &mut Rewrite<'_>,
    make: impl FnOnce(Vec<Message>) -> Result<Vec<Json>>,
) -> Result<()> {
    let messages = make(view::history(log)?.messages)?;
    let end = read::end(log)?;
    let (mut seq, mut n) = end.as_ref().map_or((0, 0), |end| (end.seq, end.n));
    let state = end.map(|end| end.state()).unwrap_or_default();
    new.copy(log, Span { offset: 0, len: log.len() })?;
    seq += 1;
    let state = State { before: seq + 1, hidden: n, ..State::clone(&state) };
    let time = inner.now();
    let (state_at, state_seq) = (new.next_offset(), seq);
    new.record(&event(seq, n, &time, "replace", &state))?;
    for message in &messages {
        let json = message.as_bytes();
        let is_message = !(inner.thoughts_as_notes() && is_thought(json));
        (seq, n) = (seq + 1, n + u64::from(is_message));
        let body = Body { seq, n, state_at, state_seq, time: &time, is_message, json };
        new.made(|record| body.write(record))?;
    }
    Ok(())
}

/// A file with what is taken out of a log. It is made when there is something to keep.
struct Part<'a> {
    inner: &'a Inner,
    name: &'a str,
    file: Option<(PathBuf, BufWriter<File>)>,
}

/// Bytes that are copied at a time.
const COPY_LEN: u64 = 1 << 20;

impl<'a> Part<'a> {
    fn new(inner: &'a Inner, name: &'a str) -> Self {
        Self { inner, name, file: None }
    }

    fn out(&mut self) -> Result<(&Path, &mut BufWriter<File>)> {
        if self.file.is_none() {
            let dir = self.inner.removed_dir(self.name);
            jsonl_core::create_folder(&self.inner.dir.join("removed"))?;
            jsonl_core::create_folder(&dir)?;
            let number = numbered(&dir)?.last().map_or(1, |last| last + 1);
            let path = dir.join(format!("{number}.jsonl"));
            Inner::make_file(&path)?;
            let file = OpenOptions::new().append(true).open(&path).map_err(Error::io("open", &path))?;
            self.file = Some((path, BufWriter::new(file)));
        }
        match &mut self.file {
            Some((path, out)) => Ok((path, out)),
            None => Err(self.inner.gone()),
        }
    }

    /// Keeps a line as it is.
    fn take(&mut self, log: &Log, line: &Line) -> Result<()> {
        let (path, out) = self.out()?;
        let (mut offset, end) = (line.offset, line.end());
        while offset < end {
            let len = COPY_LEN.min(end - offset);
            out.write_all(&log.read(Span { offset, len })?).map_err(Error::io("write", path))?;
            offset += len;
        }
        if !line.terminated {
            out.write_all(b"\n").map_err(Error::io("write", path))?;
        }
        Ok(())
    }

    /// On the device, before the log loses what is in it.
    fn finish(self) -> Result<Option<PathBuf>> {
        let Some((path, out)) = self.file else { return Ok(None) };
        let file = out.into_inner().map_err(|error| Error::io("write", &path)(error.into_error()))?;
        file.sync_all().map_err(Error::io("sync", &path))?;
        let dir = self.inner.removed_dir(self.name);
        sync_folder(&dir)?;
        sync_folder(&self.inner.dir.join("removed"))?;
        sync_folder(&self.inner.dir)?;
        Ok(Some(path))
    }
}

/// Removes a folder that is empty.
pub(crate) fn remove_if_empty(dir: &Path) {
    // It may have something in it, and then it stays.
    let _ = fs::remove_dir(dir);
}
