//! Reads a file once, after making sure that nobody else can change it or what leads to it.
//!
//! The path is walked from the root, one folder after the other, each opened without following links and looked at
//! through what was opened. So there is no moment between looking and opening in which something could be exchanged:
//! what was looked at is what is read.

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, Reason, Result};

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its path, absolute and without links.
    pub path: PathBuf,
    /// The digest of `bytes`.
    pub digest: Digest,
    /// What is in it. Use these, and don't read it again.
    pub bytes: Vec<u8>,
}

/// The one spelling of a path by which it is known: absolute, without links, `.` and `..`.
///
/// A path that leads over a link is refused, because what it leads to can change without the file changing.
pub(crate) fn canonical(path: &Path) -> Result<PathBuf> {
    let plain = absolute(path)?;
    match plain.canonicalize() {
        Ok(found) if found == plain => Ok(plain),
        Ok(found) => Err(Error::Unsafe { path: plain, reason: Reason::Link { leads_to: Some(found) } }),
        Err(source) => Err(Error::Io { action: "open", path: plain, source }),
    }
}

/// The path of a file that may not be there.
pub(crate) fn canonical_or_gone(path: &Path) -> Result<PathBuf> {
    match canonical(path) {
        Err(Error::Io { source, .. })
            if matches!(source.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            absolute(path)
        }
        found => found,
    }
}

/// Absolute, with `.` and `..` taken out of the text: where there is a link on the way, that is another file, and the
/// caller notices.
fn absolute(path: &Path) -> Result<PathBuf> {
    use std::path::Component;
    let whole = std::path::absolute(path).map_err(|source| Error::Io {
        action: "find",
        path: path.to_owned(),
        source,
    })?;
    let mut plain = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    Ok(plain)
}

#[cfg(unix)]
pub(crate) use unix::{Stamp, check_folder, look_at, read};

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::fs::File;
    use std::io::{self, Read};
    use std::os::fd::OwnedFd;
    use std::path::{Component, Path, PathBuf};

    use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
    use rustix::process::geteuid;

    use super::Found;
    use crate::digest::Digest;
    use crate::error::{Error, Reason, Result};

    /// What a file was when it was looked at. Another one, or one that was written to, has another.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Stamp {
        device: u64,
        file: u64,
        len: u64,
        modified: (i64, i64),
        changed: (i64, i64),
    }

    impl Stamp {
        #[allow(
            clippy::unnecessary_cast,
            clippy::cast_lossless,
            clippy::useless_conversion,
            reason = "the fields have other types on other systems"
        )]
        fn of(stat: &Stat) -> Self {
            Self {
                device: stat.st_dev as u64,
                file: stat.st_ino as u64,
                len: stat.st_size as u64,
                modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
                changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            }
        }
    }

    /// Opens a file whose path is canonical, and looks at it and at every folder on the way.
    fn open(path: &Path, max_len: u64) -> Result<(File, Stamp)> {
        let (folder, name) = walk(path)?;
        // Not waiting for the other end of a FIFO.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = openat(&folder, name, flags, Mode::empty()).map_err(|error| refused(error, path))?;
        let stat = fstat(&file).map_err(|error| refused(error, path))?;
        let found = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => None,
            FileType::Directory => Some("a folder"),
            FileType::Fifo => Some("a FIFO"),
            FileType::Socket => Some("a socket"),
            _ => Some("a device"),
        };
        let not_safe = |reason| Error::Unsafe { path: path.to_owned(), reason };
        if let Some(found) = found {
            return Err(not_safe(Reason::NotAFile { found }));
        }
        check_owner_and_mode(&stat, path)?;
        if stat.st_nlink != 1 {
            return Err(not_safe(Reason::HardLink));
        }
        let stamp = Stamp::of(&stat);
        if stamp.len > max_len {
            return Err(not_safe(Reason::TooLarge { len: stamp.len, max: max_len }));
        }
        Ok((File::from(file), stamp))
    }

    /// Looks at a file without reading it.
    pub(crate) fn look_at(path: &Path, max_len: u64) -> Result<Stamp> {
        Ok(open(path, max_len)?.1)
    }

    /// Reads a file whose path is canonical: once, and what was read is what the digest is of.
    pub(crate) fn read(path: &Path, max_len: u64) -> Result<Found> {
        let (file, _) = open(path, max_len)?;
        let cannot = |source| Error::Io { action: "read", path: path.to_owned(), source };
        let mut bytes = Vec::new();
        // It may grow meanwhile.
        file.take(max_len + 1).read_to_end(&mut bytes).map_err(cannot)?;
        if bytes.len() as u64 > max_len {
            let reason = Reason::TooLarge { len: bytes.len() as u64, max: max_len };
            return Err(Error::Unsafe { path: path.to_owned(), reason });
        }
        Ok(Found { path: path.to_owned(), digest: Digest::of(&bytes), bytes })
    }

    /// Looks at a folder and all above it.
    pub(crate) fn check_folder(folder: &Path) -> Result<()> {
        walk(&folder.join("x")).map(drop)
    }

    /// The folder of a file, opened, and the file's name. Every folder on the way was looked at.
    fn walk(path: &Path) -> Result<(OwnedFd, &OsStr)> {
        let mut components = path.components();
        let name = match components.next_back() {
            Some(Component::Normal(name)) => name,
            _ => {
                return Err(Error::Unsafe {
                    path: path.to_owned(),
                    reason: Reason::NotAFile { found: "a folder" },
                });
            }
        };
        // Folders that may be entered but not listed can be opened in this way only.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let way = OFlags::PATH;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let way = OFlags::RDONLY;
        let flags = way | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut so_far = PathBuf::from("/");
        let mut folder =
            rustix::fs::open("/", flags, Mode::empty()).map_err(|error| refused(error, &so_far))?;
        for component in components {
            if let Component::Normal(name) = component {
                so_far.push(name);
                let next = openat(&folder, name, flags, Mode::empty());
                folder = next.map_err(|error| refused_folder(error, &so_far))?;
            }
            let stat = fstat(&folder).map_err(|error| refused(error, &so_far))?;
            // In a sticky folder, nobody can exchange what belongs to others.
            let is_sticky = Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX);
            match check_owner_and_mode(&stat, &so_far) {
                Err(Error::Unsafe { reason: Reason::Writable { .. }, .. }) if is_sticky => {}
                checked => checked?,
            }
        }
        Ok((folder, name))
    }

    /// Ours, or the superuser's, and nobody else may write.
    fn check_owner_and_mode(stat: &Stat, path: &Path) -> Result<()> {
        let not_safe = |reason| Err(Error::Unsafe { path: path.to_owned(), reason });
        if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
            return not_safe(Reason::Owner { uid: stat.st_uid });
        }
        let mode = Mode::from_raw_mode(stat.st_mode);
        if mode.intersects(Mode::WGRP | Mode::WOTH) {
            return not_safe(Reason::Writable { mode: mode.as_raw_mode() & 0o7777 });
        }
        Ok(())
    }

    fn refused_folder(error: rustix::io::Errno, path: &Path) -> Error {
        match error {
            // With the flags that open a folder only, a link is one of these.
            rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP => {
                let is_link = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
                let reason = if is_link { Reason::Link { leads_to: None } } else { Reason::NotAFolder };
                Error::Unsafe { path: path.to_owned(), reason }
            }
            other => refused(other, path),
        }
    }

    fn refused(error: rustix::io::Errno, path: &Path) -> Error {
        let not_safe = |reason| Error::Unsafe { path: path.to_owned(), reason };
        match error {
            rustix::io::Errno::LOOP => not_safe(Reason::Link { leads_to: None }),
            // A socket, or a device without a driver.
            rustix::io::Errno::NXIO => not_safe(Reason::NotAFile { found: "a socket or device" }),
            other => Error::Io { action: "open", path: path.to_owned(), source: io::Error::from(other) },
        }
    }
}

