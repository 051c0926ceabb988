//! `annals tail`: the last records, and those to come.

use std::time::Duration;

use jsonl_core::{Follow, Followed, From, Line, Log, Verdict};

use crate::args::Tail;
use crate::commands::view;
use crate::exit::{Exit, Failure};
use crate::out::Out;

pub(crate) fn run(args: &Tail, out: &mut Out) -> Result<Exit, Failure> {
    let log = Log::open(&args.file)?;
    let mut lines: Vec<Line> = Vec::new();
    let mut records = 0;
    for line in log.lines().rev() {
        if records == args.lines {
            break;
        }
        let line = line?;
        records += usize::from(matches!(line.verdict(), Verdict::Record { .. }));
        lines.push(line);
    }
    // A last line that is still being written comes again when it is complete.
    let follows = |line: &Line| args.follow && !line.terminated;
    for line in lines.iter().rev().filter(|line| !follows(line)) {
        view::print(line, args.view, out)?;
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    out.flush()?;
    let mut follow = Follow::new(&args.file, From::Cursor(log.end()?))?;
    loop {
        match follow.next_within(Duration::from_secs(3600))? {
            Some(Followed::Line(line)) => {
                view::print(&line, args.view, out)?;
                out.flush()?;
            }
            Some(Followed::Replaced { resumed: false }) => {
                out.note(format_args!(
                    "{}: another log is in its place, from the start",
                    args.file.display()
                ));
            }
            Some(_) | None => {}
        }
    }
}
