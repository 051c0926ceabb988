//! Does the filter let everything through that matches? The slow twin parses every line and looks at every string.

use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::{Value, json};

use jsonl_core::ReadOptions;

use super::*;
use crate::args::Filter;

fn needle(text: &str, regexp: bool, ignore_case: bool) -> Needle {
    needle_with(text, regexp, ignore_case, 40)
}

fn needle_with(text: &str, regexp: bool, ignore_case: bool, context: usize) -> Needle {
    let (names, filter, role) = (Vec::new(), Filter::default(), Vec::new());
    let (text, count, records, limit) = (text.into(), false, false, None);
    let args = Search { text, names, filter, role, context, count, records, regexp, ignore_case, limit };
    Needle::new(&args).unwrap()
}

fn matches_naively(value: &Value, needle: &str) -> bool {
    match value {
        Value::String(text) => text.contains(needle),
        Value::Array(items) => items.iter().any(|item| matches_naively(item, needle)),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains(needle) || matches_naively(value, needle))
        }
        _ => false,
    }
}

/// The same text as a writer without, with some and with nothing but escapes would write it.
fn spellings(text: &str) -> Vec<String> {
    let plain = serde_json::to_string(text).unwrap();
    let slashes = plain.replace('/', "\\/");
    let ascii: String = plain.chars().map(|c| if c.is_ascii() { c.into() } else { escaped(c) }).collect();
    let all: String = text.chars().map(escaped).collect();
    vec![plain, slashes, ascii, format!("\"{all}\"")]
}

fn escaped(character: char) -> String {
    let mut units = [0; 2];
    character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04X}")).collect()
}

#[test]
fn every_spelling_is_found() {
    let texts = [
        "pool",
        "connection pool",
        "é",
        "größer",
        "渡船",
        "🦀",
        "a/b",
        "/",
        "\"",
        "\\",
        "x\"y",
        "C:\\temp",
        "a\nb",
        "\n",
        "\t",
        "\u{1}",
        " ",
        "u00e9",
        "\\u00e9",
        "𝄞 clef",
        "tab\tand slash/",
    ];
    let mut lines = Vec::new();
    for text in texts {
        for spelling in spellings(text) {
            lines.push(format!("{{\"content\":{spelling}}}"));
            lines.push(format!("{{\"a\":[1,{{{spelling}:null}}]}}"));
            let inner = &spelling[1..spelling.len() - 1];
            lines.push(format!("{{\"content\":\"before \\n\\\\ {inner} behind\"}}"));
        }
    }
    let bytes = lines.join("\n");
    for text in texts {
        let chunk_hits = find(&needle(text, false, false), bytes.as_bytes());
        let naive: Vec<u64> = (0..lines.len() as u64)
            .filter(|&line| matches_naively(&serde_json::from_str(&lines[line as usize]).unwrap(), text))
            .collect();
        assert!(naive.len() >= 12, "{text:?}");
        assert_eq!(chunk_hits, naive, "{text:?}");
        // A pattern looks at every line, without a filter.
        assert_eq!(find(&needle(&regex::escape(text), true, false), bytes.as_bytes()), naive, "{text:?}");
    }
}

