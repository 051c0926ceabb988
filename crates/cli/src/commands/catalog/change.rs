//! `annals catalog alias`, `link`, `unlink`, `link-parent`, `close` and `reopen`.

use annals_catalog::{Catalog, Change, Links as Wanted, Outcome, Raw};
use clap::ValueEnum;
use jsonl_core::scan;
use serde::Serialize;

use crate::args::catalog::{Alias, Close, Dry, Link, LinkParent, Links, Reopen, Unlink};
use crate::exit::{Exit, Failure};
use crate::human::name;
use crate::out::Out;

pub(super) fn alias(args: &Alias, catalog: &Catalog, quiet: bool, out: &mut Out) -> Result<Exit, Failure> {
    run(&args.id, Change::alias(args.alias.as_deref())?, &args.dry, catalog, quiet, out)
}

pub(super) fn link(args: &Link, catalog: &Catalog, quiet: bool, out: &mut Out) -> Result<Exit, Failure> {
    let links = wanted(&args.links);
    let change = if args.remove { Change::unlink(links)? } else { Change::link(links)? };
    run(&args.id, change, &args.dry, catalog, quiet, out)
}

pub(super) fn unlink(args: &Unlink, catalog: &Catalog, quiet: bool, out: &mut Out) -> Result<Exit, Failure> {
    run(&args.id, Change::unlink(wanted(&args.links))?, &args.dry, catalog, quiet, out)
}

pub(super) fn link_parent(
    args: &LinkParent,
    catalog: &Catalog,
    quiet: bool,
    out: &mut Out,
) -> Result<Exit, Failure> {
    run(&args.child, Change::parent(args.parent.as_deref())?, &args.dry, catalog, quiet, out)
}

pub(super) fn close(args: &Close, catalog: &Catalog, quiet: bool, out: &mut Out) -> Result<Exit, Failure> {
    let value = args.outcome.to_possible_value();
    let outcome: Outcome = value.as_ref().map_or("", |value| value.get_name()).parse()?;
    run(&args.id, Change::close(outcome, args.reason.as_deref()), &args.dry, catalog, quiet, out)
}

pub(super) fn reopen(args: &Reopen, catalog: &Catalog, quiet: bool, out: &mut Out) -> Result<Exit, Failure> {
    run(&args.id, Change::close(Outcome::Open, args.reason.as_deref()), &args.dry, catalog, quiet, out)
}

fn wanted(links: &Links) -> Wanted<'_> {
    let all = |names: &'_ [String]| names.iter().map(|name| name.clone().into()).collect();
    Wanted { tasks: all(&links.tasks), projects: all(&links.projects) }
}

/// What sessions-db says of an event that it has written.
#[derive(Serialize)]
struct Written<'a> {
    ok: bool,
    op: &'a str,
    stable_id: &'a str,
    event_id: Option<&'a str>,
    #[serde(flatten)]
    extras: serde_json::Map<String, serde_json::Value>,
}

/// What sessions-db says of an event that it would write.
#[derive(Serialize)]
struct Dried<'a> {
    dry_run: bool,
    event: DriedEvent<'a>,
}

#[derive(Serialize)]
struct DriedEvent<'a> {
    op: &'a str,
    stable_id: &'a str,
    payload: Raw<'a>,
}

fn run(
    id: &str,
    change: Change,
    dry: &Dry,
    catalog: &Catalog,
    quiet: bool,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let event = if dry.dry_run { catalog.dry_run(id, change)? } else { catalog.change(id, change)? };
    let payload = event.op.payload();
    if out.json {
        let (op, stable_id) = (event.op.name(), &*event.stable_id);
        if dry.dry_run {
            out.pretty(&Dried { dry_run: true, event: DriedEvent { op, stable_id, payload } })?;
        } else {
            let event_id = event.event_id.as_deref();
            let extras = serde_json::from_str(payload.text()).map_err(std::io::Error::from)?;
            out.pretty(&Written { ok: true, op, stable_id, event_id, extras })?;
        }
        return Ok(Exit::Done);
    }
    let stable_id = name(&event.stable_id);
    if dry.dry_run {
        out.line("[dry-run] would write event:")?;
        out.line(format_args!("  op:        {}", event.op.name()))?;
        out.line(format_args!("  stable_id: {stable_id}"))?;
        out.line(format_args!("  payload:   {}", name(payload.text())))?;
    } else if !quiet {
        let event_id = event.event_id.as_deref().unwrap_or("-");
        out.line(format_args!("ok: {} written for {stable_id} (event_id={event_id})", event.op.name()))?;
        for member in scan::members(payload.text().as_bytes()) {
            let value = scan::string(member.value).unwrap_or_else(|| String::from_utf8_lossy(member.value));
            out.line(format_args!("  {}: {}", name(&scan::unescape(member.key)), name(&value)))?;
        }
    }
    Ok(Exit::Done)
}
