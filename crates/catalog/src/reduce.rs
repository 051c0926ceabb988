//! What an event makes of a session: sessions-db's reducer, field for field.

use std::borrow::Cow;
use std::collections::HashSet;

use jsonl_core::scan;

use crate::event::{Event, Links, Op, Seen, Setting};
use crate::raw::Raw;
use crate::session::{ActivityState, Outcome, Session, TranscriptFile};
use crate::time;

/// By whose rules events are understood.
///
/// [`Annals`](Self::Annals) has sessions-db's rules but for what is listed there; [`SessionsDb`](Self::SessionsDb) has them
/// as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rules {
    /// - An archived session that is seen again is active.
    /// - `close` with the outcome `open` clears `closed_at`.
    /// - Times are compared as times; sessions-db compares them as text.
    /// - A fingerprint identifies only within 72 hours; for sessions-db two strong corroborators are enough at any time.
    /// - A first prompt that anybody may begin with ("continue") identifies nothing.
    #[default]
    Annals,
    /// As sessions-db 0.1 does it, but for values of another type than their member's, which count as absent.
    SessionsDb,
}

impl Rules {
    pub(crate) fn is_later(self, a: &str, b: &str) -> bool {
        match self {
            Self::Annals => time::is_later(a, b),
            Self::SessionsDb => a > b,
        }
    }
}

/// Applies an event to the session that it is about.
pub(crate) fn reduce(session: &mut Session, event: &Event<'_>, rules: Rules) {
    match &event.op {
        Op::Seen(seen) => see(session, seen, rules),
        Op::Link { is_removal: true, .. } | Op::Unknown(_) => {}
        Op::Link { links, .. } => {
            unite(&mut session.tasks, &links.tasks);
            unite(&mut session.projects, &links.projects);
        }
        Op::Unlink(Links { tasks, projects }) => {
            session.tasks.retain(|task| !tasks.iter().any(|gone| gone == task));
            session.projects.retain(|project| !projects.iter().any(|gone| gone == project));
        }
        Op::SetAlias(setting) => set(&mut session.alias, setting),
        Op::SetParent(setting) => set(&mut session.parent_session_id, setting),
        Op::Close { outcome, reason } => {
            if let Some(outcome) = outcome {
                str::clone_into(outcome, &mut session.outcome);
            }
            let is_reopened = outcome.as_deref() == Some(Outcome::Open.name()) && rules == Rules::Annals;
            match is_reopened {
                true => session.closed_at = None,
                false => put_some(&mut session.closed_at, &event.ts),
            }
            set(&mut session.closed_reason, reason);
        }
        Op::Sweep { activity_state, effective_last_progress } => {
            if let Some(state) = activity_state {
                str::clone_into(state, &mut session.activity_state);
            }
            if let Some(time) = effective_last_progress
                .as_ref()
                .filter(|time| rules.is_later(time, &session.last_progress_at))
            {
                str::clone_into(time, &mut session.last_progress_at);
            }
        }
        Op::ManualLink { candidates } => add_candidates(session, candidates, &["parent_id", "id"]),
    }
    if !matches!(event.op, Op::Sweep { .. }) && rules.is_later(&event.ts, &session.last_progress_at) {
        str::clone_into(&event.ts, &mut session.last_progress_at);
    }
}

