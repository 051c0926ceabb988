//! The common shape of a message. Any other type that is `Serialize` and has a `role` will do as well.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::message::part_text;

/// A message of a chat as most providers have it. Members that it doesn't know are kept as they are written.
///
/// ```
/// use annals_session::ChatMessage;
///
/// let text = r#"{"role":"assistant","content":"hi","cost":0.10000000000000000001}"#;
/// let message: ChatMessage = serde_json::from_str(text)?;
/// assert_eq!(message.content.unwrap().text(), "hi");
/// assert_eq!(message.other[0].1.get(), "0.10000000000000000001");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ChatMessage {
    /// Who speaks: `system`, `user`, `assistant`, `tool` …
    pub role: String,
    /// What they say. `None` is written as `null`: an answer that only calls tools says nothing.
    pub content: Option<Content>,
    /// The tools that are called.
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool's result: the call that it answers.
    pub tool_call_id: Option<String>,
    /// Everything else, in order.
    pub other: Vec<(String, Box<RawValue>)>,
}

/// What a message says.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Content {
    /// Text.
    Text(String),
    /// Parts, as they are written: text, images, documents.
    Parts(Vec<Box<RawValue>>),
    /// Some other JSON value.
    Other(Box<RawValue>),
}

/// A call of a tool.
#[derive(Clone, Debug, Default)]
pub struct ToolCall {
    /// What its result names.
    pub id: String,
    /// Everything else, in order: `type`, `function` with its name and arguments …
    pub other: Vec<(String, Box<RawValue>)>,
}

impl ChatMessage {
    /// A message of text.
    #[must_use]
    pub fn new(role: impl Into<String>, text: impl Into<String>) -> Self {
        Self { role: role.into(), content: Some(Content::Text(text.into())), ..Self::default() }
    }
}

impl Content {
    /// The text, or the texts of the parts one after the other.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts.iter().map(|part| part_text(part.get().as_bytes())).collect(),
            Self::Other(_) => String::new(),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(match raw.get().as_bytes().first() {
            Some(b'"') => match jsonl_core::parse_json(raw.get().as_bytes()) {
                Ok(text) => Self::Text(text),
                Err(_) => Self::Other(raw),
            },
            Some(b'[') => Self::Parts(serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?),
            _ => Self::Other(raw),
        })
    }
}

impl Serialize for ChatMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("role", &self.role)?;
        map.serialize_entry("content", &self.content)?;
        if !self.tool_calls.is_empty() {
            map.serialize_entry("tool_calls", &self.tool_calls)?;
        }
        if let Some(id) = &self.tool_call_id {
            map.serialize_entry("tool_call_id", id)?;
        }
        for (name, value) in &self.other {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ChatMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = ChatMessage;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ChatMessage, A::Error> {
                let mut message = ChatMessage::default();
                while let Some(name) = map.next_key::<String>()? {
                    match &name[..] {
                        "role" => message.role = map.next_value()?,
                        "content" => message.content = map.next_value()?,
                        "tool_calls" => {
                            message.tool_calls = map.next_value::<Option<_>>()?.unwrap_or_default();
                        }
                        "tool_call_id" => message.tool_call_id = map.next_value()?,
                        _ => message.other.push((name, map.next_value()?)),
                    }
                }
                Ok(message)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Serialize for ToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        for (name, value) in &self.other {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ToolCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = ToolCall;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tool call")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ToolCall, A::Error> {
                let mut call = ToolCall::default();
                while let Some(name) = map.next_key::<String>()? {
                    match &name[..] {
                        "id" => call.id = map.next_value::<Option<String>>()?.unwrap_or_default(),
                        _ => call.other.push((name, map.next_value()?)),
                    }
                }
                Ok(call)
            }
        }

        deserializer.deserialize_map(Members)
    }
}
