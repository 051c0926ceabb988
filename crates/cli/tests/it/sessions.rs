//! Do the commands on sessions do what they say, also with wrong input?

use std::fs;

use serde_json::{Value, json};

use crate::support::Place;

/// The place, with a session `main` of three messages.
fn place() -> Place {
    let place = Place::new();
    place.annals(&["append", "main", "--role", "user", "Is the ferry on time?"]).check(0);
    place.annals_with(&["append", "main", "--role", "assistant"], b"Six minutes late.\n").check(0);
    let input = b"{\"role\":\"user\" ,\"content\":\"Thanks!\"}\n\n";
    let ended = place.annals_with(&["--json", "append", "main"], input).check(0);
    assert_eq!(ended.objects()[0]["seq"], 3);
    place
}

fn texts(place: &Place, args: &[&str]) -> Vec<String> {
    let args = [&["--json"], args].concat();
    let objects = place.annals(&args).check(0).objects();
    objects.iter().map(|object| object["message"]["content"].as_str().unwrap_or("-").to_owned()).collect()
}

#[test]
fn messages_are_appended_listed_and_shown() {
    let place = place();
    assert_eq!(texts(&place, &["show", "main"]), ["Is the ferry on time?", "Six minutes late.", "Thanks!"]);
    let raw = place.annals(&["show", "--raw", "main"]).check(0).out;
    assert!(raw.ends_with("{\"role\":\"user\" ,\"content\":\"Thanks!\"}\n"), "{raw}");
    let shown = place.annals(&["show", "main"]).check(0).out;
    assert!(shown.contains("assistant") && shown.contains("  #2\n  Six minutes late.\n"), "{shown}");
    let one = place.annals(&["show", "main@2"]).check(0).out;
    assert!(one.contains("Six minutes") && !one.contains("ferry"), "{one}");
    place.annals(&["show", "main@9"]).check(3);
    assert_eq!(texts(&place, &["tail", "-n", "1", "main"]), ["Thanks!"]);
    let listed = place.annals(&["ls", "--json"]).check(0).objects();
    assert_eq!((&listed[0]["key"], &listed[0]["messages"]), (&json!("main"), &json!(3)));
    assert_eq!(listed[0]["title"], "Is the ferry on time?");
    assert!(place.annals(&["ls"]).check(0).out.contains("Is the ferry on time?"));
    assert!(place.annals(&["ls", "--key", "nothing"]).check(0).out.is_empty());
    assert!(place.annals(&["ls", "--since", "1h"]).check(0).out.contains("main"));
    assert!(place.annals(&["ls", "--since", "2999-01-01"]).check(0).out.is_empty());
    place.annals(&["ls", "--since", "soon"]).check(2);
    assert!(place.annals(&["verify", "main"]).check(0).out.contains("4 records"));
    place.annals(&["search", "ferry", "main"]).check(0);
    place.annals(&["who", "main"]).check(1);
}

#[test]
fn an_archive_that_is_not_there_is_told_with_those_that_are() {
    let place = Place::new();
    place.annals(&["append", "s", "--role", "user", "hi"]).check(0);
    place.annals(&["archive", "s"]).check(0);
    let ended = place.annals(&["restore", "s", "--number", "5"]).check(3);
    assert!(ended.talk.contains("no archive 5; there is 1"), "{ended:?}");
    place.annals(&["restore", "s", "--number", "1"]).check(0);
    place.annals(&["append", "t", "--role", "user", "hi"]).check(0);
    let ended = place.annals(&["alias", "s", "t"]).check(0);
    assert!(ended.talk.contains("s is the key of a session, too"), "{ended:?}");
}

#[test]
fn a_path_is_a_path_and_anything_else_a_key() {
    let place = place();
    let record = "{\"role\":\"user\",\"content\":\"from a file\"}\n";
    for name in ["main", "log.jsonl", "folder/main"] {
        place.file(name, record);
    }
    assert_eq!(texts(&place, &["show", "main"]).len(), 3, "a session, though there is such a file");
    let of_file = |name: &str| place.annals(&["show", "--raw", name]).check(0).out;
    for name in ["./main", "log.jsonl", "folder/main"] {
        assert_eq!(of_file(name), record, "{name}");
        assert_eq!(place.annals(&["tail", "--raw", name]).check(0).out, record);
    }
    place.annals(&["append", "folder/main", "--role", "user", "to a session"]).check(0);
    assert_eq!(of_file("folder/main"), record, "the file is as it was");
    assert_eq!(texts(&place, &["show", "--key", "folder/main"]), ["to a session"]);
    let missing = place.annals(&["show", "log"]).check(3);
    assert!(missing.talk.contains("no session \"log\""), "{missing:?}");
    place.file("log", record);
    assert!(place.annals(&["show", "log"]).check(3).talk.contains("./log"));
}

