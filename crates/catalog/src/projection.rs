//! What all events together say: every session, and where to find it.
//!
//! Sessions are numbered as they appear. Those that a cache brought along stay in its bytes until an event is about
//! them; the others are kept here. Which of both a session is in makes no difference to any answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::Base;
use crate::event::{Event, Op, Seen, Setting};
use crate::kept::Kept;
use crate::keys::{self, KeyKind, Keys};
use crate::reduce::{self, Rules};
use crate::session::{Session, TranscriptFile};
use crate::time;

/// What all events together say.
///
/// ```
/// use annals_catalog::{Event, Projection, Rules};
///
/// let mut projection = Projection::new(Rules::Annals);
/// let line = br#"{"ts":"2026-11-20T08:00:00.000Z","op":"alias_set","stable_id":"sess_1","payload":{"alias":"relay"}}"#;
/// projection.apply(&Event::parse(line).unwrap());
/// assert_eq!(projection.get("sess_1").unwrap().alias.as_deref(), Some("relay"));
/// ```
#[derive(Clone, Debug)]
pub struct Projection {
    rules: Rules,
    base: Option<Base>,
    /// Sessions that events were about since.
    kept: Kept,
    keys: Keys,
    count: u32,
    meta: Meta,
}

/// What is known of the events themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Meta {
    /// How many events there were.
    pub event_count: u64,
    /// The last event's id.
    pub last_event_id: Option<String>,
    /// The last event's time.
    pub updated: Option<String>,
    /// Operations of other versions, and how often they were there. At most [`UNKNOWN_OPS_KEPT`] names.
    pub unknown_ops: BTreeMap<String, u64>,
    /// All of these events, also those whose name is not kept.
    pub unknown_events: u64,
}

/// So many names of unknown operations are kept. Counting goes on.
pub const UNKNOWN_OPS_KEPT: usize = 100;

/// What of a session tells whether seeing it has added a key.
struct Seeable {
    ids: usize,
    has_first_prompt: bool,
    has_lineage: bool,
}

impl Seeable {
    fn of(session: &Session) -> Self {
        let prints = &session.fingerprints;
        Self {
            ids: session.claude_session_ids.len(),
            has_first_prompt: prints.first_human_prompt_v1.is_some(),
            has_lineage: prints.lineage_prefix_v1.is_some(),
        }
    }

    /// The keys that a session has now, and may not have had before.
    fn added(&self, session: &Session, seen: &Seen<'_>, mut each: impl FnMut(u64)) {
        for id in session.claude_session_ids.iter().skip(self.ids) {
            each(keys::hash(KeyKind::ClaudeSession, id));
        }
        if let Some(uuid) = seen.transcript_file.as_ref().and_then(TranscriptFile::last_uuid) {
            each(keys::hash(KeyKind::LastUuid, uuid));
        }
        let prints = &session.fingerprints;
        if let Some(print) = prints.first_human_prompt_v1.as_ref().filter(|_| !self.has_first_prompt) {
            each(keys::hash(KeyKind::FirstPrompt, print));
        }
        if let Some(print) = prints.lineage_prefix_v1.as_ref().filter(|_| !self.has_lineage) {
            each(keys::hash(KeyKind::Lineage, print));
        }
    }
}

