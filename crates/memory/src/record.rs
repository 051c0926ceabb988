//! The lines of a memory, read and written.
//!
//! ```text
//! {"meta":{"created":"2026-05-13T04:52:43Z","annals_version":"0.1.0"},"crc32":"…"}
//! {"id":1,"ts":"2026-05-13T04:53:00Z","kind":"fact","content":"uses LuaJIT","tags":["lang"],"source":"remember","crc32":"…"}
//! {"id":2,"ts":"2026-05-13T04:53:09Z","kind":"pref","supersedes":1,"expires":"2027-01-01T00:00:00Z","content":"…","crc32":"…"}
//! {"id":3,"ts":"2026-05-13T04:54:00Z","kind":"forget","target":1,"crc32":"…"}
//! {"id":4,"ts":"2026-05-14T04:54:00Z","kind":"compacted","kept":1,"crc32":"…"}
//! {"id":9,"ts":"2026-05-15T04:54:00Z","kind":"accepted","missing":[[5,8]],"damaged":2,"crc32":"…"}
//! ```
//!
//! The first four are aish's (`supersedes`, `expires` and the checksum are added, and ignored by it), with members
//! in any order. The last two are bookkeeping: how many records a compaction kept, and which loss a person has
//! accepted. All of them share one sequence of ids.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::time::SystemTime;

use jsonl_core::{scan, verdict};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::report::{IdRange, OddKind};
use crate::time;

/// No id is greater, so sums of ids never overflow, and every JSON reader can tell them apart.
pub(crate) const ID_MAX: u64 = 1 << 53;

/// The time of an item without one: before all others.
pub(crate) const NO_TIME: i64 = i64::MIN;

/// What an item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Something that is so.
    Fact,
    /// Something that somebody likes to be so.
    Pref,
    /// Something that is good to know for a while.
    Context,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Fact, Self::Pref, Self::Context];

    /// As it stands in the file: `fact`, `pref`, `context`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Pref => "pref",
            Self::Context => "context",
        }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| Error::UnknownKind { text: text.to_owned() })
    }
}

/// Something that was remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// Its number, from 1.
    pub id: u64,
    /// What it is about.
    pub kind: Kind,
    /// What it says. Content that is not text is given as the JSON that it is.
    pub content: String,
    /// When it was remembered, where the line says it in a way that can be read.
    pub time: Option<SystemTime>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Where it comes from, such as `remember` or `summarize:2026-05-09T23-16-07Z.jsonl`.
    pub source: Option<String>,
    /// The item that it took the place of.
    pub supersedes: Option<u64>,
    /// From when on it is no longer active.
    pub expires: Option<SystemTime>,
    raw: Vec<u8>,
}

impl Item {
    /// The record as it stands in the file, with members that annals doesn't know.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}

/// What the index needs of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) id: Option<u64>,
    pub(crate) what: What,
    /// Milliseconds since 1970, or [`NO_TIME`].
    pub(crate) ts: i64,
    pub(crate) odd: Vec<OddKind>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    Header,
    Item { kind: Kind, hash: u32, supersedes: Option<u64>, expires: Option<i64> },
    Forget { target: Option<u64> },
    Compacted { kept: u64 },
    Accepted(Accepted),
    Other,
}

/// What a person has accepted as lost, all told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) missing: Vec<IdRange>,
    #[serde(default)]
    pub(crate) missing_of_compacted: u64,
    pub(crate) damaged: u64,
}

/// The members that we know, as they are written. Of a name that stands twice the last counts, as in aish.
#[derive(Default)]
struct Members<'a> {
    id: Option<&'a [u8]>,
    ts: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    target: Option<&'a [u8]>,
    content: Option<&'a [u8]>,
    tags: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    supersedes: Option<&'a [u8]>,
    expires: Option<&'a [u8]>,
    meta: Option<&'a [u8]>,
    kept: Option<&'a [u8]>,
    has_others: bool,
}