#[test]
fn truncating_is_a_view_until_compact() {
    let place = place();
    place.annals(&["truncate", "main", "--before", "3", "--summary", "It is late."]).check(0);
    assert_eq!(texts(&place, &["show", "main"]), ["Thanks!"]);
    assert!(place.annals(&["show", "main"]).check(0).out.starts_with("summary\n  It is late.\n"));
    assert_eq!(place.annals(&["summary", "main"]).check(0).out, "It is late.\n");
    assert_eq!(texts(&place, &["show", "--all", "main"]).len(), 5);
    place.annals(&["truncate", "main", "--reveal"]).check(0);
    assert_eq!(texts(&place, &["show", "main"]).len(), 3);
    place.annals(&["truncate", "main", "--keep-last", "1"]).check(0);
    let dry = place.annals(&["compact", "--dry-run", "main"]).check(0).out;
    assert!(dry.contains("2 messages would be removed"), "{dry}");
    let done = place.annals(&["--json", "compact", "main"]).check(0).objects();
    assert_eq!(done[0]["removed"], 2);
    let kept = fs::read_to_string(done[0]["kept_in"].as_str().unwrap()).unwrap();
    assert!(kept.contains("Six minutes late."));
    assert_eq!(texts(&place, &["show", "main"]), ["Thanks!"]);
    assert!(place.annals(&["show", "--all", "main"]).check(0).talk.contains("what compact took out is in"));
    place.annals(&["truncate", "main"]).check(2);
    place.annals(&["truncate", "main", "--keep-last", "1", "--before", "2"]).check(2);
    place.annals(&["truncate", "main", "--before", "99"]).check(3);
    place.annals(&["truncate", "none", "--keep-last", "1"]).check(3);
    place.annals_with(&["summary", "main", "-"], b"from input\n").check(0);
    assert_eq!(place.annals(&["summary", "main"]).check(0).out, "from input\n");
    place.annals(&["summary", "main", "--clear"]).check(0);
    place.annals(&["summary", "main"]).check(1);
}

#[test]
fn sessions_are_archived_restored_forked_and_deleted() {
    let place = place();
    place.annals(&["fork", "main", "other", "--at", "2"]).check(0);
    assert_eq!(texts(&place, &["show", "other"]).len(), 2);
    place.annals(&["fork", "main", "other"]).check(1);
    place.annals(&["archive", "--dry-run", "main"]).check(0);
    place.annals(&["archive", "main"]).check(0);
    let refused = place.annals(&["append", "main", "--role", "user", "x"]).check(1);
    assert!(refused.talk.contains("annals restore"), "{refused:?}");
    assert_eq!(texts(&place, &["show", "main"]).len(), 3);
    assert_eq!(place.annals(&["--json", "ls"]).check(0).objects().len(), 1);
    assert_eq!(place.annals(&["--json", "ls", "--archived"]).check(0).objects()[0]["archived"], 1);
    place.annals(&["begin", "--anew", "main"]).check(0);
    place.annals(&["append", "main", "--role", "user", "new"]).check(0);
    assert_eq!(texts(&place, &["show", "--archive", "1", "main"]).len(), 3);
    place.annals(&["show", "--archive", "2", "main"]).check(3);
    place.annals(&["restore", "main"]).check(1);
    place.annals(&["archive", "main"]).check(0);
    place.annals(&["restore", "main", "--number", "1"]).check(0);
    assert_eq!(texts(&place, &["show", "main"]).len(), 3);
    assert_eq!(place.annals(&["--json", "ls", "--all"]).check(0).objects().len(), 3);
    let dry = place.annals(&["rm", "--dry-run", "main"]).check(0).out;
    assert!(dry.contains("the session, 1 archived session would be deleted"), "{dry}");
    place.annals(&["rm", "main", "none", "other"]).check(3);
    assert!(place.annals(&["--json", "ls", "--all"]).check(0).out.is_empty());
}

