//! Does an append do what it says, alone and among others?

use std::collections::HashMap;
use std::fs;
use std::thread;

use jsonl_core::{
    DamageKind, Durability, Error, Locking, Log, ReadOptions, Span, Transaction, WriteOptions, scan,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::{Place, check_accounted};

const LEVELS: [Durability; 3] = [Durability::Buffer, Durability::SyncData, Durability::SyncAll];

#[test]
fn what_was_appended_is_read_back_and_stands_where_it_was_said() {
    for durability in LEVELS {
        for locking in [Locking::Held, Locking::PerAppend] {
            for checksum in [false, true] {
                let place = Place::new();
                let options = WriteOptions::new()
                    .create(true)
                    .durability(durability)
                    .locking(locking)
                    .checksum(checksum);
                let log = options.open(&place.path).unwrap();
                let records: Vec<Value> =
                    (0..5).map(|n| json!({"n": n, "text": "é\n\"\u{2028}".repeat(n)})).collect();
                let mut appended = vec![log.append(&records[0]).unwrap(), log.append(&records[1]).unwrap()];
                appended.extend(log.append_all(&records[2..]).unwrap());
                assert!(log.append_all(Vec::<Value>::new()).unwrap().is_empty());
                log.sync().unwrap();
                log.close().unwrap();
                let loaded = place.log().load::<Value>().unwrap();
                assert_eq!(loaded.records, records);
                assert_eq!(loaded.report.sealed, if checksum { 5 } else { 0 });
                assert!(loaded.report.is_clean());
                let lines: Vec<_> = place.log().lines().map(Result::unwrap).collect();
                assert!(
                    lines
                        .iter()
                        .map(|line| (line.offset, line.len))
                        .eq(appended.iter().map(|appended| (appended.offset, appended.len)))
                );
            }
        }
    }
}

#[test]
fn a_torn_tail_is_closed_and_the_record_after_it_is_whole() {
    for tail in ["{\"a\":", "{\"a\":1}", "x", "\0\0\0", " ", "{\"a\":\"\u{e9}"] {
        let tail =
            if tail.ends_with('\u{e9}') { &tail.as_bytes()[..tail.len() - 1] } else { tail.as_bytes() };
        for durability in LEVELS {
            for locking in [Locking::Held, Locking::PerAppend] {
                let place = Place::with([b"{\"first\":1}\n", tail].concat());
                let log =
                    WriteOptions::new().durability(durability).locking(locking).open(&place.path).unwrap();
                log.append(&json!({"n": 1})).unwrap();
                log.append(&json!({"n": 2})).unwrap();
                log.close().unwrap();
                let expected = [b"{\"first\":1}\n", tail, b"\n{\"n\":1}\n{\"n\":2}\n"].concat();
                assert_eq!(place.bytes(), expected);
            }
        }
    }
}

/// Somebody who knows no lock writes half a record while ours is open.
#[test]
fn the_end_is_looked_at_again_when_somebody_else_has_written() {
    for locking in [Locking::Held, Locking::PerAppend] {
        let place = Place::new();
        let options = WriteOptions::new().create(true).durability(Durability::Buffer).locking(locking);
        let log = options.open(&place.path).unwrap();
        log.append(&1).unwrap();
        let mut bytes = place.bytes();
        bytes.extend_from_slice(b"{\"half");
        fs::write(&place.path, bytes).unwrap();
        log.append(&2).unwrap();
        assert_eq!(place.bytes(), b"1\n{\"half\n2\n");
    }
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let nested = |levels: usize| {
        let text = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        RawValue::from_string(text).unwrap()
    };
    let place = Place::new();
    let log = place.writer();
    log.append(&nested(scan::NESTING_MAX)).unwrap();
    let deep = log.append(&nested(scan::NESTING_MAX + 1));
    assert!(matches!(deep, Err(Error::NotJson { kind: DamageKind::TooDeep, .. })));
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    assert!(matches!(log.append(&Broken), Err(Error::Encode { .. })));
    let before = place.bytes();
    // One that can't be written keeps the whole batch out.
    assert!(log.append_raw_all([&b"{}"[..], b"nonsense"]).is_err());
    for (line, kind) in [
        (&b"{\"a\":1"[..], DamageKind::Torn),
        (b"{}\n{}", DamageKind::Malformed),
        (b"", DamageKind::Malformed),
        (b"\"\xFF\"", DamageKind::InvalidUtf8),
        (b"{\"a\":1,\"crc32\":\"00000000\"}", DamageKind::Checksum),
    ] {
        assert!(matches!(log.append_raw(line), Err(Error::NotJson { kind: found, .. }) if found == kind));
    }
    assert_eq!(place.bytes(), before);
    drop(log);
    // The handle is none the worse for it.
    let log = WriteOptions::new().max_line_len(10).checksum(false).open(&place.path).unwrap();
    log.append(&"12345678").unwrap();
    assert!(matches!(log.append(&"123456789"), Err(Error::TooLong { len: 11, max: 10, .. })));
    assert!(matches!(log.append_raw(b"\"123456789\""), Err(Error::TooLong { len: 11, max: 10, .. })));
    drop(log);
    let sealed = WriteOptions::new().checksum(true).open(&place.path).unwrap();
    assert!(matches!(sealed.append(&5), Err(Error::NotAnObject { .. })));
    sealed.append(&json!({})).unwrap();
}

#[test]
fn a_newline_in_a_raw_value_becomes_a_space() {
    let place = Place::new();
    let pretty = RawValue::from_string(String::from("{\n  \"a\": \"x\\ny\"\r\n}")).unwrap();
    place.writer().append(&pretty).unwrap();
    assert_eq!(place.bytes(), b"{   \"a\": \"x\\ny\"  }\n");
    // A million of them take no longer than they have to.
    let breaks = RawValue::from_string(format!("[{}]", "\n".repeat(1 << 20))).unwrap();
    let begun = std::time::Instant::now();
    place.writer().append(&breaks).unwrap();
    assert!(begun.elapsed().as_secs() < 5);
}

#[test]
fn raw_lines_keep_every_byte() {
    let lines = [&br#" {"b":1.0e00,"a":12345678901234567890123,"b":"\u00E9\/"} "#[..], b"5", b"{\"a\":1}\r"];
    let place = Place::new();
    place.writer().append_raw_all(lines).unwrap();
    assert_eq!(place.bytes(), [&lines.join(&b'\n')[..], b"\n"].concat());
    // A sealed line keeps its seal, a new one gets one.
    let sealed = WriteOptions::new().checksum(true).durability(Durability::Buffer);
    let place = Place::with("");
    let log = sealed.open(&place.path).unwrap();
    log.append_raw(b" {\"a\": 1 } ").unwrap();
    let line = place.bytes();
    log.append_raw(&line[..line.len() - 1]).unwrap();
    assert_eq!(place.bytes(), [&line[..], &line].concat());
    assert!(line.starts_with(b"{\"a\": 1 ,\"crc32\":\""));
}

#[test]
fn threads_share_a_log_and_each_keeps_its_order() {
    for durability in LEVELS {
        for locking in [Locking::Held, Locking::PerAppend] {
            let place = Place::new();
            let options = WriteOptions::new().create(true).durability(durability).locking(locking);
            let log = options.open(&place.path).unwrap();
            thread::scope(|scope| {
                for thread in 0..8 {
                    let log = &log;
                    scope.spawn(move || {
                        for n in 0..50 {
                            let record = json!({"thread": thread, "n": n});
                            let appended = log.append(&record).unwrap();
                            // Acknowledged means readable, and where it was said.
                            let line = Log::open(log.path()).unwrap();
                            let line =
                                line.read(jsonl_core::Span { offset: appended.offset, len: appended.len });
                            assert_eq!(line.unwrap(), format!("{record}\n").as_bytes());
                        }
                    });
                }
            });
            log.close().unwrap();
            let loaded = place.log().load::<Value>().unwrap();
            let mut next: HashMap<u64, u64> = HashMap::new();
            for record in &loaded.records {
                let next = next.entry(record["thread"].as_u64().unwrap()).or_default();
                assert_eq!(record["n"], *next);
                *next += 1;
            }
            assert_eq!(loaded.records.len(), 400);
            check_accounted(&loaded.report, place.bytes().len());
        }
    }
}

#[test]
fn handles_for_short_find_the_log_again_when_it_was_replaced() {
    let place = Place::new();
    let short = WriteOptions::new().create(true).durability(Durability::Buffer).locking(Locking::PerAppend);
    let (one, other) = (short.open(&place.path).unwrap(), short.open(&place.path).unwrap());
    one.append(&1).unwrap();
    other.append(&2).unwrap();
    one.rewrite(|new| new.record(&9)).unwrap();
    other.append(&3).unwrap();
    one.append(&4).unwrap();
    other.sync().unwrap();
    assert_eq!(place.bytes(), b"9\n3\n4\n");
    // Also when somebody removes it.
    fs::remove_file(&place.path).unwrap();
    other.append(&5).unwrap();
    assert_eq!(place.bytes(), b"5\n");
}

#[test]
fn a_handle_that_holds_the_lock_does_not_write_into_a_file_that_is_gone() {
    for durability in LEVELS {
        let place = Place::new();
        let log = WriteOptions::new().create(true).durability(durability).open(&place.path).unwrap();
        log.append(&1).unwrap();
        fs::remove_file(&place.path).unwrap();
        // With a sync at once, without one soon.
        let tries = if durability == Durability::Buffer { 64 } else { 1 };
        let noticed = (0..tries).find_map(|_| log.append(&2).err());
        assert!(matches!(noticed, Some(Error::Replaced { .. })), "{durability:?}: {noticed:?}");
        assert!(matches!(log.append(&2), Err(Error::Poisoned { .. })));
        assert!(log.close().is_err());
    }
    // And at the end at the latest.
    let place = Place::new();
    let log = place.writer();
    log.append(&1).unwrap();
    fs::remove_file(&place.path).unwrap();
    assert!(matches!(log.close(), Err(Error::Replaced { .. })));
}

#[test]
fn a_rewrite_is_all_or_nothing_and_the_handle_goes_on() {
    let place = Place::with("1\n2\nnonsense\n3\n");
    let log = place.writer();
    let failed = log.rewrite(|new| {
        new.record(&7)?;
        new.raw(b"nonsense")
    });
    assert!(failed.is_err());
    assert_eq!(place.bytes(), b"1\n2\nnonsense\n3\n");
    log.append(&4).unwrap();
    log.rewrite(|new| {
        new.raw(b"2 ")?;
        new.record(&3)
    })
    .unwrap();
    log.append(&5).unwrap();
    assert_eq!(place.bytes(), b"2 \n3\n5\n");
    // Still the only one.
    let other = WriteOptions::new().wait(std::time::Duration::ZERO).open(&place.path);
    assert!(matches!(other, Err(Error::Busy { .. })));
    log.close().unwrap();
    let folder = place.path.parent().unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing is left beside the log");
}

#[test]
fn parts_of_a_log_are_copied_as_they_are_and_stand_where_it_was_said() {
    // Longer than what is copied at a time, with damage, and torn.
    let text =
        ["{\"n\":1}\nnonsense\n", &format!("\"{}\"\n", "x".repeat(3 << 20)), "{\"n\":2}\ntorn"].concat();
    let all = text.len() as u64;
    let damage = Span { offset: 8, len: 9 };
    let part = |span: Span| &text.as_bytes()[span.offset as usize..(span.offset + span.len) as usize];
    for span in [
        Span { offset: 0, len: all },
        Span { offset: 0, len: 8 },
        damage,
        Span { offset: 17, len: all - 17 },
        Span { offset: 17, len: (1 << 20) - 1 },
        Span { offset: 17, len: 1 << 20 },
        Span { offset: 17, len: (1 << 20) + 1 },
        Span { offset: 17, len: 2 << 20 },
        Span { offset: all - 4, len: 4 },
        Span { offset: 8, len: 0 },
    ] {
        let place = Place::with(&text);
        let (log, writer) = (place.log(), place.writer());
        let (mut before, mut after) = (0, 0);
        writer
            .rewrite(|new| {
                new.record(&0)?;
                before = new.next_offset();
                new.copy(&log, span)?;
                after = new.next_offset();
                new.record(&9)
            })
            .unwrap();
        let newline = if part(span).ends_with(b"\n") || span.len == 0 { &b""[..] } else { b"\n" };
        let copied = [part(span), newline].concat();
        assert_eq!((before, after), (2, 2 + copied.len() as u64), "{span:?}");
        assert!(place.bytes() == [b"0\n", &copied[..], b"9\n"].concat(), "{span:?}");
    }
    // What the log doesn't have is not copied, and then nothing is.
    for span in
        [Span { offset: 8, len: all }, Span { offset: all + 1, len: 1 }, Span { offset: 1, len: u64::MAX }]
    {
        let place = Place::with(&text);
        let (log, writer) = (place.log(), place.writer());
        let refused = writer.rewrite(|new| new.copy(&log, span));
        assert!(matches!(refused, Err(Error::Shrunk { .. })), "{span:?}: {refused:?}");
        assert!(place.bytes() == text.as_bytes(), "{span:?}");
    }
}

#[test]
fn temporary_files_of_killed_rewrites_are_removed_and_only_those() {
    let place = Place::with("1\n");
    let folder = place.path.parent().unwrap();
    let leftovers = [".log.jsonl.annals-tmp-4711-0", ".log.jsonl.annals-tmp-1-22"];
    let others =
        [".log.jsonl.annals-tmp-x", ".log2.jsonl.annals-tmp-1-1", "log.jsonl.annals-tmp-1-1", "a.tmp"];
    let replace_it = |place: &Place| {
        jsonl_core::replace(&place.path, |out| {
            out.write_all(b"1\n").unwrap();
            Ok(())
        })
    };
    let rewrite_it = |place: &Place| place.writer().rewrite(|new| new.record(&1));
    for replacing in [&replace_it as &dyn Fn(&Place) -> jsonl_core::Result<()>, &rewrite_it] {
        for name in leftovers.iter().chain(&others) {
            fs::write(folder.join(name), "x").unwrap();
        }
        replacing(&place).unwrap();
        assert!(leftovers.iter().all(|name| !folder.join(name).exists()));
        assert!(others.iter().all(|name| folder.join(name).exists()));
    }
}

#[cfg(unix)]
#[test]
fn modes_are_kept_and_new_files_are_for_their_owner() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let place = Place::new();
    let log = place.writer();
    assert_eq!(mode(&place.path), 0o600);
    log.close().unwrap();
    for kept in [0o640, 0o600, 0o664] {
        fs::set_permissions(&place.path, fs::Permissions::from_mode(kept)).unwrap();
        place.writer().rewrite(|new| new.record(&1)).unwrap();
        assert_eq!(mode(&place.path), kept);
        jsonl_core::replace(&place.path, |out| {
            out.write_all(b"2\n").unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!((mode(&place.path), place.bytes()), (kept, b"2\n".to_vec()));
    }
    // A link stays a link, and what it leads to is replaced.
    let link = place.path.with_file_name("link.jsonl");
    symlink(&place.path, &link).unwrap();
    let log = WriteOptions::new().open(&link).unwrap();
    log.rewrite(|new| new.record(&3)).unwrap();
    log.close().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(place.bytes(), b"3\n");
}

/// Nobody but the superuser can sync such a folder. Whoever made the log has answered for its name.
#[cfg(unix)]
#[test]
fn a_log_in_a_folder_that_may_not_be_read_is_written_to() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with("1\n");
    let folder = place.path.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o300)).unwrap();
    let log = WriteOptions::new().open(&place.path).unwrap();
    let appended = log.append_with(&2, Durability::SyncAll);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    appended.unwrap();
    assert_eq!(place.bytes(), b"1\n2\n");
}

