//! Do all ways of reading give the same, whatever the threads, the source and the end they begin at?

use std::fs::OpenOptions;
use std::ops::ControlFlow;

use jsonl_core::{
    DamageKind, Error, Line, Loaded, Log, ReadOptions, RecoveryMode, Seals, Source, Span, Verdict, scan,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Place, all_readers, check_accounted, every_kind, naive_records};

#[test]
fn threads_and_sources_make_no_difference() {
    // Enough for several chunks and turns, with lines that cross their borders.
    let bytes = [every_kind(9 << 20), b"{\"last\":\"no newline\"}".to_vec()].concat();
    let place = Place::with(&bytes);
    let naive = naive_records(&bytes);
    let expected: Loaded<Value> = ReadOptions::new().threads(1).open(&place.path).unwrap().load().unwrap();
    check_accounted(&expected.report, bytes.len());
    assert_eq!(expected.report.records as usize, naive.len());
    assert_eq!(expected.report.mismatched, 0);
    assert!(expected.report.unterminated);
    assert!(expected.report.omitted() > 0, "enough damage to go beyond what is kept");
    for options in all_readers() {
        let log = options.open(&place.path).unwrap();
        let loaded: Loaded<Value> = log.load().unwrap();
        assert_eq!(loaded.report, expected.report, "{options:?}");
        assert!(loaded.records == expected.records, "{options:?}");
        assert_eq!(loaded.salvaged, expected.salvaged, "{options:?}");
        // Whoever judges without building sees the same, but for the surrogates that nobody had to mend.
        let mut verified = log.verify().unwrap();
        verified.lone_surrogates = expected.report.lone_surrogates;
        assert_eq!(verified, expected.report, "{options:?}");
        let mut trusting = log.verify_seals().unwrap();
        trusting.lone_surrogates = expected.report.lone_surrogates;
        assert_eq!(trusting, expected.report, "{options:?}");
    }
}

#[test]
fn folding_and_streaming_see_what_loading_sees() {
    let bytes = every_kind(5 << 20);
    let place = Place::with(&bytes);
    let expected: Loaded<Value> = place.log().load().unwrap();
    for options in all_readers() {
        let log = options.open(&place.path).unwrap();
        let (folded, report) = log
            .fold(
                Vec::new,
                |all: &mut Vec<(u64, Vec<u8>, Value)>, record| {
                    all.push((record.offset, record.raw.to_vec(), record.value));
                },
                |mut all, later| {
                    all.extend(later);
                    all
                },
            )
            .unwrap();
        assert_eq!(report, expected.report);
        assert!(folded.iter().map(|(_, _, value)| value).eq(&expected.records));
        assert!(folded.into_iter().map(|(offset, raw, _)| (offset, raw)).eq(naive_records(&bytes)));
        let mut streamed = Vec::new();
        let report = log.for_each(|value: Value| {
            streamed.push(value);
            ControlFlow::Continue(())
        });
        assert_eq!(report.unwrap(), expected.report);
        assert!(streamed == expected.records);
    }
}

