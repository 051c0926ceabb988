//! Is a line judged the same by every way of reading? A case for every clause of RFC 8259.

use std::collections::BTreeMap;

use jsonl_core::{Loaded, Seals, Verdict};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::{Place, all_readers};

/// What every reader must take.
const ACCEPT: &[&[u8]] = &[
    // Section 2: a text is any value, with white space around and between.
    b"null",
    b"true",
    b"false",
    b"0",
    b"\"\"",
    b"[]",
    b"{}",
    b" null ",
    b"\tnull\t",
    b"\rnull\r",
    b"[ 1 , 2 ]",
    b"{ \"a\" : 1 , \"b\" : 2 }",
    b"\t{\t\"a\"\t:\t1\t}\t",
    b"[\r1\r,\r2\r]",
    b"{\"a\":1}\r",
    // Section 4: objects; names may repeat, be empty, be anything.
    b"{\"\":0}",
    b"{\"a\":1,\"a\":2}",
    b"{\"a\":{\"a\":{}}}",
    b"{\"\\u0061\":1,\"a\":2}",
    b"{\"\\u0000\":1}",
    b"{\"a\":[],\"b\":{},\"c\":null}",
    b"{\"__proto__\":1}",
    // Section 5: arrays of anything.
    b"[1,\"a\",null,true,[],{}]",
    b"[[[[[[]]]]]]",
    b"[null,1,null]",
    b"[ ]",
    // Section 6: numbers of any size and precision.
    b"-0",
    b"-1",
    b"10",
    b"1.0",
    b"0.1",
    b"-0.0",
    b"1e1",
    b"1E1",
    b"1e+1",
    b"1e-1",
    b"0e0",
    b"0e+1",
    b"123.456e78",
    b"1e999",
    b"-1e999",
    b"1e-999",
    b"18446744073709551616",
    b"9007199254740993",
    b"0.1000000000000000055511151231257827",
    b"123456789012345678901234567890",
    b"-9223372036854775808",
    b"[1e5,2.5E-3,-7]",
    // Section 7: strings, every escape, every plane.
    b"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    b"\"\\u0041\\u00e9\\u20AC\"",
    b"\"\\ud83d\\ude00\"",
    b"\"\\u0000\"",
    b"\"/\"",
    b"\"\x7F\"",
    "\"é\u{2028}\u{2029}\u{85}\u{FEFF}\u{FFFF}\u{10FFFF}\"".as_bytes(),
    b"\"'\"",
    b"\"a,b:c[d]e{f}\"",
    b"\"\\\\\"",
    b"\"\\\\\\\"\"",
    // Surrogates without their partner are within the grammar; what they mean is open.
    b"\"\\ud800\"",
    b"\"\\udc00\"",
    b"\"\\udc00\\ud800\"",
    b"\"\\ud800\\ud800\\udc00\"",
    b"\"\\ud800x\"",
    b"\"\\ud800\\n\"",
    b"{\"\\ud800\":1}",
];

