//! `annals search`: what was said, in transcripts; and in other logs, records by what their strings say.

mod finds;
mod needle;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use annals_formats::open_log;
use annals_session::ListOptions;
use jsonl_core::{DamageKind, Log, ReadOptions};

use self::finds::{Finds, print_count};
use self::needle::{Needle, Scope};
use super::is_by;
use super::rows::Ids;
use super::show::is_told_apart;
use crate::agents::{Agents, Found, OWN, Wanted, spool};
use crate::args::Search;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::human::{count, name, plural, size};
use crate::out::{Out, Palette};
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
    /// Chunk by chunk, each with the number of its first line. `None` where there are more than are kept.
    finds: Option<Vec<(Finds, u64)>>,
    ended: Result<Read, Failure>,
}

/// One that was read to where nobody wanted more.
struct Read {
    /// Lines that are too long to be searched.
    long: u64,
    /// Where somebody shortened it meanwhile.
    shrunk: Option<Failure>,
}

/// What is found in a file that waits for its turn may take up so many bytes.
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
    let palette = if out.json { None } else { Some(out.palette) };
    let mut search = Going {
        look: Look { args, needle: &needle, palette },
        limit: args.limit.unwrap_or(u64::MAX),
        found: 0,
        counted: 0,
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
    look: Look<'a>,
    limit: u64,
    found: u64,
    /// How many of them are in this file, where that is all that is asked.
    counted: u64,
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
        let (limit, interrupted) = (self.limit, self.interrupted);
        let look = self.look;
        let is_over = AtomicBool::new(false);
        let options = ReadOptions::new().damages_kept(0);
        let options = if targets.len() < processors() { options } else { options.threads(1) };
        let search = |target: &Target| {
            let (mut finds, mut count, mut kept) = (Vec::new(), 0, 0);
            let ended = look.read(target, &options, |found, first_line| {
                count += found.len();
                kept += found.size();
                finds.push((found, first_line));
                let is_enough = count >= limit || kept > KEPT_MAX;
                if is_enough || is_over.load(Ordering::Relaxed) || interrupted.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            Searched { finds: (kept <= KEPT_MAX).then_some(finds), ended }
        };
        let mut printed = Ok(());
        in_order(targets, search, |target, searched| {
            if interrupted.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            printed = match searched.finds {
                // From its beginning, and printed as it goes.
                None => self.one(target, out),
                Some(finds) => {
                    self.progress.bytes_done.fetch_add(target.len, Ordering::Relaxed);
                    let mut all = finds.iter();
                    let printed = all.try_for_each(|(finds, first)| self.print(target, finds, *first, out));
                    printed.and_then(|()| self.end(target, searched.ended, out))
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
        let options = ReadOptions::new().damages_kept(0).progress(self.progress.bytes_done.clone());
        let looked = || self.progress.bytes_done.load(Ordering::Relaxed);
        let before = looked();
        let mut printed = Ok(());
        let ended = self.look.read(target, &options, |finds, first_line| {
            printed = self.print(target, &finds, first_line, out);
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
        self.end(target, ended, out)
    }

    /// Prints what was found in a chunk, up to the limit; at once, also of a search that takes long.
    fn print(
        &mut self,
        target: &Target,
        finds: &Finds,
        first_line: u64,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let count = (self.limit - self.found).min(finds.len());
        if count == 0 {
            return Ok(());
        }
        self.found += count;
        if let Finds::Count(_) = finds {
            self.counted += count;
            return Ok(());
        }
        finds.print(target, first_line, count as usize, out)?;
        out.flush()
    }

    fn end(&mut self, target: &Target, ended: Result<Read, Failure>, out: &mut Out) -> Result<(), Failure> {
        let counted = std::mem::take(&mut self.counted);
        if counted > 0 {
            print_count(target, counted, out)?;
            out.flush()?;
        }
        let read = match ended {
            Ok(read) => read,
            Err(failure) => {
                out.complain(&failure);
                return Ok(());
            }
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
        Ok(())
    }
}

/// What is needed to look into a file, on whatever thread.
#[derive(Clone, Copy)]
struct Look<'a> {
    args: &'a Search,
    needle: &'a Needle,
    /// Of text; none of JSON.
    palette: Option<Palette>,
}

impl Look<'_> {
    /// Hands over what is found in one, chunk by chunk, each with the number of its first line.
    fn read(
        self,
        target: &Target,
        options: &ReadOptions,
        consume: impl FnMut(Finds, u64) -> ControlFlow<()>,
    ) -> Result<Read, Failure> {
        let (needle, scope) = (self.needle, scope_of(self.args, target));
        let log = open(target, options)?;
        let report = log.candidates(
            &needle.prefilter,
            |candidates| {
                if self.args.count {
                    return Finds::Count(needle.count_in(candidates, scope));
                }
                Finds::of(needle.find_in(candidates, scope), self.palette)
            },
            consume,
        )?;
        let shrunk = log.require_whole(&report).err().map(Failure::from);
        Ok(Read { long: report.count(DamageKind::TooLong), shrunk })
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
        let transcript = match found.transcript.map_or_else(|| Found::of_file(&path), |found| Ok(Some(found)))
        {
            Ok(transcript) => transcript.filter(is_transcript),
            Err(failure) => {
                out.complain(&failure);
                continue;
            }
        };
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
    let chosen = wanted.in_project(all.into_iter().filter(|found| wanted.takes(found)).collect(), out);
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
