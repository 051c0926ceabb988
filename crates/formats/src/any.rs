//! A transcript of any agent: what all of them can say.

use std::collections::HashSet;
use std::path::Path;

use jsonl_core::{Log, ReadOptions};
use memchr::memmem::Finder;

use crate::chat::{self, Chat};
use crate::claude_code::{self, ClaudeCode};
use crate::codex::{self, Codex};
use crate::detect::{detect, detect_in};
use crate::error::Result;
use crate::foreign::Remark;
use crate::gemini::{self, Gemini};
use crate::lines;
use crate::packed;
use crate::pi::{self, Pi};
use crate::reading::{self, End, Reading};
use crate::said::said;
use crate::transcript::{Agent, Answer, Conversation, Glance, Message, Overview, Problem, ToolCall, hash_of};

/// A transcript, whoever wrote it.
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
    /// Of Gemini CLI.
    Gemini(Gemini),
    /// Of picoclaw, orca, aish, or some other program.
    Chat(Chat),
}

/// What is counted of a transcript of which no index is kept, so that it may be very large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// What it says of its session.
    pub overview: Overview,
    /// What each answer took.
    pub answers: Vec<Answer>,
    /// How many bytes are in records that stand in the file already, byte for byte.
    pub duplicate_bytes: u64,
    /// Images in what was said; one that stands twice in a record counts once.
    pub images: u64,
}

macro_rules! whoevers {
    ($self:ident, $transcript:ident => $what:expr) => {
        match $self {
            Self::ClaudeCode($transcript) => $what,
            Self::Codex($transcript) => $what,
            Self::Pi($transcript) => $what,
            Self::Gemini($transcript) => $what,
            Self::Chat($transcript) => $what,
        }
    };
}

impl Transcript {
    /// Finds out whose it is, and reads it; `None` if it is nobody's that is known.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read, [`Error::Packed`](crate::Error::Packed) if it is packed.
    pub fn open(path: impl AsRef<Path>) -> Result<Option<Self>> {
        Self::opened(path.as_ref(), packed::open(path.as_ref(), None)?)
    }

    /// The same; what is packed is unpacked into a file without a name in `spool`, which goes away with the transcript.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) if it can't be read, or nothing can be written there.
    pub fn open_in(path: impl AsRef<Path>, spool: &Path) -> Result<Option<Self>> {
        Self::open_with(path, &ReadOptions::new(), spool)
    }

    /// The same, read as the options say: on how many threads, and who is told how far it has come. Nothing is ever mapped.
    ///
    /// # Errors
    ///
    /// As [`open_in`](Self::open_in).
    pub fn open_with(path: impl AsRef<Path>, options: &ReadOptions, spool: &Path) -> Result<Option<Self>> {
        Self::opened(path.as_ref(), packed::open_with(path.as_ref(), options, Some(spool))?)
    }

    fn opened(path: &Path, opened: (Log, Option<Remark>)) -> Result<Option<Self>> {
        let Some(agent) = detect_in(&opened.0, path)? else { return Ok(None) };
        Self::of(agent, path, opened).map(Some)
    }

    /// Reads it as that agent's.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read, [`Error::Packed`](crate::Error::Packed) if it is packed.
    pub fn open_as(agent: Agent, path: impl AsRef<Path>) -> Result<Self> {
        Self::of(agent, path.as_ref(), packed::open(path.as_ref(), None)?)
    }

    fn of(agent: Agent, path: &Path, opened: (Log, Option<Remark>)) -> Result<Self> {
        Ok(match agent {
            Agent::ClaudeCode => Self::ClaudeCode(ClaudeCode::of(opened)?),
            Agent::Codex => Self::Codex(Codex::of(opened)?),
            Agent::Pi => Self::Pi(Pi::of(opened)?),
            Agent::Gemini => Self::Gemini(Gemini::of(opened)?),
            Agent::Picoclaw | Agent::Orca | Agent::Aish | Agent::Chat => {
                Self::Chat(Chat::of(agent, path, opened)?)
            }
        })
    }

    /// Reads the last messages of a conversation, without reading what is in front of them where that can be helped. Of a
    /// transcript that is not read whole, lines have no numbers, and the overview is that of its end. Where the end may be lines that
    /// stand in the file already, which the times of the records in front of it tell, all is read: in records without a time, and in
    /// those of one minute, such lines are taken for new ones.
    ///
    /// # Errors
    ///
    /// As [`open_in`](Self::open_in).
    pub fn open_end(
        path: impl AsRef<Path>,
        spool: &Path,
        messages: usize,
    ) -> Result<Option<(Self, Conversation)>> {
        let path = path.as_ref();
        let Some(agent) = detect(path)? else { return Ok(None) };
        Self::open_end_as(agent, path, spool, messages).map(Some)
    }

