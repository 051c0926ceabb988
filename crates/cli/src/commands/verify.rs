//! `annals verify`: is every byte what it should be?

use jsonl_core::{DamageKind, ReadOptions, Seals};
use serde::Serialize;

use crate::args::Verify;
use crate::commands::summary::{DamageObject, Summary, damage_text};
use crate::exit::{Exit, Failure};
use crate::files::{self, Next};
use crate::human::{count, name, plural, size};
use crate::out::{Out, Paint};
use crate::store::Home;

#[derive(Serialize)]
struct FileObject<'a> {
    path: &'a str,
    /// `ok`, `unfinished` or `damaged`.
    verdict: &'static str,
    #[serde(flatten)]
    summary: Summary,
    damages: Vec<DamageObject<'a>>,
    damages_omitted: u64,
}

pub(crate) fn run(args: &Verify, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let seals = match (args.require_checksums, args.ignore_checksums) {
        (true, _) => Seals::Require,
        (_, true) => Seals::Ignore,
        _ => Seals::Check,
    };
    let options = ReadOptions::new().damages_kept(args.limit).seals(seals);
    let mut worst = Exit::Done;
    let (mut files, mut bytes, mut damaged) = (0, 0, 0);
    files::for_each(&args.paths, home, &options, 1, out, |log, out| {
        let report = log.verify()?;
        let path = log.path().display().to_string();
        let (verdict, exit) = match () {
            () if report.is_clean() => ("ok", Exit::Done),
            () if report.is_in_flight() => ("unfinished", Exit::Findings),
            () => ("damaged", Exit::Damaged),
        };
        worst = worst.max(exit);
        files += 1;
        bytes += report.bytes.sum();
        damaged += u64::from(exit == Exit::Damaged);
        if out.json {
            let damages = report.damages.iter().map(DamageObject::of).collect();
            let summary = Summary::of(&report);
            let damages_omitted = report.omitted();
            out.object(&FileObject { path: &path, verdict, summary, damages, damages_omitted })?;
            return Ok(Next::GoOn);
        }
        let paint = if exit == Exit::Damaged { Paint::Bad } else { Paint::Plain };
        let mut line = format!(
            "{} {}: {}",
            out.paint(paint, format_args!("{verdict:<10}")),
            name(&path),
            plural(report.records, "record")
        );
        if report.sealed > 0 {
            line += &format!(", {} with checksum", count(report.sealed));
        }
        if report.blank > 0 {
            line += &format!(", {}", plural(report.blank, "blank line"));
        }
        if report.unterminated {
            line += ", the last without its newline";
        }
        if report.is_in_flight() {
            line += ", and an unfinished line at the end";
        } else if report.damaged() > 0 {
            line += &format!(", {}", plural(report.damaged(), "damaged line"));
        }
        if report.bytes.missing > 0 {
            line += &format!(", {} bytes went missing while reading", count(report.bytes.missing));
        }
        out.line(line)?;
        for damage in report.damages.iter().filter(|damage| damage.kind != DamageKind::Mismatch) {
            out.line(format_args!("             {}", damage_text(damage)))?;
        }
        if report.omitted() > 0 {
            out.line(format_args!(
                "             … and {} more; --limit shows them",
                count(report.omitted())
            ))?;
        }
        Ok(Next::GoOn)
    })?;
    if !out.json && files > 1 {
        let text =
            format!("{} of {} damaged, {} checked", count(damaged), plural(files, "file"), size(bytes));
        out.line(text)?;
    }
    Ok(worst)
}
