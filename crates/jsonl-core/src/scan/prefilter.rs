//! Finds the lines whose strings could hold a text, without decoding any.
//!
//! A writer may escape any character: `é` is `\u00e9` in one file and itself in the next, `/` is `\/`. So what
//! is to be compared are decoded strings. Decoding everything would be slow, so lines are looked for that could
//! match: those with the longest part of the text that nobody has a reason to escape, and those with an escape
//! that could hide it. Everything else is passed over, in one go with counting its newlines where the processor
//! has the vectors for it.

use std::iter::FusedIterator;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use super::vector::Pair;
use crate::line;

/// Which lines could hold a text in one of their strings; see [`Log::candidates`](crate::Log::candidates).
///
/// No line that holds it is left out, whatever way its writer escapes, and whether or not the line is whole; except that a text with
/// U+FFFD is not looked for where bytes that are no UTF-8 would be shown so. A candidate has to be looked at: of a text with a
/// part of a few letters most candidates hold it, of `é` or `/` every line with a backslash is one.
#[derive(Clone, Debug)]
pub struct Prefilter {
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// An empty text is in every line.
    Every,
    /// The longest part of the text that is written as it is, or else with an escape for printable ASCII; the beginning of it.
    Part(Box<Part>),
    /// Every character of the text could have an escape of its own: it stands there as it is, or there is an escape.
    Any(Box<Finder<'static>>),
}

#[derive(Clone, Debug)]
struct Part {
    text: Finder<'static>,
    escape: Finder<'static>,
    pair: Option<Pair>,
}

/// So much of the text is looked for: near matches cost no more than this each, however long the text is and however much of it repeats.
const PART_MAX: usize = 64;

/// How an escape begins that could stand for printable ASCII.
const ASCII_ESCAPE: &[u8] = br"\u00";

/// A line that could hold the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// How many lines are before it, from the first that were given.
    pub line: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// The line without its newline.
    pub bytes: &'a [u8],
    /// Where in it the first sign of the text is: the part of it that was looked for, or an escape that could hide it. No match
    /// ends before it.
    pub sign: usize,
}

/// Those of some lines that could hold a text, in their order.
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    prefilter: &'a Prefilter,
    bytes: &'a [u8],
    offset: u64,
    /// Where the first line begins that hasn't been looked at, and how many are before it.
    at: usize,
    lines: u64,
    /// Where the next part and the next escape are, or the end; `None` where that hasn't been asked.
    part: Option<usize>,
    escape: Option<usize>,
}

impl Prefilter {
    /// Of an empty text, every line is a candidate.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/');
        let parts = text.as_bytes().split(|byte| !is_plain(byte));
        let part = parts.max_by_key(|part| part.len()).unwrap_or_default();
        let what = match part {
            b"" if text.is_empty() => What::Every,
            b"" => What::Any(Box::new(Finder::new(text).into_owned())),
            part => {
                let part = &part[..part.len().min(PART_MAX)];
                let (text, escape) = (Finder::new(part).into_owned(), Finder::new(ASCII_ESCAPE));
                What::Part(Box::new(Part { text, escape, pair: Pair::of(part) }))
            }
        };
        Self { what }
    }

    /// Those of some lines that could hold the text. `offset` is where the lines begin in their file.
    #[must_use]
    pub fn candidates<'a>(&'a self, lines: &'a [u8], offset: u64) -> Candidates<'a> {
        Candidates { prefilter: self, bytes: lines, offset, at: 0, lines: 0, part: None, escape: None }
    }

    /// Where in some bytes signs of the text are. `first` is where the first one is, if that is known: [`Candidate::sign`].
    #[must_use]
    pub fn signs<'a>(&'a self, bytes: &'a [u8], first: Option<usize>) -> Signs<'a> {
        Signs { ahead: self.candidates(bytes, 0), place: first }
    }
}

/// The signs of a text in some bytes, for whoever comes by them from the beginning to the end: however often that is asked, every
/// byte is looked at a few times at most.
#[derive(Clone, Debug)]
pub struct Signs<'a> {
    ahead: Candidates<'a>,
    /// Where the next one is that is known, or the end.
    place: Option<usize>,
}

impl Signs<'_> {
    /// The first sign from there on, if there is one. Whoever has asked for a later place gets what is behind that.
    pub fn first_from(&mut self, at: usize) -> Option<usize> {
        let len = self.ahead.bytes.len();
        let place = match self.place {
            Some(place) if place >= at => place,
            _ => {
                self.ahead.at = at.min(len);
                *self.place.insert(self.ahead.next_place().0.unwrap_or(len))
            }
        };
        (place < len).then_some(place)
    }
}

impl Part {
    /// Whether it begins here, or an escape that could hide it.
    fn is_at(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(self.text.needle()) || is_ascii_escape(bytes)
    }

    fn find_escape(&self, bytes: &[u8]) -> Option<usize> {
        let mut places = self.escape.find_iter(bytes);
        places.find(|at| is_ascii_escape(&bytes[*at..]))
    }
}