#[test]
fn streaming_stops_when_told() {
    let place = Place::with(every_kind(5 << 20));
    for options in all_readers() {
        let mut count = 0;
        let report = options.open(&place.path).unwrap().for_each(|_: Value| {
            count += 1;
            if count == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(count, 10);
        // The report ends with the record at which it was stopped.
        assert_eq!(report.unwrap().records, 10);
    }
}

#[test]
fn lines_are_the_same_from_both_ends() {
    // Lines from nothing to several reading steps, and a torn one at the end.
    let mut bytes = every_kind(700 << 10);
    bytes.extend_from_slice(format!("{{\"long\":\"{}\"}}\n", "x".repeat(3 << 20)).as_bytes());
    bytes.extend_from_slice(b"{\"torn\":");
    let place = Place::with(&bytes);
    let naive: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    for options in all_readers() {
        let log = options.open(&place.path).unwrap();
        let forwards: Vec<Line> = log.lines().map(Result::unwrap).collect();
        let mut backwards: Vec<Line> = log.lines().rev().map(Result::unwrap).collect();
        backwards.reverse();
        assert_eq!(forwards.len(), naive.len());
        let mut offset = 0;
        for (index, ((front, back), piece)) in forwards.iter().zip(&backwards).zip(&naive).enumerate() {
            assert_eq!(front.number, Some(index as u64 + 1));
            assert_eq!(back.number, None);
            assert_eq!((front.offset, front.len), (offset, piece.len() as u64));
            assert_eq!((back.offset, back.len), (front.offset, front.len));
            assert_eq!(front.bytes, piece.strip_suffix(b"\n").unwrap_or(piece));
            assert_eq!(back.bytes, front.bytes);
            assert_eq!((front.terminated, back.terminated), (piece.ends_with(b"\n"), piece.ends_with(b"\n")));
            assert_eq!(front.verdict(), back.verdict());
            offset += piece.len() as u64;
        }
    }
}

#[test]
fn both_ends_of_one_iterator_meet() {
    let bytes = every_kind(100 << 10);
    let place = Place::with(&bytes);
    let log = place.log();
    let all: Vec<u64> = log.lines().map(|line| line.unwrap().offset).collect();
    for from_front in [0, 1, 17, all.len() - 1, all.len()] {
        let mut lines = log.lines();
        let mut met: Vec<u64> = lines.by_ref().take(from_front).map(|line| line.unwrap().offset).collect();
        let mut back: Vec<u64> = lines.by_ref().rev().map(|line| line.unwrap().offset).collect();
        back.reverse();
        met.extend(back);
        assert_eq!(met, all);
        assert!(lines.next().is_none() && lines.next_back().is_none());
    }
}

#[test]
fn a_tail_is_the_end_of_a_load() {
    let bytes = [every_kind(300 << 10), b"{\"torn".to_vec()].concat();
    let place = Place::with(&bytes);
    let all: Loaded<Value> =
        ReadOptions::new().damages_kept(usize::MAX).open(&place.path).unwrap().load().unwrap();
    for options in all_readers() {
        let log = options.damages_kept(usize::MAX).open(&place.path).unwrap();
        for count in [0, 1, 2, 100, all.records.len(), all.records.len() + 5] {
            let tail: Loaded<Value> = log.tail(count).unwrap();
            let first = all.records.len().saturating_sub(count);
            assert_eq!(tail.records, all.records[first..], "{count}");
            assert_eq!(tail.report.bytes.sum(), bytes.len() as u64 - tail.report.start);
            // Damages are those of the part that was read.
            let later: Vec<_> =
                all.report.damages.iter().filter(|damage| damage.offset >= tail.report.start).collect();
            assert_eq!(tail.report.damages.len(), later.len());
        }
    }
}

#[test]
fn borrowed_values_point_into_the_log() {
    #[derive(Deserialize)]
    struct Turn<'a> {
        n: Option<u64>,
        role: Option<&'a str>,
    }
    let bytes = every_kind(2 << 20);
    let place = Place::with(&bytes);
    for options in all_readers() {
        let log = options.open(&place.path).unwrap();
        let owned: Loaded<Value> = log.load().unwrap();
        let borrowed = log.load_borrowed::<Turn<'_>>().unwrap();
        assert_eq!(borrowed.report.bytes, owned.report.bytes);
        assert_eq!(borrowed.records.len(), owned.records.len());
        for (turn, value) in borrowed.records.iter().zip(&owned.records) {
            assert_eq!(turn.n, value["n"].as_u64());
            assert_eq!(turn.role, value["role"].as_str());
        }
    }
}

#[test]
fn empty_and_tiny_logs_are_fine() {
    for (bytes, records) in [
        (&b""[..], 0),
        (b"\n", 0),
        (b"\n\n\n", 0),
        (b"{}", 1),
        (b"{}\n", 1),
        (b"\xEF\xBB\xBF", 0),
        (b"1\n2", 2),
    ] {
        let place = Place::with(bytes);
        for options in all_readers() {
            let log = options.open(&place.path).unwrap();
            let loaded: Loaded<Value> = log.load().unwrap();
            assert_eq!(loaded.records.len(), records);
            check_accounted(&loaded.report, bytes.len());
            assert_eq!(log.tail::<Value>(5).unwrap().records, loaded.records);
            assert_eq!(log.lines().count(), log.lines().rev().count());
            assert_eq!(
                log.end().unwrap().offset(),
                if bytes.ends_with(b"\n") {
                    bytes.len() as u64
                } else {
                    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at as u64 + 1)
                }
            );
        }
    }
}

