//! The process that is killed, limited and lied to: it works on a store and says what it does.
//!
//! What it says goes to standard output, one `write` for each line, so that a line is there whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jsonl_core::Durability;

use crate::ledger::Found;
use crate::subject::{Result, Setting, Subject, by_name, said};

/// Says how long a file may become, in the environment of a worker; it takes the limit on when its store is prepared.
pub const LIMIT: &str = "ANNALS_CRASH_LIMIT";

/// What a worker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The folder with this number is new, and what follows happens in it.
    Folder(u64),
    /// A store is opened.
    Opens,
    /// An operation begins.
    Begins(u64),
    /// It is acknowledged.
    Acknowledged(u64),
    /// It has failed.
    Failed(u64),
    /// All is done in this folder.
    Done,
}

impl Said {
    /// From a line without its newline.
    pub fn parse(line: &str) -> Option<Self> {
        let (word, number) = line.split_once(' ').unwrap_or((line, "0"));
        let number = number.split(' ').next()?.parse().ok()?;
        Some(match word {
            "folder" => Self::Folder(number),
            "opens" => Self::Opens,
            "begins" => Self::Begins(number),
            "acknowledged" => Self::Acknowledged(number),
            "failed" => Self::Failed(number),
            "done" => Self::Done,
            _ => return None,
        })
    }
}

/// In front of what a store shows.
const SHOWS: &str = "shows ";

/// What a worker says that its store shows, from a line without its newline.
pub(crate) fn shown(line: &str) -> Option<Found> {
    serde_json::from_str(line.strip_prefix(SHOWS)?).ok()
}

fn say(line: &str) {
    // Who can't be heard is soon killed.
    let _ = io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

/// What a worker is to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// The store.
    pub subject: &'static str,
    /// Where it lives.
    pub folder: PathBuf,
    /// Which writer it is.
    pub writer: usize,
    /// How the store is used.
    pub setting: Setting,
    /// How it goes about it.
    pub mode: Mode,
}

/// How a worker goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Until it is killed. An error ends it.
    Endless,
    /// So many operations, and then it ends. An error ends it, too.
    Few(u64),
    /// So many operations in one folder after the other, each of them new, until it is killed. After an error it tries the next
    /// operation, and opens the store again after three. Then it reads what is there.
    Folders(u64),
    /// Until an error. It tries once more, and then ends.
    UntilFull,
}

impl Job {
    /// For a writer of this store.
    pub fn new(
        subject: &'static dyn Subject,
        folder: &Path,
        writer: usize,
        setting: Setting,
        mode: Mode,
    ) -> Self {
        Self { subject: subject.name(), folder: folder.to_owned(), writer, setting, mode }
    }

    /// As arguments of the program.
    pub fn args(&self) -> Vec<String> {
        let (mode, count) = match self.mode {
            Mode::Endless => ("endless", 0),
            Mode::Few(count) => ("few", count),
            Mode::Folders(count) => ("folders", count),
            Mode::UntilFull => ("until-full", 0),
        };
        let durability = if self.setting.durability == Durability::Buffer { "buffer" } else { "sync" };
        vec![
            String::from("worker"),
            self.subject.to_owned(),
            self.folder.to_string_lossy().into_owned(),
            self.writer.to_string(),
            self.setting.len.to_string(),
            durability.to_owned(),
            mode.to_owned(),
            count.to_string(),
        ]
    }

    fn of(args: &[String]) -> Option<Self> {
        let [subject, folder, writer, len, durability, mode, count] = args else { return None };
        let count = count.parse().ok()?;
        let durability = if durability == "buffer" { Durability::Buffer } else { Durability::SyncData };
        Some(Self {
            subject: by_name(subject).ok()?.name(),
            folder: PathBuf::from(folder),
            writer: writer.parse().ok()?,
            setting: Setting { len: len.parse().ok()?, durability },
            mode: match mode.as_str() {
                "endless" => Mode::Endless,
                "few" => Mode::Few(count),
                "folders" => Mode::Folders(count),
                "until-full" => Mode::UntilFull,
                _ => return None,
            },
        })
    }
}

/// Works as the arguments behind `worker` say. Returns when it is done or has failed.
pub fn run(args: &[String]) -> Result<()> {
    let job = Job::of(args).ok_or("a worker needs other arguments")?;
    let subject = by_name(job.subject)?;
    match job.mode {
        Mode::Endless => work(subject, &job, u64::MAX),
        Mode::Few(count) => work(subject, &job, count),
        Mode::Folders(count) => {
            for number in 0.. {
                let folder = job.folder.join(number.to_string());
                std::fs::create_dir(&folder).map_err(said)?;
                subject.prepare(&folder, 2)?;
                say(&format!("folder {number}"));
                try_all(subject, &job, &folder, count);
                // An error is an answer, too.
                if let Ok(found) = subject.read(&folder, job.setting) {
                    say(&format!("{SHOWS}{}", serde_json::to_string(&found).map_err(said)?));
                }
                say("done");
            }
            Ok(())
        }
        Mode::UntilFull => {
            #[cfg(target_os = "linux")]
            take_limit()?;
            let failed = work(subject, &job, u64::MAX);
            say("opens");
            failed
        }
    }
}

#[cfg(target_os = "linux")]
fn take_limit() -> Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let Ok(limit) = std::env::var(LIMIT) else { return Ok(()) };
    let limit = Some(limit.parse().map_err(|_| format!("{LIMIT} is no number"))?);
    setrlimit(Resource::Fsize, Rlimit { current: limit, maximum: limit }).map_err(said)
}

/// Does operations until one fails.
fn work(subject: &dyn Subject, job: &Job, count: u64) -> Result<()> {
    let mut n = 0;
    while n < count {
        say("opens");
        let mut handle = subject.open(&job.folder, job.writer, job.setting)?;
        let turn_end = subject.turn_len().map_or(count, |len| count.min(n + len));
        while n < turn_end {
            say(&format!("begins {n}"));
            if let Err(error) = handle.apply(n) {
                say(&format!("failed {n} {error}"));
                // Once more on the same handle: it may refuse, or mend itself, but not pretend.
                if job.mode == Mode::UntilFull {
                    say(&format!("begins {}", n + 1));
                    match handle.apply(n + 1) {
                        Ok(()) => say(&format!("acknowledged {}", n + 1)),
                        Err(error) => say(&format!("failed {} {error}", n + 1)),
                    }
                }
                return Err(error);
            }
            say(&format!("acknowledged {n}"));
            n += 1;
        }
        handle.close()?;
    }
    Ok(())
}

/// Tries operations whatever happens.
fn try_all(subject: &dyn Subject, job: &Job, folder: &Path, count: u64) {
    let mut handle = None;
    let mut failures = 0;
    for n in 0..count {
        if handle.is_none() {
            say("opens");
            handle = subject.open(folder, job.writer, job.setting).ok();
            failures = 0;
        }
        let Some(open) = &mut handle else { continue };
        say(&format!("begins {n}"));
        match open.apply(n) {
            Ok(()) => say(&format!("acknowledged {n}")),
            Err(error) => {
                say(&format!("failed {n} {error}"));
                failures += 1;
                if failures == 3 {
                    handle = None;
                }
            }
        }
    }
    if let Some(handle) = handle {
        // It says whether all went well, which has been said already.
        let _ = handle.close();
    }
}
