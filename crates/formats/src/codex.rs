//! Codex's transcripts, which it calls rollouts: `<home>/sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`, and
//! `archived_sessions`.
//!
//! Each line is an envelope: `{"timestamp":…,"type":…,"payload":…}`. What was said stands twice, as a `response_item` and as an
//! `event_msg` that mirrors it; only the former are messages here. A compaction brings a history along that replaces what
//! the model sees, and takes nothing out of the file. `thread_rolled_back` takes turns of the user back. Old records are
//! payloads without an envelope.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use jsonl_core::{Log, Span, scan};
use serde_json::Value;

use crate::error::Result;
use crate::lines::{self, text};
use crate::transcript::{
    Agent, Conversation, Flags, Image, Message, Overview, Part, Role, ToolCall, Usage, base64_len,
};

/// What the agent tells the model about where it is begins with this.
const CONTEXT: [&str; 2] = ["<environment_context>", "<user_instructions>"];

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
struct Index {
    nodes: Vec<Node>,
    overview: Overview,
    compactions: Vec<Compaction>,
    mirrors: BTreeMap<String, u64>,
    /// The lines of records that were written again, and of the first of each.
    repeated: Vec<(u64, u64)>,
    has_meta: bool,
    /// Of all records so far: what is written again counts once.
    hashes: HashSet<u64>,
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
    hash: u64,
    what: What,
    flags: Flags,
}

impl Default for Node {
    fn default() -> Self {
        let span = Span { offset: 0, len: 0 };
        Self { line: 0, span, hash: 0, what: What::Other, flags: Flags::default() }
    }
}

#[derive(Debug)]
enum What {
    Message { role: Role },
    Call { id: Box<str>, name: Box<str> },
    Output { id: Box<str> },
    RolledBack { turns: u64 },
    Other,
}

/// A record as the index sees it.
#[derive(Default)]
struct Seen {
    span: Option<Span>,
    hash: u64,
    kind: String,
    time: Option<String>,
    what: Option<What>,
    is_context: bool,
    meta: Option<Meta>,
    model: Option<String>,
    usage: Option<Usage>,
    mirror: Option<String>,
    compaction: Option<Compaction>,
}

#[derive(Default)]
struct Meta {
    id: Option<String>,
    cwd: Option<String>,
    branch: Option<String>,
    version: Option<String>,
}

