//! Whatever a log holds: a record that is appended is found, and nothing that was found before is lost.
#![no_main]

use jsonl_core::{Durability, Log, WriteOptions};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, bytes).expect("a file");
    let before = Log::open(&path).expect("open").load::<Value>().expect("load").records;
    let record = json!({"appended": "a record", "n": 1});
    let log = WriteOptions::new().durability(Durability::Buffer).open(&path).expect("open to write");
    let appended = log.append(&record).expect("append");
    log.close().expect("close");
    let after = std::fs::read(&path).expect("read");
    assert!(after.starts_with(bytes), "nothing that was there is changed");
    assert!(appended.offset <= bytes.len() as u64 + 1);
    let loaded = Log::open(&path).expect("open").load::<Value>().expect("load");
    assert_eq!(loaded.report.bytes.sum(), after.len() as u64);
    assert_eq!(loaded.records.last(), Some(&record));
    assert_eq!(&loaded.records[..loaded.records.len() - 1], &before[..]);
});
