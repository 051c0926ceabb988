//! Runs the program under `strace`, which lets each of its system calls fail or kills it there, and looks at what it leaves behind.
//!
//! Whoever reads the exit code has to be able to rely on it: with 0 the command is done, with anything else either nothing
//! or all of it. The program itself has to end in order and in time, and the same command has to work afterwards. Of a command that
//! reads (`reading`), the answer is the same as ever, or there is none.

mod reading;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use crate::place::quick_folder;
use crate::subject::{Result, said};
use crate::tally::{LANES, Tally, side_by_side};

const KILL: &str = "signal=SIGKILL";

/// What is done to a call.
const FAULTS: [&str; 4] = [KILL, "error=EIO", "error=ENOSPC", "error=EINTR"];

/// The calls that touch files, as strace knows them.
const CALLS: &str = "%file,read,pread64,write,pwrite64,fsync,fdatasync,ftruncate,flock,fstat,lseek,getdents64,fchmod,fchown,copy_file_range";

/// Seconds after which the program is taken to hang.
const SECONDS_MAX: &str = "20";

/// A command, and how to see what it has done. `$A` is the program; words that begin with `tok-` are what is compared.
struct Script {
    name: &'static str,
    setup: &'static str,
    command: &'static str,
    state: &'static str,
}

const fn script(
    name: &'static str,
    setup: &'static str,
    command: &'static str,
    state: &'static str,
) -> Script {
    Script { name, setup, command, state }
}

const THREE: &str = "for t in a b c; do $A append k --role user tok-$t; done";
const TRUNCATED: &str =
    "for t in a b c; do $A append k --role user tok-$t; done; $A truncate k --keep-last 1";
const ITEMS: &str = "for t in a b c; do $A memory add tok-$t; done; $A memory forget 2";
const FILE: &str = "umask 077; mkdir p; echo hello > p/f";
const CATALOG: &str = r#"$A catalog --own init; echo '{"ts":"2026-02-03T08:15:00.098Z","event_id":"evt_1","op":"session_seen","stable_id":"sess_1","payload":{"claude_session_id":"a","cwd":"/w"}}' >> h/catalog/sessions-db-events.jsonl"#;
const SHOW_ALL: &str = "$A show k; $A show k --all";
const MEMORY: &str = "$A memory list";
const TRUST: &str = "$A trust check p/f > checked; echo tok-$?";
const SESSION: &str = "$A catalog --own show sess_1";
const PLACES: &str =
    "ls h/sessions/k.jsonl && echo tok-active; ls h/sessions/archive/k/* && echo tok-archived; $A show k";

const SCRIPTS: [Script; 26] = [
    script("append", THREE, "append k --role user tok-d", "$A show k"),
    script("append, new session", "true", "append k --role user tok-a", "$A show k"),
    script(
        "append, torn log",
        "$A append k --role user tok-a; printf '{\"seq\":2,' >> h/sessions/k.jsonl",
        "append k --role user tok-d",
        "$A show k",
    ),
    script("truncate", THREE, "truncate k --keep-last 1", "$A show k"),
    script("compact", TRUNCATED, "compact k", SHOW_ALL),
    script("summary", THREE, "summary k tok-s", "$A summary k"),
    script("metadata", THREE, "metadata k {\"m\":\"tok-m\"}", "$A metadata k"),
    script("archive", THREE, "archive k", PLACES),
    script("restore", "$A append k --role user tok-a; $A archive k", "restore k", PLACES),
    script("rm", THREE, "rm k", PLACES),
    script("fork", THREE, "fork k other", "$A show other"),
    script(
        "import",
        r#"umask 077; mkdir in; for t in a b; do echo '{"role":"user","content":"tok-'$t'","created_at":"2026-02-03T08:15:00Z"}' >> in/k.jsonl; done; echo '{"key":"k","skip":0}' > in/k.meta.json"#,
        "import in",
        SHOW_ALL,
    ),
    script(
        "import of a transcript",
        r#"umask 077; mkdir in; for n in 1 2; do echo '{"type":"user","uuid":"u'$n'","parentUuid":null,"sessionId":"s","timestamp":"2026-02-03T08:15:00.098Z","cwd":"/w","message":{"role":"user","content":"tok-t'$n'"}}' >> in/s.jsonl; done"#,
        "import in/s.jsonl",
        "cat h/sessions/*.jsonl",
    ),
    script("alias", THREE, "alias other k", "$A show other"),
    script("memory add", ITEMS, "memory add tok-d", MEMORY),
    script("memory add, first", "true", "memory add tok-d", MEMORY),
    script("memory forget", ITEMS, "memory forget 1", MEMORY),
    script("memory supersede", ITEMS, "memory supersede 1 tok-d", MEMORY),
    script("memory compact", ITEMS, "memory compact", MEMORY),
    script("trust allow", FILE, "trust allow --yes p/f", TRUST),
    script(
        "trust revoke",
        "umask 077; mkdir p; echo hello > p/f; $A trust allow --yes p/f",
        "trust revoke p/f",
        TRUST,
    ),
    script(
        "trust deny",
        "umask 077; mkdir p; echo hello > p/f; $A trust allow --yes p/f",
        "trust deny p/f",
        TRUST,
    ),
    script("catalog alias", CATALOG, "catalog --own alias sess_1 tok-n", SESSION),
    script("catalog link", CATALOG, "catalog --own link sess_1 --task tok-t", SESSION),
    script("catalog rebuild", CATALOG, "catalog --own rebuild", SESSION),
    script(
        "log repair",
        r#"printf '{"a":"tok-a"}\n{"b":\n{"c":"tok-c"}' > log.jsonl"#,
        "log repair log.jsonl",
        "grep -v '^{\"b\":$' log.jsonl",
    ),
];

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The program itself.
    Whole,
    /// The negative control: a shell that does what `memory forget` does, as such things are written.
    Shell,
}

