//! What was asked for on the command line.

use crate::corpus::Size;
use crate::measure::{Output, Table};

/// Words, and flags that begin with `--`.
#[derive(Debug)]
pub struct Command {
    args: Vec<String>,
}

impl Command {
    /// What this program was called with.
    pub fn of_this_process() -> Self {
        Self { args: std::env::args().skip(1).collect() }
    }

    /// Whether a flag was given.
    pub fn has(&self, flag: &str) -> bool {
        self.args.iter().any(|arg| arg == flag)
    }

    /// All that are no flags.
    pub fn words(&self) -> Vec<String> {
        self.args.iter().filter(|arg| !arg.starts_with("--")).cloned().collect()
    }

    /// Small with `--quick`, as small as can be with `--answers`.
    pub fn size(&self) -> Size {
        if self.has("--answers") {
            Size::Least
        } else if self.has("--quick") {
            Size::Quick
        } else {
            Size::Full
        }
    }

    /// A table of the jobs that are meant by the words, with so many rounds if nothing else was asked for.
    pub fn table(&self, rounds: usize) -> Table {
        let output = if self.has("--json") { Output::Json } else { Output::Table };
        let rounds = match self.size() {
            Size::Least => 0,
            _ if self.has("--once") => 1,
            Size::Quick => 3,
            Size::Full => rounds,
        };
        Table::new(self.words(), output, rounds, self.has("--alone"))
    }
}
