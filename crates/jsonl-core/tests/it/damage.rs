//! Is every intact record found, and every byte accounted for, wherever a log is cut or hit?

use std::fs::OpenOptions;
use std::slice;
use std::thread;

use jsonl_core::{DamageKind, Durability, Log, ReadOptions, WriteOptions, checksum, line};
use serde_json::{Value, json};

use crate::support::{Place, check_accounted, every_kind, naive_records, write_at};

/// A crash leaves the beginning of a file. So: every beginning of one with all kinds of lines, then a writer
/// that opens it and appends. `fill` is what a power cut put behind the cut.
fn cut_everywhere(bytes: &[u8], cuts: impl Iterator<Item = usize>, fill: &[u8]) {
    let place = Place::with(bytes);
    let naive = naive_records(bytes);
    let appended = json!({"appended": true});
    let open = WriteOptions::new().durability(Durability::Buffer);
    let read = ReadOptions::new().threads(1);
    let file = OpenOptions::new().write(true).open(&place.path).unwrap();
    // From long to short, so that shortening also takes away what the round before appended.
    for cut in cuts {
        file.set_len(cut as u64).unwrap();
        write_at(&file, fill, cut);
        let before = cut + fill.len();
        let log = open.open(&place.path).unwrap();
        let place_of_it = log.append(&appended).unwrap();
        drop(log);
        // What was cut through is a record if what is left of it is one (its newline doesn't matter); NULs
        // behind it spoil the line, and it is offered as salvage.
        let line = bytes[..cut].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let is_left = !naive_records(&bytes[line..cut]).is_empty();
        let before_it = naive.partition_point(|(offset, _)| (*offset as usize) < line);
        let expected = before_it + usize::from(is_left && fill.is_empty());
        let log = read.open(&place.path).unwrap();
        let report = log.verify().unwrap();
        check_accounted(&report, (place_of_it.offset + place_of_it.len) as usize);
        assert_eq!(report.records as usize, expected + 1, "cut at {cut}");
        assert_eq!(log.tail::<Value>(1).unwrap().records, slice::from_ref(&appended), "cut at {cut}");
        if is_left && !fill.is_empty() && bytes[..cut].ends_with(b"}") {
            let loaded = log.load::<Value>().unwrap();
            let offered = loaded.salvaged.iter().any(|salvaged| salvaged.index == expected);
            assert!(offered, "cut at {cut}: the record before the NULs is not offered");
        }
        // Healing adds one newline at most, and never shortens.
        assert!(place_of_it.offset as usize - before <= 1);
    }
}

#[test]
fn every_beginning_of_a_log_can_be_gone_on_with() {
    let bytes = every_kind(64 << 10);
    assert!(bytes.len() >= 64 << 10);
    let half = bytes.len() / 2;
    thread::scope(|scope| {
        scope.spawn(|| cut_everywhere(&bytes, (half..=bytes.len()).rev(), b""));
        cut_everywhere(&bytes[..half], (0..half).rev(), b"");
    });
}

#[test]
fn every_beginning_with_nuls_behind_it_can_be_gone_on_with() {
    let bytes = every_kind(8 << 10);
    cut_everywhere(&bytes, (0..=bytes.len()).rev(), &[0; 37]);
    cut_everywhere(&bytes, (0..=bytes.len()).rev().step_by(7), &[0; 4096]);
}

fn sealed_log(len: usize) -> Vec<u8> {
    let place = Place::new();
    let log =
        WriteOptions::new().create(true).checksum(true).durability(Durability::Buffer).open(&place.path);
    let log = log.unwrap();
    for number in 0.. {
        let text = "größer 渡船 \"quoted\" \n ".repeat(number % 4);
        let end = log.append(&json!({"n": number, "content": text, "more": [1, {"x": null}]})).unwrap();
        if end.offset as usize > len {
            break;
        }
    }
    place.bytes()
}

#[test]
fn no_flipped_bit_is_called_verified_and_none_costs_another_record() {
    let bytes = sealed_log(6 << 10);
    let place = Place::with(&bytes);
    let file = OpenOptions::new().write(true).open(&place.path).unwrap();
    let intact: Vec<Value> = place.log().load().unwrap().records;
    let ends: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] == b'\n').collect();
    let read = ReadOptions::new().threads(1);
    for bit in 0..bytes.len() * 8 {
        let at = bit / 8;
        write_at(&file, &[bytes[at] ^ 1 << (bit % 8)], at);
        let loaded = read.open(&place.path).unwrap().load::<Value>().unwrap();
        write_at(&file, &[bytes[at]], at);
        check_accounted(&loaded.report, bytes.len());
        let hit = ends.iter().take_while(|&&end| end < at).count();
        // Records in the order of the file, salvaged ones in their places.
        let mut found: Vec<&Value> = loaded.records.iter().collect();
        for salvaged in loaded.salvaged.iter().rev() {
            found.insert(salvaged.index, &salvaged.record);
        }
        // A flipped newline spoils no record; any other bit just the one it is in.
        let spoils = !ends.contains(&at);
        let expected: Vec<&Value> = intact
            .iter()
            .enumerate()
            .filter(|(n, _)| !(spoils && *n == hit))
            .map(|(_, value)| value)
            .collect();
        let all_there = {
            let mut rest = found.iter();
            expected.iter().all(|wanted| rest.any(|value| value == wanted))
        };
        assert!(all_there, "bit {bit}: an intact record is missing");
        // What is returned beyond them does not claim to be verified.
        let unsealed = loaded.report.records - loaded.report.sealed;
        assert!(found.len() as u64 <= expected.len() as u64 + unsealed, "bit {bit}: called verified");
    }
}

