//! Everything that aish's, orca's and picoclaw's session stores do, item by item.

use std::thread;

use annals_session::{
    ChatMessage, CompactOptions, Durability, Error, ListOptions, Place as Where, Resolved, Store, Truncate,
};
use serde_json::{Value, json};

use crate::support::{Place, start, texts};

fn say_numbers(session: &annals_session::Session, numbers: std::ops::Range<usize>) {
    for number in numbers {
        session.say("user", &number.to_string()).unwrap();
    }
}

// aish.

#[test]
fn aish_metadata_is_written_once_and_turns_come_back_in_order() {
    let place = Place::new();
    let session = place.session("2026-05-09t23-16-07z");
    assert!(session.begin(&json!({"model": "fast"})).unwrap());
    for (role, text) in [("user", "a"), ("assistant", "b"), ("user", "")] {
        session.say(role, text).unwrap();
    }
    session.close().unwrap();
    let session = place.again().session("2026-05-09t23-16-07z").unwrap();
    assert!(!session.begin(&json!({"model": "other"})).unwrap());
    let history = session.history().unwrap();
    assert_eq!(texts(&history), ["a", "b", ""]);
    assert_eq!(history.metadata::<Value>().unwrap(), Some(json!({"model": "fast"})));
    assert_eq!(session.metadata::<Value>().unwrap(), Some(json!({"model": "fast"})));
    assert!(history.report.is_clean());
    assert_eq!(place.store.list(&ListOptions::new()).unwrap().sessions.len(), 1);
}

#[test]
fn aish_close_is_idempotent_and_append_after_it_an_error() {
    let place = Place::new();
    let session = place.session("s");
    session.say("user", "a").unwrap();
    let clone = session.clone();
    session.close().unwrap();
    session.close().unwrap();
    assert!(matches!(clone.say("user", "b"), Err(Error::Closed { .. })));
    assert!(matches!(session.compact(&CompactOptions::new()), Err(Error::Closed { .. })));
    assert_eq!(session.history().unwrap().messages.len(), 1);
    place.session("never begun").close().unwrap();
    place.session("s").say("user", "b").unwrap();
}

