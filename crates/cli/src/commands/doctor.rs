//! `annals doctor`: a look at everything that is kept on this machine, and what to run next.

mod agents;
mod catalog;
mod files;
mod findings;
mod own;
mod permissions;
mod sessions;

use std::path::{Path, PathBuf};

use jsonl_core::ReadOptions;
use serde::Serialize;

use findings::{Findings, Group};

use super::ls::terminal_width;
use super::table;
use crate::agents::Agents;
use crate::args::doctor::Doctor;
use crate::exit::{Exit, Failure};
use crate::human::{self, count, name, one_line, plural, shell_word, size};
use crate::out::{Out, Paint};
use crate::progress::Progress;
use crate::store::Home;

/// So many findings of one kind about one thing are told one by one; the rest is counted.
const TOLD_MAX: usize = 5;

/// A shorter path says nothing.
const WHERE_MIN: usize = 12;

/// Something that keeps, and what is in it.
#[derive(Serialize)]
struct Kept {
    /// `sessions`, `memory`, `trust`, `catalog`, or an agent.
    who: &'static str,
    /// What is there, in words.
    holds: String,
    /// Bytes of what was said, learned or allowed.
    len: u64,
    /// Bytes beside that, of which most can be made anew: caches, checkpoints, names.
    beside: u64,
    paths: Vec<PathBuf>,
}

/// How to look.
struct Look {
    options: ReadOptions,
    /// What was said isn't read.
    is_quick: bool,
}

pub(crate) fn run(args: &Doctor, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let agents = Agents::of_environment();
    let mut findings = Findings::new(home.annals());
    let mut kept = Vec::new();
    let stores = own::Stores::find(home, &mut findings);
    let found = agents::find(&agents, &mut findings);
    let bytes = if args.quick { 0 } else { stores.len() + agents::len(&found) };
    let progress = Progress::of(bytes);
    // A handful of places is enough to see what is wrong; `verify` names them all.
    let options = ReadOptions::new().damages_kept(1).progress(progress.bytes_done.clone());
    let look = Look { options, is_quick: args.quick };
    stores.look(&look, &mut kept, &mut findings);
    agents::look(&found, &agents, &look, &mut kept, &mut findings);
    drop(progress);
    let groups = findings.sorted();
    if out.json {
        kept.iter().try_for_each(|kept| out.object(kept))?;
        groups.iter().flat_map(|group| &group.all).try_for_each(|finding| out.object(finding))?;
    } else {
        print_kept(&kept, out)?;
        print_findings(&groups, out)?;
        print_verdict(&kept, &groups, args.quick, home, out)?;
        print_next(&groups, out)?;
    }
    Ok(groups.iter().map(|group| group.kind.exit()).max().unwrap_or(Exit::Done))
}

fn print_kept(kept: &[Kept], out: &mut Out) -> Result<(), Failure> {
    if kept.is_empty() {
        return out.line("no sessions of any agent are here, and annals keeps nothing yet");
    }
    let longest = |text: &dyn Fn(&Kept) -> usize| kept.iter().map(text).max().unwrap_or(0);
    let taken = longest(&|kept| kept.who.len()) + longest(&|kept| kept.holds.chars().count()) + 8 + 6;
    let room = terminal_width().map_or(usize::MAX, |width| width.saturating_sub(taken));
    let mut head = vec!["WHO", "HOLDS", "SIZE"];
    if room >= WHERE_MIN {
        head.push("WHERE");
    }
    let cells = |kept: &Kept| {
        let mut cells = vec![kept.who.to_owned(), kept.holds.clone(), size(kept.len + kept.beside)];
        if room >= WHERE_MIN {
            let paths: Vec<String> = kept.paths.iter().map(|path| at_home(path)).collect();
            cells.push(one_line(&paths.join(", "), room));
        }
        cells
    };
    table::print(&head, kept, cells, &[2], |_| Paint::Dim, out)
}

/// What was found, the worst first.
fn print_findings(groups: &[Group], out: &mut Out) -> Result<(), Failure> {
    if !groups.is_empty() {
        out.line("")?;
    }
    for group in groups {
        let (kind, who) = (group.kind, group.who);
        let paint = if kind.exit() > Exit::Done { Paint::Bad } else { Paint::Dim };
        let word = out.paint(paint, format_args!("{:<10}", kind.name()));
        for finding in group.all.iter().take(TOLD_MAX) {
            out.line(format_args!("{word}  {who}: {}", name(&finding.text)))?;
        }
        let more = group.all.len().saturating_sub(TOLD_MAX);
        if more > 0 {
            out.line(format_args!("{word}  {who}: and {} more", count(more as u64)))?;
        }
    }
    Ok(())
}

/// The commands to run next, each once.
fn print_next(groups: &[Group], out: &mut Out) -> Result<(), Failure> {
    let mut next: Vec<&str> = Vec::new();
    for group in groups {
        let told = group.all.iter().take(TOLD_MAX).filter_map(|finding| finding.next.as_deref());
        match &group.rest {
            Some(rest) if group.all.len() > TOLD_MAX => next.push(rest),
            _ => next.extend(told),
        }
    }
    if !next.is_empty() {
        out.line("\nNext:")?;
    }
    for (number, command) in next.iter().enumerate() {
        if !next[..number].contains(command) {
            out.line(format_args!("  {}", out.paint(Paint::Name, command)))?;
        }
    }
    Ok(())
}

fn print_verdict(
    kept: &[Kept],
    groups: &[Group],
    is_quick: bool,
    home: &Home,
    out: &mut Out,
) -> Result<(), Failure> {
    let wrong = groups.iter().filter(|group| group.kind.exit() > Exit::Done);
    let verdict = match wrong.map(|group| group.all.len()).sum::<usize>() {
        0 => String::from("all is well"),
        1 => String::from("1 thing is wrong"),
        many => format!("{} things are wrong", count(many as u64)),
    };
    let read = match is_quick {
        true => String::from("sessions not read"),
        false => format!("{} read", size(kept.iter().map(|kept| kept.len).sum())),
    };
    out.line(format_args!("\n{verdict}, {read}"))?;
    match home.path() {
        Some(path) => out.line(format_args!("annals keeps its own in {}", at_home(path))),
        None => Ok(()),
    }
}

/// A path as people write it.
fn at_home(path: &Path) -> String {
    let user = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match user.as_ref().and_then(|user| path.strip_prefix(user).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => String::from("~"),
        Some(rest) => format!("~/{}", human::path(rest)),
        None => human::path(path),
    }
}

/// `annals compact` and such, of a name.
fn command(verb: &str, what: &str) -> String {
    format!("{verb} {}", shell_word(what))
}

/// The same of a path, which means the same file wherever it is typed.
fn command_on(verb: &str, path: &Path) -> String {
    // A shell takes `~` for the home folder only where nothing is quoted.
    let short = at_home(path);
    let rest = short.strip_prefix("~/").filter(|rest| shell_word(rest) == **rest);
    match rest {
        Some(_) => format!("{verb} {short}"),
        None => {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            command(verb, &absolute.to_string_lossy())
        }
    }
}

/// `2 sessions` and such, of what there is any of.
fn counted(parts: &[(u64, &str)]) -> Vec<String> {
    let some: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, noun)| plural(*count, noun)).collect();
    if some.is_empty() { vec![String::from("nothing yet")] } else { some }
}