#[test]
fn metadata_aliases_and_begin() {
    let place = Place::new();
    let key = place.annals(&["begin", "--metadata", "{\"model\":\"fast\"}"]).check(0).out;
    assert_eq!(place.annals(&["metadata", key.trim()]).check(0).out, "{\"model\":\"fast\"}\n");
    place.annals(&["begin", key.trim()]).check(1);
    place.annals(&["metadata", key.trim(), "{\"model\": \"deep\"}"]).check(0);
    assert_eq!(place.annals(&["metadata", key.trim()]).check(0).out, "{\"model\": \"deep\"}\n");
    place.annals(&["metadata", key.trim(), "[]"]).check(2);
    place.annals(&["metadata", key.trim(), "{"]).check(2);
    place.annals(&["metadata", key.trim(), "--clear"]).check(0);
    place.annals(&["metadata", key.trim()]).check(1);
    place.annals(&["alias"]).check(1);
    place.annals(&["alias", "tg:1", key.trim()]).check(0);
    place.annals(&["append", "tg:1", "--role", "user", "by alias"]).check(0);
    assert_eq!(texts(&place, &["show", key.trim()]), ["by alias"]);
    assert!(place.annals(&["alias"]).check(0).out.contains("tg:1 → "));
    place.annals(&["alias", "--remove", "tg:1"]).check(0);
    place.annals(&["alias", "--remove", "tg:1"]).check(3);
    place.annals(&["alias", "x", "x"]).check(2);
}

#[test]
fn what_is_no_message_is_named_and_nothing_after_it_is_appended() {
    let place = Place::new();
    let input = b"{\"role\":\"user\",\"content\":\"1\"}\n{\"content\":\"2\"}\n{\"role\":\"user\",\"content\":\"3\"}\n";
    let ended = place.annals_with(&["append", "s"], input).check(4);
    assert!(
        ended.talk.contains("line 2") && ended.talk.contains("1 message before it appended"),
        "{ended:?}"
    );
    assert_eq!(texts(&place, &["show", "s"]), ["1"]);
    place.annals_with(&["append", "s"], b"not json").check(4);
    place.annals_with(&["append", "s", "--role", "user"], b"\xff\xfe").check(4);
    place.annals(&["append", "", "--role", "user", "x"]).check(2);
    place.annals(&["append", "s", "text without a role"]).check(2);
    for args in [
        ["show", "none"],
        ["tail", "none"],
        ["compact", "none"],
        ["archive", "none"],
        ["who", "none"],
        ["rm", "none"],
    ] {
        let ended = place.annals(&args).check(3);
        assert!(ended.talk.contains("no session \"none\""), "{ended:?}");
    }
    assert!(!place.path("home/sessions/none.jsonl").exists());
    let forged = place.annals(&["show", "x\n\u{1b}[31mannals: fine"]).check(3);
    assert_eq!(forged.talk.lines().count(), 1, "{forged:?}");
}

#[test]
fn a_damaged_session_is_shown_and_the_damage_said() {
    let place = place();
    let path = place.path("home/sessions/main.jsonl");
    let text = fs::read_to_string(&path).unwrap().replace("Six minutes", "Six minuteX");
    fs::write(&path, text + "{\"seq\":4,\"n\":4,\"stat").unwrap();
    let shown = place.annals(&["show", "main"]).check(0);
    assert!(shown.talk.contains("2 damaged lines, 1 record missing"), "{shown:?}");
    assert!(shown.out.contains("Thanks!"));
    place.annals(&["append", "main", "--role", "user", "after"]).check(0);
    assert_eq!(texts(&place, &["show", "main"]), ["Is the ferry on time?", "Thanks!", "after"]);
}

// Other programs' folders.

const LAYOUTS: [(&str, &str); 4] =
    [("picoclaw", "picoclaw"), ("picoclaw-head", "picoclaw"), ("orca", "orca"), ("aish", "aish")];

fn testdata(folder: &str) -> String {
    format!("{}/../formats/tests/testdata/{folder}", env!("CARGO_MANIFEST_DIR"))
}

