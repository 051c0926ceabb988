//! `annals search`: what was said, in transcripts; and in other logs, records by what their strings say.

mod needle;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use annals_formats::open_log;
use annals_session::ListOptions;
use jsonl_core::{DamageKind, Log, ReadOptions};
use serde::Serialize;

use self::needle::{Hit, Needle, Scope, Snippet};
use super::is_by;
use super::rows::Ids;
use super::show::is_told_apart;
use crate::agents::{Agents, Found, OWN, Wanted, spool};
use crate::args::Search;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::human::{count, name, plural, size};
use crate::out::{Out, Paint};
use crate::parallel::{LARGE, batches, in_order, processors};
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

/// What came out of one that was searched beside others.
struct Searched {
    /// With the numbers of their lines. `None` where there are more than are kept.
    hits: Option<Vec<(u64, Hit)>>,
    ended: Result<Read, Failure>,
}

/// One that was read to where nobody wanted more.
struct Read {
    /// Lines that are too long to be searched.
    long: u64,
    /// Where somebody shortened it meanwhile.
    shrunk: Option<Failure>,
}

/// Hits of a file that waits for its turn may take up so many bytes.
const KEPT_MAX: usize = 256 << 10;

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

    /// Several files at once, each on one processor if there are enough of them.
    fn several(&mut self, targets: &[Target], out: &mut Out) -> Result<(), Failure> {
        let (args, needle, limit, interrupted) = (self.args, self.needle, self.limit, self.interrupted);
        let is_over = AtomicBool::new(false);
        let options = ReadOptions::new().damages_kept(0);
        let options = if targets.len() < processors() { options } else { options.threads(1) };
        let search = |target: &Target| {
            let (mut hits, mut kept) = (Vec::new(), 0);
            let ended = read(target, &options, needle, args, |found, first_line| {
                kept += found.iter().map(Hit::size).sum::<usize>();
                hits.extend(found.into_iter().map(|hit| (first_line + hit.line, hit)));
                let is_enough = hits.len() as u64 >= limit || kept > KEPT_MAX;
                if is_enough || is_over.load(Ordering::Relaxed) || interrupted.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            Searched { hits: (kept <= KEPT_MAX).then_some(hits), ended }
        };
        let mut printed = Ok(());
        in_order(targets, search, |target, searched| {
            if interrupted.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            printed = match searched.hits {
                // From its beginning, and printed as it goes.
                None => self.one(target, out),
                Some(hits) => {
                    self.progress.bytes_done.fetch_add(target.len, Ordering::Relaxed);
                    self.print_all(target, hits, out).map(|()| self.end(target, searched.ended, out))
                }
            };
            if printed.is_err() || self.is_over() {
                is_over.store(true, Ordering::Relaxed);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        printed
    }

    /// A file that is large, or in which much is found, on all processors.
    fn one(&mut self, target: &Target, out: &mut Out) -> Result<(), Failure> {
        let (args, needle) = (self.args, self.needle);
        let options = ReadOptions::new().damages_kept(0).progress(self.progress.bytes_done.clone());
        let looked = || self.progress.bytes_done.load(Ordering::Relaxed);
        let before = looked();
        let mut printed = Ok(());
        let ended = read(target, &options, needle, args, |hits, first_line| {
            let hits = hits.into_iter().map(|hit| (first_line + hit.line, hit));
            printed = self.print_all(target, hits, out);
            if printed.is_err() || self.is_over() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        printed?;
        if self.interrupted.load(Ordering::Relaxed) {
            self.done.1 += looked() - before;
            return Ok(());
        }
        self.end(target, ended, out);
        Ok(())
    }

    /// Prints hits up to the limit; at once, also of a search that takes long.
    fn print_all(
        &mut self,
        target: &Target,
        hits: impl IntoIterator<Item = (u64, Hit)>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let before = self.found;
        let place = out.paint(Paint::Name, name(&target.label));
        for (line, hit) in hits {
            if self.found == self.limit {
                break;
            }
            self.found += 1;
            print(target, &place, line, &hit, out)?;
        }
        if self.found > before { out.flush() } else { Ok(()) }
    }

    fn end(&mut self, target: &Target, ended: Result<Read, Failure>, out: &mut Out) {
        let read = match ended {
            Ok(read) => read,
            Err(failure) => return out.complain(&failure),
        };
        self.done.0 += 1;
        self.done.1 += target.len;
        if let Some(shrunk) = &read.shrunk {
            out.complain(shrunk);
        }
        if read.long > 0 {
            let file = name(&target.label);
            out.note(format_args!("{file}: {} above 16 MiB not searched", plural(read.long, "line")));
        }
    }
}

/// Hands over what is found in one, chunk by chunk, each with the number of its first line.
fn read(
    target: &Target,
    options: &ReadOptions,
    needle: &Needle,
    args: &Search,
    consume: impl FnMut(Vec<Hit>, u64) -> ControlFlow<()>,
) -> Result<Read, Failure> {
    let scope = scope_of(args, target);
    let log = open(target, options)?;
    let report =
        log.candidates(&needle.prefilter, |candidates| needle.find_in(candidates, scope), consume)?;
    let shrunk = log.require_whole(&report).err().map(Failure::from);
    Ok(Read { long: report.count(DamageKind::TooLong), shrunk })
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

/// `place` is the target's label as it is shown.
fn print(target: &Target, place: &str, line: u64, hit: &Hit, out: &mut Out) -> Result<(), Failure> {
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
    let flat = |text: &str| match text.contains(['\n', '\t']) {
        true => name(&text.replace(['\n', '\t'], " ")),
        false => name(text),
    };
    let number = out.paint(Paint::Dim, line);
    let who = hit.speaker.map(|who| out.paint(Paint::Dim, format_args!(" {who}:"))).unwrap_or_default();
    let damaged = if hit.is_damaged { out.paint(Paint::Bad, " (damaged line)") } else { String::new() };
    let marked = out.paint(Paint::Match, flat(found));
    out.line(format_args!("{place}:{number}:{who}{damaged} {}{marked}{}", flat(before), flat(behind)))
}
