//! What one byte, session, item or record costs as there are more of them: flat where it should be flat.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use annals_benches::corpus::{self, Random, Size, Turn};
use annals_benches::measure::median;
use annals_benches::saved;
use annals_catalog::{CatalogOptions, Observation};
use annals_memory::{Filter, MemoryOptions, NewItem};
use annals_session::{ListOptions, StoreOptions};
use jsonl_core::{Durability, Log, WriteOptions};

/// One job at several sizes.
struct Growth {
    job: &'static str,
    /// `GB/s` or `µs`.
    unit: &'static str,
    /// How many there are, and the figure.
    points: Vec<(String, f64)>,
}

impl Growth {
    fn new(job: &'static str, unit: &'static str) -> Self {
        Self { job, unit, points: Vec::new() }
    }
}

pub(crate) fn run(folder: &Path, size: Size, is_saved: bool) {
    let growths: Vec<Growth> = [
        logs(folder, size),
        sessions(folder, size),
        memories(folder, size),
        catalogs(folder, size),
        threads(folder, size),
    ]
    .into_iter()
    .flatten()
    .collect();
    let text = text(&growths);
    println!("{text}");
    if is_saved {
        saved::put("growth", &text);
    }
}

fn text(growths: &[Growth]) -> String {
    let mut text = String::new();
    for growth in growths {
        let points: Vec<String> =
            growth.points.iter().map(|(count, figure)| format!("{count:>9}: {figure:<9.2}")).collect();
        let line = format!("{:<32} {:<5} {}", growth.job, growth.unit, points.join(" "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The median of a few runs, in seconds, after one that isn't counted.
fn timed(rounds: usize, mut work: impl FnMut()) -> f64 {
    work();
    median((0..rounds).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    }))
}

fn logs(folder: &Path, size: Size) -> Vec<Growth> {
    let lens: &[u64] = match size {
        Size::Least | Size::Quick => &[1, 16],
        Size::Full => &[1, 16, 256, 1024, 4096],
    };
    let program = crate::agents::program();
    let mut growths = vec![
        Growth::new("scan", "GB/s"),
        Growth::new("verify JSON in full", "GB/s"),
        Growth::new("load typed, folded", "GB/s"),
        Growth::new("tail 50", "µs"),
        Growth::new("annals search, absent word", "GB/s"),
    ];
    for mib in lens {
        let path = corpus::chat(folder, mib << 20);
        let len = fs::metadata(&path).unwrap().len();
        let rounds = if *mib > 256 { 3 } else { 7 };
        let rate = |seconds: f64| len as f64 / seconds / 1e9;
        let open = || Log::open(&path).unwrap();
        let figures = [
            rate(timed(rounds, || {
                open().chunks(|_| (), |(), _| ControlFlow::Continue(())).unwrap();
            })),
            rate(timed(rounds, || assert!(open().verify().unwrap().is_clean()))),
            rate(timed(rounds, || {
                let add = |sum: &mut usize, turn: &Turn| *sum += turn.content.len();
                let (sum, _) =
                    open().fold(|| 0, |sum, record| add(sum, &record.value), |a, b| a + b).unwrap();
                assert!(sum > 0);
            })),
            timed(rounds, || assert_eq!(open().tail::<Turn>(50).unwrap().records.len(), 50)) * 1e6,
            rate(timed(rounds, || {
                let found = Command::new(&program).arg("search").arg("zyzzyva").arg(&path).output().unwrap();
                assert_eq!(found.status.code(), Some(1));
            })),
        ];
        for (growth, figure) in growths.iter_mut().zip(figures) {
            growth.points.push((format!("{mib} MB"), figure));
        }
    }
    growths
}

fn sessions(folder: &Path, size: Size) -> Vec<Growth> {
    let counts: &[u64] = match size {
        Size::Least | Size::Quick => &[1, 100],
        Size::Full => &[1, 100, 10_000, 100_000],
    };
    let mut list = Growth::new("list newest 50, per session", "µs");
    let mut append = Growth::new("append to one, buffered", "µs");
    for count in counts {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let store = StoreOptions::new().durability(Durability::Buffer).open(folder.path()).unwrap();
        for number in 0..*count {
            let session = store.session(&format!("chat:{number}")).unwrap();
            session.say("user", &format!("Question {number}: is the ferry on time?")).unwrap();
            session.say("assistant", "Six minutes late.").unwrap();
        }
        let options = ListOptions::new().limit(50);
        let seconds = timed(5, || {
            let found = store.list(&options).unwrap().sessions.len() as u64;
            assert_eq!(found, 50.min(*count));
        });
        list.points.push((count.to_string(), seconds * 1e6 / *count as f64));
        let session = store.session("chat:0").unwrap();
        let seconds = timed(5, || {
            for _ in 0..1000 {
                session.say("user", "And the next one?").unwrap();
            }
        });
        append.points.push((count.to_string(), seconds * 1e3));
    }
    vec![list, append]
}

fn memories(folder: &Path, size: Size) -> Vec<Growth> {
    let counts: &[u64] = match size {
        Size::Least | Size::Quick => &[1, 1_000],
        Size::Full => &[1, 1_000, 100_000, 1_000_000],
    };
    let mut open = Growth::new("memory open, cold, per item", "µs");
    let mut add = Growth::new("memory add, durable", "µs");
    for count in counts {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let path = folder.path().join("memory.jsonl");
        let memory = MemoryOptions::new().open(&path).unwrap();
        for start in (0..*count).step_by(10_000) {
            let items: Vec<NewItem> = (start..(*count).min(start + 10_000))
                .map(|n| NewItem::fact(format!("fact {n}: the relay on buoy 19 delays packets")).tag("ops"))
                .collect();
            memory.add_all(&items).unwrap();
        }
        let seconds = timed(5, || {
            let view = MemoryOptions::new().checkpoint(false).view(&path).unwrap();
            let newest = view.active(&Filter::new().limit(50)).unwrap().len() as u64;
            assert_eq!((view.count() as u64, newest), (*count, 50.min(*count)));
        });
        open.points.push((count.to_string(), seconds * 1e6 / *count as f64));
        let item = NewItem::fact("the relay on buoy 7 is new");
        let seconds = timed(5, || {
            for _ in 0..100 {
                memory.add(&item).unwrap();
            }
        });
        add.points.push((count.to_string(), seconds * 1e4));
    }
    vec![open, add]
}

fn catalogs(folder: &Path, size: Size) -> Vec<Growth> {
    let counts: &[u64] = match size {
        Size::Least | Size::Quick => &[100],
        Size::Full => &[100, 10_000, 100_000],
    };
    let mut event = Growth::new("catalog event, durable", "µs");
    let mut rebuild = Growth::new("catalog rebuild, per session", "µs");
    for count in counts {
        let folder = tempfile::tempdir_in(folder).unwrap();
        crate::catalogs::write_log(folder.path(), *count, 3 * count);
        let catalog = CatalogOptions::new().open(folder.path());
        let seconds = timed(3, || assert_eq!(catalog.verify().unwrap().0.len() as u64, *count));
        rebuild.points.push((count.to_string(), seconds * 1e6 / *count as f64));
        catalog.rebuild().unwrap();
        let mut number = 0;
        let seconds = timed(5, || {
            for _ in 0..100 {
                number += 1;
                let seen = Observation::new(format!("new-{number}")).cwd("/home/u/src");
                catalog.observe(&seen).unwrap();
            }
        });
        event.points.push((count.to_string(), seconds * 1e4));
    }
    vec![event, rebuild]
}

fn threads(folder: &Path, size: Size) -> Vec<Growth> {
    let count = if size == Size::Full { 2_048 } else { 64 };
    let mut append = Growth::new("append, synced, by threads", "µs");
    let mut random = Random(3);
    let turns: Vec<Turn> = (0..count).map(|n| corpus::turn(&mut random, n, 60)).collect();
    for threads in [1, 2, 4, 8, 16, 32, 64] {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let path = folder.path().join("log.jsonl");
        let log = WriteOptions::new().create(true).durability(Durability::SyncData).open(&path).unwrap();
        let seconds = timed(5, || {
            thread::scope(|scope| {
                for thread in 0..threads {
                    let (log, turns) = (&log, &turns);
                    scope.spawn(move || {
                        turns
                            .iter()
                            .skip(thread)
                            .step_by(threads)
                            .for_each(|turn| assert!(log.append(turn).is_ok()));
                    });
                }
            });
        });
        append.points.push((threads.to_string(), seconds * 1e6 / count as f64));
    }
    vec![append]
}
