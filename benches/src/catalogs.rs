//! Catalogs, beside what sessions-db does for each event, and beside reading all events for each question.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use annals_catalog::{Catalog, CatalogOptions, EVENTS, Find, Observation, Rules};
use serde_json::{Map, Value, json};

use annals_benches::corpus::{Random, Size};
use annals_benches::measure::{Table, Target, Work, side};

pub(crate) fn run(folder: &Path, size: Size, table: &mut Table) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let (counts, events): (&[u64], u64) = match size {
        Size::Least => (&[10, 100], 500),
        Size::Quick => (&[100, 2_000], 10_000),
        Size::Full => (&[100, 10_000, 100_000], 100_000),
    };
    for count in counts {
        one_event(folder.path(), *count, table);
    }
    flat(folder.path(), counts, table);
    rebuild(folder.path(), events, table);
    find(folder.path(), counts[1], table);
}

/// A log of so many sessions, each with a few events, as sessions-db writes it.
pub(crate) fn write_log(root: &Path, sessions: u64, events: u64) {
    fs::create_dir_all(root).unwrap();
    let mut out = std::io::BufWriter::new(File::create(root.join(EVENTS)).unwrap());
    let mut random = Random(17);
    for number in 0..events {
        let session = if number < sessions { number } else { random.below(sessions as usize) as u64 };
        let ts = format!(
            "2026-{:02}-{:02}T{:02}:{:02}:00.{:03}Z",
            1 + number % 9,
            1 + session % 28,
            number % 24,
            session % 60,
            number % 1000
        );
        let (op, payload) = match number {
            _ if number < sessions => ("session_seen", seen(session, random.below(9))),
            _ => match random.below(8) {
                0 => ("alias_set", json!({"alias": format!("alias {}", session % 500)})),
                1 => (
                    "session_link",
                    json!({"tasks": [format!("task-{}.md", session % 90)], "projects": ["harbour"]}),
                ),
                2 => ("close", json!({"outcome": "done", "closed_reason": "shipped"})),
                3 => ("sweep", json!({"activity_state": "idle", "effective_last_progress": ts})),
                _ => ("session_seen", seen(session, random.below(9))),
            },
        };
        let line = json!({
            "ts": ts, "event_id": format!("evt_019c2291-b426-7ed5-93a2-{number:012x}"), "op": op,
            "stable_id": stable_id(session), "payload": payload,
        });
        writeln!(out, "{line}").unwrap();
    }
    out.flush().unwrap();
}

fn stable_id(session: u64) -> String {
    format!("sess_019c2291-b3df-7245-90e5-{session:012x}")
}

fn seen(session: u64, place: usize) -> Value {
    let cwd = format!("/home/u/src/project-{}/crates/{place}", session % 40);
    json!({
        "claude_session_id": format!("ad56034b-bf74-4e21-ad59-{session:012x}"), "cwd": cwd, "branch_at_start": "main",
        "branch_current": format!("feat/{}", session % 70), "head_at_start": "27c87fcef6b94c1228a3f214d89b071a1f389947",
        "head_last_seen": "27c87fcef6b94c1228a3f214d89b071a1f389947", "worktree_path_observed": cwd,
        "worktree_realpath": cwd, "worktree_registry_name": null, "git_common_dir": "/home/u/src/.git",
        "transcript_file": {
            "path": format!("/home/u/.claude/projects/-home-u-src/{session:012x}.jsonl"), "first_uuid": format!("first-{session}"),
            "last_uuid": format!("last-{session}"), "size": 59529, "mtime": "2026-02-03T08:14:58.000Z", "status": "ok",
        },
        "fingerprints": {"first_human_prompt_v1": format!("{:016x}", session % 3000), "lineage_prefix_v1": format!("{session:016x}")},
        "first_prompt_preview": format!("Why does the 05:20 departure vanish from import {}?", session % 3000),
        "identity_resolution": {"source": "minted", "confidence": "minted", "matched": {}},
    })
}

