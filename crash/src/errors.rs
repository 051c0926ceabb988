//! Makes every system call of a store fail, one after the other, in every way that a disk knows, and looks at what is left.
//!
//! The first run counts the calls. Then each run lets one of them fail, once or from then on. Whatever happens, what was acknowledged
//! has to be there, nothing that nobody wrote, the next writer has to be let in; and nothing is acknowledged whose sync has failed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use jsonl_core::Durability;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::after::look;
use crate::calls::{self, Kind, number};
use crate::ledger::{Ledger, Step};
use crate::place::quick_folder;
use crate::subject::{Result, Setting, Subject};
use crate::trace::{Action, Call, Ended, Traced};
use crate::worker::{Job, Mode, Said};

/// A signal that comes again and again is one that comes so often.
const SIGNALS: u32 = 20;

/// A run that makes more calls than this is taken for one that would never end.
const CALLS_MAX: u64 = 100_000;

/// Workers that go through the points side by side.
const LANES: usize = 2;

/// Faults that are kept in words.
const TEXTS_MAX: usize = 20;

/// What is done to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails.
    Error(Errno),
    /// It reads or writes so many bytes only.
    Short(u64),
}

/// A call, counted from the first, and what is done to it.
#[derive(Clone, Copy, Debug)]
struct Point {
    at: u64,
    kind: Kind,
    fault: Fault,
    /// All calls of this kind behind it, too.
    persistent: bool,
}

/// What a sweep came to.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Faults that were injected.
    pub points: u64,
    /// Operations that were acknowledged.
    pub acknowledged: u64,
    /// Operations that reported an error.
    pub refused: u64,
    /// Acknowledged operations that left no trace.
    pub lost: u64,
    /// Points after which the store asked what it can't know.
    pub asked: u64,
    /// Points after which something was wrong.
    pub bad: u64,
    /// The first of them, in words.
    pub texts: Vec<String>,
    /// Points by the kind of call.
    pub kinds: BTreeMap<Kind, u64>,
}

impl Swept {
    fn add(&mut self, other: Self) {
        self.points += other.points;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.lost += other.lost;
        self.asked += other.asked;
        self.bad += other.bad;
        self.texts.extend(other.texts);
        for (kind, points) in other.kinds {
            *self.kinds.entry(kind).or_default() += points;
        }
    }
}

/// Sweeps through all points of so many operations of a store.
pub fn sweep(program: &Path, subject: &'static dyn Subject, operations: u64) -> Result<Swept> {
    let lanes: Vec<Result<Swept>> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| scope.spawn(move || Lane::new(program, subject, operations, lane)?.sweep()))
            .collect();
        lanes.into_iter().map(|lane| lane.join().unwrap_or_else(|_| Err(String::from("a panic")))).collect()
    });
    let mut swept = Swept::default();
    for lane in lanes {
        swept.add(lane?);
    }
    Ok(swept)
}

/// Every second point, in a worker of its own.
struct Lane {
    folder: tempfile::TempDir,
    subject: &'static dyn Subject,
    setting: Setting,
    operations: u64,
    program: PathBuf,
    lane: usize,
    /// `None` until the calls have been counted.
    points: Option<Vec<Point>>,
    next: usize,
    calls: Vec<(Kind, u64)>,
    run: Run,
    swept: Swept,
}

/// What happens in one folder.
#[derive(Default)]
struct Run {
    inside: bool,
    folder: PathBuf,
    ledger: Ledger,
    made: u64,
    hits: u32,
    /// A log's sync has failed in the operation that is under way.
    sync_failed: bool,
    /// An operation has failed for that, and the store hasn't been opened again.
    is_poisoned: bool,
    texts: Vec<String>,
    refused: u64,
}

