//! Are packed transcripts, and those that go on from other files, read like others?

use std::fs;
use std::path::{Path, PathBuf};

use annals_formats::codex::{Codex, Missing, lineage};
use annals_formats::transcript::Agent;
use annals_formats::{Error, Remark, Transcript, detect, list_transcripts};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::expected::{expected, testdata};

fn rollout() -> PathBuf {
    testdata(expected("codex")["files"][0]["file"].as_str().unwrap())
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn texts(transcript: &Transcript) -> Vec<String> {
    transcript.messages().iter().map(|index| transcript.message(*index).unwrap().text()).collect()
}

#[test]
fn a_packed_transcript_is_read_like_the_plain_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollout-1.jsonl.zst");
    let bytes = fs::read(rollout()).unwrap();
    // In two frames, with one for other programs between them.
    let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let (front, back) = bytes.split_at(bytes.len() / 2);
    fs::write(&path, [pack(front), skipped, pack(back)].concat()).unwrap();
    assert_eq!(detect(&path).unwrap(), Some(Agent::Codex));
    assert!(matches!(Transcript::open(&path), Err(Error::Packed { .. })));
    let spool = tempfile::tempdir().unwrap();
    let packed = Transcript::open_in(&path, spool.path()).unwrap().unwrap();
    let plain = Transcript::open(rollout()).unwrap().unwrap();
    assert_eq!((texts(&packed), packed.overview()), (texts(&plain), plain.overview()));
    // Nothing is left behind, not even while it is read.
    assert_eq!(fs::read_dir(spool.path()).unwrap().count(), 0);
    let glance = Transcript::glance(Agent::Codex, &path).unwrap();
    assert_eq!(glance.overview.id, plain.overview().id);
    let (_, conversation) = Transcript::open_end(&path, spool.path(), 2).unwrap().unwrap();
    assert_eq!(conversation.messages.len(), 2);
}

#[test]
fn a_packed_transcript_that_breaks_off_is_read_until_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollout-1.jsonl.zst");
    let bytes = fs::read(rollout()).unwrap().repeat(8);
    let whole = pack(&bytes);
    let plain = Transcript::open(rollout()).unwrap().unwrap();
    let mut found = 0;
    for len in (5..whole.len()).step_by(whole.len() / 60) {
        fs::write(&path, &whole[..len]).unwrap();
        let transcript = Codex::open_in(&path, folder.path()).unwrap();
        let told = transcript.overview().remarks.iter().any(|remark| matches!(remark, Remark::Packed { .. }));
        assert!(told, "cut at {len}: {:?}", transcript.overview().remarks);
        let messages: Vec<usize> = transcript.messages().collect();
        let known = texts(&plain);
        for (number, index) in messages.iter().enumerate() {
            assert_eq!(transcript.message(*index).unwrap().text(), known[number % known.len()]);
        }
        found = found.max(messages.len());
        let _ = Transcript::glance(Agent::Codex, &path).unwrap();
    }
    assert!(found > 20, "{found}");
    // Any byte may be wrong.
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x55;
        fs::write(&path, flipped).unwrap();
        let _ = Codex::open_in(&path, folder.path());
    }
}

#[test]
fn the_plain_one_of_both_counts_and_leftovers_do_not() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jsonl", "a.jsonl.zst", "b.jsonl.zst", "b.jsonl.zst.compress.1.2.tmp"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let mut names: Vec<String> = list_transcripts(folder.path())
        .unwrap()
        .iter()
        .map(|entry| entry.path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["a.jsonl", "b.jsonl.zst"]);
}

/// A thread's file in Codex's folder: a header, perhaps with more, and what the user said.
fn write(home: &Path, id: &str, more: &str, records: &[String]) -> PathBuf {
    let folder = home.join("sessions/2026/08/21");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("rollout-2026-08-21T10-00-00-{id}.jsonl"));
    let head = format!(
        r#"{{"timestamp":"2026-08-21T10:00:00Z","type":"session_meta","payload":{{"id":"{id}","cwd":"/w"{more}}}}}"#
    );
    fs::write(&path, [&[head][..], records].concat().join("\n") + "\n").unwrap();
    path
}

fn user(text: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-08-21T10:00:01Z","type":"response_item","payload":{{"type":"message","role":"user","content":[{{"type":"input_text","text":"{text}"}}]}}}}"#
    )
}

fn reference(path: &str, more: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-08-21T10:00:00Z","type":"rollout_reference","payload":{{"rollout_path":"{path}","thread_id":"x"{more}}}}}"#
    )
}

