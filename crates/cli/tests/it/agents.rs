//! Are the sessions of all agents found, shown, searched, counted and taken along?

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::Place;

const CLAUDE: &str = "24fbb56b-6e96-4214-9ceb-29ece1d56173";
const CODEX: &str = "01a02363-3f70-75b6-9193-ee3947ccaccd";

fn formats() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../formats/tests/testdata"))
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
        return;
    }
    fs::copy(from, to).unwrap();
}

/// A user with the sessions of five agents, and one of annals.
fn user() -> Place {
    let place = Place::new();
    for (from, to) in [
        ("claude-code/projects", ".claude/projects"),
        ("codex", ".codex"),
        ("pi/sessions", ".pi/agent/sessions"),
        ("picoclaw", ".picoclaw/workspace/sessions"),
        ("aish", ".aish/history/sessions"),
    ] {
        copy(&formats().join(from), &place.path("user").join(to));
    }
    place.annals_with(&["append", "mine"], b"{\"role\":\"user\",\"content\":\"my own ferry\"}\n").check(0);
    place
}

fn ids(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["id"].as_str().unwrap()).collect()
}

#[test]
fn sessions_of_all_agents_are_listed_with_what_is_known_of_them() {
    let place = user();
    let objects = place.annals(&["--json", "ls"]).check(0).objects();
    let agents: std::collections::BTreeSet<&str> =
        objects.iter().map(|object| object["agent"].as_str().unwrap()).collect();
    let known = ["aish", "annals", "claude-code", "codex", "pi", "picoclaw"];
    assert!(agents.into_iter().eq(known), "{objects:?}");
    let codex = objects.iter().find(|object| object["id"] == CODEX).unwrap();
    for (name, value) in [
        ("title", json!("berth planner refactor")),
        ("project", json!("/home/u/src/berth-planner")),
        ("branch", json!("main")),
        ("model", json!("gpt-y")),
        ("messages", json!(10)),
        ("messages_exact", json!(true)),
        ("start", json!("2026-08-21T08:15:03.822Z")),
    ] {
        assert_eq!(codex[name], value, "{name}");
    }
    // Sub-agents' transcripts belong to their sessions.
    assert!(!ids(&objects).contains(&"agent-a91f03"));
    let more = place.annals(&["--json", "ls", "--subagents"]).check(0).objects();
    assert!(ids(&more).contains(&"agent-a91f03"));
    // Newest first, whoever's.
    let times: Vec<&str> = objects.iter().map(|object| object["changed"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let text = place.annals(&["ls", "--agent", "codex"]).check(0).out;
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("ID        AGENT  PROJECT"), "{text}");
    assert_eq!(lines.count(), 3, "{text}");
}

#[test]
fn the_last_session_is_one() {
    let place = Place::new();
    let text = "{\"type\":\"user\",\"uuid\":\"u\",\"parentUuid\":null,\"sessionId\":\"s\",\"message\":{\"role\":\"user\",\"content\":\"here\"}}\n";
    place.file("user/.claude/projects/p/older.jsonl", text);
    std::thread::sleep(std::time::Duration::from_millis(20));
    place.file("user/.claude/projects/p/empty.jsonl", "");
    assert!(place.annals(&["show", "@last"]).check(0).out.contains("here"));
}

#[test]
fn filters_choose() {
    let place = user();
    let listed = |args: &[&str]| place.annals(&[&["--json", "ls"], args].concat()).check(0).objects();
    assert_eq!(ids(&listed(&["--agent", "annals"])), ["mine"]);
    assert_eq!(ids(&listed(&["--project", "berth-planner"])), [CODEX]);
    assert_eq!(listed(&["--agent", "pi", "--agent", "codex"]).len(), 5);
    assert_eq!(listed(&["--since", "2999-01-01"]).len(), 0);
    assert_eq!(listed(&["--limit", "2"]).len(), 2);
    let wrong = place.annals(&["ls", "--agent", "nobody"]).check(2);
    assert!(wrong.talk.contains("claude-code, codex, pi"), "{wrong:?}");
}

#[test]
fn a_session_is_meant_by_the_beginning_of_its_id() {
    let place = user();
    let text = place.annals(&["show", "24fb"]).check(0);
    assert!(
        text.out.starts_with("claude-code  blank berth importer  /home/u/src/harbour-api  (main)"),
        "{text:?}"
    );
    assert!(text.talk.contains("its sub-agents have 1 transcript"), "{text:?}");
    assert!(text.out.contains("→ Bash") && !text.out.contains("file-history"), "{text:?}");
    let line = place.annals(&["--json", "show", "claude-code:24fb@3"]).check(0).objects();
    assert_eq!((line.len(), &line[0]["record"]["type"]), (1, &json!("assistant")));
    let several = place.annals(&["show", "01a0"]).check(1);
    assert!(several.talk.contains("there are several: 01a0"), "{several:?}");
    place.annals(&["show", "nobody-has-this"]).check(3);
    // Too short for the beginning of an id: a key that was mistyped.
    place.annals(&["show", "24f"]).check(3);
    place.file("user/.picoclaw/workspace/sessions/abc.jsonl", "{\"role\":\"user\",\"content\":\"short\"}\n");
    assert!(place.annals(&["show", "abc"]).check(0).out.contains("short"));
    // What is annals's own comes first.
    place.annals_with(&["append", "24fb"], b"{\"role\":\"user\",\"content\":\"own\"}\n").check(0);
    assert!(place.annals(&["show", "24fb"]).check(0).out.contains("own"));
}

#[test]
fn the_end_of_a_session_is_that_of_all_of_it() {
    let place = user();
    for id in ["24fb", CODEX, "418d7417"] {
        let texts = |args: &[&str]| -> Vec<Value> {
            let objects = place.annals(&[&["--json"], args].concat()).check(0).objects();
            let texts = objects.into_iter().map(|object| object["text"].clone());
            texts.filter(|text| *text != "").collect()
        };
        let all = texts(&["show", id]);
        assert_eq!(texts(&["show", id, "--tail", "2"]), all[all.len() - 2..]);
        assert_eq!(texts(&["tail", "-n", "3", id]), all[all.len() - 3..]);
    }
    let said = place.annals(&["--json", "show", "24fb", "--role", "tool"]).check(0).objects();
    assert!(
        !said.is_empty()
            && said
                .iter()
                .all(|object| object["text"] == "" || object["record"].to_string().contains("tool"))
    );
}

#[test]
fn whose_a_session_is_does_not_depend_on_how_much_of_it_is_shown() {
    let place = Place::new();
    let folder = place.path("user/.claude/projects/p");
    fs::create_dir_all(&folder).unwrap();
    let item = json!({ "type": "response_item", "timestamp": "2026-08-21T08:00:00Z", "payload": {
        "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "codex's" }],
    } });
    let user = json!({ "type": "user", "message": { "role": "user", "content": "claude's" } });
    let id = "0b7d3c1e-0000-4000-8000-000000000001";
    let file = folder.join(format!("{id}.jsonl"));
    // What no agent writes, and what one does in whose folder it isn't.
    for (lines, code, text) in
        [(format!("{user}\n"), 1, None), (format!("{item}\n{user}\n"), 0, Some("codex's"))]
    {
        fs::write(&file, lines).unwrap();
        for args in [&["show", id][..], &["show", id, "--tail", "5"], &["show", id, "--tail", "0"]] {
            let done = place.annals(args).check(code);
            let is_shown = args.last() != Some(&"0");
            assert!(text.is_none_or(|text| done.out.contains(text) == is_shown), "{args:?}: {}", done.out);
            assert!(!done.out.contains("claude's"), "{args:?}");
        }
    }
}

#[test]
fn a_conversation_that_was_left_is_shown_by_its_end() {
    let place = Place::new();
    let record = |uuid: &str, parent: &str| {
        format!(
            "{{\"type\":\"user\",\"uuid\":\"{uuid}\",\"parentUuid\":{parent},\"sessionId\":\"s\",\"message\":{{\"role\":\"user\",\"content\":\"said {uuid}\"}}}}\n"
        )
    };
    place.file("t.jsonl", record("a", "null") + &record("b", "\"a\"") + &record("c", "\"a\""));
    let texts = |args: &[&str]| -> Vec<Value> {
        let objects = place.annals(&[&["--json", "show", "./t.jsonl"], args].concat()).check(0).objects();
        objects.into_iter().map(|object| object["text"].clone()).collect()
    };
    assert_eq!(texts(&[]), ["said a", "said c"]);
    assert_eq!(texts(&["--leaf", "2"]), ["said a", "said b"]);
    place.annals(&["show", "./t.jsonl", "--leaf", "9"]).check(3);
}

#[test]
fn roles_and_ends_hold_for_every_kind_of_session() {
    let place = user();
    let lines = "{\"role\":\"user\",\"content\":\"a\"}\n{\"role\":\"assistant\",\"content\":\"b\"}\n{\"role\":\"user\",\"content\":\"c\"}\n";
    place.file("chat.jsonl", lines);
    place.annals_with(&["append", "own"], lines.as_bytes()).check(0);
    for name in ["./chat.jsonl", "own"] {
        let count = |args: &[&str]| {
            let args = [&["--json", "show", name], args].concat();
            place.annals(&args).check(0).objects().len()
        };
        assert_eq!((count(&[]), count(&["--role", "user"]), count(&["--tail", "2"])), (3, 2, 2), "{name}");
        assert_eq!(count(&["--role", "tool"]), 0, "{name}");
    }
    place.annals(&["ls", ".", "--agent", "codex"]).check(2);
    let counted = place.annals(&["--json", "stats", CODEX, "--by", "session"]).check(0).objects();
    assert_eq!((counted.len(), &counted[0]["name"]), (1, &json!(format!("codex:{CODEX}"))));
}

#[test]
fn what_was_said_is_found_by_role_and_never_in_an_image() {
    let place = user();
    let all = place.annals(&["--json", "search", "ferry"]).check(0);
    assert!(all.talk.contains("sessions searched, "), "{all:?}");
    let objects = all.objects();
    assert!(objects.iter().any(|hit| hit["agent"] == "annals" && hit["session"] == "mine"));
    let roles = |args: &[&str]| -> Vec<String> {
        let objects = place.annals(&[&["--json", "search"], args].concat()).objects();
        objects.iter().map(|hit| hit["role"].to_string()).collect()
    };
    let by_user = roles(&["--role", "user", "--agent", "claude-code", "importer"]);
    assert!(!by_user.is_empty() && by_user.iter().all(|role| role == "\"user\""), "{by_user:?}");
    assert!(!roles(&["--role", "tool", "row.rs"]).is_empty());
    // The mirrored event is not what was said again.
    assert_eq!(roles(&["--agent", "codex", "--role", "user", "Refactor the berth planner, keep"]).len(), 1);
    // The first bytes of every PNG.
    let image = place.annals(&["search", "iVBORw0KGgo"]).check(1);
    assert_eq!(image.out, "");
    place.annals(&["search", "--records", "iVBORw0KGgo"]).check(0);
    let around =
        place.annals(&["search", "-C", "3", "--agent", "claude-code", "--role", "user", "05:20"]).check(0);
    assert!(around.out.contains(": …he 05:20 de…\n"), "{around:?}");
}

#[test]
fn sessions_are_counted_once_however_often_they_are_copied() {
    let place = user();
    let of = |by: &str| -> Vec<Value> { place.annals(&["--json", "stats", "--by", by]).check(0).objects() };
    let agents = of("agent");
    let claude = agents.iter().find(|sums| sums["name"] == "claude-code").unwrap().clone();
    assert_eq!((&claude["sessions"], &claude["subagents"]), (&json!(3), &json!(1)));
    for by in ["project", "day", "model", "session"] {
        for name in ["output_tokens", "input_tokens", "cache_read_tokens", "answers"] {
            let sum = |all: &[Value]| all.iter().map(|sums| sums[name].as_u64().unwrap()).sum::<u64>();
            assert_eq!(sum(&of(by)), sum(&agents), "{name} by {by}");
        }
    }
    // A fork is another file with the same answers.
    let projects = place.path("user/.claude/projects/-home-u-src-harbour-api");
    fs::copy(projects.join(format!("{CLAUDE}.jsonl")), projects.join("00000000-fork.jsonl")).unwrap();
    let again = of("agent").into_iter().find(|sums| sums["name"] == "claude-code").unwrap();
    assert_eq!(again["sessions"], 4);
    for name in ["output_tokens", "input_tokens", "cache_read_tokens", "cache_written_tokens", "answers"] {
        assert_eq!(again[name], claude[name], "{name}");
    }
}

#[test]
fn what_keeps_an_agent_from_going_on_is_told() {
    let place = user();
    let objects = place.annals(&["--json", "verify", "--agent", "claude-code"]).check(4).objects();
    let of = |id: &str| objects.iter().find(|file| file["path"].as_str().unwrap().contains(id)).unwrap();
    assert_eq!((&of(CLAUDE)["verdict"], &of(CLAUDE)["resume"]), (&json!("ok"), &json!("nothing")));
    let stuck = of("692f46ca");
    assert_eq!(stuck["resume"], "prevents");
    assert!(stuck["problems"].as_array().unwrap().contains(
        &json!({"kind": "result_without_call", "line": 24, "id": "toolu_unknown", "effect": "prevents"})
    ));
    let text = place.annals(&["verify", "692f46ca"]).check(4).out;
    assert!(text.contains("its agent can't go on with this session"), "{text}");
}

#[test]
fn documents_say_what_they_leave_out() {
    let place = user();
    let markdown = place.annals(&["export", "--to", "markdown", "-", "24fb"]).check(0);
    assert!(
        markdown.out.starts_with("# blank berth importer\n\n- agent: `claude-code 2.1.220`\n"),
        "{markdown:?}"
    );
    assert!(
        markdown.out.contains("Fix it & explain <why>.") && markdown.talk.contains("2 of 2 records progress")
    );
    let done = place.annals(&["export", "--to", "html", "read", "24fb", "mine"]).check(0);
    assert!(done.out.contains("html: 2 sessions exported"), "{done:?}");
    let html = fs::read_to_string(place.path(&format!("read/claude-code-{CLAUDE}.html"))).unwrap();
    assert!(
        html.contains("Fix it &amp; explain &lt;why&gt;.") && html.contains("src=\"data:image/png;base64,")
    );
    assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));
    let own = fs::read_to_string(place.path("read/mine.html")).unwrap();
    assert!(own.contains("my own ferry"));
    // Nothing is written over.
    place.annals(&["export", "--to", "html", "read", "mine"]).check(1);
    place.annals(&["export", "--to", "markdown", "-", "24fb", "mine"]).check(2);
}

