//! Whose transcript a file is, and what a folder keeps: by what is in it.

use std::borrow::Cow;
use std::path::Path;

use jsonl_core::{Log, Span, scan};

use crate::error::{Error, Result};
use crate::homes::{Keeps, is_gone, list_transcripts_with};
use crate::layout::Layout;
use crate::lines;
use crate::packed;
use crate::picoclaw;
use crate::transcript::Agent;

/// So many lines are looked at; a transcript may begin with damage, or with records that many agents could have written.
const LINES_MAX: usize = 50;

/// Of a packed file, so many bytes are unpacked.
const PACKED_MAX: u64 = 256 << 10;

/// So many bytes are looked at, and a bit more: the first lines of a transcript may be very long.
const LEN_MAX: u64 = 4 << 20;

/// Whose transcript a file is; `None` if it is none that is known. Names tell nothing: people rename and copy. Only where programs
/// write the same does what lies beside a file decide. Of a packed file, the head is looked at.
///
/// # Errors
///
/// [`Error::Log`](crate::Error::Log) if it can't be read.
pub fn detect(path: impl AsRef<Path>) -> Result<Option<Agent>> {
    let path = path.as_ref();
    let log = lines::open(path)?;
    if !packed::is_packed_log(&log)? {
        return detect_in(&log, path);
    }
    let (head, _) = packed::head(path, PACKED_MAX)?;
    let mut clues = Clues::default();
    let mut lines =
        head.split(|byte| *byte == b'\n').filter(|line| scan::check(line, scan::NESTING_MAX).is_ok());
    let told = lines.by_ref().take(LINES_MAX).find_map(|line| clues.see(line));
    told.map_or_else(|| clues.chat_at(path), |agent| Ok(Some(agent)))
}

/// Whose transcript an open file is.
pub(crate) fn detect_in(log: &Log, path: &Path) -> Result<Option<Agent>> {
    let mut clues = Clues::default();
    let mut head = Head::of(log);
    for _ in 0..LINES_MAX {
        let Some(raw) = head.next()? else { return detect_line_by_line(log, path) };
        let agent = clues.see(raw);
        if agent.is_some() {
            return Ok(agent);
        }
    }
    clues.chat_at(path)
}

/// The same of any file, whatever is in it.
fn detect_line_by_line(log: &Log, path: &Path) -> Result<Option<Agent>> {
    let mut clues = Clues::default();
    for line in log.lines().take(LINES_MAX) {
        let line = line?;
        if line.offset > LEN_MAX {
            break;
        }
        let found = lines::found(log, &line, |_| true)?;
        if let Some(agent) = found.records.iter().find_map(|(_, raw)| clues.see(raw)) {
            return Ok(Some(agent));
        }
    }
    clues.chat_at(path)
}

/// The first lines of a file, as long as they are whole objects: little is read, and memory taken for no more than the longest.
struct Head<'a> {
    log: &'a Log,
    bytes: Vec<u8>,
    /// Where they are in the file, and how many of them are of lines that were given already.
    offset: u64,
    given: usize,
}

impl<'a> Head<'a> {
    fn of(log: &'a Log) -> Self {
        Self { log, bytes: Vec::new(), offset: 0, given: 0 }
    }

    /// The next line; `None` if it isn't whole, or no object, or far behind.
    fn next(&mut self) -> Result<Option<&[u8]>> {
        let len = match memchr::memchr(b'\n', &self.bytes[self.given..]) {
            Some(len) => len,
            None => match self.read_on()? {
                Some(len) => len,
                None => return Ok(None),
            },
        };
        let start = self.given;
        self.given += len + 1;
        let raw = lines::bare(&self.bytes[start..start + len]);
        let is_object =
            raw.starts_with(b"{") && scan::utf8(raw).is_some() && scan::check(raw, scan::NESTING_MAX).is_ok();
        Ok(is_object.then_some(raw))
    }

    /// Reads at least a line more, and returns its length.
    fn read_on(&mut self) -> Result<Option<usize>> {
        self.offset += self.given as u64;
        self.given = 0;
        let end = self.log.len().min(LEN_MAX);
        let mut at = self.offset;
        while at < end {
            let step = WINDOW.min(end - at);
            let bytes = self.log.read(Span { offset: at, len: step })?;
            if let Some(newline) = memchr::memchr(b'\n', &bytes) {
                let len = at - self.offset + newline as u64;
                // All of a long line is read when it is known how long it is.
                self.bytes = match at == self.offset {
                    true => bytes,
                    false => self.log.read(Span { offset: self.offset, len: len + 1 })?,
                };
                return Ok(usize::try_from(len).ok());
            }
            at += step;
        }
        Ok(None)
    }
}

/// So much is read at once.
const WINDOW: u64 = 64 << 10;

/// What a file's first records tell.
#[derive(Default)]
struct Clues {
    chat: Option<Agent>,
    has_header: bool,
}

