//! `annals doctor`: a look at everything that is kept on this machine, and what to run next.

mod agents;
mod own;
mod permissions;

use std::path::{Path, PathBuf};

use annals_session::Holder;
use jsonl_core::ReadOptions;
use serde::Serialize;

use super::ls::terminal_width;
use super::table;
use crate::agents::Agents;
use crate::args::doctor::Doctor;
use crate::exit::{Exit, Failure};
use crate::human::{self, name, one_line, plural, shell_word, size};
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
    /// Bytes.
    len: u64,
    path: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Some bytes could be given back.
    Space,
    /// Somebody holds a lock just now.
    Busy,
    /// A last line that somebody may be writing.
    Unfinished,
    /// Others can read or change what they should not.
    Open,
    /// An agent, or our own store, stumbles over it.
    Stuck,
    /// It could not be looked at.
    Unreadable,
    /// Bytes that are no records, or records that are gone.
    Damaged,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Space => "space",
            Self::Busy => "busy",
            Self::Unfinished => "unfinished",
            Self::Open => "open",
            Self::Stuck => "stuck",
            Self::Unreadable => "unreadable",
            Self::Damaged => "damaged",
        }
    }

    fn exit(self) -> Exit {
        match self {
            // Nothing is wrong with these.
            Self::Space | Self::Busy | Self::Unfinished => Exit::Done,
            Self::Open | Self::Stuck | Self::Unreadable => Exit::Findings,
            Self::Damaged => Exit::Damaged,
        }
    }
}

#[derive(Serialize)]
struct Finding {
    finding: Kind,
    who: &'static str,
    text: String,
    /// The command to run next.
    next: Option<String>,
}

/// What has been found so far.
#[derive(Default)]
struct Findings {
    all: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, finding: Kind, who: &'static str, text: String, next: Option<String>) {
        self.all.push(Finding { finding, who, text, next });
    }

    fn holder(&mut self, who: &'static str, what: &str, holder: Option<Holder>) {
        if let Some(holder) = holder {
            self.add(Kind::Busy, who, format!("{what}: {holder} writes"), None);
        }
    }

    fn failure(&mut self, who: &'static str, failure: &Failure, next: Option<String>) {
        self.add(Kind::Unreadable, who, failure.to_string(), next);
    }

    /// Several files of which the same is to be said: the first few by name, each with its command, and `rest` for all others.
    fn several(&mut self, finding: Kind, who: &'static str, each: Vec<(String, String)>, rest: &str) {
        let more = each.len().saturating_sub(TOLD_MAX);
        for (text, next) in each.into_iter().take(TOLD_MAX) {
            self.add(finding, who, text, Some(next).filter(|_| more == 0));
        }
        if more > 0 {
            self.add(finding, who, format!("and {more} more"), Some(rest.to_owned()));
        }
    }
}

pub(crate) fn run(args: &Doctor, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let agents = Agents::of_environment();
    let mut findings = Findings::default();
    let mut kept = Vec::new();
    let stores = own::Stores::find(home, &mut findings)?;
    let found = agents::find(&agents, out);
    let bytes = if args.quick { 0 } else { stores.len() + agents::len(&found) };
    let progress = Progress::of(bytes);
    // A handful of places is enough to see what is wrong; `verify` names them all.
    let options = ReadOptions::new().damages_kept(1).progress(progress.bytes_done.clone());
    let look = Look { options, is_quick: args.quick };
    stores.look(&look, &mut kept, &mut findings);
    agents::look(&found, &agents, &look, &mut kept, &mut findings);
    drop(progress);
    let mut all = findings.all;
    // The worst first, and otherwise in the order of the table.
    all.sort_by_key(|finding| std::cmp::Reverse(finding.finding));
    if out.json {
        kept.iter().try_for_each(|kept| out.object(kept))?;
        all.iter().try_for_each(|finding| out.object(finding))?;
    } else {
        let read = if args.quick {
            String::from("what was said was not read")
        } else {
            format!("{} read", size(bytes))
        };
        print(&kept, &all, &read, home, out)?;
    }
    Ok(all.iter().map(|finding| finding.finding.exit()).max().unwrap_or(Exit::Done))
}

