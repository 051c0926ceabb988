//! Append-only logs of JSON lines that survive crashes, many writers, damage and time.
//!
//! Everything here follows from one rule:
//!
//! > **Complete lines never change. A log grows at its end, or is replaced whole.**
//!
//! - A file can be cut at any byte 0x0A and read from several places at once: JSON escapes newlines.
//! - Bytes after the last newline are *in flight*, not damage. Readers return complete lines, and say what
//!   stands behind them.
//! - A process that dies can only leave the beginning of one record at the end; a power cut, a beginning and
//!   then whatever became of unsynced bytes. The next writer closes it with a newline, and loses nothing.
//! - Reading takes no lock, and what has been read stays true.
//!
//! # Words
//!
//! A **log** is a file of JSON lines. A **line** is bytes up to a newline. A **record** is a line that is one
//! JSON value. A **torn** line is the beginning of a record that was never completed; any other line that is
//! not a record is **damaged**. An **append** adds at the end, a **rewrite** replaces the whole log.
//!
//! # An example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("turns.jsonl");
//! use jsonl_core::{Log, WriteOptions};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Turn {
//!     role: String,
//!     content: String,
//! }
//!
//! let turn = |role: &str, content: &str| Turn { role: role.into(), content: content.into() };
//! let log = WriteOptions::new().create(true).checksum(true).open(&path)?;
//! log.append(&turn("user", "hi"))?; // on the device when it returns
//! log.append(&turn("assistant", "hello"))?;
//! log.close()?;
//!
//! // A writer dies in the middle of a record …
//! let mut bytes = std::fs::read(&path)?;
//! bytes.extend_from_slice(br#"{"role":"user","con"#);
//! std::fs::write(&path, &bytes)?;
//!
//! // … and the next one loses nothing.
//! let log = WriteOptions::new().open(&path)?;
//! log.append(&turn("user", "are you there?"))?;
//! log.close()?;
//!
//! let loaded = Log::open(&path)?.load::<Turn>()?;
//! assert_eq!(loaded.records.len(), 3);
//! assert_eq!(loaded.report.bytes.torn, 20);
//! assert_eq!(loaded.report.bytes.sum(), std::fs::metadata(&path)?.len());
//! # Ok(())
//! # }
//! ```
//!
//! # Reading
//!
//! [`ReadOptions`] opens a [`Log`]. [`Log::load`] gives all records of a type, [`Log::fold`] and
//! [`Log::for_each`] go through files of any size in bounded memory, [`Log::tail`] reads only the
//! end, [`Log::lines`] goes through the raw lines from either end, [`Log::candidates`] through those that could hold
//! a text, [`Log::verify`] judges without parsing into anything, and [`Follow`] waits for what comes. Each gives a [`Report`] in which every byte of the
//! file is accounted for.
//!
//! What is a record is said in one place, [`verdict`], and by every way of reading alike.
//!
//! # Writing
//!
//! [`WriteOptions`] opens a [`Writer`]. [`Durability`] says what is true when [`Writer::append`] returns.
//! Threads that append at once share a write and a sync. [`Locking`] chooses between one writer for long and
//! many for a moment; either way the lock is the kernel's. [`Writer::transact`] looks and appends under
//! one lock. [`Writer::rewrite`] and [`RepairOptions`] are the only
//! ways in which a log is ever replaced.
//!
//! # What it does not do
//!
//! - Protect against somebody who wants to deceive: a checksum finds damage, not forgery.
//! - Lock across machines: network file systems are not supported for writing.
//! - Leave threads behind. Parallel reading starts some, which end with it; [`ReadOptions::threads`] turns it off.
//! - Transactions over several records: a crash can leave the first few of a batch.
//!
//! # Elsewhere
//!
//! - Programs: [`several_writers`](https://github.com/annals-rs/annals/blob/main/crates/jsonl-core/examples/several_writers.rs), several processes, one of which dies in the middle of a line.
//! - [The format](https://github.com/annals-rs/annals/blob/main/docs/format.md#a-log), byte for byte, and [what stays](https://github.com/annals-rs/annals/blob/main/docs/stability.md) as it is.
//! - [What survives what](https://github.com/annals-rs/annals/blob/main/docs/durability.md#the-levels), and the harnesses that try to make it false.

mod batch;
pub mod checksum;
mod cursor;
mod durability;
mod encode;
mod engine;
mod error;
mod folder;
mod follow;
mod group;
pub mod line;
mod lines;
mod lock;
#[expect(
    unsafe_code,
    reason = "mapping a file is a promise that no type can express; the module has the contract"
)]
mod map;
mod mutex;
mod parse;
mod patience;
mod read_options;
mod reader;
mod repair;
mod replace;
mod report;
mod salvage;
pub mod scan;
mod source;
mod spare;
mod transaction;
pub mod verdict;
mod writer;

pub use cursor::Cursor;
pub use durability::Durability;
pub use encode::{Pieces, write_json};
pub use error::{Error, Result};
pub use folder::create_folder;
pub use follow::{Follow, Followed, From};
pub use group::GroupCommit;
pub use lines::{Line, Lines};
pub use lock::{Holder, holder};
pub use parse::parse_json;
pub use read_options::{ReadOptions, RecoveryMode, Source};
pub use reader::{Loaded, Log, Record, Salvaged};
pub use repair::{RepairOptions, Repaired};
pub use replace::replace;
pub use report::{Bytes, DAMAGES_KEPT, Damage, DamageKind, Report, Span};
pub use source::Chunk;
pub use transaction::Transaction;
pub use verdict::{Seals, Verdict};
pub use writer::{Appended, Locking, Rewrite, WriteOptions, Writer};

/// The longest line that is read or written unless the options say otherwise, in bytes without its newline:
/// 16 MiB.
pub const MAX_LINE_LEN: usize = 16 << 20;