#[test]
fn a_transcript_is_imported_once_and_goes_on() {
    let place = user();
    let done = place.annals(&["--json", "import", CODEX]).check(0).objects();
    assert_eq!(
        (&done[0]["outcome"], &done[0]["messages"], &done[0]["notes"]),
        (&json!("imported"), &json!(6), &json!(31))
    );
    let again = place.annals(&["--json", "import", CODEX]).check(0).objects();
    assert_eq!(again[0]["outcome"], "unchanged");
    let key = format!("codex:{CODEX}");
    assert!(place.annals(&["show", "--key", &key]).check(0).out.contains("yes, revert"));
    let file =
        fs::read_dir(place.path("user/.codex/sessions/2026/08/21")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend_from_slice(b"{\"timestamp\":\"2026-08-21T09:00:00Z\",\"type\":\"response_item\",\"payload\":{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"one more\"}]}}\n");
    fs::write(&file, bytes).unwrap();
    let more = place.annals(&["--json", "import", CODEX]).check(0).objects();
    assert_eq!((&more[0]["outcome"], &more[0]["messages"]), (&json!("continued"), &json!(1)));
    // What is no message goes along, too, and alone.
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend_from_slice(
        b"{\"timestamp\":\"2026-08-21T09:01:00Z\",\"type\":\"world_state\",\"payload\":{\"new\":\"note\"}}\n",
    );
    fs::write(&file, bytes).unwrap();
    let noted = place.annals(&["--json", "import", CODEX]).check(0).objects();
    assert_eq!(noted[0]["outcome"], "continued");
    assert!(
        place.annals(&["show", "--all", "--json", "--key", &key]).check(0).out.contains("\"new\":\"note\"")
    );
    assert_eq!(place.annals(&["--json", "import", CODEX]).check(0).objects()[0]["outcome"], "unchanged");
    let folder = place.annals(&["import", "--dry-run", "user/.claude/projects"]).check(0);
    assert!(folder.out.contains("claude-code: would be: 4 sessions imported"), "{folder:?}");
    place.annals(&["import", "nothing-of-this-name"]).check(3);
}

#[cfg(unix)]
#[test]
fn an_interrupted_search_says_how_far_it_came() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let place = Place::new();
    let line = "{\"type\":\"user\",\"uuid\":\"u\",\"parentUuid\":null,\"message\":{\"role\":\"user\",\"content\":\"word\"}}\n";
    for number in 0..3 {
        place.file(&format!("user/.claude/projects/p/{number}.jsonl"), line.repeat(400_000));
    }
    let mut child = place.command(&["search", "-e", "wo.d"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 10];
    out.read_exact(&mut first).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    // It goes on printing until it sees the signal.
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let talk = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{talk}");
    assert!(talk.contains("interrupted: ") && talk.contains(" of 3 sessions searched, "), "{talk}");
}

#[test]
fn what_only_a_catalog_knows_is_listed_and_nothing_is_written_there() {
    let place = user();
    let store = place.path(".dru-code");
    fs::create_dir_all(&store).unwrap();
    let event = |id: &str, session: &str, second: u32| {
        format!(
            "{{\"ts\":\"2026-08-20T12:00:{second:02}.000Z\",\"event_id\":\"evt_019{second:05}-a44d-7000-8000-000000000000\",\"op\":\"session_registered\",\"stable_id\":\"{id}\",\"payload\":{{\"claude_session_ids\":[\"{session}\"],\"first_prompt_preview\":\"look at {session}\"}}}}\n"
        )
    };
    let gone = "sess_019dbe44-a8ef-7abc-8000-000000000001";
    let log = store.join("sessions-db-events.jsonl");
    fs::write(&log, event(gone, "gone-session", 1)).unwrap();
    fs::write(store.join("sessions-db.json"), "{}").unwrap();
    let before = fs::read_dir(&store).unwrap().count();
    let objects = place.annals(&["--json", "ls", "--agent", "sessions-db"]).check(0).objects();
    assert_eq!(objects.len(), 1, "{objects:?}");
    assert_eq!(objects[0]["messages"], Value::Null);
    assert_eq!(fs::read_dir(&store).unwrap().count(), before);
    assert!(place.annals(&["ls", "--agent", "sessions-db"]).check(0).out.contains("sessions-db"));
    let unknown = place.annals(&["show", objects[0]["id"].as_str().unwrap()]).check(3);
    assert!(unknown.talk.contains("only sessions-db knows it"), "{unknown:?}");
}

#[test]
fn damaged_lines_are_searched_without_their_images_and_only_for_everyone() {
    let place = Place::new();
    let head = "{\"type\":\"user\",\"uuid\":\"u\",\"parentUuid\":null,\"message\":{\"role\":\"user\",\"content\":\"fine\"}}\n";
    let torn = format!(
        "{{\"type\":\"user\",\"text\":\"torn \\\"text\\\"\",\"data\":\"{}NEEDLE{}",
        "A".repeat(300),
        "B".repeat(300)
    );
    place.file("t.jsonl", format!("{head}{torn}\n"));
    place.annals(&["search", "NEEDLE", "t.jsonl"]).check(1);
    let found = place.annals(&["search", "torn \"text", "t.jsonl"]).check(0);
    assert!(found.out.contains("(damaged line)"), "{found:?}");
    place.annals(&["search", "--role", "user", "torn \"text", "t.jsonl"]).check(1);
    // Of a chat that is named, all strings; but only what is said by one who is named.
    place.file("c.jsonl", "{\"role\":\"tool\",\"tool_call_id\":\"x\",\"content\":\"result\"}\n{\"role\":\"user\",\"content\":\"a result\"}\n");
    assert_eq!(place.annals(&["search", "result", "c.jsonl"]).check(0).out.lines().count(), 2);
    assert_eq!(
        place.annals(&["search", "--role", "user", "result", "c.jsonl"]).check(0).out,
        "c.jsonl:2: user: a result\n"
    );
    place.file("n.jsonl", "{\"n\":\"result\"}\n");
    let none = place.annals(&["search", "--role", "user", "result", "n.jsonl"]).check(1);
    assert!(none.talk.contains("--role leaves it out"), "{none:?}");
}

#[test]
fn a_thread_over_several_files_is_shown_from_its_beginning() {
    let place = Place::new();
    let item = |payload: &str| {
        format!(
            "{{\"timestamp\":\"2026-08-21T10:00:01Z\",\"type\":\"response_item\",\"payload\":{payload}}}\n"
        )
    };
    let head = |id: &str, more: &str| {
        format!(
            "{{\"timestamp\":\"2026-08-21T10:00:00Z\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"{id}\",\"cwd\":\"/w\"{more}}}}}\n"
        )
    };
    let user = |text: &str| {
        item(&format!(
            "{{\"type\":\"message\",\"role\":\"user\",\"content\":[{{\"type\":\"input_text\",\"text\":\"{text}\"}}]}}"
        ))
    };
    let call = item("{\"type\":\"function_call\",\"name\":\"sh\",\"arguments\":\"{}\",\"call_id\":\"c\"}");
    let folder = "user/.codex/sessions/2026/08/21/rollout-2026-08-21T10-00-00-";
    place.file(&format!("{folder}aaaa1111.jsonl"), head("aaaa1111", "") + &user("first") + &call);
    place.file(
        &format!("{folder}bbbb1111.jsonl"),
        head("bbbb1111", ",\"history_base\":{\"thread_id\":\"aaaa1111\"}") + &user("second"),
    );
    let shown = place.annals(&["show", "bbbb1111"]).check(0).out;
    assert!(shown.contains("first") && shown.contains("→ sh") && shown.contains("second"), "{shown}");
    let tools = place.annals(&["--json", "show", "bbbb1111", "--role", "tool"]).check(0).objects();
    assert_eq!(tools.len(), 1);
    let count =
        |tail: &str| place.annals(&["--json", "show", "bbbb1111", "--tail", tail]).check(0).objects().len();
    assert_eq!((count("1"), count("5")), (1, 2));
    let document = place.annals(&["export", "--to", "markdown", "-", "bbbb1111"]).check(0);
    assert!(document.talk.contains("what came before, which is in aaaa1111"), "{document:?}");
    let imported = place.annals(&["import", "--dry-run", "bbbb1111"]).check(0).out;
    assert!(imported.contains("what came before is in another file, aaaa1111"), "{imported}");
}

#[test]
fn a_new_session_with_an_agents_id_is_not_made_silently() {
    let place = user();
    let message = b"{\"role\":\"user\",\"content\":\"hi\"}\n";
    let ended = place.annals_with(&["append", &CLAUDE[..8]], message).check(0);
    assert!(ended.talk.contains(&format!("claude-code:{} from now on", &CLAUDE[..8])), "{ended:?}");
    let shown = place.annals(&["show", &format!("claude-code:{}", &CLAUDE[..8])]).check(0);
    assert!(shown.out.starts_with("claude-code"), "{shown:?}");
    assert_eq!(place.annals_with(&["append", &CLAUDE[..8]], message).check(0).talk, "", "it is there by now");
    assert_eq!(place.annals_with(&["append", "0123abcd"], message).check(0).talk, "", "no agent has it");
}
