//! A memory in a prompt: what is known goes in front of what is asked, and what is said may be remembered or forgotten.
//!
//! ```sh
//! echo 'remember: uses Lua 5.4' | cargo run -p annals-memory --example prompt -- target/memory.jsonl
//! echo 'which Lua do I use?' | cargo run -p annals-memory --example prompt -- target/memory.jsonl
//! echo 'forget: 1' | cargo run -p annals-memory --example prompt -- target/memory.jsonl
//! ```

#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::io::BufRead;

use annals_memory::{Error as MemoryError, Memory, MemoryOptions, NewItem, Render};

/// A model's window is small, and most of it belongs to the conversation.
const BACKGROUND_CHARS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("give a file to keep the memory in")?;
    let memory = match MemoryOptions::new().program("prompt").open(&path) {
        Ok(memory) => memory,
        // A lost record may have been a tombstone. Whether to go on is for a person to say.
        Err(error @ MemoryError::Incomplete { .. }) => {
            return Err(format!("{error}; ask before going on").into());
        }
        Err(error) => return Err(error.into()),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if let Some(fact) = line.strip_prefix("remember: ") {
            // Said twice is known once.
            let added = memory.add(&NewItem::fact(fact).source("user").unless_known())?;
            println!("(remembered as {})", added.id());
        } else if let Some(id) = line.strip_prefix("forget: ") {
            match memory.forget(id.trim().parse()?)? {
                Some(item) => println!("(forgot: {})", item.content),
                None => println!("(there is no item {id})"),
            }
        } else {
            println!("{}", prompt(&memory, &line)?);
        }
    }
    memory.close()?;
    Ok(())
}

/// What a model is given.
fn prompt(memory: &Memory, question: &str) -> annals_memory::Result<String> {
    let background = memory.render(&Render::new().budget_chars(BACKGROUND_CHARS))?;
    Ok(format!("You are a helpful assistant.\n\n{}\nUser: {question}", background.text))
}
