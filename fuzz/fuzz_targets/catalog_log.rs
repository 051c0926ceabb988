//! Whatever is in a catalog's log: quick and slow ways of folding agree, with and without a cache of any part of it, and what
//! is written afterwards is there.
//!
//! The first bytes are orders to spoil a real log; the rest goes in as it is.
#![no_main]

use std::fs;
use std::path::Path;

use annals_catalog::{
    Catalog, CatalogOptions, Durability, Event, Find, Observation, Projection, Rules, Thresholds, ancestors,
    descendants, find, sanitize,
};
use annals_fuzz::{orders, spoil};
use libfuzzer_sys::fuzz_target;

const LINES: [&str; 9] = [
    r#"{"ts":"2026-02-03T08:15:00.098Z","event_id":"evt_1","op":"session_seen","stable_id":"sess_1","payload":{"claude_session_id":"a","branch_at_start":"main","branch_current":"main","cwd":"/w","transcript_file":{"path":"/t","first_uuid":"f","last_uuid":"l","size":5,"mtime":"2026-02-03T08:14:58.000Z","status":"ok"},"fingerprints":{"first_human_prompt_v1":"c5e4e6f1aae7e2fa","lineage_prefix_v1":"cf7ecb961b8c6d3d"},"identity_resolution":{"source":"minted","matched":{}},"parent_candidate_ids":[{"stable_id":"sess_2"}],"parent_candidates_omitted_count":4}}"#,
    r#"{"ts":"2026-02-04T08:15:00.098Z","event_id":"evt_2","op":"session_seen","stable_id":"sess_1","payload":{"claude_session_id":"b","transcript_file":{"path":"/t","last_uuid":"m","size":6}}}"#,
    r#"{"ts":"2026-02-05T08:15:00.098Z","event_id":"evt_3","op":"session_link","stable_id":"sess_2","payload":{"tasks":["x","y"],"projects":["p"]}}"#,
    r#"{"ts":"2026-02-05T08:15:00.098Z","event_id":"evt_4","op":"session_unlink","stable_id":"sess_2","payload":{"tasks":["x"]}}"#,
    r#"{"ts":"2026-02-06T08:15:00.098Z","event_id":"evt_5","op":"alias_set","stable_id":"sess_2","payload":{"alias":"name"},"crc32":"00000000"}"#,
    r#"{"ts":"2026-02-06T08:15:00.098Z","event_id":"evt_6","op":"parent_set","stable_id":"sess_2","payload":{"parent_session_id":"sess_1"}}"#,
    r#"{"ts":"2026-02-07T08:15:00.098Z","event_id":"evt_7","op":"close","stable_id":"sess_1","payload":{"outcome":"done","closed_reason":"r"}}"#,
    r#"{"ts":"2026-02-08T08:15:00.098Z","event_id":"evt_8","op":"sweep","stable_id":"sess_1","payload":{"activity_state":"archived","effective_last_progress":"2026-02-07T08:15:00.098Z"}}"#,
    r#"{"ts":"2026-02-09T08:15:00.098Z","event_id":"evt_9","op":"manual_link","stable_id":"sess_3","payload":{"parent_candidate_ids":[{"parent_id":"sess_1"},{"id":"x"}]}}"#,
];

fuzz_target!(|bytes: &[u8]| {
    let (orders, rest) = orders(bytes);
    let source = LINES
        .map(|line| {
            line.to_owned()
                + "
"
        })
        .concat()
        .into_bytes();
    let log = spoil(&source, orders, rest);
    drop(sanitize(&String::from_utf8_lossy(rest)));
    for line in log.split(|byte| *byte == b'\n') {
        if let Some(event) = Event::parse(line) {
            let text = serde_json::to_vec(&event).expect("an event is JSON");
            let again = Event::parse(&text).expect("an event");
            // Who it happened to stays, whatever is wrong with the rest.
            assert_eq!(again.stable_id, event.stable_id);
        }
    }
    let rules = if rest.len() % 2 == 0 { Rules::Annals } else { Rules::SessionsDb };
    let folder = tempfile::tempdir().expect("a folder");
    let open = |above| {
        CatalogOptions::new()
            .rules(rules)
            .durability(Durability::Buffer)
            .threads(1)
            .cache_above(above)
            .open(folder.path())
    };
    let catalog = open(None);
    let path = catalog.log_path().to_owned();

    // A part of it first, with a cache and a living handle; then all of it.
    let part = log.len() * usize::from(orders.last().copied().unwrap_or(0)) / 255;
    fs::write(&path, &log[..part]).expect("write");
    let living = open(Some(0));
    living.rebuild().expect("rebuild");
    grow(&path, &log[part..]);
    let (truth, report) = catalog.verify().expect("verify");
    assert_eq!(truth.meta().event_count, report.events);
    for catalog in [&living, &open(Some(0)), &catalog] {
        assert_same(&catalog.projection().expect("projection"), &truth);
    }

    // A line that is none sends the others the slow way.
    if log.last().is_none_or(|byte| *byte == b'\n') {
        let slow = tempfile::tempdir().expect("a folder");
        let slow = CatalogOptions::new().rules(rules).threads(1).open(slow.path());
        fs::create_dir_all(slow.root()).expect("a folder");
        fs::write(slow.log_path(), [&log[..], b"no event\n"].concat()).expect("write");
        assert_same(&slow.projection().expect("projection"), &truth);
    }

    let seen = living.observe(&Observation::new("new").cwd("/w")).expect("observe");
    assert_eq!(open(None).observe(&Observation::new("new")).expect("observe").stable_id, seen.stable_id);
    living.sweep(Thresholds::default(), |_| None).expect("sweep");
    assert!(living.sweep(Thresholds::default(), |_| None).expect("sweep").is_empty());
    let after = check(&living);
    assert!(after.meta().event_count >= truth.meta().event_count + 2);
    assert_same(&check(&open(None)), &after);
});

fn grow(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("open");
    file.write_all(bytes).expect("write");
}

fn check(catalog: &Catalog) -> Projection {
    let projection = catalog.projection().expect("projection");
    for session in projection.sessions() {
        drop(ancestors(&projection, &session.stable_id));
        assert!(descendants(&projection, &session.stable_id).is_some());
    }
    assert_eq!(find(&projection, &Find::new()).len(), projection.len());
    drop(catalog.export_text().expect("export"));
    projection
}

fn assert_same(found: &Projection, truth: &Projection) {
    assert!(found == truth, "{found:?}\n{truth:?}");
    for session in truth.sessions() {
        assert_eq!(found.get(&session.stable_id), Some(session));
    }
}
