//! Damaged logs: what is left is shown, and the rest reported.

use std::fs;

use annals_session::{ListOptions, Session, Truncate};
use serde_json::{Value, json};

use crate::support::{Place, texts};

fn session(place: &Place) -> Session {
    let session = place.session("s");
    session.begin(&json!({"m": 1})).unwrap();
    for text in ["1", "2", "3", "4", "5"] {
        session.say("user", text).unwrap();
    }
    session
}

fn lines(session: &Session) -> Vec<Vec<u8>> {
    let bytes = fs::read(session.path().unwrap().unwrap()).unwrap();
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn write(session: &Session, lines: &[Vec<u8>]) {
    fs::write(session.path().unwrap().unwrap(), lines.concat()).unwrap();
}

#[test]
fn a_damaged_line_hides_only_itself_and_the_gap_is_told() {
    let place = Place::new();
    let session = session(&place);
    let mut all = lines(&session);
    for byte in &mut all[3][60..90] {
        *byte = b'#';
    }
    write(&session, &all);
    let history = session.history().unwrap();
    assert_eq!(texts(&history), ["1", "2", "4", "5"]);
    assert_eq!(history.report.gaps, [(2, 4)]);
    assert_eq!(history.report.log.damaged(), 1);
    assert_eq!(history.report.log.bytes.sum(), session.path().unwrap().unwrap().metadata().unwrap().len());
    assert!(!history.report.is_clean());
    assert_eq!(session.say("user", "6").unwrap(), 6);
    assert_eq!(texts(&session.tail(9).unwrap()), ["1", "2", "4", "5", "6"]);
    // Compaction keeps the damaged bytes.
    session.truncate(&Truncate::keep_last(1)).unwrap();
    session.compact(&annals_session::CompactOptions::new().keep_removed(false)).unwrap();
    let kept = fs::read(&session.removed().unwrap()[0]).unwrap();
    assert_eq!(kept, all[3]);
}

#[test]
fn a_damaged_last_line_keeps_its_number() {
    let place = Place::new();
    let session = session(&place);
    let mut all = lines(&session);
    all[5][70] ^= 4;
    write(&session, &all);
    let again = place.again().session("s").unwrap();
    assert_eq!(again.say("user", "6").unwrap(), 6, "5 was given out");
    let history = again.history().unwrap();
    assert_eq!(texts(&history), ["1", "2", "3", "4", "6"]);
    assert_eq!(history.report.gaps, [(4, 6)]);
}

#[test]
fn a_damaged_header_still_opens_and_another_is_written() {
    let place = Place::new();
    let session = session(&place);
    let mut all = lines(&session);
    all[0][20] = b'\xff';
    write(&session, &all);
    let again = place.again().session("s").unwrap();
    let history = again.history().unwrap();
    assert_eq!(texts(&history).len(), 5);
    assert!(history.metadata.is_none());
    assert_eq!(history.report.log.damaged(), 1);
    // The new header takes a number, and then the message.
    assert_eq!(again.say("user", "6").unwrap(), 7);
    again.truncate(&Truncate::keep_last(2)).unwrap();
    assert_eq!(texts(&again.history().unwrap()), ["5", "6"]);
    let listed = &place.store.list(&ListOptions::new()).unwrap().sessions[0];
    assert_eq!((listed.key.as_str(), listed.messages), ("s", 2));
}

#[test]
fn lines_that_are_no_records_of_ours_are_reported_and_kept() {
    let place = Place::new();
    let session = session(&place);
    let mut all = lines(&session);
    all.insert(2, b"{\"role\":\"user\",\"content\":\"by hand\"}\n".to_vec());
    all.insert(4, b"42\n\n".to_vec());
    let repeated = all[1].clone();
    all.push(repeated);
    write(&session, &all);
    let history = session.history().unwrap();
    assert_eq!(texts(&history), ["1", "2", "3", "4", "5"]);
    assert_eq!((history.report.repeated, history.report.log.mismatched), (1, 2));
    assert_eq!(history.report.log.blank, 1);
    // The last line is an old one: the next message gets a number of its own all the same.
    let fresh = place.again().session("s").unwrap();
    assert_eq!(fresh.say("user", "6").unwrap(), 6);
    assert_eq!(texts(&fresh.history().unwrap()), ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn a_line_whose_seal_was_taken_off_by_hand_is_still_a_record() {
    let place = Place::new();
    let session = session(&place);
    let mut all = lines(&session);
    let mut value: Value = serde_json::from_slice(&all[2]).unwrap();
    value.as_object_mut().unwrap().remove("crc32");
    value["message"]["content"] = json!("mended");
    all[2] = [&serde_json::to_vec(&value).unwrap()[..], b"\n"].concat();
    write(&session, &all);
    assert_eq!(texts(&session.history().unwrap()), ["1", "mended", "3", "4", "5"]);
}

#[test]
fn a_glued_line_gives_its_whole_record() {
    let place = Place::new();
    let session = session(&place);
    let mut all = lines(&session);
    let torn = all[2][..50].to_vec();
    all[3].splice(0..0, torn);
    write(&session, &all);
    let history = session.history().unwrap();
    assert_eq!(texts(&history), ["1", "2", "3", "4", "5"]);
    assert_eq!(history.report.log.damaged(), 1);
}

#[test]
fn wherever_the_log_is_cut_the_next_message_is_safe() {
    let place = Place::new();
    let session = session(&place);
    session.truncate(&Truncate::keep_last(3).summary("s")).unwrap();
    session.say("user", "6").unwrap();
    let bytes = fs::read(session.path().unwrap().unwrap()).unwrap();
    let path = session.path().unwrap().unwrap();
    for cut in 0..bytes.len() {
        for nuls in [0, 7] {
            fs::write(&path, [&bytes[..cut], &vec![0; nuls]].concat()).unwrap();
            let fresh = place.store.session("s").unwrap();
            let before = fresh.history().unwrap();
            let all_before = fresh.transcript().unwrap();
            let seq = fresh.say("user", "new").unwrap();
            let after = fresh.history().unwrap();
            let all_after = fresh.transcript().unwrap();
            assert_eq!(after.messages.len(), before.messages.len() + 1, "cut at {cut}");
            assert_eq!(all_after.messages().count(), all_before.messages().count() + 1);
            assert_eq!(after.messages.last().unwrap().seq(), seq);
            assert!(all_before.entries.last().is_none_or(|last| last.seq() < seq));
            assert_eq!(after.summary, before.summary);
            assert!(
                after.report.gaps.is_empty() && after.report.repeated == 0,
                "cut at {cut}: {:?}",
                after.report
            );
            assert_eq!(fresh.tail(1).unwrap().messages[0].text(), "new");
        }
    }
}

#[test]
fn a_log_that_lost_lines_in_the_middle_finds_its_state() {
    let place = Place::new();
    let session = session(&place);
    session.truncate(&Truncate::keep_last(2).summary("sum")).unwrap();
    for text in ["6", "7"] {
        session.say("user", text).unwrap();
    }
    // As a repair does that takes out a damaged line: offsets in later records point elsewhere.
    let mut all = lines(&session);
    all.remove(2);
    write(&session, &all);
    let fresh = place.again().session("s").unwrap();
    assert_eq!(fresh.summary().unwrap(), "sum");
    assert_eq!(texts(&fresh.history().unwrap()), ["4", "5", "6", "7"]);
    assert_eq!(texts(&fresh.tail(3).unwrap()), ["5", "6", "7"]);
    fresh.say("user", "8").unwrap();
    assert_eq!(fresh.summary().unwrap(), "sum");
}

#[test]
fn a_file_under_another_name_is_refused() {
    let place = Place::new();
    let session = session(&place);
    let path = session.path().unwrap().unwrap();
    fs::copy(&path, path.with_file_name("copy.jsonl")).unwrap();
    let copy = place.session("copy");
    assert!(matches!(copy.history(), Err(annals_session::Error::KeyMismatch { .. })));
    assert!(matches!(copy.say("user", "x"), Err(annals_session::Error::KeyMismatch { .. })));
}

#[test]
fn crafted_numbers_and_pointers_are_no_records_and_no_panics() {
    let big = [u64::MAX, u64::MAX - 1, 1 << 60, 9_999_999_999_999_999_999, 1 << 53, (1 << 53) + 1, 0];
    for a in big {
        for b in big {
            let place = Place::new();
            let session = session(&place);
            let state = format!(r#""state":{{"before":{a},"hidden":{b}}}"#);
            let time = r#""time":"2026-11-21T08:15:00.250Z""#;
            let crafted = [
                format!(r#"{{"seq":{a},"n":{b},"state_at":{b},{time},"message":{{"role":"user"}}}}"#),
                format!(r#"{{"seq":6,"n":0,"state_at":{a},{time},"message":{{"role":"user"}}}}"#),
                format!(r#"{{"seq":7,"n":{b},{time},"event":"truncate",{state}}}"#),
                format!(
                    r#"{{"session":1,"key":"s","created":"x","removed":{a},"seq":8,"n":{b},"time":"x",{state}}}"#
                ),
            ];
            for lines in [&crafted[..1], &crafted[1..2], &crafted[2..3], &crafted[3..], &crafted] {
                let all = [lines_of(&session), lines.join("\n").into_bytes(), b"\n".to_vec()].concat();
                let fresh = place.again().session("s").unwrap();
                fs::write(fresh.path().unwrap().unwrap(), &all).unwrap();
                let _ = fresh.history().unwrap();
                let _ = fresh.tail(3).unwrap();
                let _ = fresh.page(annals_session::Scope::History, None, 2).unwrap();
                let _ = place.store.list(&ListOptions::new()).unwrap();
                match fresh.say("user", "after") {
                    Ok(seq) => {
                        assert!(fresh.transcript().unwrap().messages().any(|message| message.seq() == seq));
                    }
                    Err(error) => assert!(matches!(error, annals_session::Error::Full { .. }), "{error}"),
                }
                let _ = fresh.truncate(&Truncate::keep_last(2));
                let _ = fresh.reveal();
                let _ = fresh.compact(&annals_session::CompactOptions::new());
                let _ = fresh.fork(&format!("f{a}{b}{}", lines.len()), None);
                let _ = fresh.delete().unwrap();
                session.begin(&()).unwrap();
            }
        }
    }
}

fn lines_of(session: &Session) -> Vec<u8> {
    fs::read(session.path().unwrap().unwrap()).unwrap()
}

#[test]
fn a_line_beyond_all_limits_is_passed_over() {
    let place = Place::new();
    let session = session(&place);
    let mut all = lines(&session);
    all.insert(3, [vec![b'x'; 70 << 20], b"\n".to_vec()].concat());
    write(&session, &all);
    assert_eq!(texts(&session.history().unwrap()).len(), 5);
    assert_eq!(texts(&session.tail(4).unwrap()).len(), 4);
    session.truncate(&Truncate::keep_last(4)).unwrap();
    let history = session.history().unwrap();
    assert_eq!(texts(&history), ["2", "3", "4", "5"]);
    assert_eq!(history.report.log.bytes.oversize, (70 << 20) + 1);
}

#[test]
fn a_line_that_was_copied_elsewhere_hides_nothing_from_a_big_log() {
    let place = Place::new();
    let session = place.session("s");
    let text = "x".repeat(2000);
    session.append_all((0..600).map(|n| json!({"role": "user", "content": format!("{n} {text}")}))).unwrap();
    session.truncate(&Truncate::keep_last(500)).unwrap();
    let whole = lines(&session);
    let expected: Vec<_> = session.history().unwrap().messages.iter().map(|message| message.seq()).collect();
    assert_eq!(expected.len(), 500);
    for at in [150, 301, 302, 450, 600] {
        for from in [2, 5, 50, 590] {
            let mut all = whole.clone();
            let copied = all[from].clone();
            all.insert(at, copied);
            write(&session, &all);
            let fresh = place.again().session("s").unwrap();
            let mut found: Vec<_> = fresh.history().unwrap().messages.iter().map(|m| m.seq()).collect();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, expected, "{from} copied to {at}");
            fresh.compact(&annals_session::CompactOptions::new().keep_removed(false)).unwrap();
            let mut found: Vec<_> = fresh.history().unwrap().messages.iter().map(|m| m.seq()).collect();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, expected, "{from} copied to {at}, compacted");
        }
    }
}
