//! The folders, and what has to be read from them.

use std::fs;
use std::path::PathBuf;

use annals_formats::{ForeignRecord, Remark};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(crate) fn testdata(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/testdata").join(path)
}

pub(crate) fn expected(name: &str) -> Value {
    serde_json::from_slice(&fs::read(testdata(&format!("expected/{name}.json"))).unwrap()).unwrap()
}

/// What a transcript's remarks say of damage, against what is expected of its file: where, how long without the newline, and
/// how many records were found in it.
#[track_caller]
pub(crate) fn check_damage(remarks: &[Remark], file: &Value) {
    let bytes = fs::read(testdata(file["file"].as_str().unwrap())).unwrap();
    let found: Vec<(u64, u64, usize)> = remarks
        .iter()
        .map(|remark| match remark {
            Remark::Damaged { offset, len, salvaged, .. } => {
                let has_newline = bytes[usize::try_from(offset + len).unwrap() - 1] == b'\n';
                (*offset, len - u64::from(has_newline), *salvaged)
            }
            other => panic!("{other}"),
        })
        .collect();
    let wanted: Vec<(u64, u64, usize)> = file["physical"]["bad"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| {
            let salvaged = bad["salvage"].as_array().map_or(0, Vec::len);
            (bad["offset"].as_u64().unwrap(), bad["length"].as_u64().unwrap(), salvaged)
        })
        .collect();
    assert_eq!(found, wanted, "{}", file["file"]);
}

/// A value that may stand with its source: `{"source": …, "value": …}`.
pub(crate) fn value(marked: &Value) -> &Value {
    if marked.get("source").is_some() { &marked["value"] } else { marked }
}

/// The records as JSON, with unpaired surrogates as U+FFFD.
pub(crate) fn parsed<'a>(records: impl Iterator<Item = &'a ForeignRecord>) -> Vec<Value> {
    records.map(|record| jsonl_core::parse_json(&record.raw).unwrap()).collect()
}

/// Long strings are given by length, digest and beginning.
pub(crate) fn is_same(expected: &Value, found: &Value) -> bool {
    if let (Some(digest), Some(text)) = (expected.get("$sha256"), found.as_str()) {
        let hex: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        return *digest == hex && expected["$utf8_bytes"] == text.len();
    }
    match (expected, found) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_same(a, b)))
        }
        _ => expected == found,
    }
}

#[track_caller]
pub(crate) fn check_same(expected: &Value, found: &Value, what: &str) {
    assert!(is_same(expected, found), "{what}:\n{expected:#}\n{found:#}");
}