/// The control: it rewrites the file in place, and ends with 0.
const SHELL: Script = script(
    "rewrite in place",
    "for t in a b c; do echo \"tok-$t\" >> log; done",
    "grep -v tok-a log > new; cat new > log; rm new; true",
    "cat log",
);

/// In larger steps than this the control is not swept: few of its calls are those that it is caught by.
const CONTROL_STEP: usize = 8;

/// How many commands are swept through.
pub const COMMANDS: usize = SCRIPTS.len() + reading::SCRIPTS.len();

/// Why this can't be done here, if so.
pub fn can_sweep() -> Result<()> {
    let tried =
        Command::new("strace").args(["-o", "/dev/null", "-e", "inject=fsync:error=EIO", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(String::from("strace may not trace here")),
        Err(_) => Err(String::from("there is no strace")),
    }
}

/// Sweeps through every `step`th call of every command. Acknowledged is what ended with 0, refused what told of an error or was killed.
pub fn sweep(annals: &Path, step: usize, program: Program) -> Result<Tally> {
    if program == Program::Shell {
        let shell = Path::new("/bin/sh");
        let mut tally = Lane::new(shell, &SHELL)?.sweep(step.min(CONTROL_STEP))?;
        tally.add(Lane::new(shell, &reading::SHELL)?.sweep_reading(step.min(CONTROL_STEP))?);
        return Ok(tally);
    }
    side_by_side(|lane| {
        let mut tally = Tally::default();
        for script in SCRIPTS.iter().skip(lane).step_by(LANES) {
            tally.add(Lane::new(annals, script)?.sweep(step)?);
        }
        for script in reading::SCRIPTS.iter().skip(lane).step_by(LANES) {
            tally.add(Lane::new(annals, script)?.sweep_reading(step)?);
        }
        Ok(tally)
    })
}

/// One command in a folder of its own.
struct Lane<'a> {
    annals: &'a Path,
    script: &'a Script,
    folder: tempfile::TempDir,
}

impl<'a> Lane<'a> {
    fn new(annals: &'a Path, script: &'a Script) -> Result<Self> {
        Ok(Self { annals, script, folder: quick_folder()? })
    }

    /// Where it all happens, in every run the same: a store may know things by their paths.
    fn place(&self) -> PathBuf {
        self.folder.path().join("place")
    }

    fn in_place(&self, program: &str) -> Command {
        let place = self.place();
        let mut command = Command::new(program);
        command.current_dir(&place).env("A", self.annals).env("HOME", &place);
        command.env("ANNALS_HOME", place.join("h")).stdin(Stdio::null());
        command
    }

    /// Makes what each run begins with.
    fn set_up(&self) -> Result<()> {
        fs::create_dir(self.place()).map_err(said)?;
        let made = self.in_place("sh").args(["-ec", self.script.setup]).output().map_err(said)?;
        if !made.status.success() {
            return Err(format!("{}: {}", self.script.name, String::from_utf8_lossy(&made.stderr)));
        }
        let template = self.folder.path().join("template");
        fs::rename(self.place(), &template).map_err(said)?;
        self.begin_again()
    }

    fn sweep(&self, step: usize) -> Result<Tally> {
        self.set_up()?;
        let before = self.state()?;
        let counts = self.count(Some(0))?;
        let after = self.state()?;
        let mut tally = Tally::default();
        for (call, nth) in points(&counts).step_by(step) {
            for fault in FAULTS {
                self.begin_again()?;
                let output = self.run(call, nth, fault)?;
                tally.times += 1;
                let mut texts = self.judge(&output, fault, &before, &after, &mut tally)?;
                // Whatever it was, it works now.
                let again = self.annals().output().map_err(said)?;
                let now = self.state()?;
                let is_done = again.status.success() || self.state_allows_refusal(&again.status);
                if !is_done || (now != after && !self.adds_twice(&before, &after, &now)) {
                    texts.push(format!("afterwards it ends with {} and leaves {now:?}", again.status));
                }
                tally.note(&texts, format_args!("{}: {call} {nth} {fault}", self.script.name));
            }
        }
        Ok(tally)
    }

    /// A command that was done may have nothing left to do: 1 and 3 say so.
    fn state_allows_refusal(&self, status: &ExitStatus) -> bool {
        matches!(status.code(), Some(1 | 3))
    }

