//! What was said, whoever's transcript it stands in: one view of all of them.
//!
//! A transcript is indexed once: a few words for each record, and where it stands. What a message says is read when it
//! is asked for, from the raw line, which is always there to go back to.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::hash::{BuildHasher, Hash};
use std::ops::AddAssign;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use foldhash::quality::FixedState;
use jsonl_core::Span;

use crate::foreign::Remark;
use crate::lines;

/// Who wrote a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Agent {
    /// Anthropic's Claude Code.
    ClaudeCode,
    /// OpenAI's Codex.
    Codex,
    /// pi, and those that share its format: `OpenClaw`, omp, senpi.
    Pi,
    /// Google's Gemini CLI.
    Gemini,
    /// picoclaw.
    Picoclaw,
    /// orca.
    Orca,
    /// aish.
    Aish,
    /// Some program that writes one message a line, with a role.
    Chat,
}

impl Agent {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ClaudeCode,
        Self::Codex,
        Self::Pi,
        Self::Gemini,
        Self::Picoclaw,
        Self::Orca,
        Self::Aish,
        Self::Chat,
    ];

    /// Its name, in lower case and without spaces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Pi => "pi",
            Self::Gemini => "gemini",
            Self::Picoclaw => "picoclaw",
            Self::Orca => "orca",
            Self::Aish => "aish",
            Self::Chat => "chat",
        }
    }
}

impl Display for Agent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Agent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|agent| agent.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|agent| agent.name()).collect();
            format!("it has to be one of {}", names.join(", "))
        })
    }
}

/// What a transcript says of its session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overview {
    /// The agent's id of it.
    pub id: Option<String>,
    /// What it is called.
    pub title: Option<String>,
    /// The beginning of what a person said first, on one line.
    pub first_prompt: Option<String>,
    /// The folder that it ran in.
    pub project: Option<String>,
    /// The branch that this was on.
    pub branch: Option<String>,
    /// The version of the agent that wrote the last of it.
    pub agent_version: Option<String>,
    /// The model that gave the last answer.
    pub model: Option<String>,
    /// When its first record was written.
    pub start: Option<SystemTime>,
    /// When its last record was written.
    pub end: Option<SystemTime>,
    /// How many messages have a text.
    pub messages: u64,
    /// How many tools were called.
    pub tool_calls: u64,
    /// Records by their types, known or not.
    pub types: BTreeMap<String, u64>,
    /// JSON that is no record of this format.
    pub odd: u64,
    /// What answers took, each counted once.
    pub usage: Usage,
    /// What is damaged, in the order of the file.
    pub remarks: Vec<Remark>,
    /// A record is much older than one in front of it, as where lines were written again.
    pub(crate) goes_back: bool,
}

/// Records are written by several threads, and not quite in the order of their times.
const BACK_MAX: Duration = Duration::from_secs(60);

/// Whether a record that was written at `time` should not stand behind one of `front`.
pub(crate) fn is_late(front: SystemTime, time: SystemTime) -> bool {
    front.duration_since(time).is_ok_and(|back| back > BACK_MAX)
}

impl Overview {
    /// Notes when a record was written.
    pub(crate) fn see_time(&mut self, text: Option<&str>) {
        if let Some(time) = text.and_then(lines::parse_time) {
            self.start = Some(self.start.map_or(time, |start| start.min(time)));
            self.goes_back |= self.end.is_some_and(|end| is_late(end, time));
            self.end = self.end.max(Some(time));
        }
    }

    /// Notes what a person said, if it is the first thing.
    pub(crate) fn see_prompt(&mut self, prompt: Option<String>) {
        if self.first_prompt.is_none() {
            self.first_prompt = prompt;
        }
    }

    /// How many lines are damaged, of those that there is a remark on.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.remarks.iter().filter(|remark| matches!(remark, Remark::Damaged { .. })).count()
    }
}

/// What the head and the end of a file say of its session: the way to look at very many files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Glance {
    /// What was seen, with the counts of what was seen. Damage is not looked for.
    pub overview: Overview,
    /// How many bytes were looked at, unpacked if the file is packed.
    pub seen: u64,
    /// How many there are; unknown for a packed file that was not unpacked to its end.
    pub len: Option<u64>,
}

impl Glance {
    /// Whether all of the file was seen, so that the counts are those of the file.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.len.is_some_and(|len| self.seen >= len)
    }

    /// About how many messages there are: as many in every part of the file as in what was seen. `None` where that can't be told.
    #[must_use]
    pub fn messages(&self) -> Option<u64> {
        if self.is_whole() {
            return Some(self.overview.messages);
        }
        let scaled = (u128::from(self.overview.messages) * u128::from(self.len?))
            .checked_div(u128::from(self.seen))?;
        u64::try_from(scaled).ok()
    }
}

