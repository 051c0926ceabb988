//! `annals catalog find` and `show`.

use annals_catalog::{Catalog, Find, Session};
use clap::ValueEnum;
use jiff::Timestamp;

use super::relative;
use crate::args::catalog::{Find as Args, Show};
use crate::exit::{Exit, Failure};
use crate::human::name;
use crate::out::{Out, Paint};

/// So much of an id is shown, and more only where two would look the same.
pub(super) const ID_WIDTH: usize = 22;
const BRANCH_WIDTH: usize = 32;
const CWD_WIDTH: usize = 40;
const CUT: &str = "...";

pub(super) fn run(args: &Args, catalog: &Catalog, out: &mut Out) -> Result<Exit, Failure> {
    let mut wanted = Find::new();
    if let Some(task) = &args.task {
        wanted = wanted.task(task);
    }
    if let Some(project) = &args.project {
        wanted = wanted.project(project);
    }
    if let Some(alias) = &args.alias {
        wanted = wanted.alias(alias);
    }
    if let Some(branch) = &args.branch {
        wanted = wanted.branch(branch);
    }
    if let Some(cwd) = &args.cwd {
        wanted = wanted.cwd(cwd);
    }
    if let Some(state) = args.state.and_then(|state| state.to_possible_value()) {
        wanted = wanted.state(state.get_name());
    }
    if let Some(outcome) = args.outcome.and_then(|outcome| outcome.to_possible_value()) {
        wanted = wanted.outcome(outcome.get_name());
    }
    if args.limit > 0 {
        wanted = wanted.limit(args.limit);
    }
    let sessions = catalog.find(&wanted)?;
    if out.json {
        out.pretty(&sessions)?;
    } else if sessions.is_empty() {
        out.line("(no sessions matched)")?;
    } else {
        table(&sessions, out)?;
    }
    Ok(Exit::Done)
}

fn table(sessions: &[Session], out: &mut Out) -> Result<(), Failure> {
    let now = Timestamp::now();
    let id_width = id_width(sessions);
    let head =
        ["stable_id", "alias", "state", "outcome", "last_progress", "branch", "cwd"].map(str::to_owned);
    let mut rows = vec![head];
    for session in sessions {
        let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), name);
        let branch = session.branch_current.as_ref().or(session.branch_at_start.as_ref()).cloned();
        let cwd = session.cwd.as_ref().or(session.worktree_path_observed.as_ref()).cloned();
        rows.push([
            name(&session.stable_id).chars().take(id_width).collect(),
            text(&session.alias),
            name(&session.activity_state),
            name(&session.outcome),
            relative::since(&session.last_progress_at, now),
            head_of(text(&branch), BRANCH_WIDTH),
            tail_of(text(&cwd), CWD_WIDTH),
        ]);
    }
    let widths: Vec<usize> =
        (0..7).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let line = cells.join("  ");
        let paint = if number == 0 { Paint::Dim } else { Paint::Plain };
        out.line(out.paint(paint, line.trim_end()))?;
    }
    Ok(())
}

/// So many characters tell the ids apart.
fn id_width(sessions: &[Session]) -> usize {
    let mut ids: Vec<&str> = sessions.iter().map(|session| &*session.stable_id).collect();
    ids.sort_unstable();
    let same =
        ids.windows(2).map(|pair| pair[0].chars().zip(pair[1].chars()).take_while(|(a, b)| a == b).count());
    same.max().map_or(ID_WIDTH, |same| ID_WIDTH.max(same + 1))
}

/// The beginning of a text that is too long.
fn head_of(text: String, width: usize) -> String {
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width - CUT.len()).chain(CUT.chars()).collect()
}

/// The end of a text that is too long.
fn tail_of(text: String, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text;
    }
    CUT.chars().chain(text.chars().skip(count - (width - CUT.len()))).collect()
}

pub(super) fn show(args: &Show, catalog: &Catalog, out: &mut Out) -> Result<Exit, Failure> {
    let session = catalog.session(&args.id)?;
    if out.json {
        out.object(&session)?;
        return Ok(Exit::Done);
    }
    let now = Timestamp::now();
    let alias = session.alias.as_ref().map(|alias| format!(" ({})", name(alias))).unwrap_or_default();
    let title = out.paint(Paint::Name, format_args!("{}{alias}", name(&session.stable_id)));
    out.line(format_args!("{title} [{}/{}]", name(&session.activity_state), name(&session.outcome)))?;
    let time = |text: &str| format!("{} ({})", name(text), relative::since(text, now));
    let all: [(&str, Option<String>); 16] = [
        ("prompt", session.first_prompt_preview.clone()),
        ("created", Some(time(&session.created_at))),
        ("last progress", Some(time(&session.last_progress_at))),
        ("closed", session.closed_at.as_deref().map(time)),
        ("reason", session.closed_reason.clone()),
        ("folder", session.cwd.clone()),
        ("worktree", session.worktree_realpath.clone()),
        ("worktree name", session.worktree_registry_name.clone()),
        ("repository", session.git_common_dir.clone()),
        ("branch", session.branch_current.clone().or_else(|| session.branch_at_start.clone())),
        ("commit", session.head_last_seen.clone()),
        ("tasks", joined(&session.tasks)),
        ("projects", joined(&session.projects)),
        ("parent", session.parent_session_id.clone()),
        ("agent's ids", joined(&session.claude_session_ids)),
        ("known by", session.identity_resolution.as_ref().map(|known| known.text().to_owned())),
    ];
    for (what, value) in all {
        if let Some(value) = value {
            out.line(format_args!(
                "  {} {}",
                out.paint(Paint::Dim, format_args!("{what:<14}")),
                name(&value)
            ))?;
        }
    }
    for file in &session.transcript_files {
        let path = file.path().map(name).unwrap_or_default();
        out.line(format_args!("  {} {path}", out.paint(Paint::Dim, format_args!("{:<14}", "transcript"))))?;
    }
    let count = session.parent_candidate_ids.len() as u64 + session.parent_candidates_omitted_count;
    if count > 0 {
        let text = format!("{count} sessions that it may go on from: --json has them");
        out.line(format_args!("  {} {text}", out.paint(Paint::Dim, format_args!("{:<14}", "candidates"))))?;
    }
    Ok(Exit::Done)
}

fn joined(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join(", "))
}
