//! `annals trust allow`, `deny`, `revoke`.

use annals_trust::{Digest, Found, Trust};
use serde::Serialize;

use crate::args::trust::{Allow, Deny, Revoke};
use crate::exit::{Exit, Failure};
use crate::human::{path as show, plural, printable, size};
use crate::input::{ask, can_ask};
use crate::out::Out;

#[derive(Serialize)]
struct DecidedObject<'a> {
    decision: &'a str,
    paths: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

fn say(
    decision: &str,
    files: &[std::path::PathBuf],
    digest: Option<Digest>,
    out: &mut Out,
) -> Result<(), Failure> {
    if out.json {
        let paths = files.iter().map(|file| file.display().to_string()).collect();
        return out.object(&DecidedObject {
            decision,
            paths,
            sha256: digest.map(|digest| digest.to_string()),
        });
    }
    let files: Vec<String> = files.iter().map(|file| show(file)).collect();
    out.line(format_args!("{decision:<8} {}", files.join(" ")))
}

pub(super) fn allow(args: &Allow, trust: &Trust, out: &mut Out) -> Result<Exit, Failure> {
    let seen: Option<Digest> = args.digest.as_deref().map(str::parse).transpose()?;
    if seen.is_some() && !args.set && args.files.len() > 1 {
        let text = "--digest is that of one file; approve the others by themselves, or together with --set";
        return Err(Failure::Told(Exit::Usage, text.to_owned()));
    }
    let is_asked = seen.is_none() && !args.yes;
    if is_asked && !can_ask() {
        let text = "approving needs --digest or --yes where there is nobody to ask; nothing was approved";
        return Err(Failure::Told(Exit::Usage, text.to_owned()));
    }
    if args.set {
        let found = trust.look_set(&args.files)?;
        if is_asked {
            found.files.iter().for_each(|file| show_file(file, out));
            if !ask(&format!("Approve these {} together?", plural(found.files.len() as u64, "file")))? {
                return refuse(out);
            }
        }
        trust.allow_set(&args.files, seen.unwrap_or(found.digest))?;
        say("allowed", &args.files, Some(found.digest), out)?;
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    for file in &args.files {
        let found = match trust.look(file) {
            Ok(found) => found,
            Err(error) => {
                out.complain(&error.into());
                continue;
            }
        };
        if is_asked {
            show_file(&found, out);
            if !ask(&format!("Approve {}?", show(&found.path)))? {
                exit = exit.max(refuse(out)?);
                continue;
            }
        }
        match trust.allow(file, seen.unwrap_or(found.digest)) {
            Ok(approved) => say("allowed", std::slice::from_ref(file), Some(approved.digest()), out)?,
            Err(error) => out.complain(&error.into()),
        }
    }
    Ok(exit)
}

fn refuse(out: &mut Out) -> Result<Exit, Failure> {
    out.note("not approved");
    Ok(Exit::Findings)
}

/// What a person is to look at before they say yes: all of it, with nothing hidden.
fn show_file(found: &Found, out: &mut Out) {
    let text = printable(&String::from_utf8_lossy(&found.bytes));
    let lines: String = text.lines().map(|line| format!("  | {line}\n")).collect();
    let len = size(found.bytes.len() as u64);
    let note = if std::str::from_utf8(&found.bytes).is_ok() {
        ""
    } else {
        ", not UTF-8: some bytes are shown as \u{FFFD}"
    };
    out.note(format!("{} ({len}, SHA-256 {}{note})\n{lines}", show(&found.path), found.digest));
}

pub(super) fn deny(args: &Deny, trust: &Trust, out: &mut Out) -> Result<Exit, Failure> {
    for file in &args.files {
        match trust.deny(file) {
            Ok(()) => say("denied", std::slice::from_ref(file), None, out)?,
            Err(error) => out.complain(&error.into()),
        }
    }
    Ok(Exit::Done)
}

pub(super) fn revoke(args: &Revoke, trust: &Trust, out: &mut Out) -> Result<Exit, Failure> {
    let asked: Vec<&[std::path::PathBuf]> =
        if args.set { vec![&args.files] } else { args.files.chunks(1).collect() };
    let mut exit = Exit::Done;
    for files in asked {
        let revoked = if args.set { trust.revoke_set(files) } else { trust.revoke(&files[0]) };
        match revoked {
            Ok(true) => say("revoked", files, None, out)?,
            Ok(false) => {
                let files: Vec<String> = files.iter().map(|file| show(file)).collect();
                out.note(format!("{}: nothing was decided about it", files.join(" ")));
                exit = Exit::Findings;
            }
            Err(error) => out.complain(&error.into()),
        }
    }
    Ok(exit)
}
