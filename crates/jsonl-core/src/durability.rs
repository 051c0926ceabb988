//! How far an append has travelled when it returns.

use std::fs::File;
use std::io;
use std::path::Path;

/// What is true of a record when `append` has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// With the operating system. Survives the end of the process, also by `kill -9`; a power cut may take
    /// it, and everything else since the last sync.
    Buffer,
    /// On the device, with the file's length (`fdatasync`) and, the first time, its name. Survives a power cut
    /// as far as the device tells the truth. The default.
    #[default]
    SyncData,
    /// As `SyncData`, and with all of the file's metadata, such as its times (`fsync`).
    SyncAll,
}

impl Durability {
    /// Carries what was written to `file` as far as the level asks.
    pub(crate) fn apply(self, file: &File) -> io::Result<()> {
        match self {
            Self::Buffer => Ok(()),
            Self::SyncData => file.sync_data(),
            Self::SyncAll => file.sync_all(),
        }
    }
}

/// Makes the names in the folder of `path` durable: without it, a new, renamed or removed file may be back to
/// what it was after a power cut, even if its contents were synced.
#[cfg(unix)]
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// Windows has no such call; NTFS journals names.
#[cfg(not(unix))]
pub(crate) fn sync_folder_of(_path: &Path) -> io::Result<()> {
    Ok(())
}
