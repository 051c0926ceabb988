//! By what sessions are looked up: 64-bit hashes, in memory and in the cache alike.
//!
//! A hash only says where to look; whoever looks makes sure. So keys may be left behind that no longer hold.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use crate::session::Session;

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyKind {
    Id,
    Alias,
    ClaudeSession,
    LastUuid,
    FirstPrompt,
    Lineage,
    Parent,
}

/// The hash of a key. The same for the same standard library; the cache knows by [`probe`] whether it is.
pub(crate) fn hash(kind: KeyKind, key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind as u8).hash(&mut hasher);
    key.hash(&mut hasher);
    hasher.finish()
}

/// A hash by which another way of hashing is found out.
pub(crate) fn probe() -> u64 {
    hash(KeyKind::Id, "sess_019c2291-b3df-7245-90e5-aec56f364e80")
}

/// Every key of a session.
pub(crate) fn of(session: &Session, mut each: impl FnMut(u64)) {
    each(hash(KeyKind::Id, &session.stable_id));
    if let Some(alias) = &session.alias {
        each(hash(KeyKind::Alias, alias));
    }
    for id in &session.claude_session_ids {
        each(hash(KeyKind::ClaudeSession, id));
    }
    for file in &session.transcript_files {
        if let Some(uuid) = file.last_uuid() {
            each(hash(KeyKind::LastUuid, uuid));
        }
    }
    let prints = &session.fingerprints;
    if let Some(print) = &prints.first_human_prompt_v1 {
        each(hash(KeyKind::FirstPrompt, print));
    }
    if let Some(print) = &prints.lineage_prefix_v1 {
        each(hash(KeyKind::Lineage, print));
    }
    if let Some(parent) = &session.parent_session_id {
        each(hash(KeyKind::Parent, parent));
    }
}

/// The numbers of sessions by the hashes of their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(HashMap<u64, Numbers, Spread>);

/// Hashes numbers that nobody else can choose: hashes of keys, and numbers that count.
pub(crate) type Spread = BuildHasherDefault<Spreader>;

#[derive(Default)]
pub(crate) struct Spreader(u64);

impl Hasher for Spreader {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    /// By the golden ratio (Knuth, The Art of Computer Programming, 6.4), so that upper bits differ, too.
    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// One nearly always.
#[derive(Clone, Debug)]
enum Numbers {
    One(u32),
    Many(Vec<u32>),
}

impl Keys {
    /// Once for each hash and number.
    pub(crate) fn add(&mut self, hash: u64, number: u32) {
        match self.0.entry(hash).or_insert(Numbers::One(number)) {
            Numbers::One(known) if *known == number => {}
            slot @ Numbers::One(_) => {
                let Numbers::One(known) = *slot else { return };
                *slot = Numbers::Many(vec![known.min(number), known.max(number)]);
            }
            Numbers::Many(known) => {
                if let Err(place) = known.binary_search(&number) {
                    known.insert(place, number);
                }
            }
        }
    }

    /// In ascending order.
    pub(crate) fn get(&self, hash: u64) -> &[u32] {
        match self.0.get(&hash) {
            None => &[],
            Some(Numbers::One(number)) => std::slice::from_ref(number),
            Some(Numbers::Many(numbers)) => numbers,
        }
    }
}