#[cfg(not(unix))]
pub(crate) use other::{Stamp, check_folder, look_at, read};

/// Nothing is approved where nobody can say who else can change it.
#[cfg(not(unix))]
mod other {
    use std::path::Path;

    use super::Found;
    use crate::error::{Error, Reason, Result};

    /// There is none.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Stamp {}

    fn refuse<T>(path: &Path) -> Result<T> {
        Err(Error::Unsafe { path: path.to_owned(), reason: Reason::Unsupported })
    }

    pub(crate) fn look_at(path: &Path, _max_len: u64) -> Result<Stamp> {
        refuse(path)
    }

    pub(crate) fn read(path: &Path, _max_len: u64) -> Result<Found> {
        refuse(path)
    }

    pub(crate) fn check_folder(folder: &Path) -> Result<()> {
        refuse(folder)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::error::Reason;

    /// A folder and a file in it that nobody else can change.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("file");
        fs::write(&file, b"x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        (folder, file)
    }

    /// Somebody may put a link there after the path was looked at.
    #[test]
    fn a_link_in_the_place_of_the_file_is_not_followed() {
        let (_folder, file) = place();
        let link = file.with_file_name("link");
        symlink(&file, &link).unwrap();
        assert!(look_at(&file, u64::MAX).is_ok());
        assert!(look_at(&link, u64::MAX).is_err());
        let folder = file.with_file_name("folder");
        symlink(file.parent().unwrap(), &folder).unwrap();
        let refused = look_at(&folder.join("file"), u64::MAX);
        assert!(matches!(refused, Err(Error::Unsafe { reason: Reason::Link { .. }, .. })), "{refused:?}");
    }

    #[test]
    fn a_folder_is_looked_at_and_all_above_it() {
        let (_folder, file) = place();
        let (above, below) = (file.with_file_name("above"), file.with_file_name("above").join("below"));
        fs::create_dir_all(&below).unwrap();
        for folder in [&above, &below] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        }
        assert!(check_folder(&below).is_ok());
        for folder in [&above, &below] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o720)).unwrap();
            assert!(check_folder(&below).is_err(), "{}", folder.display());
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        }
    }

    /// The kernel says that this file is empty, and then it isn't.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_grows_while_it_is_read_is_too_large() {
        let path = Path::new("/proc/version");
        for max_len in [1, 10] {
            let refused = read(path, max_len).map(|found| found.bytes);
            assert!(
                matches!(refused, Err(Error::Unsafe { reason: Reason::TooLarge { .. }, .. })),
                "{refused:?}"
            );
        }
        assert!(read(path, 1 << 20).unwrap().bytes.starts_with(b"Linux"));
    }

    #[test]
    fn only_what_is_gone_may_be_missing() {
        let (_folder, file) = place();
        let circle = file.with_file_name("circle");
        symlink(&circle, &circle).unwrap();
        assert_eq!(canonical_or_gone(&file.with_file_name("gone")).unwrap(), file.with_file_name("gone"));
        assert_eq!(canonical_or_gone(&file.join("below")).unwrap(), file.join("below"));
        assert!(matches!(canonical_or_gone(&circle), Err(Error::Io { .. })));
    }
}
