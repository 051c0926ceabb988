//! Looks for a text and for an escape that could hide it, and counts newlines, in one pass.

#[cfg(target_arch = "x86_64")]
use super::masks::Masks;
#[cfg(target_arch = "x86_64")]
use super::{WIDE_LEN, load};

/// Looks for two bytes of a text at their distance, for the escape of a byte, and for newlines, 32 bytes at a time.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(in crate::scan) struct Pair {
    /// The bytes, and where they stand in the text: those that are rarest elsewhere.
    first: (u8, usize),
    second: (u8, usize),
    /// Where the processor has more.
    masks: Option<Masks>,
}

/// Not on this architecture.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub(in crate::scan) enum Pair {}

/// Bytes that have been looked at.
pub(in crate::scan) struct Passed {
    pub(in crate::scan) len: usize,
    /// How many of them are newlines.
    pub(in crate::scan) newlines: u64,
    /// Whether a match begins behind them. If not, there may be one in what is left, which is less than a text and a block.
    pub(in crate::scan) is_match: bool,
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

/// Blocks whose newlines are counted in bytes.
#[cfg(target_arch = "x86_64")]
const GROUP_LEN: usize = 128;

#[cfg(not(target_arch = "x86_64"))]
impl Pair {
    pub(in crate::scan) fn of(_text: &[u8]) -> Option<Self> {
        None
    }

    pub(in crate::scan) fn find(&self, _bytes: &[u8], _is_match: impl Fn(usize) -> bool) -> Passed {
        match *self {}
    }

    #[cfg(test)]
    pub(in crate::scan) fn without_masks(self) -> Self {
        match self {}
    }
}

#[cfg(target_arch = "x86_64")]
impl Pair {
    /// None of an empty text, and where the processor has no such vectors.
    pub(in crate::scan) fn of(text: &[u8]) -> Option<Self> {
        if !is_x86_feature_detected!("avx2") {
            return None;
        }
        let at = |at: usize| text.get(at).map(|byte| (*byte, at));
        let (first, second) = match memchr::arch::all::packedpair::Pair::new(text) {
            Some(pair) => (at(pair.index1().into())?, at(pair.index2().into())?),
            None => (at(0)?, at(0)?),
        };
        Some(Self { first, second, masks: Masks::of(first, second) })
    }

    /// Goes to the first place that could be one of the text or of `\u00` and is a match.
    pub(in crate::scan) fn find(&self, bytes: &[u8], is_match: impl Fn(usize) -> bool) -> Passed {
        match &self.masks {
            Some(masks) => masks.find(bytes, is_match),
            None => self.find_in_blocks(bytes, is_match),
        }
    }

    fn find_in_blocks(&self, bytes: &[u8], is_match: impl Fn(usize) -> bool) -> Passed {
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

    /// The same without what only some processors have.
    #[cfg(test)]
    pub(in crate::scan) fn without_masks(self) -> Self {
        Self { masks: None, ..self }
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
