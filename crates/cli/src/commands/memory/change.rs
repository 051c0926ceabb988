//! `annals memory add`, `forget`, `supersede`, `clear`.

use annals_memory::Added;
use serde::Serialize;

use super::{ItemObject, Place, filter, list, new_item};
use crate::args::memory::{Add, Clear, Forget, Supersede};
use crate::exit::{Exit, Failure};
use crate::human::{one_line, path, plural};
use crate::input::{ask, can_ask};
use crate::out::Out;

#[derive(Serialize)]
struct AddedObject {
    id: u64,
    added: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    supersedes: Option<u64>,
}

pub(super) fn add(args: &Add, place: &Place, out: &mut Out) -> Result<Exit, Failure> {
    let mut item = new_item(&args.says)?;
    if args.unless_known {
        item = item.unless_known();
    }
    let memory = place.open()?;
    let added = memory.add(&item)?;
    memory.close()?;
    let is_new = matches!(added, Added::New(_));
    if out.json {
        out.object(&AddedObject { id: added.id(), added: is_new, supersedes: None })?;
    } else {
        out.line(added.id())?;
        if !is_new {
            out.note(format!("item {} says the same; nothing was added", added.id()));
        }
    }
    Ok(Exit::Done)
}

pub(super) fn supersede(args: &Supersede, place: &Place, out: &mut Out) -> Result<Exit, Failure> {
    let item = new_item(&args.says)?;
    let memory = place.open()?;
    let id = memory.supersede(args.id, &item)?;
    memory.close()?;
    if out.json {
        out.object(&AddedObject { id, added: true, supersedes: Some(args.id) })?;
    } else {
        out.line(id)?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct ForgottenObject<'a> {
    dry_run: bool,
    forgotten: ItemObject<'a>,
}

pub(super) fn forget(args: &Forget, place: &Place, out: &mut Out) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let view = if args.dry_run { place.view(true)? } else { None };
    let memory = if args.dry_run { None } else { Some(place.open()?) };
    for &id in &args.ids {
        let item = match (&view, &memory) {
            (Some(view), _) => view.get(id)?,
            (None, Some(memory)) => memory.forget(id)?,
            (None, None) => None,
        };
        let Some(item) = item else {
            out.note(format!("item {id} is not active (already forgotten or never there)"));
            exit = Exit::Findings;
            continue;
        };
        if out.json {
            out.object(&ForgottenObject { dry_run: args.dry_run, forgotten: ItemObject::new(&item) })?;
        } else {
            let what = if args.dry_run { "would forget" } else { "forgot" };
            out.line(format_args!("{what} {id}: {}", one_line(&item.content, 60)))?;
        }
    }
    if let Some(memory) = memory {
        memory.close()?;
    }
    Ok(exit)
}

#[derive(Serialize)]
struct ClearedObject {
    dry_run: bool,
    forgotten: usize,
}

pub(super) fn clear(args: &Clear, place: &Place, out: &mut Out) -> Result<Exit, Failure> {
    let filter = filter(&args.which)?;
    let count = list::meant(place.view(false)?.as_ref(), &filter)?.len();
    let items = plural(count as u64, "item");
    if args.dry_run || count == 0 {
        if out.json {
            out.object(&ClearedObject { dry_run: args.dry_run, forgotten: count })?;
        } else if count == 0 {
            out.note("there is nothing to forget");
        } else {
            out.line(format_args!("would forget {items}"))?;
        }
        return Ok(Exit::Done);
    }
    if !args.yes {
        if !can_ask() {
            let text =
                format!("forgetting {items} needs --yes where there is nobody to ask; nothing was forgotten");
            return Err(Failure::Told(Exit::Usage, text));
        }
        if !ask(&format!("Forget {items} of {}?", path(&place.path)))? {
            out.note("nothing was forgotten");
            return Ok(Exit::Findings);
        }
    }
    let memory = place.open()?;
    let forgotten = memory.clear(&filter)?;
    memory.close()?;
    if out.json {
        out.object(&ClearedObject { dry_run: false, forgotten })?;
    } else {
        out.line(format_args!("forgot {}", plural(forgotten as u64, "item")))?;
    }
    Ok(Exit::Done)
}
