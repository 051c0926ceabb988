//! Tails, pages, lists, forks, followers: what the originals don't have.

use std::time::Duration;

use annals_session::{
    CompactOptions, Cursor, Entry, Error, ImportedEntry, ImportedSession, ListOptions, Place as Where, Scope,
    Since, Truncate,
};
use serde_json::json;

use crate::support::{Place, start, texts};

/// A session with a megabyte of messages, so that reading begins in the middle.
fn big(place: &Place) -> annals_session::Session {
    let session = place.session("big");
    let messages =
        (0..4000).map(|n| json!({"role": "user", "content": format!("{n} {}", "x".repeat(n % 700))}));
    session.append_all(messages).unwrap();
    session
}

#[test]
fn reading_from_the_middle_gives_what_reading_all_gives() {
    let place = Place::new();
    let session = big(&place);
    assert!(session.path().unwrap().unwrap().metadata().unwrap().len() > 1 << 20);
    let all: Vec<_> = session.transcript().unwrap().messages().cloned().collect();
    assert_eq!(all.len(), 4000);
    for keep in [1, 2, 50, 1999, 3999, 4000] {
        session.reveal().unwrap();
        session.truncate(&Truncate::keep_last(keep).summary(format!("kept {keep}"))).unwrap();
        let history = session.history().unwrap();
        assert_eq!(history.summary, format!("kept {keep}"));
        assert!(
            history.messages.iter().map(|m| m.raw()).eq(all[4000 - keep..].iter().map(|m| m.raw())),
            "{keep}"
        );
        assert!(history.report.is_clean());
        let tail = session.tail(50).unwrap();
        assert_eq!(tail.messages.len(), keep.min(50));
        assert_eq!(tail.messages.last().unwrap().seq(), 4000);
        let page = session.page(Scope::History, None, 100).unwrap();
        assert_eq!(page.messages.len(), keep.min(100));
        assert_eq!(page.older.is_some(), keep > 100);
    }
}

#[test]
fn a_cursor_survives_growth_truncation_and_compaction() {
    let place = Place::new();
    let session = big(&place);
    let first = session.page(Scope::Transcript, None, 10).unwrap();
    let cursor: Cursor = first.older.unwrap().to_string().parse().unwrap();
    let second = session.page(Scope::Transcript, Some(&cursor), 10).unwrap();
    session.say("user", "more").unwrap();
    session.truncate(&Truncate::before(3900)).unwrap();
    session.compact(&CompactOptions::new()).unwrap();
    let again = session.page(Scope::History, Some(&cursor), 10).unwrap();
    let seqs = |page: &annals_session::Page| -> Vec<u64> { page.messages.iter().map(|m| m.seq()).collect() };
    assert_eq!(seqs(&again), seqs(&second));
    assert_eq!(seqs(&again), (3981..=3990).collect::<Vec<_>>());
    let json = serde_json::to_string(&cursor).unwrap();
    assert_eq!(serde_json::from_str::<Cursor>(&json).unwrap(), cursor);
    for text in ["", "17", "x@", "17@yesterday", "-1@"] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
    session.delete().unwrap();
    session.say("user", "another life").unwrap();
    assert!(matches!(session.page(Scope::History, Some(&cursor), 10), Err(Error::StaleCursor { .. })));
    assert!(session.page(Scope::History, None, 0).unwrap().messages.is_empty());
}

