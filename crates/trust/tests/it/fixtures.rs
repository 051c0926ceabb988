//! Is aish's file read as it has to be, and can aish go on reading it?

use std::path::PathBuf;

use annals_trust::{Decided, Digest, Trust};
use serde_json::Value;

use crate::support::{Place, check, testdata};

fn expected() -> Value {
    serde_json::from_slice(&testdata("expected.json")).unwrap()
}

/// What aish asks: is there a line with just this path and this digest?
fn by_aishs_rules(store: &str, path: &str, sha256: &str) -> bool {
    let lines = store.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.into_iter().any(|entry| entry["path"] == path && entry["sha256"] == sha256)
}

/// What stands about a path, of what a store lists.
fn stands(trust: &Trust, path: &str) -> Option<Digest> {
    let entries = trust.list().unwrap();
    let entry = entries.iter().find(|entry| entry.paths[0].as_os_str() == path && !entry.is_doubtful);
    match entry.map(|entry| entry.decision) {
        Some(Decided::Allow(digest)) => Some(digest),
        _ => None,
    }
}

#[test]
fn the_verdicts_are_aishs_but_only_the_newest_approval_of_a_path_holds() {
    for (store, checks) in [("trusted-projects", "checks"), ("trusted-projects-damaged", "damaged_checks")] {
        let place = Place::holding(&testdata(store));
        let trust = place.trust();
        let mut held = 0;
        for check in expected()[checks].as_array().unwrap() {
            let (path, sha256) = (check["path"].as_str().unwrap(), check["sha256"].as_str().unwrap());
            let wanted = check["trusted"]["value"].as_bool().unwrap();
            let found = stands(&trust, path).is_some_and(|digest| digest.to_string() == sha256);
            // The one difference: it was approved before another content was.
            let is_older =
                path.contains("tides") && sha256.starts_with("5234") && store == "trusted-projects";
            assert_eq!(found, wanted && !is_older, "{store}: {path} {sha256}");
            held += usize::from(found);
        }
        assert!(held >= 4, "{store}: {held}");
    }
}

#[test]
fn digests_are_those_of_the_files() {
    for file in expected()["project_files"].as_array().unwrap() {
        let bytes = testdata(file["file"].as_str().unwrap().strip_prefix("aish/").unwrap());
        assert_eq!(Digest::of(&bytes).to_string(), file["sha256"]["value"].as_str().unwrap());
        assert_eq!(bytes.len() as u64, file["bytes"].as_u64().unwrap());
    }
}

#[test]
fn a_store_of_aishs_is_continued_in_place() {
    for store in ["trusted-projects", "trusted-projects-damaged"] {
        let before = testdata(store);
        let place = Place::holding(&before);
        let path = place.approved(".aish.lua", "return {}");
        assert_eq!(check(&place.trust(), &path), "allowed");
        let denied = place.file("other", "x");
        place.trust().deny(&denied).unwrap();
        let after = std::fs::read(&place.store).unwrap();
        assert!(after.starts_with(&before), "nothing of it has changed");
        let text = String::from_utf8(after).unwrap();
        let digest = Digest::of(b"return {}").to_string();
        assert!(by_aishs_rules(&text, path.to_str().unwrap(), &digest));
        assert!(!by_aishs_rules(&text, denied.to_str().unwrap(), &Digest::of(b"x").to_string()));
        // What it approved before, it approves still.
        let sha256 = "de9029f4bacd4362b992cca73793005569d8567da586d1742f89d5562cba2d5c";
        assert!(by_aishs_rules(&text, "/home/u/p/.aish.lua", sha256));
        assert!(stands(&place.trust(), "/home/u/p/.aish.lua").is_some());
    }
}

/// aish can't approve these at all, because `sha256sum` puts a backslash in front of the digest.
#[test]
fn a_path_with_a_backslash_is_a_path() {
    let place = Place::new();
    let bytes = testdata("project-files/backslash.aish.lua");
    let path = place.approved("my gauges\\north\n.aish.lua", std::str::from_utf8(&bytes).unwrap());
    assert_eq!(check(&place.trust(), &path), "allowed");
    let digest = &expected()["digest_of_a_path_with_backslash"]["value"];
    assert_eq!(stands(&place.trust(), path.to_str().unwrap()).unwrap().to_string(), digest.as_str().unwrap());
}

/// aish's eleven checks, as far as they are about the store.
#[test]
fn aishs_own_checks() {
    let place = Place::new();
    let trust = place.trust();
    let first = place.file("first", "one");
    let second = place.file("second", "two");
    // A missing store: nothing is trusted.
    assert_eq!(check(&trust, &first), "unknown");
    // A missing file is no answer.
    assert_eq!(
        trust.check(&place.project.join("gone")).unwrap_err().io_kind(),
        Some(std::io::ErrorKind::NotFound)
    );
    trust.allow(&first, Digest::of(b"one")).unwrap();
    assert_eq!(check(&trust, &first), "allowed");
    // Another path with the same content, another content under the same path.
    let copy = place.file("copy", "one");
    assert_eq!(check(&trust, &copy), "unknown");
    place.file("first", "one more");
    assert_eq!(check(&trust, &first), "changed");
    trust.allow(&second, Digest::of(b"two")).unwrap();
    place.file("first", "one");
    assert_eq!((check(&trust, &first), check(&trust, &second)), ("allowed", "allowed"));
    assert_eq!(crate::support::mode(&place.store), 0o600);
    assert_eq!(crate::support::mode(place.store.parent().unwrap()), 0o700);
    let paths: Vec<PathBuf> = trust.list().unwrap().into_iter().flat_map(|entry| entry.paths).collect();
    assert_eq!(paths, [first, second]);
}
