//! The walk accepts what `serde_json` accepts when it checks a text without building it, and no more; members and what they say are
//! the same, one by one and searched for.
#![no_main]

use jsonl_core::scan;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|text: &[u8]| {
    let walked = scan::check(text, scan::NESTING_MAX);
    let is_deep = matches!(walked, Err(fault) if fault.kind == scan::FaultKind::Deep);
    if let Ok(utf8) = std::str::from_utf8(text)
        && !is_deep
    {
        assert_eq!(walked.is_ok(), serde_json::from_str::<&RawValue>(utf8).is_ok());
    }
    if let Err(fault) = walked {
        assert!(fault.at <= text.len());
    }
    for member in scan::members(text) {
        let _ = scan::unescape(member.key);
        assert!(is_deep || scan::check(member.value, scan::NESTING_MAX).is_ok());
    }
    let slow = |name: &str| {
        let members = scan::members(text).filter(|member| *scan::name(member.key) == *name.as_bytes());
        members.last().map(|member| member.value)
    };
    let first = scan::members(text).next().map(|member| scan::unescape(member.key)).unwrap_or_default();
    for name in [&*first, "role"] {
        assert_eq!(scan::member(text, name), slow(name));
        assert_eq!(scan::string_member(text, name), slow(name).and_then(scan::string));
    }
    let found = scan::values(text, ["role", "content"]);
    for (name, value) in ["role", "content"].into_iter().zip(found) {
        let text =
            slow(name).map(|value| scan::string(value).map_or(scan::Value::Other(value), scan::Value::Text));
        assert_eq!(value, text);
    }
});