#[test]
fn a_list_has_titles_counts_and_filters_without_reading_all() {
    let place = Place::new();
    for number in 0..5 {
        let session = place.session(&format!("chat:{number}"));
        session.say("system", "be brief").unwrap();
        session.append(&json!({"role": "user", "content": [
            {"type": "image", "data": "x".repeat(100_000)}, {"type": "text", "text": format!("  what is\n\t{number}?  ")},
        ]})).unwrap();
        for _ in 0..number {
            session.say("assistant", "hm").unwrap();
        }
        let time = start() + Duration::from_secs(number * 60);
        let file = std::fs::File::options().append(true).open(session.path().unwrap().unwrap()).unwrap();
        file.set_modified(time).unwrap();
    }
    place.session("chat:4").truncate(&Truncate::keep_last(1)).unwrap();
    let list = |options: ListOptions| -> Vec<String> {
        let list = place.store.list(&options).unwrap();
        assert!(list.unlisted.is_empty());
        assert_eq!(list.total, 5);
        list.sessions.into_iter().map(|listed| listed.key).collect()
    };
    assert_eq!(list(ListOptions::new()), ["chat:4", "chat:3", "chat:2", "chat:1", "chat:0"]);
    assert_eq!(list(ListOptions::new().limit(2).skip(1)), ["chat:3", "chat:2"]);
    assert_eq!(list(ListOptions::new().key_contains(":2")), ["chat:2"]);
    assert_eq!(list(ListOptions::new().key_contains("chat").skip(4)), ["chat:0"]);
    assert_eq!(list(ListOptions::new().messages_min(4).limit(9)), ["chat:3", "chat:2"]);
    assert_eq!(list(ListOptions::new().until(start() + Duration::from_secs(60))), ["chat:0"]);
    assert_eq!(list(ListOptions::new().since(start() + Duration::from_secs(180))), ["chat:4", "chat:3"]);
    let listed = &place.store.list(&ListOptions::new().limit(1)).unwrap().sessions[0];
    assert_eq!(listed.title.as_deref(), Some("what is 4?"));
    assert_eq!((listed.messages, listed.messages_kept, listed.last_seq), (1, 6, 7));
    assert_eq!(listed.place, Where::Active);
    assert!(listed.created.unwrap() >= start() && listed.last.unwrap() >= listed.created.unwrap());
}

#[test]
fn what_cannot_be_listed_keeps_nothing_else_out() {
    let place = Place::new();
    for key in ["a", "b"] {
        place.session(key).say("user", "hm").unwrap();
    }
    place.session("b").archive().unwrap();
    // No folder is there, so it can't be listed.
    let stray = place.store.dir().join("archive/stray");
    std::fs::write(&stray, "").unwrap();
    let list = place.store.list(&ListOptions::new().archived(true)).unwrap();
    assert_eq!((list.sessions.len(), list.total, list.unlisted.len()), (2, 3, 1));
    assert_eq!(list.unlisted[0].path, stray);
}

#[test]
fn a_fork_knows_its_parent_and_goes_its_own_way() {
    let place = Place::new();
    let session = place.session("a");
    session.begin(&json!({"model": "m"})).unwrap();
    for text in ["1", "2", "3"] {
        session.say("user", text).unwrap();
    }
    session.set_summary("later").unwrap();
    let fork = session.fork("b", Some(2)).unwrap();
    assert_eq!(texts(&fork.history().unwrap()), ["1", "2"]);
    assert_eq!(fork.summary().unwrap(), "", "that came later");
    assert_eq!(fork.metadata::<serde_json::Value>().unwrap(), Some(json!({"model": "m"})));
    let parent = fork.parent().unwrap().unwrap();
    assert_eq!((&parent.key[..], parent.seq), ("a", 2));
    assert_eq!(fork.say("user", "other").unwrap(), 3);
    assert_eq!(texts(&session.history().unwrap()), ["1", "2", "3"]);
    assert_eq!(
        place.store.list(&ListOptions::new().key_contains("b")).unwrap().sessions[0].parent,
        Some(parent)
    );
    assert!(matches!(session.fork("b", None), Err(Error::Exists { .. })));
    assert!(matches!(session.fork("c", Some(99)), Err(Error::NoSuchRecord { .. })));
    assert!(matches!(place.session("none").fork("c", None), Err(Error::NotFound { .. })));
    session.archive().unwrap();
    assert_eq!(texts(&session.fork("d", None).unwrap().history().unwrap()), ["1", "2", "3"]);
    let all = fork.fork("e", Some(0)).unwrap();
    assert!(all.history().unwrap().messages.is_empty());
}

