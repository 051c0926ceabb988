//! `annals import`: other programs' sessions into the store.

use std::fs;
use std::path::{Path, PathBuf};

use annals_formats::{ForeignSession, Keeps, Layout, Transcript, detect_folder, list_transcripts_with};
use annals_session::{Entry, ImportedEntry, ImportedSession, Message, Place, Session, Store, Truncate};
use serde::Serialize;

use crate::agents::{Agents, Found, spool};
use crate::args::sessions::Import;
use crate::exit::{Exit, Failure};
use crate::files::{cannot, is_gone};
use crate::human::{name, path, plural};
use crate::out::{Out, Paint};
use crate::store::Home;

/// What became of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    /// It was not there and is now.
    Imported,
    /// It was there, and the source had more.
    Continued,
    /// It was there.
    Unchanged,
    /// There is another session under its key.
    Different,
}

#[derive(Serialize)]
struct ImportedObject<'a> {
    key: &'a str,
    source: Option<String>,
    archived: bool,
    dry_run: bool,
    outcome: Done,
    messages: u64,
    notes: u64,
    remarks: Vec<String>,
}

pub(crate) fn run(args: &Import, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let (whose, sources) = sources(args, out)?;
    let store = home.store()?;
    let mut counts = [0_u64; 4];
    let mut messages = 0;
    let mut remarks = 0;
    for source in sources {
        let done = source.read().and_then(|mut session| {
            let done = import(&store, &session, args.dry_run)?;
            session.remarks.extend(done.3);
            Ok((session, done.0, done.1, done.2))
        });
        let (session, outcome, added, notes) = match done {
            Ok(done) => done,
            Err(failure @ (Failure::Pipe | Failure::Output(_))) => return Err(failure),
            Err(failure) => {
                out.complain(&failure);
                continue;
            }
        };
        counts[outcome as usize] += 1;
        messages += added;
        remarks += session.remarks.len() as u64;
        if outcome == Done::Different {
            let text = format!(
                "there is another session {:?}; nothing of {} was imported",
                name(&session.key),
                path(source.path())
            );
            out.complain(&Failure::Told(Exit::Findings, text));
        }
        print(&session, outcome, added, notes, args.dry_run, out)?;
    }
    if !out.json {
        let [imported, continued, unchanged, different] = counts;
        let mut parts = vec![format!("{} imported", plural(imported, "session"))];
        for (count, what) in [(continued, "continued"), (unchanged, "there already"), (different, "left out")]
        {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        let would = if args.dry_run { "would be: " } else { "" };
        let remarks = if remarks > 0 { format!("; {}", plural(remarks, "remark")) } else { String::new() };
        out.line(format_args!(
            "{whose}: {would}{}, {}{remarks}",
            parts.join(", "),
            plural(messages, "message")
        ))?;
    }
    Ok(Exit::Done)
}

/// Something that is imported.
enum Source {
    Session(Layout, PathBuf),
    Transcript(Found),
}

impl Source {
    fn path(&self) -> &Path {
        match self {
            Self::Session(_, path) => path,
            Self::Transcript(found) => found.path(),
        }
    }

    fn read(&self) -> Result<ForeignSession, Failure> {
        match self {
            Self::Session(layout, path) => Ok(layout.read(path)?),
            Self::Transcript(found) => match Transcript::open_in(found.path(), &spool())? {
                Some(transcript) => Ok(transcript.session()?),
                None => {
                    let text = format!("{}: is no transcript of an agent that is known", path(found.path()));
                    Err(Failure::Told(Exit::Findings, text))
                }
            },
        }
    }
}

/// What is to be imported, and whose it is.
fn sources(args: &Import, out: &mut Out) -> Result<(String, Vec<Source>), Failure> {
    let source = &args.source;
    let shown = path(source);
    // Where nobody may look, it may be a session's name.
    let (kind, failure) = match fs::metadata(source) {
        Ok(metadata) => (Some(metadata.file_type()), None),
        Err(error) if is_gone(&error) => (None, None),
        Err(error) => (None, Some(cannot("look at", source, error))),
    };
    if kind.is_some_and(|kind| kind.is_dir()) {
        let keeps = match args.from {
            Some(layout) => Some(Keeps::Sessions(layout)),
            None => match Layout::detect(source) {
                // Layouts with a file beside each session, or archives, tell themselves apart; others may be an agent's.
                Ok(Some(Layout::Aish) | None) | Err(_) => detect_folder(source)?,
                Ok(Some(layout)) => Some(Keeps::Sessions(layout)),
            },
        };
        return match keeps {
            Some(Keeps::Sessions(layout)) => {
                let mut entries = layout.list(source)?;
                // An archived session is put aside before an active one of its key is begun.
                entries.sort_by_key(|entry| !entry.archived);
                let sources = entries.into_iter().map(|entry| Source::Session(layout, entry.path));
                Ok((layout.to_string(), sources.collect()))
            }
            Some(Keeps::Transcripts(agent)) => {
                let mut unlisted = Vec::new();
                let found = list_transcripts_with(source, &mut unlisted)?;
                unlisted.into_iter().for_each(|error| out.complain(&error.into()));
                let found = found.into_iter().map(|entry| Source::Transcript(Found::of(agent, entry)));
                Ok((agent.to_string(), found.collect()))
            }
            _ => {
                let why = "holds no sessions of a program that is known; --from says whose they are";
                Err(Failure::Told(Exit::Findings, format!("{shown} {why}")))
            }
        };
    }
    let is_file = kind.is_some_and(|kind| kind.is_file());
    let found = if is_file {
        Found::of_file(source)?
    } else {
        match source.to_str() {
            Some(name) => Agents::of_environment().resolve(name, out)?,
            None => None,
        }
    };
    match found {
        Some(found) => Ok((found.agent.to_string(), vec![Source::Transcript(found)])),
        None if is_file => {
            let text = format!("{shown} is no transcript of an agent that is known");
            Err(Failure::Told(Exit::Findings, text))
        }
        None => {
            let text = format!("{shown} is no folder, no file and no session; annals ls lists sessions");
            Err(failure.unwrap_or(Failure::Told(Exit::NotFound, text)))
        }
    }
}

fn print(
    session: &ForeignSession,
    outcome: Done,
    messages: u64,
    notes: u64,
    dry_run: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let remarks: Vec<String> = session.remarks.iter().map(ToString::to_string).collect();
    if out.json {
        let source = session.path.as_ref().map(|path| path.display().to_string());
        let (key, archived) = (&session.key[..], session.archived);
        return out.object(&ImportedObject {
            key,
            source,
            archived,
            dry_run,
            outcome,
            messages,
            notes,
            remarks,
        });
    }
    let what = match outcome {
        Done::Imported => plural(messages, "message"),
        Done::Continued => format!("{} more", plural(messages, "message")),
        Done::Unchanged => String::from("there already"),
        Done::Different => String::from("left out"),
    };
    let archived = if session.archived { ", archived" } else { "" };
    out.line(format_args!("{}  {what}{archived}", out.paint(Paint::Name, name(&session.key))))?;
    remarks.iter().try_for_each(|remark| out.line(format_args!("  {}", name(remark))))
}

type Imported = (Done, u64, u64, Vec<annals_formats::Remark>);

/// Imports a session, unless it is there: what is there is known by its messages.
fn import(store: &Store, foreign: &ForeignSession, dry_run: bool) -> Result<Imported, Failure> {
    let session = store.session(&foreign.key)?;
    let source: Vec<&[u8]> = foreign.messages().map(|record| &record.raw[..]).collect();
    let notes = (foreign.records.len() - source.len()) as u64;
    let mut places: Vec<Session> = session.archives()?.into_iter().map(|n| session.archived(n)).collect();
    let is_active = session.exists()? == Some(Place::Active);
    if is_active {
        places.push(session.clone());
    }
    for place in &places {
        let there = all_messages(place)?;
        let shared = there.iter().zip(&source).take_while(|(there, raw)| there.raw() == **raw).count();
        if shared < there.len().min(source.len()) {
            continue;
        }
        let is_archive = place.exists()? != Some(Place::Active);
        if is_archive || there.len() > source.len() {
            // One that was begun under the same key after it was archived here.
            if is_archive && !foreign.archived && there.is_empty() != source.is_empty() {
                continue;
            }
            return Ok((Done::Unchanged, 0, 0, Vec::new()));
        }
        let grown = catch_up(place, foreign, &there, dry_run)?;
        let done = if grown.is_some() { Done::Continued } else { Done::Unchanged };
        return Ok((done, grown.unwrap_or(0), 0, Vec::new()));
    }
    if is_active {
        return Ok((Done::Different, 0, 0, Vec::new()));
    }
    if dry_run {
        return Ok((Done::Imported, source.len() as u64, notes, Vec::new()));
    }
    let entry =
        |record: &'_ annals_formats::ForeignRecord| (record.raw.clone(), record.is_message, record.time);
    let owned: Vec<_> = foreign.records.iter().map(entry).collect();
    let entries = owned
        .iter()
        .map(|(raw, is_message, time)| ImportedEntry { raw, is_message: *is_message, time: *time })
        .collect();
    let modified =
        foreign.path.as_ref().and_then(|path| fs::metadata(path).and_then(|found| found.modified()).ok());
    let imported = ImportedSession {
        entries,
        hidden: foreign.hidden,
        summary: (&foreign.summary[..]).into(),
        metadata: foreign.metadata.clone(),
        created: foreign.created.or(modified),
    };
    let report = session.import(&imported, true)?;
    // Lists go by when a session was changed last, and that was not now.
    let changed = foreign.updated.or_else(|| {
        let modified = |path: &std::path::PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
        foreign.path.as_ref().and_then(modified)
    });
    if let (Some(changed), Some(path)) = (changed, session.path()?) {
        let file = fs::File::options().append(true).open(&path);
        // Without it, the list is in another order.
        let _ = file.and_then(|file| file.set_modified(changed));
    }
    for alias in foreign.aliases.iter().filter(|alias| !alias.is_empty() && **alias != foreign.key) {
        store.set_alias(alias, &foreign.key)?;
    }
    if foreign.archived {
        session.archive()?;
    }
    let refused = report.refused.into_iter().map(|(index, reason)| annals_formats::Remark::NoPlace {
        what: format!("record {} can't be stored: {reason}", index + 1),
    });
    Ok((Done::Imported, report.messages, report.notes, refused.collect()))
}

/// Brings an active session to where its source is by now; `None` if it is there. Returns the new messages.
fn catch_up(
    session: &Session,
    foreign: &ForeignSession,
    there: &[Message],
    dry_run: bool,
) -> Result<Option<u64>, Failure> {
    let new: Vec<_> = foreign.messages().skip(there.len()).collect();
    let hidden = foreign.records.iter().take(foreign.hidden).filter(|record| record.is_message).count();
    let visible_from = session.transcript()?.visible_from;
    let hidden_here = there.iter().filter(|message| message.seq() < visible_from).count();
    let new_notes = new_notes(session, foreign)?;
    let is_summed_up = !foreign.summary.is_empty() && session.summary()?.is_empty();
    if new.is_empty() && new_notes == 0 && hidden <= hidden_here && !is_summed_up && !foreign.archived {
        return Ok(None);
    }
    if dry_run {
        return Ok(Some(new.len() as u64));
    }
    let (mut messages, mut notes) = (there.len(), foreign.notes().count() - new_notes);
    session.edit(|edit| {
        for record in &foreign.records {
            let left = if record.is_message { &mut messages } else { &mut notes };
            if *left > 0 {
                *left -= 1;
            } else if record.is_message {
                edit.append_raw(&record.raw, record.time)?;
            } else {
                edit.append_note(&record.raw, record.time)?;
            }
        }
        Ok(())
    })?;
    if hidden > hidden_here {
        let seqs: Vec<u64> = all_messages(session)?.iter().map(Message::seq).collect();
        let cut = match seqs.get(hidden) {
            Some(seq) => Truncate::before(*seq),
            None => Truncate::keep_last(0),
        };
        session.truncate(&cut.summary(&foreign.summary))?;
    } else if is_summed_up {
        session.set_summary(&foreign.summary)?;
    }
    if foreign.archived {
        session.archive()?;
    }
    Ok(Some(new.len() as u64))
}

/// How many of a source's notes a session has not, of those behind the ones that it has.
fn new_notes(session: &Session, foreign: &ForeignSession) -> Result<usize, Failure> {
    let transcript = session.transcript()?;
    if transcript.removed > 0 {
        // Compaction has taken some out, and which can't be told.
        return Ok(0);
    }
    let there = transcript.entries.iter().filter_map(|entry| match entry {
        Entry::Note(note) => Some(note.raw()),
        _ => None,
    });
    let shared = there.zip(foreign.notes()).take_while(|(there, note)| *there == note.raw).count();
    Ok(foreign.notes().count() - shared)
}

/// All messages that a session has, also those that compact took out.
fn all_messages(session: &Session) -> Result<Vec<Message>, Failure> {
    let transcript = session.transcript()?;
    let first = transcript.messages().next().map_or(u64::MAX, Message::seq);
    let mut messages = if transcript.removed > 0 { session.removed_messages()? } else { Vec::new() };
    messages.retain(|message| message.seq() < first);
    messages.extend(transcript.messages().cloned());
    Ok(messages)
}
