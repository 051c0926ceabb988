//! Does one agent's session stay one session, and is every acknowledged event there, when eight processes observe the same
//! sessions and are killed while they do?
//!
//! This program is both the test and the observers: called with `observer …` it observes, and says on standard output
//! what was acknowledged. The negative control is an observer that looks and appends without a lock in
//! between; the same harness has to catch it.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use annals_catalog::{
    Catalog, CatalogOptions, Durability, Event, Observation, Op, Outcome, Projection, Rules, Seen,
    Thresholds, id,
};
use libtest_mimic::{Arguments, Trial};

const PROCESSES: u64 = 8;
const OBSERVATIONS: u64 = 200;
/// Every third is killed before it is through.
const KILLED: u64 = 3;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "observer") {
        return observe(&args[1..]);
    }
    let tests: [(&str, fn()); 2] = [
        ("kill::one_agents_session_stays_one_session", one_agents_session_stays_one),
        ("kill::the_harness_catches_an_observer_without_a_lock", the_control_is_caught),
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

/// One write, so that a line is there whole or not at all.
fn say(line: String) {
    std::io::stdout().lock().write_all((line + "\n").as_bytes()).unwrap();
}

fn observe(args: &[String]) -> ExitCode {
    let [root, seed, mode] = args else { return ExitCode::FAILURE };
    let seed: u64 = seed.parse().unwrap();
    // Half of them wait for the device.
    let durability = if seed.is_multiple_of(2) { Durability::Buffer } else { Durability::SyncData };
    let options =
        CatalogOptions::new().durability(durability).wait(Duration::from_secs(60)).cache_above(Some(0));
    let mut catalog = options.open(root);
    for number in 0..OBSERVATIONS {
        let name = format!("agent-{}", (number * 7 + seed * 3) % OBSERVATIONS);
        if mode == "broken" {
            observe_without_a_lock(&catalog, &name);
            continue;
        }
        let seen = catalog.observe(&Observation::new(&name).cwd("/src")).unwrap();
        say(format!("saw {name} {} {}", seen.stable_id, seen.event.event_id.unwrap()));
        match number % 20 {
            3 => {
                let event = catalog.set_alias(&seen.stable_id, Some(&name)).unwrap();
                say(format!("wrote {}", event.event_id.unwrap()));
            }
            7 => {
                let event = catalog.close(&seen.stable_id, Outcome::Done, None).unwrap();
                say(format!("wrote {}", event.event_id.unwrap()));
            }
            11 => drop(catalog.sweep(Thresholds::default(), |_| None).unwrap()),
            13 => catalog = options.open(root),
            17 => drop(catalog.rebuild().unwrap()),
            _ => {}
        }
    }
    ExitCode::SUCCESS
}

/// What a program does that knows of nothing.
fn observe_without_a_lock(catalog: &Catalog, name: &str) {
    let known = catalog
        .projection()
        .unwrap()
        .sessions()
        .find(|session| session.claude_session_ids.iter().any(|id| id == name))
        .map(|session| session.stable_id.clone());
    let now = std::time::SystemTime::now();
    let stable_id = known.unwrap_or_else(|| id::new_session_id(now));
    let op = Op::Seen(Box::new(Seen { claude_session_id: Some(name.into()), ..Seen::default() }));
    let event_id = id::new_event_id(now);
    let event = Event {
        ts: "2026-11-20T08:00:00.000Z".into(),
        event_id: Some((&*event_id).into()),
        stable_id: stable_id.into(),
        op,
    };
    let line = serde_json::to_string(&event).unwrap() + "\n";
    let mut file = OpenOptions::new().append(true).create(true).open(catalog.log_path()).unwrap();
    file.write_all(line.as_bytes()).unwrap();
    say(format!("saw {name} {} {event_id}", event.stable_id));
}

/// What the observers have said.
#[derive(Default)]
struct Told {
    /// The sessions that each agent's session was taken for.
    sessions: BTreeMap<String, BTreeSet<String>>,
    events: Vec<String>,
}

impl Told {
    fn hear(&mut self, text: &str) {
        // The last line may be torn.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["saw", name, session, event] => {
                    self.sessions.entry(name.to_owned()).or_default().insert(session.to_owned());
                    self.events.push(event.to_owned());
                }
                ["wrote", event] => self.events.push(event.to_owned()),
                _ => panic!("{line}"),
            }
        }
    }

    fn faults(&self, root: &Path) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, sessions) in self.sessions.iter().filter(|(_, sessions)| sessions.len() > 1) {
            faults.push(format!("{name} is {sessions:?}"));
        }
        let catalog = CatalogOptions::new().cache_above(Some(0)).open(root);
        let log = std::fs::read(catalog.log_path()).unwrap();
        let events: Vec<Event<'_>> = log.split(|byte| *byte == b'\n').filter_map(Event::parse).collect();
        let mut there: BTreeMap<&str, u64> = BTreeMap::new();
        for event in &events {
            *there.entry(event.event_id.as_deref().unwrap()).or_default() += 1;
        }
        for event in &self.events {
            if there.get(&**event) != Some(&1) {
                faults.push(format!("{event} is there {:?} times", there.get(&**event)));
            }
        }
        let fold = Projection::fold(Rules::Annals, &events);
        let (whole, report) = catalog.verify().unwrap();
        if !report.is_clean() && report.torn == 0 {
            faults.push(format!("{report:?}"));
        }
        if catalog.projection().unwrap() != fold || whole != fold {
            faults.push("the projection is not the fold".to_owned());
        }
        let mut agents = BTreeSet::new();
        for session in fold.sessions() {
            for agent in &session.claude_session_ids {
                if !agents.insert(agent.clone()) {
                    faults.push(format!("{agent} is two sessions"));
                }
            }
        }
        faults
    }
}

fn start(root: &Path, seed: u64, mode: &str) -> (Child, JoinHandle<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["observer", root.to_str().unwrap(), &seed.to_string(), mode])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        out.read_to_end(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    });
    (child, reader)
}

fn round(number: u64, mode: &str) -> (Told, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    let mut failed = Vec::new();
    let observers: Vec<_> =
        (0..PROCESSES).map(|index| start(folder.path(), number * 100 + index, mode)).collect();
    for (index, (mut child, reader)) in (0..).zip(observers) {
        if index % KILLED == 0 {
            thread::sleep(Duration::from_millis(5 + (number * 13 + index * 7) % 40));
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        if index % KILLED != 0 && !status.success() {
            failed.push(format!("observer {index} failed"));
        }
        told.hear(&reader.join().unwrap());
    }
    failed.extend(told.faults(folder.path()));
    (told, failed)
}

fn one_agents_session_stays_one() {
    let rounds = std::env::var("ANNALS_CRASH_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap());
    let (mut events, mut kills) = (0, 0);
    for number in 0..rounds {
        let (told, faults) = round(number, "whole");
        assert!(faults.is_empty(), "round {number}: {faults:#?}");
        events += told.events.len();
        kills += PROCESSES.div_ceil(KILLED);
    }
    assert!(events > 0, "nothing was written");
    println!(
        "{kills} of {} processes killed, {events} events acknowledged, 0 lost, no session twice",
        rounds * PROCESSES
    );
}

fn the_control_is_caught() {
    let rounds = (1..=20).find(|number| !round(*number, "broken").1.is_empty());
    let Some(rounds) = rounds else { panic!("the harness has missed an observer that takes no lock") };
    println!("control: caught in round {rounds}");
}
