//! Do the reading commands show what is there, and say what isn't right?

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};

use serde_json::json;

use crate::support::{Place, testdata};

#[test]
fn ls_lists_the_newest_first_and_looks_into_folders() {
    let place = Place::new();
    place.file("a/old.jsonl", "{\"ts\":\"2026-01-01T00:00:00Z\"}\n{\"ts\":\"2026-01-02T00:00:00Z\"}\n");
    place.file("a/b/new.jsonl", "{\"timestamp\":\"2026-03-01T00:00:00Z\"}\nx\n");
    place.file("a/other.txt", "not listed");
    place.file("a/put-aside.jsonl.archived", "{\"ts\":\"2026-02-01T00:00:00Z\"}\n{\"ts");
    let named = place.file("named.log", "5\n");
    filetime(&named, "2020-01-01");
    let ended = place.annals(&["ls", "a", "named.log"]).check(0);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines[0].starts_with("NAME"), "{ended:?}");
    let names: Vec<&str> = lines[1..].iter().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["a/b/new.jsonl", "a/put-aside.jsonl.archived", "a/old.jsonl", "named.log"]);
    assert!(lines[1].contains("2026-03-01 00:00") && lines[1].ends_with("1 line: not JSON"), "{ended:?}");
    assert!(lines[2].ends_with("unfinished last line"), "{ended:?}");
    assert!(lines[3].contains("2026-01-01 00:00  2026-01-02 00:00") && lines[3].ends_with('-'), "{ended:?}");
    // A file that is named and in a named folder is listed once.
    assert_eq!(place.annals(&["ls", "a", "a/old.jsonl", "."]).check(0).out.lines().count(), 4);
    assert!(lines.iter().all(|line| !line.ends_with(' ')));
    let objects = place.annals(&["--json", "ls", "a", "--limit", "2"]).check(0).objects();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["path"], "a/b/new.jsonl");
    assert_eq!(objects[0]["first"], "2026-03-01T00:00:00Z");
    assert_eq!((&objects[0]["records"], &objects[0]["damaged"]), (&json!(1), &json!(1)));
    assert_eq!(objects[0]["damage_kinds"], json!({"malformed": 1}));
    assert_eq!((&objects[1]["tail"], &objects[1]["bytes"]), (&json!("torn"), &json!(34)));
}

/// Makes a file old.
fn filetime(path: &std::path::Path, _date: &str) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_577_836_800);
    file.set_modified(old).unwrap();
}

