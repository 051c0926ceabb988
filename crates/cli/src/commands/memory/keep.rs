//! `annals memory compact` and `verify`.

use annals_memory::Filter;
use serde::Serialize;

use super::Place;
use crate::args::memory::{Compact, Verify};
use crate::exit::{Exit, Failure};
use crate::human::{name, path, plural, size};
use crate::out::{Out, Paint};

#[derive(Serialize)]
struct CompactedObject {
    dry_run: bool,
    kept: usize,
    removed: usize,
    len_before: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    len: Option<u64>,
}

pub(super) fn compact(args: &Compact, place: &Place, out: &mut Out) -> Result<Exit, Failure> {
    let done = if args.dry_run {
        let Some(view) = place.view(true)? else { return Ok(Exit::Done) };
        view.require_memory()?;
        let kept = view.active(&Filter::new())?.len();
        let removed = view.verify()?.items - kept;
        let len_before = std::fs::metadata(&place.path).map_or(0, |metadata| metadata.len());
        CompactedObject { dry_run: true, kept, removed, len_before, len: None }
    } else {
        // What isn't there needs no compaction, and is not made for it.
        place.view(true)?;
        let memory = place.open()?;
        let done = memory.compact()?;
        memory.close()?;
        let (kept, removed) = (done.kept, done.removed);
        CompactedObject { dry_run: false, kept, removed, len_before: done.len_before, len: Some(done.len) }
    };
    if out.json {
        out.object(&done)?;
        return Ok(Exit::Done);
    }
    let (kept, removed) = (plural(done.kept as u64, "item"), plural(done.removed as u64, "item"));
    match done.len {
        None => out.line(format_args!("would remove {removed}, and keep {kept}"))?,
        Some(len) => {
            let (before, now) = (size(done.len_before), size(len));
            out.line(format_args!("removed {removed}, kept {kept}: {before} before, {now} now"))?;
        }
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct VerifiedObject {
    path: String,
    items: usize,
    active: usize,
    next_id: Option<u64>,
    records: u64,
    odd: u64,
    torn: u64,
    fused: u64,
    damaged: u64,
    missing: Vec<(u64, u64)>,
    missing_of_compacted: u64,
    complete: bool,
}

pub(super) fn verify(args: &Verify, place: &Place, was_named: bool, out: &mut Out) -> Result<Exit, Failure> {
    // Looking is possible whatever is missing.
    let lenient = Place { path: place.path.clone(), options: place.options.clone().accept_loss(true) };
    let Some(view) = lenient.view(was_named)? else {
        out.note("there is no memory yet");
        return Ok(Exit::Done);
    };
    let found = view.verify()?;
    let (report, loss) = (&found.report, &found.loss);
    let is_complete = loss.is_empty();
    let exit = match () {
        () if !is_complete => Exit::Damaged,
        () if !report.is_clean() => Exit::Findings,
        () => Exit::Done,
    };
    if out.json {
        out.object(&VerifiedObject {
            path: place.path.display().to_string(),
            items: found.items,
            active: found.active,
            next_id: found.next_id,
            records: report.records,
            odd: report.odd,
            torn: report.torn,
            fused: report.fused,
            damaged: report.damaged,
            missing: loss.missing.iter().map(|range| (range.first, range.last)).collect(),
            missing_of_compacted: loss.missing_of_compacted,
            complete: is_complete,
        })?;
        return Ok(exit);
    }
    let word = match exit {
        Exit::Done => String::from("ok      "),
        Exit::Findings => String::from("odd     "),
        _ => out.paint(Paint::Bad, "damaged "),
    };
    let (items, active) = (plural(found.items as u64, "item"), found.active);
    let next = found.next_id.map_or_else(|| String::from("none"), |id| id.to_string());
    out.line(format_args!("{word} {}: {items}, {active} active, next id {next}", path(&place.path)))?;
    if !is_complete {
        out.line(format_args!("           {}", name(&loss.to_string())))?;
        out.note(
            "with --accept-loss, annals memory goes on without what is missing, and notes that it is known",
        );
    }
    let damages = report.damages.iter().map(|damage| name(&damage.to_string()));
    let oddities = report.oddities.iter().map(ToString::to_string);
    for finding in damages.chain(oddities).take(args.limit) {
        out.line(format_args!("           {finding}"))?;
    }
    let all = report.odd + report.torn + report.fused + report.damaged;
    let more = all.saturating_sub(args.limit as u64);
    if more > 0 {
        out.line(format_args!("           and {more} more"))?;
    }
    Ok(exit)
}
