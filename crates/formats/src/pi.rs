//! pi's transcripts: `~/.pi/agent/sessions/<folder>/<time>_<id>.jsonl`; OpenClaw, omp and senpi write the same.
//!
//! The first line is a header. Each entry behind it names the one that it follows, and the conversation is the way back from the
//! last one. Of entries with the same id the first one counts; a second header counts for nothing.

use std::collections::BTreeMap;
use std::path::Path;

use jsonl_core::{Log, Span, scan};

use crate::error::Result;
use crate::foreign::Remark;
use crate::json::Json;
use crate::lines::{self, text};
use crate::packed;
use crate::reading::{self, Reading};
use crate::transcript::{
    Agent, Answer, Conversation, Effect, Image, Message, Overview, Part, Problem, ProblemKind, Role,
    ToolCall, Usage, hash_of, prompt_of, texts_and_images,
};
use crate::tree::{Node, Tool, Tree};

/// A transcript of pi.
///
/// ```
/// # fn main() -> annals_formats::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("s.jsonl");
/// # std::fs::write(&path, concat!(
/// #   r#"{"type":"session","version":3,"id":"s","cwd":"/w"}"#, "\n",
/// #   r#"{"type":"message","id":"a","parentId":null,"message":{"role":"user","content":"hi"}}"#, "\n",
/// # )).unwrap();
/// use annals_formats::pi::Pi;
///
/// let transcript = Pi::open(&path)?;
/// assert_eq!(transcript.overview().project.as_deref(), Some("/w"));
/// assert_eq!(transcript.conversation().messages.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pi {
    log: Log,
    index: Index,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    tree: Tree,
    overview: Overview,
    version: Option<u64>,
    parent_session: Option<String>,
    labels: BTreeMap<String, String>,
    compactions: Vec<Compaction>,
    pub(crate) answers: Vec<Answer>,
    has_header: bool,
    has_records: bool,
    begins_with_header: bool,
}

/// What is left of what was said before it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// The line.
    pub line: u64,
    /// The summary.
    pub summary: String,
    /// The first entry that the model still sees.
    pub first_kept: Option<String>,
}

/// A record as the index sees it.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    node: Node,
    kind: String,
    time: Option<String>,
    header: Option<Header>,
    name: Option<String>,
    model: Option<String>,
    usage: Option<Usage>,
    prompt: Option<String>,
    label: Option<(String, Option<String>)>,
    compaction: Option<Compaction>,
}

#[derive(Clone)]
struct Header {
    id: Option<String>,
    cwd: Option<String>,
    version: Option<u64>,
    parent: Option<String>,
}

impl Pi {
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
        Agent::Pi
    }

    /// What it says of its session.
    #[must_use]
    pub fn overview(&self) -> &Overview {
        &self.index.overview
    }

    /// The version of its format.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.index.version
    }

    /// The transcript that it was forked from, as its header says.
    #[must_use]
    pub fn parent_session(&self) -> Option<&str> {
        self.index.parent_session.as_deref()
    }

    /// The labels of entries, by their ids.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.index.labels
    }

    /// The compactions.
    #[must_use]
    pub fn compactions(&self) -> &[Compaction] {
        &self.index.compactions
    }

    /// The entries of the user and the model that have a text, in the order of the file; duplicates, too.
    pub fn messages(&self) -> impl Iterator<Item = usize> {
        self.index.tree.messages()
    }

    /// An entry, with what it says; without parts if there is no such entry.
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
        self.index.tree.message(&self.log, index, |entry| parts(&entry["message"]))
    }

    /// An entry, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn raw(&self, index: usize) -> Result<Vec<u8>> {
        self.index.tree.raw(&self.log, index)
    }

    /// The conversation that is gone on with: that of the last entry.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        self.leaf().map_or_else(Conversation::default, |leaf| self.conversation_to(leaf))
    }

    fn leaf(&self) -> Option<usize> {
        self.index.tree.nodes().iter().rposition(|node| node.id.is_some() && !node.flags.duplicate)
    }

    /// What each answer of the model took, in the order of the file.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        &self.index.answers
    }

    /// What is not as it should be, in the order of the file. pi itself puts results to calls that have none; it doesn't
    /// take a file without a header for a session.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.index.tree.problems(self.leaf(), [Effect::Nothing, Effect::Prevents]);
        if self.index.has_records && !self.index.begins_with_header {
            let problem =
                Problem { kind: ProblemKind::NoHeader, line: 1, id: None, effect: Effect::Prevents };
            problems.insert(0, problem);
        }
        problems
    }

    /// Every entry of that conversation that is a message, those with nothing but tools, too, in the order of the file.
    #[must_use]
    pub fn records(&self) -> Vec<usize> {
        self.leaf().map_or_else(Vec::new, |leaf| self.index.tree.records_to(leaf))
    }

    /// The conversation that ends with an entry.
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

    /// Ids that several entries have, with the lines of these.
    #[must_use]
    pub fn duplicate_ids(&self) -> Vec<(String, Vec<u64>)> {
        self.index.tree.duplicate_ids()
    }

    /// Entries that follow one that is not in the file: the line, and the missing one's id.
    #[must_use]
    pub fn missing_parents(&self) -> Vec<(u64, String)> {
        self.index.tree.missing_parents()
    }
}

