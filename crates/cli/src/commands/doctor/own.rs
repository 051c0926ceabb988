//! What annals keeps itself: sessions, memory, approvals, catalog.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use annals_catalog::{Catalog, CatalogOptions};
use annals_memory::MemoryOptions;
use annals_session::{List, ListOptions, Listed, Place, Session, Store};
use annals_trust::{Decided, Entry, Trust, TrustOptions};

use super::permissions;
use super::{Findings, Kept, Kind, Look, command, command_on, counted};
use crate::commands::transcripts::examine::Of;
use crate::commands::transcripts::verify::of_store;
use crate::exit::{Exit, Failure};
use crate::human::{count, name, plural, size};
use crate::store::Home;

/// The stores, and what lists say of them.
pub(super) struct Stores {
    root: PathBuf,
    store: Store,
    list: List,
    memory: PathBuf,
    trust: Trust,
    catalog: Catalog,
}

impl Stores {
    pub(super) fn find(home: &Home, findings: &mut Findings) -> Result<Self, Failure> {
        let store = home.store()?;
        let mut list = store.list(&ListOptions::new().titles(false).archived(true))?;
        for unlisted in list.unlisted.drain(..) {
            findings.failure("sessions", &unlisted.error.into(), None);
        }
        Ok(Self {
            root: home.join("")?,
            list,
            memory: home.join("memory.jsonl")?,
            trust: TrustOptions::new().program("annals").open(home.join("trusted-projects")?),
            catalog: CatalogOptions::new().program("annals").open(home.join("catalog")?),
            store,
        })
    }

    /// Bytes of what was said.
    pub(super) fn len(&self) -> u64 {
        self.list.sessions.iter().map(|listed| listed.len).sum()
    }

    pub(super) fn look(&self, look: &Look, kept: &mut Vec<Kept>, findings: &mut Findings) {
        self.sessions(look, kept, findings);
        self.memory(kept, findings);
        self.trust(kept, findings);
        self.catalog(kept, findings);
        permissions::own(&self.root, findings);
    }

    fn sessions(&self, look: &Look, kept: &mut Vec<Kept>, findings: &mut Findings) {
        const WHO: &str = "sessions";
        let sessions = &self.list.sessions;
        if sessions.is_empty() {
            return;
        }
        let active = sessions.iter().filter(|listed| listed.place == Place::Active).count() as u64;
        let mut holds = vec![plural(active, "session")];
        let archived = sessions.len() as u64 - active;
        if archived > 0 {
            holds.push(format!("{} archived", count(archived)));
        }
        let taken_out: u64 = sessions.iter().map(|listed| self.taken_out(listed)).sum();
        if taken_out > 0 {
            holds.push(format!("{} taken out and kept", size(taken_out)));
        }
        kept.push(Kept {
            who: WHO,
            holds: holds.join(", "),
            len: self.len() + taken_out,
            path: self.store.dir().display().to_string(),
        });
        let (mut damaged, mut odd, mut compactable) = (Vec::new(), Vec::new(), Vec::new());
        for listed in sessions {
            let target = of_store(&self.store, listed);
            let key = name(&listed.key);
            let verify = match &target.of {
                Of::Store(_) if listed.place == Place::Active => command("annals verify", &listed.key),
                _ => command_on("annals verify", &listed.path),
            };
            if let (Of::Store(session), Place::Active) = (&target.of, listed.place) {
                match session.holder() {
                    Ok(holder) => findings.holder(WHO, &key, holder),
                    Err(error) => findings.failure(WHO, &error.into(), None),
                }
            }
            let hidden = listed.messages_kept.saturating_sub(listed.messages);
            if hidden > 0 && listed.place == Place::Active {
                let (of, len) = (count(listed.messages_kept), size(listed.len));
                let text = format!("{key}: {} of {of} messages are hidden, in {len}", count(hidden));
                compactable.push((text, command("annals compact", &listed.key)));
            }
            if look.is_quick {
                continue;
            }
            match target.examine(&look.options) {
                Ok(examined) if examined.report.is_in_flight() && examined.oddities.is_empty() => {
                    findings.add(Kind::Unfinished, WHO, format!("{key}: an unfinished last line"), None);
                }
                Ok(examined) => match examined.verdict().1 {
                    Exit::Damaged => {
                        let lines = plural(examined.report.damaged(), "damaged line");
                        damaged.push((format!("{key}: {lines}"), verify));
                    }
                    Exit::Findings => {
                        odd.push((format!("{key}: {}", examined.oddities.join(", ")), verify));
                    }
                    _ => {}
                },
                Err(failure) => findings.failure(WHO, &failure, None),
            }
        }
        findings.several(Kind::Damaged, WHO, damaged, "annals verify --agent annals");
        findings.several(Kind::Stuck, WHO, odd, "annals verify --agent annals");
        findings.several(Kind::Space, WHO, compactable, "annals ls --agent annals");
    }

