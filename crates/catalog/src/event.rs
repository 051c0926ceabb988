//! Events: what happened to a session, one line each, as sessions-db writes them.
//!
//! ```text
//! {"ts":"…Z","event_id":"evt_<uuid>","op":"alias_set","stable_id":"sess_<uuid>","payload":{"alias":"relay"},"crc32":"…"}
//! ```
//!
//! A line is an event if it is an object with an `op` and a `stable_id`. A value of another type than the one that its
//! member has counts as absent.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::outline::Outline;
use crate::raw::Raw;
use crate::session::TranscriptFile;

/// Something that happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// When, by the clock of whoever wrote it. Empty if the line has none.
    pub ts: Cow<'a, str>,
    /// Its own id.
    pub event_id: Option<Cow<'a, str>>,
    /// Whom it happened to.
    pub stable_id: Cow<'a, str>,
    /// What happened.
    pub op: Op<'a>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op<'a> {
    /// An agent's session was seen.
    Seen(Box<Seen<'a>>),
    /// Tasks or projects belong to it.
    Link {
        /// Which, and of what.
        links: Links<'a>,
        /// A marker of old versions by which nothing happens.
        is_removal: bool,
    },
    /// Tasks or projects don't belong to it any longer.
    Unlink(Links<'a>),
    /// It has another name, or none.
    SetAlias(Setting<'a>),
    /// It has another parent, or none.
    SetParent(Setting<'a>),
    /// It came to an end, or was opened again.
    Close {
        /// How it ended.
        outcome: Option<Cow<'a, str>>,
        /// Why.
        reason: Setting<'a>,
    },
    /// Somebody looked how long nothing has happened.
    Sweep {
        /// What it is therefore.
        activity_state: Option<Cow<'a, str>>,
        /// When something last happened.
        effective_last_progress: Option<Cow<'a, str>>,
    },
    /// Parents that a person proposes.
    ManualLink {
        /// Them.
        candidates: Vec<Raw<'a>>,
    },
    /// An operation of another version.
    Unknown(Cow<'a, str>),
}

/// What a value is to be from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting<'a> {
    /// None.
    Clear,
    /// This.
    Set(Cow<'a, str>),
    /// As it was: the line has nothing that could be one.
    Keep,
}

/// Tasks and projects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Links<'a> {
    /// Names of tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Cow<'a, str>>,
    /// Names of projects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<Cow<'a, str>>,
}

/// Everything that is seen of an agent's session at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen<'a> {
    /// The agent's own id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claude_session_id: Option<Cow<'a, str>>,
    /// The folder that it runs in.
    pub cwd: Option<Cow<'a, str>>,
    /// The branch.
    pub branch_at_start: Option<Cow<'a, str>>,
    /// The branch, too: the session keeps the first of these and the last of those.
    pub branch_current: Option<Cow<'a, str>>,
    /// The commit.
    pub head_at_start: Option<Cow<'a, str>>,
    /// The commit, too.
    pub head_last_seen: Option<Cow<'a, str>>,
    /// The worktree as it was given.
    pub worktree_path_observed: Option<Cow<'a, str>>,
    /// The worktree without links.
    pub worktree_realpath: Option<Cow<'a, str>>,
    /// What git calls a linked worktree.
    pub worktree_registry_name: Option<Cow<'a, str>>,
    /// The repository that all its worktrees share.
    pub git_common_dir: Option<Cow<'a, str>>,
    /// The agent's transcript: an object with `path`, `first_uuid`, `last_uuid`, `size`, `mtime` and `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript_file: Option<TranscriptFile<'a>>,
    /// What it began with.
    #[serde(skip_serializing_if = "Fingerprints::is_empty")]
    pub fingerprints: Fingerprints<'a>,
    /// The beginning of the first prompt, sanitised.
    pub first_prompt_preview: Option<Cow<'a, str>>,
    /// Why it was taken for the session that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_resolution: Option<Raw<'a>>,
    /// Sessions that it may go on from: objects with a `stable_id`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_candidate_ids: Vec<Raw<'a>>,
    /// How many more there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_candidates_omitted_count: Option<u64>,
}

/// What a session began with: the first 16 hexadecimal digits of a SHA-256 each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Fingerprints<'a> {
    /// Of the first prompt, sanitised.
    pub first_human_prompt_v1: Option<Cow<'a, str>>,
    /// Of the first record's id and that of its parent.
    pub lineage_prefix_v1: Option<Cow<'a, str>>,
}

impl<'a> Fingerprints<'a> {
    fn is_empty(&self) -> bool {
        self.first_human_prompt_v1.is_none() && self.lineage_prefix_v1.is_none()
    }

    fn into_owned(self) -> Fingerprints<'static> {
        Fingerprints {
            first_human_prompt_v1: own(self.first_human_prompt_v1),
            lineage_prefix_v1: own(self.lineage_prefix_v1),
        }
    }
}

fn own(text: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
    text.map(|text| Cow::Owned(text.into_owned()))
}

fn own_all(texts: Vec<Cow<'_, str>>) -> Vec<Cow<'static, str>> {
    texts.into_iter().map(|text| Cow::Owned(text.into_owned())).collect()
}

impl Setting<'_> {
    fn into_owned(self) -> Setting<'static> {
        match self {
            Self::Clear => Setting::Clear,
            Self::Set(value) => Setting::Set(Cow::Owned(value.into_owned())),
            Self::Keep => Setting::Keep,
        }
    }
}