impl Clues {
    /// Whose it is, if this record tells without a doubt.
    fn see(&mut self, raw: &[u8]) -> Option<Agent> {
        if !raw.starts_with(b"{") {
            return None;
        }
        let record = Record::of(raw);
        if let Some(agent) = record.agent() {
            return Some(agent);
        }
        if record.is_chat() {
            // A plain message may stand in front of one that tells more.
            let chat = record.chat(self.has_header);
            self.chat = self.chat.filter(|agent| *agent != Agent::Chat).or(Some(chat));
        }
        self.has_header |= record.has_object("meta");
        None
    }

    /// Whose chat it is, if it is one. A side file makes it picoclaw's, so that has to be looked at.
    fn chat_at(self, path: &Path) -> Result<Option<Agent>> {
        let Some(chat) = self.chat else { return Ok(None) };
        let name = path.to_string_lossy();
        if name.ends_with(".jsonl") && picoclaw::has_side_file(path)? {
            return Ok(Some(Agent::Picoclaw));
        }
        Ok(Some(match chat {
            Agent::Chat if name.ends_with(".jsonl.archived") => Agent::Orca,
            agent => agent,
        }))
    }
}

/// So many files of a folder are looked into.
const FILES_MAX: usize = 64;

/// What a folder keeps, by what is in its files; `None` if that is nothing known.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) if it can't be listed, or if nothing is known and something in it can't be read.
pub fn detect_folder(folder: &Path) -> Result<Option<Keeps>> {
    let (mut chat, mut unread) = (None, Vec::new());
    match is_catalog(&folder.join("sessions-db-events.jsonl")) {
        Ok(true) => return Ok(Some(Keeps::Catalog)),
        Ok(false) => {}
        Err(error) => unread.push(error),
    }
    for entry in list_transcripts_with(folder, &mut unread)?.into_iter().take(FILES_MAX) {
        // What can't be read doesn't tell; others may.
        match detect(&entry.path) {
            Ok(Some(agent @ (Agent::ClaudeCode | Agent::Codex | Agent::Pi | Agent::Gemini))) => {
                return Ok(Some(Keeps::Transcripts(agent)));
            }
            Ok(found) => chat = chat.or(found),
            Err(error) => unread.push(error),
        }
    }
    let layout = Layout::detect(folder).unwrap_or_else(|error| {
        unread.push(error);
        None
    });
    let known = layout.map(Keeps::Sessions).or(chat.map(Keeps::Transcripts));
    match unread.into_iter().next() {
        Some(error) if known.is_none() => Err(error),
        _ => Ok(known),
    }
}

/// A log of sessions-db.
fn is_catalog(path: &Path) -> Result<bool> {
    let log = match lines::open(path) {
        Err(Error::Log(jsonl_core::Error::Io { source, .. })) if is_gone(&source) => return Ok(false),
        // A folder or a device of this name is none.
        Err(Error::Log(jsonl_core::Error::NotAFile { .. })) => return Ok(false),
        log => log?,
    };
    for line in log.lines().take(LINES_MAX) {
        let line = line?.bytes;
        if scan::check(&line, scan::NESTING_MAX).is_ok() && Record::of(&line).is_event() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The members by which one tells who writes such a record: found in one pass, for a first line may be megabytes.
struct Record<'a>([&'a [u8]; NAMES.len()]);

/// What they are called.
const NAMES: [&str; 32] = [
    "$rewindTo",
    "$set",
    "arguments",
    "call_id",
    "content",
    "created_at",
    "cwd",
    "event_id",
    "id",
    "instructions",
    "lastUpdated",
    "leafUuid",
    "message",
    "messageId",
    "meta",
    "model_name",
    "op",
    "output",
    "parentId",
    "parentUuid",
    "payload",
    "projectHash",
    "reasoning_content",
    "role",
    "sessionId",
    "snapshot",
    "timestamp",
    "toolCalls",
    "tool_calls",
    "type",
    "uuid",
    "version",
];

impl<'a> Record<'a> {
    /// Those of an object; of several of one name the last.
    fn of(raw: &'a [u8]) -> Self {
        let mut values = [&raw[..0]; NAMES.len()];
        for member in scan::members(raw) {
            let found = scan::name(member.key);
            if let Some(at) = NAMES.iter().position(|name| name.as_bytes() == &*found) {
                values[at] = member.value;
            }
        }
        Self(values)
    }

