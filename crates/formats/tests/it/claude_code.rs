//! Claude Code's transcripts, clean and damaged, and what has to be read from them.

use std::collections::BTreeMap;
use std::fs;

use annals_formats::claude_code::ClaudeCode;
use annals_formats::transcript::{Part, Stop};
use serde_json::{Value, json};

use crate::expected::{check_damage, expected, testdata};

fn spec() -> Vec<Value> {
    expected("claude-code")["files"].as_array().unwrap().clone()
}

fn open(file: &Value) -> ClaudeCode {
    ClaudeCode::open(testdata(file["file"].as_str().unwrap())).unwrap()
}

/// Everything that is asked of a transcript, in the shape of the expected values.
fn told(transcript: &ClaudeCode) -> Value {
    let overview = transcript.overview();
    let messages: Vec<Value> = transcript
        .messages()
        .map(|index| {
            let message = transcript.message(index).unwrap();
            let mut told = json!({
                "line": message.line, "uuid": message.id, "role": message.role.name(), "text": message.text(),
            });
            let flags = message.flags;
            let names = [
                (flags.sidechain, "sidechain"),
                (flags.meta, "meta"),
                (flags.compact_summary, "compact_summary"),
                (flags.duplicate, "duplicate"),
            ];
            let names: Vec<&str> = names.iter().filter(|(is_so, _)| *is_so).map(|(_, name)| *name).collect();
            if !names.is_empty() {
                told["flags"] = json!(names);
            }
            told
        })
        .collect();
    let conversation = transcript.conversation();
    let line = |index: &usize| transcript.message(*index).unwrap().line;
    let stop = match conversation.stop {
        None => Value::Null,
        Some(Stop::MissingParent { id }) => json!({"kind": "missing_parent", "uuid": id}),
        Some(Stop::Cycle { id }) => json!({"kind": "cycle", "uuid": id}),
        Some(_) => panic!(),
    };
    let calls = transcript.tool_calls();
    let calls: Vec<Value> = calls
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
    json!({
        "session_id": overview.id, "cwd": overview.project, "git_branch": overview.branch, "title": overview.title,
        "records": overview.types.values().sum::<u64>(), "types": overview.types, "messages_in_file_order": messages,
        "leaf": conversation.leaf, "conversation": conversation.messages.iter().map(line).collect::<Vec<_>>(),
        "conversation_stops_at": stop, "tool_calls": calls, "results_without_call": transcript.results_without_call(),
        "duplicate_uuids": transcript.duplicate_ids().into_iter().map(|(id, lines)| json!({"uuid": id, "lines": lines})).collect::<Vec<_>>(),
        "output_tokens_counted_once": overview.usage.output, "answers": overview.usage.answers,
    })
}

#[test]
fn every_file_gives_what_is_expected() {
    for file in spec() {
        let transcript = open(&file);
        let told = told(&transcript);
        for (name, value) in told.as_object().unwrap() {
            let (mut found, mut wanted) = (value.clone(), file[name].clone());
            if name == "duplicate_uuids" {
                let by_id = |value: &Value| value["uuid"].as_str().unwrap().to_owned();
                found.as_array_mut().unwrap().sort_by_key(by_id);
                wanted.as_array_mut().unwrap().sort_by_key(by_id);
            }
            assert_eq!(found, wanted, "{name} of {}", file["file"]);
        }
        let missing: Vec<Value> =
            transcript.missing_parents().into_iter().map(|(line, id)| json!([line, id])).collect();
        let wanted = file["missing_parents"].as_array().unwrap();
        let wanted: Vec<Value> =
            wanted.iter().map(|missing| json!([missing["line"], missing["parent"]])).collect();
        assert_eq!(missing, wanted, "{}", file["file"]);
        check_damage(&transcript.overview().remarks, &file);
    }
}

#[test]
fn there_is_always_a_way_back_to_the_raw_line() {
    for file in spec() {
        let bytes = fs::read(testdata(file["file"].as_str().unwrap())).unwrap();
        let transcript = open(&file);
        for index in transcript.messages() {
            let message = transcript.message(index).unwrap();
            let start = usize::try_from(message.span.offset).unwrap();
            let raw = transcript.raw(index).unwrap();
            assert_eq!(raw, bytes[start..start + usize::try_from(message.span.len).unwrap()]);
            let found = String::from_utf8_lossy(&raw).contains(message.id.as_deref().unwrap());
            assert!(found);
        }
    }
}

#[test]
fn parts_are_told_apart() {
    let transcript = open(&spec()[0]);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for index in 0..29 {
        for part in transcript.message(index).unwrap().parts {
            let kind = match part {
                Part::Text(text) => {
                    assert!(!text.is_empty());
                    "text"
                }
                Part::Reasoning(_) => "reasoning",
                Part::ToolCall { input, .. } => {
                    assert!(serde_json::from_str::<Value>(&input).unwrap().is_object());
                    "call"
                }
                Part::ToolResult { images, .. } => {
                    *kinds.entry("image in a result").or_default() += images.len();
                    "result"
                }
                Part::Image(image) => {
                    assert_eq!(image.media_type.as_deref(), Some("image/png"));
                    assert!(image.len > Some(1000));
                    "image"
                }
                _ => "other",
            };
            *kinds.entry(kind).or_default() += 1;
        }
    }
    assert_eq!((kinds["call"], kinds["result"], kinds["image"], kinds["reasoning"]), (4, 4, 1, 1));
    assert_eq!((kinds["image in a result"], kinds.get("other")), (1, None));
    assert_eq!(transcript.message(1000).unwrap().parts, []);
}

