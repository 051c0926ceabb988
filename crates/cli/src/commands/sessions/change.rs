//! `annals truncate`, `summary`, `metadata`, `compact`, `fork`: what changes a session.

use annals_session::{CompactOptions, ListOptions, Store, Truncate as Cut};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::args::sessions::{Compact, Fork, Metadata, Summary, Truncate};
use crate::commands::sessions::begin;
use crate::exit::{Exit, Failure};
use crate::human::{name, path, plural, printable, size};
use crate::input::read_text;
use crate::out::Out;
use crate::store::Home;

#[derive(Serialize)]
struct TruncatedObject<'a> {
    key: &'a str,
    visible_from: u64,
}

pub(crate) fn truncate(args: &Truncate, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    let session = home.existing(&store, &args.key)?;
    let visible_from = match (args.keep_last, args.before) {
        (Some(count), _) => Some(Cut::keep_last(count).part_calls(args.part_calls)),
        (None, Some(seq)) => {
            Some(if args.part_calls { Cut::before(seq).part_calls(true) } else { Cut::before(seq) })
        }
        (None, None) => None,
    };
    let visible_from = match (visible_from, &args.summary) {
        (Some(cut), Some(summary)) => session.truncate(&cut.summary(summary))?,
        (Some(cut), None) => session.truncate(&cut)?,
        (None, _) => {
            session.reveal()?;
            0
        }
    };
    if out.json {
        out.object(&TruncatedObject { key: session.key(), visible_from })?;
    } else {
        let visible = session.history()?.messages.len() as u64;
        out.line(format_args!("{}: {} visible", name(session.key()), plural(visible, "message")))?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct SummaryObject<'a> {
    key: &'a str,
    summary: &'a str,
}

pub(crate) fn summary(args: &Summary, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    let text = match args.text.as_deref() {
        _ if args.clear => Some(String::new()),
        Some("-") => Some(read_text()?),
        text => text.map(str::to_owned),
    };
    if let Some(text) = text {
        home.session(&store, &args.key)?.set_summary(&text)?;
        return Ok(Exit::Done);
    }
    let session = home.existing(&store, &args.key)?;
    let summary = session.summary()?;
    if out.json {
        out.object(&SummaryObject { key: session.key(), summary: &summary })?;
    } else if !summary.is_empty() {
        out.line(printable(&summary))?;
    }
    Ok(if summary.is_empty() { Exit::Findings } else { Exit::Done })
}

#[derive(Serialize)]
struct MetadataObject<'a> {
    key: &'a str,
    metadata: Option<&'a RawValue>,
}

pub(crate) fn metadata(args: &Metadata, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    if args.clear {
        home.session(&store, &args.key)?.set_metadata(&())?;
        return Ok(Exit::Done);
    }
    if let Some(text) = &args.metadata {
        home.session(&store, &args.key)?.set_metadata(&begin::parse(text)?)?;
        return Ok(Exit::Done);
    }
    let session = home.existing(&store, &args.key)?;
    let metadata = session.metadata::<Box<RawValue>>()?;
    if out.json {
        out.object(&MetadataObject { key: session.key(), metadata: metadata.as_deref() })?;
    } else if let Some(metadata) = &metadata {
        out.line(metadata.get())?;
    }
    Ok(if metadata.is_some() { Exit::Done } else { Exit::Findings })
}

#[derive(Serialize)]
struct CompactedObject<'a> {
    key: &'a str,
    dry_run: bool,
    removed: u64,
    len_before: u64,
    len_after: u64,
    kept_in: Option<String>,
}

/// The keys of active sessions in which messages are hidden.
fn with_hidden(store: &Store, out: &mut Out) -> Result<Vec<String>, Failure> {
    let list = store.list(&ListOptions::new().titles(false))?;
    let is_complete = list.unlisted.is_empty();
    list.unlisted.into_iter().for_each(|unlisted| out.complain(&unlisted.error.into()));
    let with_hidden = list.sessions.into_iter().filter(|listed| listed.hidden() > 0);
    let keys: Vec<String> = with_hidden.map(|listed| listed.key).collect();
    if keys.is_empty() && is_complete {
        out.note("no messages are hidden in any session");
    }
    Ok(keys)
}

pub(crate) fn compact(args: &Compact, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    let options = CompactOptions::new().keep_removed(!args.discard).dry_run(args.dry_run);
    let all = if args.all { with_hidden(&store, out)? } else { Vec::new() };
    for key in args.keys.iter().chain(&all) {
        let done = home.existing(&store, key).and_then(|session| Ok((session.compact(&options)?, session)));
        let (compacted, session) = match done {
            Ok(done) => done,
            Err(failure) => {
                out.complain(&failure);
                continue;
            }
        };
        let kept_in = compacted.kept_in.as_deref();
        if out.json {
            out.object(&CompactedObject {
                key: session.key(),
                dry_run: args.dry_run,
                removed: compacted.removed,
                len_before: compacted.len_before,
                len_after: compacted.len_after,
                kept_in: kept_in.map(|path| path.display().to_string()),
            })?;
            continue;
        }
        let what = match (compacted.removed, args.dry_run) {
            (0, _) => String::from("nothing is hidden"),
            (count, true) => format!("{} would be removed", plural(count, "message")),
            (count, false) => format!(
                "{} removed, {} → {}",
                plural(count, "message"),
                size(compacted.len_before),
                size(compacted.len_after)
            ),
        };
        let kept = kept_in.map(|kept| format!(", kept in {}", path(kept))).unwrap_or_default();
        out.line(format_args!("{}: {what}{kept}", name(session.key())))?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct ForkedObject<'a> {
    key: &'a str,
    parent: &'a str,
    seq: u64,
}

pub(crate) fn fork(args: &Fork, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    let session = home.existing(&store, &args.key)?;
    let fork = session.fork(&args.new, args.at)?;
    let seq = fork.parent()?.map_or(0, |parent| parent.seq);
    if out.json {
        out.object(&ForkedObject { key: fork.key(), parent: session.key(), seq })?;
    } else {
        out.line(format_args!("{}: {} up to #{seq}", name(fork.key()), name(session.key())))?;
    }
    Ok(Exit::Done)
}
