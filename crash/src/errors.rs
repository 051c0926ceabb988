//! Makes every system call of a store fail, one after the other, in every way that a disk knows, and looks at what is left.
//!
//! The first run counts the calls. Then each run lets one of them fail, once or from then on. Whatever happens, what was acknowledged
//! has to be there, nothing that nobody wrote, the next writer has to be let in; and nothing is acknowledged whose sync has failed.
//! Whoever reads meanwhile is told of an error or sees all that is there, never less.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonl_core::Durability;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::after::look;
use crate::calls::{self, Kind, number};
use crate::ledger::{Ledger, Step};
use crate::place::quick_folder;
use crate::subject::{Result, Setting, Subject, said};
use crate::tally::{LANES, Tally, side_by_side};
use crate::trace::{Action, Call, Ended, Traced};
use crate::worker::{Job, Mode, Said, shown};

/// A signal that comes again and again is one that comes so often.
const SIGNALS: u32 = 20;

/// A run that makes more calls than this is taken for one that would never end.
const CALLS_MAX: u64 = 100_000;

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

/// Sweeps through all points of so many operations of a store.
pub fn sweep(program: &Path, subject: &'static dyn Subject, operations: u64) -> Result<Tally> {
    side_by_side(|lane| Lane::new(program, subject, operations, lane)?.sweep())
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
    tally: Tally,
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
    /// It has read the store, and shown what is there.
    has_shown: bool,
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
            tally: Tally::default(),
        })
    }

    fn sweep(mut self) -> Result<Tally> {
        // A stop is twice as fast where both processes share a processor. Where that can't be had, it works as well.
        let mut processors = CpuSet::new();
        let _ = processors.set(self.lane).and_then(|()| sched_setaffinity(Pid::from_raw(0), &processors));
        for turn in 0_u64.. {
            // A worker begins in a folder of its own, for the last one may have been killed in the middle.
            let folder = self.folder.path().join(turn.to_string());
            fs::create_dir(&folder).map_err(said)?;
            let job = Job::new(self.subject, &folder, 0, self.setting, Mode::Folders(self.operations));
            let mut worker = Traced::start(Command::new(&self.program).args(job.args()))
                .map_err(|error| format!("{}: {error}", self.program.display()))?;
            let lane = std::cell::RefCell::new(&mut self);
            let ended = worker.run(|traced, call| lane.borrow_mut().decide(traced, call, &job), |_, _, _| ());
            let ended = ended.map_err(said)?;
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
            self.tally.note(&self.run.texts, format_args!("{} ({at})", self.subject.name()));
            if self.points.is_none() {
                return Err(format!("{}: {:?}", self.subject.name(), self.tally.texts));
            }
            self.next += LANES;
            self.run = Run::default();
        }
        Ok(self.tally)
    }

    fn point(&self) -> Option<Point> {
        self.points.as_ref()?.get(self.next).copied()
    }

    fn decide(&mut self, traced: &Traced, call: &Call, job: &Job) -> Action {
        if call.number == number::WRITE && call.args[0] == 1 {
            let line = traced.bytes(call.args[1], call.args[2]);
            let line = String::from_utf8_lossy(&line);
            if let Some(found) = shown(line.trim_end()) {
                self.run.has_shown = true;
                let faults = self.run.ledger.faults(&found).texts.into_iter();
                self.run.texts.extend(faults.map(|text| format!("it reads and tells of no error: {text}")));
            }
            return match Said::parse(line.trim_end()) {
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
        // Where the runs are not alike it is another point than it was meant to be, but one.
        if kind != point.kind && matches!(point.fault, Fault::Short(_)) {
            return normal;
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
        let mut after = look(self.subject, &folder, self.setting, &self.run.ledger, 1);
        after.texts.append(&mut self.run.texts);
        let _ = fs::remove_dir_all(&folder);
        match self.point() {
            None => {
                if !self.run.has_shown {
                    after.texts.push(String::from("nobody has read it"));
                }
                self.tally.take(after, format_args!("{} (without any fault)", self.subject.name()));
                self.points = Some(points(&self.calls));
                self.next = self.lane;
            }
            Some(point) => {
                if self.run.hits > 0 {
                    self.tally.times += 1;
                    self.tally.acknowledged += self.run.ledger.acknowledged();
                    self.tally.refused += self.run.refused;
                }
                self.tally.take(after, format_args!("{} ({point:?})", self.subject.name()));
                self.next += LANES;
            }
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
