//! The events of a log, whatever else is in it.

use jsonl_core::checksum::{self, Seal};
use jsonl_core::verdict::{self, Verdict};
use jsonl_core::{Chunk, Damage, DamageKind, Log, Span, scan};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::outline::Outline;

/// Details of so many damages are kept. Counting goes on after it.
pub const DAMAGES_KEPT: usize = 100;

/// What is in a log that is no event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Events.
    pub events: u64,
    /// JSON that is no event.
    pub odd: u64,
    /// Where the first of these lines begin, in bytes.
    pub odd_at: Vec<u64>,
    /// Beginnings of records that were never completed.
    pub torn: u64,
    /// Lines in which events were glued to something else, and could be told apart.
    pub fused: u64,
    /// Other lines that are no JSON.
    pub damaged: u64,
    /// The first damages. Not those of before a cache.
    #[serde(skip)]
    pub damages: Vec<Damage>,
}

impl Report {
    /// Whether every line is an event.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.odd == 0 && self.torn == 0 && self.fused == 0 && self.damaged == 0
    }

    fn take(&mut self, found: Other) {
        let damage = match found {
            Other::Odd(offset) => {
                self.odd += 1;
                if self.odd_at.len() < DAMAGES_KEPT {
                    self.odd_at.push(offset);
                }
                return;
            }
            Other::Torn(damage) => {
                self.torn += 1;
                damage
            }
            Other::Fused(damage) => {
                self.fused += 1;
                damage
            }
            Other::Damaged(damage) => {
                self.damaged += 1;
                damage
            }
        };
        if self.damages.len() < DAMAGES_KEPT {
            self.damages.push(damage);
        }
    }
}

/// What reading a log ends with.
pub(crate) struct Read {
    pub(crate) report: Report,
    /// Behind the last complete line.
    pub(crate) end: u64,
    /// Whether something stands behind it: an event whose newline is missing, or the beginning of one.
    pub(crate) has_tail: bool,
}

/// What a chunk of a log holds.
enum Held {
    /// Nothing but events: the bytes, and where each begins.
    Events(Vec<u8>, Vec<(usize, Outline)>),
    /// Anything.
    Any(Vec<Found>),
}

/// A line's worth.
enum Found {
    Event(Event<'static>),
    Other(Other),
}

enum Other {
    Odd(u64),
    Torn(Damage),
    Fused(Damage),
    Damaged(Damage),
}

/// Hands over the events of a log, in the order of the file.
pub(crate) fn read(log: &Log, mut each: impl FnMut(&Event<'_>)) -> Result<Read> {
    let mut report = Report::default();
    let start = log.len();
    let mut end = None;
    let done = log.try_chunks(
        |chunk| {
            let last = chunk.bytes.iter().rposition(|byte| *byte == b'\n');
            let end = last.map(|at| chunk.offset + at as u64 + 1);
            let held = clean(&chunk).map_or_else(|| any(log, &chunk).map(Held::Any), Ok)?;
            Ok::<_, Error>((held, chunk.offset, end))
        },
        |(found, offset, chunk_end), _| {
            end = chunk_end.or(end).or(Some(offset));
            match found {
                Held::Events(bytes, lines) => {
                    report.events += lines.len() as u64;
                    for (start, outline) in lines {
                        let line = bytes.get(start..).unwrap_or_default();
                        each(&outline.event(line));
                    }
                }
                Held::Any(found) => {
                    for found in found {
                        match found {
                            Found::Event(event) => {
                                report.events += 1;
                                each(&event);
                            }
                            Found::Other(other) => report.take(other),
                        }
                    }
                }
            }
        },
    )?;
    log.require_whole(&done)?;
    // Lines above the limit that cross the end of a chunk are in none.
    for damage in done.damages {
        report.take(Other::Damaged(damage));
    }
    let end = end.unwrap_or(start);
    Ok(Read { report, end, has_tail: end < log.len() })
}

/// A chunk of events, each with its newline.
fn clean(chunk: &Chunk<'_>) -> Option<Held> {
    scan::utf8(chunk.bytes)?;
    let mut lines = Vec::with_capacity(chunk.bytes.len() / 512);
    for line in chunk.lines() {
        let text = line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes);
        if !line.terminated
            || checksum::check(text) == Seal::Bad
            || line.bytes.len() > jsonl_core::MAX_LINE_LEN
        {
            return None;
        }
        lines.push((line.offset, Outline::of(text)?));
    }
    Some(Held::Events(chunk.bytes.to_vec(), lines))
}

/// Any chunk, line by line.
fn any(log: &Log, chunk: &Chunk<'_>) -> Result<Vec<Found>> {
    let lines = log.part(Span { offset: chunk.offset, len: chunk.bytes.len() as u64 })?;
    let mut found = Vec::new();
    for line in lines.lines() {
        let line = line?;
        match line.verdict() {
            Verdict::Blank => {}
            Verdict::Record { .. } => {
                let text = verdict::text_of(&line.bytes, line.offset == 0).trim_ascii();
                found.push(match Event::parse(text) {
                    Some(event) => Found::Event(event.into_owned()),
                    None => Found::Other(Other::Odd(line.offset)),
                });
            }
            Verdict::Damaged { .. } => {
                let Err(damage) = line.parse::<IgnoredAny>() else { continue };
                let before = found.len();
                for span in &damage.salvage {
                    let bytes = log.read(*span)?;
                    // One inside of another is no record, and has not what an event has.
                    if let Some(event) = Event::parse(&bytes).filter(|event| !event.ts.is_empty()) {
                        found.push(Found::Event(event.into_owned()));
                    }
                }
                let is_torn =
                    matches!(damage.kind, DamageKind::Torn | DamageKind::NulRun) || !line.terminated;
                found.push(Found::Other(match () {
                    () if found.len() > before => Other::Fused(*damage),
                    () if is_torn => Other::Torn(*damage),
                    () => Other::Damaged(*damage),
                }));
            }
        }
    }
    Ok(found)
}
