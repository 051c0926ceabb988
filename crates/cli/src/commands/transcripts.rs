//! Commands on the transcripts of agents, and on the sessions of all of them and the store at once.

pub(crate) mod examine;
pub(crate) mod ls;
pub(crate) mod rows;
pub(crate) mod search;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod verify;

use annals_formats::said;
use annals_formats::transcript::{Agent, Image, Message, Part, Role};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::args::{Speaker, View};
use crate::commands::view;
use crate::describe::{Described, Part as Shown};
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
    if message.parts.is_empty() {
        return view::print_text_of(text, time, &place, view.full, out);
    }
    view::print_described(&described(message), time, &place, view.full, out)
}

/// A message as it is shown: as its reader has taken it apart.
fn described(message: &Message) -> Described {
    let is_result = |part: &Part| matches!(part, Part::ToolResult { .. });
    let role = if message.parts.iter().all(is_result) { "tool" } else { message.role.name() };
    let mut parts = Vec::new();
    let image = |image: &Image| Shown::Attachment {
        kind: image.media_type.clone().or_else(|| image.url.clone()).unwrap_or_else(|| String::from("image")),
        bytes: image.len.and_then(|len| usize::try_from(len).ok()).unwrap_or(0),
    };
    for part in &message.parts {
        match part {
            Part::Text(text) => parts.push(Shown::Text(text.clone())),
            Part::Reasoning(text) => parts.push(Shown::Thinking(text.clone())),
            Part::ToolCall { name, input, .. } => {
                parts.push(Shown::Call { name: name.clone(), arguments: input.clone() });
            }
            Part::ToolResult { text, images, .. } => {
                parts.push(Shown::Result(text.clone()));
                parts.extend(images.iter().map(image));
            }
            Part::Image(one) => parts.push(image(one)),
            Part::Other(kind) => parts.push(Shown::Attachment { kind: kind.clone(), bytes: 0 }),
            _ => {}
        }
    }
    Described { role: role.to_owned(), parts }
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
