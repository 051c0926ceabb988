//! Whose transcript a file is, by what is in it; and one of any agent.

use std::path::Path;

use crate::claude_code::ClaudeCode;
use crate::codex::Codex;
use crate::error::Result;
use crate::lines;
use crate::pi::Pi;
use crate::transcript::{Agent, Conversation, Message, Overview, ToolCall};

/// So many lines are looked at; a transcript may begin with damage, or with records that many agents could have written.
const LINES_MAX: usize = 50;

/// Whose transcript a file is; `None` if it is none that is known. Names tell nothing: people rename and copy.
///
/// # Errors
///
/// [`Error::Log`](crate::Error::Log) if it can't be read.
pub fn detect(path: impl AsRef<Path>) -> Result<Option<Agent>> {
    let log = lines::open(path.as_ref())?;
    for line in lines::lines(&log).take(LINES_MAX) {
        let found = line?.records.iter().find_map(|(_, raw)| agent_of(raw));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Who writes such a record.
fn agent_of(raw: &[u8]) -> Option<Agent> {
    let has = |name| lines::member(raw, name).is_some();
    let has_string = |name| lines::string(raw, name).is_some();
    if has_string("type")
        && has_string("timestamp")
        && lines::member(raw, "payload").is_some_and(|payload| payload.starts_with(b"{"))
    {
        return Some(Agent::Codex);
    }
    let is_pi_entry = has("parentId")
        && has_string("id")
        && has("message")
        && lines::string(raw, "type").as_deref() == Some("message");
    let is_pi_head =
        lines::string(raw, "type").as_deref() == Some("session") && has("version") && has_string("cwd");
    if is_pi_entry || is_pi_head {
        return Some(Agent::Pi);
    }
    let is_message = has("parentUuid") && has_string("uuid") && has("message");
    let is_beside = has_string("leafUuid") || (has("snapshot") && has_string("messageId"));
    (has_string("type") && (is_message || is_beside)).then_some(Agent::ClaudeCode)
}

/// A transcript, whoever wrote it: what all of them can say.
///
/// ```
/// # fn main() -> annals_formats::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("s.jsonl");
/// # std::fs::write(&path, concat!(
/// #   r#"{"type":"session","version":3,"id":"s","cwd":"/w"}"#, "\n",
/// #   r#"{"type":"message","id":"a","parentId":null,"message":{"role":"user","content":"hi"}}"#, "\n",
/// # )).unwrap();
/// use annals_formats::Transcript;
///
/// let Some(transcript) = Transcript::open(&path)? else { panic!() };
/// for index in transcript.conversation().messages {
///     let message = transcript.message(index)?;
///     assert_eq!((transcript.agent().name(), message.role.name(), &*message.text()), ("pi", "user", "hi"));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Transcript {
    /// Of Claude Code.
    ClaudeCode(ClaudeCode),
    /// Of Codex.
    Codex(Codex),
    /// Of pi.
    Pi(Pi),
}

macro_rules! whoevers {
    ($self:ident, $transcript:ident => $what:expr) => {
        match $self {
            Self::ClaudeCode($transcript) => $what,
            Self::Codex($transcript) => $what,
            Self::Pi($transcript) => $what,
        }
    };
}

impl Transcript {
    /// Finds out whose it is, and reads it; `None` if it is nobody's that is known.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        detect(path)?.map(|agent| Self::open_as(agent, path)).transpose()
    }

    /// Reads it as that agent's.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn open_as(agent: Agent, path: impl AsRef<Path>) -> Result<Self> {
        Ok(match agent {
            Agent::ClaudeCode => Self::ClaudeCode(ClaudeCode::open(path)?),
            Agent::Codex => Self::Codex(Codex::open(path)?),
            Agent::Pi => Self::Pi(Pi::open(path)?),
        })
    }

    /// Who wrote it.
    #[must_use]
    pub fn agent(&self) -> Agent {
        whoevers!(self, transcript => transcript.agent())
    }

    /// What it says of its session.
    #[must_use]
    pub fn overview(&self) -> &Overview {
        whoevers!(self, transcript => transcript.overview())
    }

    /// The records that are messages, in the order of the file; what doesn't count, too.
    #[must_use]
    pub fn messages(&self) -> Vec<usize> {
        whoevers!(self, transcript => transcript.messages().collect())
    }

    /// What was said that counts.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        whoevers!(self, transcript => transcript.conversation())
    }

    /// A record, with what it says; without parts if there is no such record.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn message(&self, index: usize) -> Result<Message> {
        whoevers!(self, transcript => transcript.message(index))
    }

    /// A record, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn raw(&self, index: usize) -> Result<Vec<u8>> {
        whoevers!(self, transcript => transcript.raw(index))
    }

    /// Every tool call, in the order of the file, with its result.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        whoevers!(self, transcript => transcript.tool_calls())
    }
}
