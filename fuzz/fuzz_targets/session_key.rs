//! Whatever the key: its name is a plain file name, leads back to the key, and is no other key's, however names are folded.
#![no_main]

use annals_session::{KEY_LEN_MAX, decode_key, encode_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    // Two keys, and neighbours of the first that a file system could take for it.
    let (first, second) = text.split_once('\n').unwrap_or((&text, "other"));
    let mut keys = vec![first.to_owned(), second.to_owned()];
    keys.extend([
        first.to_uppercase(),
        first.to_lowercase(),
        format!("{first}."),
        format!("{first} "),
        format!(".{first}"),
    ]);
    keys.extend([encode_key(first), format!("{first}/../{first}"), first.replace(['/', '\\'], "_")]);
    keys.retain(|key| (1..=KEY_LEN_MAX).contains(&key.len()));
    keys.sort();
    keys.dedup();
    let names: Vec<String> = keys.iter().map(|key| encode_key(key)).collect();
    for (key, name) in keys.iter().zip(&names) {
        let is_plain =
            |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'%' | b'~');
        assert!((1..=120).contains(&name.len()) && name.bytes().all(is_plain), "{key:?}: {name}");
        assert!(!name.starts_with('.') && !name.ends_with('.'), "{key:?}: {name}");
        let stem = name.split('.').next().unwrap_or_default();
        let is_numbered = |device: &str| {
            stem.strip_prefix(device).is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9']))
        };
        let is_device =
            ["con", "prn", "aux", "nul"].contains(&stem) || is_numbered("com") || is_numbered("lpt");
        assert!(!is_device, "{key:?}: {name}");
        match decode_key(name) {
            Some(back) => assert_eq!(back, *key),
            None => assert!(name.contains('~'), "{key:?}: {name}"),
        }
    }
    // Names are lower case already, so equal after folding is equal.
    let mut distinct = names.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), keys.len(), "{keys:?}");
    // Whatever is taken for a name is one.
    if let Some(key) = decode_key(first) {
        assert_eq!(encode_key(&key), first);
    }
});
