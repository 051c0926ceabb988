//! What readers see of a session's log: the visible history, the whole transcript, its end, a page.

use std::fmt::{self, Display, Formatter};
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use jsonl_core::Log;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Result;
use crate::message::{Message, Note};
use crate::read::{self, ReadReport};
use crate::record::{self, Header, Kind, Parent, Record, State};
use crate::time;

/// Below this many bytes, reading all is faster than looking where to begin.
const WHOLE_LEN: u64 = 256 << 10;

/// So many visible messages are read from the end rather than from where they begin.
const FEW: u64 = 1000;

/// The messages that a model is to see, and what goes with them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct History {
    /// The visible messages, oldest first.
    pub messages: Vec<Message>,
    /// The summary of what is hidden; empty if there is none.
    pub summary: String,
    /// The metadata as JSON text; `None` if there is none.
    pub metadata: Option<Box<RawValue>>,
    /// What was found beside messages.
    pub report: ReadReport,
}

impl History {
    /// The metadata as an `M`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// What `serde_json` says of metadata that is no `M`.
    pub fn metadata<M: DeserializeOwned>(&self) -> serde_json::Result<Option<M>> {
        self.metadata.as_ref().map(|raw| serde_json::from_str(raw.get())).transpose()
    }
}

/// Everything that a session's log holds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Transcript {
    /// Messages, visible or hidden, notes and events, oldest first.
    pub entries: Vec<Entry>,
    /// Where the session was forked from.
    pub parent: Option<Parent>,
    /// Messages below this sequence number are hidden from the history.
    pub visible_from: u64,
    /// How many messages compaction has taken out of the log; [`Session::removed`](crate::Session::removed) has them.
    pub removed: u64,
    /// What was found beside records.
    pub report: ReadReport,
}

impl Transcript {
    /// The messages.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Message(message) => Some(message),
            _ => None,
        })
    }
}

/// A record of a transcript.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Entry {
    /// A message.
    Message(Message),
    /// What is kept beside messages.
    Note(Note),
    /// Something that changed the session.
    Event(Event),
}

impl Entry {
    /// Its sequence number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Message(message) => message.seq(),
            Self::Note(note) => note.seq(),
            Self::Event(event) => event.seq,
        }
    }

    pub(crate) fn of(record: Record) -> Self {
        let seq = record.seq;
        let event = |time: &str, name: &str, state: &State| {
            Self::Event(Event {
                seq,
                time: time::parse(time),
                name: name.to_owned(),
                visible_from: state.before,
                summary: state.summary.clone(),
                metadata: state.metadata.clone(),
            })
        };
        match record.kind {
            Kind::Message(text) => Self::Message(Message::new(seq, text)),
            Kind::Note(text) => Self::Note(Note::new(seq, text)),
            Kind::Event { time, name, state } => event(&time, &name, &state),
            Kind::Header { time, state, .. } => event(&time, "begin", &state),
        }
    }
}

/// Something that changed a session, and what it is like from there on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// Its sequence number.
    pub seq: u64,
    /// When it was.
    pub time: Option<SystemTime>,
    /// What it was: `begin`, `truncate`, `summary`, `metadata`, `replace`, `reveal`.
    pub name: String,
    /// From here on, messages below this sequence number are hidden.
    pub visible_from: u64,
    /// From here on, the summary.
    pub summary: String,
    /// From here on, the metadata.
    pub metadata: Option<Box<RawValue>>,
}

/// Which messages a page is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// The visible ones.
    #[default]
    History,
    /// Also hidden ones, as far as they are in the log.
    Transcript,
}

/// Some messages, and how to come to those before them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Page {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// Where the page before this one ends; `None` if there is none.
    pub older: Option<Cursor>,
    /// What was found beside messages.
    pub report: ReadReport,
}

/// A place between two messages of one session. It stays good while the session grows, is truncated and is
/// compacted. As text, `17@2026-11-21T08:15:00.250Z`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cursor {
    /// Messages below it are before the cursor.
    pub(crate) seq: u64,
    /// When the session began, which tells it from a later one of the same key; empty if its header is lost.
    pub(crate) born: String,
}

impl Display for Cursor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.seq, self.born)
    }
}

/// A text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: it has to look like 17@2026-11-21T08:15:00.250Z")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (seq, born) = text.split_once('@').ok_or(NotACursor)?;
        if !born.is_empty() && time::parse(born).is_none() {
            return Err(NotACursor);
        }
        Ok(Self { seq: seq.parse().map_err(|_| NotACursor)?, born: born.to_owned() })
    }
}

