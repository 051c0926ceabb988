//! Codex's transcripts, which it calls rollouts: `<home>/sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`, and
//! `archived_sessions`.
//!
//! Each line is an envelope: `{"timestamp":…,"type":…,"payload":…}`. What was said stands twice, as a `response_item` and as an
//! `event_msg` that mirrors it; only the former are messages here. A compaction brings a history along that replaces what
//! the model sees, and takes nothing out of the file. `thread_rolled_back` takes turns of the user back. Old records are
//! payloads without an envelope.

mod lineage;
mod parts;
mod seen;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use jsonl_core::{Log, Span, scan};

use self::seen::Seen;
use crate::error::Result;
use crate::foreign::Remark;
use crate::json;
use crate::lines;
use crate::packed;
use crate::reading::{self, Reading};
use crate::transcript::{
    Agent, Answer, Conversation, Effect, Flags, Message, Overview, Problem, ProblemKind, Role, ToolCall,
    Usage, hash_of,
};
use crate::tree::{self, Tool};

pub(crate) use self::parts::parts;
pub(crate) use self::seen::{BARE, is_context, role_of};
pub use lineage::{Lineage, Missing, Segment, lineage};

/// A transcript of Codex.
///
/// ```
/// # fn main() -> annals_formats::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("rollout-1.jsonl");
/// # std::fs::write(&path, concat!(
/// #   r#"{"timestamp":"2026-08-21T08:15:02Z","type":"session_meta","payload":{"id":"t","cwd":"/w"}}"#, "\n",
/// #   r#"{"timestamp":"2026-08-21T08:15:03Z","type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}}"#, "\n",
/// #   r#"{"timestamp":"2026-08-21T08:15:03Z","type":"event_msg","payload":{"type":"user_message","message":"hi"}}"#, "\n",
/// # )).unwrap();
/// use annals_formats::codex::Codex;
///
/// let transcript = Codex::open(&path)?;
/// assert_eq!(transcript.overview().project.as_deref(), Some("/w"));
/// assert_eq!(transcript.conversation().messages.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Codex {
    log: Log,
    index: Index,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    nodes: Vec<Node>,
    overview: Overview,
    compactions: Vec<Compaction>,
    mirrors: BTreeMap<String, u64>,
    /// The lines of records that were written again, and of the first of each.
    repeated: Vec<(u64, u64)>,
    /// The ids that headers give: its own, and of what it was forked from, the oldest last.
    ids: Vec<String>,
    /// Where what came before it is, if that is another file.
    base: Option<Base>,
    /// Of all records so far: what is written again counts once.
    hashes: HashSet<u64>,
    pub(crate) answers: Vec<Answer>,
    /// What all answers took so far.
    total: Option<Usage>,
    ordinals: Vec<Problem>,
    last_ordinal: Option<u64>,
    has_records: bool,
    begins_with_header: bool,
    counts_only: bool,
}

/// Where another file has what came before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Base {
    /// The path that it was written at.
    pub path: Option<PathBuf>,
    /// The thread, or the file, that it is of.
    pub id: Option<String>,
    /// Only what is in front of this message of the user counts, from 0.
    pub before_user_message: Option<u64>,
    /// Only so many bytes of the file count.
    pub len: Option<u64>,
}

/// A history that took the place of what the model saw.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// The line.
    pub line: u64,
    /// The summary.
    pub message: String,
    /// How many items the new history has.
    pub items: u64,
    /// How many images are in them.
    pub images: u64,
}

/// What of a record is kept in mind.
#[derive(Debug)]
struct Node {
    line: u64,
    span: Span,
    /// By which it is known if it is written again; none where that may mean something else.
    hash: Option<u64>,
    what: What,
    flags: Flags,
}

impl Default for Node {
    fn default() -> Self {
        let span = Span { offset: 0, len: 0 };
        Self { line: 0, span, hash: None, what: What::Other, flags: Flags::default() }
    }
}

#[derive(Clone, Debug)]
enum What {
    Message {
        role: Role,
    },
    Tool(Tool),
    /// What was thought, and what the model did by itself.
    Aside,
    RolledBack {
        turns: u64,
    },
    Other,
}

