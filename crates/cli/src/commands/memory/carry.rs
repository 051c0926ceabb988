//! `annals memory import` and `export`.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};

use annals_memory::{Added, Filter, MemoryOptions, NewItem};
use serde::Serialize;

use super::Place;
use crate::args::memory::{Export, Import};
use crate::exit::{Exit, Failure};
use crate::human::{path, plural};
use crate::out::Out;

#[derive(Serialize)]
struct ImportedObject {
    dry_run: bool,
    items: usize,
    added: usize,
    known: usize,
}

pub(super) fn import(args: &Import, place: &Place, out: &mut Out) -> Result<Exit, Failure> {
    let is_same = |a: &std::path::Path, b: &std::path::Path| match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    };
    if is_same(&args.from, &place.path) {
        let text = format!("{}: is the memory itself", path(&args.from));
        return Err(Failure::Told(Exit::Usage, text));
    }
    let from = MemoryOptions::new().checkpoint(false).view(&args.from)?;
    let mut items = from.active(&Filter::new())?;
    // Ids come in the order in which things were remembered.
    items.reverse();
    let new: Vec<NewItem> = items.iter().map(|item| NewItem::from(item).unless_known()).collect();
    let added = if args.dry_run {
        let known = match place.view(false)? {
            Some(view) => view.active(&Filter::new())?,
            None => Vec::new(),
        };
        let says = |item: &annals_memory::Item| (item.kind, item.content.trim().to_owned());
        let mut known: std::collections::HashSet<_> = known.iter().map(says).collect();
        items.iter().filter(|item| known.insert(says(item))).count()
    } else {
        let memory = place.open()?;
        let added = memory.add_all(&new)?;
        memory.close()?;
        added.iter().filter(|added| matches!(added, Added::New(_))).count()
    };
    let known = items.len() - added;
    if out.json {
        out.object(&ImportedObject { dry_run: args.dry_run, items: items.len(), added, known })?;
    } else {
        let what = if args.dry_run { "would add" } else { "added" };
        let (some, known) = (plural(added as u64, "item"), plural(known as u64, "item"));
        out.line(format_args!("{what} {some}; {known} known before"))?;
    }
    let report = from.report();
    if !report.is_clean() {
        out.note(format!(
            "{}: {} odd, {} torn; annals memory --file … verify says more",
            path(&args.from),
            report.odd,
            report.torn + report.fused
        ));
    }
    Ok(Exit::Done)
}

pub(super) fn export(args: &Export, place: &Place, was_named: bool, out: &mut Out) -> Result<Exit, Failure> {
    let Some(view) = place.view(was_named)? else {
        out.note("there is no memory yet");
        return Ok(Exit::Findings);
    };
    let Some(to) = &args.to else {
        let mut text = Vec::new();
        view.export(&mut text)?;
        out.bytes(&text)?;
        return Ok(Exit::Done);
    };
    let cannot = |source| jsonl_core::Error::Io { path: to.clone(), action: "write", source };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = match options.open(to) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let text = format!("{}: is there already; give another name", path(to));
            return Err(Failure::Told(Exit::Usage, text));
        }
        file => file.map_err(cannot)?,
    };
    let mut writer = BufWriter::new(file);
    let count = view.export(&mut writer)?;
    let synced = writer.flush().and_then(|()| writer.get_ref().sync_all());
    synced.map_err(cannot)?;
    if !out.json {
        out.line(format_args!("exported {}", plural(count as u64, "item")))?;
    }
    Ok(Exit::Done)
}
