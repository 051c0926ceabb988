//! `annals show` of a session: a conversation for reading.

use std::ops::ControlFlow;

use annals_formats::transcript::Agent;
use annals_session::{Entry, Scope, Session};

use crate::args::{Show, View};
use crate::commands::sessions::{print_entry, say_damage};
use crate::commands::transcripts::is_said;
use crate::exit::{Exit, Failure};
use crate::human::{name, path, printable};
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
                let (key, there) = (session.key().to_owned(), session.archives()?);
                return Err(annals_session::Error::NoSuchArchive { key, number, there }.into());
            }
            archived
        }
    };
    if let Some(seq) = seq {
        return show_one(&session, seq, args.view, out);
    }
    let summary = session.summary()?;
    if !args.all && !summary.is_empty() && !out.json && !args.view.raw {
        out.line(out.paint(Paint::Name, "summary"))?;
        for line in summary.lines() {
            out.line(format_args!("  {}", printable(line)))?;
        }
        out.line("")?;
    }
    let scope = if args.all { Scope::Transcript } else { Scope::History };
    let mut printed = Ok(());
    let report = session.for_each(scope, |entry| {
        let is_wanted = args.role.is_empty()
            || matches!(&entry, Entry::Message(message) if is_said(Agent::Chat, message.raw(), &args.role));
        if !is_wanted {
            return ControlFlow::Continue(());
        }
        printed = print_entry(&entry, args.view, out);
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    printed?;
    say_damage(session.key(), &report, out);
    if let (true, Some(last)) = (args.all, session.removed()?.last()) {
        let folder = last.parent().unwrap_or(last);
        out.note(format_args!("{}: what compact took out is in {}", name(session.key()), path(folder)));
    }
    Ok(Exit::Done)
}

fn show_one(session: &Session, seq: u64, view: View, out: &mut Out) -> Result<Exit, Failure> {
    let mut found = None;
    let mut last = 0;
    session.for_each(Scope::Transcript, |entry| {
        last = entry.seq();
        if last == seq {
            found = Some(entry);
        }
        if last < seq { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let Some(entry) = found else {
        let text = format!("session {:?} has no record {seq} (the nearest is {last})", name(session.key()));
        return Err(Failure::Told(Exit::NotFound, text));
    };
    // Somebody who asks for one wants all of it.
    print_entry(&entry, View { full: !view.raw, ..view }, out)?;
    Ok(Exit::Done)
}