/// `\u0020` to `\u007e`. Control characters and everything beyond ASCII hide nothing of the part.
fn is_ascii_escape(bytes: &[u8]) -> bool {
    bytes.starts_with(ASCII_ESCAPE) && matches!(bytes.get(ASCII_ESCAPE.len()), Some(b'2'..=b'7'))
}

impl<'a> Candidates<'a> {
    /// All the lines.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many lines there are, candidates or not.
    #[must_use]
    pub fn count_lines(&self) -> u64 {
        self.lines + line::count_lines(&self.bytes[self.at..])
    }

    /// Where the next sign of a match is, and how many newlines are before it; or before the end, if there is none.
    fn next_place(&mut self) -> (Option<usize>, u64) {
        let (what, bytes) = (&self.prefilter.what, self.bytes);
        let (mut from, mut newlines) = (self.at, 0);
        if let What::Part(part) = what
            && let Some(pair) = &part.pair
        {
            let ahead = &bytes[from..];
            let passed = pair.find(ahead, |at| part.is_at(&ahead[at..]));
            from += passed.len;
            newlines = passed.newlines;
            if passed.is_match {
                return (Some(from), newlines);
            }
        }
        let place = match what {
            What::Every => from,
            What::Part(part) => {
                let text = next(&mut self.part, bytes, from, |bytes| part.text.find(bytes));
                text.min(next(&mut self.escape, bytes, from, |bytes| part.find_escape(bytes)))
            }
            What::Any(text) => {
                let text = next(&mut self.part, bytes, from, |bytes| text.find(bytes));
                text.min(next(&mut self.escape, bytes, from, |bytes| memchr(b'\\', bytes)))
            }
        };
        newlines += line::count(&bytes[from..place]);
        (Some(place).filter(|place| *place < bytes.len()), newlines)
    }
}

/// The first find from there on, or the end: the known one, unless that is behind us.
fn next(
    known: &mut Option<usize>,
    bytes: &[u8],
    from: usize,
    find: impl FnOnce(&[u8]) -> Option<usize>,
) -> usize {
    match *known {
        Some(place) if place >= from => place,
        _ => *known.insert(find(&bytes[from..]).map_or(bytes.len(), |at| from + at)),
    }
}

impl<'a> Iterator for Candidates<'a> {
    type Item = Candidate<'a>;

    fn next(&mut self) -> Option<Candidate<'a>> {
        let bytes = self.bytes;
        let (place, newlines) = self.next_place();
        self.lines += newlines;
        let Some(place) = place else {
            self.lines += u64::from(line::is_cut(&bytes[self.at..]));
            self.at = bytes.len();
            return None;
        };
        let start = memrchr(b'\n', &bytes[self.at..place]).map_or(self.at, |at| self.at + at + 1);
        let end = memchr(b'\n', &bytes[place..]).map_or(bytes.len(), |at| place + at);
        let found = Candidate {
            line: self.lines,
            offset: self.offset.saturating_add(start as u64),
            bytes: &bytes[start..end],
            sign: place - start,
        };
        self.at = bytes.len().min(end + 1);
        self.lines += 1;
        Some(found)
    }
}

