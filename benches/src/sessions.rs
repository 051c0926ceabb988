//! Sessions, beside what the stores do that they come from.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use annals_session::{Durability, Entry, ListOptions, Scope, Session, Truncate};

use annals_benches::corpus::Size;
use annals_benches::measure::{Table, Target, Work, side};
use annals_benches::messages::{
    Lazily, a_sync_for, append_durably, filled, fresh, messages, store, write_and_sync, write_locked,
};
use annals_benches::originals::{Message, Picoclaw, aish_append, aish_load, orca_load};
use serde::Deserialize;

pub(crate) fn run(folder: &Path, size: Size, table: &mut Table) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let folder = folder.path();
    for (name, content_len) in [("small", 60), ("chat", 10_000)] {
        let messages = messages(content_len);
        add(folder, name, &messages, size, table);
        read(folder, name, &messages, size, table);
    }
    list(folder, size, table);
}

fn add(folder: &Path, name: &str, messages: &Lazily<Message>, size: Size, table: &mut Table) {
    let (durable, buffered) = match size {
        Size::Least => (16, 100),
        Size::Quick => (100, 2_000),
        Size::Full => (600, if name == "chat" { 5_000 } else { 30_000 }),
    };
    for (threads, target) in [(1, 2.8), (16, 14.0), (64, 25.0)] {
        let job = format!("session add durable, {threads} threads, {name}");
        if !table.wants(&job) {
            continue;
        }
        let count = durable * if threads > 1 { 4 } else { 1 };
        let ours = || append_durably(folder, messages, count, threads);
        table.compare(
            &job,
            Work::Records(count as u64),
            side("ours", ours),
            side("picoclaw's scheme", || {
                let picoclaw = Picoclaw::new(&fresh(folder, "other"), "s");
                for n in 0..count {
                    picoclaw.add(&messages[n % messages.len()]);
                }
                picoclaw.count()
            }),
            Target::AtLeast(target),
        );
        // What could be had of this disk.
        table.compare(
            &job,
            Work::Records(count as u64),
            side("ours", ours),
            side(&a_sync_for(threads), || write_and_sync(folder, messages, count, threads)),
            Target::Shown,
        );
    }
    let job = format!("session add buffered, {name}");
    if !table.wants(&job) {
        return;
    }
    let ours = || {
        let session = store(&fresh(folder, "ours"), Durability::Buffer).session("s").unwrap();
        for n in 0..buffered {
            session.append(&messages[n % messages.len()]).unwrap();
        }
        session.tail(1).unwrap().messages[0].seq() as usize
    };
    table.compare(
        &job,
        Work::Records(buffered as u64),
        side("ours", ours),
        side("aish's scheme", || {
            let path = fresh(folder, "other").join("s.jsonl");
            let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
            for n in 0..buffered {
                aish_append(&mut file, &messages[n % messages.len()]);
            }
            buffered
        }),
        Target::TimeAtMost(3.5),
    );
    // What could be had of this system by whoever is not alone with the file.
    let path = filled(folder, messages, messages.len()).path().unwrap().unwrap();
    let log = fs::read(path).unwrap();
    let lines: Vec<Vec<u8>> =
        log.split_inclusive(|byte| *byte == b'\n').skip(1).map(<[u8]>::to_vec).collect();
    table.compare(
        &job,
        Work::Records(buffered as u64),
        side("ours", ours),
        side("lock, look, write, unlock: lines made before", || {
            write_locked(&fresh(folder, "other").join("s.jsonl"), &lines, buffered)
        }),
        Target::Shown,
    );
}

/// The same messages as a session of ours, and as a file of theirs.
fn both_filled(folder: &Path, messages: &[Message], count: usize) -> (Session, PathBuf) {
    let other = fresh(folder, "other").join("s.jsonl");
    let mut file = OpenOptions::new().create(true).append(true).open(&other).unwrap();
    (0..count).for_each(|n| aish_append(&mut file, &messages[n % messages.len()]));
    (filled(folder, messages, count), other)
}

