//! Keeps results: rows as JSON for programs, and as blocks of `RESULTS.md` for people.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::chart;
use crate::measure::{Row, head, line, summary};

/// What was measured in one go.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// The day, as `2026-11-21`, or the first and the last one on which rows were measured.
    pub date: String,
    /// What it was measured on, in words: every machine on which a row was measured, each of them on one.
    pub machine: String,
    /// Every comparison.
    pub rows: Vec<Row>,
}

impl Results {
    /// Of today, on this machine.
    pub fn of(rows: Vec<Row>) -> Self {
        Self { date: today(), machine: machine(), rows }
    }

    /// With newer rows in the place of older ones of the same job beside the same thing.
    #[must_use]
    pub fn merged(mut self, newer: Self) -> Self {
        if newer.rows.is_empty() {
            return self;
        }
        let name = |row: &Row| (row.job.clone(), row.beside.as_ref().map(|beside| beside.against.clone()));
        let is_measured_again = |older: &Row| newer.rows.iter().any(|row| name(row) == name(older));
        let is_all_new = self.rows.iter().all(is_measured_again);
        let date = match self.date.split(" to ").next() {
            Some(first) if first != newer.date && !is_all_new => format!("{first} to {}", newer.date),
            _ => newer.date.clone(),
        };
        let machine = if is_all_new {
            newer.machine
        } else if self.machine.split("; ").any(|machine| machine == newer.machine) {
            self.machine
        } else {
            format!("{}; {}", self.machine, newer.machine)
        };
        for row in newer.rows {
            match self.rows.iter_mut().find(|older| name(older) == name(&row)) {
                Some(older) => *older = row,
                None => self.rows.push(row),
            }
        }
        Self { date, machine, rows: self.rows }
    }

    /// As text for `RESULTS.md`.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", head());
        for row in &self.rows {
            let _ = writeln!(text, "{}", line(row));
        }
        let _ = write!(text, "\n{}", summary(&self.rows));
        dated(&self.date, &self.machine, &text)
    }
}

/// A text with the day and the machine above it.
fn dated(date: &str, machine: &str, text: &str) -> String {
    format!("{date}, {machine}.\n\n```text\n{}\n```", text.trim_end())
}

/// The folder of the benchmarks in the source tree.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where the rows are kept.
pub fn results_path() -> PathBuf {
    folder().join("results.json")
}

/// What was kept last, if anything was.
pub fn load(path: &Path) -> Option<Results> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Keeps rows, in the place of older ones, and draws them.
pub fn save(rows: Vec<Row>) {
    let path = results_path();
    let results = Results::of(rows);
    let results = match load(&path) {
        Some(older) => older.merged(results),
        None => results,
    };
    let mut text = serde_json::to_string_pretty(&results).unwrap();
    text.push('\n');
    fs::write(path, text).unwrap();
    put_in(&folder().join("RESULTS.md"), "targets", &results.text());
    chart::save(&results);
}

/// Puts what was measured today, on this machine, between the marks of a block of `RESULTS.md`.
pub fn put(block: &str, text: &str) {
    put_in(&folder().join("RESULTS.md"), block, &dated(&today(), &machine(), text));
}

/// Puts a text between the marks of a block of a file.
///
/// # Panics
///
/// Where there are no such marks.
pub fn put_in(path: &Path, block: &str, text: &str) {
    let old = fs::read_to_string(path).unwrap();
    let new =
        replaced(&old, block, text).unwrap_or_else(|| panic!("{} has no block {block}", path.display()));
    fs::write(path, new).unwrap();
}

fn replaced(old: &str, block: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {block} -->"), format!("<!-- end of {block} -->"));
    let (before, rest) = old.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", text.trim_end()))
}

/// The day, by the clock of the machine.
fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// `2 × Intel(R) Xeon(R) …, 23 GiB, linux 6.18`.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
    };
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = after(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| String::from("processors"));
    let memory = after(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
        .map_or_else(String::new, |kib| format!(", {} GiB", kib >> 20));
    let release = read("/proc/sys/kernel/osrelease");
    let kernel: Vec<&str> = release.trim().split('.').take(2).collect();
    format!("{count} × {model}{memory}, {} {}", std::env::consts::OS, kernel.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_replaced_and_the_rest_stays() {
        let old = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n";
        assert_eq!(replaced(old, "x", "new\n").unwrap(), "a\n<!-- x -->\nnew\n<!-- end of x -->\nb\n");
        assert_eq!(replaced(old, "y", "new"), None);
    }

    #[test]
    fn newer_rows_take_the_place_of_older_ones() {
        let row = |job: &str, ns| Row {
            job: job.to_owned(),
            work: crate::measure::Work::Records(1),
            ours_ns: ns,
            beside: None,
        };
        let results = Results::of(vec![row("a", 1), row("b", 2)]).merged(Results::of(vec![row("b", 3)]));
        let times: Vec<u64> = results.rows.iter().map(|row| row.ours_ns).collect();
        assert_eq!(times, [1, 3]);
        let old = Results { date: String::from("2026-11-21 to 2026-11-23"), ..results };
        let both = old.merged(Results { date: String::from("2026-11-24"), ..Results::of(vec![row("a", 1)]) });
        assert_eq!(both.date, "2026-11-21 to 2026-11-24");
        assert_eq!(both.machine, machine());
        let on = |machine: &str, job| Results {
            machine: String::from(machine),
            ..Results::of(vec![row(job, 1), row("b", 2)])
        };
        let [first, second, third] = [on("x", "a"), on("y", "c"), on("y", "a")];
        let mixed = first.merged(second).merged(third);
        assert_eq!(mixed.machine, "x; y");
        assert_eq!(mixed.merged(Results { rows: vec![row("a", 2)], ..on("z", "a") }).machine, "x; y; z");
        let none = both.merged(Results::of(Vec::new()));
        assert_eq!(none.date, "2026-11-21 to 2026-11-24");
        let again = none.merged(Results::of(vec![row("a", 1), row("b", 2)]));
        assert_eq!(again.date, today());
    }
}