#[test]
fn a_follower_sees_each_record_once_also_across_compaction() {
    let place = Place::new();
    let session = place.session("a");
    for text in ["1", "2"] {
        session.say("user", text).unwrap();
    }
    let mut all = session.follow(Since::Beginning).unwrap();
    let mut new = session.follow(Since::Now).unwrap();
    let mut later = session.follow(Since::Seq(1)).unwrap();
    let take = |follow: &mut annals_session::FollowSession| -> Vec<String> {
        let mut found = Vec::new();
        while let Some(entry) = follow.next_within(Duration::ZERO).unwrap() {
            found.push(match entry {
                Entry::Message(message) => message.text().into_owned(),
                Entry::Event(event) => event.name,
                other => format!("{other:?}"),
            });
        }
        found
    };
    assert_eq!(take(&mut all), ["begin", "1", "2"]);
    assert_eq!(take(&mut new), Vec::<String>::new());
    assert_eq!(take(&mut later), ["2"]);
    session.say("user", "3").unwrap();
    session.truncate(&Truncate::keep_last(1)).unwrap();
    session.compact(&CompactOptions::new()).unwrap();
    session.say("user", "4").unwrap();
    for follow in [&mut all, &mut new, &mut later] {
        assert_eq!(take(follow), ["3", "truncate", "4"]);
        assert_eq!(follow.damaged(), 0);
    }
    session.delete().unwrap();
    assert!(take(&mut all).is_empty());
    session.say("user", "another life").unwrap();
    assert_eq!(take(&mut all), ["begin", "another life"]);
}

