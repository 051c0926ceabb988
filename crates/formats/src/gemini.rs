//! Gemini CLI's transcripts: `~/.gemini/tmp/<project>/chats/session-<time>-<id>.jsonl`.
//!
//! A log of changes: a message that changes is written again under its id, and the last one counts. `$set` changes what is known
//! of the session, and may bring all messages that are left; `$rewindTo` takes a message back, and all behind it. What was taken
//! back or left out is still in the file, and marked.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use jsonl_core::{Log, Span, scan};

use crate::error::Result;
use crate::foreign::Remark;
use crate::json::{self, Json};
use crate::lines::{self, text};
use crate::packed;
use crate::reading::{self, Reading};
use crate::transcript::{
    Agent, Answer, Conversation, Effect, Flags, Image, Message, Overview, Part, Problem, ProblemKind, Role,
    ToolCall, Usage, hash_of, prompt_of, texts_and_images,
};

/// A transcript of Gemini CLI.
///
/// ```
/// # fn main() -> annals_formats::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("session-1.jsonl");
/// # std::fs::write(&path, concat!(
/// #   r#"{"sessionId":"s","projectHash":"p","startTime":"2026-08-21T08:00:00Z","kind":"main"}"#, "\n",
/// #   r#"{"id":"a","timestamp":"2026-08-21T08:00:01Z","type":"user","content":"hi"}"#, "\n",
/// #   r#"{"id":"b","timestamp":"2026-08-21T08:00:02Z","type":"user","content":"no"}"#, "\n",
/// #   r#"{"$rewindTo":"b"}"#, "\n",
/// # )).unwrap();
/// use annals_formats::gemini::Gemini;
///
/// let transcript = Gemini::open(&path)?;
/// assert_eq!(transcript.overview().id.as_deref(), Some("s"));
/// assert_eq!(transcript.conversation().messages.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Gemini {
    log: Log,
    index: Index,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    nodes: Vec<Node>,
    /// Which of them count, in their order.
    live: Vec<usize>,
    /// Where in `live` an id is.
    places: HashMap<Box<str>, usize>,
    overview: Overview,
    pub(crate) answers: Vec<Answer>,
    has_records: bool,
    begins_with_header: bool,
}

/// Records that may bring messages along.
const SET: &str = "$set";
const SESSION: &str = "session";

/// What of a message is kept in mind.
#[derive(Debug)]
struct Node {
    line: u64,
    span: Span,
    /// The type of the record that brought it along, if it is none itself.
    inside: Option<&'static str>,
    role: Role,
    id: Box<str>,
    has_text: bool,
    flags: Flags,
    calls: Vec<(Box<str>, Box<str>, Option<bool>)>,
    usage: Option<Usage>,
    model: Option<String>,
    time: Option<String>,
}

/// A record as the index sees it.
pub(crate) struct Seen {
    kind: String,
    what: What,
    session: Option<String>,
    project: Option<String>,
    summary: Option<String>,
    times: [Option<String>; 2],
    prompt: Option<String>,
}

enum What {
    Message(Box<Node>),
    /// All messages that are left, where it says so.
    Session(Option<Vec<Node>>),
    Rewind(String),
    Other,
}

impl Gemini {
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
        Ok(Self { log, index })
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Who wrote it.
    #[must_use]
    pub fn agent(&self) -> Agent {
        Agent::Gemini
    }