fn read(folder: &Path, name: &str, messages: &Lazily<Message>, size: Size, table: &mut Table) {
    let whole = match size {
        Size::Least => 100,
        Size::Quick => 2_000,
        Size::Full => 20_000,
    };
    let is_wanted =
        |table: &Table, jobs: &[&str]| jobs.iter().any(|job| table.wants(&format!("{job}, {name}")));
    if is_wanted(
        table,
        &["session history", "session history, text decoded", "session log, every text decoded"],
    ) {
        let (session, other) = both_filled(folder, messages, whole);
        let picoclaw = Picoclaw::new(other.parent().unwrap(), "s");
        let len: usize = (0..whole).map(|n| messages[n % messages.len()].content.len()).sum();
        let work = Work::Records(whole as u64);
        let path = session.path().unwrap().unwrap();
        let ours = || session.history().unwrap().messages.len();
        let job = format!("session history, {name}");
        table.compare(
            &job,
            work,
            side("ours", ours),
            side("naive typed, kept", || naive(&path).collect::<Vec<_>>().len()),
            Target::AtLeast(if name == "chat" { 6.0 } else { 2.0 }),
        );
        table.compare(
            &job,
            work,
            side("ours", ours),
            side("picoclaw's scheme", || picoclaw.history().len()),
            Target::AtLeast(2.0),
        );
        table.compare(
            &job,
            work,
            side("ours", ours),
            side("orca's scheme", || orca_load(&other).len()),
            Target::AtLeast(2.0),
        );
        table.compare(
            &job,
            work,
            side("ours", ours),
            side("aish's scheme", || aish_load(&other).len()),
            Target::AtLeast(2.0),
        );
        table.compare(
            &format!("session history, text decoded, {name}"),
            work,
            side("ours", || {
                let history = session.history().unwrap();
                let sum: usize = history.messages.iter().map(|message| message.text().len()).sum();
                assert_eq!(sum, len);
                sum
            }),
            side("picoclaw's scheme", || {
                picoclaw.history().iter().map(|message| message.content.len()).sum()
            }),
            Target::AtLeast(1.0),
        );
        drop(picoclaw);
        decode(&session, name, len, table);
    }
    if !is_wanted(table, &["session last 50", "session truncate + history", "session history of 50"]) {
        return;
    }
    let many = match (size, name) {
        (Size::Least, _) => 200,
        (Size::Quick, _) => 5_000,
        (_, "chat") => 50_000,
        _ => 200_000,
    };
    let (session, other) = both_filled(folder, messages, many);
    let picoclaw = Picoclaw::new(other.parent().unwrap(), "s");
    let text = |content: &str| content.len();
    table.compare(
        &format!("session last 50 of {many}, {name}"),
        Work::Records(50),
        side("ours", || {
            session.tail(50).unwrap().messages.iter().map(|message| text(&message.text())).sum::<usize>()
        }),
        side("picoclaw's scheme", || {
            let all = picoclaw.history();
            all[all.len() - 50..].iter().map(|message| text(&message.content)).sum()
        }),
        Target::AtLeast(200.0),
    );
    session.truncate(&Truncate::keep_last(50).part_calls(true)).unwrap();
    picoclaw.truncate(50);
    table.compare(
        &format!("session history of 50 visible, {name}"),
        Work::Records(50),
        side("ours", || {
            session.history().unwrap().messages.iter().map(|message| text(&message.text())).sum::<usize>()
        }),
        side("picoclaw's scheme", || picoclaw.history().iter().map(|message| text(&message.content)).sum()),
        Target::AtLeast(200.0),
    );
    table.compare(
        &format!("session truncate + history, {name}"),
        Work::Records(1),
        side("ours", || {
            session
                .with_durability(Durability::SyncData)
                .truncate(&Truncate::keep_last(50).part_calls(true))
                .unwrap();
            session.history().unwrap().messages.len()
        }),
        side("picoclaw's scheme", || {
            picoclaw.truncate(50);
            picoclaw.history().len()
        }),
        Target::AtLeast(2.0),
    );
}

/// A line of a session's log, as far as it is of interest here.
#[derive(Deserialize)]
struct Record {
    message: Option<Message>,
}

/// The messages of a session's log.
fn naive(path: &Path) -> impl Iterator<Item = Message> {
    let lines = BufReader::new(fs::File::open(path).unwrap()).lines();
    lines.filter_map(|line| serde_json::from_str::<Record>(&line.unwrap()).unwrap().message)
}

/// A log of which nothing is kept, with every text decoded.
fn decode(session: &Session, name: &str, len: usize, table: &mut Table) {
    let path = session.path().unwrap().unwrap();
    table.compare(
        &format!("session log, every text decoded, {name}"),
        Work::Bytes(fs::metadata(&path).unwrap().len()),
        side("ours", || {
            let add = |sum: &mut usize, entry: &Entry| {
                if let Entry::Message(message) = entry {
                    *sum += message.text().len();
                }
            };
            let (sum, _) = session.fold(Scope::Transcript, || 0, add, |a, b| a + b).unwrap();
            assert_eq!(sum, len);
            sum
        }),
        side("naive typed, folded", || naive(&path).map(|message| message.content.len()).sum()),
        Target::AtLeast(if name == "chat" { 3.0 } else { 3.3 }),
    );
}

fn list(folder: &Path, size: Size, table: &mut Table) {
    let count = match size {
        Size::Least => 60,
        Size::Quick => 500,
        Size::Full => 10_000,
    };
    let job = format!("session list {count}, newest 50");
    if !table.wants(&job) {
        return;
    }
    let dir = fresh(folder, "ours");
    let store = store(&dir, Durability::Buffer);
    for n in 0..count {
        let session = store.session(&format!("chat:{n}")).unwrap();
        session.say("user", &format!("Question {n}: is the ferry on time?")).unwrap();
        session.say("assistant", "Six minutes late.").unwrap();
    }
    let options = ListOptions::new().limit(50);
    table.compare(
        &job,
        Work::Records(count),
        side("ours", || {
            let list = store.list(&options).unwrap();
            list.sessions.iter().filter(|listed| listed.title.is_some()).count()
        }),
        side("reading each file's head", || {
            let mut found = Vec::new();
            for entry in fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                let file = fs::File::open(&path).unwrap();
                let modified = file.metadata().unwrap().modified().unwrap();
                let title = BufReader::new(file).lines().map(Result::unwrap).find_map(|line| {
                    let value: serde_json::Value = serde_json::from_str(&line).ok()?;
                    let message = value.get("message")?;
                    (message["role"] == "user").then(|| message["content"].as_str().unwrap().to_owned())
                });
                found.push((modified, title));
            }
            found.sort();
            found.iter().rev().take(50).filter(|(_, title)| title.is_some()).count()
        }),
        Target::AtLeast(3.0),
    );
}
