//! Is a line a record to the program if and only if it is one to the library? The same cases, through the commands.

use std::fs;

use crate::support::Place;

/// The library's cases.
#[path = "../../../jsonl-core/tests/it/json/cases.rs"]
mod cases;

fn good() -> Vec<&'static [u8]> {
    let open = cases::UNDEFINED.iter().map(|(line, _)| *line);
    cases::ACCEPT.iter().copied().chain(open).collect()
}

fn file(lines: &[&[u8]]) -> Vec<u8> {
    [lines.join(&b'\n'), vec![b'\n']].concat()
}

#[test]
fn what_is_json_is_appended_verified_and_left_alone_by_repair() {
    let place = Place::new();
    let all = file(&good());
    place.annals_with(&["log", "append", "log.jsonl"], &all).check(0);
    assert_eq!(fs::read(place.path("log.jsonl")).unwrap(), all, "byte for byte");
    let verified = place.annals(&["verify", "--json", "log.jsonl"]).check(0).objects();
    assert_eq!(verified[0]["records"], good().len());
    place.annals(&["log", "repair", "log.jsonl"]).check(0);
    assert_eq!(fs::read(place.path("log.jsonl")).unwrap(), all, "a repair finds nothing to do");
}

#[test]
fn what_is_none_is_refused_found_and_taken_out() {
    let place = Place::new();
    for line in cases::REJECT {
        // Control bytes that a terminal would take for a newline are still one line.
        let ended = place.annals_with(&["log", "append", "refused.jsonl"], &file(&[line]));
        assert_ne!(ended.code, 0, "{}: {}", line.escape_ascii(), ended.talk);
    }
    assert!(fs::read(place.path("refused.jsonl")).unwrap_or_default().is_empty(), "nothing was written");
    // Good and bad in turns, so that nothing hides behind anything else.
    let mut lines: Vec<&[u8]> = Vec::new();
    for line in cases::REJECT {
        lines.extend([b"{\"good\":1}".as_slice(), line]);
    }
    place.file("mixed.jsonl", file(&lines));
    let verified = place.annals(&["verify", "--json", "mixed.jsonl"]).check(4).objects();
    assert_eq!(verified[0]["records"], cases::REJECT.len());
    place.annals(&["log", "repair", "mixed.jsonl"]);
    let kept = fs::read(place.path("mixed.jsonl")).unwrap();
    assert_eq!(kept, b"{\"good\":1}\n".repeat(cases::REJECT.len()));
}
