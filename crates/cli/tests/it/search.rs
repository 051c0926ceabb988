//! Does `search` find what people mean?

use serde_json::json;

use crate::support::{Place, testdata};

#[test]
fn decoded_text_is_found_and_shown_in_its_place() {
    let place = Place::new();
    place.file(
        "a.jsonl",
        "{\"t\":\"gr\\u00f6\\u00dfer\"}\n{\"t\":\"größer\"}\n{\"p\":\"a\\/b\"}\n{\"p\":\"x\\ny\"}\n",
    );
    let ended = place.annals(&["search", "größer", "a.jsonl"]).check(0);
    assert_eq!(ended.out, "a.jsonl:1: größer\na.jsonl:2: größer\n");
    assert_eq!(place.annals(&["search", "a/b", "a.jsonl"]).check(0).out, "a.jsonl:3: a/b\n");
    assert_eq!(place.annals(&["search", "-e", "x\\ny", "a.jsonl"]).check(0).out, "a.jsonl:4: x y\n");
    assert_eq!(place.annals(&["search", "-i", "GRÖSSER", "a.jsonl"]).check(1).out, "");
    assert_eq!(place.annals(&["search", "-i", "GRÖẞER", "a.jsonl"]).check(0).out.lines().count(), 2);
    let objects = place.annals(&["search", "--json", "y", "a.jsonl"]).check(0).objects();
    let expected = json!({"schema_version": 1, "path": "a.jsonl", "line": 4, "offset": 55, "damaged": false,
        "before": "x\n", "found": "y", "behind": ""});
    assert_eq!(objects, [expected]);
}

#[test]
fn folders_are_searched_and_a_limit_stops() {
    let place = Place::new();
    place.file("a.jsonl", "{\"t\":\"word\"}\n".repeat(5));
    place.file("deep/b.jsonl", "{\"t\":\"word\"}\n");
    assert_eq!(place.annals(&["search", "word", "."]).check(0).out.lines().count(), 6);
    assert_eq!(place.annals(&["search", "word", ".", "--limit", "3"]).check(0).out.lines().count(), 3);
    assert_eq!(place.annals(&["search", "nowhere", "."]).check(1).out, "");
}

/// Side by side or one after the other, kept until it is its turn or read again because there is too much: nobody can tell.
#[test]
fn several_files_give_what_each_gives_by_itself() {
    let place = Place::new();
    for n in 0..12 {
        // Every third has more hits than are kept.
        let hits = if n % 3 == 0 { 6000 } else { 10 };
        let mut text = String::from("{\"t\":\"nothing\"}\n\n");
        for line in 0..hits {
            text += &format!("{{\"t\":\"a word in {n}, {line} {}\"}}\n", "x".repeat(line % 90));
        }
        place.file(&format!("many/{n:02}.jsonl"), text + "{\"t\":\"the last word\"}");
    }
    for more in [&[][..], &["--json"]] {
        let together = place.annals(&[&["search", "word", "many"], more].concat()).check(0);
        let mut alone = String::new();
        for n in 0..12 {
            let file = format!("many/{n:02}.jsonl");
            alone += &place.annals(&[&["search", "word", &file], more].concat()).check(0).out;
        }
        assert!(together.out == alone);
        assert_eq!(alone.lines().count(), 4 * 6001 + 8 * 11);
        assert!(together.talk.contains("12 files searched"), "{}", together.talk);
        for limit in [1, 6002, 6020, 20_000] {
            let some =
                place.annals(&[&["search", "word", "many", "--limit", &limit.to_string()], more].concat());
            let first: String = alone.split_inclusive('\n').take(limit).collect();
            assert!(some.check(0).out == first, "{limit}");
        }
    }
}

