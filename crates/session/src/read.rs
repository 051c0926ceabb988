//! Finds and reads records in a session's log.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use jsonl_core::{Chunk, DamageKind, Line, Log, Report, Span, Verdict};

use crate::error::Result;
use crate::record::{self, Header, Kind, Parsed, Record, State};

/// Bytes that are read at first when one line is looked for: a message, or an event.
const STEP_LEN: u64 = 16 << 10;
const EVENT_LEN: u64 = 2 << 10;
const STEP_LEN_MAX: u64 = 4 << 20;

/// The end of a log, and the state that is in force there.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// The last sequence number that was given out, also to a record that is damaged by now.
    pub(crate) seq: u64,
    /// Messages that the session ever had.
    pub(crate) n: u64,
    /// Where the last event or header stands, its number and its state; `None` where none is left.
    pub(crate) state: Option<(u64, u64, Arc<State>)>,
    /// When the last record was written, as text.
    pub(crate) time: String,
}

impl End {
    /// The state, or that of a session that has none.
    pub(crate) fn state(&self) -> Arc<State> {
        self.state.as_ref().map(|(_, _, state)| Arc::clone(state)).unwrap_or_default()
    }
}

/// Reads the end of a log: as much as it takes to find one good record, and the event that it points to. `None`
/// for a log without any.
pub(crate) fn end(log: &Log) -> Result<Option<End>> {
    // Lines behind the last good record that were records once.
    let mut lost = 0;
    for line in log.lines().rev() {
        let line = line?;
        let Some(record) = record_in(log, &line)? else {
            lost += u64::from(is_lost(&line));
            continue;
        };
        let mut end = end_with(log, line.offset, &record)?;
        if !is_ordered_before(log, line.offset, record.seq)? {
            // Somebody has copied or moved lines: no number may be given out twice.
            let (records, _) = records(log, 0, log.len())?;
            end.seq = records.iter().map(|record| record.seq).max().unwrap_or(0);
            end.n = records.iter().map(|record| record.n).max().unwrap_or(0);
            end.state = state_before(log, log.len())?;
        }
        end.seq += lost;
        return Ok(Some(end));
    }
    Ok((lost > 0).then_some(End { seq: lost, n: 0, state: None, time: String::new() }))
}

/// How many records before the last are looked at, to see that it is the last.
const ORDER_LOOKED_AT: usize = 4;

/// Whether the few records before `offset` have smaller numbers than the one there.
fn is_ordered_before(log: &Log, offset: u64, mut seq: u64) -> Result<bool> {
    let lines = log.lines().rev().skip_while(|line| line.as_ref().is_ok_and(|line| line.offset >= offset));
    for line in lines.take(ORDER_LOOKED_AT) {
        let line = line?;
        let record = if line.is_cut() { None } else { record::parse(&line.bytes) };
        if let Some(record) = record {
            if record.seq >= seq {
                return Ok(false);
            }
            seq = record.seq;
        }
    }
    Ok(true)
}

/// The end of a log of which this is the last record.
pub(crate) fn end_with(log: &Log, offset: u64, record: &Record) -> Result<End> {
    let state = match &record.kind {
        Kind::Event { state, .. } | Kind::Header { state, .. } => {
            Some((offset, record.seq, Arc::clone(state)))
        }
        _ => match state_at(log, record.state_at, record.state_seq)? {
            Some(state) => Some((record.state_at, record.state_seq, state)),
            None => state_before(log, offset)?,
        },
    };
    Ok(End { seq: record.seq, n: record.n, state, time: time_of(record) })
}

fn time_of(record: &Record) -> String {
    match &record.kind {
        Kind::Message(text) | Kind::Note(text) => text.time_text().to_owned(),
        Kind::Event { time, .. } | Kind::Header { time, .. } => time.clone(),
    }
}

/// Whether a line that is no record was one once. A torn one never was: nobody was told that it was there.
fn is_lost(line: &Line) -> bool {
    match line.verdict() {
        Verdict::Damaged { kind, .. } => !matches!(kind, DamageKind::Torn | DamageKind::NulRun),
        _ => false,
    }
}

