//! What [`Pair`](super::Pair) looks for, on processors with AVX-512: 64 bytes are compared with each byte that matters, a bit for each, and
//! the bits are shifted. Every byte is loaded once, and not once for each place that it could have in a find.

use std::arch::x86_64::{_mm512_cmpeq_epi8_mask, _mm512_set1_epi8};

use super::load_block;
use super::pair::Passed;
use crate::line;

/// Bytes that are compared at once.
const LEN: usize = 64;

/// How far the last byte of an escape that is looked at is behind its first: `\u00`.
const ESCAPE_LAST: usize = 3;

/// Two bytes of a text, and an escape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    /// The earlier of the two bytes of the text, and the later one.
    earlier: u8,
    later: u8,
    /// How far the later one is behind the earlier, and behind the beginning of the text. Both below 64.
    distance: usize,
    later_at: usize,
}

/// Bits of the bytes in front, which are shifted into the next.
#[derive(Clone, Copy, Default)]
struct Before {
    earlier: u64,
    zeros: u64,
    backslashes: u64,
}

/// Bytes in which something ends that could be looked for: where they are, behind how many newlines.
struct Block {
    at: usize,
    newlines_before: u64,
    /// A bit for each later byte of the text behind the earlier one, for each second zero of an escape, and for each newline.
    texts: u64,
    escapes: u64,
    newlines: u64,
}

impl Masks {
    /// Of the two bytes and their places in the text. None where the processor has no such vectors, and of places that are far away.
    pub(super) fn of(first: (u8, usize), second: (u8, usize)) -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt");
        let (earlier, later) = if first.1 <= second.1 { (first, second) } else { (second, first) };
        (has_all && later.1 < LEN).then_some(Self {
            earlier: earlier.0,
            later: later.0,
            distance: later.1 - earlier.1,
            later_at: later.1,
        })
    }

    /// As [`Pair::find`](super::Pair::find).
    pub(super) fn find(&self, bytes: &[u8], is_match: impl Fn(usize) -> bool) -> Passed {
        let (mut at, mut newlines, mut before) = (0, 0, Before::default());
        loop {
            // SAFETY: there are masks only where the processor has what it needs.
            let block = unsafe { self.find_block(&bytes[at..], &mut before) };
            at += block.at;
            newlines += block.newlines_before;
            if block.texts | block.escapes == 0 {
                // What begins here may end behind.
                let len = at.saturating_sub(self.later_at.max(ESCAPE_LAST));
                newlines -= line::count(&bytes[len..at]);
                return Passed { len, newlines, is_match: false };
            }
            let first_of = |ends: u64, behind: usize| {
                bits(ends).filter_map(|bit| (at + bit).checked_sub(behind)).find(|start| is_match(*start))
            };
            let text = first_of(block.texts, self.later_at);
            let escape = first_of(block.escapes, ESCAPE_LAST);
            if let Some(found) = text.into_iter().chain(escape).min() {
                // What begins before it may end in the next block.
                let seen = (at + LEN).saturating_sub(self.later_at.max(ESCAPE_LAST));
                let start = (seen.min(found)..found).find(|start| is_match(*start)).unwrap_or(found);
                let newlines = if start < at {
                    newlines - line::count(&bytes[start..at])
                } else {
                    newlines + u64::from((block.newlines & ((1 << (start - at)) - 1)).count_ones())
                };
                return Passed { len: start, newlines, is_match: true };
            }
            newlines += u64::from(block.newlines.count_ones());
            at += LEN;
        }
    }

    /// The first block in which something could end; or the end of the last one, without bits. Calls nothing, so that what is compared
    /// with stays in registers.
    #[target_feature(enable = "avx512f,avx512bw,bmi2,popcnt")]
    fn find_block(&self, bytes: &[u8], before: &mut Before) -> Block {
        let all = |byte: u8| _mm512_set1_epi8(byte as i8);
        let (earlier, later) = (all(self.earlier), all(self.later));
        let (backslash, zero, newline) = (all(b'\\'), all(b'0'), all(b'\n'));
        let mut block = Block { at: 0, newlines_before: 0, texts: 0, escapes: 0, newlines: 0 };
        for bytes in bytes.as_chunks::<LEN>().0 {
            let here = load_block(bytes);
            let now = Before {
                earlier: _mm512_cmpeq_epi8_mask(here, earlier),
                zeros: _mm512_cmpeq_epi8_mask(here, zero),
                backslashes: _mm512_cmpeq_epi8_mask(here, backslash),
            };
            let newlines = _mm512_cmpeq_epi8_mask(here, newline);
            let texts =
                _mm512_cmpeq_epi8_mask(here, later) & behind(before.earlier, now.earlier, self.distance);
            // Of an escape, `\` and both `0`: a `u` behind the backslash begins every other escape, too.
            let escapes = now.zeros
                & behind(before.zeros, now.zeros, 1)
                & behind(before.backslashes, now.backslashes, ESCAPE_LAST);
            *before = now;
            if texts | escapes != 0 {
                (block.texts, block.escapes, block.newlines) = (texts, escapes, newlines);
                return block;
            }
            block.newlines_before += u64::from(newlines.count_ones());
            block.at += LEN;
        }
        block
    }
}

/// The bits so far behind those that are set, of which some were before. The distance is below 64.
#[inline]
fn behind(before: u64, now: u64, distance: usize) -> u64 {
    now << distance | before >> 1 >> (LEN - 1 - distance)
}

/// Where bits are set, from the lowest on.
fn bits(mut left: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
        left &= left - 1;
        Some(bit)
    })
}