#[test]
fn lines_above_the_limit_are_passed_over_wherever_they_are() {
    let long = |len: usize| format!("\"{}\"\n", "x".repeat(len - 2));
    let bytes =
        [&long(3000), "{}\n", &long(100), &long(101), "{}\n", &long(2 << 20), "{}\n", &long(200)].concat();
    let place = Place::with(&bytes);
    for options in all_readers() {
        let log = options.max_line_len(100).open(&place.path).unwrap();
        let loaded: Loaded<Value> = log.load().unwrap();
        assert_eq!(loaded.records.len(), 4);
        assert_eq!(loaded.report.count(DamageKind::TooLong), 4);
        check_accounted(&loaded.report, bytes.len());
        let lens: Vec<u64> = loaded.report.damages.iter().map(|damage| damage.len).collect();
        assert_eq!(lens, [3000, 101, 2 << 20, 200]);
        let numbers: Vec<_> = loaded.report.damages.iter().map(|damage| damage.line.unwrap()).collect();
        assert_eq!(numbers, [1, 4, 6, 8]);
        let mut backwards: Vec<Line> = log.lines().rev().map(Result::unwrap).collect();
        backwards.reverse();
        for (front, back) in log.lines().map(Result::unwrap).zip(backwards) {
            assert_eq!((front.offset, front.len, front.is_cut()), (back.offset, back.len, back.is_cut()));
            assert_eq!(front.bytes, back.bytes);
            assert_eq!(front.verdict(), back.verdict());
        }
        assert_eq!(log.tail::<Value>(10).unwrap().records.len(), 4);
        assert_eq!(log.verify().unwrap(), loaded.report);
    }
}

#[test]
fn an_unterminated_line_above_the_limit_is_passed_over() {
    for len in [101, 5000, 3 << 20] {
        let bytes = format!("{{}}\n{}", "x".repeat(len));
        let place = Place::with(&bytes);
        for options in all_readers() {
            let log = options.max_line_len(100).open(&place.path).unwrap();
            let loaded: Loaded<Value> = log.load().unwrap();
            assert_eq!((loaded.records.len(), loaded.report.bytes.oversize), (1, len as u64));
            assert!(!loaded.report.is_in_flight() && !loaded.report.is_clean());
            assert_eq!(log.tail::<Value>(10).unwrap().records.len(), 1);
            assert_eq!(log.lines().rev().map(|line| line.unwrap().len).sum::<u64>(), bytes.len() as u64);
        }
    }
}

