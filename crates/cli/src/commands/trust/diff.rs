//! `annals trust diff`: what has changed since a file was approved.

use annals_trust::{Trust, Verdict};
use similar::{ChangeTag, TextDiff};

use crate::args::trust::Diff;
use crate::exit::{Exit, Failure};
use crate::human::{path as show, printable};
use crate::out::{Out, Paint};

/// Lines around a change.
const CONTEXT: usize = 3;

pub(super) fn run(args: &Diff, trust: &Trust, out: &mut Out) -> Result<Exit, Failure> {
    let approved = match trust.check(&args.file)? {
        Verdict::Allowed(_) => return Ok(Exit::Done),
        Verdict::Changed { approved, .. } => approved,
        Verdict::Denied { .. } => {
            let text = format!("{}: was denied, so there is nothing to compare it with", show(&args.file));
            return Err(Failure::Told(Exit::Denied, text));
        }
        _ => {
            let text =
                format!("{}: was never approved, so there is nothing to compare it with", show(&args.file));
            return Err(Failure::Told(Exit::Denied, text));
        }
    };
    let Some(old) = trust.copy_of(approved)? else {
        let text = format!(
            "{}: has changed, but there is no copy of what was approved ({approved}); somebody else approved it, or it was pruned",
            show(&args.file)
        );
        return Err(Failure::Told(Exit::NotFound, text));
    };
    let new = trust.look(&args.file)?;
    let (old, new) = (String::from_utf8_lossy(&old), String::from_utf8_lossy(&new.bytes));
    let diff = TextDiff::from_lines(&*old, &*new);
    out.line(format_args!("--- approved {}", show(&args.file)))?;
    out.line(format_args!("+++ now {}", show(&args.file)))?;
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        out.line(out.paint(Paint::Dim, hunk.header()))?;
        for change in hunk.iter_changes() {
            let (sign, paint) = match change.tag() {
                ChangeTag::Equal => (' ', Paint::Plain),
                ChangeTag::Delete => ('-', Paint::Bad),
                ChangeTag::Insert => ('+', Paint::Name),
            };
            let line = change.value().strip_suffix('\n').unwrap_or(change.value());
            out.line(out.paint(paint, format_args!("{sign}{}", printable(line))))?;
            if change.missing_newline() {
                out.line("\\ no newline at the end")?;
            }
        }
    }
    Ok(Exit::Findings)
}
