//! `annals stats` over sessions: what agents did, and what it took.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::SystemTime;

use annals_formats::transcript::Usage;
use annals_formats::{Tally, Transcript};
use annals_session::ListOptions;
use jiff::Timestamp;
use jsonl_core::ReadOptions;
use serde::Serialize;

use super::show::is_told_apart;
use crate::agents::{Agents, Found, OWN, Titles, Wanted, spool};
use crate::args::{By, Stats};
use crate::commands::ls::{shortened, terminal_width};
use crate::commands::table;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::human::{count, name, one_line, path, plural, size};
use crate::out::{Out, Paint};
use crate::parallel::{LARGE, batches, in_order};
use crate::progress::Progress;
use crate::store::Home;

/// People get so many rows.
const ROWS_SHOWN: usize = 100;

/// A name is cut here.
const NAME_MAX: usize = 48;

/// A terminal that has less room for names shows fewer columns.
const NAME_MIN: usize = 16;

/// `DUPLICATE`, `IMAGES`, `CACHED`, `TOOLS`.
const LEFT_OUT_FIRST: [usize; 4] = [9, 7, 5, 3];

/// What is counted of one thing.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Sums {
    sessions: u64,
    subagents: u64,
    messages: u64,
    tool_calls: u64,
    answers: u64,
    input_tokens: u64,
    cache_written_tokens: u64,
    cache_read_tokens: u64,
    output_tokens: u64,
    bytes: u64,
    /// Of these, in lines that stand in the same file already.
    duplicate_bytes: u64,
    images: u64,
    damaged_lines: u64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.sessions, other.sessions),
            (&mut self.subagents, other.subagents),
            (&mut self.messages, other.messages),
            (&mut self.tool_calls, other.tool_calls),
            (&mut self.answers, other.answers),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.cache_written_tokens, other.cache_written_tokens),
            (&mut self.cache_read_tokens, other.cache_read_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.bytes, other.bytes),
            (&mut self.duplicate_bytes, other.duplicate_bytes),
            (&mut self.images, other.images),
            (&mut self.damaged_lines, other.damaged_lines),
        ] {
            *sum += more;
        }
    }

    fn take(&mut self, usage: Usage) {
        self.answers += usage.answers;
        self.input_tokens += usage.input;
        self.cache_written_tokens += usage.cache_written;
        self.cache_read_tokens += usage.cache_read;
        self.output_tokens += usage.output;
    }
}

#[derive(Serialize)]
struct SumsObject<'a> {
    by: &'static str,
    name: &'a str,
    #[serde(flatten)]
    sums: Sums,
}

pub(crate) fn run(args: &Stats, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let wanted = Wanted::of(&args.filter)?;
    let by = args.by.unwrap_or(By::Agent);
    let agents = Agents::of_environment();
    let mut all = files_of(args, &wanted, &agents, home, out);
    // What a fork has copied belongs to the older one.
    all.sort_by_key(|found| found.entry.modified);
    let titles = Titles::of(&agents);
    let progress = Progress::of(all.iter().map(|found| found.entry.len).sum());
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    let mut answered: HashSet<u64> = HashSet::new();
    let mut merge = |found: &Found, tally: Result<Tally, Failure>, out: &mut Out| match tally {
        Ok(tally) => add(found, tally, by, &wanted, &titles, &mut answered, &mut sums),
        Err(failure) => out.complain(&failure),
    };
    for batch in batches(&all, usize::MAX, LARGE, |found| found.entry.len) {
        let options = ReadOptions::new().progress(progress.bytes_done.clone());
        let options = if batch.len() > 1 { options.threads(1) } else { options };
        in_order(
            batch,
            |found| counted(found, &options),
            |found, tally| {
                merge(found, tally, out);
                ControlFlow::Continue(())
            },
        );
    }
    drop(progress);
    if args.names.is_empty() && wanted.own() && !matches!(by, By::Model) {
        add_own(by, &wanted, home, &mut sums, out)?;
    }
    print(&sums, by, out)
}

