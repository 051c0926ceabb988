//! What a user interface does: the last messages at once, and then each as it comes, whoever writes it.
//!
//! ```sh
//! cargo run -p annals-session --example watch -- target/watch
//! ```
//!
//! Here a thread writes, and hides and compacts what it wrote before, which the one who watches doesn't notice: each message comes
//! once. Another process may write as well.

#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::thread;
use std::time::Duration;

use annals_session::{CompactOptions, Entry, Session, Since, Store, Truncate};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give a folder to keep the session in")?;
    let session = Store::open(folder)?.session("shared")?;
    session.begin(&())?;
    // Following begins behind what is shown, so nothing is missed in between and nothing comes twice.
    let shown = session.tail(5)?;
    for message in &shown.messages {
        let (role, text) = message.said();
        println!("{role}: {text}");
    }
    let last = shown.messages.last().map_or(Since::Beginning, |message| Since::Seq(message.seq()));
    let mut follow = session.follow(last)?;
    let writer = thread::spawn(move || write(&session).map_err(|error| error.to_string()));
    loop {
        // Asked first: what was written before it ended has come by then.
        let has_ended = writer.is_finished();
        match follow.next_within(Duration::from_millis(100))? {
            Some(Entry::Message(message)) => {
                let (role, text) = message.said();
                println!("{role}: {text}");
            }
            Some(Entry::Event(event)) => println!("[{}]", event.name),
            Some(_) => {}
            None if has_ended => break,
            None => {}
        }
    }
    writer.join().map_err(|_| "the writer panicked")??;
    Ok(())
}

/// Somebody else.
fn write(session: &Session) -> annals_session::Result<()> {
    for number in 1..=5 {
        session.say("user", &format!("Is ferry {number} on time?"))?;
        session.say("assistant", "Six minutes late.")?;
        if number == 3 {
            session.truncate(&Truncate::keep_last(2).summary("Ferries are late."))?;
            session.compact(&CompactOptions::new())?;
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
