//! `annals verify`: is every byte what it should be, and is every transcript what its agent can go on with?

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use annals_formats::transcript::{Effect, Problem};
use annals_session::{ListOptions, Session};
use jsonl_core::{DamageKind, ReadOptions, Seals};
use serde::Serialize;

use super::examine::{Examined, Of, Target, examine_all};
use super::show::is_told_apart;
use crate::agents::{Agents, Found, Wanted};
use crate::args::Verify;
use crate::commands::summary::{DamageObject, Summary, damage_text};
use crate::exit::{Exit, Failure};
use crate::files;
use crate::human::{count, name, plural, size};
use crate::out::{Out, Paint};
use crate::progress::Progress;
use crate::store::Home;

#[derive(Serialize)]
struct FileObject<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'static str>,
    /// `ok`, `unfinished`, `problems` or `damaged`.
    verdict: &'static str,
    #[serde(flatten)]
    summary: Summary,
    damages: Vec<DamageObject<'a>>,
    damages_omitted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<ProblemObject>>,
    /// What the problems do to the agent that goes on: `nothing`, `shortens` what it sees, or `prevents` it.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<&'static str>,
    /// What is missing or out of order among the records of a session of the store.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    oddities: Vec<String>,
}

#[derive(Serialize)]
struct ProblemObject {
    kind: &'static str,
    line: u64,
    id: Option<String>,
    effect: &'static str,
}

pub(crate) fn run(args: &Verify, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let seals = match (args.require_checksums, args.ignore_checksums) {
        (true, _) => Seals::Require,
        (_, true) => Seals::Ignore,
        _ => Seals::Check,
    };
    let options = ReadOptions::new().damages_kept(args.limit).seals(seals);
    let targets = targets(args, home, out)?;
    let progress = Progress::of(targets.iter().map(|target| target.len).sum());
    let options = options.progress(progress.bytes_done.clone());
    let mut worst = Exit::Done;
    let mut counts = Counts::default();
    for (target, examined) in examine_all(&targets, &options) {
        match examined {
            Ok(examined) => worst = worst.max(tell(target, examined, args.limit, &mut counts, out)?),
            Err(failure) => out.complain(&failure),
        }
    }
    drop(progress);
    let Counts { files, bytes, damaged, stuck } = counts;
    if !out.json && damaged > 0 {
        out.note("annals log repair --dry-run FILE says what could be taken out of a damaged file");
    }
    if !out.json && files > 1 {
        let stuck = match stuck {
            0 => String::new(),
            count => format!(
                ", {} that {} agent can't go on with",
                count,
                if count == 1 { "its" } else { "their" }
            ),
        };
        let (damaged, files) = (count(damaged), plural(files, "file"));
        out.line(format_args!("{damaged} of {files} damaged{stuck}, {} checked", size(bytes)))?;
    }
    Ok(worst)
}

#[derive(Default)]
struct Counts {
    files: u64,
    bytes: u64,
    damaged: u64,
    stuck: u64,
}

/// The files that are meant; all sessions where none are named.
fn targets(args: &Verify, home: &Home, out: &mut Out) -> Result<Vec<Target>, Failure> {
    let wanted = Wanted::of(&args.filter)?;
    let agents = Agents::of_environment();
    let mut targets = Vec::new();
    if args.names.is_empty() {
        let all = agents.all(out).into_iter().filter(|found| wanted.takes(found)).collect();
        for found in wanted.in_project(all, out) {
            targets.push(Target::of_agent(found));
        }
        if wanted.own() {
            let list = wanted.list_own(ListOptions::new().titles(false).archived(true), home, out)?;
            let store = home.store()?;
            targets.extend(list.sessions.iter().map(|listed| Target::of_store(&store, listed)));
        }
        return Ok(targets);
    }
    let found = files::find(&args.names, home, &agents, out);
    let own = own_among(&found, home);
    for found in found {
        let of = match (found.session, found.transcript) {
            (Some(key), _) => Of::Store(home.store()?.session(&key)?),
            (None, Some(transcript)) => Of::Agent(transcript),
            (None, None) => match own.get(&found.path) {
                Some(session) => Of::Store(session.clone()),
                None => match Found::of_file(&found.path) {
                    Ok(found) => {
                        found.filter(|found| is_told_apart(found.agent)).map_or(Of::Nobody, Of::Agent)
                    }
                    Err(failure) => {
                        out.complain(&failure);
                        continue;
                    }
                },
            },
        };
        let is_wanted = match &of {
            Of::Agent(transcript) => wanted.takes(transcript),
            _ => true,
        };
        if is_wanted {
            targets.push(Target { path: found.path, len: found.len, of });
        }
    }
    Ok(targets)
}

