//! Whatever is in a trust store: nothing is allowed whose digest is not in it, quick and slow ways of reading agree, and what is
//! decided afterwards holds.
//!
//! The first bytes are orders to spoil a real log; the rest goes in as it is.
#![no_main]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use annals_fuzz::{orders, spoil};
use annals_trust::{Digest, Trust, TrustOptions, Verdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    let store = root.join("store");
    let open = || TrustOptions::new().copies(false).open(&store);
    let files = ["a", "b", "c"].map(|name| {
        let file = root.join(name);
        fs::write(&file, name).expect("write");
        only_mine(&file);
        file
    });
    let [allowed, revoked, denied] = &files;
    let (orders, rest) = orders(bytes);
    let trust = open();
    for file in &files {
        trust.allow(file, trust.look(file).expect("look").digest).expect("allow");
    }
    trust.revoke(revoked).expect("revoke");
    trust.deny(denied).expect("deny");
    let set = [allowed.clone(), revoked.clone()];
    trust.allow_set(&set, trust.look_set(&set).expect("look").digest).expect("allow");
    let whole = fs::read(&store).expect("read");
    let log = spoil(&whole, orders, rest);
    put(&store, &log);
    let before = files.each_ref().map(|file| word(&open(), file));
    for (file, word) in files.iter().zip(&before) {
        let digest = Digest::of(&fs::read(file).expect("read")).to_string();
        let is_there = String::from_utf8_lossy(&log).contains(&digest);
        // Escapes may spell it otherwise.
        assert!(*word != "allowed" || is_there || log.contains(&b'\\'), "{file:?}");
    }
    drop(open().list().expect("list"));
    drop(open().history(None).expect("history"));

    // Damage in front of everything sends it the slow way, and puts nothing in doubt.
    if log.last().is_none_or(|byte| *byte == b'\n') && !log.starts_with(b"\xEF\xBB\xBF") {
        put(&store, &[b"no decision\n", &log[..]].concat());
        assert_eq!(files.each_ref().map(|file| word(&open(), file)), before);
        put(&store, &log);
    }

    let trust = open();
    trust.deny(allowed).expect("deny");
    assert_eq!(word(&open(), allowed), "denied");
    assert!(trust.revoke(allowed).expect("revoke"));
    assert_eq!(word(&open(), allowed), "unknown");
    trust.allow(allowed, trust.look(allowed).expect("look").digest).expect("allow");
    assert_eq!(word(&trust, allowed), "allowed");
    assert_eq!(word(&open(), allowed), "allowed");
    trust.revoke(denied).expect("revoke");
    assert_eq!(word(&open(), denied), "unknown");
});

fn only_mine(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("chmod");
}

fn put(store: &Path, bytes: &[u8]) {
    fs::write(store, bytes).expect("write");
    only_mine(store);
}

fn word(trust: &Trust, file: &Path) -> &'static str {
    match trust.check(file).expect("check") {
        Verdict::Allowed(approved) => {
            assert_eq!(approved.bytes(), fs::read(file).expect("read"));
            "allowed"
        }
        Verdict::Changed { .. } => "changed",
        Verdict::Denied { .. } => "denied",
        _ => "unknown",
    }
}
