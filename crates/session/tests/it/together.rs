//! Several threads and handles at once, and few descriptors.

use std::collections::HashMap;
use std::thread;

use annals_session::{CompactOptions, ListOptions, Truncate};

use crate::support::Place;

#[test]
fn threads_and_handles_number_without_gaps_and_keep_their_order() {
    let place = Place::new();
    let other = place.again();
    thread::scope(|scope| {
        for thread in 0..8 {
            let store = if thread % 2 == 0 { place.store.clone() } else { other.clone() };
            scope.spawn(move || {
                for number in 0..60 {
                    let session = store.session(&format!("s{}", number % 3)).unwrap();
                    session.say("user", &format!("{thread}:{number}")).unwrap();
                    if number % 17 == 0 {
                        session.truncate(&Truncate::keep_last(5)).unwrap();
                    }
                    if number % 29 == 0 {
                        session.compact(&CompactOptions::new()).unwrap();
                    }
                }
            });
        }
    });
    for key in ["s0", "s1", "s2"] {
        let session = place.session(key);
        let mut all = session.removed_messages().unwrap();
        let transcript = session.transcript().unwrap();
        assert!(transcript.report.is_clean(), "{:?}", transcript.report);
        all.extend(transcript.messages().cloned());
        assert_eq!(all.len(), 160);
        let mut last: HashMap<String, usize> = HashMap::new();
        for message in &all {
            let text = message.text();
            let (thread, number) = text.split_once(':').unwrap();
            let number: usize = number.parse().unwrap();
            let before = last.insert(thread.to_owned(), number);
            assert!(before.is_none_or(|before| before < number));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_sessions_take_few_descriptors() {
    let place = Place::new();
    let store = annals_session::StoreOptions::new()
        .durability(annals_session::Durability::Buffer)
        .handles(16)
        .open(place.store.dir())
        .unwrap();
    let sessions: Vec<_> = (0..1000).map(|number| store.session(&format!("s{number}")).unwrap()).collect();
    for session in &sessions {
        session.say("user", "hi").unwrap();
    }
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let dir = place.store.dir().canonicalize().unwrap();
    let ours = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    let ours = ours.filter(|path| path.starts_with(&dir)).count();
    assert!((1..=17).contains(&ours), "{ours} descriptors");
    assert_eq!(store.list(&ListOptions::new().titles(false)).unwrap().sessions.len(), 1000);
}

#[test]
fn an_edit_sees_what_nobody_can_change_meanwhile() {
    let place = Place::new();
    let other = place.again();
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = if thread % 2 == 0 { place.store.clone() } else { other.clone() };
            scope.spawn(move || {
                let session = store.session("counter").unwrap();
                for _ in 0..25 {
                    session
                        .edit(|edit| {
                            let count = edit.history()?.len();
                            edit.append(&annals_session::ChatMessage::new("user", count.to_string()))
                        })
                        .unwrap();
                }
            });
        }
    });
    let texts = crate::support::texts(&place.session("counter").history().unwrap());
    assert!(texts.iter().map(|text| text.parse::<usize>().unwrap()).eq(0..100));
    // One that fails changes nothing.
    let failed = place.session("counter").edit(|edit| {
        edit.append(&annals_session::ChatMessage::new("user", "x"))?;
        edit.append(&1).map(drop)
    });
    assert!(failed.is_err());
    assert_eq!(place.session("counter").history().unwrap().messages.len(), 100);
}

#[test]
fn threads_that_share_a_sync_get_numbers_of_their_own() {
    let place = Place::new();
    let store = annals_session::Store::open(place.store.dir()).unwrap();
    let acknowledged: Vec<(u64, String)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|thread| {
                let store = store.clone();
                scope.spawn(move || {
                    let session = store.session("s").unwrap();
                    let say = |number| {
                        let text = format!("{thread}:{number}");
                        (session.say("user", &text).unwrap(), text)
                    };
                    (0..20).map(say).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let found: HashMap<u64, String> = place
        .session("s")
        .transcript()
        .unwrap()
        .messages()
        .map(|message| (message.seq(), message.text().into_owned()))
        .collect();
    assert_eq!(found.len(), 320);
    for (seq, text) in acknowledged {
        assert_eq!(found[&seq], text);
    }
    // One that is too long is refused, and nobody else's.
    let store = annals_session::StoreOptions::new().max_line_len(1000).open(place.store.dir()).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                let session = store.session("t").unwrap();
                for number in 0..10 {
                    let is_long = (thread + number) % 3 == 0;
                    let text = "x".repeat(if is_long { 2000 } else { 10 });
                    assert_eq!(session.say("user", &text).is_err(), is_long);
                }
            });
        }
    });
    let expected = (0..8).flat_map(|t| (0..10).map(move |n| t + n)).filter(|sum| sum % 3 != 0).count();
    assert_eq!(place.session("t").history().unwrap().messages.len(), expected);
}