    /// The type of the record that brought a message along, if it stands in one and is none itself.
    pub(crate) fn brought_along_by(&self, index: usize) -> Option<&'static str> {
        self.index.nodes.get(index)?.inside
    }

    /// What it says of its session.
    #[must_use]
    pub fn overview(&self) -> &Overview {
        &self.index.overview
    }

    /// The messages that have a text, in the order of the file; what was written again, taken back or left out, too.
    pub fn messages(&self) -> impl Iterator<Item = usize> {
        self.index.nodes.iter().enumerate().filter(|(_, node)| node.has_text).map(|(index, _)| index)
    }

    /// What the user and the model said that counts.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        let is_said = |index: &&usize| {
            let node = &self.index.nodes[**index];
            node.has_text && matches!(node.role, Role::User | Role::Assistant)
        };
        Conversation {
            leaf: self.index.live.last().map(|index| self.index.nodes[*index].id.to_string()),
            messages: self.index.live.iter().filter(is_said).copied().collect(),
            stop: None,
        }
    }

    /// Every message of it, those with nothing but tools, too.
    #[must_use]
    pub fn records(&self) -> Vec<usize> {
        let is_said = |index: &&usize| self.index.nodes[**index].role != Role::System;
        self.index.live.iter().filter(is_said).copied().collect()
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
        Ok(Message {
            index,
            line: node.line,
            span: node.span,
            role: node.role,
            id: Some(node.id.to_string()),
            parent: None,
            time: node.time.as_deref().and_then(lines::parse_time),
            flags: node.flags,
            parts: json::with(&self.log.read(node.span)?, parts),
        })
    }

    /// A message's record, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn raw(&self, index: usize) -> Result<Vec<u8>> {
        let Some(node) = self.index.nodes.get(index) else { return Ok(Vec::new()) };
        Ok(self.log.read(node.span)?)
    }

    /// Every tool call of the messages as they were written last. Call and result stand in the same record.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        let last = self.index.nodes.iter().filter(|node| !node.flags.duplicate);
        let of = |node: &'_ Node| -> Vec<ToolCall> {
            let call = |(id, name, is_error): &(Box<str>, Box<str>, Option<bool>)| ToolCall {
                id: id.to_string(),
                name: name.to_string(),
                call_line: node.line,
                result_line: is_error.map(|_| node.line),
                is_error: *is_error,
            };
            node.calls.iter().map(call).collect()
        };
        last.flat_map(of).collect()
    }

    /// What each answer of the model took, in the order of the file.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        &self.index.answers
    }

    /// What is not as it should be, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.index.has_records && !self.index.begins_with_header {
            let (kind, effect) = (ProblemKind::NoHeader, Effect::Prevents);
            problems.push(Problem { kind, line: 1, id: None, effect });
        }
        let last = self.index.live.last().map(|index| self.index.nodes[*index].line);
        for call in self.tool_calls() {
            // The last one may be at work.
            if call.result_line.is_none() && Some(call.call_line) != last {
                let (kind, effect) = (ProblemKind::CallWithoutResult, Effect::Nothing);
                problems.push(Problem { kind, line: call.call_line, id: Some(call.id), effect });
            }
        }
        problems
    }
}

impl Index {
    fn put(&mut self, node: Node) {
        let index = self.nodes.len();
        match self.places.get(&node.id) {
            Some(place) => {
                self.nodes[self.live[*place]].flags.duplicate = true;
                self.live[*place] = index;
            }
            None => {
                self.places.insert(node.id.clone(), self.live.len());
                self.live.push(index);
            }
        }
        self.nodes.push(node);
    }

    /// Takes back what is at a place and behind it.
    fn rewind(&mut self, place: usize) {
        for index in self.live.drain(place..) {
            let node = &mut self.nodes[index];
            node.flags.rolled_back = true;
            self.places.remove(&node.id);
        }
    }

    /// Only these are left.
    fn replace(&mut self, messages: Vec<Node>) {
        let old = std::mem::take(&mut self.live);
        self.places.clear();
        let first = self.nodes.len();
        messages.into_iter().for_each(|node| self.put(node));
        for index in old {
            let is_there = self.places.contains_key(&self.nodes[index].id);
            let flags = &mut self.nodes[index].flags;
            (flags.duplicate, flags.hidden) = (flags.duplicate || is_there, !is_there);
        }
        debug_assert!(self.live.iter().all(|index| *index >= first));
    }
}

impl Reading for Index {
    type Seen = Seen;

    fn see(span: Span, raw: &[u8]) -> Option<Seen> {
        Seen::of(span, raw)
    }

    fn is_record(raw: &[u8]) -> bool {
        let has = |name| scan::member(raw, name).is_some();
        has("$set") || has("$rewindTo") || has("sessionId") || (has("id") && has("type") && has("timestamp"))
    }

    fn take(&mut self, line: u64, seen: Seen) {
        if !self.has_records {
            (self.has_records, self.begins_with_header) = (true, seen.session.is_some());
        }
        let overview = &mut self.overview;
        *overview.types.entry(seen.kind).or_default() += 1;
        seen.times.iter().flatten().for_each(|time| overview.see_time(Some(time)));
        for (slot, value) in [(&mut overview.id, seen.session), (&mut overview.project, seen.project)] {
            if slot.is_none() {
                *slot = value;
            }
        }
        if seen.summary.is_some() {
            overview.title = seen.summary;
        }
        overview.see_prompt(seen.prompt);
        match seen.what {
            What::Message(node) => self.put(Node { line, ..*node }),
            What::Session(Some(messages)) => {
                self.replace(messages.into_iter().map(|node| Node { line, ..node }).collect());
            }
            What::Rewind(id) => self.rewind(self.places.get(&*id).copied().unwrap_or(0)),
            What::Session(None) | What::Other => {}
        }
    }

