//! Are agents' folders found where they are, and the transcripts in them told by what is in them?

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use annals_formats::claude_code::subagents;
use annals_formats::transcript::Agent;
use annals_formats::{
    Keeps, Layout, Transcript, TranscriptEntry, detect, detect_folder, homes, list_transcripts,
    list_transcripts_with,
};

use crate::expected::testdata;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn folders_are_found_by_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let user = folder.path();
    let found = |variables: &[(&str, PathBuf)]| {
        homes(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    };
    let home = ("HOME", user.to_owned());
    assert_eq!(found(&[]), []);
    assert_eq!(found(std::slice::from_ref(&home)), []);
    for there in [
        ".claude/projects",
        ".codex/sessions",
        ".pi/agent/sessions",
        ".picoclaw/workspace/sessions",
        ".gemini/tmp",
        ".aish/history/sessions",
        "elsewhere/projects",
    ] {
        fs::create_dir_all(user.join(there)).unwrap();
    }
    let keeps =
        |homes: Vec<annals_formats::Home>| homes.into_iter().map(|home| home.keeps).collect::<Vec<_>>();
    let all = [
        Keeps::Transcripts(Agent::ClaudeCode),
        Keeps::Transcripts(Agent::Codex),
        Keeps::Transcripts(Agent::Pi),
        Keeps::Transcripts(Agent::Gemini),
        Keeps::Sessions(Layout::Picoclaw),
        Keeps::Sessions(Layout::Aish),
    ];
    assert_eq!(keeps(found(std::slice::from_ref(&home))), all);
    // What is empty is not set; what is set counts instead.
    assert_eq!(keeps(found(&[home.clone(), ("CODEX_HOME", PathBuf::new())])), all);
    let other = found(&[home.clone(), ("CLAUDE_CONFIG_DIR", user.join("elsewhere"))]);
    assert_eq!(other[0].path, user.join("elsewhere/projects"));
    assert_eq!(keeps(found(&[home, ("CODEX_HOME", user.join("nowhere"))])).len(), 5);
}

#[test]
fn transcripts_are_listed_newest_first_and_read_whoever_wrote_them() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["claude-code", "codex", "pi", "mcp-memory"] {
        copy(&testdata(name), &folder.path().join(name));
    }
    let oldest = folder.path().join("codex/history.jsonl");
    let old = fs::File::options().append(true).open(&oldest).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(100_000)).unwrap();
    let found = list_transcripts(folder.path()).unwrap();
    assert_eq!(found.len(), 4 + 5 + 2 + 4);
    assert_eq!(found.last().unwrap().path, oldest);
    assert!(found.is_sorted_by(|a, b| a.modified >= b.modified));
    let mut agents = std::collections::BTreeMap::new();
    for entry in found {
        assert_eq!(entry.len, fs::metadata(&entry.path).unwrap().len());
        let Some(transcript) = Transcript::open(&entry.path).unwrap() else { continue };
        *agents.entry(transcript.agent().name()).or_insert(0) += 1;
        let conversation = transcript.conversation();
        let messages = transcript.messages();
        assert!(!conversation.messages.is_empty());
        assert!(conversation.messages.iter().all(|index| messages.contains(index)));
        for index in messages {
            assert!(!transcript.message(index).unwrap().text().is_empty());
            assert!(transcript.raw(index).unwrap().starts_with(b"{") || index == 0);
        }
        assert_eq!(transcript.overview().tool_calls, transcript.tool_calls().len() as u64);
    }
    assert_eq!(agents.into_iter().collect::<Vec<_>>(), [("claude-code", 4), ("codex", 3), ("pi", 2)]);
    assert!(list_transcripts(&folder.path().join("nowhere")).is_err());
}

#[cfg(unix)]
#[test]
fn circles_of_links_end() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
    fs::write(folder.path().join("t.jsonl"), "{}\n").unwrap();
    assert_eq!(list_transcripts(folder.path()).unwrap().len(), 1);
}

