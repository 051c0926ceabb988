//! `annals memory list`, `search`, `show`, `render`: looks, and takes no lock.

use annals_memory::{Fate, Filter, Item, Step, View};
use jiff::Timestamp;
use serde::Serialize;

use super::{ItemObject, filter, timestamp};
use crate::args::memory::{List, Render, Show};
use crate::commands::ls::terminal_width;
use crate::exit::{Exit, Failure};
use crate::human::{minute, name, one_line, plural, printable, second};
use crate::out::{Out, Paint};

/// How much of an item a list shows where there is no terminal to say how wide it may be.
const CONTENT_WIDTH: usize = 80;

pub(super) fn list(
    args: &List,
    text: Option<&str>,
    view: Option<&View>,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let mut wanted = filter(&args.which)?;
    if let Some(text) = text {
        wanted = wanted.text(text);
    }
    if let Some(limit) = args.limit {
        wanted = wanted.limit(limit);
    }
    let items = match view {
        Some(view) => view.active(&wanted)?,
        None => Vec::new(),
    };
    for item in &items {
        if out.json {
            out.object(&ItemObject::new(item))?;
        }
    }
    if !out.json {
        print_table(&items, out)?;
    }
    // A search is a question; a list is not.
    if items.is_empty() {
        if !out.json {
            out.note(match view.map_or(0, View::count) {
                0 => String::from("nothing is remembered"),
                count => format!("none of {}", plural(count as u64, "item")),
            });
        }
        if text.is_some() {
            return Ok(Exit::Findings);
        }
    }
    Ok(Exit::Done)
}

fn print_table(items: &[Item], out: &mut Out) -> Result<(), Failure> {
    let Some(longest) = items.iter().map(|item| item.id.to_string().len().max(2)).max() else {
        return Ok(());
    };
    out.line(format_args!("{:>longest$}  {:<7}  {:<16}  CONTENT", "ID", "KIND", "TIME (UTC)"))?;
    let other = longest + 2 + 7 + 2 + 16 + 2;
    let width = terminal_width().map_or(CONTENT_WIDTH, |width| width.saturating_sub(other).max(20));
    for item in items {
        let time = timestamp(item.time).map_or_else(|| String::from("-"), minute);
        let tags: String = item.tags.iter().map(|tag| format!(" #{}", name(tag))).collect();
        let room = width.saturating_sub(tags.chars().count()).max(width / 2);
        out.line(format_args!(
            "{:>longest$}  {:<7}  {:<16}  {}{}",
            item.id,
            item.kind,
            out.paint(Paint::Dim, format_args!("{time:<16}")),
            one_line(&item.content, room),
            out.paint(Paint::Dim, tags),
        ))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct StepObject<'a> {
    id: u64,
    step: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<ItemObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
}

pub(super) fn show(args: &Show, view: Option<&View>, out: &mut Out) -> Result<Exit, Failure> {
    let id = args.id;
    let steps = match view {
        Some(view) => view.history(id)?,
        None => Vec::new(),
    };
    if steps.is_empty() {
        let text = format!("item {id} is not in this memory; it was never there, or compacted away");
        return Err(Failure::Told(Exit::NotFound, text));
    }
    let mut before = None;
    for step in &steps {
        // Replacing writes a tombstone, too, for readers that know of nothing else.
        let is_same =
            matches!((before.replace(step), step), (Some(Step::Superseded { .. }), Step::Forgotten { .. }));
        if is_same {
            continue;
        }
        if out.json {
            out.object(&object(id, step))?;
            continue;
        }
        match step {
            Step::Remembered(item, fate) => print_item(item, *fate, view, out)?,
            Step::Superseded { by } => out.line(format_args!("{}, replaced by {}", at(by.time), by.id))?,
            Step::Forgotten { time, .. } => out.line(format_args!("{}, forgotten", at(*time)))?,
            _ => {}
        }
    }
    Ok(Exit::Done)
}

fn at(time: Option<std::time::SystemTime>) -> String {
    timestamp(time).map_or_else(|| String::from("at an unknown time"), second)
}

fn object(id: u64, step: &Step) -> StepObject<'_> {
    let none = StepObject { id, step: "other", fate: None, item: None, time: None };
    match step {
        Step::Remembered(item, fate) => StepObject {
            step: "remembered",
            fate: Some(fate_name(*fate)),
            time: timestamp(item.time),
            item: Some(ItemObject::new(item)),
            ..none
        },
        Step::Superseded { by } => StepObject {
            step: "superseded",
            time: timestamp(by.time),
            item: Some(ItemObject::new(by)),
            ..none
        },
        Step::Forgotten { time, .. } => StepObject { step: "forgotten", time: timestamp(*time), ..none },
        _ => none,
    }
}

fn fate_name(fate: Fate) -> &'static str {
    match fate {
        Fate::Active => "active",
        Fate::Forgotten => "forgotten",
        Fate::Superseded => "superseded",
        Fate::Repeated => "repeated",
        _ => "other",
    }
}

fn print_item(item: &Item, fate: Fate, view: Option<&View>, out: &mut Out) -> Result<(), Failure> {
    let is_active = match view {
        Some(view) if fate == Fate::Active => view.get(item.id)?.is_some(),
        _ => false,
    };
    let fate = match fate {
        Fate::Active if !is_active => "expired",
        fate => fate_name(fate),
    };
    let head = format!("{}, {} #{}, {fate}", at(item.time), item.kind, item.id);
    out.line(out.paint(Paint::Name, head))?;
    for line in printable(&item.content).lines() {
        out.line(format_args!("  {line}"))?;
    }
    let mut more = Vec::new();
    if !item.tags.is_empty() {
        more.push(format!("tags: {}", item.tags.iter().map(|tag| name(tag)).collect::<Vec<_>>().join(", ")));
    }
    if let Some(source) = &item.source {
        more.push(format!("source: {}", name(source)));
    }
    if let Some(old) = item.supersedes {
        more.push(format!("in the place of {old}"));
    }
    if item.expires.is_some() {
        more.push(format!("expires: {}", at(item.expires)));
    }
    for line in more {
        out.line(out.paint(Paint::Dim, format_args!("  {line}")))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct RenderedObject<'a> {
    text: &'a str,
    shown: &'a [u64],
    left_out: &'a [u64],
}

pub(super) fn render(args: &Render, view: Option<&View>, out: &mut Out) -> Result<Exit, Failure> {
    let render = annals_memory::Render::new()
        .budget_chars(args.budget)
        .heading(&args.heading)
        .ids(args.ids)
        .filter(filter(&args.which)?);
    let Some(view) = view else { return Ok(Exit::Done) };
    let rendered = view.render(&render)?;
    if out.json {
        let (shown, left_out) = (&rendered.shown[..], &rendered.left_out[..]);
        out.object(&RenderedObject { text: &rendered.text, shown, left_out })?;
        return Ok(Exit::Done);
    }
    out.bytes(rendered.text.as_bytes())?;
    if !rendered.left_out.is_empty() {
        let count = rendered.left_out.len() as u64;
        out.note(format!("{} did not fit into {} characters", plural(count, "item"), args.budget));
    }
    Ok(Exit::Done)
}

/// All active items that are meant.
pub(super) fn meant(view: Option<&View>, filter: &Filter) -> Result<Vec<Item>, Failure> {
    Ok(match view {
        Some(view) => view.active(filter)?,
        None => Vec::new(),
    })
}
