//! Whether bytes are UTF-8: with AVX-512, 64 at a time, and with what a library has on other processors.
//!
//! The way is that of Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte", section 6: what is wrong with two
//! bytes that follow each other shows in three of their four halves, each looked up in a table of 16; and a third and a fourth byte
//! have to be where a lead says so.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m512i;

#[cfg(target_arch = "x86_64")]
use super::{load_block, load_rest};

/// The bytes as text, if they are UTF-8: several times faster than [`std::str::from_utf8`] where not all of it is ASCII.
#[must_use]
pub fn utf8(bytes: &[u8]) -> Option<&str> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi") {
        // SAFETY: the processor has just been found to have both, and who has the former has AVX-512F.
        let is_text = unsafe { is_utf8(bytes) };
        // SAFETY: they have just been found to be UTF-8.
        return is_text.then(|| unsafe { str::from_utf8_unchecked(bytes) });
    }
    utf8_narrow(bytes)
}

/// The same on processors without AVX-512.
pub(in crate::scan) fn utf8_narrow(bytes: &[u8]) -> Option<&str> {
    // simdutf8 0.1.5 names bytes beyond the end to the processor, as some that might be wanted soon. Nothing is read there; but Miri ends at
    // the pointer (mended by its pull request 120).
    #[cfg(miri)]
    return str::from_utf8(bytes).ok();
    #[cfg(not(miri))]
    simdutf8::basic::from_utf8(bytes).ok()
}

/// The bytes as a string, if they are UTF-8.
pub(in crate::scan) fn into_string(bytes: Vec<u8>) -> Option<String> {
    utf8(&bytes)?;
    // SAFETY: they have just been found to be UTF-8, and nobody else holds them.
    Some(unsafe { String::from_utf8_unchecked(bytes) })
}

/// What stands before a block, and what was found to be wrong: a bit somewhere, if anything.
#[cfg(target_arch = "x86_64")]
struct Passed {
    before: __m512i,
    wrong: __m512i,
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn is_utf8(bytes: &[u8]) -> bool {
    use std::arch::x86_64::{
        _mm512_movepi8_mask, _mm512_or_si512, _mm512_setzero_si512, _mm512_test_epi8_mask,
    };
    let zeros = _mm512_setzero_si512();
    let mut passed = Passed { before: zeros, wrong: zeros };
    // Many at once may be ASCII, and of a text in which few words are not, of so many there is hardly ever none.
    let (groups, rest) = bytes.as_chunks::<256>();
    for group in groups {
        let [first, second, third, last] = [0, 1, 2, 3].map(|n| load_block(&group.as_chunks().0[n]));
        let all = _mm512_or_si512(_mm512_or_si512(first, second), _mm512_or_si512(third, last));
        if _mm512_movepi8_mask(all) == 0 {
            passed.ascii(last);
        } else {
            passed.block(first);
            passed.block(second);
            passed.block(third);
            passed.block(last);
        }
    }
    let (blocks, rest) = rest.as_chunks();
    for block in blocks {
        passed.block(load_block(block));
    }
    let last = load_rest(rest);
    if _mm512_movepi8_mask(last) == 0 {
        passed.ascii(last);
    } else {
        // With zeros behind it, a character that isn't finished is wrong.
        passed.block(last);
    }
    _mm512_test_epi8_mask(passed.wrong, passed.wrong) == 0
}

#[cfg(target_arch = "x86_64")]
impl Passed {
    /// Passes a block of nothing but ASCII, or several that end with it.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn ascii(&mut self, last: __m512i) {
        use std::arch::x86_64::{_mm512_or_si512, _mm512_subs_epu8};
        // Below it, no lead is too near to the end.
        const ENDS: [u8; 64] = {
            let mut ends = [0xFF; 64];
            ends[61] = 0xF0 - 1;
            ends[62] = 0xE0 - 1;
            ends[63] = 0xC0 - 1;
            ends
        };
        self.wrong = _mm512_or_si512(self.wrong, _mm512_subs_epu8(self.before, load_block(&ENDS)));
        self.before = last;
    }

