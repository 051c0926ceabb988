//! Is what was remembered still there, once and under its own id, and is what was forgotten still gone, when the one writer
//! is killed while its threads add, forget, replace and compact, and the next goes on?
//!
//! This program is both the test and the writers: called with `writer …` it writes until it is killed and says on
//! standard output what it is about to do, and what was acknowledged. The negative control is a writer as many
//! programs have it: plain `O_APPEND`, and compaction in place; the same harness has to catch it.

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
        (
            "kill::what_was_acknowledged_survives_the_death_of_the_writer",
            unix::what_was_acknowledged_survives,
        ),
        ("kill::the_harness_catches_a_writer_that_compacts_in_place", unix::the_control_is_caught),
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
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs::{self, File, OpenOptions};
    use std::io::{Read, Write};
    use std::path::Path;
    use std::process::{Command, ExitCode, Stdio};
    use std::thread;
    use std::time::Duration;

    use annals_memory::{Durability, Filter, Memory, MemoryOptions, NewItem};
    use serde_json::{Value, json};

    const THREADS: u64 = 4;
    /// Writers that are killed one after the other in each round.
    const GENERATIONS: u64 = 3;

    /// Numbers that look random and are the same in each run.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }
    }

    /// One write, so that a line is there whole or not at all.
    fn say(line: String) {
        std::io::stdout().lock().write_all((line + "\n").as_bytes()).unwrap();
    }

    fn content(name: &str, dice: &mut Dice) -> String {
        let len = [5, 200, 4000, 9000][dice.roll(4) as usize];
        format!("{name}:{}", "x".repeat(len))
    }

    /// Writes until it is killed.
    pub(crate) fn write(args: &[String]) -> ExitCode {
        let [path, generation, mode] = args else { return ExitCode::FAILURE };
        let generation: u64 = generation.parse().unwrap();
        let path = Path::new(path);
        if mode == "broken" {
            write_in_place(path, generation);
        }
        // Half of them wait for the device.
        let durability = if generation.is_multiple_of(2) { Durability::Buffer } else { Durability::SyncData };
        // The one before is dead, but the kernel may not have noticed.
        let options = MemoryOptions::new().durability(durability).wait(Duration::from_secs(5));
        let memory = options.open(path).unwrap();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let memory = &memory;
                scope.spawn(move || {
                    work(memory, &format!("{generation}.{thread}"), &mut Dice(generation * 100 + thread))
                });
            }
        });
        ExitCode::SUCCESS
    }

    fn work(memory: &Memory, name: &str, dice: &mut Dice) {
        let mut mine: Vec<u64> = Vec::new();
        for number in 0_u64.. {
            let name = format!("{name}.{number}");
            match dice.roll(10) {
                0 | 1 if !mine.is_empty() => {
                    let id = mine.swap_remove(dice.roll(mine.len() as u64) as usize);
                    say(format!("doom {id}"));
                    assert!(memory.forget(id).unwrap().is_some());
                    say(format!("forgot {id}"));
                }
                2 if !mine.is_empty() => {
                    let id = mine.swap_remove(dice.roll(mine.len() as u64) as usize);
                    say(format!("doom {id}"));
                    let new = memory.supersede(id, &NewItem::pref(content(&name, dice))).unwrap();
                    say(format!("forgot {id}"));
                    say(format!("added {new} {name}"));
                    mine.push(new);
                }
                3 if dice.roll(4) == 0 => drop(memory.compact().unwrap()),
                4 => drop(memory.active(&Filter::new().limit(5)).unwrap()),
                _ => {
                    let id = memory.add(&NewItem::fact(content(&name, dice))).unwrap().id();
                    say(format!("added {id} {name}"));
                    mine.push(id);
                }
            }
        }
    }

    /// What a program does that knows of nothing.
    fn write_in_place(path: &Path, generation: u64) {
        let mut dice = Dice(generation);
        for number in 0_u64.. {
            let name = format!("{generation}.0.{number}");
            let bytes = fs::read(path).unwrap_or_default();
            let records: Vec<Value> = bytes
                .split(|byte| *byte == b'\n')
                .filter_map(|line| serde_json::from_slice(line).ok())
                .collect();
            if dice.roll(4) == 0 {
                let mut file = File::create(path).unwrap();
                for record in &records {
                    writeln!(file, "{record}").unwrap();
                }
                continue;
            }
            let id = records.iter().filter_map(|record| record["id"].as_u64()).max().unwrap_or(0) + 1;
            let line = json!({"id": id, "ts": "2026-11-20T08:00:00Z", "kind": "fact", "content": content(&name, &mut dice)});
            let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all(format!("{line}\n").as_bytes()).unwrap();
            say(format!("added {id} {name}"));
        }
    }

    #[derive(Default)]
    struct Told {
        added: BTreeMap<u64, String>,
        doomed: BTreeSet<u64>,
        forgotten: BTreeSet<u64>,
        faults: Vec<String>,
    }

    impl Told {
        fn hear(&mut self, text: &str) {
            // The last line may be torn.
            for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
                match line.split(' ').collect::<Vec<_>>()[..] {
                    ["added", id, name] => {
                        let id = id.parse().unwrap();
                        if let Some(before) = self.added.insert(id, name.to_owned()) {
                            self.faults.push(format!("{id} was given to {before} and to {name}"));
                        }
                    }
                    ["doom", id] => drop(self.doomed.insert(id.parse().unwrap())),
                    ["forgot", id] => drop(self.forgotten.insert(id.parse().unwrap())),
                    _ => panic!("{line}"),
                }
            }
        }

        fn check(&mut self, path: &Path) {
            let view = match MemoryOptions::new().view(path) {
                Ok(view) => view,
                Err(error) => return self.faults.push(error.to_string()),
            };
            let active: BTreeMap<u64, String> = view
                .active(&Filter::new())
                .unwrap()
                .into_iter()
                .map(|item| (item.id, item.content))
                .collect();
            let name_of = |content: &str| content.split_once(':').unwrap().0.to_owned();
            for (id, name) in &self.added {
                match active.get(id) {
                    Some(_) if self.forgotten.contains(id) => self.faults.push(format!("{id} is back")),
                    Some(content) if name_of(content) != *name => {
                        self.faults.push(format!("{id} is {} instead of {name}", name_of(content)));
                    }
                    None if !self.doomed.contains(id) => self.faults.push(format!("{id} ({name}) is lost")),
                    _ => {}
                }
            }
            let names: BTreeSet<String> = active.values().map(|content| name_of(content)).collect();
            if names.len() != active.len() {
                self.faults.push(String::from("an item is there twice"));
            }
        }
    }

    fn round(number: u64, mode: &str) -> Told {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.jsonl");
        let mut told = Told::default();
        let mut dice = Dice(number);
        for generation in 0..GENERATIONS {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["writer", path.to_str().unwrap(), &(number * 10 + generation).to_string(), mode])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut out = child.stdout.take().unwrap();
            let reader = thread::spawn(move || {
                let mut text = Vec::new();
                out.read_to_end(&mut text).unwrap();
                String::from_utf8(text).unwrap()
            });
            thread::sleep(Duration::from_millis(15 + dice.roll(30)));
            // One that has ended by itself has failed.
            if child.try_wait().unwrap().is_some() {
                told.faults.push(format!("the writer of generation {generation} failed"));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            told.hear(&reader.join().unwrap());
            if path.exists() {
                told.check(&path);
            }
        }
        told
    }

    pub(crate) fn what_was_acknowledged_survives() {
        let rounds = std::env::var("ANNALS_CRASH_ROUNDS").map_or(70, |rounds| rounds.parse().unwrap());
        let (mut added, mut forgotten) = (0, 0);
        for number in 0..rounds {
            let told = round(number, "whole");
            assert!(told.faults.is_empty(), "round {number}: {:#?}", told.faults);
            added += told.added.len();
            forgotten += told.forgotten.len();
        }
        assert!(added > 0 && forgotten > 0, "nothing was written");
        let kills = rounds * GENERATIONS;
        println!("{kills} kills, {added} items acknowledged, 0 lost; {forgotten} forgotten, 0 back");
    }

    pub(crate) fn the_control_is_caught() {
        // Whether a round hits the moment is chance: about one in two does.
        let rounds = (1..=60).find(|number| !round(*number, "broken").faults.is_empty());
        let Some(rounds) = rounds else { panic!("the harness has missed a writer that compacts in place") };
        println!("control: caught in round {rounds}");
    }
}
