//! `annals show --conversation`: what was said in an agent's transcript, and counts.

use std::path::Path;

use annals_formats::Transcript;
use annals_formats::transcript::{Message, Stop};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::args::View;
use crate::commands::view;
use crate::exit::{Exit, Failure};
use crate::human::{self, name, plural};
use crate::out::{Out, Paint};

/// A message for a program.
#[derive(Serialize)]
struct MessageObject<'a> {
    line: u64,
    offset: u64,
    role: &'static str,
    text: String,
    /// The record as it is in the file.
    record: Option<&'a RawValue>,
}

pub(crate) fn run(path: &Path, view: View, out: &mut Out) -> Result<Exit, Failure> {
    let Some(transcript) = Transcript::open(path)? else {
        let text = format!(
            "{}: is no transcript of Claude Code, Codex or pi; without --conversation, show takes any log",
            human::path(path)
        );
        return Err(Failure::Told(Exit::Usage, text));
    };
    let conversation = transcript.conversation();
    if !out.json && !view.raw {
        print_head(&transcript, conversation.messages.len(), out)?;
    }
    for index in &conversation.messages {
        let (message, raw) = (transcript.message(*index)?, transcript.raw(*index)?);
        print(&message, &raw, view, out)?;
    }
    match &conversation.stop {
        Some(Stop::MissingParent { id }) => {
            out.note(format_args!("it goes on from a record that is not in the file ({}); without --conversation, show has what came before",
                name(id)));
        }
        Some(Stop::Cycle { id }) => out.note(format_args!(
            "it goes in a circle, at {}; without --conversation, show has everything",
            name(id)
        )),
        _ => {}
    }
    let damaged = transcript.overview().damaged() as u64;
    if damaged > 0 {
        let lines = plural(damaged, "damaged line");
        out.note(format_args!("{}: {lines}; annals verify describes them", human::path(path)));
    }
    Ok(Exit::Done)
}

/// What the transcript says of its session, on one line.
fn print_head(transcript: &Transcript, shown: usize, out: &mut Out) -> Result<(), Failure> {
    let overview = transcript.overview();
    let mut head = transcript.agent().name().to_owned();
    let branch = overview.branch.as_ref().map(|branch| format!("({branch})"));
    for more in [&overview.title, &overview.project, &branch].into_iter().flatten() {
        head.push_str("  ");
        head.push_str(&name(more));
    }
    let messages = plural(overview.messages, "message");
    out.line(out.paint(Paint::Dim, format_args!("{head}  {shown} of {messages}")))?;
    out.line("")
}

fn print(message: &Message, raw: &[u8], view: View, out: &mut Out) -> Result<(), Failure> {
    if view.raw && !out.json {
        out.bytes(raw)?;
        return out.bytes(b"\n");
    }
    let text = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw).trim_ascii();
    if out.json {
        let record = std::str::from_utf8(text).ok().and_then(|text| serde_json::from_str(text).ok());
        let (line, offset) = (message.line, message.span.offset);
        return out.object(&MessageObject {
            line,
            offset,
            role: message.role.name(),
            text: message.text(),
            record,
        });
    }
    let time = message.time.and_then(|time| jiff::Timestamp::try_from(time).ok());
    view::print_text_of(text, time, &format!("#{}", message.line), view.full, out)
}