impl Codex {
    /// Reads a transcript once, on all processors. The file is neither locked nor mapped.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let log = lines::open(path.as_ref())?;
        let mut index = Index::default();
        lines::index(&log, Seen::of, is_record, |line, found| {
            let Overview { odd, remarks, .. } = &mut index.overview;
            if let Some(seen) = found.record(odd, remarks) {
                index.take(line, seen);
            }
        })?;
        let mut codex = Self { log, index };
        codex.mark_repeated()?;
        codex.index.roll_back();
        let is_message = |node: &&Node| matches!(node.what, What::Message { .. }) && !node.flags.duplicate;
        codex.index.overview.messages = codex.index.nodes.iter().filter(is_message).count() as u64;
        codex.index.overview.tool_calls = codex.tool_calls().len() as u64;
        Ok(codex)
    }

    /// A writer that retries after an error writes records again, in the same bytes.
    fn mark_repeated(&mut self) -> Result<()> {
        let mut first: HashMap<u64, usize> = HashMap::new();
        for index in 0..self.index.nodes.len() {
            let earlier = *first.entry(self.index.nodes[index].hash).or_insert(index);
            if earlier != index && self.raw(earlier)? == self.raw(index)? {
                self.index.nodes[index].flags.duplicate = true;
                self.index.repeated.push((self.index.nodes[index].line, self.index.nodes[earlier].line));
            }
        }
        Ok(())
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

    /// A record, with what it says; without parts if there is no such record.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn message(&self, index: usize) -> Result<Message> {
        let nothing = Node::default();
        let node = self.index.nodes.get(index).unwrap_or(&nothing);
        let value = lines::value(&self.log.read(node.span)?);
        let payload = if value["payload"].is_object() { &value["payload"] } else { &value };
        let role = match node.what {
            What::Message { role } => role,
            What::Call { .. } => Role::Assistant,
            What::Output { .. } => Role::User,
            _ => Role::System,
        };
        Ok(Message {
            index,
            line: node.line,
            span: node.span,
            role,
            id: payload["id"].as_str().map(str::to_owned),
            parent: None,
            time: value["timestamp"].as_str().and_then(lines::parse_time),
            flags: node.flags,
            parts: if payload.is_null() { Vec::new() } else { parts(payload) },
        })
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
        let mut calls: Vec<ToolCall> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for node in &self.index.nodes {
            match &node.what {
                What::Call { id, name } if !places.contains_key(&**id) => {
                    places.insert(id, calls.len());
                    let (id, name) = (id.to_string(), name.to_string());
                    calls.push(ToolCall {
                        id,
                        name,
                        call_line: node.line,
                        result_line: None,
                        is_error: None,
                    });
                }
                What::Output { id } => {
                    if let Some(call) = places.get(&**id).and_then(|place| calls.get_mut(*place)) {
                        call.result_line = call.result_line.or(Some(node.line));
                    }
                }
                _ => {}
            }
        }
        calls
    }

    /// The ids of outputs whose call is not in the file, each once.
    #[must_use]
    pub fn outputs_without_call(&self) -> Vec<String> {
        let calls: HashSet<&str> = self
            .index
            .nodes
            .iter()
            .filter_map(|node| match &node.what {
                What::Call { id, .. } => Some(&**id),
                _ => None,
            })
            .collect();
        let mut seen = HashSet::new();
        let outputs = self.index.nodes.iter().filter_map(|node| match &node.what {
            What::Output { id } => Some(&**id),
            _ => None,
        });
        outputs.filter(|id| !calls.contains(id) && seen.insert(*id)).map(str::to_owned).collect()
    }

    /// The compactions.
    #[must_use]
    pub fn compactions(&self) -> &[Compaction] {
        &self.index.compactions
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

impl Index {
    fn take(&mut self, line: u64, seen: Seen) {
        let overview = &mut self.overview;
        *overview.types.entry(seen.kind).or_default() += 1;
        if let Some(meta) = seen.meta.filter(|_| !self.has_meta) {
            // Forks bring further ones along; the first is its own.
            self.has_meta = true;
            (overview.id, overview.project, overview.branch) = (meta.id, meta.cwd, meta.branch);
            overview.agent_version = meta.version;
        }
        if seen.model.is_some() {
            overview.model = seen.model;
        }
        let is_new = self.hashes.insert(seen.hash);
        if let Some(usage) = seen.usage.filter(|_| is_new) {
            // Each says what all took so far.
            overview.usage = Usage { answers: overview.usage.answers + 1, ..usage };
        }
        overview.see_time(seen.time.as_deref());
        if let Some(mirror) = seen.mirror.filter(|_| is_new) {
            *self.mirrors.entry(mirror).or_default() += 1;
        }
        self.compactions
            .extend(seen.compaction.filter(|_| is_new).map(|compaction| Compaction { line, ..compaction }));
        let span = seen.span.unwrap_or(Span { offset: 0, len: 0 });
        let flags = Flags { meta: seen.is_context, ..Flags::default() };
        self.nodes.push(Node { line, span, hash: seen.hash, what: seen.what.unwrap_or(What::Other), flags });
    }

    /// Takes back the last turns of the user, as often as the file says so.
    fn roll_back(&mut self) {
        for index in 0..self.nodes.len() {
            let What::RolledBack { turns } = self.nodes[index].what else { continue };
            if self.nodes[index].flags.duplicate {
                continue;
            }
            let mut left = turns;
            for node in self.nodes[..index].iter_mut().rev() {
                if left == 0 {
                    break;
                }
                if let What::Message { role } = node.what
                    && !node.flags.rolled_back
                    && !node.flags.meta
                    && role != Role::Developer
                {
                    node.flags.rolled_back = true;
                    left -= u64::from(role == Role::User && !node.flags.duplicate);
                }
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

/// Whether an object that was found inside a damaged line is a record, and not a part of one.
fn is_record(raw: &[u8]) -> bool {
    ["timestamp", "type", "payload"].iter().all(|name| lines::member(raw, name).is_some())
}

impl Seen {
    /// What the index sees of a line; `None` if it is no JSON object.
    fn of(span: Span, raw: &[u8]) -> Option<Self> {
        let mut seen = Self { span: Some(span), ..Self::default() };
        let mut payload = None;
        let mut members = scan::members(raw);
        for member in &mut members {
            match member.key {
                b"type" => seen.kind = text(member.value).unwrap_or_default(),
                b"timestamp" => seen.time = text(member.value),
                b"payload" => payload = Some(member.value),
                _ => {}
            }
        }
        if !members.is_whole() {
            return None;
        }
        let mut hash = DefaultHasher::new();
        raw.hash(&mut hash);
        seen.hash = hash.finish();
        match (seen.kind.as_str(), payload.filter(|payload| payload.starts_with(b"{"))) {
            ("response_item", Some(item)) => seen.take_item(item),
            ("event_msg", Some(event)) => seen.take_event(event),
            ("session_meta", Some(meta)) => {
                let git = lines::member(meta, "git").filter(|git| git.starts_with(b"{"));
                seen.meta = Some(Meta {
                    id: lines::string(meta, "id"),
                    cwd: lines::string(meta, "cwd"),
                    branch: git.and_then(|git| lines::string(git, "branch")),
                    version: lines::string(meta, "cli_version"),
                });
            }
            ("turn_context", Some(context)) => seen.model = lines::string(context, "model"),
            ("compacted", Some(compacted)) => seen.compaction = Some(compaction(compacted)),
            // Before there were envelopes.
            ("message" | "function_call" | "function_call_output" | "reasoning", None) => seen.take_item(raw),
            _ => {}
        }
        Some(seen)
    }

    fn take_item(&mut self, item: &[u8]) {
        let string = |name| lines::string(item, name).unwrap_or_default().into_boxed_str();
        match &*string("type") {
            "message" => {
                let role = match &*string("role") {
                    "user" => Role::User,
                    "assistant" => Role::Assistant,
                    "developer" => Role::Developer,
                    _ => Role::System,
                };
                self.what = Some(What::Message { role });
                self.is_context = role == Role::User && begins_with_context(item);
            }
            "function_call" | "custom_tool_call" => {
                self.what = Some(What::Call { id: string("call_id"), name: string("name") });
            }
            "local_shell_call" => {
                self.what = Some(What::Call { id: string("call_id"), name: "local_shell".into() })
            }
            "function_call_output" | "custom_tool_call_output" => {
                self.what = Some(What::Output { id: string("call_id") });
            }
            _ => {}
        }
    }

    fn take_event(&mut self, event: &[u8]) {
        match lines::string(event, "type").unwrap_or_default() {
            kind if kind == "user_message" || kind == "agent_message" => self.mirror = Some(kind),
            kind if kind == "thread_rolled_back" => {
                let turns = lines::number(event, "num_turns").unwrap_or(0);
                self.what = Some(What::RolledBack { turns });
            }
            kind if kind == "token_count" => {
                let info = lines::member(event, "info").filter(|info| info.starts_with(b"{"));
                let total = info.and_then(|info| lines::member(info, "total_token_usage"));
                self.usage = total.filter(|total| total.starts_with(b"{")).map(usage_of);
            }
            _ => {}
        }
    }
}

/// The first text of a message tells.
fn begins_with_context(item: &[u8]) -> bool {
    let content = lines::member(item, "content").filter(|content| content.starts_with(b"["));
    let mut items = scan::items(content.unwrap_or(b"[]")).filter(|item| item.starts_with(b"{"));
    let text = items.find_map(|item| lines::string(item, "text")).unwrap_or_default();
    CONTEXT.iter().any(|mark| text.trim_start().starts_with(mark))
}

fn compaction(payload: &[u8]) -> Compaction {
    let history = lines::member(payload, "replacement_history").filter(|history| history.starts_with(b"["));
    let (mut items, mut images) = (0, 0);
    for item in scan::items(history.unwrap_or(b"[]")) {
        items += 1;
        let content = if item.starts_with(b"{") { lines::member(item, "content") } else { None };
        for part in scan::items(content.filter(|content| content.starts_with(b"[")).unwrap_or(b"[]")) {
            images += u64::from(
                part.starts_with(b"{") && lines::string(part, "type").as_deref() == Some("input_image"),
            );
        }
    }
    Compaction { line: 0, message: lines::string(payload, "message").unwrap_or_default(), items, images }
}

/// What all answers took: `input_tokens` has those of the cache in it.
fn usage_of(total: &[u8]) -> Usage {
    let count = |name| lines::number(total, name).unwrap_or(0);
    let cache_read = count("cached_input_tokens");
    Usage {
        input: count("input_tokens").saturating_sub(cache_read),
        cache_read,
        output: count("output_tokens"),
        ..Usage::default()
    }
}

fn parts(item: &Value) -> Vec<Part> {
    let string = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    match item["type"].as_str() {
        Some("message") => item["content"].as_array().into_iter().flatten().map(part).collect(),
        Some("reasoning") => {
            let texts = |name: &str| {
                let parts = item[name].as_array().into_iter().flatten();
                parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
            };
            [texts("summary"), texts("content")]
                .into_iter()
                .filter(|text| !text.is_empty())
                .map(Part::Reasoning)
                .collect()
        }
        Some("function_call") => {
            vec![Part::ToolCall { id: string("call_id"), name: string("name"), input: string("arguments") }]
        }
        Some("custom_tool_call") => {
            let input = Value::String(string("input")).to_string();
            vec![Part::ToolCall { id: string("call_id"), name: string("name"), input }]
        }
        Some("local_shell_call") => {
            let (id, input) = (string("call_id"), item["action"].to_string());
            vec![Part::ToolCall { id, name: "local_shell".to_owned(), input }]
        }
        Some("function_call_output" | "custom_tool_call_output") => vec![output(item)],
        other => vec![Part::Other(other.unwrap_or_default().to_owned())],
    }
}

fn part(item: &Value) -> Part {
    match item["type"].as_str() {
        Some("input_text" | "output_text" | "text") => {
            Part::Text(item["text"].as_str().unwrap_or_default().to_owned())
        }
        Some("input_image") => Part::Image(image(item)),
        other => Part::Other(other.unwrap_or_default().to_owned()),
    }
}

/// A text, or an object with items; older ones have a text that is such an object.
fn output(item: &Value) -> Part {
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    let output = &item["output"];
    if let Some(text) = output.as_str() {
        texts.push(text.to_owned());
    }
    for part in output["content_items"].as_array().or_else(|| output.as_array()).into_iter().flatten() {
        match self::part(part) {
            Part::Text(text) => texts.push(text),
            Part::Image(image) => images.push(image),
            _ => {}
        }
    }
    texts.extend(output["content"].as_str().map(str::to_owned));
    Part::ToolResult {
        id: item["call_id"].as_str().unwrap_or_default().to_owned(),
        text: texts.join("\n"),
        is_error: output["success"] == Value::Bool(false),
        images,
    }
}

/// `data:image/png;base64,…`, or an address.
fn image(item: &Value) -> Image {
    let url = item["image_url"].as_str().unwrap_or_default();
    let Some((head, data)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')) else {
        return Image {
            media_type: None,
            len: None,
            url: Some(url.to_owned()).filter(|url| !url.is_empty()),
        };
    };
    let media_type = head.split(';').next().filter(|kind| !kind.is_empty()).map(str::to_owned);
    Image { media_type, len: Some(base64_len(data)), url: None }
}
