//! `annals tail` of an agent's transcript: the last messages, and those to come.

use std::time::Duration;

use annals_formats::is_packed;
use jsonl_core::{Follow, Followed, From, Log, Verdict};

use super::{is_said, print};
use crate::agents::Found;
use crate::args::Tail;
use crate::commands::view;
use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;

pub(crate) fn run(args: &Tail, found: &Found, out: &mut Out) -> Result<Exit, Failure> {
    let follow = args.follow && !is_packed(found.path())?;
    // Before anything is read: what is appended meanwhile comes later, and nothing twice.
    let end = Log::open(found.path())?.end()?;
    if let Some((transcript, conversation)) = found.open_end(args.lines)? {
        for index in conversation.messages {
            let message = transcript.message(index)?;
            if !follow || message.span.offset < end.offset() {
                print(&message, &transcript.raw(index)?, args.view, out)?;
            }
        }
    }
    if !follow {
        if args.follow {
            let file = human::path(found.path());
            out.note(format_args!("{file}: is packed; nothing is appended to it any more"));
        }
        return Ok(Exit::Done);
    }
    out.flush()?;
    let mut follow = Follow::new(found.path(), From::Cursor(end))?;
    loop {
        match follow.next_within(Duration::from_secs(3600))? {
            Some(Followed::Line(line)) => {
                let is_record = matches!(line.verdict(), Verdict::Record { .. });
                if !is_record || is_said(found.agent, &line.bytes, &[]) {
                    view::print(&line, args.view, out)?;
                    out.flush()?;
                }
            }
            Some(Followed::Replaced { resumed: false }) => {
                let file = human::path(found.path());
                out.note(format_args!("{file}: another log is in its place, from the start"));
            }
            Some(_) | None => {}
        }
    }
}
