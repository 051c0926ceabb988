//! `annals log repair`: takes out what is not a record.

use std::fs;
use std::time::Duration;

use jsonl_core::{Log, RepairOptions, Seals, Verdict};
use serde::Serialize;

use crate::args::Repair;
use crate::commands::seconds;
use crate::commands::summary::{DamageObject, Summary, damage_text};
use crate::exit::{Exit, Failure};
use crate::human::{self, name, plural};
use crate::out::Out;
use crate::progress::Progress;

/// An unfinished last line that is younger than this may still be finished.
const FRESH: Duration = Duration::from_secs(5);

/// Damages that are described.
const SHOWN: usize = 10;

#[derive(Serialize)]
struct RepairObject<'a> {
    path: String,
    dry_run: bool,
    removed_bytes: u64,
    kept_in: Option<String>,
    salvaged: u64,
    newline_added: bool,
    #[serde(flatten)]
    before: Summary,
    damages: Vec<DamageObject<'a>>,
}

pub(crate) fn run(args: &Repair, out: &mut Out) -> Result<Exit, Failure> {
    let options = RepairOptions::new().dry_run(args.dry_run).salvage(args.salvage).wait(seconds(args.wait)?);
    let options = options.mostly_damaged(args.force).seals(if args.ignore_checksums {
        Seals::Ignore
    } else {
        Seals::Check
    });
    if !args.dry_run && !args.force {
        refuse_if_fresh(args)?;
    }
    let len = fs::metadata(&args.file).map_or(0, |metadata| metadata.len());
    let progress = Progress::of(if args.dry_run { len } else { 2 * len });
    let repaired = options.progress(progress.bytes_done.clone()).repair(&args.file)?;
    drop(progress);
    let report = &repaired.report;
    let path = args.file.display().to_string();
    let kept_in = repaired.kept_in.as_ref().map(|path| path.display().to_string());
    if out.json {
        out.object(&RepairObject {
            path,
            dry_run: args.dry_run,
            removed_bytes: repaired.removed_len,
            kept_in,
            salvaged: repaired.salvaged,
            newline_added: repaired.terminated,
            before: Summary::of(report),
            damages: report.damages.iter().map(DamageObject::of).collect(),
        })?;
        return Ok(Exit::Done);
    }
    let path = name(&path);
    if !repaired.changes() {
        out.line(format_args!("{path}: {}, nothing to repair", plural(report.records, "record")))?;
        return Ok(Exit::Done);
    }
    for damage in report.damages.iter().take(SHOWN) {
        out.line(format_args!("  {}", damage_text(damage)))?;
    }
    let more = report.damaged().saturating_sub(report.damages.len().min(SHOWN) as u64);
    if more > 0 {
        out.line(format_args!("  … and {} more", plural(more, "damaged line")))?;
    }
    let would = if args.dry_run { "would be " } else { "" };
    let removed = plural(repaired.removed_len, "byte");
    out.line(format_args!("{path}: {} stay, {removed} {would}taken out", plural(report.records, "record")))?;
    if report.blank > 0 {
        out.line(format_args!("  {} among them", plural(report.blank, "blank line")))?;
    }
    if repaired.salvaged > 0 {
        out.line(format_args!(
            "  {} out of damaged lines {would}put in their place",
            plural(repaired.salvaged, "record")
        ))?;
    }
    if repaired.terminated {
        out.line(format_args!("  the last record {would}given its newline"))?;
    }
    if let Some(kept_in) = kept_in {
        out.line(format_args!("  what was taken out is in {}", name(&kept_in)))?;
    }
    let salvageable: usize = report.damages.iter().map(|damage| damage.salvage.len()).sum();
    if !args.salvage && salvageable > 0 {
        out.note(format_args!(
            "{} inside damaged lines; --salvage puts complete records back",
            plural(salvageable as u64, "complete record")
        ));
    }
    Ok(Exit::Done)
}

/// A program that knows no lock may be in the middle of its last line. What it writes after the repair would go
/// into the file that was replaced.
fn refuse_if_fresh(args: &Repair) -> Result<(), Failure> {
    let log = Log::open(&args.file)?;
    let last = log.lines().next_back().transpose()?;
    let is_torn =
        last.is_some_and(|line| !line.terminated && !matches!(line.verdict(), Verdict::Record { .. }));
    let age = fs::metadata(&args.file)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|time| time.elapsed().ok());
    match age {
        Some(age) if is_torn && age < FRESH => {
            let text = format!(
                "{}: its last line is unfinished and was written {} s ago; perhaps somebody is still writing: stop \
                 them, or give --force",
                human::path(&args.file),
                age.as_secs()
            );
            Err(Failure::Told(Exit::Busy, text))
        }
        _ => Ok(()),
    }
}
