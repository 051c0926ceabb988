//! Which session it is that was seen, and what is kept of it.

use std::time::Duration;

use annals_catalog::identity::{Matched, Source};
use annals_catalog::{Catalog, CatalogOptions, Observation, Op, Raw, Rules, TranscriptMeta};
use serde_json::{Value, json};

use crate::support::{at, log_of, time};

const NOW: &str = "2026-05-01T00:00:00Z";

/// A transcript that begins with a prompt.
fn transcript(folder: &std::path::Path, name: &str, prompt: &str, follows: Option<&str>) -> TranscriptMeta {
    let path = folder.join(format!("{name}.jsonl"));
    let first = json!({
        "type": "user", "uuid": format!("{name}-first"), "parentUuid": follows, "sessionId": name, "cwd": "/w",
        "gitBranch": "main", "userType": "external", "message": {"role": "user", "content": prompt},
    });
    let last =
        json!({"type": "assistant", "uuid": format!("{name}-last"), "parentUuid": format!("{name}-first")});
    std::fs::write(&path, format!("{first}\n{last}\n")).unwrap();
    TranscriptMeta::read(&path).unwrap()
}

fn seen_of(catalog: &Catalog) -> Vec<Value> {
    let log = log_of(catalog);
    log.split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|event| event["op"] == "session_seen")
        .map(|event| event["payload"].clone())
        .collect()
}

#[test]
fn what_is_seen_is_what_sessions_db_would_write() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(folder.path().join("c"));
    let meta = transcript(folder.path(), "one", "Add a retry to the relay on buoy 19", None);
    catalog.observe(&Observation::new("one").cwd("/w").transcript(meta)).unwrap();
    let payload = &seen_of(&catalog)[0];
    assert_eq!(payload["claude_session_id"], "one");
    assert_eq!(payload["fingerprints"]["first_human_prompt_v1"], "cdf0ad995ad95e01");
    assert_eq!(payload["first_prompt_preview"], "Add a retry to the relay on buoy 19");
    assert_eq!(
        payload["identity_resolution"],
        json!({"source": "minted", "confidence": "minted", "matched": {}})
    );
    assert_eq!(payload["transcript_file"]["first_uuid"], "one-first");
    assert_eq!(payload["transcript_file"]["last_uuid"], "one-last");
    assert_eq!(payload["transcript_file"]["status"], "ok");
    let session = catalog.projection().unwrap().sessions().next().unwrap().into_owned();
    assert_eq!(session.cwd.as_deref(), Some("/w"));
    assert_eq!(session.claude_session_ids, ["one"]);
}

#[test]
fn the_three_ways_of_telling_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = at(time(NOW)).open(folder.path().join("c"));
    let see = |name: &str, prompt: &str, follows: Option<&str>| {
        let meta = transcript(folder.path(), name, prompt, follows);
        catalog.observe(&Observation::new(name).cwd("/w").transcript(meta)).unwrap()
    };
    let first = see("one", "Why does the 05:20 departure vanish?", None);
    assert_eq!(first.resolution.source, Source::Minted);
    let again = see("one", "another prompt by now, and a long one", None);
    assert_eq!((again.resolution.source, &again.stable_id), (Source::ClaudeSessionIdIndex, &first.stable_id));
    let resumed = see("two", "something else altogether, as it happens", Some("one-last"));
    assert_eq!(
        (resumed.resolution.source, &resumed.stable_id),
        (Source::TranscriptLineage, &first.stable_id)
    );
    let repeated = see("three", "Why does the 05:20 departure vanish?", None);
    assert_eq!(
        (repeated.resolution.source, &repeated.stable_id),
        (Source::FingerprintCorroborator, &first.stable_id)
    );
    // Audited, each of them.
    let sources: Vec<Value> =
        seen_of(&catalog).iter().map(|seen| seen["identity_resolution"]["source"].clone()).collect();
    assert_eq!(
        sources,
        ["minted", "claude_session_id_index", "transcript_lineage", "fingerprint_corroborator"]
            .map(Value::from)
    );
}

#[test]
fn a_prompt_that_anybody_may_begin_with_identifies_nothing_but_for_sessions_db() {
    for (rules, merges) in [(Rules::Annals, false), (Rules::SessionsDb, true)] {
        let folder = tempfile::tempdir().unwrap();
        let catalog = at(time(NOW)).rules(rules).open(folder.path().join("c"));
        for name in ["one", "two"] {
            let meta = transcript(folder.path(), name, "continue", None);
            let mut observation = Observation::new(name).cwd("/w").transcript(meta);
            observation.git.worktree_realpath = Some("/w".to_owned());
            let seen = catalog.observe(&observation).unwrap();
            assert_eq!(seen.is_new, name == "one" || !merges, "{rules:?} {name}");
        }
    }
}

