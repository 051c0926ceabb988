//! Are agents' folders found where they are, and the transcripts in them told by what is in them?

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use annals_formats::transcript::Agent;
use annals_formats::{Keeps, Layout, Transcript, homes, list_transcripts};

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
        Keeps::Sessions(Layout::Picoclaw),
    ];
    assert_eq!(keeps(found(std::slice::from_ref(&home))), all);
    // What is empty is not set; what is set counts instead.
    assert_eq!(keeps(found(&[home.clone(), ("CODEX_HOME", PathBuf::new())])), all);
    let other = found(&[home.clone(), ("CLAUDE_CONFIG_DIR", user.join("elsewhere"))]);
    assert_eq!(other[0].path, user.join("elsewhere/projects"));
    assert_eq!(keeps(found(&[home, ("CODEX_HOME", user.join("nowhere"))])).len(), 3);
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
