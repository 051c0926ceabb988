//! `annals archive`, `restore`, `rm`, `who`, `alias`: where sessions are, and under which name.

use annals_session::{Place, Session};
use serde::Serialize;

use crate::args::sessions::{Alias, Archive, Restore, Rm, Who};
use crate::exit::{Exit, Failure};
use crate::human::{name, plural};
use crate::out::Out;
use crate::store::Home;

#[derive(Serialize)]
struct ArchivedObject<'a> {
    key: &'a str,
    dry_run: bool,
    number: Option<u64>,
}

pub(crate) fn archive(args: &Archive, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    for key in &args.keys {
        let archive = |session: &Session| -> Result<Option<u64>, Failure> {
            if !args.dry_run {
                return Ok(Some(session.archive()?));
            }
            match session.exists()? {
                Some(Place::Active) => Ok(None),
                _ => Err(annals_session::Error::Archived { key: session.key().to_owned() }.into()),
            }
        };
        let done = home.existing(&store, key).and_then(|session| Ok((archive(&session)?, session)));
        match done {
            Err(failure) => out.complain(&failure),
            Ok((number, session)) if out.json => {
                out.object(&ArchivedObject { key: session.key(), dry_run: args.dry_run, number })?;
            }
            Ok((None, session)) => out.line(format_args!("{}: would be archived", name(session.key())))?,
            Ok((Some(1), session)) => out.line(format_args!("{}: archived", name(session.key())))?,
            Ok((Some(number), session)) => {
                out.line(format_args!("{}: archived, number {number}", name(session.key())))?;
            }
        }
    }
    Ok(Exit::Done)
}

pub(crate) fn restore(args: &Restore, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    let session = home.existing(&store, &args.key)?;
    let number = session.restore(args.number)?;
    if out.json {
        out.object(&ArchivedObject { key: session.key(), dry_run: false, number: Some(number) })?;
    } else {
        out.line(format_args!("{}: active again", name(session.key())))?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct DeletedObject<'a> {
    key: &'a str,
    dry_run: bool,
    active: bool,
    archived: usize,
    removed: usize,
}

pub(crate) fn rm(args: &Rm, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    for key in &args.keys {
        let delete = |session: &Session| -> Result<(bool, usize, usize), Failure> {
            if args.dry_run {
                let active = session.exists()? == Some(Place::Active);
                return Ok((active, session.archives()?.len(), session.removed()?.len()));
            }
            let deleted = session.delete()?;
            Ok((deleted.active, deleted.archived, deleted.removed))
        };
        let done = home.existing(&store, key).and_then(|session| Ok((delete(&session)?, session)));
        let ((active, archived, removed), session) = match done {
            Ok(done) => done,
            Err(failure) => {
                out.complain(&failure);
                continue;
            }
        };
        if out.json {
            let dry_run = args.dry_run;
            out.object(&DeletedObject { key: session.key(), dry_run, active, archived, removed })?;
            continue;
        }
        let mut what = Vec::new();
        if active {
            what.push(String::from("the session"));
        }
        if archived > 0 {
            what.push(plural(archived as u64, "archived session"));
        }
        if removed > 0 {
            what.push(format!("{} of what had been removed from it", plural(removed as u64, "file")));
        }
        let verb = if args.dry_run { "would be deleted" } else { "deleted" };
        out.line(format_args!("{}: {} {verb}", name(session.key()), what.join(", ")))?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct HolderObject<'a> {
    key: &'a str,
    held: bool,
    pid: Option<u32>,
    program: Option<&'a str>,
}

pub(crate) fn who(args: &Who, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    let session = home.existing(&store, &args.key)?;
    let holder = session.holder()?;
    if out.json {
        let (pid, program) = match &holder {
            Some(holder) => (holder.pid, holder.program.as_deref()),
            None => (None, None),
        };
        out.object(&HolderObject { key: session.key(), held: holder.is_some(), pid, program })?;
    } else {
        match &holder {
            Some(holder) => out.line(name(&holder.to_string()))?,
            None => out.line("nobody")?,
        }
    }
    Ok(if holder.is_some() { Exit::Done } else { Exit::Findings })
}

#[derive(Serialize)]
struct AliasObject<'a> {
    alias: &'a str,
    key: &'a str,
}

pub(crate) fn alias(args: &Alias, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let store = home.store()?;
    match (&args.alias, &args.key) {
        (Some(alias), Some(key)) => {
            store.set_alias(alias, key)?;
            if store.session(alias)?.exists()?.is_some() {
                let alias = name(alias);
                out.note(format_args!(
                    "{alias} is the key of a session, too, and as long as that is there, it means that"
                ));
            }
        }
        (Some(alias), None) if args.remove => {
            if !store.remove_alias(alias)? {
                out.note(format_args!("{} is no alias", name(alias)));
                return Ok(Exit::NotFound);
            }
        }
        (wanted, _) => {
            let mut found = false;
            for (alias, key) in store.aliases()? {
                if wanted.as_ref().is_some_and(|wanted| *wanted != alias) {
                    continue;
                }
                found = true;
                if out.json {
                    out.object(&AliasObject { alias: &alias, key: &key })?;
                } else {
                    out.line(format_args!("{} → {}", name(&alias), name(&key)))?;
                }
            }
            if !found {
                return Ok(Exit::Findings);
            }
        }
    }
    Ok(Exit::Done)
}
