//! Goes into the values that matter and past the others, in one pass.

use super::{NESTING_MAX, key_and_colon, only_space_from, skip_space, value_end};
use crate::scan::Nothing;

/// Goes through a JSON text: into objects and arrays where the caller wants to, and past everything else. Every byte is
/// looked at once, which [`members`](super::members) of members can't do: each level of those looks at all that is below.
///
/// ```
/// use jsonl_core::scan::Walker;
///
/// let text = br#"{"type":"user","message":{"role":"user","content":["a","b"]},"n":1}"#;
/// let (mut role, mut parts) = (None, 0);
/// let mut walker = Walker::new(text);
/// walker.object(|key, value| match key {
///     b"message" => value.object(|key, value| match key {
///         b"role" => role = Some(value.value()),
///         b"content" => value.array(|_| parts += 1),
///         _ => {}
///     }),
///     _ => {}
/// });
/// assert!(walker.is_whole());
/// assert_eq!((role, parts), (Some(&b"\"user\""[..]), 2));
/// ```
#[derive(Clone, Debug)]
pub struct Walker<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    is_faulty: bool,
}

impl<'a> Walker<'a> {
    /// Stands in front of the value that is the whole of `text`.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: skip_space(text, 0), depth: 0, is_faulty: false }
    }

    /// The first byte of the value, which tells what it is; `None` behind the end, or after a fault.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The value as it is written, and past it. Empty after a fault.
    #[inline]
    pub fn value(&mut self) -> &'a [u8] {
        let start = self.at;
        match value_end(self.text, start, NESTING_MAX - self.depth) {
            Ok(end) if !self.is_faulty => {
                self.at = end;
                &self.text[start..end]
            }
            _ => {
                self.fail();
                &[]
            }
        }
    }

    /// Goes into an object: `each` gets every key, escapes as written, and stands in front of its value; what it leaves there is
    /// passed. A value that is no object is passed.
    pub fn object(&mut self, mut each: impl FnMut(&'a [u8], &mut Self)) {
        self.inside(b'{', |walker| {
            let quote = walker.at;
            let Ok(behind) = key_and_colon(walker.text, quote, walker.depth, &mut Nothing) else {
                return walker.fail();
            };
            // Behind the key are its quote, blanks and the colon.
            let key = &walker.text[quote + 1..behind - 1];
            let end = memchr::memrchr(b'"', key).unwrap_or(0);
            walker.at = skip_space(walker.text, behind);
            walker.pass(|walker| each(&key[..end], walker));
        });
    }

    /// Goes into an array: `each` stands in front of every item; what it leaves there is passed. A value that is no array is
    /// passed.
    pub fn array(&mut self, mut each: impl FnMut(&mut Self)) {
        self.inside(b'[', |walker| walker.pass(&mut each));
    }

    /// What of the text `work` passes, as it is written.
    pub fn spanning(&mut self, work: impl FnOnce(&mut Self)) -> &'a [u8] {
        let start = self.at;
        work(self);
        if self.is_faulty { &[] } else { &self.text[start..self.at] }
    }

    /// Whether the text has turned out to be one value and nothing else, as [`check`](super::check) finds: known when the outermost
    /// value has been passed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.is_faulty && self.at > 0 && only_space_from(self.text, self.at).is_ok()
    }

    fn fail(&mut self) {
        self.is_faulty = true;
        self.at = self.text.len();
    }

    /// Calls `each`, and passes the value if it has not been.
    fn pass(&mut self, each: impl FnOnce(&mut Self)) {
        let before = self.at;
        each(self);
        if self.at == before && !self.is_faulty {
            self.value();
        }
    }

    fn inside(&mut self, open: u8, mut each: impl FnMut(&mut Self)) {
        if self.peek() != Some(open) {
            self.value();
            return;
        }
        if self.depth == NESTING_MAX {
            return self.fail();
        }
        // '}' is '{' + 2, and ']' is '[' + 2.
        let close = open + 2;
        self.depth += 1;
        self.at = skip_space(self.text, self.at + 1);
        if self.peek() == Some(close) {
            self.at += 1;
            self.depth -= 1;
            return;
        }
        loop {
            each(self);
            if self.is_faulty {
                return;
            }
            self.at = skip_space(self.text, self.at);
            match self.peek() {
                Some(b',') => self.at = skip_space(self.text, self.at + 1),
                Some(byte) if byte == close => {
                    self.at += 1;
                    self.depth -= 1;
                    return;
                }
                _ => return self.fail(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{check, items, members};

    /// The slow twin: every level by itself.
    fn slow(text: &[u8], found: &mut Vec<Vec<u8>>) {
        for member in members(text) {
            found.push(member.key.to_vec());
            slow(member.value, found);
        }
        for item in items(text) {
            slow(item, found);
        }
        if !text.starts_with(b"{") && !text.starts_with(b"[") {
            found.push(text.to_vec());
        }
    }

    fn quick(walker: &mut Walker<'_>, found: &mut Vec<Vec<u8>>) {
        match walker.peek() {
            Some(b'{') => walker.object(|key, value| {
                found.push(key.to_vec());
                quick(value, found);
            }),
            Some(b'[') => walker.array(|value| quick(value, found)),
            _ => found.push(walker.value().to_vec()),
        }
    }

    #[test]
    fn every_level_is_seen_as_the_slow_twin_sees_it() {
        let texts = [
            r#"{"a":1,"b":[1,{"c":"d\"e"},[]],"f":{"g":{}},"a\u0062":null}"#,
            r#"  { "a" : [ "x" , 2.5e3 ] , "b" : { } }  "#,
            "[]",
            "5",
            r#""text""#,
            r#"{"k\\":"v\\"}"#,
        ];
        for text in texts {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let mut walker = Walker::new(text.as_bytes());
            quick(&mut walker, &mut one);
            slow(text.trim().as_bytes(), &mut other);
            assert_eq!(one, other, "{text}");
            assert!(walker.is_whole(), "{text}");
        }
    }

    #[test]
    fn what_is_left_is_passed() {
        let text = br#"{"a":[1,2],"b":{"c":3},"d":4}"#;
        let mut keys = Vec::new();
        let mut walker = Walker::new(text);
        walker.object(|key, _| keys.push(key));
        assert_eq!(keys, [b"a", b"b", b"d"]);
        assert!(walker.is_whole());
    }

    #[test]
    fn a_text_is_whole_if_the_check_says_so() {
        let whole = r#"{"a":[1,{"b":"c\u00e9"},true],"d":{"e":null}} "#.as_bytes();
        let mut texts: Vec<Vec<u8>> = (0..=whole.len()).map(|len| whole[..len].to_vec()).collect();
        for at in 0..whole.len() {
            for byte in *b"\"\\{}[]:,x \x01" {
                let mut text = whole.to_vec();
                text[at] = byte;
                texts.push(text);
            }
        }
        texts.push([b"[".repeat(128), b"]".repeat(128)].concat());
        texts.push([b"[".repeat(129), b"]".repeat(129)].concat());
        for text in texts {
            let mut walker = Walker::new(&text);
            quick(&mut walker, &mut Vec::new());
            let expected = check(&text, NESTING_MAX).is_ok();
            assert_eq!(walker.is_whole(), expected, "{}", String::from_utf8_lossy(&text));
            let mut walker = Walker::new(&text);
            walker.value();
            assert_eq!(walker.is_whole(), expected, "{}", String::from_utf8_lossy(&text));
        }
    }
}
