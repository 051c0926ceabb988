//! Is a line judged the same by every way of reading? A case for every clause of RFC 8259.

use std::collections::BTreeMap;
use std::time::Duration;

use cases::{ACCEPT, REJECT, UNDEFINED};
use jsonl_core::{Follow, Followed, From, Loaded, Seals, Verdict};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::{Place, all_readers};

/// The cases.
mod cases;

/// Takes strings as bytes, where `serde_json` looks least.
#[derive(Debug)]
struct AsBytes;

impl<'de> Deserialize<'de> for AsBytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;
        impl serde::de::Visitor<'_> for Anything {
            type Value = AsBytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, _: &[u8]) -> Result<AsBytes, E> {
                Ok(AsBytes)
            }
        }
        deserializer.deserialize_bytes(Anything)
    }
}

/// Ignores every member but one that is never there.
#[derive(Debug, Deserialize)]
struct Ignoring {
    #[serde(rename = "no such member")]
    _none: Option<u8>,
}

/// Asks every way of reading whether the line is a record.
#[track_caller]
fn check_everywhere(line: &[u8], expected: bool) {
    let shown = line.escape_ascii();
    // Not on line 1, where a byte order mark would be taken off.
    let place = Place::with([b"{\"first\":1}\n", line, b"\n{\"last\":1}\n"].concat());
    let verdict = jsonl_core::verdict::judge(line, false);
    assert_eq!(matches!(verdict, Verdict::Record { .. }), expected, "{shown}: judged {verdict:?}");
    for options in all_readers() {
        let log = options.seals(Seals::Check).open(&place.path).unwrap();
        let mut answers = BTreeMap::new();
        let mut say = |way, records: u64| answers.insert(way, records == 3);
        say("value", log.load::<Value>().unwrap().report.records);
        say("ignored", log.load::<IgnoredAny>().unwrap().report.records);
        say("ignored member", log.load::<Ignoring>().unwrap().report.records);
        say("text", log.load::<String>().unwrap().report.records);
        say("bytes", log.load::<AsBytes>().unwrap().report.records);
        say("raw", log.load::<Box<RawValue>>().unwrap().report.records);
        say("map", log.load::<BTreeMap<String, IgnoredAny>>().unwrap().report.records);
        say("borrowed raw", log.load_borrowed::<&RawValue>().unwrap().report.records);
        say("borrowed text", log.load_borrowed::<&str>().unwrap().report.records);
        say(
            "fold",
            log.fold(|| (), |(), _: jsonl_core::Record<'_, Value>| (), |(), ()| ()).unwrap().1.records,
        );
        say("verify", log.verify().unwrap().records);
        say("verify seals", log.verify_seals().unwrap().records);
        let tail: Loaded<Value> = log.tail(usize::MAX).unwrap();
        say("tail", tail.report.records);
        let judged = |line: jsonl_core::Line| matches!(line.verdict(), Verdict::Record { .. });
        say("lines", log.lines().filter(|line| judged(line.as_ref().unwrap().clone())).count() as u64);
        say(
            "lines back",
            log.lines().rev().filter(|line| judged(line.as_ref().unwrap().clone())).count() as u64,
        );
        let mut follow = Follow::new(&place.path, From::Beginning).unwrap();
        let mut followed = 0;
        while let Some(Followed::Line(line)) = follow.next_within(Duration::ZERO).unwrap() {
            followed += u64::from(judged(line));
        }
        say("follow", followed);
        let writer = Place::new();
        say("append", 2 + u64::from(writer.writer().append_raw(line).is_ok()));
        let against: Vec<_> = answers.iter().filter(|(_, answer)| **answer != expected).collect();
        assert!(against.is_empty(), "{shown}: expected {expected}, but {against:?}");
    }
}

#[test]
fn what_the_grammar_allows_is_a_record_everywhere() {
    for line in ACCEPT {
        check_everywhere(line, true);
    }
}

#[test]
fn what_it_leaves_open_is_a_record_everywhere_and_means_what_is_documented() {
    for (line, meaning) in UNDEFINED {
        check_everywhere(line, true);
        let place = Place::with([line, &b"\n"[..]].concat());
        let loaded = place.log().load::<Value>().unwrap();
        let found = loaded.records.first().map(Value::to_string);
        assert_eq!(found.as_deref(), *meaning, "{}", line.escape_ascii());
        assert_eq!(loaded.report.mismatched, u64::from(meaning.is_none()));
    }
}

#[test]
fn there_are_cases_enough() {
    // Of each clause more than one; fewer would mean that some were lost.
    assert!(ACCEPT.len() >= 50 && REJECT.len() >= 130 && UNDEFINED.len() >= 24);
}

#[test]
fn what_it_does_not_is_a_record_nowhere() {
    for line in REJECT {
        check_everywhere(line, false);
    }
}

#[test]
fn nesting_has_one_limit_everywhere() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        check_everywhere(nested(127).as_bytes(), true);
        check_everywhere(nested(128).as_bytes(), true);
        check_everywhere(nested(129).as_bytes(), false);
        check_everywhere(nested(100_000).as_bytes(), false);
        check_everywhere(format!("{{\"ignored\":{}}}", nested(127)).as_bytes(), true);
        check_everywhere(format!("{{\"ignored\":{}}}", nested(128)).as_bytes(), false);
    }
}

#[test]
fn every_control_byte_is_refused_in_strings() {
    for byte in 0..0x20_u8 {
        if byte != b'\n' {
            check_everywhere(&[b'"', byte, b'"'], false);
        }
    }
}

#[test]
fn accepted_lines_pass_through_byte_for_byte() {
    let place = Place::new();
    let all: Vec<&[u8]> = ACCEPT.iter().copied().chain(UNDEFINED.iter().map(|(line, _)| *line)).collect();
    place.writer().append_raw_all(all.iter().copied()).unwrap();
    let raw = place.log().load_borrowed::<&RawValue>().unwrap().records.len();
    assert_eq!(raw, all.len());
    assert_eq!(place.bytes(), [all.join(&b'\n'), vec![b'\n']].concat());
    let mut seen = Vec::new();
    for line in place.log().lines() {
        seen.push(line.unwrap().bytes);
    }
    assert_eq!(seen, all);
}

#[test]
fn unpaired_surrogates_become_replacement_characters_and_cost_no_record() {
    let place = Place::with("{\"s\":\"a\\ud83db\",\"t\":\"\\ud83d\\ude00\\\\ud83d\"}\n");
    let loaded = place.log().load::<Value>().unwrap();
    assert_eq!(loaded.records[0]["s"], "a\u{FFFD}b");
    assert_eq!(loaded.records[0]["t"], "😀\\ud83d");
    assert_eq!(loaded.report.lone_surrogates, 1);
}