fn find(needle: &Needle, bytes: &[u8]) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, bytes).unwrap();
    let (mut lines, mut counted) = (Vec::new(), 0);
    let log = ReadOptions::new().threads(1).open(&path).unwrap();
    log.candidates(
        &needle.prefilter,
        |candidates| needle.find_in(candidates, Scope::Strings).collect::<Vec<_>>(),
        |hits, first| {
            lines.extend(hits.into_iter().map(|hit| first - 1 + hit.line));
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    let count = |count, _| {
        counted += count;
        ControlFlow::Continue(())
    };
    log.candidates(&needle.prefilter, |candidates| needle.count_in(candidates, Scope::Strings), count)
        .unwrap();
    assert_eq!(counted, lines.len() as u64);
    lines
}

/// A line that is not the first of its file.
fn candidate<'a>(needle: &'a Needle, line: &'a [u8]) -> Option<Candidate<'a>> {
    needle.prefilter.candidates(line, 1).next()
}

#[test]
fn case_can_be_the_same_beyond_ascii() {
    let bytes = "{\"a\":\"GRÖSSE\"}\n{\"a\":\"gr\\u00d6sse\"}\n{\"a\":\"masse\"}\n".as_bytes();
    assert!(find(&needle("größe", false, true), bytes).is_empty());
    assert_eq!(find(&needle("gröss", false, true), bytes), [0, 1]);
    assert_eq!(find(&needle("m.SS", true, true), bytes), [2]);
}

#[test]
fn numbers_and_structure_are_not_text() {
    let bytes = b"{\"a\":404,\"b\":true}\n{\"404\":\"true\"}\n";
    assert_eq!(find(&needle("404", false, false), bytes), [1]);
    assert_eq!(find(&needle("true", false, false), bytes), [1]);
    assert!(find(&needle("\":", false, false), bytes).is_empty());
}

/// Of every text that could stand outside of strings, or not, in lines in which it does, whole and cut anywhere.
#[test]
fn what_is_counted_without_a_walk_is_found_with_one() {
    let lines = [
        r#"{"a":404.25e+10,"b":[true,false,null],"c":"404 true, or null d"}"#,
        r#"{"a":-404,"b": true ,"c":{"d":null}}"#,
        r#"{"true":"C:\\null","b":"\u006eull \ntrue \u00e9nd","c":"é404"}"#,
        r#"{"a":"true","crc32":"00000000"}"#,
        "\u{FEFF}{\"a\":nul,\"b\":\"d\"}",
    ];
    for text in ["404", "true", "null", "n", "d", "nd", "or", "u", ", ", "{", "e+1", "ull d", "0e9n", "b"] {
        let needle = needle(text, false, false);
        for line in lines {
            for end in (0..=line.len()).filter(|end| line.is_char_boundary(*end)) {
                let candidates = || needle.prefilter.candidates(&line.as_bytes()[..end], 0);
                let found = needle.find_in(&mut candidates(), Scope::Strings).count() as u64;
                let counted = needle.count_in(&mut candidates(), Scope::Strings);
                assert_eq!(counted, found, "{text:?} in {}", &line[..end]);
            }
        }
    }
}

#[test]
fn damaged_lines_are_searched_as_far_as_they_go() {
    let needle = needle("lost words", false, false);
    let find = |line: &[u8]| {
        let (snippet, is_damaged) = needle.find_in_line(&candidate(&needle, line)?)?;
        let [_, _, behind] = snippet.parts().map(str::to_owned);
        Some((behind, is_damaged))
    };
    assert_eq!(find(b"{\"a\":\"lost words\"}"), Some((String::new(), false)));
    assert_eq!(find(b"{\"a\":\"the lost words and"), Some((String::from(" and"), true)));
    assert_eq!(find(b"nonsense lost words"), Some((String::new(), true)));
    assert_eq!(find(b"{\"a\":\"lost words\",\"crc32\":\"00000000\"}"), Some((String::new(), true)));
    assert_eq!(find(b"{\"a\":\"words"), None);
}

#[test]
fn snippets_are_cut_between_characters() {
    let text = "é".repeat(100) + "needle" + &"渡".repeat(100);
    let snippet = needle("needle", false, false).find(&text).unwrap();
    let [before, found, behind] = snippet.parts();
    assert_eq!((before.chars().count(), found, behind.chars().count()), (40 + 1, "needle", 40 + 1));
    assert!(before.starts_with('…') && behind.ends_with('…'));
}

/// The same two ways: of a literal as little as possible is decoded, of a pattern everything.
#[track_caller]
fn check_as_a_pattern(text: &str, line: &str) {
    let shown = |needle: &Needle, scope: Scope<'_>| {
        let mut candidates = needle.prefilter.candidates(line.as_bytes(), 1);
        let hits = needle.find_in(&mut candidates, scope);
        let hits = hits.map(|hit| {
            (hit.line, hit.offset, hit.is_damaged, hit.speaker, hit.snippet.parts().map(str::to_owned))
        });
        hits.collect::<Vec<_>>()
    };
    let agents = [Agent::ClaudeCode, Agent::Codex, Agent::Pi, Agent::Gemini, Agent::Chat];
    let scopes = agents.map(|agent| Scope::Said(agent, &[]));
    for context in [0, 40, 700] {
        let literal = needle_with(text, false, false, context);
        let pattern = needle_with(&regex::escape(text), true, false, context);
        for scope in scopes.iter().copied().chain([Scope::Strings, Scope::Own(&[])]) {
            let hits = shown(&literal, scope);
            assert_eq!(hits, shown(&pattern, scope), "{text:?} in {line}");
            let counted = literal.count_in(&mut literal.prefilter.candidates(line.as_bytes(), 1), scope);
            assert_eq!(counted, hits.len() as u64, "{text:?} in {line}");
        }
    }
}

