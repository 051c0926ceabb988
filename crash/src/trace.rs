//! Stands outside of a process and decides what becomes of each of its system calls.
//!
//! A fault that comes from outside needs nothing in the program: the crates under test have no trait to put a broken disk
//! behind, no feature and no test door, and what is tested is what is shipped, down to the last call of whatever library.
//! The price is two stops for each call (some microseconds).
//!
//! Threads that the process starts are not seen. Only on Linux on x86-64, and where the kernel lets a process trace its children.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::libc::user_regs_struct;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A call that the process is about to make.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its number on x86-64.
    pub number: u64,
    /// Its arguments.
    pub args: [u64; 6],
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made as it is.
    Let,
    /// It isn't made, and fails.
    Fail(Errno),
    /// It isn't made, and succeeds with this.
    Pretend(u64),
    /// It is made for so many bytes: a short read or write.
    Shorten(u64),
    /// The process dies instead of making it.
    Kill,
}

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this.
    Exited(i32),
    /// By a signal.
    Killed(Signal),
}

/// A process whose calls are decided upon. Killed when dropped.
#[derive(Debug)]
pub struct Traced {
    child: Child,
    pid: Pid,
    memory: File,
    ended: Option<Ended>,
}

/// Whether processes can be traced here; why not, if they can't.
pub fn can_trace() -> Result<(), String> {
    let mut command = Command::new("/bin/true");
    let mut traced = Traced::start(&mut command).map_err(|error| error.to_string())?;
    match traced.run(|_, _| Action::Let, |_, _, _| ()) {
        Ok(Ended::Exited(0)) => Ok(()),
        other => Err(format!("a traced process ended with {other:?}")),
    }
}

