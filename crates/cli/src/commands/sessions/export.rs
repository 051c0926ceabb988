//! `annals export`: sessions as other programs would have written them, or as documents.

mod document;

use std::collections::HashMap;

use annals_formats::{ForeignRecord, ForeignSession, Remark, Transcript, write_files};
use annals_session::{Entry, ListOptions, Place, Session, Store};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::agents::{Agents, Found, spool};
use crate::args::sessions::{Export, ExportFormat};
use crate::exit::{Exit, Failure};
use crate::human::{name, path, plural};
use crate::out::{Out, Paint};
use crate::store::{Home, Target};

#[derive(Serialize)]
struct ExportedObject<'a> {
    key: &'a str,
    archived: Option<u64>,
    files: Vec<&'a str>,
    written: bool,
    messages: u64,
    remarks: Vec<String>,
}

pub(crate) fn run(args: &Export, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    let sessions = wanted(args, home, &store, out)?;
    let layout = match args.to {
        ExportFormat::Layout(layout) => layout,
        ExportFormat::Document(kind) => return document::run(&args.folder, kind, &sessions, out),
    };
    let aliases = store.aliases()?;
    let mut taken: HashMap<String, String> = HashMap::new();
    let (mut done, mut messages) = (0_u64, 0_u64);
    for wanted in &sessions {
        let exported = wanted.foreign(&aliases).and_then(|foreign| {
            let (files, remarks) = layout.write(&foreign)?;
            for file in &files {
                if let Some(other) = taken.insert(file.name.to_lowercase(), foreign.key.clone()) {
                    let text = format!(
                        "{:?} has no place beside {:?}: both would be {}",
                        name(&foreign.key),
                        name(&other),
                        name(&file.name)
                    );
                    return Err(Failure::Told(Exit::Findings, text));
                }
            }
            let written = write_files(&args.folder, &files)?;
            Ok((foreign, files, remarks, written))
        });
        let (foreign, files, remarks, written) = match exported {
            Ok(exported) => exported,
            Err(failure) => {
                out.complain(&failure);
                continue;
            }
        };
        let count = foreign.messages().count() as u64;
        done += 1;
        messages += count;
        let remarks: Vec<String> =
            remarks.iter().chain(wanted.remarks(&foreign)).map(ToString::to_string).collect();
        let key = &foreign.key;
        if out.json {
            let files = files.iter().map(|file| &file.name[..]).collect();
            out.object(&ExportedObject {
                key,
                archived: wanted.archive(),
                files,
                written,
                messages: count,
                remarks,
            })?;
            continue;
        }
        let what = if written { plural(count, "message") } else { String::from("there already") };
        out.line(format_args!("{}  {what}", out.paint(Paint::Name, name(key))))?;
        remarks.iter().try_for_each(|remark| out.line(format_args!("  {}", name(remark))))?;
    }
    if !out.json {
        let (sessions, messages) = (plural(done, "session"), plural(messages, "message"));
        out.line(format_args!("{layout}: {sessions} exported, {messages}"))?;
    }
    Ok(Exit::Done)
}

/// A session that is exported.
enum Wanted {
    /// Of the store, perhaps one of its archives.
    Own(Session, Option<u64>),
    Transcript(Box<Found>),
}

impl Wanted {
    fn archive(&self) -> Option<u64> {
        match self {
            Self::Own(_, archive) => *archive,
            Self::Transcript(_) => None,
        }
    }

    fn foreign(&self, aliases: &[(String, String)]) -> Result<ForeignSession, Failure> {
        match self {
            Self::Own(session, archive) => foreign(session, *archive, aliases),
            Self::Transcript(found) => Ok(open(found)?.session()?),
        }
    }

    /// What reading it has to say; of a session of the store, nothing that show and verify don't.
    fn remarks<'a>(&self, foreign: &'a ForeignSession) -> &'a [Remark] {
        match self {
            Self::Own(..) => &[],
            Self::Transcript(_) => &foreign.remarks,
        }
    }
}

fn open(found: &Found) -> Result<Transcript, Failure> {
    Transcript::open_in(found.path(), &spool())?.ok_or_else(|| {
        let text = format!("{}: is no transcript of an agent that is known", path(found.path()));
        Failure::Told(Exit::Findings, text)
    })
}

/// The sessions that were asked for, or all of the store, with their archives.
fn wanted(args: &Export, home: &Home, store: &Store, out: &mut Out) -> Result<Vec<Wanted>, Failure> {
    let mut wanted = Vec::new();
    let add = |session: Session, wanted: &mut Vec<Wanted>| -> Result<(), Failure> {
        if session.exists()? == Some(Place::Active) {
            wanted.push(Wanted::Own(session.clone(), None));
        }
        for number in session.archives()? {
            wanted.push(Wanted::Own(session.archived(number), Some(number)));
        }
        Ok(())
    };
    if !args.keys.is_empty() {
        let agents = Agents::of_environment();
        for key in &args.keys {
            let found = match home.target(key.as_ref(), false, &agents, out) {
                Ok(Target::Transcript(found, None)) => Some(found),
                Ok(Target::File(file, None)) => Found::of_file(&file)?.map(Box::new),
                Ok(_) => None,
                Err(failure) => {
                    out.complain(&failure);
                    continue;
                }
            };
            match found {
                Some(found) => wanted.push(Wanted::Transcript(found)),
                None => match home.existing(store, key) {
                    Ok(session) => add(session, &mut wanted)?,
                    Err(failure) => out.complain(&failure),
                },
            }
        }
        return Ok(wanted);
    }
    let list = store.list(&ListOptions::new().archived(true).titles(false))?;
    for unlisted in list.unlisted {
        out.complain(&unlisted.error.into());
    }
    let mut keys: Vec<String> = list.sessions.into_iter().map(|listed| listed.key).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        add(store.session(&key)?, &mut wanted)?;
    }
    Ok(wanted)
}

/// A session as the formats know them.
fn foreign(
    session: &Session,
    archive: Option<u64>,
    aliases: &[(String, String)],
) -> Result<ForeignSession, Failure> {
    let transcript = session.transcript()?;
    let mut foreign = ForeignSession::default();
    foreign.key = session.key().to_owned();
    foreign.archived = archive.is_some();
    foreign.summary = session.summary()?;
    foreign.metadata = session.metadata::<Box<RawValue>>()?;
    foreign.aliases =
        aliases.iter().filter(|(_, key)| key == session.key()).map(|(alias, _)| alias.clone()).collect();
    for entry in &transcript.entries {
        let (raw, is_message, time) = match entry {
            Entry::Message(message) => (message.raw(), true, message.time()),
            Entry::Note(note) => (note.raw(), false, note.time()),
            Entry::Event(event) => {
                foreign.created = foreign.created.or(event.time);
                continue;
            }
            _ => continue,
        };
        foreign.updated = time.or(foreign.updated);
        foreign.records.push(ForeignRecord::new(raw.to_vec(), is_message, time));
        if entry.seq() < transcript.visible_from {
            foreign.hidden = foreign.records.len();
        }
    }
    // A session that has been begun has a file, also without messages; one with a summary only has none.
    foreign.path = (!foreign.records.is_empty() || foreign.summary.is_empty()).then(Default::default);
    Ok(foreign)
}
