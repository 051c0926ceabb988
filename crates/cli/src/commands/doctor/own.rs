//! What annals keeps itself: sessions, memory, approvals, catalog.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use annals_catalog::{Catalog, CatalogOptions};
use annals_memory::MemoryOptions;
use annals_session::{List, ListOptions, Listed, Place, Session, Store};
use annals_trust::{Decided, Entry, Trust, TrustOptions};
use jsonl_core::ReadOptions;

use super::findings::{Findings, Kind};
use super::permissions;
use super::{Kept, Look, command, command_on, counted};
use crate::commands::transcripts::examine::Of;
use crate::commands::transcripts::verify::of_store;
use crate::exit::{Exit, Failure};
use crate::human::{count, name, plural, size};
use crate::store::Home;

/// The file of a session store that holds its aliases.
const ALIASES: &str = ".annals-store.jsonl";

/// What a session's log ends in.
const SUFFIX: &str = ".jsonl";

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
            sessions(store, &list.sessions, look, kept, findings);
        }
        if let Some(root) = &self.root {
            memory(&root.join("memory.jsonl"), kept, findings);
            trust(&root.join("trusted-projects"), kept, findings);
            own_catalog(&root.join("catalog"), kept, findings);
            permissions::own(root, findings);
        }
    }
}

fn sessions(store: &Store, all: &[Listed], look: &Look, kept: &mut Vec<Kept>, findings: &mut Findings) {
    const WHO: &str = "sessions";
    look_at_names(WHO, store, findings);
    if all.is_empty() {
        return;
    }
    let active = all.iter().filter(|listed| listed.place == Place::Active).count() as u64;
    let mut holds = vec![plural(active, "session")];
    let archived = all.len() as u64 - active;
    if archived > 0 {
        holds.push(format!("{} archived", count(archived)));
    }
    let removed: Vec<PathBuf> = all.iter().flat_map(|listed| removed(store, listed)).collect();
    let taken_out: u64 = removed.iter().map(|path| len_of(path)).sum();
    if taken_out > 0 {
        holds.push(format!("{} taken out and kept", size(taken_out)));
    }
    let len = all.iter().map(|listed| listed.len).sum::<u64>() + taken_out;
    kept.push(Kept { who: WHO, holds: holds.join(", "), len, paths: vec![store.dir().to_owned()] });
    for listed in all {
        session(WHO, store, listed, look, findings);
    }
    for path in removed.iter().filter(|_| !look.is_quick) {
        judge(WHO, path, findings);
    }
}

fn session(who: &'static str, store: &Store, listed: &Listed, look: &Look, findings: &mut Findings) {
    let target = of_store(store, listed);
    let key = name(&listed.key);
    // By its path: a key may be a file's name, an agent's id or an option, too.
    let verify = || Some(command_on("annals verify", &listed.path));
    if let (Of::Store(session), Place::Active) = (&target.of, listed.place) {
        match session.holder() {
            Ok(holder) => findings.holder(who, &key, holder),
            Err(error) => findings.failure(who, &error.into()),
        }
    }
    let hidden = listed.messages_kept.saturating_sub(listed.messages);
    if hidden > 0 && listed.place == Place::Active {
        let (of, len) = (count(listed.messages_kept), size(listed.len));
        let text = format!("{key}: {} of {of} messages are hidden, in {len}", count(hidden));
        // A key that can't be typed can't be named.
        let can_be_typed = name(&listed.key) == listed.key;
        let next = can_be_typed.then(|| command(&findings.annals("compact"), &listed.key));
        findings.add(Kind::Space, who, text, next);
    }
    if listed.len == 0 {
        let text = format!("{key}: empty, so it was begun and never written to, or somebody has emptied it");
        return findings.add(Kind::Unfinished, who, text, None);
    }
    if look.is_quick {
        return;
    }
    let examined = match target.examine(&look.options) {
        Ok(examined) => examined,
        Err(failure) => return findings.failure(who, &failure),
    };
    if examined.report.is_in_flight() && examined.oddities.is_empty() {
        return findings.add(Kind::Unfinished, who, format!("{key}: an unfinished last line"), None);
    }
    let mut wrong = examined.oddities.clone();
    if examined.report.damaged() > 0 && !examined.report.is_in_flight() {
        wrong.insert(0, plural(examined.report.damaged(), "damaged line"));
    }
    match examined.verdict().1 {
        Exit::Damaged => findings.add(Kind::Damaged, who, format!("{key}: {}", wrong.join(", ")), verify()),
        Exit::Findings => findings.add(Kind::Stuck, who, format!("{key}: {}", wrong.join(", ")), verify()),
        _ => {}
    }
}

