//! Sessions in the bytes of a cache: found by key, parsed when they are asked for.
//!
//! Three sections, numbers in little-endian order:
//!
//! ```text
//! bodies  each session's JSON, one behind the other
//! rows    for each session: where its body begins (8), last progress in milliseconds (8; the least is none)
//! keys    ascending: a key's hash (8), the session's number (4)
//! ```

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use crate::keys;
use crate::projection::Projection;
use crate::session::Session;
use crate::time;

pub(crate) const ROW_LEN: usize = 16;
pub(crate) const KEY_LEN: usize = 12;

/// In front of a session's id, in its JSON.
const ID_MARK: &[u8] = br#"{"stable_id":""#;

/// A time that is none.
const NO_TIME: i64 = i64::MIN;

/// Sessions as a cache has them.
#[derive(Clone)]
pub(crate) struct Base {
    bytes: Arc<Vec<u8>>,
    bodies: usize,
    rows: usize,
    keys: usize,
    /// How many sessions, and how many keys.
    len: u32,
    key_count: usize,
}

impl Debug for Base {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base").field("len", &self.len).finish_non_exhaustive()
    }
}

/// How long the three sections are.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Lengths {
    pub(crate) bodies: u64,
    pub(crate) sessions: u32,
    pub(crate) keys: u64,
}

impl Lengths {
    pub(crate) fn total(self) -> Option<u64> {
        let rows = u64::from(self.sessions) * ROW_LEN as u64;
        self.bodies.checked_add(rows)?.checked_add(self.keys.checked_mul(KEY_LEN as u64)?)
    }
}

impl Base {
    /// Of bytes in which the sections begin at `start`, whose checksum was good.
    pub(crate) fn new(bytes: Vec<u8>, start: usize, lengths: Lengths) -> Option<Self> {
        let total = usize::try_from(lengths.total()?).ok()?;
        if bytes.len().checked_sub(start)? < total {
            return None;
        }
        let rows = start + usize::try_from(lengths.bodies).ok()?;
        let keys = rows + lengths.sessions as usize * ROW_LEN;
        let key_count = usize::try_from(lengths.keys).ok()?;
        Some(Self { bytes: Arc::new(bytes), bodies: start, rows, keys, len: lengths.sessions, key_count })
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// The sections of a projection.
    pub(crate) fn sections(projection: &Projection) -> Option<(Vec<u8>, Lengths)> {
        let mut out = Vec::new();
        let mut rows = Vec::with_capacity(projection.len() * ROW_LEN);
        let mut all: Vec<(u64, u32)> = Vec::new();
        for (number, session) in (0_u32..).zip(projection.sessions()) {
            rows.extend_from_slice(&(out.len() as u64).to_le_bytes());
            let time = time::parse(&session.last_progress_at).unwrap_or(NO_TIME);
            rows.extend_from_slice(&time.to_le_bytes());
            serde_json::to_writer(&mut out, &session).ok()?;
            keys::of(&session, |hash| all.push((hash, number)));
        }
        all.sort_unstable();
        all.dedup();
        let sessions = u32::try_from(projection.len()).ok()?;
        let lengths = Lengths { bodies: out.len() as u64, sessions, keys: all.len() as u64 };
        out.extend_from_slice(&rows);
        for (hash, number) in all {
            out.extend_from_slice(&hash.to_le_bytes());
            out.extend_from_slice(&number.to_le_bytes());
        }
        Some((out, lengths))
    }

    pub(crate) fn session(&self, number: u32) -> Option<Session> {
        serde_json::from_slice(self.body(number)?).ok()
    }

    /// A session's id, without the rest.
    pub(crate) fn id_of(&self, number: u32) -> Option<String> {
        let rest = self.body(number)?.strip_prefix(ID_MARK)?;
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if rest[end] == b'\\' {
            return Some(self.session(number)?.stable_id);
        }
        std::str::from_utf8(&rest[..end]).ok().map(str::to_owned)
    }

    pub(crate) fn last_progress(&self, number: u32) -> Option<i64> {
        Some(self.row(number)?.1).filter(|time| *time != NO_TIME)
    }

    /// The sessions with a key of this hash, in ascending order.
    pub(crate) fn numbers(&self, hash: u64) -> Vec<u32> {
        let key = |index: usize| -> Option<(u64, u32)> {
            let field = self.bytes.get(self.keys + index * KEY_LEN..)?;
            let (hash, rest) = field.split_first_chunk::<8>()?;
            Some((u64::from_le_bytes(*hash), u32::from_le_bytes(*rest.first_chunk()?)))
        };
        let (mut low, mut high) = (0, self.key_count);
        while low < high {
            let middle = low + (high - low) / 2;
            match key(middle) {
                Some((found, _)) if found < hash => low = middle + 1,
                _ => high = middle,
            }
        }
        (low..self.key_count)
            .map_while(key)
            .take_while(|(found, _)| *found == hash)
            .map(|(_, number)| number)
            .collect()
    }

    fn body(&self, number: u32) -> Option<&[u8]> {
        let start = self.row(number)?.0;
        let end = self.row(number + 1).map_or(self.rows, |(end, _)| end);
        self.bytes.get(start..end)
    }

    /// Where a body begins in the bytes, and the time.
    fn row(&self, number: u32) -> Option<(usize, i64)> {
        if number >= self.len {
            return None;
        }
        let field = self.bytes.get(self.rows + number as usize * ROW_LEN..)?;
        let (offset, rest) = field.split_first_chunk::<8>()?;
        let start = usize::try_from(u64::from_le_bytes(*offset)).ok()?.checked_add(self.bodies)?;
        Some((start, i64::from_le_bytes(*rest.first_chunk()?)))
    }
}
