//! pi's transcripts, clean and damaged, and what has to be read from them.

use std::fs;

use annals_formats::pi::Pi;
use annals_formats::transcript::{Agent, Part, Stop};
use serde_json::{Value, json};

use crate::expected::{check_damage, expected, testdata};

fn spec() -> Vec<Value> {
    expected("pi")["files"].as_array().unwrap().clone()
}

/// Everything that is asked of a transcript, in the shape of the expected values.
fn told(transcript: &Pi) -> Value {
    let overview = transcript.overview();
    let messages: Vec<Value> = transcript
        .messages()
        .map(|index| transcript.message(index).unwrap())
        .filter(|message| !message.flags.duplicate)
        .map(|message| json!({"line": message.line, "id": message.id, "role": message.role.name(), "text": message.text()}))
        .collect();
    let conversation = transcript.conversation();
    let line = |index: &usize| transcript.message(*index).unwrap().line;
    let stop = match conversation.stop {
        None => Value::Null,
        Some(Stop::MissingParent { id }) => json!({"kind": "missing_parent", "id": id}),
        Some(_) => panic!(),
    };
    let calls: Vec<Value> = transcript
        .tool_calls()
        .iter()
        .map(|call| {
            let mut told =
                json!({"id": call.id, "name": call.name, "call_line": call.call_line, "result_line": call.result_line});
            if let Some(is_error) = call.is_error {
                told["is_error"] = json!(is_error);
            }
            told
        })
        .collect();
    let pairs = |pairs: Vec<(String, Vec<u64>)>| -> Vec<Value> {
        pairs.into_iter().map(|(id, lines)| json!({"id": id, "lines": lines})).collect()
    };
    json!({
        "session_id": overview.id, "cwd": overview.project, "version": transcript.version(),
        "parent_session": transcript.parent_session(), "title": overview.title,
        "records": overview.types.values().sum::<u64>(), "types": overview.types, "messages_in_file_order": messages,
        "leaf": conversation.leaf, "conversation": conversation.messages.iter().map(line).collect::<Vec<_>>(),
        "conversation_stops_at": stop, "tool_calls": calls, "results_without_call": transcript.results_without_call(),
        "labels": transcript.labels(), "duplicate_ids": pairs(transcript.duplicate_ids()),
    })
}

#[test]
fn every_file_gives_what_is_expected() {
    for file in spec() {
        let path = testdata(file["file"].as_str().unwrap());
        assert_eq!(annals_formats::detect(&path).unwrap(), Some(Agent::Pi));
        let transcript = Pi::open(&path).unwrap();
        for (name, value) in told(&transcript).as_object().unwrap() {
            assert_eq!(*value, file[name], "{name} of {}", file["file"]);
        }
        let missing: Vec<Value> =
            transcript.missing_parents().into_iter().map(|(line, id)| json!([line, id])).collect();
        let wanted = file["missing_parents"].as_array().unwrap();
        let wanted: Vec<Value> =
            wanted.iter().map(|missing| json!([missing["line"], missing["parent"]])).collect();
        assert_eq!(missing, wanted);
        let compactions: Vec<Value> = transcript
            .compactions()
            .iter()
            .map(|compaction| json!([compaction.line, compaction.summary, compaction.first_kept]))
            .collect();
        let wanted = file["compactions"].as_array().unwrap();
        let wanted: Vec<Value> = wanted
            .iter()
            .map(|found| json!([found["line"], found["summary"], found["first_kept"]]))
            .collect();
        assert_eq!(compactions, wanted);
        check_damage(&transcript.overview().remarks, &file);
    }
}

#[test]
fn parts_are_told_apart_and_lead_back_to_their_line() {
    let path = testdata(spec()[0]["file"].as_str().unwrap());
    let bytes = fs::read(&path).unwrap();
    let transcript = Pi::open(&path).unwrap();
    let (mut results, mut images, mut reasoning) = (Vec::new(), 0, 0);
    for index in 0..20 {
        let message = transcript.message(index).unwrap();
        let start = usize::try_from(message.span.offset).unwrap();
        assert_eq!(
            transcript.raw(index).unwrap(),
            bytes[start..start + usize::try_from(message.span.len).unwrap()]
        );
        for part in message.parts {
            match part {
                Part::ToolResult { text, images: found, .. } => {
                    images += found.len();
                    results.push(text);
                }
                Part::Image(image) => {
                    let is_image = image.media_type.as_deref().is_some_and(|kind| kind.starts_with("image/"));
                    assert!(is_image && image.len > Some(500), "{image:?}");
                    images += 1;
                }
                Part::Reasoning(_) => reasoning += 1,
                _ => {}
            }
        }
    }
    assert_eq!(results, ["fares.rs:88: x.floor()", "ok", "ok. 12 passed"]);
    assert_eq!((images, reasoning), (2, 1));
    assert_eq!(transcript.overview().usage.output % 20, 0);
    assert_eq!(transcript.message(1000).unwrap().parts, []);
}