fn see(session: &mut Session, seen: &Seen<'_>, rules: Rules) {
    if let Some(id) = &seen.claude_session_id
        && !session.claude_session_ids.iter().any(|known| known == id)
    {
        session.claude_session_ids.push(id.to_string());
    }
    if let Some(file) = &seen.transcript_file {
        merge_file(&mut session.transcript_files, file);
    }
    let prints = &mut session.fingerprints;
    for (slot, value) in [
        (&mut prints.first_human_prompt_v1, &seen.fingerprints.first_human_prompt_v1),
        (&mut prints.lineage_prefix_v1, &seen.fingerprints.lineage_prefix_v1),
    ] {
        if slot.is_none() {
            *slot = value.as_ref().map(|value| Cow::Owned(value.to_string()));
        }
    }
    for (slot, value) in [
        (&mut session.worktree_path_observed, &seen.worktree_path_observed),
        (&mut session.worktree_realpath, &seen.worktree_realpath),
        (&mut session.worktree_registry_name, &seen.worktree_registry_name),
        (&mut session.git_common_dir, &seen.git_common_dir),
        (&mut session.branch_current, &seen.branch_current),
        (&mut session.head_last_seen, &seen.head_last_seen),
    ] {
        if let Some(value) = value {
            put_some(slot, value);
        }
    }
    match (&mut session.identity_resolution, &seen.identity_resolution) {
        (_, None) => {}
        (Some(slot), Some(value)) => Raw::put(slot, value),
        (slot, Some(value)) => *slot = Some(value.clone().into_owned()),
    }
    if let Some(count) = seen.parent_candidates_omitted_count {
        session.parent_candidates_omitted_count = count;
    }
    first(&mut session.branch_at_start, &seen.branch_at_start);
    first(&mut session.head_at_start, &seen.head_at_start);
    first(&mut session.first_prompt_preview, &seen.first_prompt_preview);
    first(&mut session.cwd, &seen.cwd);
    add_candidates(session, &seen.parent_candidate_ids, &["stable_id", "parent_id", "id"]);
    if rules == Rules::Annals && session.activity_state == ActivityState::Archived.name() {
        ActivityState::Active.name().clone_into(&mut session.activity_state);
    }
}

/// A text becomes another, in the room that is there.
pub(crate) fn put_some(slot: &mut Option<String>, value: &str) {
    match slot {
        Some(slot) => value.clone_into(slot),
        None => *slot = Some(value.to_owned()),
    }
}

fn first(slot: &mut Option<String>, value: &Option<Cow<'_, str>>) {
    if slot.is_none() {
        *slot = value.as_ref().map(ToString::to_string);
    }
}

fn set(slot: &mut Option<String>, setting: &Setting<'_>) {
    match setting {
        Setting::Clear => *slot = None,
        Setting::Set(value) => put_some(slot, value),
        Setting::Keep => {}
    }
}

fn unite(all: &mut Vec<String>, new: &[Cow<'_, str>]) {
    for value in new {
        if !all.iter().any(|known| known == value) {
            all.push(value.to_string());
        }
    }
}

/// Adds those whose id, which is the first of `names` that they have, is not there yet.
fn add_candidates(session: &mut Session, new: &[Raw<'_>], names: &[&str]) {
    if new.is_empty() {
        return;
    }
    let key = |candidate: &Raw<'_>| names.iter().find_map(|name| candidate.string(name)).map(Cow::into_owned);
    let mut known: HashSet<String> = session.parent_candidate_ids.iter().filter_map(&key).collect();
    for candidate in new {
        if key(candidate).is_some_and(|key| known.insert(key)) {
            session.parent_candidate_ids.push(candidate.clone().into_owned());
        }
    }
}

/// A transcript that is known gets the members of what was seen last.
fn merge_file(files: &mut Vec<TranscriptFile<'static>>, seen: &TranscriptFile<'_>) {
    if seen.path().is_none() {
        return;
    }
    match files.iter_mut().find(|file| file.path() == seen.path()) {
        // The same members as before, nearly always: the later ones are all.
        Some(known) if known.has_shape_of(seen) => TranscriptFile::put(known, seen),
        Some(known) => *known = merged(known.raw(), seen),
        None => files.push(seen.clone().into_owned()),
    }
}

/// An object with the members of both; of those in both, the later's value in the earlier's place.
fn merged(earlier: &Raw<'_>, later: &TranscriptFile<'_>) -> TranscriptFile<'static> {
    let mut members: Vec<(&[u8], &[u8])> = Vec::new();
    for object in [earlier, later.raw()] {
        for member in scan::members(object.text().as_bytes()) {
            match members.iter_mut().find(|(key, _)| scan::name(key) == scan::name(member.key)) {
                Some((_, value)) => *value = member.value,
                None => members.push((member.key, member.value)),
            }
        }
    }
    let mut text = b"{".to_vec();
    for (key, value) in members {
        if text.len() > 1 {
            text.push(b',');
        }
        text.push(b'"');
        text.extend_from_slice(key);
        text.extend_from_slice(b"\":");
        text.extend_from_slice(value);
    }
    text.push(b'}');
    TranscriptFile::parse(&text).unwrap_or_else(|| later.clone()).into_owned()
}
