//! Claude Code's transcripts: `<config>/projects/<folder>/<session>.jsonl`, and those of its sub-agents.
//!
//! There is no official schema, so everything is optional. Records are a tree: each names the one that it follows, and a
//! conversation is the way back from a leaf. One answer of the model stands in several lines, each with the usage so far; the
//! last one counts. Lines may be repeated, byte for byte or under the same id; the first one counts.

use std::collections::HashMap;
use std::path::Path;

use jsonl_core::{Log, Span, scan};
use serde_json::Value;

use crate::error::Result;
use crate::lines::{self, text};
use crate::transcript::{
    Agent, Conversation, Image, Message, Overview, Part, Role, ToolCall, Usage, base64_len,
};
use crate::tree::{Node, Tool, Tree};

/// A transcript of Claude Code, or of one of its sub-agents.
///
/// ```
/// # fn main() -> annals_formats::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("s.jsonl");
/// # std::fs::write(&path, concat!(
/// #   r#"{"type":"user","uuid":"u1","parentUuid":null,"sessionId":"s","message":{"role":"user","content":"hi"}}"#, "\n",
/// #   r#"{"type":"assistant","uuid":"u2","parentUuid":"u1","sessionId":"s","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]}}"#, "\n",
/// # )).unwrap();
/// use annals_formats::claude_code::ClaudeCode;
///
/// let transcript = ClaudeCode::open(&path)?;
/// assert_eq!(transcript.overview().id.as_deref(), Some("s"));
/// let said: Vec<String> =
///     transcript.conversation().messages.iter().map(|index| Ok(transcript.message(*index)?.text())).collect::<annals_formats::Result<_>>()?;
/// assert_eq!(said, ["hi", "hello"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ClaudeCode {
    log: Log,
    tree: Tree,
    overview: Overview,
}

/// A record as the index sees it.
#[derive(Debug, Default)]
struct Seen {
    node: Node,
    kind: String,
    session: Option<String>,
    cwd: Option<String>,
    branch: Option<String>,
    version: Option<String>,
    model: Option<String>,
    time: Option<String>,
    custom_title: Option<String>,
    summary: Option<String>,
    /// By which an answer is known, and what it took.
    usage: Option<((String, String), Usage)>,
}

impl ClaudeCode {
    /// Reads a transcript once, on all processors. The file is neither locked nor mapped.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let log = lines::open(path.as_ref())?;
        let mut reading = Reading::default();
        lines::index(&log, Seen::of, is_record, |line, found| {
            let Overview { odd, remarks, .. } = &mut reading.overview;
            if let Some(seen) = found.record(odd, remarks) {
                reading.take(line, seen);
            }
        })?;
        let Reading { tree, mut overview, answers, custom_title, summary } = reading;
        overview.title = custom_title.or(summary);
        overview.tool_calls = tree.tool_calls().len() as u64;
        answers.into_values().for_each(|usage| overview.usage += usage);
        Ok(Self { log, tree, overview })
    }

    /// Who wrote it.
    #[must_use]
    pub fn agent(&self) -> Agent {
        Agent::ClaudeCode
    }

    /// What it says of its session.
    #[must_use]
    pub fn overview(&self) -> &Overview {
        &self.overview
    }

    /// The records that have a text, in the order of the file; duplicates and side chains, too.
    pub fn messages(&self) -> impl Iterator<Item = usize> {
        self.tree.messages()
    }

    /// A record of a user, the model or the agent, with what it says; without parts if there is no such record.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn message(&self, index: usize) -> Result<Message> {
        self.tree.message(&self.log, index, parts)
    }

    /// A record, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn raw(&self, index: usize) -> Result<Vec<u8>> {
        self.tree.raw(&self.log, index)
    }

    /// The conversation that is gone on with when the session is resumed: that of the last record that is not of a
    /// side chain, or of a side chain where there is nothing else.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        let of = |sidechain: bool| {
            let is_leaf = |node: &Node| node.role.is_some() && node.flags.sidechain == sidechain;
            self.tree.nodes().iter().rposition(is_leaf)
        };
        of(false).or_else(|| of(true)).map_or_else(Conversation::default, |leaf| self.conversation_to(leaf))
    }

    /// The conversation that ends with a record.
    #[must_use]
    pub fn conversation_to(&self, leaf: usize) -> Conversation {
        self.tree.conversation_to(leaf)
    }

    /// Every tool call, in the order of the file, with its result.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        self.tree.tool_calls()
    }

    /// The ids of results whose call is not in the file, each once.
    #[must_use]
    pub fn results_without_call(&self) -> Vec<String> {
        self.tree.results_without_call()
    }

    /// Ids that several records have, with the lines of these.
    #[must_use]
    pub fn duplicate_ids(&self) -> Vec<(String, Vec<u64>)> {
        self.tree.duplicate_ids()
    }

    /// Records that follow one that is not in the file: the line, and the missing one's id.
    #[must_use]
    pub fn missing_parents(&self) -> Vec<(u64, String)> {
        self.tree.missing_parents()
    }
}

