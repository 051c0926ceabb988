//! What was known of a memory at some moment, so that opening it again costs the new part only.
//!
//! A file beside the log, `LOG.annals-index`: one line of JSON, the slots and the expiries in fields of fixed length,
//! and a checksum of all of it. It is a cache: bound to the log by a [`Cursor`] (the file's number, an offset, and
//! the checksum of what stands before it) and, where the log has not grown since, by the time of its last change.
//! Whatever doesn't fit, it is passed over, and the log is read. Deleting it costs nothing but time.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonl_core::{Cursor, Log};
use serde::{Deserialize, Serialize};

use crate::index::{Fate, Index, Slot};
use crate::record::{Accepted, Kind};
use crate::report::{IdRange, Report};

const FORMAT: u32 = 2;

/// Memories below this are read as quickly as a checkpoint is.
pub(crate) const LOG_LEN_MIN: u64 = 1 << 20;

/// Bytes of a slot: id, offset, time, hash, kind, fate, expiry, filler.
const SLOT_LEN: usize = 32;

/// Bytes of an expiry: offset, time.
const EXPIRY_LEN: usize = 16;

/// Bytes that are read and taken apart at a time; a multiple of both.
const STEP_LEN: usize = 256 << 10;

/// The longest first line: a memory with more ranges of ids than fit has no checkpoint.
const HEAD_LEN_MAX: usize = 8 << 20;

#[derive(Serialize, Deserialize)]
struct Head {
    annals_index: u32,
    cursor: Cursor,
    /// When the log was last changed, in nanoseconds since 1970.
    changed: u64,
    slots: u64,
    expiries: u64,
    ids: Vec<IdRange>,
    compacted: Option<(u64, u64)>,
    accepted: Accepted,
    has_header: bool,
    records: u64,
    odd: u64,
    torn: u64,
    damaged: u64,
    fused: u64,
}

/// Where the checkpoint of a log is.
pub(crate) fn path_of(log: &Path) -> PathBuf {
    let mut name = log.file_name().unwrap_or_default().to_owned();
    name.push(".annals-index");
    log.with_file_name(name)
}

/// The index as it was, if it is that of this log; `extend` then brings it up to date.
pub(crate) fn load(log: &Log) -> Option<Index> {
    let path = path_of(log.path());
    let metadata = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let mut reader =
        Reader { file: File::open(&path).ok()?, sum: crc32fast::Hasher::new(), buffer: vec![0; STEP_LEN] };
    let head = reader.head()?;
    let sections = head
        .slots
        .checked_mul(SLOT_LEN as u64)?
        .checked_add(head.expiries.checked_mul(EXPIRY_LEN as u64)?)?;
    // Nothing is believed that the file has no room for.
    if sections > metadata.len() || head.annals_index != FORMAT {
        return None;
    }
    let cursor = log.cursor_at(head.cursor.offset()).ok()?;
    let has_grown = log.len() > cursor.offset();
    if cursor != head.cursor || (!has_grown && changed(log.path())? != head.changed) {
        return None;
    }
    let mut slots = Vec::with_capacity(usize::try_from(head.slots).ok()?);
    reader.fields(head.slots, |field: &[u8; SLOT_LEN]| {
        slots.push(slot(field)?);
        Some(())
    })?;
    let mut expiries = Vec::with_capacity(usize::try_from(head.expiries).ok()?);
    reader.fields(head.expiries, |field: &[u8; EXPIRY_LEN]| {
        let (offset, time) = field.split_first_chunk::<8>()?;
        expiries.push((u64::from_le_bytes(*offset), i64::from_le_bytes(*time.first_chunk()?)));
        Some(())
    })?;
    reader.ends_well()?;
    let Head { records, odd, torn, damaged, fused, .. } = head;
    let mut index = Index {
        slots,
        expiries,
        compacted: head.compacted,
        accepted: head.accepted,
        has_header: head.has_header,
        // Nobody who doesn't take it for a memory keeps a checkpoint of it.
        has_own: true,
        end: cursor.offset(),
        report: Report { records, odd, torn, damaged, fused, ..Report::default() },
        ..Index::default()
    };
    for range in head.ids {
        index.ids.add(range.first, range.last);
    }
    Some(index)
}