/// A link that leads to itself can't be looked at, and isn't nothing.
#[cfg(unix)]
#[test]
fn what_cannot_be_looked_at_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let circle = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
        path
    };
    let unlisted = [circle("a.jsonl"), circle("below/b.jsonl")];
    circle("c.txt");
    std::os::unix::fs::symlink("nowhere", folder.path().join("d.jsonl")).unwrap();
    fs::write(folder.path().join("t.jsonl"), "{}\n").unwrap();
    let mut errors = Vec::new();
    let found = list_transcripts_with(folder.path(), &mut errors).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(errors.len(), unlisted.len());
    for (error, path) in errors.iter().zip(&unlisted) {
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }
    // Whose sub-agents are looked for, others beside it don't matter.
    let transcript = folder.path().join("t.jsonl");
    assert_eq!(subagents(&transcript).unwrap(), []);
    circle("agent-1.jsonl");
    assert!(subagents(&transcript).is_err());
    // Where nothing is known, what couldn't be read is to blame.
    assert!(detect_folder(folder.path()).is_err());
    // A side file makes a session picoclaw's, so nothing else is guessed while it can't be looked at; nor is a log of a catalog's passed over.
    let store = folder.path().join("store");
    circle("store/k.meta.json");
    fs::write(store.join("k.jsonl"), "{\"type\":1}\n").unwrap();
    assert!(Layout::detect(&store).is_err() && detect_folder(&store).is_err());
    let message = "{\"role\":\"user\",\"content\":\"hi\"}\n";
    fs::write(store.join("k.jsonl"), message).unwrap();
    assert!(Layout::detect(&store).is_err() && detect_folder(&store).is_err());
    assert!(detect(store.join("k.jsonl")).is_err());
    // What is known all the same is said.
    fs::create_dir(store.join("sub")).unwrap();
    fs::write(store.join("sub/chat.jsonl"), message).unwrap();
    assert_eq!(detect_folder(&store).unwrap(), Some(Keeps::Transcripts(Agent::Chat)));
    fs::remove_dir_all(store.join("sub")).unwrap();
    fs::write(store.join("k.jsonl"), "{\"type\":1}\n").unwrap();
    fs::remove_file(store.join("k.meta.json")).unwrap();
    assert_eq!((Layout::detect(&store).unwrap(), detect_folder(&store).unwrap()), (None, None));
    fs::create_dir(store.join("sessions-db-events.jsonl")).unwrap();
    assert_eq!(detect_folder(&store).unwrap(), None);
    fs::remove_dir(store.join("sessions-db-events.jsonl")).unwrap();
    circle("store/sessions-db-events.jsonl");
    assert!(detect_folder(&store).is_err());
    fs::remove_dir_all(store).unwrap();
    copy(&testdata("pi"), &folder.path().join("pi"));
    assert_eq!(detect_folder(folder.path()).unwrap(), Some(Keeps::Transcripts(Agent::Pi)));
    // So are folders that may hold something.
    let sessions = circle(".codex/sessions");
    circle(".codex/tickets/_logs/sessions-db.json");
    let found = homes(|name| match name {
        "HOME" => Some(folder.path().into()),
        "PWD" => Some(folder.path().join(".codex").into()),
        _ => None,
    });
    let paths: Vec<&Path> = found.iter().map(|home| &*home.path).collect();
    assert_eq!(paths, [&*sessions, &folder.path().join(".codex/tickets/_logs")]);
    assert!(list_transcripts(&sessions).is_err());
}

#[test]
fn the_nearest_catalog_is_found_in_either_layout() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("p/deep/down");
    fs::create_dir_all(&project).unwrap();
    let found = |variables: &[(&str, &Path)]| {
        let all = homes(|name| variables.iter().find(|known| known.0 == name).map(|known| known.1.into()));
        all.into_iter().map(|home| (home.keeps, home.path)).collect::<Vec<_>>()
    };
    let here = [("PWD", &*project)];
    // A folder without a catalog is none.
    let outer = folder.path().join("p/tickets/_logs");
    fs::create_dir_all(&outer).unwrap();
    assert_eq!(found(&here), []);
    fs::write(outer.join("sessions-db.json"), "{}").unwrap();
    assert_eq!(found(&here), [(Keeps::Catalog, outer)]);
    let inner = project.join(".dru-code");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("sessions-db.json"), "{}").unwrap();
    assert_eq!(found(&here), [(Keeps::Catalog, inner)]);
    assert_eq!(
        found(&[here[0], ("DRUUMEN_SESSIONS_DB_ROOT", folder.path())]),
        [(Keeps::Catalog, folder.path().to_owned())]
    );
}