/// The index while it is made.
#[derive(Default)]
struct Reading {
    tree: Tree,
    overview: Overview,
    answers: HashMap<(String, String), Usage>,
    custom_title: Option<String>,
    summary: Option<String>,
}

impl Reading {
    fn take(&mut self, line: u64, seen: Seen) {
        let Seen { mut node, .. } = seen;
        let overview = &mut self.overview;
        *overview.types.entry(seen.kind).or_default() += 1;
        node.line = line;
        for (slot, value) in [
            (&mut overview.id, &seen.session),
            (&mut overview.project, &seen.cwd),
            (&mut overview.branch, &seen.branch),
        ] {
            if slot.is_none() {
                slot.clone_from(value);
            }
        }
        for (slot, value) in [
            (&mut overview.agent_version, seen.version),
            (&mut overview.model, seen.model),
            (&mut self.custom_title, seen.custom_title),
            (&mut self.summary, seen.summary),
        ] {
            if value.is_some() {
                *slot = value;
            }
        }
        overview.see_time(seen.time.as_deref());
        if let Some((answer, usage)) = seen.usage {
            self.answers.insert(answer, usage);
        }
        let node = self.tree.push(node);
        overview.messages += u64::from(node.has_text && !node.flags.duplicate);
    }
}

/// Whether an object that was found inside a damaged line is a record, and not a part of one.
fn is_record(raw: &[u8]) -> bool {
    lines::string(raw, "type").is_some()
        && ["uuid", "sessionId", "leafUuid", "snapshot"].iter().any(|name| lines::member(raw, name).is_some())
}

impl Seen {
    /// What the index sees of a line; `None` if it is no JSON object.
    fn of(span: Span, raw: &[u8]) -> Option<Self> {
        let mut seen = Self::default();
        let mut members = scan::members(raw);
        let mut message = None;
        for member in &mut members {
            match member.key {
                b"type" => seen.kind = text(member.value).unwrap_or_default(),
                b"uuid" => seen.node.id = text(member.value).map(String::into_boxed_str),
                b"parentUuid" => seen.node.parent = text(member.value).map(String::into_boxed_str),
                b"logicalParentUuid" => {
                    seen.node.logical_parent = text(member.value).map(String::into_boxed_str)
                }
                b"isSidechain" => seen.node.flags.sidechain = member.value == b"true",
                b"isMeta" => seen.node.flags.meta = member.value == b"true",
                b"isCompactSummary" => seen.node.flags.compact_summary = member.value == b"true",
                b"sessionId" => seen.session = text(member.value),
                b"cwd" => seen.cwd = text(member.value),
                b"gitBranch" => seen.branch = text(member.value),
                b"version" => seen.version = text(member.value),
                b"timestamp" => seen.time = text(member.value),
                b"customTitle" => seen.custom_title = text(member.value),
                b"summary" => seen.summary = text(member.value),
                b"requestId" => {
                    seen.usage.get_or_insert_default().0.1 = text(member.value).unwrap_or_default();
                }
                b"message" => message = Some(member.value),
                _ => {}
            }
        }
        if !members.is_whole() {
            return None;
        }
        seen.node.span = span;
        seen.node.role = match seen.kind.as_str() {
            "user" => Some(Role::User),
            "assistant" => Some(Role::Assistant),
            "system" => Some(Role::System),
            _ => None,
        };
        if seen.kind != "custom-title" {
            seen.custom_title = None;
        }
        if seen.kind != "summary" {
            seen.summary = None;
        }
        let request = seen.usage.take().map(|((_, request), _)| request).unwrap_or_default();
        if let Some(message) = message.filter(|message| message.starts_with(b"{")) {
            seen.take_message(message, request);
        }
        if seen.node.role == Some(Role::System) {
            seen.node.has_text = false;
        }
        Some(seen)
    }

