//! Does following yield every line once, across growth and replacement?

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::thread;
use std::time::Duration;

use jsonl_core::{Durability, Follow, Followed, From, Locking, WriteOptions};
use serde_json::{Value, json};

use crate::support::Place;

fn follow(place: &Place, from: From) -> Follow {
    Follow::new(&place.path, from).unwrap().poll_every(Duration::from_millis(2))
}

/// What there is now: lines as text, and replacements.
fn all(follow: &mut Follow) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(next) = follow.next_within(Duration::ZERO).unwrap() {
        found.push(match next {
            Followed::Line(line) => String::from_utf8(line.bytes).unwrap(),
            Followed::Replaced { resumed } => format!("replaced, resumed: {resumed}"),
            other => panic!("{other:?}"),
        });
    }
    found
}

fn extend(place: &Place, text: &str) {
    OpenOptions::new().append(true).open(&place.path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn complete_lines_only_and_from_where_it_was_asked() {
    let place = Place::with("1\n2\n{\"a\":");
    let cursor = place.log().cursor_at(2).unwrap();
    let mut beginning = follow(&place, From::Beginning);
    let mut end = follow(&place, From::End);
    let mut middle = follow(&place, From::Cursor(cursor));
    assert_eq!(all(&mut beginning), ["1", "2"]);
    assert_eq!(all(&mut middle), ["2"]);
    assert!(all(&mut end).is_empty());
    extend(&place, "3");
    assert!(all(&mut end).is_empty());
    extend(&place, "}\n4\n5");
    for follow in [&mut beginning, &mut end, &mut middle] {
        assert_eq!(all(follow), ["{\"a\":3}", "4"]);
    }
    extend(&place, "\n");
    assert_eq!(all(&mut end), ["5"]);
}

#[test]
fn a_replaced_log_goes_on_behind_what_was_seen() {
    let place = Place::with("1\nnonsense\n2\n3\n");
    let log = place.writer();
    let mut from_beginning = follow(&place, From::Beginning);
    let mut from_end = follow(&place, From::End);
    assert_eq!(all(&mut from_beginning).len(), 4);
    log.append(&4).unwrap();
    // A repair, and a compaction that drops the oldest.
    log.rewrite(|new| [1, 2, 3, 4].iter().try_for_each(|n| new.record(n))).unwrap();
    log.append(&5).unwrap();
    for follow in [&mut from_beginning, &mut from_end] {
        assert_eq!(all(follow), ["4", "replaced, resumed: true", "5"]);
    }
    log.rewrite(|new| [4, 5].iter().try_for_each(|n| new.record(n))).unwrap();
    log.append(&6).unwrap();
    for follow in [&mut from_beginning, &mut from_end] {
        assert_eq!(all(follow), ["replaced, resumed: true", "6"]);
    }
}

#[test]
fn another_log_in_its_place_begins_from_the_start() {
    let place = Place::with("1\n2\n3\n4\n5\n6\n");
    let mut follow = follow(&place, From::End);
    fs::remove_file(&place.path).unwrap();
    assert!(all(&mut follow).is_empty(), "a log that is gone is waited for");
    // It has a line that was seen, too, but not in that company.
    fs::write(&place.path, "7\n6\n8\n").unwrap();
    assert_eq!(all(&mut follow), ["replaced, resumed: false", "7", "6", "8"]);
}

#[test]
fn a_file_that_is_rewritten_in_place_is_noticed() {
    for new in ["10\n20\n", "1\n2\n3\n4\n5\n6\n", ""] {
        let place = Place::with("1\n2\n3\n");
        let mut follow = follow(&place, From::Beginning);
        assert_eq!(all(&mut follow).len(), 3);
        fs::write(&place.path, new).unwrap();
        let found = all(&mut follow);
        match new {
            "10\n20\n" => assert_eq!(found, ["replaced, resumed: false", "10", "20"]),
            "" => assert_eq!(found, ["replaced, resumed: false"]),
            _ => assert_eq!(found, ["4", "5", "6"]),
        }
    }
}

#[test]
fn lines_above_the_limit_are_passed_over() {
    let place = Place::with("1\n");
    let mut follow = follow(&place, From::End);
    let long = "x".repeat((16 << 20) + 1);
    extend(&place, &long);
    assert!(follow.next_within(Duration::ZERO).unwrap().is_none());
    extend(&place, "yz\n2\n");
    let Some(Followed::Line(line)) = follow.next_within(Duration::ZERO).unwrap() else { panic!() };
    assert!(line.is_cut());
    assert_eq!(line.len, long.len() as u64 + 3);
    assert_eq!(all(&mut follow), ["2"]);
}

/// Two writers, rewrites in between, and several who follow: nobody misses or repeats a line.
#[test]
fn nothing_is_missed_and_nothing_comes_twice() {
    let place = Place::with("");
    let last = 400;
    thread::scope(|scope| {
        let followers: Vec<_> = (0..3)
            .map(|_| {
                let mut follow = follow(&place, From::Beginning);
                scope.spawn(move || {
                    let mut seen = [Vec::new(), Vec::new()];
                    while seen.iter().any(|seen| seen.last() != Some(&last)) {
                        match follow.next_within(Duration::from_secs(20)).unwrap() {
                            Some(Followed::Line(line)) => {
                                let value: Value = serde_json::from_slice(&line.bytes).unwrap();
                                let writer = value["writer"].as_u64().unwrap();
                                seen[writer as usize].push(value["n"].as_u64().unwrap());
                            }
                            Some(Followed::Replaced { resumed }) => assert!(resumed || seen[0].is_empty()),
                            other => panic!("{other:?}, {seen:?}"),
                        }
                    }
                    seen
                })
            })
            .collect();
        for writer in 0..2 {
            let place = &place;
            scope.spawn(move || {
                let options = WriteOptions::new().durability(Durability::Buffer).locking(Locking::PerAppend);
                let log = options.open(&place.path).unwrap();
                for n in 1..=last {
                    log.append(&json!({"writer": writer, "n": n})).unwrap();
                    if n % 50 == 0 && writer == 0 {
                        thread::sleep(Duration::from_millis(5));
                        let mut kept = Vec::new();
                        // Under its own lock, so that nothing comes between reading and writing.
                        log.rewrite(|new| {
                            kept.extend(place.log().lines().map(|line| line.unwrap().bytes));
                            kept.iter().try_for_each(|line| new.raw(line))
                        })
                        .unwrap();
                    }
                }
            });
        }
        for follower in followers {
            let expected: Vec<u64> = (1..=last).collect();
            assert_eq!(follower.join().unwrap(), [expected.clone(), expected]);
        }
    });
}

/// Twenty times the same record, a repair, and five more of them: five come.
#[test]
fn records_that_look_alike_are_not_taken_for_each_other() {
    let place = Place::with("{\"tick\":1}\n".repeat(20));
    let mut follow = follow(&place, From::Beginning);
    assert_eq!(all(&mut follow).len(), 20);
    let log = place.writer();
    log.rewrite(|new| (0..20).try_for_each(|_| new.raw(b"{\"tick\":1}"))).unwrap();
    for _ in 0..5 {
        log.append(&json!({"tick": 1})).unwrap();
    }
    let found = all(&mut follow);
    assert_eq!((found[0].as_str(), found.len()), ("replaced, resumed: true", 6));
}

/// Half a line is there, and then another one in its place.
#[test]
fn a_line_is_never_put_together_from_two() {
    let place = Place::with("1\n{\"a\":1");
    let mut follow = follow(&place, From::End);
    assert!(all(&mut follow).is_empty());
    fs::write(&place.path, "1\n{\"b\":2}\n").unwrap();
    assert_eq!(all(&mut follow), ["{\"b\":2}"]);
    extend(&place, "{\"torn\":");
    assert!(all(&mut follow).is_empty());
    OpenOptions::new().write(true).open(&place.path).unwrap().set_len(10).unwrap();
    assert!(all(&mut follow).is_empty());
    extend(&place, "3\n");
    assert_eq!(all(&mut follow), ["3"]);
}

#[test]
fn other_limits_can_be_given() {
    let place = Place::with("");
    let options = jsonl_core::ReadOptions::new().max_line_len(5);
    let mut follow = options.follow(&place.path, From::Beginning).unwrap();
    extend(&place, "12345\n123456\n");
    let cut = |followed: Option<Followed>| matches!(followed, Some(Followed::Line(line)) if line.is_cut());
    assert!(!cut(follow.next_within(Duration::ZERO).unwrap()));
    assert!(cut(follow.next_within(Duration::ZERO).unwrap()));
}