/// Writes the checkpoint of an index that is at the end of its log. Where that doesn't work out, there is none.
pub(crate) fn store(log: &Log, index: &Index) -> Option<()> {
    if index.is_provisional {
        return None;
    }
    let head = Head {
        annals_index: FORMAT,
        cursor: log.cursor_at(index.end).ok()?,
        changed: changed(log.path())?,
        slots: index.slots.len() as u64,
        expiries: index.expiries.len() as u64,
        ids: index.ids.ranges().collect(),
        compacted: index.compacted,
        accepted: index.accepted.clone(),
        has_header: index.has_header,
        records: index.report.records,
        odd: index.report.odd,
        torn: index.report.torn,
        damaged: index.report.damaged,
        fused: index.report.fused,
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
        let mut put = |bytes: &[u8]| {
            sum.update(bytes);
            out.write_all(bytes).map_err(cannot)
        };
        put(&line)?;
        let mut buffer = Vec::with_capacity(STEP_LEN);
        for slots in index.slots.chunks(STEP_LEN / SLOT_LEN) {
            buffer.clear();
            slots.iter().for_each(|slot| put_slot(slot, &mut buffer));
            put(&buffer)?;
        }
        for (offset, time) in &index.expiries {
            put(&offset.to_le_bytes())?;
            put(&time.to_le_bytes())?;
        }
        let sum = sum.finalize();
        out.write_all(&sum.to_le_bytes()).map_err(cannot)
    });
    written.ok()
}

/// How many bytes of the log a checkpoint stands for, as it says; 0 where there is none.
pub(crate) fn reach(log: &Path) -> u64 {
    let Ok(file) = File::open(path_of(log)) else { return 0 };
    let mut reader = Reader { file, sum: crc32fast::Hasher::new(), buffer: vec![0; 4 << 10] };
    reader.head().map_or(0, |head| head.cursor.offset())
}

fn changed(log: &Path) -> Option<u64> {
    let time: SystemTime = fs::metadata(log).ok()?.modified().ok()?;
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}

fn put_slot(slot: &Slot, out: &mut Vec<u8>) {
    let fate = match slot.fate {
        Fate::Active => 0,
        Fate::Forgotten => 1,
        Fate::Superseded => 2,
        Fate::Repeated => 3,
    };
    let kind = match slot.kind {
        Kind::Fact => 0,
        Kind::Pref => 1,
        Kind::Context => 2,
    };
    out.extend_from_slice(&slot.id.to_le_bytes());
    out.extend_from_slice(&slot.offset.to_le_bytes());
    out.extend_from_slice(&slot.ts.to_le_bytes());
    out.extend_from_slice(&slot.hash.to_le_bytes());
    out.extend_from_slice(&[kind, fate, u8::from(slot.expires), 0]);
}

fn slot(field: &[u8; SLOT_LEN]) -> Option<Slot> {
    let (id, rest) = field.split_first_chunk::<8>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (ts, rest) = rest.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk::<4>()?;
    let kind = match rest[0] {
        0 => Kind::Fact,
        1 => Kind::Pref,
        2 => Kind::Context,
        _ => return None,
    };
    let fate = match rest[1] {
        0 => Fate::Active,
        1 => Fate::Forgotten,
        2 => Fate::Superseded,
        3 => Fate::Repeated,
        _ => return None,
    };
    Some(Slot {
        id: u64::from_le_bytes(*id),
        offset: u64::from_le_bytes(*offset),
        ts: i64::from_le_bytes(*ts),
        hash: u32::from_le_bytes(*hash),
        kind,
        fate,
        expires: rest[2] == 1,
    })
}

/// Reads a checkpoint from its beginning to its end, and sums up what it has read.
struct Reader {
    file: File,
    sum: crc32fast::Hasher,
    buffer: Vec<u8>,
}

impl Reader {
    /// The first line.
    fn head(&mut self) -> Option<Head> {
        let mut line = Vec::new();
        let newline = loop {
            let got = self.file.read(&mut self.buffer).ok().filter(|got| *got > 0)?;
            let before = line.len();
            line.extend_from_slice(&self.buffer[..got]);
            match line[before..].iter().position(|byte| *byte == b'\n') {
                Some(at) => break before + at,
                None if line.len() > HEAD_LEN_MAX => return None,
                None => {}
            }
        };
        // What was read of the next section is read again.
        self.file.seek(SeekFrom::Start(newline as u64 + 1)).ok()?;
        self.sum.update(&line[..=newline]);
        serde_json::from_slice(&line[..newline]).ok()
    }

    fn fields<const N: usize>(
        &mut self,
        count: u64,
        mut each: impl FnMut(&[u8; N]) -> Option<()>,
    ) -> Option<()> {
        let mut left = usize::try_from(count).ok()?.checked_mul(N)?;
        while left > 0 {
            let step = left.min(STEP_LEN);
            let bytes = self.buffer.get_mut(..step)?;
            self.file.read_exact(bytes).ok()?;
            self.sum.update(bytes);
            for field in bytes.as_chunks::<N>().0 {
                each(field)?;
            }
            left -= step;
        }
        Some(())
    }

    /// Whether the checksum is good, and nothing stands behind it.
    fn ends_well(self) -> Option<()> {
        let mut rest = Vec::new();
        self.file.take(5).read_to_end(&mut rest).ok()?;
        (rest == self.sum.finalize().to_le_bytes()).then_some(())
    }
}
