//! A log to an index: on several threads, in the order of the file.
//!
//! A chunk in which every line is good goes through in one pass. Where one is not, the whole chunk is read again
//! line by line, with the care that damage asks for; both ways give the same.

use jsonl_core::checksum::{self, Seal};
use jsonl_core::verdict::Verdict;
use jsonl_core::{Chunk, Damage, DamageKind, Line, Log, Span, scan};
use serde::de::IgnoredAny;

use crate::error::Result;
use crate::index::{Index, Part};
use crate::options::MemoryOptions;
use crate::record;

/// Whether nobody can be writing while we read: then a torn line that somebody closed with a newline, and nothing
/// behind it, was not left by a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    Locked,
    Possible,
}

/// Brings the index up to the end of the log. `index.end` is the beginning of a line of it.
pub(crate) fn extend(index: &mut Index, log: &Log, options: &MemoryOptions, writers: Writers) -> Result<()> {
    let from = index.end;
    let new = log.part(Span { offset: from, len: log.len() - from })?;
    let report = new.try_chunks(
        |chunk| part_of(log, &chunk, options.max_line_len, writers),
        |(part, end), _| {
            index.absorb(part);
            index.end = end.at;
            index.is_provisional = end.is_provisional;
        },
    )?;
    log.require_whole(&report)?;
    take_long_lines(index, log, &report.damages, report.count(DamageKind::TooLong), writers);
    index.settle();
    Ok(())
}

/// Lines above the limit that cross the end of a chunk are in none.
fn take_long_lines(index: &mut Index, log: &Log, damages: &[Damage], count: u64, writers: Writers) {
    let may_grow = |damage: &&Damage| !damage.terminated && writers == Writers::Possible;
    let unfinished = damages.iter().filter(may_grow).count() as u64;
    index.report.damaged += count - unfinished;
    index.report.torn += unfinished;
    for damage in damages {
        if damage.terminated {
            index.end = index.end.max(damage.offset + damage.len + 1).min(log.len());
        }
        index.report.add_damage(damage.clone());
    }
}

/// Where the next look begins.
struct End {
    at: u64,
    is_provisional: bool,
}

fn part_of(log: &Log, chunk: &Chunk<'_>, max_line_len: usize, writers: Writers) -> Result<(Part, End)> {
    match clean_part(chunk, max_line_len) {
        Some(part) => {
            let end = End { at: chunk.offset + chunk.bytes.len() as u64, is_provisional: false };
            Ok((part, end))
        }
        None => any_part(log, chunk, writers),
    }
}

/// A chunk of good lines, each with its newline.
fn clean_part(chunk: &Chunk<'_>, max_line_len: usize) -> Option<Part> {
    scan::utf8(chunk.bytes)?;
    let mut part = Part::default();
    for line in chunk.lines() {
        let text = line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes);
        if !line.terminated || line.bytes.len() > max_line_len || checksum::check(text) == Seal::Bad {
            return None;
        }
        part.take(chunk.offset + line.offset as u64, record::glance(text)?);
    }
    Some(part)
}

/// Any chunk.
fn any_part(log: &Log, chunk: &Chunk<'_>, writers: Writers) -> Result<(Part, End)> {
    let len = chunk.bytes.len() as u64;
    let lines = log.part(Span { offset: chunk.offset, len })?;
    let mut part = Part::default();
    let mut end = End { at: chunk.offset + len, is_provisional: false };
    for line in lines.lines() {
        let line = line?;
        match line.verdict() {
            Verdict::Blank => {}
            Verdict::Record { .. } => {
                end.is_provisional = !line.terminated;
                let (offset, text) = record::of_line(line.offset, &line.bytes);
                match record::glance(text) {
                    Some(glance) => part.take(offset, glance),
                    None => part.take_other_json(offset),
                }
            }
            Verdict::Damaged { .. } => {
                if !line.terminated {
                    end.at = line.offset;
                }
                take_damaged(&mut part, log, &line, writers)?;
            }
        }
    }
    Ok((part, end))
}

fn take_damaged(part: &mut Part, log: &Log, line: &Line, writers: Writers) -> Result<()> {
    let Err(damage) = line.parse::<IgnoredAny>() else { return Ok(()) };
    let mut is_fused = false;
    for span in &damage.salvage {
        let bytes = log.read(*span)?;
        // Without an id it could be anything that had braces around it.
        if let Some(glance) = record::glance(&bytes).filter(|glance| glance.id.is_some()) {
            part.take(span.offset, glance);
            is_fused = true;
        }
    }
    let is_beginning = matches!(damage.kind, DamageKind::Torn | DamageKind::NulRun);
    let is_torn = match writers {
        // It may become a record yet.
        Writers::Possible => is_beginning || !line.terminated,
        // Nothing that we leave unfinished is anything but a beginning, or closed.
        Writers::Locked => is_beginning && !(line.terminated && line.end() == log.len()),
    };
    let report = &mut part.report;
    match () {
        () if is_fused => report.fused += 1,
        () if is_torn => report.torn += 1,
        () => report.damaged += 1,
    }
    report.add_damage(*damage);
    Ok(())
}
