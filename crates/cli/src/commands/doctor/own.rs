//! What annals keeps itself: finding it, and the stores that are one file each, memory and approvals.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use annals_memory::MemoryOptions;
use annals_session::{List, ListOptions, Store};
use annals_trust::{Decided, Entry, Trust, TrustOptions};
use jsonl_core::ReadOptions;

use super::findings::{Findings, Kind};
use super::{Kept, Look, catalog, command_on, counted, permissions, sessions};
use crate::exit::Failure;
use crate::human::{count, plural};
use crate::store::Home;

/// The stores, as far as they can be opened.
pub(super) struct Stores {
    root: Option<PathBuf>,
    sessions: Option<(Store, List)>,
}

impl Stores {
    pub(super) fn find(home: &Home, findings: &mut Findings) -> Self {
        let root = home.path().map(Path::to_owned);
        let list = || -> Result<(Store, List), Failure> {
            let store = home.store()?;
            let list = store.list(&ListOptions::new().titles(false).archived(true))?;
            Ok((store, list))
        };
        let sessions = match list() {
            Ok((store, mut list)) => {
                for unlisted in list.unlisted.drain(..) {
                    findings.failure("sessions", &unlisted.error.into());
                }
                Some((store, list))
            }
            Err(failure) => {
                findings.failure("sessions", &failure);
                None
            }
        };
        Self { root, sessions }
    }

    /// Bytes of what was said.
    pub(super) fn len(&self) -> u64 {
        let listed = self.sessions.iter().flat_map(|(_, list)| &list.sessions);
        listed.map(|listed| listed.len).sum()
    }

    pub(super) fn look(&self, look: &Look, kept: &mut Vec<Kept>, findings: &mut Findings) {
        if let Some((store, list)) = &self.sessions {
            sessions::look(store, &list.sessions, look, kept, findings);
        }
        if let Some(root) = &self.root {
            memory(&root.join("memory.jsonl"), kept, findings);
            trust(&root.join("trusted-projects"), kept, findings);
            catalog::own(&root.join("catalog"), kept, findings);
            permissions::own(root, findings);
        }
    }
}

/// A log of ours of which nothing more is known.
pub(super) fn judge(who: &'static str, path: &Path, findings: &mut Findings) {
    match ReadOptions::new().damages_kept(0).open(path).and_then(|log| log.verify()) {
        Ok(report) if report.is_clean() || report.is_in_flight() => {}
        Ok(report) => {
            let text = format!("{}: {}", super::at_home(path), plural(report.damaged(), "damaged line"));
            findings.add(Kind::Damaged, who, text, Some(command_on("annals verify", path)));
        }
        Err(error) => findings.failure(who, &error.into()),
    }
}

fn memory(path: &Path, kept: &mut Vec<Kept>, findings: &mut Findings) {
    const WHO: &str = "memory";
    if !is_there(path) {
        return;
    }
    let view = MemoryOptions::new().accept_loss(true).view(path);
    let verified = match view.and_then(|view| view.verify()) {
        Ok(verified) => verified,
        Err(error) => return findings.failure(WHO, &error.into()),
    };
    let gone = (verified.items - verified.active) as u64;
    let mut holds = vec![plural(verified.active as u64, "item")];
    if gone > 0 {
        holds.push(format!("{} forgotten", count(gone)));
        let text = format!("{} still in the file", plural(gone, "forgotten item"));
        let next = Some(findings.annals("memory compact"));
        findings.add(Kind::Space, WHO, text, next);
    }
    kept.push(of_file(WHO, holds, path, findings));
    let next = Some(findings.annals("memory verify"));
    let report = &verified.report;
    if !verified.loss.is_empty() {
        findings.add(Kind::Damaged, WHO, verified.loss.to_string(), next);
    } else if report.damaged + report.fused > 0 {
        findings.add(Kind::Damaged, WHO, plural(report.damaged + report.fused, "damaged line"), next);
    } else if report.odd > 0 {
        findings.add(Kind::Stuck, WHO, plural(report.odd, "odd line"), next);
    } else if report.torn > 0 {
        findings.add(Kind::Unfinished, WHO, plural(report.torn, "unfinished line"), None);
    }
    lock(WHO, "the log", path, findings);
}

fn trust(path: &Path, kept: &mut Vec<Kept>, findings: &mut Findings) {
    const WHO: &str = "trust";
    if !is_there(path) {
        return;
    }
    let trust: Trust = TrustOptions::new().program("annals").open(path);
    let looked = || Ok::<_, annals_trust::Error>((trust.list()?, trust.report()?));
    let (entries, report) = match looked() {
        Ok(looked) => looked,
        Err(error @ annals_trust::Error::Unsafe { .. }) => {
            return findings.add(Kind::Open, WHO, error.to_string(), None);
        }
        Err(error) => return findings.failure(WHO, &error.into()),
    };
    let allows = entries.iter().filter(|entry| matches!(entry.decision, Decided::Allow(_))).count();
    let denies = entries.iter().filter(|entry| entry.decision == Decided::Deny).count();
    let holds = counted(&[(allows as u64, "approval"), (denies as u64, "denial")]);
    kept.push(of_file(WHO, holds, path, findings));
    let is_doubtful = |entry: &&Entry| entry.is_doubtful;
    let doubtful = entries.iter().filter(is_doubtful).count() as u64;
    if report.damaged > 0 {
        let lines = plural(report.damaged, "damaged line");
        let text = match doubtful {
            0 => lines,
            1 => format!("{lines}; 1 approval in front counts for nothing until it is given again"),
            many => {
                format!("{lines}; {} approvals in front count for nothing until given again", count(many))
            }
        };
        let next = Some(findings.annals("trust list"));
        findings.add(Kind::Damaged, WHO, text, next);
    } else if report.torn > 0 {
        findings.add(Kind::Unfinished, WHO, plural(report.torn, "unfinished line"), None);
    }
    if let Ok(gone) = trust.prune(true)
        && !gone.is_empty()
    {
        let text = format!("{} of files that are gone", plural(gone.len() as u64, "approval"));
        let next = Some(findings.annals("trust prune"));
        findings.add(Kind::Space, WHO, text, next);
    }
    lock(WHO, "the log", path, findings);
}

/// Whether anything has the name, also a link to nothing, or something that can't be looked at.
fn is_there(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// A store that is one file, which has something in it from its beginning on.
pub(super) fn of_file(who: &'static str, holds: Vec<String>, path: &Path, findings: &mut Findings) -> Kept {
    let len = len_of(path);
    if len == 0 {
        let text = String::from("empty, so it was begun and never written to, or somebody has emptied it");
        findings.add(Kind::Unfinished, who, text, None);
    }
    Kept { who, holds: holds.join(", "), len, paths: vec![path.to_owned()] }
}

pub(super) fn len_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Who writes to a log just now.
pub(super) fn lock(who: &'static str, what: &str, path: &Path, findings: &mut Findings) {
    match jsonl_core::holder(path) {
        Ok(holder) => findings.holder(who, what, holder),
        Err(error) => findings.failure(who, &error.into()),
    }
}
