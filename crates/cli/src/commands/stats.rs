//! `annals stats`: what the logs are made of.

use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use jsonl_core::{ReadOptions, Report, Verdict, scan, verdict};
use serde::Serialize;

use crate::args::Stats;
use crate::commands::summary::Summary;
use crate::describe;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::human::{count, minute, name, plural, size};
use crate::out::{Out, Paint};
use crate::store::Home;

/// Different words that are counted; those that come later are put together. A log may have any number.
const WORDS_MAX: usize = 1000;

/// Words that are printed for people.
const WORDS_SHOWN: usize = 15;

/// Counts of one part of a log, to be added to those of the next.
#[derive(Default)]
struct Counts {
    /// How many lines have a length of this many bits: bucket 10 has those of 512 to 1023 bytes.
    lens: [u64; 32],
    longest: u64,
    roles: Words,
    members: Words,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// How often each word occurs.
#[derive(Default)]
struct Words {
    counts: HashMap<Vec<u8>, u64>,
    others: u64,
}

impl Words {
    fn add(&mut self, word: &[u8], times: u64) {
        if let Some(count) = self.counts.get_mut(word) {
            *count += times;
        } else if self.counts.len() < WORDS_MAX {
            self.counts.insert(word.to_vec(), times);
        } else {
            self.others += times;
        }
    }

    fn add_all(&mut self, later: Self) {
        for (word, times) in later.counts {
            self.add(&word, times);
        }
        self.others += later.others;
    }

    /// Most frequent first, then by name.
    fn sorted(&self) -> Vec<(String, u64)> {
        let decode = |(word, times): (&Vec<u8>, &u64)| (scan::unescape(word).into_owned(), *times);
        let mut words: Vec<_> = self.counts.iter().map(decode).collect();
        words.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        words
    }
}

impl Counts {
    fn record(&mut self, line: &[u8], at_file_start: bool) {
        let Verdict::Record { .. } = verdict::judge(line, at_file_start) else { return };
        let bits = usize::BITS - line.len().leading_zeros();
        self.lens[bits.min(31) as usize] += 1;
        self.longest = self.longest.max(line.len() as u64);
        let mut role: Option<&[u8]> = None;
        for member in scan::members(line) {
            self.members.add(member.key, 1);
            let text = member.value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
            match member.key {
                b"role" => role = text.or(role),
                b"type" | b"kind" | b"op" => role = role.or(text),
                _ => {}
            }
        }
        self.roles.add(role.unwrap_or(b"(none)"), 1);
        if let Some(time) = describe::time(line) {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }

    fn add(&mut self, later: Self) {
        for (len, more) in self.lens.iter_mut().zip(later.lens) {
            *len += more;
        }
        self.longest = self.longest.max(later.longest);
        self.roles.add_all(later.roles);
        self.members.add_all(later.members);
        self.first = [self.first, later.first].into_iter().flatten().min();
        self.last = [self.last, later.last].into_iter().flatten().max();
    }

    /// The upper end of the bucket in which the line is that is longer than this part of all lines.
    fn len_at(&self, part: f64) -> u64 {
        let total: u64 = self.lens.iter().sum();
        let wanted = (total as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (bits, count) in self.lens.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return (1_u64 << bits).saturating_sub(1).min(self.longest);
            }
        }
        0
    }
}

#[derive(Serialize)]
struct StatsObject {
    files: u64,
    #[serde(flatten)]
    summary: Summary,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Upper bounds, exact to a factor of two.
    line_len_median: u64,
    line_len_p99: u64,
    line_len_max: u64,
    roles: Vec<(String, u64)>,
    members: Vec<(String, u64)>,
}

pub(crate) fn run(args: &Stats, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let mut files = 0;
    let mut counts = Counts::default();
    let mut total: Option<Report> = None;
    files::for_each(&args.names, home, &ReadOptions::new().damages_kept(0), 2, out, |log, out| {
        let report = log.verify()?;
        log.chunks(
            |chunk| {
                let mut counts = Counts::default();
                for line in chunk.lines() {
                    counts.record(line.bytes, chunk.offset == 0 && line.offset == 0);
                }
                counts
            },
            |later, _| {
                counts.add(later);
                ControlFlow::Continue(())
            },
        )?;
        // What was found is not all.
        if let Err(shrunk) = log.require_whole(&report) {
            out.complain(&shrunk.into());
        }
        files += 1;
        match &mut total {
            Some(total) => total.add(&report),
            None => total = Some(report),
        }
        Ok(())
    })?;
    let Some(report) = total else { return Ok(Exit::Done) };
    if out.json {
        out.object(&StatsObject {
            files,
            summary: Summary::of(&report),
            first: counts.first,
            last: counts.last,
            line_len_median: counts.len_at(0.5),
            line_len_p99: counts.len_at(0.99),
            line_len_max: counts.longest,
            roles: counts.roles.sorted(),
            members: counts.members.sorted(),
        })?;
        return Ok(Exit::Done);
    }
    let mut row = |title: &str, value: String| out.line(format_args!("{title:<12}{value}"));
    row("files", count(files))?;
    row("size", size(report.bytes.sum()))?;
    row("lines", count(report.lines))?;
    row("records", count(report.records))?;
    if report.sealed > 0 {
        row("checksums", plural(report.sealed, "record"))?;
    }
    if let (Some(first), Some(last)) = (counts.first, counts.last) {
        row("times", format!("{} to {} (UTC)", minute(first), minute(last)))?;
    }
    if report.records > 0 {
        let [median, most] = [0.5, 0.99].map(|part| size(counts.len_at(part)));
        row("lengths", format!("half up to {median}, 99 % up to {most}, longest {}", size(counts.longest)))?;
    }
    if report.blank > 0 {
        row("blank", plural(report.blank, "line"))?;
    }
    for kind in jsonl_core::DamageKind::ALL {
        if report.count(kind) > 0 {
            row("damage", format!("{}: {}", kind, plural(report.count(kind), "line")))?;
        }
    }
    print_words("role or type", &counts.roles, out)?;
    print_words("member", &counts.members, out)?;
    Ok(Exit::Done)
}

fn print_words(title: &str, words: &Words, out: &mut Out) -> Result<(), Failure> {
    let sorted = words.sorted();
    if sorted.is_empty() {
        return Ok(());
    }
    out.line(format_args!("\n{}", out.paint(Paint::Dim, format_args!("{:>10}  {title}", "records"))))?;
    for (word, times) in sorted.iter().take(WORDS_SHOWN) {
        out.line(format_args!("{:>10}  {}", count(*times), name(word)))?;
    }
    let rest = sorted.len().saturating_sub(WORDS_SHOWN);
    if rest > 0 || words.others > 0 {
        let more = if words.others > 0 { "at least " } else { "" };
        out.line(out.paint(
            Paint::Dim,
            format_args!("{:>10}  {more}{} more; --json has them", "…", count(rest as u64)),
        ))?;
    }
    Ok(())
}