    /// The same of that agent's, whatever is in it.
    ///
    /// # Errors
    ///
    /// As [`open_in`](Self::open_in).
    pub fn open_end_as(
        agent: Agent,
        path: impl AsRef<Path>,
        spool: &Path,
        messages: usize,
    ) -> Result<(Self, Conversation)> {
        let path = path.as_ref();
        // Unpacking is all the work.
        let len = if packed::is_packed(path)? { u64::MAX } else { END_LEN };
        let opened = packed::open(path, Some(spool))?;
        match agent {
            Agent::ClaudeCode => {
                let end = |log, index| Self::ClaudeCode(ClaudeCode::of_index(log, index));
                Self::end_of(opened, len, messages, end)
            }
            Agent::Codex => {
                Self::end_of(opened, len, messages, |log, index| Self::Codex(Codex::of_index(log, index)))
            }
            Agent::Pi => Self::end_of(opened, len, messages, |log, index| Self::Pi(Pi::of_index(log, index))),
            _ => {
                let found = Self::of(agent, path, opened)?;
                let mut conversation = found.conversation();
                conversation.keep_last(messages);
                Ok((found, conversation))
            }
        }
    }

    /// So much of the end as the last messages take, `len` bytes first.
    fn end_of<R: Reading>(
        opened: (Log, Option<Remark>),
        mut len: u64,
        messages: usize,
        of: impl Fn(Log, R) -> Self,
    ) -> Result<(Self, Conversation)>
    where
        R::Seen: Clone,
    {
        let all = opened.0.len();
        let mut end = End::<R>::of(opened);
        loop {
            let (log, index, start) = end.reach(len)?;
            let found = of(log, index);
            let mut conversation = found.conversation();
            let count = conversation.messages.len();
            // Behind the conversation there may be nothing but a side chain, so far.
            let is_beside = match conversation.messages.last() {
                Some(last) if start > 0 => found.message(*last)?.flags.sidechain,
                _ => false,
            };
            // A way back that ends with a record that follows none is a whole conversation.
            let is_tree = matches!(found, Self::ClaudeCode(_) | Self::Pi(_));
            let is_whole = is_tree && conversation.stop.is_none() && count > 0;
            let is_enough = count >= messages || is_whole;
            // Lines that were written again can only be told from new ones by what is in front of them.
            let mut is_told = !is_beside && !found.overview().goes_back;
            if let Some(first) = found.overview().start.filter(|_| is_enough && is_told && start > 0) {
                is_told = !end.is_younger_in_front(first)?;
            }
            if (is_enough && is_told) || start == 0 {
                conversation.keep_last(messages);
                return Ok((found, conversation));
            }
            let (read, wanted, count) = (all - start, messages as u64, count as u64);
            len = match count {
                _ if !is_told => u64::MAX,
                // Few tell little: one of them may take up nearly all.
                0..TELLING => read.saturating_add(read / 4),
                // As many more bytes as messages are missing, and some more.
                _ => (read.saturating_mul(wanted) / count).saturating_add(read / 8),
            };
        }
    }

