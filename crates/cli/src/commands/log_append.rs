//! `annals log append`: records from standard input to the end of a file.

use std::io::{self, BufRead, BufReader, Read, StdinLock};

use jsonl_core::{Appended, Durability, Error, Locking, MAX_LINE_LEN, WriteOptions, Writer};
use serde::Serialize;

use crate::args::{Append, Level};
use crate::commands::seconds;
use crate::exit::{Exit, Failure};
use crate::human::plural;
use crate::out::Out;

#[derive(Serialize)]
struct AppendedObject {
    offset: u64,
    len: u64,
}

pub(crate) fn run(args: &Append, out: &mut Out) -> Result<Exit, Failure> {
    let durability = match args.durability {
        Level::Buffer => Durability::Buffer,
        Level::Data => Durability::SyncData,
        Level::All => Durability::SyncAll,
    };
    let options = WriteOptions::new()
        .create(true)
        .checksum(args.checksum)
        .durability(durability)
        .locking(Locking::PerAppend)
        .wait(seconds(args.wait)?)
        .program("annals log append");
    let log = options.open(&args.file)?;
    let mut input = Input { stdin: BufReader::with_capacity(BUFFER_LEN, io::stdin().lock()), line: 0 };
    let mut done = 0;
    while let Some(lines) = input.next_lines()? {
        append(&log, &lines, input.line, &mut done, out)?;
    }
    log.close()?;
    Ok(Exit::Done)
}

/// Lines that came together go out together, with one write and one sync.
fn append(
    log: &Writer,
    lines: &[Vec<u8>],
    last_line: u64,
    done: &mut u64,
    out: &mut Out,
) -> Result<(), Failure> {
    let filled = || lines.iter().enumerate().filter(|(_, line)| !jsonl_core::line::is_blank(line));
    match log.append_raw_all(filled().map(|(_, line)| &line[..])) {
        Ok(appended) => return acknowledge(&appended, done, out),
        Err(Error::NotJson { .. } | Error::TooLong { .. } | Error::NotAnObject { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    // One of them is none: those before it are written, and it is named.
    let first_line = last_line + 1 - lines.len() as u64;
    for (index, line) in filled() {
        match log.append_raw(line) {
            Ok(appended) => acknowledge(&[appended], done, out)?,
            Err(error) => {
                let number = first_line + index as u64;
                let what = match &error {
                    Error::NotJson { kind, at, .. } => format!("{kind}, at byte {at}"),
                    Error::TooLong { len, max, .. } => {
                        format!("{len} bytes or more, and a line may have {max}")
                    }
                    Error::NotAnObject { .. } => String::from("only an object can carry a checksum"),
                    other => other.to_string(),
                };
                let done = plural(*done, "record");
                let text = format!(
                    "standard input, line {number}: {what}; {done} before it appended, nothing after it"
                );
                return Err(Failure::Told(Failure::Log(error).exit(), text));
            }
        }
    }
    Ok(())
}

fn acknowledge(appended: &[Appended], done: &mut u64, out: &mut Out) -> Result<(), Failure> {
    *done += appended.len() as u64;
    if out.json {
        for Appended { offset, len, .. } in appended {
            out.object(&AppendedObject { offset: *offset, len: *len })?;
        }
        out.flush()?;
    }
    Ok(())
}

/// What came in one piece is appended in one piece, up to this.
const BUFFER_LEN: usize = 256 << 10;

struct Input {
    stdin: BufReader<StdinLock<'static>>,
    /// Lines that were read.
    line: u64,
}

impl Input {
    /// The lines that are there, at least one; `None` at the end.
    fn next_lines(&mut self) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            // One byte more than a line may have, so that a longer one is noticed without being kept.
            let most = MAX_LINE_LEN as u64 + 2;
            let got = self.stdin.by_ref().take(most).read_until(b'\n', &mut line);
            let got = got.map_err(|error| {
                Failure::Told(Exit::Internal, format!("cannot read standard input: {error}"))
            })?;
            if got == 0 {
                break;
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if self.line == 0 && line.starts_with(b"\xEF\xBB\xBF") {
                // A mark of some editors, and no part of the record.
                line.drain(..3);
            }
            self.line += 1;
            let is_too_long = line.len() > MAX_LINE_LEN;
            lines.push(line);
            // What is in the buffer came in one piece; for more this would have to wait.
            if is_too_long || memchr::memchr(b'\n', self.stdin.buffer()).is_none() {
                break;
            }
        }
        Ok((!lines.is_empty()).then_some(lines))
    }
}
