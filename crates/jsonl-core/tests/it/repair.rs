//! Does a repair take out what is no record, keep it, and touch nothing else?

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jsonl_core::{DamageKind, Error, RepairOptions, Seals, WriteOptions};

use crate::support::{Place, check_accounted, every_kind, naive_records};

#[test]
fn records_stay_byte_for_byte_and_the_rest_is_kept() {
    let bytes = [every_kind(1 << 20), b"{\"torn\":".to_vec()].concat();
    let place = Place::with(&bytes);
    let dry = RepairOptions::new().dry_run(true).repair(&place.path).unwrap();
    assert_eq!(place.bytes(), bytes);
    assert_eq!(dry.kept_in, None);
    let verified = place.log().verify().unwrap();
    let repaired = RepairOptions::new().repair(&place.path).unwrap();
    assert_eq!((dry.removed_len, &dry.report), (repaired.removed_len, &repaired.report));
    assert_eq!((repaired.report.lines, repaired.report.bytes), (verified.lines, verified.bytes));
    check_accounted(&repaired.report, bytes.len());
    let naive = naive_records(&bytes);
    let records: Vec<u8> = naive
        .iter()
        .flat_map(|(_, line)| [line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line), b"\n"].concat())
        .collect();
    assert_eq!(place.bytes(), records);
    assert!(place.log().verify().unwrap().is_clean());
    // Nothing is lost: what was taken out is in the other file, in order.
    let kept = fs::read(repaired.kept_in.unwrap()).unwrap();
    assert_eq!(kept.len() as u64, repaired.removed_len);
    assert_eq!(kept.len() + records.len(), bytes.len());
    let taken: Vec<u8> = bytes
        .split_inclusive(|&byte| byte == b'\n')
        .scan(0, |offset, piece| {
            *offset += piece.len() as u64;
            Some((*offset - piece.len() as u64, piece))
        })
        .filter(|(offset, _)| naive.binary_search_by_key(offset, |(offset, _)| *offset).is_err())
        .flat_map(|(_, piece)| piece.to_vec())
        .collect();
    assert_eq!(kept, [&b"\xEF\xBB\xBF"[..], &taken].concat());
}

#[test]
fn repairing_twice_is_repairing_once() {
    let place = Place::with(every_kind(50 << 10));
    assert!(RepairOptions::new().repair(&place.path).unwrap().changes());
    let once = place.bytes();
    let again = RepairOptions::new().repair(&place.path).unwrap();
    assert!(!again.changes() && again.kept_in.is_none());
    assert_eq!(place.bytes(), once);
}

#[test]
fn a_log_that_lacks_only_a_newline_gets_it() {
    let place = Place::with("1\n2");
    let repaired = RepairOptions::new().repair(&place.path).unwrap();
    assert!(repaired.terminated && repaired.changes() && repaired.kept_in.is_none());
    assert_eq!(place.bytes(), b"1\n2\n");
}

#[test]
fn salvaged_records_take_the_place_of_their_line_when_asked() {
    let bytes = b"{\"a\":1}\n{\"b\":{\"c\":3}\n{\"d\":4}{\"e\":5}\n";
    let place = Place::with(bytes);
    let repaired = RepairOptions::new().salvage(true).repair(&place.path).unwrap();
    assert_eq!(repaired.salvaged, 2);
    assert_eq!(place.bytes(), b"{\"a\":1}\n{\"d\":4}\n{\"e\":5}\n");
    let place = Place::with(b"{\"a\":1{\"b\":2}\n");
    RepairOptions::new().salvage(true).repair(&place.path).unwrap();
    assert_eq!(place.bytes(), b"{\"b\":2}\n");
}

#[test]
fn oversize_lines_are_taken_out_whole() {
    let long = format!("\"{}\"\n", "x".repeat(3 << 20));
    let place = Place::with(["1\n", &long, "2\n"].concat());
    let repaired = RepairOptions::new().max_line_len(1 << 20).repair(&place.path).unwrap();
    assert_eq!(repaired.report.count(DamageKind::TooLong), 1);
    assert_eq!(repaired.report.lines, 3);
    assert_eq!(fs::read(repaired.kept_in.unwrap()).unwrap(), long.as_bytes());
    assert_eq!(place.bytes(), b"1\n2\n");
}

#[test]
fn a_log_that_somebody_writes_is_not_repaired() {
    let place = Place::with("1\nx\n");
    let writer = WriteOptions::new().open(&place.path).unwrap();
    let refused = RepairOptions::new().wait(Duration::ZERO).repair(&place.path);
    assert!(matches!(refused, Err(Error::Busy { .. })));
    // Looking what would be done needs no lock.
    assert!(RepairOptions::new().dry_run(true).repair(&place.path).unwrap().changes());
    writer.close().unwrap();
    RepairOptions::new().repair(&place.path).unwrap();
    assert_eq!(place.bytes(), b"1\n");
}

