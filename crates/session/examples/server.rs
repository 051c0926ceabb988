//! Many conversations at once: one store, shared by threads, whose clients' messages wait for the same syncs.
//!
//! ```sh
//! cargo run -p annals-session --example server -- target/server
//! cargo run -p annals-session --example server -- target/server 4040     # and then: nc localhost 4040
//! ```
//!
//! A client sends `KEY TEXT` lines and gets an answer to each. A message is on the device before anybody hears of it, so a client
//! that got an answer will find it in the history after any crash. Without a port, the example is its own clients:
//! run it again, or kill it and run it again, and the counts go on where they were.

#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use annals_session::{ListOptions, Session, Store};

const CLIENTS: usize = 16;
const MESSAGES: usize = 25;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("give a folder to keep the conversations in")?;
    let store = Store::open(folder)?;
    let port = args.next().map(|port| port.parse()).transpose()?;
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))?;
    let address = listener.local_addr()?;
    println!("listening on {address}");
    let server = {
        let store = store.clone();
        move || {
            for client in listener.incoming().flatten() {
                let store = store.clone();
                // A thread for each client; a store is a handle, and clones share what is open.
                thread::spawn(move || serve(&store, &client));
            }
        }
    };
    if port.is_some() {
        server();
        return Ok(());
    }
    thread::spawn(server);
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS).map(|client| thread::spawn(move || talk(address, client))).collect();
    for client in clients {
        client.join().map_err(|_| "a client panicked")?.map_err(|error| error.to_string())?;
    }
    let (messages, took) = (CLIENTS * MESSAGES, begun.elapsed());
    println!(
        "{messages} messages answered, {:.0} each second, all on the device",
        messages as f64 / took.as_secs_f64()
    );
    for listed in store.list(&ListOptions::new().limit(3))?.sessions {
        println!(
            "{}: {} messages, begun with {:?}",
            listed.key,
            listed.messages,
            listed.title.unwrap_or_default()
        );
    }
    Ok(())
}

/// Answers one client, until it goes.
fn serve(store: &Store, client: &TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut answers = client;
    for line in BufReader::new(client).lines() {
        let line = line?;
        let (key, text) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match store.session(key).and_then(|session| answer(&session, text)) {
            Ok(answer) => answer,
            // A key that is none, a disk that is full: the client hears of it, and others go on.
            Err(error) => format!("error: {error}"),
        };
        answers.write_all(format!("{answer}\n").as_bytes())?;
    }
    Ok(())
}

/// In place of a model: says how much it has heard.
fn answer(session: &Session, text: &str) -> annals_session::Result<String> {
    session.say("user", text)?;
    // The last messages are enough for an answer, and cost the same in a conversation of any length.
    let heard = session.tail(20)?.messages.iter().filter(|message| message.role() == "user").count();
    let answer = format!("I have heard {heard} of your last messages.");
    session.say("assistant", &answer)?;
    Ok(answer)
}

fn talk(server: std::net::SocketAddr, client: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(server)?;
    let mut answers = BufReader::new(stream.try_clone()?).lines();
    for number in 0..MESSAGES {
        stream.write_all(format!("client:{client} message {number}\n").as_bytes())?;
        match answers.next().transpose()? {
            Some(answer) if !answer.starts_with("error: ") => {}
            other => {
                return Err(std::io::Error::other(other.unwrap_or_else(|| "the server has gone".to_owned())));
            }
        }
    }
    Ok(())
}
