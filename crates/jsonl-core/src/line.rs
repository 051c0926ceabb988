//! Cuts bytes into lines.
//!
//! A line ends at byte 0x0A and nowhere else. That is exact: JSON escapes newlines inside strings, no other
//! byte of a UTF-8 sequence is 0x0A, and U+2028, U+2029 and U+0085 are ordinary text.

use memchr::{memchr, memchr_iter, memrchr};

/// A piece of a file between two newlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// Offset of the first byte in what was cut.
    pub offset: usize,
    /// The bytes, without the newline.
    pub bytes: &'a [u8],
    /// Whether a newline follows. Only the last line of a file can lack it.
    pub terminated: bool,
}

impl RawLine<'_> {
    /// Bytes that the line takes, with its newline.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() + usize::from(self.terminated)
    }

    /// True only for a line that no cutting yields: no bytes and no newline.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The lines of `bytes`, from either end.
#[must_use]
pub fn lines(bytes: &[u8]) -> RawLines<'_> {
    RawLines { bytes, start: 0, end: bytes.len() }
}

/// Iterator over lines; see [`lines`].
#[derive(Clone, Debug)]
pub struct RawLines<'a> {
    bytes: &'a [u8],
    // Invariant: both lie at the beginning of a line or at the end of `bytes`.
    start: usize,
    end: usize,
}

impl<'a> Iterator for RawLines<'a> {
    type Item = RawLine<'a>;

    #[inline]
    fn next(&mut self) -> Option<RawLine<'a>> {
        if self.start == self.end {
            return None;
        }
        let offset = self.start;
        let rest = &self.bytes[offset..self.end];
        let newline = memchr(b'\n', rest);
        let bytes = &rest[..newline.unwrap_or(rest.len())];
        self.start = newline.map_or(self.end, |at| offset + at + 1);
        Some(RawLine { offset, bytes, terminated: newline.is_some() })
    }
}

impl DoubleEndedIterator for RawLines<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.start == self.end {
            return None;
        }
        let rest = &self.bytes[self.start..self.end];
        let terminated = rest.last() == Some(&b'\n');
        let rest = &rest[..rest.len() - usize::from(terminated)];
        let first = memrchr(b'\n', rest).map_or(0, |at| at + 1);
        self.end = self.start + first;
        Some(RawLine { offset: self.end, bytes: &rest[first..], terminated })
    }
}

/// How many newlines there are.
#[must_use]
pub fn count(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// Whether the last line lacks its newline.
pub(crate) fn is_cut(lines: &[u8]) -> bool {
    lines.last().is_some_and(|last| *last != b'\n')
}

/// How many lines there are, whether or not the last has its newline.
pub(crate) fn count_lines(lines: &[u8]) -> u64 {
    count(lines) + u64::from(is_cut(lines))
}

/// Nothing but space, tab, CR, VT and FF: what editors and converters leave behind, and no record.
#[must_use]
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | 0x0B | 0x0C))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow twin: one byte at a time, without searching from either end.
    fn naive(bytes: &[u8]) -> Vec<(usize, &[u8], bool)> {
        let mut found = Vec::new();
        let mut start = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if byte == b'\n' {
                found.push((start, &bytes[start..at], true));
                start = at + 1;
            }
        }
        if start < bytes.len() {
            found.push((start, &bytes[start..], false));
        }
        found
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

        #[test]
        fn forwards_is_backwards_reversed_is_naive(text in "[ab\n]{0,40}") {
            let bytes = text.as_bytes();
            let forwards: Vec<_> = lines(bytes).map(|l| (l.offset, l.bytes, l.terminated)).collect();
            let mut backwards: Vec<_> = lines(bytes).rev().map(|l| (l.offset, l.bytes, l.terminated)).collect();
            backwards.reverse();
            assert_eq!(forwards, naive(bytes));
            assert_eq!(backwards, naive(bytes));
            assert_eq!(count(bytes), forwards.iter().filter(|line| line.2).count() as u64);
        }

        #[test]
        fn both_ends_meet(text in "[ab\n]{0,40}", picks in proptest::collection::vec(proptest::bool::ANY, 50)) {
            let mut cut = lines(text.as_bytes());
            let (mut front, mut back) = (Vec::new(), Vec::new());
            for from_front in picks {
                if from_front { front.extend(cut.next()) } else { back.extend(cut.next_back()) }
            }
            back.reverse();
            front.extend(back);
            assert_eq!(front, lines(text.as_bytes()).collect::<Vec<_>>());
        }
    }
}
