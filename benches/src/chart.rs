//! Draws the saved results: how many times as fast as the other way each job is, on a scale of powers of ten.

use std::fmt::Write;
use std::fs;

use crate::measure::{Beside, Row, rate};
use crate::saved::{self, Results};

const WIDTH: f64 = 920.0;
const LEFT: f64 = 380.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 46.0;
const STEP: f64 = 24.0;
const BAR: f64 = 15.0;

/// Jobs that are drawn, if they were measured, and what they are called there.
const DRAWN: [(&str, &str, &str); 16] = [
    ("verify JSON in full, 2 threads, small", "naive", "check every byte of JSON"),
    ("load typed, folded, 2 threads, chat", "naive", "parse everything"),
    ("transcripts ls, claude-code", "naive", "list an agent's sessions"),
    ("transcripts stats, claude-code", "naive", "count an agent's tokens"),
    ("transcripts search rare, claude-code", "naive", "search for a rare word"),
    ("session add durable, 1 threads, small", "picoclaw", "add a message, durably"),
    ("session add durable, 64 threads, small", "picoclaw", "the same, 64 threads"),
    ("session history, chat", "picoclaw", "read a history of 20,000"),
    ("session last 50 of 200000, small", "picoclaw", "the last 50 of 200,000 messages"),
    ("session list 10000, newest 50", "", "list 10,000 sessions"),
    ("memory open, 1,000,000 items, cold", "naive", "open a million memories, cold"),
    ("memory open, 1,000,000 items, with checkpoint", "naive", "the same, with a checkpoint"),
    ("trust check, 10,000 approvals", "", "check one of 10,000 approvals"),
    ("catalog event, 10000 sessions", "sessions-db", "an event among 10,000 sessions"),
    ("catalog rebuild, 100000 events", "naive", "rebuild from 100,000 events"),
    ("durable message, 64 threads, small", "SQLite", "a durable message, 64 threads"),
];

/// Draws results, and puts them into README.md.
pub(crate) fn save(results: &Results) {
    let note = format!("{}, {}", results.date, results.machine);
    let bars = bars(&results.rows);
    fs::write(saved::folder().join("chart.svg"), draw(&bars, &note)).unwrap();
    saved::put_in(&saved::folder().join("../README.md"), "speed", &table(&bars, &note));
}

/// As a table of Markdown, for README.md.
fn table(bars: &[Bar], note: &str) -> String {
    let mut text =
        String::from("| job | ours | the other way | times as fast | which is |\n|---|---:|---:|---:|---|\n");
    for Bar { name, against, ours, other, ratio } in bars {
        let _ = writeln!(text, "| {name} | {ours} | {other} | {} | {against} |", short(*ratio));
    }
    let _ = writeln!(text, "\n{note}, `cargo xtask bench --save`.");
    text
}

struct Bar {
    name: &'static str,
    against: String,
    ours: String,
    other: String,
    ratio: f64,
}

fn bars(rows: &[Row]) -> Vec<Bar> {
    let meant = |(job, against, name): &(&str, &str, &'static str)| {
        let is_meant = |row: &&Row| {
            row.job == *job && row.beside.as_ref().is_some_and(|beside| beside.against.contains(against))
        };
        Some((*name, rows.iter().find(is_meant)?))
    };
    let bar = |job| {
        let (name, row) = meant(job)?;
        let Beside { against, other_ns, ratio, .. } = row.beside.as_ref()?;
        let (ours, other) = (rate(row.work, row.ours_ns), rate(row.work, *other_ns));
        Some(Bar { name, against: against.clone(), ours, other, ratio: *ratio })
    };
    DRAWN.iter().filter_map(bar).collect()
}

fn draw(bars: &[Bar], note: &str) -> String {
    let most = bars.iter().map(|bar| bar.ratio).fold(10.0, f64::max);
    let powers = most.log10().ceil();
    let x = |ratio: f64| LEFT + ratio.max(1.0).log10() / powers * (WIDTH - LEFT - RIGHT);
    let height = TOP + STEP * bars.len() as f64 + 30.0;
    let bottom = height - 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <style>text{{fill:#24292f}} .soft{{fill:#6e7781}} .bar{{fill:#3b7dd8}} line{{stroke:#d0d7de}} @media(prefers-color-scheme:dark){{text{{fill:#e6edf3}} .soft{{fill:#9198a1}} .bar{{fill:#58a6ff}} line{{stroke:#30363d}}}}</style>\n\
         <text x=\"12\" y=\"20\" font-size=\"15\" font-weight=\"600\">How many times as fast as the other way</text>\n"
    );
    for power in 0..=powers as i32 {
        let (at, label) = (x(10_f64.powi(power)), 10_i64.pow(power.cast_unsigned()));
        let _ = writeln!(svg, "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>");
        let _ = writeln!(
            svg,
            "<text class=\"soft\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\">{label}×</text>",
            TOP - 6.0
        );
    }
    for (number, bar) in bars.iter().enumerate() {
        let y = TOP + 5.0 + STEP * number as f64;
        let (end, text) = (x(bar.ratio), y + BAR - 3.0);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{text:.1}\" text-anchor=\"end\">{} <tspan class=\"soft\" font-size=\"11\">{}</tspan></text>",
            LEFT - 8.0,
            escaped(bar.name),
            escaped(&bar.against)
        );
        let _ = writeln!(
            svg,
            "<rect class=\"bar\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>",
            (end - LEFT).max(1.5)
        );
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{text:.1}\">{}</text>", end + 6.0, short(bar.ratio));
    }
    let _ = writeln!(
        svg,
        "<text class=\"soft\" x=\"12\" y=\"{:.1}\" font-size=\"11\">{}; medians, both sides in turns; cargo xtask bench --save</text>\n</svg>",
        height - 8.0,
        escaped(note)
    );
    svg
}

/// `5.7`, `44`, `1,330`.
fn short(ratio: f64) -> String {
    match ratio {
        ..9.95 => format!("{ratio:.1}"),
        ..1000.0 => format!("{ratio:.0}"),
        _ => format!("{},{:03}", ratio as u64 / 1000, ratio as u64 % 1000),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_bar_is_a_larger_ratio() {
        let bar = |ratio| Bar {
            name: "a < b",
            against: String::from("c & d"),
            ours: String::new(),
            other: String::new(),
            ratio,
        };
        let svg = draw(&[bar(2.0), bar(200.0)], "today");
        let widths: Vec<f64> = svg
            .lines()
            .filter(|line| line.contains("class=\"bar\""))
            .map(|line| line.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!(widths[1] > 5.0 * widths[0], "{widths:?}");
        assert!(svg.contains("a &lt; b") && svg.contains("c &amp; d"));
    }

    #[test]
    fn ratios_are_short() {
        assert_eq!([1.04, 9.99, 44.7, 1330.1].map(short), ["1.0", "10", "45", "1,330"]);
    }
}
