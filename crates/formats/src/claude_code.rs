//! Claude Code's transcripts: `<config>/projects/<folder>/<session>.jsonl`, and those of its sub-agents.
//!
//! There is no official schema, so everything is optional. Records are a tree: each names the one that it follows, and a
//! conversation is the way back from a leaf. One answer of the model stands in several lines, each with the usage so far; the
//! last one counts. Lines may be repeated, byte for byte or under the same id; the first one counts.

use std::collections::HashMap;
use std::path::Path;

use jsonl_core::scan::{self, Walker};
use jsonl_core::{Log, Span};

use crate::error::Result;
use crate::foreign::Remark;
use crate::homes::{TranscriptEntry, list_folder, list_whole};
use crate::json::Json;
use crate::lines::{self, text};
use crate::packed;
use crate::reading::{self, Reading};
use crate::transcript::{
    Agent, Answer, Conversation, Effect, Flags, Image, Message, Overview, Part, Problem, Role, ToolCall,
    Usage, hash_of, prompt_of,
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
    index: Index,
}

/// A record as the index sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
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
    prompt: Option<String>,
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
        Self::of(packed::open(path.as_ref(), None)?)
    }

    pub(crate) fn of(opened: (Log, Option<Remark>)) -> Result<Self> {
        let (log, index) = reading::read(opened)?;
        Ok(Self::of_index(log, index))
    }

    pub(crate) fn of_index(log: Log, index: Index) -> Self {
        Self { log, index }
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.index.tree
    }

    /// Who wrote it.
    #[must_use]
    pub fn agent(&self) -> Agent {
        Agent::ClaudeCode
    }

    /// What it says of its session.
    #[must_use]
    pub fn overview(&self) -> &Overview {
        &self.index.overview
    }

    /// The records that have a text, in the order of the file; duplicates and side chains, too.
    pub fn messages(&self) -> impl Iterator<Item = usize> {
        self.index.tree.messages()
    }

    /// A record of a user, the model or the agent, with what it says; without parts if there is no such record.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn message(&self, index: usize) -> Result<Message> {
        Ok(self.message_with_images(index)?.without_data())
    }

    /// The same with the [data](Image::data) of its images.
    ///
    /// # Errors
    ///
    /// As [`message`](Self::message).
    pub fn message_with_images(&self, index: usize) -> Result<Message> {
        self.index.tree.message(&self.log, index, parts)
    }

    /// A record, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn raw(&self, index: usize) -> Result<Vec<u8>> {
        self.index.tree.raw(&self.log, index)
    }

    /// The conversation that is gone on with when the session is resumed: that of the last record that is not of a
    /// side chain, or of a side chain where there is nothing else.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        self.leaf().map_or_else(Conversation::default, |leaf| self.conversation_to(leaf))
    }

    fn leaf(&self) -> Option<usize> {
        let of = |sidechain: bool| {
            let is_leaf = |node: &Node| {
                let Flags { sidechain: is_beside, duplicate, .. } = node.flags;
                node.role.is_some() && is_beside == sidechain && !duplicate
            };
            self.index.tree.nodes().iter().rposition(is_leaf)
        };
        of(false).or_else(|| of(true))
    }

    /// What each answer of the model took, in the order of the file.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        &self.index.answers
    }

    /// What is not as it should be, in the order of the file. The model's interface refuses a conversation with a call
    /// that has no result, or the other way round; a missing parent cuts off what came before.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.index.tree.problems(self.leaf(), [Effect::Prevents; 2])
    }

    /// Every record of that conversation, those with nothing but tools, too, in the order of the file.
    #[must_use]
    pub fn records(&self) -> Vec<usize> {
        self.leaf().map_or_else(Vec::new, |leaf| self.index.tree.records_to(leaf))
    }

    /// The conversation that ends with a record.
    #[must_use]
    pub fn conversation_to(&self, leaf: usize) -> Conversation {
        self.index.tree.conversation_to(leaf)
    }

    /// Every tool call, in the order of the file, with its result.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        self.index.tree.tool_calls()
    }

    /// The ids of results whose call is not in the file, each once.
    #[must_use]
    pub fn results_without_call(&self) -> Vec<String> {
        self.index.tree.results_without_call()
    }

    /// Ids that several records have, with the lines of these.
    #[must_use]
    pub fn duplicate_ids(&self) -> Vec<(String, Vec<u64>)> {
        self.index.tree.duplicate_ids()
    }

    /// Records that follow one that is not in the file: the line, and the missing one's id.
    #[must_use]
    pub fn missing_parents(&self) -> Vec<(u64, String)> {
        self.index.tree.missing_parents()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    tree: Tree,
    overview: Overview,
    pub(crate) answers: Vec<Answer>,
    /// Which of them it is.
    places: HashMap<u64, usize>,
    custom_title: Option<String>,
    summary: Option<String>,
}

