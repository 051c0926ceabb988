//! Changes to sessions: what is written, what is refused, who is meant.

use annals_catalog::{
    Catalog, Change, Error, Find, Links, Node, Observation, Op, Outcome, Setting, Thresholds, Tree, id,
};
use serde_json::{Value, json};

use crate::support::{at, copy_of, log_of, time};

/// A catalog of so many sessions, and their ids.
fn of(count: usize) -> (tempfile::TempDir, Catalog, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(folder.path());
    let see = |number| catalog.observe(&Observation::new(format!("agent {number}"))).unwrap().stable_id;
    let ids = (0..count).map(see).collect();
    (folder, catalog, ids)
}

fn last_line(catalog: &Catalog) -> Value {
    let log = log_of(catalog);
    let line = log.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').next_back().unwrap();
    serde_json::from_slice(line).unwrap()
}

fn links(tasks: &[&'static str], projects: &[&'static str]) -> Links<'static> {
    let owned = |names: &[&'static str]| names.iter().map(|name| (*name).into()).collect();
    Links { tasks: owned(tasks), projects: owned(projects) }
}

#[test]
fn each_change_is_one_line_as_sessions_db_writes_it() {
    let (_folder, catalog, ids) = of(2);
    let child = &ids[0];
    let cases: [(&str, Change, Value); 9] = [
        ("alias_set", Change::alias(Some("relay")).unwrap(), json!({"alias": "relay"})),
        ("alias_set", Change::alias(None).unwrap(), json!({"alias": null})),
        (
            "session_link",
            Change::link(links(&["a.md", "b.md", "a.md", ""], &["p"])).unwrap(),
            json!({"tasks": ["a.md", "b.md"], "projects": ["p"]}),
        ),
        ("session_unlink", Change::unlink(links(&["a.md"], &[])).unwrap(), json!({"tasks": ["a.md"]})),
        ("parent_set", Change::parent(Some(&ids[1])).unwrap(), json!({"parent_session_id": ids[1]})),
        ("parent_set", Change::parent(None).unwrap(), json!({"parent_session_id": null})),
        ("close", Change::close(Outcome::Done, None), json!({"outcome": "done"})),
        (
            "close",
            Change::close(Outcome::Blocked, Some("no \"key\"")),
            json!({"outcome": "blocked", "closed_reason": "no \"key\""}),
        ),
        ("close", Change::close(Outcome::Open, None), json!({"outcome": "open"})),
    ];
    for (op, change, payload) in cases {
        let before = log_of(&catalog);
        let dry = catalog.dry_run(child, change.clone()).unwrap();
        assert_eq!(log_of(&catalog), before, "a dry run writes nothing");
        let event = catalog.change(child, change).unwrap();
        assert_eq!((&dry.stable_id, &dry.op), (&event.stable_id, &event.op));
        let line = last_line(&catalog);
        assert_eq!(line["op"], op);
        assert_eq!(line["stable_id"], *child);
        assert_eq!(line["payload"], payload);
        assert_eq!(line["event_id"], **event.event_id.as_ref().unwrap());
        assert!(id::timestamp_of(line["event_id"].as_str().unwrap()).is_some());
        assert!(line["ts"].as_str().unwrap().ends_with('Z') && line["ts"].as_str().unwrap().len() == 24);
    }
    let session = catalog.session(child).unwrap();
    assert_eq!((session.tasks, session.projects), (vec!["b.md".to_owned()], vec!["p".to_owned()]));
    assert_eq!((session.closed_at, session.closed_reason.as_deref()), (None, Some("no \"key\"")));
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_is_written() {
    let (_folder, catalog, ids) = of(4);
    catalog.set_parent(&ids[1], Some(&ids[0])).unwrap();
    catalog.set_parent(&ids[2], Some(&ids[1])).unwrap();
    catalog.set_parent(&ids[3], Some(&ids[2])).unwrap();
    let before = log_of(&catalog);
    assert!(matches!(catalog.set_parent(&ids[0], Some(&ids[0])), Err(Error::OwnParent)));
    assert!(matches!(catalog.set_parent(&ids[0], Some(&ids[1])), Err(Error::Cycle { hops: 1, .. })));
    assert!(matches!(catalog.set_parent(&ids[0], Some(&ids[3])), Err(Error::Cycle { hops: 3, .. })));
    assert!(matches!(catalog.set_parent(&ids[0], Some("sess_nobody")), Err(Error::NotFound { .. })));
    assert!(matches!(catalog.set_alias("sess_nobody", Some("x")), Err(Error::NotFound { .. })));
    assert!(matches!(catalog.set_alias(&ids[0], Some("")), Err(Error::Empty { .. })));
    assert!(matches!(catalog.link(&ids[0], links(&[""], &[])), Err(Error::Empty { .. })));
    assert!(matches!(catalog.observe(&Observation::new("")), Err(Error::Empty { .. })));
    assert!(matches!("finished".parse::<Outcome>(), Err(Error::UnknownOutcome { .. })));
    for (idle, archive) in
        [(Some(0.0), None), (Some(-1.0), None), (None, Some(f64::NAN)), (Some(9.0), Some(3.0))]
    {
        assert!(matches!(Thresholds::new(idle, archive), Err(Error::Thresholds { .. })));
    }
    assert_eq!(log_of(&catalog), before);
}

#[test]
fn a_session_is_meant_by_its_id_the_beginning_of_it_or_an_alias() {
    let folder = copy_of("main");
    let catalog = Catalog::open(folder.path());
    let id = "sess_019c2291-b3df-7245-90e5-aec56f364e80";
    for name in [id, "sess_019c2291", "019c2291", "early-bird"] {
        assert_eq!(catalog.session(name).unwrap().stable_id, id, "{name}");
    }
    // Two have this alias, and many begin so.
    for name in ["hub", "sess_019", "sess_"] {
        let Err(Error::Ambiguous { candidates, .. }) = catalog.session(name) else { panic!("{name}") };
        assert!(candidates.len() >= 2, "{name}");
    }
    assert!(matches!(catalog.session(""), Err(Error::Empty { .. })));
    assert!(matches!(catalog.session("nobody"), Err(Error::NotFound { .. })));
    assert!(matches!(catalog.session("../x"), Err(Error::NotFound { .. })));
}

#[test]
fn a_whole_life() {
    let (_folder, catalog, ids) = of(2);
    let id = &ids[0];
    catalog.set_alias(id, Some("life")).unwrap();
    catalog.link("life", links(&["t"], &[])).unwrap();
    catalog.set_parent("life", Some(&ids[1])).unwrap();
    catalog.close("life", Outcome::Merged, Some("into main")).unwrap();
    let closed = catalog.session(id).unwrap();
    assert_eq!((&*closed.outcome, closed.closed_at.is_some()), ("merged", true));
    catalog.close("life", Outcome::Open, None).unwrap();
    assert_eq!(catalog.session(id).unwrap().closed_at, None);
    let Tree { node: Node::Session { children, .. }, .. } = catalog.descendants(&ids[1]).unwrap() else {
        panic!()
    };
    assert_eq!(children[0].stable_id, *id);
    let above: Vec<String> =
        catalog.ancestors(id).unwrap().into_iter().map(|session| session.stable_id).collect();
    assert_eq!(above, [ids[1].clone()]);
    assert_eq!(catalog.find(&Find::new().task("t").outcome("open")).unwrap().len(), 1);
    assert_eq!(catalog.find(&Find::new().limit(0)).unwrap().len(), 0);
}

#[test]
fn sweeping_takes_a_session_from_active_to_archived_and_seeing_it_takes_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let open = |day: u64| {
        let start = time("2026-01-01T00:00:00Z");
        at(start + std::time::Duration::from_secs(day * 86_400)).open(folder.path())
    };
    let id = open(0).observe(&Observation::new("agent")).unwrap().stable_id;
    let state = |day| open(day).session(&id).unwrap().activity_state;
    let sweep = |day| open(day).sweep(Thresholds::default(), |_| None).unwrap();
    assert_eq!(sweep(13), []);
    assert_eq!((sweep(14)[0].to_state, sweep(14).len()), ("idle", 0));
    assert_eq!((sweep(30)[0].age_days, &*state(30)), (30, "archived"));
    assert_eq!(sweep(400), []);
    // Its last progress is not what sweeping did.
    assert_eq!(open(30).session(&id).unwrap().last_progress_at, "2026-01-01T00:00:00.000Z");
    assert!(!open(401).observe(&Observation::new("agent")).unwrap().is_new);
    assert_eq!(state(401), "active");
}

