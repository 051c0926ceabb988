//! What one record says, seen by itself: for following a transcript and for searching, where nobody makes an index first.

use std::time::SystemTime;

use serde_json::Value;

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
    let raw = lines::bare(record);
    if !raw.starts_with(b"{") {
        return None;
    }
    let (role, time, mut parts) = match agent {
        Agent::ClaudeCode => {
            let role = match lines::string(raw, "type").as_deref() {
                Some("user") if lines::member(raw, "isMeta") == Some(b"true") => Role::System,
                Some("user") => Role::User,
                Some("assistant") => Role::Assistant,
                Some("system") => Role::System,
                _ => return None,
            };
            (role, lines::time(raw, "timestamp"), claude_code::parts(&lines::value(raw)))
        }
        Agent::Codex => {
            let item = match lines::string(raw, "type").as_deref() {
                Some("response_item") => lines::member(raw, "payload")?,
                Some("message" | "function_call" | "function_call_output" | "reasoning") => raw,
                _ => return None,
            };
            let role = match lines::string(item, "type").as_deref() {
                Some("message") if codex::is_context(item) => Role::System,
                Some("message") => codex::role_of(item),
                Some("function_call_output" | "custom_tool_call_output") => Role::User,
                _ => Role::Assistant,
            };
            (role, lines::time(raw, "timestamp"), codex::parts(&lines::value(item)))
        }
        Agent::Pi => {
            if lines::string(raw, "type").as_deref() != Some("message") {
                return None;
            }
            let message = lines::member(raw, "message")?;
            let role = pi::role_of(&lines::string(message, "role")?);
            (role, lines::time(raw, "timestamp"), pi::parts(&lines::value(message)))
        }
        Agent::Gemini => {
            let role = gemini::role_of(&lines::string(raw, "type")?);
            lines::string(raw, "id")?;
            (role, lines::time(raw, "timestamp"), gemini::parts(&lines::value(raw)))
        }
        Agent::Picoclaw | Agent::Orca | Agent::Aish | Agent::Chat => {
            let role = chat::role_of(&lines::string(raw, "role")?)?;
            (role, chat::time_of(raw), chat::parts(raw))
        }
    };
    drop_data(&mut parts);
    (!parts.is_empty()).then_some(Said { role, time, parts })
}

/// Text in a tool's input: all its strings, a line each, which is what somebody looks for in it.
#[must_use]
pub fn input_text(input: &str) -> String {
    fn collect(value: &Value, text: &mut String) {
        match value {
            Value::String(found) => {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(found);
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, text)),
            Value::Object(members) => members.values().for_each(|member| collect(member, text)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut text = String::new();
    match jsonl_core::parse_json::<Value>(input.as_bytes()) {
        Ok(value) => collect(&value, &mut text),
        Err(_) => input.clone_into(&mut text),
    }
    text
}