impl Codex {
    /// Reads a transcript once, on all processors. The file is neither locked nor mapped.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::of(packed::open(path.as_ref(), None)?)
    }

    pub(crate) fn of(opened: (Log, Option<Remark>)) -> Result<Self> {
        let (log, index) = reading::read(opened)?;
        Ok(Self::of_index(log, index))
    }

    pub(crate) fn of_index(log: Log, index: Index) -> Self {
        Self { log, index }
    }

    /// Reads it; if it is packed, it is unpacked into a file without a name in `spool`.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) if it can't be read, or nothing can be written there.
    pub fn open_in(path: impl AsRef<Path>, spool: &Path) -> Result<Self> {
        Self::of(packed::open(path.as_ref(), Some(spool))?)
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Who wrote it.
    #[must_use]
    pub fn agent(&self) -> Agent {
        Agent::Codex
    }

    /// What it says of its session. Its title stands elsewhere; see [`titles`].
    #[must_use]
    pub fn overview(&self) -> &Overview {
        &self.index.overview
    }

    /// The messages, in the order of the file; repeated ones and those that were taken back, too.
    pub fn messages(&self) -> impl Iterator<Item = usize> {
        let is_message = |node: &Node| matches!(node.what, What::Message { .. });
        self.index.nodes.iter().enumerate().filter(move |(_, node)| is_message(node)).map(|(index, _)| index)
    }

    /// What the user and the model said, without what was taken back.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        let counts = |node: &Node| {
            let Flags { meta, duplicate, rolled_back, .. } = node.flags;
            !meta && !duplicate && !rolled_back
        };
        let is_said = |node: &Node| matches!(node.what, What::Message { role: Role::User | Role::Assistant });
        let messages = self.index.nodes.iter().enumerate().filter(|(_, node)| is_said(node) && counts(node));
        Conversation { messages: messages.map(|(index, _)| index).collect(), ..Conversation::default() }
    }

    /// Whether a record is a message, and not a tool's or anything else.
    fn is_message(&self, index: usize) -> bool {
        self.index.nodes.get(index).is_some_and(|node| matches!(node.what, What::Message { .. }))
    }

    /// Every record of that conversation, tools and reasoning, too, in the order of the file.
    #[must_use]
    pub fn records(&self) -> Vec<usize> {
        let counts = |node: &Node| {
            let Flags { meta, duplicate, rolled_back, .. } = node.flags;
            let is_said = match node.what {
                What::Message { role } => matches!(role, Role::User | Role::Assistant),
                What::Tool(_) | What::Aside => true,
                What::RolledBack { .. } | What::Other => false,
            };
            is_said && !meta && !duplicate && !rolled_back
        };
        let nodes = self.index.nodes.iter().enumerate();
        nodes.filter(|(_, node)| counts(node)).map(|(index, _)| index).collect()
    }

    /// A record, with what it says; without parts if there is no such record.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn message(&self, index: usize) -> Result<Message> {
        Ok(self.message_with_images(index)?.without_data())
    }

    /// The same with the [data](crate::transcript::Image::data) of its images.
    ///
    /// # Errors
    ///
    /// As [`message`](Self::message).
    pub fn message_with_images(&self, index: usize) -> Result<Message> {
        let nothing = Node::default();
        let node = self.index.nodes.get(index).unwrap_or(&nothing);
        let role = match node.what {
            What::Message { role } => role,
            What::Tool(Tool::Call { .. }) | What::Aside => Role::Assistant,
            What::Tool(Tool::Result { .. }) => Role::User,
            _ => Role::System,
        };
        Ok(json::with(&self.log.read(node.span)?, |record| {
            let payload = if record["payload"].is_object() { &record["payload"] } else { record };
            Message {
                index,
                line: node.line,
                span: node.span,
                role,
                id: payload["id"].text(),
                parent: None,
                time: record["timestamp"].text().as_deref().and_then(lines::parse_time),
                flags: node.flags,
                parts: if payload.is_object() { parts(payload) } else { Vec::new() },
            }
        }))
    }

    /// A record, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn raw(&self, index: usize) -> Result<Vec<u8>> {
        let Some(node) = self.index.nodes.get(index) else { return Ok(Vec::new()) };
        Ok(self.log.read(node.span)?)
    }

    /// Every tool call, in the order of the file, with its output. Whether it failed stands in that, if anywhere.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        tree::tool_calls(self.tools())
    }

    fn tools(&self) -> impl Iterator<Item = (u64, &Tool)> + Clone {
        self.index.nodes.iter().filter_map(|node| match &node.what {
            What::Tool(tool) if !node.flags.duplicate => Some((node.line, tool)),
            _ => None,
        })
    }

    /// The ids of outputs whose call is not in the file, each once.
    #[must_use]
    pub fn outputs_without_call(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let orphans = tree::results_without_call(self.tools()).into_iter();
        orphans.filter(|(_, id)| seen.insert(*id)).map(|(_, id)| id.to_owned()).collect()
    }

    /// The compactions.
    #[must_use]
    pub fn compactions(&self) -> &[Compaction] {
        &self.index.compactions
    }

    /// What each answer of the model took, in the order of the file.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        &self.index.answers
    }

    /// Where another file has what came before this one, if one has; see [`lineage`].
    #[must_use]
    pub fn base(&self) -> Option<&Base> {
        self.index.base.as_ref()
    }

    /// What is not as it should be, in the order of the file. Codex itself puts outputs to calls that have none, and drops
    /// those that have no call; it doesn't resume a file that doesn't begin with its header.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.index.ordinals.clone();
        let mut add =
            |kind, line, id: Option<String>, effect| problems.push(Problem { kind, line, id, effect });
        if self.index.has_records && !self.index.begins_with_header {
            add(ProblemKind::NoHeader, 1, None, Effect::Prevents);
        }
        for call in self.tool_calls() {
            if call.result_line.is_none() {
                add(ProblemKind::CallWithoutResult, call.call_line, Some(call.id), Effect::Nothing);
            }
        }
        for (line, id) in tree::results_without_call(self.tools()) {
            add(ProblemKind::ResultWithoutCall, line, Some(id.to_owned()), Effect::Nothing);
        }
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    /// How many events mirror a message, by their types.
    #[must_use]
    pub fn mirrors(&self) -> &BTreeMap<String, u64> {
        &self.index.mirrors
    }

    /// The lines of records that were written again, each with the line of the first.
    #[must_use]
    pub fn repeated(&self) -> &[(u64, u64)] {
        &self.index.repeated
    }
}

