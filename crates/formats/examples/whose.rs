//! Whose transcript is it, what was said last, and what is wrong with it?
//!
//! ```sh
//! cargo run -p annals-formats --example whose -- examples/transcripts/*.jsonl
//! ```

#![allow(clippy::print_stdout, missing_docs)]

use annals_formats::Transcript;
use annals_formats::transcript::Effect;

fn main() -> annals_formats::Result<()> {
    for path in std::env::args().skip(1) {
        let Some(transcript) = Transcript::open(&path)? else {
            println!("{path}: no agent's that is known");
            continue;
        };
        let overview = transcript.overview();
        let title = overview.title.as_ref().or(overview.first_prompt.as_ref());
        println!("{path}: {}, {:?}", transcript.agent().name(), title.map_or("", String::as_str));
        // What counts: no other branches, no side chains, nothing twice.
        let said = transcript.conversation().messages;
        for index in said.iter().rev().take(2).rev() {
            let message = transcript.message(*index)?;
            let text = message.text();
            println!(
                "  line {}, {}: {}",
                message.line,
                message.role.name(),
                text.lines().next().unwrap_or_default()
            );
        }
        for remark in &overview.remarks {
            println!("  {remark}");
        }
        for problem in transcript.problems() {
            let effect = match problem.effect {
                Effect::Nothing => "",
                Effect::Prevents => ", and its agent can't go on",
                _ => ", and its agent goes on without what was said before",
            };
            println!("  line {}: {}{effect}", problem.line, problem.kind);
        }
    }
    Ok(())
}
