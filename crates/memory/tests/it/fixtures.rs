//! Are aish's files read as they have to be, and can aish go on reading what we continue?

use annals_memory::{Error, Filter, MemoryOptions, NewItem, OddKind, View};
use serde_json::Value;

use crate::support::{Place, by_aishs_rules, ids_of, newest, testdata};

fn expected() -> Vec<Value> {
    let all: Value = serde_json::from_slice(&testdata("expected.json")).unwrap();
    all["files"].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<u64> {
    value["value"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

/// A long string of the expected file is a length and a digest; its beginning is enough here.
fn says(item: &Value, content: &str) -> bool {
    match &item["content"] {
        Value::String(text) => text == content,
        long => content.starts_with(long["$starts"].as_str().unwrap()),
    }
}

#[test]
fn every_fixture_gives_the_expected_items() {
    for file in expected() {
        let name = file["file"].as_str().unwrap();
        let place = Place::holding(&testdata(name));
        let view = place.view();
        assert_eq!(ids_of(&view), numbers(&file["newest_first"]), "{name}");
        let mut items = view.active(&Filter::new()).unwrap();
        items.sort_by_key(|item| item.id);
        let wanted = file["active"]["value"].as_array().unwrap();
        assert_eq!(items.len(), wanted.len());
        for (item, wanted) in items.iter().zip(wanted) {
            assert!(says(wanted, &item.content), "{name}: {}", item.id);
            assert_eq!(item.kind.name(), wanted["kind"].as_str().unwrap());
            assert_eq!(item.source.as_deref(), wanted["source"].as_str());
            let tags: Vec<Value> = item.tags.iter().map(|tag| Value::from(tag.as_str())).collect();
            assert_eq!(tags, *wanted["tags"].as_array().unwrap_or(&Vec::new()));
            let raw: Value = serde_json::from_slice(item.raw()).unwrap();
            assert_eq!(raw["ts"], wanted["ts"]);
        }
        for id in numbers(&file["forgotten_ids"]) {
            assert_eq!(view.get(id).unwrap(), None, "{name}: {id}");
        }
        let next = view.verify().unwrap().next_id.unwrap();
        let allowed = [&file["next_id"]["value"], &file["next_id"]["alternative"]].map(Value::as_u64);
        assert!(allowed.contains(&Some(next)), "{name}: {next}");
    }
}

#[test]
fn every_fixture_is_continued_and_aish_reads_it() {
    for file in expected() {
        let name = file["file"].as_str().unwrap();
        let place = Place::holding(&testdata(name));
        let before = place.text().lines().count();
        let memory = place.open();
        let mut ids = newest(&memory);
        let first = memory.add(&NewItem::fact("from annals").tag("new").source("test")).unwrap().id();
        let second = memory.add(&NewItem::pref("x".repeat(9000))).unwrap().id();
        let victim = ids.pop().unwrap();
        assert_eq!(memory.forget(victim).unwrap().unwrap().id, victim);
        let third = memory.supersede(second, &NewItem::pref("shorter")).unwrap();
        memory.close().unwrap();
        // The clock of the fixtures is long past, so ours are the newest.
        ids.splice(0..0, [third, first]);
        assert_eq!(ids_of(&place.view()), ids, "{name}");
        let text = place.text();
        // The torn line was given its end; nothing else was touched.
        let old = testdata(name);
        assert!(text.as_bytes().starts_with(&old), "{name}");
        assert_eq!(text.lines().count(), before + 5);
        if !["memory-odd.jsonl", "memory-glued.jsonl", "memory.jsonl"].contains(&name) {
            // Its rules, where it doesn't throw or resurrect.
            let (items, next) = by_aishs_rules(&text);
            ids.sort_unstable();
            assert_eq!(items.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids, "{name}");
            assert_eq!(Some(next), place.view().verify().unwrap().next_id);
        }
    }
}

#[test]
fn a_tombstone_for_a_later_id_is_said_and_kills_nothing() {
    let file = &expected()[0];
    let view = Place::holding(&testdata("memory.jsonl")).view();
    let later: Vec<u64> =
        file["tombstones_for_later_ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    assert_eq!(later, [103, 240]);
    for id in later {
        assert!(view.get(id).unwrap().is_some());
    }
    let odd = view.report().oddities.iter().filter(|odd| odd.kind == OddKind::NoTarget).count();
    assert!(odd >= 2, "{:?}", view.report());
}

#[test]
fn what_is_odd_is_said() {
    let view = Place::holding(&testdata("memory-odd.jsonl")).view();
    let kinds: Vec<OddKind> = view.report().oddities.iter().map(|odd| odd.kind).collect();
    use OddKind::{NoId, NoTime, NotAnObject, UnknownKind};
    assert_eq!(kinds, [NotAnObject, NoTime, NoTime, NoId, UnknownKind]);
    let view = Place::holding(&testdata("memory-reused-id.jsonl")).view();
    let odd = view.report().oddities[0];
    assert_eq!((odd.kind, odd.id), (OddKind::RepeatedId, Some(2)));
    assert_eq!(view.history(2).unwrap().len(), 2, "the first owner of the id is not lost");
    let view = Place::holding(&testdata("memory-glued.jsonl")).view();
    assert_eq!((view.report().fused, view.report().damaged), (1, 0));
    let view = Place::holding(&testdata("memory-torn.jsonl")).view();
    assert_eq!((view.report().torn, view.report().damaged), (1, 0));
}

/// aish's checklist: an empty open gives 1; three adds 1, 2, 3; forgetting takes an id; reopening goes on behind it; a
/// second writer is refused and told by whom.
#[test]
fn aishs_own_checks() {
    let place = Place::new();
    let memory = place.open();
    for id in 1..=3 {
        assert_eq!(memory.add(&NewItem::fact(format!("fact {id}"))).unwrap().id(), id);
    }
    assert!(memory.forget(2).unwrap().is_some());
    match place.options().program("second").open(&place.path) {
        Err(Error::Log(error @ jsonl_core::Error::Busy { .. })) => {
            assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        }
        other => panic!("{other:?}"),
    }
    memory.close().unwrap();
    let memory = place.open();
    assert_eq!(memory.add(&NewItem::fact("five")).unwrap().id(), 5);
    assert_eq!(newest(&memory), [5, 3, 1]);
    // Another boot.
    drop(memory);
    let memory = place.open();
    assert!(memory.forget(2).unwrap().is_none(), "already forgotten");
    assert!(memory.forget(99).unwrap().is_none(), "never there");
    assert_eq!(memory.clear(&Filter::new()).unwrap(), 3);
    assert_eq!(memory.count().unwrap(), 0);
    drop(memory);
    assert_eq!(place.open().add(&NewItem::fact("nine")).unwrap().id(), 9);
}

#[test]
fn a_missing_memory_is_an_error_for_readers_only() {
    let place = Place::new();
    let error = View::open(&place.path).unwrap_err();
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
    let deep = place.folder.path().join("a/b/memory.jsonl");
    assert!(MemoryOptions::new().create(false).open(&deep).is_err());
    MemoryOptions::new().open(&deep).unwrap().close().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&deep), mode(deep.parent().unwrap())), (0o600, 0o700));
    }
}
