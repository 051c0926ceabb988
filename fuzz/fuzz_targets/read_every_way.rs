//! Whatever the bytes: every way of reading finds the same records, and every byte is accounted for.
#![no_main]

use jsonl_core::{ReadOptions, RepairOptions, Source, Verdict};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, bytes).expect("a file");
    let options = ReadOptions::new().threads(1).max_line_len(200);
    let log = options.clone().open(&path).expect("open");
    let loaded = log.load::<Value>().expect("load");
    assert_eq!(loaded.report.bytes.sum(), bytes.len() as u64);
    let mapped = options.source(Source::Map).open(&path).expect("map");
    let mapped_loaded = mapped.load::<Value>().expect("load mapped");
    assert_eq!(mapped_loaded.records, loaded.records);
    assert_eq!(mapped_loaded.report, loaded.report);
    let verified = log.verify().expect("verify");
    assert_eq!((verified.records, verified.bytes), (loaded.report.records, loaded.report.bytes));
    let forwards: Vec<_> = log.lines().map(|line| line.expect("line")).collect();
    let mut backwards: Vec<_> = mapped.lines().rev().map(|line| line.expect("line")).collect();
    backwards.reverse();
    assert_eq!(forwards.len(), backwards.len());
    for (front, back) in forwards.iter().zip(&backwards) {
        assert_eq!((front.offset, front.len, &front.bytes), (back.offset, back.len, &back.bytes));
    }
    let is_record = |line: &&jsonl_core::Line| matches!(line.verdict(), Verdict::Record { .. });
    assert_eq!(forwards.iter().filter(is_record).count() as u64, verified.records);
    assert_eq!(log.tail::<Value>(usize::MAX).expect("tail").records, loaded.records);
    RepairOptions::new().max_line_len(200).repair(&path).expect("repair");
    let repaired = jsonl_core::Log::open(&path).expect("open").load::<Value>().expect("load");
    assert!(repaired.report.is_clean() && !repaired.report.unterminated);
    assert_eq!(repaired.records, loaded.records);
});
