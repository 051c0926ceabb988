//! `annals tail`: the last records, and those to come.

use std::path::Path;
use std::time::Duration;

use jsonl_core::{Follow, Followed, From, Line, Log, Verdict};

use crate::args::Tail;
use crate::commands::view;
use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;

pub(crate) fn run(args: &Tail, path: &Path, out: &mut Out) -> Result<Exit, Failure> {
    let log = Log::open(path)?;
    let start = start_of_tail(&log, args.lines)?;
    // What was shown of the last line, where that has no newline yet.
    let mut shown: Option<Line> = None;
    let end = log.end()?;
    let tail = log.cursor_at(start)?;
    for line in log.since(&tail)?.lines() {
        let line = line?;
        let is_record = matches!(line.verdict(), Verdict::Record { .. });
        if args.follow && !line.terminated && !is_record {
            // Comes again when it is complete.
            break;
        }
        view::print(&line, args.view, out)?;
        shown = Some(line).filter(|line| !line.terminated);
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    out.flush()?;
    let mut follow = Follow::new(path, From::Cursor(end))?;
    loop {
        match follow.next_within(Duration::from_secs(3600))? {
            Some(Followed::Line(line)) => {
                let is_old = shown
                    .take()
                    .is_some_and(|shown| (shown.offset, shown.bytes) == (line.offset, line.bytes.clone()));
                if !is_old {
                    view::print(&line, args.view, out)?;
                    out.flush()?;
                }
            }
            Some(Followed::Replaced { resumed: false }) => {
                out.note(format_args!("{}: another log is in its place, from the start", human::path(path)));
            }
            Some(_) | None => {}
        }
    }
}

/// Where the last `count` records begin. Damaged lines count as well, or a log of nothing else would be shown
/// whole; an unfinished last line does not.
fn start_of_tail(log: &Log, count: usize) -> Result<u64, Failure> {
    let mut found = 0;
    let mut start = log.end()?.offset();
    for line in log.lines().rev() {
        let line = line?;
        let counts = match line.verdict() {
            Verdict::Blank => false,
            Verdict::Record { .. } => true,
            Verdict::Damaged { .. } => line.terminated,
        };
        if counts && found == count {
            break;
        }
        found += usize::from(counts);
        start = line.offset;
    }
    Ok(start)
}