impl Reading for Index {
    type Seen = Seen;

    fn see(span: Span, raw: &[u8]) -> Option<Seen> {
        Seen::of(span, raw)
    }

    fn is_record(raw: &[u8]) -> bool {
        lines::string(raw, "type").is_some()
            && ["uuid", "sessionId", "leafUuid", "snapshot"]
                .iter()
                .any(|name| scan::member(raw, name).is_some())
    }

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
        overview.see_time(seen.time.as_deref());
        if !node.flags.meta && !node.flags.compact_summary {
            overview.see_prompt(seen.prompt);
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
        let pushed = self.tree.push(node);
        if pushed.is_duplicate {
            return;
        }
        if let Some((answer, usage)) = seen.usage {
            let time = seen.time.as_deref().and_then(lines::parse_time);
            // What it took so far; the last one counts.
            let place = *self.places.entry(hash_of(("claude-code", &answer))).or_insert_with_key(|key| {
                self.answers.push(Answer { key: *key, time, model: overview.model.clone(), usage });
                self.answers.len() - 1
            });
            self.answers[place].usage = usage;
        }
        overview.messages += u64::from(pushed.has_text);
        overview.tool_calls += pushed.calls;
    }

    fn overview(&mut self) -> &mut Overview {
        &mut self.overview
    }

    fn finish(&mut self, _: &Log) -> Result<()> {
        self.overview.title = self.custom_title.take().or(self.summary.take());
        self.answers.iter().for_each(|answer| self.overview.usage += answer.usage);
        self.places = HashMap::new();
        Ok(())
    }

    fn count_only(&mut self) {
        self.tree.count_only();
    }
}

/// What of a message's members counts; the texts are as they are written.
#[derive(Default)]
struct Inside<'a> {
    id: &'a [u8],
    model: &'a [u8],
    usage: &'a [u8],
    first_text: Option<&'a [u8]>,
    has_text: bool,
    tools: Vec<Tool>,
}

impl Seen {
    /// What the index sees of a line; `None` if it is no JSON object.
    fn of(span: Span, raw: &[u8]) -> Option<Self> {
        let mut seen = Self::default();
        let mut inside = Inside::default();
        let mut request = None;
        let mut walker = Walker::new(raw);
        if walker.peek() != Some(b'{') {
            return None;
        }
        walker.object(|key, value| match &*scan::name(key) {
            b"type" => seen.kind = text(value.value()).unwrap_or_default(),
            b"uuid" => seen.node.id = text(value.value()).map(String::into_boxed_str),
            b"parentUuid" => seen.node.parent = text(value.value()).map(String::into_boxed_str),
            b"logicalParentUuid" => {
                seen.node.logical_parent = text(value.value()).map(String::into_boxed_str);
            }
            b"isSidechain" => seen.node.flags.sidechain = value.value() == b"true",
            b"isMeta" => seen.node.flags.meta = value.value() == b"true",
            b"isCompactSummary" => seen.node.flags.compact_summary = value.value() == b"true",
            b"sessionId" => seen.session = text(value.value()),
            b"cwd" => seen.cwd = text(value.value()),
            b"gitBranch" => seen.branch = text(value.value()),
            b"version" => seen.version = text(value.value()),
            b"timestamp" => seen.time = text(value.value()),
            b"customTitle" => seen.custom_title = text(value.value()),
            b"summary" => seen.summary = text(value.value()),
            b"requestId" => request = text(value.value()),
            b"message" => inside = Inside::of(value),
            _ => {}
        });
        if !walker.is_whole() {
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
        seen.node.has_text = inside.has_text && seen.node.role != Some(Role::System);
        seen.node.tools = inside.tools;
        match seen.node.role {
            Some(Role::User) if !seen.node.flags.meta => {
                seen.prompt = inside.first_text.and_then(text).and_then(|text| prompt_of(&text));
            }
            Some(Role::Assistant) => {
                seen.model = text(inside.model);
                let mut id = text(inside.id).unwrap_or_default();
                if id.is_empty() && request.is_none() {
                    // Nothing else tells answers apart.
                    id = seen.node.id.as_deref().unwrap_or_default().to_owned();
                }
                seen.usage = usage_of(inside.usage).map(|usage| ((id, request.unwrap_or_default()), usage));
            }
            _ => {}
        }
        Some(seen)
    }
}

impl<'a> Inside<'a> {
    fn of(message: &mut Walker<'a>) -> Self {
        let mut inside = Self::default();
        message.object(|key, value| match &*scan::name(key) {
            b"id" => inside.id = value.value(),
            b"model" => inside.model = value.value(),
            b"usage" => inside.usage = value.value(),
            b"content" if value.peek() == Some(b'"') => {
                inside.has_text = true;
                inside.first_text = Some(value.value());
            }
            b"content" => value.array(|item| inside.take(item)),
            _ => {}
        });
        inside
    }