    /// Passes a block.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    #[inline]
    fn block(&mut self, bytes: __m512i) {
        use std::arch::x86_64::{
            _mm512_alignr_epi8, _mm512_alignr_epi64, _mm512_and_si512, _mm512_or_si512,
            _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_srli_epi16, _mm512_subs_epu8,
            _mm512_ternarylogic_epi64,
        };
        let all = |byte: u8| _mm512_set1_epi8(byte as i8);
        let high = |bytes| _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), all(0xF));
        let look_up = |table: &[u8; 64], half| _mm512_permutexvar_epi8(half, load_block(table));
        // Sixteen bytes on: the last of those before, and all but the last of these.
        let shifted = _mm512_alignr_epi64::<6>(bytes, self.before);
        let behind_one = _mm512_alignr_epi8::<15>(bytes, shifted);
        let behind_two = _mm512_alignr_epi8::<14>(bytes, shifted);
        let behind_three = _mm512_alignr_epi8::<13>(bytes, shifted);
        let first = look_up(&FIRST_HIGH, high(behind_one));
        // Of its index only the lower six bits are looked at, and the table comes again with every sixteen.
        let low = look_up(&FIRST_LOW, behind_one);
        let second = look_up(&SECOND_HIGH, high(bytes));
        // All three of them: `&` is what is true of them only at the last of eight places.
        let pairs = _mm512_ternarylogic_epi64::<0x80>(first, low, second);
        // Bit 7 where two or three bytes before stands a lead of three or four.
        let third = _mm512_subs_epu8(behind_two, all(0xE0 - 0x80));
        let fourth = _mm512_subs_epu8(behind_three, all(0xF0 - 0x80));
        let wanted = _mm512_and_si512(_mm512_or_si512(third, fourth), all(0x80));
        // There, and nowhere else, one continuation stands behind another: `a | (b ^ c)`.
        self.wrong = _mm512_ternarylogic_epi64::<0xF6>(self.wrong, pairs, wanted);
        self.before = bytes;
    }
}

/// What can be wrong with two bytes, by half of one of them; again for every sixteen.
#[cfg(target_arch = "x86_64")]
const fn repeated(halves: [u8; 16]) -> [u8; 64] {
    let mut table = [0; 64];
    let mut at = 0;
    while at < table.len() {
        table[at] = halves[at % 16];
        at += 1;
    }
    table
}

/// A lead, and no continuation behind it.
#[cfg(target_arch = "x86_64")]
const TOO_SHORT: u8 = 1;
/// ASCII, and a continuation behind it.
#[cfg(target_arch = "x86_64")]
const TOO_LONG: u8 = 1 << 1;
/// E0, and too small a continuation.
#[cfg(target_arch = "x86_64")]
const OVERLONG_3: u8 = 1 << 2;
/// F4, and too large a continuation; or F5 and more.
#[cfg(target_arch = "x86_64")]
const TOO_LARGE: u8 = 1 << 3;
/// ED, and too large a continuation.
#[cfg(target_arch = "x86_64")]
const SURROGATE: u8 = 1 << 4;
/// C0 or C1.
#[cfg(target_arch = "x86_64")]
const OVERLONG_2: u8 = 1 << 5;
/// F0, and too small a continuation; or F5 and more with such a one.
#[cfg(target_arch = "x86_64")]
const OVERLONG_4: u8 = 1 << 6;
/// Two continuations, which is right behind a lead of three or four.
#[cfg(target_arch = "x86_64")]
const TWO: u8 = 1 << 7;

/// By the upper half of the first byte.
#[cfg(target_arch = "x86_64")]
const FIRST_HIGH: [u8; 64] = repeated([
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TWO,
    TWO,
    TWO,
    TWO,
    TOO_SHORT | OVERLONG_2,
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | OVERLONG_4,
]);

/// By the lower half of the first byte.
#[cfg(target_arch = "x86_64")]
const FIRST_LOW: [u8; 64] = {
    const ANY: u8 = TOO_SHORT | TOO_LONG | TWO;
    const BEYOND: u8 = ANY | TOO_LARGE | OVERLONG_4;
    repeated([
        ANY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4,
        ANY | OVERLONG_2,
        ANY,
        ANY,
        ANY | TOO_LARGE,
        BEYOND,
        BEYOND,
        BEYOND,
        BEYOND,
        BEYOND,
        BEYOND,
        BEYOND,
        BEYOND,
        BEYOND | SURROGATE,
        BEYOND,
        BEYOND,
    ])
};

/// By the upper half of the second byte.
#[cfg(target_arch = "x86_64")]
const SECOND_HIGH: [u8; 64] = {
    const ANY: u8 = TOO_LONG | OVERLONG_2 | TWO;
    repeated([
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        ANY | OVERLONG_3 | OVERLONG_4,
        ANY | OVERLONG_3 | TOO_LARGE,
        ANY | SURROGATE | TOO_LARGE,
        ANY | SURROGATE | TOO_LARGE,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
    ])
};
