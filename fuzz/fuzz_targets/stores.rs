//! Whatever is in the folders of picoclaw, orca and aish, or in the graph of MCP's memory server: it is read to its end, every
//! record is what stands in the file, and what is written from it reads the same.
#![no_main]

use std::fs;
use std::path::Path;

use annals_formats::mcp_memory::Graph;
use annals_formats::{ForeignSession, Layout, detect_folder, write_files};
use annals_fuzz::{orders, spoil};
use libfuzzer_sys::fuzz_target;

const PICOCLAW: &str = concat!(
    r#"{"role":"user","content":"hi","created_at":"2026-05-10T08:01:44Z"}"#,
    "\n",
    r#"{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
    "\n",
    r#"{"role":"tool","content":"done","tool_call_id":"c1"}"#,
    "\n",
    r#"{"role":"assistant","content":"thought","reasoning_content":"why"}"#,
    "\n",
);
const META: &str = r#"{"key":"cli:1","summary":"so far","skip":1,"count":4,"created_at":"2026-05-10T08:01:44Z","updated_at":"2026-05-10T08:01:44Z","aliases":["a"]}"#;
const ORCA: &str = concat!(
    r#"{"id":"s1","name":"n","created_at":1.5,"type":"session"}"#,
    "\n",
    r#"{"role":"user","content":"hi","timestamp":1779000000.25}"#,
    "\n",
    r#"{"role":"assistant","content":[{"type":"text","text":"hello"}]}"#,
    "\n",
);
const AISH: &str = concat!(
    r#"{"meta":{"session_id":"2026-05-09T23-16-07Z","model":"m"}}"#,
    "\n",
    r#"{"role":"user","content":"hi"}"#,
    "\n",
    r#"{"role":"assistant","content":"hello","ts":"2026-05-09T23:16:07Z"}"#,
    "\n",
);
const GRAPH: &str = concat!(
    r#"{"type":"entity","name":"api","entityType":"service","observations":["uses pgbouncer"]}"#,
    "\n",
    r#"{"type":"relation","from":"api","to":"db","relationType":"reads_from"}"#,
    "\n",
);

fuzz_target!(|bytes: &[u8]| {
    let (orders, rest) = orders(bytes);
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let which = orders.last().copied().unwrap_or(0) % 4;
    let (layout, source) = match which {
        0 => (Layout::Picoclaw, PICOCLAW),
        1 => (Layout::Orca, ORCA),
        2 => (Layout::Aish, AISH),
        _ => return graph(&root.join("memory.jsonl"), &spoil(GRAPH.as_bytes(), orders, rest)),
    };
    let log = spoil(source.as_bytes(), orders, rest);
    let dir = root.join("in");
    fs::create_dir(&dir).expect("a folder");
    let path = dir.join("cli_1.jsonl");
    fs::write(&path, &log).expect("write");
    if layout == Layout::Picoclaw {
        // Its other file is spoilt as well, now and then.
        let meta = if orders.first().is_some_and(|first| first & 32 == 0) { META.as_bytes() } else { rest };
        fs::write(dir.join("cli_1.meta.json"), meta).expect("write");
    }
    let _ = (Layout::detect(&dir), detect_folder(&dir).expect("detect"));
    for entry in layout.list(&dir).expect("list") {
        drop(layout.read(&entry.path).expect("read"));
    }
    let session = layout.read(&path).expect("read");
    check(&session, &log);
    for to in Layout::ALL {
        let Ok((files, _)) = to.write(&session) else { continue };
        let out = root.join(to.to_string());
        fs::create_dir(&out).expect("a folder");
        assert!(files.iter().all(|file| Path::new(&file.name).components().count() == 1));
        if !write_files(&out, &files).expect("write") {
            continue;
        }
        let entries = to.list(&out).expect("list");
        assert_eq!(entries.len(), 1, "{to}");
        let again = to.read(&entries[0].path).expect("read");
        let is_damaged = again.report.damaged() > 0 || again.report.bytes.torn > 0;
        assert!(!is_damaged, "{to}: {:?}", again.report);
        if to == layout {
            assert_eq!(again.summary, session.summary);
        }
    }
});

fn check(session: &ForeignSession, log: &[u8]) {
    assert!(session.hidden <= session.records.len());
    assert_eq!(session.report.bytes.sum(), log.len() as u64);
    assert_eq!(session.messages().count() + session.notes().count(), session.records.len());
    for record in &session.records {
        let start = usize::try_from(record.offset).expect("an offset");
        // Of a line that is not UTF-8 the bytes can't be what they were.
        if let Some(found) = log.get(start..)
            && std::str::from_utf8(log).is_ok()
        {
            let found = found.trim_ascii_start();
            assert!(found.starts_with(&record.raw), "{:?}", String::from_utf8_lossy(&record.raw));
        }
    }
}

fn graph(path: &Path, log: &[u8]) {
    fs::write(path, log).expect("write");
    let graph = Graph::open(path).expect("open");
    assert!(graph.distinct_entities().count() <= graph.entities.len());
    assert!(graph.dangling_relations().count() <= graph.relations.len());
    let all = graph.search("");
    assert_eq!(all.entities.len(), graph.distinct_entities().count());
    let names: Vec<&str> = graph.entities.iter().map(|entity| &*entity.name).collect();
    assert_eq!(graph.named(&names).entities.len(), all.entities.len());
}
