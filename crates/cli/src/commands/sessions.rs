//! Commands on sessions: one module for each, or for a few that are alike.

pub(crate) mod append;
pub(crate) mod begin;
pub(crate) mod change;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod keep;
pub(crate) mod show;
pub(crate) mod tail;

use std::time::SystemTime;

use annals_session::{Entry, Event, Message, ReadReport};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::args::View;
use crate::commands::view;
use crate::exit::Failure;
use crate::human::{name, one_line, plural, second};
use crate::out::{Out, Paint};

/// A record of a session, for a program.
#[derive(Serialize)]
struct EntryObject<'a> {
    seq: u64,
    time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visible_from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
}

fn timestamp(time: Option<SystemTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::try_from(time).ok())
}

fn raw(text: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(text).ok()
}

fn print_message(message: &Message, view: View, out: &mut Out) -> Result<(), Failure> {
    print_body(message.seq(), message.time(), message.raw(), true, view, out)
}

fn print_body(
    seq: u64,
    time: Option<SystemTime>,
    text: &[u8],
    is_message: bool,
    view: View,
    out: &mut Out,
) -> Result<(), Failure> {
    let time = timestamp(time);
    if out.json {
        let raw = raw(text);
        let (message, note) = if is_message { (raw, None) } else { (None, raw) };
        return out.object(&EntryObject {
            seq,
            time,
            message,
            note,
            event: None,
            visible_from: None,
            summary: None,
            metadata: None,
        });
    }
    if view.raw {
        out.bytes(text)?;
        return out.bytes(b"\n");
    }
    let place = if is_message { format!("#{seq}") } else { format!("#{seq}, a note") };
    view::print_text_of(text, time, &place, view.full, out)
}

fn print_entry(entry: &Entry, view: View, out: &mut Out) -> Result<(), Failure> {
    match entry {
        Entry::Message(message) => print_message(message, view, out),
        Entry::Note(note) => print_body(note.seq(), note.time(), note.raw(), false, view, out),
        Entry::Event(event) => print_event(event, view, out),
        _ => Ok(()),
    }
}

fn print_event(event: &Event, view: View, out: &mut Out) -> Result<(), Failure> {
    let time = timestamp(event.time);
    if out.json {
        return out.object(&EntryObject {
            seq: event.seq,
            time,
            message: None,
            note: None,
            event: Some(&event.name),
            visible_from: Some(event.visible_from),
            summary: Some(&event.summary).filter(|text| !text.is_empty()).map(String::as_str),
            metadata: event.metadata.as_deref(),
        });
    }
    if view.raw {
        // No message, so no data.
        return Ok(());
    }
    let time = time.map(|time| format!("  {}", second(time))).unwrap_or_default();
    let mut text = format!("[{}{time}  #{}]", name(&event.name), event.seq);
    if matches!(&event.name[..], "truncate" | "replace" | "import") && event.visible_from > 0 {
        text += &format!("  hidden before #{}", event.visible_from);
    }
    if !event.summary.is_empty() {
        text += &format!("  summary: {}", one_line(&event.summary, 60));
    }
    out.line(format_args!("{}\n", out.paint(Paint::Dim, text)))
}

/// Says what was found beside records.
fn say_damage(key: &str, report: &ReadReport, out: &mut Out) {
    let mut found = Vec::new();
    if report.log.damaged() > 0 {
        found.push(plural(report.log.damaged(), "damaged line"));
    }
    found.extend(oddities(report));
    if !found.is_empty() {
        out.note(format_args!("{}: {}", name(key), found.join(", ")));
    }
}

/// What is missing or out of order among a session's records, and lines of other kinds.
pub(super) fn oddities(report: &ReadReport) -> Vec<String> {
    let mut found = Vec::new();
    let lost: u64 = report.gaps.iter().map(|(before, after)| after - before - 1).sum();
    if lost > 0 {
        found.push(format!("{} missing", plural(lost, "record")));
    }
    if report.repeated > 0 {
        found.push(format!("{} repeated", plural(report.repeated, "record")));
    }
    if report.disordered > 0 {
        found.push(format!("{} out of order", plural(report.disordered, "record")));
    }
    let unknown = report.unknown + report.log.mismatched;
    if unknown > 0 {
        found.push(format!("{} of another kind", plural(unknown, "line")));
    }
    found
}
