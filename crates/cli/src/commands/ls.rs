//! `annals ls`: what logs there are.

use std::cmp::Reverse;
use std::fs;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use jiff::Timestamp;
use jsonl_core::{DamageKind, Line, Log, ReadOptions, Report, Verdict};
use serde::Serialize;

use crate::args::Ls;
use crate::commands::summary::Summary;
use crate::describe;
use crate::exit::{Exit, Failure};
use crate::files::{self, Next};
use crate::human::{count, minute, plural, printable, size};
use crate::out::{Out, Paint};

/// Records at either end that are asked for a time. A header or a few records without one may come first.
const TIME_TRIES: usize = 50;

struct Row {
    path: String,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    modified: Option<Timestamp>,
    report: Report,
}

#[derive(Serialize)]
struct RowObject<'a> {
    path: &'a str,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    modified: Option<Timestamp>,
    #[serde(flatten)]
    summary: Summary,
}

pub(crate) fn run(args: &Ls, out: &mut Out) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    files::for_each(&args.paths, &ReadOptions::new().damages_kept(0), out, |log, _| {
        let report = log.verify()?;
        let modified = fs::metadata(log.path()).and_then(|metadata| metadata.modified());
        rows.push(Row {
            path: log.path().display().to_string(),
            first: first_time(&log)?,
            last: last_time(&log)?,
            modified: modified.ok().and_then(|time| Timestamp::try_from(time).ok()),
            report,
        });
        Ok(Next::GoOn)
    })?;
    rows.sort_by_key(|row| Reverse(row.last.or(row.modified)));
    rows.truncate(args.limit.unwrap_or(usize::MAX));
    if out.json {
        for row in &rows {
            let Row { path, first, last, modified, report } = row;
            let summary = Summary::of(report);
            out.object(&RowObject { path, first: *first, last: *last, modified: *modified, summary })?;
        }
    } else if !rows.is_empty() {
        print_table(&rows, out)?;
    }
    Ok(Exit::Done)
}

fn print_table(rows: &[Row], out: &mut Out) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["NAME", "SIZE", "RECORDS", "FIRST", "LAST", "DAMAGE"]);
    for row in rows {
        let time = |time: Option<Timestamp>| time.map_or_else(|| String::from("-"), minute);
        table.add_row([
            out.paint(Paint::Name, printable(&row.path)),
            size(row.report.bytes.sum()),
            count(row.report.records),
            time(row.first),
            time(row.last),
            damage(&row.report, out),
        ]);
    }
    for index in [1, 2] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(4))).set_padding((0, 1));
    }
    let text = table.to_string();
    for line in text.lines() {
        out.line(line.trim_end())?;
    }
    Ok(())
}

fn damage(report: &Report, out: &Out) -> String {
    if report.is_in_flight() {
        return String::from("unfinished last line");
    }
    if report.bytes.missing > 0 {
        return out.paint(Paint::Bad, "shrank while it was read");
    }
    let found = DamageKind::ALL.into_iter().filter(|&kind| report.count(kind) > 0);
    let kinds: Vec<_> = found.map(|kind| kind.to_string()).collect();
    if kinds.is_empty() {
        return String::from("-");
    }
    let lines = plural(report.damaged(), "line");
    out.paint(Paint::Bad, format_args!("{lines}: {}", kinds.join(", ")))
}

fn first_time(log: &Log) -> Result<Option<Timestamp>, Failure> {
    time_among(log.lines())
}

fn last_time(log: &Log) -> Result<Option<Timestamp>, Failure> {
    time_among(log.lines().rev())
}

/// The first time among the first few records.
fn time_among(lines: impl Iterator<Item = jsonl_core::Result<Line>>) -> Result<Option<Timestamp>, Failure> {
    for line in lines.take(TIME_TRIES) {
        let line = line?;
        // A torn line may have a time, but it is no record.
        if let (Verdict::Record { .. }, Some(time)) = (line.verdict(), describe::time(&line.bytes)) {
            return Ok(Some(time));
        }
    }
    Ok(None)
}
