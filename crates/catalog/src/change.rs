//! Changes to one session: checked against what is known, then an event.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::event::{Event, Links, Op, Setting};
use crate::id;
use crate::projection::Projection;
use crate::session::{Outcome, Session};
use crate::time;
use crate::tree;

/// So many ids are named where one isn't clear.
const CANDIDATES_NAMED: usize = 5;

/// A change to one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    op: Op<'static>,
}

impl Change {
    /// Another name, or none.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`].
    pub fn alias(alias: Option<&str>) -> Result<Self> {
        Ok(Self { op: Op::SetAlias(setting(alias, "the alias")?) })
    }

    /// Tasks and projects that it belongs to. Each is noted once.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] if there are none.
    pub fn link(links: Links<'_>) -> Result<Self> {
        Ok(Self { op: Op::Link { links: tidied(links)?, is_removal: false } })
    }

    /// Tasks and projects that it doesn't belong to.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] if there are none.
    pub fn unlink(links: Links<'_>) -> Result<Self> {
        Ok(Self { op: Op::Unlink(tidied(links)?) })
    }

    /// The session that it goes on from, given as in [`crate::Catalog::session`], or none.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`].
    pub fn parent(parent: Option<&str>) -> Result<Self> {
        Ok(Self { op: Op::SetParent(setting(parent, "the parent")?) })
    }

    /// How it ended, and why.
    #[must_use]
    pub fn close(outcome: Outcome, reason: Option<&str>) -> Self {
        let reason = reason.map_or(Setting::Keep, |reason| Setting::Set(Cow::Owned(reason.to_owned())));
        Self { op: Op::Close { outcome: Some(Cow::Borrowed(outcome.name())), reason } }
    }

    /// The event that it is for a session.
    pub(crate) fn event(self, sessions: &Projection, id: &str, now: SystemTime) -> Result<Event<'static>> {
        let child = find_one(sessions, id)?.stable_id;
        let op = match self.op {
            Op::SetParent(Setting::Set(parent)) => {
                let parent = find_one(sessions, &parent)?.stable_id;
                if parent == child {
                    return Err(Error::OwnParent);
                }
                if let Some(hops) = tree::hops(sessions, &child, &parent) {
                    return Err(Error::Cycle { child, parent, hops });
                }
                Op::SetParent(Setting::Set(Cow::Owned(parent)))
            }
            op => op,
        };
        Ok(new_event(child, op, now))
    }
}

fn setting(value: Option<&str>, what: &'static str) -> Result<Setting<'static>> {
    match value {
        None => Ok(Setting::Clear),
        Some("") => Err(Error::Empty { what }),
        Some(value) => Ok(Setting::Set(Cow::Owned(value.to_owned()))),
    }
}

/// Each once, in their order.
fn tidied(links: Links<'_>) -> Result<Links<'static>> {
    let mut links = links.into_owned();
    for names in [&mut links.tasks, &mut links.projects] {
        let mut seen = HashSet::new();
        names.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    }
    if links.tasks.is_empty() && links.projects.is_empty() {
        return Err(Error::Empty { what: "the list of tasks and projects" });
    }
    Ok(links)
}

/// The session that is meant: by its id, an alias, or the beginning of an id.
pub(crate) fn find_one(sessions: &Projection, id: &str) -> Result<Session> {
    if let Some(session) = sessions.get(id) {
        return Ok(session.into_owned());
    }
    if id.is_empty() {
        return Err(Error::Empty { what: "the id" });
    }
    let mut found: Vec<String> = sessions.with_alias(id).map(|session| session.stable_id.clone()).collect();
    if found.is_empty() {
        found = sessions.ids_with_prefix(id, CANDIDATES_NAMED);
        // The prefix says nothing, and is left out by many.
        if found.is_empty() {
            found = sessions.ids_with_prefix(&format!("sess_{id}"), CANDIDATES_NAMED);
        }
    }
    found.truncate(CANDIDATES_NAMED);
    match &found[..] {
        [only] => {
            sessions.get(only).map(std::borrow::Cow::into_owned).ok_or(Error::NotFound { id: id.to_owned() })
        }
        [] => Err(Error::NotFound { id: id.to_owned() }),
        _ => Err(Error::Ambiguous { id: id.to_owned(), candidates: found }),
    }
}

pub(crate) fn new_event(stable_id: String, op: Op<'static>, now: SystemTime) -> Event<'static> {
    Event {
        ts: Cow::Owned(time::to_text(now)),
        event_id: Some(Cow::Owned(id::new_event_id(now))),
        stable_id: Cow::Owned(stable_id),
        op,
    }
}