/// Records of the agents that say these texts.
fn records(texts: &[String]) -> Vec<String> {
    let [a, b, c] = [0, 1, 2].map(|at| texts.get(at).cloned().unwrap_or_default());
    // Somebody's JSON in a string, also of that in a string.
    let inside = json!({ "path": a, "other": [b, c] }).to_string();
    let parts = json!([
        { "type": "thinking", "thinking": a },
        { "type": "text", "text": b },
        { "type": "tool_use", "id": "i", "name": "n", "input": { "a": c, "b": a } },
        { "type": "tool_result", "tool_use_id": "i", "content": [{ "type": "text", "text": b }, { "text": c }] },
    ]);
    let message = json!({ "role": "user", "content": parts });
    let output = json!({ "output": c, "metadata": {} }).to_string();
    let context = json!([{ "type": "input_text", "text": format!("<environment_context>{a}") }]);
    let call = json!({ "type": "function_call", "name": "n", "arguments": inside, "call_id": "i" });
    let all = [
        json!({ "type": "user", "uuid": a, "message": message, "toolUseResult": c }),
        json!({ "type": "message", "message": message }),
        json!({ "message": message, "k": b }),
        json!({ "type": "response_item", "payload": call }),
        json!({ "type": "response_item", "payload": { "type": "function_call_output", "output": output } }),
        json!({ "type": "response_item", "payload": { "type": "message", "role": "user", "content": context } }),
        json!({ "type": "compacted", "payload": { "message": a } }),
        json!({ "role": "assistant", "content": a, "reasoning": b, "tool_calls": [
            { "id": "i", "function": { "name": "n", "arguments": inside } },
        ] }),
        json!({ "role": "assistant", "tool_calls": [{ "id": "i", "function": { "name": "n", "arguments": c } }] }),
        json!({ "role": "tool", "tool_call_id": "i", "content": [{ "type": "text", "text": a }, { "type": "text", "text": b }] }),
        json!({ "id": "i", "type": "gemini", "content": a, "toolCalls": [{ "name": "n", "args": { "a": b }, "status": "success", "resultDisplay": c }] }),
        // Its JSON is shown as it is written.
        json!({ "id": a, "type": "gemini", "content": "x", "toolCalls": [{ "name": "n", "args": {}, "status": "success", "result": [
            { "functionResponse": { "response": { "data": b, "more": c } } },
        ] }] }),
        json!({ "type": "user", "message": { "role": "user", "content": [
            { "type": "tool_use", "id": "i", "name": "n", "input": { "old": a, "new": b, "other": c } },
        ] } }),
    ];
    all.iter().map(Value::to_string).collect()
}

#[test]
fn what_is_around_a_find_in_a_long_string_is_shown() {
    for unit in ["x", "xy z", "é", "渡", "🦀", "\u{1}", "\"", "\\", "\n", "/", "{", "1", " ", "needl"] {
        for (before, behind) in [(0, 5000), (10, 5000), (600, 5000), (1000, 0), (5000, 39), (5000, 5000)] {
            let text = unit.repeat(before) + "needle" + &unit.repeat(behind);
            for record in
                records(&[text.clone(), text.replace("needle", "other"), text.replace("needle", "a needle")])
            {
                check_as_a_pattern("needle", &record);
            }
        }
    }
}

#[test]
fn nothing_is_found_where_something_was_left_out() {
    for shift in 0..12 {
        let end = "x".repeat(shift / 4);
        let text = "x".repeat(shift % 4) + &"need".repeat(1000) + " " + &"le".repeat(1000) + &end;
        for record in records(&[text.clone(), String::from("a needle"), text]) {
            check_as_a_pattern("needle", &record);
        }
    }
}

