//! Events: what happened to a session, one line each, as sessions-db writes them.
//!
//! ```text
//! {"ts":"…Z","event_id":"evt_<uuid>","op":"alias_set","stable_id":"sess_<uuid>","payload":{"alias":"relay"},"crc32":"…"}
//! ```
//!
//! A line is an event if it is an object with an `op` and a `stable_id`. A value of another type than the one that its
//! member has counts as absent.

use jsonl_core::scan;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::raw::{Raw, name_of, string_of, text_of};

/// Something that happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, by the clock of whoever wrote it. Empty if the line has none.
    pub ts: String,
    /// Its own id.
    pub event_id: Option<String>,
    /// Whom it happened to.
    pub stable_id: String,
    /// What happened.
    pub op: Op,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// An agent's session was seen.
    Seen(Box<Seen>),
    /// Tasks or projects belong to it.
    Link {
        /// Which, and of what.
        links: Links,
        /// A marker of old versions by which nothing happens.
        is_removal: bool,
    },
    /// Tasks or projects don't belong to it any longer.
    Unlink(Links),
    /// It has another name, or none.
    SetAlias(Setting),
    /// It has another parent, or none.
    SetParent(Setting),
    /// It came to an end, or was opened again.
    Close {
        /// How it ended.
        outcome: Option<String>,
        /// Why.
        reason: Setting,
    },
    /// Somebody looked how long nothing has happened.
    Sweep {
        /// What it is therefore.
        activity_state: Option<String>,
        /// When something last happened.
        effective_last_progress: Option<String>,
    },
    /// Parents that a person proposes.
    ManualLink {
        /// Them.
        candidates: Vec<Raw>,
    },
    /// An operation of another version.
    Unknown(String),
}

/// What a value is to be from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// None.
    Clear,
    /// This.
    Set(String),
    /// As it was: the line has nothing that could be one.
    Keep,
}

/// Tasks and projects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Links {
    /// Names of tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// Names of projects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
}

/// Everything that is seen of an agent's session at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The agent's own id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claude_session_id: Option<String>,
    /// The folder that it runs in.
    pub cwd: Option<String>,
    /// The branch.
    pub branch_at_start: Option<String>,
    /// The branch, too: the session keeps the first of these and the last of those.
    pub branch_current: Option<String>,
    /// The commit.
    pub head_at_start: Option<String>,
    /// The commit, too.
    pub head_last_seen: Option<String>,
    /// The worktree as it was given.
    pub worktree_path_observed: Option<String>,
    /// The worktree without links.
    pub worktree_realpath: Option<String>,
    /// What git calls a linked worktree.
    pub worktree_registry_name: Option<String>,
    /// The repository that all its worktrees share.
    pub git_common_dir: Option<String>,
    /// The agent's transcript: an object with `path`, `first_uuid`, `last_uuid`, `size`, `mtime` and `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript_file: Option<Raw>,
    /// What it began with.
    #[serde(skip_serializing_if = "Fingerprints::is_empty")]
    pub fingerprints: Fingerprints,
    /// The beginning of the first prompt, sanitised.
    pub first_prompt_preview: Option<String>,
    /// Why it was taken for the session that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_resolution: Option<Raw>,
    /// Sessions that it may go on from: objects with a `stable_id`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_candidate_ids: Vec<Raw>,
    /// How many more there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_candidates_omitted_count: Option<u64>,
}

/// What a session began with: the first 16 hexadecimal digits of a SHA-256 each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Fingerprints {
    /// Of the first prompt, sanitised.
    pub first_human_prompt_v1: Option<String>,
    /// Of the first record's id and that of its parent.
    pub lineage_prefix_v1: Option<String>,
}

impl Fingerprints {
    fn is_empty(&self) -> bool {
        self.first_human_prompt_v1.is_none() && self.lineage_prefix_v1.is_none()
    }
}

impl Op {
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
}

impl Event {
    /// What a line says, without its newline; `None` if it is no JSON object with an `op` and a `stable_id`.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let (mut ts, mut event_id, mut op, mut stable_id, mut payload) = (None, None, None, None, None);
        let mut members = scan::members(line);
        for member in &mut members {
            match &*name_of(member.key) {
                b"ts" => ts = string_of(member.value),
                b"event_id" => event_id = string_of(member.value),
                b"op" => op = text_of(member.value),
                b"stable_id" => stable_id = string_of(member.value),
                b"payload" => payload = Some(member.value),
                _ => {}
            }
        }
        if !members.is_whole() {
            return None;
        }
        let op = op.filter(|op| !op.is_empty())?;
        let op = Payload(payload.unwrap_or(b"{}")).op(&op);
        Some(Self { ts: ts.unwrap_or_default(), event_id, stable_id: stable_id?, op })
    }
}

