//! Do the commands on the catalog say what sessions-db's say, and does its hook never fail the agent?

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Place;

const ID: &str = "24fbb56b-6e96-4214-9ceb-29ece1d56173";
const EARLY: &str = "sess_019c2291-b3df-7245-90e5-aec56f364e80";

fn copy(store: &str, to: &Path) {
    let from =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/tests/testdata/sessions-db").join(store);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A place with a store of sessions-db in `s`.
fn place(store: &str) -> Place {
    let place = Place::new();
    copy(store, &place.path("s"));
    place
}

fn events(place: &Place, store: &str) -> Vec<Value> {
    let log = fs::read_to_string(place.path(store).join("sessions-db-events.jsonl")).unwrap_or_default();
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Text without what depends on today: how long ago something was, and how wide a column is for it.
fn timeless(text: &str) -> String {
    let mut out = Vec::new();
    for line in text.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        for at in 1..words.len() {
            let is_age = words[at] == "ago" && words[at - 1].starts_with(|char: char| char.is_ascii_digit());
            if is_age {
                words[at - 1] = "N";
            }
        }
        out.push(words.join(" "));
    }
    out.join("\n")
}

#[test]
fn every_call_prints_and_ends_as_with_sessions_db() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/tests/testdata/expected/sessions-db-cli.json");
    let spec: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut compared = 0;
    for call in spec["calls"].as_array().unwrap() {
        let store = call["store"].as_str().unwrap().strip_prefix("sessions-db/").unwrap();
        let place = place(store);
        let typed: Vec<&str> =
            call["arguments"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        let args = [&["catalog", "--compat", "--store", "s"], &typed[..]].concat();
        let found = place.annals(&args);
        let theirs = call["stderr"].as_str().unwrap_or_default();
        let code = match call["exit"].as_i64().unwrap() {
            1 if theirs.contains("not found") => 3,
            // What they can't rebuild, we can.
            1 if typed[0] == "rebuild" => 0,
            3 => 2,
            code => code,
        };
        assert_eq!(i64::from(found.code), code, "{typed:?}: {found:?}");
        let Some(wanted) = call["stdout"].as_str() else { continue };
        if typed[0] == "sweep" || (typed[0] == "rebuild" && store.ends_with("middle-corruption")) {
            continue;
        }
        if typed.contains(&"--json") {
            let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(json(&found.out), json(wanted), "{typed:?}");
            assert_eq!(found.out, wanted, "{typed:?}");
        } else {
            assert_eq!(timeless(&found.out), timeless(wanted), "{typed:?}");
        }
        // Their reason is in ours.
        if !theirs.is_empty() {
            assert!(
                found.talk.contains(theirs.trim_start_matches("error: ").trim_end()),
                "{typed:?}: {found:?}"
            );
        }
        compared += 1;
    }
    assert!(compared > 15);
}

#[test]
fn a_life_by_hand() {
    let place = Place::new();
    assert!(place.annals(&["catalog", "find"]).check(3).talk.contains("annals catalog init"));
    assert!(place.annals(&["catalog", "init"]).check(0).out.starts_with("ok: made a catalog in"));
    assert!(place.annals(&["catalog", "init"]).check(0).out.starts_with("ok: there is a catalog already"));
    assert_eq!(place.annals(&["catalog", "find"]).check(0).out, "(no sessions matched)\n");
    let input = json!({"session_id": ID, "cwd": place.root()}).to_string();
    let hook = ["catalog", "--store", ".dru-code", "hook", "session-start"];
    assert_eq!(place.annals_with(&hook, input.as_bytes()).check(0).out, "");
    let sessions: Value =
        serde_json::from_str(&place.annals(&["catalog", "--json", "find"]).check(0).out).unwrap();
    let id = sessions[0]["stable_id"].as_str().unwrap().to_owned();
    let short = &id[..18];

    place.annals(&["catalog", "alias", short, "life"]).check(0);
    place.annals(&["catalog", "link", "life", "--task", "a.md", "--task", "b.md", "--project", "p"]).check(0);
    place.annals(&["catalog", "unlink", "life", "--task", "a.md"]).check(0);
    place.annals(&["catalog", "link", "life", "--task", "b.md", "--remove"]).check(0);
    let closed =
        place.annals(&["catalog", "close", "life", "--outcome", "done", "--reason", "shipped"]).check(0).out;
    assert!(closed.starts_with(&format!("ok: close written for {id} (event_id=evt_")), "{closed}");
    assert!(closed.contains("\n  outcome: done\n  closed_reason: shipped\n"), "{closed}");
    let shown = place.annals(&["catalog", "show", "life"]).check(0).out;
    for part in [&*format!("{id} (life) [active/done]"), "shipped", "projects       p", ID] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("a.md") && !shown.contains("b.md"), "{shown}");
    place.annals(&["catalog", "reopen", "life"]).check(0);
    let object = &place.annals(&["--json", "catalog", "show", "life"]).check(0).objects()[0];
    assert_eq!((&object["outcome"], &object["closed_at"]), (&json!("open"), &Value::Null));
    assert_eq!(place.annals(&["catalog", "--quiet", "alias", "life", "--clear"]).check(0).out, "");
    let written: Value =
        serde_json::from_str(&place.annals(&["--json", "catalog", "alias", short, "x"]).check(0).out)
            .unwrap();
    assert_eq!(
        (&written["ok"], &written["op"], &written["alias"]),
        (&json!(true), &json!("alias_set"), &json!("x"))
    );
    assert!(place.annals(&["catalog", "verify"]).check(0).out.contains("9 events, 1 session"));
    let exported: Value = serde_json::from_str(&place.annals(&["catalog", "export"]).check(0).out).unwrap();
    assert_eq!(exported["_meta"]["event_count"], 9);
    place.annals(&["catalog", "export", "out.json"]).check(0);
    assert_eq!(
        serde_json::from_slice::<Value>(&fs::read(place.path("out.json")).unwrap()).unwrap(),
        exported
    );
}