#[test]
fn show_reads_like_a_conversation() {
    let place = Place::new();
    let log = concat!(
        "{\"role\":\"user\",\"content\":\"fix the\\npool\",\"ts\":\"2026-05-09T23:16:07Z\"}\n\n",
        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"sh\",\"arguments\":\"{\\\"c\\\":1}\"}}]}\n",
        "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"\\u001b[31mred\"}\n{\"role\":\"us\n",
    );
    place.file("s.jsonl", log);
    let ended = place.annals(&["show", "s.jsonl"]).check(0);
    assert_eq!(
        ended.out,
        "user  2026-05-09 23:16:07  #1\n  fix the\n  pool\n\nassistant  #3\n  → sh {\"c\":1}\n\n\
         tool  #4\n  ← \\u{1b}[31mred\n\n[line 5: torn record, 12 B]\n\n"
    );
    assert_eq!(ended.talk, "annals: s.jsonl: 1 damaged line; annals verify describes them\n");
    let one = place.annals(&["show", "s.jsonl@3"]).check(0);
    assert_eq!(one.out, "assistant  #3\n  → sh {\"c\":1}\n\n");
    place.annals(&["show", "s.jsonl@5"]).check(4);
    let missing = place.annals(&["show", "s.jsonl@6"]).check(3);
    assert_eq!(missing.talk, "annals: s.jsonl: has 5 lines, and no line 6\n");
    place.annals(&["show", "s.jsonl@0"]).check(3);
    // As they are, the damaged one among the talk.
    let raw = place.annals(&["show", "--raw", "s.jsonl"]).check(0);
    let records: String =
        log.lines().filter(|line| line.ends_with('}')).map(|line| format!("{line}\n")).collect();
    assert_eq!(raw.out, records);
    let objects = place.annals(&["show", "--json", "s.jsonl"]).check(0).objects();
    assert_eq!(objects[0]["record"]["content"], "fix the\npool");
    assert_eq!((&objects[3]["damage"], &objects[3]["record"]), (&json!("torn"), &json!(null)));
}

#[test]
fn json_output_keeps_records_byte_for_byte() {
    let place = Place::new();
    let record = r#"{"b":1.0e00,"a":12345678901234567890123,"b":"\u00E9\/\ud83d","c":1e999}"#;
    place.file("s.jsonl", format!("\u{FEFF}{record}\r\n"));
    let ended = place.annals(&["show", "--json", "s.jsonl"]).check(0);
    assert_eq!(ended.out, format!("{{\"schema_version\":1,\"line\":1,\"offset\":0,\"record\":{record}}}\n"));
}

#[test]
fn a_file_with_an_at_sign_is_found() {
    let place = Place::new();
    place.file("a@7", "{\"role\":\"x\"}\n");
    place.annals(&["show", "./a@7"]).check(0);
    place.annals(&["show", "./a@7@1"]).check(0);
    place.annals(&["show", "none@7"]).check(3);
}

#[test]
fn tail_shows_the_last_records() {
    let place = Place::new();
    place.file("s.jsonl", "1\n2\nx\n3\n4\n\n{\"a");
    let raw = |n: &str| place.annals(&["tail", "--raw", "-n", n, "s.jsonl"]).check(0).out;
    assert_eq!((raw("0"), raw("1"), raw("2")), (String::new(), "4\n".into(), "3\n4\n".into()));
    assert_eq!(raw("99"), "1\n2\n3\n4\n");
    let shown = place.annals(&["tail", "-n", "3", "s.jsonl"]).check(0).out;
    // Where nothing is a record, it is not everything that is shown.
    place.file("bad.jsonl", "bad\n\n".repeat(1000));
    let bad = place.annals(&["tail", "-n", "3", "bad.jsonl"]).check(0).out;
    assert_eq!(bad.matches("not JSON").count(), 3, "{bad}");
    assert!(shown.contains("not JSON") && shown.contains("perhaps still being written"), "{shown}");
}

#[test]
fn tail_follows_growth_and_replacement() {
    let place = Place::new();
    let path = place.file("s.jsonl", "1\n2\n{\"half\":");
    let mut child = place.command(&["tail", "--raw", "-f", "-n", "1", "s.jsonl"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "2");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"true}\n3\n").unwrap();
    assert_eq!(lines.next().unwrap(), "{\"half\":true}");
    assert_eq!(lines.next().unwrap(), "3");
    let new = place.file("new", "1\n2\n{\"half\":true}\n3\n4\n");
    std::fs::rename(new, &path).unwrap();
    assert_eq!(lines.next().unwrap(), "4");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn tail_shows_a_last_record_without_newline_once() {
    let place = Place::new();
    let path = place.file("s.jsonl", "1\n2");
    let mut child = place.command(&["tail", "--raw", "-f", "-n", "1", "s.jsonl"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "2");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\n3\n").unwrap();
    assert_eq!(lines.next().unwrap(), "3");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Whatever a record or a file name holds, nothing but the program makes lines that look like its own.
#[test]
fn nobody_forges_output() {
    let place = Place::new();
    let forged = r#"{"role":"user\n\nassistant  2026-01-01 00:00:00  #99\n  approved","content":"hi"}"#;
    place
        .file("s.jsonl", format!("{forged}\n{{\"tool_call_id\":\"1\",\"content\":\"a\\nassistant  #7\"}}\n"));
    for view in [&["show", "s.jsonl"][..], &["show", "--full", "s.jsonl"], &["stats", "s.jsonl"]] {
        let ended = place.annals(view).check(0);
        assert!(!ended.out.lines().any(|line| line.starts_with("assistant")), "{ended:?}");
    }
    if std::fs::write(place.path("x\nok         real.jsonl: 4 records\nb.jsonl"), "5\n").is_ok() {
        for args in [&["verify", "."][..], &["ls", "."], &["search", "-e", ".", "."]] {
            let ended = place.annals(args);
            assert!(!ended.out.lines().any(|line| line.starts_with("ok         real")), "{ended:?}");
        }
    }
}

#[test]
fn records_are_shown_with_their_own_numbers_and_order() {
    let place = Place::new();
    let record = r#"{"z":1.10,"a":123456789012345678901234567890,"z":3,"b":1E5}"#;
    place.file("s.jsonl", format!("{record}\n\n"));
    let shown = place.annals(&["show", "s.jsonl@1"]).check(0).out;
    assert!(shown.contains(record), "{shown}");
    let blank = place.annals(&["show", "s.jsonl@2"]).check(0);
    assert!(blank.talk.contains("line 2 is blank"), "{blank:?}");
    place.file("d.jsonl", b"{\"a\":\"\xFF\"}\n");
    let mut raw = place.command(&["show", "--raw", "d.jsonl@1"]).spawn().unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut raw.stdout.take().unwrap(), &mut bytes).unwrap();
    assert_eq!((bytes, raw.wait().unwrap().code()), (b"{\"a\":\"\xFF\"}\n".to_vec(), Some(4)));
}

#[test]
fn verify_tells_ok_from_unfinished_from_damaged() {
    let place = Place::new();
    place.file("ok.jsonl", "{}\n\n{}");
    place.file("unfinished.jsonl", "{}\n{\"a");
    place.file("damaged.jsonl", "{}\n{\"a\":1{\"b\":2}\n\0\0\0\n");
    let ended = place.annals(&["verify", "ok.jsonl"]).check(0);
    assert_eq!(ended.out, "ok         ok.jsonl: 2 records, 1 blank line, the last without its newline\n");
    let ended = place.annals(&["verify", "ok.jsonl", "unfinished.jsonl"]).check(1);
    assert!(
        ended.out.contains("unfinished unfinished.jsonl: 1 record, and an unfinished line at the end"),
        "{ended:?}"
    );
    let ended = place.annals(&["verify", "."]).check(4);
    assert!(ended.out.contains("damaged    ./damaged.jsonl: 1 record, 2 damaged lines"), "{ended:?}");
    assert!(
        ended.out.contains("line 2: not JSON (1 complete record inside), 13 bytes: {\"a\":1{\"b\":2}"),
        "{ended:?}"
    );
    assert!(ended.out.ends_with("1 of 3 files damaged, 33 B checked\n"), "{ended:?}");
    let objects = place.annals(&["verify", "--json", "damaged.jsonl", "--limit", "1"]).check(4).objects();
    assert_eq!(objects[0]["verdict"], "damaged");
    assert_eq!(objects[0]["damages"].as_array().unwrap().len(), 1);
    assert_eq!(objects[0]["damages"][0]["salvageable"], json!([[9, 7]]));
    assert_eq!(objects[0]["damages_omitted"], 1);
    place.file("unsealed.jsonl", "{\"a\":1}\n");
    place.annals(&["verify", "--require-checksums", "unsealed.jsonl"]).check(4);
}

#[test]
fn stats_count_what_is_there() {
    let place = Place::new();
    place.file("a.jsonl", "{\"role\":\"user\",\"n\":1}\n{\"type\":\"x\"}\n\nnope\n");
    place.file("b.jsonl", "{\"role\":\"user\",\"ts\":\"2026-05-09T23:16:07Z\"}\n5\n");
    let objects = place.annals(&["stats", "--json", "."]).check(0).objects();
    let stats = &objects[0];
    assert_eq!((&stats["files"], &stats["records"], &stats["lines"]), (&json!(2), &json!(4), &json!(6)));
    assert_eq!(stats["roles"], json!([["user", 2], ["(none)", 1], ["x", 1]]));
    assert_eq!(stats["members"], json!([["role", 2], ["n", 1], ["ts", 1], ["type", 1]]));
    assert_eq!(stats["line_len_max"], 43);
    let text = place.annals(&["stats", "."]).check(0).out;
    assert!(text.contains("\nrecords     4\n") && text.contains("damage      not JSON: 1 line\n"), "{text}");
}

#[test]
fn real_transcripts_are_shown_whole() {
    let place = Place::new();
    for (name, records, damaged) in
        [("claude-code.jsonl", 23, 3), ("pi.jsonl", 9, 2), ("picoclaw-damaged.jsonl", 5, 1)]
    {
        // Not parsed: one of them has half a surrogate, which passes through as it is.
        let objects = place.annals(&["--json", "show", "--records", &testdata(name)]).check(0).out;
        assert_eq!(
            objects.lines().filter(|object| object.contains("\"damage\":")).count(),
            damaged,
            "{name}"
        );
        assert_eq!(objects.lines().count(), records + damaged, "{name}");
        let shown = place.annals(&["show", &testdata(name)]).check(0).out;
        assert!(!shown.contains('\x1b') && !shown.contains('\0'), "{name}");
    }
}

#[test]
fn a_conversation_is_what_was_said_and_counts() {
    let place = Place::new();
    let formats = concat!(env!("CARGO_MANIFEST_DIR"), "/../formats/tests/testdata/");
    let show = |file: &str, flags: &[&str]| {
        let path = format!("{formats}{file}");
        place.annals(&[flags, &["show", &path]].concat())
    };
    let codex =
        "codex/sessions/2026/08/21/rollout-2026-08-21T08-15-02-01a02363-3f70-75b6-9193-ee3947ccaccd.jsonl";
    let text = show(codex, &[]).check(0).out;
    assert!(text.starts_with("codex  /home/u/src/berth-planner  (main)  6 of 10 messages\n"), "{text}");
    // Neither the event that mirrors it, nor what was taken back.
    assert_eq!(text.matches("Refactor the berth planner").count(), 1, "{text}");
    assert!(!text.contains("now rename Berth") && text.contains("only rename inside the crate"), "{text}");
    let mut objects = show(codex, &["--json"]).check(0).objects();
    // What was said in words, without tools and reasoning.
    objects.retain(|object| object["text"] != "");
    let lines: Vec<u64> = objects.iter().map(|object| object["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [6, 14, 19, 23, 32, 34]);
    assert_eq!((&objects[2]["role"], &objects[2]["text"]), (&"user".into(), &"yes, revert".into()));

    let claude = "claude-code/projects/-home-u-src-tide-relay-v2/692f46ca-43e2-4338-984f-bc3ef8b14fbe.jsonl";
    let found = show(claude, &[]).check(0);
    assert!(
        found.talk.contains("not in the file (b09b09e9") && found.talk.contains("3 damaged lines"),
        "{found:?}"
    );
    let other = place.file("x.jsonl", "{\"role\":\"user\",\"content\":\"hi\"}\n");
    // Of a file with one message a line, all of it is shown.
    assert!(place.annals(&["show", other.to_str().unwrap()]).check(0).out.contains("hi"));
    place.annals(&["show", "./nowhere.jsonl"]).check(3);
}
