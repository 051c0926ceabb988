//! Are all acknowledged messages still there, once and in order, when one of several processes is killed that append
//! to shared sessions while others list, read, truncate and compact them?
//!
//! This program is both the test and the writers: called with `writer …` it writes until it is killed and
//! acknowledges each message on standard output. The negative control is a writer that numbers its records without
//! the lock and appends with `O_APPEND`, as most programs do; the same harness has to catch it.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, missing_docs)]

use std::process::ExitCode;

#[cfg(unix)]
use libtest_mimic::{Arguments, Trial};

#[cfg(unix)]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "writer") {
        return unix::write(&args[1..]);
    }
    let tests: [(&str, fn()); 2] = [
        ("kill::acknowledged_messages_survive_the_death_of_a_process", unix::acknowledged_messages_survive),
        ("kill::the_harness_catches_a_writer_that_numbers_without_the_lock", unix::the_control_is_caught),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    // One after the other: each starts processes of its own.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}

#[cfg(unix)]
mod unix {
    use std::collections::{BTreeSet, HashMap};
    use std::fs;
    use std::io::{Read, Write};
    use std::path::Path;
    use std::process::{Child, Command, ExitCode, Stdio};
    use std::thread;
    use std::time::Duration;

    use annals_session::{
        CompactOptions, Durability, ListOptions, Session, Store, StoreOptions, Truncate, encode_key,
    };
    use serde_json::{Value, json};

    const PROCESSES: usize = 4;
    const THREADS: usize = 4;
    const SESSIONS: usize = 50;

    fn store(dir: &Path) -> Store {
        StoreOptions::new().durability(Durability::Buffer).open(dir).unwrap()
    }

    fn key(number: usize) -> String {
        format!("session:{number}")
    }

    /// Numbers that look random and are the same in each run.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }
    }

    /// Writes until it is killed.
    pub(crate) fn write(args: &[String]) -> ExitCode {
        let [dir, process, mode] = args else { return ExitCode::FAILURE };
        let (process, is_broken) = (process.parse::<u64>().unwrap(), mode == "broken");
        // Half of them wait for the device, and their threads share syncs.
        let durability = if process % 2 == 0 { Durability::Buffer } else { Durability::SyncData };
        let store = StoreOptions::new().durability(durability).open(dir).unwrap();
        thread::scope(|scope| {
            for thread in 0..THREADS as u64 {
                let store = &store;
                scope.spawn(move || {
                    let mut dice = Dice(process * 100 + thread);
                    for number in 0_u64.. {
                        let key = key(dice.roll(SESSIONS as u64) as usize);
                        let session = store.session(&key).unwrap();
                        let len = [10, 300, 4000, 9000][dice.roll(4) as usize];
                        let text = format!("{process}.{thread}:{number}:{}", "x".repeat(len));
                        let seq = if is_broken {
                            append_without_lock(&session, &text)
                        } else {
                            session.say("user", &text).unwrap()
                        };
                        let name = text.rsplit_once(':').unwrap().0;
                        let line = format!("{key} {seq} {name}\n");
                        // One write, so that a line is there whole or not at all.
                        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                    }
                });
            }
            if is_broken {
                return;
            }
            let mut dice = Dice(process);
            loop {
                let session = store.session(&key(dice.roll(SESSIONS as u64) as usize)).unwrap();
                match dice.roll(5) {
                    0 => drop(store.list(&ListOptions::new().limit(10)).unwrap()),
                    1 => drop(session.tail(5).unwrap()),
                    2 => drop(session.history().unwrap()),
                    // It may not have begun.
                    3 => drop(session.truncate(&Truncate::keep_last(3).summary("so far"))),
                    _ => drop(session.compact(&CompactOptions::new())),
                }
            }
        });
        ExitCode::SUCCESS
    }

    /// What a program does that has a number and a file: looks at the last number, and appends the next.
    fn append_without_lock(session: &Session, text: &str) -> u64 {
        if session.path().unwrap().is_none() {
            let _ = session.begin(&());
        }
        let path = session.path().unwrap().unwrap();
        let seq = session.tail(1).unwrap().messages.last().map_or(1, |last| last.seq() + 1);
        let mut line = serde_json::to_vec(&json!({"seq": seq, "n": seq, "state_at": 0,
            "time": "2026-11-21T08:15:00.250Z", "message": {"role": "user", "content": text}}))
        .unwrap();
        line.push(b'\n');
        fs::OpenOptions::new().append(true).open(path).unwrap().write_all(&line).unwrap();
        seq
    }

    struct Round {
        acknowledged: usize,
        compacted: usize,
        faults: Vec<String>,
    }

    fn round(number: u64, mode: &str) -> Round {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("store");
        let mut children: Vec<Child> = (0..PROCESSES)
            .map(|process| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["writer", dir.to_str().unwrap(), &process.to_string(), mode])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let readers: Vec<_> = children
            .iter_mut()
            .map(|child| {
                let mut out = child.stdout.take().unwrap();
                thread::spawn(move || {
                    let mut text = Vec::new();
                    out.read_to_end(&mut text).unwrap();
                    String::from_utf8(text).unwrap()
                })
            })
            .collect();
        let mut dice = Dice(number);
        thread::sleep(Duration::from_millis(40 + dice.roll(60)));
        // One dies, the others go on for a while.
        let victim = dice.roll(PROCESSES as u64) as usize;
        children[victim].kill().unwrap();
        thread::sleep(Duration::from_millis(40));
        for child in &mut children {
            // One that has ended by itself has failed.
            let has_ended = child.try_wait().unwrap().is_some_and(|status| status.code().is_some());
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(!has_ended, "a writer failed");
        }
        let mut acknowledged: HashMap<String, Vec<(u64, String)>> = HashMap::new();
        for reader in readers {
            let text = reader.join().unwrap();
            // The last line may be torn.
            for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
                let [key, seq, name] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
                acknowledged.entry(key.to_owned()).or_default().push((seq.parse().unwrap(), name.to_owned()));
            }
        }
        let store = store(&dir);
        let mut faults = Vec::new();
        let mut compacted = 0;
        for number in 0..SESSIONS {
            let key = key(number);
            let session = store.session(&key).unwrap();
            compacted += session.removed().unwrap().len();
            check(&dir, &session, acknowledged.get(&key).map_or(&[][..], Vec::as_slice), &mut faults);
        }
        Round { acknowledged: acknowledged.values().map(Vec::len).sum(), compacted, faults }
    }

    /// Once each, under the number that was told; in order for each writer; no number missing.
    fn check(dir: &Path, session: &Session, acknowledged: &[(u64, String)], faults: &mut Vec<String>) {
        let key = session.key();
        let mut fault = |what: String| faults.push(format!("{key}: {what}"));
        let mut found: HashMap<String, u64> = HashMap::new();
        let mut last: HashMap<String, (u64, u64)> = HashMap::new();
        let mut messages = session.removed_messages().unwrap();
        let transcript = session.transcript().unwrap();
        if !transcript.report.gaps.is_empty() || transcript.report.repeated + transcript.report.disordered > 0
        {
            fault(format!("{:?}", transcript.report.gaps));
        }
        let in_log: Vec<_> = transcript.messages().cloned().collect();
        let kept = in_log.first().map_or(u64::MAX, annals_session::Message::seq);
        messages.retain(|message| message.seq() < kept);
        messages.extend(in_log);
        for message in &messages {
            let text = message.text().into_owned();
            let name = text.rsplit_once(':').unwrap().0.to_owned();
            let (writer, number) = name.split_once(':').unwrap();
            let now = (message.seq(), number.parse().unwrap());
            if let Some(before) = last.insert(writer.to_owned(), now)
                && (before.0 >= now.0 || before.1 >= now.1)
            {
                fault(format!("{writer}: {now:?} behind {before:?}"));
            }
            if found.insert(name.clone(), message.seq()).is_some() {
                fault(format!("{name} is there twice"));
            }
        }
        for (seq, name) in acknowledged {
            if found.get(name) != Some(seq) {
                fault(format!("{name} was acknowledged as {seq}, found {:?}", found.get(name)));
            }
        }
        let mut numbers = BTreeSet::new();
        let parts = session.removed().unwrap().into_iter().chain(session.path().unwrap());
        for path in parts {
            for line in fs::read(path).unwrap().split(|byte| *byte == b'\n') {
                if let Ok(record) = serde_json::from_slice::<Value>(line) {
                    numbers.insert(record["seq"].as_u64().unwrap());
                }
            }
        }
        if let (Some(first), Some(last)) = (numbers.first(), numbers.last())
            && (*first > 0 || *last + 1 != numbers.len() as u64)
        {
            fault(format!("{} numbers from {first} to {last}", numbers.len()));
        }
        // The next one is safe, whatever the dead left.
        if dir.join(format!("{}.jsonl", encode_key(key))).exists() {
            let seq = session.say("user", "9.9:0:next").unwrap();
            let tail = session.tail(1).unwrap();
            if tail.messages.last().map(annals_session::Message::seq) != Some(seq) {
                fault("the next message is not the last".to_owned());
            }
        }
    }

    pub(crate) fn acknowledged_messages_survive() {
        let rounds = std::env::var("ANNALS_CRASH_ROUNDS").map_or(50, |rounds| rounds.parse().unwrap());
        let (mut acknowledged, mut compacted) = (0, 0);
        for number in 0..rounds {
            let round = round(number, "whole");
            assert!(round.faults.is_empty(), "round {number}: {:#?}", round.faults);
            assert!(round.acknowledged > 0, "nothing was written in round {number}");
            acknowledged += round.acknowledged;
            compacted += round.compacted;
        }
        assert!(compacted > 0, "nothing was compacted");
        println!("{rounds} rounds, {compacted} compactions, {acknowledged} messages acknowledged, 0 lost");
    }

    pub(crate) fn the_control_is_caught() {
        let mut caught = 0;
        for number in 0..10 {
            let round = round(number, "broken");
            caught += usize::from(!round.faults.is_empty());
        }
        assert!(caught > 0, "the harness has missed a writer that numbers without the lock");
        println!("control: caught in {caught} of 10 rounds");
    }
}