#[test]
fn a_cut_anywhere_changes_only_the_last_record() {
    let file = &spec()[2];
    let whole = fs::read(testdata(file["file"].as_str().unwrap())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    fs::write(&path, &whole).unwrap();
    let all = told(&ClaudeCode::open(&path).unwrap());
    let all = all["messages_in_file_order"].as_array().unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let transcript = ClaudeCode::open(&path).unwrap();
        let found: Vec<usize> = transcript.messages().collect();
        assert!(transcript.overview().remarks.len() <= 3);
        // A look at all of them for each cut would take long.
        if cut % 97 == 0 {
            let found = told(&transcript)["messages_in_file_order"].clone();
            let found = found.as_array().unwrap();
            assert_eq!(found[..], all[..found.len()], "{cut}");
        }
        let complete = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert!(found.len() <= complete + 1);
        assert!(found.len() + 6 >= complete.min(all.len()), "{cut}");
    }
}

#[test]
fn a_copy_changes_no_total_and_unknown_records_change_nothing() {
    let file = &spec()[0];
    let whole = fs::read_to_string(testdata(file["file"].as_str().unwrap())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let told_of = |text: &str| {
        fs::write(&path, text).unwrap();
        told(&ClaudeCode::open(&path).unwrap())
    };
    let once = told_of(&whole);
    let twice = told_of(&format!("{whole}{whole}"));
    for name in ["output_tokens_counted_once", "answers", "title", "session_id"] {
        assert_eq!(once[name], twice[name], "{name}");
    }
    assert_eq!(once["tool_calls"], twice["tool_calls"]);
    let noise = "{\"type\":\"some-future-type\",\"payload\":{\"message\":{\"role\":\"user\",\"content\":\"no\"}}}\n5\n[]\n{}\n";
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let noisy: String = lines.iter().flat_map(|line| [*line, noise]).collect();
    let noisy = told_of(&noisy);
    for name in
        ["output_tokens_counted_once", "answers", "title", "session_id", "leaf", "conversation_stops_at"]
    {
        assert_eq!(once[name], noisy[name], "{name}");
    }
    let texts = |told: &Value| {
        told["messages_in_file_order"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["text"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&once), texts(&noisy));
}

#[test]
fn circles_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let record = |id: &str, parent: &str| {
        format!(
            "{{\"type\":\"user\",\"uuid\":\"{id}\",\"parentUuid\":\"{parent}\",\"message\":{{\"role\":\"user\",\"content\":\"{id}\"}}}}\n"
        )
    };
    fs::write(&path, [record("a", "c"), record("b", "a"), record("c", "b")].concat()).unwrap();
    let transcript = ClaudeCode::open(&path).unwrap();
    let conversation = transcript.conversation();
    assert_eq!(conversation.messages, [0, 1, 2]);
    assert_eq!(conversation.stop, Some(Stop::Cycle { id: "c".to_owned() }));
    fs::write(&path, record("a", "a")).unwrap();
    assert!(matches!(ClaudeCode::open(&path).unwrap().conversation().stop, Some(Stop::Cycle { .. })));
    fs::write(&path, "").unwrap();
    assert_eq!(ClaudeCode::open(&path).unwrap().conversation().leaf, None);
}

fn read(lines: &[String]) -> (tempfile::TempDir, ClaudeCode) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.jsonl");
    fs::write(&path, lines.concat()).unwrap();
    let transcript = ClaudeCode::open(&path).unwrap();
    (folder, transcript)
}

