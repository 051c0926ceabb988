//! Whether bytes are text: checked with vectors, which is several times faster than the standard library where not all is ASCII.

#[cfg(not(miri))]
pub(crate) use simdutf8::basic::from_utf8;
// simdutf8 0.1.5 names bytes beyond the end to the processor, as some that might be wanted soon. Nothing is read there; but Miri ends at
// the pointer (mended by its pull request 120).
#[cfg(miri)]
pub(crate) use std::str::from_utf8;
