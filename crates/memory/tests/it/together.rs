//! Do threads and readers get along?

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use annals_memory::{Durability, Filter, NewItem};

use crate::support::Place;

#[test]
fn threads_share_a_memory_and_every_id_is_one_items() {
    let place = Place::new();
    let memory = place.options().durability(Durability::SyncData).open(&place.path).unwrap();
    let is_done = AtomicBool::new(false);
    let ids: Vec<(u64, String)> = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut looks = 0;
            while !is_done.load(Ordering::Relaxed) {
                for item in memory.active(&Filter::new()).unwrap() {
                    assert!(item.content.starts_with("thread"));
                }
                let view = place.view();
                assert!(
                    view.active(&Filter::new())
                        .unwrap()
                        .iter()
                        .all(|item| item.content.starts_with("thread"))
                );
                looks += 1;
            }
            looks
        });
        let writers: Vec<_> = (0..4)
            .map(|thread| {
                let memory = &memory;
                scope.spawn(move || {
                    (0..60)
                        .map(|n| {
                            let text = format!("thread {thread} item {n}");
                            let id = memory.add(&NewItem::fact(&text)).unwrap().id();
                            assert_eq!(memory.get(id).unwrap().unwrap().content, text, "read what you wrote");
                            if n % 3 == 0 {
                                assert_eq!(memory.forget(id).unwrap().unwrap().content, text);
                                assert_eq!(memory.get(id).unwrap(), None);
                            }
                            (id, text)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let ids = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        is_done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
        ids
    });
    assert_eq!(ids.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len(), 240);
    assert_eq!(memory.count().unwrap(), 160);
    drop(memory);
    let view = place.view();
    for (id, text) in ids {
        if let Some(item) = view.get(id).unwrap() {
            assert_eq!(item.content, text);
        }
    }
    assert_eq!(view.count(), 160);
}

#[test]
fn threads_that_ask_for_duplicates_add_one() {
    let place = Place::new();
    let memory = place.open();
    let ids: BTreeSet<u64> = thread::scope(|scope| {
        let adders: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| memory.add(&NewItem::fact("the same").unless_known()).unwrap().id()))
            .collect();
        adders.into_iter().map(|adder| adder.join().unwrap()).collect()
    });
    assert_eq!(ids.len(), 1);
    assert_eq!(memory.count().unwrap(), 1);
}

/// Somebody who respects no lock appends all the same: what they wrote is there, and no id is given out twice.
#[test]
fn what_a_stranger_appends_is_seen() {
    use std::io::Write;
    let place = Place::new();
    let memory = place.open();
    memory.add(&NewItem::fact("ours")).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&place.path).unwrap();
    writeln!(file, r#"{{"id":2,"ts":"2026-11-20T08:00:00Z","kind":"fact","content":"theirs"}}"#).unwrap();
    writeln!(file, r#"{{"id":3,"ts":"2026-11-20T08:00:00Z","kind":"forget","target":1}}"#).unwrap();
    assert_eq!(memory.add(&NewItem::fact("ours again")).unwrap().id(), 4);
    assert_eq!(memory.get(1).unwrap(), None);
    assert_eq!(memory.get(2).unwrap().unwrap().content, "theirs");
    // And what they tore.
    write!(file, r#"{{"id":5,"ts":"2026-11-20T08:00"#).unwrap();
    let next = memory.add(&NewItem::fact("and again")).unwrap().id();
    assert_eq!(next, 5, "a torn record's id was told to nobody");
    drop(memory);
    assert_eq!(place.open().count().unwrap(), 3);
}