/// What none may take.
const REJECT: &[&[u8]] = &[
    // Texts.
    b"nullnull",
    b"1 2",
    b"[] []",
    b"{}{}",
    b"{},",
    b",",
    b":",
    b"]",
    b"}",
    b"\x0Bnull",
    b"\x0Cnull",
    b"\xC2\xA0null",
    b"\xE2\x81\xA0null",
    b"nul\x6C\x00",
    b"\x00",
    b"\xEF\xBB",
    b"1\xEF\xBB\xBF",
    b"// comment",
    b"1 // no",
    b"/**/1",
    // Literals.
    b"NULL",
    b"True",
    b"nul",
    b"nulll",
    b"t",
    b"undefined",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"nan",
    // Objects.
    b"{",
    b"{\"a\"",
    b"{\"a\":",
    b"{\"a\":1",
    b"{\"a\":1,",
    b"{\"a\":1,}",
    b"{,\"a\":1}",
    b"{\"a\" 1}",
    b"{\"a\"::1}",
    b"{a:1}",
    b"{'a':1}",
    b"{1:1}",
    b"{null:1}",
    b"{\"a\":1 \"b\":2}",
    b"{\"a\":1,,\"b\":2}",
    b"{\"a\"}",
    b"{\"a\":1]",
    b"{[]:1}",
    b"{\"a\":}",
    b"{\"a\":1}x",
    b"{\"a\":1}}",
    b"{\"a\",\"b\"}",
    // What looks like a sealed object and is none.
    b"{,\"crc32\":\"15d54739\"}",
    b"{ ,\"crc32\":\"15d54739\"}",
    // Arrays.
    b"[",
    b"[1",
    b"[1,",
    b"[1,]",
    b"[,1]",
    b"[,]",
    b"[1,,2]",
    b"[1 2]",
    b"[1:2]",
    b"[1}",
    b"[\"a\":1]",
    b"[1]]",
    b"[[1]",
    b"[*]",
    b"[1;2]",
    // Numbers.
    b"01",
    b"-01",
    b"00",
    b"+1",
    b"-",
    b"--1",
    b"-a",
    b".5",
    b"-.5",
    b"5.",
    b"5.e1",
    b"1.2.3",
    b"1e",
    b"1e+",
    b"1E-",
    b"1e1.5",
    b"1ee1",
    b"0x10",
    b"1_000",
    b"1,000",
    b"1a",
    b"0e",
    b"1.",
    b"\xEF\xBC\x91",
    b"- 1",
    b"1 e1",
    b"Inf",
    b"1e+-1",
    b"012",
    b"0b1",
    // Strings.
    b"\"",
    b"\"a",
    b"'a'",
    b"\"\\\"",
    b"\"\\x41\"",
    b"\"\\a\"",
    b"\"\\0\"",
    b"\"\\'\"",
    b"\"\\u\"",
    b"\"\\u12\"",
    b"\"\\u123\"",
    b"\"\\u12g4\"",
    b"\"\\U0041\"",
    b"\"\\u 123\"",
    b"\"\\u+123\"",
    b"\"\t\"",
    b"\"\r\"",
    b"\"\x00\"",
    b"\"\x01\"",
    b"\"\x1F\"",
    b"\"a\"b",
    b"\"\\\xC3\xA9\"",
    b"a",
    b"\"\\ud83d\\u\"",
    b"\"\\ud83d\\u12\"",
    b"\\u0041",
    // Bytes that are not UTF-8: alone, cut, overlong, surrogates, out of range.
    b"\"\xFF\"",
    b"\"\x80\"",
    b"\"\xC3\"",
    b"\"\xC3(\"",
    b"\"\xE2\x82\"",
    b"\"\xF0\x9F\x92\"",
    b"\"\xC0\xAF\"",
    b"\"\xE0\x80\xAF\"",
    b"\"\xF0\x80\x80\xAF\"",
    b"\"\xED\xA0\x80\"",
    b"\"\xF4\x90\x80\x80\"",
    b"\"\xF8\x88\x80\x80\x80\"",
    b"\xFF",
    b"[\xFF]",
    b"{\"\xFF\":1}",
    b"{\"a\":\"\xFF\"}",
];

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
    place.writer().append_raw_all(ACCEPT.iter().copied()).unwrap();
    let raw = place.log().load_borrowed::<&RawValue>().unwrap().records.len();
    assert_eq!(raw, ACCEPT.len());
    assert_eq!(place.bytes(), [ACCEPT.join(&b'\n'), vec![b'\n']].concat());
    let mut seen = Vec::new();
    for line in place.log().lines() {
        seen.push(line.unwrap().bytes);
    }
    assert_eq!(seen, ACCEPT);
}

#[test]
fn unpaired_surrogates_become_replacement_characters_and_cost_no_record() {
    let place = Place::with("{\"s\":\"a\\ud83db\",\"t\":\"\\ud83d\\ude00\\\\ud83d\"}\n");
    let loaded = place.log().load::<Value>().unwrap();
    assert_eq!(loaded.records[0]["s"], "a\u{FFFD}b");
    assert_eq!(loaded.records[0]["t"], "😀\\ud83d");
    assert_eq!(loaded.report.lone_surrogates, 1);
}