#[test]
fn recovery_modes_accept_what_they_say() {
    use RecoveryMode::{AbsoluteConsistency, SkipCorrupt, TolerateCorruptTail};
    let good = "{\"a\":1}\n";
    for (bytes, accepted) in [
        (format!("{good}{good}"), &[AbsoluteConsistency, TolerateCorruptTail, SkipCorrupt][..]),
        (format!("{good}\n{good}"), &[AbsoluteConsistency, TolerateCorruptTail, SkipCorrupt]),
        (format!("{good}{{\"a\":"), &[TolerateCorruptTail, SkipCorrupt]),
        (format!("{good}{{\"a\":\n{good}"), &[TolerateCorruptTail, SkipCorrupt]),
        (format!("{good}\0\0\0\0"), &[TolerateCorruptTail, SkipCorrupt]),
        (format!("{good}\0\0\0\0\n{good}"), &[TolerateCorruptTail, SkipCorrupt]),
        (format!("{good}{{\"a\":\"x\0\0\0\n{good}"), &[TolerateCorruptTail, SkipCorrupt]),
        (format!("{good}nonsense\n{good}"), &[SkipCorrupt]),
        (format!("{good}{{\"a\":\nnonsense\n{good}"), &[SkipCorrupt]),
    ] {
        let place = Place::with(&bytes);
        for mode in [AbsoluteConsistency, TolerateCorruptTail, SkipCorrupt] {
            // Also where details of the damage were not kept.
            for kept in [0, 1, 1000] {
                let options = ReadOptions::new().recovery_mode(mode).damages_kept(kept);
                let loaded = options.open(&place.path).unwrap().load::<Value>();
                match loaded {
                    Ok(_) => assert!(accepted.contains(&mode), "{mode:?} accepted {bytes:?}"),
                    Err(Error::Damaged { .. }) => {
                        assert!(!accepted.contains(&mode), "{mode:?} refused {bytes:?}")
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

#[test]
fn json_of_another_type_is_no_damage() {
    #[derive(Debug, Deserialize)]
    struct Turn {
        role: String,
    }
    let place = Place::with("{\"role\":\"user\"}\n{\"meta\":{}}\n[1]\n{\"role\":5}\n1e999\n");
    let loaded = place.log().load::<Turn>().unwrap();
    assert_eq!(loaded.records.len(), 1);
    assert_eq!(loaded.records[0].role, "user");
    assert_eq!((loaded.report.records, loaded.report.mismatched), (5, 4));
    assert!(loaded.report.is_clean());
    assert_eq!(loaded.report.bytes.records, loaded.report.bytes.sum());
    let detail = loaded.report.damages[0].detail.as_deref().unwrap();
    assert!(detail.contains("missing field `role`"), "{detail}");
}

#[test]
fn a_seal_is_taken_off_before_the_type_sees_it() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        a: u32,
    }
    let place = Place::new();
    let log = jsonl_core::WriteOptions::new().create(true).checksum(true).open(&place.path).unwrap();
    log.append(&json!({"a": 1})).unwrap();
    log.append(&json!({"a": 2, "crc32": "00000000"})).unwrap();
    log.append(&json!({})).unwrap();
    log.close().unwrap();
    let strict = place.log().load::<Strict>().unwrap();
    assert_eq!((strict.records[0].a, strict.report.mismatched, strict.report.sealed), (1, 2, 3));
    let values = place.log().load::<Value>().unwrap();
    assert_eq!(values.records, [json!({"a": 1}), json!({"a": 2, "crc32": "00000000"}), json!({})]);
    // Also where somebody has turned the line ends into CRLF; and not where nobody is to look for seals.
    let crlf = Place::with(String::from_utf8(place.bytes()).unwrap().replace('\n', "\r\n"));
    assert_eq!(crlf.log().load::<Value>().unwrap().records, values.records);
    let ignoring = ReadOptions::new().seals(Seals::Ignore).open(&place.path).unwrap();
    assert!(ignoring.load::<Value>().unwrap().records.iter().all(|record| record.get("crc32").is_some()));
    let required = ReadOptions::new().seals(Seals::Require).open(&place.path).unwrap();
    assert_eq!(required.load::<Value>().unwrap().records.len(), 3);
}

#[test]
fn seals_can_be_required_and_ignored() {
    let place = Place::with("{\"a\":1}\n{\"a\":2,\"crc32\":\"00000000\"}\n{\"a\":\n");
    let kinds = |seals| {
        let loaded = ReadOptions::new().seals(seals).open(&place.path).unwrap().load::<Value>().unwrap();
        let kinds: Vec<_> = loaded.report.damages.iter().map(|damage| damage.kind).collect();
        (loaded.records.len(), kinds)
    };
    assert_eq!(kinds(Seals::Check), (1, vec![DamageKind::Checksum, DamageKind::Torn]));
    assert_eq!(
        kinds(Seals::Require),
        (0, vec![DamageKind::SealMissing, DamageKind::Checksum, DamageKind::Torn])
    );
    assert_eq!(kinds(Seals::Ignore), (2, vec![DamageKind::Torn]));
}

#[test]
fn a_cursor_stays_good_while_the_log_grows() {
    let place = Place::with("{\"n\":1}\n{\"n\":2}\n{\"n\":");
    let cursor = place.log().end().unwrap();
    assert_eq!(cursor.offset(), 16);
    // Kept as text, and come back to.
    let cursor = serde_json::from_str(&serde_json::to_string(&cursor).unwrap()).unwrap();
    place.writer().append(&json!({"n": 3})).unwrap();
    let since = place.log().since(&cursor).unwrap().load::<Value>().unwrap();
    assert_eq!(since.records, [json!({"n": 3})]);
    assert_eq!((since.report.start, since.report.bytes.torn), (16, 6));
    assert_eq!(since.report.damages[0].line, None, "nobody has counted the lines before");
    let log = place.log().since(&cursor).unwrap();
    assert_eq!(log.verify().unwrap().bytes, since.report.bytes);
    assert_eq!(log.tail::<Value>(9).unwrap().records, since.records);
    let lines: Vec<Line> = log.lines().map(Result::unwrap).collect();
    let mut back: Vec<Line> = log.lines().rev().map(Result::unwrap).collect();
    back.reverse();
    assert_eq!(lines, back);
    assert_eq!(
        lines.iter().map(|line| (line.offset, line.number)).collect::<Vec<_>>(),
        [(16, None), (22, None)]
    );
    let middle = place.log().cursor_at(8).unwrap();
    assert_eq!(place.log().since(&middle).unwrap().load::<Value>().unwrap().records.len(), 2);
    // A cursor behind which there is nothing gives itself.
    let end = place.log().end().unwrap();
    assert_eq!(place.log().since(&end).unwrap().end().unwrap(), end);
}

#[test]
fn a_cursor_of_a_replaced_log_says_so() {
    let place = Place::with("{\"n\":1}\n{\"n\":2}\n");
    let cursor = place.log().end().unwrap();
    let stale =
        |place: &Place| matches!(place.log().since(&cursor), Err(Error::StaleCursor { offset: 16, .. }));
    assert!(!stale(&place));
    place.writer().rewrite(|new| new.raw(b"{\"n\":1}").and_then(|()| new.raw(b"{\"n\":2}"))).unwrap();
    assert!(stale(&place), "another file with the same bytes");
    let place = Place::with("{\"n\":1}\n{\"n\":2}\n");
    let cursor = place.log().end().unwrap();
    for other in ["{\"n\":1}\n{\"n\":3}\n", "{\"n\":1}\n", ""] {
        std::fs::write(&place.path, other).unwrap();
        let since = place.log().since(&cursor);
        assert!(matches!(since, Err(Error::StaleCursor { .. })), "the same file with {other:?}");
    }
    assert!(matches!(place.log().cursor_at(3), Err(Error::StaleCursor { .. })));
}

#[test]
fn a_file_that_shrinks_gives_short_data_and_a_report() {
    let bytes = every_kind(3 << 20);
    for left in [0, 1000, 600 << 10, (1 << 20) + 7, bytes.len() - 1] {
        let place = Place::with(&bytes);
        let log = ReadOptions::new().threads(2).open(&place.path).unwrap();
        OpenOptions::new().write(true).open(&place.path).unwrap().set_len(left as u64).unwrap();
        let loaded: Loaded<Value> = log.load().unwrap();
        assert_eq!(loaded.report.bytes.sum(), bytes.len() as u64);
        assert_eq!(loaded.report.bytes.missing, (bytes.len() - left) as u64);
        assert_eq!(loaded.report.records as usize, naive_records(&bytes[..left]).len());
        assert!(!loaded.report.is_clean());
        let strict = ReadOptions::new().recovery_mode(RecoveryMode::TolerateCorruptTail);
        assert!(strict.open(&place.path).is_ok());
        assert!(matches!(log.lines().next_back(), Some(Err(Error::Shrunk { .. }))));
        let report = log.chunks(|_| (), |(), _| ControlFlow::Continue(())).unwrap();
        assert!(matches!(log.require_whole(&report), Err(Error::Shrunk { missing, .. }) if missing > 0));
        let naive = naive_records(&bytes[..left]).len();
        let tail = log.tail::<Value>(usize::MAX).unwrap();
        assert_eq!((tail.records.len(), tail.report.bytes.sum()), (naive, bytes.len() as u64));
        let borrowed = log.load_borrowed::<&serde_json::value::RawValue>().unwrap();
        assert_eq!(borrowed.report.bytes, loaded.report.bytes);
    }
}

#[test]
fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Log::open(folder.path()), Err(Error::NotAFile { found: "a folder", .. })));
    let missing = Log::open(folder.path().join("none.jsonl"));
    assert!(matches!(missing, Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound)));
    #[cfg(unix)]
    assert!(matches!(Log::open("/dev/null"), Err(Error::NotAFile { .. })));
}

