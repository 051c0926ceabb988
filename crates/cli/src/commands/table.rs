//! Tables for people: columns that line up, the first one in colour.

use unicode_width::UnicodeWidthStr;

use crate::exit::Failure;
use crate::out::{Out, Paint};

/// Between columns.
pub(super) const GAP: &str = "  ";

/// How wide each column has to be.
pub(super) fn widths(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<usize> {
    let mut widths: Vec<usize> = head.iter().map(|name| name.width()).collect();
    for row in rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.width()));
    }
    widths
}

/// Prints rows under a head; the columns of `right` are aligned there, and `last` says in which colour the last one is.
///
/// `cells` is asked twice for each row, once for its widths: a long table is never in memory as text.
pub(super) fn print<R>(
    head: &[&str],
    rows: &[R],
    cells: impl Fn(&R) -> Vec<String>,
    right: &[usize],
    last: impl Fn(&str) -> Paint,
    out: &mut Out,
) -> Result<(), Failure> {
    let widths = widths(head, rows.iter().map(&cells));
    let is_last = |column: usize| column + 1 == widths.len();
    // Colours take no room, so what is painted is padded as if it weren't.
    let padded = |column: usize, cell: &str, painted: &str| {
        let room = " ".repeat(widths[column] - cell.width());
        match right.contains(&column) {
            true => format!("{room}{painted}"),
            false if is_last(column) => painted.to_owned(),
            false => format!("{painted}{room}"),
        }
    };
    let names: Vec<String> =
        head.iter().enumerate().map(|(column, name)| padded(column, name, name)).collect();
    out.line(names.join(GAP).trim_end())?;
    for row in rows {
        let mut line = Vec::new();
        for (column, cell) in cells(row).iter().enumerate() {
            let painted = match column {
                0 => out.paint(Paint::Name, cell),
                _ if is_last(column) => out.paint(last(cell), cell),
                _ => cell.clone(),
            };
            line.push(padded(column, cell, &painted));
        }
        out.line(line.join(GAP).trim_end())?;
    }
    Ok(())
}
