//! A trust store: files that are allowed, denied and revoked, over and over.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use annals_trust::{TrustOptions, Verdict};

use super::{Handle, Result, Setting, Subject, said, text, token};
use crate::ledger::{DOUBT, Found, Step};

/// A trust store.
#[derive(Clone, Copy, Debug)]
pub struct Trust;

struct Open {
    trust: annals_trust::Trust,
    folder: PathBuf,
    writer: usize,
}

fn options() -> TrustOptions {
    TrustOptions::new().wait(Duration::from_secs(60))
}

fn file(writer: usize) -> String {
    format!("file-{writer}")
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(said)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(said)
}

impl Subject for Trust {
    fn name(&self) -> &'static str {
        "trust"
    }

    fn step(&self, writer: usize, n: u64) -> Step {
        let value = match n % 6 {
            0 | 3 | 5 => "allowed",
            1 => "denied",
            _ => return Step::Take(file(writer)),
        };
        Step::Set(file(writer), String::from(value))
    }

    fn prepare(&self, folder: &Path, writers: usize) -> Result<()> {
        let dir = folder.join("files");
        fs::DirBuilder::new().mode(0o700).recursive(true).create(&dir).map_err(said)?;
        for writer in 0..writers {
            write_file(&dir.join(file(writer)), &text(&token(writer, 0), 100))?;
        }
        Ok(())
    }

    fn open(&self, folder: &Path, writer: usize, _setting: Setting) -> Result<Box<dyn Handle>> {
        // What is decided is always on the device when it is acknowledged.
        let trust = options().open(folder.join("trust.jsonl"));
        Ok(Box::new(Open { trust, folder: folder.join("files"), writer }))
    }

    fn read(&self, folder: &Path, _setting: Setting) -> Result<Found> {
        let trust = options().open(folder.join("trust.jsonl"));
        let mut found = Found::new();
        for entry in fs::read_dir(folder.join("files")).map_err(said)? {
            let entry = entry.map_err(said)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            match trust.check(&entry.path()).map_err(said)? {
                Verdict::Allowed(approved) => {
                    if approved.bytes() != fs::read(entry.path()).map_err(said)? {
                        return Err(format!("{name}: other bytes than those of the file"));
                    }
                    found.insert(name, String::from("allowed"));
                }
                Verdict::Denied { .. } => drop(found.insert(name, String::from("denied"))),
                Verdict::Unknown { is_doubtful: true, .. } => drop(found.insert(name, String::from(DOUBT))),
                Verdict::Unknown { .. } => {}
                other => return Err(format!("{name}: {other:?}")),
            }
        }
        Ok(found)
    }
}

impl Handle for Open {
    fn apply(&mut self, n: u64) -> Result<()> {
        let path = self.folder.join(file(self.writer));
        match n % 6 {
            0 | 3 | 5 => {
                let seen = self.trust.look(&path).map_err(said)?;
                self.trust.allow(&path, seen.digest).map(drop).map_err(said)
            }
            1 => self.trust.deny(&path).map_err(said),
            _ => self.trust.revoke(&path).map(drop).map_err(said),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
