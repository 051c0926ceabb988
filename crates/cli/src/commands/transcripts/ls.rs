//! `annals ls` without paths: the sessions of all agents and of the store.

use std::collections::{HashSet, VecDeque};

use annals_formats::Transcript;
use annals_session::{ListOptions, Listed};
use jiff::Timestamp;
use jsonl_core::ReadOptions;

use super::rows::{Ids, Row};
use crate::agents::{Agents, CATALOG, Found, Titles, Wanted, catalog_in, spool};
use crate::args::Ls;
use crate::commands::ls::terminal_width;
use crate::commands::table;
use crate::exit::{Exit, Failure};
use crate::human::{age, count, name, one_line, plural, size};
use crate::out::{Out, Paint};
use crate::parallel::in_parallel;
use crate::store::Home;

/// People get so many rows if they don't say how many.
const ROWS_SHOWN: usize = 50;

/// So many files are looked into at once.
const BATCH: usize = 64;

/// Ids and projects get at most so much of a terminal, if there is more to show.
const ID_MAX: usize = 24;
const PROJECT_MAX: usize = 28;

/// A terminal with less than this for a title gets none.
const TITLE_MIN: usize = 10;

/// Where there is no terminal, a title is cut here.
const TITLE_MAX: usize = 60;

pub(crate) fn run(args: &Ls, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let wanted = Wanted::of(&args.filter)?;
    let limit = args.limit.unwrap_or(if out.json { usize::MAX } else { ROWS_SHOWN });
    // These are only of the store.
    let only_own = args.archived || args.key.is_some();
    let (mut own, own_total) = own(args, &wanted, limit, home, out)?;
    let agents = Agents::of_environment();
    let mut all = if only_own { Vec::new() } else { agents.all(out) };
    let ids = Ids::of(&all);
    let known: HashSet<String> = all.iter().map(|found| found.id.clone()).collect();
    all.retain(|found| wanted.takes(found) && (args.subagents || !found.is_subagent));
    let transcripts = all.len();
    let titles = Titles::of(&agents);
    let mut foreign = Foreign { left: all.into(), ready: VecDeque::new() };
    let mut catalog: VecDeque<Row> =
        if only_own { VecDeque::new() } else { catalog(&agents, &wanted, &known, out).into() };
    let total = own_total + transcripts + catalog.len();
    let mut rows = Vec::new();
    while rows.len() < limit {
        foreign.prepare(&titles, &ids, &wanted, args.exact, limit, out);
        let times = [
            own.front().map(|listed| Timestamp::try_from(listed.changed).ok()),
            foreign.ready.front().map(|row| row.changed),
            catalog.front().map(|row| row.changed),
        ];
        let Some(newest) = (0..3).filter(|which| times[*which].is_some()).max_by_key(|which| times[*which])
        else {
            break;
        };
        rows.extend(match newest {
            0 => own.pop_front().map(Row::of_own),
            1 => foreign.ready.pop_front(),
            _ => catalog.pop_front(),
        });
    }
    if out.json {
        rows.iter().try_for_each(|row| out.object(row))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        out.note(match total {
            0 => {
                format!("no sessions in {}, and no agents' sessions", crate::human::path(home.store()?.dir()))
            }
            total => format!("none of {}", plural(total as u64, "session")),
        });
        return Ok(Exit::Done);
    }
    print_table(&rows, out)?;
    let is_cut = !own.is_empty() || !foreign.is_done() || !catalog.is_empty() || own_total > limit;
    if rows.len() >= limit && is_cut && args.limit.is_none() {
        let shown = count(rows.len() as u64);
        out.note(format_args!("{shown} of {}; --limit shows more", plural(total as u64, "session")));
    }
    Ok(Exit::Done)
}

/// The store's, and how many there are.
fn own(
    args: &Ls,
    wanted: &Wanted,
    limit: usize,
    home: &Home,
    out: &mut Out,
) -> Result<(VecDeque<Listed>, usize), Failure> {
    if !wanted.own() {
        return Ok((VecDeque::new(), 0));
    }
    let mut options =
        ListOptions::new().active(!args.archived).archived(args.archived || args.all).limit(limit);
    if let Some(text) = &args.key {
        options = options.key_contains(text);
    }
    let list = wanted.list_own(options, home, out)?;
    Ok((list.sessions.into(), list.total))
}

