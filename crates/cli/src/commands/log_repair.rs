//! `annals log repair`: takes out what is not a record.

use jsonl_core::RepairOptions;
use serde::Serialize;

use crate::args::Repair;
use crate::commands::seconds;
use crate::commands::summary::{DamageObject, Summary, damage_text};
use crate::exit::{Exit, Failure};
use crate::human::{plural, printable};
use crate::out::Out;

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
    let repaired = options.repair(&args.file)?;
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
    let path = printable(&path);
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
        out.line(format_args!("  what was taken out is in {}", printable(&kept_in)))?;
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
