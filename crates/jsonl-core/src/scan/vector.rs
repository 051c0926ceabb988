//! What is asked of many bytes of a string at once: where the first is that means something (quote, backslash, control byte), and
//! whether all are UTF-8; and of many lines, where a text or an escape could be.
//!
//! Strings are most of what a transcript is, so this is where a walk spends its time: with vector compares it
//! is about twice as fast as with words. A search that looks for two things and counts lines takes three passes with the
//! best of libraries, and one here, in less than half the time. The module needs `unsafe` for four things: instructions that every
//! processor of the architecture has are still not safe to call from code that doesn't name them, nor those that this one was
//! found to have; a load of 32 bytes takes a pointer; and a string of bytes
//! that another check than the standard library's found to be UTF-8 can't be had otherwise.
//!
//! # Contract
//!
//! None for the caller: blocks are passed by reference to all of their bytes, nothing is read beyond them; a [`Pair`] is made
//! only where the processor has what it needs; bytes that become a string are owned, and checked here. The slow twins are
//! [`first_special_in_words`] and looking at each byte, [`String::from_utf8`], and [`Prefilter`](super::Prefilter) without a pair;
//! the tests compare all of them.

/// The bytes as a string, if they are UTF-8: checked with vectors, which is several times faster than
/// [`String::from_utf8`] where not all of it is ASCII.
pub(super) fn into_string(bytes: Vec<u8>) -> Option<String> {
    simdutf8::basic::from_utf8(&bytes).ok()?;
    // SAFETY: they have just been found to be UTF-8, and nobody else holds them.
    Some(unsafe { String::from_utf8_unchecked(bytes) })
}

/// Bytes in a block.
pub(super) const BLOCK_LEN: usize = 16;

/// Where the first special byte of a block is.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn first_special(block: &[u8; BLOCK_LEN]) -> Option<usize> {
    // SAFETY: SSE2 belongs to x86-64; there is no such processor without it.
    unsafe { first_special_sse2(block) }
}

/// Where the first special byte of a block is.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(super) fn first_special(block: &[u8; BLOCK_LEN]) -> Option<usize> {
    first_special_in_words(block)
}

/// All sixteen bytes at once. The two halves become one load.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn first_special_sse2(block: &[u8; BLOCK_LEN]) -> Option<usize> {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let whole = u128::from_le_bytes(*block);
    let bytes = _mm_set_epi64x((whole >> 64) as i64, whole as i64);
    let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
    let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
    // What is not changed by the smaller of itself and 0x1F is at most 0x1F.
    let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    let found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control));
    (found != 0).then(|| found.trailing_zeros() as usize)
}

/// Eight bytes at a time.
///
/// Bit 7 of each byte of a word tells whether it is special. Those above the lowest one that is set may be wrong
/// (a borrow runs upwards), the lowest never is.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
pub(super) fn first_special_in_words(block: &[u8; BLOCK_LEN]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let special = |word: u64| {
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGH
    };
    let whole = u128::from_le_bytes(*block);
    let (low, high) = (special(whole as u64), special((whole >> 64) as u64));
    let bit = if low != 0 { low.trailing_zeros() } else { 64 + high.trailing_zeros() };
    (low | high != 0).then_some(bit as usize / 8)
}

/// Looks for two bytes of a text at their distance, for the escape of a byte, and for newlines, 32 bytes at a time.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// The bytes, and where they stand in the text: those that are rarest elsewhere.
    first: (u8, usize),
    second: (u8, usize),
}

/// Not on this architecture.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub(super) enum Pair {}

/// Bytes that have been looked at.
pub(super) struct Passed {
    pub(super) len: usize,
    /// How many of them are newlines.
    pub(super) newlines: u64,
    /// Whether a match begins behind them. If not, there may be one in what is left, which is less than a text and a block.
    pub(super) is_match: bool,
}

/// Bytes that are compared at once: where they are, behind how many newlines.
#[cfg(target_arch = "x86_64")]
struct Block {
    at: usize,
    newlines_before: u64,
    /// A bit for each byte with which something could begin, and for each newline.
    signs: u32,
    newlines: u32,
}

/// How many bytes are compared at once.
#[cfg(target_arch = "x86_64")]
const WIDE_LEN: usize = 32;

/// Blocks whose newlines are counted in bytes.
#[cfg(target_arch = "x86_64")]
const GROUP_LEN: usize = 128;

#[cfg(not(target_arch = "x86_64"))]
impl Pair {
    pub(super) fn of(_text: &[u8]) -> Option<Self> {
        None
    }

    pub(super) fn find(&self, _bytes: &[u8], _is_match: impl Fn(usize) -> bool) -> Passed {
        match *self {}
    }
}

