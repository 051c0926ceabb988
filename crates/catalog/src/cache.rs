//! What a log's events came to at some moment, so that coming back costs the new events only.
//!
//! A file beside the log, `LOG.annals-index`: one line of JSON, the sections of [`Base`], and a CRC-32 of all of it. It
//! is bound to the log by the length and the CRC-32 of every byte that it stands for, so no other log's cache, none of an
//! earlier state and none that was cut can be taken for this one's. Deleting it costs nothing but time.

use std::fs::{self, File};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jsonl_core::{Log, Span};
use serde::{Deserialize, Serialize};

use crate::base::{Base, Lengths};
use crate::fold::Report;
use crate::keys;
use crate::projection::{Meta, Projection};
use crate::reduce::Rules;

/// To be raised whenever [`Session`](crate::Session), its reducer or this file's form changes.
const FORMAT: u32 = 1;

/// Logs below this are folded as quickly as a cache is read.
pub(crate) const LOG_LEN_MIN: u64 = 256 << 10;

/// The shortest event makes a session that is so many times as long. What is longer was not written by us, and isn't read.
const GROWTH_MAX: u64 = 64;

/// Bytes in front of what is read, so that it isn't a little behind where it stands in its page of the file: the kernel of a machine with AMD's Zen would
/// copy it five times as slowly (<https://xuanwo.io/2023/04-rust-std-fs-slower-than-python/>; the allocator's own 16 bytes are that little).
const APART: usize = 32;

/// The longest first line.
const HEAD_LEN_MAX: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Head {
    annals_catalog_index: u32,
    /// Changes with the way of hashing.
    probe: u64,
    is_compat: bool,
    log_len: u64,
    log_crc32: u32,
    lengths: Lengths,
    meta: Meta,
    report: Report,
}

/// What a cache had.
pub(crate) struct Cached {
    pub(crate) projection: Projection,
    pub(crate) report: Report,
    /// How much of the log it stands for, in bytes.
    pub(crate) end: u64,
}

/// Where the cache of a log is.
pub(crate) fn path_of(log: &Path) -> PathBuf {
    let mut name = log.file_name().unwrap_or_default().to_owned();
    name.push(".annals-index");
    log.with_file_name(name)
}

/// The cache of a log, if it is this log's.
pub(crate) fn load(log: &Log, rules: Rules) -> Option<Cached> {
    let path = path_of(log.path());
    let metadata = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let mut file = File::open(&path).ok()?;
    let mut bytes = vec![0; APART + 4096.min(usize::try_from(metadata.len()).ok()?)];
    file.read_exact(&mut bytes[APART..]).ok()?;
    while !bytes.contains(&b'\n') {
        let before = bytes.len();
        if before > HEAD_LEN_MAX {
            return None;
        }
        (&file).take(64 << 10).read_to_end(&mut bytes).ok()?;
        if bytes.len() == before {
            return None;
        }
    }
    let newline = bytes.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&bytes[APART..newline]).ok()?;
    let is_ours = head.annals_catalog_index == FORMAT
        && head.probe == keys::probe()
        && head.is_compat == (rules == Rules::SessionsDb)
        && head.log_len <= log.len();
    let head_len = newline + 1 - APART;
    let total = head.lengths.total()?.checked_add(head_len as u64 + 4)?;
    let most = head.log_len.saturating_mul(GROWTH_MAX).saturating_add(HEAD_LEN_MAX as u64);
    if !is_ours || total != metadata.len() || total > most {
        return None;
    }
    // One byte more would be seen, too.
    let len = usize::try_from(total).ok()?.checked_add(APART)?;
    bytes.reserve(len.saturating_sub(bytes.len()) + 1);
    (&file).take(len.saturating_sub(bytes.len()) as u64 + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() != len {
        return None;
    }
    let (content, sum) = bytes[APART..].split_last_chunk::<4>()?;
    if crc32fast::hash(content) != u32::from_le_bytes(*sum) || digest(log, head.log_len)? != head.log_crc32 {
        return None;
    }
    let base = Base::new(bytes, newline + 1, head.lengths)?;
    let projection = Projection::from_base(rules, base, head.meta);
    Some(Cached { projection, report: head.report, end: head.log_len })
}

/// Writes the cache of a log. Where that doesn't work out, there is none.
pub(crate) fn store(log: &Log, end: u64, projection: &Projection, report: &Report) -> Option<()> {
    let (sections, lengths) = Base::sections(projection)?;
    let head = Head {
        annals_catalog_index: FORMAT,
        probe: keys::probe(),
        is_compat: projection.rules() == Rules::SessionsDb,
        log_len: end,
        log_crc32: digest(log, end)?,
        lengths,
        meta: projection.meta().clone(),
        report: report.clone(),
    };
    let mut line = serde_json::to_vec(&head).ok()?;
    line.push(b'\n');
    if line.len() > HEAD_LEN_MAX {
        return None;
    }
    let path = path_of(log.path());
    let cannot = |source| jsonl_core::Error::Io { path: path.clone(), action: "write", source };
    let written = jsonl_core::replace(&path, |out| {
        let mut sum = crc32fast::Hasher::new();
        for bytes in [&line, &sections] {
            sum.update(bytes);
            out.write_all(bytes).map_err(cannot)?;
        }
        out.write_all(&sum.finalize().to_le_bytes()).map_err(cannot)
    });
    written.ok()
}

/// The CRC-32 of a log's first bytes; taken on all processors and put together in their order.
fn digest(log: &Log, len: u64) -> Option<u32> {
    let part = log.part(Span { offset: 0, len }).ok()?;
    let mut sum = crc32fast::Hasher::new();
    let mut seen = 0;
    let done = part.chunks(
        |chunk| {
            let mut sum = crc32fast::Hasher::new();
            sum.update(chunk.bytes);
            (sum, chunk.bytes.len() as u64)
        },
        |(part, len), _| {
            sum.combine(&part);
            seen += len;
            ControlFlow::Continue(())
        },
    );
    // Lines above the limit are in no chunk; a log with one has no cache.
    (done.is_ok() && seen == len).then(|| sum.finalize())
}
