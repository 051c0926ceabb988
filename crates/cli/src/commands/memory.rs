//! `annals memory`: one module for a few commands that are alike.

mod carry;
mod change;
mod keep;
mod list;

use std::time::SystemTime;

use annals_memory::{Filter, Item, MemoryOptions, NewItem};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::memory::{Memory, MemoryCommand, Says, Which};
use crate::commands::seconds;
use crate::exit::{Exit, Failure};
use crate::input::read_text;
use crate::out::Out;
use crate::store::Home;
use crate::when;

/// The memory that was named, and how to open it.
struct Place {
    path: std::path::PathBuf,
    options: MemoryOptions,
}

impl Place {
    fn open(&self) -> Result<annals_memory::Memory, Failure> {
        Ok(self.options.open(&self.path)?)
    }

    /// For reading. A memory that isn't there holds nothing; one that was named has to be there.
    fn view(&self, was_named: bool) -> Result<Option<annals_memory::View>, Failure> {
        match self.options.view(&self.path) {
            Err(error) if !was_named && error.io_kind() == Some(std::io::ErrorKind::NotFound) => Ok(None),
            view => Ok(Some(view?)),
        }
    }
}

pub(crate) fn run(args: &Memory, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let path = match &args.file {
        Some(file) => file.clone(),
        None => home.join("memory.jsonl")?,
    };
    let options =
        MemoryOptions::new().program("annals").wait(seconds(args.wait)?).accept_loss(args.accept_loss);
    let place = Place { path, options };
    let view = || place.view(args.file.is_some());
    match &args.command {
        MemoryCommand::Add(add) => change::add(add, &place, out),
        MemoryCommand::List(list) => list::list(list, None, view()?.as_ref(), out),
        MemoryCommand::Search(search) => list::list(&search.list, Some(&search.text), view()?.as_ref(), out),
        MemoryCommand::Show(show) => list::show(show, view()?.as_ref(), out),
        MemoryCommand::Render(render) => list::render(render, view()?.as_ref(), out),
        MemoryCommand::Forget(forget) => change::forget(forget, &place, out),
        MemoryCommand::Supersede(supersede) => change::supersede(supersede, &place, out),
        MemoryCommand::Clear(clear) => change::clear(clear, &place, out),
        MemoryCommand::Compact(compact) => keep::compact(compact, &place, out),
        MemoryCommand::Verify(verify) => keep::verify(verify, &place, args.file.is_some(), out),
        MemoryCommand::Import(import) => carry::import(import, &place, out),
        MemoryCommand::Export(export) => carry::export(export, &place, args.file.is_some(), out),
    }
}

/// An item, for a program.
#[derive(Serialize)]
struct ItemObject<'a> {
    id: u64,
    time: Option<Timestamp>,
    kind: &'a str,
    content: &'a str,
    tags: &'a [String],
    source: Option<&'a str>,
    supersedes: Option<u64>,
    expires: Option<Timestamp>,
}

impl<'a> ItemObject<'a> {
    fn new(item: &'a Item) -> Self {
        Self {
            id: item.id,
            time: timestamp(item.time),
            kind: item.kind.name(),
            content: &item.content,
            tags: &item.tags,
            source: item.source.as_deref(),
            supersedes: item.supersedes,
            expires: timestamp(item.expires),
        }
    }
}

fn timestamp(time: Option<SystemTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::try_from(time).ok())
}

/// What is to be remembered.
fn new_item(says: &Says) -> Result<NewItem, Failure> {
    let text = match &says.text {
        Some(text) => text.clone(),
        None => read_text()?,
    };
    let mut item = NewItem::new(says.kind, text);
    for tag in &says.tags {
        item = item.tag(tag);
    }
    if let Some(source) = &says.source {
        item = item.source(source);
    }
    if let Some(expires) = &says.expires {
        item = item.expires(when::future("--expires", expires)?);
    }
    Ok(item)
}

fn filter(which: &Which) -> Result<Filter, Failure> {
    let mut filter = Filter::new();
    for kind in &which.kinds {
        filter = filter.kind(*kind);
    }
    for tag in &which.tags {
        filter = filter.tag(tag);
    }
    if let Some(source) = &which.source {
        filter = filter.source(source);
    }
    if let Some(since) = &which.since {
        filter = filter.since(when::past("--since", since)?);
    }
    if let Some(until) = &which.until {
        filter = filter.until(when::past("--until", until)?);
    }
    Ok(filter)
}