    /// A member's value as it is written; empty if there is none.
    fn value(&self, name: &str) -> &'a [u8] {
        let at = NAMES.iter().position(|known| *known == name);
        debug_assert!(at.is_some(), "{name} is not looked for");
        at.map_or(b"", |at| self.0[at])
    }

    fn has(&self, name: &str) -> bool {
        !self.value(name).is_empty()
    }

    fn has_string(&self, name: &str) -> bool {
        self.value(name).starts_with(b"\"")
    }

    fn has_object(&self, name: &str) -> bool {
        self.value(name).starts_with(b"{")
    }

    /// What a member says that is a string.
    fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        scan::string(self.value(name))
    }

    /// Who writes such a record, if it tells without a doubt.
    fn agent(&self) -> Option<Agent> {
        if self.has_string("type") && self.has_string("timestamp") && self.has_object("payload") {
            return Some(Agent::Codex);
        }
        if self.is_bare_codex() {
            return Some(Agent::Codex);
        }
        let kind = self.string("type");
        let is_pi_entry = self.has("parentId")
            && self.has_string("id")
            && self.has("message")
            && kind.as_deref() == Some("message");
        let is_pi_head = kind.as_deref() == Some("session") && self.has("version") && self.has_string("cwd");
        if is_pi_entry || is_pi_head {
            return Some(Agent::Pi);
        }
        let is_gemini_head = self.has_string("sessionId")
            && (self.has_string("projectHash") || self.has_string("lastUpdated"));
        let is_gemini_message = self.has_string("id")
            && matches!(kind.as_deref(), Some("user" | "gemini" | "info"))
            && self.has_string("timestamp")
            && (self.has("content") || self.has("toolCalls"));
        if is_gemini_head || is_gemini_message || self.has_object("$set") || self.has_string("$rewindTo") {
            return Some(Agent::Gemini);
        }
        let is_message = self.has("parentUuid") && self.has_string("uuid") && self.has("message");
        let is_beside = self.has_string("leafUuid") || (self.has("snapshot") && self.has_string("messageId"));
        (self.has_string("type") && (is_message || is_beside)).then_some(Agent::ClaudeCode)
    }

    /// What Codex wrote before there were envelopes: a header, calls, and messages whose parts have its names.
    fn is_bare_codex(&self) -> bool {
        match self.string("type").as_deref() {
            None => {
                self.has_string("id")
                    && self.has_string("timestamp")
                    && self.has("instructions")
                    && !self.has("role")
            }
            Some("message") => {
                let first = scan::items(self.value("content")).find(|item| item.starts_with(b"{"));
                let kind = first.and_then(|item| lines::string(item, "type"));
                self.has_string("role") && matches!(kind.as_deref(), Some("input_text" | "output_text"))
            }
            Some("function_call") => self.has_string("call_id") && self.has_string("arguments"),
            Some("function_call_output") => self.has_string("call_id") && self.has("output"),
            _ => false,
        }
    }

    /// A message with its role at the top, of a program that writes nothing around it.
    fn is_chat(&self) -> bool {
        self.string("role").is_some_and(|role| !role.is_empty())
            && (self.has("content") || self.has("tool_calls") || self.has("reasoning_content"))
    }

    /// Who writes such a message.
    fn chat(&self, has_header: bool) -> Agent {
        if has_header {
            return Agent::Aish;
        }
        if self.has("model_name") || self.has("created_at") {
            return Agent::Picoclaw;
        }
        if self.string("timestamp").is_some_and(|time| lines::parse_time(&time).is_some()) {
            return Agent::Orca;
        }
        Agent::Chat
    }

    /// An event of sessions-db's log: it has an operation and an id of its own.
    fn is_event(&self) -> bool {
        self.has_string("op") && self.has_string("event_id")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn heads_tell_what_all_lines_tell() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        let long = |len: usize| "x".repeat(len);
        let lines = [
            String::new(),
            String::from("garbage"),
            String::from("17"),
            String::from("\u{feff}{\"a\":1}\r"),
            String::from("{\"role\":\"user\",\"content\":\"a\"}"),
            String::from("{\"role\":\"user\",\"content\":\"a\",\"timestamp\":\"2026-08-21T08:00:00Z\"}"),
            String::from("{\"meta\":{}}"),
            String::from("{\"type\":\"session\",\"version\":3,\"cwd\":\"/w\",\"type\":\"other\"}"),
            String::from("{\"type\":\"session\",\"version\":3,\"cwd\":\"/w\"}"),
            format!("{{\"role\":\"user\",\"content\":\"{}\"}}", long(WINDOW as usize)),
            format!("{{\"a\":\"{}\",\"t\\u0079pe\":\"x\",\"leafUuid\":\"u\"}}", long(3 * WINDOW as usize)),
            format!("{{\"type\":\"event_msg\",\"payload\":{{}},\"timestamp\":\"t\",\"a\":\"{}", long(70_000)),
        ];
        let mut found = Vec::new();
        for first in &lines {
            for second in &lines {
                for third in lines.iter().step_by(2) {
                    for end in ["", "\n"] {
                        fs::write(&path, format!("{first}\n{second}\n{third}{end}")).unwrap();
                        let log = lines::open(&path).unwrap();
                        let agent = detect_in(&log, &path).unwrap();
                        assert_eq!(
                            agent,
                            detect_line_by_line(&log, &path).unwrap(),
                            "{first:.80} {second:.80}"
                        );
                        found.push(agent);
                    }
                }
            }
        }
        for agent in [None, Some(Agent::ClaudeCode), Some(Agent::Pi), Some(Agent::Aish), Some(Agent::Orca)] {
            assert!(found.contains(&agent), "{agent:?}");
        }
    }
}
