//! Finds complete records inside a line that is not one.
//!
//! A writer that doesn't look at the end of the file before it appends glues its record to what a dead writer
//! left, and the line is lost for both: `{"a":1{"b":2}`. What can be had back is: records at the line's
//! beginning, one behind the other, and a chain of records that reaches the line's end. NULs and white space
//! may stand around them.
//!
//! Not everything in braces is a record. An object that was complete *inside* the torn record (a tool call's
//! arguments, say) is part of it; it is recognised by ending before the byte at which the torn record goes
//! wrong. A record with a seal must fit it. Still, what is found is an offer: only the caller knows which
//! members a record of its kind has.

use std::ops::Range;

use crate::checksum::{self, Seal};
use crate::report::SALVAGED_MAX;
use crate::scan;
use crate::verdict::Seals;

/// How many times the line's length may be walked over. A line made to be slow would otherwise cost its square.
const EFFORT: usize = 16;

/// The ranges of complete objects in `line`, first to last. Empty for a line that is one record.
pub(crate) fn find(line: &[u8], max_nesting: usize, seals: Seals) -> Vec<Range<usize>> {
    let mut search = Search { line, max_nesting, seals, effort: EFFORT * line.len() + 4096 };
    let mut found = Vec::new();
    let mut at = 0;
    let mut fault = 0;
    // From the beginning, one behind the other.
    loop {
        at = skip_filler(line, at);
        match search.record(at) {
            Ok(end) if found.len() < SALVAGED_MAX => {
                found.push(at..end);
                at = end;
            }
            Ok(_) => return found,
            Err(place) => {
                fault = fault.max(place);
                break;
            }
        }
    }
    if at >= line.len() {
        // The whole line is a chain; of a single link it is simply a record.
        if found.len() == 1 && found[0] == (0..line.len()) {
            found.clear();
        }
        return found;
    }
    // From the first place on from which a chain reaches the end.
    let mut next = at + 1;
    while let Some(brace) = memchr::memchr(b'{', line.get(next..).unwrap_or_default()) {
        if search.effort == 0 {
            break;
        }
        match search.chain_to_end(next + brace, fault) {
            Ok(chain) => {
                found.extend(chain.into_iter().take(SALVAGED_MAX - found.len()));
                break;
            }
            // A chain that begins with one of this chain's links would fail in the same place.
            Err(failed) => next = failed + 1,
        }
    }
    found
}

struct Search<'a> {
    line: &'a [u8],
    max_nesting: usize,
    seals: Seals,
    effort: usize,
}

impl Search<'_> {
    /// The end of the object at `start`, or the place where it goes wrong.
    fn record(&mut self, start: usize) -> Result<usize, usize> {
        if self.line.get(start) != Some(&b'{') {
            return Err(start);
        }
        let walked = scan::value_end(self.line, start, self.max_nesting);
        let reached = walked.unwrap_or_else(|fault| fault.at);
        self.effort = self.effort.saturating_sub(reached - start + 1);
        let end = walked.map_err(|fault| fault.at)?;
        let object = &self.line[start..end];
        let vouched = match self.seals {
            Seals::Ignore => true,
            Seals::Check => checksum::check(object) != Seal::Bad,
            Seals::Require => checksum::check(object) == Seal::Good,
        };
        let sound = vouched && std::str::from_utf8(object).is_ok();
        if sound { Ok(end) } else { Err(end) }
    }

    /// The records from `start` on, if they reach the line's end and the first of them is not a part of the
    /// torn record that goes wrong at `fault`; else where the first link is that doesn't hold.
    fn chain_to_end(&mut self, start: usize, fault: usize) -> Result<Vec<Range<usize>>, usize> {
        let mut chain: Vec<Range<usize>> = Vec::new();
        let mut at = start;
        while at < self.line.len() {
            let end = self.record(at).map_err(|_| at)?;
            if chain.is_empty() && end <= fault || self.effort == 0 {
                return Err(at);
            }
            chain.push(at..end);
            at = skip_filler(self.line, end);
            self.effort = self.effort.saturating_sub(at - end);
        }
        Ok(chain)
    }
}

fn skip_filler(line: &[u8], at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, 0 | b' ' | b'\t' | b'\r')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let found: Vec<_> =
            find(line.as_bytes(), 128, Seals::Check).into_iter().map(|range| &line[range]).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn glued_records_come_apart() {
        check(r#"{"a":1{"b":2}"#, &[r#"{"b":2}"#]);
        check(r#"{"a":1}{"b":2}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]);
        check(r#"{"a":1}{"b":2"#, &[r#"{"a":1}"#]);
        check(r#"{"a":"hel{"b":2}"#, &[r#"{"b":2}"#]);
        check(r#"{"a{"b":2}{"c":3} "#, &[r#"{"b":2}"#, r#"{"c":3}"#]);
        check("\0\0\0{\"a\":1}", &[r#"{"a":1}"#]);
        check("{\"a\":1}\0\0\0", &[r#"{"a":1}"#]);
        check("{\"a\":\0\0\0{\"b\":2}", &[r#"{"b":2}"#]);
        check(r#"x{"b":2}"#, &[r#"{"b":2}"#]);
    }

    #[test]
    fn what_was_part_of_the_torn_record_is_not_offered() {
        check(r#"{"role":"u","parts":[{"type":"t"}{"b":2}"#, &[r#"{"b":2}"#]);
        check(r#"{"args":{"x":1},"text":"hel{"b":2}"#, &[r#"{"b":2}"#]);
        check(r#"{"parts":[{"type":"t"},{"type":"u"}"#, &[]);
        check(r#"{"a":1,"b":{"c":2}"#, &[]);
        check(r#"{"a" 1,"b":{"c":2}}"#, &[]);
    }

    #[test]
    fn records_and_other_things_yield_nothing() {
        check(r#"{"a":1}"#, &[]);
        check("", &[]);
        check("nonsense", &[]);
        check("[1][2]", &[]);
    }

    #[test]
    fn a_wrong_seal_is_no_record() {
        check(r#"{"a":1{"b":2,"crc32":"00000000"}"#, &[]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "hundreds of megabytes are walked over, byte by byte")]
    fn a_line_made_to_be_slow_is_given_up() {
        let links = format!("x{}x", "{}    ".repeat(200_000));
        for line in [r#"{"a":"#.repeat(200_000), links, format!("x{}x", "{}\0\0\0".repeat(200_000))] {
            let begun = std::time::Instant::now();
            assert!(find(line.as_bytes(), 128, Seals::Check).is_empty());
            assert!(begun.elapsed().as_secs() < 5);
        }
    }
}
