//! `annals trust list`, `log`, `prune`.

use annals_trust::{Decided, Entry, Trust};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::trust::{Log, Prune};
use crate::exit::{Exit, Failure};
use crate::human::{path as show, plural, second};
use crate::out::Out;

#[derive(Serialize)]
struct EntryObject {
    decision: &'static str,
    paths: Vec<String>,
    set: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    time: Option<Timestamp>,
    doubtful: bool,
}

fn word(entry: &Entry) -> &'static str {
    match entry.decision {
        Decided::Allow(_) if entry.is_doubtful => "doubtful",
        Decided::Allow(_) => "allowed",
        Decided::Deny => "denied",
        Decided::Revoke => "revoked",
        _ => "other",
    }
}

fn print(entries: &[Entry], out: &mut Out) -> Result<(), Failure> {
    for entry in entries {
        let time = entry.time.and_then(|time| Timestamp::try_from(time).ok());
        let digest = match entry.decision {
            Decided::Allow(digest) => Some(digest.to_string()),
            _ => None,
        };
        if out.json {
            out.object(&EntryObject {
                decision: word(entry),
                paths: entry.paths.iter().map(|path| path.display().to_string()).collect(),
                set: entry.is_set,
                sha256: digest,
                time,
                doubtful: entry.is_doubtful,
            })?;
            continue;
        }
        let time = time.map_or_else(|| String::from("-"), second);
        let digest = digest.map_or_else(|| String::from("-"), |digest| digest[..12].to_owned());
        let paths: Vec<String> = entry.paths.iter().map(|path| show(path)).collect();
        let set = if entry.is_set { "set of " } else { "" };
        out.line(format_args!("{:<8}  {time:<19}  {digest:<12}  {set}{}", word(entry), paths.join(" ")))?;
    }
    Ok(())
}

pub(super) fn list(trust: &Trust, out: &mut Out) -> Result<Exit, Failure> {
    let entries = trust.list()?;
    if entries.is_empty() && !out.json {
        out.note("nothing is approved or denied");
    }
    print(&entries, out)?;
    Ok(Exit::Done)
}

pub(super) fn log(args: &Log, trust: &Trust, out: &mut Out) -> Result<Exit, Failure> {
    let entries = trust.history(args.file.as_deref())?;
    if entries.is_empty() && !out.json {
        out.note("nothing was decided");
    }
    print(&entries, out)?;
    Ok(Exit::Done)
}

pub(super) fn prune(args: &Prune, trust: &Trust, out: &mut Out) -> Result<Exit, Failure> {
    let gone = trust.prune(args.dry_run)?;
    print(&gone, out)?;
    if !out.json {
        let what = if args.dry_run { "would revoke" } else { "revoked" };
        out.note(format!("{what} {} of files that are gone", plural(gone.len() as u64, "approval")));
    }
    Ok(Exit::Done)
}