/// What one answer of the model took.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// By this an answer is known again where a fork or a resumed session has copied it into another file. Equal in one
    /// build of this crate, and not to be kept.
    pub key: u64,
    /// When it was written.
    pub time: Option<SystemTime>,
    /// Which model gave it.
    pub model: Option<String>,
    /// What it took.
    pub usage: Usage,
}

/// A short name for something that has a long one.
pub(crate) fn hash_of(thing: impl Hash) -> u64 {
    FixedState::with_seed(0).hash_one(thing)
}

/// So many characters of a prompt are kept for lists.
const PROMPT_MAX: usize = 200;

/// The beginning of a prompt on one line; nothing of what an agent put in for itself.
pub(crate) fn prompt_of(text: &str) -> Option<String> {
    let text = text.trim_start();
    // `<environment_context>`, `<command-name>`, `<local-command-stdout>`, and their like.
    let is_tag =
        text.strip_prefix('<').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    if text.is_empty() || is_tag || text.starts_with("Caveat: The messages below") {
        return None;
    }
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * PROMPT_MAX {
            break;
        }
    }
    Some(line.chars().take(PROMPT_MAX).collect())
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Answers that this is the sum of.
    pub answers: u64,
    /// Read, not counting those of the cache.
    pub input: u64,
    /// Written into the cache.
    pub cache_written: u64,
    /// Read from the cache.
    pub cache_read: u64,
    /// Written.
    pub output: u64,
}

impl Usage {
    /// What was taken after `before`; `None` if anything has become less.
    pub(crate) fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            answers: 0,
            input: self.input.checked_sub(before.input)?,
            cache_written: self.cache_written.checked_sub(before.cache_written)?,
            cache_read: self.cache_read.checked_sub(before.cache_read)?,
            output: self.output.checked_sub(before.output)?,
        })
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.answers += other.answers;
        self.input += other.input;
        self.cache_written += other.cache_written;
        self.cache_read += other.cache_read;
        self.output += other.output;
    }
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// A person, or what stands in for one: results of tools, too, in some formats.
    User,
    /// The model.
    Assistant,
    /// The agent itself.
    System,
    /// The agent, telling the model how to behave.
    Developer,
}

impl Role {
    /// `user`, `assistant`, `system`, `developer`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::Developer => "developer",
        }
    }
}

/// What is to be known of a message before it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Flags {
    /// It belongs to a sub-agent's conversation.
    pub sidechain: bool,
    /// The agent put it in for itself.
    pub meta: bool,
    /// It sums up what was compacted.
    pub compact_summary: bool,
    /// Another message has the same id, or is the same, and that one counts.
    pub duplicate: bool,
    /// It was taken back.
    pub rolled_back: bool,
    /// Its program doesn't show it any more: it was truncated.
    pub hidden: bool,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Which record of the transcript it is, from 0.
    pub index: usize,
    /// Its line in the file, from 1.
    pub line: u64,
    /// Where its JSON stands in the file.
    pub span: Span,
    /// Who said it.
    pub role: Role,
    /// Its id.
    pub id: Option<String>,
    /// The record that it follows.
    pub parent: Option<String>,
    /// When it was written.
    pub time: Option<SystemTime>,
    /// What is to be known of it.
    pub flags: Flags,
    /// What it consists of.
    pub parts: Vec<Part>,
}

impl Message {
    /// What stands in for a message that isn't there.
    pub(crate) fn nothing(index: usize) -> Self {
        let span = Span { offset: 0, len: 0 };
        let (role, flags) = (Role::System, Flags::default());
        Self { index, line: 0, span, role, id: None, parent: None, time: None, flags, parts: Vec::new() }
    }

    /// Its text: that of its text parts, a line break between them.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Images stay where they are.
    pub(crate) fn without_data(mut self) -> Self {
        drop_data(&mut self.parts);
        self
    }
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// What was said.
    Text(String),
    /// What was thought.
    Reasoning(String),
    /// A tool is called.
    ToolCall {
        /// By this its result is known.
        id: String,
        /// The tool.
        name: String,
        /// What it is given, as JSON.
        input: String,
    },
    /// What a tool gave.
    ToolResult {
        /// The call that it belongs to.
        id: String,
        /// Its text.
        text: String,
        /// Whether it failed.
        is_error: bool,
        /// Images in it.
        images: Vec<Image>,
    },
    /// An image.
    Image(Image),
    /// Something else, by its type.
    Other(String),
}

/// Takes images out of parts, and leaves what is known of them.
pub(crate) fn drop_data(parts: &mut [Part]) {
    for part in parts {
        match part {
            Part::Image(image) => image.data = None,
            Part::ToolResult { images, .. } => images.iter_mut().for_each(|image| image.data = None),
            _ => {}
        }
    }
}

/// What of the parts inside of a tool's result is kept: texts and images.
pub(crate) fn texts_and_images(parts: impl Iterator<Item = Part>) -> (Vec<String>, Vec<Image>) {
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(text) => texts.push(text),
            Part::Image(image) => images.push(image),
            _ => {}
        }
    }
    (texts, images)
}

