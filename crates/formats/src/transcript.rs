//! What was said, whoever's transcript it stands in: one view of all of them.
//!
//! A transcript is indexed once: a few words for each record, and where it stands. What a message says is read when it
//! is asked for, from the raw line, which is always there to go back to.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::SystemTime;

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
}

impl Agent {
    /// Its name, in lower case and without spaces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Pi => "pi",
        }
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
}

impl Overview {
    /// Notes when a record was written.
    pub(crate) fn see_time(&mut self, text: Option<&str>) {
        if let Some(time) = text.and_then(lines::parse_time) {
            self.start = Some(self.start.map_or(time, |start| start.min(time)));
            self.end = self.end.max(Some(time));
        }
    }

    /// How many lines are damaged, of those that there is a remark on.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.remarks.iter().filter(|remark| matches!(remark, Remark::Damaged { .. })).count()
    }
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
    /// Another message has the same id, or is the same, and stands in front of it.
    pub duplicate: bool,
    /// It was taken back.
    pub rolled_back: bool,
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
    /// Its text: that of its text parts, a line break between them.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
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
