//! Folds a session's records on several threads, and keeps none of them.

use jsonl_core::{Chunk, Log, Span};

use crate::error::{Error, Result};
use crate::read::{self, ReadReport};
use crate::record;
use crate::view::{Entry, Scope, Wanted};

/// Every chunk of the log is folded by itself, and the parts are put together in order.
pub(crate) fn fold<A: Send>(
    log: &Log,
    scope: Scope,
    init: impl Fn() -> A + Sync,
    step: impl Fn(&mut A, &Entry) + Sync,
    mut combine: impl FnMut(A, A) -> A,
) -> Result<(A, ReadReport)> {
    let wanted = Wanted::new(log, scope)?;
    let rest = log.part(Span { offset: wanted.start, len: log.len() - wanted.start })?;
    let mut joined = read::Joined::starting_at(wanted.start);
    let mut total = Some(init());
    let passed_over = rest.try_chunks(
        |chunk| {
            let mut part = init();
            let (ends, report) = each(log, &chunk, |entry| {
                if wanted.takes(entry) {
                    step(&mut part, entry);
                }
            })?;
            Ok::<_, Error>((part, ends, report))
        },
        |(part, ends, report), _| {
            joined.add(ends, &report);
            total = total.take().map(|total| combine(total, part));
        },
    )?;
    // Lines too long for any chunk, and what went missing. It has counted the others as well.
    joined.whole.log.add(&passed_over);
    joined.whole.log.lines = passed_over.lines;
    Ok((total.unwrap_or_else(init), joined.whole))
}

/// Hands over the records of a chunk, in order. Gives the numbers that they begin and end with, and what was no record.
///
/// As long as lines are what our writers write, in their order, each is handed over where it lies, and no records are made. From
/// the first that isn't, it is as [`read::records_of`] has it.
fn each(
    log: &Log,
    chunk: &Chunk<'_>,
    mut look: impl FnMut(&Entry),
) -> Result<(Option<(u64, u64)>, ReadReport)> {
    let mut gaps = Vec::new();
    let mut ends: Option<(u64, u64)> = None;
    let mut handed_over = 0;
    let mut hand_over = |entry: &Entry| {
        let seq = entry.seq();
        match &mut ends {
            None => ends = Some((seq, seq)),
            Some((_, last)) if seq <= *last => return false,
            Some((_, last)) => {
                if seq > *last + 1 {
                    gaps.push((*last, seq));
                }
                *last = seq;
            }
        }
        handed_over += 1;
        look(entry);
        true
    };
    let is_clean = lines(chunk, &mut hand_over);
    if is_clean {
        let range = chunk.offset..chunk.offset + chunk.bytes.len() as u64;
        return Ok((ends, ReadReport { gaps, ..ReadReport::of_sealed(range, handed_over) }));
    }
    let (records, report) = read::records_of(log, chunk)?;
    let ends = read::ends(&records);
    records.into_iter().skip(handed_over).map(Entry::of).for_each(|entry| look(&entry));
    Ok((ends, report))
}

/// Whether all lines of a chunk are whole and sealed records, and whoever looks at them agrees; ends with the first that is not.
fn lines(chunk: &Chunk<'_>, mut look: impl FnMut(&Entry) -> bool) -> bool {
    let (bytes, place) = chunk.share();
    // One message that goes from line to line: to share its memory anew with each would be a twentieth of a fold.
    let mut moving: Option<Entry> = None;
    chunk.lines().all(|line| {
        if !line.terminated {
            return false;
        }
        let Some(cut) = record::cut(line.bytes) else {
            return read::sealed(line.bytes).is_some_and(|record| look(&Entry::of(record)));
        };
        let at = place.start + line.offset;
        match &mut moving {
            Some(Entry::Message(message)) if cut.is_message => message.move_to(&cut, at),
            _ => moving = Some(Entry::of(cut.into_record(&bytes, at))),
        }
        moving.as_ref().is_some_and(&mut look)
    })
}
