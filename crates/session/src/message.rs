//! Messages as they are read, and as they come in.

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};
use std::time::SystemTime;

use jsonl_core::scan::{self, Value, member, string, string_member, values};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::record::{Cut, Text};

/// A message as it stands in the log: its bytes are untouched, and looked into when asked.
///
/// Cheap to clone. Messages that were read together share memory, so keeping one of them may keep up to a
/// mebibyte.
#[derive(Clone)]
pub struct Message {
    seq: u64,
    text: Text,
}

impl Debug for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("seq", &self.seq).field("raw", &self.text).finish()
    }
}

impl Message {
    pub(crate) fn new(seq: u64, text: Text) -> Self {
        Self { seq, text }
    }

    /// Becomes the message of another line, which stands at `at` in the same memory.
    pub(crate) fn move_to(&mut self, cut: &Cut, at: usize) {
        self.seq = cut.seq;
        self.text.move_to(cut, at);
    }

    /// Its sequence number in the session: it never changes, also not by compaction.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was appended, in milliseconds, or the time that was given with it; `None` if a hand other than
    /// ours took it away.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.text.time()
    }

    /// The message's JSON text, byte for byte what was appended.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        self.text.body()
    }

    /// The message as a `T`. An unpaired surrogate escape becomes U+FFFD.
    ///
    /// # Errors
    ///
    /// What `serde_json` says of a message that is no `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        jsonl_core::parse_json(self.raw())
    }

    /// Its `role`.
    #[must_use]
    pub fn role(&self) -> Cow<'_, str> {
        string_member(self.raw(), "role").unwrap_or_default()
    }

    /// Its role and what it says: [`role`](Self::role) and [`text`](Self::text) in one pass over the message.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let store = annals_session::Store::open(folder.path()).unwrap();
    /// # let session = store.session("k").unwrap();
    /// session.say("user", "is the ferry on time?").unwrap();
    /// for message in session.history().unwrap().messages {
    ///     let (role, text) = message.said();
    ///     println!("{role}: {text}");
    /// }
    /// ```
    #[must_use]
    pub fn said(&self) -> (Cow<'_, str>, Cow<'_, str>) {
        said(self.raw())
    }

    /// What it says: its `content` if that is a string, or the texts of its parts, one after the other.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let store = annals_session::Store::open(folder.path()).unwrap();
    /// # let session = store.session("k").unwrap();
    /// session.append(&serde_json::json!({"role": "user", "content": [
    ///     {"type": "text", "text": "what is "}, {"type": "image", "data": "…"}, {"type": "text", "text": "this?"},
    /// ]})).unwrap();
    /// assert_eq!(session.history().unwrap().messages[0].text(), "what is this?");
    /// ```
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        text(self.raw())
    }
}

/// What is kept beside the messages of a session and is none: a record of another program that could not be a
/// message, or whatever a caller wants to have at this place of the transcript. Never part of the history.
#[derive(Clone)]
pub struct Note {
    seq: u64,
    text: Text,
}

impl Debug for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").field("seq", &self.seq).field("raw", &self.text).finish()
    }
}

impl Note {
    pub(crate) fn new(seq: u64, text: Text) -> Self {
        Self { seq, text }
    }

    /// Its sequence number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was appended.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.text.time()
    }

    /// Its JSON text, byte for byte what was appended.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        self.text.body()
    }
}

/// JSON text that has been made or looked at.
pub(crate) struct Json(Vec<u8>);

impl Json {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A message's JSON text: an object with a role.
pub(crate) fn encode<T: Serialize + ?Sized>(message: &T) -> Result<Json> {
    let json = note(message)?;
    check(json.as_bytes())?;
    Ok(json)
}

/// A message that came as JSON text.
pub(crate) fn encode_raw(text: &[u8]) -> Result<Json> {
    let json = note_raw(text)?;
    check(json.as_bytes())?;
    Ok(json)
}

/// A note's JSON text.
pub(crate) fn note<T: Serialize + ?Sized>(value: &T) -> Result<Json> {
    // Most fit into it, and need no second allocation.
    let mut text = Vec::with_capacity(256);
    jsonl_core::write_json(value, &mut text)
        .map_err(|error| Error::NotAMessage { reason: error.to_string() })?;
    Ok(Json(text))
}

/// A note that came as JSON text.
pub(crate) fn note_raw(text: &[u8]) -> Result<Json> {
    let not = |reason: String| Error::NotAMessage { reason };
    let text = text.trim_ascii();
    std::str::from_utf8(text).map_err(|error| not(error.to_string()))?;
    scan::check(text, scan::NESTING_MAX).map_err(|fault| not(format!("no JSON at byte {}", fault.at)))?;
    Ok(Json(text.to_owned()))
}

fn check(text: &[u8]) -> Result<()> {
    let not = |reason: &str| Err(Error::NotAMessage { reason: reason.to_owned() });
    if text.first() != Some(&b'{') {
        return not("it is no JSON object");
    }
    match member(text, "role") {
        None => not("it has no role"),
        Some(role) if string(role).is_none() => not("its role is no string"),
        Some(_) => Ok(()),
    }
}

/// The role of a message and the value that its content begins with, of one that begins as nearly all do: a plain role, and the content behind it.
fn by_position(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = message.strip_prefix(b"{\"role\":\"")?;
    let end = rest.iter().take(ROLE_MAX).position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
    let (role, rest) = rest.split_at(end);
    Some((role, rest.strip_prefix(b"\",\"content\":")?))
}

/// A role that is longer is none that programs have.
const ROLE_MAX: usize = 16;

/// The text of a content that is a string, and nothing behind it.
fn last_text(content: &[u8]) -> Option<Cow<'_, str>> {
    let (text, end) = scan::string_from(content)?;
    (content.get(end..) == Some(b"}")).then_some(text)
}

