//! `annals ls`: what logs there are.

use std::cmp::Reverse;
use std::fs;
use std::io::{self, IsTerminal};

use jiff::Timestamp;
use jsonl_core::{DamageKind, Line, ReadOptions, Report, Verdict};
use serde::Serialize;

use crate::args::Ls;
use crate::commands::summary::Summary;
use crate::commands::table;
use crate::describe;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::human::{count, minute, name, plural, size};
use crate::out::{Out, Paint};
use crate::store::Home;

/// Records at either end that are asked for a time. A header or a few records without one may come first.
const TIME_TRIES: usize = 50;

/// What the columns behind the name take, and the least that is left for it.
const OTHER_COLUMNS: usize = 66;
const NAME_MIN: usize = 14;

/// A terminal with fewer columns gets no details.
const NARROW: usize = 120;

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

pub(crate) fn run(args: &Ls, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    files::for_each(&args.paths, home, &ReadOptions::new().damages_kept(0), 1, out, |log, out| {
        let report = log.verify()?;
        // What was found is not all.
        if let Err(shrunk) = log.require_whole(&report) {
            out.complain(&shrunk.into());
        }
        let modified = fs::metadata(log.path()).and_then(|metadata| metadata.modified());
        // Records are mostly, but not always, in the order of their times.
        let times: Vec<Timestamp> =
            times_among(log.lines()).into_iter().chain(times_among(log.lines().rev())).collect();
        rows.push(Row {
            path: log.path().display().to_string(),
            first: times.iter().min().copied(),
            last: times.iter().max().copied(),
            modified: modified.ok().and_then(|time| Timestamp::try_from(time).ok()),
            report,
        });
        Ok(())
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
    let width = terminal_width();
    let is_narrow = width.is_some_and(|width| width < NARROW);
    let longest = rows.iter().map(|row| row.path.chars().count()).max().unwrap_or(0);
    // Names are never cut for a program or a file.
    let name_width =
        width.map_or(longest, |width| longest.min(width.saturating_sub(OTHER_COLUMNS).max(NAME_MIN)));
    let time = |time: Option<Timestamp>| time.map_or_else(|| String::from("-"), minute);
    let cells = |row: &Row| {
        vec![
            shortened(&name(&row.path), name_width),
            size(row.report.bytes.sum()),
            count(row.report.records),
            time(row.first),
            time(row.last),
            damage(&row.report, is_narrow),
        ]
    };
    let head = ["NAME", "SIZE", "RECORDS", "FIRST (UTC)", "LAST (UTC)", "DAMAGE"];
    let paint = |damage: &str| if damage == NO_DAMAGE { Paint::Plain } else { Paint::Bad };
    table::print(&head, rows, cells, &[1, 2], paint, out)
}

pub(super) fn terminal_width() -> Option<usize> {
    let (terminal_size::Width(width), _) = terminal_size::terminal_size()?;
    io::stdout().is_terminal().then_some(usize::from(width))
}

/// The end of a path says more than its beginning.
pub(super) fn shortened(path: &str, width: usize) -> String {
    let len = path.chars().count();
    if len <= width {
        return path.to_owned();
    }
    let end: String = path.chars().skip(len - width.saturating_sub(1)).collect();
    format!("…{end}")
}

/// What is wrong, and if there is room, of which kinds.
fn damage(report: &Report, is_narrow: bool) -> String {
    if report.is_in_flight() {
        return String::from(if is_narrow { "unfinished" } else { "unfinished last line" });
    }
    if report.bytes.missing > 0 {
        return String::from("shrank while it was read");
    }
    let found = DamageKind::ALL.into_iter().filter(|&kind| report.count(kind) > 0);
    let kinds: Vec<_> = found.map(|kind| kind.to_string()).collect();
    if kinds.is_empty() {
        return String::from(NO_DAMAGE);
    }
    let lines = plural(report.damaged(), "line");
    if is_narrow { lines } else { format!("{lines}: {}", kinds.join(", ")) }
}

const NO_DAMAGE: &str = "-";

/// The times of the first few records.
fn times_among(lines: impl Iterator<Item = jsonl_core::Result<Line>>) -> Vec<Timestamp> {
    // A file that can't be read to its end has been complained about.
    let records = lines.take(TIME_TRIES).map_while(Result::ok);
    // A torn line may have a time, but it is no record.
    let records = records.filter(|line| matches!(line.verdict(), Verdict::Record { .. }));
    records.filter_map(|line| describe::time(&line.bytes)).collect()
}