/// The process is another one, for a umask is everybody's in it.
#[cfg(unix)]
#[test]
fn new_files_are_their_owners_under_any_umask() {
    use std::os::unix::fs::PermissionsExt;
    const PLACE: &str = "ANNALS_TEST_NEW_LOG";
    if let Some(path) = std::env::var_os(PLACE) {
        WriteOptions::new().create(true).open(path).unwrap().append(&1).unwrap();
        return;
    }
    for umask in ["0777", "0000"] {
        let place = Place::new();
        let ended = std::process::Command::new("sh")
            .args([
                "-c",
                &format!(
                    "umask {umask}; exec \"$0\" --exact writing::new_files_are_their_owners_under_any_umask"
                ),
            ])
            .arg(std::env::current_exe().unwrap())
            .env(PLACE, &place.path)
            .output()
            .unwrap();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(place.bytes(), b"1\n");
        assert_eq!(fs::metadata(&place.path).unwrap().permissions().mode() & 0o7777, 0o600, "{umask}");
    }
}

#[test]
fn several_who_make_a_log_at_the_same_time_make_one() {
    const WRITERS: usize = 4;
    let options = WriteOptions::new().create(true).durability(Durability::Buffer).locking(Locking::PerAppend);
    for _ in 0..100 {
        let place = Place::new();
        let start = std::sync::Barrier::new(WRITERS);
        thread::scope(|scope| {
            for n in 0..WRITERS {
                let (place, start, options) = (&place, &start, &options);
                scope.spawn(move || {
                    start.wait();
                    options.open(&place.path).unwrap().append(&n).unwrap();
                });
            }
        });
        assert_eq!(place.bytes().len(), 2 * WRITERS);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_not_written_through() {
    let place = Place::new();
    let target = place.path.with_file_name("elsewhere");
    std::os::unix::fs::symlink(&target, &place.path).unwrap();
    assert!(WriteOptions::new().create(true).open(&place.path).is_err());
    assert!(!target.exists());
    // One that leads to itself is something else, and that is said.
    let circle = place.path.with_file_name("circle");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let refused = WriteOptions::new().create(true).open(&circle).unwrap_err();
    assert_ne!(refused.io_kind(), Some(std::io::ErrorKind::NotFound), "{refused}");
}

#[test]
fn a_missing_log_is_made_only_when_asked() {
    let place = Place::new();
    let missing = WriteOptions::new().open(&place.path).unwrap_err();
    assert_eq!(missing.io_kind(), Some(std::io::ErrorKind::NotFound));
    assert!(!place.path.exists());
    let no_folder = place.path.join("no/folder.jsonl");
    assert!(WriteOptions::new().create(true).open(no_folder).is_err());
    let folder = place.path.parent().unwrap();
    assert!(matches!(WriteOptions::new().open(folder), Err(Error::NotAFile { .. })));
}

/// Nobody makes files there, not even the superuser.
#[cfg(target_os = "linux")]
#[test]
fn what_keeps_a_log_from_being_made_is_said() {
    if !std::path::Path::new("/sys/kernel").exists() {
        return;
    }
    let refused = WriteOptions::new().create(true).open("/sys/log.jsonl").unwrap_err();
    assert!(!matches!(refused.io_kind(), None | Some(std::io::ErrorKind::NotFound)), "{refused}");
}

/// Whoever reads beside hot writers sees whole records, perhaps one in flight at the end, and never damage.
#[test]
fn readers_beside_hot_writers_see_no_false_damage() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let place = Place::with("");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let place = &place;
                scope.spawn(move || {
                    let options =
                        WriteOptions::new().durability(Durability::Buffer).locking(Locking::PerAppend);
                    let log = options.open(&place.path).unwrap();
                    // Long enough to be seen half written, and to make the file grow over several chunks.
                    let text = "x".repeat(6_000);
                    for n in 0..1_000 {
                        log.append(&json!({"writer": writer, "n": n, "text": text})).unwrap();
                    }
                })
            })
            .collect();
        for reader in 0..2 {
            let (place, done) = (&place, &done);
            scope.spawn(move || {
                let mut seen = 0;
                while !done.load(Ordering::Relaxed) {
                    let log = place.log();
                    let report = match reader {
                        0 => log.load::<Value>().unwrap().report,
                        _ => log.verify().unwrap(),
                    };
                    check_accounted(&report, log.len() as usize);
                    assert!(report.is_clean() || report.is_in_flight(), "{report}: {:?}", report.damages);
                    assert!(report.records >= seen, "a record went away");
                    seen = report.records;
                    let tail = log.tail::<Value>(3).unwrap();
                    assert!(tail.records.len() as u64 == seen.min(3));
                }
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(place.log().verify().unwrap().records, 2_000);
}

#[derive(Serialize, Deserialize)]
struct Numbered {
    n: u64,
}

#[test]
fn nothing_appended_changes_nothing() {
    for durability in [Durability::Buffer, Durability::SyncData] {
        let place = Place::with("1\n{\"torn\":");
        let log = WriteOptions::new().durability(durability).open(&place.path).unwrap();
        assert!(log.append_all(Vec::<Value>::new()).unwrap().is_empty());
        log.close().unwrap();
        assert_eq!(place.bytes(), b"1\n{\"torn\":");
    }
}

#[test]
fn a_transaction_numbers_records_without_gaps_over_handles_and_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    for durability in [Durability::Buffer, Durability::SyncData] {
        let _ = fs::remove_file(&path);
        let open = || {
            let options = WriteOptions::new().create(true).checksum(true).locking(Locking::PerAppend);
            options.open(&path).unwrap()
        };
        let handles = [open(), open()];
        thread::scope(|scope| {
            for thread in 0..4 {
                let handle = &handles[thread % 2];
                scope.spawn(move || {
                    for _ in 0..50 {
                        let number = |log: &mut Transaction<'_>| -> Result<(), Error> {
                            let last = log.log(&ReadOptions::new())?.tail::<Numbered>(1)?.records.pop();
                            let n = last.map_or(0, |last| last.n + 1);
                            let offset = log.next_offset();
                            assert_eq!(log.append(&Numbered { n })?.offset, offset);
                            Ok(())
                        };
                        handle.transact(durability, number).unwrap();
                    }
                });
            }
        });
        let numbers: Vec<_> = Log::open(&path).unwrap().load::<Numbered>().unwrap().records;
        assert!(numbers.iter().map(|record| record.n).eq(0..200));
    }
}

#[test]
fn a_transaction_that_fails_writes_nothing_and_one_behind_a_torn_line_heals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let log = WriteOptions::new().create(true).open(&path).unwrap();
    let failed = log.transact(Durability::Buffer, |log| -> Result<(), Error> {
        assert!(log.is_empty());
        log.append(&Numbered { n: 1 })?;
        log.append_raw(b"not json").map(drop)
    });
    assert!(matches!(failed, Err(Error::NotJson { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"");
    fs::write(&path, br#"{"n":"#).unwrap();
    let offset = log.transact(Durability::SyncData, |log| {
        assert!(!log.is_as_left());
        assert_eq!((log.len(), log.next_offset()), (5, 6));
        let first = log.append(&Numbered { n: 1 })?;
        assert_eq!(log.next_offset(), first.offset + first.len);
        log.append_raw(br#"{"n": 2}"#).map(|second| second.offset)
    });
    assert_eq!(offset.unwrap(), 14);
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"n\":\n{\"n\":1}\n{\"n\": 2}\n");
    log.transact(Durability::Buffer, |log| -> Result<(), Error> {
        assert!(log.is_as_left());
        Ok(())
    })
    .unwrap();
}