fn record(kind: &str, uuid: &str, parent: Option<&str>, more: Value, message: Value) -> String {
    let mut record =
        json!({"type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "s", "message": message});
    for (name, value) in more.as_object().unwrap() {
        record[name] = value.clone();
    }
    format!("{record}\n")
}

#[test]
fn a_line_that_is_repeated_at_the_end_ends_nothing_and_counts_nothing() {
    let answer = |uuid: &str, parent: &str, text: &str, output: u64| {
        let message = json!({"role": "assistant", "id": "m", "content": [{"type": "text", "text": text}], "usage": {"output_tokens": output}});
        record("assistant", uuid, Some(parent), json!({"requestId": "r"}), message)
    };
    let first = record("user", "u1", None, json!({}), json!({"role": "user", "content": "one"}));
    let lines = [first.clone(), answer("u2", "u1", "two", 5), answer("u3", "u2", "three", 90)];
    let (_folder, whole) = read(&lines);
    let (_other, repeated) = read(&[&lines[..], &[first, lines[1].clone()]].concat());
    assert_eq!((whole.conversation().messages.len(), whole.overview().usage.output), (3, 90));
    assert_eq!(repeated.conversation().messages, whole.conversation().messages);
    assert_eq!(repeated.overview().usage, whole.overview().usage);
}

#[test]
fn calls_at_work_keep_nobody_from_going_on() {
    let call = |uuid: &str, parent: &str, id: &str| {
        let message = json!({"role": "assistant", "id": "m", "content": [{"type": "tool_use", "id": id, "name": "Bash", "input": {}}]});
        record("assistant", uuid, Some(parent), json!({}), message)
    };
    let result = |uuid: &str, parent: &str, id: &str| {
        let message =
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "x"}]});
        record("user", uuid, Some(parent), json!({}), message)
    };
    let said = |uuid: &str, parent: Option<&str>| {
        record("user", uuid, parent, json!({}), json!({"role": "user", "content": "go"}))
    };
    let effects = |lines: &[String]| -> Vec<&str> {
        let (_folder, transcript) = read(lines);
        transcript.problems().iter().map(|problem| problem.effect.name()).collect()
    };
    let at_work = [said("a", None), call("b", "a", "t1"), call("c", "b", "t2")];
    assert_eq!(effects(&at_work), ["nothing", "nothing"]);
    // One of them is done.
    assert_eq!(effects(&[&at_work[..], &[result("d", "c", "t2")]].concat()), ["nothing"]);
    // Progress stands between them.
    let progress = record("progress", "p", Some("b"), json!({"data": {}}), Value::Null);
    let between = [said("a", None), call("b", "a", "t1"), progress, call("c", "p", "t2")];
    assert_eq!(effects(&between), ["nothing", "nothing"]);
    // Somebody went on, and the interface refuses it.
    let gone_on = [&at_work[..], &[result("d", "c", "t2"), said("e", Some("d"))]].concat();
    assert_eq!(effects(&gone_on), ["prevents"]);
}

#[test]
fn names_that_are_escaped_and_first_lines_that_are_long_are_read() {
    let first = record(
        "user",
        "u1",
        None,
        json!({"cwd": "/w"}),
        json!({"role": "user", "content": "x".repeat(2 << 20)}),
    );
    let second =
        record("user", "u2", Some("u1"), json!({}), json!({"role": "user", "content": "y".repeat(1 << 18)}));
    let second = second.replace("\"type\"", "\"t\\u0079pe\"").replace("\"message\"", "\"mess\\u0061ge\"");
    let (folder, transcript) = read(&[first, second]);
    assert_eq!(transcript.conversation().messages.len(), 2);
    let path = folder.path().join("s.jsonl");
    let glance =
        annals_formats::Transcript::glance(annals_formats::transcript::Agent::ClaudeCode, &path).unwrap();
    assert_eq!((glance.overview.id.as_deref(), glance.overview.project.as_deref()), (Some("s"), Some("/w")));
    assert_eq!(glance.overview.messages, 2);
}

#[test]
fn the_end_of_a_conversation_is_not_that_of_a_side_chain() {
    let mut lines = vec![record("user", "m", None, json!({}), json!({"role": "user", "content": "main"}))];
    let mut parent = String::from("m");
    for number in 0..2000 {
        let uuid = format!("s{number}");
        let message = json!({"role": "user", "content": format!("side {number} {}", "word ".repeat(100))});
        lines.push(record("user", &uuid, Some(&parent), json!({"isSidechain": true}), message));
        parent = uuid;
    }
    let (folder, _) = read(&lines);
    let path = folder.path().join("s.jsonl");
    let (end, conversation) = annals_formats::Transcript::open_end(&path, folder.path(), 2).unwrap().unwrap();
    let texts: Vec<String> =
        conversation.messages.iter().map(|index| end.message(*index).unwrap().text()).collect();
    assert_eq!(texts, ["main"]);
}

#[test]
fn the_end_of_a_conversation_is_not_what_was_written_again_at_the_end() {
    let message = |number: usize| {
        let time = format!("2026-08-21T{:02}:{:02}:00Z", number / 60, number % 60);
        let (parent, text) = (
            number.checked_sub(1).map(|parent| format!("u{parent}")),
            format!("{number} {}", "word ".repeat(200)),
        );
        record(
            "user",
            &format!("u{number}"),
            parent.as_deref(),
            json!({"timestamp": time}),
            json!({"role": "user", "content": text}),
        )
    };
    let mut lines: Vec<String> = (0..800).map(message).collect();
    lines.extend((0..2).map(message));
    let (folder, _) = read(&lines);
    let path = folder.path().join("s.jsonl");
    let (end, conversation) = annals_formats::Transcript::open_end(&path, folder.path(), 2).unwrap().unwrap();
    let texts: Vec<String> =
        conversation.messages.iter().map(|index| end.message(*index).unwrap().text()).collect();
    assert!(texts[0].starts_with("798 ") && texts[1].starts_with("799 "), "{texts:?}");
}
