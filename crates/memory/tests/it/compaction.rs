//! Does compaction remove what is forgotten, and nothing else, and are ids safe behind it?

use std::fs;
use std::time::Duration;

use annals_memory::{Error, Filter, MemoryOptions, NewItem};

use crate::support::{Place, by_aishs_rules, ids_of, newest, start, testdata};

#[test]
fn what_is_active_stays_byte_for_byte_and_ids_go_on() {
    for name in [
        "memory.jsonl",
        "memory-small.jsonl",
        "memory-odd.jsonl",
        "memory-glued.jsonl",
        "memory-reused-id.jsonl",
        "memory-torn.jsonl",
    ] {
        let place = Place::holding(&testdata(name));
        let memory = place.open();
        let before = memory.active(&Filter::new()).unwrap();
        let next = memory.verify().unwrap().next_id.unwrap();
        let done = memory.compact().unwrap();
        assert_eq!(done.kept, before.len());
        // The same records, also in their bytes.
        assert_eq!(memory.active(&Filter::new()).unwrap(), before, "{name}");
        assert_eq!(memory.verify().unwrap().next_id, Some(next + 1), "the record of the compaction has one");
        drop(memory);
        let memory = place.open();
        assert_eq!(memory.active(&Filter::new()).unwrap(), before, "{name}");
        assert_eq!(memory.add(&NewItem::fact("new")).unwrap().id(), next + 1);
        assert!(memory.forget(before[0].id).unwrap().is_some());
        // Twice is as good as once.
        memory.compact().unwrap();
        memory.compact().unwrap();
        drop(memory);
        let mut ids: Vec<u64> = before[1..].iter().map(|item| item.id).collect();
        ids.insert(0, next + 1);
        assert_eq!(ids_of(&place.view()), ids, "{name}");
        let text = place.text();
        assert!(!text.contains("\"forget\""), "{name}");
        assert!(text.starts_with("{\"meta\""));
        let (items, aishs_next) = by_aishs_rules(&text);
        assert_eq!(items.len(), ids.len(), "{name}");
        assert!(aishs_next > next + 1, "aish would not give an id out again either");
    }
}

#[test]
fn unknown_records_stay_and_expired_items_go() {
    let place = Place::holding(&testdata("memory-odd.jsonl"));
    let memory = place.open();
    memory.add(&NewItem::fact("soon over").expires(start() + Duration::from_secs(50))).unwrap();
    place.wait(100);
    let done = memory.compact().unwrap();
    assert_eq!(done.removed, 2, "item 3, and the one that expired");
    assert!(done.len < done.len_before);
    assert_eq!(done.len, fs::metadata(&place.path).unwrap().len());
    let text = place.text();
    for kept in ["\n17\n", "\"no id\"", "unknown kind"] {
        assert!(text.contains(kept), "{kept}");
    }
    assert!(!text.contains("soon over") && !text.contains("Always wants terse answers (2)"));
}

#[test]
fn a_loss_shows_behind_a_compaction() {
    let place = Place::new();
    let memory = place.open();
    for n in 0..10 {
        memory.add(&NewItem::fact(format!("fact {n}"))).unwrap();
    }
    for id in [2, 3, 10] {
        memory.forget(id).unwrap();
    }
    memory.compact().unwrap();
    drop(memory);
    let without: Vec<String> =
        place.text().lines().filter(|line| !line.contains("\"id\":5,")).map(str::to_owned).collect();
    fs::write(&place.path, without.join("\n") + "\n").unwrap();
    let Err(Error::Incomplete { loss, .. }) = place.options().open(&place.path) else { panic!() };
    assert_eq!((loss.missing_of_compacted, loss.missing.len()), (1, 0));
    assert_eq!(loss.to_string(), "1 of the compacted records are gone");
    let memory = place.options().accept_loss(true).open(&place.path).unwrap();
    memory.add(&NewItem::fact("new")).unwrap();
    drop(memory);
    let memory = place.open();
    memory.compact().unwrap();
    drop(memory);
    assert_eq!(newest(&place.open()).len(), 7);
}

#[test]
fn an_export_is_a_memory_of_its_own() {
    let place = Place::holding(&testdata("memory.jsonl"));
    let view = place.view();
    let mut bytes = Vec::new();
    let count = view.export(&mut bytes).unwrap();
    let other = Place::holding(&bytes);
    let items = view.active(&Filter::new()).unwrap();
    assert_eq!(count, items.len());
    assert_eq!(other.view().active(&Filter::new()).unwrap(), items);
    let next = other.open().add(&NewItem::fact("x")).unwrap().id();
    assert_eq!(next, view.verify().unwrap().next_id.unwrap() + 1);
    // And aish reads it.
    assert_eq!(by_aishs_rules(std::str::from_utf8(&bytes).unwrap()).0.len(), count);
}

#[test]
fn a_reader_keeps_what_it_has_opened() {
    let place = Place::new();
    let memory = place.open();
    memory.add(&NewItem::fact("a")).unwrap();
    memory.add(&NewItem::fact("b")).unwrap();
    let mut view = place.view();
    memory.forget(1).unwrap();
    memory.compact().unwrap();
    assert_eq!(ids_of(&view), [2, 1]);
    assert_eq!(view.get(1).unwrap().unwrap().content, "a");
    view.refresh().unwrap();
    assert_eq!(ids_of(&view), [2]);
    memory.add(&NewItem::fact("c")).unwrap();
    view.refresh().unwrap();
    assert_eq!(ids_of(&view), newest(&memory));
}

#[test]
fn writing_elsewhere_is_refused() {
    let place = Place::new();
    let memory = place.open();
    memory.add(&NewItem::fact("a")).unwrap();
    // Somebody who respects no lock puts another file in its place.
    fs::rename(&place.path, place.folder.path().join("old")).unwrap();
    fs::write(&place.path, "").unwrap();
    assert!(memory.add(&NewItem::fact("b")).is_err());
    assert_eq!(MemoryOptions::new().view(&place.path).unwrap().count(), 0);
}