/// What sessions-db does: the projection as one JSON text, read and written whole, under a lock file.
struct SessionsDb {
    root: PathBuf,
}

impl SessionsDb {
    fn projection(&self) -> PathBuf {
        self.root.join("sessions-db.json")
    }

    /// By the log, as when the projection is missing.
    fn rebuild(&self) -> Value {
        let mut projection = json!({"_meta": {"event_count": 0}, "sessions": {}});
        for line in BufReader::new(File::open(self.root.join(EVENTS)).unwrap()).lines() {
            apply(&mut projection, &serde_json::from_str(&line.unwrap()).unwrap());
        }
        projection
    }

    fn load(&self) -> Value {
        serde_json::from_slice(&fs::read(self.projection()).unwrap()).unwrap()
    }

    fn save(&self, projection: &Value) {
        let temporary = self.root.join("sessions-db.json.tmp.1");
        let mut file = File::create(&temporary).unwrap();
        file.write_all(&serde_json::to_vec_pretty(projection).unwrap()).unwrap();
        file.sync_all().unwrap();
        fs::rename(temporary, self.projection()).unwrap();
    }

    fn locked<R>(&self, work: impl FnOnce() -> R) -> R {
        let lock = self.root.join("sessions-db.json.lock");
        OpenOptions::new().write(true).create_new(true).open(&lock).unwrap().write_all(b"1\tnow\n").unwrap();
        let result = work();
        fs::remove_file(lock).unwrap();
        result
    }

    fn append(&self, event: &Value) {
        let mut file = OpenOptions::new().append(true).open(self.root.join(EVENTS)).unwrap();
        file.write_all(format!("{event}\n").as_bytes()).unwrap();
    }

    /// Append, then load, apply, save under the lock.
    fn event(&self, event: &Value) -> u64 {
        self.append(event);
        self.locked(|| {
            let mut projection = self.load();
            apply(&mut projection, event);
            self.save(&projection);
            projection["_meta"]["event_count"].as_u64().unwrap()
        })
    }

    /// Load, look through all sessions, append, apply, save: all under the lock.
    fn observe(&self, agent: &str, cwd: &str) -> u64 {
        self.locked(|| {
            let mut projection = self.load();
            let sessions = projection["sessions"].as_object().unwrap();
            let has_it = |session: &&Value| session["claude_session_ids"].as_array().unwrap().iter().any(|id| id == agent);
            let id = sessions.values().find(has_it).map(|session| session["stable_id"].as_str().unwrap().to_owned());
            let event = json!({
                "ts": "2026-11-20T08:00:00.000Z", "event_id": "evt_1", "op": "session_seen",
                "stable_id": id.unwrap_or_else(|| format!("sess_{agent}")),
                "payload": {"claude_session_id": agent, "cwd": cwd, "identity_resolution": {"source": "minted"}},
            });
            self.append(&event);
            apply(&mut projection, &event);
            self.save(&projection);
            projection["_meta"]["event_count"].as_u64().unwrap()
        })
    }
}

/// Its reducer, for the operations of the corpus.
fn apply(projection: &mut Value, event: &Value) {
    let id = event["stable_id"].as_str().unwrap();
    let (op, ts, payload) = (event["op"].as_str().unwrap(), &event["ts"], &event["payload"]);
    let session = projection["sessions"].as_object_mut().unwrap().entry(id).or_insert_with(|| {
        json!({
            "stable_id": id, "alias": null, "claude_session_ids": [], "transcript_files": [], "fingerprints": {},
            "tasks": [], "projects": [], "activity_state": "active", "outcome": "open", "closed_at": null,
            "closed_reason": null, "created_at": ts, "last_progress_at": ts,
        })
    });
    match op {
        "session_seen" => see(session.as_object_mut().unwrap(), payload),
        "alias_set" => session["alias"] = payload["alias"].clone(),
        "session_link" => {
            for list in ["tasks", "projects"] {
                for name in payload[list].as_array().into_iter().flatten() {
                    add(session[list].as_array_mut().unwrap(), name);
                }
            }
        }
        "close" => {
            session["outcome"] = payload["outcome"].clone();
            session["closed_at"] = ts.clone();
            session["closed_reason"] = payload["closed_reason"].clone();
        }
        "sweep" => {
            session["activity_state"] = payload["activity_state"].clone();
            raise(session, &payload["effective_last_progress"]);
        }
        _ => {}
    }
    if op != "sweep" {
        raise(session, ts);
    }
    let meta = &mut projection["_meta"];
    meta["event_count"] = json!(meta["event_count"].as_u64().unwrap() + 1);
    meta["last_event_id"] = event["event_id"].clone();
}

