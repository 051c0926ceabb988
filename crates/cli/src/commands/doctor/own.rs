//! What annals keeps itself: all of it, and the stores that are one file each, memory and approvals.

use std::fs;
use std::path::{Path, PathBuf};

use annals_memory::MemoryOptions;
use annals_trust::{Decided, Entry, Trust, TrustOptions};

use super::files::of_file;
use super::findings::{Findings, Kind};
use super::sessions::Sessions;
use super::{Kept, Look, catalog, counted, permissions};
use crate::files::is_gone;
use crate::human::{count, plural};
use crate::store::Home;

/// The stores, as far as they can be opened.
pub(super) struct Stores {
    root: Option<PathBuf>,
    sessions: Option<Sessions>,
}

impl Stores {
    pub(super) fn find(home: &Home, findings: &mut Findings) -> Self {
        Self { root: home.path().map(Path::to_owned), sessions: Sessions::find(home, findings) }
    }

    /// Bytes of what was said.
    pub(super) fn len(&self) -> u64 {
        self.sessions.as_ref().map_or(0, Sessions::len)
    }

    pub(super) fn look(&self, look: &Look, kept: &mut Vec<Kept>, findings: &mut Findings) {
        if let Some(sessions) = &self.sessions {
            sessions.look(look, kept, findings);
        }
        if let Some(root) = &self.root {
            memory(&root.join("memory.jsonl"), kept, findings);
            trust(&root.join("trusted-projects"), kept, findings);
            catalog::own(&root.join("catalog"), kept, findings);
            permissions::own(root, findings);
        }
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
    findings.holder(WHO, "the log", jsonl_core::holder(path));
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
    match trust.prune(true) {
        Ok(gone) if gone.is_empty() => {}
        Ok(gone) => {
            let text = format!("{} of files that are gone", plural(gone.len() as u64, "approval"));
            let next = Some(findings.annals("trust prune"));
            findings.add(Kind::Space, WHO, text, next);
        }
        Err(error) => findings.failure(WHO, &error.into()),
    }
    findings.holder(WHO, "the log", jsonl_core::holder(path));
}

/// Whether anything has the name, also a link to nothing, or something that can't be looked at.
pub(super) fn is_there(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => !is_gone(&error),
    }
}