/// The transcripts that are meant.
fn files_of(args: &Stats, wanted: &Wanted, agents: &Agents, home: &Home, out: &mut Out) -> Vec<Found> {
    if args.names.is_empty() {
        return agents.all(out).into_iter().filter(|found| wanted.takes(found)).collect();
    }
    let mut all = Vec::new();
    for found in files::find(&args.names, home, agents, out) {
        let transcript = match found.transcript {
            Some(transcript) => Ok(Some(transcript)),
            None => Found::of_file(&found.path),
        };
        let transcript = match transcript {
            Ok(transcript) => transcript,
            Err(failure) => {
                out.complain(&failure);
                continue;
            }
        };
        match transcript {
            Some(transcript) => all.extend(Some(transcript).filter(|found| wanted.takes(found))),
            None => out.note(format_args!(
                "{}: is no agent's transcript; without --by, stats takes any log",
                path(&found.path)
            )),
        }
    }
    all
}

fn counted(found: &Found, options: &ReadOptions) -> Result<Tally, Failure> {
    Ok(Transcript::tally(found.agent, found.path(), options, &spool())?)
}

fn add(
    found: &Found,
    tally: Tally,
    by: By,
    wanted: &Wanted,
    titles: &Titles,
    answered: &mut HashSet<u64>,
    sums: &mut BTreeMap<String, Sums>,
) {
    let (duplicate_bytes, images) = (tally.duplicate_bytes, tally.images);
    let mut overview = tally.overview;
    if overview.types.is_empty() && !is_told_apart(found.agent) {
        return;
    }
    titles.complete(found, &mut overview);
    if !wanted.project(overview.project.as_deref()) {
        return;
    }
    let day = |time: Option<SystemTime>| {
        let time = time.and_then(|time| Timestamp::try_from(time).ok());
        time.map_or_else(|| String::from("-"), |time| time.strftime("%Y-%m-%d").to_string())
    };
    let or_none = |text: Option<&String>| text.cloned().unwrap_or_else(|| String::from("-"));
    let own = match by {
        By::Agent => found.agent.name().to_owned(),
        By::Project => or_none(overview.project.as_ref()),
        By::Day => day(overview.end.or(found.entry.modified)),
        By::Model => or_none(overview.model.as_ref()),
        By::Session => format!("{}:{}", found.agent, overview.id.as_ref().unwrap_or(&found.id)),
    };
    let file = Sums {
        sessions: u64::from(!found.is_subagent),
        subagents: u64::from(found.is_subagent),
        messages: overview.messages,
        tool_calls: overview.tool_calls,
        bytes: found.entry.len,
        duplicate_bytes,
        images,
        damaged_lines: overview.damaged() as u64,
        ..Sums::default()
    };
    sums.entry(own.clone()).or_default().add(&file);
    let mut usage: HashMap<String, Usage> = HashMap::new();
    for answer in tally.answers.into_iter().filter(|answer| answered.insert(answer.key)) {
        let key = match by {
            By::Day => day(answer.time.or(overview.end).or(found.entry.modified)),
            By::Model => or_none(answer.model.as_ref().or(overview.model.as_ref())),
            _ => own.clone(),
        };
        *usage.entry(key).or_default() += answer.usage;
    }
    for (key, usage) in usage {
        sums.entry(key).or_default().take(usage);
    }
}

/// annals's own sessions, of which no tokens are known.
fn add_own(
    by: By,
    wanted: &Wanted,
    home: &Home,
    sums: &mut BTreeMap<String, Sums>,
    out: &mut Out,
) -> Result<(), Failure> {
    let list = wanted.list_own(ListOptions::new().titles(false).archived(true), home, out)?;
    for listed in list.sessions {
        let time = Timestamp::try_from(listed.last.unwrap_or(listed.changed)).ok();
        let key = match by {
            By::Agent => String::from(OWN),
            By::Day => time.map_or_else(|| String::from("-"), |time| time.strftime("%Y-%m-%d").to_string()),
            By::Session => format!("{OWN}:{}", listed.key),
            By::Project | By::Model => String::from("-"),
        };
        let (messages, bytes) = (listed.messages_kept, listed.len);
        let own = Sums { sessions: 1, messages, bytes, ..Sums::default() };
        sums.entry(key).or_default().add(&own);
    }
    Ok(())
}