#[test]
fn aish_sessions_that_start_in_one_instant_have_keys_of_their_own() {
    let place = Place::new();
    let store = annals_session::StoreOptions::new()
        .durability(Durability::Buffer)
        .clock(start)
        .open(place.store.dir())
        .unwrap();
    let keys: Vec<String> = thread::scope(|scope| {
        let begin = || {
            let store = store.clone();
            move || store.begin_unnamed(&()).unwrap().key().to_owned()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(begin())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = keys.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 8);
    assert_eq!(sorted[0], "2026-11-20t08-00-00.000z");
}

#[test]
fn aish_turns_keep_every_field_and_digit() {
    let place = Place::new();
    let session = place.session("s");
    let raw = br#"{"big":1234567890123456789012, "content":null ,"role":"assistant","empty":[],"f":0.10}"#;
    session.append_raw(raw).unwrap();
    assert_eq!(session.history().unwrap().messages[0].raw(), raw);
}

#[test]
fn aish_a_missing_folder_is_an_empty_list() {
    let place = Place::new();
    let store = Store::open(place.store.dir().join("nowhere")).unwrap();
    assert!(store.list(&ListOptions::new().archived(true)).unwrap().sessions.is_empty());
    assert!(!store.dir().exists(), "looking makes no folder");
}

// orca.

#[test]
fn orca_save_load_list_exists_and_dir() {
    let place = Place::new();
    assert_eq!(place.session("a").exists().unwrap(), None);
    for key in ["a", "b", "name.jsonl"] {
        place.session(key).say("user", key).unwrap();
    }
    std::fs::create_dir(place.store.dir().join("folder.jsonl")).unwrap();
    let list = place.store.list(&ListOptions::new()).unwrap();
    let mut keys: Vec<_> = list.sessions.iter().map(|listed| listed.key.clone()).collect();
    keys.sort();
    assert_eq!(keys, ["a", "b", "name.jsonl"]);
    assert_eq!(place.session("name.jsonl").exists().unwrap(), Some(Where::Active));
    assert!(place.store.dir().ends_with("sessions"));
}

#[test]
fn orca_an_archived_session_can_be_read_and_nothing_else() {
    let place = Place::new();
    let session = place.session("a");
    session.say("user", "1").unwrap();
    assert_eq!(session.archive().unwrap(), 1);
    assert_eq!(session.exists().unwrap(), Some(Where::Archived(1)));
    assert_eq!(texts(&session.history().unwrap()), ["1"]);
    let refused = [
        session.say("user", "2").map(drop),
        session.set_summary("s").map(drop),
        session.truncate(&Truncate::keep_last(0)).map(drop),
        session.compact(&CompactOptions::new()).map(drop),
        session.archive().map(drop),
        session.archived(1).say("user", "2").map(drop),
        session.begin(&()).map(drop),
        session.set_history([ChatMessage::new("user", "x")]),
    ];
    for (at, result) in refused.into_iter().enumerate() {
        assert!(matches!(result, Err(Error::Archived { .. })), "{at}: {result:?}");
    }
    assert!(place.store.list(&ListOptions::new()).unwrap().sessions.is_empty());
    let list = place.store.list(&ListOptions::new().archived(true)).unwrap();
    assert_eq!(list.sessions[0].place, Where::Archived(1));
    assert_eq!(session.restore(None).unwrap(), 1);
    session.say("user", "2").unwrap();
    assert_eq!(texts(&session.history().unwrap()), ["1", "2"]);
}

#[test]
fn orca_archiving_again_never_overwrites() {
    let place = Place::new();
    let session = place.session("a");
    for round in 1..=3_u64 {
        assert!(session.begin_anew(&()).unwrap());
        session.say("user", &format!("round {round}")).unwrap();
        assert_eq!(session.archive().unwrap(), round);
    }
    assert_eq!(session.archives().unwrap(), [1, 2, 3]);
    for round in 1..=3 {
        assert_eq!(texts(&session.archived(round).history().unwrap()), [format!("round {round}")]);
    }
    assert_eq!(texts(&session.history().unwrap()), ["round 3"]);
    assert_eq!(session.restore(Some(2)).unwrap(), 2);
    assert!(matches!(session.restore(None), Err(Error::Exists { .. })));
    assert_eq!(session.archive().unwrap(), 4);
    let error = session.restore(Some(2)).unwrap_err();
    assert!(
        matches!(&error, Error::NoSuchArchive { number: 2, there, .. } if *there == [1, 3, 4]),
        "{error}"
    );
}

#[test]
fn orca_delete_takes_both_and_missing_is_no_error() {
    let place = Place::new();
    let session = place.session("a");
    let nothing = session.delete().unwrap();
    assert!(!nothing.active && nothing.archived == 0);
    session.say("user", "1").unwrap();
    session.archive().unwrap();
    session.begin_anew(&()).unwrap();
    say_numbers(&session, 0..4);
    session.truncate(&Truncate::keep_last(1)).unwrap();
    session.compact(&CompactOptions::new()).unwrap();
    place.store.set_alias("other", "a").unwrap();
    let deleted = session.delete().unwrap();
    assert!(deleted.active && deleted.archived == 1 && deleted.removed == 1, "{deleted:?}");
    assert_eq!(session.exists().unwrap(), None);
    assert!(session.history().unwrap().messages.is_empty());
    assert!(place.store.aliases().unwrap().is_empty());
    assert!(matches!(session.truncate(&Truncate::keep_last(0)), Err(Error::NotFound { .. })));
    assert!(matches!(session.archive(), Err(Error::NotFound { .. })));
    // And it can begin once more.
    assert_eq!(session.say("user", "again").unwrap(), 1);
}

// picoclaw.

#[test]
fn picoclaw_adds_and_an_unknown_key_is_empty() {
    let place = Place::new();
    assert!(place.session("none").history().unwrap().messages.is_empty());
    assert_eq!(place.session("none").summary().unwrap(), "");
    assert!(place.session("none").transcript().unwrap().entries.is_empty());
    assert_eq!(place.session("none").exists().unwrap(), None, "reading makes nothing");
    let session = place.session("telegram:123");
    let call = json!({"role": "assistant", "content": "", "model_name": "m", "reasoning_content": "r",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"q\":\"x\"}"}}],
        "media": ["m1"], "x_unknown": {"deep": [1, 2]}});
    let result = json!({"role": "tool", "content": "r", "tool_call_id": "c1"});
    session.append(&call).unwrap();
    session.append(&result).unwrap();
    let history = session.history().unwrap();
    assert_eq!(history.messages[0].parse::<Value>().unwrap(), call);
    let typed: ChatMessage = history.messages[0].parse().unwrap();
    assert_eq!(typed.tool_calls[0].id, "c1");
    assert_eq!(serde_json::to_value(&typed).unwrap(), call);
    assert_eq!(history.messages[1].parse::<Value>().unwrap(), result);
}

