//! Codex's transcripts, clean and damaged, and what has to be read from them.

use std::fs;

use annals_formats::codex::{Codex, titles};
use annals_formats::transcript::{Part, Role};
use serde_json::{Value, json};

use crate::expected::{check_damage, expected, testdata};

fn spec() -> Value {
    expected("codex")
}

/// Everything that is asked of a transcript, in the shape of the expected values.
fn told(transcript: &Codex) -> Value {
    let overview = transcript.overview();
    let messages: Vec<Value> = transcript
        .messages()
        .map(|index| {
            let message = transcript.message(index).unwrap();
            let mut told = json!({"line": message.line, "role": message.role.name(), "text": message.text()});
            let flags = [
                (message.role == Role::Developer, "developer"),
                (message.flags.meta, "context"),
                (message.flags.rolled_back, "rolled_back"),
            ];
            let names: Vec<&str> = flags.iter().filter(|(is_so, _)| *is_so).map(|(_, name)| *name).collect();
            if !names.is_empty() {
                told["flags"] = json!(names);
            }
            told
        })
        .collect();
    let line = |index: &usize| transcript.message(*index).unwrap().line;
    let calls: Vec<Value> = transcript
        .tool_calls()
        .iter()
        .map(|call| json!({"call_id": call.id, "name": call.name, "call_line": call.call_line, "output_line": call.result_line}))
        .collect();
    let compactions: Vec<Value> = transcript
        .compactions()
        .iter()
        .map(|compaction| {
            json!({"line": compaction.line, "message": compaction.message, "replacement_items": compaction.items, "images": compaction.images})
        })
        .collect();
    let repeated: Vec<Value> = transcript
        .repeated()
        .iter()
        .map(|(line, first)| json!({"line": line, "same_as_line": first}))
        .collect();
    json!({
        "session_id": overview.id, "cwd": overview.project, "git_branch": overview.branch, "model": overview.model,
        "records": overview.types.values().sum::<u64>(), "messages_in_file_order": messages,
        "conversation": transcript.conversation().messages.iter().map(line).collect::<Vec<_>>(),
        "tool_calls": calls, "outputs_without_call": transcript.outputs_without_call(), "compactions": compactions,
        "mirror_events": transcript.mirrors(), "repeated_records": repeated,
    })
}

#[test]
fn every_file_gives_what_is_expected() {
    let spec = spec();
    let names = titles(&testdata("codex/session_index.jsonl")).unwrap();
    assert_eq!(json!(names), spec["session_index"]["names"]);
    for file in spec["files"].as_array().unwrap() {
        let path = testdata(file["file"].as_str().unwrap());
        let transcript = Codex::open(&path).unwrap();
        for (name, value) in told(&transcript).as_object().unwrap() {
            let mut wanted = file[name].clone();
            if name == "tool_calls" {
                // Of which kind it is stands in the record.
                wanted
                    .as_array_mut()
                    .unwrap()
                    .iter_mut()
                    .for_each(|call| drop(call.as_object_mut().unwrap().remove("kind")));
            }
            assert_eq!(*value, wanted, "{name} of {}", file["file"]);
        }
        let overview = transcript.overview();
        for (kind, count) in file["types"].as_object().unwrap() {
            // What has no type has an empty one.
            let kind = if kind == "None" { "" } else { kind };
            assert_eq!(json!(overview.types[kind]), *count, "{kind}");
        }
        let id = overview.id.clone().unwrap();
        assert_eq!(json!(names.get(&id)), file["title"]);
        if let Some(total) = file["last_total_tokens"].as_u64() {
            assert_eq!(overview.usage.input + overview.usage.cache_read + overview.usage.output, total);
        }
        check_damage(&overview.remarks, file);
    }
}

