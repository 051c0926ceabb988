//! Tables for people: columns that line up, the first one in colour.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::exit::Failure;
use crate::out::{Out, Paint};

/// Prints rows under a head; the columns of `right` are aligned there, and `last` says in which colour the last one is.
pub(super) fn print(
    head: &[&str],
    rows: &[Vec<String>],
    right: &[usize],
    last: impl Fn(&str) -> Paint,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 1));
    }
    let text = table.to_string();
    let mut lines = text.lines().map(str::trim_end);
    out.line(lines.next().unwrap_or_default())?;
    for (line, row) in lines.zip(rows) {
        let (first, end) = (row.first().map_or("", String::as_str), row.last().map_or("", String::as_str));
        // Colours come last: they take no room, but a table would count them.
        match line.strip_prefix(first).and_then(|rest| rest.strip_suffix(end.trim_end())) {
            Some(between) => {
                let (first, end) = (out.paint(Paint::Name, first), out.paint(last(end), end.trim_end()));
                out.line(format_args!("{first}{between}{end}"))?;
            }
            None => out.line(line)?,
        }
    }
    Ok(())
}
