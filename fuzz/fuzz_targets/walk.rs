//! The walk accepts what `serde_json` accepts when it checks a text without building it, and no more.
#![no_main]

use jsonl_core::scan;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|text: &[u8]| {
    let walked = scan::check(text, scan::NESTING_MAX);
    let Ok(utf8) = std::str::from_utf8(text) else { return };
    let is_deep = matches!(walked, Err(fault) if fault.kind == scan::FaultKind::Deep);
    if !is_deep {
        assert_eq!(walked.is_ok(), serde_json::from_str::<&RawValue>(utf8).is_ok());
    }
    if let Err(fault) = walked {
        assert!(fault.at <= text.len());
    }
    for member in scan::members(text) {
        let _ = scan::unescape(member.key);
        assert!(is_deep || scan::check(member.value, scan::NESTING_MAX).is_ok());
    }
});
