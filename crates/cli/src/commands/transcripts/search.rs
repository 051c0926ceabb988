//! `annals search`: what was said, in transcripts; and in other logs, records by what their strings say.

mod needle;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use annals_formats::open_log;
use annals_session::ListOptions;
use jsonl_core::{DamageKind, Log, ReadOptions, Report};
use serde::Serialize;

use self::needle::{Hit, Needle, Scope, Snippet};
use super::is_by;
use super::rows::Ids;
use super::show::is_told_apart;
use crate::agents::{Agents, Found, OWN, Wanted, spool};
use crate::args::Search;
use crate::commands::shrunk;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::human::{count, name, plural, size};
use crate::out::{Out, Paint};
use crate::parallel::{LARGE, batches, in_order};
use crate::progress::Progress;
use crate::store::Home;

/// Something that is searched.
struct Target {
    /// What hits in it are called by.
    label: String,
    agent: &'static str,
    /// The id of its session, in a transcript or the store.
    session: Option<String>,
    path: PathBuf,
    len: u64,
    what: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Log,
    Transcript(annals_formats::transcript::Agent),
    Own,
}

/// What came out of one.
struct Searched {
    log: Log,
    report: Report,
    /// With the numbers of their lines.
    hits: Vec<(u64, Hit)>,
}

pub(crate) fn run(args: &Search, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    if args.text.is_empty() {
        return Err(Failure::Told(Exit::Usage, String::from("nothing to look for; give a TEXT")));
    }
    let needle = Needle::new(args)?;
    let targets = targets(args, home, out)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    // The second time, the program ends as it would without this.
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted));
        let _ = signal_hook::flag::register(signal, Arc::clone(&interrupted));
    }
    let total: u64 = targets.iter().map(|target| target.len).sum();
    let progress = Progress::of(total);
    let mut search = Going {
        args,
        needle: &needle,
        limit: args.limit.unwrap_or(u64::MAX),
        found: 0,
        done: (0, 0),
        interrupted: &interrupted,
        progress: &progress,
    };
    for batch in batches(&targets, usize::MAX, LARGE, |target| target.len) {
        if search.is_over() {
            break;
        }
        match batch {
            [target] => search.one(target, out)?,
            several => search.several(several, out)?,
        }
    }
    let found = search.found;
    let (files, bytes) = search.done;
    let is_interrupted = interrupted.load(Ordering::Relaxed);
    drop(progress);
    let what = if args.names.is_empty() { "session" } else { "file" };
    let (searched, all) = (plural(files, what), plural(targets.len() as u64, what));
    let part = format!("{} of {all} searched", count(files));
    if is_interrupted {
        let (bytes, total) = (size(bytes), size(total));
        out.note(format_args!("interrupted: {part}, {bytes} of {total}"));
        return Ok(Exit::Interrupted);
    }
    if found >= args.limit.unwrap_or(u64::MAX) {
        out.note(format_args!("{part}, {}; --limit ended it", size(bytes)));
    } else {
        out.note(format_args!("{searched} searched, {}", size(bytes)));
    }
    Ok(if found > 0 { Exit::Done } else { Exit::Findings })
}

/// A search while it goes on.
struct Going<'a> {
    args: &'a Search,
    needle: &'a Needle,
    limit: u64,
    found: u64,
    /// Files and bytes.
    done: (u64, u64),
    interrupted: &'a AtomicBool,
    progress: &'a Progress,
}

