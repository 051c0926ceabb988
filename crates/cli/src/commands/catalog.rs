//! `annals catalog`: one module for a few commands that are alike.

mod change;
mod find;
mod hook;
mod relative;
mod tree;
mod upkeep;

use std::env;
use std::path::PathBuf;

use annals_catalog::{CatalogOptions, Rules, paths};

use crate::args::catalog::{Catalog as Args, CatalogCommand, Hook};
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::store::Home;

pub(crate) fn run(args: &Args, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    if args.no_color {
        out.no_color();
    }
    if let CatalogCommand::Hook(Hook::SessionStart(_)) = &args.command {
        return Ok(hook::session_start(args, home));
    }
    let catalog = options(args).open(place(args, home)?);
    match &args.command {
        CatalogCommand::Init(_) => return upkeep::init(&catalog, args.quiet, out),
        _ if !catalog.exists()? => {
            let root = crate::human::path(catalog.root());
            let next = if args.own {
                "`annals catalog --own init` makes one, and so does its hook"
            } else {
                "`annals catalog init` makes one, --own is annals's own"
            };
            let text = format!("{root}: there is no catalog here; {next}");
            return Err(Failure::Told(Exit::NotFound, text));
        }
        _ => {}
    }
    match &args.command {
        CatalogCommand::Find(find) => find::run(find, &catalog, out),
        CatalogCommand::Tree(tree) => tree::run(tree, &catalog, out),
        CatalogCommand::Show(show) => find::show(show, &catalog, out),
        CatalogCommand::Alias(alias) => change::alias(alias, &catalog, args.quiet, out),
        CatalogCommand::Link(link) => change::link(link, &catalog, args.quiet, out),
        CatalogCommand::Unlink(unlink) => change::unlink(unlink, &catalog, args.quiet, out),
        CatalogCommand::LinkParent(link) => change::link_parent(link, &catalog, args.quiet, out),
        CatalogCommand::Close(close) => change::close(close, &catalog, args.quiet, out),
        CatalogCommand::Reopen(reopen) => change::reopen(reopen, &catalog, args.quiet, out),
        CatalogCommand::Sweep(sweep) => upkeep::sweep(sweep, &catalog, args, out),
        CatalogCommand::Rebuild(_) => upkeep::rebuild(&catalog, args.quiet, out),
        CatalogCommand::Watch(watch) => upkeep::watch(watch, &catalog, out),
        CatalogCommand::Export(export) => upkeep::export(export, &catalog, args.quiet, out),
        CatalogCommand::Verify(_) => upkeep::verify(&catalog, out),
        CatalogCommand::Init(_) | CatalogCommand::Hook(_) => Ok(Exit::Done),
    }
}

fn options(args: &Args) -> CatalogOptions {
    let rules = if args.compat { Rules::SessionsDb } else { Rules::Annals };
    CatalogOptions::new().program("annals").rules(rules)
}

/// The folder of the catalog that is meant.
fn place(args: &Args, home: &Home) -> Result<PathBuf, Failure> {
    if let Some(place) = given(args, home)? {
        return Ok(place);
    }
    let here =
        env::current_dir().map_err(|error| Failure::Told(Exit::Internal, format!("this folder: {error}")))?;
    let variable = env::var_os(paths::ROOT_VARIABLE).filter(|root| !root.is_empty());
    if matches!(args.command, CatalogCommand::Init(_)) {
        // One further up is not the one that is to be made.
        return Ok(here.join(variable.unwrap_or_else(|| paths::DOT_FOLDER.into())));
    }
    Ok(paths::resolve(None, variable.as_deref(), &here)?.root)
}

/// The folder that the arguments name.
fn given(args: &Args, home: &Home) -> Result<Option<PathBuf>, Failure> {
    Ok(match (&args.store, &args.workspace) {
        (Some(store), _) => Some(store.clone()),
        (None, Some(workspace)) => Some(paths::of_workspace(workspace)),
        (None, None) if args.own => Some(home.join("catalog")?),
        (None, None) => None,
    })
}
