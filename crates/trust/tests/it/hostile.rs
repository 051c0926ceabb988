//! Can a path say anything that it is not?

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use annals_trust::Digest;

use crate::support::{Place, check, chmod, testdata};

/// Names that somebody might make to be taken for something else.
fn names() -> Vec<OsString> {
    let mut names: Vec<OsString> = Vec::new();
    // Every byte that a name may have, alone and in between.
    for byte in (1..=255_u8).filter(|byte| *byte != b'/') {
        names.push(OsString::from_vec(vec![b'n', byte]));
        if byte != b'.' {
            names.push(OsString::from_vec(vec![byte]));
        }
    }
    let texts = [
        "...",
        "....",
        "-rf",
        "--help",
        "~",
        "$HOME",
        "`id`",
        "$(id)",
        ";ls",
        "a b",
        " ",
        "  ",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\\",
        "\\\\",
        "\\n",
        "\\u0041",
        "\\\"",
        "\"",
        "'",
        "{\"path\":\"",
        "x\",\"sha256\":\"",
        "}\n{\"path\":",
        "null",
        "é",
        "e\u{301}",
        "\u{FFFD}",
        "\u{FEFF}",
        "\u{202E}txt",
        "\u{200B}",
        "漢字",
        "🦀",
        "a:b",
        "C:",
        "con",
        "NUL.txt",
        "%2e%2e",
        "..%2f",
        "a\u{2028}b",
        "\u{7f}",
        "\u{1}\u{2}",
        "*",
        "?",
        "[a]",
        "#",
        "!",
        "&",
        "|",
        "<>",
        "a=b",
        ".x.",
        "x.",
    ];
    names.extend(texts.map(OsString::from));
    names.push(OsString::from_vec(vec![0xFF; 200]));
    names.push(OsString::from("x".repeat(255)));
    names.push(OsString::from("漢".repeat(85)));
    names.push(OsString::from_vec(b"\xED\xA0\x80".to_vec()));
    names.push(OsString::from_vec(b"\xC0\xAF".to_vec()));
    names
}

#[test]
fn every_name_is_itself_and_no_other() {
    let place = Place::new();
    let trust = place.trust();
    let mut paths: Vec<PathBuf> = Vec::new();
    for name in names() {
        let path = place.project.join(&name);
        // What this file system doesn't take can't be asked for.
        if path.exists() || fs::write(&path, "x").is_err() {
            continue;
        }
        chmod(&path, 0o600);
        paths.push(path);
    }
    assert!(paths.len() >= 400, "{}", paths.len());
    let digest = Digest::of(b"x");
    // Every other one is approved; one of three of those is denied.
    for path in paths.iter().step_by(2) {
        trust.allow(path, digest).unwrap();
    }
    for path in paths.iter().step_by(6) {
        trust.deny(path).unwrap();
    }
    let other = place.trust();
    for (number, path) in paths.iter().enumerate() {
        let expected = match number {
            number if number % 6 == 0 => "denied",
            number if number % 2 == 0 => "allowed",
            _ => "unknown",
        };
        assert_eq!(check(&other, path), expected, "{path:?}");
    }
    let listed: Vec<PathBuf> = other.list().unwrap().into_iter().flat_map(|entry| entry.paths).collect();
    assert_eq!(listed.len(), paths.len().div_ceil(2));
    assert!(listed.iter().all(|path| paths.contains(path)));
    // Every byte outside of strings is as it should be: each line is a record for everybody else.
    let text = String::from_utf8(fs::read(&place.store).unwrap()).unwrap();
    assert!(
        text.lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|value| value.is_object()))
    );
    for path in &paths {
        other.revoke(path).unwrap();
        assert_eq!(check(&trust, path), "unknown");
    }
}

#[test]
fn other_spellings_of_a_path_are_the_same_file() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    let text = path.to_str().unwrap();
    for spelling in [
        text.replace("/project/", "//project//"),
        text.replace("/project/", "/project/./"),
        text.replace("/project/", "/./project/../project/"),
    ] {
        assert_eq!(check(&place.trust(), Path::new(&spelling)), "allowed", "{spelling}");
    }
}

/// Lines whose path is spelt in another way than a canonical one are about no file.
#[test]
fn a_line_counts_for_its_exact_path_only() {
    let place = Place::new();
    let path = place.file(".envrc", "x");
    let text = path.to_str().unwrap();
    for spelling in [
        format!("{text}/"),
        text.replace("/project/", "//project/"),
        text.replace("/project/", "/project/./"),
        text.replace("/project/", "/project/../project/"),
        text.to_uppercase(),
        format!(" {text}"),
        format!("{text} "),
        format!("file://{text}"),
        String::from(".envrc"),
        text[..text.len() - 1].to_owned(),
        format!("{text}x"),
    ] {
        let line = serde_json::json!({"path": spelling, "sha256": Digest::of(b"x").to_string(), "ts": "2026-11-20T08:00:00Z"});
        place.put_store(format!("{line}\n").as_bytes());
        assert_eq!(check(&place.trust(), &path), "unknown", "{spelling}");
    }
    // However it is escaped, it is the same text.
    let escaped: String = text.chars().map(|character| format!("\\u{:04x}", character as u32)).collect();
    place.put_store(
        format!("{{\"p\\u0061th\":\"{escaped}\",\"sha256\":\"{}\",\"ts\":\"x\"}}\n", Digest::of(b"x"))
            .as_bytes(),
    );
    assert_eq!(check(&place.trust(), &path), "allowed");
}

#[test]
fn aishs_paths_stay_what_they_are() {
    let place = Place::holding(&testdata("trusted-projects"));
    let paths: Vec<PathBuf> =
        place.trust().list().unwrap().into_iter().flat_map(|entry| entry.paths).collect();
    for path in [
        "/home/u/my gauges\\north/.aish.lua",
        "/home/u/Прибой/潮 位/.aish.lua",
        "/home/u/quote's \"here\"/.aish.lua",
    ] {
        assert!(paths.contains(&PathBuf::from(path)), "{path}");
    }
}