    fn overview(&mut self) -> &mut Overview {
        &mut self.overview
    }

    fn finish(&mut self, _: &Log) -> Result<()> {
        let overview = &mut self.overview;
        // One that was taken back may have been written again.
        let mut seen = HashSet::new();
        for node in self.nodes.iter().filter(|node| !node.flags.duplicate && seen.insert(&node.id)) {
            overview.messages += u64::from(node.has_text);
            overview.tool_calls += node.calls.len() as u64;
            overview.model = node.model.clone().or(overview.model.take());
            if let Some(usage) = node.usage {
                let time = node.time.as_deref().and_then(lines::parse_time);
                let key = hash_of(("gemini", &node.id, &node.time));
                self.answers.push(Answer { key, time, model: node.model.clone(), usage });
                overview.usage += usage;
            }
        }
        Ok(())
    }

    fn count_only(&mut self) {}
}

impl Seen {
    /// What the index sees of a line; `None` if it is no JSON object.
    fn of(span: Span, raw: &[u8]) -> Option<Self> {
        let mut members = scan::members(raw);
        let (mut set, mut rewind) = (None, None);
        let (mut has_id, mut kind) = (false, String::new());
        for member in &mut members {
            match &*scan::name(member.key) {
                b"id" => has_id = member.value.starts_with(b"\""),
                b"type" => kind = text(member.value).unwrap_or_default(),
                b"$set" => set = Some(member.value).filter(|set| set.starts_with(b"{")),
                b"$rewindTo" => rewind = text(member.value),
                _ => {}
            }
        }
        if !members.is_whole() {
            return None;
        }
        let mut seen = Self {
            kind,
            what: What::Other,
            session: None,
            project: None,
            summary: None,
            times: [None, None],
            prompt: None,
        };
        if let Some(id) = rewind {
            (seen.kind, seen.what) = ("$rewindTo".to_owned(), What::Rewind(id));
        } else if has_id && !seen.kind.is_empty() {
            let (node, prompt) = Node::of(span, raw)?;
            seen.times[0].clone_from(&node.time);
            (seen.prompt, seen.what) = (prompt, What::Message(Box::new(node)));
        } else if let Some(set) = set {
            seen.kind = SET.to_owned();
            seen.take_session(SET, span, raw, set);
        } else if let Some(id) = lines::string(raw, "sessionId") {
            seen.kind = SESSION.to_owned();
            seen.take_session(SESSION, span, raw, raw);
            seen.session = Some(id);
        }
        Some(seen)
    }

    fn take_session(&mut self, kind: &'static str, span: Span, raw: &[u8], session: &[u8]) {
        self.summary = lines::string(session, "summary").filter(|summary| !summary.is_empty());
        self.times = ["startTime", "lastUpdated"].map(|name| lines::string(session, name));
        let folders = scan::member(session, "directories").filter(|list| list.starts_with(b"["));
        self.project = folders.and_then(|list| text(scan::items(list).next()?));
        // Where bytes were replaced, nothing is where it stands.
        let is_as_written = span.len == raw.len() as u64;
        let messages =
            scan::member(session, "messages").filter(|list| list.starts_with(b"[") && is_as_written);
        let node = |item: &[u8]| {
            // It stands inside of the line, and is found there.
            let offset = item.as_ptr().addr().checked_sub(raw.as_ptr().addr())? as u64;
            let (node, prompt) =
                Node::of(Span { offset: span.offset + offset, len: item.len() as u64 }, item)?;
            self.prompt = self.prompt.take().or(prompt);
            Some(Node { inside: Some(kind), ..node })
        };
        let items = |list| scan::items(list).filter(|item| item.starts_with(b"{"));
        self.what = What::Session(messages.map(|list| items(list).filter_map(node).collect()));
    }
}

