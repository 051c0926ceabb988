//! Which session it is that an agent is running: three ways of telling, the surest first.
//!
//! 1. The agent's own id is known (`exact`).
//! 2. The transcript goes on from the last record of a known one (`high`).
//! 3. It began with the same prompt, in the same place, not long ago (`low`).
//!
//! Where none holds, or the third holds for several, it is a new session, and those that came close are kept as
//! candidates for its parent.

use std::collections::HashSet;
use std::time::SystemTime;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::event::Fingerprints;
use crate::keys::KeyKind;
use crate::projection::Projection;
use crate::reduce::Rules;
use crate::sanitize;
use crate::session::Session;
use crate::time;

/// So long after a session's last progress its fingerprint corroborates, in milliseconds; this is included.
const WINDOW: i64 = 72 * 3_600_000;

/// So many corroborators are needed, one of them a strong one.
const CORROBORATORS_MIN: usize = 2;

/// At most so many candidates are kept.
pub const PARENT_CANDIDATES_MAX: usize = 10;

/// A prompt with fewer characters than this could be anybody's.
const PROMPT_CHARS_MIN: usize = 8;

/// What many sessions begin with.
const GENERIC: [&str; 40] = [
    "carry on",
    "continue",
    "continue please",
    "continue where we left off",
    "continue where you left off",
    "do it",
    "explain this",
    "explain this code",
    "fix",
    "fix it",
    "fix the bug",
    "fix the tests",
    "fix this",
    "go ahead",
    "go on",
    "hello",
    "hello there",
    "help",
    "help me",
    "hey",
    "hi",
    "hi there",
    "keep going",
    "let's continue",
    "let's go",
    "next step",
    "ok continue",
    "please continue",
    "please go on",
    "proceed",
    "resume",
    "review this",
    "run tests",
    "run the tests",
    "start",
    "test",
    "thank you",
    "thanks",
    "try again",
    "what's next",
];

/// What is known of an agent's session before it is known which session it is.
#[derive(Clone, Debug, Default)]
pub struct Signals<'a> {
    /// The agent's own id of it.
    pub claude_session_id: &'a str,
    /// The record that its transcript's first record follows.
    pub first_parent_uuid: Option<&'a str>,
    /// What it began with.
    pub fingerprints: Fingerprints<'a>,
    /// The first prompt, sanitised.
    pub first_prompt: Option<&'a str>,
    /// The folder that it runs in.
    pub cwd: Option<&'a str>,
    /// The worktree, without links.
    pub worktree_realpath: Option<&'a str>,
    /// The branch.
    pub branch: Option<&'a str>,
}

/// Which session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolution {
    /// The session; `None` if it is a new one.
    pub stable_id: Option<String>,
    /// How it was told.
    pub source: Source,
    /// By what.
    pub matched: Matched,
    /// Sessions that came close, the likeliest first.
    pub parent_candidates: Vec<ParentCandidate>,
    /// How many more there were.
    pub parent_candidates_omitted: u64,
}

/// How it was told which session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// By the agent's own id.
    ClaudeSessionIdIndex,
    /// By the record that the transcript goes on from.
    TranscriptLineage,
    /// By a fingerprint, and what corroborates it.
    FingerprintCorroborator,
    /// Not at all: it is a new one.
    Minted,
}

impl Source {
    /// How sure it is: `exact`, `high`, `low`, or `minted`.
    #[must_use]
    pub fn confidence(self) -> &'static str {
        match self {
            Self::ClaudeSessionIdIndex => "exact",
            Self::TranscriptLineage => "high",
            Self::FingerprintCorroborator => "low",
            Self::Minted => "minted",
        }
    }
}

/// By what it was told which session it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Matched {
    /// The agent's own id.
    ClaudeSession {
        /// It.
        claude_session_id: String,
    },
    /// A record.
    Lineage {
        /// It.
        first_parent_uuid: String,
        /// The transcript whose last one it is.
        matched_transcript_path: Option<String>,
        /// The same.
        matched_last_uuid: String,
    },
    /// A fingerprint.
    Fingerprint {
        /// Which.
        fingerprints_matched: Vec<&'static str>,
        /// What else is the same.
        corroborators: Corroborators,
        /// How many of these.
        corroborator_count: usize,
        /// How many of them are strong.
        strong_corroborator_count: usize,
    },
    /// Several sessions, so none.
    Ambiguous {
        /// Yes.
        ambiguous: bool,
        /// How many.
        ambiguous_count: usize,
    },
    /// Nothing.
    Nothing {},
}

/// What else is the same. The first two are strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "four independent facts, in sessions-db's own shape")]
pub struct Corroborators {
    /// The folder that it runs in.
    pub same_cwd: bool,
    /// The worktree.
    pub same_worktree_realpath: bool,
    /// The branch that it began on.
    pub same_branch_at_start: bool,
    /// Not long ago.
    pub within_time_window: bool,
}

impl Corroborators {
    fn strong(self) -> usize {
        usize::from(self.same_cwd) + usize::from(self.same_worktree_realpath)
    }