#[test]
fn chunks_are_whole_lines_in_order() {
    let bytes = every_kind(3 << 20);
    let place = Place::with(&bytes);
    for options in all_readers() {
        let mut joined = Vec::new();
        let mut line = 1;
        let report = options.open(&place.path).unwrap().chunks(
            |chunk| (chunk.offset, chunk.bytes.to_vec()),
            |(offset, part), first_line| {
                assert_eq!((offset, first_line), (joined.len() as u64, line));
                line += part.iter().filter(|&&byte| byte == b'\n').count() as u64;
                joined.extend(part);
                ControlFlow::Continue(())
            },
        );
        assert!(joined == bytes);
        assert_eq!(report.unwrap().lines, line - 1);
    }
}

/// Of what is kept, nothing is read over, and it takes up little more memory than it has bytes, also behind a long line.
#[test]
fn chunks_that_are_kept_stay_as_they_are() {
    let long = [b"[\"", &b"x".repeat(3 << 20)[..], b"\"]\n"].concat();
    let bytes = [every_kind(3 << 20), long, every_kind(3 << 20), b"{\"last\":1}".to_vec()].concat();
    let place = Place::with(&bytes);
    for (threads, source) in [1, 2, 8].into_iter().flat_map(|n| [(n, Source::Chunks), (n, Source::Map)]) {
        let mut kept = Vec::new();
        let log = ReadOptions::new().threads(threads).source(source).open(&place.path).unwrap();
        log.chunks(
            |chunk| chunk.share(),
            |part, _| {
                kept.push(part);
                ControlFlow::Continue(())
            },
        )
        .unwrap();
        let joined: Vec<u8> =
            kept.iter().flat_map(|(memory, place)| memory[place.clone()].to_vec()).collect();
        assert!(joined == bytes, "{threads} threads, {source:?}");
        for (memory, place) in &kept {
            assert!(memory.capacity() <= place.len() + place.len() / 3, "{threads} threads, {source:?}");
        }
        // What is read is shared, what is mapped is copied.
        let are_copies = kept.iter().all(|(memory, place)| memory.len() == place.len());
        assert_eq!(are_copies, source == Source::Map, "{threads} threads, {source:?}");
    }
}