impl Lane {
    fn new(program: &Path, subject: &'static dyn Subject, operations: u64, lane: usize) -> Result<Self> {
        Ok(Self {
            folder: quick_folder()?,
            subject,
            setting: Setting { len: 60, durability: Durability::SyncData },
            operations,
            program: program.to_owned(),
            lane,
            points: None,
            next: 0,
            calls: Vec::new(),
            run: Run::default(),
            swept: Swept::default(),
        })
    }

    fn sweep(mut self) -> Result<Swept> {
        // A stop is twice as fast where both processes share a processor. Where that can't be had, it works as well.
        let mut processors = CpuSet::new();
        let _ = processors.set(self.lane).and_then(|()| sched_setaffinity(Pid::from_raw(0), &processors));
        for turn in 0_u64.. {
            // A worker begins in a folder of its own, for the last one may have been killed in the middle.
            let folder = self.folder.path().join(turn.to_string());
            fs::create_dir(&folder).map_err(|error| error.to_string())?;
            let job = Job {
                subject: self.subject.name(),
                folder,
                writer: 0,
                setting: self.setting,
                from: 0,
                mode: Mode::Folders(self.operations),
            };
            let mut worker = Traced::start(Command::new(&self.program).args(job.args()))
                .map_err(|error| format!("{}: {error}", self.program.display()))?;
            let lane = std::cell::RefCell::new(&mut self);
            let ended = worker.run(|traced, call| lane.borrow_mut().decide(traced, call, &job), |_, _, _| ());
            let ended = ended.map_err(|error| error.to_string())?;
            if self.points.as_ref().is_some_and(|points| self.next >= points.len()) {
                break;
            }
            // It ended by itself, or made too many calls.
            let at =
                self.point().map_or_else(|| String::from("before any fault"), |point| format!("{point:?}"));
            if self.run.texts.is_empty() {
                self.run.texts.push(match ended {
                    Ended::Exited(code) => format!("the process ended with {code}"),
                    Ended::Killed(signal) => format!("the process ended by {signal}"),
                });
            }
            self.note(&at);
            if self.points.is_none() {
                return Err(format!("{}: {:?}", self.subject.name(), self.swept.texts));
            }
            self.next += LANES;
            self.run = Run::default();
        }
        Ok(self.swept)
    }

    fn point(&self) -> Option<Point> {
        self.points.as_ref()?.get(self.next).copied()
    }

    fn decide(&mut self, traced: &Traced, call: &Call, job: &Job) -> Action {
        if call.number == number::WRITE && call.args[0] == 1 {
            let line = traced.bytes(call.args[1], call.args[2]);
            let said = Said::parse(String::from_utf8_lossy(&line).trim_end());
            return match said {
                Some(said) => self.hear(said, job),
                None => Action::Let,
            };
        }
        let Some(kind) = calls::kind(call.number).filter(|_| self.run.inside) else { return Action::Let };
        let at = self.run.made;
        self.run.made += 1;
        if at > CALLS_MAX {
            self.run.texts.push(String::from("it makes calls without end"));
            return Action::Kill;
        }
        if self.points.is_none() {
            self.calls.push((kind, call.args[2]));
        }
        let normal = if kind == Kind::Sync { Action::Pretend(0) } else { Action::Let };
        let Some(point) = self.point() else { return normal };
        let is_signal = point.fault == Fault::Error(Errno::EINTR);
        let again = point.persistent && at > point.at && kind == point.kind && self.run.hits > 0;
        if at != point.at && !(again && !(is_signal && self.run.hits >= SIGNALS)) {
            return normal;
        }
        if kind != point.kind {
            // The runs are not alike at this place, so it is another point than it was meant to be, but one.
            if let Fault::Short(_) = point.fault {
                return normal;
            }
        }
        self.run.hits += 1;
        match point.fault {
            Fault::Error(error) => {
                if kind == Kind::Sync && !is_signal && is_log(traced, call.args[0]) {
                    self.run.sync_failed = true;
                }
                Action::Fail(error)
            }
            Fault::Short(len) if call.args[2] > len => Action::Shorten(len),
            Fault::Short(_) => Action::Let,
        }
    }

