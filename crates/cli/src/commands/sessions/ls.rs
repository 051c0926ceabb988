//! `annals ls` without paths: the sessions of the store.

use std::time::SystemTime;

use annals_session::{ListOptions, Listed, Place};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::Ls;
use crate::commands::ls::terminal_width;
use crate::exit::{Exit, Failure};
use crate::human::{count, minute, name, one_line, size};
use crate::out::{Out, Paint};
use crate::store::Home;
use crate::when;

/// What the columns take that are neither key nor title.
const OTHER_COLUMNS: usize = 42;

/// A key gets at most so much of a terminal, if there is more to show.
const KEY_MAX: usize = 40;

#[derive(Serialize)]
struct ListedObject<'a> {
    key: &'a str,
    title: Option<&'a str>,
    messages: u64,
    messages_kept: u64,
    len: u64,
    archived: Option<u64>,
    created: Option<Timestamp>,
    last: Option<Timestamp>,
    changed: Option<Timestamp>,
    parent: Option<&'a str>,
    path: String,
}

pub(crate) fn run(args: &Ls, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let mut options = ListOptions::new()
        .active(!args.archived)
        .archived(args.archived || args.all)
        .limit(args.limit.unwrap_or(usize::MAX));
    if let Some(text) = &args.key {
        options = options.key_contains(text);
    }
    if let Some(since) = &args.since {
        options = options.since(when::past("--since", since)?);
    }
    let store = home.store()?;
    let list = store.list(&options)?;
    for unlisted in list.unlisted {
        out.complain(&unlisted.error.into());
    }
    let time = |time: Option<SystemTime>| time.and_then(|time| Timestamp::try_from(time).ok());
    if out.json {
        for listed in &list.sessions {
            out.object(&ListedObject {
                key: &listed.key,
                title: listed.title.as_deref(),
                messages: listed.messages,
                messages_kept: listed.messages_kept,
                len: listed.len,
                archived: archived(listed),
                created: time(listed.created),
                last: time(listed.last),
                changed: time(Some(listed.changed)),
                parent: listed.parent.as_ref().map(|parent| &parent.key[..]),
                path: listed.path.display().to_string(),
            })?;
        }
        return Ok(Exit::Done);
    }
    if list.sessions.is_empty() {
        let text = match list.total {
            0 => format!("no sessions in {}", crate::human::path(store.dir())),
            total => format!("none of {total} sessions"),
        };
        out.note(text);
        return Ok(Exit::Done);
    }
    print_table(&list.sessions, out)
}

fn archived(listed: &Listed) -> Option<u64> {
    match listed.place {
        Place::Archived(number) => Some(number),
        _ => None,
    }
}

fn print_table(sessions: &[Listed], out: &mut Out) -> Result<Exit, Failure> {
    let width = terminal_width();
    let keys: Vec<String> = sessions
        .iter()
        .map(|listed| match archived(listed) {
            None => name(&listed.key),
            Some(number) => format!("{} (archive {number})", name(&listed.key)),
        })
        .collect();
    let longest = keys.iter().map(|key| key.chars().count()).max().unwrap_or(0);
    // Keys are never cut for a program or a file.
    let key_width = width.map_or(longest, |width| longest.min(KEY_MAX.min(width / 3)));
    let title_width = width.map_or(60, |width| width.saturating_sub(key_width + OTHER_COLUMNS).min(60));
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let mut head = vec!["KEY", "MESSAGES", "SIZE", "LAST (UTC)"];
    if title_width >= 10 {
        head.push("TITLE");
    }
    table.set_header(head);
    let keys: Vec<String> = keys.iter().map(|key| one_line(key, key_width)).collect();
    for (listed, key) in sessions.iter().zip(&keys) {
        let last = listed.last.unwrap_or(listed.changed);
        let last = Timestamp::try_from(last).map_or_else(|_| String::from("-"), minute);
        let mut row = vec![key.clone(), count(listed.messages), size(listed.len), last];
        if title_width >= 10 {
            row.push(one_line(listed.title.as_deref().unwrap_or("-"), title_width));
        }
        table.add_row(row);
    }
    for index in [1, 2] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 1));
    }
    let text = table.to_string();
    let mut lines = text.lines().map(str::trim_end);
    out.line(lines.next().unwrap_or_default())?;
    for (line, key) in lines.zip(&keys) {
        match line.strip_prefix(key.as_str()) {
            // Colours come last: they take no room, but a table would count them.
            Some(rest) => out.line(format_args!("{}{rest}", out.paint(Paint::Name, key)))?,
            None => out.line(line)?,
        }
    }
    Ok(Exit::Done)
}