fn see(session: &mut Map<String, Value>, payload: &Value) {
    add(session["claude_session_ids"].as_array_mut().unwrap(), &payload["claude_session_id"]);
    if !payload["transcript_file"].is_null() {
        let files = session["transcript_files"].as_array_mut().unwrap();
        match files.iter_mut().find(|file| file["path"] == payload["transcript_file"]["path"]) {
            Some(file) => *file = payload["transcript_file"].clone(),
            None => files.push(payload["transcript_file"].clone()),
        }
    }
    for last in [
        "worktree_path_observed",
        "worktree_realpath",
        "git_common_dir",
        "branch_current",
        "head_last_seen",
        "identity_resolution",
    ] {
        if !payload[last].is_null() {
            session.insert(last.to_owned(), payload[last].clone());
        }
    }
    for first in ["branch_at_start", "head_at_start", "first_prompt_preview", "cwd", "fingerprints"] {
        let is_new = session.get(first).is_none_or(|value| value.is_null() || *value == json!({}));
        if is_new && !payload[first].is_null() {
            session.insert(first.to_owned(), payload[first].clone());
        }
    }
}

fn add(list: &mut Vec<Value>, value: &Value) {
    if !list.contains(value) {
        list.push(value.clone());
    }
}

fn raise(session: &mut Value, time: &Value) {
    if time.as_str() > session["last_progress_at"].as_str() {
        session["last_progress_at"] = time.clone();
    }
}

/// A store of ours and one of theirs, with the same events.
fn both(folder: &Path, sessions: u64) -> (Catalog, SessionsDb) {
    let (ours, theirs) = (folder.join(format!("ours-{sessions}")), folder.join(format!("theirs-{sessions}")));
    if !ours.exists() {
        for root in [&ours, &theirs] {
            write_log(root, sessions, sessions + sessions / 5);
        }
    }
    let theirs = SessionsDb { root: theirs };
    theirs.save(&theirs.rebuild());
    // sessions-db's rules, as the other side has them.
    (CatalogOptions::new().rules(Rules::SessionsDb).open(ours), theirs)
}

fn count(catalog: &Catalog) -> u64 {
    catalog.with_projection(|projection| projection.meta().event_count).unwrap()
}

fn one_event(folder: &Path, sessions: u64, table: &mut Table) {
    let jobs =
        [format!("catalog event, {sessions} sessions"), format!("catalog observation, {sessions} sessions")];
    if !jobs.iter().any(|job| table.wants(job)) {
        return;
    }
    let (ours, theirs) = both(folder, sessions);
    let target = Target::AtLeast(match sessions {
        ..10_000 => 1.0,
        10_000..100_000 => 100.0,
        _ => 1000.0,
    });
    let [event, observation] = jobs;
    let id = stable_id(sessions / 2);
    table.compare(
        &event,
        Work::Records(1),
        side("ours", || {
            ours.set_alias(&id, Some("relay")).unwrap();
            count(&ours)
        }),
        side("sessions-db's scheme", || {
            theirs.event(&json!({
                "ts": "2026-11-20T08:00:00.000Z", "event_id": "evt_1", "op": "alias_set", "stable_id": id,
                "payload": {"alias": "relay"},
            }))
        }),
        target,
    );
    // The job before may not have run.
    theirs.save(&theirs.rebuild());
    let (mine, their) = (Cell::new(0), Cell::new(0));
    let extra = count(&ours) - theirs.load()["_meta"]["event_count"].as_u64().unwrap();
    table.compare(
        &observation,
        Work::Records(1),
        side("ours", || {
            mine.set(mine.get() + 1);
            ours.observe(&Observation::new(format!("new-{}", mine.get())).cwd("/home/u/src")).unwrap();
            count(&ours) - extra
        }),
        side("sessions-db's scheme", || {
            their.set(their.get() + 1);
            theirs.observe(&format!("new-{}", their.get()), "/home/u/src")
        }),
        target,
    );
}

