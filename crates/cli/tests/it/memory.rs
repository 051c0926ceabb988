//! Do the commands on memories do what they say, also with wrong input?

use std::fs;

use annals_memory::Memory;
use serde_json::json;

use crate::support::Place;

/// The place, with three items, of which the first was replaced.
fn place() -> Place {
    let place = Place::new();
    assert_eq!(place.annals(&["memory", "add", "uses LuaJIT", "--tag", "lang"]).check(0).out, "1\n");
    assert_eq!(place.annals(&["memory", "add", "--kind", "pref", "terse answers"]).check(0).out, "2\n");
    let said =
        place.annals_with(&["memory", "add", "--kind", "context", "--source", "test"], b"two\nlines\n");
    assert_eq!(said.check(0).out, "3\n");
    assert_eq!(
        place.annals(&["memory", "supersede", "1", "uses Lua 5.4", "--tag", "lang"]).check(0).out,
        "4\n"
    );
    place
}

fn ids(place: &Place, args: &[&str]) -> Vec<u64> {
    let objects = place.annals(&[&["--json", "memory"], args].concat()).objects();
    objects.iter().map(|object| object["id"].as_u64().unwrap()).collect()
}

#[test]
fn items_are_listed_shown_and_found() {
    let place = place();
    assert_eq!(ids(&place, &["list"]), [4, 3, 2]);
    assert_eq!(ids(&place, &["list", "--limit", "1"]), [4]);
    assert_eq!(ids(&place, &["list", "--kind", "pref", "--kind", "context"]), [3, 2]);
    assert_eq!(ids(&place, &["list", "--tag", "lang"]), [4]);
    assert_eq!(ids(&place, &["list", "--source", "test"]), [3]);
    assert_eq!(ids(&place, &["list", "--since", "1h"]), [4, 3, 2]);
    assert!(ids(&place, &["list", "--until", "2020-01-01"]).is_empty());
    assert_eq!(ids(&place, &["search", "LUA"]), [4]);
    place.annals(&["memory", "search", "nothing"]).check(1);
    let listed = place.annals(&["memory", "list"]).check(0).out;
    assert!(
        listed.starts_with("ID  KIND") && listed.contains("two lines") && listed.contains("#lang"),
        "{listed}"
    );
    let shown = place.annals(&["memory", "show", "1"]).check(0).out;
    assert!(
        shown.contains("fact #1, superseded\n  uses LuaJIT\n") && shown.contains("replaced by 4"),
        "{shown}"
    );
    assert!(!shown.contains("forgotten"), "{shown}");
    let steps = place.annals(&["--json", "memory", "show", "3"]).check(0).objects();
    assert_eq!((&steps[0]["fate"], &steps[0]["item"]["content"]), (&json!("active"), &json!("two\nlines")));
    place.annals(&["memory", "show", "99"]).check(3);
    let rendered = place.annals(&["memory", "render", "--ids"]).check(0).out;
    assert_eq!(
        rendered,
        "[background]\n- 4 fact: uses Lua 5.4\n- 3 context: two lines\n- 2 pref: terse answers\n"
    );
    let short = place.annals(&["memory", "render", "--budget", "40", "--heading", ""]).check(0);
    assert_eq!(short.out, "- fact: uses Lua 5.4\n");
    assert!(short.talk.contains("2 items did not fit"), "{short:?}");
}

#[test]
fn what_is_known_is_said_and_not_added() {
    let place = place();
    let said =
        place.annals(&["memory", "add", "--kind", "pref", " terse answers ", "--unless-known"]).check(0);
    assert_eq!(said.out, "2\n");
    assert!(said.talk.contains("nothing was added"));
    let object =
        &place.annals(&["--json", "memory", "add", "uses Lua 5.4", "--unless-known"]).check(0).objects()[0];
    assert_eq!((&object["id"], &object["added"]), (&json!(4), &json!(false)));
}

#[test]
fn forgetting_and_clearing_ask_and_say() {
    let place = place();
    assert!(place.annals(&["memory", "forget", "--dry-run", "2"]).check(0).out.starts_with("would forget 2"));
    let said = place.annals(&["memory", "forget", "2", "1", "77"]).check(1);
    assert_eq!(said.out, "forgot 2: terse answers\n");
    assert!(said.talk.contains("item 1 is not active") && said.talk.contains("item 77"), "{said:?}");
    // Nobody is there to be asked.
    assert!(place.annals(&["memory", "clear"]).check(2).talk.contains("--yes"));
    assert!(place.annals(&["memory", "clear", "--dry-run"]).check(0).out.contains("would forget 2 items"));
    assert_eq!(ids(&place, &["list"]), [4, 3]);
    assert_eq!(
        place.annals(&["memory", "clear", "--yes", "--kind", "context"]).check(0).out,
        "forgot 1 item\n"
    );
    assert_eq!(place.annals(&["memory", "clear", "--yes"]).check(0).out, "forgot 1 item\n");
    assert!(place.annals(&["memory", "clear", "--yes"]).check(0).talk.contains("nothing to forget"));
    assert_eq!(place.annals(&["memory", "add", "x"]).check(0).out, "9\n", "ids go on");
}