impl Projection {
    /// Of no events.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            base: None,
            kept: Kept::default(),
            keys: Keys::default(),
            count: 0,
            meta: Meta::default(),
        }
    }

    /// Of some events, in their order.
    #[must_use]
    pub fn fold<'a>(rules: Rules, events: impl IntoIterator<Item = &'a Event<'a>>) -> Self {
        let mut projection = Self::new(rules);
        events.into_iter().for_each(|event| projection.apply(event));
        projection
    }

    pub(crate) fn from_base(rules: Rules, base: Base, meta: Meta) -> Self {
        let kept = Kept::behind(base.len());
        Self { count: base.len(), base: Some(base), kept, meta, ..Self::new(rules) }
    }

    /// By whose rules it was made.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// What is known of the events themselves.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes an event into account. Costs the same whatever the number of sessions.
    pub fn apply(&mut self, event: &Event<'_>) {
        let number = self.number_of(&event.stable_id).unwrap_or(self.count);
        if number == self.count {
            self.count += 1;
            self.keys.add(keys::hash(KeyKind::Id, &event.stable_id), number);
        }
        let base = &self.base;
        let session = self.kept.get_or_insert_with(number, || {
            let session = base.as_ref().and_then(|base| base.session(number));
            session.unwrap_or_else(|| Session::new(&event.stable_id, &event.ts))
        });
        let before = Seeable::of(session);
        reduce::reduce(session, event, self.rules);
        match &event.op {
            Op::Seen(seen) => before.added(session, seen, |hash| self.keys.add(hash, number)),
            Op::SetAlias(Setting::Set(alias)) => self.keys.add(keys::hash(KeyKind::Alias, alias), number),
            Op::SetParent(Setting::Set(parent)) => self.keys.add(keys::hash(KeyKind::Parent, parent), number),
            Op::Unknown(name) => {
                self.meta.unknown_events += 1;
                let is_known = self.meta.unknown_ops.contains_key(&**name);
                if is_known || self.meta.unknown_ops.len() < UNKNOWN_OPS_KEPT {
                    *self.meta.unknown_ops.entry(name.to_string()).or_default() += 1;
                }
            }
            _ => {}
        }
        self.meta.event_count += 1;
        match &event.event_id {
            Some(id) => reduce::put_some(&mut self.meta.last_event_id, id),
            None => self.meta.last_event_id = None,
        }
        match &*event.ts {
            "" => self.meta.updated = None,
            ts => reduce::put_some(&mut self.meta.updated, ts),
        }
    }

    /// The session with this id.
    #[must_use]
    pub fn get(&self, stable_id: &str) -> Option<Cow<'_, Session>> {
        self.number_of(stable_id).and_then(|number| self.session(number))
    }

    /// All sessions, in the order in which they appeared.
    pub fn sessions(&self) -> impl Iterator<Item = Cow<'_, Session>> {
        (0..self.count).filter_map(|number| self.session(number))
    }

    pub(crate) fn session(&self, number: u32) -> Option<Cow<'_, Session>> {
        match self.kept.get(number) {
            Some(session) => Some(Cow::Borrowed(session)),
            None => self.base.as_ref()?.session(number).map(Cow::Owned),
        }
    }

    pub(crate) fn number_of(&self, stable_id: &str) -> Option<u32> {
        let hash = keys::hash(KeyKind::Id, stable_id);
        self.keys.get(hash).iter().copied().find(|number| self.has_id(*number, stable_id)).or_else(|| {
            let numbers = self.base.as_ref()?.numbers(hash);
            numbers.into_iter().find(|number| self.has_id(*number, stable_id))
        })
    }

    fn has_id(&self, number: u32, stable_id: &str) -> bool {
        match self.kept.get(number) {
            Some(session) => session.stable_id == stable_id,
            None => self.base.as_ref().is_some_and(|base| base.id_of(number).as_deref() == Some(stable_id)),
        }
    }

    /// Sessions that may have this key, in the order in which they appeared. Whether one has it, is to be looked at.
    pub(crate) fn with_key(&self, kind: KeyKind, key: &str) -> impl Iterator<Item = Cow<'_, Session>> {
        self.numbers_with_key(kind, key).into_iter().filter_map(|number| self.session(number))
    }

    fn numbers_with_key(&self, kind: KeyKind, key: &str) -> Vec<u32> {
        let hash = keys::hash(kind, key);
        let mut numbers = self.base.as_ref().map(|base| base.numbers(hash)).unwrap_or_default();
        numbers.extend_from_slice(self.keys.get(hash));
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Sessions of this alias, in the order in which they appeared.
    pub fn with_alias(&self, alias: &str) -> impl Iterator<Item = Cow<'_, Session>> {
        self.with_key(KeyKind::Alias, alias).filter(move |session| session.alias.as_deref() == Some(alias))
    }

    /// Sessions whose parent is this, in the order in which they appeared.
    pub fn children_of(&self, stable_id: &str) -> impl Iterator<Item = Cow<'_, Session>> {
        self.with_key(KeyKind::Parent, stable_id)
            .filter(move |session| session.parent_session_id.as_deref() == Some(stable_id))
    }

    /// The first ids that begin so, in the order in which they appeared.
    #[must_use]
    pub fn ids_with_prefix(&self, prefix: &str, limit: usize) -> Vec<String> {
        let ids = (0..self.count).filter_map(|number| match self.kept.get(number) {
            Some(session) => Some(session.stable_id.clone()),
            None => self.base.as_ref()?.id_of(number),
        });
        ids.filter(|id| id.starts_with(prefix)).take(limit).collect()
    }

    /// The sessions' numbers, the one with the latest progress first, of equals the one that appeared first.
    pub(crate) fn by_last_progress(&self) -> Vec<u32> {
        if self.rules == Rules::SessionsDb {
            let mut all: Vec<(String, u32)> =
                self.sessions().map(|session| session.last_progress_at.clone()).zip(0..).collect();
            all.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            return all.into_iter().map(|(_, number)| number).collect();
        }
        let mut all: Vec<(Option<i64>, u32)> = (0..self.count)
            .map(|number| match (self.kept.get(number), &self.base) {
                (Some(session), _) => (time::parse(&session.last_progress_at), number),
                (None, Some(base)) => (base.last_progress(number), number),
                (None, None) => (None, number),
            })
            .collect();
        all.sort_by_key(|(time, number)| (std::cmp::Reverse(*time), *number));
        all.into_iter().map(|(_, number)| number).collect()
    }

    /// The whole of it in the shape of sessions-db's `sessions-db.json`, without what is its caller's to say.
    pub(crate) fn export(&self) -> Export<'_> {
        Export { meta: ExportMeta::of(&self.meta), sessions: Sessions(self) }
    }
}

/// Two projections are the same if they say the same.
impl PartialEq for Projection {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules && self.meta == other.meta && self.sessions().eq(other.sessions())
    }
}

/// sessions-db's projection.
#[derive(Serialize)]
pub(crate) struct Export<'a> {
    #[serde(rename = "_meta")]
    meta: ExportMeta<'a>,
    sessions: Sessions<'a>,
}

#[derive(Serialize)]
struct ExportMeta<'a> {
    schema_version: u32,
    fingerprint_versions: [&'static str; 2],
    updated: &'a Option<String>,
    event_count: u64,
    last_event_id: &'a Option<String>,
}

impl<'a> ExportMeta<'a> {
    fn of(meta: &'a Meta) -> Self {
        Self {
            schema_version: 2,
            fingerprint_versions: ["first_human_prompt_v1", "lineage_prefix_v1"],
            updated: &meta.updated,
            event_count: meta.event_count,
            last_event_id: &meta.last_event_id,
        }
    }
}

struct Sessions<'a>(&'a Projection);

impl Serialize for Sessions<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.sessions().map(|session| (session.stable_id.clone(), session)))
    }
}