/// The slow twin: every line, and what it says.
#[test]
fn candidates_stand_where_their_lines_are() {
    let mut text = String::new();
    for n in 0..30_000 {
        match n % 1000 {
            7 => text += "{\"a\":\"a needle\"}\n",
            8 => text += "\n \n",
            9 => text += "{\"a\":\"a n\\u0065edle\"}\r\n",
            500 if n > 15_000 => text += &format!("\"{} needle\"\n", "x".repeat(70_000)),
            _ => text += &format!("{{\"n\":{n},\"b\":\"{}\"}}\n", "y".repeat(n % 120)),
        }
    }
    let place = Place::with((text + "\"cut off, and a needle").as_bytes());
    for threads in [1, 4] {
        for limit in [1 << 20, 60_000] {
            let log = ReadOptions::new().threads(threads).max_line_len(limit).open(&place.path).unwrap();
            let mut found = Vec::new();
            let report = log
                .candidates(
                    &scan::Prefilter::new("needle"),
                    |candidates| candidates.map(|found| (found.line, found.offset)).collect::<Vec<_>>(),
                    |candidates, first| {
                        found.extend(candidates.into_iter().map(|(line, offset)| (first + line, offset)));
                        ControlFlow::Continue(())
                    },
                )
                .unwrap();
            let lines: Vec<_> = log.lines().map(Result::unwrap).collect();
            assert_eq!(report.lines, lines.len() as u64);
            assert_eq!(report, log.chunks(|_| (), |(), _| ControlFlow::Continue(())).unwrap());
            let is_said = |line: &&Line| scan::unescape(&line.bytes).contains("needle") && !line.is_cut();
            let said = lines.iter().filter(is_said);
            let expected: Vec<_> = said.map(|line| (line.number.unwrap(), line.offset)).collect();
            // Those above the limit that fit into a chunk are in it.
            found.retain(|(line, _)| !lines[*line as usize - 1].is_cut());
            assert!(expected.len() >= 61);
            assert_eq!(found, expected, "{threads} threads, {limit}");
        }
    }
}

