//! Lets the system take only a part of a write: `RLIMIT_FSIZE`, at every byte of a record and its neighbours.

use std::process::{Command, Stdio};

use jsonl_core::{Durability, Log, WriteOptions};
use serde_json::Value;

use crate::writer::Record;

pub(crate) fn short_writes_are_reported_and_healed() {
    let folder = tempfile::tempdir().unwrap();
    let line_len = serde_json::to_vec(&Record::new(0, 0, 100)).unwrap().len() as u64 + 1;
    for limit in line_len - 2..=3 * line_len + 2 {
        let path = folder.path().join(format!("{limit}.jsonl"));
        let output = Command::new("/bin/sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(["writer", "limited"])
            .arg(&path)
            .arg(limit.to_string())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{limit}: {}", String::from_utf8_lossy(&output.stderr));
        let acknowledged = output.stdout.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(acknowledged as u64, limit / line_len, "{limit}");
        let before = Log::open(&path).unwrap();
        assert_eq!(before.len(), limit, "a short write takes what fits");
        // All but the last byte, the newline, may be there without having been acknowledged.
        let almost = usize::from(limit % line_len == line_len - 1);
        let log = WriteOptions::new().durability(Durability::Buffer).open(&path).unwrap();
        log.append(&Record::new(9, 9, 100)).unwrap();
        log.close().unwrap();
        let loaded = Log::open(&path).unwrap().load::<Value>().unwrap();
        assert_eq!(loaded.records.len(), acknowledged + almost + 1, "{limit}");
        assert_eq!(loaded.records.last().unwrap()["writer"], 9);
    }
}
