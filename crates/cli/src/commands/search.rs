//! `annals search`: records by what their strings say.
//!
//! A writer may escape any character: `é` is `\u00e9` in one file and itself in the next, `/` is `\/`. So what
//! is compared are decoded strings. Decoding everything would be slow, so lines are first looked for that could
//! match: those with the longest part of the text that nobody has a reason to escape, and those with an escape
//! that could hide it. Everything else is passed over at the speed of a plain search.

use std::ops::{ControlFlow, Range};
use std::path::PathBuf;

use jsonl_core::scan::{self, Visit, unescape};
use jsonl_core::{Chunk, DamageKind, ReadOptions};
use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};
use serde::Serialize;

use crate::args::Search;
use crate::commands::shrunk;
use crate::commands::view::is_record;
use crate::exit::{Exit, Failure};
use crate::files::{self, Next};
use crate::human::{name, plural};
use crate::out::{Out, Paint};
use crate::store::Home;

/// Characters of a snippet before and behind what was found.
const AROUND: usize = 40;

pub(crate) fn run(args: &Search, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    if args.text.is_empty() {
        return Err(Failure::Told(Exit::Usage, String::from("nothing to look for; give a TEXT")));
    }
    let needle = Needle::new(args)?;
    let here = [PathBuf::from(".")];
    let paths = if args.paths.is_empty() { &here[..] } else { &args.paths };
    let limit = args.limit.unwrap_or(u64::MAX);
    let mut found = 0;
    files::for_each(paths, home, &ReadOptions::new().damages_kept(0), 1, out, |log, out| {
        let path = log.path().display().to_string();
        let mut printed = Ok(());
        let report = log.chunks(
            |chunk| needle.find_in(chunk),
            |hits, first_line| {
                printed = hits.into_iter().try_for_each(|hit| {
                    if found == limit {
                        return Ok(());
                    }
                    found += 1;
                    print(&path, first_line + hit.line, &hit, out)
                });
                // First results at once, also of a search that takes long.
                if printed.is_ok() {
                    printed = out.flush();
                }
                if printed.is_err() || found == limit {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        )?;
        printed?;
        if report.bytes.missing > 0 {
            out.complain(&shrunk(&log, report.bytes.missing));
        }
        let long = report.count(DamageKind::TooLong);
        if long > 0 {
            out.note(format_args!("{}: {} above 16 MiB not searched", name(&path), plural(long, "line")));
        }
        Ok(if found == limit { Next::Stop } else { Next::GoOn })
    })?;
    Ok(if found > 0 { Exit::Done } else { Exit::Findings })
}

/// A record that matches.
struct Hit {
    /// Lines of the chunk before it.
    line: u64,
    offset: u64,
    is_damaged: bool,
    snippet: Snippet,
}

/// What was found, with what stands around it.
struct Snippet {
    before: String,
    found: String,
    behind: String,
}

#[derive(Serialize)]
struct HitObject<'a> {
    path: &'a str,
    line: u64,
    offset: u64,
    damaged: bool,
    before: &'a str,
    found: &'a str,
    behind: &'a str,
}

fn print(path: &str, line: u64, hit: &Hit, out: &mut Out) -> Result<(), Failure> {
    let Snippet { before, found, behind } = &hit.snippet;
    if out.json {
        let (offset, damaged) = (hit.offset, hit.is_damaged);
        return out.object(&HitObject { path, line, offset, damaged, before, found, behind });
    }
    let flat = |text: &str| name(&text.replace(['\n', '\t'], " "));
    let place = out.paint(Paint::Name, name(path));
    let number = out.paint(Paint::Dim, line);
    let damaged = if hit.is_damaged { out.paint(Paint::Bad, " (damaged line)") } else { String::new() };
    let marked = out.paint(Paint::Match, flat(found));
    out.line(format_args!("{place}:{number}:{damaged} {}{marked}{}", flat(before), flat(behind)))
}

/// What is looked for.
enum Needle {
    Literal { text: String, sieve: Box<Sieve> },
    Pattern(Regex),
}

/// Finds lines that could match.
enum Sieve {
    /// The longest part of the text that is written as it is, or else with an escape for printable ASCII.
    Part(Finder<'static>),
    /// Every character of the text could be escaped: it stands there as it is, or there is an escape.
    Any(Finder<'static>),
}

impl Needle {
    fn new(args: &Search) -> Result<Self, Failure> {
        if args.regexp || args.ignore_case {
            let pattern = if args.regexp { args.text.clone() } else { regex::escape(&args.text) };
            let regex = RegexBuilder::new(&pattern).case_insensitive(args.ignore_case).build();
            return regex.map(Self::Pattern).map_err(|error| {
                Failure::Told(Exit::Usage, format!("{error}\nleave out -e to look for the text itself"))
            });
        }
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/');
        let parts = args.text.as_bytes().split(|byte| !is_plain(byte));
        let part = parts.max_by_key(|part| part.len()).unwrap_or_default();
        let sieve = match part {
            b"" => Sieve::Any(Finder::new(&args.text).into_owned()),
            part => Sieve::Part(Finder::new(part).into_owned()),
        };
        Ok(Self::Literal { text: args.text.clone(), sieve: Box::new(sieve) })
    }

    fn find_in(&self, chunk: Chunk<'_>) -> Vec<Hit> {
        let mut hits = Vec::new();
        let mut lines = 0;
        let mut counted = 0;
        let mut candidates = Candidates::new(self, chunk.bytes);
        while let Some(range) = candidates.next() {
            let line = &chunk.bytes[range.clone()];
            let Some((snippet, is_damaged)) = self.find_in_line(line, chunk.offset == 0 && range.start == 0)
            else {
                continue;
            };
            lines += jsonl_core::line::count(&chunk.bytes[counted..range.start]);
            counted = range.start;
            hits.push(Hit { line: lines, offset: chunk.offset + range.start as u64, is_damaged, snippet });
        }
        hits
    }

    fn find_in_line(&self, line: &[u8], at_file_start: bool) -> Option<(Snippet, bool)> {
        let text = if at_file_start { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
        let mut strings = Strings { needle: self, text, found: None };
        match scan::visit(text, scan::NESTING_MAX, &mut strings) {
            // Bytes that are not UTF-8 and false checksums are damage, too.
            Ok(()) => strings.found.map(|found| (found, !is_record(line, at_file_start))),
            // What a damaged line says may be just what somebody is looking for: the rest is searched as it is.
            Err(_) => strings.found.or_else(|| self.find(&unescape(text))).map(|found| (found, true)),
        }
    }

    fn find(&self, text: &str) -> Option<Snippet> {
        let found = match self {
            Self::Literal { text: needle, .. } => text.find(needle).map(|at| at..at + needle.len()),
            // Finding nothing is no find.
            Self::Pattern(regex) => {
                regex.find_iter(text).map(|found| found.range()).find(|range| !range.is_empty())
            }
        }?;
        Some(Snippet::around(text, found))
    }
}

/// The lines of a chunk that could match, in their order.
struct Candidates<'a> {
    needle: &'a Needle,
    bytes: &'a [u8],
    at: usize,
    /// Where the next plain find and the next escape are; `None` where there are no more.
    plain: Option<usize>,
    escape: Option<usize>,
    ascii_escape: Finder<'static>,
}

impl<'a> Candidates<'a> {
    fn new(needle: &'a Needle, bytes: &'a [u8]) -> Self {
        let ascii_escape = Finder::new(br"\u00");
        let mut candidates = Self { needle, bytes, at: 0, plain: None, escape: None, ascii_escape };
        candidates.plain = candidates.next_plain(0);
        candidates.escape = candidates.next_escape(0);
        candidates
    }

    fn next_plain(&self, from: usize) -> Option<usize> {
        match self.needle {
            Needle::Literal { sieve, .. } => {
                let (Sieve::Part(finder) | Sieve::Any(finder)) = &**sieve;
                finder.find(&self.bytes[from..]).map(|at| from + at)
            }
            Needle::Pattern(_) => (from < self.bytes.len()).then_some(from),
        }
    }

    fn next_escape(&self, mut from: usize) -> Option<usize> {
        let Needle::Literal { sieve, .. } = self.needle else { return None };
        let Sieve::Part(_) = **sieve else {
            return memchr::memchr(b'\\', &self.bytes[from..]).map(|at| from + at);
        };
        loop {
            let at = from + self.ascii_escape.find(&self.bytes[from..])?;
            // `\u0020` to `\u007e`. Control characters and everything beyond ASCII hide nothing of the part.
            if let Some(b'2'..=b'7') = self.bytes.get(at + 4) {
                return Some(at);
            }
            from = at + 4;
        }
    }

    fn next(&mut self) -> Option<Range<usize>> {
        if self.plain.is_some_and(|plain| plain < self.at) {
            self.plain = self.next_plain(self.at);
        }
        if self.escape.is_some_and(|escape| escape < self.at) {
            self.escape = self.next_escape(self.at);
        }
        let place = [self.plain, self.escape].into_iter().flatten().min()?;
        let start =
            memchr::memrchr(b'\n', &self.bytes[self.at..place]).map_or(self.at, |at| self.at + at + 1);
        let end = memchr::memchr(b'\n', &self.bytes[place..]).map_or(self.bytes.len(), |at| place + at);
        self.at = (end + 1).min(self.bytes.len());
        if self.at == self.bytes.len() {
            // Whatever comes is behind the last line.
            (self.plain, self.escape) = (None, None);
        }
        Some(start..end)
    }
}

/// Looks at the strings of a line for the best match.
struct Strings<'a> {
    needle: &'a Needle,
    text: &'a [u8],
    found: Option<Snippet>,
}

impl Visit for Strings<'_> {
    fn string(&mut self, content: Range<usize>, _depth: usize, _is_key: bool) {
        // A string that says more than what was looked for is worth more than a role or a name that is just that.
        if self.found.as_ref().is_none_or(Snippet::is_bare) {
            let found = self.needle.find(&unescape(&self.text[content]));
            if self.found.is_none() || found.as_ref().is_some_and(|found| !found.is_bare()) {
                self.found = found;
            }
        }
    }
}

impl Snippet {
    fn is_bare(&self) -> bool {
        self.before.is_empty() && self.behind.is_empty()
    }

    fn around(text: &str, found: Range<usize>) -> Self {
        let start = text[..found.start].char_indices().rev().nth(AROUND - 1).map_or(0, |(at, _)| at);
        let end = text[found.end..].char_indices().nth(AROUND).map_or(text.len(), |(at, _)| found.end + at);
        let before = format!("{}{}", if start > 0 { "…" } else { "" }, &text[start..found.start]);
        let behind = format!("{}{}", &text[found.end..end], if end < text.len() { "…" } else { "" });
        Self { before, found: text[found].to_owned(), behind }
    }
}

#[cfg(test)]
mod tests;
