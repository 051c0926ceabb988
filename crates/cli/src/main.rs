//! `annals`: keeps, looks into, searches, checks and mends what AI agents said.

mod agents;
mod args;
mod commands;
mod describe;
mod exit;
mod files;
mod human;
mod input;
mod out;
mod parallel;
mod progress;
mod store;
mod when;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use agents::{Agents, Found};
use args::{Args, Command, LogCommand, Show, Tail};
use commands::transcripts::show::is_told_apart;
use exit::{Exit, Failure};
use out::Out;
use store::{Home, Target};

fn main() -> ExitCode {
    let args = Args::parse();
    // A write beyond a limit is then an error that names the file, and the log is healed by the next writer.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
    let mut out = Out::new(args.json, args.color);
    let result = run(&args, &mut out);
    out.finish(result).into()
}

fn run(args: &Args, out: &mut Out) -> Result<Exit, Failure> {
    let home = Home::of(args.root.as_deref());
    match &args.command {
        Command::Ls(ls) if ls.paths.is_empty() => commands::transcripts::ls::run(ls, &home, out),
        Command::Ls(ls) if ls.filter.is_set() => {
            let text = "--agent, --project and --since choose sessions; with PATH, ls lists logs";
            Err(Failure::Told(Exit::Usage, text.to_owned()))
        }
        Command::Ls(ls) => commands::ls::run(ls, &home, out),
        Command::Show(show) => run_show(show, &home, out),
        Command::Tail(tail) => run_tail(tail, &home, out),
        Command::Search(search) => commands::transcripts::search::run(search, &home, out),
        Command::Stats(stats) if stats.names.is_empty() || stats.by.is_some() || stats.filter.is_set() => {
            commands::transcripts::stats::run(stats, &home, out)
        }
        Command::Stats(stats) => commands::stats::run(stats, &home, out),
        Command::Verify(verify) => commands::transcripts::verify::run(verify, &home, out),
        Command::Doctor(doctor) => commands::doctor::run(doctor, &home, out),
        Command::Append(append) => commands::sessions::append::run(append, &home, out),
        Command::Begin(begin) => commands::sessions::begin::run(begin, &home, out),
        Command::Truncate(truncate) => commands::sessions::change::truncate(truncate, &home, out),
        Command::Summary(summary) => commands::sessions::change::summary(summary, &home, out),
        Command::Metadata(metadata) => commands::sessions::change::metadata(metadata, &home, out),
        Command::Compact(compact) => commands::sessions::change::compact(compact, &home, out),
        Command::Fork(fork) => commands::sessions::change::fork(fork, &home, out),
        Command::Archive(archive) => commands::sessions::keep::archive(archive, &home, out),
        Command::Restore(restore) => commands::sessions::keep::restore(restore, &home, out),
        Command::Rm(rm) => commands::sessions::keep::rm(rm, &home, out),
        Command::Who(who) => commands::sessions::keep::who(who, &home, out),
        Command::Alias(alias) => commands::sessions::keep::alias(alias, &home, out),
        Command::Import(import) => commands::sessions::import::run(import, &home, out),
        Command::Export(export) => commands::sessions::export::run(export, &home, out),
        Command::Memory(memory) => commands::memory::run(memory, &home, out),
        Command::Catalog(catalog) => commands::catalog::run(catalog, &home, out),
        Command::Trust(trust) => commands::trust::run(trust, &home, out),
        Command::Log(LogCommand::Append(append)) => commands::log_append::run(append, out),
        Command::Log(LogCommand::Repair(repair)) => commands::log_repair::run(repair, out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "annals", &mut script);
            out.bytes(&script)?;
            Ok(Exit::Done)
        }
        Command::Man { folder } => commands::man::run(folder.as_deref(), out),
    }
}

fn run_show(show: &Show, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let agents = Agents::of_environment();
    let target = home.target(&show.name, show.key, &agents, out)?;
    // Whose transcript a file is that was named: looked at once, for a first line may be large.
    let found = match &target {
        Target::File(path, None) if !show.records => Found::of_file(path)?,
        _ => None,
    };
    let told_apart = found.filter(|found| is_told_apart(found.agent));
    if let Some(lines) = show.tail {
        let (name, key, records, view) = (show.name.clone(), show.key, show.records, show.view);
        let tail = Tail { name, key, lines, follow: false, records, view };
        match &target {
            Target::Session(name) => return commands::sessions::tail::run(&tail, name, home, out),
            Target::File(path, None) if told_apart.is_none() => {
                return commands::tail::run(&tail, path, out);
            }
            Target::Transcript(found, None) if show.records => {
                return commands::tail::run(&tail, found.path(), out);
            }
            _ => {}
        }
    }
    let no_leaf = || match show.leaf {
        None => Ok(()),
        Some(_) => {
            let text =
                "--leaf is for transcripts in which one record follows another: Claude Code's and pi's";
            Err(Failure::Told(Exit::Usage, text.to_owned()))
        }
    };
    if let Some(found) = told_apart {
        return commands::transcripts::show::run(show, &found, &agents, out);
    }
    match target {
        Target::File(path, number) => no_leaf().and_then(|()| commands::show::run(show, path, number, out)),
        Target::Transcript(found, None) if !show.records => {
            commands::transcripts::show::run(show, &found, &agents, out)
        }
        Target::Transcript(found, number) => commands::show::run(show, found.path().to_owned(), number, out),
        Target::Session(name) => {
            no_leaf()?;
            commands::sessions::show::run(show, &name, home, out)
        }
    }
}

fn run_tail(tail: &Tail, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let agents = Agents::of_environment();
    match home.target(&tail.name, tail.key, &agents, out)? {
        Target::File(path, None) if !tail.records => match Found::of_file(&path)? {
            Some(found) if is_told_apart(found.agent) => commands::transcripts::tail::run(tail, &found, out),
            _ => commands::tail::run(tail, &path, out),
        },
        Target::Transcript(found, None) if !tail.records => {
            commands::transcripts::tail::run(tail, &found, out)
        }
        Target::File(path, None) => commands::tail::run(tail, &path, out),
        Target::Transcript(found, None) => commands::tail::run(tail, found.path(), out),
        Target::File(_, Some(_)) | Target::Transcript(_, Some(_)) => {
            let name = human::name(&tail.name.to_string_lossy());
            let text = format!("{name}: tail takes no line number; show does");
            Err(Failure::Told(Exit::Usage, text))
        }
        Target::Session(name) => commands::sessions::tail::run(tail, &name, home, out),
    }
}

/// Errors of `write` to standard output, which are not about a log.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Pipe } else { Self::Output(error) }
    }
}