#[test]
fn wrong_input_says_what_is_wrong() {
    let place = place("main");
    let annals = |args: &[&str]| place.annals(&[&["catalog", "--store", "s"], args].concat());
    let before = fs::read(place.path("s/sessions-db-events.jsonl")).unwrap();
    for (args, code, part) in [
        (&["show", "nobody"][..], 3, "stable_id not found: nobody"),
        (&["show", "hub"], 1, "give more of the id"),
        (&["show", "sess_"], 1, "give more of the id"),
        (&["alias", EARLY, ""], 2, "empty"),
        (&["alias", EARLY], 2, "<ALIAS>"),
        (&["alias", EARLY, "x", "--clear"], 2, "--clear"),
        (&["link", EARLY], 2, "--task"),
        (&["link", EARLY, "--task", ""], 2, "empty"),
        (&["link-parent", EARLY, EARLY], 1, "cannot be the same"),
        (&["close", EARLY, "--outcome", "finished"], 2, "superseded"),
        (&["find", "--limit", "x"], 2, "--limit"),
        (&["sweep", "--idle-threshold-days", "-1"], 2, "positive"),
        (&["sweep", "--idle-threshold-days", "NaN"], 2, "positive"),
        (&["--own", "find"], 2, "--own"),
    ] {
        let found = annals(args).check(code);
        assert!(found.talk.contains(part), "{args:?}: {found:?}");
        assert_eq!(found.out, "", "{args:?}");
    }
    assert_eq!(fs::read(place.path("s/sessions-db-events.jsonl")).unwrap(), before);
}

#[test]
fn damage_is_named() {
    let place = place("variants/middle-corruption");
    let found = place.annals(&["catalog", "--store", "s", "verify"]).check(4);
    assert!(
        found.out.starts_with("damaged    s/sessions-db-events.jsonl: 11 events, 6 sessions\n"),
        "{found:?}"
    );
    assert!(found.out.contains("line 3"), "{found:?}");
    let object = &place.annals(&["--json", "catalog", "--store", "s", "verify"]).check(4).objects()[0];
    assert_eq!(object["damaged"], 1);
    let odd = crate::catalog::place("variants/non-event-lines");
    let found = odd.annals(&["catalog", "--store", "s", "verify"]).check(1).out;
    assert!(found.contains("JSON that is no event"), "{found}");
}

