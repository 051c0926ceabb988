//! What a harness came to, in numbers.

use std::fmt::Display;
use std::thread;

use crate::after::After;
use crate::subject::Result;

/// Faults that are kept in words.
const TEXTS_MAX: usize = 20;

/// How many do their part side by side.
pub(crate) const LANES: usize = 2;

/// What a harness came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Rounds, runs, points, cuts or states.
    pub times: u64,
    /// Operations that were acknowledged.
    pub acknowledged: u64,
    /// How often an error was told.
    pub refused: u64,
    /// Acknowledged operations that left no trace.
    pub lost: u64,
    /// How often a store asked what it can't know.
    pub asked: u64,
    /// How often anything was wrong.
    pub bad: u64,
    /// The first of what was wrong, in words.
    pub texts: Vec<String>,
}

impl Tally {
    /// With what another came to.
    pub fn add(&mut self, other: Self) {
        self.times += other.times;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.lost += other.lost;
        self.asked += other.asked;
        self.bad += other.bad;
        self.texts.extend(other.texts);
        self.texts.truncate(TEXTS_MAX);
    }

    /// With what was found in a store, and where that was.
    pub(crate) fn take(&mut self, after: After, at: impl Display) {
        self.lost += after.lost;
        self.asked += after.asked;
        self.note(&after.texts, at);
    }

    /// With what is wrong, if anything is.
    pub(crate) fn note(&mut self, texts: &[String], at: impl Display) {
        if texts.is_empty() {
            return;
        }
        self.bad += 1;
        if self.texts.len() < TEXTS_MAX {
            self.texts.push(format!("{at}: {}", texts.join("; ")));
        }
    }
}

/// Lets each lane do its part beside the others, and gives what they came to in all.
pub(crate) fn side_by_side(part: impl Fn(usize) -> Result<Tally> + Sync) -> Result<Tally> {
    thread::scope(|scope| {
        let part = &part;
        let lanes: Vec<_> = (0..LANES).map(|lane| scope.spawn(move || part(lane))).collect();
        let mut tally = Tally::default();
        for lane in lanes {
            tally.add(lane.join().unwrap_or_else(|_| Err(String::from("a panic")))?);
        }
        Ok(tally)
    })
}
