//! Is what counts told from what was written again, taken back or left out, in Gemini CLI's log of changes?

use std::fs;

use annals_formats::Transcript;
use annals_formats::document::{DocumentKind, Head};
use annals_formats::gemini::Gemini;
use annals_formats::transcript::Part;
use serde_json::Value;

use crate::expected::testdata;

/// So many messages of the transcript stand inside of another record and count.
pub(crate) const INSIDE: u64 = 3;

fn read(lines: &[&str]) -> Gemini {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session-1.jsonl");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    Gemini::open(&path).unwrap()
}

fn said(transcript: &Gemini) -> Vec<String> {
    let indexes = transcript.conversation().messages;
    indexes.iter().map(|index| transcript.message(*index).unwrap().text()).collect()
}

const HEAD: &str = r#"{"sessionId":"s","projectHash":"p","startTime":"2026-08-21T08:00:00Z","lastUpdated":"2026-08-21T08:00:00Z","kind":"main","directories":["/w"]}"#;

#[test]
fn a_transcript_is_read() {
    let transcript = Gemini::open(testdata("gemini/session-2026-08-21T08-00-5b1e77aa.jsonl")).unwrap();
    let overview = transcript.overview();
    assert_eq!(overview.id.as_deref(), Some("5b1e77aa-0c7d-4f6e-9b1a-2f6c1d1e0a55"));
    assert_eq!(
        (overview.title.as_deref(), overview.project.as_deref()),
        (Some("Tide tables"), Some("/home/u/src/tides"))
    );
    assert_eq!(overview.model.as_deref(), Some("gemini-x"));
    assert_eq!(overview.first_prompt.as_deref(), Some("Why is low water an hour late?"));
    assert_eq!(
        said(&transcript),
        [
            "Why is low water an hour late?",
            "The offset of the zone is applied twice.",
            "mend it, please",
            "Mended ✓"
        ]
    );
    // Each answer as it was written last: 900 + 60, of which 400 from the cache, and 40 + 8 written; then 1200 and 30.
    let usage = overview.usage;
    assert_eq!((usage.answers, usage.input, usage.cache_read, usage.output), (2, 1700, 400, 78));
    let calls = transcript.tool_calls();
    assert_eq!((calls.len(), &*calls[0].name, calls[0].is_error), (1, "read_file", Some(false)));
    let index = transcript.records()[1];
    let parts = transcript.message(index).unwrap().parts;
    assert!(
        matches!(&parts[0], Part::Reasoning(text) if text == "Zones\nLooking at the offset."),
        "{parts:?}"
    );
    assert!(
        matches!(&parts[3], Part::ToolResult { text, .. } if text == "let offset = 2 * zone;"),
        "{parts:?}"
    );
    let raw = transcript.raw(index).unwrap();
    assert!(raw.starts_with(b"{\"id\":\"m2\"") && raw.ends_with(b"}"));
}

#[test]
fn what_is_written_again_takes_the_place_of_what_was_there() {
    let transcript = read(&[
        HEAD,
        r#"{"id":"a","timestamp":"2026-08-21T08:00:01Z","type":"user","content":"hi"}"#,
        r#"{"id":"b","timestamp":"2026-08-21T08:00:02Z","type":"gemini","content":"he","tokens":{"input":5,"output":1}}"#,
        r#"{"id":"c","timestamp":"2026-08-21T08:00:03Z","type":"user","content":"more"}"#,
        r#"{"id":"b","timestamp":"2026-08-21T08:00:02Z","type":"gemini","content":"hello","tokens":{"input":5,"output":2}}"#,
    ]);
    assert_eq!(said(&transcript), ["hi", "hello", "more"]);
    assert_eq!((transcript.overview().messages, transcript.overview().usage.output), (3, 2));
}