impl<'a> Members<'a> {
    /// And whether the text is one object and nothing else.
    fn of(text: &'a [u8]) -> (Self, bool) {
        let mut found = Self::default();
        let mut members = scan::members(text);
        for member in &mut members {
            let value = Some(member.value).filter(|value| *value != b"null");
            match &*scan::name(member.key) {
                b"id" => found.id = value,
                b"ts" => found.ts = value,
                b"kind" => found.kind = value,
                b"target" => found.target = value,
                b"content" => found.content = value,
                b"tags" => found.tags = value,
                b"source" => found.source = value,
                b"supersedes" => found.supersedes = value,
                b"expires" => found.expires = value,
                b"meta" => found.meta = value,
                b"kept" => found.kept = value,
                b"crc32" => {}
                _ => found.has_others = true,
            }
        }
        (found, members.is_whole())
    }
}

/// An id, and whether it is written as one should be.
fn id(value: &[u8]) -> Option<(u64, bool)> {
    let plain = |digits: &[u8]| {
        if digits.len() > 16 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        (1..=ID_MAX).contains(&value).then_some(value)
    };
    if let Some(id) = plain(value) {
        return Some((id, true));
    }
    if let Some(quoted) = scan::string(value) {
        return plain(quoted.as_bytes()).map(|id| (id, false));
    }
    // Lua writes a large whole number as 1e+15.
    let number: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    // Above, neighbours are the same to it.
    let is_whole = number.fract() == 0.0 && (1.0..ID_MAX as f64).contains(&number);
    is_whole.then_some((number as u64, false))
}

fn number(value: Option<&[u8]>) -> Option<u64> {
    value.and_then(id).map(|(id, _)| id)
}

/// The time of a `ts` or `expires`.
fn millis(value: &[u8]) -> Option<i64> {
    time::parse(scan::string(value)?.as_bytes())
}

/// What a text means for duplicates: white space around it does not matter.
pub(crate) fn hash(content: &str) -> u32 {
    crc32fast::hash(content.trim().as_bytes())
}

/// Looks at one line's text; `None` where it is not an object and nothing else. UTF-8 and the checksum are the caller's to check.
pub(crate) fn glance(line: &[u8]) -> Option<Glance> {
    let (members, is_whole) = Members::of(line);
    is_whole.then(|| glance_at(&members, line))
}

fn glance_at(members: &Members<'_>, line: &[u8]) -> Glance {
    let mut odd = Vec::new();
    let id = match members.id.map(id) {
        Some(Some((id, is_plain))) => {
            if !is_plain {
                odd.push(OddKind::LooseId);
            }
            Some(id)
        }
        Some(None) => {
            odd.push(OddKind::BadId);
            None
        }
        None => {
            let is_header = members.kind.is_none() && members.content.is_none() && !members.has_others;
            if is_header && members.meta.is_some_and(|meta| meta.first() == Some(&b'{')) {
                return Glance { id: None, what: What::Header, ts: NO_TIME, odd };
            }
            odd.push(OddKind::NoId);
            None
        }
    };
    let ts = members.ts.and_then(millis);
    if ts.is_none() {
        odd.push(OddKind::NoTime);
    }
    let kind = members.kind.and_then(scan::string);
    let what = match kind.as_deref() {
        Some("forget") => What::Forget { target: number(members.target) },
        Some("compacted") => What::Compacted { kept: number(members.kept).unwrap_or(0) },
        Some("accepted") => match serde_json::from_slice::<Accepted>(line) {
            Ok(accepted) => What::Accepted(accepted),
            Err(_) => {
                odd.push(OddKind::UnknownKind);
                What::Other
            }
        },
        kind => match kind.and_then(|kind| kind.parse::<Kind>().ok()) {
            Some(kind) => item_at(members, kind, &mut odd),
            None => {
                odd.push(OddKind::UnknownKind);
                What::Other
            }
        },
    };
    Glance { id, what, ts: ts.unwrap_or(NO_TIME), odd }
}

