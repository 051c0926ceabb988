//! Runs the harnesses, and is the process that they kill.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod run;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    #[cfg(unix)]
    if args.first().is_some_and(|arg| arg == "worker") {
        // What went wrong has been said, or will be found.
        let worked = annals_crash::worker::run(&args[1..]);
        return if worked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    let outcome = run::run(&args);
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    let outcome: Result<(), String> = Err(format!("{args:?}: the harnesses are for Linux on x86-64"));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}