#[test]
fn what_stands_for_what_was_left_out_is_no_text() {
    let long = "lorem ipsum ".repeat(3000);
    // Each record has what is looked for somewhere, and what is long hasn't.
    for text in ["0001", "000", "u0001", "FFFD", "ufffd", "fffd"] {
        for record in records(&[text.to_owned(), long.clone(), long.clone()]) {
            check_as_a_pattern(text, &record);
        }
    }
}

#[test]
fn what_is_found_in_a_short_text_shows_the_long_one_behind_it() {
    for unit in ["x", "é", "渡", "🦀"] {
        let long = unit.repeat(300) + &"y".repeat(5000) + &unit.repeat(300);
        for record in records(&[String::from("the needle here"), long.clone(), long.clone()]) {
            check_as_a_pattern("needle", &record);
        }
        for record in records(&[long.clone(), String::from("needle"), long]) {
            check_as_a_pattern("needle", &record);
        }
    }
}

#[test]
fn what_a_string_is_shows_at_its_beginning() {
    for record in records(&["x".repeat(5000), String::new(), String::new()]) {
        check_as_a_pattern("env", &record);
    }
}

#[test]
fn an_escape_in_front_of_a_text_is_no_part_of_it() {
    let long = "lorem ipsum ".repeat(300);
    for (escaped, text) in [("é", "9 needle"), ("é", "e9 needle"), ("\n", "needle"), ("\n", "n needle")] {
        let spelled = format!("{long}{escaped} needle {long}{text} {long}");
        for record in records(&[spelled.clone(), String::from("x"), spelled]) {
            check_as_a_pattern(text, &record.replace('é', "\\u00e9"));
        }
    }
}

#[test]
fn a_long_number_in_a_string_is_no_text_where_json_is_expected() {
    let text = "1".repeat(3000) + "7" + &"1".repeat(3000);
    for text in [text.clone(), format!("-{text}"), format!("{text} "), format!("{text} x")] {
        for record in records(&[String::from("x"), String::from("y"), text]) {
            check_as_a_pattern("7", &record);
        }
    }
}

#[test]
fn a_long_record_of_which_the_end_is_missing_is_searched_as_it_is() {
    let text = "é".repeat(3000) + "needle" + &"\"".repeat(3000);
    for record in records(&[text.clone(), String::from("short"), text]) {
        let cut = record.len() * 9 / 10;
        let cut = (0..cut).rev().find(|at| record.is_char_boundary(*at)).unwrap();
        check_as_a_pattern("needle", &record[..cut]);
        check_as_a_pattern("needle", &format!("{record}}}"));
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-e ]{1,30}",
        4 => (Just("lorem ipsum "), 1..200_usize).prop_map(|(text, times)| text.repeat(times)),
        2 => (Just("é渡"), 1..400_usize).prop_map(|(text, times)| text.repeat(times)),
        1 => (Just("🦀\n"), 1..200_usize).prop_map(|(text, times)| text.repeat(times)),
        1 => (Just("\""), 1..100_usize).prop_map(|(text, times)| text.repeat(times)),
        2 => Just(String::from("need")),
        2 => Just(String::from("needle")),
        1 => Just(String::from("\nneedle")),
        1 => Just(String::from("u006eeedle")),
        1 => Just(String::from("\\needle")),
        1 => Just(String::from("{\"a\":\"needle\"}")),
        1 => Just(String::from("[")),
        1 => Just(String::from("42")),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn little_is_decoded_and_the_same_is_found(texts in prop::collection::vec(pieces(), 3), spelling in 0..5_usize) {
        for record in records(&texts) {
            // As somebody writes it who escapes more than he has to.
            let record = match spelling {
                0 => record.replace("needle", "n\\u0065edle"),
                1 => record.replace('é', "\\u00e9"),
                2 => record.replace('🦀', "\\ud83e\\udd80"),
                3 => record.replace('/', "\\/"),
                _ => record,
            };
            for text in ["needle", "e n", "u00", "0", "FFFD", "é"] {
                check_as_a_pattern(text, &record);
            }
        }
    }
}