/// A line for which a buffer had to grow doesn't make every chunk behind it be copied.
#[test]
fn chunks_behind_a_long_line_are_shared_again() {
    let line = [b"\"", &b"y".repeat(1021)[..], b"\"\n"].concat();
    let mut bytes = line.repeat(500);
    bytes.extend([b"\"", &b"x".repeat(200_000)[..], b"\"\n"].concat());
    bytes.extend(line.repeat(8 << 10));
    let place = Place::with(&bytes);
    let log = ReadOptions::new().threads(1).open(&place.path).unwrap();
    let (mut chunks, mut copied) = (0, 0);
    log.chunks(
        |chunk| {
            let (memory, place) = chunk.share();
            memory.len() == place.len()
        },
        |is_copy, _| {
            chunks += 1;
            copied += u32::from(is_copy);
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    // That behind the long line, and the last, which is a short one.
    assert!(chunks > 15 && copied <= 2, "{copied} of {chunks}");
}

/// Whichever thread is first to fail, the caller hears of what comes first in the file, and has been given all before it.
#[test]
fn the_first_failure_in_the_file_is_the_one_that_is_told() {
    let place = Place::with(every_kind(6 << 20));
    for options in all_readers() {
        let log = options.open(&place.path).unwrap();
        let mut seen = Vec::new();
        let failed = log.try_chunks(
            |chunk| match chunk.offset {
                at if at < 2 << 20 => Ok(at),
                at => Err(Error::Shrunk { path: place.path.clone(), missing: at }),
            },
            |offset, _| seen.push(offset),
        );
        let Err(Error::Shrunk { missing: first, .. }) = failed else { panic!("{failed:?}") };
        assert!((2 << 20..3 << 20).contains(&first), "{first}");
        assert!(seen.is_sorted() && seen.first() == Some(&0) && seen.iter().all(|offset| *offset < first));
        let whole = log.try_chunks(|_| Ok::<_, Error>(()), |(), _| {}).unwrap();
        assert_eq!(whole, log.chunks(|_| (), |(), _| ControlFlow::Continue(())).unwrap());
    }
}

#[test]
fn a_map_keeps_what_was_there_when_the_log_is_replaced() {
    let place = Place::with("{\"n\":1}\n{\"n\":2}\n");
    let log = ReadOptions::new().source(Source::Map).open(&place.path).unwrap();
    place.writer().rewrite(|new| new.raw(b"{\"n\":9}")).unwrap();
    assert_eq!(log.load::<Value>().unwrap().records.len(), 2);
    assert_eq!(place.log().load::<Value>().unwrap().records, [json!({"n": 9})]);
}

/// Whoever's code panics on whatever thread, the caller hears of it instead of waiting for ever, and hears what it was.
#[test]
fn a_panic_in_the_callers_code_reaches_the_caller() {
    let place = Place::with(every_kind(9 << 20));
    for threads in [1, 2, 8] {
        let log = ReadOptions::new().threads(threads).open(&place.path).unwrap();
        for bad in [0, 5 << 20] {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                log.chunks(
                    |chunk| assert!(chunk.offset < bad, "on purpose"),
                    |(), _| ControlFlow::Continue(()),
                )
            }));
            let panic = caught.unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"), "{threads} threads");
        }
        assert!(log.verify().is_ok());
    }
}

