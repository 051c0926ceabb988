//! `annals append`: messages to the end of a session.

use std::io::{self, BufRead, BufReader, Read};

use annals_session::{ChatMessage, Durability, Session};
use jsonl_core::MAX_LINE_LEN;
use serde::Serialize;

use crate::agents::Agents;
use crate::args::Level;
use crate::args::sessions::Append;
use crate::exit::{Exit, Failure};
use crate::human::{name, plural};
use crate::input::read_text;
use crate::out::Out;
use crate::store::Home;

#[derive(Serialize)]
struct AppendedObject<'a> {
    key: &'a str,
    seq: u64,
}

pub(crate) fn run(args: &Append, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store_with(match args.durability {
        Level::Buffer => Durability::Buffer,
        Level::Data => Durability::SyncData,
        Level::All => Durability::SyncAll,
    })?;
    let session = home.session(&store, &args.key)?;
    let is_new = session.exists()?.is_none();
    match &args.role {
        Some(role) => {
            let text = match &args.text {
                Some(text) => text.clone(),
                None => read_text()?,
            };
            let seq = session.append(&ChatMessage::new(role, text))?;
            acknowledge(&session, &[seq], out)?;
        }
        None => append_lines(&session, out)?,
    }
    if is_new && looks_like_id(&args.key) {
        say_if_agents(&args.key, out);
    }
    Ok(Exit::Done)
}

/// The fewest characters of an agent's id that a list shows.
const ID_LEN_MIN: usize = 8;

fn looks_like_id(key: &str) -> bool {
    key.len() >= ID_LEN_MIN && key.chars().all(|character| character.is_ascii_hexdigit() || character == '-')
}

/// Whoever types what a list shows of an agent's session may not have meant a new one.
fn say_if_agents(key: &str, out: &mut Out) {
    if let Ok(Some(found)) = Agents::of_environment().resolve(key, out) {
        let (key, agent) = (name(key), found.agent.name());
        out.note(format_args!(
            "{key} is a new session of the store; the one of {agent} that has this id is {agent}:{key} from now on"
        ));
    }
}

fn acknowledge(session: &Session, seqs: &[u64], out: &mut Out) -> Result<(), Failure> {
    if out.json {
        for seq in seqs {
            out.object(&AppendedObject { key: session.key(), seq: *seq })?;
        }
        out.flush()?;
    }
    Ok(())
}

/// Messages that came together go out together, with one write and one sync.
fn append_lines(session: &Session, out: &mut Out) -> Result<(), Failure> {
    let mut stdin = BufReader::with_capacity(256 << 10, io::stdin().lock());
    let (mut line_number, mut done) = (0_u64, 0_u64);
    loop {
        let mut lines: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut is_end = false;
        loop {
            let mut line = Vec::new();
            // One byte more than a line may have, so that a longer one is noticed without being kept.
            let got = stdin.by_ref().take(MAX_LINE_LEN as u64 + 2).read_until(b'\n', &mut line);
            let got = got.map_err(|error| {
                Failure::Told(Exit::Internal, format!("cannot read standard input: {error}"))
            })?;
            if got == 0 {
                is_end = true;
                break;
            }
            line_number += 1;
            let is_blank = line.iter().all(u8::is_ascii_whitespace);
            let is_too_long = line.len() > MAX_LINE_LEN;
            if !is_blank {
                lines.push((line_number, line));
            }
            // What is in the buffer came in one piece; for more this would have to wait.
            if is_too_long || memchr::memchr(b'\n', stdin.buffer()).is_none() {
                break;
            }
        }
        let mut appended = Vec::new();
        let together = session.edit(|edit| {
            for (_, line) in &lines {
                appended.push(edit.append_raw(line, None)?);
            }
            Ok(())
        });
        if together.is_err() && lines.len() > 1 {
            // One of them is no message: those before it are written, and it is named.
            appended.clear();
            for (number, line) in &lines {
                let seq = session.append_raw(line).map_err(|error| refused(error, *number, done))?;
                done += 1;
                acknowledge(session, &[seq], out)?;
            }
        } else if !lines.is_empty() {
            together.map_err(|error| refused(error, lines[0].0, done))?;
            done += appended.len() as u64;
            acknowledge(session, &appended, out)?;
        }
        if is_end {
            return Ok(());
        }
    }
}

fn refused(error: annals_session::Error, line: u64, done: u64) -> Failure {
    use annals_session::Error;
    let is_input = matches!(error, Error::NotAMessage { .. })
        || matches!(
            &error,
            Error::Log(jsonl_core::Error::TooLong { .. } | jsonl_core::Error::NotJson { .. })
        );
    let failure = Failure::from(error);
    if !is_input {
        return failure;
    }
    let done = plural(done, "message");
    let text = format!("standard input, line {line}: {failure}; {done} before it appended, nothing after it");
    Failure::Told(Exit::Damaged, text)
}