impl Traced {
    /// Starts a command behind a shell that waits until it is traced, so that its first call is seen, too. The command has no
    /// standard input; its standard output and error are as the caller has set them.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut waiting = Command::new("/bin/sh");
        waiting.args(["-c", "read go && exec \"$@\" <&-", "sh"]).arg(command.get_program());
        waiting.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => waiting.env(name, value),
                None => waiting.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            waiting.current_dir(dir);
        }
        waiting.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = waiting.spawn()?;
        let pid = Pid::from_raw(child.id() as i32);
        let options =
            Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACEEXEC;
        ptrace::seize(pid, options)?;
        ptrace::interrupt(pid)?;
        waitpid(pid, Some(WaitPidFlag::__WALL))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(b"\n")?;
        }
        // Opened before the exec, it would go on showing the shell's memory.
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let mut traced = Self { child, pid, memory, ended: None };
        traced.until_exec()?;
        traced.memory = File::open(format!("/proc/{pid}/mem"))?;
        Ok(traced)
    }

    fn until_exec(&mut self) -> io::Result<()> {
        let mut signal = None;
        loop {
            ptrace::cont(self.pid, signal)?;
            match waitpid(self.pid, Some(WaitPidFlag::__WALL))? {
                WaitStatus::PtraceEvent(_, _, event) if event == Event::PTRACE_EVENT_EXEC as i32 => break,
                // It stopped once more before: what is opened now would go on showing the shell's memory, in which nothing is ever found.
                WaitStatus::PtraceEvent(..) => signal = None,
                WaitStatus::Stopped(_, found) => signal = Some(found),
                other => return Err(io::Error::other(format!("it ended before it began: {other:?}"))),
            }
        }
        // The end of the exec itself: from here on, stops come in pairs.
        self.next_stop(&mut None).map(drop)
    }

    /// Lets the process run to its end: `decide` is asked before each call, `made` is told afterwards what it returned.
    pub fn run(
        &mut self,
        mut decide: impl FnMut(&Self, &Call) -> Action,
        mut made: impl FnMut(&Self, &Call, i64),
    ) -> io::Result<Ended> {
        let mut signal = None;
        while let Some(entry) = self.next_stop(&mut signal)? {
            let call = Call {
                number: entry.orig_rax,
                args: [entry.rdi, entry.rsi, entry.rdx, entry.r10, entry.r8, entry.r9],
            };
            let action = decide(self, &call);
            match action {
                Action::Let => {}
                Action::Fail(_) | Action::Pretend(_) => {
                    // A number that no call has: the kernel does nothing.
                    ptrace::setregs(self.pid, user_regs_struct { orig_rax: u64::MAX, ..entry })?;
                }
                Action::Shorten(len) => ptrace::setregs(self.pid, user_regs_struct { rdx: len, ..entry })?,
                Action::Kill => {
                    self.kill()?;
                    break;
                }
            }
            let Some(exit) = self.next_stop(&mut signal)? else { break };
            let result = match action {
                Action::Fail(error) => -i64::from(error as i32),
                Action::Pretend(value) => value.cast_signed(),
                _ => exit.rax.cast_signed(),
            };
            if matches!(action, Action::Fail(_) | Action::Pretend(_)) {
                ptrace::setregs(self.pid, user_regs_struct { rax: result.cast_unsigned(), ..exit })?;
            }
            made(self, &call, result);
        }
        self.ended.ok_or_else(|| io::Error::other("the process is still there"))
    }

    /// Lets the process run undisturbed, and says how much memory it had in use at most, in bytes.
    pub fn peak_memory(&mut self) -> io::Result<(Ended, u64)> {
        ptrace::setoptions(self.pid, Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACEEXIT)?;
        let (mut signal, mut peak) = (None, 0);
        loop {
            ptrace::cont(self.pid, signal.take())?;
            let ended = match waitpid(self.pid, Some(WaitPidFlag::__WALL))? {
                // At its end everything is still there.
                WaitStatus::PtraceEvent(..) => {
                    peak = self.high_water().unwrap_or(peak);
                    continue;
                }
                WaitStatus::Stopped(_, found) => {
                    signal = Some(found);
                    continue;
                }
                WaitStatus::Exited(_, code) => Ended::Exited(code),
                WaitStatus::Signaled(_, signal, _) => Ended::Killed(signal),
                _ => continue,
            };
            self.ended = Some(ended);
            return Ok((ended, peak));
        }
    }

    /// `VmHWM:     1234 kB`.
    fn high_water(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
    }

    /// Runs to the next beginning or end of a call; `None` when the process has ended.
    fn next_stop(&mut self, signal: &mut Option<Signal>) -> io::Result<Option<user_regs_struct>> {
        loop {
            match ptrace::syscall(self.pid, signal.take()) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error.into()),
            }
            match waitpid(self.pid, Some(WaitPidFlag::__WALL))? {
                WaitStatus::PtraceSyscall(_) => return Ok(Some(ptrace::getregs(self.pid)?)),
                WaitStatus::Exited(_, code) => {
                    self.ended = Some(Ended::Exited(code));
                    return Ok(None);
                }
                WaitStatus::Signaled(_, signal, _) => {
                    self.ended = Some(Ended::Killed(signal));
                    return Ok(None);
                }
                WaitStatus::Stopped(_, found) => *signal = Some(found),
                _ => {}
            }
        }
    }

    fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        loop {
            match waitpid(self.pid, Some(WaitPidFlag::__WALL))? {
                WaitStatus::Signaled(_, signal, _) => {
                    self.ended = Some(Ended::Killed(signal));
                    return Ok(());
                }
                WaitStatus::Exited(_, code) => {
                    self.ended = Some(Ended::Exited(code));
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// Where a descriptor leads.
    pub fn path_of(&self, descriptor: u64) -> Option<String> {
        let link = std::fs::read_link(format!("/proc/{}/fd/{descriptor}", self.pid)).ok()?;
        Some(link.to_string_lossy().into_owned())
    }

    /// Bytes of the process's memory; fewer, where it has fewer.
    pub fn bytes(&self, address: u64, len: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let mut read = 0;
        while read < bytes.len() {
            match self.memory.read_at(&mut bytes[read..], address + read as u64) {
                Ok(0) | Err(_) => break,
                Ok(count) => read += count,
            }
        }
        bytes.truncate(read);
        bytes
    }

    /// A text of the process's memory that ends with a NUL, such as a path.
    pub fn text(&self, address: u64) -> String {
        let mut text = Vec::new();
        loop {
            // Up to the end of a page: the next one may not be there.
            let at = address + text.len() as u64;
            let piece = self.bytes(at, 4096 - at % 4096);
            let end = piece.iter().position(|byte| *byte == 0);
            text.extend_from_slice(&piece[..end.unwrap_or(piece.len())]);
            if end.is_some() || piece.is_empty() || text.len() > 1 << 16 {
                return String::from_utf8_lossy(&text).into_owned();
            }
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = self.kill();
        }
    }
}
