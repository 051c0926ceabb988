//! A file's bytes, handed out in chunks of whole lines.
//!
//! A file is divided into ranges of equal length, and a line belongs to the range in which it begins. So any
//! number of threads can each take a range without asking the others where lines begin. A line that runs over
//! the end of its range is read to its end; one that is longer than the limit is passed over in a buffer of
//! fixed size, whatever its length.

use std::fmt::{self, Debug, Formatter};
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memchr::{memchr, memrchr};

use crate::map::Map;

/// Bytes in a range. Smaller ones cost more for the line that crosses the end, larger ones fall out of the
/// processor's cache between two passes.
pub(crate) const CHUNK_LEN: u64 = 512 << 10;

/// How much is read first to find the end of the line that crosses the end of a range, and at most then: what is read behind that
/// end is read again, and costs more than asking the system once more.
const MORE_LEN: usize = 16 << 10;
const MORE_LEN_MAX: usize = 32 << 10;

/// Large buffers grow by this, small ones double.
const STEP_LEN: usize = 256 << 10;

/// Buffers for a range have room for the line that crosses its end, if that isn't long.
const RANGE_SPACE_LEN: usize = CHUNK_LEN as usize + 4 * MORE_LEN;

/// Buffers above this are given back after use, so that one huge line doesn't cost memory ever after.
const KEEP_LEN: usize = 4 << 20;

/// Where the processor's `rep movsb` copies, which is what the kernel reads with, the destination may begin so far behind the source, each seen within
/// its page, or not at all. In between, AMD's Zen copies five times as slowly, and what the system's allocator gives for large buffers is 16 bytes behind
/// the beginning of a page (<https://xuanwo.io/2023/04-rust-std-fs-slower-than-python/>).
const APART: usize = 32;

/// The least that a page has.
const PAGE_LEN: u64 = 4096;

/// Where the bytes come from.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// Positioned reads; the length of the file when it was opened.
    File { file: File, len: u64 },
    /// A map of the complete lines, and a copy of what stands behind the last newline.
    Map { map: Map, tail: Tail },
    /// The complete lines in memory, and what stands behind the last newline.
    Memory { lines: Vec<u8>, tail: Tail },
}

/// What stands behind the last newline of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    /// Its bytes, or the beginning of them where they are more than a line may have.
    pub(crate) bytes: Vec<u8>,
    /// How many there are.
    pub(crate) len: u64,
}

/// Whole lines of a file, in memory.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Offset of the first byte in the file.
    pub offset: u64,
    /// Whole lines. The last one lacks its newline where the file does.
    pub bytes: &'a [u8],
    held: Option<Held<'a>>,
    /// A line behind them that is longer than the limit.
    pub(crate) long: Option<LongLine>,
    /// Bytes that were to follow but are gone from the file.
    pub(crate) missing: u64,
}

/// The buffer that a chunk's bytes are in, if they were read for it, and where.
#[derive(Clone, Copy)]
struct Held<'a> {
    space: &'a Arc<Vec<u8>>,
    at: usize,
    is_too_large: &'a AtomicBool,
}

impl Debug for Held<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // The bytes are the chunk's, and what was in the buffer before is nobody's.
        f.debug_struct("Held").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Chunk<'_> {
    /// Memory that can be kept, and where in it the chunk's bytes are. Nothing is copied where they were read for
    /// this chunk, and take up most of what they were read into.
    #[must_use]
    pub fn share(&self) -> (Arc<Vec<u8>>, Range<usize>) {
        match self.held {
            Some(Held { space, at, .. }) if space.len() - self.bytes.len() <= self.bytes.len() / 3 => {
                (Arc::clone(space), at..at + self.bytes.len())
            }
            held => {
                if let Some(held) = held {
                    held.is_too_large.store(true, Ordering::Relaxed);
                }
                (Arc::new(self.bytes.to_vec()), 0..self.bytes.len())
            }
        }
    }
}

/// A line that was passed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongLine {
    pub(crate) offset: u64,
    /// Without the newline.
    pub(crate) len: u64,
    pub(crate) terminated: bool,
    pub(crate) head: Head,
}

/// How much of a line that is too long is kept to show.
pub(crate) const HEAD_LEN: usize = 80;

/// The first bytes of a line, to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    bytes: [u8; HEAD_LEN],
    len: usize,
}

