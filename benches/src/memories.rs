//! Memories and approvals, beside reading all lines for each question.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use annals_memory::{Durability, Filter, MemoryOptions, NewItem};
use annals_trust::{Digest, Trust, Verdict};
use serde_json::Value;

use annals_benches::corpus::{Random, Size};
use annals_benches::measure::{Table, Target, Work, side};

use crate::approvals::Approvals;

pub(crate) fn run(folder: &Path, size: Size, table: &mut Table) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let counts: &[(u64, &str)] = match size {
        Size::Least => &[(1_000, "1,000")],
        Size::Quick => &[(20_000, "20,000")],
        Size::Full => &[(100_000, "100,000"), (1_000_000, "1,000,000")],
    };
    for (count, name) in counts {
        open(&folder, *count, name, table);
    }
    add(&folder, size, table);
    for (count, name) in [(10, "10"), (10_000, "10,000")] {
        check(&folder, count, name, table);
    }
}

/// What a look at a memory answers: how many items are active, and the newest of them.
type Answer = (usize, Vec<u64>);

fn open(folder: &Path, count: u64, name: &str, table: &mut Table) {
    let jobs =
        [format!("memory open, {name} items, cold"), format!("memory open, {name} items, with checkpoint")];
    if !jobs.iter().any(|job| table.wants(job)) {
        return;
    }
    let path = folder.join(format!("memory-{count}.jsonl"));
    let memory = MemoryOptions::new().durability(Durability::Buffer).open(&path).unwrap();
    let mut random = Random(11);
    for start in (0..count).step_by(10_000) {
        let items: Vec<NewItem> = (start..count.min(start + 10_000))
            .map(|n| {
                let text = format!(
                    "fact {n}: the relay on buoy {} delays {} packets",
                    random.below(90),
                    random.below(1000)
                );
                NewItem::fact(text).tag("ops").source("remember")
            })
            .collect();
        memory.add_all(&items).unwrap();
        // One in twenty is forgotten.
        for _ in 0..items.len() / 20 {
            memory.forget(1 + random.below(start as usize + 1) as u64).unwrap();
        }
    }
    memory.close().unwrap();
    let ours = |checkpoint: bool| -> Answer {
        let view = MemoryOptions::new().checkpoint(checkpoint).view(&path).unwrap();
        let newest = view.active(&Filter::new().limit(50)).unwrap();
        (view.count(), newest.iter().map(|item| item.id).collect())
    };
    let naive = || naive(&path);
    let [cold, warm] = jobs;
    let target = |wanted| Target::AtLeast(wanted);
    table.compare(
        &cold,
        Work::Records(count),
        side("ours", || ours(false)),
        side("naive fold", naive),
        target(4.0),
    );
    table.compare(
        &warm,
        Work::Records(count),
        side("ours", || ours(true)),
        side("naive fold", naive),
        target(50.0),
    );
}

/// All lines into a map, the tombstones into a set, and the rest sorted.
fn naive(path: &Path) -> Answer {
    let (mut items, mut killed) = (HashMap::new(), HashSet::new());
    for line in BufReader::new(File::open(path).unwrap()).lines() {
        let value: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let Some(id) = value["id"].as_u64() else { continue };
        if value["kind"] == "forget" {
            killed.insert(value["target"].as_u64().unwrap());
        } else {
            items.insert(id, value);
        }
    }
    items.retain(|id, _| !killed.contains(id));
    let mut sorted: Vec<(&str, u64)> =
        items.iter().map(|(id, item)| (item["ts"].as_str().unwrap(), *id)).collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    (sorted.len(), sorted.iter().take(50).map(|(_, id)| *id).collect())
}

fn add(folder: &Path, size: Size, table: &mut Table) {
    let counts: &[u64] = match size {
        Size::Least | Size::Quick => &[1000],
        Size::Full => &[1000, 1_000_000],
    };
    for before in counts {
        let job = format!("memory add durable, behind {before}");
        if !table.wants(&job) {
            continue;
        }
        let times = 200;
        let path = folder.join(format!("add-{before}.jsonl"));
        let memory = MemoryOptions::new().open(&path).unwrap();
        let items: Vec<NewItem> = (0..*before).map(|n| NewItem::fact(format!("fact {n}"))).collect();
        memory.add_all(&items).unwrap();
        let item = NewItem::fact("the relay on buoy 19 delays packets").tag("ops");
        let bare = folder.join("bare.jsonl");
        let line = r#"{"id":1000000,"ts":"2026-11-20T08:00:00Z","kind":"fact","content":"the relay on buoy 19 delays packets","tags":["ops"],"crc32":"00000000"}"#;
        table.compare(
            &job,
            Work::Records(times),
            side("ours", || {
                for _ in 0..times {
                    assert!(memory.add(&item).unwrap().id() > *before);
                }
                times
            }),
            side("write and fdatasync", || {
                let mut file = OpenOptions::new().create(true).append(true).open(&bare).unwrap();
                for _ in 0..times {
                    file.write_all(format!("{line}\n").as_bytes()).unwrap();
                    file.sync_data().unwrap();
                }
                times
            }),
            Target::TimeAtMost(1.1),
        );
    }
}

fn check(folder: &Path, count: u64, name: &str, table: &mut Table) {
    let job = format!("trust check, {name} approvals");
    if !table.wants(&job) {
        return;
    }
    let Approvals { store, file } = Approvals::write(&folder.join(format!("trust-{count}")), count);
    let trust = Trust::open(&store);
    let times = 50;
    table.compare(
        &job,
        Work::Records(times),
        side("ours", || {
            (0..times).filter(|_| matches!(trust.check(&file).unwrap(), Verdict::Allowed(_))).count()
        }),
        side("linear scan", || {
            (0..times)
                .filter(|_| {
                    let found = Digest::of(&fs::read(&file).unwrap()).to_string();
                    let lines = BufReader::new(File::open(&store).unwrap()).lines();
                    let mut entries =
                        lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
                    entries.any(|entry| entry["path"] == file.to_str().unwrap() && entry["sha256"] == *found)
                })
                .count()
        }),
        // Of ten lines there is nothing to skip: looking at who can change what costs more than reading them.
        if count > 10 { Target::AtLeast(20.0) } else { Target::AtLeast(0.1) },
    );
}
