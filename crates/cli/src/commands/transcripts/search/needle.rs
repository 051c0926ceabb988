//! What is looked for, and where it is found in the lines that could hold it.

mod shorten;

use std::ops::Range;

use annals_formats::transcript::{Agent, Part};
use annals_formats::{Said, input_text, said};
use jsonl_core::scan::{self, Candidate, Candidates, Prefilter, Signs, Visit, unescape};
use jsonl_core::verdict::{self, Verdict};
use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};

use self::shorten::{LONG, Plain, Shorten, sign_in};
use super::is_by;
use crate::args::{Search, Speaker};
use crate::commands::view::is_record;
use crate::exit::{Exit, Failure};

/// What of a record is searched.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    /// All its strings.
    Strings,
    /// What is said in it, by those that are named, or by anyone.
    Said(Agent, &'a [Speaker]),
    /// The same in a record of the store, which has the message inside.
    Own(&'a [Speaker]),
}

/// A record that matches.
pub(super) struct Hit {
    /// Lines of its chunk before it.
    pub(super) line: u64,
    pub(super) offset: u64,
    pub(super) is_damaged: bool,
    /// Who says it, where that was looked at.
    pub(super) speaker: Option<&'static str>,
    pub(super) snippet: Snippet,
}

/// What was found, with what stands around it.
pub(super) struct Snippet {
    text: String,
    found: Range<usize>,
}

/// What is looked for.
pub(super) struct Needle {
    what: What,
    /// The lines that could hold it.
    pub(super) prefilter: Prefilter,
    /// Characters of a snippet before and behind what was found.
    around: usize,
}

enum What {
    Literal(Box<Finder<'static>>),
    Pattern(Regex),
}

impl Needle {
    pub(super) fn new(args: &Search) -> Result<Self, Failure> {
        // What is only counted is not shown.
        let around = if args.count { 0 } else { args.context };
        if args.regexp || args.ignore_case {
            let pattern = if args.regexp { args.text.clone() } else { regex::escape(&args.text) };
            let regex = RegexBuilder::new(&pattern).case_insensitive(args.ignore_case).build();
            let regex = regex.map_err(|error| {
                Failure::Told(Exit::Usage, format!("{error}\nleave out -e to look for the text itself"))
            })?;
            // Any line could hold it.
            return Ok(Self { what: What::Pattern(regex), prefilter: Prefilter::new(""), around });
        }
        let text = Finder::new(&args.text).into_owned();
        Ok(Self { what: What::Literal(Box::new(text)), prefilter: Prefilter::new(&args.text), around })
    }

    /// The records that match.
    pub(super) fn find_in(
        &self,
        candidates: &mut Candidates<'_>,
        scope: Scope<'_>,
    ) -> impl Iterator<Item = Hit> {
        candidates.filter_map(move |candidate| self.hit(&candidate, scope))
    }

    /// How many records match.
    pub(super) fn count_in(&self, candidates: &mut Candidates<'_>, scope: Scope<'_>) -> u64 {
        let is_hit = |candidate: &Candidate<'_>| {
            (matches!(scope, Scope::Strings) && self.is_seen_in(candidate))
                || self.hit(candidate, scope).is_some()
        };
        candidates.filter(is_hit).count() as u64
    }

    fn hit(&self, candidate: &Candidate<'_>, scope: Scope<'_>) -> Option<Hit> {
        let (snippet, is_damaged, speaker) = match scope {
            Scope::Strings => {
                let (snippet, is_damaged) = self.find_in_line(candidate)?;
                (snippet, is_damaged, None)
            }
            Scope::Said(agent, wanted) => self.find_said(candidate, wanted, |line| said(agent, line))?,
            Scope::Own(wanted) => self.find_said(candidate, wanted, |line| {
                let message = scan::members(line).find(|member| member.key == b"message")?;
                said(Agent::Chat, message.value)
            })?,
        };
        Some(Hit { line: candidate.line, offset: candidate.offset, is_damaged, speaker, snippet })
    }

    /// Whether it can be told without walking through a line that one of its strings has the text, or that the line is damaged and has
    /// it: the text stands there as it is, and nothing that stands outside of strings is like it. `false` says nothing.
    fn is_seen_in(&self, candidate: &Candidate<'_>) -> bool {
        let outside = |byte: &u8| b" +-.:,0123456789[]{}Eaeflnrstu".contains(byte);
        self.plain().is_some_and(|plain| {
            let (text, sign) = text_and_sign(candidate);
            !plain.text.iter().all(outside) && plain.is_at(text, sign)
        })
    }

    /// In what is said in a record, by those that are wanted.
    fn find_said(
        &self,
        candidate: &Candidate<'_>,
        wanted: &[Speaker],
        said: impl Fn(&[u8]) -> Option<Said>,
    ) -> Option<(Snippet, bool, Option<&'static str>)> {
        let (line, at_file_start) = (candidate.bytes, candidate.offset == 0);
        let shortened = self.shortened(candidate);
        let said = said(shortened.as_deref().unwrap_or(line));
        let Some(said) = said else {
            // What a damaged line says is searched as it is; a record that says nothing is not.
            if is_record(line, at_file_start) {
                return None;
            }
            // Who says something in a damaged line can't be told.
            let text = wanted.is_empty().then(|| without_data(&unescape(line)))?;
            return self.find(&text).map(|snippet| (snippet, true, None));
        };
        let mut best: Option<(Snippet, &'static str)> = None;
        for part in said.parts.iter().filter(|part| is_by(said.role, part, wanted)) {
            let (found, speaker) = match part {
                Part::Text(text) => (self.find(text), said.role.name()),
                Part::Reasoning(text) => (self.find(text), "reasoning"),
                Part::ToolCall { name, input, .. } => {
                    (self.find(&input_text(input)).or_else(|| self.find(name)), "tool")
                }
                Part::ToolResult { text, .. } => (self.find(text), "tool"),
                _ => continue,
            };
            // What is said around it is worth more than a part that is just that.
            if let Some(found) = found
                && best.as_ref().is_none_or(|(best, _)| best.is_bare() && !found.is_bare())
            {
                best = Some((found, speaker));
            }
        }
        best.map(|(snippet, speaker)| (snippet, false, Some(speaker)))
    }

    /// A record without what need not be decoded; `None` if that is hardly anything, or it is damaged.
    fn shortened(&self, candidate: &Candidate<'_>) -> Option<Vec<u8>> {
        if candidate.bytes.len() < LONG {
            return None;
        }
        let plain = self.plain()?;
        let (text, sign) = text_and_sign(candidate);
        let mut shorten = Shorten::new(&plain, text, sign);
        scan::visit(text, scan::NESTING_MAX, &mut shorten).ok()?;
        shorten.finish()
    }

    /// In all strings of a line, and whether it is damaged.
    fn find_in_line(&self, candidate: &Candidate<'_>) -> Option<(Snippet, bool)> {
        let (text, sign) = text_and_sign(candidate);
        let mut strings = Strings::new(self, text, sign);
        let verdict = verdict::judge_visiting(candidate.bytes, candidate.offset == 0, &mut strings);
        if let Verdict::Record { .. } = verdict {
            return strings.found.map(|found| (found, false));
        }
        let mut strings = Strings::new(self, text, sign);
        let found = match scan::visit(text, scan::NESTING_MAX, &mut strings) {
            // Bytes that are not UTF-8 and false checksums are damage, too.
            Ok(()) => strings.found,
            // What a damaged line says may be just what somebody is looking for: the rest is searched as it is.
            Err(_) => strings.found.or_else(|| self.find(&unescape(text))),
        };
        found.map(|found| (found, true))
    }

    fn plain(&self) -> Option<Plain<'_>> {
        match &self.what {
            What::Literal(literal) => Plain::of(literal.needle(), &self.prefilter, self.around),
            What::Pattern(_) => None,
        }
    }

    fn find(&self, text: &str) -> Option<Snippet> {
        let found = match &self.what {
            // What is found of a text in a text begins and ends with whole characters.
            What::Literal(literal) => {
                let len = literal.needle().len();
                literal.find(text.as_bytes()).map(|at| at..at + len)
            }
            // Finding nothing is no find.
            What::Pattern(regex) => {
                regex.find_iter(text).map(|found| found.range()).find(|range| !range.is_empty())
            }
        }?;
        Some(Snippet::around(text, found, self.around))
    }
}

/// A run of so many letters of base64 is no text.
const DATA_MIN: usize = 200;

/// Text without what is an image in base64.
fn without_data(text: &str) -> String {
    let is_data = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.find(|c| !is_data(c)).unwrap_or(rest.len());
        out.push_str(if run < DATA_MIN { &rest[..run] } else { "…" });
        let behind = rest[run..].find(is_data).map_or(rest.len(), |at| run + at);
        out.push_str(&rest[run..behind]);
        rest = &rest[behind..];
    }
    out
}

