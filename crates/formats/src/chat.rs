//! Files with one message a line, each an object with a role, as picoclaw, orca, aish and many others write them.
//!
//! [`Layout`](crate::Layout) reads whole sessions of the first three with all that belongs to them, for taking them along. This is for
//! looking at one, however large: an index, and messages read when they are asked for.

use std::collections::HashSet;
use std::path::Path;
use std::time::SystemTime;

use jsonl_core::{Log, Span, Verdict, scan};

use crate::error::Result;
use crate::folder;
use crate::foreign::Remark;
use crate::json::{self, Json};
use crate::lines;
use crate::packed;
use crate::picoclaw;
use crate::reading::{self, Reading};
use crate::transcript::{
    Agent, Conversation, Effect, Flags, Image, Message, Overview, Part, Problem, ProblemKind, Role, ToolCall,
    prompt_of,
};
use crate::tree::{self, Tool};

/// Members that hold a message's time.
const TIMES: [&str; 4] = ["created_at", "timestamp", "ts", "time"];

/// A chat.
///
/// ```
/// # fn main() -> annals_formats::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("c.jsonl");
/// # std::fs::write(&path, "{\"role\":\"user\",\"content\":\"hi\"}\n").unwrap();
/// use annals_formats::chat::Chat;
/// use annals_formats::transcript::Agent;
///
/// let chat = Chat::open(Agent::Chat, &path)?;
/// assert_eq!(chat.message(0)?.text(), "hi");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Chat {
    agent: Agent,
    log: Log,
    index: Index,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    nodes: Vec<Node>,
    overview: Overview,
    counts_only: bool,
    has_records: bool,
}

#[derive(Debug)]
struct Node {
    line: u64,
    span: Span,
    role: Role,
    has_text: bool,
    hidden: bool,
    tools: Vec<Tool>,
}

/// A record as the index sees it.
pub(crate) struct Seen {
    span: Span,
    role: Option<Role>,
    kind: String,
    has_text: bool,
    tools: Vec<Tool>,
    time: Option<String>,
    prompt: Option<String>,
    model: Option<String>,
    /// When it was begun, and by which model, as aish's header says.
    header: Option<[Option<String>; 2]>,
}

