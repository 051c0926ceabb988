//! Hostile keys: nothing leaves the folder, and no two share a file.

use std::collections::HashSet;

use annals_session::{Error, ListOptions, decode_key, encode_key};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use crate::support::{Place, texts};

fn hostile() -> Vec<String> {
    let mut keys: Vec<String> = [
        ".",
        "..",
        "...",
        "/",
        "//",
        "\\",
        "../escape",
        "..\\escape",
        "../../etc/passwd",
        "/etc/passwd",
        "a/../b",
        "a/./b",
        "sub/x",
        "~",
        "~root",
        "C:\\x",
        "C:",
        "\\\\server\\share",
        "a:b",
        "a_b",
        "a b",
        " a",
        "a ",
        "a.",
        ".a",
        "a..b",
        "-",
        "--help",
        "-rf",
        "*",
        "?",
        "a*",
        "[a]",
        "{a}",
        "$HOME",
        "$(id)",
        "`id`",
        "%",
        "%%",
        "%2e%2e",
        "%2f",
        "%00",
        "a%",
        "a\0b",
        "\0",
        "\n",
        "\r\n",
        "a\tb",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{202e}gpj.exe",
        "\u{2066}x\u{2069}",
        "\u{200b}",
        "\u{feff}",
        "\u{2028}",
        "é",
        "e\u{301}",
        "É",
        "E\u{301}",
        "ß",
        "SS",
        "ss",
        "ẞ",
        "İ",
        "i",
        "I",
        "ı",
        "ﬁ",
        "fi",
        "K",
        "k",
        "\u{212a}",
        "Å",
        "\u{212b}",
        "A\u{30a}",
        "🏽",
        "🧑‍🚀",
        "客服",
        "Гавань",
        "name.jsonl",
        ".jsonl",
        "x.jsonl.annals-lock",
        "x.jsonl.removed-1",
        ".annals-store",
        ".annals-store.jsonl",
        "archive",
        "removed",
        "archive/1",
        "aux.txt",
        "CON",
        "con",
        "Con.jsonl",
        "nul",
        "NUL.",
        "com0",
        "com1",
        "COM1",
        "com10",
        "lpt9",
        "lpt9.x",
        "prn",
        "conin$",
        "conout$",
        "COM¹",
        "clock$",
        "a~b",
        "a~1",
        "lock",
        "LOCK",
        "desktop.ini",
        "thumbs.db",
        ".git",
        ".GIT",
        ".gitignore",
        "\"",
        "'",
        "|",
        "<",
        ">",
        ";",
        "&",
        "!",
        "#",
        "@",
        "=",
        "+",
        ",",
        "\u{e000}",
        "\u{fffd}",
        "\u{10ffff}",
    ]
    .map(str::to_owned)
    .to_vec();
    for key in
        ["admin", "Session", "telegram:Group/Topic", "naïve", "Ελλάδα", "straße", "ÅNGSTRÖM", "각", "ﷺ", "ǆ"]
    {
        keys.extend([key.to_owned(), key.to_lowercase(), key.to_uppercase()]);
        keys.extend([
            key.nfc().collect(),
            key.nfd().collect(),
            key.nfkc().collect(),
            key.nfkd().collect::<String>(),
        ]);
    }
    for len in [119, 120, 121, 200, 255, 256, 1000, 4096] {
        keys.extend(["x", "X", "/", "%"].map(|c| c.repeat(len)));
        keys.push(format!("{}y", "x".repeat(len - 1)));
        keys.push(format!("{}/../../escape", "x".repeat(len - 15)));
    }
    keys.push("é".repeat(2048));
    keys.push("漢".repeat(86));
    let mut seen = HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    keys
}

#[test]
fn hostile_keys_are_all_apart_and_inside() {
    let place = Place::new();
    let outside = place.folder.path();
    let keys = hostile();
    assert!(keys.len() >= 200, "{}", keys.len());
    let mut names = HashSet::new();
    for key in &keys {
        let session = place.session(key);
        session.say("user", key).unwrap();
        let path = session.path().unwrap().unwrap();
        assert_eq!(path.parent(), Some(place.store.dir()), "{key:?}");
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.len() <= 143, "{name}");
        assert!(
            name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'%' | b'~'))
        );
        assert!(!name.starts_with(['.', '-']) || key.starts_with('-'), "{name}");
        // Also where a file system folds case and normalises.
        let folded: String = name.to_lowercase().nfc().collect();
        assert!(names.insert(folded), "{key:?} shares {name}");
    }
    for key in &keys {
        assert_eq!(texts(&place.session(key).history().unwrap()), [key.as_str()]);
    }
    let list = place.store.list(&ListOptions::new()).unwrap();
    let mut listed: Vec<_> = list.sessions.into_iter().map(|listed| listed.key).collect();
    listed.sort();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
    for key in keys.iter().step_by(7) {
        let session = place.session(key);
        session.archive().unwrap();
        session.restore(None).unwrap();
        assert!(session.delete().unwrap().active);
    }
    let entries: Vec<_> =
        std::fs::read_dir(outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(entries, ["sessions"], "nothing beside the store");
}

#[test]
fn keys_that_are_none_are_refused_everywhere() {
    let place = Place::new();
    for key in [String::new(), "x".repeat(4097)] {
        assert!(matches!(place.store.session(&key), Err(Error::KeyLen { .. })));
        assert!(matches!(place.store.resolve(&key), Err(Error::KeyLen { .. })));
        assert!(matches!(place.store.set_alias(&key, "x"), Err(Error::KeyLen { .. })));
        assert!(matches!(place.store.set_alias("x", &key), Err(Error::KeyLen { .. })));
        place.session("s").say("user", "x").unwrap();
        assert!(matches!(place.session("s").fork(&key, None), Err(Error::KeyLen { .. })));
    }
}

#[cfg(unix)]
#[test]
fn files_are_the_owners_only_and_links_lead_nowhere() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = Place::new();
    let session = place.session("s");
    session.say("user", "1").unwrap();
    session.say("user", "2").unwrap();
    session.truncate(&annals_session::Truncate::keep_last(1)).unwrap();
    session.compact(&annals_session::CompactOptions::new()).unwrap();
    session.fork("f", None).unwrap().archive().unwrap();
    let mut folders = vec![place.store.dir().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
                files += 1;
            }
        }
    }
    assert_eq!(files, 4);
    let outside = place.folder.path().join("outside.jsonl");
    std::fs::write(&outside, "secret\n").unwrap();
    symlink(&outside, place.store.dir().join("link.jsonl")).unwrap();
    let link = place.session("link");
    assert!(link.say("user", "x").is_err());
    assert!(link.history().is_err());
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "secret\n");
    assert!(link.delete().is_ok_and(|deleted| !deleted.active) || outside.exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_are_injective_and_come_back(a in "\\PC{1,80}|[a-zA-Z%./~]{1,80}", b in "[a-zA-Z%./~]{1,80}") {
        let (name_a, name_b) = (encode_key(&a), encode_key(&b));
        prop_assert_eq!(a == b, name_a.to_lowercase() == name_b.to_lowercase());
        if !name_a.contains('~') {
            prop_assert_eq!(decode_key(&name_a), Some(a));
        }
    }
}