/// How to look.
struct Look {
    options: ReadOptions,
    /// What was said isn't read.
    is_quick: bool,
}

fn print(kept: &[Kept], all: &[Finding], read: &str, home: &Home, out: &mut Out) -> Result<(), Failure> {
    if kept.is_empty() {
        out.line("no sessions of any agent are here, and annals keeps nothing yet")?;
    } else {
        print_kept(kept, out)?;
    }
    if !all.is_empty() {
        out.line("")?;
    }
    for Finding { finding, who, text, .. } in all {
        let paint = if finding.exit() > Exit::Done { Paint::Bad } else { Paint::Dim };
        let word = out.paint(paint, format_args!("{:<10}", finding.name()));
        out.line(format_args!("{word}  {who}: {}", name(text)))?;
    }
    let mut next: Vec<&str> = Vec::new();
    for command in all.iter().filter_map(|finding| finding.next.as_deref()) {
        if !next.contains(&command) {
            next.push(command);
        }
    }
    if !next.is_empty() {
        out.line("\nNext:")?;
    }
    for command in next {
        out.line(format_args!("  {}", out.paint(Paint::Name, command)))?;
    }
    let wrong = all.iter().filter(|finding| finding.finding.exit() > Exit::Done).count();
    let verdict = match wrong {
        0 => String::from("all is well"),
        1 => String::from("1 thing is wrong"),
        _ => format!("{wrong} things are wrong"),
    };
    let own = home.path().map(|path| format!("; annals keeps its own in {}", at_home(path)));
    out.line(format_args!("\n{verdict}, {read}{}", own.unwrap_or_default()))
}

fn print_kept(kept: &[Kept], out: &mut Out) -> Result<(), Failure> {
    let longest = |text: &dyn Fn(&Kept) -> usize| kept.iter().map(text).max().unwrap_or(0);
    let taken = longest(&|kept| kept.who.len()) + longest(&|kept| kept.holds.chars().count()) + 8 + 6;
    let room = terminal_width().map_or(usize::MAX, |width| width.saturating_sub(taken));
    let mut head = vec!["WHO", "HOLDS", "SIZE"];
    if room >= WHERE_MIN {
        head.push("WHERE");
    }
    let cells = |kept: &Kept| {
        let mut cells = vec![kept.who.to_owned(), kept.holds.clone(), size(kept.len)];
        if room >= WHERE_MIN {
            cells.push(one_line(&at_home(Path::new(&kept.path)), room));
        }
        cells
    };
    table::print(&head, kept, cells, &[2], |_| Paint::Dim, out)
}

/// A path as people write it.
fn at_home(path: &Path) -> String {
    let user = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match user.as_ref().and_then(|user| path.strip_prefix(user).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => String::from("~"),
        Some(rest) => format!("~/{}", human::path(rest)),
        // A folder that was joined with nothing ends in a separator.
        None => human::path(&path.components().collect::<PathBuf>()),
    }
}

/// `annals verify` and such, of a name.
fn command(verb: &str, what: &str) -> String {
    format!("{verb} {}", shell_word(what))
}

/// The same of a path.
fn command_on(verb: &str, path: &Path) -> String {
    // A shell takes `~` for the home folder only where nothing is quoted.
    let short = at_home(path);
    let rest = short.strip_prefix("~/").filter(|rest| shell_word(rest) == **rest);
    match rest {
        Some(_) => format!("{verb} {short}"),
        None => command(verb, &path.to_string_lossy()),
    }
}

/// `2 sessions` and such, of what there is any of.
fn counted(parts: &[(u64, &str)]) -> Vec<String> {
    let some: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, noun)| plural(*count, noun)).collect();
    if some.is_empty() { vec![String::from("nothing yet")] } else { some }
}