#[test]
fn sweeping_says_what_it_does_and_does_what_it_says() {
    let place = place("main");
    let annals =
        |args: &[&str]| place.annals(&[&["catalog", "--store", "s", "sweep"], args].concat()).check(0).out;
    let dry: Value = serde_json::from_str(&annals(&["--dry-run", "--json"])).unwrap();
    let planned = dry["transitions"].as_array().unwrap();
    assert!(dry["dryRun"] == true && planned.len() > 20);
    assert!(
        annals(&["--dry-run"])
            .starts_with(&format!("ok: sweep dry-run — {} transitions planned:", planned.len()))
    );
    assert_eq!(events(&place, "s").len(), 157);
    let done: Value = serde_json::from_str(&annals(&["--json"])).unwrap();
    assert_eq!(done["summary"]["applied"], planned.len());
    assert_eq!(events(&place, "s").len(), 157 + planned.len());
    assert_eq!(annals(&[]), "ok: sweep — 0 transitions written\n");
}

/// A link that leads to itself can't be looked at, and says nothing of when it was changed; one that is gone was seen last when it was noted.
#[cfg(unix)]
#[test]
fn a_session_whose_transcript_cannot_be_looked_at_is_left_as_it_is_and_told() {
    let place = Place::new();
    let circle = place.path("circle.jsonl");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let seen = |id: &str, path: &Path| {
        let file = json!({ "path": path, "size": 1, "mtime": "2026-02-03T08:15:00.000Z" });
        json!({
            "ts": "2026-02-03T08:15:00.098Z", "event_id": format!("evt_{id}"), "op": "session_seen", "stable_id": format!("sess_{id}"),
            "payload": { "claude_session_id": id, "cwd": "/w", "transcript_file": file },
        })
    };
    let events =
        [seen("stays", &circle), seen("goes", &place.path("gone.jsonl"))].map(|event| format!("{event}\n"));
    place.file("s/sessions-db-events.jsonl", events.concat());
    for args in [&["--dry-run"][..], &[]] {
        let ran = place.annals(&[&["catalog", "--store", "s", "sweep"], args].concat());
        assert!(ran.code != 0 && ran.talk.contains("circle.jsonl"), "{ran:?}");
        assert!(ran.out.contains("sess_goes") && !ran.out.contains("sess_stays"), "{ran:?}");
    }
}

#[test]
fn watching_prints_events_as_they_come() {
    let place = place("main");
    let mut command = place.command(&["--json", "catalog", "--store", "s", "watch", "--timeout", "2"]);
    let watching = command.stdin(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    place.annals(&["catalog", "--store", "s", "alias", EARLY, "seen"]).check(0);
    let output = watching.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let event: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&event["op"], &event["payload"]["alias"]), (&json!("alias_set"), &json!("seen")));
    assert_eq!(text.lines().count(), 1);
}

