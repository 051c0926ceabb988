//! Buffers that were read into, for whoever reads next: a program that goes through many files would ask the system for the same memory
//! again and again, and have it zeroed.

use std::ops::{Deref, DerefMut};

use crate::mutex::Mutex;
use crate::source::Buffer;

/// So many bytes are kept at most; what is more is given back to the system.
const KEPT_MAX: usize = 8 << 20;

/// The space of buffers that nobody uses.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer that others have used, if there is one, and that others will use.
#[derive(Debug)]
pub(crate) struct Reused(Buffer);

impl Reused {
    pub(crate) fn take() -> Self {
        let space = SPARE.lock().pop();
        Self(space.map(Buffer::in_space).unwrap_or_default())
    }
}

impl Deref for Reused {
    type Target = Buffer;

    fn deref(&self) -> &Buffer {
        &self.0
    }
}

impl DerefMut for Reused {
    fn deref_mut(&mut self) -> &mut Buffer {
        &mut self.0
    }
}

impl Drop for Reused {
    fn drop(&mut self) {
        self.0.clear();
        let space = std::mem::take(&mut self.0).into_space();
        let mut spare = SPARE.lock();
        let kept: usize = spare.iter().map(Vec::len).sum();
        if !space.is_empty() && kept + space.len() <= KEPT_MAX {
            spare.push(space);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_was_in_a_buffer_is_not_seen_by_the_next_and_no_more_is_kept_than_a_limit() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; 3 << 20]).unwrap();
        let mut small = tempfile::tempfile().unwrap();
        small.write_all(b"short\n").unwrap();
        for _ in 0..2 {
            let mut several: Vec<Reused> = (0..5).map(|_| Reused::take()).collect();
            for buffer in &mut several {
                assert!(buffer.is_empty());
                assert_eq!(buffer.fill(&file, 0, 3 << 20).unwrap(), 3 << 20);
            }
            drop(several);
            assert!(SPARE.lock().iter().map(Vec::len).sum::<usize>() <= KEPT_MAX);
        }
        let mut buffer = Reused::take();
        assert_eq!(buffer.fill(&small, 0, 100).unwrap(), 6);
        assert_eq!(**buffer, *b"short\n");
    }

    #[test]
    fn what_somebody_keeps_is_not_used_again() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[b'x'; 1000]).unwrap();
        let mut buffer = Reused(Buffer::default());
        buffer.fill(&file, 0, 1000).unwrap();
        let (kept, range) = buffer.chunk(0, 0).share();
        let place = kept.as_ptr();
        drop(buffer);
        assert!(SPARE.lock().iter().all(|space| space.as_ptr() != place));
        assert_eq!(kept[range], [b'x'; 1000]);
    }
}
