//! A hook for an agent that starts: which session is this, seen from its first day on?
//!
//! ```sh
//! echo '{"session_id":"d22b58f8-7bce-4a20-942f-200f5966cc8b","cwd":"'$PWD'"}' |
//!   cargo run -p annals-catalog --example hook -- target/catalog
//! ```
//!
//! Reads what Claude Code gives to its hooks. Run it again with another `session_id` and a `transcript_path` that was seen before, and it
//! is the same session still. The program's own `annals catalog hook session-start` has limits and fallbacks on top.

#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use annals_catalog::{Catalog, GitContext, Observation, TranscriptMeta};

/// What is read of standard input, at most.
const INPUT_LEN_MAX: u64 = 1 << 20;

#[derive(serde::Deserialize)]
struct Input {
    session_id: String,
    cwd: PathBuf,
    transcript_path: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give a folder to keep the catalog in")?;
    let mut text = String::new();
    std::io::stdin().take(INPUT_LEN_MAX).read_to_string(&mut text)?;
    let input: Input = serde_json::from_str(&text)?;
    let catalog = Catalog::open(folder);
    let seen = catalog.observe(&observation(&input))?;
    let verb = if seen.is_new { "begins" } else { "goes on" };
    println!("{} {verb} ({})", seen.stable_id, seen.resolution.source.confidence());
    for earlier in catalog.ancestors(&seen.stable_id)? {
        println!("  after {}", earlier.alias.unwrap_or(earlier.stable_id));
    }
    Ok(())
}

/// What can be seen of it without asking anybody: files, and no processes.
fn observation(input: &Input) -> Observation {
    let git = GitContext::read(&input.cwd, Duration::from_secs(1));
    let observation = Observation::new(&input.session_id).cwd(input.cwd.to_string_lossy()).git(git);
    // A session that begins has no transcript yet.
    let transcript = |path: &PathBuf| TranscriptMeta::read(Path::new(path)).ok();
    match input.transcript_path.as_ref().and_then(transcript) {
        Some(transcript) => observation.transcript(transcript),
        None => observation,
    }
}