    fn hear(&mut self, said: Said, job: &Job) -> Action {
        let run = &mut self.run;
        match said {
            Said::Folder(number) => {
                *run = Run { inside: true, folder: job.folder.join(number.to_string()), ..Run::default() };
            }
            Said::Opens => (run.is_poisoned, run.sync_failed) = (false, false),
            Said::Begins(n) => {
                run.sync_failed = false;
                run.ledger.begin(self.subject.step(0, n));
            }
            Said::Acknowledged(n) => {
                run.ledger.acknowledge(self.subject.step(0, n));
                if run.sync_failed {
                    run.texts.push(format!("{n} was acknowledged though its sync had failed"));
                }
                // Upkeep has a handle of its own.
                let is_upkeep = self.subject.step(0, n) == Step::Upkeep;
                if run.is_poisoned && self.subject.poisons() && !is_upkeep {
                    run.texts.push(format!("{n} was acknowledged after a failed sync"));
                }
            }
            Said::Failed(_) => {
                run.refused += 1;
                run.is_poisoned |= run.sync_failed;
            }
            Said::Done => {
                run.inside = false;
                self.look();
                let last = self.points.as_ref().is_some_and(|points| self.next >= points.len());
                return if last { Action::Kill } else { Action::Let };
            }
        }
        Action::Let
    }

    /// A run is done: is everything as it should be?
    fn look(&mut self) {
        let folder = std::mem::take(&mut self.run.folder);
        // Writer 1 has never been there.
        let after = look(self.subject, &folder, self.setting, &self.run.ledger, 1);
        self.swept.lost += after.lost;
        self.swept.asked += after.asked;
        self.run.texts.extend(after.texts);
        let _ = fs::remove_dir_all(&folder);
        match self.point() {
            None => {
                self.note("without any fault");
                self.points = Some(points(&self.calls));
                self.next = self.lane;
            }
            Some(point) => {
                if self.run.hits > 0 {
                    self.swept.points += 1;
                    *self.swept.kinds.entry(point.kind).or_default() += 1;
                    self.swept.acknowledged += self.run.ledger.acknowledged();
                    self.swept.refused += self.run.refused;
                }
                self.note(&format!("{point:?}"));
                self.next += LANES;
            }
        }
    }

    fn note(&mut self, at: &str) {
        let texts = std::mem::take(&mut self.run.texts);
        if texts.is_empty() {
            return;
        }
        self.swept.bad += 1;
        if self.swept.texts.len() < TEXTS_MAX {
            self.swept.texts.push(format!("{} ({at}): {}", self.subject.name(), texts.join("; ")));
        }
    }
}

/// Whether a descriptor is that of a log, and not that of something that can be made again.
fn is_log(traced: &Traced, descriptor: u64) -> bool {
    traced.path_of(descriptor).is_some_and(|path| path.ends_with(".jsonl") && !path.contains(".annals-"))
}

/// All that can be done to these calls.
fn points(calls: &[(Kind, u64)]) -> Vec<Point> {
    let mut points = Vec::new();
    for (at, (kind, len)) in (0..).zip(calls) {
        let mut faults: Vec<Fault> =
            [Errno::EIO, Errno::ENOSPC, Errno::EDQUOT, Errno::EINTR].map(Fault::Error).to_vec();
        match kind {
            Kind::Write => {
                let mut lens = vec![1, len / 4, len / 2, len.saturating_sub(1)];
                lens.retain(|short| (1..*len).contains(short));
                lens.dedup();
                faults.extend(lens.into_iter().map(Fault::Short));
            }
            Kind::Read => faults.extend([1, 7].map(Fault::Short)),
            _ => {}
        }
        for fault in faults {
            points.extend([false, true].map(|persistent| Point { at, kind: *kind, fault, persistent }));
        }
    }
    points
}
