//! What can be said of a record without knowing who wrote it: when, who, what.
//!
//! Agents agree on little, but nearly all of them have a `role` or a `type`, a time under one of a few names,
//! and text as a string or as a list of parts, at the top or one level down.
//!
//! Works on the text itself: what is shown is what is written, with its numbers, its order and its doubles.

use std::borrow::Cow;

use jiff::Timestamp;
use jsonl_core::scan::{self, unescape};

/// Members that hold a record's time, in the order in which they are believed.
const TIMES: [&[u8]; 8] =
    [b"timestamp", b"ts", b"time", b"created_at", b"createdAt", b"started", b"created", b"date"];

/// Members whose own members are looked at where the record itself has no time.
const ENVELOPES: [&[u8]; 4] = [b"meta", b"message", b"payload", b"snapshot"];

/// The time that a record carries. Looks at the text itself: a record with megabytes in it costs no more.
pub(crate) fn time(line: &[u8]) -> Option<Timestamp> {
    let mut best: Option<(usize, Timestamp)> = None;
    let mut envelope = None;
    for member in scan::members(line) {
        if let Some(rank) = TIMES.iter().position(|name| *name == member.key)
            && best.is_none_or(|(found, _)| rank < found)
        {
            best = parse_time(member.value).map(|time| (rank, time)).or(best);
        } else if ENVELOPES.contains(&member.key) && envelope.is_none() {
            envelope = Some(member.value);
        }
    }
    match best {
        Some((_, time)) => Some(time),
        None => scan::members(envelope?)
            .filter(|member| TIMES.contains(&member.key))
            .find_map(|member| parse_time(member.value)),
    }
}

fn parse_time(value: &[u8]) -> Option<Timestamp> {
    if let Some(text) = scan::string(value) {
        return text.parse().ok();
    }
    let number: f64 = str::from_utf8(value).ok()?.parse().ok()?;
    // Seconds or milliseconds: 1e11 seconds are in the year 5138, 1e11 milliseconds in 1973.
    let millis = if number.abs() < 1e11 { number * 1e3 } else { number };
    (1e11..1e14).contains(&millis).then(|| Timestamp::from_millisecond(millis as i64).ok())?
}

/// A record, taken apart for reading.
#[derive(Debug, Default)]
pub(crate) struct Described {
    /// Who speaks, or what kind of record it is.
    pub(crate) role: String,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Thinking(String),
    Call {
        name: String,
        arguments: String,
    },
    Result(String),
    /// Something to look at, not to read: an image, a file.
    Attachment {
        kind: String,
        bytes: usize,
    },
    /// A record without any text that could be found: its JSON.
    Json(String),
}

impl Described {
    /// `record` is the text of a record.
    pub(crate) fn of(record: &[u8]) -> Self {
        let record = Json(record.trim_ascii());
        // The message may be wrapped: Claude Code and pi have `message`, Codex `payload`.
        let wrapped =
            ["message", "payload"].iter().filter_map(|name| record.get(name)).find(|inner| inner.is_object());
        let message = wrapped.unwrap_or(record);
        let word = |json: Json<'_>, name: &str| json.get(name)?.string();
        let role = word(message, "role")
            .or_else(|| wrapped.and_then(|message| word(message, "type")))
            .or_else(|| ["role", "type", "kind", "op"].iter().find_map(|name| word(record, name)))
            .or_else(|| record.only_member())
            .unwrap_or_else(|| String::from("record"));
        let mut parts = Vec::new();
        content_of(message, &mut parts);
        if parts.is_empty() && wrapped.is_some() {
            content_of(record, &mut parts);
        }
        if parts.is_empty() {
            parts.push(Part::Json(record.text()));
        }
        Self { role, parts }
    }
}

/// The text of a JSON value.
#[derive(Clone, Copy)]
struct Json<'a>(&'a [u8]);

impl<'a> Json<'a> {
    fn get(self, name: &str) -> Option<Json<'a>> {
        scan::members(self.0).find(|member| member.key == name.as_bytes()).map(|member| Json(member.value))
    }

    fn items(self) -> impl Iterator<Item = Json<'a>> {
        scan::items(self.0).map(Json)
    }

    fn is_object(self) -> bool {
        self.0.first() == Some(&b'{')
    }

    fn is_array(self) -> bool {
        self.0.first() == Some(&b'[')
    }

    fn string(self) -> Option<String> {
        scan::string(self.0).map(Cow::into_owned)
    }

    /// As it is written.
    fn text(self) -> String {
        String::from_utf8_lossy(self.0).into_owned()
    }

    /// A header that is nothing but `{"meta":{…}}` is called by that.
    fn only_member(self) -> Option<String> {
        let mut members = scan::members(self.0);
        let first = members.next()?;
        members.next().is_none().then(|| unescape(first.key).into_owned())
    }
}

fn content_of(message: Json<'_>, parts: &mut Vec<Part>) {
    if let Some(thinking) = ["reasoning_content", "thinking"].iter().find_map(|name| message.get(name)) {
        push_text(thinking, Part::Thinking, parts);
    }
    let role = message.get("role").and_then(Json::string).unwrap_or_default();
    let is_result = message.get("tool_call_id").is_some() || role == "tool" || role == "toolResult";
    match message.get("content") {
        Some(content) if content.is_array() => {
            content.items().for_each(|item| push_item(item, is_result, parts));
        }
        Some(content) if is_result => push_text(content, Part::Result, parts),
        Some(content) => push_text(content, Part::Text, parts),
        None => {}
    }
    for call in message.get("tool_calls").into_iter().flat_map(Json::items) {
        push_item(call.get("function").unwrap_or(call), false, parts);
    }
    let kind = message.get("type").and_then(Json::string);
    if parts.is_empty() && kind.is_some_and(|kind| kind != "message") {
        push_item(message, false, parts);
    }
    if parts.is_empty() {
        for name in ["text", "message", "summary", "display", "last_agent_message", "customTitle", "output"] {
            if let Some(text) = message.get(name) {
                push_text(text, Part::Text, parts);
            }
        }
    }
}

