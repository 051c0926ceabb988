//! annals beside other engines: SQLite, redb and fjall for durable messages and histories; simd-json, sonic-rs and arrow-json for parsing.
//!
//! `cargo xtask bench --engines` builds and runs it.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod parsing;
mod storing;

use std::path::PathBuf;

use annals_benches::command::Command;
use annals_benches::messages::messages;
use annals_benches::saved;

fn main() {
    let command = Command::of_this_process();
    let size = command.size();
    let mut table = command.table(5);
    let folder = tempfile::tempdir_in(folder()).unwrap();
    for (name, content_len) in [("small", 60), ("chat", 10_000)] {
        let messages = messages(content_len);
        storing::run(folder.path(), name, &messages, size, &mut table);
        parsing::run(folder.path(), name, &messages, size, &mut table);
    }
    let rows = table.finish();
    if command.has("--save") {
        saved::save(rows);
    }
}

/// Beside the build, on the same disk as everything else that is measured.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(1).unwrap().to_owned()
}
