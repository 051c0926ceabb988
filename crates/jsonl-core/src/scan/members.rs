//! What objects and arrays hold, as it is written.

use std::borrow::Cow;

use super::strings::decode;
use super::{NESTING_MAX, only_space_from, skip_space, string_end, value_end};

/// The members of the object that is the whole of `text`, in order, as they are written.
///
/// Stops silently at the first fault, and yields nothing where `text` is not an object: call it on text that
/// passed [`check`](super::check), or take what comes.
#[must_use]
pub fn members(text: &[u8]) -> Members<'_> {
    let at = skip_space(text, 0);
    let at = if text.get(at) == Some(&b'{') { skip_space(text, at + 1) } else { text.len() };
    let is_whole = text.get(at) == Some(&b'}') && only_space_from(text, at + 1).is_ok();
    Members { text, at, is_whole }
}

/// Iterator over the members of an object; see [`members`].
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
    is_whole: bool,
}

impl<'a> Members<'a> {
    /// Whether the text has turned out to be one object and nothing else, as [`check`](super::check) finds: known when the
    /// iterator is at its end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The next member's name as it is written, and where its value begins. Unless [`Members::go_on`] follows, the iterator is at
    /// its end.
    fn next_key(&mut self) -> Option<(&'a [u8], usize)> {
        let text = self.text;
        let quote = self.at;
        self.at = text.len();
        if text.get(quote) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(text, quote + 1).ok()?;
        let colon = skip_space(text, key_end);
        (text.get(colon) == Some(&b':')).then(|| (&text[quote + 1..key_end - 1], skip_space(text, colon + 1)))
    }

    /// Passes the value that ends at `end`.
    fn go_on(&mut self, end: usize) {
        let comma = skip_space(self.text, end);
        match self.text.get(comma) {
            Some(b',') => self.at = skip_space(self.text, comma + 1),
            Some(b'}') => self.is_whole = only_space_from(self.text, comma + 1).is_ok(),
            _ => {}
        }
    }
}

/// One member of an object, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name without its quotes, escapes as written.
    pub key: &'a [u8],
    /// The text of the value; a string has its quotes.
    pub value: &'a [u8],
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let (key, value) = self.next_key()?;
        let end = member_end(self.text, value)?;
        self.go_on(end);
        Some(Member { key, value: &self.text[value..end] })
    }
}

/// A member's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// What a string says, escapes resolved as [`unescape`](super::unescape) does it.
    Text(Cow<'a, str>),
    /// Anything else, as it is written.
    Other(&'a [u8]),
}

impl<'a> Value<'a> {
    /// What it says, if it is a string.
    #[must_use]
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

/// The value of an object's member as it is written; of several with the name, the last, as parsers have it.
///
/// What [`members`] yields up to the first fault is looked at. `None` where there is none of the name, or `object` is no object.
#[must_use]
pub fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let [found] = last_of_names(object, [name], |value| {
        let end = member_end(object, value)?;
        Some((&object[value..end], end))
    });
    found
}

/// The text of an object's member that is a string, escapes resolved: what [`string`](super::string) says of [`member`], in one pass.
#[must_use]
pub fn string_member<'a>(object: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let [found] = values(object, [name]);
    found?.into_text()
}

/// What [`member`] and [`string`](super::string) say of several names that differ, in one pass for all.
///
/// ```
/// use jsonl_core::scan::{Value, values};
///
/// let message = br#"{"role":"user","content":"two\nlines","id":7}"#;
/// let found = values(message, ["content", "id", "name"]);
/// assert_eq!(found, [Some(Value::Text("two\nlines".into())), Some(Value::Other(b"7")), None]);
/// ```
#[must_use]
pub fn values<'a, const N: usize>(object: &'a [u8], names: [&str; N]) -> [Option<Value<'a>>; N] {
    last_of_names(object, names, |value| {
        if object.get(value) == Some(&b'"') {
            let (text, end) = decode(object, value + 1).ok()?;
            return Some((Value::Text(text), end));
        }
        let end = member_end(object, value)?;
        Some((Value::Other(&object[value..end]), end))
    })
}

/// Where the value ends that begins at `value` in an object; `None` for a fault.
fn member_end(object: &[u8], value: usize) -> Option<usize> {
    // The object itself is one level.
    value_end(object, value, NESTING_MAX - 1).ok()
}

/// What `take` makes of the values of the last members of these names. It gets where a value begins, and gives where it ends, or `None` for
/// a fault.
fn last_of_names<T, const N: usize>(
    object: &[u8],
    names: [&str; N],
    take: impl Fn(usize) -> Option<(T, usize)>,
) -> [Option<T>; N] {
    let mut found = [const { None }; N];
    let mut is_searched = false;
    let mut members = members(object);
    while let Some((key, value)) = members.next_key() {
        let key = super::name(key);
        let Some(place) = names.iter().position(|name| *key == *name.as_bytes()) else {
            let Some(end) = member_end(object, value) else { break };
            members.go_on(end);
            continue;
        };
        let Some((taken, end)) = take(value) else { break };
        found[place] = Some(taken);
        members.go_on(end);
        let rest = object.get(members.at..).unwrap_or_default();
        if !is_searched && rest.len() > FAR && found.iter().all(Option::is_some) {
            if !may_hold(rest, &names) {
                break;
            }
            // Whoever asked at each of a million would be at it for minutes.
            is_searched = true;
        }
    }
    found
}

/// In what is longer, names are searched for before it is walked through.
pub(super) const FAR: usize = 512;

/// Whether a member of one of these names may be in a text: as it is, or with escapes.
fn may_hold(text: &[u8], names: &[&str]) -> bool {
    let may_be_written = |name: &&str| {
        // Other characters can be escaped in other ways.
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        !is_plain || memchr::memmem::find(text, name.as_bytes()).is_some()
    };
    names.iter().any(may_be_written) || memchr::memmem::find(text, b"\\u00").is_some()
}

/// The items of the array that is the whole of `text`, in order, as they are written. As [`members`] for what is
/// no array, or wrong.
#[must_use]
pub fn items(text: &[u8]) -> Items<'_> {
    let at = skip_space(text, 0);
    let at = if text.get(at) == Some(&b'[') { at + 1 } else { text.len() };
    Items { text, at }
}

/// Iterator over the items of an array; see [`items`].
#[derive(Clone, Debug)]
pub struct Items<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.text;
        let start = skip_space(text, self.at);
        self.at = text.len();
        let end = value_end(text, start, NESTING_MAX).ok()?;
        let comma = skip_space(text, end);
        if text.get(comma) == Some(&b',') {
            self.at = comma + 1;
        }
        Some(&text[start..end])
    }
}
