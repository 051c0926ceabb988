//! Logs to test with, and the slow twins.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use jsonl_core::{Log, ReadOptions, Report, Source, WriteOptions, Writer};
use serde_json::json;
use tempfile::TempDir;

/// A folder that goes away, and the path of a log in it.
pub(crate) struct Place {
    _folder: TempDir,
    pub(crate) path: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        Self { _folder: folder, path }
    }

    pub(crate) fn with(bytes: impl AsRef<[u8]>) -> Self {
        let place = Self::new();
        fs::write(&place.path, bytes).unwrap();
        place
    }

    pub(crate) fn writer(&self) -> Writer {
        WriteOptions::new().create(true).durability(jsonl_core::Durability::Buffer).open(&self.path).unwrap()
    }

    pub(crate) fn log(&self) -> Log {
        Log::open(&self.path).unwrap()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }
}

/// Small numbers that look random and are the same every time (Marsaglia's xorshift64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// Lines of every kind, in no particular order, at least `len` bytes of them. All records are objects, so that no
/// beginning of one is another record.
pub(crate) fn every_kind(len: usize) -> Vec<u8> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut bytes = Vec::from(*b"\xEF\xBB\xBF{\"first\":\"behind a mark\"}\n");
    let mut number = 0;
    while bytes.len() < len {
        number += 1;
        let text = "größer 渡船 \u{2028} 🦀 \\n ".repeat(random.below(6));
        let record = json!({"n": number, "role": "user", "content": text, "nested": [[{"a": 1.5e3}], null]});
        let line = match random.below(16) {
            0 => Vec::new(),
            1 => b" \t\x0B".to_vec(),
            2 => format!("{record}\r").into_bytes(),
            3 => format!("  {record} ").into_bytes(),
            4 => record.to_string().into_bytes()[..20].to_vec(),
            5 => [&record.to_string().as_bytes()[..15], &[0; 40]].concat(),
            6 => vec![0; 30],
            7 => b"not json at all".to_vec(),
            8 => [record.to_string().as_bytes(), b"\xFF\xFE"].concat(),
            9 => format!("{}{record}", "{\"torn\":[1,2").into_bytes(),
            10 => format!("{record}{record}").into_bytes(),
            11 => format!("{{\"n\":{number},\"s\":\"\\ud83d\"}}").into_bytes(),
            12 => ["[".repeat(200), "]".repeat(200)].concat().into_bytes(),
            13 => format!("{{\"n\":{number},\"crc32\":\"00000000\"}}").into_bytes(),
            _ => {
                let mut sealed = record.to_string().into_bytes();
                jsonl_core::checksum::seal(&mut sealed, 0);
                sealed
            }
        };
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
    }
    bytes
}

/// The naive way: split, and ask `serde_json`. Offsets and texts of the lines that it takes as records.
pub(crate) fn naive_records(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
        let line = piece.strip_suffix(b"\n").unwrap_or(piece);
        let text = if offset == 0 { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
        if is_record(text) {
            found.push((offset, line.to_vec()));
        }
        offset += piece.len() as u64;
    }
    found
}

/// `RawValue` accepts what the grammar allows, at any depth; seals are compared the slow way.
fn is_record(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let is_json = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
    let depth = text.bytes().scan(0_i32, |depth, byte| {
        *depth += i32::from(matches!(byte, b'[' | b'{')) - i32::from(matches!(byte, b']' | b'}'));
        Some(*depth)
    });
    is_json && depth.max().unwrap_or(0) <= 128 && seal_fits(text.trim_end_matches('\r'))
}

fn seal_fits(text: &str) -> bool {
    let Some(at) = text.rfind("\"crc32\":\"") else { return true };
    let Some(digits) = text[at + 9..].strip_suffix("\"}") else { return true };
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return true;
    }
    let covered = text[..at].strip_suffix(',').unwrap_or(&text[..at]);
    format!("{:08x}", crc(covered.as_bytes())) == digits
}

/// CRC-32 bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |code, &byte| {
        (0..8).fold(code ^ u32::from(byte), |code, _| code >> 1 ^ (0xEDB8_8320 & (code & 1).wrapping_neg()))
    })
}

/// Every way to open a log for reading that must not make a difference.
pub(crate) fn all_readers() -> Vec<ReadOptions> {
    let mut all = Vec::new();
    for threads in [1, 2, 8] {
        for source in [Source::Chunks, Source::Map] {
            all.push(ReadOptions::new().threads(threads).source(source));
        }
    }
    all
}

#[track_caller]
pub(crate) fn check_accounted(report: &Report, len: usize) {
    assert_eq!(report.bytes.sum(), len as u64, "{report:?}");
    assert_eq!(report.bytes.missing, 0);
}

pub(crate) fn write_at(mut file: &File, bytes: &[u8], offset: usize) {
    file.seek(SeekFrom::Start(offset as u64)).unwrap();
    file.write_all(bytes).unwrap();
}
