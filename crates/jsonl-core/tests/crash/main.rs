//! Is an acknowledged record still there when its writer, or the one beside it, is killed? And when the system
//! takes only a part of a write?
//!
//! Needs processes of its own to kill and to limit, so this program is both the test and the writers: called
//! with `writer …` it writes until it is killed and acknowledges each record on standard output.
//!
//! The negative control is a writer that does what most programs do: one write with `O_APPEND`, no lock, no
//! look at the end. The same harness has to catch it losing records.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, missing_docs)]

use std::process::ExitCode;

#[cfg(unix)]
mod kill;
#[cfg(unix)]
mod limit;
#[cfg(unix)]
mod writer;

/// Name and body of each test.
type Test = (&'static str, fn());

#[cfg(unix)]
const TESTS: &[Test] = &[
    ("kill::acknowledged_records_survive_the_death_of_a_writer", kill::acknowledged_records_survive),
    ("kill::the_harness_catches_a_writer_that_loses_records", kill::the_control_is_caught),
    (
        "limit::a_short_write_is_reported_and_healed_at_every_byte",
        limit::short_writes_are_reported_and_healed,
    ),
];

#[cfg(not(unix))]
const TESTS: &[Test] = &[];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    #[cfg(unix)]
    if args.first().is_some_and(|arg| arg == "writer") {
        return writer::run(&args[1..]);
    }
    if args.iter().any(|arg| arg == "--list") {
        for (name, _) in TESTS {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filter = args.iter().find(|arg| !arg.starts_with('-'));
    let wanted: Vec<&Test> =
        TESTS.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter.as_str()))).collect();
    println!("\nrunning {} tests", wanted.len());
    for (name, test) in &wanted {
        // A failed assertion ends the process, with its message.
        test();
        println!("test {name} ... ok");
    }
    let left_out = TESTS.len() - wanted.len();
    println!(
        "\ntest result: ok. {} passed; 0 failed; 0 ignored; 0 measured; {left_out} filtered out\n",
        wanted.len()
    );
    ExitCode::SUCCESS
}