/// One part of a content list, or a record that is itself such a part.
fn push_item(item: Json<'_>, is_result: bool, parts: &mut Vec<Part>) {
    let kind = item.get("type").and_then(Json::string).unwrap_or_default();
    if kind.contains("image")
        || kind.contains("document")
        || kind.contains("file") && item.get("text").is_none()
    {
        return parts.push(Part::Attachment { kind, bytes: item.0.len() });
    }
    if kind.contains("result") || kind.ends_with("_output") {
        if let Some(output) = item.get("content").or_else(|| item.get("output")) {
            push_text(output, Part::Result, parts);
        }
        return;
    }
    if kind == "thinking" || kind == "reasoning" {
        for text in ["thinking", "text", "summary", "content"].iter().filter_map(|name| item.get(name)) {
            push_text(text, Part::Thinking, parts);
        }
        return;
    }
    let arguments = ["arguments", "input"].iter().find_map(|name| item.get(name));
    if let (Some(name), Some(arguments)) = (item.get("name").and_then(Json::string), arguments) {
        let arguments = arguments.string().unwrap_or_else(|| arguments.text());
        return parts.push(Part::Call { name, arguments });
    }
    if let Some(text) = item.get("text") {
        push_text(text, if is_result { Part::Result } else { Part::Text }, parts);
    } else if let Some(text) = item.string() {
        parts.push(Part::Text(text));
    }
}

/// A string, or a list of strings and of objects with a `text`.
fn push_text(json: Json<'_>, part: fn(String) -> Part, parts: &mut Vec<Part>) {
    let mut text = String::new();
    collect_text(json, &mut text);
    if !text.is_empty() {
        parts.push(part(text));
    }
}

fn collect_text(json: Json<'_>, text: &mut String) {
    if let Some(found) = json.string() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&found);
    } else if json.is_array() {
        json.items().for_each(|item| collect_text(item, text));
    } else {
        for inner in ["text", "content", "output"].iter().filter_map(|name| json.get(name)) {
            collect_text(inner, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn times_are_found_under_their_names() {
        for line in [
            r#"{"timestamp":"2026-08-21T08:00:01.000Z"}"#,
            r#"{"role":"user","ts":"2026-08-21T16:00:01+08:00"}"#,
            r#"{"meta":{"started":"2026-08-21T08:00:01Z"}}"#,
            r#"{"created":1787299201}"#,
            r#"{"time":1787299201000}"#,
            r#"{"date":"nonsense","timestamp":"2026-08-21T08:00:01\u005a"}"#,
            r#"{"created_at":"1999-01-01T00:00:00Z","timestamp":"2026-08-21T08:00:01Z"}"#,
        ] {
            assert_eq!(time(line.as_bytes()).unwrap().to_string(), "2026-08-21T08:00:01Z", "{line}");
        }
        for line in
            ["{}", "5", r#"{"ts":5}"#, r#"{"ts":true}"#, r#"{"content":{"ts":"2026-08-21T08:00:01Z"}}"#]
        {
            assert_eq!(time(line.as_bytes()), None, "{line}");
        }
    }

    #[track_caller]
    fn check(record: Value, role: &str, parts: &[Part]) {
        let described = Described::of(record.to_string().as_bytes());
        assert_eq!((described.role.as_str(), &described.parts[..]), (role, parts), "{record}");
    }

    #[test]
    fn records_of_different_agents_come_apart() {
        let text = |text: &str| Part::Text(text.into());
        let call =
            |name: &str, arguments: &str| Part::Call { name: name.into(), arguments: arguments.into() };
        check(json!({"role": "user", "content": "hi"}), "user", &[text("hi")]);
        check(
            json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "read", "arguments": "{\"a\":1}"}}]}),
            "assistant",
            &[call("read", "{\"a\":1}")],
        );
        check(
            json!({"role": "tool", "content": "out", "tool_call_id": "c"}),
            "tool",
            &[Part::Result("out".into())],
        );
        check(
            json!({"type": "assistant", "message": {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"},
                {"type": "tool_use", "name": "Bash", "input": {"command": "ls"}}]}}),
            "assistant",
            &[Part::Thinking("hm".into()), text("yes"), call("Bash", "{\"command\":\"ls\"}")],
        );
        check(
            json!({"type": "response_item", "payload": {"type": "function_call_output", "output": "done"}}),
            "function_call_output",
            &[Part::Result("done".into())],
        );
        check(
            json!({"type": "response_item", "payload": {"type": "function_call", "name": "sh", "arguments": "{}"}}),
            "function_call",
            &[call("sh", "{}")],
        );
        check(json!({"type": "summary", "summary": "pool leak"}), "summary", &[text("pool leak")]);
        check(json!({"a": 1, "b": 2}), "record", &[Part::Json("{\"a\":1,\"b\":2}".into())]);
        check(json!({"meta": {"v": 1}}), "meta", &[Part::Json("{\"meta\":{\"v\":1}}".into())]);
        // Numbers, order and doubles stay as they are written.
        let odd = r#"{"z":1.10,"a":123456789012345678901234567890,"z":3,"b":1E5,"c":"\ud83d"}"#;
        assert_eq!(Described::of(odd.as_bytes()).parts, [Part::Json(odd.into())]);
        check(json!(5), "record", &[Part::Json("5".into())]);
    }
}
