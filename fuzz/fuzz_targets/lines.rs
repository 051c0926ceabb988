//! Whatever the bytes and wherever it is cut: both ends of the splitter find the lines that one byte at a time finds.
#![no_main]

use annals_fuzz::Decisions;
use jsonl_core::line::{RawLine, count, lines};
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
});
