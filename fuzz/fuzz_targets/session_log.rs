//! Whatever was done to a session's log: every way of reading it agrees, what was acknowledged afterwards is there, and
//! compaction takes nothing that is visible.
//!
//! The first bytes are orders to spoil a real log; the rest goes in as it is.
#![no_main]

use annals_fuzz::{orders, spoil};
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
    let (orders, rest) = orders(bytes);
    let log = spoil(&whole, orders, rest);
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
    assert!(
        session.history().expect("history").report.log.damaged() == 0
            || session.removed().expect("removed").is_empty()
    );
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
    let is_message = |count: &mut usize, entry: &Entry| *count += usize::from(matches!(entry, Entry::Message(_)));
    let (count, report) = session.fold(Scope::Transcript, || 0, is_message, |a, b| a + b).expect("fold");
    assert_eq!(count, one_by_one.len());
    assert_eq!(report.log.bytes, transcript.report.log.bytes);
    // A tail doesn't see what somebody moved far away from it.
    if transcript.report.disordered == 0 {
        let tail = session.tail(usize::MAX).expect("tail");
        assert_eq!(bodies(&tail.messages), bodies(&history.messages));
    }
}
