//! `annals show` of a session: a conversation for reading.

use annals_session::{Entry, Session};

use crate::args::{Show, View};
use crate::commands::sessions::{print_entry, print_message, say_damage};
use crate::exit::{Exit, Failure};
use crate::human::{name, plural, printable};
use crate::out::{Out, Paint};
use crate::store::{Home, split_number};

pub(crate) fn run(args: &Show, target: &str, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    let (session, seq) = match split_number(target) {
        Some((key, seq)) if home.session(&store, target)?.exists()?.is_none() => {
            (home.existing(&store, key)?, Some(seq))
        }
        _ => (home.existing(&store, target)?, None),
    };
    let session = match args.archive {
        None => session,
        Some(number) => {
            let archived = session.archived(number);
            if archived.exists()?.is_none() {
                let text = format!("session {:?} has no archive {number}", name(session.key()));
                return Err(Failure::Told(Exit::NotFound, text));
            }
            archived
        }
    };
    if let Some(seq) = seq {
        return show_one(&session, seq, args.view, out);
    }
    if args.all {
        let transcript = session.transcript()?;
        for entry in &transcript.entries {
            print_entry(entry, args.view, out)?;
        }
        if transcript.removed > 0 && !out.json && !args.view.raw {
            let removed = plural(transcript.removed, "message");
            out.note(format_args!("{}: {removed} were removed by compact", name(session.key())));
        }
        say_damage(session.key(), &transcript.report, out);
        return Ok(Exit::Done);
    }
    let history = session.history()?;
    if !history.summary.is_empty() && !out.json && !args.view.raw {
        out.line(out.paint(Paint::Name, "summary"))?;
        for line in history.summary.lines() {
            out.line(format_args!("  {}", printable(line)))?;
        }
        out.line("")?;
    }
    for message in &history.messages {
        print_message(message, args.view, out)?;
    }
    say_damage(session.key(), &history.report, out);
    Ok(Exit::Done)
}

fn show_one(session: &Session, seq: u64, view: View, out: &mut Out) -> Result<Exit, Failure> {
    let transcript = session.transcript()?;
    let Some(entry) = transcript.entries.iter().find(|entry| entry.seq() == seq) else {
        let last = transcript.entries.last().map_or(0, Entry::seq);
        let text = format!("session {:?} has no record {seq}; its last one is {last}", name(session.key()));
        return Err(Failure::Told(Exit::NotFound, text));
    };
    // Somebody who asks for one wants all of it.
    print_entry(entry, View { full: !view.raw, ..view }, out)?;
    Ok(Exit::Done)
}
