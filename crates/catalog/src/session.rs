//! What is known of one session.

use std::borrow::Cow;

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::event::Fingerprints;
use crate::outline::FileOutline;
use crate::raw::Raw;

/// What is known of one session, in the shape of a record in sessions-db's projection.
///
/// Times are text as it stands in the events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// Its id in this catalog.
    pub stable_id: String,
    /// A name that a person gave it.
    pub alias: Option<String>,
    /// The agent's own ids of it, in the order in which they were seen.
    pub claude_session_ids: Vec<String>,
    /// The agent's transcripts of it.
    pub transcript_files: Vec<TranscriptFile<'static>>,
    /// What it began with.
    pub fingerprints: Fingerprints<'static>,
    /// The session that it goes on from.
    pub parent_session_id: Option<String>,
    /// Sessions that it may go on from.
    pub parent_candidate_ids: Vec<Raw<'static>>,
    /// How many more there were.
    pub parent_candidates_omitted_count: u64,
    /// Why it was taken for the session that it is.
    pub identity_resolution: Option<Raw<'static>>,
    /// The worktree as it was given.
    pub worktree_path_observed: Option<String>,
    /// The worktree without links.
    pub worktree_realpath: Option<String>,
    /// What git calls a linked worktree.
    pub worktree_registry_name: Option<String>,
    /// The repository that all its worktrees share.
    pub git_common_dir: Option<String>,
    /// The branch when it was first seen.
    pub branch_at_start: Option<String>,
    /// The branch when it was last seen.
    pub branch_current: Option<String>,
    /// The commit when it was first seen.
    pub head_at_start: Option<String>,
    /// The commit when it was last seen.
    pub head_last_seen: Option<String>,
    /// Tasks that it belongs to.
    pub tasks: Vec<String>,
    /// Projects that it belongs to.
    pub projects: Vec<String>,
    /// Whether something goes on in it: `active`, `idle`, `archived`, or what a line says.
    pub activity_state: String,
    /// How it ended: one of [`Outcome`]'s names, or what a line says.
    pub outcome: String,
    /// When it ended.
    pub closed_at: Option<String>,
    /// Why it ended.
    pub closed_reason: Option<String>,
    /// When its first event was.
    pub created_at: String,
    /// When something last happened.
    pub last_progress_at: String,
    /// The beginning of the first prompt, sanitised.
    pub first_prompt_preview: Option<String>,
    /// The folder that it was first seen in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

impl Session {
    pub(crate) fn new(stable_id: &str, ts: &str) -> Self {
        Self {
            stable_id: stable_id.to_owned(),
            alias: None,
            claude_session_ids: Vec::new(),
            transcript_files: Vec::new(),
            fingerprints: Fingerprints::default(),
            parent_session_id: None,
            parent_candidate_ids: Vec::new(),
            parent_candidates_omitted_count: 0,
            identity_resolution: None,
            worktree_path_observed: None,
            worktree_realpath: None,
            worktree_registry_name: None,
            git_common_dir: None,
            branch_at_start: None,
            branch_current: None,
            head_at_start: None,
            head_last_seen: None,
            tasks: Vec::new(),
            projects: Vec::new(),
            activity_state: ActivityState::Active.name().to_owned(),
            outcome: Outcome::Open.name().to_owned(),
            closed_at: None,
            closed_reason: None,
            created_at: ts.to_owned(),
            last_progress_at: ts.to_owned(),
            first_prompt_preview: None,
            cwd: None,
        }
    }
}

/// A transcript of an agent: an object with `path`, `first_uuid`, `last_uuid`, `size`, `mtime`, `status`, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptFile<'a> {
    raw: Raw<'a>,
    path: Option<Cow<'a, str>>,
    last_uuid: Option<Cow<'a, str>>,
    /// Of its keys, in their order.
    shape: u64,
}

impl<'a> TranscriptFile<'a> {
    pub(crate) fn new(
        raw: Raw<'a>,
        path: Option<Cow<'a, str>>,
        last_uuid: Option<Cow<'a, str>>,
        shape: u64,
    ) -> Self {
        Self { raw, path, last_uuid, shape }
    }

    /// Of an object; `None` if it is none.
    pub(crate) fn parse(object: &'a [u8]) -> Option<Self> {
        FileOutline::of_object(object).file(object)
    }

    pub(crate) fn into_owned(self) -> TranscriptFile<'static> {
        let own = |text: Option<Cow<'a, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        TranscriptFile {
            raw: self.raw.into_owned(),
            path: own(self.path),
            last_uuid: own(self.last_uuid),
            shape: self.shape,
        }
    }

    /// Whether both have the same keys in the same order.
    pub(crate) fn has_shape_of(&self, other: &TranscriptFile<'_>) -> bool {
        self.shape == other.shape
    }

    /// Becomes the same as another, in the room that is there.
    pub(crate) fn put(this: &mut TranscriptFile<'static>, other: &TranscriptFile<'_>) {
        Raw::put(&mut this.raw, &other.raw);
        this.shape = other.shape;
        for (slot, value) in [(&mut this.path, &other.path), (&mut this.last_uuid, &other.last_uuid)] {
            match (slot, value) {
                (slot, None) => *slot = None,
                (Some(slot), Some(value)) => str::clone_into(value, slot.to_mut()),
                (slot, Some(value)) => *slot = Some(Cow::Owned(value.clone().into_owned())),
            }
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The id of its last record.
    #[must_use]
    pub fn last_uuid(&self) -> Option<&str> {
        self.last_uuid.as_deref()
    }

    /// When it was last changed.
    #[must_use]
    pub fn mtime(&self) -> Option<Cow<'_, str>> {
        self.raw.string("mtime")
    }

    /// The object.
    #[must_use]
    pub fn raw(&self) -> &Raw<'a> {
        &self.raw
    }
}

impl Serialize for TranscriptFile<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TranscriptFile<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let file = TranscriptFile::parse(raw.text().as_bytes()).map(TranscriptFile::into_owned);
        file.ok_or_else(|| D::Error::custom("a transcript is an object"))
    }
}

/// Makes a type with a name for each variant.
macro_rules! named {
    ($(#[$doc:meta])* $type:ident, $error:ident, $($(#[$variant_doc:meta])* $variant:ident = $name:literal),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in a file.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = crate::error::Error;

            fn from_str(text: &str) -> Result<Self, crate::error::Error> {
                let found = Self::ALL.iter().find(|value| value.name() == text);
                found.copied().ok_or_else(|| crate::error::Error::$error { text: text.to_owned() })
            }
        }
    };
}

named!(
    /// Whether something goes on in a session.
    ActivityState, UnknownState,
    /// Something does.
    Active = "active",
    /// Nothing has happened for a while.
    Idle = "idle",
    /// Nothing has happened for long.
    Archived = "archived"
);

named!(
    /// How a session ended.
    Outcome, UnknownOutcome,
    /// It has not.
    Open = "open",
    /// What was to be done is done.
    Done = "done",
    /// It can't go on.
    Blocked = "blocked",
    /// Nobody wants it any longer.
    Abandoned = "abandoned",
    /// Its work went elsewhere.
    Merged = "merged",
    /// Another session took its place.
    Superseded = "superseded"
);
