//! `annals catalog init`, `rebuild`, `verify`, `sweep`, `export` and `watch`.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use annals_catalog::{Catalog, Report, Thresholds, Transition, Watched};
use serde::Serialize;

use crate::args::catalog::{Catalog as Args, Export, Sweep, Watch};
use crate::exit::{Exit, Failure};
use crate::files::{cannot, is_gone};
use crate::human::{name, path, plural};
use crate::out::{Out, Paint};

pub(super) fn init(catalog: &Catalog, quiet: bool, out: &mut Out) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct InitObject {
        ok: bool,
        root: String,
        created: Created,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Created {
        dir: bool,
        events_jsonl: bool,
        projection_json: bool,
    }
    let made = catalog.init()?;
    let root = catalog.root().display().to_string();
    if out.json {
        let created =
            Created { dir: made.folder, events_jsonl: made.events, projection_json: made.projection };
        out.object(&InitObject { ok: true, root, created })?;
    } else if !quiet {
        let what = if made.events { "made a catalog" } else { "there is a catalog already" };
        out.line(format_args!("ok: {what} in {}", path(catalog.root())))?;
    }
    Ok(Exit::Done)
}

pub(super) fn rebuild(catalog: &Catalog, quiet: bool, out: &mut Out) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Rebuilt {
        ok: bool,
        session_count: usize,
        event_count: u64,
        tolerated_corruptions: u64,
    }
    let (projection, report) = catalog.rebuild()?;
    let bad = report.torn + report.fused + report.damaged + report.odd;
    if out.json {
        out.pretty(&Rebuilt {
            ok: true,
            session_count: projection.len(),
            event_count: report.events,
            tolerated_corruptions: bad,
        })?;
    } else if !quiet {
        let (sessions, events) = (projection.len(), report.events);
        out.line(format_args!("ok: rebuilt projection — {sessions} sessions, {events} events"))?;
        if report.torn > 0 {
            let lines = if report.torn == 1 { "line" } else { "lines" };
            out.line(format_args!("  (warning: {} tail-partial event {lines} tolerated)", report.torn))?;
        }
        if bad > report.torn {
            let text = plural(bad - report.torn, "line");
            out.line(format_args!(
                "  (warning: {text} without an event; `annals catalog verify` names them)"
            ))?;
        }
    }
    Ok(Exit::Done)
}

pub(super) fn verify(catalog: &Catalog, out: &mut Out) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct VerifyObject<'a> {
        path: String,
        sessions: usize,
        unknown_ops: &'a std::collections::BTreeMap<String, u64>,
        #[serde(flatten)]
        report: &'a Report,
        damages: Vec<String>,
    }
    let (projection, report) = catalog.verify()?;
    let exit = match () {
        () if report.is_clean() => Exit::Done,
        // What is only unfinished or foreign has lost nothing.
        () if report.fused == 0 && report.damaged == 0 && report.torn <= 1 => Exit::Findings,
        () => Exit::Damaged,
    };
    if out.json {
        out.object(&VerifyObject {
            path: catalog.log_path().display().to_string(),
            sessions: projection.len(),
            unknown_ops: &projection.meta().unknown_ops,
            report: &report,
            damages: report.damages.iter().map(ToString::to_string).collect(),
        })?;
        return Ok(exit);
    }
    let word = if report.is_clean() { "ok        ".to_owned() } else { out.paint(Paint::Bad, "damaged   ") };
    let counts =
        format!("{}, {}", plural(report.events, "event"), plural(projection.len() as u64, "session"));
    out.line(format_args!("{word} {}: {counts}", path(catalog.log_path())))?;
    for damage in &report.damages {
        out.line(format_args!("             {}", name(&damage.to_string())))?;
    }
    for offset in &report.odd_at {
        out.line(format_args!("             byte {offset}: JSON that is no event"))?;
    }
    for (op, count) in &projection.meta().unknown_ops {
        out.line(format_args!(
            "             {} of an operation that is unknown: {}",
            plural(*count, "event"),
            name(op)
        ))?;
    }
    Ok(exit)
}

