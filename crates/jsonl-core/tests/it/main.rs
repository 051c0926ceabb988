//! Tests of `jsonl-core` through its public interface, on real files in temporary folders.

#![allow(clippy::unwrap_used, missing_docs)]

/// Logs to test with, and the slow twins.
mod support;

/// Do all ways of reading give the same, whatever the threads, the source and the end they begin at?
mod reading;

/// Is a line judged the same by every way of reading? A case for every clause of RFC 8259.
mod json;

/// Is every intact record found, and every byte accounted for, wherever a log is cut or hit?
mod damage;

/// Does an append do what it says, alone and among others?
mod writing;

/// Is there one writer, and is the other told who it is?
mod locking;

/// Does a repair take out what is no record, keep it, and touch nothing else?
mod repair;

/// Does following yield every line once, across growth and replacement?
mod follow;