/// An image, which stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// `image/png`, as far as the transcript says.
    pub media_type: Option<String>,
    /// Its size in bytes, where it is in the transcript.
    pub len: Option<u64>,
    /// Where it is, where it is elsewhere.
    pub url: Option<String>,
    /// The image itself in base64, where it is in the transcript and was asked for.
    pub data: Option<String>,
}

impl Image {
    /// One that is in the transcript.
    pub(crate) fn inside(media_type: Option<String>, data: &str) -> Self {
        Self { media_type, len: Some(base64_len(data)), url: None, data: Some(data.to_owned()) }
    }

    /// `data:image/png;base64,…`, or an address.
    pub(crate) fn at(url: &str, media_type: Option<String>) -> Self {
        let Some((head, data)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')) else {
            let url = Some(url.to_owned()).filter(|url| !url.is_empty());
            return Self { media_type, len: None, url, data: None };
        };
        let own = head.split(';').next().filter(|kind| !kind.is_empty()).map(str::to_owned);
        Self::inside(own.or(media_type), data)
    }
}

/// How many bytes stand in base64: three in four characters.
pub(crate) fn base64_len(data: &str) -> u64 {
    (data.trim_end_matches('=').len() as u64) * 3 / 4
}

/// What was said that counts, from its beginning to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conversation {
    /// The id of the record that it ends with, in a format in which records have ids.
    pub leaf: Option<String>,
    /// The records in it that have a text, oldest first.
    pub messages: Vec<usize>,
    /// Why it doesn't go back to the beginning, if it doesn't.
    pub stop: Option<Stop>,
}

impl Conversation {
    /// Leaves out all messages but the last ones.
    pub(crate) fn keep_last(&mut self, messages: usize) {
        self.messages.drain(..self.messages.len().saturating_sub(messages));
    }
}

/// Why a conversation doesn't go back to its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The record that it follows is not in the file.
    MissingParent {
        /// Its id.
        id: String,
    },
    /// It follows itself.
    Cycle {
        /// The record in which the circle closes.
        id: String,
    },
}

/// A tool's call and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolCall {
    /// By this they belong together.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The line of the call.
    pub call_line: u64,
    /// The line of the result; none if there is none.
    pub result_line: Option<u64>,
    /// Whether the result says that it failed.
    pub is_error: Option<bool>,
}

/// Something in a transcript that its own format, or the model's interface, doesn't allow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// What it is.
    pub kind: ProblemKind,
    /// The line, from 1; 0 where it is about the whole file.
    pub line: u64,
    /// The id that it is about.
    pub id: Option<String>,
    /// What it does to the agent that goes on with the session.
    pub effect: Effect,
}

/// What can be wrong with a transcript whose lines are all JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The record that has to come first isn't there, or isn't first.
    NoHeader,
    /// Another record has the same id.
    DuplicateId,
    /// The record that it follows is not in the file.
    MissingParent,
    /// It follows itself.
    Cycle,
    /// A tool was called, and there is no result.
    CallWithoutResult,
    /// There is a tool's result, and no call.
    ResultWithoutCall,
    /// Numbers of records are left out.
    Gap,
    /// A number of a record is not above the one in front of it.
    Order,
    /// The file that it goes on from is not there, or leads back to itself.
    MissingSegment,
}

impl ProblemKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NoHeader,
        Self::DuplicateId,
        Self::MissingParent,
        Self::Cycle,
        Self::CallWithoutResult,
        Self::ResultWithoutCall,
        Self::Gap,
        Self::Order,
        Self::MissingSegment,
    ];

    /// Its name, in lower case with underscores.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoHeader => "no_header",
            Self::DuplicateId => "duplicate_id",
            Self::MissingParent => "missing_parent",
            Self::Cycle => "cycle",
            Self::CallWithoutResult => "call_without_result",
            Self::ResultWithoutCall => "result_without_call",
            Self::Gap => "gap",
            Self::Order => "order",
            Self::MissingSegment => "missing_segment",
        }
    }
}

impl Display for ProblemKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHeader => "the header is missing or not first",
            Self::DuplicateId => "another record has the same id",
            Self::MissingParent => "the record that it follows is not there",
            Self::Cycle => "it follows itself",
            Self::CallWithoutResult => "a tool was called and there is no result",
            Self::ResultWithoutCall => "a tool's result and no call",
            Self::Gap => "numbers are left out",
            Self::Order => "numbers are not in order",
            Self::MissingSegment => "the file that it goes on from is missing",
        })
    }
}

/// What a problem does to the agent that goes on with the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Effect {
    /// It isn't noticed.
    Nothing,
    /// The agent goes on without what was said before.
    Shortens,
    /// The agent can't go on: it doesn't read the file, or the model's interface refuses what it reads.
    Prevents,
}

impl Effect {
    /// `nothing`, `shortens`, `prevents`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Shortens => "shortens",
            Self::Prevents => "prevents",
        }
    }
}
