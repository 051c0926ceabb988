//! Whatever is looked for in whatever lines: none that says it is missing among the candidates, each is where it says, and all lines are counted.
#![no_main]

use jsonl_core::line::{RawLine, lines};
use jsonl_core::scan::{Candidate, Prefilter, unescape};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The first line is what is looked for.
    let all: Vec<RawLine<'_>> = lines(bytes).collect();
    let first = all.first().map(|line| line.bytes).unwrap_or_default();
    let Ok(text) = std::str::from_utf8(first) else { return };
    let prefilter = Prefilter::new(text);
    let mut candidates = prefilter.candidates(bytes, 7);
    let found: Vec<Candidate<'_>> = candidates.by_ref().collect();
    assert_eq!(candidates.count_lines(), all.len() as u64);
    assert!(found.is_sorted_by(|a, b| a.line < b.line));
    for candidate in &found {
        let line = all[candidate.line as usize];
        assert_eq!((candidate.offset, candidate.bytes), (7 + line.offset as u64, line.bytes));
    }
    // Shown in the place of bytes that are no text, and said by nobody.
    if text.contains('\u{fffd}') {
        return;
    }
    for (number, line) in all.iter().enumerate() {
        if unescape(line.bytes).contains(text) {
            assert!(
                found.binary_search_by_key(&(number as u64), |candidate| candidate.line).is_ok(),
                "{number}"
            );
        }
    }
});