/// The role and the text of a message.
fn said(message: &[u8]) -> (Cow<'_, str>, Cow<'_, str>) {
    if let Some((role, content)) = by_position(message)
        && let (Some(role), Some(text)) = (scan::utf8(role), last_text(content))
    {
        return (Cow::Borrowed(role), text);
    }
    let [role, content] = values(message, ["role", "content"]);
    (role.and_then(Value::into_text).unwrap_or_default(), text_of(content))
}

/// The text of a message.
pub(crate) fn text(message: &[u8]) -> Cow<'_, str> {
    if let Some(text) = by_position(message).and_then(|(_, content)| last_text(content)) {
        return text;
    }
    let [content] = values(message, ["content"]);
    text_of(content)
}

fn text_of(content: Option<Value<'_>>) -> Cow<'_, str> {
    match content {
        Some(Value::Text(text)) => text,
        Some(Value::Other(parts)) => Cow::Owned(scan::items(parts).map(part_text).collect()),
        None => Cow::default(),
    }
}

/// The text of a part of a message's content; nothing, if it is no text.
pub(crate) fn part_text(part: &[u8]) -> Cow<'_, str> {
    string(part).or_else(|| string_member(part, "text")).unwrap_or_default()
}

/// Whether a message is an assistant's reasoning and nothing else: no text, calls, media, attachments, id of a call.
pub(crate) fn is_thought(message: &[u8]) -> bool {
    let says = |name: &str| match member(message, name) {
        None | Some(b"null" | b"false") => false,
        Some(list) if list.starts_with(b"[") => scan::items(list).count() > 0,
        Some(value) => string(value).is_none_or(|text| !text.trim().is_empty()),
    };
    let content = ["content", "tool_calls", "media", "attachments", "tool_call_id"];
    let role = string_member(message, "role");
    role.as_deref() == Some("assistant") && says("reasoning_content") && !content.into_iter().any(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow twin: every member by itself, found as it is written.
    fn slow(message: &[u8]) -> (String, String) {
        let own = |value: Option<Cow<'_, str>>| value.unwrap_or_default().into_owned();
        let role = own(member(message, "role").and_then(string));
        let Some(content) = member(message, "content") else { return (role, String::new()) };
        if let Some(text) = string(content) {
            return (role, text.into_owned());
        }
        let text = |part| string(part).or_else(|| member(part, "text").and_then(string));
        (role, scan::items(content).map(|part| own(text(part))).collect())
    }

    #[test]
    fn role_and_text_in_one_pass_are_those_one_by_one() {
        let contents = [
            "",
            r#","content":"two\nlines""#,
            r#","content":null"#,
            r#","content":7"#,
            r#","content":["a",{"type":"text","text":"b\u00e9"},{"type":"image","data":"x"},{"text":5},"\""]"#,
            r#","content":[]"#,
            r#","content":{"text":"no part"}"#,
            r#","content":"first","content":["last"]"#,
            r#","content":["first"],"content":"last""#,
            r#","content":"c","role":"tool""#,
            r#","content":"c","role":null"#,
            r#","content":"first","content":"last""#,
            r#","content":"c" "#,
            ",\"content\":\"a\tb\"",
            ",\"content\":\"not finished",
        ];
        let roles = [
            r#""role":"user""#,
            r#""role":"\u0061""#,
            r#""role":"""#,
            r#""role":"longer than any that there is""#,
            "\"role\":\"a\tb\"",
            r#""role":1"#,
            r#""name":"n""#,
        ];
        for role in roles {
            for content in contents {
                for end in ["}", r#","tool_calls":[{"id":"c"}]}"#, ","] {
                    let message = format!("{{{role}{content}{end}").into_bytes();
                    let (role, text) = said(&message);
                    let expected = slow(&message);
                    assert_eq!((&*role, &*text), (&*expected.0, &*expected.1), "{}", message.escape_ascii());
                    assert_eq!(super::text(&message), expected.1, "{}", message.escape_ascii());
                }
            }
        }
    }
}
