//! JSON that is kept as it came.

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};

use jsonl_core::scan;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value in the bytes in which it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Raw<'a>(Cow<'a, str>);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Box<str> = Box::<RawValue>::deserialize(deserializer)?.into();
        Ok(Self(Cow::Owned(text.into())))
    }
}

impl Debug for Raw<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Raw<'static> {
    /// An object without members.
    pub(crate) const NOTHING: Self = Self(Cow::Borrowed("{}"));

    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Option<Self> {
        serde_json::to_string(value).ok().map(|text| Self(Cow::Owned(text)))
    }
}

impl<'a> Raw<'a> {
    /// A value that is there and not null, of JSON that was looked at.
    pub(crate) fn new(text: &'a [u8]) -> Option<Self> {
        let quick =
            || std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed);
        (text != b"null" && !text.is_empty()).then(|| Self(quick()))
    }

    pub(crate) fn into_owned(self) -> Raw<'static> {
        Raw(Cow::Owned(self.0.into_owned()))
    }

    /// Becomes the same as another, in the room that is there.
    pub(crate) fn put(this: &mut Raw<'static>, other: &Raw<'_>) {
        (*other.0).clone_into(this.0.to_mut());
    }

    /// The JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The last member of this name of an object, as JSON; as a parser would have it.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(member(self.text().as_bytes(), name.as_bytes())?).ok()
    }

    /// The text of a member that is a string with something in it.
    pub(crate) fn string(&self, name: &str) -> Option<Cow<'_, str>> {
        string_of(self.member(name)?.as_bytes())
    }
}

/// The value of an object's last member of this name.
pub(crate) fn member<'a>(object: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    scan::members(object).filter(|member| *name_of(member.key) == *name).last().map(|member| member.value)
}

/// A key without its escapes, of which there are none nearly always.
pub(crate) fn name_of(key: &[u8]) -> Cow<'_, [u8]> {
    // Keys are short: all bytes at once are looked at sooner than one after the other.
    if key.iter().fold(false, |has, byte| has | (*byte == b'\\')) {
        return Cow::Owned(scan::unescape(key).into_owned().into_bytes());
    }
    Cow::Borrowed(key)
}

/// The text of a JSON string; `None` if the value is none.
pub(crate) fn text_of(value: &[u8]) -> Option<Cow<'_, str>> {
    let content = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let has_escapes = content.iter().fold(false, |has, byte| has | (*byte == b'\\'));
    let plain = if has_escapes { None } else { std::str::from_utf8(content).ok() };
    Some(plain.map_or_else(|| scan::unescape(content), Cow::Borrowed))
}

/// The same with something in it.
pub(crate) fn string_of(value: &[u8]) -> Option<Cow<'_, str>> {
    text_of(value).filter(|text| !text.is_empty())
}
