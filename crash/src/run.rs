//! Which harnesses are run, how much of each, and against which control.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use annals_crash::bounds;
use annals_crash::errors;
use annals_crash::full;
use annals_crash::kill;
use annals_crash::mount::{self, Kind, Mount};
use annals_crash::outage;
use annals_crash::power::{self, Effort};
use annals_crash::readers;
use annals_crash::report::{Row, grouped, table};
use annals_crash::subject::{Log, Naive, Result, STORES, Subject, said};
use annals_crash::sweep;
use annals_crash::tally::Tally;
use annals_crash::trace::can_trace;
use jsonl_core::Durability;

const USAGE: &str = "\
usage: annals-crash [HARNESS …] [--quick | --rounds N] [--report] [--annals PROGRAM]

  kill       kill -9 one of several writers, on every file system that there is
  errors     every system call of every store fails, in every way
  power      power cut at every step, in every state that a disk may be left in
  outage     real power cuts of a mounted ext4 and XFS (root, loop devices, python3)
  full       a limit on the length of files at every byte, a full file system, a failing sync
  readers    readers that follow while others write
  bounds     memory and time of the program on files that are too long, too deep, too many
  sweep      system calls of the release program fail or kill it (strace)

By default all of them. --quick is what CI has time for; --rounds is for kill; --report prints a table.";

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Amount {
    kill_rounds: u64,
    /// Operations for each store, in the order of `STORES`.
    operations: [u64; 5],
    power_operations: u64,
    power_states: usize,
    cuts: u64,
    limit_step: usize,
    runs: u64,
    seconds: u64,
    sweep_step: usize,
    /// Files are so many times smaller than they could be.
    bounds_part: u64,
}

const WHOLE: Amount = Amount {
    kill_rounds: 200,
    operations: [64, 16, 40, 8, 16],
    power_operations: 48,
    power_states: 512,
    cuts: 40,
    limit_step: 1,
    runs: 16,
    seconds: 60,
    sweep_step: 2,
    bounds_part: 1,
};

const QUICK: Amount = Amount {
    kill_rounds: 15,
    operations: [8, 4, 8, 1, 4],
    power_operations: 20,
    power_states: 64,
    cuts: 3,
    limit_step: 97,
    runs: 2,
    seconds: 3,
    sweep_step: 127,
    bounds_part: 50,
};

type Harness = fn(&mut Runner) -> Result<()>;

struct Runner {
    me: PathBuf,
    annals: PathBuf,
    effort: Amount,
    rows: Vec<Row>,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let [control, path] = args
        && control == "naive-read"
    {
        return bounds::naive_read(Path::new(path));
    }
    let mut wanted: Vec<&str> = Vec::new();
    let (mut effort, mut reports) = (WHOLE, false);
    let mut annals = PathBuf::from("target/release/annals");
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "--quick" => effort = QUICK,
            "--report" => reports = true,
            "--rounds" => {
                effort.kill_rounds =
                    args.next().and_then(|rounds| rounds.parse().ok()).ok_or("--rounds needs a number")?;
            }
            "--annals" => annals = args.next().ok_or("--annals needs a program")?.into(),
            "kill" | "errors" | "power" | "outage" | "full" | "readers" | "bounds" | "sweep" => {
                wanted.push(arg)
            }
            _ => return Err(String::from(USAGE)),
        }
    }
    let me = std::env::current_exe().map_err(said)?;
    let annals = std::path::absolute(annals).map_err(said)?;
    let mut runner = Runner { me, annals, effort, rows: Vec::new() };
    let all: [(&str, Harness); 8] = [
        ("kill", Runner::kill),
        ("errors", Runner::errors),
        ("power", Runner::power),
        ("outage", Runner::outage),
        ("full", Runner::full),
        ("readers", Runner::readers),
        ("bounds", Runner::bounds),
        ("sweep", Runner::sweep),
    ];
    for (name, harness) in all {
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let begun = Instant::now();
        harness(&mut runner)?;
        eprintln!("({name}: {} s)", begun.elapsed().as_secs());
    }
    if reports {
        let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        print!("{}", table(&runner.rows, &day));
    }
    let bad: Vec<String> = runner.rows.iter().filter(|row| !row.is_good()).map(Row::line).collect();
    if bad.is_empty() { Ok(()) } else { Err(format!("not good:\n{}", bad.join("\n"))) }
}

impl Runner {
    fn row(&mut self, row: Row) {
        eprintln!("{}", row.line());
        self.rows.push(row);
    }