#[test]
fn no_flipped_bit_passes_the_seal_of_its_line() {
    let mut bytes = sealed_log(64 << 10);
    assert!(bytes.len() >= 64 << 10);
    let original = bytes.clone();
    let starts: Vec<usize> = line::lines(&original).map(|line| line.offset).collect();
    for bit in 0..bytes.len() * 8 {
        let at = bit / 8;
        bytes[at] ^= 1 << (bit % 8);
        // Only the lines around can have changed.
        let index = starts.partition_point(|&start| start <= at) - 1;
        let from = starts[index.saturating_sub(1)];
        let to = starts.get(index + 2).copied().unwrap_or(bytes.len());
        for found in line::lines(&bytes[from..to]) {
            let same = original[from + found.offset..].starts_with(found.bytes);
            let verified = checksum::check(found.bytes) == checksum::Seal::Good;
            assert!(same || !verified, "bit {bit}: {}", found.bytes.escape_ascii());
        }
        bytes[at] ^= 1 << (bit % 8);
    }
}

#[test]
fn damage_is_named_and_placed() {
    let place = Place::with(
        b"{\"a\":1}\n{\"a\":\nnot json\n\n{\"a\":\"\xFF\"}\n\0\0\0\n{\"a\":1{\"b\":2}\n{\"a\":1}{\"b\":2}\n{\"a\":2}\n{\"b\":",
    );
    let loaded = place.log().load::<Value>().unwrap();
    assert_eq!(loaded.records, [json!({"a": 1}), json!({"a": 2})]);
    let found: Vec<_> = loaded
        .report
        .damages
        .iter()
        .map(|damage| (damage.kind, damage.line.unwrap(), damage.offset, damage.len, damage.terminated))
        .collect();
    assert_eq!(
        found,
        [
            (DamageKind::Torn, 2, 8, 5, true),
            (DamageKind::Malformed, 3, 14, 8, true),
            (DamageKind::InvalidUtf8, 5, 24, 9, true),
            (DamageKind::NulRun, 6, 34, 3, true),
            (DamageKind::Malformed, 7, 38, 13, true),
            (DamageKind::Malformed, 8, 52, 14, true),
            (DamageKind::Torn, 10, 75, 5, false),
        ]
    );
    let salvaged: Vec<_> =
        loaded.salvaged.iter().map(|found| (found.span.offset, found.index, found.record.clone())).collect();
    assert_eq!(salvaged, [(44, 1, json!({"b": 2})), (52, 1, json!({"a": 1})), (59, 1, json!({"b": 2}))]);
    let span = loaded.salvaged[0].span;
    assert_eq!(place.log().read(span).unwrap(), b"{\"b\":2}");
    assert_eq!(loaded.report.damages[4].salvage, [span]);
    assert_eq!(loaded.report.damages[3].excerpt, "\\0×3");
    assert_eq!(loaded.report.blank, 1);
    assert!(!loaded.report.is_clean() && !loaded.report.is_in_flight());
}

#[test]
fn a_tail_in_flight_is_no_damage_to_worry_about() {
    let place = Place::with("{\"a\":1}\n{\"a\":");
    let report = place.log().verify().unwrap();
    assert!(report.is_in_flight() && !report.is_clean());
    // NULs never become a record.
    let place = Place::with("{\"a\":1}\n\0\0\0\0");
    assert!(!place.log().verify().unwrap().is_in_flight());
    let place = Place::with("{\"a\":1}\n{\"a\":2}");
    let report = place.log().verify().unwrap();
    assert!(report.is_clean() && report.unterminated && !report.is_in_flight());
}

#[test]
fn a_report_keeps_so_many_damages_and_counts_all() {
    let place = Place::with("x\n".repeat(5000));
    for kept in [0, 1, 10, 1000] {
        let log = ReadOptions::new().damages_kept(kept).open(&place.path).unwrap();
        let report = log.verify().unwrap();
        assert_eq!((report.damages.len(), report.count(DamageKind::Malformed)), (kept, 5000));
        assert_eq!(report.omitted(), 5000 - kept as u64);
    }
    // A million damaged lines cost no more than the thousand that are described.
    let place = Place::with("x\n".repeat(1_000_000));
    assert_eq!(Log::open(&place.path).unwrap().load::<Value>().unwrap().report.damaged(), 1_000_000);
}