fn item_at(members: &Members<'_>, kind: Kind, odd: &mut Vec<OddKind>) -> What {
    let hash = match members.content.and_then(scan::string) {
        Some(content) => hash(&content),
        None => {
            odd.push(OddKind::NoContent);
            0
        }
    };
    let is_text = |value: &[u8]| value.first() == Some(&b'"');
    let tags_are_text = members.tags.is_none_or(|tags| match tags.first() {
        Some(b'[') => scan::items(tags).all(is_text),
        // An empty table of Lua.
        _ => tags == b"{}",
    });
    if !tags_are_text || !members.source.is_none_or(is_text) {
        odd.push(OddKind::BadLabel);
    }
    let expires = members.expires.and_then(millis);
    if members.expires.is_some() && expires.is_none() {
        odd.push(OddKind::BadExpiry);
    }
    What::Item { kind, hash, supersedes: number(members.supersedes), expires }
}

/// What a line of the log has for a record, and where that begins: behind the mark that some editors put in front of a file.
pub(crate) fn of_line(offset: u64, line: &[u8]) -> (u64, &[u8]) {
    let text = verdict::text_of(line, offset == 0);
    (offset + (line.len() - text.len()) as u64, text)
}

/// The item that a record's text is, if it is one.
pub(crate) fn item(line: &[u8]) -> Option<Item> {
    let (members, _) = Members::of(line);
    let id = number(members.id)?;
    let kind = members.kind.and_then(scan::string)?.parse().ok()?;
    let as_json = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let content =
        members.content.map(|value| scan::string(value).map_or_else(|| as_json(value), Cow::into_owned));
    let time_at = |value: Option<&[u8]>| value.and_then(millis).and_then(time::from_millis);
    Some(Item {
        id,
        kind,
        content: content.unwrap_or_default(),
        time: time_at(members.ts),
        tags: members
            .tags
            .map(|tags| scan::items(tags).filter_map(|tag| scan::string(tag).map(Cow::into_owned)).collect())
            .unwrap_or_default(),
        source: members.source.and_then(scan::string).map(Cow::into_owned),
        supersedes: number(members.supersedes),
        expires: time_at(members.expires),
        raw: line.to_vec(),
    })
}

/// A record as it is written.
#[derive(Serialize)]
pub(crate) struct Written<'a> {
    pub(crate) id: u64,
    pub(crate) ts: &'a str,
    pub(crate) kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) supersedes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<u64>,
    #[serde(flatten)]
    pub(crate) accepted: Option<&'a Accepted>,
}

impl<'a> Written<'a> {
    pub(crate) fn new(id: u64, ts: &'a str, kind: &'a str) -> Self {
        Self {
            id,
            ts,
            kind,
            target: None,
            supersedes: None,
            expires: None,
            content: None,
            tags: &[],
            source: None,
            kept: None,
            accepted: None,
        }
    }
}

/// The first line of a memory, as it is written.
#[derive(Serialize)]
pub(crate) struct Header<'a> {
    pub(crate) meta: Meta<'a>,
}

#[derive(Serialize)]
pub(crate) struct Meta<'a> {
    pub(crate) created: &'a str,
    pub(crate) annals_version: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_whole_numbers_however_they_are_written() {
        for (text, expected) in [
            ("1", Some((1, true))),
            ("9007199254740992", Some((1 << 53, true))),
            ("9007199254740993", None),
            ("0", None),
            ("-1", None),
            ("1.5", None),
            ("7.0", Some((7, false))),
            ("1e+15", Some((1_000_000_000_000_000, false))),
            ("\"7\"", Some((7, false))),
            ("\"seven\"", None),
            ("true", None),
            ("[1]", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(id(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn names_are_found_however_they_are_escaped() {
        let glance =
            glance(br#"{"\u0069d":3,"kind":"forget","target":1,"ts":"2026-05-13T04:54:00Z"}"#).unwrap();
        assert_eq!((glance.id, glance.what), (Some(3), What::Forget { target: Some(1) }));
    }

    #[test]
    fn only_an_object_that_is_nothing_but_meta_is_a_header() {
        let what = |line: &str| glance(line.as_bytes()).unwrap().what;
        assert_eq!(what(r#"{"meta":{"created":"x"}}"#), What::Header);
        assert_eq!(what(r#"{"meta":{},"crc32":"00000000"}"#), What::Header);
        assert_eq!(what(r#"{"meta":"tag","content":"x"}"#), What::Other);
        assert_eq!(what(r#"{"meta":{},"more":1}"#), What::Other);
    }
}