impl Head {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Bytes {
    /// The bytes that ranges divide, and what is behind them.
    fn extent(&self) -> (u64, Option<&Tail>) {
        match self {
            Self::File { len, .. } => (*len, None),
            Self::Map { map: lines, tail } => (lines.len() as u64, Some(tail)),
            Self::Memory { lines, tail } => (lines.len() as u64, Some(tail)),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        let (body, tail) = self.extent();
        body + tail.map_or(0, |tail| tail.len)
    }

    /// The complete lines, where they are in memory as a whole.
    pub(crate) fn as_slice(&self) -> Option<&[u8]> {
        match self {
            Self::File { .. } => None,
            Self::Map { map, .. } => Some(map),
            Self::Memory { lines, .. } => Some(lines),
        }
    }

    pub(crate) fn tail(&self) -> Option<&Tail> {
        self.extent().1
    }
}

/// The ranges of a file from `start` on. `start` is the beginning of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranges<'a> {
    bytes: &'a Bytes,
    start: u64,
    max_line_len: usize,
}

impl<'a> Ranges<'a> {
    pub(crate) fn new(bytes: &'a Bytes, start: u64, max_line_len: usize) -> Self {
        Self { bytes, start, max_line_len }
    }

    pub(crate) fn count(&self) -> u64 {
        let (body, tail) = self.bytes.extent();
        body.saturating_sub(self.start).div_ceil(CHUNK_LEN) + u64::from(tail.is_some_and(|tail| tail.len > 0))
    }

    /// The lines that begin in range `index`; `buffer` is used where bytes have to be read.
    pub(crate) fn chunk<'b>(&self, index: u64, buffer: &'b mut Buffer) -> io::Result<Chunk<'b>>
    where
        'a: 'b,
    {
        let (body, tail) = self.bytes.extent();
        let from = self.start + index * CHUNK_LEN;
        let to = body.min(from + CHUNK_LEN);
        if from >= body {
            return Ok(tail.map_or_else(|| empty_chunk(body), |tail| self.tail_chunk(body, tail)));
        }
        match self.bytes {
            Bytes::File { file, len } => self.read_chunk(file, *len, from, to, buffer),
            Bytes::Map { map: lines, .. } => Ok(self.slice_chunk(lines, from, to)),
            Bytes::Memory { lines, .. } => Ok(self.slice_chunk(lines, from, to)),
        }
    }

    fn tail_chunk<'b>(&self, offset: u64, tail: &'b Tail) -> Chunk<'b> {
        if tail.len > self.max_line_len as u64 {
            let long = LongLine { offset, len: tail.len, terminated: false, head: head_of(&tail.bytes) };
            return Chunk { long: Some(long), ..empty_chunk(offset) };
        }
        Chunk { bytes: &tail.bytes, ..empty_chunk(offset) }
    }

    fn slice_chunk<'b>(&self, lines: &'b [u8], from: u64, to: u64) -> Chunk<'b> {
        // Both fit: they are offsets into a slice.
        let (from, to) = (from as usize, to as usize);
        let first = if from as u64 == self.start {
            from
        } else {
            match memchr(b'\n', &lines[from - 1..to - 1]) {
                Some(at) => from + at,
                None => return empty_chunk(to as u64),
            }
        };
        let end = memchr(b'\n', &lines[to - 1..]).map_or(lines.len(), |at| to + at);
        Chunk { bytes: &lines[first..end], ..empty_chunk(first as u64) }
    }

    fn read_chunk<'b>(
        &self,
        file: &File,
        len: u64,
        from: u64,
        to: u64,
        buffer: &'b mut Buffer,
    ) -> io::Result<Chunk<'b>> {
        buffer.clear();
        let known = buffer.next_line.take().filter(|next| next.range == from);
        let (base, lead) = match known {
            Some(NextLine { line, .. }) if line >= to => {
                buffer.next_line = Some(NextLine { range: to, line });
                return Ok(empty_chunk(to));
            }
            Some(NextLine { line, .. }) => (line, 0),
            // One byte more in front: it tells whether a line begins right at `from`.
            None if from > self.start => (from - 1, 1),
            None => (from, 0),
        };
        let wanted = (to - base) as usize;
        let got = buffer.fill(file, base, wanted)?;
        let missing = ((wanted - got) as u64).min(to - from);
        let first = match lead {
            0 => 0,
            // A newline in the last byte begins the next range's first line.
            _ => match memchr(b'\n', &buffer[..got.min(wanted - 1)]) {
                Some(at) => at + 1,
                None => return Ok(Chunk { missing, ..empty_chunk(to) }),
            },
        };
        if got == wanted && buffer.last() == Some(&b'\n') {
            buffer.next_line = Some(NextLine { range: to, line: to });
        } else if got == wanted {
            let line = memrchr(b'\n', &buffer[first..]).map_or(first, |at| first + at + 1);
            let mut step = MORE_LEN;
            loop {
                let have = buffer.len();
                let left = (len - base).saturating_sub(have as u64);
                if have - line > self.max_line_len {
                    return pass_over(&Reading { file, len, base, to }, first, line, buffer);
                }
                let more = left.min(step as u64) as usize;
                let got = buffer.fill(file, base + have as u64, more)?;
                if let Some(at) = memchr(b'\n', &buffer[have..]) {
                    let end = have + at + 1;
                    buffer.truncate(end);
                    buffer.next_line = Some(NextLine { range: to, line: base + end as u64 });
                    break;
                }
                if got == 0 || got < more {
                    // The end of the file, or of what is left of it.
                    break;
                }
                step = (step * 2).min(MORE_LEN_MAX);
            }
        }
        Ok(Chunk { missing, ..buffer.chunk(base, first) })
    }
}

