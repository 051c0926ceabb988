//! What stands, after all that was decided: a fold over the records, by pure functions.
//!
//! The newest decision about a path holds, with two exceptions that both fail closed. A deny is undone by a revocation
//! only, not by an allow: aish knows no denies, and would write one. And an approval in front of a damaged line is in
//! doubt: the line may have been its revocation. What was only torn was never decided.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jsonl_core::checksum::{self, Seal};
use jsonl_core::verdict::{self, Verdict};
use jsonl_core::{Chunk, Damage, DamageKind, Log, Span, scan};
use serde::de::IgnoredAny;

use crate::digest::Digests;
use crate::error::Result;
use crate::record::{self, Decision, Event, Line, Subject};

/// Details of so many damages are kept. Counting goes on after it.
pub const DAMAGES_KEPT: usize = 100;

/// About as long is a line, in bytes.
const APPROVAL_LEN: usize = 150;

/// Room is made at once for at most so many paths.
const PATHS_EXPECTED: usize = 1 << 16;

/// What is odd or damaged in a trust log.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Decisions.
    pub decisions: u64,
    /// JSON that is no decision.
    pub odd: u64,
    /// Beginnings of records that were never completed.
    pub torn: u64,
    /// Lines in which two records were glued together, and could be told apart.
    pub fused: u64,
    /// Lines that may have been revocations: what was approved in front of the last of them is in doubt.
    pub damaged: u64,
    /// The first damages.
    pub damages: Vec<Damage>,
}

/// What stands about a file or a set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// The approved digests, if any.
    pub(crate) approved: Option<Digests>,
    pub(crate) is_denied: bool,
    /// Where the record of this stands.
    pub(crate) offset: u64,
    pub(crate) time: Option<SystemTime>,
}

/// Everything that stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    // Keyed by the exact bytes: canonical paths have one spelling.
    pub(crate) files: HashMap<OsString, Standing>,
    pub(crate) sets: HashMap<Vec<PathBuf>, Standing>,
    /// What an unfinished last line approves. Nobody was told so, and it doesn't count; it would as soon as anybody closes the line.
    unfinished: Vec<Subject>,
    /// Where the last line stands that may have been a revocation.
    last_damage: Option<u64>,
    pub(crate) report: Report,
}

/// A line's worth.
enum Found {
    Event(u64, Event),
    /// An approval without its newline.
    Unfinished(Subject),
    Odd,
    Torn(Damage),
    Fused(Damage),
    Damaged(u64, Option<Damage>),
}

impl State {
    /// What a log says.
    pub(crate) fn of(log: &Log) -> Result<Self> {
        let guess = usize::try_from(log.len()).unwrap_or(usize::MAX) / APPROVAL_LEN;
        let mut state = Self { files: HashMap::with_capacity(guess.min(PATHS_EXPECTED)), ..Self::default() };
        state.each(log, |state, offset, event| state.apply(offset, event))?;
        Ok(state)
    }

    /// Everything that was decided, in the order of the file.
    pub(crate) fn events(log: &Log) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        Self::default().each(log, |_, _, event| events.push(event))?;
        Ok(events)
    }

    /// What stands about a file, and whether it is in doubt.
    pub(crate) fn file(&self, path: &Path) -> Option<(&Standing, bool)> {
        self.files.get(path.as_os_str()).map(|standing| (standing, self.is_doubtful(standing)))
    }

    pub(crate) fn set(&self, paths: &[PathBuf]) -> Option<(&Standing, bool)> {
        self.sets.get(paths).map(|standing| (standing, self.is_doubtful(standing)))
    }

    /// Whether the last line approves something and has no newline: nobody has approved it, and closing the line would. A denial stays one,
    /// whatever is closed behind it.
    pub(crate) fn has_unfinished(&self) -> bool {
        self.unfinished.iter().any(|subject| {
            let standing = match subject {
                Subject::File(path) => self.files.get(path.as_os_str()),
                Subject::Set(paths) => self.sets.get(paths),
            };
            !standing.is_some_and(|standing| standing.is_denied)
        })
    }

    /// A deny stays one.
    pub(crate) fn is_doubtful(&self, standing: &Standing) -> bool {
        !standing.is_denied && self.last_damage.is_some_and(|damage| damage > standing.offset)
    }

    fn apply(&mut self, offset: u64, event: Event) {
        let standing = match event.subject {
            Subject::File(path) => self.files.entry(path.into_os_string()).or_default(),
            Subject::Set(paths) => self.sets.entry(paths).or_default(),
        };
        match event.decision {
            Decision::Allow(_) if standing.is_denied => return,
            Decision::Allow(digests) => standing.approved = Some(digests),
            Decision::Deny => {
                standing.approved = None;
                standing.is_denied = true;
            }
            Decision::Revoke => {
                standing.approved = None;
                standing.is_denied = false;
            }
        }
        (standing.offset, standing.time) = (offset, event.time);
    }

    fn each(&mut self, log: &Log, mut event: impl FnMut(&mut Self, u64, Event)) -> Result<()> {
        let report = log.try_chunks(
            |chunk| clean(&chunk).map_or_else(|| any(log, &chunk), Ok),
            |found, _| {
                for found in found {
                    match found {
                        Found::Event(offset, found) => {
                            self.report.decisions += 1;
                            event(self, offset, found);
                        }
                        other => self.take(other),
                    }
                }
            },
        )?;
        log.require_whole(&report)?;
        // Lines above the limit that cross the end of a chunk are in none.
        for damage in report.damages {
            self.take(Found::Damaged(damage.offset, Some(damage)));
        }
        Ok(())
    }

    fn take(&mut self, found: Found) {
        let damage = match found {
            Found::Event(..) => None,
            Found::Unfinished(subject) => {
                self.unfinished.push(subject);
                None
            }
            Found::Odd => {
                self.report.odd += 1;
                None
            }
            Found::Torn(damage) => {
                self.report.torn += 1;
                Some(damage)
            }
            Found::Fused(damage) => {
                self.report.fused += 1;
                Some(damage)
            }
            Found::Damaged(offset, damage) => {
                self.report.damaged += 1;
                self.last_damage = self.last_damage.max(Some(offset));
                damage
            }
        };
        if self.report.damages.len() < DAMAGES_KEPT {
            self.report.damages.extend(damage);
        }
    }
}

