//! Copies what a string says, escapes of two bytes resolved, 64 bytes at a time.

#[cfg(target_arch = "x86_64")]
use super::content::escapes_of;
#[cfg(target_arch = "x86_64")]
use super::{load_block, store_block};

/// Appends what the string says from `at` on, which is in no escape, up to where it ends, or something can't stand in it, or an escape
/// by number begins, or there are not enough bytes left; and gives the offset of that.
///
/// Nothing is done on processors without AVX-512 and what moves single bytes within its vectors.
#[inline]
pub(in crate::scan) fn copy_content(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("popcnt")
    {
        // SAFETY: the processor has just been found to have all of them, and who has the first has AVX-512F.
        return unsafe { copy_blocks(text, at, out) };
    }
    at
}

/// What stands behind a backslash becomes what it stands for, wherever it is in the block; then all that is kept moves together.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,popcnt")]
fn copy_blocks(text: &[u8], start: usize, out: &mut Vec<u8>) -> usize {
    use std::arch::x86_64::{
        _mm512_cmpeq_epi8_mask, _mm512_cmplt_epu8_mask, _mm512_mask_blend_epi8, _mm512_maskz_compress_epi8,
        _mm512_movepi8_mask, _mm512_permutex2var_epi8, _mm512_set1_epi8, _mm512_test_epi8_mask,
    };
    let all = |byte: u8| _mm512_set1_epi8(byte as i8);
    let [low, high] = const { halves(&super::super::strings::SIMPLE) };
    let (low, high) = (load_block(&low), load_block(&high));
    let (blocks, _) = text.get(start..).unwrap_or_default().as_chunks::<64>();
    let mut at = start;
    // Whether the first byte of the block is escaped by the last one of the block before: 1 or 0.
    let mut carry = 0;
    for block in blocks {
        let bytes = load_block(block);
        let is = |byte| _mm512_cmpeq_epi8_mask(bytes, all(byte));
        let (escapes, escaped) = escapes_of(is(b'\\'), &mut carry);
        // Of bytes beyond ASCII, the lower bits are looked up.
        let resolved = _mm512_permutex2var_epi8(low, bytes, high);
        let is_simple = _mm512_test_epi8_mask(resolved, resolved) & !_mm512_movepi8_mask(bytes);
        let controls = _mm512_cmplt_epu8_mask(bytes, all(0x20));
        let stops = is(b'"') & !escaped | controls | escaped & !is_simple;
        // Below the first one that is set; all, if none is.
        let passed = (stops & stops.wrapping_neg()).wrapping_sub(1);
        let kept = passed & !escapes;
        let said = _mm512_mask_blend_epi8(escaped, bytes, resolved);
        let mut copy = [0; 64];
        store_block(&mut copy, _mm512_maskz_compress_epi8(kept, said));
        // So many bytes that their number is known; those in vain are taken back.
        out.extend_from_slice(&copy);
        out.truncate(out.len() - kept.count_zeros() as usize);
        if stops != 0 {
            let first = stops.trailing_zeros();
            return at + first as usize - (escaped >> first & 1) as usize;
        }
        at += block.len();
    }
    at - carry as usize
}

/// What the bytes of ASCII are looked up in.
#[cfg(target_arch = "x86_64")]
const fn halves(table: &[u8; 256]) -> [[u8; 64]; 2] {
    let mut halves = [[0; 64]; 2];
    let mut at = 0;
    while at < 128 {
        halves[at / 64][at % 64] = table[at];
        at += 1;
    }
    halves
}