impl Reading for Index {
    type Seen = Seen;

    fn see(span: Span, raw: &[u8]) -> Option<Seen> {
        Seen::of(span, raw)
    }

    fn is_record(raw: &[u8]) -> bool {
        ["timestamp", "type", "payload"].iter().all(|name| scan::member(raw, name).is_some())
    }

    fn take(&mut self, line: u64, seen: Seen) {
        let overview = &mut self.overview;
        if !self.has_records {
            self.begins_with_header = seen.meta.is_some();
            self.has_records = true;
        }
        *overview.types.entry(seen.kind).or_default() += 1;
        if let Some(meta) = seen.meta {
            // Forks bring further ones along; the first is its own.
            if self.ids.is_empty() {
                (overview.id, overview.project) = (meta.id.clone(), meta.cwd);
                (overview.branch, overview.agent_version) = (meta.branch, meta.version);
                self.base = meta.base;
            }
            self.ids.push(meta.id.unwrap_or_default());
        }
        if self.base.is_none() {
            self.base = seen.base;
        }
        let time = seen.time.as_deref();
        // Without a time, the same may have been said twice.
        let is_new = time.is_none() || self.hashes.insert(seen.hash);
        if let Some(tokens) = seen.usage.filter(|_| is_new) {
            let (total, is_fork) = (tokens.total, self.ids.len() > 1 || self.base.is_some());
            let usage = match self.total {
                Some(before) => total.since(before).or(tokens.last).unwrap_or(total),
                // What was taken before the fork is in the total.
                None if is_fork => tokens.last.unwrap_or(total),
                None => total,
            };
            // The same count once more is no other answer; the same count after a restart is.
            if self.total != Some(total) {
                let before = self.total.map(|before| (before.input, before.output));
                let usage = Usage { answers: 1, ..usage };
                let model = seen.model.clone().or_else(|| overview.model.clone());
                let time = time.and_then(lines::parse_time);
                self.answers.push(Answer { key: hash_of((before, tokens.hash)), time, model, usage });
            }
            self.total = Some(total);
        }
        if seen.model.is_some() {
            overview.model = seen.model;
        }
        overview.see_time(time);
        if let Some(mirror) = seen.mirror.filter(|_| is_new) {
            *self.mirrors.entry(mirror).or_default() += 1;
        }
        if let Some(ordinal) = seen.ordinal.filter(|_| is_new) {
            let mut add = |kind| {
                let id = Some(ordinal.to_string());
                self.ordinals.push(Problem { kind, line, id, effect: Effect::Nothing });
            };
            match self.last_ordinal {
                Some(last) if ordinal <= last => add(ProblemKind::Order),
                Some(last) if ordinal > last + 1 => add(ProblemKind::Gap),
                _ => {}
            }
            self.last_ordinal = self.last_ordinal.max(Some(ordinal));
        }
        let what = seen.what.unwrap_or(What::Other);
        match &what {
            What::Message { .. } if is_new => {
                overview.messages += 1;
                overview.see_prompt(seen.prompt.filter(|_| !seen.is_context));
            }
            What::Tool(Tool::Call { .. }) => overview.tool_calls += u64::from(is_new),
            _ => {}
        }
        if self.counts_only {
            return;
        }
        self.compactions
            .extend(seen.compaction.filter(|_| is_new).map(|compaction| Compaction { line, ..compaction }));
        let span = seen.span.unwrap_or(Span { offset: 0, len: 0 });
        let flags = Flags { meta: seen.is_context, ..Flags::default() };
        let hash = seen.time.is_some().then_some(seen.hash);
        self.nodes.push(Node { line, span, hash, what, flags });
    }