/// What only sessions-db knows: a session whose transcript isn't found, newest first.
fn catalog(agents: &Agents, wanted: &Wanted, known: &HashSet<String>, out: &mut Out) -> Vec<Row> {
    let mut rows = Vec::new();
    if !wanted.agent(CATALOG) {
        return rows;
    }
    for folder in agents.catalogs() {
        match catalog_in(folder).projection() {
            Ok(projection) => {
                let is_new = |session: &annals_catalog::Session| {
                    !session.claude_session_ids.iter().any(|id| known.contains(id))
                };
                rows.extend(
                    projection.sessions().filter(|s| is_new(s)).map(|session| Row::of_catalog(&session)),
                );
            }
            Err(error) => out.complain(&error.into()),
        }
    }
    let since = wanted.since().and_then(|since| Timestamp::try_from(since).ok());
    rows.retain(|row| wanted.project(row.project.as_deref()) && (since.is_none() || row.changed >= since));
    rows.sort_by_key(|row| std::cmp::Reverse(row.changed));
    rows
}

/// Transcripts, of which no more are opened than are shown.
struct Foreign {
    left: VecDeque<Found>,
    ready: VecDeque<Row>,
}

impl Foreign {
    /// Looks into the next ones until there is one to show.
    fn prepare(
        &mut self,
        titles: &Titles,
        ids: &Ids,
        wanted: &Wanted,
        exact: bool,
        limit: usize,
        out: &mut Out,
    ) {
        while self.ready.is_empty() && !self.left.is_empty() {
            let count = BATCH.min(limit).min(self.left.len());
            let batch: Vec<Found> = self.left.drain(..count).collect();
            let seen = in_parallel(&batch, |found| {
                let glance = found.glance(titles)?;
                Ok::<_, Failure>(match glance {
                    Some(glance) if exact && !glance.is_whole() => Some(counted(found, glance)?),
                    other => other,
                })
            });
            for (found, seen) in batch.iter().zip(seen) {
                match seen {
                    Ok(Some(glance)) => {
                        if wanted.project(glance.overview.project.as_deref()) {
                            self.ready.push_back(Row::of_found(found, glance, ids));
                        }
                    }
                    Ok(None) => {}
                    Err(failure) => out.complain(&failure),
                }
            }
        }
    }

    fn is_done(&self) -> bool {
        self.left.is_empty() && self.ready.is_empty()
    }
}

/// The same with what is counted in all of the file.
fn counted(
    found: &Found,
    mut glance: annals_formats::transcript::Glance,
) -> Result<annals_formats::transcript::Glance, Failure> {
    let tally = Transcript::tally(found.agent, found.path(), &ReadOptions::new(), &spool())?;
    glance.overview.messages = tally.overview.messages;
    glance.overview.tool_calls = tally.overview.tool_calls;
    glance.seen = glance.seen.max(1);
    glance.len = Some(glance.seen);
    Ok(glance)
}

fn print_table(rows: &[Row], out: &mut Out) -> Result<(), Failure> {
    let width = terminal_width();
    let now = Timestamp::now();
    let longest = |text: &dyn Fn(&Row) -> String| rows.iter().map(|row| text(row).chars().count()).max();
    let project = |row: &Row| row.project.as_deref().map_or_else(|| String::from("-"), folder_name);
    let id_width = longest(&|row| name(&row.name())).unwrap_or(0);
    let agent_width = longest(&|row| row.agent.to_owned()).unwrap_or(0).max(5);
    let project_width = longest(&project).unwrap_or(0).clamp(7, PROJECT_MAX);
    // Ids are never cut for a program or a file.
    let id_width = width.map_or(id_width, |width| id_width.min(ID_MAX.max(width / 4)));
    let taken = id_width.max(2) + agent_width + project_width + 8 + 8 + 5 + 12;
    let title_width = width.map_or(TITLE_MAX, |width| width.saturating_sub(taken));
    let mut head = vec!["ID", "AGENT", "PROJECT", "MESSAGES", "SIZE", "AGE"];
    if title_width >= TITLE_MIN {
        head.push("TITLE");
    }
    let cells = |row: &Row| {
        let messages = match row.messages {
            Some(messages) if row.messages_exact => count(messages),
            Some(messages) => format!("~{}", count(messages)),
            None => String::from("-"),
        };
        let mut cells = vec![
            one_line(&row.name(), id_width),
            row.agent.to_owned(),
            one_line(&project(row), project_width),
            messages,
            if row.path.is_some() { size(row.len) } else { String::from("-") },
            row.last().map_or_else(|| String::from("-"), |last| age(last, now)),
        ];
        if title_width >= TITLE_MIN {
            cells.push(one_line(row.title.as_deref().unwrap_or("-"), title_width.min(100)));
        }
        cells
    };
    table::print(&head, rows, cells, &[3, 4, 5], |_| Paint::Plain, out)
}

/// The last folder of a path says which project it is.
fn folder_name(project: &str) -> String {
    let last = project.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    if last.is_empty() { project.to_owned() } else { last.to_owned() }
}