    /// One part of a content.
    fn take(&mut self, item: &mut Walker<'a>) {
        let (mut kind, mut said, mut id, mut name) = (&b""[..], None, &b""[..], &b""[..]);
        let (mut result, mut is_error) = (&b""[..], false);
        item.object(|key, value| match &*scan::name(key) {
            b"type" => kind = value.value(),
            b"text" => said = Some(value.value()),
            b"id" => id = value.value(),
            b"name" => name = value.value(),
            b"tool_use_id" => result = value.value(),
            b"is_error" => is_error = value.value() == b"true",
            _ => {}
        });
        let boxed = |value| text(value).unwrap_or_default().into_boxed_str();
        match &*scan::name(kind) {
            b"\"text\"" => {
                self.has_text = true;
                self.first_text = self.first_text.or(said);
            }
            b"\"tool_use\"" => self.tools.push(Tool::Call { id: boxed(id), name: boxed(name) }),
            b"\"tool_result\"" => {
                self.tools.push(Tool::Result { id: boxed(result), is_error: Some(is_error) });
            }
            _ => {}
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

pub(crate) fn parts(record: &Json<'_>) -> Vec<Part> {
    let content = &record["message"]["content"];
    if content.is_array() {
        return content.items().iter().map(part).collect();
    }
    content.text().or_else(|| record["content"].text()).map(Part::Text).into_iter().collect()
}

fn part(item: &Json<'_>) -> Part {
    match item["type"].word() {
        Some("text") => Part::Text(item["text"].string()),
        Some("thinking") => Part::Reasoning(item["thinking"].string()),
        Some("tool_use") => Part::ToolCall {
            id: item["id"].string(),
            name: item["name"].string(),
            input: item["input"].json(),
        },
        Some("tool_result") => {
            let (mut texts, mut images) = (Vec::new(), Vec::new());
            texts.extend(item["content"].text());
            for item in item["content"].items() {
                match item["type"].word() {
                    Some("image") => images.push(image(item)),
                    _ => texts.extend(item["text"].text()),
                }
            }
            let is_error = item["is_error"].is_true();
            Part::ToolResult { id: item["tool_use_id"].string(), text: texts.join("\n"), is_error, images }
        }
        Some("image") => Part::Image(image(item)),
        _ => Part::Other(item["type"].string()),
    }
}

fn image(item: &Json<'_>) -> Image {
    let source = &item["source"];
    let media_type = source["media_type"].text();
    match source["data"].text() {
        Some(data) => Image::inside(media_type, &data),
        None => Image { media_type, len: None, url: source["url"].text(), data: None },
    }
}

/// The transcripts of a session's sub-agents: `<session>/subagents/*.jsonl` beside it, and those of older builds, which lie beside it as
/// `agent-<id>.jsonl` and name the session.
///
/// # Errors
///
/// [`Error`](crate::Error) if a folder can't be listed, or something in it can't be looked at.
pub fn subagents(path: &Path) -> Result<Vec<TranscriptEntry>> {
    let folder = path.with_extension("").join("subagents");
    let mut found = list_whole(&folder)?;
    let session = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(beside) = path.parent() else { return Ok(found) };
    for entry in list_folder(beside, "agent-")? {
        if entry.path == path {
            continue;
        }
        let log = lines::open(&entry.path)?;
        let glance = reading::glance::<Index>(&log)?;
        if glance.overview.id.as_deref() == Some(&session) {
            found.push(entry);
        }
    }
    Ok(found)
}
