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

use libtest_mimic::{Arguments, Trial};

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
    let trials = TESTS.iter().map(|(name, test)| {
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    });
    // One after the other: each starts processes of its own.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