#[test]
fn picoclaw_summary_is_set_and_replaced_also_without_messages() {
    let place = Place::new();
    let session = place.session("s");
    session.set_summary("one").unwrap();
    session.set_summary("two").unwrap();
    assert_eq!(session.summary().unwrap(), "two");
    assert!(session.history().unwrap().messages.is_empty());
}

#[test]
fn picoclaw_truncate_keeps_the_last() {
    for (keep, expected) in [(4, 6..10), (0, 10..10), (10, 0..10), (99, 0..10)] {
        let place = Place::new();
        let session = place.session("s");
        say_numbers(&session, 0..10);
        session.truncate(&Truncate::keep_last(keep)).unwrap();
        let expected: Vec<_> = expected.map(|number: usize| number.to_string()).collect();
        assert_eq!(texts(&session.history().unwrap()), expected);
        assert_eq!(session.transcript().unwrap().messages().count(), 10);
        session.say("user", "after").unwrap();
        assert_eq!(texts(&session.history().unwrap()).last().unwrap(), "after");
    }
}

#[test]
fn picoclaw_truncating_at_a_number_is_not_moved_by_what_arrives() {
    let place = Place::new();
    let session = place.session("s");
    say_numbers(&session, 0..6);
    let seen = session.history().unwrap().messages[4].seq();
    // A model takes its time to sum up, and messages arrive.
    say_numbers(&session, 6..9);
    session.truncate(&Truncate::before(seen).summary("0 to 3")).unwrap();
    let history = session.history().unwrap();
    assert_eq!(texts(&history), ["4", "5", "6", "7", "8"]);
    assert_eq!(history.summary, "0 to 3");
    // A slower one brings nothing back.
    session.truncate(&Truncate::before(2)).unwrap();
    assert_eq!(texts(&session.history().unwrap()).len(), 5);
    assert!(matches!(session.truncate(&Truncate::before(999)), Err(Error::NoSuchRecord { .. })));
    session.reveal().unwrap();
    assert_eq!(session.history().unwrap().messages.len(), 9);
}

#[test]
fn picoclaw_truncation_keeps_calls_with_results() {
    let place = Place::new();
    let session = place.session("s");
    say_numbers(&session, 0..3);
    session
        .append(&json!({"role": "assistant", "content": null, "tool_calls": [{"id": "a"}, {"id": "b"}]}))
        .unwrap();
    session.append(&json!({"role": "tool", "tool_call_id": "b", "content": "B"})).unwrap();
    session.append(&json!({"role": "tool", "tool_call_id": "a", "content": "A"})).unwrap();
    session.say("assistant", "done").unwrap();
    let roles = || -> Vec<String> {
        session.history().unwrap().messages.iter().map(|message| message.role().into_owned()).collect()
    };
    session.truncate(&Truncate::keep_last(2)).unwrap();
    assert_eq!(roles(), ["assistant", "tool", "tool", "assistant"]);
    session.truncate(&Truncate::keep_last(2).part_calls(true)).unwrap();
    assert_eq!(roles(), ["tool", "assistant"]);
    session.reveal().unwrap();
    let before = session.history().unwrap().messages[5].seq();
    session.truncate(&Truncate::before(before).part_calls(false)).unwrap();
    assert_eq!(roles(), ["assistant", "tool", "tool", "assistant"]);
}

#[test]
fn picoclaw_set_history_replaces_and_keeps_the_summary() {
    let place = Place::new();
    let session = place.session("s");
    say_numbers(&session, 0..5);
    session.set_summary("kept").unwrap();
    session.truncate(&Truncate::keep_last(1)).unwrap();
    session.set_history(["x", "y"].map(|text| ChatMessage::new("user", text))).unwrap();
    let history = session.history().unwrap();
    assert_eq!((texts(&history), &history.summary[..]), (vec!["x".to_owned(), "y".to_owned()], "kept"));
    assert_eq!(session.transcript().unwrap().messages().count(), 7);
    session.set_history(Vec::<ChatMessage>::new()).unwrap();
    assert!(session.history().unwrap().messages.is_empty());
    place.session("new").set_history([ChatMessage::new("user", "z")]).unwrap();
    assert_eq!(texts(&place.session("new").history().unwrap()), ["z"]);
    session
        .change_history(|messages| {
            assert!(messages.is_empty());
            Ok(vec![ChatMessage::new("user", "changed")])
        })
        .unwrap();
    assert_eq!(texts(&session.history().unwrap()), ["changed"]);
}