/// The record of a line, or the last one inside of a fused line.
fn record_in(log: &Log, line: &Line) -> Result<Option<Record>> {
    Ok(records_in(log, line)?.0.pop())
}

/// The record of a line, or those inside of a fused line; and whether the line is a record and nothing else.
pub(crate) fn records_in(log: &Log, line: &Line) -> Result<(Vec<Record>, bool)> {
    if line.is_cut() {
        return Ok((Vec::new(), false));
    }
    if let Some(record) = record::parse(&line.bytes) {
        return Ok((vec![record], true));
    }
    let mut found = Vec::new();
    if let Err(damage) = line.parse::<serde::de::IgnoredAny>() {
        for span in &damage.salvage {
            found.extend(sealed(&log.read(*span)?));
        }
    }
    Ok((found, false))
}

/// A record out of a fused line: believed if its seal is good, for nothing else says where it ends.
pub(crate) fn sealed(bytes: &[u8]) -> Option<Record> {
    let is_good = jsonl_core::checksum::check(bytes) == jsonl_core::checksum::Seal::Good;
    if is_good { record::parse(bytes) } else { None }
}

/// The state that the line at `offset` holds, if it is the event that was meant.
fn state_at(log: &Log, offset: u64, seq: u64) -> Result<Option<Arc<State>>> {
    let starts_there =
        offset == 0 || (offset < log.len() && log.read(Span { offset: offset - 1, len: 1 })? == b"\n");
    if !starts_there {
        return Ok(None);
    }
    let mut window = Window { step: EVENT_LEN, ..Window::new(log) };
    Ok(match window.record_from(offset, offset + 1)? {
        Some(Found {
            record: Record { seq: found, kind: Kind::Event { state, .. } | Kind::Header { state, .. }, .. },
            ..
        }) if found == seq => Some(state),
        _ => None,
    })
}

/// The state with the greatest number before `offset`, looked for in all that is there: offsets in records are wrong where
/// something was taken out of the file.
fn state_before(log: &Log, offset: u64) -> Result<Option<(u64, u64, Arc<State>)>> {
    let mut best: Option<(u64, u64, Arc<State>)> = None;
    for line in log.lines() {
        let line = line?;
        let is_other = line.offset > offset || line.is_cut() || record::cut(&line.bytes).is_some();
        if is_other {
            continue;
        }
        for record in records_in(log, &line)?.0 {
            if let Kind::Event { state, .. } | Kind::Header { state, .. } = record.kind
                && best.as_ref().is_none_or(|(seq, ..)| record.seq >= *seq)
            {
                best = Some((record.seq, line.offset, state));
            }
        }
    }
    Ok(best.map(|(seq, offset, state)| (offset, seq, state)))
}

/// The header, if the first line is one.
pub(crate) fn header(log: &Log) -> Result<Option<Arc<Header>>> {
    let first = Window { step: EVENT_LEN, ..Window::new(log) }.record_from(0, 1)?;
    if let Some(Found { record: Record { kind: Kind::Header { header, .. }, .. }, .. }) = first {
        return Ok(Some(header));
    }
    Ok(None)
}

/// A record and where its line is.
pub(crate) struct Found {
    pub(crate) offset: u64,
    pub(crate) end: u64,
    pub(crate) record: Record,
}

/// The first record whose line begins at `from` or behind it, and before `until`.
pub(crate) fn record_from(log: &Log, from: u64, until: u64) -> Result<Option<Found>> {
    Window::new(log).record_from(from, until)
}

/// A part of a log in memory that moves and grows as it is asked.
pub(crate) struct Window<'a> {
    log: &'a Log,
    start: u64,
    bytes: Vec<u8>,
    step: u64,
}

impl<'a> Window<'a> {
    pub(crate) fn new(log: &'a Log) -> Self {
        Self { log, start: 0, bytes: Vec::new(), step: STEP_LEN }
    }

