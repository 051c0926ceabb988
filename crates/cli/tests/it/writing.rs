//! Do `log append` and `log repair` do what they say?

use std::fs;

use serde_json::json;

use crate::support::Place;

#[test]
fn append_keeps_lines_as_they_are_and_says_nothing() {
    let place = Place::new();
    let input = "{\"a\":1.0, \"b\":\"\\u00e9\"}\n\n 5\n[1,\t2]";
    let ended = place.annals_with(&["log", "append", "new.jsonl"], input.as_bytes()).check(0);
    assert_eq!((ended.out.as_str(), ended.talk.as_str()), ("", ""));
    let written = fs::read_to_string(place.path("new.jsonl")).unwrap();
    assert_eq!(written, "{\"a\":1.0, \"b\":\"\\u00e9\"}\n 5\n[1,\t2]\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(place.path("new.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let names: Vec<_> = fs::read_dir(place.root()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside the log");
}

#[test]
fn each_acknowledged_offset_is_told_with_json() {
    let place = Place::new();
    place.file("log.jsonl", "{\"torn");
    for durability in ["buffer", "data", "all"] {
        let args = ["log", "append", "--json", "--durability", durability, "log.jsonl"];
        let before = fs::metadata(place.path("log.jsonl")).unwrap().len();
        let objects = place.annals_with(&args, b"1\n22\n").check(0).objects();
        let first = before + u64::from(durability == "buffer");
        assert_eq!(objects[0], json!({"schema_version": 1, "offset": first, "len": 2}));
        assert_eq!(objects[1], json!({"schema_version": 1, "offset": first + 2, "len": 3}));
    }
    assert_eq!(fs::read_to_string(place.path("log.jsonl")).unwrap(), "{\"torn\n1\n22\n1\n22\n1\n22\n");
}

#[test]
fn a_line_that_is_not_json_is_named_and_what_came_before_is_kept() {
    let place = Place::new();
    let ended =
        place.annals_with(&["log", "append", "log.jsonl"], b"{\"a\":1}\n\n{\"b\":2\n{\"c\":3}\n").check(4);
    assert!(ended.talk.contains("standard input, line 3:"), "{ended:?}");
    assert!(ended.talk.contains("1 record before it appended, nothing after it"), "{ended:?}");
    assert_eq!(fs::read_to_string(place.path("log.jsonl")).unwrap(), "{\"a\":1}\n");
    let ended = place.annals_with(&["log", "append", "--checksum", "log.jsonl"], b"5\n").check(4);
    assert!(ended.talk.contains("only an object can carry a checksum"), "{ended:?}");
    // What an editor put in front of the first one is no part of it.
    place.annals_with(&["log", "append", "mark.jsonl"], b"\xEF\xBB\xBF{\"a\":1}\n").check(0);
    assert_eq!(fs::read_to_string(place.path("mark.jsonl")).unwrap(), "{\"a\":1}\n");
    let long = format!("\"{}\"\n", "x".repeat(17 << 20));
    let ended = place.annals_with(&["log", "append", "log.jsonl"], long.as_bytes()).check(4);
    assert!(ended.talk.contains("a line may have 16777216"), "{ended:?}");
}

#[test]
fn sealed_records_verify_and_a_changed_one_does_not() {
    let place = Place::new();
    place.annals_with(&["log", "append", "--checksum", "log.jsonl"], b"{\"a\":1}\n{\"a\":2}\n").check(0);
    let path = place.path("log.jsonl");
    place.annals(&["verify", "--require-checksums", "log.jsonl"]).check(0);
    let changed = fs::read_to_string(&path).unwrap().replace("{\"a\":1", "{\"a\":7");
    fs::write(&path, changed).unwrap();
    let ended = place.annals(&["verify", "log.jsonl"]).check(4);
    assert!(ended.out.contains("line 1: checksum mismatch"), "{ended:?}");
}

#[test]
fn the_holder_of_a_lock_is_named() {
    let place = Place::new();
    let path = place.file("log.jsonl", "1\nx\n");
    let writer = jsonl_core::WriteOptions::new().program("some agent").open(&path).unwrap();
    for args in [
        &["log", "append", "--wait", "0.05", "log.jsonl"][..],
        &["log", "repair", "--wait", "0", "log.jsonl"],
    ] {
        let ended = place.annals_with(args, b"2\n").check(7);
        let holder = format!("held by process {} (some agent) since 20", std::process::id());
        assert!(ended.talk.contains(&holder), "{ended:?}");
    }
    writer.close().unwrap();
    place.annals_with(&["log", "append", "log.jsonl"], b"2\n").check(0);
}

#[test]
fn repair_says_what_it_would_do_and_does_it() {
    let place = Place::new();
    let log = "{\"a\":1}\nnonsense\n{\"b\":2{\"c\":3}\n{\"d\":4}";
    let path = place.file("log.jsonl", log);
    let ended = place.annals(&["log", "repair", "--dry-run", "log.jsonl"]).check(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), log);
    assert!(ended.out.contains("log.jsonl: 2 records stay, 23 bytes would be taken out"), "{ended:?}");
    assert!(ended.talk.contains("--salvage"), "{ended:?}");
    let ended = place.annals(&["log", "repair", "--json", "log.jsonl"]).check(0);
    let object = &ended.objects()[0];
    assert_eq!((&object["removed_bytes"], &object["newline_added"]), (&json!(23), &json!(true)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"d\":4}\n");
    let kept = object["kept_in"].as_str().unwrap();
    assert_eq!(fs::read_to_string(kept).unwrap(), "nonsense\n{\"b\":2{\"c\":3}\n");
    let ended = place.annals(&["log", "repair", "log.jsonl"]).check(0);
    assert_eq!(ended.out, "log.jsonl: 2 records, nothing to repair\n");
    place.annals(&["verify", "log.jsonl"]).check(0);
    fs::write(&path, log).unwrap();
    place.annals(&["log", "repair", "--salvage", "log.jsonl"]).check(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"c\":3}\n{\"d\":4}\n");
}

/// Somebody mistypes a path, and the file is all that they have.
#[test]
fn a_file_that_is_no_log_is_not_repaired_away() {
    let place = Place::new();
    let text = "root:x:0:0:root\ndaemon:x:1:1:daemon\n";
    let path = place.file("passwd", text);
    for args in [&["log", "repair", "passwd"][..], &["log", "repair", "--dry-run", "passwd"]] {
        let ended = place.annals(args).check(2);
        assert!(
            ended.talk.contains("may not be a log at all") && ended.talk.contains("--force"),
            "{ended:?}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    place.annals(&["log", "repair", "--force", "passwd"]).check(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn a_last_line_that_may_still_be_written_is_left_alone() {
    let place = Place::new();
    let path = place.file("log.jsonl", "{\"a\":1}\nbad\n{\"half\":");
    let ended = place.annals(&["log", "repair", "log.jsonl"]).check(7);
    assert!(
        ended.talk.contains("perhaps somebody is still writing") && ended.talk.contains("--force"),
        "{ended:?}"
    );
    place.annals(&["log", "repair", "--dry-run", "log.jsonl"]).check(0);
    place.annals(&["log", "repair", "--force", "log.jsonl"]).check(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n");
    // One that is old will not be finished.
    fs::write(&path, "{\"a\":1}\n{\"half\":").unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_modified(old).unwrap();
    place.annals(&["log", "repair", "log.jsonl"]).check(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n");
}

/// A file size limit of the shell's ends neither the program nor the log.
#[cfg(target_os = "linux")]
#[test]
fn a_file_size_limit_is_an_error_that_names_the_file() {
    let place = Place::new();
    let line = format!("{{\"a\":\"{}\"}}\n", "x".repeat(600));
    // One block of 512 bytes, or of 1024 where /bin/sh counts so.
    let script = "ulimit -f 1; exec \"$0\" log append log.jsonl";
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_annals")]).current_dir(place.root());
    let input = place.file("input", line.repeat(2));
    let output = command.stdin(fs::File::open(input).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(70), "{output:?}");
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("log.jsonl: cannot append to"), "{talk}");
    place.annals_with(&["log", "append", "log.jsonl"], b"{\"next\":1}\n").check(0);
    let shown = place.annals(&["tail", "--raw", "-n", "1", "log.jsonl"]).check(0);
    assert_eq!(shown.out, "{\"next\":1}\n");
}