impl FusedIterator for Candidates<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Prefilter {
        /// This one, and its slow twins: with the vectors that most processors have, and without any.
        fn and_twins(self) -> [Self; 3] {
            let with = |change: fn(Pair) -> Option<Pair>| {
                let mut twin = self.clone();
                if let What::Part(part) = &mut twin.what {
                    part.pair = part.pair.and_then(change);
                }
                twin
            };
            [with(Some), with(|pair| Some(pair.without_masks())), with(|_| None)]
        }
    }

    /// The slower one: looks at every line, and for the signs where each byte is.
    fn naive<'a>(text: &str, bytes: &'a [u8], offset: u64) -> Vec<Candidate<'a>> {
        let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '/');
        let part = text.split(|c| !is_plain(c)).max_by_key(|part| part.len()).unwrap().as_bytes();
        let part = &part[..part.len().min(64)];
        let is_sign = |bytes: &[u8]| match part {
            b"" => bytes.starts_with(text.as_bytes()) || bytes.starts_with(b"\\"),
            _ => {
                bytes.starts_with(part)
                    || bytes.starts_with(b"\\u00")
                        && bytes.get(4).is_some_and(|byte| (b'2'..b'8').contains(byte))
            }
        };
        let found = (0..).zip(line::lines(bytes)).filter_map(|(number, line)| {
            let sign = (0..=line.bytes.len()).find(|at| is_sign(&line.bytes[*at..]))?;
            Some(Candidate { line: number, offset: offset + line.offset as u64, bytes: line.bytes, sign })
        });
        found.collect()
    }

    #[track_caller]
    fn check(text: &str, bytes: &[u8]) {
        let expected = naive(text, bytes, 1000);
        let first = expected.first().map(|first| (first.offset - 1000) as usize + first.sign);
        for prefilter in Prefilter::new(text).and_twins() {
            assert_eq!(
                prefilter.signs(bytes, None).first_from(0),
                first,
                "{text:?} {:?}",
                bytes.escape_ascii().to_string()
            );
            let mut candidates = prefilter.candidates(bytes, 1000);
            let lines = line::lines(bytes).count() as u64;
            assert_eq!(candidates.count_lines(), lines);
            // However far one has come, the lines are counted.
            for expected in &expected {
                assert_eq!(
                    candidates.next().as_ref(),
                    Some(expected),
                    "{text:?} {:?}",
                    bytes.escape_ascii().to_string()
                );
                assert_eq!(candidates.count_lines(), lines);
            }
            assert_eq!(candidates.next(), None, "{text:?} {:?}", bytes.escape_ascii().to_string());
            assert_eq!(candidates.count_lines(), lines);
            assert_eq!(candidates.next(), None);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "tens of thousands of checks, of which the random ones below are some")]
    fn a_text_is_found_wherever_it_stands() {
        let long = "o".repeat(300) + "x" + &"o".repeat(300);
        for text in ["", "x", "xy", "needle", "a needle/with a longer part", "/", "\\", "é", "größe", &long]
        {
            for before in (0..70).chain([4090, 4095, 4096, 8192]) {
                for behind in [0, 1, 31, 32, 33, 64, 700] {
                    let mut bytes = vec![b'.'; before];
                    bytes.extend_from_slice(text.as_bytes());
                    bytes.extend(vec![b'.'; behind]);
                    check(text, &bytes);
                    bytes.push(b'\n');
                    bytes.extend_from_slice(b"\n\nnothing\n");
                    check(text, &bytes);
                }
            }
        }
    }

    #[test]
    fn a_long_text_that_repeats_is_looked_for_in_the_time_of_a_short_one() {
        let text = "a".repeat(100_000) + "b";
        let line = "a".repeat(1000) + "\n";
        let bytes = line.repeat(if cfg!(miri) { 3 } else { 1000 });
        let all = Prefilter::new(&text);
        assert_eq!(all.candidates(bytes.as_bytes(), 0).count(), bytes.len() / line.len());
        let other = Prefilter::new(&("a".repeat(63) + "b"));
        assert_eq!(other.candidates(bytes.as_bytes(), 0).count(), 0);
    }

    #[test]
    fn signs_are_found_from_anywhere_on() {
        let bytes =
            r#"{"a":"the needle","b":"\n\u006eeedle","c":["x\/y","\u2014"],"d":"needle/é"}"#.as_bytes();
        for text in ["needle", "é", "/", "n", "", "absent"] {
            for prefilter in Prefilter::new(text).and_twins() {
                for step in [1, 2, 7, bytes.len()] {
                    let mut signs = prefilter.signs(bytes, None);
                    for from in (0..=bytes.len()).step_by(step) {
                        let expected = naive(text, &bytes[from..], 0).first().map(|first| from + first.sign);
                        assert_eq!(signs.first_from(from), expected, "{text} from {from}");
                    }
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "hundreds of thousands of strings")]
    fn asking_often_does_not_look_at_everything_as_often() {
        // What has no sign, or only one of the two, and what has either everywhere.
        for (text, string) in [("é", r#""\n","#), ("\"", r#""a","#), ("a", r#""a","#), ("b", r#""\u0041","#)]
        {
            let bytes = string.repeat(300_000);
            for prefilter in Prefilter::new(text).and_twins() {
                let mut signs = prefilter.signs(bytes.as_bytes(), None);
                assert!((0..bytes.len()).step_by(string.len()).all(|at| signs.first_from(at).is_some()));
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "hundreds of thousands of lines")]
    fn more_newlines_are_counted_than_a_byte_holds() {
        let mut bytes = vec![b'\n'; 100_000];
        check("needle", &bytes);
        bytes.extend_from_slice(b"a needle");
        check("needle", &bytes);
        bytes.extend(vec![b'\n'; 50_000]);
        check("needle", &bytes);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn all_ways_find_the_same(
            text in "[ab/\\\\u0é]{0,6}",
            pieces in prop::collection::vec(
                prop_oneof![
                    8 => "[ab]{1,40}",
                    3 => Just(String::from("\n")),
                    1 => Just(String::from("\\u0041")),
                    1 => Just(String::from("\\u001b")),
                    1 => Just(String::from("\\u2014")),
                    1 => Just(String::from("\\n00")),
                    1 => Just(String::from("\\/")),
                    1 => Just(String::from("/")),
                    1 => Just(String::from("é")),
                    1 => Just(String::from("\\u00")),
                ],
                0..40,
            ),
        ) {
            let joined = pieces.concat();
            check(&text, joined.as_bytes());
            // The text itself somewhere, also across what is looked at together.
            check(&text, (joined.clone() + &text + &joined).as_bytes());
        }
    }
}