    /// The first record whose line begins at `from` or behind it, and before `until`.
    pub(crate) fn record_from(&mut self, from: u64, until: u64) -> Result<Option<Found>> {
        let mut at = from;
        if from > 0 {
            // The rest of a line that began before.
            match self.newline(from - 1)? {
                Some(newline) => at = newline + 1,
                None => return Ok(None),
            }
        }
        while at < until.min(self.log.len()) {
            let (end, next) = match self.newline(at)? {
                Some(newline) => (newline, newline + 1),
                None => (self.log.len(), self.log.len()),
            };
            if let Some(record) = record::parse(self.get(at, end)) {
                return Ok(Some(Found { offset: at, end: next, record }));
            }
            at = next;
        }
        Ok(None)
    }

    /// Where the next newline is, from `from` on. Afterwards what is between is in the window, unless it is more
    /// than a line may have.
    pub(crate) fn newline(&mut self, from: u64) -> Result<Option<u64>> {
        let mut len = self.step;
        let mut searched = from;
        loop {
            let end = self.start + self.bytes.len() as u64;
            if (self.start..end).contains(&searched) {
                let rest = &self.bytes[(searched - self.start) as usize..];
                if let Some(at) = jsonl_core::line::lines(rest).next().filter(|line| line.terminated) {
                    return Ok(Some(searched + at.bytes.len() as u64));
                }
                searched = end;
            }
            if searched >= self.log.len() {
                return Ok(None);
            }
            // What is too long for a line is passed over.
            let is_line = searched - from <= 2 * jsonl_core::MAX_LINE_LEN as u64;
            self.start = if is_line { from } else { searched };
            let wanted = (searched - self.start + len).min(self.log.len() - self.start);
            self.bytes = self.log.read(Span { offset: self.start, len: wanted })?;
            len = (len * 2).min(STEP_LEN_MAX);
        }
    }

    /// Nothing where it is too long for a line.
    fn get(&self, from: u64, to: u64) -> &[u8] {
        let range = from.checked_sub(self.start).zip(to.checked_sub(self.start));
        let bytes = range.and_then(|(from, to)| self.bytes.get(from as usize..to as usize));
        bytes.unwrap_or_default()
    }
}

/// Where the first record of which `is_behind` is true begins; the log's length if there is none. Records are in
/// order, so it is looked for by halving.
pub(crate) fn seek(log: &Log, is_behind: impl Fn(&Record) -> bool) -> Result<u64> {
    let (mut low, mut high, mut answer) = (0, log.len(), log.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match record_from(log, middle, high)? {
            None => high = middle,
            Some(found) if is_behind(&found.record) => {
                answer = found.offset;
                high = middle;
            }
            Some(found) => low = found.end,
        }
    }
    Ok(answer)
}

/// Where the first record with this number or a greater one begins; the log's length if there is none.
///
/// Halving is led astray by a line that somebody copied or moved. So what it finds has to be the very record; where that
/// is missing, all lines before are looked at.
pub(crate) fn seek_seq(log: &Log, seq: u64) -> Result<u64> {
    seek_exactly(log, |record| record.seq >= seq, |record| record.seq == seq)
}

/// [`seek`], and where what was found is not exactly what was meant, one line after the other.
pub(crate) fn seek_exactly(
    log: &Log,
    is_behind: impl Fn(&Record) -> bool,
    is_meant: impl Fn(&Record) -> bool,
) -> Result<u64> {
    let offset = seek(log, &is_behind)?;
    let found = match record_from(log, offset, log.len())? {
        Some(found) => is_meant(&found.record),
        // Behind the last one, unless that says otherwise.
        None => match log.lines().next_back().transpose()? {
            Some(line) => !line.is_cut() && record::parse(&line.bytes).is_some_and(|last| !is_behind(&last)),
            None => true,
        },
    };
    if found {
        return Ok(offset);
    }
    for line in log.lines() {
        let line = line?;
        let record = if line.is_cut() { None } else { record::parse(&line.bytes) };
        if record.is_some_and(|record| is_behind(&record)) {
            return Ok(line.offset.min(offset));
        }
    }
    Ok(offset)
}

