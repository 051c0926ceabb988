//! Stores that sessions-db wrote, and what it makes of them.

use annals_catalog::{
    Catalog, CatalogOptions, Find, Fingerprints, Rules, Session, Signals, Thresholds, id, resolve, sanitize,
};
use serde_json::{Value, json};

use crate::support::{assert_same, at, copy_of, expected, log_of, naive_fold, time};

fn projection_of(catalog: &Catalog) -> Value {
    let mut value: Value = serde_json::from_str(&catalog.export_text().unwrap()).unwrap();
    value["_meta"].as_object_mut().unwrap().remove("updated");
    value
}

fn both(store: &str) -> [(Rules, tempfile::TempDir); 2] {
    [Rules::SessionsDb, Rules::Annals].map(|rules| (rules, copy_of(store)))
}

#[test]
fn the_main_log_folds_to_what_sessions_db_makes_of_it_and_to_the_improved_rules() {
    let spec = expected("sessions-db-projection.json");
    for (rules, folder) in both("main") {
        let catalog = CatalogOptions::new().rules(rules).open(folder.path());
        let mut wanted = spec["projection"]["value"].clone();
        wanted["_meta"].as_object_mut().unwrap().remove("updated");
        if rules == Rules::Annals {
            for change in spec["overrides"].as_array().unwrap() {
                let session = &mut wanted["sessions"][change["stable_id"].as_str().unwrap()];
                session[change["field"].as_str().unwrap()] = change["value"].clone();
            }
        }
        assert_same(&projection_of(&catalog), &wanted, "");
        assert_eq!(catalog.projection().unwrap(), naive_fold(&log_of(&catalog), rules));
        assert!(catalog.report().unwrap().is_clean());
        let meta = catalog.projection().unwrap().meta().clone();
        assert_eq!(meta.unknown_ops.into_iter().collect::<Vec<_>>(), [("session_pinned_v9".to_owned(), 2)]);
    }
}

#[test]
fn every_variant_gives_what_its_log_says_whatever_its_cache_says() {
    for variant in expected("sessions-db-variants.json")["variants"].as_array().unwrap() {
        let name = variant["directory"].as_str().unwrap().strip_prefix("sessions-db/").unwrap();
        for (rules, folder) in both(name) {
            let catalog = CatalogOptions::new().rules(rules).open(folder.path());
            let found = projection_of(&catalog);
            let wanted = &variant["projection"]["value"];
            assert_same(&found["sessions"], &wanted["sessions"], name);
            assert_eq!(found["_meta"]["event_count"], wanted["event_count"], "{name}");
            assert_eq!(found["_meta"]["last_event_id"], wanted["last_event_id"], "{name}");
            let (projection, report) = catalog.rebuild().unwrap();
            let rebuilt = &variant["rebuild"]["value"];
            assert_eq!(json!(projection.len()), rebuilt["sessionCount"], "{name}");
            assert_eq!(json!(report.events), rebuilt["eventCount"], "{name}");
            if let Some(torn) = rebuilt["toleratedCorruptions"].as_u64() {
                assert_eq!(report.torn, torn, "{name}");
            }
        }
    }
}

#[test]
fn what_is_written_behind_a_variant_counts_and_hides_nothing() {
    for variant in expected("sessions-db-variants.json")["variants"].as_array().unwrap() {
        let name = variant["directory"].as_str().unwrap().strip_prefix("sessions-db/").unwrap();
        let folder = copy_of(name);
        let catalog = Catalog::open(folder.path());
        let before = catalog.projection().unwrap();
        let seen = catalog.observe(&annals_catalog::Observation::new("new-session")).unwrap();
        assert!(seen.is_new, "{name}");
        catalog.set_alias(&seen.stable_id, Some("newcomer")).unwrap();
        for catalog in [&catalog, &Catalog::open(folder.path())] {
            let after = catalog.projection().unwrap();
            assert_eq!(after.meta().event_count, before.meta().event_count + 2, "{name}");
            assert_eq!(after.sessions().count(), before.len() + 1, "{name}");
            for session in before.sessions() {
                assert_eq!(after.get(&session.stable_id), Some(session), "{name}");
            }
        }
        // sessions-db would believe its projection; now it makes it anew.
        let shown = std::fs::read_to_string(folder.path().join("sessions-db.json")).unwrap_or_default();
        assert!(!shown.contains("sessions\":"), "{name}: {shown}");
        assert!(!folder.path().join("sessions-db.json.lock").exists(), "{name}");
    }
}

#[test]
fn finding_gives_the_sessions_in_the_order_of_sessions_db() {
    let spec = expected("sessions-db.json");
    for (rules, folder) in both("main") {
        let catalog = CatalogOptions::new().rules(rules).open(folder.path());
        for case in spec["find"].as_array().unwrap() {
            let mut wanted = Find::new();
            for (filter, value) in case["filters"].as_object().unwrap() {
                let text = value.as_str().unwrap_or_default();
                wanted = match filter.as_str() {
                    "task" => wanted.task(text),
                    "project" => wanted.project(text),
                    "alias" => wanted.alias(text),
                    "branch" => wanted.branch(text),
                    "cwd" => wanted.cwd(text),
                    "state" => wanted.state(text),
                    "outcome" => wanted.outcome(text),
                    // 0 is none for sessions-db.
                    "limit" if value == 0 => wanted,
                    "limit" => wanted.limit(usize::try_from(value.as_u64().unwrap()).unwrap()),
                    other => panic!("{other}"),
                };
            }
            let found: Vec<String> = catalog
                .find(&wanted)
                .unwrap()
                .into_iter()
                .map(|session: Session| session.stable_id)
                .collect();
            let ids = &case["ids"];
            let ids = if rules == Rules::SessionsDb {
                ids.get("original").unwrap_or(&ids["value"])
            } else {
                &ids["value"]
            };
            assert_eq!(json!(found), *ids, "{}", case["filters"]);
        }
    }
}