    fn overview(&mut self) -> &mut Overview {
        &mut self.overview
    }

    fn finish(&mut self, log: &Log) -> Result<()> {
        let root = self.ids.last().cloned().unwrap_or_default();
        for answer in &mut self.answers {
            answer.key = hash_of(("codex", &root, answer.key));
            self.overview.usage += answer.usage;
        }
        self.hashes = HashSet::new();
        self.mark_repeated(log)?;
        self.roll_back();
        Ok(())
    }

    fn count_only(&mut self) {
        self.counts_only = true;
    }
}

impl Index {
    /// A writer that retries after an error writes records again, in the same bytes.
    fn mark_repeated(&mut self, log: &Log) -> Result<()> {
        let mut first: HashMap<u64, usize> = HashMap::new();
        for index in 0..self.nodes.len() {
            let Some(hash) = self.nodes[index].hash else { continue };
            let earlier = *first.entry(hash).or_insert(index);
            if earlier != index && log.read(self.nodes[earlier].span)? == log.read(self.nodes[index].span)? {
                self.nodes[index].flags.duplicate = true;
                self.repeated.push((self.nodes[index].line, self.nodes[earlier].line));
            }
        }
        Ok(())
    }

    /// Takes back the last turns of the user, as often as the file says so.
    fn roll_back(&mut self) {
        // What has not been taken back, and where in it the user's turns begin.
        let (mut live, mut turns): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        for index in 0..self.nodes.len() {
            let Node { flags, what, .. } = &self.nodes[index];
            match what {
                What::RolledBack { turns: back } if !flags.duplicate => {
                    let back = usize::try_from(*back).unwrap_or(usize::MAX);
                    let kept = turns.len().saturating_sub(back);
                    let Some(from) = turns.get(kept).copied() else { continue };
                    turns.truncate(kept);
                    live.drain(from..).for_each(|index| self.nodes[index].flags.rolled_back = true);
                }
                // What is for the model about where it is stays, and so does what tells it how to behave.
                _ if flags.meta => {}
                What::Message { role: Role::Developer } => {}
                What::Message { role: Role::User } if !flags.duplicate => {
                    turns.push(live.len());
                    live.push(index);
                }
                _ => live.push(index),
            }
        }
    }
}

/// The names of threads, by their ids, from `session_index.jsonl`: of several, the last one counts.
///
/// # Errors
///
/// [`Error::Log`](crate::Error::Log) if it can't be read.
pub fn titles(index: &Path) -> Result<HashMap<String, String>> {
    let log = lines::open(index)?;
    let mut titles = HashMap::new();
    for line in lines::lines(&log) {
        for (_, raw) in line?.records {
            if let (Some(id), Some(name)) = (lines::string(&raw, "id"), lines::string(&raw, "thread_name")) {
                titles.insert(id, name);
            }
        }
    }
    Ok(titles)
}
