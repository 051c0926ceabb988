//! Sessions as documents to read: a file each, or one on standard output.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::SystemTime;

use annals_formats::document::{Document, DocumentKind, Head, Loss};
use annals_formats::transcript::{Agent, Role};
use annals_formats::{chat, said};
use annals_session::{Entry, Message, Session};
use jiff::Timestamp;
use serde::Serialize;

use super::{Wanted, open};
use crate::agents::{OWN, Titles};
use crate::exit::{Exit, Failure};
use crate::human::{name, path, plural};
use crate::out::{Out, Paint};

#[derive(Serialize)]
struct DocumentObject<'a> {
    key: &'a str,
    path: &'a Path,
    bytes: u64,
    left_out: Vec<String>,
}

pub(super) fn run(
    folder: &Path,
    kind: DocumentKind,
    sessions: &[Wanted],
    out: &mut Out,
) -> Result<Exit, Failure> {
    if folder.as_os_str() == "-" {
        return to_output(kind, sessions, out);
    }
    jsonl_core::create_folder(folder)?;
    let mut taken: HashMap<String, String> = HashMap::new();
    let mut done = 0;
    for wanted in sessions {
        let key = key_of(wanted);
        let file = format!("{}.{}", file_name(&key), kind.ending());
        if let Some(other) = taken.insert(file.to_lowercase(), key.clone()) {
            let (key, other, file) = (name(&key), name(&other), name(&file));
            let text = format!("{key:?} has no place beside {other:?}: both would be {file}");
            out.complain(&Failure::Told(Exit::Findings, text));
            continue;
        }
        let target = folder.join(file);
        match to_file(wanted, kind, &target) {
            Ok((loss, bytes)) => {
                done += 1;
                if out.json {
                    let left_out = loss.lines();
                    out.object(&DocumentObject { key: &key, path: &target, bytes, left_out })?;
                } else {
                    let shown = path(&target);
                    out.line(format_args!("{}  {shown}", out.paint(Paint::Name, name(&key))))?;
                    out.line(format_args!("  {}", name(&loss.to_string())))?;
                }
            }
            Err(failure) => out.complain(&failure),
        }
    }
    if !out.json {
        out.line(format_args!("{kind}: {} exported", plural(done, "session")))?;
    }
    Ok(Exit::Done)
}

fn to_output(kind: DocumentKind, sessions: &[Wanted], out: &mut Out) -> Result<Exit, Failure> {
    let [wanted] = sessions else {
        let count = sessions.len();
        let text = format!("-: one document fits on standard output, and there are {count} sessions");
        return Err(Failure::Told(Exit::Usage, text));
    };
    let loss = write(wanted, kind, &mut Through(out))?;
    if !loss.is_nothing() {
        out.note(loss);
    }
    Ok(Exit::Done)
}

/// What is written goes to standard output, where a broken pipe is no error.
struct Through<'a>(&'a mut Out);

impl Write for Through<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.bytes(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(Failure::Output(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn to_file(wanted: &Wanted, kind: DocumentKind, path: &Path) -> Result<(Loss, u64), Failure> {
    let cannot = |action: &'static str| {
        move |source| Failure::Log(jsonl_core::Error::Io { path: path.to_owned(), action, source })
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = format!("{} is there already; it is not written over", crate::human::path(path));
            return Err(Failure::Told(Exit::Findings, text));
        }
        Err(error) => return Err(cannot("write")(error)),
    };
    let mut writer = BufWriter::with_capacity(256 << 10, file);
    let written = write(wanted, kind, &mut writer).and_then(|loss| {
        let file = writer.into_inner().map_err(|error| cannot("write")(error.into_error()))?;
        file.sync_all().map_err(cannot("write"))?;
        let len = file.metadata().map_err(cannot("look at"))?.len();
        Ok((loss, len))
    });
    if written.is_err() {
        // Half a document is none.
        let _ = fs::remove_file(path);
    }
    written
}

fn write(wanted: &Wanted, kind: DocumentKind, out: &mut impl Write) -> Result<Loss, Failure> {
    match wanted {
        Wanted::Transcript(found) => {
            let transcript = open(found)?;
            let mut overview = transcript.overview().clone();
            Titles::default().complete(found, &mut overview);
            let head = Head::of(found.agent.name(), &overview);
            let written = transcript.write_document(out, kind, &head);
            written.map_err(|error| match error {
                annals_formats::Error::Io { source, .. } => source.into(),
                other => other.into(),
            })
        }
        Wanted::Own(session, _) => write_own(session, kind, out),
    }
}

/// What is visible of a session of the store.
fn write_own(session: &Session, kind: DocumentKind, out: &mut impl Write) -> Result<Loss, Failure> {
    let transcript = session.transcript()?;
    let mut head = Head::default().title(session.key()).fact("agent", OWN).fact("session", session.key());
    let summary = session.summary()?;
    if !summary.is_empty() {
        head = head.fact("summary", &summary);
    }
    let times: Vec<_> = transcript.messages().filter_map(Message::time).collect();
    if let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) {
        let text =
            |time: &SystemTime| Timestamp::try_from(*time).map(|time| time.to_string()).unwrap_or_default();
        head = head.fact("began", &text(first)).fact("ended", &text(last));
    }
    let mut document = Document::begin(out, kind, &head)?;
    let mut records: std::collections::BTreeMap<String, (u64, u64)> = Default::default();
    for entry in &transcript.entries {
        let kind = match entry {
            Entry::Message(message) if entry.seq() >= transcript.visible_from => {
                let parts = chat::parts(message.raw());
                let role = said(Agent::Chat, message.raw()).map_or(Role::System, |said| said.role);
                document.add_parts(role, message.time(), message.seq(), &parts)?;
                records.entry(String::from("message")).or_default().0 += 1;
                "message"
            }
            Entry::Message(_) => "message",
            Entry::Note(_) => "note",
            _ => "event",
        };
        records.entry(String::from(kind)).or_default().1 += 1;
    }
    let mut loss = document.end()?;
    loss.records = records;
    Ok(loss)
}

fn key_of(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Own(session, None) => session.key().to_owned(),
        Wanted::Own(session, Some(number)) => format!("{}.archive-{number}", session.key()),
        Wanted::Transcript(found) => format!("{}-{}", found.agent, found.id),
    }
}

/// A key as a name that every file system takes, and that stays in its folder.
fn file_name(key: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let name: String = key.chars().map(plain).take(100).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { String::from("session") } else { name.to_owned() }
}