    /// What is added by every run is there once for each run that did it.
    fn adds_twice(&self, before: &[String], after: &[String], now: &[String]) -> bool {
        let added: Vec<&String> = after.iter().filter(|word| !before.contains(word)).collect();
        let mut more: Vec<String> = now.to_vec();
        for word in added {
            if let Some(at) = more.iter().rposition(|found| found == word)
                && more.iter().filter(|found| *found == word).count()
                    > after.iter().filter(|found| *found == word).count()
            {
                more.remove(at);
            }
        }
        more == after
    }

    fn begin_again(&self) -> Result<()> {
        let place = self.place();
        if place.exists() {
            fs::remove_dir_all(&place).map_err(said)?;
        }
        let copied =
            Command::new("cp").arg("-a").arg(self.folder.path().join("template")).arg(&place).status();
        if copied.map_err(said)?.success() { Ok(()) } else { Err(String::from("can't copy")) }
    }

    /// The program with the command, as it is.
    fn annals(&self) -> Command {
        let mut command = self.in_place(&self.annals.to_string_lossy());
        self.add_command(&mut command);
        command
    }

    fn add_command(&self, command: &mut Command) {
        if self.annals == Path::new("/bin/sh") {
            command.args(["-c", self.script.command]);
        } else {
            command.args(self.script.command.split(' '));
        }
    }

    fn strace(&self, args: &[&str]) -> Command {
        let mut command = self.in_place("timeout");
        command.args(["-s", "KILL", SECONDS_MAX, "strace", "-f", "-qq"]).args(args).arg(self.annals);
        self.add_command(&mut command);
        command
    }

    /// How often each call is made until the command ends with that code.
    fn count(&self, code: Option<i32>) -> Result<BTreeMap<String, usize>> {
        let log = self.folder.path().join("calls");
        let traced = self.strace(&["-o", &log.to_string_lossy(), "-e", &format!("trace={CALLS}")]).output();
        let traced = traced.map_err(said)?;
        if traced.status.code() != code {
            return Err(format!("{}: {}", self.script.name, String::from_utf8_lossy(&traced.stderr)));
        }
        let mut counts = BTreeMap::new();
        for line in fs::read_to_string(&log).map_err(said)?.lines() {
            // `12345 openat(AT_FDCWD, …`
            let call =
                line.split_whitespace().nth(1).and_then(|rest| rest.split('(').next()).unwrap_or_default();
            if call.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
                && call != "execve"
            {
                *counts.entry(call.to_owned()).or_default() += 1;
            }
        }
        Ok(counts)
    }

    fn run(&self, call: &str, nth: usize, fault: &str) -> Result<Output> {
        let inject = format!("inject={call}:{fault}:when={nth}");
        self.strace(&["-o", "/dev/null", "-e", &inject]).output().map_err(said)
    }

    fn judge(
        &self,
        output: &Output,
        fault: &str,
        before: &[String],
        after: &[String],
        tally: &mut Tally,
    ) -> Result<Vec<String>> {
        let mut texts = disorder(output, fault);
        let status = output.status;
        if status.code() == Some(0) {
            tally.acknowledged += 1;
        } else {
            tally.refused += 1;
        }
        let now = self.state()?;
        if status.code() == Some(0) && now != after {
            tally.lost += 1;
            texts.push(format!("it ends with 0 and leaves {now:?}"));
        } else if now != before && now != after {
            texts.push(format!("it ends with {status}, killed: {}, and leaves {now:?}", is_killed(status)));
        }
        Ok(texts)
    }

    /// The words that count, in order, without any fault.
    fn state(&self) -> Result<Vec<String>> {
        let output = self
            .in_place("sh")
            .args(["-c", self.script.state])
            .stderr(Stdio::null())
            .output()
            .map_err(said)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        let words = text.split(|letter| !is_word(letter)).filter(|word| word.starts_with("tok-"));
        let mut words: Vec<String> = words.map(str::to_owned).collect();
        words.sort();
        Ok(words)
    }
}

/// Every call that was counted: its name, and which of those it is.
fn points(counts: &BTreeMap<String, usize>) -> impl Iterator<Item = (&String, usize)> {
    counts.iter().flat_map(|(call, count)| (1..=*count).map(move |nth| (call, nth)))
}

/// strace ends as the program did.
fn is_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9) || status.code() == Some(137)
}

/// How a program must not end.
fn disorder(output: &Output, fault: &str) -> Vec<String> {
    let (status, talk) = (output.status, String::from_utf8_lossy(&output.stderr));
    let mut texts = Vec::new();
    if matches!(status.code(), Some(101 | 134 | 139)) {
        texts.push(format!("it ends with {status}: {talk:.300}"));
    }
    // Nobody else kills it but who waits no longer.
    if is_killed(status) && fault != KILL {
        texts.push(String::from("it doesn't end"));
    }
    if talk.contains("panicked") {
        texts.push(format!("a panic: {talk:.300}"));
    }
    texts
}