/// A range that is being read.
struct Reading<'a> {
    file: &'a File,
    /// The file's.
    len: u64,
    /// Of the first byte that was read.
    base: u64,
    /// Where the next range begins.
    to: u64,
}

/// The last line, from `line` on, is too long: finds its end without keeping it. `first` is the first line's place in the buffer.
fn pass_over<'b>(
    range: &Reading<'_>,
    first: usize,
    line: usize,
    buffer: &'b mut Buffer,
) -> io::Result<Chunk<'b>> {
    let Reading { file, len, base, to } = *range;
    let offset = base + line as u64;
    let head = head_of(&buffer[line..]);
    let mut line_len = (buffer.len() - line) as u64;
    let mut terminated = false;
    let mut window = Buffer::default();
    while offset + line_len < len {
        window.clear();
        let more = (len - offset - line_len).min(CHUNK_LEN) as usize;
        let got = window.fill(file, offset + line_len, more)?;
        if let Some(at) = memchr(b'\n', &window) {
            line_len += at as u64;
            terminated = true;
            buffer.next_line = Some(NextLine { range: to, line: offset + line_len + 1 });
            break;
        }
        line_len += got as u64;
        if got < more {
            break;
        }
    }
    buffer.truncate(line);
    let long = Some(LongLine { offset, len: line_len, terminated, head });
    Ok(Chunk { long, ..buffer.chunk(base, first) })
}

fn empty_chunk<'a>(offset: u64) -> Chunk<'a> {
    Chunk { offset, bytes: &[], held: None, long: None, missing: 0 }
}

pub(crate) fn head_of(line: &[u8]) -> Head {
    let mut bytes = [0; HEAD_LEN];
    let len = line.len().min(HEAD_LEN);
    bytes[..len].copy_from_slice(&line[..len]);
    Head { bytes, len }
}

/// Bytes that were read, in space that is used again unless somebody keeps it.
///
/// A `Vec` would have to be zeroed before every read; this is zeroed when it grows.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    // Shared only with those who keep a chunk; never while it is being filled.
    space: Arc<Vec<u8>>,
    // Where the bytes begin, and how many there are. Invariant: together at most `space.len()`.
    start: usize,
    len: usize,
    /// What reading one range has told about the next.
    next_line: Option<NextLine>,
    /// Somebody would have kept it, were it not for so much room. Where that is a long line's, others fill it again: giving it back and taking it anew, among lines
    /// that are long now and then, costs more than all of the reading.
    is_too_large: AtomicBool,
}

/// Where the first line begins that is not in front of the range that begins at `range`: whoever goes on there has seen the line that
/// crosses its beginning, and needn't read that again.
#[derive(Clone, Copy, Debug)]
struct NextLine {
    range: u64,
    line: u64,
}

