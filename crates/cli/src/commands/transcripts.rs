//! Commands on the transcripts of agents, and on the sessions of all of them and the store at once.

pub(crate) mod ls;
mod rows;
pub(crate) mod search;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod verify;

use annals_formats::said;
use annals_formats::transcript::{Agent, Message, Part, Role};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::args::{Speaker, View};
use crate::commands::view;
use crate::exit::Failure;
use crate::out::Out;

/// A message for a program.
#[derive(Serialize)]
struct MessageObject<'a> {
    /// From 1; null where the lines in front of it were not counted.
    line: Option<u64>,
    offset: u64,
    role: &'static str,
    time: Option<Timestamp>,
    text: String,
    /// The record as it is in the file.
    record: Option<&'a RawValue>,
}

/// Prints a message of a transcript.
fn print(message: &Message, raw: &[u8], view: View, out: &mut Out) -> Result<(), Failure> {
    if view.raw && !out.json {
        out.bytes(raw)?;
        return out.bytes(b"\n");
    }
    let text = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw).trim_ascii();
    let line = Some(message.line).filter(|line| *line > 0);
    let time = message.time.and_then(|time| Timestamp::try_from(time).ok());
    if out.json {
        let record = std::str::from_utf8(text).ok().and_then(|text| serde_json::from_str(text).ok());
        let (offset, role) = (message.span.offset, message.role.name());
        return out.object(&MessageObject { line, offset, role, time, text: message.text(), record });
    }
    let place = match line {
        Some(line) => format!("#{line}"),
        None => format!("offset {}", message.span.offset),
    };
    view::print_text_of(text, time, &place, view.full, out)
}

/// Whether a part of a message is said by one of those that are wanted; everyone is where none are named.
fn is_by(role: Role, part: &Part, wanted: &[Speaker]) -> bool {
    let by = match part {
        Part::ToolCall { .. } | Part::ToolResult { .. } => Speaker::Tool,
        Part::Reasoning(_) => Speaker::Reasoning,
        _ => match role {
            Role::User => Speaker::User,
            Role::Assistant => Speaker::Assistant,
            _ => Speaker::System,
        },
    };
    wanted.is_empty() || wanted.contains(&by)
}

/// Whether anything in a message is.
fn is_any_by(role: Role, parts: &[Part], wanted: &[Speaker]) -> bool {
    wanted.is_empty() || parts.iter().any(|part| is_by(role, part, wanted))
}

/// A record that says something, by itself.
pub(super) fn is_said(agent: Agent, raw: &[u8], wanted: &[Speaker]) -> bool {
    said(agent, raw).is_some_and(|said| is_any_by(said.role, &said.parts, wanted))
}
