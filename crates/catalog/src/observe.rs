//! Noting that an agent's session was seen: which session it is, and what is known of it now.

use std::borrow::Cow;

use crate::catalog::Catalog;
use crate::change::new_event;
use crate::error::{Error, Result};
use crate::event::{Event, Fingerprints, Op, Seen};
use crate::git::GitContext;
use crate::id;
use crate::identity::{self, Resolution, Signals};
use crate::raw::Raw;
use crate::session::TranscriptFile;
use crate::transcript::TranscriptMeta;

/// What is seen of an agent's session at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Observation {
    /// The agent's own id of it.
    pub claude_session_id: String,
    /// The folder that it runs in.
    pub cwd: Option<String>,
    /// What git says about this folder.
    pub git: GitContext,
    /// What its transcript says.
    pub transcript: Option<TranscriptMeta>,
    /// Whether the beginning of the first prompt is kept; its fingerprint is in any case.
    pub keeps_first_prompt: bool,
    /// Why it is the session that it is, where the caller knows better than [`identity::resolve`].
    pub identity_resolution: Option<Raw<'static>>,
}

impl Observation {
    /// Of a session, by the agent's own id.
    #[must_use]
    pub fn new(claude_session_id: impl Into<String>) -> Self {
        Self { claude_session_id: claude_session_id.into(), keeps_first_prompt: true, ..Self::default() }
    }

    /// The folder that it runs in.
    #[must_use]
    pub fn cwd(mut self, cwd: impl Into<String>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }

    /// What git says about this folder.
    #[must_use]
    pub fn git(mut self, git: GitContext) -> Self {
        self.git = git;
        self
    }

    /// What its transcript says.
    #[must_use]
    pub fn transcript(mut self, transcript: TranscriptMeta) -> Self {
        self.transcript = Some(transcript);
        self
    }

    /// Whether the beginning of the first prompt is kept. By default it is.
    #[must_use]
    pub fn keeps_first_prompt(mut self, keeps: bool) -> Self {
        self.keeps_first_prompt = keeps;
        self
    }

    /// Why it is the session that it is.
    #[must_use]
    pub fn identity_resolution(mut self, resolution: Raw<'static>) -> Self {
        self.identity_resolution = Some(resolution);
        self
    }

    fn prompt(&self) -> Option<&str> {
        self.transcript.as_ref()?.first_prompt.as_deref().filter(|prompt| !prompt.is_empty())
    }

    fn fingerprints(&self) -> Fingerprints<'static> {
        let transcript = self.transcript.as_ref();
        let first_uuid = transcript.and_then(|transcript| transcript.first_uuid.as_deref());
        let parent = transcript.and_then(|transcript| transcript.first_parent_uuid.as_deref());
        Fingerprints {
            first_human_prompt_v1: self.prompt().and_then(identity::prompt_fingerprint).map(Cow::Owned),
            lineage_prefix_v1: first_uuid.map(|uuid| Cow::Owned(identity::lineage_fingerprint(uuid, parent))),
        }
    }

    /// By what it is told which session it is.
    #[must_use]
    pub fn signals(&self) -> Signals<'_> {
        Signals {
            claude_session_id: &self.claude_session_id,
            first_parent_uuid: self.transcript.as_ref().and_then(|meta| meta.first_parent_uuid.as_deref()),
            fingerprints: self.fingerprints(),
            first_prompt: self.prompt(),
            cwd: self.cwd.as_deref(),
            worktree_realpath: self.git.worktree_realpath.as_deref(),
            branch: self.git.branch.as_deref(),
        }
    }

    fn seen(&self, resolution: &Resolution) -> Seen<'static> {
        let git = &self.git;
        let candidates = resolution.parent_candidates.iter().filter_map(Raw::of).collect();
        let omitted = resolution.parent_candidates_omitted;
        let own = |text: &Option<String>| text.clone().map(Cow::Owned);
        let file = self.transcript.as_ref().and_then(|meta| Raw::of(&meta.file()));
        Seen {
            claude_session_id: Some(Cow::Owned(self.claude_session_id.clone())),
            cwd: own(&self.cwd),
            branch_at_start: own(&git.branch),
            branch_current: own(&git.branch),
            head_at_start: own(&git.head),
            head_last_seen: own(&git.head),
            worktree_path_observed: own(&git.worktree_path),
            worktree_realpath: own(&git.worktree_realpath),
            worktree_registry_name: own(&git.worktree_registry_name),
            git_common_dir: own(&git.common_dir),
            transcript_file: file.and_then(|file| {
                TranscriptFile::parse(file.text().as_bytes()).map(TranscriptFile::into_owned)
            }),
            fingerprints: self.fingerprints(),
            first_prompt_preview: self
                .prompt()
                .filter(|_| self.keeps_first_prompt)
                .map(|prompt| Cow::Owned(prompt.to_owned())),
            identity_resolution: self.identity_resolution.clone().or_else(|| Raw::of(&resolution.audit())),
            parent_candidate_ids: candidates,
            parent_candidates_omitted_count: (omitted > 0).then_some(omitted),
        }
    }
}

/// What came of an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// Which session it is.
    pub stable_id: String,
    /// Whether it is a new one.
    pub is_new: bool,
    /// How that was told.
    pub resolution: Resolution,
    /// What was written.
    pub event: Event<'static>,
}

impl Catalog {
    /// Notes that an agent's session was seen: finds out which session it is, or makes a new one, and writes what is known of
    /// it, all while nobody else writes. So two who see the same agent's session at the same time, in whatever
    /// processes, see one session.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] without the agent's own id; [`Error::Locked`] and [`Error::Log`] when writing fails.
    pub fn observe(&self, observation: &Observation) -> Result<Observed> {
        if observation.claude_session_id.is_empty() {
            return Err(Error::Empty { what: "the agent's session id" });
        }
        self.commit(|batch| {
            let now = batch.now();
            let resolution = identity::resolve(batch.sessions(), &observation.signals(), now);
            let is_new = resolution.stable_id.is_none();
            let stable_id = resolution.stable_id.clone().unwrap_or_else(|| id::new_session_id(now));
            let op = Op::Seen(Box::new(observation.seen(&resolution)));
            let event = batch.push(new_event(stable_id.clone(), op, now))?;
            Ok(Observed { stable_id, is_new, resolution, event })
        })
    }

    /// What [`observe`](Self::observe) would take it for.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading fails.
    pub fn resolve(&self, signals: &Signals<'_>) -> Result<Resolution> {
        let now = (self.options().clock)();
        self.with_projection(|sessions| identity::resolve(sessions, signals, now))
    }
}