impl Node {
    /// What is seen of a message, and its prompt if it is one; `None` if it has no id.
    fn of(span: Span, raw: &[u8]) -> Option<(Self, Option<String>)> {
        let role = role_of(&lines::string(raw, "type").unwrap_or_default());
        let said = said(scan::member(raw, "content").unwrap_or_default());
        let prompt = Some(&said).filter(|_| role == Role::User).and_then(|said| prompt_of(said));
        let list = |name| scan::member(raw, name).filter(|list| list.starts_with(b"[")).unwrap_or(b"[]");
        let call = |call: &[u8]| {
            let string = |name| lines::string(call, name).unwrap_or_default().into_boxed_str();
            let is_error = match &*string("status") {
                "success" => Some(false),
                "error" | "cancelled" => Some(true),
                _ => None,
            };
            (string("id"), string("name"), is_error)
        };
        let tokens = scan::member(raw, "tokens").filter(|tokens| tokens.starts_with(b"{"));
        let node = Self {
            line: 0,
            span,
            inside: None,
            role,
            id: lines::string(raw, "id")?.into_boxed_str(),
            has_text: !said.is_empty(),
            flags: Flags::default(),
            calls: scan::items(list("toolCalls")).filter(|item| item.starts_with(b"{")).map(call).collect(),
            usage: tokens.map(usage_of),
            model: lines::string(raw, "model"),
            time: lines::string(raw, "timestamp"),
        };
        Some((node, prompt))
    }
}

/// Who says a message of a type.
pub(crate) fn role_of(kind: &str) -> Role {
    match kind {
        "user" => Role::User,
        "gemini" => Role::Assistant,
        _ => Role::System,
    }
}

/// The text of a content: a string, or parts, or one part.
fn said(content: &[u8]) -> String {
    match content.first() {
        Some(b'"') => text(content).unwrap_or_default(),
        Some(b'[') => scan::items(content).map(said).collect(),
        Some(b'{') if scan::member(content, "thought") != Some(b"true") => {
            lines::string(content, "text").unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// `input` has those of the cache in it; thoughts are written by the model, too.
fn usage_of(tokens: &[u8]) -> Usage {
    let count = |name| lines::number(tokens, name).unwrap_or(0);
    let cache_read = count("cached");
    Usage {
        answers: 1,
        input: count("input").saturating_sub(cache_read),
        cache_written: 0,
        cache_read,
        output: count("output").saturating_add(count("thoughts")),
    }
}

pub(crate) fn parts(message: &Json<'_>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for thought in message["thoughts"].items() {
        let texts = [thought["subject"].string(), thought["description"].string()];
        let texts: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        parts.push(Part::Reasoning(texts.join("\n")));
    }
    let content = &message["content"];
    if content.is_string() || content.is_object() {
        parts.push(part(content));
    }
    parts.extend(content.items().iter().map(part));
    for call in message["toolCalls"].items() {
        let id = call["id"].string();
        parts.push(Part::ToolCall {
            id: id.clone(),
            name: call["name"].string(),
            input: call["args"].json(),
        });
        let Some(status @ ("success" | "error" | "cancelled")) = call["status"].word() else { continue };
        let (mut texts, images) = texts_and_images(call["result"].items().iter().map(part));
        if texts.is_empty() {
            texts.extend(call["resultDisplay"].text());
        }
        let is_error = status != "success";
        parts.push(Part::ToolResult { id, text: texts.join("\n"), is_error, images });
    }
    parts
}

fn part(item: &Json<'_>) -> Part {
    if let Some(text) = item.text() {
        return Part::Text(text);
    }
    if let Some(text) = item["text"].text() {
        return if item["thought"].is_true() { Part::Reasoning(text) } else { Part::Text(text) };
    }
    if let Some(data) = item["inlineData"]["data"].text() {
        return Part::Image(Image::inside(item["inlineData"]["mimeType"].text(), &data));
    }
    if let Some(url) = item["fileData"]["fileUri"].text() {
        let (media_type, url) = (item["fileData"]["mimeType"].text(), Some(url));
        return Part::Image(Image { media_type, len: None, url, data: None });
    }
    let response = &item["functionResponse"]["response"];
    if let Some(text) = ["output", "error"].iter().find_map(|name| response[name].text()) {
        return Part::Text(text);
    }
    if response.is_object() {
        return Part::Text(response.json());
    }
    Part::Other(item.first_name().unwrap_or_default())
}
