//! The sessions of the store: their logs, their aliases, and what compactions have kept of them.

use std::path::PathBuf;

use annals_session::{List, ListOptions, Listed, Place, Store};

use super::files::{EMPTY, judge, len_of_all};
use super::findings::{Findings, Kind};
use super::own::is_there;
use super::{Kept, Look, at_home, command, command_on};
use crate::commands::transcripts::examine::{Examined, Of, Target, examine_all};
use crate::exit::{Exit, Failure};
use crate::human::{count, name, plural, size};
use crate::store::Home;

const WHO: &str = "sessions";

/// What a session's log ends in.
const SUFFIX: &str = ".jsonl";

/// The store, and what is in it.
pub(super) struct Sessions {
    store: Store,
    all: Vec<Listed>,
    /// The files with what compactions have taken out.
    removed: Vec<PathBuf>,
    /// Bytes of these.
    removed_len: u64,
}

impl Sessions {
    pub(super) fn find(home: &Home, findings: &mut Findings) -> Option<Self> {
        let list = || -> Result<(Store, List), Failure> {
            let store = home.store()?;
            let list = store.list(&ListOptions::new().titles(false).archived(true))?;
            Ok((store, list))
        };
        match list() {
            Ok((store, list)) => {
                for unlisted in list.unlisted {
                    findings.failure(WHO, &unlisted.error.into());
                }
                let mut taken_out = Vec::new();
                for listed in &list.sessions {
                    match removed(&store, listed) {
                        Ok(paths) => taken_out.extend(paths),
                        Err(error) => findings.failure(WHO, &error.into()),
                    }
                }
                let removed = taken_out;
                let removed_len = removed.iter().map(|path| findings.len_of(WHO, path)).sum();
                Some(Self { store, all: list.sessions, removed, removed_len })
            }
            Err(failure) => {
                findings.failure(WHO, &failure);
                None
            }
        }
    }

    /// Bytes of what was said.
    pub(super) fn len(&self) -> u64 {
        self.all.iter().map(|listed| listed.len).sum::<u64>() + self.removed_len
    }

    pub(super) fn look(&self, look: &Look, kept: &mut Vec<Kept>, findings: &mut Findings) {
        self.names(look, findings);
        if self.all.is_empty() {
            return;
        }
        kept.push(Kept {
            who: WHO,
            holds: self.holds(),
            len: self.len(),
            beside: len_of_all(WHO, self.store.dir(), findings).saturating_sub(self.len()),
            paths: vec![self.store.dir().to_owned()],
        });
        let targets: Vec<Target> =
            self.all.iter().map(|listed| Target::of_store(&self.store, listed)).collect();
        for (listed, target) in self.all.iter().zip(&targets) {
            from_outside(listed, target, findings);
        }
        if look.is_quick {
            return;
        }
        let examined = self.all.iter().zip(examine_all(&targets, &look.options));
        for (listed, (_, examined)) in examined.filter(|(listed, _)| listed.len > 0) {
            match examined {
                Ok(examined) => inside(listed, &examined, findings),
                Err(failure) => findings.failure(WHO, &failure),
            }
        }
        for path in &self.removed {
            judge("removed", path, look, findings);
        }
    }

    fn holds(&self) -> String {
        let active = self.all.iter().filter(|listed| listed.place == Place::Active).count() as u64;
        let mut holds = vec![plural(active, "session")];
        let archived = self.all.len() as u64 - active;
        if archived > 0 {
            holds.push(format!("{} archived", count(archived)));
        }
        if self.removed_len > 0 {
            holds.push(format!("{} taken out and kept", size(self.removed_len)));
        }
        holds.join(", ")
    }

    /// The store's folder: its aliases, and what lies among the sessions and is none.
    fn names(&self, look: &Look, findings: &mut Findings) {
        let aliases = self.store.log_path();
        if is_there(&aliases) {
            judge("aliases", &aliases, look, findings);
            findings.holder("aliases", "the log", jsonl_core::holder(&aliases));
        }
        // A folder that isn't there yet has nothing in it; one that can't be listed was told before.
        for entry in findings.entries(WHO, self.store.dir()) {
            // What can't be looked at was told before, too.
            let is_other = entry.file_type().is_ok_and(|kind| !kind.is_file());
            if is_other && entry.file_name().to_string_lossy().ends_with(SUFFIX) {
                let path = at_home(&entry.path());
                findings.add(
                    Kind::Stuck,
                    WHO,
                    format!("{path}: is no regular file, and is passed over"),
                    None,
                );
            }
        }
    }
}

/// What its end and its lock tell.
fn from_outside(listed: &Listed, target: &Target, findings: &mut Findings) {
    let key = name(&listed.key);
    if let (Of::Store(session), Place::Active) = (&target.of, listed.place) {
        findings.holder(WHO, &key, session.holder());
    }
    let hidden = listed.hidden();
    if hidden > 0 && listed.place == Place::Active {
        let (of, len) = (count(listed.messages_kept), size(listed.len));
        let text = format!("{key}: {} of {of} messages are hidden, in {len}", count(hidden));
        // A key that can't be typed can't be named.
        let can_be_typed = name(&listed.key) == listed.key;
        let next = can_be_typed.then(|| command(&findings.annals("compact"), &listed.key));
        findings.add(Kind::Space, WHO, text, next);
    }
    if listed.len == 0 {
        findings.add(Kind::Unfinished, WHO, format!("{key}: {EMPTY}"), None);
    }
}

/// What is in it.
fn inside(listed: &Listed, examined: &Examined, findings: &mut Findings) {
    let key = name(&listed.key);
    if examined.report.is_in_flight() && examined.oddities.is_empty() {
        return findings.add(Kind::Unfinished, WHO, format!("{key}: an unfinished last line"), None);
    }
    let mut wrong = examined.oddities.clone();
    if examined.report.damaged() > 0 && !examined.report.is_in_flight() {
        wrong.insert(0, plural(examined.report.damaged(), "damaged line"));
    }
    let kind = match examined.verdict().1 {
        Exit::Damaged => Kind::Damaged,
        Exit::Findings => Kind::Stuck,
        _ => return,
    };
    // By its path: a key may be a file's name, an agent's id or an option, too.
    let verify = Some(command_on("annals verify", &listed.path));
    findings.add(kind, WHO, format!("{key}: {}", wrong.join(", ")), verify);
}

/// The files with what compactions have taken out of a session. Those of a key are named once, with its active or newest log.
fn removed(store: &Store, listed: &Listed) -> annals_session::Result<Vec<PathBuf>> {
    let session = store.session(&listed.key)?;
    if session.exists()? == Some(listed.place) { session.removed() } else { Ok(Vec::new()) }
}
