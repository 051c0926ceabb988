//! `annals tail` of a session: its last messages, and those to come.

use std::time::Duration;

use annals_session::{Entry, Since};

use crate::args::Tail;
use crate::commands::sessions::{print_entry, print_message, say_damage};
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::store::Home;

pub(crate) fn run(args: &Tail, name: &str, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    let session = home.existing(&store, name)?;
    let tail = session.tail(args.lines)?;
    for message in &tail.messages {
        print_message(message, args.view, out)?;
    }
    say_damage(session.key(), &tail.report, out);
    if !args.follow {
        return Ok(Exit::Done);
    }
    out.flush()?;
    let since = tail.messages.last().map_or(Since::Now, |last| Since::Seq(last.seq()));
    let mut follow = session.follow(since)?;
    loop {
        let Some(entry) = follow.next_within(Duration::from_secs(3600))? else { continue };
        if !matches!(entry, Entry::Event(_)) || out.json {
            print_entry(&entry, args.view, out)?;
            out.flush()?;
        }
    }
}