/// The same event among few sessions and among many.
fn flat(folder: &Path, counts: &[u64], table: &mut Table) {
    let (Some(few), Some(many)) = (counts.first(), counts.last()) else { return };
    let job = format!("catalog event, {many} against {few}");
    if !table.wants(&job) {
        return;
    }
    let times = 200;
    let [small, large] = [*few, *many].map(|count| (both(folder, count).0, stable_id(count / 2)));
    let write = |(catalog, id): &(Catalog, String)| {
        for number in 0..times {
            catalog.set_alias(id, Some(&format!("alias {number}"))).unwrap();
        }
        times
    };
    table.compare(
        &job,
        Work::Records(times),
        side("ours", || write(&large)),
        side("ours, few sessions", || write(&small)),
        Target::TimeAtMost(1.5),
    );
}

fn rebuild(folder: &Path, events: u64, table: &mut Table) {
    let job = format!("catalog rebuild, {events} events");
    if !table.wants(&job) {
        return;
    }
    let root = folder.join("rebuild");
    write_log(&root, events / 5, events);
    let catalog = CatalogOptions::new().rules(Rules::SessionsDb).open(&root);
    let theirs = SessionsDb { root };
    let last = |time: &str, latest: &mut String| {
        if time > latest.as_str() {
            *latest = time.to_owned();
        }
    };
    table.compare(
        &job,
        Work::Records(events),
        side("ours", || {
            let (projection, report) = catalog.verify().unwrap();
            let (mut idle, mut latest) = (0, String::new());
            for session in projection.sessions() {
                idle += usize::from(session.activity_state == "idle");
                last(&session.last_progress_at, &mut latest);
            }
            (report.events, projection.len(), idle, latest)
        }),
        side("naive fold", || {
            let projection = theirs.rebuild();
            let sessions = projection["sessions"].as_object().unwrap();
            let (mut idle, mut latest) = (0, String::new());
            for session in sessions.values() {
                idle += usize::from(session["activity_state"] == "idle");
                last(session["last_progress_at"].as_str().unwrap(), &mut latest);
            }
            (projection["_meta"]["event_count"].as_u64().unwrap(), sessions.len(), idle, latest)
        }),
        Target::AtLeast(3.0),
    );
}

/// The newest 50 of a branch, by a program that has just started.
fn find(folder: &Path, sessions: u64, table: &mut Table) {
    let job = format!("catalog find, {sessions} sessions, cold");
    if !table.wants(&job) {
        return;
    }
    let (ours, theirs) = both(folder, sessions);
    let open = || CatalogOptions::new().rules(Rules::Annals).open(ours.root());
    // What is known already is known by one of the two rules.
    open().rebuild().unwrap();
    theirs.save(&theirs.rebuild());
    let branch = "feat/7";
    table.compare(
        &job,
        Work::Records(sessions),
        side("ours", || {
            let found = open().find(&Find::new().branch(branch).limit(50)).unwrap();
            found.into_iter().map(|session| session.last_progress_at).collect::<Vec<_>>()
        }),
        side("sessions-db's scheme", || {
            let projection = theirs.load();
            let mut found: Vec<String> = projection["sessions"]
                .as_object()
                .unwrap()
                .values()
                .filter(|session| session["branch_current"] == branch || session["branch_at_start"] == branch)
                .map(|session| session["last_progress_at"].as_str().unwrap().to_owned())
                .collect();
            found.sort_by(|a, b| b.cmp(a));
            found.truncate(50);
            found
        }),
        Target::AtLeast(2.0),
    );
}