#[test]
fn an_import_is_whole_and_says_what_it_refused() {
    let place = Place::new();
    let deep = format!("{{\"role\":\"user\",\"x\":{}{}}}", "[".repeat(127), "]".repeat(127));
    let raw: [(&[u8], bool); 5] = [
        (br#"{"role":"user","content":"1"}"#, true),
        (br#"{"reasoning":"hm"}"#, false),
        (deep.as_bytes(), true),
        (br#"{"role":"user" , "content":"2"}"#, true),
        (b"42", false),
    ];
    let entries =
        raw.iter().map(|(raw, is_message)| ImportedEntry { raw, is_message: *is_message, time: None });
    let imported = ImportedSession {
        entries: entries.collect(),
        hidden: 2,
        summary: "s".into(),
        metadata: Some(serde_json::value::to_raw_value(&json!({"m": 1})).unwrap()),
        created: Some(start()),
    };
    let session = place.session("i");
    let report = session.import(&imported, false).unwrap();
    assert_eq!((report.messages, report.notes), (2, 2));
    assert_eq!(report.refused, [(2, "it is nested too deep".to_owned())]);
    let history = session.history().unwrap();
    assert_eq!((texts(&history), &history.summary[..]), (vec!["2".to_owned()], "s"));
    assert!(history.report.is_clean());
    assert_eq!(history.messages[0].raw(), raw[3].0);
    assert_eq!(history.messages[0].time(), Some(start()));
    let transcript = session.transcript().unwrap();
    assert_eq!(transcript.messages().count(), 2);
    assert!(matches!(&transcript.entries[2], Entry::Note(note) if note.raw() == raw[1].0));
    assert!(matches!(session.import(&imported, false), Err(Error::Exists { .. })));
    session.say("user", "3").unwrap();
    assert_eq!(session.history().unwrap().messages.len(), 2);
    session.archive().unwrap();
    assert!(matches!(session.import(&imported, false), Err(Error::Archived { .. })));
    session.import(&imported, true).unwrap();
}

#[test]
fn one_by_one_and_on_several_threads_gives_what_all_at_once_gives() {
    let place = Place::new();
    let session = place.session("big");
    // More than one part.
    let messages =
        (0..3000).map(|n| json!({"role": "user", "content": format!("{n} {}", "x".repeat(3000 + n % 700))}));
    session.append_all(messages).unwrap();
    session.truncate(&Truncate::keep_last(2500)).unwrap();
    let path = session.path().unwrap().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    for at in [bytes.len() / 3, bytes.len() / 2] {
        bytes[at] ^= 1;
    }
    // Longer than any line may be, so it is in no chunk.
    let line_end = bytes.len() * 2 / 3
        + bytes[bytes.len() * 2 / 3..].iter().position(|byte| *byte == b'\n').unwrap()
        + 1;
    let long = [&vec![b'x'; jsonl_core::MAX_LINE_LEN + 1][..], b"\n"].concat();
    bytes.splice(line_end..line_end, long);
    std::fs::write(&path, bytes).unwrap();
    for scope in [Scope::History, Scope::Transcript] {
        let mut found = Vec::new();
        let report = session
            .for_each(scope, |entry| {
                found.push(entry.seq());
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        let (all, whole): (Vec<u64>, _) = match scope {
            Scope::History => {
                let history = session.history().unwrap();
                (history.messages.iter().map(|message| message.seq()).collect(), history.report)
            }
            _ => {
                let transcript = session.transcript().unwrap();
                (transcript.entries.iter().map(Entry::seq).collect(), transcript.report)
            }
        };
        assert_eq!(found, all);
        assert_eq!((&report.gaps, report.log.damaged()), (&whole.gaps, whole.log.damaged()));
        assert_eq!(report.log.bytes, whole.log.bytes);
        let step = |found: &mut Vec<u64>, entry: &Entry| found.push(entry.seq());
        let (folded, report) = session.fold(scope, Vec::new, step, |a, b| [a, b].concat()).unwrap();
        assert_eq!(folded, all);
        assert_eq!((&report.gaps, report.log.damaged()), (&whole.gaps, whole.log.damaged()));
        assert_eq!((report.log.bytes, report.log.lines), (whole.log.bytes, whole.log.lines));
        assert_eq!((report.log.records, report.log.sealed), (whole.log.records, whole.log.sealed));
    }
    let gone = place.session("gone").fold(Scope::History, || 7, |_, _| (), |a, b| a + b).unwrap();
    assert!(gone.0 == 7 && gone.1.is_clean());
    let mut first = 0;
    session
        .for_each(Scope::History, |entry| {
            first = entry.seq();
            std::ops::ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(first, 501);
}

/// Whatever the first line is that ends the quick way: what was handed over before it comes once, and what is behind it comes.
#[test]
fn a_fold_gives_what_one_by_one_gives_in_whatever_order_lines_are() {
    let place = Place::new();
    let session = place.session("mixed");
    for n in 0..4 {
        session.say("user", &format!("question {n}")).unwrap();
        session.append_note(&json!({"n": n})).unwrap();
        session.say("assistant", "two\nlines").unwrap();
        session.set_summary(&format!("until {n}")).unwrap();
    }
    let path = session.path().unwrap().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mut logs = vec![bytes.clone(), bytes[..bytes.len() - 1].to_vec()];
    for at in 1..lines.len() {
        for to in [1, lines.len() / 2, lines.len() - 1] {
            let mut moved = lines.clone();
            let line = moved.remove(at);
            logs.push(moved.concat());
            moved.insert(to, line);
            logs.push(moved.concat());
            moved.insert(at, line);
            logs.push(moved.concat());
        }
        let text = std::str::from_utf8(lines[at]).unwrap();
        for other in [
            String::from("{\"none\":\"of ours\"}\n"),
            text.replacen('t', "T", 1),
            text.replace("\"seq\":", " \"seq\":"),
            [text.trim_end(), text].concat(),
            String::from("\n"),
        ] {
            let mut changed = lines.clone();
            changed[at] = other.as_bytes();
            logs.push(changed.concat());
        }
    }
    for (n, log) in logs.iter().enumerate() {
        std::fs::write(&path, log).unwrap();
        for scope in [Scope::History, Scope::Transcript] {
            let mut found = Vec::new();
            let report = session
                .for_each(scope, |entry| {
                    found.push(format!("{entry:?}"));
                    std::ops::ControlFlow::Continue(())
                })
                .unwrap();
            let step = |found: &mut Vec<String>, entry: &Entry| found.push(format!("{entry:?}"));
            let (folded, other) = session.fold(scope, Vec::new, step, |a, b| [a, b].concat()).unwrap();
            assert_eq!(folded, found, "log {n}");
            assert_eq!((&other.gaps, other.repeated), (&report.gaps, report.repeated), "log {n}");
            assert_eq!((other.disordered, other.unknown), (report.disordered, report.unknown), "log {n}");
            assert_eq!(other.log.bytes, report.log.bytes, "log {n}");
            assert_eq!(
                (other.log.records, other.log.lines),
                (report.log.records, report.log.lines),
                "log {n}"
            );
        }
    }
}
