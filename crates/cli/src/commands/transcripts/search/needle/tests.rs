//! Does the filter let everything through that matches? The slow twin parses every line and looks at every string.

use serde_json::Value;

use std::ops::ControlFlow;

use jsonl_core::ReadOptions;

use super::*;
use crate::args::Filter;

fn needle(text: &str, regexp: bool, ignore_case: bool) -> Needle {
    let (names, filter, role) = (Vec::new(), Filter::default(), Vec::new());
    let (text, context, records, limit) = (text.into(), 40, false, None);
    let args = Search { text, names, filter, role, context, records, regexp, ignore_case, limit };
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
    let mut lines = Vec::new();
    let log = ReadOptions::new().threads(1).open(&path).unwrap();
    log.candidates(
        &needle.prefilter,
        |candidates| needle.find_in(candidates, Scope::Strings),
        |hits, first| {
            lines.extend(hits.into_iter().map(|hit| first - 1 + hit.line));
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    lines
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

#[test]
fn damaged_lines_are_searched_as_far_as_they_go() {
    let needle = needle("lost words", false, false);
    let find =
        |line: &[u8]| needle.find_in_line(line, false).map(|(snippet, damaged)| (snippet.behind, damaged));
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
    assert_eq!(snippet.before.chars().count(), 40 + 1);
    assert_eq!(snippet.behind.chars().count(), 40 + 1);
    assert!(snippet.before.starts_with('…') && snippet.behind.ends_with('…'));
}
