//! JSON that is kept as it came.

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};

use jsonl_core::scan;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A JSON value in the bytes in which it was written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Raw(Box<RawValue>);

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Raw {}

impl Debug for Raw {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Raw {
    /// A value that is not null.
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        if text == b"null" {
            return None;
        }
        RawValue::from_string(String::from_utf8_lossy(text).into_owned()).ok().map(Self)
    }

    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Option<Self> {
        serde_json::value::to_raw_value(value).ok().map(Self)
    }

    /// The JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The last member of this name of an object, as JSON; as a parser would have it.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&str> {
        let members = scan::members(self.text().as_bytes());
        let found = members.filter(|member| *name_of(member.key) == *name.as_bytes()).last()?;
        std::str::from_utf8(found.value).ok()
    }

    /// The text of a member that is a string with something in it.
    pub(crate) fn string(&self, name: &str) -> Option<Cow<'_, str>> {
        text_of(self.member(name)?.as_bytes()).filter(|text| !text.is_empty())
    }
}

/// A key without its escapes, of which there are none nearly always.
pub(crate) fn name_of(key: &[u8]) -> Cow<'_, [u8]> {
    if key.contains(&b'\\') {
        return Cow::Owned(scan::unescape(key).into_owned().into_bytes());
    }
    Cow::Borrowed(key)
}

/// The text of a JSON string; `None` if the value is none.
pub(crate) fn text_of(value: &[u8]) -> Option<Cow<'_, str>> {
    Some(scan::unescape(value.strip_prefix(b"\"")?.strip_suffix(b"\"")?))
}

/// The same with something in it, for keeping.
pub(crate) fn string_of(value: &[u8]) -> Option<String> {
    text_of(value).filter(|text| !text.is_empty()).map(Cow::into_owned)
}
