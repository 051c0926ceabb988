//! What one record says, seen by itself: for following a transcript and for searching, where nobody makes an index first.

use std::ops::Range;
use std::time::SystemTime;

use jsonl_core::scan::{self, Visit};

use crate::json::{self, Json};
use crate::transcript::{Agent, Image, Part, Role, drop_data};
use crate::{chat, claude_code, codex, gemini, lines, pi};

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Said {
    /// Who says it.
    pub role: Role,
    /// When it was written.
    pub time: Option<SystemTime>,
    /// What it consists of. Images have no data.
    pub parts: Vec<Part>,
}

impl Said {
    /// The images in it, in the order of its parts.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        self.parts.iter().flat_map(|part| match part {
            Part::Image(image) => std::slice::from_ref(image),
            Part::ToolResult { images, .. } => &images[..],
            _ => &[],
        })
    }
}

/// What a record of an agent's transcript says; what an agent says to the model in the user's name is the system's. `None` if it isn't part of what is said, such as progress, or what mirrors
/// something that stands in another record. Whether it counts in the conversation can't be told by it alone.
///
/// ```
/// use annals_formats::said;
/// use annals_formats::transcript::{Agent, Part};
///
/// let record = br#"{"type":"user","uuid":"u","message":{"role":"user","content":"hi"}}"#;
/// assert_eq!(said(Agent::ClaudeCode, record).unwrap().parts, [Part::Text("hi".into())]);
/// assert_eq!(said(Agent::ClaudeCode, br#"{"type":"progress","data":{"output":"hi"}}"#), None);
/// ```
#[must_use]
pub fn said(agent: Agent, record: &[u8]) -> Option<Said> {
    let (role, time, mut parts) = json::with(record, |record| {
        let time = |record: &Json<'_>| record["timestamp"].text().as_deref().and_then(lines::parse_time);
        let kind = record["type"].word();
        Some(match agent {
            Agent::ClaudeCode => {
                let role = match kind {
                    Some("user") if record["isMeta"].is_true() => Role::System,
                    Some("user") => Role::User,
                    Some("assistant") => Role::Assistant,
                    Some("system") => Role::System,
                    _ => return None,
                };
                (role, time(record), claude_code::parts(record))
            }
            Agent::Codex => {
                let item = match kind {
                    Some("response_item") => &record["payload"],
                    Some("compacted") => {
                        let summary = record["payload"]["message"].text()?;
                        return Some((Role::System, time(record), vec![Part::Text(summary)]));
                    }
                    Some(kind) if codex::BARE.contains(&kind) => record,
                    _ => return None,
                };
                let parts = codex::parts(item);
                let role = match item["type"].word() {
                    Some("message") if codex::is_context(&parts) => Role::System,
                    Some("message") => codex::role_of(item["role"].word()),
                    Some("function_call_output" | "custom_tool_call_output") => Role::User,
                    _ => Role::Assistant,
                };
                (role, time(record), parts)
            }
            Agent::Pi => {
                let message = &record["message"];
                if let Some("compaction" | "branch_summary") = kind {
                    return Some((Role::System, time(record), vec![Part::Text(record["summary"].text()?)]));
                }
                if kind != Some("message") {
                    return None;
                }
                (pi::role_of(message["role"].word()?), time(record), pi::parts(message))
            }
            Agent::Gemini => {
                if !record["id"].is_string() {
                    return None;
                }
                (gemini::role_of(kind?), time(record), gemini::parts(record))
            }
            Agent::Picoclaw | Agent::Orca | Agent::Aish | Agent::Chat => {
                (chat::role_of(record["role"].word()?)?, chat::time_of(record), chat::parts_of(record))
            }
        })
    })?;
    drop_data(&mut parts);
    (!parts.is_empty()).then_some(Said { role, time, parts })
}

/// Text in a tool's input: all its strings, a line each, which is what somebody looks for in it.
#[must_use]
pub fn input_text(input: &str) -> String {
    struct Strings<'a>(&'a [u8], String);

    impl Visit for Strings<'_> {
        fn string(&mut self, content: Range<usize>, _depth: usize, is_key: bool) {
            if !is_key {
                if !self.1.is_empty() {
                    self.1.push('\n');
                }
                self.1.push_str(&scan::unescape(&self.0[content]));
            }
        }
    }

    let mut strings = Strings(input.as_bytes(), String::new());
    match scan::visit(input.as_bytes(), scan::NESTING_MAX, &mut strings) {
        Ok(()) => strings.1,
        Err(_) => input.to_owned(),
    }
}