    fn weak(self) -> usize {
        usize::from(self.same_branch_at_start) + usize::from(self.within_time_window)
    }
}

/// A session that another may go on from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParentCandidate {
    /// It.
    pub stable_id: String,
    /// How it was found.
    pub source: &'static str,
    /// How sure it is.
    pub confidence: &'static str,
    /// Why.
    pub reason: Reason,
}

/// Why a session may be another's parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Which fingerprints are the same.
    pub fingerprints_matched: Vec<&'static str>,
    /// How much else is the same.
    pub corroborator_count: usize,
    /// How much of it is strong.
    pub strong_corroborator_count: usize,
    /// How much of it is weak.
    pub weak_corroborator_count: usize,
}

/// What of a resolution stands in the events.
#[derive(Serialize)]
pub(crate) struct Audit<'a> {
    source: Source,
    confidence: &'static str,
    matched: &'a Matched,
}

impl Resolution {
    fn new(stable_id: Option<String>, source: Source, matched: Matched) -> Self {
        Self { stable_id, source, matched, parent_candidates: Vec::new(), parent_candidates_omitted: 0 }
    }

    pub(crate) fn audit(&self) -> Audit<'_> {
        Audit { source: self.source, confidence: self.source.confidence(), matched: &self.matched }
    }
}

/// Which of the sessions it is. The same for the same signals, sessions and time.
#[must_use]
pub fn resolve(sessions: &Projection, signals: &Signals<'_>, now: SystemTime) -> Resolution {
    by_id(sessions, signals)
        .or_else(|| by_lineage(sessions, signals))
        .unwrap_or_else(|| by_fingerprint(sessions, signals, time::millis(now)))
}

fn by_id(sessions: &Projection, signals: &Signals<'_>) -> Option<Resolution> {
    let id = signals.claude_session_id;
    let has_it = |session: &Session| session.claude_session_ids.iter().any(|known| known == id);
    let session = sessions.with_key(KeyKind::ClaudeSession, id).find(|session| has_it(session))?;
    let matched = Matched::ClaudeSession { claude_session_id: id.to_owned() };
    Some(Resolution::new(Some(session.stable_id.clone()), Source::ClaudeSessionIdIndex, matched))
}

fn by_lineage(sessions: &Projection, signals: &Signals<'_>) -> Option<Resolution> {
    let uuid = signals.first_parent_uuid.filter(|uuid| !uuid.is_empty())?;
    sessions.with_key(KeyKind::LastUuid, uuid).find_map(|session| {
        let file = session.transcript_files.iter().find(|file| file.last_uuid() == Some(uuid))?;
        let matched = Matched::Lineage {
            first_parent_uuid: uuid.to_owned(),
            matched_transcript_path: file.path().map(str::to_owned),
            matched_last_uuid: uuid.to_owned(),
        };
        Some(Resolution::new(Some(session.stable_id.clone()), Source::TranscriptLineage, matched))
    })
}

/// A session with one of the fingerprints.
struct Similar {
    stable_id: String,
    last_progress: (Option<i64>, String),
    matched: Vec<&'static str>,
    corroborators: Corroborators,
    is_acceptable: bool,
}

fn by_fingerprint(sessions: &Projection, signals: &Signals<'_>, now: i64) -> Resolution {
    let mut prints = signals.fingerprints.clone();
    if sessions.rules() == Rules::Annals && is_anybodys(signals) {
        prints.first_human_prompt_v1 = None;
    }
    let keys = [
        (KeyKind::FirstPrompt, &prints.first_human_prompt_v1),
        (KeyKind::Lineage, &prints.lineage_prefix_v1),
    ];
    let mut seen = HashSet::new();
    let mut similar = Vec::new();
    for (kind, print) in keys {
        let Some(print) = print else { continue };
        for session in sessions.with_key(kind, print) {
            let found = compare(&session, &prints, signals, now, sessions.rules());
            similar.extend(found.filter(|found| seen.insert(found.stable_id.clone())));
        }
    }
    let acceptable = similar.iter().filter(|found| found.is_acceptable).count();
    let mut resolution = match acceptable {
        1 => {
            let place = similar.iter().position(|found| found.is_acceptable).unwrap_or(0);
            let found = similar.remove(place);
            let matched = Matched::Fingerprint {
                fingerprints_matched: found.matched,
                corroborators: found.corroborators,
                corroborator_count: found.corroborators.strong() + found.corroborators.weak(),
                strong_corroborator_count: found.corroborators.strong(),
            };
            Resolution::new(Some(found.stable_id), Source::FingerprintCorroborator, matched)
        }
        0 => Resolution::new(None, Source::Minted, Matched::Nothing {}),
        count => Resolution::new(
            None,
            Source::Minted,
            Matched::Ambiguous { ambiguous: true, ambiguous_count: count },
        ),
    };
    let by_text = sessions.rules() == Rules::SessionsDb;
    similar.sort_by(|a, b| {
        let progress = if by_text {
            b.last_progress.1.cmp(&a.last_progress.1)
        } else {
            b.last_progress.0.cmp(&a.last_progress.0)
        };
        let strong = b.corroborators.strong().cmp(&a.corroborators.strong());
        strong.then(progress).then_with(|| a.stable_id.cmp(&b.stable_id))
    });
    resolution.parent_candidates_omitted = similar.len().saturating_sub(PARENT_CANDIDATES_MAX) as u64;
    resolution.parent_candidates =
        similar.into_iter().take(PARENT_CANDIDATES_MAX).map(Similar::candidate).collect();
    resolution
}