#[test]
fn picoclaw_compact_removes_what_is_hidden_and_keeps_it_beside() {
    let place = Place::new();
    let session = place.session("s");
    session.begin(&json!({"m": 1})).unwrap();
    say_numbers(&session, 0..10);
    assert_eq!(session.compact(&CompactOptions::new()).unwrap().removed, 0);
    session.truncate(&Truncate::keep_last(3).summary("sum")).unwrap();
    let before = session.history().unwrap();
    let path = session.path().unwrap().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let dry = session.compact(&CompactOptions::new().dry_run(true)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let compacted = session.compact(&CompactOptions::new()).unwrap();
    assert_eq!((compacted.removed, dry.removed), (7, 7));
    assert!(compacted.len_after < compacted.len_before);
    assert_eq!(compacted.len_after, std::fs::metadata(&path).unwrap().len());
    let after = session.history().unwrap();
    assert_eq!(texts(&after), ["7", "8", "9"]);
    assert!(
        before.messages.iter().map(annals_session::Message::seq).eq(after.messages.iter().map(|m| m.seq()))
    );
    assert_eq!((after.summary.as_str(), after.metadata::<Value>().unwrap()), ("sum", Some(json!({"m": 1}))));
    assert!(after.report.is_clean(), "{:?}", after.report);
    let removed: Vec<_> = session.removed_messages().unwrap().iter().map(|m| m.text().into_owned()).collect();
    assert_eq!(removed, ["0", "1", "2", "3", "4", "5", "6"]);
    assert_eq!(session.transcript().unwrap().removed, 7);
    session.say("user", "next").unwrap();
    session.truncate(&Truncate::keep_last(1)).unwrap();
    session.compact(&CompactOptions::new().keep_removed(false)).unwrap();
    assert_eq!(texts(&session.history().unwrap()), ["next"]);
    assert_eq!(session.removed().unwrap().len(), 1);
    let listed = &place.store.list(&ListOptions::new()).unwrap().sessions[0];
    assert_eq!((listed.title.as_deref(), listed.messages), (Some("0"), 1));
}

#[test]
fn picoclaw_keys_with_colons_slashes_and_underscores_are_apart() {
    let place = Place::new();
    for key in ["a:b", "a_b", "a/b", "a\\b"] {
        place.session(key).say("user", key).unwrap();
    }
    place.session("a:b").set_history(Vec::<ChatMessage>::new()).unwrap();
    for key in ["a_b", "a/b", "a\\b"] {
        assert_eq!(texts(&place.session(key).history().unwrap()), [key]);
    }
}

#[test]
fn picoclaw_a_summariser_among_writers_loses_nothing() {
    let place = Place::new();
    let session = place.session("s");
    thread::scope(|scope| {
        for thread in 0..10 {
            let session = session.clone();
            scope.spawn(move || {
                for number in 0..20 {
                    session.say("user", &format!("{thread}:{number}")).unwrap();
                }
            });
        }
        let session = session.clone();
        scope.spawn(move || {
            for _ in 0..10 {
                let history = session.history().unwrap();
                if let Some(last) = history.messages.last() {
                    session.truncate(&Truncate::before(last.seq()).summary("so far")).unwrap();
                    session.compact(&CompactOptions::new()).unwrap();
                }
            }
        });
    });
    let mut all: Vec<_> = session.removed_messages().unwrap();
    all.extend(session.transcript().unwrap().messages().cloned());
    assert_eq!(all.len(), 200);
    assert!(all.windows(2).all(|pair| pair[0].seq() < pair[1].seq()));
}

#[test]
fn picoclaw_aliases_resolve() {
    let place = Place::new();
    for key in ["sk_v1_a", "plain", "room:9/main"] {
        place.session(key).say("user", key).unwrap();
    }
    for alias in ["agent:main:direct:u1", "plain", "room:9/main"] {
        place.store.set_alias(alias, "sk_v1_a").unwrap();
    }
    let resolve = |name: &str| place.again().resolve(name).unwrap();
    let alias = Resolved::Alias("sk_v1_a".to_owned());
    assert_eq!(resolve("sk_v1_a"), Resolved::Key("sk_v1_a".to_owned()));
    assert_eq!(resolve("agent:main:direct:u1"), alias);
    assert_eq!(resolve("plain"), Resolved::Key("plain".to_owned()), "an opaque key is itself");
    assert_eq!(resolve("room:9/main"), alias, "an alias goes before a key with separators");
    assert_eq!(resolve("nobody"), Resolved::Nothing);
    assert!(place.store.remove_alias("room:9/main").unwrap());
    assert!(!place.store.remove_alias("room:9/main").unwrap());
    assert_eq!(resolve("room:9/main"), Resolved::Key("room:9/main".to_owned()));
    assert!(matches!(place.store.set_alias("x", "x"), Err(Error::OwnAlias { .. })));
}

#[test]
fn picoclaw_a_canonical_session_adopts_the_history_of_an_alias_once() {
    let place = Place::new();
    place.session("old").say("user", "before").unwrap();
    place.session("old").set_summary("sum").unwrap();
    let session = place.session("sk_v1_new");
    assert_eq!(session.adopt(&["nobody", "sk_v1_new", "old"]).unwrap().as_deref(), Some("old"));
    assert_eq!(texts(&session.history().unwrap()), ["before"]);
    assert_eq!(session.summary().unwrap(), "sum");
    assert_eq!(session.adopt(&["old"]).unwrap(), None, "not over anything");
    assert_eq!(texts(&place.session("old").history().unwrap()), ["before"]);
}

#[test]
fn picoclaw_what_is_no_message_is_refused_before_anything_is_written() {
    let place = Place::new();
    let session = place.session("s");
    let deep = format!("{{\"role\":\"user\",\"content\":{}{}}}", "[".repeat(127), "]".repeat(127));
    for raw in [
        "",
        "1",
        "[]",
        "{}",
        "{\"role\":1}",
        "{\"role\":\"user\"",
        "{\"role\":\"user\"} x",
        "\u{feff}{}",
        &deep,
    ] {
        assert!(session.append_raw(raw.as_bytes()).is_err(), "{raw}");
    }
    assert!(session.append_raw(b"{\"role\":\"\xff\"}").is_err());
    assert!(session.append(&json!({"content": "x"})).is_err());
    assert!(session.append_all([json!({"role": "user"}), json!(1)]).is_err());
    assert!(session.begin(&json!([1])).is_err());
    assert!(session.history().unwrap().messages.is_empty());
    let long = "x".repeat(17 << 20);
    assert!(session.say("user", &long).is_err());
    let nearly = "x".repeat((16 << 20) - 300);
    session.say("user", &nearly).unwrap();
    assert_eq!(session.history().unwrap().messages[0].text().len(), nearly.len());
    assert_eq!(session.tail(1).unwrap().messages.len(), 1);
}

#[test]
fn picoclaw_times_are_kept_and_the_callers_own_are_untouched() {
    let place = Place::new();
    let session = place.session("s");
    session.append_raw(br#"{"role":"user","created_at":"2026-05-22T10:00:00.1Z"}"#).unwrap();
    let given = start() - std::time::Duration::from_secs(99);
    session.edit(|edit| edit.append_raw(br#"{"role":"user"}"#, Some(given))).unwrap();
    let messages = session.history().unwrap().messages;
    assert!(messages[0].time().unwrap() >= start());
    assert_eq!(messages[1].time(), Some(given));
}

#[test]
fn picoclaw_reasoning_alone_is_kept_out_of_the_history_if_asked() {
    let place = Place::new();
    let store = annals_session::StoreOptions::new()
        .durability(Durability::Buffer)
        .thoughts_as_notes(true)
        .open(place.store.dir())
        .unwrap();
    let thought = json!({"role": "assistant", "content": "", "reasoning_content": "hm"});
    let call =
        json!({"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [{"id": "c"}]});
    let session = store.session("s").unwrap();
    session.say("user", "1").unwrap();
    session.append(&thought).unwrap();
    session.append(&call).unwrap();
    session.append(&json!({"role": "tool", "tool_call_id": "c", "content": "r"})).unwrap();
    session.append(&thought).unwrap();
    session.say("assistant", "2").unwrap();
    assert_eq!(session.history().unwrap().messages.len(), 4);
    assert_eq!(session.transcript().unwrap().entries.len(), 7, "nothing is lost");
    session.truncate(&Truncate::keep_last(1)).unwrap();
    assert_eq!(texts(&session.history().unwrap()), ["2"]);
    session.set_history([thought.clone(), call, json!({"role": "user", "content": "x"})]).unwrap();
    assert_eq!(session.history().unwrap().messages.len(), 2);
    // Others see a message like any other.
    place.session("t").append(&thought).unwrap();
    assert_eq!(place.session("t").history().unwrap().messages.len(), 1);
}
