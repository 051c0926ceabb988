//! Whatever events say and whoever asks: an event at a time comes to what all at once come to, and which session it is depends on
//! nothing but the signals, the sessions and the time.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use annals_catalog::identity::{Source, lineage_fingerprint, prompt_fingerprint};
use annals_catalog::{Event, Fingerprints, Projection, Rules, Signals, resolve};
use annals_fuzz::Decisions;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const WORDS: [&str; 6] = ["a", "b", "main", "/w", "/w/deep", "fix the build of the ferry"];

fuzz_target!(|bytes: &[u8]| {
    let mut next = Decisions(bytes);
    let mut lines = Vec::new();
    while next.are_left() && lines.len() < 24 {
        let mut word = || WORDS[next.below(WORDS.len())];
        let (id, agent, cwd, branch, prompt) = (word(), word(), word(), word(), word());
        let payload = json!({
            "claude_session_id": agent, "cwd": cwd, "branch_current": branch,
            "transcript_file": {"path": "/t", "last_uuid": word(), "status": "ok"},
            "fingerprints": {
                "first_human_prompt_v1": prompt_fingerprint(prompt),
                "lineage_prefix_v1": lineage_fingerprint(word(), None),
            },
            "first_prompt_preview": prompt, "tasks": [word()], "alias": word(), "parent_session_id": word(),
            "activity_state": "archived", "outcome": "done",
        });
        let op = [
            "session_seen",
            "session_link",
            "alias_set",
            "parent_set",
            "close",
            "sweep",
            "manual_link",
            "other",
        ];
        let op = op[next.below(op.len())];
        let day = 1 + next.below(28);
        let ts = format!("2026-02-{day:02}T08:15:00.098Z");
        lines.push(json!({"ts": ts, "event_id": format!("evt_{}", lines.len()), "op": op, "stable_id": format!("sess_{id}"), "payload": payload}).to_string());
    }
    let events: Vec<Event<'_>> = lines.iter().filter_map(|line| Event::parse(line.as_bytes())).collect();
    assert_eq!(events.len(), lines.len());
    for rules in [Rules::Annals, Rules::SessionsDb] {
        let fold = Projection::fold(rules, &events);
        let mut applied = Projection::new(rules);
        for event in &events {
            applied.apply(event);
        }
        assert!(applied == fold);
        // Every session leads back to itself by what it is looked up by.
        for session in fold.sessions() {
            assert_eq!(fold.get(&session.stable_id).as_deref(), Some(&*session));
            if let Some(alias) = &session.alias {
                assert!(fold.with_alias(alias).any(|found| found.stable_id == session.stable_id));
            }
        }
        let (agent, cwd, branch, prompt) =
            (WORDS[next.below(6)], WORDS[next.below(6)], WORDS[next.below(6)], WORDS[next.below(6)]);
        let (lineage, print) = (lineage_fingerprint(agent, None), prompt_fingerprint(prompt));
        let signals = Signals {
            claude_session_id: agent,
            first_parent_uuid: Some(cwd),
            fingerprints: Fingerprints {
                first_human_prompt_v1: print.as_deref().map(Into::into),
                lineage_prefix_v1: Some(lineage.as_str().into()),
                ..Default::default()
            },
            first_prompt: Some(prompt),
            cwd: Some(cwd),
            worktree_realpath: None,
            branch: Some(branch),
        };
        let now = UNIX_EPOCH + Duration::from_secs(1_770_000_000 + u64::from(next.byte()) * 86_400);
        let resolution = resolve(&fold, &signals, now);
        assert_eq!(resolution, resolve(&applied, &signals, now));
        assert_eq!(resolution.stable_id.is_none(), resolution.source == Source::Minted);
        // The agent's own id, where it is known, beats everything.
        let by_id = fold.sessions().any(|session| session.claude_session_ids.iter().any(|id| id == agent));
        assert_eq!(by_id, resolution.source == Source::ClaudeSessionIdIndex);
        for id in resolution
            .stable_id
            .iter()
            .chain(resolution.parent_candidates.iter().map(|found| &found.stable_id))
        {
            assert!(fold.get(id).is_some(), "{id}");
        }
    }
});