impl Links<'_> {
    pub(crate) fn into_owned(self) -> Links<'static> {
        Links { tasks: own_all(self.tasks), projects: own_all(self.projects) }
    }
}

impl Seen<'_> {
    fn into_owned(self) -> Seen<'static> {
        Seen {
            claude_session_id: own(self.claude_session_id),
            cwd: own(self.cwd),
            branch_at_start: own(self.branch_at_start),
            branch_current: own(self.branch_current),
            head_at_start: own(self.head_at_start),
            head_last_seen: own(self.head_last_seen),
            worktree_path_observed: own(self.worktree_path_observed),
            worktree_realpath: own(self.worktree_realpath),
            worktree_registry_name: own(self.worktree_registry_name),
            git_common_dir: own(self.git_common_dir),
            transcript_file: self.transcript_file.map(TranscriptFile::into_owned),
            fingerprints: self.fingerprints.into_owned(),
            first_prompt_preview: own(self.first_prompt_preview),
            identity_resolution: self.identity_resolution.map(Raw::into_owned),
            parent_candidate_ids: self.parent_candidate_ids.into_iter().map(Raw::into_owned).collect(),
            parent_candidates_omitted_count: self.parent_candidates_omitted_count,
        }
    }
}

impl Op<'_> {
    /// Its name in a line.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Seen(_) => "session_seen",
            Self::Link { .. } => "session_link",
            Self::Unlink(_) => "session_unlink",
            Self::SetAlias(_) => "alias_set",
            Self::SetParent(_) => "parent_set",
            Self::Close { .. } => "close",
            Self::Sweep { .. } => "sweep",
            Self::ManualLink { .. } => "manual_link",
            Self::Unknown(name) => name,
        }
    }

    /// Its payload in a line, as JSON.
    #[must_use]
    pub fn payload(&self) -> Raw<'static> {
        Raw::of(&WrittenPayload(self)).unwrap_or(Raw::NOTHING)
    }

    fn into_owned(self) -> Op<'static> {
        match self {
            Self::Seen(seen) => Op::Seen(Box::new(seen.into_owned())),
            Self::Link { links, is_removal } => Op::Link { links: links.into_owned(), is_removal },
            Self::Unlink(links) => Op::Unlink(links.into_owned()),
            Self::SetAlias(setting) => Op::SetAlias(setting.into_owned()),
            Self::SetParent(setting) => Op::SetParent(setting.into_owned()),
            Self::Close { outcome, reason } => {
                Op::Close { outcome: own(outcome), reason: reason.into_owned() }
            }
            Self::Sweep { activity_state, effective_last_progress } => Op::Sweep {
                activity_state: own(activity_state),
                effective_last_progress: own(effective_last_progress),
            },
            Self::ManualLink { candidates } => {
                Op::ManualLink { candidates: candidates.into_iter().map(Raw::into_owned).collect() }
            }
            Self::Unknown(name) => Op::Unknown(Cow::Owned(name.into_owned())),
        }
    }
}

impl<'a> Event<'a> {
    /// What a line says, without its newline; `None` if it is no JSON object with an `op` and a `stable_id`.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        Some(Outline::of(line)?.event(line))
    }

    /// The same without what it was parsed from.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        Event {
            ts: Cow::Owned(self.ts.into_owned()),
            event_id: own(self.event_id),
            stable_id: Cow::Owned(self.stable_id.into_owned()),
            op: self.op.into_owned(),
        }
    }
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("ts", &self.ts)?;
        map.serialize_entry("event_id", &self.event_id)?;
        map.serialize_entry("op", self.op.name())?;
        map.serialize_entry("stable_id", &self.stable_id)?;
        map.serialize_entry("payload", &WrittenPayload(&self.op))?;
        map.end()
    }
}

/// A payload, as it is written.
struct WrittenPayload<'a>(&'a Op<'a>);

impl Serialize for WrittenPayload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |serializer: S, name, value: &Setting<'_>| {
            let mut map = serializer.serialize_map(None)?;
            match value {
                Setting::Clear => map.serialize_entry(name, &())?,
                Setting::Set(value) => map.serialize_entry(name, value)?,
                Setting::Keep => {}
            }
            map.end()
        };
        match self.0 {
            Op::Seen(seen) => seen.serialize(serializer),
            Op::Link { links, is_removal: false } | Op::Unlink(links) => links.serialize(serializer),
            Op::Link { links, is_removal: true } => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("tasks", &links.tasks)?;
                map.serialize_entry("projects", &links.projects)?;
                map.serialize_entry("remove", &true)?;
                map.end()
            }
            Op::SetAlias(setting) => entry(serializer, "alias", setting),
            Op::SetParent(setting) => entry(serializer, "parent_session_id", setting),
            Op::Close { outcome, reason } => {
                let mut map = serializer.serialize_map(None)?;
                if let Some(outcome) = outcome {
                    map.serialize_entry("outcome", outcome)?;
                }
                match reason {
                    Setting::Clear => map.serialize_entry("closed_reason", &())?,
                    Setting::Set(reason) => map.serialize_entry("closed_reason", reason)?,
                    Setting::Keep => {}
                }
                map.end()
            }
            Op::Sweep { activity_state, effective_last_progress } => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("activity_state", activity_state)?;
                map.serialize_entry("effective_last_progress", effective_last_progress)?;
                map.end()
            }
            Op::ManualLink { candidates } => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("parent_candidate_ids", candidates)?;
                map.end()
            }
            Op::Unknown(_) => serializer.serialize_map(Some(0))?.end(),
        }
    }
}