#[test]
fn parts_are_told_apart_and_lead_back_to_their_line() {
    let path = testdata(spec()["files"][0]["file"].as_str().unwrap());
    let bytes = fs::read(&path).unwrap();
    let transcript = Codex::open(&path).unwrap();
    let mut found = Vec::new();
    for index in 0..37 {
        let message = transcript.message(index).unwrap();
        let start = usize::try_from(message.span.offset).unwrap();
        assert_eq!(
            transcript.raw(index).unwrap(),
            bytes[start..start + usize::try_from(message.span.len).unwrap()]
        );
        found
            .extend(message.parts.into_iter().filter(|part| !matches!(part, Part::Text(_) | Part::Other(_))));
    }
    let call =
        found.iter().find(|part| matches!(part, Part::ToolCall { id, .. } if id == "call_01")).unwrap();
    let Part::ToolCall { name, input, .. } = call else { panic!() };
    assert_eq!(name, "shell");
    assert_eq!(serde_json::from_str::<Value>(input).unwrap()["command"][0], "rg");
    let structured =
        found.iter().find(|part| matches!(part, Part::ToolResult { id, .. } if id == "call_03")).unwrap();
    assert!(matches!(structured, Part::ToolResult { text, is_error: false, .. } if text == "Updated 1 path"));
    let image =
        found.iter().find_map(|part| if let Part::Image(image) = part { Some(image) } else { None }).unwrap();
    assert_eq!(image.media_type.as_deref(), Some("image/png"));
    assert!(image.len > Some(1000) && image.url.is_none());
    assert!(found.iter().any(|part| matches!(part, Part::Reasoning(text) if text == "**Looking**")));
    assert_eq!(transcript.message(1000).unwrap().parts, []);
}

#[test]
fn old_records_without_an_envelope_are_messages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollout-1.jsonl");
    let lines = [
        r#"{"id":"old","timestamp":"2025-05-01T00:00:00Z","instructions":null}"#,
        r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}"#,
        r#"{"type":"function_call","name":"shell","arguments":"{}","call_id":"c"}"#,
        r#"{"type":"function_call_output","call_id":"c","output":"done"}"#,
        r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hello"}]}"#,
    ];
    fs::write(&path, lines.join("\n")).unwrap();
    let transcript = Codex::open(&path).unwrap();
    let text = |index: &usize| transcript.message(*index).unwrap().text();
    assert_eq!(transcript.conversation().messages.iter().map(text).collect::<Vec<_>>(), ["hi", "hello"]);
    assert_eq!(transcript.tool_calls()[0].result_line, Some(4));
}

#[test]
fn a_copy_of_every_line_changes_nothing_that_was_said() {
    for file in spec()["files"].as_array().unwrap() {
        let whole = fs::read(testdata(file["file"].as_str().unwrap())).unwrap();
        let whole = &whole[..=whole.iter().rposition(|byte| *byte == b'\n').unwrap()];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollout-1.jsonl");
        let told_of = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let transcript = Codex::open(&path).unwrap();
            let texts: Vec<String> = transcript
                .conversation()
                .messages
                .iter()
                .map(|index| transcript.message(*index).unwrap().text())
                .collect();
            (texts, transcript.tool_calls().len(), transcript.overview().usage, transcript.mirrors().clone())
        };
        let doubled: Vec<u8> =
            whole.split_inclusive(|byte| *byte == b'\n').flat_map(|line| [line, line].concat()).collect();
        assert_eq!(told_of(whole), told_of(&doubled));
    }
}

#[test]
fn whose_transcript_it_is_is_told_by_what_is_in_it() {
    use annals_formats::detect;
    use annals_formats::transcript::Agent;
    let folder = tempfile::tempdir().unwrap();
    for (name, agent) in [("codex", Agent::Codex), ("claude-code", Agent::ClaudeCode)] {
        for file in expected(name)["files"].as_array().unwrap() {
            let path = folder.path().join("no name that tells");
            fs::copy(testdata(file["file"].as_str().unwrap()), &path).unwrap();
            assert_eq!(detect(&path).unwrap(), Some(agent), "{}", file["file"]);
        }
    }
    for other in ["", "{}\n5\nnot JSON\n", "{\"type\":\"message\",\"id\":\"x\"}\n"] {
        let path = folder.path().join("rollout-1.jsonl");
        fs::write(&path, other).unwrap();
        assert_eq!(detect(&path).unwrap(), None, "{other}");
    }
    assert!(detect(folder.path().join("nowhere")).is_err());
}

fn read(lines: &[&str]) -> Codex {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollout-1.jsonl");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    Codex::open(&path).unwrap()
}