impl Similar {
    fn candidate(self) -> ParentCandidate {
        let (strong, weak) = (self.corroborators.strong(), self.corroborators.weak());
        ParentCandidate {
            stable_id: self.stable_id,
            source: "fingerprint",
            confidence: "low",
            reason: Reason {
                fingerprints_matched: self.matched,
                corroborator_count: strong + weak,
                strong_corroborator_count: strong,
                weak_corroborator_count: weak,
            },
        }
    }
}

fn compare(
    session: &Session,
    ours: &Fingerprints<'_>,
    signals: &Signals<'_>,
    now: i64,
    rules: Rules,
) -> Option<Similar> {
    let same = |ours: Option<&str>, theirs: Option<&str>| ours.is_some() && ours == theirs;
    let theirs = &session.fingerprints;
    let same_prompt = same(ours.first_human_prompt_v1.as_deref(), theirs.first_human_prompt_v1.as_deref());
    let same_lineage = same(ours.lineage_prefix_v1.as_deref(), theirs.lineage_prefix_v1.as_deref());
    let mut matched = Vec::new();
    if same_prompt {
        matched.push("first_human_prompt_v1");
    }
    if same_lineage {
        matched.push("lineage_prefix_v1");
    }
    if matched.is_empty() {
        return None;
    }
    let last_progress = time::parse(&session.last_progress_at);
    let age = last_progress.and_then(|then| now.checked_sub(then));
    let corroborators = Corroborators {
        same_cwd: same(signals.cwd, session.cwd.as_deref()),
        same_worktree_realpath: same(signals.worktree_realpath, session.worktree_realpath.as_deref()),
        same_branch_at_start: same(signals.branch, session.branch_at_start.as_deref()),
        within_time_window: age.is_some_and(|age| (0..=WINDOW).contains(&age)),
    };
    let (strong, weak) = (corroborators.strong(), corroborators.weak());
    let mut is_acceptable = strong >= 1 && strong + weak >= CORROBORATORS_MIN;
    if rules == Rules::Annals {
        let is_anybodys = !same_lineage && session.first_prompt_preview.as_deref().is_some_and(is_generic);
        is_acceptable &= corroborators.within_time_window && !is_anybodys;
    }
    Some(Similar {
        stable_id: session.stable_id.clone(),
        last_progress: (last_progress, session.last_progress_at.clone()),
        matched,
        corroborators,
        is_acceptable,
    })
}

/// Whether anybody may begin with this prompt.
#[must_use]
pub fn is_generic(prompt: &str) -> bool {
    let lower = prompt.to_lowercase();
    let words = lower.trim_matches(|char: char| !char.is_alphanumeric() && char != '/');
    words.chars().count() < PROMPT_CHARS_MIN || GENERIC.contains(&words)
}

/// Whether the first prompt is one that anybody may begin with, by its text or, if only that is known, its fingerprint.
fn is_anybodys(signals: &Signals<'_>) -> bool {
    let print = signals.fingerprints.first_human_prompt_v1.as_deref();
    signals.first_prompt.map_or_else(
        || print.is_some_and(|print| GENERIC.iter().any(|prompt| fingerprint(prompt) == print)),
        is_generic,
    )
}

/// The fingerprint of a first prompt, sanitised or not; `None` of one in which nothing is left.
#[must_use]
pub fn prompt_fingerprint(prompt: &str) -> Option<String> {
    let prompt = sanitize::prompt(prompt);
    (!prompt.is_empty()).then(|| fingerprint(&prompt))
}

/// The fingerprint of how a transcript begins: the id of its first record, and of the one that this follows.
#[must_use]
pub fn lineage_fingerprint(first_uuid: &str, first_parent_uuid: Option<&str>) -> String {
    fingerprint(&format!("{first_uuid}:{}", first_parent_uuid.unwrap_or_default()))
}

/// The first 16 hexadecimal digits of a SHA-256.
fn fingerprint(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_anybody_may_begin_with_is_generic() {
        for prompt in ["continue", "Continue.", "hi", " Fix it! ", "/clear", "ok", "", "继续"] {
            assert!(is_generic(prompt), "{prompt}");
        }
        for prompt in
            ["continue with the berth planner", "/review the open merge requests", "写一个潮位告警的测试"]
        {
            assert!(!is_generic(prompt), "{prompt}");
        }
        assert!(GENERIC.is_sorted());
    }

    #[test]
    fn fingerprints_are_those_of_sessions_db() {
        let prompt = "Why does the 05:20 departure vanish from the import?";
        assert_eq!(prompt_fingerprint(prompt).as_deref(), Some("c5e4e6f1aae7e2fa"));
        assert_eq!(prompt_fingerprint("  "), None);
    }
}