/// The bytes of a candidate that are to be JSON, and where in them the first sign is.
fn text_and_sign<'a>(candidate: &Candidate<'a>) -> (&'a [u8], usize) {
    let text = verdict::text_of(candidate.bytes, candidate.offset == 0);
    (text, candidate.sign.saturating_sub(candidate.bytes.len() - text.len()))
}

/// Looks at the strings of a line for the best match.
struct Strings<'a> {
    needle: &'a Needle,
    plain: Option<Plain<'a>>,
    text: &'a [u8],
    signs: Signs<'a>,
    found: Option<Snippet>,
}

impl<'a> Strings<'a> {
    /// `sign` is where in the text the first sign is.
    fn new(needle: &'a Needle, text: &'a [u8], sign: usize) -> Self {
        let signs = needle.prefilter.signs(text, Some(sign));
        Self { needle, plain: needle.plain(), text, signs, found: None }
    }
}

impl Visit for Strings<'_> {
    fn string(&mut self, content: Range<usize>, _depth: usize, _is_key: bool) {
        // A string that says more than what was looked for is worth more than a role or a name that is just that.
        if self.found.as_ref().is_none_or(Snippet::is_bare)
            && let Some(sign) = sign_in(&mut self.signs, &content)
        {
            let content = &self.text[content];
            let shortened = self.plain.as_ref().and_then(|plain| plain.shortened(content, sign));
            let found = self.needle.find(&unescape(shortened.as_deref().unwrap_or(content)));
            if self.found.is_none() || found.as_ref().is_some_and(|found| !found.is_bare()) {
                self.found = found;
            }
        }
    }
}

impl Snippet {
    /// What stands before it, it, and what stands behind it.
    pub(super) fn parts(&self) -> [&str; 3] {
        let Range { start, end } = self.found;
        [&self.text[..start], &self.text[start..end], &self.text[end..]]
    }

    /// Bytes that its text takes up.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    fn is_bare(&self) -> bool {
        self.found == (0..self.text.len())
    }

    fn around(text: &str, found: Range<usize>, around: usize) -> Self {
        let before = text[..found.start].char_indices().rev().take(around).last();
        let start = before.map_or(found.start, |(at, _)| at);
        let end = text[found.end..].char_indices().nth(around).map_or(text.len(), |(at, _)| found.end + at);
        let (cut, cut_behind) = (if start > 0 { "…" } else { "" }, if end < text.len() { "…" } else { "" });
        let mut shown = String::with_capacity(cut.len() + (end - start) + cut_behind.len());
        shown.push_str(cut);
        shown.push_str(&text[start..end]);
        shown.push_str(cut_behind);
        let at = cut.len() + (found.start - start);
        Self { text: shown, found: at..at + found.len() }
    }
}

#[cfg(test)]
mod tests;
