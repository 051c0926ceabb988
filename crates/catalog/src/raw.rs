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
        std::str::from_utf8(scan::member(self.text().as_bytes(), name)?).ok()
    }

    /// The text of a member that is a string with something in it.
    pub(crate) fn string(&self, name: &str) -> Option<Cow<'_, str>> {
        string_in(self.text().as_bytes(), name)
    }
}

/// The text of an object's member that is a string with something in it.
pub(crate) fn string_in<'a>(object: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    scan::string_member(object, name).filter(|text| !text.is_empty())
}

/// The text of a JSON string with something in it; `None` if the value is none.
pub(crate) fn string_of(value: &[u8]) -> Option<Cow<'_, str>> {
    scan::string(value).filter(|text| !text.is_empty())
}
