//! Writers in processes of their own, and what they have said.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::subject::{Result, Subject, said};
use crate::worker::{Job, Said};

/// A writer in a process of its own.
#[derive(Debug)]
pub struct Writer {
    child: Child,
    writer: usize,
    heard: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
}

/// Everything that a writer has said.
#[derive(Clone, Debug)]
pub struct Told {
    writer: usize,
    text: String,
}

impl Writer {
    /// Starts one.
    pub fn start(program: &Path, job: &Job) -> Result<Self> {
        Self::spawn(Command::new(program).args(job.args()), job.writer)
    }

    /// Starts whatever the command says; it speaks as a worker does.
    pub fn spawn(command: &mut Command, writer: usize) -> Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(said)?;
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let out = child.stdout.take();
        let to = Arc::clone(&heard);
        let listener = thread::spawn(move || {
            let Some(mut out) = out else { return };
            let mut piece = vec![0; 1 << 16];
            while let Ok(len @ 1..) = out.read(&mut piece) {
                to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..len]);
            }
        });
        Ok(Self { child, writer, heard, listener: Some(listener) })
    }

    /// What it has said up to now.
    pub fn so_far(&self) -> Told {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        Told { writer: self.writer, text: String::from_utf8_lossy(&heard).into_owned() }
    }

    /// Kills it, whatever it is doing. If it had ended by itself before that, with an error, says so.
    pub fn kill(&mut self) -> Result<()> {
        let _ = self.child.kill();
        let status = self.child.wait().map_err(said)?;
        if status.signal() == Some(9) || status.success() {
            return Ok(());
        }
        Err(format!("writer {} ended by itself: {status}", self.writer))
    }

    /// Waits for its end; an error if it goes on for more than a minute.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().map_err(said)? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                self.kill()?;
                return Err(format!("writer {} goes on and on", self.writer));
            }
            thread::sleep(Duration::from_micros(300));
        }
    }

    /// All that it has said, when it has ended.
    pub fn told(mut self) -> Told {
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        self.so_far()
    }
}

impl Told {
    /// The words. The last line may be torn.
    pub fn words(&self) -> impl Iterator<Item = Said> + '_ {
        self.text.split_inclusive('\n').filter_map(|line| Said::parse(line.strip_suffix('\n')?))
    }

    /// How many operations were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.words().filter(|said| matches!(said, Said::Acknowledged(_))).count()
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        self.text.lines().find(|line| line.starts_with("failed"))
    }

    /// Enters what it has begun and what was acknowledged; of acknowledgements only the first so many count.
    pub fn enter(&self, subject: &dyn Subject, ledger: &mut Ledger, acknowledged_max: usize) {
        let mut acknowledged = 0;
        for said in self.words() {
            match said {
                Said::Begins(n) => ledger.begin(subject.step(self.writer, n)),
                Said::Acknowledged(n) if acknowledged < acknowledged_max => {
                    acknowledged += 1;
                    ledger.acknowledge(subject.step(self.writer, n));
                }
                _ => {}
            }
        }
    }
}
