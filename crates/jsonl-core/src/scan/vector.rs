//! What is asked of many bytes of a string at once: where the first is that means something (quote, backslash, control byte), where
//! a string with escapes ends, what it says, and whether all are UTF-8; and of many lines, where a text or an escape could be.
//!
//! Strings are most of what a transcript is, so this is where a walk spends its time: with vector compares it
//! is about twice as fast as with words, and where there are escapes, with all of 64 bytes at once, twice as fast again. A search that looks
//! for two things and counts lines takes three passes with the best of libraries, and one here, in less than half the time. Escapes are resolved
//! in a third of the time that it takes with 16 bytes at once, and UTF-8 is told from other bytes in half of a library's. The module needs `unsafe` for four things: instructions that every
//! processor of the architecture has are still not safe to call from code that doesn't name them, nor those that this one was
//! found to have; a load or a store of 32 or 64 bytes takes a pointer; and a text of bytes
//! that another check than the standard library's found to be UTF-8 can't be had otherwise.
//!
//! # Contract
//!
//! None for the caller: blocks are passed by reference to all of their bytes, nothing is read or written beyond them, and of what is less than
//! a block only what is there; a [`Pair`] is made, [`pass_content`] and [`copy_content`] go on, and [`utf8`] looks for itself only where the
//! processor has what that needs; bytes that become a string are owned, and checked here. The slow
//! twins are [`first_special_in_words`], [`pass_content`] with AVX2 and looking at each byte, resolving one escape after the other,
//! [`std::str::from_utf8`], and [`Prefilter`](super::Prefilter) without masks and without a pair;
//! the tests compare all of them.

pub(super) use content::pass_content;
#[cfg(test)]
pub(super) use content::{escapes_of, pass_content_narrow};
pub(super) use copy::copy_content;
pub(super) use pair::Pair;
pub(super) use utf8::into_string;
pub use utf8::utf8;
#[cfg(test)]
pub(super) use utf8::utf8_narrow;

mod content;
mod copy;
#[cfg(target_arch = "x86_64")]
mod masks;
mod pair;
mod utf8;

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

/// How many bytes are compared at once.
#[cfg(target_arch = "x86_64")]
const WIDE_LEN: usize = 32;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn load(block: &[u8; WIDE_LEN]) -> std::arch::x86_64::__m256i {
    // SAFETY: all the bytes that are read are the block's, and the instruction asks for no alignment.
    unsafe { std::arch::x86_64::_mm256_loadu_si256(block.as_ptr().cast()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn load_block(block: &[u8; 64]) -> std::arch::x86_64::__m512i {
    // SAFETY: all the bytes that are read are the block's, and the instruction asks for no alignment.
    unsafe { std::arch::x86_64::_mm512_loadu_si512(block.as_ptr().cast()) }
}

/// Fewer bytes than a block, and zeros behind them.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load_rest(rest: &[u8]) -> std::arch::x86_64::__m512i {
    let mask = u64::MAX.unbounded_shr(u64::BITS.saturating_sub(rest.len() as u32));
    // SAFETY: only bytes are read for which the mask has a bit, and these are as many as there are, or the first 64.
    unsafe { std::arch::x86_64::_mm512_maskz_loadu_epi8(mask, rest.as_ptr().cast()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn store_block(block: &mut [u8; 64], bytes: std::arch::x86_64::__m512i) {
    // SAFETY: all the bytes that are written are the block's, and the instruction asks for no alignment.
    unsafe { std::arch::x86_64::_mm512_storeu_si512(block.as_mut_ptr().cast(), bytes) }
}