/// Makes a folder into a repository on a branch.
fn make_repository(folder: &Path) {
    fs::create_dir_all(folder.join(".git/refs/heads")).unwrap();
    fs::write(folder.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(folder.join(".git/refs/heads/main"), format!("{}\n", "27".repeat(20))).unwrap();
}

fn hook(place: &Place, cwd: &Path, input: &[u8], env: &[(&str, &str)]) -> String {
    let mut command = place.command(&["catalog", "hook", "session-start"]);
    for name in ["DRUUMEN_SESSIONS_DB_ROOT", "CLAUDE_PROJECT_DIR", "CLAUDE_SESSION_ID", "CLAUDE_CONFIG_DIR"] {
        command.env_remove(name);
    }
    command.env("HOME", place.path("userhome")).envs(env.iter().copied()).current_dir(cwd);
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // Switched off, it reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_hook_notes_what_sessions_dbs_hook_notes() {
    let place = Place::new();
    let repository = place.root().canonicalize().unwrap().join("src/harbour");
    fs::create_dir_all(&repository).unwrap();
    let input = json!({"session_id": ID, "cwd": repository}).to_string();
    let call = |env: &[(&str, &str)]| hook(&place, place.root(), input.as_bytes(), env);
    let noted = || events(&place, "src/harbour/tickets/_logs");

    // No repository, no workspace.
    assert_eq!(call(&[]), "");
    make_repository(&repository);
    assert!(call(&[("DRUUMEN_SESSIONS_DB_VERBOSE", "1")]).contains("not noted"));
    assert_eq!(noted().len(), 0);

    // A workspace.
    fs::write(place.path("src/CLAUDE.md"), "# Druumen Workspace\n").unwrap();
    assert_eq!(call(&[]), "");
    assert_eq!(noted().len(), 1);
    let payload = &noted()[0]["payload"];
    assert_eq!(payload["claude_session_id"], ID);
    assert_eq!(
        (&payload["branch_current"], &payload["head_at_start"]),
        (&json!("main"), &json!("27".repeat(20)))
    );
    assert_eq!(payload["worktree_realpath"], repository.to_str().unwrap());

    // Switched off; without input; with the environment instead of it.
    call(&[("DRUUMEN_SESSIONS_DB_DISABLED", "1")]);
    for garbage in [&b""[..], b"{", b"5", b"{\"session_id\":\"../x\"}", b"\xFF\xFE", b"{\"session_id\":5}"] {
        hook(&place, &repository, garbage, &[]);
    }
    assert_eq!(noted().len(), 1);
    let env = [("CLAUDE_SESSION_ID", ID), ("CLAUDE_PROJECT_DIR", repository.to_str().unwrap())];
    hook(&place, place.root(), b"", &env);
    assert_eq!(noted().len(), 2);
    assert_eq!(noted()[1]["stable_id"], noted()[0]["stable_id"]);

    // A transcript, where the agent keeps it; and the prompt, if it is to be kept.
    let name: String = repository
        .to_str()
        .unwrap()
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() { char } else { '-' })
        .collect();
    let folder = place.path("userhome/.claude/projects").join(name);
    fs::create_dir_all(&folder).unwrap();
    let record = json!({"type": "user", "uuid": "u1", "sessionId": ID, "message": {"role": "user", "content": "Why is the ferry late?"}});
    fs::write(folder.join(format!("{ID}.jsonl")), format!("{record}\n")).unwrap();
    call(&[("DRUUMEN_SESSIONS_DB_STORE_PREVIEW", "0")]);
    call(&[]);
    let previews: Vec<Value> =
        noted()[2..].iter().map(|event| event["payload"]["first_prompt_preview"].clone()).collect();
    assert_eq!(previews, [Value::Null, json!("Why is the ferry late?")]);

    // A catalog of its own, and one that the environment names.
    fs::create_dir_all(repository.join(".dru-code")).unwrap();
    call(&[]);
    assert_eq!(events(&place, "src/harbour/.dru-code").len(), 1);
    call(&[("DRUUMEN_SESSIONS_DB_ROOT", place.path("elsewhere").to_str().unwrap())]);
    assert_eq!(events(&place, "elsewhere").len(), 1);
}

#[test]
fn two_hooks_at_once_see_one_session() {
    let place = Place::new();
    let input = json!({"session_id": ID, "cwd": place.root()}).to_string();
    let hooks: Vec<_> = (0..8)
        .map(|_| {
            let mut command = place.command(&["catalog", "--own", "hook", "session-start"]);
            let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
            // Left open, as some do.
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(input.as_bytes()).unwrap();
            (child, stdin)
        })
        .collect();
    for (mut child, _stdin) in hooks {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let noted = events(&place, "home/catalog");
    assert_eq!(noted.len(), 8);
    assert!(noted.iter().all(|event| event["stable_id"] == noted[0]["stable_id"]));
}

#[test]
fn a_hook_that_cannot_write_ends_well() {
    let place = Place::new();
    let input = json!({"session_id": ID, "cwd": place.root()}).to_string();
    place.file("home/catalog", "in the way");
    let ended = place.annals_with(&["catalog", "--own", "hook", "session-start"], input.as_bytes()).check(0);
    assert_eq!((ended.out, ended.talk), (String::new(), String::new()));
}
