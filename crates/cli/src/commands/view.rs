//! How a record is printed: for reading, as it is, or as JSON.

use jiff::Timestamp;
use jsonl_core::{DamageKind, Line, Verdict, verdict};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::args::View;
use crate::describe::{self, Described, Part};
use crate::exit::Failure;
use crate::human::{name, one_line, printable, second, size};
use crate::out::{Out, Paint};

/// Folded things take at most so many characters.
const FOLDED_WIDTH: usize = 100;

/// Texts are folded after so many lines.
const TEXT_LINES: usize = 40;

/// A record for a program.
#[derive(Serialize)]
struct RecordObject<'a> {
    line: Option<u64>,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<&'static str>,
    /// The record as it is in the file, or null for a damaged line.
    record: Option<&'a RawValue>,
}

/// Prints a line; blank ones not at all. Says whether it was a record, or what was wrong.
pub(super) fn print(line: &Line, view: View, out: &mut Out) -> Result<Verdict, Failure> {
    let verdict = line.verdict();
    match verdict {
        Verdict::Blank => {}
        Verdict::Record { .. } if view.raw && !out.json => {
            out.bytes(&line.bytes)?;
            out.bytes(b"\n")?;
        }
        Verdict::Record { .. } => print_record(line, view, out)?,
        Verdict::Damaged { kind, .. } => print_damaged(line, kind, view, out)?,
    }
    Ok(verdict)
}

fn print_record(line: &Line, view: View, out: &mut Out) -> Result<(), Failure> {
    let text = verdict::text_of(&line.bytes, line.offset == 0);
    if out.json {
        let record = str::from_utf8(text).ok().and_then(|text| serde_json::from_str(text).ok());
        return out.object(&RecordObject { line: line.number, offset: line.offset, damage: None, record });
    }
    print_text_of(text, describe::time(text), &place_of(line), view.full, out)
}

/// Prints a record for reading: a line with who, when and where, and what it says.
pub(super) fn print_text_of(
    text: &[u8],
    time: Option<Timestamp>,
    place: &str,
    full: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    print_described(&Described::of(text), time, place, full, out)
}

/// Prints what has been taken apart.
pub(super) fn print_described(
    described: &Described,
    time: Option<Timestamp>,
    place: &str,
    full: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut head = out.paint(Paint::Name, name(&described.role));
    if let Some(time) = time {
        head += &out.paint(Paint::Dim, format_args!("  {}", second(time)));
    }
    out.line(format_args!("{head}{}", out.paint(Paint::Dim, format_args!("  {place}"))))?;
    for part in &described.parts {
        print_part(part, full, out)?;
    }
    out.line("")
}

/// `#12`, as in `show FILE@12`, where lines were counted.
fn place_of(line: &Line) -> String {
    match line.number {
        Some(number) => format!("#{number}"),
        None => format!("offset {}", line.offset),
    }
}

fn print_part(part: &Part, full: bool, out: &mut Out) -> Result<(), Failure> {
    // What is folded is one line, and what is not has every line indented: nothing in a record looks like a head.
    let lead = |lead: &str, text: &str, paint, out: &mut Out| {
        if !full {
            return out.line(out.paint(paint, format_args!("  {lead}{}", one_line(text, FOLDED_WIDTH))));
        }
        let mut lines = text.lines();
        out.line(out.paint(paint, format_args!("  {lead}{}", printable(lines.next().unwrap_or_default()))))?;
        lines.try_for_each(|line| out.line(out.paint(paint, format_args!("    {}", printable(line)))))
    };
    match part {
        Part::Text(text) => print_text(text, full, out),
        Part::Thinking(text) => lead("(thinking) ", text, Paint::Dim, out),
        Part::Call { name: tool, arguments } => {
            lead(&format!("→ {} ", name(tool)), arguments, Paint::Plain, out)
        }
        Part::Result(text) => lead("← ", text, Paint::Dim, out),
        Part::Json(text) => lead("", text, Paint::Plain, out),
        Part::Attachment { kind, bytes } => {
            let text = format!("  [{}, {}]", name(kind), size(*bytes as u64));
            out.line(out.paint(Paint::Dim, text))
        }
    }
}

fn print_text(text: &str, full: bool, out: &mut Out) -> Result<(), Failure> {
    let count = text.lines().count();
    let shown = if full { count } else { count.min(TEXT_LINES) };
    for line in text.lines().take(shown) {
        let line = line.trim_end();
        // No blanks at the end of an empty line.
        out.line(if line.is_empty() { String::new() } else { format!("  {}", printable(line)) })?;
    }
    if shown < count {
        let more = format!("  … {} more lines; --full shows them", count - shown);
        out.line(out.paint(Paint::Dim, more))?;
    }
    Ok(())
}

fn print_damaged(line: &Line, kind: DamageKind, view: View, out: &mut Out) -> Result<(), Failure> {
    if out.json {
        let damage = Some(kind.name());
        return out.object(&RecordObject { line: line.number, offset: line.offset, damage, record: None });
    }
    let place = match line.number {
        Some(number) => format!("line {number}"),
        None => format!("offset {}", line.offset),
    };
    let is_open = !line.terminated && kind == DamageKind::Torn;
    let rest = if is_open { " at the end, perhaps still being written" } else { "" };
    let text = format!("[{place}: {kind}{rest}, {}]", size(line.len));
    if view.raw {
        // Not among the data.
        out.note(text);
        return Ok(());
    }
    out.line(format_args!("{}\n", out.paint(Paint::Bad, text)))
}

/// The damage of a line, for callers that only have its bytes.
pub(super) fn is_record(line: &[u8], at_file_start: bool) -> bool {
    matches!(verdict::judge(line, at_file_start), Verdict::Record { .. })
}