#[test]
fn the_same_prompt_months_later_is_another_session_but_for_sessions_db() {
    for (rules, merges) in [(Rules::Annals, false), (Rules::SessionsDb, true)] {
        let folder = tempfile::tempdir().unwrap();
        let prompt = "refactor the berth planner, keep the public API";
        let observation = |name: &str| {
            let meta = transcript(folder.path(), name, prompt, None);
            let mut observation = Observation::new(name).cwd("/w").transcript(meta);
            observation.git.worktree_realpath = Some("/w".to_owned());
            observation
        };
        let options = |now| at(now).rules(rules);
        options(time(NOW)).open(folder.path().join("c")).observe(&observation("one")).unwrap();
        let later = options(time(NOW) + Duration::from_secs(300 * 86_400)).open(folder.path().join("c"));
        let seen = later.observe(&observation("two")).unwrap();
        assert_eq!(seen.is_new, !merges, "{rules:?}");
        assert_eq!(seen.resolution.parent_candidates.len(), usize::from(!merges), "{rules:?}");
    }
}

#[test]
fn several_that_could_be_it_make_a_new_one_with_candidates_up_to_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = at(time(NOW)).open(folder.path().join("c"));
    let see = |name: &str, cwd: &str| {
        let meta = transcript(folder.path(), name, "/review the open merge requests", None);
        catalog.observe(&Observation::new(name).cwd(cwd).transcript(meta)).unwrap()
    };
    for number in 0..14 {
        see(&format!("agent-{number}"), &format!("/w/{number}"));
    }
    let seen = see("last", "/elsewhere");
    assert!(seen.is_new);
    assert_eq!(seen.resolution.parent_candidates.len(), 10);
    assert_eq!(seen.resolution.parent_candidates_omitted, 4);
    let payload = seen_of(&catalog).pop().unwrap();
    assert_eq!(payload["parent_candidates_omitted_count"], 4);
    assert_eq!(payload["parent_candidate_ids"].as_array().unwrap().len(), 10);

    // Two in one place, the second with a transcript of its own that made it a session of its own.
    let other = Catalog::open(folder.path().join("d"));
    for name in ["a", "b"] {
        let op = format!(
            r#"{{"ts":"{}","op":"session_seen","stable_id":"sess_{name}","payload":{{"cwd":"/w","worktree_realpath":"/w","fingerprints":{{"first_human_prompt_v1":"91d3f470e033f4f6"}}}}}}"#,
            "2026-05-01T00:00:00.000Z"
        );
        other.init().unwrap();
        let log = [log_of(&other), op.into_bytes(), b"\n".to_vec()].concat();
        std::fs::write(other.log_path(), log).unwrap();
    }
    let other = at(time(NOW)).open(folder.path().join("d"));
    let meta = transcript(folder.path(), "c", "/review the open merge requests", None);
    let seen = other.observe(&Observation::new("c").cwd("/w").transcript(meta)).unwrap();
    assert_eq!(seen.resolution.matched, Matched::Ambiguous { ambiguous: true, ambiguous_count: 2 });
    assert!(seen.is_new);
}

#[test]
fn the_first_prompt_is_kept_only_if_that_is_wanted_and_its_fingerprint_always() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(folder.path().join("c"));
    let meta = transcript(folder.path(), "one", "the secret is in the harbour", None);
    catalog.observe(&Observation::new("one").transcript(meta).keeps_first_prompt(false)).unwrap();
    assert!(!String::from_utf8(log_of(&catalog)).unwrap().contains("harbour"));
    let payload = &seen_of(&catalog)[0];
    assert_eq!(payload["first_prompt_preview"], Value::Null);
    assert!(payload["fingerprints"]["first_human_prompt_v1"].is_string());
}

#[test]
fn the_callers_word_on_identity_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(folder.path());
    let word: Raw<'static> = serde_json::from_str(r#"{"source":"by hand","n":1.50}"#).unwrap();
    let seen = catalog.observe(&Observation::new("one").identity_resolution(word.clone())).unwrap();
    let Op::Seen(payload) = &seen.event.op else { panic!() };
    assert_eq!(payload.identity_resolution.as_ref(), Some(&word));
    assert!(String::from_utf8(log_of(&catalog)).unwrap().contains(r#"{"source":"by hand","n":1.50}"#));
}

#[test]
fn threads_that_see_one_agents_session_see_one() {
    let folder = tempfile::tempdir().unwrap();
    let handles: Vec<Catalog> =
        (0..4).map(|_| CatalogOptions::new().cache_above(Some(0)).open(folder.path())).collect();
    let ids: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let catalog = &handles[thread % 4];
                scope.spawn(move || {
                    (0..25)
                        .map(|round| {
                            catalog.observe(&Observation::new(format!("agent {round}"))).unwrap().stable_id
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|found| *found == ids[0]));
    let (projection, report) = handles[0].verify().unwrap();
    assert_eq!((projection.len(), report.events), (25, 200));
}
