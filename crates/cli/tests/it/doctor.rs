//! Does `doctor` see what is wrong, and what isn't, and are the commands that it recommends the right ones?

use std::fs;

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
    place.file(
        "user/.pi/agent/sessions/--w--/2026-08-26T10-00-00-000Z_95bba261-0f4f-4e9b-8a53-0d5a3a2f7b10.jsonl",
        concat!(
            r#"{"type":"session","version":3,"id":"95bba261-0f4f-4e9b-8a53-0d5a3a2f7b10","cwd":"/w"}"#,
            "\n",
            r#"{"type":"message","id":"a","parentId":null,"message":{"role":"user","content":"hi"}}"#,
            "\n"
        ),
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let only_mine = |name: &str| {
            fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o700)).unwrap();
        };
        ["user", "home"].iter().for_each(|name| only_mine(name));
    }
    place
}

fn session(place: &Place, name: &str) -> std::path::PathBuf {
    place.path("home/sessions").join(name)
}

/// What was found: kind, whose, what to run next.
fn findings(objects: &[Value]) -> Vec<(&str, &str, Option<&str>)> {
    let found = objects.iter().filter(|object| object.get("finding").is_some());
    found
        .map(|object| {
            let text = |name: &str| object[name].as_str();
            (text("finding").unwrap(), text("who").unwrap(), text("next"))
        })
        .collect()
}

#[test]
fn all_is_well_on_an_empty_machine_and_nothing_is_made() {
    let place = Place::new();
    for args in [&["doctor"][..], &["doctor", "--quick"]] {
        let ended = place.annals(args).check(0);
        assert!(ended.out.contains("all is well"), "{ended:?}");
    }
    assert!(!place.path("home").exists());
    assert!(place.annals(&["--json", "doctor"]).check(0).out.is_empty());
}

#[test]
fn what_is_as_it_should_be_is_well() {
    let place = user();
    let ended = place.annals(&["doctor"]).check(0);
    for text in ["3 sessions", "2 items", "1 session ", "all is well"] {
        assert!(ended.out.contains(text), "{text}: {ended:?}");
    }
    assert!(!ended.out.contains("Next:"), "{ended:?}");
    let objects = place.annals(&["--json", "doctor"]).check(0).objects();
    assert_eq!(findings(&objects), []);
    let kept: Vec<&str> = objects.iter().map(|object| object["who"].as_str().unwrap()).collect();
    assert_eq!(kept, ["sessions", "memory", "pi"]);
}

#[test]
fn each_thing_that_is_wrong_is_found_with_a_command_that_shows_it() {
    let place = user();
    let first = session(&place, "first.jsonl");
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, text.replace("minutes", "minuteZ")).unwrap();
    let second = session(&place, "second%20one.jsonl");
    let text = fs::read_to_string(&second).unwrap();
    let without: Vec<&str> =
        text.lines().enumerate().filter(|(number, _)| *number != 1).map(|(_, line)| line).collect();
    fs::write(&second, without.join("\n") + "\n").unwrap();
    let memory = place.path("home/memory.jsonl");
    let text = fs::read_to_string(&memory).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("metric")).collect();
    fs::write(&memory, without.join("\n") + "\n").unwrap();
    fs::create_dir_all(place.path("user/.claude/projects/-w")).unwrap();
    let damaged = place.path("user/.claude/projects/-w/692f46ca-6d2f-4c0e-9a6c-2f1f6d0c5a11.jsonl");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/transcripts/claude-code.jsonl"), damaged)
        .unwrap();

    let objects = place.annals(&["--json", "doctor"]).check(4).objects();
    assert_eq!(
        findings(&objects),
        [
            ("damaged", "sessions", Some("annals verify first")),
            ("damaged", "memory", Some("annals memory verify")),
            ("damaged", "claude-code", Some("annals verify 692f46ca")),
            ("stuck", "sessions", Some("annals verify 'second one'")),
        ]
    );
    // Each of them ends as something does that has found what is wrong.
    for (args, code) in [
        (&["verify", "first"][..], 4),
        (&["memory", "verify"], 4),
        (&["verify", "692f46ca"], 4),
        (&["verify", "second one"], 1),
    ] {
        place.annals(args).check(code);
    }
    let quick = place.annals(&["--json", "doctor", "--quick"]).check(4).objects();
    assert_eq!(findings(&quick), [("damaged", "memory", Some("annals memory verify"))]);
}

#[test]
fn what_could_be_given_back_is_no_fault() {
    let place = user();
    place.annals(&["truncate", "third", "--before", "2"]).check(0);
    place.annals(&["memory", "forget", "1"]).check(0);
    let objects = place.annals(&["--json", "doctor"]).check(0).objects();
    let space = [
        ("space", "sessions", Some("annals compact third")),
        ("space", "memory", Some("annals memory compact")),
    ];
    assert_eq!(findings(&objects), space);
    place.annals(&["compact", "third"]).check(0);
    place.annals(&["memory", "compact"]).check(0);
    let objects = place.annals(&["--json", "doctor"]).check(0).objects();
    assert_eq!(findings(&objects), []);
    let sessions = objects.iter().find(|object| object["who"] == "sessions").unwrap();
    assert!(sessions["holds"].as_str().unwrap().ends_with("taken out and kept"), "{sessions}");
}

#[test]
fn an_unfinished_line_is_told_and_no_fault() {
    let place = user();
    let log = session(&place, "first.jsonl");
    fs::write(&log, fs::read_to_string(&log).unwrap() + "{\"seq\":3,").unwrap();
    let objects = place.annals(&["--json", "doctor"]).check(0).objects();
    assert_eq!(findings(&objects), [("unfinished", "sessions", None)]);
}

#[test]
fn many_damaged_files_are_counted_and_not_listed() {
    let place = Place::new();
    for number in 0..20 {
        let name = format!("user/.claude/projects/-w/{number:08x}-6d2f-4c0e-9a6c-2f1f6d0c5a11.jsonl");
        place.file(&name, fs::read(testdata("../../../../examples/transcripts/claude-code.jsonl")).unwrap());
    }
    let ended = place.annals(&["doctor"]).check(4);
    assert!(ended.out.contains("and 15 more"), "{ended:?}");
    let next: Vec<&str> = ended.out.lines().skip_while(|line| *line != "Next:").skip(1).collect();
    assert!(next.contains(&"  annals verify --agent claude-code"), "{ended:?}");
    assert!(next.len() < 6, "{ended:?}");
}

#[cfg(unix)]
#[test]
fn what_others_may_read_is_found_and_the_command_mends_it() {
    use std::os::unix::fs::PermissionsExt;

    let place = user();
    fs::set_permissions(place.path("home"), fs::Permissions::from_mode(0o755)).unwrap();
    let objects = place.annals(&["--json", "doctor"]).check(1).objects();
    let [("open", "permissions", Some(next))] = findings(&objects)[..] else { panic!("{objects:?}") };
    // The sessions themselves are shut by our hand, whatever the folder above them is.
    assert!(objects.last().unwrap()["text"].as_str().unwrap().contains("1 file or folder"), "{objects:?}");
    let mended = std::process::Command::new("sh").args(["-c", next]).status().unwrap();
    assert!(mended.success(), "{next}");
    assert_eq!(findings(&place.annals(&["--json", "doctor"]).check(0).objects()), []);
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