    /// What a file's head and end say of its session: two reads, however large it is. Of a packed one, the head.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn glance(agent: Agent, path: impl AsRef<Path>) -> Result<Glance> {
        fn of<R: Reading>(path: &Path) -> Result<Glance> {
            let log = lines::open(path)?;
            if packed::is_packed_log(&log)? {
                return reading::glance_packed::<R>(&log, path);
            }
            reading::glance::<R>(&log)
        }
        let path = path.as_ref();
        match agent {
            Agent::ClaudeCode => of::<claude_code::Index>(path),
            Agent::Codex => of::<codex::Index>(path),
            Agent::Pi => of::<pi::Index>(path),
            Agent::Gemini => of::<gemini::Index>(path),
            Agent::Picoclaw | Agent::Orca | Agent::Aish | Agent::Chat => {
                let mut glance = of::<chat::Index>(path)?;
                chat::describe(agent, path, &mut glance.overview);
                Ok(glance)
            }
        }
    }

    /// Counts what is in a transcript, without keeping an index of it: memory for a few words for each record. `options` say on
    /// how many threads.
    ///
    /// # Errors
    ///
    /// As [`open_in`](Self::open_in).
    pub fn tally(agent: Agent, path: impl AsRef<Path>, options: &ReadOptions, spool: &Path) -> Result<Tally> {
        fn of<R: Reading>(
            agent: Agent,
            opened: (Log, Option<Remark>),
            answers: impl FnOnce(R) -> Vec<Answer>,
        ) -> Result<Tally> {
            let (log, remark) = opened;
            let mut tally = Tally::default();
            // What a record with an image has in it.
            let marks: &[&[u8]] = match agent {
                Agent::ClaudeCode | Agent::Codex | Agent::Pi | Agent::Gemini => &[b"image"],
                _ => &[b"image", b"media", b"attachments"],
            };
            let marks: Vec<Finder<'_>> = marks.iter().map(Finder::new).collect();
            let mut seen = HashSet::new();
            let see = |raw: &[u8]| {
                // Few have any.
                let may_have = marks.iter().any(|mark| mark.find(raw).is_some());
                let said = if may_have { said(agent, raw) } else { None };
                (hash_of(raw), raw.len() as u64, said.map_or(0, |said| said.images().count() as u64))
            };
            let mut index: R = reading::tally(&log, see, |(hash, len, images)| {
                tally.images += images;
                if !seen.insert(hash) {
                    tally.duplicate_bytes += len;
                }
            })?;
            index.overview().remarks.extend(remark);
            tally.overview = std::mem::take(index.overview());
            tally.answers = answers(index);
            Ok(tally)
        }
        let path = path.as_ref();
        let opened = packed::open_with(path, options, Some(spool))?;
        match agent {
            Agent::ClaudeCode => of(agent, opened, |index: claude_code::Index| index.answers),
            Agent::Codex => of(agent, opened, |index: codex::Index| index.answers),
            Agent::Pi => of(agent, opened, |index: pi::Index| index.answers),
            Agent::Gemini => of(agent, opened, |index: gemini::Index| index.answers),
            Agent::Picoclaw | Agent::Orca | Agent::Aish | Agent::Chat => {
                let mut tally = of(agent, opened, |_: chat::Index| Vec::new())?;
                chat::describe(agent, path, &mut tally.overview);
                Ok(tally)
            }
        }
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

    /// Every record of that conversation, those with nothing but tools, too, in the order of the file.
    #[must_use]
    pub fn records(&self) -> Vec<usize> {
        whoevers!(self, transcript => transcript.records())
    }

    /// The record that a line of the file holds, from 1, in a format in which records follow one another as a tree.
    #[must_use]
    pub fn at_line(&self, line: u64) -> Option<usize> {
        match self {
            Self::ClaudeCode(transcript) => transcript.tree().at_line(line),
            Self::Pi(transcript) => transcript.tree().at_line(line),
            Self::Codex(_) | Self::Gemini(_) | Self::Chat(_) => None,
        }
    }

    /// The conversation that ends with a record, whichever of several that is, and every record of it. That of
    /// [`conversation`](Self::conversation) in a format that isn't a tree.
    #[must_use]
    pub fn conversation_to(&self, leaf: usize) -> (Conversation, Vec<usize>) {
        let tree = match self {
            Self::ClaudeCode(transcript) => transcript.tree(),
            Self::Pi(transcript) => transcript.tree(),
            Self::Codex(_) | Self::Gemini(_) | Self::Chat(_) => return (self.conversation(), self.records()),
        };
        (tree.conversation_to(leaf), tree.records_to(leaf))
    }

    pub(crate) fn log(&self) -> &Log {
        whoevers!(self, transcript => transcript.log())
    }

    /// A record, with what it says; without parts if there is no such record.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn message(&self, index: usize) -> Result<Message> {
        whoevers!(self, transcript => transcript.message(index))
    }

    /// The same with the [data](crate::transcript::Image::data) of its images.
    ///
    /// # Errors
    ///
    /// As [`message`](Self::message).
    pub fn message_with_images(&self, index: usize) -> Result<Message> {
        whoevers!(self, transcript => transcript.message_with_images(index))
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

    /// What each answer of the model took, where the agent writes it down.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        match self {
            Self::ClaudeCode(transcript) => transcript.answers(),
            Self::Codex(transcript) => transcript.answers(),
            Self::Pi(transcript) => transcript.answers(),
            Self::Gemini(transcript) => transcript.answers(),
            Self::Chat(_) => &[],
        }
    }

    /// What is not as its format, or the model's interface, wants it, in the order of the file. Damaged lines are among the
    /// overview's remarks.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        whoevers!(self, transcript => transcript.problems())
    }
}

/// So much of a file's end is read first for the last messages.
const END_LEN: u64 = 256 << 10;

/// From so many messages on it can be told how long the next ones are.
const TELLING: u64 = 8;
