//! What is left when the writers are gone, and whether the next one can go on.

use std::path::Path;

use jsonl_core::Durability;

use crate::ledger::Ledger;
use crate::subject::{Setting, Subject};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct After {
    /// Acknowledged operations that left no trace.
    pub lost: u64,
    /// Whether the store asked for somebody's word before it went on.
    pub asked: u64,
    /// Whatever is wrong, in words.
    pub texts: Vec<String>,
}

/// Looks at a store, lets another writer do its first operation, and looks again.
pub fn look(subject: &dyn Subject, folder: &Path, setting: Setting, ledger: &Ledger, next: usize) -> After {
    let mut after = After::default();
    compare(subject, folder, setting, ledger, "", &mut after);
    let quick = Setting { durability: Durability::Buffer, ..setting };
    let go_on = || {
        let mut handle = subject.open(folder, next, quick)?;
        handle.apply(0)?;
        handle.close()
    };
    let gone_on = go_on().or_else(|error| {
        after.asked = 1;
        subject.accept(folder).map_err(|_| error).and_then(|()| go_on())
    });
    match gone_on {
        Ok(()) => {
            let step = subject.step(next, 0);
            let mut ledger = ledger.clone();
            ledger.begin(step.clone());
            ledger.acknowledge(step);
            compare(subject, folder, setting, &ledger, "with the next writer: ", &mut after);
        }
        Err(error) => after.texts.push(format!("the next writer: {error}")),
    }
    after
}

fn compare(
    subject: &dyn Subject,
    folder: &Path,
    setting: Setting,
    ledger: &Ledger,
    when: &str,
    after: &mut After,
) {
    match subject.read(folder, setting) {
        Ok(found) => {
            let faults = ledger.faults(&found);
            after.lost += faults.lost;
            after.asked = after.asked.max(u64::from(faults.doubts > 0));
            after.texts.extend(faults.texts.into_iter().map(|text| format!("{when}{text}")));
        }
        Err(error) => after.texts.push(format!("{when}{error}")),
    }
}
