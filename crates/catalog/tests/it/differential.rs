//! Whatever has become of caches and whoever writes in between: the answer is that of a fold over the whole log.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use annals_catalog::{
    Catalog, CatalogOptions, Durability, Error, Event, Find, Links, Observation, Outcome, Projection, Rules,
    Thresholds, ancestors, find, resolve,
};
use proptest::prelude::*;

use crate::support::{log_of, naive_fold};

const INDEX: &str = "sessions-db-events.jsonl.annals-index";

/// One thing that is done, by one of two handles.
#[derive(Clone, Debug)]
enum Step {
    Observe(u8),
    Alias(u8, Option<u8>),
    Link(u8, u8),
    Unlink(u8, u8),
    Parent(u8, Option<u8>),
    Close(u8, usize),
    Sweep,
    /// Another program's line.
    Foreign(u8),
    /// Something happens to the cache.
    Delete,
    Cut(u16),
    Flip(u16),
    KeepCopy,
    PutBackCopy,
    OtherLogs,
    Reopen,
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<(bool, Step)>> {
    let id = 0..12_u8;
    let step = prop_oneof![
        6 => (0..40_u8).prop_map(Step::Observe),
        2 => (id.clone(), prop::option::of(0..4_u8)).prop_map(|(id, alias)| Step::Alias(id, alias)),
        2 => (id.clone(), 0..4_u8).prop_map(|(id, task)| Step::Link(id, task)),
        1 => (id.clone(), 0..4_u8).prop_map(|(id, task)| Step::Unlink(id, task)),
        3 => (id.clone(), prop::option::of(id.clone())).prop_map(|(id, parent)| Step::Parent(id, parent)),
        1 => (id.clone(), 0..6_usize).prop_map(|(id, outcome)| Step::Close(id, outcome)),
        1 => Just(Step::Sweep),
        2 => id.prop_map(Step::Foreign),
        1 => Just(Step::Delete),
        1 => any::<u16>().prop_map(Step::Cut),
        2 => any::<u16>().prop_map(Step::Flip),
        1 => Just(Step::KeepCopy),
        2 => Just(Step::PutBackCopy),
        1 => Just(Step::OtherLogs),
        2 => Just(Step::Reopen),
        1 => Just(Step::Rebuild),
    ];
    prop::collection::vec((any::<bool>(), step), 1..60)
}

fn options(rules: Rules, step: u64) -> CatalogOptions {
    // Two days a step, so that sweeping finds something.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_000_000 + step * 172_800);
    CatalogOptions::new().rules(rules).durability(Durability::Buffer).cache_above(Some(0)).clock(move || now)
}

fn nth(catalog: &Catalog, number: u8) -> Option<String> {
    let projection = catalog.projection().unwrap();
    let count = projection.len();
    (count > 0).then(|| projection.sessions().nth(usize::from(number) % count).unwrap().stable_id.clone())
}

fn task(number: u8) -> Links<'static> {
    Links { tasks: vec![format!("task-{number}.md").into()], ..Links::default() }
}

/// A catalog of other events, and as many.
fn other_cache(rules: Rules, events: u64) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let catalog = options(rules, 7).open(folder.path());
    for number in 0..events.max(1) {
        catalog.observe(&Observation::new(format!("other {number}"))).unwrap();
    }
    fs::read(folder.path().join(INDEX)).ok()
}

fn damage(index: &Path, step: &Step, copy: &mut Option<Vec<u8>>, rules: Rules, events: u64) {
    let Ok(mut bytes) = fs::read(index) else {
        if let (Step::PutBackCopy, Some(copy)) = (step, copy) {
            fs::write(index, copy).unwrap();
        }
        return;
    };
    match step {
        Step::Delete => fs::remove_file(index).unwrap(),
        // Nothing is left of it since the last cut.
        Step::Cut(_) | Step::Flip(_) if bytes.is_empty() => {}
        Step::Cut(at) => fs::write(index, &bytes[..usize::from(*at) % bytes.len()]).unwrap(),
        Step::Flip(at) => {
            let at = usize::from(*at) % bytes.len();
            bytes[at] ^= 1 << (at % 8);
            fs::write(index, bytes).unwrap();
        }
        Step::KeepCopy => *copy = Some(bytes),
        Step::PutBackCopy => {
            if let Some(copy) = copy {
                fs::write(index, copy).unwrap();
            }
        }
        Step::OtherLogs => {
            if let Some(other) = other_cache(rules, events) {
                fs::write(index, other).unwrap();
            }
        }
        _ => {}
    }
}

