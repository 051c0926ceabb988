//! What several tests need.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use annals_catalog::{Catalog, CatalogOptions, EVENTS, Event, Projection, Rules};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata")
}

pub(crate) fn expected(name: &str) -> Value {
    let text = fs::read_to_string(testdata().join("expected").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A copy of one of the stores that sessions-db wrote.
pub(crate) fn copy_of(store: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(testdata().join("sessions-db").join(store)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

pub(crate) fn time(text: &str) -> SystemTime {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

/// A clock that stands still.
pub(crate) fn at(now: SystemTime) -> CatalogOptions {
    CatalogOptions::new().clock(move || now)
}

/// The fold of a log's lines, the slow way.
pub(crate) fn naive_fold(log: &[u8], rules: Rules) -> Projection {
    let events: Vec<Event<'_>> = log.split(|byte| *byte == b'\n').filter_map(Event::parse).collect();
    Projection::fold(rules, &events)
}

pub(crate) fn log_of(catalog: &Catalog) -> Vec<u8> {
    fs::read(catalog.root().join(EVENTS)).unwrap()
}

/// Checks a value against an expected one, in which long texts may be given by their length.
pub(crate) fn assert_same(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::String(text), Value::Object(long)) if long.contains_key("$utf8_bytes") => {
            assert_eq!(Some(text.len() as u64), long["$utf8_bytes"].as_u64(), "{place}");
            assert!(text.starts_with(long["$starts"].as_str().unwrap()), "{place}");
        }
        (Value::Object(found), Value::Object(expected)) => {
            let keys = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(found), keys(expected), "{place}");
            for (key, value) in found {
                assert_same(value, &expected[key], &format!("{place}.{key}"));
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{place}: {found:?}");
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_same(found, expected, &format!("{place}[{index}]"));
            }
        }
        _ => assert_eq!(found, expected, "{place}"),
    }
}
