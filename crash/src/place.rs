//! Folders for the harnesses.

use std::path::Path;

use crate::subject::{Result, said};

/// A folder in memory where there is such a thing, for work in which no disk has a part; it goes away.
pub fn quick_folder() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.or_else(|_| tempfile::tempdir()).map_err(said)
}
