//! The sessions of the store: their logs, their aliases, and what compactions have kept of them.

use std::fs;
use std::path::PathBuf;

use annals_session::{Listed, Place, Session, Store};

use super::findings::{Findings, Kind};
use super::own::{judge, len_of, lock};
use super::{Kept, Look, at_home, command, command_on};
use crate::commands::transcripts::examine::Of;
use crate::commands::transcripts::verify::of_store;
use crate::exit::Exit;
use crate::human::{count, name, plural, size};

const WHO: &str = "sessions";

/// The file of a session store that holds its aliases.
const ALIASES: &str = ".annals-store.jsonl";

/// What a session's log ends in.
const SUFFIX: &str = ".jsonl";

pub(super) fn look(store: &Store, all: &[Listed], how: &Look, kept: &mut Vec<Kept>, findings: &mut Findings) {
    names(store, findings);
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
        session(store, listed, how, findings);
    }
    for path in removed.iter().filter(|_| !how.is_quick) {
        judge("removed", path, findings);
    }
}

fn session(store: &Store, listed: &Listed, look: &Look, findings: &mut Findings) {
    let target = of_store(store, listed);
    let key = name(&listed.key);
    // By its path: a key may be a file's name, an agent's id or an option, too.
    let verify = || Some(command_on("annals verify", &listed.path));
    if let (Of::Store(session), Place::Active) = (&target.of, listed.place) {
        match session.holder() {
            Ok(holder) => findings.holder(WHO, &key, holder),
            Err(error) => findings.failure(WHO, &error.into()),
        }
    }
    let hidden = listed.messages_kept.saturating_sub(listed.messages);
    if hidden > 0 && listed.place == Place::Active {
        let (of, len) = (count(listed.messages_kept), size(listed.len));
        let text = format!("{key}: {} of {of} messages are hidden, in {len}", count(hidden));
        // A key that can't be typed can't be named.
        let can_be_typed = name(&listed.key) == listed.key;
        let next = can_be_typed.then(|| command(&findings.annals("compact"), &listed.key));
        findings.add(Kind::Space, WHO, text, next);
    }
    if listed.len == 0 {
        let text = format!("{key}: empty, so it was begun and never written to, or somebody has emptied it");
        return findings.add(Kind::Unfinished, WHO, text, None);
    }
    if look.is_quick {
        return;
    }
    let examined = match target.examine(&look.options) {
        Ok(examined) => examined,
        Err(failure) => return findings.failure(WHO, &failure),
    };
    if examined.report.is_in_flight() && examined.oddities.is_empty() {
        return findings.add(Kind::Unfinished, WHO, format!("{key}: an unfinished last line"), None);
    }
    let mut wrong = examined.oddities.clone();
    if examined.report.damaged() > 0 && !examined.report.is_in_flight() {
        wrong.insert(0, plural(examined.report.damaged(), "damaged line"));
    }
    match examined.verdict().1 {
        Exit::Damaged => findings.add(Kind::Damaged, WHO, format!("{key}: {}", wrong.join(", ")), verify()),
        Exit::Findings => findings.add(Kind::Stuck, WHO, format!("{key}: {}", wrong.join(", ")), verify()),
        _ => {}
    }
}

/// The store's folder: its aliases, and what lies among the sessions and is none.
fn names(store: &Store, findings: &mut Findings) {
    let aliases = store.dir().join(ALIASES);
    if aliases.exists() {
        judge("aliases", &aliases, findings);
        lock("aliases", "the log", &aliases, findings);
    }
    // A folder that isn't there yet has nothing in it; one that can't be listed was told before.
    for entry in fs::read_dir(store.dir()).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file && entry.file_name().to_string_lossy().ends_with(SUFFIX) {
            let path = at_home(&entry.path());
            findings.add(Kind::Stuck, WHO, format!("{path}: is no regular file, and is passed over"), None);
        }
    }
}

/// The files with what compactions have taken out of a session. Those of a key are named once, with its active or newest log.
fn removed(store: &Store, listed: &Listed) -> Vec<PathBuf> {
    let is_named = |session: &Session| session.exists().is_ok_and(|place| place == Some(listed.place));
    let session = store.session(&listed.key).ok().filter(is_named);
    session.and_then(|session| session.removed().ok()).unwrap_or_default()
}