    fn take_message(&mut self, message: &[u8], request: String) {
        let (mut id, mut usage) = (String::new(), None);
        for member in scan::members(message) {
            match member.key {
                b"id" => id = text(member.value).unwrap_or_default(),
                b"model" => self.model = text(member.value),
                b"usage" => usage = usage_of(member.value),
                b"content" => self.take_content(member.value),
                _ => {}
            }
        }
        if self.node.role != Some(Role::Assistant) {
            self.model = None;
        } else if let Some(usage) = usage {
            self.usage = Some(((id, request), usage));
        }
    }

    fn take_content(&mut self, content: &[u8]) {
        if content.starts_with(b"\"") {
            self.node.has_text = true;
            return;
        }
        if !content.starts_with(b"[") {
            return;
        }
        for item in scan::items(content).filter(|item| item.starts_with(b"{")) {
            let string = |name| lines::string(item, name).unwrap_or_default().into_boxed_str();
            match lines::string(item, "type").as_deref() {
                Some("text") => self.node.has_text = true,
                Some("tool_use") => {
                    self.node.tools.push(Tool::Call { id: string("id"), name: string("name") })
                }
                Some("tool_result") => {
                    let is_error = lines::member(item, "is_error") == Some(b"true");
                    self.node.tools.push(Tool::Result { id: string("tool_use_id"), is_error });
                }
                _ => {}
            }
        }
    }
}

fn usage_of(object: &[u8]) -> Option<Usage> {
    if !object.starts_with(b"{") {
        return None;
    }
    let count = |name| lines::number(object, name).unwrap_or(0);
    Some(Usage {
        answers: 1,
        input: count("input_tokens"),
        cache_written: count("cache_creation_input_tokens"),
        cache_read: count("cache_read_input_tokens"),
        output: count("output_tokens"),
    })
}

fn parts(record: &Value) -> Vec<Part> {
    match &record["message"]["content"] {
        Value::String(text) => vec![Part::Text(text.clone())],
        Value::Array(items) => items.iter().map(part).collect(),
        _ => record["content"].as_str().map(|text| Part::Text(text.to_owned())).into_iter().collect(),
    }
}

fn part(item: &Value) -> Part {
    let string = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    match item["type"].as_str() {
        Some("text") => Part::Text(string("text")),
        Some("thinking") => Part::Reasoning(string("thinking")),
        Some("tool_use") => {
            Part::ToolCall { id: string("id"), name: string("name"), input: item["input"].to_string() }
        }
        Some("tool_result") => {
            let (mut texts, mut images) = (Vec::new(), Vec::new());
            match &item["content"] {
                Value::String(text) => texts.push(text.clone()),
                Value::Array(items) => {
                    for item in items {
                        match item["type"].as_str() {
                            Some("image") => images.push(image(item)),
                            _ => texts.extend(item["text"].as_str().map(str::to_owned)),
                        }
                    }
                }
                _ => {}
            }
            let is_error = item["is_error"] == Value::Bool(true);
            Part::ToolResult { id: string("tool_use_id"), text: texts.join("\n"), is_error, images }
        }
        Some("image") => Part::Image(image(item)),
        other => Part::Other(other.unwrap_or_default().to_owned()),
    }
}

fn image(item: &Value) -> Image {
    let source = &item["source"];
    let len = source["data"].as_str().map(base64_len);
    Image {
        media_type: source["media_type"].as_str().map(str::to_owned),
        len,
        url: source["url"].as_str().map(str::to_owned),
    }
}
