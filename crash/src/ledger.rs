//! What was begun and what was acknowledged, and so what may be found afterwards.
//!
//! Whatever a store keeps, to a harness it is names with values. An operation sets a name to a value or takes it away, and each name
//! belongs to one writer, so what happened to it has an order. When the writer is dead, a name may have the value of the last
//! operation that was acknowledged, or of any that was begun after it, and no other.

use std::collections::BTreeMap;

/// Names and their values, as a store shows them.
pub type Found = BTreeMap<String, String>;

/// What a store shows in place of a value when it says itself that it can't be sure any more, and asks.
pub const DOUBT: &str = "doubtful";

/// A name that stands for the store itself, where it asks before it shows anything.
pub const STORE: &str = "the store";

/// What one operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The name has this value.
    Set(String, String),
    /// The name has no value any more.
    Take(String),
    /// Nothing that anybody could see, such as a compaction.
    Upkeep,
}

impl Step {
    fn parts(self) -> Option<(String, Option<String>)> {
        match self {
            Self::Set(name, value) => Some((name, Some(value))),
            Self::Take(name) => Some((name, None)),
            Self::Upkeep => None,
        }
    }
}

/// What became of one name.
#[derive(Clone, Debug, Default)]
struct History {
    /// The value since the last acknowledged operation; `None` also before the first.
    settled: Option<String>,
    /// What was begun since.
    open: Vec<Option<String>>,
}

/// What was begun and what was acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    names: BTreeMap<String, History>,
    acknowledged: u64,
}

/// What is wrong with what was found.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Names whose acknowledged operation has left no trace.
    pub lost: u64,
    /// Names about which the store asks. After damage that is as it should be, and never otherwise.
    pub doubts: u64,
    /// Whatever is lost or was never written, in words.
    pub texts: Vec<String>,
}

impl Ledger {
    /// An operation is about to be done.
    pub fn begin(&mut self, step: Step) {
        if let Some((name, value)) = step.parts() {
            self.names.entry(name).or_default().open.push(value);
        }
    }

    /// An operation that was begun has been acknowledged, and so have all before it that were done to the same name.
    pub fn acknowledge(&mut self, step: Step) {
        self.acknowledged += 1;
        if let Some((name, value)) = step.parts() {
            self.names.insert(name, History { settled: value, open: Vec::new() });
        }
    }

    /// How many operations were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Compares with what is there.
    pub fn faults(&self, found: &Found) -> Faults {
        let mut faults = Faults::default();
        for (name, history) in &self.names {
            let value = found.get(name);
            if value == history.settled.as_ref() || history.open.iter().any(|open| value == open.as_ref()) {
                continue;
            }
            if value.is_some_and(|value| value == DOUBT) {
                faults.doubts += 1;
                continue;
            }
            faults.lost += 1;
            faults.texts.push(format!(
                "{name} is {value:?}; acknowledged was {:?}, begun since {:?}",
                history.settled, history.open
            ));
        }
        faults.doubts += u64::from(found.contains_key(STORE));
        for name in found.keys().filter(|name| !self.names.contains_key(*name) && *name != STORE) {
            faults.texts.push(format!("{name} was never begun"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Step {
        Step::Set(name.into(), value.into())
    }

    fn found(pairs: &[(&str, &str)]) -> Found {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_was_acknowledged_or_begun_since_may_be_there_and_nothing_else() {
        let mut ledger = Ledger::default();
        for value in ["1", "2"] {
            ledger.begin(set("a", value));
            ledger.acknowledge(set("a", value));
        }
        ledger.begin(set("a", "3"));
        ledger.begin(Step::Take("a".into()));
        for good in [found(&[("a", "2")]), found(&[("a", "3")]), found(&[])] {
            assert!(ledger.faults(&good).texts.is_empty());
        }
        assert_eq!(ledger.faults(&found(&[("a", "1")])).lost, 1);
        let stranger = ledger.faults(&found(&[("a", "2"), ("b", "1")]));
        assert_eq!((stranger.lost, stranger.texts.len()), (0, 1));
        ledger.acknowledge(Step::Take("a".into()));
        assert_eq!(ledger.faults(&found(&[("a", "3")])).lost, 1);
        assert!(ledger.faults(&found(&[])).texts.is_empty());
        assert_eq!(ledger.acknowledged(), 3);
    }
}