impl Buffer {
    /// Empty, with room that there is already; what is in it doesn't matter.
    pub(crate) fn in_space(space: Vec<u8>) -> Self {
        Self { space: Arc::new(space), ..Self::default() }
    }

    /// Its room; none where somebody keeps a chunk of it.
    pub(crate) fn into_space(self) -> Vec<u8> {
        Arc::into_inner(self.space).unwrap_or_default()
    }

    pub(crate) fn clear(&mut self) {
        let is_too_large = std::mem::take(self.is_too_large.get_mut());
        match Arc::get_mut(&mut self.space) {
            None => self.space = Arc::default(),
            Some(space) if is_too_large || space.len() > KEEP_LEN => {
                space.truncate(RANGE_SPACE_LEN);
                space.shrink_to_fit();
            }
            Some(_) => {}
        }
        (self.start, self.len) = (0, 0);
    }

    fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        let mut bytes = Arc::unwrap_or_clone(self.space);
        bytes.truncate(self.start + self.len);
        bytes.drain(..self.start);
        bytes
    }

    /// The bytes from `first` on, the first of the buffer being at `base` in the file.
    pub(crate) fn chunk(&self, base: u64, first: usize) -> Chunk<'_> {
        let held =
            Some(Held { space: &self.space, at: self.start + first, is_too_large: &self.is_too_large });
        Chunk { bytes: &self[first..], held, ..empty_chunk(base + first as u64) }
    }

    /// Appends up to `len` bytes of `file` from `offset` on; returns how many. Fewer only at the file's end.
    pub(crate) fn fill(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        let (before, wanted) = (self.len, self.len + len);
        let space = Arc::make_mut(&mut self.space);
        if space.len() < wanted + APART {
            // Not twice as much: the longest lines are what bounds the memory of a thread.
            let room = if wanted <= STEP_LEN {
                wanted.next_power_of_two() + APART
            } else if wanted + APART <= RANGE_SPACE_LEN {
                RANGE_SPACE_LEN
            } else {
                (wanted + APART).next_multiple_of(STEP_LEN)
            };
            if space.is_empty() {
                // The system's pages are zero already.
                *space = vec![0; room];
            } else {
                space.reserve_exact(room - space.len());
                space.resize(room, 0);
            }
        }
        if before == 0 {
            // How far the destination is behind the source, each within its page.
            let behind = (space.as_ptr().addr() as u64).wrapping_sub(offset) % PAGE_LEN;
            self.start = if (1..APART as u64).contains(&behind) { APART - behind as usize } else { 0 };
        }
        let (got, outcome) = read_all_at(file, &mut space[self.start + before..][..len], offset);
        self.len += got;
        outcome.map(|()| got)
    }
}

/// Fills a buffer from an offset on. Returns how much of it; less at the file's end, or where reading failed.
pub(crate) fn read_all_at(file: &File, buffer: &mut [u8], offset: u64) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < buffer.len() {
        match positioned_read(file, &mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(got) => done += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.space[self.start..self.start + self.len]
    }
}