/// What reading a session found beside messages.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReadReport {
    /// What became of every byte that was read.
    pub log: Report,
    /// Records that are missing between two that are there: after this sequence number, before that one. They
    /// were lost to damage.
    pub gaps: Vec<(u64, u64)>,
    /// Records that had come before, with the same sequence number; the later ones are left out.
    pub repeated: u64,
    /// Records with a smaller sequence number than one before them, or with the same and other contents.
    pub disordered: u64,
    /// JSON lines that are no records of a session.
    pub unknown: u64,
}

impl ReadReport {
    /// Whether all that was read is as our writers left it.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.log.is_clean()
            && self.log.mismatched == 0
            && self.gaps.is_empty()
            && self.repeated + self.disordered + self.unknown == 0
    }
}

/// The report of parts that are read one after the other.
#[derive(Default)]
pub(crate) struct Joined {
    pub(crate) whole: ReadReport,
    /// The last sequence number that was read.
    last: Option<u64>,
}

/// The sequence numbers with which a part begins and ends; `None` for one without records.
pub(crate) fn ends(records: &[Record]) -> Option<(u64, u64)> {
    records.first().zip(records.last()).map(|(first, last)| (first.seq, last.seq))
}

impl Joined {
    pub(crate) fn starting_at(start: u64) -> Self {
        let mut joined = Self::default();
        joined.whole.log.start = start;
        joined
    }

    /// Adds the report of what comes next, and what is missing in between.
    pub(crate) fn add(&mut self, ends: Option<(u64, u64)>, next: &ReadReport) {
        self.whole.add(next);
        if let (Some(last), Some((first, _))) = (self.last, ends)
            && first > last + 1
        {
            self.whole.gaps.push((last, first));
        }
        self.last = ends.map(|(_, last)| last).or(self.last);
    }
}

impl ReadReport {
    /// Of bytes that are nothing but so many sealed records.
    pub(crate) fn of_sealed(range: Range<u64>, count: usize) -> Self {
        let mut report = Self::default();
        report.log.start = range.start;
        report.log.lines = count as u64;
        report.log.records = report.log.lines;
        report.log.sealed = report.log.lines;
        report.log.bytes.records = range.end - range.start;
        report
    }

    fn add(&mut self, next: &Self) {
        self.log.add(&next.log);
        self.gaps.extend(&next.gaps);
        self.repeated += next.repeated;
        self.disordered += next.disordered;
        self.unknown += next.unknown;
    }
}

/// The records of a log whose lines begin from `offset` on and before `until`, in order, and what was no record.
pub(crate) fn records(log: &Log, offset: u64, until: u64) -> Result<(Vec<Record>, ReadReport)> {
    let log = &log.part(Span { offset, len: until - offset })?;
    let (records, fast_end) = fast(log, offset)?;
    with_rest(log, records, offset..until, fast_end)
}

/// [`records`] of a chunk that is in memory already. Not those of the line behind it that is too long for any chunk.
pub(crate) fn records_of(log: &Log, chunk: &Chunk<'_>) -> Result<(Vec<Record>, ReadReport)> {
    let (records, fast_end, _) = clean(chunk);
    with_rest(log, records, chunk.offset..chunk.offset + chunk.bytes.len() as u64, fast_end)
}

/// The records of a range of a log, of which those before `fast_end` are there already.
fn with_rest(
    log: &Log,
    mut records: Vec<Record>,
    range: Range<u64>,
    fast_end: u64,
) -> Result<(Vec<Record>, ReadReport)> {
    let mut report = ReadReport::of_sealed(range.start..fast_end, records.len());
    if fast_end < range.end {
        let rest = log.part(Span { offset: fast_end, len: range.end - fast_end })?;
        records.extend(slow(&rest, &mut report)?);
    }
    in_order(&mut records, &mut report);
    Ok((records, report))
}