    fn kill(&mut self) -> Result<()> {
        let temporary = tempfile::tempdir().map_err(said)?;
        self.kill_on(&file_system_of(temporary.path()), temporary.path())?;
        if Path::new("/dev/shm").is_dir() {
            self.kill_on("tmpfs", Path::new("/dev/shm"))?;
        }
        let here = file_system_of(temporary.path());
        for kind in [Kind::Ext4, Kind::Xfs] {
            if kind.name() == here {
                continue;
            }
            match Mount::image(kind, temporary.path(), 2 << 30) {
                Ok(mount) => self.kill_on(kind.name(), &mount.place)?,
                Err(why) => {
                    self.row(Row::skipped(KILL, kind.name(), mount::first_line("no such file system", &why)))
                }
            }
        }
        match Mount::overlay(temporary.path()) {
            Ok(mount) => self.kill_on("overlay", &mount.place)?,
            Err(why) => self.row(Row::skipped(KILL, "overlay", mount::first_line("can't be mounted", &why))),
        }
        Ok(())
    }

    fn kill_on(&mut self, name: &str, place: &Path) -> Result<()> {
        let rounds = self.effort.kill_rounds;
        let mut row = Row { harness: KILL, place: name.to_owned(), ..Row::default() };
        let mut kills = 0;
        for subject in STORES {
            let killed = kill::kill(&self.me, subject, place, rounds)?;
            kills += killed.kills;
            row.tally.add(killed.tally);
        }
        row.tried = format!("{} rounds, {} processes", grouped(row.tally.times), grouped(kills));
        row.control = caught(&kill::kill(&self.me, &Naive, place, rounds)?.tally, "rounds");
        self.row(row);
        Ok(())
    }

    fn errors(&mut self) -> Result<()> {
        if let Err(why) = can_trace() {
            self.row(Row::skipped("every system call fails", "", why));
            return Ok(());
        }
        let mut row = Row {
            harness: "every system call fails: EIO, ENOSPC, EDQUOT, EINTR, short, once and on",
            place: String::from("traced"),
            ..Row::default()
        };
        for (subject, operations) in STORES.into_iter().zip(self.effort.operations) {
            row.tally.add(errors::sweep(&self.me, subject, operations)?);
        }
        row.tried = format!("{} points", grouped(row.tally.times));
        row.control = caught(&errors::sweep(&self.me, &Naive, self.effort.operations[0])?, "points");
        self.row(row);
        Ok(())
    }

    fn power(&mut self) -> Result<()> {
        const HARNESS: &str = "power cut at every step, every state of the disk";
        if let Err(why) = can_trace() {
            self.row(Row::skipped(HARNESS, "model", why));
            return Ok(());
        }
        let mut row = Row { harness: HARNESS, place: String::from("model"), ..Row::default() };
        let mut again = 0;
        let effort = |operations, len, durability| Effort {
            operations,
            len,
            states: self.effort.power_states,
            durability,
        };
        let operations = self.effort.power_operations;
        for subject in STORES {
            for len in [80, 700, 2_500] {
                let cut = power::cut(&self.me, subject, effort(operations, len, Durability::SyncData))?;
                again += cut.again;
                row.tally.add(cut.tally);
            }
        }
        row.tried = format!("{} states, {} of them in recovery", grouped(row.tally.times), grouped(again));
        let control = power::cut(&self.me, &Naive, effort(operations, 700, Durability::SyncData))?;
        let buffered = power::cut(&self.me, &Log, effort(operations, 700, Durability::Buffer))?;
        if buffered.tally.lost > 0 {
            row.control = caught(&control.tally, "states");
        }
        self.row(row);
        Ok(())
    }

    fn outage(&mut self) -> Result<()> {
        const HARNESS: &str = "real power cut";
        for kind in [Kind::Ext4, Kind::Xfs] {
            if let Err(why) = outage::can_cut(kind) {
                self.row(Row::skipped(HARNESS, kind.name(), why));
                continue;
            }
            let mut row = Row { harness: HARNESS, place: kind.name().to_owned(), ..Row::default() };
            let cuts = self.effort.cuts;
            for subject in STORES {
                row.tally.add(outage::cut(&self.me, subject, kind, cuts, Durability::SyncData)?);
            }
            row.tried = format!("{} cuts", grouped(row.tally.times));
            let control = outage::cut(&self.me, &Log, kind, cuts, Durability::Buffer)?;
            row.control = caught(&control, "cuts without a sync");
            self.row(row);
        }
        Ok(())
    }

