//! Maps the complete lines of a file. One of two modules with `unsafe`; the other is [`scan`](crate::scan)'s `vector`.
//!
//! # Contract
//!
//! Whoever asks for a map ([`Source::Map`](crate::Source::Map)) promises, for as long as the map lives, that
//! **nobody shortens the file or changes the mapped bytes**. annals's own writers keep the promise by the rule
//! that everything here follows from: complete lines never change, a log grows at its end or is replaced
//! whole. Only complete lines are mapped, a replaced file keeps its old bytes for whoever has it open, and
//! healing a torn tail adds behind it. So the promise is about *foreign* programs: don't ask for a map of a
//! file that one of them may truncate or rewrite in place.
//!
//! Where the promise is broken, the operating system raises SIGBUS on a page that is no longer there, which
//! ends the process, and bytes that were checked may have become others. Like a write to `/proc/self/mem`, this is
//! outside of what a type can express, so the choice is offered as a plain option; and the default is chunked
//! reading, which has neither problem and the same speed.
//!
//! The slow twin is [`Source::Chunks`](crate::Source::Chunks); the tests compare them.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::{Mmap, MmapOptions};

/// The first bytes of a file, mapped read-only.
#[derive(Debug)]
pub(crate) struct Map(Option<Mmap>);

impl Map {
    /// Maps the first `len` bytes of `file`. The caller has made sure that they are complete lines.
    pub(crate) fn new(file: &File, len: u64) -> io::Result<Self> {
        let Ok(len) = usize::try_from(len) else {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than this processor can address"));
        };
        if len == 0 {
            return Ok(Self(None));
        }
        // SAFETY: nobody shortens the file or changes these bytes while the map lives: the contract of this
        // module, which whoever chose `Source::Map` has accepted.
        let map = unsafe { MmapOptions::new().len(len).map(file)? };
        Ok(Self(Some(map)))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