#[test]
fn many_logs_can_be_read_at_the_same_time() {
    let place = Place::with(every_kind(5 << 20));
    let records = place.log().verify().unwrap().records;
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| assert_eq!(place.log().verify().unwrap().records, records));
        }
    });
}

/// The limit can be shorter than what is kept of a long line to show, or than a blank line, or a mark.
#[test]
fn tiny_limits_are_accounted_for_everywhere() {
    let bytes = b"\xEF\xBB\xBF{\"a\":12345}\n{\"a\":1}\n{\"long\":\"0123456789012345\"}\n                    \n12\n{\"torn\":\"0123456789";
    let place = Place::with(bytes);
    for max in [1, 2, 7, 8, 11, 14, 19, 20, 31, 200] {
        let expected: Loaded<Value> =
            ReadOptions::new().threads(1).max_line_len(max).open(&place.path).unwrap().load().unwrap();
        check_accounted(&expected.report, bytes.len());
        for options in all_readers() {
            let log = options.max_line_len(max).open(&place.path).unwrap();
            assert_eq!(log.load::<Value>().unwrap().report, expected.report, "{max}");
            assert_eq!(log.verify().unwrap(), expected.report, "{max}");
            let tail = log.tail::<Value>(usize::MAX).unwrap();
            assert_eq!(
                (tail.records, tail.report.bytes),
                (expected.records.clone(), expected.report.bytes),
                "{max}"
            );
            for line in log.lines().chain(log.lines().rev()).map(Result::unwrap) {
                assert!(line.len <= 32 && line.bytes.iter().all(|byte| bytes.contains(byte)), "{line:?}");
                assert_eq!(line.is_cut(), line.len as usize - usize::from(line.terminated) > max, "{line:?}");
                let damage = expected.report.damages.iter().find(|damage| damage.offset == line.offset);
                match line.verdict() {
                    Verdict::Damaged { kind, at } => {
                        assert_eq!(damage.map(|damage| (damage.kind, damage.at)), Some((kind, at as u64)));
                    }
                    _ => assert!(damage.is_none()),
                }
            }
        }
    }
}

#[test]
fn any_span_is_read_wherever_the_file_is() {
    let bytes = every_kind(1 << 20);
    let place = Place::with(&bytes);
    let len = bytes.len() as u64;
    for source in [Source::Chunks, Source::Map] {
        let log = ReadOptions::new().source(source).open(&place.path).unwrap();
        // At the ends, and around what is copied and what isn't.
        for (offset, span_len) in [
            (0, len),
            (5, 0),
            (len, 0),
            (3, 1 << 16),
            (4097, (1 << 16) - 1),
            (1, 1 << 19),
            (len - 9, 9),
            (0, 1),
        ] {
            let span = Span { offset, len: span_len };
            let expected = &bytes[offset as usize..(offset + span_len) as usize];
            assert!(log.read(span).unwrap() == expected, "{source:?} {span:?}");
            let mut held = vec![7; span_len as usize];
            log.read_exact_at(offset, &mut held).unwrap();
            assert!(held == expected, "{source:?} {span:?}");
        }
        for (offset, span_len) in [(len, 1), (u64::MAX, u64::MAX)] {
            let span = Span { offset, len: span_len };
            assert!(matches!(log.read(span), Err(Error::Shrunk { .. })), "{source:?}");
            let read = log.read_exact_at(offset, &mut [0; 10]);
            assert!(matches!(read, Err(Error::Shrunk { .. })), "{source:?}");
        }
    }
    let log = ReadOptions::new().source(Source::Chunks).open(&place.path).unwrap();
    OpenOptions::new().write(true).open(&place.path).unwrap().set_len(1000).unwrap();
    let span = Span { offset: 900, len: 200 };
    assert!(matches!(log.read(span), Err(Error::Shrunk { missing: 100, .. })));
    assert!(matches!(log.read_exact_at(900, &mut [0; 200]), Err(Error::Shrunk { missing: 100, .. })));
}
