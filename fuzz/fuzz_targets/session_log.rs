//! Whatever was done to a session's log: every way of reading it agrees, what was acknowledged afterwards is there, and
//! compaction takes nothing that is visible.
//!
//! The first bytes are orders: which lines of a real log are copied, dropped, cut or flipped. The rest goes in as it is.
#![no_main]

use annals_session::{CompactOptions, Durability, Entry, Message, Scope, Session, StoreOptions, Truncate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions::new().durability(Durability::Buffer).threads(1);
    let store = options.open(folder.path().join("s")).expect("a store");
    let session = store.session("s").expect("a key");
    for n in 0..8 {
        session.say("user", &n.to_string()).expect("append");
        if n == 5 {
            session.truncate(&Truncate::keep_last(3).summary("sum")).expect("truncate");
        }
    }
    let path = session.path().expect("look").expect("there");
    let whole = std::fs::read(&path).expect("read");
    let mut lines: Vec<Vec<u8>> = whole.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (orders, rest) = bytes.split_at(bytes.len().min(12));
    for order in orders.chunks_exact(3) {
        let (from, to) = (usize::from(order[1]) % lines.len(), usize::from(order[2]) % lines.len());
        match order[0] % 6 {
            0 => lines.insert(to, lines[from].clone()),
            1 if lines.len() > 1 => drop(lines.remove(from)),
            2 => {
                let len = usize::from(order[2]) % lines[from].len();
                lines[from].truncate(len);
            }
            3 => {
                let at = usize::from(order[2]) % lines[from].len().max(1);
                if let Some(byte) = lines[from].get_mut(at) {
                    *byte ^= 1 << (order[0] >> 5);
                }
            }
            4 => lines.swap(from, to),
            _ => lines.insert(to, [rest, b"\n"].concat()),
        }
        lines.retain(|line| !line.is_empty());
        if lines.is_empty() {
            lines.push(b"\n".to_vec());
        }
    }
    let mut log = lines.concat();
    if orders.first().is_some_and(|first| first % 2 == 0) {
        log.extend_from_slice(rest);
    }
    std::fs::write(&path, &log).expect("write");
    // A copied header may say that it is of a version to come; anything else opens.
    let session = store.session("s").expect("a key");
    let Ok(before) = session.history() else { return };
    check(&session);
    let Ok(seq) = session.say("user", "next") else { return };
    let after = session.history().expect("history");
    assert!(after.messages.iter().any(|message| message.seq() == seq && message.text() == "next"));
    assert_eq!(after.messages.len(), before.messages.len() + 1);
    assert_eq!(after.summary, before.summary);
    check(&session);
    session.compact(&CompactOptions::new()).expect("compact");
    assert_eq!(bodies(&session.history().expect("history").messages), bodies(&after.messages));
    assert!(session.history().expect("history").report.log.damaged() == 0 || session.removed().expect("removed").is_empty());
    session.say("user", "last").expect("append");
    check(&session);
});

fn bodies(messages: &[Message]) -> Vec<(u64, Vec<u8>)> {
    let mut bodies: Vec<_> = messages.iter().map(|message| (message.seq(), message.raw().to_vec())).collect();
    // What was moved stays moved, but a page knows numbers only.
    bodies.sort();
    bodies
}

fn check(session: &Session) {
    let transcript = session.transcript().expect("transcript");
    let history = session.history().expect("history");
    let visible: Vec<Message> =
        transcript.messages().filter(|message| message.seq() >= transcript.visible_from).cloned().collect();
    assert_eq!(bodies(&history.messages), bodies(&visible));
    let mut one_by_one = Vec::new();
    let report = session.for_each(Scope::Transcript, |entry| {
        if let Entry::Message(message) = entry {
            one_by_one.push(message);
        }
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(report.expect("each").log.bytes, transcript.report.log.bytes);
    assert_eq!(one_by_one.len(), transcript.messages().count());
    // A tail doesn't see what somebody moved far away from it.
    if transcript.report.disordered == 0 {
        let tail = session.tail(usize::MAX).expect("tail");
        assert_eq!(bodies(&tail.messages), bodies(&history.messages));
    }
}
