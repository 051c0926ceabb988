//! annals beside other engines: SQLite, redb and fjall for durable messages and histories; simd-json, sonic-rs and arrow-json for parsing.
//!
//! `cargo xtask bench --engines` builds and runs it.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod parsing;
mod storing;

use annals_benches::corpus::{Random, Size, turn};
use annals_benches::measure::{Output, Table};
use annals_benches::originals::Message;
use annals_benches::saved;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let words: Vec<String> = args.iter().filter(|arg| !arg.starts_with("--")).cloned().collect();
    let size = if has("--quick") { Size::Quick } else { Size::Full };
    let output = if has("--json") { Output::Json } else { Output::Table };
    let mut table = Table::new(words, output, if size == Size::Quick { 3 } else { 5 }, false);
    let folder = tempfile::tempdir_in(folder()).unwrap();
    for (name, content_len) in [("small", 60), ("chat", 10_000)] {
        let mut random = Random(5);
        let messages: Vec<Message> = (0..1000)
            .map(|n| turn(&mut random, n, content_len))
            .map(|turn| Message { role: turn.role, content: turn.content })
            .collect();
        storing::run(folder.path(), name, &messages, size, &mut table);
        parsing::run(folder.path(), name, &messages, size, &mut table);
    }
    let rows = table.finish();
    if has("--save") {
        saved::save(rows);
    }
}

/// Beside the build, on the same disk as everything else that is measured.
fn folder() -> std::path::PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(1).unwrap().to_owned()
}

/// The same messages in a session of ours.
fn filled(folder: &std::path::Path, messages: &[Message], count: usize) -> annals_session::Session {
    use annals_session::{Durability, StoreOptions};
    let store = StoreOptions::new().durability(Durability::Buffer).open(folder.join("ours")).unwrap();
    let session = store.begin_unnamed(&serde_json::json!({})).unwrap();
    for first in (0..count).step_by(1000) {
        let part = (first..count.min(first + 1000)).map(|n| &messages[n % messages.len()]);
        session.append_all(part).unwrap();
    }
    session
}
