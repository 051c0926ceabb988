//! Does `doctor` see what is wrong, and what isn't, and do the commands that it recommends do what they should?

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Place, testdata};

/// A user with three sessions, a memory and a transcript, all as they should be.
fn user() -> Place {
    let place = Place::new();
    for key in ["first", "second one", "third"] {
        for text in ["Is it late?", "Six minutes."] {
            place.annals(&["append", key, "--role", "user", text]).check(0);
        }
    }
    place.annals(&["memory", "add", "metric units"]).check(0);
    place.annals(&["memory", "add", "buoy 19"]).check(0);
    let records = [
        r#"{"type":"session","version":3,"id":"95bba261-0f4f-4e9b-8a53-0d5a3a2f7b10","cwd":"/w"}"#,
        r#"{"type":"message","id":"a","parentId":null,"message":{"role":"user","content":"hi"}}"#,
    ];
    let name = "2026-08-26T10-00-00-000Z_95bba261-0f4f-4e9b-8a53-0d5a3a2f7b10.jsonl";
    place.file(&format!("user/.pi/agent/sessions/--w--/{name}"), records.join("\n") + "\n");
    shut(&place);
    place
}

/// As a home folder is.
fn shut(place: &Place) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(place.path("user"), fs::Permissions::from_mode(0o700)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = place;
}

fn session(place: &Place, name: &str) -> PathBuf {
    place.path("home/sessions").join(name)
}

fn doctor(place: &Place, code: i32) -> Vec<Value> {
    place.annals(&["--json", "doctor"]).check(code).objects()
}

/// What was found: kind and whose.
fn findings(objects: &[Value]) -> Vec<(&str, &str)> {
    let found = objects.iter().filter(|object| object.get("finding").is_some());
    found.map(|object| (object["finding"].as_str().unwrap(), object["who"].as_str().unwrap())).collect()
}

/// How the commands end that are to be run next, typed into a shell in another folder.
#[cfg(unix)]
fn next(place: &Place, objects: &[Value]) -> Vec<i32> {
    let elsewhere = place.path("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let run = |command: &str| {
        let text = format!("annals() {{ {} \"$@\"; }}\n{command}", env!("CARGO_BIN_EXE_annals"));
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &text]).current_dir(&elsewhere);
        shell.env("HOME", place.path("user")).env("ANNALS_HOME", place.path("home"));
        shell.output().unwrap().status.code().unwrap()
    };
    objects.iter().filter_map(|object| object["next"].as_str()).map(run).collect()
}

#[test]
fn all_is_well_on_an_empty_machine_and_nothing_is_made() {
    let place = Place::new();
    for args in [&["doctor"][..], &["doctor", "--quick"]] {
        let ended = place.annals(args).check(0);
        assert!(ended.out.contains("all is well"), "{ended:?}");
    }
    assert!(!place.path("home").exists());
    assert_eq!(doctor(&place, 0), Vec::<Value>::new());
}

#[test]
fn what_is_as_it_should_be_is_well() {
    let place = user();
    let ended = place.annals(&["doctor"]).check(0);
    for text in ["3 sessions", "2 items", "1 session ", "all is well"] {
        assert!(ended.out.contains(text), "{text}: {ended:?}");
    }
    assert!(!ended.out.contains("Next:"), "{ended:?}");
    let objects = doctor(&place, 0);
    assert_eq!(findings(&objects), []);
    let kept: Vec<&str> = objects.iter().map(|object| object["who"].as_str().unwrap()).collect();
    assert_eq!(kept, ["sessions", "memory", "pi"]);
}

#[test]
fn each_thing_that_is_wrong_is_found_with_a_command_that_shows_it() {
    let place = user();
    let without = |path: PathBuf, is_gone: &dyn Fn(usize, &str) -> bool| {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().enumerate().filter(|(number, line)| !is_gone(*number, line));
        let lines: Vec<&str> = lines.map(|(_, line)| line).collect();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    };
    let first = session(&place, "first.jsonl");
    fs::write(&first, fs::read_to_string(&first).unwrap().replace("minutes", "minuteZ")).unwrap();
    without(session(&place, "second%20one.jsonl"), &|number, _| number == 1);
    without(place.path("home/memory.jsonl"), &|_, line| line.contains("metric"));
    let damaged = fs::read(testdata("../../../../examples/transcripts/claude-code.jsonl")).unwrap();
    place.file("user/.claude/projects/-w/692f46ca-6d2f-4c0e-9a6c-2f1f6d0c5a11.jsonl", damaged);
    let objects = doctor(&place, 4);
    let sessions = ("damaged", "sessions");
    assert_eq!(findings(&objects), [sessions, sessions, ("damaged", "memory"), ("damaged", "claude-code")]);
    // Each command ends as something does that has found what is wrong.
    #[cfg(unix)]
    assert_eq!(next(&place, &objects), [4; 4], "{objects:?}");
    let quick = place.annals(&["--json", "doctor", "--quick"]).check(4).objects();
    assert_eq!(findings(&quick), [("damaged", "memory")]);
}