#[test]
fn a_byte_order_mark_is_nothing_but_damage_where_no_file_begins() {
    let place = Place::with("1\n\u{FEFF}2\n3\n");
    let repaired = RepairOptions::new().repair(&place.path).unwrap();
    assert_eq!(place.bytes(), b"1\n3\n");
    assert_eq!(fs::read(repaired.kept_in.unwrap()).unwrap(), "\u{FEFF}2\n".as_bytes());
}

#[test]
fn each_setting_leaves_the_others_alone() {
    let deep = "[[[1]]]\n[1]\n";
    let place = Place::with(deep);
    let done = Arc::new(AtomicU64::new(0));
    let options = RepairOptions::new()
        .dry_run(true)
        .salvage(true)
        .wait(Duration::ZERO)
        .max_line_len(100)
        .seals(Seals::Ignore)
        .max_nesting(2)
        .progress(Arc::clone(&done));
    // Somebody writes; a dry run waits for nobody.
    let writer = WriteOptions::new().open(&place.path).unwrap();
    let looked = options.repair(&place.path).unwrap();
    assert_eq!((looked.removed_len, looked.salvaged, looked.kept_in), (8, 0, None));
    assert_eq!(done.load(Ordering::Relaxed), deep.len() as u64);
    assert!(matches!(options.dry_run(false).repair(&place.path), Err(Error::Busy { .. })));
    writer.close().unwrap();
    assert_eq!(place.bytes(), deep.as_bytes());
}

/// Somebody had typed `annals log repair /etc/passwd`, and nothing was left of it.
#[test]
fn what_is_no_log_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut sealed = b"{\"n\":1}".to_vec();
    assert!(jsonl_core::checksum::seal(&mut sealed, 0));
    let flipped = String::from_utf8(sealed).unwrap().replace("\"n\":1", "\"n\":2");
    let long = format!("\"{}\"\n", "x".repeat(100));
    for (text, is_log) in [
        ("root:x:0:0\ndaemon:x:1:1\n", false),
        ("{\n  \"a\": 1,\n  \"b\": 2\n}\n", false),
        ("\u{fffd}", false),
        (&long, false),
        (&format!("{{}}\n{}", "nonsense\n".repeat(11)), false),
        (&format!("{{}}\n{}", "nonsense\n".repeat(10)), true),
        // A document over several lines.
        ("{\n  \"files\": [\n    \"dist\"\n  ],\n  \"keywords\": [\n    \"a\",\n    \"b\"\n  ]\n}\n", false),
        ("1\nnonsense\n", true),
        (&"{\"torn\":{\"a\":1}\n".repeat(1500), true),
        // What crashes and accidents leave.
        ("{\"torn\":", true),
        ("\0\0\0\0\n", true),
        (&format!("{flipped}\n"), true),
        ("\n \n", true),
        ("", true),
    ] {
        for dry_run in [true, false] {
            let path = folder.path().join("log.jsonl");
            fs::write(&path, text).unwrap();
            let options = RepairOptions::new().dry_run(dry_run).max_line_len(64);
            let repaired = options.repair(&path);
            assert_eq!(repaired.is_ok(), is_log, "{text:?}: {repaired:?}");
            if !is_log {
                assert!(matches!(repaired, Err(Error::NotALog { .. })), "{text:?}: {repaired:?}");
                assert_eq!(fs::read_to_string(&path).unwrap(), text);
                options.mostly_damaged(true).repair(&path).unwrap();
            }
        }
    }
}

/// Where more lines are damaged than are described, as many of the others have records inside.
#[test]
fn what_is_not_described_is_like_what_is() {
    let place = Place::with("");
    let (fused, garbage) = ("nonsense {\"a\":1}\n", "nonsense\n");
    let repair = |lines: String| {
        fs::write(&place.path, lines).unwrap();
        RepairOptions::new().dry_run(true).repair(&place.path)
    };
    assert!(repair(fused.repeat(1500)).is_ok());
    // One in fifty is too few, and all of them are counted.
    let few = [fused, &garbage.repeat(49)].concat().repeat(40);
    let refused = repair(few).unwrap_err();
    assert!(matches!(refused, Error::NotALog { records: 40, others: 2000, .. }), "{refused:?}");
}

#[test]
fn each_repair_keeps_its_bytes_apart() {
    let place = Place::with("1\nx\n");
    let first = RepairOptions::new().repair(&place.path).unwrap().kept_in.unwrap();
    fs::write(&place.path, "1\ny\n").unwrap();
    let second = RepairOptions::new().repair(&place.path).unwrap().kept_in.unwrap();
    assert_ne!(first, second);
    assert_eq!((fs::read(&first).unwrap(), fs::read(&second).unwrap()), (b"x\n".to_vec(), b"y\n".to_vec()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// A foreign log may have members of its own that look like seals.
#[test]
fn a_foreign_log_is_repaired_without_looking_at_its_checksums() {
    let lines = "{\"name\":\"a.zip\",\"crc32\":\"deadbeef\"}\n{\"name\":\"b.zip\",\"crc32\":\"00000000\"}\n";
    let place = Place::with(format!("{lines}nonsense\n"));
    RepairOptions::new().seals(Seals::Ignore).repair(&place.path).unwrap();
    assert_eq!(place.bytes(), lines.as_bytes());
}
