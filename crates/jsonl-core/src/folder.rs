//! Makes folders for logs: their owner's only, and there after a power cut.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use crate::durability::sync_folder_of;
use crate::error::{Error, Result};

/// Makes the folder `dir`, and those above it that are missing. On return, what was made has mode 0700, whatever the
/// umask, and its names are synced; what was there already is as it was.
///
/// # Errors
///
/// [`Error::Io`].
pub fn create_folder(dir: &Path) -> Result<()> {
    let missing: Vec<PathBuf> = dir
        .ancestors()
        .filter(|folder| !folder.as_os_str().is_empty())
        .take_while(|folder| !folder.exists())
        .map(Path::to_owned)
        .collect();
    if missing.is_empty() && !dir.is_dir() {
        return Err(Error::io("create", dir)(io::ErrorKind::NotADirectory.into()));
    }
    // One by one from above: a umask may take from a folder the right to make others in it.
    for folder in missing.iter().rev() {
        match make(folder) {
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => continue,
            made => made.map_err(Error::io("create", folder))?,
        }
        match sync_folder_of(folder) {
            // The folder above may be somebody else's: then they answer for the names in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced.map_err(Error::io("sync the folder of", folder))?,
        }
    }
    Ok(())
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(false).create(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // By our hand, because a umask may have taken even the owner's bits.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