fn said(path: &Path, home: &Path) -> (Vec<String>, Option<Missing>) {
    let lineage = lineage(path, home, &std::env::temp_dir()).unwrap();
    let texts = lineage.segments.iter().flat_map(|segment| {
        let message = |index: &usize| segment.transcript.message(*index).unwrap().text();
        segment.conversation.messages.iter().map(message).collect::<Vec<_>>()
    });
    (texts.collect(), lineage.missing)
}

#[test]
fn a_thread_goes_on_from_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let first = write(home, "t1", "", &[user("one"), user("two"), user("three")]);
    let name = first.to_str().unwrap().to_owned();
    // Up to the third message of the user.
    let second = write(home, "t2", "", &[reference(&name, r#","nth_user_message":2"#), user("other three")]);
    assert_eq!(said(&second, home), (["one", "two", "other three"].map(String::from).to_vec(), None));
    let len = fs::read_to_string(&first).unwrap().find("three").unwrap();
    let base = format!(
        r#","history_base":{{"thread_id":"t1","end_ordinal_exclusive":3,"end_byte_offset":{}}}"#,
        len - 120
    );
    let third = write(home, "t3", &base, &[user("and on")]);
    let (texts, missing) = said(&third, home);
    assert_eq!((texts.last().map(String::as_str), missing), (Some("and on"), None));
    assert_eq!(texts[..2], ["one", "two"]);
    // Packed meanwhile, and moved.
    fs::create_dir_all(home.join("archived_sessions")).unwrap();
    let packed =
        home.join("archived_sessions").join(format!("{}.zst", first.file_name().unwrap().to_str().unwrap()));
    fs::write(packed, pack(&fs::read(&first).unwrap())).unwrap();
    fs::remove_file(&first).unwrap();
    assert_eq!(said(&second, home).0, ["one", "two", "other three"]);
}

#[test]
fn what_is_missing_or_leads_back_ends_it_and_nothing_else_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let outside = write(&folder.path().join("outside"), "o", "", &[user("not for you")]);
    let path = write(&home, "t1", "", &[reference(outside.to_str().unwrap(), ""), user("mine")]);
    let (texts, missing) = said(&path, &home);
    assert_eq!(texts, ["mine"]);
    assert!(matches!(missing, Some(Missing::NotFound(base)) if base.path == Some(outside)));
    let a = write(&home, "a", r#","history_base":{"thread_id":"b"}"#, &[user("a")]);
    write(&home, "b", r#","history_base":{"thread_id":"a"}"#, &[user("b")]);
    let (texts, missing) = said(&a, &home);
    assert_eq!(texts, ["b", "a"]);
    assert!(matches!(missing, Some(Missing::Cycle(_))));
    // What couldn't be looked at is told where it may be what is missing.
    #[cfg(unix)]
    {
        let circle = home.join("c.jsonl");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        let unlisted = |path| lineage(path, &home, &std::env::temp_dir()).unwrap().unlisted;
        let [error] = &unlisted(&path)[..] else { panic!("one is told") };
        assert!(error.to_string().contains("c.jsonl"), "{error}");
        assert_eq!(unlisted(&a).len(), 0);
        // Nor does a folder that isn't there end what is shown.
        let found = lineage(&path, &home.join("nowhere"), &std::env::temp_dir()).unwrap();
        assert_eq!((found.segments.len(), found.unlisted.len()), (1, 1));
    }
}

#[test]
fn a_fork_takes_nothing_again() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let tokens = |total: u64, last: u64| {
        format!(
            r#"{{"timestamp":"2026-08-21T10:00:02Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{total},"cached_input_tokens":0,"output_tokens":{total}}},"last_token_usage":{{"input_tokens":{last},"cached_input_tokens":0,"output_tokens":{last}}}}}}}}}"#
        )
    };
    let keys = |path: &Path| -> Vec<(u64, u64)> {
        let transcript = Codex::open(path).unwrap();
        transcript.answers().iter().map(|answer| (answer.key, answer.usage.input)).collect()
    };
    let original = keys(&write(home, "t1", "", &[tokens(10, 10), tokens(25, 15)]));
    assert_eq!(original.iter().map(|answer| answer.1).collect::<Vec<_>>(), [10, 15]);
    // What was copied, with the header of the original; and one more answer.
    let head =
        r#"{"timestamp":"2026-08-21T10:00:00Z","type":"session_meta","payload":{"id":"t1","cwd":"/w"}}"#
            .to_owned();
    let fork = keys(&write(home, "t2", "", &[head, tokens(10, 10), tokens(25, 15), tokens(65, 40)]));
    assert_eq!(fork[..2], original);
    assert_eq!(fork[2].1, 40);
    // One that goes on from the file, and copies nothing.
    let base = r#","history_base":{"thread_id":"t1"}"#;
    let segment = keys(&write(home, "t3", base, &[tokens(70, 45)]));
    assert_eq!(segment[0].1, 45);
}