/// A key may be anything: a file here, an option, an agent's id. What is recommended means the session all the same.
#[cfg(unix)]
#[test]
fn commands_mean_what_was_found_whatever_its_key_is() {
    let place = Place::new();
    let typed = ["a b", "it's", "-x", "@last", "ls", "$(touch x)", "~", "a/b", "b.jsonl", "Прибой"];
    let not_typed = ["new\nline", "tab\t", "\u{202E}"];
    for key in typed.iter().chain(&not_typed) {
        let message = b"{\"role\":\"user\",\"content\":\"hi\"}\n";
        place.annals_with(&["append", "--", key], &message.repeat(2)).check(0);
        place.annals(&["truncate", "--keep-last", "1", "--", key]).check(0);
    }
    place.file("elsewhere/ls", "{}\n");
    place.file("elsewhere/b.jsonl", "{}\n");
    assert_eq!(next(&place, &doctor(&place, 0)), [0; 10], "compacted");
    assert!(!place.path("elsewhere/x").exists());
    assert_eq!(findings(&doctor(&place, 0)), [("space", "sessions"); 3], "those that can't be typed");
    for entry in fs::read_dir(place.path("home/sessions")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.file_name().unwrap().to_str().unwrap().starts_with('.') {
            fs::write(&path, fs::read_to_string(&path).unwrap().replace("\"hi\"", "\"ho\"")).unwrap();
        }
    }
    let objects = doctor(&place, 4);
    assert_eq!(next(&place, &objects)[..13], [4; 13], "{objects:?}");
}

#[test]
fn what_is_gone_empty_or_no_file_is_told() {
    let place = user();
    fs::write(session(&place, "first.jsonl"), "").unwrap();
    fs::write(place.path("home/memory.jsonl"), "").unwrap();
    place.annals(&["catalog", "--own", "init"]).check(0);
    let catalog = place.path("home/catalog");
    fs::write(catalog.join("sessions-db.json"), "{}").unwrap();
    fs::remove_file(catalog.join("sessions-db-events.jsonl")).unwrap();
    fs::create_dir(session(&place, "folder.jsonl")).unwrap();
    fs::write(session(&place, ".annals-store.jsonl"), "garbage\n").unwrap();
    assert_eq!(
        findings(&doctor(&place, 4)),
        [
            ("damaged", "aliases"),
            ("damaged", "catalog"),
            ("stuck", "sessions"),
            ("unfinished", "sessions"),
            ("unfinished", "memory"),
        ]
    );
}

#[test]
fn a_store_that_cannot_be_opened_keeps_nothing_else_out() {
    let place = user();
    fs::rename(place.path("home/sessions"), place.path("home/elsewhere")).unwrap();
    fs::write(place.path("home/sessions"), "").unwrap();
    let objects = doctor(&place, 1);
    assert_eq!(findings(&objects), [("unreadable", "sessions")]);
    assert!(
        objects.iter().any(|object| object["who"] == "pi" && object["len"].as_u64() > Some(0)),
        "{objects:?}"
    );
}

/// A link that leads to itself can't be looked at, and isn't nothing.
#[cfg(unix)]
#[test]
fn what_cannot_be_looked_at_is_told_and_told_once() {
    let place = user();
    let circle = |name: &str| {
        let path = place.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
    };
    circle("home/catalog/sessions-db-events.jsonl");
    circle("user/.codex/sessions");
    circle("user/.claude/projects/-w/x.jsonl");
    shut(&place);
    let told = [("unreadable", "claude-code"), ("unreadable", "codex"), ("unreadable", "catalog")];
    assert_eq!(findings(&doctor(&place, 1)), told);
    // Whoever reads says so, too, and reads the rest.
    for args in [&["ls"][..], &["search", "hi"], &["verify"], &["stats"]] {
        let ran = place.annals(args);
        assert_ne!(ran.code, 0, "{args:?}");
        for name in [".codex/sessions", "x.jsonl"] {
            assert!(ran.talk.contains(name), "{args:?}: {}", ran.talk);
        }
    }
    circle("user/.pi/agent/sessions/--w--/y.jsonl");
    for args in [&["import", "--dry-run"][..], &["verify"]] {
        let folder = place.path("user/.pi/agent/sessions");
        let ran = place.annals(&[args, &[folder.to_str().unwrap()]].concat());
        assert!(ran.code != 0 && ran.talk.contains("y.jsonl"), "{args:?}: {}", ran.talk);
    }
}

