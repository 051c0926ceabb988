//! Who goes on from whom.

use std::collections::HashSet;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::projection::Projection;
use crate::session::Session;

/// So many steps down from the root are shown.
pub const DEPTH_MAX: usize = 32;

/// So many steps up are looked at for a cycle. Longer chains are told from cycles by what was seen.
const HOPS_MAX: usize = 1_000_000;

/// A session, and those that go on from it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tree {
    /// Its id.
    pub stable_id: String,
    /// What is below it.
    pub node: Node,
}

/// What is at a place in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Node {
    /// A session, and its children in the order in which they began.
    Session {
        /// It.
        session: Box<Session>,
        /// Those that go on from it.
        children: Vec<Tree>,
    },
    /// A session that is above, too: whoever wrote the log made a circle.
    Circular {
        /// It, if it exists.
        session: Box<Session>,
    },
    /// Deeper than [`DEPTH_MAX`].
    TooDeep {
        /// It.
        session: Box<Session>,
    },
}

/// In the shape of sessions-db's `tree --json`.
impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("stable_id", &self.stable_id)?;
        match &self.node {
            Node::Circular { .. } => map.serialize_entry("truncated", "circular")?,
            Node::TooDeep { .. } => map.serialize_entry("truncated", "max-depth")?,
            Node::Session { session, children } => {
                map.serialize_entry("alias", &session.alias)?;
                map.serialize_entry("activity_state", &session.activity_state)?;
                map.serialize_entry("outcome", &session.outcome)?;
                map.serialize_entry("last_progress_at", &session.last_progress_at)?;
                map.serialize_entry("branch_current", &session.branch_current)?;
                map.serialize_entry("children", children)?;
            }
        }
        map.end()
    }
}

/// A session and all that go on from it, and from them; `None` if there is no such session.
#[must_use]
pub fn descendants(sessions: &Projection, stable_id: &str) -> Option<Tree> {
    let root = sessions.get(stable_id)?.into_owned();
    Some(below(sessions, root, &mut Vec::new()))
}

fn below(sessions: &Projection, session: Session, path: &mut Vec<String>) -> Tree {
    let stable_id = session.stable_id.clone();
    let session = Box::new(session);
    if path.contains(&stable_id) {
        return Tree { stable_id, node: Node::Circular { session } };
    }
    if path.len() >= DEPTH_MAX {
        return Tree { stable_id, node: Node::TooDeep { session } };
    }
    let children = sessions.children_of(&stable_id).filter(|child| child.stable_id != stable_id);
    let mut children: Vec<Session> = children.map(std::borrow::Cow::into_owned).collect();
    children.sort_by(|a, b| a.created_at.cmp(&b.created_at));
    path.push(stable_id.clone());
    let children = children.into_iter().map(|child| below(sessions, child, path)).collect();
    path.pop();
    Tree { stable_id, node: Node::Session { session, children } }
}

/// The sessions that a session goes on from, its parent first. Ends where a parent is unknown, or was there before.
#[must_use]
pub fn ancestors(sessions: &Projection, stable_id: &str) -> Vec<Session> {
    let mut seen = HashSet::from([stable_id.to_owned()]);
    let mut found: Vec<Session> = Vec::new();
    let mut next = sessions.get(stable_id).and_then(|session| session.parent_session_id.clone());
    while let Some(session) = next.filter(|id| seen.insert(id.clone())).and_then(|id| sessions.get(&id)) {
        next = session.parent_session_id.clone();
        found.push(session.into_owned());
    }
    found
}

/// How many steps up from `parent` the session `child` is, if it is there: as its child's parent, `parent` would close a circle.
pub(crate) fn hops(sessions: &Projection, child: &str, parent: &str) -> Option<usize> {
    let mut seen = HashSet::new();
    let mut at = parent.to_owned();
    for hops in 0..HOPS_MAX {
        if at == child {
            return Some(hops);
        }
        let next = sessions.get(&at)?.parent_session_id.clone()?;
        if !seen.insert(at) {
            return None;
        }
        at = next;
    }
    None
}