#[cfg(unix)]
fn positioned_read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn positioned_read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// The offset behind the last newline among the first `len` bytes of `file`.
pub(crate) fn complete_len(file: &File, len: u64) -> io::Result<u64> {
    let mut window = Buffer::default();
    let mut end = len;
    // Records are seldom longer than this; where they are, the next steps are larger.
    let mut step = 4 << 10;
    while end > 0 {
        let from = end.saturating_sub(step);
        window.clear();
        window.fill(file, from, (end - from) as usize)?;
        if let Some(at) = memrchr(b'\n', &window) {
            return Ok(from + at as u64 + 1);
        }
        end = from;
        step = (step * 4).min(1 << 20);
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    /// A file of so many bytes, each by its place.
    fn numbered(len: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
        file
    }

    fn is_numbered(bytes: &[u8], offset: u64) -> bool {
        (offset as usize..).zip(bytes).all(|(at, byte)| *byte == (at % 251) as u8)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn a_buffer_has_what_the_file_has_and_is_never_a_little_behind_it(
            rounds in proptest::collection::vec((0_u64..5000, proptest::collection::vec(1_usize..700_000, 1..4)), 1..6)
        ) {
            const LEN: usize = 1_500_000;
            let file = numbered(LEN);
            let mut buffer = Buffer::default();
            for (offset, fills) in rounds {
                buffer.clear();
                for (nth, len) in fills.into_iter().enumerate() {
                    let at = offset + buffer.len() as u64;
                    let got = buffer.fill(&file, at, len).unwrap();
                    prop_assert_eq!(got, len.min(LEN - at as usize));
                    prop_assert!(is_numbered(&buffer, offset));
                    if nth == 0 {
                        let behind = (buffer.as_ptr().addr() as u64).wrapping_sub(offset) % PAGE_LEN;
                        prop_assert!(behind == 0 || behind >= APART as u64, "{behind}");
                    }
                }
                let first = buffer.len() / 2;
                let chunk = buffer.chunk(offset, first);
                let (kept, range) = chunk.share();
                prop_assert_eq!(chunk.offset, offset + first as u64);
                prop_assert!(kept[range] == buffer[first..]);
                if first % 2 == 0 {
                    buffer.clear();
                    prop_assert!(buffer.is_empty());
                    buffer.fill(&file, offset, 1000).unwrap();
                }
            }
            let whole = buffer.to_vec();
            prop_assert!(buffer.into_vec() == whole);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

        /// The slow twin looks for the first line of each range itself.
        #[test]
        fn who_goes_on_finds_what_who_begins_anew_finds(
            lines in proptest::collection::vec(
                prop_oneof![0_usize..200, 100_000..400_000_usize, 500_000..1_800_000_usize, Just(CHUNK_LEN as usize - 1)], 1..9),
            max_line_len in prop_oneof![Just(1_000_000), Just(300_000), Just(usize::MAX >> 1)],
            is_terminated in any::<bool>(),
            gone in prop_oneof![Just(0), 0_u64..3_000_000],
            start in 0_usize..2,
            passed_over in proptest::collection::vec(any::<bool>(), 20),
        ) {
            let mut bytes: Vec<u8> = lines.iter().flat_map(|len| std::iter::repeat_n(b'x', *len).chain([b'\n'])).collect();
            if !is_terminated {
                bytes.pop();
            }
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            // What was there when it was opened.
            let len = bytes.len() as u64;
            file.set_len(len.saturating_sub(gone)).unwrap();
            let bytes = Bytes::File { file, len };
            let start = if start == 0 { 0 } else { lines[0] as u64 + 1 };
            let ranges = Ranges::new(&bytes, start.min(len), max_line_len);
            let mut buffer = Buffer::default();
            for index in 0..ranges.count() {
                if passed_over.get(index as usize) == Some(&true) && index % 3 == 2 {
                    continue;
                }
                let mut anew = Buffer::default();
                let (found, right) =
                    (ranges.chunk(index, &mut buffer).unwrap(), ranges.chunk(index, &mut anew).unwrap());
                prop_assert!(found.bytes == right.bytes, "{index}: {} and {}", found.bytes.len(), right.bytes.len());
                prop_assert_eq!(found.offset, right.offset);
                prop_assert_eq!(found.missing, right.missing);
                let long = |chunk: &Chunk<'_>| {
                    chunk.long.map(|long| (long.offset, long.len, long.terminated, long.head.bytes().to_vec()))
                };
                prop_assert_eq!(long(&found), long(&right));
            }
        }
    }

    #[test]
    fn room_for_a_long_line_is_given_back_to_those_who_keep_chunks() {
        let file = numbered(1_500_000);
        let mut buffer = Buffer::default();
        let mut room_for = |len: usize, is_kept: bool| {
            buffer.clear();
            buffer.fill(&file, 0, len).unwrap();
            if is_kept {
                let _ = buffer.chunk(0, 0).share();
            }
            buffer.space.len()
        };
        assert_eq!(room_for(CHUNK_LEN as usize, false), RANGE_SPACE_LEN);
        let long = room_for(1_200_000, false);
        assert!(long >= 1_200_000);
        assert_eq!(room_for(CHUNK_LEN as usize, false), long);
        assert_eq!(room_for(CHUNK_LEN as usize, true), long);
        assert_eq!(room_for(CHUNK_LEN as usize, true), RANGE_SPACE_LEN);
        assert_eq!(room_for(CHUNK_LEN as usize, false), RANGE_SPACE_LEN);
    }
}
