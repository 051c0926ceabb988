//! Several files that are approved together.
//!
//! What is approved is a manifest: the digest of a text that has a line for each file, in the order of their paths,
//!
//! ```text
//! annals-set-1
//! <64 hex> <bytes of the path>:<path>
//! ```
//!
//! so a change in any of them, and a file more or less, is another manifest.

use std::path::PathBuf;

use crate::digest::Digest;

/// The most files that a set may have.
pub const FILES_MAX: usize = 1000;

/// The digest of a set. `paths` are sorted, and as many as `digests`.
pub(crate) fn manifest(paths: &[PathBuf], digests: &[Digest]) -> Digest {
    let mut text = b"annals-set-1\n".to_vec();
    for (path, digest) in paths.iter().zip(digests) {
        let path = path.as_os_str().as_encoded_bytes();
        text.extend_from_slice(format!("{digest} {}:", path.len()).as_bytes());
        text.extend_from_slice(path);
        text.push(b'\n');
    }
    Digest::of(&text)
}