#[test]
fn trees_are_those_of_sessions_db() {
    let spec = expected("sessions-db.json");
    for (rules, folder) in both("main") {
        let catalog = CatalogOptions::new().rules(rules).open(folder.path());
        for case in spec["tree"].as_array().unwrap() {
            let root = case["root"].as_str().unwrap();
            let found = serde_json::to_value(catalog.descendants(root).unwrap()).unwrap();
            let json = &case["json"];
            let wanted = if rules == Rules::SessionsDb {
                json.get("original").unwrap_or(&json["value"])
            } else {
                &json["value"]
            };
            assert_same(&found, wanted, root);
        }
    }
}

#[test]
fn sweeping_changes_what_sessions_db_changes() {
    let spec = expected("sessions-db.json");
    for (rules, folder) in both("main") {
        for case in spec["sweep_dry_run"].as_array().unwrap() {
            let catalog = at(time(case["now"].as_str().unwrap())).rules(rules).open(folder.path());
            let days = |name: &str| case[name].as_f64();
            let thresholds =
                Thresholds::new(days("idle_threshold_days"), days("archive_threshold_days")).unwrap();
            let mut found = catalog.sweep_dry_run(thresholds, |_| None).unwrap();
            found.sort_by(|a, b| a.stable_id.cmp(&b.stable_id));
            let all = &case["transitions"];
            let wanted = if rules == Rules::SessionsDb {
                all.get("original").unwrap_or(&all["value"])
            } else {
                &all["value"]
            };
            assert_same(&serde_json::to_value(&found).unwrap(), wanted, "transitions");
        }
    }
}

#[test]
fn sessions_are_told_as_by_sessions_db() {
    let spec = expected("sessions-db.json");
    let folder = copy_of("main");
    for rules in [Rules::SessionsDb, Rules::Annals] {
        let projection = CatalogOptions::new().rules(rules).open(folder.path()).projection().unwrap();
        for case in spec["identity"].as_array().unwrap() {
            let (name, input) = (case["name"].as_str().unwrap(), &case["input"]);
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let (parent, cwd) = (text(&input["transcriptMeta"]["firstParentUuid"]), text(&input["cwd"]));
            let worktree = text(&input["gitContext"]["worktreeRealpath"]);
            let branch = text(&input["gitContext"]["branch"]);
            let signals = Signals {
                claude_session_id: input["claudeSessionId"].as_str().unwrap(),
                first_parent_uuid: parent.as_deref(),
                fingerprints: Fingerprints {
                    first_human_prompt_v1: text(&input["fingerprints"]["first_human_prompt_v1"])
                        .map(Into::into),
                    lineage_prefix_v1: text(&input["fingerprints"]["lineage_prefix_v1"]).map(Into::into),
                },
                first_prompt: None,
                cwd: cwd.as_deref(),
                worktree_realpath: worktree.as_deref(),
                branch: branch.as_deref(),
            };
            let found = resolve(&projection, &signals, time(input["now"].as_str().unwrap()));
            let result = &case["result"];
            let compat = rules == Rules::SessionsDb;
            let wanted =
                if compat { result.get("original").unwrap_or(&result["value"]) } else { &result["value"] };
            let id = found.stable_id.as_deref().unwrap_or("MINTED");
            assert_eq!(id, wanted["stableId"], "{name}");
            assert_eq!(json!(found.source), wanted["source"], "{name}");
            if let Some(confidence) = wanted.get("confidence") {
                assert_eq!(json!(found.source.confidence()), *confidence, "{name}");
            }
            if let Some(matched) = wanted.get("matched") {
                assert_eq!(json!(found.matched), *matched, "{name}");
            }
            if let Some(candidates) = wanted.get("parentCandidates") {
                assert_eq!(json!(found.parent_candidates), *candidates, "{name}");
                assert_eq!(
                    json!(found.parent_candidates_omitted),
                    wanted["parentCandidatesOmittedCount"],
                    "{name}"
                );
            }
            if let Some(ids) = wanted.get("parent_candidate_stable_ids") {
                let found: Vec<&str> =
                    found.parent_candidates.iter().map(|found| &*found.stable_id).collect();
                assert_eq!(json!(found), *ids, "{name}");
            }
        }
    }
}

#[test]
fn prompts_are_sanitised_as_by_sessions_db() {
    for case in expected("sessions-db.json")["sanitize_first_prompt"].as_array().unwrap() {
        let input = case["input"].as_str().unwrap();
        assert_eq!(sanitize(input), case["output"]["value"].as_str().unwrap(), "{input}");
    }
}

#[test]
fn ids_are_judged_as_by_sessions_db() {
    for case in expected("sessions-db.json")["session_ids"]["value"].as_array().unwrap() {
        let text = case["id"].as_str().unwrap();
        assert_eq!(json!(id::is_session_id(text)), case["valid"], "{text}");
        if let Some(millis) = case["unix_ms"].as_u64() {
            assert_eq!(id::timestamp_of(text), Some(millis), "{text}");
        }
    }
}
