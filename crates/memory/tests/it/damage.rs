//! Does nothing that happens to the file bring a forgotten item back, give an id out twice, or go unsaid?

use std::collections::BTreeSet;
use std::fs;

use annals_memory::{Error, Filter, IdRange, MemoryOptions, NewItem, OddKind};
use serde_json::Value;

use crate::support::{Place, ids_of, newest};

/// The slow twin: every complete line parsed whole, tombstones applied in order. Active ids, and all ids.
fn by_hand(bytes: &[u8]) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let (mut active, mut all) = (BTreeSet::new(), BTreeSet::new());
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(value) = serde_json::from_slice::<Value>(line) else { continue };
        let Some(id) = value["id"].as_u64() else { continue };
        all.insert(id);
        for target in [&value["target"], &value["supersedes"]] {
            active.remove(&target.as_u64().unwrap_or(0));
        }
        if value["content"].is_string() {
            active.insert(id);
        }
    }
    (active, all)
}

/// A log of all kinds of records, with items of several lengths. Sealed ones are ours, others are aish's.
fn log(sealed: bool) -> Vec<u8> {
    let place = Place::new();
    let memory = place.options().checksum(sealed).open(&place.path).unwrap();
    for n in 0..6 {
        memory.add(&NewItem::fact(format!("fact {n} é \\ \"{}\"", "x".repeat(n * 13))).tag("a")).unwrap();
    }
    memory.forget(2).unwrap();
    memory.supersede(3, &NewItem::pref("new")).unwrap();
    memory.add(&NewItem::context("last but one")).unwrap();
    memory.forget(5).unwrap();
    memory.close().unwrap();
    fs::read(&place.path).unwrap()
}

fn active_of(place: &Place) -> BTreeSet<u64> {
    newest(&place.open()).into_iter().collect()
}

/// Opens what is left, and goes on: nothing forgotten is active, and no id is given out twice.
fn check_going_on(place: &Place, expected: &BTreeSet<u64>, all: &BTreeSet<u64>, what: &str) {
    let memory = place.open();
    assert_eq!(newest(&memory).into_iter().collect::<BTreeSet<_>>(), *expected, "{what}");
    let id = memory.add(&NewItem::fact("after")).unwrap().id();
    assert!(!all.contains(&id) && all.last().is_none_or(|last| id > *last), "{what}: {id}");
    if let Some(victim) = expected.first() {
        memory.forget(*victim).unwrap().unwrap();
    }
    memory.close().unwrap();
    let mut expected = expected.clone();
    expected.pop_first();
    expected.insert(id);
    assert_eq!(active_of(place), expected, "{what}, reopened");
    assert_eq!(ids_of(&place.view()).into_iter().collect::<BTreeSet<_>>(), expected, "{what}, viewed");
}

#[test]
fn a_log_cut_anywhere_goes_on() {
    for sealed in [true, false] {
        let whole = log(sealed);
        for cut in 0..=whole.len() {
            let place = Place::holding(&whole[..cut]);
            let (expected, all) = by_hand(&whole[..cut]);
            check_going_on(&place, &expected, &all, &format!("cut at {cut}, sealed {sealed}"));
        }
    }
}

/// What a power cut leaves: the file's length is there, its last bytes are not.
#[test]
fn a_log_whose_end_became_nuls_goes_on() {
    let whole = log(true);
    for from in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[from..].fill(0);
        let place = Place::holding(&bytes);
        // A newline among what was lost makes no difference: nothing there was ever read.
        let (expected, all) = by_hand(&bytes[..from]);
        check_going_on(&place, &expected, &all, &format!("NULs from {from}"));
    }
}