/// All files of a folder with what is in them.
fn contents(folder: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Everything that can be seen of all sessions, apart from when it was recorded.
fn state(place: &Place) -> Vec<Value> {
    let listed = place.annals(&["--json", "ls", "--all"]).check(0).objects();
    let mut all = Vec::new();
    for session in listed {
        let key = session["key"].as_str().unwrap();
        let number = session["archived"].as_u64().map(|number| number.to_string());
        let mut show = vec!["show", "--raw", "--key", key];
        if let Some(number) = &number {
            show.extend(["--archive", number]);
        }
        let history = place.annals(&show).check(0).out;
        show.push("--all");
        let transcript = place.annals(&show).check(0).out;
        let summary = place.annals(&["summary", key]).out;
        let metadata = place.annals(&["metadata", key]).out;
        all.push(json!([key, number, history, transcript, summary, metadata]));
    }
    all.push(json!(place.annals(&["alias"]).out));
    all.sort_by_key(ToString::to_string);
    all
}

#[test]
fn what_is_imported_exported_and_imported_again_is_the_same() {
    for (folder, layout) in LAYOUTS {
        let source = testdata(folder);
        let before = contents(&source);
        let first = Place::new();
        let dry = first.annals(&["import", "--dry-run", &source]).check(0);
        assert!(!first.path("home").exists());
        let done = first.annals(&["import", &source]).check(0);
        assert_eq!(
            dry.out.lines().last().unwrap().replace("would be: ", ""),
            done.out.lines().last().unwrap()
        );
        assert_eq!(contents(&source), before, "the source is as it was");
        let again = first.annals(&["--json", "import", &source]).check(0).objects();
        assert!(again.iter().all(|object| object["outcome"] == "unchanged"), "{again:#?}");
        let state_of_first = state(&first);
        let out = first.path("out");
        first.annals(&["export", "--to", layout, out.to_str().unwrap()]).check(0);
        let second = Place::new();
        second.annals(&["import", "--from", layout, out.to_str().unwrap()]).check(0);
        let mut state_of_second = state(&second);
        if folder != "picoclaw-head" {
            // What was no message has no place there, and is named in the report.
            for (first, second) in
                state_of_first.iter().zip(&mut state_of_second).filter(|(first, _)| first.is_array())
            {
                second[3] = first[3].clone();
            }
        }
        for (first, second) in
            state_of_first.iter().zip(&mut state_of_second).filter(|(first, _)| first.is_array())
        {
            // A side file that was missing has times now.
            if first[5] == "" {
                second[5] = json!("");
            }
        }
        for (first, second) in state_of_first.iter().zip(&state_of_second) {
            assert_eq!(first, second, "{folder}");
        }
        assert_eq!(state_of_first.len(), state_of_second.len());
    }
}

/// The values that the fixtures expect, without their source.
fn value(marked: &Value) -> &Value {
    if marked.get("source").is_some() { &marked["value"] } else { marked }
}

#[test]
fn every_expected_message_and_summary_arrives() {
    let expected = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(testdata(&format!("expected/{name}.json"))).unwrap()).unwrap()
    };
    let mut checked = 0;
    for (folder, _) in LAYOUTS {
        let place = Place::new();
        place.annals(&["import", &testdata(folder)]).check(0);
        let name = if folder == "aish" { "aish-sessions" } else { folder };
        for entry in expected(name)["sessions"].as_array().unwrap() {
            let file = entry.get("file").and_then(Value::as_str).unwrap_or_default();
            let key = entry.get("key").or(entry.get("id")).and_then(Value::as_str);
            let key = key.unwrap_or_else(|| file.strip_suffix(".jsonl").unwrap_or_default()).to_owned();
            // Files that the programs don't list, and keys that share another's file.
            if file.starts_with('.') || matches!(&key[..], "dup/one" | "dup_one") {
                continue;
            }
            // Without its side file only the file's name is left of the key.
            let key = match &key[..] {
                "cli:bad-meta" => "cli_bad-meta".to_owned(),
                "broken:side" => "broken_side".to_owned(),
                _ => key,
            };
            let wanted = ["history", "messages", "turns"].iter().find_map(|name| entry.get(*name)).unwrap();
            let shown = place.annals(&["--json", "show", "--key", &key]).check(0).objects();
            let wanted = value(wanted).as_array().unwrap();
            assert_eq!(shown.len(), wanted.len(), "{key}");
            for (shown, wanted) in shown.iter().zip(wanted) {
                check_message(wanted, &shown["message"]);
            }
            if let Some(summary) = entry.get("summary") {
                let shown = place.annals(&["--json", "summary", &key]).objects();
                assert_eq!(shown[0]["summary"], *value(summary));
            }
            if let Some(header) = entry.get("header") {
                let shown = place.annals(&["--json", "metadata", &key]).objects();
                assert_eq!(shown[0]["metadata"], *value(header));
            }
            checked += 1;
        }
        if folder == "picoclaw-head" {
            let store = annals_session::Store::open(place.path("home/sessions")).unwrap();
            for entry in value(&expected(name)["resolve"]).as_array().unwrap() {
                // There, white space around a key is no part of it.
                let candidate = entry["candidate"].as_str().unwrap().trim();
                if candidate.is_empty() {
                    continue;
                }
                let resolved = match store.resolve(candidate).unwrap() {
                    annals_session::Resolved::Key(key) | annals_session::Resolved::Alias(key) => json!(key),
                    _ => json!(""),
                };
                // Without its side file only the file's name is left of the key.
                if candidate != "broken:side" {
                    assert_eq!(resolved, entry["resolved"], "{candidate}");
                }
            }
        }
    }
    assert!(checked > 65, "{checked}");
}