pub(super) fn sweep(args: &Sweep, catalog: &Catalog, common: &Args, out: &mut Out) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct DriedSweep<'a> {
        ok: bool,
        dry_run: bool,
        transitions: &'a [Transition],
    }
    #[derive(Serialize)]
    struct Swept<'a> {
        ok: bool,
        applied: &'a [Transition],
        failed: [(); 0],
        summary: Summary,
    }
    #[derive(Serialize)]
    struct Summary {
        total: usize,
        applied: usize,
        failed: usize,
        to_idle: usize,
        to_archived: usize,
    }
    let thresholds = Thresholds::new(args.idle_threshold_days, args.archive_threshold_days)?;
    let unseen = RefCell::new(Vec::new());
    // sessions-db goes by what it saw last.
    let changed = |path: &str| match fs::metadata(path) {
        _ if common.compat => None,
        Ok(found) => found.modified().ok(),
        Err(error) if is_gone(&error) => None,
        // Nobody knows how long nothing has happened there, so it stays as it is.
        Err(error) => {
            unseen.borrow_mut().push(cannot("look at", Path::new(path), error));
            Some(SystemTime::now())
        }
    };
    let transitions = if args.dry.dry_run {
        catalog.sweep_dry_run(thresholds, changed)?
    } else {
        catalog.sweep(thresholds, changed)?
    };
    unseen.into_inner().iter().for_each(|failure| out.complain(failure));
    let count = |state: &str| transitions.iter().filter(|transition| transition.to_state == state).count();
    if out.json {
        if args.dry.dry_run {
            out.pretty(&DriedSweep { ok: true, dry_run: true, transitions: &transitions })?;
        } else {
            let total = transitions.len();
            let (to_idle, to_archived) = (count("idle"), count("archived"));
            let summary = Summary { total, applied: total, failed: 0, to_idle, to_archived };
            out.pretty(&Swept { ok: true, applied: &transitions, failed: [], summary })?;
        }
        return Ok(Exit::Done);
    }
    let noun = plural(transitions.len() as u64, "transition");
    let colon = if transitions.is_empty() { "" } else { ":" };
    match args.dry.dry_run {
        true => out.line(format_args!("ok: sweep dry-run — {noun} planned{colon}"))?,
        false if common.quiet => return Ok(Exit::Done),
        false => out.line(format_args!("ok: sweep — {noun} written{colon}"))?,
    }
    for Transition { stable_id, from_state, to_state, effective_last_progress, age_days, .. } in &transitions
    {
        let (id, from, progress) = (name(stable_id), name(from_state), name(effective_last_progress));
        out.line(format_args!("  {id}  {from} → {to_state}  (age {age_days}d, last_progress {progress})"))?;
    }
    Ok(Exit::Done)
}

pub(super) fn export(args: &Export, catalog: &Catalog, quiet: bool, out: &mut Out) -> Result<Exit, Failure> {
    match &args.file {
        None => {
            out.bytes(catalog.export_text()?.as_bytes())?;
            out.bytes(b"\n")?;
        }
        Some(file) => {
            catalog.export(file)?;
            if !quiet && !out.json {
                out.line(format_args!("ok: projection written to {}", path(file)))?;
            }
        }
    }
    Ok(Exit::Done)
}

pub(super) fn watch(args: &Watch, catalog: &Catalog, out: &mut Out) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Replaced {
        replaced: bool,
    }
    let timeout = args.timeout.map(super::super::seconds).transpose()?;
    let mut watch = catalog.watch()?;
    loop {
        match watch.next_within(timeout.unwrap_or(Duration::from_secs(3600)))? {
            Some(Watched::Event(event)) if out.json => out.object(&event)?,
            Some(Watched::Event(event)) => {
                let (ts, op, id) = (name(&event.ts), name(event.op.name()), name(&event.stable_id));
                let ts = out.paint(Paint::Dim, ts);
                out.line(format_args!("{ts}  {op:<15}  {id}  {}", name(event.op.payload().text())))?;
            }
            Some(_) if out.json => out.object(&Replaced { replaced: true })?,
            Some(_) => out.note("the log was replaced"),
            None if timeout.is_some() => return Ok(Exit::Done),
            None => {}
        }
        out.flush()?;
    }
}