fn run(rules: Rules, steps: &[(bool, Step)]) {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join(INDEX);
    let mut handles = [options(rules, 0).open(folder.path()), options(rules, 0).open(folder.path())];
    let mut copy = None;
    for (number, (which, step)) in (0..).zip(steps) {
        let which = usize::from(*which);
        let catalog = &handles[which];
        match step {
            Step::Observe(id) => {
                let observation = Observation::new(format!("agent {id}")).cwd(format!("/src/{}", id % 3));
                let seen = catalog.observe(&observation).unwrap();
                let again = catalog.observe(&observation).unwrap();
                assert_eq!(seen.stable_id, again.stable_id);
                assert!(!again.is_new);
            }
            Step::Alias(id, alias) => {
                if let Some(id) = nth(catalog, *id) {
                    catalog.set_alias(&id, alias.map(|alias| format!("alias {alias}")).as_deref()).unwrap();
                }
            }
            Step::Link(id, number) => {
                if let Some(id) = nth(catalog, *id) {
                    catalog.link(&id, task(*number)).unwrap();
                }
            }
            Step::Unlink(id, number) => {
                if let Some(id) = nth(catalog, *id) {
                    catalog.unlink(&id, task(*number)).unwrap();
                }
            }
            Step::Parent(id, parent) => {
                if let Some(id) = nth(catalog, *id) {
                    let parent = parent.and_then(|parent| nth(catalog, parent));
                    match catalog.set_parent(&id, parent.as_deref()) {
                        Ok(_) | Err(Error::OwnParent | Error::Cycle { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Step::Close(id, outcome) => {
                if let Some(id) = nth(catalog, *id) {
                    catalog.close(&id, Outcome::ALL[*outcome], Some("reason")).unwrap();
                }
            }
            Step::Sweep => {
                catalog.sweep(Thresholds::default(), |_| None).unwrap();
                assert_eq!(catalog.sweep(Thresholds::default(), |_| None).unwrap(), []);
            }
            Step::Foreign(id) => {
                if let Some(id) = nth(catalog, *id) {
                    let line = format!(
                        r#"{{"ts":"2026-05-29T00:00:00.000Z","event_id":"evt_x","op":"alias_set","stable_id":"{id}","payload":{{"alias":"foreign {number}"}}}}"#
                    );
                    let mut log = log_of(catalog);
                    log.extend_from_slice(line.as_bytes());
                    log.push(b'\n');
                    fs::write(catalog.log_path(), log).unwrap();
                }
            }
            Step::Reopen => {}
            Step::Rebuild => {
                if catalog.exists().unwrap() {
                    catalog.rebuild().unwrap();
                }
            }
            other => {
                let events = catalog.projection().unwrap().meta().event_count;
                damage(&index, other, &mut copy, rules, events);
            }
        }
        if matches!(step, Step::Reopen) || number % 7 == 0 {
            handles[which] = options(rules, number).open(folder.path());
        }
        if handles[0].exists().unwrap() {
            let truth = naive_fold(&log_of(&handles[0]), rules);
            assert_no_cycle(&truth);
            let fresh = options(rules, number).open(folder.path());
            for catalog in [&handles[0], &handles[1], &fresh] {
                assert_same(&catalog.projection().unwrap(), &truth);
            }
        }
    }
}

/// Every way of asking gives the same answer.
fn assert_same(found: &Projection, truth: &Projection) {
    assert_eq!(found, truth);
    assert_eq!(find(found, &Find::new()), find(truth, &Find::new()));
    for session in truth.sessions() {
        assert_eq!(found.get(&session.stable_id).as_deref(), Some(&*session));
        let id = &session.stable_id;
        assert_eq!(found.ids_with_prefix(id, 5).as_slice(), std::slice::from_ref(id));
        assert!(
            found
                .children_of(id)
                .eq(truth.sessions().filter(|child| child.parent_session_id.as_ref() == Some(id)))
        );
        if let Some(alias) = &session.alias {
            let with_alias = truth.sessions().filter(|other| other.alias.as_ref() == Some(alias));
            assert!(found.with_alias(alias).eq(with_alias));
        }
        for agents in &session.claude_session_ids {
            let signals = annals_catalog::Signals { claude_session_id: agents, ..Default::default() };
            let now = SystemTime::UNIX_EPOCH;
            assert_eq!(resolve(found, &signals, now), resolve(truth, &signals, now));
            assert_eq!(resolve(found, &signals, now).stable_id.as_ref(), Some(id));
        }
    }
}

fn assert_no_cycle(projection: &Projection) {
    for session in projection.sessions() {
        let above = ancestors(projection, &session.stable_id);
        assert!(above.iter().all(|ancestor| ancestor.stable_id != session.stable_id));
        // Ends at one without a parent.
        let top = above.last().unwrap_or(&session);
        assert_eq!(top.parent_session_id, None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn two_handles_and_any_cache_give_the_fold_of_the_log(steps in steps(), is_compat in any::<bool>()) {
        run(if is_compat { Rules::SessionsDb } else { Rules::Annals }, &steps);
    }

    #[test]
    fn folding_on_is_folding_all(events in prop::collection::vec((0..4_u8, 0..8_u8), 0..40), at in 0..40_usize) {
        let events: Vec<Event<'_>> = events.iter().enumerate().map(|(number, (id, kind))| event(number, *id, *kind)).collect();
        let (first, rest) = events.split_at(at.min(events.len()));
        for rules in [Rules::Annals, Rules::SessionsDb] {
            let mut projection = Projection::fold(rules, first);
            rest.iter().for_each(|event| projection.apply(event));
            prop_assert_eq!(&projection, &Projection::fold(rules, &events));
        }
    }
}

fn event(number: usize, id: u8, kind: u8) -> Event<'static> {
    let (op, payload) = match kind {
        0 => ("session_seen", r#"{"claude_session_id":"a","branch_current":"main","cwd":"/w"}"#),
        1 => ("session_link", r#"{"tasks":["a","b"],"projects":["p"]}"#),
        2 => ("session_unlink", r#"{"tasks":["a"]}"#),
        3 => ("alias_set", r#"{"alias":null}"#),
        4 => ("close", r#"{"outcome":"done"}"#),
        5 => {
            ("sweep", r#"{"activity_state":"archived","effective_last_progress":"2027-01-01T00:00:00.000Z"}"#)
        }
        6 => ("close", r#"{"outcome":"open","closed_reason":null}"#),
        _ => ("pinned", "{}"),
    };
    let line = format!(
        r#"{{"ts":"2026-01-01T00:00:{:02}.000Z","event_id":"evt_{number}","op":"{op}","stable_id":"sess_{id}","payload":{payload}}}"#,
        (number * 7) % 60
    );
    Event::parse(line.as_bytes()).unwrap().into_owned()
}