#[test]
fn a_flipped_bit_never_brings_anything_back() {
    let whole = log(true);
    let (expected, _) = by_hand(&whole);
    let (mut refused, mut opened) = (0, 0);
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let place = Place::holding(&bytes);
        match place.options().open(&place.path) {
            Err(Error::Incomplete { loss, .. }) => {
                assert!(!loss.is_empty());
                refused += 1;
            }
            Ok(memory) => {
                opened += 1;
                assert_eq!(newest(&memory).into_iter().collect::<BTreeSet<_>>(), expected, "bit {bit}");
            }
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
    // Opened are those in the name of the checksum, and newlines that became something else between two records.
    assert!(refused > 10 * opened, "{refused} refused, {opened} opened");
}

#[test]
fn a_missing_record_is_an_error_until_it_is_accepted() {
    let whole = String::from_utf8(log(true)).unwrap();
    for id in [1, 7] {
        let without: Vec<&str> =
            whole.lines().filter(|line| !line.contains(&format!("\"id\":{id},"))).collect();
        let place = Place::holding((without.join("\n") + "\n").as_bytes());
        for result in
            [place.options().open(&place.path).map(drop), place.options().view(&place.path).map(drop)]
        {
            let Err(Error::Incomplete { loss, .. }) = result else { panic!("{result:?}") };
            assert_eq!(
                loss.missing.iter().map(|range| (range.first, range.last)).collect::<Vec<_>>(),
                [(id, id)]
            );
            assert_eq!(loss.to_string(), format!("no record has the ids {id}"));
        }
        // Looking is possible, and changes nothing.
        let lenient = place.options().accept_loss(true);
        assert_eq!(lenient.view(&place.path).unwrap().verify().unwrap().loss.missing.len(), 1);
        assert!(place.options().view(&place.path).is_err());
        // Accepting is written down.
        let memory = lenient.open(&place.path).unwrap();
        let next = memory.add(&NewItem::fact("on we go")).unwrap().id();
        assert!(next > 10);
        drop(memory);
        assert!(active_of(&place).contains(&next));
        assert!(place.view().verify().unwrap().loss.is_empty());
        // The next loss is another one.
        let without: Vec<String> =
            place.text().lines().filter(|line| !line.contains("\"id\":4,")).map(str::to_owned).collect();
        fs::write(&place.path, without.join("\n") + "\n").unwrap();
        let Err(Error::Incomplete { loss, .. }) = place.options().open(&place.path) else { panic!() };
        assert_eq!(loss.missing.iter().map(|range| range.first).collect::<Vec<_>>(), [4]);
    }
}

#[test]
fn a_damaged_line_is_an_error_until_it_is_accepted_and_its_id_is_not_given_out() {
    let mut bytes = log(true);
    let (_, all) = by_hand(&bytes);
    let last = *all.last().unwrap();
    // In the middle of the last record: nobody can know its id.
    let at = bytes.len() - 40;
    bytes[at..at + 4].copy_from_slice(b"\"}}}");
    let place = Place::holding(&bytes);
    let Err(error @ Error::Incomplete { .. }) = place.options().open(&place.path) else { panic!() };
    assert!(error.to_string().contains("1 damaged line may have been a record"), "{error}");
    let memory = place.options().accept_loss(true).open(&place.path).unwrap();
    let id = memory.add(&NewItem::fact("new")).unwrap().id();
    assert!(id > last + 1, "{id} is behind {last} and what was accepted");
    drop(memory);
    assert!(newest(&place.open()).contains(&id));
}

/// Somebody may have mistyped a path: what is no memory is not made one, and nothing is written into it.
#[test]
fn a_file_that_is_no_memory_is_left_alone() {
    let text = "root:x:0:0:root:/root:/bin/bash\n".repeat(11);
    let json = "{\"type\":\"user\",\"id\":7,\"kind\":\"forgotten\"}\n".repeat(11);
    for other in [&text, &json, "7\n"] {
        let place = Place::holding(other.as_bytes());
        for options in [place.options(), place.options().accept_loss(true)] {
            let Err(error) = options.open(&place.path) else { panic!("{other}") };
            let lines = other.lines().count() as u64;
            assert!(matches!(error, Error::NotAMemory { lines: found, .. } if found == lines), "{error}");
            assert_eq!(place.text(), *other);
        }
    }
    // Ten damaged lines may be what is left of one that had just begun.
    let place =
        Place::holding(text.lines().take(10).map(|line| format!("{line}\n")).collect::<String>().as_bytes());
    assert!(matches!(place.options().open(&place.path), Err(Error::Incomplete { .. })));
    place.options().accept_loss(true).open(&place.path).unwrap();
}

/// What has one record of a memory is one, whatever else is in it and whatever is odd about that record.
#[test]
fn what_is_left_of_a_memory_is_one() {
    let damaged = "{\"id\":9,}\n".repeat(50);
    for left in [
        "{\"id\":2,\"ts\":\"2026-05-13T04:53:09Z\",\"kind\":\"forget\",\"target\":1}\n",
        "{\"id\":1,\"kind\":\"fact\",\"content\":\"no time\"}\n",
        "{\"id\":30,\"ts\":\"2026-05-13T04:53:09Z\",\"kind\":\"compacted\",\"kept\":0}\n",
    ] {
        for other in ["", &damaged, "{\"id\":40,\"kind\":\"of a later version\"}\n"] {
            let place = Place::holding(format!("{left}{other}").as_bytes());
            if let Err(error) = place.options().open(&place.path) {
                assert!(matches!(error, Error::Incomplete { .. }), "{error}");
            }
            place.options().accept_loss(true).open(&place.path).unwrap();
            place.options().open(&place.path).unwrap();
        }
    }
}

/// A line that is only torn was never acknowledged; one that somebody has closed with a newline, and then nothing, may
/// have been.
#[test]
fn a_torn_line_is_no_error_unless_it_was_whole() {
    let whole = log(true);
    let cut = whole.len() - 10;
    assert!(Place::holding(&whole[..cut]).options().open(Place::holding(&whole[..cut]).path.clone()).is_ok());
    let mut closed = whole[..cut].to_vec();
    closed.push(b'\n');
    let place = Place::holding(&closed);
    assert!(matches!(place.options().open(&place.path), Err(Error::Incomplete { .. })));
    // A reader can't know: a writer may be about to go on.
    assert!(place.options().view(&place.path).is_ok());
}

#[test]
fn odd_lines_hide_no_neighbour() {
    let odd = [
        ("17", OddKind::NotAnObject),
        ("true", OddKind::NotAnObject),
        ("null", OddKind::NotAnObject),
        ("\"text\"", OddKind::NotAnObject),
        ("[{\"id\":3}]", OddKind::NotAnObject),
        ("{}", OddKind::NoId),
        (r#"{"id":null,"kind":"fact","content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::NoId),
        (r#"{"id":"seven","kind":"fact","content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::BadId),
        (r#"{"id":-1,"kind":"fact","content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::BadId),
        (r#"{"id":0,"kind":"fact","content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::BadId),
        (r#"{"id":1e300,"kind":"fact","content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::BadId),
        (r#"{"id":[2],"kind":"fact","content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::BadId),
        (r#"{"id":"2","kind":"fact","content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::LooseId),
        (r#"{"id":2.0,"kind":"fact","content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::LooseId),
        (r#"{"id":2,"kind":7,"content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::UnknownKind),
        (r#"{"id":2,"content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::UnknownKind),
        (r#"{"id":2,"kind":"fact","content":["x"],"ts":"2026-05-13T04:53:00Z"}"#, OddKind::NoContent),
        (r#"{"id":2,"kind":"fact","ts":"2026-05-13T04:53:00Z"}"#, OddKind::NoContent),
        (r#"{"id":2,"kind":"fact","content":"x","ts":20260513}"#, OddKind::NoTime),
        (r#"{"id":2,"kind":"fact","content":"x","ts":"yesterday"}"#, OddKind::NoTime),
        (r#"{"id":2,"kind":"fact","content":"x","tags":"a","ts":"2026-05-13T04:53:00Z"}"#, OddKind::BadLabel),
        (r#"{"id":2,"kind":"fact","content":"x","tags":[1],"ts":"2026-05-13T04:53:00Z"}"#, OddKind::BadLabel),
        (
            r#"{"id":2,"kind":"fact","content":"x","source":{},"ts":"2026-05-13T04:53:00Z"}"#,
            OddKind::BadLabel,
        ),
        (
            r#"{"id":2,"kind":"fact","content":"x","expires":5,"ts":"2026-05-13T04:53:00Z"}"#,
            OddKind::BadExpiry,
        ),
        (r#"{"id":2,"kind":"forget","ts":"2026-05-13T04:53:00Z"}"#, OddKind::NoTarget),
        (r#"{"id":2,"kind":"forget","target":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::NoTarget),
        (r#"{"id":2,"kind":"forget","target":9,"ts":"2026-05-13T04:53:00Z"}"#, OddKind::NoTarget),
        (r#"{"id":1,"kind":"fact","content":"x","ts":"2026-05-13T04:53:00Z"}"#, OddKind::RepeatedId),
        (r#"{"id":2,"kind":"accepted","ts":"2026-05-13T04:53:00Z"}"#, OddKind::UnknownKind),
    ];
    for (line, kind) in odd {
        let first = r#"{"id":1,"kind":"fact","content":"first","ts":"2026-05-13T04:52:00Z"}"#;
        let takes_id = line.starts_with(r#"{"id":2"#) || line.starts_with(r#"{"id":"2"#);
        let third = if takes_id { 3 } else { 2 };
        let last = format!(r#"{{"id":{third},"kind":"fact","content":"last","ts":"2026-05-13T04:54:00Z"}}"#);
        let place = Place::holding(format!("{first}\n{line}\n{last}\n").as_bytes());
        let view = place.view();
        let kinds: Vec<OddKind> = view.report().oddities.iter().map(|odd| odd.kind).collect();
        assert!(kinds.contains(&kind), "{line}: {kinds:?}");
        let found: Vec<String> =
            view.active(&Filter::new()).unwrap().iter().map(|item| item.content.clone()).collect();
        assert!(found.contains(&String::from("last")), "{line}");
        assert_eq!(found.contains(&String::from("first")), kind != OddKind::RepeatedId, "{line}");
        let memory = place.open();
        assert_eq!(memory.add(&NewItem::fact("new")).unwrap().id(), third + 1, "{line}");
        memory.compact().unwrap();
        assert!(newest(&memory).contains(&third), "{line}");
    }
}

#[test]
fn a_tombstone_without_an_id_still_forgets() {
    let text = "{\"id\":1,\"kind\":\"fact\",\"content\":\"a\",\"ts\":\"2026-05-13T04:52:00Z\"}\n{\"kind\":\"forget\",\"target\":1,\"ts\":\"2026-05-13T04:53:00Z\"}\n";
    assert!(ids_of(&Place::holding(text.as_bytes()).view()).is_empty());
}

#[test]
fn ids_end_at_two_to_the_53rd() {
    let line = |id: u64| {
        format!("{{\"id\":{id},\"kind\":\"fact\",\"content\":\"a\",\"ts\":\"2026-05-13T04:52:00Z\"}}\n")
    };
    let place = Place::holding(line(1 << 53).as_bytes());
    let Err(Error::Incomplete { loss, .. }) = place.options().open(&place.path) else { panic!() };
    let all: Vec<IdRange> = loss.missing.clone();
    assert_eq!((all[0].first, all[0].last), (1, (1 << 53) - 1));
    let full = place.options().accept_loss(true).open(&place.path);
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
}

#[test]
fn lines_that_are_too_long_are_passed_over() {
    let mut bytes = log(false);
    let long = format!("{{\"id\":99,\"content\":\"{}\"}}\n", "x".repeat(5000));
    bytes.extend_from_slice(long.as_bytes());
    let place = Place::holding(&bytes);
    let options = place.options().max_line_len(2000);
    let Err(Error::Incomplete { loss, .. }) = options.open(&place.path) else {
        panic!("{:?}", options.open(&place.path))
    };
    assert_eq!(loss.damaged, 1, "{loss:?}");
    let memory = options.accept_loss(true).open(&place.path).unwrap();
    assert!(memory.add(&NewItem::fact("y".repeat(5000))).is_err());
    assert!(memory.add(&NewItem::fact("y".repeat(50))).is_ok(), "what is too long poisons nothing");
}

/// Items from the first id on, until there are about so many bytes of them; and the next id.
fn items(first: u64, len: usize) -> (String, u64) {
    let (mut text, mut id) = (String::new(), first);
    while text.len() < len {
        let content = "y".repeat(id as usize % 100);
        text += &format!(
            "{{\"id\":{id},\"kind\":\"fact\",\"content\":\"{content}\",\"ts\":\"2026-05-13T04:52:00Z\"}}\n"
        );
        id += 1;
    }
    (text, id)
}

/// Where a file is divided for reading.
const RANGE_LEN: usize = 512 << 10;

#[test]
fn looking_again_finds_what_opening_anew_finds() {
    let long = format!("{{\"content\":\"{}\"}}\n", "x".repeat(5000));
    let changed = "{\"id\":1,\"kind\":\"fact\",\"content\":\"a\",\"crc32\":\"00000000\"}\n";
    // What stands in the middle, and how much of it is damaged and torn.
    for (odd, damaged, torn) in [
        ("", 0, 0),
        (&*long, 1, 0),
        ("17\n", 0, 0),
        ("nonsense\n", 1, 0),
        ("{\"id\":\n", 0, 1),
        (changed, 1, 0),
    ] {
        // The second time, a long line crosses the end of a range.
        for len in [300, RANGE_LEN - 2500] {
            let (mut text, next) = items(1, len);
            text += odd;
            let (rest, next) = items(next, 700);
            text += &rest;
            let (more, last) = items(next, 400);
            // However much of what comes then is there the first time.
            for cut in [0, 30, more.len() - 1, more.len()] {
                let place = Place::holding((text.clone() + &more[..cut]).as_bytes());
                let options = place.options().max_line_len(2000).checkpoint(false).accept_loss(true);
                let mut view = options.view(&place.path).unwrap();
                fs::write(&place.path, text.clone() + &more).unwrap();
                view.refresh().unwrap();
                let anew = options.view(&place.path).unwrap();
                let what = format!("{odd:.10?} {len} {cut}");
                assert!(ids_of(&view).into_iter().rev().eq(1..last), "{what}");
                assert!(ids_of(&anew).into_iter().rev().eq(1..last), "{what}");
                let told = |view: &annals_memory::View| (view.report().records, view.report().damaged);
                assert_eq!(told(&view), told(&anew), "{what}");
                assert_eq!((anew.report().damaged, anew.report().torn), (damaged, torn), "{what}");
            }
        }
    }
}

#[test]
fn a_mark_at_the_beginning_is_no_part_of_the_first_item() {
    let (text, last) = items(1, 500);
    let place = Place::holding(format!("\u{feff}{text}").as_bytes());
    assert!(ids_of(&place.view()).into_iter().rev().eq(1..last));
    assert_eq!(place.view().history(1).unwrap().len(), 1);
    let memory = place.open();
    memory.forget(2).unwrap().unwrap();
    memory.compact().unwrap();
    memory.close().unwrap();
    assert!(ids_of(&place.view()).into_iter().rev().eq((1..last).filter(|id| *id != 2)));
    assert!(!place.text().contains('\u{feff}'));
    // Also of sealed lines, and of those whose ends somebody changed.
    let sealed = String::from_utf8(log(true)).unwrap();
    for text in [format!("\u{feff}{sealed}"), sealed.replace('\n', "\r\n")] {
        let place = Place::holding(text.as_bytes());
        for id in ids_of(&place.view()) {
            assert!(!place.view().history(id).unwrap().is_empty(), "{id}");
        }
    }
    // Elsewhere it is damage, next to which the item is found.
    let (text, _) = items(2, 500);
    let odd = "\u{feff}{\"id\":1,\"kind\":\"fact\",\"content\":\"a\",\"ts\":\"2026-05-13T04:52:00Z\"}\n";
    let place = Place::holding(format!("17\n{odd}{text}").as_bytes());
    let view = place.view();
    assert_eq!(ids_of(&view).into_iter().min(), Some(1));
    assert_eq!(view.report().fused, 1);
}

#[test]
fn a_record_without_its_newline_may_become_something_else() {
    let (text, next) = items(1, 500);
    let (more, _) = items(next, 1);
    let place = Place::holding(format!("{text}{}", more.trim_end()).as_bytes());
    let options = place.options().accept_loss(true).checkpoint(false);
    let mut view = options.view(&place.path).unwrap();
    assert_eq!(ids_of(&view)[0], next);
    fs::write(&place.path, format!("{text}{}, and that was all\n", &more[..more.len() - 3])).unwrap();
    view.refresh().unwrap();
    assert_eq!(ids_of(&view), ids_of(&options.view(&place.path).unwrap()));
    assert_eq!(ids_of(&view)[0], next - 1);
}

#[test]
fn a_beginning_that_somebody_closed_is_torn_unless_nothing_follows() {
    let (text, next) = items(1, 500);
    let (more, _) = items(next, 500);
    let place = Place::holding(format!("{text}{{\"id\":\n{more}").as_bytes());
    assert_eq!(place.open().report().unwrap().torn, 1);
    let place = Place::holding(format!("{text}{{\"id\":\n").as_bytes());
    assert!(
        matches!(place.options().open(&place.path), Err(Error::Incomplete { loss, .. }) if loss.damaged == 1)
    );
}

#[test]
fn a_line_that_is_too_long_is_counted_once() {
    let (text, next) = items(1, RANGE_LEN - 2500);
    let long = format!("{{\"content\":\"{}\"}}\n", "x".repeat(5000));
    let (more, last) = items(next, 400);
    let place = Place::holding((text.clone() + &long).as_bytes());
    let options = place.options().max_line_len(2000).checkpoint(false).accept_loss(true);
    let mut view = options.view(&place.path).unwrap();
    assert_eq!(view.report().damaged, 1);
    fs::write(&place.path, text + &long + &more).unwrap();
    view.refresh().unwrap();
    assert_eq!(view.report().damaged, 1);
    assert_eq!(ids_of(&view)[0], last - 1);
}

#[test]
fn a_line_that_is_too_long_may_still_be_written() {
    let (text, next) = items(1, RANGE_LEN - 2500);
    let place =
        Place::holding(format!("{text}{{\"id\":{next},\"content\":\"{}", "x".repeat(5000)).as_bytes());
    let options = place.options().max_line_len(2000);
    let view = options.view(&place.path).unwrap();
    assert_eq!((view.report().torn, view.report().damaged), (1, 0));
    // With the lock nobody writes it, and no crash of ours leaves so much.
    let Err(Error::Incomplete { loss, .. }) = options.open(&place.path) else { panic!("opened") };
    assert_eq!(loss.damaged, 1, "{loss:?}");
}

/// Many threads have to find what one thread finds.
#[test]
fn threads_do_not_change_the_result() {
    let place = Place::new();
    let memory = place.open();
    let items: Vec<NewItem> =
        (0..20_000).map(|n| NewItem::fact(format!("fact {n} {}", "z".repeat(n % 200)))).collect();
    memory.add_all(&items).unwrap();
    memory.clear(&Filter::new().text("7")).unwrap();
    drop(memory);
    let mut bytes = fs::read(&place.path).unwrap();
    // Some chunks have to be read the slow way.
    let at = bytes.len() / 2;
    let end = at + bytes[at..].iter().position(|byte| *byte == b'\n').unwrap();
    bytes.splice(end + 1..end + 1, b"17\n{\"torn\":\n".iter().copied());
    fs::write(&place.path, bytes).unwrap();
    let found = |threads| {
        let view = MemoryOptions::new().checkpoint(false).threads(threads).view(&place.path).unwrap();
        (ids_of(&view), view.report().records, view.report().torn, view.report().oddities.clone())
    };
    let one = found(1);
    assert!(one.0.len() > 5000 && one.2 == 1);
    assert_eq!(found(2), one);
    assert_eq!(found(8), one);
}

#[test]
fn an_end_that_no_crash_leaves_is_accepted_once_and_not_asked_about_again() {
    // The first is the beginning of no record; the second has a record in it.
    for (tail, active) in [
        ("{\u{2}\"id\":", 0),
        ("{\"id\":9,\"ts\":\"2026-05-13T04:53:00Z\",\"kind\":\"fact\",\"content\":\"z\"}\u{8}", 1),
    ] {
        let place = Place::holding(&[&log(true)[..], tail.as_bytes()].concat());
        let before = ids_of(&MemoryOptions::new().accept_loss(true).view(&place.path).unwrap());
        for id in &before {
            let view = MemoryOptions::new().accept_loss(true).view(&place.path).unwrap();
            assert!(!view.history(*id).unwrap().is_empty(), "{id}");
        }
        if active == 0 {
            assert!(matches!(place.options().open(&place.path), Err(Error::Incomplete { .. })), "{tail}");
        }
        let memory = place.options().accept_loss(true).open(&place.path).unwrap();
        memory.add(&NewItem::fact("after")).unwrap();
        memory.close().unwrap();
        assert_eq!(place.view().count(), before.len() + 1, "{tail}");
    }
}
