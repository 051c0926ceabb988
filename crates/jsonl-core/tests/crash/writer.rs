//! The writer that is killed, in its good and in its broken form.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::process::ExitCode;

use jsonl_core::{Durability, Locking, WriteOptions};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) writer: usize,
    pub(crate) n: u64,
    pub(crate) text: String,
}

impl Record {
    /// A record of about `len` bytes whose text depends on who wrote it and when.
    pub(crate) fn new(writer: usize, n: u64, len: usize) -> Self {
        let letter = char::from(b'a' + ((writer as u64 * 7 + n) % 26) as u8);
        Self { writer, n, text: letter.to_string().repeat(len.saturating_sub(40)) }
    }
}

/// `locked|plain PATH WRITER LEN`: appends for ever. `limited PATH BYTES`: appends until the limit is reached.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let number = |index: usize| args[index].parse::<u64>().unwrap();
    match args[0].as_str() {
        "locked" => append_locked(&args[1], number(2) as usize, number(3) as usize),
        "plain" => append_plainly(&args[1], number(2) as usize, number(3) as usize),
        "limited" => append_limited(&args[1], number(2)),
        other => panic!("no writer {other}"),
    }
}

fn acknowledge(n: u64) {
    // One write per line: a killed process leaves no half of one in a buffer.
    io::stdout().write_all(format!("{n}\n").as_bytes()).and_then(|()| io::stdout().flush()).unwrap();
}

fn append_locked(path: &str, writer: usize, len: usize) -> ExitCode {
    let options = WriteOptions::new().create(true).durability(Durability::Buffer).locking(Locking::PerAppend);
    let log = options.open(path).unwrap();
    for n in 0.. {
        log.append(&Record::new(writer, n, len)).unwrap();
        acknowledge(n);
    }
    ExitCode::SUCCESS
}

fn append_plainly(path: &str, writer: usize, len: usize) -> ExitCode {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    for n in 0.. {
        let mut line = serde_json::to_vec(&Record::new(writer, n, len)).unwrap();
        line.push(b'\n');
        assert_eq!(file.write(&line).unwrap(), line.len());
        acknowledge(n);
    }
    ExitCode::SUCCESS
}

/// The caller has made SIGXFSZ harmless, so that the limit shows as a short write and then as an error.
fn append_limited(path: &str, limit: u64) -> ExitCode {
    let log = WriteOptions::new().create(true).durability(Durability::SyncData).open(path).unwrap();
    setrlimit(Resource::Fsize, Rlimit { current: Some(limit), maximum: Some(limit) }).unwrap();
    for n in 0.. {
        match log.append(&Record::new(0, n, 100)) {
            Ok(_) => acknowledge(n),
            Err(error) => {
                assert!(matches!(error, jsonl_core::Error::Io { .. }), "{error}");
                // Nothing is acknowledged after that, however often it is tried.
                assert!(matches!(log.append(&1), Err(jsonl_core::Error::Poisoned { .. })));
                assert!(matches!(log.close(), Err(jsonl_core::Error::Poisoned { .. })));
                return ExitCode::SUCCESS;
            }
        }
    }
    ExitCode::FAILURE
}
