//! Whose transcript a file is, and what a folder keeps: by what is in it.

use std::path::Path;

use jsonl_core::{Log, scan};

use crate::error::Result;
use crate::homes::{Keeps, list_transcripts};
use crate::layout::Layout;
use crate::lines;
use crate::packed;
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
    Ok(told.or_else(|| clues.chat_at(path)))
}

/// Whose transcript an open file is.
pub(crate) fn detect_in(log: &Log, path: &Path) -> Result<Option<Agent>> {
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
    Ok(clues.chat_at(path))
}

/// What a file's first records tell.
#[derive(Default)]
struct Clues {
    chat: Option<Agent>,
    has_header: bool,
}

impl Clues {
    /// Whose it is, if this record tells without a doubt.
    fn see(&mut self, raw: &[u8]) -> Option<Agent> {
        if let Some(agent) = agent_of(raw) {
            return Some(agent);
        }
        if is_chat(raw) {
            // A plain message may stand in front of one that tells more.
            self.chat =
                self.chat.filter(|agent| *agent != Agent::Chat).or(Some(chat_of(raw, self.has_header)));
        }
        self.has_header |= scan::member(raw, "meta").is_some_and(|meta| meta.starts_with(b"{"));
        None
    }

    /// Whose chat it is, if it is one.
    fn chat_at(self, path: &Path) -> Option<Agent> {
        let name = path.to_string_lossy();
        let side = name.strip_suffix(".jsonl").map(|stem| format!("{stem}.meta.json"));
        Some(match self.chat? {
            _ if side.is_some_and(|side| Path::new(&side).is_file()) => Agent::Picoclaw,
            Agent::Chat if name.ends_with(".jsonl.archived") => Agent::Orca,
            agent => agent,
        })
    }
}

/// What Codex wrote before there were envelopes: a header, calls, and messages whose parts have its names.
fn is_bare_codex(raw: &[u8]) -> bool {
    let has = |name| scan::member(raw, name).is_some();
    let has_string = |name| lines::string(raw, name).is_some();
    match lines::string(raw, "type").as_deref() {
        None => has_string("id") && has_string("timestamp") && has("instructions") && !has("role"),
        Some("message") => {
            let content = scan::member(raw, "content").filter(|content| content.starts_with(b"["));
            let first = scan::items(content.unwrap_or(b"[]")).find(|item| item.starts_with(b"{"));
            let kind = first.and_then(|item| lines::string(item, "type"));
            has_string("role") && matches!(kind.as_deref(), Some("input_text" | "output_text"))
        }
        Some("function_call") => has_string("call_id") && has_string("arguments"),
        Some("function_call_output") => has_string("call_id") && has("output"),
        _ => false,
    }
}

/// A message with its role at the top, of a program that writes nothing around it.
fn is_chat(raw: &[u8]) -> bool {
    let has = |name| scan::member(raw, name).is_some();
    raw.starts_with(b"{")
        && lines::string(raw, "role").is_some_and(|role| !role.is_empty())
        && (has("content") || has("tool_calls") || has("reasoning_content"))
}

/// Who writes such a message.
fn chat_of(raw: &[u8], has_header: bool) -> Agent {
    let has = |name| scan::member(raw, name).is_some();
    if has_header {
        return Agent::Aish;
    }
    if has("model_name") || has("created_at") {
        return Agent::Picoclaw;
    }
    if lines::time(raw, "timestamp").is_some() {
        return Agent::Orca;
    }
    Agent::Chat
}

/// So many files of a folder are looked into.
const FILES_MAX: usize = 64;

/// What a folder keeps, by what is in its files; `None` if that is nothing known.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) if it can't be listed.
pub fn detect_folder(folder: &Path) -> Result<Option<Keeps>> {
    if is_catalog(&folder.join("sessions-db-events.jsonl")) {
        return Ok(Some(Keeps::Catalog));
    }
    let mut chat = None;
    for entry in list_transcripts(folder)?.into_iter().take(FILES_MAX) {
        // What can't be read doesn't tell.
        match detect(&entry.path).ok().flatten() {
            Some(agent @ (Agent::ClaudeCode | Agent::Codex | Agent::Pi | Agent::Gemini)) => {
                return Ok(Some(Keeps::Transcripts(agent)));
            }
            found => chat = chat.or(found),
        }
    }
    Ok(Layout::detect(folder).map(Keeps::Sessions).or(chat.map(Keeps::Transcripts)))
}

/// A log of sessions-db: its events have an operation and an id of their own.
fn is_catalog(path: &Path) -> bool {
    let Ok(log) = lines::open(path) else { return false };
    let is_event = |raw: &[u8]| ["op", "event_id"].iter().all(|name| lines::string(raw, name).is_some());
    let mut lines = log.lines().take(LINES_MAX).map_while(std::result::Result::ok);
    lines.any(|line| scan::check(&line.bytes, scan::NESTING_MAX).is_ok() && is_event(&line.bytes))
}

/// Who writes such a record.
fn agent_of(raw: &[u8]) -> Option<Agent> {
    if !raw.starts_with(b"{") {
        return None;
    }
    let has = |name| scan::member(raw, name).is_some();
    let has_string = |name| lines::string(raw, name).is_some();
    if has_string("type")
        && has_string("timestamp")
        && scan::member(raw, "payload").is_some_and(|payload| payload.starts_with(b"{"))
    {
        return Some(Agent::Codex);
    }
    if is_bare_codex(raw) {
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
    let is_gemini_head = has_string("sessionId") && (has_string("projectHash") || has_string("lastUpdated"));
    let is_gemini_message = has_string("id")
        && matches!(lines::string(raw, "type").as_deref(), Some("user" | "gemini" | "info"))
        && has_string("timestamp")
        && (has("content") || has("toolCalls"));
    let is_control = scan::member(raw, "$set").is_some_and(|set| set.starts_with(b"{"));
    if is_gemini_head || is_gemini_message || is_control || has_string("$rewindTo") {
        return Some(Agent::Gemini);
    }
    let is_message = has("parentUuid") && has_string("uuid") && has("message");
    let is_beside = has_string("leafUuid") || (has("snapshot") && has_string("messageId"));
    (has_string("type") && (is_message || is_beside)).then_some(Agent::ClaudeCode)
}