impl Going<'_> {
    fn is_over(&self) -> bool {
        self.found >= self.limit || self.interrupted.load(Ordering::Relaxed)
    }

    /// Several files at once, each on one processor.
    fn several(&mut self, targets: &[Target], out: &mut Out) -> Result<(), Failure> {
        let (args, needle, limit, interrupted) = (self.args, self.needle, self.limit, self.interrupted);
        let options =
            ReadOptions::new().damages_kept(0).threads(1).progress(self.progress.bytes_done.clone());
        let search = |target: &Target| -> Option<Result<Searched, Failure>> {
            let log = match open(target, &options) {
                Ok(log) => log,
                Err(failure) => return Some(Err(failure)),
            };
            let mut hits = Vec::new();
            let report = log.candidates(
                &needle.prefilter,
                |candidates| needle.find_in(candidates, scope_of(args, target)),
                |found, first_line| {
                    hits.extend(found.into_iter().map(|hit| (first_line + hit.line, hit)));
                    if hits.len() as u64 >= limit || interrupted.load(Ordering::Relaxed) {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                },
            );
            if interrupted.load(Ordering::Relaxed) {
                return None;
            }
            Some(report.map(|report| Searched { log, report, hits }).map_err(Failure::from))
        };
        let mut printed = Ok(());
        in_order(targets, search, |target, searched| {
            let Searched { log, report, mut hits } = match searched {
                None => return ControlFlow::Break(()),
                Some(Ok(searched)) => searched,
                Some(Err(failure)) => {
                    out.complain(&failure);
                    return ControlFlow::Continue(());
                }
            };
            hits.truncate(usize::try_from(limit - self.found).unwrap_or(usize::MAX));
            self.found += hits.len() as u64;
            printed = hits.iter().try_for_each(|(line, hit)| print(target, *line, hit, out));
            self.end(target, &log, &report, out);
            if printed.is_ok() && !hits.is_empty() {
                printed = out.flush();
            }
            if printed.is_err() || self.is_over() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        printed
    }

    /// A large file, on all processors.
    fn one(&mut self, target: &Target, out: &mut Out) -> Result<(), Failure> {
        let options = ReadOptions::new().damages_kept(0).progress(self.progress.bytes_done.clone());
        let log = match open(target, &options) {
            Ok(log) => log,
            Err(failure) => {
                out.complain(&failure);
                return Ok(());
            }
        };
        let mut printed = Ok(());
        let (needle, scope) = (self.needle, scope_of(self.args, target));
        let (limit, interrupted) = (self.limit, self.interrupted);
        let found = &mut self.found;
        let looked = AtomicU64::new(0);
        let report = log.candidates(
            &needle.prefilter,
            |candidates| {
                looked.fetch_add(candidates.bytes().len() as u64, Ordering::Relaxed);
                needle.find_in(candidates, scope)
            },
            |hits, first_line| {
                printed = hits.into_iter().try_for_each(|hit| {
                    if *found == limit {
                        return Ok(());
                    }
                    *found += 1;
                    print(target, first_line + hit.line, &hit, out)
                });
                // First results at once, also of a search that takes long.
                if printed.is_ok() {
                    printed = out.flush();
                }
                if printed.is_err() || *found == limit || interrupted.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        )?;
        printed?;
        if interrupted.load(Ordering::Relaxed) {
            self.done.1 += looked.into_inner();
            return Ok(());
        }
        self.end(target, &log, &report, out);
        Ok(())
    }

    fn end(&mut self, target: &Target, log: &Log, report: &Report, out: &mut Out) {
        self.done.0 += 1;
        self.done.1 += target.len;
        if report.bytes.missing > 0 {
            out.complain(&shrunk(log, report.bytes.missing));
        }
        let long = report.count(DamageKind::TooLong);
        if long > 0 {
            let file = name(&target.label);
            out.note(format_args!("{file}: {} above 16 MiB not searched", plural(long, "line")));
        }
    }
}

fn scope_of<'a>(args: &'a Search, target: &Target) -> Scope<'a> {
    match target.what {
        _ if args.records => Scope::Strings,
        Kind::Log => Scope::Strings,
        Kind::Transcript(agent) => Scope::Said(agent, &args.role),
        Kind::Own => Scope::Own(&args.role),
    }
}

fn open(target: &Target, options: &ReadOptions) -> Result<Log, Failure> {
    match target.what {
        Kind::Transcript(_) => Ok(open_log(&target.path, options, &spool())?.0),
        Kind::Log | Kind::Own => Ok(options.open(&target.path)?),
    }
}

/// What is to be searched, in that order.
fn targets(args: &Search, home: &Home, out: &mut Out) -> Result<Vec<Target>, Failure> {
    let wanted = Wanted::of(&args.filter)?;
    let agents = Agents::of_environment();
    if args.names.is_empty() {
        return everything(&wanted, &agents, home, out);
    }
    let mut targets = Vec::new();
    for found in files::find(&args.names, home, &agents, out) {
        let label = found.path.display().to_string();
        let (path, len) = (found.path, found.len);
        if let Some(key) = found.session {
            targets.push(Target { label, agent: OWN, session: Some(key), path, len, what: Kind::Own });
            continue;
        }
        // Where every line is a message anyway, all of it is searched, unless somebody asks for one who speaks.
        let is_transcript = |found: &Found| is_told_apart(found.agent) || !args.role.is_empty();
        let transcript = found.transcript.or_else(|| Found::at(&path).filter(is_transcript));
        match transcript {
            Some(transcript) if wanted.takes(&transcript) => {
                targets.push(Target::of(label, &transcript));
            }
            Some(_) => {}
            None if !args.role.is_empty() => {
                let file = name(&label);
                out.note(format_args!("{file}: is no transcript that is known, so --role leaves it out"));
            }
            None => targets.push(Target { label, agent: "", session: None, path, len, what: Kind::Log }),
        }
    }
    Ok(targets)
}

/// All sessions, newest first.
fn everything(wanted: &Wanted, agents: &Agents, home: &Home, out: &mut Out) -> Result<Vec<Target>, Failure> {
    let mut targets = Vec::new();
    let all = agents.all(out);
    let ids = Ids::of(&all);
    let chosen = wanted.in_project(all.into_iter().filter(|found| wanted.takes(found)).collect());
    for found in chosen {
        let id: String = found.id.chars().take(ids.len_of(&found.id)).collect();
        targets.push((found.entry.modified, Target::of(format!("{}:{id}", found.agent), &found)));
    }
    if wanted.own() {
        let list = wanted.list_own(ListOptions::new().titles(false), home, out)?;
        for listed in list.sessions {
            let (label, session) = (format!("{OWN}:{}", listed.key), Some(listed.key));
            let (path, len) = (listed.path, listed.len);
            targets.push((
                Some(listed.changed),
                Target { label, agent: OWN, session, path, len, what: Kind::Own },
            ));
        }
    }
    targets.sort_by_key(|(changed, _)| std::cmp::Reverse(*changed));
    Ok(targets.into_iter().map(|(_, target)| target).collect())
}

impl Target {
    fn of(label: String, found: &Found) -> Self {
        Self {
            label,
            agent: found.agent.name(),
            session: Some(found.id.clone()),
            path: found.path().to_owned(),
            len: found.entry.len,
            what: Kind::Transcript(found.agent),
        }
    }
}

#[derive(Serialize)]
struct HitObject<'a> {
    path: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    line: u64,
    offset: u64,
    damaged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    before: &'a str,
    found: &'a str,
    behind: &'a str,
}

fn print(target: &Target, line: u64, hit: &Hit, out: &mut Out) -> Result<(), Failure> {
    let Snippet { before, found, behind } = &hit.snippet;
    if out.json {
        return out.object(&HitObject {
            path: &target.path,
            agent: Some(target.agent).filter(|agent| !agent.is_empty()),
            session: target.session.as_deref(),
            line,
            offset: hit.offset,
            damaged: hit.is_damaged,
            role: hit.speaker,
            before,
            found,
            behind,
        });
    }
    let flat = |text: &str| name(&text.replace(['\n', '\t'], " "));
    let place = out.paint(Paint::Name, name(&target.label));
    let number = out.paint(Paint::Dim, line);
    let who = hit.speaker.map(|who| out.paint(Paint::Dim, format_args!(" {who}:"))).unwrap_or_default();
    let damaged = if hit.is_damaged { out.paint(Paint::Bad, " (damaged line)") } else { String::new() };
    let marked = out.paint(Paint::Match, flat(found));
    out.line(format_args!("{place}:{number}:{who}{damaged} {}{marked}{}", flat(before), flat(behind)))
}
