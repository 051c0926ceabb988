//! What of a report is told to programs.

use std::collections::BTreeMap;

use jsonl_core::{Damage, DamageKind, Report};
use serde::Serialize;

/// The counts of a report.
#[derive(Serialize)]
pub(super) struct Summary {
    bytes: u64,
    lines: u64,
    records: u64,
    sealed: u64,
    blank: u64,
    damaged: u64,
    /// The last line has no newline and is the beginning of a record, `torn`, or a whole one, `record`.
    tail: Option<&'static str>,
    missing_bytes: u64,
    damage_kinds: BTreeMap<&'static str, u64>,
}

impl Summary {
    pub(super) fn of(report: &Report) -> Self {
        let kinds = DamageKind::ALL.into_iter().filter(|&kind| report.count(kind) > 0);
        Self {
            bytes: report.bytes.sum(),
            lines: report.lines,
            records: report.records,
            sealed: report.sealed,
            blank: report.blank,
            damaged: report.damaged(),
            tail: match () {
                () if report.unterminated => Some("record"),
                () if report.is_in_flight() => Some("torn"),
                () => None,
            },
            missing_bytes: report.bytes.missing,
            damage_kinds: kinds.map(|kind| (kind.name(), report.count(kind))).collect(),
        }
    }
}

/// One damage.
#[derive(Serialize)]
pub(super) struct DamageObject<'a> {
    kind: &'static str,
    line: Option<u64>,
    offset: u64,
    len: u64,
    terminated: bool,
    excerpt: &'a str,
    /// Ranges of complete records inside: offset and length.
    salvageable: Vec<(u64, u64)>,
}

impl<'a> DamageObject<'a> {
    pub(super) fn of(damage: &'a Damage) -> Self {
        Self {
            kind: damage.kind.name(),
            line: damage.line,
            offset: damage.offset,
            len: damage.len,
            terminated: damage.terminated,
            excerpt: &damage.excerpt,
            salvageable: damage.salvage.iter().map(|span| (span.offset, span.len)).collect(),
        }
    }
}

/// One damage for people: `line 5: torn record, 38 bytes: {"role":…`.
pub(super) fn damage_text(damage: &Damage) -> String {
    let place = match damage.line {
        Some(line) => format!("line {line}"),
        None => format!("offset {}", damage.offset),
    };
    let what = match (damage.kind, damage.terminated) {
        (DamageKind::Torn, false) => String::from("torn record at the end, perhaps still being written"),
        (kind, _) => kind.to_string(),
    };
    let salvage = match damage.salvage.len() {
        0 => String::new(),
        count => format!(" ({} inside)", crate::human::plural(count as u64, "complete record")),
    };
    format!("{place}: {what}{salvage}, {}: {}", crate::human::plural(damage.len, "byte"), damage.excerpt)
}
