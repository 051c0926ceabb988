//! Whatever the bytes: every way of reading finds the same records, and every byte is accounted for.
#![no_main]

use jsonl_core::{ReadOptions, RepairOptions, Source, Verdict};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What a program asks for: members that it knows, some of them maybe missing, and others that it doesn't.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Turn {
    role: String,
    #[serde(default)]
    n: Option<u64>,
}

/// The same, out of the bytes of the file.
#[derive(Debug, Deserialize)]
struct Borrowed<'a> {
    #[serde(borrow)]
    role: std::borrow::Cow<'a, str>,
    #[serde(default)]
    n: Option<u64>,
}

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
    // Parsed into a type, borrowed, kept as text, on several threads: what is a record stays one, and what isn't, isn't.
    let texts = log.load::<Box<RawValue>>().expect("load texts");
    assert_eq!((texts.report.records, texts.report.bytes), (loaded.report.records, loaded.report.bytes));
    // A number may be too large for a `Value`.
    if loaded.report.mismatched == 0 {
        let values =
            texts.records.iter().map(|text| serde_json::from_str::<Value>(text.get()).expect("JSON"));
        assert!(values.eq(loaded.records.iter().cloned()));
    }
    let turns = log.load::<Turn>().expect("load turns");
    let on_threads = ReadOptions::new().threads(3).max_line_len(200).open(&path).expect("open");
    assert_eq!(on_threads.load::<Turn>().expect("load turns").records, turns.records);
    let borrowed = mapped.load_borrowed::<Borrowed<'_>>().expect("load borrowed");
    assert_eq!(borrowed.report.bytes, turns.report.bytes);
    let same = |(turn, borrowed): (&Turn, &Borrowed<'_>)| turn.role == borrowed.role && turn.n == borrowed.n;
    // An unpaired surrogate can't be borrowed, and neither can a last record without its newline.
    if turns.report.lone_surrogates == 0 {
        assert!(turns.records.len() - borrowed.records.len() <= usize::from(turns.report.unterminated));
        assert!(turns.records.iter().zip(&borrowed.records).all(same));
    }
    RepairOptions::new().mostly_damaged(true).max_line_len(200).repair(&path).expect("repair");
    let repaired = jsonl_core::Log::open(&path).expect("open").load::<Value>().expect("load");
    assert!(repaired.report.is_clean() && !repaired.report.unterminated);
    assert_eq!(repaired.records, loaded.records);
});
