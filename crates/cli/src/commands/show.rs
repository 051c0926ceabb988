//! `annals show`: records for reading.

use std::path::PathBuf;

use annals_formats::transcript::Agent;
use jsonl_core::{Log, Verdict};

use crate::args::{Show, Speaker, View};
use crate::commands::transcripts::is_said;
use crate::commands::view;
use crate::exit::{Exit, Failure};
use crate::human::{self, name, plural};
use crate::out::Out;

pub(crate) fn run(args: &Show, path: PathBuf, number: Option<u64>, out: &mut Out) -> Result<Exit, Failure> {
    let log = Log::open(&path)?;
    if let Some(number) = number {
        return show_one(&log, number, args.view, out);
    }
    let mut damaged = 0;
    for line in log.lines() {
        let line = line?;
        // What is no message of an agent that is known may be one of another.
        if !args.role.is_empty() && !is_said_by(&line.bytes, &args.role) {
            continue;
        }
        if let Verdict::Damaged { .. } = view::print(&line, args.view, out)? {
            damaged += 1;
        }
    }
    if damaged > 0 {
        let lines = plural(damaged, "damaged line");
        out.note(format_args!("{}: {lines}; annals verify describes them", human::path(&path)));
    }
    Ok(Exit::Done)
}

/// Whether any of those say something in a record, whoever wrote it.
fn is_said_by(raw: &[u8], wanted: &[Speaker]) -> bool {
    Agent::ALL.into_iter().any(|agent| is_said(agent, raw, wanted))
}

fn show_one(log: &Log, number: u64, view: View, out: &mut Out) -> Result<Exit, Failure> {
    let index = number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
    let line = index.and_then(|index| log.lines().nth(index)).transpose()?;
    let Some(line) = line else {
        let lines = plural(log.lines().count() as u64, "line");
        let text = format!("{}: has {lines}, and no line {number}", human::path(log.path()));
        return Err(Failure::Told(Exit::NotFound, text));
    };
    if view.raw {
        // Whatever it is.
        out.bytes(&line.bytes)?;
        out.bytes(b"\n")?;
        return Ok(if let Verdict::Damaged { .. } = line.verdict() { Exit::Damaged } else { Exit::Done });
    }
    // Somebody who asks for one line wants all of it.
    match view::print(&line, View { full: true, ..view }, out)? {
        Verdict::Damaged { .. } => {
            if !out.json {
                out.line(format_args!("  {}", name(&String::from_utf8_lossy(&line.bytes))))?;
            }
            Ok(Exit::Damaged)
        }
        Verdict::Blank => {
            out.note(format_args!("{}: line {number} is blank", human::path(log.path())));
            Ok(Exit::Done)
        }
        Verdict::Record { .. } => Ok(Exit::Done),
    }
}