impl Reading for Index {
    type Seen = Seen;

    fn see(span: Span, raw: &[u8]) -> Option<Seen> {
        Seen::of(span, raw)
    }

    fn is_record(raw: &[u8]) -> bool {
        let has = |name| scan::member(raw, name).is_some();
        has("type") && has("id") && (has("parentId") || has("version"))
    }

    fn take(&mut self, line: u64, seen: Seen) {
        let overview = &mut self.overview;
        if !self.has_records {
            (self.has_records, self.begins_with_header) = (true, seen.header.is_some());
        }
        if seen.kind.is_empty() || (seen.header.is_some() && self.has_header) {
            overview.odd += 1;
            return;
        }
        *overview.types.entry(seen.kind).or_default() += 1;
        overview.see_time(seen.time.as_deref());
        if let Some(header) = seen.header {
            self.has_header = true;
            (overview.id, overview.project) = (header.id, header.cwd);
            (self.version, self.parent_session) = (header.version, header.parent);
            return;
        }
        let id = seen.node.id.clone();
        let pushed = self.tree.push(Node { line, ..seen.node });
        if pushed.is_duplicate {
            return;
        }
        overview.messages += u64::from(pushed.has_text);
        overview.tool_calls += pushed.calls;
        overview.see_prompt(seen.prompt);
        if seen.name.is_some() {
            overview.title = seen.name;
        }
        if seen.model.is_some() {
            overview.model = seen.model;
        }
        if let Some(usage) = seen.usage {
            let time = seen.time.as_deref().and_then(lines::parse_time);
            // Ids are short; a fork copies the time, too.
            let key = hash_of(("pi", &id, time));
            let key = if id.is_none() { hash_of((key, line)) } else { key };
            self.answers.push(Answer { key, time, model: overview.model.clone(), usage });
            overview.usage += usage;
        }
        match seen.label {
            Some((target, Some(label))) => drop(self.labels.insert(target, label)),
            Some((target, None)) => drop(self.labels.remove(&target)),
            None => {}
        }
        self.compactions.extend(seen.compaction.map(|compaction| Compaction { line, ..compaction }));
    }

    fn overview(&mut self) -> &mut Overview {
        &mut self.overview
    }

    fn finish(&mut self, _: &Log) -> Result<()> {
        Ok(())
    }

    fn count_only(&mut self) {
        self.tree.count_only();
    }
}

impl Seen {
    /// What the index sees of a line; `None` if it is no JSON object.
    fn of(span: Span, raw: &[u8]) -> Option<Self> {
        let mut seen = Self::default();
        let mut message = None;
        let mut members = scan::members(raw);
        for member in &mut members {
            match &*scan::name(member.key) {
                b"type" => seen.kind = text(member.value).unwrap_or_default(),
                b"timestamp" => seen.time = text(member.value),
                b"id" => seen.node.id = text(member.value).map(String::into_boxed_str),
                b"parentId" => seen.node.parent = text(member.value).map(String::into_boxed_str),
                b"message" => message = Some(member.value),
                _ => {}
            }
        }
        if !members.is_whole() {
            return None;
        }
        seen.node.span = span;
        // Few are of the other kinds.
        let string = |name| lines::string(raw, name).filter(|text| !text.is_empty());
        match seen.kind.as_str() {
            "session" => {
                seen.header = Some(Header {
                    id: string("id"),
                    cwd: string("cwd"),
                    version: lines::number(raw, "version"),
                    parent: string("parentSession"),
                });
            }
            "session_info" => seen.name = string("name"),
            "model_change" => seen.model = string("modelId"),
            "label" => seen.label = string("targetId").map(|target| (target, string("label"))),
            "compaction" => {
                let summary = string("summary").unwrap_or_default();
                seen.compaction =
                    Some(Compaction { line: 0, summary, first_kept: string("firstKeptEntryId") });
            }
            "message" => {
                if let Some(message) = message.filter(|message| message.starts_with(b"{")) {
                    seen.take_message(message);
                }
            }
            _ => {}
        }
        Some(seen)
    }

