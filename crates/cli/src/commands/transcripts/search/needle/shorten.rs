//! What of a long record is enough to say where a text is found in it and what stands around that: a search for a frequent word
//! would be busy with decoding what nobody sees.

use std::ops::Range;

use jsonl_core::scan::{Prefilter, Signs, Visit};

/// A text that can be looked for without decoding: no character of it has an escape unless its writer escapes everything.
pub(super) struct Plain<'a> {
    pub(super) text: &'a [u8],
    pub(super) prefilter: &'a Prefilter,
    /// Characters that are shown on either side.
    pub(super) around: usize,
}

/// A shorter string is left as it is.
pub(super) const LONG: usize = 2 << 10;

/// So much of a string's beginning is kept at least, for what it is may show there.
const HEAD: usize = 512;

/// Leaving out less than this is not worth it.
const GAP_MIN: usize = 512;

/// What stands where something was left out. What is looked for is ASCII, so it is found in nothing that wasn't there: not in this
/// character, nor in JSON that is shown as it is written, where an escape would be letters.
const GAP: &[u8] = "\u{FFFD}".as_bytes();

/// The longest that is written for one character: two halves of a surrogate pair.
const CHARACTER_MAX: usize = 12;

/// Bytes that are looked through for a place where nothing is cut in two.
const PLACES_MAX: usize = 256;

impl<'a> Plain<'a> {
    /// `None` of a text that has to be decoded to be found.
    pub(super) fn of(text: &'a [u8], prefilter: &'a Prefilter, around: usize) -> Option<Self> {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/');
        (!text.is_empty() && text.iter().all(is_plain)).then_some(Self { text, prefilter, around })
    }

    /// Whether the text stands there as it is, and not in part as the letters of an escape.
    pub(super) fn is_at(&self, content: &[u8], at: usize) -> bool {
        let escape = &content[at.saturating_sub(5)..at];
        content[at..].starts_with(self.text) && !escape.contains(&b'\\')
    }

    /// A string in which the first sign of the text is at `sign`, without most of what is not shown; `None` if nothing can be left
    /// out.
    pub(super) fn shortened(&self, content: &[u8], sign: usize) -> Option<Vec<u8>> {
        let (mut out, mut copied) = (Vec::new(), 0);
        for gap in self.gaps(content, Some(sign)) {
            out.extend_from_slice(&content[copied..gap.start]);
            out.extend_from_slice(GAP);
            copied = gap.end;
        }
        (copied > 0).then(|| [&out, &content[copied..]].concat())
    }

    /// What can be left out of a string in which the first sign of the text is at `sign`, or nowhere.
    fn gaps(&self, content: &[u8], sign: Option<usize>) -> impl Iterator<Item = Range<usize>> {
        let is_known = content.len() >= LONG && sign.is_none_or(|sign| self.is_at(content, sign));
        // That there is more, what stands for it tells.
        let shown = self.around.saturating_mul(CHARACTER_MAX);
        // Texts are joined: its beginning may be shown behind what is found in the one before it, and its end in front of the next.
        let head = HEAD.max(shown);
        let [before, behind] = match sign {
            _ if !is_known => [0..0, 0..0],
            None => [head..content.len().saturating_sub(shown), 0..0],
            Some(sign) => {
                let behind = sign.saturating_add(self.text.len()).saturating_add(shown);
                [head..sign.saturating_sub(shown), head.max(behind)..content.len()]
            }
        };
        [before, behind].into_iter().filter_map(|gap| {
            let is_between = |at: &usize| is_between(content, *at);
            let start = gap.clone().take(PLACES_MAX).find(is_between)?;
            let end = gap.rev().take(PLACES_MAX).find(is_between)?;
            (start + GAP_MIN < end).then_some(start..end)
        })
    }
}

/// Whether a character begins there, and no escape is cut.
fn is_between(content: &[u8], at: usize) -> bool {
    let before = &content[at.saturating_sub(CHARACTER_MAX)..at];
    !before.contains(&b'\\') && content.get(at).is_none_or(|byte| byte & 0xC0 != 0x80)
}

/// Whether somebody might take the string's text for JSON and look into that: nothing can be left out of it.
fn may_be_json(content: &[u8]) -> bool {
    let text = content.trim_ascii_start();
    match text.first() {
        None | Some(b'{' | b'[' | b'\\') => true,
        // A number has nothing else.
        Some(b'-' | b'0'..=b'9') => {
            let is_numeric = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
            text.iter().take(HEAD).all(is_numeric)
        }
        Some(_) => false,
    }
}

/// Where in a string the first sign of the text is; if there is none, the text isn't in it.
pub(super) fn sign_in(signs: &mut Signs<'_>, content: &Range<usize>) -> Option<usize> {
    signs.first_from(content.start).filter(|sign| *sign < content.end).map(|sign| sign - content.start)
}

/// Copies a record without most of its long strings, on a walk through it.
pub(super) struct Shorten<'a> {
    plain: &'a Plain<'a>,
    text: &'a [u8],
    signs: Signs<'a>,
    /// What is in front of it has been copied, or left out.
    copied: usize,
    out: Vec<u8>,
}

impl<'a> Shorten<'a> {
    /// `sign` is where in the record the first sign of the text is.
    pub(super) fn new(plain: &'a Plain<'a>, text: &'a [u8], sign: usize) -> Self {
        let signs = plain.prefilter.signs(text, Some(sign));
        Self { plain, text, signs, copied: 0, out: Vec::new() }
    }

    /// The record, when all of it has been walked through; `None` if nothing could be left out.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        if self.copied == 0 {
            return None;
        }
        self.out.extend_from_slice(&self.text[self.copied..]);
        Some(self.out)
    }
}

impl Visit for Shorten<'_> {
    fn string(&mut self, content: Range<usize>, _depth: usize, is_key: bool) {
        if is_key || content.len() < LONG {
            return;
        }
        let sign = sign_in(&mut self.signs, &content);
        let (start, content) = (content.start, &self.text[content]);
        if may_be_json(content) {
            return;
        }
        for gap in self.plain.gaps(content, sign) {
            self.out.extend_from_slice(&self.text[self.copied..start + gap.start]);
            self.out.extend_from_slice(GAP);
            self.copied = start + gap.end;
        }
    }
}
