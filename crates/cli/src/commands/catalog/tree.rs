//! `annals catalog tree`.

use annals_catalog::{Catalog, DEPTH_MAX, Node, Session, Tree};
use jiff::Timestamp;

use super::find::ID_WIDTH;
use super::relative;
use crate::args::catalog::Tree as Args;
use crate::exit::{Exit, Failure};
use crate::human::name;
use crate::out::Out;

pub(super) fn run(args: &Args, catalog: &Catalog, out: &mut Out) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    if args.up {
        let ancestors = catalog.ancestors(&args.id)?;
        if out.json {
            out.pretty(&ancestors)?;
            return Ok(Exit::Done);
        }
        if ancestors.is_empty() {
            out.line("(no parent)")?;
        }
        for session in &ancestors {
            out.line(label(session, now))?;
        }
        return Ok(Exit::Done);
    }
    let tree = catalog.descendants(&args.id)?;
    if out.json {
        out.pretty(&tree)?;
    } else {
        print(&tree, "", "", now, out)?;
    }
    Ok(Exit::Done)
}

/// A session behind `first`, and what is below it behind `rest`.
fn print(tree: &Tree, first: &str, rest: &str, now: Timestamp, out: &mut Out) -> Result<(), Failure> {
    let (session, children) = match &tree.node {
        Node::Session { session, children } => (session, &children[..]),
        Node::Circular { session } | Node::TooDeep { session } => (session, &[][..]),
        _ => return Ok(()),
    };
    out.line(format_args!("{first}{}", label(session, now)))?;
    match &tree.node {
        Node::Circular { .. } => out.line(format_args!("{rest}(circular reference)"))?,
        Node::TooDeep { .. } => out.line(format_args!("{rest}(max depth reached: {DEPTH_MAX})"))?,
        _ => {}
    }
    for (number, child) in (1..).zip(children) {
        let (branch, below) =
            if number == children.len() { ("└── ", "    ") } else { ("├── ", "│   ") };
        print(child, &format!("{rest}{branch}"), &format!("{rest}{below}"), now, out)?;
    }
    Ok(())
}

fn label(session: &Session, now: Timestamp) -> String {
    let id: String = name(&session.stable_id).chars().take(ID_WIDTH).collect();
    let alias = session.alias.as_ref().map(|alias| format!(" ({})", name(alias))).unwrap_or_default();
    let (state, outcome) = (name(&session.activity_state), name(&session.outcome));
    format!("{id}{alias} [{state}/{outcome}] {}", relative::since(&session.last_progress_at, now))
}