    fn take_message(&mut self, message: &[u8]) {
        let string = |object: &[u8], name| lines::string(object, name).unwrap_or_default();
        let role = string(message, "role");
        self.node.role = Some(role_of(&role));
        if role == "toolResult" {
            let is_error = Some(scan::member(message, "isError") == Some(b"true"));
            let id = string(message, "toolCallId").into_boxed_str();
            self.node.tools.push(Tool::Result { id, is_error });
        }
        let content = scan::member(message, "content").unwrap_or_default();
        let mut has_text = content.starts_with(b"\"");
        let mut prompt = lines::text(content);
        let items = if content.starts_with(b"[") { content } else { b"[]" };
        for item in scan::items(items).filter(|item| item.starts_with(b"{")) {
            match string(item, "type").as_str() {
                "text" => {
                    has_text = true;
                    prompt = prompt.or_else(|| lines::string(item, "text"));
                }
                "toolCall" => {
                    let (id, name) =
                        (string(item, "id").into_boxed_str(), string(item, "name").into_boxed_str());
                    self.node.tools.push(Tool::Call { id, name });
                }
                _ => {}
            }
        }
        self.node.has_text = has_text && (role == "user" || role == "assistant");
        self.prompt = prompt.filter(|_| role == "user").and_then(|text| prompt_of(&text));
        if role == "assistant" {
            self.model = lines::string(message, "model");
            let usage = scan::member(message, "usage").filter(|usage| usage.starts_with(b"{"));
            self.usage = usage.map(usage_of);
        }
    }
}

/// Who says a message.
pub(crate) fn role_of(role: &str) -> Role {
    match role {
        "user" | "toolResult" => Role::User,
        "assistant" => Role::Assistant,
        _ => Role::System,
    }
}

fn usage_of(object: &[u8]) -> Usage {
    let count = |name| lines::number(object, name).unwrap_or(0);
    Usage {
        answers: 1,
        input: count("input"),
        cache_written: count("cacheWrite"),
        cache_read: count("cacheRead"),
        output: count("output"),
    }
}

pub(crate) fn parts(message: &Json<'_>) -> Vec<Part> {
    if let Some(text) = message["content"].text() {
        return vec![Part::Text(text)];
    }
    let items = message["content"].items();
    let part = |item: &Json<'_>| match item["type"].word() {
        Some("text") => Part::Text(item["text"].string()),
        Some("thinking") => Part::Reasoning(item["thinking"].string()),
        Some("toolCall") => Part::ToolCall {
            id: item["id"].string(),
            name: item["name"].string(),
            input: item["arguments"].json(),
        },
        Some("image") => Part::Image(image(item)),
        _ => Part::Other(item["type"].string()),
    };
    match message["role"].word() {
        Some("toolResult") => {
            let (texts, images) = texts_and_images(items.iter().map(part));
            let (id, is_error) = (message["toolCallId"].string(), message["isError"].is_true());
            vec![Part::ToolResult { id, text: texts.join("\n"), is_error, images }]
        }
        Some("bashExecution") => {
            let input = format!("{{\"command\":{}}}", message["command"].json());
            let call = Part::ToolCall { id: String::new(), name: "bash".to_owned(), input };
            let is_error = message["exitCode"].number().is_some_and(|code| code != 0);
            let text = message["output"].string();
            vec![call, Part::ToolResult { id: String::new(), text, is_error, images: Vec::new() }]
        }
        _ => items.iter().map(part).collect(),
    }
}

fn image(item: &Json<'_>) -> Image {
    let media_type = item["mimeType"].text();
    match item["data"].text() {
        Some(data) => Image::inside(media_type, &data),
        None => Image { media_type, len: None, url: None, data: None },
    }
}