#[test]
fn compaction_export_and_import_keep_what_is_active() {
    let place = place();
    let dry = place.annals(&["memory", "compact", "--dry-run"]).check(0).out;
    assert_eq!(dry, "would remove 1 item, and keep 3 items\n");
    assert!(place.annals(&["memory", "compact"]).check(0).out.starts_with("removed 1 item, kept 3 items"));
    assert_eq!(ids(&place, &["list"]), [4, 3, 2]);
    place.annals(&["memory", "verify"]).check(0);
    place.annals(&["memory", "export", "out.jsonl"]).check(0);
    place.annals(&["memory", "export", "out.jsonl"]).check(2);
    let text = place.annals(&["memory", "export"]).check(0).out;
    assert_eq!(text.lines().count(), 5);
    assert_eq!(ids(&place, &["--file", "out.jsonl", "list"]), [4, 3, 2]);
    // Into another one, where one item is known.
    let other = ["--root", "other"];
    place.annals(&[&other[..], &["memory", "add", "--kind", "pref", "terse answers"]].concat()).check(0);
    let import =
        |more: &[&str]| place.annals(&[&other[..], &["memory", "import", "out.jsonl"], more].concat());
    assert_eq!(import(&["--dry-run"]).check(0).out, "would add 2 items; 1 item known before\n");
    assert_eq!(import(&[]).check(0).out, "added 2 items; 1 item known before\n");
    assert_eq!(import(&[]).check(0).out, "added 0 items; 3 items known before\n");
    let listed = place.annals(&[&other[..], &["memory", "list"]].concat()).check(0).out;
    assert!(listed.contains("uses Lua 5.4"), "{listed}");
    place.annals(&["memory", "--file", "out.jsonl", "import", "out.jsonl"]).check(2);
}

#[test]
fn aishs_memory_is_read_and_continued_where_it_lies() {
    let place = Place::new();
    let item = |id: u64| {
        format!(
            "{{\"id\":{id},\"ts\":\"2026-05-13T04:53:0{id}Z\",\"kind\":\"fact\",\"content\":\"fact {id}\"}}\n"
        )
    };
    let path = place.file("aish/memory.jsonl", format!("17\n{}{}{}", item(1), item(2), item(3)));
    let args = ["memory", "--file", path.to_str().unwrap()];
    let run = |more: &[&str]| place.annals(&[&args[..], more].concat());
    assert_eq!(run(&["verify"]).check(1).out.lines().count(), 2);
    assert_eq!(run(&["add", "fact 4"]).check(0).out, "4\n");
    // A record is gone.
    let without: String = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .filter(|line| !line.contains("\"id\":2,"))
        .fold(String::new(), |text, line| text + line + "\n");
    fs::write(&path, without).unwrap();
    for command in [&["list"][..], &["add", "x"], &["compact"], &["export"]] {
        let said = run(command).check(4);
        assert!(
            said.talk.contains("no record has the ids 2") && said.talk.contains("--accept-loss"),
            "{said:?}"
        );
    }
    assert!(run(&["verify"]).check(4).out.contains("damaged"));
    assert_eq!(run(&["--accept-loss", "list"]).check(0).out.lines().count(), 4);
    run(&["list"]).check(4);
    assert_eq!(run(&["add", "--accept-loss", "five"]).check(0).out, "6\n", "accepting is a record, too");
    run(&["list"]).check(0);
}

#[test]
fn a_memory_that_somebody_holds_is_busy_and_can_be_read() {
    let place = place();
    let memory = Memory::open(place.path("home/memory.jsonl")).unwrap();
    let said = place.annals(&["memory", "--wait", "0.1", "add", "x"]).check(7);
    assert!(said.talk.contains(&format!("process {}", std::process::id())), "{said:?}");
    place.annals(&["memory", "list"]).check(0);
    drop(memory);
    place.annals(&["memory", "add", "x"]).check(0);
}

#[test]
fn another_file_is_not_made_a_memory() {
    let place = Place::new();
    for text in [&"root:x:0:0\n".repeat(11), "{\"type\":\"user\"}\n"] {
        let path = place.file("elsewhere/file", text);
        for command in [&["add", "x"][..], &["compact"], &["compact", "--dry-run"], &["forget", "1"]] {
            let said = place
                .annals(&[&["memory", "--accept-loss", "--file", path.to_str().unwrap()], command].concat());
            assert!(said.check(2).talk.contains("none of its"), "{command:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "{command:?}");
        }
    }
}

#[test]
fn wrong_input_is_said() {
    let place = Place::new();
    assert!(place.annals(&["memory", "list"]).check(0).talk.contains("nothing is remembered"));
    place.annals(&["memory", "verify"]).check(0);
    place.annals(&["memory", "render"]).check(0);
    place.annals(&["memory", "show", "1"]).check(3);
    assert!(!place.path("home").exists(), "looking makes nothing");
    place.annals(&["memory", "--file", "nothing", "list"]).check(3);
    place.annals(&["memory", "compact"]).check(3);
    place.annals(&["memory", "add", ""]).check(2);
    place.annals(&["memory", "add", "x", "--kind", "todo"]).check(2);
    place.annals(&["memory", "add", "x", "--expires", "soon"]).check(2);
    place.annals(&["memory", "forget", "x"]).check(2);
    place.annals(&["memory", "supersede", "1", "x"]).check(1);
    place.annals_with(&["memory", "add"], b"\xFF").check(4);
    place.annals(&["memory", "--wait", "-1", "add", "x"]).check(2);
}

#[test]
fn what_is_remembered_cannot_drive_the_terminal() {
    let place = Place::new();
    place.annals(&["memory", "add", "a\u{1b}[2Jb\u{202E}c", "--tag", "x\u{1b}"]).check(0);
    for args in [&["memory", "list"][..], &["memory", "show", "1"], &["memory", "forget", "--dry-run", "1"]] {
        let out = place.annals(args).check(0).out;
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202E}'), "{out:?}");
    }
}