#[test]
fn what_a_folder_keeps_is_told_by_its_files() {
    let keeps = |name: &str| detect_folder(&testdata(name)).unwrap();
    for (name, agent) in [
        ("claude-code", Agent::ClaudeCode),
        ("codex/sessions", Agent::Codex),
        ("pi", Agent::Pi),
        ("gemini", Agent::Gemini),
    ] {
        assert_eq!(keeps(name), Some(Keeps::Transcripts(agent)));
    }
    assert_eq!(keeps("picoclaw"), Some(Keeps::Sessions(Layout::Picoclaw)));
    assert_eq!(keeps("orca"), Some(Keeps::Sessions(Layout::Orca)));
    assert_eq!(keeps("aish"), Some(Keeps::Sessions(Layout::Aish)));
    assert_eq!(keeps("expected"), None);
    let folder = tempfile::tempdir().unwrap();
    let event = r#"{"ts":"2026-11-20T12:08:23.766Z","event_id":"evt_1","op":"alias_set","stable_id":"sess_1","payload":{"alias":"a"}}"#;
    fs::write(folder.path().join("sessions-db-events.jsonl"), event).unwrap();
    assert_eq!(detect_folder(folder.path()).unwrap(), Some(Keeps::Catalog));
}

#[test]
fn subagents_are_found_beside_their_session() {
    let session =
        testdata("claude-code/projects/-home-u-src-harbour-api/24fbb56b-6e96-4214-9ceb-29ece1d56173.jsonl");
    let found = subagents(&session).unwrap();
    assert_eq!(found.len(), 1);
    assert!(
        found[0].path.ends_with("subagents/agent-a91f03.jsonl") && found[0].is_subagent(Agent::ClaudeCode)
    );
    // Older builds put them beside it.
    let folder = tempfile::tempdir().unwrap();
    let record = |session: &str| {
        format!(
            "{{\"type\":\"user\",\"uuid\":\"u\",\"parentUuid\":null,\"isSidechain\":true,\"sessionId\":\"{session}\",\"message\":{{\"role\":\"user\",\"content\":\"go\"}}}}\n"
        )
    };
    for (name, session) in [("s.jsonl", "s"), ("agent-1.jsonl", "s"), ("agent-2.jsonl", "other")] {
        fs::write(folder.path().join(name), record(session)).unwrap();
    }
    let found = subagents(&folder.path().join("s.jsonl")).unwrap();
    assert_eq!(
        found.iter().map(|entry| entry.path.clone()).collect::<Vec<_>>(),
        [folder.path().join("agent-1.jsonl")]
    );
    assert_eq!(found[0].id(Agent::ClaudeCode), "agent-1");
}

#[test]
fn the_id_of_a_session_is_in_its_name() {
    for (agent, name, id) in [
        (Agent::ClaudeCode, "24fbb56b-6e96.jsonl", "24fbb56b-6e96"),
        (Agent::Codex, "rollout-2026-08-21T10-15-02-0198c9a1-7c1e.jsonl", "0198c9a1-7c1e"),
        (Agent::Codex, "rollout-2026-08-21T10-15-02-0198c9a1-7c1e_0199.jsonl.zst", "0198c9a1-7c1e"),
        (Agent::Codex, "short.jsonl", "short"),
        (Agent::Codex, "rollout-2026-08-21T10-15-0é.jsonl", "rollout-2026-08-21T10-15-0é"),
        (Agent::Pi, "2026-08-25T09-00-00-120Z_418d7417-0633.jsonl", "418d7417-0633"),
        (Agent::Gemini, "session-2026-08-21T08-00-5b1e77aa.jsonl", "5b1e77aa"),
        (Agent::Orca, "a.b.jsonl.archived", "a.b"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), "").unwrap();
        let entry = TranscriptEntry::of(&folder.path().join(name)).unwrap();
        assert_eq!(entry.id(agent), id, "{name}");
    }
}
