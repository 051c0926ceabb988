//! Whatever is in a memory's log: every way of reading it agrees, no id is given out twice, what is forgotten afterwards stays
//! forgotten, and a loss that was accepted is not asked about again.
//!
//! The first bytes are orders to spoil a real log; the rest goes in as it is.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use annals_fuzz::{orders, spoil};
use annals_memory::{Durability, Filter, Item, MemoryOptions, NewItem, Render, View};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("memory.jsonl");
    let options = || MemoryOptions::new().durability(Durability::Buffer);
    let (orders, rest) = orders(bytes);
    let memory = options().checksum(rest.len() % 2 == 0).open(&path).expect("open");
    for n in 0..5 {
        memory.add(&NewItem::fact(format!("fact {n}")).tag("t")).expect("add");
    }
    memory.forget(2).expect("forget");
    memory.supersede(3, &NewItem::pref("new")).expect("supersede");
    if rest.len() % 3 == 0 {
        memory.compact().expect("compact");
        memory.add(&NewItem::context("last")).expect("add");
    }
    memory.close().expect("close");
    let whole = fs::read(&path).expect("read");
    let log = spoil(&whole, orders, rest);
    fs::write(&path, &log).expect("write");

    let before = look(&path, 1);
    assert_eq!(before, look(&path, 3));
    // A line that is none sends the others the slow way.
    if log.last().is_none_or(|byte| *byte == b'\n') {
        let slow = folder.path().join("slow.jsonl");
        fs::write(&slow, [&log[..], b"no record\n"].concat()).expect("write");
        assert_eq!(before, look(&slow, 1));
    }

    // Only a memory that is full, or a header of a version to come, can't be continued.
    let Ok(memory) = options().accept_loss(true).open(&path) else { return };
    let at_once = items(&memory.active(&Filter::new()).expect("active"));
    let Ok(added) = memory.add(&NewItem::fact("after")) else { return };
    assert!(!at_once.contains_key(&added.id()) && !before.contains_key(&added.id()));
    let victim = at_once.keys().next().copied();
    if let Some(victim) = victim {
        assert!(memory.forget(victim).expect("forget").is_some());
    }
    let after = items(&memory.active(&Filter::new()).expect("active"));
    assert_eq!(after.get(&added.id()).map(String::as_str), Some("after"));
    assert!(victim.is_none_or(|victim| !after.contains_key(&victim)));
    assert_eq!(after.len(), at_once.len() + 1 - usize::from(victim.is_some()));
    memory.close().expect("close");
    let view = options().view(&path).expect("the loss was accepted");
    assert_eq!(items(&view.active(&Filter::new()).expect("active")), after);
    let memory = options().open(&path).expect("open");
    memory.compact().expect("compact");
    assert_eq!(items(&memory.active(&Filter::new()).expect("active")), after);
    let next = memory.add(&NewItem::fact("next")).expect("add").id();
    assert!(next > added.id());
});

fn items(items: &[Item]) -> BTreeMap<u64, String> {
    items.iter().map(|item| (item.id, item.content.clone())).collect()
}

fn look(path: &Path, threads: usize) -> BTreeMap<u64, String> {
    let view: View = MemoryOptions::new().threads(threads).accept_loss(true).view(path).expect("view");
    let active = view.active(&Filter::new()).expect("active");
    assert_eq!(view.count(), active.len());
    for item in &active {
        assert_eq!(view.get(item.id).expect("get").as_ref(), Some(item));
        assert!(!view.history(item.id).expect("history").is_empty());
    }
    drop(view.render(&Render::new().budget_chars(50)).expect("render"));
    drop(view.verify().expect("verify"));
    items(&active)
}