#[test]
fn a_transcript_that_is_still_written_keeps_its_session_active() {
    let folder = tempfile::tempdir().unwrap();
    let transcript = folder.path().join("t.jsonl");
    std::fs::write(&transcript, "{\"type\":\"user\",\"uuid\":\"u\"}\n").unwrap();
    let meta = annals_catalog::TranscriptMeta::read(&transcript).unwrap();
    let catalog = at(time("2020-01-01T00:00:00Z")).open(folder.path().join("c"));
    let mut meta = meta;
    meta.mtime = Some(time("2020-01-01T00:00:00Z"));
    catalog.observe(&Observation::new("agent").transcript(meta)).unwrap();
    let later = at(time("2020-03-01T00:00:00Z")).open(folder.path().join("c"));
    assert_eq!(later.sweep_dry_run(Thresholds::default(), |_| None).unwrap()[0].to_state, "archived");
    let changed = |path: &str| std::fs::metadata(path).ok()?.modified().ok();
    assert_eq!(later.sweep_dry_run(Thresholds::default(), changed).unwrap(), []);
}

#[test]
fn an_event_may_be_as_long_as_a_line() {
    let (_folder, catalog, ids) = of(1);
    let reason = "é".repeat(2 << 20);
    let event = catalog.close(&ids[0], Outcome::Done, Some(&reason)).unwrap();
    assert_eq!(
        event.op,
        Op::Close { outcome: Some("done".into()), reason: Setting::Set(reason.clone().into()) }
    );
    assert_eq!(Catalog::open(catalog.root()).session(&ids[0]).unwrap().closed_reason, Some(reason));
    let too_long = "x".repeat(jsonl_core::MAX_LINE_LEN);
    let before = log_of(&catalog).len();
    assert!(matches!(catalog.set_alias(&ids[0], Some(&too_long)), Err(Error::Log(_))));
    assert_eq!(log_of(&catalog).len(), before);
    catalog.set_alias(&ids[0], Some("goes on")).unwrap();
}

#[cfg(unix)]
#[test]
fn files_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a/b");
    let catalog = annals_catalog::CatalogOptions::new().cache_above(Some(0)).open(&root);
    let made = catalog.init().unwrap();
    assert!(made.folder && made.events && made.projection);
    let again = catalog.init().unwrap();
    assert!(!again.folder && !again.events && !again.projection);
    catalog.observe(&Observation::new("agent")).unwrap();
    assert_eq!(std::fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
    let mut count = 0;
    for entry in std::fs::read_dir(&root).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        count += 1;
    }
    // The log, the projection, the cache; and who held the lock last.
    assert!(count >= 3);
}

#[test]
fn reading_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(folder.path().join("none"));
    assert_eq!(catalog.projection().unwrap().len(), 0);
    assert_eq!(catalog.find(&Find::new()).unwrap(), []);
    assert_eq!(catalog.sweep(Thresholds::default(), |_| None).unwrap(), []);
    assert!(matches!(catalog.verify(), Err(Error::NoCatalog { .. })));
    assert!(matches!(catalog.rebuild(), Err(Error::NoCatalog { .. })));
    assert!(catalog.watch().unwrap().next_within(std::time::Duration::from_millis(60)).unwrap().is_none());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
