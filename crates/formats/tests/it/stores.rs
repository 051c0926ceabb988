//! picoclaw, orca and aish.

use std::fs;
use std::path::Path;

use annals_formats::{ForeignSession, Layout, aish, orca, picoclaw, write_files};
use serde_json::{Value, json};

use crate::expected::{check_same, expected, parsed, testdata, value};

#[track_caller]
fn check_history(session: &ForeignSession, entry: &Value, name: &str) {
    let note = entry["note"].as_str().unwrap();
    check_same(value(&entry[name]), &Value::Array(parsed(session.history())), note);
    if let Some(offsets) = entry[format!("{name}_at")].as_array() {
        let found: Vec<_> = session.history().map(|record| json!(record.offset)).collect();
        assert_eq!(&found, offsets, "{note}");
    }
}

fn check_picoclaw(folder: &str) {
    let expected = expected(folder);
    let mut seen = 0;
    for entry in expected["sessions"].as_array().unwrap() {
        let key = entry["key"].as_str().unwrap();
        let stem = picoclaw::sanitized(key);
        let session = picoclaw::read(&testdata(folder).join(format!("{stem}.jsonl"))).unwrap();
        check_history(&session, entry, "history");
        if entry.get("summary").is_some() {
            assert_eq!(session.summary, *value(&entry["summary"]), "{key}");
        }
        let kept: Value =
            session.metadata.as_ref().map_or(Value::Null, |raw| serde_json::from_str(raw.get()).unwrap());
        for name in ["created_at", "updated_at", "scope"] {
            if entry.get(name).is_some() {
                assert_eq!(kept["picoclaw"][name], *value(&entry[name]), "{key} {name}");
            }
        }
        if let Some(aliases) = entry.get("aliases") {
            assert_eq!(json!(session.aliases), *value(aliases), "{key}");
        }
        seen += 1;
    }
    assert!(seen > 10);
}

#[test]
fn picoclaw_sessions_are_read_as_expected() {
    check_picoclaw("picoclaw");
}

#[test]
fn picoclaw_sessions_of_the_newer_version_are_read_as_expected() {
    check_picoclaw("picoclaw-head");
}

#[test]
fn picoclaw_folders_are_listed() {
    let keys = |folder: &str| -> Vec<String> {
        let entries = picoclaw::list(&testdata(folder)).unwrap();
        let mut keys: Vec<_> = entries.iter().map(|entry| picoclaw::read(&entry.path).unwrap().key).collect();
        keys.sort();
        keys
    };
    assert_eq!(json!(keys("picoclaw-head")), *value(&expected("picoclaw-head")["list_keys"]));
    let listing = &expected("picoclaw")["listing"];
    let mut listed: Vec<String> = value(listing)
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["key"].as_str().or(entry["file_stem"].as_str()).unwrap().to_owned())
        .collect();
    listed.sort();
    assert_eq!(keys("picoclaw"), listed);
}

#[test]
fn orca_sessions_are_read_as_expected() {
    let expected = expected("orca");
    let folder = testdata("orca");
    for entry in expected["sessions"].as_array().unwrap() {
        let read = |name: &Value| name.as_str().map(|name| orca::read(&folder.join(name)).unwrap());
        let (active, archived) = (read(&entry["active_file"]), read(&entry["archived_file"]));
        let shown = active.as_ref().or(archived.as_ref()).unwrap();
        assert_eq!(shown.key, entry["id"]);
        check_history(shown, entry, "messages");
        if entry.get("archived_messages").is_some() {
            check_history(archived.as_ref().unwrap(), entry, "archived_messages");
        }
    }
    let listed = |archived: bool| -> Vec<String> {
        let entries = orca::list(&folder).unwrap().into_iter().filter(|entry| entry.archived == archived);
        let mut keys: Vec<_> = entries.map(|entry| orca::read(&entry.path).unwrap().key).collect();
        keys.sort();
        keys
    };
    assert_eq!(json!(listed(false)), *value(&expected["list_active"]));
    assert_eq!(json!(listed(true)), *value(&expected["list_archived"]));
}