/// The store's sessions among files that were named by their paths.
fn own_among(found: &[files::Found], home: &Home) -> HashMap<PathBuf, Session> {
    let mut own = HashMap::new();
    let Ok(store) = home.store() else { return own };
    let real = |path: &Path| path.canonicalize().ok();
    let Some(dir) = real(store.dir()) else { return own };
    let below: HashMap<PathBuf, &PathBuf> = found
        .iter()
        .filter_map(|found| Some((real(&found.path)?, &found.path)))
        .filter(|(real, _)| real.starts_with(&dir))
        .collect();
    if below.is_empty() {
        return own;
    }
    let list = store.list(&ListOptions::new().titles(false).archived(true));
    for listed in list.map(|list| list.sessions).unwrap_or_default() {
        let path = real(&listed.path).and_then(|real| below.get(&real));
        if let (Some(path), Of::Store(session)) = (path, Target::of_store(&store, &listed).of) {
            own.insert((*path).clone(), session);
        }
    }
    own
}

fn tell(
    target: &Target,
    examined: Examined,
    limit: usize,
    counts: &mut Counts,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let ((verdict, exit), effect) = (examined.verdict(), examined.effect());
    let Examined { report, packed, problems, oddities, .. } = examined;
    let path = target.path.display().to_string();
    counts.files += 1;
    counts.bytes += report.bytes.sum();
    counts.damaged += u64::from(exit == Exit::Damaged);
    counts.stuck += u64::from(effect == Effect::Prevents);
    if out.json {
        let told = |problem: &Problem| ProblemObject {
            kind: problem.kind.name(),
            line: problem.line,
            id: problem.id.clone(),
            effect: problem.effect.name(),
        };
        out.object(&FileObject {
            path: &path,
            agent: target.agent(),
            verdict,
            summary: Summary::of(&report),
            damages: report.damages.iter().map(DamageObject::of).collect(),
            damages_omitted: report.omitted(),
            resume: problems.as_ref().map(|_| effect.name()),
            problems: problems.map(|problems| problems.iter().map(told).collect()),
            oddities,
        })?;
        return Ok(exit);
    }
    let paint = if exit == Exit::Damaged { Paint::Bad } else { Paint::Plain };
    let mut line = format!(
        "{} {}: {}",
        out.paint(paint, format_args!("{verdict:<10}")),
        name(&path),
        plural(report.records, "record")
    );
    if report.sealed > 0 {
        line += &format!(", {} with checksum", count(report.sealed));
    }
    if report.blank > 0 {
        line += &format!(", {}", plural(report.blank, "blank line"));
    }
    if report.unterminated {
        line += ", the last without its newline";
    }
    if report.is_in_flight() {
        line += ", and an unfinished line at the end";
    } else if report.damaged() > 0 {
        line += &format!(", {}", plural(report.damaged(), "damaged line"));
    }
    if report.bytes.missing > 0 {
        line += &format!(", {} bytes went missing while reading", count(report.bytes.missing));
    }
    out.line(line)?;
    for damage in report.damages.iter().filter(|damage| damage.kind != DamageKind::Mismatch) {
        out.line(format_args!("             {}", damage_text(damage)))?;
    }
    if report.omitted() > 0 {
        out.line(format_args!("             … and {} more; --limit shows them", count(report.omitted())))?;
    }
    for line in packed.iter().map(ToString::to_string).chain(oddities) {
        out.line(format_args!("             {}", name(&line)))?;
    }
    print_problems(&problems.unwrap_or_default(), limit, out)?;
    match effect {
        Effect::Nothing => {}
        Effect::Prevents => {
            out.line(out.paint(Paint::Bad, "             its agent can't go on with this session"))?;
        }
        _ => out.line("             its agent goes on without what was said before")?,
    }
    Ok(exit)
}

/// What is wrong with a transcript, the worst first.
fn print_problems(problems: &[Problem], limit: usize, out: &mut Out) -> Result<(), Failure> {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| std::cmp::Reverse(problem.effect));
    for problem in sorted.iter().take(limit) {
        let id = problem.id.as_deref().map(|id| format!(" ({})", name(id))).unwrap_or_default();
        let place = if problem.line > 0 { format!("line {}: ", problem.line) } else { String::new() };
        let effect = match problem.effect {
            Effect::Nothing => "",
            Effect::Prevents => "; keeps its agent from going on",
            _ => "; cuts off what came before",
        };
        out.line(format_args!("             {place}{}{id}{effect}", problem.kind))?;
    }
    let rest = sorted.len().saturating_sub(limit);
    if rest > 0 {
        out.line(format_args!("             … and {} more; --limit shows them", count(rest as u64)))?;
    }
    Ok(())
}