    /// Bytes that compactions have taken out of a session and kept. Each session's are counted with its active or newest log.
    fn taken_out(&self, listed: &Listed) -> u64 {
        let is_counted = |session: &Session| session.exists().is_ok_and(|place| place == Some(listed.place));
        let session = self.store.session(&listed.key).ok().filter(is_counted);
        let removed = session.and_then(|session| session.removed().ok()).unwrap_or_default();
        removed.iter().map(|path| fs::metadata(path).map_or(0, |metadata| metadata.len())).sum()
    }

    fn memory(&self, kept: &mut Vec<Kept>, findings: &mut Findings) {
        const WHO: &str = "memory";
        let view = match MemoryOptions::new().accept_loss(true).view(&self.memory) {
            Ok(view) => view,
            Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => return,
            Err(error) => return findings.failure(WHO, &error.into(), None),
        };
        let verified = match view.verify() {
            Ok(verified) => verified,
            Err(error) => return findings.failure(WHO, &error.into(), None),
        };
        let gone = verified.items - verified.active;
        let mut holds = vec![plural(verified.active as u64, "item")];
        if gone > 0 {
            holds.push(format!("{} forgotten", count(gone as u64)));
            let text = format!("{} still in the file", plural(gone as u64, "forgotten item"));
            findings.add(Kind::Space, WHO, text, Some(String::from("annals memory compact")));
        }
        kept.push(of_file(WHO, holds, &self.memory));
        let next = || Some(String::from("annals memory verify"));
        let report = &verified.report;
        if !verified.loss.is_empty() {
            findings.add(Kind::Damaged, WHO, verified.loss.to_string(), next());
        } else if report.damaged + report.fused > 0 {
            let text = plural(report.damaged + report.fused, "damaged line");
            findings.add(Kind::Damaged, WHO, text, next());
        } else if report.odd > 0 {
            findings.add(Kind::Stuck, WHO, plural(report.odd, "odd line"), next());
        } else if report.torn > 0 {
            findings.add(Kind::Unfinished, WHO, plural(report.torn, "unfinished line"), None);
        }
        lock(WHO, &self.memory, findings);
    }

    fn trust(&self, kept: &mut Vec<Kept>, findings: &mut Findings) {
        const WHO: &str = "trust";
        let path = self.trust.path();
        if !path.exists() {
            return;
        }
        let looked = || Ok::<_, annals_trust::Error>((self.trust.list()?, self.trust.report()?));
        let (entries, report) = match looked() {
            Ok(looked) => looked,
            Err(error) => return findings.add(Kind::Open, WHO, error.to_string(), None),
        };
        let allowed = |entry: &&Entry| matches!(entry.decision, Decided::Allow(_));
        let allows = entries.iter().filter(allowed).count();
        let denies = entries.iter().filter(|entry| entry.decision == Decided::Deny).count();
        let holds = counted(&[(allows as u64, "approval"), (denies as u64, "denial")]);
        kept.push(of_file(WHO, holds, path));
        let doubtful = entries.iter().filter(|entry| entry.is_doubtful).count() as u64;
        if report.damaged > 0 {
            let text = format!(
                "{}; {} in front of it count for nothing",
                plural(report.damaged, "damaged line"),
                plural(doubtful, "approval")
            );
            findings.add(Kind::Damaged, WHO, text, Some(String::from("annals trust list")));
        }
        if let Ok(gone) = self.trust.prune(true)
            && !gone.is_empty()
        {
            let text = format!("{} of files that are gone", plural(gone.len() as u64, "approval"));
            findings.add(Kind::Space, WHO, text, Some(String::from("annals trust prune")));
        }
        lock(WHO, path, findings);
    }

    fn catalog(&self, kept: &mut Vec<Kept>, findings: &mut Findings) {
        if self.catalog.exists() {
            catalog("catalog", &self.catalog, "annals catalog --own verify", kept, findings);
            lock("catalog", self.catalog.log_path(), findings);
        }
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
        Err(error) => return findings.failure(who, &error.into(), None),
    };
    let holds = counted(&[(projection.len() as u64, "session"), (report.events, "event")]);
    kept.push(of_file(who, holds, catalog.log_path()));
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

/// A store that is one file.
fn of_file(who: &'static str, holds: Vec<String>, path: &Path) -> Kept {
    let len = fs::metadata(path).map_or(0, |metadata| metadata.len());
    Kept { who, holds: holds.join(", "), len, path: path.display().to_string() }
}

/// Who writes to a log just now.
fn lock(who: &'static str, path: &Path, findings: &mut Findings) {
    match jsonl_core::holder(path) {
        Ok(holder) => findings.holder(who, "the log", holder),
        Err(error) => findings.failure(who, &error.into(), None),
    }
}
