//! What a list of sessions shows of each, whoever's it is.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use annals_formats::transcript::Glance;
use annals_session::{Listed, Place};
use jiff::Timestamp;
use serde::Serialize;

use super::show::is_told_apart;
use crate::agents::{CATALOG, Found, OWN};

/// An id is shown so long at least, and longer where two would look the same.
const ID_MIN: usize = 8;

/// A session in a list.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) agent: &'static str,
    /// The agent's id, or annals's key.
    pub(super) id: String,
    pub(super) title: Option<String>,
    pub(super) project: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) model: Option<String>,
    pub(super) agent_version: Option<String>,
    pub(super) messages: Option<u64>,
    /// False if `messages` is an estimate.
    pub(super) messages_exact: bool,
    pub(super) len: u64,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) changed: Option<Timestamp>,
    pub(super) subagent: bool,
    pub(super) path: Option<String>,
    /// What only sessions of the store have.
    #[serde(flatten)]
    pub(super) own: Option<Own>,
    /// So much of the id is enough.
    #[serde(skip)]
    pub(super) id_len: usize,
}

/// What annals knows of its own sessions besides.
#[derive(Debug, Serialize)]
pub(super) struct Own {
    key: String,
    messages_kept: u64,
    archived: Option<u64>,
    created: Option<Timestamp>,
    last: Option<Timestamp>,
    parent: Option<String>,
}

fn time(time: Option<SystemTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::try_from(time).ok())
}

impl Row {
    pub(super) fn of_own(listed: Listed) -> Self {
        let archived = match listed.place {
            Place::Archived(number) => Some(number),
            _ => None,
        };
        let (created, last, changed) = (time(listed.created), time(listed.last), time(Some(listed.changed)));
        Self {
            agent: OWN,
            id_len: usize::MAX,
            id: listed.key.clone(),
            title: listed.title,
            project: None,
            branch: None,
            model: None,
            agent_version: None,
            messages: Some(listed.messages),
            messages_exact: true,
            len: listed.len,
            start: created,
            end: last,
            changed,
            subagent: false,
            path: Some(listed.path.display().to_string()),
            own: Some(Own {
                key: listed.key,
                messages_kept: listed.messages_kept,
                archived,
                created,
                last,
                parent: listed.parent.map(|parent| parent.key),
            }),
        }
    }

    pub(super) fn of_found(found: &Found, glance: Glance, ids: &Ids) -> Self {
        let (messages, messages_exact) = (glance.messages(), glance.is_whole());
        let overview = glance.overview;
        Self {
            agent: found.agent.name(),
            // A name that somebody gave is easier to know when it is whole.
            id_len: if is_told_apart(found.agent) { ids.len_of(&found.id) } else { usize::MAX },
            // Where a name has only the beginning, the file has it all.
            id: overview.id.filter(|id| id.starts_with(&found.id)).unwrap_or_else(|| found.id.clone()),
            title: overview.title.or(overview.first_prompt),
            project: overview.project,
            branch: overview.branch,
            model: overview.model,
            agent_version: overview.agent_version,
            messages,
            messages_exact,
            len: found.entry.len,
            start: time(overview.start),
            end: time(overview.end),
            changed: time(found.entry.modified),
            subagent: found.is_subagent,
            path: Some(found.path().display().to_string()),
            own: None,
        }
    }

    pub(super) fn of_catalog(session: &annals_catalog::Session) -> Self {
        let id = session.claude_session_ids.last().unwrap_or(&session.stable_id).clone();
        let changed = session.last_progress_at.parse().ok();
        Self {
            agent: CATALOG,
            id,
            id_len: usize::MAX,
            title: session.alias.clone().or_else(|| session.first_prompt_preview.clone()),
            project: session.cwd.clone().or_else(|| session.worktree_path_observed.clone()),
            branch: session.branch_current.clone(),
            model: None,
            agent_version: None,
            messages: None,
            messages_exact: false,
            len: 0,
            start: session.created_at.parse().ok(),
            end: changed,
            changed,
            subagent: false,
            path: None,
            own: None,
        }
    }

    /// What is typed for it.
    pub(super) fn name(&self) -> String {
        match &self.own {
            Some(Own { archived: Some(number), .. }) => format!("{} (archive {number})", self.id),
            _ => self.id.chars().take(self.id_len).collect(),
        }
    }

    /// When it was changed last, which is what lists go by.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.changed.or(self.end)
    }
}

/// How much of an id tells it from all others.
pub(crate) struct Ids {
    lens: HashMap<String, usize>,
    /// Ids of several files.
    repeated: HashSet<String>,
}

impl Ids {
    pub(crate) fn of<'a>(all: impl IntoIterator<Item = &'a Found>) -> Self {
        let mut ids: Vec<&str> = all.into_iter().map(|found| &*found.id).collect();
        ids.sort_unstable();
        let repeated =
            ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_owned()).collect();
        ids.dedup();
        let shared = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
        let len = |index: usize| {
            let before = index.checked_sub(1).map_or(0, |before| shared(ids[before], ids[index]));
            let behind = ids.get(index + 1).map_or(0, |behind| shared(behind, ids[index]));
            before.max(behind) + 1
        };
        let lens = (0..ids.len()).map(|index| (ids[index].to_owned(), len(index).max(ID_MIN))).collect();
        Self { lens, repeated }
    }

    /// What is typed for a transcript, if that means this file and no other.
    pub(crate) fn name_of(&self, found: &Found) -> Option<String> {
        let is_only = !self.repeated.contains(&found.id);
        is_only.then(|| found.id.chars().take(self.len_of(&found.id)).collect())
    }

    pub(super) fn len_of(&self, id: &str) -> usize {
        self.lens.get(id).copied().unwrap_or(usize::MAX)
    }
}