/// A payload's JSON.
struct Payload<'a>(&'a [u8]);

impl<'a> Payload<'a> {
    fn members(&self) -> impl Iterator<Item = (std::borrow::Cow<'a, [u8]>, &'a [u8])> {
        scan::members(self.0).map(|member| (name_of(member.key), member.value))
    }

    /// The last member of this name.
    fn member(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.members().filter(|(key, _)| **key == *name).last().map(|(_, value)| value)
    }

    fn op(&self, name: &str) -> Op {
        match name {
            "session_seen" => Op::Seen(Box::new(self.seen())),
            "session_link" => {
                Op::Link { links: self.links(), is_removal: self.member(b"remove") == Some(b"true") }
            }
            "session_unlink" => Op::Unlink(self.links()),
            "alias_set" => Op::SetAlias(self.setting(b"alias")),
            "parent_set" => Op::SetParent(self.setting(b"parent_session_id")),
            "close" => Op::Close { outcome: self.string(b"outcome"), reason: self.reason() },
            "sweep" => Op::Sweep {
                activity_state: self.string(b"activity_state"),
                effective_last_progress: self.string(b"effective_last_progress"),
            },
            "manual_link" => Op::ManualLink { candidates: self.objects(b"parent_candidate_ids") },
            other => Op::Unknown(other.to_owned()),
        }
    }

    fn string(&self, name: &[u8]) -> Option<String> {
        self.member(name).and_then(string_of)
    }

    fn reason(&self) -> Setting {
        match self.member(b"closed_reason") {
            Some(b"null") => Setting::Clear,
            Some(value) => text_of(value).map_or(Setting::Keep, |text| Setting::Set(text.into_owned())),
            None => Setting::Keep,
        }
    }

    fn setting(&self, name: &[u8]) -> Setting {
        match self.member(name) {
            Some(b"null") => Setting::Clear,
            Some(value) => string_of(value).map_or(Setting::Keep, Setting::Set),
            None => Setting::Keep,
        }
    }

    fn links(&self) -> Links {
        let strings = |name: &[u8]| {
            let array = self.member(name).filter(|value| value.starts_with(b"["));
            scan::items(array.unwrap_or(b"[]")).filter_map(string_of).collect()
        };
        Links { tasks: strings(b"tasks"), projects: strings(b"projects") }
    }

    fn objects(&self, name: &[u8]) -> Vec<Raw> {
        objects(self.member(name).unwrap_or(b"[]"))
    }

    fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        for (key, value) in self.members() {
            let slot = match &*key {
                b"claude_session_id" => &mut seen.claude_session_id,
                b"cwd" => &mut seen.cwd,
                b"branch_at_start" => &mut seen.branch_at_start,
                b"branch_current" => &mut seen.branch_current,
                b"head_at_start" => &mut seen.head_at_start,
                b"head_last_seen" => &mut seen.head_last_seen,
                b"worktree_path_observed" => &mut seen.worktree_path_observed,
                b"worktree_realpath" => &mut seen.worktree_realpath,
                b"worktree_registry_name" => &mut seen.worktree_registry_name,
                b"git_common_dir" => &mut seen.git_common_dir,
                b"first_prompt_preview" => &mut seen.first_prompt_preview,
                b"transcript_file" => {
                    seen.transcript_file = Raw::new(value).filter(|raw| raw.text().starts_with('{'));
                    continue;
                }
                b"fingerprints" => {
                    let prints = Payload(if value.starts_with(b"{") { value } else { b"{}" });
                    seen.fingerprints = Fingerprints {
                        first_human_prompt_v1: prints.string(b"first_human_prompt_v1"),
                        lineage_prefix_v1: prints.string(b"lineage_prefix_v1"),
                    };
                    continue;
                }
                b"identity_resolution" => {
                    seen.identity_resolution = Raw::new(value);
                    continue;
                }
                b"parent_candidate_ids" => {
                    seen.parent_candidate_ids = objects(value);
                    continue;
                }
                b"parent_candidates_omitted_count" => {
                    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
                    seen.parent_candidates_omitted_count = number;
                    continue;
                }
                _ => continue,
            };
            *slot = string_of(value);
        }
        seen
    }
}

/// The objects of an array.
fn objects(array: &[u8]) -> Vec<Raw> {
    let array = if array.starts_with(b"[") { array } else { b"[]" };
    scan::items(array).filter(|item| item.starts_with(b"{")).filter_map(Raw::new).collect()
}

impl Serialize for Event {
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
pub(crate) struct WrittenPayload<'a>(pub(crate) &'a Op);

impl Serialize for WrittenPayload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |serializer: S, name, value: &Setting| {
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
