//! A chat that can be killed at any moment and goes on where it was.
//!
//! ```sh
//! cargo run -p annals-session --example chat_loop -- target/chat
//! ```
//!
//! Each line that is typed is on the device before the answer begins. While the answer is made, each word goes to
//! the log as a note, which survives `kill -9` and costs no sync; the whole answer is a message, on the device. After
//! a kill in the middle of an answer, the next start finds a question without an answer, and the words that were
//! there already.

#![allow(clippy::print_stdout, missing_docs)]

use std::io::{BufRead, Write};
use std::time::Duration;

use annals_session::{Durability, Entry, Session, Store};
use serde::{Deserialize, Serialize};

/// A piece of an answer that is not complete yet.
#[derive(Serialize, Deserialize)]
struct Draft {
    draft: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("give a folder to keep the chat in")?;
    let session = Store::open(folder)?.session("chat")?;
    let history = session.history()?;
    for message in &history.messages {
        let (role, text) = message.said();
        println!("{role}: {text}");
    }
    if history.messages.last().is_some_and(|message| message.role() == "user") {
        println!("(going on with the answer)");
        answer(&session)?;
    }
    for line in std::io::stdin().lock().lines() {
        session.say("user", &line?)?;
        answer(&session)?;
    }
    session.close()?;
    Ok(())
}

/// Answers the last message, from where an answer to it had got to.
fn answer(session: &Session) -> Result<(), Box<dyn std::error::Error>> {
    let transcript = session.transcript()?;
    let question =
        transcript.messages().last().map(|message| message.text().into_owned()).unwrap_or_default();
    let asked = transcript.messages().last().map_or(0, annals_session::Message::seq);
    let mut answer = String::new();
    for entry in &transcript.entries {
        if let Entry::Note(note) = entry
            && note.seq() > asked
            && let Ok(Draft { draft }) = serde_json::from_slice(note.raw())
        {
            answer.push_str(&draft);
        }
    }
    print!("assistant: {answer}");
    std::io::stdout().flush()?;
    let buffered = session.with_durability(Durability::Buffer);
    for word in words_behind(&question, &answer) {
        std::thread::sleep(Duration::from_millis(50));
        buffered.append_note(&Draft { draft: word.clone() })?;
        answer.push_str(&word);
        print!("{word}");
        std::io::stdout().flush()?;
    }
    println!();
    session.say("assistant", &answer)?;
    Ok(())
}

/// In place of a model: the words of its answer that come behind what it has said.
fn words_behind(question: &str, said: &str) -> Vec<String> {
    let whole = format!("You said: {question}. I will think about that, and tell you tomorrow.");
    whole.strip_prefix(said).unwrap_or_default().split_inclusive(' ').map(str::to_owned).collect()
}