/// The records before the first line that isn't one of ours, whole, sealed and finished; and where that line begins.
fn fast(log: &Log, offset: u64) -> Result<(Vec<Record>, u64)> {
    let mut records = Vec::new();
    let mut end = offset;
    log.chunks(
        |chunk| (chunk.offset, clean(&chunk)),
        |(chunk_start, (found, chunk_end, is_clean)), _| {
            // A line too long for any chunk is between two of them.
            if chunk_start != end {
                return ControlFlow::Break(());
            }
            records.extend(found);
            end = chunk_end;
            if is_clean { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        },
    )?;
    Ok((records, end))
}

/// [`fast`] for one chunk, whose memory the records share; and whether it is nothing but such lines.
fn clean(chunk: &Chunk<'_>) -> (Vec<Record>, u64, bool) {
    let (bytes, place) = chunk.share();
    let mut found = Vec::with_capacity(chunk.bytes.len() / 1024);
    for line in chunk.lines() {
        let record = match record::cut(line.bytes) {
            Some(cut) => Some(cut.into_record(&bytes, place.start + line.offset)),
            None => sealed(line.bytes),
        };
        match record {
            Some(record) if line.terminated => found.push(record),
            _ => return (found, chunk.offset + line.offset as u64, false),
        }
    }
    (found, chunk.offset + chunk.bytes.len() as u64, true)
}

fn slow(log: &Log, report: &mut ReadReport) -> Result<Vec<Record>> {
    let loaded = log.load::<Parsed>()?;
    report.log.add(&loaded.report);
    let mut salvaged = Vec::new();
    for found in &loaded.salvaged {
        salvaged.push((found.index, sealed(&log.read(found.span)?)));
    }
    let mut salvaged = salvaged.into_iter().peekable();
    let mut records = Vec::with_capacity(loaded.records.len());
    for (index, parsed) in loaded.records.into_iter().enumerate() {
        while let Some((_, record)) = salvaged.next_if(|(before, _)| *before <= index) {
            records.extend(record);
        }
        match parsed.into_record() {
            Some(record) => records.push(record),
            None => report.unknown += 1,
        }
    }
    records.extend(salvaged.filter_map(|(_, record)| record));
    Ok(records)
}

/// Tells records apart that have the same number.
fn digest(record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    match &record.kind {
        Kind::Message(text) | Kind::Note(text) => text.body().hash(&mut hasher),
        Kind::Event { time, name, .. } => (time, name).hash(&mut hasher),
        Kind::Header { time, .. } => time.hash(&mut hasher),
    }
    hasher.finish()
}

/// Leaves out what came before, and says what is missing.
fn in_order(records: &mut Vec<Record>, report: &mut ReadReport) {
    let is_sorted = records.is_sorted_by(|a, b| a.seq < b.seq);
    if !is_sorted {
        let mut seen = HashSet::with_capacity(records.len());
        let before = records.len();
        // Two that differ may both have been acknowledged.
        records.retain(|record| seen.insert((record.seq, digest(record))));
        report.repeated = (before - records.len()) as u64;
        let mut last = 0;
        for record in records.iter() {
            report.disordered += u64::from(record.seq <= last && last > 0);
            last = last.max(record.seq);
        }
    }
    let mut last: Option<u64> = None;
    for record in records.iter() {
        if let Some(last) = last
            && record.seq > last + 1
        {
            report.gaps.push((last, record.seq));
        }
        last = Some(last.map_or(record.seq, |last| last.max(record.seq)));
    }
}

/// How many messages have a smaller sequence number than `seq`, of `all` that the session ever had.
pub(crate) fn messages_before(log: &Log, seq: u64, all: u64) -> Result<u64> {
    let offset = seek_seq(log, seq)?;
    Ok(match record_from(log, offset, log.len())? {
        Some(Found { record, .. }) => {
            record.n.saturating_sub(u64::from(matches!(record.kind, Kind::Message(_))))
        }
        None => all,
    })
}