/// A chunk of good lines, each with its newline.
fn clean(chunk: &Chunk<'_>) -> Option<Vec<Found>> {
    scan::utf8(chunk.bytes)?;
    let mut found = Vec::with_capacity(chunk.bytes.len() / APPROVAL_LEN);
    for line in chunk.lines() {
        let text = line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes);
        if !line.terminated
            || checksum::check(text) == Seal::Bad
            || line.bytes.len() > jsonl_core::MAX_LINE_LEN
        {
            return None;
        }
        found.push(of_line(chunk.offset + line.offset as u64, text)?);
    }
    Some(found)
}

fn of_line(offset: u64, text: &[u8]) -> Option<Found> {
    Some(match record::parse(text)? {
        Line::Event(event) => Found::Event(offset, event),
        Line::Odd => Found::Odd,
        Line::Unclear => Found::Damaged(offset, None),
    })
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
                let text = verdict::text_of(&line.bytes, line.offset == 0);
                found.push(match unfinished(text, line.terminated) {
                    Some(subject) => Found::Unfinished(subject),
                    None => of_line(line.offset, text).unwrap_or(Found::Odd),
                });
            }
            Verdict::Damaged { .. } => {
                let Err(damage) = line.parse::<IgnoredAny>() else { continue };
                let before = found.len();
                for span in &damage.salvage {
                    let bytes = log.read(*span)?;
                    if let Some(Line::Event(event)) = record::parse(&bytes).filter(|_| is_whole(&bytes)) {
                        found.push(match unfinished(&bytes, line.terminated) {
                            Some(subject) => Found::Unfinished(subject),
                            None => Found::Event(span.offset, event),
                        });
                    }
                }
                // What is no beginning of a record was left by no crash, whether it has a newline or not.
                let is_torn = damage.kind == DamageKind::NulRun || is_torn(&line.bytes, damage.kind);
                // A torn line that somebody has closed, and nothing behind it: no crash leaves that, but a damaged
                // record looks like it.
                let was_closed = line.terminated && line.end() == log.len();
                found.push(match () {
                    () if found.len() > before => Found::Fused(*damage),
                    () if is_torn && !was_closed => Found::Torn(*damage),
                    () => Found::Damaged(line.offset, Some(*damage)),
                });
            }
        }
    }
    Ok(found)
}

/// Whether a line is what a crash leaves of a record. One that has its last brace was whole, and only lost the quote in
/// front of it.
fn is_torn(line: &[u8], kind: DamageKind) -> bool {
    let has_its_end = line.ends_with(b"}") && !line.ends_with(b"\"}");
    kind == DamageKind::Torn && !has_its_end
}

/// What a line approves that has no newline: its writer never got to say that it was decided.
fn unfinished(text: &[u8], terminated: bool) -> Option<Subject> {
    match record::parse(text) {
        Some(Line::Event(Event { decision: Decision::Allow(_), subject, .. })) if !terminated => {
            Some(subject)
        }
        _ => None,
    }
}

/// Whether a record that was found inside a line is one, and not a part of another: sealed, or just what aish
/// writes.
fn is_whole(text: &[u8]) -> bool {
    let mut keys: Vec<&[u8]> = scan::members(text).map(|member| member.key).collect();
    keys.sort_unstable();
    checksum::check(text) == Seal::Good || keys == [&b"path"[..], b"sha256", b"ts"]
}