#[test]
fn aish_sessions_are_read_as_expected() {
    let expected = expected("aish-sessions");
    let folder = testdata("aish");
    for entry in expected["sessions"].as_array().unwrap() {
        let session = aish::read(&folder.join(entry["file"].as_str().unwrap())).unwrap();
        check_history(&session, entry, "turns");
        let header: Value =
            session.metadata.as_ref().map_or(Value::Null, |raw| serde_json::from_str(raw.get()).unwrap());
        assert_eq!(header, *value(&entry["header"]), "{}", entry["note"]);
    }
    let names: Vec<_> = aish::list(&folder)
        .unwrap()
        .into_iter()
        .map(|entry| entry.path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(json!(names), *value(&expected["list"]));
    assert!(aish::list(Path::new("/nowhere/at/all")).unwrap().is_empty());
}

#[test]
fn folders_are_told_apart_by_what_is_in_them() {
    for (folder, layout) in [
        ("picoclaw", Layout::Picoclaw),
        ("picoclaw-head", Layout::Picoclaw),
        ("orca", Layout::Orca),
        ("aish", Layout::Aish),
    ] {
        assert_eq!(Layout::detect(&testdata(folder)).unwrap(), Some(layout), "{folder}");
        assert_eq!(layout.to_string().parse(), Ok(layout));
    }
    assert_eq!(Layout::detect(&testdata("expected")).unwrap(), None);
    assert_eq!(Layout::detect(Path::new("/nowhere/at/all")).unwrap(), None);
}

#[test]
fn what_was_read_is_written_and_read_again_the_same() {
    for (folder, layout) in [
        ("picoclaw", Layout::Picoclaw),
        ("picoclaw-head", Layout::Picoclaw),
        ("orca", Layout::Orca),
        ("aish", Layout::Aish),
    ] {
        let out = tempfile::tempdir().unwrap();
        let mut written = 0;
        for entry in layout.list(&testdata(folder)).unwrap() {
            let first = layout.read(&entry.path).unwrap();
            let (files, _) = layout.write(&first).unwrap();
            assert!(write_files(out.path(), &files).unwrap());
            assert!(!write_files(out.path(), &files).unwrap(), "twice is once");
            let path = out.path().join(&files[0].name);
            let path = match files.len() {
                1 if files[0].name.ends_with(".meta.json") => {
                    out.path().join(files[0].name.replace(".meta.json", ".jsonl"))
                }
                _ => path,
            };
            let second = layout.read(&path).unwrap();
            let raw = |session: &ForeignSession| -> Vec<Vec<u8>> {
                session.messages().map(|record| record.raw.clone()).collect()
            };
            let shown = |session: &ForeignSession| session.history().count();
            assert_eq!(raw(&first), raw(&second), "{}", first.key);
            assert_eq!(shown(&first), shown(&second), "{}", first.key);
            assert_eq!(
                (&first.key, &first.summary, &first.aliases),
                (&second.key, &second.summary, &second.aliases)
            );
            let text = |session: &ForeignSession| session.metadata.as_ref().map(|raw| raw.get().to_owned());
            assert!(text(&first).is_none() || text(&first) == text(&second), "{}", first.key);
            assert_eq!(first.archived, second.archived);
            written += 1;
        }
        assert!(written > 5);
    }
}

#[test]
fn nothing_is_written_over_anything_else() {
    let out = tempfile::tempdir().unwrap();
    let session = orca::read(&testdata("orca/sess-01.jsonl")).unwrap();
    let (files, _) = Layout::Orca.write(&session).unwrap();
    fs::write(out.path().join("sess-01.jsonl"), "something else").unwrap();
    assert!(matches!(write_files(out.path(), &files), Err(annals_formats::Error::Exists { .. })));
    assert_eq!(fs::read(out.path().join("sess-01.jsonl")).unwrap(), b"something else");
}

#[test]
fn keys_that_can_be_no_file_names_are_refused() {
    for key in ["", ".", "..", "../x", "a/b", "nul\0", "\u{1b}[31m", ".hidden", &"x".repeat(250)] {
        let mut session = ForeignSession::default();
        session.key = key.to_owned();
        for layout in [Layout::Orca, Layout::Aish] {
            assert!(layout.write(&session).is_err(), "{key:?}");
        }
    }
    let mut session = ForeignSession::default();
    session.key = "telegram:1/2".to_owned();
    let (files, _) = Layout::Picoclaw.write(&session).unwrap();
    assert_eq!(files[0].name, "telegram_1_2.meta.json");
}

#[test]
fn picoclaw_files_of_the_time_before_logs_are_read() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    let pretty = r#"{
  "key": "telegram:123",
  "messages": [
    {"role": "user", "content": "a\\nb"},
    {
      "role": "assistant", "content": "",
      "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]
    },
    {"role": "tool", "content": "r", "tool_call_id": "c1"}
  ],
  "summary": "s",
  "created": "2026-05-22T10:00:00Z"
}"#;
    write("telegram_123.json", pretty);
    write(
        "plain.json",
        r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"","reasoning_content":"r"}]}"#,
    );
    write("broken.json", "{\"key\":");
    write("no-session.json", "{\"theme\":\"dark\"}");
    write("done.json.migrated", pretty);
    write("both.json", pretty);
    write("both.jsonl", "{\"role\":\"user\",\"content\":\"newer\"}\n");
    write("alone.meta.json", "{\"key\":\"alone\",\"summary\":\"only\"}");
    let entries = picoclaw::list(place.path()).unwrap();
    let names: Vec<_> =
        entries.iter().map(|entry| entry.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(
        names,
        ["alone.jsonl", "both.jsonl", "broken.json", "no-session.json", "plain.json", "telegram_123.json"]
    );
    let session = picoclaw::read(&place.path().join("telegram_123.json")).unwrap();
    assert_eq!((&session.key[..], &session.summary[..]), ("telegram:123", "s"));
    assert!(session.created.is_some() && session.remarks.is_empty());
    let messages = parsed(session.history());
    let whole: Value = serde_json::from_str(pretty).unwrap();
    assert_eq!(json!(messages), whole["messages"]);
    assert!(session.records.iter().all(|record| !record.raw.contains(&b'\n')));
    for record in &session.records {
        let at = record.offset as usize;
        assert_eq!(pretty.as_bytes()[at], b'{');
    }
    let plain = picoclaw::read(&place.path().join("plain.json")).unwrap();
    assert_eq!((&plain.key[..], plain.history().count(), plain.records.len()), ("plain", 1, 2));
    for name in ["broken.json", "no-session.json"] {
        let read = picoclaw::read(&place.path().join(name));
        assert!(matches!(read, Err(annals_formats::Error::NotASession { .. })), "{name}");
    }
    assert_eq!(Layout::detect(place.path()).unwrap(), Some(Layout::Picoclaw));
}
