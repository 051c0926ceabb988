//! However items and tombstones come together, by writers that die, compact and open again with and without a checkpoint: what is
//! remembered is what a map remembers, and no id is given out twice.
#![no_main]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};

use annals_fuzz::Decisions;
use annals_memory::{Added, Durability, Filter, Item, Memory, MemoryOptions, NewItem};
use libfuzzer_sys::fuzz_target;

#[derive(Default)]
struct Model {
    active: BTreeMap<u64, String>,
    last: u64,
    named: usize,
}

impl Model {
    fn name(&mut self, len: usize) -> String {
        self.named += 1;
        format!("{} {}", self.named, "x".repeat(len))
    }

    fn give(&mut self, id: u64, content: String) {
        assert!(id > self.last, "{id} was given out before");
        self.last = id;
        self.active.insert(id, content);
    }

    fn pick(&self, which: u8) -> Option<u64> {
        self.active.keys().nth(usize::from(which) % self.active.len().max(1)).copied()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("memory.jsonl");
    let options = MemoryOptions::new().durability(Durability::Buffer).threads(1);
    let open = || -> Memory { options.open(&path).expect("open") };
    let mut memory = open();
    let mut view = options.view(&path).expect("view");
    let mut model = Model::default();
    let mut next = Decisions(&bytes[..bytes.len().min(128)]);
    while next.are_left() {
        match next.byte() % 10 {
            0..=2 => {
                let content = model.name(next.below(200));
                let Added::New(id) = memory.add(&NewItem::fact(&content).unless_known()).expect("add") else {
                    panic!("it was not known")
                };
                model.give(id, content);
            }
            3 => {
                let contents: Vec<String> = (0..next.below(4)).map(|_| model.name(3)).collect();
                let items: Vec<NewItem> = contents.iter().map(NewItem::pref).collect();
                for (added, content) in memory.add_all(&items).expect("add").into_iter().zip(contents) {
                    model.give(added.id(), content);
                }
            }
            4 => {
                let Some(id) = model.pick(next.byte()) else { continue };
                let gone = memory.forget(id).expect("forget").map(|item| item.content);
                assert_eq!(gone, model.active.remove(&id));
                assert!(memory.forget(id).expect("forget").is_none());
            }
            5 => {
                let Some(id) = model.pick(next.byte()) else { continue };
                let content = model.name(2);
                let new = memory.supersede(id, &NewItem::context(&content)).expect("supersede");
                model.active.remove(&id);
                model.give(new, content);
            }
            6 => {
                let text = char::from(b'0' + next.byte() % 10).to_string();
                let before = model.active.len();
                model.active.retain(|_, content| !content.contains(&text));
                let cleared = memory.clear(&Filter::new().text(&text)).expect("clear");
                assert_eq!(cleared, before - model.active.len());
            }
            7 => assert_eq!(memory.compact().expect("compact").kept, model.active.len()),
            8 => {
                // Dies in the middle of a record that nobody is told of.
                drop(memory);
                let before = fs::metadata(&path).expect("metadata").len();
                open().add(&NewItem::fact("torn")).expect("add");
                let whole = fs::read(&path).expect("read");
                let start = usize::try_from(before).expect("a length");
                let room = whole.len() - start - 2;
                let mut kept = room * usize::from(next.byte()) / 255;
                // The newline that closes a torn line, and nothing behind it, is taken for damage on purpose.
                if kept == 1 && whole[start] == b'\n' {
                    kept = 2;
                }
                let file = OpenOptions::new().write(true).open(&path).expect("open");
                file.set_len(before + kept as u64).expect("cut");
                memory = open();
            }
            _ => {
                memory.close().expect("close");
                memory = open();
                view.refresh().expect("refresh");
                assert_eq!(items(&view.active(&Filter::new()).expect("active")), model.active);
            }
        }
        assert_eq!(items(&memory.active(&Filter::new()).expect("active")), model.active);
    }
    drop(memory);
    let view = options.view(&path).expect("view");
    assert_eq!(items(&view.active(&Filter::new()).expect("active")), model.active);
    assert_eq!(view.count(), model.active.len());
});

fn items(items: &[Item]) -> BTreeMap<u64, String> {
    items.iter().map(|item| (item.id, item.content.clone())).collect()
}
