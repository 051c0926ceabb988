//! `annals`: looks into, searches, checks and mends the JSON Lines that AI agents leave behind.

mod args;
mod commands;
mod describe;
mod exit;
mod files;
mod human;
mod out;
mod progress;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Args, Command, LogCommand};
use exit::{Exit, Failure};
use out::Out;

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
    match &args.command {
        Command::Ls(ls) => commands::ls::run(ls, out),
        Command::Show(show) => commands::show::run(show, out),
        Command::Tail(tail) => commands::tail::run(tail, out),
        Command::Search(search) => commands::search::run(search, out),
        Command::Stats(stats) => commands::stats::run(stats, out),
        Command::Verify(verify) => commands::verify::run(verify, out),
        Command::Log(LogCommand::Append(append)) => commands::log_append::run(append, out),
        Command::Log(LogCommand::Repair(repair)) => commands::log_repair::run(repair, out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "annals", &mut script);
            out.bytes(&script)?;
            Ok(Exit::Done)
        }
    }
}

/// Errors of `write` to standard output, which are not about a log.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Pipe } else { Self::Output(error) }
    }
}
