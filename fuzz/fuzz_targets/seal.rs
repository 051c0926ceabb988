//! A sealed object verifies, stays JSON, and doesn't verify with any byte changed.
#![no_main]

use jsonl_core::checksum::{self, Seal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, usize, u8)| {
    let (text, at, change) = input;
    let _ = checksum::check(&text);
    let mut line = text.clone();
    if !checksum::seal(&mut line, 0) {
        assert_eq!(line, text);
        return;
    }
    assert_eq!(checksum::check(&line), Seal::Good);
    assert_eq!(
        checksum::covered(&line),
        Some(&line[..line.len() - if text_is_empty(&text) { 19 } else { 20 }])
    );
    if serde_json::from_slice::<serde_json::Value>(&text).is_ok() {
        assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
    }
    let at = at % line.len();
    line[at] ^= change;
    assert!(change == 0 || checksum::check(&line) != Seal::Good);
});

/// `{}`, perhaps with white space in it: the seal is then the only member.
fn text_is_empty(text: &[u8]) -> bool {
    text[1..text.len() - 1].iter().all(u8::is_ascii_whitespace)
}
