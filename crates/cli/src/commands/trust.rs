//! `annals trust`: one module for a few commands that are alike.

mod ask;
mod decide;
mod diff;
mod list;

use std::env;
use std::mem::ManuallyDrop;
use std::path::PathBuf;

use annals_trust::{Trust, TrustOptions};

use crate::args::trust::{Find, Trust as Args, TrustCommand};
use crate::exit::{Exit, Failure};
use crate::human::name;
use crate::out::Out;
use crate::store::Home;

pub(crate) fn run(args: &Args, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let path = match &args.store {
        Some(store) => store.clone(),
        None => home.join("trusted-projects")?,
    };
    // The program ends behind this: giving back what is known of thousands of approvals, piece by piece, would take longer than asking for one.
    let trust = ManuallyDrop::new(TrustOptions::new().program("annals").open(path));
    warn(&trust, out);
    match &args.command {
        TrustCommand::Check(check) => ask::check(check, &trust, out),
        TrustCommand::Cat(cat) => ask::cat(cat, &trust, out),
        TrustCommand::Allow(allow) => decide::allow(allow, &trust, out),
        TrustCommand::Deny(deny) => decide::deny(deny, &trust, out),
        TrustCommand::Revoke(revoke) => decide::revoke(revoke, &trust, out),
        TrustCommand::List(_) => list::list(&trust, out),
        TrustCommand::Log(log) => list::log(log, &trust, out),
        TrustCommand::Prune(prune) => list::prune(prune, &trust, out),
        TrustCommand::Diff(diff) => diff::run(diff, &trust, out),
        TrustCommand::Find(find) => run_find(find, out),
    }
}

/// Damage is said each time: what is approved in front of it is in doubt. Other errors come with the answer.
fn warn(trust: &Trust, out: &mut Out) {
    if let Ok(report) = trust.report()
        && report.damaged > 0
    {
        let store = crate::human::path(trust.path());
        let first = report.damages.first().map(|damage| format!(" ({})", name(&damage.to_string())));
        out.note(format!(
            "{store}: damaged lines{}; approvals in front of them don't count, approve again",
            first.unwrap_or_default()
        ));
    }
}

fn run_find(args: &Find, out: &mut Out) -> Result<Exit, Failure> {
    let cannot =
        |source| Failure::Trust(annals_trust::Error::Io { action: "find", path: PathBuf::from("."), source });
    let here = env::current_dir().map_err(cannot)?;
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let stop = args.stop.clone().or(home);
    // As the current folder is written: without links.
    let stop = stop.map(|stop| stop.canonicalize().unwrap_or(stop));
    match annals_trust::find_upwards(&here, &args.name, stop.as_deref())? {
        Some(path) => {
            out.bytes(path.as_os_str().as_encoded_bytes())?;
            out.bytes(b"\n")?;
            Ok(Exit::Done)
        }
        None => Err(Failure::Told(Exit::NotFound, format!("there is no {} here or above", name(&args.name)))),
    }
}
