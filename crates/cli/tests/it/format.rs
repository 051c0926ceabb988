//! `docs/read_annals.py` knows nothing but `docs/format.md`; it reads what we read, also from damaged files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use annals_catalog::Catalog;
use annals_memory::{Filter, Kind, MemoryOptions, NewItem};
use annals_session::{Durability, StoreOptions, Truncate};
use annals_trust::{Decided, Trust};
use serde_json::{Value, json};

use crate::support::Place;

/// What the reader prints; `None` where there is no Python to run it.
fn read(what: &str, path: &Path) -> Option<Vec<Value>> {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/read_annals.py");
    // Nothing is to be left beside it.
    let output = Command::new("python3").arg("-B").arg(reader).arg(what).arg(path).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[expect(clippy::print_stderr, reason = "whoever looks why nothing was compared finds it there")]
fn has_python() -> bool {
    let is_there =
        Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("skipped: there is no python3");
    }
    is_there
}

/// A log as it is, cut, with a flipped bit, without a line, with a record behind a torn one.
fn variants(log: &[u8]) -> Vec<Vec<u8>> {
    let mut variants = vec![log.to_vec()];
    let step = log.len() / 6;
    for at in (step / 2..log.len()).step_by(step) {
        variants.push(log[..at].to_vec());
        let mut flipped = log.to_vec();
        flipped[at] ^= 1 << (at % 8);
        variants.push(flipped);
        // A writer that looked at nothing: the last record behind what is left of another.
        let last = log[..log.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        variants.push([&log[..at.min(last)], &log[last..]].concat());
    }
    let second = log.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let third = second + log[second..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    variants.push([&log[..second], &log[third..]].concat());
    variants
}

#[test]
fn sessions_are_read_alike() {
    if !has_python() {
        return;
    }
    let place = Place::new();
    let store = StoreOptions::new().durability(Durability::Buffer).open(place.path("s")).unwrap();
    let session = store.session("a:b").unwrap();
    session.set_metadata(&json!({"project": "ferry", "n": 1.5})).unwrap();
    for n in 0..9 {
        session.say("user", &format!("Frage {n}: \u{e9}\"\\\n\u{1F6A2}")).unwrap();
        session
            .append(&json!({"role": "assistant", "content": [{"type": "text", "text": "6 min"}]}))
            .unwrap();
    }
    session.append_note(b"{\"cost\":1e3}").unwrap();
    session.truncate(&Truncate::keep_last(12).summary("of ferries")).unwrap();
    session.say("user", "and the next?").unwrap();
    let path = session.path().unwrap().unwrap();
    for (number, variant) in variants(&fs::read(&path).unwrap()).into_iter().enumerate() {
        // Another handle, to which nothing is known.
        let store = StoreOptions::new().open(place.path(&number.to_string())).unwrap();
        let copy = place.file(&format!("{number}/{}.jsonl", annals_session::encode_key("a:b")), variant);
        let history = store.session("a:b").unwrap().history().unwrap();
        let mut expected: Vec<Value> = history
            .messages
            .iter()
            .map(|message| json!({"seq": message.seq(), "message": message.parse::<Value>().unwrap()}))
            .collect();
        let metadata = history.metadata::<Value>().unwrap();
        expected.push(json!({"summary": history.summary, "metadata": metadata}));
        assert_eq!(read("session", &copy).unwrap(), expected, "variant {number}");
    }
}

#[test]
fn memories_are_read_alike() {
    if !has_python() {
        return;
    }
    let place = Place::new();
    let path = place.path("memory.jsonl");
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let ticks = std::sync::atomic::AtomicU64::new(0);
    let clock = move || start + Duration::from_secs(ticks.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let memory = MemoryOptions::new().durability(Durability::Buffer).clock(clock).open(&path).unwrap();
    for n in 0..8 {
        memory.add(&NewItem::fact(format!("fact {n} \u{e9}\"")).tag("ops").source("remember")).unwrap();
    }
    memory.forget(2).unwrap();
    memory.supersede(3, &NewItem::new(Kind::Pref, "prefers tea")).unwrap();
    memory.add(&NewItem::new(Kind::Context, "gone").expires(start)).unwrap();
    let later = SystemTime::now() + Duration::from_secs(1 << 30);
    memory.add(&NewItem::new(Kind::Context, "still here").expires(later)).unwrap();
    memory.close().unwrap();
    for (number, variant) in variants(&fs::read(&path).unwrap()).into_iter().enumerate() {
        let copy = place.file(&format!("{number}.jsonl"), variant);
        let view = MemoryOptions::new().accept_loss(true).view(&copy).unwrap();
        let items = view.active(&Filter::new()).unwrap();
        let expected: Vec<Value> = items
            .iter()
            .map(|item| json!({"id": item.id, "kind": item.kind.name(), "content": item.content}))
            .collect();
        assert_eq!(read("memory", &copy).unwrap(), expected, "variant {number}");
    }
}

#[test]
fn trust_stores_are_read_alike() {
    if !has_python() {
        return;
    }
    let place = Place::new();
    only_mine(place.root(), 0o700);
    let folder = place.root().canonicalize().unwrap();
    let files: Vec<PathBuf> = (0..6).map(|n| folder.join(format!("file {n}"))).collect();
    for file in &files {
        fs::write(file, "export FERRY=K7\n").unwrap();
        only_mine(file, 0o600);
    }
    let trust = Trust::open(folder.join("store"));
    for file in &files {
        trust.allow(file, trust.look(file).unwrap().digest).unwrap();
    }
    trust.deny(&files[1]).unwrap();
    trust.revoke(&files[2]).unwrap();
    trust.allow_set(&files[3..5], trust.look_set(&files[3..5]).unwrap().digest).unwrap();
    trust.allow(&files[2], trust.look(&files[2]).unwrap().digest).unwrap();
    for (number, variant) in variants(&fs::read(folder.join("store")).unwrap()).into_iter().enumerate() {
        let copy = place.file(&format!("store {number}"), variant);
        only_mine(&copy, 0o600);
        let mut found: Vec<(Vec<PathBuf>, String)> = read("trust", &copy)
            .unwrap()
            .into_iter()
            .map(|entry| {
                let files = serde_json::from_value(entry["files"].clone()).unwrap();
                (files, entry["state"].as_str().unwrap().to_owned())
            })
            .collect();
        found.sort();
        let state = |entry: &annals_trust::Entry| match entry.decision {
            Decided::Allow(_) if entry.is_doubtful => "in doubt",
            Decided::Allow(_) => "allowed",
            _ => "denied",
        };
        let listed = Trust::open(&copy).list().unwrap();
        let expected: Vec<_> =
            listed.iter().map(|entry| (entry.paths.clone(), state(entry).to_owned())).collect();
        assert_eq!(found, expected, "variant {number}");
    }
}

/// Events of every kind, also such as nobody writes.
const EVENTS: [&str; 18] = [
    r#""op":"session_seen","payload":{"claude_session_id":"c1","cwd":"/w","branch_at_start":"main","branch_current":"main"}"#,
    r#""op":"session_seen","payload":{"claude_session_id":"c2","cwd":"/v","branch_at_start":"x","branch_current":"x","identity_resolution":{"why":[1]}}"#,
    r#""op":"session_seen","payload":{"claude_session_id":"c1","transcript_file":{"path":"/t","size":1,"mtime":"a"},"parent_candidates_omitted_count":3}"#,
    r#""op":"session_seen","payload":{"transcript_file":{"path":"/t","size":2,"last_uuid":"u"},"fingerprints":{"lineage_prefix_v1":"ab"}}"#,
    r#""op":"session_seen","payload":{"parent_candidate_ids":[{"stable_id":"p"},{"id":"q","parent_id":"r"},{},7,{"id":"p"}],"parent_candidates_omitted_count":-1}"#,
    r#""op":"manual_link","payload":{"parent_candidate_ids":[{"stable_id":"s"},{"id":"r"},{"parent_id":"t"}]}"#,
    r#""op":"session_link","payload":{"tasks":["a","b","a",1],"projects":["ferry"]}"#,
    r#""op":"session_link","payload":{"tasks":["gone"],"projects":[],"remove":true}"#,
    r#""op":"session_unlink","payload":{"tasks":["b"],"projects":"ferry"}"#,
    r#""op":"alias_set","payload":{"alias":"relay"}"#,
    r#""op":"parent_set","payload":{"parent_session_id":null}"#,
    r#""op":"close","payload":{"outcome":"merged","closed_reason":""}"#,
    r#""op":"sweep","payload":{"activity_state":"archived","effective_last_progress":"2031-01-01T00:00:00.000Z"}"#,
    r#""op":"session_seen","payload":{"claude_session_id":7,"cwd":[]}"#,
    r#""op":"close","payload":{"outcome":"open","closed_reason":null}"#,
    r#""op":"sweep","payload":{"effective_last_progress":"2032-01-01T00:00:00.1239Z"}"#,
    r#""op":"sweep","payload":{"effective_last_progress":"2032-01-01T00:00:00.123"}"#,
    r#""op":"of another version","payload":{"alias":"none"}"#,
];

#[test]
fn catalogs_are_read_alike() {
    if !has_python() {
        return;
    }
    let place = Place::new();
    let written = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../catalog/tests/testdata/sessions-db/main/sessions-db-events.jsonl");
    let mut log = fs::read_to_string(written).unwrap();
    for (number, event) in (10..).zip(EVENTS.iter().chain(&EVENTS[8..])) {
        // One session with most of it, another with all.
        let id = if number % 5 == 0 { "sess_2" } else { "sess_1" };
        log += &format!(
            "{{\"ts\":\"2031-01-0{}T00:00:{number}.000Z\",\"stable_id\":\"{id}\",{event}}}\n",
            number % 9 + 1
        );
    }
    for event in EVENTS {
        log += &format!("{{\"stable_id\":\"sess_3\",{event}}}\n");
    }
    // Sealed records behind what is torn are found, too.
    let own = Catalog::open(place.path("own"));
    own.init().unwrap();
    fs::write(own.log_path(), &log).unwrap();
    own.set_alias("sess_1", Some("again")).unwrap();
    let log = fs::read(own.log_path()).unwrap();
    for (number, variant) in variants(&log).into_iter().enumerate() {
        let copy = place.file(&format!("{number}/sessions-db-events.jsonl"), variant);
        let (projection, _) = Catalog::open(copy.parent().unwrap()).verify().unwrap();
        let expected: Vec<Value> =
            projection.sessions().map(|session| serde_json::to_value(session).unwrap()).collect();
        assert!(number > 0 || expected.len() > 5, "{expected:?}");
        let mut found = read("catalog", &copy).unwrap();
        // What is never written where there is none.
        for session in &mut found {
            session.as_object_mut().unwrap().retain(|name, value| name != "cwd" || !value.is_null());
        }
        assert_eq!(found, expected, "variant {number}");
    }
}

#[cfg(unix)]
fn only_mine(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn only_mine(_: &Path, _: u32) {}