#[test]
fn a_rewind_takes_back_a_message_and_all_behind_it() {
    let message = |id: &str| {
        format!(r#"{{"id":"{id}","timestamp":"2026-08-21T08:00:01Z","type":"user","content":"{id}"}}"#)
    };
    let [a, b, c, d] = ["a", "b", "c", "d"].map(message);
    let transcript = read(&[HEAD, &a, &b, &c, r#"{"$rewindTo":"b"}"#, &d]);
    assert_eq!(said(&transcript), ["a", "d"]);
    let taken: Vec<bool> = (0..4).map(|index| transcript.message(index).unwrap().flags.rolled_back).collect();
    assert_eq!(taken, [false, true, true, false]);
    // To a message that nobody knows: nothing is left.
    assert_eq!(said(&read(&[HEAD, &a, &b, r#"{"$rewindTo":"x"}"#, &d])), ["d"]);
}

#[test]
fn a_set_of_messages_takes_the_place_of_all() {
    let transcript = read(&[
        HEAD,
        r#"{"id":"a","timestamp":"2026-08-21T08:00:01Z","type":"user","content":"long story"}"#,
        r#"{"id":"b","timestamp":"2026-08-21T08:00:02Z","type":"user","content":"kept"}"#,
        r#"{"$set":{"lastUpdated":"2026-08-21T09:00:00Z","messages":[{"id":"z","timestamp":"2026-08-21T08:30:00Z","type":"user","content":[{"text":"in short"}]},{"id":"b","timestamp":"2026-08-21T08:00:02Z","type":"user","content":"kept"}]}}"#,
        r#"{"$set":{"summary":"Short"}}"#,
    ]);
    assert_eq!(said(&transcript), ["in short", "kept"]);
    assert_eq!(transcript.overview().title.as_deref(), Some("Short"));
    let flags: Vec<(bool, bool)> = (0..4)
        .map(|index| transcript.message(index).unwrap().flags)
        .map(|flags| (flags.hidden, flags.duplicate))
        .collect();
    assert_eq!(flags, [(true, false), (false, true), (false, false), (false, false)]);
    // Back to the bytes inside of the record.
    assert!(transcript.raw(2).unwrap().starts_with(b"{\"id\":\"z\""));
    assert_eq!(transcript.message(2).unwrap().line, 4);
}

#[test]
fn without_a_header_it_is_not_gone_on_with() {
    let message = r#"{"id":"a","timestamp":"2026-08-21T08:00:01Z","type":"user","content":"hi"}"#;
    let problems = read(&[message]).problems();
    assert_eq!(
        (problems.len(), problems[0].kind.name(), problems[0].effect.name()),
        (1, "no_header", "prevents")
    );
    assert!(read(&[HEAD, message]).problems().is_empty());
}

#[test]
fn messages_inside_of_a_record_are_found_whatever_stands_in_front_of_it() {
    let set = r#"{"$set":{"messages":[{"id":"z","timestamp":"2026-08-21T08:30:00Z","type":"user","content":"in short"}]}}"#;
    for front in ["", "   \t", "\u{feff}"] {
        let transcript = match front {
            "\u{feff}" => read(&[&format!("{front}{set}")]),
            _ => read(&[HEAD, &format!("{front}{set}")]),
        };
        assert_eq!(said(&transcript), ["in short"], "{front:?}");
        let raw = transcript.raw(0).unwrap();
        assert!(raw.starts_with(b"{\"id\":\"z\"") && raw.ends_with(b"}"), "{front:?}");
    }
}

#[test]
fn a_message_in_a_damaged_line_is_itself_and_not_inside_of_another() {
    let message = |id: &str| {
        format!(r#"{{"id":"{id}","timestamp":"2026-08-21T08:00:01Z","type":"user","content":"said {id}"}}"#)
    };
    let fused = format!("{{\"id\":\"{}", message("b"));
    let transcript = Transcript::Gemini(read(&[HEAD, &message("a"), &fused, &message("c")]));
    let session = transcript.session().unwrap();
    let text = |raw: &[u8]| serde_json::from_slice::<Value>(raw).unwrap()["content"].clone();
    let said: Vec<_> = session.messages().map(|record| text(&record.raw)).collect();
    assert_eq!(said, ["said a", "said b", "said c"], "each once");
    let head = Head::of("gemini", transcript.overview());
    let loss = transcript.write_document(Vec::new(), DocumentKind::Markdown, &head).unwrap();
    assert_eq!(loss.records.get("user"), Some(&(3, 3)), "{:?}", loss.records);
    assert!(!loss.records.contains_key("$set"));
}

/// A record that brings messages along was taken for none of that kind where a torn record stands in front of it: its messages were
/// counted as records of their own, more of them than there are.
#[test]
fn messages_inside_of_a_record_are_so_in_a_damaged_line_too() {
    let message = |id: &str| {
        format!(r#"{{"id":"{id}","timestamp":"2026-08-21T08:00:01Z","type":"user","content":"said {id}"}}"#)
    };
    let set = format!(r#"{{"$set":{{"messages":[{},{}]}}}}"#, message("x"), message("y"));
    for damaged in [format!("{{\"id\":\"{set}"), set.clone()] {
        let transcript = Transcript::Gemini(read(&[HEAD, &message("a"), &damaged, &message("c")]));
        let head = Head::of("gemini", transcript.overview());
        let loss = transcript.write_document(Vec::new(), DocumentKind::Markdown, &head).unwrap();
        assert_eq!(loss.records.get("user"), Some(&(1, 2)), "{damaged}: {:?}", loss.records);
        assert_eq!(loss.records.get("$set"), Some(&(1, 1)), "{damaged}: {:?}", loss.records);
        let session = transcript.session().unwrap();
        let text = |raw: &[u8]| serde_json::from_slice::<Value>(raw).unwrap()["content"].clone();
        let said: Vec<_> = session.messages().map(|record| text(&record.raw)).collect();
        assert_eq!(said.iter().filter(|said| *said == "said x").count(), 1, "{damaged}: {said:?}");
        assert_eq!(said.last().unwrap(), "said c");
    }
}