#[test]
fn what_could_be_given_back_is_no_fault() {
    let place = user();
    place.annals(&["truncate", "third", "--before", "2"]).check(0);
    place.annals(&["memory", "forget", "1"]).check(0);
    let objects = doctor(&place, 0);
    assert_eq!(findings(&objects), [("space", "sessions"), ("space", "memory")]);
    place.annals(&["compact", "third"]).check(0);
    place.annals(&["memory", "compact"]).check(0);
    let objects = doctor(&place, 0);
    assert_eq!(findings(&objects), []);
    let sessions = objects.iter().find(|object| object["who"] == "sessions").unwrap();
    assert!(sessions["holds"].as_str().unwrap().ends_with("taken out and kept"), "{sessions}");
}

#[test]
fn what_lies_beside_is_counted_too() {
    let place = user();
    let of = |who: &str| {
        let objects = doctor(&place, 0);
        let kept = objects.iter().find(|object| object["who"] == who && object["finding"].is_null()).unwrap();
        (kept["len"].as_u64().unwrap(), kept["beside"].as_u64().unwrap())
    };
    let (sessions, memory) = (of("sessions"), of("memory"));
    assert_eq!(memory.1, 0);
    fs::write(place.path("home/memory.jsonl.annals-index"), [0; 100]).unwrap();
    fs::write(place.path("home/memory.jsonl-somebody's"), [0; 100]).unwrap();
    fs::create_dir_all(place.path("home/sessions/.annals-new/x")).unwrap();
    fs::write(place.path("home/sessions/.annals-new/x/y"), [0; 1000]).unwrap();
    fs::create_dir(place.path("home/memory.jsonl.annals-approved")).unwrap();
    fs::write(place.path("home/memory.jsonl.annals-approved/z"), [0; 10]).unwrap();
    assert_eq!((of("sessions"), of("memory")), ((sessions.0, sessions.1 + 1000), (memory.0, 110)));
}

#[test]
fn many_sessions_are_compacted_by_one_command() {
    let place = Place::new();
    for key in ["a", "b", "c", "d", "e", "new\nline", "with nothing hidden"] {
        place.annals_with(&["append", key], &b"{\"role\":\"user\",\"content\":\"hi\"}\n".repeat(2)).check(0);
    }
    for key in ["a", "b", "c", "d", "e", "new\nline"] {
        place.annals(&["truncate", "--keep-last", "1", key]).check(0);
    }
    let told = place.annals(&["doctor"]).check(0).out;
    assert!(told.contains("and 1 more") && told.contains("  annals compact --all\n"), "{told}");
    assert!(!told.contains("annals compact a"), "{told}");
    let done = place.annals(&["--json", "compact", "--all"]).check(0).objects();
    assert_eq!(done.len(), 6, "{done:?}");
    assert!(done.iter().all(|object| object["removed"] == 1), "{done:?}");
    assert_eq!(findings(&doctor(&place, 0)), []);
    let again = place.annals(&["compact", "--all"]).check(0);
    assert!(again.out.is_empty() && again.talk.contains("no messages are hidden"), "{again:?}");
    place.annals(&["compact"]).check(2);
    place.annals(&["compact", "--all", "a"]).check(2);
}

#[test]
fn an_unfinished_line_is_told_and_no_fault() {
    let place = user();
    let log = session(&place, "first.jsonl");
    fs::write(&log, fs::read_to_string(&log).unwrap() + "{\"seq\":3,").unwrap();
    assert_eq!(findings(&doctor(&place, 0)), [("unfinished", "sessions")]);
}