/// Long strings are given by length and beginning, and unpaired surrogates are not compared.
#[track_caller]
fn check_message(wanted: &Value, shown: &Value) {
    match (wanted, shown) {
        (Value::Object(wanted), Value::String(text)) => {
            assert_eq!(wanted["$utf8_bytes"], text.len());
            assert!(text.starts_with(wanted["$starts"].as_str().unwrap()));
        }
        (Value::Object(wanted), Value::Object(shown)) => {
            assert!(wanted.keys().eq(shown.keys()) || wanted.len() == shown.len(), "{wanted:?}\n{shown:?}");
            wanted.iter().for_each(|(name, wanted)| check_message(wanted, &shown[name]));
        }
        (Value::Array(wanted), Value::Array(shown)) => {
            assert_eq!(wanted.len(), shown.len());
            wanted.iter().zip(shown).for_each(|(wanted, shown)| check_message(wanted, shown));
        }
        _ => assert_eq!(wanted, shown),
    }
}

#[test]
fn an_import_goes_on_where_the_source_has_grown_and_leaves_strangers_alone() {
    let place = Place::new();
    let one = "{\"role\":\"user\",\"content\":\"1\",\"timestamp\":\"2026-05-08T08:00:00Z\"}\n";
    place.file("orca/a.jsonl", one);
    place.annals(&["import", "orca"]).check(0);
    place.file("orca/a.jsonl", format!("{one}{}", one.replace("\"1\"", "\"2\"")));
    let grown = place.annals(&["--json", "import", "orca"]).check(0).objects();
    assert_eq!((&grown[0]["outcome"], &grown[0]["messages"]), (&json!("continued"), &json!(1)));
    assert_eq!(texts(&place, &["show", "a"]), ["1", "2"]);
    place.annals(&["append", "a", "--role", "user", "ours"]).check(0);
    assert_eq!(place.annals(&["--json", "import", "orca"]).check(0).objects()[0]["outcome"], "unchanged");
    place.file("orca/a.jsonl", one.replace("\"1\"", "\"other\""));
    let other = place.annals(&["--json", "import", "orca"]).check(1);
    assert_eq!(other.objects()[0]["outcome"], "different");
    assert_eq!(texts(&place, &["show", "a"]), ["1", "2", "ours"]);
    place.annals(&["import", "nowhere"]).check(3);
    place.file("empty/x.txt", "");
    place.annals(&["import", "empty"]).check(1);
    place.annals(&["import", "--from", "nonsense", "orca"]).check(2);
}

#[test]
fn an_export_says_what_has_no_place() {
    let place = place();
    place.annals(&["truncate", "main", "--keep-last", "1", "--summary", "s"]).check(0);
    place.annals(&["metadata", "main", "{\"m\":1}"]).check(0);
    place.annals(&["append", "a/b", "--role", "user", "x"]).check(0);
    place.annals(&["append", "a:b", "--role", "user", "y"]).check(0);
    let orca = place.annals(&["export", "--to", "orca", "o"]).check(1);
    for what in ["the summary has no place", "hidden messages are shown", "metadata has no place"] {
        assert!(orca.out.contains(what), "{orca:?}");
    }
    assert!(orca.talk.contains("a/b"));
    assert_eq!(fs::read_to_string(place.path("o/main.jsonl")).unwrap().lines().count(), 3);
    let picoclaw = place.annals(&["export", "--to", "picoclaw", "p"]).check(1);
    assert!(picoclaw.talk.contains("has no place beside"), "{picoclaw:?}");
    assert!(picoclaw.out.contains("metadata has no place here: m"));
    place.file("o2/main.jsonl", "something else");
    let exists = place.annals(&["export", "--to", "orca", "o2", "main"]).check(1);
    assert!(exists.talk.contains("holds something else"), "{exists:?}");
    place.annals(&["export", "--to", "orca", "o3", "none"]).check(3);
}

#[cfg(unix)]
#[test]
fn tail_follows_a_session() {
    use std::io::{BufRead, BufReader};
    let place = place();
    let mut child = place.command(&["tail", "--raw", "-n", "1", "-f", "main"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("Thanks!"));
    place.annals(&["append", "main", "--role", "user", "next"]).check(0);
    place.annals(&["truncate", "main", "--keep-last", "1"]).check(0);
    place.annals(&["compact", "main"]).check(0);
    place.annals(&["append", "main", "--role", "user", "after"]).check(0);
    assert!(lines.next().unwrap().unwrap().contains("next"));
    assert!(lines.next().unwrap().unwrap().contains("after"));
    child.kill().unwrap();
    child.wait().unwrap();
}