#[cfg(target_arch = "x86_64")]
impl Pair {
    /// None of an empty text, and where the processor has no such vectors.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        if !is_x86_feature_detected!("avx2") {
            return None;
        }
        let at = |at: usize| text.get(at).map(|byte| (*byte, at));
        match memchr::arch::all::packedpair::Pair::new(text) {
            Some(pair) => Some(Self { first: at(pair.index1().into())?, second: at(pair.index2().into())? }),
            None => Some(Self { first: at(0)?, second: at(0)? }),
        }
    }

    /// Goes to the first place that could be one of the text or of `\u00` and is a match.
    pub(super) fn find(&self, bytes: &[u8], is_match: impl Fn(usize) -> bool) -> Passed {
        let (mut len, mut newlines) = (0, 0);
        loop {
            // SAFETY: a pair is made only where the processor has AVX2.
            let block = unsafe { self.find_block(&bytes[len..]) };
            len += block.at;
            newlines += block.newlines_before;
            if block.signs == 0 {
                return Passed { len, newlines, is_match: false };
            }
            let mut signs = block.signs;
            while signs != 0 {
                let bit = signs.trailing_zeros();
                if is_match(len + bit as usize) {
                    newlines += u64::from((block.newlines & ((1 << bit) - 1)).count_ones());
                    return Passed { len: len + bit as usize, newlines, is_match: true };
                }
                signs &= signs - 1;
            }
            newlines += u64::from(block.newlines.count_ones());
            len += WIDE_LEN;
        }
    }

    /// The first block in which something could begin; or the end of the last one, without signs. Calls nothing, so that
    /// what is compared with stays in registers.
    #[target_feature(enable = "avx2")]
    fn find_block(&self, bytes: &[u8]) -> Block {
        use std::arch::x86_64::{
            _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
            _mm256_setzero_si256, _mm256_sub_epi8,
        };
        let all = |byte: u8| _mm256_set1_epi8(byte as i8);
        let (first, second) = (all(self.first.0), all(self.second.0));
        let (backslash, zero, newline) = (all(b'\\'), all(b'0'), all(b'\n'));
        let mut block = Block { at: 0, newlines_before: 0, signs: 0, newlines: 0 };
        // The last bytes of what may begin in a block have to be there.
        let behind = self.first.1.max(self.second.1).max(3);
        let Some(places) = bytes.len().checked_sub(behind) else { return block };
        let at = |offset: usize| bytes[offset..][..places].as_chunks::<WIDE_LEN>().0.chunks(GROUP_LEN);
        // Of an escape, `\` and both `0`: a `u` behind the backslash begins every other escape, too.
        let groups = at(0).zip(at(2)).zip(at(3)).zip(at(self.first.1)).zip(at(self.second.1));
        for ((((here, third), fourth), firsts), seconds) in groups {
            let mut sums = _mm256_setzero_si256();
            let blocks = here.iter().zip(third).zip(fourth).zip(firsts).zip(seconds);
            for ((((here, third), fourth), firsts), seconds) in blocks {
                let here = load(here);
                let firsts = _mm256_cmpeq_epi8(load(firsts), first);
                let text = _mm256_and_si256(firsts, _mm256_cmpeq_epi8(load(seconds), second));
                let third = _mm256_cmpeq_epi8(load(third), zero);
                let zeros = _mm256_and_si256(third, _mm256_cmpeq_epi8(load(fourth), zero));
                let escape = _mm256_and_si256(_mm256_cmpeq_epi8(here, backslash), zeros);
                let ends = _mm256_cmpeq_epi8(here, newline);
                let signs = _mm256_movemask_epi8(_mm256_or_si256(text, escape)) as u32;
                if signs != 0 {
                    block.newlines_before += sum(sums);
                    block.signs = signs;
                    block.newlines = _mm256_movemask_epi8(ends) as u32;
                    return block;
                }
                // What is equal has all bits set, which is -1.
                sums = _mm256_sub_epi8(sums, ends);
                block.at += WIDE_LEN;
            }
            block.newlines_before += sum(sums);
        }
        block
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn load(block: &[u8; WIDE_LEN]) -> std::arch::x86_64::__m256i {
    // SAFETY: all the bytes that are read are the block's, and the instruction asks for no alignment.
    unsafe { std::arch::x86_64::_mm256_loadu_si256(block.as_ptr().cast()) }
}

/// Of all bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn sum(bytes: std::arch::x86_64::__m256i) -> u64 {
    use std::arch::x86_64::{_mm256_extract_epi64, _mm256_sad_epu8, _mm256_setzero_si256};
    let sums = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
    let [a, b, c, d] = [
        _mm256_extract_epi64::<0>(sums),
        _mm256_extract_epi64::<1>(sums),
        _mm256_extract_epi64::<2>(sums),
        _mm256_extract_epi64::<3>(sums),
    ];
    (a + b + c + d) as u64
}