#[test]
fn many_damaged_files_are_counted_and_not_listed() {
    let place = Place::new();
    for number in 0..20 {
        let name = format!("user/.claude/projects/-w/{number:08x}-6d2f-4c0e-9a6c-2f1f6d0c5a11.jsonl");
        place.file(&name, fs::read(testdata("../../../../examples/transcripts/claude-code.jsonl")).unwrap());
    }
    shut(&place);
    let ended = place.annals(&["doctor"]).check(4);
    assert!(ended.out.contains("and 15 more") && ended.out.contains("20 things are wrong"), "{ended:?}");
    let next: Vec<&str> = ended.out.lines().skip_while(|line| *line != "Next:").skip(1).collect();
    assert_eq!(next, ["  annals verify --agent claude-code"], "{ended:?}");
    // Whoever reads it with a program gets them all.
    assert_eq!(findings(&doctor(&place, 4)).len(), 20);
}

#[cfg(unix)]
#[test]
fn what_others_may_read_is_found_and_the_commands_mend_it() {
    use std::os::unix::fs::PermissionsExt;

    let place = user();
    // What lies there beside is none of our business.
    let notes = place.file("home/notes.txt", "mine");
    let open = |name: &str| fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    open("home");
    open("home/notes.txt");
    assert_eq!(findings(&doctor(&place, 0)), [], "what is in it is shut");
    open("home/sessions");
    open("home/memory.jsonl");
    let objects = doctor(&place, 1);
    assert_eq!(findings(&objects), [("open", "permissions"); 2]);
    assert_eq!(next(&place, &objects), [0, 0]);
    assert_eq!(findings(&doctor(&place, 0)), []);
    assert_eq!(fs::metadata(notes).unwrap().permissions().mode() & 0o777, 0o755);
    // What agents keep, too.
    open("user");
    let objects = doctor(&place, 1);
    assert_eq!(findings(&objects), [("open", "pi")]);
    assert_eq!(next(&place, &objects), [0]);
    assert_eq!(findings(&doctor(&place, 0)), []);
}

/// Whoever names another folder means it in what comes next, too.
#[cfg(unix)]
#[test]
fn commands_are_about_the_folder_that_was_named() {
    let place = Place::new();
    let other = place.path("other root");
    let root = other.to_str().unwrap();
    for text in ["a", "b"] {
        place.annals(&["--root", root, "append", "main", "--role", "user", text]).check(0);
        place.annals(&["--root", root, "memory", "add", text]).check(0);
    }
    place.annals(&["--root", root, "truncate", "main", "--keep-last", "1"]).check(0);
    place.annals(&["--root", root, "memory", "forget", "1"]).check(0);
    let objects = place.annals(&["--root", root, "--json", "doctor"]).check(0).objects();
    assert_eq!(findings(&objects), [("space", "sessions"), ("space", "memory")]);
    assert_eq!(next(&place, &objects), [0, 0], "{objects:?}");
    assert_eq!(findings(&place.annals(&["--root", root, "--json", "doctor"]).check(0).objects()), []);
    assert!(!place.path("home").exists());
}

#[test]
fn a_damaged_trust_store_and_what_an_agent_goes_on_without_are_told() {
    let place = user();
    let file = place.file("p/.envrc", "x");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    if cfg!(unix) {
        place.annals(&["trust", "allow", "--yes", file.to_str().unwrap()]).check(0);
        let store = place.path("home/trusted-projects");
        fs::write(&store, fs::read_to_string(&store).unwrap() + "nonsense\n").unwrap();
    }
    let orphan = concat!(
        r#"{"type":"user","uuid":"b","parentUuid":"gone","sessionId":"s","message":{"role":"user","content":"hi"}}"#,
        "\n"
    );
    place.file("user/.claude/projects/-w/692f46ca-6d2f-4c0e-9a6c-2f1f6d0c5a11.jsonl", orphan);
    let objects = doctor(&place, if cfg!(unix) { 4 } else { 1 });
    let all = [("damaged", "trust"), ("stuck", "claude-code")];
    assert_eq!(findings(&objects), &all[usize::from(!cfg!(unix))..], "{objects:?}");
    let texts: Vec<&str> = objects.iter().filter_map(|object| object["text"].as_str()).collect();
    assert!(texts.last().unwrap().contains("goes on without what was said before"), "{texts:?}");
    assert!(!cfg!(unix) || texts[0].contains("1 approval in front counts for nothing"), "{texts:?}");
}

#[cfg(unix)]
#[test]
fn who_writes_is_named() {
    let place = user();
    let log = fs::File::open(session(&place, "first.jsonl")).unwrap();
    log.lock().unwrap();
    let ended = place.annals(&["doctor"]).check(0);
    let pid = format!("process {}", std::process::id());
    assert!(ended.out.lines().any(|line| line.starts_with("busy") && line.contains(&pid)), "{ended:?}");
}
