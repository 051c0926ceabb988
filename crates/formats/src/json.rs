//! A record's JSON, for taking apart: everything is a piece of the text as it is written, and decoded when it is asked for.
//!
//! Numbers that no type holds, doubled members and half surrogates are nothing that stops it, and what is handed on as JSON is the
//! agent's own bytes.

use std::borrow::Cow;
use std::ops::Index;

use jsonl_core::scan::{self, Walker};

use crate::lines;

/// A value.
#[derive(Debug)]
pub(crate) struct Json<'a> {
    raw: &'a [u8],
    inside: Inside<'a>,
}

#[derive(Debug)]
enum Inside<'a> {
    Object(Vec<(Cow<'a, [u8]>, Json<'a>)>),
    Array(Vec<Json<'a>>),
    Nothing,
}

/// What stands in for a member that isn't there.
static NOTHING: Json<'static> = Json { raw: b"", inside: Inside::Nothing };

impl<'a> Json<'a> {
    fn of(walker: &mut Walker<'a>) -> Self {
        let (raw, inside) = match walker.peek() {
            Some(b'{') => {
                let mut members = Vec::new();
                let raw = walker.spanning(|walker| {
                    walker.object(|key, value| members.push((scan::name(key), Self::of(value))));
                });
                (raw, Inside::Object(members))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                let raw = walker.spanning(|walker| walker.array(|item| items.push(Self::of(item))));
                (raw, Inside::Array(items))
            }
            _ => (walker.value(), Inside::Nothing),
        };
        Self { raw, inside }
    }

    /// Its text, if it is a string.
    pub(crate) fn text(&self) -> Option<String> {
        scan::string(self.raw).map(Cow::into_owned)
    }

    /// Its text, or nothing.
    pub(crate) fn string(&self) -> String {
        self.text().unwrap_or_default()
    }

    /// The string as it is written, for comparing with words that nobody escapes.
    pub(crate) fn word(&self) -> Option<&str> {
        std::str::from_utf8(self.raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?).ok()
    }

    /// Its items, if it is an array.
    pub(crate) fn items(&self) -> &[Json<'a>] {
        match &self.inside {
            Inside::Array(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn is_array(&self) -> bool {
        matches!(self.inside, Inside::Array(_))
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self.inside, Inside::Object(_))
    }

    pub(crate) fn is_string(&self) -> bool {
        self.raw.first() == Some(&b'"')
    }

    pub(crate) fn is_true(&self) -> bool {
        self.raw == b"true"
    }

    pub(crate) fn is_false(&self) -> bool {
        self.raw == b"false"
    }

    /// Its number, if it is a whole one.
    pub(crate) fn number(&self) -> Option<i64> {
        std::str::from_utf8(self.raw).ok()?.parse().ok()
    }

    /// Its JSON as it is written; `null` if it isn't there.
    pub(crate) fn json(&self) -> String {
        if self.raw.is_empty() {
            return String::from("null");
        }
        String::from_utf8_lossy(self.raw).into_owned()
    }

    /// The name of its first member.
    pub(crate) fn first_name(&self) -> Option<String> {
        match &self.inside {
            Inside::Object(members) => {
                members.first().map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            }
            _ => None,
        }
    }
}

impl<'a> Index<&str> for Json<'a> {
    type Output = Json<'a>;

    /// The member of a name; of several, the last. What isn't there is nothing, which has no text and no members.
    fn index(&self, name: &str) -> &Json<'a> {
        let Inside::Object(members) = &self.inside else { return nothing() };
        let found = members.iter().rev().find(|(key, _)| **key == *name.as_bytes());
        found.map_or_else(nothing, |(_, value)| value)
    }
}

fn nothing<'a, 'b>() -> &'b Json<'a> {
    &NOTHING
}

/// Takes a record apart. Bytes that are not UTF-8 are U+FFFD; damage is nothing.
pub(crate) fn with<R>(raw: &[u8], work: impl FnOnce(&Json<'_>) -> R) -> R {
    let raw = lines::bare(raw);
    let lossy;
    let raw = match scan::utf8(raw) {
        Some(_) => raw,
        None => {
            lossy = String::from_utf8_lossy(raw).into_owned();
            lossy.as_bytes()
        }
    };
    let mut walker = Walker::new(raw);
    let json = Json::of(&mut walker);
    if walker.is_whole() { work(&json) } else { work(nothing()) }
}