impl TryFrom<String> for Cursor {
    type Error = NotACursor;

    fn try_from(text: String) -> Result<Self, NotACursor> {
        text.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}

/// The visible messages. Costs what is visible, not what the log holds.
pub(crate) fn history(log: &Log) -> Result<History> {
    // A few are found faster from the end.
    if log.len() > WHOLE_LEN
        && let Some(tail) = clean_tail(log, usize::MAX, FEW)?
    {
        return Ok(tail);
    }
    if log.len() > WHOLE_LEN
        && let Some(end) = read::end(log)?
    {
        let state = end.state();
        let start = match state.before {
            0 => 0,
            before => read::seek_seq(log, before)?,
        };
        let (records, report) = read::records(log, start, log.len())?;
        return Ok(made_of(records, report, &state));
    }
    let (records, report) = read::records(log, 0, log.len())?;
    let state = state_of(&records);
    Ok(made_of(records, report, &state))
}

/// The state that these records leave: that of the event with the greatest number, wherever it stands.
pub(crate) fn state_of(records: &[Record]) -> Arc<State> {
    let states = records.iter().filter_map(|record| match &record.kind {
        Kind::Event { state, .. } | Kind::Header { state, .. } => Some((record.seq, state)),
        _ => None,
    });
    states.max_by_key(|(seq, _)| *seq).map(|(_, state)| Arc::clone(state)).unwrap_or_default()
}

fn made_of(records: Vec<Record>, report: ReadReport, state: &State) -> History {
    let messages = records.into_iter().filter(|record| record.seq >= state.before);
    History {
        messages: messages.filter_map(into_message).collect(),
        summary: state.summary.clone(),
        metadata: state.metadata.clone(),
        report,
    }
}

fn into_message(record: Record) -> Option<Message> {
    match record.kind {
        Kind::Message(text) => Some(Message::new(record.seq, text)),
        _ => None,
    }
}

/// The last `count` visible messages, without reading what is before them.
pub(crate) fn tail(log: &Log, count: usize) -> Result<History> {
    match clean_tail(log, count, u64::MAX)? {
        Some(tail) => Ok(tail),
        None => any_tail(log, count),
    }
}

/// The last visible messages in one go backwards; `None` where any line on the way is not one of ours, whole,
/// sealed and finished, or not in order: such a log is read with more care. Also `None` where more than `most` are visible.
fn clean_tail(log: &Log, count: usize, most: u64) -> Result<Option<History>> {
    let mut state: Option<Arc<State>> = None;
    let mut messages = Vec::new();
    let mut report = ReadReport::default();
    report.log.start = log.len();
    let mut next = None;
    for line in log.lines().rev() {
        if messages.len() == count {
            break;
        }
        let line = line?;
        let (offset, len) = (line.offset, line.len);
        let record = match record::cut(&line.bytes) {
            Some(cut) if line.terminated => cut.into_record(&Arc::new(line.bytes), 0),
            _ if line.terminated && !line.is_cut() => match read::sealed(&line.bytes) {
                Some(record) => record,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        if next.is_some_and(|next: u64| record.seq + 1 != next) {
            return Ok(None);
        }
        let is_last = next.replace(record.seq).is_none();
        let state = match &state {
            Some(state) => state,
            None => {
                let end = read::end_with(log, offset, &record)?;
                if end.n.saturating_sub(end.state().hidden) > most {
                    return Ok(None);
                }
                state.insert(end.state())
            }
        };
        if record.seq < state.before {
            // What hides it came after it, so it is not the last unless somebody moved it.
            if is_last {
                return Ok(None);
            }
            break;
        }
        report.log.start = offset;
        report.log.lines += 1;
        report.log.bytes.records += len;
        messages.extend(into_message(record));
    }
    let Some(state) = state else { return Ok(None) };
    messages.reverse();
    report.log.records = report.log.lines;
    report.log.sealed = report.log.lines;
    Ok(Some(History { messages, summary: state.summary.clone(), metadata: state.metadata.clone(), report }))
}

/// So many hidden records in a row are where the visible ones begin, and not lines that somebody moved there.
const MOVED_MAX: usize = 16;

fn any_tail(log: &Log, count: usize) -> Result<History> {
    let Some(end) = read::end(log)? else { return history(log) };
    let state = end.state();
    let mut start = log.len();
    let (mut found, mut hidden) = (0, 0);
    for line in log.lines().rev() {
        if found == count || hidden == MOVED_MAX {
            break;
        }
        let line = line?;
        let record = if line.is_cut() { None } else { record::parse(&line.bytes) };
        if record.as_ref().is_some_and(|record| record.seq < state.before) {
            hidden += 1;
            continue;
        }
        hidden = 0;
        start = line.offset;
        found += usize::from(record.is_some_and(|record| crate::edit::is_message(&record.kind)));
    }
    let (records, report) = read::records(log, start.min(log.len()), log.len())?;
    let mut tail = made_of(records, report, &state);
    // A fused line may hold several.
    let more = tail.messages.len().saturating_sub(count);
    tail.messages.drain(..more);
    Ok(tail)
}

/// The last `limit` messages before a sequence number; all have a smaller one than `u64::MAX`.
pub(crate) fn page(log: &Log, scope: Scope, before: u64, limit: usize, born: &str) -> Result<Page> {
    let Some(end) = read::end(log)? else { return Ok(Page::default()) };
    let state = end.state();
    let first = if scope == Scope::History { state.before } else { 0 };
    let until = if before > end.seq { log.len() } else { read::seek_seq(log, before)? };
    let n = if before > end.seq { end.n } else { read::messages_before(log, before, end.n)? };
    let wanted = n.saturating_sub(limit as u64);
    let start = read::seek_exactly(
        log,
        |record| record.n > wanted && record.seq >= first,
        |record| record.n == wanted + 1 || record.seq == first,
    )?;
    if start >= until || limit == 0 {
        return Ok(Page::default());
    }
    let (records, report) = read::records(log, start, until)?;
    let messages: Vec<Message> = records.into_iter().filter_map(into_message).collect();
    // Whether there is any before the first of them.
    let older = match messages.first() {
        Some(message) => {
            let earlier = read::messages_before(log, message.seq(), end.n)?;
            let hidden = if scope == Scope::History { state.hidden } else { removed(log)? };
            (earlier > hidden).then(|| Cursor { seq: message.seq(), born: born.to_owned() })
        }
        None => None,
    };
    Ok(Page { messages, older, report })
}

/// Bytes of the log that are in memory at a time, and the line that crosses their end.
const PART_LEN: u64 = 4 << 20;

/// Which records are looked at, and where the first of them may be.
pub(crate) struct Wanted {
    scope: Scope,
    before: u64,
    pub(crate) start: u64,
}

impl Wanted {
    pub(crate) fn new(log: &Log, scope: Scope) -> Result<Self> {
        let before = match scope {
            Scope::Transcript => 0,
            Scope::History => read::end(log)?.map_or(0, |end| end.state().before),
        };
        let start = if before == 0 { 0 } else { read::seek_seq(log, before)? };
        Ok(Self { scope, before, start })
    }

    pub(crate) fn takes(&self, entry: &Entry) -> bool {
        self.scope == Scope::Transcript
            || matches!(entry, Entry::Message(message) if message.seq() >= self.before)
    }
}

/// Hands over one record after the other, in bounded memory.
pub(crate) fn each(
    log: &Log,
    scope: Scope,
    mut look: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<ReadReport> {
    let wanted = Wanted::new(log, scope)?;
    let mut at = wanted.start;
    let mut joined = read::Joined::starting_at(at);
    while at < log.len() {
        let until =
            read::Window::new(log).newline(at.saturating_add(PART_LEN))?.map_or(log.len(), |end| end + 1);
        let (records, report) = read::records(log, at, until)?;
        joined.add(read::ends(&records), &report);
        for entry in records.into_iter().map(Entry::of) {
            if wanted.takes(&entry) && look(entry).is_break() {
                return Ok(joined.whole);
            }
        }
        at = until;
    }
    Ok(joined.whole)
}

fn removed(log: &Log) -> Result<u64> {
    Ok(read::header(log)?.map_or(0, |header| header.removed))
}

/// Everything.
pub(crate) fn transcript(log: &Log) -> Result<Transcript> {
    let (records, report) = read::records(log, 0, log.len())?;
    let visible_from = state_of(&records).before;
    let header: Option<Arc<Header>> = records.iter().find_map(|record| match &record.kind {
        Kind::Header { header, .. } => Some(Arc::clone(header)),
        _ => None,
    });
    let (parent, removed) = header.map_or((None, 0), |header| (header.parent.clone(), header.removed));
    let entries = records.into_iter().map(Entry::of).collect();
    Ok(Transcript { entries, parent, visible_from, removed, report })
}