#[test]
fn counting_says_how_often_each_is_found_that_has_it() {
    let place = Place::new();
    for n in 0..9 {
        let hits = if n == 4 { 30_000 } else { n };
        place.file(
            &format!("many/{n}.jsonl"),
            "{\"t\":\"no\"}\n".repeat(n) + &"{\"t\":\"a word\",\"word\":1}\n".repeat(hits),
        );
    }
    let count = |more: &[&str]| place.annals(&[&["search", "--count", "word", "many"], more].concat());
    let expected = "many/1.jsonl:1\nmany/2.jsonl:2\nmany/3.jsonl:3\nmany/4.jsonl:30000\nmany/5.jsonl:5\nmany/6.jsonl:6\nmany/7.jsonl:7\nmany/8.jsonl:8\n";
    let all = count(&[]).check(0);
    assert_eq!(all.out, expected);
    assert!(all.talk.contains("9 files searched"), "{}", all.talk);
    assert_eq!(count(&["-i"]).check(0).out, expected);
    assert_eq!(count(&["--limit", "4"]).check(0).out, "many/1.jsonl:1\nmany/2.jsonl:2\nmany/3.jsonl:1\n");
    let objects = count(&["--json", "--limit", "10"]).check(0).objects();
    let expected = json!({"schema_version": 1, "path": "many/4.jsonl", "count": 4});
    assert_eq!((objects.len(), &objects[3]), (4, &expected));
    assert_eq!(place.annals(&["search", "-c", "nowhere", "many"]).check(1).out, "");
    assert!(place.annals(&["search", "-c", "-C", "3", "x", "many"]).check(2).talk.contains("--context"));
    let transcript = testdata("claude-code.jsonl");
    let shown = place.annals(&["search", "the", &transcript]).check(0).out.lines().count();
    assert!(shown > 1);
    let counted = place.annals(&["search", "-c", "the", &transcript]).check(0);
    assert_eq!(counted.out, format!("{transcript}:{shown}\n"));
    let object = &place.annals(&["--json", "search", "-c", "the", &transcript]).check(0).objects()[0];
    assert_eq!((&object["agent"], &object["count"]), (&json!("claude-code"), &json!(shown)));
}

#[test]
fn text_is_shown_rather_than_a_role_that_is_just_the_word() {
    let place = Place::new();
    place.file(
        "a.jsonl",
        "{\"role\":\"user\",\"content\":\"the user said\"}\n{\"role\":\"user\",\"content\":\"hi\"}\n",
    );
    let ended = place.annals(&["search", "user", "a.jsonl"]).check(0);
    assert_eq!(ended.out, "a.jsonl:1: the user said\na.jsonl:2: user\n");
}

#[test]
fn damaged_lines_are_searched_too() {
    let place = Place::new();
    place.file("a.jsonl", "{\"t\":\"lost wo\n{\"t\":\"lost w\\u006frds\n");
    let ended = place.annals(&["search", "lost wo", "a.jsonl"]).check(0);
    assert_eq!(
        ended.out,
        "a.jsonl:1: (damaged line) {\"t\":\"lost wo\na.jsonl:2: (damaged line) {\"t\":\"lost words\n"
    );
}

#[test]
fn wrong_patterns_are_explained() {
    let place = Place::new();
    let ended = place.annals(&["search", "-e", "(", "."]).check(2);
    assert!(ended.talk.contains("unclosed group") && ended.talk.contains("leave out -e"), "{ended:?}");
    place.annals(&["search", ""]).check(2);
}

#[test]
fn what_was_found_is_marked_when_asked() {
    let place = Place::new();
    place.file("a.jsonl", "{\"t\":\"a needle b\"}\n");
    let ended = place.annals(&["--color", "always", "search", "needle", "a.jsonl"]).check(0);
    assert!(ended.out.contains("\x1b[1m\x1b[31mneedle\x1b[0m"), "{ended:?}");
    assert!(!place.annals(&["search", "needle", "a.jsonl"]).check(0).out.contains('\x1b'));
}

#[test]
fn real_transcripts_are_searched_whoever_wrote_them() {
    let place = Place::new();
    for (name, text, line) in
        [("claude-code.jsonl", "Harbour camera 3", 9), ("picoclaw-damaged.jsonl", "half a sente", 5)]
    {
        let objects = place.annals(&["search", "--json", text, &testdata(name)]).check(0).objects();
        assert!(objects.iter().any(|object| object["line"] == line), "{name}: {objects:?}");
    }
}
