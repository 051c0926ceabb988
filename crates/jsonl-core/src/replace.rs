//! Replaces a file whole: all old or all new, whatever happens in between.
//!
//! A temporary file in the same folder is written, synced, given the old one's mode and owner, and renamed
//! over it; then the folder is synced, because a rename alone does not survive a power cut. Extended
//! attributes and access control lists are not carried over.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::durability::sync_folder_of;
use crate::error::{Error, Result};
use crate::lock::owner_only;

/// Between the log's name and the process and number that make a temporary file's name.
const MARK: &str = ".annals-tmp-";

/// Longer names are shortened in those of files beside them: 255 bytes are all that a name may have.
const NAME_LEN: usize = 180;

/// Writes a file anew: `write` gets the new contents' writer, and when this returns the file at `path` has
/// them, synced, under its old mode and owner (0600 and the caller's for a new file).
///
/// After a crash the file has either all of the old contents or all of the new. The caller sees to it that
/// nobody else replaces the same file at the same time; what killed replacements left is removed.
///
/// # Errors
///
/// Whatever `write` returns; [`Error::Io`]. The old file is then untouched and the temporary one removed. Only
/// when the folder can't be synced is the new file in its place already, and a power cut may undo that.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    let old = match fs::metadata(&target) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io("look at", path)(error)),
    };
    remove_leftovers(&target)?;
    let mut new = Replacement::begin(&target, old.as_ref())?;
    write(&mut new.out)?;
    new.commit()?.folder_synced
}

/// A file that is being written to take the place of another.
#[derive(Debug)]
pub(crate) struct Replacement {
    pub(crate) out: BufWriter<File>,
    temporary: Temporary,
    target: PathBuf,
}

/// A file that has taken the place of another.
#[derive(Debug)]
pub(crate) struct Replaced {
    /// Open for appending, with the lock that it was given.
    pub(crate) file: File,
    /// Whether the name survives a power cut, too.
    pub(crate) folder_synced: Result<()>,
}

/// Removed when dropped, unless it has been renamed.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    is_renamed: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Replacement {
    /// `target` is not a symbolic link; `old` is what is there now.
    pub(crate) fn begin(target: &Path, old: Option<&Metadata>) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let (path, file) = loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}{}-{number}", prefix(target), std::process::id());
            let path = target.with_file_name(name);
            let mut options = OpenOptions::new();
            options.read(true).append(true).create_new(true);
            owner_only(&mut options);
            match options.open(&path) {
                Ok(file) => break (path, file),
                // Of a process that had the same number and was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &path)(error)),
            }
        };
        let temporary = Temporary { path, is_renamed: false };
        keep_mode_and_owner(&file, old).map_err(Error::io("keep mode and owner of", target))?;
        Ok(Self { out: BufWriter::with_capacity(256 << 10, file), temporary, target: target.to_owned() })
    }

    pub(crate) fn file(&self) -> &File {
        self.out.get_ref()
    }

    /// Puts the new file, synced, in the old one's place. On an error the old one is still there.
    pub(crate) fn commit(self) -> Result<Replaced> {
        let Self { out, mut temporary, target } = self;
        let file =
            out.into_inner().map_err(|error| Error::io("write", &temporary.path)(error.into_error()))?;
        file.sync_all().map_err(Error::io("sync", &temporary.path))?;
        fs::rename(&temporary.path, &target).map_err(Error::io("replace", &target))?;
        temporary.is_renamed = true;
        let folder_synced = sync_folder_of(&target).map_err(Error::io("sync the folder of", &target));
        Ok(Replaced { file, folder_synced })
    }
}

/// Removes what replacements of `target` left when they were killed. The caller holds the log's lock, so none
/// is under way. Returns how many there were.
pub(crate) fn remove_leftovers(target: &Path) -> Result<usize> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let prefix = prefix(target);
    let mut removed = 0;
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&prefix)) else { continue };
        let is_ours =
            rest.split('-').count() == 2 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-'));
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::remove_file(entry.path()).map_err(Error::io("remove", &entry.path()))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// `.log.jsonl.annals-tmp-`; of long names the beginning and a checksum of the whole.
fn prefix(target: &Path) -> String {
    format!(".{}{MARK}", short_name(target))
}

/// The file's name, or of a long one enough to know it by: what is put beside a file has to have room for more.
pub(crate) fn short_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    match name.to_str() {
        Some(text) if text.len() <= NAME_LEN => text.to_owned(),
        _ => {
            let head: String = name.to_string_lossy().chars().take(NAME_LEN / 4).collect();
            let bytes = name.as_encoded_bytes();
            let (first, second) = bytes.split_at(bytes.len() / 2);
            format!("{head}~{:08x}{:08x}", crc32fast::hash(first), crc32fast::hash(second))
        }
    }
}

#[cfg(unix)]
fn keep_mode_and_owner(file: &File, old: Option<&Metadata>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    // By our hand, because a umask may have taken bits away.
    let Some(old) = old else { return file.set_permissions(fs::Permissions::from_mode(0o600)) };
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))
}

#[cfg(not(unix))]
fn keep_mode_and_owner(_file: &File, _old: Option<&Metadata>) -> io::Result<()> {
    Ok(())
}