/// The store's folder: its aliases, and what lies among the sessions and is none.
fn look_at_names(who: &'static str, store: &Store, findings: &mut Findings) {
    let aliases = store.dir().join(ALIASES);
    if aliases.exists() {
        judge(who, &aliases, findings);
        lock(who, "the aliases", &aliases, findings);
    }
    // A folder that isn't there yet has nothing in it; one that can't be listed was told before.
    for entry in fs::read_dir(store.dir()).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file && entry.file_name().to_string_lossy().ends_with(SUFFIX) {
            let path = super::at_home(&entry.path());
            findings.add(Kind::Stuck, who, format!("{path}: is no regular file, and is passed over"), None);
        }
    }
}

/// A log of ours of which nothing more is known.
fn judge(who: &'static str, path: &Path, findings: &mut Findings) {
    match ReadOptions::new().damages_kept(0).open(path).and_then(|log| log.verify()) {
        Ok(report) if report.is_clean() || report.is_in_flight() => {}
        Ok(report) => {
            let text = format!("{}: {}", super::at_home(path), plural(report.damaged(), "damaged line"));
            findings.add(Kind::Damaged, who, text, Some(command_on("annals verify", path)));
        }
        Err(error) => findings.failure(who, &error.into()),
    }
}

/// The files with what compactions have taken out of a session. Those of a key are named once, with its active or newest log.
fn removed(store: &Store, listed: &Listed) -> Vec<PathBuf> {
    let is_named = |session: &Session| session.exists().is_ok_and(|place| place == Some(listed.place));
    let session = store.session(&listed.key).ok().filter(is_named);
    session.and_then(|session| session.removed().ok()).unwrap_or_default()
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

fn own_catalog(folder: &Path, kept: &mut Vec<Kept>, findings: &mut Findings) {
    const WHO: &str = "catalog";
    let own = CatalogOptions::new().program("annals").open(folder);
    if own.exists() {
        let verify = findings.annals("catalog --own verify");
        catalog(WHO, &own, &verify, kept, findings);
        lock(WHO, "the log", own.log_path(), findings);
    } else if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        // What lies beside a log is made from it.
        let log = own.log_path().file_name().unwrap_or_default().to_string_lossy();
        let text = format!("{}: its log {log} is gone", super::at_home(folder));
        findings.add(Kind::Damaged, WHO, text, None);
    }
}

/// A catalog, our own or one of sessions-db.
pub(super) fn catalog(
    who: &'static str,
    catalog: &Catalog,
    verify: &str,
    kept: &mut Vec<Kept>,
    findings: &mut Findings,
) {
    let (projection, report) = match catalog.verify() {
        Ok(found) => found,
        Err(error) => return findings.failure(who, &error.into()),
    };
    let holds = counted(&[(projection.len() as u64, "session"), (report.events, "event")]);
    let path = catalog.log_path();
    let paths = vec![catalog.root().to_owned()];
    kept.push(Kept { who, holds: holds.join(", "), len: len_of(path), paths });
    let damaged = report.damaged + report.fused + report.torn.saturating_sub(1);
    if damaged > 0 {
        findings.add(Kind::Damaged, who, plural(damaged, "damaged line"), Some(verify.to_owned()));
    } else if report.torn > 0 {
        findings.add(Kind::Unfinished, who, String::from("an unfinished last line"), None);
    }
    if report.odd > 0 {
        let text = format!("{} that is no event", plural(report.odd, "line"));
        findings.add(Kind::Stuck, who, text, Some(verify.to_owned()));
    }
}

/// Whether anything has the name, also a link to nothing, or something that can't be looked at.
fn is_there(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// A store that is one file, which has something in it from its beginning on.
fn of_file(who: &'static str, holds: Vec<String>, path: &Path, findings: &mut Findings) -> Kept {
    let len = len_of(path);
    if len == 0 {
        let text = String::from("empty, so it was begun and never written to, or somebody has emptied it");
        findings.add(Kind::Unfinished, who, text, None);
    }
    Kept { who, holds: holds.join(", "), len, paths: vec![path.to_owned()] }
}

fn len_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Who writes to a log just now.
fn lock(who: &'static str, what: &str, path: &Path, findings: &mut Findings) {
    match jsonl_core::holder(path) {
        Ok(holder) => findings.holder(who, what, holder),
        Err(error) => findings.failure(who, &error.into()),
    }
}