impl Chat {
    /// Reads a chat once, on all processors. `agent` is who wrote it. The file is neither locked nor mapped.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn open(agent: Agent, path: impl AsRef<Path>) -> Result<Self> {
        Self::of(agent, path.as_ref(), packed::open(path.as_ref(), None)?)
    }

    pub(crate) fn of(agent: Agent, path: &Path, opened: (Log, Option<Remark>)) -> Result<Self> {
        let (log, mut index): (Log, Index) = reading::read(opened)?;
        describe(agent, path, &mut index.overview);
        if agent == Agent::Picoclaw {
            let hidden = picoclaw::hidden(path).unwrap_or(0);
            let end = end_of_lines(&log, hidden)?;
            for node in index.nodes.iter_mut().filter(|node| node.span.offset < end) {
                node.hidden = true;
            }
        }
        Ok(Self { agent, log, index })
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Who wrote it.
    #[must_use]
    pub fn agent(&self) -> Agent {
        self.agent
    }

    /// What it says of its session. The id is the session's key.
    #[must_use]
    pub fn overview(&self) -> &Overview {
        &self.index.overview
    }

    /// The messages that have a text, in the order of the file; hidden ones, too.
    pub fn messages(&self) -> impl Iterator<Item = usize> {
        self.index.nodes.iter().enumerate().filter(|(_, node)| node.has_text).map(|(index, _)| index)
    }

    /// What the user and the model said that the program still shows.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        let counts =
            |node: &Node| node.has_text && !node.hidden && matches!(node.role, Role::User | Role::Assistant);
        let messages = self.index.nodes.iter().enumerate().filter(|(_, node)| counts(node));
        Conversation { messages: messages.map(|(index, _)| index).collect(), ..Conversation::default() }
    }

    /// Every message that the program still shows, those with nothing but tools, too.
    #[must_use]
    pub fn records(&self) -> Vec<usize> {
        let counts = |node: &Node| !node.hidden && matches!(node.role, Role::User | Role::Assistant);
        let nodes = self.index.nodes.iter().enumerate();
        nodes.filter(|(_, node)| counts(node)).map(|(index, _)| index).collect()
    }

    /// A message, with what it says; without parts if there is no such message.
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
        let Some(node) = self.index.nodes.get(index) else { return Ok(Message::nothing(index)) };
        Ok(json::with(&self.log.read(node.span)?, |message| Message {
            index,
            line: node.line,
            span: node.span,
            role: node.role,
            id: None,
            parent: None,
            time: time_of(message),
            flags: Flags { hidden: node.hidden, ..Flags::default() },
            parts: parts_of(message),
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

    /// Every tool call, in the order of the file, with its result.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        tree::tool_calls(self.tools())
    }

    fn tools(&self) -> impl Iterator<Item = (u64, &Tool)> + Clone {
        self.index.nodes.iter().flat_map(|node| node.tools.iter().map(|tool| (node.line, tool)))
    }

    /// What is not as it should be, in the order of the file. picoclaw mends what it sends; of the others, the model's interface
    /// refuses calls without a result, and results without a call.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let effect_of = |is_hidden: bool| match is_hidden || self.agent == Agent::Picoclaw {
            true => Effect::Nothing,
            false => Effect::Prevents,
        };
        let nodes = &self.index.nodes;
        let hidden: HashSet<u64> = nodes.iter().filter(|node| node.hidden).map(|node| node.line).collect();
        let last = nodes.iter().rev().find(|node| node.role == Role::Assistant).map_or(0, |node| node.line);
        let calls = self.tool_calls();
        let mut problems = Vec::new();
        for call in calls.iter().filter(|call| call.result_line.is_none()) {
            // The last one may be at work.
            let is_quiet = hidden.contains(&call.call_line) || call.call_line >= last;
            let (kind, effect) = (ProblemKind::CallWithoutResult, effect_of(is_quiet));
            problems.push(Problem { kind, line: call.call_line, id: Some(call.id.clone()), effect });
        }
        for (line, id) in tree::results_without_call(self.tools()) {
            let (kind, effect) = (ProblemKind::ResultWithoutCall, effect_of(hidden.contains(&line)));
            problems.push(Problem { kind, line, id: Some(id.to_owned()), effect });
        }
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// What is known of a chat without looking at its messages: its key, and what picoclaw keeps beside it.
pub(crate) fn describe(agent: Agent, path: &Path, overview: &mut Overview) {
    let key = folder::stem(path, ".archived");
    let mut key = key.strip_suffix(".jsonl").map(str::to_owned).unwrap_or(key);
    if agent == Agent::Picoclaw
        && let Some(found) = picoclaw::key(path)
    {
        key = found;
    }
    overview.id = Some(key);
}

/// Where so many lines end that are not empty.
fn end_of_lines(log: &Log, count: u64) -> Result<u64> {
    let mut left = count;
    let mut lines = log.lines();
    while left > 0 {
        let Some(line) = lines.next().transpose()? else { return Ok(log.len()) };
        let is_empty = matches!(line.verdict(), Verdict::Blank)
            && line.bytes.strip_suffix(b"\r").unwrap_or(&line.bytes).is_empty();
        left -= u64::from(!is_empty);
        if left == 0 {
            return Ok(line.end());
        }
    }
    Ok(0)
}

impl Reading for Index {
    type Seen = Seen;

    fn see(span: Span, raw: &[u8]) -> Option<Seen> {
        Seen::of(span, raw)
    }

    fn is_record(raw: &[u8]) -> bool {
        lines::is_message(raw)
    }

    fn take(&mut self, line: u64, seen: Seen) {
        let overview = &mut self.overview;
        *overview.types.entry(seen.kind).or_default() += 1;
        overview.see_time(seen.time.as_deref());
        if let Some([started, model]) = seen.header.filter(|_| !self.has_records) {
            overview.see_time(started.as_deref());
            overview.model = model;
        }
        self.has_records = true;
        let Some(role) = seen.role else { return };
        overview.see_prompt(seen.prompt);
        overview.messages += u64::from(seen.has_text);
        overview.model = seen.model.or(overview.model.take());
        let is_call = |tool: &&Tool| matches!(tool, Tool::Call { .. });
        overview.tool_calls += seen.tools.iter().filter(is_call).count() as u64;
        if !self.counts_only {
            let Seen { span, has_text, tools, .. } = seen;
            self.nodes.push(Node { line, span, role, has_text, hidden: false, tools });
        }
    }

    fn overview(&mut self) -> &mut Overview {
        &mut self.overview
    }

    fn finish(&mut self, _: &Log) -> Result<()> {
        Ok(())
    }

    fn count_only(&mut self) {
        self.counts_only = true;
    }
}

impl Seen {
    /// What the index sees of a line; `None` if it is no JSON object.
    fn of(span: Span, raw: &[u8]) -> Option<Self> {
        let mut seen = Self {
            span,
            role: None,
            kind: String::new(),
            has_text: false,
            tools: Vec::new(),
            time: None,
            prompt: None,
            model: None,
            header: None,
        };
        let (mut content, mut result) = (None, None);
        let mut members = scan::members(raw);
        for member in &mut members {
            match &*scan::name(member.key) {
                b"role" => seen.kind = lines::text(member.value).unwrap_or_default(),
                b"content" => content = Some(member.value),
                b"tool_call_id" => result = lines::text(member.value),
                b"tool_calls" if member.value.starts_with(b"[") => {
                    for call in scan::items(member.value).filter(|call| call.starts_with(b"{")) {
                        let function = scan::member(call, "function").filter(|f| f.starts_with(b"{"));
                        let name = lines::string(function.unwrap_or(call), "name").unwrap_or_default();
                        let id = lines::string(call, "id").unwrap_or_default().into_boxed_str();
                        seen.tools.push(Tool::Call { id, name: name.into_boxed_str() });
                    }
                }
                b"model_name" | b"model" => seen.model = lines::text(member.value),
                b"meta" if member.value.starts_with(b"{") => {
                    seen.header = Some(["started", "model"].map(|name| lines::string(member.value, name)));
                }
                key if TIMES.iter().any(|name| name.as_bytes() == key) => {
                    seen.time = seen.time.or_else(|| lines::text(member.value));
                }
                _ => {}
            }
        }
        if !members.is_whole() {
            return None;
        }
        seen.role = role_of(&seen.kind);
        if let Some(id) = result {
            seen.tools.push(Tool::Result { id: id.into_boxed_str(), is_error: None });
        }
        let is_said = matches!(seen.kind.as_str(), "user" | "assistant" | "model" | "system" | "developer");
        let said = content.and_then(first_text).filter(|_| is_said);
        seen.has_text = said.is_some();
        seen.prompt = said.filter(|_| seen.role == Some(Role::User)).and_then(|text| prompt_of(&text));
        Some(seen)
    }
}

/// Who says a message; nobody if its role is empty.
pub(crate) fn role_of(role: &str) -> Option<Role> {
    Some(match role {
        "" => return None,
        "user" | "tool" | "toolResult" | "function" => Role::User,
        "assistant" | "model" => Role::Assistant,
        "developer" => Role::Developer,
        _ => Role::System,
    })
}

/// When a message was written, by whichever member says so.
pub(crate) fn time_of(message: &Json<'_>) -> Option<SystemTime> {
    TIMES.iter().find_map(|name| lines::parse_time(&message[name].text()?))
}

/// The first text in a content: a string, or parts with a text.
fn first_text(content: &[u8]) -> Option<String> {
    if content.starts_with(b"\"") {
        return lines::text(content);
    }
    let items = scan::items(if content.starts_with(b"[") { content } else { b"[]" });
    items
        .filter(|item| item.starts_with(b"{"))
        .find_map(|item| lines::string(item, "text").filter(|text| !text.is_empty()))
}

/// What a message consists of, in the way that the models' interfaces have it.
#[must_use]
pub fn parts(message: &[u8]) -> Vec<Part> {
    json::with(message, parts_of)
}

pub(crate) fn parts_of(message: &Json<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let thoughts = ["reasoning_content", "reasoning"].iter().find_map(|name| message[name].text());
    parts.extend(thoughts.filter(|text| !text.is_empty()).map(Part::Reasoning));
    parts.extend(message["content"].text().filter(|text| !text.is_empty()).map(Part::Text));
    parts.extend(message["content"].items().iter().map(part));
    let is_result = matches!(message["role"].word(), Some("tool" | "toolResult" | "function"))
        || message["tool_call_id"].is_string();
    if is_result {
        let mut images = Vec::new();
        let mut texts = Vec::new();
        parts.retain(|part| match part {
            Part::Text(text) => {
                texts.push(text.clone());
                false
            }
            Part::Image(image) => {
                images.push(image.clone());
                false
            }
            _ => true,
        });
        let (id, is_error) = (message["tool_call_id"].string(), message["is_error"].is_true());
        parts.push(Part::ToolResult { id, text: texts.join("\n"), is_error, images });
    }
    for call in message["tool_calls"].items() {
        let function = if call["function"].is_object() { &call["function"] } else { call };
        let arguments = &function["arguments"];
        let input = arguments.text().unwrap_or_else(|| arguments.json());
        parts.push(Part::ToolCall { id: call["id"].string(), name: function["name"].string(), input });
    }
    for media in message["media"].items() {
        parts.extend(media.text().map(|url| Part::Image(Image::at(&url, None))));
    }
    for item in message["attachments"].items() {
        let url = item["url"].text().or_else(|| item["ref"].text()).unwrap_or_default();
        parts.push(match item["type"].word() {
            Some("image") | None => Part::Image(Image::at(&url, item["content_type"].text())),
            Some(_) => Part::Other(item["type"].string()),
        });
    }
    parts
}

fn part(item: &Json<'_>) -> Part {
    match item["type"].word() {
        Some("text" | "input_text" | "output_text") => Part::Text(item["text"].string()),
        Some("thinking") => Part::Reasoning(item["thinking"].string()),
        Some("reasoning") => Part::Reasoning(item["text"].string()),
        Some("tool_use") => Part::ToolCall {
            id: item["id"].string(),
            name: item["name"].string(),
            input: item["input"].json(),
        },
        Some("tool_result") => {
            let mut texts: Vec<String> = item["content"].text().into_iter().collect();
            texts.extend(item["content"].items().iter().filter_map(|item| item["text"].text()));
            let (id, text, is_error) =
                (item["tool_use_id"].string(), texts.join("\n"), item["is_error"].is_true());
            Part::ToolResult { id, text, is_error, images: Vec::new() }
        }
        Some("image_url" | "input_image") => {
            let url = item["image_url"]["url"].text().or_else(|| item["image_url"].text());
            Part::Image(Image::at(&url.unwrap_or_default(), None))
        }
        Some("image") => {
            let source = if item["source"].is_object() { &item["source"] } else { item };
            let media_type = ["media_type", "mimeType"].iter().find_map(|name| source[name].text());
            Part::Image(match source["data"].text() {
                Some(data) => Image::inside(media_type, &data),
                None => Image::at(&source["url"].string(), media_type),
            })
        }
        None if item.is_string() => Part::Text(item.string()),
        _ => Part::Other(item["type"].string()),
    }
}
