//! Whatever the bytes and wherever it is cut: both ends of the splitter find the lines that one byte at a time finds, and a search that looks at
//! candidates misses none of those that say what it looks for.
#![no_main]

use annals_fuzz::Decisions;
use jsonl_core::line::{RawLine, count, lines};
use jsonl_core::scan::{Candidate, Prefilter, unescape};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut naive = Vec::new();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            naive.push(RawLine { offset: start, bytes: &bytes[start..at], terminated: true });
            start = at + 1;
        }
    }
    if start < bytes.len() {
        naive.push(RawLine { offset: start, bytes: &bytes[start..], terminated: false });
    }
    assert!(lines(bytes).eq(naive.iter().copied()));
    assert!(lines(bytes).rev().eq(naive.iter().rev().copied()));
    assert_eq!(count(bytes), naive.iter().filter(|line| line.terminated).count() as u64);
    assert_eq!(naive.iter().map(RawLine::len).sum::<usize>(), bytes.len());

    // From both ends at once, in whatever turns.
    let (mut cut, mut turns) = (lines(bytes), Decisions(bytes));
    let (mut front, mut back) = (Vec::new(), Vec::new());
    while front.len() + back.len() < naive.len() {
        let (found, to) = match turns.byte() % 2 {
            0 => (cut.next(), &mut front),
            _ => (cut.next_back(), &mut back),
        };
        to.push(found.expect("a line that one byte at a time finds"));
    }
    assert!(cut.next().is_none() && cut.next_back().is_none());
    front.extend(back.into_iter().rev());
    assert_eq!(front, naive);

    // The first line is what is looked for.
    let first = naive.first().map(|line| line.bytes).unwrap_or_default();
    let Ok(text) = std::str::from_utf8(first) else { return };
    let prefilter = Prefilter::new(text);
    let mut candidates = prefilter.candidates(bytes, 7);
    let found: Vec<Candidate<'_>> = candidates.by_ref().collect();
    assert_eq!(candidates.count_lines(), naive.len() as u64);
    assert!(found.is_sorted_by(|a, b| a.line < b.line));
    for candidate in &found {
        let line = naive[candidate.line as usize];
        assert_eq!((candidate.offset, candidate.bytes), (7 + line.offset as u64, line.bytes));
    }
    // What stands for bytes that are no text is said by nobody.
    if text.contains('\u{fffd}') {
        return;
    }
    for (number, line) in naive.iter().enumerate() {
        if unescape(line.bytes).contains(text) {
            assert!(found.binary_search_by_key(&(number as u64), |candidate| candidate.line).is_ok(), "{number}");
        }
    }
});
