//! Does a memory do what a map and a set do, through crashes, compaction and reopening?

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;

use annals_memory::{Added, Filter, Memory, NewItem};
use proptest::prelude::*;

use crate::support::{Place, ids_of, newest};

#[derive(Clone, Debug)]
enum Step {
    Add {
        len: usize,
        unless_known: bool,
    },
    AddMany {
        count: usize,
    },
    Forget {
        which: usize,
    },
    ForgetUnknown,
    Supersede {
        which: usize,
    },
    Clear {
        text: char,
    },
    Compact,
    Reopen,
    /// A writer dies after so much of a record, in per cent.
    Tear {
        part: usize,
    },
    /// aish has the memory for a while.
    Aish {
        forgets: bool,
    },
    Refresh,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..6000, any::<bool>()).prop_map(|(len, unless_known)| Step::Add { len, unless_known }),
        1 => (1_usize..5).prop_map(|count| Step::AddMany { count }),
        4 => any::<usize>().prop_map(|which| Step::Forget { which }),
        1 => Just(Step::ForgetUnknown),
        2 => any::<usize>().prop_map(|which| Step::Supersede { which }),
        1 => prop::sample::select(vec!['1', '2', 'q']).prop_map(|text| Step::Clear { text }),
        1 => Just(Step::Compact),
        2 => Just(Step::Reopen),
        2 => (0_usize..100).prop_map(|part| Step::Tear { part }),
        1 => any::<bool>().prop_map(|forgets| Step::Aish { forgets }),
        2 => Just(Step::Refresh),
    ]
}

#[derive(Default)]
struct Model {
    active: BTreeMap<u64, String>,
    /// The greatest id that anybody was told.
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

    fn pick(&self, which: usize) -> Option<u64> {
        self.active.keys().nth(which % self.active.len().max(1)).copied()
    }
}

fn check(memory: &Memory, model: &Model) {
    let items = memory.active(&Filter::new()).unwrap();
    let found: BTreeMap<u64, String> = items.into_iter().map(|item| (item.id, item.content)).collect();
    assert_eq!(found, model.active);
}

fn run(steps: Vec<Step>) {
    let place = Place::new();
    let mut memory = place.open();
    let mut view = place.view();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Add { len, unless_known } => {
                let content = model.name(len);
                let item = NewItem::fact(&content);
                let item = if unless_known { item.unless_known() } else { item };
                let Added::New(id) = memory.add(&item).unwrap() else { panic!() };
                model.give(id, content.clone());
                if unless_known {
                    assert_eq!(memory.add(&item).unwrap(), Added::Known(id));
                }
            }
            Step::AddMany { count } => {
                let contents: Vec<String> = (0..count).map(|_| model.name(10)).collect();
                let items: Vec<NewItem> = contents.iter().map(NewItem::pref).collect();
                for (added, content) in memory.add_all(&items).unwrap().into_iter().zip(contents) {
                    model.give(added.id(), content);
                }
            }
            Step::Forget { which } => {
                if let Some(id) = model.pick(which) {
                    let content = model.active.remove(&id).unwrap();
                    assert_eq!(memory.forget(id).unwrap().unwrap().content, content);
                    assert!(memory.forget(id).unwrap().is_none());
                }
            }
            Step::ForgetUnknown => assert!(memory.forget(model.last + 1000).unwrap().is_none()),
            Step::Supersede { which } => {
                if let Some(id) = model.pick(which) {
                    let content = model.name(20);
                    let new = memory.supersede(id, &NewItem::context(&content)).unwrap();
                    model.active.remove(&id);
                    model.give(new, content);
                }
            }
            Step::Clear { text } => {
                let before = model.active.len();
                model.active.retain(|_, content| !content.contains(text));
                let count = memory.clear(&Filter::new().text(&text.to_string())).unwrap();
                assert_eq!(count, before - model.active.len());
            }
            Step::Compact => {
                assert_eq!(memory.compact().unwrap().kept, model.active.len());
            }
            Step::Reopen => {
                drop(memory);
                memory = place.open();
            }
            Step::Tear { part } => {
                // Dies in the middle of a record that nobody is told of.
                drop(memory);
                let before = fs::metadata(&place.path).unwrap().len();
                place.open().add(&NewItem::fact("torn")).unwrap();
                let bytes = fs::read(&place.path).unwrap();
                let added = bytes.len() as u64 - before;
                // Only the newline that closes a torn line, and nothing of the record behind it: then nobody can tell that line
                // from a damaged record, and it is an error on purpose.
                let heals = u64::from(bytes[before as usize] == b'\n');
                let kept = match (added - 2) * part as u64 / 100 {
                    1 if heals == 1 => 2,
                    kept => kept,
                };
                let file = OpenOptions::new().write(true).open(&place.path).unwrap();
                file.set_len(before + kept).unwrap();
                memory = place.open();
            }
            Step::Aish { forgets } => {
                drop(memory);
                let text = place.text();
                let mut file = OpenOptions::new().append(true).open(&place.path).unwrap();
                // It glues, unless there is a newline.
                if !text.is_empty() && !text.ends_with('\n') {
                    file.write_all(b"\n{\"id\":").unwrap();
                    drop(file);
                    memory = place.open();
                    continue;
                }
                let (_, next) = crate::support::by_aishs_rules(&text);
                let next = next.max(model.last + 1);
                // Ids that only torn records claim would be a gap for nobody.
                let Some(target) = model.active.keys().next().copied().filter(|_| forgets) else {
                    let content = model.name(5);
                    let missing: Vec<u64> = gap(&place, next);
                    if missing.is_empty() {
                        writeln!(file, r#"{{"kind":"fact","content":"{content}","ts":"2026-11-20T09:00:00Z","id":{next}}}"#).unwrap();
                        model.give(next, content);
                    }
                    memory = place.open();
                    check(&memory, &model);
                    continue;
                };
                if gap(&place, next).is_empty() {
                    writeln!(
                        file,
                        r#"{{"target":{target},"kind":"forget","id":{next},"ts":"2026-11-20T09:00:00Z"}}"#
                    )
                    .unwrap();
                    model.active.remove(&target);
                }
                memory = place.open();
            }
            Step::Refresh => {
                view.refresh().unwrap();
                assert_eq!(ids_of(&view), newest(&memory));
            }
        }
        check(&memory, &model);
    }
}

/// The ids that nobody would have if the next were `next`.
fn gap(place: &Place, next: u64) -> Vec<u64> {
    let found = place.view().verify().unwrap().next_id.unwrap();
    (found..next).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_memory_does_what_a_model_of_it_does(steps in proptest::collection::vec(step(), 1..40)) {
        run(steps);
    }
}
