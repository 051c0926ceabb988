//! Passes the content of a string with escapes, 64 bytes at a time.

#[cfg(target_arch = "x86_64")]
use super::{WIDE_LEN, load, load_block};

/// Passes what is in a string with escapes: goes on from `at`, which is in no escape, to where the string ends or something can't
/// stand in it, or there are not enough bytes left. All that is passed is right; what stands behind is for those to judge who look at each
/// byte: it doesn't begin within an escape, except at digits of one that is right.
#[cfg(not(target_arch = "x86_64"))]
pub(in crate::scan) fn pass_content(_text: &[u8], at: usize) -> usize {
    at
}

/// Passes what is in a string with escapes: goes on from `at`, which is in no escape, to where the string ends or something can't
/// stand in it, or there are not enough bytes left. All that is passed is right; what stands behind is for those to judge who look at each
/// byte: it doesn't begin within an escape, except at digits of one that is right.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(in crate::scan) fn pass_content(text: &[u8], at: usize) -> usize {
    if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("bmi1") {
        // SAFETY: the processor has just been found to have both, and who has the former has AVX-512F.
        return unsafe { pass_content_avx512(text, at) };
    }
    pass_content_narrow(text, at)
}

/// The same on processors without AVX-512.
#[cfg(target_arch = "x86_64")]
pub(in crate::scan) fn pass_content_narrow(text: &[u8], at: usize) -> usize {
    if !is_x86_feature_detected!("avx2") {
        return at;
    }
    // SAFETY: the processor has just been found to have AVX2.
    unsafe { pass_content_avx2(text, at) }
}

/// The same on processors without AVX-512.
#[cfg(all(test, not(target_arch = "x86_64")))]
pub(in crate::scan) fn pass_content_narrow(_text: &[u8], at: usize) -> usize {
    at
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,bmi1")]
fn pass_content_avx512(text: &[u8], start: usize) -> usize {
    pass_blocks(text, start, |block| meant_avx512(block))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn pass_content_avx2(text: &[u8], start: usize) -> usize {
    pass_blocks(text, start, |block| meant_avx2(block))
}

/// The bytes of a block that mean something in a string, a bit each.
#[cfg(target_arch = "x86_64")]
#[derive(Default)]
struct Meant {
    quotes: u64,
    backslashes: u64,
    controls: u64,
    /// What may stand behind a backslash, and of that the `u`.
    escapes: u64,
    units: u64,
}

/// 64 bytes at a time, however many escapes are among them: which bytes are escaped is computed for all of them at once, as in Langdale
/// and Lemire, "Parsing Gigabytes of JSON per Second", section 3.1.1.
///
/// It has to become a part of its caller, who may use the instructions that `meant` is made of.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn pass_blocks(text: &[u8], start: usize, meant: impl Fn(&[u8; 64]) -> Meant) -> usize {
    let (blocks, _) = text.get(start..).unwrap_or_default().as_chunks::<64>();
    let mut at = start;
    // Whether the first byte of the block is escaped by the last one of the block before: 1 or 0.
    let mut carry = 0;
    for block in blocks {
        let meant = meant(block);
        let (_, escaped) = escapes_of(meant.backslashes, &mut carry);
        let stops = meant.quotes & !escaped | meant.controls | escaped & !meant.escapes;
        // Below the first one that is set; all, if none is.
        let passed = (stops & stops.wrapping_neg()).wrapping_sub(1);
        let mut units = escaped & meant.units & passed;
        while units != 0 {
            let unit = at + units.trailing_zeros() as usize;
            if crate::scan::hex4(text.get(unit + 1..unit + 5)).is_none() {
                return unit - 1;
            }
            units &= units - 1;
        }
        if stops != 0 {
            let first = stops.trailing_zeros();
            return at + first as usize - (escaped >> first & 1) as usize;
        }
        at += block.len();
    }
    at - carry as usize
}

/// The backslashes that begin an escape, and the bytes behind them. `carry` tells of the first byte, and is told of the one behind the last.
#[cfg(any(test, target_arch = "x86_64"))]
#[inline]
pub(in crate::scan) fn escapes_of(backslashes: u64, carry: &mut u64) -> (u64, u64) {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    // Hardly ever one stands behind another.
    let behind = backslashes << 1 | *carry;
    if backslashes & behind == 0 {
        *carry = backslashes >> 63;
        return (backslashes, behind);
    }
    // One that is escaped begins nothing.
    let begin = backslashes & !*carry;
    // Of every run, those that begin an escape and the byte behind the last one of these: taking a run away from the odd places behind it
    // leaves every other bit of it, whichever place it begins at.
    let alternating = ((begin << 1 | ODD).wrapping_sub(begin)) ^ ODD;
    let escapes = alternating & begin;
    let escaped = alternating ^ (begin | *carry);
    *carry = escapes >> 63;
    (escapes, escaped)
}

/// What may stand behind a backslash, each at its lower four bits, in each part of 16 bytes, for the instruction looks each up in its
/// own. Of those that share them, `b` and `r` are compared by themselves.
#[cfg(target_arch = "x86_64")]
const fn escapes<const LEN: usize>() -> [u8; LEN] {
    let mut escapes = [0xFF; LEN];
    let bytes = *b"\"tuf\\n/";
    let mut at = 0;
    while at < LEN {
        let mut next = 0;
        while next < bytes.len() {
            escapes[at + (bytes[next] & 0xF) as usize] = bytes[next];
            next += 1;
        }
        at += 16;
    }
    escapes
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn meant_avx512(block: &[u8; 64]) -> Meant {
    use std::arch::x86_64::{
        _mm512_cmpeq_epi8_mask, _mm512_cmplt_epu8_mask, _mm512_set1_epi8, _mm512_shuffle_epi8,
    };
    let bytes = load_block(block);
    let all = |byte: u8| _mm512_set1_epi8(byte as i8);
    let is = |byte| _mm512_cmpeq_epi8_mask(bytes, all(byte));
    let looked_up = _mm512_shuffle_epi8(load_block(&const { escapes() }), bytes);
    Meant {
        quotes: is(b'"'),
        backslashes: is(b'\\'),
        controls: _mm512_cmplt_epu8_mask(bytes, all(0x20)),
        escapes: _mm512_cmpeq_epi8_mask(looked_up, bytes) | is(b'b') | is(b'r'),
        units: is(b'u'),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn meant_avx2(block: &[u8; 64]) -> Meant {
    use std::arch::x86_64::{
        _mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
        _mm256_shuffle_epi8,
    };
    let all = |byte: u8| _mm256_set1_epi8(byte as i8);
    let mask = |found| u64::from(_mm256_movemask_epi8(found) as u32);
    let mut meant = Meant::default();
    for (half, shift) in block.as_chunks::<WIDE_LEN>().0.iter().zip([0, WIDE_LEN]) {
        let bytes = load(half);
        let is = |byte| _mm256_cmpeq_epi8(bytes, all(byte));
        let looked_up = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(load(&const { escapes() }), bytes), bytes);
        meant.quotes |= mask(is(b'"')) << shift;
        meant.backslashes |= mask(is(b'\\')) << shift;
        meant.controls |= mask(_mm256_cmpeq_epi8(_mm256_min_epu8(bytes, all(0x1F)), bytes)) << shift;
        meant.escapes |= mask(_mm256_or_si256(looked_up, _mm256_or_si256(is(b'b'), is(b'r')))) << shift;
        meant.units |= mask(is(b'u')) << shift;
    }
    meant
}