fn print(sums: &BTreeMap<String, Sums>, by: By, out: &mut Out) -> Result<Exit, Failure> {
    let title = match by {
        By::Agent => "agent",
        By::Project => "project",
        By::Day => "day",
        By::Model => "model",
        By::Session => "session",
    };
    if out.json {
        for (name, sums) in sums {
            out.object(&SumsObject { by: title, name, sums: *sums })?;
        }
        return Ok(Exit::Done);
    }
    if sums.is_empty() {
        out.note("no sessions found; annals ls lists what there is");
        return Ok(Exit::Done);
    }
    let mut rows: Vec<(&str, Sums)> = sums.iter().map(|(name, sums)| (&name[..], *sums)).collect();
    match by {
        By::Day => rows.reverse(),
        _ => rows.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.bytes)),
    }
    let mut total = Sums::default();
    rows.iter().for_each(|(_, sums)| total.add(sums));
    let left_out = rows.len().saturating_sub(ROWS_SHOWN);
    rows.truncate(ROWS_SHOWN);
    if rows.len() > 1 {
        rows.push(("all", total));
    }
    let title = title.to_uppercase();
    let head =
        [&title, "SESSIONS", "MESSAGES", "TOOLS", "INPUT", "CACHED", "OUTPUT", "IMAGES", "SIZE", "DUPLICATE"];
    let cells = |(row, sums): &(&str, Sums)| {
        let sessions = match sums.subagents {
            0 => count(sums.sessions),
            subagents => format!("{}+{}", count(sums.sessions), count(subagents)),
        };
        vec![
            name(row),
            sessions,
            count(sums.messages),
            count(sums.tool_calls),
            tokens(sums.input_tokens + sums.cache_written_tokens),
            tokens(sums.cache_read_tokens),
            tokens(sums.output_tokens),
            count(sums.images),
            size(sums.bytes),
            size(sums.duplicate_bytes),
        ]
    };
    let (shown, name_width) = fit(&head, rows.iter().map(&cells));
    let head: Vec<&str> = shown.iter().map(|column| head[*column]).collect();
    let cells = |row: &_| {
        let mut all = cells(row);
        // Projects differ at their ends.
        all[0] = match by {
            By::Project => shortened(&all[0], name_width),
            _ => one_line(&all[0], name_width),
        };
        shown.iter().map(|column| std::mem::take(&mut all[*column])).collect()
    };
    let right: Vec<usize> = (1..shown.len()).collect();
    table::print(&head, &rows, cells, &right, |_| Paint::Plain, out)?;
    if left_out > 0 {
        out.note(format_args!("{} more; --json has them", count(left_out as u64)));
    }
    if total.damaged_lines > 0 {
        let lines = plural(total.damaged_lines, "damaged line");
        out.note(format_args!("{lines}; annals verify describes them"));
    }
    Ok(Exit::Done)
}

/// The columns for which a terminal has room, and how long names may be. What is not told first is left out first.
fn fit(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> (Vec<usize>, usize) {
    let widths = table::widths(head, rows);
    let name_width = widths[0].min(NAME_MAX);
    let mut shown: Vec<usize> = (0..head.len()).collect();
    let Some(room) = terminal_width() else { return (shown, name_width) };
    let mut left_out = LEFT_OUT_FIRST.iter();
    loop {
        let others: usize = shown[1..].iter().map(|column| widths[*column] + table::GAP.len()).sum();
        let name_room = room.saturating_sub(others);
        if name_room >= name_width.min(NAME_MIN) {
            return (shown, name_width.min(name_room));
        }
        match left_out.next() {
            Some(next) => shown.retain(|column| column != next),
            None => return (shown, name_width.min(NAME_MIN)),
        }
    }
}

/// `12.3k`, `4.5M`: people compare tokens, and don't count them.
fn tokens(number: u64) -> String {
    match number {
        0..10_000 => count(number),
        10_000..1_000_000 => format!("{:.1}k", number as f64 / 1e3),
        _ => format!("{:.1}M", number as f64 / 1e6),
    }
}