#[test]
fn without_times_the_same_may_be_said_twice() {
    let go = r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"continue"}]}"#;
    let call = r#"{"type":"local_shell_call","call_id":"c","action":{"command":["ls"]}}"#;
    let transcript =
        read(&[r#"{"id":"old","timestamp":"2025-05-01T00:00:00Z","instructions":null}"#, go, call, go]);
    assert_eq!((transcript.overview().messages, transcript.tool_calls().len()), (2, 1));
    assert_eq!(transcript.conversation().messages.len(), 2);
    assert_eq!(transcript.records().len(), 3);
    assert!(transcript.problems().iter().all(|problem| problem.kind.name() != "no_header"));
    assert_eq!(transcript.overview().id.as_deref(), Some("old"));
    let folder = tempfile::tempdir().unwrap();
    for line in [go, r#"{"type":"function_call","name":"sh","arguments":"{}","call_id":"c"}"#] {
        let path = folder.path().join("x");
        fs::write(&path, line).unwrap();
        assert_eq!(
            annals_formats::detect(&path).unwrap(),
            Some(annals_formats::transcript::Agent::Codex),
            "{line}"
        );
    }
}

#[test]
fn a_counter_that_begins_again_counts_again_and_one_that_stands_does_not() {
    let count = |second: u32, total: u64| {
        format!(
            r#"{{"timestamp":"2026-08-21T10:00:{second:02}Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{total},"cached_input_tokens":0,"output_tokens":{}}}}}}}}}"#,
            total / 10
        )
    };
    let head =
        r#"{"timestamp":"2026-08-21T10:00:00Z","type":"session_meta","payload":{"id":"t","cwd":"/w"}}"#;
    let lines = [count(1, 100), count(2, 300), count(3, 300), count(4, 50), count(5, 100)];
    let lines: Vec<&str> = std::iter::once(head).chain(lines.iter().map(String::as_str)).collect();
    let usage = read(&lines).overview().usage;
    assert_eq!((usage.answers, usage.input, usage.output), (4, 400, 40));
}

#[test]
fn outputs_of_older_versions_are_texts_that_are_objects() {
    let record = r#"{"timestamp":"2026-08-21T10:00:00Z","type":"response_item","payload":{"type":"function_call_output","call_id":"c","output":"{\"output\":\"say \\\"hi\\\"\",\"metadata\":{\"exit_code\":1}}"}}"#;
    let said = annals_formats::said(annals_formats::transcript::Agent::Codex, record.as_bytes()).unwrap();
    assert!(
        matches!(&said.parts[..], [Part::ToolResult { text, is_error: true, .. }] if text == "say \"hi\""),
        "{said:?}"
    );
}

#[test]
fn turns_are_taken_back_from_those_that_are_left() {
    let user = |text: &str| {
        format!(
            r#"{{"timestamp":"2026-08-21T10:00:01Z","type":"response_item","payload":{{"type":"message","role":"user","content":[{{"type":"input_text","text":"{text}"}}]}}}}"#
        )
    };
    let back = |second: u32, turns: u64| {
        format!(
            r#"{{"timestamp":"2026-08-21T10:00:{second:02}Z","type":"event_msg","payload":{{"type":"thread_rolled_back","num_turns":{turns}}}}}"#
        )
    };
    let context = user("<turn_aborted>\\nby the user\\n</turn_aborted>");
    let lines = [
        user("a"),
        user("b"),
        user("c"),
        context,
        back(2, 1),
        user("d"),
        back(3, 2),
        user("e"),
        back(4, 0),
        back(5, 9),
        user("f"),
    ];
    let said = |count: usize| -> Vec<String> {
        let lines: Vec<&str> = lines[..count].iter().map(String::as_str).collect();
        let transcript = read(&lines);
        let indexes = transcript.conversation().messages;
        indexes.iter().map(|index| transcript.message(*index).unwrap().text()).collect()
    };
    assert_eq!(said(5), ["a", "b"]);
    assert_eq!(said(7), ["a"]);
    assert_eq!(said(9), ["a", "e"]);
    assert_eq!(said(11), ["f"]);
}