    fn full(&mut self) -> Result<()> {
        let step = self.effort.limit_step;
        let me = self.me.clone();
        self.filled("files may be so long and no longer: every byte", "RLIMIT_FSIZE", |subject| {
            full::limits(&me, subject, 4096, step)
        })?;
        let runs = self.effort.runs;
        match mount::can_mount() {
            Ok(()) => {
                self.filled("the file system is full", "tmpfs", |subject| full::full(&me, subject, runs))?
            }
            Err(why) => self.row(Row::skipped("the file system is full", "tmpfs", why)),
        }
        const FAILING: &str = "the device fails when it is synced";
        match mount::can_make(Kind::Ext4) {
            Ok(()) => self.filled(FAILING, "ext4 in a full tmpfs", |subject| {
                full::failing_sync(&me, subject, runs / 2)
            })?,
            Err(why) => self.row(Row::skipped(FAILING, "ext4 in a full tmpfs", why)),
        }
        Ok(())
    }

    fn filled(
        &mut self,
        harness: &'static str,
        place: &str,
        fill: impl Fn(&'static dyn Subject) -> Result<Tally>,
    ) -> Result<()> {
        let mut row = Row { harness, place: place.to_owned(), ..Row::default() };
        for subject in STORES {
            row.tally.add(fill(subject)?);
        }
        row.tried = format!("{} runs", grouped(row.tally.times));
        row.control = caught(&fill(&Naive)?, "runs");
        self.row(row);
        Ok(())
    }

    fn readers(&mut self) -> Result<()> {
        let done = readers::follow(&self.me, self.effort.seconds)?;
        let mut row =
            Row { harness: "readers that follow two writers", place: String::from("log"), ..Row::default() };
        row.tried = format!("{} s, {} records read", done.seconds, grouped(done.got));
        row.tally.acknowledged = done.written;
        row.tally.lost = done.missed;
        row.tally.bad = done.wrong;
        if done.torn_seen > 0 {
            row.control = Some(format!("saw {} torn ends", grouped(done.torn_seen)));
        }
        self.row(row);
        Ok(())
    }

    fn bounds(&mut self) -> Result<()> {
        const HARNESS: &str = "files that are too long, too deep, too many";
        if let Err(why) = can_trace().and_then(|()| self.is_built()) {
            self.row(Row::skipped(HARNESS, "the program", why));
            return Ok(());
        }
        let bounded = bounds::measure(&self.me, &self.annals, self.effort.bounds_part)?;
        for text in &bounded.texts {
            eprintln!("  {text}");
        }
        let mut row = Row { harness: HARNESS, place: String::from("the program"), ..Row::default() };
        row.tried = format!("{} runs, at most {} MiB", bounded.runs, bounded.peak >> 20);
        row.tally.bad = bounded.bad;
        row.tally.texts = bounded.texts.into_iter().filter(|text| text.starts_with("BAD")).collect();
        if bounded.control > bounds::PEAK_MAX || self.effort.bounds_part > 1 {
            row.control = Some(format!("{} MiB", bounded.control >> 20));
        }
        self.row(row);
        Ok(())
    }

    fn is_built(&self) -> Result<()> {
        if self.annals.is_file() { Ok(()) } else { Err(format!("{} is not built", self.annals.display())) }
    }

    fn sweep(&mut self) -> Result<()> {
        const HARNESS: &str = "system calls of the program fail or kill it";
        if let Err(why) = sweep::can_sweep().and_then(|()| self.is_built()) {
            self.row(Row::skipped(HARNESS, "strace", why));
            return Ok(());
        }
        let swept = sweep::sweep(&self.annals, self.effort.sweep_step, sweep::Program::Whole)?;
        let control = sweep::sweep(&self.annals, self.effort.sweep_step, sweep::Program::Shell)?;
        self.row(Row {
            harness: HARNESS,
            place: String::from("strace"),
            tried: format!("{} commands, {} runs", sweep::COMMANDS, grouped(swept.times)),
            control: caught(&control, "runs"),
            tally: swept,
            ..Row::default()
        });
        Ok(())
    }
}

const KILL: &str = "kill -9 one of 2, 4, 8 writers";

/// What was done to a writer that is broken on purpose; nothing, if it wasn't caught.
fn caught(control: &Tally, what: &str) -> Option<String> {
    let Tally { times, lost, bad, .. } = *control;
    let mut text = String::new();
    if lost > 0 {
        let _ = write!(text, "{} lost, ", grouped(lost));
    }
    (bad > 0).then(|| format!("{text}{} of {} {what} bad", grouped(bad), grouped(times)))
}

/// What kind of file system a folder is on.
fn file_system_of(folder: &Path) -> String {
    let output = std::process::Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output();
    let name =
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    match name.as_str() {
        "ext2/ext3" => String::from("ext4"),
        "" => String::from("unknown"),
        _ => name,
    }
}
